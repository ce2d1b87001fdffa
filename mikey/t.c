/* T, RFC 3830 6.6: next(1) TS type(1) value (8 octets: NTP-UTC, NTP; 4 octets: COUNTER, NTP-UTC-32). */
#include <string.h>

#include "mikey/payloads.h"

static const uint8_t ts_len[] = { 8, 8, 4, 4 };

poc_err mikey_t_decode(mikey_msg *msg, poc_rd *rd)
{
    POC_TRY(poc_rd_u8(rd, &msg->ts_type));
    if (msg->ts_type >= POC_COUNT(ts_len))
        return poc_rd_fail(rd, "TS type not supported");
    if (msg->data_type == MIKEY_I_MESSAGE && msg->ts_type != MIKEY_TS_NTP_UTC) /* TS 33.180 E.1.2 */
        return poc_rd_fail(rd, "TS type of an I_MESSAGE is not NTP-UTC");
    POC_TRY(poc_rd_span(rd, &msg->ts, ts_len[msg->ts_type]));
    if (msg->ts_type != MIKEY_TS_COUNTER)
        return POC_OK;
    poc_rd value = poc_rd_over(msg->ts, NULL);
    return poc_rd_u32(&value, &msg->counter);
}

void mikey_t_encode(poc_wr *wr, uint8_t next, uint8_t ts_type, poc_span ts)
{
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, ts_type);
    poc_wr_span(wr, ts);
}

void mikey_t_64(uint8_t out[MIKEY_TS64_LEN], poc_span ts)
{
    memset(out, 0, MIKEY_TS64_LEN);
    memcpy(out + MIKEY_TS64_LEN - ts.n, ts.p, ts.n);
}
