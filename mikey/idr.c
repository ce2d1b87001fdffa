/* IDR, RFC 6043 6.6: next(1) ID role(1) ID type(1) len(2) data. Roles 6 and 7 are those of RFC 6509, 8 and 9 those of
 * TS 33.180 E.7; old senders write role 3 (KMS) twice instead of 6 and 7. */
#include "mikey/payloads.h"

static mikey_id *place_of(mikey_msg *msg, uint8_t role)
{
    switch (role) {
    case MIKEY_ROLE_INITIATOR:
    case MIKEY_ROLE_UID_INITIATOR:
        return &msg->idi;
    case MIKEY_ROLE_RESPONDER:
    case MIKEY_ROLE_UID_RESPONDER:
        return &msg->idr;
    case MIKEY_ROLE_KMS:
        return msg->idkmsi.present ? &msg->idkmsr : &msg->idkmsi;
    case MIKEY_ROLE_KMS_INITIATOR:
        return &msg->idkmsi;
    case MIKEY_ROLE_KMS_RESPONDER:
        return &msg->idkmsr;
    default:
        return NULL;
    }
}

poc_err mikey_idr_decode(mikey_msg *msg, poc_rd *rd)
{
    uint8_t role;
    uint16_t len;
    POC_TRY(poc_rd_u8(rd, &role));
    mikey_id *id = place_of(msg, role);
    if (id == NULL)
        return poc_rd_fail(rd, "ID role not supported");
    if (id->present)
        return poc_rd_fail(rd, "ID role twice");
    id->role = role;
    POC_TRY(poc_rd_u8(rd, &id->type));
    if (id->type > MIKEY_ID_BYTES)
        return poc_rd_fail(rd, "ID type not supported");
    POC_TRY(poc_rd_u16(rd, &len));
    if (len == 0)
        return poc_rd_fail(rd, "empty identity");
    POC_TRY(poc_rd_span(rd, &id->data, len));
    id->present = true;
    return POC_OK;
}

void mikey_idr_encode(poc_wr *wr, uint8_t next, const mikey_id *id)
{
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, id->role);
    poc_wr_u8(wr, id->type);
    size_t len = poc_wr_len16_open(wr);
    poc_wr_span(wr, id->data);
    poc_wr_len16_close(wr, len);
}
