/* A client of MBMS user services: it registers and takes pushed keys, beside and without a PoC session (CR "push and pull key
 * management" to TS 33.246, 6.3.2, 6.3.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "user.h"

/* ---- registration and push ---- */

/* MBMS-5, MBMS-8: no PoC session is needed to hear a service. */
static void test_a_registered_client_hears_the_service_with_a_pushed_msk_and_without_any_session(void **state)
{
    (void)state;
    pocue_event e;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    assert_int_equal(user_carry(), 2); /* the challenge, then the answer to it */
    assert_string_equal(c.target, "/keymanagement?requesttype=register");
    user_assert_next(POCUE_REGISTERED, &e);
    assert_string_equal(e.service_id, fire);
    user_assert_next(POCUE_JOIN_GROUP, &e);
    assert_true(poc_addr_eq((struct sockaddr *)&e.channel.group, (struct sockaddr *)&fire_channel.group));
    assert_true(pocue_is_registered(w.ue, fire));
    user_push_msk();
    user_assert_next(POCUE_KEY, &e);
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 1));
    pair_on_air(&w);
    pair_talk(&w, 1);
    pair_deliver(&w);
    assert_true(pair_event(&w, POCUE_PLAY, &e));
    assert_true(e.by_multicast);
}

/* MBMS-7 */
static void test_a_pushed_msk_is_acknowledged_when_that_is_asked_for_and_only_then(void **state)
{
    (void)state;
    uint8_t message[MIKEY_MESSAGE_MAX];
    size_t reply_len;
    user_register_with(fire);
    size_t n = pair_seal(&w, message);
    assert_int_equal(user_give_push(message, n, &reply_len), POC_OK);
    assert_int_equal(reply_len, 0);
    pair_new_msk(&w, 2);
    w.params.wants_verification = true;
    n = pair_seal(&w, message);
    assert_int_equal(user_give_push(message, n, &reply_len), POC_OK);
    assert_true(reply_len > 0);
    pair_events_clear(&w);
    assert_int_equal(user_give_push(message, n, &reply_len), POC_OK);
    assert_true(reply_len > 0);
    pocue_event e;
    assert_false(pocue_poll(w.ue, &e)); /* the repetition installs nothing */
}

static void test_a_push_before_the_registration_or_after_the_deregistration_has_no_place(void **state)
{
    (void)state;
    uint8_t message[MIKEY_MESSAGE_MAX];
    size_t reply_len, n;
    pocue_event e;
    w.params.wants_verification = true;
    n = pair_seal(&w, message);
    assert_int_equal(user_give_push(message, n, &reply_len), POC_E_STATE);
    user_register_with(fire);
    user_push_msk();
    pair_events_clear(&w);
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, false), POC_OK);
    user_assert_next(POCUE_LEAVE_GROUP, &e); /* at once, not when the PF has answered */
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
    user_carry();
    assert_string_equal(c.target, "/keymanagement?requesttype=deregister");
    user_assert_next(POCUE_DEREGISTERED, &e);
    assert_false(pocue_is_registered(w.ue, fire));
    n = pair_seal(&w, message);
    assert_int_equal(user_give_push(message, n, &reply_len), POC_E_STATE);
    assert_int_equal(reply_len, 0);
}

/* MBMS-5 */
static void test_an_answer_whose_rspauth_does_not_hold_is_none(void **state)
{
    (void)state;
    pocue_event e;
    c.lies = true;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    user_carry();
    assert_int_equal(c.served, 1);
    assert_false(pocue_poll(w.ue, &e));
    assert_false(pocue_is_registered(w.ue, fire));
    c.lies = false;
    user_pass_to_deadline();
    assert_true(user_carry() > 0);
    assert_true(pair_event(&w, POCUE_REGISTERED, &e));
}

/* ---- MTKs ---- */

/* MBMS-13 */
static void test_an_mtk_is_taken_from_air_or_push_and_never_acknowledged(void **state)
{
    (void)state;
    pocue_event e;
    size_t reply_len = 1;
    user_register_with(fire);
    user_push_msk();
    pair_on_air(&w);
    pair_datagram stkm = w.air[0];
    assert_int_equal(stkm.flow, BCAST_FLOW_STKM);
    assert_int_equal(user_give_push(stkm.b, stkm.n, &reply_len), POC_OK);
    assert_int_equal(reply_len, 0);
    assert_true(pair_event(&w, POCUE_MTK, &e));
    stkm.b[3] |= 0x80; /* V in the common header */
    assert_int_equal(user_give_push(stkm.b, stkm.n, &reply_len), POC_OK);
    assert_int_equal(reply_len, 0);
}

/* TS 33.246 6.3.2.2.3: also an MTK ID beyond SEQu means that an update was missed. */
static void test_an_mtk_id_beyond_sequ_has_its_msk_requested_which_is_then_not_valid_any_more(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    w.params.seq_high = 1;
    user_push_msk();
    pair_on_air(&w); /* MTK 1; the PF's own interval is wider */
    assert_int_equal(bcast_protector_roll_mtk(w.protector, w.now_ms, true), POC_OK);
    pair_deliver(&w);
    assert_true(pair_event(&w, POCUE_KEY_MISSED, &e));
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 1));
    c.item_status = 404;
    user_live_s(WAIT_S + BACK_OFF_S);
    assert_true(pair_event(&w, POCUE_SERVICE_LEFT, &e));
}

static void test_at_most_two_msks_of_a_group_are_held_and_the_oldest_goes(void **state)
{
    (void)state;
    poc_msk_id ids[3];
    user_register_with(fire);
    user_push_msk();
    for (uint16_t number = 2; number <= 3; number++) {
        pair_new_msk(&w, number);
        user_push_msk();
    }
    assert_int_equal(pocue_msks(w.ue, ids, 3), 2);
    assert_int_equal(ids[0], poc_msk_id_of(PAIR_GROUP, 3));
    assert_int_equal(ids[1], poc_msk_id_of(PAIR_GROUP, 2));
}

/* ---- several services, the session, and moving ---- */

static void test_services_due_together_are_registered_in_one_request_with_a_status_each(void **state)
{
    (void)state;
    pocue_event e;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    assert_int_equal(pocue_register(w.ue, w.now_ms, medics, true), POC_OK);
    user_carry();
    assert_int_equal(c.served, 1);
    assert_true(pair_event(&w, POCUE_REGISTERED, &e));
    assert_true(pair_event(&w, POCUE_REGISTERED, &e));
    assert_string_equal(e.service_id, medics);
}

static void test_a_key_of_one_service_is_not_one_of_another(void **state)
{
    (void)state;
    uint8_t message[MIKEY_MESSAGE_MAX];
    size_t reply_len;
    user_register_with(fire);
    w.params.msk_id = poc_msk_id_of(MEDICS_GROUP, 1);
    size_t n = pair_seal(&w, message);
    assert_int_equal(user_give_push(message, n, &reply_len), POC_E_STATE);
    user_register_with(medics);
    n = pair_seal(&w, message);
    assert_int_equal(user_give_push(message, n, &reply_len), POC_OK);
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
}

static void test_a_client_that_moved_registers_again_where_it_was_registered(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    user_push_msk();
    pair_events_clear(&w);
    pocue_moved(w.ue, w.now_ms);
    user_carry();
    assert_non_null(strstr(c.body, fire));
    assert_null(strstr(c.body, medics));
    user_assert_next(POCUE_REGISTERED, &e);
    assert_false(pocue_poll(w.ue, &e)); /* it has been listening all the time */
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
}

/* The session of digest example B is on the channel that the service announced. */
static void test_session_and_service_of_one_channel_share_keys_and_the_group_is_joined_once(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    user_register_with(fire);
    pair_events_clear(&w);
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    user_assert_next(POCUE_KEY, &e);
    assert_false(pocue_poll(w.ue, &e));
    pair_new_msk(&w, 2);
    user_push_msk();
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 2);
    pair_events_clear(&w);
    pocue_session_over(w.ue, w.now_ms, false);
    assert_false(pocue_poll(w.ue, &e)); /* still a user of the service */
    pair_on_air(&w);
    pair_talk(&w, 1);
    pair_deliver(&w);
    assert_true(pair_event(&w, POCUE_PLAY, &e));
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, false), POC_OK);
    assert_true(pair_event(&w, POCUE_LEAVE_GROUP, &e));
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
}

static const char learnt[] = "sip:learnt@home1.example";

static int begin_with_learnt(void **state)
{
    (void)state;
    user_open(NULL);
    pocue_service s = user_announced(learnt, PAIR_GROUP, NULL);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_OK);
    return 0;
}

static void test_a_service_without_announced_channel_learns_it_from_the_session_and_forgets_it_with_it(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    user_register_with(learnt);
    user_push_msk(); /* before it is known where it will be heard */
    user_assert_next(POCUE_KEY, &e);
    assert_false(pocue_poll(w.ue, &e));
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_true(pair_event(&w, POCUE_JOIN_GROUP, &e));
    user_miss_update(2);
    user_live_s(WAIT_S + BACK_OFF_S);
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    pocue_session_over(w.ue, w.now_ms, false);
    assert_true(pair_event(&w, POCUE_LEAVE_GROUP, &e));
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
}

/* MBMS-2, of a session whose keys come by SDP. */
static void test_whoever_leaves_the_service_of_his_session_is_told_that_it_is_the_session(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    w.params.seq_high = 1;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_on_air(&w);
    assert_int_equal(bcast_protector_roll_mtk(w.protector, w.now_ms, true), POC_OK);
    pair_deliver(&w);
    c.item_status = 403;
    user_live_s(WAIT_S + BACK_OFF_S);
    assert_true(pair_event(&w, POCUE_SERVICE_LEFT, &e));
    assert_true(e.of_session);
    user_assert_next(POCUE_LEAVE_GROUP, &e);
}

static void test_a_service_is_announced_once_and_with_all_it_needs(void **state)
{
    (void)state;
    pocue_service s = user_announced(fire, 7, &fire_channel);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_STATE);
    s = user_announced("urn:other", PAIR_GROUP, &fire_channel);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_STATE);
    s = user_announced("", 7, &fire_channel);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_INPUT);
    s = user_announced("urn:a b", 7, &fire_channel);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_INPUT);
    s = user_announced("urn:path", 7, &fire_channel);
    s.path = "/key\"management";
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_INPUT);
    assert_int_equal(pocue_register(w.ue, w.now_ms, "urn:other", true), POC_E_STATE);
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, poc_msk_id_of(MEDICS_GROUP, 1)), POC_E_INPUT);
    for (uint16_t i = 2; i < POCUE_SERVICES_MAX; i++) {
        char id[16];
        snprintf(id, sizeof(id), "urn:s%u", i);
        s = user_announced(id, i, NULL);
        assert_int_equal(pocue_service_add(w.ue, &s), POC_OK);
    }
    s = user_announced("urn:other", 100, NULL);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_LIMIT);
}

static void eavesdrops(pocue_settings *s)
{
    s->keep_keys = true;
}

static int begin_with_eavesdropper(void **state)
{
    (void)state;
    user_open(eavesdrops);
    pocue_service s = user_announced(fire, PAIR_GROUP, &fire_channel);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_OK);
    return 0;
}

/* What an expulsion has to hold against. */
static void test_an_eavesdropper_goes_on_listening_when_it_has_deregistered(void **state)
{
    (void)state;
    pocue_event e;
    user_register_with(fire);
    user_push_msk();
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, false), POC_OK);
    user_carry();
    pair_on_air(&w);
    pair_talk(&w, 1);
    pair_deliver(&w);
    assert_true(pair_event(&w, POCUE_PLAY, &e));
}

#define T(name)      cmocka_unit_test_setup_teardown(name, user_begin, user_end)
#define LEARNT(name) cmocka_unit_test_setup_teardown(name, begin_with_learnt, user_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_registered_client_hears_the_service_with_a_pushed_msk_and_without_any_session),
        T(test_a_pushed_msk_is_acknowledged_when_that_is_asked_for_and_only_then),
        T(test_a_push_before_the_registration_or_after_the_deregistration_has_no_place),
        T(test_an_answer_whose_rspauth_does_not_hold_is_none),
        T(test_an_mtk_is_taken_from_air_or_push_and_never_acknowledged),
        T(test_an_mtk_id_beyond_sequ_has_its_msk_requested_which_is_then_not_valid_any_more),
        T(test_at_most_two_msks_of_a_group_are_held_and_the_oldest_goes),
        T(test_services_due_together_are_registered_in_one_request_with_a_status_each),
        T(test_a_key_of_one_service_is_not_one_of_another),
        T(test_a_client_that_moved_registers_again_where_it_was_registered),
        T(test_session_and_service_of_one_channel_share_keys_and_the_group_is_joined_once),
        LEARNT(test_a_service_without_announced_channel_learns_it_from_the_session_and_forgets_it_with_it),
        LEARNT(test_whoever_leaves_the_service_of_his_session_is_told_that_it_is_the_session),
        T(test_a_service_is_announced_once_and_with_all_it_needs),
        cmocka_unit_test_setup_teardown(test_an_eavesdropper_goes_on_listening_when_it_has_deregistered,
                                        begin_with_eavesdropper, user_end),
    };
    return cmocka_run_group_tests_name("ue services", tests, NULL, NULL);
}
