/* Thousands of seeded histories: joins, registrations, leaves, expulsions, pulls, silence, refusals, lost datagrams, lost
 * enablers, failing stores and crashes at any effect. Whatever happens, some things never do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

enum { CLIENTS = 7, STEPS = 60, HISTORIES = 2500 };

static client *anybody(shell *s)
{
    return s->clients[test_rng_below(&s->chance, s->client_count)];
}

static bool is_member(shell *s, const client *c)
{
    return strcmp(shell_member_state(s, c->name), "out") != 0;
}

/* He is out for the focus, and so he must be for us, until he joins again. */
static void bar(shell *s, client *c)
{
    c->inside = c->multicast = false;
    c->barred_from = 1;
    c->came_back = false;
    (void)s;
}

static void do_join(shell *s, client *c)
{
    if (c->muk == NULL || test_rng_below(&s->chance, 4) == 0)
        shell_authenticate(s, c);
    bool was_shut_out = c->shut_out && !is_member(s, c);
    pocpf_err err = shell_join_only(s, c);
    assert_true(!was_shut_out || err == POCPF_E_DENIED || s->conf.group_uri == NULL);
}

/* Whom the operator or the focus expelled no registration lets in again. */
static void do_register(shell *s, client *c)
{
    if (c->muk == NULL || test_rng_below(&s->chance, 8) == 0)
        shell_authenticate(s, c);
    else
        shell_contact(s, c);
    bool was_barred = c->expelled && !is_member(s, c);
    pocpf_err err = shell_register_only(s, c);
    assert_true(!was_barred || err == POCPF_E_DENIED);
}

static void do_deregister(shell *s, client *c)
{
    pocpf_err err = pocpf_deregistered(s->pf, s->now_ms, SHELL_CHANNEL, c->name);
    if (err == POCPF_OK && !is_member(s, c))
        bar(s, c);
}

static void do_pull(shell *s, client *c)
{
    bool is_in = is_member(s, c);
    if (c->muk == NULL)
        return;
    shell_contact(s, c);
    pocpf_err err = shell_pull(s, c, SHELL_ID((uint32_t)test_rng_below(&s->chance, 3)));
    assert_true(is_in || err != POCPF_OK);
}

static void do_admit(shell *s, client *c)
{
    pocpf_err err = pocpf_admit(s->pf, s->now_ms, SHELL_CHANNEL, c->name);
    if (err == POCPF_OK)
        c->expelled = c->shut_out = false;
}

static void do_push_thing(shell *s, client *c)
{
    switch (test_rng_below(&s->chance, 10)) {
    case 0:
    case 1:
    case 2:
        do_register(s, c);
        break;
    case 3:
        do_deregister(s, c);
        break;
    case 4:
    case 5:
        do_pull(s, c);
        break;
    case 6:
        do_admit(s, c);
        break;
    case 7:
        (void)pocpf_solicit(s->pf, s->now_ms, SHELL_CHANNEL, test_rng_below(&s->chance, 2) == 0 ? NULL : c->name);
        break;
    case 8:
        shell_move(s, c);
        break;
    default:
        c->deaf = !c->deaf;
    }
}

/* By the operator, whether he is in or not. */
static void do_expel(shell *s, client *c)
{
    pocpf_expulsion done = { .size = sizeof(done) };
    const bool was_member = is_member(s, c);
    assert_int_equal(pocpf_expel(s->pf, s->now_ms, SHELL_CHANNEL, c->name, &done), POCPF_OK);
    assert_true(done.barred && done.was_member == was_member && !is_member(s, c));
    c->expelled = c->shut_out = true;
    bar(s, c);
}

static void do_depart(shell *s, client *c)
{
    if (test_rng_below(&s->chance, 4) == 0) {
        do_expel(s, c);
        return;
    }
    static const pocpf_departure ways[] = { POCPF_LEFT, POCPF_LOST, POCPF_REMOVED, POCPF_EXPELLED };
    pocpf_departure how = ways[test_rng_below(&s->chance, 4)];
    if (shell_depart(s, c->name, how) == POCPF_OK)
        bar(s, c);
}

static void do_partial(shell *s, client *c)
{
    static const pocpf_conf_method methods[] = { POCPF_CONF_METHOD_ABSENT, POCPF_CONF_DEPARTED, POCPF_CONF_BOOTED,
                                                 POCPF_CONF_FAILED };
    if (test_rng_below(&s->chance, 2) == 0) {
        if (c->inside)
            (void)shell_partial(s, c->name, POCPF_CONF_FULL, POCPF_CONF_CONNECTED, POCPF_CONF_METHOD_ABSENT, NULL);
        return;
    }
    pocpf_conf_method method = methods[test_rng_below(&s->chance, 4)];
    bool was_member = is_member(s, c);
    (void)shell_partial(s, c->name, POCPF_CONF_FULL, POCPF_CONF_DISCONNECTED, method, NULL);
    if (was_member && !is_member(s, c)) {
        bar(s, c);
        c->expelled |= method == POCPF_CONF_BOOTED;
    }
}

static void do_subscription(shell *s)
{
    static const pocpf_subscription what[] = { POCPF_SUB_RETRY, POCPF_SUB_ACTIVE, POCPF_SUB_REFUSED };
    unsigned i = (unsigned)test_rng_below(&s->chance, 3);
    if (what[i] == POCPF_SUB_RETRY)
        s->version = 0;
    (void)pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, what[i], what[i] == POCPF_SUB_ACTIVE,
                                     (uint32_t)test_rng_below(&s->chance, 3) * 1000);
}

static void do_enabler(shell *s)
{
    static const pocpf_enabler what[] = { POCPF_ENABLER_FAILED, POCPF_ENABLER_DOWN, POCPF_ENABLER_UP };
    (void)pocpf_enabler_changed(s->pf, s->now_ms, SHELL_CHANNEL, what[test_rng_below(&s->chance, 3)]);
}

static void do_end(shell *s)
{
    (void)pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_ENDED, false, 0);
    for (size_t i = 0; i < s->client_count; i++)
        if (!is_member(s, s->clients[i]))
            bar(s, s->clients[i]);
    s->version = 0;
}

/* What was not durable is forgotten: one whose going was not recorded may be a member again. */
static void do_crash(shell *s)
{
    uint32_t highest = s->highest_id;
    shell_crash(s);
    s->highest_id = highest;
    for (size_t i = 0; i < s->client_count; i++) {
        client *c = s->clients[i];
        pocpf_member_status status;
        bool is_in = shell_look(s, c, &status);
        c->expelled = shell_has_bar(s, c); /* the rest was not durable */
        c->shut_out = pocpf_join_check(s->pf, SHELL_CHANNEL, c->name) == POCPF_E_DENIED;
        if (c->barred_from != 0 && is_in) /* the focus does not list him: he gets nothing new unless we are blind */
            c->barred_from = status.by_sip ? highest + 1 : 0;
        c->came_back = c->barred_from != 0 && is_in;
        if (c->inside && !is_member(s, c))
            c->inside = false;
    }
}

static void do_something(shell *s)
{
    client *c = anybody(s);
    switch (test_rng_below(&s->chance, 20)) {
    case 0:
    case 1:
    case 2:
        do_join(s, c);
        break;
    case 3:
    case 4:
        do_depart(s, c);
        break;
    case 5:
    case 6:
        do_partial(s, c);
        break;
    case 7:
    case 8:
        shell_full(s);
        break;
    case 9:
        c->habit = (client_habit)test_rng_below(&s->chance, CLIENT_NO_VERIFICATION + 1);
        break;
    case 10:
        c->habit = CLIENT_ACCEPTS;
        break;
    case 11:
        (void)pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL);
        break;
    case 12:
        (void)pocpf_member_bearer(s->pf, s->now_ms, SHELL_CHANNEL, c->name, test_rng_below(&s->chance, 2) == 0);
        break;
    case 13:
        do_enabler(s);
        break;
    case 16:
    case 17:
    case 18:
    case 19:
        do_push_thing(s, c);
        break;
    case 14:
        if (test_rng_below(&s->chance, 4) == 0)
            do_subscription(s);
        else
            s->store_fails = test_rng_below(&s->chance, 3) == 0;
        break;
    default:
        if (test_rng_below(&s->chance, 4) == 0)
            do_end(s);
        else if (test_rng_below(&s->chance, 3) == 0)
            do_crash(s);
        else if (c->muk != NULL)
            shell_authenticate(s, c);
    }
}

/* Who is expelled does not go on hearing: off air, held back, or under a key he does not have. */
static void nobody_expelled_listens(shell *s)
{
    bool is_every_leaver = s->conf.rekey.on_leave == POCPF_LEAVE_ALWAYS;
    if (s->conf.rekey.gate != POCPF_GATE_HOLD)
        return;
    for (size_t i = 0; i < s->client_count; i++) {
        const client *c = s->clients[i];
        if (((is_every_leaver && c->barred_from == 1) || c->expelled) && !is_member(s, c))
            assert_true(s->air_id == 0 || s->air_id != c->holds || s->hold || strcmp(shell_state(s), "rekeying") == 0);
    }
}

/* Whatever is being written: when there is nothing more to carry out, a gate that is to be shut is shut. */
static void no_write_keeps_a_gate_open(shell *s)
{
    pocpf_channel_status status = { .size = sizeof(status) };
    assert_int_equal(pocpf_channel_look(s->pf, SHELL_CHANNEL, &status), POCPF_OK);
    assert_true(!status.held || s->air_id == 0 || s->hold);
}

static void some_effects(shell *s)
{
    uint64_t n = test_rng_below(&s->chance, 12);
    while (n > 0 && shell_step(s))
        n--;
    if (n > 0)
        no_write_keeps_a_gate_open(s);
    if (test_rng_below(&s->chance, 2) == 0)
        shell_written(s);
    if (test_rng_below(&s->chance, 2) == 0)
        shell_answer(s, anybody(s));
    if (test_rng_below(&s->chance, 2) == 0)
        (void)shell_reply(s, anybody(s));
    if (test_rng_below(&s->chance, 3) == 0) {
        shell_run(s);
        nobody_expelled_listens(s);
    }
    if (test_rng_below(&s->chance, 4) == 0)
        shell_pass(s, (int64_t)test_rng_below(&s->chance, 3000));
}

/* In the session as the focus says, or registered for the service. */
static bool is_listener(shell *s, const client *c)
{
    pocpf_member_status status;
    return shell_look(s, c, &status) && (c->inside || !status.by_sip);
}

/* MBMS-1, MBMS-12: who was pushed to in vain comes by himself, from where he is now. */
static void come_again(shell *s)
{
    for (size_t i = 0; i < s->client_count; i++) {
        pocpf_member_status status;
        if (shell_look(s, s->clients[i], &status) && status.by_push && strcmp(status.state, "keyed") != 0) {
            shell_contact(s, s->clients[i]);
            (void)shell_pull(s, s->clients[i], SHELL_ID(0));
        }
    }
    shell_run(s);
}

/* After quiet all who can be reached hold what is on air, and nobody else does. */
static void calm_down(shell *s)
{
    s->store_fails = false;
    s->push_loss = 0;
    for (size_t i = 0; i < s->client_count; i++) {
        s->clients[i]->habit = CLIENT_ACCEPTS;
        s->clients[i]->deaf = false;
    }
    shell_run(s);
    s->version = 0;
    (void)pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_ACTIVE, true, 0);
    for (size_t i = 0; i < s->client_count; i++) {
        client *c = s->clients[i];
        pocpf_member_status status;
        bool is_in = shell_look(s, c, &status);
        c->inside = is_in && status.by_sip && c->barred_from == 0;
        if (is_in && status.by_push) { /* back where he was reached before */
            c->address_len = status.address_len;
            memcpy(c->address, status.address, status.address_len);
        }
        (void)pocpf_member_bearer(s->pf, s->now_ms, SHELL_CHANNEL, c->name, true);
    }
    shell_full(s);
    shell_run(s);
    for (size_t i = 0; i < s->client_count; i++) /* who was refused comes back with a fresh MUK */
        if (is_listener(s, s->clients[i]))
            shell_authenticate(s, s->clients[i]);
    come_again(s);
    shell_live(s, 200000);
    come_again(s);
    shell_live(s, 40000);
}

static void check_calm(shell *s)
{
    size_t listeners = 0;
    for (size_t i = 0; i < s->client_count; i++) {
        client *c = s->clients[i];
        if (!is_listener(s, c))
            continue;
        listeners++;
        assert_string_equal(shell_member_state(s, c->name), "keyed");
        assert_true(c->multicast == c->inside);
        assert_int_equal(c->holds, s->air_id);
    }
    assert_string_equal(shell_state(s), listeners > 0 ? "active" : "idle");
    assert_false(s->hold);
    for (size_t i = 0; i < s->client_count; i++)
        if ((s->clients[i]->barred_from == 1 && s->conf.rekey.on_leave == POCPF_LEAVE_ALWAYS) ||
            (s->clients[i]->expelled && !is_member(s, s->clients[i])))
            assert_true(s->air_id == 0 || s->clients[i]->holds != s->air_id);
}

static void live_one(uint64_t seed)
{
    shell *s = shell_new(seed);
    s->answers_now = test_rng_below(&s->chance, 2) == 0;
    s->store_slow = test_rng_below(&s->chance, 2) == 0;
    s->conf.rekey.on_leave = (pocpf_on_leave)test_rng_below(&s->chance, 3);
    s->conf.rekey.leave_batch_ms = 700;
    s->conf.rekey.on_join = test_rng_below(&s->chance, 4) == 0;
    s->conf.rekey.gate = (pocpf_gate)test_rng_below(&s->chance, 2);
    s->conf.rekey.interval_s = test_rng_below(&s->chance, 3) == 0 ? 90 : 0;
    s->set.offer_window = 1 + (uint32_t)test_rng_below(&s->chance, 4);
    s->set.push_tries = 1 + (uint32_t)test_rng_below(&s->chance, 5);
    s->set.solicit_per_s = 1 + (uint32_t)test_rng_below(&s->chance, 20);
    s->conf.rekey.delivery = (uint32_t)test_rng_below(&s->chance, 4);
    s->push_loss = test_rng_below(&s->chance, 2) == 0 ? 0 : 30;
    if ((s->conf.rekey.delivery & POCPF_BY_PUSH) != 0 && test_rng_below(&s->chance, 3) == 0)
        s->conf.group_uri = NULL;
    shell_boot(s);
    for (unsigned i = 0; i < CLIENTS; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "sip:u%u@example.com", i);
        (void)shell_client(s, name);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        do_something(s);
        some_effects(s);
    }
    s->answers_now = true;
    calm_down(s);
    check_calm(s);
    shell_free(s);
}

static uint64_t running;

static int name_the_seed(void **state)
{
    (void)state;
    if (running != 0)
        print_message("POC_SEED=%llu repeats it\n", (unsigned long long)running);
    return 0;
}

/* POC-17, POC-20: in no history is an expelled client given a key, nor a counter or a key number used twice. */
static void no_history_breaks_the_promises(void **state)
{
    (void)state;
    const char *one = getenv("POC_SEED");
    if (one != NULL) {
        live_one(strtoull(one, NULL, 10));
        return;
    }
    for (running = 1; running <= HISTORIES; running++)
        live_one(running);
    running = 0;
    assert_int_equal(poc_secret_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(no_history_breaks_the_promises, name_the_seed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
