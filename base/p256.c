#include "base/p256.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <pthread.h>
#include <string.h>

#include "base/p256_words.h"
#include "base/secret.h"

enum { WORDS = P256_WORDS, BYTES = POC_P256_SCALAR_LEN };

/* FIPS 186-4 D.1.2.3: the order, R = 2^256 and R^2 modulo it, -1/order modulo 2^64; the generator; p. */
static const poc_p256_scalar order = { { UINT64_C(0xf3b9cac2fc632551), UINT64_C(0xbce6faada7179e84),
                                         UINT64_C(0xffffffffffffffff), UINT64_C(0xffffffff00000000) } };
static const poc_p256_scalar one = { { UINT64_C(0x0c46353d039cdaaf), UINT64_C(0x4319055258e8617b),
                                       UINT64_C(0x0000000000000000), UINT64_C(0x00000000ffffffff) } };
static const poc_p256_scalar r2 = { { UINT64_C(0x83244c95be79eea2), UINT64_C(0x4699799c49bd6fa6),
                                      UINT64_C(0x2845b2392b6bec59), UINT64_C(0x66e12d94f3d95620) } };
static const uint64_t n0 = UINT64_C(0xccd1c8aaee00bc4f);
const uint8_t poc_p256_generator[POC_P256_POINT_LEN] = {
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
    0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce,
    0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5
};
static const uint8_t order_octets[BYTES] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                             0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
static const uint8_t p_octets[BYTES] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
                                         0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
                                         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* ---- numbers modulo the order ---- */

/* t - order if t >= order, t having one more bit, `top`. */
static void reduce_once(poc_p256_scalar *out, const uint64_t t[WORDS], uint64_t top)
{
    uint64_t less[WORDS], borrow = 0;
    for (size_t i = 0; i < WORDS; i++) {
        const wide d = (wide)t[i] - order.w[i] - borrow;
        less[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    const uint64_t keep = 0 - (borrow & ~top & 1);
    for (size_t i = 0; i < WORDS; i++)
        out->w[i] = (t[i] & keep) | (less[i] & ~keep);
}

/* t / R. The upper words of the order, 2^64 - 1 and 2^64 - 2^32, need no multiplication. */
static inline void reduce(poc_p256_scalar *out, uint64_t t[2 * WORDS])
{
    uint64_t top = 0;
#pragma GCC unroll 4
    for (size_t i = 0; i < WORDS; i++) {
        const uint64_t m = t[i] * n0;
        wide x = (wide)m * order.w[0] + t[i];
        x = (wide)m * order.w[1] + t[i + 1] + (uint64_t)(x >> 64);
        t[i + 1] = (uint64_t)x;
        x = ((wide)m << 64) - m + t[i + 2] + (uint64_t)(x >> 64);
        t[i + 2] = (uint64_t)x;
        x = ((wide)m << 64) - ((wide)m << 32) + t[i + 3] + (uint64_t)(x >> 64);
        t[i + 3] = (uint64_t)x;
        x = (wide)t[i + 4] + (uint64_t)(x >> 64) + top;
        t[i + 4] = (uint64_t)x;
        top = (uint64_t)(x >> 64);
    }
    reduce_once(out, t + WORDS, top);
}

/* Montgomery's product; one of both may be any number below 2^256. */
void poc_p256_scalar_mul(poc_p256_scalar *out, const poc_p256_scalar *a, const poc_p256_scalar *b)
{
    uint64_t t[2 * WORDS];
    p256_product(t, a->w, b->w);
    reduce(out, t);
}

static void square_often(poc_p256_scalar *a, size_t times)
{
    uint64_t t[2 * WORDS];
    for (; times > 0; times--) {
        p256_square(t, a->w);
        reduce(a, t);
    }
}

void poc_p256_scalar_add(poc_p256_scalar *out, const poc_p256_scalar *a, const poc_p256_scalar *b)
{
    uint64_t t[WORDS], carry = 0;
    for (size_t i = 0; i < WORDS; i++) {
        const wide s = (wide)a->w[i] + b->w[i] + carry;
        t[i] = (uint64_t)s;
        carry = (uint64_t)(s >> 64);
    }
    reduce_once(out, t, carry);
}

static void words_read(poc_p256_scalar *out, const uint8_t octets[BYTES])
{
    for (size_t i = 0; i < WORDS; i++) {
        const uint8_t *at = octets + BYTES - 8 * (i + 1);
        uint64_t word = 0;
        for (size_t k = 0; k < 8; k++)
            word = word << 8 | at[k];
        out->w[i] = word;
    }
}

void poc_p256_scalar_from(poc_p256_scalar *out, const uint8_t octets[BYTES])
{
    words_read(out, octets);
    poc_p256_scalar_mul(out, out, &r2);
}

void poc_p256_scalar_from_wide(poc_p256_scalar *out, const uint8_t octets[2 * BYTES])
{
    poc_p256_scalar upper, lower;
    poc_p256_scalar_from(&upper, octets);
    poc_p256_scalar_mul(&upper, &upper, &r2); /* times 2^256 */
    poc_p256_scalar_from(&lower, octets + BYTES);
    poc_p256_scalar_add(out, &upper, &lower);
    poc_wipe(&upper, sizeof(upper));
    poc_wipe(&lower, sizeof(lower));
}

void poc_p256_scalar_put(uint8_t octets[BYTES], const poc_p256_scalar *a)
{
    static const poc_p256_scalar unit = { { 1 } };
    poc_p256_scalar plain;
    poc_p256_scalar_mul(&plain, a, &unit);
    for (size_t i = 0; i < BYTES; i++)
        octets[BYTES - 1 - i] = (uint8_t)(plain.w[i / 8] >> (i % 8 * 8));
    poc_wipe(&plain, sizeof(plain));
}

/* Fermat. The upper half of the order less 2 is ffffffff 00000000 ffffffff ffffffff, the lower one is taken four bits at a time. */
void poc_p256_scalar_inv(poc_p256_scalar *out, const poc_p256_scalar *a)
{
    poc_p256_scalar power[16], ones, r;
    power[0] = one;
    for (size_t i = 1; i < 16; i++)
        poc_p256_scalar_mul(&power[i], &power[i - 1], a);
    ones = power[15];
    for (size_t bits = 4; bits < 32; bits *= 2) {
        r = ones;
        square_often(&r, bits);
        poc_p256_scalar_mul(&ones, &ones, &r); /* a^(2^(2 bits) - 1) */
    }
    r = ones;
    square_often(&r, 64);
    poc_p256_scalar_mul(&r, &r, &ones);
    square_often(&r, 32);
    poc_p256_scalar_mul(&r, &r, &ones);
    for (size_t at = (size_t)WORDS * 8; at-- > 0;) {
        const uint64_t word = order.w[at / 16] - (at / 16 == 0 ? 2 : 0);
        square_often(&r, 4);
        poc_p256_scalar_mul(&r, &r, &power[word >> (at % 16 * 4) & 15]);
    }
    *out = r;
    poc_wipe(power, sizeof(power));
    poc_wipe(&ones, sizeof(ones));
    poc_wipe(&r, sizeof(r));
}

bool poc_p256_scalar_is_zero(const poc_p256_scalar *a)
{
    return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}

/* 1..bound - 1, in constant time. */
static bool in_range(const uint8_t octets[BYTES], const uint8_t bound[BYTES])
{
    unsigned borrow = 0, any = 0;
    for (size_t i = BYTES; i-- > 0;) {
        borrow = ((unsigned)octets[i] - bound[i] - borrow) >> 31;
        any |= octets[i];
    }
    return (borrow & (unsigned)(any != 0)) != 0;
}

bool poc_p256_scalar_in_range(const uint8_t octets[BYTES])
{
    return in_range(octets, order_octets);
}

bool poc_p256_coordinate_in_range(const uint8_t octets[BYTES])
{
    return in_range(octets, p_octets);
}

/* ---- points ---- */

static EC_GROUP *group;
static pthread_once_t group_made = PTHREAD_ONCE_INIT;

static void group_make(void)
{
    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
}

/* What a thread needs to compute with points, freed when it ends. */
typedef struct thread_ctx {
    BN_CTX *bn;
    EC_POINT *sum, *point, *more;
    BIGNUM *g, *k;
} thread_ctx;
static pthread_key_t thread_key;
static pthread_once_t thread_key_made = PTHREAD_ONCE_INIT;

static void thread_ctx_free(void *at)
{
    thread_ctx *t = at;
    BN_CTX_free(t->bn);
    EC_POINT_free(t->sum);
    EC_POINT_free(t->point);
    EC_POINT_free(t->more);
    BN_clear_free(t->g);
    BN_clear_free(t->k);
    OPENSSL_free(t);
}

static void thread_key_make(void)
{
    (void)pthread_key_create(&thread_key, thread_ctx_free);
}

static thread_ctx *thread_ctx_get(void)
{
    pthread_once(&group_made, group_make);
    pthread_once(&thread_key_made, thread_key_make);
    thread_ctx *t = pthread_getspecific(thread_key);
    if (t != NULL || group == NULL)
        return t;
    t = OPENSSL_zalloc(sizeof(*t));
    if (t == NULL)
        return NULL;
    t->bn = BN_CTX_secure_new();
    t->sum = EC_POINT_new(group);
    t->point = EC_POINT_new(group);
    t->more = EC_POINT_new(group);
    t->g = BN_secure_new();
    t->k = BN_secure_new();
    if (t->bn == NULL || t->sum == NULL || t->point == NULL || t->more == NULL || t->g == NULL || t->k == NULL ||
        pthread_setspecific(thread_key, t) != 0) {
        thread_ctx_free(t);
        return NULL;
    }
    BN_set_flags(t->g, BN_FLG_CONSTTIME);
    BN_set_flags(t->k, BN_FLG_CONSTTIME);
    return t;
}

static bool number_set(BIGNUM *out, const poc_p256_scalar *a)
{
    uint8_t octets[BYTES];
    poc_p256_scalar_put(octets, a);
    const bool set = BN_bin2bn(octets, BYTES, out) != NULL;
    poc_wipe(octets, sizeof(octets));
    return set;
}

static poc_err point_set(thread_ctx *t, EC_POINT *out, const uint8_t octets[POC_P256_POINT_LEN])
{
    if (octets[0] != POINT_CONVERSION_UNCOMPRESSED)
        return POC_E_INPUT;
    return EC_POINT_oct2point(group, out, octets, POC_P256_POINT_LEN, t->bn) == 1 ? POC_OK : POC_E_INPUT;
}

static poc_err sum_put(uint8_t out[POC_P256_POINT_LEN], thread_ctx *t)
{
    if (EC_POINT_is_at_infinity(group, t->sum))
        return POC_E_INPUT;
    const size_t n = EC_POINT_point2oct(group, t->sum, POINT_CONVERSION_UNCOMPRESSED, out, POC_P256_POINT_LEN, t->bn);
    return n == POC_P256_POINT_LEN ? POC_OK : POC_E_NOMEM;
}

poc_err poc_p256_multiply_generator(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *k)
{
    thread_ctx *t = thread_ctx_get();
    if (t == NULL || !number_set(t->g, k))
        return POC_E_NOMEM;
    const bool done = EC_POINT_mul(group, t->sum, t->g, NULL, NULL, t->bn) == 1;
    BN_clear(t->g);
    return done ? sum_put(out, t) : POC_E_NOMEM;
}

poc_err poc_p256_multiply_both(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *g, const poc_p256_scalar *k,
                               const uint8_t point[POC_P256_POINT_LEN])
{
    thread_ctx *t = thread_ctx_get();
    if (t == NULL)
        return POC_E_NOMEM;
    POC_TRY(point_set(t, t->point, point));
    if (!number_set(t->g, g) || !number_set(t->k, k) || EC_POINT_mul(group, t->sum, t->g, t->point, t->k, t->bn) != 1)
        return POC_E_NOMEM;
    return sum_put(out, t);
}

poc_err poc_p256_multiply_add(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *k,
                              const uint8_t point[POC_P256_POINT_LEN], const uint8_t sum[POC_P256_POINT_LEN])
{
    thread_ctx *t = thread_ctx_get();
    if (t == NULL)
        return POC_E_NOMEM;
    POC_TRY(point_set(t, t->point, point));
    POC_TRY(point_set(t, t->more, sum));
    if (!number_set(t->k, k) || EC_POINT_mul(group, t->sum, NULL, t->point, t->k, t->bn) != 1 ||
        EC_POINT_add(group, t->sum, t->sum, t->more, t->bn) != 1)
        return POC_E_NOMEM;
    return sum_put(out, t);
}
