/* Measures and expectations on observations made by hand: an expectation that cannot fail shows nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/expect.h"
#include "tests/harness/measure.h"
#include "tests/harness/wav.h"

enum { ALICE, BOB, CAROL };
#define MSK_1 0x10010001u
#define MSK_2 0x10010002u
#define MSK_3 0x10010003u

typedef struct stage {
    record rec;
    measure m;
    expect e;
    uint16_t seq;
} stage;

static void see(stage *s, world_what what, int64_t ms, int client, poc_msk_id msk)
{
    world_seen seen = { .what = what, .at_us = ms * 1000, .client = client, .mki = { msk, 1 } };
    record_see(&s->rec, &seen);
}

static void see_packet(stage *s, world_what what, int64_t ms, int client, poc_msk_id msk, uint16_t seq)
{
    world_seen seen = { .what = what,
                        .at_us = ms * 1000,
                        .client = client,
                        .by_multicast = true,
                        .mki = { msk, 1 },
                        .ssrc = 7,
                        .seq = seq,
                        .timestamp = seq * 160u,
                        .payload_len = 160 };
    memset(seen.payload, 0x00, sizeof(seen.payload));
    record_see(&s->rec, &seen);
}

/* A packet goes out under `msk`; a bit in `readers` for each who opens it, the others cannot. */
static void air(stage *s, int64_t ms, poc_msk_id msk, unsigned readers)
{
    uint16_t seq = s->seq++;
    see_packet(s, WORLD_SENT, ms, ALICE, 0, seq);
    see_packet(s, WORLD_ON_AIR, ms + 2, -1, msk, seq);
    for (int c = ALICE; c <= BOB; c++)
        see_packet(s, (readers >> c & 1u) != 0 ? WORLD_PLAYED : WORLD_UNREADABLE, ms + 4, c, msk, seq);
}

static void enter(stage *s, int client)
{
    s->rec.clients[client].channel = 0;
    world_seen joining = { .what = WORLD_JOINING, .client = client };
    record_see(&s->rec, &joining);
    see(s, WORLD_IN, 10, client, 0);
    see(s, WORLD_ON_GROUP, 20, client, 0);
    see(s, WORLD_KEY, 20, client, MSK_1);
}

static int set_up(void **state)
{
    stage *s = test_calloc(1, sizeof(*s));
    record_init(&s->rec, "made by hand", 1);
    expect_init(&s->e);
    s->rec.channels[0] =
        (record_channel){ .made = { .id = "dispatch", .on_leave = "never", .deadline_ms = 2000 }, .last_air_us = -1 };
    s->rec.channel_count = 1;
    s->rec.client_count = 2;
    strcpy(s->rec.clients[ALICE].made.name, "alice");
    strcpy(s->rec.clients[BOB].made.name, "bob");
    enter(s, ALICE);
    enter(s, BOB);
    see(s, WORLD_STKM_ON_AIR, 30, -1, MSK_1);
    see(s, WORLD_MTK, 31, ALICE, MSK_1);
    see(s, WORLD_MTK, 31, BOB, MSK_1);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    stage *s = *state;
    measure_done(&s->m);
    expect_done(&s->e);
    record_done(&s->rec);
    test_free(s);
    return 0;
}

/* Bob is expelled at 200 ms; what is on air until the switch at 260 ms he can open. */
static void expel_bob(stage *s)
{
    air(s, 100, MSK_1, 3);
    see(s, WORLD_EXPELLED, 200, BOB, 0);
    see(s, WORLD_BYED, 205, BOB, 0);
    air(s, 218, MSK_1, 3);
    see(s, WORLD_KEY, 230, ALICE, MSK_2);
    see(s, WORLD_STKM_ON_AIR, 260, -1, MSK_2);
    see(s, WORLD_MTK, 261, ALICE, MSK_2);
}

static const expect_row *judged(stage *s, expect_kind kind, int who, int64_t limit)
{
    expect_later(&s->e, &s->rec, kind, who, limit, 0, s->rec.end_us);
    measure_done(&s->m);
    assert_int_equal(measure_run(&s->m, &s->rec), POC_OK);
    expect_judge(&s->e, &s->rec, &s->m);
    return &s->e.rows[s->e.count - 1];
}

/* Only what is a time: a packet too many is one on any machine. */
static void patience_lengthens_limits_in_milliseconds_and_no_others(void **state)
{
    stage *s = *state;
    s->e.patience = 20;
    assert_int_equal(judged(s, EXPECT_EXPOSURE, BOB, 200)->limit, 4000);
    assert_int_equal(judged(s, EXPECT_GAP, ALICE, 3)->limit, 3);
}

static void exposure_runs_from_the_expulsion_to_the_last_packet_opened(void **state)
{
    stage *s = *state;
    expel_bob(s);
    air(s, 280, MSK_2, 1);
    assert_true(judged(s, EXPECT_EXPOSURE, BOB, 20)->ok);
    assert_int_equal(s->e.rows[0].value, 20);
    assert_false(judged(s, EXPECT_EXPOSURE, BOB, 19)->ok);
    assert_false(expect_all_met(&s->e));
}

static void exposure_of_one_who_was_not_expelled_is_not_met(void **state)
{
    stage *s = *state;
    air(s, 100, MSK_1, 3);
    assert_false(judged(s, EXPECT_EXPOSURE, BOB, 200)->ok);
}

/* POC-17 */
static void a_packet_opened_after_the_switch_is_found(void **state)
{
    stage *s = *state;
    expel_bob(s);
    air(s, 280, MSK_2, 1);
    assert_true(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
    air(s, 300, MSK_2, 3);
    assert_false(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
}

/* Bob was given MSK 2 in a rekey that ends while the PF does not know yet that bob is expelled; MSK 3 is the answer. */
static void a_rekey_that_ends_before_the_pf_hears_of_the_expulsion_is_not_its_switch(void **state)
{
    stage *s = *state;
    see(s, WORLD_KEY, 195, BOB, MSK_2);
    see(s, WORLD_EXPELLED, 200, BOB, 0);
    see(s, WORLD_STKM_ON_AIR, 202, -1, MSK_2);
    air(s, 203, MSK_2, 3);
    see(s, WORLD_BYED, 205, BOB, 0);
    see(s, WORLD_STKM_ON_AIR, 260, -1, MSK_3);
    air(s, 280, MSK_3, 1);
    assert_false(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok); /* a clock turned by hand: the PF knows at once */
    s->rec.world = "real";
    assert_true(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
    air(s, 300, MSK_3, 3);
    assert_false(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
}

/* POC-19 */
static void an_old_key_that_still_protects_media_after_the_switch_is_found(void **state)
{
    stage *s = *state;
    expel_bob(s);
    air(s, 280, MSK_1, 3);
    assert_false(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
}

static void without_a_switch_nobody_counts_as_confirmed(void **state)
{
    assert_false(judged(*state, EXPECT_CONFIRMED, 0, 0)->ok);
}

static void silence_after_the_switch_shows_nothing(void **state)
{
    stage *s = *state;
    expel_bob(s);
    assert_false(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
    assert_string_equal(s->e.rows[0].note, "nothing was on air after the switch");
}

/* POC-10 */
static void an_expulsion_without_a_switch_is_not_met(void **state)
{
    stage *s = *state;
    see(s, WORLD_EXPELLED, 200, BOB, 0);
    air(s, 300, MSK_1, 1);
    assert_false(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
}

static void a_rekey_names_its_keys_its_reason_and_its_times(void **state)
{
    stage *s = *state;
    expel_bob(s);
    air(s, 280, MSK_2, 1);
    (void)judged(s, EXPECT_REKEYS, 0, 1);
    assert_true(s->e.rows[0].ok);
    const measure_rekey *r = &s->m.rekeys[0];
    assert_string_equal(r->reason, "expel");
    assert_int_equal(r->old_id, MSK_1);
    assert_int_equal(r->new_id, MSK_2);
    assert_int_equal(r->start_us, 200000);
    assert_int_equal(r->switch_us, 260000);
    assert_int_equal(r->exposure_us, 20000);
    assert_int_equal(r->members, 1);
    assert_int_equal(r->confirmed, 1);
}

static void a_packet_that_a_member_cannot_open_is_a_gap(void **state)
{
    stage *s = *state;
    expel_bob(s);
    air(s, 280, MSK_2, 1);
    assert_true(judged(s, EXPECT_GAP, ALICE, 0)->ok);
    air(s, 300, MSK_2, 0);
    assert_false(judged(s, EXPECT_GAP, ALICE, 0)->ok);
    assert_int_equal(s->e.rows[1].value, 1);
}

static void what_the_expelled_one_cannot_open_is_no_gap(void **state)
{
    stage *s = *state;
    expel_bob(s);
    air(s, 280, MSK_2, 1);
    assert_true(judged(s, EXPECT_GAP, BOB, 0)->ok);
}

static void a_packet_that_the_gate_swallowed_is_a_gap(void **state)
{
    stage *s = *state;
    see(s, WORLD_EXPELLED, 200, ALICE, 0);
    see_packet(s, WORLD_SENT, 210, BOB, 0, 900);
    see(s, WORLD_KEY, 230, BOB, MSK_2);
    see(s, WORLD_STKM_ON_AIR, 260, -1, MSK_2);
    assert_true(judged(s, EXPECT_GAP, BOB, 0)->ok); /* his own */
    see_packet(s, WORLD_SENT, 300, BOB, 0, 901);
    see_packet(s, WORLD_ON_AIR, 302, -1, MSK_2, 901);
    see_packet(s, WORLD_UNREADABLE, 304, BOB, MSK_2, 901);
    assert_false(judged(s, EXPECT_GAP, BOB, 0)->ok);
}

/* Who was cut off by the deadline was not reachable; who was cut off before it was wronged. */
static void only_the_deadline_excuses_a_gap(void **state)
{
    stage *s = *state;
    air(s, 100, MSK_1, 3);
    world_seen asked = { .what = WORLD_REKEY_ASKED, .at_us = 200000, .client = -1, .status = 0 };
    record_see(&s->rec, &asked);
    see(s, WORLD_KEY, 230, ALICE, MSK_2);
    see(s, WORLD_STKM_ON_AIR, 600, -1, MSK_2);
    air(s, 700, MSK_2, 1);
    assert_false(judged(s, EXPECT_GAP, BOB, 0)->ok);
    s->rec.channels[0].made.deadline_ms = 370;
    assert_true(judged(s, EXPECT_GAP, BOB, 0)->ok);
}

/* Nobody got the new MSK before the switch: the PF waited since it was told to rekey. */
static void the_deadline_excuses_a_gap_of_all(void **state)
{
    stage *s = *state;
    air(s, 100, MSK_1, 3);
    world_seen asked = { .what = WORLD_REKEY_ASKED, .at_us = 200000, .client = -1, .status = 0 };
    record_see(&s->rec, &asked);
    see(s, WORLD_STKM_ON_AIR, 600, -1, MSK_2);
    air(s, 700, MSK_2, 0);
    see(s, WORLD_KEY, 900, BOB, MSK_2);
    assert_false(judged(s, EXPECT_GAP, BOB, 0)->ok);
    s->rec.channels[0].made.deadline_ms = 400;
    assert_true(judged(s, EXPECT_GAP, BOB, 0)->ok);
}

static void a_newcomer_before_its_first_stkm_has_no_gap(void **state)
{
    stage *s = *state;
    see(s, WORLD_OUT, 40, BOB, 0);
    world_seen joining = { .what = WORLD_JOINING, .client = BOB, .at_us = 50000 };
    record_see(&s->rec, &joining);
    see(s, WORLD_IN, 60, BOB, 0);
    see(s, WORLD_ON_GROUP, 70, BOB, 0);
    see(s, WORLD_KEY, 70, BOB, MSK_1);
    air(s, 100, MSK_1, 1);
    assert_true(judged(s, EXPECT_GAP, BOB, 0)->ok);
    see(s, WORLD_MTK, 150, BOB, MSK_1);
    air(s, 200, MSK_1, 1);
    assert_false(judged(s, EXPECT_GAP, BOB, 0)->ok);
}

static void first_audio_counts_from_the_join(void **state)
{
    stage *s = *state;
    air(s, 100, MSK_1, 3);
    assert_true(judged(s, EXPECT_FIRST_AUDIO, BOB, 104)->ok);
    assert_false(judged(s, EXPECT_FIRST_AUDIO, BOB, 103)->ok);
}

static void one_who_heard_nothing_has_no_first_audio(void **state)
{
    assert_false(judged(*state, EXPECT_FIRST_AUDIO, BOB, 1000000)->ok);
}

/* POC-8 */
static void a_new_msk_given_to_one_client_is_found_even_before_it_is_used(void **state)
{
    stage *s = *state;
    air(s, 100, MSK_1, 3);
    assert_true(judged(s, EXPECT_NO_REKEY, 0, 0)->ok);
    see(s, WORLD_KEY, 230, ALICE, MSK_2);
    assert_false(judged(s, EXPECT_NO_REKEY, 0, 0)->ok);
}

/* POC-1 */
static void one_unprotected_datagram_is_found(void **state)
{
    stage *s = *state;
    assert_true(judged(s, EXPECT_NOTHING_CLEAR, -1, 0)->ok);
    see(s, WORLD_CLEAR_ON_AIR, 300, -1, 0);
    assert_false(judged(s, EXPECT_NOTHING_CLEAR, -1, 0)->ok);
}

/* Carol is in no session: she has registered, and is told by push. */
static void register_carol(stage *s)
{
    s->rec.client_count = 3;
    strcpy(s->rec.clients[CAROL].made.name, "carol");
    world_seen registering = { .what = WORLD_REGISTERING, .at_us = 40000, .client = CAROL };
    record_see(&s->rec, &registering);
    see(s, WORLD_REGISTERED, 50, CAROL, 0);
    see(s, WORLD_ON_GROUP, 60, CAROL, 0);
    see(s, WORLD_KEY, 60, CAROL, MSK_1);
    see(s, WORLD_MTK, 61, CAROL, MSK_1);
}

static void a_client_that_registered_is_a_member_of_the_rekey(void **state)
{
    stage *s = *state;
    register_carol(s);
    expel_bob(s);
    air(s, 280, MSK_2, 1);
    (void)judged(s, EXPECT_REKEYS, 0, 1);
    assert_true(judged(s, EXPECT_CONFIRMED, 0, 1)->ok);
    assert_false(judged(s, EXPECT_CONFIRMED, 0, 2)->ok);
    assert_int_equal(s->m.rekeys[0].members, 2);
    assert_int_equal(s->m.rekeys[0].confirmed, 1);
    see_packet(s, WORLD_UNREADABLE, 284, CAROL, MSK_2, (uint16_t)(s->seq - 1));
    assert_false(judged(s, EXPECT_GAP, CAROL, 0)->ok);
}

static void what_a_client_out_of_coverage_misses_is_no_gap(void **state)
{
    stage *s = *state;
    register_carol(s);
    expel_bob(s);
    world_seen away = { .what = WORLD_COVERED, .at_us = 270000, .client = CAROL, .status = 0 };
    record_see(&s->rec, &away);
    air(s, 280, MSK_2, 1);
    see_packet(s, WORLD_UNREADABLE, 284, CAROL, MSK_2, (uint16_t)(s->seq - 1));
    assert_true(judged(s, EXPECT_GAP, CAROL, 0)->ok);
}

static void a_refused_registration_does_not_end_the_exposure_of_one_who_was_expelled(void **state)
{
    stage *s = *state;
    expel_bob(s);
    air(s, 280, MSK_2, 1);
    world_seen registering = { .what = WORLD_REGISTERING, .at_us = 290000, .client = BOB };
    record_see(&s->rec, &registering);
    see(s, WORLD_DENIED, 291, BOB, 0);
    assert_true(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
    air(s, 300, MSK_2, 3);
    assert_false(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->ok);
    registering.at_us = 310000;
    record_see(&s->rec, &registering);
    see(s, WORLD_REGISTERED, 311, BOB, 0); /* admitted again: what he opens from now on is his */
    air(s, 320, MSK_2, 3);
    assert_int_equal(judged(s, EXPECT_AFTER_SWITCH, BOB, 0)->value, 1);
}

static void a_packet_of_the_content_source_that_the_gate_swallowed_is_a_gap(void **state)
{
    stage *s = *state;
    see(s, WORLD_EXPELLED, 200, ALICE, 0);
    world_seen sent = { .what = WORLD_SENT, .at_us = 210000, .client = -1, .status = 0, .ssrc = 9, .seq = 900 };
    record_see(&s->rec, &sent);
    see(s, WORLD_KEY, 230, BOB, MSK_2);
    see(s, WORLD_STKM_ON_AIR, 260, -1, MSK_2);
    assert_false(judged(s, EXPECT_GAP, BOB, 0)->ok);
}

static void one_who_lacks_the_msk_on_air_or_has_it_unduly_is_named(void **state)
{
    stage *s = *state;
    const char *how = NULL;
    assert_int_equal(measure_wrong_holder(&s->rec, 0, 3, &how), -1);
    assert_int_equal(measure_wrong_holder(&s->rec, 0, 1, &how), BOB);
    assert_string_equal(how, "was given it too");
    expel_bob(s);
    assert_int_equal(measure_wrong_holder(&s->rec, 0, 1, &how), -1);
    assert_int_equal(measure_wrong_holder(&s->rec, 0, 3, &how), BOB);
    assert_string_equal(how, "does not hold it");
    see(s, WORLD_KEY, 400, BOB, MSK_2);
    assert_int_equal(measure_wrong_holder(&s->rec, 0, 1, &how), BOB);
}

static void an_expectation_judged_at_once_keeps_its_verdict(void **state)
{
    stage *s = *state;
    expect_now(&s->e, "this holds", true, "unused");
    assert_true(expect_all_met(&s->e));
    expect_now(&s->e, "this does not", false, "because");
    assert_false(expect_all_met(&s->e));
    assert_string_equal(s->e.rows[0].note, "");
    assert_string_equal(s->e.rows[1].note, "because");
}

static void a_wav_has_sound_where_something_was_played_and_silence_elsewhere(void **state)
{
    stage *s = *state;
    size_t len;
    air(s, 100, MSK_1, 2);
    uint8_t *wav = wav_of(&s->rec, BOB, &len);
    assert_non_null(wav);
    assert_memory_equal(wav, "RIFF", 4);
    const uint8_t *sample = wav + 44 + (104 * 8) * 2;
    assert_int_equal((int16_t)(sample[0] | sample[1] << 8), wav_from_ulaw(0x00));
    assert_int_equal(sample[-2] | sample[-1], 0);
    assert_int_equal(sample[320] | sample[321], 0);
    free(wav);
}

static void ulaw_has_its_corner_values(void **state)
{
    (void)state;
    assert_int_equal(wav_from_ulaw(0xFF), 0);
    assert_int_equal(wav_from_ulaw(0x7F), 0);
    assert_int_equal(wav_from_ulaw(0x00), -32124);
    assert_int_equal(wav_from_ulaw(0x80), 32124);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(exposure_runs_from_the_expulsion_to_the_last_packet_opened),
        ON_STAGE(exposure_of_one_who_was_not_expelled_is_not_met),
        ON_STAGE(patience_lengthens_limits_in_milliseconds_and_no_others),
        ON_STAGE(a_packet_opened_after_the_switch_is_found),
        ON_STAGE(a_rekey_that_ends_before_the_pf_hears_of_the_expulsion_is_not_its_switch),
        ON_STAGE(an_old_key_that_still_protects_media_after_the_switch_is_found),
        ON_STAGE(without_a_switch_nobody_counts_as_confirmed),
        ON_STAGE(silence_after_the_switch_shows_nothing),
        ON_STAGE(an_expulsion_without_a_switch_is_not_met),
        ON_STAGE(a_rekey_names_its_keys_its_reason_and_its_times),
        ON_STAGE(a_packet_that_a_member_cannot_open_is_a_gap),
        ON_STAGE(what_the_expelled_one_cannot_open_is_no_gap),
        ON_STAGE(a_packet_that_the_gate_swallowed_is_a_gap),
        ON_STAGE(only_the_deadline_excuses_a_gap),
        ON_STAGE(the_deadline_excuses_a_gap_of_all),
        ON_STAGE(a_newcomer_before_its_first_stkm_has_no_gap),
        ON_STAGE(first_audio_counts_from_the_join),
        ON_STAGE(one_who_heard_nothing_has_no_first_audio),
        ON_STAGE(a_new_msk_given_to_one_client_is_found_even_before_it_is_used),
        ON_STAGE(one_unprotected_datagram_is_found),
        ON_STAGE(a_client_that_registered_is_a_member_of_the_rekey),
        ON_STAGE(what_a_client_out_of_coverage_misses_is_no_gap),
        ON_STAGE(a_refused_registration_does_not_end_the_exposure_of_one_who_was_expelled),
        ON_STAGE(a_packet_of_the_content_source_that_the_gate_swallowed_is_a_gap),
        ON_STAGE(one_who_lacks_the_msk_on_air_or_has_it_unduly_is_named),
        ON_STAGE(an_expectation_judged_at_once_keeps_its_verdict),
        ON_STAGE(a_wav_has_sound_where_something_was_played_and_silence_elsewhere),
        cmocka_unit_test(ulaw_has_its_corner_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
