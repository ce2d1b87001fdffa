#include "pf/io/keyman_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/http.h"
#include "pf/io/now.h"
#include "pf/io/push.h"
#include "pf/io/sources.h"

enum {
    CONNECTION_OCTETS = 16384, /* request line, headers and answer of one connection */
    CONNECTION_IDLE_S = 10,
    CONNECTIONS_PER_REQUEST = 4, /* so many more than requests are accepted of a source, to tell it to wait */
    TARGET_MAX = 1024
};

/** One listening address. */
typedef struct listener {
    keyman_http *owner;
    http *http;
    uint16_t port;
} listener;

typedef struct request {
    listener *listener;
    struct MHD_Connection *connection;
    struct request *next, **at;  /* the list of those that wait for Zn, or for the store; `at` NULL: in none */
    char target[TARGET_MAX];     /* as on the request line: the digest covers it */
    char btid[POC_BTID_MAX + 1]; /* what Zn is asked for */
    bool has_begun, is_target_cut, has_asked;
    poc_err zn_err;
    wire_keyman_answer *ready; /* waits for the store; owned */
    uint64_t due;              /* so many changes must be durable */
    bool is_lost;              /* a write failed meanwhile */
    http_body body;
} request;

struct keyman_http {
    wire_keyman *service;
    gba_naf *naf;
    zn *zn;
    keyman_served_fn *served;
    void *user;
    uint32_t requests_per_source_s;
    uint16_t push_port;
    sources *requests, *connections;
    bool is_ending;
    request *waiting, *undurable; /* for Zn, for the store */
    listener listeners[KEYMAN_LISTEN_MAX];
    size_t listener_count;
    keyman_http_counts counts;
};

/* ---- answers ---- */

static void count(keyman_http *k, int status)
{
    if (status == MHD_HTTP_OK)
        k->counts.done++;
    else if (status == MHD_HTTP_UNAUTHORIZED)
        k->counts.challenged++;
    else
        k->counts.refused++;
}

static enum MHD_Result answer(const request *r, const wire_keyman_answer *a)
{
    char retry[16] = "";
    if (a->retry_after_s > 0)
        (void)snprintf(retry, sizeof(retry), "%u", (unsigned)a->retry_after_s);
    const http_header headers[] = {
        { MHD_HTTP_HEADER_WWW_AUTHENTICATE, a->www_authenticate },
        { MHD_HTTP_HEADER_AUTHENTICATION_INFO, a->authentication_info },
        { MHD_HTTP_HEADER_CONTENT_TYPE, a->content_type == NULL ? "" : a->content_type },
        { MHD_HTTP_HEADER_RETRY_AFTER, retry },
        { MHD_HTTP_HEADER_ALLOW, a->status == MHD_HTTP_METHOD_NOT_ALLOWED ? MHD_HTTP_METHOD_POST : "" },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
    };
    bool is_first_contact =
        a->status == MHD_HTTP_UNAUTHORIZED && http_header_of(r->connection, MHD_HTTP_HEADER_AUTHORIZATION).n == 0;
    count(r->listener->owner, a->status);
    if (a->why[0] != '\0' && !is_first_contact)
        http_log_refusal(r->connection, "key_request_refused", a->status, a->why);
    return http_answer(r->connection, (unsigned)a->status, poc_span_of(a->body, a->body_len), headers,
                       POC_COUNT(headers));
}

/** Refuses what the service need not see. */
static enum MHD_Result refuse(const request *r, int status, const char *why)
{
    const http_header headers[] = {
        { MHD_HTTP_HEADER_RETRY_AFTER, status == MHD_HTTP_SERVICE_UNAVAILABLE ? "1" : "" },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
    };
    count(r->listener->owner, status);
    http_log_refusal(r->connection, "key_request_refused", status, why);
    return http_answer(r->connection, (unsigned)status, poc_span_str(""), headers, POC_COUNT(headers));
}

/* ---- waiting ---- */

static void wait_begin(request *r, request **list)
{
    r->next = *list;
    r->at = list;
    if (r->next != NULL)
        r->next->at = &r->next;
    *list = r;
    MHD_suspend_connection(r->connection);
}

static void wait_end(request *r)
{
    if (r->at == NULL)
        return;
    *r->at = r->next;
    if (r->next != NULL)
        r->next->at = r->at;
    r->at = NULL;
}

static void resume(request *r, poc_err err)
{
    wait_end(r);
    r->zn_err = err;
    http_resume(r->listener->http, r->connection);
}

static void on_zn(void *user, poc_err err, const gba_zn_answer *found)
{
    request *r = (request *)user;
    keyman_http *k = r->listener->owner;
    if (err == POC_OK)
        err = gba_naf_learn(k->naf, io_now_ms() / 1000, poc_span_str(r->btid), found);
    resume(r, err);
}

/** The request waits, or POC_E_*: it has to be answered now. */
static poc_err ask_zn(request *r, poc_span btid)
{
    keyman_http *k = r->listener->owner;
    if (btid.n == 0 || btid.n > POC_BTID_MAX)
        return POC_E_AUTH;
    memcpy(r->btid, btid.p, btid.n);
    r->btid[btid.n] = '\0';
    r->has_asked = true;
    POC_TRY(k->zn->ops->ask(k->zn, poc_span_str(r->btid), gba_naf_naf_id(k->naf), on_zn, r));
    k->counts.asked_zn++;
    wait_begin(r, &k->waiting);
    return POC_OK;
}

/** What is told to anybody must be durable: the answer goes when the write that it rests on has ended. */
static enum MHD_Result hold_back(request *r, wire_keyman_answer *a, uint64_t due)
{
    r->ready = a;
    r->due = due;
    wait_begin(r, &r->listener->owner->undurable);
    return MHD_YES;
}

static void let_go(request *r, bool is_durable)
{
    wait_end(r);
    r->is_lost = !is_durable;
    http_resume(r->listener->http, r->connection);
}

void keyman_http_durable(keyman_http *k, uint64_t through, bool ok)
{
    request *next;
    for (request *r = k == NULL ? NULL : k->undurable; r != NULL; r = next) {
        next = r->next;
        if (r->due <= through)
            let_go(r, ok);
    }
}

/* ---- requests ---- */

static wire_keyman_request describe(const request *r, const char *method)
{
    struct MHD_Connection *c = r->connection;
    return (wire_keyman_request){ .method = poc_span_str(method),
                                  .target = poc_span_str(r->target),
                                  .content_type = http_header_of(c, MHD_HTTP_HEADER_CONTENT_TYPE),
                                  .authorization = http_header_of(c, MHD_HTTP_HEADER_AUTHORIZATION),
                                  .intended_identity = http_header_of(c, "X-3GPP-Intended-Identity"),
                                  .body = http_body_look(&r->body) };
}

/** Where the answer's MSKs go: to the source of the request (mbms.push_address in the manual). */
static poc_err push_address(const request *r, uint8_t out[PUSH_ADDRESS_MAX], size_t *len)
{
    const struct sockaddr *client = http_client(r->connection);
    struct sockaddr_storage at = { 0 };
    if (client == NULL)
        return POC_E_IO;
    memcpy(&at, client, poc_addr_len(client));
    poc_addr_set_port((struct sockaddr *)&at, r->listener->owner->push_port);
    return push_address_pack(out, len, (const struct sockaddr *)&at);
}

static enum MHD_Result serve(request *r, const char *method, wire_keyman_answer *a)
{
    keyman_http *k = r->listener->owner;
    uint8_t address[PUSH_ADDRESS_MAX];
    wire_keyman_request q = describe(r, method);
    if (push_address(r, address, &q.address_len) != POC_OK)
        return refuse(r, MHD_HTTP_FORBIDDEN, "nothing can be pushed to the source of this request");
    q.address = address;
    if (r->zn_err != POC_OK) {
        wire_keyman_fail(k->service, io_now_ms(), r->zn_err, a);
        return answer(r, a);
    }
    if (wire_keyman_serve(k->service, io_now_ms(), &q, a) == WIRE_KEYMAN_ANSWERED) {
        const uint64_t due = k->is_ending ? 0 : k->served(k->user);
        return due == 0 || a->status != MHD_HTTP_OK ? answer(r, a) : hold_back(r, a, due);
    }
    const gba_request ua = { q.method, q.target, q.body, q.authorization };
    poc_err err = r->has_asked || k->is_ending ? POC_E_IO : ask_zn(r, gba_naf_btid(&ua));
    if (err == POC_OK)
        return MHD_YES;
    wire_keyman_fail(k->service, io_now_ms(), err, a);
    return answer(r, a);
}

/** The whole request is here, or what it waited for. */
static enum MHD_Result finish(request *r, const char *method)
{
    if (r->ready != NULL)
        return r->is_lost ? refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "what an answer says could not be made durable")
                          : answer(r, r->ready);
    if (r->is_target_cut)
        return refuse(r, MHD_HTTP_URI_TOO_LONG, "the target of a request is too long");
    if (r->body.is_too_large)
        return refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body of a request is too large");
    wire_keyman_answer *a = (wire_keyman_answer *)calloc(1, sizeof(*a));
    if (a == NULL)
        return MHD_NO; /* out of memory: the connection ends */
    enum MHD_Result result = serve(r, method, a);
    if (r->ready == NULL)
        free(a); /* digests and a status for each item, nothing from which a key follows */
    return result;
}

/** The headers are here. What is refused now ends the connection: its body is not even read. */
static enum MHD_Result begin(request *r)
{
    keyman_http *k = r->listener->owner;
    r->has_begun = true;
    k->counts.requests++;
    if (!sources_may(k->requests, http_client(r->connection), k->requests_per_source_s, io_now_ms() / 1000)) {
        k->counts.limited++;
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
    r->listener = (listener *)arg;
    r->connection = c;
    int n = snprintf(r->target, sizeof(r->target), "%s", target);
    r->is_target_cut = n < 0 || (size_t)n >= sizeof(r->target);
    return r;
}

/** Before anything is read, and before TLS costs anything. */
static enum MHD_Result on_connect(void *arg, const struct sockaddr *from, socklen_t len)
{
    keyman_http *k = ((listener *)arg)->owner;
    (void)len;
    if (sources_may(k->connections, from, k->requests_per_source_s * CONNECTIONS_PER_REQUEST, io_now_ms() / 1000))
        return MHD_YES;
    k->counts.dropped++;
    return MHD_NO;
}

/** Called with the headers, then with pieces of the body, then at its end, and again when a request that waited goes on. */
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
    enum MHD_Result result = http_body_take(&r->body, piece, *piece_len);
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
    if (r->at != NULL && r->ready == NULL)
        r->listener->owner->zn->ops->cancel(r->listener->owner->zn, r);
    wait_end(r);
    free(r->ready);
    http_body_done(&r->body);
    free(r);
}

/* ---- life ---- */

static poc_err listen_on(keyman_http *k, su_root_t *root, const keyman_http_settings *s, const struct sockaddr *addr)
{
    listener *l = &k->listeners[k->listener_count];
    const http_settings settings = { .connections_max = s->connections_max,
                                     .connections_per_source = s->connections_per_source,
                                     .connection_octets = CONNECTION_OCTETS,
                                     .idle_s = CONNECTION_IDLE_S,
                                     .may_suspend = true,
                                     .tls_certificate = s->tls_certificate,
                                     .tls_key = s->tls_key,
                                     .on_connect = on_connect,
                                     .on_target = on_target,
                                     .on_request = on_request,
                                     .on_completed = on_completed,
                                     .user = l };
    struct sockaddr_storage at = { 0 };
    socklen_t n = sizeof(at);
    int fd = http_listen(addr, poc_addr_len(addr));
    if (fd < 0)
        return POC_E_IO;
    if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
        l->port = poc_addr_port((struct sockaddr *)&at);
    l->owner = k;
    POC_TRY(http_new(&l->http, root, fd, &settings));
    k->listener_count++;
    return POC_OK;
}

static poc_err start(keyman_http *k, su_root_t *root, const keyman_http_settings *s)
{
    POC_TRY(sources_new(&k->requests));
    POC_TRY(sources_new(&k->connections));
    for (size_t i = 0; i < s->listen_count && i < KEYMAN_LISTEN_MAX; i++)
        POC_TRY(listen_on(k, root, s, (const struct sockaddr *)&s->listen[i]));
    return POC_OK;
}

poc_err keyman_http_new(keyman_http **out, su_root_t *root, const keyman_http_settings *settings, wire_keyman *service,
                        gba_naf *naf, zn *z, keyman_served_fn *served, void *user)
{
    keyman_http *k = (keyman_http *)calloc(1, sizeof(*k));
    *out = NULL;
    if (k == NULL)
        return POC_E_NOMEM;
    *k = (keyman_http){ .service = service,
                        .naf = naf,
                        .zn = z,
                        .served = served,
                        .user = user,
                        .requests_per_source_s = settings->requests_per_source_s,
                        .push_port = settings->push_port };
    poc_err err = start(k, root, settings);
    if (err != POC_OK) {
        int why = errno;
        keyman_http_free(k);
        errno = why;
        return err;
    }
    *out = k;
    return POC_OK;
}

void keyman_http_free(keyman_http *k)
{
    if (k == NULL)
        return;
    k->is_ending = true;
    while (k->waiting != NULL) {
        k->zn->ops->cancel(k->zn, k->waiting);
        resume(k->waiting, POC_E_IO);
    }
    keyman_http_durable(k, UINT64_MAX, false);
    for (size_t i = 0; i < k->listener_count; i++)
        http_free(k->listeners[i].http);
    sources_free(k->requests);
    sources_free(k->connections);
    free(k);
}

uint16_t keyman_http_port(const keyman_http *k, size_t n)
{
    return k->listeners[n].port;
}

keyman_http_counts keyman_http_look(const keyman_http *k)
{
    return k->counts;
}
