/* The error message of RFC 3830 5.1.2: HDR, T, ERR, V. The MAC covers the message only: the identities belong to
 * verification messages. */
#include "mikey/keys.h"
#include "mikey/payloads.h"

static const poc_span nothing = { NULL, 0 };

poc_err mikey_error_seal(poc_wr *out, const mikey_msg *answered, uint8_t error_no, const poc_secret *muk)
{
    const size_t start = out->len;
    mikey_transport t;
    mikey_msg hdr = *answered; /* CSB ID, #CS and map are repeated */
    hdr.data_type = MIKEY_ERROR;
    hdr.wants_verification = false;
    if (answered->rand.n == 0)
        return POC_E_INPUT;
    poc_err err = mikey_transport_init(&t, muk, (mikey_context){ answered->csb_id, answered->rand });
    if (err == POC_OK) {
        mikey_hdr_encode(out, &hdr, MIKEY_T);
        mikey_t_encode(out, MIKEY_ERR, answered->ts_type, answered->ts);
        mikey_err_encode(out, MIKEY_V, error_no);
        err = mikey_v_seal(out, start, &t, nothing, nothing, nothing);
    }
    mikey_transport_done(&t);
    return err;
}

poc_err mikey_error_check(const mikey_msg *error, mikey_context context, const poc_secret *muk)
{
    mikey_transport t;
    if (error->data_type != MIKEY_ERROR || !error->has_v)
        return POC_E_AUTH;
    poc_err err = mikey_transport_init(&t, muk, context);
    if (err == POC_OK)
        err = mikey_v_check(error, &t, nothing, nothing, nothing);
    mikey_transport_done(&t);
    return err;
}
