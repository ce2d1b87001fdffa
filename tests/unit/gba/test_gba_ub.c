/* Ub and the BSF's side of Zn: bootstrapping as it should go, and all the ways in which it should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/vectors.h"
#include "tests/unit/gba/world.h"

static world w;
static gba_http_answer answer;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(world_new(&w), POC_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_done(&w);
    return poc_secret_live_count() == 0 ? 0 : -1; /* nothing was left behind */
}

static gba_ub_client *client_new(void)
{
    gba_ub_client *c;
    assert_int_equal(gba_ub_client_new(&c, poc_span_str(WORLD_IMPI), poc_span_str(WORLD_BSF), &w.usim, &w.rng), POC_OK);
    return c;
}

static char request[GBA_HEADER_MAX];

static poc_err ub(const char *authorization)
{
    return gba_bsf_ub(w.bsf, w.now_s, poc_span_str("GET"), poc_span_str("/"), poc_span_str(authorization), &answer);
}

/* Client's next request, to the BSF: returns the BSF's kind. */
static poc_err ask(gba_ub_client *c)
{
    poc_wr wr = poc_wr_into(request, sizeof(request));
    assert_int_equal(gba_ub_client_request(c, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    return ub(request);
}

static poc_err take(gba_ub_client *c, gba_ub_next *next, gba_bootstrap *boot)
{
    return gba_ub_client_answer(c, answer.status, poc_span_str(answer.www_authenticate),
                                poc_span_str(answer.authentication_info), poc_span_of(answer.body, answer.body_len),
                                next, boot);
}

/* A client that has sent its RES; the BSF's 200 lies in `answer`. */
static gba_ub_client *client_answered(void)
{
    gba_ub_client *c = client_new();
    gba_ub_next next;
    gba_bootstrap boot;
    assert_int_equal(ask(c), POC_OK);
    assert_int_equal(answer.status, 401);
    assert_int_equal(take(c, &next, &boot), POC_OK);
    assert_int_equal(ask(c), POC_OK);
    assert_int_equal(answer.status, 200);
    return c;
}

static poc_err zn(const char *btid, gba_zn_answer *out)
{
    return gba_bsf_zn(w.bsf, w.now_s, poc_span_str(btid), gba_naf_naf_id(w.naf), out);
}

/* POC-2, POC-3: the UE bootstraps against the BSF in memory, and both sides derive the same MUK */
static void both_sides_of_ub_derive_the_same_muk(void **state)
{
    (void)state;
    gba_bootstrap boot;
    gba_mbms_keys ue, pf;
    gba_zn_answer a;
    assert_int_equal(world_bootstrap(&w, WORLD_IMPI, &w.usim, &boot), POC_OK);
    assert_true(boot.expires_s == w.now_s + WORLD_KEY_LIFETIME_S);
    assert_string_equal(strchr(boot.btid, '@') + 1, WORLD_BSF);
    assert_int_equal(world_ue_keys(WORLD_IMPI, &boot, &ue), POC_OK);
    assert_int_equal(zn(boot.btid, &a), POC_OK);
    assert_int_equal(gba_mbms_keys_make(&pf, a.me_key, a.uicc_key), POC_OK);
    assert_true(poc_secret_eq(ue.muk, pf.muk));
    assert_true(poc_secret_eq(ue.mrk, pf.mrk));
    assert_false(poc_secret_eq(ue.muk, ue.mrk));
    assert_string_equal(a.impi, WORLD_IMPI);
    assert_int_equal(a.impu_count, 1);
    assert_string_equal(a.impus[0], WORLD_ALICE);
    gba_zn_answer_done(&a);
    gba_mbms_keys_done(&ue);
    gba_mbms_keys_done(&pf);
    gba_bootstrap_done(&boot);
}

/* POC-3: another bootstrapping (another RAND) gives another MUK */
static void each_bootstrap_has_its_own_btid_and_muk(void **state)
{
    (void)state;
    gba_bootstrap one, two;
    gba_mbms_keys first, second;
    assert_int_equal(world_bootstrap(&w, WORLD_IMPI, &w.usim, &one), POC_OK);
    assert_int_equal(world_bootstrap(&w, WORLD_IMPI, &w.usim, &two), POC_OK);
    assert_string_not_equal(one.btid, two.btid);
    assert_int_equal(world_ue_keys(WORLD_IMPI, &one, &first), POC_OK);
    assert_int_equal(world_ue_keys(WORLD_IMPI, &two, &second), POC_OK);
    assert_false(poc_secret_eq(first.muk, second.muk));
    gba_mbms_keys_done(&first);
    gba_mbms_keys_done(&second);
    gba_bootstrap_done(&one);
    gba_bootstrap_done(&two);
}

/* POC-5: an expired or unknown B-TID gives POC_E_AUTH, a NAF_Id that is none POC_E_DENIED */
static void zn_knows_neither_strangers_nor_the_expired(void **state)
{
    (void)state;
    gba_bootstrap boot;
    gba_zn_answer a;
    const char *const bad_ids[] = { "", "12345", "Upper.example.org12345", "a..b12345" };
    assert_int_equal(world_bootstrap(&w, WORLD_IMPI, &w.usim, &boot), POC_OK);
    for (size_t i = 0; i < POC_COUNT(bad_ids); i++)
        assert_int_equal(gba_bsf_zn(w.bsf, w.now_s, poc_span_str(boot.btid), poc_span_str(bad_ids[i]), &a),
                         POC_E_DENIED);
    assert_int_equal(zn("AAAAAAAAAAAAAAAAAAAAAA==@" WORLD_BSF, &a), POC_E_AUTH);
    w.now_s += WORLD_KEY_LIFETIME_S - 1;
    assert_int_equal(zn(boot.btid, &a), POC_OK);
    gba_zn_answer_done(&a);
    w.now_s += 1;
    assert_int_equal(zn(boot.btid, &a), POC_E_AUTH);
    assert_null(a.me_key);
    gba_bootstrap_done(&boot);
    assert_int_equal(world_learn(&w, poc_span_str("AAAAAAAAAAAAAAAAAAAAAA==@" WORLD_BSF)), POC_E_AUTH);
}

static void oldest_of_many_bootstraps_is_forgotten(void **state)
{
    (void)state;
    gba_bootstrap boot[5];
    gba_zn_answer a;
    for (size_t i = 0; i < POC_COUNT(boot); i++)
        assert_int_equal(world_bootstrap(&w, WORLD_IMPI, &w.usim, &boot[i]), POC_OK);
    assert_int_equal(zn(boot[0].btid, &a), POC_E_AUTH);
    for (size_t i = 1; i < POC_COUNT(boot); i++) {
        assert_int_equal(zn(boot[i].btid, &a), POC_OK);
        gba_zn_answer_done(&a);
    }
    for (size_t i = 0; i < POC_COUNT(boot); i++)
        gba_bootstrap_done(&boot[i]);
}

static void body_and_headers_have_the_forms_of_the_specification(void **state)
{
    (void)state;
    gba_ub_client *c = client_answered();
    json_t *vectors = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    const char *want = vec_text(vec_by_id(json_object_get(vectors, "ub"), "ub-rspauth"), "entity_body_text");
    const char *btid = strstr(want, "<btid>") + 6; /* same document but for what is in the two elements */
    const char *after = strstr(want, "</btid>\n<lifetime>");
    assert_memory_equal(answer.body, want, (size_t)(btid - want));
    assert_non_null(strstr(answer.body, "</btid>\n<lifetime>2030-01-01T01:00:00Z</lifetime>\n</BootstrappingInfo>\n"));
    assert_non_null(after);
    assert_int_equal(answer.body_len, strlen(want));
    assert_non_null(strstr(answer.authentication_info, "qop=auth-int"));
    assert_non_null(strstr(answer.authentication_info, "nc=00000001"));
    json_decref(vectors);
    gba_ub_client_free(c);
}

/* RFC 3310 3.4 */
static void usim_ahead_of_the_network_resynchronises_it_and_succeeds(void **state)
{
    (void)state;
    gba_bootstrap boot;
    w.usim.sqn = 1000;
    assert_int_equal(world_bootstrap(&w, WORLD_IMPI, &w.usim, &boot), POC_OK);
    assert_true(w.usim.sqn == 1001);
    gba_bootstrap_done(&boot);
}

static void usim_behind_the_window_resynchronises_the_network_too(void **state)
{
    (void)state;
    gba_bootstrap boot;
    assert_int_equal(world_subscribe(&w, "far@example.org", "sip:far@example.org", UINT64_C(1) << 40), POC_OK);
    assert_int_equal(world_bootstrap(&w, "far@example.org", &w.usim, &boot), POC_OK);
    assert_true(w.usim.sqn == 1);
    gba_bootstrap_done(&boot);
}

static void forged_auts_does_not_move_the_network(void **state)
{
    (void)state;
    gba_ub_client *c = client_new();
    gba_ub_next next;
    gba_bootstrap boot;
    w.usim.sqn = 1000;
    assert_int_equal(ask(c), POC_OK);
    assert_int_equal(take(c, &next, &boot), POC_OK);
    poc_wr wr = poc_wr_into(request, sizeof(request));
    assert_int_equal(gba_ub_client_request(c, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    char *auts = strstr(request, "auts=\"");
    assert_non_null(auts);
    auts[10] = auts[10] == 'A' ? 'B' : 'A';
    assert_int_equal(ub(request), POC_E_AUTH);
    assert_int_equal(answer.status, 401);
    assert_int_equal(take(c, &next, &boot), POC_E_AUTH); /* still out of range: the network did not believe it */
    gba_ub_client_free(c);
}

static void network_with_the_wrong_key_is_refused_by_the_ue(void **state)
{
    (void)state;
    gba_bootstrap boot;
    gba_usim other;
    assert_int_equal(gba_usim_init(&other, world_opc, world_k, 0, world_amf), POC_OK);
    assert_int_equal(world_bootstrap(&w, WORLD_IMPI, &other, &boot), POC_E_AUTH);
    assert_null(boot.ks);
    gba_usim_done(&other);
}

static void unknown_subscriber_gets_404(void **state)
{
    (void)state;
    gba_bootstrap boot;
    assert_int_equal(ub("Digest username=\"nobody@example.org\", realm=\"" WORLD_BSF "\", nonce=\"\", uri=\"/\", "
                        "response=\"\""),
                     POC_E_DENIED);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.www_authenticate, "");
    assert_int_equal(world_bootstrap(&w, "nobody@example.org", &w.usim, &boot), POC_E_DENIED);
}

static void requests_that_are_none_get_their_status(void **state)
{
    (void)state;
    poc_span none = poc_span_of(NULL, 0), get = poc_span_str("GET"), root = poc_span_str("/");
    assert_int_equal(gba_bsf_ub(w.bsf, w.now_s, poc_span_str("POST"), root, none, &answer), POC_E_INPUT);
    assert_int_equal(answer.status, 405);
    assert_int_equal(gba_bsf_ub(w.bsf, w.now_s, get, poc_span_str("/x"), none, &answer), POC_E_INPUT);
    assert_int_equal(answer.status, 404);
    assert_int_equal(gba_bsf_ub(w.bsf, w.now_s, get, root, none, &answer), POC_E_INPUT);
    assert_int_equal(answer.status, 400);
    assert_int_equal(ub("Digest realm=\"r\""), POC_E_INPUT);
    assert_int_equal(answer.status, 400);
    assert_int_equal(ub("Digest username=\"a"), POC_E_INPUT);
    assert_int_equal(answer.status, 400);
}

static void wrong_response_gets_a_new_challenge_and_no_second_try(void **state)
{
    (void)state;
    gba_ub_client *c = client_new();
    gba_ub_next next;
    gba_bootstrap boot;
    char first[GBA_HEADER_MAX], right[GBA_HEADER_MAX];
    assert_int_equal(ask(c), POC_OK);
    strcpy(first, answer.www_authenticate);
    assert_int_equal(take(c, &next, &boot), POC_OK);
    poc_wr wr = poc_wr_into(request, sizeof(request));
    assert_int_equal(gba_ub_client_request(c, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    strcpy(right, request);
    char *digit = strstr(request, "response=\"") + 10;
    *digit = *digit == '0' ? '1' : '0';
    assert_int_equal(ub(request), POC_E_AUTH);
    assert_int_equal(answer.status, 401);
    assert_string_not_equal(answer.www_authenticate, first);
    assert_int_equal(ub(right), POC_E_AUTH);
    assert_int_equal(take(c, &next, &boot), POC_OK); /* and the new challenge can be answered */
    assert_int_equal(ask(c), POC_OK);
    assert_int_equal(answer.status, 200);
    assert_int_equal(take(c, &next, &boot), POC_OK);
    assert_int_equal(next, GBA_UB_DONE);
    gba_bootstrap_done(&boot);
    gba_ub_client_free(c);
}

static void right_response_is_taken_once_and_in_time(void **state)
{
    (void)state;
    gba_ub_client *c = client_answered();
    assert_int_equal(ub(request), POC_E_AUTH);
    assert_int_equal(answer.status, 401);
    gba_ub_client_free(c);

    gba_ub_next next;
    gba_bootstrap boot;
    c = client_new();
    assert_int_equal(ask(c), POC_OK);
    assert_int_equal(take(c, &next, &boot), POC_OK);
    w.now_s += 61;
    assert_int_equal(ask(c), POC_E_AUTH);
    assert_int_equal(answer.status, 401);
    gba_ub_client_free(c);
}

static void bsf_that_cannot_prove_itself_is_refused(void **state)
{
    (void)state;
    gba_ub_next next;
    gba_bootstrap boot;
    for (int i = 0; i < 4; i++) {
        gba_ub_client *c = client_answered();
        if (i == 0)
            answer.body[100] ^= 1;
        if (i == 1)
            *(strstr(answer.authentication_info, "rspauth=\"") + 9) ^= 1;
        if (i == 2)
            answer.authentication_info[0] = '\0';
        if (i == 3)
            answer.body_len--;
        assert_int_equal(take(c, &next, &boot), POC_E_AUTH);
        assert_null(boot.ks);
        gba_ub_client_free(c);
    }
}

/* The client's 200 with this body under a proof that holds. */
static poc_err take_body(const char *body, gba_bootstrap *boot)
{
    gba_ub_client *c = client_new();
    gba_ub_next next;
    gba_usim network;
    gba_vector v;
    gba_digest d;
    char info[64], rspauth[33];
    assert_int_equal(ask(c), POC_OK);
    assert_int_equal(gba_digest_parse(&d, poc_span_str(answer.www_authenticate), true, NULL), POC_OK);
    uint8_t rand_autn[32], auts[14];
    size_t len;
    assert_int_equal(poc_base64_get(rand_autn, sizeof(rand_autn), &len, d.nonce), POC_OK);
    assert_int_equal(gba_usim_init(&network, world_k, world_opc, w.usim.sqn, world_amf), POC_OK);
    assert_int_equal(gba_usim_answer(&v, &network, rand_autn, rand_autn + 16, auts), POC_OK); /* for its RES */
    assert_int_equal(take(c, &next, boot), POC_OK);
    poc_wr wr = poc_wr_into(request, sizeof(request));
    assert_int_equal(gba_ub_client_request(c, &wr), POC_OK);
    assert_int_equal(gba_digest_parse(&d, poc_span_of(request, wr.len), true, NULL), POC_OK);
    const gba_digest_input in = { .username = d.username,
                                  .realm = d.realm,
                                  .password = poc_span_of(v.res, 8),
                                  .uri = d.uri,
                                  .nonce = d.nonce,
                                  .nc = d.nc,
                                  .cnonce = d.cnonce,
                                  .qop = d.qop,
                                  .body = poc_span_str(body) };
    assert_int_equal(gba_digest_response(rspauth, &in), POC_OK);
    snprintf(info, sizeof(info), "rspauth=\"%s\"", rspauth);
    poc_err err =
        gba_ub_client_answer(c, 200, poc_span_of(NULL, 0), poc_span_str(info), poc_span_str(body), &next, boot);
    gba_vector_done(&v);
    gba_usim_done(&network);
    gba_ub_client_free(c);
    return err;
}

static void bootstrapping_info_is_read_in_every_form_of_the_schema(void **state)
{
    (void)state;
    json_t *vectors = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    const json_t *e = vec_by_id(json_object_get(vectors, "gba"), "gba-captured-1");
    gba_bootstrap boot;
    assert_int_equal(take_body(vec_text(e, "bootstrapping_info_text"), &boot), POC_OK);
    assert_string_equal(boot.btid, vec_text(e, "btid_text"));
    assert_true(boot.expires_s == 1603928186); /* 2020-10-28T23:36:26Z */
    gba_bootstrap_done(&boot);
    json_decref(vectors);
    assert_int_equal(take_body("<g:BootstrappingInfo xmlns:g=\"uri:3gpp-gba\"><g:btid>\n x@y </g:btid>"
                               "<g:lifetime>2030-01-01T00:00:00.000Z</g:lifetime><more/></g:BootstrappingInfo>",
                               &boot),
                     POC_OK);
    assert_string_equal(boot.btid, "x@y");
    assert_true(boot.expires_s == 1893456000);
    gba_bootstrap_done(&boot);
}

static void bootstrapping_info_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "no document",
        "<btid>x@y</btid>",
        "<lifetime>2030-01-01T00:00:00Z</lifetime>",
        "<btid>x@y</btid><btid>x@y</btid><lifetime>2030-01-01T00:00:00Z</lifetime>",
        "<btid>x</btid><lifetime>2030-01-01T00:00:00Z</lifetime>",
        "<btid>x\"@y</btid><lifetime>2030-01-01T00:00:00Z</lifetime>",
        "<btid></btid><lifetime>2030-01-01T00:00:00Z</lifetime>",
        "<btid>x@y</btid><lifetime>tomorrow</lifetime>",
        "<btid>x@y</btid><lifetime>2030-01-01T00:00:00.0</lifetime>",
        "<!DOCTYPE a><btid>x@y</btid><lifetime>2030-01-01T00:00:00Z</lifetime>",
    };
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        gba_bootstrap boot;
        assert_int_equal(take_body(bad[i], &boot), POC_E_INPUT);
        assert_null(boot.ks);
    }
}

static void challenges_of_another_kind_are_refused_by_the_ue(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "Basic realm=\"x\"",
        "Digest realm=\"other.example.org\", nonce=\"%s\", algorithm=AKAv1-MD5, qop=\"auth-int\"",
        "Digest realm=\"" WORLD_BSF "\", nonce=\"AAAA\", algorithm=AKAv1-MD5, qop=\"auth-int\"",
        "Digest realm=\"" WORLD_BSF "\", nonce=\"\", algorithm=AKAv1-MD5, qop=\"auth-int\"",
        "Digest realm=\"" WORLD_BSF "\", nonce=\"I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M=\", algorithm=MD5, "
        "qop=\"auth-int\"",
        "Digest realm=\"" WORLD_BSF "\", nonce=\"I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M=\", "
        "algorithm=AKAv1-MD5, qop=\"auth\"",
    };
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        gba_ub_client *c = client_new();
        gba_ub_next next;
        gba_bootstrap boot;
        assert_int_equal(gba_ub_client_answer(c, 401, poc_span_str(bad[i]), poc_span_of(NULL, 0), poc_span_of(NULL, 0),
                                              &next, &boot),
                         POC_E_INPUT);
        poc_wr wr = poc_wr_into(request, sizeof(request));
        assert_int_equal(gba_ub_client_request(c, &wr), POC_E_STATE);
        gba_ub_client_free(c);
    }
}

static void endless_challenges_are_given_up(void **state)
{
    (void)state;
    gba_ub_client *c = client_new();
    gba_ub_next next;
    gba_bootstrap boot;
    poc_err err = POC_OK;
    size_t rounds = 0;
    for (; err == POC_OK && rounds < 20; rounds++) {
        assert_int_equal(ub("Digest username=\"" WORLD_IMPI "\", nonce=\"\", response=\"\""), POC_OK);
        err = take(c, &next, &boot);
    }
    assert_int_equal(err, POC_E_DENIED);
    assert_int_equal(rounds, 5);
    gba_ub_client_free(c);
}

static void success_before_any_challenge_is_refused(void **state)
{
    (void)state;
    gba_ub_client *c = client_answered(), *fresh = client_new();
    gba_ub_next next;
    gba_bootstrap boot;
    assert_int_equal(take(fresh, &next, &boot), POC_E_INPUT);
    gba_ub_client_free(c);
    gba_ub_client_free(fresh);
}

static void subscribers_are_added_once_and_checked(void **state)
{
    (void)state;
    assert_int_equal(world_subscribe(&w, WORLD_IMPI, WORLD_ALICE, 0), POC_E_STATE);
    assert_int_equal(world_subscribe(&w, "", WORLD_ALICE, 0), POC_E_INPUT);
    assert_int_equal(world_subscribe(&w, "a\"b", WORLD_ALICE, 0), POC_E_INPUT);
    assert_int_equal(world_subscribe(&w, "c@example.org", "nothing", 0), POC_E_INPUT);
    assert_int_equal(world_subscribe(&w, "c@example.org", WORLD_ALICE, UINT64_C(1) << 48), POC_E_LIMIT);
    assert_int_equal(world_subscribe(&w, "c@example.org", WORLD_ALICE, 0), POC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_sides_of_ub_derive_the_same_muk, setup, teardown),
        cmocka_unit_test_setup_teardown(each_bootstrap_has_its_own_btid_and_muk, setup, teardown),
        cmocka_unit_test_setup_teardown(zn_knows_neither_strangers_nor_the_expired, setup, teardown),
        cmocka_unit_test_setup_teardown(oldest_of_many_bootstraps_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(body_and_headers_have_the_forms_of_the_specification, setup, teardown),
        cmocka_unit_test_setup_teardown(usim_ahead_of_the_network_resynchronises_it_and_succeeds, setup, teardown),
        cmocka_unit_test_setup_teardown(usim_behind_the_window_resynchronises_the_network_too, setup, teardown),
        cmocka_unit_test_setup_teardown(forged_auts_does_not_move_the_network, setup, teardown),
        cmocka_unit_test_setup_teardown(network_with_the_wrong_key_is_refused_by_the_ue, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_subscriber_gets_404, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_that_are_none_get_their_status, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_response_gets_a_new_challenge_and_no_second_try, setup, teardown),
        cmocka_unit_test_setup_teardown(right_response_is_taken_once_and_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(bsf_that_cannot_prove_itself_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bootstrapping_info_is_read_in_every_form_of_the_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(bootstrapping_info_that_is_none_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(challenges_of_another_kind_are_refused_by_the_ue, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_challenges_are_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(success_before_any_challenge_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(subscribers_are_added_once_and_checked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
