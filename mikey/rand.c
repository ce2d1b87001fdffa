/* RAND, RFC 3830 6.11: next(1) len(1) rand, of 16 octets or more. */
#include "mikey/payloads.h"

poc_err mikey_rand_decode(mikey_msg *msg, poc_rd *rd)
{
    uint8_t len;
    POC_TRY(poc_rd_u8(rd, &len));
    if (len < MIKEY_RAND_LEN)
        return poc_rd_fail(rd, "RAND shorter than 16 octets");
    return poc_rd_span(rd, &msg->rand, len);
}

void mikey_rand_encode(poc_wr *wr, uint8_t next, poc_span rand)
{
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, (uint8_t)rand.n);
    poc_wr_span(wr, rand);
}
