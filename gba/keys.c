#include "gba/private.h"

#include <string.h>

static bool label_is_good(poc_span label)
{
    if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        uint8_t c = label.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

bool gba_fqdn_is_good(poc_span fqdn)
{
    if (fqdn.n == 0 || fqdn.n > GBA_FQDN_MAX || fqdn.p[fqdn.n - 1] == '.')
        return false;
    while (fqdn.n > 0)
        if (!label_is_good(poc_split(&fqdn, '.')))
            return false;
    return true;
}

bool gba_is_quotable(poc_span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] == 0x7F || text.p[i] == '"' || text.p[i] == '\\')
            return false;
    return true;
}

poc_err gba_text_copy(char *out, size_t cap, poc_span text)
{
    poc_wr wr = poc_wr_into(out, cap);
    poc_wr_span(&wr, text);
    return poc_wr_text(&wr);
}

/* Upper case is refused and not folded: the octets that were configured are the octets that are hashed on both sides. */
poc_err gba_naf_id_make(gba_naf_id *out, poc_span fqdn, const uint8_t ua_id[GBA_UA_ID_LEN])
{
    if (!gba_fqdn_is_good(fqdn))
        return POC_E_INPUT;
    memcpy(out->b, fqdn.p, fqdn.n);
    memcpy(out->b + fqdn.n, ua_id, GBA_UA_ID_LEN);
    out->n = fqdn.n + GBA_UA_ID_LEN;
    return POC_OK;
}

/* TS 33.246 6.1. With a key that the UICC holds, MRK is Ks_ext_NAF itself; without, both come from the one key. */
poc_err gba_mbms_keys_make(gba_mbms_keys *out, poc_secret *me_key, poc_secret *uicc_key)
{
    *out = (gba_mbms_keys){ 0 };
    if (uicc_key == NULL)
        POC_TRY(gba_mrk(&out->mrk, me_key));
    else
        out->mrk = poc_secret_ref(me_key);
    out->muk = poc_secret_ref(uicc_key == NULL ? me_key : uicc_key);
    return POC_OK;
}

void gba_mbms_keys_done(gba_mbms_keys *keys)
{
    poc_secret_free(keys->muk);
    poc_secret_free(keys->mrk);
    *keys = (gba_mbms_keys){ 0 };
}
