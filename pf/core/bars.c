/* Who was expelled, and has not been let in again: no registration makes him a member. Nor does a SIP session when the
 * operator expelled him; if the focus did, it is the one who lets him in. The list is bounded; when somebody did not fit in,
 * nobody new is let in, for he could be the one. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

static poc_span name_of(const core_bar *b)
{
    return poc_span_of(b->name, b->name_len);
}

core_bar *bars_get(const core_channel *ch, poc_span name)
{
    return poc_table_get(&ch->bars, name);
}

bool bars_complete(const core_engine *e, const core_channel *ch)
{
    return !ch->bar_lost && e->bar_count < e->set.members_max;
}

bool bars_hold(const core_channel *ch, poc_span name)
{
    const core_bar *b = bars_get(ch, name);
    return b != NULL && b->is_firm;
}

static poc_err make(core_channel *ch, poc_span name, bool is_firm)
{
    core_bar *b = calloc(1, sizeof(*b) + name.n + 1);
    if (b == NULL)
        return POC_E_NOMEM;
    *b = (core_bar){ .durable.kind = RECORD_BARRED, .is_firm = is_firm, .channel = ch, .name_len = (uint16_t)name.n };
    memcpy(b->name, name.p, name.n);
    poc_err err = poc_table_put(&ch->bars, name_of(b), b);
    if (err != POC_OK)
        free(b);
    return err;
}

poc_err bars_restore(core_engine *e, core_channel *ch, poc_span name, bool is_firm)
{
    if (e->bar_count >= e->set.members_max)
        return POC_E_LIMIT;
    POC_TRY(make(ch, name, is_firm));
    e->bar_count++;
    return POC_OK;
}

poc_err bars_reserve(core_engine *e, core_channel *ch, poc_span name)
{
    if (bars_get(ch, name) != NULL)
        return POC_OK;
    return bars_restore(e, ch, name, false) == POC_E_NOMEM ? POC_E_NOMEM : POC_OK;
}

void bars_put(core_engine *e, core_channel *ch, poc_span name, bool is_firm)
{
    if (bars_get(ch, name) == NULL && bars_restore(e, ch, name, is_firm) != POC_OK) {
        ch->bar_lost = true;
        ch->firm_bar_lost |= is_firm;
        return;
    }
    core_bar *b = bars_get(ch, name);
    b->is_firm |= is_firm;
    journal_mark(e, &b->durable);
}

void bars_lift(core_engine *e, core_bar *bar)
{
    (void)poc_table_remove(&bar->channel->bars, name_of(bar));
    e->bar_count--;
    journal_delete(e, &bar->durable);
}

void bars_unref(core_engine *e, core_bar *bar)
{
    bar->refs--;
    journal_release(e, &bar->durable);
}

static void drop_all(core_channel *ch)
{
    size_t at = 0;
    for (core_bar *b; (b = poc_table_next(&ch->bars, &at)) != NULL;)
        free(b);
    poc_table_done(&ch->bars);
}

void bars_free(core_engine *e, core_channel *ch)
{
    e->bar_count -= (uint32_t)ch->bars.count;
    drop_all(ch);
}

/* ---- of channels that are not there ---- */

poc_err bars_keep(core_engine *e, poc_span channel, poc_span name, bool is_firm)
{
    if (channel.n > CORE_ID_MAX)
        return POC_E_INPUT;
    if (e->bar_count >= e->set.members_max)
        return POC_E_LIMIT;
    core_orphan *o = calloc(1, sizeof(*o) + channel.n + name.n);
    if (o == NULL)
        return POC_E_NOMEM;
    *o = (core_orphan){
        .next = e->orphans, .is_firm = is_firm, .channel_len = (uint16_t)channel.n, .name_len = (uint16_t)name.n
    };
    memcpy(o->texts, channel.p, channel.n);
    memcpy(o->texts + channel.n, name.p, name.n);
    e->orphans = o;
    e->bar_count++;
    return POC_OK;
}

static bool is_of(const core_orphan *o, const core_channel *ch)
{
    return poc_span_eq_str(poc_span_of(o->texts, o->channel_len), ch->id);
}

poc_err bars_adopt(core_engine *e, core_channel *ch)
{
    poc_err err = POC_OK;
    for (const core_orphan *o = e->orphans; o != NULL && err == POC_OK; o = o->next)
        if (is_of(o, ch))
            err = make(ch, poc_span_of(o->texts + o->channel_len, o->name_len), o->is_firm);
    if (err != POC_OK) {
        drop_all(ch);
        return err;
    }
    for (core_orphan **at = &e->orphans, *o; (o = *at) != NULL;) {
        if (!is_of(o, ch)) {
            at = &o->next;
            continue;
        }
        *at = o->next;
        free(o);
    }
    return POC_OK;
}

void bars_orphans_free(core_engine *e)
{
    for (core_orphan *o = e->orphans, *next; o != NULL; o = next) {
        next = o->next;
        free(o);
    }
}
