/* SAKKE: the published values, both kernels against each other, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mcx/sakke.h"
#include "tests/support/rng.h"
#include "tests/support/vectors.h"
#include "tests/unit/mcx/mcx_vectors.h"

static poc_secret *secret_of(const vec_bytes *bytes)
{
    poc_secret *s;
    assert_int_equal(poc_secret_from(&s, bytes->b, bytes->n), POC_OK);
    return s;
}

static const sakke_kernel *kernels[2];
static size_t kernel_count;

/* ---- RFC 6508 Appendix A, once for each kernel ---- */

typedef struct appendix {
    mcx_sakke *kms;
    mcx_receiver *receiver;
    vec_bytes id, ssv, sed;
} appendix;

static void point_of(uint8_t out[MCX_SAKKE_POINT_LEN], const json_t *object, const char *x, const char *y)
{
    const vec_bytes bx = vec_hex(object, x), by = vec_hex(object, y);
    assert_int_equal(bx.n, FP_LEN);
    assert_int_equal(by.n, FP_LEN);
    out[0] = 4;
    memcpy(out + 1, bx.b, FP_LEN);
    memcpy(out + 1 + FP_LEN, by.b, FP_LEN);
}

static void appendix_begin(appendix *a, void **state, const sakke_kernel *kernel)
{
    const json_t *rfc = json_object_get(*state, "rfc6508");
    uint8_t z[MCX_SAKKE_POINT_LEN], rsk_octets[MCX_SAKKE_POINT_LEN];
    poc_secret *rsk;
    point_of(z, rfc, "Zx", "Zy");
    point_of(rsk_octets, rfc, "RSKx", "RSKy");
    a->id = vec_hex(rfc, "identifier");
    a->ssv = vec_hex(rfc, "SSV");
    a->sed = vec_hex(rfc, "encapsulated_data");
    assert_int_equal(mcx_sakke_new_with(&a->kms, kernel, z), POC_OK);
    assert_int_equal(poc_secret_from(&rsk, rsk_octets, sizeof(rsk_octets)), POC_OK);
    assert_int_equal(mcx_receiver_new(&a->receiver, poc_span_of(a->id.b, a->id.n), a->kms, rsk), POC_OK);
    poc_secret_free(rsk);
}

static void appendix_end(appendix *a)
{
    mcx_receiver_free(a->receiver);
    mcx_sakke_free(a->kms);
    assert_int_equal(poc_secret_live_count(), 0);
}

static void rfc_6508_encapsulated_data_comes_out(void **state)
{
    for (size_t i = 0; i < kernel_count; i++) {
        appendix a;
        uint8_t sed[MCX_SED_MAX];
        appendix_begin(&a, state, kernels[i]);
        poc_secret *ssv = secret_of(&a.ssv);
        mcx_sakke_job job = { .id = poc_span_of(a.id.b, a.id.n), .sed = sed, .cap = sizeof(sed) };
        assert_int_equal(mcx_sakke_encapsulate(a.kms, ssv, &job, 1), POC_OK);
        assert_int_equal(job.err, POC_OK);
        assert_int_equal(job.len, a.sed.n);
        assert_memory_equal(sed, a.sed.b, a.sed.n);
        poc_secret_free(ssv);
        appendix_end(&a);
    }
}

static void rfc_6508_encapsulated_data_opens(void **state)
{
    for (size_t i = 0; i < kernel_count; i++) {
        appendix a;
        appendix_begin(&a, state, kernels[i]);
        mcx_open_job job = { .sed = poc_span_of(a.sed.b, a.sed.n) };
        assert_int_equal(mcx_receiver_open(a.receiver, &job, 1), POC_OK);
        assert_int_equal(job.err, POC_OK);
        assert_memory_equal(poc_secret_bytes(job.ssv), a.ssv.b, a.ssv.n);
        poc_secret_free(job.ssv);
        appendix_end(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_6508_encapsulated_data_comes_out),
        cmocka_unit_test(rfc_6508_encapsulated_data_opens),
    };
    kernels[kernel_count++] = &sakke_kernel_portable;
    if (sakke_kernel_ifma() != NULL)
        kernels[kernel_count++] = sakke_kernel_ifma();
    return cmocka_run_group_tests(tests, mcx_vectors_open, mcx_vectors_close);
}
