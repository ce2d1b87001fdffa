/* One member of one channel: a table of states and events. An empty cell refuses. Actions append effects and tell
 * consequences; they never step a machine. */
#include "pf/core/model.h"

typedef void member_act(core_engine *e, core_member *m, const core_event *ev);

typedef struct member_row {
    member_act *act;
    member_state next;
} member_row;

/* ---- small deeds ---- */

static void forget_offer(core_member *m)
{
    m->offer = 0;
    m->emitted = false;
    m->wake_ms = CORE_NEVER;
}

/* Members before a cursor have had their turn: this one wants another. */
static void queue_up(core_member *m)
{
    core_channel *ch = m->channel;
    ch->cursor = ch->cursor > m->index ? m->index : ch->cursor;
    ch->push_cursor = ch->push_cursor > m->index ? m->index : ch->push_cursor;
}

static void number_offer(core_engine *e, core_member *m, core_offer_kind kind)
{
    m->offer = ++e->offers;
    m->offer_kind = (uint8_t)kind;
    m->emitted = false;
    fx_offer(e, m);
}

/* A number of its own for one more message of this delivery. */
static void number_message(core_engine *e, core_member *m)
{
    bool is_first = m->muk_no != m->user->muk_no || m->sent == 0;
    m->counter = m->channel->kind->has_session ? credential_count(e, m->user) : 0;
    m->first_counter = is_first ? m->counter : m->first_counter;
    m->muk_no = m->user->muk_no;
}

static void begin_delivery(core_engine *e, core_member *m)
{
    m->offered_id = rekey_target_of(m)->id;
    m->sent = 0;
    number_message(e, m);
    if (m->given_id == 0 && m->tries == 0)
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_IN, CORE_REASON_NONE, NULL);
}

/* ---- actions ---- */

static void keep(core_engine *e, core_member *m, const core_event *ev)
{
    (void)e, (void)m, (void)ev;
}

static void look_for_roster(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    if (session_sees(m->channel, m))
        engine_tell_member(e, m, ME_SEEN);
}

static void get_ready(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    m->seen = roster_has(&m->channel->session.roster, member_name(m));
    m->tries = 0;
    m->wake_ms = 0;
    queue_up(m);
    engine_tell_channel(e, m->channel, &(core_event){ .type = CE_READY, .member = m });
}

/* A new MUK: whoever waits to be tried again is tried now. */
static void try_again(core_engine *e, core_member *m, const core_event *ev)
{
    (void)e, (void)ev;
    m->tries = 0;
    m->offered_id = 0;
    m->wake_ms = 0;
    queue_up(m);
}

/*= digest "GBA" 4.1: a client that authenticated with a new B-TID gets every following message under its MUK. */
static void offer_again(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    if (m->emitted)
        return;
    number_message(e, m);
    number_offer(e, m, (core_offer_kind)m->offer_kind);
}

/* The same with a push, also with one that was sent: under the new MUK it is another message. */
static void push_anew(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    if (m->muk_no == m->user->muk_no)
        return;
    bool offers_too = m->offer != 0 && !m->emitted;
    forget_offer(m);
    number_message(e, m);
    if (offers_too)
        number_offer(e, m, (core_offer_kind)m->offer_kind);
    fx_push(e, m);
}

static void come_back(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    if (!m->refused)
        return;
    engine_tell_member(e, m, ME_BEARER_ON);
}

static void want_key(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    m->refused = false;
    m->receives = true;
    if (m->channel->kind->reaches(e, m))
        engine_tell_member(e, m, ME_MUK);
}

/* What he was offered he has not, and is to be offered again, before the barrier too. */
static void lose_key(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    forget_offer(m);
    m->offered_id = 0;
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_UNICAST, CORE_REASON_NONE, m->channel->kind->lost);
    if (m->channel->state != C_PREPARE) /* else it still hears what is on air, until the switch */
        member_serve(e, m, false);
}

static void offer(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    core_channel *ch = m->channel;
    begin_delivery(e, m);
    number_offer(e, m, m->opened ? CORE_OFFER_REKEY : CORE_OFFER_OPEN);
    member_wake_at(e, m, ch->state == C_PREPARE ? ch->switch_ms : e->now_ms + policy_deadline_ms(ch));
}

/* By both ways the same octets go, and the first confirmation wins. */
static void push(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    forget_offer(m);
    begin_delivery(e, m);
    if ((m->ways & CORE_BY_SIP) != 0)
        number_offer(e, m, CORE_OFFER_REKEY);
    fx_push(e, m);
}

/* Digest "GBA" 4.4: first the same datagram, since the client may have lost nothing but our hearing of it; then one that
 * it cannot take for a replay. */
static void push_again(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    m->wake_ms = CORE_NEVER;
    bool is_same = m->muk_no == m->user->muk_no && m->sent < (e->set.push_tries + 1) / 2;
    if (!is_same)
        number_message(e, m);
    fx_push(e, m);
}

/* It cannot be relied on that he hears what is on air. */
static void doubt(core_engine *e, core_member *m)
{
    const core_msk *current = m->channel->keys.current;
    if (current == NULL || m->offered_id != current->id)
        return;
    m->holds_current = false;
    member_serve(e, m, false);
}

static void pull(core_engine *e, core_member *m, const core_event *ev)
{
    m->ways = CORE_BY_PUSH;
    m->tries = 0;
    m->refused = false;
    rekey_count(m, true, false);
    push(e, m, ev);
    m->confirmed_id = 0;
    if (ev->doubts)
        doubt(e, m);
}

/* He has refused his lines, or turned them off: until he turns them on again he wants the key without them. */
static void pull_without_lines(core_engine *e, core_member *m, const core_event *ev)
{
    m->receives = false;
    pull(e, m, ev);
}

/* What is on its way by SIP goes by push as well: it is one message. */
static void pull_beside(core_engine *e, core_member *m, const core_event *ev)
{
    if (m->muk_no != m->user->muk_no) { /* that one cannot be made any more */
        pull(e, m, ev);
        return;
    }
    m->ways = CORE_BY_SIP | CORE_BY_PUSH;
    m->sent = 0;
    m->wake_ms = CORE_NEVER;
    fx_push(e, m);
}

/* What has not even been sent yet needs no second message. */
static void pull_again(core_engine *e, core_member *m, const core_event *ev)
{
    if (m->listed && m->sent == 0)
        return;
    pull(e, m, ev);
}

static void go_stale(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    forget_offer(m);
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_STALE, CORE_REASON_NONE, "no verification of any push");
    doubt(e, m);
}

/* The shell, or the barrier, gave up the offer beside the push. */
static void offer_over(core_engine *e, core_member *m, const core_event *ev)
{
    (void)e, (void)ev;
    m->offer = 0;
    m->emitted = false;
    rekey_count(m, true, false);
}

/* The ways to him are others now: a key that he may have got is offered once more. */
static void change_ways(core_engine *e, core_member *m, const core_event *ev)
{
    forget_offer(m);
    try_again(e, m, ev);
}

static void confirm(core_engine *e, core_member *m, const core_event *ev)
{
    core_channel *ch = m->channel;
    m->shut = m->shut && !ev->lines;
    forget_offer(m);
    m->tries = 0;
    m->confirmed_id = m->offered_id;
    if (ch->keys.current != NULL && m->confirmed_id == ch->keys.current->id)
        m->holds_current = true;
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_CONFIRMED, CORE_REASON_NONE, NULL);
    member_serve(e, m, m->holds_current && ch->air_on);
    bool is_old = m->confirmed_id != rekey_target(ch)->id; /* it answered an offer of the key that is being replaced */
    if (is_old || rekey_lacks_lines(m))
        queue_up(m);
    engine_tell_channel(e, ch, &(core_event){ .type = CE_CONFIRMED, .member = m });
}

/* No key counts any more; he hears by unicast. */
static void to_unicast(core_engine *e, core_member *m)
{
    forget_offer(m);
    m->holds_current = false;
    m->confirmed_id = 0;
    m->offered_id = 0;
    m->tries = 0;
    member_serve(e, m, false);
}

static void fall_back(core_engine *e, core_member *m, const char *why)
{
    to_unicast(e, m);
    m->shut = true;
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_UNICAST, CORE_REASON_NONE, why);
}

static void decline(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    fall_back(e, m, "the client refused the multicast lines");
}

/*= RFC 4567, 4.1.2: after a refused key exchange the media may not go on with it: one more offer takes the multicast
 *  lines away, unicast stays. */
static void refuse(core_engine *e, core_member *m, const core_event *ev)
{
    fall_back(e, m, ev->detail != NULL ? ev->detail : "the client refused the offer");
    m->refused = true;
    number_offer(e, m, CORE_OFFER_WITHDRAW);
}

static void withdraw(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    fall_back(e, m, "the channel is stopped");
    if (m->by_sip && m->opened)
        number_offer(e, m, CORE_OFFER_WITHDRAW);
}

static void bearer_off(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    fall_back(e, m, "the client does not receive the bearer");
    m->receives = false;
}

/* He had got the key without his lines. */
static void bearer_on(core_engine *e, core_member *m, const core_event *ev)
{
    m->receives = true;
    change_ways(e, m, ev);
}

static void back_off(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    if (m->tries == 0)
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_UNICAST, CORE_REASON_NONE, "no answer to the offer");
    member_wake_at(e, m, e->now_ms + rekey_backoff_ms(m->tries));
    if (m->tries < UINT8_MAX)
        m->tries++;
    if (m->channel->state == C_PREPARE && m->offered_id != rekey_target_of(m)->id)
        queue_up(m); /* that was the key on air: the next one goes to him too */
}

/* The shell gave up an offer that the engine gave up before. */
static void give_up(core_engine *e, core_member *m, const core_event *ev)
{
    (void)e, (void)ev;
    m->offer = 0;
}

static void fail_over(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    to_unicast(e, m);
}

static void switched(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    m->holds_current = true;
    member_serve(e, m, m->channel->air_on);
}

static void missed(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    m->holds_current = false;
    member_serve(e, m, false);
}

static void miss_push(core_engine *e, core_member *m, const core_event *ev)
{
    missed(e, m, ev);
    offer_over(e, m, ev);
}

static void miss_answer(core_engine *e, core_member *m, const core_event *ev)
{
    missed(e, m, ev);
    back_off(e, m, ev);
    queue_up(m);
}

/* The window did not get this far before the deadline. */
static void miss_turn(core_engine *e, core_member *m, const core_event *ev)
{
    missed(e, m, ev);
    m->wake_ms = 0;
    queue_up(m);
}

static void depart(core_engine *e, core_member *m, const core_event *ev, channel_event what)
{
    const bool is_expelled = what == CE_EXPELLED;
    forget_offer(m);
    engine_tell_channel(
        e, m->channel,
        &(core_event){ .type = (uint8_t)what,
                       .member = m,
                       .given_id = is_expelled ? keyset_held(&m->channel->keys, m->given_id) : m->given_id,
                       .reason = is_expelled ? CORE_REASON_EXPEL : CORE_REASON_LEAVE,
                       .release = ev->release });
}

static void leave(core_engine *e, core_member *m, const core_event *ev)
{
    session_account(m->channel, m, CLASS_LEFT);
    keyset_let_stray(&m->channel->keys, m->given_id);
    depart(e, m, ev, m->given_id == 0 ? CE_WENT : CE_LEFT);
}

/* Digest "PoC" 3.4: a stranger whom the focus turned away, never connected and without a key, forces nothing. Where a key has
 * gone astray he could be the one who has it. */
static void expel(core_engine *e, core_member *m, const core_event *ev)
{
    session_account(m->channel, m, CLASS_EXPELLED);
    bars_put(e, m->channel, poc_span_of(member_name(m), m->user->name_len), ev->is_firm);
    bool stranger = !ev->release && !m->seen && keyset_held(&m->channel->keys, m->given_id) == 0;
    if (stranger)
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_EXPELLED, CORE_REASON_NONE, "never connected");
    depart(e, m, ev, stranger ? CE_WENT : CE_EXPELLED);
}

static void end_with_session(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    forget_offer(m);
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_LEFT, CORE_REASON_NONE, "session over");
}

/* ---- the table ---- */

static const member_row member_table[M_COUNT][ME_COUNT] = {
    [M_WAIT_KEY] = { [ME_MUK] = { look_for_roster, M_WAIT_ROSTER },
                     [ME_SEEN] = { keep, M_WAIT_KEY },
                     [ME_DIALOG] = { keep, M_WAIT_KEY },
                     [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                     [ME_WITHDRAW] = { withdraw, M_UNICAST },
                     [ME_MISSED] = { missed, M_WAIT_KEY },
                     [ME_CLOSE] = { fail_over, M_WAIT_KEY },
                     [ME_LEFT] = { leave, M_OUT },
                     [ME_EXPELLED] = { expel, M_OUT },
                     [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_WAIT_ROSTER] = { [ME_MUK] = { keep, M_WAIT_ROSTER },
                        [ME_SEEN] = { get_ready, M_READY },
                        [ME_DIALOG] = { keep, M_WAIT_ROSTER },
                        [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                        [ME_WITHDRAW] = { withdraw, M_UNICAST },
                        [ME_CLOSE] = { fail_over, M_WAIT_ROSTER },
                        [ME_LEFT] = { leave, M_OUT },
                        [ME_EXPELLED] = { expel, M_OUT },
                        [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_READY] = { [ME_MUK] = { try_again, M_READY },
                  [ME_MUK_GONE] = { lose_key, M_WAIT_KEY },
                  [ME_SEEN] = { keep, M_READY },
                  [ME_OFFER] = { offer, M_OFFERED },
                  [ME_PUSH] = { push, M_PUSHED },
                  [ME_PULL] = { pull, M_PUSHED },
                  [ME_DIALOG] = { change_ways, M_READY },
                  [ME_ACCEPTED] = { confirm, M_KEYED },
                  [ME_DECLINED] = { decline, M_UNICAST },
                  [ME_REFUSED] = { refuse, M_UNICAST },
                  [ME_RELEASED] = { leave, M_OUT },
                  [ME_TIMEOUT] = { give_up, M_READY },
                  [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                  [ME_BEARER_ON] = { bearer_on, M_READY },
                  [ME_WITHDRAW] = { withdraw, M_UNICAST },
                  [ME_MISSED] = { missed, M_READY },
                  [ME_CLOSE] = { fail_over, M_READY },
                  [ME_LEFT] = { leave, M_OUT },
                  [ME_EXPELLED] = { expel, M_OUT },
                  [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_OFFERED] = { [ME_MUK] = { offer_again, M_OFFERED },
                    [ME_MUK_GONE] = { lose_key, M_WAIT_KEY },
                    [ME_SEEN] = { keep, M_OFFERED },
                    [ME_OFFER] = { offer, M_OFFERED },
                    [ME_PUSH] = { push, M_PUSHED },
                    [ME_PULL] = { pull_beside, M_PUSHED },
                    [ME_ACCEPTED] = { confirm, M_KEYED },
                    [ME_DECLINED] = { decline, M_UNICAST },
                    [ME_REFUSED] = { refuse, M_UNICAST },
                    [ME_RELEASED] = { leave, M_OUT },
                    [ME_TIMEOUT] = { back_off, M_READY },
                    [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                    [ME_WITHDRAW] = { withdraw, M_UNICAST },
                    [ME_MISSED] = { miss_answer, M_READY },
                    [ME_CLOSE] = { fail_over, M_READY },
                    [ME_LEFT] = { leave, M_OUT },
                    [ME_EXPELLED] = { expel, M_OUT },
                    [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_PUSHED] = { [ME_MUK] = { push_anew, M_PUSHED },
                   [ME_MUK_GONE] = { lose_key, M_WAIT_KEY },
                   [ME_SEEN] = { keep, M_PUSHED },
                   [ME_OFFER] = { offer, M_OFFERED },
                   [ME_PUSH] = { push, M_PUSHED },
                   [ME_PULL] = { pull_again, M_PUSHED },
                   [ME_AGAIN] = { push_again, M_PUSHED },
                   [ME_VAIN] = { go_stale, M_STALE },
                   [ME_ACCEPTED] = { confirm, M_KEYED },
                   [ME_DECLINED] = { decline, M_UNICAST },
                   [ME_REFUSED] = { refuse, M_UNICAST },
                   [ME_RELEASED] = { leave, M_OUT },
                   [ME_TIMEOUT] = { offer_over, M_PUSHED },
                   [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                   [ME_BEARER_ON] = { bearer_on, M_READY },
                   [ME_DIALOG] = { change_ways, M_READY },
                   [ME_NO_ADDRESS] = { change_ways, M_READY },
                   [ME_WITHDRAW] = { withdraw, M_UNICAST },
                   [ME_MISSED] = { miss_push, M_PUSHED },
                   [ME_CLOSE] = { fail_over, M_READY },
                   [ME_LEFT] = { leave, M_OUT },
                   [ME_EXPELLED] = { expel, M_OUT },
                   [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_KEYED] = { [ME_MUK] = { keep, M_KEYED },
                  [ME_MUK_GONE] = { lose_key, M_WAIT_KEY },
                  [ME_SEEN] = { keep, M_KEYED },
                  [ME_OFFER] = { offer, M_OFFERED },
                  [ME_PUSH] = { push, M_PUSHED },
                  [ME_PULL] = { pull, M_PUSHED },
                  [ME_DIALOG] = { change_ways, M_READY },
                  [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                  [ME_BEARER_ON] = { bearer_on, M_READY },
                  [ME_WITHDRAW] = { withdraw, M_UNICAST },
                  [ME_SWITCHED] = { switched, M_KEYED },
                  [ME_MISSED] = { miss_turn, M_READY },
                  [ME_CLOSE] = { fail_over, M_READY },
                  [ME_LEFT] = { leave, M_OUT },
                  [ME_EXPELLED] = { expel, M_OUT },
                  [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_STALE] = { [ME_MUK] = { keep, M_STALE },
                  [ME_MUK_GONE] = { lose_key, M_WAIT_KEY },
                  [ME_SEEN] = { keep, M_STALE },
                  [ME_OFFER] = { offer, M_OFFERED },
                  [ME_PUSH] = { push, M_PUSHED },
                  [ME_PULL] = { pull, M_PUSHED },
                  [ME_ACCEPTED] = { confirm, M_KEYED },
                  [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                  [ME_BEARER_ON] = { bearer_on, M_READY },
                  [ME_DIALOG] = { change_ways, M_READY },
                  [ME_NO_ADDRESS] = { change_ways, M_READY },
                  [ME_WITHDRAW] = { withdraw, M_UNICAST },
                  [ME_MISSED] = { missed, M_STALE },
                  [ME_CLOSE] = { fail_over, M_READY },
                  [ME_LEFT] = { leave, M_OUT },
                  [ME_EXPELLED] = { expel, M_OUT },
                  [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_UNICAST] = { [ME_MUK] = { come_back, M_UNICAST },
                    [ME_SEEN] = { keep, M_UNICAST },
                    [ME_PULL] = { pull_without_lines, M_PUSHED },
                    [ME_DIALOG] = { keep, M_UNICAST },
                    [ME_BEARER_ON] = { want_key, M_WAIT_KEY },
                    [ME_LEFT] = { leave, M_OUT },
                    [ME_EXPELLED] = { expel, M_OUT },
                    [ME_SESSION_OVER] = { end_with_session, M_OUT } },
};

bool member_cell(member_state state, member_event event)
{
    return member_table[state][event].act != NULL;
}

static bool is_reachable(member_state s)
{
    return s == M_READY || s == M_OFFERED || s == M_PUSHED || s == M_KEYED || s == M_STALE;
}

static void enter(core_engine *e, core_member *m, member_state next)
{
    core_channel *ch = m->channel;
    bool was = is_reachable((member_state)m->state), is = is_reachable(next);
    bool offers = next == M_OFFERED || (next == M_PUSHED && (m->ways & CORE_BY_SIP) != 0);
    rekey_count(m, next == M_OFFERED || next == M_PUSHED, offers);
    m->state = (uint8_t)next;
    ch->reachable += (uint32_t)is - (uint32_t)was;
    if (next == M_OUT)
        member_take_out(e, m);
    if (was && !is && ch->reachable == 0)
        engine_tell_channel(e, ch, &(core_event){ .type = CE_EMPTY });
}

poc_err member_step(core_engine *e, core_member *m, const core_event *ev)
{
    const member_row *row = &member_table[m->state][ev->type];
    if (row->act == NULL)
        return engine_refuse(e, m->channel, m, member_event_name((member_event)ev->type));
    /* First in: an empty channel goes off air before anything is said about the one who went. */
    engine_touch(e, m->channel);
    enter(e, m, row->next);
    row->act(e, m, ev);
    return POC_OK;
}

poc_err member_do(core_engine *e, core_member *m, member_event what)
{
    return member_step(e, m, &(core_event){ .type = (uint8_t)what, .for_member = true });
}
