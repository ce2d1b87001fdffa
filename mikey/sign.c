/* SIGN, RFC 3830 6.5: S type(4 bits) len(12 bits) signature. No next payload: it is the last. S type 2 is ECCSI (RFC 6509),
 * whose signature has 129 octets, whatever TS 33.180 E.1.2 says about 32. */
#include "mikey/payloads.h"

#define ECCSI_129 (2u << 12 | MIKEY_SIGNATURE_LEN)

poc_err mikey_sign_decode(mikey_msg *msg, poc_rd *rd)
{
    uint16_t type_len;
    POC_TRY(poc_rd_u16(rd, &type_len));
    if (type_len != ECCSI_129)
        return poc_rd_fail(rd, "signature is not one of ECCSI with 129 octets");
    return poc_rd_span(rd, &msg->signature, MIKEY_SIGNATURE_LEN);
}

uint8_t *mikey_sign_encode(poc_wr *wr)
{
    poc_wr_u16(wr, ECCSI_129);
    return poc_wr_room(wr, MIKEY_SIGNATURE_LEN);
}
