#include "tests/unit/io/sip_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/text.h"
#include "pf/io/now.h"
#include "tests/support/ports.h"

#define UNICAST_LINES(port1, port2)        \
    "m=audio " port1 " RTP/AVP 97\r\n"     \
    "a=rtpmap:97 AMR/8000\r\n"             \
    "a=ptime:160\r\n"                      \
    "a=sendrecv\r\n"                       \
    "m=application " port2 " udp TBCP\r\n" \
    "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n"
#define HEAD(name) "v=0\r\no=" name " 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
#define MULTICAST(audio)                                                        \
    "m=audio " audio " RTP/SAVP 97\r\nc=IN IP4 232.10.0.7/16\r\na=recvonly\r\n" \
    "m=application 5006 udp TBCP\r\nc=IN IP4 232.10.0.7/16\r\na=recvonly\r\n"   \
    "m=data 5008 UDP vnd.oma.bcast.stkm\r\nc=IN IP4 232.10.0.7/16\r\na=recvonly\r\n"
#define NO_MULTICAST                                         \
    "m=audio 0 RTP/SAVP 97\r\nc=IN IP4 232.10.0.7/16\r\n"    \
    "m=application 0 udp TBCP\r\nc=IN IP4 232.10.0.7/16\r\n" \
    "m=data 0 UDP vnd.oma.bcast.stkm\r\nc=IN IP4 232.10.0.7/16\r\n"

const char world_offer[] = HEAD("alice") "a=bcastversion:1.0\r\n" UNICAST_LINES("45200", "45300");
const char world_answer[] = HEAD("cf") UNICAST_LINES("40000", "40002");

static void text_set(char *out, size_t cap, const char *text)
{
    snprintf(out, cap, "%s", text != NULL ? text : "");
}

/* ---- the shell ---- */

static void look(world *w)
{
    if (w->inside_call)
        w->callback_inside = true;
}

static const bcast_channel *on_channel_of(void *user, const char *group)
{
    world *w = user;
    return !w->no_channel && strcmp(group, WORLD_GROUP) == 0 ? &w->channel : NULL;
}

static void on_authenticated(void *user, const char *impu, const gba_naf_user *who)
{
    world *w = user;
    look(w);
    assert_string_equal(impu, WORLD_ALICE);
    assert_string_equal(who->btid, WORLD_BTID);
    w->authenticated++;
}

static void on_up(void *user, sip_session *s)
{
    world *w = user;
    look(w);
    w->ups++;
    w->session = s;
}

static void on_down(void *user, sip_session *s, pocpf_departure how)
{
    world *w = user;
    look(w);
    assert_ptr_equal(s, w->session);
    w->downs++;
    w->session = NULL;
    w->departure = how;
}

static void on_bearer(void *user, sip_session *s, bool receives)
{
    world *w = user;
    (void)s;
    look(w);
    w->bearers++;
    w->bearer = receives;
}

static void on_answered(void *user, sip_session *s, uint64_t number, pocpf_answer answer, poc_span verification,
                        const char *why)
{
    world *w = user;
    (void)s;
    look(w);
    w->answers++;
    w->answer_number = number;
    w->answer = answer;
    w->verification_len = verification.n;
    text_set(w->answer_why, sizeof(w->answer_why), why);
}

static void on_conference(void *user, const char *channel, const pocpf_conference *document)
{
    world *w = user;
    look(w);
    assert_string_equal(channel, "dispatch");
    w->conferences++;
    w->conf_state = document->state;
    w->conf_users = document->user_count_listed;
}

static void on_subscription(void *user, const char *channel, pocpf_subscription what, bool fresh, uint32_t retry_ms)
{
    world *w = user;
    look(w);
    assert_string_equal(channel, "dispatch");
    w->subscriptions++;
    w->subscription = what;
    w->subscription_fresh = fresh;
    w->retry_ms = retry_ms;
}

static void on_refused(void *user, poc_err kind, const char *who, const char *reason)
{
    world *w = user;
    (void)who;
    w->refusals++;
    w->refusal_kind = kind;
    text_set(w->refusal, sizeof(w->refusal), reason);
}

static void keep_span(void *room, size_t cap, poc_span *span)
{
    assert_true(span->n < cap);
    memcpy(room, span->n > 0 ? (const void *)span->p : "", span->n);
    span->p = room;
}

static void on_mcx(void *user, sip_mcx_transaction *t, const wire_mcx_request *request)
{
    world *w = user;
    look(w);
    w->mcx_asked++;
    w->mcx_request = *request;
    text_set(w->mcx_impu, sizeof(w->mcx_impu), request->impu);
    text_set(w->mcx_where, sizeof(w->mcx_where), request->where);
    w->mcx_request.impu = w->mcx_impu;
    w->mcx_request.where = w->mcx_where;
    keep_span(w->mcx_type, sizeof(w->mcx_type), &w->mcx_request.content_type);
    keep_span(w->mcx_body, sizeof(w->mcx_body), &w->mcx_request.body);
    if (w->mcx_hold)
        w->mcx_open = t;
    else
        sip_mcx_answer(t, &w->mcx_answer);
}

static void on_mcx_sent(void *user, const char *subject, uint64_t number, int status)
{
    world *w = user;
    look(w);
    w->mcx_ended++;
    text_set(w->mcx_sent_subject, sizeof(w->mcx_sent_subject), subject);
    w->mcx_sent_number = number;
    w->mcx_sent_status = status;
}

static poc_err on_content(void *user, const char *who, bool from_client, poc_span content_type, poc_span body,
                          wire_mcx_carried *out)
{
    world *w = user;
    w->content_asked++;
    w->content_from_client = from_client;
    snprintf(w->content_who, sizeof(w->content_who), "%s", who);
    snprintf(w->content_type, sizeof(w->content_type), "%.*s", (int)content_type.n, (const char *)content_type.p);
    snprintf(w->content_body, sizeof(w->content_body), "%.*s", (int)body.n, (const char *)body.p);
    out->has_changed = w->content_new != NULL;
    out->why = "as the test wants it";
    if (w->content_new != NULL) {
        out->len = strlen(w->content_new);
        memcpy(out->body, w->content_new, out->len);
        snprintf(out->content_type, sizeof(out->content_type), "%s", w->content_new_type);
    }
    return w->content_err;
}

static const sip_events shell = {
    .channel_of = on_channel_of,
    .authenticated = on_authenticated,
    .session_up = on_up,
    .session_down = on_down,
    .bearer = on_bearer,
    .answered = on_answered,
    .conference = on_conference,
    .subscription = on_subscription,
    .refused = on_refused,
    .content = on_content,
    .mcx = on_mcx,
    .mcx_sent = on_mcx_sent,
};

/* ---- Zn ---- */

static void zn_due(su_root_magic_t *magic, su_timer_t *t, void *arg)
{
    world *w = arg;
    gba_zn_answer answer = { .expires_s = io_now_ms() / 1000 + 3600, .impu_count = 1 };
    (void)magic, (void)t;
    answer.me_key = poc_secret_ref(w->ks_naf);
    text_set(answer.impi, sizeof(answer.impi), "alice@home1.example");
    text_set(answer.impus[0], sizeof(answer.impus[0]), WORLD_ALICE);
    w->zn_done(w->zn_user, w->zn_err, w->zn_err == POC_OK ? &answer : NULL);
    gba_zn_answer_done(&answer);
}

static world *world_of_zn(struct zn *z)
{
    return (world *)(void *)((char *)z - offsetof(world, zn));
}

static poc_err zn_ask(struct zn *z, poc_span btid, poc_span naf_id, zn_done_fn *done, void *user)
{
    world *w = world_of_zn(z);
    assert_true(poc_span_eq_str(btid, WORLD_BTID));
    assert_true(naf_id.n > strlen(WORLD_FQDN));
    w->zn_asked++;
    w->zn_done = done;
    w->zn_user = user;
    if (!w->zn_hold)
        su_timer_set_interval(w->zn_timer, zn_due, w, 0);
    return POC_OK;
}

void world_zn_answer(world *w)
{
    zn_due(NULL, NULL, w);
}

static void zn_cancel(struct zn *z, void *user)
{
    (void)user;
    su_timer_reset(world_of_zn(z)->zn_timer);
}

static const zn_ops fake_zn = { .ask = zn_ask, .cancel = zn_cancel };

/* ---- peers ---- */

static void diary_add(peer *p, const char *what)
{
    size_t n = strlen(p->diary);
    snprintf(p->diary + n, sizeof(p->diary) - n, "%s ", what);
}

static void message_keep(peer *p, sip_t const *m)
{
    if (m->sip_payload != NULL)
        snprintf(p->sdp, sizeof(p->sdp), "%.*s", (int)m->sip_payload->pl_len, m->sip_payload->pl_data);
    if (m->sip_warning != NULL)
        text_set(p->warning, sizeof(p->warning), m->sip_warning->w_text);
    for (const sip_unknown_t *u = m->sip_unknown; u != NULL; u = u->un_next)
        if (strcasecmp(u->un_name, "P-Asserted-Identity") == 0)
            text_set(p->asserted, sizeof(p->asserted), u->un_value);
    if (m->sip_session_expires != NULL)
        snprintf(p->expires, sizeof(p->expires), "%lu;refresher=%s", m->sip_session_expires->x_delta,
                 m->sip_session_expires->x_refresher != NULL ? m->sip_session_expires->x_refresher : "");
    if (m->sip_refer_to != NULL) {
        su_home_t home[1] = { SU_HOME_INIT(home) };
        text_set(p->refer_to, sizeof(p->refer_to), sip_header_as_string(home, (sip_header_t const *)m->sip_refer_to));
        su_home_deinit(home);
    }
    if (m->sip_accept_contact != NULL) {
        su_home_t home[1] = { SU_HOME_INIT(home) };
        text_set(p->accept_contact, sizeof(p->accept_contact),
                 sip_header_as_string(home, (sip_header_t const *)m->sip_accept_contact));
        su_home_deinit(home);
    }
}

static const char *answer_text(const peer *p, bool offer_has_channel)
{
    if (!offer_has_channel)
        return p == &p->world->cf ? world_answer : world_offer;
    switch (p->reply) {
    case REPLY_UNICAST:
        return HEAD("alice") UNICAST_LINES("45200", "45300") NO_MULTICAST;
    case REPLY_WRONG_PORT:
        return HEAD("alice") UNICAST_LINES("45200", "45300") MULTICAST("5010");
    default:
        return HEAD("alice") UNICAST_LINES("45200", "45300") MULTICAST("5004");
    }
}

static void accept_with(peer *p, nta_incoming_t *irq, sip_t const *m, const char *text);

static int acknowledged(void *magic, nta_incoming_t *irq, sip_t const *m)
{
    peer *p = magic;
    if (m == NULL)
        diary_add(p, "NO-ACK");
    else
        diary_add(p, m->sip_request->rq_method_name);
    if (m != NULL && m->sip_payload != NULL)
        message_keep(p, m);
    if (m != NULL && m->sip_request->rq_method == sip_method_cancel) {
        p->ringing = NULL;
        if (p->cross_cancel) {
            msg_t *msg = nta_incoming_getrequest(irq);
            accept_with(p, irq, sip_object(msg), answer_text(p, false));
            msg_destroy(msg);
            return 0;
        }
        nta_incoming_treply(irq, SIP_487_REQUEST_CANCELLED, TAG_END());
        return 0;
    }
    nta_incoming_destroy(irq);
    return 0;
}

static void accept_with(peer *p, nta_incoming_t *irq, sip_t const *m, const char *text)
{
    if (m->sip_request->rq_method == sip_method_invite)
        nta_incoming_bind(irq, acknowledged, p);
    nta_incoming_treply(
        irq, SIP_200_OK, SIPTAG_CONTACT_STR(p->contact),
        SIPTAG_ALLOW_STR(p->allow_update ? "INVITE, ACK, CANCEL, BYE, UPDATE" : "INVITE, ACK, CANCEL, BYE"),
        TAG_IF(p->session_expires != NULL, SIPTAG_SESSION_EXPIRES_STR(p->session_expires)),
        TAG_IF(p->session_expires != NULL, SIPTAG_REQUIRE_STR("timer")),
        TAG_IF(text != NULL, SIPTAG_CONTENT_TYPE_STR("application/sdp")),
        TAG_IF(text != NULL, SIPTAG_PAYLOAD_STR(text)), TAG_END());
    if (m->sip_request->rq_method != sip_method_invite)
        nta_incoming_destroy(irq);
}

static int offer_reply(peer *p, nta_incoming_t *irq, sip_t const *m)
{
    reply_kind kind = p->reply;
    switch (kind) {
    case REPLY_488_306:
        nta_incoming_treply(irq, SIP_488_NOT_ACCEPTABLE, SIPTAG_WARNING_STR("306 client \"key management failed\""),
                            TAG_END());
        break;
    case REPLY_488:
        nta_incoming_treply(irq, SIP_488_NOT_ACCEPTABLE, TAG_END());
        break;
    case REPLY_491_ONCE:
        p->reply = REPLY_ACCEPT;
        nta_incoming_treply(irq, SIP_491_REQUEST_PENDING, TAG_END());
        break;
    case REPLY_500_ONCE:
        p->reply = REPLY_ACCEPT;
        nta_incoming_treply(irq, SIP_500_INTERNAL_SERVER_ERROR, SIPTAG_RETRY_AFTER_STR("0"), TAG_END());
        break;
    case REPLY_481:
        nta_incoming_treply(irq, SIP_481_NO_TRANSACTION, TAG_END());
        break;
    case REPLY_SILENCE:
        p->ringing = irq;
        return 0;
    default:
        accept_with(p, irq, m, m->sip_payload != NULL ? answer_text(p, strstr(p->sdp, "RTP/SAVP") != NULL) : NULL);
        return 0;
    }
    nta_incoming_destroy(irq);
    return 0;
}

/* What arrives in the peer's dialog. */
static int peer_in_dialog(void *magic, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *m)
{
    peer *p = magic;
    (void)leg;
    diary_add(p, m->sip_request->rq_method_name);
    message_keep(p, m);
    p->cseq = m->sip_cseq->cs_seq;
    switch (m->sip_request->rq_method) {
    case sip_method_ack:
        return 0;
    case sip_method_invite:
    case sip_method_update:
        return offer_reply(p, irq, m);
    default:
        return 200;
    }
}

static void dialog_make(peer *p, nta_incoming_t *irq, sip_t const *m)
{
    p->leg = nta_leg_tcreate(p->agent, peer_in_dialog, p, SIPTAG_CALL_ID(m->sip_call_id), SIPTAG_FROM(m->sip_to),
                             SIPTAG_TO(m->sip_from), NTATAG_REMOTE_CSEQ(m->sip_cseq->cs_seq), TAG_END());
    nta_leg_tag(p->leg, NULL);
    nta_incoming_tag(irq, nta_leg_get_tag(p->leg));
    nta_leg_server_route(p->leg, m->sip_record_route, m->sip_contact);
}

static int peer_at_door(void *magic, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *m)
{
    peer *p = magic;
    (void)leg;
    diary_add(p, m->sip_request->rq_method_name);
    message_keep(p, m);
    if (m->sip_request->rq_method == sip_method_subscribe) {
        dialog_make(p, irq, m);
        nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT_STR(p->contact), SIPTAG_EXPIRES_STR("3600"), TAG_END());
        nta_incoming_destroy(irq);
        return 0;
    }
    if (m->sip_request->rq_method != sip_method_invite)
        return m->sip_request->rq_method == sip_method_ack     ? 0
               : m->sip_request->rq_method == sip_method_refer ? 202
                                                               : 200;
    if (p->answer_busy)
        return p->busy_status != 0 ? p->busy_status : 486;
    dialog_make(p, irq, m);
    nta_incoming_treply(irq, SIP_180_RINGING, SIPTAG_CONTACT_STR(p->contact), TAG_END());
    if (p->hold_invite) {
        p->ringing = irq;
        nta_incoming_bind(irq, acknowledged, p);
        return 0;
    }
    accept_with(p, irq, m, answer_text(p, false));
    return 0;
}

static void peer_start(peer *p, world *w, const char *name, const char *host, const char *transport)
{
    char url[64];
    *p = (peer){ .world = w, .name = name, .allow_update = true };
    p->agent = nta_agent_create(w->root, (url_string_t *)-1, NULL, NULL, NTATAG_UA(1), TAG_END());
    assert_non_null(p->agent);
    snprintf(url, sizeof(url), "sip:%s:0;transport=%s", host, transport);
    assert_int_equal(nta_agent_add_tport(p->agent, URL_STRING_MAKE(url), TAG_END()), 0);
    const sip_via_t *v = nta_agent_via(p->agent);
    snprintf(p->url, sizeof(p->url), "sip:%s@%s:%s;transport=%s", name, host, v->v_port, transport);
    snprintf(p->contact, sizeof(p->contact), "<%s>", p->url);
    p->door = nta_leg_tcreate(p->agent, peer_at_door, p, NTATAG_NO_DIALOG(1), TAG_END());
    assert_non_null(p->door);
}

static void peer_stop(peer *p)
{
    if (p->request != NULL)
        nta_outgoing_destroy(p->request);
    if (p->ringing != NULL)
        nta_incoming_destroy(p->ringing);
    if (p->leg != NULL)
        nta_leg_destroy(p->leg);
    nta_leg_destroy(p->door);
    nta_agent_destroy(p->agent);
    *p = (peer){ 0 };
}

static int peer_answered(void *magic, nta_outgoing_t *orq, sip_t const *m)
{
    peer *p = magic;
    int status = nta_outgoing_status(orq);
    if (status < 200) {
        p->provisional = status;
        return 0;
    }
    if (m != NULL) {
        message_keep(p, m);
        if (m->sip_www_authenticate != NULL) {
            su_home_t home[1] = { SU_HOME_INIT(home) };
            text_set(p->challenge, sizeof(p->challenge),
                     sip_header_as_string(home, (sip_header_t const *)m->sip_www_authenticate));
            su_home_deinit(home);
        }
    }
    if (status < 300 && nta_outgoing_method(orq) == sip_method_invite) {
        if (nta_leg_get_rtag(p->leg) == NULL) {
            nta_leg_rtag(p->leg, m->sip_to->a_tag);
            nta_leg_client_reroute(p->leg, m->sip_record_route, m->sip_contact, 1);
        }
        if (!p->no_ack)
            nta_outgoing_destroy(
                nta_outgoing_tcreate(p->leg, NULL, NULL, NULL, SIP_METHOD_ACK, NULL, SIPTAG_CSEQ(m->sip_cseq),
                                     TAG_IF(p->ack_sdp != NULL, SIPTAG_CONTENT_TYPE_STR("application/sdp")),
                                     TAG_IF(p->ack_sdp != NULL, SIPTAG_PAYLOAD_STR(p->ack_sdp)), TAG_END()));
    }
    size_t heard = strlen(p->heard);
    snprintf(p->heard + heard, sizeof(p->heard) - heard, "%s:%d ", nta_outgoing_method_name(orq), status);
    if (p->request == orq)
        p->request = NULL;
    nta_outgoing_destroy(orq);
    p->status = status;
    return 0;
}

/* ---- world ---- */

static char pf_url[96];
static uint16_t pf_port;

uint16_t world_port(void)
{
    return pf_port;
}

static void sip_start(world *w, const world_options *o)
{
    char udp[48], tcp[48];
    snprintf(udp, sizeof(udp), "udp:127.0.0.1:%u", pf_port);
    snprintf(tcp, sizeof(tcp), "tcp:127.0.0.1:%u", pf_port);
    const char *listen[] = { udp, tcp };
    /* The CF has an address of its own, so that trust can be told by address. */
    static const char *const trusted[] = { "127.0.0.2" };
    sip_settings settings = {
        .listen = listen,
        .listen_count = o->udp_only ? 1 : 2,
        .domain = WORLD_FQDN,
        .next_hop = w->cf.url,
        .trusted_peers = trusted,
        .trusted_count = 1,
        .auth = o->auth,
        .sessions_max = o->sessions_max != 0 ? o->sessions_max : 10,
        .requests_per_source_s = o->requests_per_source_s,
        .strict_identities = o->strict,
        .tcp_idle_s = o->tcp_idle_s,
        .connections_per_source = o->connections_per_source,
        .session_expires_s = o->session_expires_s,
        .session_min_s = o->session_min_s,
        .mcx_identity = o->mcx_identity,
        .mcx_users_max = o->mcx_users_max,
        .mcx_sent_max = o->mcx_sent_max,
    };
    assert_int_equal(sip_new(&w->sip, w->root, &settings, w->naf, &w->zn, w->relay, &shell, w), POC_OK);
    snprintf(pf_url, sizeof(pf_url), "sip:127.0.0.1:%u;transport=%s", pf_port, o->transport);
}

static void keys_make(world *w)
{
    static const uint8_t key[32] = "Ks_NAF of alice in this test run";
    gba_naf_settings settings = { .fqdn = poc_span_str(WORLD_FQDN), .nonce_lifetime_s = 300, .users_max = 10 };
    memcpy(settings.ua_id, gba_ua_id_mbms, sizeof(settings.ua_id));
    w->rng = test_rng_of(&w->chance, 11);
    assert_int_equal(gba_naf_new(&w->naf, &settings, &w->rng), POC_OK);
    assert_int_equal(poc_secret_from(&w->ks_naf, key, sizeof(key)), POC_OK);
    assert_int_equal(gba_mrk(&w->mrk, w->ks_naf), POC_OK);
}

static void on_feed(void *user, const char *channel, bcast_flow flow, poc_span packet)
{
    (void)user, (void)channel, (void)flow, (void)packet;
}

void world_start(world *w, const world_options *options)
{
    const relay_settings media = {
        .address = "127.0.0.1", .port_min = 42000, .port_max = 42999, .sessions_max = 10, .feed_silence_ms = 200
    };
    *w = (world){ .channel = { .id = "dispatch", .ttl = 16, .port = { 5004, 5006, 5008 } } };
    assert_int_equal(poc_addr_parse(&w->channel.group, poc_span_str("232.10.0.7"), 0), POC_OK);
    w->zn.ops = &fake_zn;
    su_init();
    w->root = su_root_create(w);
    assert_non_null(w->root);
    su_root_threading(w->root, 0);
    w->zn_timer = su_timer_create(su_root_task(w->root), 0);
    keys_make(w);
    assert_int_equal(relay_new(&w->relay, w->root, &media, on_feed, w), POC_OK);
    peer_start(&w->client, w, "alice", "127.0.0.1", options->transport);
    peer_start(&w->cf, w, "cf", "127.0.0.2", options->transport);
    peer_start(&w->core, w, "core", "127.0.0.2", options->transport);
    w->client.allow_update = !options->client_without_update;
    assert_true(test_free_ports(&pf_port, 1));
    sip_start(w, options);
}

void world_restart_sip(world *w, const world_options *options)
{
    sip_free(w->sip);
    sip_start(w, options);
}

void client_dies(world *w)
{
    peer_stop(&w->client);
}

void world_stop(world *w)
{
    assert_false(w->callback_inside);
    sip_free(w->sip);
    if (w->client.agent != NULL)
        peer_stop(&w->client);
    peer_stop(&w->cf);
    peer_stop(&w->core);
    relay_free(w->relay);
    gba_naf_free(w->naf);
    poc_secret_free(w->mrk);
    poc_secret_free(w->ks_naf);
    su_timer_destroy(w->zn_timer);
    su_root_destroy(w->root);
    su_deinit();
}

/* ---- waiting ---- */

enum { PATIENCE_MS = 60000, ROUND_MS = 20, SETTLE_ROUNDS = 10 };

bool world_wait(world *w, const uint32_t *count, uint32_t goal)
{
    for (int64_t end = io_now_ms() + PATIENCE_MS; *count < goal && io_now_ms() < end;)
        su_root_step(w->root, ROUND_MS);
    return *count == goal;
}

bool world_wait_status(world *w, const peer *p)
{
    for (int64_t end = io_now_ms() + PATIENCE_MS; p->status == 0 && io_now_ms() < end;)
        su_root_step(w->root, ROUND_MS);
    return p->status != 0;
}

bool world_wait_diary(world *w, const peer *p, const char *text)
{
    for (int64_t end = io_now_ms() + PATIENCE_MS; strcmp(p->diary, text) != 0 && io_now_ms() < end;)
        su_root_step(w->root, ROUND_MS);
    if (strcmp(p->diary, text) != 0)
        print_error("%s heard \"%s\", not \"%s\"\n", p->name, p->diary, text);
    return strcmp(p->diary, text) == 0;
}

void world_settle(world *w)
{
    for (int i = 0; i < SETTLE_ROUNDS; i++)
        su_root_step(w->root, ROUND_MS);
}

/* ---- what the peers do ---- */

void client_invite(world *w, const char *from, const char *authorization, const char *body, const char *type)
{
    peer *p = &w->client;
    char from_text[160];
    snprintf(from_text, sizeof(from_text), "<%s>", from);
    if (p->leg == NULL) {
        p->leg = nta_leg_tcreate(p->agent, peer_in_dialog, p, SIPTAG_FROM_STR(from_text),
                                 SIPTAG_TO_STR("<" WORLD_GROUP ">"), TAG_END());
        assert_non_null(p->leg);
        nta_leg_tag(p->leg, p->tag);
    }
    p->status = 0;
    p->request = nta_outgoing_tcreate(
        p->leg, peer_answered, p, URL_STRING_MAKE(pf_url), SIP_METHOD_INVITE, URL_STRING_MAKE(WORLD_GROUP),
        SIPTAG_CONTACT_STR(p->contact), SIPTAG_ACCEPT_CONTACT_STR("*;+g.poc.talkburst;require;explicit"),
        SIPTAG_ALLOW_STR(p->allow_update ? "INVITE, ACK, CANCEL, BYE, UPDATE" : "INVITE, ACK, CANCEL, BYE"),
        TAG_IF(p->session_expires != NULL, SIPTAG_SESSION_EXPIRES_STR(p->session_expires)),
        TAG_IF(p->session_expires != NULL, SIPTAG_SUPPORTED_STR("timer")),
        TAG_IF(authorization != NULL, SIPTAG_AUTHORIZATION_STR(authorization)),
        TAG_IF(type != NULL, SIPTAG_CONTENT_TYPE_STR(type)), TAG_IF(body != NULL, SIPTAG_PAYLOAD_STR(body)), TAG_END());
    assert_non_null(p->request);
}

void client_authorize(world *w, char out[2048], const char *body, bool right)
{
    gba_ua_client ua = { .btid = WORLD_BTID, .mrk = right ? w->mrk : w->ks_naf };
    poc_wr wr = poc_wr_into(out, 2048);
    assert_int_equal(gba_ua_authorize(&ua, poc_span_str(w->client.challenge), poc_span_str(WORLD_FQDN),
                                      poc_span_str("INVITE"), poc_span_str(WORLD_GROUP), poc_span_str(body), &w->rng,
                                      &wr),
                     POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

void world_join(world *w)
{
    char authorization[2048];
    client_invite(w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(w, &w->client));
    assert_int_equal(w->client.status, 401);
    client_authorize(w, authorization, world_offer, true);
    client_invite(w, WORLD_ALICE, authorization, world_offer, "application/sdp");
    assert_true(world_wait_status(w, &w->client));
    assert_int_equal(w->client.status, 200);
    assert_true(world_wait(w, &w->ups, 1));
}

void pf_offer(world *w, uint64_t number, pocpf_offer_kind kind, uint32_t timeout_ms)
{
    static const poc_span mikey = { (const uint8_t *)"a MIKEY message", 15 };
    w->inside_call = true;
    assert_int_equal(
        sip_offer(w->session, number, kind, kind == POCPF_OFFER_WITHDRAW ? (poc_span){ 0 } : mikey, timeout_ms),
        POC_OK);
    w->inside_call = false;
}

void peer_request(peer *p, sip_method_t method, const char *name, const char *body, const char *type)
{
    peer_request_with(p, method, name, NULL, body, type);
}

void client_authorize_for(world *w, char out[2048], const char *method, const char *uri, const char *body)
{
    gba_ua_client ua = { .btid = WORLD_BTID, .mrk = w->mrk };
    poc_wr wr = poc_wr_into(out, 2048);
    assert_int_equal(gba_ua_authorize(&ua, poc_span_str(w->client.challenge), poc_span_str(WORLD_FQDN),
                                      poc_span_str(method), poc_span_str(uri), poc_span_str(body), &w->rng, &wr),
                     POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

void client_request(world *w, sip_method_t method, const char *name, const char *authorization, const char *header,
                    const char *body)
{
    peer *p = &w->client;
    if (p->leg != NULL)
        nta_leg_destroy(p->leg);
    p->leg = nta_leg_tcreate(p->agent, peer_in_dialog, p, SIPTAG_FROM_STR("<" WORLD_ALICE ">"),
                             SIPTAG_TO_STR("<" WORLD_GROUP ">"), TAG_END());
    assert_non_null(p->leg);
    nta_leg_tag(p->leg, NULL);
    p->status = 0;
    p->request = nta_outgoing_tcreate(
        p->leg, peer_answered, p, URL_STRING_MAKE(pf_url), method, name, URL_STRING_MAKE(WORLD_GROUP),
        SIPTAG_CONTACT_STR(p->contact), TAG_IF(authorization != NULL, SIPTAG_AUTHORIZATION_STR(authorization)),
        TAG_IF(header != NULL, SIPTAG_HEADER_STR(header)), TAG_IF(body != NULL, SIPTAG_CONTENT_TYPE_STR("text/plain")),
        TAG_IF(body != NULL, SIPTAG_PAYLOAD_STR(body)), TAG_END());
    assert_non_null(p->request);
}

void peer_request_with(peer *p, sip_method_t method, const char *name, const char *header, const char *body,
                       const char *type)
{
    p->status = 0;
    p->request = nta_outgoing_tcreate(p->leg, peer_answered, p, NULL, method, name, NULL,
                                      SIPTAG_CONTACT_STR(p->contact), TAG_IF(header != NULL, SIPTAG_HEADER_STR(header)),
                                      TAG_IF(type != NULL, SIPTAG_CONTENT_TYPE_STR(type)),
                                      TAG_IF(body != NULL, SIPTAG_PAYLOAD_STR(body)), TAG_END());
    assert_non_null(p->request);
}

void peer_notify(peer *p, const char *state, const char *body)
{
    p->status = 0;
    p->request =
        nta_outgoing_tcreate(p->leg, peer_answered, p, NULL, SIP_METHOD_NOTIFY, NULL, SIPTAG_CONTACT_STR(p->contact),
                             SIPTAG_EVENT_STR("conference"), SIPTAG_SUBSCRIPTION_STATE_STR(state),
                             TAG_IF(body != NULL, SIPTAG_CONTENT_TYPE_STR("application/conference-info+xml")),
                             TAG_IF(body != NULL, SIPTAG_PAYLOAD_STR(body)), TAG_END());
    assert_non_null(p->request);
}

/* The CF calls Alice at her contact, through the PF. */
void cf_invite(world *w)
{
    peer *p = &w->cf;
    if (p->leg != NULL)
        nta_leg_destroy(p->leg);
    p->leg = nta_leg_tcreate(p->agent, peer_in_dialog, p, SIPTAG_FROM_STR("<" WORLD_GROUP ">"),
                             SIPTAG_TO_STR("<" WORLD_ALICE ">"), TAG_END());
    assert_non_null(p->leg);
    nta_leg_tag(p->leg, NULL);
    p->status = 0;
    p->request =
        nta_outgoing_tcreate(p->leg, peer_answered, p, URL_STRING_MAKE(pf_url), SIP_METHOD_INVITE,
                             URL_STRING_MAKE(w->client.url), SIPTAG_CONTACT_STR(p->contact),
                             SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD_STR(world_answer), TAG_END());
    assert_non_null(p->request);
}

void core_invite(world *w, const char *from, const char *header)
{
    peer *p = &w->core;
    char from_text[160];
    snprintf(from_text, sizeof(from_text), "<%s>", from);
    if (p->leg != NULL)
        nta_leg_destroy(p->leg);
    p->leg = nta_leg_tcreate(p->agent, peer_in_dialog, p, SIPTAG_FROM_STR(from_text),
                             SIPTAG_TO_STR("<" WORLD_GROUP ">"), TAG_END());
    assert_non_null(p->leg);
    nta_leg_tag(p->leg, NULL);
    p->status = 0;
    p->request = nta_outgoing_tcreate(
        p->leg, peer_answered, p, URL_STRING_MAKE(pf_url), SIP_METHOD_INVITE, URL_STRING_MAKE(WORLD_GROUP),
        SIPTAG_CONTACT_STR(p->contact), TAG_IF(header != NULL, SIPTAG_HEADER_STR(header)),
        SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD_STR(world_offer), TAG_END());
    assert_non_null(p->request);
}
