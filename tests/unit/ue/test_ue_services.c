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

/* MBMS-10: "The whole MSK ID may be 0" (digest 4.6). Both services are asked for in one request. */
static void test_msk_id_0_solicits_a_request_for_every_service_in_one_post(void **state)
{
    (void)state;
    pocue_event e;
    register_with(fire);
    register_with(medics);
    push_msk();
    pair_events_clear(&w);
    c.served = 0;
    w.params.msk_id = 0;
    push_msk();
    carry();
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
    register_with(fire);
    snprintf(first_btid, sizeof(first_btid), "%s", c.btid);
    push_msk();
    pair_events_clear(&w);
    c.wants_new_bootstrap = true;
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
    carry();
    assert_next(POCUE_BOOTSTRAP_NEEDED, &e);
    assert_false(pocue_poll(w.ue, &e)); /* told once */
    assert_int_equal(carry(), 0);
    pair_bootstrap(&w);
    carry();
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_string_not_equal(c.btid, first_btid);
    pair_new_msk(&w, 2);
    push_msk(); /* under the new MUK */
    assert_true(pair_event(&w, POCUE_KEY, &e));
}

/* MBMS-11 */
static void test_credentials_refused_once_more_after_bootstrapping_are_a_denial(void **state)
{
    (void)state;
    pocue_event e;
    c.wants_new_bootstrap = true;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    carry();
    assert_true(pair_event(&w, POCUE_BOOTSTRAP_NEEDED, &e));
    pair_bootstrap(&w);
    c.wants_new_bootstrap = true;
    carry();
    assert_next(POCUE_DENIED, &e);
    assert_int_equal(e.status, 401);
    assert_int_equal(e.msk_id, 0);
    assert_true(pocue_deadline_ms(w.ue) == INT64_MAX);
}

static void test_an_expired_bootstrapping_is_renewed_before_anything_is_sent(void **state)
{
    (void)state;
    pocue_event e;
    pass_s(86401);
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    assert_int_equal(carry(), 0);
    assert_next(POCUE_BOOTSTRAP_NEEDED, &e);
    pair_bootstrap(&w);
    carry();
    assert_true(pair_event(&w, POCUE_REGISTERED, &e));
}

static void test_an_owner_who_does_not_bootstrap_is_told_again_and_at_last_that_it_failed(void **state)
{
    (void)state;
    pocue_event e;
    unsigned told = 0;
    pass_s(86401);
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    carry();
    live_s(600);
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
    register_with(fire);
    pass_s(61);
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
    assert_int_equal(carry(), 2);
    assert_next(POCUE_JOIN_GROUP, &e);
    assert_next(POCUE_GRANTED, &e);
}

static void test_the_nonce_of_an_earlier_challenge_saves_a_round_trip(void **state)
{
    (void)state;
    register_with(fire);
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
    assert_int_equal(carry(), 1);
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
    assert_int_equal(carry(), 1);
}

/* ---- MTKs ---- */

/* MBMS-13 */
static void test_an_mtk_is_taken_from_air_or_push_and_never_acknowledged(void **state)
{
    (void)state;
    pocue_event e;
    size_t reply_len = 1;
    register_with(fire);
    push_msk();
    pair_on_air(&w);
    pair_datagram stkm = w.air[0];
    assert_int_equal(stkm.flow, BCAST_FLOW_STKM);
    assert_int_equal(give_push(stkm.b, stkm.n, &reply_len), POC_OK);
    assert_int_equal(reply_len, 0);
    assert_true(pair_event(&w, POCUE_MTK, &e));
    stkm.b[3] |= 0x80; /* V in the common header */
    assert_int_equal(give_push(stkm.b, stkm.n, &reply_len), POC_OK);
    assert_int_equal(reply_len, 0);
}

/* TS 33.246 6.3.2.2.3: also an MTK ID beyond SEQu means that an update was missed. */
static void test_an_mtk_id_beyond_sequ_has_its_msk_requested_which_is_then_not_valid_any_more(void **state)
{
    (void)state;
    pocue_event e;
    register_with(fire);
    w.params.seq_high = 1;
    push_msk();
    pair_on_air(&w); /* MTK 1; the PF's own interval is wider */
    assert_int_equal(bcast_protector_roll_mtk(w.protector, w.now_ms, true), POC_OK);
    pair_deliver(&w);
    assert_true(pair_event(&w, POCUE_KEY_MISSED, &e));
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 1));
    c.item_status = 404;
    live_s(WAIT_S + BACK_OFF_S);
    assert_true(pair_event(&w, POCUE_SERVICE_LEFT, &e));
}

static void test_at_most_two_msks_of_a_group_are_held_and_the_oldest_goes(void **state)
{
    (void)state;
    poc_msk_id ids[3];
    register_with(fire);
    push_msk();
    for (uint16_t number = 2; number <= 3; number++) {
        pair_new_msk(&w, number);
        push_msk();
    }
    assert_int_equal(pocue_msks(w.ue, ids, 3), 2);
    assert_int_equal(ids[0], poc_msk_id_of(PAIR_GROUP, 3));
    assert_int_equal(ids[1], poc_msk_id_of(PAIR_GROUP, 2));
}

/* ---- what goes wrong ---- */

static void test_a_service_that_is_down_is_tried_five_times_with_pauses_that_grow(void **state)
{
    (void)state;
    pocue_event e;
    c.whole_status = 503;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    carry();
    for (int i = 0; i < 4; i++) {
        const int64_t least_ms = 1000 << i > WAIT_S * 1000 ? 1000 << i : WAIT_S * 1000;
        assert_false(pocue_poll(w.ue, &e));
        int64_t waited_ms = pass_to_deadline();
        assert_in_range(waited_ms, least_ms, least_ms + BACK_OFF_S * 1000);
        carry();
    }
    assert_int_equal(c.posts, 5);
    assert_next(POCUE_DENIED, &e);
    assert_int_equal(e.status, 503);
    assert_false(pocue_is_registered(w.ue, fire));
}

static void test_a_granted_msk_that_never_comes_is_requested_again(void **state)
{
    (void)state;
    pocue_event e;
    register_with(fire);
    push_msk();
    miss_update(2);
    live_s(WAIT_S + BACK_OFF_S);
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    live_s(60);
    assert_true(pair_event(&w, POCUE_GRANTED, &e));
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 2));
    push_msk();
    pair_events_clear(&w);
    live_s(600);
    assert_false(pocue_poll(w.ue, &e));
}

/* Who sends forged key numbers cannot keep a client from asking for the true one. */
static void test_two_different_msks_wanted_become_a_request_for_the_current_one(void **state)
{
    (void)state;
    register_with(fire);
    push_msk();
    miss_update(200);
    miss_update(2);
    live_s(WAIT_S + BACK_OFF_S);
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

/* ---- several services, the session, and moving ---- */

static void test_services_due_together_are_registered_in_one_request_with_a_status_each(void **state)
{
    (void)state;
    pocue_event e;
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
    assert_int_equal(pocue_register(w.ue, w.now_ms, medics, true), POC_OK);
    carry();
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
    register_with(fire);
    w.params.msk_id = poc_msk_id_of(MEDICS_GROUP, 1);
    size_t n = pair_seal(&w, message);
    assert_int_equal(give_push(message, n, &reply_len), POC_E_STATE);
    register_with(medics);
    n = pair_seal(&w, message);
    assert_int_equal(give_push(message, n, &reply_len), POC_OK);
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
}

static void test_a_client_that_moved_registers_again_where_it_was_registered(void **state)
{
    (void)state;
    pocue_event e;
    register_with(fire);
    push_msk();
    pair_events_clear(&w);
    pocue_moved(w.ue, w.now_ms);
    carry();
    assert_non_null(strstr(c.body, fire));
    assert_null(strstr(c.body, medics));
    assert_next(POCUE_REGISTERED, &e);
    assert_false(pocue_poll(w.ue, &e)); /* it has been listening all the time */
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
}

/* The session of digest example B is on the channel that the service announced. */
static void test_session_and_service_of_one_channel_share_keys_and_the_group_is_joined_once(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    register_with(fire);
    pair_events_clear(&w);
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_next(POCUE_KEY, &e);
    assert_false(pocue_poll(w.ue, &e));
    pair_new_msk(&w, 2);
    push_msk();
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
    secrets_before = poc_secret_live_count();
    pair_open(&w, NULL);
    clerk_open(&c, &w);
    pocue_service s = announced(learnt, PAIR_GROUP, NULL);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_OK);
    return 0;
}

static void test_a_service_without_announced_channel_learns_it_from_the_session_and_forgets_it_with_it(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    register_with(learnt);
    push_msk(); /* before it is known where it will be heard */
    assert_next(POCUE_KEY, &e);
    assert_false(pocue_poll(w.ue, &e));
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_true(pair_event(&w, POCUE_JOIN_GROUP, &e));
    miss_update(2);
    live_s(WAIT_S + BACK_OFF_S);
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
    live_s(WAIT_S + BACK_OFF_S);
    assert_true(pair_event(&w, POCUE_SERVICE_LEFT, &e));
    assert_true(e.of_session);
    assert_next(POCUE_LEAVE_GROUP, &e);
}

static void test_a_service_is_announced_once_and_with_all_it_needs(void **state)
{
    (void)state;
    pocue_service s = announced(fire, 7, &fire_channel);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_STATE);
    s = announced("urn:other", PAIR_GROUP, &fire_channel);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_STATE);
    s = announced("", 7, &fire_channel);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_INPUT);
    assert_int_equal(pocue_register(w.ue, w.now_ms, "urn:other", true), POC_E_STATE);
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, poc_msk_id_of(MEDICS_GROUP, 1)), POC_E_INPUT);
    for (uint16_t i = 2; i < POCUE_SERVICES_MAX; i++) {
        char id[16];
        snprintf(id, sizeof(id), "urn:s%u", i);
        s = announced(id, i, NULL);
        assert_int_equal(pocue_service_add(w.ue, &s), POC_OK);
    }
    s = announced("urn:other", 100, NULL);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_E_LIMIT);
}

#define T(name)      cmocka_unit_test_setup_teardown(name, begin, end)
#define LEARNT(name) cmocka_unit_test_setup_teardown(name, begin_with_learnt, end)

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
        T(test_msk_id_0_solicits_a_request_for_every_service_in_one_post),
        T(test_refused_credentials_lead_to_a_new_bootstrapping_and_the_request_is_repeated),
        T(test_credentials_refused_once_more_after_bootstrapping_are_a_denial),
        T(test_an_expired_bootstrapping_is_renewed_before_anything_is_sent),
        T(test_an_owner_who_does_not_bootstrap_is_told_again_and_at_last_that_it_failed),
        T(test_a_stale_nonce_is_answered_with_the_new_one_and_not_with_bootstrapping),
        T(test_the_nonce_of_an_earlier_challenge_saves_a_round_trip),
        T(test_an_mtk_is_taken_from_air_or_push_and_never_acknowledged),
        T(test_an_mtk_id_beyond_sequ_has_its_msk_requested_which_is_then_not_valid_any_more),
        T(test_at_most_two_msks_of_a_group_are_held_and_the_oldest_goes),
        T(test_a_service_that_is_down_is_tried_five_times_with_pauses_that_grow),
        T(test_a_granted_msk_that_never_comes_is_requested_again),
        T(test_two_different_msks_wanted_become_a_request_for_the_current_one),
        T(test_answers_that_are_none_change_nothing),
        T(test_services_due_together_are_registered_in_one_request_with_a_status_each),
        T(test_a_key_of_one_service_is_not_one_of_another),
        T(test_a_client_that_moved_registers_again_where_it_was_registered),
        T(test_session_and_service_of_one_channel_share_keys_and_the_group_is_joined_once),
        LEARNT(test_a_service_without_announced_channel_learns_it_from_the_session_and_forgets_it_with_it),
        LEARNT(test_whoever_leaves_the_service_of_his_session_is_told_that_it_is_the_session),
        T(test_a_service_is_announced_once_and_with_all_it_needs),
    };
    return cmocka_run_group_tests_name("ue services", tests, NULL, NULL);
}
