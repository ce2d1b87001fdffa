/* A body that signs another one by HMAC-SHA256 (TS 24.379 F.6, XML Signature; digest 6.2). */
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "ue/core/core.h"

#define DSIG   "http://www.w3.org/2000/09/xmldsig#"
#define C14N   "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define HMAC   "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
#define DIGEST "http://www.w3.org/2001/04/xmlenc#sha256"

enum { INFO_MAX = 1024 };

static const struct {
    const char *type, *root, *space;
} documents[MCX_SERVICES] = {
    [MCX_MCPTT] = { "application/vnd.3gpp.mcptt-signed+xml", "mcptt-signed", "urn:3gpp:ns:mcpttSigned:1.0" },
    [MCX_MCVIDEO] = { "application/vnd.3gpp.mcvideo-signed+xml", "mcvideo-signed", "urn:3gpp:ns:mcvideoSigned:1.0" },
};

const char *ue_mcx_signed_type(mcx_service service)
{
    return documents[service].type;
}

/* Written in its canonical form, over which the signature is. */
static poc_err info_put(poc_wr *out, const char *content_id, poc_span body)
{
    uint8_t digest[POC_SHA256_LEN];
    POC_TRY(poc_sha256(digest, body));
    poc_wr_fmt(out,
               "<SignedInfo xmlns=\"" DSIG "\"><CanonicalizationMethod Algorithm=\"" C14N "\"></CanonicalizationMethod>"
               "<SignatureMethod Algorithm=\"" HMAC "\"></SignatureMethod><Reference URI=\"cid:%s\">"
               "<DigestMethod Algorithm=\"" DIGEST "\"></DigestMethod><DigestValue>",
               content_id);
    poc_base64_put(out, poc_span_of(digest, sizeof(digest)));
    poc_wr_fmt(out, "</DigestValue></Reference></SignedInfo>");
    return poc_wr_done(out);
}

poc_err ue_mcx_signed_write(poc_wr *out, mcx_service service, const char *content_id, poc_span body,
                            const poc_secret *key, uint32_t key_id)
{
    uint8_t info[INFO_MAX], mac[POC_SHA256_LEN], id[4];
    poc_wr wr = poc_wr_into(info, sizeof(info)), name = poc_wr_into(id, sizeof(id));
    POC_TRY(info_put(&wr, content_id, body));
    POC_TRY(poc_hmac_sha256(mac, poc_secret_span(key), poc_span_of(info, wr.len)));
    poc_wr_u32(&name, key_id);
    poc_wr_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<%s xmlns=\"%s\"><Signature xmlns=\"" DSIG "\">",
               documents[service].root, documents[service].space);
    poc_wr_put(out, info, wr.len);
    poc_wr_fmt(out, "<SignatureValue>");
    poc_base64_put(out, poc_span_of(mac, sizeof(mac)));
    poc_wr_fmt(out, "</SignatureValue><KeyInfo><KeyName>");
    poc_base64_put(out, poc_span_of(id, sizeof(id)));
    poc_wr_fmt(out, "</KeyName></KeyInfo></Signature></%s>\r\n", documents[service].root);
    return poc_wr_done(out);
}
