/* A REGISTER inside a REGISTER (RFC 3261 7): start line, some headers, body. Sofia-SIP parses what comes from the network;
 * this came in a body, and only a few of its lines matter. */
#include <string.h>

#include "base/text.h"
#include "pf/wire/wire.h"

#define HEADERS_MAX ((size_t)16 * 1024)

typedef struct reading {
    wire_register *out;
    poc_span whole;
    poc_fault *fault;
    bool has_length;
    uint64_t length;
} reading;

static poc_err fail(const reading *r, const uint8_t *at, const char *reason, poc_err err)
{
    if (r->fault != NULL)
        *r->fault = (poc_fault){ (size_t)(at - r->whole.p), reason };
    return err;
}

static poc_span behind(poc_span text, size_t n)
{
    return poc_span_of(text.p + n, text.n - n);
}

/* ---- headers ---- */

/* May stand once. */
static poc_err once(poc_span *place, poc_span value)
{
    if (place->p != NULL || value.n == 0)
        return POC_E_INPUT;
    *place = value;
    return POC_OK;
}

static poc_err take_to(reading *r, poc_span value)
{
    return once(&r->out->to, value);
}

static poc_err take_from(reading *r, poc_span value)
{
    return once(&r->out->from, value);
}

static poc_err take_content_type(reading *r, poc_span value)
{
    return once(&r->out->content_type, value);
}

static poc_err take_contact(reading *r, poc_span value)
{
    if (r->out->contact.p == NULL)
        r->out->contact = value;
    return POC_OK;
}

static poc_err take_expires(reading *r, poc_span value)
{
    uint64_t seconds;
    if (r->out->has_expires)
        return POC_E_INPUT;
    POC_TRY(poc_u64_get(&seconds, UINT32_MAX, value));
    r->out->has_expires = true;
    r->out->expires_s = (uint32_t)seconds;
    return POC_OK;
}

static poc_err take_length(reading *r, poc_span value)
{
    if (r->has_length)
        return POC_E_INPUT;
    r->has_length = true;
    return poc_u64_get(&r->length, UINT32_MAX, value);
}

static const struct header {
    const char *name, *compact;
    poc_err (*take)(reading *r, poc_span value);
} headers[] = {
    { "To", "t", take_to },           { "From", "f", take_from },
    { "Contact", "m", take_contact }, { "Content-Type", "c", take_content_type },
    { "Expires", "", take_expires },  { "Content-Length", "l", take_length },
};

static poc_err header_take(reading *r, poc_span line)
{
    poc_span value = line;
    if (memchr(line.p, ':', line.n) == NULL)
        return POC_E_INPUT;
    const poc_span name = poc_trim(poc_split(&value, ':'));
    for (size_t i = 0; i < POC_COUNT(headers); i++)
        if (poc_span_eq_nocase(name, headers[i].name) ||
            (headers[i].compact[0] != '\0' && poc_span_eq_nocase(name, headers[i].compact)))
            return headers[i].take(r, poc_trim(value));
    return name.n > 0 ? POC_OK : POC_E_INPUT;
}

/* Octets of a line without its end; of a header with the lines that continue it. `text.n` when it has no end. */
static size_t line_len(poc_span text, bool may_fold)
{
    size_t from = 0;
    while (from < text.n) {
        const uint8_t *end = memmem(text.p + from, text.n - from, "\r\n", 2);
        if (end == NULL)
            return text.n;
        const size_t next = (size_t)(end - text.p) + 2;
        if (!may_fold || next == text.n || (text.p[next] != ' ' && text.p[next] != '\t'))
            return next - 2;
        from = next;
    }
    return text.n;
}

static poc_err headers_take(reading *r, poc_span *rest)
{
    const uint8_t *start = rest->p;
    for (;;) {
        const size_t n = line_len(*rest, true);
        if (n == rest->n)
            return fail(r, rest->p, "a header without end", POC_E_INPUT);
        if ((size_t)(rest->p - start) + n > HEADERS_MAX)
            return fail(r, rest->p, "headers too large", POC_E_LIMIT);
        const poc_span line = poc_span_of(rest->p, n);
        *rest = behind(*rest, n + 2);
        if (n == 0)
            return POC_OK;
        if (header_take(r, line) != POC_OK)
            return fail(r, line.p, "a header that is malformed or stands twice", POC_E_INPUT);
    }
}

/* ---- the message ---- */

static poc_err start_line_take(reading *r, poc_span *rest)
{
    const size_t n = line_len(*rest, false);
    poc_span line = poc_span_of(rest->p, n);
    if (n == rest->n)
        return fail(r, rest->p, "no start line", POC_E_INPUT);
    const poc_span method = poc_split(&line, ' ');
    const poc_span uri = poc_split(&line, ' ');
    if (!poc_span_eq_str(method, "REGISTER") || uri.n == 0 || !poc_span_eq_nocase(line, "SIP/2.0"))
        return fail(r, rest->p, "not a REGISTER", POC_E_INPUT);
    r->out->request_uri = uri;
    *rest = behind(*rest, n + 2);
    return POC_OK;
}

/* Content-Length tells where the body ends; line ends may follow. */
static poc_err body_take(reading *r, poc_span rest)
{
    r->out->body = rest;
    if (!r->has_length)
        return POC_OK;
    if (r->length > rest.n)
        return fail(r, rest.p, "a body shorter than its Content-Length", POC_E_INPUT);
    r->out->body = poc_span_of(rest.p, (size_t)r->length);
    for (size_t i = (size_t)r->length; i < rest.n; i++)
        if (rest.p[i] != '\r' && rest.p[i] != '\n')
            return fail(r, rest.p + i, "a body longer than its Content-Length", POC_E_INPUT);
    return POC_OK;
}

poc_err wire_register_read(wire_register *out, poc_span octets, poc_fault *fault)
{
    reading r = { .out = out, .whole = octets, .fault = fault };
    poc_span rest = octets;
    *out = (wire_register){ .has_expires = false };
    (void)fail(&r, octets.p, NULL, POC_OK);
    POC_TRY(start_line_take(&r, &rest));
    POC_TRY(headers_take(&r, &rest));
    if (out->to.n == 0 || out->from.n == 0)
        return fail(&r, octets.p, "no To or no From", POC_E_INPUT);
    return body_take(&r, rest);
}
