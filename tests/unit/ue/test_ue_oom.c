/* Memory that fails at the client: what could not be done has not been done, and can be done a moment later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/text.h"
#include "clerk.h"
#include "tests/support/oom.h"

static pair w;

static poc_err make(void *ctx)
{
    const pocue_settings *s = ctx;
    POC_OWNED(pocue, ue, pocue_free);
    POC_TRY(pocue_new(&ue, s, &w.rng));
    return POC_OK;
}

static void a_client_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    pocue_settings s;
    oom_report report;
    w.rng = test_rng_of(&w.chance, 3);
    pair_settings(&s);
    if (!oom_every_allocation(make, &s, &report))
        fail_msg("run %zu: %s, %zu secrets left", report.runs, poc_err_name(report.err), report.secrets_left);
    assert_true(report.runs > 2);
}

/* Gives the offer with the n-th allocation failing; true when one has failed. */
static bool give_failing(size_t n, const char *offer, poc_err *err)
{
    static char answer[PAIR_OFFER_MAX];
    pocue_reply reply;
    poc_wr wr = poc_wr_into(answer, sizeof(answer));
    oom_arm(n);
    *err = pocue_offer_read(w.ue, w.now_ms, &w.local, poc_span_str(offer), &wr, &reply);
    bool has_failed = oom_disarm();
    assert_true(*err == POC_OK || (*err == POC_E_NOMEM && wr.len == 0));
    return has_failed;
}

/* "An error means that nothing was decided" (pocue.h): no key is held, and the same offer is taken afterwards. */
static void an_offer_that_found_no_memory_is_accepted_when_repeated(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    const size_t secrets = poc_secret_live_count();
    bool has_failed = true;
    size_t refusals = 0;
    for (size_t n = 1; has_failed; n++) {
        poc_err err;
        poc_msk_id id;
        pair_open(&w, NULL);
        pair_offer(&w, offer, 2, false);
        has_failed = give_failing(n, offer, &err);
        assert_int_equal(pocue_msks(w.ue, &id, 1), err == POC_OK ? 1 : 0);
        refusals += err != POC_OK;
        assert_int_equal(pair_give(&w, offer, answer).status, 200);
        assert_int_equal(pocue_msks(w.ue, &id, 1), 1);
        assert_int_equal(id, w.params.msk_id);
        pair_close(&w);
        assert_int_equal(poc_secret_live_count(), secrets);
    }
    assert_true(refusals > 2);
}

/* A rekey that found no memory leaves the old key (RFC 4567: a failing offer changes nothing). */
static void a_rekey_that_found_no_memory_leaves_the_old_key(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    bool has_failed = true;
    for (size_t n = 1; has_failed; n++) {
        poc_err err;
        poc_msk_id id;
        pair_open(&w, NULL);
        pair_offer(&w, offer, 2, false);
        assert_int_equal(pair_give(&w, offer, answer).status, 200);
        const poc_msk_id old = w.params.msk_id;
        pair_new_msk(&w, 2);
        pair_offer(&w, offer, 3, false);
        has_failed = give_failing(n, offer, &err);
        assert_true(pocue_msks(w.ue, &id, 1) >= 1);
        assert_int_equal(id, err == POC_OK ? w.params.msk_id : old);
        assert_int_equal(pair_give(&w, offer, answer).status, 200);
        assert_true(pocue_msks(w.ue, &id, 1) >= 1);
        assert_int_equal(id, w.params.msk_id);
        pair_close(&w);
    }
}

static size_t count_events(pocue_event_type type)
{
    pocue_event e;
    size_t n = 0;
    while (pocue_poll(w.ue, &e))
        n += e.type == type;
    return n;
}

/* An accepted offer without JOIN_GROUP would leave a member with the key that does not listen: everybody but he would think
 * that he hears. */
static void whoever_accepts_an_offer_is_told_to_listen_whatever_allocation_fails(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    bool has_failed = true;
    size_t accepted = 0;
    for (size_t n = 1; has_failed; n++) {
        poc_err err;
        pair_open(&w, NULL);
        pair_events_clear(&w);
        pair_offer(&w, offer, 2, false);
        has_failed = give_failing(n, offer, &err);
        accepted += has_failed && err == POC_OK;
        if (err != POC_OK) {
            assert_int_equal(count_events(POCUE_JOIN_GROUP), 0);
            assert_int_equal(pair_give(&w, offer, answer).status, 200);
        }
        assert_int_equal(count_events(POCUE_JOIN_GROUP), 1);
        oom_arm(1);
        pocue_session_over(w.ue, w.now_ms, false);
        assert_true(oom_disarm());
        assert_int_equal(count_events(POCUE_LEAVE_GROUP), 1);
        assert_int_equal(pocue_events_lost(w.ue), 0);
        pair_close(&w);
    }
    assert_true(accepted >= 2); /* the allocations of JOIN_GROUP and KEY failed, and were done without */
}

static bool plays(uint16_t seq)
{
    pocue_event e;
    while (pair_event(&w, POCUE_PLAY, &e))
        if (e.by_multicast && e.seq == seq)
            return true;
    return false;
}

/* An STKM or packet that found no memory is lost, and nothing else: the STKM is repeated, and the next packet plays. */
static void the_air_is_heard_again_after_memory_failed(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    bool has_failed = true;
    size_t n = 1;
    for (; has_failed; n++) {
        pair_open(&w, NULL);
        pair_offer(&w, offer, 2, false);
        assert_int_equal(pair_give(&w, offer, answer).status, 200);
        pair_events_clear(&w);
        pair_on_air(&w); /* the STKM, then one packet */
        pair_talk(&w, 1);
        const size_t sent = w.air_count;
        oom_arm(n);
        pair_deliver(&w);
        has_failed = oom_disarm();
        w.air_count = sent; /* once more, as the protector repeats its STKM */
        pair_deliver(&w);
        pair_talk(&w, 2);
        pair_deliver(&w);
        assert_true(plays(2));
        pair_close(&w);
    }
    assert_true(n > 4);
}

/* ---- services ---- */

static const char fire[] = "urn:service:fire";
static clerk c;
static pocue_http q;
static clerk_answer a;

static void user_open(void)
{
    bcast_channel channel = { .ttl = 16, .port = { 5004, 5006, 5008 } };
    pocue_service s = {
        .service_id = fire, .key_domain = { { 0x00, 0xf1, 0x10 } }, .key_group = PAIR_GROUP, .channel = &channel
    };
    assert_int_equal(poc_addr_parse(&channel.group, poc_span_str("232.10.0.7"), 0), POC_OK);
    pair_open(&w, NULL);
    clerk_open(&c, &w);
    assert_int_equal(pocue_service_add(w.ue, &s), POC_OK);
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
}

static void user_close(void)
{
    clerk_close(&c);
    pair_close(&w);
}

static bool post(void)
{
    if (!pocue_http_next(w.ue, w.now_ms, &q))
        return false;
    clerk_serve(&c, q.target, q.authorization, poc_span_of(q.body, q.body_len), &a);
    return true;
}

static poc_err answer(void)
{
    return pocue_http_answer(w.ue, w.now_ms, a.status, poc_span_str(a.www_authenticate),
                             poc_span_str(a.authentication_info), poc_span_str(a.content_type), poc_span_str(a.body));
}

/* Until nothing is left to be asked. */
static void carry(void)
{
    for (int posts = 0; posts < 20 && !pocue_is_registered(w.ue, fire); posts++) {
        pocue_tick(w.ue, w.now_ms);
        while (post())
            (void)answer();
        w.now_ms += 5000;
    }
}

/* The challenge or the answer is lost for want of memory, as the network might have lost it. */
static void a_registration_whose_answer_found_no_memory_is_made_again(void **state)
{
    (void)state;
    bool has_failed = true;
    size_t refusals = 0, n = 1;
    for (; has_failed; n++) {
        user_open();
        assert_true(post());
        assert_int_equal(answer(), POC_OK); /* the challenge */
        assert_true(post());
        pair_events_clear(&w);
        oom_arm(n);
        (void)answer();
        has_failed = oom_disarm();
        refusals += !pocue_is_registered(w.ue, fire);
        carry();
        assert_true(pocue_is_registered(w.ue, fire));
        assert_int_equal(count_events(POCUE_JOIN_GROUP), 1);
        assert_int_equal(pocue_events_lost(w.ue), 0);
        user_close();
    }
    assert_true(refusals >= 2);
}

static void a_push_that_found_no_memory_is_taken_when_it_is_repeated(void **state)
{
    (void)state;
    uint8_t message[MIKEY_MESSAGE_MAX], reply[MIKEY_MESSAGE_MAX];
    size_t reply_len, refusals = 0;
    bool has_failed = true;
    for (size_t n = 1; has_failed; n++) {
        user_open();
        carry();
        pair_events_clear(&w);
        w.params.wants_verification = true;
        poc_span octets = poc_span_of(message, pair_seal(&w, message));
        oom_arm(n);
        poc_err err = pocue_push(w.ue, w.now_ms, octets, reply, &reply_len);
        has_failed = oom_disarm();
        assert_true(err == POC_OK || (err == POC_E_NOMEM && reply_len == 0));
        assert_int_equal(pocue_msks(w.ue, NULL, 0), err == POC_OK ? 1 : 0);
        refusals += err != POC_OK;
        assert_int_equal(pocue_push(w.ue, w.now_ms, octets, reply, &reply_len), POC_OK);
        assert_true(reply_len > 0);
        assert_int_equal(pocue_msks(w.ue, NULL, 0), 1);
        assert_int_equal(count_events(POCUE_KEY), 1);
        user_close();
    }
    assert_true(refusals > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_made_whole_or_not_at_all),
        cmocka_unit_test(an_offer_that_found_no_memory_is_accepted_when_repeated),
        cmocka_unit_test(a_rekey_that_found_no_memory_leaves_the_old_key),
        cmocka_unit_test(whoever_accepts_an_offer_is_told_to_listen_whatever_allocation_fails),
        cmocka_unit_test(the_air_is_heard_again_after_memory_failed),
        cmocka_unit_test(a_registration_whose_answer_found_no_memory_is_made_again),
        cmocka_unit_test(a_push_that_found_no_memory_is_taken_when_it_is_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
