/* The reader of XML: its bounds, its refusals, and that what is written is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/xml.h"

enum { E_ROOT = 1, E_KEY };

typedef struct heard {
    char text[1024];
    size_t keys;
} heard;

static void key_close(poc_xml *x, poc_span text)
{
    heard *h = poc_xml_user(x);
    h->keys++;
    assert_true(text.n < sizeof(h->text));
    memcpy(h->text, text.p, text.n);
    h->text[text.n] = '\0';
}

static bool is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    (void)x;
    (void)uri;
    return poc_span_eq_str(name, row->name);
}

static const poc_xml_row rows[] = {
    { "root", POC_XML_TOP, E_ROOT, NULL, NULL },
    { "key", E_ROOT, E_KEY, NULL, key_close },
};

static poc_err read_by(heard *h, size_t text_max, bool holds_keys, const char *xml, const char **why)
{
    const poc_xml_reader reader = { .rows = rows,
                                    .row_count = POC_COUNT(rows),
                                    .is_row = is_row,
                                    .foreign_root = "foreign",
                                    .octets_max = 4096,
                                    .depth_max = 4,
                                    .text_max = text_max,
                                    .holds_keys = holds_keys };
    memset(h, 0, sizeof(*h));
    return poc_xml_read(&reader, h, poc_span_str(xml), why);
}

static void a_text_is_read_up_to_the_bound_of_its_reader_and_not_beyond(void **state)
{
    heard h;
    const char *why;
    (void)state;
    assert_int_equal(read_by(&h, 4, false, "<root><key>abcd</key></root>", &why), POC_OK);
    assert_string_equal(h.text, "abcd");
    assert_int_equal(read_by(&h, 4, false, "<root><key>abcde</key></root>", &why), POC_E_LIMIT);
    assert_string_equal(why, "text too long");
    assert_int_equal(h.keys, 0);
}

static void keys_of_257_octets_are_read_in_hex_from_locked_memory(void **state)
{
    heard h;
    const char *why;
    char xml[1024], hex[515];
    (void)state;
    memset(hex, 'a', 514);
    hex[514] = '\0';
    poc_wr wr = poc_wr_into(xml, sizeof(xml));
    poc_wr_fmt(&wr, "<root>\n<key>\n%s\n</key></root>", hex);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_int_equal(read_by(&h, 520, true, xml, &why), POC_OK);
    assert_string_equal(h.text, hex);
}

static void a_document_many_times_as_long_as_a_text_is_read_whole(void **state)
{
    heard h;
    const char *why;
    char xml[6000];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        poc_wr wr = poc_wr_into(xml, sizeof(xml));
        poc_wr_fmt(&wr, "<root>");
        for (size_t k = 0; k < 120; k++)
            poc_wr_fmt(&wr, "<key>%03zu</key><skip a=\"b\"/>", k);
        poc_wr_fmt(&wr, "</root>");
        assert_int_equal(poc_wr_text(&wr), POC_OK);
        assert_int_equal(read_by(&h, 3, i == 1, xml, &why), POC_OK);
        assert_int_equal(h.keys, 120);
        assert_string_equal(h.text, "119");
    }
}

static void what_is_not_one_plain_document_is_refused(void **state)
{
    static const struct {
        const char *xml, *why;
        poc_err err;
    } rows_of[] = {
        { "", "empty document", POC_E_INPUT },
        { "<other/>", "foreign", POC_E_INPUT },
        { "<root><key>a</root>", "not well-formed XML", POC_E_INPUT },
        { "<root/><root/>", "not well-formed XML", POC_E_INPUT },
        { "<root><key>&no;</key></root>", "not well-formed XML", POC_E_INPUT },
        { "<!DOCTYPE root [<!ENTITY a \"b\">]><root><key>&a;</key></root>", "DOCTYPE is not allowed", POC_E_INPUT },
        { "<!DOCTYPE root SYSTEM \"file:///etc/passwd\"><root/>", "DOCTYPE is not allowed", POC_E_INPUT },
        { "<root><a><a><a><a/></a></a></a></root>", "nested too deep", POC_E_LIMIT },
    };
    (void)state;
    for (size_t i = 0; i < 2 * POC_COUNT(rows_of); i++) {
        heard h;
        const char *why;
        const size_t row = i / 2;
        assert_int_equal(read_by(&h, 64, i % 2 == 1, rows_of[row].xml, &why), rows_of[row].err);
        assert_string_equal(why, rows_of[row].why);
        assert_int_equal(h.keys, 0);
    }
}

static void text_that_is_written_is_read_again(void **state)
{
    heard h;
    const char *why;
    char xml[256];
    (void)state;
    poc_wr wr = poc_wr_into(xml, sizeof(xml));
    poc_wr_fmt(&wr, "<root>");
    poc_xml_put_element(&wr, "key", poc_span_str("a<b>&\"c' ]]>"));
    poc_wr_fmt(&wr, "</root>");
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_int_equal(read_by(&h, 64, true, xml, &why), POC_OK);
    assert_string_equal(h.text, "a<b>&\"c' ]]>");
}

static void only_utf_8_of_characters_that_xml_has_is_text(void **state)
{
    static const char *const bad[] = { "a\tb", "\x7f", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xef\xbf\xbf", "\xff" };
    (void)state;
    assert_true(poc_xml_is_text(poc_span_str("sip:j\xc3\xb6rg@example.org \xf0\x9f\x94\x91")));
    for (size_t i = 0; i < POC_COUNT(bad); i++)
        assert_false(poc_xml_is_text(poc_span_str(bad[i])));
    assert_false(poc_xml_is_text(poc_span_of("", 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_read_up_to_the_bound_of_its_reader_and_not_beyond),
        cmocka_unit_test(keys_of_257_octets_are_read_in_hex_from_locked_memory),
        cmocka_unit_test(a_document_many_times_as_long_as_a_text_is_read_whole),
        cmocka_unit_test(what_is_not_one_plain_document_is_refused),
        cmocka_unit_test(text_that_is_written_is_read_again),
        cmocka_unit_test(only_utf_8_of_characters_that_xml_has_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
