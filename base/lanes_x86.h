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

/* `key` and `iv` in the order of their octets. The round keys never leave a register. */
LANES_AES void lanes_keystream(uint8_t out[POC_LANES_KEYSTREAM], __m128i key, __m128i iv)
{
    static const int constants[10] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36 };
    const __m128i one = _mm_set_epi32(0x01000000, 0, 0, 0);
    __m128i a = _mm_xor_si128(iv, key), b = _mm_xor_si128(a, one);
    for (size_t round = 0; round < 9; round++) {
        key = lanes_next_key(key, constants[round]);
        a = _mm_aesenc_si128(a, key);
        b = _mm_aesenc_si128(b, key);
    }
    key = lanes_next_key(key, constants[9]);
    _mm_storeu_si128((__m128i *)(void *)out, _mm_aesenclast_si128(a, key));
    _mm_storeu_si128((__m128i *)(void *)(out + 16), _mm_aesenclast_si128(b, key));
}
#endif

#endif
