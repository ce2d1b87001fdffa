/* The KDF of TS 33.220 Annex B as TS 33.180 uses it; private to this room. */
#ifndef MCX_KDF_H
#define MCX_KDF_H

#include "base/crypto.h"
#include "mcx/mcx.h"

enum { MCX_FC_USER_SALT = 0x50, MCX_FC_XML_CONFIDENTIALITY, MCX_FC_XML_INTEGRITY, MCX_FC_PAYLOAD_CIPHER };

/** HMAC-SHA-256(key, FC || P0 || len(P0) || P1 || len(P1) ...), with at most two parameters. The caller wipes `out`.
 *  POC_E_LIMIT: a parameter is longer than MCX_URI_MAX. */
poc_err mcx_kdf(uint8_t out[POC_SHA256_LEN], const poc_secret *key, uint8_t fc, const poc_span *params, size_t n);
/** The last `len` octets (16 or 32) of the same as a secret. */
poc_err mcx_kdf_secret(poc_secret **out, size_t len, const poc_secret *key, uint8_t fc, const poc_span *params,
                       size_t n);

static inline void mcx_u32_put(uint8_t out[4], uint32_t v)
{
    poc_wr wr = poc_wr_into(out, 4);
    poc_wr_u32(&wr, v);
}

#endif
