/* The only computing with OpenSSL: algorithms are fetched once per process, contexts are re-keyed per thread. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define POC_MD5_LEN       16u
#define POC_SHA1_LEN      20u
#define POC_SHA256_LEN    32u
#define POC_AES_LEN       16u
#define POC_GCM_NONCE_LEN 12u
#define POC_GCM_TAG_LEN   16u

/** Equal in constant time; the length is not secret. */
bool poc_equal_ct(const void *a, const void *b, size_t n);

/* All of these return POC_E_NOMEM when OpenSSL cannot allocate, else POC_OK; outputs are untouched on error. */
poc_err poc_md5(uint8_t out[POC_MD5_LEN], poc_span data);
poc_err poc_sha256(uint8_t out[POC_SHA256_LEN], poc_span data);
/** Over the `n` parts in a row. */
poc_err poc_sha256_parts(uint8_t out[POC_SHA256_LEN], const poc_span *parts, size_t n);
poc_err poc_hmac_sha1(uint8_t out[POC_SHA1_LEN], poc_span key, poc_span data);
poc_err poc_hmac_sha256(uint8_t out[POC_SHA256_LEN], poc_span key, poc_span data);
/** HMAC-SHA-1 with its key absorbed, for many short inputs under one key. As secret as the key: the caller wipes it. */
typedef struct poc_hmac_sha1_key {
    uint32_t inner[5], outer[5];
} poc_hmac_sha1_key;

/* Neither can fail nor allocates. */
void poc_hmac_sha1_rekey(poc_hmac_sha1_key *state, poc_span key);
/** The MAC over the `n` parts in a row. */
void poc_hmac_sha1_keyed(uint8_t out[POC_SHA1_LEN], const poc_hmac_sha1_key *state, const poc_span *parts, size_t n);

/** One block of AES-128 (the E[] of MILENAGE). */
poc_err poc_aes128_block(uint8_t out[POC_AES_LEN], const uint8_t key[16], const uint8_t in[POC_AES_LEN]);
/** AES-128 in counter mode with a full 128-bit big-endian increment; `out` may be `in`. */
poc_err poc_aes128_ctr(uint8_t *out, const uint8_t key[16], const uint8_t iv[16], poc_span in);
/** The same with AES-256. */
poc_err poc_aes256_ctr(uint8_t *out, const uint8_t key[32], const uint8_t iv[16], poc_span in);
/** AES-256-GCM: writes in.n octets of ciphertext and the tag behind it. `out` has room for in.n + 16. */
poc_err poc_gcm_seal(uint8_t *out, poc_span key32, const uint8_t nonce[12], poc_span aad, poc_span in);
/** The reverse: in.n >= 16; writes in.n - 16 octets. POC_E_AUTH when the tag does not hold, `out` is then wiped. */
poc_err poc_gcm_open(uint8_t *out, poc_span key32, const uint8_t nonce[12], poc_span aad, poc_span in);
/** AES-GCM as the two above, with a key of 16 or 32 octets and an initialisation vector of 1..64 octets, of which any
 *  length but 12 goes through GHASH (SP 800-38D 7.1). POC_E_LIMIT for other lengths. */
poc_err poc_gcm_seal_iv(uint8_t *out, poc_span key, poc_span iv, poc_span aad, poc_span in);
poc_err poc_gcm_open_iv(uint8_t *out, poc_span key, poc_span iv, poc_span aad, poc_span in);
/** AES key wrap (RFC 3394) of n octets, a multiple of 8: writes n + 8. */
poc_err poc_key_wrap(uint8_t *out, poc_span kek, poc_span key);
poc_err poc_key_unwrap(uint8_t *out, poc_span kek, poc_span wrapped);

/** Is this PEM text a public key that signatures can be checked with: RSA of at least 2,048 bits, or P-256? */
bool poc_pem_is_public_key(const char *pem);
/** Is the first certificate in this PEM text that of the private key in the other one, which is not encrypted? */
bool poc_pem_is_pair(const char *certificate, const char *key);
/** Is the first thing in this PEM text a certificate? */
bool poc_pem_has_certificates(const char *pem);

#endif
