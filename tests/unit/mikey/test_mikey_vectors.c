/* Every MIKEY vector, in both directions, and every refusal that is decided in this room. */
#include <string.h>

#include "base/text.h"
#include "tests/unit/mikey/fixture.h"

static void prf_matches_the_whole_grid(void **state)
{
    const json_t *cases = json_object_get(json_object_get(*state, "mikey_prf"), "cases");
    size_t i;
    json_t *c;
    assert_int_equal(json_array_size(cases), 49);
    json_array_foreach(cases, i, c)
    {
        const vec_bytes inkey = vec_hex(c, "inkey"), label = vec_hex(c, "label"), want = vec_hex(c, "outkey");
        uint8_t out[128];
        assert_int_equal((size_t)json_integer_value(json_object_get(c, "outkey_len")), want.n);
        assert_int_equal(mikey_prf(out, want.n, vec_span(&inkey), vec_span(&label)), POC_OK);
        assert_memory_equal(out, want.b, want.n);
    }
    uint8_t out[1];
    assert_int_equal(mikey_prf(out, 1, poc_span_of(NULL, 0), poc_span_str("label")), POC_E_LIMIT);
}

static void prf_gives_the_keys_of_a_tgk(void **state)
{
    static const struct {
        const char *name, *constant;
    } uses[] = {
        { "TEK_16", "2ad01c64" }, { "salt_14", "39a2c14b" }, { "auth_20", "1b5c7973" }, { "encr_16", "15798cef" }
    };
    const json_t *c = json_object_get(*state, "mikey_tgk");
    const vec_bytes tgk = vec_hex(c, "tgk"), rand = vec_hex(c, "rand");
    for (size_t i = 0; i < POC_COUNT(uses); i++) {
        const vec_bytes want = vec_hex(c, uses[i].name);
        uint8_t label[25], out[20];
        assert_int_equal(poc_hex_get_exact(label, 4, poc_span_str(uses[i].constant)), POC_OK);
        assert_int_equal(poc_hex_get_exact(label + 4, 5, poc_span_str("01a1b2c3d4")), POC_OK);
        memcpy(label + 9, rand.b, 16);
        assert_int_equal(mikey_prf(out, want.n, vec_span(&tgk), poc_span_of(label, sizeof(label))), POC_OK);
        assert_memory_equal(out, want.b, want.n);
    }
}

/* POC-6 */
static void sealed_msk_messages_equal_the_vectors_octet_for_octet(void **state)
{
    for (size_t i = 0; i < MSK_VECTORS; i++) {
        msk_vector v;
        uint8_t out[MIKEY_MESSAGE_MAX];
        msk_vector_init(&v, *state, msk_vector_ids[i]);
        assert_int_equal(seal_one(&v, out), v.message.n);
        assert_memory_equal(out, v.message.b, v.message.n);
        msk_vector_done(&v);
    }
}

/* POC-4 */
static void opened_msk_messages_give_back_what_was_sealed(void **state)
{
    for (size_t i = 0; i < MSK_VECTORS; i++) {
        msk_vector v;
        mikey_msg msg;
        mikey_msk opened;
        msk_vector_init(&v, *state, msk_vector_ids[i]);
        assert_int_equal(mikey_decode(&msg, vec_span(&v.message), NULL), POC_OK);
        assert_int_equal(mikey_msk_open(&opened, &msg, v.muk, NULL), POC_OK);
        assert_true(poc_key_domain_eq(opened.key_domain, v.params.key_domain));
        assert_int_equal(opened.msk_id, v.params.msk_id);
        assert_int_equal(opened.csb_id, v.params.csb_id);
        assert_int_equal(opened.counter, v.counter);
        if (poc_msk_number(v.params.msk_id) == 0) {
            assert_null(opened.msk);
        } else {
            assert_true(poc_secret_eq(opened.msk, v.msk));
            assert_int_equal(opened.seq_low, v.params.seq_low);
            assert_int_equal(opened.seq_high, v.params.seq_high);
            assert_int_equal(opened.key_type, MIKEY_TGK);
        }
        mikey_msk_done(&opened);
        msk_vector_done(&v);
    }
}

static void decoded_fields_are_those_of_the_vectors(void **state)
{
    for (size_t i = 0; i < MSK_VECTORS; i++) {
        msk_vector v;
        mikey_msg msg;
        msk_vector_init(&v, *state, msk_vector_ids[i]);
        assert_int_equal(mikey_decode(&msg, vec_span(&v.message), NULL), POC_OK);
        assert_int_equal(msg.data_type, MIKEY_PSK);
        assert_int_equal(msg.wants_verification, v.params.wants_verification);
        assert_int_equal(msg.csb_id, v.params.csb_id);
        assert_int_equal(msg.counter, v.counter);
        assert_int_equal(msg.msk_id, v.params.msk_id);
        assert_false(msg.has_mtk_id);
        assert_true(poc_span_eq(msg.rand, poc_span_of(v.params.rand, MIKEY_RAND_LEN)));
        assert_int_equal(msg.idi.type, v.params.idi_type);
        assert_true(poc_span_eq(msg.idi.data, vec_span(&v.idi)));
        assert_true(poc_span_eq(msg.idr.data, vec_span(&v.idr)));
        assert_int_equal(msg.has_sp, v.params.srtp_id_map);
        assert_int_equal(msg.has_sdp_ids, v.params.sdp_ids);
        assert_true(!msg.has_sdp_ids || poc_span_eq_str(msg.sdp_ids, "mikey"));
        assert_int_equal(msg.cs_count, v.params.srtp_id_map ? 1 : 0);
        msk_vector_done(&v);
    }
}

/* Every payload stands where the vector has it: name, octets, order. */
static void payloads_tile_every_message(void **state)
{
    const json_t *list = json_object_get(*state, "mikey_messages");
    size_t i, k;
    json_t *entry, *p;
    json_array_foreach(list, i, entry)
    {
        const vec_bytes octets = vec_hex(entry, "message");
        const json_t *payloads = json_object_get(entry, "payloads");
        mikey_msg msg;
        assert_int_equal(mikey_decode(&msg, vec_span(&octets), NULL), POC_OK);
        assert_int_equal(msg.payload_count + 1, json_array_size(payloads));
        size_t at = vec_hex(json_array_get(payloads, 0), "hex").n;
        json_array_foreach(payloads, k, p)
        {
            if (k == 0)
                continue;
            const vec_bytes want = vec_hex(p, "hex");
            const mikey_payload *got = &msg.payloads[k - 1];
            const char *name = mikey_payload_name(got->type);
            assert_int_equal(got->offset, at);
            assert_true(poc_span_eq(got->body, poc_span_of(want.b + 1, want.n - 1)));
            assert_memory_equal(name, vec_text(p, "name"), strlen(name));
            at += want.n;
        }
        assert_int_equal(at, octets.n);
    }
}

static void sdp_attribute_carries_the_sealed_message(void **state)
{
    static const char prefix[] = "a=key-mgmt:mikey ";
    const char *want = vec_text(message_entry(*state, "msk-sdp"), "sdp_attribute_text");
    uint8_t out[MIKEY_MESSAGE_MAX];
    char text[512];
    msk_vector v;
    msk_vector_init(&v, *state, "msk-sdp");
    size_t n = seal_one(&v, out);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_wr_span(&wr, poc_span_str(prefix));
    poc_base64_put(&wr, poc_span_of(out, n));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(text, want);
    msk_vector_done(&v);
}

typedef struct answer_case {
    vec_bytes sent, answer;
    mikey_msg sent_msg, answer_msg;
    mikey_expected expected;
    poc_secret *muk;
} answer_case;

static void answer_case_init(answer_case *c, const json_t *vectors, const char *sent, const char *answer)
{
    c->sent = message_octets(vectors, sent);
    c->answer = message_octets(vectors, answer);
    c->muk = secret_member(json_object_get(message_entry(vectors, sent), "inputs"), "MUK");
    assert_int_equal(mikey_decode(&c->sent_msg, vec_span(&c->sent), NULL), POC_OK);
    assert_int_equal(mikey_decode(&c->answer_msg, vec_span(&c->answer), NULL), POC_OK);
    c->expected = (mikey_expected){
        .csb_id = c->sent_msg.csb_id,
        .counter = c->sent_msg.counter,
        .rand = c->sent_msg.rand,
        .idi = c->sent_msg.idi.data,
        .idr = c->sent_msg.idr.data,
    };
}

static void verifications_match_in_both_directions(void **state)
{
    static const char *const pairs[][2] = { { "msk-stream", "msk-stream-verification" },
                                            { "msk-empty-map", "msk-empty-map-verification" } };
    for (size_t i = 0; i < POC_COUNT(pairs); i++) {
        answer_case c;
        uint8_t out[MIKEY_MESSAGE_MAX];
        poc_wr wr = poc_wr_into(out, sizeof(out));
        answer_case_init(&c, *state, pairs[i][0], pairs[i][1]);
        assert_int_equal(mikey_verification_seal(&wr, &c.sent_msg, c.muk), POC_OK);
        assert_true(poc_span_eq(poc_span_of(out, wr.len), vec_span(&c.answer)));
        assert_int_equal(mikey_verification_check(&c.answer_msg, &c.expected, c.muk), POC_OK);
        poc_secret_free(c.muk);
    }
}

static void verification_over_the_padded_counter_holds_only_where_allowed(void **state)
{
    answer_case c;
    answer_case_init(&c, *state, "msk-empty-map", "msk-empty-map-verification-ts64");
    assert_int_equal(mikey_verification_check(&c.answer_msg, &c.expected, c.muk), POC_E_AUTH);
    c.expected.accept_ts64 = true;
    assert_int_equal(mikey_verification_check(&c.answer_msg, &c.expected, c.muk), POC_OK);
    poc_secret_free(c.muk);
}

static void verification_of_another_message_or_member_is_refused(void **state)
{
    answer_case c;
    answer_case_init(&c, *state, "msk-empty-map", "msk-empty-map-verification");
    mikey_expected e = c.expected;
    e.counter++;
    assert_int_equal(mikey_verification_check(&c.answer_msg, &e, c.muk), POC_E_INPUT);
    e = c.expected;
    e.csb_id = 1;
    assert_int_equal(mikey_verification_check(&c.answer_msg, &e, c.muk), POC_E_INPUT);
    e = c.expected;
    e.idr = poc_span_str("somebody@else");
    assert_int_equal(mikey_verification_check(&c.answer_msg, &e, c.muk), POC_E_INPUT);
    e = c.expected;
    e.idi = poc_span_str("another naf");
    assert_int_equal(mikey_verification_check(&c.answer_msg, &e, c.muk), POC_E_AUTH);
    poc_secret *other = secret_member(json_object_get(message_entry(*state, "msk-empty-map-gba-u"), "inputs"), "MUK");
    assert_int_equal(mikey_verification_check(&c.answer_msg, &c.expected, other), POC_E_AUTH);
    assert_int_equal(mikey_verification_check(&c.sent_msg, &c.expected, c.muk), POC_E_INPUT);
    poc_secret_free(other);
    poc_secret_free(c.muk);
}

static void error_message_matches_in_both_directions(void **state)
{
    answer_case c;
    uint8_t out[MIKEY_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    answer_case_init(&c, *state, "msk-empty-map", "error-invalid-sp");
    const mikey_context context = { c.sent_msg.csb_id, c.sent_msg.rand };
    assert_int_equal(mikey_error_seal(&wr, &c.sent_msg, 9, c.muk), POC_OK);
    assert_true(poc_span_eq(poc_span_of(out, wr.len), vec_span(&c.answer)));
    assert_int_equal(c.answer_msg.error_no, 9);
    assert_int_equal(mikey_error_check(&c.answer_msg, context, c.muk), POC_OK);
    c.answer.b[c.answer.n - 1] ^= 1;
    assert_int_equal(mikey_error_check(&c.answer_msg, context, c.muk), POC_E_AUTH);
    poc_secret_free(c.muk);
}

static void error_message_without_mac_proves_nothing(void **state)
{
    static const uint8_t bare[] = { 1, 6, 5, 0, 0, 0, 0, 0, 0, 1, 12, 2, 0, 0, 0, 1, 0, 9, 0, 0 };
    answer_case c;
    mikey_msg msg;
    answer_case_init(&c, *state, "msk-empty-map", "error-invalid-sp");
    assert_int_equal(mikey_decode(&msg, poc_span_of(bare, sizeof(bare)), NULL), POC_OK);
    assert_int_equal(msg.error_no, 9);
    assert_int_equal(mikey_error_check(&msg, (mikey_context){ 0, c.sent_msg.rand }, c.muk), POC_E_AUTH);
    poc_secret_free(c.muk);
}

static void mtk_messages_match_in_both_directions(void **state)
{
    static const char *const ids[] = { "mtk-stream", "mtk-download" };
    for (size_t i = 0; i < POC_COUNT(ids); i++) {
        const json_t *entry = message_entry(*state, ids[i]), *in = json_object_get(entry, "inputs");
        const vec_bytes want = vec_hex(entry, "message"), rand = vec_hex(entry, "mikey_rand");
        vec_bytes mtk = vec_hex(in, "MTK"), salt = vec_hex(in, "salt");
        mikey_mtk_params params = {
            .key_domain = { { 0x00, 0xf1, 0x10 } },
            .mki = { 0x10010001, (uint16_t)(i + 1) },
            .counter = (uint32_t)json_integer_value(json_object_get(in, "ts_counter")),
            .context = { 0, vec_span(&rand) },
        };
        uint8_t out[MIKEY_MESSAGE_MAX];
        poc_wr wr = poc_wr_into(out, sizeof(out));
        poc_secret *msk = secret_member(in, "MSK"), *secret, *opened;
        mikey_msg msg;
        memcpy(mtk.b + mtk.n, salt.b, salt.n);
        assert_int_equal(poc_secret_from(&secret, mtk.b, mtk.n + salt.n), POC_OK);
        assert_int_equal(mikey_mtk_seal(&wr, &params, msk, secret), POC_OK);
        assert_true(poc_span_eq(poc_span_of(out, wr.len), vec_span(&want)));
        assert_int_equal(mikey_decode(&msg, vec_span(&want), NULL), POC_OK);
        assert_int_equal(msg.mtk_id, params.mki.mtk_id);
        assert_int_equal(mikey_mtk_open(&opened, &msg, params.context, msk, NULL), POC_OK);
        assert_true(poc_secret_eq(opened, secret));
        poc_secret_free(opened);
        poc_secret_free(secret);
        poc_secret_free(msk);
    }
}

/* Who is to refuse, and with which words. */
typedef struct refusal {
    const char *id;
    bool decodes;
    poc_err opens;
    const char *reason;
} refusal;

static const refusal refusals[] = {
    { "neg-mac", true, POC_E_AUTH, NULL },
    { "neg-kdid-flipped", true, POC_E_AUTH, NULL },
    { "neg-replay", true, POC_OK, NULL }, /* the counter is its receiver's to compare */
    { "neg-truncated-mac", false, POC_E_INPUT, "length exceeds what is left" },
    { "neg-trailing", false, POC_E_INPUT, "octets left over" },
    { "neg-kv-overrun", true, POC_E_INPUT, "length exceeds what is left" },
    { "neg-keydata-overrun", true, POC_E_INPUT, "length exceeds what is left" },
    { "neg-keyid-overrun", false, POC_E_INPUT, "length exceeds what is left" },
    { "neg-prf", false, POC_E_INPUT, "PRF function not supported" },
    { "neg-version", false, POC_E_INPUT, "version is not 1" },
};

static void negative_msk_vectors_are_refused_for_their_own_reason(void **state)
{
    const json_t *list = json_object_get(*state, "negative");
    poc_secret *muk = secret_member(json_object_get(message_entry(*state, "msk-empty-map"), "inputs"), "MUK");
    for (size_t i = 0; i < POC_COUNT(refusals); i++) {
        const refusal *r = &refusals[i];
        const vec_bytes octets = vec_hex(vec_by_id(list, r->id), "message");
        poc_fault fault = { 0, NULL };
        mikey_msk opened;
        mikey_msg msg;
        assert_int_equal(mikey_decode(&msg, vec_span(&octets), &fault), r->decodes ? POC_OK : POC_E_INPUT);
        if (r->decodes) {
            assert_int_equal(mikey_msk_open(&opened, &msg, muk, &fault), r->opens);
            assert_int_equal(opened.msk != NULL, r->opens == POC_OK);
            mikey_msk_done(&opened);
        }
        if (r->reason != NULL)
            assert_string_equal(fault.reason, r->reason);
        assert_true(fault.offset <= octets.n);
    }
    poc_secret_free(muk);
}

/* The interval of MTK IDs is the keyring's to compare: here both are authentic, and say which MTK they bring. */
static void mtk_messages_out_of_interval_are_authentic(void **state)
{
    static const struct {
        const char *id;
        uint16_t mtk_id;
    } cases[] = { { "neg-mtk-above-sequ", 0x0065 }, { "neg-mtk-not-above-seql", 0x0001 } };
    const json_t *entry = message_entry(*state, "mtk-stream");
    const vec_bytes rand = vec_hex(entry, "mikey_rand");
    poc_secret *msk = secret_member(json_object_get(entry, "inputs"), "MSK"), *mtk;
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        const vec_bytes octets = vec_hex(vec_by_id(json_object_get(*state, "negative"), cases[i].id), "message");
        mikey_msg msg;
        assert_int_equal(mikey_decode(&msg, vec_span(&octets), NULL), POC_OK);
        assert_int_equal(msg.mtk_id, cases[i].mtk_id);
        assert_int_equal(mikey_mtk_open(&mtk, &msg, (mikey_context){ 0, vec_span(&rand) }, msk, NULL), POC_OK);
        poc_secret_free(mtk);
    }
    poc_secret_free(msk);
}

static void published_rfc4567_examples_parse(void **state)
{
    const json_t *list = json_object_get(*state, "rfc4567_examples");
    const vec_bytes offer = vec_hex(vec_by_id(list, "rfc4567-5.1-offer"), "message");
    const vec_bytes answer = vec_hex(vec_by_id(list, "rfc4567-5.1-answer"), "message");
    mikey_msg msg;
    assert_int_equal(mikey_decode(&msg, vec_span(&offer), NULL), POC_OK);
    assert_int_equal(msg.csb_id, 0xcd177e50);
    assert_true(poc_span_eq_str(msg.idi.data, "donald@duck.com"));
    assert_false(msg.idr.present);
    assert_int_equal(msg.ts_type, 0);
    assert_int_equal(msg.encr_data.n, 36);
    assert_int_equal(mikey_decode(&msg, vec_span(&answer), NULL), POC_OK);
    assert_int_equal(msg.data_type, MIKEY_PSK_VERIFICATION);
    assert_true(poc_span_eq_str(msg.idr.data, "mickey@mouse.com"));
    assert_true(msg.has_v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prf_matches_the_whole_grid),
        cmocka_unit_test(prf_gives_the_keys_of_a_tgk),
        cmocka_unit_test(sealed_msk_messages_equal_the_vectors_octet_for_octet),
        cmocka_unit_test(opened_msk_messages_give_back_what_was_sealed),
        cmocka_unit_test(decoded_fields_are_those_of_the_vectors),
        cmocka_unit_test(payloads_tile_every_message),
        cmocka_unit_test(sdp_attribute_carries_the_sealed_message),
        cmocka_unit_test(verifications_match_in_both_directions),
        cmocka_unit_test(verification_over_the_padded_counter_holds_only_where_allowed),
        cmocka_unit_test(verification_of_another_message_or_member_is_refused),
        cmocka_unit_test(error_message_matches_in_both_directions),
        cmocka_unit_test(error_message_without_mac_proves_nothing),
        cmocka_unit_test(mtk_messages_match_in_both_directions),
        cmocka_unit_test(negative_msk_vectors_are_refused_for_their_own_reason),
        cmocka_unit_test(mtk_messages_out_of_interval_are_authentic),
        cmocka_unit_test(published_rfc4567_examples_parse),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
