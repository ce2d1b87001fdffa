/* One call from outside: room is made first, then the event runs through the tables, then its consequences, one after
 * the other, then the offers that have become possible; audit effects stand behind all others of the call. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

/* Queue room for the longest fan-out that one call can cause. */
enum { TODO_BASE = 64, TODO_PER_CHANNEL = 8, TODO_PER_MEMBER = 3, TELL_PER_MEMBER = 2, INBOX_PER_MEMBER = 2 };

static poc_err make_room(core_engine *e)
{
    size_t base = TODO_BASE + (size_t)TODO_PER_CHANNEL * e->channel_count, n = e->member_count;
    POC_TRY(ring_reserve(&e->todo, base + (TODO_PER_MEMBER + TELL_PER_MEMBER) * n));
    POC_TRY(ring_reserve(&e->tell, base + TELL_PER_MEMBER * n));
    POC_TRY(ring_reserve(&e->inbox, base + INBOX_PER_MEMBER * n));
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
        if (!ev.for_member)
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
    e->deadline_ms = e->store_retry_ms;
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
        if (ch->count == 0 && ch->session.sub != SUB_OFF)
            session_close(e, ch);
        was_first |= ch->deadline_ms == e->deadline_ms;
        ch->deadline_ms = channel_deadline(ch);
        if (ch->deadline_ms < e->deadline_ms)
            e->deadline_ms = ch->deadline_ms;
    }
    if (was_first)
        find_deadline(e);
}

static void append_audits(core_engine *e)
{
    while (e->tell.count > 0) {
        core_todo *t = ring_push(&e->todo);
        if (t == NULL) {
            e->overrun = true;
            return;
        }
        *t = *(core_todo *)ring_at(&e->tell, 0);
        ring_pop(&e->tell);
    }
}

void engine_end(core_engine *e)
{
    do
        drain(e);
    while (pump(e));
    rearm(e);
    append_audits(e);
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
    engine_end(e);
    find_deadline(e);
    fx_forget(e, &e->handed);
}

/* ---- life ---- */

static poc_err seed_tables(core_engine *e)
{
    uint64_t seeds[3];
    POC_TRY(e->set.rng.fill(e->set.rng.ctx, seeds, sizeof(seeds)));
    poc_table_init(&e->channels, seeds[0]);
    poc_table_init(&e->users, seeds[1]);
    poc_table_init(&e->keygroups, seeds[2]);
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
    ring_init(&e->tell, sizeof(core_todo));
    ring_init(&e->inbox, sizeof(core_event));
    journal_init(&e->journal);
    e->deadline_ms = e->store_retry_ms = CORE_NEVER;
    e->restoring = true;
    e->set = set;
    e->set.store_key = poc_secret_ref(set.store_key);
    memcpy(e->naf_id, set.naf_id.p, set.naf_id.n);
    e->set.naf_id = poc_span_of(e->naf_id, set.naf_id.n - (set.idi_fqdn ? CORE_UA_ID_LEN : 0));
    POC_TRY(seed_tables(e));
    *out = POC_RELEASE(e);
    return POC_OK;
}

static void free_channel(core_engine *e, core_channel *ch)
{
    for (uint32_t i = 0; i < ch->count; i++) {
        ch->members[i]->refs = 0;
        free(ch->members[i]);
    }
    keyset_wipe(&ch->keys);
    session_done(&ch->session);
    poc_table_done(&ch->by_name);
    free(ch->members);
    free(ch);
    (void)e;
}

static void free_ring(core_engine *e, core_ring *r)
{
    for (; r->count > 0; ring_pop(r))
        fx_forget(e, ring_at(r, 0));
    ring_done(r);
}

/* Those whose deletion was still to be written are in no other list. */
static void free_departed(core_engine *e)
{
    core_durable *lists[2] = { e->journal.dirty, e->journal.in_flight };
    for (size_t i = 0; i < 2; i++)
        for (core_durable *d = lists[i], *next; d != NULL; d = next) {
            next = i == 0 ? d->next_dirty : d->next_in_flight;
            bool again = i == 0 && d->in_flight; /* met once more in the second list */
            d->dirty = false;
            if (d->deleted && !again)
                d->kind == RECORD_MEMBER ? free((core_member *)(void *)d) : credential_free((core_user *)(void *)d);
        }
}

void core_free(core_engine *e)
{
    if (e == NULL)
        return;
    fx_forget(e, &e->handed);
    free_ring(e, &e->todo);
    free_ring(e, &e->tell);
    ring_done(&e->inbox); /* empty between calls */
    free_departed(e);
    for (uint32_t i = 0; i < e->channel_count; i++)
        free_channel(e, e->channel_list[i]);
    size_t at = 0;
    for (core_user *u; (u = poc_table_next(&e->users, &at)) != NULL;)
        credential_free(u);
    at = 0;
    for (core_keygroup *g; (g = poc_table_next(&e->keygroups, &at)) != NULL;)
        free(g);
    keyset_unref(e->spare);
    poc_table_done(&e->channels);
    poc_table_done(&e->users);
    poc_table_done(&e->keygroups);
    poc_secret_free(e->set.store_key);
    free(e->channel_list);
    free(e);
}
