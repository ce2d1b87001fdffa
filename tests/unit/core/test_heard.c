/* What one system call brings to the push socket at the engine: confirmations, their twins, forgeries and noise in any order
 * get the verdicts that each would get alone, and confirm what they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/unit/core/shell.h"

enum { MEMBERS = 100, DATAGRAMS_MAX = 2 * MEMBERS };

typedef struct post {
    pocpf_datagram datagrams[DATAGRAMS_MAX];
    pocpf_err expected[DATAGRAMS_MAX];
    uint8_t room[DATAGRAMS_MAX][512];
    size_t n, good;
} post;

static client *member(shell *s, size_t i)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "sip:member%03zu@example.com", i);
    return shell_client(s, name);
}

/* A hundred members hold MSK 1, are pushed MSK 2, and have their answers ready. */
static shell *rekeyed_service(void)
{
    shell *s = shell_new(9);
    s->conf.group_uri = NULL;
    s->conf.rekey.delivery = POCPF_BY_PUSH;
    shell_boot(s);
    for (size_t i = 0; i < MEMBERS; i++)
        shell_register(s, member(s, i)->name);
    shell_forget(s);
    s->answers_now = false;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    return s;
}

static void add(post *p, const client *from, const client *author, size_t len, pocpf_err expected)
{
    assert_true(p->n < DATAGRAMS_MAX);
    memcpy(p->room[p->n], author->reply, author->reply_len);
    p->datagrams[p->n] = (pocpf_datagram){ from->address, from->address_len, p->room[p->n], len, POCPF_E_BUG };
    p->expected[p->n++] = expected;
    p->good += expected == POCPF_OK;
}

/* Every seventh is forged, every fifth comes twice, every eleventh is said by somebody else as well, and one is cut. */
static void fill(shell *s, post *p)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        const client *c = member(s, i), *next = member(s, (i + 1) % MEMBERS);
        assert_true(c->reply_len > 0);
        if (i % 11 == 0)
            add(p, next, c, c->reply_len, POCPF_E_STATE);
        add(p, c, c, c->reply_len, i % 7 == 0 ? POCPF_E_AUTH : POCPF_OK);
        if (i % 7 == 0)
            p->room[p->n - 1][c->reply_len - 1] ^= 1;
        if (i % 5 == 0)
            add(p, c, c, c->reply_len, i % 7 == 0 ? POCPF_OK : POCPF_E_STATE);
        if (i == MEMBERS / 2)
            add(p, c, c, c->reply_len - 1, POCPF_E_INPUT);
    }
}

/* MBMS-7, MBMS-9 */
static void a_batch_of_confirmations_twins_and_forgeries_gets_the_verdicts_of_each_alone(void **state)
{
    static post p;
    (void)state;
    shell *s = rekeyed_service();
    p = (post){ .n = 0 };
    fill(s, &p);
    assert_int_equal(pocpf_push_heard(s->pf, s->now_ms, p.datagrams, p.n), p.good);
    for (size_t i = 0; i < p.n; i++)
        assert_int_equal(p.datagrams[i].verdict, p.expected[i]);
    for (size_t i = 0; i < MEMBERS; i++)
        assert_string_equal(shell_member_state(s, member(s, i)->name), i % 7 == 0 && i % 5 != 0 ? "pushed" : "keyed");
    assert_int_equal(s->air_id, SHELL_ID(1));
    for (size_t i = 0; i < MEMBERS; i++)
        if (i % 7 == 0 && i % 5 != 0)
            assert_int_equal(shell_reply(s, member(s, i)), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* The last confirmation of the batch ends the rekey; what stands behind it finds nothing outstanding. */
static void a_batch_may_end_the_rekey_before_its_own_end(void **state)
{
    static post p;
    (void)state;
    shell *s = rekeyed_service();
    p = (post){ .n = 0 };
    for (size_t i = 0; i < MEMBERS; i++)
        add(&p, member(s, i), member(s, i), member(s, i)->reply_len, POCPF_OK);
    for (size_t i = 0; i < MEMBERS; i += 2)
        add(&p, member(s, i), member(s, i), member(s, i)->reply_len, POCPF_E_STATE);
    assert_int_equal(pocpf_push_heard(s->pf, s->now_ms, p.datagrams, p.n), MEMBERS);
    for (size_t i = 0; i < p.n; i++)
        assert_int_equal(p.datagrams[i].verdict, p.expected[i]);
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_int_equal(pocpf_push_heard(s->pf, s->now_ms, p.datagrams, 0), 0);
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_of_confirmations_twins_and_forgeries_gets_the_verdicts_of_each_alone),
        cmocka_unit_test(a_batch_may_end_the_rekey_before_its_own_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
