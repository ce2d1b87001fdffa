/* The sending side under one MSK: what leaves, when, and under which MTK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rng.h"
#include "tests/unit/bcast/air.h"

typedef struct fixture {
    test_rng chance;
    poc_rng rng;
    air air;
    bcast_msk msk;
    bcast_protector *protector; /* without an MSK at first */
    bcast_receiver *receiver;   /* with the MSK */
    size_t secrets_before;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    f = (fixture){ .secrets_before = poc_secret_live_count() };
    f.rng = test_rng_of(&f.chance, 1);
    f.msk = air_msk(AIR_MSK_ID, 0x5a);
    f.protector = air_protector(&f.air, &bcast_protector_defaults, &f.rng);
    f.receiver = air_receiver(&f.msk);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    bcast_protector_free(f->protector);
    bcast_receiver_free(f->receiver);
    poc_secret_free(f->msk.key);
    air_done(&f->air);
    return poc_secret_live_count() == f->secrets_before ? 0 : -1;
}

/* Another protector than that with the defaults. */
static void use(fixture *f, const bcast_protector_settings *settings)
{
    bcast_protector_free(f->protector);
    f->protector = air_protector(&f->air, settings, &f->rng);
}

static void start(fixture *f)
{
    assert_int_equal(bcast_protector_set_msk(f->protector, 0, &f->msk), POC_OK);
}

static poc_err send_rtp(fixture *f, int64_t now_ms, uint16_t seq)
{
    air_packet packet = air_rtp(AIR_SSRC, seq);
    return bcast_protector_send(f->protector, now_ms, BCAST_FLOW_RTP, air_span(&packet));
}

static poc_err send_floor(fixture *f, int64_t now_ms, uint8_t type)
{
    air_packet packet = air_floor(type);
    return bcast_protector_send(f->protector, now_ms, BCAST_FLOW_FLOOR, air_span(&packet));
}

static air_heard hear_all(const fixture *f)
{
    return air_play(&f->air, 0, f->receiver);
}

static uint16_t mtk_id(const fixture *f)
{
    return bcast_protector_look(f->protector).mki.mtk_id;
}

/* ---- nothing but protected packets ---- */

/* POC-13 */
static void nothing_leaves_before_an_msk_exists(void **state)
{
    fixture *f = *state;
    assert_int_equal(send_rtp(f, 0, 1), POC_E_STATE);
    assert_int_equal(send_floor(f, 0, BCAST_MBCP_IDLE), POC_E_STATE);
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 0, true), POC_E_STATE);
    bcast_protector_gate(f->protector, 0, true);
    assert_int_equal(send_rtp(f, 0, 2), POC_E_STATE);
    bcast_protector_gate(f->protector, 0, false);
    assert_true(bcast_protector_deadline(f->protector) == INT64_MAX);
    bcast_protector_tick(f->protector, 100000);
    assert_int_equal(f->air.count, 0);
    start(f);
    assert_int_equal(f->air.at[0].flow, BCAST_FLOW_STKM);
    assert_int_equal(hear_all(f).rtp, 0);
}

/* POC-1 */
static void media_and_floor_on_air_are_srtp_with_mki_and_never_plain(void **state)
{
    fixture *f = *state;
    start(f);
    int64_t now_ms = air_talk(f->protector, 0, AIR_SSRC, 100, 50);
    assert_int_equal(send_floor(f, now_ms, BCAST_MBCP_TAKEN), POC_OK);
    assert_int_equal(send_floor(f, now_ms, BCAST_MBCP_IDLE), POC_OK);
    assert_false(air_holds(&f->air, air_plain_voice()));
    assert_false(air_holds(&f->air, poc_span_str("PoC1")));
    assert_false(air_holds(&f->air, poc_span_str("alice@example")));
    assert_false(air_holds(&f->air, poc_secret_span(f->msk.key)));

    static const uint8_t mki[] = { 0x10, 0x01, 0x00, 0x01, 0x00, 0x01 };
    for (size_t i = 0; i < f->air.count; i++) {
        const air_datagram *d = &f->air.at[i];
        if (d->flow == BCAST_FLOW_STKM)
            continue;
        assert_memory_equal(d->b + d->n - 16, mki, sizeof(mki));
        assert_int_equal(d->n, d->flow == BCAST_FLOW_RTP ? 12 + AIR_PAYLOAD_LEN + 16 : d->n);
    }
}

/* POC-1 */
static void a_packet_with_any_bit_flipped_is_refused(void **state)
{
    fixture *f = *state;
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    start(f);
    assert_int_equal(send_rtp(f, 0, 1), POC_OK);
    assert_int_equal(send_floor(f, 0, BCAST_MBCP_TAKEN), POC_OK);
    assert_int_equal(air_play(&f->air, f->air.count - 2, f->receiver).unopened, 2); /* no STKM heard yet */
    assert_int_equal(bcast_receiver_stkm(f->receiver, poc_span_of(f->air.at[0].b, f->air.at[0].n), &mki),
                     BCAST_STKM_NEW);
    for (size_t i = 1; i < 3; i++) {
        air_datagram *d = &f->air.at[i];
        for (size_t bit = 0; bit < 8 * d->n; bit++) {
            d->b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(bcast_receiver_open(f->receiver, d->flow, poc_span_of(d->b, d->n), out, &n, &mki),
                                 POC_OK);
            assert_int_equal(n, 0);
            d->b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(bcast_receiver_open(f->receiver, d->flow, poc_span_of(d->b, d->n), out, &n, &mki), POC_OK);
    }
}

/* POC-15 */
static void a_receiver_with_the_msk_alone_plays_media_and_floor(void **state)
{
    fixture *f = *state;
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 1, 30);
    assert_int_equal(send_floor(f, 600, BCAST_MBCP_IDLE), POC_OK);
    air_heard heard = hear_all(f);
    assert_int_equal(heard.rtp, 30);
    assert_int_equal(heard.floor, 1);
    assert_int_equal(heard.unopened, 0);
}

/* POC-15 */
static void a_receiver_with_a_wrong_msk_plays_neither(void **state)
{
    fixture *f = *state;
    bcast_msk wrong = air_msk(AIR_MSK_ID, 0x5b);
    bcast_receiver *stranger = air_receiver(&wrong);
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 1, 30);
    assert_int_equal(send_floor(f, 600, BCAST_MBCP_IDLE), POC_OK);
    air_heard heard = air_play(&f->air, 0, stranger);
    assert_int_equal(heard.rtp + heard.floor + heard.stkm_new, 0);
    assert_int_equal(heard.unopened, 31);
    bcast_receiver_free(stranger);
    poc_secret_free(wrong.key);
}

static void what_is_no_packet_of_its_flow_is_refused(void **state)
{
    fixture *f = *state;
    air_packet voice = air_rtp(AIR_SSRC, 1), idle = air_floor(BCAST_MBCP_IDLE);
    start(f);
    size_t before = f->air.count;
    assert_int_equal(bcast_protector_send(f->protector, 0, BCAST_FLOW_FLOOR, air_span(&voice)), POC_E_INPUT);
    assert_int_equal(bcast_protector_send(f->protector, 0, BCAST_FLOW_STKM, air_span(&voice)), POC_E_INPUT);
    voice.b[0] = 0;
    assert_int_equal(bcast_protector_send(f->protector, 0, BCAST_FLOW_RTP, air_span(&voice)), POC_E_INPUT);
    voice = air_rtp(AIR_SSRC, 1);
    voice.n = BCAST_PACKET_MAX - BCAST_OVERHEAD_MAX + 1;
    assert_int_equal(bcast_protector_send(f->protector, 0, BCAST_FLOW_RTP, air_span(&voice)), POC_E_INPUT);
    assert_int_equal(f->air.count, before);
    voice.n--;
    assert_int_equal(bcast_protector_send(f->protector, 0, BCAST_FLOW_RTP, air_span(&voice)), POC_OK);
    idle.b[3]++;
    assert_int_equal(bcast_protector_send(f->protector, 0, BCAST_FLOW_FLOOR, air_span(&idle)), POC_E_INPUT);
}

static void settings_that_could_never_work_are_refused(void **state)
{
    fixture *f = *state;
    bcast_protector *p;
    bcast_protector_settings settings = bcast_protector_defaults;
    settings.mtk_packets_max = 0;
    assert_int_equal(bcast_protector_new(&p, &settings, air_carrier(&f->air), &f->rng), POC_E_INPUT);
    settings = bcast_protector_defaults;
    settings.stkm_idle_ms = 0;
    assert_int_equal(bcast_protector_new(&p, &settings, air_carrier(&f->air), &f->rng), POC_E_INPUT);
    assert_null(p);
}

/* ---- sequence numbers ---- */

static void a_late_joiner_hears_everything_from_the_next_stkm_on(void **state)
{
    fixture *f = *state;
    start(f);
    int64_t now_ms = air_talk(f->protector, 0, AIR_SSRC, 65200, 300);
    size_t joined_at = f->air.count;
    air_talk(f->protector, now_ms, AIR_SSRC, 65500, 100); /* across the wrap */
    air_heard heard = air_play(&f->air, joined_at, f->receiver);
    assert_int_equal(heard.rtp + heard.unopened, 100);
    assert_true(heard.unopened <= 50); /* an STKM every second, 50 packets in one */
    assert_int_equal(heard.last_seq, 63);
}

static void a_wrap_of_the_sequence_loses_no_packet(void **state)
{
    fixture *f = *state;
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 65000, 1000);
    assert_int_equal(mtk_id(f), 2);
    air_heard heard = hear_all(f);
    assert_int_equal(heard.rtp, 1000);
    assert_int_equal(heard.unopened, 0);
    assert_int_equal(heard.stkm_new, 2);
    assert_int_equal(heard.stkm_refused, 0);
}

/* POC-1 */
static void no_packet_behind_the_wrap_goes_under_the_mtk_before_it(void **state)
{
    fixture *f = *state;
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 65530, 10);
    for (size_t i = 0; i < 10; i++) {
        const air_datagram *d = air_nth(&f->air, BCAST_FLOW_RTP, i);
        assert_int_equal(poc_mki_read(d->b + d->n - 16).mtk_id, i < 6 ? 1 : 2);
    }
}

static void a_wrap_that_can_be_foreseen_is_announced_before_it_comes(void **state)
{
    fixture *f = *state;
    start(f);
    int64_t now_ms = air_talk(f->protector, 0, AIR_SSRC, 65000, 400);
    assert_int_equal(mtk_id(f), 1);
    assert_int_equal(bcast_protector_look(f->protector).mtks, 2);
    assert_int_equal(hear_all(f).stkm_new, 2);
    air_talk(f->protector, now_ms, AIR_SSRC, 65400, 300);
    assert_int_equal(mtk_id(f), 2);
    assert_int_equal(bcast_protector_look(f->protector).mtks, 2);
}

static void a_talker_who_stops_before_the_wrap_does_not_leave_two_mtks_for_long(void **state)
{
    fixture *f = *state;
    start(f);
    int64_t now_ms = air_talk(f->protector, 0, AIR_SSRC, 65400, 10);
    assert_int_equal(mtk_id(f), 1);
    air_wait(f->protector, now_ms + 10000);
    assert_int_equal(mtk_id(f), 2);
    air_talk(f->protector, now_ms + 10000, AIR_SSRC, 65410, 300);
    air_heard heard = hear_all(f);
    assert_int_equal(heard.rtp, 310);
    assert_int_equal(heard.unopened, 0);
}

static void a_packet_handed_in_twice_goes_out_once(void **state)
{
    fixture *f = *state;
    start(f);
    for (uint16_t seq = 65500; seq != 20; seq++) {
        assert_int_equal(send_rtp(f, 0, seq), POC_OK);
        assert_int_equal(send_rtp(f, 0, seq), POC_OK);
        assert_int_equal(send_rtp(f, 0, (uint16_t)(seq - (seq == 65500 ? 0 : 1))), POC_OK);
    }
    assert_int_equal(air_count(&f->air, BCAST_FLOW_RTP), 56);
    assert_int_equal(bcast_protector_look(f->protector).dropped_packets, 2 * 56);
    assert_int_equal(mtk_id(f), 2);
    assert_int_equal(hear_all(f).rtp, 56);
}

static void packets_out_of_order_keep_their_mtk(void **state)
{
    fixture *f = *state;
    static const uint16_t order[] = { 1000, 1003, 1001, 1002, 1063, 1004, 1005 };
    start(f);
    for (size_t i = 0; i < POC_COUNT(order); i++)
        assert_int_equal(send_rtp(f, 0, order[i]), POC_OK);
    assert_int_equal(send_rtp(f, 0, 999), POC_OK); /* 64 behind: too late to tell */
    assert_int_equal(air_count(&f->air, BCAST_FLOW_RTP), POC_COUNT(order));
    assert_int_equal(bcast_protector_look(f->protector).dropped_packets, 1);
    assert_int_equal(mtk_id(f), 1);
    assert_int_equal(hear_all(f).rtp, POC_COUNT(order));
}

static void a_packet_from_before_the_wrap_does_not_force_another_mtk(void **state)
{
    fixture *f = *state;
    start(f);
    assert_int_equal(send_rtp(f, 0, 65534), POC_OK);
    assert_int_equal(send_rtp(f, 0, 0), POC_OK);
    assert_int_equal(send_rtp(f, 0, 65535), POC_OK);
    assert_int_equal(send_rtp(f, 0, 1), POC_OK);
    assert_int_equal(mtk_id(f), 2);
    assert_int_equal(bcast_protector_look(f->protector).dropped_packets, 1);
    assert_int_equal(hear_all(f).rtp, 3);
}

static void a_talker_who_starts_again_gets_a_new_mtk(void **state)
{
    fixture *f = *state;
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 5000, 10);
    air_talk(f->protector, 1000, AIR_SSRC, 1, 10); /* far back */
    assert_int_equal(mtk_id(f), 2);
    air_talk(f->protector, 2000, AIR_SSRC, 40000, 10); /* far ahead: the same roll-over counter */
    assert_int_equal(mtk_id(f), 2);
    air_talk(f->protector, 3000, AIR_SSRC, 39939, 10); /* 70 back: proven by the second packet */
    assert_int_equal(mtk_id(f), 3);
    air_heard heard = hear_all(f);
    assert_int_equal(heard.rtp, 39);
    assert_int_equal(heard.unopened, 0);
}

static void the_65th_talker_gets_a_new_mtk(void **state)
{
    fixture *f = *state;
    start(f);
    for (uint32_t i = 0; i < 200; i++) {
        air_packet packet = air_rtp(1000 + i % 65, (uint16_t)(1 + i));
        assert_int_equal(bcast_protector_send(f->protector, 0, BCAST_FLOW_RTP, air_span(&packet)), POC_OK);
        assert_int_equal(mtk_id(f), 1 + i / 64);
    }
    assert_int_equal(hear_all(f).rtp, 200);
}

/* One step of a talker who does everything a sequence can do. Returns the number of its next packet. */
static uint16_t step_at_random(fixture *f, int64_t now_ms, uint32_t ssrc, uint16_t seq)
{
    uint16_t sent[2] = { seq, seq };
    uint64_t deed = test_rng_below(&f->chance, 100);
    if (deed < 5)
        sent[0] = sent[1] = (uint16_t)test_rng_next(&f->chance); /* jumps anywhere */
    else if (deed < 10)
        sent[0] = sent[1] = (uint16_t)(seq - test_rng_below(&f->chance, 120)); /* repeats, comes late, starts again */
    else if (deed < 30)
        sent[0]++; /* changes places with the next one */
    for (size_t i = 0; i < 2; i++) {
        air_packet packet = air_rtp(ssrc, sent[i]);
        assert_int_equal(bcast_protector_send(f->protector, now_ms, BCAST_FLOW_RTP, air_span(&packet)), POC_OK);
    }
    return (uint16_t)((sent[0] > sent[1] ? sent[0] : sent[1]) + 1);
}

static void whatever_talkers_do_and_the_air_loses_no_rollover_counter_is_missed(void **state)
{
    fixture *f = *state;
    uint16_t seq[3] = { 0, 32700, 65400 };
    size_t lost = 0;
    start(f);
    for (int64_t now_ms = 0; now_ms < 20000; now_ms += 20) {
        uint64_t who = test_rng_below(&f->chance, 3);
        seq[who] = step_at_random(f, now_ms, 7 + (uint32_t)who, seq[who]);
    }
    for (size_t i = 0; i < f->air.count; i++) { /* the air loses a fifth of the media */
        if (f->air.at[i].flow == BCAST_FLOW_RTP && test_rng_below(&f->chance, 5) == 0) {
            f->air.at[i].flow = BCAST_FLOW_COUNT;
            lost++;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < f->air.count; i++) {
        if (f->air.at[i].flow != BCAST_FLOW_COUNT)
            f->air.at[kept++] = f->air.at[i];
    }
    f->air.count = kept;
    air_heard heard = hear_all(f);
    assert_int_equal(heard.unopened, 0);
    assert_int_equal(heard.rtp + lost, bcast_protector_look(f->protector).rtp_packets);
    assert_true(heard.stkm_new > 20); /* it was no easy ride */
}

/* ---- MTKs ---- */

/* POC-19 */
static void an_mtk_serves_so_many_packets_and_its_change_loses_none(void **state)
{
    fixture *f = *state;
    bcast_protector_settings settings = bcast_protector_defaults;
    settings.mtk_packets_max = 100;
    use(f, &settings);
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 1, 450);
    for (size_t i = 0; i < 450; i++) {
        const air_datagram *d = air_nth(&f->air, BCAST_FLOW_RTP, i);
        assert_int_equal(poc_mki_read(d->b + d->n - 16).mtk_id, 1 + i / 100);
    }
    air_heard heard = hear_all(f);
    assert_int_equal(heard.rtp, 450);
    assert_int_equal(heard.unopened, 0);
    assert_int_equal(heard.stkm_refused, 0);
}

static void a_planned_mtk_is_announced_its_lead_before_its_use(void **state)
{
    fixture *f = *state;
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 1, 10);
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 200, false), POC_OK);
    assert_int_equal(mtk_id(f), 1);
    assert_int_equal(hear_all(f).stkm_new, 2);
    air_wait(f->protector, 1199);
    assert_int_equal(mtk_id(f), 1);
    air_wait(f->protector, 1200);
    assert_int_equal(mtk_id(f), 2);
}

static void an_mtk_rolled_at_once_is_announced_before_its_first_packet(void **state)
{
    fixture *f = *state;
    start(f);
    assert_int_equal(send_rtp(f, 0, 1), POC_OK);
    size_t before = f->air.count;
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 0, true), POC_OK);
    assert_int_equal(mtk_id(f), 2);
    assert_int_equal(f->air.count, before + 1);
    assert_int_equal(f->air.at[before].flow, BCAST_FLOW_STKM);
    assert_int_equal(send_rtp(f, 0, 2), POC_OK);
    assert_int_equal(hear_all(f).rtp, 2);
}

static void a_planned_mtk_can_be_used_at_once_after_all(void **state)
{
    fixture *f = *state;
    start(f);
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 0, false), POC_OK);
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 0, false), POC_OK);
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 10, true), POC_OK);
    assert_int_equal(mtk_id(f), 2);
    assert_int_equal(bcast_protector_look(f->protector).mtks, 2);
}

static void mtk_ids_that_are_used_up_stop_the_flow(void **state)
{
    fixture *f = *state;
    bcast_protector_settings settings = bcast_protector_defaults;
    settings.mtk_packets_max = 4;
    use(f, &settings);
    f->msk.seq_high = 2;
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 1, 8);
    size_t before = f->air.count;
    assert_int_equal(send_rtp(f, 160, 9), POC_E_LIMIT);
    assert_int_equal(send_floor(f, 160, BCAST_MBCP_IDLE), POC_E_LIMIT);
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 160, true), POC_E_LIMIT);
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 160, false), POC_E_LIMIT);
    assert_int_equal(f->air.count, before);
}

/* ---- STKMs in time ---- */

static void stkms_come_in_a_burst_then_every_second_then_every_five(void **state)
{
    fixture *f = *state;
    static const int64_t times_ms[] = { 20, 40, 1040, 2040, 3040, 4040, 9040, 14040 };
    start(f);
    assert_int_equal(send_rtp(f, 0, 1), POC_OK);
    for (size_t i = 0; i < POC_COUNT(times_ms); i++) {
        size_t before = air_count(&f->air, BCAST_FLOW_STKM);
        int64_t due_ms = bcast_protector_deadline(f->protector);
        assert_int_equal(due_ms, times_ms[i]);
        bcast_protector_tick(f->protector, due_ms - 1);
        assert_int_equal(air_count(&f->air, BCAST_FLOW_STKM), before);
        bcast_protector_tick(f->protector, due_ms);
        assert_int_equal(air_count(&f->air, BCAST_FLOW_STKM), before + 1);
    }
}

static void an_idle_channel_that_wakes_up_repeats_its_stkm_at_once(void **state)
{
    fixture *f = *state;
    start(f);
    air_wait(f->protector, 12000); /* the last went at 10040 */
    size_t before = f->air.count;
    assert_int_equal(send_rtp(f, 12000, 1), POC_OK);
    assert_int_equal(f->air.at[before].flow, BCAST_FLOW_STKM);
    assert_int_equal(f->air.at[before + 1].flow, BCAST_FLOW_RTP);
}

/* POC-16: who has just got the MSK does not lose a second of speech to the repetition interval. */
static void a_member_who_has_just_got_the_msk_hears_the_very_next_packet(void **state)
{
    fixture *f = *state;
    start(f);
    for (uint16_t seq = 0; seq < 40; seq++)
        assert_int_equal(send_rtp(f, 20 * seq, seq), POC_OK);
    size_t before = f->air.count;
    bcast_protector_announce(f->protector, 801);
    bcast_protector_announce(f->protector, 802); /* a second member: shares what comes stkm_burst_ms later */
    assert_int_equal(send_rtp(f, 805, 40), POC_OK);
    air_heard heard = air_play(&f->air, before, f->receiver);
    assert_int_equal(heard.rtp, 1);
    assert_int_equal(heard.unopened, 0);
    assert_int_equal(bcast_protector_deadline(f->protector), 821);
}

static void every_repetition_is_the_same_datagram(void **state)
{
    fixture *f = *state;
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 1, 500);
    const air_datagram *first = air_nth(&f->air, BCAST_FLOW_STKM, 0);
    size_t n = air_count(&f->air, BCAST_FLOW_STKM);
    assert_in_range(n, 11, 13); /* the burst and nearly ten seconds */
    for (size_t i = 1; i < n; i++) {
        const air_datagram *d = air_nth(&f->air, BCAST_FLOW_STKM, i);
        assert_int_equal(d->n, first->n);
        assert_memory_equal(d->b, first->b, d->n);
    }
    air_heard heard = hear_all(f);
    assert_int_equal(heard.stkm_new, 1);
    assert_int_equal(heard.stkm_duplicate, n - 1);
}

static void while_two_mtks_are_announced_a_joiner_gets_both(void **state)
{
    fixture *f = *state;
    start(f);
    air_talk(f->protector, 0, AIR_SSRC, 65300, 100); /* the wrap is 136 packets away, MTK 2 announced */
    size_t joined_at = f->air.count;
    air_talk(f->protector, 2000, AIR_SSRC, 65400, 200);
    air_heard heard = air_play(&f->air, joined_at, f->receiver);
    assert_int_equal(heard.stkm_new, 2);
    assert_int_equal(heard.stkm_refused, 0);
    assert_true(heard.unopened <= 50);
    assert_int_equal(heard.last_seq, 63);
}

#define PROTECTOR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROTECTOR_TEST(nothing_leaves_before_an_msk_exists),
        PROTECTOR_TEST(media_and_floor_on_air_are_srtp_with_mki_and_never_plain),
        PROTECTOR_TEST(a_packet_with_any_bit_flipped_is_refused),
        PROTECTOR_TEST(a_receiver_with_the_msk_alone_plays_media_and_floor),
        PROTECTOR_TEST(a_receiver_with_a_wrong_msk_plays_neither),
        PROTECTOR_TEST(what_is_no_packet_of_its_flow_is_refused),
        PROTECTOR_TEST(settings_that_could_never_work_are_refused),
        PROTECTOR_TEST(a_late_joiner_hears_everything_from_the_next_stkm_on),
        PROTECTOR_TEST(a_wrap_of_the_sequence_loses_no_packet),
        PROTECTOR_TEST(no_packet_behind_the_wrap_goes_under_the_mtk_before_it),
        PROTECTOR_TEST(a_wrap_that_can_be_foreseen_is_announced_before_it_comes),
        PROTECTOR_TEST(a_talker_who_stops_before_the_wrap_does_not_leave_two_mtks_for_long),
        PROTECTOR_TEST(a_packet_handed_in_twice_goes_out_once),
        PROTECTOR_TEST(packets_out_of_order_keep_their_mtk),
        PROTECTOR_TEST(a_packet_from_before_the_wrap_does_not_force_another_mtk),
        PROTECTOR_TEST(a_talker_who_starts_again_gets_a_new_mtk),
        PROTECTOR_TEST(the_65th_talker_gets_a_new_mtk),
        PROTECTOR_TEST(whatever_talkers_do_and_the_air_loses_no_rollover_counter_is_missed),
        PROTECTOR_TEST(an_mtk_serves_so_many_packets_and_its_change_loses_none),
        PROTECTOR_TEST(a_planned_mtk_is_announced_its_lead_before_its_use),
        PROTECTOR_TEST(an_mtk_rolled_at_once_is_announced_before_its_first_packet),
        PROTECTOR_TEST(a_planned_mtk_can_be_used_at_once_after_all),
        PROTECTOR_TEST(mtk_ids_that_are_used_up_stop_the_flow),
        PROTECTOR_TEST(stkms_come_in_a_burst_then_every_second_then_every_five),
        PROTECTOR_TEST(an_idle_channel_that_wakes_up_repeats_its_stkm_at_once),
        PROTECTOR_TEST(a_member_who_has_just_got_the_msk_hears_the_very_next_packet),
        PROTECTOR_TEST(every_repetition_is_the_same_datagram),
        PROTECTOR_TEST(while_two_mtks_are_announced_a_joiner_gets_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
