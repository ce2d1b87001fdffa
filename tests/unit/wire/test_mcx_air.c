/* Channels under MuSiKs on air: what a receiver hears that has the keys, and what anybody else hears. Time is a number here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pf/wire/air.h"
#include "tests/support/rng.h"

enum { HEARD_MAX = 64, T0 = 1000000 };

#define NORTH 0x60000001u
#define SOUTH 0x60000002u

typedef struct datagram {
    bcast_flow flow;
    size_t n;
    uint8_t b[BCAST_PACKET_MAX];
} datagram;

typedef struct cell {
    wire_mcx_air *air;
    bcast_channel channel;
    test_rng chance;
    poc_rng rng;
    datagram heard[HEARD_MAX];
    size_t count, taken;
} cell;

/* "Floor Taken" of MCPTT: subtype 2, an SSRC, a field that says who talks. */
static const uint8_t taken[] = { 0x82, 204, 0,   5,   0xca, 0xfe, 0xba, 0xbe, 'M', 'C', 'P', 'T',
                                 4,    9,   's', 'i', 'p',  ':',  'a',  '@',  'm', 'c', '.', 0 };
static const uint8_t media[] = { 0x80, 99, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9, 0xde, 0xad, 0xbe, 0xef };

static const char *const two_groups[] = { "sip:north@mc.example", "sip:fire@mc.example" };

static void on_air(void *ctx, bcast_flow flow, const uint8_t *p, size_t n)
{
    cell *c = ctx;
    assert_true(c->count < HEARD_MAX && n <= BCAST_PACKET_MAX);
    datagram *d = &c->heard[c->count++];
    d->flow = flow;
    d->n = n;
    memcpy(d->b, p, n);
}

static cell *cell_new_with(const char *group, const char *const *groups, size_t group_count, uint32_t held)
{
    cell *c = calloc(1, sizeof(*c));
    wire_mcx_air_settings settings = wire_mcx_air_defaults;
    settings.hold_packets_max = held;
    assert_non_null(c);
    c->rng = test_rng_of(&c->chance, 3);
    c->channel = (bcast_channel){ .id = "north",
                                  .ttl = 16,
                                  .port = { 5000, 5002, 0 },
                                  .groups = groups,
                                  .group_count = group_count,
                                  .has_tmgi = true,
                                  .tmgi = { 1, 2, 3, 4, 5, 6 } };
    assert_int_equal(poc_addr_parse(&c->channel.group, poc_span_str(group), 0), POC_OK);
    assert_int_equal(wire_mcx_air_new(&c->air, &settings, &c->channel, (bcast_carrier){ on_air, c }, &c->rng), POC_OK);
    return c;
}

static cell *cell_new(size_t group_count)
{
    return cell_new_with("232.1.1.1", two_groups, group_count, 4);
}

static void cell_free(cell *c)
{
    wire_mcx_air_free(c->air);
    free(c);
}

static bcast_msk musik_of(uint32_t id)
{
    bcast_msk musik = { .cs_id = 7, .id = id, .csb_id = id, .rand_len = 16 };
    uint8_t octets[16];
    memset(octets, (int)(id & 0xff), sizeof(octets));
    memset(musik.rand, (int)(id & 0xff) + 1, 16);
    assert_int_equal(poc_secret_from(&musik.key, octets, sizeof(octets)), POC_OK);
    return musik;
}

static void give(cell *c, int64_t now_ms, uint32_t id)
{
    bcast_msk musik = musik_of(id);
    assert_int_equal(wire_mcx_air_set_musik(c->air, now_ms, &musik), POC_OK);
    poc_secret_free(musik.key);
}

/** Somebody who was sent this MuSiK. */
static mcx_srtcp *receiver_of(uint32_t id)
{
    bcast_msk musik = musik_of(id);
    const mcx_srtp_context context = { .csb_id = id, .cs_id = 7, .rand = poc_span_of(musik.rand, 16) };
    mcx_srtcp *s;
    assert_int_equal(mcx_srtcp_new(&s, musik.key, &context, &mcx_aes128_gcm), POC_OK);
    poc_secret_free(musik.key);
    return s;
}

static datagram *next(cell *c)
{
    assert_true(c->taken < c->count);
    return &c->heard[c->taken++];
}

static poc_err open_with(mcx_srtcp *s, const datagram *d, datagram *clear)
{
    return mcx_srtcp_unprotect(s, clear->b, &clear->n, poc_span_of(d->b, d->n));
}

static void hear_taken(cell *c, mcx_srtcp *s)
{
    datagram clear;
    assert_int_equal(open_with(s, next(c), &clear), POC_OK);
    assert_int_equal(clear.n, sizeof(taken));
    assert_memory_equal(clear.b, taken, sizeof(taken));
}

static void hear_mcmc(cell *c, mcx_srtcp *s, mcx_mcmc_type type, const char *group)
{
    datagram clear;
    mcx_mcmc msg;
    const datagram *d = next(c);
    assert_int_equal(d->flow, BCAST_FLOW_FLOOR);
    assert_int_equal(open_with(s, d, &clear), POC_OK);
    assert_int_equal(mcx_mcmc_read(&msg, poc_span_of(clear.b, clear.n), NULL), POC_OK);
    assert_int_equal(msg.type, type);
    assert_true(poc_span_eq_str(msg.group, group));
    if (type == MCX_MCMC_UNMAP)
        return;
    assert_true(msg.has_tmgi);
    assert_memory_equal(msg.tmgi, c->channel.tmgi, MCX_TMGI_LEN);
    assert_int_equal(msg.audio_port, 5000);
    assert_int_equal(msg.floor_port, 5002);
    assert_int_equal(msg.address_len, 4);
    assert_memory_equal(msg.address, ((uint8_t[]){ 232, 1, 1, 1 }), 4);
}

static poc_err send_floor(cell *c, int64_t now_ms)
{
    return wire_mcx_air_send(c->air, now_ms, BCAST_FLOW_FLOOR, poc_span_of(taken, sizeof(taken)));
}

static poc_err send_media(cell *c, int64_t now_ms)
{
    return wire_mcx_air_send(c->air, now_ms, BCAST_FLOW_RTP, poc_span_of(media, sizeof(media)));
}

/* ---- under which key ---- */

/* MCX-31, MCX-7 */
static void nothing_leaves_without_a_musik(void **state)
{
    (void)state;
    cell *c = cell_new(2);
    assert_int_equal(send_floor(c, T0), POC_E_STATE);
    assert_int_equal(send_media(c, T0), POC_E_STATE);
    wire_mcx_air_announce(c->air, T0);
    wire_mcx_air_gate(c->air, T0, true);
    wire_mcx_air_gate(c->air, T0, false);
    wire_mcx_air_tick(c->air, T0 + 100000);
    wire_mcx_air_unmap(c->air, T0);
    assert_int_equal(wire_mcx_air_deadline(c->air), INT64_MAX);
    assert_int_equal(c->count, 0);
    assert_int_equal(wire_mcx_air_look(c->air).musik_id, 0);
    cell_free(c);
}

/* MCX-7, MCX-13 */
static void floor_control_leaves_as_srtcp_under_the_musik(void **state)
{
    (void)state;
    cell *c = cell_new(0);
    mcx_srtcp *s = receiver_of(NORTH);
    give(c, T0, NORTH);
    for (uint32_t i = 0; i < 3; i++) {
        mcx_srtcp_view view;
        assert_int_equal(send_floor(c, T0), POC_OK);
        const datagram *d = &c->heard[c->taken];
        assert_int_equal(d->n, sizeof(taken) + MCX_SRTCP_OVERHEAD);
        assert_int_equal(mcx_srtcp_look(&view, poc_span_of(d->b, d->n)), POC_OK);
        assert_int_equal(view.key_id, NORTH);
        assert_int_equal(view.index, i);
        assert_null(memmem(d->b, d->n, "sip:a@mc", 8));
        hear_taken(c, s);
    }
    assert_int_equal(wire_mcx_air_look(c->air).floor_packets, 3);
    mcx_srtcp_free(s);
    cell_free(c);
}

/* MCX-8 */
static void the_key_of_one_channel_does_not_open_another(void **state)
{
    (void)state;
    cell *north = cell_new(0), *south = cell_new(0);
    mcx_srtcp *s = receiver_of(SOUTH);
    datagram clear;
    give(north, T0, NORTH);
    give(south, T0, SOUTH);
    assert_int_equal(send_floor(north, T0), POC_OK);
    assert_int_equal(send_floor(south, T0), POC_OK);
    datagram *d = next(north);
    assert_int_equal(open_with(s, d, &clear), POC_E_INPUT); /* another MKI */
    d->b[d->n - 1] = SOUTH & 0xff;
    assert_int_equal(open_with(s, d, &clear), POC_E_AUTH); /* and with that forged, another key */
    hear_taken(south, s);
    mcx_srtcp_free(s);
    cell_free(north);
    cell_free(south);
}

/* MCX-9, MCX-2: one key for what is of the group and for what is of the bearer; there is neither an MKFC nor an MSCCK. */
static void one_musik_protects_floor_control_and_mappings(void **state)
{
    (void)state;
    cell *c = cell_new(2);
    mcx_srtcp *s = receiver_of(NORTH);
    give(c, T0, NORTH);
    assert_int_equal(send_floor(c, T0), POC_OK);
    hear_mcmc(c, s, MCX_MCMC_MAP, two_groups[0]);
    hear_mcmc(c, s, MCX_MCMC_MAP, two_groups[1]);
    hear_taken(c, s);
    assert_int_equal(c->count, c->taken);
    mcx_srtcp_free(s);
    cell_free(c);
}

static void only_a_musik_is_taken_for_one(void **state)
{
    (void)state;
    cell *c = cell_new(0);
    bcast_msk csk = musik_of(0x20000001), unknown = musik_of(0xf0000001), msk = musik_of(NORTH);
    msk.cs_id = 0;
    assert_int_equal(wire_mcx_air_set_musik(c->air, T0, &csk), POC_E_INPUT);
    assert_int_equal(wire_mcx_air_set_musik(c->air, T0, &unknown), POC_E_INPUT);
    assert_int_equal(wire_mcx_air_set_musik(c->air, T0, &msk), POC_E_INPUT);
    assert_int_equal(send_floor(c, T0), POC_E_STATE);
    poc_secret_free(csk.key);
    poc_secret_free(unknown.key);
    poc_secret_free(msk.key);
    cell_free(c);
}

/* ---- the next key ---- */

/* MCX-13 */
static void after_the_switch_the_former_key_opens_nothing(void **state)
{
    (void)state;
    cell *c = cell_new(1);
    mcx_srtcp *former = receiver_of(NORTH), *now = receiver_of(SOUTH);
    datagram clear;
    give(c, T0, NORTH);
    hear_mcmc(c, former, MCX_MCMC_MAP, two_groups[0]);
    give(c, T0 + 10, SOUTH);
    assert_int_equal(send_floor(c, T0 + 10), POC_OK);
    assert_int_equal(open_with(former, &c->heard[c->taken], &clear), POC_E_INPUT);
    hear_mcmc(c, now, MCX_MCMC_MAP, two_groups[0]); /* at once: nobody waits for a repetition */
    hear_taken(c, now);
    assert_int_equal(wire_mcx_air_look(c->air).musik_id, SOUTH);
    mcx_srtcp_free(former);
    mcx_srtcp_free(now);
    cell_free(c);
}

static void the_same_musik_again_is_refused(void **state)
{
    (void)state;
    cell *c = cell_new(0);
    bcast_msk again = musik_of(NORTH), renamed = musik_of(NORTH);
    renamed.id = renamed.csb_id = SOUTH;
    give(c, T0, NORTH);
    assert_int_equal(wire_mcx_air_set_musik(c->air, T0, &again), POC_E_STATE);
    assert_int_equal(wire_mcx_air_set_musik(c->air, T0, &renamed), POC_E_STATE);
    assert_int_equal(wire_mcx_air_look(c->air).musik_id, NORTH);
    poc_secret_free(again.key);
    poc_secret_free(renamed.key);
    cell_free(c);
}

/* ---- media ---- */

/* MCX-30 */
static void media_passes_untouched(void **state)
{
    (void)state;
    cell *c = cell_new(0);
    give(c, T0, NORTH);
    assert_int_equal(send_media(c, T0), POC_OK);
    const datagram *d = next(c);
    assert_int_equal(d->flow, BCAST_FLOW_RTP);
    assert_int_equal(d->n, sizeof(media));
    assert_memory_equal(d->b, media, sizeof(media));
    cell_free(c);
}

/* MCX-7 */
static void a_control_packet_among_the_media_is_refused(void **state)
{
    (void)state;
    cell *c = cell_new(0);
    uint8_t too_long[BCAST_PACKET_MAX + 1] = { 0x80, 99 };
    give(c, T0, NORTH);
    const poc_span clear = poc_span_of(taken, sizeof(taken));
    assert_int_equal(wire_mcx_air_send(c->air, T0, BCAST_FLOW_RTP, clear), POC_E_INPUT);
    assert_int_equal(wire_mcx_air_send(c->air, T0, BCAST_FLOW_STKM, clear), POC_E_INPUT);
    assert_int_equal(wire_mcx_air_send(c->air, T0, BCAST_FLOW_FLOOR, poc_span_of(media, sizeof(media))), POC_E_INPUT);
    assert_int_equal(wire_mcx_air_send(c->air, T0, BCAST_FLOW_FLOOR, poc_span_of(taken, 7)), POC_E_INPUT);
    assert_int_equal(wire_mcx_air_send(c->air, T0, BCAST_FLOW_FLOOR, poc_span_of(taken, 20)), POC_E_INPUT);
    assert_int_equal(wire_mcx_air_send(c->air, T0, BCAST_FLOW_RTP, poc_span_of(media, 11)), POC_E_INPUT);
    assert_int_equal(wire_mcx_air_send(c->air, T0, BCAST_FLOW_RTP, poc_span_of(too_long, sizeof(too_long))),
                     POC_E_LIMIT);
    too_long[1] = 204;
    assert_int_equal(wire_mcx_air_send(c->air, T0, BCAST_FLOW_FLOOR, poc_span_of(too_long, sizeof(too_long))),
                     POC_E_LIMIT);
    assert_int_equal(c->count, 0);
    cell_free(c);
}

/* ---- the gate ---- */

/* MCX-13: who was expelled has the former key, and hears nothing of what was held. */
static void what_the_gate_held_comes_under_the_next_musik(void **state)
{
    (void)state;
    cell *c = cell_new(1);
    mcx_srtcp *former = receiver_of(NORTH), *now = receiver_of(SOUTH);
    give(c, T0, NORTH);
    hear_mcmc(c, former, MCX_MCMC_MAP, two_groups[0]);
    wire_mcx_air_gate(c->air, T0, true);
    assert_int_equal(send_floor(c, T0), POC_OK);
    assert_int_equal(send_media(c, T0), POC_OK);
    assert_int_equal(wire_mcx_air_deadline(c->air), INT64_MAX);
    wire_mcx_air_tick(c->air, T0 + 60000);
    wire_mcx_air_announce(c->air, T0 + 60000);
    assert_int_equal(c->count, c->taken);
    give(c, T0 + 60000, SOUTH);
    hear_mcmc(c, now, MCX_MCMC_MAP, two_groups[0]);
    hear_taken(c, now);
    assert_memory_equal(next(c)->b, media, sizeof(media));
    assert_int_equal(c->count, c->taken);
    mcx_srtcp_free(former);
    mcx_srtcp_free(now);
    cell_free(c);
}

static void the_gate_holds_no_more_than_it_may(void **state)
{
    (void)state;
    cell *c = cell_new(0);
    give(c, T0, NORTH);
    wire_mcx_air_gate(c->air, T0, true);
    for (int i = 0; i < 6; i++)
        assert_int_equal(send_media(c, T0), POC_OK);
    assert_int_equal(c->count, 0);
    wire_mcx_air_gate(c->air, T0, false);
    assert_int_equal(c->count, 4);
    const wire_mcx_air_stats stats = wire_mcx_air_look(c->air);
    assert_int_equal(stats.held_packets, 6);
    assert_int_equal(stats.dropped_packets, 2);
    assert_int_equal(stats.rtp_packets, 4);
    cell_free(c);
}

/* ---- mappings ---- */

static void a_group_is_mapped_again_and_again(void **state)
{
    (void)state;
    cell *c = cell_new(1);
    mcx_srtcp *s = receiver_of(NORTH);
    give(c, T0, NORTH);
    hear_mcmc(c, s, MCX_MCMC_MAP, two_groups[0]);
    assert_int_equal(wire_mcx_air_deadline(c->air), T0 + 5000); /* nobody speaks */
    wire_mcx_air_tick(c->air, T0 + 4999);
    assert_int_equal(c->count, c->taken);
    assert_int_equal(send_media(c, T0 + 4999), POC_OK);
    hear_mcmc(c, s, MCX_MCMC_MAP, two_groups[0]); /* before the first packet after silence */
    assert_memory_equal(next(c)->b, media, sizeof(media));
    for (int64_t i = 1; i <= 60; i++) {
        assert_int_equal(wire_mcx_air_deadline(c->air), T0 + 4999 + 500 * i);
        wire_mcx_air_tick(c->air, T0 + 4999 + 500 * i);
        c->count = c->taken = 0;
    }
    assert_int_equal(wire_mcx_air_look(c->air).map_messages, 2 + 60);
    assert_int_equal(wire_mcx_air_deadline(c->air), T0 + 4999 + 30000 + 5000);
    mcx_srtcp_free(s);
    cell_free(c);
}

static void who_has_just_got_the_key_waits_for_no_repetition(void **state)
{
    (void)state;
    cell *c = cell_new(1);
    give(c, T0, NORTH);
    for (int i = 0; i < 1000; i++) /* many at once ask for one mapping */
        wire_mcx_air_announce(c->air, T0 + 50);
    assert_int_equal(c->count, 1);
    assert_int_equal(wire_mcx_air_deadline(c->air), T0 + 100);
    wire_mcx_air_tick(c->air, T0 + 100);
    assert_int_equal(c->count, 2);
    wire_mcx_air_announce(c->air, T0 + 300);
    assert_int_equal(c->count, 3);
    assert_int_equal(wire_mcx_air_deadline(c->air), T0 + 5300);
    cell_free(c);
}

static void what_goes_off_air_is_unmapped_once(void **state)
{
    (void)state;
    cell *c = cell_new(2);
    mcx_srtcp *s = receiver_of(NORTH);
    give(c, T0, NORTH);
    hear_mcmc(c, s, MCX_MCMC_MAP, two_groups[0]);
    hear_mcmc(c, s, MCX_MCMC_MAP, two_groups[1]);
    wire_mcx_air_unmap(c->air, T0 + 1);
    wire_mcx_air_unmap(c->air, T0 + 2);
    hear_mcmc(c, s, MCX_MCMC_UNMAP, two_groups[0]);
    hear_mcmc(c, s, MCX_MCMC_UNMAP, two_groups[1]);
    assert_int_equal(c->count, c->taken);
    mcx_srtcp_free(s);
    cell_free(c);
}

static void a_picture_is_mapped_as_one(void **state)
{
    (void)state;
    cell *c = cell_new(1);
    bcast_msk musik = musik_of(NORTH);
    const mcx_srtp_context context = { .csb_id = NORTH, .cs_id = 9, .rand = poc_span_of(musik.rand, 16) };
    mcx_srtcp *s;
    datagram clear;
    mcx_mcmc msg;
    musik.cs_id = 9;
    assert_int_equal(mcx_srtcp_new(&s, musik.key, &context, &mcx_aes128_gcm), POC_OK);
    assert_int_equal(wire_mcx_air_set_musik(c->air, T0, &musik), POC_OK);
    assert_int_equal(open_with(s, next(c), &clear), POC_OK);
    assert_int_equal(mcx_mcmc_read(&msg, poc_span_of(clear.b, clear.n), NULL), POC_OK);
    assert_int_equal(msg.service, MCX_MCVIDEO);
    assert_int_equal(msg.video_port, 5000);
    assert_int_equal(msg.floor_port, 5002);
    assert_int_equal(msg.audio_line, 0);
    mcx_srtcp_free(s);
    poc_secret_free(musik.key);
    cell_free(c);
}

static void what_cannot_be_mapped_is_no_channel(void **state)
{
    (void)state;
    char long_name[MCX_GROUP_MAX + 2];
    memset(long_name, 'g', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    const char *const nameless[] = { "sip:a@b", "" }, *const endless[] = { long_name };
    cell *c = cell_new(0);
    wire_mcx_air_settings never = wire_mcx_air_defaults;
    wire_mcx_air *air;
    bcast_channel channel = c->channel;
    const bcast_carrier carrier = { on_air, c };
    channel.groups = nameless;
    channel.group_count = 2;
    assert_int_equal(wire_mcx_air_new(&air, &wire_mcx_air_defaults, &channel, carrier, &c->rng), POC_E_INPUT);
    assert_null(air);
    channel.groups = endless;
    channel.group_count = 1;
    assert_int_equal(wire_mcx_air_new(&air, &wire_mcx_air_defaults, &channel, carrier, &c->rng), POC_E_INPUT);
    never.map_idle_ms = 0;
    assert_int_equal(wire_mcx_air_new(&air, &never, &c->channel, carrier, &c->rng), POC_E_INPUT);
    cell_free(c);
}

/* ---- where to listen ---- */

/* MCX-4 */
static void where_to_listen_is_told_without_a_key(void **state)
{
    (void)state;
    char text[WIRE_MCX_SDP_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    cell *c = cell_new(0);
    assert_int_equal(poc_addr_parse(&c->channel.source, poc_span_str("192.0.2.1"), 0), POC_OK);
    assert_int_equal(wire_mcx_sdp_write(&wr, MCX_MCPTT, &c->channel), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(text, "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 232.1.1.1/16\r\nt=0 0\r\n"
                              "a=source-filter: incl IN IP4 232.1.1.1 192.0.2.1\r\n"
                              "m=application 5002 udp MCPTT\r\na=recvonly\r\n"
                              "m=audio 5000 RTP/AVP 99\r\na=rtpmap:99 AMR-WB/16000\r\na=recvonly\r\n");
    assert_null(strstr(text, "key-mgmt"));
    assert_null(strstr(text, "crypto"));
    wr = poc_wr_into(text, sizeof(text));
    memset(&c->channel.source, 0, sizeof(c->channel.source));
    assert_int_equal(poc_addr_parse(&c->channel.group, poc_span_str("ff3e::8000:1"), 0), POC_OK);
    assert_int_equal(wire_mcx_sdp_write(&wr, MCX_MCVIDEO, &c->channel), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_non_null(strstr(text, "c=IN IP6 ff3e::8000:1\r\n"));
    assert_non_null(strstr(text, "m=application 5002 udp MCVideo\r\n"));
    assert_non_null(strstr(text, "m=video 5000 RTP/AVP 99\r\n"));
    assert_null(strstr(text, "source-filter"));
    wr = poc_wr_into(text, 100);
    assert_int_equal(wire_mcx_sdp_write(&wr, MCX_MCPTT, &c->channel), POC_E_LIMIT);
    cell_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_leaves_without_a_musik),
        cmocka_unit_test(floor_control_leaves_as_srtcp_under_the_musik),
        cmocka_unit_test(the_key_of_one_channel_does_not_open_another),
        cmocka_unit_test(one_musik_protects_floor_control_and_mappings),
        cmocka_unit_test(only_a_musik_is_taken_for_one),
        cmocka_unit_test(after_the_switch_the_former_key_opens_nothing),
        cmocka_unit_test(the_same_musik_again_is_refused),
        cmocka_unit_test(media_passes_untouched),
        cmocka_unit_test(a_control_packet_among_the_media_is_refused),
        cmocka_unit_test(what_the_gate_held_comes_under_the_next_musik),
        cmocka_unit_test(the_gate_holds_no_more_than_it_may),
        cmocka_unit_test(a_group_is_mapped_again_and_again),
        cmocka_unit_test(who_has_just_got_the_key_waits_for_no_repetition),
        cmocka_unit_test(what_goes_off_air_is_unmapped_once),
        cmocka_unit_test(a_picture_is_mapped_as_one),
        cmocka_unit_test(what_cannot_be_mapped_is_no_channel),
        cmocka_unit_test(where_to_listen_is_told_without_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
