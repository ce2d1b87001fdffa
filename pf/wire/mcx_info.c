/* mcptt-info and mcvideo-info (TS 24.379 F.1, TS 24.281 F.1): who the client is and for whom a message is, in clear or
 * encrypted element by element. */
#include <string.h>

#include "base/text.h"
#include "pf/wire/mcx.h"

enum { DEPTH_MAX = 12 };

enum element { E_ROOT = 1, E_PARAMS, E_CONTENT, E_VALUE };

typedef struct reading {
    mcx_encrypted_reading e;
    wire_mcx_info *out;
    const mcx_dialect *dialect;
    char *place; /* of the element that is open, and its room */
    size_t size;
    bool wants_encrypted, has_value;
} reading;

/* ---- one element ---- */

static void content_open(poc_xml *x, char *place, size_t size)
{
    reading *r = poc_xml_user(x);
    poc_span type = poc_span_str("Normal");
    if (place[0] != '\0')
        poc_xml_stop(x, POC_E_INPUT, "an element twice");
    r->place = place;
    r->size = size;
    r->has_value = false;
    mcx_encrypted_begin(&r->e);
    (void)poc_xml_attribute(x, "type", &type);
    r->wants_encrypted = poc_span_eq_str(type, "Encrypted");
    if (!r->wants_encrypted && !poc_span_eq_str(type, "Normal"))
        poc_xml_stop(x, POC_E_INPUT, "type is neither Normal nor Encrypted");
}

static void open_token(poc_xml *x)
{
    wire_mcx_info *info = ((reading *)poc_xml_user(x))->out;
    content_open(x, info->access_token, sizeof(info->access_token));
}

static void open_request_uri(poc_xml *x)
{
    wire_mcx_info *info = ((reading *)poc_xml_user(x))->out;
    content_open(x, info->request_uri, sizeof(info->request_uri));
}

static void open_client_id(poc_xml *x)
{
    wire_mcx_info *info = ((reading *)poc_xml_user(x))->out;
    content_open(x, info->client_id, sizeof(info->client_id));
}

static void value_take(poc_xml *x, poc_span text)
{
    reading *r = poc_xml_user(x);
    if (r->has_value)
        poc_xml_stop(x, POC_E_INPUT, "more than one value");
    else if (text.n == 0 || text.n >= r->size || !poc_xml_is_text(text))
        poc_xml_stop(x, POC_E_INPUT, "a value that is empty, too long or no text");
    else
        memcpy(r->place, text.p, text.n);
    r->has_value = true;
}

/* ---- what was encrypted ---- */

static bool is_content_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    const reading *r = poc_xml_user(x);
    return mcx_is_named(row->name, r->dialect, r->dialect->info_space, name,
                        uri.n == 0 ? poc_span_str(r->dialect->info_space) : uri);
}

static const poc_xml_row content_rows[] = {
    { "*String", POC_XML_TOP, E_VALUE, NULL, value_take },
    { "*URI", POC_XML_TOP, E_VALUE, NULL, value_take },
};

static const poc_xml_reader content_reader = { .rows = content_rows,
                                               .row_count = POC_COUNT(content_rows),
                                               .is_row = is_content_row,
                                               .foreign_root = "encrypted content of another kind",
                                               .octets_max = POC_XML_TEXT_MAX,
                                               .depth_max = DEPTH_MAX,
                                               .text_max = WIRE_MCX_TOKEN_MAX,
                                               .holds_keys = true };

/* The element that stood there, or its text alone. */
static void content_take(poc_xml *x, poc_span content)
{
    const char *why = "";
    if (content.n == 0 || content.p[0] != '<') {
        value_take(x, content);
        return;
    }
    const poc_err err = poc_xml_read(&content_reader, poc_xml_user(x), content, &why);
    if (err != POC_OK)
        poc_xml_stop(x, err, why);
}

static void content_decrypt(poc_xml *x)
{
    const reading *r = poc_xml_user(x);
    uint8_t content[POC_XML_TEXT_MAX];
    const char *why;
    size_t n = 0;
    const poc_err err = mcx_decrypt(content, &n, &r->e.encrypted, &why);
    if (err == POC_OK)
        content_take(x, poc_trim(poc_span_of(content, n)));
    else
        poc_xml_stop(x, err, why);
    poc_wipe(content, sizeof(content));
}

static void close_content(poc_xml *x, poc_span text)
{
    reading *r = poc_xml_user(x);
    (void)text;
    if (r->wants_encrypted != r->e.encrypted.is_there || r->wants_encrypted == r->has_value) {
        poc_xml_stop(x, POC_E_INPUT, "an element without what its type says");
        return;
    }
    if (r->wants_encrypted)
        content_decrypt(x);
    else
        r->out->has_clear = true;
}

/* ---- the document ---- */

static const poc_xml_row rows[] = {
    { "*info", POC_XML_TOP, E_ROOT, NULL, NULL },
    { "*-Params", E_ROOT, E_PARAMS, NULL, NULL },
    { "*-access-token", E_PARAMS, E_CONTENT, open_token, close_content },
    { "*-request-uri", E_PARAMS, E_CONTENT, open_request_uri, close_content },
    { "*-client-id", E_PARAMS, E_CONTENT, open_client_id, close_content },
    { "*String", E_CONTENT, E_VALUE, NULL, value_take },
    { "*URI", E_CONTENT, E_VALUE, NULL, value_take },
    MCX_ENCRYPTED_ROWS(E_CONTENT),
};

static bool is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    const reading *r = poc_xml_user(x);
    return mcx_is_named(row->name, r->dialect, r->dialect->info_space, name, uri);
}

static const poc_xml_reader reader = { .rows = rows,
                                       .row_count = POC_COUNT(rows),
                                       .is_row = is_row,
                                       .foreign_root = "not an info document of this service",
                                       .octets_max = WIRE_MCX_BODY_MAX,
                                       .depth_max = DEPTH_MAX,
                                       .text_max = POC_XML_TEXT_MAX,
                                       .holds_keys = true };

poc_err wire_mcx_info_read(wire_mcx_info *out, mcx_service service, poc_span xml, const wire_mcx_ring *ring,
                           const char **why)
{
    reading r = { .e.ring = ring, .out = out, .dialect = &mcx_dialects[service] };
    memset(out, 0, sizeof(*out));
    const poc_err err = poc_xml_read(&reader, &r, xml, why);
    if (err != POC_OK)
        wire_mcx_info_done(out);
    return err;
}

void wire_mcx_info_done(wire_mcx_info *info)
{
    poc_wipe(info, sizeof(*info));
}

/* ---- writing ---- */

typedef struct writing {
    poc_wr *out;
    const mcx_dialect *dialect;
    const wire_mcx_keys *keys;
    const poc_rng *rng;
} writing;

static void value_put(poc_wr *out, const writing *w, const char *kind, bool says_space, poc_span text)
{
    poc_wr_fmt(out, "<%s%s", w->dialect->prefix, kind);
    if (says_space)
        poc_wr_fmt(out, " xmlns=\"%s\"", w->dialect->info_space);
    poc_wr_fmt(out, ">");
    poc_xml_put_text(out, text);
    poc_wr_fmt(out, "</%s%s>", w->dialect->prefix, kind);
}

static poc_err encrypted_put(const writing *w, const char *kind, poc_span text)
{
    uint8_t content[POC_XML_TEXT_MAX];
    poc_wr wr = poc_wr_into(content, sizeof(content));
    value_put(&wr, w, kind, true, text);
    poc_err err = poc_wr_done(&wr);
    if (err == POC_OK)
        err = mcx_encrypt_put(w->out, poc_span_of(content, wr.len), w->keys, w->rng);
    poc_wipe(content, sizeof(content));
    return err;
}

static poc_err content_put(const writing *w, const char *name, const char *kind, const char *value)
{
    const poc_span text = poc_span_str(value);
    if (text.n == 0)
        return POC_OK;
    if (!poc_xml_is_text(text))
        return POC_E_INPUT;
    poc_wr_fmt(w->out, "    <%s-%s type=\"%s\">", w->dialect->prefix, name, w->keys == NULL ? "Normal" : "Encrypted");
    if (w->keys == NULL)
        value_put(w->out, w, kind, false, text);
    else
        POC_TRY(encrypted_put(w, kind, text));
    poc_wr_fmt(w->out, "</%s-%s>\n", w->dialect->prefix, name);
    return POC_OK;
}

poc_err wire_mcx_info_write(poc_wr *out, const wire_mcx_info *info, mcx_service service, const wire_mcx_keys *keys,
                            const poc_rng *rng)
{
    const mcx_dialect *d = &mcx_dialects[service];
    const writing w = { out, d, keys, rng };
    poc_wr_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%sinfo xmlns=\"%s\">\n  <%s-Params>\n", d->prefix,
               d->info_space, d->prefix);
    /*= TS 24.379, F.1: a sequence, in this order. */
    POC_TRY(content_put(&w, "access-token", "String", info->access_token));
    POC_TRY(content_put(&w, "request-uri", "URI", info->request_uri));
    POC_TRY(content_put(&w, "client-id", "String", info->client_id));
    poc_wr_fmt(out, "  </%s-Params>\n</%sinfo>\n", d->prefix, d->prefix);
    return poc_wr_done(out);
}
