#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Slots of two sizes in locked pages: a million members' keys cost no allocation each, and one lock call covers 600. */
enum { ARENA_SIZE = 64 * 1024, SMALL = 64 };

struct poc_secret {
    atomic_uint owners;
    uint32_t len;
    poc_secret *next_free;
    uint8_t bytes[];
};

typedef struct arena {
    size_t room; /* octets of a secret */
    poc_secret *free_slots;
} arena;

static pthread_mutex_t arena_lock = PTHREAD_MUTEX_INITIALIZER;
static arena arenas[] = { { SMALL, NULL }, { POC_SECRET_MAX, NULL } };
static size_t live_count;

static arena *arena_for(size_t len)
{
    return &arenas[len > SMALL];
}

/* Locking may be refused by a resource limit: the key is then still wiped and still left out of core dumps, and the daemon
 * reports the limit at start. */
static void *locked_pages(size_t n)
{
    void *pages = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    (void)mlock(pages, n);
    (void)madvise(pages, n, MADV_DONTDUMP);
    (void)madvise(pages, n, MADV_DONTFORK);
    return pages;
}

/* Called with arena_lock held. */
static bool arena_grow(arena *a)
{
    const size_t slot_size = sizeof(poc_secret) + a->room;
    uint8_t *pages = locked_pages(ARENA_SIZE);
    if (pages == NULL)
        return false;
    for (size_t at = 0; at + slot_size <= ARENA_SIZE; at += slot_size) {
        poc_secret *slot = (poc_secret *)(void *)(pages + at);
        slot->next_free = a->free_slots;
        a->free_slots = slot;
    }
    return true;
}

poc_err poc_secret_new(poc_secret **out, size_t len)
{
    *out = NULL;
    if (len == 0 || len > POC_SECRET_MAX)
        return POC_E_LIMIT;
    arena *a = arena_for(len);
    pthread_mutex_lock(&arena_lock);
    if (a->free_slots == NULL && !arena_grow(a)) {
        pthread_mutex_unlock(&arena_lock);
        return POC_E_NOMEM;
    }
    poc_secret *s = a->free_slots;
    a->free_slots = s->next_free;
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
    arena *a = arena_for(s->len);
    poc_wipe(s->bytes, a->room);
    pthread_mutex_lock(&arena_lock);
    s->next_free = a->free_slots;
    a->free_slots = s;
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

/* The size stands in front of what the caller gets, in a line of its own. */
enum { VAULT_HEAD = 64 };

void *poc_vault_new(size_t n)
{
    if (n > SIZE_MAX - VAULT_HEAD)
        return NULL;
    uint8_t *pages = locked_pages(VAULT_HEAD + n);
    if (pages == NULL)
        return NULL;
    memcpy(pages, &n, sizeof(n));
    return pages + VAULT_HEAD;
}

void poc_vault_free(void *vault)
{
    size_t n;
    if (vault == NULL)
        return;
    uint8_t *pages = (uint8_t *)vault - VAULT_HEAD;
    memcpy(&n, pages, sizeof(n));
    poc_wipe(vault, n);
    (void)munmap(pages, VAULT_HEAD + n);
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
