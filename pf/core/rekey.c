/* Handing out one key: who still needs it, in what order, how many at a time. A cursor runs over the members of the
 * channel; whoever comes behind it (a joiner) has his turn when it gets there, whoever needs the key again pulls it
 * back. The work of one round grows with the number of members, and nothing is allocated. */
#include "pf/core/model.h"

const core_msk *rekey_target(const core_channel *ch)
{
    return ch->keys.next != NULL ? ch->keys.next : ch->keys.current;
}

void rekey_round(core_channel *ch)
{
    ch->round++;
    ch->outstanding = 0;
    ch->cursor = 0;
}

void rekey_count(core_member *m, bool outstanding)
{
    core_channel *ch = m->channel;
    bool counted = m->round == ch->round;
    if (outstanding && !counted)
        ch->outstanding++;
    if (!outstanding && counted)
        ch->outstanding--;
    m->round = outstanding ? ch->round : 0;
}

static bool needs(const core_engine *e, const core_channel *ch, const core_member *m, poc_msk_id target)
{
    switch ((member_state)m->state) {
    case M_READY:
        /* Before the barrier everybody is asked once; who did not answer is asked again after it. */
        return m->offered_id != target || (ch->state != C_PREPARE && m->wake_ms <= e->now_ms);
    case M_OFFERED:
        return m->offered_id != target;
    case M_KEYED:
        return m->confirmed_id != target;
    default:
        return false;
    }
}

static bool hands_out(const core_channel *ch)
{
    return (ch->state == C_STARTING || ch->state == C_ACTIVE || ch->state == C_PREPARE) && rekey_target(ch) != NULL;
}

static void offer_or_wait(core_engine *e, core_member *m)
{
    (void)member_do(e, m, credential_works(m->user, e->now_ms) ? ME_OFFER : ME_MUK_GONE);
}

bool rekey_pump(core_engine *e, core_channel *ch)
{
    if (!hands_out(ch))
        return false;
    bool did = false;
    poc_msk_id target = rekey_target(ch)->id;
    while (ch->cursor < ch->count && ch->outstanding < e->set.offer_window) {
        core_member *m = ch->members[ch->cursor++];
        if (!needs(e, ch, m, target))
            continue;
        offer_or_wait(e, m);
        did = true;
    }
    if (ch->state == C_PREPARE && ch->cursor == ch->count && ch->outstanding == 0) {
        engine_tell_channel(e, ch, &(core_event){ .type = CE_BARRIER });
        did = true;
    }
    return did;
}

int64_t rekey_backoff_ms(unsigned tries)
{
    unsigned step = tries < CORE_BACKOFF_STEPS ? tries : CORE_BACKOFF_STEPS;
    return (int64_t)CORE_BACKOFF_MS << step;
}

void rekey_wake(core_engine *e, core_channel *ch)
{
    int64_t next_ms = CORE_NEVER;
    for (uint32_t i = 0; i < ch->count; i++) {
        core_member *m = ch->members[i];
        if (m->state != M_OFFERED && m->state != M_READY)
            continue;
        if (m->wake_ms > e->now_ms) {
            next_ms = m->wake_ms < next_ms ? m->wake_ms : next_ms;
        } else if (m->state == M_OFFERED) {
            engine_tell_member(e, m, ME_TIMEOUT);
        } else if (ch->cursor > i) {
            ch->cursor = i;
        }
    }
    ch->wake_ms = next_ms;
}
