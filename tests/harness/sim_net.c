/* The network of the simulated world: what is lost, how long the rest takes, and the air that everybody may listen to. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/sim.h"

#define MKI_FROM_END (POC_MKI_LEN + 10u) /* MKI, then the tag of HMAC-SHA1-80 */
#define RTP_HEADER   12u

sim_packet *sim_packet_new(sim *s, bcast_flow flow, int channel, int client, poc_span bytes)
{
    sim_packet *p = bytes.n <= SIM_DATAGRAM_MAX ? malloc(sizeof(*p)) : NULL;
    if (p == NULL) {
        s->broken = true;
        return NULL;
    }
    p->refs = 1;
    p->flow = flow;
    p->channel = channel;
    p->client = client;
    p->n = bytes.n;
    memcpy(p->b, bytes.p, bytes.n);
    return p;
}

void sim_packet_unref(sim_packet *p)
{
    if (p != NULL && --p->refs == 0)
        free(p);
}

bool sim_net_happens(sim *s, double chance)
{
    return chance > 0 && (double)(test_rng_next(&s->chance) >> 11) / (double)(UINT64_C(1) << 53) < chance;
}

bool sim_net_fate(sim *s, double loss, int64_t *delay_us)
{
    if (sim_net_happens(s, loss))
        return false;
    *delay_us = (int64_t)s->net.delay_ms * 1000 + 50;
    *delay_us += (int64_t)test_rng_below(&s->chance, (uint64_t)s->net.jitter_ms * 1000 + 1);
    if (sim_net_happens(s, s->net.reorder))
        *delay_us += (int64_t)s->net.delay_ms * 1000;
    return true;
}

/* A radio bearer keeps the order of what it carries, however uneven it is. */
static bool air_fate(sim *s, sim_client *c, int64_t *delay_us)
{
    if (!sim_net_fate(s, s->net.air_loss, delay_us))
        return false;
    if (s->now_us + *delay_us < c->last_arrival_us)
        *delay_us = c->last_arrival_us - s->now_us;
    c->last_arrival_us = s->now_us + *delay_us;
    return true;
}

int64_t sim_net_steady_us(const sim *s)
{
    return (int64_t)s->net.delay_ms * 1000 + 50;
}

/* ---- the air ---- */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* What a stranger with a receiver can tell without any key: header fields, the MKI, the MSK ID of an STKM. */
static void look_from_outside(const sim *s, const sim_packet *p, world_seen *seen)
{
    if (s->channels[p->channel].musik.is_one) {
        sim_mcx_look(p, seen);
        return;
    }
    static const world_what what_of[BCAST_FLOW_COUNT] = { WORLD_ON_AIR, WORLD_FLOOR_ON_AIR, WORLD_STKM_ON_AIR };
    seen->what = what_of[p->flow];
    seen->client = -1;
    if (p->flow == BCAST_FLOW_STKM) {
        mikey_msg msg;
        if (mikey_decode(&msg, poc_span_of(p->b, p->n), NULL) == POC_OK && msg.has_msk_id)
            seen->mki = (poc_mki){ msg.msk_id, msg.mtk_id };
        return;
    }
    if (p->n < RTP_HEADER + MKI_FROM_END) {
        seen->what = WORLD_CLEAR_ON_AIR;
        return;
    }
    seen->mki = poc_mki_read(p->b + p->n - MKI_FROM_END);
    /* An unprotected packet has something else where the MKI should be. */
    if (poc_msk_group(seen->mki.msk_id) != 0x1001 + p->channel || s->pf.channels[p->channel].protector == NULL)
        seen->what = WORLD_CLEAR_ON_AIR;
    if (p->flow != BCAST_FLOW_RTP)
        return;
    seen->seq = get16(p->b + 2);
    seen->timestamp = get32(p->b + 4);
    seen->ssrc = get32(p->b + 8);
}

static void arrive(sim *s, void *ctx, uint64_t client)
{
    sim_packet *p = ctx;
    const sim_client *c = &s->clients[client];
    if (c->listens[p->channel] && !c->is_away)
        sim_ue_multicast(s, (int)client, p);
    sim_packet_unref(p);
}

/* To everybody who listens; the packet is given away. */
static void spread(sim *s, sim_packet *p)
{
    for (int c = 0; c < s->client_count; c++) {
        int64_t delay_us;
        if (!s->clients[c].listens[p->channel] || !air_fate(s, &s->clients[c], &delay_us))
            continue;
        p->refs++;
        sim_after_packet(s, delay_us, arrive, p, (uint64_t)c);
    }
    sim_packet_unref(p);
}

void sim_air_send(sim *s, int channel, bcast_flow flow, poc_span datagram)
{
    sim_packet *p = sim_packet_new(s, flow, channel, -1, datagram);
    if (p == NULL)
        return;
    world_seen seen = { 0 };
    look_from_outside(s, p, &seen);
    sim_see(s, &seen);
    forge_hear(&s->ears[channel][flow], datagram);
    spread(s, p);
}

void sim_air_strike(sim *s, int channel)
{
    for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        for (unsigned kind = 0; kind < FORGE_KINDS; kind++) {
            uint8_t datagram[BCAST_PACKET_MAX];
            size_t n = forge_make(&s->ears[channel][flow], kind, &s->chance, datagram);
            sim_packet *p = n == 0 ? NULL : sim_packet_new(s, flow, channel, -1, poc_span_of(datagram, n));
            if (p != NULL)
                spread(s, p);
        }
}
