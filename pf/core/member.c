/* One member of one channel: a table of states and events. An empty cell refuses. Actions append effects and tell
 * consequences; they never step a machine. */
#include <stdlib.h>
#include <string.h>

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

static void serve(core_engine *e, core_member *m, bool multicast)
{
    if (m->served == multicast)
        return;
    m->served = multicast;
    fx_serve(e, m, multicast);
}

static void wake_at(core_member *m, int64_t when_ms)
{
    m->wake_ms = when_ms;
    if (when_ms < m->channel->wake_ms)
        m->channel->wake_ms = when_ms;
}

/* Members before the cursor have had their turn: this one wants another. */
static void queue_up(core_member *m)
{
    if (m->channel->cursor > m->index)
        m->channel->cursor = m->index;
}

static void number_offer(core_engine *e, core_member *m, core_offer_kind kind)
{
    m->offer = ++e->offers;
    m->offer_kind = (uint8_t)kind;
    m->emitted = false;
    fx_offer(e, m);
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
    m->seen = roster_has(&m->channel->session.roster, m->name);
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
    m->offer_counter = credential_count(e, m->user);
    number_offer(e, m, (core_offer_kind)m->offer_kind);
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
    if (credential_works(m->user, e->now_ms))
        engine_tell_member(e, m, ME_MUK);
}

static void lose_key(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    forget_offer(m);
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_UNICAST, CORE_REASON_NONE, "MUK expired: bootstrap again");
    if (m->channel->state != C_PREPARE) /* else it still hears what is on air, until the switch */
        serve(e, m, false);
}

static void offer(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    core_channel *ch = m->channel;
    const core_msk *key = rekey_target(ch);
    bool first = m->given_id == 0;
    m->offered_id = key->id;
    m->offer_counter = credential_count(e, m->user);
    number_offer(e, m, first ? CORE_OFFER_OPEN : CORE_OFFER_REKEY);
    wake_at(m, ch->state == C_PREPARE ? ch->switch_ms : e->now_ms + policy_deadline_ms(ch));
    if (first && m->tries == 0)
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_IN, CORE_REASON_NONE, NULL);
}

static void confirm(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    core_channel *ch = m->channel;
    forget_offer(m);
    m->tries = 0;
    m->confirmed_id = m->offered_id;
    if (ch->keys.current != NULL && m->confirmed_id == ch->keys.current->id)
        m->holds_current = true;
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_CONFIRMED, CORE_REASON_NONE, NULL);
    serve(e, m, m->holds_current && ch->air_on);
    if (m->confirmed_id != rekey_target(ch)->id) /* it answered an offer of the key that is being replaced */
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
    serve(e, m, false);
}

static void fall_back(core_engine *e, core_member *m, const char *why)
{
    to_unicast(e, m);
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
    bool lines_open = m->given_id != 0;
    fall_back(e, m, "the channel is stopped");
    if (lines_open)
        number_offer(e, m, CORE_OFFER_WITHDRAW);
}

static void bearer_off(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    fall_back(e, m, "the client does not receive the bearer");
    m->receives = false;
}

static void back_off(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    if (m->tries == 0)
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_UNICAST, CORE_REASON_NONE, "no answer to the offer");
    wake_at(m, e->now_ms + rekey_backoff_ms(m->tries));
    if (m->tries < UINT8_MAX)
        m->tries++;
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
    serve(e, m, m->channel->air_on);
}

static void missed(core_engine *e, core_member *m, const core_event *ev)
{
    (void)ev;
    m->holds_current = false;
    serve(e, m, false);
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
    forget_offer(m);
    engine_tell_channel(e, m->channel,
                        &(core_event){ .type = (uint8_t)what,
                                       .member = m,
                                       .given_id = m->given_id,
                                       .reason = what == CE_EXPELLED ? CORE_REASON_EXPEL : CORE_REASON_LEAVE,
                                       .release = ev->release });
}

static void leave(core_engine *e, core_member *m, const core_event *ev)
{
    session_account(m->channel, m, CLASS_LEFT);
    depart(e, m, ev, m->given_id == 0 ? CE_WENT : CE_LEFT);
}

/* Digest "PoC" 3.4: a stranger whom the focus turned away, never connected and without a key, forces nothing. */
static void expel(core_engine *e, core_member *m, const core_event *ev)
{
    session_account(m->channel, m, CLASS_EXPELLED);
    bool stranger = !ev->release && m->given_id == 0 && !m->seen;
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
                     [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                     [ME_WITHDRAW] = { withdraw, M_UNICAST },
                     [ME_MISSED] = { missed, M_WAIT_KEY },
                     [ME_CLOSE] = { fail_over, M_WAIT_KEY },
                     [ME_LEFT] = { leave, M_OUT },
                     [ME_EXPELLED] = { expel, M_OUT },
                     [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_WAIT_ROSTER] = { [ME_MUK] = { keep, M_WAIT_ROSTER },
                        [ME_SEEN] = { get_ready, M_READY },
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
                  [ME_ACCEPTED] = { confirm, M_KEYED },
                  [ME_DECLINED] = { decline, M_UNICAST },
                  [ME_REFUSED] = { refuse, M_UNICAST },
                  [ME_RELEASED] = { leave, M_OUT },
                  [ME_TIMEOUT] = { give_up, M_READY },
                  [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
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
    [M_KEYED] = { [ME_MUK] = { keep, M_KEYED },
                  [ME_MUK_GONE] = { lose_key, M_WAIT_KEY },
                  [ME_SEEN] = { keep, M_KEYED },
                  [ME_OFFER] = { offer, M_OFFERED },
                  [ME_BEARER_OFF] = { bearer_off, M_UNICAST },
                  [ME_WITHDRAW] = { withdraw, M_UNICAST },
                  [ME_SWITCHED] = { switched, M_KEYED },
                  [ME_MISSED] = { miss_turn, M_READY },
                  [ME_CLOSE] = { fail_over, M_READY },
                  [ME_LEFT] = { leave, M_OUT },
                  [ME_EXPELLED] = { expel, M_OUT },
                  [ME_SESSION_OVER] = { end_with_session, M_OUT } },
    [M_UNICAST] = { [ME_MUK] = { come_back, M_UNICAST },
                    [ME_SEEN] = { keep, M_UNICAST },
                    [ME_BEARER_ON] = { want_key, M_WAIT_KEY },
                    [ME_LEFT] = { leave, M_OUT },
                    [ME_EXPELLED] = { expel, M_OUT },
                    [ME_SESSION_OVER] = { end_with_session, M_OUT } },
};

static const char *const event_names[ME_COUNT] = {
    "muk",        "muk_gone",  "seen", "offer",    "accepted",     "declined", "refused",  "released", "timeout",
    "bearer_off", "bearer_on", "left", "expelled", "session_over", "close",    "withdraw", "switched", "missed",
};

bool member_cell(member_state state, member_event event)
{
    return member_table[state][event].act != NULL;
}

static bool is_reachable(member_state s)
{
    return s == M_READY || s == M_OFFERED || s == M_KEYED;
}

/* ---- in and out ---- */

static void place(core_channel *ch, core_member *m, uint32_t at)
{
    ch->members[at] = m;
    m->index = at;
}

/* Keeps the two parts of the array apart: who has had his turn stands before the cursor. */
static void take_out(core_engine *e, core_member *m)
{
    core_channel *ch = m->channel;
    uint32_t hole = m->index;
    (void)poc_table_remove(&ch->by_name, poc_span_of(m->name, m->name_len));
    if (hole < ch->cursor) {
        ch->cursor--;
        place(ch, ch->members[ch->cursor], hole);
        hole = ch->cursor;
    }
    if (hole != --ch->count)
        place(ch, ch->members[ch->count], hole);
    m->inside = false;
    credential_unlink(e, m);
    journal_delete(e, &m->durable);
}

static void enter(core_engine *e, core_member *m, member_state next)
{
    core_channel *ch = m->channel;
    bool was = is_reachable(m->state), is = is_reachable(next);
    rekey_count(m, next == M_OFFERED);
    m->state = (uint8_t)next;
    ch->reachable += (uint32_t)is - (uint32_t)was;
    if (next == M_OUT)
        take_out(e, m);
    if (was && !is && ch->reachable == 0)
        engine_tell_channel(e, ch, &(core_event){ .type = CE_EMPTY });
}

poc_err member_step(core_engine *e, core_member *m, const core_event *ev)
{
    const member_row *row = &member_table[m->state][ev->type];
    if (row->act == NULL)
        return engine_refuse(e, m->channel, m, event_names[ev->type]);
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

poc_err member_new(core_engine *e, core_channel *ch, core_member **out, poc_span name, poc_span dialog)
{
    if (ch->count == ch->room) {
        uint32_t room = ch->room == 0 ? 16 : ch->room * 2;
        core_member **more = realloc(ch->members, room * sizeof(*more));
        if (more == NULL)
            return POC_E_NOMEM;
        ch->members = more;
        ch->room = room;
    }
    core_user *user;
    POC_TRY(credential_user(e, &user, name));
    core_member *m = calloc(1, sizeof(*m) + name.n + 1 + dialog.n);
    if (m == NULL)
        return POC_E_NOMEM;
    *m = (core_member){ .durable.kind = RECORD_MEMBER,
                        .channel = ch,
                        .wake_ms = CORE_NEVER,
                        .name_len = (uint16_t)name.n,
                        .dialog_len = (uint16_t)dialog.n,
                        .inside = true,
                        .receives = true };
    memcpy(m->name, name.p, name.n);
    if (dialog.n > 0)
        memcpy(m->name + name.n + 1, dialog.p, dialog.n);
    poc_err err = poc_table_put(&ch->by_name, poc_span_of(m->name, m->name_len), m);
    if (err != POC_OK) {
        free(m);
        return err;
    }
    place(ch, m, ch->count++);
    e->member_count++;
    credential_link(user, m);
    *out = m;
    return POC_OK;
}

poc_span member_dialog(const core_member *m)
{
    return poc_span_of(m->name + m->name_len + 1, m->dialog_len);
}

void member_free(core_engine *e, core_member *m)
{
    e->member_count--;
    free(m);
}

/* The last one who names a member that is out, and whose deletion is durable, takes it away. */
void member_unref(core_engine *e, core_member *m)
{
    if (m == NULL)
        return;
    m->refs--;
    journal_release(e, &m->durable);
}

const char *member_state_name(const core_member *m)
{
    static const char *const names[M_COUNT] = {
        [M_WAIT_KEY] = "waiting", [M_WAIT_ROSTER] = "waiting", [M_READY] = "waiting", [M_OFFERED] = "offered",
        [M_KEYED] = "keyed",      [M_UNICAST] = "unicast",     [M_OUT] = "out",
    };
    return names[m->state];
}
