/* Encapsulated data from whoever likes to send some: opened with the RSK of RFC 6508's example. A good one is made whole by
 * the first octet: 0 puts the published point in front of whatever follows. */
#include <stdlib.h>
#include <string.h>

#include "mcx/mcx.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char id[] = "0123456789abcdef0123456789abcdef";
static mcx_kms *kms;
static mcx_sakke *sakke;
static mcx_receiver *receiver;
static uint8_t good[MCX_SED_MAX];

static poc_err fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0x42, n);
    return POC_OK;
}

static void need(poc_err err)
{
    if (err != POC_OK)
        abort();
}

/* One KMS, one user and one good message, from chance that is always the same. Here, since the time for the tables is not
 * the time of an input. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const poc_rng rng = { fill, NULL };
    const poc_span uid = poc_span_of(id, sizeof(id) - 1);
    poc_secret *z, *ksak, *ssv;
    mcx_user_keys keys;
    need(poc_secret_new(&z, MCX_SAKKE_Z_LEN));
    memset(poc_secret_edit(z), 0x11, MCX_SAKKE_Z_LEN);
    need(poc_secret_random(&ksak, MCX_SCALAR_LEN, &rng));
    need(mcx_kms_new(&kms, z, ksak));
    need(mcx_kms_issue(&keys, kms, uid, &rng));
    need(mcx_sakke_new(&sakke, mcx_kms_z(kms).p));
    need(mcx_receiver_new(&receiver, uid, sakke, keys.rsk));
    need(poc_secret_random(&ssv, 16, &rng));
    mcx_sakke_job job = { .id = uid, .sed = good, .cap = sizeof(good) };
    need(mcx_sakke_encapsulate(sakke, ssv, &job, 1));
    need(job.err);
    mcx_user_keys_done(&keys);
    poc_secret_free(z);
    poc_secret_free(ksak);
    poc_secret_free(ssv);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t sed[1024];
    if (n == 0 || n > sizeof(sed))
        return 0;
    const size_t kept = data[0] == 0 && n >= MCX_SED_LEN(16) ? MCX_SAKKE_POINT_LEN : 0;
    memcpy(sed, data, n);
    memcpy(sed, good, kept);
    mcx_open_job job = { .sed = poc_span_of(sed, n) };
    need(mcx_receiver_open(receiver, &job, 1));
    if ((job.err == POC_OK) != (job.ssv != NULL))
        abort();
    if (job.err == POC_OK && memcmp(sed, good, n) != 0) /* the test allows no other message with this point */
        abort();
    poc_secret_free(job.ssv);
    return 0;
}
