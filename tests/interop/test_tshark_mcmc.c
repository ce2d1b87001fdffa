/* Wireshark's RTCP dissector as a witness of what is said about bearers, and of how little of it can be seen on air. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/wire/air.h"
#include "tests/support/rng.h"

enum { LINK_RAW_IP = 101, FLOOR_PORT = 5002, AUDIO_PORT = 5000, ROWS_MAX = 8, DATAGRAMS_MAX = 8, HEADERS = 28 };

#define MUSIK_ID 0x60000001u
#define NORTH    "sip:north@mc.example"

typedef struct datagram {
    size_t n;
    uint8_t b[BCAST_PACKET_MAX];
} datagram;

typedef struct air {
    datagram heard[DATAGRAMS_MAX];
    size_t count;
} air;

static void on_air(void *ctx, bcast_flow flow, const uint8_t *p, size_t n)
{
    air *a = ctx;
    assert_int_equal(flow, BCAST_FLOW_FLOOR);
    assert_true(a->count < DATAGRAMS_MAX);
    memcpy(a->heard[a->count].b, p, n);
    a->heard[a->count++].n = n;
}

static bcast_msk musik_make(void)
{
    bcast_msk musik = { .cs_id = 7, .id = MUSIK_ID, .csb_id = MUSIK_ID, .rand = { 1, 2, 3 }, .rand_len = 16 };
    assert_int_equal(poc_secret_from(&musik.key, "0123456789abcdef", 16), POC_OK);
    return musik;
}

/* A channel comes on air, is held by somebody, and goes off air. */
static void perform(air *a, const char *group)
{
    static const uint8_t taken[] = { 0x82, 204, 0, 4, 0xca, 0xfe, 0xba, 0xbe, 'M', 'C',
                                     'P',  'T', 4, 5, 'a',  'l',  'i',  'c',  'e', 0 };
    static const char *const groups[] = { NORTH };
    test_rng chance;
    const poc_rng rng = test_rng_of(&chance, 9);
    bcast_channel channel = { .ttl = 1,
                              .port = { AUDIO_PORT, FLOOR_PORT, 0 },
                              .groups = groups,
                              .group_count = 1,
                              .has_tmgi = true,
                              .tmgi = { 0, 0, 1, 0x13, 0xf0, 0x62 } };
    bcast_msk musik = musik_make();
    wire_mcx_air *w;
    assert_int_equal(poc_addr_parse(&channel.group, poc_span_str(group), 0), POC_OK);
    assert_int_equal(wire_mcx_air_new(&w, &wire_mcx_air_defaults, &channel, (bcast_carrier){ on_air, a }, &rng),
                     POC_OK);
    assert_int_equal(wire_mcx_air_set_musik(w, 1000000, &musik), POC_OK);
    assert_int_equal(wire_mcx_air_send(w, 1000001, BCAST_FLOW_FLOOR, poc_span_of(taken, sizeof(taken))), POC_OK);
    wire_mcx_air_unmap(w, 1000002);
    wire_mcx_air_free(w);
    poc_secret_free(musik.key);
    assert_true(a->count >= 3);
}

/* What a receiver makes of it. */
static void open_all(air *a)
{
    bcast_msk musik = musik_make();
    const mcx_srtp_context context = { .csb_id = musik.id, .cs_id = 7, .rand = poc_span_of(musik.rand, 16) };
    mcx_srtcp *s;
    assert_int_equal(mcx_srtcp_new(&s, musik.key, &context, &mcx_aes128_gcm), POC_OK);
    for (size_t i = 0; i < a->count; i++) {
        datagram clear;
        assert_int_equal(mcx_srtcp_unprotect(s, clear.b, &clear.n, poc_span_of(a->heard[i].b, a->heard[i].n)), POC_OK);
        /* Wireshark 4.0 knows the name of the first release only; nothing else has changed. */
        if (mcx_mcmc_is(poc_span_of(clear.b, clear.n)))
            memcpy(clear.b + 8, "MCCP", 4);
        a->heard[i] = clear;
    }
    mcx_srtcp_free(s);
    poc_secret_free(musik.key);
}

/* ---- the witness ---- */

static void put(FILE *f, const void *p, size_t n)
{
    assert_int_equal(fwrite(p, 1, n, f), n);
}

static void put_le32(FILE *f, uint32_t v)
{
    const uint8_t octets[] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
    put(f, octets, sizeof(octets));
}

static void pcap_write(const air *a)
{
    static const uint32_t head[] = { 0xa1b2c3d4, 4u << 16 | 2u, 0, 0, 65535, LINK_RAW_IP };
    FILE *f = fopen(POC_CAPTURE, "wbe");
    assert_non_null(f);
    for (size_t i = 0; i < POC_COUNT(head); i++)
        put_le32(f, head[i]);
    for (size_t i = 0; i < a->count; i++) {
        const datagram *d = &a->heard[i];
        uint8_t headers[HEADERS] = { 0x45,
                                     0,
                                     (uint8_t)((HEADERS + d->n) >> 8),
                                     (uint8_t)(HEADERS + d->n),
                                     0,
                                     0,
                                     0,
                                     0,
                                     1,
                                     17,
                                     0,
                                     0,
                                     192,
                                     0,
                                     2,
                                     1,
                                     232,
                                     1,
                                     1,
                                     1 };
        poc_wr udp = poc_wr_into(headers + 20, 8);
        poc_wr_u16(&udp, FLOOR_PORT);
        poc_wr_u16(&udp, FLOOR_PORT);
        poc_wr_u16(&udp, (uint16_t)(8 + d->n));
        for (int word = 0; word < 2; word++)
            put_le32(f, 0);
        for (int word = 0; word < 2; word++)
            put_le32(f, (uint32_t)(HEADERS + d->n));
        put(f, headers, sizeof(headers));
        put(f, d->b, d->n);
    }
    assert_int_equal(fclose(f), 0);
}

static size_t ask(const air *a, const char *fields, char rows[ROWS_MAX][512])
{
    char command[1024];
    size_t count = 0;
    pcap_write(a);
    (void)snprintf(command, sizeof(command),
                   "tshark -n -r '%s' -d udp.port==%d,rtcp -T fields -E separator='|' -E aggregator=, %s 2>/dev/null",
                   POC_CAPTURE, FLOOR_PORT, fields);
    if (system("command -v tshark >/dev/null 2>&1") != 0)
        fail_msg("%s", "tshark is not here: install the Debian package 'tshark'");
    FILE *f = popen(command, "re");
    assert_non_null(f);
    while (count < ROWS_MAX && fgets(rows[count], sizeof(rows[0]), f) != NULL) {
        rows[count][strcspn(rows[count], "\n")] = '\0';
        count++;
    }
    assert_int_equal(pclose(f), 0);
    return count;
}

#define MCCP_FIELDS                                                                                       \
    "-e rtcp.app.name -e rtcp.app.subtype -e rtcp.app_data.mccp.mcptt_grp_id -e rtcp.app_data.mccp.tmgi " \
    "-e rtcp.app_data.mccp.audio_m_line_no -e rtcp.app_data.mccp.floor_m_line_no "                        \
    "-e rtcp.app_data.mccp.floor_port_no -e rtcp.app_data.mccp.media_port_no "                            \
    "-e rtcp.app_data.mccp.ipv4 -e rtcp.app_data.mccp.ipv6 -e _ws.malformed"

/* MCX-9 */
static void wireshark_reads_where_a_group_is_heard(void **state)
{
    (void)state;
    char rows[ROWS_MAX][512];
    air a = { .count = 0 };
    perform(&a, "232.1.1.1");
    open_all(&a);
    assert_int_equal(ask(&a, MCCP_FIELDS, rows), 3);
    assert_string_equal(rows[0], "MCCP|0|" NORTH "|00000113f062|2|1|5002|5000|232.1.1.1||");
    assert_string_equal(rows[1], "MCPT|2|||||||||");
    assert_string_equal(rows[2], "MCCP|1|" NORTH "||||||||");
    a.count = 0;
    perform(&a, "ff3e::8000:1");
    open_all(&a);
    assert_int_equal(ask(&a, MCCP_FIELDS, rows), 3);
    assert_string_equal(rows[0], "MCCP|0|" NORTH "|00000113f062|2|1|5002|5000||ff3e::8000:1|");
}

/* MCX-7: of what is on air an observer sees the SSRC, the index and the id of the key. */
static void without_the_musik_wireshark_reads_nothing(void **state)
{
    (void)state;
    char rows[ROWS_MAX][512];
    air a = { .count = 0 };
    perform(&a, "232.1.1.1");
    assert_int_equal(ask(&a,
                         "-e rtcp.senderssrc -e rtcp.ssrc.identifier -e rtcp.app_data.mccp.mcptt_grp_id "
                         "-e rtcp.mcptt.granted_partys_id",
                         rows),
                     3);
    assert_non_null(strstr(rows[1], "0xcafebabe"));
    for (size_t i = 0; i < 3; i++) {
        mcx_srtcp_view view;
        assert_int_equal(strcmp(rows[i] + strlen(rows[i]) - 2, "||"), 0);
        assert_int_equal(mcx_srtcp_look(&view, poc_span_of(a.heard[i].b, a.heard[i].n)), POC_OK);
        assert_int_equal(view.key_id, MUSIK_ID);
        assert_null(memmem(a.heard[i].b, a.heard[i].n, "north", 5));
        assert_null(memmem(a.heard[i].b, a.heard[i].n, "alice", 5));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wireshark_reads_where_a_group_is_heard),
        cmocka_unit_test(without_the_musik_wireshark_reads_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
