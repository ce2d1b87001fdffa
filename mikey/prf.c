#include <string.h>

#include "mikey/keys.h"

#define PRF_BLOCK 32u /* octets of the input key that make one block s_i */

/* A_0 = label, A_i = HMAC(s, A_(i-1)); P = HMAC(s, A_1 || label) || HMAC(s, A_2 || label) || ... */
void mikey_prf_xor(uint8_t *out, size_t out_len, const poc_hmac_sha1_key *s, poc_span label)
{
    uint8_t a[POC_SHA1_LEN], p[POC_SHA1_LEN];
    poc_hmac_sha1_keyed(a, s, &label, 1);
    while (out_len > 0) {
        const poc_span parts[] = { poc_span_of(a, sizeof(a)), label };
        size_t n = out_len < sizeof(p) ? out_len : sizeof(p);
        poc_hmac_sha1_keyed(p, s, parts, POC_COUNT(parts));
        for (size_t i = 0; i < n; i++)
            out[i] ^= p[i];
        out += n;
        out_len -= n;
        if (out_len > 0)
            poc_hmac_sha1_keyed(a, s, parts, 1);
    }
    poc_wipe(a, sizeof(a));
    poc_wipe(p, sizeof(p));
}

poc_err mikey_prf(uint8_t *out, size_t out_len, poc_span inkey, poc_span label)
{
    poc_hmac_sha1_key s;
    if (inkey.n == 0)
        return POC_E_LIMIT;
    memset(out, 0, out_len);
    /* A key of 32 octets, such as MUK, is one whole block: there is no empty second one. */
    for (size_t at = 0; at < inkey.n; at += PRF_BLOCK) {
        size_t n = inkey.n - at < PRF_BLOCK ? inkey.n - at : PRF_BLOCK;
        poc_hmac_sha1_rekey(&s, poc_span_of(inkey.p + at, n));
        mikey_prf_xor(out, out_len, &s, label);
    }
    poc_wipe(&s, sizeof(s));
    return POC_OK;
}
