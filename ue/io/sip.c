#include <stdio.h>
#include <string.h>

#include "ue/io/inside.h"

const char radio_user_agent[] = "PoC-client/OMA2.1 3gpp-gba";
static const char accept_contact[] = "*;+g.poc.talkburst;require;explicit";

static url_string_t const *uri_of(const char *text)
{
    return (url_string_t const *)(void const *)text;
}

#define ALLOWED "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY"

const char *radio_allow(const radio *r)
{
    static const char *const allowed[2][2] = { { ALLOWED, ALLOWED ", MESSAGE" },
                                               { ALLOWED ", UPDATE", ALLOWED ", UPDATE, MESSAGE" } };
    return allowed[r->update_allowed][r->mcx != NULL];
}

/* ---- the agent ---- */

static const char *transport_of(const char *pf_uri)
{
    return strstr(pf_uri, "transport=tcp") != NULL ? "tcp" : "udp";
}

static poc_err host_put(poc_wr *wr, const radio *r)
{
    bool is_ip6 = r->address.ss_family == AF_INET6;
    poc_wr_fmt(wr, "%s", is_ip6 ? "[" : "");
    poc_addr_put(wr, (const struct sockaddr *)&r->address);
    poc_wr_fmt(wr, "%s", is_ip6 ? "]" : "");
    return poc_wr_done(wr);
}

static poc_err agent_make(radio *r)
{
    char uri[RADIO_TEXT_MAX];
    poc_wr wr = poc_wr_into(uri, sizeof(uri));
    poc_wr_fmt(&wr, "sip:");
    POC_TRY(host_put(&wr, r));
    poc_wr_fmt(&wr, ":*;transport=%s", transport_of(r->pf_uri));
    POC_TRY(poc_wr_text(&wr));
    r->agent = nta_agent_create(r->root, uri_of(uri), NULL, NULL, NTATAG_UA(1), TAG_END());
    if (r->agent == NULL) {
        fprintf(stderr, "%s: cannot bind %s\n", r->name, uri);
        return POC_E_IO;
    }
    r->stray = nta_leg_tcreate(r->agent, radio_dialog_request, r, NTATAG_NO_DIALOG(1), TAG_END());
    return r->stray == NULL ? POC_E_NOMEM : POC_OK;
}

static poc_err texts_make(radio *r)
{
    sip_contact_t const *bound = nta_agent_contact(r->agent);
    poc_wr wr = poc_wr_into(r->contact_uri, sizeof(r->contact_uri));
    if (bound == NULL || bound->m_url->url_port == NULL)
        return POC_E_IO;
    poc_wr_fmt(&wr, "sip:");
    POC_TRY(host_put(&wr, r));
    poc_wr_fmt(&wr, ":%s;transport=%s", bound->m_url->url_port, transport_of(r->pf_uri));
    POC_TRY(poc_wr_text(&wr));
    wr = poc_wr_into(r->contact, sizeof(r->contact));
    poc_wr_fmt(&wr, "<%s>;+g.poc.talkburst", r->contact_uri);
    POC_TRY(poc_wr_text(&wr));
    wr = poc_wr_into(r->preferred, sizeof(r->preferred));
    poc_wr_fmt(&wr, "P-%s-Identity: <%s>", r->is_vouched_for ? "Asserted" : "Preferred", r->impu);
    return poc_wr_text(&wr);
}

poc_err radio_sip_open(radio *r)
{
    POC_TRY(agent_make(r));
    return texts_make(r);
}

void radio_request_end(radio_request *request)
{
    if (request->orq != NULL)
        nta_outgoing_destroy(request->orq);
    *request = (radio_request){ .orq = NULL };
}

static void expel_end(radio *r)
{
    radio_request_end(&r->expel);
    if (r->expel_leg != NULL)
        nta_leg_destroy(r->expel_leg);
    r->expel_leg = NULL;
}

void radio_sip_close(radio *r)
{
    if (r->agent == NULL)
        return;
    radio_dialog_end(r);
    expel_end(r);
    if (r->stray != NULL)
        nta_leg_destroy(r->stray);
    nta_agent_destroy(r->agent);
}

/* ---- the GBA challenge (digest "GBA", 2.5) ---- */

/* The uri of the digest is the Request-URI as it went out, octet by octet. */
static poc_err authorization_write(radio *r, su_home_t *home, nta_outgoing_t *orq, sip_t const *challenge,
                                   poc_span body, poc_wr *wr)
{
    const char *uri = url_as_string(home, nta_outgoing_request_uri(orq));
    poc_span method = poc_span_str(nta_outgoing_method_name(orq));
    poc_err err = POC_E_INPUT;
    if (uri == NULL)
        return POC_E_NOMEM;
    for (sip_www_authenticate_t const *a = challenge->sip_www_authenticate; a != NULL && err == POC_E_INPUT;
         a = a->au_next) {
        const char *text = sip_header_as_string(home, (sip_header_t const *)a);
        err = text == NULL ? POC_E_NOMEM
                           : pocue_authorize(r->ue, poc_span_str(text), method, poc_span_str(uri), body, wr);
    }
    POC_TRY(err);
    return poc_wr_text(wr);
}

bool radio_challenge_answer(radio *r, radio_request *request, sip_t const *challenge, poc_span body,
                            char authorization[GBA_HEADER_MAX])
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    poc_wr wr = poc_wr_into(authorization, GBA_HEADER_MAX);
    if (request->was_challenged || challenge == NULL)
        return false;
    poc_err err = authorization_write(r, home, request->orq, challenge, body, &wr);
    su_home_deinit(home);
    if (err != POC_OK)
        return false;
    nta_outgoing_destroy(request->orq);
    *request = (radio_request){ .was_challenged = true };
    return true;
}

/* A leg whose From is this client. */
static nta_leg_t *leg_make(radio *r, const char *to_uri)
{
    char from[RADIO_TEXT_MAX], to[RADIO_TEXT_MAX];
    snprintf(from, sizeof(from), "<%s>", r->impu);
    snprintf(to, sizeof(to), "<%s>", to_uri);
    nta_leg_t *leg =
        nta_leg_tcreate(r->agent, radio_dialog_request, r, SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to), TAG_END());
    if (leg != NULL)
        (void)nta_leg_tag(leg, NULL);
    return leg;
}

/* ---- INVITE; what an answer holds goes with its transaction, so reports get constant texts ---- */

static int on_invite(radio *r, nta_outgoing_t *orq, sip_t const *sip);

static poc_err invite_send(radio *r, const char *authorization)
{
    r->invite.orq = nta_outgoing_tcreate(
        r->leg, on_invite, r, uri_of(r->pf_uri), SIP_METHOD_INVITE, uri_of(r->group), SIPTAG_CONTACT_STR(r->contact),
        SIPTAG_USER_AGENT_STR(radio_user_agent), SIPTAG_ALLOW_STR(radio_allow(r)),
        SIPTAG_ACCEPT_CONTACT_STR(accept_contact), SIPTAG_HEADER_STR(r->preferred),
        TAG_IF(authorization != NULL, SIPTAG_AUTHORIZATION_STR(authorization)),
        SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD_STR(r->sdp), TAG_END());
    return r->invite.orq == NULL ? POC_E_IO : POC_OK;
}

/* Also for every repetition of the 2xx. */
static void ack_send(radio *r, sip_t const *sip)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    sip_cseq_t *cseq = sip_cseq_create(home, sip->sip_cseq->cs_seq, SIP_METHOD_ACK);
    nta_outgoing_t *ack =
        nta_outgoing_tcreate(r->leg, NULL, NULL, NULL, SIP_METHOD_ACK, NULL, SIPTAG_CSEQ(cseq), TAG_END());
    if (ack != NULL)
        nta_outgoing_destroy(ack);
    su_home_deinit(home);
}

static void invite_accepted(radio *r, sip_t const *sip)
{
    if (r->dialog == DIALOG_CALLING) {
        nta_leg_rtag(r->leg, sip->sip_to->a_tag);
        nta_leg_client_route(r->leg, sip->sip_record_route, sip->sip_contact);
    }
    ack_send(r, sip);
    if (r->dialog != DIALOG_CALLING)
        return;
    r->dialog = DIALOG_UP;
    poc_span answer = sip->sip_payload == NULL ? poc_span_of("", 0)
                                               : poc_span_of(sip->sip_payload->pl_data, sip->sip_payload->pl_len);
    if (pocue_answer_read(r->ue, answer) == POC_OK) {
        radio_tell(r, RADIO_IN, sip->sip_status->st_status, sip_status_phrase(sip->sip_status->st_status));
        return;
    }
    radio_tell(r, RADIO_REFUSED, SIP_488_NOT_ACCEPTABLE);
    if (r->dialog == DIALOG_UP)
        (void)radio_leave(r);
}

static int on_invite(radio *r, nta_outgoing_t *orq, sip_t const *sip)
{
    char authorization[GBA_HEADER_MAX];
    int status = nta_outgoing_status(orq);
    if (status < 200)
        return 0;
    if (status < 300 && sip != NULL) {
        invite_accepted(r, sip);
        return 0;
    }
    if (status == 401 && radio_challenge_answer(r, &r->invite, sip, poc_span_str(r->sdp), authorization) &&
        invite_send(r, authorization) == POC_OK)
        return 0;
    radio_dialog_end(r);
    radio_tell(r, RADIO_REFUSED, status, sip_status_phrase(status));
    return 0;
}

poc_err radio_join(radio *r, const char *group_uri)
{
    poc_wr wr = poc_wr_into(r->sdp, sizeof(r->sdp));
    if (r->dialog != DIALOG_NONE)
        return POC_E_STATE;
    if (strlen(group_uri) >= sizeof(r->group))
        return POC_E_INPUT;
    memcpy(r->group, group_uri, strlen(group_uri) + 1);
    POC_TRY(pocue_offer_write(r->ue, &r->local, &wr));
    POC_TRY(poc_wr_text(&wr));
    r->leg = leg_make(r, r->group);
    poc_err err = r->leg == NULL ? POC_E_NOMEM : invite_send(r, NULL);
    if (err != POC_OK)
        radio_dialog_end(r);
    else
        r->dialog = DIALOG_CALLING;
    return err;
}

/* ---- BYE ---- */

static int on_bye(radio *r, nta_outgoing_t *orq, sip_t const *sip)
{
    int status = nta_outgoing_status(orq);
    (void)sip;
    if (status < 200)
        return 0;
    radio_dialog_end(r);
    radio_tell(r, RADIO_OUT, status, sip_status_phrase(status));
    return 0;
}

/* Whoever says goodbye has stopped listening: the keys go with the BYE, not with its answer. */
poc_err radio_leave(radio *r)
{
    if (r->dialog != DIALOG_UP)
        return POC_E_STATE;
    r->bye.orq =
        nta_outgoing_tcreate(r->leg, on_bye, r, NULL, SIP_METHOD_BYE, NULL, SIPTAG_USER_AGENT_STR(radio_user_agent),
                             SIPTAG_HEADER_STR(r->preferred), TAG_END());
    if (r->bye.orq == NULL)
        return POC_E_IO;
    r->dialog = DIALOG_LEAVING;
    pocue_session_over(r->ue, radio_now_ms(), r->keep_keys);
    radio_pump(r);
    return POC_OK;
}

/* ---- REFER (digest "PoC", 2.3) ---- */

static int on_expel(radio *r, nta_outgoing_t *orq, sip_t const *sip);

static poc_err expel_send(radio *r, const char *authorization)
{
    r->expel.orq = nta_outgoing_tcreate(
        r->expel_leg, on_expel, r, uri_of(r->pf_uri), SIP_METHOD_REFER, uri_of(r->group),
        SIPTAG_CONTACT_STR(r->contact), SIPTAG_USER_AGENT_STR(radio_user_agent),
        SIPTAG_ACCEPT_CONTACT_STR(accept_contact), SIPTAG_HEADER_STR(r->preferred), SIPTAG_REFER_TO_STR(r->refer_to),
        TAG_IF(authorization != NULL, SIPTAG_AUTHORIZATION_STR(authorization)), TAG_END());
    return r->expel.orq == NULL ? POC_E_IO : POC_OK;
}

static int on_expel(radio *r, nta_outgoing_t *orq, sip_t const *sip)
{
    char authorization[GBA_HEADER_MAX];
    int status = nta_outgoing_status(orq);
    if (status < 200)
        return 0;
    if (status == 401 && radio_challenge_answer(r, &r->expel, sip, poc_span_of("", 0), authorization) &&
        expel_send(r, authorization) == POC_OK)
        return 0;
    if (status >= 300)
        fprintf(stderr, "%s: REFER was answered with %d\n", r->name, status);
    expel_end(r);
    return 0;
}

poc_err radio_expel(radio *r, const char *user)
{
    if (r->dialog != DIALOG_UP || r->expel_leg != NULL)
        return POC_E_STATE;
    poc_wr wr = poc_wr_into(r->refer_to, sizeof(r->refer_to));
    poc_wr_fmt(&wr, "<%s;method=BYE>", user);
    POC_TRY(poc_wr_text(&wr));
    r->expel_leg = leg_make(r, r->group);
    poc_err err = r->expel_leg == NULL ? POC_E_NOMEM : expel_send(r, NULL);
    if (err != POC_OK)
        expel_end(r);
    return err;
}
