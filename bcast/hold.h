/* Clear packets that wait while the gate holds, in the order they came. Bounded. */
#ifndef BCAST_HOLD_H
#define BCAST_HOLD_H

#include "bcast/bcast.h"

typedef struct bcast_held {
    bcast_flow flow;
    size_t n;
    uint8_t packet[];
} bcast_held;

typedef struct bcast_hold {
    bcast_held **ring; /* `cap` places */
    size_t cap, first, count;
} bcast_hold;

poc_err bcast_hold_init(bcast_hold *h, size_t cap);
void bcast_hold_done(bcast_hold *h);
/** Copies `packet` to the end. Returns how many packets that cost: 1 when the oldest had to go, or when there is no memory
 *  or no place at all for this one. */
size_t bcast_hold_put(bcast_hold *h, bcast_flow flow, poc_span packet);
/** Takes the oldest out, or NULL; the caller frees it. */
bcast_held *bcast_hold_take(bcast_hold *h);

#endif
