/* A few threads that help the loop with pure computing: they wait for work that can be cut into slices, do it together with
 * the one who brings it, and know nothing of what it is. Nothing is allocated for a piece of work. Private to pf/io; pocbench
 * measures with it. */
#ifndef PF_IO_CREW_H
#define PF_IO_CREW_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CREW_MAX 64u

typedef struct crew crew;

/** `threads` counts the caller of crew_spread; 0: as many as the process has processors, at most CREW_MAX. Signals are not
 *  for them. POC_E_LIMIT: more than CREW_MAX; POC_E_IO: the system gives no more threads. */
poc_err crew_new(crew **out, uint32_t threads);
/** Waits until the threads have ended; not while one spreads. NULL is fine. */
void crew_free(crew *c);
/** With the caller. */
uint32_t crew_size(const crew *c);

/** Calls work(ctx, 0) to work(ctx, slices - 1), the caller doing its share, and returns when all have returned: what they
 *  wrote is then the caller's to read. From one thread at a time, not from inside `work`. `of` is a crew: this is the hook
 *  of pocpf_host. */
void crew_spread(void *of, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices);

#endif
