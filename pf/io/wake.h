/* A call from the loop at a time that may be changed as often as one likes. A timerfd instead of su_timer_t: a su_timer that
 * is set anew while it runs is sometimes lost in the heap of Sofia-SIP 1.12.11. Private to pf/io. */
#ifndef PF_IO_WAKE_H
#define PF_IO_WAKE_H

#include <sofia-sip/su_wait.h>
#include <stdint.h>

#include "base/err.h"

typedef struct wake wake;
typedef void wake_fn(void *user);

/** Set to no time. POC_E_IO, POC_E_NOMEM. */
poc_err wake_new(wake **out, su_root_t *root, wake_fn *fn, void *user);
/** Also from inside its own call. NULL is fine. */
void wake_free(wake *w);
/** Calls once, `at_ms` by io_now_ms; at once when that has passed; INT64_MAX: not at all. Replaces an earlier time. */
void wake_at(wake *w, int64_t at_ms);
/** Calls once as soon as the loop turns. */
void wake_soon(wake *w);

#endif
