/* The multicast enabler on loopback: what a listener of the group hears, with the keys and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "mcx/mcx.h"
#include "pf/io/enabler_multicast.h"
#include "pf/io/now.h"

typedef struct bench {
    su_root_t *root;
    enabler_multicast *enabler;
    bcast_enabler air;
    bcast_channel channel;
    int fd[BCAST_FLOW_COUNT];
    bcast_receiver *receiver;
    unsigned events[BCAST_STOPPED + 1];
    char why[128];
    poc_msk_id mtk_msk;
    uint32_t mtks;
    bool in_operation;
} bench;

static void on_event(void *user, const char *channel_id, bcast_event event, const char *why)
{
    bench *b = (bench *)user;
    assert_false(b->in_operation);
    assert_string_equal(channel_id, "dispatch");
    b->events[event]++;
    (void)snprintf(b->why, sizeof(b->why), "%s", why);
}

static void on_mtk(void *user, const char *channel_id, poc_msk_id msk_id, uint32_t mtks)
{
    bench *b = (bench *)user;
    assert_false(b->in_operation);
    assert_string_equal(channel_id, "dispatch");
    b->mtk_msk = msk_id;
    b->mtks = mtks;
}

static unsigned interface_of_ip6; /* where IPv6 multicast has a route: not on lo */

static void join(int fd, const struct sockaddr *group, const struct sockaddr *source)
{
    struct group_source_req ssm = { .gsr_interface =
                                        group->sa_family == AF_INET ? if_nametoindex("lo") : interface_of_ip6 };
    struct group_req asm_ = { .gr_interface = ssm.gsr_interface };
    int level = group->sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    memcpy(&ssm.gsr_group, group, poc_addr_len(group));
    memcpy(&asm_.gr_group, group, poc_addr_len(group));
    if (source->sa_family != 0) {
        memcpy(&ssm.gsr_source, source, poc_addr_len(source));
        assert_int_equal(setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &ssm, sizeof(ssm)), 0);
    } else {
        assert_int_equal(setsockopt(fd, level, MCAST_JOIN_GROUP, &asm_, sizeof(asm_)), 0);
    }
}

/** Listens to the three flows on ports that are free now. */
static void listen_to_group(bench *b)
{
    for (int flow = 0; flow < BCAST_FLOW_COUNT; flow++) {
        struct sockaddr_storage at = b->channel.group;
        socklen_t n = sizeof(at);
        b->fd[flow] = socket(at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        assert_true(b->fd[flow] >= 0);
        assert_int_equal(bind(b->fd[flow], (struct sockaddr *)&at, poc_addr_len((struct sockaddr *)&at)), 0);
        assert_int_equal(getsockname(b->fd[flow], (struct sockaddr *)&at, &n), 0);
        b->channel.port[flow] = poc_addr_port((struct sockaddr *)&at);
        join(b->fd[flow], (struct sockaddr *)&b->channel.group, (struct sockaddr *)&b->channel.source);
    }
}

static bench *bench_new(const char *group, const char *source)
{
    bench *b = (bench *)calloc(1, sizeof(*b));
    enabler_multicast_settings settings = { .protector = bcast_protector_defaults, .interface = "" };
    settings.protector.stkm_burst = 1;
    su_init();
    b->root = su_root_create(NULL);
    b->channel = (bcast_channel){ .id = "dispatch", .ttl = 1, .key_domain = { { 0x00, 0xF1, 0x10 } } };
    assert_int_equal(poc_addr_parse(&b->channel.group, poc_span_str(group), 0), POC_OK);
    assert_int_equal(poc_addr_parse(&b->channel.source, poc_span_str(source), 0), POC_OK);
    assert_int_equal(enabler_multicast_new(&b->enabler, b->root, &settings, &poc_rng_system, on_event, on_mtk, b),
                     POC_OK);
    b->air = enabler_multicast_adapter(b->enabler);
    assert_int_equal(bcast_receiver_new(&b->receiver, b->channel.key_domain), POC_OK);
    return b;
}

static void bench_free(bench *b)
{
    enabler_multicast_free(b->enabler);
    bcast_receiver_free(b->receiver);
    for (int flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        if (b->fd[flow] > 0)
            (void)close(b->fd[flow]);
    su_root_destroy(b->root);
    su_deinit();
    free(b);
}

static bcast_msk msk_of(poc_msk_id id)
{
    bcast_msk msk = {
        .key_domain = { { 0x00, 0xF1, 0x10 } }, .id = id, .seq_low = 1, .seq_high = 0xFFFF, .csb_id = id, .rand_len = 16
    };
    assert_int_equal(poc_secret_random(&msk.key, POC_MSK_LEN, &poc_rng_system), POC_OK);
    memset(msk.rand, (int)(id & 0xFF), 16);
    return msk;
}

static bcast_msk musik_of(uint32_t id)
{
    bcast_msk musik = msk_of(id);
    musik.cs_id = 7;
    return musik;
}

static poc_err start(bench *b, const bcast_msk *msk)
{
    b->in_operation = true;
    poc_err err = b->air.ops->start(b->air.ctx, io_now_ms(), &b->channel, msk);
    b->in_operation = false;
    return err;
}

static void turn_until(bench *b, const unsigned *counter)
{
    for (int turn = 0; turn < 1000 && *counter == 0; turn++)
        (void)su_root_step(b->root, 10);
    assert_int_not_equal(*counter, 0);
}

static size_t hear(bench *b, bcast_flow flow, uint8_t out[BCAST_PACKET_MAX])
{
    struct pollfd at = { .fd = b->fd[flow], .events = POLLIN };
    for (int turn = 0; turn < 1000 && poll(&at, 1, 0) == 0; turn++)
        (void)su_root_step(b->root, 10);
    ssize_t n = recv(at.fd, out, BCAST_PACKET_MAX, 0);
    assert_true(n > 0);
    return (size_t)n;
}

static void hear_stkm(bench *b, bcast_stkm_result wanted)
{
    uint8_t datagram[BCAST_PACKET_MAX];
    poc_mki mki;
    size_t n = hear(b, BCAST_FLOW_STKM, datagram);
    assert_int_equal(bcast_receiver_stkm(b->receiver, poc_span_of(datagram, n), &mki), wanted);
}

static const char speech[] = "this is what alice says";

static void say(bench *b, uint16_t seq)
{
    uint8_t packet[128];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    bcast_rtp rtp = { .payload_type = 97, .seq = seq, .ssrc = 7, .payload = poc_span_str(speech) };
    bcast_rtp_put(&wr, &rtp);
    assert_int_equal(b->air.ops->send(b->air.ctx, io_now_ms(), "dispatch", BCAST_FLOW_RTP, poc_span_of(packet, wr.len)),
                     POC_OK);
}

/** Plays one packet: what was said comes out, and did not stand on the wire. */
static void play(bench *b, poc_msk_id wanted)
{
    uint8_t datagram[BCAST_PACKET_MAX], clear[BCAST_PACKET_MAX];
    size_t n = hear(b, BCAST_FLOW_RTP, datagram), clear_len;
    poc_mki mki;
    assert_null(memmem(datagram, n, speech, 8));
    assert_int_equal(
        bcast_receiver_open(b->receiver, BCAST_FLOW_RTP, poc_span_of(datagram, n), clear, &clear_len, &mki), POC_OK);
    assert_non_null(memmem(clear, clear_len, speech, sizeof(speech) - 1));
    assert_int_equal(mki.msk_id, wanted);
}

static void channel_is_heard_by_who_has_the_msk(const char *group, const char *source)
{
    bench *b = bench_new(group, source);
    bcast_msk msk = msk_of(0x10010001);
    listen_to_group(b);
    assert_int_equal(bcast_receiver_add_msk(b->receiver, &msk), POC_OK);
    assert_int_equal(start(b, &msk), POC_OK);
    turn_until(b, &b->events[BCAST_STARTED]);
    hear_stkm(b, BCAST_STKM_NEW);
    say(b, 1);
    play(b, msk.id);
    assert_int_equal(b->mtk_msk, msk.id);
    assert_int_equal(b->mtks, 1);
    poc_secret_free(msk.key);
    bench_free(b);
}

/* POC-1, POC-13: the MSK goes in at the start, and what comes out is protected under it. */
static void source_specific_ip4_is_heard_only_with_the_msk(void **state)
{
    (void)state;
    channel_is_heard_by_who_has_the_msk("232.43.7.1", "127.0.0.1");
}

static void private_ip4_group_is_heard_too(void **state)
{
    (void)state;
    channel_is_heard_by_who_has_the_msk("239.192.43.7", "127.0.0.1");
}

/** A global IPv6 address of an interface that does multicast; false when this machine has none. */
static bool find_ip6(char text[64])
{
    struct ifaddrs *all;
    poc_wr wr = poc_wr_into(text, 64);
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *i = all; i != NULL && wr.len == 0; i = i->ifa_next) {
        const struct sockaddr_in6 *addr = (const struct sockaddr_in6 *)i->ifa_addr;
        if (addr == NULL || addr->sin6_family != AF_INET6 || (i->ifa_flags & IFF_MULTICAST) == 0 ||
            addr->sin6_scope_id != 0)
            continue;
        poc_addr_put(&wr, i->ifa_addr);
        interface_of_ip6 = if_nametoindex(i->ifa_name);
    }
    freeifaddrs(all);
    return poc_wr_text(&wr) == POC_OK && wr.len > 0;
}

static void ip6_is_heard_too(void **state)
{
    (void)state;
    char source[64];
    if (!find_ip6(source))
        skip();
    channel_is_heard_by_who_has_the_msk("ff3e::8000:43", source);
}

/* POC-1 */
static void a_tampered_packet_is_rejected_and_a_stranger_hears_nothing(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.2", "127.0.0.1");
    bcast_msk msk = msk_of(0x10010001), other = msk_of(0x10010001);
    uint8_t datagram[BCAST_PACKET_MAX], clear[BCAST_PACKET_MAX];
    size_t clear_len;
    poc_mki mki;
    listen_to_group(b);
    assert_int_equal(start(b, &msk), POC_OK);
    size_t stkm_len = hear(b, BCAST_FLOW_STKM, datagram);
    assert_int_equal(bcast_receiver_stkm(b->receiver, poc_span_of(datagram, stkm_len), &mki), BCAST_STKM_UNKNOWN_MSK);
    assert_int_equal(bcast_receiver_add_msk(b->receiver, &other), POC_OK);
    assert_int_equal(bcast_receiver_stkm(b->receiver, poc_span_of(datagram, stkm_len), &mki), BCAST_STKM_REFUSED);
    bcast_receiver_clear(b->receiver);
    assert_int_equal(bcast_receiver_add_msk(b->receiver, &msk), POC_OK);
    assert_int_equal(bcast_receiver_stkm(b->receiver, poc_span_of(datagram, stkm_len), &mki), BCAST_STKM_NEW);
    say(b, 1);
    size_t n = hear(b, BCAST_FLOW_RTP, datagram);
    datagram[14] ^= 1;
    assert_int_equal(
        bcast_receiver_open(b->receiver, BCAST_FLOW_RTP, poc_span_of(datagram, n), clear, &clear_len, &mki),
        POC_E_AUTH);
    poc_secret_free(msk.key);
    poc_secret_free(other.key);
    bench_free(b);
}

/* POC-18, POC-19: an update changes MSK and MTK; what the gate held comes under the new ones. */
static void what_the_gate_held_comes_under_the_next_msk(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.3", "127.0.0.1");
    bcast_msk first = msk_of(0x10010001), second = msk_of(0x10010002);
    listen_to_group(b);
    assert_int_equal(bcast_receiver_add_msk(b->receiver, &first), POC_OK);
    assert_int_equal(bcast_receiver_add_msk(b->receiver, &second), POC_OK);
    assert_int_equal(start(b, &first), POC_OK);
    hear_stkm(b, BCAST_STKM_NEW);
    b->air.ops->gate(b->air.ctx, io_now_ms(), "dispatch", true);
    say(b, 1);
    assert_int_equal(b->air.ops->update_msk(b->air.ctx, io_now_ms(), "dispatch", &second), POC_OK);
    hear_stkm(b, BCAST_STKM_NEW);
    play(b, second.id);
    turn_until(b, &b->events[BCAST_STARTED]);
    assert_int_equal(b->mtk_msk, second.id);
    poc_secret_free(first.key);
    poc_secret_free(second.key);
    bench_free(b);
}

static void a_late_listener_gets_an_stkm_without_asking(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.4", "127.0.0.1");
    bcast_msk msk = msk_of(0x10010001);
    listen_to_group(b);
    assert_int_equal(bcast_receiver_add_msk(b->receiver, &msk), POC_OK);
    assert_int_equal(start(b, &msk), POC_OK);
    say(b, 1);
    hear_stkm(b, BCAST_STKM_NEW);
    hear_stkm(b, BCAST_STKM_DUPLICATE); /* by the timer */
    poc_secret_free(msk.key);
    bench_free(b);
}

/* Contract, section 8: fail closed. */
static void a_source_that_is_not_ours_fails_the_start_and_nothing_is_sent(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.5", "192.0.2.1");
    bcast_msk msk = msk_of(0x10010001);
    for (int flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        b->channel.port[flow] = (uint16_t)(40000 + flow);
    assert_int_equal(start(b, &msk), POC_OK);
    assert_int_equal(b->events[BCAST_FAILED], 0);
    turn_until(b, &b->events[BCAST_FAILED]);
    assert_int_equal(b->events[BCAST_STARTED], 0);
    assert_true(strlen(b->why) > 0);
    assert_int_equal(enabler_multicast_look(b->enabler).datagrams, 0);
    assert_int_equal(b->air.ops->send(b->air.ctx, io_now_ms(), "dispatch", BCAST_FLOW_RTP, poc_span_str("x")),
                     POC_E_STATE);
    poc_secret_free(msk.key);
    bench_free(b);
}

static void stop_wipes_the_keys_and_says_so_later(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.6", "127.0.0.1");
    bcast_msk msk = msk_of(0x10010001);
    listen_to_group(b);
    size_t before = poc_secret_live_count();
    assert_int_equal(start(b, &msk), POC_OK);
    assert_int_equal(start(b, &msk), POC_E_STATE);
    turn_until(b, &b->events[BCAST_STARTED]);
    b->in_operation = true;
    b->air.ops->stop(b->air.ctx, io_now_ms(), "dispatch");
    b->in_operation = false;
    assert_int_equal(poc_secret_live_count(), before);
    assert_int_equal(b->events[BCAST_STOPPED], 0);
    turn_until(b, &b->events[BCAST_STOPPED]);
    assert_int_equal(enabler_multicast_look(b->enabler).channels, 0);
    assert_int_equal(start(b, &msk), POC_OK); /* the id is free again */
    poc_secret_free(msk.key);
    bench_free(b);
}

static void an_operation_on_a_channel_that_is_not_on_air_is_refused(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.7", "127.0.0.1");
    bcast_msk msk = msk_of(0x10010001);
    assert_int_equal(b->air.ops->update_msk(b->air.ctx, 0, "dispatch", &msk), POC_E_STATE);
    assert_int_equal(b->air.ops->send(b->air.ctx, 0, "dispatch", BCAST_FLOW_RTP, poc_span_str("x")), POC_E_STATE);
    b->air.ops->gate(b->air.ctx, 0, "dispatch", true);
    b->air.ops->stop(b->air.ctx, 0, "dispatch");
    poc_secret_free(msk.key);
    bench_free(b);
}

/* ---- under a MuSiK ---- */

/* "Floor Idle" of MCPTT, with a message sequence number. */
static const uint8_t idle[] = { 0x85, 204, 0, 3, 0xca, 0xfe, 0xba, 0xbe, 'M', 'C', 'P', 'T', 8, 2, 0, 1 };
static const char *const north[] = { "sip:north@mc.example" };

static mcx_srtcp *receiver_of(const bcast_msk *musik)
{
    const mcx_srtp_context context = { .csb_id = musik->id, .cs_id = 7, .rand = poc_span_of(musik->rand, 16) };
    mcx_srtcp *s;
    assert_int_equal(mcx_srtcp_new(&s, musik->key, &context, &mcx_aes128_gcm), POC_OK);
    return s;
}

static void open_control(bench *b, mcx_srtcp *s, uint8_t clear[BCAST_PACKET_MAX], size_t *n)
{
    uint8_t datagram[BCAST_PACKET_MAX];
    const size_t len = hear(b, BCAST_FLOW_FLOOR, datagram);
    assert_int_equal(mcx_srtcp_unprotect(s, clear, n, poc_span_of(datagram, len)), POC_OK);
}

static void hear_mapping(bench *b, mcx_srtcp *s, mcx_mcmc_type type)
{
    uint8_t clear[BCAST_PACKET_MAX];
    size_t n;
    mcx_mcmc msg;
    open_control(b, s, clear, &n);
    assert_int_equal(mcx_mcmc_read(&msg, poc_span_of(clear, n), NULL), POC_OK);
    assert_int_equal(msg.type, type);
    assert_true(poc_span_eq_str(msg.group, north[0]));
    if (type == MCX_MCMC_MAP)
        assert_int_equal(msg.floor_port, b->channel.port[BCAST_FLOW_FLOOR]);
}

static void hear_idle(bench *b, mcx_srtcp *s)
{
    uint8_t clear[BCAST_PACKET_MAX];
    size_t n;
    open_control(b, s, clear, &n);
    assert_int_equal(n, sizeof(idle));
    assert_memory_equal(clear, idle, sizeof(idle));
}

static void send_idle(bench *b)
{
    assert_int_equal(
        b->air.ops->send(b->air.ctx, io_now_ms(), "dispatch", BCAST_FLOW_FLOOR, poc_span_of(idle, sizeof(idle))),
        POC_OK);
}

/* MCX-7, MCX-9, MCX-13, MCX-30 */
static void a_channel_under_a_musik_is_heard_by_who_has_it(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.11", "127.0.0.1");
    bcast_msk first = musik_of(0x60010001), second = musik_of(0x60010002);
    mcx_srtcp *former = receiver_of(&first), *next = receiver_of(&second);
    uint8_t datagram[BCAST_PACKET_MAX];
    listen_to_group(b);
    b->channel.groups = north;
    b->channel.group_count = 1;
    assert_int_equal(start(b, &first), POC_OK);
    turn_until(b, &b->events[BCAST_STARTED]);
    hear_mapping(b, former, MCX_MCMC_MAP);
    send_idle(b);
    hear_idle(b, former);
    say(b, 1);
    const size_t n = hear(b, BCAST_FLOW_RTP, datagram);
    assert_non_null(memmem(datagram, n, speech, sizeof(speech) - 1)); /* as it came: that is the clients' own affair */
    b->air.ops->gate(b->air.ctx, io_now_ms(), "dispatch", true);
    send_idle(b);
    assert_int_equal(b->air.ops->update_msk(b->air.ctx, io_now_ms(), "dispatch", &second), POC_OK);
    hear_mapping(b, next, MCX_MCMC_MAP);
    hear_idle(b, next);
    b->air.ops->stop(b->air.ctx, io_now_ms(), "dispatch");
    hear_mapping(b, next, MCX_MCMC_UNMAP);
    turn_until(b, &b->events[BCAST_STOPPED]);
    assert_int_equal(b->mtks, 0);
    mcx_srtcp_free(former);
    mcx_srtcp_free(next);
    poc_secret_free(first.key);
    poc_secret_free(second.key);
    bench_free(b);
}

static void a_late_listener_gets_a_mapping_without_asking(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.12", "127.0.0.1");
    bcast_msk musik = musik_of(0x60010003);
    mcx_srtcp *s = receiver_of(&musik);
    listen_to_group(b);
    b->channel.groups = north;
    b->channel.group_count = 1;
    assert_int_equal(start(b, &musik), POC_OK);
    hear_mapping(b, s, MCX_MCMC_MAP);
    b->air.ops->announce(b->air.ctx, io_now_ms(), "dispatch");
    hear_mapping(b, s, MCX_MCMC_MAP); /* by the timer */
    mcx_srtcp_free(s);
    poc_secret_free(musik.key);
    bench_free(b);
}

static void a_channel_keeps_its_kind_of_key(void **state)
{
    (void)state;
    bench *b = bench_new("232.43.7.13", "127.0.0.1");
    bcast_msk musik = musik_of(0x60010004), msk = msk_of(0x10010001), csk = musik_of(0x20010001);
    listen_to_group(b);
    assert_int_equal(start(b, &csk), POC_E_INPUT); /* not a key for everybody */
    assert_int_equal(start(b, &musik), POC_OK);
    assert_int_equal(b->air.ops->update_msk(b->air.ctx, io_now_ms(), "dispatch", &msk), POC_E_INPUT);
    poc_secret_free(musik.key);
    poc_secret_free(msk.key);
    poc_secret_free(csk.key);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_specific_ip4_is_heard_only_with_the_msk),
        cmocka_unit_test(private_ip4_group_is_heard_too),
        cmocka_unit_test(ip6_is_heard_too),
        cmocka_unit_test(a_tampered_packet_is_rejected_and_a_stranger_hears_nothing),
        cmocka_unit_test(what_the_gate_held_comes_under_the_next_msk),
        cmocka_unit_test(a_late_listener_gets_an_stkm_without_asking),
        cmocka_unit_test(a_source_that_is_not_ours_fails_the_start_and_nothing_is_sent),
        cmocka_unit_test(stop_wipes_the_keys_and_says_so_later),
        cmocka_unit_test(an_operation_on_a_channel_that_is_not_on_air_is_refused),
        cmocka_unit_test(a_channel_under_a_musik_is_heard_by_who_has_it),
        cmocka_unit_test(a_late_listener_gets_a_mapping_without_asking),
        cmocka_unit_test(a_channel_keeps_its_kind_of_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
