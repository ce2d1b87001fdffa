#include "mcx/fp.h"

#include "base/secret.h"

__extension__ typedef unsigned __int128 wide;

/* A column of a product in three words: c += x * y. Compilers make seven instructions of the sum in C. */
typedef struct column {
    uint64_t low, middle, high;
} column;

#define FP_INLINE static inline __attribute__((always_inline))

/* a + b + *carry and a - b - *borrow; the flag stays in the processor's where it has one. */
#if defined(__x86_64__)
#include <immintrin.h>
typedef unsigned char flag;
FP_INLINE uint64_t with_carry(uint64_t a, uint64_t b, flag *carry)
{
    unsigned long long sum;
    *carry = _addcarry_u64(*carry, a, b, &sum);
    return sum;
}
FP_INLINE uint64_t with_borrow(uint64_t a, uint64_t b, flag *borrow)
{
    unsigned long long difference;
    *borrow = _subborrow_u64(*borrow, a, b, &difference);
    return difference;
}
#else
typedef uint64_t flag;
FP_INLINE uint64_t with_carry(uint64_t a, uint64_t b, flag *carry)
{
    const wide sum = (wide)a + b + *carry;
    *carry = (uint64_t)(sum >> 64);
    return (uint64_t)sum;
}
FP_INLINE uint64_t with_borrow(uint64_t a, uint64_t b, flag *borrow)
{
    const wide difference = (wide)a - b - *borrow;
    *borrow = (uint64_t)(difference >> 64) & 1;
    return (uint64_t)difference;
}
#endif

FP_INLINE void column_add(column *c, uint64_t x, uint64_t y)
{
#if defined(__x86_64__)
    uint64_t low = x, high;
    __asm__("mulq %[y]\n\t"
            "addq %[low], %[c0]\n\t"
            "adcq %[high], %[c1]\n\t"
            "adcq $0, %[c2]"
            : [low] "+&a"(low), [high] "=&d"(high), [c0] "+&r"(c->low), [c1] "+&r"(c->middle), [c2] "+&r"(c->high)
            : [y] "rm"(y)
            : "cc");
#else
    const wide product = (wide)x * y;
    wide sum = ((wide)c->middle << 64) | c->low;
    sum += product;
    c->high += sum < product;
    c->low = (uint64_t)sum;
    c->middle = (uint64_t)(sum >> 64);
#endif
}

FP_INLINE uint64_t column_next(column *c)
{
    const uint64_t word = c->low;
    *c = (column){ c->middle, c->high, 0 };
    return word;
}

/* out = t - m if t >= m, where t has one more bit, `top`. */
FP_INLINE void reduce_once(fp *out, const uint64_t *t, uint64_t top, const fp *m)
{
    uint64_t less[FP_WORDS];
    flag borrow = 0;
#pragma GCC unroll 16
    for (size_t i = 0; i < FP_WORDS; i++)
        less[i] = with_borrow(t[i], m->w[i], &borrow);
    const uint64_t keep = 0 - ((uint64_t)borrow & ~top & 1);
    for (size_t i = 0; i < FP_WORDS; i++)
        out->w[i] = (t[i] & keep) | (less[i] & ~keep);
}

/* c += d */
FP_INLINE void column_join(column *c, const column *d)
{
    flag carry = 0;
    c->low = with_carry(c->low, d->low, &carry);
    c->middle = with_carry(c->middle, d->middle, &carry);
    c->high = with_carry(c->high, d->high, &carry);
}

/* Column by column, and every loop unrolled: the product, or the sum of two, beside what makes its low half vanish. They are
 * summed apart, as columns of the product need not wait for the quotient of those before. */
FP_INLINE uint64_t product(uint64_t t[FP_WORDS], const fp *a, const fp *b, const fp *c, const fp *d, const fp_mod *mod)
{
    uint64_t q[FP_WORDS];
    column rest = { 0, 0, 0 };
#pragma GCC unroll 16
    for (size_t k = 0; k < FP_WORDS; k++) {
        column sum = { 0, 0, 0 };
#pragma GCC unroll 16
        for (size_t i = 0; i <= k; i++) {
            column_add(&sum, a->w[i], b->w[k - i]);
            if (c != NULL)
                column_add(&sum, c->w[i], d->w[k - i]);
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < k; i++)
            column_add(&rest, q[i], mod->m.w[k - i]);
        column_join(&rest, &sum);
        q[k] = rest.low * mod->n0;
        column_add(&rest, q[k], mod->m.w[0]);
        (void)column_next(&rest);
    }
#pragma GCC unroll 16
    for (size_t k = 0; k + 1 < FP_WORDS; k++) {
        column sum = { 0, 0, 0 };
#pragma GCC unroll 16
        for (size_t i = k + 1; i < FP_WORDS; i++) {
            column_add(&sum, a->w[i], b->w[FP_WORDS + k - i]);
            if (c != NULL)
                column_add(&sum, c->w[i], d->w[FP_WORDS + k - i]);
            column_add(&rest, q[i], mod->m.w[FP_WORDS + k - i]);
        }
        column_join(&rest, &sum);
        t[k] = column_next(&rest);
    }
    t[FP_WORDS - 1] = column_next(&rest);
    return rest.low;
}

void fp_mul(fp *out, const fp *a, const fp *b, const fp_mod *mod)
{
    uint64_t t[FP_WORDS];
    const uint64_t top = product(t, a, b, NULL, NULL, mod);
    reduce_once(out, t, top, &mod->m);
}

/* Below 2m^2 / R + m before reduction. */
void fp_mul_sum(fp *out, const fp *a, const fp *b, const fp *c, const fp *d, const fp_mod *mod)
{
    uint64_t t[FP_WORDS];
    const uint64_t top = product(t, a, b, c, d, mod);
    reduce_once(out, t, top, &mod->m);
    reduce_once(out, out->w, 0, &mod->m);
}

void fp_add(fp *out, const fp *a, const fp *b, const fp_mod *mod)
{
    uint64_t t[FP_WORDS];
    flag carry = 0;
#pragma GCC unroll 16
    for (size_t i = 0; i < FP_WORDS; i++)
        t[i] = with_carry(a->w[i], b->w[i], &carry);
    reduce_once(out, t, carry, &mod->m);
}

void fp_sub(fp *out, const fp *a, const fp *b, const fp_mod *mod)
{
    uint64_t t[FP_WORDS];
    flag borrow = 0, carry = 0;
#pragma GCC unroll 16
    for (size_t i = 0; i < FP_WORDS; i++)
        t[i] = with_borrow(a->w[i], b->w[i], &borrow);
    const uint64_t back = 0 - (uint64_t)borrow;
#pragma GCC unroll 16
    for (size_t i = 0; i < FP_WORDS; i++)
        out->w[i] = with_carry(t[i], mod->m.w[i] & back, &carry);
}

void fp_enter(fp *out, const fp *a, const fp_mod *mod)
{
    fp_mul(out, a, &mod->r2, mod);
}

void fp_leave(fp *out, const fp *a, const fp_mod *mod)
{
    static const fp one = { { 1 } };
    fp_mul(out, a, &one, mod);
}

/* Sixteen powers, then four bits of the exponent m - 2 at a time; the modulus is public and odd, so no borrow runs. */
void fp_inv(fp *out, const fp *a, const fp_mod *mod)
{
    fp power[16], r = mod->one;
    power[0] = mod->one;
    for (size_t i = 1; i < 16; i++)
        fp_mul(&power[i], &power[i - 1], a, mod);
    for (size_t at = (size_t)FP_WORDS * 16; at-- > 0;) {
        const uint64_t word = mod->m.w[at / 16] - (at / 16 == 0 ? 2 : 0);
        for (size_t i = 0; i < 4; i++)
            fp_mul(&r, &r, &r, mod);
        fp_mul(&r, &r, &power[word >> (at % 16 * 4) & 15], mod);
    }
    *out = r;
    poc_wipe(power, sizeof(power));
    poc_wipe(&r, sizeof(r));
}

void fp_inv_all(fp *values, fp *scratch, size_t n, const fp_mod *mod)
{
    fp product = mod->one, value;
    for (size_t i = 0; i < n; i++) {
        scratch[i] = product;
        fp_mul(&product, &product, &values[i], mod);
    }
    fp_inv(&product, &product, mod);
    for (size_t i = n; i-- > 0;) {
        value = values[i];
        fp_mul(&values[i], &product, &scratch[i], mod);
        fp_mul(&product, &product, &value, mod);
    }
    poc_wipe(&product, sizeof(product));
    poc_wipe(&value, sizeof(value));
}

void fp_read(fp *out, const uint8_t octets[FP_LEN])
{
    for (size_t i = 0; i < FP_WORDS; i++) {
        const uint8_t *at = octets + FP_LEN - 8 * (i + 1);
        uint64_t word = 0;
        for (size_t k = 0; k < 8; k++)
            word = word << 8 | at[k];
        out->w[i] = word;
    }
}

void fp_write(uint8_t octets[FP_LEN], const fp *a)
{
    for (size_t i = 0; i < FP_LEN; i++)
        octets[FP_LEN - 1 - i] = (uint8_t)(a->w[i / 8] >> (i % 8 * 8));
}

uint64_t fp_below(const fp *a, const fp *b)
{
    flag borrow = 0;
    for (size_t i = 0; i < FP_WORDS; i++)
        (void)with_borrow(a->w[i], b->w[i], &borrow);
    return 0 - (uint64_t)borrow;
}

uint64_t fp_zero(const fp *a)
{
    uint64_t any = 0;
    for (size_t i = 0; i < FP_WORDS; i++)
        any |= a->w[i];
    return ((any | (0 - any)) >> 63) - 1;
}

uint64_t fp_same(const fp *a, const fp *b)
{
    fp differs;
    for (size_t i = 0; i < FP_WORDS; i++)
        differs.w[i] = a->w[i] ^ b->w[i];
    return fp_zero(&differs);
}

void fp_pick(fp *out, const fp *a, uint64_t mask)
{
    for (size_t i = 0; i < FP_WORDS; i++)
        out->w[i] = (a->w[i] & mask) | (out->w[i] & ~mask);
}
