/* V, RFC 3830 6.9: next(1) auth alg(1) verification data(20). The last of its message: the MAC covers everything before
 * itself and then, in a verification message (5.2), both identities and the time stamp as transported. */
#include "mikey/keys.h"
#include "mikey/payloads.h"

poc_err mikey_v_decode(mikey_msg *msg, poc_rd *rd)
{
    msg->has_v = true;
    POC_TRY(poc_rd_u8(rd, &msg->mac_alg));
    if (msg->mac_alg != MIKEY_MAC_HMAC)
        return poc_rd_fail(rd, "MAC algorithm not supported");
    return poc_rd_span(rd, &msg->mac, MIKEY_MAC_LEN);
}

poc_err mikey_v_seal(poc_wr *wr, size_t start, const mikey_transport *t, poc_span idi, poc_span idr, poc_span ts)
{
    poc_wr_u8(wr, MIKEY_LAST);
    poc_wr_u8(wr, MIKEY_MAC_HMAC);
    const size_t covered_len = wr->len - start;
    uint8_t *mac = poc_wr_room(wr, MIKEY_MAC_LEN);
    POC_TRY(poc_wr_done(wr));
    const poc_span parts[] = { poc_span_of(wr->buf + start, covered_len), idi, idr, ts };
    mikey_transport_mac(mac, t, parts, POC_COUNT(parts));
    return POC_OK;
}

poc_err mikey_v_check(const mikey_msg *msg, const mikey_transport *t, poc_span idi, poc_span idr, poc_span ts)
{
    const poc_span parts[] = { poc_span_of(msg->raw.p, msg->raw.n - MIKEY_MAC_LEN), idi, idr, ts };
    uint8_t mac[MIKEY_MAC_LEN];
    mikey_transport_mac(mac, t, parts, POC_COUNT(parts));
    bool holds = poc_equal_ct(mac, msg->mac.p, sizeof(mac));
    poc_wipe(mac, sizeof(mac));
    return holds ? POC_OK : POC_E_AUTH;
}
