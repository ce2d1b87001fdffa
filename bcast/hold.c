#include "bcast/hold.h"

#include <stdlib.h>
#include <string.h>

poc_err bcast_hold_init(bcast_hold *h, size_t cap)
{
    *h = (bcast_hold){ .cap = cap };
    if (cap == 0)
        return POC_OK;
    h->ring = calloc(cap, sizeof(*h->ring));
    return h->ring == NULL ? POC_E_NOMEM : POC_OK;
}

void bcast_hold_done(bcast_hold *h)
{
    while (h->count > 0)
        free(bcast_hold_take(h));
    free(h->ring);
    *h = (bcast_hold){ 0 };
}

size_t bcast_hold_put(bcast_hold *h, bcast_flow flow, poc_span packet)
{
    size_t lost = 0;
    if (h->cap == 0)
        return 1;
    bcast_held *held = malloc(sizeof(*held) + packet.n);
    if (held == NULL)
        return 1;
    held->flow = flow;
    held->n = packet.n;
    memcpy(held->packet, packet.p, packet.n);
    if (h->count == h->cap) {
        free(bcast_hold_take(h));
        lost = 1;
    }
    h->ring[(h->first + h->count++) % h->cap] = held;
    return lost;
}

bcast_held *bcast_hold_take(bcast_hold *h)
{
    if (h->count == 0)
        return NULL;
    bcast_held *held = h->ring[h->first];
    h->first = (h->first + 1) % h->cap;
    h->count--;
    return held;
}
