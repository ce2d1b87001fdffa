/* ID, RFC 3830 6.7: next(1) ID type(1) len(2) data. The role follows from the place: the first is IDi, the second IDr; in
 * a verification message the single one is IDr. */
#include "mikey/payloads.h"

poc_err mikey_id_decode(mikey_msg *msg, poc_rd *rd)
{
    mikey_id *id = msg->data_type == MIKEY_PSK_VERIFICATION || msg->idi.present ? &msg->idr : &msg->idi;
    uint16_t len;
    if (id->present)
        return poc_rd_fail(rd, "too many ID payloads");
    POC_TRY(poc_rd_u8(rd, &id->type));
    if (id->type > MIKEY_ID_BYTES)
        return poc_rd_fail(rd, "ID type not supported");
    POC_TRY(poc_rd_u16(rd, &len));
    POC_TRY(poc_rd_span(rd, &id->data, len));
    id->present = true;
    return POC_OK;
}

void mikey_id_encode(poc_wr *wr, uint8_t next, uint8_t type, poc_span data)
{
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, type);
    size_t len = poc_wr_len16_open(wr);
    poc_wr_span(wr, data);
    poc_wr_len16_close(wr, len);
}
