/* The whole of GBA with each allocation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/oom.h"
#include "tests/unit/gba/world.h"

static const char uri[] = "/keymanagement";

static poc_err authorize(world *w, const gba_bootstrap *boot, const gba_mbms_keys *keys, poc_wr *authorization)
{
    char challenge[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(challenge, sizeof(challenge));
    gba_ua_client client = { .btid = boot->btid, .mrk = keys->mrk };
    POC_TRY(gba_naf_challenge(w->naf, w->now_s, false, &wr));
    return gba_ua_authorize(&client, poc_span_of(challenge, wr.len), poc_span_str(WORLD_NAF), poc_span_str("POST"),
                            poc_span_str(uri), poc_span_of(NULL, 0), &w->rng, authorization);
}

static poc_err show(world *w, const gba_bootstrap *boot, const gba_mbms_keys *keys)
{
    char text[GBA_HEADER_MAX], info[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text)), out = poc_wr_into(info, sizeof(info));
    gba_naf_user user;
    const char *why;
    POC_TRY(authorize(w, boot, keys, &wr));
    const gba_request request = { poc_span_str("POST"), poc_span_str(uri), poc_span_of(NULL, 0),
                                  poc_span_of(text, wr.len) };
    if (gba_naf_check(w->naf, w->now_s, &request, &user, &why) != GBA_NAF_ASK_ZN)
        return POC_E_BUG;
    POC_TRY(world_learn(w, gba_naf_btid(&request)));
    if (gba_naf_check(w->naf, w->now_s, &request, &user, &why) != GBA_NAF_OK)
        return POC_E_BUG;
    POC_TRY(gba_naf_authentication_info(w->naf, &request, poc_span_of(NULL, 0), &out));
    return poc_secret_eq(user.muk, keys->muk) ? POC_OK : POC_E_BUG;
}

static poc_err bootstrap_and_show(void *ctx)
{
    world *w = ctx;
    gba_bootstrap boot;
    gba_mbms_keys keys = { 0 };
    POC_TRY(world_new(w));
    w->usim.sqn = 100; /* by way of a resynchronisation */
    poc_err err = world_bootstrap(w, WORLD_IMPI, &w->usim, &boot);
    if (err == POC_OK)
        err = world_ue_keys(WORLD_IMPI, &boot, &keys);
    if (err == POC_OK)
        err = show(w, &boot, &keys);
    gba_mbms_keys_done(&keys);
    gba_bootstrap_done(&boot);
    world_done(w);
    return err;
}

static void bootstrap_and_check_survive_every_failed_allocation(void **state)
{
    (void)state;
    world w;
    oom_report report;
    if (!oom_every_allocation(bootstrap_and_show, &w, &report))
        fail_msg("run %zu ended in %s with %zu secrets left", report.runs, poc_err_name(report.err),
                 report.secrets_left);
    assert_true(report.runs > 15); /* the wrapper was in place */
}

/* A book that could not take a user is as it was: the same user can be learned afterwards. */
static void failed_learning_leaves_the_book_usable(void **state)
{
    (void)state;
    world w;
    gba_bootstrap boot;
    gba_naf_user user;
    assert_int_equal(world_new(&w), POC_OK);
    assert_int_equal(world_bootstrap(&w, WORLD_IMPI, &w.usim, &boot), POC_OK);
    poc_err err = POC_E_NOMEM;
    size_t n = 0;
    while (err == POC_E_NOMEM) {
        oom_arm(++n);
        err = world_learn(&w, poc_span_str(boot.btid));
        oom_disarm();
        bool there = gba_naf_by_identity(w.naf, w.now_s, poc_span_str(WORLD_ALICE), &user);
        assert_true(there == (err == POC_OK));
    }
    assert_int_equal(err, POC_OK);
    assert_true(n > 5);
    gba_bootstrap_done(&boot);
    world_done(&w);
    assert_int_equal(poc_secret_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bootstrap_and_check_survive_every_failed_allocation),
        cmocka_unit_test(failed_learning_leaves_the_book_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
