/* conference-info (RFC 4575) by libxml2's SAX interface: no tree, no DTD, no network, and nothing kept but what the engine
 * classifies. */
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/wire/wire.h"

#define CONFERENCE_NS "urn:ietf:params:xml:ns:conference-info"
#define DOCUMENT_MAX  ((size_t)1024 * 1024)
#define DEPTH_MAX     16u
#define TEXT_MAX      512u /* octets of one element's text that is kept */

typedef enum element {
    E_NONE,
    E_CONFERENCE,
    E_CONFERENCE_STATE,
    E_USER_COUNT,
    E_USERS,
    E_USER,
    E_ENDPOINT,
    E_STATUS,
    E_METHOD,
    E_INFO,
    E_BY
} element;

struct wire_conference {
    pocpf_conference doc;
    pocpf_conf_user *users;
    pocpf_conf_endpoint *endpoints; /* of all users, in order */
    size_t *first_endpoint;         /* per user */
    size_t user_count, user_cap, endpoint_count, endpoint_cap;
    char *texts; /* one room for all strings: never moves */
    size_t text_used, text_cap;
};

typedef struct reading {
    wire_conference *c;
    xmlParserCtxtPtr xml;
    element path[DEPTH_MAX + 1];
    size_t depth;   /* elements open */
    size_t skipped; /* elements open inside something that is not ours */
    char text[TEXT_MAX];
    size_t text_len;
    poc_err err;
    const char *why;
} reading;

static void stop(reading *r, poc_err err, const char *why)
{
    if (r->err == POC_OK) {
        r->err = err;
        r->why = why;
    }
}

/* Stopping frees the buffer that names and attributes point into: only at the very end of a handler. */
static void settle_parser(reading *r)
{
    if (r->err != POC_OK)
        xmlStopParser(r->xml);
}

/* ---- what is kept ---- */

static const char *text_keep(reading *r, const char *p, size_t n)
{
    wire_conference *c = r->c;
    if (n >= c->text_cap - c->text_used) {
        stop(r, POC_E_LIMIT, "too much text");
        return "";
    }
    char *at = c->texts + c->text_used;
    memcpy(at, p, n);
    at[n] = '\0';
    c->text_used += n + 1;
    return at;
}

static bool grow(void **rows, size_t *cap, size_t size)
{
    size_t more = *cap == 0 ? 16 : *cap * 2;
    void *moved = realloc(*rows, more * size);
    if (moved == NULL)
        return false;
    *rows = moved;
    *cap = more;
    return true;
}

static bool user_room(wire_conference *c)
{
    size_t cap = c->user_cap, cap_first = c->user_cap;
    if (c->user_count < c->user_cap)
        return true;
    if (!grow((void **)&c->users, &cap, sizeof(*c->users)) ||
        !grow((void **)&c->first_endpoint, &cap_first, sizeof(*c->first_endpoint)))
        return false;
    c->user_cap = cap;
    return true;
}

static bool endpoint_room(wire_conference *c)
{
    return c->endpoint_count < c->endpoint_cap || grow((void **)&c->endpoints, &c->endpoint_cap, sizeof(*c->endpoints));
}

/* ---- attributes: libxml2 gives (local name, prefix, URI, value, end) each ---- */

typedef struct attributes {
    const xmlChar **at;
    int count;
} attributes;

static bool attribute(const attributes *a, const char *name, poc_span *value)
{
    for (int i = 0; i < a->count; i++) {
        const xmlChar *const *row = a->at + 5 * (ptrdiff_t)i;
        if (row[2] == NULL && strcmp((const char *)row[0], name) == 0) {
            *value = poc_span_of(row[3], (size_t)(row[4] - row[3]));
            return true;
        }
    }
    return false;
}

static const char *entity_of(reading *r, const attributes *a)
{
    poc_span value;
    if (attribute(a, "entity", &value) && value.n > 0)
        return text_keep(r, (const char *)value.p, value.n);
    stop(r, POC_E_INPUT, "user or endpoint without entity");
    return "";
}

/*= RFC 4575, 5.1: the state attribute "defaults to full". */
static pocpf_conf_state state_of(reading *r, const attributes *a)
{
    static const char *const names[] = {
        [POCPF_CONF_FULL] = "full", [POCPF_CONF_PARTIAL] = "partial", [POCPF_CONF_DELETED] = "deleted"
    };
    poc_span value;
    if (!attribute(a, "state", &value))
        return POCPF_CONF_FULL;
    for (size_t i = 0; i < POC_COUNT(names); i++)
        if (poc_span_eq_str(value, names[i]))
            return (pocpf_conf_state)i;
    stop(r, POC_E_INPUT, "unknown state");
    return POCPF_CONF_FULL;
}

/* ---- elements that open ---- */

static void open_conference(reading *r, const attributes *a)
{
    poc_span value;
    uint64_t version = 0;
    r->c->doc.state = state_of(r, a);
    if (!attribute(a, "version", &value))
        stop(r, POC_E_INPUT, "no version");
    else if (poc_u64_get(&version, UINT32_MAX, value) != POC_OK)
        stop(r, POC_E_INPUT, "version is not an unsignedInt");
    r->c->doc.version = (uint32_t)version;
}

static void open_users(reading *r, const attributes *a)
{
    if (r->c->doc.has_users)
        stop(r, POC_E_INPUT, "users twice");
    r->c->doc.has_users = true;
    r->c->doc.users_state = state_of(r, a);
}

static void open_user(reading *r, const attributes *a)
{
    wire_conference *c = r->c;
    if (!user_room(c)) {
        stop(r, POC_E_NOMEM, "out of memory");
        return;
    }
    c->first_endpoint[c->user_count] = c->endpoint_count;
    c->users[c->user_count++] = (pocpf_conf_user){ .entity = entity_of(r, a), .state = state_of(r, a) };
}

static void open_endpoint(reading *r, const attributes *a)
{
    wire_conference *c = r->c;
    if (!endpoint_room(c)) {
        stop(r, POC_E_NOMEM, "out of memory");
        return;
    }
    c->endpoints[c->endpoint_count++] = (pocpf_conf_endpoint){ .entity = entity_of(r, a), .state = state_of(r, a) };
    c->users[c->user_count - 1].endpoint_count++;
}

/* ---- elements that close with a text ---- */

static pocpf_conf_endpoint *endpoint_now(reading *r)
{
    return &r->c->endpoints[r->c->endpoint_count - 1];
}

static void close_user_count(reading *r, poc_span text)
{
    uint64_t n;
    if (poc_u64_get(&n, UINT32_MAX, text) != POC_OK) {
        stop(r, POC_E_INPUT, "user-count is not a number");
        return;
    }
    r->c->doc.has_user_count = true;
    r->c->doc.user_count = (uint32_t)n;
}

static void close_status(reading *r, poc_span text)
{
    static const struct {
        const char *name;
        pocpf_conf_status status;
    } rows[] = {
        { "pending", POCPF_CONF_PENDING },           { "dialing-out", POCPF_CONF_DIALING_OUT },
        { "dialing-in", POCPF_CONF_DIALING_IN },     { "alerting", POCPF_CONF_ALERTING },
        { "on-hold", POCPF_CONF_ON_HOLD },           { "connected", POCPF_CONF_CONNECTED },
        { "muted-via-focus", POCPF_CONF_MUTED },     { "disconnecting", POCPF_CONF_DISCONNECTING },
        { "disconnected", POCPF_CONF_DISCONNECTED },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        if (poc_span_eq_str(text, rows[i].name)) {
            endpoint_now(r)->status = rows[i].status;
            return;
        }
    stop(r, POC_E_INPUT, "unknown endpoint status");
}

static void close_method(reading *r, poc_span text)
{
    static const struct {
        const char *name;
        pocpf_conf_method method;
    } rows[] = {
        { "departed", POCPF_CONF_DEPARTED },
        { "booted", POCPF_CONF_BOOTED },
        { "failed", POCPF_CONF_FAILED },
        { "busy", POCPF_CONF_BUSY },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        if (poc_span_eq_str(text, rows[i].name)) {
            endpoint_now(r)->disconnection_method = rows[i].method;
            return;
        }
    stop(r, POC_E_INPUT, "unknown disconnection-method");
}

static void close_by(reading *r, poc_span text)
{
    if (text.n > 0)
        endpoint_now(r)->disconnected_by = text_keep(r, (const char *)text.p, text.n);
}

/* The elements we read: where they stand and what they do. Everything else of the schema is passed over with what is in it. */
static const struct row {
    const char *name;
    element parent, is;
    void (*open)(reading *r, const attributes *a);
    void (*close)(reading *r, poc_span text);
} rows[] = {
    { "conference-info", E_NONE, E_CONFERENCE, open_conference, NULL },
    { "conference-state", E_CONFERENCE, E_CONFERENCE_STATE, NULL, NULL },
    { "user-count", E_CONFERENCE_STATE, E_USER_COUNT, NULL, close_user_count },
    { "users", E_CONFERENCE, E_USERS, open_users, NULL },
    { "user", E_USERS, E_USER, open_user, NULL },
    { "endpoint", E_USER, E_ENDPOINT, open_endpoint, NULL },
    { "status", E_ENDPOINT, E_STATUS, NULL, close_status },
    { "disconnection-method", E_ENDPOINT, E_METHOD, NULL, close_method },
    { "disconnection-info", E_ENDPOINT, E_INFO, NULL, NULL },
    { "by", E_INFO, E_BY, NULL, close_by },
};

static const struct row *row_find(const reading *r, const xmlChar *name, const xmlChar *uri)
{
    element parent = r->depth == 0 ? E_NONE : r->path[r->depth - 1];
    if (uri == NULL || strcmp((const char *)uri, CONFERENCE_NS) != 0)
        return NULL;
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        if (rows[i].parent == parent && strcmp((const char *)name, rows[i].name) == 0)
            return &rows[i];
    return NULL;
}

/* ---- SAX ---- */

static void element_open(reading *r, const xmlChar *name, const xmlChar *uri, const attributes *a)
{
    if (r->depth + r->skipped >= DEPTH_MAX) {
        stop(r, POC_E_LIMIT, "nested too deep");
        return;
    }
    const struct row *row = r->skipped > 0 ? NULL : row_find(r, name, uri);
    if (row == NULL && r->depth == 0) {
        stop(r, POC_E_INPUT, "not a conference-info document");
        return;
    }
    if (row == NULL) {
        r->skipped++;
        return;
    }
    r->path[r->depth++] = row->is;
    r->text_len = 0;
    if (row->open != NULL)
        row->open(r, a);
}

static void element_close(reading *r)
{
    if (r->skipped > 0) {
        r->skipped--;
        return;
    }
    element was = r->path[--r->depth];
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        if (rows[i].is == was && rows[i].close != NULL)
            rows[i].close(r, poc_trim(poc_span_of(r->text, r->text_len)));
}

static void on_open(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespaces,
                    const xmlChar **namespace_list, int attribute_count, int defaulted, const xmlChar **list)
{
    reading *r = ctx;
    attributes a = { list, attribute_count };
    (void)prefix, (void)namespaces, (void)namespace_list, (void)defaulted;
    if (r->err == POC_OK)
        element_open(r, name, uri, &a);
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
    if (r->err != POC_OK || r->skipped > 0 || r->depth == 0)
        return;
    element in = r->path[r->depth - 1];
    if (in != E_USER_COUNT && in != E_STATUS && in != E_METHOD && in != E_BY)
        return;
    if ((size_t)n > sizeof(r->text) - r->text_len) {
        stop(r, POC_E_LIMIT, "text too long");
        settle_parser(r);
        return;
    }
    memcpy(r->text + r->text_len, p, (size_t)n);
    r->text_len += (size_t)n;
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    stop(ctx, POC_E_INPUT, "DOCTYPE is not allowed");
    settle_parser(ctx);
}

/* libxml2 would print to standard error without them. */
static void on_complaint(void *ctx, const char *format, ...)
{
    (void)ctx, (void)format;
}

static void parse(reading *r, poc_span xml)
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
    if (r->xml == NULL) {
        r->err = POC_E_NOMEM;
        r->why = "out of memory";
        return;
    }
    /* NOENT resolves &amp; and its kin in attributes; without a DTD there are no other entities. */
    (void)xmlCtxtUseOptions(r->xml, XML_PARSE_NONET | XML_PARSE_NOENT);
    int failed = xmlParseChunk(r->xml, (const char *)xml.p, (int)xml.n, 1);
    if (r->err == POC_OK && (failed != 0 || !r->xml->wellFormed)) {
        r->err = POC_E_INPUT;
        r->why = "not well-formed XML";
    }
    xmlFreeParserCtxt(r->xml);
}

/* ---- door ---- */

/* The arrays no longer move: users may point into the endpoints. */
static void settle(wire_conference *c)
{
    for (size_t i = 0; i < c->user_count; i++)
        if (c->users[i].endpoint_count > 0)
            c->users[i].endpoints = &c->endpoints[c->first_endpoint[i]];
    c->doc.users = c->users;
    c->doc.user_count_listed = c->user_count;
}

static wire_conference *conference_new(size_t octets)
{
    wire_conference *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->doc.size = sizeof(c->doc);
    /* Another encoding may grow on its way to UTF-8: one octet to three at most. */
    c->text_cap = 3 * octets + 1;
    c->texts = malloc(c->text_cap);
    if (c->texts == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

poc_err wire_conference_read(wire_conference **out, poc_span xml, const char **why)
{
    reading r = { .why = "" };
    *out = NULL;
    *why = xml.n == 0 ? "empty document" : "document too large";
    if (xml.n == 0)
        return POC_E_INPUT;
    if (xml.n > DOCUMENT_MAX)
        return POC_E_LIMIT;
    POC_OWNED(wire_conference, c, wire_conference_free);
    c = conference_new(xml.n);
    *why = "out of memory";
    if (c == NULL)
        return POC_E_NOMEM;
    r.c = c;
    parse(&r, xml);
    *why = r.why;
    if (r.err != POC_OK)
        return r.err;
    settle(c);
    *out = POC_RELEASE(c);
    return POC_OK;
}

const pocpf_conference *wire_conference_document(const wire_conference *c)
{
    return &c->doc;
}

void wire_conference_free(wire_conference *c)
{
    if (c == NULL)
        return;
    free(c->users);
    free(c->endpoints);
    free(c->first_endpoint);
    free(c->texts);
    free(c);
}
