/* Memory that fails while the service authorisation desk serves, and while the bodies of MCX are read and written. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/oom.h"
#include "tests/unit/wire/bureau.h"

/* Two services with a key each, encrypted and signed. */
static void pack_two(bureau *b, const bureau_key *mcptt, const bureau_key *video)
{
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, mcptt);
    bureau_put_key(b, video);
    bureau_put_signatures(b, MCX_MCPTT, mcptt);
    bureau_put_info(b, MCX_MCVIDEO, BOB_TOKEN, video);
    bureau_put_key(b, mcptt);
    bureau_pack(b);
}

static bool answer_makes_sense(const bureau *b)
{
    return b->answer.why != NULL && (b->answer.status == 200 || b->answer.status == 503);
}

static void serve_now(bureau *b, size_t failing, bool *has_failed)
{
    oom_arm(failing);
    (void)bureau_serve(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    *has_failed = oom_disarm();
    bureau_run(b);
    assert_true(answer_makes_sense(b));
}

/* He is registered with what he brought, or told that there was no room: when there is, the same request is served. */
static void an_upload_that_found_no_memory_can_be_made_again(void **state)
{
    POC_OWNED(bureau_key, mcptt, bureau_key_free);
    POC_OWNED(bureau_key, video, bureau_key_free);
    bool has_failed = true, again;
    for (size_t n = 1; has_failed; n++) {
        bureau *b = bureau_open(state);
        if (mcptt == NULL) {
            mcptt = bureau_seal(b, &b->o->town->alice, CSK(1), &(bureau_oddity){ .cs_id = 6 });
            video = bureau_seal(b, &b->o->town->bob, CSK(2), &(bureau_oddity){ .cs_id = 8 });
        }
        pack_two(b, mcptt, video);
        serve_now(b, n, &has_failed);
        wire_mcx_user u;
        assert_int_equal(b->answer.status == 200, b->answer.why[0] == '\0');
        if (!wire_mcx_desk_look(b->d, ALICE_IMPU, &u)) {
            bureau_expect_nothing(b, ALICE_IMPU);
            serve_now(b, 0, &again);
            assert_int_equal(b->answer.status, 200);
        }
        if (b->answer.status == 200)
            bureau_expect_in(b, ALICE_IMPU, "all list video");
        bureau_close(b);
        assert_true(n < 1000);
    }
}

/* A refresh, a report, a log-off. */
static void serve_step(bureau *b, size_t step)
{
    bureau_begin(b);
    if (step == 1)
        bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
    bureau_pack(b);
    (void)bureau_serve(b, step == 1 ? WIRE_MCX_MESSAGE : WIRE_MCX_REGISTER, ALICE_IMPU, step == 2 ? 0 : -1);
}

static void whatever_fails_for_want_of_memory_has_changed_nothing_that_cannot_be_done_again(void **state)
{
    for (size_t step = 0; step < 3; step++) {
        bool has_failed = true;
        for (size_t n = 1; has_failed; n++) {
            bureau *b = bureau_open(state);
            bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
            oom_arm(n);
            serve_step(b, step);
            has_failed = oom_disarm();
            assert_true(answer_makes_sense(b));
            serve_step(b, step);
            bureau_run(b);
            assert_int_equal(b->answer.status, 200);
            bureau_expect_in(b, ALICE_IMPU, step == 0 ? "all list" : step == 1 ? "all list north" : "");
            bureau_close(b);
            assert_true(n < 1000);
        }
    }
}

static void the_end_of_a_registration_is_made_up_for_when_there_is_memory_again(void **state)
{
    bool has_failed = true;
    for (size_t n = 1; has_failed; n++) {
        bureau *b = bureau_open(state);
        bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
        b->o->now_ms += (int64_t)BUREAU_EXPIRES_S * 1000;
        oom_arm(n);
        wire_mcx_desk_tick(b->d, b->o->now_ms);
        has_failed = oom_disarm();
        assert_true(!has_failed || wire_mcx_desk_deadline_ms(b->d) <= b->o->now_ms + 2000);
        bureau_pass(b, 2);
        bureau_expect_nothing(b, ALICE_IMPU);
        bureau_close(b);
        assert_true(n < 1000);
    }
}

/* A desk that had to be made, and filled after a restart. */
static poc_err desk_work(void *ctx)
{
    static const wire_mcx_channel c = { "all", MCX_MCPTT, true, false, { 0 } };
    const bureau *b = ctx;
    wire_mcx_desk *d;
    POC_TRY(wire_mcx_desk_new(&d, &b->rules, b->pf));
    poc_err err = wire_mcx_desk_channel(d, b->o->now_ms, &c);
    if (err == POC_OK)
        err = wire_mcx_desk_restored(d, b->o->now_ms);
    wire_mcx_user u;
    if (err == POC_OK && !wire_mcx_desk_look(d, ALICE_IMPU, &u))
        err = POC_E_BUG;
    wire_mcx_desk_free(d);
    return err;
}

static void a_desk_is_made_whole_or_not_at_all(void **state)
{
    bureau *b = bureau_open(state);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    bool holds = true;
    for (size_t n = 1; holds; n++) {
        oom_arm(n);
        const poc_err err = desk_work(b);
        if (!oom_disarm())
            break;
        holds = err == POC_E_NOMEM || err == POC_OK;
    }
    assert_true(holds);
    bureau_close(b);
}

/* ---- the readers and writers by themselves ---- */

static poc_secret *xml_keys[2];
static wire_mcx_keys keys;

static poc_err read_bodies(void *ctx)
{
    static wire_mcx_info info, again;
    static wire_mbms_listening listening;
    static uint8_t room[8192], signatures[8192];
    static const char usage[] =
        "<mcptt-mbms-usage-info xmlns=\"urn:3gpp:ns:mcpttMbmsUsage:1.0\"><mbms-listening-status>"
        "<mbms-listening-status>listening</mbms-listening-status><TMGI>00000162f210</TMGI>"
        "</mbms-listening-status></mcptt-mbms-usage-info>";
    const wire_mcx_ring ring = { &keys, 1 };
    const char *why;
    uint32_t covered;
    (void)ctx;
    memset(&info, 0, sizeof(info));
    strcpy(info.access_token, ALICE_TOKEN);
    poc_wr wr = poc_wr_into(room, sizeof(room)), sig = poc_wr_into(signatures, sizeof(signatures));
    POC_TRY(wire_mcx_info_write(&wr, &info, MCX_MCPTT, &keys, &poc_rng_system));
    const poc_err err = wire_mcx_info_read(&again, MCX_MCPTT, poc_span_of(room, wr.len), &ring, &why);
    if (err != POC_OK)
        return again.access_token[0] == '\0' ? err : POC_E_BUG;
    poc_parts parts = { .count = 1 };
    parts.part[0] = (poc_part){ .id = poc_span_str("<a@b>"), .body = poc_span_of(room, wr.len) };
    POC_TRY(wire_mcx_signed_write(&sig, parts.part, 1, MCX_MCPTT, &keys));
    POC_TRY(wire_mcx_signed_check(&covered, MCX_MCPTT, poc_span_of(signatures, sig.len), &parts, &ring, &why));
    POC_TRY(wire_mbms_listening_read(&listening, MCX_MCPTT, poc_span_str(usage), &why));
    return covered == 1 && listening.is_listening ? POC_OK : POC_E_BUG;
}

/* libxml2 takes its memory through our failing allocator here. */
static void bodies_are_read_whole_or_there_was_no_memory(void **state)
{
    (void)state;
    poc_secret *csk;
    assert_int_equal(poc_secret_from(&csk, "0123456789abcdef", 16), POC_OK);
    assert_int_equal(mcx_xml_keys(&xml_keys[0], &xml_keys[1], csk, CSK(1), poc_span_str(ALICE_ID)), POC_OK);
    poc_secret_free(csk);
    keys = (wire_mcx_keys){ CSK(1), xml_keys[0], xml_keys[1] };
    bool holds = true;
    size_t n = 1;
    for (;; n++) {
        oom_arm(n);
        const poc_err err = read_bodies(NULL);
        if (!oom_disarm()) {
            assert_int_equal(err, POC_OK);
            break;
        }
        holds &= err == POC_E_NOMEM || err == POC_OK;
    }
    assert_true(holds && n > 30);
    poc_secret_free(xml_keys[0]);
    poc_secret_free(xml_keys[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_that_found_no_memory_can_be_made_again),
        cmocka_unit_test(whatever_fails_for_want_of_memory_has_changed_nothing_that_cannot_be_done_again),
        cmocka_unit_test(the_end_of_a_registration_is_made_up_for_when_there_is_memory_again),
        cmocka_unit_test(a_desk_is_made_whole_or_not_at_all),
        cmocka_unit_test(bodies_are_read_whole_or_there_was_no_memory),
    };
    if (!oom_xml_begin())
        return 1;
    int failed = cmocka_run_group_tests(tests, town_open, town_close);
    oom_xml_end();
    return failed;
}
