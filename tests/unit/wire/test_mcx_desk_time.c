/* The service authorisation desk: for how long somebody is registered, and which MuSiKs he has meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/wire/bureau.h"

/* ---- for how long ---- */

static void refresh(bureau *b, wire_mcx_method method, const char *impu, int64_t expires_s)
{
    bureau_begin(b);
    bureau_send(b, method, impu, expires_s);
}

static void a_refresh_without_a_key_is_for_who_has_brought_one(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    refresh(b, WIRE_MCX_REGISTER, BOB_IMPU, -1);
    bureau_expect_answer(b, 200, false, "101 ");
    bureau_expect_nothing(b, BOB_IMPU);
    bureau_pass(b, BUREAU_EXPIRES_S - 1);
    b->where = "sip:alice@198.51.100.9:5070";
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_pass(b, BUREAU_EXPIRES_S - 1);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).where, b->where);
    bureau_expect(b, "");
    bureau_pass(b, 1);
    bureau_expect_nothing(b, ALICE_IMPU);
    refresh(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, false, "101 ");
    bureau_close(b);
}

static void a_publish_without_a_contact_leaves_the_one_of_the_register(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    b->where = "";
    refresh(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).where, BUREAU_WHERE);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(2), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).where, BUREAU_WHERE);
    POC_OWNED(bureau_key, other, bureau_key_free);
    other = bureau_seal_later(b, &b->o->town->bob, CSK(3), NULL);
    bureau_begin(b);
    bureau_put_key(b, other);
    bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, other);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1); /* somebody else at this IMPU: it was not his */
    bureau_expect_answer(b, 200, true, NULL);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).mc_id, BOB_ID);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).where, "");
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).where, "");
    bureau_close(b);
}

static bool stays(void *user, const char *impu, mcx_service service, const char *mc_id)
{
    const bureau *b = user;
    assert_string_equal(impu, ALICE_IMPU);
    assert_string_equal(mc_id, ALICE_ID);
    return b->trusts_sip || service == MCX_MCVIDEO;
}

/* MCX-22: the operator has taken him out meanwhile. Without this he would stay for as long as he comes again. */
static void who_may_not_use_a_service_any_more_does_not_stay_by_a_refresh_without_a_token(void **state)
{
    bureau *b = malloc(sizeof(*b));
    assert_non_null(b);
    assert_int_equal(bureau_new(b, *state), POC_OK);
    wire_mcx_desk_free(b->d);
    b->rules.stays = stays;
    assert_int_equal(wire_mcx_desk_new(&b->d, &b->rules, b->pf), POC_OK);
    bureau_redefine(b, "all", true);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    b->trusts_sip = true;
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all");
    b->trusts_sip = false;
    refresh(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, false, "101 ");
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

/* What a refresh brings beside nothing is held against the key of before. */
static void a_refresh_with_documents_proves_them_under_the_key_in_force(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    POC_OWNED(bureau_key, other, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL);
    other = bureau_seal_later(b, &b->o->town->alice, CSK(2), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_put_signatures(b, MCX_MCPTT, k);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, other);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "101 ");
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, k);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "101 ");
    assert_string_equal(b->answer.why, "somebody else's token");
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_signatures(b, MCX_MCPTT, other);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, false, "101 ");
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).mc_id, ALICE_ID);
    bureau_close(b);
}

/* What was signed under the key of before is under way when the key changes. */
static void the_key_before_is_good_for_what_is_under_way(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, first, bureau_key_free);
    POC_OWNED(bureau_key, second, bureau_key_free);
    bureau_key *const keys[] = { first = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL),
                                 second = bureau_seal_later(b, &b->o->town->alice, CSK(2), NULL) };
    for (size_t i = 0; i < 2; i++) {
        bureau_begin(b);
        bureau_put_key(b, keys[i]);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, keys[i]);
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        bureau_begin(b);
        bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
        bureau_put_signatures(b, MCX_MCPTT, first);
        bureau_send(b, WIRE_MCX_MESSAGE, ALICE_IMPU, -1);
        bureau_expect_answer(b, 200, true, NULL);
    }
    bureau_close(b);
}

static void a_wish_for_a_long_life_is_cut_and_for_a_short_one_refused(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, 100000);
    bureau_expect_answer(b, 200, true, NULL);
    assert_int_equal(b->answer.expires_s, BUREAU_EXPIRES_S);
    refresh(b, WIRE_MCX_PUBLISH, ALICE_IMPU, 59);
    bureau_expect_answer(b, 423, false, NULL);
    assert_int_equal(b->answer.min_expires_s, 60);
    assert_string_equal(b->answer.phrase, "Interval Too Brief");
    assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).expires_ms, b->o->now_ms + BUREAU_EXPIRES_S * 1000);
    bureau_close(b);
}

/* MCX-21: with log-off the binding and the key are gone. */
static void who_logs_off_has_no_key_and_no_musik_any_more(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    bureau_expect_answer(b, 200, false, NULL);
    assert_int_equal(b->answer.expires_s, 0);
    bureau_expect_nothing(b, ALICE_IMPU);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    bureau_expect_answer(b, 200, false, NULL);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    assert_int_equal(wire_mcx_desk_log_off(b->d, b->o->now_ms, ALICE_IMPU), POC_OK);
    bureau_run(b);
    bureau_expect_nothing(b, ALICE_IMPU);
    assert_int_equal(wire_mcx_desk_log_off(b->d, b->o->now_ms, ALICE_IMPU), POC_E_STATE);
    bureau_close(b);
}

/* The write that was under way is durable; those behind it are made at once. */
static void store_goes_on(bureau *b)
{
    b->store_holds = false;
    (void)pocpf_persisted(b->pf, b->o->now_ms, true);
    bureau_run(b);
}

static void expect_overtaken(const bureau *b)
{
    bureau_expect_answer(b, 200, false, NULL);
    assert_int_equal(b->answer.expires_s, 0);
    assert_string_equal(b->answer.why, "overtaken by a log-off");
}

/* MCX-21: the later request wins, though the key before it is not durable yet. */
static void a_log_off_overtakes_a_key_that_waits_for_the_disk(void **state)
{
    bureau *b = bureau_open(state);
    b->store_holds = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    assert_int_equal(b->answers, 0);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    assert_int_equal(b->answers, 1);
    bureau_expect_answer(b, 200, false, NULL);
    store_goes_on(b);
    assert_int_equal(b->answers, 2);
    expect_overtaken(b);
    bureau_expect(b, "LOST:20000001 ");
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_crash(b);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

static void an_operator_logs_off_who_still_waits_for_the_disk(void **state)
{
    bureau *b = bureau_open(state);
    b->store_holds = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    assert_int_equal(wire_mcx_desk_log_off(b->d, b->o->now_ms, ALICE_IMPU), POC_OK);
    assert_int_equal(wire_mcx_desk_log_off(b->d, b->o->now_ms, ALICE_IMPU), POC_E_STATE);
    store_goes_on(b);
    expect_overtaken(b);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

/* What comes behind the log-off counts again. */
static void a_key_behind_a_log_off_registers_its_user(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    b->store_holds = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(3), ALICE_TOKEN);
    b->answers = 0;
    store_goes_on(b);
    bureau_expect(b, "LOST:20000002 BOUND:20000003 alice@ims.example:all alice@ims.example:list ");
    assert_int_equal(b->answers, 2);
    bureau_expect_answer(b, 200, true, NULL);
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(3));
    bureau_expect_in(b, ALICE_IMPU, "all list");
    bureau_close(b);
}

static void log_off_from(bureau *b, mcx_service service)
{
    bureau_begin(b);
    bureau_put_info(b, service, ALICE_TOKEN, NULL);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, 0);
    bureau_expect_answer(b, 200, false, NULL);
}

/* One key for both services, and the one service is given up before it is durable: he is registered for the other. */
static void a_log_off_from_one_service_leaves_the_waiting_key_to_the_other(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    b->store_holds = true;
    k = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    log_off_from(b, MCX_MCPTT);
    store_goes_on(b);
    bureau_expect_answer(b, 200, true, NULL);
    assert_int_equal(b->answer.expires_s, BUREAU_EXPIRES_S);
    assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCVIDEO).services, WIRE_MCX_SERVICE_BIT(MCX_MCVIDEO));
    bureau_expect_in(b, ALICE_IMPU, "video");
    b->store_holds = true; /* the same with the last service that is left, while a fresh key for the other one waits */
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    log_off_from(b, MCX_MCVIDEO);
    bureau_expect_in(b, ALICE_IMPU, "");
    bureau_pass(b, BUREAU_EXPIRES_S); /* the end of what he has given up is not the end of what waits */
    store_goes_on(b);
    bureau_expect_answer(b, 200, true, NULL);
    assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).services, WIRE_MCX_SERVICE_BIT(MCX_MCPTT));
    bureau_expect_in(b, ALICE_IMPU, "all list");
    bureau_close(b);
}

/* The key of before, which nobody is registered with any more, goes with the one that took its place and could not be kept. */
static void a_key_that_is_lost_behind_a_log_off_leaves_none_behind(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    b->store_holds = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    log_off_from(b, MCX_MCVIDEO);
    log_off_from(b, MCX_MCPTT);
    b->store_holds = false;
    (void)pocpf_persisted(b->pf, b->o->now_ms, false);
    bureau_run(b);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

static void the_desk_names_the_time_at_which_the_next_one_is_gone(void **state)
{
    bureau *b = bureau_open(state);
    assert_true(wire_mcx_desk_deadline_ms(b->d) == INT64_MAX);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    bureau_pass(b, 100);
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(2), BOB_TOKEN);
    const int64_t first_ms = bureau_look(b, ALICE_IMPU, MCX_MCPTT).expires_ms,
                  second_ms = bureau_look(b, BOB_IMPU, MCX_MCPTT).expires_ms;
    assert_true(wire_mcx_desk_deadline_ms(b->d) == first_ms);
    wire_mcx_desk_tick(b->d, first_ms - 1);
    (void)bureau_look(b, ALICE_IMPU, MCX_MCPTT);
    bureau_pass(b, (first_ms - b->o->now_ms) / 1000);
    bureau_expect_nothing(b, ALICE_IMPU);
    (void)bureau_look(b, BOB_IMPU, MCX_MCPTT);
    assert_true(wire_mcx_desk_deadline_ms(b->d) == second_ms);
    bureau_close(b);
}

/* ---- regions ---- */

static void report(bureau *b, const char *impu, bool listening, const char *tmgi)
{
    bureau_begin(b);
    bureau_put_report(b, MCX_MCPTT, listening, tmgi);
    bureau_send(b, WIRE_MCX_MESSAGE, impu, -1);
}

/* MCX-8: the MuSiK of a region goes to who says he hears its bearer, and may. */
static void who_listens_to_a_bearer_has_the_musik_of_its_region(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all list north");
    bureau_expect(b, "alice@ims.example:north ");
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_expect(b, "");
    report(b, ALICE_IMPU, false, NORTH_TMGI);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all list");
    report(b, ALICE_IMPU, true, "\x01\x01\x01\x01\x01\x01");
    bureau_expect_answer(b, 200, false, NULL);
    assert_string_equal(b->answer.why, "unknown bearer");
    bureau_close(b);
}

static void a_report_of_who_may_not_brings_no_musik(void **state)
{
    bureau *b = bureau_open(state);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    bureau_expect_answer(b, 403, false, "101 ");
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(1), BOB_TOKEN);
    report(b, BOB_IMPU, true, NORTH_TMGI);
    bureau_expect_answer(b, 200, false, NULL);
    bureau_expect_in(b, BOB_IMPU, "all");
    bureau_begin(b);
    bureau_put_report(b, MCX_MCVIDEO, true, NORTH_TMGI);
    bureau_send(b, WIRE_MCX_MESSAGE, BOB_IMPU, -1);
    bureau_expect_answer(b, 403, false, "101 "); /* not for this service */
    bureau_close(b);
}

/* MCX-6, MCX-12 */
static void a_report_may_be_signed_and_has_to_be_where_nothing_in_clear_is_taken(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    POC_OWNED(bureau_key, other, bureau_key_free);
    wire_mcx_desk_free(b->d);
    b->rules.refuses_clear = true;
    assert_int_equal(wire_mcx_desk_new(&b->d, &b->rules, b->pf), POC_OK);
    bureau_redefine(b, "north", true);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL);
    other = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    bureau_expect_answer(b, 403, false, "101 ");
    bureau_begin(b);
    bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
    bureau_put_signatures(b, MCX_MCPTT, other);
    bureau_send(b, WIRE_MCX_MESSAGE, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "101 ");
    assert_string_equal(b->answer.why, "the signature does not hold");
    bureau_begin(b);
    bureau_put(b, "text/plain", poc_span_str("what is signed in its place"), false);
    bureau_put_signatures(b, MCX_MCPTT, k);
    bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
    bureau_send(b, WIRE_MCX_MESSAGE, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "101 ");
    bureau_expect_in(b, ALICE_IMPU, "");
    bureau_begin(b);
    bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
    bureau_put_signatures(b, MCX_MCPTT, k);
    bureau_send(b, WIRE_MCX_MESSAGE, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "north");
    bureau_close(b);
}

/* ---- channels that change ---- */

static void a_reload_moves_who_may_and_who_may_not(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(2), BOB_TOKEN);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    bureau_redefine(b, "all", false);
    bureau_expect_in(b, BOB_IMPU, "");
    bureau_redefine(b, "list", true);
    bureau_expect_in(b, BOB_IMPU, "list");
    b->listed = BOB_ID;
    bureau_redefine(b, "all", false);
    bureau_redefine(b, "north", false);
    bureau_expect_in(b, ALICE_IMPU, "list");
    bureau_expect_in(b, BOB_IMPU, "all list"); /* a region is joined by report alone */
    wire_mcx_desk_channel_remove(b->d, b->o->now_ms, "list");
    bureau_expect_in(b, BOB_IMPU, "all");
    bureau_close(b);
}

/* Expelled is expelled: after another key, with a key for another service, and at another IMPU. */
static void who_was_expelled_does_not_come_back_by_registering(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    assert_int_equal(pocpf_member_departed(b->pf, b->o->now_ms, "all", ALICE_IMPU, POCPF_EXPELLED), POCPF_OK);
    bureau_run(b);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    bureau_expect_in(b, ALICE_IMPU, "list");
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(3), &(bureau_oddity){ .cs_id = 8 });
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCVIDEO).services, 3);
    bureau_expect_in(b, ALICE_IMPU, "list video");
    bureau_register(b, &b->o->town->alice, "sip:alice2@ims.example", CSK(4), ALICE_TOKEN);
    bureau_expect_in(b, "sip:alice2@ims.example", "list");
    assert_int_equal(pocpf_admit(b->pf, b->o->now_ms, "all", ALICE_IMPU), POCPF_OK);

    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    bureau_close(b);
}

/* MCX-21 */
static void after_a_restart_who_has_a_key_is_registered_until_he_should_have_come_again(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->bob, CSK(2), &(bureau_oddity){ .cs_id = 8 });
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCVIDEO, BOB_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    bureau_crash(b);
    const wire_mcx_user u = bureau_look(b, ALICE_IMPU, MCX_MCPTT), v = bureau_look(b, ALICE_IMPU, MCX_MCVIDEO);
    assert_string_equal(u.mc_id, ALICE_ID);
    assert_string_equal(u.where, "");
    assert_string_equal(v.impu, ALICE_IMPU);
    assert_int_equal(v.services, WIRE_MCX_SERVICE_BIT(MCX_MCVIDEO));
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(1));
    bureau_expect_in(b, ALICE_IMPU, "all list north video");
    size_t at = 0, n = 0;
    for (wire_mcx_user each; wire_mcx_desk_next(b->d, &at, &each);)
        n++;
    assert_int_equal(n, 2);
    bureau_pass(b, BUREAU_EXPIRES_S);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

/* A user of two services with one key is in the channels of both after a restart. */
static void after_a_restart_nobody_has_left_a_channel(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_crash(b);
    assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).services, 3);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    b->listed = NULL;
    bureau_crash(b);
    bureau_expect_in(b, ALICE_IMPU, "all video");
    bureau_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refresh_without_a_key_is_for_who_has_brought_one),
        cmocka_unit_test(a_publish_without_a_contact_leaves_the_one_of_the_register),
        cmocka_unit_test(who_may_not_use_a_service_any_more_does_not_stay_by_a_refresh_without_a_token),
        cmocka_unit_test(a_refresh_with_documents_proves_them_under_the_key_in_force),
        cmocka_unit_test(the_key_before_is_good_for_what_is_under_way),
        cmocka_unit_test(a_wish_for_a_long_life_is_cut_and_for_a_short_one_refused),
        cmocka_unit_test(who_logs_off_has_no_key_and_no_musik_any_more),
        cmocka_unit_test(a_log_off_overtakes_a_key_that_waits_for_the_disk),
        cmocka_unit_test(an_operator_logs_off_who_still_waits_for_the_disk),
        cmocka_unit_test(a_key_behind_a_log_off_registers_its_user),
        cmocka_unit_test(a_log_off_from_one_service_leaves_the_waiting_key_to_the_other),
        cmocka_unit_test(a_key_that_is_lost_behind_a_log_off_leaves_none_behind),
        cmocka_unit_test(the_desk_names_the_time_at_which_the_next_one_is_gone),
        cmocka_unit_test(who_listens_to_a_bearer_has_the_musik_of_its_region),
        cmocka_unit_test(a_report_of_who_may_not_brings_no_musik),
        cmocka_unit_test(a_report_may_be_signed_and_has_to_be_where_nothing_in_clear_is_taken),
        cmocka_unit_test(a_reload_moves_who_may_and_who_may_not),
        cmocka_unit_test(who_was_expelled_does_not_come_back_by_registering),
        cmocka_unit_test(after_a_restart_who_has_a_key_is_registered_until_he_should_have_come_again),
        cmocka_unit_test(after_a_restart_nobody_has_left_a_channel),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
