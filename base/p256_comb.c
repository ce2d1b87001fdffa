/* Sums of multiples of public points, with tables: what a verification spends its time on. Not in constant time. Field
 * elements are in Montgomery form with R = 2^256, and reduced. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/p256.h"
#include "base/p256_words.h"

/* A scalar in COLUMNS columns of TEETH bits, which lie COLUMNS apart; a table has the sum of the multiples 2^(COLUMNS j) of its
 * point for each set of bits j but the empty one. None is at infinity: what they sum up is below the order. */
enum { WORDS = P256_WORDS, TEETH = 6, COLUMNS = 43, ENTRIES = 1 << TEETH };
_Static_assert(TEETH *COLUMNS >= 256, "a scalar fits");

typedef struct fe {
    uint64_t w[WORDS];
} fe;

typedef struct affine {
    fe x, y;
} affine;

typedef struct jacobian {
    fe x, y, z; /* x/z^2, y/z^3; at infinity where z is 0 */
} jacobian;

struct poc_p256_table {
    affine entries[ENTRIES]; /* the first is not used */
};
_Static_assert(sizeof(poc_p256_table) == POC_P256_TABLE_SIZE, "as the door says");

/* p, R and R^2 modulo it, and b of the curve in Montgomery form. */
static const fe p = { { UINT64_MAX, UINT64_C(0x00000000ffffffff), 0, UINT64_C(0xffffffff00000001) } };
static const fe one = { { 1, UINT64_C(0xffffffff00000000), UINT64_MAX, UINT64_C(0x00000000fffffffe) } };
static const fe r2 = { { 3, UINT64_C(0xfffffffbffffffff), UINT64_C(0xfffffffffffffffe),
                         UINT64_C(0x00000004fffffffd) } };
static const uint8_t b_octets[POC_P256_SCALAR_LEN] = { 0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a, 0x93, 0xe7, 0xb3, 0xeb, 0xbd,
                                                       0x55, 0x76, 0x98, 0x86, 0xbc, 0x65, 0x1d, 0x06, 0xb0, 0xcc, 0x53,
                                                       0xb0, 0xf6, 0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b };

/* ---- the field ---- */

/* t - p if t >= p, t having one more bit, `top`. */
static inline void reduce_once(fe *out, const uint64_t t[WORDS], uint64_t top)
{
    uint64_t less[WORDS], borrow = 0;
#pragma GCC unroll 4
    for (size_t i = 0; i < WORDS; i++) {
        const wide d = (wide)t[i] - p.w[i] - borrow;
        less[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    const uint64_t keep = 0 - (borrow & ~top & 1);
#pragma GCC unroll 4
    for (size_t i = 0; i < WORDS; i++)
        out->w[i] = (t[i] & keep) | (less[i] & ~keep);
}

/* t / R. p = -1 modulo 2^64, so that a word is its own quotient; and only one word of p is no shift. */
static inline void reduce(fe *out, uint64_t t[2 * WORDS])
{
    uint64_t top = 0;
#pragma GCC unroll 4
    for (size_t i = 0; i < WORDS; i++) {
        const uint64_t m = t[i];
        wide x = (wide)t[i + 1] + (m << 32);
        t[i + 1] = (uint64_t)x;
        x = (wide)t[i + 2] + (m >> 32) + (uint64_t)(x >> 64);
        t[i + 2] = (uint64_t)x;
        x = (wide)m * p.w[3] + t[i + 3] + (uint64_t)(x >> 64);
        t[i + 3] = (uint64_t)x;
        x = (wide)t[i + 4] + (uint64_t)(x >> 64) + top;
        t[i + 4] = (uint64_t)x;
        top = (uint64_t)(x >> 64);
    }
    reduce_once(out, t + WORDS, top);
}

static void mul(fe *out, const fe *a, const fe *b)
{
    uint64_t t[2 * WORDS];
    p256_product(t, a->w, b->w);
    reduce(out, t);
}

static void square(fe *out, const fe *a)
{
    uint64_t t[2 * WORDS];
    p256_square(t, a->w);
    reduce(out, t);
}

static inline void add(fe *out, const fe *a, const fe *b)
{
    uint64_t t[WORDS], carry = 0;
#pragma GCC unroll 4
    for (size_t i = 0; i < WORDS; i++) {
        const wide s = (wide)a->w[i] + b->w[i] + carry;
        t[i] = (uint64_t)s;
        carry = (uint64_t)(s >> 64);
    }
    reduce_once(out, t, carry);
}

static inline void sub(fe *out, const fe *a, const fe *b)
{
    uint64_t t[WORDS], borrow = 0, carry = 0;
#pragma GCC unroll 4
    for (size_t i = 0; i < WORDS; i++) {
        const wide d = (wide)a->w[i] - b->w[i] - borrow;
        t[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    const uint64_t back = 0 - borrow;
#pragma GCC unroll 4
    for (size_t i = 0; i < WORDS; i++) {
        const wide s = (wide)t[i] + (p.w[i] & back) + carry;
        out->w[i] = (uint64_t)s;
        carry = (uint64_t)(s >> 64);
    }
}

static bool is_zero(const fe *a)
{
    return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}

static bool is_same(const fe *a, const fe *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Fermat: p - 2 from the top, four bits at a time. */
static void inverse(fe *out, const fe *a)
{
    fe power[16], r = one;
    power[0] = one;
    for (size_t i = 1; i < 16; i++)
        mul(&power[i], &power[i - 1], a);
    for (size_t at = (size_t)WORDS * 16; at-- > 0;) {
        const uint64_t word = p.w[at / 16] - (at / 16 == 0 ? 2 : 0);
        for (size_t i = 0; i < 4; i++)
            square(&r, &r);
        mul(&r, &r, &power[word >> (at % 16 * 4) & 15]);
    }
    *out = r;
}

/* False: not below p. */
static bool fe_read(fe *out, const uint8_t octets[POC_P256_SCALAR_LEN])
{
    fe reduced;
    for (size_t i = 0; i < WORDS; i++) {
        uint64_t word = 0;
        for (size_t k = 0; k < 8; k++)
            word = word << 8 | octets[8 * (WORDS - 1 - i) + k];
        out->w[i] = word;
    }
    reduce_once(&reduced, out->w, 0);
    const bool good = is_same(&reduced, out);
    mul(out, out, &r2);
    return good;
}

/* ---- points ---- */

/* "dbl-2001-b" for a = -3 (Bernstein). */
static void point_double(jacobian *out, const jacobian *a)
{
    fe delta, gamma, beta, alpha, t;
    square(&delta, &a->z);
    square(&gamma, &a->y);
    mul(&beta, &a->x, &gamma);
    sub(&t, &a->x, &delta);
    add(&alpha, &a->x, &delta);
    mul(&t, &t, &alpha);
    add(&alpha, &t, &t);
    add(&alpha, &alpha, &t);
    add(&t, &a->y, &a->z);
    square(&t, &t);
    sub(&t, &t, &gamma);
    sub(&out->z, &t, &delta);
    add(&beta, &beta, &beta);
    add(&beta, &beta, &beta); /* 4 beta */
    square(&t, &alpha);
    sub(&t, &t, &beta);
    sub(&out->x, &t, &beta);
    sub(&t, &beta, &out->x);
    mul(&t, &t, &alpha);
    square(&gamma, &gamma);
    add(&gamma, &gamma, &gamma);
    add(&gamma, &gamma, &gamma);
    add(&gamma, &gamma, &gamma); /* 8 gamma^2 */
    sub(&out->y, &t, &gamma);
}

/* Any two points: who signs chooses the numbers. */
static void point_add(jacobian *out, const jacobian *a, const affine *b)
{
    fe zz, h, r, hh, hhh, v;
    if (is_zero(&a->z)) {
        *out = (jacobian){ b->x, b->y, one };
        return;
    }
    square(&zz, &a->z);
    mul(&h, &b->x, &zz);
    sub(&h, &h, &a->x);
    mul(&r, &zz, &a->z);
    mul(&r, &r, &b->y);
    sub(&r, &r, &a->y);
    if (is_zero(&h)) {
        if (is_zero(&r))
            point_double(out, a);
        else
            *out = (jacobian){ .z = { { 0 } } };
        return;
    }
    square(&hh, &h);
    mul(&hhh, &hh, &h);
    mul(&v, &a->x, &hh);
    mul(&hh, &a->y, &hhh);
    mul(&out->z, &a->z, &h);
    square(&out->x, &r);
    sub(&out->x, &out->x, &hhh);
    sub(&out->x, &out->x, &v);
    sub(&out->x, &out->x, &v);
    sub(&v, &v, &out->x);
    mul(&out->y, &r, &v);
    sub(&out->y, &out->y, &hh);
}

/* Points that are not at infinity, with one inversion. */
static void normalise(affine *out, const jacobian *in, size_t n)
{
    fe before[ENTRIES], product = one, below, square_below;
    for (size_t i = 0; i < n; i++) {
        before[i] = product;
        mul(&product, &product, &in[i].z);
    }
    inverse(&product, &product);
    for (size_t i = n; i-- > 0;) {
        mul(&below, &product, &before[i]);
        mul(&product, &product, &in[i].z);
        square(&square_below, &below);
        mul(&out[i].x, &in[i].x, &square_below);
        mul(&square_below, &square_below, &below);
        mul(&out[i].y, &in[i].y, &square_below);
    }
}

/* ---- tables ---- */

static void table_make(poc_p256_table *t, const affine *point)
{
    jacobian teeth[TEETH], entries[ENTRIES];
    affine tooth[TEETH];
    teeth[0] = (jacobian){ point->x, point->y, one };
    for (size_t j = 1; j < TEETH; j++) {
        teeth[j] = teeth[j - 1];
        for (size_t i = 0; i < COLUMNS; i++)
            point_double(&teeth[j], &teeth[j]);
    }
    normalise(tooth, teeth, TEETH);
    entries[0] = (jacobian){ .z = { { 0 } } };
    for (size_t j = 0; j < TEETH; j++) {
        const size_t bit = (size_t)1 << j;
        for (size_t i = 0; i < bit; i++)
            point_add(&entries[bit + i], &entries[i], &tooth[j]);
    }
    normalise(t->entries + 1, entries + 1, ENTRIES - 1);
}

/* y^2 = x^3 - 3x + b */
static bool point_read(affine *out, const uint8_t octets[POC_P256_POINT_LEN])
{
    fe left, right, b;
    if (octets[0] != 4 || !fe_read(&out->x, octets + 1) || !fe_read(&out->y, octets + 1 + POC_P256_SCALAR_LEN) ||
        !fe_read(&b, b_octets))
        return false;
    square(&right, &out->x);
    for (size_t i = 0; i < 3; i++)
        sub(&right, &right, &one);
    mul(&right, &right, &out->x);
    add(&right, &right, &b);
    square(&left, &out->y);
    return is_same(&left, &right);
}

static poc_p256_table generator;
static pthread_once_t generator_made = PTHREAD_ONCE_INIT;

static void generator_make(void)
{
    affine point;
    (void)point_read(&point, poc_p256_generator);
    table_make(&generator, &point);
}

poc_err poc_p256_table_new(poc_p256_table **out, const uint8_t point[POC_P256_POINT_LEN])
{
    affine a;
    *out = NULL;
    if (!point_read(&a, point))
        return POC_E_INPUT;
    poc_p256_table *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return POC_E_NOMEM;
    table_make(t, &a);
    *out = t;
    return POC_OK;
}

void poc_p256_table_free(poc_p256_table *t)
{
    free(t);
}

static size_t column_of(const uint8_t octets[POC_P256_SCALAR_LEN], size_t column)
{
    size_t entry = 0;
    for (size_t j = 0; j < TEETH; j++) {
        const size_t at = column + j * COLUMNS;
        if (at < (size_t)8 * POC_P256_SCALAR_LEN)
            entry |= (size_t)(octets[POC_P256_SCALAR_LEN - 1 - at / 8] >> (at % 8) & 1) << j;
    }
    return entry;
}

bool poc_p256_sum_has_x(const poc_p256_scalar *g, const poc_p256_scalar *k, const poc_p256_table *t,
                        const uint8_t x[POC_P256_SCALAR_LEN])
{
    uint8_t g_octets[POC_P256_SCALAR_LEN], k_octets[POC_P256_SCALAR_LEN];
    jacobian sum = { .z = { { 0 } } };
    fe wanted, zz;
    size_t entry;
    pthread_once(&generator_made, generator_make);
    poc_p256_scalar_put(g_octets, g);
    poc_p256_scalar_put(k_octets, k);
    for (size_t column = COLUMNS; column-- > 0;) {
        point_double(&sum, &sum);
        if ((entry = column_of(g_octets, column)) != 0)
            point_add(&sum, &sum, &generator.entries[entry]);
        if ((entry = column_of(k_octets, column)) != 0)
            point_add(&sum, &sum, &t->entries[entry]);
    }
    if (is_zero(&sum.z) || !fe_read(&wanted, x))
        return false;
    square(&zz, &sum.z);
    mul(&wanted, &wanted, &zz);
    return is_same(&wanted, &sum.x);
}
