/* Numbers of 256 bits, for both files of P-256: the least significant word first. Private to them. */
#ifndef BASE_P256_WORDS_H
#define BASE_P256_WORDS_H

#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 wide;

enum { P256_WORDS = 4 };

/* The whole of a b, in constant time. */
static inline __attribute__((always_inline)) void
p256_product(uint64_t out[2 * P256_WORDS], const uint64_t a[P256_WORDS], const uint64_t b[P256_WORDS])
{
    wide x = 0;
#pragma GCC unroll 4
    for (size_t j = 0; j < P256_WORDS; j++) {
        x = (wide)a[j] * b[0] + (uint64_t)(x >> 64);
        out[j] = (uint64_t)x;
    }
    out[P256_WORDS] = (uint64_t)(x >> 64);
#pragma GCC unroll 4
    for (size_t i = 1; i < P256_WORDS; i++) {
        x = 0;
#pragma GCC unroll 4
        for (size_t j = 0; j < P256_WORDS; j++) {
            x = (wide)a[j] * b[i] + out[i + j] + (uint64_t)(x >> 64);
            out[i + j] = (uint64_t)x;
        }
        out[i + P256_WORDS] = (uint64_t)(x >> 64);
    }
}

/* a a, for ten multiplications. */
static inline __attribute__((always_inline)) void p256_square(uint64_t out[2 * P256_WORDS],
                                                              const uint64_t a[P256_WORDS])
{
    wide x = (wide)a[0] * a[1];
    out[1] = (uint64_t)x;
    x = (wide)a[0] * a[2] + (uint64_t)(x >> 64);
    out[2] = (uint64_t)x;
    x = (wide)a[0] * a[3] + (uint64_t)(x >> 64);
    out[3] = (uint64_t)x;
    out[4] = (uint64_t)(x >> 64);
    x = (wide)a[1] * a[2] + out[3];
    out[3] = (uint64_t)x;
    x = (wide)a[1] * a[3] + out[4] + (uint64_t)(x >> 64);
    out[4] = (uint64_t)x;
    x = (wide)a[2] * a[3] + (uint64_t)(x >> 64);
    out[5] = (uint64_t)x;
    out[6] = (uint64_t)(x >> 64);
    out[7] = out[6] >> 63; /* what is twice there so far is doubled */
#pragma GCC unroll 5
    for (size_t i = 6; i > 1; i--)
        out[i] = out[i] << 1 | out[i - 1] >> 63;
    out[1] <<= 1;
    out[0] = 0;
    uint64_t carry = 0;
#pragma GCC unroll 4
    for (size_t i = 0; i < P256_WORDS; i++) {
        const wide square = (wide)a[i] * a[i];
        x = (wide)out[2 * i] + (uint64_t)square + carry;
        out[2 * i] = (uint64_t)x;
        x = (wide)out[2 * i + 1] + (uint64_t)(square >> 64) + (uint64_t)(x >> 64);
        out[2 * i + 1] = (uint64_t)x;
        carry = (uint64_t)(x >> 64);
    }
}

#endif
