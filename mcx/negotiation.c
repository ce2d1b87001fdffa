/* Which algorithm protects signalling: what a client offers in its upload, what the server makes of it (TS 33.180 5.4, 5.8;
 * SP parameters of RFC 3830 6.10.1, RFC 7714). */
#include "mcx/mcx.h"

#define ENCR_AES_CM  1u
#define ENCR_AES_GCM 6u

enum { PARAM_ENCR = 0, PARAM_KEY_LEN = 1, PARAM_SALT_LEN = 4, PARAM_TAG_LEN = 11, PARAM_AEAD_TAG_LEN = 20 };

const mcx_algorithm mcx_aes128_gcm = { ENCR_AES_GCM, 16, 12, 16 };
const mcx_algorithm mcx_aes256_gcm = { ENCR_AES_GCM, 32, 12, 16 };
const mcx_algorithm mcx_aes128_cm = { ENCR_AES_CM, 16, 14, 10 };

bool mcx_algorithm_eq(const mcx_algorithm *a, const mcx_algorithm *b)
{
    return a->encr == b->encr && a->key_len == b->key_len && a->salt_len == b->salt_len && a->tag_len == b->tag_len;
}

void mcx_algorithm_put(poc_wr *out, const mcx_algorithm *a)
{
    const uint8_t gcm[] = { 0, 1, a->encr, 1, 1, a->key_len, 4, 1, a->salt_len, 5, 1, 0, 6, 1, 0, 20, 1, a->tag_len };
    const uint8_t cm[] = { 0, 1, a->encr,     1, 1, a->key_len, 2, 1, 1, 3,  1, 20,
                           4, 1, a->salt_len, 5, 1, 0,          6, 1, 0, 11, 1, a->tag_len };
    if (a->encr == ENCR_AES_GCM)
        poc_wr_put(out, gcm, sizeof(gcm));
    else
        poc_wr_put(out, cm, sizeof(cm));
}

/* ---- reading an offer ---- */

enum { PARAMS = PARAM_AEAD_TAG_LEN + 1 };

/* The parameters that tell algorithms apart, as far as they are said; the last one counts. */
typedef struct said {
    bool is_there[PARAMS];
    uint8_t value[PARAMS];
} said;

static bool is_ours(uint8_t type)
{
    return type == PARAM_ENCR || type == PARAM_KEY_LEN || type == PARAM_SALT_LEN || type == PARAM_TAG_LEN ||
           type == PARAM_AEAD_TAG_LEN;
}

static poc_err said_read(said *out, poc_rd *params)
{
    *out = (said){ .is_there = { false } };
    while (params->left > 0) {
        mikey_sp_param param;
        POC_TRY(mikey_sp_param_next(&param, params));
        if (!is_ours(param.type))
            continue;
        if (param.value.n != 1)
            return poc_rd_fail(params, "SP parameter is not one octet");
        out->is_there[param.type] = true;
        out->value[param.type] = param.value.p[0];
    }
    return POC_OK;
}

static uint8_t said_or(const said *s, size_t type, uint8_t otherwise)
{
    return s->is_there[type] ? s->value[type] : otherwise;
}

/* What is not said is as the algorithm has it by default. A list may hold the lengths of both kinds of tags: that of HMAC-SHA-1
 * says nothing about AES-GCM, and the other way round. */
static poc_err algorithm_read(mcx_algorithm *out, poc_rd *params)
{
    said s;
    POC_TRY(said_read(&s, params));
    out->encr = said_or(&s, PARAM_ENCR, ENCR_AES_GCM);
    const bool is_cm = out->encr == ENCR_AES_CM;
    const mcx_algorithm *usual = is_cm ? &mcx_aes128_cm : &mcx_aes128_gcm;
    const uint8_t other_tag = said_or(&s, is_cm ? PARAM_AEAD_TAG_LEN : PARAM_TAG_LEN, usual->tag_len);
    out->key_len = said_or(&s, PARAM_KEY_LEN, usual->key_len);
    out->salt_len = said_or(&s, PARAM_SALT_LEN, usual->salt_len);
    out->tag_len = said_or(&s, is_cm ? PARAM_TAG_LEN : PARAM_AEAD_TAG_LEN, other_tag);
    return POC_OK;
}

static poc_err offer_add(mcx_offer *offer, const mcx_algorithm *a, poc_rd *at)
{
    for (size_t i = 0; i < offer->count; i++) {
        if (mcx_algorithm_eq(&offer->algorithms[i], a))
            return POC_OK;
    }
    if (offer->count == MCX_OFFER_MAX)
        return poc_rd_fail(at, "too many algorithms");
    offer->algorithms[offer->count++] = *a;
    return POC_OK;
}

static poc_rd reader_at(const mikey_msg *msg, poc_span part, poc_fault *fault)
{
    return (poc_rd){ part.p, part.n, msg->raw.p, fault };
}

/* Adds the policy with this number; a number that no SP payload has means the default. `every`: all of them, in order. */
static poc_err policies_add(mcx_offer *offer, const mikey_msg *msg, uint8_t policy_no, bool every, poc_fault *fault)
{
    poc_rd at = reader_at(msg, msg->raw, fault);
    bool found = false;
    for (size_t i = 0; i < msg->payload_count; i++) {
        mcx_algorithm a;
        mikey_sp sp;
        if (msg->payloads[i].type != MIKEY_SP)
            continue;
        poc_rd body = reader_at(msg, msg->payloads[i].body, fault);
        POC_TRY(mikey_sp_read(&sp, &body));
        if (!every && sp.policy_no != policy_no)
            continue;
        found = true;
        poc_rd params = reader_at(msg, sp.params, fault);
        POC_TRY(algorithm_read(&a, &params));
        POC_TRY(offer_add(offer, &a, &params));
    }
    return found || every ? POC_OK : offer_add(offer, &mcx_aes128_gcm, &at);
}

poc_err mcx_offer_read(mcx_offer *out, const mikey_msg *msg, poc_fault *fault)
{
    const bool is_generic = msg->map_type == MIKEY_MAP_GENERIC_ID;
    out->count = 0;
    for (size_t i = 0; is_generic && i < msg->cs_count; i++) {
        const poc_span policies = msg->generic[i].policies;
        for (size_t k = 0; k < policies.n; k++)
            POC_TRY(policies_add(out, msg, policies.p[k], false, fault));
    }
    for (size_t i = 0; !is_generic && i < msg->cs_count; i++)
        POC_TRY(policies_add(out, msg, msg->cs[i].policy_no, false, fault));
    if (msg->cs_count == 0)
        POC_TRY(policies_add(out, msg, 0, true, fault));
    if (out->count == 0)
        out->algorithms[out->count++] = mcx_aes128_gcm;
    return POC_OK;
}

/* ---- choosing ---- */

static bool is_allowed(const mcx_algorithm_policy *policy, const mcx_algorithm *a)
{
    if (policy->forced != NULL)
        return mcx_algorithm_eq(policy->forced, a);
    for (size_t i = 0; i < policy->allowed_count; i++) {
        if (mcx_algorithm_eq(&policy->allowed[i], a))
            return true;
    }
    return false;
}

poc_err mcx_algorithm_choose(mcx_choice *out, const mcx_offer *offer, const mcx_algorithm_policy *policy)
{
    for (size_t i = 0; i < offer->count; i++) {
        if (!is_allowed(policy, &offer->algorithms[i]))
            continue;
        *out = (mcx_choice){ offer->algorithms[i], i > 0 };
        return POC_OK;
    }
    return POC_E_DENIED;
}
