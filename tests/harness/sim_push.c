/* MIKEY over UDP 2269, from the PF to its clients and back: lost, repeated by nobody but the ends, late and out of order. */
#include <string.h>

#include "tests/harness/sim.h"

#define PUSH_PORT    2269u
#define LATE_MORE_US 2000000u /* what is out of order comes up to so much later, behind repetitions and later keys */

void sim_push_address(const sim *s, int client, uint8_t out[SIM_ADDRESS_LEN])
{
    const uint8_t address[SIM_ADDRESS_LEN] = {
        198, 51, s->clients[client].moves, (uint8_t)client, PUSH_PORT >> 8, PUSH_PORT & 0xFF
    };
    memcpy(out, address, sizeof(address));
}

/* Nobody has the address of somebody who moved away. */
static int who_is_at(const sim *s, uint64_t address)
{
    int client = (int)(address & 0xFF);
    bool is_there = client < s->client_count && s->clients[client].moves == address >> 8;
    return is_there ? client : -1;
}

static uint64_t short_form(const uint8_t address[SIM_ADDRESS_LEN])
{
    return (uint64_t)address[2] << 8 | address[3];
}

static bool fate(sim *s, int64_t *delay_us)
{
    if (!sim_net_fate(s, s->net.push_loss, delay_us))
        return false;
    if (sim_net_happens(s, s->net.push_reorder))
        *delay_us += (int64_t)test_rng_below(&s->chance, LATE_MORE_US);
    return true;
}

static sim_packet *packet_of(sim *s, poc_span datagram)
{
    return sim_packet_new(s, BCAST_FLOW_STKM, -1, -1, datagram);
}

static void at_client(sim *s, void *ctx, uint64_t address)
{
    int client = who_is_at(s, address);
    if (client >= 0 && !s->clients[client].is_away)
        sim_ue_push(s, client, ctx);
    sim_packet_unref(ctx);
}

void sim_push_send(sim *s, const void *address, size_t address_len, poc_span datagram)
{
    int64_t delay_us;
    forge_hear(&s->push_ears[SIM_PUSH_DOWN], datagram);
    if (address_len != SIM_ADDRESS_LEN || !fate(s, &delay_us))
        return;
    sim_packet *p = packet_of(s, datagram);
    if (p != NULL)
        sim_after_packet(s, delay_us, at_client, p, short_form(address));
}

static void at_pf(sim *s, void *ctx, uint64_t from)
{
    const sim_packet *p = ctx;
    const uint8_t address[SIM_ADDRESS_LEN] = {
        198, 51, (uint8_t)(from >> 8), (uint8_t)from, PUSH_PORT >> 8, PUSH_PORT & 0xFF
    };
    sim_keyman_heard(s, address, poc_span_of(p->b, p->n));
    sim_packet_unref(ctx);
}

void sim_push_answer(sim *s, int client, poc_span datagram)
{
    uint8_t address[SIM_ADDRESS_LEN];
    int64_t delay_us;
    forge_hear(&s->push_ears[SIM_PUSH_UP], datagram);
    if (s->clients[client].is_away || !fate(s, &delay_us))
        return;
    sim_push_address(s, client, address);
    sim_packet *p = packet_of(s, datagram);
    if (p != NULL)
        sim_after_packet(s, delay_us, at_pf, p, short_form(address));
}

/* Nothing is easier than a false source address. */
void sim_push_strike(sim *s)
{
    for (int client = 0; client < s->client_count; client++)
        for (unsigned kind = 0; kind < FORGE_KINDS; kind++)
            for (int way = 0; way < SIM_PUSH_WAYS; way++) {
                uint8_t address[SIM_ADDRESS_LEN], datagram[BCAST_PACKET_MAX];
                sim_push_address(s, client, address);
                size_t n = forge_make(&s->push_ears[way], kind, &s->chance, datagram);
                sim_packet *p = n == 0 ? NULL : packet_of(s, poc_span_of(datagram, n));
                if (p != NULL)
                    sim_after_packet(s, sim_net_steady_us(s), way == SIM_PUSH_UP ? at_pf : at_client, p,
                                     short_form(address));
            }
}
