/* One message at a time in portable C. */
#include <string.h>

#include "base/secret.h"
#include "mcx/fp.h"
#include "mcx/sakke_kernel.h"

#define LANES         1u
#define GROUPS        16u
#define FE_TARGET     /* whatever the compiler was told */
#define FE_ROW_SIZE   (SAKKE_ENTRIES * sizeof(fp))
#define FE_CONST_SIZE sizeof(fp)

typedef fp fe;

#define fe_one   sakke_p.one
#define fe_sigma sakke_sigma
#define fe_omega sakke_omega
static const fe fe_none;

static void fe_mul(fe *out, const fe *a, const fe *b)
{
    fp_mul(out, a, b, &sakke_p);
}

static void fe_add(fe *out, const fe *a, const fe *b)
{
    fp_add(out, a, b, &sakke_p);
}

static void fe_sub(fe *out, const fe *a, const fe *b)
{
    fp_sub(out, a, b, &sakke_p);
}

static void fe_mul_sum(fe *out, const fe *a, const fe *b, const fe *c, const fe *d)
{
    fp_mul_sum(out, a, b, c, d, &sakke_p);
}

static void fe_sum_difference(fe *sum, fe *difference, const fe *a, const fe *b)
{
    const fe from = *a;
    fp_add(sum, a, b, &sakke_p);
    fp_sub(difference, &from, b, &sakke_p);
}

static void fe_inv(fe *out, const fe *a)
{
    fp_inv(out, a, &sakke_p);
}

static void fe_wipe(fe *a)
{
    poc_wipe(a, sizeof(*a));
}

static void fe_load(fe *out, const fp *number, size_t stride)
{
    (void)stride;
    fp_enter(out, number, &sakke_p);
}

static void fe_store(fp *number, size_t stride, const fe *a)
{
    (void)stride;
    fp_leave(number, a, &sakke_p);
}

static void fe_const(fe *out, const uint8_t *packed)
{
    memcpy(out, packed, sizeof(*out));
}

typedef struct fe_digit {
    uint64_t negative; /* all ones or 0 */
    uint64_t size;
} fe_digit;

static void fe_digit_load(fe_digit *out, const int8_t *digit, size_t stride)
{
    (void)stride;
    const uint64_t d = (uint64_t)(int64_t)*digit;
    out->negative = 0 - (d >> 63);
    out->size = (d ^ out->negative) - out->negative;
}

/* All ones when a = b, both below 2^63. */
static uint64_t equal(uint64_t a, uint64_t b)
{
    return 0 - ((((a ^ b) - 1) >> 63) & 1);
}

/* Four words at a time, or as many as the processor can, and the sum in registers. */
typedef uint64_t four __attribute__((vector_size(32), aligned(16), may_alias));
enum { FOURS = FP_WORDS / 4 };

static inline __attribute__((always_inline)) void row_scan(fe *out, const uint8_t *row, uint64_t size, const fe *none)
{
    const four *entry = (const four *)(const void *)row, *other = (const four *)(const void *)none;
    four sum[FOURS];
    const uint64_t is_none = equal(size, 0);
#pragma GCC unroll 4
    for (size_t k = 0; k < FOURS; k++)
        sum[k] = other[k] & (four){ is_none, is_none, is_none, is_none };
    for (uint64_t i = 0; i < SAKKE_ENTRIES; i++, entry += FOURS) {
        const uint64_t is_this = equal(size, i + 1);
        const four mask = { is_this, is_this, is_this, is_this };
#pragma GCC unroll 4
        for (size_t k = 0; k < FOURS; k++)
            sum[k] |= entry[k] & mask;
    }
    memcpy(out, sum, sizeof(*out));
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void row_scan_wide(fe *out, const uint8_t *row, uint64_t size, const fe *none)
{
    row_scan(out, row, size, none);
}
#define ROW_SCAN_IS_WIDE __builtin_cpu_supports("avx2")
#else
#define row_scan_wide    row_scan
#define ROW_SCAN_IS_WIDE false
#endif

static void fe_row(fe *out, const uint8_t *row, const fe_digit *digit, const fe *none)
{
    if (ROW_SCAN_IS_WIDE)
        row_scan_wide(out, row, digit->size, none);
    else
        row_scan(out, row, digit->size, none);
}

static void fe_swap_if_negative(fe *a, fe *b, const fe_digit *digit)
{
    for (size_t k = 0; k < FP_WORDS; k++) {
        const uint64_t x = (a->w[k] ^ b->w[k]) & digit->negative;
        a->w[k] ^= x;
        b->w[k] ^= x;
    }
}

static void fe_negate_if_negative(fe *a, const fe_digit *digit)
{
    fe negative;
    fe_sub(&negative, &fe_none, a);
    fp_pick(a, &negative, digit->negative);
}

#include "mcx/sakke_lanes.inc"

static void pack_row(uint8_t *out, const fp entries[SAKKE_ENTRIES])
{
    memcpy(out, entries, FE_ROW_SIZE);
}

static void pack_const(uint8_t *out, const fp *value)
{
    memcpy(out, value, sizeof(*value));
}

const sakke_kernel sakke_kernel_portable = {
    .name = "portable",
    .lanes = LANES,
    .row_size = FE_ROW_SIZE,
    .pack_row = pack_row,
    .const_size = FE_CONST_SIZE,
    .pack_const = pack_const,
    .seal = kernel_seal,
    .pair = kernel_pair,
    .test = kernel_test,
};

const sakke_kernel *sakke_kernel_best(void)
{
    const sakke_kernel *ifma = sakke_kernel_ifma();
    return ifma != NULL ? ifma : &sakke_kernel_portable;
}
