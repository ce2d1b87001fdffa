/* The last audit events, numbered, for who comes later to ask: a ring of bounded size. Refusals are not kept, since peers can
 * cause them at will and would wash out the rest; they are counted (log.h). Private to pf/io. */
#ifndef PF_IO_EVENTS_H
#define PF_IO_EVENTS_H

#include "base/err.h"
#include "base/text.h"
#include "pocpf/pocpf.h"

typedef struct audit_event {
    uint64_t seq; /* 1, 2, ... since the start of the process */
    int64_t at_ms;
    pocpf_audit what;
    pocpf_reason reason;
    uint32_t msk_id; /* 0: none */
    uint32_t count, total;
    const char *detail; /* constant text, or NULL */
    char channel[64];   /* "" where none is concerned */
    char user[POC_URI_MAX];
} audit_event;

typedef struct event_ring event_ring;

/** Room for `kept` events, at least one. */
poc_err events_new(event_ring **out, uint32_t kept);
void events_free(event_ring *e);
/** Keeps an AUDIT effect, in place of the oldest when there is no room. */
void events_put(event_ring *e, int64_t now_ms, const pocpf_effect *audit);
/** The oldest kept event behind `after`, or NULL; borrowed until the next events_put. */
const audit_event *events_next(const event_ring *e, uint64_t after);
/** Number of the newest event; 0: none yet. */
uint64_t events_last(const event_ring *e);
/** How many events behind `after` are kept no longer. */
uint64_t events_missed(const event_ring *e, uint64_t after);
/** `fn` is called behind every events_put; it must not put events itself. NULL: nobody listens. */
void events_listen(event_ring *e, void (*fn)(void *user), void *user);

#endif
