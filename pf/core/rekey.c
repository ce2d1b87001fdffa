/* Handing out one key: who still needs it, in what order, how many at a time. Two cursors run over the members of the
 * channel, one gives by SIP, one by push; whoever comes behind them (a joiner) has his turn when they get there, whoever
 * needs the key again pulls them back. The work of one round grows with the number of members, and nothing is allocated. */
#include "pf/core/model.h"

const core_msk *rekey_target(const core_channel *ch)
{
    return ch->keys.next != NULL ? ch->keys.next : ch->keys.current;
}

/* While a planned rotation is prepared, who comes needs what is on air until then. */
static bool gives_both(const core_channel *ch)
{
    return ch->scope != NULL && ch->keys.current != NULL && ch->keys.next != NULL && ch->reason != CORE_REASON_EXPEL &&
           !ch->policy.on_join;
}

/* Who may have the next key already is past that: what somebody holds who goes out is judged by what he was given last. */
static bool lacks_current(const core_member *m)
{
    const core_keyset *ks = &m->channel->keys;
    const bool was_sent = m->offered_id == ks->current->id && m->given_id == ks->current->id;
    return m->offered_id != ks->next->id && m->given_id != ks->next->id && !was_sent;
}

const core_msk *rekey_target_of(const core_member *m)
{
    const core_channel *ch = m->channel;
    return gives_both(ch) && lacks_current(m) ? ch->keys.current : rekey_target(ch);
}

/* What he has been sent comes first: its answer is waited for, or its end. */
static bool is_on_his_way(const core_channel *ch, const core_member *m)
{
    return gives_both(ch) && m->emitted && m->offered_id == ch->keys.current->id;
}

void rekey_round(core_channel *ch)
{
    ch->round++;
    ch->outstanding = ch->windowed = 0;
    ch->cursor = ch->push_cursor = 0;
}

void rekey_count(core_member *m, bool outstanding, bool windowed)
{
    core_channel *ch = m->channel;
    if (m->round == ch->round) {
        ch->outstanding--;
        ch->windowed -= m->windowed;
    }
    m->round = outstanding ? ch->round : 0;
    m->windowed = outstanding && windowed;
    ch->outstanding += outstanding;
    ch->windowed += m->windowed;
}

static bool has_lines(const core_member *m)
{
    return m->by_sip && m->capable && m->receives;
}

bool rekey_lacks_lines(const core_member *m)
{
    return has_lines(m) && (!m->opened || m->shut);
}

/* The first MSK of a client with a dialog goes by SIP, and so does the first after its lines were shut: that is how they
 * are negotiated. */
uint32_t rekey_ways(const core_member *m)
{
    uint32_t has = (has_lines(m) ? CORE_BY_SIP : 0u) | (m->address_len > 0 ? CORE_BY_PUSH : 0u);
    if (rekey_lacks_lines(m))
        return CORE_BY_SIP;
    uint32_t wanted = has & m->channel->policy.delivery;
    return wanted != 0 ? wanted : has;
}

static bool needs(const core_engine *e, const core_channel *ch, const core_member *m)
{
    const poc_msk_id target = rekey_target_of(m)->id;
    switch ((member_state)m->state) {
    case M_READY:
        /* Before the barrier everybody is asked once; who did not answer is asked again after it. */
        return m->offered_id != target || (ch->state != C_PREPARE && m->wake_ms <= e->now_ms);
    case M_OFFERED:
        return m->offered_id != target && !is_on_his_way(ch, m);
    case M_PUSHED:
    case M_STALE:
        return m->offered_id != target;
    case M_KEYED: /* he may have it by a push that he asked for, while his lines are still to be opened */
        return m->confirmed_id != target || rekey_lacks_lines(m);
    default:
        return false;
    }
}

bool rekey_hands_out(const core_channel *ch)
{
    return (ch->state == C_STARTING || ch->state == C_ACTIVE || ch->state == C_PREPARE) && rekey_target(ch) != NULL;
}

/* Who can only be pushed to and has no MUK any more cannot be reached at all. */
static void give_up(core_engine *e, core_member *m)
{
    (void)member_do(e, m, m->by_sip ? ME_MUK_GONE : ME_LEFT);
}

static void give(core_engine *e, core_member *m, uint32_t ways)
{
    if (!m->channel->kind->reaches(e, m)) {
        give_up(e, m);
        return;
    }
    m->ways = (uint8_t)ways;
    (void)member_do(e, m, ways == CORE_BY_SIP ? ME_OFFER : ME_PUSH);
}

static bool pump_pushes(core_engine *e, core_channel *ch)
{
    bool did = false;
    while (ch->push_cursor < ch->count && ch->push_listed < CORE_PUSH_AHEAD && e->inbox.count < CORE_PUSH_AHEAD) {
        core_member *m = ch->members[ch->push_cursor++];
        if (rekey_ways(m) != CORE_BY_PUSH || !needs(e, ch, m))
            continue;
        give(e, m, CORE_BY_PUSH);
        did = true;
    }
    return did;
}

static bool pump_offers(core_engine *e, core_channel *ch)
{
    bool did = false;
    if (kind_gathers(e, ch))
        return false;
    while (ch->cursor < ch->count && ch->windowed < e->set.offer_window) {
        core_member *m = ch->members[ch->cursor++];
        uint32_t ways = rekey_ways(m);
        if ((ways & CORE_BY_SIP) == 0 || !needs(e, ch, m))
            continue;
        give(e, m, ways);
        did = true;
    }
    return did;
}

bool rekey_pump(core_engine *e, core_channel *ch)
{
    if (!rekey_hands_out(ch) || !kind_may_give(e, ch))
        return false;
    bool did = pump_pushes(e, ch);
    did |= pump_offers(e, ch);
    bool all_asked = ch->cursor == ch->count && ch->push_cursor == ch->count;
    if (ch->state == C_PREPARE && all_asked && ch->outstanding == 0 && kind_may_switch(e, ch)) {
        engine_tell_channel(e, ch, &(core_event){ .type = CE_BARRIER });
        did = true;
    }
    return did;
}

int64_t rekey_push_pause_ms(const core_engine *e, unsigned sent)
{
    int64_t pause_ms = e->set.push_first_ms;
    for (unsigned i = 1; i < sent && pause_ms < e->set.push_cap_ms; i++)
        pause_ms *= 2;
    return pause_ms < e->set.push_cap_ms ? pause_ms : e->set.push_cap_ms;
}

int64_t rekey_backoff_ms(unsigned tries)
{
    unsigned step = tries < CORE_BACKOFF_STEPS ? tries : CORE_BACKOFF_STEPS;
    return (int64_t)CORE_BACKOFF_MS << step;
}

static void push_due(core_engine *e, core_member *m)
{
    if (!m->channel->kind->reaches(e, m))
        give_up(e, m);
    else
        (void)member_do(e, m, m->sent < e->set.push_tries ? ME_AGAIN : ME_VAIN);
}

/* Whoever waits for the barrier by SIP waits for it. */
static void due(core_engine *e, core_channel *ch, core_member *m)
{
    if (m->state == M_PUSHED)
        push_due(e, m);
    else if (ch->state == C_PREPARE)
        member_wake_at(e, m, ch->switch_ms);
    else if (m->state == M_OFFERED)
        (void)member_do(e, m, ME_TIMEOUT);
    else if (ch->cursor > m->index)
        ch->cursor = m->index;
}

/* Looks at the members from where the last look ended; a look ends early when the pushes that it finds are more than are
 * made ready at once. */
void rekey_wake(core_engine *e, core_channel *ch)
{
    uint32_t i = ch->wake_from;
    if (i == 0)
        ch->wake_next_ms = CORE_NEVER;
    ch->wake_ms = CORE_NEVER;
    while (i < ch->count && ch->push_listed < CORE_PUSH_AHEAD && e->inbox.count < CORE_PUSH_AHEAD) {
        core_member *m = ch->members[i];
        bool waits = m->state == M_OFFERED || m->state == M_PUSHED || m->state == M_READY;
        if (waits && m->wake_ms <= e->now_ms)
            due(e, ch, m);
        if (i >= ch->count || ch->members[i] != m)
            continue; /* he is gone, and another has his place */
        if (waits && m->wake_ms > e->now_ms && m->wake_ms < ch->wake_next_ms)
            ch->wake_next_ms = m->wake_ms;
        i++;
    }
    ch->wake_from = i < ch->count ? i : 0;
    ch->wake_ms = i < ch->count ? e->now_ms + 1 : ch->wake_next_ms;
}
