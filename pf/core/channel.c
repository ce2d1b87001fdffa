/* One Multicast PoC Channel: a table of states and events. An empty cell refuses. Actions append effects and tell
 * consequences; they never step a machine. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

typedef void channel_act(core_engine *e, core_channel *ch, const core_event *ev);

typedef struct channel_row {
    channel_act *act;
    channel_state next;
} channel_row;

/* ---- small deeds ---- */

static poc_msk_id id_of(const core_msk *k)
{
    return k == NULL ? 0 : k->id;
}

static void tell(core_engine *e, core_channel *ch, channel_event what)
{
    engine_tell_channel(e, ch, &(core_event){ .type = (uint8_t)what });
}

/* A fresh key in `slot`; without one the channel cannot go on. */
static bool fresh_key(core_engine *e, core_channel *ch, core_msk **slot)
{
    poc_err err = keyset_next(e, ch, slot);
    if (err == POC_OK) {
        fx_persist(e);
        rekey_round(ch);
        return true;
    }
    engine_tell_channel(e, ch,
                        &(core_event){ .type = CE_NO_KEY,
                                       .reason = CORE_REASON_NONE,
                                       .detail = err == POC_E_LIMIT ? "key numbers of the group are used up"
                                                                    : "no key could be made" });
    return false;
}

static void hold(core_engine *e, core_channel *ch)
{
    if (ch->held)
        return;
    ch->held = true;
    fx_gate(e, ch, true);
}

static void let_go(core_engine *e, core_channel *ch)
{
    if (!ch->held)
        return;
    ch->held = false;
    fx_gate(e, ch, false);
}

static void forget_keys(core_channel *ch)
{
    keyset_wipe(&ch->keys);
    ch->air_on = false;
    ch->again = CORE_REASON_NONE;
    ch->leave_ms = ch->switch_ms = ch->wake_ms = ch->wake_next_ms = CORE_NEVER;
    ch->wake_from = 0;
    rekey_round(ch);
}

static void cancel(core_engine *e, core_channel *ch, const char *why)
{
    if (ch->keys.next == NULL)
        return;
    fx_audit_channel(
        e, ch, CORE_AUDIT_REKEY_CANCELLED,
        (fx_figures){ .reason = ch->reason, .msk_id = ch->keys.next->id, .total = ch->reachable, .detail = why });
}

static void off_air(core_engine *e, core_channel *ch)
{
    fx_drop_keys(e, ch);
    fx_enabler(e, ch, CORE_DO_ENABLER_STOP);
    let_go(e, ch);
}

static void audit_started(core_engine *e, core_channel *ch, poc_msk_id id)
{
    fx_audit_channel(e, ch, CORE_AUDIT_REKEY_STARTED,
                     (fx_figures){ .reason = ch->reason, .msk_id = id, .count = ch->reachable, .total = ch->count });
}

static void fail_closed(core_engine *e, core_channel *ch, core_audit what, const char *why, int64_t retry_ms)
{
    cancel(e, ch, why);
    off_air(e, ch);
    fx_audit_channel(e, ch, what, (fx_figures){ .msk_id = id_of(ch->keys.current), .detail = why });
    forget_keys(ch);
    ch->retry_ms = retry_ms;
    engine_tell_all(e, ch, ME_CLOSE);
}

/* ---- who went ---- */

static void keep(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)e, (void)ch, (void)ev;
}

/* His record goes before anybody hears of it; then his session, then the log. */
static void note(core_engine *e, core_channel *ch, const core_event *ev)
{
    fx_persist(e);
    if (ev->member == NULL)
        return;
    if (ev->release && ev->member->by_sip && ch->kind->has_session)
        fx_release(e, ev->member, ev->reason == CORE_REASON_EXPEL ? CORE_REASON_EXPEL : CORE_REASON_NONE);
    core_audit what = ev->type == CE_EXPELLED ? CORE_AUDIT_MEMBER_EXPELLED : CORE_AUDIT_MEMBER_LEFT;
    if (ev->type != CE_WENT || ev->reason == CORE_REASON_LEAVE)
        fx_audit_member(e, ev->member, what, (core_reason)ev->reason, NULL);
}

/* ---- starting ---- */

static void start(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    if (!fresh_key(e, ch, &ch->keys.current))
        return;
    if (ch->reason != CORE_REASON_NONE)
        audit_started(e, ch, ch->keys.current->id);
}

/* Nobody who is gone may hold the key that goes on air. */
static void start_over(core_engine *e, core_channel *ch, const core_event *ev)
{
    note(e, ch, ev);
    if (ev->given_id != id_of(ch->keys.current))
        return;
    if (ev->type == CE_EXPELLED)
        revoke_begin(e, ch, ch->keys.current);
    ch->reason = ev->reason;
    start(e, ch, ev);
}

static void left_starting(core_engine *e, core_channel *ch, const core_event *ev)
{
    if (policy_on_left(ch) == POLICY_NOTHING) {
        note(e, ch, ev);
        return;
    }
    start_over(e, ch, ev);
}

/* POC-13: the enabler gets the MSK when the channel starts, and not before somebody can hear it. */
static void go_on_air(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    ch->reason = CORE_REASON_NONE;
    ch->keyed_ms = e->now_ms;
    fx_enabler(e, ch, CORE_DO_ENABLER_START);
}

static void on_air(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    if (ch->air_on)
        return;
    ch->air_on = true;
    fx_audit_channel(e, ch, CORE_AUDIT_CHANNEL_STARTED, (fx_figures){ .msk_id = id_of(ch->keys.current) });
    for (uint32_t i = 0; i < ch->count; i++) {
        core_member *m = ch->members[i];
        if (m->holds_current)
            member_serve(e, m, true);
    }
}

static void welcome(core_engine *e, core_channel *ch, const core_event *ev)
{
    if (ch->policy.on_join && ev->member != NULL && ev->member->given_id == 0)
        engine_tell_channel(e, ch, &(core_event){ .type = CE_REKEY, .reason = CORE_REASON_JOIN });
}

/* ---- rekeying ---- */

static void set_barrier(core_engine *e, core_channel *ch)
{
    ch->switch_ms = e->now_ms + policy_deadline_ms(ch);
    if (ch->switch_ms > ch->switch_latest_ms)
        ch->switch_ms = ch->switch_latest_ms;
}

static void prepare(core_engine *e, core_channel *ch)
{
    if (!fresh_key(e, ch, &ch->keys.next))
        return;
    set_barrier(e, ch);
    audit_started(e, ch, ch->keys.next->id);
}

static void begin(core_engine *e, core_channel *ch, core_reason reason)
{
    ch->reason = (uint8_t)reason;
    ch->leave_ms = CORE_NEVER; /* whoever left until now is locked out by this one too */
    ch->switch_latest_ms = e->now_ms + CORE_DEADLINE_MAX_MS;
    prepare(e, ch);
}

/* POC-10: whatever the policy for leavers says. */
static void expelled(core_engine *e, core_channel *ch, const core_event *ev)
{
    if (policy_holds(ch))
        hold(e, ch);
    note(e, ch, ev);
    begin(e, ch, CORE_REASON_EXPEL);
}

static void rekey(core_engine *e, core_channel *ch, const core_event *ev)
{
    begin(e, ch, (core_reason)ev->reason);
}

/* POC-20: if he may hold the next key it must never go on air; if not, it is enough that he gets none.
 *= digest "GBA" 4.2: a client keeps two MSKs of a group: who is given n+2 loses n. So while n+2 is handed out nothing
 *  goes out under n, whatever the policy says. */
static void expelled_again(core_engine *e, core_channel *ch, const core_event *ev)
{
    bool may_hold_next = ch->keys.next != NULL && ev->given_id == ch->keys.next->id;
    if (may_hold_next || policy_holds(ch))
        hold(e, ch);
    note(e, ch, ev);
    if (may_hold_next)
        cancel(e, ch, "somebody who may hold the next key was expelled");
    ch->reason = CORE_REASON_EXPEL;
    if (!may_hold_next) {
        if (ch->scope != NULL)
            ch->cursor = 0; /* who was on his way to the key on air is not given it any more */
        return;
    }
    revoke_begin(e, ch, ch->keys.next);
    prepare(e, ch);
}

/* ACTIVE stays ACTIVE: when a leave rekeys, that is another event. */
static void left(core_engine *e, core_channel *ch, const core_event *ev)
{
    note(e, ch, ev);
    policy_verdict verdict = policy_on_left(ch);
    if (verdict == POLICY_NOW)
        engine_tell_channel(e, ch, &(core_event){ .type = CE_REKEY, .reason = CORE_REASON_LEAVE });
    if (verdict == POLICY_LATER && ch->leave_ms == CORE_NEVER)
        ch->leave_ms = e->now_ms + ch->policy.leave_batch_ms;
}

static void left_preparing(core_engine *e, core_channel *ch, const core_event *ev)
{
    note(e, ch, ev);
    if (ch->keys.next == NULL || ev->given_id != ch->keys.next->id)
        return; /* the running rekey locks him out */
    policy_verdict verdict = policy_on_left(ch);
    if (verdict == POLICY_NOW && ch->again == CORE_REASON_NONE)
        ch->again = CORE_REASON_LEAVE;
    if (verdict == POLICY_LATER && ch->leave_ms == CORE_NEVER)
        ch->leave_ms = e->now_ms + ch->policy.leave_batch_ms;
}

/* Once more after this one, unless this one does it: who leaves or joins now is locked out or let in by the next key. */
static void remember(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)e;
    bool is_done_by_this = ev->reason == CORE_REASON_LEAVE || ev->reason == CORE_REASON_JOIN;
    if (!is_done_by_this && ch->again == CORE_REASON_NONE)
        ch->again = ev->reason;
}

/* POC-18, POC-22: all have answered, or the deadline is there. Who has not confirmed hears by unicast from now on. */
static void switch_key(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    if (ch->reason == CORE_REASON_EXPEL)
        revoke_begin(e, ch, ch->keys.current);
    keyset_roll(&ch->keys);
    ch->keyed_ms = e->now_ms;
    ch->switch_ms = CORE_NEVER;
    fx_enabler(e, ch, CORE_DO_ENABLER_UPDATE);
    let_go(e, ch);
    uint32_t confirmed = 0;
    for (uint32_t i = 0; i < ch->count; i++)
        confirmed += ch->members[i]->state == M_KEYED && ch->members[i]->confirmed_id == ch->keys.current->id;
    engine_tell_all(e, ch, ME_SWITCHED);
    fx_audit_channel(e, ch, CORE_AUDIT_REKEY_SWITCHED,
                     (fx_figures){ ch->reason, ch->keys.current->id, confirmed, ch->reachable, NULL });
    if (ch->again != CORE_REASON_NONE)
        engine_tell_channel(e, ch, &(core_event){ .type = CE_REKEY, .reason = ch->again });
    ch->again = ch->reason = CORE_REASON_NONE;
}

/* ---- stopping ---- */

static void abandon(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    forget_keys(ch);
    revoke_forget(e, ch);
    ch->reason = CORE_REASON_NONE;
}

static void release(core_engine *e, core_channel *ch, const char *why)
{
    cancel(e, ch, why);
    off_air(e, ch);
    fx_audit_channel(e, ch, CORE_AUDIT_CHANNEL_STOPPED,
                     (fx_figures){ .msk_id = id_of(ch->keys.current), .detail = why });
    abandon(e, ch, NULL);
    ch->retry_ms = e->now_ms + CORE_STOP_WAIT_MS;
}

static void nobody_left(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    release(e, ch, "nobody left to hear it");
}

/* Those who are registered for the service stay when the session ends. */
static bool has_reachable_others(const core_channel *ch)
{
    for (uint32_t i = 0; i < ch->count && ch->reachable > 0; i++)
        if (!ch->members[i]->by_sip && ch->members[i]->state != M_WAIT_KEY && ch->members[i]->state != M_UNICAST)
            return true;
    return false;
}

static void end_members(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    session_close(e, ch);
    bool others_stay = has_reachable_others(ch);
    engine_tell_all(e, ch, ME_SESSION_OVER);
    if (others_stay)
        tell(e, ch, CE_READY);
    fx_persist(e);
}

static void end_start(core_engine *e, core_channel *ch, const core_event *ev)
{
    abandon(e, ch, ev);
    end_members(e, ch, ev);
}

/* POC-23: no rekey, no offers; off air, unsubscribed, wiped. */
static void end_on_air(core_engine *e, core_channel *ch, const core_event *ev)
{
    release(e, ch, "session over");
    end_members(e, ch, ev);
}

static void close_off_air(core_engine *e, core_channel *ch, const core_event *ev)
{
    abandon(e, ch, ev);
    session_close(e, ch);
    engine_tell_all(e, ch, ME_WITHDRAW);
}

static void close_on_air(core_engine *e, core_channel *ch, const core_event *ev)
{
    release(e, ch, "stopped");
    close_off_air(e, ch, ev);
}

static void settled(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    ch->retry_ms = CORE_NEVER;
    if (ch->reachable > 0)
        tell(e, ch, CE_READY);
}

/* ---- failing closed ---- */

static void enabler_failed(core_engine *e, core_channel *ch, const core_event *ev)
{
    static const char *const why[CE_COUNT] = {
        [CE_ENABLER_FAILED] = "enabler failed", [CE_DOWN] = "bearer lost", [CE_STOPPED] = "enabler stopped by itself"
    };
    fail_closed(e, ch, CORE_AUDIT_CHANNEL_FAILED, why[ev->type], e->now_ms + CORE_ENABLER_RETRY_MS);
}

static void store_failed(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    fail_closed(e, ch, CORE_AUDIT_STORE_FAILED, "record not durable", e->now_ms + CORE_STORE_RETRY_MS);
}

static void note_store(core_engine *e, core_channel *ch, const core_event *ev)
{
    (void)ev;
    fx_audit_channel(e, ch, CORE_AUDIT_STORE_FAILED, (fx_figures){ .detail = "record not durable" });
}

/* Never key number 0, never one a second time: a group without numbers needs an operator, not a retry. */
static void no_key(core_engine *e, core_channel *ch, const core_event *ev)
{
    bool used_up = ch->group->number == CORE_NUMBER_MAX;
    fail_closed(e, ch, CORE_AUDIT_CHANNEL_FAILED, ev->detail, used_up ? CORE_NEVER : e->now_ms + CORE_ENABLER_RETRY_MS);
}

static void recover(core_engine *e, core_channel *ch, const core_event *ev)
{
    ch->retry_ms = CORE_NEVER;
    ch->reason = CORE_REASON_RECOVERY;
    start(e, ch, ev);
}

/* ---- the table ---- */

static const channel_row channel_table[C_COUNT][CE_COUNT] = {
    [C_IDLE] = { [CE_READY] = { start, C_STARTING },
                 [CE_WENT] = { note, C_IDLE },
                 [CE_LEFT] = { note, C_IDLE },
                 [CE_EXPELLED] = { note, C_IDLE },
                 [CE_EMPTY] = { keep, C_IDLE },
                 [CE_SESSION_OVER] = { end_members, C_IDLE },
                 [CE_STOP] = { close_off_air, C_CLOSED },
                 [CE_UP] = { keep, C_IDLE },
                 [CE_DOWN] = { keep, C_IDLE },
                 [CE_STOPPED] = { keep, C_IDLE },
                 [CE_STORE_FAILED] = { note_store, C_IDLE } },
    [C_STARTING] = { [CE_READY] = { keep, C_STARTING },
                     [CE_CONFIRMED] = { go_on_air, C_ACTIVE },
                     [CE_WENT] = { note, C_STARTING },
                     [CE_LEFT] = { left_starting, C_STARTING },
                     [CE_EXPELLED] = { start_over, C_STARTING },
                     [CE_EMPTY] = { abandon, C_IDLE },
                     [CE_SESSION_OVER] = { end_start, C_IDLE },
                     [CE_STOP] = { close_off_air, C_CLOSED },
                     [CE_UP] = { keep, C_STARTING },
                     [CE_DOWN] = { keep, C_STARTING },
                     [CE_STOPPED] = { keep, C_STARTING },
                     [CE_STORE_FAILED] = { store_failed, C_FAILED },
                     [CE_NO_KEY] = { no_key, C_FAILED } },
    [C_ACTIVE] = { [CE_READY] = { welcome, C_ACTIVE },
                   [CE_CONFIRMED] = { keep, C_ACTIVE },
                   [CE_WENT] = { note, C_ACTIVE },
                   [CE_LEFT] = { left, C_ACTIVE },
                   [CE_EXPELLED] = { expelled, C_PREPARE },
                   [CE_REKEY] = { rekey, C_PREPARE },
                   [CE_EMPTY] = { nobody_left, C_RELEASING },
                   [CE_SESSION_OVER] = { end_on_air, C_RELEASING },
                   [CE_STOP] = { close_on_air, C_CLOSED },
                   [CE_STARTED] = { on_air, C_ACTIVE },
                   [CE_ENABLER_FAILED] = { enabler_failed, C_FAILED },
                   [CE_DOWN] = { enabler_failed, C_FAILED },
                   [CE_UP] = { keep, C_ACTIVE },
                   [CE_STOPPED] = { enabler_failed, C_FAILED },
                   [CE_STORE_FAILED] = { store_failed, C_FAILED },
                   [CE_NO_KEY] = { no_key, C_FAILED } },
    [C_PREPARE] = { [CE_READY] = { keep, C_PREPARE },
                    [CE_CONFIRMED] = { keep, C_PREPARE },
                    [CE_WENT] = { note, C_PREPARE },
                    [CE_LEFT] = { left_preparing, C_PREPARE },
                    [CE_EXPELLED] = { expelled_again, C_PREPARE },
                    [CE_REKEY] = { remember, C_PREPARE },
                    [CE_BARRIER] = { switch_key, C_ACTIVE },
                    [CE_EMPTY] = { nobody_left, C_RELEASING },
                    [CE_SESSION_OVER] = { end_on_air, C_RELEASING },
                    [CE_STOP] = { close_on_air, C_CLOSED },
                    [CE_STARTED] = { on_air, C_PREPARE },
                    [CE_ENABLER_FAILED] = { enabler_failed, C_FAILED },
                    [CE_DOWN] = { enabler_failed, C_FAILED },
                    [CE_UP] = { keep, C_PREPARE },
                    [CE_STOPPED] = { enabler_failed, C_FAILED },
                    [CE_STORE_FAILED] = { store_failed, C_FAILED },
                    [CE_NO_KEY] = { no_key, C_FAILED } },
    [C_FAILED] = { [CE_READY] = { keep, C_FAILED },
                   [CE_WENT] = { note, C_FAILED },
                   [CE_LEFT] = { note, C_FAILED },
                   [CE_EXPELLED] = { note, C_FAILED },
                   [CE_EMPTY] = { abandon, C_IDLE },
                   [CE_SESSION_OVER] = { end_start, C_IDLE },
                   [CE_STOP] = { close_off_air, C_CLOSED },
                   [CE_ENABLER_FAILED] = { keep, C_FAILED },
                   [CE_DOWN] = { keep, C_FAILED },
                   [CE_UP] = { recover, C_STARTING },
                   [CE_STOPPED] = { keep, C_FAILED },
                   [CE_STORE_FAILED] = { note_store, C_FAILED },
                   [CE_NO_KEY] = { keep, C_FAILED },
                   [CE_RETRY] = { recover, C_STARTING } },
    [C_RELEASING] = { [CE_READY] = { keep, C_RELEASING },
                      [CE_WENT] = { note, C_RELEASING },
                      [CE_LEFT] = { note, C_RELEASING },
                      [CE_EXPELLED] = { note, C_RELEASING },
                      [CE_EMPTY] = { keep, C_RELEASING },
                      [CE_SESSION_OVER] = { end_members, C_RELEASING },
                      [CE_STOP] = { close_off_air, C_CLOSED },
                      [CE_STARTED] = { keep, C_RELEASING },
                      [CE_ENABLER_FAILED] = { settled, C_IDLE },
                      [CE_DOWN] = { settled, C_IDLE },
                      [CE_UP] = { keep, C_RELEASING },
                      [CE_STOPPED] = { settled, C_IDLE },
                      [CE_STORE_FAILED] = { note_store, C_RELEASING },
                      [CE_NO_KEY] = { keep, C_RELEASING },
                      [CE_RETRY] = { settled, C_IDLE } },
    [C_CLOSED] = { [CE_READY] = { keep, C_CLOSED },
                   [CE_WENT] = { note, C_CLOSED },
                   [CE_LEFT] = { note, C_CLOSED },
                   [CE_EXPELLED] = { note, C_CLOSED },
                   [CE_EMPTY] = { keep, C_CLOSED },
                   [CE_SESSION_OVER] = { end_members, C_CLOSED },
                   [CE_STARTED] = { keep, C_CLOSED },
                   [CE_ENABLER_FAILED] = { keep, C_CLOSED },
                   [CE_DOWN] = { keep, C_CLOSED },
                   [CE_UP] = { keep, C_CLOSED },
                   [CE_STOPPED] = { keep, C_CLOSED },
                   [CE_STORE_FAILED] = { note_store, C_CLOSED } },
};

static const char *const event_names[CE_COUNT] = {
    "ready",           "confirmed",      "went",         "left",         "expelled",
    "rekey",           "barrier",        "empty",        "session_over", "stop",
    "enabler_started", "enabler_failed", "enabler_down", "enabler_up",   "enabler_stopped",
    "store_failed",    "no_key",         "retry",
};

bool channel_cell(channel_state state, channel_event event)
{
    return channel_table[state][event].act != NULL;
}

poc_err channel_step(core_engine *e, core_channel *ch, const core_event *ev)
{
    const channel_row *row = &channel_table[ch->state][ev->type];
    if (row->act == NULL)
        return engine_refuse(e, ch, ev->member, event_names[ev->type]);
    engine_touch(e, ch);
    ch->state = (uint8_t)row->next;
    row->act(e, ch, ev);
    return POC_OK;
}

poc_err channel_do(core_engine *e, core_channel *ch, channel_event what)
{
    return channel_step(e, ch, &(core_event){ .type = (uint8_t)what });
}

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t channel_deadline(const core_channel *ch)
{
    core_reason why;
    int64_t due_ms =
        sooner(ch->session.sub == SUB_WAIT ? ch->session.retry_ms : CORE_NEVER, sooner(ch->solicit_ms, ch->muk_ms));
    switch ((channel_state)ch->state) {
    case C_STARTING:
        return sooner(due_ms, ch->wake_ms);
    case C_ACTIVE:
        due_ms = sooner(due_ms, revoke_deadline(ch));
        return sooner(sooner(due_ms, ch->wake_ms), sooner(ch->leave_ms, policy_age_due_ms(ch, &why)));
    case C_PREPARE:
        return sooner(sooner(due_ms, ch->wake_ms), ch->switch_ms);
    case C_FAILED:
    case C_RELEASING:
        return sooner(due_ms, ch->retry_ms);
    default:
        return due_ms;
    }
}

static void tick_active(core_engine *e, core_channel *ch)
{
    core_reason why;
    core_event event = { .type = CE_REKEY };
    if (ch->leave_ms <= e->now_ms)
        event.reason = CORE_REASON_LEAVE;
    else if (policy_age_due_ms(ch, &why) <= e->now_ms)
        event.reason = (uint8_t)why;
    if (event.reason != CORE_REASON_NONE)
        engine_tell_channel(e, ch, &event);
}

void channel_tick(core_engine *e, core_channel *ch)
{
    bool waits = ch->state == C_FAILED || ch->state == C_RELEASING;
    if (waits && ch->retry_ms <= e->now_ms)
        tell(e, ch, CE_RETRY);
    if (ch->state == C_PREPARE && ch->switch_ms <= e->now_ms)
        tell(e, ch, CE_BARRIER);
    bool gives = ch->state == C_STARTING || ch->state == C_ACTIVE || ch->state == C_PREPARE;
    if (gives && ch->wake_ms <= e->now_ms)
        rekey_wake(e, ch);
    if (ch->state == C_ACTIVE)
        tick_active(e, ch);
    if (ch->muk_ms <= e->now_ms)
        solicit_look(e, ch);
    solicit_tick(e, ch);
    session_tick(e, ch);
}

const char *channel_state_name(const core_channel *ch)
{
    static const char *const names[C_COUNT] = {
        [C_IDLE] = "idle",     [C_STARTING] = "starting",   [C_ACTIVE] = "active",  [C_PREPARE] = "rekeying",
        [C_FAILED] = "failed", [C_RELEASING] = "releasing", [C_CLOSED] = "stopped",
    };
    return ch->state == C_ACTIVE && !ch->air_on ? names[C_STARTING] : names[ch->state];
}
