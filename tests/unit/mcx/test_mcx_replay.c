/* The replay cache by itself: who sends how many messages of which time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mcx/replay.h"

enum { SKEW_S = 300, NOW_S = 1000 };

#define AT(seconds) ((uint64_t)(seconds) << 24)

static const uint8_t alice[MCX_UID_LEN] = { 1 }, bob[MCX_UID_LEN] = { 2 }, carol[MCX_UID_LEN] = { 3 };

static mcx_replay_key message(const uint8_t *sender, uint64_t ntp, uint32_t csb_id)
{
    static const uint8_t rand[MIKEY_RAND_LEN];
    return (mcx_replay_key){ sender, csb_id, ntp, poc_span_of(rand, sizeof(rand)) };
}

static poc_err send_at(mcx_replay *r, mcx_replay_key key, uint64_t now_s)
{
    const char *why;
    POC_TRY(mcx_replay_check(r, &key, &why));
    return mcx_replay_remember(r, &key, now_s, (key.ntp >> 24) + SKEW_S);
}

static poc_err send(mcx_replay *r, mcx_replay_key key)
{
    return send_at(r, key, NOW_S);
}

static void assert_refused(const mcx_replay *r, mcx_replay_key key, const char *reason)
{
    const char *why = "";
    assert_int_equal(mcx_replay_check(r, &key, &why), POC_E_AUTH);
    assert_string_equal(why, reason);
}

static mcx_replay *cache(size_t capacity, size_t of_sender)
{
    mcx_replay *r;
    assert_int_equal(mcx_replay_new(&r, capacity, of_sender, 7), POC_OK);
    return r;
}

static void nobody_takes_the_places_of_others_however_much_he_sends(void **state)
{
    POC_OWNED(mcx_replay, r, mcx_replay_free);
    (void)state;
    r = cache(4, 2);
    assert_int_equal(send(r, message(bob, AT(NOW_S), 1)), POC_OK);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(send(r, message(alice, AT(NOW_S + SKEW_S - 100 + i), i)), POC_OK);
    assert_int_equal(mcx_replay_count(r), 3);
    assert_int_equal(send(r, message(carol, AT(NOW_S - SKEW_S), 1)), POC_OK);
    assert_refused(r, message(bob, AT(NOW_S), 1), "repeated message");
    assert_refused(r, message(alice, AT(NOW_S + SKEW_S - 1), 99), "repeated message");
    assert_refused(r, message(alice, AT(NOW_S + SKEW_S - 100), 0), "older than the last message of its sender");
}

static void so_many_of_one_sender_and_time_are_taken_and_each_of_them_once(void **state)
{
    POC_OWNED(mcx_replay, r, mcx_replay_free);
    (void)state;
    r = cache(8, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(send(r, message(alice, AT(NOW_S), i)), POC_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_refused(r, message(alice, AT(NOW_S), i), "repeated message");
    assert_refused(r, message(alice, AT(NOW_S), 3), "one too many of its sender at one time");
    assert_int_equal(send(r, message(bob, AT(NOW_S), 3)), POC_OK);
    assert_int_equal(send(r, message(alice, AT(NOW_S) + 1, 3)), POC_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_not_equal(send(r, message(alice, AT(NOW_S), i)), POC_OK);
}

static void what_was_displaced_is_remembered_again_when_what_displaced_it_is_forgotten(void **state)
{
    POC_OWNED(mcx_replay, r, mcx_replay_free);
    (void)state;
    for (size_t of_sender = 1; of_sender <= 3; of_sender++) {
        mcx_replay_free(r);
        r = cache(4, of_sender);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(send(r, message(alice, AT(NOW_S + i), i)), POC_OK);
            mcx_replay_forget_last(r);
            assert_int_equal(send(r, message(alice, AT(NOW_S + i), i)), POC_OK);
        }
        mcx_replay_forget_last(r);
        assert_int_equal(mcx_replay_count(r), of_sender);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_not_equal(send(r, message(alice, AT(NOW_S + i), i)), POC_OK);
        assert_int_equal(send(r, message(alice, AT(NOW_S + 3), 3)), POC_OK);
    }
}

static void when_all_places_are_taken_by_others_what_is_as_old_as_the_first_is_refused(void **state)
{
    POC_OWNED(mcx_replay, r, mcx_replay_free);
    (void)state;
    r = cache(2, 2);
    assert_int_equal(send(r, message(alice, AT(NOW_S), 1)), POC_OK);
    assert_int_equal(send(r, message(bob, AT(NOW_S + 1), 1)), POC_OK);
    assert_int_equal(send(r, message(bob, AT(NOW_S + 2), 2)), POC_OK); /* a place of his own */
    assert_int_equal(send(r, message(alice, AT(NOW_S + 3), 2)), POC_OK);
    assert_int_equal(mcx_replay_count(r), 2);
    assert_int_equal(send(r, message(carol, AT(NOW_S + 4), 1)), POC_OK);
    assert_int_equal(mcx_replay_count(r), 2);
    assert_refused(r, message(bob, AT(NOW_S + 2), 2), "as old as messages that had to be forgotten");
    assert_refused(r, message(carol, AT(NOW_S + 1), 7), "as old as messages that had to be forgotten");
    assert_int_equal(send(r, message(bob, AT(NOW_S + 3), 7)), POC_OK);
}

static void places_are_used_again_when_what_was_in_them_cannot_come_any_more(void **state)
{
    POC_OWNED(mcx_replay, r, mcx_replay_free);
    (void)state;
    r = cache(3, 2);
    for (uint64_t now_s = NOW_S; now_s < NOW_S + 20 * SKEW_S; now_s += SKEW_S + 1) {
        assert_int_equal(send_at(r, message(alice, AT(now_s), 1), now_s), POC_OK);
        assert_int_equal(send_at(r, message(bob, AT(now_s), 1), now_s), POC_OK);
        assert_int_equal(send_at(r, message(alice, AT(now_s), 2), now_s), POC_OK);
        assert_int_equal(mcx_replay_count(r), 3);
        assert_refused(r, message(alice, AT(now_s), 1), "repeated message");
        assert_refused(r, message(bob, AT(now_s), 1), "repeated message");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_takes_the_places_of_others_however_much_he_sends),
        cmocka_unit_test(so_many_of_one_sender_and_time_are_taken_and_each_of_them_once),
        cmocka_unit_test(what_was_displaced_is_remembered_again_when_what_displaced_it_is_forgotten),
        cmocka_unit_test(when_all_places_are_taken_by_others_what_is_as_old_as_the_first_is_refused),
        cmocka_unit_test(places_are_used_again_when_what_was_in_them_cannot_come_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
