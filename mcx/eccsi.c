/* ECCSI (RFC 6507) on P-256 with SHA-256. */
#include "mcx/eccsi.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(MCX_POINT_LEN == POC_P256_POINT_LEN && MCX_SCALAR_LEN == POC_P256_SCALAR_LEN, "of one curve");

enum { R_AT = 0, S_AT = MCX_SCALAR_LEN, PVT_AT = 2 * MCX_SCALAR_LEN };

poc_err eccsi_hash(uint8_t hs[POC_SHA256_LEN], const uint8_t kpak[MCX_POINT_LEN], poc_span id,
                   const uint8_t pvt[MCX_POINT_LEN])
{
    uint8_t in[3 * MCX_POINT_LEN + MCX_ID_MAX];
    poc_wr wr = poc_wr_into(in, sizeof(in));
    if (id.n == 0 || id.n > MCX_ID_MAX)
        return POC_E_LIMIT;
    poc_wr_put(&wr, poc_p256_generator, POC_P256_POINT_LEN);
    poc_wr_put(&wr, kpak, MCX_POINT_LEN);
    poc_wr_span(&wr, id);
    poc_wr_put(&wr, pvt, MCX_POINT_LEN);
    return poc_sha256(hs, poc_span_of(in, wr.len));
}

/* HE = SHA-256(HS || r || M). */
static poc_err message_hash(poc_p256_scalar *he, const uint8_t hs[POC_SHA256_LEN], const uint8_t r[MCX_SCALAR_LEN],
                            poc_span message)
{
    uint8_t digest[POC_SHA256_LEN];
    const poc_span parts[] = { poc_span_of(hs, POC_SHA256_LEN), poc_span_of(r, MCX_SCALAR_LEN), message };
    POC_TRY(poc_sha256_parts(digest, parts, POC_COUNT(parts)));
    poc_p256_scalar_from(he, digest);
    return POC_OK;
}

/* ---- signing ---- */

struct mcx_signer {
    atomic_uint owners;
    poc_secret *ssk;
    uint8_t hs[POC_SHA256_LEN];
    uint8_t pvt[MCX_POINT_LEN];
};

/* KPAK + [HS]PVT = [SSK]G (RFC 6507 5.1.2). */
static poc_err keys_check(const mcx_signer *s, const uint8_t kpak[MCX_POINT_LEN])
{
    uint8_t left[MCX_POINT_LEN], right[MCX_POINT_LEN];
    poc_p256_scalar hs, ssk;
    poc_p256_scalar_from(&hs, s->hs);
    POC_TRY(poc_p256_multiply_add(left, &hs, s->pvt, kpak));
    poc_p256_scalar_from(&ssk, poc_secret_bytes(s->ssk));
    const poc_err err = poc_p256_multiply_generator(right, &ssk);
    poc_wipe(&ssk, sizeof(ssk));
    POC_TRY(err);
    return memcmp(left, right, sizeof(left)) == 0 ? POC_OK : POC_E_AUTH;
}

poc_err mcx_signer_new(mcx_signer **out, const uint8_t kpak[MCX_POINT_LEN], poc_span id, poc_secret *ssk,
                       const uint8_t pvt[MCX_POINT_LEN])
{
    POC_OWNED(mcx_signer, s, mcx_signer_free);
    *out = NULL;
    if (poc_secret_len(ssk) != MCX_SCALAR_LEN || !poc_p256_scalar_in_range(poc_secret_bytes(ssk)))
        return POC_E_INPUT;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return POC_E_NOMEM;
    atomic_store(&s->owners, 1);
    s->ssk = poc_secret_ref(ssk);
    memcpy(s->pvt, pvt, MCX_POINT_LEN);
    POC_TRY(eccsi_hash(s->hs, kpak, id, pvt));
    POC_TRY(keys_check(s, kpak));
    *out = POC_RELEASE(s);
    return POC_OK;
}

mcx_signer *mcx_signer_ref(mcx_signer *s)
{
    if (s != NULL)
        atomic_fetch_add(&s->owners, 1);
    return s;
}

void mcx_signer_free(mcx_signer *s)
{
    if (s == NULL || atomic_fetch_sub(&s->owners, 1) != 1)
        return;
    poc_secret_free(s->ssk);
    free(s);
}

/* s = j / (HE + r SSK) (RFC 6507 5.2.1). */
poc_err eccsi_sign_with(uint8_t signature[MCX_SIGNATURE_LEN], const mcx_signer *s, poc_span message,
                        const poc_p256_scalar *nonce)
{
    uint8_t point[MCX_POINT_LEN];
    poc_p256_scalar he, r, below;
    POC_TRY(poc_p256_multiply_generator(point, nonce));
    const uint8_t *x = point + 1;
    POC_TRY(message_hash(&he, s->hs, x, message));
    poc_p256_scalar_from(&r, x);
    poc_p256_scalar_from(&below, poc_secret_bytes(s->ssk));
    poc_p256_scalar_mul(&below, &below, &r);
    poc_p256_scalar_add(&below, &below, &he);
    const bool usable = !poc_p256_scalar_is_zero(&below) && !poc_p256_scalar_is_zero(&r);
    poc_p256_scalar_inv(&below, &below);
    poc_p256_scalar_mul(&below, &below, nonce);
    memcpy(signature + R_AT, x, MCX_SCALAR_LEN);
    poc_p256_scalar_put(signature + S_AT, &below);
    memcpy(signature + PVT_AT, s->pvt, MCX_POINT_LEN);
    poc_wipe(&below, sizeof(below));
    return usable ? POC_OK : POC_E_STATE;
}

/* j from 64 octets of HMAC-SHA-256 under SSK over fresh chance, HS and the message: if chance fails, what a nonce depends on
 * still differs from message to message, and nobody without SSK can tell it. */
static poc_err nonce_derive(poc_p256_scalar *out, const mcx_signer *s, poc_span message, const poc_rng *rng)
{
    uint8_t in[1 + 3 * POC_SHA256_LEN], octets[2 * POC_SHA256_LEN];
    const poc_span key = poc_secret_span(s->ssk);
    POC_TRY(rng->fill(rng->ctx, in + 1, POC_SHA256_LEN));
    memcpy(in + 1 + POC_SHA256_LEN, s->hs, POC_SHA256_LEN);
    poc_err err = poc_sha256(in + 1 + (size_t)2 * POC_SHA256_LEN, message);
    for (size_t half = 0; half < 2 && err == POC_OK; half++) {
        in[0] = (uint8_t)half;
        err = poc_hmac_sha256(octets + half * POC_SHA256_LEN, key, poc_span_of(in, sizeof(in)));
    }
    if (err == POC_OK)
        poc_p256_scalar_from_wide(out, octets);
    poc_wipe(in, sizeof(in));
    poc_wipe(octets, sizeof(octets));
    return err;
}

poc_err mcx_sign(uint8_t signature[MCX_SIGNATURE_LEN], const mcx_signer *s, poc_span message, const poc_rng *rng)
{
    enum { TRIES = 8 }; /* one will do, but for one nonce in 2^255 */
    poc_p256_scalar nonce;
    poc_err err = POC_E_STATE;
    for (size_t i = 0; i < TRIES && err == POC_E_STATE; i++) {
        err = nonce_derive(&nonce, s, message, rng);
        if (err == POC_OK)
            err = poc_p256_scalar_is_zero(&nonce) ? POC_E_STATE : eccsi_sign_with(signature, s, message, &nonce);
    }
    poc_wipe(&nonce, sizeof(nonce));
    return err;
}

/* ---- verifying ---- */

/* Y = [HS]PVT + KPAK of a sender whose signature has held, under the HS that it follows from; and when a second one has, the
 * table of its multiples. */
typedef struct cached {
    bool used;
    uint8_t hs[POC_SHA256_LEN];
    uint8_t y[MCX_POINT_LEN];
    poc_p256_table *table;
} cached;

struct mcx_verifier {
    size_t count;
    cached slots[];
};

poc_err mcx_verifier_new(mcx_verifier **out, size_t cached_count)
{
    if (cached_count > (SIZE_MAX - sizeof(mcx_verifier)) / sizeof(cached)) {
        *out = NULL;
        return POC_E_NOMEM;
    }
    *out = calloc(1, sizeof(mcx_verifier) + cached_count * sizeof(cached));
    if (*out == NULL)
        return POC_E_NOMEM;
    (*out)->count = cached_count;
    return POC_OK;
}

void mcx_verifier_free(mcx_verifier *v)
{
    for (size_t i = 0; v != NULL && i < v->count; i++)
        poc_p256_table_free(v->slots[i].table);
    free(v);
}

/* One place for each sender: HS is a hash, and nobody gets in without a signature that holds. */
static cached *slot_of(mcx_verifier *v, const uint8_t hs[POC_SHA256_LEN])
{
    uint64_t number;
    memcpy(&number, hs, sizeof(number));
    return v->count == 0 ? NULL : &v->slots[number % v->count];
}

static bool is_known(const cached *slot, const uint8_t hs[POC_SHA256_LEN])
{
    return slot != NULL && slot->used && memcmp(slot->hs, hs, POC_SHA256_LEN) == 0;
}

/* J = [s]([HE]G + [r]Y) has r as its x (RFC 6507 5.2.2). These are s HE and s r. */
static poc_err signature_scalars(poc_p256_scalar *g, poc_p256_scalar *k, const uint8_t *signature,
                                 const uint8_t hs[POC_SHA256_LEN], poc_span message)
{
    poc_p256_scalar s;
    POC_TRY(message_hash(g, hs, signature + R_AT, message));
    poc_p256_scalar_from(k, signature + R_AT);
    poc_p256_scalar_from(&s, signature + S_AT);
    poc_p256_scalar_mul(g, g, &s);
    poc_p256_scalar_mul(k, k, &s);
    return POC_OK;
}

static poc_err sum_check(const poc_p256_scalar *g, const poc_p256_scalar *k, const uint8_t y[MCX_POINT_LEN],
                         const uint8_t *r)
{
    uint8_t j[MCX_POINT_LEN];
    const poc_err err = poc_p256_multiply_both(j, g, k, y);
    if (err == POC_E_NOMEM)
        return err;
    return err == POC_OK && memcmp(j + 1, r, MCX_SCALAR_LEN) == 0 ? POC_OK : POC_E_AUTH;
}

/* By a sender that has been verified before. A table that cannot be had is done without. */
static poc_err verify_known(cached *slot, const uint8_t *signature, const poc_p256_scalar *g, const poc_p256_scalar *k)
{
    if (slot->table != NULL)
        return poc_p256_sum_has_x(g, k, slot->table, signature + R_AT) ? POC_OK : POC_E_AUTH;
    POC_TRY(sum_check(g, k, slot->y, signature + R_AT));
    (void)poc_p256_table_new(&slot->table, slot->y);
    return POC_OK;
}

static poc_err verify_unknown(cached *slot, const uint8_t hs[POC_SHA256_LEN], const uint8_t kpak[MCX_POINT_LEN],
                              const uint8_t *signature, const poc_p256_scalar *g, const poc_p256_scalar *k)
{
    uint8_t y[MCX_POINT_LEN];
    poc_p256_scalar scalar;
    poc_p256_scalar_from(&scalar, hs);
    POC_TRY(poc_p256_multiply_add(y, &scalar, signature + PVT_AT, kpak));
    POC_TRY(sum_check(g, k, y, signature + R_AT));
    if (slot == NULL)
        return POC_OK;
    poc_p256_table_free(slot->table);
    *slot = (cached){ .used = true };
    memcpy(slot->hs, hs, sizeof(slot->hs));
    memcpy(slot->y, y, sizeof(slot->y));
    return POC_OK;
}

poc_err mcx_verify(mcx_verifier *v, const uint8_t kpak[MCX_POINT_LEN], poc_span id, poc_span message,
                   poc_span signature)
{
    uint8_t hs[POC_SHA256_LEN];
    poc_p256_scalar g, k;
    if (signature.n != MCX_SIGNATURE_LEN || !poc_p256_coordinate_in_range(signature.p + R_AT) ||
        !poc_p256_scalar_in_range(signature.p + S_AT))
        return POC_E_INPUT;
    POC_TRY(eccsi_hash(hs, kpak, id, signature.p + PVT_AT));
    POC_TRY(signature_scalars(&g, &k, signature.p, hs, message));
    cached *slot = slot_of(v, hs);
    return is_known(slot, hs) ? verify_known(slot, signature.p, &g, &k)
                              : verify_unknown(slot, hs, kpak, signature.p, &g, &k);
}
