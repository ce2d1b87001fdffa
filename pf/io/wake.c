#include "pf/io/wake.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "pf/io/now.h"

struct wake {
    su_root_t *root;
    wake_fn *fn;
    void *user;
    int fd, wait_index;
    int64_t wanted_ms; /* when fn is to be called */
    int64_t
        armed_ms; /* when the timer goes off: then, or before; deadlines move with every event, and setting it is a call
                          of the system */
};

#define SOON  INT64_MIN
#define NEVER INT64_MAX

/** Relative, in whole milliseconds and one nanosecond: zero would mean never. */
static void arm(wake *w, int64_t at_ms)
{
    const int64_t now_ms = io_now_ms(), wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    const struct itimerspec when = { .it_value = { .tv_sec = (time_t)(wait_ms / 1000),
                                                   .tv_nsec = wait_ms % 1000 * 1000000 + 1 } };
    (void)timerfd_settime(w->fd, 0, &when, NULL);
    w->armed_ms = at_ms;
}

static int on_expiry(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    wake *w = (wake *)arg;
    uint64_t expirations;
    (void)magic;
    (void)wait;
    if (read(w->fd, &expirations, sizeof(expirations)) != (ssize_t)sizeof(expirations))
        return 0;
    w->armed_ms = NEVER;
    if (w->wanted_ms > io_now_ms()) {
        wake_at(w, w->wanted_ms);
        return 0;
    }
    w->wanted_ms = NEVER;
    w->fn(w->user); /* last: may free w */
    return 0;
}

poc_err wake_new(wake **out, su_root_t *root, wake_fn *fn, void *user)
{
    su_wait_t wait = SU_WAIT_INIT;
    wake *w = (wake *)calloc(1, sizeof(*w));
    *out = NULL;
    if (w == NULL)
        return POC_E_NOMEM;
    *w = (wake){ .root = root, .fn = fn, .user = user, .wait_index = -1, .wanted_ms = NEVER, .armed_ms = NEVER };
    w->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (w->fd >= 0 && su_wait_create(&wait, w->fd, SU_WAIT_IN) == 0)
        w->wait_index = su_root_register(root, &wait, on_expiry, w, 0);
    if (w->wait_index <= 0) {
        wake_free(w);
        return POC_E_IO;
    }
    *out = w;
    return POC_OK;
}

void wake_free(wake *w)
{
    if (w == NULL)
        return;
    if (w->wait_index > 0)
        (void)su_root_deregister(w->root, w->wait_index);
    if (w->fd >= 0)
        (void)close(w->fd);
    free(w);
}

void wake_at(wake *w, int64_t at_ms)
{
    w->wanted_ms = at_ms;
    if (at_ms < w->armed_ms)
        arm(w, at_ms);
}

void wake_soon(wake *w)
{
    wake_at(w, SOON);
}
