/* NIST P-256: points by OpenSSL's assembly, but for what a verification does again and again with the same point; numbers modulo
 * the order by ourselves in constant time. Points are 04 || x || y,
 * numbers 32 octets big-endian. */
#ifndef BASE_P256_H
#define BASE_P256_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define POC_P256_POINT_LEN  65u
#define POC_P256_SCALAR_LEN 32u

/** Modulo the order, in Montgomery form and reduced, the least significant word first. As secret as what it holds. */
typedef struct poc_p256_scalar {
    uint64_t w[4];
} poc_p256_scalar;

/** 04 || x || y of the generator. */
extern const uint8_t poc_p256_generator[POC_P256_POINT_LEN];

/* Constant time, cannot fail; outputs may be inputs. */
/** Any 32 octets, reduced. */
void poc_p256_scalar_from(poc_p256_scalar *out, const uint8_t octets[POC_P256_SCALAR_LEN]);
/** 64 octets, reduced: with random ones the result is as good as uniform. */
void poc_p256_scalar_from_wide(poc_p256_scalar *out, const uint8_t octets[2 * POC_P256_SCALAR_LEN]);
void poc_p256_scalar_put(uint8_t octets[POC_P256_SCALAR_LEN], const poc_p256_scalar *a);
void poc_p256_scalar_add(poc_p256_scalar *out, const poc_p256_scalar *a, const poc_p256_scalar *b);
void poc_p256_scalar_mul(poc_p256_scalar *out, const poc_p256_scalar *a, const poc_p256_scalar *b);
/** 1/a; 0 of 0. */
void poc_p256_scalar_inv(poc_p256_scalar *out, const poc_p256_scalar *a);
bool poc_p256_scalar_is_zero(const poc_p256_scalar *a);
/** The octets are a number in 1..order - 1. */
bool poc_p256_scalar_in_range(const uint8_t octets[POC_P256_SCALAR_LEN]);
/** The octets are a number in 1..p - 1. */
bool poc_p256_coordinate_in_range(const uint8_t octets[POC_P256_SCALAR_LEN]);

/** [k]G of a secret k that is not 0; constant time. POC_E_NOMEM. */
poc_err poc_p256_multiply_generator(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *k);
/** [g]G + [k]point, of public numbers; constant time is not promised. POC_E_INPUT: `point` is not on the curve, or the sum is at
 *  infinity. POC_E_NOMEM. */
poc_err poc_p256_multiply_both(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *g, const poc_p256_scalar *k,
                               const uint8_t point[POC_P256_POINT_LEN]);
/** [k]point + sum, with the same limits. */
poc_err poc_p256_multiply_add(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *k,
                              const uint8_t point[POC_P256_POINT_LEN], const uint8_t sum[POC_P256_POINT_LEN]);

/** A public point that many multiples will be taken of; POC_P256_TABLE_SIZE octets. Making it takes about as long as two
 *  multiplications without. */
#define POC_P256_TABLE_SIZE 4096u
typedef struct poc_p256_table poc_p256_table;
/** POC_E_INPUT: not on the curve. POC_E_NOMEM. */
poc_err poc_p256_table_new(poc_p256_table **out, const uint8_t point[POC_P256_POINT_LEN]);
void poc_p256_table_free(poc_p256_table *t);
/** Whether [g]G + [k]point has this x. Of public numbers: not in constant time. */
bool poc_p256_sum_has_x(const poc_p256_scalar *g, const poc_p256_scalar *k, const poc_p256_table *point,
                        const uint8_t x[POC_P256_SCALAR_LEN]);

#endif
