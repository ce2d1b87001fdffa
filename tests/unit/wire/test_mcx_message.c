/* Bodies of MESSAGEs to mission critical clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mime.h"
#include "pf/wire/wire.h"

#define ALICE_ID   "sip:alice@mcptt.example.org"
#define NORTH_TMGI "\x00\x00\x01\x62\xf2\x10"

static const poc_part *part_of(poc_parts *parts, const char *content_type, const poc_wr *body, const char *type)
{
    assert_int_equal(poc_parts_read(parts, poc_span_str(content_type), poc_span_of(body->buf, body->len), NULL),
                     POC_OK);
    return poc_part_of(parts, type);
}

/* MCX-26 */
static void a_download_names_its_user_and_carries_the_message_octet_by_octet(void **state)
{
    static const uint8_t message[] = { 1, 26, 5, '\r', '\n', 0, ' ', '\r', '\n' };
    char type[WIRE_MCX_CONTENT_TYPE_MAX];
    uint8_t room[4096];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    poc_parts parts;
    static wire_mcx_info info;
    const char *why;
    (void)state;
    assert_int_equal(
        wire_mcx_download_write(&wr, type, MCX_MCPTT, ALICE_ID, poc_span_of(message, sizeof(message)), &poc_rng_system),
        POC_OK);
    const poc_part *p = part_of(&parts, type, &wr, "application/mikey");
    assert_int_equal(parts.count, 2);
    assert_int_equal(p->body.n, sizeof(message));
    assert_memory_equal(p->body.p, message, sizeof(message));
    p = poc_part_of(&parts, "application/vnd.3gpp.mcptt-info+xml");
    assert_int_equal(wire_mcx_info_read(&info, MCX_MCPTT, p->body, &(wire_mcx_ring){ NULL, 0 }, &why), POC_OK);
    assert_string_equal(info.request_uri, ALICE_ID);
    poc_wr none = poc_wr_into(room, 20);
    assert_int_equal(wire_mcx_download_write(&none, type, MCX_MCPTT, ALICE_ID, poc_span_of(message, sizeof(message)),
                                             &poc_rng_system),
                     POC_E_LIMIT);
}

/* MCX-4 */
static void an_announcement_has_the_bearer_and_its_description_and_never_a_key(void **state)
{
    static const char sdp[] = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=application 5004 udp MCPTT\r\n";
    static const char *const keys[] = { "a=key-mgmt:mikey AQEFAA==", "A=Crypto:1 AES_CM_128 inline:x", "k=clear:x" };
    wire_mbms_announcement bearer = { .areas = { 7 }, .area_count = 1, .general_purpose_line = 1 };
    char type[WIRE_MCX_CONTENT_TYPE_MAX], text[512];
    uint8_t room[8192];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    poc_parts parts;
    (void)state;
    memcpy(bearer.tmgi, NORTH_TMGI, sizeof(bearer.tmgi));
    assert_int_equal(
        wire_mcx_announcement_write(&wr, type, MCX_MCPTT, ALICE_ID, &bearer, poc_span_str(sdp), &poc_rng_system),
        POC_OK);
    assert_true(poc_span_eq_str(part_of(&parts, type, &wr, "application/sdp")->body, sdp));
    assert_int_equal(parts.count, 3);
    assert_non_null(poc_part_of(&parts, "application/vnd.3gpp.mcptt-mbms-usage-info+xml"));
    wr = poc_wr_into(room, sizeof(room));
    assert_int_equal(
        wire_mcx_announcement_write(&wr, type, MCX_MCVIDEO, NULL, &bearer, poc_span_str(""), &poc_rng_system), POC_OK);
    (void)part_of(&parts, type, &wr, "application/vnd.3gpp.mcvideo-mbms-usage-info+xml");
    assert_int_equal(parts.count, 1);
    for (size_t i = 0; i < POC_COUNT(keys); i++) {
        (void)snprintf(text, sizeof(text), "%s%s\r\n", sdp, keys[i]);
        wr = poc_wr_into(room, sizeof(room));
        assert_int_equal(
            wire_mcx_announcement_write(&wr, type, MCX_MCPTT, NULL, &bearer, poc_span_str(text), &poc_rng_system),
            POC_E_INPUT);
        assert_int_equal(wr.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_download_names_its_user_and_carries_the_message_octet_by_octet),
        cmocka_unit_test(an_announcement_has_the_bearer_and_its_description_and_never_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
