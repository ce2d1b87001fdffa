/* A client of MBMS user services: it registers, requests MSKs and takes pushed ones, without a PoC session (CR "push and pull
 * key management" to TS 33.246, 6.3). The key management service is a stand-in that checks credentials like the PF. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "clerk.h"

static const char fire[] = "sip:fire@home1.example", medics[] = "urn:service:medics";
enum { MEDICS_GROUP = PAIR_GROUP + 1, WAIT_S = 2, BACK_OFF_S = 10 };

static pair w;
static clerk c;
static bcast_channel fire_channel, medics_channel;
static size_t secrets_before;

static bcast_channel channel_at(const char *group)
{
    bcast_channel at = { .ttl = 16, .port = { 5004, 5006, 5008 } };
    assert_int_equal(poc_addr_parse(&at.group, poc_span_str(group), 0), POC_OK);
    assert_int_equal(poc_addr_parse(&at.source, poc_span_str("192.0.2.50"), 0), POC_OK);
    return at;
}

static pocue_service announced(const char *id, uint16_t key_group, const bcast_channel *channel)
{
    return (pocue_service){ .service_id = id,
                            .key_domain = { { 0x00, 0xf1, 0x10 } },
                            .key_group = key_group,
                            .wait_time_s = WAIT_S,
                            .max_back_off_s = BACK_OFF_S,
                            .channel = channel };
}

static int begin(void **state)
{
    (void)state;
    secrets_before = poc_secret_live_count();
    pair_open(&w, NULL);
    clerk_open(&c, &w);
    fire_channel = channel_at("232.10.0.7");
    medics_channel = channel_at("232.10.0.8");
    const pocue_service one = announced(fire, PAIR_GROUP, &fire_channel);
    const pocue_service two = announced(medics, MEDICS_GROUP, &medics_channel);
    assert_int_equal(pocue_service_add(w.ue, &one), POC_OK);
    assert_int_equal(pocue_service_add(w.ue, &two), POC_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    clerk_close(&c);
    pair_close(&w);
    return poc_secret_live_count() == secrets_before ? 0 : -1;
}

/* ---- steps ---- */

/* Everything the client wants to POST now is answered; how many there were. */
static unsigned carry(void)
{
    static pocue_http q;
    static clerk_answer a;
    unsigned n = 0;
    for (pocue_tick(w.ue, w.now_ms); n < 20 && pocue_http_next(w.ue, w.now_ms, &q); n++) {
        clerk_serve(&c, q.target, q.authorization, poc_span_of(q.body, q.body_len), &a);
        (void)pocue_http_answer(w.ue, w.now_ms, a.status, poc_span_str(a.www_authenticate),
                                poc_span_str(a.authentication_info), poc_span_str(a.content_type),
                                poc_span_str(a.body));
    }
    assert_true(n < 20);
    return n;
}

static void pass_s(int64_t seconds)
{
    w.now_ms += seconds * 1000;
}

/* On to the moment the client wants to be called. */
static int64_t pass_to_deadline(void)
{
    int64_t before_ms = w.now_ms, at_ms = pocue_deadline_ms(w.ue);
    assert_true(at_ms != INT64_MAX);
    if (at_ms > w.now_ms)
        w.now_ms = at_ms;
    return w.now_ms - before_ms;
}

/* So much time passes, with everything the client does in it. */
static void live_s(int64_t seconds)
{
    const int64_t until_ms = w.now_ms + seconds * 1000;
    while (pocue_deadline_ms(w.ue) <= until_ms) {
        pass_to_deadline();
        carry();
    }
    w.now_ms = until_ms;
}

static void register_with(const char *id)
{
    pocue_event e;
    assert_int_equal(pocue_register(w.ue, w.now_ms, id, true), POC_OK);
    carry();
    assert_true(pair_event(&w, POCUE_REGISTERED, &e));
    assert_string_equal(e.service_id, id);
}

static poc_err give_push(const uint8_t *message, size_t n, size_t *reply_len)
{
    uint8_t reply[MIKEY_MESSAGE_MAX];
    return pocue_push(w.ue, w.now_ms, poc_span_of(message, n), reply, reply_len);
}

/* The current MSK of the pair, pushed. */
static void push_msk(void)
{
    uint8_t message[MIKEY_MESSAGE_MAX];
    size_t reply_len, n = pair_seal(&w, message);
    assert_int_equal(give_push(message, n, &reply_len), POC_OK);
}

/* An MSK of another number that this client was not given goes on air. */
static void miss_update(uint16_t number)
{
    pair_new_msk(&w, number);
    pair_on_air(&w);
    pair_deliver(&w);
}

static void assert_next(pocue_event_type type, pocue_event *e)
{
    assert_true(pocue_poll(w.ue, e));
    assert_int_equal(e->type, type);
}

/* ---- registration and push ---- */

/* MBMS-5, MBMS-8: no PoC session is needed to hear a service. */
static void test_a_registered_client_hears_the_service_with_a_pushed_msk_and_without_any_session(void **state)
{
    (void)state;
    pocue_event e;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    assert_int_equal(carry(), 2); /* the challenge, then the answer to it */
    assert_string_equal(c.target, "/keymanagement?requesttype=register");
    assert_next(POCUE_REGISTERED, &e);
    assert_string_equal(e.service_id, fire);
    assert_next(POCUE_JOIN_GROUP, &e);
    assert_true(poc_addr_eq((struct sockaddr *)&e.channel.group, (struct sockaddr *)&fire_channel.group));
    assert_true(pocue_is_registered(w.ue, fire));
    push_msk();
    assert_next(POCUE_KEY, &e);
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
    register_with(fire);
    size_t n = pair_seal(&w, message);
    assert_int_equal(give_push(message, n, &reply_len), POC_OK);
    assert_int_equal(reply_len, 0);
    pair_new_msk(&w, 2);
    w.params.wants_verification = true;
    n = pair_seal(&w, message);
    assert_int_equal(give_push(message, n, &reply_len), POC_OK);
    assert_true(reply_len > 0);
    pair_events_clear(&w);
    assert_int_equal(give_push(message, n, &reply_len), POC_OK);
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
    assert_int_equal(give_push(message, n, &reply_len), POC_E_STATE);
    register_with(fire);
    push_msk();
    pair_events_clear(&w);
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, false), POC_OK);
    assert_next(POCUE_LEAVE_GROUP, &e); /* at once, not when the PF has answered */
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
    carry();
    assert_string_equal(c.target, "/keymanagement?requesttype=deregister");
    assert_next(POCUE_DEREGISTERED, &e);
    assert_false(pocue_is_registered(w.ue, fire));
    n = pair_seal(&w, message);
    assert_int_equal(give_push(message, n, &reply_len), POC_E_STATE);
    assert_int_equal(reply_len, 0);
}

/* MBMS-5 */
static void test_an_answer_whose_rspauth_does_not_hold_is_none(void **state)
{
    (void)state;
    pocue_event e;
    c.lies = true;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    carry();
    assert_int_equal(c.served, 1);
    assert_false(pocue_poll(w.ue, &e));
    assert_false(pocue_is_registered(w.ue, fire));
    c.lies = false;
    pass_to_deadline();
    assert_true(carry() > 0);
    assert_true(pair_event(&w, POCUE_REGISTERED, &e));
}

/* ---- missed key updates ---- */

static int64_t back_off_of_seed(uint64_t seed)
{
    begin(NULL);
    register_with(fire);
    push_msk();
    w.chance.state = seed;
    miss_update(2);
    int64_t waited_ms = pass_to_deadline();
    c.served = 0;
    carry();
    assert_int_equal(c.served, 1);
    assert_non_null(strstr(c.body, "<MSKID>EAEAAg==</MSKID>"));
    end(NULL);
    return waited_ms;
}

/* MBMS-1, MBMS-14: whoever missed the same update does not ask at the same moment. */
static void test_an_unknown_msk_on_air_is_requested_after_the_wait_time_and_a_random_part_of_the_back_off(void **state)
{
    (void)state;
    int64_t least_ms = INT64_MAX, most_ms = 0;
    end(NULL);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        int64_t waited_ms = back_off_of_seed(seed * UINT64_C(0x9E3779B97F4A7C15));
        least_ms = waited_ms < least_ms ? waited_ms : least_ms;
        most_ms = waited_ms > most_ms ? waited_ms : most_ms;
    }
    begin(NULL);
    assert_true(least_ms >= WAIT_S * 1000);
    assert_true(most_ms <= (WAIT_S + BACK_OFF_S) * 1000);
    assert_true(most_ms - least_ms > BACK_OFF_S * 1000 / 2);
}

/* MBMS-12: then as in the procedure that the UE began itself. */
static void test_the_requested_msk_is_pushed_and_the_service_goes_on(void **state)
{
    (void)state;
    pocue_event e;
    register_with(fire);
    push_msk();
    miss_update(2);
    pass_to_deadline();
    carry();
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 2));
    push_msk();
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
    register_with(fire);
    push_msk();
    miss_update(2);
    push_msk();
    c.posts = 0;
    pass_s(WAIT_S + BACK_OFF_S);
    carry();
    assert_int_equal(c.posts, 0);
}

/* MBMS-2 */
static void test_without_a_valid_older_msk_a_refused_client_leaves_the_service(void **state)
{
    (void)state;
    pocue_event e;
    register_with(fire); /* and the push of the first MSK is lost */
    c.item_status = 403;
    live_s(60);
    assert_true(pair_event(&w, POCUE_DENIED, &e));
    assert_int_equal(e.status, 403);
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 0));
    assert_next(POCUE_SERVICE_LEFT, &e);
    assert_string_equal(e.service_id, fire);
    assert_next(POCUE_LEAVE_GROUP, &e);
    assert_false(pocue_is_registered(w.ue, fire));
}

/* MBMS-2 */
static void test_with_a_valid_older_msk_a_refused_client_stays_and_does_not_ask_again_soon(void **state)
{
    (void)state;
    pocue_event e;
    register_with(fire);
    push_msk();
    miss_update(2);
    c.item_status = 404;
    pass_to_deadline();
    carry();
    assert_true(pair_event(&w, POCUE_DENIED, &e));
    assert_false(pocue_poll(w.ue, &e));
    assert_true(pocue_is_registered(w.ue, fire));
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
    c.posts = 0;
    pair_talk(&w, 1);
    pair_deliver(&w);
    pass_s(WAIT_S + BACK_OFF_S);
    carry();
    assert_int_equal(c.posts, 0);
}

/* ---- solicited pull ---- */

/* MBMS-10 */
static void test_key_number_0_is_followed_by_a_request_for_the_current_msk_at_once(void **state)
{
    (void)state;
    pocue_event e;
    register_with(fire);
    push_msk();
    pair_events_clear(&w);
    w.params.msk_id = poc_msk_id_of(PAIR_GROUP, 0);
    push_msk();
    carry();
    assert_string_equal(c.target, "/keymanagement?requesttype=msk-request");
    assert_non_null(strstr(c.body, "<MSKID>EAEAAA==</MSKID>"));
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_registered_client_hears_the_service_with_a_pushed_msk_and_without_any_session),
        T(test_a_pushed_msk_is_acknowledged_when_that_is_asked_for_and_only_then),
        T(test_a_push_before_the_registration_or_after_the_deregistration_has_no_place),
        T(test_an_answer_whose_rspauth_does_not_hold_is_none),
        T(test_an_unknown_msk_on_air_is_requested_after_the_wait_time_and_a_random_part_of_the_back_off),
        T(test_the_requested_msk_is_pushed_and_the_service_goes_on),
        T(test_an_msk_that_arrives_during_the_back_off_is_not_requested),
        T(test_without_a_valid_older_msk_a_refused_client_leaves_the_service),
        T(test_with_a_valid_older_msk_a_refused_client_stays_and_does_not_ask_again_soon),
        T(test_key_number_0_is_followed_by_a_request_for_the_current_msk_at_once),
    };
    return cmocka_run_group_tests_name("ue services", tests, NULL, NULL);
}
