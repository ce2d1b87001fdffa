/* HDR, RFC 3830 6.1:
 *  version(1) data type(1) next(1) V(bit 7) PRF(7 bits) CSB ID(4) #CS(1) CS ID map type(1) map
 *  SRTP-ID map: #CS times policy no(1) SSRC(4) ROC(4). Empty map (RFC 4563): nothing. */
#include "mikey/payloads.h"

#define V_BIT 0x80u

static poc_err map_decode(mikey_msg *msg, poc_rd *rd)
{
    if (msg->map_type == MIKEY_MAP_EMPTY)
        return msg->cs_count == 0 ? POC_OK : poc_rd_fail(rd, "crypto sessions in an empty map");
    if (msg->map_type != MIKEY_MAP_SRTP_ID)
        return poc_rd_fail(rd, "CS ID map type not supported");
    if (msg->cs_count > MIKEY_CS_MAX)
        return poc_rd_fail(rd, "too many crypto sessions");
    for (size_t i = 0; i < msg->cs_count; i++) {
        POC_TRY(poc_rd_u8(rd, &msg->cs[i].policy_no));
        POC_TRY(poc_rd_u32(rd, &msg->cs[i].ssrc));
        POC_TRY(poc_rd_u32(rd, &msg->cs[i].roc));
    }
    return POC_OK;
}

poc_err mikey_hdr_decode(mikey_msg *msg, uint8_t *next, poc_rd *rd)
{
    uint8_t version, v_prf;
    POC_TRY(poc_rd_u8(rd, &version));
    if (version != MIKEY_VERSION)
        return poc_rd_fail(rd, "version is not 1");
    POC_TRY(poc_rd_u8(rd, &msg->data_type));
    if (msg->data_type != MIKEY_PSK && msg->data_type != MIKEY_PSK_VERIFICATION && msg->data_type != MIKEY_ERROR)
        return poc_rd_fail(rd, "data type not supported");
    POC_TRY(poc_rd_u8(rd, next));
    POC_TRY(poc_rd_u8(rd, &v_prf));
    msg->wants_verification = (v_prf & V_BIT) != 0;
    msg->prf = v_prf & (V_BIT - 1);
    if (msg->prf != MIKEY_PRF_1)
        return poc_rd_fail(rd, "PRF function not supported");
    POC_TRY(poc_rd_u32(rd, &msg->csb_id));
    POC_TRY(poc_rd_u8(rd, &msg->cs_count));
    POC_TRY(poc_rd_u8(rd, &msg->map_type));
    return map_decode(msg, rd);
}

void mikey_hdr_encode(poc_wr *wr, const mikey_msg *hdr, uint8_t next)
{
    poc_wr_u8(wr, MIKEY_VERSION);
    poc_wr_u8(wr, hdr->data_type);
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, (uint8_t)((hdr->wants_verification ? V_BIT : 0) | MIKEY_PRF_1));
    poc_wr_u32(wr, hdr->csb_id);
    poc_wr_u8(wr, hdr->cs_count);
    poc_wr_u8(wr, hdr->map_type);
    for (size_t i = 0; i < hdr->cs_count; i++) {
        poc_wr_u8(wr, hdr->cs[i].policy_no);
        poc_wr_u32(wr, hdr->cs[i].ssrc);
        poc_wr_u32(wr, hdr->cs[i].roc);
    }
}
