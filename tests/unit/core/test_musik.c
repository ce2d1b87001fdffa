/* Multicast signalling keys (MuSiKs) at the engine: who is sent them, when they change, and what never goes on air. */
#include <stddef.h>
#include <string.h>

#include "tests/unit/core/mcx_office.h"

#define CHANNEL "region"
#define CSK(n)  (0x20000000u + (n))

static const char *const groups[] = { "sip:fire@mcptt.example.org" };

static const pocpf_channel channel = { .size = sizeof(channel),
                                       .id = CHANNEL,
                                       .kind = POCPF_KIND_MUSIK,
                                       .musik = { .groups = groups, .group_count = 1, .text = "North" } };

static office *open_office(void **state)
{
    office *o = office_new(*state);
    o->channel = &channel;
    o->answers = true;
    office_boot(o);
    return o;
}

static pocpf_err join(office *o, const char *impu)
{
    return pocpf_mcx_joined(o->pf, o->now_ms, CHANNEL, impu);
}

static void bring(office *o, const mcx_person *who, const char *impu, uint32_t id)
{
    assert_int_equal(office_bring(o, who, impu, id), POCPF_OK);
    office_run(o);
}

static const char *state_of(const office *o)
{
    pocpf_channel_status s = { .size = sizeof(s) };
    assert_int_equal(pocpf_channel_look(o->pf, CHANNEL, &s), POCPF_OK);
    return s.state;
}

/* ALICE and BOB have the MuSiK that is on air. */
static office *open_pair(void **state)
{
    office *o = open_office(state);
    bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
    bring(o, &o->town->bob, BOB_IMPU, CSK(2));
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_run(o);
    assert_string_equal(state_of(o), "active");
    o->text[0] = '\0';
    return o;
}

static void pass(office *o, int64_t ms)
{
    o->now_ms += ms;
    pocpf_tick(o->pf, o->now_ms);
    office_run(o);
}

/* MCX-1, MCX-2, MCX-13, MCX-22, MCX-23, MCX-26, MCX-28, MCX-29: made, sent and put on air with nobody's help. */
static void a_member_with_a_csk_is_sent_the_musik_and_then_it_goes_on_air(void **state)
{
    office *o = open_office(state);
    mcx_opened opened;
    bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
    o->text[0] = '\0';
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST DOWNLOAD:ali START MULTICAST:ali ");
    assert_string_equal(o->download.mc_id, ALICE_ID);
    assert_int_equal(office_open(o, &o->town->alice, &opened), POC_OK);
    assert_int_equal(opened.type, MCX_MUSIK);
    assert_int_equal(opened.key_id, o->air_id);
    assert_int_equal(opened.cs_id, 7);
    assert_memory_equal(poc_secret_bytes(opened.key), o->air_key, 16);
    assert_memory_equal(opened.rand, o->air_rand, 16);
    assert_true(poc_span_eq_str(opened.parameters.text, "North"));
    assert_int_equal(opened.parameters.group_count, 1);
    assert_true(poc_span_eq_str(opened.parameters.groups[0], groups[0]));
    assert_int_equal(opened.parameters.activation_s, 0);
    mcx_opened_done(&opened);
    assert_int_equal(office_open(o, &o->town->bob, &opened), POC_E_DENIED);
    office_free(o);
}

/* MCX-31 */
static void nothing_goes_on_air_before_somebody_has_the_key(void **state)
{
    office *o = open_office(state);
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST ");
    o->answers = false;
    bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
    office_expect(o, "PERSIST BOUND:20000001 DOWNLOAD:ali ");
    assert_string_equal(state_of(o), "starting");
    assert_int_equal(o->air_id, 0);
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, o->download.number, true), POCPF_OK);
    office_run(o);
    office_expect(o, "START MULTICAST:ali ");
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, o->download.number, true), POCPF_E_STATE);
    office_free(o);
}

/** A CSK that its client wants to be in force for a minute only. */
static void bring_for_a_minute(office *o, uint32_t id)
{
    assert_int_equal(office_bring_timed(o, id, 0, (uint64_t)o->now_ms / 1000 + 60), POCPF_OK);
    office_run(o);
}

/* MCX-22: nor is anything waited for from him. Nobody may be left to log him off: after a restart an expired key is not there. */
static void who_has_an_expired_csk_gets_no_musik_until_he_brings_another(void **state)
{
    office *o = open_office(state);
    bring_for_a_minute(o, CSK(1));
    bring(o, &o->town->bob, BOB_IMPU, CSK(2));
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_run(o);
    assert_int_equal(o->downloads, 2);
    o->text[0] = '\0';
    o->now_ms += 61000;
    office_crash(o);
    office_run(o);
    assert_int_equal(o->downloads, 3);
    assert_string_equal(o->download.user, BOB_IMPU);
    assert_string_equal(state_of(o), "active");
    bring(o, &o->town->alice, ALICE_IMPU, CSK(3));
    assert_int_equal(o->downloads, 4);
    assert_string_equal(o->download.user, ALICE_IMPU);
    office_free(o);
}

/* MCX-22: and he cannot come back by himself. */
static void an_expulsion_holds_the_channel_until_all_others_have_another_key(void **state)
{
    office *o = open_pair(state);
    const uint32_t before = o->air_id;
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED), POCPF_OK);
    office_run(o);
    office_expect(o, "HOLD PERSIST DOWNLOAD:ali UPDATE GO REVOKE:ali ");
    assert_int_not_equal(o->air_id, before);
    assert_int_equal(o->download.key_id, o->air_id);
    assert_int_equal(join(o, BOB_IMPU), POCPF_E_DENIED);
    bring(o, &o->town->bob, BOB_IMPU, CSK(3));
    assert_null(strstr(o->text, "DOWNLOAD"));
    assert_int_equal(pocpf_admit(o->pf, o->now_ms, CHANNEL, BOB_IMPU), POCPF_OK);
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_free(o);
}

static pocpf_expulsion expel_by(office *o, const char *name)
{
    pocpf_expulsion done = { .size = sizeof(done) };
    assert_int_equal(pocpf_expel(o->pf, o->now_ms, CHANNEL, name, &done), POCPF_OK);
    office_run(o);
    assert_true(done.barred);
    return done;
}

/* MCX-22: he logged off, but what his client was given is still what everybody hears. */
static void who_logged_off_with_the_key_and_is_expelled_then_is_locked_out(void **state)
{
    static const char second[] = "sip:bob.second@ims.example";
    office *o = open_pair(state);
    const uint32_t before = o->air_id;
    assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, BOB_IMPU), POCPF_OK);
    office_run(o);
    assert_int_equal(o->air_id, before);
    o->text[0] = '\0';
    pocpf_expulsion done = expel_by(o, BOB_IMPU);
    assert_true(done.rekeyed && !done.was_member);
    office_expect(o, "HOLD PERSIST DOWNLOAD:ali UPDATE GO REVOKE:ali ");
    assert_int_equal(o->revocation.key_id, before);
    assert_int_equal(join(o, BOB_IMPU), POCPF_E_DENIED);
    done = expel_by(o, BOB_ID); /* so that no other public identity of his helps him */
    assert_false(done.rekeyed);
    office_crash(o);
    office_run(o);
    bring(o, &o->town->bob, second, CSK(7));
    assert_int_equal(join(o, second), POCPF_E_DENIED);
    assert_int_equal(pocpf_admit(o->pf, o->now_ms, CHANNEL, BOB_ID), POCPF_OK);
    assert_int_equal(join(o, second), POCPF_OK);
    office_free(o);
}

/* MCX-22: the service id is who he is, whatever he calls himself to the network. */
static void an_expulsion_by_service_id_meets_all_public_identities(void **state)
{
    static const char second[] = "sip:bob.second@ims.example";
    office *o = open_pair(state);
    bring(o, &o->town->bob, second, CSK(7));
    assert_int_equal(join(o, second), POCPF_OK);
    office_run(o);
    o->text[0] = '\0';
    const pocpf_expulsion done = expel_by(o, BOB_ID);
    assert_true(done.rekeyed && done.was_member);
    office_expect(o, "HOLD PERSIST DOWNLOAD:ali UPDATE GO REVOKE:ali ");
    assert_int_equal(join(o, BOB_IMPU), POCPF_E_DENIED);
    assert_int_equal(join(o, second), POCPF_E_DENIED);
    office_free(o);
}

/* MCX-22: make before break, and all change at the time that the key itself says. */
static void a_rotation_is_downloaded_to_all_first_and_switches_at_its_activation_time(void **state)
{
    office *o = open_pair(state);
    const uint32_t before = o->air_id;
    mcx_opened opened;
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    office_run(o);
    assert_int_equal(o->air_id, before);
    assert_int_equal(office_open(o, strstr(o->download.user, "alice") ? &o->town->alice : &o->town->bob, &opened),
                     POC_OK);
    assert_int_equal(opened.parameters.activation_s, (uint64_t)(o->now_ms + 2000) / 1000);
    pass(o, 1999);
    assert_int_equal(o->air_id, before);
    pass(o, 1);
    assert_int_equal(o->air_id, opened.key_id);
    mcx_opened_done(&opened);
    office_free(o);
}

static void who_did_not_answer_is_tried_again_later_and_with_his_next_csk(void **state)
{
    office *o = open_pair(state);
    o->answers = false;
    bring(o, &o->town->bob, BOB_IMPU, CSK(3));
    office_expect(o, "PERSIST BOUND:20000003 UNICAST:bob DOWNLOAD:bob ");
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, BOB_IMPU, o->download.number, false), POCPF_OK);
    pass(o, 1000);
    office_expect(o, "DOWNLOAD:bob ");
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, BOB_IMPU, o->download.number, false), POCPF_OK);
    o->answers = true;
    bring(o, &o->town->bob, BOB_IMPU, CSK(4));
    office_expect(o, "PERSIST BOUND:20000004 DOWNLOAD:bob MULTICAST:bob ");
    assert_int_equal(o->download.key_id, o->air_id);
    office_free(o);
}

static void who_logs_off_leaves_and_the_last_one_takes_the_channel_off_air(void **state)
{
    office *o = open_pair(state);
    assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, BOB_IMPU), POCPF_OK);
    office_run(o);
    assert_int_not_equal(o->air_id, 0);
    assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, ALICE_IMPU), POCPF_OK);
    office_run(o);
    assert_int_equal(o->air_id, 0);
    assert_string_equal(state_of(o), "idle");
    office_free(o);
}

static void members_come_back_after_a_restart_under_a_fresh_key(void **state)
{
    office *o = open_pair(state);
    const uint32_t before = o->air_id;
    o->air_id = 0;
    office_crash(o);
    office_run(o);
    office_expect(o, "DOWNLOAD:ali DOWNLOAD:bob START MULTICAST:ali MULTICAST:bob ");
    assert_int_not_equal(o->air_id, before);
    office_free(o);
}

/* MCX-24: what nobody could sign is not tried, and does not wait longer than for who can. */
static void nobody_is_sent_anything_before_there_is_an_identity_that_signs(void **state)
{
    office *o = open_pair(state);
    o->is_nobody = true;
    office_crash(o);
    office_run(o);
    pass(o, 60000);
    office_expect(o, "");
    office_identify(o);
    office_run(o);
    office_expect(o, "DOWNLOAD:ali DOWNLOAD:bob START MULTICAST:ali MULTICAST:bob ");
    office_free(o);
}

/* MCX-8, MCX-9: as many as there are channels, each with its own key; one without groups is for everything. */
static void two_channels_have_two_keys_and_members_of_their_own(void **state)
{
    office *o = open_pair(state);
    const uint32_t first = o->air_id;
    pocpf_channel other = channel;
    other.id = "everywhere";
    other.musik = (pocpf_musik){ 0 };
    assert_int_equal(pocpf_channel_add(o->pf, o->now_ms, &other), POCPF_OK);
    assert_int_equal(pocpf_mcx_joined(o->pf, o->now_ms, "everywhere", BOB_IMPU), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST DOWNLOAD:bob START MULTICAST:bob ");
    assert_int_not_equal(o->air_id, first);
    mcx_opened opened;
    assert_int_equal(office_open(o, &o->town->bob, &opened), POC_OK);
    assert_int_equal(opened.parameters.group_count, 0);
    mcx_opened_done(&opened);
    other.id = "wrong";
    other.group_uri = "sip:conference@cf.example";
    assert_int_equal(pocpf_channel_add(o->pf, o->now_ms, &other), POCPF_E_INPUT);
    office_free(o);
}

/* MCX-22: who is expelled is the user, whatever he calls himself to the network. */
static void an_expulsion_holds_for_all_public_identities_of_the_user(void **state)
{
    static const char second[] = "sip:bob.second@ims.example", third[] = "sip:bob.third@ims.example";
    office *o = open_pair(state);
    bring(o, &o->town->bob, second, CSK(7));
    assert_int_equal(join(o, second), POCPF_OK);
    assert_int_equal(join(o, third), POCPF_OK);
    office_run(o);
    o->text[0] = '\0';
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED), POCPF_OK);
    office_run(o);
    office_expect(o, "HOLD PERSIST DOWNLOAD:ali UPDATE GO REVOKE:ali ");
    assert_int_equal(join(o, second), POCPF_E_DENIED);
    office_crash(o);
    assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, BOB_IMPU), POCPF_OK);
    bring(o, &o->town->bob, third, CSK(8));
    assert_null(strstr(o->text, "DOWNLOAD:bob"));
    assert_true(pocpf_is_barred(o->pf, CHANNEL, third));
    assert_int_equal(pocpf_admit(o->pf, o->now_ms, CHANNEL, third), POCPF_OK);
    office_run(o);
    assert_non_null(strstr(o->text, "DOWNLOAD:bob"));
    assert_int_equal(join(o, second), POCPF_E_DENIED);
    assert_int_equal(join(o, BOB_IMPU), POCPF_E_DENIED);
    office_free(o);
}

static void another_user_of_the_same_device_has_to_be_let_in_anew(void **state)
{
    office *o = open_pair(state);
    bring(o, &o->town->alice, BOB_IMPU, CSK(9));
    office_expect(o, "PERSIST BOUND:20000009 ");
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST DOWNLOAD:bob MULTICAST:bob ");
    assert_string_equal(o->download.mc_id, ALICE_ID);
    office_free(o);
}

/* ---- while a key is handed out ---- */

static void leave_text(office *o)
{
    office_run(o);
    o->text[0] = '\0';
}

/* MCX-22: the download is in the queue, behind a write. */
static void a_download_that_was_not_sent_yet_is_not_sent_to_who_is_expelled(void **state)
{
    office *o = open_office(state);
    bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
    bring(o, &o->town->bob, BOB_IMPU, CSK(2));
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    o->store_holds = true;
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    leave_text(o);
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED), POCPF_OK);
    o->store_holds = false;
    assert_int_equal(pocpf_persisted(o->pf, o->now_ms, true), POCPF_OK);
    office_run(o);
    assert_null(strstr(o->text, "DOWNLOAD:bob"));
    assert_non_null(strstr(o->text, "DOWNLOAD:ali"));
    office_free(o);
}

/* MCX-22: it is out, and its answer comes late: what he may have is not what goes on. */
static void the_answer_of_who_is_expelled_meanwhile_counts_for_nothing(void **state)
{
    office *o = open_pair(state);
    o->answers = false;
    bring(o, &o->town->bob, BOB_IMPU, CSK(3));
    const office_download late = o->download;
    assert_string_equal(late.user, BOB_IMPU);
    assert_int_equal(late.key_id, o->air_id);
    o->answers = true;
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED), POCPF_OK);
    office_run(o);
    assert_int_not_equal(o->air_id, late.key_id);
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, BOB_IMPU, late.number, true), POCPF_E_STATE);
    leave_text(o);
    pass(o, 60000);
    office_expect(o, "");
    office_free(o);
}

/* MCX-22 */
static void who_logs_off_during_a_rekey_is_not_waited_for(void **state)
{
    office *o = open_pair(state);
    const uint32_t before = o->air_id;
    o->answers = false;
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    office_run(o);
    const office_download last = o->download; /* of one of them */
    const bool is_bob = strcmp(last.user, BOB_IMPU) == 0;
    pass(o, 1000);
    assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, is_bob ? ALICE_IMPU : BOB_IMPU), POCPF_OK);
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, last.user, last.number, true), POCPF_OK);
    office_run(o);
    assert_int_equal(o->air_id, before); /* announced for later */
    pass(o, 1000);
    assert_int_equal(o->air_id, last.key_id);
    assert_string_equal(state_of(o), "active");
    pocpf_channel_status s = { .size = sizeof(s) };
    assert_int_equal(pocpf_channel_look(o->pf, CHANNEL, &s), POCPF_OK);
    assert_true(s.members == 1 && s.confirmed == 1);
    office_free(o);
}

/* MCX-22: he may have lost what he had: the next key goes to him once more, and the switch waits for that. */
static void who_brings_another_csk_during_a_rekey_is_sent_the_next_key_again(void **state)
{
    office *o = open_pair(state);
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    office_run(o);
    const uint32_t next = o->download.key_id;
    o->text[0] = '\0';
    bring(o, &o->town->bob, BOB_IMPU, CSK(3));
    office_expect(o, "PERSIST BOUND:20000003 DOWNLOAD:bob ");
    assert_int_equal(o->download.key_id, next);
    pass(o, 1000);
    office_expect(o, "UPDATE ");
    pocpf_channel_status s = { .size = sizeof(s) };
    assert_int_equal(pocpf_channel_look(o->pf, CHANNEL, &s), POCPF_OK);
    assert_int_equal(s.confirmed, 2);
    office_free(o);
}

/* MCX-22: whichever write the crash cuts off, he is either not yet out for anybody or out for good. */
static void who_is_expelled_stays_out_over_a_crash(void **state)
{
    office *o = open_pair(state);
    o->store_holds = true;
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED), POCPF_OK);
    office_run(o);
    office_expect(o, "HOLD PERSIST ");
    o->store_holds = false;
    office_crash(o);
    office_run(o);
    assert_non_null(strstr(o->text, "DOWNLOAD:bob"));
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED), POCPF_OK);
    leave_text(o);
    office_crash(o);
    office_run(o);
    assert_non_null(strstr(o->text, "DOWNLOAD:ali"));
    assert_null(strstr(o->text, "DOWNLOAD:bob"));
    assert_int_equal(join(o, BOB_IMPU), POCPF_E_DENIED);
    office_free(o);
}

/* MCX-8 */
static void a_channel_that_comes_back_is_for_what_it_is_added_for(void **state)
{
    office *o = open_pair(state);
    mcx_opened opened;
    pocpf_channel other = channel;
    other.musik = (pocpf_musik){ .text = "South" };
    assert_int_equal(pocpf_channel_stop(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    office_run(o);
    assert_int_equal(pocpf_channel_add(o->pf, o->now_ms, &other), POCPF_OK);
    office_run(o);
    assert_string_equal(state_of(o), "active");
    const mcx_person *who = strcmp(o->download.user, ALICE_IMPU) == 0 ? &o->town->alice : &o->town->bob;
    assert_int_equal(office_open(o, who, &opened), POC_OK);
    assert_true(poc_span_eq_str(opened.parameters.text, "South"));
    assert_int_equal(opened.parameters.group_count, 0);
    mcx_opened_done(&opened);
    office_free(o);
}

static void bring_both_algorithms(office *o, const mcx_person *who, const char *impu, uint32_t id)
{
    const mcx_algorithm both[] = { mcx_aes128_gcm, mcx_aes256_gcm };
    uint8_t octets[MIKEY_MESSAGE_MAX];
    o->now_ms += 1000;
    const size_t n = office_seal(o, who, id, both, POC_COUNT(both), octets);
    assert_int_equal(office_upload(o, impu, who->uri, octets, n, NULL), POCPF_OK);
    office_run(o);
}

/* The time of the next message to ALICE; a second passes after every message to anybody else. */
static void next_to_alice(office *o, uint8_t time[8])
{
    for (pocpf_effect fx; pocpf_poll(o->pf, &fx);) {
        mikey_msg msg;
        if (fx.type == POCPF_DO_PERSIST)
            assert_int_equal(pocpf_persisted(o->pf, o->now_ms, true), POCPF_OK);
        if (fx.type != POCPF_DO_DOWNLOAD)
            continue;
        const bool is_hers = strcmp(fx.user, ALICE_IMPU) == 0;
        const poc_span octets = poc_span_of(fx.u.download.i_message, fx.u.download.len);
        assert_int_equal(mcx_i_message_read(&msg, octets, NULL), POC_OK);
        memcpy(time, msg.ts.p, 8);
        if (is_hers)
            return;
        o->now_ms += 1000;
        pocpf_tick(o->pf, o->now_ms);
    }
    fail_msg("nothing for her");
}

/* MCX-26: hers was sealed with BOB's, and a CSK goes to her before it is its turn. */
static void messages_to_one_user_leave_in_the_order_of_their_times(void **state)
{
    office *o = office_new(*state);
    uint8_t first[8], second[8];
    o->channel = &channel;
    o->set.mcx_forced = POCPF_AES256_GCM;
    office_boot(o);
    bring_both_algorithms(o, &o->town->alice, ALICE_IMPU, CSK(1));
    bring_both_algorithms(o, &o->town->bob, BOB_IMPU, CSK(2));
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, BOB_IMPU, o->download.number, true), POCPF_OK);
    leave_text(o);
    o->now_ms += 33000; /* the shell has forgotten her CSK: it is due again */
    pocpf_tick(o->pf, o->now_ms);
    o->now_ms += 500;
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    o->now_ms += 500;
    pocpf_tick(o->pf, o->now_ms);
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    next_to_alice(o, first);
    next_to_alice(o, second);
    assert_true(memcmp(first, second, sizeof(first)) <= 0);
    office_free(o);
}

/* ---- what an expelled client still has ---- */

static void expel(office *o, const char *impu)
{
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, impu, POCPF_EXPELLED), POCPF_OK);
}

/* ---- who comes while the key is being changed ---- */

#define ALICE_AT_WORK "sip:alice@work.example" /* another public identity of hers */

static void answer(office *o, bool ok)
{
    const office_download d = o->download;
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, d.user, d.number, ok), POCPF_OK);
    office_run(o);
}

/* A rotation that ALICE has answered; whoever comes now answers when he is told to. BOB and ALICE_AT_WORK have a CSK. Returns the
 * key to come. */
static uint32_t open_rotation(office **out, void **state)
{
    office *o = *out = open_office(state);
    bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
    bring(o, &o->town->bob, BOB_IMPU, CSK(2));
    bring(o, &o->town->alice, ALICE_AT_WORK, CSK(3));
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    office_run(o);
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    office_run(o);
    assert_int_not_equal(o->download.key_id, o->air_id);
    o->answers = false;
    o->text[0] = '\0';
    return o->download.key_id;
}

/* MCX-22: else he would hear nothing until the switch. */
static void who_joins_during_a_planned_rotation_is_given_the_key_on_air_and_then_the_next(void **state)
{
    office *o;
    const uint32_t next = open_rotation(&o, state);
    mcx_opened opened;
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST DOWNLOAD:bob ");
    assert_int_equal(o->download.key_id, o->air_id);
    assert_int_equal(office_open(o, &o->town->bob, &opened), POC_OK);
    assert_memory_equal(poc_secret_bytes(opened.key), o->air_key, 16);
    mcx_opened_done(&opened);
    answer(o, true);
    office_expect(o, "MULTICAST:bob DOWNLOAD:bob ");
    assert_int_equal(o->download.key_id, next);
    answer(o, true);
    pass(o, 2000);
    office_expect(o, "UPDATE ");
    assert_int_equal(o->air_id, next);
    pocpf_channel_status s = { .size = sizeof(s) };
    assert_int_equal(pocpf_channel_look(o->pf, CHANNEL, &s), POCPF_OK);
    assert_true(s.members == 2 && s.confirmed == 2);
    pass(o, 60000);
    office_expect(o, "");
    office_free(o);
}

static void who_does_not_take_the_key_on_air_is_given_the_next_all_the_same(void **state)
{
    office *o;
    const uint32_t next = open_rotation(&o, state);
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_run(o);
    assert_int_equal(o->download.key_id, o->air_id);
    answer(o, false);
    assert_int_equal(o->download.key_id, next);
    answer(o, true);
    pass(o, 2000);
    assert_int_equal(o->air_id, next);
    office_expect(o, "PERSIST DOWNLOAD:bob DOWNLOAD:bob UPDATE MULTICAST:bob ");
    office_free(o);
}

/* MCX-22: a message that is still in the queue when the rotation begins is for the key on air, and goes. */
static void who_has_just_joined_when_a_rotation_begins_gets_both_keys(void **state)
{
    office *o = open_office(state);
    bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
    bring(o, &o->town->bob, BOB_IMPU, CSK(2));
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    office_run(o);
    o->store_holds = true;
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    leave_text(o);
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    o->store_holds = false;
    assert_int_equal(pocpf_persisted(o->pf, o->now_ms, true), POCPF_OK);
    office_run(o);
    office_expect(o, "DOWNLOAD:bob DOWNLOAD:ali MULTICAST:bob DOWNLOAD:bob ");
    office_free(o);
}

/* MCX-22: what is on air is what the expelled one has. */
static void who_joins_while_somebody_is_locked_out_is_never_given_the_old_key(void **state)
{
    office *o = open_pair(state);
    bring(o, &o->town->alice, ALICE_AT_WORK, CSK(3));
    o->answers = false;
    expel(o, BOB_IMPU);
    office_run(o);
    const uint32_t before = o->air_id, next = o->download.key_id;
    assert_int_not_equal(next, before);
    const office_download first = o->download;
    assert_int_equal(join(o, ALICE_AT_WORK), POCPF_OK);
    office_run(o);
    assert_int_equal(o->download.key_id, next);
    answer(o, true);
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, first.user, first.number, true), POCPF_OK);
    office_run(o);
    assert_int_equal(o->air_id, next);
    office_free(o);
}

/* MCX-22: the same when the rotation was a planned one before; also for a message that waits in the queue. */
static void an_expulsion_in_a_planned_rotation_takes_the_key_on_air_from_who_is_on_his_way_to_it(void **state)
{
    office *o;
    const uint32_t next = open_rotation(&o, state);
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_run(o);
    assert_int_equal(o->download.key_id, o->air_id);
    o->store_holds = true;
    assert_int_equal(join(o, ALICE_AT_WORK), POCPF_OK);
    leave_text(o);
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED), POCPF_OK);
    o->store_holds = false;
    assert_int_equal(pocpf_persisted(o->pf, o->now_ms, true), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST HOLD DOWNLOAD:ali ");
    assert_string_equal(o->download.user, ALICE_AT_WORK);
    assert_int_equal(o->download.key_id, next);
    office_free(o);
}

/* Where each coming changes the key, nobody is to hear what was before him. */
static void where_joins_change_the_key_nobody_is_given_the_one_before_him(void **state)
{
    pocpf_channel strict = channel;
    office *o = office_new(*state);
    strict.rekey.on_join = true;
    o->channel = &strict;
    o->answers = true;
    office_boot(o);
    bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
    bring(o, &o->town->bob, BOB_IMPU, CSK(2));
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    office_run(o);
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    leave_text(o);
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST DOWNLOAD:bob ");
    assert_int_not_equal(o->download.key_id, o->air_id);
    office_free(o);
}

static void answer_revocation(office *o, bool ok)
{
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, o->revocation.user, o->revocation.number, ok), POCPF_OK);
}

/* MCX-22, MCX-25: behind the switch, with the very key, and to nobody who did not have it. */
static void the_key_of_who_was_expelled_is_revoked_at_those_who_stay_and_had_it(void **state)
{
    office *o = open_pair(state);
    const uint32_t before = o->air_id;
    uint8_t key[16];
    mcx_opened opened;
    memcpy(key, o->air_key, sizeof(key));
    o->answers = false;
    expel(o, BOB_IMPU);
    office_run(o);
    const office_download rekey = o->download;
    bring(o, &o->town->bob, "sip:carol@ims.example", CSK(6));
    assert_int_equal(pocpf_admit(o->pf, o->now_ms, CHANNEL, "sip:carol@ims.example"), POCPF_OK);
    assert_int_equal(join(o, "sip:carol@ims.example"), POCPF_OK); /* is given the new one only */
    office_run(o);
    assert_null(strstr(o->text, "REVOKE"));
    o->text[0] = '\0';
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, o->download.user, o->download.number, true), POCPF_OK);
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, rekey.number, true), POCPF_OK);
    office_run(o);
    office_expect(o, "UPDATE GO MULTICAST:car REVOKE:ali ");
    assert_int_equal(o->revocation.key_id, before);
    assert_int_equal(office_read(o, &o->town->alice, &o->revocation, &opened), POC_OK);
    assert_true(opened.parameters.is_revoked);
    assert_int_equal(opened.key_id, before);
    assert_memory_equal(poc_secret_bytes(opened.key), key, sizeof(key));
    mcx_opened_done(&opened);
    pass(o, 300000);
    office_expect(o, "");
    office_free(o);
}

static void pass_until_something_happens(office *o)
{
    const int64_t latest_ms = o->now_ms + INT64_C(3600) * 1000;
    while (o->text[0] == '\0' && pocpf_deadline_ms(o->pf) <= latest_ms)
        pass(o, pocpf_deadline_ms(o->pf) - o->now_ms);
}

static void a_revocation_without_answer_is_tried_again_and_then_let_be(void **state)
{
    office *o = open_pair(state);
    o->keeps_revoked = true;
    expel(o, BOB_IMPU);
    office_run(o);
    for (unsigned tries = 1; tries < 8; tries++) {
        o->text[0] = '\0';
        if (tries == 3) /* the shell loses the answer */
            pass(o, 33000);
        else
            answer_revocation(o, false);
        pass_until_something_happens(o);
        office_expect(o, "REVOKE:ali ");
    }
    answer_revocation(o, false);
    pass_until_something_happens(o);
    office_expect(o, "");
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, o->revocation.number, true), POCPF_E_STATE);
    office_free(o);
}

/* MCX-22: a rekey goes first. */
static void a_revocation_waits_while_a_key_is_handed_out(void **state)
{
    office *o = open_pair(state);
    o->keeps_revoked = true;
    expel(o, BOB_IMPU);
    office_run(o);
    answer_revocation(o, false);
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    office_run(o);
    o->text[0] = '\0';
    pass(o, 1500); /* it would be due */
    office_expect(o, "");
    pass(o, 500);
    office_expect(o, "UPDATE REVOKE:ali ");
    answer_revocation(o, true);
    pass_until_something_happens(o);
    office_expect(o, "");
    office_free(o);
}

/* MCX-22: the next key went to one who is expelled before it is used: it is thrown away, and others have it as well. */
static void a_key_that_was_handed_out_and_thrown_away_is_revoked_too(void **state)
{
    office *o = open_pair(state);
    o->answers = false;
    o->keeps_revoked = true;
    const uint32_t first = o->air_id;
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    office_run(o);
    const uint32_t second = o->download.key_id;
    expel(o, BOB_IMPU);
    office_run(o);
    assert_int_not_equal(o->download.key_id, second);
    o->text[0] = '\0';
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, o->download.number, true), POCPF_OK);
    office_run(o);
    office_expect(o, "UPDATE GO REVOKE:ali REVOKE:ali ");
    assert_int_equal(o->revocation.key_id, first);
    office_free(o);
}

static void without_revocation_an_expulsion_only_replaces_the_key(void **state)
{
    pocpf_channel quiet = channel;
    quiet.musik.without_revocation = true;
    office *o = office_new(*state);
    o->channel = &quiet;
    o->answers = true;
    office_boot(o);
    bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
    bring(o, &o->town->bob, BOB_IMPU, CSK(2));
    assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
    assert_int_equal(join(o, BOB_IMPU), POCPF_OK);
    office_run(o);
    o->text[0] = '\0';
    expel(o, BOB_IMPU);
    office_run(o);
    office_expect(o, "HOLD PERSIST DOWNLOAD:ali UPDATE GO ");
    office_free(o);
}

/* A caller from before revocations existed gets them. */
static void a_channel_of_an_older_caller_is_taken_as_it_is(void **state)
{
    office *o = open_office(state);
    pocpf_channel old = channel;
    old.id = "old";
    old.size = offsetof(pocpf_channel, musik.without_revocation);
    old.musik.without_revocation = true; /* out of its sight */
    assert_int_equal(pocpf_channel_add(o->pf, o->now_ms, &old), POCPF_OK);
    old.size--;
    old.id = "older";
    assert_int_equal(pocpf_channel_add(o->pf, o->now_ms, &old), POCPF_E_INPUT);
    office_free(o);
}

static pocpf_mcx_kms *other_kms(const mcx_town *t)
{
    pocpf_mcx_certificate c = { .size = sizeof(c),
                                .kms_uri = OTHER_KMS,
                                .period_s = t->other_certificate.period_s,
                                .offset_s = t->other_certificate.offset_s,
                                .z = mcx_kms_z(t->other_kms).p,
                                .kpak = mcx_kms_kpak(t->other_kms).p };
    pocpf_mcx_kms *kms;
    uint8_t off[MCX_SAKKE_POINT_LEN];
    memcpy(off, c.kpak, MCX_POINT_LEN);
    off[MCX_POINT_LEN - 1] ^= 1;
    const uint8_t *const kpak = c.kpak;
    c.kpak = off;
    assert_int_equal(pocpf_mcx_kms_new(&kms, &c), POCPF_E_INPUT);
    assert_null(kms);
    c.kpak = kpak;
    memcpy(off, c.z, sizeof(off));
    off[sizeof(off) - 1] ^= 1;
    const uint8_t *const z = c.z;
    c.z = off;
    assert_int_equal(pocpf_mcx_kms_new(&kms, &c), POCPF_E_INPUT);
    c.z = z;
    assert_int_equal(pocpf_mcx_kms_new(&kms, &c), POCPF_OK);
    return kms;
}

/* MCX-29: of a neighbour no more is needed than what everybody may know, and without it nobody else waits. */
static void a_user_of_another_kms_is_served_once_its_certificate_is_known_and_no_longer(void **state)
{
    office *o = open_pair(state);
    mcx_opened opened;
    pocpf_mcx_kms *kms = other_kms(o->town);
    assert_int_equal(join(o, GUEST_IMPU), POCPF_OK);
    assert_int_equal(office_bring(o, &o->town->guest, GUEST_IMPU, CSK(5)), POCPF_E_DENIED);
    assert_int_equal(pocpf_mcx_kms_add(o->pf, o->now_ms, kms), POCPF_OK);
    assert_int_equal(pocpf_mcx_kms_add(o->pf, o->now_ms, kms), POCPF_OK);
    pocpf_mcx_kms_free(kms);
    office_run(o);
    o->text[0] = '\0';
    bring(o, &o->town->guest, GUEST_IMPU, CSK(5));
    office_expect(o, "PERSIST BOUND:20000005 DOWNLOAD:gue MULTICAST:gue ");
    assert_int_equal(office_open(o, &o->town->guest, &opened), POC_OK);
    assert_int_equal(opened.key_id, o->air_id);
    mcx_opened_done(&opened);
    assert_int_equal(pocpf_mcx_kms_remove(o->pf, o->now_ms, OTHER_KMS), POCPF_OK);
    assert_int_equal(pocpf_mcx_kms_remove(o->pf, o->now_ms, OTHER_KMS), POCPF_E_STATE);
    assert_int_equal(office_bring(o, &o->town->guest, GUEST_IMPU, CSK(6)), POCPF_E_DENIED);
    assert_int_equal(pocpf_rekey(o->pf, o->now_ms, CHANNEL), POCPF_OK);
    office_run(o);
    assert_non_null(strstr(o->text, "DOWNLOAD:ali"));
    assert_null(strstr(o->text, "DOWNLOAD:gue"));
    pass(o, 2000);
    assert_non_null(strstr(o->text, "UPDATE"));
    office_free(o);
}

/* The server's own keys for the period after the one that the town is made in. */
static pocpf_mcx_keys *keys_of_next_period(const office *o)
{
    const mcx_town *t = o->town;
    const mcx_certificate *c = &t->certificate;
    const mcx_period period = { c->period_s, c->offset_s, t->alice.identity.period_number + 1 };
    uint8_t uid[MCX_UID_LEN];
    mcx_user_keys k;
    pocpf_mcx_keys *keys;
    assert_int_equal(mcx_uid(uid, poc_span_str(MDSI), c->kms_uri, &period), POC_OK);
    assert_int_equal(mcx_kms_issue(&k, t->kms, poc_span_of(uid, sizeof(uid)), &o->rng), POC_OK);
    const pocpf_mcx_material m = { .size = sizeof(m),
                                   .uri = MDSI,
                                   .kms_uri = "kms.example.org",
                                   .period_s = c->period_s,
                                   .offset_s = c->offset_s,
                                   .period_number = period.number,
                                   .z = mcx_kms_z(t->kms).p,
                                   .kpak = mcx_kms_kpak(t->kms).p,
                                   .pvt = k.pvt,
                                   .rsk = k.rsk,
                                   .ssk = k.ssk,
                                   .like = t->server };
    assert_int_equal(pocpf_mcx_keys_new(&keys, &m), POCPF_OK);
    mcx_user_keys_done(&k);
    return keys;
}

static void a_revocation_sleeps_while_nobody_signs_and_goes_on_with_the_next_keys(void **state)
{
    office *o = open_pair(state);
    o->keeps_revoked = true;
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED), POCPF_OK);
    office_run(o);
    assert_int_equal(o->revocations, 1);
    pass(o, (int64_t)o->town->certificate.period_s * 1000);
    assert_int_equal(o->revocations, 1);
    assert_true(pocpf_deadline_ms(o->pf) > o->now_ms);
    pocpf_mcx_keys *keys = keys_of_next_period(o);
    const pocpf_mcx_identity own = { sizeof(own), keys, true };
    o->keeps_revoked = false;
    assert_int_equal(pocpf_mcx_identity_add(o->pf, o->now_ms, &own), POCPF_OK);
    pocpf_mcx_keys_free(keys);
    office_run(o);
    for (int i = 0; i < 100 && o->to_tell == 0; i++)
        pass(o, 1000);
    assert_int_equal(o->revocations, 2);
    assert_int_equal(o->told, 1);
    assert_int_equal(o->to_tell, 1);
    office_free(o);
}

/* One key for both services, and the MuSiK of the other one: he has it no longer than the key, and whoever takes over his device
 * gets neither. */
static void a_musik_that_the_key_of_another_service_was_for_goes_with_that_key(void **state)
{
    pocpf_channel video = channel;
    video.musik.service = 1;
    for (int takes_over = 0; takes_over < 2; takes_over++) {
        office *o = office_new(*state);
        pocpf_member_status m = { .size = sizeof(m) };
        o->channel = &video;
        office_boot(o);
        bring(o, &o->town->alice, ALICE_IMPU, CSK(1));
        assert_int_equal(join(o, ALICE_IMPU), POCPF_OK);
        office_run(o);
        assert_string_equal(o->download.mc_id, ALICE_ID);
        assert_int_equal(o->downloads, 1);
        if (takes_over)
            bring(o, &o->town->bob, ALICE_IMPU, CSK(2));
        else
            assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, ALICE_IMPU), POCPF_OK);
        pass(o, 60000);
        assert_int_equal(pocpf_member_look(o->pf, CHANNEL, ALICE_IMPU, &m), POCPF_E_STATE);
        assert_int_equal(o->downloads, 1);
        office_free(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_with_a_csk_is_sent_the_musik_and_then_it_goes_on_air),
        cmocka_unit_test(nothing_goes_on_air_before_somebody_has_the_key),
        cmocka_unit_test(who_has_an_expired_csk_gets_no_musik_until_he_brings_another),
        cmocka_unit_test(an_expulsion_holds_the_channel_until_all_others_have_another_key),
        cmocka_unit_test(who_logged_off_with_the_key_and_is_expelled_then_is_locked_out),
        cmocka_unit_test(an_expulsion_by_service_id_meets_all_public_identities),
        cmocka_unit_test(a_rotation_is_downloaded_to_all_first_and_switches_at_its_activation_time),
        cmocka_unit_test(who_did_not_answer_is_tried_again_later_and_with_his_next_csk),
        cmocka_unit_test(who_logs_off_leaves_and_the_last_one_takes_the_channel_off_air),
        cmocka_unit_test(members_come_back_after_a_restart_under_a_fresh_key),
        cmocka_unit_test(nobody_is_sent_anything_before_there_is_an_identity_that_signs),
        cmocka_unit_test(an_expulsion_holds_for_all_public_identities_of_the_user),
        cmocka_unit_test(another_user_of_the_same_device_has_to_be_let_in_anew),
        cmocka_unit_test(a_download_that_was_not_sent_yet_is_not_sent_to_who_is_expelled),
        cmocka_unit_test(the_answer_of_who_is_expelled_meanwhile_counts_for_nothing),
        cmocka_unit_test(who_logs_off_during_a_rekey_is_not_waited_for),
        cmocka_unit_test(who_brings_another_csk_during_a_rekey_is_sent_the_next_key_again),
        cmocka_unit_test(who_is_expelled_stays_out_over_a_crash),
        cmocka_unit_test(messages_to_one_user_leave_in_the_order_of_their_times),
        cmocka_unit_test(a_channel_that_comes_back_is_for_what_it_is_added_for),
        cmocka_unit_test(the_key_of_who_was_expelled_is_revoked_at_those_who_stay_and_had_it),
        cmocka_unit_test(a_revocation_without_answer_is_tried_again_and_then_let_be),
        cmocka_unit_test(a_revocation_waits_while_a_key_is_handed_out),
        cmocka_unit_test(a_key_that_was_handed_out_and_thrown_away_is_revoked_too),
        cmocka_unit_test(without_revocation_an_expulsion_only_replaces_the_key),
        cmocka_unit_test(a_channel_of_an_older_caller_is_taken_as_it_is),
        cmocka_unit_test(a_user_of_another_kms_is_served_once_its_certificate_is_known_and_no_longer),
        cmocka_unit_test(who_joins_during_a_planned_rotation_is_given_the_key_on_air_and_then_the_next),
        cmocka_unit_test(who_does_not_take_the_key_on_air_is_given_the_next_all_the_same),
        cmocka_unit_test(who_has_just_joined_when_a_rotation_begins_gets_both_keys),
        cmocka_unit_test(who_joins_while_somebody_is_locked_out_is_never_given_the_old_key),
        cmocka_unit_test(an_expulsion_in_a_planned_rotation_takes_the_key_on_air_from_who_is_on_his_way_to_it),
        cmocka_unit_test(where_joins_change_the_key_nobody_is_given_the_one_before_him),
        cmocka_unit_test(two_channels_have_two_keys_and_members_of_their_own),
        cmocka_unit_test(a_revocation_sleeps_while_nobody_signs_and_goes_on_with_the_next_keys),
        cmocka_unit_test(a_musik_that_the_key_of_another_service_was_for_goes_with_that_key),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
