/* Arithmetic modulo an odd number of at most 1024 bits, in Montgomery form with R = 2^1024: sixteen words, always reduced.
 * Time and addresses depend on nothing but the modulus, and exponents where said. Portable C; x86-64 has its own word for
 * "multiply and add". Outputs may be inputs. */
#ifndef MCX_FP_H
#define MCX_FP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FP_WORDS 16u
#define FP_LEN   128u /* octets, big-endian */

typedef struct fp {
    _Alignas(16) uint64_t w[FP_WORDS]; /* the least significant first */
} fp;

typedef struct fp_mod {
    fp m, one, r2; /* R and R^2 modulo m */
    uint64_t n0;   /* -1/m modulo 2^64 */
} fp_mod;

/** a b / R. One of them may be any number below R: the result is reduced. */
void fp_mul(fp *out, const fp *a, const fp *b, const fp_mod *mod);
/** (a b + c d) / R, of reduced numbers and for a modulus below 0.7 R. */
void fp_mul_sum(fp *out, const fp *a, const fp *b, const fp *c, const fp *d, const fp_mod *mod);
void fp_add(fp *out, const fp *a, const fp *b, const fp_mod *mod);
void fp_sub(fp *out, const fp *a, const fp *b, const fp_mod *mod);
/** To Montgomery form from any number below R, and back. */
void fp_enter(fp *out, const fp *a, const fp_mod *mod);
void fp_leave(fp *out, const fp *a, const fp_mod *mod);
/** 1/a by Fermat, for a prime modulus; 0 of 0. */
void fp_inv(fp *out, const fp *a, const fp_mod *mod);
/** The same of `n` numbers, at three products each and one inversion; `scratch` has room for n. If one is 0 all become 0. */
void fp_inv_all(fp *values, fp *scratch, size_t n, const fp_mod *mod);

/** Numbers as they are, not in Montgomery form. */
void fp_read(fp *out, const uint8_t octets[FP_LEN]);
void fp_write(uint8_t octets[FP_LEN], const fp *a);
/** All ones or 0. */
uint64_t fp_below(const fp *a, const fp *b);
uint64_t fp_zero(const fp *a);
uint64_t fp_same(const fp *a, const fp *b);
/** `out` becomes `a` where `mask` has ones. */
void fp_pick(fp *out, const fp *a, uint64_t mask);

#endif
