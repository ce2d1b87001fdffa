/* Floor control of mission critical services as a content source sends it (TS 24.380 8.2), and as it is seen on air under a MuSiK. */
#ifndef TESTS_HARNESS_FLOOR_H
#define TESTS_HARNESS_FLOOR_H

#include "base/bytes.h"
#include "bcast/enabler.h"
#include "tests/harness/world.h"

#define FLOOR_MESSAGE_MAX 64u

/** Appends a clear Floor Taken with this message sequence number. */
void floor_taken_put(poc_wr *out, uint32_t ssrc, uint16_t number);

/** A stranger's look at a datagram of channel `number` under a MuSiK: every control packet has an identity that does not need
 *  the key, which is made of sender, key and index. Media is protected from end to end, or not at all. */
void floor_look(bcast_flow flow, poc_span datagram, uint8_t number, world_seen *seen);

#endif
