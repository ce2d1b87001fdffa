/* Keys and those who shall not have them: ways round the roster, round a bar and round a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

static shell *service(void)
{
    shell *s = shell_new(3);
    s->conf.group_uri = NULL;
    s->conf.rekey.delivery = POCPF_BY_PUSH;
    shell_boot(s);
    return s;
}

/* ---- round the roster ---- */

/* A session with ALICE, who is seen in it; DAVE has a dialog and the MUK, but nobody has seen him in the conference. */
static shell *unseen_dave(bool is_capable)
{
    shell *s = shell_new(3);
    shell_boot(s);
    shell_join(s, ALICE);
    client *dave = shell_client(s, DAVE);
    shell_authenticate(s, dave);
    pocpf_join join = { sizeof(join), SHELL_CHANNEL, DAVE, is_capable, DAVE, strlen(DAVE), NULL, 0 };
    assert_int_equal(pocpf_member_joined(s->pf, s->now_ms, &join), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    return s;
}

static void one_without_multicast_lines_pulls_nothing_before_the_roster_shows_him(void **state)
{
    (void)state;
    shell *s = unseen_dave(false);
    assert_int_equal(shell_pull(s, shell_client(s, DAVE), SHELL_ID(0)), POCPF_E_STATE);
    shell_run(s);
    shell_expect(s, "");
    assert_int_equal(shell_client(s, DAVE)->holds, 0);
    shell_client(s, DAVE)->inside = true;
    shell_full(s);
    assert_int_equal(shell_pull(s, shell_client(s, DAVE), SHELL_ID(0)), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_client(s, DAVE)->holds, SHELL_ID(1));
    shell_free(s);
}

static void one_who_turned_his_lines_off_pulls_nothing_before_the_roster_shows_him(void **state)
{
    (void)state;
    shell *s = unseen_dave(true);
    assert_string_equal(shell_member_state(s, DAVE), "waiting");
    assert_int_equal(pocpf_member_bearer(s->pf, s->now_ms, SHELL_CHANNEL, DAVE, false), POCPF_OK);
    assert_int_equal(shell_pull(s, shell_client(s, DAVE), SHELL_ID(0)), POCPF_E_STATE);
    assert_int_equal(shell_register_only(s, shell_client(s, DAVE)), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_client(s, DAVE)->holds, 0);
    shell_free(s);
}

/* ---- round a crash ---- */

/* BOB is expelled while so many other records wait that the write may end between any two of his. */
static void bar_against_crash(unsigned others, bool one_more)
{
    shell *s = service();
    shell_register(s, ALICE);
    client *bob = shell_register(s, BOB);
    for (unsigned i = 0; i < others; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "sip:m%u@example.com", i);
        shell_authenticate(s, shell_client(s, name));
        assert_int_equal(shell_register_only(s, shell_client(s, name)), POCPF_OK);
    }
    if (one_more)
        shell_authenticate(s, shell_client(s, ALICE));
    assert_int_equal(shell_depart(s, BOB, POCPF_EXPELLED), POCPF_OK);
    pocpf_member_status status;
    for (unsigned writes = s->counts[POCPF_DO_PERSIST]; s->counts[POCPF_DO_PERSIST] == writes;)
        assert_true(shell_step(s));
    shell_crash(s);
    if (!shell_look(s, bob, &status))
        assert_int_equal(shell_register_only(s, bob), POCPF_E_DENIED);
    shell_free(s);
}

/* MBMS-8: half of an expulsion is none: he is a member still, or he is barred. */
static void a_write_that_ends_within_an_expulsion_leaves_no_way_back(void **state)
{
    (void)state;
    for (unsigned others = 125; others < 129; others++) {
        bar_against_crash(others, false);
        bar_against_crash(others, true);
    }
}

/* A thing that is told must be durable before: many changes need many writes, and it may be in the last. */
static void a_change_is_durable_when_the_write_that_has_it_has_ended(void **state)
{
    (void)state;
    shell *s = service();
    for (unsigned i = 0; i < 200; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "sip:m%u@example.com", i);
        shell_authenticate(s, shell_client(s, name));
        assert_int_equal(shell_register_only(s, shell_client(s, name)), POCPF_OK);
    }
    uint64_t due = pocpf_changes(s->pf);
    assert_true(due >= 400);
    assert_int_equal(pocpf_changes_durable(s->pf), 0);
    while (s->counts[POCPF_DO_PERSIST] == 0)
        assert_true(shell_step(s));
    assert_true(pocpf_changes_durable(s->pf) > 0 && pocpf_changes_durable(s->pf) < due);
    s->store_fails = true;
    (void)shell_step(s);
    assert_true(pocpf_changes_durable(s->pf) < due);
    s->store_fails = false;
    shell_run(s);
    shell_live(s, 60000);
    assert_true(pocpf_changes_durable(s->pf) >= due);
    assert_int_equal(pocpf_changes_durable(s->pf), pocpf_changes(s->pf));
    shell_free(s);
}

/* ---- two identities of one client ---- */

/* Another identity of the client `of`, with its B-TID and its MUK. */
static client *register_alias(shell *s, const char *name, const client *of)
{
    client *c = shell_client(s, name);
    size_t len;
    const uint8_t *muk = pocpf_secret_bytes(of->muk, &len);
    pocpf_secret_free(c->muk);
    c->muk = pocpf_secret_new(muk, len);
    memcpy(c->btid, of->btid, sizeof(c->btid));
    shell_contact(s, c);
    assert_int_equal(shell_register_only(s, c), POCPF_OK);
    shell_run(s);
    return c;
}

/* MBMS-7: a client has one counter for one MUK, whatever names it goes by: an older number is a replay to it. */
static void identities_of_one_client_share_the_counter_of_its_muk(void **state)
{
    (void)state;
    shell *s = service();
    client *alice = shell_register(s, ALICE);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(shell_pull(s, alice, SHELL_ID(0)), POCPF_OK);
        shell_run(s);
    }
    client *alias = register_alias(s, CAROL, alice);
    assert_true(alias->counter > alice->counter);
    for (int round = 0; round < 4; round++) {
        uint32_t highest = alice->counter > alias->counter ? alice->counter : alias->counter;
        if (round == 1) {
            shell_crash(s);
            shell_run(s);
        }
        assert_int_equal(shell_pull(s, round == 2 ? alias : alice, SHELL_ID(0)), POCPF_OK);
        shell_run(s);
        assert_int_equal(shell_pull(s, round == 2 ? alice : alias, SHELL_ID(0)), POCPF_OK);
        shell_run(s);
        assert_true(alice->counter > highest && alias->counter > highest && alice->counter != alias->counter);
    }
    shell_free(s);
}

/* MBMS-8 */
static void an_expelled_client_keeps_no_key_under_another_name(void **state)
{
    (void)state;
    shell *s = service();
    client *alice = shell_register(s, ALICE), *alias = register_alias(s, CAROL, alice);
    shell_register(s, BOB);
    alice->barred_from = alias->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, ALICE, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    pocpf_member_status status;
    assert_false(shell_look(s, alias, &status));
    assert_int_equal(shell_register_only(s, alias), POCPF_E_DENIED);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_int_equal(shell_client(s, BOB)->holds, SHELL_ID(2));
    shell_free(s);
}

/* MBMS-7, MBMS-11 */
static void the_counter_of_a_muk_outlives_the_identity_that_bootstraps_again(void **state)
{
    (void)state;
    shell *s = service();
    client *alice = shell_register(s, ALICE), *alias = register_alias(s, CAROL, alice);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(shell_pull(s, alice, SHELL_ID(0)), POCPF_OK);
        shell_run(s);
    }
    uint32_t highest = alice->counter;
    shell_authenticate(s, alice);
    assert_int_equal(shell_pull(s, alias, SHELL_ID(0)), POCPF_OK);
    shell_run(s);
    assert_true(alias->counter > highest);
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_without_multicast_lines_pulls_nothing_before_the_roster_shows_him),
        cmocka_unit_test(one_who_turned_his_lines_off_pulls_nothing_before_the_roster_shows_him),
        cmocka_unit_test(a_write_that_ends_within_an_expulsion_leaves_no_way_back),
        cmocka_unit_test(a_change_is_durable_when_the_write_that_has_it_has_ended),
        cmocka_unit_test(identities_of_one_client_share_the_counter_of_its_muk),
        cmocka_unit_test(an_expelled_client_keeps_no_key_under_another_name),
        cmocka_unit_test(the_counter_of_a_muk_outlives_the_identity_that_bootstraps_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
