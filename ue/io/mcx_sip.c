/* Requests of mission critical services, both ways (digest "MCX signalling key management" 7.1, 7.2). */
#include <sofia-sip/msg_addr.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ue/io/mcx.h"

/* What a service is called in SIP (TS 24.379 Annex D, TS 24.281). */
static const struct {
    const char *name;
} services[MCX_SERVICES] = { [MCX_MCPTT] = { "mcptt" }, [MCX_MCVIDEO] = { "mcvideo" } };

#define ICSI         "urn:urn-7:3gpp-service.ims.icsi."
#define ICSI_ESCAPED "urn%%3Aurn-7%%3A3gpp-service.ims.icsi." /* in a format */

static const char settings_event[] = "poc-settings";

/* ---- who this radio is ---- */

static poc_err domain_make(struct mcx *m)
{
    const char *host = strchr(m->radio->impu, '@');
    poc_wr wr = poc_wr_into(m->domain, sizeof(m->domain));
    if (host == NULL)
        return POC_E_INPUT;
    poc_wr_fmt(&wr, "sip:%s", host + 1);
    return poc_wr_text(&wr);
}

static poc_err contact_make(struct mcx *m, const char *uri)
{
    const char *name = services[m->service].name;
    poc_wr wr = poc_wr_into(m->contact, sizeof(m->contact));
    poc_wr_fmt(&wr, "<%s>;+g.3gpp.%s;+g.3gpp.icsi-ref=\"" ICSI_ESCAPED "%s\"", uri, name, name);
    return poc_wr_text(&wr);
}

static void parameter_drop(char *uri, const char *parameter)
{
    char *at = strstr(uri, parameter);
    if (at != NULL)
        memmove(at, at + strlen(parameter), strlen(at + strlen(parameter)) + 1);
}

/* With a CSK in it a request is larger than a datagram should be (RFC 3261 18.1.1): where nothing else is said, Sofia then chooses
 * TCP, and so may the server. Where the radio's port is somebody else's in TCP, UDP has to do. */
static void transports_open(struct mcx *m, char uri[RADIO_TEXT_MAX])
{
    static const char udp[] = ";transport=udp";
    radio *r = m->radio;
    char listens[RADIO_TEXT_MAX + sizeof(";transport=tcp")];
    snprintf(m->route, sizeof(m->route), "%s", r->pf_uri);
    snprintf(uri, RADIO_TEXT_MAX, "%s", r->contact_uri);
    if (strstr(uri, udp) == NULL)
        return;
    parameter_drop(uri, udp);
    snprintf(listens, sizeof(listens), "%s;transport=tcp", uri);
    if (nta_agent_add_tport(r->agent, URL_STRING_MAKE(listens), TAG_END()) == 0)
        parameter_drop(m->route, udp);
    else
        snprintf(uri, RADIO_TEXT_MAX, "%s", r->contact_uri);
}

/* Where the server's requests come from, when that is known as an address. */
static void proxy_make(struct mcx *m)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    url_t const *url = url_make(home, m->radio->pf_uri);
    if (url != NULL && url->url_host != NULL) {
        poc_span host = poc_span_str(url->url_host);
        if (host.n > 2 && host.p[0] == '[')
            host = poc_span_of(host.p + 1, host.n - 2);
        if (poc_addr_parse(&m->proxy, host, 0) != POC_OK)
            m->proxy.ss_family = AF_UNSPEC;
    }
    su_home_deinit(home);
}

poc_err mcx_texts_make(struct mcx *m)
{
    char uri[RADIO_TEXT_MAX];
    poc_wr wr = poc_wr_into(m->service_says, sizeof(m->service_says));
    poc_wr_fmt(&wr, "P-%s-Service: " ICSI "%s", m->radio->is_vouched_for ? "Asserted" : "Preferred",
               services[m->service].name);
    POC_TRY(poc_wr_text(&wr));
    POC_TRY(domain_make(m));
    transports_open(m, uri);
    proxy_make(m);
    return contact_make(m, uri);
}

/* ---- requests to the server ---- */

nta_leg_t *mcx_leg_make(struct mcx *m, const char *from, const char *to)
{
    radio *r = m->radio;
    char from_header[RADIO_TEXT_MAX + 2], to_header[RADIO_TEXT_MAX + 2];
    snprintf(from_header, sizeof(from_header), "<%s>", from == NULL ? r->impu : from);
    snprintf(to_header, sizeof(to_header), "<%s>", to);
    nta_leg_t *leg = nta_leg_tcreate(r->agent, radio_dialog_request, r, SIPTAG_FROM_STR(from_header),
                                     SIPTAG_TO_STR(to_header), TAG_END());
    if (leg != NULL)
        (void)nta_leg_tag(leg, NULL);
    return leg;
}

static void accept_contact_make(const struct mcx *m, char *out, size_t cap)
{
    snprintf(out, cap, "*;+g.3gpp.%s;require;explicit", services[m->service].name);
}

static nta_outgoing_t *request_make(struct mcx *m, nta_response_f *answered, const mcx_sending *s,
                                    sip_payload_t const *payload)
{
    radio *r = m->radio;
    char accept_contact[64];
    const bool has_etag = s->if_match != NULL && s->if_match[0] != '\0';
    const char *route = s->route == NULL || s->route[0] == '\0' ? m->route : s->route;
    accept_contact_make(m, accept_contact, sizeof(accept_contact));
    return nta_outgoing_tcreate(
        s->leg, answered, r, URL_STRING_MAKE(route), s->method, s->method_name, URL_STRING_MAKE(s->request_uri),
        SIPTAG_USER_AGENT_STR(radio_user_agent), TAG_IF(s->contact != NULL, SIPTAG_CONTACT_STR(s->contact)),
        TAG_IF(s->expires != NULL, SIPTAG_EXPIRES_STR(s->expires)),
        TAG_IF(s->event != NULL, SIPTAG_EVENT_STR(s->event)), TAG_IF(has_etag, SIPTAG_IF_MATCH_STR(s->if_match)),
        TAG_IF(s->method != sip_method_register, SIPTAG_ACCEPT_CONTACT_STR(accept_contact)),
        TAG_IF(s->says_who, SIPTAG_HEADER_STR(r->preferred)), SIPTAG_HEADER_STR(m->service_says),
        TAG_IF(s->authorization != NULL, SIPTAG_AUTHORIZATION_STR(s->authorization)),
        TAG_IF(s->content_type != NULL, SIPTAG_CONTENT_TYPE_STR(s->content_type)),
        TAG_IF(payload != NULL, SIPTAG_PAYLOAD(payload)), TAG_END());
}

poc_err mcx_send(struct mcx *m, radio_request *request, nta_response_f *answered, const mcx_sending *s)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    sip_payload_t *payload = NULL;
    if (s->body.n > 0)
        payload = sip_payload_create(home, s->body.p, (issize_t)s->body.n);
    if (s->body.n == 0 || payload != NULL)
        request->orq = request_make(m, answered, s, payload);
    if (payload != NULL)
        poc_wipe(payload->pl_data, payload->pl_len); /* an access token may stand in it */
    su_home_deinit(home);
    return request->orq == NULL ? POC_E_IO : POC_OK;
}

const char *mcx_event_name(void)
{
    return settings_event;
}

const char *mcx_reason(sip_t const *sip, int status, char *room, size_t cap)
{
    const char *text = sip == NULL || sip->sip_warning == NULL ? NULL : sip->sip_warning->w_text;
    snprintf(room, cap, "%s", text != NULL ? text : sip_status_phrase(status));
    return room;
}

/* ---- requests of the server ---- */

static const char *header_of(sip_t const *sip, const char *name)
{
    for (sip_unknown_t const *u = sip->sip_unknown; u != NULL; u = u->un_next)
        if (strcasecmp(u->un_name, name) == 0)
            return u->un_value;
    return NULL;
}

static bool is_of_service(const struct mcx *m, sip_t const *sip)
{
    char icsi[96];
    const char *said = header_of(sip, "P-Asserted-Service");
    snprintf(icsi, sizeof(icsi), ICSI "%s", services[m->service].name);
    if (said == NULL) /* of the package of its settings nobody else notifies */
        return sip->sip_request->rq_method == sip_method_notify;
    return strcmp(said, icsi) == 0;
}

static bool is_of_server(const struct mcx *m, sip_t const *sip)
{
    char canonical[POC_URI_MAX];
    const char *said = header_of(sip, "P-Asserted-Identity");
    const char *bracket = said == NULL ? NULL : strchr(said, '<'); /* a name for people may stand before it */
    const poc_span uri = poc_trim(poc_span_str(bracket != NULL ? bracket : said != NULL ? said : ""));
    return poc_uri_canonical(canonical, uri) == POC_OK && strcmp(canonical, m->psi_canonical) == 0;
}

static bool is_from_proxy(const struct mcx *m, nta_incoming_t *irq)
{
    struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
    msg_t *msg = m->proxy.ss_family == AF_UNSPEC ? NULL : nta_incoming_getrequest(irq);
    if (msg == NULL)
        return m->proxy.ss_family == AF_UNSPEC;
    memcpy(&from, &msg_addr(msg)->su_sa, poc_addr_len(&msg_addr(msg)->su_sa));
    poc_addr_set_port((struct sockaddr *)&from, 0);
    msg_destroy(msg);
    return poc_addr_eq((struct sockaddr *)&from, (const struct sockaddr *)&m->proxy);
}

/* A key shows by itself who it is from. An announcement does not: what counts is who asserts to be sending it, to the proxy that
 * would not let anybody else say so. */
static const char *stranger(const struct mcx *m, nta_incoming_t *irq, sip_t const *sip)
{
    if (!is_of_service(m, sip))
        return "399 not of a mission critical service of this user";
    if (!is_of_server(m, sip))
        return "399 not from the server of this user";
    return is_from_proxy(m, irq) ? NULL : "399 not by the proxy of this user";
}

static pocue_reply message_take(struct mcx *m, nta_incoming_t *irq, sip_t const *sip, const char **why)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    pocue_reply reply = { .status = 403, .warning = stranger(m, irq, sip) };
    *why = reply.warning;
    if (reply.warning != NULL)
        return reply;
    const char *type =
        sip->sip_content_type == NULL ? NULL : sip_header_as_string(home, (sip_header_t const *)sip->sip_content_type);
    const poc_span body = sip->sip_payload == NULL ? poc_span_of("", 0)
                                                   : poc_span_of(sip->sip_payload->pl_data, sip->sip_payload->pl_len);
    (void)pocue_mcx_message(m->radio->ue, radio_now_ms(), poc_span_str(type == NULL ? "" : type), body, &reply, why);
    su_home_deinit(home);
    return reply;
}

static void message_answer(radio *r, nta_incoming_t *irq, const pocue_reply *reply)
{
    char warning[RADIO_TEXT_MAX];
    const bool warns = reply->warning != NULL && radio_warning_write(r, warning, reply->warning) == POC_OK;
    nta_incoming_treply(irq, reply->status, sip_status_phrase(reply->status),
                        TAG_IF(warns, SIPTAG_WARNING_STR(warning)), TAG_END());
    nta_incoming_destroy(irq);
}

static bool is_ours(sip_t const *sip)
{
    return sip->sip_request->rq_method == sip_method_message ||
           (sip->sip_event != NULL && sip->sip_event->o_type != NULL &&
            strcasecmp(sip->sip_event->o_type, settings_event) == 0);
}

bool radio_mcx_request(radio *r, nta_incoming_t *irq, sip_t const *sip)
{
    char method[16];
    const char *why = NULL;
    if (r->mcx == NULL || !is_ours(sip))
        return false;
    snprintf(method, sizeof(method), "%s", sip->sip_request->rq_method_name);
    const pocue_reply reply = message_take(r->mcx, irq, sip, &why);
    message_answer(r, irq, &reply);
    radio_pump(r);
    mcx_tell(r->mcx, RADIO_MCX_TOLD, method, reply.status, why);
    return true;
}
