/* What somebody in the cell, who has no key but hears everything, can send to the group and to the PF's media ports. */
#ifndef TESTS_HARNESS_FORGE_H
#define TESTS_HARNESS_FORGE_H

#include "bcast/bcast.h"
#include "tests/support/rng.h"

#define FORGE_KINDS 6u /* of forged datagrams */

/** What was heard of one flow of a channel. */
typedef struct forge_ear {
    uint8_t first[BCAST_PACKET_MAX], last[BCAST_PACKET_MAX];
    size_t first_len, last_len;
} forge_ear;

void forge_hear(forge_ear *ear, poc_span datagram);
/** One forged datagram of kind 0..FORGE_KINDS-1: noise, noise behind a good header, noise with a good MKI, one bit of the
 *  last datagram flipped, the last one again, the first one again. Returns its length; 0 when nothing was heard yet. */
size_t forge_make(const forge_ear *ear, unsigned kind, test_rng *chance, uint8_t out[BCAST_PACKET_MAX]);

#endif
