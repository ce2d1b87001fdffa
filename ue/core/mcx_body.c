/* Bodies with a part that is binary: an I_MESSAGE ends in any octet, so nothing is trimmed or taken for a C string. */
#include <string.h>

#include "base/crypto.h"
#include "base/mime.h"
#include "base/text.h"
#include "base/xml.h"
#include "ue/core/core.h"

#define XENC "http://www.w3.org/2001/04/xmlenc#"
#define DSIG "http://www.w3.org/2000/09/xmldsig#"

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

/* IV || ciphertext || tag of the element that stands for the value, under the key that protects XML (TS 33.180 9.3). */
static poc_err value_seal(uint8_t *out, size_t *n, const ue_mcx_body *body, poc_span value)
{
    uint8_t content[POC_XML_TEXT_MAX];
    const char *string = documents[body->service].string;
    const poc_span key = poc_secret_span(body->xml_key), iv = poc_span_of(out, POC_GCM_NONCE_LEN);
    poc_wr wr = poc_wr_into(content, sizeof(content) / 2);
    poc_wr_fmt(&wr, "<%s xmlns=\"%s\">", string, documents[body->service].space);
    poc_xml_put_text(&wr, value);
    poc_wr_fmt(&wr, "</%s>", string);
    poc_err err = poc_wr_done(&wr);
    if (err == POC_OK)
        err = body->rng->fill(body->rng->ctx, out, POC_GCM_NONCE_LEN);
    if (err == POC_OK)
        err = poc_gcm_seal_iv(out + POC_GCM_NONCE_LEN, key, iv, poc_span_str(""), poc_span_of(content, wr.len));
    *n = POC_GCM_NONCE_LEN + wr.len + POC_GCM_TAG_LEN;
    poc_wipe(content, sizeof(content));
    return err;
}

static poc_err encrypted_put(poc_wr *out, const ue_mcx_body *body, poc_span value)
{
    uint8_t sealed[POC_XML_TEXT_MAX], id[4];
    size_t n = 0;
    poc_wr name = poc_wr_into(id, sizeof(id));
    POC_TRY(value_seal(sealed, &n, body, value));
    poc_wr_u32(&name, body->xml_key_id);
    poc_wr_fmt(out,
               "<EncryptedData xmlns=\"" XENC "\" Type=\"" XENC "Content\">"
               "<EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes%s-gcm\"/>"
               "<KeyInfo xmlns=\"" DSIG "\"><KeyName>",
               poc_secret_len(body->xml_key) == 16 ? "128" : "256");
    poc_base64_put(out, poc_span_of(id, sizeof(id)));
    poc_wr_fmt(out, "</KeyName></KeyInfo><CipherData><CipherValue>");
    poc_base64_put(out, poc_span_of(sealed, n));
    poc_wr_fmt(out, "</CipherValue></CipherData></EncryptedData>");
    return POC_OK;
}

static poc_err value_put(poc_wr *out, const ue_mcx_body *body, const char *name, poc_span value)
{
    if (value.n == 0)
        return POC_OK;
    poc_wr_fmt(out, "<%s type=\"%s\">", name, body->xml_key == NULL ? "Normal" : "Encrypted");
    if (body->xml_key == NULL)
        poc_xml_put_element(out, documents[body->service].string, value);
    else
        POC_TRY(encrypted_put(out, body, value));
    poc_wr_fmt(out, "</%s>", name);
    return POC_OK;
}

static poc_err information_put(poc_wr *out, const ue_mcx_body *body)
{
    const char *root = documents[body->service].root, *params = documents[body->service].params;
    poc_wr_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<%s xmlns=\"%s\"><%s>", root,
               documents[body->service].space, params);
    POC_TRY(value_put(out, body, documents[body->service].token, body->access_token));
    POC_TRY(value_put(out, body, documents[body->service].client_id, body->client_id));
    poc_wr_fmt(out, "</%s></%s>\r\n", params, root);
    return POC_OK;
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
        POC_TRY(information_put(out, body));
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
