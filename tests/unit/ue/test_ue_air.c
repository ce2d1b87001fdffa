/* What comes by datagram: protected media, the unicast copy, and pushed keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/text.h"
#include "pair.h"

static pair w;
static size_t secrets_before;

static int begin(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    secrets_before = poc_secret_live_count();
    pair_open(&w, NULL);
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_events_clear(&w);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pair_close(&w);
    return poc_secret_live_count() == secrets_before ? 0 : -1;
}

static size_t count(pocue_event_type type)
{
    pocue_event e;
    size_t n = 0;
    while (pair_event(&w, type, &e))
        n++;
    return n;
}

static void give_unicast_copy(uint16_t seq)
{
    uint8_t packet[64], speech[20];
    memset(speech, seq & 0xff, sizeof(speech));
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    bcast_rtp_put(&wr, &(bcast_rtp){ .seq = seq,
                                     .timestamp = seq * 160u,
                                     .ssrc = 0x11223344,
                                     .payload = poc_span_of(speech, sizeof(speech)) });
    pocue_unicast(w.ue, w.now_ms, BCAST_FLOW_RTP, poc_span_of(packet, wr.len));
}

/* POC-15 */
static void test_the_msk_alone_opens_media_and_floor_messages_of_the_channel(void **state)
{
    (void)state;
    pocue_event e;
    uint8_t idle[64];
    poc_wr wr = poc_wr_into(idle, sizeof(idle));
    bcast_mbcp_put(&wr, &(bcast_mbcp){ .type = BCAST_MBCP_IDLE, .ssrc = 5 });
    pair_on_air(&w);
    pair_talk(&w, 1);
    assert_int_equal(bcast_protector_send(w.protector, w.now_ms, BCAST_FLOW_FLOOR, poc_span_of(idle, wr.len)), POC_OK);
    pair_deliver(&w);
    assert_true(pair_event(&w, POCUE_MTK, &e));
    assert_int_equal(e.mki.msk_id, poc_msk_id_of(PAIR_GROUP, 1));
    assert_true(pair_event(&w, POCUE_PLAY, &e));
    assert_true(e.by_multicast);
    assert_int_equal(e.seq, 1);
    assert_int_equal(e.payload.n, 20);
    assert_int_equal(e.payload.p[0], 1);
    assert_true(pair_event(&w, POCUE_FLOOR, &e));
    bcast_mbcp got;
    assert_int_equal(bcast_mbcp_parse(&got, e.payload), POC_OK);
    assert_int_equal(got.type, BCAST_MBCP_IDLE);
}

/* POC-15: the wrong MSK opens neither. */
static void test_under_an_unknown_msk_nothing_plays_and_the_missed_key_is_told_once(void **state)
{
    (void)state;
    pocue_event e;
    pair_new_msk(&w, 2);
    pair_on_air(&w);
    pair_talk(&w, 1);
    pair_talk(&w, 2);
    pair_deliver(&w);
    size_t missed = 0, unreadable = 0;
    while (pocue_poll(w.ue, &e)) {
        assert_int_not_equal(e.type, POCUE_PLAY);
        assert_int_not_equal(e.type, POCUE_MTK);
        missed += e.type == POCUE_KEY_MISSED && e.msk_id == poc_msk_id_of(PAIR_GROUP, 2);
        unreadable += e.type == POCUE_UNREADABLE;
    }
    assert_int_equal(missed, 1);
    assert_int_equal(unreadable, 2);
}

static void test_foreign_groups_and_past_numbers_on_air_are_no_missed_key(void **state)
{
    (void)state;
    pair_new_msk(&w, 2);
    w.params.msk_id = poc_msk_id_of(PAIR_GROUP + 1, 1);
    pair_on_air(&w);
    pair_talk(&w, 1);
    pair_deliver(&w);
    assert_int_equal(count(POCUE_KEY_MISSED), 0);
}

static void test_a_packet_plays_once_whichever_way_it_comes(void **state)
{
    (void)state;
    pair_on_air(&w);
    pair_talk(&w, 1);
    pair_talk(&w, 2);
    give_unicast_copy(2);
    pair_deliver(&w);
    give_unicast_copy(1);
    give_unicast_copy(3);
    assert_int_equal(count(POCUE_PLAY), 3);
}

static void test_a_repeated_datagram_is_neither_played_nor_called_unreadable(void **state)
{
    (void)state;
    pocue_event e;
    pair_on_air(&w);
    pair_deliver(&w);
    pair_talk(&w, 1);
    pair_datagram once = w.air[0];
    pair_deliver(&w);
    pair_events_clear(&w);
    pocue_multicast(w.ue, w.now_ms, once.flow, poc_span_of(once.b, once.n));
    assert_false(pocue_poll(w.ue, &e));
}

static void test_an_altered_packet_is_unreadable(void **state)
{
    (void)state;
    pair_on_air(&w);
    pair_talk(&w, 1);
    w.air[w.air_count - 1].b[15] ^= 1;
    pair_deliver(&w);
    assert_int_equal(count(POCUE_UNREADABLE), 1);
}

static void test_numbers_wrap_and_a_restarted_source_is_heard_again(void **state)
{
    (void)state;
    static const uint16_t new_ones[] = { 65534, 65535, 0, 1, 2, 30000, 30001 };
    for (size_t i = 0; i < POC_COUNT(new_ones); i++)
        give_unicast_copy(new_ones[i]);
    assert_int_equal(count(POCUE_PLAY), POC_COUNT(new_ones));
    give_unicast_copy(100); /* far back: alone it proves nothing */
    assert_int_equal(count(POCUE_PLAY), 0);
    give_unicast_copy(101);
    give_unicast_copy(102);
    give_unicast_copy(101);
    assert_int_equal(count(POCUE_PLAY), 2);
}

static void test_an_honest_client_forgets_the_channel_when_the_session_is_over(void **state)
{
    (void)state;
    pocue_event e;
    pair_on_air(&w);
    pocue_session_over(w.ue, w.now_ms, false);
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
    assert_true(pair_event(&w, POCUE_LEAVE_GROUP, &e));
    pair_talk(&w, 1);
    pair_deliver(&w);
    assert_false(pocue_poll(w.ue, &e));
}

/* POC-17: all it ever had is worth nothing after the switch, and everything before. */
static void test_an_eavesdropper_hears_until_the_switch_and_nothing_after(void **state)
{
    (void)state;
    pair_on_air(&w);
    pocue_session_over(w.ue, w.now_ms, true);
    pair_talk(&w, 1);
    pair_deliver(&w);
    assert_int_equal(count(POCUE_PLAY), 1);
    pair_new_msk(&w, 2);
    pair_on_air(&w);
    for (uint16_t seq = 2; seq < 12; seq++)
        pair_talk(&w, seq);
    pair_deliver(&w);
    size_t unreadable = 0;
    pocue_event e;
    while (pocue_poll(w.ue, &e)) {
        assert_int_not_equal(e.type, POCUE_PLAY);
        unreadable += e.type == POCUE_UNREADABLE;
    }
    assert_int_equal(unreadable, 10);
}

static void test_a_pushed_msk_is_installed_and_verified_and_its_repetition_answered_alike(void **state)
{
    (void)state;
    uint8_t message[MIKEY_MESSAGE_MAX], reply[MIKEY_MESSAGE_MAX], again[MIKEY_MESSAGE_MAX];
    size_t reply_len, again_len;
    poc_msk_id ids[2];
    pair_new_msk(&w, 2);
    w.params.wants_verification = true;
    size_t n = pair_seal(&w, message);
    assert_int_equal(pocue_push(w.ue, w.now_ms, poc_span_of(message, n), reply, &reply_len), POC_OK);
    assert_true(reply_len > 0);
    assert_int_equal(pocue_msks(w.ue, ids, 2), 2);
    assert_int_equal(ids[0], poc_msk_id_of(PAIR_GROUP, 2));
    assert_int_equal(count(POCUE_KEY), 1);
    assert_int_equal(pocue_push(w.ue, w.now_ms, poc_span_of(message, n), again, &again_len), POC_OK);
    assert_int_equal(again_len, reply_len);
    assert_memory_equal(again, reply, reply_len);
    assert_int_equal(count(POCUE_KEY), 0);
}

static void test_a_push_that_is_old_or_altered_changes_nothing_and_is_not_answered(void **state)
{
    (void)state;
    uint8_t first[MIKEY_MESSAGE_MAX], second[MIKEY_MESSAGE_MAX], reply[MIKEY_MESSAGE_MAX];
    size_t reply_len;
    pair_new_msk(&w, 2);
    w.params.wants_verification = true;
    size_t n = pair_seal(&w, first), m = pair_seal(&w, second);
    second[m - 1] ^= 1;
    assert_int_equal(pocue_push(w.ue, w.now_ms, poc_span_of(second, m), reply, &reply_len), POC_E_AUTH);
    assert_int_equal(reply_len, 0);
    second[m - 1] ^= 1;
    assert_int_equal(pocue_push(w.ue, w.now_ms, poc_span_of(second, m), reply, &reply_len), POC_OK);
    assert_int_equal(pocue_push(w.ue, w.now_ms, poc_span_of(first, n), reply, &reply_len), POC_E_DENIED);
    assert_int_equal(reply_len, 0);
}

/* MBMS-10 */
static void test_key_number_0_asks_for_a_pull_and_installs_nothing(void **state)
{
    (void)state;
    uint8_t message[MIKEY_MESSAGE_MAX], reply[MIKEY_MESSAGE_MAX];
    size_t reply_len;
    pocue_event e;
    w.params.msk_id = poc_msk_id_of(PAIR_GROUP, 0);
    w.params.wants_verification = true;
    size_t n = pair_seal(&w, message);
    assert_int_equal(pocue_push(w.ue, w.now_ms, poc_span_of(message, n), reply, &reply_len), POC_OK);
    assert_int_equal(reply_len, 0);
    assert_true(pair_event(&w, POCUE_KEY_MISSED, &e));
    assert_int_equal(pocue_msks(w.ue, &(poc_msk_id){ 0 }, 1), 1);
    assert_int_equal(pocue_push(w.ue, w.now_ms, poc_span_of(message, n), reply, &reply_len), POC_OK);
    assert_false(pocue_poll(w.ue, &e));
}

static void test_an_interval_turned_over_deletes_the_msk(void **state)
{
    (void)state;
    uint8_t message[MIKEY_MESSAGE_MAX], reply[MIKEY_MESSAGE_MAX];
    size_t reply_len;
    w.params.seq_low = 100;
    w.params.seq_high = 99;
    size_t n = pair_seal(&w, message);
    assert_int_equal(pocue_push(w.ue, w.now_ms, poc_span_of(message, n), reply, &reply_len), POC_OK);
    assert_int_equal(pocue_msks(w.ue, &(poc_msk_id){ 0 }, 1), 0);
}

static void test_of_too_many_events_the_oldest_are_lost_and_counted(void **state)
{
    (void)state;
    pocue_event e;
    for (uint16_t seq = 0; seq < 260; seq++)
        give_unicast_copy(seq);
    assert_int_equal(pocue_events_lost(w.ue), 4);
    assert_true(pocue_poll(w.ue, &e));
    assert_int_equal(e.seq, 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_the_msk_alone_opens_media_and_floor_messages_of_the_channel),
        T(test_under_an_unknown_msk_nothing_plays_and_the_missed_key_is_told_once),
        T(test_foreign_groups_and_past_numbers_on_air_are_no_missed_key),
        T(test_a_packet_plays_once_whichever_way_it_comes),
        T(test_a_repeated_datagram_is_neither_played_nor_called_unreadable),
        T(test_an_altered_packet_is_unreadable),
        T(test_numbers_wrap_and_a_restarted_source_is_heard_again),
        T(test_an_honest_client_forgets_the_channel_when_the_session_is_over),
        T(test_an_eavesdropper_hears_until_the_switch_and_nothing_after),
        T(test_a_pushed_msk_is_installed_and_verified_and_its_repetition_answered_alike),
        T(test_a_push_that_is_old_or_altered_changes_nothing_and_is_not_answered),
        T(test_key_number_0_asks_for_a_pull_and_installs_nothing),
        T(test_an_interval_turned_over_deletes_the_msk),
        T(test_of_too_many_events_the_oldest_are_lost_and_counted),
    };
    return cmocka_run_group_tests_name("ue air", tests, NULL, NULL);
}
