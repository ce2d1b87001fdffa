/* SAKKE (RFC 6508) with parameter set 1: what surrounds the arithmetic. */
#include "mcx/sakke.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
/* ---- tables that all have in common: P and g ---- */

/* One for each kernel, of which tests use two; alive while somebody uses it. */
static pthread_mutex_t common_lock = PTHREAD_MUTEX_INITIALIZER;
static sakke_common commons[2];

static void common_done(sakke_common *c)
{
    sakke_table_done(&c->p);
    sakke_table_done(&c->g);
}

static poc_err common_make(sakke_common *c, const sakke_kernel *kernel)
{
    const sakke_affine generator = { sakke_px, sakke_py };
    c->kernel = kernel;
    poc_err err = sakke_table_of_point(&c->p, kernel, &generator);
    if (err == POC_OK)
        err = sakke_table_of_g(&c->g, kernel);
    if (err != POC_OK)
        common_done(c);
    return err;
}

static poc_err common_get(sakke_common **out, const sakke_kernel *kernel)
{
    sakke_common *c = &commons[kernel != &sakke_kernel_portable];
    poc_err err = POC_OK;
    pthread_mutex_lock(&common_lock);
    if (c->users == 0)
        err = common_make(c, kernel);
    if (err == POC_OK)
        c->users++;
    pthread_mutex_unlock(&common_lock);
    *out = c;
    return err;
}

static void common_put(sakke_common *c)
{
    pthread_mutex_lock(&common_lock);
    if (--c->users == 0)
        common_done(c);
    pthread_mutex_unlock(&common_lock);
}

/* ---- the public key of a KMS ---- */

poc_err mcx_sakke_new_with(mcx_sakke **out, const sakke_kernel *kernel, const uint8_t z[MCX_SAKKE_POINT_LEN])
{
    sakke_affine point;
    *out = NULL;
    POC_TRY(sakke_point_read(&point, z));
    POC_TRY(sakke_point_check(&point));
    mcx_sakke *kms = calloc(1, sizeof(*kms));
    if (kms == NULL)
        return POC_E_NOMEM;
    kms->z = point;
    poc_err err = common_get(&kms->common, kernel);
    if (err != POC_OK) {
        free(kms);
        return err;
    }
    atomic_store(&kms->owners, 1);
    err = sakke_table_of_point(&kms->table, kernel, &point);
    if (err != POC_OK) {
        mcx_sakke_free(kms);
        return err;
    }
    *out = kms;
    return POC_OK;
}

poc_err mcx_sakke_new(mcx_sakke **out, const uint8_t z[MCX_SAKKE_POINT_LEN])
{
    return mcx_sakke_new_with(out, sakke_kernel_best(), z);
}

mcx_sakke *mcx_sakke_ref(mcx_sakke *kms)
{
    if (kms != NULL)
        atomic_fetch_add(&kms->owners, 1);
    return kms;
}

void mcx_sakke_free(mcx_sakke *kms)
{
    if (kms == NULL || atomic_fetch_sub(&kms->owners, 1) != 1)
        return;
    sakke_table_done(&kms->table);
    common_put(kms->common);
    free(kms);
}

/* ---- hashes and scalars ---- */

/* HashToIntegerRange(s, q) for q of 1022 bits (RFC 6508 5.1), as a number below q; `in` = SSV || id is its s. */
enum { HASHES = FP_LEN / POC_SHA256_LEN };
static poc_err hash_to_scalar(fp *out, poc_span in)
{
    uint8_t pair[2 * POC_SHA256_LEN] = { 0 }, v[FP_LEN]; /* h_i || A */
    fp number;
    poc_err err = poc_sha256(pair + POC_SHA256_LEN, in);
    for (size_t i = 0; i < HASHES && err == POC_OK; i++) {
        err = poc_sha256(pair, poc_span_of(pair, POC_SHA256_LEN));
        if (err == POC_OK)
            err = poc_sha256(v + i * POC_SHA256_LEN, poc_span_of(pair, sizeof(pair)));
    }
    fp_read(&number, v);
    fp_enter(&number, &number, &sakke_q);
    fp_leave(out, &number, &sakke_q);
    poc_wipe(pair, sizeof(pair));
    poc_wipe(v, sizeof(v));
    poc_wipe(&number, sizeof(number));
    return err;
}

poc_err sakke_mask_of(uint8_t mask[POC_SHA256_LEN], const fp *w)
{
    uint8_t octets[FP_LEN], pair[2 * POC_SHA256_LEN] = { 0 };
    fp_write(octets, w);
    poc_err err = poc_sha256(pair + POC_SHA256_LEN, poc_span_of(octets, sizeof(octets)));
    if (err == POC_OK)
        err = poc_sha256(pair, poc_span_of(pair, POC_SHA256_LEN));
    if (err == POC_OK)
        err = poc_sha256(mask, poc_span_of(pair, sizeof(pair)));
    poc_wipe(octets, sizeof(octets));
    poc_wipe(pair, sizeof(pair));
    return err;
}

void sakke_mask_apply(uint8_t *out, const uint8_t *in, const uint8_t mask[POC_SHA256_LEN], size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] ^ mask[POC_SHA256_LEN - n + i]; /* the mask modulo 2^(8 n): its last octets */
}

poc_err sakke_id_read(fp *out, poc_span id)
{
    uint8_t octets[FP_LEN] = { 0 };
    if (id.n == 0 || id.n > MCX_ID_MAX)
        return POC_E_LIMIT;
    memcpy(octets + FP_LEN - id.n, id.p, id.n);
    fp_read(out, octets);
    fp_enter(out, out, &sakke_q);
    fp_leave(out, out, &sakke_q);
    return POC_OK;
}

poc_err sakke_scalar_of(fp *r, poc_span ssv, poc_span id)
{
    uint8_t in[32 + MCX_ID_MAX];
    memcpy(in, ssv.p, ssv.n);
    memcpy(in + ssv.n, id.p, id.n);
    const poc_err err = hash_to_scalar(r, poc_span_of(in, ssv.n + id.n));
    poc_wipe(in, sizeof(in));
    return err;
}

/* ---- encapsulation ---- */

static poc_err seal_prepare(sakke_seal_job *work, poc_span ssv, const mcx_sakke_job *job)
{
    fp r, b;
    if (job->cap < MCX_SED_LEN(ssv.n))
        return POC_E_LIMIT;
    POC_TRY(sakke_id_read(&b, job->id));
    const poc_err err = sakke_scalar_of(&r, ssv, job->id);
    sakke_digits_of(&work->at_z, &r);
    fp_enter(&b, &b, &sakke_q);
    fp_mul(&b, &b, &r, &sakke_q);
    sakke_digits_of(&work->at_p, &b);
    poc_wipe(&r, sizeof(r));
    poc_wipe(&b, sizeof(b));
    return err;
}

static poc_err seal_finish(mcx_sakke_job *job, const sakke_seal_job *work, poc_span ssv)
{
    uint8_t mask[POC_SHA256_LEN];
    POC_TRY(sakke_mask_of(mask, &work->w));
    sakke_point_write(job->sed, &work->x, &work->y);
    sakke_mask_apply(job->sed + MCX_SAKKE_POINT_LEN, ssv.p, mask, ssv.n);
    job->len = MCX_SED_LEN(ssv.n);
    poc_wipe(mask, sizeof(mask));
    return POC_OK;
}

/* Collects up to a batch of jobs that can be done, and does them; returns how many it went through. */
static size_t seal_some(const mcx_sakke *kms, poc_span ssv, sakke_seal_job *work, mcx_sakke_job *jobs, size_t n)
{
    size_t at[SAKKE_BATCH], ready = 0, i = 0;
    for (; i < n && ready < SAKKE_BATCH; i++) {
        jobs[i].len = 0;
        jobs[i].err = seal_prepare(&work[ready], ssv, &jobs[i]);
        if (jobs[i].err == POC_OK)
            at[ready++] = i;
    }
    if (ready > 0)
        kms->common->kernel->seal(work, ready, &kms->common->p, &kms->table, &kms->common->g);
    for (size_t k = 0; k < ready; k++)
        jobs[at[k]].err = seal_finish(&jobs[at[k]], &work[k], ssv);
    return i;
}

poc_err mcx_sakke_encapsulate(const mcx_sakke *kms, const poc_secret *ssv, mcx_sakke_job *jobs, size_t n)
{
    sakke_seal_job work[SAKKE_BATCH];
    const poc_span octets = poc_secret_span(ssv);
    if (octets.n != 16 && octets.n != 32)
        return POC_E_LIMIT;
    for (size_t done = 0; done < n;)
        done += seal_some(kms, octets, work, jobs + done, n - done);
    poc_wipe(work, sizeof(work));
    return POC_OK;
}

poc_err sakke_multiply_generator(uint8_t octets[MCX_SAKKE_POINT_LEN], const fp *scalar)
{
    sakke_seal_job work[SAKKE_BATCH];
    sakke_common *c;
    POC_TRY(common_get(&c, sakke_kernel_best()));
    sakke_digits_of(&work[0].at_p, scalar);
    memset(&work[0].at_z, 0, sizeof(work[0].at_z));
    c->kernel->seal(work, 1, &c->p, &c->p, &c->g);
    sakke_point_write(octets, &work[0].x, &work[0].y);
    common_put(c);
    poc_wipe(work, sizeof(work));
    return POC_OK;
}
