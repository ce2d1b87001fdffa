/* Private to the room: which sequence numbers of which SSRC have gone out. It keeps two promises. No packet goes out twice
 * (the feed may deliver twice). And under one MTK the sequence of an SSRC never wraps nor starts again, so that the
 * roll-over counter of SRTP is 0 for ever and a late joiner needs none (digest "PoC", 6.5). */
#ifndef BCAST_SOURCES_H
#define BCAST_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bcast/srtp.h"

#define BCAST_SOURCES_MAX BCAST_SRTP_SSRC_MAX

typedef struct bcast_source {
    uint32_t ssrc;
    uint32_t mtk_no;  /* the MTK it last sent under */
    bool has_rtp;     /* else only floor packets: the next two mean nothing */
    uint16_t top;     /* highest sequence number sent */
    uint64_t seen;    /* bit i: top - i was sent */
    uint32_t restart; /* the number that would prove a restart; beyond 65535: none */
} bcast_source;

typedef struct bcast_sources {
    bcast_source at[BCAST_SOURCES_MAX];
    size_t count;
    size_t live;     /* those that sent under the current MTK */
    uint32_t mtk_no; /* counts MTKs; starts at 1 with the first */
} bcast_sources;

typedef enum bcast_verdict {
    BCAST_VERDICT_SEND, /* goes out under the current MTK                     */
    BCAST_VERDICT_DROP, /* sent before, or too late to tell                   */
    BCAST_VERDICT_ROLL  /* goes out, but only under a new MTK                 */
} bcast_verdict;

/** A new MTK starts: every index is free again; what was sent before is still known. */
void bcast_sources_next_mtk(bcast_sources *s);
bcast_verdict bcast_sources_judge_rtp(bcast_sources *s, uint32_t ssrc, uint16_t seq);
/** SRTCP numbers its packets itself: a floor packet needs a place, no more. */
bcast_verdict bcast_sources_judge_floor(bcast_sources *s, uint32_t ssrc);
/** Remembers what was sent after a verdict of SEND, or of ROLL and bcast_sources_next_mtk. */
void bcast_sources_note_rtp(bcast_sources *s, uint32_t ssrc, uint16_t seq);
void bcast_sources_note_floor(bcast_sources *s, uint32_t ssrc);
/** How many packets behind `seq` fit before a wrap. */
static inline uint32_t bcast_sources_before_wrap(uint16_t seq)
{
    return UINT16_MAX - (uint32_t)seq;
}

#endif
