/* Bodies of the key management service (TS 33.246 6.3.2): what a UE asks for, and one status for each of it. */
#include <string.h>

#include "base/xml.h"
#include "pf/wire/wire.h"

/* ---- every name of the schemas and of HTTP in one place: a correction is one line here ---- */

#define NAME_SERVICE       "serviceID"
#define NAME_MSK           "MSK"
#define NAME_KEY_DOMAIN    "keyDomainID"
#define NAME_MSK_ID        "MSKID"
#define NAME_RESPONSE      "Response"
#define NAME_RESPONSE_CODE "ResponseCode"

#define NS(last) "urn:3GPP:metadata:2005:MBMS:" last

/* A document: `root` and `ns` are written; read is every root whose name ends in `root_end` and not in `but_not`. */
typedef struct document {
    const char *media_type, *ns, *root, *root_end, *but_not;
} document;

static const struct procedure {
    const char *requesttype;
    bool of_services; /* else of MSKs */
    document way[2];
} procedures[WIRE_MBMS_PROCEDURES] = {
    [WIRE_MBMS_REGISTER] = { "register",
                             true,
                             { { "application/mbms-register+xml", NS("securityRegister"), "mbmsSecurityRegister",
                                 "Register", "Deregister" },
                               { "application/mbms-register-response+xml", NS("securityRegisterResponse"),
                                 "mbmsSecurityRegisterResponse", "RegisterResponse", NULL } } },
    /* No media type is registered for the answer to a deregistration: it is that of a registration. */
    [WIRE_MBMS_DEREGISTER] = { "deregister",
                               true,
                               { { "application/mbms-deregister+xml", NS("securityDeregister"),
                                   "mbmsSecurityDeregister", "Deregister", NULL },
                                 { "application/mbms-register-response+xml", NS("securityRegisterResponse"),
                                   "mbmsSecurityRegisterResponse", "RegisterResponse", NULL } } },
    [WIRE_MBMS_MSK_REQUEST] = { "msk-request",
                                false,
                                { { "application/mbms-msk+xml", NS("mskRequest"), "mskRequest", "mskRequest", NULL },
                                  { "application/mbms-msk-response+xml", NS("mskResponse"), "mskResponse",
                                    "mskResponse", NULL } } },
};

/* TS 33.246 6.3.2.4: an item's status is that of HTTP, with its words. */
static const struct {
    int status;
    const char *text;
} statuses[] = {
    { 200, "200 OK" },
    { 403, "403 Forbidden" },
    { 404, "404 Not Found" },
    { 503, "503 Service Unavailable" },
};

const char *wire_mbms_requesttype(wire_mbms_procedure procedure)
{
    return procedures[procedure].requesttype;
}

const char *wire_mbms_media_type(wire_mbms_procedure procedure, wire_mbms_way way)
{
    return procedures[procedure].way[way].media_type;
}

/* ---- reading ---- */

enum { DEPTH_MAX = 8, TEXT_MAX = 512 };

enum element { E_ROOT = 1, E_RESPONSE, E_SERVICE, E_MSK, E_KEY_DOMAIN, E_MSK_ID, E_CODE };

/* What an item has been given so far. */
enum { HAS_SERVICE = 1, HAS_KEY_DOMAIN = 2, HAS_MSK_ID = 4, HAS_CODE = 8 };

typedef struct reading {
    wire_mbms_body *out;
    const document *document;
    unsigned has, wanted; /* of the item that is open, of every item */
} reading;

static wire_mbms_item *item_now(reading *r)
{
    return &r->out->items[r->out->count - 1];
}

static void item_open(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    if (r->out->count == WIRE_MBMS_ITEMS_MAX) {
        poc_xml_stop(x, POC_E_LIMIT, "too many items");
        return;
    }
    r->out->items[r->out->count++] = (wire_mbms_item){ 0 };
    r->has = 0;
}

static void item_check(poc_xml *x)
{
    const reading *r = poc_xml_user(x);
    if (r->has != r->wanted)
        poc_xml_stop(x, POC_E_INPUT, "item without all its parts");
}

static void item_close(poc_xml *x, poc_span text)
{
    (void)text;
    item_check(x);
}

/* A part that is given twice leaves open which one is meant. */
static void part_take(poc_xml *x, unsigned part, bool is_good, const char *flaw)
{
    reading *r = poc_xml_user(x);
    if (!is_good)
        poc_xml_stop(x, POC_E_INPUT, flaw);
    if ((r->has & part) != 0)
        poc_xml_stop(x, POC_E_INPUT, "part of an item twice");
    r->has |= part;
}

/* libxml2 lets malformed UTF-8 through in a CDATA section, and would not read it again from our answer. */
static bool service_is_good(poc_span text)
{
    return text.n > 0 && text.n <= WIRE_MBMS_SERVICE_MAX && poc_xml_is_text(text) &&
           memchr(text.p, ' ', text.n) == NULL;
}

static void close_service(poc_xml *x, poc_span text)
{
    bool is_good = service_is_good(text);
    part_take(x, HAS_SERVICE, is_good, NAME_SERVICE " is empty, too long, or no URI");
    if (is_good)
        memcpy(item_now(poc_xml_user(x))->service_id, text.p, text.n);
}

static void close_lone_service(poc_xml *x, poc_span text)
{
    close_service(x, text);
    item_check(x);
}

static bool base64_exact(void *out, size_t n, poc_span text)
{
    size_t len;
    return poc_base64_get(out, n, &len, text) == POC_OK && len == n;
}

static void close_key_domain(poc_xml *x, poc_span text)
{
    bool is_good = base64_exact(item_now(poc_xml_user(x))->key_domain.b, POC_KEY_DOMAIN_LEN, text);
    part_take(x, HAS_KEY_DOMAIN, is_good, NAME_KEY_DOMAIN " is not base64 of 3 octets");
}

static void close_msk_id(poc_xml *x, poc_span text)
{
    uint8_t id[POC_MSK_ID_LEN] = { 0 };
    bool is_good = base64_exact(id, sizeof(id), text);
    poc_rd rd = poc_rd_over(poc_span_of(id, sizeof(id)), NULL);
    (void)poc_rd_u32(&rd, &item_now(poc_xml_user(x))->msk_id); /* four octets are there */
    part_take(x, HAS_MSK_ID, is_good, NAME_MSK_ID " is not base64 of 4 octets");
}

static void close_code(poc_xml *x, poc_span text)
{
    uint64_t status = 0;
    bool is_good = poc_u64_get(&status, 999, poc_split(&text, ' ')) == POC_OK && status >= 100;
    item_now(poc_xml_user(x))->status = (int)status;
    part_take(x, HAS_CODE, is_good, NAME_RESPONSE_CODE " is no status code");
}

static const poc_xml_row service_request[] = {
    { "", POC_XML_TOP, E_ROOT, NULL, NULL },
    { NAME_SERVICE, E_ROOT, E_SERVICE, item_open, close_lone_service },
};
static const poc_xml_row service_response[] = {
    { "", POC_XML_TOP, E_ROOT, NULL, NULL },
    { NAME_RESPONSE, E_ROOT, E_RESPONSE, item_open, item_close },
    { NAME_SERVICE, E_RESPONSE, E_SERVICE, NULL, close_service },
    { NAME_RESPONSE_CODE, E_RESPONSE, E_CODE, NULL, close_code },
};
static const poc_xml_row msk_request[] = {
    { "", POC_XML_TOP, E_ROOT, NULL, NULL },
    { NAME_MSK, E_ROOT, E_MSK, item_open, item_close },
    { NAME_KEY_DOMAIN, E_MSK, E_KEY_DOMAIN, NULL, close_key_domain },
    { NAME_MSK_ID, E_MSK, E_MSK_ID, NULL, close_msk_id },
};
static const poc_xml_row msk_response[] = {
    { "", POC_XML_TOP, E_ROOT, NULL, NULL },
    { NAME_RESPONSE, E_ROOT, E_RESPONSE, item_open, item_close },
    { NAME_MSK, E_RESPONSE, E_MSK, NULL, NULL },
    { NAME_KEY_DOMAIN, E_MSK, E_KEY_DOMAIN, NULL, close_key_domain },
    { NAME_MSK_ID, E_MSK, E_MSK_ID, NULL, close_msk_id },
    { NAME_RESPONSE_CODE, E_RESPONSE, E_CODE, NULL, close_code },
};

static bool ends_in(poc_span name, const char *end)
{
    size_t n = strlen(end);
    return name.n >= n && poc_span_eq_nocase(poc_span_of(name.p + name.n - n, n), end);
}

static bool is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    const reading *r = poc_xml_user(x);
    const document *d = r->document;
    (void)uri;
    if (row->is != E_ROOT)
        return poc_span_eq_nocase(name, row->name);
    return ends_in(name, d->root_end) && (d->but_not == NULL || !ends_in(name, d->but_not));
}

static poc_xml_reader reader_of(bool of_services, wire_mbms_way way)
{
    static const struct {
        const poc_xml_row *rows;
        size_t count;
    } tables[2][2] = {
        { { msk_request, POC_COUNT(msk_request) }, { msk_response, POC_COUNT(msk_response) } },
        { { service_request, POC_COUNT(service_request) }, { service_response, POC_COUNT(service_response) } },
    };
    return (poc_xml_reader){ .rows = tables[of_services][way].rows,
                             .row_count = tables[of_services][way].count,
                             .is_row = is_row,
                             .foreign_root = "not the document of this procedure",
                             .octets_max = WIRE_MBMS_BODY_MAX,
                             .depth_max = DEPTH_MAX,
                             .text_max = TEXT_MAX };
}

static unsigned parts_of(bool of_services, wire_mbms_way way)
{
    unsigned parts = of_services ? HAS_SERVICE : HAS_KEY_DOMAIN | HAS_MSK_ID;
    return way == WIRE_MBMS_RESPONSE ? parts | HAS_CODE : parts;
}

poc_err wire_mbms_read(wire_mbms_body *out, wire_mbms_procedure procedure, wire_mbms_way way, poc_span xml,
                       const char **why)
{
    const struct procedure *p = &procedures[procedure];
    const poc_xml_reader reader = reader_of(p->of_services, way);
    reading r = { .out = out, .document = &p->way[way], .wanted = parts_of(p->of_services, way) };
    out->count = 0;
    POC_TRY(poc_xml_read(&reader, &r, xml, why));
    if (out->count > 0)
        return POC_OK;
    *why = "no item";
    return POC_E_INPUT;
}

/* ---- writing ---- */

static void open_put(poc_wr *wr, const char *name)
{
    poc_wr_fmt(wr, "<%s>", name);
}

static void close_put(poc_wr *wr, const char *name)
{
    poc_wr_fmt(wr, "</%s>", name);
}

static void base64_element_put(poc_wr *wr, const char *name, poc_span octets)
{
    open_put(wr, name);
    poc_base64_put(wr, octets);
    close_put(wr, name);
}

static void msk_put(poc_wr *wr, const wire_mbms_item *item)
{
    uint8_t id[POC_MSK_ID_LEN];
    poc_wr octets = poc_wr_into(id, sizeof(id));
    poc_wr_u32(&octets, item->msk_id);
    open_put(wr, NAME_MSK);
    base64_element_put(wr, NAME_KEY_DOMAIN, poc_span_of(item->key_domain.b, POC_KEY_DOMAIN_LEN));
    base64_element_put(wr, NAME_MSK_ID, poc_span_of(id, sizeof(id)));
    close_put(wr, NAME_MSK);
}

static poc_err subject_put(poc_wr *wr, const wire_mbms_item *item, bool of_services)
{
    if (!of_services) {
        msk_put(wr, item);
        return POC_OK;
    }
    if (!service_is_good(poc_span_str(item->service_id)))
        return POC_E_INPUT;
    poc_xml_put_element(wr, NAME_SERVICE, poc_span_str(item->service_id));
    return POC_OK;
}

static poc_err response_put(poc_wr *wr, const wire_mbms_item *item, bool of_services)
{
    const char *text = NULL;
    for (size_t i = 0; i < POC_COUNT(statuses); i++)
        if (statuses[i].status == item->status)
            text = statuses[i].text;
    if (text == NULL)
        return POC_E_INPUT;
    open_put(wr, NAME_RESPONSE);
    POC_TRY(subject_put(wr, item, of_services));
    poc_xml_put_element(wr, NAME_RESPONSE_CODE, poc_span_str(text));
    close_put(wr, NAME_RESPONSE);
    return POC_OK;
}

poc_err wire_mbms_write(poc_wr *out, const wire_mbms_body *body, wire_mbms_procedure procedure, wire_mbms_way way)
{
    const struct procedure *p = &procedures[procedure];
    const document *d = &p->way[way];
    if (body->count == 0 || body->count > WIRE_MBMS_ITEMS_MAX)
        return POC_E_INPUT;
    poc_wr_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"%s\">\n", d->root, d->ns);
    for (size_t i = 0; i < body->count; i++) {
        const wire_mbms_item *item = &body->items[i];
        poc_wr_fmt(out, "  ");
        POC_TRY(way == WIRE_MBMS_RESPONSE ? response_put(out, item, p->of_services)
                                          : subject_put(out, item, p->of_services));
        poc_wr_fmt(out, "\n");
    }
    poc_wr_fmt(out, "</%s>\n", d->root);
    return poc_wr_done(out);
}
