/* The clients of the simulated world as users of MBMS services: registration, pull, and keys by push. */
#include <string.h>

#include "base/text.h"
#include "tests/harness/sim.h"

/* A client of a channel with a session learns from the SDP where it is sent; a service alone says so itself. */
static poc_err announce(sim *s, int client, int channel)
{
    sim_client *c = &s->clients[client];
    const world_channel *made = &s->channels[channel];
    if ((c->knows >> channel & 1u) != 0)
        return POC_OK;
    char id[160];
    bool by_session = strcmp(made->admit, "session") == 0;
    pocue_service service = { .service_id = sim_keyman_service_id(s, channel, id),
                              .key_domain = s->pf.channels[channel].on_wire.key_domain,
                              .key_group = (uint16_t)(0x1001 + channel),
                              .wait_time_s = made->wait_time_s,
                              .max_back_off_s = made->max_back_off_s,
                              .channel = by_session ? NULL : &s->pf.channels[channel].on_wire };
    POC_TRY(pocue_service_add(c->ue, &service));
    c->knows |= UINT32_C(1) << channel;
    return POC_OK;
}

poc_err sim_ue_enrol(sim *s, int client, int channel, bool in)
{
    char id[160];
    POC_TRY(announce(s, client, channel));
    if (in && !s->clients[client].in)
        s->clients[client].channel = channel;
    POC_TRY(pocue_register(s->clients[client].ue, sim_now_ms(s), sim_keyman_service_id(s, channel, id), in));
    sim_ue_poll(s, client);
    return POC_OK;
}

poc_err sim_ue_pull(sim *s, int client, int channel)
{
    char id[160];
    POC_TRY(announce(s, client, channel));
    POC_TRY(pocue_request_msk(s->clients[client].ue, sim_now_ms(s), sim_keyman_service_id(s, channel, id), 0));
    sim_ue_poll(s, client);
    return POC_OK;
}

void sim_ue_coverage(sim *s, int client, bool is_covered)
{
    s->clients[client].is_away = !is_covered;
}

void sim_ue_move(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    char id[160];
    c->moves++;
    for (int channel = 0; channel < s->channel_count; channel++)
        if ((c->knows >> channel & 1u) != 0 && pocue_is_registered(c->ue, sim_keyman_service_id(s, channel, id)))
            (void)pocue_register(c->ue, sim_now_ms(s), id, true);
    sim_ue_poll(s, client);
}

void sim_ue_push(sim *s, int client, const sim_packet *p)
{
    uint8_t reply[MIKEY_MESSAGE_MAX];
    size_t reply_len = 0;
    (void)pocue_push(s->clients[client].ue, sim_now_ms(s), poc_span_of(p->b, p->n), reply, &reply_len);
    if (reply_len > 0)
        sim_push_answer(s, client, poc_span_of(reply, reply_len));
    sim_ue_poll(s, client);
}
