/* Requests of clients of mission critical services (TS 24.379 7.3, 14.2): REGISTER and PUBLISH with a key, and reports of what
 * they listen to. Who sends them is found out here; what they say is for the shell. */
#include "pf/io/sip_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EVENT_PACKAGE "poc-settings" /* TS 24.379 7.3.2 */
#define USERS_MAX     100000u
/* For 25 channels, each of which tries a hundred members who are not there every two seconds, for the 32 of timer F. */
#define SENT_MAX 40000u

poc_err sip_mcx_make(sip *s, const sip_settings *settings)
{
    uint64_t seeds[2];
    if (settings->mcx_identity == NULL)
        return POC_OK;
    sip_mcx *x = s->mcx = calloc(1, sizeof(*x));
    if (x == NULL)
        return POC_E_NOMEM;
    su_randmem(seeds, sizeof(seeds));
    poc_table_init(&x->publishers, seeds[0]);
    poc_table_init(&x->recipients, seeds[1]);
    x->sent_max = settings->mcx_sent_max != 0 ? settings->mcx_sent_max : SENT_MAX;
    x->publishers_max = settings->mcx_users_max != 0 ? settings->mcx_users_max : USERS_MAX;
    return poc_uri_canonical(x->identity, poc_span_str(settings->mcx_identity));
}

bool sip_mcx_is_named(const sip *s, const url_t *url)
{
    char canonical[POC_URI_MAX];
    return s->mcx != NULL && sip_url_canonical(canonical, url) == POC_OK && strcmp(canonical, s->mcx->identity) == 0;
}

bool sip_mcx_is_ours(const sip *s, sip_t const *m)
{
    const sip_method_t method = m->sip_request->rq_method;
    if (s->mcx == NULL)
        return false;
    return method == sip_method_register || ((method == sip_method_publish || method == sip_method_message) &&
                                             sip_mcx_is_named(s, m->sip_request->rq_url));
}

/* ---- answers ---- */

static void transaction_free(sip_mcx_transaction *t)
{
    sip_mcx *x = t->sip->mcx;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        x->waiting = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    x->waiting_count--;
    nta_incoming_destroy(t->irq);
    msg_destroy(t->msg);
    free(t);
}

static const char *number_text(char out[16], uint32_t n)
{
    (void)snprintf(out, 16, "%u", (unsigned)n);
    return out;
}

static const char *if_match_of(sip_t const *m)
{
    return m->sip_if_match != NULL ? m->sip_if_match->g_string : NULL;
}

/** The entity-tag of what a 200 says is published; "": of nothing. */
static void tag(const sip_mcx_transaction *t, const wire_mcx_answer *a, char etag[SIP_ETAG_SIZE])
{
    const char *if_match = if_match_of(t->m);
    etag[0] = '\0';
    if (t->m->sip_request->rq_method != sip_method_publish || a->status != 200)
        return;
    if (a->expires_s > 0)
        sip_publish_put(t->sip, t->impu, if_match, a->expires_s, etag);
    else
        sip_publish_remove(t->sip, t->impu, if_match);
}

/** What a 200 to a REGISTER says of its contact; NULL: there is none. */
static const char *binding(const sip_mcx_transaction *t, const wire_mcx_answer *a, su_home_t *home)
{
    const sip_contact_t *c = t->m->sip_contact;
    if (t->m->sip_request->rq_method != sip_method_register || a->status != 200 || a->expires_s == 0 || c == NULL)
        return NULL;
    const char *url = url_as_string(home, c->m_url);
    return url != NULL ? su_sprintf(home, "<%s>;expires=%u", url, (unsigned)a->expires_s) : NULL;
}

void sip_mcx_answer(sip_mcx_transaction *t, const wire_mcx_answer *a)
{
    char etag[SIP_ETAG_SIZE], warning[256], expires[16], min_expires[16], retry_after[16];
    su_home_t home[1] = { SU_HOME_INIT(home) };
    const char *contact = binding(t, a, home);
    const char *text = a->warning != NULL ? a->warning : a->status >= 300 ? a->why : "";
    const bool is_timed = a->status == 200 && t->m->sip_request->rq_method != sip_method_message;
    (void)snprintf(warning, sizeof(warning), "399 %s \"%s\"", t->sip->domain, text);
    tag(t, a, etag);
    nta_incoming_treply(
        t->irq, a->status, a->phrase, TAG_IF(text[0] != '\0', SIPTAG_WARNING_STR(warning)),
        TAG_IF(contact != NULL, SIPTAG_CONTACT_STR(contact)), TAG_IF(etag[0] != '\0', SIPTAG_ETAG_STR(etag)),
        TAG_IF(is_timed, SIPTAG_EXPIRES_STR(number_text(expires, a->expires_s))),
        TAG_IF(a->min_expires_s > 0, SIPTAG_MIN_EXPIRES_STR(number_text(min_expires, a->min_expires_s))),
        TAG_IF(a->retry_after_s > 0, SIPTAG_RETRY_AFTER_STR(number_text(retry_after, a->retry_after_s))),
        SIPTAG_SERVER_STR(SIP_USER_AGENT), TAG_END());
    su_home_deinit(home);
    transaction_free(t);
}

void sip_mcx_done(sip *s)
{
    static const wire_mcx_answer stopping = { .status = 503, .phrase = "Service Unavailable", .why = "shutting down" };
    if (s->mcx == NULL)
        return;
    while (s->mcx->waiting != NULL)
        sip_mcx_answer(s->mcx->waiting, &stopping); // NOLINT(clang-analyzer-unix.Malloc): who has no prev is the first
    sip_mcx_sent_free_all(s);
    sip_publish_free_all(s);
    free(s->mcx);
    s->mcx = NULL;
}

/* ---- requests ---- */

/** Of the first contact, else of the header. */
static bool expires_of(sip_t const *m, uint32_t *out)
{
    uint64_t n;
    const sip_contact_t *c = m->sip_contact;
    *out = 0;
    if (m->sip_request->rq_method == sip_method_register && c != NULL && c->m_expires != NULL &&
        poc_u64_get(&n, UINT32_MAX, poc_span_str(c->m_expires)) == POC_OK)
        *out = (uint32_t)n;
    else if (m->sip_expires != NULL)
        *out = m->sip_expires->ex_delta < UINT32_MAX ? (uint32_t)m->sip_expires->ex_delta : UINT32_MAX;
    else
        return false;
    return true;
}

/** Where its sender can be reached without anybody in between; "": nowhere. */
static const char *contact_of(su_home_t *home, sip_t const *m)
{
    const sip_contact_t *c = m->sip_contact;
    const bool is_direct = m->sip_via != NULL && m->sip_via->v_next == NULL;
    if (c == NULL || !is_direct || sip_is_third_party(m) || c->m_url->url_type == url_any ||
        c->m_url->url_host == NULL || c->m_url->url_headers != NULL)
        return "";
    const char *text = url_as_string(home, c->m_url);
    return text != NULL && strlen(text) < WIRE_MCX_WHERE_MAX ? text : "";
}

/*= RFC 3903, 6: the checks of an event state compositor, in its order. */
static sip_refusal publish_check(const sip_inbound *in)
{
    sip_t const *m = in->m;
    const char *if_match = if_match_of(m);
    uint32_t expires_s;
    const bool is_removal = expires_of(m, &expires_s) && expires_s == 0;
    if (if_match != NULL && !sip_publish_is_known(in->sip, in->user, if_match))
        return (sip_refusal){ 412, "Conditional Request Failed", POC_E_STATE,
                              "SIP-If-Match names nothing that is published" };
    if (if_match == NULL && !is_removal && sip_body(m).n == 0)
        return (sip_refusal){ SIP_400_BAD_REQUEST, POC_E_INPUT,
                              "PUBLISH neither brings anything nor names what it is about" };
    return (sip_refusal){ 0 };
}

static sip_refusal register_check(const sip_inbound *in)
{
    char to[POC_URI_MAX];
    sip_t const *m = in->m;
    uint32_t expires_s;
    const bool is_any = m->sip_contact != NULL && m->sip_contact->m_url->url_type == url_any;
    if (is_any && (!expires_of(m, &expires_s) || expires_s != 0)) /* RFC 3261 10.3, 6 */
        return (sip_refusal){ SIP_400_BAD_REQUEST, POC_E_INPUT, "Contact * without Expires 0" };
    if (sip_url_canonical(to, m->sip_to->a_url) != POC_OK)
        return (sip_refusal){ SIP_400_BAD_REQUEST, POC_E_INPUT, "To is not a usable URI" };
    if (strcmp(to, in->user) != 0)
        return (sip_refusal){ SIP_403_FORBIDDEN, POC_E_DENIED, "REGISTER is not for the identity of its sender" };
    return (sip_refusal){ 0 };
}

static sip_refusal check(const sip_inbound *in)
{
    if (in->sip->mcx->waiting_count >= SIP_PENDING_MAX)
        return (sip_refusal){ SIP_503_SERVICE_UNAVAILABLE, POC_E_LIMIT, "too many keys wait to be made durable" };
    switch (in->m->sip_request->rq_method) {
    case sip_method_publish:
        return publish_check(in);
    case sip_method_register:
        return register_check(in);
    default:
        return (sip_refusal){ 0 };
    }
}

static sip_mcx_transaction *transaction_new(sip_inbound *in)
{
    sip_mcx *x = in->sip->mcx;
    sip_mcx_transaction *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    *t = (sip_mcx_transaction){
        .sip = in->sip, .irq = in->irq, .msg = nta_incoming_getrequest(in->irq), .next = x->waiting
    };
    t->m = sip_object(t->msg);
    memcpy(t->impu, in->user, sizeof(t->impu));
    nta_incoming_bind(in->irq, NULL, NULL);
    in->irq = NULL;
    if (x->waiting != NULL)
        x->waiting->prev = t;
    x->waiting = t;
    x->waiting_count++;
    return t;
}

static wire_mcx_method method_of(sip_t const *m)
{
    switch (m->sip_request->rq_method) {
    case sip_method_register:
        return WIRE_MCX_REGISTER;
    case sip_method_publish:
        return WIRE_MCX_PUBLISH;
    default:
        return WIRE_MCX_MESSAGE;
    }
}

/** The shell may answer at once, which ends the transaction: what it reads outlives that. */
static void tell(sip_mcx_transaction *t)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    char impu[POC_URI_MAX];
    const sip *s = t->sip;
    sip_t const *m = t->m;
    msg_t *msg = msg_ref_create(t->msg);
    const char *type = NULL;
    if (m->sip_content_type != NULL)
        type = sip_header_as_string(home, (sip_header_t const *)m->sip_content_type);
    memcpy(impu, t->impu, sizeof(impu));
    wire_mcx_request request = { .method = method_of(m),
                                 .by_core = sip_is_third_party(m),
                                 .impu = impu,
                                 .content_type = poc_span_str(type != NULL ? type : ""),
                                 .body = sip_body(m),
                                 .where = contact_of(home, m) };
    request.has_expires = expires_of(m, &request.expires_s);
    s->events->mcx(s->user, t, &request);
    msg_destroy(msg);
    su_home_deinit(home);
}

static void authenticated(sip_inbound *in)
{
    const sip_refusal r = check(in);
    if (r.status != 0) {
        sip_inbound_refuse(in, r.status, r.phrase, r.kind, r.reason);
        return;
    }
    sip_mcx_transaction *t = transaction_new(in);
    if (t == NULL) {
        sip_inbound_refuse(in, SIP_503_SERVICE_UNAVAILABLE, POC_E_NOMEM, "out of memory");
        return;
    }
    sip_inbound_free(in);
    tell(t);
}

/** What can be said before anybody has to prove who he is. .status 0: nothing. */
static sip_refusal door_check(const sip *s, sip_t const *m)
{
    if (s->draining)
        return (sip_refusal){ SIP_503_SERVICE_UNAVAILABLE, POC_E_LIMIT, "shutting down" };
    if (m->sip_content_encoding != NULL)
        return (sip_refusal){ SIP_415_UNSUPPORTED_MEDIA, POC_E_INPUT, "body is compressed" };
    if (m->sip_request->rq_method != sip_method_publish)
        return (sip_refusal){ 0 };
    if (m->sip_event == NULL || m->sip_event->o_type == NULL || strcasecmp(m->sip_event->o_type, EVENT_PACKAGE) != 0)
        return (sip_refusal){ SIP_489_BAD_EVENT, POC_E_INPUT, "event package is not " EVENT_PACKAGE };
    return (sip_refusal){ 0 };
}

static void door_refuse(sip *s, nta_incoming_t *irq, const sip_refusal *r)
{
    char warning[256];
    (void)snprintf(warning, sizeof(warning), "399 %s \"%s\"", s->domain, r->reason);
    sip_refused(s, r->kind, NULL, r->reason);
    nta_incoming_treply(
        irq, r->status, r->phrase, SIPTAG_WARNING_STR(warning), TAG_IF(r->status == 503, SIPTAG_RETRY_AFTER_STR("5")),
        TAG_IF(r->status == 415, SIPTAG_ACCEPT_ENCODING_STR("identity")),
        TAG_IF(r->status == 489, SIPTAG_ALLOW_EVENTS_STR(EVENT_PACKAGE)), SIPTAG_SERVER_STR(SIP_USER_AGENT), TAG_END());
    nta_incoming_destroy(irq);
}

void sip_mcx_request(sip *s, nta_incoming_t *irq, sip_t const *m)
{
    const sip_refusal r = door_check(s, m);
    if (r.status == 0)
        sip_auth_begin_mcx(s, irq, authenticated);
    else
        door_refuse(s, irq, &r);
}
