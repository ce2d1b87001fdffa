/* Bodies with a part that is binary: an I_MESSAGE ends in any octet, so nothing is trimmed or taken for a C string. */
#include <string.h>

#include "base/mime.h"
#include "base/xml.h"
#include "ue/core/core.h"

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

poc_err ue_mcx_body_read(uint8_t *out, size_t cap, size_t *n, poc_span content_type, poc_span body)
{
    poc_parts parts;
    if (body.n == 0)
        return POC_E_INPUT;
    POC_TRY(poc_parts_read(&parts, content_type, body, NULL));
    const poc_part *found = poc_part_of(&parts, "application/mikey");
    if (found == NULL)
        return POC_E_INPUT;
    return mcx_body_octets(out, cap, n, found->body, found->is_base64);
}
