/* Zn over Diameter: the three computed messages in both directions, and what is done to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gba/gba.h"
#include "tests/support/vectors.h"

static json_t *vectors;

static vec_bytes message_of(const char *id)
{
    return vec_hex(vec_by_id(json_object_get(vectors, "zn_diameter"), id), "message");
}

static void assert_span(poc_span got, const char *want)
{
    assert_true(poc_span_eq_str(got, want));
}

static void request_decodes_and_encodes_to_the_same_octets(void **state)
{
    (void)state;
    vec_bytes wire = message_of("zn-bir");
    uint8_t out[GBA_ZN_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    gba_zn_request r;
    gba_naf_id id;
    assert_int_equal(gba_zn_request_decode(&r, vec_span(&wire), NULL), POC_OK);
    assert_int_equal(r.hop_by_hop, 0x11111111);
    assert_int_equal(r.end_to_end, 0x22222222);
    assert_span(r.session_id, "pf1.poc.example.org;1893456000;1");
    assert_span(r.origin_host, "pf1.poc.example.org");
    assert_span(r.origin_realm, "poc.example.org");
    assert_span(r.destination_realm, "mnc001.mcc001.3gppnetwork.org");
    assert_span(r.destination_host, "bsf.mnc001.mcc001.pub.3gppnetwork.org");
    assert_span(r.gsid, "4");
    assert_span(r.btid, "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org");
    assert_int_equal(gba_naf_id_make(&id, poc_span_str("pf1.poc.example.org"), gba_ua_id_mbms), POC_OK);
    assert_true(poc_span_eq(r.naf_id, poc_span_of(id.b, id.n)));
    assert_int_equal(r.gba_u_aware, 1);
    assert_int_equal(gba_zn_request_encode(&wr, &r), POC_OK);
    assert_int_equal(wr.len, wire.n);
    assert_memory_equal(out, wire.b, wire.n);
}

static void assert_reply_returns(const gba_zn_reply *r, const vec_bytes *wire)
{
    uint8_t out[GBA_ZN_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    assert_int_equal(gba_zn_reply_encode(&wr, r), POC_OK);
    assert_int_equal(wr.len, wire->n);
    assert_memory_equal(out, wire->b, wire->n);
}

/* POC-5: the PF fetches Ks_NAF for a B-TID over Zn */
static void reply_decodes_and_encodes_to_the_same_octets(void **state)
{
    (void)state;
    vec_bytes wire = message_of("zn-bia");
    const json_t *keys = vec_by_id(json_object_get(vectors, "gba"), "gba-1");
    vec_bytes ks_naf = vec_hex(keys, "Ks_NAF"), ks_int = vec_hex(keys, "Ks_int_NAF");
    gba_zn_reply r;
    assert_int_equal(gba_zn_reply_decode(&r, vec_span(&wire), NULL), POC_OK);
    assert_int_equal(gba_zn_reply_outcome(&r), POC_OK);
    assert_memory_equal(poc_secret_bytes(r.answer.me_key), ks_naf.b, 32);
    assert_memory_equal(poc_secret_bytes(r.answer.uicc_key), ks_int.b, 32);
    assert_string_equal(r.answer.impi, "001010123456789@ims.mnc001.mcc001.3gppnetwork.org");
    assert_true(r.answer.expires_s == 1893456000);
    assert_true(r.created_s == 1893456000 - 12 * 3600);
    assert_int_equal(r.answer.impu_count, 1);
    assert_string_equal(r.answer.impus[0], "sip:alice@example.org");
    assert_int_equal(r.gba_type, 0);
    assert_reply_returns(&r, &wire);
    gba_zn_reply_done(&r);
}

/* POC-5: an unknown B-TID is 5403 on Zn and POC_E_AUTH here */
static void invalid_btid_decodes_and_encodes_to_the_same_octets(void **state)
{
    (void)state;
    vec_bytes wire = message_of("zn-bia-btid-invalid");
    gba_zn_reply r;
    assert_int_equal(gba_zn_reply_decode(&r, vec_span(&wire), NULL), POC_OK);
    assert_int_equal(r.experimental, GBA_ZN_BTID_INVALID);
    assert_int_equal(gba_zn_reply_outcome(&r), POC_E_AUTH);
    assert_null(r.answer.me_key);
    assert_reply_returns(&r, &wire);
    gba_zn_reply_done(&r);
}

static void outcomes_have_the_kinds_of_the_digest(void **state)
{
    (void)state;
    static const struct {
        uint32_t result, experimental;
        poc_err want;
    } cases[] = { { 2001, 0, POC_OK },   { 0, 5401, POC_E_DENIED }, { 0, 5402, POC_E_DENIED }, { 0, 5403, POC_E_AUTH },
                  { 5012, 0, POC_E_IO }, { 3002, 0, POC_E_IO },     { 0, 5999, POC_E_IO } };
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        gba_zn_reply r = { .result = cases[i].result, .experimental = cases[i].experimental };
        assert_int_equal(gba_zn_reply_outcome(&r), cases[i].want);
    }
}

static void times_beyond_2036_survive_the_end_of_the_ntp_era(void **state)
{
    (void)state;
    const int64_t moments[] = { 0x7FFFFFFF, INT64_C(2085978496), INT64_C(2085978495), INT64_C(4102444800) };
    for (size_t i = 0; i < POC_COUNT(moments); i++) {
        uint8_t out[GBA_ZN_MESSAGE_MAX];
        poc_wr wr = poc_wr_into(out, sizeof(out));
        poc_span text = poc_span_str("x");
        gba_zn_reply in = { .session_id = text, .origin_host = text, .origin_realm = text, .result = GBA_ZN_OK }, back;
        in.answer.expires_s = moments[i];
        assert_int_equal(poc_secret_new(&in.answer.me_key, 32), POC_OK);
        assert_int_equal(gba_zn_reply_encode(&wr, &in), POC_OK);
        assert_int_equal(gba_zn_reply_decode(&back, poc_span_of(out, wr.len), NULL), POC_OK);
        assert_true(back.answer.expires_s == moments[i]);
        gba_zn_reply_done(&in);
        gba_zn_reply_done(&back);
    }
}

static void identities_with_marks_of_xml_come_back(void **state)
{
    (void)state;
    uint8_t out[GBA_ZN_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    poc_span text = poc_span_str("x");
    gba_zn_reply in = { .session_id = text, .origin_host = text, .origin_realm = text, .result = GBA_ZN_OK }, back;
    in.answer.expires_s = 1893456000;
    in.answer.impu_count = 2;
    strcpy(in.answer.impus[0], "sip:a&b&@example.org");
    strcpy(in.answer.impus[1], "not a uri");
    assert_int_equal(poc_secret_new(&in.answer.me_key, 32), POC_OK);
    assert_int_equal(gba_zn_reply_encode(&wr, &in), POC_OK);
    assert_int_equal(gba_zn_reply_decode(&back, poc_span_of(out, wr.len), NULL), POC_OK);
    assert_int_equal(back.answer.impu_count, 2); /* what is no URI is kept: an empty list would mean "not said" */
    assert_string_equal(back.answer.impus[0], "sip:a&b&@example.org");
    assert_string_equal(back.answer.impus[1], "not a uri");
    gba_zn_reply_done(&in);
    gba_zn_reply_done(&back);
}

static void missing_parts_are_not_encoded(void **state)
{
    (void)state;
    uint8_t out[GBA_ZN_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    gba_zn_request r = { .session_id = poc_span_str("s") };
    gba_zn_reply no_result = { .session_id = poc_span_str("s") };
    assert_int_equal(gba_zn_request_encode(&wr, &r), POC_E_INPUT);
    assert_int_equal(gba_zn_reply_encode(&wr, &no_result), POC_E_INPUT);
    no_result.result = GBA_ZN_OK; /* but no key */
    assert_int_equal(gba_zn_reply_encode(&wr, &no_result), POC_E_INPUT);
    no_result.experimental = GBA_ZN_BTID_INVALID; /* yes and no at once */
    assert_int_equal(gba_zn_reply_encode(&wr, &no_result), POC_E_INPUT);
}

/* Cut at each length, in memory of just that size; nothing is left behind. */
static void cut_messages_are_refused(void **state)
{
    (void)state;
    static const char *const ids[] = { "zn-bir", "zn-bia", "zn-bia-btid-invalid" };
    for (size_t i = 0; i < POC_COUNT(ids); i++) {
        vec_bytes wire = message_of(ids[i]);
        for (size_t n = 1; n < wire.n; n++) {
            uint8_t *exact = malloc(n);
            gba_zn_reply reply;
            gba_zn_request request;
            assert_non_null(exact);
            memcpy(exact, wire.b, n);
            if (n >= 4) { /* a header that believes in the cut */
                exact[2] = (uint8_t)(n >> 8);
                exact[3] = (uint8_t)n;
            }
            poc_err reply_err = gba_zn_reply_decode(&reply, poc_span_of(exact, n), NULL);
            assert_true(reply_err == POC_E_INPUT ||
                        (n >= 356 && reply_err == POC_OK)); /* optional AVPs may be cut off */
            gba_zn_reply_done(&reply);
            poc_err request_err = gba_zn_request_decode(&request, poc_span_of(exact, n), NULL);
            assert_true(request_err == POC_E_INPUT || (n > 300 && request_err == POC_OK));
            free(exact);
        }
    }
}

static void each_flipped_bit_is_read_without_harm(void **state)
{
    (void)state;
    vec_bytes wire = message_of("zn-bia");
    for (size_t bit = 0; bit < wire.n * 8; bit++) {
        gba_zn_reply r;
        wire.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (gba_zn_reply_decode(&r, vec_span(&wire), NULL) != POC_OK)
            assert_null(r.answer.me_key);
        gba_zn_reply_done(&r);
        wire.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void refuse(vec_bytes wire, size_t at, uint8_t value, const char *reason)
{
    gba_zn_reply r;
    poc_fault fault;
    wire.b[at] = value;
    assert_int_equal(gba_zn_reply_decode(&r, vec_span(&wire), &fault), POC_E_INPUT);
    assert_string_equal(fault.reason, reason);
}

static void foreign_headers_and_unknown_mandatory_avps_are_refused(void **state)
{
    (void)state;
    vec_bytes wire = message_of("zn-bia");
    const size_t session = 20, application = 60;
    refuse(wire, 0, 2, "version or length of the message");
    refuse(wire, 4, 0xC0, "another command");
    refuse(wire, 7, 0x37, "another command");
    refuse(wire, 11, 5, "another application");
    refuse(wire, session + 2, 0x77, "unknown mandatory AVP");
    refuse(wire, session + 7, 3, "AVP shorter than its header");
    refuse(wire, application + 31, 5, "application is not Zn");
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
        cmocka_unit_test(request_decodes_and_encodes_to_the_same_octets),
        cmocka_unit_test(reply_decodes_and_encodes_to_the_same_octets),
        cmocka_unit_test(invalid_btid_decodes_and_encodes_to_the_same_octets),
        cmocka_unit_test(outcomes_have_the_kinds_of_the_digest),
        cmocka_unit_test(times_beyond_2036_survive_the_end_of_the_ntp_era),
        cmocka_unit_test(identities_with_marks_of_xml_come_back),
        cmocka_unit_test(missing_parts_are_not_encoded),
        cmocka_unit_test(cut_messages_are_refused),
        cmocka_unit_test(each_flipped_bit_is_read_without_harm),
        cmocka_unit_test(foreign_headers_and_unknown_mandatory_avps_are_refused),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
