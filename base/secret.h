/* The only type that may hold a key. Its octets lie in locked memory that is left out of core dumps, are wiped when the
 * last owner lets go, and are never copied into plain structs, Sofia homes, logs, error texts or effects: those carry a
 * pointer, or nothing. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define POC_SECRET_MAX 320u /* octets; Ks, MUK and MRK need 32, MTK || salt 30, the RSK of SAKKE 257 */

typedef struct poc_secret poc_secret;

/** Where randomness comes from: the system in the daemon, a seeded generator in the simulated world. */
typedef struct poc_rng {
    /** Fills `n` octets; POC_E_IO when it cannot. */
    poc_err (*fill)(void *ctx, void *out, size_t n);
    void *ctx;
} poc_rng;

/** The operating system's generator, drawn through OpenSSL in bulk. Thread-safe. */
extern const poc_rng poc_rng_system;

/** A secret of `len` zero octets (1..POC_SECRET_MAX), one owner. POC_E_LIMIT, POC_E_NOMEM; `*out` is then NULL. */
poc_err poc_secret_new(poc_secret **out, size_t len);
/** A secret that copies `len` octets; the caller wipes its own copy (poc_wipe). */
poc_err poc_secret_from(poc_secret **out, const void *bytes, size_t len);
/** A fresh random secret. */
poc_err poc_secret_random(poc_secret **out, size_t len, const poc_rng *rng);
/** One more owner of the same octets. Thread-safe. Returns `s`; NULL stays NULL. */
poc_secret *poc_secret_ref(poc_secret *s);
/** One owner less; the last one wipes and frees. NULL is fine. Thread-safe. */
void poc_secret_free(poc_secret *s);
POC_DEFINE_OWNED(poc_secret, poc_secret_free)

/** The octets, borrowed while the caller is an owner. */
const uint8_t *poc_secret_bytes(const poc_secret *s);
/** The same to be written; only by the one who just made the secret. */
uint8_t *poc_secret_edit(poc_secret *s);
size_t poc_secret_len(const poc_secret *s);
poc_span poc_secret_span(const poc_secret *s);
/** Equal length and octets, in constant time. */
bool poc_secret_eq(const poc_secret *a, const poc_secret *b);

/** `n` zero octets of locked memory of their own, aligned to 64, for what is made from a key and too large for a secret; whole
 *  pages, so not for small things. NULL: out of memory. */
void *poc_vault_new(size_t n);
/** Wipes and frees. NULL is fine. */
void poc_vault_free(void *vault);

/** Overwrites `n` octets in a way no compiler removes. */
void poc_wipe(void *p, size_t n);
/** Secrets alive now, for tests that prove nothing was left behind. */
size_t poc_secret_live_count(void);

#endif
