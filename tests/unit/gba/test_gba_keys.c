/* Key derivation, MILENAGE and AKA against published and computed vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "gba/gba.h"
#include "tests/support/rng.h"
#include "tests/support/vectors.h"

static json_t *vectors;

static const json_t *entry(const char *list, const char *id)
{
    return vec_by_id(json_object_get(vectors, list), id);
}

static poc_secret *secret_of(const vec_bytes *v)
{
    poc_secret *s;
    assert_int_equal(poc_secret_from(&s, v->b, v->n), POC_OK);
    return s;
}

static void assert_secret(const poc_secret *s, const json_t *object, const char *name)
{
    vec_bytes want = vec_hex(object, name);
    assert_int_equal(poc_secret_len(s), want.n);
    assert_memory_equal(poc_secret_bytes(s), want.b, want.n);
}

static void published_hmac_and_counter_mode_vectors_hold(void **state)
{
    (void)state;
    uint8_t out[64], zeros[64] = { 0 };
    const json_t *e = entry("primitives", "rfc2202-hmac-sha1-1");
    vec_bytes key = vec_hex(e, "key"), data = vec_hex(e, "data"), want = vec_hex(e, "out");
    assert_int_equal(poc_hmac_sha1(out, vec_span(&key), vec_span(&data)), POC_OK);
    assert_memory_equal(out, want.b, want.n);
    e = entry("primitives", "rfc4231-hmac-sha256-2");
    key = vec_hex(e, "key"), data = vec_hex(e, "data"), want = vec_hex(e, "out");
    assert_int_equal(poc_hmac_sha256(out, vec_span(&key), vec_span(&data)), POC_OK);
    assert_memory_equal(out, want.b, want.n);
    e = entry("primitives", "rfc3711-b2-aes-cm");
    key = vec_hex(e, "key"), data = vec_hex(e, "iv"), want = vec_hex(e, "keystream");
    assert_int_equal(poc_aes128_ctr(out, key.b, data.b, poc_span_of(zeros, want.n)), POC_OK);
    assert_memory_equal(out, want.b, want.n);
}

/* RFC 3711 B.3: x = (label << 48) xor salt, keystream under x || 0000 */
static void assert_srtp_derived(const json_t *e, uint8_t label, const char *name)
{
    vec_bytes key = vec_hex(e, "master_key"), salt = vec_hex(e, "master_salt"), want = vec_hex(e, name);
    uint8_t out[64], zeros[64] = { 0 }, iv[16] = { 0 };
    memcpy(iv, salt.b, 14);
    iv[7] ^= label;
    assert_int_equal(poc_aes128_ctr(out, key.b, iv, poc_span_of(zeros, want.n)), POC_OK);
    assert_memory_equal(out, want.b, want.n);
}

static void published_srtp_key_derivation_holds(void **state)
{
    (void)state;
    const json_t *e = entry("primitives", "rfc3711-b3-key-derivation");
    assert_srtp_derived(e, 0, "cipher_key");
    assert_srtp_derived(e, 1, "auth_key");
    assert_srtp_derived(e, 2, "cipher_salt");
}

static uint64_t sqn_of(const vec_bytes *v)
{
    uint64_t sqn = 0;
    for (size_t i = 0; i < 6; i++)
        sqn = sqn << 8 | v->b[i];
    return sqn;
}

static void milenage_gives_every_output_of_the_published_sets(void **state)
{
    (void)state;
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(vectors, "milenage"), i, e)
    {
        vec_bytes k = vec_hex(e, "K"), op = vec_hex(e, "OP"), opc = vec_hex(e, "OPc"), rand = vec_hex(e, "RAND"),
                  sqn = vec_hex(e, "SQN"), amf = vec_hex(e, "AMF");
        uint8_t made[16];
        gba_milenage m;
        assert_int_equal(gba_opc(made, k.b, op.b), POC_OK);
        assert_memory_equal(made, opc.b, 16);
        assert_int_equal(gba_milenage_run(&m, k.b, opc.b, rand.b, sqn.b, amf.b), POC_OK);
        assert_memory_equal(m.mac_a, vec_hex(e, "f1").b, 8);
        assert_memory_equal(m.mac_s, vec_hex(e, "f1star").b, 8);
        assert_memory_equal(m.res, vec_hex(e, "f2_RES").b, 8);
        assert_memory_equal(m.ck, vec_hex(e, "f3_CK").b, 16);
        assert_memory_equal(m.ik, vec_hex(e, "f4_IK").b, 16);
        assert_memory_equal(m.ak, vec_hex(e, "f5_AK").b, 6);
        assert_memory_equal(m.ak_star, vec_hex(e, "f5star").b, 6);
    }
    assert_int_equal(i, 6);
}

static void network_and_usim_make_the_published_autn_and_the_same_ks(void **state)
{
    (void)state;
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(vectors, "milenage"), i, e)
    {
        vec_bytes k = vec_hex(e, "K"), opc = vec_hex(e, "OPc"), rand = vec_hex(e, "RAND"), amf = vec_hex(e, "AMF"),
                  sqn = vec_hex(e, "SQN"), autn = vec_hex(e, "AUTN"), res = vec_hex(e, "f2_RES");
        gba_usim network, usim;
        gba_vector made, answered;
        uint8_t auts[14];
        assert_int_equal(gba_usim_init(&network, k.b, opc.b, sqn_of(&sqn) - 1, amf.b), POC_OK);
        assert_int_equal(gba_usim_init(&usim, k.b, opc.b, sqn_of(&sqn) - 1, amf.b), POC_OK);
        assert_int_equal(gba_vector_make(&made, &network, rand.b), POC_OK);
        assert_memory_equal(made.autn, autn.b, 16);
        assert_memory_equal(made.res, res.b, 8);
        assert_secret(made.ks, e, "Ks");
        assert_int_equal(gba_usim_answer(&answered, &usim, rand.b, autn.b, auts), POC_OK);
        assert_memory_equal(answered.res, res.b, 8);
        assert_true(poc_secret_eq(answered.ks, made.ks));
        assert_true(usim.sqn == network.sqn && usim.sqn == sqn_of(&sqn));
        gba_vector_done(&made);
        gba_vector_done(&answered);
        gba_usim_done(&network);
        gba_usim_done(&usim);
    }
}

static const uint8_t test_k[16] = "sixteen octets K", test_opc[16] = "sixteen octetsOP", test_amf[2] = { 0x80, 0 };

static void usim_refuses_every_flipped_bit_of_autn(void **state)
{
    (void)state;
    const uint8_t rand[16] = { 1 };
    gba_usim network, usim;
    gba_vector v, out;
    uint8_t auts[14];
    gba_usim_init(&network, test_k, test_opc, 5, test_amf);
    gba_usim_init(&usim, test_k, test_opc, 5, test_amf);
    assert_int_equal(gba_vector_make(&v, &network, rand), POC_OK);
    for (size_t bit = 0; bit < 128; bit++) {
        uint8_t autn[16];
        memcpy(autn, v.autn, 16);
        autn[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(gba_usim_answer(&out, &usim, rand, autn, auts), POC_E_AUTH);
        assert_null(out.ks);
        assert_int_equal(usim.sqn, 5);
    }
    gba_vector_done(&v);
    gba_usim_done(&network);
    gba_usim_done(&usim);
}

static poc_err answer_at(uint64_t network_sqn, uint64_t usim_sqn, uint8_t auts[14], uint64_t *after)
{
    const uint8_t rand[16] = { 2 };
    gba_usim network, usim;
    gba_vector v, out;
    gba_usim_init(&network, test_k, test_opc, network_sqn - 1, test_amf);
    gba_usim_init(&usim, test_k, test_opc, usim_sqn, test_amf);
    assert_int_equal(gba_vector_make(&v, &network, rand), POC_OK);
    poc_err err = gba_usim_answer(&out, &usim, rand, v.autn, auts);
    if (err == POC_E_STATE) {
        assert_int_equal(usim.sqn, usim_sqn);
        assert_int_equal(gba_resynchronise(&network, rand, auts), POC_OK);
        *after = network.sqn;
        auts[13] ^= 1;
        assert_int_equal(gba_resynchronise(&network, rand, auts), POC_E_AUTH);
        assert_int_equal(network.sqn, *after);
    }
    gba_vector_done(&v);
    gba_vector_done(&out);
    gba_usim_done(&network);
    gba_usim_done(&usim);
    return err;
}

static void usim_takes_only_numbers_ahead_of_its_own_and_within_the_window(void **state)
{
    (void)state;
    static const struct {
        uint64_t network, usim;
        poc_err want;
    } cases[] = {
        { 11, 10, POC_OK },
        { 10, 10, POC_E_STATE },
        { 9, 10, POC_E_STATE },
        { 10 + (1 << 28), 10, POC_OK },
        { 11 + (1 << 28), 10, POC_E_STATE },
    };
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        uint8_t auts[14];
        uint64_t after = 0;
        assert_int_equal(answer_at(cases[i].network, cases[i].usim, auts, &after), cases[i].want);
        if (cases[i].want == POC_E_STATE)
            assert_true(after == cases[i].usim);
    }
}

static void sequence_numbers_end_instead_of_wrapping(void **state)
{
    (void)state;
    const uint8_t rand[16] = { 0 };
    gba_usim u;
    gba_vector v;
    assert_int_equal(gba_usim_init(&u, test_k, test_opc, (UINT64_C(1) << 48) - 1, test_amf), POC_OK);
    assert_int_equal(gba_vector_make(&v, &u, rand), POC_E_LIMIT);
    gba_usim_done(&u);
    assert_int_equal(gba_usim_init(&u, test_k, test_opc, UINT64_C(1) << 48, test_amf), POC_E_LIMIT);
}

static void auts_is_the_computed_one(void **state)
{
    (void)state;
    const json_t *set = entry("milenage", "milenage-1"), *e = entry("ub", "ub-auts");
    vec_bytes k = vec_hex(set, "K"), opc = vec_hex(set, "OPc"), rand = vec_hex(set, "RAND"), amf = vec_hex(set, "AMF"),
              ms = vec_hex(e, "SQN_MS"), want = vec_hex(e, "AUTS");
    gba_usim usim, network;
    gba_vector v, out;
    uint8_t auts[14];
    gba_usim_init(&usim, k.b, opc.b, sqn_of(&ms), amf.b);
    gba_usim_init(&network, k.b, opc.b, 0, amf.b);
    assert_int_equal(gba_vector_make(&v, &network, rand.b), POC_OK);
    assert_int_equal(gba_usim_answer(&out, &usim, rand.b, v.autn, auts), POC_E_STATE);
    assert_memory_equal(auts, want.b, 14);
    assert_int_equal(gba_resynchronise(&network, rand.b, auts), POC_OK);
    assert_true(network.sqn == sqn_of(&ms));
    gba_vector_done(&v);
    gba_usim_done(&usim);
    gba_usim_done(&network);
}

/* ---- derivation ---- */

static void assert_ks_naf(const json_t *e, gba_key_kind kind, const char *name)
{
    vec_bytes ks_bytes = vec_hex(e, "Ks"), rand = vec_hex(e, "RAND"), naf_id = vec_hex(e, "naf_id");
    poc_secret *ks = secret_of(&ks_bytes), *out;
    assert_int_equal(gba_ks_naf(&out, kind, ks, rand.b, poc_span_str(vec_text(e, "impi_text")), vec_span(&naf_id)),
                     POC_OK);
    assert_secret(out, e, name);
    poc_secret_free(ks);
    poc_secret_free(out);
}

static void ks_naf_of_every_entry_is_the_computed_one(void **state)
{
    (void)state;
    size_t i, seen = 0;
    json_t *e;
    json_array_foreach(json_object_get(vectors, "gba"), i, e)
    {
        if (vec_has(e, "Ks_NAF")) {
            assert_ks_naf(e, GBA_KS_NAF, "Ks_NAF");
            seen++;
        }
        if (vec_has(e, "Ks_ext_NAF"))
            assert_ks_naf(e, GBA_KS_EXT_NAF, "Ks_ext_NAF");
        if (vec_has(e, "Ks_int_NAF"))
            assert_ks_naf(e, GBA_KS_INT_NAF, "Ks_int_NAF");
    }
    assert_int_equal(seen, 3); /* gba-1, gba-2-long-impi, gba-3-http-digest-ua */
}

static void kdf_input_is_the_written_out_one(void **state)
{
    (void)state;
    const json_t *e = entry("gba", "gba-2-long-impi");
    vec_bytes ks = vec_hex(e, "Ks"), s = vec_hex(e, "S_gba_me"), rand = vec_hex(e, "RAND"), id = vec_hex(e, "naf_id");
    uint8_t by_parts[32], at_once[32];
    const poc_span params[] = { poc_span_str("gba-me"), vec_span(&rand), poc_span_str(vec_text(e, "impi_text")),
                                vec_span(&id) };
    assert_int_equal(gba_kdf(by_parts, vec_span(&ks), 1, params, POC_COUNT(params)), POC_OK);
    assert_int_equal(poc_hmac_sha256(at_once, vec_span(&ks), vec_span(&s)), POC_OK);
    assert_memory_equal(by_parts, at_once, 32);
}

static void kdf_refuses_what_its_lengths_cannot_say(void **state)
{
    (void)state;
    static uint8_t long_one[UINT16_MAX + 1];
    uint8_t out[32];
    poc_span params[9] = { { long_one, sizeof(long_one) } };
    assert_int_equal(gba_kdf(out, poc_span_str("k"), 1, params, 1), POC_E_LIMIT);
    params[0].n--;
    assert_int_equal(gba_kdf(out, poc_span_str("k"), 1, params, 1), POC_OK);
    params[0].n = 1;
    assert_int_equal(gba_kdf(out, poc_span_str("k"), 1, params, 9), POC_E_LIMIT);
}

/* POC-3: MUK and MRK per TS 33.246, with and without key management in the UICC */
static void muk_and_mrk_are_the_computed_ones(void **state)
{
    (void)state;
    const json_t *me = entry("gba", "mbms-keys-gba-me"), *u = entry("gba", "mbms-keys-gba-u");
    vec_bytes me_bytes = vec_hex(me, "key"), uicc_bytes = vec_hex(u, "MUK");
    poc_secret *me_key = secret_of(&me_bytes), *uicc_key = secret_of(&uicc_bytes);
    gba_mbms_keys keys;
    assert_int_equal(gba_mbms_keys_make(&keys, me_key, NULL), POC_OK);
    assert_secret(keys.muk, me, "MUK");
    assert_secret(keys.mrk, me, "MRK");
    gba_mbms_keys_done(&keys);
    assert_int_equal(gba_mbms_keys_make(&keys, me_key, uicc_key), POC_OK);
    assert_secret(keys.muk, u, "MUK");
    assert_secret(keys.mrk, u, "MRK");
    gba_mbms_keys_done(&keys);
    poc_secret_free(me_key);
    poc_secret_free(uicc_key);
}

static void captured_run_has_the_encodings_we_use(void **state)
{
    (void)state;
    const json_t *e = entry("gba", "gba-captured-1");
    vec_bytes rand = vec_hex(e, "RAND"), autn = vec_hex(e, "AUTN"), ck = vec_hex(e, "CK"), ik = vec_hex(e, "IK"),
              ks = vec_hex(e, "Ks");
    uint8_t octets[32];
    char text[64];
    memcpy(octets, rand.b, 16);
    memcpy(octets + 16, autn.b, 16);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_base64_put(&wr, poc_span_of(octets, 32));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(text, vec_text(e, "ub_nonce_text"));
    wr = poc_wr_into(text, sizeof(text));
    poc_base64_put(&wr, vec_span(&rand));
    assert_memory_equal(text, vec_text(e, "btid_text"), 24);
    assert_int_equal(vec_text(e, "btid_text")[24], '@');
    assert_memory_equal(ks.b, ck.b, 16);
    assert_memory_equal(ks.b + 16, ik.b, 16);
}

/* POC-3: another NAF_Id or another RAND gives another MUK */
static void another_naf_id_or_rand_gives_another_muk(void **state)
{
    (void)state;
    const json_t *e = entry("gba", "gba-1");
    vec_bytes ks_bytes = vec_hex(e, "Ks"), rand = vec_hex(e, "RAND");
    poc_span impi = poc_span_str(vec_text(e, "impi_text"));
    poc_secret *ks = secret_of(&ks_bytes), *muk, *other;
    gba_naf_id id, other_id;
    assert_int_equal(gba_naf_id_make(&id, poc_span_str("pf1.poc.example.org"), gba_ua_id_mbms), POC_OK);
    assert_int_equal(gba_naf_id_make(&other_id, poc_span_str("pf2.poc.example.org"), gba_ua_id_mbms), POC_OK);
    assert_int_equal(gba_ks_naf(&muk, GBA_KS_NAF, ks, rand.b, impi, poc_span_of(id.b, id.n)), POC_OK);
    assert_secret(muk, e, "Ks_NAF");
    assert_int_equal(gba_ks_naf(&other, GBA_KS_NAF, ks, rand.b, impi, poc_span_of(other_id.b, other_id.n)), POC_OK);
    assert_false(poc_secret_eq(muk, other));
    poc_secret_free(other);
    rand.b[15] ^= 1;
    assert_int_equal(gba_ks_naf(&other, GBA_KS_NAF, ks, rand.b, impi, poc_span_of(id.b, id.n)), POC_OK);
    assert_false(poc_secret_eq(muk, other));
    poc_secret_free(other);
    poc_secret_free(muk);
    poc_secret_free(ks);
}

static void naf_id_takes_lower_case_host_names_only(void **state)
{
    (void)state;
    char long_label[66] = "";
    memset(long_label, 'a', 64);
    const char *const bad[] = { "",     ".",    "a.",  ".a",  "a..b",   "Pf1.example.org",
                                "-a.b", "a-.b", "a_b", "a b", "pf1:80", long_label };
    gba_naf_id id;
    for (size_t i = 0; i < POC_COUNT(bad); i++)
        assert_int_equal(gba_naf_id_make(&id, poc_span_str(bad[i]), gba_ua_id_mbms), POC_E_INPUT);
    assert_int_equal(gba_naf_id_make(&id, poc_span_str("a"), gba_ua_id_mbms), POC_OK);
    assert_int_equal(gba_naf_id_make(&id, poc_span_str(long_label + 1), gba_ua_id_mbms), POC_OK);
    assert_int_equal(id.n, 63 + GBA_UA_ID_LEN);
}

static int load(void **state)
{
    (void)state;
    vectors = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_decref(vectors);
    return poc_secret_live_count() == 0 ? 0 : -1; /* nothing was left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_hmac_and_counter_mode_vectors_hold),
        cmocka_unit_test(published_srtp_key_derivation_holds),
        cmocka_unit_test(milenage_gives_every_output_of_the_published_sets),
        cmocka_unit_test(network_and_usim_make_the_published_autn_and_the_same_ks),
        cmocka_unit_test(usim_refuses_every_flipped_bit_of_autn),
        cmocka_unit_test(usim_takes_only_numbers_ahead_of_its_own_and_within_the_window),
        cmocka_unit_test(sequence_numbers_end_instead_of_wrapping),
        cmocka_unit_test(auts_is_the_computed_one),
        cmocka_unit_test(ks_naf_of_every_entry_is_the_computed_one),
        cmocka_unit_test(kdf_input_is_the_written_out_one),
        cmocka_unit_test(kdf_refuses_what_its_lengths_cannot_say),
        cmocka_unit_test(muk_and_mrk_are_the_computed_ones),
        cmocka_unit_test(captured_run_has_the_encodings_we_use),
        cmocka_unit_test(another_naf_id_or_rand_gives_another_muk),
        cmocka_unit_test(naf_id_takes_lower_case_host_names_only),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
