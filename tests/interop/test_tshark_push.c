/* Wireshark's MIKEY dissector as a witness of what a running pocpfd and its clients say on UDP port 2269: a pushed MSK, its
 * verification, and a solicited pull, recorded on the loopback. Arguments: pocpfd, pocpfctl. Recording needs CAP_NET_RAW;
 * without it the test says so and is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/interop/service.h"
#include "tests/unit/io/mbms_client.h"

enum { PUSH_PORT = 2269, LINK_RAW_IP = 101, CANNOT_RECORD = 77, PATIENCE_MS = 60000, UDP = 17, HEADERS = 28 };

static const char *daemon_program, *ctl_program;

typedef struct stage {
    service service;
    mbms_client client;
    int recorder;
    char capture[128];
    FILE *pcap;
    char rows[3][1024]; /* what tshark says */
    size_t row_count;
} stage;

/* ---- recording ---- */

static int recorder_open(void)
{
    const struct sockaddr_ll on = { .sll_family = AF_PACKET,
                                    .sll_protocol = htons(ETH_P_IP),
                                    .sll_ifindex = (int)if_nametoindex("lo") };
    const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&on, sizeof(on)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void put_le32(FILE *f, uint32_t v)
{
    const uint8_t octets[] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
    assert_int_equal(fwrite(octets, 1, sizeof(octets), f), sizeof(octets));
}

static void pcap_open(stage *s)
{
    static const uint32_t head[] = { 0xa1b2c3d4, 4u << 16 | 2u, 0, 0, 65535, LINK_RAW_IP };
    (void)snprintf(s->capture, sizeof(s->capture), "%s/push.pcap", s->service.folder);
    s->pcap = fopen(s->capture, "wbe");
    assert_non_null(s->pcap);
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        put_le32(s->pcap, head[i]);
}

static bool is_ours(const uint8_t *ip, size_t n)
{
    uint8_t host[4];
    assert_int_equal(inet_pton(AF_INET, service_client_host(0), host), 1);
    return n > HEADERS && ip[0] == 0x45 && ip[9] == UDP &&
           (memcmp(ip + 12, host, 4) == 0 || memcmp(ip + 16, host, 4) == 0);
}

/* Waits for the next datagram from or to the client, and keeps it. */
static void record_one(stage *s)
{
    static uint8_t frame[65536];
    struct pollfd wait = { .fd = s->recorder, .events = POLLIN };
    for (;;) {
        struct sockaddr_ll from;
        socklen_t len = sizeof(from);
        if (poll(&wait, 1, PATIENCE_MS) != 1)
            fail_msg("%s", "nothing more crosses the loopback");
        const ssize_t n = recvfrom(s->recorder, frame, sizeof(frame), 0, (struct sockaddr *)&from, &len);
        if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING || !is_ours(frame, (size_t)n))
            continue;
        put_le32(s->pcap, 0);
        put_le32(s->pcap, 0);
        put_le32(s->pcap, (uint32_t)n);
        put_le32(s->pcap, (uint32_t)n);
        assert_int_equal(fwrite(frame, 1, (size_t)n, s->pcap), (size_t)n);
        return;
    }
}

/* ---- the witness ---- */

static void witness_ask(stage *s)
{
    char command[512];
    assert_int_equal(fclose(s->pcap), 0);
    (void)snprintf(command, sizeof(command),
                   "tshark -n -r '%s' -T fields -E separator='|' -E occurrence=a -E aggregator=, -e udp.srcport "
                   "-e udp.dstport -e mikey.type -e mikey.v.set -e mikey.kemac.encr_alg -e mikey.kemac.key_data "
                   "-e mikey.v.auth_alg -e _ws.malformed 2>/dev/null",
                   s->capture);
    if (system("command -v tshark >/dev/null 2>&1") != 0)
        fail_msg("%s", "tshark is not here: install the Debian package 'tshark'");
    FILE *f = popen(command, "re");
    assert_non_null(f);
    while (s->row_count < 3 && fgets(s->rows[s->row_count], sizeof(s->rows[0]), f) != NULL)
        s->row_count++;
    assert_int_equal(pclose(f), 0);
    assert_int_equal(s->row_count, 3);
}

/* The fields of a row, without ports. */
static const char *fields(const stage *s, size_t row, bool to_client)
{
    char ports[32];
    (void)snprintf(ports, sizeof(ports), "%u|%u|", to_client ? s->service.push : PUSH_PORT,
                   to_client ? PUSH_PORT : s->service.push);
    if (strncmp(s->rows[row], ports, strlen(ports)) != 0)
        fail_msg("ports are not %s: %s", ports, s->rows[row]);
    return s->rows[row] + strlen(ports);
}

/* ---- the story ---- */

static int set_up(void **state)
{
    stage *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    service_make(&s->service, daemon_program, ctl_program, "retransmission_ms = 60000; retransmission_cap_ms = 60000;",
                 ""); /* nothing is sent twice */
    service_start(&s->service);
    mbms_client_make(&s->client, 0, service_client_host(0), PUSH_PORT, SERVICE_NAF);
    mbms_client_bootstrap(&s->client, SERVICE_HOST, s->service.ub);
    s->recorder = recorder_open();
    assert_true(s->recorder >= 0);
    pcap_open(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    stage *s = *state;
    (void)close(s->recorder);
    mbms_client_done(&s->client);
    service_done(&s->service);
    free(s);
    return 0;
}

/* MBMS-6, MBMS-7, MBMS-10 */
static void tshark_sees_a_push_its_verification_and_a_solicited_pull(void **state)
{
    stage *s = *state;
    char want[256], data[64];
    assert_int_equal(mbms_register(&s->client, SERVICE_HOST, s->service.http, "register", SERVICE_ID), 200);
    mbms_hear(&s->client);
    record_one(s);
    mikey_msg msg;
    assert_int_equal(mikey_decode(&msg, poc_span_of(s->client.datagram, s->client.datagram_len), NULL), POC_OK);
    poc_wr wr = poc_wr_into(data, sizeof(data));
    poc_hex_put(&wr, msg.encr_data);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    mbms_confirm(&s->client, false);
    record_one(s);
    assert_int_equal(service_ctl(&s->service, "solicit tunnel alice"), 0);
    record_one(s);
    mbms_hear(&s->client);
    assert_false(s->client.has_key);
    witness_ask(s);
    (void)snprintf(want, sizeof(want), "0|1|1|%s||\n", data); /* pre-shared key, V, AES-CM-128 */
    assert_string_equal(fields(s, 0, true), want);
    assert_string_equal(fields(s, 1, false), "1|0|||1|\n");         /* verification, HMAC-SHA-1-160 */
    assert_string_equal(fields(s, 2, true), "0|0|1|<MISSING>||\n"); /* no key in it */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tshark_sees_a_push_its_verification_and_a_solicited_pull, set_up, tear_down),
    };
    if (argc != 3)
        return 64;
    const int recorder = recorder_open();
    if (recorder < 0) {
        print_message("skipped: recording the loopback needs CAP_NET_RAW\n");
        return CANNOT_RECORD;
    }
    (void)close(recorder);
    daemon_program = argv[1];
    ctl_program = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
