#include "mcx/kdf.h"

#define GUK_MASK 0x0fffffffu

poc_err mcx_kdf(uint8_t out[POC_SHA256_LEN], const poc_secret *key, uint8_t fc, const poc_span *params, size_t n)
{
    uint8_t text[1 + 2 * (MCX_URI_MAX + 2)];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_wr_u8(&wr, fc);
    for (size_t i = 0; i < n; i++) {
        if (params[i].n > MCX_URI_MAX)
            return POC_E_LIMIT;
        poc_wr_span(&wr, params[i]);
        poc_wr_u16(&wr, (uint16_t)params[i].n);
    }
    POC_TRY(poc_wr_done(&wr));
    return poc_hmac_sha256(out, poc_secret_span(key), poc_span_of(text, wr.len));
}

poc_err mcx_kdf_secret(poc_secret **out, size_t len, const poc_secret *key, uint8_t fc, const poc_span *params,
                       size_t n)
{
    uint8_t all[POC_SHA256_LEN];
    *out = NULL;
    if (len > sizeof(all))
        return POC_E_LIMIT;
    poc_err err = mcx_kdf(all, key, fc, params, n);
    if (err == POC_OK)
        err = poc_secret_from(out, all + sizeof(all) - len, len);
    poc_wipe(all, sizeof(all));
    return err;
}

poc_err mcx_xml_keys(poc_secret **confidentiality, poc_secret **integrity, const poc_secret *xpk, uint32_t xpk_id,
                     poc_span service_uri)
{
    POC_OWNED(poc_secret, content, poc_secret_free);
    uint8_t id[4];
    mcx_u32_put(id, xpk_id);
    const poc_span params[] = { service_uri, poc_span_of(id, sizeof(id)) };
    const size_t len = poc_secret_len(xpk);
    *confidentiality = *integrity = NULL;
    POC_TRY(mcx_kdf_secret(&content, len, xpk, MCX_FC_XML_CONFIDENTIALITY, params, POC_COUNT(params)));
    POC_TRY(mcx_kdf_secret(integrity, len, xpk, MCX_FC_XML_INTEGRITY, params, POC_COUNT(params)));
    *confidentiality = (poc_secret *)POC_RELEASE(content);
    return POC_OK;
}

poc_err mcx_guk_id(uint32_t *out, uint32_t id, const poc_secret *gmk, poc_span user_uri)
{
    uint8_t all[POC_SHA256_LEN];
    uint32_t salt = 0;
    poc_err err = mcx_kdf(all, gmk, MCX_FC_USER_SALT, &user_uri, 1);
    poc_rd last = poc_rd_over(poc_span_of(all + sizeof(all) - 4, 4), NULL);
    if (err == POC_OK)
        err = poc_rd_u32(&last, &salt);
    poc_wipe(all, sizeof(all));
    if (err == POC_OK)
        *out = (id & ~GUK_MASK) | ((id ^ salt) & GUK_MASK);
    return err;
}
