#include <string.h>
#include <strings.h>

#include "pf/io/sip_private.h"

static bool is_transport(poc_span text)
{
    return poc_span_eq_str(text, "udp") || poc_span_eq_str(text, "tcp") || poc_span_eq_str(text, "tls");
}

/* Splits at the last colon: an IPv6 host has some of its own. */
static poc_err host_port(poc_span text, poc_span *host, poc_span *port)
{
    for (size_t i = text.n; i-- > 0;)
        if (text.p[i] == ':') {
            *host = poc_span_of(text.p, i);
            *port = poc_span_of(text.p + i + 1, text.n - i - 1);
            return i > 0 ? POC_OK : POC_E_INPUT;
        }
    return POC_E_INPUT;
}

poc_err sip_text_listen_url(char out[SIP_URL_MAX], const char *entry)
{
    poc_span rest = poc_span_str(entry), host, port;
    poc_span transport = poc_split(&rest, ':');
    uint64_t number;
    if (!is_transport(transport))
        return POC_E_INPUT;
    POC_TRY(host_port(rest, &host, &port));
    if (poc_u64_get(&number, UINT16_MAX, port) != POC_OK)
        return POC_E_INPUT;
    poc_wr wr = poc_wr_into(out, SIP_URL_MAX);
    poc_wr_fmt(&wr, "%s:%.*s:%u;transport=%.*s", poc_span_eq_str(transport, "tls") ? "sips" : "sip", (int)host.n,
               (const char *)host.p, (unsigned)number, (int)transport.n, (const char *)transport.p);
    return poc_wr_text(&wr);
}

bool sip_body_is_sdp(sip_t const *m)
{
    return m->sip_content_type != NULL && m->sip_content_type->c_type != NULL &&
           strcasecmp(m->sip_content_type->c_type, SIP_SDP_TYPE) == 0;
}

poc_span sip_body(sip_t const *m)
{
    if (m->sip_payload == NULL || m->sip_payload->pl_data == NULL)
        return (poc_span){ 0 };
    return poc_span_of(m->sip_payload->pl_data, m->sip_payload->pl_len);
}

/* The value of a Content-Type as it stood, but for white space. */
static poc_err content_type_text(poc_wr *out, const sip_content_type_t *type)
{
    poc_wr_fmt(out, "%s", type->c_type);
    for (msg_param_t const *p = type->c_params; p != NULL && *p != NULL; p++)
        poc_wr_fmt(out, ";%s", *p);
    return poc_wr_done(out);
}

poc_span sip_description(sip_t const *m)
{
    static const char multipart[] = "multipart/";
    char type[512];
    poc_wr wr = poc_wr_into(type, sizeof(type));
    poc_parts parts;
    if (sip_body_is_sdp(m))
        return sip_body(m);
    if (m->sip_content_type == NULL || m->sip_content_type->c_type == NULL ||
        strncasecmp(m->sip_content_type->c_type, multipart, sizeof(multipart) - 1) != 0 ||
        content_type_text(&wr, m->sip_content_type) != POC_OK ||
        poc_parts_read(&parts, poc_span_of(type, wr.len), sip_body(m), NULL) != POC_OK)
        return (poc_span){ 0 };
    const poc_part *part = poc_part_of(&parts, SIP_SDP_TYPE);
    if (part == NULL || part->is_base64)
        return (poc_span){ 0 };
    return part->body;
}

poc_err sip_url_canonical(char out[POC_URI_MAX], const url_t *url)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    const char *text = url_as_string(home, url);
    poc_err err = text != NULL ? poc_uri_canonical(out, poc_span_str(text)) : POC_E_NOMEM;
    su_home_deinit(home);
    return err;
}

const char *sip_unknown_value(sip_t const *m, const char *name)
{
    for (const sip_unknown_t *u = m->sip_unknown; u != NULL; u = u->un_next)
        if (u->un_name != NULL && u->un_value != NULL && strcasecmp(u->un_name, name) == 0)
            return u->un_value;
    return NULL;
}

bool sip_source_address(struct sockaddr_storage *out, msg_t *msg)
{
    const su_sockaddr_t *from = msg != NULL ? msg_addr(msg) : NULL;
    memset(out, 0, sizeof(*out));
    if (from == NULL || (from->su_family != AF_INET && from->su_family != AF_INET6))
        return false;
    memcpy(out, from, from->su_family == AF_INET ? sizeof(from->su_sin) : sizeof(from->su_sin6));
    return true;
}
