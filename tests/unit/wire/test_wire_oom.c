/* Memory that fails while a conference document is read. Descriptions need none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/wire/wire.h"
#include "tests/support/oom.h"

enum { USERS = 40 }; /* more than the first piece of memory takes */

typedef struct document {
    char text[16384];
    size_t len;
} document;

static void document_write(document *d)
{
    poc_wr wr = poc_wr_into(d->text, sizeof(d->text));
    poc_wr_fmt(&wr, "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"sip:s@cf.example\" "
                    "state=\"full\" version=\"1\"><users>");
    for (unsigned i = 0; i < USERS; i++)
        poc_wr_fmt(&wr,
                   "<user entity=\"sip:u%u@home.example\"><endpoint entity=\"sip:u%u@198.51.100.1\">"
                   "<status>connected</status></endpoint></user>",
                   i, i);
    poc_wr_fmt(&wr, "</users></conference-info>");
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    d->len = wr.len;
}

static poc_err read_document(void *ctx)
{
    const document *d = ctx;
    POC_OWNED(wire_conference, c, wire_conference_free);
    const char *why;
    POC_TRY(wire_conference_read(&c, poc_span_of(d->text, d->len), &why));
    const pocpf_conference *doc = wire_conference_document(c);
    bool is_whole = doc->user_count_listed == USERS &&
                    strcmp(doc->users[USERS - 1].endpoints[0].entity, "sip:u39@198.51.100.1") == 0;
    return is_whole ? POC_OK : POC_E_BUG;
}

static void a_document_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static document d;
    oom_report report;
    document_write(&d);
    if (!oom_every_allocation(read_document, &d, &report))
        fail_msg("run %zu: %s", report.runs, poc_err_name(report.err));
    assert_true(report.runs > 6);
}

static poc_err read_and_write_descriptions(void *ctx)
{
    static const char offer[] = "v=0\r\no=c 1 1 IN IP4 198.51.100.21\r\ns=-\r\nc=IN IP4 198.51.100.21\r\nt=0 0\r\n"
                                "a=bcastversion:1.0\r\nm=audio 45200 RTP/AVP 0\r\nm=application 45300 udp TBCP\r\n";
    char *room = ctx;
    struct sockaddr_storage audio, floor;
    wire_unicast u;
    poc_wr wr = poc_wr_into(room, 8192);
    bcast_channel channel = { .port = { 5004, 5006, 5008 } };
    POC_TRY(poc_addr_parse(&audio, poc_span_str("192.0.2.10"), 30000));
    POC_TRY(poc_addr_parse(&floor, poc_span_str("192.0.2.10"), 30002));
    const wire_local local = { (struct sockaddr *)&audio, (struct sockaddr *)&floor, 1, 1 };
    POC_TRY(wire_unicast_read(&u, poc_span_of(offer, sizeof(offer) - 1), NULL));
    POC_TRY(wire_unicast_write(&wr, &local, &u, true));
    return wire_answer_write(&wr, &local, poc_span_of(offer, sizeof(offer) - 1), &u, &channel);
}

static void descriptions_need_no_memory(void **state)
{
    (void)state;
    static char room[8192];
    oom_report report;
    assert_true(oom_every_allocation(read_and_write_descriptions, room, &report));
    assert_int_equal(report.runs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_read_whole_or_not_at_all),
        cmocka_unit_test(descriptions_need_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
