/* The key management service of the simulated PF: what pf/io does with libmicrohttpd and the push socket. */
#include <stdio.h>
#include <string.h>

#include "tests/harness/sim.h"

#define REQUESTS_PER_BTID_S 20

const char *sim_keyman_service_id(const sim *s, int channel, char out[160])
{
    const world_channel *made = &s->channels[channel];
    if (made->group_uri[0] != '\0')
        snprintf(out, 160, "%s", made->group_uri);
    else
        snprintf(out, 160, "urn:pocpf:%s", made->id);
    return out;
}

static const wire_keyman_service *service_of(void *user, const char *service_id)
{
    const sim *s = user;
    char id[160];
    for (int c = 0; c < s->channel_count; c++)
        if (strcmp(sim_keyman_service_id(s, c, id), service_id) == 0)
            return &s->pf.channels[c].service;
    return NULL;
}

static bool is_listed(void *user, const char *channel, const char *impu)
{
    const sim *s = user;
    const world_channel *made = &s->channels[sim_channel_by_id(s, channel)];
    int client = sim_client_by_user(s, impu);
    for (size_t i = 0; client >= 0 && i < WORLD_USERS_MAX; i++)
        if (strcmp(made->users[i], s->clients[client].made.name) == 0)
            return true;
    return false;
}

poc_err sim_keyman_make(sim *s)
{
    wire_keyman_rules rules = { .path = "/keymanagement",
                                .muk_renew_s = s->options.muk_renew_s,
                                .requests_per_btid_s = REQUESTS_PER_BTID_S,
                                .strict_identities = true,
                                .service_of = service_of,
                                .listed = is_listed,
                                .user = s };
    return wire_keyman_new(&s->pf.keyman, &rules, s->pf.naf, s->pf.engine);
}

wire_keyman_admit sim_keyman_admit(const char *word)
{
    if (strcmp(word, "session") == 0)
        return WIRE_ADMIT_SESSION;
    return strcmp(word, "listed") == 0 ? WIRE_ADMIT_LISTED : WIRE_ADMIT_AUTHENTICATED;
}

void sim_keyman_request(sim *s, const uint8_t address[SIM_ADDRESS_LEN], const pocue_http *request,
                        wire_keyman_answer *answer)
{
    wire_keyman_request r = { .method = poc_span_str("POST"),
                              .target = poc_span_str(request->target),
                              .content_type = poc_span_str(request->content_type),
                              .authorization = poc_span_str(request->authorization),
                              .intended_identity = poc_span_str(request->intended_identity),
                              .body = poc_span_of(request->body, request->body_len),
                              .address = address,
                              .address_len = SIM_ADDRESS_LEN };
    int64_t now_ms = sim_now_ms(s);
    if (wire_keyman_serve(s->pf.keyman, now_ms, &r, answer) == WIRE_KEYMAN_ASK_ZN) {
        gba_request digest = { .authorization = r.authorization };
        gba_zn_answer zn = { 0 };
        poc_span btid = gba_naf_btid(&digest);
        poc_err err = gba_bsf_zn(s->bsf, now_ms / 1000, btid, gba_naf_naf_id(s->pf.naf), &zn);
        if (err == POC_OK)
            err = gba_naf_learn(s->pf.naf, now_ms / 1000, btid, &zn);
        gba_zn_answer_done(&zn);
        if (err != POC_OK || wire_keyman_serve(s->pf.keyman, now_ms, &r, answer) != WIRE_KEYMAN_ANSWERED)
            wire_keyman_fail(s->pf.keyman, now_ms, err, answer);
    }
    sim_pf_work(s);
}

void sim_keyman_heard(sim *s, const uint8_t address[SIM_ADDRESS_LEN], poc_span datagram)
{
    pocpf_datagram d = { .address = address, .address_len = SIM_ADDRESS_LEN, .octets = datagram.p, .len = datagram.n };
    if (s->pf.engine == NULL)
        return;
    (void)pocpf_push_heard(s->pf.engine, sim_now_ms(s), &d, 1);
    sim_pf_work(s);
}
