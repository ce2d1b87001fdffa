/* The SIP shell in the less travelled ways: a core that vouches, session timers, requests carried through, offers and
 * answers that cross, connections that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/io/now.h"
#include "tests/unit/io/sip_world.h"

static const world_options over_udp = { .transport = "udp" }, over_tcp = { .transport = "tcp" };
static const world_options registered = { .transport = "udp", .auth = SIP_AUTH_REGISTERED };

static const poc_span mikey = { (const uint8_t *)"a MIKEY message", 15 };

static void offer(world *w, uint64_t number, uint32_t timeout_ms)
{
    assert_int_equal(sip_offer(w->session, number, POCPF_OFFER_OPEN, mikey, timeout_ms), POC_OK);
}

/* ---- the core vouches ---- */

/* POC-5, POC-21 */
static void vouched_user_without_gba_context_comes_up_on_unicast_and_the_log_says_why(void **state)
{
    (void)state;
    world w;
    world_start(&w, &registered);
    core_invite(&w, WORLD_ALICE, "P-Asserted-Identity: <" WORLD_ALICE ">");
    assert_true(world_wait_status(&w, &w.core));
    assert_int_equal(w.core.status, 200);
    assert_true(world_wait(&w, &w.ups, 1));
    assert_string_equal(sip_session_user(w.session), WORLD_ALICE);
    assert_string_equal(w.cf.asserted, "<" WORLD_ALICE ">");
    assert_int_equal(w.authenticated, 0);
    assert_int_equal(w.refusals, 1);
    assert_int_equal(w.refusal_kind, POC_E_AUTH);
    assert_string_equal(w.refusal, "stays on unicast: no bootstrapped user (GBA) has this identity");
    world_stop(&w);
}

static void vouched_user_of_a_group_without_a_channel_is_no_news(void **state)
{
    (void)state;
    world w;
    world_start(&w, &registered);
    w.no_channel = true;
    core_invite(&w, WORLD_ALICE, "P-Asserted-Identity: <" WORLD_ALICE ">");
    assert_true(world_wait(&w, &w.ups, 1));
    assert_null(sip_session_channel(w.session));
    assert_int_equal(w.refusals, 0);
    world_stop(&w);
}

/* POC-5 */
static void vouched_user_with_gba_context_is_authenticated(void **state)
{
    (void)state;
    gba_zn_answer answer = { .expires_s = io_now_ms() / 1000 + 3600, .impu_count = 1 };
    world w;
    world_start(&w, &registered);
    answer.me_key = poc_secret_ref(w.ks_naf);
    (void)snprintf(answer.impi, sizeof(answer.impi), "alice@home1.example");
    (void)snprintf(answer.impus[0], sizeof(answer.impus[0]), WORLD_ALICE);
    assert_int_equal(gba_naf_learn(w.naf, io_now_ms() / 1000, poc_span_str(WORLD_BTID), &answer), POC_OK);
    gba_zn_answer_done(&answer);
    core_invite(&w, WORLD_ALICE, "P-Asserted-Identity: <" WORLD_ALICE ">");
    assert_true(world_wait(&w, &w.ups, 1));
    assert_int_equal(w.authenticated, 1);
    assert_int_equal(w.refusals, 0);
    world_stop(&w);
}

static void core_that_asserts_nobody_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = { NULL, "P-Asserted-Identity: <mailto:alice@home1.example>",
                                           "P-Asserted-Identity: ,,," };
    world w;
    world_start(&w, &registered);
    for (size_t i = 0; i < POC_COUNT(headers); i++) {
        core_invite(&w, WORLD_ALICE, headers[i]);
        assert_true(world_wait_status(&w, &w.core));
        assert_int_equal(w.core.status, 403);
        assert_string_equal(w.refusal, "the core asserts no identity");
    }
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vouched_user_without_gba_context_comes_up_on_unicast_and_the_log_says_why),
        cmocka_unit_test(vouched_user_of_a_group_without_a_channel_is_no_news),
        cmocka_unit_test(vouched_user_with_gba_context_is_authenticated),
        cmocka_unit_test(core_that_asserts_nobody_is_refused),
    };
    (void)offer, (void)over_udp, (void)over_tcp;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
