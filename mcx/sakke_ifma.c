/* Eight messages in step with AVX-512 IFMA: a register holds the same 52 bits of a number for all of them. Numbers have 20
 * such limbs and R = 2^1040, which leaves 16 bits to spare above p: a product of numbers below 2^8 p is below 2p, as is a sum of
 * two products of numbers below 2^7 p, so that sums and differences need no reduction, only their carries. */
#include "mcx/sakke_kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <pthread.h>
#include <string.h>

#include "base/secret.h"

#define LANES         8u
#define GROUPS        8u
#define LIMBS         20u
#define LIMB_BITS     52u
#define LIMB_MASK     ((UINT64_C(1) << LIMB_BITS) - 1)
#define FE_TARGET     __attribute__((target("avx512f,avx512ifma")))
#define FE_INLINE     static inline __attribute__((always_inline))
#define FE_ROW_SIZE   ((size_t)LIMBS * SAKKE_ENTRIES * sizeof(uint64_t))
#define FE_CONST_SIZE (LIMBS * sizeof(uint64_t))

typedef struct fe {
    __m512i v[LIMBS];
} fe;

static fe fe_one, fe_sigma, fe_omega, fe_none, fe_p, fe_8p, fe_r2, fe_unit;
static __m512i fe_n0;
static fp to_lanes; /* 2^16 in Montgomery form: from R = 2^1024 to R = 2^1040 */
static bool usable;

/* ---- limbs ---- */

static uint64_t limb_of(const fp *a, size_t limb)
{
    const size_t at = limb * LIMB_BITS, word = at / 64, shift = at % 64;
    if (word >= FP_WORDS)
        return 0;
    uint64_t bits = a->w[word] >> shift;
    if (shift > 64 - LIMB_BITS && word + 1 < FP_WORDS)
        bits |= a->w[word + 1] << (64 - shift);
    return bits & LIMB_MASK;
}

static void words_of(fp *out, const uint64_t limbs[LIMBS])
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < LIMBS; i++) {
        const size_t at = i * LIMB_BITS, word = at / 64, shift = at % 64;
        if (word < FP_WORDS)
            out->w[word] |= limbs[i] << shift;
        if (shift > 64 - LIMB_BITS && word + 1 < FP_WORDS)
            out->w[word + 1] |= limbs[i] >> (64 - shift);
    }
}

FE_TARGET static void broadcast(fe *out, const fp *a)
{
    for (size_t i = 0; i < LIMBS; i++)
        out->v[i] = _mm512_set1_epi64((long long)limb_of(a, i));
}

/* Carries, of either sign, run to the top limb. */
FE_TARGET static inline void carry(fe *out, const __m512i t[LIMBS])
{
    const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
    __m512i c = _mm512_setzero_si512();
#pragma GCC unroll 20
    for (size_t i = 0; i + 1 < LIMBS; i++) {
        c = _mm512_add_epi64(c, t[i]);
        out->v[i] = _mm512_and_si512(c, mask);
        c = _mm512_srai_epi64(c, LIMB_BITS);
    }
    out->v[LIMBS - 1] = _mm512_add_epi64(c, t[LIMBS - 1]);
}

/* ---- the field ---- */

/* Three columns grow by `limb` of one factor times two limbs of the other; the first may have done so before. */
FE_TARGET FE_INLINE void columns_add(__m512i t[3], __m512i limb, __m512i low, __m512i high, bool first)
{
    if (first)
        t[0] = _mm512_madd52lo_epu64(t[0], limb, low);
    t[1] = _mm512_madd52hi_epu64(t[1], limb, low);
    t[1] = _mm512_madd52lo_epu64(t[1], limb, high);
    t[2] = _mm512_madd52hi_epu64(t[2], limb, high);
}

/* What makes the lowest limb of a column vanish, as a multiple of p. */
FE_TARGET FE_INLINE __m512i quotient(__m512i column)
{
    return _mm512_madd52lo_epu64(_mm512_setzero_si512(), column, fe_n0);
}

/* a b, and c d when there is one: two limbs of b and d at a time, so that each limb of a, c and p is read once for four
 * instructions; columns stay below 2^59. The outer loop is not to be unrolled, and nothing it reads to be kept, as the
 * accumulators fill the registers. */
FE_TARGET FE_INLINE void product(fe *out, const fe *a, const fe *b, const fe *c, const fe *d)
{
    __m512i t[LIMBS + 2], d0, d1;
    const __m512i *al = a->v, *cl = c == NULL ? NULL : c->v, *pl = fe_p.v;
#pragma GCC unroll 22
    for (size_t j = 0; j < LIMBS + 2; j++)
        t[j] = _mm512_setzero_si512();
#pragma GCC unroll 1
    for (size_t i = 0; i < LIMBS; i += 2) {
        __asm__("" : "+r"(al), "+r"(cl), "+r"(pl));
        const __m512i b0 = b->v[i], b1 = b->v[i + 1];
        columns_add(t, al[0], b0, b1, true);
        if (c != NULL) {
            d0 = d->v[i], d1 = d->v[i + 1];
            columns_add(t, cl[0], d0, d1, true);
            t[1] = _mm512_madd52lo_epu64(t[1], cl[1], d0);
        }
        t[1] = _mm512_madd52lo_epu64(t[1], al[1], b0);
        const __m512i m0 = quotient(t[0]);
        t[0] = _mm512_madd52lo_epu64(t[0], pl[0], m0);
        t[1] = _mm512_madd52hi_epu64(t[1], pl[0], m0);
        t[1] = _mm512_madd52lo_epu64(t[1], pl[1], m0);
        t[1] = _mm512_add_epi64(t[1], _mm512_srli_epi64(t[0], LIMB_BITS));
        const __m512i m1 = quotient(t[1]);
        t[1] = _mm512_madd52lo_epu64(t[1], pl[0], m1);
        t[2] = _mm512_madd52hi_epu64(t[2], pl[0], m1);
        t[2] = _mm512_add_epi64(t[2], _mm512_srli_epi64(t[1], LIMB_BITS));
#pragma GCC unroll 20
        for (size_t j = 1; j < LIMBS; j++) {
            columns_add(t + j, al[j], b0, b1, j > 1);
            if (c != NULL)
                columns_add(t + j, cl[j], d0, d1, j > 1);
            columns_add(t + j, pl[j], m0, m1, j > 1);
        }
#pragma GCC unroll 20
        for (size_t j = 0; j < LIMBS; j++)
            t[j] = t[j + 2];
        t[LIMBS] = t[LIMBS + 1] = _mm512_setzero_si512();
    }
    carry(out, t);
}

FE_TARGET static void fe_mul(fe *out, const fe *a, const fe *b)
{
    product(out, a, b, NULL, NULL);
}

FE_TARGET static void fe_mul_sum(fe *out, const fe *a, const fe *b, const fe *c, const fe *d)
{
    product(out, a, b, c, d);
}

FE_TARGET static void fe_add(fe *out, const fe *a, const fe *b)
{
    __m512i t[LIMBS];
#pragma GCC unroll 20
    for (size_t i = 0; i < LIMBS; i++)
        t[i] = _mm512_add_epi64(a->v[i], b->v[i]);
    carry(out, t);
}

FE_TARGET static void fe_sub(fe *out, const fe *a, const fe *b)
{
    __m512i t[LIMBS];
#pragma GCC unroll 20
    for (size_t i = 0; i < LIMBS; i++)
        t[i] = _mm512_add_epi64(_mm512_sub_epi64(a->v[i], b->v[i]), fe_8p.v[i]);
    carry(out, t);
}

/* Both carries run beside each other. */
FE_TARGET static void fe_sum_difference(fe *sum, fe *difference, const fe *a, const fe *b)
{
    const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
    __m512i up = _mm512_setzero_si512(), down = up;
#pragma GCC unroll 20
    for (size_t i = 0; i < LIMBS; i++) {
        const __m512i x = a->v[i], y = b->v[i];
        up = _mm512_add_epi64(up, _mm512_add_epi64(x, y));
        down = _mm512_add_epi64(down, _mm512_add_epi64(_mm512_sub_epi64(x, y), fe_8p.v[i]));
        const bool top = i + 1 == LIMBS;
        sum->v[i] = top ? up : _mm512_and_si512(up, mask);
        difference->v[i] = top ? down : _mm512_and_si512(down, mask);
        up = _mm512_srai_epi64(up, LIMB_BITS);
        down = _mm512_srai_epi64(down, LIMB_BITS);
    }
}

/* Fermat, four bits of p - 2 at a time. */
FE_TARGET static void fe_inv(fe *out, const fe *a)
{
    fe power[16], r = fe_one;
    power[0] = fe_one;
    for (size_t i = 1; i < 16; i++)
        fe_mul(&power[i], &power[i - 1], a);
    for (size_t at = (size_t)FP_WORDS * 16; at-- > 0;) {
        const uint64_t word = sakke_p.m.w[at / 16] - (at / 16 == 0 ? 2 : 0);
        for (size_t i = 0; i < 4; i++)
            fe_mul(&r, &r, &r);
        fe_mul(&r, &r, &power[word >> (at % 16 * 4) & 15]);
    }
    *out = r;
    poc_wipe(power, sizeof(power));
}

static void fe_wipe(fe *a)
{
    poc_wipe(a, sizeof(*a));
}

FE_TARGET static void fe_load(fe *out, const fp *number, size_t stride)
{
    _Alignas(64) uint64_t limbs[LIMBS][LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        const fp *n = (const fp *)(const void *)((const uint8_t *)number + lane * stride);
        for (size_t i = 0; i < LIMBS; i++)
            limbs[i][lane] = limb_of(n, i);
    }
    for (size_t i = 0; i < LIMBS; i++)
        out->v[i] = _mm512_load_si512(limbs[i]);
    fe_mul(out, out, &fe_r2);
}

/* Times 1 in Montgomery's sense is at most p. */
FE_TARGET static void fe_store(fp *number, size_t stride, const fe *a)
{
    static const fp zero;
    _Alignas(64) uint64_t limbs[LIMBS][LANES];
    uint64_t of_lane[LIMBS];
    fe plain;
    fe_mul(&plain, a, &fe_unit);
    for (size_t i = 0; i < LIMBS; i++)
        _mm512_store_si512(limbs[i], plain.v[i]);
    for (size_t lane = 0; lane < LANES; lane++) {
        fp *n = (fp *)(void *)((uint8_t *)number + lane * stride);
        for (size_t i = 0; i < LIMBS; i++)
            of_lane[i] = limbs[i][lane];
        words_of(n, of_lane);
        fp_add(n, n, &zero, &sakke_p);
    }
    poc_wipe(limbs, sizeof(limbs));
    poc_wipe(of_lane, sizeof(of_lane));
    poc_wipe(&plain, sizeof(plain));
}

/* ---- what lanes share, and rows ---- */

static void pack_const(uint8_t *out, const fp *value)
{
    fp moved;
    fp_mul(&moved, value, &to_lanes, &sakke_p);
    for (size_t i = 0; i < LIMBS; i++) {
        const uint64_t limb = limb_of(&moved, i);
        memcpy(out + i * sizeof(limb), &limb, sizeof(limb));
    }
    poc_wipe(&moved, sizeof(moved));
}

FE_TARGET static void fe_const(fe *out, const uint8_t *packed)
{
    const long long *limbs = (const long long *)(const void *)packed;
    for (size_t i = 0; i < LIMBS; i++)
        out->v[i] = _mm512_set1_epi64(limbs[i]);
}

/* Limb by limb, the 64 entries beside each other: eight registers from which each lane takes its own. */
static void pack_row(uint8_t *out, const fp entries[SAKKE_ENTRIES])
{
    uint64_t(*row)[SAKKE_ENTRIES] = (uint64_t(*)[SAKKE_ENTRIES])(void *)out;
    for (size_t e = 0; e < SAKKE_ENTRIES; e++) {
        fp moved;
        fp_mul(&moved, &entries[e], &to_lanes, &sakke_p);
        for (size_t i = 0; i < LIMBS; i++)
            row[i][e] = limb_of(&moved, i);
    }
}

typedef struct fe_digit {
    __m512i entry;       /* |digit| - 1: its last four bits find one of sixteen, */
    __mmask8 bit4, bit5; /* the others one of the four sixteens */
    __mmask8 negative, none;
} fe_digit;

FE_TARGET static void fe_digit_load(fe_digit *out, const int8_t *digit, size_t stride)
{
    const __m512i d = _mm512_set_epi64(digit[7 * stride], digit[6 * stride], digit[5 * stride], digit[4 * stride],
                                       digit[3 * stride], digit[2 * stride], digit[stride], digit[0]);
    out->negative = _mm512_cmplt_epi64_mask(d, _mm512_setzero_si512());
    out->none = _mm512_testn_epi64_mask(d, d);
    out->entry = _mm512_sub_epi64(_mm512_abs_epi64(d), _mm512_set1_epi64(1));
    out->bit4 = _mm512_test_epi64_mask(out->entry, _mm512_set1_epi64(16));
    out->bit5 = _mm512_test_epi64_mask(out->entry, _mm512_set1_epi64(32));
}

FE_TARGET FE_INLINE __m512i of_sixteen(const uint8_t *limbs, __m512i entry)
{
    return _mm512_permutex2var_epi64(_mm512_load_si512(limbs), entry, _mm512_load_si512(limbs + 64));
}

/* Of the 64 entries of a limb. */
FE_TARGET FE_INLINE __m512i of_sixty_four(const uint8_t *limbs, const fe_digit *digit)
{
    const __m512i lower =
        _mm512_mask_mov_epi64(of_sixteen(limbs, digit->entry), digit->bit4, of_sixteen(limbs + 128, digit->entry));
    const __m512i upper = _mm512_mask_mov_epi64(of_sixteen(limbs + 256, digit->entry), digit->bit4,
                                                of_sixteen(limbs + 384, digit->entry));
    return _mm512_mask_mov_epi64(lower, digit->bit5, upper);
}

FE_TARGET static void fe_row(fe *out, const uint8_t *row, const fe_digit *digit, const fe *none)
{
    for (size_t i = 0; i < LIMBS; i++, row += SAKKE_ENTRIES * sizeof(uint64_t))
        out->v[i] = _mm512_mask_mov_epi64(of_sixty_four(row, digit), digit->none, none->v[i]);
}
_Static_assert(SAKKE_ENTRIES == 64, "as of_sixty_four has it");

FE_TARGET static void fe_swap_if_negative(fe *a, fe *b, const fe_digit *digit)
{
    for (size_t i = 0; i < LIMBS; i++) {
        const __m512i x = a->v[i], y = b->v[i];
        a->v[i] = _mm512_mask_mov_epi64(x, digit->negative, y);
        b->v[i] = _mm512_mask_mov_epi64(y, digit->negative, x);
    }
}

FE_TARGET static void fe_negate_if_negative(fe *a, const fe_digit *digit)
{
    fe negative;
    fe_sub(&negative, &fe_none, a);
    for (size_t i = 0; i < LIMBS; i++)
        a->v[i] = _mm512_mask_mov_epi64(a->v[i], digit->negative, negative.v[i]);
}

#include "mcx/sakke_lanes.inc"
#include "mcx/sakke_lone.inc"

static const sakke_kernel kernel = {
    .name = "AVX-512 IFMA",
    .lanes = LANES,
    .row_size = FE_ROW_SIZE,
    .pack_row = pack_row,
    .const_size = FE_CONST_SIZE,
    .pack_const = pack_const,
    .seal = seal_few_or_many,
    .pair = pair_few_or_many,
    .test = test_few_or_many,
};

/* ---- constants ---- */

FE_TARGET static void moved_broadcast(fe *out, const fp *value)
{
    fp moved;
    fp_mul(&moved, value, &to_lanes, &sakke_p);
    broadcast(out, &moved);
}

FE_TARGET static void constants(void)
{
    static const fp shift = { { 1u << 16 } }, unit = { { 1 } };
    fp r2;
    fp_enter(&to_lanes, &shift, &sakke_p);
    fp_enter(&r2, &to_lanes, &sakke_p);
    broadcast(&fe_p, &sakke_p.m);
    broadcast(&fe_unit, &unit);
    moved_broadcast(&fe_one, &sakke_p.one);
    moved_broadcast(&fe_sigma, &sakke_sigma);
    moved_broadcast(&fe_omega, &sakke_omega);
    moved_broadcast(&fe_r2, &r2);
    fe_n0 = _mm512_set1_epi64((long long)(sakke_p.n0 & LIMB_MASK));
    fe_8p = fe_p;
    for (size_t i = 0; i < 3; i++)
        fe_add(&fe_8p, &fe_8p, &fe_8p);
}

static pthread_once_t looked = PTHREAD_ONCE_INIT;

static void look(void)
{
    __builtin_cpu_init();
    usable = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
    if (usable)
        constants();
}

const sakke_kernel *sakke_kernel_ifma(void)
{
    pthread_once(&looked, look);
    return usable ? &kernel : NULL;
}

#else

const sakke_kernel *sakke_kernel_ifma(void)
{
    return NULL;
}

#endif
