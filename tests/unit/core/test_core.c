/* The life of a channel, as ladders: what happens on the left, the transcript of effects on the right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

#define ALICE "sip:alice@example.com"
#define BOB   "sip:bob@example.com"
#define CAROL "sip:carol@example.com"
#define DAVE  "sip:dave@example.com"

static shell *trio(void)
{
    shell *s = shell_new(1);
    shell_boot(s);
    shell_join(s, ALICE);
    shell_join(s, BOB);
    shell_join(s, CAROL);
    shell_forget(s);
    return s;
}

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
    shell *s = trio();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_member_gets_the_key_before_the_enabler_does),
        cmocka_unit_test(expulsion_gates_records_offers_and_then_switches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
