/* RTP headers and Media Burst Control messages as octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bcast/bcast.h"

#define SPAN(array) poc_span_of(array, sizeof(array))

static void rtp_fields_come_back_as_they_were_put(void **state)
{
    (void)state;
    const bcast_rtp put = { 98, true, 0xfffe, 0x01020304, 0xa1a2a3a4, poc_span_str("voice") };
    static const uint8_t expected[] = "\x80\xe2\xff\xfe\x01\x02\x03\x04\xa1\xa2\xa3\xa4voice";
    uint8_t buf[64];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    bcast_rtp_put(&wr, &put);
    assert_int_equal(poc_wr_done(&wr), POC_OK);
    assert_int_equal(wr.len, sizeof(expected) - 1);
    assert_memory_equal(buf, expected, wr.len);

    bcast_rtp got;
    assert_int_equal(bcast_rtp_parse(&got, poc_span_of(buf, wr.len)), POC_OK);
    assert_int_equal(got.payload_type, 98);
    assert_true(got.marker);
    assert_int_equal(got.seq, 0xfffe);
    assert_int_equal(got.timestamp, 0x01020304);
    assert_int_equal(got.ssrc, 0xa1a2a3a4);
    assert_true(poc_span_eq_str(got.payload, "voice"));
}

/* Two CSRCs, an extension of one word, then "voice" and three octets of padding. */
static const uint8_t full_rtp[] = { 0xb2, 0x62, 0,    1, 0, 0, 0, 100, 0x11, 0x22, 0x33, 0x44, 1,   1,   1, 1, 2, 2, 2,
                                    2,    0xbe, 0xde, 0, 1, 9, 9, 9,   9,    'v',  'o',  'i',  'c', 'e', 0, 0, 3 };

static void csrcs_extension_and_padding_leave_the_bare_payload(void **state)
{
    (void)state;
    bcast_rtp got;
    assert_int_equal(bcast_rtp_parse(&got, SPAN(full_rtp)), POC_OK);
    assert_true(poc_span_eq_str(got.payload, "voice"));
}

static void rtp_cut_before_its_payload_is_refused(void **state)
{
    (void)state;
    uint8_t packet[sizeof(full_rtp)];
    bcast_rtp got;
    memcpy(packet, full_rtp, sizeof(packet));
    packet[0] &= (uint8_t)~0x20; /* without padding every longer cut is a shorter payload */
    for (size_t n = 0; n < 28; n++)
        assert_int_equal(bcast_rtp_parse(&got, poc_span_of(packet, n)), POC_E_INPUT);
    for (size_t n = 28; n <= sizeof(packet); n++)
        assert_int_equal(bcast_rtp_parse(&got, poc_span_of(packet, n)), POC_OK);
}

static void rtp_with_a_false_version_or_padding_is_refused(void **state)
{
    (void)state;
    uint8_t packet[sizeof(full_rtp)];
    bcast_rtp got;
    memcpy(packet, full_rtp, sizeof(packet));
    packet[sizeof(packet) - 1] = 0;
    assert_int_equal(bcast_rtp_parse(&got, SPAN(packet)), POC_E_INPUT);
    packet[sizeof(packet) - 1] = 9; /* one more than there is behind the extension */
    assert_int_equal(bcast_rtp_parse(&got, SPAN(packet)), POC_E_INPUT);
    packet[sizeof(packet) - 1] = 8;
    assert_int_equal(bcast_rtp_parse(&got, SPAN(packet)), POC_OK);
    assert_int_equal(got.payload.n, 0);
    packet[0] ^= 0xc0;
    assert_int_equal(bcast_rtp_parse(&got, SPAN(packet)), POC_E_INPUT);
}

/* ---- Media Burst Control ---- */

static void every_subtype_comes_back_as_put_and_no_cut_of_it_is_accepted(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < 32; type++) {
        bcast_mbcp put = { .type = type, .ssrc = 0x0f100003, .talker_ssrc = 0x11223344, .reason = 3, .stop_s = 30 };
        put.talker = poc_span_str("sip:alice@example.com");
        uint8_t buf[128];
        poc_wr wr = poc_wr_into(buf, sizeof(buf));
        bcast_mbcp_put(&wr, &put);
        assert_int_equal(poc_wr_done(&wr), POC_OK);
        assert_int_equal(wr.len % 4, 0);

        bcast_mbcp got;
        bool is_taken = type == BCAST_MBCP_TAKEN || type == BCAST_MBCP_TAKEN_ACK;
        bool has_reason = type == BCAST_MBCP_DENY || type == BCAST_MBCP_REVOKE;
        assert_int_equal(bcast_mbcp_parse(&got, poc_span_of(buf, wr.len)), POC_OK);
        assert_int_equal(got.type, type);
        assert_int_equal(got.ssrc, put.ssrc);
        assert_int_equal(got.talker_ssrc, is_taken ? put.talker_ssrc : 0);
        assert_true(poc_span_eq_str(got.talker, is_taken ? "sip:alice@example.com" : ""));
        assert_int_equal(got.reason, has_reason ? 3 : 0);
        assert_int_equal(got.stop_s, type == BCAST_MBCP_GRANTED ? 30 : 0);
        for (size_t n = 0; n < wr.len; n++)
            assert_int_equal(bcast_mbcp_parse(&got, poc_span_of(buf, n)), POC_E_INPUT);
    }
}

/* Also with the RTCP length made to agree: the inner lengths are fences of their own. */
static void a_taken_message_cut_with_an_honest_header_is_refused(void **state)
{
    (void)state;
    bcast_mbcp put = { .type = BCAST_MBCP_TAKEN, .talker = poc_span_str("sip:alice@example.com") }, got;
    uint8_t buf[64];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    bcast_mbcp_put(&wr, &put);
    for (size_t n = 8; n < wr.len; n += 4) {
        buf[3] = (uint8_t)(n / 4 - 1);
        assert_int_equal(bcast_mbcp_parse(&got, poc_span_of(buf, n)), POC_E_INPUT);
    }
}

static void taken_of_another_maker_with_name_and_participants_is_understood(void **state)
{
    (void)state;
    static const uint8_t taken[] = { 0x82, 204,  0,    8,    0, 0, 0,   5,   'P', 'o', 'C', '1',
                                     0x11, 0x22, 0x33, 0x44, 1, 5, 's', 'i', 'p', ':', 'a', 2,
                                     3,    'A',  'n',  'n',  0, 0, 100, 2,   0,   7,   0,   0 };
    bcast_mbcp got;
    assert_int_equal(bcast_mbcp_parse(&got, SPAN(taken)),
                     POC_E_INPUT); /* two octets of filling too many before the TLV */

    static const uint8_t fits[] = { 0x82, 204, 0,   7,   0,   0,   0,   5, 'P', 'o', 'C', '1', 0x11, 0x22, 0x33, 0x44,
                                    1,    5,   's', 'i', 'p', ':', 'a', 2, 3,   'A', 'n', 'n', 100,  2,    0,    7 };
    assert_int_equal(bcast_mbcp_parse(&got, SPAN(fits)), POC_OK);
    assert_true(poc_span_eq_str(got.talker, "sip:a"));
    assert_int_equal(got.talker_ssrc, 0x11223344);
}

static void a_packet_that_is_not_poc1_is_refused(void **state)
{
    (void)state;
    static const uint8_t idle[] = { 0x85, 204, 0, 2, 0, 0, 0, 5, 'P', 'o', 'C', '1' };
    bcast_mbcp got;
    assert_int_equal(bcast_mbcp_parse(&got, SPAN(idle)), POC_OK);
    for (size_t i = 0; i < sizeof(idle); i++) {
        uint8_t other[sizeof(idle)];
        if (i >= 4 && i < 8)
            continue; /* any SSRC will do */
        memcpy(other, idle, sizeof(other));
        other[i] ^= 0x40;
        assert_int_equal(bcast_mbcp_parse(&got, SPAN(other)), POC_E_INPUT);
    }
}

static void filling_that_says_something_is_refused(void **state)
{
    (void)state;
    uint8_t deny[] = { 0x83, 204, 0, 3, 0, 0, 0, 5, 'P', 'o', 'C', '1', 1, 1, 'x', 0 };
    bcast_mbcp got;
    assert_int_equal(bcast_mbcp_parse(&got, SPAN(deny)), POC_OK);
    assert_int_equal(got.reason, 1);
    deny[15] = 1;
    assert_int_equal(bcast_mbcp_parse(&got, SPAN(deny)), POC_E_INPUT);
}

static void rtcp_padding_is_cut_off_in_whole_words_only(void **state)
{
    (void)state;
    uint8_t idle[] = { 0xa5, 204, 0, 3, 0, 0, 0, 5, 'P', 'o', 'C', '1', 0, 0, 0, 4 };
    bcast_mbcp got;
    for (unsigned padding = 0; padding < 256; padding++) {
        idle[15] = (uint8_t)padding;
        assert_int_equal(bcast_mbcp_parse(&got, SPAN(idle)), padding == 4 ? POC_OK : POC_E_INPUT);
    }
}

static void a_taken_message_must_name_its_talker_first(void **state)
{
    (void)state;
    static const uint8_t taken[] = { 0x82, 204, 0, 4, 0, 0, 0, 5, 'P', 'o', 'C', '1', 0, 0, 0, 1, 2, 2, 'A', 'n' };
    bcast_mbcp got;
    assert_int_equal(bcast_mbcp_parse(&got, SPAN(taken)), POC_E_INPUT);
}

static void only_taken_and_idle_concern_everybody(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < 32; type++)
        assert_int_equal(bcast_mbcp_is_for_all(type), type == BCAST_MBCP_TAKEN || type == BCAST_MBCP_IDLE);
}

static void a_talker_longer_than_an_item_can_hold_is_not_written(void **state)
{
    (void)state;
    uint8_t name[256] = { 'x' }, buf[512];
    bcast_mbcp put = { .type = BCAST_MBCP_TAKEN, .talker = SPAN(name) };
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    bcast_mbcp_put(&wr, &put);
    assert_int_equal(poc_wr_done(&wr), POC_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rtp_fields_come_back_as_they_were_put),
        cmocka_unit_test(csrcs_extension_and_padding_leave_the_bare_payload),
        cmocka_unit_test(rtp_cut_before_its_payload_is_refused),
        cmocka_unit_test(rtp_with_a_false_version_or_padding_is_refused),
        cmocka_unit_test(every_subtype_comes_back_as_put_and_no_cut_of_it_is_accepted),
        cmocka_unit_test(a_taken_message_cut_with_an_honest_header_is_refused),
        cmocka_unit_test(taken_of_another_maker_with_name_and_participants_is_understood),
        cmocka_unit_test(a_packet_that_is_not_poc1_is_refused),
        cmocka_unit_test(filling_that_says_something_is_refused),
        cmocka_unit_test(rtcp_padding_is_cut_off_in_whole_words_only),
        cmocka_unit_test(a_taken_message_must_name_its_talker_first),
        cmocka_unit_test(only_taken_and_idle_concern_everybody),
        cmocka_unit_test(a_talker_longer_than_an_item_can_hold_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
