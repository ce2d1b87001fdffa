/* The service authorisation desk: what a request may cost, and what is looked at before anything dear is done. A message whose
 * signature does not hold shows it: whoever has looked at that says so. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/wire/bureau.h"

#define TOO_MUCH "a user asks for more than his share"

/** Alice's next key with her token, whose signature is spoilt. */
static void put_spoilt(bureau *b, bureau_key *k)
{
    k->octets[k->len - 1] ^= 1;
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
}

/** What is his is spent. */
static void spend_all(bureau *b, uint32_t budget)
{
    b->spent = b->budget = budget;
}

static void spend_nothing(bureau *b, uint32_t budget)
{
    b->spent = 0;
    b->budget = budget;
}

static void expect_put_off(const bureau *b)
{
    bureau_expect_answer(b, 503, false, NULL);
    assert_true(b->answer.retry_after_s > 0);
    assert_string_equal(b->answer.why, TOO_MUCH);
}

/* ---- his share ---- */

static void who_has_spent_his_share_is_told_to_come_again(void **state)
{
    static const wire_mcx_method methods[] = { WIRE_MCX_REGISTER, WIRE_MCX_PUBLISH, WIRE_MCX_MESSAGE };
    bureau *b = bureau_open_with_alice(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(2), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    for (size_t i = 0; i < POC_COUNT(methods); i++) {
        spend_all(b, 1);
        bureau_send(b, methods[i], ALICE_IMPU, -1);
        expect_put_off(b);
    }
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(1));
    spend_nothing(b, 1);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL); /* the same message: nothing of it was looked at */
    assert_int_equal(b->spent, 1);
    bureau_close(b);
}

static void put_two_keys(bureau *b, const bureau_key *mcptt, const bureau_key *mcvideo)
{
    bureau_begin(b);
    bureau_put_key(b, mcptt);
    bureau_put_key(b, mcvideo);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, mcptt);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, mcvideo);
}

static void each_key_of_a_request_counts(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, mcptt, bureau_key_free);
    POC_OWNED(bureau_key, mcvideo, bureau_key_free);
    mcptt = bureau_seal(b, &b->o->town->alice, CSK(1), &(bureau_oddity){ .cs_id = 6 });
    mcvideo = bureau_seal(b, &b->o->town->alice, CSK(2), &(bureau_oddity){ .cs_id = 8 });
    put_two_keys(b, mcptt, mcvideo);
    spend_nothing(b, 1);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    expect_put_off(b);
    bureau_expect_nothing(b, ALICE_IMPU);
    spend_nothing(b, 2);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    assert_int_equal(b->spent, 2);
    bureau_close(b);
}

/* The message is opened for the one who goes, and once more for the one who comes. */
static void a_key_that_changes_the_user_of_a_device_counts_twice(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    spend_nothing(b, 1);
    bureau_register(b, &b->o->town->bob, ALICE_IMPU, CSK(2), BOB_TOKEN);
    expect_put_off(b);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).mc_id, ALICE_ID);
    spend_nothing(b, 2);
    bureau_register(b, &b->o->town->bob, ALICE_IMPU, CSK(3), BOB_TOKEN);
    bureau_expect_answer(b, 200, true, NULL);
    assert_int_equal(b->spent, 2);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).mc_id, BOB_ID);
    bureau_close(b);
}

/* A refusal would cost the client his registration in the core: it goes through, and brings nothing. But that he is gone is heard. */
static void what_the_core_tells_counts_for_the_user_that_it_is_about(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(2), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_wrap(b, ALICE_IMPU);
    spend_all(b, 1);
    assert_int_equal(bureau_serve(b, WIRE_MCX_REGISTER, ALICE_IMPU, 600), WIRE_MCX_ANSWERED);
    bureau_expect_answer(b, 200, false, "101 ");
    assert_string_equal(b->answer.why, TOO_MUCH);
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(1));
    assert_int_equal(bureau_serve(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0), WIRE_MCX_ANSWERED);
    bureau_run(b);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

/* ---- what is cheap comes first ---- */

static void of_an_impu_that_is_nobodys_no_key_is_opened(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_spoilt(b, k);
    b->nobody = ALICE_IMPU;
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "101 ");
    assert_string_equal(b->answer.why, "an IMPU of nobody who might be authorised");
    b->nobody = NULL;
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "136 ");
    assert_string_equal(b->answer.why, "signature does not hold");
    bureau_close(b);
}

/* After a restart, when nothing else tells that it is old. */
static void a_message_older_than_the_last_of_its_user_is_not_opened(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, older, bureau_key_free);
    POC_OWNED(bureau_key, younger, bureau_key_free);
    older = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    bureau_crash(b);
    younger = bureau_seal_later(b, &b->o->town->alice, CSK(3), NULL);
    put_spoilt(b, older);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "136 ");
    assert_string_equal(b->answer.why, "older than the last upload of its user");
    put_spoilt(b, younger);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    assert_string_equal(b->answer.why, "signature does not hold");
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(2));
    bureau_close(b);
}

static void put_back_in_time(bureau_key *k, int64_t s)
{
    mikey_msg msg;
    uint32_t sent_s;
    assert_int_equal(mcx_i_message_read(&msg, poc_span_of(k->octets, k->len), NULL), POC_OK);
    poc_rd rd = poc_rd_over(msg.ts, NULL);
    assert_int_equal(poc_rd_u32(&rd, &sent_s), POC_OK);
    poc_wr wr = poc_wr_into(k->octets + (msg.ts.p - k->octets), 4);
    poc_wr_u32(&wr, sent_s - (uint32_t)s);
}

/* Digest 3.10, in its order: for whom, when, whether it came before, which key; the signature last of what needs no key. */
static void the_signature_is_looked_at_when_nothing_cheaper_refuses_the_message(void **state)
{
    static const struct {
        const char *server;
        int64_t behind_s;
        uint32_t id;
        const char *why;
    } cases[] = {
        { "mcx.elsewhere.example", 0, CSK(2), "IDRr with IDRkmsr is no identity of ours" },
        { MDSI, 86400 * 40, CSK(2), "no key of ours for the period of its time" },
        { MDSI, -301, CSK(2), "time is too far from now" },
        { MDSI, 3, CSK(2), "older than the last message of its sender" },
        { MDSI, 0, CSK(3), "key id is that of another user's key" },
        { MDSI, 0, CSK(2), "signature does not hold" },
    };
    bureau *b = bureau_open_with_alice(state);
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(3), BOB_TOKEN);
    b->o->now_ms += 1000;
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        k = bureau_seal(b, &b->o->town->alice, cases[i].id, &(bureau_oddity){ .server = cases[i].server });
        put_back_in_time(k, cases[i].behind_s);
        put_spoilt(b, k);
        bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
        bureau_expect_answer(b, 403, false, "136 ");
        assert_string_equal(b->answer.why, cases[i].why);
    }
    bureau_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_spent_his_share_is_told_to_come_again),
        cmocka_unit_test(each_key_of_a_request_counts),
        cmocka_unit_test(a_key_that_changes_the_user_of_a_device_counts_twice),
        cmocka_unit_test(what_the_core_tells_counts_for_the_user_that_it_is_about),
        cmocka_unit_test(of_an_impu_that_is_nobodys_no_key_is_opened),
        cmocka_unit_test(a_message_older_than_the_last_of_its_user_is_not_opened),
        cmocka_unit_test(the_signature_is_looked_at_when_nothing_cheaper_refuses_the_message),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
