/* Master key and salt of SRTP and SRTCP (RFC 3830 4.1.2 to 4.1.4) with HMAC-SHA-256 as the PRF (RFC 6043). */
#include <string.h>

#include "mcx/kdf.h"

#define LABEL_MAX     (9u + MIKEY_RAND_MAX)
#define TEK_CONSTANT  0x2ad01c64u
#define SALT_CONSTANT 0x39a2c14bu
#define TEK_MAX       32u

/* A_i = HMAC(K, A_(i-1)) with A_0 the label; no output here is longer than one HMAC, so only A_1 is needed. */
static poc_err derive(uint8_t *out, size_t n, const poc_secret *key, uint32_t constant, const mcx_srtp_context *c)
{
    uint8_t text[POC_SHA256_LEN + LABEL_MAX], block[POC_SHA256_LEN];
    poc_wr wr = poc_wr_into(text + POC_SHA256_LEN, LABEL_MAX);
    poc_wr_u32(&wr, constant);
    poc_wr_u8(&wr, c->cs_id);
    poc_wr_u32(&wr, c->csb_id);
    poc_wr_span(&wr, c->rand);
    POC_TRY(poc_wr_done(&wr));
    poc_err err = poc_hmac_sha256(text, poc_secret_span(key), poc_span_of(text + POC_SHA256_LEN, wr.len));
    if (err == POC_OK)
        err = poc_hmac_sha256(block, poc_secret_span(key), poc_span_of(text, POC_SHA256_LEN + wr.len));
    if (err == POC_OK)
        memcpy(out, block, n);
    poc_wipe(text, sizeof(text));
    poc_wipe(block, sizeof(block));
    return err;
}

poc_err mcx_srtp_master(poc_secret **out, const poc_secret *key, const mcx_srtp_context *context, size_t key_len)
{
    POC_OWNED(poc_secret, master, poc_secret_free);
    *out = NULL;
    if (key_len == 0 || key_len > TEK_MAX || context->rand.n < MIKEY_RAND_LEN || context->rand.n > MIKEY_RAND_MAX)
        return POC_E_LIMIT;
    POC_TRY(poc_secret_new(&master, key_len + MCX_SRTP_SALT_LEN));
    POC_TRY(derive(poc_secret_edit(master), key_len, key, TEK_CONSTANT, context));
    POC_TRY(derive(poc_secret_edit(master) + key_len, MCX_SRTP_SALT_LEN, key, SALT_CONSTANT, context));
    *out = (poc_secret *)POC_RELEASE(master);
    return POC_OK;
}
