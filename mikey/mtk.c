/* The MTK delivery message of TS 33.246 6.3.3.2: HDR, EXT(Key ID), T, KEMAC. Its transport keys come from the MSK and from
 * the CSB ID and RAND of the message that brought the MSK. */
#include "mikey/keys.h"
#include "mikey/payloads.h"

#define KEY_DATA_MAX 40u

static poc_err plain_make(poc_wr *wr, const poc_secret *mtk)
{
    const size_t len = poc_secret_len(mtk);
    const uint8_t *bytes = poc_secret_bytes(mtk);
    mikey_key_data key = { .type = MIKEY_TEK, .kv = MIKEY_KV_NULL, .key = poc_span_of(bytes, POC_MTK_LEN) };
    if (len != POC_MTK_LEN && len != POC_MTK_LEN + POC_MTK_SALT_LEN)
        return POC_E_BUG;
    if (len > POC_MTK_LEN) {
        key.type = MIKEY_TEK_SALT;
        key.salt = poc_span_of(bytes + POC_MTK_LEN, POC_MTK_SALT_LEN);
    }
    mikey_key_data_encode(wr, &key);
    return poc_wr_done(wr);
}

static void head_put(poc_wr *out, const mikey_mtk_params *p)
{
    const uint8_t ts[4] = { (uint8_t)(p->counter >> 24), (uint8_t)(p->counter >> 16), (uint8_t)(p->counter >> 8),
                            (uint8_t)p->counter };
    mikey_msg hdr = { .data_type = MIKEY_PSK, .csb_id = p->context.csb_id, .map_type = MIKEY_MAP_EMPTY };
    mikey_hdr_encode(out, &hdr, MIKEY_EXT);
    mikey_ext_encode_key_id(out, MIKEY_T, p->key_domain, p->mki.msk_id, &p->mki.mtk_id);
    mikey_t_encode(out, MIKEY_KEMAC, MIKEY_TS_COUNTER, poc_span_of(ts, sizeof(ts)));
}

poc_err mikey_mtk_seal(poc_wr *out, const mikey_mtk_params *params, const poc_secret *msk, const poc_secret *mtk)
{
    uint8_t plain[KEY_DATA_MAX];
    poc_wr key_data = poc_wr_into(plain, sizeof(plain));
    const size_t start = out->len;
    mikey_transport t;
    poc_err err = mikey_transport_init(&t, msk, params->context);
    if (err == POC_OK)
        err = plain_make(&key_data, mtk);
    if (err == POC_OK) {
        head_put(out, params);
        err =
            mikey_kemac_seal(out, start, &t, params->context.csb_id, params->counter, poc_span_of(plain, key_data.len));
    }
    poc_wipe(plain, sizeof(plain));
    mikey_transport_done(&t);
    return err;
}

static poc_err shape_check(const mikey_msg *msg, poc_fault *fault)
{
    if (msg->data_type != MIKEY_PSK)
        return mikey_refuse(fault, 1, "not an MTK message: data type");
    if (!msg->has_key_domain || !msg->has_msk_id || !msg->has_mtk_id)
        return mikey_refuse(fault, 0, "not an MTK message: Key ID extension");
    if (msg->ts_type != MIKEY_TS_COUNTER)
        return mikey_refuse(fault, 0, "not an MTK message: time stamp is no counter");
    if (msg->rand.n > 0 || msg->idi.present)
        return mikey_refuse(fault, 0, "not an MTK message: RAND or identities");
    return POC_OK;
}

static poc_err key_take(poc_secret **mtk, const mikey_msg *msg, const uint8_t *plain, poc_fault *fault)
{
    const size_t at = (size_t)(msg->encr_data.p - msg->raw.p);
    mikey_key_data key;
    POC_OWNED(poc_secret, s, poc_secret_free);
    POC_TRY(mikey_key_data_single(&key, msg, plain, fault));
    if ((key.type != MIKEY_TEK && key.type != MIKEY_TEK_SALT) || key.kv != MIKEY_KV_NULL)
        return mikey_refuse(fault, at + 1, "MTK is no TEK without validity data");
    if (key.type == MIKEY_TEK_SALT && key.salt.n != POC_MTK_SALT_LEN)
        return mikey_refuse(fault, at, "MTK salt is not 14 octets");
    POC_TRY(poc_secret_new(&s, key.key.n + key.salt.n));
    poc_wr wr = poc_wr_into(poc_secret_edit(s), poc_secret_len(s));
    poc_wr_span(&wr, key.key);
    poc_wr_span(&wr, key.salt);
    *mtk = POC_RELEASE(s);
    return POC_OK;
}

poc_err mikey_mtk_open(poc_secret **mtk, const mikey_msg *msg, mikey_context context, const poc_secret *msk,
                       poc_fault *fault)
{
    uint8_t plain[MIKEY_MESSAGE_MAX];
    *mtk = NULL;
    POC_TRY(shape_check(msg, fault));
    POC_TRY(mikey_kemac_open(plain, msg, msk, context));
    poc_err err = key_take(mtk, msg, plain, fault);
    poc_wipe(plain, msg->encr_data.n);
    return err;
}
