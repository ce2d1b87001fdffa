/* The door: who sends this request? Clients prove it by GBA digest, or the trusted core vouches for them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pf/io/sip_private.h"

/** A peer given without a port is trusted on every port of its address. */
static bool peer_fits(const struct sockaddr_storage *peer, struct sockaddr_storage from)
{
    if (poc_addr_port((const struct sockaddr *)peer) == 0)
        poc_addr_set_port((struct sockaddr *)&from, 0);
    return poc_addr_eq((const struct sockaddr *)&from, (const struct sockaddr *)peer);
}

bool sip_is_trusted(const sip *s, msg_t *msg)
{
    struct sockaddr_storage from;
    if (!sip_source_address(&from, msg))
        return false;
    for (size_t i = 0; i < s->trusted_count; i++)
        if (peer_fits(&s->trusted[i], from))
            return true;
    return false;
}

/* ---- rate of one source ---- */

static bool source_may(sip *s, msg_t *msg)
{
    struct sockaddr_storage from;
    const bool is_known = sip_source_address(&from, msg);
    return sources_may(s->sources, is_known ? (const struct sockaddr *)&from : NULL, s->requests_per_source_s,
                       sip_now_s());
}

/* ---- requests that stay a while ---- */

static void inbound_unlink(sip_inbound *in)
{
    if (in->prev != NULL)
        in->prev->next = in->next;
    else
        in->sip->inbounds = in->next;
    if (in->next != NULL)
        in->next->prev = in->prev;
}

static void waiting_set(sip_inbound *in, bool waiting)
{
    if (in->waiting == waiting)
        return;
    in->waiting = waiting;
    in->sip->inbounds_waiting += waiting ? 1u : UINT32_MAX;
}

void sip_inbound_free(sip_inbound *in)
{
    if (in->waiting)
        in->sip->zn->ops->cancel(in->sip->zn, in);
    waiting_set(in, false);
    inbound_unlink(in);
    if (in->irq != NULL)
        nta_incoming_destroy(in->irq);
    msg_destroy(in->msg);
    free(in);
}

void sip_auth_forget(sip *s, const sip_session *session)
{
    for (sip_inbound *in = s->inbounds, *next; in != NULL; in = next) {
        next = in->next;
        if (session != NULL && (in->leg == NULL || in->leg->session != session))
            continue;
        nta_incoming_treply(in->irq, SIP_481_NO_TRANSACTION, TAG_END());
        sip_inbound_free(in);
    }
}

void sip_inbound_refuse(sip_inbound *in, int status, const char *phrase, poc_err kind, const char *reason)
{
    sip_refused(in->sip, kind, in->user[0] != '\0' ? in->user : NULL, reason);
    sip_refuse(in->sip, in->irq, status, phrase, reason);
    in->irq = NULL;
    sip_inbound_free(in);
}

/* ---- GBA digest ---- */

static void challenge(sip_inbound *in, bool stale)
{
    char text[GBA_HEADER_MAX];
    sip *s = in->sip;
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (gba_naf_challenge(s->naf, sip_now_s(), stale, &wr) != POC_OK || poc_wr_text(&wr) != POC_OK) {
        sip_inbound_refuse(in, SIP_500_INTERNAL_SERVER_ERROR, POC_E_NOMEM, "no challenge could be made");
        return;
    }
    s->counts.challenged++;
    nta_incoming_treply(in->irq, SIP_401_UNAUTHORIZED, SIPTAG_WWW_AUTHENTICATE_STR(text),
                        SIPTAG_SERVER_STR(SIP_USER_AGENT), TAG_END());
    sip_inbound_free(in);
}

/* Who the client says it is: P-Preferred-Identity, else From. */
static poc_err identity_claimed(char out[POC_URI_MAX], sip_t const *m, const char *header)
{
    const char *value = sip_unknown_value(m, header);
    if (value != NULL)
        return poc_uri_canonical(out, poc_span_str(value));
    return sip_url_canonical(out, m->sip_from->a_url);
}

static void identify(sip_inbound *in, const gba_naf_user *who)
{
    sip *s = in->sip;
    if (identity_claimed(in->user, in->m, "P-Preferred-Identity") != POC_OK) {
        in->user[0] = '\0';
        sip_inbound_refuse(in, SIP_400_BAD_REQUEST, POC_E_INPUT, "identity is not a usable URI");
        return;
    }
    if (!gba_naf_covers(who, poc_span_str(in->user), s->strict_identities)) {
        sip_inbound_refuse(in, SIP_403_FORBIDDEN, POC_E_DENIED, "identity does not belong to the B-TID");
        return;
    }
    if (in->leg != NULL && strcmp(in->user, in->leg->session->user) != 0) {
        sip_inbound_refuse(in, SIP_403_FORBIDDEN, POC_E_DENIED, "identity is not the one of the dialog");
        return;
    }
    s->events->authenticated(s->user, in->user, who);
    in->go(in);
}

static void zn_answered(void *user, poc_err err, const gba_zn_answer *answer);

static void ask_zn(sip_inbound *in, const gba_request *request)
{
    sip *s = in->sip;
    if (in->asked || s->inbounds_waiting >= SIP_PENDING_MAX) {
        sip_inbound_refuse(in, SIP_503_SERVICE_UNAVAILABLE, POC_E_LIMIT, "too many requests wait for the BSF");
        return;
    }
    in->asked = true;
    waiting_set(in, true);
    if (s->zn->ops->ask(s->zn, gba_naf_btid(request), gba_naf_naf_id(s->naf), zn_answered, in) != POC_OK) {
        waiting_set(in, false);
        sip_inbound_refuse(in, SIP_503_SERVICE_UNAVAILABLE, POC_E_IO, "the BSF cannot be asked");
    }
}

/* The credentials for the bootstrapping realm, among those for other realms. */
static const char *credentials(su_home_t *home, sip_t const *m)
{
    const char *first = NULL;
    for (const sip_authorization_t *au = m->sip_authorization; au != NULL; au = au->au_next) {
        const char *text = sip_header_as_string(home, (sip_header_t const *)au);
        if (text != NULL && strstr(text, "3GPP-bootstrapping") != NULL)
            return text;
        if (first == NULL)
            first = text;
    }
    return first;
}

static void digest_check(sip_inbound *in)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    const char *authorization = credentials(home, in->m);
    const char *uri = url_as_string(home, in->m->sip_request->rq_url);
    const char *why = "";
    gba_naf_user who;
    gba_request request = {
        .method = poc_span_str(in->m->sip_request->rq_method_name),
        .uri = poc_span_str(uri != NULL ? uri : ""),
        .body = sip_body(in->m),
        .authorization = authorization != NULL ? poc_span_str(authorization) : (poc_span){ 0 },
    };
    sip *s = in->sip;
    gba_naf_verdict verdict = gba_naf_check(s->naf, sip_now_s(), &request, &who, &why);
    if (verdict != GBA_NAF_OK && !in->asked && !source_may(s, in->msg)) {
        sip_inbound_refuse(in, SIP_503_SERVICE_UNAVAILABLE, POC_E_LIMIT,
                           "too many unauthenticated requests from one source");
    } else if (verdict == GBA_NAF_OK) {
        identify(in, &who);
    } else if (verdict == GBA_NAF_ASK_ZN) {
        ask_zn(in, &request);
    } else {
        if (verdict == GBA_NAF_WRONG)
            sip_refused(s, POC_E_AUTH, NULL, why);
        challenge(in, verdict == GBA_NAF_STALE);
    }
    su_home_deinit(home);
}

static void zn_answered(void *user, poc_err err, const gba_zn_answer *answer)
{
    sip_inbound *in = user;
    sip *s = in->sip;
    waiting_set(in, false);
    if (err == POC_OK) {
        su_home_t home[1] = { SU_HOME_INIT(home) };
        const char *authorization = credentials(home, in->m);
        gba_request request = { .authorization = poc_span_str(authorization != NULL ? authorization : "") };
        err = gba_naf_learn(s->naf, sip_now_s(), gba_naf_btid(&request), answer);
        su_home_deinit(home);
    }
    switch (err) {
    case POC_OK:
        digest_check(in);
        return;
    case POC_E_AUTH:
        sip_refused(s, POC_E_AUTH, NULL, "B-TID is unknown or expired");
        challenge(in, false);
        return;
    case POC_E_DENIED:
        sip_inbound_refuse(in, SIP_403_FORBIDDEN, err, "the BSF refuses this B-TID for this NAF");
        return;
    default:
        sip_inbound_refuse(in, SIP_503_SERVICE_UNAVAILABLE, err, "the BSF did not answer");
        return;
    }
}

/* ---- the core vouches ---- */

static void vouched(sip_inbound *in)
{
    sip *s = in->sip;
    gba_naf_user who;
    const char *asserted = sip_unknown_value(in->m, "P-Asserted-Identity");
    if (asserted == NULL || poc_uri_canonical(in->user, poc_span_str(asserted)) != POC_OK) {
        in->user[0] = '\0';
        sip_inbound_refuse(in, SIP_403_FORBIDDEN, POC_E_DENIED, "the core asserts no identity");
        return;
    }
    if (gba_naf_by_identity(s->naf, sip_now_s(), poc_span_str(in->user), &who))
        s->events->authenticated(s->user, in->user, &who);
    in->go(in);
}

/* A CANCEL while Zn thinks: Sofia answers 487, the request leaves. */
static int waiting_cancelled(void *magic, nta_incoming_t *irq, sip_t const *m)
{
    sip_inbound *in = magic;
    if (m == NULL || m->sip_request == NULL || m->sip_request->rq_method != sip_method_cancel)
        return 0;
    nta_incoming_treply(irq, SIP_487_REQUEST_TERMINATED, TAG_END());
    sip_inbound_free(in);
    return 0;
}

static sip_inbound *inbound_new(sip *s, sip_leg *leg, nta_incoming_t *irq, sip_inbound_fn *go)
{
    sip_inbound *in = calloc(1, sizeof(*in));
    if (in == NULL) {
        sip_refuse(s, irq, SIP_503_SERVICE_UNAVAILABLE, "out of memory");
        return NULL;
    }
    *in = (sip_inbound){ .sip = s, .irq = irq, .leg = leg, .go = go, .next = s->inbounds };
    in->msg = nta_incoming_getrequest(irq);
    in->m = sip_object(in->msg);
    if (s->inbounds != NULL)
        s->inbounds->prev = in;
    s->inbounds = in;
    nta_incoming_bind(irq, waiting_cancelled, in);
    return in;
}

void sip_auth_begin(sip *s, sip_leg *leg, nta_incoming_t *irq, sip_inbound_fn *go)
{
    sip_inbound *in = inbound_new(s, leg, irq, go);
    if (in == NULL)
        return;
    /* The CF is trusted by its dialog; a client proves itself each time, since a REFER may expel somebody. */
    bool trusted = sip_is_trusted(s, in->msg) || (leg != NULL && leg == &leg->session->cf);
    if (trusted && (s->auth == SIP_AUTH_DIGEST || leg != NULL))
        in->go(in);
    else if (trusted)
        vouched(in);
    else if (s->auth == SIP_AUTH_DIGEST)
        digest_check(in);
    else
        sip_inbound_refuse(in, SIP_403_FORBIDDEN, POC_E_DENIED, "not from the trusted core");
}

/* ---- mission critical services ---- */

bool sip_is_third_party(sip_t const *m)
{
    char from[POC_URI_MAX], to[POC_URI_MAX];
    return m->sip_request->rq_method == sip_method_register &&
           (sip_url_canonical(from, m->sip_from->a_url) != POC_OK ||
            sip_url_canonical(to, m->sip_to->a_url) != POC_OK || strcmp(from, to) != 0);
}

/*= TS 24.229, 5.4.1.7: the S-CSCF is in From, the public user identity that it tells of in To. */
static void told_by_core(sip_inbound *in)
{
    if (sip_url_canonical(in->user, in->m->sip_to->a_url) == POC_OK) {
        in->go(in);
        return;
    }
    in->user[0] = '\0';
    sip_inbound_refuse(in, SIP_400_BAD_REQUEST, POC_E_INPUT, "To is not a usable URI");
}

void sip_auth_begin_mcx(sip *s, nta_incoming_t *irq, sip_inbound_fn *go)
{
    sip_inbound *in = inbound_new(s, NULL, irq, go);
    if (in == NULL)
        return;
    const bool is_trusted = sip_is_trusted(s, in->msg);
    const bool is_asserted = sip_unknown_value(in->m, "P-Asserted-Identity") != NULL;
    if (sip_is_third_party(in->m) && is_trusted)
        told_by_core(in);
    else if (sip_is_third_party(in->m))
        sip_inbound_refuse(in, SIP_403_FORBIDDEN, POC_E_DENIED, "third-party REGISTER is not from the trusted core");
    else if (is_trusted && (is_asserted || s->auth == SIP_AUTH_REGISTERED))
        vouched(in);
    else if (s->auth == SIP_AUTH_DIGEST)
        digest_check(in);
    else
        sip_inbound_refuse(in, SIP_403_FORBIDDEN, POC_E_DENIED, "not from the trusted core");
}
