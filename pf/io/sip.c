/* The SIP agent: listeners, the door that sorts requests outside dialogs, counts, draining. */
#include "pf/io/sip.h"

#include <sofia-sip/tport_tag.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pf/io/config.h"
#include "pf/io/now.h"
#include "pf/io/sip_private.h"

/* Answers to a window of offers come at once, and one that is lost is not sent again for half a second. */
enum { UDP_BUFFER_OCTETS = 4 * 1024 * 1024 };

int64_t sip_now_ms(void)
{
    return io_now_ms();
}

int64_t sip_now_s(void)
{
    return io_now_ms() / 1000;
}

uint32_t sip_random(uint32_t below)
{
    return (uint32_t)su_randint(0, (int)below - 1);
}

void sip_refused(sip *s, poc_err kind, const char *who, const char *reason)
{
    s->counts.refused++;
    s->events->refused(s->user, kind, who, reason);
}

static const char *allowed(const sip *s)
{
    return s->mcx != NULL ? SIP_ALLOW_MCX : SIP_ALLOW;
}

void sip_refuse(sip *s, nta_incoming_t *irq, int status, const char *phrase, const char *reason)
{
    char warning[256], min_se[16];
    poc_wr wr = poc_wr_into(min_se, sizeof(min_se));
    poc_wr_fmt(&wr, "%u", s->session_min_s);
    (void)poc_wr_text(&wr);
    wr = poc_wr_into(warning, sizeof(warning));
    poc_wr_fmt(&wr, "399 %s \"%s\"", s->domain, reason);
    bool warned = poc_wr_text(&wr) == POC_OK;
    nta_incoming_treply(
        irq, status, phrase, TAG_IF(warned, SIPTAG_WARNING_STR(warning)),
        TAG_IF(status == 503, SIPTAG_RETRY_AFTER_STR("5")), TAG_IF(status == 405, SIPTAG_ALLOW_STR(allowed(s))),
        TAG_IF(status == 422, SIPTAG_MIN_SE_STR(min_se)), TAG_IF(status == 415, SIPTAG_ACCEPT_STR(SIP_SDP_TYPE)),
        SIPTAG_SERVER_STR(SIP_USER_AGENT), TAG_END());
    nta_incoming_destroy(irq);
}

/* ---- the door ---- */

static bool is_our_own(const sip *s, sip_t const *m)
{
    const url_t *url = m->sip_request->rq_url;
    return (url->url_user == NULL && url->url_host != NULL && strcasecmp(url->url_host, s->domain) == 0) ||
           sip_mcx_is_named(s, url);
}

/* What every request outside dialogs has to be; .status 0 when it is. */
static sip_refusal door_check(sip_t const *m)
{
    const url_t *url = m->sip_request->rq_url;
    if (m->sip_to->a_tag != NULL)
        return (sip_refusal){ SIP_481_NO_TRANSACTION, POC_E_STATE, "no such dialog" };
    if (m->sip_error != NULL)
        return (sip_refusal){ SIP_400_BAD_REQUEST, POC_E_INPUT, "a header is malformed" };
    if (m->sip_max_forwards != NULL && m->sip_max_forwards->mf_count == 0)
        return (sip_refusal){ SIP_483_TOO_MANY_HOPS, POC_E_INPUT, "Max-Forwards is used up" };
    if (url->url_type != url_sip)
        return (sip_refusal){ 416, "Unsupported URI Scheme", POC_E_INPUT, "Request-URI is not a sip: URI" };
    /* Headers in the Request-URI would become headers of the request that we send on. */
    if (url->url_headers != NULL || url->url_host == NULL)
        return (sip_refusal){ SIP_400_BAD_REQUEST, POC_E_INPUT, "Request-URI has headers or no host" };
    return (sip_refusal){ 0 };
}

static sip_refusal invite_check(const sip *s, sip_t const *m)
{
    if (s->draining)
        return (sip_refusal){ SIP_503_SERVICE_UNAVAILABLE, POC_E_LIMIT, "shutting down" };
    if (m->sip_contact == NULL)
        return (sip_refusal){ SIP_400_BAD_REQUEST, POC_E_INPUT, "INVITE without Contact" };
    if (sip_wants_tls(m->sip_record_route, m->sip_contact))
        return (sip_refusal){ SIP_400_BAD_REQUEST, POC_E_INPUT, "Contact asks for TLS, which is not spoken here" };
    if (sip_body(m).n == 0)
        return (sip_refusal){ SIP_488_NOT_ACCEPTABLE, POC_E_DENIED, "INVITE without an offer" };
    if (sip_description(m).n == 0)
        return (sip_refusal){ SIP_415_UNSUPPORTED_MEDIA, POC_E_INPUT, "no application/sdp in the body" };
    if (sip_timer_too_short(s, m))
        return (sip_refusal){ SIP_422_SESSION_TIMER_TOO_SMALL, POC_E_INPUT, "session interval too small" };
    return (sip_refusal){ 0 };
}

bool sip_extension_refused(sip *s, nta_incoming_t *irq, sip_t const *m)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    sip_supported_t *ours = sip_supported_make(home, "timer");
    sip_unsupported_t *missing = sip_has_unsupported(home, ours, m->sip_require);
    bool refused = missing != NULL;
    if (refused) {
        sip_refused(s, POC_E_INPUT, NULL, "Require names an unsupported extension");
        nta_incoming_treply(irq, SIP_420_BAD_EXTENSION, SIPTAG_UNSUPPORTED(missing), TAG_END());
        nta_incoming_destroy(irq);
    }
    su_home_deinit(home);
    return refused;
}

/* In digest mode trusted peers are the CF's side. With a core that serves both sides, the focus tells itself by isfocus. */
static bool is_from_cf(const sip *s, sip_t const *m, bool trusted)
{
    if (!trusted || s->auth == SIP_AUTH_DIGEST)
        return trusted;
    for (const msg_param_t *p = m->sip_contact != NULL ? m->sip_contact->m_params : NULL; p != NULL && *p != NULL; p++)
        if (strcasecmp(*p, "isfocus") == 0)
            return true;
    return false;
}

static void door_refuse(sip *s, nta_incoming_t *irq, const sip_refusal *r)
{
    sip_refused(s, r->kind, NULL, r->reason);
    sip_refuse(s, irq, r->status, r->phrase, r->reason);
}

static int door_invite(sip *s, nta_incoming_t *irq, sip_t const *m, bool from_cf)
{
    sip_refusal r = invite_check(s, m);
    if (r.status != 0) {
        door_refuse(s, irq, &r);
        return 0;
    }
    sip_auth_begin(s, NULL, irq, from_cf ? sip_session_invite_from_core : sip_session_invite);
    return 0;
}

/* .status 0: a request that is carried, or for us. */
static sip_refusal method_check(const sip *s, sip_t const *m)
{
    const sip_method_t method = m->sip_request->rq_method;
    if (method == sip_method_invite || sip_is_carried(m, false) || sip_mcx_is_ours(s, m))
        return (sip_refusal){ 0 };
    return method == sip_method_unknown
               ? (sip_refusal){ SIP_501_NOT_IMPLEMENTED, POC_E_INPUT, "unknown method" }
               : (sip_refusal){ SIP_405_METHOD_NOT_ALLOWED, POC_E_INPUT, "method is not served outside a dialog" };
}

static int door_request(void *magic, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *m)
{
    sip *s = magic;
    (void)leg;
    s->counts.requests++;
    if (m->sip_request->rq_method == sip_method_ack)
        return 0;
    sip_refusal r = door_check(m);
    if (r.status == 0)
        r = method_check(s, m);
    if (r.status != 0) {
        door_refuse(s, irq, &r);
        return 0;
    }
    /* What is only carried need not be understood by us. */
    bool ours = m->sip_request->rq_method == sip_method_invite || is_our_own(s, m) || sip_mcx_is_ours(s, m);
    if (ours && sip_extension_refused(s, irq, m))
        return 0;
    if (m->sip_request->rq_method == sip_method_options && ours) {
        nta_incoming_treply(irq, SIP_200_OK, SIPTAG_ALLOW_STR(allowed(s)), SIPTAG_ACCEPT_STR(SIP_SDP_TYPE), TAG_END());
        nta_incoming_destroy(irq);
        return 0;
    }
    if (sip_mcx_is_ours(s, m)) {
        sip_mcx_request(s, irq, m);
        return 0;
    }
    msg_t *msg = nta_incoming_getrequest(irq);
    bool from_cf = is_from_cf(s, m, sip_is_trusted(s, msg));
    msg_destroy(msg);
    if (m->sip_request->rq_method == sip_method_invite)
        return door_invite(s, irq, m, from_cf);
    sip_auth_begin(s, NULL, irq, from_cf ? sip_carry_from_core : sip_carry_from_client);
    return 0;
}

/* ---- listening ---- */

static poc_err listen_on(sip *s, const char *entry)
{
    char url[SIP_URL_MAX];
    if (sip_text_listen_url(url, entry) != POC_OK)
        return POC_E_INPUT;
    /* Sofia's TLS keeps what every connection took, and one failed handshake ends other connections (docs/sip-tls.md). */
    if (strncmp(entry, "tls:", 4) == 0)
        return POC_E_IO;
    return nta_agent_add_tport(s->agent, URL_STRING_MAKE(url), TPTAG_UDP_RMEM(UDP_BUFFER_OCTETS), TAG_END()) < 0
               ? POC_E_IO
               : POC_OK;
}

static poc_err contacts_learn(sip *s)
{
    for (const sip_via_t *v = nta_agent_via(s->agent); v != NULL; v = v->v_next) {
        int transport = sip_transport_of(sip_via_transport(v));
        char **at = &s->contacts[transport][v->v_host != NULL && v->v_host[0] == '['];
        if (*at != NULL || v->v_host == NULL)
            continue;
        *at = su_sprintf(s->home, "<sip:%s%s%s;transport=%s>", v->v_host, v->v_port != NULL ? ":" : "",
                         v->v_port != NULL ? v->v_port : "",
                         transport == SIP_TCP   ? "tcp"
                         : transport == SIP_TLS ? "tls"
                                                : "udp");
        if (*at == NULL)
            return POC_E_NOMEM;
    }
    return POC_OK;
}

static poc_err agent_start(sip *s, const sip_settings *settings)
{
    s->agent = nta_agent_create(s->root, (url_string_t *)-1, NULL, NULL, NTATAG_UA(1), NTATAG_MERGE_482(1),
                                NTATAG_MAXSIZE(SIP_REQUEST_MAX), NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0),
                                NTATAG_CLIENT_RPORT(1), TAG_END());
    if (s->agent == NULL)
        return POC_E_NOMEM;
    s->door = nta_leg_tcreate(s->agent, door_request, s, NTATAG_NO_DIALOG(1), TAG_END());
    if (s->door == NULL)
        return POC_E_NOMEM;
    for (size_t i = 0; i < settings->listen_count; i++)
        POC_TRY(listen_on(s, settings->listen[i]));
    return contacts_learn(s);
}

/* ---- making and ending ---- */

/** "ADDRESS" or "ADDRESS:PORT". */
static poc_err trusted_take(sip *s, const char *peer)
{
    struct sockaddr_storage *at = &s->trusted[s->trusted_count++];
    if (poc_addr_parse(at, poc_span_str(peer), 0) == POC_OK)
        return POC_OK;
    return config_address(at, peer);
}

static poc_err settings_take(sip *s, const sip_settings *settings)
{
    s->domain = su_strdup(s->home, settings->domain);
    s->next_hop = url_make(s->home, settings->next_hop);
    s->trusted = calloc(settings->trusted_count + 1, sizeof(*s->trusted));
    if (s->domain == NULL || s->trusted == NULL)
        return POC_E_NOMEM;
    POC_TRY(sources_new(&s->sources));
    if (s->next_hop == NULL || s->next_hop->url_host == NULL)
        return POC_E_INPUT;
    for (size_t i = 0; i < settings->trusted_count; i++)
        POC_TRY(trusted_take(s, settings->trusted_peers[i]));
    s->auth = settings->auth;
    s->session_expires_s = settings->session_expires_s;
    s->session_min_s = settings->session_min_s != 0 ? settings->session_min_s : SIP_MIN_SE_S;
    s->sessions_max = settings->sessions_max;
    s->requests_per_source_s = settings->requests_per_source_s;
    s->strict_identities = settings->strict_identities;
    return POC_OK;
}

static wake_fn reap;

static poc_err timers_make(sip *s)
{
    POC_TRY(wake_new(&s->clock, s->root, sip_timers_due, s));
    POC_TRY(wake_new(&s->reaper, s->root, reap, s));
    return wake_new(&s->pump, s->root, sip_offer_pump, s);
}

POC_DEFINE_OWNED(sip, sip_free)

poc_err sip_new(sip **out, su_root_t *root, const sip_settings *settings, gba_naf *naf, zn *z, relay *r,
                const sip_events *events, void *user)
{
    POC_OWNED(sip, s, sip_free);
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return POC_E_NOMEM;
    su_home_init(s->home);
    s->root = root;
    s->naf = naf;
    s->zn = z;
    s->relay = r;
    s->events = events;
    s->user = user;
    POC_TRY(settings_take(s, settings));
    POC_TRY(sip_mcx_make(s, settings));
    POC_TRY(timers_make(s));
    POC_TRY(agent_start(s, settings));
    POC_TRY(sip_tcp_new(&s->tcp, s, settings));
    *out = POC_RELEASE(s);
    return POC_OK;
}

static void dead_free(sip *s)
{
    while (s->dead != NULL) {
        sip_session *next = s->dead->next;
        sip_session_free(s->dead);
        s->dead = next;
    }
    sip_subscription_reap(s);
}

static bool drain_is_over(const sip *s)
{
    return s->drained != NULL && s->byes_open == 0 && s->sessions == NULL;
}

static void reap(void *user)
{
    sip *s = user;
    dead_free(s);
    if (!drain_is_over(s))
        return;
    void (*done)(void *user) = s->drained;
    s->drained = NULL;
    done(s->drained_user); /* last: may free s */
}

void sip_reap_soon(sip *s)
{
    wake_soon(s->reaper);
}

void sip_free(sip *s)
{
    if (s == NULL)
        return;
    s->drained = NULL;
    if (s->agent != NULL)
        sip_auth_forget(s, NULL);
    sip_carry_free_all(s);
    sip_mcx_done(s);
    while (s->sessions != NULL)
        sip_session_bury(s->sessions);
    sip_subscription_free_all(s);
    dead_free(s);
    sip_tcp_free(s->tcp);
    if (s->door != NULL)
        nta_leg_destroy(s->door);
    if (s->agent != NULL)
        nta_agent_destroy(s->agent);
    wake_free(s->reaper);
    wake_free(s->pump);
    wake_free(s->clock);
    free(s->times);
    free(s->trusted);
    sources_free(s->sources);
    su_home_deinit(s->home);
    free(s);
}

/* ---- draining ---- */

void sip_drain_look(sip *s)
{
    if (drain_is_over(s))
        sip_reap_soon(s);
}

void sip_drain(sip *s, void (*done)(void *user), void *user)
{
    s->draining = true;
    s->drained = done;
    s->drained_user = user;
    while (s->sessions != NULL)
        sip_session_end(s->sessions, POCPF_LOST, true);
    sip_drain_look(s);
}

sip_counts sip_look(const sip *s)
{
    return s->counts;
}
