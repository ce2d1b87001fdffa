/* The keeper's thread, and how what it has gathered reaches the loop. */
#include "pf/io/mcx_keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "pf/io/config_private.h"
#include "pf/io/mcx_keeper_private.h"
#include "pf/io/now.h"

/* ---- what is kept ---- */

static void kept_free(kept *item)
{
    pocpf_mcx_keys_free(item->keys);
    pocpf_mcx_kms_free(item->kms);
    free(item->revoked);
    free(item);
}

/** With the lock held. */
static void sweep(mcx_keeper *k)
{
    kept **at = &k->first;
    while (*at != NULL) {
        kept *item = *at;
        if (!item->is_over || !item->is_told) {
            at = &item->next;
            continue;
        }
        *at = item->next;
        kept_free(item);
    }
    k->last = at;
}

/** Our tables are shared with the newest keys of all; the engine has references of its own. */
static bool takes_place_of(const kept *item, const kept *old)
{
    return item->keys != NULL && old->keys != NULL && item->identity == old->identity && old->number < item->number;
}

void keeper_tell(mcx_keeper *k, kept *item)
{
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&k->lock);
    for (kept *old = k->first; old != NULL; old = old->next)
        old->is_over = old->is_over || (old->keys != k->like && takes_place_of(item, old));
    item->is_over = item->keys == NULL; /* the thread has no more use of it */
    *k->last = item;
    k->last = &item->next;
    sweep(k);
    (void)pthread_mutex_unlock(&k->lock);
    (void)!write(k->event_fd, &one, sizeof(one)); /* the count is far from full */
}

void keeper_forget_keys(mcx_keeper *k)
{
    (void)pthread_mutex_lock(&k->lock);
    k->like = NULL;
    for (kept *item = k->first; item != NULL; item = item->next)
        item->is_over = true;
    sweep(k);
    (void)pthread_mutex_unlock(&k->lock);
}

/* ---- the loop's side ---- */

static void tell(const mcx_keeper *k, const kept *item)
{
    if (item->keys != NULL)
        k->events.keys(k->user, item->keys, item->signs);
    else if (item->kms != NULL)
        k->events.kms(k->user, item->kms);
    else if (k->events.revoked != NULL)
        k->events.revoked(k->user, item->revoked);
}

/** What is untold is not freed by the thread: so it can be looked at without the lock. */
static kept *next_untold(mcx_keeper *k, kept *told)
{
    (void)pthread_mutex_lock(&k->lock);
    if (told != NULL) {
        told->is_told = true;
        sweep(k);
    }
    kept *item = k->first;
    while (item != NULL && item->is_told)
        item = item->next;
    (void)pthread_mutex_unlock(&k->lock);
    return item;
}

static int on_event(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    mcx_keeper *k = (mcx_keeper *)arg;
    uint64_t count;
    (void)magic;
    (void)wait;
    if (read(k->event_fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
        return 0;
    for (kept *item = next_untold(k, NULL); item != NULL; item = next_untold(k, item))
        tell(k, item);
    return 0;
}

mcx_keeper_counts mcx_keeper_look(mcx_keeper *k)
{
    (void)pthread_mutex_lock(&k->lock);
    const mcx_keeper_counts counts = k->counts;
    (void)pthread_mutex_unlock(&k->lock);
    return counts;
}

/* ---- the thread ---- */

static struct timespec at_monotonic(int64_t wait_ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(wait_ms / 1000);
    t.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

static void wait_until(mcx_keeper *k, int64_t at_ms)
{
    const int64_t now_ms = io_now_ms();
    const struct timespec until = at_monotonic(at_ms > now_ms ? at_ms - now_ms : 0);
    (void)pthread_mutex_lock(&k->lock);
    while (!atomic_load(&k->is_ending) && pthread_cond_timedwait(&k->changed, &k->lock, &until) != ETIMEDOUT)
        continue;
    (void)pthread_mutex_unlock(&k->lock);
}

static void *run(void *arg)
{
    mcx_keeper *k = (mcx_keeper *)arg;
    while (!atomic_load(&k->is_ending))
        wait_until(k, keeper_turn(k));
    return NULL;
}

/* ---- life ---- */

static poc_err watch(mcx_keeper *k)
{
    su_wait_t wait = SU_WAIT_INIT;
    if ((k->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
        su_wait_create(&wait, k->event_fd, SU_WAIT_IN) != 0)
        return POC_E_IO;
    k->wait_index = su_root_register(k->root, &wait, on_event, k, 0);
    return k->wait_index > 0 ? POC_OK : POC_E_IO;
}

static void make_lock(mcx_keeper *k)
{
    pthread_condattr_t clock;
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&k->lock, NULL);
    (void)pthread_cond_init(&k->changed, &clock);
    (void)pthread_condattr_destroy(&clock);
}

static poc_err start(mcx_keeper *k, char why[CONFIG_WHY_MAX])
{
    if (k->own == NULL)
        POC_TRY(mcx_ask_new(&k->ask, k->c, &k->is_ending));
    poc_err err = watch(k);
    if (err == POC_OK && pthread_create(&k->thread, NULL, run, k) != 0)
        err = POC_E_IO;
    k->has_thread = err == POC_OK;
    if (err != POC_OK)
        (void)config_fail(why, "pocpfd", 0, "no thread for the keys of mission critical services: %s", strerror(errno));
    return err;
}

poc_err mcx_keeper_new(mcx_keeper **out, su_root_t *root, const config *c, const mcx_kms_service *own,
                       const mcx_keeper_events *events, void *user, char why[CONFIG_WHY_MAX])
{
    mcx_keeper *k = (mcx_keeper *)calloc(1, sizeof(*k));
    *out = NULL;
    if (k == NULL)
        return POC_E_NOMEM;
    k->c = c;
    k->own = own;
    k->root = root;
    k->events = *events;
    k->user = user;
    k->last = &k->first;
    k->event_fd = k->wait_index = -1;
    make_lock(k);
    const poc_err err = c->mcx.identities.count > KEEPER_IDENTITIES_MAX ? POC_E_LIMIT : start(k, why);
    if (err != POC_OK) {
        mcx_keeper_free(k);
        return err;
    }
    *out = k;
    return POC_OK;
}

void mcx_keeper_free(mcx_keeper *k)
{
    if (k == NULL)
        return;
    (void)pthread_mutex_lock(&k->lock);
    atomic_store(&k->is_ending, true);
    (void)pthread_cond_signal(&k->changed);
    (void)pthread_mutex_unlock(&k->lock);
    if (k->has_thread)
        (void)pthread_join(k->thread, NULL);
    if (k->wait_index > 0)
        (void)su_root_deregister(k->root, k->wait_index);
    if (k->event_fd >= 0)
        (void)close(k->event_fd);
    for (kept *item = k->first, *next; item != NULL; item = next) {
        next = item->next;
        kept_free(item);
    }
    mcx_ask_free(k->ask);
    (void)pthread_cond_destroy(&k->changed);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}
