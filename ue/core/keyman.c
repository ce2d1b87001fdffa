/* The texts of the key management service: what a request says, and reading what is answered. libxml2's SAX interface: no
 * tree, no DTD, no network, and nothing kept but one response at a time. */
#include <libxml/parser.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
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

typedef enum element {
    E_NONE,
    E_ROOT,
    E_RESPONSE,
    E_RESPONSE_CODE,
    E_SERVICE_ID,
    E_MSK,
    E_KEY_DOMAIN_ID,
    E_MSK_ID,
    E_COUNT
} element;

static const struct element_row {
    const char *name;
    element parent;
    bool has_text;
} elements[E_COUNT] = {
    [E_RESPONSE] = { "Response", E_ROOT, false },       [E_RESPONSE_CODE] = { "ResponseCode", E_RESPONSE, true },
    [E_SERVICE_ID] = { "serviceID", E_RESPONSE, true }, [E_MSK] = { "MSK", E_RESPONSE, false },
    [E_KEY_DOMAIN_ID] = { "keyDomainID", E_MSK, true }, [E_MSK_ID] = { "MSKID", E_MSK, true },
};

const char *ue_keyman_content_type(ue_keyman_kind kind)
{
    return kinds[kind].media_type;
}

void ue_keyman_target_put(poc_wr *wr, ue_keyman_kind kind, const char *path)
{
    poc_wr_fmt(wr, "%s?requesttype=%s", path, kinds[kind].request_type);
}

/* ---- the request ---- */

static void text_put(poc_wr *wr, const char *text)
{
    for (; *text != '\0'; text++)
        if (strchr("&<>\"", *text) != NULL)
            poc_wr_fmt(wr, "&#%d;", *text);
        else
            poc_wr_u8(wr, (uint8_t)*text);
}

static void tag_put(poc_wr *wr, element e, bool closes)
{
    poc_wr_fmt(wr, "<%s%s>", closes ? "/" : "", elements[e].name);
}

static void octets_put(poc_wr *wr, element e, const uint8_t *octets, size_t n)
{
    tag_put(wr, e, false);
    poc_base64_put(wr, poc_span_of(octets, n));
    tag_put(wr, e, true);
}

static void msk_put(poc_wr *wr, const ue_keyman_item *item)
{
    uint8_t id[POC_MSK_ID_LEN];
    poc_wr octets = poc_wr_into(id, sizeof(id));
    poc_wr_u32(&octets, item->msk_id);
    tag_put(wr, E_MSK, false);
    octets_put(wr, E_KEY_DOMAIN_ID, item->key_domain.b, POC_KEY_DOMAIN_LEN);
    octets_put(wr, E_MSK_ID, id, sizeof(id));
    tag_put(wr, E_MSK, true);
}

static void service_put(poc_wr *wr, const ue_keyman_item *item)
{
    tag_put(wr, E_SERVICE_ID, false);
    text_put(wr, item->service_id);
    tag_put(wr, E_SERVICE_ID, true);
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
    xmlParserCtxtPtr xml;
    element path[DEPTH_MAX + 1];
    size_t depth;   /* elements open */
    size_t skipped; /* elements open inside something that is not ours */
    char text[TEXT_MAX];
    size_t text_len;
    response response;
    poc_err err;
} reading;

static void stop(reading *r, poc_err err)
{
    if (r->err == POC_OK)
        r->err = err;
}

/* Stopping frees the buffer that names point into: only at the very end of a handler. */
static void settle_parser(reading *r)
{
    if (r->err != POC_OK)
        xmlStopParser(r->xml);
}

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

static poc_err response_take(reading *r)
{
    const response *a = &r->response;
    if (a->status == 0)
        return POC_E_INPUT;
    for (size_t i = 0; i < r->count; i++)
        if (is_about(a, &r->items[i], r->kind) && r->items[i].status == 0) {
            r->items[i].status = a->status;
            return POC_OK;
        }
    return POC_OK;
}

static poc_err element_end(reading *r, element e, poc_span text)
{
    switch (e) {
    case E_RESPONSE:
        return response_take(r);
    case E_RESPONSE_CODE:
        return r->response.status != 0 ? POC_E_INPUT : status_get(&r->response.status, text);
    case E_SERVICE_ID:
        return service_get(&r->response, text);
    case E_KEY_DOMAIN_ID:
        return key_domain_get(&r->response, text);
    case E_MSK_ID:
        return msk_id_get(&r->response, text);
    default:
        return POC_OK;
    }
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcasecmp(name + n - m, end) == 0;
}

static element element_find(const reading *r, const char *name)
{
    if (r->depth == 0)
        return ends_in(name, kinds[r->kind].answer_root_end) ? E_ROOT : E_NONE;
    for (element e = E_RESPONSE; e < E_COUNT; e++)
        if (elements[e].parent == r->path[r->depth - 1] && strcasecmp(name, elements[e].name) == 0)
            return e;
    return E_NONE;
}

static void element_open(reading *r, const char *name)
{
    if (r->depth + r->skipped >= DEPTH_MAX) {
        stop(r, POC_E_LIMIT);
        return;
    }
    element is = r->skipped > 0 ? E_NONE : element_find(r, name);
    if (is == E_NONE && r->depth == 0) {
        stop(r, POC_E_INPUT);
        return;
    }
    if (is == E_NONE) {
        r->skipped++;
        return;
    }
    if (is == E_RESPONSE)
        r->response = (response){ .status = 0 };
    r->path[r->depth++] = is;
    r->text_len = 0;
}

static void element_close(reading *r)
{
    if (r->skipped > 0) {
        r->skipped--;
        return;
    }
    poc_err err = element_end(r, r->path[--r->depth], poc_trim(poc_span_of(r->text, r->text_len)));
    if (err != POC_OK)
        stop(r, err);
    r->text_len = 0;
}

static void on_open(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespaces,
                    const xmlChar **namespace_list, int attribute_count, int defaulted, const xmlChar **list)
{
    reading *r = ctx;
    (void)prefix, (void)uri, (void)namespaces, (void)namespace_list, (void)attribute_count, (void)defaulted, (void)list;
    if (r->err == POC_OK)
        element_open(r, (const char *)name);
    settle_parser(r);
}

static void on_close(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    reading *r = ctx;
    (void)name, (void)prefix, (void)uri;
    if (r->err == POC_OK)
        element_close(r);
    settle_parser(r);
}

static void on_text(void *ctx, const xmlChar *p, int n)
{
    reading *r = ctx;
    if (r->err != POC_OK || r->skipped > 0 || r->depth == 0 || !elements[r->path[r->depth - 1]].has_text)
        return;
    if ((size_t)n > sizeof(r->text) - r->text_len) {
        stop(r, POC_E_LIMIT);
        settle_parser(r);
        return;
    }
    memcpy(r->text + r->text_len, p, (size_t)n);
    r->text_len += (size_t)n;
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    stop(ctx, POC_E_INPUT);
    settle_parser(ctx);
}

/* libxml2 would print to standard error without them. */
static void on_complaint(void *ctx, const char *format, ...)
{
    (void)ctx, (void)format;
}

static poc_err parse(reading *r, poc_span xml)
{
    xmlSAXHandler sax = {
        .initialized = XML_SAX2_MAGIC,
        .internalSubset = on_doctype,
        .startElementNs = on_open,
        .endElementNs = on_close,
        .characters = on_text,
        .cdataBlock = on_text,
        .warning = on_complaint,
        .error = on_complaint,
        .fatalError = on_complaint,
    };
    r->xml = xmlCreatePushParserCtxt(&sax, r, NULL, 0, NULL);
    if (r->xml == NULL)
        return POC_E_NOMEM;
    (void)xmlCtxtUseOptions(r->xml, XML_PARSE_NONET | XML_PARSE_NOENT);
    int failed = xmlParseChunk(r->xml, (const char *)xml.p, (int)xml.n, 1);
    if (failed != 0 || !r->xml->wellFormed)
        stop(r, POC_E_INPUT);
    xmlFreeParserCtxt(r->xml);
    return r->err;
}

/* Parameters of the media type say nothing to us. */
static bool is_media_type(poc_span content_type, const char *expected)
{
    return poc_span_eq_nocase(poc_trim(poc_split(&content_type, ';')), expected);
}

poc_err ue_keyman_answer_read(ue_keyman_item *items, size_t n, ue_keyman_kind kind, poc_span content_type,
                              poc_span body)
{
    reading r = { .items = items, .count = n, .kind = kind };
    if (!is_media_type(content_type, kinds[kind].answer_media_type) || body.n == 0)
        return POC_E_INPUT;
    if (body.n > UE_KEYMAN_BODY_MAX)
        return POC_E_LIMIT;
    for (size_t i = 0; i < n; i++)
        items[i].status = 0;
    POC_TRY(parse(&r, body));
    for (size_t i = 0; i < n; i++)
        if (items[i].status == 0)
            return POC_E_INPUT;
    return POC_OK;
}
