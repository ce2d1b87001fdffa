/* What the content source of a channel without a PoC session sends: one stream of clear RTP. */
#ifndef TESTS_HARNESS_FEED_H
#define TESTS_HARNESS_FEED_H

#include "base/bytes.h"
#include "tests/harness/world.h"

#define FEED_PACKET_MAX (WORLD_PAYLOAD_MAX + 12u)

typedef struct feed {
    uint32_t timestamp;
    uint16_t seq;
} feed;

/** The next packet for channel number `channel`, and what is seen of it (without its time). */
poc_err feed_next(feed *f, int channel, poc_span pcmu, bool first, poc_wr *packet, world_seen *seen);

#endif
