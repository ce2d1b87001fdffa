/* ECCSI and the KMS: the published values both ways, and what is refused. */
#include <string.h>

#include "mcx/eccsi.h"
#include "mcx/sakke.h"
#include "tests/support/rng.h"
#include "tests/unit/mcx/mcx_vectors.h"

static mcx_verifier *verifier_new(size_t cached)
{
    mcx_verifier *v;
    assert_int_equal(mcx_verifier_new(&v, cached), POC_OK);
    return v;
}

/* ---- RFC 6507 Appendix A ---- */

typedef struct appendix {
    vec_bytes id, kpak, pvt, message, signature;
    mcx_signer *signer;
} appendix;

static void appendix_begin(appendix *a, void **state)
{
    const json_t *rfc = json_object_get(*state, "rfc6507");
    poc_secret *ssk = mcx_secret(rfc, "SSK");
    *a = (appendix){ .id = vec_hex(rfc, "identifier"),
                     .kpak = vec_hex(rfc, "KPAK"),
                     .pvt = vec_hex(rfc, "PVT"),
                     .message = vec_hex(rfc, "message"),
                     .signature = vec_hex(rfc, "signature") };
    assert_int_equal(a->signature.n, MCX_SIGNATURE_LEN);
    assert_int_equal(mcx_signer_new(&a->signer, a->kpak.b, vec_span(&a->id), ssk, a->pvt.b), POC_OK);
    poc_secret_free(ssk);
}

static void appendix_end(appendix *a)
{
    mcx_signer_free(a->signer);
    assert_int_equal(poc_secret_live_count(), 0);
}

static poc_err verify(mcx_verifier *v, const appendix *a)
{
    return mcx_verify(v, a->kpak.b, vec_span(&a->id), vec_span(&a->message), vec_span(&a->signature));
}

static void rfc_6507_signature_comes_out(void **state)
{
    appendix a;
    poc_p256_scalar j;
    uint8_t signature[MCX_SIGNATURE_LEN], hs[POC_SHA256_LEN];
    const json_t *rfc = json_object_get(*state, "rfc6507");
    const vec_bytes nonce = vec_hex(rfc, "j"), want = vec_hex(rfc, "HS");
    appendix_begin(&a, state);
    assert_int_equal(eccsi_hash(hs, a.kpak.b, vec_span(&a.id), a.pvt.b), POC_OK);
    assert_memory_equal(hs, want.b, sizeof(hs));
    poc_p256_scalar_from(&j, nonce.b);
    assert_int_equal(eccsi_sign_with(signature, a.signer, vec_span(&a.message), &j), POC_OK);
    assert_memory_equal(signature, a.signature.b, sizeof(signature));
    appendix_end(&a);
}

static void rfc_6507_signature_is_verified_with_and_without_cache(void **state)
{
    appendix a;
    appendix_begin(&a, state);
    mcx_verifier *without = verifier_new(0), *with = verifier_new(4);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(verify(without, &a), POC_OK);
        assert_int_equal(verify(with, &a), POC_OK);
    }
    a.message.b[0] ^= 1;
    assert_int_equal(verify(without, &a), POC_E_AUTH);
    assert_int_equal(verify(with, &a), POC_E_AUTH);
    mcx_verifier_free(without);
    mcx_verifier_free(with);
    appendix_end(&a);
}

static void any_flipped_bit_of_a_signature_is_refused(void **state)
{
    appendix a;
    appendix_begin(&a, state);
    mcx_verifier *v = verifier_new(4);
    assert_int_equal(verify(v, &a), POC_OK);
    for (size_t i = 0; i < MCX_SIGNATURE_LEN; i++) {
        a.signature.b[i] ^= (uint8_t)(1u << i % 8);
        const poc_err err = verify(v, &a);
        assert_true(err == POC_E_AUTH || err == POC_E_INPUT);
        a.signature.b[i] ^= (uint8_t)(1u << i % 8);
    }
    a.id.b[0] ^= 1;
    assert_int_equal(verify(v, &a), POC_E_AUTH);
    mcx_verifier_free(v);
    appendix_end(&a);
}

static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                   0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };

static void r_or_s_out_of_range_is_malformed(void **state)
{
    static const uint8_t zero[32];
    uint8_t ones[32];
    memset(ones, 0xff, sizeof(ones));
    const uint8_t *const bad_s[] = { zero, order, ones }, *const bad_r[] = { zero, ones };
    mcx_verifier *v = verifier_new(0);
    for (size_t i = 0; i < POC_COUNT(bad_s) + POC_COUNT(bad_r); i++) {
        appendix a;
        appendix_begin(&a, state);
        if (i < POC_COUNT(bad_s))
            memcpy(a.signature.b + 32, bad_s[i], 32);
        else
            memcpy(a.signature.b, bad_r[i - POC_COUNT(bad_s)], 32);
        assert_int_equal(verify(v, &a), POC_E_INPUT);
        appendix_end(&a);
    }
    mcx_verifier_free(v);
}

static void length_form_and_curve_of_a_signature_are_checked(void **state)
{
    appendix a;
    appendix_begin(&a, state);
    mcx_verifier *v = verifier_new(0);
    a.signature.n--;
    assert_int_equal(verify(v, &a), POC_E_INPUT);
    a.signature.n++;
    a.signature.b[64] = 2;
    assert_int_equal(verify(v, &a), POC_E_INPUT);
    a.signature.b[64] = 4;
    a.signature.b[128] ^= 1;
    assert_int_equal(verify(v, &a), POC_E_INPUT);
    memset(a.signature.b + 65, 0, 64);
    assert_int_equal(verify(v, &a), POC_E_INPUT);
    mcx_verifier_free(v);
    appendix_end(&a);
}

static void keys_of_somebody_else_make_no_signer(void **state)
{
    appendix a;
    appendix_begin(&a, state);
    mcx_signer *signer;
    poc_secret *ssk = mcx_secret(json_object_get(*state, "rfc6507"), "SSK"), *zero;
    assert_int_equal(poc_secret_new(&zero, MCX_SCALAR_LEN), POC_OK);
    a.id.b[3] ^= 1;
    assert_int_equal(mcx_signer_new(&signer, a.kpak.b, vec_span(&a.id), ssk, a.pvt.b), POC_E_AUTH);
    assert_null(signer);
    a.id.b[3] ^= 1;
    assert_int_equal(mcx_signer_new(&signer, a.kpak.b, vec_span(&a.id), zero, a.pvt.b), POC_E_INPUT);
    a.pvt.b[40] ^= 1;
    assert_int_equal(mcx_signer_new(&signer, a.kpak.b, vec_span(&a.id), ssk, a.pvt.b), POC_E_INPUT);
    poc_secret_free(ssk);
    poc_secret_free(zero);
    appendix_end(&a);
}

static poc_err stuck_fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 7, n);
    return POC_OK;
}

/* Two messages under one nonce give the key away. */
static void chance_that_repeats_does_not_repeat_a_nonce(void **state)
{
    appendix a;
    const poc_rng stuck = { stuck_fill, NULL };
    uint8_t one[MCX_SIGNATURE_LEN], same[MCX_SIGNATURE_LEN], other[MCX_SIGNATURE_LEN];
    appendix_begin(&a, state);
    assert_int_equal(mcx_sign(one, a.signer, vec_span(&a.message), &stuck), POC_OK);
    assert_int_equal(mcx_sign(same, a.signer, vec_span(&a.message), &stuck), POC_OK);
    a.message.b[0] ^= 1;
    assert_int_equal(mcx_sign(other, a.signer, vec_span(&a.message), &stuck), POC_OK);
    assert_memory_equal(one, same, sizeof(one));
    assert_memory_not_equal(one, other, 32);
    appendix_end(&a);
}

/* ---- the KMS ---- */

static void published_kms_issues_the_published_keys(void **state)
{
    const json_t *own = json_object_get(*state, "ts33180_own"), *kms_json = json_object_get(own, "kms");
    const vec_bytes public_z = vec_hex(kms_json, "PubEncKey"), public_ksak = vec_hex(kms_json, "PubAuthKey");
    poc_secret *z = mcx_secret(kms_json, "z"), *ksak = mcx_secret(kms_json, "KSAK");
    const char *name;
    json_t *user;
    mcx_kms *kms;
    assert_int_equal(mcx_kms_new(&kms, z, ksak), POC_OK);
    assert_memory_equal(mcx_kms_z(kms).p, public_z.b, MCX_SAKKE_POINT_LEN);
    assert_memory_equal(mcx_kms_kpak(kms).p, public_ksak.b, MCX_POINT_LEN);
    json_object_foreach(json_object_get(own, "identities"), name, user)
    {
        const vec_bytes uid = vec_hex(user, "uid"), rsk = vec_hex(user, "RSK"), v = vec_hex(user, "v"),
                        ssk = vec_hex(user, "SSK"), pvt = vec_hex(user, "PVT");
        poc_p256_scalar scalar;
        poc_secret *made;
        uint8_t point[MCX_POINT_LEN];
        mcx_user_keys keys;
        assert_int_equal(mcx_kms_issue(&keys, kms, vec_span(&uid), &poc_rng_system), POC_OK);
        assert_memory_equal(poc_secret_bytes(keys.rsk), rsk.b, MCX_SAKKE_POINT_LEN);
        mcx_user_keys_done(&keys);
        poc_p256_scalar_from(&scalar, v.b);
        assert_int_equal(eccsi_issue(&made, point, kms, vec_span(&uid), &scalar), POC_OK);
        assert_memory_equal(poc_secret_bytes(made), ssk.b, MCX_SCALAR_LEN);
        assert_memory_equal(point, pvt.b, MCX_POINT_LEN);
        poc_secret_free(made);
    }
    mcx_kms_free(kms);
    poc_secret_free(z);
    poc_secret_free(ksak);
    assert_int_equal(poc_secret_live_count(), 0);
}

static void fresh_kms_makes_keys_that_seal_open_sign_and_verify(void **state)
{
    (void)state;
    test_rng r;
    const poc_rng rng = test_rng_of(&r, 6507);
    const poc_span id = poc_span_str("0123456789abcdef0123456789abcdef");
    poc_secret *z, *ksak, *ssv;
    mcx_kms *kms;
    mcx_user_keys keys;
    mcx_sakke *sakke;
    mcx_receiver *receiver;
    mcx_signer *signer;
    mcx_verifier *v = verifier_new(16);
    uint8_t sed[MCX_SED_MAX], signature[MCX_SIGNATURE_LEN];
    assert_int_equal(mcx_kms_secrets(&z, &ksak, &rng), POC_OK);
    assert_int_equal(mcx_kms_new(&kms, z, ksak), POC_OK);
    assert_int_equal(mcx_kms_issue(&keys, kms, id, &rng), POC_OK);
    assert_int_equal(mcx_sakke_new(&sakke, mcx_kms_z(kms).p), POC_OK);
    assert_int_equal(mcx_receiver_new(&receiver, id, sakke, keys.rsk), POC_OK);
    assert_int_equal(poc_secret_random(&ssv, 32, &rng), POC_OK);
    mcx_sakke_job seal = { .id = id, .sed = sed, .cap = sizeof(sed) };
    assert_int_equal(mcx_sakke_encapsulate(sakke, ssv, &seal, 1), POC_OK);
    mcx_open_job open = { .sed = poc_span_of(sed, seal.len) };
    assert_int_equal(mcx_receiver_open(receiver, &open, 1), POC_OK);
    assert_int_equal(open.err, POC_OK);
    assert_true(poc_secret_eq(open.ssv, ssv));
    assert_int_equal(mcx_signer_new(&signer, mcx_kms_kpak(kms).p, id, keys.ssk, keys.pvt), POC_OK);
    assert_int_equal(mcx_sign(signature, signer, id, &rng), POC_OK);
    assert_int_equal(mcx_verify(v, mcx_kms_kpak(kms).p, id, id, poc_span_of(signature, sizeof(signature))), POC_OK);
    mcx_signer_free(signer);
    mcx_verifier_free(v);
    poc_secret_free(open.ssv);
    poc_secret_free(ssv);
    mcx_receiver_free(receiver);
    mcx_sakke_free(sakke);
    mcx_user_keys_done(&keys);
    mcx_kms_free(kms);
    poc_secret_free(z);
    poc_secret_free(ksak);
    assert_int_equal(poc_secret_live_count(), 0);
}

static void master_secrets_out_of_range_make_no_kms(void **state)
{
    (void)state;
    uint8_t octets[MCX_SAKKE_Z_LEN] = { 0 };
    poc_secret *z, *ksak;
    mcx_kms *kms;
    assert_int_equal(poc_secret_new(&ksak, MCX_SCALAR_LEN), POC_OK);
    poc_secret_edit(ksak)[31] = 1;
    octets[MCX_SAKKE_Z_LEN - 1] = 1;
    assert_int_equal(poc_secret_from(&z, octets, sizeof(octets)), POC_OK);
    assert_int_equal(mcx_kms_new(&kms, z, ksak), POC_E_INPUT);
    memset(poc_secret_edit(z), 0xff, sizeof(octets));
    assert_int_equal(mcx_kms_new(&kms, z, ksak), POC_E_INPUT);
    memset(poc_secret_edit(z), 2, sizeof(octets));
    memcpy(poc_secret_edit(ksak), order, sizeof(order));
    assert_int_equal(mcx_kms_new(&kms, z, ksak), POC_E_INPUT);
    poc_secret_free(z);
    poc_secret_free(ksak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_6507_signature_comes_out),
        cmocka_unit_test(rfc_6507_signature_is_verified_with_and_without_cache),
        cmocka_unit_test(any_flipped_bit_of_a_signature_is_refused),
        cmocka_unit_test(r_or_s_out_of_range_is_malformed),
        cmocka_unit_test(length_form_and_curve_of_a_signature_are_checked),
        cmocka_unit_test(keys_of_somebody_else_make_no_signer),
        cmocka_unit_test(chance_that_repeats_does_not_repeat_a_nonce),
        cmocka_unit_test(published_kms_issues_the_published_keys),
        cmocka_unit_test(fresh_kms_makes_keys_that_seal_open_sign_and_verify),
        cmocka_unit_test(master_secrets_out_of_range_make_no_kms),
    };
    return cmocka_run_group_tests(tests, mcx_vectors_open, mcx_vectors_close);
}
