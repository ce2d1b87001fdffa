#include "tests/support/oom.h"

#include <errno.h>

#include "base/secret.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);

/* Of the thread under test only: helpers of a sanitizer or a library go on undisturbed. */
static _Thread_local size_t until_failure;
static _Thread_local bool has_failed;

static bool fails_now(void)
{
    if (until_failure == 0 || --until_failure > 0)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
    return fails_now() ? NULL : __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails_now() ? NULL : __real_realloc(p, n);
}

void oom_arm(size_t n)
{
    until_failure = n;
    has_failed = false;
}

bool oom_disarm(void)
{
    until_failure = 0;
    return has_failed;
}

bool oom_every_allocation(poc_err (*work)(void *ctx), void *ctx, oom_report *report)
{
    const size_t secrets = poc_secret_live_count();
    for (size_t n = 1;; n++) {
        oom_arm(n);
        poc_err err = work(ctx);
        bool failed = oom_disarm();
        *report = (oom_report){ n, err, poc_secret_live_count() - secrets };
        if (report->secrets_left != 0 || (err != POC_OK && (!failed || err != POC_E_NOMEM)))
            return false;
        if (!failed)
            return true;
    }
}
