/* One PoC session of one client: the PF stands as a back-to-back user agent between the client and the CF. The caller is
 * the leg whose INVITE arrived, the callee the leg we call; who is the client depends on who began. */
#include <stdlib.h>
#include <string.h>

#include "pf/io/sip_private.h"

/* ---- life of the record ---- */

poc_err sip_session_make(sip_session **out, sip *s)
{
    sip_session *n = calloc(1, sizeof(*n));
    if (n == NULL)
        return POC_E_NOMEM;
    n->sip = s;
    n->client.session = n;
    n->cf.session = n;
    if (sip_timer_make(&n->timer, s, sip_offer_due, n) != POC_OK ||
        sip_timer_make(&n->client.expiry, s, sip_leg_expiry_due, &n->client) != POC_OK ||
        sip_timer_make(&n->cf.expiry, s, sip_leg_expiry_due, &n->cf) != POC_OK) {
        sip_session_free(n);
        return POC_E_NOMEM;
    }
    *out = n;
    return POC_OK;
}

void sip_session_link(sip_session *n)
{
    sip *s = n->sip;
    n->next = s->sessions;
    if (s->sessions != NULL)
        s->sessions->prev = n;
    s->sessions = n;
    s->counts.sessions++;
}

static poc_err session_new(sip_session **out, sip *s, bool from_client, const wire_unicast *offer)
{
    POC_TRY(sip_session_make(out, s));
    (*out)->caller = from_client ? &(*out)->client : &(*out)->cf;
    (*out)->callee = from_client ? &(*out)->cf : &(*out)->client;
    poc_err err = sip_peer_keep(&(*out)->caller->peer, offer);
    if (err == POC_OK)
        err = relay_session_new(&(*out)->media, s->relay);
    if (err != POC_OK) {
        sip_session_free(*out);
        return err;
    }
    sip_session_link(*out);
    return POC_OK;
}

void sip_session_free(sip_session *s)
{
    sip_leg_drop(&s->client);
    sip_leg_drop(&s->cf);
    sip_timer_done(&s->timer);
    if (s->media != NULL)
        relay_session_free(s->media);
    free(s->offer.mikey);
    free(s);
}

void sip_session_bury(sip_session *s)
{
    sip *owner = s->sip;
    s->phase = SIP_ENDED;
    sip_offer_forget(s);
    sip_auth_forget(owner, s);
    sip_carry_forget(owner, s);
    sip_leg_hush(&s->client);
    sip_leg_hush(&s->cf);
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        owner->sessions = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    s->prev = NULL;
    s->next = owner->dead;
    owner->dead = s;
    owner->counts.sessions--;
    sip_reap_soon(owner);
}

void sip_sessions_of(sip *s, const char *user, void (*each)(void *ctx, sip_session *session), void *ctx)
{
    for (sip_session *n = s->sessions, *next; n != NULL; n = next) {
        next = n->next;
        if (n->phase == SIP_UP && strcmp(n->user, user) == 0)
            each(ctx, n);
    }
}

/* ---- ending ---- */

/* Nobody has answered yet: the caller gets a final answer, the callee a CANCEL. */
static void abandon(sip_session *s)
{
    if (s->caller != NULL && s->caller->server_invite != NULL)
        nta_incoming_treply(s->caller->server_invite, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR("5"),
                            TAG_END());
    if (s->callee != NULL && s->callee->our_request != NULL)
        nta_outgoing_cancel(s->callee->our_request);
}

void sip_session_end(sip_session *s, pocpf_departure how, bool quiet)
{
    sip_phase was = s->phase;
    if (was == SIP_ENDED)
        return;
    s->phase = SIP_ENDED;
    if (was == SIP_SETTING_UP) {
        abandon(s);
    } else {
        sip_leg_bye(&s->client, NULL);
        sip_leg_bye(&s->cf, NULL);
    }
    if (was == SIP_UP && !quiet)
        s->sip->events->session_down(s->sip->user, s, how);
    sip_session_bury(s);
}

void sip_release(sip_session *s, pocpf_reason reason)
{
    if (s->phase == SIP_ENDED)
        return;
    bool expelled = reason == POCPF_REASON_EXPEL;
    sip_leg_bye(&s->client, expelled ? "SIP;cause=200;text=\"Expelled\"" : NULL);
    sip_leg_bye(&s->cf, NULL);
    sip_session_bury(s);
}

/* ---- setting up ---- */

void sip_session_media(sip_session *s, const sip_leg *leg)
{
    relay_side side = sip_leg_side(leg);
    relay_session_peer(s->media, side, RELAY_AUDIO, (const struct sockaddr *)&leg->peer->audio);
    relay_session_peer(s->media, side, RELAY_FLOOR, (const struct sockaddr *)&leg->peer->floor);
}

/* The caller is told no, and nothing remains. */
static void setup_fail(sip_session *s, int status, const char *phrase, poc_err kind, const char *reason)
{
    nta_incoming_t *irq = s->caller->server_invite;
    s->caller->server_invite = NULL;
    sip_refused(s->sip, kind, s->user, reason);
    if (irq != NULL)
        sip_refuse(s->sip, irq, status, phrase, reason);
    sip_session_bury(s);
}

static void session_confirmed(sip_session *s)
{
    sip *owner = s->sip;
    s->phase = SIP_UP;
    owner->counts.sessions_made++;
    if (s->has_channel)
        relay_session_channel(s->media, s->channel.id);
    owner->events->session_up(owner->user, s);
}

/* ACK, CANCEL, or neither in time (`m` NULL) for the INVITE that began the session. */
static int caller_acknowledged(void *magic, nta_incoming_t *irq, sip_t const *m)
{
    sip_leg *leg = magic;
    sip_session *s = leg->session;
    if (m != NULL && m->sip_request->rq_method == sip_method_cancel) {
        s->cancelled = true;
        if (s->callee->our_request != NULL)
            nta_outgoing_cancel(s->callee->our_request);
        return 0;
    }
    leg->server_invite = NULL;
    nta_incoming_destroy(irq);
    if (s->phase != SIP_ANSWERED)
        return 0;
    if (m != NULL) {
        session_confirmed(s);
        return 0;
    }
    sip_refused(s->sip, POC_E_IO, s->user, "the caller never acknowledged");
    sip_session_end(s, POCPF_LOST, true);
    return 0;
}

static void answer_caller(sip_session *s)
{
    sip_leg *leg = s->caller;
    char text[SIP_SDP_MAX], expires[64];
    msg_t *msg = nta_incoming_getrequest(leg->server_invite);
    sip_t const *m = sip_object(msg);
    wire_unicast other;
    wire_local local = sip_leg_local(leg);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    sip_peer_tell(&other, s->callee->peer);
    bool written =
        wire_answer_write(&wr, &local, sip_description(m), &other, NULL) == POC_OK && poc_wr_text(&wr) == POC_OK;
    bool timed = written && sip_leg_timer_answer(leg, m, expires);
    if (written)
        nta_incoming_treply(leg->server_invite, SIP_200_OK, SIPTAG_CONTACT_STR(leg->contact),
                            SIPTAG_ALLOW_STR(SIP_ALLOW), SIPTAG_SUPPORTED_STR("timer"),
                            TAG_IF(timed, SIPTAG_REQUIRE_STR("timer")),
                            TAG_IF(timed, SIPTAG_SESSION_EXPIRES_STR(expires)), SIPTAG_SERVER_STR(SIP_USER_AGENT),
                            SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE), SIPTAG_PAYLOAD_STR(text), TAG_END());
    msg_destroy(msg);
    if (written) {
        s->phase = SIP_ANSWERED;
        return;
    }
    sip_leg_bye(s->callee, NULL);
    setup_fail(s, SIP_500_INTERNAL_SERVER_ERROR, POC_E_LIMIT, "no room for the answer");
}

static void callee_accepted(sip_session *s, sip_t const *m)
{
    sip_leg *leg = s->callee;
    wire_unicast answer;
    sip_leg_confirm(leg, m);
    sip_leg_ack(leg, m);
    if (s->cancelled) {
        sip_leg_bye(leg, NULL);
        sip_session_bury(s);
        return;
    }
    if (sip_wants_tls(m->sip_record_route, m->sip_contact)) {
        setup_fail(s, SIP_500_INTERNAL_SERVER_ERROR, POC_E_INPUT,
                   "2xx to INVITE asks for TLS, which is not spoken here");
        return;
    }
    if (wire_unicast_read(&answer, sip_description(m), NULL) != POC_OK) {
        sip_leg_bye(leg, NULL);
        setup_fail(s, SIP_500_INTERNAL_SERVER_ERROR, POC_E_INPUT, "2xx to INVITE without a usable description");
        return;
    }
    if (sip_peer_keep(&leg->peer, &answer) != POC_OK) {
        sip_leg_bye(leg, NULL);
        setup_fail(s, SIP_500_INTERNAL_SERVER_ERROR, POC_E_NOMEM, "out of memory");
        return;
    }
    sip_leg_timer(leg, m);
    s->capable = s->client.peer->multicast_capable && s->client.peer->plain_order;
    if (s->client.peer->multicast_capable && !s->client.peer->plain_order)
        sip_refused(s->sip, POC_E_DENIED, s->user, "m-lines of the client leave no place for the multicast lines");
    sip_session_media(s, &s->client);
    sip_session_media(s, &s->cf);
    answer_caller(s);
}

static void callee_refused(sip_session *s, int status, sip_t const *m)
{
    const char *phrase = m != NULL && m->sip_status != NULL ? m->sip_status->st_phrase : sip_status_phrase(status);
    const sip_warning_t *warning = m != NULL ? m->sip_warning : NULL;
    const sip_retry_after_t *after = m != NULL ? m->sip_retry_after : NULL;
    nta_incoming_t *irq = s->caller->server_invite;
    s->callee->gone = true;
    s->caller->server_invite = NULL;
    if (status == 422)
        sip_refused(s->sip, POC_E_DENIED, s->user, "the other side wants a longer session interval than ours");
    /* A challenge for us, or a word about our session timer, is nothing the caller could answer. */
    if (status == 401 || status == 407 || status == 422)
        status = 500, phrase = sip_500_Internal_server_error;
    if (irq != NULL && !s->cancelled)
        nta_incoming_treply(irq, status, phrase, SIPTAG_WARNING(warning), SIPTAG_RETRY_AFTER(after), TAG_END());
    if (irq != NULL)
        nta_incoming_destroy(irq);
    sip_session_bury(s);
}

static int callee_answered(void *magic, nta_outgoing_t *orq, sip_t const *m)
{
    sip_leg *leg = magic;
    sip_session *s = leg->session;
    int status = nta_outgoing_status(orq);
    if (status < 200) {
        if (status > 100 && m != NULL && !s->cancelled && s->caller->server_invite != NULL)
            nta_incoming_treply(s->caller->server_invite, status, m->sip_status->st_phrase,
                                SIPTAG_CONTACT_STR(s->caller->contact), TAG_END());
        return 0;
    }
    leg->our_request = NULL;
    if (status < 300 && m != NULL)
        callee_accepted(s, m);
    else
        callee_refused(s, status, m);
    nta_outgoing_destroy(orq);
    return 0;
}

/* P-Asserted-Identity and the PoC headers that Sofia does not know, as lines. */
static poc_err extra_headers(char out[SIP_RELAYED_HEADERS], const sip_session *s, sip_t const *m)
{
    static const char *const names[] = { "Answer-Mode", "Priv-Answer-Mode", "P-Alerting-Mode", "P-Answer-State" };
    poc_wr wr = poc_wr_into(out, SIP_RELAYED_HEADERS);
    poc_wr_fmt(&wr, "P-Asserted-Identity: <%s>\r\n", s->caller == &s->client ? s->user : s->group);
    for (size_t i = 0; i < POC_COUNT(names); i++) {
        const char *value = sip_unknown_value(m, names[i]);
        if (value != NULL && strpbrk(value, "\r\n") == NULL)
            poc_wr_fmt(&wr, "%s: %s\r\n", names[i], value);
    }
    return poc_wr_text(&wr);
}

static poc_err call_callee(sip_session *s, su_home_t *home, sip_t const *m, sip_content others)
{
    sip *owner = s->sip;
    sip_leg *leg = s->callee;
    bool to_cf = leg == &s->cf;
    const url_t *target = m->sip_request->rq_url, *towards = to_cf ? owner->next_hop : target;
    char text[SIP_SDP_MAX], extra[SIP_RELAYED_HEADERS], expires[48], hops[16];
    sip_content content;
    wire_unicast of_caller;
    POC_TRY(sip_leg_call(leg, to_cf ? s->user : s->group, to_cf ? s->group : s->user, towards));
    wire_local local = sip_leg_local(leg);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    sip_peer_tell(&of_caller, s->caller->peer);
    POC_TRY(wire_unicast_write(&wr, &local, &of_caller, !to_cf));
    POC_TRY(sip_content_describe(&content, home, others, poc_span_of(text, wr.len)));
    POC_TRY(extra_headers(extra, s, m));
    wr = poc_wr_into(expires, sizeof(expires));
    poc_wr_fmt(&wr, "%u;refresher=uas", owner->session_expires_s);
    POC_TRY(poc_wr_text(&wr));
    wr = poc_wr_into(hops, sizeof(hops));
    poc_wr_fmt(&wr, "%lu", m->sip_max_forwards != NULL ? m->sip_max_forwards->mf_count - 1 : 70);
    POC_TRY(poc_wr_text(&wr));
    leg->our_request = nta_outgoing_tcreate(
        leg->nta, callee_answered, leg, to_cf ? (const url_string_t *)owner->next_hop : NULL, SIP_METHOD_INVITE,
        (const url_string_t *)target, SIPTAG_MAX_FORWARDS_STR(hops), SIPTAG_CONTACT_STR(leg->contact),
        SIPTAG_ACCEPT_CONTACT_STR(SIP_ACCEPT_CONTACT), SIPTAG_USER_AGENT_STR(SIP_USER_AGENT),
        SIPTAG_ALLOW_STR(SIP_ALLOW), SIPTAG_SUPPORTED_STR("timer"),
        TAG_IF(owner->session_expires_s >= owner->session_min_s, SIPTAG_SESSION_EXPIRES_STR(expires)),
        SIPTAG_HEADER_STR(extra), SIPTAG_CONTENT_TYPE(content.type), SIPTAG_PAYLOAD(content.payload), TAG_END());
    return leg->our_request != NULL ? POC_OK : POC_E_IO;
}

static bool is_ip6(msg_t *msg)
{
    struct sockaddr_storage from;
    return sip_source_address(&from, msg) && from.ss_family == AF_INET6;
}

/* POC-5, POC-21: without a bootstrapped user there is no MUK; the session goes on as plain PoC, and the log says why. Who
 * came through the digest has one. */
static void unproved_look(const sip_session *s)
{
    sip *owner = s->sip;
    gba_naf_user who;
    bool proved = owner->auth == SIP_AUTH_DIGEST && s->caller == &s->client;
    if (s->has_channel && !proved && !gba_naf_by_identity(owner->naf, sip_now_s(), poc_span_str(s->user), &who))
        sip_refused(owner, POC_E_AUTH, s->user, "stays on unicast: no bootstrapped user (GBA) has this identity");
}

static bool is_shut_out(const sip_session *s)
{
    const sip *owner = s->sip;
    return s->has_channel && owner->events->is_shut_out != NULL &&
           owner->events->is_shut_out(owner->user, s->channel.id, s->user);
}

/* Both directions from here on: `s` knows user, group and which leg calls. Takes over `in`. */
static void setup_go(sip_session *s, sip_inbound *in, sip_content others)
{
    sip *owner = s->sip;
    nta_incoming_t *irq = in->irq;
    const bcast_channel *channel = owner->events->channel_of(owner->user, s->group);
    s->has_channel = channel != NULL;
    if (channel != NULL)
        s->channel = *channel;
    unproved_look(s);
    in->irq = NULL;
    s->caller->server_invite = irq;
    if (is_shut_out(s)) {
        setup_fail(s, SIP_403_FORBIDDEN, POC_E_DENIED, "expelled by the operator");
        sip_inbound_free(in);
        return;
    }
    nta_incoming_bind(irq, caller_acknowledged, s->caller);
    poc_err err = sip_leg_accept(s->caller, irq, in->m, is_ip6(in->msg));
    if (err == POC_E_INPUT || err == POC_E_LIMIT) {
        setup_fail(s, SIP_400_BAD_REQUEST, err, "From, To or Contact cannot be used");
    } else {
        if (err == POC_OK)
            err = call_callee(s, msg_home(in->msg), in->m, others);
        if (err != POC_OK)
            setup_fail(s, SIP_500_INTERNAL_SERVER_ERROR, err, "the other side cannot be called");
    }
    sip_inbound_free(in);
}

/* What stands beside the description goes on with it; nothing where it stands alone. False: the request was answered. */
static bool others_settle(sip_content *out, sip_inbound *in, bool from_client, const char *user)
{
    *out = (sip_content){ NULL, NULL };
    return sip_body_is_sdp(in->m) || sip_content_settle(out, in, user, from_client);
}

static void invite_begin(sip_inbound *in, bool from_client, const char *user, const char *group)
{
    sip *owner = in->sip;
    sip_session *s;
    wire_unicast offer;
    poc_fault fault = { 0 };
    sip_content others;
    poc_err err = wire_unicast_read(&offer, sip_description(in->m), &fault);
    const char *reason = fault.reason != NULL ? fault.reason : "offer cannot be used";
    if (err != POC_OK) {
        bool denied = err == POC_E_DENIED;
        sip_inbound_refuse(in, denied ? 488 : 400, denied ? sip_488_Not_acceptable : sip_400_Bad_request, err, reason);
        return;
    }
    if (!others_settle(&others, in, from_client, user))
        return;
    /* It may have waited for Zn while the drain began. */
    if (owner->draining || owner->counts.sessions >= owner->sessions_max ||
        session_new(&s, owner, from_client, &offer) != POC_OK) {
        sip_inbound_refuse(in, SIP_503_SERVICE_UNAVAILABLE, POC_E_LIMIT, "no room for another session");
        return;
    }
    (void)snprintf(s->user, sizeof(s->user), "%s", user);
    (void)snprintf(s->group, sizeof(s->group), "%s", group);
    setup_go(s, in, others);
}

static poc_err uri_of(char out[POC_URI_MAX], const url_t *url)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    char *text = url_as_string(home, url);
    poc_err err = text != NULL ? poc_uri_canonical(out, poc_span_str(text)) : POC_E_NOMEM;
    su_home_deinit(home);
    return err;
}

void sip_session_invite(sip_inbound *in)
{
    char group[POC_URI_MAX];
    if (uri_of(group, in->m->sip_request->rq_url) != POC_OK) {
        sip_inbound_refuse(in, SIP_400_BAD_REQUEST, POC_E_INPUT, "Request-URI is not a usable group");
        return;
    }
    invite_begin(in, true, in->user, group);
}

/* The CF calls a client: To names the user, P-Asserted-Identity (or From) the PoC session. */
void sip_session_invite_from_core(sip_inbound *in)
{
    sip *s = in->sip;
    char user[POC_URI_MAX], group[POC_URI_MAX];
    gba_naf_user who;
    const char *asserted = sip_unknown_value(in->m, "P-Asserted-Identity");
    poc_err err =
        asserted != NULL ? poc_uri_canonical(group, poc_span_str(asserted)) : uri_of(group, in->m->sip_from->a_url);
    if (err != POC_OK || uri_of(user, in->m->sip_to->a_url) != POC_OK) {
        sip_inbound_refuse(in, SIP_400_BAD_REQUEST, POC_E_INPUT, "To or session identity is not a usable URI");
        return;
    }
    if (gba_naf_by_identity(s->naf, sip_now_s(), poc_span_str(user), &who))
        s->events->authenticated(s->user, user, &who);
    invite_begin(in, false, user, group);
}

/* ---- looking ---- */

const char *sip_session_user(const sip_session *s)
{
    return s->user;
}

const char *sip_session_channel(const sip_session *s)
{
    return s->has_channel ? s->channel.id : NULL;
}

bool sip_session_capable(const sip_session *s)
{
    return s->capable;
}

relay_session *sip_session_relay(sip_session *s)
{
    return s->media;
}

bool sip_session_contact(const sip_session *s, struct sockaddr_storage *out)
{
    const sip_route_t *route = NULL;
    const sip_contact_t *target = NULL;
    if (s->client.nta == NULL || nta_leg_get_route(s->client.nta, &route, &target) < 0 || target == NULL ||
        target->m_url->url_host == NULL)
        return false;
    poc_span host = poc_span_str(target->m_url->url_host);
    if (host.n > 2 && host.p[0] == '[')
        host = poc_span_of(host.p + 1, host.n - 2);
    return poc_addr_parse(out, host, 0) == POC_OK;
}
