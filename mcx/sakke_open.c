/* The receiving side of SAKKE: a secret key as the lines of its pairing. */
#include <stdlib.h>
#include <string.h>

#include "mcx/sakke.h"

/* <[b]P + Z, K> = g: the key belongs to the identity (RFC 6508 6.1.2). */
static poc_err receiver_check(const mcx_receiver *r)
{
    const sakke_kernel *kernel = r->kms->common->kernel;
    sakke_pair_job work[SAKKE_BATCH];
    fp g;
    fp_leave(&work[0].x, &r->public.x, &sakke_p);
    fp_leave(&work[0].y, &r->public.y, &sakke_p);
    kernel->pair(work, 1, r->lines);
    fp_leave(&g, &sakke_g, &sakke_p);
    return fp_same(&g, &work[0].w) != 0 ? POC_OK : POC_E_AUTH;
}

static poc_err receiver_read_key(mcx_receiver *r, const poc_secret *rsk)
{
    const sakke_kernel *kernel = r->kms->common->kernel;
    sakke_affine key;
    if (poc_secret_len(rsk) != MCX_SAKKE_POINT_LEN)
        return POC_E_INPUT;
    r->lines = poc_vault_new(sakke_lines_size(kernel));
    if (r->lines == NULL)
        return POC_E_NOMEM;
    poc_err err = sakke_point_read(&key, poc_secret_bytes(rsk));
    if (err == POC_OK)
        err = sakke_lines_of(r->lines, kernel, &key);
    poc_wipe(&key, sizeof(key));
    return err;
}

static poc_err receiver_init(mcx_receiver *r, poc_span id, mcx_sakke *kms, const poc_secret *rsk)
{
    fp b;
    POC_TRY(sakke_id_read(&b, id));
    r->kms = mcx_sakke_ref(kms);
    r->id_len = id.n;
    memcpy(r->id, id.p, id.n);
    POC_TRY(receiver_read_key(r, rsk));
    sakke_recipient_point(&r->public, &b, &kms->z);
    POC_TRY(receiver_check(r));
    return sakke_table_of_point(&r->table, kms->common->kernel, &r->public);
}

poc_err mcx_receiver_new(mcx_receiver **out, poc_span id, mcx_sakke *kms, const poc_secret *rsk)
{
    *out = NULL;
    mcx_receiver *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return POC_E_NOMEM;
    atomic_store(&r->owners, 1);
    const poc_err err = receiver_init(r, id, kms, rsk);
    if (err != POC_OK) {
        mcx_receiver_free(r);
        return err;
    }
    *out = r;
    return POC_OK;
}

mcx_receiver *mcx_receiver_ref(mcx_receiver *r)
{
    if (r != NULL)
        atomic_fetch_add(&r->owners, 1);
    return r;
}

void mcx_receiver_free(mcx_receiver *r)
{
    if (r == NULL || atomic_fetch_sub(&r->owners, 1) != 1)
        return;
    mcx_sakke_free(r->kms);
    poc_vault_free(r->lines);
    sakke_table_done(&r->table);
    free(r);
}

/* ---- decapsulation (RFC 6508 6.2.2) ---- */

/* What is on the way to being opened, each with its place among the jobs. Holds keys. */
typedef struct opening {
    size_t at[SAKKE_BATCH], ready;
    sakke_pair_job pairs[SAKKE_BATCH];
    sakke_test_job tests[SAKKE_BATCH];
} opening;

static bool fits_length(size_t n)
{
    return n == MCX_SED_LEN(16) || n == MCX_SED_LEN(32);
}

static poc_err open_prepare(sakke_pair_job *pair, poc_span sed)
{
    sakke_affine point;
    if (!fits_length(sed.n))
        return POC_E_INPUT;
    POC_TRY(sakke_point_read(&point, sed.p));
    fp_read(&pair->x, sed.p + 1);
    fp_read(&pair->y, sed.p + 1 + FP_LEN);
    return POC_OK;
}

/* Step 3: SSV = H xor the mask; and the scalar that the sender must have used. */
static poc_err open_unmask(mcx_open_job *job, sakke_test_job *test, const sakke_pair_job *pair, poc_span id)
{
    uint8_t mask[POC_SHA256_LEN];
    fp r;
    const size_t n = job->sed.n - MCX_SAKKE_POINT_LEN;
    POC_TRY(poc_secret_new(&job->ssv, n));
    poc_err err = sakke_mask_of(mask, &pair->w);
    sakke_mask_apply(poc_secret_edit(job->ssv), job->sed.p + MCX_SAKKE_POINT_LEN, mask, n);
    if (err == POC_OK)
        err = sakke_scalar_of(&r, poc_secret_span(job->ssv), id);
    sakke_digits_of(&test->digits, &r);
    test->x = pair->x;
    test->y = pair->y;
    poc_wipe(mask, sizeof(mask));
    poc_wipe(&r, sizeof(r));
    return err;
}

static void open_settle(mcx_open_job *job, const sakke_test_job *test)
{
    if (job->err == POC_OK && test->same == 0)
        job->err = POC_E_AUTH;
    if (job->err == POC_OK)
        return;
    poc_secret_free(job->ssv);
    job->ssv = NULL;
}

static size_t open_some(const mcx_receiver *r, opening *o, mcx_open_job *jobs, size_t n)
{
    const sakke_kernel *kernel = r->kms->common->kernel;
    size_t i = 0;
    for (o->ready = 0; i < n && o->ready < SAKKE_BATCH; i++) {
        jobs[i].ssv = NULL;
        jobs[i].err = open_prepare(&o->pairs[o->ready], jobs[i].sed);
        if (jobs[i].err == POC_OK)
            o->at[o->ready++] = i;
    }
    if (o->ready == 0)
        return i;
    kernel->pair(o->pairs, o->ready, r->lines);
    for (size_t k = 0; k < o->ready; k++)
        jobs[o->at[k]].err = open_unmask(&jobs[o->at[k]], &o->tests[k], &o->pairs[k], poc_span_of(r->id, r->id_len));
    kernel->test(o->tests, o->ready, &r->table);
    for (size_t k = 0; k < o->ready; k++)
        open_settle(&jobs[o->at[k]], &o->tests[k]);
    return i;
}

poc_err mcx_receiver_open(const mcx_receiver *r, mcx_open_job *jobs, size_t n)
{
    opening o = { .ready = 0 };
    for (size_t done = 0; done < n;)
        done += open_some(r, &o, jobs + done, n - done);
    poc_wipe(&o, sizeof(o));
    return POC_OK;
}
