#include "pf/io/wake.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "pf/io/now.h"

#define NEVER INT64_MAX

/* A timer for later and a bell for now: setting a timer is dear, on virtual machines above all, and deadlines move with every
 * event. So the timer is only set to an earlier time, and who is woken looks whether his time has come. */
struct wake {
    su_root_t *root;
    wake_fn *fn;
    void *user;
    int timer_fd, timer_index, bell_fd, bell_index;
    int64_t wanted_ms; /* when fn is to be called */
    int64_t timer_ms;  /* when the timer goes off */
    bool is_rung;
};

/** Relative, in whole milliseconds and one nanosecond: zero would mean never. */
static void timer_set(wake *w, int64_t at_ms, int64_t now_ms)
{
    const struct itimerspec when = { .it_value = { .tv_sec = (time_t)((at_ms - now_ms) / 1000),
                                                   .tv_nsec = (at_ms - now_ms) % 1000 * 1000000 + 1 } };
    (void)timerfd_settime(w->timer_fd, 0, &when, NULL);
    w->timer_ms = at_ms;
}

static void ring(wake *w)
{
    const uint64_t one = 1;
    w->is_rung = write(w->bell_fd, &one, sizeof(one)) == (ssize_t)sizeof(one);
}

static bool is_heard(int fd)
{
    uint64_t count;
    return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static void look(wake *w)
{
    if (w->wanted_ms > io_now_ms()) {
        wake_at(w, w->wanted_ms);
        return;
    }
    w->wanted_ms = NEVER;
    w->fn(w->user); /* last: may free w */
}

static int on_timer(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    wake *w = (wake *)arg;
    (void)magic;
    (void)wait;
    if (is_heard(w->timer_fd)) {
        w->timer_ms = NEVER;
        look(w);
    }
    return 0;
}

static int on_bell(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    wake *w = (wake *)arg;
    (void)magic;
    (void)wait;
    if (is_heard(w->bell_fd)) {
        w->is_rung = false;
        look(w);
    }
    return 0;
}

/** The index of the registration, at most 0 when there is none. */
static int watch(wake *w, int fd, su_wakeup_f heard)
{
    su_wait_t wait = SU_WAIT_INIT;
    if (fd < 0 || su_wait_create(&wait, fd, SU_WAIT_IN) != 0)
        return -1;
    return su_root_register(w->root, &wait, heard, w, 0);
}

poc_err wake_new(wake **out, su_root_t *root, wake_fn *fn, void *user)
{
    wake *w = (wake *)calloc(1, sizeof(*w));
    *out = NULL;
    if (w == NULL)
        return POC_E_NOMEM;
    *w = (wake){ .root = root, .fn = fn, .user = user, .wanted_ms = NEVER, .timer_ms = NEVER };
    w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    w->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w->timer_index = watch(w, w->timer_fd, on_timer);
    w->bell_index = watch(w, w->bell_fd, on_bell);
    if (w->timer_index <= 0 || w->bell_index <= 0) {
        wake_free(w);
        return POC_E_IO;
    }
    *out = w;
    return POC_OK;
}

static void forget(wake *w, int index, int fd)
{
    if (index > 0)
        (void)su_root_deregister(w->root, index);
    if (fd >= 0)
        (void)close(fd);
}

void wake_free(wake *w)
{
    if (w == NULL)
        return;
    forget(w, w->timer_index, w->timer_fd);
    forget(w, w->bell_index, w->bell_fd);
    free(w);
}

void wake_at(wake *w, int64_t at_ms)
{
    w->wanted_ms = at_ms;
    if (w->is_rung || at_ms >= w->timer_ms)
        return;
    const int64_t now_ms = io_now_ms();
    if (at_ms > now_ms)
        timer_set(w, at_ms, now_ms);
    else
        ring(w);
}

void wake_soon(wake *w)
{
    wake_at(w, INT64_MIN);
}
