/* A user service without SIP from end to end: clear packets of the content source go in, protected ones come out on the group,
 * and who has registered opens them. The argument is pocpfd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "tests/unit/io/daemon_bench.h"
#include "tests/unit/io/mbms_client.h"

#define SERVICE "urn:pocpf:tunnel"

enum { PORT = 45104, SSRC = 0x0BADCAFE };

static const char *program;
static const int flow_ports[BCAST_FLOW_COUNT] = { PORT, PORT + 2, PORT + 4 };

typedef struct stage {
    daemon_bench pf;
    mbms_client alice;
    char group[20]; /* of this process: others may test on the same machine */
    bcast_receiver *receiver;
    int fd[BCAST_FLOW_COUNT];
    int source, stranger;
    uint16_t feed_port, seq;
} stage;

static struct sockaddr_in loopback(uint32_t host, uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host) };
}

static int bound(const struct sockaddr_in *at)
{
    const int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
    return fd;
}

static void listen_to_group(stage *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    assert_int_equal(inet_pton(AF_INET, s->group, &at.sin_addr), 1);
    const struct ip_mreqn on_lo = { .imr_multiaddr = at.sin_addr, .imr_ifindex = (int)if_nametoindex("lo") };
    for (int flow = 0; flow < BCAST_FLOW_COUNT; flow++) {
        at.sin_port = htons((uint16_t)flow_ports[flow]);
        s->fd[flow] = bound(&at);
        assert_int_equal(setsockopt(s->fd[flow], IPPROTO_IP, IP_ADD_MEMBERSHIP, &on_lo, sizeof(on_lo)), 0);
    }
}

static int set_up(void **state)
{
    static const poc_key_domain domain = { { 0x00, 0xF1, 0x10 } };
    char channel[1024];
    stage *s = (stage *)calloc(1, sizeof(*s));
    struct sockaddr_in source = loopback(0x7F000005, 0), stranger = loopback(0x7F000006, 0);
    daemon_prepare(&s->pf, program);
    (void)snprintf(s->group, sizeof(s->group), "239.193.%u.%u", (unsigned)getpid() >> 8 & 255u,
                   (unsigned)getpid() & 255u);
    s->feed_port = s->pf.port[DAEMON_CF_PORT]; /* nobody needs it here */
    (void)snprintf(
        channel, sizeof(channel),
        "{ id = \"tunnel\"; address = \"%s\"; port = %d; source = \"127.0.0.1\"; key_domain_id = "
        "\"00f110\"; key_group = 1; rekey = { delivery = [ \"push\" ]; }; mbms = { admit = \"authenticated\"; }; "
        "feed = { listen = \"udp:127.0.0.1:%u\"; source = [ \"127.0.0.5\" ]; }; }",
        s->group, PORT, s->feed_port);
    daemon_configure(&s->pf, "", "", "", channel);
    daemon_start(&s->pf);
    listen_to_group(s);
    s->source = bound(&source);
    s->stranger = bound(&stranger);
    assert_int_equal(bcast_receiver_new(&s->receiver, domain), POC_OK);
    mbms_client_make(&s->alice, 0, "127.0.0.21", s->pf.port[DAEMON_PUSH_PORT], "pf.example");
    mbms_client_bootstrap(&s->alice, "127.0.0.1", s->pf.port[DAEMON_UB_PORT]);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    stage *s = (stage *)*state;
    daemon_remove(&s->pf);
    mbms_client_done(&s->alice);
    bcast_receiver_free(s->receiver);
    for (int flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        (void)close(s->fd[flow]);
    (void)close(s->source);
    (void)close(s->stranger);
    free(s);
    return 0;
}

/** Alice's receiver gets the MSK that she was pushed last. */
static void install(stage *s)
{
    mikey_msg msg;
    mikey_msk opened;
    assert_int_equal(mikey_decode(&msg, poc_span_of(s->alice.datagram, s->alice.datagram_len), NULL), POC_OK);
    assert_int_equal(mikey_msk_open(&opened, &msg, s->alice.keys.muk, NULL), POC_OK);
    bcast_msk msk = { .key_domain = opened.key_domain,
                      .id = opened.msk_id,
                      .seq_low = opened.seq_low,
                      .seq_high = opened.seq_high,
                      .csb_id = opened.csb_id,
                      .rand_len = (uint8_t)msg.rand.n,
                      .key = opened.msk };
    memcpy(msk.rand, msg.rand.p, msg.rand.n);
    assert_int_equal(bcast_receiver_add_msk(s->receiver, &msk), POC_OK);
    mikey_msk_done(&opened);
}

static void speak(stage *s, int fd, const char *words)
{
    uint8_t packet[256];
    struct sockaddr_in to = loopback(INADDR_LOOPBACK, s->feed_port);
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    const bcast_rtp rtp = { .payload_type = 97, .seq = ++s->seq, .ssrc = SSRC, .payload = poc_span_str(words) };
    bcast_rtp_put(&wr, &rtp);
    assert_int_equal(sendto(fd, packet, wr.len, 0, (struct sockaddr *)&to, sizeof(to)), wr.len);
}

/** Takes STKMs and media from the group until a packet of the service came; what it says when it is opened. */
static poc_err hear(stage *s, char words[256])
{
    struct pollfd wait[2] = { { .fd = s->fd[BCAST_FLOW_STKM], .events = POLLIN },
                              { .fd = s->fd[BCAST_FLOW_RTP], .events = POLLIN } };
    uint8_t in[BCAST_PACKET_MAX], clear[BCAST_PACKET_MAX];
    size_t n = 0;
    poc_mki mki;
    bcast_rtp rtp;
    for (;;) {
        if (poll(wait, 2, 10000) < 1)
            fail_msg("nothing on air");
        bool is_stkm = (wait[0].revents & POLLIN) != 0;
        ssize_t got = recv(wait[is_stkm ? 0 : 1].fd, in, sizeof(in), 0);
        assert_true(got > 0);
        if (!is_stkm)
            assert_null(memmem(in, (size_t)got, "mind the", 8)); /* POC-1: nothing goes on air in clear */
        if (is_stkm) {
            (void)bcast_receiver_stkm(s->receiver, poc_span_of(in, (size_t)got), &mki);
            continue;
        }
        POC_TRY(bcast_receiver_open(s->receiver, BCAST_FLOW_RTP, poc_span_of(in, (size_t)got), clear, &n, &mki));
        assert_int_equal(bcast_rtp_parse(&rtp, poc_span_of(clear, n)), POC_OK);
        (void)snprintf(words, 256, "%.*s", (int)rtp.payload.n, (const char *)rtp.payload.p);
        return POC_OK;
    }
}

static void alice_registers(stage *s)
{
    assert_int_equal(mbms_register(&s->alice, "127.0.0.1", s->pf.port[DAEMON_HTTP_PORT], "register", SERVICE), 200);
    mbms_hear(&s->alice);
    mbms_confirm(&s->alice, false);
    daemon_comes_to_say(&s->pf, "/channels/tunnel", "\"state\":\"active\"");
    daemon_comes_to_say(&s->pf, "/channels/tunnel/members", "\"state\":\"keyed\"");
}

/* POC-1, MBMS-13 */
static void what_the_content_source_says_is_heard_by_who_registered(void **state)
{
    stage *s = (stage *)*state;
    char words[256];
    alice_registers(s);
    install(s);
    speak(s, s->stranger, "mind the bomb"); /* not listed: never on air */
    speak(s, s->source, "mind the gap");
    assert_int_equal(hear(s, words), POC_OK);
    assert_string_equal(words, "mind the gap");
    assert_int_equal(daemon_counter(&s->pf, "content", "foreign_dropped"), 1);
    assert_int_equal(daemon_counter(&s->pf, "content", "packets"), 1);
}

/* POC-17: the last one who knew the key is expelled; whoever holds it opens nothing more. */
static void who_was_expelled_opens_nothing_more(void **state)
{
    stage *s = (stage *)*state;
    char words[256];
    mbms_client bob;
    alice_registers(s);
    install(s);
    mbms_client_make(&bob, 1, "127.0.0.22", s->pf.port[DAEMON_PUSH_PORT], "pf.example");
    mbms_client_bootstrap(&bob, "127.0.0.1", s->pf.port[DAEMON_UB_PORT]);
    assert_int_equal(mbms_register(&bob, "127.0.0.1", s->pf.port[DAEMON_HTTP_PORT], "register", SERVICE), 200);
    mbms_hear_until(&bob, 0x00010001);
    assert_true(daemon_asks(&s->pf, "/channels/tunnel/expel", "{\"user\":\"sip:alice@home1.example\"}"));
    mbms_hear_until(&bob, 0x00010002);
    daemon_comes_to_say(&s->pf, "/channels/tunnel", "\"state\":\"active\",\"msk_id\":\"00010002\"");
    speak(s, s->source, "mind the doors");
    assert_int_equal(hear(s, words), POC_E_STATE);
    mbms_client_done(&bob);
}

int main(int argc, char **argv)
{
#define WITH_STAGE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_STAGE(what_the_content_source_says_is_heard_by_who_registered),
        WITH_STAGE(who_was_expelled_opens_nothing_more),
    };
    if (argc != 2)
        return 64;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
