/* Channels of the simulated PF under a MuSiK, and floor control under CSKs: what pf/io does with sockets around pf/wire. */
#include <string.h>

#include "base/text.h"
#include "tests/harness/floor.h"
#include "tests/harness/sim.h"

uint8_t sim_mcx_number(const sim *s, int channel)
{
    return channel >= 0 && s->channels[channel].musik.is_one ? (uint8_t)(channel + 1) : 0;
}

/* ---- the enabler ---- */

static void on_air(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n)
{
    const sim_carrier *c = ctx;
    sim_air_send(c->s, c->channel, flow, poc_span_of(datagram, n));
}

poc_err sim_mcx_give_musik(sim *s, int channel, const bcast_msk *musik)
{
    sim_pf_channel *pc = &s->pf.channels[channel];
    pc->carrier = (sim_carrier){ s, channel };
    if (pc->air == NULL)
        POC_TRY(wire_mcx_air_new(&pc->air, &wire_mcx_air_defaults, &pc->on_wire,
                                 (bcast_carrier){ on_air, &pc->carrier }, &s->rng));
    return wire_mcx_air_set_musik(pc->air, sim_now_ms(s), musik);
}

void sim_mcx_look(const sim_packet *p, world_seen *seen)
{
    floor_look(p->flow, poc_span_of(p->b, p->n), (uint8_t)(p->channel + 1), seen);
}

/* ---- the content source ---- */

static void at_pf(sim *s, void *ctx, uint64_t arg)
{
    sim_packet *p = ctx;
    (void)arg;
    if (s->pf.engine != NULL && s->pf.channels[p->channel].air != NULL)
        (void)wire_mcx_air_send(s->pf.channels[p->channel].air, sim_now_ms(s), p->flow, poc_span_of(p->b, p->n));
    sim_packet_unref(p);
}

poc_err sim_mcx_feed_floor(sim *s, int channel)
{
    uint8_t buf[FLOOR_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    floor_taken_put(&wr, 0xF1000000u + (uint32_t)channel, s->floor_messages++);
    POC_TRY(poc_wr_done(&wr));
    sim_packet *p = sim_packet_new(s, BCAST_FLOW_FLOOR, channel, -1, poc_span_of(buf, wr.len));
    if (p == NULL)
        return POC_E_NOMEM;
    sim_after_packet(s, sim_net_steady_us(s), at_pf, p, 0);
    return POC_OK;
}

/* ---- floor control of one user ---- */

static bool is_guarded(sim *s, int client)
{
    sim_session *session = &s->pf.sessions[client];
    session->guarded = session->guarded || (s->pf.floor != NULL && wire_mcx_floor_has(s->pf.floor, session->user));
    return session->guarded;
}

typedef poc_err pass_fn(wire_mcx_floor *f, int64_t now_ms, const char *user, poc_wr *out, poc_span packet);

static sim_packet *pass(sim *s, int client, sim_packet *p, pass_fn *how)
{
    uint8_t buf[BCAST_PACKET_MAX];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    sim_packet *out = NULL;
    if (!is_guarded(s, client))
        return p;
    const char *user = s->pf.sessions[client].user;
    if (s->pf.floor != NULL && how(s->pf.floor, sim_now_ms(s), user, &wr, poc_span_of(p->b, p->n)) == POC_OK)
        out = sim_packet_new(s, p->flow, p->channel, p->client, poc_span_of(buf, wr.len));
    sim_packet_unref(p);
    return out;
}

sim_packet *sim_mcx_floor_open(sim *s, sim_packet *p)
{
    return p->flow == BCAST_FLOW_FLOOR ? pass(s, p->client, p, wire_mcx_floor_open) : p;
}

sim_packet *sim_mcx_floor_seal(sim *s, int client, sim_packet *p)
{
    return p->flow == BCAST_FLOW_FLOOR ? pass(s, client, p, wire_mcx_floor_seal) : p;
}
