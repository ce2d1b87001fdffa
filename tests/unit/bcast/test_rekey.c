/* A new MSK: who stays loses nothing, who is gone hears nothing more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rng.h"
#include "tests/unit/bcast/air.h"

enum { NEXT_MSK_ID = AIR_MSK_ID + 1 };

typedef struct fixture {
    test_rng chance;
    poc_rng rng;
    air air;
    bcast_msk old, next;
    bcast_protector *protector; /* under the old MSK, and talking */
    bcast_receiver *alice;      /* has both MSKs */
    bcast_receiver *bob;        /* has the old one, and keeps all there is */
    size_t secrets_before;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    f = (fixture){ .secrets_before = poc_secret_live_count() };
    f.rng = test_rng_of(&f.chance, 2);
    f.old = air_msk(AIR_MSK_ID, 0x5a);
    f.next = air_msk(NEXT_MSK_ID, 0xa5);
    f.protector = air_protector(&f.air, &bcast_protector_defaults, &f.rng);
    f.alice = air_receiver(&f.old);
    f.bob = air_receiver(&f.old);
    bcast_receiver_keep(f.bob, 64);
    assert_int_equal(bcast_receiver_add_msk(f.alice, &f.next), POC_OK);
    assert_int_equal(bcast_protector_set_msk(f.protector, 0, &f.old), POC_OK);
    air_talk(f.protector, 0, AIR_SSRC, 1, 50);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    bcast_protector_free(f->protector);
    bcast_receiver_free(f->alice);
    bcast_receiver_free(f->bob);
    poc_secret_free(f->old.key);
    poc_secret_free(f->next.key);
    air_done(&f->air);
    return poc_secret_live_count() == f->secrets_before ? 0 : -1;
}

/* POC-17, POC-19 */
static void an_expelled_client_with_every_old_key_opens_nothing_after_the_switch(void **state)
{
    fixture *f = *state;
    assert_int_equal(air_play(&f->air, 0, f->bob).rtp, 50);
    size_t switched_at = f->air.count;
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &f->next), POC_OK);
    int64_t now_ms = air_talk(f->protector, 1000, AIR_SSRC, 51, 200);
    air_packet idle = air_floor(BCAST_MBCP_IDLE);
    assert_int_equal(bcast_protector_send(f->protector, now_ms, BCAST_FLOW_FLOOR, air_span(&idle)), POC_OK);

    air_heard bob = air_play(&f->air, switched_at, f->bob);
    assert_int_equal(bob.rtp + bob.floor, 0);
    assert_int_equal(bob.unopened, 201);
    assert_int_equal(bob.stkm_new + bob.stkm_duplicate, 0); /* no STKM under the old MSK any more */
    air_heard alice = air_play(&f->air, 0, f->alice);
    assert_int_equal(alice.rtp, 250);
    assert_int_equal(alice.floor, 1);
    assert_int_equal(alice.unopened, 0);
}

/* POC-17: not even when the packets are dressed up for him, MKI being open to all. */
static void the_old_mtk_fails_behind_the_new_mki(void **state)
{
    fixture *f = *state;
    static const uint8_t old_mki[] = { 0x10, 0x01, 0x00, 0x01, 0x00, 0x01 };
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    assert_int_equal(air_play(&f->air, 0, f->bob).rtp, 50);
    size_t switched_at = f->air.count;
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &f->next), POC_OK);
    air_talk(f->protector, 1000, AIR_SSRC, 51, 50);
    for (size_t i = switched_at; i < f->air.count; i++) {
        air_datagram *d = &f->air.at[i];
        if (d->flow == BCAST_FLOW_STKM) {
            memcpy(d->b + 17, old_mki, 4); /* the MSK ID in its EXT payload */
            assert_int_equal(bcast_receiver_stkm(f->bob, poc_span_of(d->b, d->n), &mki), BCAST_STKM_REFUSED);
            continue;
        }
        assert_int_equal(poc_mki_read(d->b + d->n - 16).msk_id, NEXT_MSK_ID);
        memcpy(d->b + d->n - 16, old_mki, sizeof(old_mki));
        assert_int_equal(bcast_receiver_open(f->bob, d->flow, poc_span_of(d->b, d->n), out, &n, &mki), POC_E_AUTH);
    }
}

/* POC-16 */
static void a_gate_that_holds_until_the_switch_loses_nothing(void **state)
{
    fixture *f = *state;
    bcast_protector_gate(f->protector, 1000, true);
    size_t held_at = air_count(&f->air, BCAST_FLOW_RTP);
    air_packet taken = air_floor(BCAST_MBCP_TAKEN);
    int64_t now_ms = air_talk(f->protector, 1000, AIR_SSRC, 51, 20);
    assert_int_equal(bcast_protector_send(f->protector, now_ms, BCAST_FLOW_FLOOR, air_span(&taken)), POC_OK);
    now_ms = air_talk(f->protector, now_ms, AIR_SSRC, 71, 20);
    assert_int_equal(air_count(&f->air, BCAST_FLOW_RTP), held_at); /* and no packet under the old key */
    assert_int_equal(bcast_protector_look(f->protector).held_packets, 41);

    size_t switched_at = f->air.count;
    assert_int_equal(bcast_protector_set_msk(f->protector, now_ms, &f->next), POC_OK);
    assert_int_equal(f->air.at[switched_at].flow, BCAST_FLOW_STKM);
    assert_int_equal(f->air.count, switched_at + 1 + 41);
    for (size_t i = 0; i < 41; i++) {
        const air_datagram *d = &f->air.at[switched_at + 1 + i];
        assert_int_equal(d->flow, i == 20 ? BCAST_FLOW_FLOOR : BCAST_FLOW_RTP);
        assert_int_equal(poc_mki_read(d->b + d->n - 16).msk_id, NEXT_MSK_ID);
        if (i != 20)
            assert_int_equal(d->b[2] << 8 | d->b[3], 51 + (i < 20 ? i : i - 1));
    }
    air_talk(f->protector, now_ms, AIR_SSRC, 91, 10);
    air_heard alice = air_play(&f->air, 0, f->alice);
    assert_int_equal(alice.rtp, 100);
    assert_int_equal(alice.floor, 1);
    assert_int_equal(air_play(&f->air, switched_at, f->bob).rtp, 0);
}

static void a_gate_that_is_opened_without_a_switch_goes_on_under_the_old_key(void **state)
{
    fixture *f = *state;
    bcast_protector_gate(f->protector, 1000, true);
    air_talk(f->protector, 1000, AIR_SSRC, 51, 20);
    bcast_protector_gate(f->protector, 1400, false);
    air_talk(f->protector, 1400, AIR_SSRC, 71, 20);
    assert_int_equal(air_play(&f->air, 0, f->bob).rtp, 90);
}

static void a_gate_that_holds_too_long_drops_the_oldest(void **state)
{
    fixture *f = *state;
    bcast_protector_gate(f->protector, 1000, true);
    int64_t now_ms = air_talk(f->protector, 1000, AIR_SSRC, 51, 600);
    assert_int_equal(bcast_protector_look(f->protector).dropped_packets, 88);
    size_t switched_at = f->air.count;
    assert_int_equal(bcast_protector_set_msk(f->protector, now_ms, &f->next), POC_OK);
    air_heard alice = air_play(&f->air, switched_at, f->alice);
    assert_int_equal(alice.rtp, 512);
    assert_int_equal(alice.first_seq, 51 + 88);
    assert_int_equal(alice.last_seq, 650);
}

static void a_gate_with_no_place_drops_all_and_says_so(void **state)
{
    fixture *f = *state;
    bcast_protector_settings settings = bcast_protector_defaults;
    air on_air = { 0 };
    settings.hold_packets_max = 0;
    bcast_protector *p = air_protector(&on_air, &settings, &f->rng);
    assert_int_equal(bcast_protector_set_msk(p, 0, &f->old), POC_OK);
    bcast_protector_gate(p, 0, true);
    air_talk(p, 0, AIR_SSRC, 1, 10);
    bcast_protector_gate(p, 200, false);
    assert_int_equal(air_count(&on_air, BCAST_FLOW_RTP), 0);
    assert_int_equal(bcast_protector_look(p).dropped_packets, 10);
    bcast_protector_free(p);
    air_done(&on_air);
}

static void held_packets_that_no_mtk_is_left_for_are_counted(void **state)
{
    fixture *f = *state;
    bcast_protector_settings settings = bcast_protector_defaults;
    air on_air = { 0 };
    settings.mtk_packets_max = 4;
    f->next.seq_high = 2;
    bcast_protector *p = air_protector(&on_air, &settings, &f->rng);
    assert_int_equal(bcast_protector_set_msk(p, 0, &f->old), POC_OK);
    bcast_protector_gate(p, 0, true);
    air_talk(p, 0, AIR_SSRC, 1, 10);
    assert_int_equal(bcast_protector_set_msk(p, 200, &f->next), POC_OK);
    assert_int_equal(air_count(&on_air, BCAST_FLOW_RTP), 8);
    assert_int_equal(bcast_protector_look(p).dropped_packets, 2);
    bcast_protector_gate(p, 200, true);
    air_talk(p, 200, AIR_SSRC, 11, 3);
    bcast_protector_free(p); /* with packets still held */
    air_done(&on_air);
}

static void a_sequence_that_wraps_while_the_gate_holds_is_no_loss_either(void **state)
{
    fixture *f = *state;
    air_talk(f->protector, 1000, AIR_SSRC + 1, 65500, 10);
    bcast_protector_gate(f->protector, 1200, true);
    air_talk(f->protector, 1200, AIR_SSRC + 1, 65510, 100);
    assert_int_equal(bcast_protector_set_msk(f->protector, 3200, &f->next), POC_OK);
    air_heard alice = air_play(&f->air, 0, f->alice);
    assert_int_equal(alice.rtp, 160);
    assert_int_equal(alice.unopened, 0);
}

static void a_packet_sent_before_the_switch_is_not_sent_again_behind_it(void **state)
{
    fixture *f = *state;
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &f->next), POC_OK);
    air_talk(f->protector, 1000, AIR_SSRC, 41, 20); /* 41 to 50 went under the old MSK */
    air_heard alice = air_play(&f->air, 0, f->alice);
    assert_int_equal(alice.rtp, 60);
    assert_int_equal(bcast_protector_look(f->protector).dropped_packets, 10);
}

static void a_new_msk_starts_with_mtk_1_and_a_fresh_key(void **state)
{
    fixture *f = *state;
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 1000, true), POC_OK);
    assert_int_equal(bcast_protector_roll_mtk(f->protector, 1000, false), POC_OK);
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &f->next), POC_OK);
    bcast_protector_stats stats = bcast_protector_look(f->protector);
    assert_int_equal(stats.mki.msk_id, NEXT_MSK_ID);
    assert_int_equal(stats.mki.mtk_id, 1);
    assert_int_equal(stats.mtks, 1);
    air_wait(f->protector, 5000); /* the MTK planned under the old MSK is gone with it */
    assert_int_equal(bcast_protector_look(f->protector).mki.mtk_id, 1);
}

static poc_err no_chance(void *ctx, void *out, size_t n)
{
    (void)ctx, (void)out, (void)n;
    return POC_E_IO;
}

static void an_msk_that_cannot_be_taken_changes_nothing(void **state)
{
    fixture *f = *state;
    bcast_msk bad = f->next;
    size_t before = f->air.count;
    bad.key_domain.b[2] ^= 1;
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &bad), POC_E_INPUT);
    bad = f->next;
    bad.id = 0x10010000;
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &bad), POC_E_INPUT);
    bad = f->next;
    bad.rand_len = 15;
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &bad), POC_E_INPUT);
    bad = f->next;
    bad.seq_low = bad.seq_high;
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &bad), POC_E_INPUT);
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &f->old), POC_E_STATE);
    bad = f->old;
    bad.id = NEXT_MSK_ID; /* the key of the one who left under a new name */
    assert_int_equal(bcast_protector_set_msk(f->protector, 1000, &bad), POC_E_STATE);
    assert_int_equal(f->air.count, before);
    assert_int_equal(bcast_protector_look(f->protector).mki.msk_id, AIR_MSK_ID);
    air_talk(f->protector, 1000, AIR_SSRC, 51, 10);
    assert_int_equal(air_play(&f->air, 0, f->bob).rtp, 60);
}

static void without_randomness_there_is_no_switch_and_no_start(void **state)
{
    fixture *f = *state;
    const poc_rng dry = { no_chance, NULL };
    air on_air = { 0 };
    bcast_protector *p = air_protector(&on_air, &bcast_protector_defaults, &dry);
    air_packet voice = air_rtp(AIR_SSRC, 1);
    assert_int_equal(bcast_protector_set_msk(p, 0, &f->next), POC_E_IO);
    assert_int_equal(bcast_protector_send(p, 0, BCAST_FLOW_RTP, air_span(&voice)), POC_E_STATE);
    assert_int_equal(on_air.count, 0);
    bcast_protector_free(p);
    air_done(&on_air);
}

#define REKEY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REKEY_TEST(an_expelled_client_with_every_old_key_opens_nothing_after_the_switch),
        REKEY_TEST(the_old_mtk_fails_behind_the_new_mki),
        REKEY_TEST(a_gate_that_holds_until_the_switch_loses_nothing),
        REKEY_TEST(a_gate_that_is_opened_without_a_switch_goes_on_under_the_old_key),
        REKEY_TEST(a_gate_that_holds_too_long_drops_the_oldest),
        REKEY_TEST(a_gate_with_no_place_drops_all_and_says_so),
        REKEY_TEST(held_packets_that_no_mtk_is_left_for_are_counted),
        REKEY_TEST(a_sequence_that_wraps_while_the_gate_holds_is_no_loss_either),
        REKEY_TEST(a_packet_sent_before_the_switch_is_not_sent_again_behind_it),
        REKEY_TEST(a_new_msk_starts_with_mtk_1_and_a_fresh_key),
        REKEY_TEST(an_msk_that_cannot_be_taken_changes_nothing),
        REKEY_TEST(without_randomness_there_is_no_switch_and_no_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
