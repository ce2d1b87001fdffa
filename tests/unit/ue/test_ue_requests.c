/* A client that lacks an MSK: when it asks for it, how it proves who it is, and what it makes of the answer (CR "push and pull key
 * management" to TS 33.246, 6.3.1, 6.3.2.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "user.h"

/* ---- missed key updates ---- */

static int64_t back_off_of_seed(uint64_t seed)
{
    (void)user_begin(NULL);
    user_register_with(fire);
    user_push_msk();
    w.chance.state = seed;
    user_miss_update(2);
    int64_t waited_ms = user_pass_to_deadline();
    c.served = 0;
    user_carry();
    assert_int_equal(c.served, 1);
    assert_non_null(strstr(c.body, "<MSKID>EAEAAg==</MSKID>"));
    (void)user_end(NULL);
    return waited_ms;
}

/* MBMS-1, MBMS-14: whoever missed the same update does not ask at the same moment. */
static void test_an_unknown_msk_on_air_is_requested_after_the_wait_time_and_a_random_part_of_the_back_off(void **state)
{
    (void)state;
    int64_t least_ms = INT64_MAX, most_ms = 0;
    (void)user_end(NULL);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        int64_t waited_ms = back_off_of_seed(seed * UINT64_C(0x9E3779B97F4A7C15));
        least_ms = waited_ms < least_ms ? waited_ms : least_ms;
        most_ms = waited_ms > most_ms ? waited_ms : most_ms;
    }
    (void)user_begin(NULL);
    assert_true(least_ms >= WAIT_S * 1000);
    assert_true(most_ms <= (WAIT_S + BACK_OFF_S) * 1000);
    assert_true(most_ms - least_ms > BACK_OFF_S * 1000 / 2);
}

/* MBMS-12: then as in the procedure that the UE began itself. */
static void test_the_requested_msk_is_pushed_and_the_service_goes_on(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    user_push_msk();
    user_miss_update(2);
    user_pass_to_deadline();
    user_carry();
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 2));
    user_push_msk();
    assert_true(pair_event(&w, POCUE_KEY, &e));
    bcast_protector_announce(w.protector, w.now_ms + 1000);
    pair_talk(&w, 1);
    pair_deliver(&w);
    assert_true(pair_event(&w, POCUE_PLAY, &e));
    assert_true(pocue_deadline_ms(w.ue) == INT64_MAX);
}

static void test_an_msk_that_arrives_during_the_back_off_is_not_requested(void **state)
{
    (void)state;
    user_register_with(fire);
    user_push_msk();
    user_miss_update(2);
    user_push_msk();
    c.posts = 0;
    user_pass_s(WAIT_S + BACK_OFF_S);
    user_carry();
    assert_int_equal(c.posts, 0);
}

/* MBMS-2 */
static void test_without_a_valid_older_msk_a_refused_client_leaves_the_service(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire); /* and the push of the first MSK is lost */
    c.item_status = 403;
    user_live_s(60);
    assert_true(pair_event(&w, POCUE_DENIED, &e));
    assert_int_equal(e.status, 403);
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 0));
    user_assert_next(POCUE_SERVICE_LEFT, &e);
    assert_string_equal(e.service_id, fire);
    user_assert_next(POCUE_LEAVE_GROUP, &e);
    assert_false(pocue_is_registered(w.ue, fire));
}

/* MBMS-2 */
static void test_with_a_valid_older_msk_a_refused_client_stays_and_does_not_ask_again_soon(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    user_push_msk();
    user_miss_update(2);
    c.item_status = 404;
    user_pass_to_deadline();
    user_carry();
    assert_true(pair_event(&w, POCUE_DENIED, &e));
    assert_false(pocue_poll(w.ue, &e));
    assert_true(pocue_is_registered(w.ue, fire));
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
    c.posts = 0;
    pair_talk(&w, 1);
    pair_deliver(&w);
    user_pass_s(WAIT_S + BACK_OFF_S);
    user_carry();
    assert_int_equal(c.posts, 0);
}

/* ---- solicited pull ---- */

/* MBMS-10 */
static void test_key_number_0_is_followed_by_a_request_for_the_current_msk_at_once(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    user_push_msk();
    pair_events_clear(&w);
    w.params.msk_id = poc_msk_id_of(PAIR_GROUP, 0);
    user_push_msk();
    user_carry();
    assert_string_equal(c.target, "/keymanagement?requesttype=msk-request");
    assert_non_null(strstr(c.body, "<MSKID>EAEAAA==</MSKID>"));
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
}

/* MBMS-10: "The whole MSK ID may be 0" (digest 4.6). Both services are asked for in one request. */
static void test_msk_id_0_solicits_a_request_for_every_service_in_one_post(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    user_register_with(medics);
    user_push_msk();
    pair_events_clear(&w);
    c.served = 0;
    w.params.msk_id = 0;
    user_push_msk();
    user_carry();
    assert_int_equal(c.served, 1);
    assert_non_null(strstr(c.body, "<MSKID>EAEAAA==</MSKID>"));
    assert_non_null(strstr(c.body, "<MSKID>EAIAAA==</MSKID>"));
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
}

/* ---- bootstrapping again ---- */

/* MBMS-11 */
static void test_refused_credentials_lead_to_a_new_bootstrapping_and_the_request_is_repeated(void **state)
{
    (void)state;
    pocue_event e;
    char first_btid[POC_BTID_MAX + 1];
    user_register_with(fire);
    snprintf(first_btid, sizeof(first_btid), "%s", c.btid);
    user_push_msk();
    pair_events_clear(&w);
    c.wants_new_bootstrap = true;
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
    user_carry();
    user_assert_next(POCUE_BOOTSTRAP_NEEDED, &e);
    assert_false(pocue_poll(w.ue, &e)); /* told once */
    assert_int_equal(user_carry(), 0);
    pair_bootstrap(&w);
    user_carry();
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_string_not_equal(c.btid, first_btid);
    pair_new_msk(&w, 2);
    user_push_msk(); /* under the new MUK */
    assert_true(pair_event(&w, POCUE_KEY, &e));
}

/* MBMS-11 */
static void test_credentials_refused_once_more_after_bootstrapping_are_a_denial(void **state)
{
    (void)state;
    pocue_event e;
    c.wants_new_bootstrap = true;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    user_carry();
    assert_true(pair_event(&w, POCUE_BOOTSTRAP_NEEDED, &e));
    pair_bootstrap(&w);
    c.wants_new_bootstrap = true;
    user_carry();
    user_assert_next(POCUE_DENIED, &e);
    assert_int_equal(e.status, 401);
    assert_int_equal(e.msk_id, 0);
    assert_true(pocue_deadline_ms(w.ue) == INT64_MAX);
}

static void test_an_expired_bootstrapping_is_renewed_before_anything_is_sent(void **state)
{
    (void)state;
    pocue_event e;
    user_pass_s(86401);
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    assert_int_equal(user_carry(), 0);
    user_assert_next(POCUE_BOOTSTRAP_NEEDED, &e);
    pair_bootstrap(&w);
    user_carry();
    assert_true(pair_event(&w, POCUE_REGISTERED, &e));
}

static void test_an_owner_who_does_not_bootstrap_is_told_again_and_at_last_that_it_failed(void **state)
{
    (void)state;
    pocue_event e;
    unsigned told = 0;
    user_pass_s(86401);
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    user_carry();
    user_live_s(600);
    assert_int_equal(c.posts, 0);
    while (pocue_poll(w.ue, &e) && e.type == POCUE_BOOTSTRAP_NEEDED)
        told++;
    assert_int_equal(told, 5);
    assert_int_equal(e.type, POCUE_DENIED);
    assert_int_equal(e.status, 0);
}

/* An old nonce is no refusal: RFC 2617, 3.2.1. */
static void test_a_stale_nonce_is_answered_with_the_new_one_and_not_with_bootstrapping(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    user_pass_s(61);
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
    assert_int_equal(user_carry(), 2);
    user_assert_next(POCUE_JOIN_GROUP, &e);
    user_assert_next(POCUE_GRANTED, &e);
}

static void test_the_nonce_of_an_earlier_challenge_saves_a_round_trip(void **state)
{
    (void)state;
    user_register_with(fire);
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
    assert_int_equal(user_carry(), 1);
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
    assert_int_equal(user_carry(), 1);
}

/* ---- what goes wrong ---- */

static void test_a_service_that_is_down_is_tried_five_times_with_pauses_that_grow(void **state)
{
    (void)state;
    pocue_event e;
    c.whole_status = 503;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    user_carry();
    for (int i = 0; i < 4; i++) {
        const int64_t least_ms = 1000 << i > WAIT_S * 1000 ? 1000 << i : WAIT_S * 1000;
        assert_false(pocue_poll(w.ue, &e));
        int64_t waited_ms = user_pass_to_deadline();
        assert_in_range(waited_ms, least_ms, least_ms + BACK_OFF_S * 1000);
        user_carry();
    }
    assert_int_equal(c.posts, 5);
    user_assert_next(POCUE_DENIED, &e);
    assert_int_equal(e.status, 503);
    assert_false(pocue_is_registered(w.ue, fire));
}

static void test_a_service_that_says_when_to_come_again_is_not_asked_sooner(void **state)
{
    (void)state;
    static pocue_http q;
    const poc_span none = poc_span_of(NULL, 0);
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    assert_true(pocue_http_next(w.ue, w.now_ms, &q));
    pocue_http_retry_after(w.ue, 120);
    assert_int_equal(pocue_http_answer(w.ue, w.now_ms, 503, none, none, none, none), POC_OK);
    assert_in_range(user_pass_to_deadline(), 120000, 120000 + BACK_OFF_S * 1000);
    assert_true(pocue_http_next(w.ue, w.now_ms, &q));
    assert_int_equal(pocue_http_answer(w.ue, w.now_ms, 503, none, none, none, none), POC_OK);
    assert_in_range(user_pass_to_deadline(), WAIT_S * 1000, (WAIT_S + BACK_OFF_S) * 1000);
}

static void test_a_granted_msk_that_never_comes_is_requested_again(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    user_push_msk();
    user_miss_update(2);
    user_live_s(WAIT_S + BACK_OFF_S);
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    user_live_s(60);
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 2));
    user_push_msk();
    pair_events_clear(&w);
    user_live_s(600);
    assert_false(pocue_poll(w.ue, &e));
}

/* Who sends forged key numbers cannot keep a client from asking for the true one. */
static void test_two_different_msks_wanted_become_a_request_for_the_current_one(void **state)
{
    (void)state;
    user_register_with(fire);
    user_push_msk();
    user_miss_update(200);
    user_miss_update(2);
    user_live_s(WAIT_S + BACK_OFF_S);
    assert_non_null(strstr(c.body, "<MSKID>EAEAAA==</MSKID>"));
}

static poc_err answer_post(int status, const char *type, const char *body)
{
    static pocue_http q;
    static clerk_answer a;
    poc_err err = POC_E_STATE;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    while (pocue_http_next(w.ue, w.now_ms, &q)) {
        clerk_serve(&c, q.target, q.authorization, poc_span_of(q.body, q.body_len), &a);
        bool is_last = a.status == 200;
        if (is_last) { /* another answer, with a proof of its own */
            gba_request r = { .method = poc_span_str("POST"), .authorization = poc_span_str(q.authorization) };
            poc_wr wr = poc_wr_into(a.authentication_info, sizeof(a.authentication_info));
            a.status = status;
            assert_int_equal(gba_naf_authentication_info(c.naf, &r, poc_span_str(body), &wr), POC_OK);
            assert_int_equal(poc_wr_text(&wr), POC_OK);
        }
        err = pocue_http_answer(w.ue, w.now_ms, a.status, poc_span_str(a.www_authenticate),
                                poc_span_str(a.authentication_info), poc_span_str(is_last ? type : ""),
                                poc_span_str(is_last ? body : ""));
    }
    return err;
}

#define ANSWER_TYPE  "application/mbms-register-response+xml"
#define RESPONSE(of) "<Response><serviceID>" of "</serviceID><ResponseCode>200 OK</ResponseCode></Response>"

static void test_answers_that_are_none_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "text/html", "<aResponse>" RESPONSE("sip:fire@home1.example") "</aResponse>" },
        { ANSWER_TYPE, "" },
        { ANSWER_TYPE, "<aResponse>" RESPONSE("sip:fire@home1.example") },
        { ANSWER_TYPE, "<aResponse>" RESPONSE("sip:police@home1.example") "</aResponse>" },
        { ANSWER_TYPE, "<a>" RESPONSE("sip:fire@home1.example") "</a>" },
        { ANSWER_TYPE, "<!DOCTYPE a [<!ENTITY e 'x'>]><aResponse>" RESPONSE("sip:fire@home1.example") "</aResponse>" },
        { ANSWER_TYPE, "<aResponse><b><b><b><b><b><b><b><b/></b></b></b></b></b></b></b>" RESPONSE(
                           "sip:fire@home1.example") "</aResponse>" },
        { ANSWER_TYPE, "<aResponse><Response><serviceID>sip:fire@home1.example</serviceID></Response></aResponse>" },
        { ANSWER_TYPE, "<aResponse><Response><serviceID>sip:fire@home1.example</serviceID><ResponseCode>fine"
                       "</ResponseCode></Response></aResponse>" },
    };
    pocue_event e;
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        assert_int_not_equal(answer_post(200, bad[i][0], bad[i][1]), POC_OK);
        assert_false(pocue_poll(w.ue, &e));
        assert_false(pocue_is_registered(w.ue, fire));
    }
    assert_int_equal(
        answer_post(200, ANSWER_TYPE "; charset=utf-8",
                    "<x:aRESPONSE xmlns:x='urn:y'><hint/>" RESPONSE("sip:fire@home1.example") "</x:aRESPONSE>"),
        POC_OK);
    assert_true(pocue_is_registered(w.ue, fire));
}

#define T(name) cmocka_unit_test_setup_teardown(name, user_begin, user_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_unknown_msk_on_air_is_requested_after_the_wait_time_and_a_random_part_of_the_back_off),
        T(test_the_requested_msk_is_pushed_and_the_service_goes_on),
        T(test_an_msk_that_arrives_during_the_back_off_is_not_requested),
        T(test_without_a_valid_older_msk_a_refused_client_leaves_the_service),
        T(test_with_a_valid_older_msk_a_refused_client_stays_and_does_not_ask_again_soon),
        T(test_key_number_0_is_followed_by_a_request_for_the_current_msk_at_once),
        T(test_msk_id_0_solicits_a_request_for_every_service_in_one_post),
        T(test_refused_credentials_lead_to_a_new_bootstrapping_and_the_request_is_repeated),
        T(test_credentials_refused_once_more_after_bootstrapping_are_a_denial),
        T(test_an_expired_bootstrapping_is_renewed_before_anything_is_sent),
        T(test_an_owner_who_does_not_bootstrap_is_told_again_and_at_last_that_it_failed),
        T(test_a_stale_nonce_is_answered_with_the_new_one_and_not_with_bootstrapping),
        T(test_the_nonce_of_an_earlier_challenge_saves_a_round_trip),
        T(test_a_service_that_is_down_is_tried_five_times_with_pauses_that_grow),
        T(test_a_service_that_says_when_to_come_again_is_not_asked_sooner),
        T(test_a_granted_msk_that_never_comes_is_requested_again),
        T(test_two_different_msks_wanted_become_a_request_for_the_current_one),
        T(test_answers_that_are_none_change_nothing),
    };
    return cmocka_run_group_tests_name("ue requests", tests, NULL, NULL);
}
