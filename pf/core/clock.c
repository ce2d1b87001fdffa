/* A clock that never goes back: not over a restart, and whatever becomes of the wall clock meanwhile. Both sides of a CSK have
 * the same session keys, and the CSK outlives the process: what counts packets under it must not come to a number again, and
 * a record for each packet would be too dear. So a time that the clock has not reached is made durable, it is not read beyond
 * that, and the next process begins there. */
#include "pf/core/csk.h"

enum {
    AHEAD_MS = 10 * 60 * 1000, /* reserved by one record; a restart costs as much of what a key can count to at most */
    RENEWED_MS = AHEAD_MS / 2, /* with so much left */
    UNKNOWN_MS = 1000          /* a process that kept no record of it counted ahead of its clock by less */
};

static bool is_needed(const core_engine *e)
{
    return e->mcx != NULL && e->mcx->books.count > 0;
}

void clock_init(core_clock *c)
{
    *c = (core_clock){ .durable.kind = RECORD_CLOCK };
}

int64_t clock_ms(const core_engine *e)
{
    return e->now_ms + e->clock.ahead_ms;
}

int64_t clock_deadline(const core_engine *e)
{
    return is_needed(e) ? e->clock.until_ms - RENEWED_MS - e->clock.ahead_ms : CORE_NEVER;
}

void clock_look(core_engine *e)
{
    core_clock *c = &e->clock;
    if (!is_needed(e))
        return;
    if (clock_deadline(e) <= e->now_ms) {
        c->until_ms = clock_ms(e) + AHEAD_MS;
        journal_mark(e, &c->durable);
        fx_persist(e);
    }
    if (clock_deadline(e) < e->deadline_ms)
        e->deadline_ms = clock_deadline(e);
}

void clock_begin(core_engine *e)
{
    core_clock *c = &e->clock;
    if (c->until_ms > e->now_ms)
        c->ahead_ms = c->until_ms - e->now_ms;
    else if (c->until_ms == 0 && is_needed(e))
        c->ahead_ms = UNKNOWN_MS;
    c->kept_ms = c->until_ms;
    clock_look(e);
}

void clock_put(core_engine *e, poc_wr *wr)
{
    e->clock.written_ms = e->clock.until_ms;
    poc_wr_u64(wr, (uint64_t)e->clock.written_ms);
}

void clock_kept(core_engine *e)
{
    e->clock.kept_ms = e->clock.written_ms;
}

poc_err clock_read(core_engine *e, poc_rd *key, poc_rd *value)
{
    uint64_t until_ms;
    POC_TRY(poc_rd_end(key));
    POC_TRY(poc_rd_u64(value, &until_ms));
    POC_TRY(poc_rd_end(value));
    if (until_ms > CORE_CLOCK_MAX_MS)
        return POC_E_INPUT;
    e->clock.until_ms = (int64_t)until_ms;
    return POC_OK;
}

poc_err core_clock_look(const core_engine *e, int64_t now_ms, int64_t *out)
{
    const int64_t time_ms = (now_ms > e->now_ms ? now_ms : e->now_ms) + e->clock.ahead_ms;
    if (e->restoring || time_ms > e->clock.kept_ms - CORE_CLOCK_SPARE_MS)
        return POC_E_STATE;
    *out = time_ms;
    return POC_OK;
}
