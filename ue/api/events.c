#include <stdlib.h>
#include <string.h>

#include "ue/api/inside.h"

struct event_node {
    event_node *next;
    pocue_event event;
    uint8_t payload[];
};

static event_node *take_first(events *e)
{
    event_node *node = e->first;
    e->first = node->next;
    if (e->first == NULL)
        e->last = NULL;
    e->count--;
    return node;
}

/* What its owner must act upon: to listen, to stop listening, to know what it holds and where it is registered. */
static bool is_promised(const pocue_event *event)
{
    return event->type == POCUE_JOIN_GROUP || event->type == POCUE_LEAVE_GROUP || event->type == POCUE_KEY ||
           event->type >= POCUE_REGISTERED;
}

static event_node *spare_take(events *e)
{
    event_node *node = e->spare;
    if (node != NULL) {
        e->spare = node->next;
        e->spare_count--;
    }
    return node;
}

poc_err ue_events_reserve(events *e, size_t n)
{
    while (e->spare_count < n) {
        event_node *node = malloc(sizeof(*node));
        if (node == NULL)
            return POC_E_NOMEM;
        node->next = e->spare;
        e->spare = node;
        e->spare_count++;
    }
    return POC_OK;
}

void ue_events_push(events *e, const pocue_event *event)
{
    size_t n = event->payload.n;
    event_node *node = malloc(sizeof(*node) + n);
    if (node == NULL && is_promised(event)) {
        node = spare_take(e);
        n = 0; /* for which a spare one has no room */
    }
    if (node == NULL) {
        e->lost++;
        return;
    }
    node->next = NULL;
    node->event = *event;
    if (n > 0)
        memcpy(node->payload, event->payload.p, n);
    node->event.payload = poc_span_of(node->payload, n);
    if (e->count == EVENTS_MAX) {
        free(take_first(e));
        e->lost++;
    }
    if (e->last != NULL)
        e->last->next = node;
    else
        e->first = node;
    e->last = node;
    e->count++;
}

void ue_events_done(events *e)
{
    while (e->first != NULL)
        free(take_first(e));
    while (e->spare != NULL)
        free(spare_take(e));
    free(e->given);
    e->given = NULL;
}

bool pocue_poll(pocue *ue, pocue_event *out)
{
    events *e = &ue->events;
    free(e->given);
    e->given = NULL;
    if (e->first == NULL)
        return false;
    e->given = take_first(e);
    *out = e->given->event;
    return true;
}

uint64_t pocue_events_lost(const pocue *ue)
{
    return ue->events.lost;
}
