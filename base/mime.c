/* Bodies of several parts. A part may be binary (a MIKEY message ends in any octet): nothing is trimmed, converted or taken
 * for a C string. */
#include "base/mime.h"

#include <string.h>

#include "base/text.h"

#define BOUNDARY_MAX  70u /* RFC 2046, 5.1.1 */
#define DELIMITER_MAX (4u + BOUNDARY_MAX)
#define HEADERS_MAX   2048u /* octets of the header of one part */

static const poc_span nothing = { (const uint8_t *)"", 0 };

static poc_span behind(poc_span whole, size_t n)
{
    return poc_span_of(whole.p + n, whole.n - n);
}

/* ---- Content-Type ---- */

/* The next parameter, from behind a ';'. A quoted value loses its quotes; one with escapes is not ours. */
static poc_err parameter_next(poc_span *rest, poc_span *name, poc_span *value)
{
    poc_span text = poc_trim(*rest);
    const uint8_t *is = memchr(text.p, '=', text.n);
    if (is == NULL)
        return POC_E_INPUT;
    *name = poc_trim(poc_span_of(text.p, (size_t)(is - text.p)));
    text = poc_trim(behind(text, (size_t)(is + 1 - text.p)));
    if (text.n == 0 || text.p[0] != '"') {
        *value = poc_trim(poc_split(&text, ';'));
        *rest = text;
        return value->n > 0 ? POC_OK : POC_E_INPUT;
    }
    text = behind(text, 1);
    const uint8_t *end = memchr(text.p, '"', text.n);
    if (end == NULL || memchr(text.p, '\\', (size_t)(end - text.p)) != NULL)
        return POC_E_INPUT;
    *value = poc_span_of(text.p, (size_t)(end - text.p));
    text = poc_trim(behind(text, value->n + 1));
    if (text.n > 0 && text.p[0] != ';')
        return POC_E_INPUT;
    *rest = text.n > 0 ? behind(text, 1) : text;
    return POC_OK;
}

static poc_err boundary_of(poc_span parameters, poc_span *boundary)
{
    *boundary = nothing;
    while (poc_trim(parameters).n > 0) {
        poc_span name, value;
        POC_TRY(parameter_next(&parameters, &name, &value));
        if (poc_span_eq_nocase(name, "boundary"))
            *boundary = value;
    }
    return boundary->n > 0 && boundary->n <= BOUNDARY_MAX ? POC_OK : POC_E_INPUT;
}

static poc_span type_of(poc_span content_type, poc_span *parameters)
{
    *parameters = content_type;
    return poc_trim(poc_split(parameters, ';'));
}

static bool is_multipart(poc_span type)
{
    static const char family[] = "multipart/";
    return type.n >= sizeof(family) - 1 && poc_span_eq_nocase(poc_span_of(type.p, sizeof(family) - 1), family);
}

/* ---- delimiters ---- */

typedef struct delimiter {
    uint8_t text[DELIMITER_MAX]; /* CR LF "--" boundary */
    size_t n;
} delimiter;

static delimiter delimiter_of(poc_span boundary)
{
    delimiter d;
    poc_wr wr = poc_wr_into(d.text, sizeof(d.text));
    poc_wr_put(&wr, "\r\n--", 4);
    poc_wr_span(&wr, boundary);
    d.n = wr.len;
    return d;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* What stands behind the boundary: "--" ends it all; a line end begins a part; anything else means that the line only
 * begins like a delimiter. */
static bool delimiter_ends(poc_span after, bool *is_last, size_t *used)
{
    size_t i = 0;
    *is_last = after.n >= 2 && memcmp(after.p, "--", 2) == 0;
    if (*is_last)
        i = 2;
    while (i < after.n && is_blank(after.p[i]))
        i++;
    *used = i;
    if (*is_last && i == after.n)
        return true;
    if (after.n - i < 2 || memcmp(after.p + i, "\r\n", 2) != 0)
        return false;
    *used = i + 2;
    return true;
}

typedef struct place {
    size_t before; /* octets before the delimiter, its line end not counted */
    size_t behind; /* octets up to what follows it */
    bool is_last;
} place;

/* The next delimiter from `from` on; the very first one may stand at the start without a line end before it. */
static bool delimiter_find(const delimiter *d, poc_span body, size_t from, place *out)
{
    size_t used;
    if (from == 0 && body.n >= d->n - 2 && memcmp(body.p, d->text + 2, d->n - 2) == 0 &&
        delimiter_ends(behind(body, d->n - 2), &out->is_last, &used)) {
        out->before = 0;
        out->behind = d->n - 2 + used;
        return true;
    }
    for (;;) {
        const uint8_t *at = memmem(body.p + from, body.n - from, d->text, d->n);
        if (at == NULL)
            return false;
        size_t start = (size_t)(at - body.p);
        if (delimiter_ends(behind(body, start + d->n), &out->is_last, &used)) {
            out->before = start;
            out->behind = start + d->n + used;
            return true;
        }
        from = start + 1;
    }
}

/* ---- the header of a part ---- */

static poc_err encoding_take(poc_part *part, poc_span value)
{
    static const char *const as_it_is[] = { "7bit", "8bit", "binary" };
    part->is_base64 = poc_span_eq_nocase(value, "base64");
    if (part->is_base64)
        return POC_OK;
    for (size_t i = 0; i < POC_COUNT(as_it_is); i++)
        if (poc_span_eq_nocase(value, as_it_is[i]))
            return POC_OK;
    return POC_E_INPUT;
}

static poc_err field_take(poc_part *part, poc_span line)
{
    poc_span parameters, value = line;
    if (memchr(line.p, ':', line.n) == NULL)
        return POC_E_INPUT;
    poc_span name = poc_trim(poc_split(&value, ':'));
    value = poc_trim(value);
    if (poc_span_eq_nocase(name, "Content-Type"))
        part->type = type_of(value, &parameters);
    else if (poc_span_eq_nocase(name, "Content-ID"))
        part->id = value;
    else if (poc_span_eq_nocase(name, "Content-Transfer-Encoding"))
        return encoding_take(part, value);
    return POC_OK; /* RFC 2045, 2.6: other fields say nothing to who does not know them */
}

/* A field goes on in lines that begin with a blank. */
static size_t field_len(poc_span text)
{
    size_t from = 0;
    for (;;) {
        const uint8_t *end = memmem(text.p + from, text.n - from, "\r\n", 2);
        if (end == NULL)
            return text.n;
        size_t next = (size_t)(end - text.p) + 2;
        if (next == text.n || !is_blank(text.p[next]))
            return next - 2;
        from = next;
    }
}

static poc_err part_read(poc_part *part, poc_span text)
{
    /*= RFC 2046, 5.1: the default of a part without a type. */
    *part = (poc_part){ .type = poc_span_str("text/plain"), .id = nothing };
    while (!(text.n >= 2 && memcmp(text.p, "\r\n", 2) == 0)) {
        size_t n = field_len(text);
        if (n == text.n || n > HEADERS_MAX)
            return POC_E_INPUT;
        POC_TRY(field_take(part, poc_span_of(text.p, n)));
        text = behind(text, n + 2);
    }
    part->body = behind(text, 2);
    return POC_OK;
}

/* ---- reading ---- */

static poc_err fail(poc_fault *fault, size_t offset, const char *reason, poc_err err)
{
    if (fault != NULL)
        *fault = (poc_fault){ offset, reason };
    return err;
}

static poc_err multipart_read(poc_parts *out, const delimiter *d, poc_span body, poc_fault *fault)
{
    place open, close;
    if (!delimiter_find(d, body, 0, &open) || open.is_last)
        return fail(fault, 0, "no part in the multipart body", POC_E_INPUT);
    do {
        /* The line end that opens this part may be the one that closes it: a part may be empty but for its header. */
        if (!delimiter_find(d, body, open.behind - 2, &close))
            return fail(fault, open.behind, "a part without closing delimiter", POC_E_INPUT);
        if (out->count == POC_PARTS_MAX)
            return fail(fault, open.behind, "too many parts", POC_E_LIMIT);
        poc_span text = poc_span_of(body.p + open.behind, close.before < open.behind ? 0 : close.before - open.behind);
        if (part_read(&out->part[out->count], text) != POC_OK)
            return fail(fault, open.behind, "the header of a part is malformed", POC_E_INPUT);
        out->count++;
        open = close;
    } while (!close.is_last);
    return POC_OK;
}

poc_err poc_parts_read(poc_parts *out, poc_span content_type, poc_span body, poc_fault *fault)
{
    poc_span parameters, boundary;
    poc_span type = type_of(content_type, &parameters);
    out->count = 0;
    (void)fail(fault, 0, NULL, POC_OK);
    if (!is_multipart(type)) {
        out->part[out->count++] = (poc_part){ .type = type, .id = nothing, .body = body };
        return POC_OK;
    }
    if (boundary_of(parameters, &boundary) != POC_OK)
        return fail(fault, 0, "multipart without a usable boundary", POC_E_INPUT);
    delimiter d = delimiter_of(boundary);
    return multipart_read(out, &d, body, fault);
}

const poc_part *poc_part_of(const poc_parts *parts, const char *type)
{
    for (size_t i = 0; i < parts->count; i++)
        if (poc_span_eq_nocase(parts->part[i].type, type))
            return &parts->part[i];
    return NULL;
}

/* ---- writing ---- */

poc_err poc_parts_write(poc_wr *out, const char *boundary, const poc_part *parts, size_t count)
{
    size_t n = strlen(boundary);
    if (n == 0 || n > BOUNDARY_MAX)
        return POC_E_INPUT;
    for (size_t i = 0; i < count; i++) {
        if (memmem(parts[i].body.p, parts[i].body.n, boundary, n) != NULL)
            return POC_E_INPUT;
        poc_wr_fmt(out, "--%s\r\nContent-Type: %.*s\r\n", boundary, (int)parts[i].type.n,
                   (const char *)parts[i].type.p);
        if (parts[i].id.n > 0)
            poc_wr_fmt(out, "Content-ID: %.*s\r\n", (int)parts[i].id.n, (const char *)parts[i].id.p);
        poc_wr_fmt(out, "Content-Transfer-Encoding: %s\r\n\r\n", parts[i].is_base64 ? "base64" : "binary");
        poc_wr_span(out, parts[i].body);
        poc_wr_put(out, "\r\n", 2);
    }
    poc_wr_fmt(out, "--%s--\r\n", boundary);
    return poc_wr_done(out);
}
