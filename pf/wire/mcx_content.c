/* An MCX document on its way through a server that is an end of its protection: what was encrypted for it is written in clear,
 * and the other way round, element by element; all else stays octet by octet as it was. Documents are checked to be well-formed
 * first, so that what cuts them up afterwards need only find the ends of tags. */
#include "pf/wire/mcx_content.h"
#include "base/text.h"

#include <string.h>

enum { DEPTH_MAX = 12, CONTENT_ROOM = POC_XML_TEXT_MAX, WRAPPED_ROOM = 2 * POC_XML_TEXT_MAX };

/* ---- is it a document? ---- */

enum { E_ANY = 1 };

static bool is_any(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    (void)x;
    (void)row;
    (void)name;
    (void)uri;
    return true;
}

static poc_err check(poc_span xml, size_t octets_max, const char **why)
{
    static const poc_xml_row rows[] = { { "", POC_XML_TOP, E_ANY, NULL, NULL } };
    const poc_xml_reader reader = { .rows = rows,
                                    .row_count = POC_COUNT(rows),
                                    .is_row = is_any,
                                    .foreign_root = "",
                                    .octets_max = octets_max,
                                    .depth_max = DEPTH_MAX,
                                    .text_max = POC_XML_TEXT_MAX,
                                    .holds_keys = true };
    return poc_xml_read(&reader, NULL, xml, why);
}

/* ---- tokens of a well-formed document ---- */

typedef enum token_kind { T_OTHER, T_OPEN, T_EMPTY, T_CLOSE } token_kind;

typedef struct token {
    token_kind kind;
    poc_span raw;
} token;

/* The octets up to and with `end`. POC_E_INPUT: it does not come. */
static poc_err take_to(poc_span *out, poc_span *rest, const char *end)
{
    const size_t n = strlen(end);
    const uint8_t *at = memmem(rest->p, rest->n, end, n);
    if (at == NULL)
        return POC_E_INPUT;
    *out = poc_span_of(rest->p, (size_t)(at - rest->p) + n);
    *rest = poc_span_of(rest->p + out->n, rest->n - out->n);
    return POC_OK;
}

/* A tag ends with the first '>' that stands in no value. */
static poc_err take_tag(poc_span *out, poc_span *rest)
{
    uint8_t quote = 0;
    for (size_t i = 1; i < rest->n; i++) {
        const uint8_t c = rest->p[i];
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>') {
            *out = poc_span_of(rest->p, i + 1);
            *rest = poc_span_of(rest->p + i + 1, rest->n - i - 1);
            return POC_OK;
        }
    }
    return POC_E_INPUT;
}

static bool begins(poc_span text, const char *with)
{
    const size_t n = strlen(with);
    return text.n >= n && memcmp(text.p, with, n) == 0;
}

static poc_err token_next(token *out, poc_span *rest)
{
    static const char *const marks[][2] = { { "<!--", "-->" }, { "<![CDATA[", "]]>" }, { "<?", "?>" } };
    *out = (token){ .kind = T_OTHER };
    if (rest->p[0] != '<') {
        const uint8_t *at = memchr(rest->p, '<', rest->n);
        out->raw = poc_span_of(rest->p, at == NULL ? rest->n : (size_t)(at - rest->p));
        *rest = poc_span_of(rest->p + out->raw.n, rest->n - out->raw.n);
        return POC_OK;
    }
    for (size_t i = 0; i < POC_COUNT(marks); i++)
        if (begins(*rest, marks[i][0]))
            return take_to(&out->raw, rest, marks[i][1]);
    POC_TRY(take_tag(&out->raw, rest));
    const bool is_close = out->raw.p[1] == '/', is_empty = out->raw.p[out->raw.n - 2] == '/';
    out->kind = is_close ? T_CLOSE : is_empty ? T_EMPTY : T_OPEN;
    return POC_OK;
}

/* "prefix:name" of a tag. */
static poc_span tag_name(poc_span tag)
{
    static const char ends[] = { ' ', '\t', '\r', '\n', '/', '>' };
    size_t n = 1;
    while (n < tag.n && memchr(ends, tag.p[n], sizeof(ends)) == NULL)
        n++;
    return poc_span_of(tag.p + 1, n - 1);
}

static bool is_local(poc_span name, const char *local)
{
    const uint8_t *colon = memchr(name.p, ':', name.n);
    const size_t skip = colon == NULL ? 0 : (size_t)(colon + 1 - name.p);
    return poc_span_eq_str(poc_span_of(name.p + skip, name.n - skip), local);
}

typedef struct attribute {
    poc_span name, value; /* without quotes, as it stands */
} attribute;

/* The next attribute of a tag; `rest` begins behind the name of the tag. */
static bool attribute_next(attribute *out, poc_span *rest)
{
    const uint8_t *is = memchr(rest->p, '=', rest->n);
    if (is == NULL)
        return false;
    size_t at = (size_t)(is + 1 - rest->p);
    out->name = poc_trim(poc_span_of(rest->p, at - 1));
    while (at < rest->n && rest->p[at] != '"' && rest->p[at] != '\'')
        at++;
    if (at == rest->n)
        return false;
    const uint8_t *end = memchr(rest->p + at + 1, rest->p[at], rest->n - at - 1);
    if (end == NULL)
        return false;
    out->value = poc_span_of(rest->p + at + 1, (size_t)(end - rest->p) - at - 1);
    at = (size_t)(end + 1 - rest->p);
    *rest = poc_span_of(rest->p + at, rest->n - at);
    return true;
}

static poc_span attributes_of(poc_span tag)
{
    const size_t n = 1 + tag_name(tag).n;
    return poc_span_of(tag.p + n, tag.n - n);
}

/* The value of its `type`; n 0: it has none. */
static poc_span type_of(poc_span tag)
{
    attribute a;
    for (poc_span rest = attributes_of(tag); attribute_next(&a, &rest);)
        if (poc_span_eq_str(a.name, "type"))
            return a.value;
    return poc_span_of(tag.p, 0);
}

/* The tag with another type. */
static void tag_put(poc_wr *out, poc_span tag, const char *type)
{
    const poc_span old = type_of(tag);
    const size_t before = (size_t)(old.p - tag.p);
    poc_wr_put(out, tag.p, before);
    poc_wr_fmt(out, "%s", type);
    poc_wr_put(out, old.p + old.n, tag.n - before - old.n);
}

/* ---- a document that is written again ---- */

typedef struct level {
    poc_span tag;
    size_t mark; /* where it stands in what is written */
    bool is_opened;
} level;

typedef struct rewriting {
    poc_wr *out;
    poc_span rest;
    level levels[DEPTH_MAX];
    size_t depth;
    const wire_mcx_ring *ring; /* to open */
    const wire_mcx_keys *keys; /* to seal */
    const poc_rng *rng;
    bool has_changed;
    const char *why;
} rewriting;

/* From behind the tag that opened an element: its content, and the tag that ends it. */
static poc_err element_take(rewriting *r, poc_span *content, poc_span *end)
{
    const uint8_t *from = r->rest.p;
    token t;
    for (size_t depth = 1; depth > 0;) {
        if (r->rest.n == 0)
            return POC_E_INPUT;
        POC_TRY(token_next(&t, &r->rest));
        depth += t.kind == T_OPEN ? 1 : 0;
        depth -= t.kind == T_CLOSE ? 1 : 0;
    }
    *content = poc_span_of(from, (size_t)(t.raw.p - from));
    *end = t.raw;
    return POC_OK;
}

/* ---- opening ---- */

static bool is_declared_within(const rewriting *r, size_t from, poc_span name)
{
    attribute a;
    for (size_t i = from; i < r->depth; i++)
        for (poc_span rest = attributes_of(r->levels[i].tag); attribute_next(&a, &rest);)
            if (poc_span_eq(a.name, name))
                return true;
    return false;
}

/* `inside` in an element that has the namespaces of the place where it stands. */
static poc_err wrap(poc_wr *out, const rewriting *r, poc_span inside)
{
    attribute a;
    poc_wr_fmt(out, "<w");
    for (size_t i = 0; i < r->depth; i++)
        for (poc_span rest = attributes_of(r->levels[i].tag); attribute_next(&a, &rest);)
            if (begins(a.name, "xmlns") && !is_declared_within(r, i + 1, a.name)) {
                const char quote = memchr(a.value.p, '"', a.value.n) == NULL ? '"' : '\'';
                poc_wr_fmt(out, " %.*s=%c%.*s%c", (int)a.name.n, (const char *)a.name.p, quote, (int)a.value.n,
                           (const char *)a.value.p, quote);
            }
    poc_wr_fmt(out, ">");
    poc_wr_span(out, inside);
    poc_wr_fmt(out, "</w>");
    return poc_wr_done(out);
}

static const poc_xml_row encrypted_rows[] = { { "", POC_XML_TOP, E_ANY, NULL, NULL }, MCX_ENCRYPTED_ROWS(E_ANY) };

static bool is_encrypted_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    (void)x;
    return row->is == E_ANY || mcx_is_named(row->name, &mcx_dialects[MCX_MCPTT], "", name, uri);
}

static poc_err encrypted_read(mcx_encrypted_reading *reading, poc_span wrapped, const char **why)
{
    static const poc_xml_reader reader = { .rows = encrypted_rows,
                                           .row_count = POC_COUNT(encrypted_rows),
                                           .is_row = is_encrypted_row,
                                           .foreign_root = "",
                                           .octets_max = WRAPPED_ROOM,
                                           .depth_max = DEPTH_MAX,
                                           .text_max = POC_XML_TEXT_MAX,
                                           .holds_keys = true };
    mcx_encrypted_begin(reading);
    POC_TRY(poc_xml_read(&reader, reading, wrapped, why));
    *why = "EncryptedData of another namespace";
    return reading->encrypted.is_there ? POC_OK : POC_E_INPUT;
}

/* What comes out has to be whole by itself: no tag in it may end one outside. */
static poc_err content_check(const rewriting *r, poc_span content, const char **why)
{
    uint8_t room[WRAPPED_ROOM];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    poc_err err = wrap(&wr, r, content);
    if (err == POC_OK)
        err = check(poc_span_of(room, wr.len), sizeof(room), why);
    poc_wipe(room, sizeof(room));
    return err;
}

static poc_err decrypt_to(rewriting *r, poc_span data)
{
    uint8_t room[WRAPPED_ROOM], content[CONTENT_ROOM];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    mcx_encrypted_reading reading = { .ring = r->ring };
    size_t n;
    POC_TRY(wrap(&wr, r, data));
    POC_TRY(encrypted_read(&reading, poc_span_of(room, wr.len), &r->why));
    POC_TRY(mcx_decrypt(content, &n, &reading.encrypted, &r->why));
    const poc_err err = content_check(r, poc_span_of(content, n), &r->why);
    if (err == POC_OK)
        poc_wr_put(r->out, content, n);
    poc_wipe(content, sizeof(content));
    return err;
}

/* Nothing but white space stands between the tag of an element and where we are. */
static bool is_bare(const rewriting *r, const level *l)
{
    const size_t from = l->mark + l->tag.n;
    return !r->out->overflow && poc_trim(poc_span_of(r->out->buf + from, r->out->len - from)).n == 0;
}

/* EncryptedData stands alone in an element that says so. */
static poc_err data_open(rewriting *r, poc_span tag)
{
    level *parent = r->depth == 0 ? NULL : &r->levels[r->depth - 1];
    poc_span content, end;
    r->why = "EncryptedData in an element that is not called encrypted, or not alone";
    if (parent == NULL || parent->is_opened || !poc_span_eq_str(type_of(parent->tag), "Encrypted") ||
        !is_bare(r, parent))
        return POC_E_INPUT;
    POC_TRY(element_take(r, &content, &end));
    r->out->len = parent->mark;
    tag_put(r->out, parent->tag, "Normal");
    parent->is_opened = r->has_changed = true;
    return decrypt_to(r, poc_span_of(tag.p, (size_t)(end.p + end.n - tag.p)));
}

/* ---- sealing ---- */

static poc_err element_seal(rewriting *r, poc_span tag)
{
    poc_span content, end;
    POC_TRY(element_take(r, &content, &end));
    tag_put(r->out, tag, "Encrypted");
    r->why = "content that is too long";
    POC_TRY(mcx_encrypt_put(r->out, content, r->keys, r->rng));
    poc_wr_span(r->out, end);
    r->has_changed = true;
    return POC_OK;
}

/* ---- the walk ---- */

static poc_err enter(rewriting *r, poc_span tag)
{
    r->why = "too deep";
    if (r->depth == DEPTH_MAX)
        return POC_E_LIMIT;
    r->levels[r->depth++] = (level){ .tag = tag, .mark = r->out->len };
    poc_wr_span(r->out, tag);
    return POC_OK;
}

static poc_err step(rewriting *r)
{
    token t;
    r->why = "not well-formed";
    POC_TRY(token_next(&t, &r->rest));
    if (t.kind == T_OPEN && r->keys != NULL && poc_span_eq_str(type_of(t.raw), "Normal"))
        return element_seal(r, t.raw);
    if (t.kind == T_OPEN && r->keys == NULL && is_local(tag_name(t.raw), "EncryptedData"))
        return data_open(r, t.raw);
    if (t.kind == T_OPEN)
        return enter(r, t.raw);
    if (t.kind == T_CLOSE)
        r->depth -= r->depth > 0 ? 1 : 0;
    poc_wr_span(r->out, t.raw);
    return POC_OK;
}

static poc_err rewrite(rewriting *r, bool *has_changed, const char **why)
{
    poc_err err = POC_OK;
    while (err == POC_OK && r->rest.n > 0)
        err = step(r);
    if (err == POC_OK && (err = poc_wr_done(r->out)) != POC_OK)
        r->why = "too long";
    *has_changed = r->has_changed;
    *why = err == POC_OK ? "" : r->why;
    return err;
}

poc_err mcx_content_open(poc_wr *out, poc_span xml, const wire_mcx_ring *ring, bool *has_changed, const char **why)
{
    rewriting r = { .out = out, .rest = xml, .ring = ring };
    POC_TRY(check(xml, WIRE_MCX_BODY_MAX, why));
    return rewrite(&r, has_changed, why);
}

poc_err mcx_content_seal(poc_wr *out, poc_span xml, const wire_mcx_keys *keys, const poc_rng *rng, bool *has_changed,
                         const char **why)
{
    rewriting r = { .out = out, .rest = xml, .keys = keys, .rng = rng };
    POC_TRY(check(xml, WIRE_MCX_BODY_MAX, why));
    return rewrite(&r, has_changed, why);
}
