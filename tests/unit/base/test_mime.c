/* Bodies of several parts: what a client puts into one REGISTER, and what a broken or hostile one sends instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mime.h"

#define MIXED "multipart/mixed;boundary=b"

static void assert_text(poc_span got, const char *expected)
{
    assert_int_equal(got.n, strlen(expected));
    assert_memory_equal(got.p, expected, got.n);
}

static poc_err take(poc_parts *out, const char *content_type, const char *body)
{
    return poc_parts_read(out, poc_span_str(content_type), poc_span_str(body), NULL);
}

static void a_body_that_is_not_multipart_is_the_only_part(void **state)
{
    (void)state;
    poc_parts parts;
    assert_int_equal(take(&parts, "application/mikey ; q=1", "abc"), POC_OK);
    assert_int_equal(parts.count, 1);
    assert_text(parts.part[0].type, "application/mikey");
    assert_text(parts.part[0].body, "abc");
}

static void parts_keep_every_octet_between_their_delimiters(void **state)
{
    (void)state;
    poc_parts parts;
    static const char body[] =
        "preamble\r\n--b\r\nContent-Type: application/mikey;a=b\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        "\x01\x1a \r\n--bx\r\n\n \r\n--b\t\r\nContent-ID: <2>\r\nContent-Transfer-Encoding:\r\n base64\r\n\r\nARoF"
        "\r\n--b--\r\nepilogue";
    poc_span raw = poc_span_of(body, sizeof(body) - 1);
    assert_int_equal(poc_parts_read(&parts, poc_span_str("Multipart/Mixed; charset=\"x\" ;boundary=\"b\""), raw, NULL),
                     POC_OK);
    assert_int_equal(parts.count, 2);
    assert_text(parts.part[0].type, "application/mikey");
    assert_text(parts.part[0].body, "\x01\x1a \r\n--bx\r\n\n ");
    assert_false(parts.part[0].is_base64);
    assert_text(parts.part[1].type, "text/plain");
    assert_text(parts.part[1].id, "<2>");
    assert_true(parts.part[1].is_base64);
    assert_text(parts.part[1].body, "ARoF");
}

static void a_part_may_be_empty(void **state)
{
    (void)state;
    poc_parts parts;
    assert_int_equal(take(&parts, MIXED, "--b\r\n\r\n\r\n--b--"), POC_OK);
    assert_int_equal(parts.count, 1);
    assert_int_equal(parts.part[0].body.n, 0);
}

static void a_part_is_found_by_its_type_in_any_case(void **state)
{
    (void)state;
    poc_parts parts;
    assert_int_equal(take(&parts, MIXED, "--b\r\nContent-Type: Application/MIKEY\r\n\r\nx\r\n--b--\r\n"), POC_OK);
    assert_ptr_equal(poc_part_of(&parts, "application/mikey"), &parts.part[0]);
    assert_null(poc_part_of(&parts, "application/sdp"));
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    uint8_t room[512], binary[256];
    poc_parts parts;
    for (size_t i = 0; i < sizeof(binary); i++)
        binary[i] = (uint8_t)(255 - i);
    poc_part in[2] = {
        { .type = poc_span_str("application/mikey"), .body = poc_span_of(binary, sizeof(binary)) },
        { .type = poc_span_str("text/xml"), .id = poc_span_str("<i>"), .body = poc_span_str("<a/>\r\n") }
    };
    poc_wr wr = poc_wr_into(room, sizeof(room));
    assert_int_equal(poc_parts_write(&wr, "b0undary", in, 2), POC_OK);
    assert_int_equal(
        poc_parts_read(&parts, poc_span_str("multipart/mixed;boundary=b0undary"), poc_span_of(room, wr.len), NULL),
        POC_OK);
    assert_int_equal(parts.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(poc_span_eq(parts.part[i].type, in[i].type));
        assert_true(poc_span_eq(parts.part[i].id, in[i].id));
        assert_true(poc_span_eq(parts.part[i].body, in[i].body));
    }
}

static void a_boundary_that_occurs_in_a_part_is_not_written(void **state)
{
    (void)state;
    uint8_t room[256];
    poc_part part = { .type = poc_span_str("a/b"), .body = poc_span_str("xx--b--") };
    poc_wr wr = poc_wr_into(room, sizeof(room));
    assert_int_equal(poc_parts_write(&wr, "b", &part, 1), POC_E_INPUT);
}

static void a_broken_body_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *content_type, *body, *reason;
    } rows[] = {
        { "multipart/mixed", "--b\r\n\r\nx\r\n--b--", "multipart without a usable boundary" },
        { "multipart/mixed;boundary=", "", "multipart without a usable boundary" },
        { "multipart/mixed;boundary=\"b", "", "multipart without a usable boundary" },
        { MIXED, "", "no part in the multipart body" },
        { MIXED, "--b--", "no part in the multipart body" },
        { MIXED, "--b\r\n\r\nx", "a part without closing delimiter" },
        { MIXED, "--b\r\n\r\nx\r\n--b\r\n\r\ny", "a part without closing delimiter" },
        { MIXED, "--b\r\nContent-Type: a/b\r\nx\r\n--b--", "the header of a part is malformed" },
        { MIXED, "--b\r\nno colon\r\n\r\nx\r\n--b--", "the header of a part is malformed" },
        { MIXED, "--b\r\nContent-Transfer-Encoding: rot13\r\n\r\nx\r\n--b--", "the header of a part is malformed" },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        poc_parts parts;
        poc_fault fault;
        poc_err err = poc_parts_read(&parts, poc_span_str(rows[i].content_type), poc_span_str(rows[i].body), &fault);
        assert_int_equal(err, POC_E_INPUT);
        assert_string_equal(fault.reason, rows[i].reason);
    }
}

static void more_parts_than_the_bound_are_refused(void **state)
{
    (void)state;
    char body[2048] = "--b";
    for (size_t i = 0; i < POC_PARTS_MAX + 1; i++)
        strcat(body, "\r\n\r\nx\r\n--b");
    strcat(body, "--");
    poc_parts parts;
    assert_int_equal(take(&parts, MIXED, body), POC_E_LIMIT);
}

static void a_body_cut_anywhere_is_refused_or_lacks_nothing(void **state)
{
    (void)state;
    static const char body[] = "--b\r\nContent-Type: application/mikey\r\n\r\n\x01\x1a\x05\r\n--b\r\n\r\nx\r\n--b--";
    for (size_t n = 0; n < sizeof(body) - 1; n++) {
        poc_parts parts;
        assert_int_equal(poc_parts_read(&parts, poc_span_str(MIXED), poc_span_of(body, n), NULL), POC_E_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_is_not_multipart_is_the_only_part),
        cmocka_unit_test(parts_keep_every_octet_between_their_delimiters),
        cmocka_unit_test(a_part_may_be_empty),
        cmocka_unit_test(a_part_is_found_by_its_type_in_any_case),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_boundary_that_occurs_in_a_part_is_not_written),
        cmocka_unit_test(a_broken_body_is_refused_with_a_reason),
        cmocka_unit_test(more_parts_than_the_bound_are_refused),
        cmocka_unit_test(a_body_cut_anywhere_is_refused_or_lacks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
