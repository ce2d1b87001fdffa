/* Announcements of bearers: what is read from one, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ue/core/core.h"

#define TYPE "application/vnd.3gpp.mcptt-mbms-usage-info+xml"
#define HEAD "<?xml version=\"1.0\"?><mcptt-mbms-usage-info xmlns=\"urn:3gpp:ns:mcpttMbmsUsage:1.0\">"
#define TAIL "<version>1</version></mcptt-mbms-usage-info>"
#define TMGI "<TMGI>00000762F210</TMGI>"
#define AREAS                                                               \
    "<mbms-service-areas><mbms-service-area-id>0007</mbms-service-area-id>" \
    "<mbms-service-area-id>fF00</mbms-service-area-id></mbms-service-areas>"
#define GOOD \
    HEAD "<announcement>" TMGI "<QCI>65</QCI><frequency>9</frequency>" AREAS "<GPMS>1</GPMS></announcement>" TAIL
#define FLOOR "m=application 6006 udp MCPTT\r\n"
#define AUDIO "m=audio 6004 RTP/AVP 99\r\n"
#define SDP   "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 232.10.0.9/16\r\nt=0 0\r\n"

static ue_mcx_bearer bearer;
static const char *why;

static poc_err read_with(const char *document, const char *sdp)
{
    char body[8192];
    if (sdp == NULL)
        return ue_mcx_announcement_read(&bearer, MCX_MCPTT, poc_span_str(TYPE), poc_span_str(document), &why);
    snprintf(body, sizeof(body),
             "--b\r\nContent-Type: " TYPE "\r\n\r\n%s\r\n--b\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--b--\r\n",
             document, sdp);
    return ue_mcx_announcement_read(&bearer, MCX_MCPTT, poc_span_str("multipart/mixed;boundary=b"), poc_span_str(body),
                                    &why);
}

/* MCX-4 */
static void an_announcement_says_which_bearer_is_where(void **state)
{
    (void)state;
    struct sockaddr_storage group, source;
    assert_int_equal(read_with(GOOD, SDP "a=source-filter: incl IN IP4 * 192.0.2.1\r\n" FLOOR AUDIO), POC_OK);
    assert_null(why);
    assert_memory_equal(bearer.tmgi, "\x00\x00\x07\x62\xf2\x10", 6);
    assert_int_equal(bearer.qci, 65);
    assert_int_equal(bearer.area_count, 2);
    assert_int_equal(bearer.areas[0], 7);
    assert_int_equal(bearer.areas[1], 0xff00);
    assert_true(bearer.has_channel);
    assert_string_equal(bearer.channel.id, "00000762f210");
    assert_int_equal(bearer.channel.ttl, 16);
    assert_int_equal(bearer.channel.port[BCAST_FLOW_FLOOR], 6006);
    assert_int_equal(bearer.channel.port[BCAST_FLOW_RTP], 6004);
    assert_int_equal(bearer.channel.port[BCAST_FLOW_STKM], 0);
    assert_int_equal(poc_addr_parse(&group, poc_span_str("232.10.0.9"), 0), POC_OK);
    assert_int_equal(poc_addr_parse(&source, poc_span_str("192.0.2.1"), 0), POC_OK);
    assert_true(poc_addr_eq((struct sockaddr *)&group, (struct sockaddr *)&bearer.channel.group));
    assert_true(poc_addr_eq((struct sockaddr *)&source, (struct sockaddr *)&bearer.channel.source));
}

static void the_description_may_be_missing_and_so_may_the_number_of_its_line(void **state)
{
    (void)state;
    assert_int_equal(read_with(GOOD, NULL), POC_OK);
    assert_false(bearer.has_channel);
    assert_int_equal(read_with(HEAD "<announcement>" TMGI AREAS "</announcement>" TAIL, SDP AUDIO FLOOR), POC_OK);
    assert_int_equal(bearer.channel.port[BCAST_FLOW_FLOOR], 6006);
    assert_int_equal(read_with(HEAD "<announcement>" TMGI "</announcement>" TAIL, NULL), POC_OK);
    assert_int_equal(bearer.area_count, 0); /* is no more */
    assert_int_equal(read_with(GOOD, SDP FLOOR), POC_OK);
    assert_int_equal(bearer.channel.port[BCAST_FLOW_RTP], 0);
}

static void what_is_no_announcement_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *document, *sdp, *why;
    } cases[] = {
        { "no XML", NULL, NULL },
        { "<!DOCTYPE x [<!ENTITY a \"b\">]>" GOOD, NULL, NULL },
        { HEAD TAIL, NULL, "no announcement, or one without a TMGI" },
        { HEAD "<announcement>" AREAS "</announcement>" TAIL, NULL, "no announcement, or one without a TMGI" },
        { HEAD "<announcement>" TMGI TMGI "</announcement>" TAIL, NULL, "an element twice" },
        { HEAD "<announcement>" TMGI "</announcement><announcement/>" TAIL, NULL, "an element twice" },
        { HEAD "<announcement><TMGI>0762F210</TMGI></announcement>" TAIL, NULL, "TMGI is not hex of 6 octets" },
        { HEAD "<announcement>" TMGI "<QCI>x</QCI></announcement>" TAIL, NULL, "QCI is no number of an octet" },
        { HEAD "<announcement>" TMGI "<GPMS>0</GPMS></announcement>" TAIL, NULL, "GPMS is no number of an m-line" },
        { "<mcvideo-mbms-usage-info xmlns=\"urn:3gpp:ns:mcvideoMbmsUsage:1.0\"/>", NULL,
          "not an mbms-usage-info of this service" },
        { GOOD, "v=0", "malformed description" },
        { GOOD, SDP, "no general purpose subchannel to a group" },
        { GOOD, SDP "m=application 0 udp MCPTT\r\n", "no general purpose subchannel to a group" },
        { GOOD, SDP "m=application 6006 udp MCPTT\r\nc=IN IP4 192.0.2.9\r\n",
          "no general purpose subchannel to a group" },
        { GOOD, SDP "m=application 6006 udp MCPTT\r\nc=IN IP4 232.1.1.1\r\n",
          "no general purpose subchannel to a group" }, /* without a TTL */
        { GOOD, SDP "m=application 6006 udp MCPTT\r\nc=IN IP4 232.1.1.1/1/2\r\n",
          "no general purpose subchannel to a group" },
        { GOOD, SDP FLOOR "m=audio 6006 RTP/AVP 99\r\n", "media to another group than the subchannel, or to its port" },
        { GOOD, SDP FLOOR AUDIO "c=IN IP4 232.1.1.1/16\r\n",
          "media to another group than the subchannel, or to its port" },
        { GOOD, SDP "a=key-mgmt:mikey ARoF\r\n" FLOOR, "the announcement carries a key" },
        { GOOD, SDP FLOOR "a=key-mgmt:mikey ARoF\r\n", "the announcement carries a key" },
        { GOOD, SDP FLOOR AUDIO "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n", "the announcement carries a key" },
        { GOOD, SDP FLOOR "k=clear:x\r\n", "the announcement carries a key" },
    };
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        if (read_with(cases[i].document, cases[i].sdp) != POC_E_INPUT)
            fail_msg("case %zu was taken", i);
        assert_non_null(why);
        if (cases[i].why != NULL)
            assert_string_equal(why, cases[i].why);
    }
}

/* MCX-4: not beside it either. */
static void an_announcement_with_an_i_message_beside_it_is_refused(void **state)
{
    (void)state;
    static const char body[] = "--b\r\nContent-Type: " TYPE "\r\n\r\n" GOOD
                               "\r\n--b\r\nContent-Type: application/mikey\r\n\r\nARoF\r\n--b--\r\n";
    assert_int_equal(ue_mcx_announcement_read(&bearer, MCX_MCPTT, poc_span_str("multipart/mixed;boundary=b"),
                                              poc_span_str(body), &why),
                     POC_E_INPUT);
    assert_string_equal(why, "the announcement carries a key");
}

static void more_areas_than_there_may_be_are_refused(void **state)
{
    (void)state;
    char document[8192];
    poc_wr wr = poc_wr_into(document, sizeof(document));
    poc_wr_fmt(&wr, HEAD "<announcement>" TMGI "<mbms-service-areas>");
    for (unsigned i = 0; i <= UE_MCX_AREAS_MAX; i++)
        poc_wr_fmt(&wr, "<mbms-service-area-id>%04x</mbms-service-area-id>", i);
    poc_wr_fmt(&wr, "</mbms-service-areas></announcement>" TAIL);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_int_equal(read_with(document, NULL), POC_E_LIMIT);
    assert_string_equal(why, "too many service areas");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_announcement_says_which_bearer_is_where),
        cmocka_unit_test(the_description_may_be_missing_and_so_may_the_number_of_its_line),
        cmocka_unit_test(what_is_no_announcement_is_refused),
        cmocka_unit_test(an_announcement_with_an_i_message_beside_it_is_refused),
        cmocka_unit_test(more_areas_than_there_may_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
