/* Ten thousand members: one rekey costs each of them one offer, and the store one write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

enum { MEMBERS = 10000, WINDOW = 100 };

static shell *crowd(void)
{
    shell *s = shell_new(5);
    s->set.offer_window = WINDOW;
    shell_boot(s);
    for (unsigned i = 0; i < MEMBERS; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "sip:u%u@example.com", i);
        client *c = shell_client(s, name);
        shell_authenticate(s, c);
        assert_int_equal(shell_join_only(s, c), POCPF_OK);
    }
    shell_full(s);
    shell_run(s);
    return s;
}

/* House 5.1, 5.7 */
static void one_rekey_of_ten_thousand_costs_one_write_and_one_offer_each(void **state)
{
    (void)state;
    shell *s = crowd();
    assert_int_equal(s->counts[POCPF_DO_OFFER], MEMBERS);
    assert_int_equal(s->counts[POCPF_DO_SERVE], MEMBERS);
    memset(s->counts, 0, sizeof(s->counts));
    memset(s->audits, 0, sizeof(s->audits));
    s->answers_now = false;
    assert_int_equal(shell_depart(s, s->clients[17]->name, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->counts[POCPF_DO_OFFER], WINDOW); /* no more than that without an answer */
    s->answers_now = true;
    shell_run(s);
    const unsigned expected[POCPF_DO_DOWNLOAD + 1] = {
        [POCPF_DO_PERSIST] = 1,        [POCPF_DO_OFFER] = MEMBERS - 1, [POCPF_DO_GATE] = 2,
        [POCPF_DO_ENABLER_UPDATE] = 1, [POCPF_DO_AUDIT] = MEMBERS + 2,
    };
    assert_memory_equal(s->counts, expected, sizeof(expected));
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_CONFIRMED], MEMBERS - 1);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rekey_of_ten_thousand_costs_one_write_and_one_offer_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
