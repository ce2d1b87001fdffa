/* The verification message of RFC 3830 3.1, by which a client proves that it holds the MSK: HDR, T, IDr, V. */
#include "mikey/keys.h"
#include "mikey/payloads.h"

poc_err mikey_verification_seal(poc_wr *out, const mikey_msg *msk_message, const poc_secret *muk)
{
    const mikey_msg *m = msk_message;
    const size_t start = out->len;
    mikey_transport t;
    mikey_msg hdr = *m; /* CSB ID, #CS and map are repeated */
    hdr.data_type = MIKEY_PSK_VERIFICATION;
    hdr.wants_verification = false;
    if (!m->idi.present || !m->idr.present || m->rand.n == 0)
        return POC_E_INPUT;
    poc_err err = mikey_transport_init(&t, muk, (mikey_context){ m->csb_id, m->rand });
    if (err == POC_OK) {
        mikey_hdr_encode(out, &hdr, MIKEY_T);
        mikey_t_encode(out, MIKEY_ID, m->ts_type, m->ts);
        mikey_id_encode(out, MIKEY_V, m->idr.type, m->idr.data);
        err = mikey_v_seal(out, start, &t, m->idi.data, m->idr.data, m->ts);
    }
    mikey_transport_done(&t);
    return err;
}

static poc_err check_with(const mikey_msg *v, const mikey_expected *e, const mikey_transport *t)
{
    uint8_t ts64[MIKEY_TS64_LEN];
    poc_err err = mikey_v_check(v, t, e->idi, e->idr, v->ts);
    if (err != POC_E_AUTH || !e->accept_ts64)
        return err;
    mikey_t_64(ts64, v->ts);
    return mikey_v_check(v, t, e->idi, e->idr, poc_span_of(ts64, sizeof(ts64)));
}

poc_err mikey_verification_check(const mikey_msg *verification, const mikey_expected *expected, const poc_secret *muk)
{
    const mikey_msg *v = verification;
    mikey_transport t;
    if (v->data_type != MIKEY_PSK_VERIFICATION || v->ts_type != MIKEY_TS_COUNTER)
        return POC_E_INPUT;
    if (v->csb_id != expected->csb_id || v->counter != expected->counter)
        return POC_E_INPUT;
    if (v->idr.present && !poc_span_eq(v->idr.data, expected->idr))
        return POC_E_INPUT;
    poc_err err = mikey_transport_init(&t, muk, (mikey_context){ expected->csb_id, expected->rand });
    if (err == POC_OK)
        err = check_with(v, expected, &t);
    mikey_transport_done(&t);
    return err;
}
