#include "pf/io/sip_text.h"

#include "base/text.h"

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
    POC_TRY(poc_u64_get(&number, UINT16_MAX, port));
    poc_wr wr = poc_wr_into(out, SIP_URL_MAX);
    poc_wr_fmt(&wr, "%s:%.*s:%u;transport=%.*s", poc_span_eq_str(transport, "tls") ? "sips" : "sip", (int)host.n,
               (const char *)host.p, (unsigned)number, (int)transport.n, (const char *)transport.p);
    return poc_wr_text(&wr);
}
