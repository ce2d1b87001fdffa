/* Requests to a KMS (TS 33.180 Annex D.2) and a KMS that answers them. */
#include <string.h>

#include "base/text.h"
#include "mcx/kms_xml.h"

/* ---- KmsRequest ---- */

poc_err mcx_kms_request_put(poc_wr *out, const mcx_kms_answer *asked)
{
    if (!kms_head_is_good(asked))
        return POC_E_INPUT;
    poc_wr_fmt(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KmsRequest xmlns=\"" KMS_SPACE "\" Version=\"1.1.0\">\n");
    kms_head_put(out, asked);
    poc_wr_fmt(out, "</KmsRequest>\n");
    return poc_wr_done(out);
}

enum element { E_REQUEST = 1, E_USER_URI, E_KMS_URI, E_TIME, E_URL, E_CLIENT_ID, E_COUNT };

#define BIT(e) (1u << (e))
#define MUST   (BIT(E_USER_URI) | BIT(E_KMS_URI) | BIT(E_TIME) | BIT(E_URL))

typedef struct reading {
    mcx_kms_request *out;
    unsigned seen;
} reading;

static void part_take(poc_xml *x, bool good)
{
    reading *r = poc_xml_user(x);
    const unsigned bit = BIT(poc_xml_element(x));
    if (!good || (r->seen & bit) != 0)
        poc_xml_stop(x, POC_E_INPUT, "part of a request malformed or twice");
    r->seen |= bit;
}

static void close_text(poc_xml *x, poc_span text)
{
    const reading *r = poc_xml_user(x);
    const struct {
        char *at;
        size_t size;
    } places[E_COUNT] = {
        [E_USER_URI] = { r->out->user_uri, sizeof(r->out->user_uri) },
        [E_KMS_URI] = { r->out->kms_uri, sizeof(r->out->kms_uri) },
        [E_URL] = { r->out->request_url, sizeof(r->out->request_url) },
        [E_CLIENT_ID] = { r->out->client_id, sizeof(r->out->client_id) },
    };
    const int e = poc_xml_element(x);
    part_take(x, kms_take_text(places[e].at, places[e].size, text));
}

static void close_time(poc_xml *x, poc_span text)
{
    const reading *r = poc_xml_user(x);
    part_take(x, kms_take_time(&r->out->time_s, sizeof(r->out->time_s), text));
}

static const poc_xml_row rows[] = {
    { "KmsRequest", POC_XML_TOP, E_REQUEST, NULL, NULL },   { "UserUri", E_REQUEST, E_USER_URI, NULL, close_text },
    { "KmsUri", E_REQUEST, E_KMS_URI, NULL, close_text },   { "Time", E_REQUEST, E_TIME, NULL, close_time },
    { "ClientReqUrl", E_REQUEST, E_URL, NULL, close_text }, { "ClientId", E_REQUEST, E_CLIENT_ID, NULL, close_text },
};

static const poc_xml_reader reader = { .rows = rows,
                                       .row_count = POC_COUNT(rows),
                                       .is_row = kms_is_row,
                                       .foreign_root = "not a KmsRequest",
                                       .octets_max = MCX_KMS_DOCUMENT_MAX,
                                       .depth_max = KMS_DEPTH_MAX,
                                       .text_max = MCX_KMS_URL_MAX };

poc_err mcx_kms_request_read(mcx_kms_request *out, poc_span xml, const char **why)
{
    reading r = { .out = out };
    memset(out, 0, sizeof(*out));
    POC_TRY(poc_xml_read(&reader, &r, xml, why));
    if ((r.seen & MUST) == MUST)
        return POC_OK;
    *why = "request without all its parts";
    return POC_E_INPUT;
}

/* ---- paths ---- */

static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

void mcx_kms_key_path_put(poc_wr *out, const char *root, poc_span user_uri, uint64_t ntp)
{
    poc_wr_fmt(out, "%s/keyprov/", root);
    for (size_t i = 0; i < user_uri.n; i++) {
        if (is_unreserved(user_uri.p[i]))
            poc_wr_u8(out, user_uri.p[i]);
        else
            poc_wr_fmt(out, "%%%02X", user_uri.p[i]);
    }
    if (ntp != 0)
        poc_wr_fmt(out, "/%016llx", (unsigned long long)ntp);
}

/* The octets behind "%3A" and its kin. */
static bool percent_read(poc_wr *out, poc_span text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t octet = text.p[i];
        if (octet == '%') {
            if (text.n - i < 3 || poc_hex_get_exact(&octet, 1, poc_span_of(text.p + i + 1, 2)) != POC_OK)
                return false;
            i += 2;
        }
        poc_wr_u8(out, octet);
    }
    return poc_wr_done(out) == POC_OK;
}

/* Is `part` of a path this URI? */
static bool path_names(poc_span part, poc_span uri)
{
    uint8_t octets[MCX_URI_MAX];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    return percent_read(&wr, part) && poc_span_eq(poc_span_of(octets, wr.len), uri);
}

/* ---- the service ---- */

typedef struct serving {
    poc_wr *out;
    const mcx_kms_service *service;
    mcx_kms_answer head; /* of the answer; who asks as the token proves */
    mcx_kms_served *served;
} serving;

static poc_err refuse(serving *s, int status, const char *why)
{
    *s->served = (mcx_kms_served){ status, why };
    return mcx_kms_error_put(s->out, &s->head, (unsigned)status, why);
}

static poc_err serve_init(serving *s, poc_span rest)
{
    if (rest.n > 0)
        return refuse(s, 404, "no such resource");
    return mcx_kms_init_put(s->out, &s->head, s->service->kms, s->service->period_s, s->service->offset_s);
}

/* With the number of the cache that the client holds: nothing, when that is ours. */
static poc_err serve_cache(serving *s, poc_span rest)
{
    const mcx_kms_service *k = s->service;
    uint64_t held = 0;
    if (rest.n > 0 && poc_u64_get(&held, UINT32_MAX, rest) != POC_OK)
        return refuse(s, 404, "no such resource");
    return mcx_kms_certificates_put(s->out, &s->head, held == k->cache_number ? NULL : k->kms, k->period_s, k->offset_s,
                                    k->cache_number);
}

static poc_err serve_certificate(serving *s, poc_span rest)
{
    const mcx_kms_service *k = s->service;
    if (!path_names(rest, k->kms_uri))
        return refuse(s, 404, "no certificate of that KMS");
    return mcx_kms_certificates_put(s->out, &s->head, k->kms, k->period_s, k->offset_s, k->cache_number);
}

static poc_err keys_put(serving *s, const mcx_period *period)
{
    uint8_t uid[MCX_UID_LEN];
    mcx_user_keys keys;
    POC_TRY(mcx_uid(uid, s->head.user_uri, s->service->kms_uri, period));
    POC_TRY(mcx_kms_issue(&keys, s->service->kms, poc_span_of(uid, sizeof(uid)), s->service->rng));
    const poc_err err = mcx_kms_keys_put(s->out, &s->head, s->head.user_uri, uid, period, &keys);
    mcx_user_keys_done(&keys);
    return err;
}

/* A 64-bit NTP timestamp in hex; seconds nearest to now. */
static bool ntp_read(uint64_t *seconds, poc_span text, uint64_t now_ntp_s)
{
    uint8_t octets[8];
    uint32_t whole;
    poc_rd rd = poc_rd_over(poc_span_of(octets, sizeof(octets)), NULL);
    if (poc_hex_get_exact(octets, sizeof(octets), text) != POC_OK || poc_rd_u32(&rd, &whole) != POC_OK)
        return false;
    *seconds = mcx_ntp_expand(whole, now_ntp_s);
    return true;
}

static poc_err serve_keys(serving *s, poc_span rest)
{
    const mcx_kms_service *k = s->service;
    const uint64_t now_ntp_s = (uint64_t)s->head.now_s + MCX_NTP_MINUS_UNIX;
    const uint64_t present = mcx_period_number(now_ntp_s, k->period_s, k->offset_s);
    uint64_t asked_ntp_s = now_ntp_s;
    const poc_span user = poc_split(&rest, '/');
    if (user.n > 0 && !path_names(user, s->head.user_uri))
        return refuse(s, 403, "keys of another user");
    if (rest.n > 0 && !ntp_read(&asked_ntp_s, rest, now_ntp_s))
        return refuse(s, 404, "no such resource");
    const mcx_period period = { k->period_s, k->offset_s, mcx_period_number(asked_ntp_s, k->period_s, k->offset_s) };
    if (period.number + 1 < present || period.number > present + k->periods_ahead)
        return refuse(s, 403, "keys of a period that is over or far away");
    return keys_put(s, &period);
}

static const struct resource {
    const char *name;
    poc_err (*serve)(serving *s, poc_span rest);
} resources[] = {
    { "init", serve_init },
    { "keyprov", serve_keys },
    { "certcache", serve_cache },
    { "cert", serve_certificate },
};

/* What stands behind the root of the service and its '/'. */
static bool below_root(poc_span *rest, const char *root, poc_span target)
{
    const size_t n = strlen(root);
    if (target.n <= n || memcmp(target.p, root, n) != 0 || target.p[n] != '/')
        return false;
    *rest = poc_span_of(target.p + n + 1, target.n - n - 1);
    return true;
}

static poc_err resource_serve(serving *s, poc_span target)
{
    poc_span rest;
    if (!below_root(&rest, s->service->root, target))
        return refuse(s, 404, "no such resource");
    const poc_span name = poc_split(&rest, '/');
    for (size_t i = 0; i < POC_COUNT(resources); i++)
        if (poc_span_eq_str(name, resources[i].name))
            return resources[i].serve(s, rest);
    return refuse(s, 404, "no such resource");
}

static bool is_near(int64_t a_s, int64_t b_s, uint32_t skew_s)
{
    return a_s - b_s <= (int64_t)skew_s && b_s - a_s <= (int64_t)skew_s;
}

static bool url_is_of(poc_span url, poc_span target)
{
    return url.n >= target.n && memcmp(url.p + url.n - target.n, target.p, target.n) == 0;
}

static poc_err request_serve(serving *s, const mcx_kms_request *request, poc_span target)
{
    if (!poc_span_eq_str(s->service->kms_uri, request->kms_uri))
        return refuse(s, 404, "a request to another KMS");
    if (!poc_span_eq_str(s->head.user_uri, request->user_uri))
        return refuse(s, 403, "another user than the token proves");
    if (!url_is_of(s->head.request_url, target))
        return refuse(s, 403, "ClientReqUrl is not what is asked");
    if (!is_near(request->time_s, s->head.now_s, s->service->skew_s))
        return refuse(s, 403, "a request of another time");
    return resource_serve(s, target);
}

poc_err mcx_kms_serve(poc_wr *out, mcx_kms_served *served, const mcx_kms_service *service, poc_span user_uri,
                      poc_span target, poc_span body, int64_t now_s)
{
    mcx_kms_request request;
    *served = (mcx_kms_served){ 200, "" };
    const poc_err err = mcx_kms_request_read(&request, body, &served->why);
    if (err == POC_E_NOMEM)
        return err;
    if (err != POC_OK || user_uri.n == 0 || user_uri.n > MCX_URI_MAX) {
        served->status = 400;
        if (err == POC_OK)
            served->why = "nobody asks";
        return POC_OK;
    }
    serving s = { out, service, { user_uri, service->kms_uri, poc_span_str(request.request_url), now_s }, served };
    return request_serve(&s, &request, target);
}
