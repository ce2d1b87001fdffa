/* A ring of equal slots: what was pushed first is popped first; it grows, and never shrinks. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

void ring_init(core_ring *r, size_t item)
{
    *r = (core_ring){ .item = item };
}

void ring_done(core_ring *r)
{
    free(r->slots);
    *r = (core_ring){ .item = r->item };
}

poc_err ring_reserve(core_ring *r, size_t more)
{
    if (r->cap - r->count >= more)
        return POC_OK;
    size_t cap = r->cap == 0 ? 64 : r->cap;
    while (cap - r->count < more)
        cap *= 2;
    uint8_t *slots = malloc(cap * r->item);
    if (slots == NULL)
        return POC_E_NOMEM;
    size_t first = r->cap - r->head < r->count ? r->cap - r->head : r->count;
    if (r->count > 0) {
        memcpy(slots, (uint8_t *)r->slots + r->head * r->item, first * r->item);
        memcpy(slots + first * r->item, r->slots, (r->count - first) * r->item);
    }
    free(r->slots);
    r->slots = slots;
    r->cap = cap;
    r->head = 0;
    return POC_OK;
}

void *ring_at(const core_ring *r, size_t i)
{
    return (uint8_t *)r->slots + (r->head + i) % r->cap * r->item;
}

void *ring_push(core_ring *r)
{
    if (ring_reserve(r, 1) != POC_OK)
        return NULL;
    void *slot = ring_at(r, r->count++);
    memset(slot, 0, r->item);
    return slot;
}

void ring_pop(core_ring *r)
{
    r->head = (r->head + 1) % r->cap;
    r->count--;
}
