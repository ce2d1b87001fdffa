#include "pf/io/events.h"

#include <stdio.h>
#include <stdlib.h>

struct event_ring {
    void (*heard)(void *user);
    void *user;
    uint64_t last;
    uint32_t room;
    audit_event ring[]; /* number n stands at n % room */
};

poc_err events_new(event_ring **out, uint32_t kept)
{
    event_ring *e = (event_ring *)calloc(1, sizeof(*e) + (size_t)kept * sizeof(audit_event));
    *out = e;
    if (e == NULL)
        return POC_E_NOMEM;
    e->room = kept;
    return POC_OK;
}

void events_free(event_ring *e)
{
    free(e);
}

static void copy_name(char *out, size_t cap, const char *name)
{
    (void)snprintf(out, cap, "%s", name == NULL ? "" : name);
}

void events_put(event_ring *e, int64_t now_ms, const pocpf_effect *audit)
{
    audit_event *at = &e->ring[++e->last % e->room];
    *at = (audit_event){ .seq = e->last,
                         .at_ms = now_ms,
                         .what = audit->u.audit.what,
                         .reason = audit->u.audit.reason,
                         .msk_id = audit->u.audit.msk_id,
                         .count = audit->u.audit.count,
                         .total = audit->u.audit.total,
                         .detail = audit->u.audit.detail };
    copy_name(at->channel, sizeof(at->channel), audit->channel);
    copy_name(at->user, sizeof(at->user), audit->user);
    if (e->heard != NULL)
        e->heard(e->user);
}

static uint64_t first_kept(const event_ring *e)
{
    return e->last > e->room ? e->last - e->room + 1 : 1;
}

const audit_event *events_next(const event_ring *e, uint64_t after)
{
    if (after >= e->last)
        return NULL;
    uint64_t seq = after + 1 < first_kept(e) ? first_kept(e) : after + 1;
    return &e->ring[seq % e->room];
}

uint64_t events_last(const event_ring *e)
{
    return e->last;
}

uint64_t events_missed(const event_ring *e, uint64_t after)
{
    return after + 1 < first_kept(e) ? first_kept(e) - after - 1 : 0;
}

void events_listen(event_ring *e, void (*fn)(void *user), void *user)
{
    e->heard = fn;
    e->user = user;
}
