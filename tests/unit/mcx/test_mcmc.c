/* MapGroupToBearer and UnmapGroupToBearer: their octets, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mcx/mcx.h"

/* Written by hand after TS 24.380 8.4. */
static const uint8_t map_octets[] = {
    0x80, 204, 0,    13,  0x0b, 0xad, 0xca, 0xfe, 'M', 'C', 'M',  'C',                   /* length: 14 words - 1 */
    3,    17,  's',  'i', 'p',  ':',  'n',  'o',  'r', 't', 'h',  '@',  'm', 'c', '.',   /* group ... */
    'n',  'e', 't',  't', 0,                                                             /* ... and one of filling */
    1,    6,   0,    0,   1,    0x13, 0xf0, 0x62,                                        /* TMGI */
    0,    14,  0x21, 0,   0,    0,    0x13, 0x8a, 0,   0,   0x13, 0x88, 232, 1,   1,   1 /* subchannel */
};

static mcx_mcmc map_make(void)
{
    return (mcx_mcmc){ .type = MCX_MCMC_MAP,
                       .ssrc = 0x0badcafe,
                       .group = poc_span_str("sip:north@mc.nett"),
                       .has_tmgi = true,
                       .tmgi = { 0, 0, 1, 0x13, 0xf0, 0x62 },
                       .audio_line = 2,
                       .floor_line = 1,
                       .audio_port = 5000,
                       .floor_port = 5002,
                       .address_len = 4,
                       .address = { 232, 1, 1, 1 } };
}

/* The same of a picture, after TS 24.581 9.3. */
static const uint8_t video_octets[] = { 0x80, 204,  0,    13,   0x0b, 0xad, 0xca, 0xfe, 'M',  'C',
                                        'V',  '3',  2,    11,   's',  'i',  'p',  ':',  'v',  '@',
                                        'm',  'c',  '.',  'n',  't',  0,    0,    0, /* group and filling */
                                        0,    26,   0x24, 0x13, 0,    0,    0,    0,    0,    0,
                                        0x13, 0x8a, 0,    0,    0x13, 0x88, 0,    0,    0x13, 0x8c,
                                        0,    0,    0x13, 0x8e, 232,  1,    1,    1 };

static mcx_mcmc video_make(void)
{
    return (mcx_mcmc){ .service = MCX_MCVIDEO,
                       .type = MCX_MCMC_MAP,
                       .ssrc = 0x0badcafe,
                       .group = poc_span_str("sip:v@mc.nt"),
                       .video_line = 2,
                       .audio_line = 4,
                       .floor_line = 1,
                       .fec_line = 3,
                       .floor_port = 5002,
                       .video_port = 5000,
                       .audio_port = 5004,
                       .fec_port = 5006,
                       .address_len = 4,
                       .address = { 232, 1, 1, 1 } };
}

static void assert_same(const mcx_mcmc *a, const mcx_mcmc *b)
{
    assert_int_equal(a->service, b->service);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->video_line << 8 | a->fec_line, b->video_line << 8 | b->fec_line);
    assert_int_equal(a->video_port, b->video_port);
    assert_int_equal(a->fec_port, b->fec_port);
    assert_int_equal(a->ssrc, b->ssrc);
    assert_true(poc_span_eq(a->group, b->group));
    assert_int_equal(a->has_tmgi, b->has_tmgi);
    assert_memory_equal(a->tmgi, b->tmgi, MCX_TMGI_LEN);
    assert_int_equal(a->audio_line << 8 | a->floor_line, b->audio_line << 8 | b->floor_line);
    assert_int_equal(a->audio_port, b->audio_port);
    assert_int_equal(a->floor_port, b->floor_port);
    assert_int_equal(a->address_len, b->address_len);
    assert_memory_equal(a->address, b->address, sizeof(a->address));
}

static size_t write_to(uint8_t out[MCX_MCMC_MAX], const mcx_mcmc *msg)
{
    poc_wr wr = poc_wr_into(out, MCX_MCMC_MAX);
    assert_int_equal(mcx_mcmc_write(&wr, msg), POC_OK);
    return wr.len;
}

static void a_mapping_has_these_octets_and_no_others(void **state)
{
    (void)state;
    uint8_t octets[MCX_MCMC_MAX];
    mcx_mcmc msg = map_make(), read;
    assert_int_equal(write_to(octets, &msg), sizeof(map_octets));
    assert_memory_equal(octets, map_octets, sizeof(map_octets));
    assert_true(mcx_mcmc_is(poc_span_of(map_octets, sizeof(map_octets))));
    assert_int_equal(mcx_mcmc_read(&read, poc_span_of(map_octets, sizeof(map_octets)), NULL), POC_OK);
    assert_same(&read, &msg);
}

static void a_mapping_of_a_picture_has_octets_of_its_own(void **state)
{
    (void)state;
    uint8_t octets[MCX_MCMC_MAX];
    mcx_mcmc msg = video_make(), read;
    assert_int_equal(write_to(octets, &msg), sizeof(video_octets));
    assert_memory_equal(octets, video_octets, sizeof(video_octets));
    assert_int_equal(mcx_mcmc_read(&read, poc_span_of(video_octets, sizeof(video_octets)), NULL), POC_OK);
    assert_same(&read, &msg);
    msg.audio_line = msg.fec_line = 0;
    msg.audio_port = msg.fec_port = 0;
    const size_t n = write_to(octets, &msg);
    assert_int_equal(n, sizeof(video_octets) - 8);
    assert_int_equal(mcx_mcmc_read(&read, poc_span_of(octets, n), NULL), POC_OK);
    assert_same(&read, &msg);
    msg.type = MCX_MCMC_UNMAP;
    assert_int_equal(write_to(octets, &msg), 28);
    assert_memory_equal(octets + 8, "MCV3", 4);
}

static void what_is_written_reads_the_same(void **state)
{
    (void)state;
    char group[MCX_GROUP_MAX];
    memset(group, 'g', sizeof(group));
    for (size_t n = 1; n <= sizeof(group); n++) {
        uint8_t octets[MCX_MCMC_MAX];
        mcx_mcmc msg = map_make(), read;
        msg.group = poc_span_of(group, n);
        msg.has_tmgi = n % 2 == 0;
        if (!msg.has_tmgi)
            memset(msg.tmgi, 0, sizeof(msg.tmgi));
        msg.address_len = n % 3 == 0 ? 16 : 4;
        if (n % 3 == 0)
            memset(msg.address, 0x20, sizeof(msg.address));
        if (n % 5 == 0)
            msg.floor_port = msg.floor_line = 0;
        const size_t len = write_to(octets, &msg);
        assert_int_equal(len % 4, 0);
        assert_int_equal(mcx_mcmc_read(&read, poc_span_of(octets, len), NULL), POC_OK);
        assert_same(&read, &msg);
    }
}

static void the_end_of_a_mapping_says_the_group_alone(void **state)
{
    (void)state;
    uint8_t octets[MCX_MCMC_MAX];
    mcx_mcmc msg = map_make(), read;
    msg.type = MCX_MCMC_UNMAP;
    const size_t n = write_to(octets, &msg);
    assert_int_equal(octets[0], 0x81);
    assert_int_equal(n, 12 + 20);
    assert_int_equal(mcx_mcmc_read(&read, poc_span_of(octets, n), NULL), POC_OK);
    assert_int_equal(read.type, MCX_MCMC_UNMAP);
    assert_true(poc_span_eq_str(read.group, "sip:north@mc.nett"));
}

static void the_first_release_is_understood(void **state)
{
    (void)state;
    uint8_t octets[sizeof(map_octets)];
    mcx_mcmc read;
    memcpy(octets, map_octets, sizeof(octets));
    memcpy(octets + 8, "MCCP", 4);
    octets[12] = 2;
    assert_int_equal(mcx_mcmc_read(&read, poc_span_of(octets, sizeof(octets)), NULL), POC_OK);
    assert_true(poc_span_eq_str(read.group, "sip:north@mc.nett"));
}

static void a_mapping_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(map_octets); n++) {
        mcx_mcmc read;
        uint8_t octets[sizeof(map_octets)];
        memcpy(octets, map_octets, n);
        assert_int_equal(mcx_mcmc_read(&read, poc_span_of(octets, n), NULL), POC_E_INPUT);
        if (n >= 12)
            octets[3] = (uint8_t)(n / 4 - 1); /* also when its header says so */
        assert_int_equal(mcx_mcmc_read(&read, poc_span_of(octets, n), NULL), POC_E_INPUT);
    }
}

typedef struct flaw {
    size_t at;
    uint8_t octet;
} flaw;

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const flaw flaws[] = { { 0, 0x40 },
                                  { 0, 0xa0 },
                                  { 0, 0x82 },
                                  { 1, 203 },
                                  { 3, 14 },
                                  { 8, 'X' },
                                  { 12, 1 } /* no group, and TMGI of 17 octets */,
                                  { 31, 1 } /* filling */,
                                  { 32, 3 } /* a second group */,
                                  { 33, 5 },
                                  { 43, 0x20 } /* IP version 2 */,
                                  { 44, 1 } /* a port of more than 16 bits */,
                                  { 41, 13 } };
    for (size_t i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
        uint8_t octets[sizeof(map_octets)];
        mcx_mcmc read;
        poc_fault fault;
        memcpy(octets, map_octets, sizeof(octets));
        octets[flaws[i].at] = flaws[i].octet;
        if (mcx_mcmc_read(&read, poc_span_of(octets, sizeof(octets)), &fault) != POC_E_INPUT)
            fail_msg("octet %zu as %02x is taken", flaws[i].at, flaws[i].octet);
        assert_non_null(fault.reason);
    }
}

static void what_cannot_be_said_is_not_written(void **state)
{
    (void)state;
    uint8_t octets[MCX_MCMC_MAX];
    poc_wr wr = poc_wr_into(octets, sizeof(octets)), small = poc_wr_into(octets, 20);
    mcx_mcmc msg = map_make();
    msg.group.n = 0;
    assert_int_equal(mcx_mcmc_write(&wr, &msg), POC_E_INPUT);
    msg.group.n = MCX_GROUP_MAX + 1;
    assert_int_equal(mcx_mcmc_write(&wr, &msg), POC_E_INPUT);
    msg = map_make();
    msg.address_len = 5;
    assert_int_equal(mcx_mcmc_write(&wr, &msg), POC_E_INPUT);
    msg = map_make();
    msg.audio_line = 16;
    assert_int_equal(mcx_mcmc_write(&wr, &msg), POC_E_INPUT);
    msg = map_make();
    msg.type = (mcx_mcmc_type)2;
    assert_int_equal(mcx_mcmc_write(&wr, &msg), POC_E_INPUT);
    msg = map_make();
    msg.service = MCX_SERVICES;
    assert_int_equal(mcx_mcmc_write(&wr, &msg), POC_E_INPUT);
    assert_int_equal(wr.len, 0);
    msg = map_make();
    assert_int_equal(mcx_mcmc_write(&small, &msg), POC_E_LIMIT);
}

static void floor_control_is_no_mapping(void **state)
{
    (void)state;
    uint8_t octets[sizeof(map_octets)];
    memcpy(octets, map_octets, sizeof(octets));
    memcpy(octets + 8, "MCPT", 4);
    assert_false(mcx_mcmc_is(poc_span_of(octets, sizeof(octets))));
    assert_false(mcx_mcmc_is(poc_span_of(map_octets, 11)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_has_these_octets_and_no_others),
        cmocka_unit_test(a_mapping_of_a_picture_has_octets_of_its_own),
        cmocka_unit_test(what_is_written_reads_the_same),
        cmocka_unit_test(the_end_of_a_mapping_says_the_group_alone),
        cmocka_unit_test(the_first_release_is_understood),
        cmocka_unit_test(a_mapping_cut_anywhere_is_refused),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(what_cannot_be_said_is_not_written),
        cmocka_unit_test(floor_control_is_no_mapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
