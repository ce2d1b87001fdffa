/* HTTP digest: the arithmetic against vectors, the parser against everything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gba/gba.h"
#include "tests/support/vectors.h"

static json_t *vectors;

static const json_t *entry(const char *list, const char *id)
{
    return vec_by_id(json_object_get(vectors, list), id);
}

static gba_digest_input input_of(const json_t *e, const char *nonce)
{
    return (gba_digest_input){ .username = poc_span_str(vec_text(e, "username_text")),
                               .realm = poc_span_str(vec_text(e, "realm_text")),
                               .method = poc_span_str(vec_text(e, "method")),
                               .uri = poc_span_str(vec_text(e, "uri")),
                               .nonce = poc_span_str(vec_text(e, nonce)),
                               .nc = poc_span_str(vec_text(e, "nc")),
                               .cnonce = poc_span_str(vec_text(e, "cnonce")),
                               .qop = poc_span_str(vec_text(e, "qop")) };
}

static void assert_response(const gba_digest_input *in, const char *want)
{
    char out[33];
    assert_int_equal(gba_digest_response(out, in), POC_OK);
    assert_string_equal(out, want);
}

static void ub_responses_are_the_computed_ones(void **state)
{
    (void)state;
    const json_t *e = entry("ub", "ub-akav1-md5"), *back = entry("ub", "ub-rspauth");
    vec_bytes res = vec_hex(e, "password");
    gba_digest_input in = input_of(e, "nonce_text");
    assert_response(&in, vec_text(entry("ub", "ub-auts"), "response")); /* empty password */
    in.password = vec_span(&res);
    assert_response(&in, vec_text(e, "response"));
    in.method = poc_span_of(NULL, 0);
    in.body = poc_span_str(vec_text(back, "entity_body_text"));
    assert_response(&in, vec_text(back, "rspauth"));
}

static void ua_responses_are_the_computed_ones(void **state)
{
    (void)state;
    const json_t *e = entry("http_digest", "ua-msk-request");
    gba_digest_input in = input_of(e, "nonce");
    in.password = poc_span_str(vec_text(e, "password_text"));
    in.body = poc_span_str(vec_text(e, "entity_body_text"));
    assert_response(&in, vec_text(e, "response"));
    in.method = poc_span_of(NULL, 0);
    in.body = poc_span_str(vec_text(e, "response_entity_body_text"));
    assert_response(&in, vec_text(e, "rspauth"));
}

/* RFC 2617 3.5: "Mufasa", qop auth */
static void published_example_with_qop_auth_holds(void **state)
{
    (void)state;
    const gba_digest_input in = { .username = poc_span_str("Mufasa"),
                                  .realm = poc_span_str("testrealm@host.com"),
                                  .password = poc_span_str("Circle Of Life"),
                                  .method = poc_span_str("GET"),
                                  .uri = poc_span_str("/dir/index.html"),
                                  .nonce = poc_span_str("dcd98b7102dd2f0e8b11d0f600bfb0c093"),
                                  .nc = poc_span_str("00000001"),
                                  .cnonce = poc_span_str("0a4f113b"),
                                  .qop = poc_span_str("auth"),
                                  .body = poc_span_str("ignored") };
    assert_response(&in, "6629fae49393a05397450978507c4ef1");
}

static void unknown_qop_and_endless_parameters_are_refused(void **state)
{
    (void)state;
    static char endless[9000];
    char out[33];
    memset(endless, 'u', sizeof(endless));
    gba_digest_input in = { .qop = poc_span_str("auth-conf") };
    assert_int_equal(gba_digest_response(out, &in), POC_E_INPUT);
    in.qop = poc_span_str("auth");
    in.username = poc_span_of(endless, sizeof(endless));
    assert_int_equal(gba_digest_response(out, &in), POC_E_LIMIT);
}

/* ---- parsing ---- */

static const char whole[] =
    "Digest username=\"a@b\", realm=\"r\" ,nonce=\"\",uri=\"/\",RESPONSE=\"00\", algorithm=MD5,"
    "\tqop=auth-int, nc=00000001, cnonce=\"c\", opaque = \"o\", auts=\"A==\", stale=TRUE, new=\"x\"";

static void every_parameter_is_found_without_its_quotes(void **state)
{
    (void)state;
    gba_digest d;
    assert_int_equal(gba_digest_parse(&d, poc_span_str(whole), true, NULL), POC_OK);
    assert_true(poc_span_eq_str(d.username, "a@b"));
    assert_true(poc_span_eq_str(d.realm, "r"));
    assert_int_equal(d.nonce.n, 0);
    assert_true(poc_span_eq_str(d.uri, "/"));
    assert_true(poc_span_eq_str(d.response, "00"));
    assert_true(poc_span_eq_str(d.algorithm, "MD5"));
    assert_true(poc_span_eq_str(d.qop, "auth-int"));
    assert_true(poc_span_eq_str(d.nc, "00000001"));
    assert_true(poc_span_eq_str(d.cnonce, "c"));
    assert_true(poc_span_eq_str(d.opaque, "o"));
    assert_true(poc_span_eq_str(d.auts, "A=="));
    assert_true(poc_span_eq_str(d.stale, "TRUE"));
    assert_int_equal(d.rspauth.n, 0);
}

static void challenge_captured_from_a_network_is_understood(void **state)
{
    (void)state;
    gba_digest d;
    const char *text = vec_text(entry("gba", "gba-captured-1"), "ua_challenge_text");
    assert_int_equal(gba_digest_parse(&d, poc_span_str(text), true, NULL), POC_OK);
    assert_true(poc_span_eq_str(d.realm, "3GPP-bootstrapping@xcap.ims.mnc045.mcc123.pub.3gppnetwork.org"));
    assert_true(poc_span_eq_str(d.nonce, "428333b71bea2fdfa74f51de90f9f67d"));
    assert_true(poc_span_eq_str(d.qop, "auth-int"));
}

static void bad_headers_are_refused_with_place_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
        const char *reason;
    } cases[] = {
        { "", 0, "empty header" },
        { "Basic realm=\"r\"", 5, "scheme is not Digest" },
        { "Digest", 6, "nothing behind the scheme" },
        { "Digest\"a\"", 6, "nothing behind the scheme" },
        { "Digest realm=\"r\", realm=\"r\"", 27, "repeated parameter" },
        { "Digest nonce=\"\", nonce=\"n\"", 26, "repeated parameter" },
        { "Digest realm=\"r", 14, "unterminated quotes" },
        { "Digest realm=\"", 14, "unterminated quotes" },
        { "Digest realm=\"a\\\"b\"", 14, "escape or control character in quotes" },
        { "Digest realm=\"a\r\nb\"", 14, "escape or control character in quotes" },
        { "Digest realm", 12, NULL },
        { "Digest realm \"r\"", 14, "no = behind parameter name" },
        { "Digest realm=", 13, "parameter without value" },
        { "Digest realm=,", 13, "parameter without value" },
        { "Digest =\"r\"", 7, "parameter name expected" },
        { "Digest realm=\"r\" nonce=\"n\"", 18, "no comma between parameters" },
        { "Digest nonce=a=b", 15, "no comma between parameters" },
    };
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        gba_digest d;
        poc_fault fault;
        assert_int_equal(gba_digest_parse(&d, poc_span_str(cases[i].text), true, &fault), POC_E_INPUT);
        assert_int_equal(fault.offset, cases[i].offset);
        if (cases[i].reason != NULL)
            assert_string_equal(fault.reason, cases[i].reason);
    }
}

static void header_of_5000_octets_is_refused_and_of_4096_is_not(void **state)
{
    (void)state;
    char text[5000];
    gba_digest d;
    poc_fault fault;
    memset(text, ' ', sizeof(text));
    memcpy(text, "Digest ", 7);
    memcpy(text + 4080, "realm=\"r\"", 9);
    assert_int_equal(gba_digest_parse(&d, poc_span_of(text, 4096), true, NULL), POC_OK);
    assert_true(poc_span_eq_str(d.realm, "r"));
    assert_int_equal(gba_digest_parse(&d, poc_span_of(text, 4097), true, &fault), POC_E_INPUT);
    assert_string_equal(fault.reason, "header too long");
    assert_int_equal(gba_digest_parse(&d, poc_span_of(text, 5000), true, NULL), POC_E_INPUT);
}

static bool lies_in(poc_span part, const uint8_t *from, size_t n)
{
    return part.n == 0 || (part.p >= from && part.p + part.n <= from + n);
}

/* Cut at each length, in memory of just that size: the sanitizer sees any look beyond. */
static void parser_never_reads_beyond_a_cut(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(whole); n++) {
        uint8_t *exact = malloc(n + 1);
        uint8_t *end_aligned = exact + 1; /* ends where the allocation ends */
        gba_digest d;
        assert_non_null(exact);
        memcpy(end_aligned, whole, n);
        (void)gba_digest_parse(&d, poc_span_of(end_aligned, n), true, NULL);
        const poc_span *parts = (const poc_span *)&d;
        for (size_t i = 0; i < sizeof(d) / sizeof(*parts); i++)
            assert_true(lies_in(parts[i], end_aligned, n));
        (void)gba_digest_parse(&d, poc_span_of(end_aligned, n), false, NULL);
        free(exact);
    }
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
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ub_responses_are_the_computed_ones),
        cmocka_unit_test(ua_responses_are_the_computed_ones),
        cmocka_unit_test(published_example_with_qop_auth_holds),
        cmocka_unit_test(unknown_qop_and_endless_parameters_are_refused),
        cmocka_unit_test(every_parameter_is_found_without_its_quotes),
        cmocka_unit_test(challenge_captured_from_a_network_is_understood),
        cmocka_unit_test(bad_headers_are_refused_with_place_and_reason),
        cmocka_unit_test(header_of_5000_octets_is_refused_and_of_4096_is_not),
        cmocka_unit_test(parser_never_reads_beyond_a_cut),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
