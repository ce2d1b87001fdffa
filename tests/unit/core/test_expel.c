/* Expulsions of those who are no members, or not under the name that is given: who left with the key, who will come, who has
 * come back. What he holds must not stay alive, and he must not come in again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

#define EVE "sip:eve@example.com"

/* He hears nothing under a later key, and the operator is told this. */
static void expel(shell *s, const char *name, bool was_member, bool rekeyed)
{
    pocpf_expulsion done = { .size = sizeof(done) };
    client *c = shell_client(s, name);
    c->barred_from = s->highest_id + 1;
    c->expelled = true;
    assert_int_equal(pocpf_expel(s->pf, s->now_ms, SHELL_CHANNEL, name, &done), POCPF_OK);
    assert_int_equal(done.was_member, was_member);
    assert_int_equal(done.rekeyed, rekeyed);
    assert_true(done.barred);
}

static shell *service(void)
{
    shell *s = shell_new(3);
    s->conf.group_uri = NULL;
    s->conf.rekey.delivery = POCPF_BY_PUSH;
    shell_boot(s);
    return s;
}

/* POC-10, POC-17: a radio that is stolen after it left still has the live key in it. */
static void who_left_with_the_key_and_is_expelled_then_is_locked_out(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(1));
    shell_forget(s);
    expel(s, BOB, false, true);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "OFFER " CAROL " rekey 10010002\n"
                    "UPDATE 10010002\n"
                    "GATE open");
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_EXPELLED], 1);
    assert_true(shell_has_bar(s, shell_client(s, BOB)));
    shell_free(s);
}

/* POC-8, POC-10: the leave alone costs nothing, and so does whoever never was there, as long as nobody left. */
static void who_was_never_seen_is_barred_and_costs_no_rekey_before_somebody_has_left(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    expel(s, DAVE, false, false);
    shell_run(s);
    shell_expect(s, "PERSIST");
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    expel(s, EVE, false, true); /* she could be another name of his */
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

static void to_expel_somebody_twice_changes_nothing_more(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    expel(s, BOB, false, true);
    expel(s, BOB, false, true); /* the same rekey */
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    expel(s, BOB, false, false);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    expel(s, CAROL, true, true);
    shell_run(s);
    expel(s, CAROL, false, false);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(3));
    shell_free(s);
}

/* POC-17: the focus has no part in what the operator decided. */
static void a_session_does_not_lift_the_bar_of_the_operator(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *bob = shell_client(s, BOB), *dave = shell_client(s, DAVE);
    expel(s, BOB, true, true);
    shell_run(s);
    assert_true(bob->released);
    expel(s, DAVE, false, false);
    shell_run(s);
    shell_authenticate(s, dave);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(shell_join_only(s, bob), POCPF_E_DENIED);
        assert_int_equal(shell_join_only(s, dave), POCPF_E_DENIED);
        assert_int_equal(pocpf_join_check(s->pf, SHELL_CHANNEL, DAVE), POCPF_E_DENIED);
        assert_int_equal(shell_register_only(s, dave), POCPF_E_DENIED);
        shell_crash(s);
        shell_run(s);
        shell_authenticate(s, dave);
    }
    assert_int_equal(pocpf_join_check(s->pf, SHELL_CHANNEL, ALICE), POCPF_OK);
    assert_int_equal(pocpf_join_check(s->pf, "none", ALICE), POCPF_E_STATE);
    assert_int_equal(pocpf_admit(s->pf, s->now_ms, SHELL_CHANNEL, DAVE), POCPF_OK);
    shell_run(s);
    shell_crash(s);
    shell_run(s);
    s->version = 0;
    shell_join(s, DAVE);
    assert_string_equal(shell_member_state(s, DAVE), "keyed");
    shell_free(s);
}

/* What the focus took back the operator has not: and the other way round nothing gets weaker. */
static void a_bar_that_was_the_focus_s_becomes_the_operator_s(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    expel(s, BOB, false, false);
    shell_run(s);
    shell_crash(s);
    shell_run(s);
    assert_int_equal(shell_join_only(s, shell_client(s, BOB)), POCPF_E_DENIED);
    assert_int_equal(pocpf_member_departed(s->pf, s->now_ms, SHELL_CHANNEL, BOB, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_join_only(s, shell_client(s, BOB)), POCPF_E_DENIED);
    shell_free(s);
}

/* POC-20: he was given the next key before he left: that one must not go on air either. */
static void who_left_with_the_next_key_keeps_it_from_the_air(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->answers_now = false;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_client(s, BOB)->holds, SHELL_ID(2));
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    expel(s, BOB, false, true);
    s->answers_now = true;
    shell_run(s);
    assert_int_equal(s->audits[POCPF_AUDIT_REKEY_CANCELLED], 1);
    assert_int_equal(s->air_id, SHELL_ID(3));
    shell_free(s);
}

/* POC-13: nor does the first one, when it was handed out and is not on air yet. */
static void who_left_before_the_channel_was_on_air_does_not_know_its_key(void **state)
{
    (void)state;
    shell *s = service();
    client *bob = shell_client(s, BOB);
    s->answers_now = false;
    shell_register(s, ALICE);
    shell_register(s, BOB);
    assert_int_equal(bob->holds, SHELL_ID(1));
    assert_int_equal(pocpf_deregistered(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_OK);
    expel(s, BOB, false, true);
    s->answers_now = true;
    shell_run(s);
    shell_live(s, 10000);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_int_equal(shell_client(s, ALICE)->holds, SHELL_ID(2));
    shell_free(s);
}

static void where_there_is_no_key_an_expulsion_is_a_bar(void **state)
{
    (void)state;
    shell *s = service();
    client *bob = shell_client(s, BOB);
    expel(s, BOB, false, false);
    shell_run(s);
    shell_expect(s, "PERSIST");
    shell_crash(s);
    shell_run(s);
    shell_authenticate(s, bob);
    assert_int_equal(shell_register_only(s, bob), POCPF_E_DENIED);
    pocpf_expulsion done = { .size = sizeof(done) };
    assert_int_equal(pocpf_expel(s->pf, s->now_ms, "none", BOB, &done), POCPF_E_STATE);
    assert_int_equal(pocpf_expel(s->pf, s->now_ms, SHELL_CHANNEL, "", &done), POCPF_E_INPUT);
    done.size--;
    assert_int_equal(pocpf_expel(s->pf, s->now_ms, SHELL_CHANNEL, BOB, &done), POCPF_E_INPUT);
    shell_free(s);
}

/* MBMS-8: by push as by session, and the engine's older call does the same for whoever is no member. */
static void who_deregistered_with_the_key_and_is_expelled_then_is_locked_out(void **state)
{
    (void)state;
    shell *s = service();
    shell_register(s, ALICE);
    shell_register(s, BOB);
    assert_int_equal(pocpf_deregistered(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    shell_client(s, BOB)->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "PUSH " ALICE " 10010002\n"
                    "UPDATE 10010002\n"
                    "GATE open");
    assert_int_equal(shell_register_only(s, shell_client(s, BOB)), POCPF_E_DENIED);
    shell_free(s);
}

/* POC-14, POC-17: he comes back without having been given anything yet, and the focus ends his session at once. */
static void who_came_back_and_was_turned_away_loses_the_key_that_he_left_with(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    shell_client(s, BOB)->inside = false;
    shell_full(s);
    assert_int_equal(shell_join_only(s, shell_client(s, BOB)), POCPF_OK);
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_int_equal(shell_client(s, BOB)->holds, SHELL_ID(1));
    shell_free(s);
}

/* POC-14: the session of the PoC clients ended and another began, the channel went on with those who are registered. */
static void a_leaver_whom_a_later_session_boots_is_locked_out(void **state)
{
    (void)state;
    shell *s = shell_new(4);
    s->conf.rekey.delivery = POCPF_BY_SIP | POCPF_BY_PUSH;
    shell_boot(s);
    shell_join(s, BOB);
    shell_register(s, ALICE);
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    s->version = 0;
    shell_join(s, CAROL);
    assert_int_equal(s->air_id, SHELL_ID(1));
    assert_int_equal(shell_partial(s, "sip:foreign@elsewhere.example", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED,
                                   POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(1));
    assert_int_equal(shell_partial(s, BOB, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_int_equal(shell_register_only(s, shell_client(s, BOB)), POCPF_E_DENIED);
    shell_free(s);
}

/* POC-17: the channel was not configured when the engine started, and comes back by a reload. */
static void bars_wait_for_their_channel(void **state)
{
    (void)state;
    shell *s = shell_new(6);
    s->set.members_max = 2;
    shell_boot(s);
    expel(s, BOB, false, false);
    shell_run(s);
    pocpf_channel back = s->conf;
    s->conf.id = "other";
    shell_crash(s);
    s->conf = back;
    back.key_group++; /* the other one has this */
    assert_int_equal(pocpf_join_check(s->pf, SHELL_CHANNEL, BOB), POCPF_E_STATE);
    assert_int_equal(pocpf_channel_add(s->pf, s->now_ms, &back), POCPF_OK);
    shell_authenticate(s, shell_client(s, BOB));
    assert_int_equal(shell_join_only(s, shell_client(s, BOB)), POCPF_E_DENIED);
    expel(s, CAROL, false, false);
    pocpf_expulsion done = { .size = sizeof(done) };
    assert_int_equal(pocpf_expel(s->pf, s->now_ms, SHELL_CHANNEL, DAVE, &done), POCPF_OK);
    assert_false(done.barred); /* it counts as before */
    assert_int_equal(pocpf_admit(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_OK);
    shell_run(s);
    assert_false(shell_has_bar(s, shell_client(s, BOB)));
    shell_free(s);
}

/* The one who did not fit in could be anybody. */
static void a_list_of_bars_that_lost_one_of_the_operator_s_lets_nobody_new_in(void **state)
{
    (void)state;
    shell *s = shell_new(5);
    s->set.members_max = 2;
    shell_boot(s);
    shell_join(s, ALICE);
    expel(s, BOB, false, false);
    expel(s, CAROL, false, false);
    assert_int_equal(pocpf_join_check(s->pf, SHELL_CHANNEL, DAVE), POCPF_OK);
    pocpf_expulsion done = { .size = sizeof(done) };
    assert_int_equal(pocpf_expel(s->pf, s->now_ms, SHELL_CHANNEL, EVE, &done), POCPF_OK);
    assert_false(done.barred);
    shell_run(s);
    assert_int_equal(pocpf_join_check(s->pf, SHELL_CHANNEL, DAVE), POCPF_E_LIMIT);
    shell_authenticate(s, shell_client(s, DAVE));
    assert_int_equal(shell_join_only(s, shell_client(s, DAVE)), POCPF_E_LIMIT);
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_left_with_the_key_and_is_expelled_then_is_locked_out),
        cmocka_unit_test(who_was_never_seen_is_barred_and_costs_no_rekey_before_somebody_has_left),
        cmocka_unit_test(to_expel_somebody_twice_changes_nothing_more),
        cmocka_unit_test(a_session_does_not_lift_the_bar_of_the_operator),
        cmocka_unit_test(a_bar_that_was_the_focus_s_becomes_the_operator_s),
        cmocka_unit_test(who_left_with_the_next_key_keeps_it_from_the_air),
        cmocka_unit_test(who_left_before_the_channel_was_on_air_does_not_know_its_key),
        cmocka_unit_test(where_there_is_no_key_an_expulsion_is_a_bar),
        cmocka_unit_test(who_deregistered_with_the_key_and_is_expelled_then_is_locked_out),
        cmocka_unit_test(who_came_back_and_was_turned_away_loses_the_key_that_he_left_with),
        cmocka_unit_test(a_leaver_whom_a_later_session_boots_is_locked_out),
        cmocka_unit_test(bars_wait_for_their_channel),
        cmocka_unit_test(a_list_of_bars_that_lost_one_of_the_operator_s_lets_nobody_new_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
