/* What arrives inside a dialog: BYE, the peer's own offers, refreshes; the rest is carried to the other side. */
#include <string.h>

#include "pf/io/sip_private.h"

static void reply_busy(nta_incoming_t *irq, int status, const char *phrase)
{
    char after[8];
    poc_wr wr = poc_wr_into(after, sizeof(after));
    poc_wr_fmt(&wr, "%u", sip_random(10));
    (void)poc_wr_text(&wr);
    nta_incoming_treply(irq, status, phrase, TAG_IF(status == 500, SIPTAG_RETRY_AFTER_STR(after)), TAG_END());
    nta_incoming_destroy(irq);
}

static int on_bye(sip_leg *leg, nta_incoming_t *irq)
{
    sip_session *s = leg->session;
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_SERVER_STR(SIP_USER_AGENT), TAG_END());
    nta_incoming_destroy(irq);
    leg->gone = true;
    sip_session_end(s, leg == &s->client ? POCPF_LEFT : POCPF_REMOVED, false);
    return 0;
}

/* ---- the peer's offers ---- */

/* The client says with port 0 that it does not hear the channel, or takes it up again. */
static void bearer_look(sip_session *s, const sip_peer *offer)
{
    bool had_lines = s->client.has_channel_lines;
    bool off = offer->multicast_refused || (had_lines && offer->media_count <= 2);
    if (!had_lines || off == s->bearer_off)
        return;
    s->bearer_off = off;
    s->sip->events->bearer(s->sip->user, s, !off);
}

static const bcast_channel *channel_for(const sip_leg *leg)
{
    const sip_session *s = leg->session;
    return leg == &s->client && s->has_channel && leg->has_channel_lines ? &s->channel : NULL;
}

/* Writes our answer to the offer in `m` and takes over what it changes. */
static poc_err offer_take(sip_leg *leg, sip_t const *m, char *text, size_t cap)
{
    wire_unicast offer, other;
    sip_session *s = leg->session;
    POC_TRY(wire_unicast_read(&offer, sip_body(m), NULL));
    sip_peer_tell(&other, sip_leg_other(leg)->peer);
    leg->sdp_version++;
    wire_local local = sip_leg_local(leg);
    poc_wr wr = poc_wr_into(text, cap);
    POC_TRY(wire_answer_write(&wr, &local, sip_body(m), &other, channel_for(leg)));
    POC_TRY(poc_wr_text(&wr));
    POC_TRY(sip_peer_keep(&leg->peer, &offer));
    sip_session_media(s, leg);
    return POC_OK;
}

/* Without a body a re-INVITE asks us to offer: what we said to the CF can be said again; a client with multicast lines
 * would get a key message for the second time, which it must refuse as a replay. */
static poc_err offer_repeat(sip_leg *leg, char *text, size_t cap)
{
    if (leg == &leg->session->client && leg->has_channel_lines)
        return POC_E_DENIED;
    wire_unicast other;
    wire_local local = sip_leg_local(leg);
    poc_wr wr = poc_wr_into(text, cap);
    sip_peer_tell(&other, sip_leg_other(leg)->peer);
    POC_TRY(wire_unicast_write(&wr, &local, &other, leg == &leg->session->client));
    return poc_wr_text(&wr);
}

static void modify_refuse(sip_leg *leg, nta_incoming_t *irq, poc_err err)
{
    sip_session *s = leg->session;
    const char *reason = err == POC_E_DENIED  ? "offer in the session is not acceptable"
                         : err == POC_E_NOMEM ? "out of memory"
                                              : "offer in the session is malformed";
    sip_refused(s->sip, err, s->user, reason);
    if (err == POC_E_DENIED)
        sip_refuse(s->sip, irq, SIP_488_NOT_ACCEPTABLE, reason);
    else if (err == POC_E_NOMEM)
        sip_refuse(s->sip, irq, SIP_503_SERVICE_UNAVAILABLE, reason);
    else
        sip_refuse(s->sip, irq, SIP_400_BAD_REQUEST, reason);
}

/* An ACK without a usable answer leaves the media where they were. */
static void late_answer_take(sip_leg *leg, sip_t const *m)
{
    wire_unicast answer;
    if (!sip_body_is_sdp(m) || wire_unicast_read(&answer, sip_body(m), NULL) != POC_OK) {
        sip_refused(leg->session->sip, POC_E_INPUT, leg->session->user, "ACK does not answer our offer");
        return;
    }
    if (sip_peer_keep(&leg->peer, &answer) == POC_OK)
        sip_session_media(leg->session, leg);
}

/* ACK of a re-INVITE, or its absence: the dialog stands as it did. */
static int modify_acknowledged(void *magic, nta_incoming_t *irq, sip_t const *m)
{
    sip_leg *leg = magic;
    if (m != NULL && m->sip_request->rq_method == sip_method_cancel)
        return 0;
    leg->server_invite = NULL;
    if (leg->offered && m != NULL)
        late_answer_take(leg, m);
    leg->offered = false;
    nta_incoming_destroy(irq);
    sip_offer_resume(leg->session);
    return 0;
}

static int on_modify(sip_leg *leg, nta_incoming_t *irq, sip_t const *m)
{
    bool invite = m->sip_request->rq_method == sip_method_invite, has_offer = sip_body(m).n > 0;
    char text[SIP_SDP_MAX], expires[64];
    text[0] = '\0';
    if (leg->session->phase != SIP_UP || (leg->our_request != NULL && (has_offer || invite))) {
        reply_busy(irq, SIP_491_REQUEST_PENDING);
        return 0;
    }
    if (leg->server_invite != NULL && (invite || has_offer)) {
        reply_busy(irq, SIP_500_INTERNAL_SERVER_ERROR);
        return 0;
    }
    if (sip_extension_refused(leg->session->sip, irq, m))
        return 0;
    if (has_offer && !sip_body_is_sdp(m)) {
        sip_refuse(leg->session->sip, irq, SIP_415_UNSUPPORTED_MEDIA, "body is not application/sdp");
        return 0;
    }
    if (sip_timer_too_short(leg->session->sip, m)) {
        sip_refuse(leg->session->sip, irq, SIP_422_SESSION_TIMER_TOO_SMALL, "session interval too small");
        return 0;
    }
    poc_err err = has_offer ? offer_take(leg, m, text, sizeof(text))
                  : invite  ? offer_repeat(leg, text, sizeof(text))
                            : POC_OK;
    if (err != POC_OK) {
        modify_refuse(leg, irq, err);
        return 0;
    }
    if (m->sip_contact != NULL)
        (void)sip_route_by_request(leg->nta, NULL, m->sip_contact);
    bool timed = sip_leg_timer_answer(leg, m, expires);
    if (invite) {
        leg->server_invite = irq;
        leg->offered = !has_offer;
        nta_incoming_bind(irq, modify_acknowledged, leg);
    }
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT_STR(leg->contact), SIPTAG_ALLOW_STR(SIP_ALLOW),
                        SIPTAG_SUPPORTED_STR("timer"), TAG_IF(timed, SIPTAG_REQUIRE_STR("timer")),
                        TAG_IF(timed, SIPTAG_SESSION_EXPIRES_STR(expires)), SIPTAG_SERVER_STR(SIP_USER_AGENT),
                        TAG_IF(text[0] != '\0', SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE)),
                        TAG_IF(text[0] != '\0', SIPTAG_PAYLOAD_STR(text)), TAG_END());
    if (!invite)
        nta_incoming_destroy(irq);
    if (has_offer && leg == &leg->session->client)
        bearer_look(leg->session, leg->peer);
    return 0;
}

int sip_leg_request(void *magic, nta_leg_t *nta, nta_incoming_t *irq, sip_t const *m)
{
    sip_leg *leg = magic;
    sip_session *s = leg->session;
    (void)nta;
    s->sip->counts.requests++;
    if (m->sip_request->rq_method == sip_method_ack)
        return 0;
    if (s->phase == SIP_ENDED)
        return 481;
    if (m->sip_error != NULL) {
        sip_refused(s->sip, POC_E_INPUT, s->user, "a header is malformed");
        return 400;
    }
    switch (m->sip_request->rq_method) {
    case sip_method_bye:
        return on_bye(leg, irq);
    case sip_method_invite:
    case sip_method_update:
        return on_modify(leg, irq, m);
    default:
        break;
    }
    if (!sip_is_carried(m, true))
        return m->sip_request->rq_method == sip_method_unknown ? 501 : 405;
    if (s->phase != SIP_UP)
        return 491;
    sip_auth_begin(s->sip, leg, irq, sip_carry_in_dialog);
    return 0;
}
