#include "pf/io/keyman_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/now.h"
#include "pf/io/push.h"

enum { TARGET_MAX = 1023 };

typedef struct request {
    http_request base;
    struct request *next, **at;  /* the list of those that wait for Zn, or for the store; `at` NULL: in none */
    char btid[POC_BTID_MAX + 1]; /* what Zn is asked for */
    bool has_asked;
    poc_err zn_err;
    wire_keyman_answer *ready; /* waits for the store; owned */
    uint64_t due;              /* so many changes must be durable */
    bool is_lost;              /* a write failed meanwhile */
} request;

struct keyman_http {
    wire_keyman *service;
    gba_naf *naf;
    zn *zn;
    keyman_served_fn *served;
    void *user;
    http_front *front;
    uint16_t push_port;
    bool is_ending;
    request *waiting, *undurable; /* for Zn, for the store */
    keyman_http_counts counts;    /* without those of `front` */
};

static keyman_http *owner_of(const request *r)
{
    return (keyman_http *)r->base.owner;
}

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
        a->status == MHD_HTTP_UNAUTHORIZED && http_header_of(r->base.connection, MHD_HTTP_HEADER_AUTHORIZATION).n == 0;
    count(owner_of(r), a->status);
    if (a->why[0] != '\0' && !is_first_contact)
        http_log_refusal(r->base.connection, "key_request_refused", a->status, a->why);
    return http_answer(r->base.connection, (unsigned)a->status, poc_span_of(a->body, a->body_len), headers,
                       POC_COUNT(headers));
}

/** Refuses what the service need not see. */
static enum MHD_Result refuse(const http_request *r, int status, const char *why)
{
    const http_header headers[] = {
        { MHD_HTTP_HEADER_RETRY_AFTER, status == MHD_HTTP_SERVICE_UNAVAILABLE ? "1" : "" },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
    };
    count((keyman_http *)r->owner, status);
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
    MHD_suspend_connection(r->base.connection);
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
    http_request_resume(&r->base);
}

static void on_zn(void *user, poc_err err, const gba_zn_answer *found)
{
    request *r = (request *)user;
    keyman_http *k = owner_of(r);
    if (err == POC_OK)
        err = gba_naf_learn(k->naf, io_now_ms() / 1000, poc_span_str(r->btid), found);
    resume(r, err);
}

/** The request waits, or POC_E_*: it has to be answered now. */
static poc_err ask_zn(request *r, poc_span btid)
{
    keyman_http *k = owner_of(r);
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
    wait_begin(r, &owner_of(r)->undurable);
    return MHD_YES;
}

static void let_go(request *r, bool is_durable)
{
    wait_end(r);
    r->is_lost = !is_durable;
    http_request_resume(&r->base);
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
    struct MHD_Connection *c = r->base.connection;
    return (wire_keyman_request){ .method = poc_span_str(method),
                                  .target = poc_span_str(r->base.target),
                                  .content_type = http_header_of(c, MHD_HTTP_HEADER_CONTENT_TYPE),
                                  .authorization = http_header_of(c, MHD_HTTP_HEADER_AUTHORIZATION),
                                  .intended_identity = http_header_of(c, "X-3GPP-Intended-Identity"),
                                  .body = http_request_body(&r->base) };
}

/** Where the answer's MSKs go: to the source of the request (mbms.push_address in the manual). */
static poc_err push_address(const request *r, uint8_t out[PUSH_ADDRESS_MAX], size_t *len)
{
    const struct sockaddr *client = http_client(r->base.connection);
    struct sockaddr_storage at = { 0 };
    if (client == NULL)
        return POC_E_IO;
    memcpy(&at, client, poc_addr_len(client));
    poc_addr_set_port((struct sockaddr *)&at, owner_of(r)->push_port);
    return push_address_pack(out, len, (const struct sockaddr *)&at);
}

static enum MHD_Result serve(request *r, const char *method, wire_keyman_answer *a)
{
    keyman_http *k = owner_of(r);
    uint8_t address[PUSH_ADDRESS_MAX];
    wire_keyman_request q = describe(r, method);
    if (push_address(r, address, &q.address_len) != POC_OK)
        return refuse(&r->base, MHD_HTTP_FORBIDDEN, "nothing can be pushed to the source of this request");
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
static enum MHD_Result finish(http_request *base, const char *method)
{
    request *r = (request *)base;
    if (r->ready != NULL)
        return r->is_lost
                   ? refuse(&r->base, MHD_HTTP_SERVICE_UNAVAILABLE, "what an answer says could not be made durable")
                   : answer(r, r->ready);
    wire_keyman_answer *a = (wire_keyman_answer *)calloc(1, sizeof(*a));
    if (a == NULL)
        return MHD_NO; /* out of memory: the connection ends */
    enum MHD_Result result = serve(r, method, a);
    if (r->ready == NULL)
        free(a); /* digests and a status for each item, nothing from which a key follows */
    return result;
}

static void gone(http_request *base)
{
    request *r = (request *)base;
    keyman_http *k = owner_of(r);
    if (r->at != NULL && r->ready == NULL)
        k->zn->ops->cancel(k->zn, r);
    wait_end(r);
    free(r->ready);
}

/* ---- life ---- */

poc_err keyman_http_new(keyman_http **out, su_root_t *root, const keyman_http_settings *settings, wire_keyman *service,
                        gba_naf *naf, zn *z, keyman_served_fn *served, void *user)
{
    static const http_service ours = { .request_size = sizeof(request),
                                       .target_max = TARGET_MAX,
                                       .may_suspend = true,
                                       .refuse = refuse,
                                       .finish = finish,
                                       .gone = gone };
    keyman_http *k = (keyman_http *)calloc(1, sizeof(*k));
    *out = NULL;
    if (k == NULL)
        return POC_E_NOMEM;
    *k = (keyman_http){
        .service = service, .naf = naf, .zn = z, .served = served, .user = user, .push_port = settings->push_port
    };
    const poc_err err = http_front_new(&k->front, root, &settings->front, &ours, k);
    if (err != POC_OK) {
        free(k); /* leaves errno as it is */
        return err;
    }
    *out = k;
    return POC_OK;
}

poc_err keyman_http_renew(keyman_http *k, const char *tls_certificate, const char *tls_key, bool *has_changed)
{
    return http_front_renew(k->front, tls_certificate, tls_key, has_changed);
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
    http_front_free(k->front);
    free(k);
}

uint16_t keyman_http_port(const keyman_http *k, size_t n)
{
    return http_front_port(k->front, n);
}

keyman_http_counts keyman_http_look(const keyman_http *k)
{
    const http_front_counts front = http_front_look(k->front);
    keyman_http_counts counts = k->counts;
    counts.requests = front.requests;
    counts.limited = front.limited;
    counts.dropped = front.dropped;
    return counts;
}
