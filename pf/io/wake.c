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
};

static int on_expiry(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    wake *w = (wake *)arg;
    uint64_t expirations;
    (void)magic;
    (void)wait;
    if (read(w->fd, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
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
    *w = (wake){ .root = root, .fn = fn, .user = user, .wait_index = -1 };
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

/** Relative, in whole milliseconds and one nanosecond: zero would mean never. */
static void set_after(wake *w, int64_t wait_ms)
{
    struct itimerspec when = { .it_value = { .tv_sec = (time_t)(wait_ms / 1000),
                                             .tv_nsec = wait_ms % 1000 * 1000000 + 1 } };
    (void)timerfd_settime(w->fd, 0, &when, NULL);
}

void wake_at(wake *w, int64_t at_ms)
{
    static const struct itimerspec never = { 0 };
    if (at_ms == INT64_MAX) {
        (void)timerfd_settime(w->fd, 0, &never, NULL);
        return;
    }
    int64_t now_ms = io_now_ms();
    set_after(w, at_ms > now_ms ? at_ms - now_ms : 0);
}

void wake_soon(wake *w)
{
    set_after(w, 0);
}
