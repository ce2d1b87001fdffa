/* Pieces of a sip by themselves: its timers, thousands on one wake, set anew and stopped at will; what it keeps of a peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pf/io/sip_private.h"
#include "tests/support/rng.h"

enum { TIMERS = 300, SPAN_MS = 40, CHANGES = 3000 };

typedef struct bell {
    sip_timer timer;
    struct bells *all;
    int64_t expected_ms; /* 0: must stay silent */
    uint32_t rung;
} bell;

typedef struct bells {
    sip owner;
    su_root_t *root;
    test_rng chance;
    bell bell[TIMERS];
    int64_t last_ms;
    uint32_t rung, out_of_order, early;
    uint32_t again; /* how often bell 0 sets itself anew */
} bells;

static uint32_t below(bells *b, uint32_t n)
{
    return (uint32_t)test_rng_below(&b->chance, n);
}

static void ring(void *arg)
{
    bell *one = arg;
    bells *b = one->all;
    b->rung++;
    one->rung++;
    b->out_of_order += one->expected_ms < b->last_ms;
    b->early += sip_now_ms() < one->expected_ms;
    b->last_ms = one->expected_ms;
    if (b->again > 0) {
        b->again--;
        one->expected_ms = sip_now_ms();
        sip_timer_at(&one->timer, one->expected_ms);
    }
}

static int start(void **state)
{
    static bells all;
    bells *b = &all;
    memset(b, 0, sizeof(*b));
    (void)test_rng_of(&b->chance, 5);
    su_init();
    b->root = su_root_create(NULL);
    b->owner.root = b->root;
    assert_int_equal(wake_new(&b->owner.clock, b->root, sip_timers_due, &b->owner), POC_OK);
    for (int i = 0; i < TIMERS; i++) {
        b->bell[i].all = b;
        assert_int_equal(sip_timer_make(&b->bell[i].timer, &b->owner, ring, &b->bell[i]), POC_OK);
    }
    *state = b;
    return 0;
}

static int stop(void **state)
{
    bells *b = *state;
    for (int i = 0; i < TIMERS; i++)
        sip_timer_done(&b->bell[i].timer);
    assert_int_equal(b->owner.times_made, 0);
    free(b->owner.times);
    wake_free(b->owner.clock);
    su_root_destroy(b->root);
    su_deinit();
    return 0;
}

static void run_until(bells *b, uint32_t rung)
{
    for (int i = 0; i < 1000 && b->rung < rung; i++)
        su_root_step(b->root, 20);
    su_root_step(b->root, 0);
    assert_int_equal(b->rung, rung);
}

static void timers_set_anew_ring_once_each_in_the_order_of_their_last_times(void **state)
{
    bells *b = *state;
    int64_t now_ms = sip_now_ms();
    uint32_t set = 0;
    for (int i = 0; i < CHANGES; i++) {
        bell *one = &b->bell[below(b, TIMERS)];
        one->expected_ms = below(b, 4) == 0 ? 0 : now_ms + 1 + below(b, SPAN_MS);
        if (one->expected_ms == 0)
            sip_timer_stop(&one->timer);
        else
            sip_timer_at(&one->timer, one->expected_ms);
    }
    for (int i = 0; i < TIMERS; i++)
        set += b->bell[i].expected_ms != 0;
    assert_true(set > TIMERS / 2 && set < TIMERS);
    run_until(b, set);
    for (int i = 0; i < TIMERS; i++)
        assert_int_equal(b->bell[i].rung, b->bell[i].expected_ms != 0);
    assert_int_equal(b->out_of_order, 0);
    assert_int_equal(b->early, 0);
}

static void timer_that_sets_itself_anew_for_now_does_not_hold_the_loop(void **state)
{
    bells *b = *state;
    b->again = 5;
    sip_timer_at(&b->bell[0].timer, sip_now_ms());
    sip_timers_due(&b->owner);
    assert_int_equal(b->rung, 1);
    run_until(b, 6);
}

/* ---- what a peer said ---- */

static void text_fill(char *out, size_t size)
{
    memset(out, 'x', size - 1);
    out[size - 1] = '\0';
}

static void said_check(const wire_unicast *said, const wire_unicast *told)
{
    assert_memory_equal(&told->audio, &said->audio, sizeof(said->audio));
    assert_memory_equal(&told->floor, &said->floor, sizeof(said->floor));
    assert_string_equal(told->audio_proto, said->audio_proto);
    assert_string_equal(told->audio_formats, said->audio_formats);
    assert_string_equal(told->audio_lines, said->audio_lines);
    assert_string_equal(told->floor_lines, said->floor_lines);
    assert_int_equal(told->direction, said->direction);
    assert_int_equal(told->multicast_capable, said->multicast_capable);
    assert_int_equal(told->multicast_refused, said->multicast_refused);
    assert_int_equal(told->plain_order, said->plain_order);
    assert_int_equal(told->media_count, said->media_count);
}

static void what_a_peer_said_is_told_again_to_the_last_octet(void **state)
{
    sip_peer *kept = NULL;
    wire_unicast said, told;
    (void)state;
    memset(&said, 0, sizeof(said));
    assert_int_equal(sip_peer_keep(&kept, &said), POC_OK);
    sip_peer_tell(&told, kept);
    said_check(&said, &told);

    assert_int_equal(poc_addr_parse(&said.audio, poc_span_str("2001:db8::fedc:1"), 45200), POC_OK);
    assert_int_equal(poc_addr_parse(&said.floor, poc_span_str("192.0.2.17"), 45300), POC_OK);
    text_fill(said.audio_proto, sizeof(said.audio_proto));
    text_fill(said.audio_formats, sizeof(said.audio_formats));
    text_fill(said.audio_lines, sizeof(said.audio_lines));
    text_fill(said.floor_lines, sizeof(said.floor_lines));
    said.direction = POC_SDP_RECVONLY;
    said.multicast_capable = said.plain_order = true;
    said.media_count = 5;
    assert_int_equal(sip_peer_keep(&kept, &said), POC_OK);
    sip_peer_tell(&told, kept);
    said_check(&said, &told);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_set_anew_ring_once_each_in_the_order_of_their_last_times, start, stop),
        cmocka_unit_test_setup_teardown(timer_that_sets_itself_anew_for_now_does_not_hold_the_loop, start, stop),
        cmocka_unit_test(what_a_peer_said_is_told_again_to_the_last_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
