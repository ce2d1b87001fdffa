/* Bounds and defaults of settings and policies: rows, and one loop. */
#include "pf/core/model.h"

#include <string.h>

typedef struct limit {
    size_t at;
    uint32_t fallback, min, max;
} limit;

static const limit setting_limits[] = {
    { offsetof(core_settings, members_max), 100000, 1, 10000000 },
    { offsetof(core_settings, channels_max), 1000, 1, 65535 },
    { offsetof(core_settings, offer_window), 100, 1, 100000 },
    { offsetof(core_settings, roster_max), 100000, 1, 10000000 },
    { offsetof(core_settings, push_tries), 5, 1, 16 },
    { offsetof(core_settings, push_first_ms), 1000, 100, 60000 },
    { offsetof(core_settings, push_cap_ms), 8000, 100, 600000 },
    { offsetof(core_settings, solicit_per_s), 100, 1, 10000 },
    { offsetof(core_settings, muk_renew_s), 300, 1, 86400 },
    { offsetof(core_settings, mcx_skew_s), 300, 1, 3600 },
    { offsetof(core_settings, mcx_algorithms), CORE_AES128_GCM | CORE_AES256_GCM, 1, CORE_AES_ALL },
};

static const limit policy_limits[] = {
    { offsetof(core_policy, deadline_ms), CORE_DEADLINE_MS, 1, CORE_DEADLINE_MAX_MS },
    { offsetof(core_policy, delivery), CORE_BY_SIP, CORE_BY_SIP, CORE_BY_SIP | CORE_BY_PUSH },
    { offsetof(core_policy, max_mtk), CORE_MTK_MAX, 1, CORE_MTK_MAX },
};

static poc_err apply(void *to, const limit *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t value;
        memcpy(&value, (char *)to + rows[i].at, sizeof(value));
        if (value == 0)
            value = rows[i].fallback;
        if (value < rows[i].min || value > rows[i].max)
            return POC_E_INPUT;
        memcpy((char *)to + rows[i].at, &value, sizeof(value));
    }
    return POC_OK;
}

poc_err limits_apply(core_settings *s)
{
    if (s->rng.fill == NULL || s->store_key == NULL || poc_secret_len(s->store_key) != 32)
        return POC_E_INPUT;
    if (s->naf_id.n <= CORE_UA_ID_LEN || s->naf_id.n > CORE_NAF_ID_MAX)
        return POC_E_INPUT;
    const bool is_one = (s->mcx_forced & (s->mcx_forced - 1)) == 0;
    if (s->mcx_forced > CORE_AES_ALL || !is_one)
        return POC_E_INPUT;
    return apply(s, setting_limits, POC_COUNT(setting_limits));
}

poc_err limits_policy(core_policy *p)
{
    if ((unsigned)p->on_leave >= CORE_LEAVE_COUNT || (unsigned)p->gate >= CORE_GATE_COUNT ||
        (unsigned)p->on_refusal >= CORE_REFUSAL_COUNT)
        return POC_E_INPUT;
    if (p->on_leave == CORE_LEAVE_BATCH && p->leave_batch_ms == 0)
        return POC_E_INPUT;
    return apply(p, policy_limits, POC_COUNT(policy_limits));
}

poc_err limits_text(const char *text, size_t max)
{
    if (text == NULL || text[0] == '\0')
        return POC_E_INPUT;
    return strnlen(text, max + 1) > max ? POC_E_INPUT : POC_OK;
}
