/* Whatever happens to a user of services, in whatever order: its timers pass, it joins and leaves groups in turn, it never holds
 * more than two MSKs of a group, and when the world is kind again it hears its services again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "user.h"

enum { RUNS = 250, STEPS = 60 };

static test_rng dice;
static uint16_t number; /* of the current MSK of the fire service */
static unsigned offer_version;
static uint64_t now_run;
static bool pushes; /* the PF: what is granted is pushed as well */
static struct {
    struct sockaddr_storage group;
    bool joined;
} groups[2];

static void group_follow(const pocue_event *e)
{
    for (size_t i = 0; i < POC_COUNT(groups); i++)
        if (poc_addr_eq((struct sockaddr *)&groups[i].group, (const struct sockaddr *)&e->channel.group)) {
            bool joins = e->type == POCUE_JOIN_GROUP;
            if (groups[i].joined == joins)
                fail_msg("run %llu: group %s twice", (unsigned long long)now_run, joins ? "joined" : "left");
            groups[i].joined = joins;
        }
}

static void is_pushed_to(void)
{
    uint8_t message[MIKEY_MESSAGE_MAX];
    size_t reply_len, n = pair_seal(&w, message);
    (void)user_give_push(message, n, &reply_len); /* there may be no use for it */
}

static void events_follow(void)
{
    pocue_event e;
    while (pocue_poll(w.ue, &e)) {
        if (pushes && (e.type == POCUE_REGISTERED || e.type == POCUE_GRANTED))
            is_pushed_to();
        if (e.type == POCUE_JOIN_GROUP || e.type == POCUE_LEAVE_GROUP)
            group_follow(&e);
        if (e.type == POCUE_BOOTSTRAP_NEEDED)
            pair_bootstrap(&w);
    }
}

/* Everything that is to be done now. */
static void settle(void)
{
    do
        events_follow();
    while (user_carry() > 0);
    events_follow();
}

static void live_s(int64_t seconds)
{
    const int64_t until_ms = w.now_ms + seconds * 1000;
    for (int calls = 0; pocue_deadline_ms(w.ue) <= until_ms; calls++) {
        assert_true(calls < 10000); /* a deadline that never passes */
        user_pass_to_deadline();
        settle();
    }
    w.now_ms = until_ms;
}

static void world_is_kind(void)
{
    pushes = true;
    c.item_status = 200;
    c.whole_status = 0;
    c.lies = c.wants_new_bootstrap = false;
}

/* ---- what may happen ---- */

static void enters(void)
{
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, true), POC_OK);
}

static void leaves(void)
{
    assert_int_equal(pocue_register(w.ue, w.now_ms, fire, false), POC_OK);
}

static void pulls(void)
{
    assert_int_equal(pocue_request_msk(w.ue, w.now_ms, fire, 0), POC_OK);
}

static void moves(void)
{
    pocue_moved(w.ue, w.now_ms);
}

static void is_solicited(void)
{
    const poc_msk_id id = w.params.msk_id;
    w.params.msk_id = test_rng_below(&dice, 2) == 0 ? 0 : poc_msk_id_of(PAIR_GROUP, 0);
    is_pushed_to();
    w.params.msk_id = id;
}

static void misses_an_update(void)
{
    user_miss_update(++number);
}

static void hears(void)
{
    pair_talk(&w, (uint16_t)test_rng_next(&dice));
    pair_deliver(&w);
}

static void server_changes(void)
{
    static const int statuses[] = { 200, 200, 403, 404, 503 };
    static const int wholes[] = { 0, 0, 0, 503, 404, 500 };
    c.item_status = statuses[test_rng_below(&dice, POC_COUNT(statuses))];
    c.whole_status = wholes[test_rng_below(&dice, POC_COUNT(wholes))];
    c.lies = test_rng_below(&dice, 5) == 0;
    c.wants_new_bootstrap = test_rng_below(&dice, 5) == 0;
}

static void is_offered_the_channel(void)
{
    static char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pair_offer(&w, offer, ++offer_version, false);
    (void)pair_give(&w, offer, answer);
}

static void hangs_up(void)
{
    pocue_session_over(w.ue, w.now_ms, false);
}

static void waits(void)
{
    live_s((int64_t)test_rng_below(&dice, 90));
}

static void (*const happenings[])(void) = { enters,       leaves,           pulls,          moves,
                                            is_pushed_to, is_pushed_to,     is_solicited,   hears,
                                            waits,        misses_an_update, server_changes, is_offered_the_channel,
                                            hangs_up };

/* ---- what always holds ---- */

static void assert_sound(void)
{
    poc_msk_id ids[16];
    size_t n = pocue_msks(w.ue, ids, POC_COUNT(ids));
    assert_true(n <= 2); /* one group is in use */
    assert_true(pocue_deadline_ms(w.ue) > w.now_ms);
    assert_int_equal(pocue_events_lost(w.ue), 0);
}

static void assert_hears_again(void)
{
    pocue_event e;
    world_is_kind();
    live_s(100);
    enters();
    settle();
    live_s(300);
    if (!pocue_is_registered(w.ue, fire))
        fail_msg("run %llu: not registered in the end", (unsigned long long)now_run);
    assert_true(groups[0].joined);
    misses_an_update();
    live_s(100); /* the refusal of an MSK is forgotten after a minute */
    hears();
    live_s(100);
    bcast_protector_announce(w.protector, w.now_ms);
    pair_talk(&w, 1); /* numbers that jump back need two packets in a row */
    pair_talk(&w, 2);
    pair_deliver(&w);
    if (!pair_event(&w, POCUE_PLAY, &e))
        fail_msg("run %llu: not heard in the end", (unsigned long long)now_run);
}

static void run_once(uint64_t seed)
{
    (void)user_begin(NULL);
    now_run = seed;
    dice.state = seed * UINT64_C(0x9E3779B97F4A7C15);
    number = 1;
    pushes = false;
    offer_version = 1;
    memset(groups, 0, sizeof(groups));
    groups[0].group = fire_channel.group;
    groups[1].group = medics_channel.group;
    pair_on_air(&w);
    pair_deliver(&w);
    for (int step = 0; step < STEPS; step++) {
        happenings[test_rng_below(&dice, POC_COUNT(happenings))]();
        settle();
        assert_sound();
    }
    assert_hears_again();
    assert_int_equal(user_end(NULL), 0);
}

static void test_a_user_survives_whatever_happens_and_hears_again_when_the_world_is_kind(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++)
        run_once(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_user_survives_whatever_happens_and_hears_again_when_the_world_is_kind),
    };
    return cmocka_run_group_tests_name("ue chaos", tests, NULL, NULL);
}
