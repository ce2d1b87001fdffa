/* Each kernel alone against known answers and against OpenSSL. One that this processor cannot run is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/lanes.h"
#include "base/text.h"

#define KERNELS 2u

static const poc_lanes_kernel *kernel_of(size_t i)
{
    const poc_lanes_kernel *k = i == 0 ? poc_lanes_sha_ni() : poc_lanes_avx512();
    if (k == NULL)
        print_message("left out: this processor has no %s\n", i == 0 ? "SHA extensions" : "AVX-512");
    return k;
}

static void octets_put(uint8_t *out, const poc_lanes_kernel *k, const poc_tile *t, size_t words, size_t lane)
{
    for (size_t i = 0; i < 4 * words; i++)
        out[i] = (uint8_t)(t->w[poc_lanes_at(k, i / 4, lane)] >> (24 - 8 * (i % 4)));
}

static void start_put(const poc_lanes_kernel *k, poc_tile *t)
{
    static const uint32_t start[] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    for (size_t word = 0; word < POC_COUNT(start); word++)
        poc_lanes_fill(k, t, word, 1, start[word], POC_LANES);
}

/* FIPS 180-4, the example "abc", in one lane among others. */
static void sha1_of_abc_is_that_of_the_standard_in_every_lane(void **state)
{
    (void)state;
    for (size_t i = 0; i < KERNELS; i++) {
        const poc_lanes_kernel *k = kernel_of(i);
        for (size_t lane = 0; k != NULL && lane < POC_LANES; lane++) {
            uint8_t octets[POC_LANES][POC_LANES_BLOCK], got[POC_SHA1_LEN], want[POC_SHA1_LEN];
            const uint8_t *from[POC_LANES];
            poc_tile hash, block;
            memset(octets, 0xee, sizeof(octets));
            for (size_t j = 0; j < POC_LANES; j++)
                from[j] = octets[j];
            memset(octets[lane], 0, sizeof(octets[lane]));
            memcpy(octets[lane], "abc\x80", 4);
            octets[lane][POC_LANES_BLOCK - 1] = 24;
            k->load(&block, from, POC_LANES_WORDS, POC_LANES);
            start_put(k, &hash);
            k->sha1(&hash, &hash, &block, POC_LANES);
            octets_put(got, k, &hash, POC_LANES_HASH_WORDS, lane);
            assert_int_equal(
                poc_hex_get_exact(want, sizeof(want), poc_span_str("a9993e364706816aba3e25717850c26c9cd0d89d")),
                POC_OK);
            assert_memory_equal(got, want, sizeof(want));
        }
    }
}

static void sha1_leaves_the_other_words_of_a_block_it_writes_to(void **state)
{
    (void)state;
    for (size_t i = 0; i < KERNELS; i++) {
        const poc_lanes_kernel *k = kernel_of(i);
        poc_tile hash, block;
        if (k == NULL)
            continue;
        start_put(k, &hash);
        poc_lanes_fill(k, &block, 0, POC_LANES_WORDS, 0x01020304, POC_LANES);
        k->sha1(&block, &hash, &block, POC_LANES);
        for (size_t lane = 0; lane < POC_LANES; lane++) {
            assert_int_equal(block.w[poc_lanes_at(k, 0, lane)], block.w[poc_lanes_at(k, 0, 0)]);
            assert_int_not_equal(block.w[poc_lanes_at(k, 0, lane)], 0x01020304);
            for (size_t word = POC_LANES_HASH_WORDS; word < POC_LANES_WORDS; word++)
                assert_int_equal(block.w[poc_lanes_at(k, word, lane)], 0x01020304);
        }
    }
}

static void keystream_of_every_lane_is_that_of_openssl(void **state)
{
    (void)state;
    for (size_t i = 0; i < KERNELS; i++) {
        const poc_lanes_kernel *k = kernel_of(i);
        const uint8_t zeros[POC_LANES_KEYSTREAM] = { 0 };
        uint8_t keys[POC_LANES][POC_AES_LEN], ivs[POC_LANES][POC_AES_LEN], got[POC_LANES][POC_LANES_KEYSTREAM];
        const uint8_t *key_at[POC_LANES], *iv_at[POC_LANES];
        poc_tile key, iv;
        if (k == NULL)
            continue;
        for (size_t j = 0; j < sizeof(keys); j++) {
            keys[j / POC_AES_LEN][j % POC_AES_LEN] = (uint8_t)(7 * j + 1);
            ivs[j / POC_AES_LEN][j % POC_AES_LEN] = (uint8_t)((j % POC_AES_LEN == 15) ? 0 : 251 * j);
        }
        for (size_t lane = 0; lane < POC_LANES; lane++) {
            key_at[lane] = keys[lane];
            iv_at[lane] = ivs[lane];
        }
        k->load(&key, key_at, 4, POC_LANES);
        k->load(&iv, iv_at, 4, POC_LANES);
        k->keystream(got, &key, &iv, POC_LANES);
        for (size_t lane = 0; lane < POC_LANES; lane++) {
            uint8_t want[POC_LANES_KEYSTREAM];
            assert_int_equal(poc_aes128_ctr(want, keys[lane], ivs[lane], poc_span_of(zeros, sizeof(zeros))), POC_OK);
            assert_memory_equal(got[lane], want, sizeof(want));
        }
    }
}

static void wiping_leaves_nothing_in_the_lanes_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < KERNELS; i++) {
        const poc_lanes_kernel *k = kernel_of(i);
        poc_tile t;
        if (k == NULL)
            continue;
        const size_t lanes = k->step;
        memset(&t, 0xaa, sizeof(t));
        poc_lanes_wipe(k, &t, lanes);
        for (size_t at = 0; at < POC_LANES_WORDS * lanes; at++)
            assert_int_equal(t.w[poc_lanes_at(k, at / lanes, at % lanes)], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_of_abc_is_that_of_the_standard_in_every_lane),
        cmocka_unit_test(sha1_leaves_the_other_words_of_a_block_it_writes_to),
        cmocka_unit_test(keystream_of_every_lane_is_that_of_openssl),
        cmocka_unit_test(wiping_leaves_nothing_in_the_lanes_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
