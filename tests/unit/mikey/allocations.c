#include "tests/unit/mikey/allocations.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static size_t allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t n);

void *__wrap_malloc(size_t n)
{
    allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    allocations++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t n)
{
    allocations++;
    return __real_realloc(at, n);
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return __wrap_malloc(n);
}

static void *openssl_realloc(void *at, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return __wrap_realloc(at, n);
}

static void openssl_free(void *at, const char *file, int line)
{
    (void)file, (void)line;
    free(at);
}

bool allocations_watch(void)
{
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}

size_t allocations_made(void)
{
    return allocations;
}
