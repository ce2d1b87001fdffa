/* ECCSI beyond the door: what the KMS and tests need of it. Private to this room. */
#ifndef MCX_ECCSI_H
#define MCX_ECCSI_H

#include "base/crypto.h"
#include "base/p256.h"
#include "mcx/mcx.h"

/** HS = SHA-256(G || KPAK || ID || PVT) (RFC 6507 5.1.1). POC_E_LIMIT: the id, 1..MCX_ID_MAX octets. */
poc_err eccsi_hash(uint8_t hs[POC_SHA256_LEN], const uint8_t kpak[MCX_POINT_LEN], poc_span id,
                   const uint8_t pvt[MCX_POINT_LEN]);
/** mcx_sign with a nonce of one's own: for the published signatures. POC_E_STATE: this nonce will not do, another may. */
poc_err eccsi_sign_with(uint8_t signature[MCX_SIGNATURE_LEN], const mcx_signer *s, poc_span message,
                        const poc_p256_scalar *nonce);
/** SSK and PVT of an identity from a v of one's own: for the published keys. POC_E_STATE: this v will not do. */
poc_err eccsi_issue(poc_secret **ssk, uint8_t pvt[MCX_POINT_LEN], const mcx_kms *kms, poc_span id,
                    const poc_p256_scalar *v);

#endif
