/* conference-info documents of the digest "PoC", 3.7, and what a hostile notifier might send instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pf/wire/wire.h"

#define NS     "urn:ietf:params:xml:ns:conference-info"
#define ENTITY "entity=\"sip:sess-77@cf.home1.example\""

static const char full[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<conference-info xmlns=\"" NS "\"\n    " ENTITY " state=\"full\" version=\"1\">\n"
    "  <conference-description><subject>team</subject></conference-description>\n"
    "  <conference-state><user-count>3</user-count></conference-state>\n"
    "  <users>\n"
    "    <user entity=\"sip:alice@home1.example\"><endpoint entity=\"sip:alice@198.51.100.21\">\n"
    "      <status>connected</status><joining-method>dialed-in</joining-method></endpoint></user>\n"
    "    <user entity=\"sip:bob@home2.example\"><endpoint entity=\"sip:bob@198.51.100.22\">\n"
    "      <status>connected</status><joining-method>dialed-out</joining-method></endpoint></user>\n"
    "    <user entity=\"sip:carol@home2.example\"><endpoint entity=\"sip:carol@198.51.100.23\">\n"
    "      <status>connected</status><joining-method>dialed-out</joining-method></endpoint></user>\n"
    "  </users>\n</conference-info>\n";

#define PARTIAL(method, by)                                                           \
    "<conference-info xmlns=\"" NS "\" " ENTITY " state=\"partial\" version=\"2\">\n" \
    "  <conference-state><user-count>2</user-count></conference-state>\n"             \
    "  <users state=\"partial\">\n"                                                   \
    "    <user entity=\"sip:bob@home2.example\" state=\"partial\">\n"                 \
    "      <endpoint entity=\"sip:bob@198.51.100.22\" state=\"full\">\n"              \
    "        <status>disconnected</status>\n"                                         \
    "        <disconnection-method>" method "</disconnection-method>\n"               \
    "        <disconnection-info><when>2026-01-02T10:00:00Z</when>\n"                 \
    "          <reason>Reason: SIP;cause=200;text=\"Expelled\"</reason>\n"            \
    "          " by "</disconnection-info>\n"                                         \
    "      </endpoint></user></users>\n</conference-info>\n"

static wire_conference *read_ok(const char *xml)
{
    wire_conference *c;
    const char *why;
    assert_int_equal(wire_conference_read(&c, poc_span_str(xml), &why), POC_OK);
    return c;
}

static void assert_refused(poc_span xml, poc_err err, const char *expected)
{
    wire_conference *c;
    const char *why;
    assert_int_equal(wire_conference_read(&c, xml, &why), err);
    assert_null(c);
    assert_string_equal(why, expected);
}

/* POC-14: a document parses into what the engine classifies. */
static void full_document_lists_every_user_and_endpoint(void **state)
{
    (void)state;
    POC_OWNED(wire_conference, c, wire_conference_free);
    c = read_ok(full);
    const pocpf_conference *d = wire_conference_document(c);
    assert_int_equal(d->size, sizeof(*d));
    assert_int_equal(d->state, POCPF_CONF_FULL);
    assert_int_equal(d->version, 1);
    assert_true(d->has_users);
    assert_true(d->has_user_count);
    assert_int_equal(d->user_count, 3);
    assert_int_equal(d->user_count_listed, 3);
    assert_string_equal(d->users[0].entity, "sip:alice@home1.example");
    assert_string_equal(d->users[2].entity, "sip:carol@home2.example");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(d->users[i].state, POCPF_CONF_FULL);
        assert_int_equal(d->users[i].endpoint_count, 1);
        assert_int_equal(d->users[i].endpoints[0].status, POCPF_CONF_CONNECTED);
        assert_int_equal(d->users[i].endpoints[0].disconnection_method, POCPF_CONF_METHOD_ABSENT);
    }
    assert_string_equal(d->users[1].endpoints[0].entity, "sip:bob@198.51.100.22");
}

/* POC-14: booted, departed and failed, and by whom, reach the engine as they stood. */
static void partial_document_says_who_went_how_and_by_whom(void **state)
{
    (void)state;
    static const struct {
        const char *xml;
        pocpf_conf_method method;
        const char *by;
    } rows[] = {
        { PARTIAL("booted", "<by>sip:alice@home1.example</by>"), POCPF_CONF_BOOTED, "sip:alice@home1.example" },
        { PARTIAL("departed", ""), POCPF_CONF_DEPARTED, NULL },
        { PARTIAL("departed", "<by> sip:alice@home1.example\n</by>"), POCPF_CONF_DEPARTED, "sip:alice@home1.example" },
        { PARTIAL("failed", ""), POCPF_CONF_FAILED, NULL },
        { PARTIAL("busy", "<by></by>"), POCPF_CONF_BUSY, NULL },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        POC_OWNED(wire_conference, c, wire_conference_free);
        c = read_ok(rows[i].xml);
        const pocpf_conference *d = wire_conference_document(c);
        assert_int_equal(d->state, POCPF_CONF_PARTIAL);
        assert_int_equal(d->users_state, POCPF_CONF_PARTIAL);
        assert_int_equal(d->version, 2);
        assert_int_equal(d->user_count_listed, 1);
        assert_int_equal(d->users[0].state, POCPF_CONF_PARTIAL);
        const pocpf_conf_endpoint *e = &d->users[0].endpoints[0];
        assert_int_equal(e->state, POCPF_CONF_FULL);
        assert_int_equal(e->status, POCPF_CONF_DISCONNECTED);
        assert_int_equal(e->disconnection_method, rows[i].method);
        if (rows[i].by == NULL)
            assert_null(e->disconnected_by);
        else
            assert_string_equal(e->disconnected_by, rows[i].by);
    }
}

/* POC-14 */
static void state_is_full_when_absent_even_inside_a_partial_document(void **state)
{
    (void)state;
    POC_OWNED(wire_conference, c, wire_conference_free);
    c = read_ok("<conference-info xmlns=\"" NS "\" " ENTITY " state=\"partial\" version=\"9\"><users state=\"partial\">"
                "<user entity=\"a\"/><user entity=\"b\" state=\"deleted\"/>"
                "<user entity=\"c\" state=\"partial\"><endpoint entity=\"c1\" state=\"deleted\"/></user>"
                "</users></conference-info>");
    const pocpf_conference *d = wire_conference_document(c);
    assert_int_equal(d->user_count_listed, 3);
    assert_int_equal(d->users[0].state, POCPF_CONF_FULL);
    assert_int_equal(d->users[0].endpoint_count, 0);
    assert_int_equal(d->users[1].state, POCPF_CONF_DELETED);
    assert_int_equal(d->users[2].endpoints[0].state, POCPF_CONF_DELETED);
    assert_false(d->has_user_count);
}

/* POC-14: any prefix will do when the URI is right, and comments or foreign elements change nothing. */
static void prefixes_comments_and_foreign_elements_do_not_matter(void **state)
{
    (void)state;
    POC_OWNED(wire_conference, c, wire_conference_free);
    c = read_ok(
        "<!-- hello --><ci:conference-info xmlns:ci=\"" NS "\" xmlns:x=\"urn:x\" entity=\"sip:g@x\" version=\"7\""
        " x:state=\"deleted\"><x:users><ci:users/><x:user entity=\"no\"/></x:users>"
        "<ci:users><x:user entity=\"no\"/><!-- c --><ci:user entity=\"sip:a&amp;b@x\"><ci:endpoint entity=\"e\">"
        "<x:status>booted</x:status><ci:status>conn<!-- -->ected</ci:status>"
        "<ci:media id=\"1\"><ci:status>sendrecv</ci:status></ci:media></ci:endpoint></ci:user></ci:users>"
        "</ci:conference-info>");
    const pocpf_conference *d = wire_conference_document(c);
    assert_int_equal(d->state, POCPF_CONF_FULL);
    assert_int_equal(d->user_count_listed, 1);
    assert_string_equal(d->users[0].entity, "sip:a&b@x");
    assert_int_equal(d->users[0].endpoints[0].status, POCPF_CONF_CONNECTED);
}

static void ended_conference_needs_no_users(void **state)
{
    (void)state;
    POC_OWNED(wire_conference, c, wire_conference_free);
    c = read_ok("<conference-info xmlns=\"" NS "\" " ENTITY " state=\"deleted\" version=\"4294967295\"/>");
    const pocpf_conference *d = wire_conference_document(c);
    assert_int_equal(d->state, POCPF_CONF_DELETED);
    assert_int_equal(d->version, UINT32_MAX);
    assert_false(d->has_users);
}

#define ROOT(attrs, inner) "<conference-info xmlns=\"" NS "\" " attrs ">" inner "</conference-info>"

static void malformed_documents_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *why;
    } rows[] = {
        { "", "empty document" },
        { "garbage", "not well-formed XML" },
        { "<conference-info version=\"1\"/>", "not a conference-info document" },
        { "<conference-info xmlns=\"urn:other\" version=\"1\"/>", "not a conference-info document" },
        { "<users xmlns=\"" NS "\"/>", "not a conference-info document" },
        { ROOT("version=\"1\"", "<users>"), "not well-formed XML" },
        { ROOT("", ""), "no version" },
        { ROOT("version=\"4294967296\"", ""), "version is not an unsignedInt" },
        { ROOT("version=\"-1\"", ""), "version is not an unsignedInt" },
        { ROOT("version=\"1\" state=\"half\"", ""), "unknown state" },
        { ROOT("version=\"1\"", "<users/><users/>"), "users twice" },
        { ROOT("version=\"1\"", "<users><user/></users>"), "user or endpoint without entity" },
        { ROOT("version=\"1\"", "<users><user entity=\"a\"><endpoint/></user></users>"),
          "user or endpoint without entity" },
        { ROOT("version=\"1\"", "<users><user entity=\"a\"><endpoint entity=\"b\"><status>gone</status></endpoint>"
                                "</user></users>"),
          "unknown endpoint status" },
        { ROOT("version=\"1\"", "<users><user entity=\"a\"><endpoint entity=\"b\"><disconnection-method>x"
                                "</disconnection-method></endpoint></user></users>"),
          "unknown disconnection-method" },
        { ROOT("version=\"1\"", "<conference-state><user-count>many</user-count></conference-state>"),
          "user-count is not a number" },
        { ROOT("version=\"1\"", "<users><user entity=\"&who;\"/></users>"), "not well-formed XML" },
        { ROOT("version=\"1\"", "") "<more/>", "not well-formed XML" },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        assert_refused(poc_span_str(rows[i].xml), POC_E_INPUT, rows[i].why);
}

static void doctypes_and_entities_are_refused_before_they_cost_anything(void **state)
{
    (void)state;
    static const char *const bombs[] = {
        "<!DOCTYPE conference-info>" ROOT("version=\"1\"", ""),
        "<!DOCTYPE conference-info SYSTEM \"file:///etc/passwd\">" ROOT("version=\"1\"", ""),
        "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
        "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>" ROOT("version=\"1\"",
                                                                "<users><user entity=\"&c;\"/></users>"),
        "<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" ROOT("version=\"1\"", "&x;"),
    };
    for (size_t i = 0; i < POC_COUNT(bombs); i++)
        assert_refused(poc_span_str(bombs[i]), POC_E_INPUT, "DOCTYPE is not allowed");
}

static void depth_is_bounded(void **state)
{
    (void)state;
    static const char head[] = "<conference-info xmlns=\"" NS "\" version=\"1\">";
    char xml[512];
    for (unsigned depth = 16; depth <= 17; depth++) {
        wire_conference *c;
        const char *why;
        int n = snprintf(xml, sizeof(xml), "%s", head);
        for (unsigned i = 1; i < depth; i++)
            n += snprintf(xml + n, sizeof(xml) - (size_t)n, "<x>");
        for (unsigned i = 1; i < depth; i++)
            n += snprintf(xml + n, sizeof(xml) - (size_t)n, "</x>");
        n += snprintf(xml + n, sizeof(xml) - (size_t)n, "</conference-info>");
        assert_int_equal(wire_conference_read(&c, poc_span_str(xml), &why), depth == 16 ? POC_OK : POC_E_LIMIT);
        wire_conference_free(c);
    }
}

static void size_is_bounded(void **state)
{
    (void)state;
    const size_t max = 1024 * 1024;
    static const char doc[] = ROOT("version=\"1\"", "");
    char *xml = malloc(max + 1);
    assert_non_null(xml);
    memset(xml, ' ', max + 1);
    memcpy(xml, doc, sizeof(doc) - 1);
    wire_conference *c;
    const char *why;
    assert_int_equal(wire_conference_read(&c, poc_span_of(xml, max), &why), POC_OK);
    wire_conference_free(c);
    assert_refused(poc_span_of(xml, max + 1), POC_E_LIMIT, "document too large");
    free(xml);
}

static void text_of_one_element_is_bounded(void **state)
{
    (void)state;
    char xml[2048];
    char by[600];
    memset(by, 'x', sizeof(by) - 1);
    by[sizeof(by) - 1] = '\0';
    snprintf(xml, sizeof(xml),
             ROOT("version=\"1\"", "<users><user entity=\"a\"><endpoint entity=\"b\">"
                                   "<disconnection-info><by>%s</by></disconnection-info></endpoint>"
                                   "</user></users>"),
             by);
    assert_refused(poc_span_str(xml), POC_E_LIMIT, "text too long");
}

static void many_users_keep_their_own_endpoints(void **state)
{
    (void)state;
    const size_t users = 500, cap = 100 * 1024;
    char *xml = malloc(cap);
    assert_non_null(xml);
    size_t n = (size_t)snprintf(xml, cap, "<conference-info xmlns=\"" NS "\" version=\"1\"><users>");
    for (size_t i = 0; i < users; i++)
        n += (size_t)snprintf(xml + n, cap - n,
                              "<user entity=\"u%zu\"><endpoint entity=\"%zu-a\"/><endpoint entity=\"%zu-b\"/></user>",
                              i, i, i);
    snprintf(xml + n, cap - n, "</users></conference-info>");
    POC_OWNED(wire_conference, c, wire_conference_free);
    c = read_ok(xml);
    const pocpf_conference *d = wire_conference_document(c);
    assert_int_equal(d->user_count_listed, users);
    for (size_t i = 0; i < users; i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "%zu-b", i);
        assert_int_equal(d->users[i].endpoint_count, 2);
        assert_string_equal(d->users[i].endpoints[1].entity, expected);
    }
    free(xml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_document_lists_every_user_and_endpoint),
        cmocka_unit_test(partial_document_says_who_went_how_and_by_whom),
        cmocka_unit_test(state_is_full_when_absent_even_inside_a_partial_document),
        cmocka_unit_test(prefixes_comments_and_foreign_elements_do_not_matter),
        cmocka_unit_test(ended_conference_needs_no_users),
        cmocka_unit_test(malformed_documents_are_refused_with_a_reason),
        cmocka_unit_test(doctypes_and_entities_are_refused_before_they_cost_anything),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(text_of_one_element_is_bounded),
        cmocka_unit_test(many_users_keep_their_own_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
