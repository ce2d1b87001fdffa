#include "pf/io/http_front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "pf/io/now.h"
#include "pf/io/sources.h"

enum {
    CONNECTION_OCTETS = 16384, /* request line, headers and answer of one connection */
    CONNECTION_IDLE_S = 10,
    CONNECTIONS_PER_REQUEST = 4 /* so many more than requests are accepted of a source, to tell it to wait */
};

/** One listening address, or what listened there before and may have connections. */
typedef struct listener {
    struct listener *next; /* of the former ones */
    http_front *front;
    http *http;
    uint16_t port;
} listener;

struct http_front {
    const http_service *service;
    void *owner;
    uint32_t requests_per_source_s;
    uint32_t connections_max, connections_per_source;
    bool has_tls;
    uint8_t certificate[POC_SHA256_LEN]; /* its digest */
    sources *requests, *connections;
    listener *listeners[HTTP_LISTEN_MAX];
    size_t listener_count;
    listener *formers;
    http_front_counts counts;
};

/* ---- requests ---- */

/** Before anything is read, and before TLS costs anything. */
static enum MHD_Result on_connect(void *arg, const struct sockaddr *from, socklen_t len)
{
    http_front *f = ((listener *)arg)->front;
    (void)len;
    if (sources_may(f->connections, from, f->requests_per_source_s * CONNECTIONS_PER_REQUEST, io_now_ms() / 1000))
        return MHD_YES;
    f->counts.dropped++;
    return MHD_NO;
}

static void *on_target(void *arg, const char *target, struct MHD_Connection *c)
{
    const listener *l = (const listener *)arg;
    const http_service *service = l->front->service;
    http_request *r = (http_request *)calloc(1, service->request_size);
    if (r == NULL)
        return NULL;
    *r = (http_request){ .owner = l->front->owner, .front = l->front, .http = l->http, .connection = c };
    r->is_target_cut = strlen(target) > service->target_max;
    (void)snprintf(r->target, service->target_max + 1, "%s", target);
    return r;
}

/** The headers are here. What is refused now ends the connection: its body is not even read. */
static enum MHD_Result begin(http_request *r)
{
    http_front *f = r->front;
    r->has_begun = true;
    f->counts.requests++;
    if (!sources_may(f->requests, http_client(r->connection), f->requests_per_source_s, io_now_ms() / 1000)) {
        f->counts.limited++;
        return f->service->refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "a source sends more requests than it may");
    }
    return http_announces_more(r->connection, HTTP_BODY_MAX)
               ? f->service->refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body of a request is too large")
               : MHD_YES;
}

static enum MHD_Result take_body(http_request *r, const char *piece, size_t n)
{
    if (r->body == NULL && (r->body = (uint8_t *)malloc(HTTP_BODY_MAX)) == NULL)
        return MHD_NO;
    r->is_body_too_large = r->is_body_too_large || n > HTTP_BODY_MAX - r->body_len;
    if (r->is_body_too_large)
        return MHD_YES;
    memcpy(r->body + r->body_len, piece, n);
    r->body_len += n;
    return MHD_YES;
}

static enum MHD_Result finish(http_request *r, const char *method)
{
    const http_service *service = r->front->service;
    if (r->is_target_cut)
        return service->refuse(r, MHD_HTTP_URI_TOO_LONG, "the target of a request is too long");
    if (r->is_body_too_large)
        return service->refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body of a request is too large");
    return service->finish(r, method);
}

/** Called with the headers, then with pieces of the body, then at its end, and again when a request that waited goes on. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *piece, size_t *piece_len, void **state)
{
    http_request *r = (http_request *)*state;
    (void)arg, (void)c, (void)url, (void)version;
    if (r == NULL)
        return MHD_NO; /* out of memory */
    if (!r->has_begun)
        return begin(r);
    if (*piece_len == 0)
        return finish(r, method);
    const enum MHD_Result result = take_body(r, piece, *piece_len);
    *piece_len = 0;
    return result;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
    http_request *r = (http_request *)*state;
    (void)arg, (void)c, (void)how;
    *state = NULL;
    if (r == NULL)
        return;
    if (r->front->service->gone != NULL)
        r->front->service->gone(r);
    free(r->body);
    free(r);
}

poc_span http_request_body(const http_request *r)
{
    return r->body_len == 0 ? poc_span_str("") : poc_span_of(r->body, r->body_len);
}

void http_request_resume(const http_request *r)
{
    http_resume(r->http, r->connection);
}

/* ---- life ---- */

static http_settings settings_of(listener *l, const char *certificate, const char *key)
{
    const http_front *f = l->front;
    return (http_settings){ .connections_max = f->connections_max,
                            .connections_per_source = f->connections_per_source,
                            .connection_octets = CONNECTION_OCTETS,
                            .idle_s = CONNECTION_IDLE_S,
                            .may_suspend = f->service->may_suspend,
                            .tls_certificate = certificate,
                            .tls_key = key,
                            .on_connect = on_connect,
                            .on_target = on_target,
                            .on_request = on_request,
                            .on_completed = on_completed,
                            .user = l };
}

static void listener_free(listener *l)
{
    if (l == NULL)
        return;
    http_free(l->http);
    free(l);
}

static poc_err listen_on(http_front *f, su_root_t *root, const http_front_settings *s, const struct sockaddr *addr)
{
    listener *l = (listener *)calloc(1, sizeof(*l));
    if (l == NULL)
        return POC_E_NOMEM;
    l->front = f;
    const http_settings settings = settings_of(l, s->tls_certificate, s->tls_key);
    f->listeners[f->listener_count++] = l;
    return http_new_at(&l->http, root, addr, &l->port, &settings);
}

static poc_err start(http_front *f, su_root_t *root, const http_front_settings *s)
{
    POC_TRY(sources_new(&f->requests));
    POC_TRY(sources_new(&f->connections));
    f->has_tls = s->tls_certificate != NULL;
    if (f->has_tls)
        POC_TRY(poc_sha256(f->certificate, poc_span_str(s->tls_certificate)));
    for (size_t i = 0; i < s->listen_count && i < HTTP_LISTEN_MAX; i++)
        POC_TRY(listen_on(f, root, s, (const struct sockaddr *)&s->listen[i]));
    return POC_OK;
}

poc_err http_front_new(http_front **out, su_root_t *root, const http_front_settings *settings,
                       const http_service *service, void *owner)
{
    http_front *f = (http_front *)calloc(1, sizeof(*f));
    *out = NULL;
    if (f == NULL)
        return POC_E_NOMEM;
    *f = (http_front){ .service = service,
                       .owner = owner,
                       .requests_per_source_s = settings->requests_per_source_s,
                       .connections_max = settings->connections_max,
                       .connections_per_source = settings->connections_per_source };
    const poc_err err = start(f, root, settings);
    if (err != POC_OK) {
        const int why = errno;
        http_front_free(f);
        errno = why;
        return err;
    }
    *out = f;
    return POC_OK;
}

/* ---- another certificate ---- */

static void formers_sweep(http_front *f, bool all)
{
    for (listener **at = &f->formers, *l; (l = *at) != NULL;) {
        if (!all && !http_is_idle(l->http)) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        listener_free(l);
    }
}

static poc_err succeed(listener **out, const listener *l, const char *certificate, const char *key)
{
    listener *made = *out = (listener *)calloc(1, sizeof(*made));
    if (made == NULL)
        return POC_E_NOMEM;
    *made = (listener){ .front = l->front, .port = l->port };
    const http_settings settings = settings_of(made, certificate, key);
    return http_succeed(&made->http, l->http, &settings);
}

/** All of them, or none. */
static poc_err succeed_all(listener *made[HTTP_LISTEN_MAX], const http_front *f, const char *certificate,
                           const char *key)
{
    poc_err err = POC_OK;
    for (size_t i = 0; err == POC_OK && i < f->listener_count; i++)
        err = succeed(&made[i], f->listeners[i], certificate, key);
    for (size_t i = 0; err != POC_OK && i < f->listener_count; i++)
        listener_free(made[i]);
    return err;
}

static void retire(http_front *f, listener *l)
{
    http_retire(l->http);
    l->next = f->formers;
    f->formers = l;
}

poc_err http_front_renew(http_front *f, const char *tls_certificate, const char *tls_key, bool *has_changed)
{
    listener *made[HTTP_LISTEN_MAX] = { NULL };
    uint8_t digest[POC_SHA256_LEN];
    *has_changed = false;
    POC_TRY(poc_sha256(digest, poc_span_str(tls_certificate)));
    formers_sweep(f, false);
    if (!f->has_tls || memcmp(digest, f->certificate, sizeof(digest)) == 0)
        return POC_OK;
    POC_TRY(succeed_all(made, f, tls_certificate, tls_key));
    for (size_t i = 0; i < f->listener_count; i++) {
        retire(f, f->listeners[i]);
        f->listeners[i] = made[i];
    }
    memcpy(f->certificate, digest, sizeof(digest));
    *has_changed = true;
    return POC_OK;
}

/* ---- the end ---- */

void http_front_free(http_front *f)
{
    if (f == NULL)
        return;
    formers_sweep(f, true);
    for (size_t i = 0; i < f->listener_count; i++)
        listener_free(f->listeners[i]);
    sources_free(f->requests);
    sources_free(f->connections);
    free(f);
}

uint16_t http_front_port(const http_front *f, size_t n)
{
    return f->listeners[n]->port;
}

http_front_counts http_front_look(const http_front *f)
{
    return f->counts;
}
