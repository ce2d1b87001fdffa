/* The times of a sip: session intervals, offers, subscriptions, thousands of them on one wake. A heap of our own, since that
 * of su_timer loses order when a timer inside it is removed or set anew (see wake.h); Sofia's own few
 * su_timers, of its transactions and transports, are better off without ours among them. */
#include <stdlib.h>

#include "pf/io/sip_private.h"

/* Children of heap[i]: 2i + 1 and 2i + 2. timer.place is one more than its index; 0: not set. */

static void put(sip *s, size_t at, sip_timer *t)
{
    s->times[at] = t;
    t->place = at + 1;
}

static void sift_up(sip *s, size_t at, sip_timer *t)
{
    for (; at > 0 && t->at_ms < s->times[(at - 1) / 2]->at_ms; at = (at - 1) / 2)
        put(s, at, s->times[(at - 1) / 2]);
    put(s, at, t);
}

static void sift_down(sip *s, size_t at, sip_timer *t)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < s->times_set && s->times[child + 1]->at_ms < s->times[child]->at_ms)
            child++;
        if (child >= s->times_set || s->times[child]->at_ms >= t->at_ms)
            break;
        put(s, at, s->times[child]);
        at = child;
    }
    put(s, at, t);
}

static void leave(sip_timer *t)
{
    sip *s = t->sip;
    size_t at = t->place - 1;
    sip_timer *last = s->times[--s->times_set];
    t->place = 0;
    if (last == t)
        return;
    if (at > 0 && last->at_ms < s->times[(at - 1) / 2]->at_ms)
        sift_up(s, at, last);
    else
        sift_down(s, at, last);
}

static void wake_for_first(sip *s)
{
    wake_at(s->clock, s->times_set > 0 ? s->times[0]->at_ms : INT64_MAX);
}

poc_err sip_timer_make(sip_timer *t, sip *s, sip_timer_fn *fn, void *arg)
{
    /* Room for every timer there is, so that setting one cannot fail. */
    if (s->times_made == s->times_cap) {
        size_t cap = s->times_cap != 0 ? 2 * s->times_cap : 64;
        sip_timer **times = realloc(s->times, cap * sizeof(*times));
        if (times == NULL)
            return POC_E_NOMEM;
        s->times = times;
        s->times_cap = cap;
    }
    s->times_made++;
    *t = (sip_timer){ .sip = s, .fn = fn, .arg = arg };
    return POC_OK;
}

void sip_timer_done(sip_timer *t)
{
    if (t->sip == NULL)
        return;
    sip_timer_stop(t);
    t->sip->times_made--;
    t->sip = NULL;
}

void sip_timer_at(sip_timer *t, int64_t at_ms)
{
    sip *s = t->sip;
    if (t->place != 0)
        leave(t);
    t->at_ms = at_ms;
    sift_up(s, s->times_set++, t);
    wake_for_first(s);
}

void sip_timer_stop(sip_timer *t)
{
    if (t->place != 0)
        leave(t);
}

void sip_timers_due(void *user)
{
    sip *s = user;
    int64_t now_ms = sip_now_ms();
    /* No more calls than timers stood at the start: one that sets itself anew waits for the next turn of the loop. */
    for (size_t left = s->times_set; left > 0 && s->times_set > 0 && s->times[0]->at_ms <= now_ms; left--) {
        sip_timer *first = s->times[0];
        leave(first);
        first->fn(first->arg);
    }
    wake_for_first(s);
}
