/* The subscription to the conference state of a channel's group: who asks for it, what happens when it is lost (digest
 * "PoC" 3.5), and what its documents mean for the members. */
#include "base/text.h"
#include "pf/core/model.h"

void session_init(core_session *s, uint64_t seed)
{
    *s = (core_session){ .sub = SUB_OFF, .retry_ms = CORE_NEVER, .lost_ms = CORE_NEVER };
    roster_init(&s->roster, seed);
}

void session_done(core_session *s)
{
    roster_done(&s->roster);
}

static core_member *first_in_session(const core_channel *ch)
{
    for (uint32_t i = 0; i < ch->count && ch->dialogs > 0; i++)
        if (ch->members[i]->by_sip)
            return ch->members[i];
    return NULL;
}

static void ask(core_engine *e, core_channel *ch)
{
    core_session *s = &ch->session;
    core_member *as = s->as_user ? first_in_session(ch) : NULL;
    s->sub = SUB_ASKED;
    s->asked_ms = e->now_ms;
    s->retry_ms = CORE_NEVER;
    fx_subscribe(e, ch, as, false);
}

void session_open(core_engine *e, core_channel *ch)
{
    if (ch->session.sub != SUB_OFF)
        return;
    ch->session.lost_ms = e->now_ms;
    ask(e, ch);
}

void session_close(core_engine *e, core_channel *ch)
{
    core_session *s = &ch->session;
    if (s->sub == SUB_OFF)
        return;
    uint64_t seed = s->roster.users.seed;
    roster_done(&s->roster);
    session_init(s, seed);
    fx_unsubscribe(e, ch);
}

bool session_sees(const core_channel *ch, const core_member *m)
{
    const core_session *s = &ch->session;
    return !m->by_sip || !ch->kind->has_session || s->blind ||
           (s->sighted && s->sub == SUB_ACTIVE && roster_has(&s->roster, member_name(m)));
}

void session_account(core_channel *ch, const core_member *m, roster_class how)
{
    roster_account(&ch->session.roster, member_name(m), how);
}

static void tell_waiting(core_engine *e, core_channel *ch)
{
    for (uint32_t i = 0; i < ch->count; i++)
        if (ch->members[i]->state == M_WAIT_ROSTER && session_sees(ch, ch->members[i]))
            engine_tell_member(e, ch->members[i], ME_SEEN);
}

static void go_blind(core_engine *e, core_channel *ch, const char *why)
{
    ch->session.sighted = false;
    if (ch->session.blind)
        return;
    ch->session.blind = true;
    fx_audit_channel(e, ch, CORE_AUDIT_BLIND, (fx_figures){ .detail = why });
    tell_waiting(e, ch);
}

/* Whoever was let in while nobody could look, and is not there now, went unseen: with a key, he counts as expelled. */
static void look_around(core_engine *e, core_channel *ch)
{
    fx_audit_channel(e, ch, CORE_AUDIT_SIGHTED, (fx_figures){ 0 });
    for (uint32_t i = 0; i < ch->count; i++) {
        core_member *m = ch->members[i];
        if (m->by_sip && m->given_id != 0 && !roster_has(&ch->session.roster, member_name(m)))
            engine_tell_member(e, m, ME_EXPELLED);
    }
}

static void see(core_engine *e, core_channel *ch)
{
    core_session *s = &ch->session;
    if (s->blind)
        look_around(e, ch);
    s->blind = false;
    s->sighted = true;
    s->lost_ms = CORE_NEVER;
    tell_waiting(e, ch);
}

/* ---- what became of the subscription ---- */

static poc_err active(core_engine *e, core_channel *ch, bool fresh)
{
    core_session *s = &ch->session;
    if (fresh) {
        roster_new_scope(&s->roster);
        if (s->sighted)
            s->lost_ms = e->now_ms;
        s->sighted = false;
    }
    s->sub = SUB_ACTIVE;
    s->retry_ms = CORE_NEVER;
    tell_waiting(e, ch);
    return POC_OK;
}

static poc_err refused(core_engine *e, core_channel *ch)
{
    if (!ch->session.as_user && ch->dialogs > 0) {
        ch->session.as_user = true;
        ask(e, ch);
        return POC_OK;
    }
    ch->session.sub = SUB_GIVEN_UP;
    go_blind(e, ch, "the conference state is refused");
    return POC_OK;
}

static void lose(core_engine *e, core_channel *ch, uint32_t retry_ms)
{
    core_session *s = &ch->session;
    if (s->sighted)
        s->lost_ms = e->now_ms;
    s->sighted = false;
    s->sub = SUB_WAIT;
    s->retry_ms = e->now_ms + retry_ms;
    if (s->retry_ms < s->asked_ms + CORE_ASK_PAUSE_MS) /* "at once", but not in a circle */
        s->retry_ms = s->asked_ms + CORE_ASK_PAUSE_MS;
    if (s->lost_ms != CORE_NEVER && e->now_ms - s->lost_ms >= CORE_BLIND_MS)
        go_blind(e, ch, "the conference state cannot be had");
    if (s->retry_ms <= e->now_ms)
        ask(e, ch);
}

poc_err session_changed(core_engine *e, core_channel *ch, core_subscription what, bool fresh, uint32_t retry_ms)
{
    if (ch->session.sub == SUB_OFF)
        return engine_refuse(e, ch, NULL, "subscription without a session");
    engine_touch(e, ch);
    switch (what) {
    case CORE_SUB_ACTIVE:
        return active(e, ch, fresh);
    case CORE_SUB_REFUSED:
        return refused(e, ch);
    case CORE_SUB_UNSUPPORTED:
        ch->session.sub = SUB_GIVEN_UP;
        go_blind(e, ch, "the focus has no conference package");
        return POC_OK;
    case CORE_SUB_ENDED:
        return channel_do(e, ch, CE_SESSION_OVER);
    case CORE_SUB_RETRY:
        lose(e, ch, retry_ms);
        return POC_OK;
    default:
        return POC_E_INPUT;
    }
}

void session_tick(core_engine *e, core_channel *ch)
{
    if (ch->session.sub == SUB_WAIT && ch->session.retry_ms <= e->now_ms)
        ask(e, ch);
}

/* ---- documents ---- */

typedef struct listener {
    core_engine *e;
    core_channel *ch;
} listener;

static core_member *member_of(const listener *l, const roster_user *u)
{
    return u->uri[0] == '\0' ? NULL : member_find(l->e, l->ch, poc_span_str(u->uri));
}

/* Ours, at some time. Who never was has no key of ours, whatever went astray. */
static bool is_known(const listener *l, const roster_user *u)
{
    return u->was_member || (u->uri[0] != '\0' && poc_table_get(&l->e->users, poc_span_str(u->uri)) != NULL);
}

static bool holds_key(void *ctx, const roster_user *u)
{
    const listener *l = ctx;
    const core_member *m = member_of(l, u);
    return m != NULL ? m->given_id != 0 : is_known(l, u) && keyset_held(&l->ch->keys, 0) != 0;
}

/* In a channel of our own (Mode 1) another PF's client never had a key of ours: no member, no rekey. */
static void departed(void *ctx, roster_user *u, roster_class how)
{
    listener *l = ctx;
    core_member *m = member_of(l, u);
    if (m != NULL && how == CLASS_LEFT && !m->by_sip)
        return; /* he went from the session; his registration for the service is another matter */
    if (m != NULL)
        engine_tell_member(l->e, m, how == CLASS_LEFT ? ME_LEFT : ME_EXPELLED);
    else if (how == CLASS_EXPELLED && is_known(l, u)) /* he left by himself, and keeps the key he had */
        expel_absent(l->e, l->ch, poc_span_str(u->uri), false);
}

static void present(void *ctx, const roster_user *u)
{
    core_member *m = member_of(ctx, u);
    if (m != NULL)
        m->seen = true;
}

poc_err session_document(core_engine *e, core_channel *ch, const core_conference *doc)
{
    core_session *s = &ch->session;
    if (s->sub == SUB_OFF)
        return engine_refuse(e, ch, NULL, "document without a session");
    engine_touch(e, ch);
    listener l = { e, ch };
    roster_sink sink = { &l, holds_key, departed, present };
    roster_outcome outcome;
    poc_err err = roster_merge(&s->roster, doc, e->set.roster_max, &sink, &outcome);
    if (err == POC_E_LIMIT) {
        roster_new_scope(&s->roster);
        go_blind(e, ch, "the conference is larger than the roster may be");
    }
    POC_TRY(err);
    if (outcome == ROSTER_OVER)
        return channel_do(e, ch, CE_SESSION_OVER);
    if (outcome == ROSTER_REFRESH || outcome == ROSTER_HINT)
        fx_subscribe(e, ch, NULL, true);
    if (outcome == ROSTER_MERGED || outcome == ROSTER_HINT)
        see(e, ch);
    return POC_OK;
}
