/* The life of a channel, as ladders: what happens on the left, the transcript of effects on the right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

/* POC-6, POC-7, POC-13: record, offer, proof of the key, only then the enabler; multicast when it has started. */
static void first_member_gets_the_key_before_the_enabler_does(void **state)
{
    (void)state;
    shell *s = shell_new(1);
    shell_boot(s);
    client *alice = shell_client(s, ALICE);
    shell_authenticate(s, alice);
    assert_int_equal(shell_join_only(s, alice), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST\nSUBSCRIBE " SHELL_GROUP);
    shell_full(s);
    shell_run(s);
    shell_expect(s, "PERSIST\n"
                    "OFFER " ALICE " open 10010001\n"
                    "START 10010001\n"
                    "SERVE " ALICE " multicast");
    assert_string_equal(shell_state(s), "active");
    assert_int_equal(alice->counter, 1);
    shell_free(s);
}

/* POC-10, POC-11, POC-18 */
static void expulsion_gates_records_offers_and_then_switches(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *bob = shell_client(s, BOB);
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    bob->barred_from = SHELL_ID(2);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "OFFER " CAROL " rekey 10010002\n"
                    "UPDATE 10010002\n"
                    "GATE open");
    assert_int_equal(shell_msk(s), SHELL_ID(2));
    assert_string_equal(shell_state(s), "active");
    shell_free(s);
}

/* POC-17: who is expelled while the disk is busy does not hear on for as long as it takes. */
static void holding_overtakes_a_write_and_opening_does_not(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->store_slow = true;
    assert_int_equal(shell_depart(s, CAROL, POCPF_LEFT), POCPF_OK);
    while (shell_step(s))
        ;
    shell_expect(s, "PERSIST"); /* under way */
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    while (shell_step(s))
        ;
    shell_expect(s, "GATE hold");         /* once for this write, and nothing else */
    pocpf_tick(s->pf, s->now_ms += 5000); /* the switch is due, and waits for the records */
    assert_false(shell_step(s));
    shell_run(s);
    shell_expect(s, "PERSIST\n"   /* what happened during the first write */
                    "GATE hold\n" /* overtakes the second */
                    "GATE hold\n" /* in its turn */
                    "OFFER " ALICE " rekey 10010002\n"
                    "UPDATE 10010002\n"
                    "GATE open\n"
                    "SERVE " ALICE " unicast\n"
                    "SERVE " ALICE " multicast");
    assert_false(s->hold);
    shell_free(s);
}

/* An expulsion that comes before the last one's switch was carried out: the gate stays shut until the next key. */
static void an_opening_that_a_hold_has_overtaken_is_void(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    s->answers_now = false;
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "OFFER " CAROL " rekey 10010002");
    shell_answer(s, shell_client(s, ALICE));
    shell_answer(s, shell_client(s, CAROL)); /* switched, and not carried out yet */
    assert_int_equal(shell_depart(s, CAROL, POCPF_REMOVED), POCPF_OK);
    s->answers_now = true;
    shell_run(s);
    shell_expect(s, "UPDATE 10010002\n"
                    "GATE hold\n"
                    "PERSIST\n"
                    "OFFER " ALICE " rekey 10010003\n"
                    "UPDATE 10010003\n"
                    "GATE open");
    shell_free(s);
}

/* POC-6: one key, RAND and CSB ID for all, sealed for each under his own MUK (the fake clients open them); in clear
 * nowhere: tests/unit/core/shell.c looks into every message and record. */
static void all_members_are_given_the_same_key(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_client(s, ALICE)->holds, SHELL_ID(1));
    assert_int_equal(shell_client(s, BOB)->holds, SHELL_ID(1));
    assert_int_equal(shell_client(s, CAROL)->holds, SHELL_ID(1));
    assert_int_equal(s->air_id, SHELL_ID(1));
    shell_free(s);
}

/* The order rule of digest "PoC" 3.1. */
static void nobody_gets_a_key_before_the_roster_lists_him(void **state)
{
    (void)state;
    shell *s = shell_new(1);
    shell_boot(s);
    client *alice = shell_client(s, ALICE), *bob = shell_client(s, BOB);
    shell_authenticate(s, alice);
    assert_int_equal(shell_join_only(s, alice), POCPF_OK);
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_ACTIVE, true, 0), POCPF_OK);
    shell_run(s);
    assert_int_equal(alice->offers, 0);
    alice->inside = false;
    bob->inside = true;
    shell_full(s); /* lists somebody else */
    shell_run(s);
    assert_int_equal(alice->offers, 0);
    assert_int_equal(shell_partial(s, ALICE, POCPF_CONF_FULL, POCPF_CONF_ALERTING, POCPF_CONF_METHOD_ABSENT, NULL),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(alice->offers, 0);
    assert_int_equal(shell_partial(s, ALICE, POCPF_CONF_FULL, POCPF_CONF_CONNECTED, POCPF_CONF_METHOD_ABSENT, NULL),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(alice->offers, 1);
    shell_free(s);
}

/* POC-5: without a GBA context there is no MUK, hence no offer: the client stays on unicast. */
static void without_a_muk_a_client_stays_on_unicast(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *dave = shell_client(s, DAVE);
    assert_int_equal(shell_join_only(s, dave), POCPF_OK);
    shell_full(s);
    shell_run(s);
    assert_int_equal(dave->offers, 0);
    assert_string_equal(shell_member_state(s, DAVE), "waiting");
    shell_authenticate(s, dave);
    shell_run(s);
    assert_true(dave->multicast);
    shell_free(s);
}

static void go_blind(shell *s)
{
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_REFUSED, false, 0),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_REFUSED, false, 0),
                     POCPF_OK);
    shell_run(s);
}

/* Digest "PoC" 3.5 */
static void a_blind_channel_renews_its_key_by_time_and_at_every_departure(void **state)
{
    (void)state;
    shell *s = shell_new(1);
    s->conf.rekey.on_leave = POCPF_LEAVE_NEVER;
    shell_boot(s);
    client *alice = shell_client(s, ALICE), *bob = shell_client(s, BOB);
    shell_authenticate(s, alice);
    shell_authenticate(s, bob);
    assert_int_equal(shell_join_only(s, alice), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    go_blind(s);
    shell_expect(s, "SUBSCRIBE " SHELL_GROUP " as " ALICE "\n"
                    "PERSIST\n"
                    "OFFER " ALICE " open 10010001\n"
                    "START 10010001\n"
                    "SERVE " ALICE " multicast");
    assert_int_equal(s->audits[POCPF_AUDIT_BLIND], 1);
    assert_int_equal(shell_join_only(s, bob), POCPF_OK);
    shell_run(s);
    shell_live(s, 60000);
    assert_int_equal(shell_msk(s), SHELL_ID(2));
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_msk(s), SHELL_ID(3));
    assert_int_equal(bob->holds, SHELL_ID(2));
    shell_free(s);
}

/* POC-8: MAY; policy "never". POC-16: nobody's session or service is touched. */
static void a_leave_changes_nothing_under_policy_never(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST");
    assert_int_equal(shell_msk(s), SHELL_ID(1));
    shell_free(s);
}

/* POC-8, POC-9, POC-16: media goes on (no gate), everybody else is offered the new key, the leaver gets nothing. */
static void a_leave_rekeys_the_others_under_policy_always(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ .on_leave = POCPF_LEAVE_ALWAYS });
    shell_client(s, BOB)->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "OFFER " CAROL " rekey 10010002\n"
                    "UPDATE 10010002");
    shell_free(s);
}

/* POC-8 */
static void leaves_within_the_batch_time_make_one_rekey(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ .on_leave = POCPF_LEAVE_BATCH, .leave_batch_ms = 5000 });
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_pass(s, 3000);
    assert_int_equal(shell_depart(s, CAROL, POCPF_LOST), POCPF_OK);
    shell_pass(s, 1999);
    assert_int_equal(shell_msk(s), SHELL_ID(1));
    shell_pass(s, 1);
    assert_int_equal(shell_msk(s), SHELL_ID(2));
    shell_live(s, 60000);
    assert_int_equal(shell_msk(s), SHELL_ID(2));
    shell_free(s);
}

/* POC-10 */
static void an_expulsion_takes_over_the_batch(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ .on_leave = POCPF_LEAVE_BATCH, .leave_batch_ms = 5000 });
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    assert_int_equal(shell_depart(s, CAROL, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_msk(s), SHELL_ID(2));
    shell_live(s, 60000);
    assert_int_equal(shell_msk(s), SHELL_ID(2));
    shell_free(s);
}

/* POC-10: the shell is told to end the session of whom an operator expels. */
static void an_operators_expulsion_also_releases(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ .gate = POCPF_GATE_CONTINUE });
    assert_int_equal(shell_depart(s, BOB, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST\n"
                    "RELEASE " BOB " expel\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "OFFER " CAROL " rekey 10010002\n"
                    "UPDATE 10010002");
    shell_free(s);
}

/* POC-20: Carol was offered key 2 and is expelled before the switch: key 2 never goes on air. */
static void a_second_expulsion_discards_a_key_that_its_subject_may_hold(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    shell_join(s, DAVE);
    s->answers_now = false;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_client(s, CAROL)->holds, SHELL_ID(2));
    shell_forget(s);
    shell_client(s, CAROL)->barred_from = SHELL_ID(3);
    assert_int_equal(shell_depart(s, CAROL, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    s->answers_now = true;
    shell_run(s);
    shell_expect(s, "PERSIST\n"
                    "OFFER " ALICE " rekey 10010003\n"
                    "OFFER " DAVE " rekey 10010003\n"
                    "UPDATE 10010003\n"
                    "GATE open");
    assert_int_equal(s->air_id, SHELL_ID(3));
    shell_free(s);
}

/* POC-20: the window had not reached Carol: she is dropped, the key stays. */
static void a_second_expulsion_before_its_subject_was_offered_keeps_the_key(void **state)
{
    (void)state;
    shell *s = shell_new(1);
    s->set.offer_window = 1;
    shell_boot(s);
    shell_join(s, ALICE);
    shell_join(s, BOB);
    client *carol = shell_join(s, CAROL);
    s->answers_now = false;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_int_equal(carol->holds, SHELL_ID(1));
    carol->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, CAROL, POCPF_REMOVED), POCPF_OK);
    s->answers_now = true;
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_true(shell_client(s, ALICE)->multicast);
    shell_free(s);
}

/* POC-20: the offer stood in the queue, but was not handed out: no key was lost with him. */
static void an_offer_that_was_not_handed_out_is_void_when_its_member_goes(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->answers_now = false;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_client(s, CAROL)->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, CAROL, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    s->answers_now = true;
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* POC-20: a joiner gets the next key only, and hears the channel when it is on air. */
static void a_joiner_during_a_rekey_is_given_the_next_key_only(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->answers_now = false;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    client *dave = shell_join(s, DAVE);
    shell_expect(s, "PERSIST\nOFFER " DAVE " open 10010002");
    shell_answer(s, dave);
    shell_run(s);
    assert_false(dave->multicast);
    s->answers_now = true;
    shell_run(s);
    assert_true(dave->multicast);
    assert_int_equal(dave->offers, 1);
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_member_gets_the_key_before_the_enabler_does),
        cmocka_unit_test(expulsion_gates_records_offers_and_then_switches),
        cmocka_unit_test(holding_overtakes_a_write_and_opening_does_not),
        cmocka_unit_test(an_opening_that_a_hold_has_overtaken_is_void),
        cmocka_unit_test(all_members_are_given_the_same_key),
        cmocka_unit_test(nobody_gets_a_key_before_the_roster_lists_him),
        cmocka_unit_test(without_a_muk_a_client_stays_on_unicast),
        cmocka_unit_test(a_blind_channel_renews_its_key_by_time_and_at_every_departure),
        cmocka_unit_test(a_leave_changes_nothing_under_policy_never),
        cmocka_unit_test(a_leave_rekeys_the_others_under_policy_always),
        cmocka_unit_test(leaves_within_the_batch_time_make_one_rekey),
        cmocka_unit_test(an_expulsion_takes_over_the_batch),
        cmocka_unit_test(an_operators_expulsion_also_releases),
        cmocka_unit_test(a_second_expulsion_discards_a_key_that_its_subject_may_hold),
        cmocka_unit_test(a_second_expulsion_before_its_subject_was_offered_keeps_the_key),
        cmocka_unit_test(an_offer_that_was_not_handed_out_is_void_when_its_member_goes),
        cmocka_unit_test(a_joiner_during_a_rekey_is_given_the_next_key_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
