/* The curve of SAKKE away from the fast path: reading points, making tables and lines. Private to this room. */
#ifndef MCX_SAKKE_CURVE_H
#define MCX_SAKKE_CURVE_H

#include "base/bytes.h"
#include "base/err.h"
#include "mcx/sakke_kernel.h"

/* A point of E by its coordinates, in Montgomery form. */
typedef struct sakke_affine {
    fp x, y;
} sakke_affine;

/** 04 || x || y of a point of the curve; POC_E_INPUT for anything else. Its order is not looked at. */
poc_err sakke_point_read(sakke_affine *out, const uint8_t octets[1 + 2 * FP_LEN]);
void sakke_point_write(uint8_t octets[1 + 2 * FP_LEN], const fp *x, const fp *y); /* not in Montgomery form */

/** The table of a point of order q, or of g. POC_E_NOMEM. */
poc_err sakke_table_of_point(sakke_table *out, const sakke_kernel *kernel, const sakke_affine *point);
poc_err sakke_table_of_g(sakke_table *out, const sakke_kernel *kernel);
void sakke_table_done(sakke_table *t);

/** [b]P + Z. Not constant time: an identifier and a public key. */
void sakke_recipient_point(sakke_affine *out, const fp *b, const sakke_affine *z);

/** Lines of the Miller loop over `point`: sakke_lines_size octets. POC_E_INPUT: not a point of order q. POC_E_NOMEM. Constant
 *  time in a point of order q; what it needs on the way lies in locked memory. */
size_t sakke_lines_size(const sakke_kernel *kernel);
poc_err sakke_lines_of(uint8_t *lines, const sakke_kernel *kernel, const sakke_affine *point);
/** POC_E_INPUT unless the point has order q. POC_E_NOMEM. */
poc_err sakke_point_check(const sakke_affine *point);

/** Digits of a scalar below q; constant time. */
void sakke_digits_of(sakke_digits *out, const fp *scalar);

#endif
