#include "gba/gba.h"

#include <stdlib.h>

#include "base/crypto.h"

enum { PARAMS_MAX = 8, FC_GBA = 0x01 };

const uint8_t gba_ua_id_mbms[GBA_UA_ID_LEN] = { 0x01, 0x00, 0x00, 0x00, 0x01 };

/* TS 33.220 B.2.0: S = FC || P0 || L0 || P1 || L1 ...; every Li is two octets, also below 256. */
poc_err gba_kdf(uint8_t out[32], poc_span key, uint8_t fc, const poc_span *params, size_t n)
{
    size_t len = 1;
    if (n > PARAMS_MAX)
        return POC_E_LIMIT;
    for (size_t i = 0; i < n; i++) {
        if (params[i].n > UINT16_MAX)
            return POC_E_LIMIT;
        len += params[i].n + 2;
    }
    uint8_t *s = malloc(len);
    if (s == NULL)
        return POC_E_NOMEM;
    poc_wr wr = poc_wr_into(s, len);
    poc_wr_u8(&wr, fc);
    for (size_t i = 0; i < n; i++) {
        poc_wr_span(&wr, params[i]);
        poc_wr_u16(&wr, (uint16_t)params[i].n);
    }
    poc_err err = poc_wr_done(&wr);
    if (err == POC_OK)
        err = poc_hmac_sha256(out, key, poc_span_of(s, len));
    poc_wipe(s, len);
    free(s);
    return err;
}

static poc_err derive(poc_secret **out, const poc_secret *key, const poc_span *params, size_t n)
{
    POC_OWNED(poc_secret, made, poc_secret_free);
    *out = NULL;
    POC_TRY(poc_secret_new(&made, 32));
    POC_TRY(gba_kdf(poc_secret_edit(made), poc_secret_span(key), FC_GBA, params, n));
    *out = POC_RELEASE(made);
    return POC_OK;
}

/* TS 33.220 B.3: Ks_NAF and Ks_ext_NAF share their label, hence their value. */
poc_err gba_ks_naf(poc_secret **out, gba_key_kind kind, const poc_secret *ks, const uint8_t rand[GBA_RAND_LEN],
                   poc_span impi, poc_span naf_id)
{
    const poc_span params[] = {
        poc_span_str(kind == GBA_KS_INT_NAF ? "gba-u" : "gba-me"),
        poc_span_of(rand, GBA_RAND_LEN),
        impi,
        naf_id,
    };
    return derive(out, ks, params, POC_COUNT(params));
}

/* TS 33.246 Annex F. */
poc_err gba_mrk(poc_secret **out, const poc_secret *ks_naf)
{
    const poc_span label = poc_span_str("mbms-mrk");
    return derive(out, ks_naf, &label, 1);
}
