#include <stdlib.h>

#include "tests/harness/sim.h"

static bool is_before(const sim_event *a, const sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static bool grow(sim_queue *q)
{
    size_t cap = q->cap == 0 ? 256 : q->cap * 2;
    sim_event *heap = realloc(q->heap, cap * sizeof(*heap));
    if (heap == NULL)
        return false;
    q->heap = heap;
    q->cap = cap;
    return true;
}

static void push(sim *s, sim_event e)
{
    sim_queue *q = &s->queue;
    if (q->count == q->cap && !grow(q)) {
        sim_packet_unref(e.packet);
        s->broken = true;
        return;
    }
    e.order = q->made++;
    size_t at = q->count++;
    while (at > 0 && is_before(&e, &q->heap[(at - 1) / 2])) {
        q->heap[at] = q->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    q->heap[at] = e;
}

void sim_after(sim *s, int64_t delay_us, sim_event_fn *fn, void *ctx, uint64_t arg)
{
    push(s, (sim_event){ .at_us = s->now_us + delay_us, .fn = fn, .ctx = ctx, .arg = arg });
}

void sim_after_packet(sim *s, int64_t delay_us, sim_event_fn *fn, sim_packet *p, uint64_t arg)
{
    push(s, (sim_event){ .at_us = s->now_us + delay_us, .fn = fn, .ctx = p, .arg = arg, .packet = p });
}

void sim_queue_free(sim_queue *q)
{
    for (size_t i = 0; i < q->count; i++)
        sim_packet_unref(q->heap[i].packet);
    free(q->heap);
}

bool sim_queue_pop(sim_queue *q, sim_event *out)
{
    if (q->count == 0)
        return false;
    *out = q->heap[0];
    sim_event last = q->heap[--q->count];
    size_t at = 0, child;
    while ((child = at * 2 + 1) < q->count) {
        if (child + 1 < q->count && is_before(&q->heap[child + 1], &q->heap[child]))
            child++;
        if (!is_before(&q->heap[child], &last))
            break;
        q->heap[at] = q->heap[child];
        at = child;
    }
    if (q->count > 0)
        q->heap[at] = last;
    return true;
}
