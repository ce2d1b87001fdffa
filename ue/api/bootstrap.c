#include <string.h>

#include "ue/api/inside.h"

poc_err pocue_ub_request(pocue *ue, poc_wr *authorization)
{
    if (ue->ub == NULL)
        POC_TRY(gba_ub_client_new(&ue->ub, poc_span_str(ue->impi), poc_span_str(ue->bsf_fqdn), &ue->usim, &ue->rng));
    return gba_ub_client_request(ue->ub, authorization);
}

/* MUK and MRK for the PF from Ks (POC-3); Ks itself goes at the end of the caller. */
static poc_err keys_take(pocue *ue, const gba_bootstrap *b)
{
    POC_OWNED(poc_secret, ks_naf, poc_secret_free);
    gba_mbms_keys keys = { .muk = NULL };
    int64_t expires_ms = b->expires_s > INT64_MAX / 1000 ? INT64_MAX : b->expires_s * 1000;
    POC_TRY(gba_ks_naf(&ks_naf, GBA_KS_NAF, b->ks, b->rand, poc_span_str(ue->impi),
                       poc_span_of(ue->naf_id.b, ue->naf_id.n)));
    POC_TRY(gba_mbms_keys_make(&keys, ks_naf, NULL));
    poc_err err = ue_muks_add(ue->muks, keys.muk, &ue->naf_id, poc_span_str(b->btid), expires_ms);
    if (err == POC_OK) {
        poc_secret_free(ue->mrk);
        ue->mrk = poc_secret_ref(keys.mrk);
        memcpy(ue->btid, b->btid, sizeof(ue->btid));
        ue->expires_ms = expires_ms;
        ue->nonce[0] = '\0';
        ue_http_bootstrapped(ue);
    }
    gba_mbms_keys_done(&keys);
    return err;
}

static void ub_end(pocue *ue)
{
    gba_ub_client_free(ue->ub);
    ue->ub = NULL;
}

poc_err pocue_ub_answer(pocue *ue, int64_t now_ms, int status, poc_span www_authenticate, poc_span authentication_info,
                        poc_span body, bool *again)
{
    gba_bootstrap b = { .ks = NULL };
    gba_ub_next next = GBA_UB_AGAIN;
    *again = false;
    if (ue->ub == NULL)
        return POC_E_STATE;
    poc_err err = gba_ub_client_answer(ue->ub, status, www_authenticate, authentication_info, body, &next, &b);
    if (err == POC_OK && next == GBA_UB_AGAIN) {
        *again = true;
        return POC_OK;
    }
    if (err == POC_OK)
        err = b.expires_s <= now_ms / 1000 ? POC_E_DENIED : keys_take(ue, &b);
    gba_bootstrap_done(&b);
    ub_end(ue);
    return err;
}

const char *pocue_btid(const pocue *ue, int64_t now_ms)
{
    return ue->mrk != NULL && now_ms < ue->expires_ms ? ue->btid : NULL;
}

/* nc counts the requests made with one nonce (RFC 2617 3.2.2). */
static poc_err nonce_follow(pocue *ue, poc_span www_authenticate)
{
    gba_digest challenge;
    POC_TRY(gba_digest_parse(&challenge, www_authenticate, true, NULL));
    if (challenge.nonce.n >= sizeof(ue->nonce))
        return POC_E_LIMIT;
    if (poc_span_eq_str(challenge.nonce, ue->nonce))
        return POC_OK;
    memcpy(ue->nonce, challenge.nonce.p, challenge.nonce.n);
    ue->nonce[challenge.nonce.n] = '\0';
    ue->nc = 0;
    return POC_OK;
}

poc_err pocue_authorize(pocue *ue, poc_span www_authenticate, poc_span method, poc_span uri, poc_span body, poc_wr *out)
{
    if (ue->mrk == NULL)
        return POC_E_STATE;
    POC_TRY(nonce_follow(ue, www_authenticate));
    gba_ua_client client = { .btid = ue->btid, .mrk = ue->mrk, .nc = ue->nc };
    POC_TRY(gba_ua_authorize(&client, www_authenticate, poc_span_str(ue->naf_fqdn), method, uri, body, &ue->rng, out));
    ue->nc = client.nc;
    return POC_OK;
}
