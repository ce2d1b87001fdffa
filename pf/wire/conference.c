/* conference-info (RFC 4575): nothing is kept but what the engine classifies. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xml.h"
#include "pf/wire/wire.h"

#define CONFERENCE_NS "urn:ietf:params:xml:ns:conference-info"
#define DOCUMENT_MAX  ((size_t)1024 * 1024)
#define DEPTH_MAX     16u
#define TEXT_MAX      512u

typedef enum element {
    E_CONFERENCE = 1,
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

/* ---- what is kept ---- */

static const char *text_keep(poc_xml *x, const char *p, size_t n)
{
    wire_conference *c = poc_xml_user(x);
    if (n >= c->text_cap - c->text_used) {
        poc_xml_stop(x, POC_E_LIMIT, "too much text");
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

/* ---- attributes ---- */

static const char *entity_of(poc_xml *x)
{
    poc_span value;
    if (poc_xml_attribute(x, "entity", &value) && value.n > 0)
        return text_keep(x, (const char *)value.p, value.n);
    poc_xml_stop(x, POC_E_INPUT, "user or endpoint without entity");
    return "";
}

/*= RFC 4575, 5.1: the state attribute "defaults to full". */
static pocpf_conf_state state_of(poc_xml *x)
{
    static const char *const names[] = {
        [POCPF_CONF_FULL] = "full", [POCPF_CONF_PARTIAL] = "partial", [POCPF_CONF_DELETED] = "deleted"
    };
    poc_span value;
    if (!poc_xml_attribute(x, "state", &value))
        return POCPF_CONF_FULL;
    for (size_t i = 0; i < POC_COUNT(names); i++)
        if (poc_span_eq_str(value, names[i]))
            return (pocpf_conf_state)i;
    poc_xml_stop(x, POC_E_INPUT, "unknown state");
    return POCPF_CONF_FULL;
}

/* ---- elements that open ---- */

static void open_conference(poc_xml *x)
{
    poc_span value;
    uint64_t version = 0;
    wire_conference *c = poc_xml_user(x);
    c->doc.state = state_of(x);
    if (!poc_xml_attribute(x, "version", &value))
        poc_xml_stop(x, POC_E_INPUT, "no version");
    else if (poc_u64_get(&version, UINT32_MAX, value) != POC_OK)
        poc_xml_stop(x, POC_E_INPUT, "version is not an unsignedInt");
    c->doc.version = (uint32_t)version;
}

static void open_users(poc_xml *x)
{
    wire_conference *c = poc_xml_user(x);
    if (c->doc.has_users)
        poc_xml_stop(x, POC_E_INPUT, "users twice");
    c->doc.has_users = true;
    c->doc.users_state = state_of(x);
}

static void open_user(poc_xml *x)
{
    wire_conference *c = poc_xml_user(x);
    if (!user_room(c)) {
        poc_xml_stop(x, POC_E_NOMEM, "out of memory");
        return;
    }
    c->first_endpoint[c->user_count] = c->endpoint_count;
    c->users[c->user_count++] = (pocpf_conf_user){ .entity = entity_of(x), .state = state_of(x) };
}

static void open_endpoint(poc_xml *x)
{
    wire_conference *c = poc_xml_user(x);
    if (!endpoint_room(c)) {
        poc_xml_stop(x, POC_E_NOMEM, "out of memory");
        return;
    }
    c->endpoints[c->endpoint_count++] = (pocpf_conf_endpoint){ .entity = entity_of(x), .state = state_of(x) };
    c->users[c->user_count - 1].endpoint_count++;
}

/* ---- elements that close with a text ---- */

static pocpf_conf_endpoint *endpoint_now(poc_xml *x)
{
    wire_conference *c = poc_xml_user(x);
    return &c->endpoints[c->endpoint_count - 1];
}

static void close_user_count(poc_xml *x, poc_span text)
{
    uint64_t n;
    wire_conference *c = poc_xml_user(x);
    if (poc_u64_get(&n, UINT32_MAX, text) != POC_OK) {
        poc_xml_stop(x, POC_E_INPUT, "user-count is not a number");
        return;
    }
    c->doc.has_user_count = true;
    c->doc.user_count = (uint32_t)n;
}

static void close_status(poc_xml *x, poc_span text)
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
            endpoint_now(x)->status = rows[i].status;
            return;
        }
    poc_xml_stop(x, POC_E_INPUT, "unknown endpoint status");
}

static void close_method(poc_xml *x, poc_span text)
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
            endpoint_now(x)->disconnection_method = rows[i].method;
            return;
        }
    poc_xml_stop(x, POC_E_INPUT, "unknown disconnection-method");
}

static void close_by(poc_xml *x, poc_span text)
{
    if (text.n > 0)
        endpoint_now(x)->disconnected_by = text_keep(x, (const char *)text.p, text.n);
}

/* The elements we read: where they stand and what they do. Everything else of the schema is passed over with what is in it. */
static const poc_xml_row rows[] = {
    { "conference-info", POC_XML_TOP, E_CONFERENCE, open_conference, NULL },
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

static bool is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    (void)x;
    return poc_span_eq_str(uri, CONFERENCE_NS) && poc_span_eq_str(name, row->name);
}

static const poc_xml_reader reader = { .rows = rows,
                                       .row_count = POC_COUNT(rows),
                                       .is_row = is_row,
                                       .foreign_root = "not a conference-info document",
                                       .octets_max = DOCUMENT_MAX,
                                       .depth_max = DEPTH_MAX,
                                       .text_max = TEXT_MAX };

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
    *out = NULL;
    *why = "document too large";
    if (xml.n > DOCUMENT_MAX)
        return POC_E_LIMIT;
    POC_OWNED(wire_conference, c, wire_conference_free);
    c = conference_new(xml.n);
    *why = "out of memory";
    if (c == NULL)
        return POC_E_NOMEM;
    POC_TRY(poc_xml_read(&reader, c, xml, why));
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
