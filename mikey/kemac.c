/* KEMAC, RFC 3830 6.2: next(1) encr alg(1) encr data len(2) encr data MAC alg(1) MAC(20). The last of its message: the
 * MAC covers everything before itself. Sealing encrypts first, opening checks first. */
#include "mikey/keys.h"
#include "mikey/payloads.h"

poc_err mikey_kemac_decode(mikey_msg *msg, poc_rd *rd)
{
    uint16_t len;
    msg->has_kemac = true;
    POC_TRY(poc_rd_u8(rd, &msg->encr_alg));
    POC_TRY(poc_rd_u16(rd, &len));
    /* Without key data nothing is encrypted, and some say so. */
    if (msg->encr_alg != MIKEY_ENCR_AES_CM && !(msg->encr_alg == MIKEY_ENCR_NULL && len == 0))
        return poc_rd_fail(rd, "encryption algorithm not supported");
    POC_TRY(poc_rd_span(rd, &msg->encr_data, len));
    POC_TRY(poc_rd_u8(rd, &msg->mac_alg));
    if (msg->mac_alg != MIKEY_MAC_HMAC)
        return poc_rd_fail(rd, "MAC algorithm not supported");
    return poc_rd_span(rd, &msg->mac, MIKEY_MAC_LEN);
}

void mikey_kemac_encode(poc_wr *wr, size_t encr_len)
{
    poc_wr_u8(wr, MIKEY_LAST);
    poc_wr_u8(wr, MIKEY_ENCR_AES_CM);
    poc_wr_u16(wr, (uint16_t)encr_len);
    (void)poc_wr_room(wr, encr_len);
    poc_wr_u8(wr, MIKEY_MAC_HMAC);
}

poc_err mikey_kemac_protect(uint8_t *message, size_t n, const mikey_transport *t, uint32_t csb_id, uint32_t counter,
                            poc_span plain)
{
    const poc_span covered = poc_span_of(message, n - MIKEY_MAC_LEN);
    uint8_t *encr_data = message + covered.n - 1 - plain.n;
    uint8_t ts64[MIKEY_TS64_LEN];
    poc_wr ts = poc_wr_into(ts64, sizeof(ts64));
    poc_wr_u64(&ts, counter);
    POC_TRY(mikey_transport_cm(encr_data, t, csb_id, ts64, plain));
    mikey_transport_mac(message + covered.n, t, &covered, 1);
    return POC_OK;
}

poc_err mikey_kemac_seal(poc_wr *wr, size_t start, const mikey_transport *t, uint32_t csb_id, uint32_t counter,
                         poc_span plain)
{
    mikey_kemac_encode(wr, plain.n);
    (void)poc_wr_room(wr, MIKEY_MAC_LEN);
    POC_TRY(poc_wr_done(wr));
    return mikey_kemac_protect(wr->buf + start, wr->len - start, t, csb_id, counter, plain);
}

static poc_err open_with(uint8_t *plain, const mikey_msg *msg, const mikey_transport *t)
{
    const poc_span covered = poc_span_of(msg->raw.p, msg->raw.n - MIKEY_MAC_LEN);
    uint8_t mac[MIKEY_MAC_LEN], ts64[MIKEY_TS64_LEN];
    mikey_transport_mac(mac, t, &covered, 1);
    bool holds = poc_equal_ct(mac, msg->mac.p, sizeof(mac));
    poc_wipe(mac, sizeof(mac));
    if (!holds)
        return POC_E_AUTH;
    mikey_t_64(ts64, msg->ts);
    return mikey_transport_cm(plain, t, msg->csb_id, ts64, msg->encr_data);
}

poc_err mikey_kemac_open(uint8_t *plain, const mikey_msg *msg, const poc_secret *psk, mikey_context context)
{
    mikey_transport t;
    poc_err err = mikey_transport_init(&t, psk, context);
    if (err == POC_OK)
        err = open_with(plain, msg, &t);
    mikey_transport_done(&t);
    return err;
}
