/* One call from outside: room is made first, then the event runs through the tables, then its consequences, one after
 * the other, then the offers that have become possible; audit effects stand behind all others of the call. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

/* Queue room for the longest fan-out that one call can cause. Who has no dialog costs a line in the log at most; the rest
 * of what is done for him goes through lists. */
enum { TODO_BASE = 64, TODO_PER_CHANNEL = 8, TODO_PER_DIALOG = 3, TELL_PER_DIALOG = 1, INBOX_PER_DIALOG = 2 };
enum { PUSH_ROOM = 2 * CORE_PUSH_AHEAD }; /* each with a write of its own before it, and what it tells */

static poc_err make_room(core_engine *e)
{
    size_t base = TODO_BASE + (size_t)TODO_PER_CHANNEL * e->channel_count;
    size_t pushes = e->member_count > e->dialog_count ? PUSH_ROOM : 0;
    POC_TRY(ring_reserve(&e->todo, base + pushes + TODO_PER_DIALOG * (size_t)e->dialog_count));
    POC_TRY(ring_reserve(&e->tell, base + (size_t)e->member_count + TELL_PER_DIALOG * (size_t)e->dialog_count));
    POC_TRY(ring_reserve(&e->inbox, base + pushes + INBOX_PER_DIALOG * (size_t)e->dialog_count));
    return e->spare != NULL ? POC_OK : keyset_make(e, &e->spare);
}

static void overrun(core_engine *e)
{
    e->overrun = false;
    for (uint32_t i = 0; i < e->channel_count; i++) {
        core_channel *ch = e->channel_list[i];
        if (channel_cell(ch->state, CE_NO_KEY))
            engine_tell_channel(e, ch, &(core_event){ .type = CE_NO_KEY, .detail = "out of memory" });
    }
}

poc_err engine_begin(core_engine *e, int64_t now_ms)
{
    POC_TRY(make_room(e));
    if (now_ms > e->now_ms)
        e->now_ms = now_ms;
    if (e->overrun)
        overrun(e);
    return POC_OK;
}

static void drain(core_engine *e)
{
    while (e->inbox.count > 0) {
        core_event ev = *(core_event *)ring_at(&e->inbox, 0);
        ring_pop(&e->inbox);
        engine_touch(e, ev.channel);
        if (ev.for_all)
            member_walk(e, ev.channel, (member_event)ev.type);
        else if (!ev.for_member)
            (void)channel_step(e, ev.channel, &ev);
        else if (ev.member->inside)
            (void)member_step(e, ev.member, &ev);
        member_unref(e, ev.member);
    }
}

void engine_touch(core_engine *e, core_channel *ch)
{
    if (ch->touched)
        return;
    ch->touched = true;
    ch->next_touched = e->touched;
    e->touched = ch;
}

static bool pump(core_engine *e)
{
    bool did = false;
    for (core_channel *ch = e->touched; ch != NULL; ch = ch->next_touched)
        did |= rekey_pump(e, ch);
    return did;
}

static void find_deadline(core_engine *e)
{
    const int64_t download_ms = download_deadline(e), clock_due_ms = clock_deadline(e);
    e->deadline_ms = e->store_retry_ms < download_ms ? e->store_retry_ms : download_ms;
    if (clock_due_ms < e->deadline_ms)
        e->deadline_ms = clock_due_ms;
    for (uint32_t i = 0; i < e->channel_count; i++)
        if (e->channel_list[i]->deadline_ms < e->deadline_ms)
            e->deadline_ms = e->channel_list[i]->deadline_ms;
}

/* All channels are looked at only when the one that was due first is so no more. */
static void rearm(core_engine *e)
{
    bool was_first = e->deadline_ms == CORE_NEVER || e->store_retry_ms != CORE_NEVER;
    while (e->touched != NULL) {
        core_channel *ch = e->touched;
        e->touched = ch->next_touched;
        ch->touched = false;
        if (ch->dialogs == 0 && ch->session.sub != SUB_OFF)
            session_close(e, ch);
        revoke_pump(e, ch);
        was_first |= ch->deadline_ms == e->deadline_ms;
        ch->deadline_ms = channel_deadline(ch);
        if (ch->deadline_ms < e->deadline_ms)
            e->deadline_ms = ch->deadline_ms;
    }
    if (was_first)
        find_deadline(e);
}

void engine_end(core_engine *e)
{
    do
        drain(e);
    while (pump(e));
    rearm(e);
    fx_append_audits(e);
}

void engine_settle(core_engine *e)
{
    drain(e);
}

void engine_wake(core_engine *e, core_channel *ch, int64_t when_ms)
{
    if (when_ms < ch->deadline_ms)
        ch->deadline_ms = when_ms;
    if (when_ms < e->deadline_ms)
        e->deadline_ms = when_ms;
}

core_channel *engine_channel(const core_engine *e, const char *id)
{
    return id == NULL ? NULL : poc_table_get(&e->channels, poc_span_str(id));
}

static void tell(core_engine *e, const core_event *event)
{
    core_event *slot = ring_push(&e->inbox);
    if (slot == NULL) {
        e->overrun = true;
        return;
    }
    *slot = *event;
    if (slot->member != NULL)
        slot->member->refs++;
}

void engine_tell_member(core_engine *e, core_member *m, member_event what)
{
    tell(e, &(core_event){ .type = (uint8_t)what, .for_member = true, .channel = m->channel, .member = m });
}

void engine_tell_channel(core_engine *e, core_channel *ch, const core_event *event)
{
    core_event copy = *event;
    copy.channel = ch;
    tell(e, &copy);
}

void engine_tell_all(core_engine *e, core_channel *ch, member_event what)
{
    tell(e, &(core_event){ .type = (uint8_t)what, .for_all = true, .channel = ch });
}

poc_err engine_refuse(core_engine *e, core_channel *ch, core_member *m, const char *what)
{
    e->refused++;
    if (m != NULL)
        fx_audit_member(e, m, CORE_AUDIT_REFUSED, CORE_REASON_NONE, what);
    else
        fx_audit_channel(e, ch, CORE_AUDIT_REFUSED, (fx_figures){ .detail = what });
    return POC_E_STATE;
}

uint64_t core_refused_count(const core_engine *e)
{
    return e->refused;
}

int64_t core_deadline_ms(const core_engine *e)
{
    return e->deadline_ms;
}

void core_tick(core_engine *e, int64_t now_ms)
{
    if (engine_begin(e, now_ms) != POC_OK) {
        e->deadline_ms = now_ms + CORE_BACKOFF_MS; /* no memory now: again in a moment */
        return;
    }
    if (e->store_retry_ms <= e->now_ms) {
        e->store_retry_ms = CORE_NEVER;
        fx_persist(e);
    }
    for (uint32_t i = 0; i < e->channel_count; i++)
        if (e->channel_list[i]->deadline_ms <= e->now_ms) {
            engine_touch(e, e->channel_list[i]);
            channel_tick(e, e->channel_list[i]);
        }
    download_tick(e);
    clock_look(e);
    engine_end(e);
    find_deadline(e);
    fx_forget(e, &e->handed);
    fx_forget_line(e, &e->handed_line);
}

/* ---- life ---- */

static poc_err seed_tables(core_engine *e)
{
    uint64_t seeds[4];
    POC_TRY(e->set.rng.fill(e->set.rng.ctx, seeds, sizeof(seeds)));
    poc_table_init(&e->channels, seeds[0]);
    poc_table_init(&e->users, seeds[1]);
    poc_table_init(&e->keygroups, seeds[2]);
    poc_table_init(&e->btids, seeds[3]);
    return POC_OK;
}

poc_err core_new(core_engine **out, const core_settings *settings)
{
    POC_OWNED(core_engine, e, core_free);
    *out = NULL;
    core_settings set = *settings;
    POC_TRY(limits_apply(&set));
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return POC_E_NOMEM;
    ring_init(&e->todo, sizeof(core_todo));
    ring_init(&e->tell, sizeof(core_line));
    ring_init(&e->inbox, sizeof(core_event));
    journal_init(&e->journal);
    clock_init(&e->clock);
    e->deadline_ms = e->store_retry_ms = CORE_NEVER;
    e->restoring = true;
    e->set = set;
    e->set.store_key = poc_secret_ref(set.store_key);
    memcpy(e->naf_id, set.naf_id.p, set.naf_id.n);
    e->set.naf_id = poc_span_of(e->naf_id, set.naf_id.n - (set.idi_fqdn ? CORE_UA_ID_LEN : 0));
    POC_TRY(seed_tables(e));
    POC_TRY(seal_init(e));
    *out = POC_RELEASE(e);
    return POC_OK;
}

static void free_member(core_member *m)
{
    free(m->dialog);
    free(m);
}

static void free_channel(core_engine *e, core_channel *ch)
{
    for (uint32_t i = 0; i < ch->count; i++)
        free_member(ch->members[i]);
    keyset_wipe(&ch->keys);
    session_done(&ch->session);
    bars_free(e, ch);
    kind_free(ch);
    free(ch->members);
    free(ch);
}

/* What names members or bars lets go of them. */
static void free_queues(core_engine *e)
{
    fx_forget(e, &e->handed);
    fx_forget_line(e, &e->handed_line);
    for (; e->todo.count > 0; ring_pop(&e->todo))
        fx_forget(e, ring_at(&e->todo, 0));
    for (; e->tell.count > 0; ring_pop(&e->tell))
        fx_forget_line(e, ring_at(&e->tell, 0));
    for (uint32_t i = 0; i < e->channel_count; i++) {
        fx_empty_pushes(e, e->channel_list[i]);
        revoke_forget(e, e->channel_list[i]);
    }
    ring_done(&e->todo);
    ring_done(&e->tell);
    ring_done(&e->inbox); /* empty between calls */
}

static void free_durable(core_durable *d)
{
    if (!d->deleted || d->in_flight)
        return;
    if (d->kind == RECORD_USER)
        credential_free((core_user *)(void *)d);
    else if (d->kind == RECORD_MEMBER)
        free_member((core_member *)(void *)d);
    else if (d->kind == RECORD_BOOK)
        book_free((struct core_book *)(void *)d);
    else
        free(d);
}

/* Those whose deletion was still to be written are in no other list; some are in both of these. */
static void free_departed(core_engine *e)
{
    for (core_durable *d = e->journal.dirty, *next; d != NULL; d = next) {
        next = d->next_dirty;
        free_durable(d);
    }
    for (size_t i = 0; i < e->journal.in_flight_count; i++) {
        e->journal.in_flight[i]->in_flight = false;
        free_durable(e->journal.in_flight[i]);
    }
}

void core_free(core_engine *e)
{
    if (e == NULL)
        return;
    free_queues(e);
    free_departed(e);
    mcx_side_free(e);
    for (uint32_t i = 0; i < e->channel_count; i++)
        free_channel(e, e->channel_list[i]);
    size_t at = 0;
    for (core_user *u; (u = poc_table_next(&e->users, &at)) != NULL;)
        credential_free(u);
    at = 0;
    for (core_keygroup *g; (g = poc_table_next(&e->keygroups, &at)) != NULL;)
        free(g);
    bars_orphans_free(e);
    seal_done(e);
    keyset_unref(e->spare);
    poc_table_done(&e->channels);
    poc_table_done(&e->users);
    poc_table_done(&e->keygroups);
    poc_table_done(&e->btids);
    poc_secret_free(e->set.store_key);
    free(e->channel_list);
    free(e);
}
