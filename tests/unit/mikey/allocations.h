/* Counts every allocation of a test program, OpenSSL's included. Link with --wrap for malloc, calloc and realloc. */
#ifndef TESTS_UNIT_MIKEY_ALLOCATIONS_H
#define TESTS_UNIT_MIKEY_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

/** Before anything else in main: false when OpenSSL has allocated already. */
bool allocations_watch(void);
/** Made so far. */
size_t allocations_made(void);

#endif
