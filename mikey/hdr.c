/* HDR, RFC 3830 6.1:
 *  version(1) data type(1) next(1) V(bit 7) PRF(7 bits) CSB ID(4) #CS(1) CS ID map type(1) map
 *  SRTP-ID map: #CS times policy no(1) SSRC(4) ROC(4). Empty map (RFC 4563): nothing.
 *  GENERIC-ID map (RFC 6309 6.2), in an I_MESSAGE only: #CS times
 *   CS ID(1) prot type(1) S(bit 7) #P(7 bits) policy numbers(#P) len(2) session data len(1) SPI. */
#include "mikey/payloads.h"

#define V_BIT         0x80u
#define GENERIC_COUNT 0x7fu /* of policies; the bit above says whether they are in other messages as well */
#define PROT_SRTP     0u

static poc_err generic_decode(mikey_generic_cs *cs, poc_rd *rd)
{
    uint8_t protocol, policies, spi_len;
    uint16_t data_len;
    POC_TRY(poc_rd_u8(rd, &cs->cs_id));
    POC_TRY(poc_rd_u8(rd, &protocol));
    if (protocol != PROT_SRTP)
        return poc_rd_fail(rd, "protocol of a crypto session is not SRTP");
    POC_TRY(poc_rd_u8(rd, &policies));
    POC_TRY(poc_rd_span(rd, &cs->policies, policies & GENERIC_COUNT));
    POC_TRY(poc_rd_u16(rd, &data_len));
    POC_TRY(poc_rd_span(rd, &cs->session_data, data_len));
    POC_TRY(poc_rd_u8(rd, &spi_len));
    return poc_rd_span(rd, &cs->spi, spi_len);
}

static void generic_encode(poc_wr *wr, const mikey_generic_cs *cs)
{
    poc_wr_u8(wr, cs->cs_id);
    poc_wr_u8(wr, PROT_SRTP);
    poc_wr_u8(wr, (uint8_t)(cs->policies.n & GENERIC_COUNT));
    poc_wr_span(wr, cs->policies);
    poc_wr_u16(wr, (uint16_t)cs->session_data.n);
    poc_wr_span(wr, cs->session_data);
    poc_wr_u8(wr, (uint8_t)cs->spi.n);
    poc_wr_span(wr, cs->spi);
}

static poc_err map_decode(mikey_msg *msg, poc_rd *rd)
{
    if (msg->map_type == MIKEY_MAP_EMPTY)
        return msg->cs_count == 0 ? POC_OK : poc_rd_fail(rd, "crypto sessions in an empty map");
    const bool is_generic = msg->map_type == MIKEY_MAP_GENERIC_ID && msg->data_type == MIKEY_I_MESSAGE;
    if (msg->map_type != MIKEY_MAP_SRTP_ID && !is_generic)
        return poc_rd_fail(rd, "CS ID map type not supported");
    if (msg->cs_count > MIKEY_CS_MAX)
        return poc_rd_fail(rd, "too many crypto sessions");
    for (size_t i = 0; is_generic && i < msg->cs_count; i++)
        POC_TRY(generic_decode(&msg->generic[i], rd));
    if (is_generic)
        return POC_OK;
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
    if (msg->data_type != MIKEY_PSK && msg->data_type != MIKEY_PSK_VERIFICATION && msg->data_type != MIKEY_ERROR &&
        msg->data_type != MIKEY_I_MESSAGE)
        return poc_rd_fail(rd, "data type not supported");
    POC_TRY(poc_rd_u8(rd, next));
    POC_TRY(poc_rd_u8(rd, &v_prf));
    msg->wants_verification = (v_prf & V_BIT) != 0;
    msg->prf = v_prf & (V_BIT - 1);
    if (msg->prf != (msg->data_type == MIKEY_I_MESSAGE ? MIKEY_PRF_SHA256 : MIKEY_PRF_1))
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
    poc_wr_u8(wr, (uint8_t)((hdr->wants_verification ? V_BIT : 0) | hdr->prf));
    poc_wr_u32(wr, hdr->csb_id);
    poc_wr_u8(wr, hdr->cs_count);
    poc_wr_u8(wr, hdr->map_type);
    for (size_t i = 0; i < hdr->cs_count && hdr->map_type == MIKEY_MAP_GENERIC_ID; i++)
        generic_encode(wr, &hdr->generic[i]);
    for (size_t i = 0; i < hdr->cs_count && hdr->map_type == MIKEY_MAP_SRTP_ID; i++) {
        poc_wr_u8(wr, hdr->cs[i].policy_no);
        poc_wr_u32(wr, hdr->cs[i].ssrc);
        poc_wr_u32(wr, hdr->cs[i].roc);
    }
}
