/* What a departure, the age of a key or a count asks for. An expulsion is not here: it always rekeys (POC-10). */
#include "pf/core/model.h"

policy_verdict policy_on_left(const core_channel *ch)
{
    /* Who cannot see remote departures renews the key at every one that it does see. */
    if (ch->session.blind)
        return POLICY_NOW;
    static const policy_verdict verdicts[CORE_LEAVE_COUNT] = {
        [CORE_LEAVE_NEVER] = POLICY_NOTHING,
        [CORE_LEAVE_ALWAYS] = POLICY_NOW,
        [CORE_LEAVE_BATCH] = POLICY_LATER,
    };
    return verdicts[ch->policy.on_leave];
}

bool policy_holds(const core_channel *ch)
{
    return ch->policy.gate == CORE_GATE_HOLD;
}

uint32_t policy_deadline_ms(const core_channel *ch)
{
    return ch->policy.deadline_ms;
}

int64_t policy_age_due_ms(const core_channel *ch, core_reason *why)
{
    int64_t age_ms = (int64_t)ch->policy.interval_s * 1000;
    *why = CORE_REASON_INTERVAL;
    if (ch->session.blind && (age_ms == 0 || age_ms > CORE_BLIND_MS)) {
        age_ms = CORE_BLIND_MS;
        *why = CORE_REASON_BLIND;
    }
    return age_ms == 0 ? CORE_NEVER : ch->keyed_ms + age_ms;
}

bool policy_mtk_due(const core_channel *ch, uint32_t mtks)
{
    return mtks >= ch->policy.max_mtk;
}
