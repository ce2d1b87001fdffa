/* The ends of sessions and channels, failures, restarts and further reasons to rekey, as ladders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

/* POC-14: own dialog and NOTIFY, in either order. */
static void one_departure_seen_twice_makes_one_rekey(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_partial(s, BOB, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, ALICE),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_int_equal(shell_partial(s, CAROL, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTING, POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    assert_int_equal(shell_partial(s, CAROL, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_depart(s, CAROL, POCPF_REMOVED), POCPF_E_STATE);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(3));
    shell_free(s);
}

/* POC-14: he sent BYE, but the focus says that another made him go: he was expelled, and keeps his key no longer. */
static void a_leave_that_was_an_expulsion_rekeys_when_the_focus_says_so(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    shell_client(s, BOB)->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(1));
    assert_int_equal(shell_partial(s, BOB, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_DEPARTED, ALICE),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* POC-23: the focus boots everybody and then says that the session is over. */
static void the_end_of_the_session_cancels_the_rekey(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->answers_now = false;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    while (s->line_count == 0 && shell_step(s))
        ;
    shell_forget(s); /* GATE hold is out, the offers are not */
    assert_int_equal(shell_document(s, POCPF_CONF_DELETED, NULL, 0), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST\nSTOP\nGATE open\nUNSUBSCRIBE");
    assert_int_equal(s->audits[POCPF_AUDIT_REKEY_CANCELLED], 1);
    assert_string_equal(shell_state(s), "idle");
    assert_int_equal(shell_msk(s), 0);
    assert_int_equal(shell_depart(s, ALICE, POCPF_REMOVED), POCPF_E_STATE);
    shell_free(s);
}

/* POC-23 */
static void a_subscription_that_ends_for_want_of_the_session_stops_the_channel(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_ENDED, false, 0), POCPF_OK);
    shell_run(s);
    shell_expect(s, "STOP\nUNSUBSCRIBE\nPERSIST");
    assert_int_equal(s->store.count, 4); /* the key group and three users: no members */
    shell_free(s);
}

static void when_nobody_is_left_the_channel_stops(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, ALICE, POCPF_LEFT), POCPF_OK);
    assert_int_equal(shell_depart(s, BOB, POCPF_LEFT), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    assert_int_equal(shell_depart(s, CAROL, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "STOP\nPERSIST\nUNSUBSCRIBE");
    assert_string_equal(shell_state(s), "idle");
    shell_free(s);
}

/* Digest "PoC" 3.4, last lines: no denial of service by being turned away. */
static void a_stranger_who_was_never_connected_forces_no_rekey(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *dave = shell_client(s, DAVE);
    shell_authenticate(s, dave);
    assert_int_equal(shell_join_only(s, dave), POCPF_OK);
    assert_int_equal(shell_depart(s, DAVE, POCPF_REMOVED), POCPF_OK);
    assert_int_equal(shell_partial(s, DAVE, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(1));
    assert_int_equal(dave->offers, 0);
    shell_free(s);
}

/* POC-13: fail closed. */
static void without_an_enabler_everybody_hears_by_unicast(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(pocpf_enabler_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_ENABLER_DOWN), POCPF_OK);
    shell_run(s);
    shell_expect(s, "STOP\n"
                    "SERVE " ALICE " unicast\n"
                    "SERVE " BOB " unicast\n"
                    "SERVE " CAROL " unicast");
    assert_string_equal(shell_state(s), "failed");
    shell_pass(s, 4999);
    assert_int_equal(s->air_id, 0);
    shell_pass(s, 1);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_true(shell_client(s, BOB)->multicast);
    assert_int_equal(pocpf_enabler_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_ENABLER_FAILED), POCPF_OK);
    assert_int_equal(pocpf_enabler_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_ENABLER_UP), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(3));
    shell_free(s);
}

/* POC-13: a channel whose enabler never starts serves nobody by multicast. */
static void nobody_is_sent_to_multicast_before_the_enabler_started(void **state)
{
    (void)state;
    shell *s = shell_new(1);
    s->enabler_answers = false;
    shell_boot(s);
    client *alice = shell_join(s, ALICE);
    assert_int_equal(alice->offers, 1);
    assert_false(alice->multicast);
    assert_string_equal(shell_state(s), "starting");
    assert_int_equal(pocpf_enabler_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_ENABLER_STARTED), POCPF_OK);
    shell_run(s);
    assert_true(alice->multicast);
    shell_free(s);
}

/* POC-10: before anything is on air the key is changed too. */
static void an_expulsion_while_starting_makes_another_key(void **state)
{
    (void)state;
    shell *s = shell_new(1);
    s->answers_now = false;
    shell_boot(s);
    shell_join(s, ALICE);
    shell_join(s, BOB);
    assert_int_equal(shell_client(s, BOB)->holds, SHELL_ID(1));
    shell_client(s, BOB)->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    s->answers_now = true;
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

static void a_record_that_cannot_be_written_takes_the_channel_off_air(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->store_fails = true;
    shell_client(s, BOB)->barred_from = 1;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "STOP\n"
                    "GATE open\n"
                    "SERVE " ALICE " unicast\n"
                    "SERVE " CAROL " unicast");
    assert_int_equal(s->audits[POCPF_AUDIT_STORE_FAILED], 1);
    s->store_fails = false;
    shell_live(s, 10000);
    assert_int_equal(s->air_id, SHELL_ID(3)); /* 2 was made, and will not be made again */
    assert_true(shell_client(s, CAROL)->multicast);
    shell_crash(s);
    assert_string_equal(shell_member_state(s, BOB), "out");
    shell_free(s);
}

/* Walk F */
static void after_a_restart_everybody_gets_a_fresh_key_once_the_roster_is_known(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    uint32_t counter = shell_client(s, ALICE)->counter;
    shell_crash(s);
    shell_forget(s);
    shell_run(s);
    for (size_t i = 0; i < s->line_count; i++)
        assert_null(strstr(s->lines[i], "OFFER"));
    assert_int_equal(s->counts[POCPF_DO_RESTORED], 2);
    shell_forget(s);
    shell_full(s);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(3));
    assert_true(shell_client(s, ALICE)->counter > counter);
    assert_true(shell_client(s, ALICE)->multicast && shell_client(s, CAROL)->multicast);
    assert_int_equal(shell_client(s, BOB)->holds, SHELL_ID(1));
    shell_free(s);
}

/* Digest "GBA" 4.2: never 0, never reused. */
static void a_used_up_key_group_stops_the_channel(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    const uint8_t key[] = { 'g', 0x00, 0xF1, 0x10, 0x10, 0x01 };
    shell_record *r = poc_table_get(&s->store, poc_span_of(key, sizeof(key)));
    assert_non_null(r);
    r->value[1] = 0xFF;
    r->value[2] = 0xFE;
    shell_crash(s);
    shell_full(s);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(0xFFFF));
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, 0);
    assert_string_equal(shell_state(s), "failed");
    assert_int_equal(pocpf_deadline_ms(s->pf), INT64_MAX); /* no retry: an operator must assign a new group */
    assert_int_equal(pocpf_enabler_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_ENABLER_UP), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_state(s), "failed");
    shell_free(s);
}

/* POC-3, POC-4, digest "GBA" 4.1: a new MUK is used from the next message on, with its own counter. */
static void a_new_muk_is_used_for_the_next_key_and_counts_from_one(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *carol = shell_client(s, CAROL);
    shell_authenticate(s, carol);
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_int_equal(carol->counter, 1);
    assert_int_equal(carol->holds, SHELL_ID(2));
    pocpf_credential again = { sizeof(again), carol->name, carol->btid, carol->muk, s->now_ms + 86400000 };
    assert_int_equal(pocpf_authenticated(s->pf, s->now_ms, &again), POCPF_OK);
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_int_equal(carol->counter, 2); /* the same MUK goes on counting */
    shell_free(s);
}

static void a_muk_that_is_replaced_before_its_offer_left_seals_nothing(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_authenticate(s, shell_client(s, CAROL)); /* her offer stands in the queue */
    shell_run(s);
    assert_int_equal(shell_client(s, CAROL)->holds, SHELL_ID(2));
    assert_int_equal(shell_client(s, CAROL)->counter, 1);
    shell_free(s);
}

/* POC-5 */
static void an_expired_muk_means_unicast_at_the_next_key(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *carol = shell_client(s, CAROL);
    s->now_ms += 86400000;
    for (size_t i = 0; i < 2; i++)
        shell_authenticate(s, s->clients[i]);
    assert_true(carol->multicast);
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_false(carol->multicast);
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_UNICAST], 1);
    shell_authenticate(s, carol);
    shell_run(s);
    assert_true(carol->multicast);
    shell_free(s);
}

/* POC-12: further cases are configuration, off by default. */
static void further_rekeys_are_off_by_default(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    shell_join(s, DAVE);
    assert_int_equal(pocpf_mtk_made(s->pf, s->now_ms, SHELL_CHANNEL, SHELL_ID(1), 64999), POCPF_OK);
    shell_live(s, 7 * 86400000LL);
    assert_int_equal(shell_msk(s), SHELL_ID(1));
    assert_int_equal(pocpf_mtk_made(s->pf, s->now_ms, SHELL_CHANNEL, SHELL_ID(1), 65000), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->audits[POCPF_AUDIT_REKEY_STARTED], 1); /* before the MTK IDs run out */
    shell_free(s);
}

/* POC-12 */
static void a_join_an_age_and_a_count_rekey_where_the_policy_says_so(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ .on_join = true, .interval_s = 600, .max_mtk = 100 });
    assert_int_equal(shell_msk(s), SHELL_ID(3)); /* the second and the third joiner */
    client *dave = shell_join(s, DAVE);
    assert_int_equal(shell_msk(s), SHELL_ID(4));
    assert_int_equal(dave->offers, 1);
    shell_live(s, 599999);
    assert_int_equal(shell_msk(s), SHELL_ID(4));
    shell_live(s, 1);
    assert_int_equal(shell_msk(s), SHELL_ID(5));
    assert_int_equal(pocpf_mtk_made(s->pf, s->now_ms, SHELL_CHANNEL, SHELL_ID(4), 100), POCPF_OK);
    assert_int_equal(pocpf_mtk_made(s->pf, s->now_ms, SHELL_CHANNEL, SHELL_ID(5), 99), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_msk(s), SHELL_ID(5));
    assert_int_equal(pocpf_mtk_made(s->pf, s->now_ms, SHELL_CHANNEL, SHELL_ID(5), 100), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_msk(s), SHELL_ID(6));
    shell_free(s);
}

static void a_rekey_asked_for_during_a_rekey_runs_once_after_it(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->answers_now = false;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    s->answers_now = true;
    shell_run(s);
    assert_int_equal(shell_msk(s), SHELL_ID(3));
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, "elsewhere"), POCPF_E_STATE);
    shell_free(s);
}

static void a_stopped_channel_takes_the_multicast_lines_back(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    assert_int_equal(pocpf_channel_stop(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    shell_expect(s, "STOP\n"
                    "UNSUBSCRIBE\n"
                    "SERVE " ALICE " unicast\n"
                    "OFFER " ALICE " withdraw 00000000\n"
                    "SERVE " BOB " unicast\n"
                    "OFFER " BOB " withdraw 00000000\n"
                    "SERVE " CAROL " unicast\n"
                    "OFFER " CAROL " withdraw 00000000");
    assert_string_equal(shell_state(s), "stopped");
    assert_int_equal(pocpf_channel_stop(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_E_STATE);
    assert_int_equal(pocpf_channel_add(s->pf, s->now_ms, &s->conf), POCPF_OK); /* and comes back */
    s->version = 0;
    shell_full(s);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_true(shell_client(s, BOB)->multicast);
    shell_free(s);
}

/* House 5.1: no effect behind a PERSIST happens before the records are safe. */
static void nothing_is_handed_out_while_a_write_is_under_way(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->store_holds = true;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\nPERSIST");
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    assert_false(shell_step(s));
    s->store_holds = false;
    assert_int_equal(pocpf_persisted(s->pf, s->now_ms, true), POCPF_OK);
    assert_int_equal(pocpf_persisted(s->pf, s->now_ms, true), POCPF_E_STATE);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(3));
    shell_free(s);
}

/* The same run gives the same text. */
static void the_audit_log_tells_the_story(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    s->log_audits = true;
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "OFFER " CAROL " rekey 10010002\n"
                    "AUDIT member_expelled " BOB " expel 00000000 0/0 -\n"
                    "AUDIT rekey_started - expel 10010002 2/2 -\n"
                    "AUDIT member_confirmed " ALICE " none 10010002 0/0 -\n"
                    "UPDATE 10010002\n"
                    "GATE open\n"
                    "AUDIT member_confirmed " CAROL " none 10010002 0/0 -\n"
                    "AUDIT rekey_switched - expel 10010002 2/2 -");
    assert_int_equal(pocpf_member_bearer(s->pf, s->now_ms, SHELL_CHANNEL, ALICE, true), POCPF_E_STATE);
    shell_run(s);
    shell_expect(s, "AUDIT refused " ALICE " none 00000000 0/0 bearer_on");
    shell_free(s);
}

static void bad_calls_change_nothing(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    pocpf_channel conf = s->conf;
    assert_int_equal(pocpf_channel_add(s->pf, s->now_ms, &conf), POCPF_E_STATE);
    conf.id = "other"; /* but the same key group */
    assert_int_equal(pocpf_channel_add(s->pf, s->now_ms, &conf), POCPF_E_STATE);
    conf.key_group = 9;
    conf.rekey.deadline_ms = 32001;
    assert_int_equal(pocpf_channel_add(s->pf, s->now_ms, &conf), POCPF_E_INPUT);
    conf = s->conf;
    conf.key_group = 9;
    assert_int_equal(pocpf_channel_change(s->pf, s->now_ms, &conf), POCPF_E_STATE);
    assert_int_equal(shell_join_only(s, shell_client(s, ALICE)), POCPF_E_STATE);
    assert_int_equal(shell_depart(s, DAVE, POCPF_LEFT), POCPF_E_STATE);
    assert_int_equal(pocpf_offer_answered(s->pf, s->now_ms, SHELL_CHANNEL, ALICE, 99, POCPF_ANSWER_ACCEPTED, NULL, 0),
                     POCPF_E_STATE);
    shell_run(s);
    shell_expect(s, "");
    pocpf_settings set = s->set;
    pocpf *pf;
    set.naf_id_len = 5;
    assert_int_equal(pocpf_new(&pf, &s->host, &set), POCPF_E_INPUT);
    assert_null(pf);
    shell_free(s);
}

/* Every secret of an engine dies with it. */
static void nothing_secret_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(poc_secret_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_departure_seen_twice_makes_one_rekey),
        cmocka_unit_test(a_leave_that_was_an_expulsion_rekeys_when_the_focus_says_so),
        cmocka_unit_test(the_end_of_the_session_cancels_the_rekey),
        cmocka_unit_test(a_subscription_that_ends_for_want_of_the_session_stops_the_channel),
        cmocka_unit_test(when_nobody_is_left_the_channel_stops),
        cmocka_unit_test(a_stranger_who_was_never_connected_forces_no_rekey),
        cmocka_unit_test(without_an_enabler_everybody_hears_by_unicast),
        cmocka_unit_test(nobody_is_sent_to_multicast_before_the_enabler_started),
        cmocka_unit_test(an_expulsion_while_starting_makes_another_key),
        cmocka_unit_test(a_record_that_cannot_be_written_takes_the_channel_off_air),
        cmocka_unit_test(after_a_restart_everybody_gets_a_fresh_key_once_the_roster_is_known),
        cmocka_unit_test(a_used_up_key_group_stops_the_channel),
        cmocka_unit_test(a_new_muk_is_used_for_the_next_key_and_counts_from_one),
        cmocka_unit_test(a_muk_that_is_replaced_before_its_offer_left_seals_nothing),
        cmocka_unit_test(an_expired_muk_means_unicast_at_the_next_key),
        cmocka_unit_test(further_rekeys_are_off_by_default),
        cmocka_unit_test(a_join_an_age_and_a_count_rekey_where_the_policy_says_so),
        cmocka_unit_test(a_rekey_asked_for_during_a_rekey_runs_once_after_it),
        cmocka_unit_test(a_stopped_channel_takes_the_multicast_lines_back),
        cmocka_unit_test(nothing_is_handed_out_while_a_write_is_under_way),
        cmocka_unit_test(the_audit_log_tells_the_story),
        cmocka_unit_test(bad_calls_change_nothing),
        cmocka_unit_test(nothing_secret_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
