/* The members of a channel as a collection: in, out, found, walked. What each of them does stands in member.c. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

/* ---- in ---- */

static void place(core_channel *ch, core_member *m, uint32_t at)
{
    ch->members[at] = m;
    m->index = at;
}

static poc_err make_place(core_channel *ch)
{
    if (ch->count < ch->room)
        return POC_OK;
    uint32_t room = ch->room == 0 ? 16 : ch->room * 2;
    core_member **more = realloc(ch->members, room * sizeof(*more));
    if (more == NULL)
        return POC_E_NOMEM;
    ch->members = more;
    ch->room = room;
    return POC_OK;
}

poc_err member_new(core_engine *e, core_channel *ch, core_member **out, poc_span name, const poc_span *dialog)
{
    core_user *user;
    POC_TRY(make_place(ch));
    POC_TRY(credential_user(e, &user, name));
    core_member *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return POC_E_NOMEM;
    *m = (core_member){
        .durable.kind = RECORD_MEMBER, .channel = ch, .wake_ms = CORE_NEVER, .inside = true, .receives = true
    };
    if (dialog != NULL && member_set_dialog(e, m, *dialog) != POC_OK) {
        free(m);
        return POC_E_NOMEM;
    }
    place(ch, m, ch->count++);
    e->member_count++;
    user->refs++;
    credential_link(user, m);
    *out = m;
    return POC_OK;
}

poc_err member_set_dialog(core_engine *e, core_member *m, poc_span dialog)
{
    uint8_t *copy = NULL;
    if (dialog.n > 0) {
        copy = malloc(dialog.n);
        if (copy == NULL)
            return POC_E_NOMEM;
        memcpy(copy, dialog.p, dialog.n);
    }
    m->dialog = copy;
    m->dialog_len = (uint16_t)dialog.n;
    m->by_sip = true;
    m->channel->dialogs++;
    e->dialog_count++;
    return POC_OK;
}

void member_set_address(core_member *m, poc_span address)
{
    m->address_len = (uint8_t)address.n;
    if (address.n > 0)
        memcpy(m->address, address.p, address.n);
}

poc_span member_dialog(const core_member *m)
{
    return poc_span_of(m->dialog, m->dialog_len);
}

poc_span member_address(const core_member *m)
{
    return poc_span_of(m->address, m->address_len);
}

/* A user is in few channels; an index by name for each channel would cost more than the member. */
core_member *member_find(const core_engine *e, const core_channel *ch, poc_span name)
{
    const core_user *u = poc_table_get(&e->users, name);
    core_member *m = u == NULL ? NULL : u->memberships;
    while (m != NULL && m->channel != ch)
        m = m->next_of_user;
    return m;
}

/* ---- out ---- */

/* Keeps the parts of the array apart: who has had his turn stands before the cursor that gave it. */
static void close_gap(core_channel *ch, uint32_t hole)
{
    bool is_ahead = ch->cursor > ch->push_cursor;
    uint32_t *cursors[2] = { is_ahead ? &ch->push_cursor : &ch->cursor, is_ahead ? &ch->cursor : &ch->push_cursor };
    for (size_t i = 0; i < 2; i++) {
        if (hole >= *cursors[i])
            continue;
        uint32_t edge = --*cursors[i];
        if (edge != hole)
            place(ch, ch->members[edge], hole);
        hole = edge;
    }
    if (hole != --ch->count)
        place(ch, ch->members[ch->count], hole);
}

void member_take_out(core_engine *e, core_member *m)
{
    core_channel *ch = m->channel;
    close_gap(ch, m->index);
    ch->solicits_due -= m->solicits > 0;
    ch->dialogs -= m->by_sip;
    m->solicits = 0;
    m->inside = false;
    credential_unlink(e, m);
    journal_delete(e, &m->durable);
}

void member_free(core_engine *e, core_member *m)
{
    e->member_count--;
    e->dialog_count -= m->by_sip;
    m->user->refs--;
    seal_forget_member(e, m);
    free(m->dialog);
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

/* ---- one ---- */

/* Without a session there is nobody to tell; without open lines nothing can be heard on them. */
void member_serve(core_engine *e, core_member *m, bool multicast)
{
    bool is_served = multicast && m->by_sip && m->opened && !m->shut;
    if (m->served == is_served)
        return;
    m->served = is_served;
    fx_serve(e, m, is_served);
}

void member_wake_at(core_engine *e, core_member *m, int64_t when_ms)
{
    core_channel *ch = m->channel;
    m->wake_ms = when_ms;
    ch->wake_next_ms = when_ms < ch->wake_next_ms ? when_ms : ch->wake_next_ms;
    if (when_ms >= ch->wake_ms)
        return;
    ch->wake_ms = when_ms;
    engine_wake(e, ch, when_ms);
}

const char *member_state_name(const core_member *m)
{
    static const char *const names[M_COUNT] = {
        [M_WAIT_KEY] = "waiting", [M_WAIT_ROSTER] = "waiting", [M_READY] = "waiting",
        [M_OFFERED] = "offered",  [M_PUSHED] = "pushed",       [M_KEYED] = "keyed",
        [M_STALE] = "stale",      [M_UNICAST] = "unicast",     [M_OUT] = "out",
    };
    bool waits_for_channel = m->state == M_UNICAST && !m->by_sip;
    return waits_for_channel ? names[M_WAIT_KEY] : names[m->state];
}

const char *member_event_name(member_event event)
{
    static const char *const names[ME_COUNT] = {
        [ME_MUK] = "muk",
        [ME_MUK_GONE] = "muk_gone",
        [ME_SEEN] = "seen",
        [ME_OFFER] = "offer",
        [ME_PUSH] = "push",
        [ME_PULL] = "pull",
        [ME_AGAIN] = "again",
        [ME_VAIN] = "vain",
        [ME_ACCEPTED] = "accepted",
        [ME_DECLINED] = "declined",
        [ME_REFUSED] = "refused",
        [ME_RELEASED] = "released",
        [ME_TIMEOUT] = "timeout",
        [ME_BEARER_OFF] = "bearer_off",
        [ME_BEARER_ON] = "bearer_on",
        [ME_DIALOG] = "dialog",
        [ME_NO_ADDRESS] = "no_address",
        [ME_LEFT] = "left",
        [ME_EXPELLED] = "expelled",
        [ME_SESSION_OVER] = "session_over",
        [ME_CLOSE] = "close",
        [ME_WITHDRAW] = "withdraw",
        [ME_SWITCHED] = "switched",
        [ME_MISSED] = "missed",
    };
    return names[event];
}

/* ---- all ---- */

/* One word for all, but not the same for everybody. */
static member_event means(const core_member *m, member_event what)
{
    const core_msk *current = m->channel->keys.current;
    if (what == ME_SWITCHED && (current == NULL || m->state != M_KEYED || m->confirmed_id != current->id))
        return ME_MISSED;
    if (what == ME_SESSION_OVER && !m->by_sip)
        return ME_CLOSE; /* he is registered for the service, not in the session: the key goes, he stays */
    return what;
}

/* Who goes out leaves his place to one who comes later in the array, so nobody is missed, and nobody met twice. */
void member_walk(core_engine *e, core_channel *ch, member_event what)
{
    for (uint32_t i = 0; i < ch->count;) {
        core_member *m = ch->members[i];
        member_event word = means(m, what);
        if (member_cell((member_state)m->state, word))
            (void)member_do(e, m, word);
        i += i < ch->count && ch->members[i] == m;
    }
}
