/* Secrets do not steer in SAKKE (its portable kernel: Valgrind has no AVX-512) and ECCSI: they are undefined to Valgrind,
 * which reports every branch and every address that depends on one. What is public is said where it becomes so. OpenSSL's
 * own multiplication of the generator is not looked into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <valgrind/memcheck.h>

#include "mcx/eccsi.h"
#include "mcx/sakke.h"

static void publish(const void *p, size_t n)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

static void hide(poc_secret *s)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(poc_secret_edit(s), poc_secret_len(s));
}

/* ---- where something becomes public ---- */

/* Whether a sum is 0, or a test holds, is seen by everybody; neither happens by chance. */
uint64_t __real_fp_zero(const fp *a);
uint64_t __wrap_fp_zero(const fp *a);
uint64_t __wrap_fp_zero(const fp *a)
{
    uint64_t verdict = __real_fp_zero(a);
    publish(&verdict, sizeof(verdict));
    return verdict;
}

bool __real_poc_p256_scalar_is_zero(const poc_p256_scalar *a);
bool __wrap_poc_p256_scalar_is_zero(const poc_p256_scalar *a);
bool __wrap_poc_p256_scalar_is_zero(const poc_p256_scalar *a)
{
    bool verdict = __real_poc_p256_scalar_is_zero(a);
    publish(&verdict, sizeof(verdict));
    return verdict;
}

bool __real_poc_secret_eq(const poc_secret *a, const poc_secret *b);
bool __wrap_poc_secret_eq(const poc_secret *a, const poc_secret *b);
bool __wrap_poc_secret_eq(const poc_secret *a, const poc_secret *b)
{
    bool same = __real_poc_secret_eq(a, b);
    publish(&same, sizeof(same));
    return same;
}

poc_err __real_poc_p256_multiply_generator(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *k);
poc_err __wrap_poc_p256_multiply_generator(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *k);
poc_err __wrap_poc_p256_multiply_generator(uint8_t out[POC_P256_POINT_LEN], const poc_p256_scalar *k)
{
    poc_p256_scalar known = *k;
    publish(&known, sizeof(known));
    return __real_poc_p256_multiply_generator(out, &known);
}

/* Chance that nobody knows. */
static poc_err unknown_fill(void *ctx, void *out, size_t n)
{
    const poc_err err = poc_rng_system.fill(poc_rng_system.ctx, out, n);
    (void)ctx;
    (void)VALGRIND_MAKE_MEM_UNDEFINED(out, n);
    return err;
}

static const poc_rng unknown = { unknown_fill, NULL };

/* Under Valgrind, what comes of a secret is as unknown as the secret: the test would otherwise show nothing. */
static void assert_unknown(const void *p, size_t n)
{
    if (!RUNNING_ON_VALGRIND)
        return;
    VALGRIND_DISABLE_ERROR_REPORTING;
    const bool unknown_seen = VALGRIND_CHECK_MEM_IS_DEFINED(p, n) != 0;
    VALGRIND_ENABLE_ERROR_REPORTING;
    assert_true(unknown_seen);
}

/* ---- one KMS and one user for all tests ---- */

typedef struct world {
    poc_secret *z, *ksak;
    mcx_kms *kms;
    mcx_user_keys keys;
    mcx_sakke *sakke;
    poc_span id;
} world;

static int world_begin(void **state)
{
    static world w;
    *state = &w;
    w.id = poc_span_str("0123456789abcdef0123456789abcdef");
    assert_int_equal(mcx_kms_secrets(&w.z, &w.ksak, &poc_rng_system), POC_OK);
    assert_int_equal(mcx_kms_new(&w.kms, w.z, w.ksak), POC_OK);
    assert_int_equal(mcx_kms_issue(&w.keys, w.kms, w.id, &poc_rng_system), POC_OK);
    assert_int_equal(mcx_sakke_new_with(&w.sakke, &sakke_kernel_portable, mcx_kms_z(w.kms).p), POC_OK);
    return 0;
}

static int world_end(void **state)
{
    world *w = *state;
    mcx_sakke_free(w->sakke);
    mcx_user_keys_done(&w->keys);
    mcx_kms_free(w->kms);
    poc_secret_free(w->z);
    poc_secret_free(w->ksak);
    return 0;
}

static void key_is_encapsulated_and_opened_without_a_look_at_it_or_the_rsk(void **state)
{
    const world *w = *state;
    uint8_t sed[MCX_SED_MAX];
    mcx_receiver *receiver;
    poc_secret *ssv;
    assert_int_equal(mcx_receiver_new(&receiver, w->id, w->sakke, w->keys.rsk), POC_OK);
    assert_int_equal(poc_secret_random(&ssv, 16, &unknown), POC_OK);
    mcx_sakke_job seal = { .id = w->id, .sed = sed, .cap = sizeof(sed) };
    assert_int_equal(mcx_sakke_encapsulate(w->sakke, ssv, &seal, 1), POC_OK);
    assert_int_equal(seal.err, POC_OK);
    assert_unknown(sed + 1, 8);
    assert_unknown(sed + MCX_SAKKE_POINT_LEN, 16);
    publish(sed, sizeof(sed));
    (void)VALGRIND_MAKE_MEM_UNDEFINED(receiver->lines, sakke_lines_size(&sakke_kernel_portable));
    mcx_open_job open = { .sed = poc_span_of(sed, seal.len) };
    assert_int_equal(mcx_receiver_open(receiver, &open, 1), POC_OK);
    assert_int_equal(open.err, POC_OK);
    assert_unknown(poc_secret_bytes(open.ssv), poc_secret_len(open.ssv));
    assert_true(poc_secret_eq(open.ssv, ssv));
    poc_secret_free(open.ssv);
    sed[MCX_SED_LEN(16) - 1] ^= 1;
    assert_int_equal(mcx_receiver_open(receiver, &open, 1), POC_OK);
    assert_int_equal(open.err, POC_E_AUTH);
    poc_secret_free(ssv);
    mcx_receiver_free(receiver);
}

static void message_is_signed_without_a_look_at_the_ssk_or_the_nonce(void **state)
{
    const world *w = *state;
    uint8_t signature[MCX_SIGNATURE_LEN];
    mcx_signer *signer;
    mcx_verifier *verifier;
    assert_int_equal(mcx_signer_new(&signer, mcx_kms_kpak(w->kms).p, w->id, w->keys.ssk, w->keys.pvt), POC_OK);
    assert_int_equal(mcx_verifier_new(&verifier, 1), POC_OK);
    hide(w->keys.ssk);
    assert_int_equal(mcx_sign(signature, signer, w->id, &unknown), POC_OK);
    publish(signature, sizeof(signature));
    assert_int_equal(
        mcx_verify(verifier, mcx_kms_kpak(w->kms).p, w->id, w->id, poc_span_of(signature, sizeof(signature))), POC_OK);
    mcx_verifier_free(verifier);
    mcx_signer_free(signer);
}

static void keys_are_issued_without_a_look_at_the_master_secrets(void **state)
{
    world *w = *state;
    mcx_user_keys keys;
    hide(w->z);
    hide(w->ksak);
    assert_int_equal(mcx_kms_issue(&keys, w->kms, w->id, &unknown), POC_OK);
    assert_true(poc_secret_eq(keys.rsk, w->keys.rsk));
    mcx_user_keys_done(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_is_encapsulated_and_opened_without_a_look_at_it_or_the_rsk),
        cmocka_unit_test(message_is_signed_without_a_look_at_the_ssk_or_the_nonce),
        cmocka_unit_test(keys_are_issued_without_a_look_at_the_master_secrets),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}
