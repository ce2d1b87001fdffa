/* Key parameters, TS 33.180 E.6:
 *  key type(1) status(4) activation(5) expiry(5) text(LV-E) { groups(LV-E): count(1) { 7B(1) len(2) URI }* }
 * encrypted as an MCData protected payload, TS 33.180 8.5.4:
 *  message type(1) date(5) payload id(4) sequence number(1) algorithm(1) {signalling algorithm(1)} IV(16) DPPK-ID(4)
 *  | IEI(1) len(2) ciphertext and tag. The first line is the additional authenticated data. */
#include <string.h>

#include "mcx/kdf.h"

#define STATUS_VALID     1u
#define STATUS_SHARED    2u
#define GROUP_IEI        0x7bu
#define TIME_MAX         ((UINT64_C(1) << 40) - 1)
#define DATA_PAYLOAD     0x43u /* DATA PAYLOAD with the bit that says encrypted */
#define IV_LEN           16u
#define HEADER_LEN       32u
#define ID_AT            28u /* of DPPK-ID, one more with the signalling algorithm */
#define PAYLOAD_IEI      0u
#define AES_128_GCM      1u
#define AES_256_GCM      2u
#define OLD_LEN          15u /* unencrypted, up to the expiry time */
#define OLD_LEN_NAMELESS 17u /* with an empty text */

static bool has_groups(mcx_key_type type)
{
    return type == MCX_GMK || type == MCX_MKFC || type == MCX_MUSIK;
}

/* ---- the content ---- */

static poc_err u40_read(poc_rd *rd, uint64_t *out)
{
    uint8_t high;
    uint32_t low;
    POC_TRY(poc_rd_u8(rd, &high));
    POC_TRY(poc_rd_u32(rd, &low));
    *out = (uint64_t)high << 32 | low;
    return POC_OK;
}

static void u40_write(poc_wr *wr, uint64_t v)
{
    poc_wr_u8(wr, (uint8_t)(v >> 32));
    poc_wr_u32(wr, (uint32_t)v);
}

static poc_err lv_take(poc_rd *rd, poc_rd *sub)
{
    uint16_t len;
    POC_TRY(poc_rd_u16(rd, &len));
    return poc_rd_take(rd, sub, len);
}

static poc_err groups_read(mcx_key_parameters *out, poc_rd *rd)
{
    poc_rd list, uri;
    uint8_t count, iei;
    POC_TRY(lv_take(rd, &list));
    POC_TRY(poc_rd_u8(&list, &count));
    if (count > MCX_GROUPS_MAX)
        return poc_rd_fail(&list, "too many groups");
    for (; out->group_count < count; out->group_count++) {
        POC_TRY(poc_rd_u8(&list, &iei));
        if (iei != GROUP_IEI)
            return poc_rd_fail(&list, "no group id where one is announced");
        POC_TRY(lv_take(&list, &uri));
        if (uri.left == 0 || uri.left > MCX_URI_MAX)
            return poc_rd_fail(&uri, "group id is empty or too long");
        POC_TRY(poc_rd_span(&uri, &out->groups[out->group_count], uri.left));
    }
    return poc_rd_end(&list);
}

static poc_err type_read(mcx_key_parameters *out, mcx_key_type type, bool counts_from_one, poc_rd *rd)
{
    uint8_t first;
    poc_rd unread = *rd;
    POC_TRY(poc_rd_u8(rd, &first));
    /* E.6.1 would have the content inside an IE. */
    if (first >= MCX_KEY_TYPES && !(counts_from_one && first == MCX_KEY_TYPES)) {
        uint16_t len;
        POC_TRY(poc_rd_u16(rd, &len));
        if (len > rd->left)
            return poc_rd_fail(rd, "length exceeds what is left");
        unread = *rd;
        POC_TRY(poc_rd_u8(rd, &first));
    }
    if (first != type && !(counts_from_one && first == type + 1u))
        return poc_rd_fail(&unread, "key type is not that of the key id");
    out->type = type;
    return POC_OK;
}

poc_err mcx_key_parameters_read(mcx_key_parameters *out, poc_span plain, mcx_key_type type, bool counts_from_one,
                                poc_fault *fault)
{
    poc_rd rd = poc_rd_over(plain, fault), text;
    uint32_t status;
    *out = (mcx_key_parameters){ .type = type };
    POC_TRY(type_read(out, type, counts_from_one, &rd));
    POC_TRY(poc_rd_u32(&rd, &status));
    out->is_revoked = (status & STATUS_VALID) == 0;
    out->is_shared = (status & STATUS_SHARED) != 0;
    POC_TRY(u40_read(&rd, &out->activation_s));
    POC_TRY(u40_read(&rd, &out->expiry_s));
    if (counts_from_one && rd.left == 0)
        return POC_OK;
    POC_TRY(lv_take(&rd, &text));
    POC_TRY(poc_rd_span(&text, &out->text, text.left));
    if (!has_groups(type) || (counts_from_one && rd.left == 0))
        return POC_OK; /* what follows is reserved */
    return groups_read(out, &rd);
}

static void groups_write(poc_wr *out, const mcx_key_parameters *p)
{
    const size_t list = poc_wr_len16_open(out);
    poc_wr_u8(out, (uint8_t)p->group_count);
    for (size_t i = 0; i < p->group_count; i++) {
        poc_wr_u8(out, GROUP_IEI);
        const size_t uri = poc_wr_len16_open(out);
        poc_wr_span(out, p->groups[i]);
        poc_wr_len16_close(out, uri);
    }
    poc_wr_len16_close(out, list);
}

poc_err mcx_key_parameters_write(poc_wr *out, const mcx_key_parameters *p)
{
    if (p->group_count > (has_groups(p->type) ? MCX_GROUPS_MAX : 0) || p->activation_s > TIME_MAX ||
        p->expiry_s > TIME_MAX)
        return POC_E_BUG;
    poc_wr_u8(out, (uint8_t)p->type);
    poc_wr_u32(out, (p->is_revoked ? 0 : STATUS_VALID) | (p->is_shared ? STATUS_SHARED : 0));
    u40_write(out, p->activation_s);
    u40_write(out, p->expiry_s);
    const size_t text = poc_wr_len16_open(out);
    poc_wr_span(out, p->text);
    poc_wr_len16_close(out, text);
    if (has_groups(p->type))
        groups_write(out, p);
    return poc_wr_done(out);
}

/* ---- its protection ---- */

static poc_err cipher_key(poc_secret **out, size_t len, const poc_secret *key, uint32_t csb_id)
{
    uint8_t id[4];
    mcx_u32_put(id, csb_id);
    const poc_span param = poc_span_of(id, sizeof(id));
    return mcx_kdf_secret(out, len, key, MCX_FC_PAYLOAD_CIPHER, &param, 1);
}

poc_err mcx_key_parameters_seal(poc_wr *out, const mcx_key_parameters *p, const poc_secret *key, uint32_t csb_id,
                                uint64_t unix_s, const poc_rng *rng)
{
    POC_OWNED(poc_secret, dpck, poc_secret_free);
    uint8_t content[MCX_PARAMETERS_MAX], iv[IV_LEN];
    poc_wr plain = poc_wr_into(content, sizeof(content));
    const size_t start = out->len;
    POC_TRY(mcx_key_parameters_write(&plain, p));
    POC_TRY(cipher_key(&dpck, poc_secret_len(key), key, csb_id));
    POC_TRY(rng->fill(rng->ctx, iv, sizeof(iv)));
    poc_wr_u8(out, DATA_PAYLOAD);
    u40_write(out, unix_s & TIME_MAX);
    poc_wr_u32(out, 0); /* payload id */
    poc_wr_u8(out, 0);  /* sequence number */
    poc_wr_u8(out, poc_secret_len(key) == POC_AES_LEN ? AES_128_GCM : AES_256_GCM);
    poc_wr_put(out, iv, sizeof(iv));
    poc_wr_u32(out, csb_id);
    const poc_span aad = poc_span_of(out->buf + start, HEADER_LEN);
    poc_wr_u8(out, PAYLOAD_IEI);
    poc_wr_u16(out, (uint16_t)(plain.len + POC_GCM_TAG_LEN));
    uint8_t *sealed = poc_wr_room(out, plain.len + POC_GCM_TAG_LEN);
    if (sealed == NULL)
        return POC_E_LIMIT;
    return poc_gcm_seal_iv(sealed, poc_secret_span(dpck), poc_span_of(iv, sizeof(iv)), aad,
                           poc_span_of(content, plain.len));
}

/* A protected payload taken apart. */
typedef struct payload {
    uint8_t algorithm;
    poc_span aad, iv, sealed;
} payload;

/* 0 or 1 octets of signalling algorithm stand in front of the IV: told by where DPPK-ID is. */
static poc_err extra_find(size_t *out, poc_span data, uint32_t csb_id, poc_rd *rd)
{
    uint8_t id[4];
    mcx_u32_put(id, csb_id);
    for (size_t extra = 0; extra < 2; extra++) {
        if (data.n >= ID_AT + extra + sizeof(id) && memcmp(data.p + ID_AT + extra, id, sizeof(id)) == 0) {
            *out = extra;
            return POC_OK;
        }
    }
    return poc_rd_fail(rd, "DPPK-ID is not the id of the key");
}

static poc_err payload_read(payload *out, poc_span data, uint32_t csb_id, poc_fault *fault)
{
    poc_rd rd = poc_rd_over(data, fault);
    poc_span skipped;
    uint8_t message_type, iei;
    size_t extra = 0;
    uint16_t len;
    POC_TRY(poc_rd_u8(&rd, &message_type));
    if (message_type != DATA_PAYLOAD)
        return poc_rd_fail(&rd, "key parameters are no encrypted data payload");
    POC_TRY(extra_find(&extra, data, csb_id, &rd));
    POC_TRY(poc_rd_span(&rd, &skipped, 10)); /* date, payload id, sequence number: nothing follows from them */
    POC_TRY(poc_rd_u8(&rd, &out->algorithm));
    if (out->algorithm != AES_128_GCM && out->algorithm != AES_256_GCM)
        return poc_rd_fail(&rd, "algorithm of the key parameters not supported");
    POC_TRY(poc_rd_span(&rd, &skipped, extra));
    POC_TRY(poc_rd_span(&rd, &out->iv, IV_LEN));
    POC_TRY(poc_rd_span(&rd, &skipped, 4));
    out->aad = poc_span_of(data.p, HEADER_LEN + extra);
    POC_TRY(poc_rd_u8(&rd, &iei));
    POC_TRY(poc_rd_u16(&rd, &len));
    POC_TRY(poc_rd_span(&rd, &out->sealed, len));
    if (len < POC_GCM_TAG_LEN || len > MCX_PARAMETERS_MAX + POC_GCM_TAG_LEN)
        return poc_rd_fail(&rd, "key parameters are too short or too long");
    return poc_rd_end(&rd);
}

poc_err mcx_key_parameters_open(mcx_key_parameters *out, uint8_t plain[MCX_PARAMETERS_MAX], poc_span data,
                                const poc_secret *key, uint32_t csb_id, poc_fault *fault)
{
    POC_OWNED(poc_secret, dpck, poc_secret_free);
    mcx_key_type type;
    payload p;
    POC_TRY(mcx_key_type_of(&type, csb_id));
    if (data.n == OLD_LEN || data.n == OLD_LEN_NAMELESS) {
        memcpy(plain, data.p, data.n);
        return mcx_key_parameters_read(out, poc_span_of(plain, data.n), type, true, fault);
    }
    POC_TRY(payload_read(&p, data, csb_id, fault));
    POC_TRY(cipher_key(&dpck, p.algorithm == AES_128_GCM ? 16 : 32, key, csb_id));
    POC_TRY(poc_gcm_open_iv(plain, poc_secret_span(dpck), p.iv, p.aad, p.sealed));
    return mcx_key_parameters_read(out, poc_span_of(plain, p.sealed.n - POC_GCM_TAG_LEN), type, false, fault);
}
