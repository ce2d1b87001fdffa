/* ERR, RFC 3830 6.12: next(1) error no(1) reserved(2). */
#include "mikey/payloads.h"

poc_err mikey_err_decode(mikey_msg *msg, poc_rd *rd)
{
    uint8_t error_no;
    uint16_t reserved; /* sent as zero, and of no meaning when it is not */
    POC_TRY(poc_rd_u8(rd, &error_no));
    POC_TRY(poc_rd_u16(rd, &reserved));
    if (!msg->has_error)
        msg->error_no = error_no;
    msg->has_error = true;
    return POC_OK;
}

void mikey_err_encode(poc_wr *wr, uint8_t next, uint8_t error_no)
{
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, error_no);
    poc_wr_u16(wr, 0);
}
