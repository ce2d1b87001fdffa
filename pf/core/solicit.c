/* Solicited pull (TS 33.246 6.3.2.2.4): members are asked to come and request the current MSK, some at a time, up to three
 * times until they make contact. The operator asks for it; and so does a MUK that is about to expire (MBMS-11). */
#include "pf/core/model.h"

void solicit_member(core_engine *e, core_member *m)
{
    core_channel *ch = m->channel;
    ch->solicits_due += m->solicits == 0;
    m->solicits = CORE_SOLICITS;
    if (ch->solicit_ms == CORE_NEVER)
        ch->solicit_ms = e->now_ms;
    engine_touch(e, ch);
}

static void send(core_engine *e, core_member *m)
{
    bool is_first = m->solicits == CORE_SOLICITS;
    m->channel->solicits_due -= --m->solicits == 0;
    if (m->address_len == 0 || !credential_works(m->user, e->now_ms))
        return;
    fx_solicit(e, m);
    if (is_first)
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_SOLICITED, CORE_REASON_NONE,
                        m->renewal_asked ? "the MUK expires soon" : "asked for");
}

/* One pass over the members sends once to each; the next begins after a pause, so that answers can come. */
void solicit_tick(core_engine *e, core_channel *ch)
{
    uint32_t per_s = e->set.solicit_per_s;
    uint32_t quota = per_s * CORE_GRAIN_MS / 1000 > 0 ? per_s * CORE_GRAIN_MS / 1000 : 1;
    if (ch->solicit_ms > e->now_ms)
        return;
    ch->solicit_ms = e->now_ms + (int64_t)quota * 1000 / per_s;
    bool has_room = ring_reserve(&e->todo, 3 * (size_t)quota + CORE_RECORDS_MAX) == POC_OK &&
                    ring_reserve(&e->tell, quota + CORE_RECORDS_MAX) == POC_OK;
    for (uint32_t left = has_room ? quota : 0; left > 0 && ch->solicit_cursor < ch->count;) {
        core_member *m = ch->members[ch->solicit_cursor++];
        if (m->solicits == 0)
            continue;
        send(e, m);
        left--;
    }
    if (ch->solicit_cursor < ch->count)
        return;
    ch->solicit_cursor = 0;
    ch->solicit_ms = ch->solicits_due > 0 ? e->now_ms + CORE_SOLICIT_PAUSE_MS : CORE_NEVER;
}

/* ---- MUKs that end ---- */

static int64_t due_ms(const core_engine *e, const core_member *m)
{
    if (m->address_len > 0 && !m->renewal_asked)
        return m->user->expires_ms - (int64_t)e->set.muk_renew_s * 1000;
    return m->by_sip ? CORE_NEVER : m->user->expires_ms;
}

void solicit_watch(core_engine *e, core_member *m)
{
    core_channel *ch = m->channel;
    int64_t when_ms = due_ms(e, m);
    ch->muk_ms = when_ms < ch->muk_ms ? when_ms : ch->muk_ms;
    engine_touch(e, ch);
}

/* True: he is still a member. */
static bool look_at(core_engine *e, core_member *m)
{
    if (!m->by_sip && !credential_works(m->user, e->now_ms)) {
        (void)member_do(e, m, ME_LEFT);
        engine_settle(e);
        return false;
    }
    if (due_ms(e, m) > e->now_ms)
        return true;
    m->renewal_asked = true;
    solicit_member(e, m);
    return true;
}

void solicit_look(core_engine *e, core_channel *ch)
{
    int64_t next_ms = CORE_NEVER;
    for (uint32_t i = 0; i < ch->count;) {
        core_member *m = ch->members[i];
        if (!look_at(e, m))
            continue;
        next_ms = due_ms(e, m) < next_ms ? due_ms(e, m) : next_ms;
        i++;
    }
    int64_t soonest_ms = e->now_ms + CORE_MUK_LOOK_MS;
    ch->muk_ms = next_ms < soonest_ms ? soonest_ms : next_ms;
}
