#include "pf/io/crew.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t wanted, done;
    void (*work)(void *ctx, size_t slice);
    void *ctx;
    size_t next, slices; /* the first that nobody has taken, and how many there are */
    size_t open;         /* not returned yet */
    bool is_ending;
    uint32_t helpers; /* that run */
    pthread_t helper[CREW_MAX - 1];
};

/* With the lock held, but for the work itself. */
static void take_slices(crew *c)
{
    while (c->next < c->slices) {
        size_t slice = c->next++;
        void (*work)(void *ctx, size_t slice) = c->work;
        void *ctx = c->ctx;
        (void)pthread_mutex_unlock(&c->lock);
        work(ctx, slice);
        (void)pthread_mutex_lock(&c->lock);
        if (--c->open == 0)
            (void)pthread_cond_signal(&c->done);
    }
}

static void *help(void *arg)
{
    crew *c = arg;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->is_ending) {
        take_slices(c);
        if (!c->is_ending)
            (void)pthread_cond_wait(&c->wanted, &c->lock);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

void crew_spread(void *of, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices)
{
    crew *c = of;
    (void)pthread_mutex_lock(&c->lock);
    c->work = work;
    c->ctx = ctx;
    c->next = 0;
    c->slices = c->open = slices;
    for (size_t i = 1; i < slices && i <= c->helpers; i++)
        (void)pthread_cond_signal(&c->wanted);
    take_slices(c);
    while (c->open > 0)
        (void)pthread_cond_wait(&c->done, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
}

/* Those that this process may run on, which a container can have fewer of than the machine. */
static uint32_t processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    const uint32_t n = (uint32_t)CPU_COUNT(&set);
    return n > CREW_MAX ? CREW_MAX : n;
}

static poc_err hire(crew *c, uint32_t helpers)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (c->helpers < helpers && pthread_create(&c->helper[c->helpers], NULL, help, c) == 0)
        c->helpers++;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return c->helpers == helpers ? POC_OK : POC_E_IO;
}

poc_err crew_new(crew **out, uint32_t threads)
{
    *out = NULL;
    if (threads > CREW_MAX)
        return POC_E_LIMIT;
    crew *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return POC_E_NOMEM;
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->wanted, NULL);
    (void)pthread_cond_init(&c->done, NULL);
    poc_err err = hire(c, (threads == 0 ? processors() : threads) - 1);
    if (err != POC_OK) {
        crew_free(c);
        return err;
    }
    *out = c;
    return POC_OK;
}

void crew_free(crew *c)
{
    if (c == NULL)
        return;
    (void)pthread_mutex_lock(&c->lock);
    c->is_ending = true;
    (void)pthread_cond_broadcast(&c->wanted);
    (void)pthread_mutex_unlock(&c->lock);
    for (uint32_t i = 0; i < c->helpers; i++)
        (void)pthread_join(c->helper[i], NULL);
    (void)pthread_cond_destroy(&c->done);
    (void)pthread_cond_destroy(&c->wanted);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

uint32_t crew_size(const crew *c)
{
    return c->helpers + 1;
}
