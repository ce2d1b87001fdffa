/* The texts of the key management service: what a request says, and reading what is answered, of which nothing is kept but
 * one response at a time. */
#include <string.h>

#include "base/text.h"
#include "base/xml.h"
#include "ue/core/core.h"

enum { DEPTH_MAX = 8, TEXT_MAX = 2 * POC_URI_MAX };

/* ---- every name that TS 33.246 and 26.346 give, and what stands in for those we could not read (digest 4.7) ---- */

static const struct kind_row {
    const char *request_type, *media_type, *answer_media_type;
    const char *root, *name_space;
    const char *answer_root_end;
} kinds[UE_KEYMAN_KINDS] = {
    [UE_KEYMAN_DEREGISTER] = { "deregister", "application/mbms-deregister+xml",
                               "application/mbms-register-response+xml", "mbmsSecurityDeregister",
                               "urn:3GPP:metadata:2005:MBMS:securityDeregister", "Response" },
    [UE_KEYMAN_REGISTER] = { "register", "application/mbms-register+xml", "application/mbms-register-response+xml",
                             "mbmsSecurityRegister", "urn:3GPP:metadata:2005:MBMS:securityRegister", "Response" },
    [UE_KEYMAN_MSK] = { "msk-request", "application/mbms-msk+xml", "application/mbms-msk-response+xml", "mskRequest",
                        "urn:3GPP:metadata:2005:MBMS:mskRequest", "mskResponse" },
};

#define NAME_SERVICE    "serviceID"
#define NAME_MSK        "MSK"
#define NAME_KEY_DOMAIN "keyDomainID"
#define NAME_MSK_ID     "MSKID"

const char *ue_keyman_content_type(ue_keyman_kind kind)
{
    return kinds[kind].media_type;
}

void ue_keyman_target_put(poc_wr *wr, ue_keyman_kind kind, const char *path)
{
    poc_wr_fmt(wr, "%s?requesttype=%s", path, kinds[kind].request_type);
}

/* ---- the request ---- */

static void octets_put(poc_wr *wr, const char *name, const uint8_t *octets, size_t n)
{
    poc_wr_fmt(wr, "<%s>", name);
    poc_base64_put(wr, poc_span_of(octets, n));
    poc_wr_fmt(wr, "</%s>", name);
}

static void msk_put(poc_wr *wr, const ue_keyman_item *item)
{
    uint8_t id[POC_MSK_ID_LEN];
    poc_wr octets = poc_wr_into(id, sizeof(id));
    poc_wr_u32(&octets, item->msk_id);
    poc_wr_fmt(wr, "<" NAME_MSK ">");
    octets_put(wr, NAME_KEY_DOMAIN, item->key_domain.b, POC_KEY_DOMAIN_LEN);
    octets_put(wr, NAME_MSK_ID, id, sizeof(id));
    poc_wr_fmt(wr, "</" NAME_MSK ">");
}

static void service_put(poc_wr *wr, const ue_keyman_item *item)
{
    poc_xml_put_element(wr, NAME_SERVICE, poc_span_str(item->service_id));
}

void ue_keyman_request_put(poc_wr *wr, ue_keyman_kind kind, const ue_keyman_item *items, size_t n)
{
    const struct kind_row *row = &kinds[kind];
    poc_wr_fmt(wr, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"%s\">\n", row->root, row->name_space);
    for (size_t i = 0; i < n; i++) {
        poc_wr_fmt(wr, "  ");
        if (kind == UE_KEYMAN_MSK)
            msk_put(wr, &items[i]);
        else
            service_put(wr, &items[i]);
        poc_wr_fmt(wr, "\n");
    }
    poc_wr_fmt(wr, "</%s>\n", row->root);
}

/* ---- the answer ---- */

/* One <Response>, while it is open. */
typedef struct response {
    bool has_service, has_domain, has_msk;
    char service_id[POC_URI_MAX];
    poc_key_domain key_domain;
    poc_msk_id msk_id;
    int status;
} response;

typedef struct reading {
    ue_keyman_item *items;
    size_t count;
    ue_keyman_kind kind;
    response response;
} reading;

/* "200 OK": three digits, then nothing or a reason. */
static poc_err status_get(int *status, poc_span text)
{
    uint64_t code;
    poc_span digits = poc_split(&text, ' ');
    if (digits.n != 3 || poc_u64_get(&code, 599, digits) != POC_OK || code < 200)
        return POC_E_INPUT;
    *status = (int)code;
    return POC_OK;
}

static poc_err octets_get(uint8_t *out, size_t n, poc_span text)
{
    size_t len = 0;
    POC_TRY(poc_base64_get(out, n, &len, text));
    return len == n ? POC_OK : POC_E_INPUT;
}

static poc_err service_get(response *a, poc_span text)
{
    if (a->has_service || text.n == 0 || text.n >= sizeof(a->service_id))
        return POC_E_INPUT;
    memcpy(a->service_id, text.p, text.n);
    a->service_id[text.n] = '\0';
    a->has_service = true;
    return POC_OK;
}

static poc_err key_domain_get(response *a, poc_span text)
{
    if (a->has_domain)
        return POC_E_INPUT;
    a->has_domain = true;
    return octets_get(a->key_domain.b, POC_KEY_DOMAIN_LEN, text);
}

static poc_err msk_id_get(response *a, poc_span text)
{
    uint8_t id[POC_MSK_ID_LEN];
    if (a->has_msk)
        return POC_E_INPUT;
    POC_TRY(octets_get(id, sizeof(id), text));
    poc_rd rd = poc_rd_over(poc_span_of(id, sizeof(id)), NULL);
    a->has_msk = true;
    return poc_rd_u32(&rd, &a->msk_id);
}

/* A request for the current MSK may be answered by its number. */
static bool is_about(const response *a, const ue_keyman_item *item, ue_keyman_kind kind)
{
    if (kind != UE_KEYMAN_MSK)
        return a->has_service && strcmp(a->service_id, item->service_id) == 0;
    if (!a->has_domain || !a->has_msk || !poc_key_domain_eq(a->key_domain, item->key_domain))
        return false;
    return a->msk_id == item->msk_id ||
           (poc_msk_number(item->msk_id) == 0 && poc_msk_group(a->msk_id) == poc_msk_group(item->msk_id));
}

static poc_err status_take(response *a, poc_span text)
{
    return a->status != 0 ? POC_E_INPUT : status_get(&a->status, text);
}

static void response_take(reading *r)
{
    const response *a = &r->response;
    for (size_t i = 0; i < r->count; i++)
        if (is_about(a, &r->items[i], r->kind) && r->items[i].status == 0) {
            r->items[i].status = a->status;
            return;
        }
}

static void response_open(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    r->response = (response){ .status = 0 };
}

static void response_close(poc_xml *x, poc_span text)
{
    reading *r = poc_xml_user(x);
    (void)text;
    if (r->response.status == 0)
        poc_xml_stop(x, POC_E_INPUT, "response without a code");
    response_take(r);
}

static void part_take(poc_xml *x, poc_span text, poc_err (*take)(response *a, poc_span text))
{
    reading *r = poc_xml_user(x);
    poc_err err = take(&r->response, text);
    if (err != POC_OK)
        poc_xml_stop(x, err, "part of a response malformed or twice");
}

static void close_code(poc_xml *x, poc_span text)
{
    part_take(x, text, status_take);
}

static void close_service(poc_xml *x, poc_span text)
{
    part_take(x, text, service_get);
}

static void close_key_domain(poc_xml *x, poc_span text)
{
    part_take(x, text, key_domain_get);
}

static void close_msk_id(poc_xml *x, poc_span text)
{
    part_take(x, text, msk_id_get);
}

enum element { E_ROOT = 1, E_RESPONSE, E_RESPONSE_CODE, E_SERVICE_ID, E_MSK, E_KEY_DOMAIN_ID, E_MSK_ID };

static const poc_xml_row rows[] = {
    { "", POC_XML_TOP, E_ROOT, NULL, NULL },
    { "Response", E_ROOT, E_RESPONSE, response_open, response_close },
    { "ResponseCode", E_RESPONSE, E_RESPONSE_CODE, NULL, close_code },
    { NAME_SERVICE, E_RESPONSE, E_SERVICE_ID, NULL, close_service },
    { NAME_MSK, E_RESPONSE, E_MSK, NULL, NULL },
    { NAME_KEY_DOMAIN, E_MSK, E_KEY_DOMAIN_ID, NULL, close_key_domain },
    { NAME_MSK_ID, E_MSK, E_MSK_ID, NULL, close_msk_id },
};

static bool ends_in(poc_span name, const char *end)
{
    size_t n = strlen(end);
    return name.n >= n && poc_span_eq_nocase(poc_span_of(name.p + name.n - n, n), end);
}

static bool is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    const reading *r = poc_xml_user(x);
    (void)uri;
    return row->is == E_ROOT ? ends_in(name, kinds[r->kind].answer_root_end) : poc_span_eq_nocase(name, row->name);
}

static const poc_xml_reader reader = { .rows = rows,
                                       .row_count = POC_COUNT(rows),
                                       .is_row = is_row,
                                       .foreign_root = "not the answer of this procedure",
                                       .octets_max = UE_KEYMAN_BODY_MAX,
                                       .depth_max = DEPTH_MAX,
                                       .text_max = TEXT_MAX };

/* Parameters of the media type say nothing to us. */
static bool is_media_type(poc_span content_type, const char *expected)
{
    return poc_span_eq_nocase(poc_trim(poc_split(&content_type, ';')), expected);
}

poc_err ue_keyman_answer_read(ue_keyman_item *items, size_t n, ue_keyman_kind kind, poc_span content_type,
                              poc_span body)
{
    reading r = { .items = items, .count = n, .kind = kind };
    const char *why;
    if (!is_media_type(content_type, kinds[kind].answer_media_type))
        return POC_E_INPUT;
    for (size_t i = 0; i < n; i++)
        items[i].status = 0;
    POC_TRY(poc_xml_read(&reader, &r, body, &why));
    for (size_t i = 0; i < n; i++)
        if (items[i].status == 0)
            return POC_E_INPUT;
    return POC_OK;
}
