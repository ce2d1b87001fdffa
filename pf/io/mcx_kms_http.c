#include "pf/io/mcx_kms_http.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/now.h"

enum { DOCUMENT_MAX = MCX_KMS_ANSWER_MAX + MCX_KMS_URL_MAX };

struct mcx_kms_http {
    const mcx_kms_service *service;
    mcx_people *const *people;
    http_front *front;
    mcx_kms_http_counts counts; /* without those of `front` */
};

static mcx_kms_http *owner_of(const http_request *r)
{
    return (mcx_kms_http *)r->owner;
}

/* ---- answers ---- */

/** What is refused before anybody is known, or without a document. */
static enum MHD_Result refuse(const http_request *r, int status, const char *why)
{
    const http_header headers[] = {
        { MHD_HTTP_HEADER_RETRY_AFTER, status == MHD_HTTP_SERVICE_UNAVAILABLE ? "1" : "" },
        { MHD_HTTP_HEADER_ALLOW, status == MHD_HTTP_METHOD_NOT_ALLOWED ? MHD_HTTP_METHOD_POST : "" },
        { MHD_HTTP_HEADER_WWW_AUTHENTICATE, status == MHD_HTTP_UNAUTHORIZED ? "Bearer" : "" },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
    };
    owner_of(r)->counts.refused++;
    http_log_refusal(r->connection, "kms_request_refused", status, why);
    return http_answer(r->connection, (unsigned)status, poc_span_str(""), headers, POC_COUNT(headers));
}

static void document_free(void *document)
{
    poc_wipe(document, DOCUMENT_MAX);
    free(document);
}

/** There may be keys in it: the library reads it where it lies, and wipes it when it is sent. Takes `document` over. */
static enum MHD_Result answer(const http_request *r, int status, uint8_t *document, size_t n)
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
static bool take_token(char token[WIRE_MCX_TOKEN_MAX + 1], const http_request *r)
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
static poc_err who_asks(const http_request *r, const char *token, char mc_id[WIRE_MCX_TEXT_MAX + 1], const char **why)
{
    char id[WIRE_MCX_TEXT_MAX + 1];
    mcx_kms_request asked;
    const char *ignored;
    poc_err err = POC_E_AUTH;
    const bool is_read = mcx_kms_request_read(&asked, http_request_body(r), &ignored) == POC_OK;
    mc_id[0] = '\0';
    for (int service = 0; service < (int)MCX_SERVICES; service++) {
        const poc_err now = mcx_people_authorise(*owner_of(r)->people, NULL, (mcx_service)service, token,
                                                 io_now_ms() / 1000, id, service == 0 ? why : &ignored);
        if (now == POC_OK && (mc_id[0] == '\0' || (is_read && strcmp(id, asked.user_uri) == 0)))
            memcpy(mc_id, id, sizeof(id));
        if (now == POC_OK || service == 0)
            err = now;
    }
    return err;
}

static enum MHD_Result serve(http_request *r, const char *mc_id)
{
    uint8_t *document = (uint8_t *)malloc(DOCUMENT_MAX);
    poc_wr wr = poc_wr_into(document, document == NULL ? 0 : (size_t)DOCUMENT_MAX);
    mcx_kms_served served;
    if (document == NULL)
        return MHD_NO;
    const poc_err err = mcx_kms_serve(&wr, &served, owner_of(r)->service, poc_span_str(mc_id), poc_span_str(r->target),
                                      http_request_body(r), io_now_ms() / 1000);
    if (err != POC_OK || wr.len == 0) {
        document_free(document);
        return err != POC_OK ? refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "keys could not be made")
                             : refuse(r, served.status, served.why);
    }
    owner_of(r)->counts.served += served.status == MHD_HTTP_OK;
    owner_of(r)->counts.refused += served.status != MHD_HTTP_OK;
    if (served.why[0] != '\0')
        http_log_refusal(r->connection, "kms_request_refused", served.status, served.why);
    return answer(r, served.status, document, wr.len);
}

static enum MHD_Result authorise(http_request *r)
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
static enum MHD_Result finish(http_request *r, const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        return refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "not a POST");
    return authorise(r);
}

/* ---- life ---- */

poc_err mcx_kms_http_new(mcx_kms_http **out, su_root_t *root, const http_front_settings *settings,
                         const mcx_kms_service *service, mcx_people *const *people)
{
    static const http_service ours = {
        .request_size = sizeof(http_request), .target_max = MCX_KMS_URL_MAX - 1, .refuse = refuse, .finish = finish
    };
    _Static_assert(MCX_KMS_URL_MAX - 1 <= HTTP_TARGET_MAX, "the front keeps what the KMS takes");
    mcx_kms_http *h = (mcx_kms_http *)calloc(1, sizeof(*h));
    *out = NULL;
    if (h == NULL)
        return POC_E_NOMEM;
    *h = (mcx_kms_http){ .service = service, .people = people };
    const poc_err err = http_front_new(&h->front, root, settings, &ours, h);
    if (err != POC_OK) {
        free(h); /* leaves errno as it is */
        return err;
    }
    *out = h;
    return POC_OK;
}

poc_err mcx_kms_http_renew(mcx_kms_http *h, const char *tls_certificate, const char *tls_key, bool *has_changed)
{
    return http_front_renew(h->front, tls_certificate, tls_key, has_changed);
}

void mcx_kms_http_free(mcx_kms_http *h)
{
    if (h == NULL)
        return;
    http_front_free(h->front);
    free(h);
}

uint16_t mcx_kms_http_port(const mcx_kms_http *h, size_t n)
{
    return http_front_port(h->front, n);
}

mcx_kms_http_counts mcx_kms_http_look(const mcx_kms_http *h)
{
    const http_front_counts front = http_front_look(h->front);
    mcx_kms_http_counts counts = h->counts;
    counts.requests = front.requests;
    counts.limited = front.limited + front.dropped;
    return counts;
}
