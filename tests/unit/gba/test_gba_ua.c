/* Ua: the NAF's challenges and the UE's answers, honest ones and all the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/gba/world.h"

#define URI "/keymanagement?requesttype=msk-request"

typedef struct ue {
    gba_bootstrap boot;
    gba_mbms_keys keys;
    gba_ua_client client;
} ue;

typedef struct stage {
    world w;
    ue alice;
    char challenge[GBA_HEADER_MAX], authorization[GBA_HEADER_MAX];
} stage;

static stage st;

static void ue_up(ue *u, const char *impi, gba_usim *usim)
{
    assert_int_equal(world_bootstrap(&st.w, impi, usim, &u->boot), POC_OK);
    assert_int_equal(world_ue_keys(impi, &u->boot, &u->keys), POC_OK);
    u->client = (gba_ua_client){ .btid = u->boot.btid, .mrk = u->keys.mrk };
}

static void ue_down(ue *u)
{
    gba_bootstrap_done(&u->boot);
    gba_mbms_keys_done(&u->keys);
}

static int setup(void **state)
{
    (void)state;
    memset(&st, 0, sizeof(st));
    assert_int_equal(world_new(&st.w), POC_OK);
    ue_up(&st.alice, WORLD_IMPI, &st.w.usim);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ue_down(&st.alice);
    world_done(&st.w);
    return poc_secret_live_count() == 0 ? 0 : -1; /* nothing was left behind */
}

static void challenge(bool stale)
{
    poc_wr wr = poc_wr_into(st.challenge, sizeof(st.challenge));
    assert_int_equal(gba_naf_challenge(st.w.naf, st.w.now_s, stale, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static void authorize(ue *u, const char *method, const char *uri, const char *body)
{
    poc_wr wr = poc_wr_into(st.authorization, sizeof(st.authorization));
    assert_int_equal(gba_ua_authorize(&u->client, poc_span_str(st.challenge), poc_span_str(WORLD_NAF),
                                      poc_span_str(method), poc_span_str(uri), poc_span_str(body), &st.w.rng, &wr),
                     POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static gba_request request_of(const char *method, const char *uri, const char *body)
{
    return (gba_request){ poc_span_str(method), poc_span_str(uri), poc_span_str(body), poc_span_str(st.authorization) };
}

static gba_naf_verdict check_as(const char *method, const char *uri, const char *body, const char **why)
{
    const gba_request request = request_of(method, uri, body);
    gba_naf_user user;
    gba_naf_verdict verdict = gba_naf_check(st.w.naf, st.w.now_s, &request, &user, why);
    assert_true((verdict == GBA_NAF_OK) == (user.muk != NULL));
    assert_non_null(*why);
    return verdict;
}

static void expect(gba_naf_verdict verdict, const char *why)
{
    const char *said;
    assert_int_equal(check_as("POST", URI, "body", &said), verdict);
    assert_string_equal(said, why);
}

static void ask(void)
{
    challenge(false);
    authorize(&st.alice, "POST", URI, "body");
}

/* Alice known to the NAF, her next request in st.authorization. */
static void known(void)
{
    assert_int_equal(world_learn(&st.w, poc_span_str(st.alice.boot.btid)), POC_OK);
    ask();
}

/* POC-2, POC-5: the UE bootstraps against the BSF, the PF asks Zn, and both hold the same MUK */
static void ue_and_pf_derive_the_same_muk_through_ub_ua_and_zn(void **state)
{
    (void)state;
    gba_naf_user user;
    const char *why;
    expect(GBA_NAF_CHALLENGE, "no credentials");
    ask();
    const gba_request request = request_of("POST", URI, "body");
    assert_int_equal(gba_naf_check(st.w.naf, st.w.now_s, &request, &user, &why), GBA_NAF_ASK_ZN);
    poc_span btid = gba_naf_btid(&request);
    assert_true(poc_span_eq_str(btid, st.alice.boot.btid));
    assert_int_equal(world_learn(&st.w, btid), POC_OK);
    assert_int_equal(gba_naf_check(st.w.naf, st.w.now_s, &request, &user, &why), GBA_NAF_OK);
    assert_true(poc_secret_eq(user.muk, st.alice.keys.muk));
    assert_true(poc_secret_eq(user.mrk, st.alice.keys.mrk));
    assert_string_equal(user.impi, WORLD_IMPI);
    assert_true(gba_naf_covers(&user, poc_span_str(WORLD_ALICE), true));
    assert_false(gba_naf_covers(&user, poc_span_str("sip:bob@example.org"), false));

    char info[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(info, sizeof(info));
    assert_int_equal(gba_naf_authentication_info(st.w.naf, &request, poc_span_str("answer"), &wr), POC_OK);
    poc_span sent = poc_span_of(info, wr.len);
    assert_int_equal(gba_ua_check_answer(&st.alice.client, request.authorization, sent, poc_span_str("answer")),
                     POC_OK);
    assert_int_equal(gba_ua_check_answer(&st.alice.client, request.authorization, sent, poc_span_str("forged")),
                     POC_E_AUTH);
    assert_int_equal(
        gba_ua_check_answer(&st.alice.client, request.authorization, poc_span_of(NULL, 0), poc_span_str("answer")),
        POC_E_AUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ue_and_pf_derive_the_same_muk_through_ub_ua_and_zn, setup, teardown),
    };
    (void)known;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
