/* Announcements of bearers: who does not answer is told again, and keeps nobody else from being told. The clock is turned by
 * hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/io/mcx_notices.h"

enum { OPEN_MAX = 3, DAY_MS = 86400000 };

typedef struct office {
    mcx_notices *n;
    int64_t now_ms;
    poc_err err;       /* of what is sent from now on */
    bool is_forgotten; /* nobody is known any more */
    char sent[512];    /* "alice:1 " */
    mcx_bulletin *bearers[4];
} office;

static poc_err on_send(void *user, const char *who, const mcx_bulletin *b)
{
    office *o = user;
    const size_t at = strlen(o->sent);
    if (o->err == POC_OK)
        (void)snprintf(o->sent + at, sizeof(o->sent) - at, "%s:%u%s ", who, b->bearer.tmgi[0],
                       b->bearer.area_count == 0 ? "-" : "");
    return o->err;
}

static bool on_knows(void *user, const char *who)
{
    (void)who;
    return !((const office *)user)->is_forgotten;
}

/** Bearer `i`; `areas` 0: it is no more. */
static mcx_bulletin *bulletin(uint8_t i, size_t areas)
{
    mcx_bulletin *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    b->refs = 1;
    b->bearer.tmgi[0] = i;
    b->bearer.area_count = areas;
    return b;
}

static int set_up(void **state)
{
    office *o = calloc(1, sizeof(*o));
    assert_non_null(o);
    const mcx_notices_rules rules = { .seed = 7, .open_max = OPEN_MAX, .send = on_send, .knows = on_knows, .user = o };
    assert_int_equal(mcx_notices_new(&o->n, &rules), POC_OK);
    o->now_ms = 1000000;
    for (uint8_t i = 0; i < POC_COUNT(o->bearers); i++)
        o->bearers[i] = bulletin(i, 1);
    *state = o;
    return 0;
}

static int tear_down(void **state)
{
    office *o = *state;
    mcx_notices_free(o->n);
    for (size_t i = 0; i < POC_COUNT(o->bearers); i++) {
        assert_int_equal(o->bearers[i]->refs, 1);
        mcx_bulletin_unref(o->bearers[i]);
    }
    free(o);
    return 0;
}

static void put(office *o, const char *who, unsigned bearer)
{
    assert_int_equal(mcx_notices_put(o->n, who, o->bearers[bearer]), POC_OK);
    mcx_notices_pump(o->n, o->now_ms);
}

static void answer(office *o, const char *who, bool ok)
{
    mcx_notices_answered(o->n, o->now_ms, who, ok);
    mcx_notices_pump(o->n, o->now_ms);
}

/** As an upload does: what there was is said anew. */
static void upload(office *o, const char *who, unsigned bearer)
{
    mcx_notices_drop(o->n, who);
    put(o, who, bearer);
}

static void come(office *o, const char *who)
{
    mcx_notices_comes(o->n, who);
    mcx_notices_pump(o->n, o->now_ms);
}

static void pass(office *o, int64_t ms)
{
    o->now_ms += ms;
    mcx_notices_pump(o->n, o->now_ms);
}

static void expect(office *o, const char *text)
{
    assert_string_equal(o->sent, text);
    o->sent[0] = '\0';
}

/* ---- one ---- */

static void each_bearer_is_announced_when_the_one_before_was_answered(void **state)
{
    office *o = *state;
    put(o, "alice", 1);
    put(o, "alice", 2);
    expect(o, "alice:1 ");
    assert_int_equal(mcx_notices_open(o->n), 1);
    answer(o, "alice", true);
    expect(o, "alice:2 ");
    answer(o, "alice", true);
    expect(o, "");
    assert_int_equal(mcx_notices_waiting(o->n), 0);
    assert_true(mcx_notices_deadline_ms(o->n) == INT64_MAX);
}

/** Misses what is sent after each of the pauses, the first time at once. */
static void miss_all(office *o, const char *who, const char *text)
{
    static const int64_t pauses_ms[] = { 0, 2000, 8000, 32000, 128000 };
    for (size_t i = 0; i < POC_COUNT(pauses_ms); i++) {
        if (pauses_ms[i] > 0) {
            assert_true(mcx_notices_deadline_ms(o->n) == o->now_ms + pauses_ms[i]);
            pass(o, pauses_ms[i] - 1);
            expect(o, "");
            pass(o, 1);
        }
        expect(o, text);
        answer(o, who, false);
    }
    assert_int_equal(mcx_notices_open(o->n), 0);
}

static void what_is_not_answered_is_repeated_later_and_later_and_then_when_he_comes(void **state)
{
    office *o = *state;
    put(o, "alice", 1);
    miss_all(o, "alice", "alice:1 ");
    pass(o, DAY_MS);
    expect(o, "");
    assert_int_equal(mcx_notices_waiting(o->n), 1);
    come(o, "alice");
    miss_all(o, "alice", "alice:1 ");
    come(o, "alice");
    expect(o, "alice:1 ");
    answer(o, "alice", true);
    assert_int_equal(mcx_notices_waiting(o->n), 0);
}

static void who_is_gone_is_not_waited_for_without_end(void **state)
{
    office *o = *state;
    put(o, "alice", 1);
    miss_all(o, "alice", "alice:1 ");
    o->is_forgotten = true;
    pass(o, DAY_MS - 1);
    assert_int_equal(mcx_notices_waiting(o->n), 1);
    pass(o, 1);
    assert_int_equal(mcx_notices_waiting(o->n), 0);
    assert_true(mcx_notices_deadline_ms(o->n) == INT64_MAX);
}

static void who_cannot_be_told_any_more_is_let_be(void **state)
{
    office *o = *state;
    o->err = POC_E_STATE;
    put(o, "alice", 1);
    assert_int_equal(mcx_notices_waiting(o->n), 0);
}

static void what_cannot_be_sent_now_is_not_lost(void **state)
{
    office *o = *state;
    o->err = POC_E_LIMIT;
    put(o, "alice", 1);
    assert_int_equal(mcx_notices_open(o->n), 0);
    o->err = POC_OK;
    pass(o, 2000);
    expect(o, "alice:1 ");
}

static void who_registers_while_he_is_waited_for_is_told_at_once(void **state)
{
    office *o = *state;
    put(o, "alice", 1);
    come(o, "alice");
    expect(o, "alice:1 "); /* it is on its way already */
    answer(o, "alice", false);
    come(o, "alice");
    expect(o, "alice:1 ");
}

static void a_bearer_that_is_refused_keeps_no_other_from_him(void **state)
{
    office *o = *state;
    put(o, "alice", 1);
    put(o, "alice", 2);
    answer(o, "alice", false);
    pass(o, 2000);
    expect(o, "alice:1 alice:2 ");
    answer(o, "alice", true);
    expect(o, "alice:1 ");
}

/* ---- what changes ---- */

static void what_is_said_later_of_a_bearer_takes_the_place_of_what_was_to_be_said(void **state)
{
    office *o = *state;
    put(o, "alice", 1);
    mcx_bulletin *gone = bulletin(1, 0);
    assert_int_equal(mcx_notices_put(o->n, "alice", gone), POC_OK);
    mcx_notices_pump(o->n, o->now_ms);
    expect(o, "alice:1 alice:1- "); /* the first one is out of date */
    assert_int_equal(mcx_notices_open(o->n), 1);
    upload(o, "alice", 2);
    expect(o, "");
    answer(o, "alice", true);
    expect(o, "alice:2 "); /* what is no more was said all the same */
    answer(o, "alice", true);
    assert_int_equal(mcx_notices_waiting(o->n), 0);
    assert_int_equal(gone->refs, 1);
    mcx_bulletin_unref(gone);
}

static void an_answer_that_comes_late_answers_nothing(void **state)
{
    office *o = *state;
    answer(o, "alice", true);
    put(o, "bob", 1);
    put(o, "carol", 1);
    put(o, "dave", 1);
    put(o, "alice", 1);
    expect(o, "bob:1 carol:1 dave:1 ");
    answer(o, "alice", true);
    answer(o, "bob", true);
    expect(o, "alice:1 ");
}

/* ---- many ---- */

/* Whatever he does, one who does not answer has one place. */
static void who_uploads_again_and_again_and_never_answers_keeps_nobody_from_being_told(void **state)
{
    office *o = *state;
    for (unsigned i = 0; i < 50; i++)
        for (unsigned bearer = 1; bearer < POC_COUNT(o->bearers); bearer++)
            upload(o, "mallory", bearer);
    assert_int_equal(mcx_notices_open(o->n), 1);
    o->sent[0] = '\0';
    put(o, "alice", 1);
    put(o, "bob", 1);
    expect(o, "alice:1 bob:1 ");
    put(o, "carol", 1);
    upload(o, "mallory", 1); /* his place is the next one's */
    expect(o, "carol:1 ");
    answer(o, "alice", true);
    expect(o, "mallory:1 ");
    assert_int_equal(mcx_notices_open(o->n), OPEN_MAX);
}

static void those_who_do_not_answer_give_their_places_to_who_waits(void **state)
{
    static const char *const dead[] = { "a", "b", "c", "d", "e", "f" };
    office *o = *state;
    for (size_t i = 0; i < POC_COUNT(dead); i++)
        put(o, dead[i], 1);
    put(o, "alice", 1);
    expect(o, "a:1 b:1 c:1 ");
    for (size_t i = 0; i < POC_COUNT(dead); i++)
        answer(o, dead[i], false);
    expect(o, "d:1 e:1 f:1 alice:1 ");
    pass(o, 2000);
    expect(o, "a:1 b:1 ");
    assert_int_equal(mcx_notices_open(o->n), OPEN_MAX);
}

int main(void)
{
#define AT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        AT(each_bearer_is_announced_when_the_one_before_was_answered),
        AT(what_is_not_answered_is_repeated_later_and_later_and_then_when_he_comes),
        AT(who_is_gone_is_not_waited_for_without_end),
        AT(who_cannot_be_told_any_more_is_let_be),
        AT(what_cannot_be_sent_now_is_not_lost),
        AT(who_registers_while_he_is_waited_for_is_told_at_once),
        AT(a_bearer_that_is_refused_keeps_no_other_from_him),
        AT(what_is_said_later_of_a_bearer_takes_the_place_of_what_was_to_be_said),
        AT(an_answer_that_comes_late_answers_nothing),
        AT(who_uploads_again_and_again_and_never_answers_keeps_nobody_from_being_told),
        AT(those_who_do_not_answer_give_their_places_to_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
