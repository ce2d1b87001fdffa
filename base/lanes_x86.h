/* What the kernels for x86-64 share, private to this room. */
#ifndef BASE_LANES_X86_H
#define BASE_LANES_X86_H

#if defined(__x86_64__)
#include <immintrin.h>

#include "base/lanes.h"

extern const poc_lanes_kernel poc_lanes_kernel_sha_ni, poc_lanes_kernel_avx512;

#define LANES_AES __attribute__((always_inline, target("sse4.1,aes"))) static inline

/* The next round key. AESENCLAST of a register whose columns are all alike is SubWord, without the slow AESKEYGENASSIST
 * (FIPS 197 5.2). */
LANES_AES __m128i lanes_next_key(__m128i key, int round_constant)
{
    const __m128i rotated = _mm_shuffle_epi8(key, _mm_set1_epi32(0x0c0f0e0d));
    const __m128i last = _mm_aesenclast_si128(rotated, _mm_set1_epi32(round_constant));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, last);
}

typedef struct lanes_stream {
    __m128i key, a, b; /* a round key and the two blocks under it */
} lanes_stream;

LANES_AES void lanes_round(lanes_stream *s, int round_constant)
{
    s->key = lanes_next_key(s->key, round_constant);
    s->a = _mm_aesenc_si128(s->a, s->key);
    s->b = _mm_aesenc_si128(s->b, s->key);
}

LANES_AES void lanes_last_round(uint8_t out[POC_LANES_KEYSTREAM], lanes_stream *s)
{
    s->key = lanes_next_key(s->key, 0x36);
    _mm_storeu_si128((__m128i *)(void *)out, _mm_aesenclast_si128(s->a, s->key));
    _mm_storeu_si128((__m128i *)(void *)(out + 16), _mm_aesenclast_si128(s->b, s->key));
}

/* Two lanes, `key` and `iv` in the order of their octets: a round key waits for the one before, so that one lane alone
 * leaves the processor idle most of the time. The round keys never leave a register. */
LANES_AES void lanes_keystream(uint8_t out[2][POC_LANES_KEYSTREAM], const __m128i key[2], const __m128i iv[2])
{
    static const int constants[9] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b };
    const __m128i one = _mm_set_epi32(0x01000000, 0, 0, 0);
    lanes_stream x = { key[0], _mm_xor_si128(iv[0], key[0]), _mm_xor_si128(_mm_xor_si128(iv[0], one), key[0]) };
    lanes_stream y = { key[1], _mm_xor_si128(iv[1], key[1]), _mm_xor_si128(_mm_xor_si128(iv[1], one), key[1]) };
    for (size_t round = 0; round < 9; round++) {
        lanes_round(&x, constants[round]);
        lanes_round(&y, constants[round]);
    }
    lanes_last_round(out[0], &x);
    lanes_last_round(out[1], &y);
}
#endif

#endif
