/* MBMS push and pull at the engine: registrations, pushes that get lost, pulls, solicited pulls, bars, MUKs that end, both
 * ways at once, and clients that come and go by either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

/* A pure MBMS user service: no session, no roster. */
static shell *service(void)
{
    shell *s = shell_new(3);
    s->conf.group_uri = NULL;
    s->conf.rekey.delivery = POCPF_BY_PUSH;
    shell_boot(s);
    return s;
}

/* ALICE and BOB hold MSK 1 of a running service. */
static shell *pair(void)
{
    shell *s = service();
    shell_register(s, ALICE);
    shell_register(s, BOB);
    shell_forget(s);
    return s;
}

/* MBMS-6, MBMS-7 */
static void a_registration_is_answered_with_a_push_and_the_verification_starts_the_channel(void **state)
{
    (void)state;
    shell *s = service();
    client *alice = shell_register(s, ALICE);
    shell_expect(s, "PERSIST\n"
                    "PUSH " ALICE " 10010001\n"
                    "START 10010001");
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    assert_int_equal(alice->holds, s->air_id);
    assert_string_equal(shell_state(s), "active");
    shell_free(s);
}

/* MBMS-8 */
static void an_expulsion_pushes_the_new_key_to_all_others_and_to_nobody_else(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    bob->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "PUSH " ALICE " 10010002\n"
                    "UPDATE 10010002\n"
                    "GATE open");
    assert_int_equal(shell_register_only(s, bob), POCPF_E_DENIED);
    assert_int_equal(shell_pull(s, bob, SHELL_ID(0)), POCPF_E_DENIED);
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registration_is_answered_with_a_push_and_the_verification_starts_the_channel),
        cmocka_unit_test(an_expulsion_pushes_the_new_key_to_all_others_and_to_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
