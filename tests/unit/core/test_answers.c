/* What members answer, or do not, as ladders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

/* POC-21, POC-22: the switch waits for the last answer or the deadline; who is silent is served by unicast. */
static void a_silent_member_delays_the_switch_to_the_deadline_and_is_tried_again(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *carol = shell_client(s, CAROL);
    carol->habit = CLIENT_SILENT;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_state(s), "rekeying");
    assert_true(carol->multicast);
    shell_pass(s, 1999);
    assert_int_equal(s->air_id, SHELL_ID(1));
    shell_forget(s);
    shell_pass(s, 1);
    shell_expect(s, "UPDATE 10010002\nGATE open\nSERVE " CAROL " unicast");
    int64_t at = s->now_ms;
    static const int64_t waits_ms[] = { 1000, 2000, 4000, 8000, 16000, 32000, 32000 };
    for (size_t i = 0; i < 7; i++) {
        uint32_t before = carol->offers;
        shell_live(s, waits_ms[i] - 1);
        assert_int_equal(carol->offers, before);
        shell_live(s, 1);
        assert_int_equal(carol->offers, before + 1);
        shell_live(s, 2000); /* her time to answer */
    }
    assert_true(s->now_ms > at);
    carol->habit = CLIENT_ACCEPTS;
    shell_live(s, 40000);
    assert_true(carol->multicast);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* POC-21 */
static void a_late_answer_is_as_good_as_a_timely_one(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *carol = shell_client(s, CAROL);
    s->answers_now = false;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    shell_answer(s, shell_client(s, ALICE));
    shell_pass(s, 2000);
    assert_false(carol->multicast);
    shell_answer(s, carol);
    shell_run(s);
    assert_true(carol->multicast);
    assert_int_equal(carol->offers, 2);
    shell_free(s);
}

static void refusal_ends_in_unicast(client_habit habit)
{
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *carol = shell_client(s, CAROL);
    carol->habit = habit;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "OFFER " CAROL " rekey 10010002\n"
                    "SERVE " CAROL " unicast\n"
                    "OFFER " CAROL " withdraw 00000000\n"
                    "UPDATE 10010002\n"
                    "GATE open");
    assert_string_equal(shell_member_state(s, CAROL), "unicast");
    shell_free(s);
}

/* POC-21, POC-22: 488, a wrong answer, a verification that does not hold or is missing: the lines are taken away. */
static void whoever_refuses_a_key_goes_on_by_unicast(void **state)
{
    (void)state;
    refusal_ends_in_unicast(CLIENT_REFUSES);
    refusal_ends_in_unicast(CLIENT_WRONG);
    refusal_ends_in_unicast(CLIENT_BAD_VERIFICATION);
    refusal_ends_in_unicast(CLIENT_NO_VERIFICATION);
}

/* POC-22: strict reading of RFC 4567. */
static void a_refusal_ends_the_session_where_the_policy_says_so(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ .on_refusal = POCPF_REFUSAL_RELEASE });
    shell_client(s, CAROL)->habit = CLIENT_REFUSES;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_true(shell_client(s, CAROL)->released);
    assert_string_equal(shell_member_state(s, CAROL), "out");
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* POC-21 */
static void a_client_that_declines_the_lines_stays_on_unicast_until_it_wants_them(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *carol = shell_client(s, CAROL);
    carol->habit = CLIENT_UNICAST;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_member_state(s, CAROL), "unicast");
    carol->habit = CLIENT_ACCEPTS;
    assert_int_equal(pocpf_member_bearer(s->pf, s->now_ms, SHELL_CHANNEL, CAROL, true), POCPF_OK);
    shell_run(s);
    assert_true(carol->multicast);
    assert_int_equal(pocpf_member_bearer(s->pf, s->now_ms, SHELL_CHANNEL, CAROL, false), POCPF_OK);
    shell_run(s);
    assert_false(carol->multicast);
    shell_free(s);
}

static void a_dead_dialog_counts_as_left(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    shell_client(s, CAROL)->habit = CLIENT_GONE;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_member_state(s, CAROL), "out");
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_LEFT], 1);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_member_delays_the_switch_to_the_deadline_and_is_tried_again),
        cmocka_unit_test(a_late_answer_is_as_good_as_a_timely_one),
        cmocka_unit_test(whoever_refuses_a_key_goes_on_by_unicast),
        cmocka_unit_test(a_refusal_ends_the_session_where_the_policy_says_so),
        cmocka_unit_test(a_client_that_declines_the_lines_stays_on_unicast_until_it_wants_them),
        cmocka_unit_test(a_dead_dialog_counts_as_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
