#include <string.h>

#include "ue/core/core.h"

static ue_heard_source *source_find(ue_heard *h, uint32_t ssrc)
{
    for (size_t i = 0; i < UE_HEARD_SOURCES; i++)
        if (h->source[i].used && h->source[i].ssrc == ssrc)
            return &h->source[i];
    return NULL;
}

/* A free place, else that of the source silent for longest. */
static ue_heard_source *source_place(ue_heard *h)
{
    ue_heard_source *oldest = &h->source[0];
    for (size_t i = 0; i < UE_HEARD_SOURCES; i++) {
        if (!h->source[i].used)
            return &h->source[i];
        if (h->source[i].last_use < oldest->last_use)
            oldest = &h->source[i];
    }
    return oldest;
}

/* The window is a ring of bits addressed by the sequence number itself. */
static uint64_t *word_of(ue_heard_source *s, uint16_t seq)
{
    return &s->seen[seq % UE_HEARD_WINDOW / 64];
}

static uint64_t bit_of(uint16_t seq)
{
    return UINT64_C(1) << seq % 64;
}

static bool mark(ue_heard_source *s, uint16_t seq)
{
    if (*word_of(s, seq) & bit_of(seq))
        return false;
    *word_of(s, seq) |= bit_of(seq);
    return true;
}

static void begin_at(ue_heard_source *s, uint16_t seq)
{
    memset(s->seen, 0, sizeof(s->seen));
    s->highest = seq;
    s->restart_set = false;
    (void)mark(s, seq);
}

static void advance_to(ue_heard_source *s, uint16_t seq)
{
    uint16_t steps = (uint16_t)(seq - s->highest);
    if (steps >= UE_HEARD_WINDOW) {
        begin_at(s, seq);
        return;
    }
    for (uint16_t i = 1; i <= steps; i++) {
        uint16_t passed = (uint16_t)(s->highest + i);
        *word_of(s, passed) &= ~bit_of(passed);
    }
    s->highest = seq;
    s->restart_set = false;
    (void)mark(s, seq);
}

static bool is_restart(ue_heard_source *s, uint16_t seq)
{
    bool proven = s->restart_set && s->restart == seq;
    s->restart = (uint16_t)(seq + 1);
    s->restart_set = true;
    return proven;
}

bool ue_heard_first(ue_heard *h, uint32_t ssrc, uint16_t seq)
{
    ue_heard_source *s = source_find(h, ssrc);
    if (s == NULL) {
        s = source_place(h);
        *s = (ue_heard_source){ .used = true, .ssrc = ssrc };
        begin_at(s, seq);
        s->last_use = ++h->uses;
        return true;
    }
    s->last_use = ++h->uses;
    uint16_t behind = (uint16_t)(s->highest - seq);
    if (behind < UE_HEARD_WINDOW)
        return mark(s, seq);
    if (behind >= 0x8000u) {
        advance_to(s, seq);
        return true;
    }
    if (!is_restart(s, seq))
        return false;
    begin_at(s, seq);
    return true;
}

bool ue_heard_already(const ue_heard *h, uint32_t ssrc, uint16_t seq)
{
    for (size_t i = 0; i < UE_HEARD_SOURCES; i++) {
        const ue_heard_source *s = &h->source[i];
        if (s->used && s->ssrc == ssrc)
            return (uint16_t)(s->highest - seq) < UE_HEARD_WINDOW &&
                   (s->seen[seq % UE_HEARD_WINDOW / 64] & bit_of(seq)) != 0;
    }
    return false;
}
