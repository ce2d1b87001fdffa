/* SAKKE, RFC 6509 4.2: next(1) SAKKE params(1) ID scheme(1) len(2) SED. Parameter set 1 (RFC 6509 Appendix A) and scheme 2,
 * the hashed identity of 3GPP, are the only ones of mission critical services. */
#include <string.h>

#include "mikey/payloads.h"

#define SAKKE_PARAMS_1 1u
#define ID_SCHEME_3GPP 2u

static poc_err body_decode(poc_span *sed, poc_rd *rd)
{
    uint8_t params, scheme;
    uint16_t len;
    POC_TRY(poc_rd_u8(rd, &params));
    if (params != SAKKE_PARAMS_1)
        return poc_rd_fail(rd, "SAKKE parameter set not supported");
    POC_TRY(poc_rd_u8(rd, &scheme));
    if (scheme != ID_SCHEME_3GPP)
        return poc_rd_fail(rd, "ID scheme is not the hashed identity of 3GPP");
    POC_TRY(poc_rd_u16(rd, &len));
    if (len != MIKEY_SED_LEN && len != MIKEY_SED_LEN_256)
        return poc_rd_fail(rd, "encapsulated data neither for a 128-bit nor for a 256-bit key");
    return poc_rd_span(rd, sed, len);
}

poc_err mikey_sakke_decode(mikey_msg *msg, poc_rd *rd)
{
    return body_decode(&msg->sed, rd);
}

poc_err mikey_sakke_read(poc_span *sed, poc_span octets, poc_fault *fault)
{
    poc_rd rd = poc_rd_over(octets, fault);
    uint8_t next;
    POC_TRY(poc_rd_u8(&rd, &next));
    if (next != MIKEY_LAST)
        return poc_rd_fail(&rd, "payload behind a SAKKE payload that stands alone");
    POC_TRY(body_decode(sed, &rd));
    return poc_rd_end(&rd);
}

uint8_t *mikey_sakke_encode(poc_wr *wr, uint8_t next, size_t sed_len)
{
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, SAKKE_PARAMS_1);
    poc_wr_u8(wr, ID_SCHEME_3GPP);
    poc_wr_u16(wr, (uint16_t)sed_len);
    return poc_wr_room(wr, sed_len);
}

poc_err mikey_sakke_write(poc_wr *out, poc_span sed)
{
    uint8_t *at = mikey_sakke_encode(out, MIKEY_LAST, sed.n);
    if (at != NULL)
        memcpy(at, sed.p, sed.n);
    return poc_wr_done(out);
}
