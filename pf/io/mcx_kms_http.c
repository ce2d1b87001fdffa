#include "pf/io/mcx_kms_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/http.h"
#include "pf/io/now.h"
#include "pf/io/sources.h"

enum {
    CONNECTION_OCTETS = 16384, /* request line, headers and answer of one connection */
    CONNECTION_IDLE_S = 10,
    CONNECTIONS_PER_REQUEST = 4, /* so many more than requests are accepted of a source, to tell it to wait */
    DOCUMENT_MAX = MCX_KMS_ANSWER_MAX + MCX_KMS_URL_MAX
};

typedef struct listener {
    mcx_kms_http *owner;
    http *http;
    uint16_t port;
} listener;

typedef struct request {
    mcx_kms_http *owner;
    struct MHD_Connection *connection;
    char target[MCX_KMS_URL_MAX];
    bool has_begun, is_target_cut;
    http_body body;
} request;

struct mcx_kms_http {
    const mcx_kms_service *service;
    mcx_people *const *people;
    uint32_t requests_per_source_s;
    sources *requests, *connections;
    listener listeners[MCX_KMS_LISTEN_MAX];
    size_t listener_count;
    mcx_kms_http_counts counts;
};

/* ---- answers ---- */

/** What is refused before anybody is known, or without a document. */
static enum MHD_Result refuse(const request *r, int status, const char *why)
{
    const http_header headers[] = {
        { MHD_HTTP_HEADER_RETRY_AFTER, status == MHD_HTTP_SERVICE_UNAVAILABLE ? "1" : "" },
        { MHD_HTTP_HEADER_ALLOW, status == MHD_HTTP_METHOD_NOT_ALLOWED ? MHD_HTTP_METHOD_POST : "" },
        { MHD_HTTP_HEADER_WWW_AUTHENTICATE, status == MHD_HTTP_UNAUTHORIZED ? "Bearer" : "" },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
    };
    r->owner->counts.refused++;
    http_log_refusal(r->connection, "kms_request_refused", status, why);
    return http_answer(r->connection, (unsigned)status, poc_span_str(""), headers, POC_COUNT(headers));
}

static void document_free(void *document)
{
    poc_wipe(document, DOCUMENT_MAX);
    free(document);
}

/** There may be keys in it: the library reads it where it lies, and wipes it when it is sent. Takes `document` over. */
static enum MHD_Result answer(const request *r, int status, uint8_t *document, size_t n)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(n, document, document_free);
    if (response == NULL) {
        document_free(document);
        return MHD_NO;
    }
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/xml");
    if (result == MHD_YES)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (result == MHD_YES)
        result = MHD_queue_response(r->connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- who asks ---- */

/** The token of "Authorization: Bearer TOKEN", with terminator; empty when there is none. */
static bool take_token(char token[WIRE_MCX_TOKEN_MAX + 1], const request *r)
{
    poc_span value = poc_trim(http_header_of(r->connection, MHD_HTTP_HEADER_AUTHORIZATION));
    const poc_span scheme = poc_split(&value, ' ');
    value = poc_trim(value);
    if (!poc_span_eq_nocase(scheme, "bearer") || value.n == 0 || value.n > WIRE_MCX_TOKEN_MAX)
        return false;
    memcpy(token, value.p, value.n);
    token[value.n] = '\0';
    return true;
}

/** One token may stand for several service ids: the one that the body speaks of, else the first. */
static poc_err who_asks(const request *r, const char *token, char mc_id[WIRE_MCX_TEXT_MAX + 1], const char **why)
{
    char id[WIRE_MCX_TEXT_MAX + 1];
    mcx_kms_request asked;
    const char *ignored;
    poc_err err = POC_E_AUTH;
    const bool is_read = mcx_kms_request_read(&asked, http_body_look(&r->body), &ignored) == POC_OK;
    mc_id[0] = '\0';
    for (int service = 0; service < (int)MCX_SERVICES; service++) {
        const poc_err now = mcx_people_authorise(*r->owner->people, NULL, (mcx_service)service, token,
                                                 io_now_ms() / 1000, id, service == 0 ? why : &ignored);
        if (now == POC_OK && (mc_id[0] == '\0' || (is_read && strcmp(id, asked.user_uri) == 0)))
            memcpy(mc_id, id, sizeof(id));
        if (now == POC_OK || service == 0)
            err = now;
    }
    return err;
}

static enum MHD_Result serve(request *r, const char *mc_id)
{
    uint8_t *document = (uint8_t *)malloc(DOCUMENT_MAX);
    poc_wr wr = poc_wr_into(document, document == NULL ? 0 : (size_t)DOCUMENT_MAX);
    mcx_kms_served served;
    if (document == NULL)
        return MHD_NO;
    const poc_err err = mcx_kms_serve(&wr, &served, r->owner->service, poc_span_str(mc_id), poc_span_str(r->target),
                                      http_body_look(&r->body), io_now_ms() / 1000);
    if (err != POC_OK || wr.len == 0) {
        document_free(document);
        return err != POC_OK ? refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "keys could not be made")
                             : refuse(r, served.status, served.why);
    }
    r->owner->counts.served += served.status == MHD_HTTP_OK;
    r->owner->counts.refused += served.status != MHD_HTTP_OK;
    if (served.why[0] != '\0')
        http_log_refusal(r->connection, "kms_request_refused", served.status, served.why);
    return answer(r, served.status, document, wr.len);
}

static enum MHD_Result authorise(request *r)
{
    char token[WIRE_MCX_TOKEN_MAX + 1], mc_id[WIRE_MCX_TEXT_MAX + 1];
    const char *why = "no access token";
    const poc_err err = take_token(token, r) ? who_asks(r, token, mc_id, &why) : POC_E_AUTH;
    poc_wipe(token, sizeof(token));
    if (err == POC_E_NOMEM)
        return refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    if (err != POC_OK)
        return refuse(r, err == POC_E_DENIED ? MHD_HTTP_FORBIDDEN : MHD_HTTP_UNAUTHORIZED, why);
    return serve(r, mc_id);
}

/** The whole request is here. */
static enum MHD_Result finish(request *r, const char *method)
{
    if (r->is_target_cut)
        return refuse(r, MHD_HTTP_URI_TOO_LONG, "the target of a request is too long");
    if (r->body.is_too_large)
        return refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body of a request is too large");
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        return refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "not a POST");
    return authorise(r);
}

/* ---- requests ---- */

/** The headers are here. What is refused now ends the connection: its body is not even read. */
static enum MHD_Result begin(request *r)
{
    mcx_kms_http *h = r->owner;
    r->has_begun = true;
    h->counts.requests++;
    if (!sources_may(h->requests, http_client(r->connection), h->requests_per_source_s, io_now_ms() / 1000)) {
        h->counts.limited++;
        return refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "a source sends more requests than it may");
    }
    return http_announces_more(r->connection, HTTP_BODY_MAX)
               ? refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body of a request is too large")
               : MHD_YES;
}

static void *on_target(void *arg, const char *target, struct MHD_Connection *c)
{
    request *r = (request *)calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->owner = ((listener *)arg)->owner;
    r->connection = c;
    const int n = snprintf(r->target, sizeof(r->target), "%s", target);
    r->is_target_cut = n < 0 || (size_t)n >= sizeof(r->target);
    return r;
}

/** Before anything is read, and before TLS costs anything. */
static enum MHD_Result on_connect(void *arg, const struct sockaddr *from, socklen_t len)
{
    mcx_kms_http *h = ((listener *)arg)->owner;
    (void)len;
    if (sources_may(h->connections, from, h->requests_per_source_s * CONNECTIONS_PER_REQUEST, io_now_ms() / 1000))
        return MHD_YES;
    h->counts.limited++;
    return MHD_NO;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *piece, size_t *piece_len, void **state)
{
    request *r = (request *)*state;
    (void)arg, (void)c, (void)url, (void)version;
    if (r == NULL)
        return MHD_NO; /* out of memory */
    if (!r->has_begun)
        return begin(r);
    if (*piece_len == 0)
        return finish(r, method);
    const enum MHD_Result result = http_body_take(&r->body, piece, *piece_len);
    *piece_len = 0;
    return result;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
    request *r = (request *)*state;
    (void)arg, (void)c, (void)how;
    *state = NULL;
    if (r == NULL)
        return;
    http_body_done(&r->body);
    free(r);
}

/* ---- life ---- */

static poc_err listen_on(mcx_kms_http *h, su_root_t *root, const mcx_kms_http_settings *s, const struct sockaddr *addr)
{
    listener *l = &h->listeners[h->listener_count];
    const http_settings settings = { .connections_max = s->connections_max,
                                     .connections_per_source = s->connections_per_source,
                                     .connection_octets = CONNECTION_OCTETS,
                                     .idle_s = CONNECTION_IDLE_S,
                                     .tls_certificate = s->tls_certificate,
                                     .tls_key = s->tls_key,
                                     .on_connect = on_connect,
                                     .on_target = on_target,
                                     .on_request = on_request,
                                     .on_completed = on_completed,
                                     .user = l };
    struct sockaddr_storage at = { 0 };
    socklen_t n = sizeof(at);
    const int fd = http_listen(addr, poc_addr_len(addr));
    if (fd < 0)
        return POC_E_IO;
    if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
        l->port = poc_addr_port((struct sockaddr *)&at);
    l->owner = h;
    POC_TRY(http_new(&l->http, root, fd, &settings));
    h->listener_count++;
    return POC_OK;
}

static poc_err start(mcx_kms_http *h, su_root_t *root, const mcx_kms_http_settings *s)
{
    POC_TRY(sources_new(&h->requests));
    POC_TRY(sources_new(&h->connections));
    for (size_t i = 0; i < s->listen_count && i < MCX_KMS_LISTEN_MAX; i++)
        POC_TRY(listen_on(h, root, s, (const struct sockaddr *)&s->listen[i]));
    return POC_OK;
}

poc_err mcx_kms_http_new(mcx_kms_http **out, su_root_t *root, const mcx_kms_http_settings *settings,
                         const mcx_kms_service *service, mcx_people *const *people)
{
    mcx_kms_http *h = (mcx_kms_http *)calloc(1, sizeof(*h));
    *out = NULL;
    if (h == NULL)
        return POC_E_NOMEM;
    h->service = service;
    h->people = people;
    h->requests_per_source_s = settings->requests_per_source_s;
    const poc_err err = start(h, root, settings);
    if (err != POC_OK) {
        const int why = errno;
        mcx_kms_http_free(h);
        errno = why;
        return err;
    }
    *out = h;
    return POC_OK;
}

void mcx_kms_http_free(mcx_kms_http *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->listener_count; i++)
        http_free(h->listeners[i].http);
    sources_free(h->requests);
    sources_free(h->connections);
    free(h);
}

uint16_t mcx_kms_http_port(const mcx_kms_http *h, size_t n)
{
    return h->listeners[n].port;
}

mcx_kms_http_counts mcx_kms_http_look(const mcx_kms_http *h)
{
    return h->counts;
}
