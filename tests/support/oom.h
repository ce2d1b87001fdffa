/* Memory that fails: runs a piece of work again and again, each time with the next allocation failing, until it has no
 * allocation left that could fail. Link test_oom behind the rooms under test: malloc, calloc and realloc of everything
 * linked statically then come through here (--wrap; works with the sanitizers). Memory taken inside shared libraries
 * (OpenSSL, libc's strdup) does not. */
#ifndef TESTS_SUPPORT_OOM_H
#define TESTS_SUPPORT_OOM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct oom_report {
    size_t runs;         /* how often the work was done: its allocations and one */
    poc_err err;         /* what the last run returned */
    size_t secrets_left; /* by the last run */
} oom_report;

/** True when every run with a failed allocation returned POC_E_NOMEM (or POC_OK, having done without) and left no secret,
 *  and the run without one returned POC_OK. Stops at the first run that did not: `report` says what happened. Leaks of
 *  plain memory are LeakSanitizer's to find. */
bool oom_every_allocation(poc_err (*work)(void *ctx), void *ctx, oom_report *report);

/** The n-th allocation of this thread from now on fails, once; 0: none. */
void oom_arm(size_t n);
/** Back to normal; true when an allocation has failed since oom_arm. */
bool oom_disarm(void);

/** Before anything else in the program: libxml2, a shared library, takes its memory from here too, and writes no errors. */
bool oom_xml_begin(void);
void oom_xml_end(void);

#endif
