#include "pf/io/feed.h"

#include <string.h>

#include "base/crypto.h"

enum { FLOOR_COPY_MS = 100 };

void feed_init(feed *f, uint32_t silence_ms)
{
    *f = (feed){ .silence_ms = silence_ms };
}

/* ---- one source ---- */

static bool is_silent(const feed *f, const feed_source *s, int64_t now_ms)
{
    return now_ms - s->last_ms >= (int64_t)f->silence_ms;
}

/** How far `seq` is ahead of the highest one; 0 or less: behind. */
static int ahead(const feed_source *s, uint16_t seq)
{
    return (int16_t)(uint16_t)(seq - s->top);
}

static bool was_taken(const feed_source *s, uint16_t seq)
{
    int behind = -ahead(s, seq);
    return behind >= 0 && behind < 64 && (s->window >> behind & 1u) != 0;
}

/** Behind the window nobody can tell a copy from a late first one; only a source that had stopped starts again there. */
static bool may_take(const feed *f, const feed_source *s, int64_t now_ms, uint16_t seq)
{
    if (!s->used)
        return true;
    if (ahead(s, seq) <= -64)
        return is_silent(f, s, now_ms);
    return !was_taken(s, seq);
}

static void mark(feed_source *s, int64_t now_ms, uint32_t ssrc, uint16_t seq)
{
    int step = s->used ? ahead(s, seq) : 0;
    if (!s->used || step <= -64 || step >= 64) {
        *s = (feed_source){ .used = true, .ssrc = ssrc, .top = seq, .window = 1 };
    } else if (step > 0) {
        s->window = s->window << step | 1u;
        s->top = seq;
    } else {
        s->window |= UINT64_C(1) << -step;
    }
    s->last_ms = now_ms;
}

/** The place of this SSRC, or the one used longest ago, emptied. */
static feed_source *source_of(feed *f, uint32_t ssrc)
{
    feed_source *oldest = NULL;
    for (size_t i = 0; i < FEED_SOURCES_MAX; i++) {
        feed_source *s = &f->source[i];
        if (s->used && s->ssrc == ssrc)
            return s;
        if (s == f->current || (oldest != NULL && (!oldest->used || (s->used && s->last_ms >= oldest->last_ms))))
            continue;
        oldest = s;
    }
    if (oldest == f->former)
        f->former = NULL;
    *oldest = (feed_source){ 0 };
    return oldest;
}

/* ---- the channel ---- */

static bool may_take_over(const feed *f, const feed_source *s, const void *leg, int64_t now_ms)
{
    if (f->current == NULL || f->is_open || is_silent(f, f->current, now_ms))
        return true;
    return leg == f->leg && s != f->former;
}

bool feed_takes_audio(feed *f, const void *leg, int64_t now_ms, uint32_t ssrc, uint16_t seq)
{
    feed_source *s = source_of(f, ssrc);
    if (!may_take(f, s, now_ms, seq))
        return false;
    if (s != f->current) {
        if (!may_take_over(f, s, leg, now_ms))
            return false;
        f->former = f->current;
        f->current = s;
        f->is_open = false;
    }
    mark(s, now_ms, ssrc, seq);
    f->leg = leg;
    return true;
}

static bool is_news(feed *f, int64_t now_ms, poc_span packet)
{
    feed_floor seen = { .until_ms = now_ms + FLOOR_COPY_MS };
    if (poc_sha256(seen.digest, packet) != POC_OK)
        return true; /* twice on air is better than not at all */
    for (size_t i = 0; i < FEED_FLOORS_MAX; i++)
        if (now_ms < f->floor[i].until_ms && memcmp(f->floor[i].digest, seen.digest, sizeof(seen.digest)) == 0)
            return false;
    f->floor[f->floor_next] = seen;
    f->floor_next = (f->floor_next + 1) % FEED_FLOORS_MAX;
    return true;
}

bool feed_takes_floor(feed *f, int64_t now_ms, const bcast_mbcp *msg, poc_span packet)
{
    if (!is_news(f, now_ms, packet))
        return false;
    bool same_talker = msg->type == BCAST_MBCP_TAKEN && f->current != NULL && f->current->ssrc == msg->talker_ssrc;
    f->is_open = !same_talker;
    return true;
}

void feed_forget_leg(feed *f, const void *leg)
{
    if (f->leg != leg)
        return;
    f->leg = NULL;
    f->is_open = true; /* who spoke on it may go on elsewhere */
}
