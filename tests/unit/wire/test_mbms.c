/* Bodies of the key management service (digest 4.7): both directions, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/wire/wire.h"
#include "tests/support/vectors.h"

static wire_mbms_body body;
static const char *why;

static poc_err read_as(wire_mbms_procedure procedure, wire_mbms_way way, const char *xml)
{
    return wire_mbms_read(&body, procedure, way, poc_span_str(xml), &why);
}

static void refused(wire_mbms_procedure procedure, const char *xml, poc_err err, const char *reason)
{
    assert_int_equal(read_as(procedure, WIRE_MBMS_REQUEST, xml), err);
    assert_string_equal(why, reason);
}

static void writes(wire_mbms_procedure procedure, wire_mbms_way way, const char *xml)
{
    char text[4096];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_int_equal(wire_mbms_write(&wr, &body, procedure, way), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(text, xml);
}

/* The vectors' own bodies are what we write (digest 9.7). MBMS-3, MBMS-5 */
static void vector_bodies_are_read_and_written_octet_by_octet(void **state)
{
    (void)state;
    json_t *file = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    const json_t *digest = vec_by_id(json_object_get(file, "http_digest"), "ua-msk-request");
    const char *request = vec_text(digest, "entity_body_text");
    const char *response = vec_text(digest, "response_entity_body_text");
    assert_int_equal(read_as(WIRE_MBMS_MSK_REQUEST, WIRE_MBMS_REQUEST, request), POC_OK);
    assert_int_equal(body.count, 1);
    assert_memory_equal(body.items[0].key_domain.b, "\x00\xf1\x10", 3);
    assert_int_equal(body.items[0].msk_id, 0x10010000);
    writes(WIRE_MBMS_MSK_REQUEST, WIRE_MBMS_REQUEST, request);
    assert_int_equal(read_as(WIRE_MBMS_MSK_REQUEST, WIRE_MBMS_RESPONSE, response), POC_OK);
    assert_int_equal(body.items[0].status, 200);
    writes(WIRE_MBMS_MSK_REQUEST, WIRE_MBMS_RESPONSE, response);
    json_decref(file);
}

static void several_services_are_one_request(void **state)
{
    (void)state;
    assert_int_equal(read_as(WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST,
                             "<mbmsSecurityRegister xmlns=\"urn:3GPP:metadata:2005:MBMS:securityRegister\">\n"
                             "<serviceID> sip:fire@cf.example </serviceID>\n"
                             "<serviceID>urn:pocpf:a&amp;b</serviceID></mbmsSecurityRegister>"),
                     POC_OK);
    assert_int_equal(body.count, 2);
    assert_string_equal(body.items[0].service_id, "sip:fire@cf.example");
    assert_string_equal(body.items[1].service_id, "urn:pocpf:a&b");
    body.items[0].status = 200;
    body.items[1].status = 404;
    writes(WIRE_MBMS_REGISTER, WIRE_MBMS_RESPONSE,
           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<mbmsSecurityRegisterResponse "
           "xmlns=\"urn:3GPP:metadata:2005:MBMS:securityRegisterResponse\">\n"
           "  <Response><serviceID>sip:fire@cf.example</serviceID><ResponseCode>200 OK</ResponseCode></Response>\n"
           "  <Response><serviceID>urn:pocpf:a&amp;b</serviceID><ResponseCode>404 Not Found</ResponseCode></Response>\n"
           "</mbmsSecurityRegisterResponse>\n");
}

static void every_document_read_back_is_the_one_written(void **state)
{
    (void)state;
    static const int codes[] = { 200, 403, 404, 503 };
    for (int p = 0; p < WIRE_MBMS_PROCEDURES; p++)
        for (int w = 0; w < 2; w++) {
            char text[WIRE_MBMS_BODY_MAX];
            static wire_mbms_body made;
            memset(&made, 0, sizeof(made));
            made.count = WIRE_MBMS_ITEMS_MAX;
            for (size_t i = 0; i < made.count; i++) {
                wire_mbms_item *item = &made.items[i];
                item->status = w == WIRE_MBMS_RESPONSE ? codes[i % 4] : 0;
                if (p == WIRE_MBMS_MSK_REQUEST) {
                    item->msk_id = (uint32_t)(i * 0x01020305u);
                    item->key_domain.b[2] = (uint8_t)i;
                } else {
                    (void)snprintf(item->service_id, sizeof(item->service_id), "sip:%zu<&>\"'@\xc3\xa4.example", i);
                }
            }
            poc_wr wr = poc_wr_into(text, sizeof(text));
            assert_int_equal(wire_mbms_write(&wr, &made, (wire_mbms_procedure)p, (wire_mbms_way)w), POC_OK);
            assert_int_equal(
                wire_mbms_read(&body, (wire_mbms_procedure)p, (wire_mbms_way)w, poc_span_of(text, wr.len), &why),
                POC_OK);
            assert_int_equal(body.count, made.count);
            assert_memory_equal(body.items, made.items, sizeof(made.items));
        }
}

/* The schemas could not be read: what comes from a foreign UE may differ in prefix, namespace, case and root. */
static void foreign_dress_does_not_matter(void **state)
{
    (void)state;
    static const char *const roots[] = { "mbmsSecurityRegister", "mbmsAuthorizedSecurityRegister", "MBMSREGISTER" };
    char xml[512];
    for (size_t i = 0; i < POC_COUNT(roots); i++) {
        (void)snprintf(xml, sizeof(xml),
                       "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><x:%s xmlns:x=\"urn:other\" a=\"1\">"
                       "<x:extension><deep><serviceID>no</serviceID></deep></x:extension>"
                       "<x:SERVICEID><![CDATA[sip:fire@cf.example]]></x:SERVICEID></x:%s>",
                       roots[i], roots[i]);
        assert_int_equal(read_as(WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST, xml), POC_OK);
        assert_int_equal(body.count, 1);
        assert_string_equal(body.items[0].service_id, "sip:fire@cf.example");
    }
}

static void a_document_of_another_procedure_is_refused(void **state)
{
    (void)state;
    static const char *const wrong = "not the document of this procedure";
    refused(WIRE_MBMS_REGISTER, "<mbmsSecurityDeregister><serviceID>a</serviceID></mbmsSecurityDeregister>",
            POC_E_INPUT, wrong);
    refused(WIRE_MBMS_DEREGISTER, "<mbmsSecurityRegister><serviceID>a</serviceID></mbmsSecurityRegister>", POC_E_INPUT,
            wrong);
    refused(WIRE_MBMS_MSK_REQUEST, "<mbmsSecurityRegister><serviceID>a</serviceID></mbmsSecurityRegister>", POC_E_INPUT,
            wrong);
    refused(WIRE_MBMS_REGISTER, "<mskResponse/>", POC_E_INPUT, wrong);
    refused(WIRE_MBMS_REGISTER, "<r/>", POC_E_INPUT, wrong);
}

static void malformed_xml_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "<mskRequest>",
        "<mskRequest><MSK></mskRequest>",
        "<mskRequest/><mskRequest/>",
        "mskRequest",
        "<mskRequest>&undeclared;</mskRequest>",
        "<mskRequest a='1' a='2'/>",
        "<mskRequest>\x01</mskRequest>",
        "<mskRequest>\xff\xfe</mskRequest>",
    };
    for (size_t i = 0; i < POC_COUNT(broken); i++)
        refused(WIRE_MBMS_MSK_REQUEST, broken[i], POC_E_INPUT, "not well-formed XML");
    refused(WIRE_MBMS_MSK_REQUEST, "", POC_E_INPUT, "empty document");
}

static void a_dtd_is_refused_before_it_is_read(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "<!DOCTYPE mskRequest [<!ENTITY a \"b\">]><mskRequest>&a;</mskRequest>",
        "<!DOCTYPE mskRequest SYSTEM \"file:///etc/passwd\"><mskRequest/>",
        "<!DOCTYPE r [<!ENTITY x SYSTEM \"http://127.0.0.1/\">]><mskRequest>&x;</mskRequest>",
    };
    for (size_t i = 0; i < POC_COUNT(documents); i++)
        refused(WIRE_MBMS_MSK_REQUEST, documents[i], POC_E_INPUT, "DOCTYPE is not allowed");
}

static void bounds_hold(void **state)
{
    (void)state;
    static char xml[WIRE_MBMS_BODY_MAX + 2];
    poc_wr wr = poc_wr_into(xml, sizeof(xml));
    poc_wr_fmt(&wr, "<mbmsSecurityRegister>");
    for (size_t i = 0; i <= WIRE_MBMS_ITEMS_MAX; i++)
        poc_wr_fmt(&wr, "<serviceID>%zu</serviceID>", i);
    poc_wr_fmt(&wr, "</mbmsSecurityRegister>");
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    refused(WIRE_MBMS_REGISTER, xml, POC_E_LIMIT, "too many items");
    refused(WIRE_MBMS_REGISTER, "<Register><a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a></Register>",
            POC_E_LIMIT, "nested too deep");
    refused(WIRE_MBMS_REGISTER, "<Register><a><b><c><d><e><f><g/></f></e></d></c></b></a></Register>", POC_E_INPUT,
            "no item");
    memset(xml, ' ', sizeof(xml));
    xml[WIRE_MBMS_BODY_MAX + 1] = '\0';
    memcpy(xml, "<Register><serviceID>a</serviceID></Register>", 45);
    refused(WIRE_MBMS_REGISTER, xml, POC_E_LIMIT, "document too large");
    xml[WIRE_MBMS_BODY_MAX] = '\0';
    assert_int_equal(read_as(WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST, xml), POC_OK);
}

static void a_service_id_of_255_octets_is_taken_and_one_more_is_not(void **state)
{
    (void)state;
    char xml[1024], id[WIRE_MBMS_SERVICE_MAX + 2];
    memset(id, 'x', sizeof(id));
    id[WIRE_MBMS_SERVICE_MAX + 1] = '\0';
    (void)snprintf(xml, sizeof(xml), "<Register><serviceID>%s</serviceID></Register>", id);
    refused(WIRE_MBMS_REGISTER, xml, POC_E_INPUT, "serviceID is empty, too long, or no URI");
    id[WIRE_MBMS_SERVICE_MAX] = '\0';
    (void)snprintf(xml, sizeof(xml), "<Register><serviceID>%s</serviceID></Register>", id);
    assert_int_equal(read_as(WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST, xml), POC_OK);
    assert_string_equal(body.items[0].service_id, id);
    memset(xml, 0, sizeof(xml));
    (void)snprintf(xml, sizeof(xml), "<Register><serviceID>%s%s%s</serviceID></Register>", id, id, id);
    refused(WIRE_MBMS_REGISTER, xml, POC_E_LIMIT, "text too long");
}

static void items_must_be_whole_and_exact(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *reason;
    } rows[] = {
        { "<mskRequest/>", "no item" },
        { "<mskRequest><MSK><keyDomainID>APEQ</keyDomainID></MSK></mskRequest>", "item without all its parts" },
        { "<mskRequest><MSK><MSKID>EAEAAA==</MSKID></MSK></mskRequest>", "item without all its parts" },
        { "<mskRequest><MSK/></mskRequest>", "item without all its parts" },
        { "<mskRequest><MSK><MSKID>EAEAAA==</MSKID><MSKID>EAEAAA==</MSKID></MSK></mskRequest>",
          "part of an item twice" },
        { "<mskRequest><MSK><MSKID>EAEAAA</MSKID></MSK></mskRequest>", "MSKID is not base64 of 4 octets" },
        { "<mskRequest><MSK><MSKID>EAEAAAAA</MSKID></MSK></mskRequest>", "MSKID is not base64 of 4 octets" },
        { "<mskRequest><MSK><keyDomainID>APE=</keyDomainID></MSK></mskRequest>",
          "keyDomainID is not base64 of 3 octets" },
        { "<mskRequest><MSK><keyDomainID>AP Q</keyDomainID></MSK></mskRequest>",
          "keyDomainID is not base64 of 3 octets" },
        { "<mskRequest><keyDomainID>APEQ</keyDomainID></mskRequest>", "no item" },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        refused(WIRE_MBMS_MSK_REQUEST, rows[i].xml, POC_E_INPUT, rows[i].reason);
    refused(WIRE_MBMS_REGISTER, "<Register><serviceID>a b</serviceID></Register>", POC_E_INPUT,
            "serviceID is empty, too long, or no URI");
    refused(WIRE_MBMS_REGISTER, "<Register><serviceID/></Register>", POC_E_INPUT,
            "serviceID is empty, too long, or no URI");
}

/* libxml2 does not look into CDATA. */
static void a_service_id_is_well_formed_utf_8_of_xml_characters(void **state)
{
    (void)state;
    static const char *const bad[] = { "\xc0\xb2", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "\xff",     "\xef\xbf\xbe", "\xc3",         "\xf0\x9f\x94" };
    static const char *const good[] = { "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\x91", "\xef\xbf\xbd" };
    char xml[256];
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        (void)snprintf(xml, sizeof(xml), "<Register><serviceID><![CDATA[a%s]]></serviceID></Register>", bad[i]);
        assert_int_equal(read_as(WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST, xml), POC_E_INPUT);
    }
    for (size_t i = 0; i < POC_COUNT(good); i++) {
        (void)snprintf(xml, sizeof(xml), "<Register><serviceID>%s</serviceID></Register>", good[i]);
        assert_int_equal(read_as(WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST, xml), POC_OK);
        assert_string_equal(body.items[0].service_id, good[i]);
    }
}

static void a_response_without_a_status_is_refused(void **state)
{
    (void)state;
    static const char *const codes[] = { "", "OK", "20 OK", "2000", "99", "-200 OK" };
    char xml[256];
    assert_int_equal(read_as(WIRE_MBMS_REGISTER, WIRE_MBMS_RESPONSE,
                             "<RegisterResponse><Response><serviceID>a</serviceID></Response></RegisterResponse>"),
                     POC_E_INPUT);
    for (size_t i = 0; i < POC_COUNT(codes); i++) {
        (void)snprintf(xml, sizeof(xml),
                       "<RegisterResponse><Response><serviceID>a</serviceID><ResponseCode>%s</ResponseCode>"
                       "</Response></RegisterResponse>",
                       codes[i]);
        assert_int_equal(read_as(WIRE_MBMS_REGISTER, WIRE_MBMS_RESPONSE, xml), POC_E_INPUT);
        assert_string_equal(why, "ResponseCode is no status code");
    }
    /* the words behind the number are free */
    assert_int_equal(read_as(WIRE_MBMS_DEREGISTER, WIRE_MBMS_RESPONSE,
                             "<RegisterResponse><Response><serviceID>a</serviceID><ResponseCode>404</ResponseCode>"
                             "</Response></RegisterResponse>"),
                     POC_OK);
    assert_int_equal(body.items[0].status, 404);
}

static void nothing_is_written_that_would_not_be_read(void **state)
{
    (void)state;
    char text[256];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    memset(&body, 0, sizeof(body));
    assert_int_equal(wire_mbms_write(&wr, &body, WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST), POC_E_INPUT);
    body.count = 1;
    assert_int_equal(wire_mbms_write(&wr, &body, WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST), POC_E_INPUT);
    strcpy(body.items[0].service_id, "a\nb");
    assert_int_equal(wire_mbms_write(&wr, &body, WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST), POC_E_INPUT);
    strcpy(body.items[0].service_id, "ab");
    body.items[0].status = 299;
    assert_int_equal(wire_mbms_write(&wr, &body, WIRE_MBMS_REGISTER, WIRE_MBMS_RESPONSE), POC_E_INPUT);
    body.items[0].status = 200;
    wr = poc_wr_into(text, 50);
    assert_int_equal(wire_mbms_write(&wr, &body, WIRE_MBMS_REGISTER, WIRE_MBMS_RESPONSE), POC_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_bodies_are_read_and_written_octet_by_octet),
        cmocka_unit_test(several_services_are_one_request),
        cmocka_unit_test(every_document_read_back_is_the_one_written),
        cmocka_unit_test(foreign_dress_does_not_matter),
        cmocka_unit_test(a_document_of_another_procedure_is_refused),
        cmocka_unit_test(malformed_xml_is_refused),
        cmocka_unit_test(a_dtd_is_refused_before_it_is_read),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(a_service_id_of_255_octets_is_taken_and_one_more_is_not),
        cmocka_unit_test(items_must_be_whole_and_exact),
        cmocka_unit_test(a_service_id_is_well_formed_utf_8_of_xml_characters),
        cmocka_unit_test(a_response_without_a_status_is_refused),
        cmocka_unit_test(nothing_is_written_that_would_not_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
