/* The Participating PoC Function of the simulated world: what pf/io does with Sofia-SIP, sockets and SQLite, done with
 * abstract transactions and memory. It knows libpocpf through its public door only. Here: its life, the B2BUA, the relay. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/harness/sim.h"

#define SDP_MAX      6144u
#define NONCE_LIFE_S 600

static poc_span nothing(void)
{
    return poc_span_of(NULL, 0);
}

/* ---- life ---- */

static int draw(void *user, uint8_t *out, size_t n)
{
    sim *s = user;
    return s->rng.fill(s->rng.ctx, out, n) == POC_OK ? 0 : -1;
}

static poc_err make_naf(sim *s)
{
    gba_naf_settings settings = { .fqdn = poc_span_str(SIM_REALM_FQDN),
                                  .nonce_lifetime_s = NONCE_LIFE_S,
                                  .users_max = WORLD_CLIENTS_MAX };
    memcpy(settings.ua_id, gba_ua_id_mbms, sizeof(settings.ua_id));
    return gba_naf_new(&s->pf.naf, &settings, &s->rng);
}

static uint32_t delivery_of(const char *word)
{
    if (strcmp(word, "both") == 0)
        return POCPF_BY_SIP | POCPF_BY_PUSH;
    return strcmp(word, "push") == 0 ? POCPF_BY_PUSH : POCPF_BY_SIP;
}

static pocpf_on_leave on_leave_of(const char *word)
{
    if (strcmp(word, "always") == 0)
        return POCPF_LEAVE_ALWAYS;
    return strcmp(word, "batch") == 0 ? POCPF_LEAVE_BATCH : POCPF_LEAVE_NEVER;
}

/* A MuSiK is named as its channel, so that a client can tell them apart. */
static void musik_of(sim *s, int channel, pocpf_channel *c)
{
    const world_channel *made = &s->channels[channel];
    sim_pf_channel *pc = &s->pf.channels[channel];
    size_t n = 0;
    while (n < WORLD_GROUPS_MAX && made->musik.groups[n][0] != '\0') {
        pc->groups[n] = made->musik.groups[n];
        n++;
    }
    pc->on_wire.group_count = n;
    memset(c->key_domain, 0, sizeof(c->key_domain));
    c->key_group = 0;
    c->rekey.delivery = 0;
    c->musik = (pocpf_musik){ .groups = pc->groups,
                              .group_count = n,
                              .text = made->id,
                              .service = made->musik.is_video ? MCX_MCVIDEO : MCX_MCPTT,
                              .lifetime_s = made->musik.lifetime_s,
                              .without_revocation = !made->musik.revokes };
}

poc_err sim_pf_channel_add(sim *s, int channel)
{
    const world_channel *made = &s->channels[channel];
    pocpf_channel c = { .size = sizeof(c),
                        .id = made->id,
                        .group_uri = made->group_uri,
                        .kind = made->musik.is_one ? POCPF_KIND_MUSIK : POCPF_KIND_MSK,
                        .key_domain = { 0x26, 0x2F, 0x01 },
                        .key_group = (uint16_t)(0x1001 + channel) };
    c.rekey = (pocpf_rekey_policy){ .on_leave = on_leave_of(made->on_leave),
                                    .leave_batch_ms = made->leave_batch_ms,
                                    .on_join = made->on_join,
                                    .interval_s = made->interval_s,
                                    .max_mtk = made->max_mtk,
                                    .deadline_ms = made->deadline_ms };
    c.rekey.gate = strcmp(made->gate, "continue") == 0 ? POCPF_GATE_CONTINUE : POCPF_GATE_HOLD;
    c.rekey.on_refusal = strcmp(made->on_refusal, "release") == 0 ? POCPF_REFUSAL_RELEASE : POCPF_REFUSAL_UNICAST;
    c.rekey.delivery = delivery_of(made->delivery);
    sim_pf_channel *pc = &s->pf.channels[channel];
    *pc = (sim_pf_channel){ .service = { .channel = made->id, .admit = sim_keyman_admit(made->admit) } };
    bcast_channel *wire = &pc->on_wire;
    memcpy(wire->id, made->id, sizeof(made->id));
    char group[32];
    snprintf(group, sizeof(group), "232.10.0.%d", channel + 7);
    POC_TRY(poc_addr_parse(&wire->group, poc_span_str(group), 0));
    POC_TRY(poc_addr_parse(&wire->source, poc_span_str("192.0.2.50"), 0));
    wire->ttl = 16;
    wire->groups = pc->groups;
    wire->has_tmgi = made->musik.is_one;
    memcpy(wire->tmgi, (const uint8_t[]){ 0, 0, (uint8_t)(channel + 1), 0x62, 0xF2, 0x10 }, sizeof(wire->tmgi));
    for (uint16_t f = 0; f < BCAST_FLOW_COUNT; f++)
        wire->port[f] = (uint16_t)(5004 + 2 * f);
    memcpy(wire->key_domain.b, c.key_domain, sizeof(wire->key_domain.b));
    if (made->musik.is_one)
        musik_of(s, channel, &c);
    return (poc_err)pocpf_channel_add(s->pf.engine, sim_now_ms(s), &c);
}

static uint32_t algorithms_of(uint8_t key_lengths)
{
    return ((key_lengths & 16u) != 0 ? POCPF_AES128_GCM : 0u) | ((key_lengths & 32u) != 0 ? POCPF_AES256_GCM : 0u);
}

static poc_err replay_store(sim *s)
{
    for (size_t i = 0; i < s->store.durable_count; i++) {
        const sim_record *r = &s->store.durable[i];
        POC_TRY((poc_err)pocpf_restore(s->pf.engine, r->key, r->key_len, r->value, r->value_len));
    }
    return (poc_err)pocpf_restored(s->pf.engine, sim_now_ms(s));
}

poc_err sim_pf_start(sim *s)
{
    sim_pf *pf = &s->pf;
    pf->life++;
    POC_TRY(make_naf(s));
    poc_span naf_id = gba_naf_naf_id(pf->naf);
    pocpf_host host = { .size = sizeof(host), .user = s, .random = draw };
    pocpf_settings settings = { .size = sizeof(settings),
                                .naf_id = naf_id.p,
                                .naf_id_len = naf_id.n,
                                .store_key = (const pocpf_secret *)s->store_key,
                                .require_verification = true,
                                .push_tries = s->options.push_tries,
                                .push_first_ms = s->options.push_first_ms,
                                .push_cap_ms = s->options.push_cap_ms,
                                .solicit_per_s = s->options.solicit_per_s,
                                .muk_renew_s = s->options.muk_renew_s,
                                .mcx_algorithms = algorithms_of(s->options.mcx_algorithms),
                                .mcx_forced = algorithms_of(s->options.mcx_forced) };
    POC_TRY((poc_err)pocpf_new(&pf->engine, &host, &settings));
    POC_TRY(sim_keyman_make(s));
    POC_TRY(sim_mcx_make(s));
    for (int c = 0; c < s->channel_count; c++)
        POC_TRY(sim_pf_channel_add(s, c));
    POC_TRY(replay_store(s));
    POC_TRY(sim_mcx_restored(s));
    sim_pf_work(s);
    return POC_OK;
}

void sim_pf_stop(sim *s)
{
    sim_pf *pf = &s->pf;
    for (int c = 0; c < SIM_CHANNELS_MAX; c++) {
        bcast_protector_free(pf->channels[c].protector);
        pf->channels[c].protector = NULL;
        wire_mcx_air_free(pf->channels[c].air);
        pf->channels[c].air = NULL;
    }
    sim_mcx_stop(s);
    wire_keyman_free(pf->keyman);
    pocpf_free(pf->engine);
    gba_naf_free(pf->naf);
    pf->keyman = NULL;
    pf->engine = NULL;
    pf->naf = NULL;
    pf->working = false;
    for (int c = 0; c < s->client_count; c++)
        pf->sessions[c].used = false;
}

/* ---- small helpers ---- */

int sim_pf_client_of(const sim *s, const char *user, int channel)
{
    for (int c = 0; user != NULL && c < s->client_count; c++) {
        const sim_session *session = &s->pf.sessions[c];
        if (session->used && session->channel == channel && strcmp(session->user, user) == 0)
            return c;
    }
    return -1;
}

void sim_pf_learns_of_expulsion(sim *s, int client)
{
    if (client < 0 || !s->expelling[client])
        return;
    s->expelling[client] = false;
    sim_tell(s, WORLD_EXPELLED, client, 0);
}

static void bye(sim *s, int to, int client)
{
    const sim_session *session = &s->pf.sessions[client];
    sim_request r = {
        .method = SIM_BYE, .client = client, .channel = session->channel, .call = session->call, .subject = -1
    };
    sim_sip_send(s, SIM_PF, to, &r, SIM_GIVE_UP_US, NULL, NULL, 0);
}

void sim_pf_release(sim *s, int client)
{
    bye(s, client, client);
    bye(s, SIM_CF, client);
    s->pf.sessions[client].used = false;
}

static void departed(sim *s, int client, pocpf_departure how)
{
    const sim_session *session = &s->pf.sessions[client];
    pocpf_member_departed(s->pf.engine, sim_now_ms(s), s->channels[session->channel].id, session->user, how);
    s->pf.sessions[client].used = false;
    sim_pf_work(s);
}

/* ---- INVITE ---- */

static void challenge(sim *s, sim_txn *t, bool stale)
{
    char value[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(value, sizeof(value));
    if (gba_naf_challenge(s->pf.naf, sim_now_ms(s) / 1000, stale, &wr) == POC_OK && poc_wr_text(&wr) == POC_OK)
        sim_sip_answer(s, t, 401, value, nothing());
}

static gba_naf_verdict ask_zn(sim *s, const gba_request *request, gba_naf_user *user, const char **why)
{
    int64_t now_s = sim_now_ms(s) / 1000;
    gba_zn_answer answer = { 0 };
    poc_span btid = gba_naf_btid(request);
    if (gba_bsf_zn(s->bsf, now_s, btid, gba_naf_naf_id(s->pf.naf), &answer) != POC_OK)
        return GBA_NAF_CHALLENGE;
    poc_err err = gba_naf_learn(s->pf.naf, now_s, btid, &answer);
    gba_zn_answer_done(&answer);
    return err == POC_OK ? gba_naf_check(s->pf.naf, now_s, request, user, why) : GBA_NAF_CHALLENGE;
}

/* False: answered already. */
static bool is_authentic(sim *s, sim_txn *t, gba_naf_user *user)
{
    const char *uri = s->channels[t->request.channel].group_uri;
    const char *value = t->authorization != NULL ? t->authorization : "";
    gba_request request = { .method = poc_span_str("INVITE"),
                            .uri = poc_span_str(uri),
                            .body = t->request.body,
                            .authorization = poc_span_str(value) };
    const char *why = NULL;
    gba_naf_verdict verdict = gba_naf_check(s->pf.naf, sim_now_ms(s) / 1000, &request, user, &why);
    if (verdict == GBA_NAF_ASK_ZN)
        verdict = ask_zn(s, &request, user, &why);
    if (verdict != GBA_NAF_OK) {
        if (t->authorization != NULL)
            sim_note(s, t->from, "pf: challenged again: %s", why != NULL ? why : "unknown B-TID");
        challenge(s, t, verdict == GBA_NAF_STALE);
        return false;
    }
    if (gba_naf_covers(user, poc_span_str(s->clients[t->from].impu), true))
        return true;
    sim_sip_answer(s, t, 403, NULL, nothing());
    return false;
}

static void authenticated(sim *s, const gba_naf_user *user, const char *impu)
{
    pocpf_credential credential = { .size = sizeof(credential),
                                    .user = impu,
                                    .btid = user->btid,
                                    .muk = (const pocpf_secret *)user->muk,
                                    .expires_ms = user->expires_s * 1000 };
    pocpf_authenticated(s->pf.engine, sim_now_ms(s), &credential);
    sim_pf_work(s);
}

/* The PF's own addresses do not matter here; they only have to be there. */
static poc_err write_unicast(sim *s, int client, const wire_unicast *formats, bool bcastversion, poc_wr *wr)
{
    sim_session *session = &s->pf.sessions[client];
    struct sockaddr_storage audio, floor;
    POC_TRY(poc_addr_parse(&audio, poc_span_str("192.0.2.10"), (uint16_t)(30000 + 4 * client)));
    POC_TRY(poc_addr_parse(&floor, poc_span_str("192.0.2.10"), (uint16_t)(30002 + 4 * client)));
    wire_local local = { (const struct sockaddr *)&audio, (const struct sockaddr *)&floor, (uint64_t)client + 5001,
                         ++session->sdp_version };
    return wire_unicast_write(wr, &local, formats, bcastversion);
}

static void cf_answered(sim *s, sim_txn *to_cf, void *ctx, uint64_t call)
{
    sim_txn *from_client = ctx;
    int client = from_client->from;
    sim_session *session = &s->pf.sessions[client];
    if (!session->used || session->call != call)
        return;
    char sdp[SDP_MAX];
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    wire_unicast answer;
    int status = to_cf->status;
    if (status < 300 && (wire_unicast_read(&answer, poc_span_of(to_cf->answer, to_cf->answer_len), NULL) != POC_OK ||
                         write_unicast(s, client, &answer, session->capable, &wr) != POC_OK))
        status = 502;
    if (status >= 300)
        session->used = false;
    sim_sip_answer(s, from_client, status, NULL, poc_span_of(sdp, status < 300 ? wr.len : 0));
}

static bool new_session(sim *s, sim_txn *t)
{
    sim_session *session = &s->pf.sessions[t->from];
    if (session->used) { /* the client began anew without a BYE */
        bye(s, SIM_CF, t->from);
        departed(s, t->from, POCPF_LOST);
    }
    *session = (sim_session){
        .used = true, .call = t->request.call, .channel = t->request.channel, .sdp_version = (uint64_t)sim_now_ms(s)
    };
    memcpy(session->user, s->clients[t->from].impu, sizeof(session->user));
    if (t->request.body.n >= sizeof(session->sdp)) {
        session->used = false;
        return false;
    }
    memcpy(session->sdp, t->request.body.p, t->request.body.n);
    if (wire_unicast_read(&session->unicast, t->request.body, NULL) != POC_OK) {
        session->used = false;
        return false;
    }
    session->capable = session->unicast.multicast_capable;
    return true;
}

/* The core vouches for the client; a B-TID that an HTTP request made known is his. */
static void vouched(sim *s, const char *impu)
{
    gba_naf_user user;
    if (gba_naf_by_identity(s->pf.naf, sim_now_ms(s) / 1000, poc_span_str(impu), &user))
        authenticated(s, &user, impu);
}

static bool is_known(sim *s, sim_txn *t)
{
    gba_naf_user user;
    const char *impu = s->clients[t->from].impu;
    if (s->options.trusts_core) {
        vouched(s, impu);
        return true;
    }
    if (!is_authentic(s, t, &user))
        return false;
    authenticated(s, &user, impu);
    return true;
}

static bool is_shut_out(const sim *s, const sim_txn *t)
{
    return pocpf_join_check(s->pf.engine, s->channels[t->request.channel].id, s->clients[t->from].impu) ==
           POCPF_E_DENIED;
}

static void hear_invite(sim *s, sim_txn *t)
{
    if (!is_known(s, t))
        return;
    if (is_shut_out(s, t)) {
        sim_sip_answer(s, t, 403, NULL, nothing());
        return;
    }
    char sdp[SDP_MAX];
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    if (!new_session(s, t) || write_unicast(s, t->from, &s->pf.sessions[t->from].unicast, false, &wr) != POC_OK) {
        sim_sip_answer(s, t, 488, NULL, nothing());
        return;
    }
    sim_request r = { .method = SIM_INVITE,
                      .client = t->from,
                      .channel = t->request.channel,
                      .call = t->request.call,
                      .subject = -1,
                      .body = poc_span_of(sdp, wr.len) };
    sim_sip_send(s, SIM_PF, SIM_CF, &r, SIM_GIVE_UP_US, cf_answered, t, t->request.call);
}

void sim_pf_acknowledged(sim *s, sim_txn *t)
{
    int client = t->from;
    sim_session *session = &s->pf.sessions[client];
    if (!session->used || session->up || session->call != t->request.call)
        return;
    session->up = true;
    uint8_t dialog[2048];
    poc_wr wr = poc_wr_into(dialog, sizeof(dialog));
    if (sim_pf_dialog_write(s, client, &wr) != POC_OK)
        return;
    pocpf_join join = { .size = sizeof(join),
                        .channel = s->channels[session->channel].id,
                        .user = session->user,
                        .multicast_capable = session->capable,
                        .dialog = dialog,
                        .dialog_len = wr.len };
    uint8_t address[SIM_ADDRESS_LEN];
    sim_push_address(s, client, address);
    join.push_address = address;
    join.push_address_len = s->options.pushes_to_peer ? sizeof(address) : 0;
    if (pocpf_member_joined(s->pf.engine, sim_now_ms(s), &join) == POCPF_E_DENIED)
        sim_pf_release(s, client);
    sim_pf_work(s);
}

/* ---- BYE, REFER, NOTIFY ---- */

static void hear_bye(sim *s, sim_txn *t)
{
    int client = t->request.client;
    sim_session *session = &s->pf.sessions[client];
    bool is_known = session->used && session->call == t->request.call;
    sim_sip_answer(s, t, is_known ? 200 : 481, NULL, nothing());
    if (t->from == SIM_CF)
        sim_pf_learns_of_expulsion(s, client);
    if (!is_known)
        return;
    bye(s, t->from == SIM_CF ? client : SIM_CF, client);
    departed(s, client, t->from == SIM_CF ? POCPF_REMOVED : POCPF_LEFT);
}

static void refer_done(sim *s, sim_txn *to_cf, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_sip_answer(s, ctx, to_cf->status, NULL, nothing());
}

static void hear_refer(sim *s, sim_txn *t)
{
    sim_request r = t->request;
    r.authorization = NULL;
    sim_sip_send(s, SIM_PF, SIM_CF, &r, SIM_GIVE_UP_US, refer_done, t, 0);
}

static void hear_notify(sim *s, sim_txn *t)
{
    int channel = t->request.channel;
    sim_pf_channel *pc = &s->pf.channels[channel];
    const char *id = s->channels[channel].id;
    bool is_known = pc->wants_subscription && pc->subscription == t->request.call;
    sim_sip_answer(s, t, is_known ? 200 : 481, NULL, nothing());
    if (!is_known)
        return;
    if (!pc->subscribed) {
        pc->subscribed = true;
        pocpf_subscription_changed(s->pf.engine, sim_now_ms(s), id, POCPF_SUB_ACTIVE, true, 0);
    }
    sim_pf_learns_of_expulsion(s, t->request.subject);
    wire_conference *conference = NULL;
    const char *why = NULL;
    if (wire_conference_read(&conference, t->request.body, &why) == POC_OK)
        pocpf_conference_info(s->pf.engine, sim_now_ms(s), id, wire_conference_document(conference));
    wire_conference_free(conference);
    if (t->request.ends && pc->subscribed) {
        pc->subscribed = pc->wants_subscription = false;
        pocpf_subscription_changed(s->pf.engine, sim_now_ms(s), id, POCPF_SUB_ENDED, false, 0);
    }
    sim_pf_work(s);
}

void sim_pf_request(sim *s, sim_txn *t)
{
    static void (*const hear[SIM_METHODS])(
        sim * s, sim_txn * t) = { [SIM_INVITE] = hear_invite,       [SIM_BYE] = hear_bye,
                                  [SIM_REFER] = hear_refer,         [SIM_NOTIFY] = hear_notify,
                                  [SIM_REGISTER] = sim_mcx_request, [SIM_PUBLISH] = sim_mcx_request,
                                  [SIM_MESSAGE] = sim_mcx_request };
    if (hear[t->request.method] != NULL)
        hear[t->request.method](s, t);
    else
        sim_sip_answer(s, t, 405, NULL, nothing());
}

/* ---- subscription ---- */

static void subscribe_done(sim *s, sim_txn *t, void *ctx, uint64_t subscription)
{
    (void)ctx;
    int channel = t->request.channel;
    sim_pf_channel *pc = &s->pf.channels[channel];
    if (pc->subscription != subscription || !pc->wants_subscription)
        return;
    bool is_new = !pc->subscribed;
    pocpf_subscription what = POCPF_SUB_ACTIVE;
    if (t->status >= 300)
        what = t->status == 404 ? POCPF_SUB_ENDED : POCPF_SUB_RETRY;
    pc->subscribed = what == POCPF_SUB_ACTIVE;
    if (what != POCPF_SUB_ACTIVE || is_new)
        pocpf_subscription_changed(s->pf.engine, sim_now_ms(s), s->channels[channel].id, what, is_new, 1000);
    sim_pf_work(s);
}

static void send_subscribe(sim *s, int channel, bool ends)
{
    uint32_t subscription = s->pf.channels[channel].subscription;
    sim_request r = {
        .method = SIM_SUBSCRIBE, .client = -1, .channel = channel, .call = subscription, .subject = -1, .ends = ends
    };
    sim_sip_send(s, SIM_PF, SIM_CF, &r, SIM_GIVE_UP_US, ends ? NULL : subscribe_done, NULL, subscription);
}

void sim_pf_subscribe(sim *s, int channel, bool refresh)
{
    sim_pf_channel *pc = &s->pf.channels[channel];
    if (!refresh || !pc->wants_subscription) {
        pc->subscription = (uint32_t)(s->pf.life << 16) + ++s->pf.calls;
        pc->subscribed = false;
    }
    pc->wants_subscription = true;
    send_subscribe(s, channel, false);
}

void sim_pf_unsubscribe(sim *s, int channel)
{
    sim_pf_channel *pc = &s->pf.channels[channel];
    if (pc->wants_subscription)
        send_subscribe(s, channel, true);
    pc->wants_subscription = pc->subscribed = false;
}

/* ---- the relay ---- */

static void to_cf(sim *s, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_cf_media(s, ctx);
}

void sim_pf_uplink(sim *s, sim_packet *p)
{
    const sim_session *session = &s->pf.sessions[p->client];
    if (s->pf.engine == NULL || !session->used || !session->up) {
        sim_packet_unref(p);
        return;
    }
    p = sim_mcx_floor_open(s, p);
    if (p == NULL)
        return;
    sim_after_packet(s, sim_net_steady_us(s), to_cf, p, 0);
}

static void at_client(sim *s, void *ctx, uint64_t client)
{
    sim_ue_unicast(s, (int)client, ctx);
    sim_packet_unref(ctx);
}

static void send_unicast(sim *s, sim_packet *p, int client)
{
    p->refs++;
    p = sim_mcx_floor_seal(s, client, p);
    if (p == NULL)
        return;
    sim_after_packet(s, sim_net_steady_us(s), at_client, p, (uint64_t)client);
}

static bool is_for_all(const sim_packet *p)
{
    bcast_mbcp msg;
    if (p->flow == BCAST_FLOW_RTP)
        return true;
    return bcast_mbcp_parse(&msg, poc_span_of(p->b, p->n)) == POC_OK && bcast_mbcp_is_for_all(msg.type);
}

/* One copy for the group, and one for each leg that is not served by it. The CF sends a talker nothing of its own. */
static void to_everybody(sim *s, sim_packet *p)
{
    sim_pf_channel *pc = &s->pf.channels[p->channel];
    if (pc->air != NULL)
        (void)wire_mcx_air_send(pc->air, sim_now_ms(s), p->flow, poc_span_of(p->b, p->n));
    if (pc->protector != NULL)
        bcast_protector_send(pc->protector, sim_now_ms(s), p->flow, poc_span_of(p->b, p->n));
    for (int c = 0; c < s->client_count; c++) {
        const sim_session *session = &s->pf.sessions[c];
        if (session->used && session->up && session->channel == p->channel && !session->multicast && c != p->client &&
            s->cf[p->channel].legs[c].in)
            send_unicast(s, p, c);
    }
    sim_pf_mtks(s, p->channel);
}

void sim_pf_downlink(sim *s, sim_packet *p, int to)
{
    if (s->pf.engine != NULL && to >= 0 && s->pf.sessions[to].used)
        send_unicast(s, p, to);
    else if (s->pf.engine != NULL && to < 0 && is_for_all(p))
        to_everybody(s, p);
    sim_packet_unref(p);
}
