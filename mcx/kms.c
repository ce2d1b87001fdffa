/* A key management server of one's own: master secrets, and the keys of users from them. */
#include <stdlib.h>
#include <string.h>

#include "mcx/eccsi.h"
#include "mcx/sakke.h"

struct mcx_kms {
    poc_secret *z, *ksak;
    uint8_t z_point[MCX_SAKKE_POINT_LEN];
    uint8_t kpak[MCX_POINT_LEN];
};

/* ---- the public parts ---- */

/* z in 2..q - 1, which is a public fact about a secret. */
static poc_err read_z(fp *out, const poc_secret *z)
{
    static const fp two = { { 2 } };
    if (poc_secret_len(z) != MCX_SAKKE_Z_LEN)
        return POC_E_INPUT;
    fp_read(out, poc_secret_bytes(z));
    return (fp_below(out, &sakke_q.m) & ~fp_below(out, &two)) != 0 ? POC_OK : POC_E_INPUT;
}

static poc_err kms_init(mcx_kms *kms, poc_secret *z, poc_secret *ksak)
{
    fp number;
    poc_p256_scalar scalar;
    if (poc_secret_len(ksak) != MCX_SCALAR_LEN || !poc_p256_scalar_in_range(poc_secret_bytes(ksak)))
        return POC_E_INPUT;
    poc_err err = read_z(&number, z);
    if (err == POC_OK)
        err = sakke_multiply_generator(kms->z_point, &number);
    poc_wipe(&number, sizeof(number));
    POC_TRY(err);
    poc_p256_scalar_from(&scalar, poc_secret_bytes(ksak));
    err = poc_p256_multiply_generator(kms->kpak, &scalar);
    poc_wipe(&scalar, sizeof(scalar));
    kms->z = poc_secret_ref(z);
    kms->ksak = poc_secret_ref(ksak);
    return err;
}

poc_err mcx_kms_new(mcx_kms **out, poc_secret *z, poc_secret *ksak)
{
    POC_OWNED(mcx_kms, kms, mcx_kms_free);
    *out = NULL;
    kms = calloc(1, sizeof(*kms));
    if (kms == NULL)
        return POC_E_NOMEM;
    POC_TRY(kms_init(kms, z, ksak));
    *out = POC_RELEASE(kms);
    return POC_OK;
}

void mcx_kms_free(mcx_kms *kms)
{
    if (kms == NULL)
        return;
    poc_secret_free(kms->z);
    poc_secret_free(kms->ksak);
    free(kms);
}

poc_span mcx_kms_z(const mcx_kms *kms)
{
    return poc_span_of(kms->z_point, sizeof(kms->z_point));
}

poc_span mcx_kms_kpak(const mcx_kms *kms)
{
    return poc_span_of(kms->kpak, sizeof(kms->kpak));
}

/* ---- chance ---- */

/* Drawn again until below q: three of five draws are. */
static poc_err draw_z(poc_secret **out, const poc_rng *rng)
{
    enum { TRIES = 128 };
    for (size_t i = 0; i < TRIES; i++) {
        POC_OWNED(poc_secret, z, poc_secret_free);
        fp number;
        POC_TRY(poc_secret_random(&z, MCX_SAKKE_Z_LEN, rng));
        poc_secret_edit(z)[0] &= 0x3f; /* q has 1022 bits */
        const poc_err err = read_z(&number, z);
        poc_wipe(&number, sizeof(number));
        if (err != POC_OK)
            continue;
        *out = POC_RELEASE(z);
        return POC_OK;
    }
    return POC_E_IO;
}

/* A scalar that is not 0, of 64 random octets. */
static poc_err draw_scalar(poc_p256_scalar *out, const poc_rng *rng)
{
    uint8_t octets[2 * MCX_SCALAR_LEN];
    POC_TRY(rng->fill(rng->ctx, octets, sizeof(octets)));
    poc_p256_scalar_from_wide(out, octets);
    poc_wipe(octets, sizeof(octets));
    return poc_p256_scalar_is_zero(out) ? POC_E_IO : POC_OK;
}

static poc_err scalar_secret(poc_secret **out, const poc_p256_scalar *scalar)
{
    POC_TRY(poc_secret_new(out, MCX_SCALAR_LEN));
    poc_p256_scalar_put(poc_secret_edit(*out), scalar);
    return POC_OK;
}

poc_err mcx_kms_secrets(poc_secret **z, poc_secret **ksak, const poc_rng *rng)
{
    POC_OWNED(poc_secret, fresh, poc_secret_free);
    poc_p256_scalar scalar;
    *z = *ksak = NULL;
    POC_TRY(draw_z(&fresh, rng));
    POC_TRY(draw_scalar(&scalar, rng));
    const poc_err err = scalar_secret(ksak, &scalar);
    poc_wipe(&scalar, sizeof(scalar));
    POC_TRY(err);
    *z = POC_RELEASE(fresh);
    return POC_OK;
}

/* ---- the keys of a user ---- */

/* K = [1/(a + z)]P (RFC 6508 6.1.1). POC_E_STATE: a + z = 0, of which there is one chance in 2^1021. */
static poc_err issue_rsk(poc_secret **out, const mcx_kms *kms, poc_span id)
{
    fp a, z;
    POC_TRY(sakke_id_read(&a, id));
    POC_TRY(poc_secret_new(out, MCX_SAKKE_POINT_LEN));
    fp_read(&z, poc_secret_bytes(kms->z));
    fp_add(&z, &z, &a, &sakke_q);
    const bool usable = fp_zero(&z) == 0;
    fp_enter(&z, &z, &sakke_q);
    fp_inv(&z, &z, &sakke_q);
    fp_leave(&z, &z, &sakke_q);
    const poc_err err = usable ? sakke_multiply_generator(poc_secret_edit(*out), &z) : POC_E_STATE;
    poc_wipe(&z, sizeof(z));
    return err;
}

poc_err eccsi_issue(poc_secret **ssk, uint8_t pvt[MCX_POINT_LEN], const mcx_kms *kms, poc_span id,
                    const poc_p256_scalar *v)
{
    uint8_t digest[POC_SHA256_LEN];
    poc_p256_scalar hs, sum, ksak;
    POC_TRY(poc_p256_multiply_generator(pvt, v));
    POC_TRY(eccsi_hash(digest, kms->kpak, id, pvt));
    poc_p256_scalar_from(&hs, digest);
    poc_p256_scalar_mul(&sum, &hs, v);
    poc_p256_scalar_from(&ksak, poc_secret_bytes(kms->ksak));
    poc_p256_scalar_add(&sum, &sum, &ksak);
    const bool usable = !poc_p256_scalar_is_zero(&hs) && !poc_p256_scalar_is_zero(&sum);
    const poc_err err = usable ? scalar_secret(ssk, &sum) : POC_E_STATE;
    poc_wipe(&sum, sizeof(sum));
    poc_wipe(&ksak, sizeof(ksak));
    return err;
}

poc_err mcx_kms_issue(mcx_user_keys *out, const mcx_kms *kms, poc_span id, const poc_rng *rng)
{
    poc_p256_scalar v;
    memset(out, 0, sizeof(*out));
    poc_err err = issue_rsk(&out->rsk, kms, id);
    if (err == POC_OK)
        err = draw_scalar(&v, rng);
    if (err == POC_OK)
        err = eccsi_issue(&out->ssk, out->pvt, kms, id, &v);
    poc_wipe(&v, sizeof(v));
    if (err != POC_OK)
        mcx_user_keys_done(out);
    return err;
}

void mcx_user_keys_done(mcx_user_keys *keys)
{
    poc_secret_free(keys->rsk);
    poc_secret_free(keys->ssk);
    memset(keys, 0, sizeof(*keys));
}
