#include "mikey/keys.h"

#include <string.h>

#define ENCR_LEN     16u
#define SALT_LEN     14u
#define PSK_LEN_MAX  32u
#define CS_ID_NO_TGK 0xffu /* stands where a TGK-derived key has its CS ID */

static const uint8_t constants[MIKEY_USE_COUNT][4] = {
    [MIKEY_USE_ENCR] = { 0x15, 0x05, 0x33, 0xe1 },
    [MIKEY_USE_AUTH] = { 0x2d, 0x22, 0xac, 0x75 },
    [MIKEY_USE_SALT] = { 0x29, 0xb8, 0x89, 0x16 },
};

poc_err mikey_transport_labels(mikey_transport *t, mikey_context context)
{
    if (context.rand.n < MIKEY_RAND_LEN || context.rand.n > MIKEY_RAND_MAX)
        return POC_E_BUG;
    for (size_t use = 0; use < MIKEY_USE_COUNT; use++) {
        poc_wr wr = poc_wr_into(t->label[use], sizeof(t->label[use]));
        poc_wr_put(&wr, constants[use], sizeof(constants[use]));
        poc_wr_u8(&wr, CS_ID_NO_TGK);
        poc_wr_u32(&wr, context.csb_id);
        poc_wr_span(&wr, context.rand);
        t->label_len = wr.len;
    }
    return POC_OK;
}

poc_err mikey_transport_rekey(mikey_transport *t, const poc_secret *psk)
{
    if (psk == NULL || poc_secret_len(psk) > PSK_LEN_MAX)
        return POC_E_BUG;
    poc_hmac_sha1_rekey(&t->psk, poc_secret_span(psk));
    return POC_OK;
}

poc_err mikey_transport_init(mikey_transport *t, const poc_secret *psk, mikey_context context)
{
    POC_TRY(mikey_transport_labels(t, context));
    return mikey_transport_rekey(t, psk);
}

void mikey_transport_done(mikey_transport *t)
{
    poc_wipe(&t->psk, sizeof(t->psk)); /* labels are not secret, not wiped */
}

static void derive(uint8_t *out, size_t n, const mikey_transport *t, mikey_use use)
{
    memset(out, 0, n);
    mikey_prf_xor(out, n, &t->psk, poc_span_of(t->label[use], t->label_len));
}

void mikey_transport_mac(uint8_t mac[POC_SHA1_LEN], const mikey_transport *t, const poc_span *parts, size_t n)
{
    uint8_t auth[POC_SHA1_LEN];
    poc_hmac_sha1_key state;
    derive(auth, sizeof(auth), t, MIKEY_USE_AUTH);
    poc_hmac_sha1_rekey(&state, poc_span_of(auth, sizeof(auth)));
    poc_hmac_sha1_keyed(mac, &state, parts, n);
    poc_wipe(auth, sizeof(auth));
    poc_wipe(&state, sizeof(state));
}

/* IV = (salt xor (0x0000 || CSB ID || T)) || 0x0000 */
static void iv_make(uint8_t iv[POC_AES_LEN], const uint8_t salt[SALT_LEN], uint32_t csb_id, const uint8_t ts64[8])
{
    poc_wr wr = poc_wr_into(iv, POC_AES_LEN);
    poc_wr_u16(&wr, 0);
    poc_wr_u32(&wr, csb_id);
    poc_wr_put(&wr, ts64, 8);
    poc_wr_u16(&wr, 0);
    for (size_t i = 0; i < SALT_LEN; i++)
        iv[i] ^= salt[i];
}

poc_err mikey_transport_cm(uint8_t *out, const mikey_transport *t, uint32_t csb_id, const uint8_t ts64[8], poc_span in)
{
    uint8_t encr[ENCR_LEN], salt[SALT_LEN], iv[POC_AES_LEN];
    if (in.n == 0)
        return POC_OK;
    derive(encr, sizeof(encr), t, MIKEY_USE_ENCR);
    derive(salt, sizeof(salt), t, MIKEY_USE_SALT);
    iv_make(iv, salt, csb_id, ts64);
    poc_err err = poc_aes128_ctr(out, encr, iv, in);
    poc_wipe(encr, sizeof(encr));
    poc_wipe(salt, sizeof(salt));
    poc_wipe(iv, sizeof(iv));
    return err;
}
