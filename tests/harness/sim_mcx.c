/* Mission critical services of the simulated PF: what pf/io does with Sofia-SIP around the desk of pf/wire, and with a KMS. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tests/harness/sim.h"

#define BODY_MAX         4096u
#define QCI              65u
#define ANNOUNCE_TRIES   5u
#define ANNOUNCE_WAIT_US 2000000

/* ---- who is who ---- */

/* The service authorisation of this world: the token of alice is "token-of-alice". */
static poc_err authorise(void *user, const char *impu, mcx_service service, const char *token, int64_t now_s,
                         char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    const sim *s = user;
    const int client = sim_client_by_user(s, impu);
    (void)now_s;
    for (int c = 0; c < s->client_count; c++) {
        const sim_client *owner = &s->clients[c];
        char known[WORLD_NAME_MAX + 16];
        snprintf(known, sizeof(known), "token-of-%s", owner->made.name);
        if (strcmp(known, token) != 0)
            continue;
        snprintf(mc_id, WIRE_MCX_TEXT_MAX + 1, "sip:%s@%s", owner->made.name, SIM_MC_DOMAIN);
        return c == client && owner->made.mcx.is_video == (service == MCX_MCVIDEO) ? POC_OK : POC_E_DENIED;
    }
    return POC_E_AUTH;
}

static bool known(void *user, const char *impu, mcx_service service, char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    const sim *s = user;
    const int client = sim_client_by_user(s, impu);
    (void)service;
    if (client < 0)
        return false;
    snprintf(mc_id, WIRE_MCX_TEXT_MAX + 1, "sip:%s@%s", s->clients[client].made.name, SIM_MC_DOMAIN);
    return true;
}

static bool is_listed(void *user, const char *channel, const char *mc_id)
{
    const sim *s = user;
    const world_channel *made = &s->channels[sim_channel_by_id(s, channel)];
    char listed[WORLD_NAME_MAX + 64];
    for (size_t i = 0; i < WORLD_USERS_MAX && made->users[i][0] != '\0'; i++) {
        snprintf(listed, sizeof(listed), "sip:%s@%s", made->users[i], SIM_MC_DOMAIN);
        if (strcmp(listed, mc_id) == 0)
            return true;
    }
    return false;
}

/* ---- life ---- */

poc_err sim_mcx_make(sim *s)
{
    sim_pf *pf = &s->pf;
    const wire_mcx_rules rules = { .users_max = WORLD_CLIENTS_MAX,
                                   .expires_s = s->options.mcx_expires_s,
                                   .seed = UINT64_C(0x6d6378),
                                   .authorise = authorise,
                                   .known = known,
                                   .listed = is_listed,
                                   .user = s };
    if (!s->has_mcx)
        return POC_OK;
    POC_TRY(wire_mcx_desk_new(&pf->desk, &rules, pf->engine));
    return wire_mcx_floor_new(&pf->floor, pf->engine, UINT64_C(0x666c));
}

static poc_err keys_give(sim *s)
{
    pocpf_mcx_keys *keys;
    pocpf_mcx_kms *neighbour;
    POC_TRY(wallet_server(&keys, SIM_PSI, sim_now_ms(s)));
    const pocpf_mcx_identity own = { sizeof(own), keys, true };
    POC_TRY((poc_err)pocpf_mcx_identity_add(s->pf.engine, sim_now_ms(s), &own));
    for (int c = 0; c < s->client_count; c++) {
        if (!s->clients[c].made.mcx.is_neighbours)
            continue;
        POC_TRY(wallet_neighbour(&neighbour));
        POC_TRY((poc_err)pocpf_mcx_kms_add(s->pf.engine, sim_now_ms(s), neighbour));
    }
    return POC_OK;
}

void sim_mcx_stop(sim *s)
{
    wire_mcx_desk_free(s->pf.desk);
    wire_mcx_floor_free(s->pf.floor);
    s->pf.desk = NULL;
    s->pf.floor = NULL;
    memset(s->pf.waiting, 0, sizeof(s->pf.waiting));
    memset(s->pf.numbers, 0, sizeof(s->pf.numbers));
}

poc_err sim_mcx_channel(sim *s, int channel)
{
    const world_channel *made = &s->channels[channel];
    wire_mcx_channel c = { .id = made->id,
                           .service = made->musik.is_video ? MCX_MCVIDEO : MCX_MCPTT,
                           .is_open = strcmp(made->admit, "listed") != 0,
                           .has_tmgi = made->musik.is_region };
    memcpy(c.tmgi, s->pf.channels[channel].on_wire.tmgi, sizeof(c.tmgi));
    return wire_mcx_desk_channel(s->pf.desk, sim_now_ms(s), &c);
}

int64_t sim_mcx_deadline_ms(const sim *s)
{
    int64_t at_ms = s->pf.desk != NULL ? wire_mcx_desk_deadline_ms(s->pf.desk) : INT64_MAX;
    for (int c = 0; c < s->channel_count; c++) {
        const wire_mcx_air *a = s->pf.channels[c].air;
        const int64_t due_ms = a != NULL ? wire_mcx_air_deadline(a) : INT64_MAX;
        at_ms = due_ms < at_ms ? due_ms : at_ms;
    }
    return at_ms;
}

void sim_mcx_tick(sim *s)
{
    if (s->pf.desk != NULL)
        wire_mcx_desk_tick(s->pf.desk, sim_now_ms(s));
    for (int c = 0; c < s->channel_count; c++)
        if (s->pf.channels[c].air != NULL)
            wire_mcx_air_tick(s->pf.channels[c].air, sim_now_ms(s));
}

/* ---- announcements of bearers ---- */

static poc_err announcement_write(sim *s, int client, int channel, poc_wr *body, char content_type[96])
{
    const bcast_channel *on_wire = &s->pf.channels[channel].on_wire;
    const mcx_service service = s->channels[channel].musik.is_video ? MCX_MCVIDEO : MCX_MCPTT;
    wire_mbms_announcement bearer = {
        .qci = QCI, .areas = { (uint16_t)(channel + 1) }, .area_count = 1, .general_purpose_line = WIRE_MCX_SDP_LINE
    };
    char sdp[WIRE_MCX_SDP_MAX], mc_id[WORLD_NAME_MAX + 64];
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    POC_TRY(wire_mcx_sdp_write(&wr, service, on_wire));
    memcpy(bearer.tmgi, on_wire->tmgi, sizeof(bearer.tmgi));
    snprintf(mc_id, sizeof(mc_id), "sip:%s@%s", s->clients[client].made.name, SIM_MC_DOMAIN);
    return wire_mcx_announcement_write(body, content_type, service, mc_id, &bearer, poc_span_of(sdp, wr.len), &s->rng);
}

static uint64_t errand(int client, int channel, unsigned tries)
{
    return (uint64_t)tries << 32 | (uint64_t)channel << 16 | (uint64_t)client;
}

static void announce_again(sim *s, void *ctx, uint64_t what);

static void announced(sim *s, sim_txn *t, void *ctx, uint64_t what)
{
    (void)ctx;
    if (t->status >= 300 && what >> 32 < ANNOUNCE_TRIES)
        sim_after(s, ANNOUNCE_WAIT_US, announce_again, NULL, what + errand(0, 0, 1));
}

static void announce_again(sim *s, void *ctx, uint64_t what)
{
    (void)ctx;
    const int client = (int)(what & 0xFFFF), channel = (int)(what >> 16 & 0xFFFF);
    uint8_t body[BODY_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    sim_request r = { .method = SIM_MESSAGE, .client = client, .channel = channel, .subject = -1 };
    if (s->pf.engine == NULL || announcement_write(s, client, channel, &wr, r.content_type) != POC_OK)
        return;
    r.body = poc_span_of(body, wr.len);
    sim_sip_send(s, SIM_PF, client, &r, SIM_GIVE_UP_US, announced, NULL, what);
}

/* To who may be in the channel: those of a region have to know its bearer to say that they hear it. */
static void announce_all(sim *s, const char *user)
{
    wire_mcx_user u;
    const int client = sim_client_by_user(s, user);
    for (int c = 0; client >= 0 && c < s->channel_count; c++) {
        const world_channel *made = &s->channels[c];
        const bool is_open = strcmp(made->admit, "listed") != 0;
        const mcx_service service = made->musik.is_video ? MCX_MCVIDEO : MCX_MCPTT;
        const bool is_announced = made->musik.is_region || made->musik.groups[0][0] != '\0';
        if (made->musik.is_one && is_announced && wire_mcx_desk_look_for(s->pf.desk, user, service, &u) &&
            (is_open || is_listed(s, made->id, u.mc_id)))
            announce_again(s, NULL, errand(client, c, 0));
    }
}

/* ---- beginning ---- */

poc_err sim_mcx_restored(sim *s)
{
    if (!s->has_mcx)
        return POC_OK;
    POC_TRY(keys_give(s));
    for (int c = 0; c < s->channel_count; c++)
        if (s->channels[c].musik.is_one)
            POC_TRY(sim_mcx_channel(s, c));
    POC_TRY(wire_mcx_desk_restored(s->pf.desk, sim_now_ms(s)));
    size_t at = 0;
    for (wire_mcx_user u; wire_mcx_desk_next(s->pf.desk, &at, &u);)
        announce_all(s, u.impu); /* an announcement may have died with the former life */
    return POC_OK;
}

poc_err sim_mcx_begin(sim *s)
{
    if (s->has_mcx)
        return keys_give(s);
    s->has_mcx = true;
    POC_TRY(sim_mcx_make(s));
    return sim_mcx_restored(s);
}

/* ---- requests ---- */

static wire_mcx_method method_of(sim_method method)
{
    if (method == SIM_REGISTER)
        return WIRE_MCX_REGISTER;
    return method == SIM_PUBLISH ? WIRE_MCX_PUBLISH : WIRE_MCX_MESSAGE;
}

static void answer(sim *s, sim_txn *t, const wire_mcx_answer *a)
{
    if (a->why[0] != '\0')
        sim_note(s, t->from, "pf: %d: %s", a->status, a->why);
    t->expires_s = a->expires_s;
    sim_sip_answer(s, t, a->status, NULL, poc_span_of(NULL, 0));
}

static void wait_for(sim *s, sim_txn *t, uint64_t number)
{
    size_t i = 0;
    while (i < WORLD_CLIENTS_MAX && s->pf.numbers[i] != 0)
        i++;
    s->broken = s->broken || i == WORLD_CLIENTS_MAX;
    if (i == WORLD_CLIENTS_MAX)
        return;
    s->pf.numbers[i] = number;
    s->pf.waiting[i] = t;
}

void sim_mcx_request(sim *s, sim_txn *t)
{
    const wire_mcx_request r = { .method = method_of(t->request.method),
                                 .by_core = t->request.by_core,
                                 .impu = s->clients[t->from].impu,
                                 .content_type = poc_span_str(t->request.content_type),
                                 .body = t->request.body,
                                 .has_expires = t->request.method != SIM_MESSAGE,
                                 .expires_s = t->request.expires_s,
                                 .where = "" };
    wire_mcx_answer a = { 0 };
    if (s->pf.desk == NULL) {
        sim_sip_answer(s, t, 405, NULL, poc_span_of(NULL, 0));
        return;
    }
    if (wire_mcx_desk_serve(s->pf.desk, sim_now_ms(s), &r, &a) == WIRE_MCX_WAITS)
        wait_for(s, t, a.number);
    else
        answer(s, t, &a);
    sim_pf_work(s);
}

/* ---- effects ---- */

void sim_mcx_bound(sim *s, const pocpf_effect *e)
{
    wire_mcx_answer a = { 0 };
    char user[WIRE_MCX_USER_MAX];
    snprintf(user, sizeof(user), "%s", e->user);
    const bool ok = e->u.bound.ok;
    if (!wire_mcx_desk_bound(s->pf.desk, sim_now_ms(s), user, e->u.bound.csk_id, ok, &a))
        return;
    for (size_t i = 0; i < WORLD_CLIENTS_MAX; i++) {
        if (s->pf.numbers[i] == 0 || s->pf.numbers[i] != a.number)
            continue;
        answer(s, s->pf.waiting[i], &a);
        s->pf.numbers[i] = 0;
    }
    if (ok)
        announce_all(s, user);
}

static void downloaded(sim *s, sim_txn *t, void *ctx, uint64_t number)
{
    (void)ctx;
    pocpf_download_answered(s->pf.engine, sim_now_ms(s), s->clients[t->to].impu, number, t->status < 300);
    sim_pf_work(s);
}

void sim_mcx_download(sim *s, const pocpf_effect *e)
{
    uint8_t body[BODY_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    const int client = sim_client_by_user(s, e->user);
    const mcx_service service = client >= 0 && s->clients[client].made.mcx.is_video ? MCX_MCVIDEO : MCX_MCPTT;
    sim_request r = {
        .method = s->options.mcx_by_notify ? SIM_NOTIFY : SIM_MESSAGE, .client = client, .channel = -1, .subject = -1
    };
    const poc_span key = poc_span_of(e->u.download.i_message, e->u.download.len);
    if (client < 0 ||
        wire_mcx_download_write(&wr, r.content_type, service, e->u.download.mc_id, key, &s->rng) != POC_OK) {
        s->broken = true;
        return;
    }
    r.body = poc_span_of(body, wr.len);
    sim_sip_send(s, SIM_PF, client, &r, (int64_t)e->u.download.timeout_ms * 1000, downloaded, NULL,
                 e->u.download.number);
}
