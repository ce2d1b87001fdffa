/* Key periods and the hashed identities that change with them (TS 33.180 F.2.1). */
#include "base/crypto.h"
#include "mcx/mcx.h"

#define LABEL "MIKEY-SAKKE-UID"

uint64_t mcx_period_number(uint64_t ntp_s, uint64_t period_s, uint64_t offset_s)
{
    return period_s == 0 || ntp_s < offset_s ? 0 : (ntp_s - offset_s) / period_s;
}

uint64_t mcx_period_start(const mcx_period *period)
{
    return period->offset_s + period->number * period->period_s;
}

uint64_t mcx_ntp_expand(uint32_t seconds, uint64_t near_ntp_s)
{
    /* The difference as a signed number of 32 bits is the shorter way around. */
    const int32_t ahead = (int32_t)(seconds - (uint32_t)near_ntp_s);
    const int64_t expanded = (int64_t)near_ntp_s + ahead;
    return expanded < 0 ? seconds : (uint64_t)expanded;
}

static void parameter_put(poc_wr *wr, poc_span value)
{
    poc_wr_span(wr, value);
    poc_wr_u16(wr, (uint16_t)value.n);
}

/* As few octets as it takes, but one for zero. */
static void number_put(poc_wr *wr, uint64_t v)
{
    uint8_t octets[8];
    size_t n = 0;
    for (; n == 0 || (n < sizeof(octets) && v >> (8 * n) != 0); n++)
        octets[sizeof(octets) - 1 - n] = (uint8_t)(v >> (8 * n));
    parameter_put(wr, poc_span_of(octets + sizeof(octets) - n, n));
}

poc_err mcx_uid(uint8_t out[MCX_UID_LEN], poc_span entity_uri, poc_span kms_uri, const mcx_period *period)
{
    uint8_t text[2 * MCX_URI_MAX + 64];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (entity_uri.n > MCX_URI_MAX || kms_uri.n > MCX_URI_MAX)
        return POC_E_LIMIT;
    poc_wr_u8(&wr, 0);
    parameter_put(&wr, poc_span_str(LABEL));
    parameter_put(&wr, entity_uri);
    parameter_put(&wr, kms_uri);
    number_put(&wr, period->period_s);
    number_put(&wr, period->offset_s);
    number_put(&wr, period->number);
    POC_TRY(poc_wr_done(&wr));
    return poc_sha256(out, poc_span_of(text, wr.len));
}
