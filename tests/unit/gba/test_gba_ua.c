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

static void right_answer_is_taken_and_flipped_bits_are_not(void **state)
{
    (void)state;
    known();
    char *digits = strstr(st.authorization, "response=\"") + 10;
    for (size_t i = 0; i < 32; i++) {
        digits[i] ^= 1;
        expect(GBA_NAF_WRONG, "digest does not hold");
        digits[i] ^= 1;
    }
    expect(GBA_NAF_OK, "");
}

static void answer_for_another_method_uri_or_body_is_refused(void **state)
{
    (void)state;
    const char *why;
    known();
    assert_int_equal(check_as("GET", URI, "body", &why), GBA_NAF_WRONG);
    assert_string_equal(why, "digest does not hold");
    assert_int_equal(check_as("POST", URI, "bodY", &why), GBA_NAF_WRONG);
    assert_string_equal(why, "digest does not hold");
    assert_int_equal(check_as("POST", "/keymanagement?requesttype=register", "body", &why), GBA_NAF_WRONG);
    assert_string_equal(why, "digest uri is not the request uri");
    expect(GBA_NAF_OK, "");
}

static void a_service_that_protects_bodies_offers_auth_int_alone(void **state)
{
    (void)state;
    poc_wr wr = poc_wr_into(st.challenge, sizeof(st.challenge));
    assert_int_equal(gba_naf_challenge_auth_int(st.w.naf, st.w.now_s, true, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_non_null(strstr(st.challenge, ", qop=\"auth-int\", "));
    assert_non_null(strstr(st.challenge, "stale=true"));
    challenge(false);
    assert_non_null(strstr(st.challenge, ", qop=\"auth-int,auth\", "));
}

static void requests_of_a_user_are_counted_by_the_second(void **state)
{
    (void)state;
    poc_span btid = poc_span_str(st.alice.boot.btid);
    known();
    for (int second = 0; second < 2; second++) {
        assert_true(gba_naf_within_rate(st.w.naf, st.w.now_s + second, btid, 2));
        assert_true(gba_naf_within_rate(st.w.naf, st.w.now_s + second, btid, 2));
        assert_false(gba_naf_within_rate(st.w.naf, st.w.now_s + second, btid, 2));
    }
    assert_true(gba_naf_within_rate(st.w.naf, st.w.now_s + 1, btid, 0));
    assert_true(gba_naf_within_rate(st.w.naf, st.w.now_s + 1, poc_span_str("stranger@bsf"), 2));
}

/* MBMS-11 */
static void renewal_is_asked_for_once_in_a_chain_of_short_lives(void **state)
{
    (void)state;
    ue again = { 0 };
    poc_span btid = poc_span_str(st.alice.boot.btid);
    known();
    assert_false(gba_naf_renewal_due(st.w.naf, st.w.now_s, btid, WORLD_KEY_LIFETIME_S));
    assert_true(gba_naf_renewal_due(st.w.naf, st.w.now_s, btid, WORLD_KEY_LIFETIME_S + 1));
    assert_true(
        gba_naf_renewal_due(st.w.naf, st.w.now_s, btid, WORLD_KEY_LIFETIME_S + 1)); /* it is still the old one */
    ue_up(&again, WORLD_IMPI, &st.w.usim);
    assert_int_equal(world_learn(&st.w, poc_span_str(again.boot.btid)), POC_OK);
    assert_false(gba_naf_renewal_due(st.w.naf, st.w.now_s, poc_span_str(again.boot.btid), WORLD_KEY_LIFETIME_S + 1));
    ue_down(&again);
}

static void nonce_count_must_grow(void **state)
{
    (void)state;
    char first[GBA_HEADER_MAX], second[GBA_HEADER_MAX];
    known();
    strcpy(first, st.authorization);
    authorize(&st.alice, "POST", URI, "body");
    strcpy(second, st.authorization);
    assert_non_null(strstr(second, "nc=00000002"));
    expect(GBA_NAF_OK, "");
    expect(GBA_NAF_WRONG, "nonce count replayed");
    strcpy(st.authorization, first);
    expect(GBA_NAF_WRONG, "nonce count replayed");
    authorize(&st.alice, "POST", URI, "body");
    expect(GBA_NAF_OK, "");
}

static void refused_answers_do_not_move_the_nonce_count(void **state)
{
    (void)state;
    char good[GBA_HEADER_MAX];
    known();
    strcpy(good, st.authorization);
    memcpy(strstr(st.authorization, "nc=") + 3, "ffffffff", 8);
    expect(GBA_NAF_WRONG, "digest does not hold");
    strcpy(st.authorization, good);
    expect(GBA_NAF_OK, "");
}

/* Replaces `from` in the prepared request. */
static void edit(const char *from, const char *to)
{
    char *at = strstr(st.authorization, from);
    char rest[GBA_HEADER_MAX];
    assert_non_null(at);
    strcpy(rest, at + strlen(from));
    strcpy(at, to);
    strcat(at, rest);
}

static void unusable_credentials_each_have_their_reason(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *why;
        gba_naf_verdict verdict;
    } cases[] = {
        { "@" WORLD_NAF, "@pf2.poc.example.org", "foreign realm", GBA_NAF_WRONG },
        { "bootstrapping@", "bootstrapping-uicc@", "foreign realm", GBA_NAF_WRONG },
        { "algorithm=MD5", "algorithm=MD5-sess", "algorithm is not MD5", GBA_NAF_WRONG },
        { "algorithm=MD5", "algorithm=AKAv1-MD5", "algorithm is not MD5", GBA_NAF_WRONG },
        { "qop=auth-int", "qop=auth-conf", "qop is neither auth-int nor auth", GBA_NAF_WRONG },
        { ", qop=auth-int", "", "qop is neither auth-int nor auth", GBA_NAF_WRONG },
        { "nc=00000001", "nc=1", "nonce count is not eight hex digits", GBA_NAF_WRONG },
        { "nc=00000001", "nc=00000000", "nonce count is zero", GBA_NAF_WRONG },
        { "cnonce=", "conce=", "no usable cnonce", GBA_NAF_WRONG },
        { "qop=auth-int", "qop=auth", "digest does not hold", GBA_NAF_WRONG },
        { "username=", "user=", "not an answer to a challenge", GBA_NAF_CHALLENGE },
        { "response=", "respons=", "not an answer to a challenge", GBA_NAF_CHALLENGE },
        { "nonce=\"", "nonce=\"\", x=\"", "not an answer to a challenge", GBA_NAF_CHALLENGE },
        { "qop=auth-int", "qop=auth-int, qop=auth-int", "malformed Authorization", GBA_NAF_CHALLENGE },
        { "cnonce=\"", "cnonce=\"\"\"", "malformed Authorization", GBA_NAF_CHALLENGE },
        { "Digest ", "Basic ", "malformed Authorization", GBA_NAF_CHALLENGE },
    };
    known();
    char good[GBA_HEADER_MAX];
    strcpy(good, st.authorization);
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        strcpy(st.authorization, good);
        edit(cases[i].from, cases[i].to);
        expect(cases[i].verdict, cases[i].why);
    }
    strcpy(st.authorization, good);
    expect(GBA_NAF_OK, "");
}

static void overlong_header_is_malformed(void **state)
{
    (void)state;
    static char flood[5000];
    gba_naf_user user;
    const char *why;
    known();
    memset(flood, ' ', sizeof(flood));
    memcpy(flood, st.authorization, strlen(st.authorization));
    const gba_request request = { poc_span_str("POST"), poc_span_str(URI), poc_span_str("body"),
                                  poc_span_of(flood, sizeof(flood)) };
    assert_int_equal(gba_naf_check(st.w.naf, st.w.now_s, &request, &user, &why), GBA_NAF_CHALLENGE);
    assert_string_equal(why, "malformed Authorization");
    assert_int_equal(gba_naf_btid(&request).n, 0);
}

static void old_nonce_is_stale_and_not_wrong(void **state)
{
    (void)state;
    known();
    st.w.now_s += WORLD_NONCE_LIFETIME_S;
    expect(GBA_NAF_OK, "");
    st.w.now_s += 1;
    authorize(&st.alice, "POST", URI, "body");
    expect(GBA_NAF_STALE, "nonce is too old");
    challenge(true);
    assert_non_null(strstr(st.challenge, "stale=true"));
    authorize(&st.alice, "POST", URI, "body");
    expect(GBA_NAF_OK, "");
}

/* After a restart of the PF the client's nonce is not ours any more: it is told to try again, not to bootstrap again.
 * Nobody gets in with it, and strangers cannot make the PF ask Zn with it. */
static void nonce_of_another_maker_opens_nothing(void **state)
{
    (void)state;
    ask();
    char *nonce = strstr(st.challenge, "nonce=\"") + 7;
    nonce[20] = nonce[20] == 'A' ? 'B' : 'A';
    authorize(&st.alice, "POST", URI, "body");
    expect(GBA_NAF_STALE, "nonce is not ours");
    assert_int_equal(world_learn(&st.w, poc_span_str(st.alice.boot.btid)), POC_OK);
    expect(GBA_NAF_STALE, "nonce is not ours");
    memcpy(strstr(st.authorization, "response=\"") + 10, "00000000", 8);
    expect(GBA_NAF_WRONG, "digest does not hold");
}

static void many_nonces_of_one_user_stay_bounded_and_safe_from_replay(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    char sent[ROUNDS][GBA_HEADER_MAX];
    known();
    for (size_t i = 0; i < ROUNDS; i++) {
        st.w.now_s++;
        challenge(false);
        authorize(&st.alice, "POST", URI, "body");
        strcpy(sent[i], st.authorization);
        expect(GBA_NAF_OK, "");
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        const char *why;
        strcpy(st.authorization, sent[i]);
        assert_int_not_equal(check_as("POST", URI, "body", &why), GBA_NAF_OK);
    }
}

/* POC-5: an expired B-TID is not taken, neither from the book nor into it */
static void expired_bootstrap_must_be_renewed(void **state)
{
    (void)state;
    gba_naf_user user;
    known();
    expect(GBA_NAF_OK, "");
    st.w.now_s += WORLD_KEY_LIFETIME_S;
    ask();
    expect(GBA_NAF_CHALLENGE, "bootstrapping has expired");
    assert_false(gba_naf_by_identity(st.w.naf, st.w.now_s, poc_span_str(WORLD_ALICE), &user));
    gba_naf_sweep(st.w.naf, st.w.now_s);
    expect(GBA_NAF_ASK_ZN, "B-TID is not known here");
    assert_int_equal(world_learn(&st.w, poc_span_str(st.alice.boot.btid)), POC_E_AUTH);

    gba_zn_answer late = { .expires_s = st.w.now_s, .me_key = poc_secret_ref(st.alice.boot.ks) };
    assert_int_equal(gba_naf_learn(st.w.naf, st.w.now_s, poc_span_str("x@y"), &late), POC_E_AUTH);
    gba_zn_answer_done(&late);
}

/* Spec 4.1: the newest bootstrap of an identity counts, the one before it goes on until it is replaced */
static void newest_bootstrap_of_an_identity_wins(void **state)
{
    (void)state;
    gba_naf_user user;
    ue second, third;
    const poc_span alice = poc_span_str(WORLD_ALICE);
    known();
    expect(GBA_NAF_OK, "");
    char old_request[GBA_HEADER_MAX];
    strcpy(old_request, st.authorization);
    ue_up(&second, WORLD_IMPI, &st.w.usim);
    assert_int_equal(world_learn(&st.w, poc_span_str(second.boot.btid)), POC_OK);
    assert_true(gba_naf_by_identity(st.w.naf, st.w.now_s, alice, &user));
    assert_true(poc_secret_eq(user.muk, second.keys.muk));
    authorize(&st.alice, "POST", URI, "body");
    expect(GBA_NAF_OK, "");

    ue_up(&third, WORLD_IMPI, &st.w.usim);
    challenge(false);
    authorize(&third, "POST", URI, "body");
    assert_int_equal(world_learn(&st.w, poc_span_str(third.boot.btid)), POC_OK);
    expect(GBA_NAF_OK, "");
    assert_true(gba_naf_by_identity(st.w.naf, st.w.now_s, alice, &user));
    assert_true(poc_secret_eq(user.muk, third.keys.muk));
    ask();
    expect(GBA_NAF_ASK_ZN, "B-TID is not known here"); /* two are kept: the first one is gone */

    /* Its nonce counts went with it: what was sent then is not taken again even when Zn still knows the B-TID. */
    assert_int_equal(world_learn(&st.w, poc_span_str(st.alice.boot.btid)), POC_OK);
    strcpy(st.authorization, old_request);
    expect(GBA_NAF_STALE, "nonce no longer counted");
    ue_down(&second);
    ue_down(&third);
}

static void learning_twice_keeps_the_nonce_counts(void **state)
{
    (void)state;
    known();
    expect(GBA_NAF_OK, "");
    assert_int_equal(world_learn(&st.w, poc_span_str(st.alice.boot.btid)), POC_OK);
    expect(GBA_NAF_WRONG, "nonce count replayed");
}

static poc_err learn_stranger(unsigned number, int64_t expires_s)
{
    gba_zn_answer a = { .expires_s = expires_s, .me_key = poc_secret_ref(st.alice.boot.ks), .impu_count = 1 };
    char btid[32];
    snprintf(btid, sizeof(btid), "stranger%u@bsf", number);
    snprintf(a.impi, sizeof(a.impi), "stranger%u@example.org", number);
    snprintf(a.impus[0], sizeof(a.impus[0]), "sip:stranger%u@example.org", number);
    poc_err err = gba_naf_learn(st.w.naf, st.w.now_s, poc_span_str(btid), &a);
    gba_zn_answer_done(&a);
    return err;
}

static void living_user_is_never_forgotten_for_a_stranger(void **state)
{
    (void)state;
    gba_naf_user user;
    known();
    assert_int_equal(learn_stranger(1, st.w.now_s + 10), POC_OK);
    assert_int_equal(learn_stranger(2, st.w.now_s + 10), POC_OK);
    assert_int_equal(learn_stranger(3, st.w.now_s + 10), POC_E_LIMIT);
    expect(GBA_NAF_OK, "");
    st.w.now_s += 10;
    assert_int_equal(learn_stranger(3, st.w.now_s + 10), POC_OK); /* the expired ones made room */
    assert_false(gba_naf_by_identity(st.w.naf, st.w.now_s, poc_span_str("sip:stranger1@example.org"), &user));
    assert_true(gba_naf_by_identity(st.w.naf, st.w.now_s, poc_span_str("sip:stranger3@example.org"), &user));
    assert_true(gba_naf_by_identity(st.w.naf, st.w.now_s, poc_span_str(WORLD_ALICE), &user));
}

static void full_book_still_lets_its_own_users_bootstrap_again(void **state)
{
    (void)state;
    gba_naf_user user;
    ue second;
    known();
    assert_int_equal(learn_stranger(1, st.w.now_s + 10), POC_OK);
    assert_int_equal(learn_stranger(2, st.w.now_s + 10), POC_OK);
    ue_up(&second, WORLD_IMPI, &st.w.usim);
    assert_int_equal(world_learn(&st.w, poc_span_str(second.boot.btid)), POC_OK);
    assert_true(gba_naf_by_identity(st.w.naf, st.w.now_s, poc_span_str(WORLD_ALICE), &user));
    assert_true(poc_secret_eq(user.muk, second.keys.muk));
    ue_down(&second);
}

static void answers_of_zn_that_are_none_are_not_learned(void **state)
{
    (void)state;
    gba_zn_answer no_key = { .expires_s = st.w.now_s + 10 };
    gba_zn_answer good = { .expires_s = st.w.now_s + 10, .me_key = poc_secret_ref(st.alice.boot.ks) };
    assert_int_equal(gba_naf_learn(st.w.naf, st.w.now_s, poc_span_str("x@y"), &no_key), POC_E_INPUT);
    assert_int_equal(gba_naf_learn(st.w.naf, st.w.now_s, poc_span_str(""), &good), POC_E_INPUT);
    assert_int_equal(gba_naf_learn(st.w.naf, st.w.now_s, poc_span_str("x\"y"), &good), POC_E_INPUT);
    gba_zn_answer_done(&good);
}

static void silence_about_identities_covers_only_when_not_strict(void **state)
{
    (void)state;
    const gba_naf_user silent = { .impu_count = 0 };
    assert_true(gba_naf_covers(&silent, poc_span_str(WORLD_ALICE), false));
    assert_false(gba_naf_covers(&silent, poc_span_str(WORLD_ALICE), true));
}

static void qop_auth_is_taken_when_auth_int_is_not_offered(void **state)
{
    (void)state;
    known();
    char *offer = strstr(st.challenge, "auth-int,auth");
    assert_non_null(offer); /* auth-int comes first */
    memcpy(offer, "auth         ", 13);
    authorize(&st.alice, "POST", URI, "body");
    assert_non_null(strstr(st.authorization, "qop=auth,"));
    expect(GBA_NAF_OK, "");
}

/* TS 33.246 6.1, GBA_U: MUK is Ks_int_NAF and MRK is Ks_ext_NAF, when the NAF asks for it in its realm */
static void keys_of_the_uicc_are_used_only_when_configured(void **state)
{
    (void)state;
    gba_naf_settings settings = { .fqdn = poc_span_str(WORLD_NAF), .nonce_lifetime_s = 60, .users_max = 1 };
    for (int uicc = 0; uicc < 2; uicc++) {
        gba_naf *n;
        gba_naf_user user;
        gba_zn_answer a = { .expires_s = 10, .me_key = poc_secret_ref(st.alice.keys.muk), .impu_count = 1 };
        strcpy(a.impus[0], WORLD_ALICE);
        a.uicc_key = poc_secret_ref(st.alice.boot.ks);
        settings.uicc_keys = uicc == 1;
        assert_int_equal(gba_naf_new(&n, &settings, &st.w.rng), POC_OK);
        assert_int_equal(gba_naf_learn(n, 1, poc_span_str("x@y"), &a), POC_OK);
        assert_true(gba_naf_by_identity(n, 1, poc_span_str(WORLD_ALICE), &user));
        assert_true(poc_secret_eq(user.muk, uicc == 1 ? a.uicc_key : a.me_key));
        assert_true(poc_secret_eq(user.mrk, uicc == 1 ? a.me_key : st.alice.keys.mrk));
        poc_wr wr = poc_wr_into(st.challenge, sizeof(st.challenge));
        assert_int_equal(gba_naf_challenge(n, 1, false, &wr), POC_OK);
        assert_int_equal(poc_wr_text(&wr), POC_OK);
        assert_true((strstr(st.challenge, "\"3GPP-bootstrapping-uicc@" WORLD_NAF "\"") != NULL) == (uicc == 1));
        gba_zn_answer_done(&a);
        gba_naf_free(n);
    }
}

/* TS 24.109 5.2: the UE answers only the host it contacted */
static void ue_answers_no_challenge_of_another_kind(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "Basic realm=\"x\"",
        "Digest realm=\"3GPP-bootstrapping@evil.example.org\", nonce=\"n\", qop=\"auth-int\"",
        "Digest realm=\"" WORLD_NAF "\", nonce=\"n\", qop=\"auth-int\"",
        "Digest realm=\"3GPP-bootstrapping@" WORLD_NAF "\", nonce=\"\", qop=\"auth-int\"",
        "Digest realm=\"3GPP-bootstrapping@" WORLD_NAF "\", nonce=\"n\"",
        "Digest realm=\"3GPP-bootstrapping@" WORLD_NAF "\", nonce=\"n\", qop=\"auth-conf\"",
        "Digest realm=\"3GPP-bootstrapping@" WORLD_NAF "\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
    };
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        poc_wr wr = poc_wr_into(st.authorization, sizeof(st.authorization));
        assert_int_equal(gba_ua_authorize(&st.alice.client, poc_span_str(bad[i]), poc_span_str(WORLD_NAF),
                                          poc_span_str("GET"), poc_span_str("/"), poc_span_of(NULL, 0), &st.w.rng, &wr),
                         POC_E_INPUT);
        assert_int_equal(st.alice.client.nc, 0);
    }
}

#define UA_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UA_TEST(ue_and_pf_derive_the_same_muk_through_ub_ua_and_zn),
        UA_TEST(right_answer_is_taken_and_flipped_bits_are_not),
        UA_TEST(answer_for_another_method_uri_or_body_is_refused),
        UA_TEST(a_service_that_protects_bodies_offers_auth_int_alone),
        UA_TEST(requests_of_a_user_are_counted_by_the_second),
        UA_TEST(renewal_is_asked_for_once_in_a_chain_of_short_lives),
        UA_TEST(nonce_count_must_grow),
        UA_TEST(refused_answers_do_not_move_the_nonce_count),
        UA_TEST(unusable_credentials_each_have_their_reason),
        UA_TEST(overlong_header_is_malformed),
        UA_TEST(old_nonce_is_stale_and_not_wrong),
        UA_TEST(nonce_of_another_maker_opens_nothing),
        UA_TEST(many_nonces_of_one_user_stay_bounded_and_safe_from_replay),
        UA_TEST(expired_bootstrap_must_be_renewed),
        UA_TEST(newest_bootstrap_of_an_identity_wins),
        UA_TEST(learning_twice_keeps_the_nonce_counts),
        UA_TEST(living_user_is_never_forgotten_for_a_stranger),
        UA_TEST(full_book_still_lets_its_own_users_bootstrap_again),
        UA_TEST(answers_of_zn_that_are_none_are_not_learned),
        UA_TEST(silence_about_identities_covers_only_when_not_strict),
        UA_TEST(qop_auth_is_taken_when_auth_int_is_not_offered),
        UA_TEST(keys_of_the_uicc_are_used_only_when_configured),
        UA_TEST(ue_answers_no_challenge_of_another_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
