#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Slots of one size in locked pages: a million members' keys cost no allocation each, and one lock call covers 600. */
enum { ARENA_SIZE = 64 * 1024 };

struct poc_secret {
    atomic_uint owners;
    uint32_t len;
    poc_secret *next_free;
    uint8_t bytes[POC_SECRET_MAX];
};

static pthread_mutex_t arena_lock = PTHREAD_MUTEX_INITIALIZER;
static poc_secret *free_slots;
static size_t live_count;

/* Called with arena_lock held. Locking may be refused by a resource limit: the key is then still wiped and still left
 * out of core dumps, and the daemon reports the limit at start. */
static bool arena_grow(void)
{
    poc_secret *slots = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slots == MAP_FAILED)
        return false;
    (void)mlock(slots, ARENA_SIZE);
    (void)madvise(slots, ARENA_SIZE, MADV_DONTDUMP);
    (void)madvise(slots, ARENA_SIZE, MADV_DONTFORK);
    for (size_t i = 0; i < ARENA_SIZE / sizeof(*slots); i++) {
        slots[i].next_free = free_slots;
        free_slots = &slots[i];
    }
    return true;
}

poc_err poc_secret_new(poc_secret **out, size_t len)
{
    *out = NULL;
    if (len == 0 || len > POC_SECRET_MAX)
        return POC_E_LIMIT;
    pthread_mutex_lock(&arena_lock);
    if (free_slots == NULL && !arena_grow()) {
        pthread_mutex_unlock(&arena_lock);
        return POC_E_NOMEM;
    }
    poc_secret *s = free_slots;
    free_slots = s->next_free;
    live_count++;
    pthread_mutex_unlock(&arena_lock);
    atomic_store(&s->owners, 1);
    s->len = (uint32_t)len;
    *out = s;
    return POC_OK;
}

poc_err poc_secret_from(poc_secret **out, const void *bytes, size_t len)
{
    POC_TRY(poc_secret_new(out, len));
    memcpy((*out)->bytes, bytes, len);
    return POC_OK;
}

poc_err poc_secret_random(poc_secret **out, size_t len, const poc_rng *rng)
{
    POC_OWNED(poc_secret, s, poc_secret_free);
    *out = NULL;
    POC_TRY(poc_secret_new(&s, len));
    POC_TRY(rng->fill(rng->ctx, s->bytes, len));
    *out = POC_RELEASE(s);
    return POC_OK;
}

poc_secret *poc_secret_ref(poc_secret *s)
{
    if (s != NULL)
        atomic_fetch_add(&s->owners, 1);
    return s;
}

void poc_secret_free(poc_secret *s)
{
    if (s == NULL || atomic_fetch_sub(&s->owners, 1) != 1)
        return;
    poc_wipe(s->bytes, sizeof(s->bytes));
    pthread_mutex_lock(&arena_lock);
    s->next_free = free_slots;
    free_slots = s;
    live_count--;
    pthread_mutex_unlock(&arena_lock);
}

const uint8_t *poc_secret_bytes(const poc_secret *s)
{
    return s->bytes;
}

uint8_t *poc_secret_edit(poc_secret *s)
{
    return s->bytes;
}

size_t poc_secret_len(const poc_secret *s)
{
    return s->len;
}

poc_span poc_secret_span(const poc_secret *s)
{
    return poc_span_of(s->bytes, s->len);
}

bool poc_secret_eq(const poc_secret *a, const poc_secret *b)
{
    return a->len == b->len && CRYPTO_memcmp(a->bytes, b->bytes, a->len) == 0;
}

void poc_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

size_t poc_secret_live_count(void)
{
    pthread_mutex_lock(&arena_lock);
    size_t n = live_count;
    pthread_mutex_unlock(&arena_lock);
    return n;
}

/* One draw of RAND_bytes costs 500 ns whatever its size: keys come from a per-thread pool that is wiped as it is used. */
enum { POOL_SIZE = 4096 };
static _Thread_local struct {
    uint8_t bytes[POOL_SIZE];
    size_t left;
} pool;

static poc_err system_fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    if (n > POOL_SIZE)
        return n <= INT32_MAX && RAND_bytes(out, (int)n) == 1 ? POC_OK : POC_E_IO;
    if (pool.left < n) {
        if (RAND_bytes(pool.bytes, POOL_SIZE) != 1)
            return POC_E_IO;
        pool.left = POOL_SIZE;
    }
    uint8_t *from = pool.bytes + (POOL_SIZE - pool.left);
    memcpy(out, from, n);
    poc_wipe(from, n);
    pool.left -= n;
    return POC_OK;
}

const poc_rng poc_rng_system = { system_fill, NULL };
