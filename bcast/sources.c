#include "bcast/sources.h"

/* Behind the highest number there are three zones (after RFC 3550 A.1). Within the window a packet is late or a
 * duplicate. Up to MISORDER it is too late, unless a second one follows on it: then the talker has started again. Farther
 * back he has for certain. */
enum { WINDOW = 64, MISORDER = 100, NO_SEQ = 0x10000 };

static bcast_source *find(bcast_sources *s, uint32_t ssrc)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->at[i].ssrc == ssrc)
            return &s->at[i];
    }
    return NULL;
}

void bcast_sources_next_mtk(bcast_sources *s)
{
    s->mtk_no++;
    s->live = 0;
}

/* Whether one more SSRC may start under the current MTK. */
static bcast_verdict judge_place(const bcast_sources *s)
{
    return s->live < BCAST_SOURCES_MAX ? BCAST_VERDICT_SEND : BCAST_VERDICT_ROLL;
}

static bcast_verdict judge_late(const bcast_source *source, uint16_t seq, unsigned behind)
{
    if ((source->seen >> behind & 1) != 0)
        return BCAST_VERDICT_DROP;
    /* From before the last wrap: under this MTK its index would stand far ahead and force a wrap on the next packet. */
    return seq > source->top ? BCAST_VERDICT_DROP : BCAST_VERDICT_SEND;
}

static bcast_verdict judge_misordered(bcast_source *source, uint16_t seq)
{
    bool is_second = seq == source->restart;
    source->restart = is_second ? NO_SEQ : (uint16_t)(seq + 1);
    return is_second ? BCAST_VERDICT_ROLL : BCAST_VERDICT_DROP;
}

/* Of a source that is known; ROLL only means that the sequence does not go on upwards. */
static bcast_verdict judge_sequence(bcast_source *source, uint16_t seq)
{
    unsigned behind = (uint16_t)(source->top - seq);
    if (behind < WINDOW)
        return judge_late(source, seq, behind);
    if (behind < MISORDER)
        return judge_misordered(source, seq);
    return seq > source->top ? BCAST_VERDICT_SEND : BCAST_VERDICT_ROLL;
}

bcast_verdict bcast_sources_judge_rtp(bcast_sources *s, uint32_t ssrc, uint16_t seq)
{
    bcast_source *source = find(s, ssrc);
    bcast_verdict verdict = BCAST_VERDICT_SEND;
    if (source != NULL && source->has_rtp)
        verdict = judge_sequence(source, seq);
    if (verdict == BCAST_VERDICT_DROP)
        return verdict;
    bool is_live = source != NULL && source->mtk_no == s->mtk_no;
    return is_live ? verdict : judge_place(s); /* under an MTK that it has not used, any number may be the first */
}

bcast_verdict bcast_sources_judge_floor(bcast_sources *s, uint32_t ssrc)
{
    const bcast_source *source = find(s, ssrc);
    return source != NULL && source->mtk_no == s->mtk_no ? BCAST_VERDICT_SEND : judge_place(s);
}

/* A place for an SSRC not seen so far: a free one, else that of a source that has not sent under this MTK. The verdict
 * has made sure that there is one. */
static bcast_source *take_place(bcast_sources *s)
{
    if (s->count < BCAST_SOURCES_MAX)
        return &s->at[s->count++];
    size_t i = 0;
    while (i + 1 < s->count && s->at[i].mtk_no == s->mtk_no)
        i++;
    return &s->at[i];
}

static bcast_source *note(bcast_sources *s, uint32_t ssrc)
{
    bcast_source *source = find(s, ssrc);
    if (source == NULL) {
        source = take_place(s);
        *source = (bcast_source){ .ssrc = ssrc, .mtk_no = s->mtk_no - 1 };
    }
    if (source->mtk_no != s->mtk_no) {
        source->mtk_no = s->mtk_no;
        s->live++;
    }
    return source;
}

void bcast_sources_note_rtp(bcast_sources *s, uint32_t ssrc, uint16_t seq)
{
    bcast_source *source = note(s, ssrc);
    unsigned behind = (uint16_t)(source->top - seq), ahead = (uint16_t)(seq - source->top);
    if (source->has_rtp && behind < WINDOW) {
        source->seen |= UINT64_C(1) << behind;
        return;
    }
    bool keeps_some = source->has_rtp && ahead < WINDOW;
    source->restart = NO_SEQ;
    source->seen = (keeps_some ? source->seen << ahead : 0) | 1;
    source->top = seq;
    source->has_rtp = true;
}

void bcast_sources_note_floor(bcast_sources *s, uint32_t ssrc)
{
    (void)note(s, ssrc);
}
