/* Memory that fails while the key management service serves, and inside libxml2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/oom.h"
#include "tests/unit/wire/desk.h"

#define REGISTER_BODY                                                                                \
    "<mbmsSecurityRegister><serviceID>" DESK_FIRE "</serviceID><serviceID>" DESK_LIST "</serviceID>" \
    "</mbmsSecurityRegister>"
#define MSK_BODY "<mskRequest><MSK><keyDomainID>APEQ</keyDomainID><MSKID>EAEAAA==</MSKID></MSK></mskRequest>"

/* Without memory a client is told to come later, or one of its items is. */
static poc_err served(desk *d, desk_user *u, const char *target, const char *body)
{
    POC_TRY(desk_ask(d, u, target, desk_type(target), body));
    bool later = d->answer.status != 200 || memmem(d->answer.body, d->answer.body_len, "503", 3) != NULL;
    return later ? POC_E_NOMEM : desk_run(d);
}

static poc_err work(void *ctx)
{
    desk *d = ctx;
    POC_TRY(desk_new(d));
    poc_err err = served(d, &d->alice, DESK_REGISTER, REGISTER_BODY);
    if (err == POC_OK)
        err = served(d, &d->alice, DESK_MSK, MSK_BODY);
    desk_done(d);
    return err;
}

static void serving_survives_every_failed_allocation(void **state)
{
    (void)state;
    static desk d;
    oom_report report;
    if (!oom_every_allocation(work, &d, &report))
        fail_msg("run %zu ended in %s with %zu secrets left", report.runs, poc_err_name(report.err),
                 report.secrets_left);
    assert_true(report.runs > 20);
}

/* A refusal for want of memory changes nothing, and the same request is served when there is memory again. */
static void who_was_told_to_come_later_is_served_later(void **state)
{
    (void)state;
    static desk d;
    for (size_t n = 1;; n++) {
        assert_int_equal(desk_new(&d), POC_OK);
        oom_arm(n);
        (void)desk_ask(&d, &d.alice, DESK_REGISTER, desk_type(DESK_REGISTER), REGISTER_BODY);
        bool failed = oom_disarm();
        assert_true(d.answer.status == 200 || d.answer.status == 503 || d.answer.status == 401);
        assert_int_equal(desk_run(&d), POC_OK);
        assert_int_equal(served(&d, &d.alice, DESK_REGISTER, REGISTER_BODY), POC_OK);
        assert_int_equal(d.pushed_msk, DESK_FIRE_MSK + 0x10000); /* the list's came last */
        desk_done(&d);
        assert_int_equal(poc_secret_live_count(), 0);
        if (!failed)
            break;
    }
}

static poc_err read_register(void *ctx)
{
    static wire_mbms_body body;
    const char *why;
    (void)ctx;
    poc_err err = wire_mbms_read(&body, WIRE_MBMS_REGISTER, WIRE_MBMS_REQUEST, poc_span_str(REGISTER_BODY), &why);
    return err != POC_OK || body.count == 2 ? err : POC_E_BUG;
}

/* libxml2 takes its memory through our failing allocator here: a body is read whole, or the client comes again. */
static void a_parser_without_memory_is_no_bad_body(void **state)
{
    (void)state;
    oom_report report;
    if (!oom_every_allocation(read_register, NULL, &report))
        fail_msg("run %zu: %s", report.runs, poc_err_name(report.err));
    assert_true(report.runs > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serving_survives_every_failed_allocation),
        cmocka_unit_test(who_was_told_to_come_later_is_served_later),
        cmocka_unit_test(a_parser_without_memory_is_no_bad_body),
    };
    if (!oom_xml_begin())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    oom_xml_end();
    return failed;
}
