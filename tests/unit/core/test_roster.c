/* POC-14: how the PF learns that somebody left or was expelled: merging of RFC 4575 documents (digest "PoC" 3.3) and
 * table 3.4 row by row, seen from the public door. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pf/core/model.h"
#include "tests/unit/core/shell.h"

#define EVE "sip:eve@elsewhere.example"

static shell *trio_with(pocpf_on_leave on_leave)
{
    shell *s = shell_new(3);
    s->conf.rekey.on_leave = on_leave;
    shell_boot(s);
    shell_join(s, ALICE);
    shell_join(s, BOB);
    shell_join(s, CAROL);
    shell_forget(s);
    return s;
}

/* Row by row: what a document says about Bob, and whether the key changes under each leave policy. */
typedef struct row {
    const char *what;
    pocpf_conf_state endpoint;
    pocpf_conf_status status;
    pocpf_conf_method method;
    const char *by;
    bool rekeys_never, rekeys_always, is_out;
} row;

static const row rows[] = {
    { "disconnected, booted", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL, true, true, true },
    { "disconnecting, booted", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTING, POCPF_CONF_BOOTED, NULL, true, true, true },
    { "departed", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_DEPARTED, NULL, false, true, true },
    { "departed by himself", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_DEPARTED, BOB, false, true, true },
    { "departed by another", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_DEPARTED, ALICE, true, true, true },
    { "failed with a key", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_FAILED, NULL, true, true, true },
    { "busy with a key", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BUSY, NULL, true, true, true },
    { "no method", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_METHOD_ABSENT, NULL, true, true, true },
    { "disconnecting, not yet why", POCPF_CONF_FULL, POCPF_CONF_DISCONNECTING, POCPF_CONF_METHOD_ABSENT, NULL, false,
      false, false },
    { "endpoint deleted", POCPF_CONF_DELETED, POCPF_CONF_STATUS_ABSENT, POCPF_CONF_METHOD_ABSENT, NULL, true, true,
      true },
    { "on hold", POCPF_CONF_PARTIAL, POCPF_CONF_ON_HOLD, POCPF_CONF_METHOD_ABSENT, NULL, false, false, false },
    { "muted", POCPF_CONF_PARTIAL, POCPF_CONF_MUTED, POCPF_CONF_METHOD_ABSENT, NULL, false, false, false },
    { "status partial, method full", POCPF_CONF_PARTIAL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL, true, true,
      true },
};

static void try_row(const row *r, pocpf_on_leave on_leave, bool rekeys)
{
    shell *s = trio_with(on_leave);
    assert_int_equal(shell_partial(s, BOB, r->endpoint, r->status, r->method, r->by), POCPF_OK);
    shell_run(s);
    if (s->air_id != SHELL_ID(rekeys ? 2 : 1) || (strcmp(shell_member_state(s, BOB), "out") == 0) != r->is_out)
        fail_msg("%s: MSK %08x, Bob is %s", r->what, s->air_id, shell_member_state(s, BOB));
    shell_free(s);
}

/* POC-14, POC-10, POC-8 */
static void every_row_of_the_table_has_its_key_action(void **state)
{
    (void)state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        try_row(&rows[i], POCPF_LEAVE_NEVER, rows[i].rekeys_never);
        try_row(&rows[i], POCPF_LEAVE_ALWAYS, rows[i].rekeys_always);
    }
}

/* POC-14 */
static void a_deleted_user_counts_as_expelled(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    pocpf_conf_user u = { BOB, POCPF_CONF_DELETED, NULL, 0 };
    assert_int_equal(shell_document(s, POCPF_CONF_PARTIAL, &u, 1), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* POC-14 */
static void a_full_document_without_him_counts_as_expelled(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    shell_client(s, BOB)->inside = false;
    shell_full(s);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_EXPELLED], 1);
    shell_free(s);
}

/* POC-14: the trap of digest 3.3: <user> without a state replaces him, and his endpoint is gone. */
static void a_user_row_without_state_in_a_partial_document_replaces_him(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    pocpf_conf_user u = { BOB, POCPF_CONF_FULL, NULL, 0 };
    assert_int_equal(shell_document(s, POCPF_CONF_PARTIAL, &u, 1), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* POC-14, Mode 1: clients of other PFs never had a key of this channel. */
static void whoever_is_not_our_client_needs_no_rekey(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_ALWAYS);
    assert_int_equal(shell_partial(s, EVE, POCPF_CONF_FULL, POCPF_CONF_CONNECTED, POCPF_CONF_METHOD_ABSENT, NULL),
                     POCPF_OK);
    assert_int_equal(shell_partial(s, EVE, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    shell_run(s);
    shell_expect(s, "");
    shell_free(s);
}

/* POC-14 */
static void many_expelled_in_one_document_make_one_rekey(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    pocpf_conf_endpoint gone[2] = {
        { BOB, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL },
        { CAROL, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL },
    };
    pocpf_conf_user users[2] = { { BOB, POCPF_CONF_PARTIAL, &gone[0], 1 }, { CAROL, POCPF_CONF_PARTIAL, &gone[1], 1 } };
    assert_int_equal(shell_document(s, POCPF_CONF_PARTIAL, users, 2), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\nPERSIST\nOFFER " ALICE " rekey 10010002\nUPDATE 10010002\nGATE open");
    shell_free(s);
}

/* Digest "PoC" 3.3 */
static void a_version_gap_asks_for_a_full_document_and_changes_nothing(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    uint32_t version = s->version;
    s->version += 2;
    assert_int_equal(shell_partial(s, BOB, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    shell_run(s);
    shell_expect(s, "SUBSCRIBE " SHELL_GROUP " refresh");
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    s->version = version - 1; /* a repeat is dropped */
    assert_int_equal(shell_partial(s, BOB, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    shell_run(s);
    shell_expect(s, "");
    shell_free(s);
}

/* Digest "PoC" 3.4: HINT */
static void a_count_that_fell_for_no_reason_asks_for_a_full_document(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    pocpf_conference doc = {
        .size = sizeof(doc), .state = POCPF_CONF_PARTIAL, .has_user_count = true, .user_count = 3
    };
    doc.version = ++s->version;
    assert_int_equal(pocpf_conference_info(s->pf, s->now_ms, SHELL_CHANNEL, &doc), POCPF_OK);
    shell_run(s);
    shell_expect(s, "");
    doc.version = ++s->version;
    doc.user_count = 2;
    assert_int_equal(pocpf_conference_info(s->pf, s->now_ms, SHELL_CHANNEL, &doc), POCPF_OK);
    shell_run(s);
    shell_expect(s, "SUBSCRIBE " SHELL_GROUP " refresh");
    shell_free(s);
}

/* Digest "PoC" 3.5: the roster is kept and compared with the new dialog's full document, whatever its version. */
static void a_departure_during_a_lost_subscription_is_found_afterwards(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_RETRY, false, 5000),
                     POCPF_OK);
    shell_pass(s, 4999);
    shell_expect(s, "");
    shell_pass(s, 1);
    shell_expect(s, "SUBSCRIBE " SHELL_GROUP);
    s->version = 0;
    shell_client(s, BOB)->inside = false;
    shell_full(s);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

static void a_subscription_lost_for_a_minute_makes_the_channel_blind(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    for (size_t i = 0; i < 13; i++) {
        assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_RETRY, false, 5000),
                         POCPF_OK);
        shell_pass(s, 5000);
    }
    assert_int_equal(s->audits[POCPF_AUDIT_BLIND], 1);
    s->version = 0;
    shell_full(s);
    shell_run(s);
    assert_int_equal(s->audits[POCPF_AUDIT_SIGHTED], 1);
    shell_free(s);
}

static void a_conference_beyond_the_bound_makes_the_channel_blind(void **state)
{
    (void)state;
    shell *s = shell_new(3);
    s->set.roster_max = 3;
    shell_boot(s);
    shell_join(s, ALICE);
    pocpf_conf_endpoint eps[4] = { { ALICE, 0, POCPF_CONF_CONNECTED, 0, NULL },
                                   { "b", 0, POCPF_CONF_CONNECTED, 0, NULL },
                                   { "c", 0, POCPF_CONF_CONNECTED, 0, NULL },
                                   { "d", 0, POCPF_CONF_CONNECTED, 0, NULL } };
    pocpf_conf_user u = { ALICE, POCPF_CONF_FULL, eps, 4 };
    assert_int_equal(shell_document(s, POCPF_CONF_FULL, &u, 1), POCPF_E_LIMIT);
    shell_run(s);
    assert_int_equal(s->audits[POCPF_AUDIT_BLIND], 1);
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    shell_free(s);
}

/* One device of two leaves: he is still in. One is booted: he is expelled, for we cannot tell which one holds the key. */
static void a_second_device_keeps_a_leaver_in_but_not_an_expelled_one(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_ALWAYS);
    pocpf_conf_endpoint more = { "sip:bob@desk", POCPF_CONF_FULL, POCPF_CONF_CONNECTED, 0, NULL };
    pocpf_conf_user u = { BOB, POCPF_CONF_PARTIAL, &more, 1 };
    assert_int_equal(shell_document(s, POCPF_CONF_PARTIAL, &u, 1), POCPF_OK);
    more.status = POCPF_CONF_DISCONNECTED;
    more.disconnection_method = POCPF_CONF_DEPARTED;
    assert_int_equal(shell_document(s, POCPF_CONF_PARTIAL, &u, 1), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(1));
    more.status = POCPF_CONF_CONNECTED;
    more.disconnection_method = POCPF_CONF_METHOD_ABSENT;
    assert_int_equal(shell_document(s, POCPF_CONF_PARTIAL, &u, 1), POCPF_OK);
    more.status = POCPF_CONF_DISCONNECTED;
    more.disconnection_method = POCPF_CONF_BOOTED;
    assert_int_equal(shell_document(s, POCPF_CONF_PARTIAL, &u, 1), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* The entity is compared octet by octet for the merge, and canonically for the member. */
static void a_member_is_found_behind_uri_parameters(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    const char *entity = "SIP:bob@EXAMPLE.com;user=phone";
    assert_int_equal(shell_partial(s, entity, POCPF_CONF_FULL, POCPF_CONF_CONNECTED, POCPF_CONF_METHOD_ABSENT, NULL),
                     POCPF_OK);
    assert_int_equal(shell_partial(s, entity, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, POCPF_CONF_BOOTED, NULL),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* Digest "PoC" 3.1, order rule: a document alone is not enough, the subscription must be active. */
static void a_document_before_the_subscription_is_active_gives_nobody_a_key(void **state)
{
    (void)state;
    shell *s = shell_new(3);
    shell_boot(s);
    client *alice = shell_client(s, ALICE);
    shell_authenticate(s, alice);
    assert_int_equal(shell_join_only(s, alice), POCPF_OK);
    pocpf_conf_endpoint ep = { ALICE, POCPF_CONF_FULL, POCPF_CONF_CONNECTED, 0, NULL };
    pocpf_conf_user u = { ALICE, POCPF_CONF_FULL, &ep, 1 };
    assert_int_equal(shell_document(s, POCPF_CONF_FULL, &u, 1), POCPF_OK);
    shell_run(s);
    assert_int_equal(alice->offers, 0);
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_ACTIVE, false, 0), POCPF_OK);
    shell_run(s);
    assert_int_equal(alice->offers, 1);
    shell_free(s);
}

/* POC-14, fail-safe: he was given a key while nobody could look, and the focus does not know him. */
static void whoever_is_not_there_when_sight_returns_counts_as_expelled(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_UNSUPPORTED, false, 0),
                     POCPF_OK);
    client *eve = shell_client(s, EVE);
    shell_authenticate(s, eve);
    assert_int_equal(shell_join_only(s, eve), POCPF_OK);
    shell_run(s);
    assert_int_equal(eve->holds, SHELL_ID(1));
    eve->barred_from = SHELL_ID(2);
    eve->inside = false;
    s->version = 0;
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_ACTIVE, true, 0), POCPF_OK);
    shell_full(s);
    shell_run(s);
    assert_string_equal(shell_member_state(s, EVE), "out");
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

static void asking_again_at_once_does_not_run_in_a_circle(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    s->now_ms += 5000;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_RETRY, false, 0),
                         POCPF_OK);
    shell_run(s);
    shell_expect(s, "SUBSCRIBE " SHELL_GROUP);
    shell_pass(s, 1000);
    shell_expect(s, "SUBSCRIBE " SHELL_GROUP);
    shell_free(s);
}

/* A user with more devices than anybody has makes the roster give up, not the processor. */
static void endpoints_of_one_user_are_bounded(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    static char texts[65][8];
    pocpf_conf_endpoint eps[65];
    for (size_t i = 0; i < 65; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "e%zu", i);
        eps[i] = (pocpf_conf_endpoint){ texts[i], POCPF_CONF_FULL, POCPF_CONF_CONNECTED, 0, NULL };
    }
    pocpf_conf_user u = { EVE, POCPF_CONF_PARTIAL, eps, 65 };
    assert_int_equal(shell_document(s, POCPF_CONF_PARTIAL, &u, 1), POCPF_E_LIMIT);
    shell_free(s);
}

/* POC-20: the roster still lists the one who was removed a moment ago; that is no reason to let him in again. */
static void an_old_row_does_not_let_an_expelled_one_in_again(void **state)
{
    (void)state;
    shell *s = trio_with(POCPF_LEAVE_NEVER);
    client *bob = shell_client(s, BOB);
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_join_only(s, bob), POCPF_OK);
    shell_run(s);
    assert_int_equal(bob->holds, SHELL_ID(1));
    assert_string_equal(shell_member_state(s, BOB), "waiting");
    assert_int_equal(shell_partial(s, BOB, POCPF_CONF_FULL, POCPF_CONF_CONNECTED, POCPF_CONF_METHOD_ABSENT, NULL),
                     POCPF_OK);
    shell_run(s);
    assert_int_equal(bob->holds, SHELL_ID(2));
    shell_free(s);
}

/* The classification alone, over everything it can be asked: whoever was never in and holds no key forces nothing. */
static void a_stranger_is_classified_as_nothing_whatever_is_said(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2u * 10 * 5 * 2; i++) {
        roster_observation seen = { .removed = i % 2,
                                    .status = (core_conf_status)(i / 2 % 10),
                                    .method = (core_conf_method)(i / 20 % 5),
                                    .by_other = i / 100 };
        assert_int_equal(roster_classify(&seen), CLASS_NONE);
        seen.was_in = true;
        bool is_gone = seen.removed || seen.status == CORE_STATUS_DISCONNECTED ||
                       (seen.status == CORE_STATUS_DISCONNECTING && seen.method != CORE_METHOD_ABSENT);
        assert_int_equal(roster_classify(&seen) != CLASS_NONE, is_gone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_has_its_key_action),
        cmocka_unit_test(a_deleted_user_counts_as_expelled),
        cmocka_unit_test(a_full_document_without_him_counts_as_expelled),
        cmocka_unit_test(a_user_row_without_state_in_a_partial_document_replaces_him),
        cmocka_unit_test(whoever_is_not_our_client_needs_no_rekey),
        cmocka_unit_test(many_expelled_in_one_document_make_one_rekey),
        cmocka_unit_test(a_version_gap_asks_for_a_full_document_and_changes_nothing),
        cmocka_unit_test(a_count_that_fell_for_no_reason_asks_for_a_full_document),
        cmocka_unit_test(a_departure_during_a_lost_subscription_is_found_afterwards),
        cmocka_unit_test(a_subscription_lost_for_a_minute_makes_the_channel_blind),
        cmocka_unit_test(a_conference_beyond_the_bound_makes_the_channel_blind),
        cmocka_unit_test(a_second_device_keeps_a_leaver_in_but_not_an_expelled_one),
        cmocka_unit_test(a_member_is_found_behind_uri_parameters),
        cmocka_unit_test(a_document_before_the_subscription_is_active_gives_nobody_a_key),
        cmocka_unit_test(whoever_is_not_there_when_sight_returns_counts_as_expelled),
        cmocka_unit_test(asking_again_at_once_does_not_run_in_a_circle),
        cmocka_unit_test(endpoints_of_one_user_are_bounded),
        cmocka_unit_test(an_old_row_does_not_let_an_expelled_one_in_again),
        cmocka_unit_test(a_stranger_is_classified_as_nothing_whatever_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
