/* Bodies with a part that is binary: an I_MESSAGE ends in any octet, so nothing is trimmed or taken for a C string. */
#include <string.h>

#include "base/text.h"
#include "base/xml.h"
#include "ue/core/core.h"

#define BOUNDARY_MAX  70u /* RFC 2046 5.1.1 */
#define DELIMITER_MAX (4u + BOUNDARY_MAX)

/* ---- writing ---- */

/* Names of one service's information document. */
static const struct {
    const char *type, *root, *space, *params, *token, *client_id, *string;
} documents[MCX_SERVICES] = {
    [MCX_MCPTT] = { "application/vnd.3gpp.mcptt-info+xml", "mcpttinfo", "urn:3gpp:ns:mcpttInfo:1.0", "mcptt-Params",
                    "mcptt-access-token", "mcptt-client-id", "mcpttString" },
    [MCX_MCVIDEO] = { "application/vnd.3gpp.mcvideo-info+xml", "mcvideoinfo", "urn:3gpp:ns:mcvideoInfo:1.0",
                      "mcvideo-Params", "mcvideo-access-token", "mcvideo-client-id", "mcvideoString" },
};

static void part_open(poc_wr *out, const char *boundary, const char *type)
{
    poc_wr_fmt(out, "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: binary\r\n\r\n", boundary, type);
}

static void value_put(poc_wr *out, const char *name, const char *string, poc_span value)
{
    if (value.n == 0)
        return;
    poc_wr_fmt(out, "<%s type=\"Normal\">", name);
    poc_xml_put_element(out, string, value);
    poc_wr_fmt(out, "</%s>", name);
}

static void information_put(poc_wr *out, const ue_mcx_body *body)
{
    const char *root = documents[body->service].root, *params = documents[body->service].params;
    const char *string = documents[body->service].string;
    poc_wr_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<%s xmlns=\"%s\"><%s>", root,
               documents[body->service].space, params);
    value_put(out, documents[body->service].token, string, body->access_token);
    value_put(out, documents[body->service].client_id, string, body->client_id);
    poc_wr_fmt(out, "</%s></%s>\r\n", params, root);
}

static bool occurs(const char *boundary, poc_span text)
{
    return text.n > 0 && memmem(text.p, text.n, boundary, strlen(boundary)) != NULL;
}

poc_err ue_mcx_body_write(poc_wr *out, const ue_mcx_body *body)
{
    const char *b = body->boundary;
    if (occurs(b, body->i_message) || occurs(b, body->access_token) || occurs(b, body->client_id) ||
        occurs(b, body->settings) || !poc_xml_is_text(body->access_token) || !poc_xml_is_text(body->client_id))
        return POC_E_INPUT;
    part_open(out, b, "application/mikey");
    poc_wr_span(out, body->i_message);
    poc_wr_fmt(out, "\r\n");
    if (body->access_token.n > 0 || body->client_id.n > 0) {
        part_open(out, b, documents[body->service].type);
        information_put(out, body);
        poc_wr_fmt(out, "\r\n");
    }
    if (body->settings.n > 0) {
        part_open(out, b, "application/poc-settings+xml");
        poc_wr_span(out, body->settings);
        poc_wr_fmt(out, "\r\n");
    }
    poc_wr_fmt(out, "--%s--\r\n", b);
    return poc_wr_done(out);
}

/* ---- reading ---- */

static poc_span behind(poc_span whole, size_t n)
{
    return poc_span_of(whole.p + n, whole.n - n);
}

static bool begins_with(poc_span text, const char *with)
{
    const size_t n = strlen(with);
    return text.n >= n && poc_span_eq_nocase(poc_span_of(text.p, n), with);
}

/* The value of the parameter `boundary`, without its quotes. */
static poc_err boundary_of(poc_span *out, poc_span parameters)
{
    while (parameters.n > 0) {
        poc_span parameter = poc_trim(poc_split(&parameters, ';'));
        if (!begins_with(parameter, "boundary="))
            continue;
        poc_span value = behind(parameter, strlen("boundary="));
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = poc_span_of(value.p + 1, value.n - 2);
        *out = value;
        return value.n > 0 && value.n <= BOUNDARY_MAX ? POC_OK : POC_E_INPUT;
    }
    return POC_E_INPUT;
}

/* The next delimiter in `*rest`, which moves behind it and its line end; `before` is what stands in front. */
static poc_err delimiter_next(poc_span *rest, poc_span delimiter, poc_span *before, bool *is_last)
{
    const uint8_t *at = memmem(rest->p, rest->n, delimiter.p, delimiter.n);
    if (at == NULL)
        return POC_E_INPUT;
    *before = poc_span_of(rest->p, (size_t)(at - rest->p));
    *rest = behind(*rest, before->n + delimiter.n);
    *is_last = begins_with(*rest, "--");
    if (*is_last)
        return POC_OK;
    while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t'))
        *rest = behind(*rest, 1);
    if (!begins_with(*rest, "\r\n"))
        return POC_E_INPUT;
    *rest = behind(*rest, 2);
    return POC_OK;
}

typedef struct part {
    bool is_mikey, is_base64;
    poc_span body;
} part;

static void field_take(part *p, poc_span line)
{
    poc_span value = line;
    const poc_span name = poc_trim(poc_split(&value, ':'));
    if (poc_span_eq_nocase(name, "Content-Type"))
        p->is_mikey = poc_span_eq_nocase(poc_trim(poc_split(&value, ';')), "application/mikey");
    else if (poc_span_eq_nocase(name, "Content-Transfer-Encoding"))
        p->is_base64 = poc_span_eq_nocase(poc_trim(value), "base64");
}

static poc_err part_read(part *out, poc_span text)
{
    *out = (part){ .is_mikey = false };
    while (!begins_with(text, "\r\n")) {
        const uint8_t *end = memmem(text.p, text.n, "\r\n", 2);
        if (end == NULL)
            return POC_E_INPUT;
        const size_t n = (size_t)(end - text.p);
        field_take(out, poc_span_of(text.p, n));
        text = behind(text, n + 2);
    }
    out->body = behind(text, 2);
    return POC_OK;
}

static poc_err multipart_find(part *out, poc_span boundary, poc_span body)
{
    uint8_t text[DELIMITER_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_wr_fmt(&wr, "\r\n--");
    poc_wr_span(&wr, boundary);
    const poc_span delimiter = poc_span_of(text, wr.len);
    poc_span rest = body, before;
    bool is_last = false;
    /* The first one needs no line end in front where the body begins with it. */
    const poc_span first =
        body.n >= wr.len - 2 && memcmp(body.p, text + 2, wr.len - 2) == 0 ? behind(delimiter, 2) : delimiter;
    POC_TRY(delimiter_next(&rest, first, &before, &is_last));
    while (!is_last) {
        POC_TRY(delimiter_next(&rest, delimiter, &before, &is_last));
        POC_TRY(part_read(out, before));
        if (out->is_mikey)
            return POC_OK;
    }
    return POC_E_INPUT;
}

poc_err ue_mcx_body_read(uint8_t *out, size_t cap, size_t *n, poc_span content_type, poc_span body)
{
    poc_span parameters = content_type, boundary;
    const poc_span type = poc_trim(poc_split(&parameters, ';'));
    part found = { .is_mikey = poc_span_eq_nocase(type, "application/mikey"), .body = body };
    if (body.n == 0)
        return POC_E_INPUT;
    if (!found.is_mikey) {
        if (!begins_with(type, "multipart/"))
            return POC_E_INPUT;
        POC_TRY(boundary_of(&boundary, parameters));
        POC_TRY(multipart_find(&found, boundary, body));
    }
    return mcx_body_octets(out, cap, n, found.body, found.is_base64);
}
