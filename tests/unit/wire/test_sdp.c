/* Session descriptions: what the PF offers octet by octet, and what it takes for an answer. The texts are those of the
 * digest "PoC", section 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/wire/wire.h"

#define FMTP "octet-align=1;mode-set=0,1,2"

static const char example_a[] = "v=0\r\n"
                                "o=alice 3890000001 3890000001 IN IP4 198.51.100.21\r\n"
                                "s=-\r\n"
                                "c=IN IP4 198.51.100.21\r\n"
                                "t=0 0\r\n"
                                "a=bcastversion:1.0\r\n"
                                "m=audio 45200 RTP/AVP 97\r\n"
                                "b=AS:13\r\n"
                                "a=rtpmap:97 AMR/8000\r\n"
                                "a=fmtp:97 " FMTP "\r\n"
                                "a=ptime:160\r\n"
                                "a=sendrecv\r\n"
                                "m=application 45300 udp TBCP\r\n"
                                "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n";

#define EXAMPLE_B_HEAD(version)                   \
    "v=0\r\n"                                     \
    "o=pf 5001 " version " IN IP4 192.0.2.10\r\n" \
    "s=-\r\n"                                     \
    "c=IN IP4 192.0.2.10\r\n"                     \
    "t=0 0\r\n"                                   \
    "a=bcastversion:1.0\r\n"                      \
    "m=audio 30000 RTP/AVP 97\r\n"                \
    "a=rtpmap:97 AMR/8000\r\n"                    \
    "a=fmtp:97 " FMTP "\r\n"                      \
    "a=ptime:160\r\n"                             \
    "a=sendrecv\r\n"                              \
    "m=application 30002 udp TBCP\r\n"            \
    "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n"

#define EXAMPLE_B(version, mikey)                                         \
    EXAMPLE_B_HEAD(version)                                               \
    "m=audio 5004 RTP/SAVP 97\r\n"                                        \
    "c=IN IP4 232.10.0.7/16\r\n"                                          \
    "b=AS:16\r\n"                                                         \
    "b=RR:0\r\n"                                                          \
    "a=source-filter: incl IN IP4 232.10.0.7 192.0.2.50\r\n"              \
    "a=rtpmap:97 AMR/8000\r\n"                                            \
    "a=fmtp:97 " FMTP "\r\n"                                              \
    "a=ptime:160\r\n"                                                     \
    "a=recvonly\r\n"                                                      \
    "a=stkmstream:1\r\n"                                                  \
    "m=application 5006 udp TBCP\r\n"                                     \
    "c=IN IP4 232.10.0.7/16\r\n"                                          \
    "a=source-filter: incl IN IP4 232.10.0.7 192.0.2.50\r\n"              \
    "a=recvonly\r\n"                                                      \
    "a=stkmstream:1\r\n"                                                  \
    "m=data 5008 UDP vnd.oma.bcast.stkm\r\n"                              \
    "c=IN IP4 232.10.0.7/16\r\n"                                          \
    "a=source-filter: incl IN IP4 232.10.0.7 192.0.2.50\r\n"              \
    "a=fmtp:vnd.oma.bcast.stkm streamid=1;kmstype=oma-bcast-gba-mbms\r\n" \
    "a=recvonly\r\n"                                                      \
    "a=key-mgmt:mikey " mikey "\r\n"

static const char example_e[] = EXAMPLE_B_HEAD("4") "m=audio 0 RTP/SAVP 97\r\n"
                                                    "c=IN IP4 232.10.0.7/16\r\n"
                                                    "m=application 0 udp TBCP\r\n"
                                                    "c=IN IP4 232.10.0.7/16\r\n"
                                                    "m=data 0 UDP vnd.oma.bcast.stkm\r\n"
                                                    "c=IN IP4 232.10.0.7/16\r\n";

#define ANSWER_UNICAST                                       \
    "v=0\r\n"                                                \
    "o=alice 3890000001 3890000002 IN IP4 198.51.100.21\r\n" \
    "s=-\r\n"                                                \
    "c=IN IP4 198.51.100.21\r\n"                             \
    "t=0 0\r\n"                                              \
    "m=audio 45200 RTP/AVP 97\r\n"                           \
    "a=rtpmap:97 AMR/8000\r\n"                               \
    "a=sendrecv\r\n"                                         \
    "m=application 45300 udp TBCP\r\n"                       \
    "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n"
#define ANSWER_AUDIO(port, group, direction) \
    "m=audio " port " RTP/SAVP 97\r\n"       \
    "c=IN IP4 " group "\r\n"                 \
    "a=" direction "\r\n"
#define ANSWER_FLOOR                  \
    "m=application 5006 udp TBCP\r\n" \
    "c=IN IP4 232.10.0.7/16\r\n"      \
    "a=recvonly\r\n"
#define ANSWER_STKM                          \
    "m=data 5008 UDP vnd.oma.bcast.stkm\r\n" \
    "c=IN IP4 232.10.0.7/16\r\n"             \
    "a=recvonly\r\n"
#define ANSWER_GOOD ANSWER_UNICAST ANSWER_AUDIO("5004", "232.10.0.7/16", "recvonly") ANSWER_FLOOR ANSWER_STKM

static struct sockaddr_storage address(const char *host, uint16_t port)
{
    struct sockaddr_storage addr;
    assert_int_equal(poc_addr_parse(&addr, poc_span_str(host), port), POC_OK);
    return addr;
}

static bcast_channel channel_of(const char *group, const char *source)
{
    bcast_channel channel = { .id = "dispatch", .ttl = 16, .port = { 5004, 5006, 5008 } };
    channel.group = address(group, 0);
    if (source != NULL)
        channel.source = address(source, 0);
    return channel;
}

static wire_unicast formats(void)
{
    wire_unicast u;
    static const char answer[] = "v=0\r\n"
                                 "o=cf 1 1 IN IP4 192.0.2.99\r\n"
                                 "s=-\r\n"
                                 "c=IN IP4 192.0.2.99\r\n"
                                 "t=0 0\r\n"
                                 "m=audio 40000 RTP/AVP 97\r\n"
                                 "a=rtpmap:97 AMR/8000\r\n"
                                 "a=fmtp:97 " FMTP "\r\n"
                                 "a=ptime:160\r\n"
                                 "a=sendrecv\r\n"
                                 "m=application 40002 udp TBCP\r\n"
                                 "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n";
    assert_int_equal(wire_unicast_read(&u, poc_span_str(answer), NULL), POC_OK);
    return u;
}

/* Writes an offer of the PF at 192.0.2.10 and compares it with `expected`. */
static void assert_offer(const bcast_channel *channel, uint64_t version, poc_span mikey, const char *expected)
{
    char text[4096];
    struct sockaddr_storage audio = address("192.0.2.10", 30000), floor = address("192.0.2.10", 30002);
    wire_local local = { (const struct sockaddr *)&audio, (const struct sockaddr *)&floor, 5001, version };
    wire_unicast u = formats();
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_int_equal(wire_offer_write(&wr, &local, &u, channel, mikey), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(text, expected);
}

static const uint8_t mikey_bytes[] = { 0x01, 0x00, 0x15, 0x00, 0xFF };

/* POC-7: the MSK travels in the offer that opens the channel, in exactly one key-mgmt, on the STKM line. */
static void opening_offer_is_example_b_with_one_key_mgmt_on_the_stkm_line(void **state)
{
    (void)state;
    bcast_channel channel = channel_of("232.10.0.7", "192.0.2.50");
    static const char expected[] = EXAMPLE_B("2", "AQAVAP8=");
    assert_offer(&channel, 2, poc_span_of(mikey_bytes, sizeof(mikey_bytes)), expected);
    poc_sdp sdp;
    poc_span value;
    assert_int_equal(poc_sdp_parse(&sdp, poc_span_str(expected), NULL), POC_OK);
    assert_int_equal(sdp.media_count, 5);
    assert_false(poc_sdp_attr(sdp.lines, "key-mgmt", &value));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(poc_sdp_attr(sdp.media[i].lines, "key-mgmt", &value), i == 4);
}

/* POC-22: a rekey is a new offer; only version and key-mgmt differ. */
static void rekey_offer_differs_in_version_and_key_mgmt_only(void **state)
{
    (void)state;
    bcast_channel channel = channel_of("232.10.0.7", "192.0.2.50");
    assert_offer(&channel, 3, poc_span_of("\x01\x02\x03", 3), EXAMPLE_B("3", "AQID"));
}

static void withdrawing_offer_keeps_five_lines_with_port_0(void **state)
{
    (void)state;
    bcast_channel channel = channel_of("232.10.0.7", "192.0.2.50");
    assert_offer(&channel, 4, (poc_span){ 0 }, example_e);
}

static void ipv6_group_has_no_ttl_and_an_ip6_source_filter(void **state)
{
    (void)state;
    char text[4096];
    bcast_channel channel = channel_of("ff3e::8000:7", "2001:db8::50");
    struct sockaddr_storage audio = address("2001:db8::10", 30000), floor = address("2001:db8::10", 30002);
    wire_local local = { (const struct sockaddr *)&audio, (const struct sockaddr *)&floor, 5001, 2 };
    wire_unicast u = formats();
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_int_equal(wire_offer_write(&wr, &local, &u, &channel, poc_span_of("\1\2\3", 3)), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_non_null(strstr(text, "o=pf 5001 2 IN IP6 2001:db8::10\r\n"));
    assert_non_null(strstr(text, "m=audio 5004 RTP/SAVP 97\r\n"
                                 "c=IN IP6 ff3e::8000:7\r\n"
                                 "b=AS:16\r\n"
                                 "b=RR:0\r\n"
                                 "a=source-filter: incl IN IP6 ff3e::8000:7 2001:db8::50\r\n"));
    assert_null(strstr(text, "8000:7/"));
}

static void group_without_source_has_no_source_filter(void **state)
{
    (void)state;
    char text[4096];
    bcast_channel channel = channel_of("239.1.2.3", NULL);
    struct sockaddr_storage audio = address("192.0.2.10", 30000), floor = address("192.0.2.10", 30002);
    wire_local local = { (const struct sockaddr *)&audio, (const struct sockaddr *)&floor, 5001, 2 };
    wire_unicast u = formats();
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_int_equal(wire_offer_write(&wr, &local, &u, &channel, poc_span_of("\1\2\3", 3)), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_null(strstr(text, "source-filter"));
}

static void offer_that_does_not_fit_says_so(void **state)
{
    (void)state;
    char text[700];
    bcast_channel channel = channel_of("232.10.0.7", "192.0.2.50");
    struct sockaddr_storage audio = address("192.0.2.10", 30000), floor = address("192.0.2.10", 30002);
    wire_local local = { (const struct sockaddr *)&audio, (const struct sockaddr *)&floor, 5001, 2 };
    wire_unicast u = formats();
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_int_equal(wire_offer_write(&wr, &local, &u, &channel, poc_span_of("\1\2\3", 3)), POC_E_LIMIT);
}

/* ---- reading unicast descriptions ---- */

static void clients_offer_is_read_whole(void **state)
{
    (void)state;
    wire_unicast u;
    struct sockaddr_storage audio = address("198.51.100.21", 45200), floor = address("198.51.100.21", 45300);
    assert_int_equal(wire_unicast_read(&u, poc_span_str(example_a), NULL), POC_OK);
    assert_true(poc_addr_eq((struct sockaddr *)&u.audio, (struct sockaddr *)&audio));
    assert_true(poc_addr_eq((struct sockaddr *)&u.floor, (struct sockaddr *)&floor));
    assert_string_equal(u.audio_proto, "RTP/AVP");
    assert_string_equal(u.audio_formats, "97");
    assert_string_equal(u.audio_lines, "b=AS:13\r\na=rtpmap:97 AMR/8000\r\na=fmtp:97 " FMTP "\r\na=ptime:160\r\n");
    assert_string_equal(u.floor_lines, "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n");
    assert_true(u.multicast_capable);
    assert_true(u.plain_order);
    assert_false(u.multicast_refused);
    assert_int_equal(u.direction, POC_SDP_SENDRECV);
    assert_int_equal(u.media_count, 2);
}

static void unicast_description_carries_our_addresses_and_the_peers_formats(void **state)
{
    (void)state;
    wire_unicast u;
    char text[2048];
    struct sockaddr_storage audio = address("192.0.2.10", 31000), floor = address("192.0.2.10", 31002);
    wire_local local = { (const struct sockaddr *)&audio, (const struct sockaddr *)&floor, 7, 1 };
    assert_int_equal(wire_unicast_read(&u, poc_span_str(example_a), NULL), POC_OK);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_int_equal(wire_unicast_write(&wr, &local, &u, false), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(text, "v=0\r\no=pf 7 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
                              "m=audio 31000 RTP/AVP 97\r\nb=AS:13\r\na=rtpmap:97 AMR/8000\r\na=fmtp:97 " FMTP
                              "\r\na=ptime:160\r\na=sendrecv\r\nm=application 31002 udp TBCP\r\n"
                              "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n");
}

#define HEAD "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"

static void bad_unicast_descriptions_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        poc_err err;
    } rows[] = {
        { "", POC_E_INPUT },
        { "m=audio\r\n", POC_E_INPUT },
        { HEAD, POC_E_DENIED },
        { HEAD "m=video 4000 RTP/AVP 96\r\n", POC_E_DENIED },
        { HEAD "m=audio 0 RTP/AVP 97\r\n", POC_E_DENIED },
        { HEAD "m=audio 4000 RTP/AVP 97 x\r\n", POC_E_INPUT },
        { HEAD "m=audio 4000 RTP/AVP 97\r\na=fmtp:97 a\rb\r\n", POC_E_INPUT },
        { HEAD "m=audio 4000 RTP/AVP 97\r\nc=IN IP4 host.example\r\n", POC_E_DENIED },
        { "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 97\r\n", POC_E_INPUT },
        { HEAD "m=audio 5004 RTP/SAVP 97\r\n", POC_E_DENIED },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        wire_unicast u;
        poc_fault fault;
        assert_int_equal(wire_unicast_read(&u, poc_span_str(rows[i].text), &fault), rows[i].err);
        assert_non_null(fault.reason);
    }
}

static void held_audio_has_no_address_but_is_there(void **state)
{
    (void)state;
    wire_unicast u;
    assert_int_equal(wire_unicast_read(&u, poc_span_str(HEAD "m=audio 4000 RTP/AVP 97\r\nc=IN IP4 0.0.0.0\r\n"), NULL),
                     POC_OK);
    assert_int_equal(u.audio.ss_family, 0);
    assert_false(u.multicast_capable);
}

static void other_line_orders_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool plain;
    } rows[] = {
        { HEAD "m=audio 4000 RTP/AVP 97\r\n", true },
        { HEAD "m=application 4002 udp TBCP\r\nm=audio 4000 RTP/AVP 97\r\n", false },
        { HEAD "m=audio 4000 RTP/AVP 97\r\nm=video 4004 RTP/AVP 96\r\n", false },
        { ANSWER_GOOD, true },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        wire_unicast u;
        assert_int_equal(wire_unicast_read(&u, poc_span_str(rows[i].text), NULL), POC_OK);
        assert_int_equal(u.plain_order, rows[i].plain);
    }
}

/* ---- answering the peer's own offers ---- */

static void our_answer_follows_the_offers_lines(void **state)
{
    (void)state;
    char text[4096];
    bcast_channel channel = channel_of("232.10.0.7", "192.0.2.50");
    struct sockaddr_storage audio = address("192.0.2.10", 30000), floor = address("192.0.2.10", 30002);
    wire_local local = { (const struct sockaddr *)&audio, (const struct sockaddr *)&floor, 5001, 2 };
    wire_unicast u = formats();
    static const char offer[] =
        HEAD "m=video 4004 RTP/AVP 96\r\n"
             "m=application 4002 UDP TBCP\r\n"
             "m=audio 4000 RTP/AVP 97 0\r\na=sendonly\r\n" ANSWER_AUDIO("5004", "232.10.0.7/16", "recvonly")
                 ANSWER_AUDIO("5005", "232.10.0.7/16", "recvonly");
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_int_equal(wire_answer_write(&wr, &local, poc_span_str(offer), &u, &channel), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(strstr(text, "m="), "m=video 0 RTP/AVP 96\r\n"
                                            "m=application 30002 udp TBCP\r\n"
                                            "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n"
                                            "m=audio 30000 RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\na=fmtp:97 " FMTP
                                            "\r\na=ptime:160\r\na=recvonly\r\n"
                                            "m=audio 5004 RTP/SAVP 97\r\nc=IN IP4 232.10.0.7/16\r\na=recvonly\r\n"
                                            "m=audio 0 RTP/SAVP 97\r\n");
}

/* ---- checking answers ---- */

static pocpf_answer check(const char *text, poc_span *verification, const char **why)
{
    static uint8_t room[64];
    bcast_channel channel = channel_of("232.10.0.7", "192.0.2.50");
    return wire_answer_check(poc_span_str(text), &channel, NULL, room, sizeof(room), verification, why);
}

static void answer_with_the_offered_lines_is_accepted(void **state)
{
    (void)state;
    poc_span verification;
    const char *why;
    assert_int_equal(check(ANSWER_GOOD, &verification, &why), POCPF_ANSWER_ACCEPTED);
    assert_null(why);
    assert_int_equal(verification.n, 0);
}

static void verification_message_is_decoded(void **state)
{
    (void)state;
    poc_span verification;
    const char *why;
    assert_int_equal(check(ANSWER_GOOD "a=key-mgmt:mikey AQAVAP8=\r\n", &verification, &why), POCPF_ANSWER_ACCEPTED);
    assert_int_equal(verification.n, sizeof(mikey_bytes));
    assert_memory_equal(verification.p, mikey_bytes, sizeof(mikey_bytes));
}

/* POC-21: a client that takes no multicast stays on unicast. */
static void answer_with_port_0_means_unicast(void **state)
{
    (void)state;
    poc_span verification;
    const char *why;
    assert_int_equal(check(ANSWER_UNICAST "m=audio 0 RTP/SAVP 97\r\nm=application 0 udp TBCP\r\n"
                                          "m=data 0 udp vnd.oma.bcast.stkm\r\n",
                           &verification, &why),
                     POCPF_ANSWER_UNICAST);
    assert_non_null(why);
}

static void answers_that_change_the_channel_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "answer is not a session description" },
        { ANSWER_UNICAST, "answer lacks m-lines" },
        { ANSWER_GOOD "m=audio 0 RTP/AVP 0\r\n", "answer has too many m-lines" },
        { ANSWER_UNICAST ANSWER_AUDIO("5004", "232.10.0.8/16", "recvonly") ANSWER_FLOOR ANSWER_STKM,
          "answer has another group" },
        { ANSWER_UNICAST ANSWER_AUDIO("5004", "232.10.0.7/17", "recvonly") ANSWER_FLOOR ANSWER_STKM,
          "answer has another group" },
        { ANSWER_UNICAST ANSWER_AUDIO("5004", "232.10.0.7/16/2", "recvonly") ANSWER_FLOOR ANSWER_STKM,
          "answer has another group" },
        { ANSWER_UNICAST ANSWER_AUDIO("5010", "232.10.0.7/16", "recvonly") ANSWER_FLOOR ANSWER_STKM,
          "answer has another port" },
        { ANSWER_UNICAST ANSWER_AUDIO("5004", "232.10.0.7/16", "sendrecv") ANSWER_FLOOR ANSWER_STKM,
          "answer has another direction" },
        { ANSWER_UNICAST ANSWER_AUDIO("0", "232.10.0.7/16", "recvonly") ANSWER_FLOOR ANSWER_STKM,
          "answer has another port" },
        { ANSWER_UNICAST "m=audio 5004 RTP/SAVP 97\r\na=recvonly\r\n" ANSWER_FLOOR ANSWER_STKM,
          "answer has another group" },
        { ANSWER_UNICAST ANSWER_FLOOR ANSWER_AUDIO("5004", "232.10.0.7/16", "recvonly") ANSWER_STKM,
          "answer has other m-lines than the offer" },
        { ANSWER_GOOD "a=key-mgmt:mikey AQAVAP8\r\n", "key-mgmt of the answer is not base64" },
        { ANSWER_GOOD "a=key-mgmt:mikey \r\n", "key-mgmt of the answer is not base64" },
        { ANSWER_GOOD "a=key-mgmt:sakke AQAVAP8=\r\n", "answer has a key-mgmt other than mikey" },
        { ANSWER_GOOD "a=key-mgmt:mikey AQAV\r\na=key-mgmt:mikey AQAV\r\n", "answer has more than one key-mgmt" },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        poc_span verification;
        const char *why;
        assert_int_equal(check(rows[i].text, &verification, &why), POCPF_ANSWER_WRONG);
        assert_string_equal(why, rows[i].why);
        assert_int_equal(verification.n, 0);
    }
}

static void answer_tells_of_unicast_whatever_becomes_of_its_multicast_lines(void **state)
{
    static const struct {
        const char *text;
        pocpf_answer answer;
        size_t media_count;
    } rows[] = {
        { ANSWER_GOOD, POCPF_ANSWER_ACCEPTED, 5 },
        { ANSWER_UNICAST, POCPF_ANSWER_WRONG, 2 },
        { "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=video 1 RTP/AVP 97\r\n", POCPF_ANSWER_WRONG, 0 },
        { "hello", POCPF_ANSWER_WRONG, 0 },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        uint8_t room[64];
        wire_unicast peer, read;
        poc_span verification;
        const char *why;
        bcast_channel channel = channel_of("232.10.0.7", "192.0.2.50");
        memset(&peer, 0xEE, sizeof(peer));
        assert_int_equal(
            wire_answer_check(poc_span_str(rows[i].text), &channel, &peer, room, sizeof(room), &verification, &why),
            rows[i].answer);
        assert_int_equal(peer.media_count, rows[i].media_count);
        if (rows[i].media_count == 0)
            continue;
        assert_int_equal(wire_unicast_read(&read, poc_span_str(rows[i].text), NULL), POC_OK);
        assert_memory_equal(&peer, &read, sizeof(read));
    }
}

static void clients_own_offer_can_give_up_the_bearer(void **state)
{
    (void)state;
    wire_unicast u;
    assert_int_equal(wire_unicast_read(&u, poc_span_str(ANSWER_GOOD), NULL), POC_OK);
    assert_false(u.multicast_refused);
    assert_int_equal(wire_unicast_read(&u,
                                       poc_span_str(ANSWER_UNICAST "m=audio 0 RTP/SAVP 97\r\n"
                                                                   "m=application 0 udp TBCP\r\n"
                                                                   "c=IN IP4 232.10.0.7/16\r\n"
                                                                   "m=data 0 UDP vnd.oma.bcast.stkm\r\n"),
                                       NULL),
                     POC_OK);
    assert_true(u.multicast_refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_offer_is_example_b_with_one_key_mgmt_on_the_stkm_line),
        cmocka_unit_test(rekey_offer_differs_in_version_and_key_mgmt_only),
        cmocka_unit_test(withdrawing_offer_keeps_five_lines_with_port_0),
        cmocka_unit_test(ipv6_group_has_no_ttl_and_an_ip6_source_filter),
        cmocka_unit_test(group_without_source_has_no_source_filter),
        cmocka_unit_test(offer_that_does_not_fit_says_so),
        cmocka_unit_test(clients_offer_is_read_whole),
        cmocka_unit_test(unicast_description_carries_our_addresses_and_the_peers_formats),
        cmocka_unit_test(bad_unicast_descriptions_are_refused),
        cmocka_unit_test(held_audio_has_no_address_but_is_there),
        cmocka_unit_test(other_line_orders_are_noticed),
        cmocka_unit_test(our_answer_follows_the_offers_lines),
        cmocka_unit_test(answer_with_the_offered_lines_is_accepted),
        cmocka_unit_test(verification_message_is_decoded),
        cmocka_unit_test(answer_with_port_0_means_unicast),
        cmocka_unit_test(answers_that_change_the_channel_are_wrong),
        cmocka_unit_test(answer_tells_of_unicast_whatever_becomes_of_its_multicast_lines),
        cmocka_unit_test(clients_own_offer_can_give_up_the_bearer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
