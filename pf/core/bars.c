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

poc_err bars_restore(core_engine *e, core_channel *ch, poc_span name, bool is_firm)
{
    if (e->bar_count >= e->set.members_max)
        return POC_E_LIMIT;
    core_bar *b = calloc(1, sizeof(*b) + name.n + 1);
    if (b == NULL)
        return POC_E_NOMEM;
    *b = (core_bar){ .durable.kind = RECORD_BARRED, .is_firm = is_firm, .channel = ch, .name_len = (uint16_t)name.n };
    memcpy(b->name, name.p, name.n);
    poc_err err = poc_table_put(&ch->bars, name_of(b), b);
    if (err != POC_OK) {
        free(b);
        return err;
    }
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

void bars_free(core_engine *e, core_channel *ch)
{
    size_t at = 0;
    for (core_bar *b; (b = poc_table_next(&ch->bars, &at)) != NULL; e->bar_count--)
        free(b);
    poc_table_done(&ch->bars);
}
