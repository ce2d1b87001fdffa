/* The relay on loopback: who gets which packet, and which copy feeds the channel. Waits for packets, never for time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "pf/io/feed.h"
#include "pf/io/relay.h"
#include "tests/support/rng.h"

#define ALICE 0xA11CE000u
#define BOB   0xB0B00000u

/* ---- the feed by itself: time is a number here ---- */

static int leg_1, leg_2;

static void a_packet_goes_on_air_once_whichever_leg_brings_it(void **state)
{
    (void)state;
    feed f;
    feed_init(&f, 400);
    assert_true(feed_takes_audio(&f, &leg_1, 0, ALICE, 10));
    assert_false(feed_takes_audio(&f, &leg_2, 1, ALICE, 10));
    assert_true(feed_takes_audio(&f, &leg_2, 20, ALICE, 11)); /* the other leg is faster now: nothing is lost */
    assert_false(feed_takes_audio(&f, &leg_1, 21, ALICE, 11));
    assert_true(feed_takes_audio(&f, &leg_1, 60, ALICE, 13));
    assert_true(feed_takes_audio(&f, &leg_2, 61, ALICE, 12)); /* late, but not seen before */
    assert_false(feed_takes_audio(&f, &leg_1, 62, ALICE, 12));
}

static void sequence_numbers_wrap(void **state)
{
    (void)state;
    feed f;
    feed_init(&f, 400);
    assert_true(feed_takes_audio(&f, &leg_1, 0, ALICE, 65535));
    assert_true(feed_takes_audio(&f, &leg_1, 20, ALICE, 0));
    assert_false(feed_takes_audio(&f, &leg_2, 21, ALICE, 65535));
    assert_false(feed_takes_audio(&f, &leg_2, 22, ALICE, 0));
    assert_false(feed_takes_audio(&f, &leg_2, 23, ALICE, 65400)); /* behind the window: could be a copy */
    assert_true(feed_takes_audio(&f, &leg_2, 500, ALICE, 65400)); /* after silence: the source started again */
}

static void a_second_talker_waits_for_silence(void **state)
{
    (void)state;
    feed f;
    feed_init(&f, 400);
    assert_true(feed_takes_audio(&f, &leg_1, 0, ALICE, 1));
    assert_false(feed_takes_audio(&f, &leg_2, 399, BOB, 1));
    assert_true(feed_takes_audio(&f, &leg_2, 400, BOB, 1));
    assert_false(feed_takes_audio(&f, &leg_1, 401, ALICE, 2)); /* the former one does not take it back */
}

static void the_leg_that_feeds_may_change_its_talker(void **state)
{
    (void)state;
    feed f;
    feed_init(&f, 400);
    assert_true(feed_takes_audio(&f, &leg_1, 0, ALICE, 1));
    assert_true(feed_takes_audio(&f, &leg_1, 20, BOB, 7));
    assert_false(feed_takes_audio(&f, &leg_1, 21, ALICE, 2)); /* late on the same leg */
    assert_true(feed_takes_audio(&f, &leg_2, 40, BOB, 8));
}

static void a_floor_message_hands_the_channel_over_at_once(void **state)
{
    (void)state;
    feed f;
    bcast_mbcp taken = { .type = BCAST_MBCP_TAKEN, .talker_ssrc = BOB },
               same = { .type = BCAST_MBCP_TAKEN, .talker_ssrc = ALICE };
    feed_init(&f, 400);
    assert_true(feed_takes_audio(&f, &leg_1, 0, ALICE, 1));
    assert_true(feed_takes_floor(&f, 5, &same, poc_span_str("taken by alice")));
    assert_false(feed_takes_audio(&f, &leg_2, 10, BOB, 1));
    assert_true(feed_takes_floor(&f, 20, &taken, poc_span_str("taken by bob")));
    assert_true(feed_takes_audio(&f, &leg_2, 30, BOB, 1));
}

static void floor_copies_are_dropped_for_100_ms(void **state)
{
    (void)state;
    feed f;
    bcast_mbcp idle = { .type = BCAST_MBCP_IDLE };
    feed_init(&f, 400);
    assert_true(feed_takes_floor(&f, 0, &idle, poc_span_str("idle 1")));
    assert_false(feed_takes_floor(&f, 99, &idle, poc_span_str("idle 1")));
    assert_true(feed_takes_floor(&f, 99, &idle, poc_span_str("idle 2")));
    assert_true(feed_takes_floor(&f, 100, &idle, poc_span_str("idle 1")));
}

static void the_end_of_a_leg_lets_another_go_on(void **state)
{
    (void)state;
    feed f;
    feed_init(&f, 400);
    assert_true(feed_takes_audio(&f, &leg_1, 0, ALICE, 1));
    feed_forget_leg(&f, &leg_1);
    assert_true(feed_takes_audio(&f, &leg_2, 1, BOB, 1));
}

static void more_talkers_than_are_remembered_do_no_harm(void **state)
{
    (void)state;
    feed f;
    feed_init(&f, 400);
    for (uint32_t i = 0; i < 40; i++)
        assert_true(feed_takes_audio(&f, &leg_1, i, i % 20, (uint16_t)(i / 20)));
}

/* ---- the feed under chance ---- */

enum { LEGS = 3, PACKETS = 400, LATE_MS = 300, SEEDS = 300 };

typedef struct arrival {
    int64_t at_ms;
    unsigned leg, packet, talker;
} arrival;

typedef struct traffic {
    test_rng chance;
    arrival arrivals[LEGS * PACKETS];
    size_t count;
    bool has_come[PACKETS];  /* on any leg */
    unsigned taken[PACKETS]; /* how often */
} traffic;

static int by_time(const void *a, const void *b)
{
    int64_t one = ((const arrival *)a)->at_ms, other = ((const arrival *)b)->at_ms;
    return one < other ? -1 : one > other;
}

/* The same packets on every leg, each copy with its own delay, some lost; talkers change every `turn` packets. */
static void make_traffic(traffic *t, uint64_t seed, unsigned turn)
{
    *t = (traffic){ 0 };
    (void)test_rng_of(&t->chance, seed);
    for (unsigned i = 0; i < PACKETS; i++)
        for (unsigned leg = 0; leg < LEGS; leg++) {
            if (test_rng_below(&t->chance, 4) == 0)
                continue;
            t->arrivals[t->count++] =
                (arrival){ 20 * (int64_t)i + (int64_t)test_rng_below(&t->chance, LATE_MS), leg, i, i / turn % 2 };
            t->has_come[i] = true;
        }
    qsort(t->arrivals, t->count, sizeof(t->arrivals[0]), by_time);
}

/* Now and then a leg is gone, and comes back as another session. */
static void play(traffic *t)
{
    static const uint32_t ssrc[2] = { ALICE, BOB };
    char legs[2 * LEGS];
    unsigned at[LEGS] = { 0, 1, 2 };
    feed f;
    feed_init(&f, 1000);
    for (size_t i = 0; i < t->count; i++) {
        const arrival *a = &t->arrivals[i];
        if (test_rng_below(&t->chance, 50) == 0) {
            feed_forget_leg(&f, &legs[at[a->leg]]);
            at[a->leg] = (at[a->leg] + LEGS) % (2 * LEGS);
        }
        t->taken[a->packet] +=
            feed_takes_audio(&f, &legs[at[a->leg]], a->at_ms, ssrc[a->talker], (uint16_t)(65400 + a->packet));
    }
}

static void no_order_of_copies_puts_a_packet_on_air_twice(void **state)
{
    (void)state;
    static traffic t;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        make_traffic(&t, seed, 5 + (unsigned)seed % 100);
        play(&t);
        for (size_t i = 0; i < PACKETS; i++)
            if (t.taken[i] > 1)
                fail_msg("seed %llu: packet %zu went on air %u times", (unsigned long long)seed, i, t.taken[i]);
    }
}

static void whatever_leg_feeds_nothing_is_lost_that_came_on_any(void **state)
{
    (void)state;
    static traffic t;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        make_traffic(&t, seed, PACKETS);
        play(&t);
        for (size_t i = 0; i < PACKETS; i++)
            if (t.taken[i] != t.has_come[i])
                fail_msg("seed %llu: packet %zu went on air %u times", (unsigned long long)seed, i, t.taken[i]);
    }
}

/* ---- with sockets ---- */

enum { SESSIONS = 2 };

typedef struct party {
    int fd;
    struct sockaddr_storage addr;
} party;

typedef struct bench {
    su_root_t *root;
    relay *relay;
    relay_session *session[SESSIONS];
    party party[SESSIONS][RELAY_SIDES][RELAY_KINDS];
    unsigned fed[BCAST_FLOW_COUNT];
    char fed_text[512];
} bench;

static void on_feed(void *user, const char *channel, bcast_flow flow, poc_span packet)
{
    bench *b = (bench *)user;
    size_t at = strlen(b->fed_text);
    bcast_rtp rtp;
    assert_string_equal(channel, "dispatch");
    b->fed[flow]++;
    if (flow == BCAST_FLOW_RTP && bcast_rtp_parse(&rtp, packet) == POC_OK)
        (void)snprintf(b->fed_text + at, sizeof(b->fed_text) - at, "%u ", rtp.seq);
    else
        (void)snprintf(b->fed_text + at, sizeof(b->fed_text) - at, "F ");
}

static void party_open(party *p)
{
    socklen_t n = sizeof(p->addr);
    assert_int_equal(poc_addr_parse(&p->addr, poc_span_str("127.0.0.1"), 0), POC_OK);
    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&p->addr, poc_addr_len((struct sockaddr *)&p->addr)), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&p->addr, &n), 0);
}

static void session_open(bench *b, size_t i)
{
    assert_int_equal(relay_session_new(&b->session[i], b->relay), POC_OK);
    relay_session_channel(b->session[i], "dispatch");
    for (int side = 0; side < RELAY_SIDES; side++)
        for (int kind = 0; kind < RELAY_KINDS; kind++) {
            party *p = &b->party[i][side][kind];
            party_open(p);
            relay_session_peer(b->session[i], (relay_side)side, (relay_kind)kind, (struct sockaddr *)&p->addr);
        }
}

static const relay_settings bench_settings = {
    .address = "127.0.0.1", .port_min = 43001, .port_max = 43100, .sessions_max = 8, .feed_silence_ms = 60000
};

static int set_up(void **state)
{
    bench *b = (bench *)calloc(1, sizeof(*b));
    su_init();
    b->root = su_root_create(NULL);
    assert_int_equal(relay_new(&b->relay, b->root, &bench_settings, on_feed, b), POC_OK);
    for (size_t i = 0; i < SESSIONS; i++)
        session_open(b, i);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = (bench *)*state;
    relay_free(b->relay);
    for (size_t i = 0; i < SESSIONS; i++)
        for (int side = 0; side < RELAY_SIDES; side++)
            for (int kind = 0; kind < RELAY_KINDS; kind++)
                (void)close(b->party[i][side][kind].fd);
    su_root_destroy(b->root);
    su_deinit();
    free(b);
    return 0;
}

static void send_from(bench *b, size_t i, relay_side side, relay_kind kind, const void *p, size_t n)
{
    const struct sockaddr *to = relay_session_local(b->session[i], side, kind);
    assert_int_equal(sendto(b->party[i][side][kind].fd, p, n, 0, to, poc_addr_len(to)), (ssize_t)n);
}

/** Turns the loop until the party has a packet; then that packet. */
static size_t receive(bench *b, size_t i, relay_side side, relay_kind kind, uint8_t out[BCAST_PACKET_MAX])
{
    struct pollfd at = { .fd = b->party[i][side][kind].fd, .events = POLLIN };
    for (int turn = 0; turn < 1000 && poll(&at, 1, 0) == 0; turn++)
        (void)su_root_step(b->root, 10);
    ssize_t n = recv(at.fd, out, BCAST_PACKET_MAX, 0);
    assert_true(n > 0);
    return (size_t)n;
}

static size_t rtp_packet(uint8_t out[64], uint32_t ssrc, uint16_t seq)
{
    poc_wr wr = poc_wr_into(out, 64);
    bcast_rtp rtp = { .payload_type = 97, .seq = seq, .ssrc = ssrc, .payload = poc_span_of("voice", 5) };
    bcast_rtp_put(&wr, &rtp);
    return wr.len;
}

static void send_rtp(bench *b, size_t i, relay_side side, uint32_t ssrc, uint16_t seq)
{
    uint8_t packet[64];
    send_from(b, i, side, RELAY_AUDIO, packet, rtp_packet(packet, ssrc, seq));
}

static uint16_t receive_rtp(bench *b, size_t i, relay_side side)
{
    uint8_t packet[BCAST_PACKET_MAX];
    bcast_rtp rtp;
    size_t n = receive(b, i, side, RELAY_AUDIO, packet);
    assert_int_equal(bcast_rtp_parse(&rtp, poc_span_of(packet, n)), POC_OK);
    return rtp.seq;
}

static void send_floor(bench *b, size_t i, relay_side side, const bcast_mbcp *msg)
{
    uint8_t packet[256];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    bcast_mbcp_put(&wr, msg);
    send_from(b, i, side, RELAY_FLOOR, packet, wr.len);
}

static uint8_t receive_floor(bench *b, size_t i, relay_side side)
{
    uint8_t packet[BCAST_PACKET_MAX];
    bcast_mbcp msg;
    size_t n = receive(b, i, side, RELAY_FLOOR, packet);
    assert_int_equal(bcast_mbcp_parse(&msg, poc_span_of(packet, n)), POC_OK);
    return msg.type;
}

static void uplink_passes_untouched_and_feeds_nothing(void **state)
{
    bench *b = (bench *)*state;
    uint8_t sent[64], got[BCAST_PACKET_MAX];
    size_t n = rtp_packet(sent, ALICE, 1);
    send_from(b, 0, RELAY_CLIENT, RELAY_AUDIO, sent, n);
    assert_int_equal(receive(b, 0, RELAY_CF, RELAY_AUDIO, got), n);
    assert_memory_equal(got, sent, n);
    send_from(b, 0, RELAY_CLIENT, RELAY_FLOOR, "anything", 8); /* not ours to judge */
    assert_int_equal(receive(b, 0, RELAY_CF, RELAY_FLOOR, got), 8);
    assert_int_equal(b->fed[BCAST_FLOW_RTP] + b->fed[BCAST_FLOW_FLOOR], 0);
    assert_int_equal(relay_look(b->relay).uplink, 2);
}

static void the_feed_is_one_leg_and_everybody_on_unicast_has_his_own_copy(void **state)
{
    bench *b = (bench *)*state;
    for (uint16_t seq = 1; seq <= 3; seq++) {
        send_rtp(b, 0, RELAY_CF, ALICE, seq);
        send_rtp(b, 1, RELAY_CF, ALICE, seq);
        assert_int_equal(receive_rtp(b, 0, RELAY_CLIENT), seq);
        assert_int_equal(receive_rtp(b, 1, RELAY_CLIENT), seq);
    }
    assert_string_equal(b->fed_text, "1 2 3 ");
    relay_counts counts = relay_look(b->relay);
    assert_int_equal(counts.feed, 3);
    assert_int_equal(counts.copies_dropped, 3);
    assert_int_equal(counts.downlink_unicast, 6);
}

static void who_hears_the_channel_gets_only_what_concerns_him_alone(void **state)
{
    bench *b = (bench *)*state;
    relay_session_serve(b->session[0], true);
    send_rtp(b, 0, RELAY_CF, BOB, 1);
    send_floor(b, 0, RELAY_CF, &(bcast_mbcp){ .type = BCAST_MBCP_TAKEN, .ssrc = 1, .talker_ssrc = BOB });
    send_floor(b, 0, RELAY_CF, &(bcast_mbcp){ .type = BCAST_MBCP_IDLE, .ssrc = 1 });
    send_floor(b, 0, RELAY_CF, &(bcast_mbcp){ .type = BCAST_MBCP_GRANTED, .ssrc = 1, .stop_s = 30 });
    assert_int_equal(receive_floor(b, 0, RELAY_CLIENT), BCAST_MBCP_GRANTED); /* the first that came: the two did not */
    relay_session_serve(b->session[0], false);
    send_rtp(b, 0, RELAY_CF, BOB, 2);
    assert_int_equal(receive_rtp(b, 0, RELAY_CLIENT), 2);
    assert_int_equal(b->fed[BCAST_FLOW_RTP], 2);
    assert_int_equal(b->fed[BCAST_FLOW_FLOOR], 2);
}

static void without_a_channel_it_is_plain_unicast(void **state)
{
    bench *b = (bench *)*state;
    relay_session_channel(b->session[0], NULL);
    relay_session_serve(b->session[0], true);
    send_rtp(b, 0, RELAY_CF, ALICE, 9);
    assert_int_equal(receive_rtp(b, 0, RELAY_CLIENT), 9);
    assert_int_equal(b->fed[BCAST_FLOW_RTP], 0);
}

static void packets_from_elsewhere_are_dropped_and_counted(void **state)
{
    bench *b = (bench *)*state;
    uint8_t packet[64];
    const struct sockaddr *to = relay_session_local(b->session[0], RELAY_CF, RELAY_AUDIO);
    size_t n = rtp_packet(packet, ALICE, 1);
    assert_int_equal(sendto(b->party[1][RELAY_CF][RELAY_AUDIO].fd, packet, n, 0, to, poc_addr_len(to)), (ssize_t)n);
    send_rtp(b, 0, RELAY_CF, ALICE, 2);
    assert_int_equal(receive_rtp(b, 0, RELAY_CLIENT), 2);
    assert_int_equal(relay_look(b->relay).foreign_dropped, 1);
    assert_string_equal(b->fed_text, "2 ");
}

static void a_muted_side_gets_nothing_and_says_nothing(void **state)
{
    bench *b = (bench *)*state;
    struct sockaddr_storage nobody = { 0 };
    relay_session_peer(b->session[0], RELAY_CLIENT, RELAY_AUDIO, (struct sockaddr *)&nobody);
    send_rtp(b, 0, RELAY_CF, ALICE, 1);
    send_rtp(b, 0, RELAY_CLIENT, ALICE, 1);
    send_rtp(b, 1, RELAY_CF, ALICE, 2);
    assert_int_equal(receive_rtp(b, 1, RELAY_CLIENT), 2);
    for (int turn = 0; turn < 1000 && relay_look(b->relay).foreign_dropped == 0; turn++)
        (void)su_root_step(b->root, 10);
    assert_int_equal(relay_look(b->relay).foreign_dropped, 1);
    assert_int_equal(relay_look(b->relay).uplink, 0);
    assert_int_equal(relay_look(b->relay).downlink_unicast, 1);
}

/* ---- the guard ---- */

/** Passes what begins with "in" from the client, as what follows it, and writes "out" before what goes to him. */
typedef struct toy_guard {
    unsigned done;
} toy_guard;

static poc_err toy_open(void *ctx, int64_t now_ms, poc_wr *out, poc_span packet)
{
    (void)ctx;
    assert_true(now_ms > 0);
    if (packet.n < 2 || memcmp(packet.p, "in", 2) != 0)
        return POC_E_AUTH;
    poc_wr_put(out, packet.p + 2, packet.n - 2);
    return poc_wr_done(out);
}

static poc_err toy_seal(void *ctx, int64_t now_ms, poc_wr *out, poc_span packet)
{
    (void)ctx;
    (void)now_ms;
    if (packet.n == 4)
        return POC_E_LIMIT;
    poc_wr_put(out, "out", 3);
    poc_wr_span(out, packet);
    return poc_wr_done(out);
}

static void toy_done(void *ctx)
{
    ((toy_guard *)ctx)->done++;
}

static const relay_guard toy = { toy_open, toy_seal, toy_done };

/* MCX-6 */
static void what_does_not_open_is_dropped_and_counted(void **state)
{
    bench *b = (bench *)*state;
    toy_guard g = { 0 };
    uint8_t got[BCAST_PACKET_MAX];
    relay_session_guard(b->session[0], &toy, &g);
    send_from(b, 0, RELAY_CLIENT, RELAY_FLOOR, "clear", 5);
    send_from(b, 0, RELAY_CLIENT, RELAY_FLOOR, "inside", 6);
    assert_int_equal(receive(b, 0, RELAY_CF, RELAY_FLOOR, got), 4);
    assert_memory_equal(got, "side", 4);
    send_from(b, 1, RELAY_CLIENT, RELAY_FLOOR, "clear", 5); /* another session, without a guard */
    assert_int_equal(receive(b, 1, RELAY_CF, RELAY_FLOOR, got), 5);
    send_rtp(b, 0, RELAY_CLIENT, ALICE, 1); /* media is not its affair */
    assert_int_equal(receive_rtp(b, 0, RELAY_CF), 1);
    assert_int_equal(relay_look(b->relay).guard_refused, 1);
    assert_int_equal(relay_look(b->relay).uplink, 3);
    relay_session_guard(b->session[0], NULL, NULL);
    assert_int_equal(g.done, 1);
}

/* MCX-6, MCX-13: the copy of a client goes under his key; what goes on air is protected elsewhere. */
static void what_goes_to_one_client_is_sealed_and_what_goes_on_air_is_not(void **state)
{
    bench *b = (bench *)*state;
    toy_guard g = { 0 };
    uint8_t got[BCAST_PACKET_MAX], idle[64];
    poc_wr wr = poc_wr_into(idle, sizeof(idle));
    bcast_mbcp_put(&wr, &(bcast_mbcp){ .type = BCAST_MBCP_IDLE, .ssrc = 1 });
    relay_session_guard(b->session[0], &toy, &g);
    send_from(b, 0, RELAY_CF, RELAY_FLOOR, "lost", 4);
    send_from(b, 0, RELAY_CF, RELAY_FLOOR, idle, wr.len);
    assert_int_equal(receive(b, 0, RELAY_CLIENT, RELAY_FLOOR, got), wr.len + 3);
    assert_memory_equal(got, "out", 3);
    assert_memory_equal(got + 3, idle, wr.len);
    assert_int_equal(b->fed[BCAST_FLOW_FLOOR], 1);
    assert_int_equal(relay_look(b->relay).guard_unsealed, 1);
    assert_int_equal(relay_look(b->relay).guard_refused, 0);
    relay_session_free(b->session[0]);
    assert_int_equal(g.done, 1); /* with its session */
}

static void an_oversized_packet_is_dropped_whole(void **state)
{
    bench *b = (bench *)*state;
    uint8_t big[BCAST_PACKET_MAX + 1] = { 0x80 };
    send_from(b, 0, RELAY_CF, RELAY_AUDIO, big, sizeof(big));
    send_rtp(b, 0, RELAY_CF, ALICE, 3);
    assert_int_equal(receive_rtp(b, 0, RELAY_CLIENT), 3);
    assert_int_equal(relay_look(b->relay).foreign_dropped, 1);
}

static uint16_t port_of(const relay_session *s, relay_side side, relay_kind kind)
{
    return poc_addr_port(relay_session_local(s, side, kind));
}

static void ports_are_even_and_rest_before_they_are_used_again(void **state)
{
    bench *b = (bench *)*state;
    uint16_t first = port_of(b->session[0], RELAY_CLIENT, RELAY_AUDIO);
    assert_int_equal(first % 2, 0);
    relay_session_free(b->session[0]);
    assert_int_equal(relay_session_new(&b->session[0], b->relay), POC_OK);
    assert_int_not_equal(port_of(b->session[0], RELAY_CLIENT, RELAY_AUDIO), first);
    assert_int_equal(relay_look(b->relay).sessions, 2);
}

static void sessions_are_bounded(void **state)
{
    bench *b = (bench *)*state;
    relay_session *s[8];
    for (int i = 0; i < 6; i++)
        assert_int_equal(relay_session_new(&s[i], b->relay), POC_OK);
    assert_int_equal(relay_session_new(&s[6], b->relay), POC_E_LIMIT);
    assert_null(s[6]);
    relay_session_free(s[0]);
    assert_int_equal(relay_session_new(&s[0], b->relay), POC_OK);
}

static void a_restored_session_has_the_ports_it_had(void **state)
{
    bench *b = (bench *)*state;
    uint16_t port[RELAY_SIDES][RELAY_KINDS];
    relay_session *again;
    for (int side = 0; side < RELAY_SIDES; side++)
        for (int kind = 0; kind < RELAY_KINDS; kind++)
            port[side][kind] = port_of(b->session[0], (relay_side)side, (relay_kind)kind);
    assert_int_equal(relay_session_at(&again, b->relay, (const uint16_t(*)[RELAY_KINDS])port), POC_E_IO);
    assert_null(again);
    relay_session_free(b->session[0]);
    assert_int_equal(relay_session_at(&b->session[0], b->relay, (const uint16_t(*)[RELAY_KINDS])port), POC_OK);
    assert_int_equal(port_of(b->session[0], RELAY_CF, RELAY_FLOOR), port[RELAY_CF][RELAY_FLOOR]);
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_goes_on_air_once_whichever_leg_brings_it),
        cmocka_unit_test(sequence_numbers_wrap),
        cmocka_unit_test(a_second_talker_waits_for_silence),
        cmocka_unit_test(the_leg_that_feeds_may_change_its_talker),
        cmocka_unit_test(a_floor_message_hands_the_channel_over_at_once),
        cmocka_unit_test(floor_copies_are_dropped_for_100_ms),
        cmocka_unit_test(the_end_of_a_leg_lets_another_go_on),
        cmocka_unit_test(more_talkers_than_are_remembered_do_no_harm),
        cmocka_unit_test(no_order_of_copies_puts_a_packet_on_air_twice),
        cmocka_unit_test(whatever_leg_feeds_nothing_is_lost_that_came_on_any),
        WITH_BENCH(uplink_passes_untouched_and_feeds_nothing),
        WITH_BENCH(the_feed_is_one_leg_and_everybody_on_unicast_has_his_own_copy),
        WITH_BENCH(who_hears_the_channel_gets_only_what_concerns_him_alone),
        WITH_BENCH(without_a_channel_it_is_plain_unicast),
        WITH_BENCH(packets_from_elsewhere_are_dropped_and_counted),
        WITH_BENCH(a_muted_side_gets_nothing_and_says_nothing),
        WITH_BENCH(an_oversized_packet_is_dropped_whole),
        WITH_BENCH(what_does_not_open_is_dropped_and_counted),
        WITH_BENCH(what_goes_to_one_client_is_sealed_and_what_goes_on_air_is_not),
        WITH_BENCH(ports_are_even_and_rest_before_they_are_used_again),
        WITH_BENCH(sessions_are_bounded),
        WITH_BENCH(a_restored_session_has_the_ports_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
