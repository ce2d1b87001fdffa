/* The PF's own offers to a client: UPDATE or re-INVITE, one at a time per leg, paced over all legs by a window. */
#include <stdlib.h>
#include <string.h>

#include "pf/io/sip_private.h"

#define VERIFICATION_MAX 2048u
#define RETRY_FLOOR_MS   200u /* nobody makes us send without a pause */

/* ---- the line for the window ---- */

static void line_enter(sip_session *s)
{
    sip *owner = s->sip;
    if (s->in_line)
        return;
    s->in_line = true;
    s->offer_next = NULL;
    if (owner->offers_last != NULL)
        owner->offers_last->offer_next = s;
    else
        owner->offers_first = s;
    owner->offers_last = s;
}

static sip_session *line_leave_first(sip *s)
{
    sip_session *first = s->offers_first;
    s->offers_first = first->offer_next;
    if (s->offers_first == NULL)
        s->offers_last = NULL;
    first->in_line = false;
    return first;
}

static void line_leave(sip_session *s)
{
    sip *owner = s->sip;
    sip_session *last = NULL;
    if (!s->in_line)
        return;
    for (sip_session **at = &owner->offers_first; *at != NULL; last = *at, at = &(*at)->offer_next)
        if (*at == s) {
            *at = s->offer_next;
            if (owner->offers_last == s)
                owner->offers_last = last;
            break;
        }
    s->in_line = false;
}

static void window_free(sip_session *s)
{
    if (!s->window_held)
        return;
    s->window_held = false;
    s->sip->offers_open--;
    sip_offer_pump_soon(s->sip);
}

void sip_offer_pump_soon(sip *s)
{
    wake_soon(s->pump);
}

/* ---- ends ---- */

static void mikey_forget(sip_offering *o)
{
    free(o->mikey);
    o->mikey = NULL;
    o->mikey_len = 0;
}

/* Tells the shell, unless a newer offer has made this one void. */
static void offer_report(sip_session *s, uint64_t number, pocpf_answer answer, poc_span verification, const char *why)
{
    sip_offering *o = &s->offer;
    if (o->waiting && o->number == number) {
        o->waiting = false;
        sip_timer_stop(&s->timer);
        mikey_forget(o);
    }
    s->sip->events->answered(s->sip->user, s, number, answer, verification, why);
}

void sip_offer_forget(sip_session *s)
{
    line_leave(s);
    window_free(s);
    s->offer.waiting = false;
    sip_timer_stop(&s->timer);
}

static void timer_set(sip_session *s);

void sip_offer_due(void *arg)
{
    sip_session *s = arg;
    sip_offering *o = &s->offer;
    if (!o->waiting)
        return;
    int64_t now = sip_now_ms();
    if (now >= o->deadline_ms) {
        line_leave(s);
        window_free(s);
        o->flight_counts = false;
        offer_report(s, o->number, POCPF_ANSWER_TIMEOUT, (poc_span){ 0 }, "no final answer in time");
        return;
    }
    if (o->retry_ms != 0 && now >= o->retry_ms) {
        o->retry_ms = 0;
        line_enter(s);
        sip_offer_pump_soon(s->sip);
    }
    timer_set(s);
}

static void timer_set(sip_session *s)
{
    const sip_offering *o = &s->offer;
    int64_t at = o->retry_ms != 0 && o->retry_ms < o->deadline_ms ? o->retry_ms : o->deadline_ms;
    sip_timer_at(&s->timer, at);
}

/* ---- answers ---- */

/*= RFC 3261, 14.1: who made the Call-ID waits 2.1 to 4.0 s, the other 0 to 2.0 s, in steps of 10 ms; we leave out the first of them. */
static uint32_t glare_wait_ms(const sip_leg *leg)
{
    return leg->we_called ? 2100 + 10 * sip_random(191) : RETRY_FLOOR_MS + 10 * sip_random(181);
}

/* True: the answer asks us to come again, and the offer waits for that. */
static bool try_again(sip_session *s, int status, sip_t const *m)
{
    sip_offering *o = &s->offer;
    uint64_t wait_ms;
    if (!o->waiting || o->number != o->flight_number)
        return false;
    if (status == 491)
        wait_ms = glare_wait_ms(&s->client);
    else if (status == 500 && m != NULL && m->sip_retry_after != NULL)
        wait_ms = 1000 * (uint64_t)m->sip_retry_after->af_delta + RETRY_FLOOR_MS;
    else
        return false;
    /* Beyond the deadline it only means that the deadline will come first. */
    o->retry_ms = sip_now_ms() + (int64_t)(wait_ms < 60000 ? wait_ms : 60000) + 1;
    timer_set(s);
    return true;
}

/* Why a client refuses, as far as its Warning says; constant texts, since refusals are counted by them. */
static const char *refusal_text(int status, sip_t const *m)
{
    const sip_warning_t *warning = m->sip_warning;
    if (status != 488)
        return "client refuses the offer";
    /*= RFC 4567, 5.3: 488 "with at least one Warning header" 306 says that the key management failed. */
    if (warning != NULL && warning->w_code == 306)
        return "client cannot use the key (488, Warning 306)";
    if (warning != NULL && warning->w_text != NULL && strstr(warning->w_text, "gba-bootstrap") != NULL)
        return "key does not hold under the client's MUK: it has to bootstrap again (488, gba-bootstrap)";
    return "client does not accept the offer (488)";
}

static void refused(sip_session *s, int status, sip_t const *m)
{
    sip_offering *o = &s->offer;
    uint64_t number = o->flight_number;
    bool counts = o->flight_counts;
    if (status == 481 || status == 408) {
        s->client.gone = true;
        if (counts)
            offer_report(s, number, POCPF_ANSWER_GONE, (poc_span){ 0 }, "client does not know the dialog any more");
        sip_session_end(s, POCPF_LOST, false);
        return;
    }
    if (!counts || try_again(s, status, m))
        return;
    if (m == NULL || nta_sip_is_internal(m)) {
        /* Nothing came back, nta made the answer: the transport failed. That is no refusal. */
        offer_report(s, number, POCPF_ANSWER_TIMEOUT, (poc_span){ 0 }, "client cannot be reached");
        return;
    }
    offer_report(s, number, POCPF_ANSWER_REFUSED, (poc_span){ 0 }, refusal_text(status, m));
}

static void accepted(sip_session *s, sip_t const *m)
{
    uint8_t room[VERIFICATION_MAX];
    sip_offering *o = &s->offer;
    poc_span verification = { 0 };
    wire_unicast peer;
    const char *why = "2xx without a session description";
    pocpf_answer answer = POCPF_ANSWER_WRONG;
    peer.media_count = 0;
    if (sip_body_is_sdp(m))
        answer = wire_answer_check(sip_body(m), &s->channel, &peer, room, sizeof(room), &verification, &why);
    if (peer.media_count > 0 && sip_peer_keep(&s->client.peer, &peer) == POC_OK)
        sip_session_media(s, &s->client);
    s->client.has_channel_lines = true;
    s->bearer_off = answer != POCPF_ANSWER_ACCEPTED;
    if (o->flight_counts)
        offer_report(s, o->flight_number, answer, verification, why);
}

static int offer_answered(void *magic, nta_outgoing_t *orq, sip_t const *m)
{
    sip_session *s = magic;
    sip_leg *leg = &s->client;
    int status = nta_outgoing_status(orq);
    if (status < 200)
        return 0;
    leg->our_request = NULL;
    bool ok = status < 300 && m != NULL;
    if (ok && nta_outgoing_method(orq) == sip_method_invite)
        sip_leg_ack(leg, m);
    if (ok && m->sip_contact != NULL)
        sip_route_by_answer(leg->nta, m, false);
    msg_t *response =
        nta_outgoing_getresponse(orq); /* `m` lives in it: it outlasts the transaction, which may end now */
    nta_outgoing_destroy(orq);
    s->offer.in_flight = false;
    window_free(s);
    if (ok) {
        sip_leg_timer(leg, m);
        accepted(s, m);
    } else {
        refused(s, status, m);
    }
    sip_offer_resume(s);
    if (response != NULL)
        msg_destroy(response);
    return 0;
}

/* ---- sending ---- */

void sip_offer_resume(sip_session *s)
{
    if (s->phase != SIP_UP || !s->offer.waiting || s->offer.retry_ms != 0)
        return;
    line_enter(s);
    sip_offer_pump_soon(s->sip);
}

static poc_err offer_text(sip_session *s, char *text, size_t cap)
{
    sip_offering *o = &s->offer;
    sip_leg *leg = &s->client;
    const bcast_channel *channel = s->sip->events->channel_of(s->sip->user, s->group);
    if (channel == NULL && !s->has_channel)
        return POC_E_STATE;
    if (channel != NULL)
        s->channel = *channel;
    s->has_channel = true;
    leg->sdp_version++;
    wire_unicast of_cf;
    wire_local local = sip_leg_local(leg);
    poc_wr wr = poc_wr_into(text, cap);
    sip_peer_tell(&of_cf, s->cf.peer);
    POC_TRY(wire_offer_write(&wr, &local, &of_cf, &s->channel, poc_span_of(o->mikey, o->mikey_len)));
    return poc_wr_text(&wr);
}

static void offer_send(sip_session *s)
{
    sip_leg *leg = &s->client;
    sip_offering *o = &s->offer;
    char text[SIP_SDP_MAX], expires[48];
    if (offer_text(s, text, sizeof(text)) != POC_OK) {
        offer_report(s, o->number, POCPF_ANSWER_REFUSED, (poc_span){ 0 }, "the offer cannot be written");
        return;
    }
    bool update = leg->allow_update, timed = leg->expires_s != 0;
    poc_wr wr = poc_wr_into(expires, sizeof(expires));
    poc_wr_fmt(&wr, "%u;refresher=%s", leg->expires_s, leg->we_refresh ? "uac" : "uas");
    (void)poc_wr_text(&wr);
    leg->our_request = nta_outgoing_tcreate(
        leg->nta, offer_answered, s, NULL, update ? sip_method_update : sip_method_invite, update ? "UPDATE" : "INVITE",
        NULL, SIPTAG_CONTACT_STR(leg->contact), SIPTAG_USER_AGENT_STR(SIP_USER_AGENT), SIPTAG_ALLOW_STR(SIP_ALLOW),
        SIPTAG_SUPPORTED_STR("timer"), TAG_IF(timed, SIPTAG_SESSION_EXPIRES_STR(expires)),
        SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE), SIPTAG_PAYLOAD_STR(text), TAG_END());
    if (leg->our_request == NULL) {
        offer_report(s, o->number, POCPF_ANSWER_TIMEOUT, (poc_span){ 0 }, "the offer cannot be sent");
        return;
    }
    o->in_flight = true;
    o->flight_number = o->number;
    o->flight_counts = true;
    s->window_held = true;
    s->sip->offers_open++;
    s->sip->counts.offers++;
}

void sip_offer_pump(void *user)
{
    sip *s = user;
    while (s->offers_first != NULL && s->offers_open < SIP_OFFER_WINDOW) {
        sip_session *next = line_leave_first(s);
        /* Busy with its own offer or ours: what ends that sends it here again. */
        if (next->phase == SIP_UP && next->offer.waiting && next->client.our_request == NULL &&
            next->client.server_invite == NULL)
            offer_send(next);
    }
}

poc_err sip_offer(sip_session *s, uint64_t number, pocpf_offer_kind kind, poc_span mikey, uint32_t timeout_ms)
{
    sip_offering *o = &s->offer;
    uint8_t *copy = NULL;
    if (s->phase != SIP_UP)
        return POC_E_STATE;
    if ((kind == POCPF_OFFER_WITHDRAW) != (mikey.n == 0))
        return POC_E_BUG;
    if (mikey.n > 0) {
        copy = malloc(mikey.n);
        if (copy == NULL)
            return POC_E_NOMEM;
        memcpy(copy, mikey.p, mikey.n);
    }
    mikey_forget(o);
    o->number = number;
    o->kind = kind;
    o->mikey = copy;
    o->mikey_len = mikey.n;
    o->deadline_ms = sip_now_ms() + timeout_ms;
    o->retry_ms = 0;
    o->waiting = true;
    o->flight_counts = false;
    timer_set(s);
    line_enter(s);
    sip_offer_pump_soon(s->sip);
    return POC_OK;
}
