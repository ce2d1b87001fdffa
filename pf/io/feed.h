/* Which of the copies that reach the PF on the legs of one channel goes on air: every packet once, and one talker at a time.
 * Pure. Private to pf/io. */
#ifndef PF_IO_FEED_H
#define PF_IO_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "bcast/bcast.h"

#define FEED_SOURCES_MAX 8u /* talkers remembered */
#define FEED_FLOORS_MAX  4u /* floor messages remembered */

/** The newest 64 sequence numbers of one SSRC. */
typedef struct feed_source {
    bool used;
    uint32_t ssrc;
    uint16_t top;    /* highest sequence number taken */
    uint64_t window; /* bit i: top - i was taken */
    int64_t last_ms; /* when a packet was taken */
} feed_source;

typedef struct feed_floor {
    uint8_t digest[32];
    int64_t until_ms; /* copies are dropped so long */
} feed_floor;

typedef struct feed {
    uint32_t silence_ms;
    feed_source source[FEED_SOURCES_MAX];
    feed_source *current; /* the talker on air, NULL before the first packet */
    feed_source *former;  /* the one before him: his late packets do not take the channel back */
    const void *leg;      /* which delivered the last packet; only compared */
    bool is_open;         /* a floor message said that the talker changes */
    feed_floor floor[FEED_FLOORS_MAX];
    size_t floor_next;
} feed;

void feed_init(feed *f, uint32_t silence_ms);
/** True when this packet, delivered by `leg`, goes on air: the first copy of a packet of the current talker, or of one who may
 *  take over: after silence, after a floor message, or on the leg that fed the channel. */
bool feed_takes_audio(feed *f, const void *leg, int64_t now_ms, uint32_t ssrc, uint16_t seq);
/** True for the first copy within 100 ms. `msg` is `packet` parsed. */
bool feed_takes_floor(feed *f, int64_t now_ms, const bcast_mbcp *msg, poc_span packet);
/** A leg is gone. */
void feed_forget_leg(feed *f, const void *leg);

#endif
