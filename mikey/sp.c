/* SP, RFC 3830 6.10: next(1) policy no(1) prot type(1) len(2) { type(1) len(1) value }*, protocol 0 being SRTP. */
#include "mikey/payloads.h"

#define PROTOCOL_SRTP 0u
#define SP_TYPE_MAX   20u /* 13..19: RFC 4771; 20: length of an AEAD tag */

poc_err mikey_sp_read(mikey_sp *out, poc_rd *rd)
{
    poc_rd params, walk;
    uint16_t len;
    POC_TRY(poc_rd_u8(rd, &out->policy_no));
    POC_TRY(poc_rd_u8(rd, &out->protocol));
    if (out->protocol != PROTOCOL_SRTP)
        return poc_rd_fail(rd, "SP protocol is not SRTP");
    POC_TRY(poc_rd_u16(rd, &len));
    POC_TRY(poc_rd_take(rd, &params, len));
    out->params = poc_span_of(params.p, params.left);
    for (walk = params; walk.left > 0;) {
        mikey_sp_param param;
        POC_TRY(mikey_sp_param_next(&param, &walk));
    }
    return POC_OK;
}

static poc_err types_check(const mikey_sp *sp, poc_rd *rd)
{
    mikey_sp_param param;
    for (poc_rd walk = { sp->params.p, sp->params.n, rd->origin, rd->fault }; walk.left > 0;) {
        POC_TRY(mikey_sp_param_next(&param, &walk));
        if (param.type > SP_TYPE_MAX)
            return poc_rd_fail(&walk, "SP parameter not supported");
    }
    return POC_OK;
}

poc_err mikey_sp_param_next(mikey_sp_param *out, poc_rd *params)
{
    uint8_t len;
    POC_TRY(poc_rd_u8(params, &out->type));
    POC_TRY(poc_rd_u8(params, &len));
    return poc_rd_span(params, &out->value, len);
}

poc_err mikey_sp_decode(mikey_msg *msg, poc_rd *rd)
{
    mikey_sp sp;
    msg->has_sp = true;
    /* In mission critical services peers send a policy with the empty map as well, and parameters of their own. */
    if (msg->data_type == MIKEY_I_MESSAGE)
        return mikey_sp_read(&sp, rd);
    /* RFC 4563: with the empty map the policy is known otherwise, and none may be sent. */
    if (msg->map_type == MIKEY_MAP_EMPTY)
        return poc_rd_fail(rd, "security policy with an empty map");
    POC_TRY(mikey_sp_read(&sp, rd));
    return types_check(&sp, rd);
}

void mikey_sp_encode(poc_wr *wr, uint8_t next, const mikey_policy *policy)
{
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, policy->policy_no);
    poc_wr_u8(wr, PROTOCOL_SRTP);
    size_t len = poc_wr_len16_open(wr);
    poc_wr_span(wr, policy->params);
    poc_wr_len16_close(wr, len);
}

void mikey_sp_encode_default(poc_wr *wr, uint8_t next)
{
    static const uint8_t params[] = {
        0,  1, 1,  /* encryption: AES-CM         */
        1,  1, 16, /* session encryption key     */
        2,  1, 1,  /* authentication: HMAC-SHA-1 */
        3,  1, 20, /* session authentication key */
        4,  1, 14, /* session salt               */
        5,  1, 0,  /* PRF: AES-CM                */
        6,  1, 0,  /* key derivation rate        */
        7,  1, 1,  /* SRTP encryption on         */
        8,  1, 1,  /* SRTCP encryption on        */
        10, 1, 1,  /* SRTP authentication on     */
        11, 1, 10, /* tag length                 */
    };
    mikey_sp_encode(wr, next, &(mikey_policy){ 0, poc_span_of(params, sizeof(params)) });
}
