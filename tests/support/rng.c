#include "tests/support/rng.h"

/* SplitMix64: small, and good enough to decide which packet is lost. */
uint64_t test_rng_next(test_rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t test_rng_below(test_rng *r, uint64_t bound)
{
    return bound == 0 ? 0 : test_rng_next(r) % bound;
}

static poc_err fill(void *ctx, void *out, size_t n)
{
    uint8_t *to = out;
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(test_rng_next(ctx) >> 32);
    return POC_OK;
}

poc_rng test_rng_of(test_rng *r, uint64_t seed)
{
    r->state = seed;
    return (poc_rng){ fill, r };
}
