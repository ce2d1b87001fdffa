#include "pf/io/ub_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/http.h"
#include "pf/io/log.h"
#include "pf/io/now.h"

enum {
    CONNECTION_OCTETS = 8192, /* request line, headers and answer of one connection */
    CONNECTION_IDLE_S = 10    /* a bootstrap is two requests at once; slow ones are not worth a connection */
};

struct ub_http {
    gba_bsf *bsf;
    http *http;
    uint16_t port;
};

static const char *peer_of(struct MHD_Connection *c, char text[64])
{
    const struct sockaddr *client = http_client(c);
    poc_wr wr = poc_wr_into(text, 64);
    if (client != NULL)
        poc_addr_put(&wr, client);
    return poc_wr_text(&wr) == POC_OK ? text : "";
}

static enum MHD_Result bootstrap(ub_http *u, struct MHD_Connection *c, const char *uri)
{
    gba_http_answer *out = (gba_http_answer *)calloc(1, sizeof(*out));
    char peer[64];
    if (out == NULL)
        return MHD_NO;
    poc_err err = gba_bsf_ub(u->bsf, io_now_ms() / 1000, poc_span_str("GET"), poc_span_str(uri),
                             http_header_of(c, MHD_HTTP_HEADER_AUTHORIZATION), out);
    if (err != POC_OK)
        log_refusal("ub_refused", poc_err_name(err), peer_of(c, peer), "bootstrapping request refused");
    const http_header headers[] = {
        { MHD_HTTP_HEADER_WWW_AUTHENTICATE, out->www_authenticate },
        { MHD_HTTP_HEADER_AUTHENTICATION_INFO, out->authentication_info },
        { MHD_HTTP_HEADER_CONTENT_TYPE, out->body_len > 0 ? "application/vnd.3gpp.bsf+xml" : "" },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
    };
    enum MHD_Result result =
        http_answer(c, (unsigned)out->status, poc_span_of(out->body, out->body_len), headers, POC_COUNT(headers));
    free(out); /* a B-TID and digests, nothing from which a key follows */
    return result;
}

/** Called with the headers, then perhaps with pieces of a body that nobody wants, then at its end. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *body, size_t *body_len, void **state)
{
    static const http_header allow[] = { { MHD_HTTP_HEADER_ALLOW, "GET" } };
    static char seen;
    (void)version;
    (void)body;
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    if (*body_len > 0) {
        *body_len = 0;
        return MHD_YES;
    }
    if (strcmp(url, "/") != 0)
        return http_answer(c, MHD_HTTP_NOT_FOUND, poc_span_str(""), NULL, 0);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        return http_answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, poc_span_str(""), allow, POC_COUNT(allow));
    return bootstrap((ub_http *)arg, c, url);
}

/* ---- life ---- */

static poc_err start(ub_http *u, su_root_t *root, const ub_http_settings *s)
{
    const http_settings settings = { .connections_max = s->connections_max,
                                     .connections_per_source = s->connections_per_source,
                                     .connection_octets = CONNECTION_OCTETS,
                                     .idle_s = CONNECTION_IDLE_S,
                                     .on_request = on_request,
                                     .user = u };
    return http_new_at(&u->http, root, (const struct sockaddr *)&s->listen, &u->port, &settings);
}

poc_err ub_http_new(ub_http **out, su_root_t *root, const ub_http_settings *settings, gba_bsf *bsf)
{
    ub_http *u = (ub_http *)calloc(1, sizeof(*u));
    *out = NULL;
    if (u == NULL)
        return POC_E_NOMEM;
    u->bsf = bsf;
    poc_err err = start(u, root, settings);
    if (err != POC_OK) {
        int why = errno;
        ub_http_free(u);
        errno = why;
        return err;
    }
    *out = u;
    return POC_OK;
}

void ub_http_free(ub_http *u)
{
    if (u == NULL)
        return;
    http_free(u->http);
    free(u);
}

uint16_t ub_http_port(const ub_http *u)
{
    return u->port;
}
