#include <stdio.h>
#include <string.h>

#include "ue/io/inside.h"

void radio_dialog_end(radio *r)
{
    radio_request_end(&r->invite);
    radio_request_end(&r->bye);
    if (r->leg != NULL)
        nta_leg_destroy(r->leg);
    r->leg = NULL;
    r->dialog = DIALOG_NONE;
}

static int method_refuse(radio *r, nta_incoming_t *irq)
{
    nta_incoming_treply(irq, SIP_405_METHOD_NOT_ALLOWED, SIPTAG_ALLOW_STR(radio_allow(r)), TAG_END());
    nta_incoming_destroy(irq);
    return 0;
}

/* ---- offers of the PF ---- */

static int on_ack(radio *r, nta_incoming_t *irq, sip_t const *sip)
{
    (void)r;
    (void)sip;
    nta_incoming_destroy(irq);
    return 0;
}

/* A 2xx to INVITE is repeated by the stack until the ACK comes. */
static void reply_done(radio *r, nta_incoming_t *irq, int status)
{
    if (nta_incoming_method(irq) == sip_method_invite && status < 300)
        nta_incoming_bind(irq, on_ack, r);
    else
        nta_incoming_destroy(irq);
}

static void offer_accept(radio *r, nta_incoming_t *irq, const char *answer)
{
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT_STR(r->contact), SIPTAG_ALLOW_STR(radio_allow(r)),
                        TAG_IF(answer != NULL, SIPTAG_CONTENT_TYPE_STR("application/sdp")),
                        TAG_IF(answer != NULL, SIPTAG_PAYLOAD_STR(answer)), TAG_END());
    reply_done(r, irq, 200);
}

poc_err radio_warning_write(const radio *r, char out[RADIO_TEXT_MAX], const char *warning)
{
    bool is_ip6 = r->address.ss_family == AF_INET6;
    poc_wr wr = poc_wr_into(out, RADIO_TEXT_MAX);
    poc_wr_fmt(&wr, "%.3s %s", warning, is_ip6 ? "[" : "");
    poc_addr_put(&wr, (const struct sockaddr *)&r->address);
    poc_wr_fmt(&wr, "%s \"%s\"", is_ip6 ? "]" : "", warning + 4);
    return poc_wr_text(&wr);
}

static void offer_refuse(radio *r, nta_incoming_t *irq, const char *warning)
{
    char header[RADIO_TEXT_MAX];
    bool has_text = radio_warning_write(r, header, warning) == POC_OK;
    nta_incoming_treply(irq, SIP_488_NOT_ACCEPTABLE, TAG_IF(has_text, SIPTAG_WARNING_STR(header)), TAG_END());
    reply_done(r, irq, 488);
}

static bool carries_key(poc_span offer)
{
    poc_sdp sdp;
    poc_span value;
    if (poc_sdp_parse(&sdp, offer, NULL) != POC_OK)
        return false;
    bool found = poc_sdp_attr(sdp.lines, "key-mgmt", &value);
    for (size_t i = 0; i < sdp.media_count; i++)
        found = found || poc_sdp_attr(sdp.media[i].lines, "key-mgmt", &value);
    return found;
}

static poc_err offer_read(radio *r, poc_span offer, poc_wr *answer, pocue_reply *reply)
{
    char copy[RADIO_SDP_MAX];
    if (r->tamper == NULL)
        return pocue_offer_read(r->ue, radio_now_ms(), &r->local, offer, answer, reply);
    if (offer.n >= sizeof(copy))
        return POC_E_LIMIT;
    memcpy(copy, offer.p, offer.n);
    copy[offer.n] = '\0';
    r->tamper(r->tamper_ctx, false, copy);
    POC_TRY(pocue_offer_read(r->ue, radio_now_ms(), &r->local, poc_span_of(copy, offer.n), answer, reply));
    POC_TRY(poc_wr_text(answer));
    r->tamper(r->tamper_ctx, true, r->sdp);
    return POC_OK;
}

static int offer_answer(radio *r, nta_incoming_t *irq, poc_span offer)
{
    pocue_reply reply = { .status = 488, .warning = "399 refuses keys" };
    poc_wr wr = poc_wr_into(r->sdp, sizeof(r->sdp));
    poc_err err = POC_OK;
    if (!r->refuse_keys || !carries_key(offer))
        err = offer_read(r, offer, &wr, &reply);
    if (err != POC_OK || poc_wr_text(&wr) != POC_OK)
        return 500;
    radio_pump(r); /* listens to the group before it says so */
    if (reply.status == 200)
        offer_accept(r, irq, r->sdp);
    else
        offer_refuse(r, irq, reply.warning);
    radio_tell(r, RADIO_OFFERED, reply.status, reply.warning);
    return 0;
}

static int on_offer(radio *r, nta_incoming_t *irq, sip_t const *sip)
{
    bool is_invite = sip->sip_request->rq_method == sip_method_invite;
    if (!is_invite && !r->update_allowed)
        return method_refuse(r, irq);
    if (r->dialog == DIALOG_LEAVING)
        return 481;
    if (r->dialog != DIALOG_UP) /* our own offer has no answer yet */
        return 491;
    if (!r->answer_offers)
        return 0;
    if (sip->sip_payload != NULL)
        return offer_answer(r, irq, poc_span_of(sip->sip_payload->pl_data, sip->sip_payload->pl_len));
    if (is_invite)
        return 488;
    offer_accept(r, irq, NULL);
    return 0;
}

/* ---- everything else ---- */

static int on_bye(radio *r, nta_incoming_t *irq)
{
    nta_incoming_treply(irq, SIP_200_OK, TAG_END());
    nta_incoming_destroy(irq);
    if (r->dialog == DIALOG_LEAVING) /* the two crossed; the answer to ours is still to come */
        return 0;
    radio_dialog_end(r);
    pocue_session_over(r->ue, radio_now_ms(), r->keep_keys);
    radio_pump(r);
    radio_tell(r, RADIO_BYED, 200, NULL);
    return 0;
}

int radio_dialog_request(radio *r, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *sip)
{
    sip_method_t method = sip->sip_request->rq_method;
    bool is_ours = r->leg != NULL && leg == r->leg;
    if (leg == r->stray && (method == sip_method_message || method == sip_method_notify) &&
        radio_mcx_request(r, irq, sip))
        return 0;
    switch (method) {
    case sip_method_ack:
    case sip_method_cancel:
        return 0;
    case sip_method_options:
    case sip_method_notify: /* of a REFER: how it went is heard from the session itself */
        return 200;
    case sip_method_invite:
    case sip_method_update:
        return is_ours ? on_offer(r, irq, sip) : 481;
    case sip_method_bye:
        return is_ours ? on_bye(r, irq) : 481;
    default:
        return method_refuse(r, irq);
    }
}
