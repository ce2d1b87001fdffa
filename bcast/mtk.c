#include "bcast/mtk.h"

#include <string.h>

#include "mikey/mikey.h"

poc_err bcast_service_begin(bcast_service *s, const bcast_msk *msk)
{
    if (msk->key == NULL || poc_secret_len(msk->key) != POC_MSK_LEN || poc_msk_number(msk->id) == 0)
        return POC_E_INPUT;
    if (msk->rand_len < MIKEY_RAND_LEN || msk->seq_low >= msk->seq_high)
        return POC_E_INPUT;
    *s = (bcast_service){
        .key_domain = msk->key_domain,
        .msk_id = msk->id,
        .csb_id = msk->csb_id,
        .rand_len = msk->rand_len,
        .msk = poc_secret_ref(msk->key),
        .last_mtk_id = msk->seq_low,
        .mtk_id_max = msk->seq_high,
    };
    memcpy(s->rand, msk->rand, msk->rand_len);
    return POC_OK;
}

void bcast_service_end(bcast_service *s)
{
    poc_secret_free(s->msk);
    *s = (bcast_service){ 0 };
}

static poc_err seal(bcast_mtk *m, const bcast_service *s, const poc_secret *key)
{
    poc_wr wr = poc_wr_into(m->stkm, sizeof(m->stkm));
    mikey_mtk_params params = {
        .key_domain = s->key_domain,
        .mki = m->mki,
        .counter = s->counter + 1,
        .context = { s->csb_id, poc_span_of(s->rand, s->rand_len) },
    };
    POC_TRY(mikey_mtk_seal(&wr, &params, s->msk, key));
    POC_TRY(poc_wr_done(&wr));
    m->stkm_len = wr.len;
    return POC_OK;
}

poc_err bcast_mtk_make(bcast_mtk *out, bcast_service *s, const poc_rng *rng)
{
    POC_OWNED(poc_secret, key, poc_secret_free);
    POC_OWNED(bcast_srtp, srtp, bcast_srtp_free);
    if (s->last_mtk_id >= s->mtk_id_max)
        return POC_E_LIMIT;
    bcast_mtk m = { .mki = { s->msk_id, (uint16_t)(s->last_mtk_id + 1) } };
    POC_TRY(poc_secret_random(&key, POC_MTK_LEN + POC_MTK_SALT_LEN, rng));
    POC_TRY(bcast_srtp_new(&srtp, BCAST_SRTP_SENDS, key, m.mki));
    POC_TRY(seal(&m, s, key));
    /* Counted only now: a sealed message that nobody saw does not spend its counter. */
    s->last_mtk_id++;
    s->counter++;
    m.srtp = POC_RELEASE(srtp);
    *out = m;
    return POC_OK;
}

void bcast_mtk_done(bcast_mtk *m)
{
    bcast_srtp_free(m->srtp);
    *m = (bcast_mtk){ 0 };
}
