/* Numbers modulo the order of P-256, against OpenSSL's, and what its points refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "base/p256.h"
#include "base/secret.h"

static BIGNUM *order_new(void)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *order = BN_dup(EC_GROUP_get0_order(group));
    EC_GROUP_free(group);
    return order;
}

static void assert_scalar(const BIGNUM *want, const poc_p256_scalar *have)
{
    uint8_t a[POC_P256_SCALAR_LEN], b[POC_P256_SCALAR_LEN];
    assert_int_equal(BN_bn2binpad(want, a, sizeof(a)), sizeof(a));
    poc_p256_scalar_put(b, have);
    assert_memory_equal(a, b, sizeof(a));
}

/* Random octets, now and then none but zeros or ones. */
static void draw(uint8_t *octets, size_t n, size_t round)
{
    assert_int_equal(poc_rng_system.fill(NULL, octets, n), POC_OK);
    if (round % 8 == 1)
        memset(octets, 0, n);
    if (round % 8 == 2)
        memset(octets, 0xff, n);
}

static void scalars_compute_what_openssl_computes(void **state)
{
    (void)state;
    BIGNUM *order = order_new(), *want = BN_new();
    BN_CTX *ctx = BN_CTX_new();
    for (size_t round = 0; round < 200; round++) {
        uint8_t ox[POC_P256_SCALAR_LEN], oy[2 * POC_P256_SCALAR_LEN];
        poc_p256_scalar x, y, have;
        draw(ox, sizeof(ox), round);
        draw(oy, sizeof(oy), round / 8);
        BIGNUM *bx = BN_bin2bn(ox, sizeof(ox), NULL), *by = BN_bin2bn(oy, sizeof(oy), NULL);
        assert_int_equal(BN_nnmod(bx, bx, order, ctx) & BN_nnmod(by, by, order, ctx), 1);
        poc_p256_scalar_from(&x, ox);
        poc_p256_scalar_from_wide(&y, oy);
        assert_scalar(bx, &x);
        assert_scalar(by, &y);
        assert_int_equal(BN_mod_mul(want, bx, by, order, ctx), 1);
        poc_p256_scalar_mul(&have, &x, &y);
        assert_scalar(want, &have);
        assert_int_equal(BN_mod_add(want, bx, by, order, ctx), 1);
        poc_p256_scalar_add(&have, &x, &y);
        assert_scalar(want, &have);
        assert_int_equal(BN_is_zero(bx), poc_p256_scalar_is_zero(&x));
        poc_p256_scalar_inv(&have, &x);
        if (BN_is_zero(bx))
            BN_zero(want);
        else
            assert_non_null(BN_mod_inverse(want, bx, order, ctx));
        assert_scalar(want, &have);
        BN_free(bx);
        BN_free(by);
    }
    BN_free(order);
    BN_free(want);
    BN_CTX_free(ctx);
}

static void octets_are_in_range_from_one_to_the_order_less_one(void **state)
{
    (void)state;
    uint8_t octets[POC_P256_SCALAR_LEN] = { 0 };
    BIGNUM *order = order_new();
    assert_false(poc_p256_scalar_in_range(octets));
    octets[POC_P256_SCALAR_LEN - 1] = 1;
    assert_true(poc_p256_scalar_in_range(octets));
    assert_int_equal(BN_bn2binpad(order, octets, sizeof(octets)), sizeof(octets));
    assert_false(poc_p256_scalar_in_range(octets));
    assert_true(poc_p256_coordinate_in_range(octets)); /* p is larger */
    octets[POC_P256_SCALAR_LEN - 1] -= 1;
    assert_true(poc_p256_scalar_in_range(octets));
    memset(octets, 0xff, sizeof(octets));
    assert_false(poc_p256_coordinate_in_range(octets));
    BN_free(order);
}

static void sums_of_points_agree_and_infinity_is_none(void **state)
{
    (void)state;
    uint8_t octets[POC_P256_SCALAR_LEN] = { 0 }, twice[POC_P256_POINT_LEN], sum[POC_P256_POINT_LEN];
    poc_p256_scalar one, two, minus;
    octets[POC_P256_SCALAR_LEN - 1] = 1;
    poc_p256_scalar_from(&one, octets);
    poc_p256_scalar_add(&two, &one, &one);
    BIGNUM *order = order_new();
    assert_int_equal(BN_sub_word(order, 1) && BN_bn2binpad(order, octets, sizeof(octets)) == sizeof(octets), 1);
    BN_free(order);
    poc_p256_scalar_from(&minus, octets);
    assert_int_equal(poc_p256_multiply_generator(twice, &two), POC_OK);
    assert_int_equal(poc_p256_multiply_both(sum, &one, &one, poc_p256_generator), POC_OK);
    assert_memory_equal(sum, twice, sizeof(sum));
    assert_int_equal(poc_p256_multiply_add(sum, &one, poc_p256_generator, poc_p256_generator), POC_OK);
    assert_memory_equal(sum, twice, sizeof(sum));
    assert_int_equal(poc_p256_multiply_both(sum, &one, &minus, poc_p256_generator), POC_E_INPUT);
    twice[64] ^= 1;
    assert_int_equal(poc_p256_multiply_both(sum, &one, &one, twice), POC_E_INPUT);
    twice[0] = 2;
    assert_int_equal(poc_p256_multiply_add(sum, &one, poc_p256_generator, twice), POC_E_INPUT);
}

/* Both multiples and their sum, by table and by OpenSSL. */
static void assert_agreement(const poc_p256_table *t, const uint8_t point[POC_P256_POINT_LEN], const poc_p256_scalar *g,
                             const poc_p256_scalar *k)
{
    uint8_t sum[POC_P256_POINT_LEN] = { 0 };
    const bool is_finite = poc_p256_multiply_both(sum, g, k, point) == POC_OK;
    assert_int_equal(poc_p256_sum_has_x(g, k, t, sum + 1), is_finite);
    sum[POC_P256_SCALAR_LEN] ^= 1;
    assert_false(poc_p256_sum_has_x(g, k, t, sum + 1));
}

static void tables_give_the_sums_that_openssl_gives(void **state)
{
    (void)state;
    for (size_t round = 0; round < 64; round++) {
        uint8_t octets[POC_P256_SCALAR_LEN], point[POC_P256_POINT_LEN];
        poc_p256_scalar secret, g, k;
        poc_p256_table *t;
        draw(octets, sizeof(octets), 0);
        poc_p256_scalar_from(&secret, octets);
        assert_int_equal(poc_p256_multiply_generator(point, &secret), POC_OK);
        assert_int_equal(poc_p256_table_new(&t, point), POC_OK);
        draw(octets, sizeof(octets), round);
        poc_p256_scalar_from(&g, octets);
        draw(octets, sizeof(octets), round / 8);
        poc_p256_scalar_from(&k, octets);
        assert_agreement(t, point, &g, &k);
        poc_p256_scalar_mul(&g, &secret, &k); /* twice the same point */
        assert_agreement(t, point, &g, &k);
        poc_p256_table_free(t);
    }
}

/* Equal and opposite points meet on the way, where the formula for two different ones fails. */
static void multiples_of_the_generator_itself_meet_and_are_summed_rightly(void **state)
{
    (void)state;
    poc_p256_table *t;
    poc_p256_scalar one, minus_one, k;
    uint8_t octets[POC_P256_SCALAR_LEN] = { 0 };
    octets[POC_P256_SCALAR_LEN - 1] = 1;
    poc_p256_scalar_from(&one, octets);
    BIGNUM *order = order_new();
    assert_int_equal(BN_sub_word(order, 1) && BN_bn2binpad(order, octets, sizeof(octets)) == sizeof(octets), 1);
    BN_free(order);
    poc_p256_scalar_from(&minus_one, octets);
    assert_int_equal(poc_p256_table_new(&t, poc_p256_generator), POC_OK);
    k = one;
    for (size_t i = 0; i < 300; i++) {
        poc_p256_scalar minus_k;
        poc_p256_scalar_mul(&minus_k, &k, &minus_one);
        assert_agreement(t, poc_p256_generator, &k, &k);
        assert_agreement(t, poc_p256_generator, &k, &minus_k); /* infinity */
        assert_agreement(t, poc_p256_generator, &one, &k);
        assert_agreement(t, poc_p256_generator, &minus_one, &k);
        poc_p256_scalar_add(&k, &k, i % 2 == 0 ? &k : &one);
    }
    poc_p256_table_free(t);
}

static void no_table_is_made_of_what_is_not_on_the_curve(void **state)
{
    (void)state;
    uint8_t point[POC_P256_POINT_LEN];
    poc_p256_table *t;
    for (size_t at = 0; at < sizeof(point); at += 8) {
        memcpy(point, poc_p256_generator, sizeof(point));
        point[at] ^= 1;
        assert_int_equal(poc_p256_table_new(&t, point), POC_E_INPUT);
        assert_null(t);
    }
    memset(point + 1, 0xff, sizeof(point) - 1);
    assert_int_equal(poc_p256_table_new(&t, point), POC_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_compute_what_openssl_computes),
        cmocka_unit_test(octets_are_in_range_from_one_to_the_order_less_one),
        cmocka_unit_test(sums_of_points_agree_and_infinity_is_none),
        cmocka_unit_test(tables_give_the_sums_that_openssl_gives),
        cmocka_unit_test(multiples_of_the_generator_itself_meet_and_are_summed_rightly),
        cmocka_unit_test(no_table_is_made_of_what_is_not_on_the_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
