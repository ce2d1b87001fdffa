/* Chance that a test owns: the same seed gives the same octets. Never used outside tests and the simulated world. */
#ifndef TESTS_SUPPORT_RNG_H
#define TESTS_SUPPORT_RNG_H

#include "base/secret.h"

typedef struct test_rng {
    uint64_t state;
} test_rng;

/** A poc_rng over `r`, which it borrows. */
poc_rng test_rng_of(test_rng *r, uint64_t seed);
/** The next number. */
uint64_t test_rng_next(test_rng *r);
/** A number in [0, bound). */
uint64_t test_rng_below(test_rng *r, uint64_t bound);

#endif
