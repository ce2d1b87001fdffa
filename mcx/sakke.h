/* SAKKE beyond the door: what the KMS and tests need of it. Private to this room. */
#ifndef MCX_SAKKE_H
#define MCX_SAKKE_H

#include <stdatomic.h>

#include "base/crypto.h"
#include "mcx/mcx.h"
#include "mcx/sakke_curve.h"

/* Tables of P and g, one pair for each kernel in use. */
typedef struct sakke_common {
    const sakke_kernel *kernel;
    sakke_table p, g;
    size_t users;
} sakke_common;

struct mcx_sakke {
    atomic_uint owners;
    sakke_common *common;
    sakke_affine z;
    sakke_table table;
};

struct mcx_receiver {
    atomic_uint owners;
    mcx_sakke *kms;
    uint8_t *lines;      /* locked memory */
    sakke_affine public; /* [b]P + Z */
    sakke_table table;   /* of `public`, for the test */
    size_t id_len;
    uint8_t id[MCX_ID_MAX];
};

/** mcx_sakke_new for a kernel of one's choice. */
poc_err mcx_sakke_new_with(mcx_sakke **out, const sakke_kernel *kernel, const uint8_t z[MCX_SAKKE_POINT_LEN]);
/** An identifier as a number below q, not in Montgomery form. POC_E_LIMIT: 1..MCX_ID_MAX octets. */
poc_err sakke_id_read(fp *out, poc_span id);
/** r = HashToIntegerRange(SSV || b, q) (RFC 6508 5.1), below q. The identifier has been read. */
poc_err sakke_scalar_of(fp *r, poc_span ssv, poc_span id);
/** HashToIntegerRange(w, 2^256); for 2^128 its last half. */
poc_err sakke_mask_of(uint8_t mask[POC_SHA256_LEN], const fp *w);
/** SSV from H or back, `n` octets. */
void sakke_mask_apply(uint8_t *out, const uint8_t *in, const uint8_t mask[POC_SHA256_LEN], size_t n);
/** 04 || x || y of [scalar]P for a scalar in 1..q-1; constant time. Makes the tables when nobody else has them. POC_E_NOMEM. */
poc_err sakke_multiply_generator(uint8_t octets[MCX_SAKKE_POINT_LEN], const fp *scalar);

#endif
