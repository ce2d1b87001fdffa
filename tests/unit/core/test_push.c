/* MBMS push and pull at the engine: registrations, pushes that get lost, pulls, solicited pulls, bars, MUKs that end, both
 * ways at once, and clients that come and go by either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mikey/mikey.h"
#include "tests/unit/core/shell.h"

/* A pure MBMS user service: no session, no roster. */
static shell *service(void)
{
    shell *s = shell_new(3);
    s->conf.group_uri = NULL;
    s->conf.rekey.delivery = POCPF_BY_PUSH;
    shell_boot(s);
    return s;
}

/* ALICE and BOB hold MSK 1 of a running service. */
static shell *pair(void)
{
    shell *s = service();
    shell_register(s, ALICE);
    shell_register(s, BOB);
    shell_forget(s);
    return s;
}

/* MBMS-6, MBMS-7 */
static void a_registration_is_answered_with_a_push_and_the_verification_starts_the_channel(void **state)
{
    (void)state;
    shell *s = service();
    client *alice = shell_register(s, ALICE);
    shell_expect(s, "PERSIST\n"
                    "PUSH " ALICE " 10010001\n"
                    "START 10010001");
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    assert_int_equal(alice->holds, s->air_id);
    assert_string_equal(shell_state(s), "active");
    shell_free(s);
}

/* MBMS-8 */
static void an_expulsion_pushes_the_new_key_to_all_others_and_to_nobody_else(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    bob->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "PUSH " ALICE " 10010002\n"
                    "UPDATE 10010002\n"
                    "GATE open");
    assert_int_equal(shell_register_only(s, bob), POCPF_E_DENIED);
    assert_int_equal(shell_pull(s, bob, SHELL_ID(0)), POCPF_E_DENIED);
    shell_free(s);
}

/* MBMS-7: without the V flag nobody answers: what was sent counts as taken. */
static void without_the_v_flag_a_push_counts_as_taken_when_it_is_sent(void **state)
{
    (void)state;
    shell *s = shell_new(3);
    s->conf.group_uri = NULL;
    s->conf.rekey.delivery = POCPF_BY_PUSH;
    s->set.require_verification = false;
    shell_boot(s);
    client *alice = shell_register(s, ALICE);
    assert_int_equal(alice->reply_len, 0);
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    assert_int_equal(s->air_id, SHELL_ID(1));
    shell_free(s);
}

/* MBMS-9: 1, 2, 4, 8 s; three times the same datagram, then two fresh ones; then the client will have to pull. */
static void a_push_without_verification_is_sent_again_and_given_up(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    bob->deaf = true;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    size_t messages = bob->sent_count;
    static const int64_t waits_ms[] = { 1000, 2000, 4000, 8000 };
    for (size_t i = 0; i < 4; i++) {
        shell_live(s, waits_ms[i] - 1);
        shell_forget(s);
        shell_live(s, 1);
        shell_expect(s, "PUSH " BOB " 10010002 again");
        assert_int_equal(bob->sent_count, messages + (i < 2 ? 0 : i - 1));
    }
    assert_string_equal(shell_member_state(s, BOB), "pushed");
    shell_live(s, 8000);
    shell_expect(s, "");
    assert_string_equal(shell_member_state(s, BOB), "stale");
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_STALE], 1);
    shell_live(s, 3600000);
    shell_expect(s, "");
    shell_free(s);
}

/* MBMS-9 */
static void the_switch_waits_for_pushes_until_its_deadline_only(void **state)
{
    (void)state;
    shell *s = pair();
    shell_client(s, BOB)->deaf = true;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_state(s), "rekeying");
    shell_live(s, 1999);
    assert_int_equal(s->air_id, SHELL_ID(1));
    shell_live(s, 1);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_string_equal(shell_member_state(s, BOB), "pushed");
    shell_free(s);
}

/* BOB has been pushed MSK 2 in vain. */
static shell *pair_with_stale_bob(void)
{
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    bob->deaf = true;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    shell_live(s, 60000);
    assert_string_equal(shell_member_state(s, BOB), "stale");
    bob->deaf = false;
    shell_forget(s);
    return s;
}

/* MBMS-1, MBMS-3, MBMS-6, MBMS-12 */
static void a_stale_member_gets_the_current_key_when_it_asks(void **state)
{
    (void)state;
    shell *s = pair_with_stale_bob();
    client *bob = shell_client(s, BOB);
    assert_int_equal(shell_pull(s, bob, SHELL_ID(0)), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PUSH " BOB " 10010002");
    assert_int_equal(bob->holds, s->air_id);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_PULLED], 1);
    shell_free(s);
}

/* MBMS-8 */
static void a_stale_member_is_pushed_the_next_key_again(void **state)
{
    (void)state;
    shell *s = pair_with_stale_bob();
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    assert_int_equal(shell_client(s, BOB)->holds, SHELL_ID(3));
    shell_free(s);
}

/* MBMS-9: he had the key all the time; only his answers were lost. */
static void a_verification_that_comes_after_the_last_try_still_confirms(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    s->answers_now = false;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    shell_live(s, 60000);
    assert_string_equal(shell_member_state(s, BOB), "stale");
    assert_int_equal(shell_reply(s, bob), POCPF_OK);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    shell_free(s);
}

static pocpf_err heard(shell *s, const client *from, const uint8_t *octets, size_t len)
{
    pocpf_datagram d = { from->address, from->address_len, octets, len, POCPF_OK };
    assert_int_equal(pocpf_push_heard(s->pf, s->now_ms, &d, 1), d.verdict == POCPF_OK);
    return d.verdict;
}

/* MBMS-7: what does not fit the push that is out changes nothing. */
static void a_verification_counts_only_from_its_place_with_its_number_and_its_mac(void **state)
{
    (void)state;
    shell *s = pair();
    client *alice = shell_client(s, ALICE), *bob = shell_client(s, BOB);
    uint8_t altered[512];
    s->answers_now = false;
    shell_forget(s);
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    size_t len = bob->reply_len;
    assert_true(len > 20 && len <= sizeof(altered));
    memcpy(altered, bob->reply, len);
    altered[len - 1] ^= 1;
    assert_int_equal(heard(s, bob, altered, len), POCPF_E_AUTH);
    assert_int_equal(heard(s, bob, altered, len - 1), POCPF_E_INPUT);
    assert_int_equal(heard(s, bob, NULL, 0), POCPF_E_INPUT);
    assert_int_equal(heard(s, alice, bob->reply, len), POCPF_E_STATE);
    memcpy(altered, bob->reply, len);
    altered[15] ^= 64; /* the counter */
    assert_int_equal(heard(s, bob, altered, len), POCPF_E_STATE);
    assert_string_equal(shell_member_state(s, BOB), "pushed");
    assert_int_equal(heard(s, bob, bob->reply, len), POCPF_OK);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    assert_int_equal(heard(s, bob, bob->reply, len), POCPF_E_STATE); /* it confirmed already */
    shell_free(s);
}

/* RFC 3830, 5.1.2 */
static void an_authentic_error_message_makes_the_next_sending_a_fresh_one(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    bob->habit = CLIENT_REFUSES;
    s->answers_now = false;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    size_t messages = bob->sent_count;
    uint8_t forged[512];
    memcpy(forged, bob->reply, bob->reply_len);
    forged[bob->reply_len - 1] ^= 1;
    assert_int_equal(heard(s, bob, forged, bob->reply_len), POCPF_E_AUTH);
    assert_int_equal(shell_reply(s, bob), POCPF_E_DENIED);
    bob->habit = CLIENT_ACCEPTS;
    s->answers_now = true;
    shell_live(s, 1000);
    assert_int_equal(bob->sent_count, messages + 1);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    shell_free(s);
}

static void a_flood_of_error_messages_is_not_looked_into(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    bob->habit = CLIENT_REFUSES;
    s->answers_now = false;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(heard(s, shell_client(s, CAROL), bob->reply, bob->reply_len), POCPF_E_STATE);
    assert_int_equal(heard(s, bob, bob->reply, bob->reply_len), POCPF_E_LIMIT);
    s->now_ms += 1000;
    assert_int_equal(heard(s, bob, bob->reply, bob->reply_len), POCPF_E_DENIED);
    shell_free(s);
}

/* MBMS-3 */
static void only_a_key_that_is_to_be_had_can_be_pulled(void **state)
{
    (void)state;
    shell *s = pair();
    client *alice = shell_client(s, ALICE), *carol = shell_client(s, CAROL);
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_int_equal(shell_pull(s, alice, SHELL_ID(1)), POCPF_E_STATE); /* over */
    assert_int_equal(shell_pull(s, alice, SHELL_ID(3)), POCPF_E_STATE); /* not yet made */
    assert_int_equal(shell_pull(s, alice, 0x10020000), POCPF_E_STATE);  /* of nobody */
    assert_int_equal(shell_pull(s, carol, SHELL_ID(2)), POCPF_E_DENIED);
    shell_authenticate(s, carol);
    assert_int_equal(shell_pull(s, carol, SHELL_ID(2)), POCPF_E_DENIED);
    assert_int_equal(shell_pull(s, alice, SHELL_ID(2)), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    shell_free(s);
}

/* MBMS-3: what is being handed out is given, whichever of the two was asked for. */
static void a_pull_during_a_rekey_is_answered_with_the_next_key(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    bob->deaf = true;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    bob->deaf = false;
    shell_forget(s);
    assert_int_equal(shell_pull(s, bob, SHELL_ID(1)), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PUSH " BOB " 10010002\n"
                    "UPDATE 10010002");
    shell_free(s);
}

/* POC-20, digest "GBA" 4.2: a client that is given n+2 loses n, so nothing goes out under n meanwhile. */
static void a_key_after_the_next_is_handed_out_behind_a_shut_gate_whatever_the_policy(void **state)
{
    (void)state;
    shell *s = shell_new(3);
    s->conf.group_uri = NULL;
    s->conf.rekey = (pocpf_rekey_policy){ .delivery = POCPF_BY_PUSH, .gate = POCPF_GATE_CONTINUE };
    shell_boot(s);
    shell_register(s, ALICE);
    shell_register(s, BOB);
    shell_register(s, CAROL);
    s->answers_now = false;
    shell_client(s, BOB)->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    assert_false(s->hold);
    shell_forget(s);
    shell_client(s, CAROL)->barred_from = SHELL_ID(3);
    assert_int_equal(shell_depart(s, CAROL, POCPF_EXPELLED), POCPF_OK);
    shell_client(s, ALICE)->reply_len = 0;
    s->answers_now = true;
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "PUSH " ALICE " 10010003\n"
                    "UPDATE 10010003\n"
                    "GATE open");
    shell_free(s);
}

/* MBMS-10: three times, until he makes contact. */
static void a_member_is_asked_to_pull_until_it_makes_contact(void **state)
{
    (void)state;
    shell *s = pair();
    client *alice = shell_client(s, ALICE), *bob = shell_client(s, BOB);
    assert_int_equal(pocpf_solicit(s->pf, s->now_ms, SHELL_CHANNEL, ALICE), POCPF_OK);
    assert_int_equal(pocpf_solicit(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_OK);
    assert_int_equal(pocpf_solicit(s->pf, s->now_ms, SHELL_CHANNEL, CAROL), POCPF_E_STATE);
    shell_live(s, 0);
    shell_expect(s, "PUSH " ALICE " 10010000\n"
                    "PUSH " BOB " 10010000");
    assert_int_equal(alice->holds, SHELL_ID(1)); /* never key number 0 */
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    assert_int_equal(shell_pull(s, alice, SHELL_ID(0)), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    shell_live(s, 60000);
    shell_expect(s, "PUSH " BOB " 10010000 again\n"
                    "PUSH " BOB " 10010000 again");
    assert_int_equal(bob->solicited, 3);
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_SOLICITED], 2);
    shell_free(s);
}

/* MBMS-14: not all at once. */
static void a_solicitation_of_all_is_spread(void **state)
{
    (void)state;
    shell *s = shell_new(3);
    s->conf.group_uri = NULL;
    s->conf.rekey.delivery = POCPF_BY_PUSH;
    s->set.solicit_per_s = 20;
    shell_boot(s);
    for (unsigned i = 0; i < 50; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "sip:u%u@example.com", i);
        shell_register(s, name);
    }
    s->counts[POCPF_DO_PUSH] = 0;
    assert_int_equal(pocpf_solicit(s->pf, s->now_ms, SHELL_CHANNEL, NULL), POCPF_OK);
    shell_live(s, 999);
    assert_int_equal(s->counts[POCPF_DO_PUSH], 20);
    shell_live(s, 1000);
    assert_int_equal(s->counts[POCPF_DO_PUSH], 40);
    shell_live(s, 1000);
    assert_int_equal(s->counts[POCPF_DO_PUSH], 50);
    shell_live(s, 60000);
    assert_int_equal(s->counts[POCPF_DO_PUSH], 150);
    shell_free(s);
}

static void authenticate_until(shell *s, client *c, int64_t expires_ms)
{
    pocpf_credential credential = { sizeof(credential), c->name, c->btid, c->muk, expires_ms };
    assert_int_equal(pocpf_authenticated(s->pf, s->now_ms, &credential), POCPF_OK);
}

/* MBMS-10, MBMS-11 */
static void a_muk_about_to_expire_brings_a_solicitation_and_an_expired_one_the_end(void **state)
{
    (void)state;
    shell *s = pair();
    client *alice = shell_client(s, ALICE), *bob = shell_client(s, BOB);
    int64_t end_ms = s->now_ms + 1000000;
    authenticate_until(s, alice, end_ms);
    authenticate_until(s, bob, end_ms);
    shell_live(s, 1000000 - 300001);
    assert_int_equal(alice->solicited + bob->solicited, 0);
    shell_live(s, 1001);
    assert_int_equal(alice->solicited, 1);
    shell_authenticate(s, alice); /* she bootstraps again and pulls */
    assert_int_equal(shell_pull(s, alice, SHELL_ID(0)), POCPF_OK);
    shell_run(s);
    shell_live(s, 302000);
    assert_int_equal(alice->solicited, 1);
    assert_int_equal(bob->solicited, 3);
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    assert_string_equal(shell_member_state(s, BOB), "out");
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_LEFT], 1);
    shell_free(s);
}

/* MBMS-11: a push that is out is made again under the new MUK. */
static void a_new_muk_gets_a_push_of_its_own(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    bob->deaf = true;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    bob->deaf = false;
    shell_authenticate(s, bob);
    shell_run(s);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* POC-17 */
static void the_bar_of_an_expelled_user_survives_a_crash_until_he_is_admitted(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    assert_int_equal(pocpf_admit(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_E_STATE);
    bob->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    shell_crash(s);
    shell_run(s);
    shell_contact(s, bob);
    assert_int_equal(shell_register_only(s, bob), POCPF_E_DENIED);
    assert_int_equal(pocpf_admit(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_OK);
    shell_run(s);
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_ADMITTED], 1);
    shell_crash(s);
    shell_run(s);
    shell_authenticate(s, bob);
    assert_int_equal(shell_register_only(s, bob), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    shell_free(s);
}

/* POC-17 */
static void the_focus_that_lets_an_expelled_user_in_lifts_his_bar(void **state)
{
    (void)state;
    shell *s = shell_trio((pocpf_rekey_policy){ 0 });
    client *bob = shell_client(s, BOB);
    assert_int_equal(shell_depart(s, BOB, POCPF_REMOVED), POCPF_OK);
    shell_run(s);
    assert_true(shell_has_bar(s, bob));
    assert_int_equal(shell_register_only(s, bob), POCPF_E_DENIED);
    shell_join(s, BOB);
    assert_false(shell_has_bar(s, bob));
    assert_int_equal(shell_register_only(s, bob), POCPF_OK);
    shell_free(s);
}

static void a_list_of_bars_that_is_full_lets_nobody_new_in(void **state)
{
    (void)state;
    shell *s = shell_new(3);
    s->conf.group_uri = NULL;
    s->conf.rekey.delivery = POCPF_BY_PUSH;
    s->set.members_max = 3;
    shell_boot(s);
    static const char *const names[] = { ALICE, BOB, CAROL };
    for (size_t i = 0; i < 3; i++) {
        shell_register(s, names[i]);
        assert_int_equal(shell_depart(s, names[i], POCPF_EXPELLED), POCPF_OK);
        shell_run(s);
    }
    client *dave = shell_client(s, DAVE);
    s->now_ms += 100000000; /* the MUKs of the others are over and make room */
    shell_authenticate(s, dave);
    assert_int_equal(shell_register_only(s, dave), POCPF_E_LIMIT);
    assert_int_equal(pocpf_admit(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_OK);
    assert_int_equal(shell_register_only(s, dave), POCPF_OK);
    shell_free(s);
}

static void a_channel_without_a_session_takes_no_sip_and_needs_push(void **state)
{
    (void)state;
    shell *s = service();
    client *alice = shell_client(s, ALICE);
    shell_authenticate(s, alice);
    assert_int_equal(shell_join_only(s, alice), POCPF_E_STATE);
    pocpf_channel c = s->conf;
    c.id = "other";
    c.key_group = 2;
    c.rekey.delivery = POCPF_BY_SIP;
    assert_int_equal(pocpf_channel_add(s->pf, s->now_ms, &c), POCPF_E_INPUT);
    c.group_uri = "";
    c.rekey.delivery = POCPF_BY_PUSH | POCPF_BY_SIP;
    assert_int_equal(pocpf_channel_add(s->pf, s->now_ms, &c), POCPF_OK);
    c.group_uri = SHELL_GROUP;
    assert_int_equal(pocpf_channel_change(s->pf, s->now_ms, &c), POCPF_E_STATE);
    shell_free(s);
}

static void a_registration_needs_a_channel_an_address_and_a_muk(void **state)
{
    (void)state;
    shell *s = service();
    pocpf_registration r = { sizeof(r), SHELL_CHANNEL, ALICE, "there", 5 };
    assert_int_equal(pocpf_registered(s->pf, s->now_ms, &r), POCPF_E_AUTH);
    shell_authenticate(s, shell_client(s, ALICE));
    r.address_len = 0;
    assert_int_equal(pocpf_registered(s->pf, s->now_ms, &r), POCPF_E_INPUT);
    r.address_len = POCPF_ADDRESS_MAX + 1;
    assert_int_equal(pocpf_registered(s->pf, s->now_ms, &r), POCPF_E_INPUT);
    r.address_len = 5;
    r.channel = "nowhere";
    assert_int_equal(pocpf_registered(s->pf, s->now_ms, &r), POCPF_E_STATE);
    r.channel = SHELL_CHANNEL;
    assert_int_equal(pocpf_registered(s->pf, s->now_ms, &r), POCPF_OK);
    shell_free(s);
}

static void deregistration_is_leaving_for_one_who_is_only_registered(void **state)
{
    (void)state;
    shell *s = pair();
    assert_int_equal(pocpf_deregistered(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_member_state(s, BOB), "out");
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_DEREGISTERED], 1);
    assert_int_equal(s->audits[POCPF_AUDIT_MEMBER_LEFT], 1);
    assert_int_equal(pocpf_deregistered(s->pf, s->now_ms, SHELL_CHANNEL, BOB), POCPF_E_STATE);
    assert_int_equal(shell_register_only(s, shell_client(s, BOB)), POCPF_OK); /* he may come again */
    shell_free(s);
}

static void a_registration_from_a_new_address_moves_the_pushes_there(void **state)
{
    (void)state;
    shell *s = pair();
    client *bob = shell_client(s, BOB);
    shell_move(s, bob);
    assert_int_equal(shell_register_only(s, bob), POCPF_OK);
    shell_run(s);
    pocpf_member_status status;
    assert_true(shell_look(s, bob, &status));
    assert_true(status.by_push && !status.by_sip);
    assert_int_equal(status.address_len, bob->address_len);
    assert_memory_equal(status.address, bob->address, bob->address_len);
    assert_string_equal(status.state, "keyed");
    shell_crash(s); /* and stay there */
    shell_run(s);
    assert_int_equal(bob->holds, SHELL_ID(2));
    shell_free(s);
}

/* An authentic client that asks again and again costs the store nothing. */
static void a_request_that_changes_nothing_is_not_written(void **state)
{
    (void)state;
    shell *s = pair();
    client *alice = shell_client(s, ALICE);
    for (unsigned i = 0; i < 3; i++) {
        shell_contact(s, alice);
        assert_int_equal(shell_register_only(s, alice), POCPF_OK);
        shell_run(s);
        shell_contact(s, alice);
        assert_int_equal(shell_pull(s, alice, SHELL_ID(0)), POCPF_OK);
        shell_run(s);
    }
    shell_expect(s, "PUSH " ALICE " 10010001\n"
                    "PUSH " ALICE " 10010001\n"
                    "PUSH " ALICE " 10010001\n"
                    "PUSH " ALICE " 10010001\n"
                    "PUSH " ALICE " 10010001\n"
                    "PUSH " ALICE " 10010001");
    shell_free(s);
}

/* House 4.F: no dialog to bring back, a fresh key all the same. */
static void after_a_restart_the_registered_are_pushed_a_fresh_key(void **state)
{
    (void)state;
    shell *s = pair();
    shell_crash(s);
    shell_run(s);
    assert_int_equal(s->counts[POCPF_DO_RESTORED], 0);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_string_equal(shell_member_state(s, ALICE), "keyed");
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    shell_free(s);
}

/* ---- beside SIP ---- */

static shell *session(uint32_t delivery)
{
    shell *s = shell_new(3);
    s->conf.rekey.delivery = delivery;
    shell_boot(s);
    shell_join(s, ALICE);
    shell_join(s, BOB);
    shell_forget(s);
    return s;
}

/* MBMS-8 */
static void a_member_with_both_ways_is_rekeyed_by_the_one_that_is_wanted(void **state)
{
    (void)state;
    shell *s = session(POCPF_BY_PUSH);
    client *bob = shell_client(s, BOB);
    assert_int_equal(shell_register_only(s, bob), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST\n"
                    "PUSH " BOB " 10010001"); /* he goes on hearing the multicast */
    assert_int_equal(shell_pull(s, bob, SHELL_ID(0)), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PUSH " BOB " 10010001\n"
                    "SERVE " BOB " unicast\n" /* for he says that he cannot */
                    "SERVE " BOB " multicast");
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST\n"
                    "PUSH " BOB " 10010002\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "UPDATE 10010002");
    shell_free(s);
}

/* MBMS-7: the shell of this test holds every message against the others of its counter: the octets are the same. */
static void by_both_ways_goes_one_message_and_the_first_confirmation_wins(void **state)
{
    (void)state;
    shell *s = session(POCPF_BY_SIP | POCPF_BY_PUSH);
    client *bob = shell_client(s, BOB);
    assert_int_equal(shell_register_only(s, bob), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    size_t messages = bob->sent_count;
    s->answers_now = false;
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "OFFER " BOB " rekey 10010002\n"
                    "PUSH " BOB " 10010002");
    assert_int_equal(bob->sent_count, messages + 1);
    assert_int_equal(shell_reply(s, bob), POCPF_OK);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    bob->habit = CLIENT_REFUSES; /* too late */
    shell_answer(s, bob);
    assert_string_equal(shell_member_state(s, BOB), "keyed");
    shell_answer(s, shell_client(s, ALICE));
    shell_run(s);
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_true(bob->multicast);
    shell_free(s);
}

static void one_who_is_registered_gets_his_lines_when_he_joins(void **state)
{
    (void)state;
    shell *s = session(POCPF_BY_PUSH);
    client *carol = shell_register(s, CAROL);
    assert_string_equal(shell_member_state(s, CAROL), "keyed");
    assert_false(carol->multicast);
    shell_forget(s);
    assert_int_equal(shell_join_only(s, carol), POCPF_OK);
    shell_run(s);
    shell_expect(s, "PERSIST\n"
                    "OFFER " CAROL " open 10010001\n"
                    "SERVE " CAROL " multicast");
    assert_int_equal(shell_join_only(s, carol), POCPF_E_STATE);
    assert_int_equal(pocpf_deregistered(s->pf, s->now_ms, SHELL_CHANNEL, CAROL), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_member_state(s, CAROL), "keyed");
    assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
    shell_run(s);
    assert_int_equal(carol->holds, SHELL_ID(2)); /* by SIP */
    shell_free(s);
}

/* POC-23: the session ends; who is registered for the service stays, under a fresh key. */
static void the_registered_outlive_the_session(void **state)
{
    (void)state;
    shell *s = session(POCPF_BY_PUSH);
    client *carol = shell_register(s, CAROL);
    shell_forget(s);
    assert_int_equal(pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_ENDED, false, 0), POCPF_OK);
    shell_run(s);
    assert_string_equal(shell_member_state(s, ALICE), "out");
    assert_string_equal(shell_member_state(s, CAROL), "keyed");
    assert_int_equal(s->air_id, SHELL_ID(2));
    assert_int_equal(carol->holds, SHELL_ID(2));
    shell_free(s);
}

static void an_expelled_member_with_both_ways_is_given_nothing_by_either(void **state)
{
    (void)state;
    shell *s = session(POCPF_BY_SIP | POCPF_BY_PUSH);
    client *bob = shell_client(s, BOB);
    assert_int_equal(shell_register_only(s, bob), POCPF_OK);
    shell_run(s);
    shell_forget(s);
    bob->barred_from = SHELL_ID(2);
    assert_int_equal(shell_depart(s, BOB, POCPF_EXPELLED), POCPF_OK);
    shell_run(s);
    shell_expect(s, "GATE hold\n"
                    "PERSIST\n"
                    "RELEASE " BOB " expel\n"
                    "OFFER " ALICE " rekey 10010002\n"
                    "UPDATE 10010002\n"
                    "GATE open");
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registration_is_answered_with_a_push_and_the_verification_starts_the_channel),
        cmocka_unit_test(an_expulsion_pushes_the_new_key_to_all_others_and_to_nobody_else),
        cmocka_unit_test(without_the_v_flag_a_push_counts_as_taken_when_it_is_sent),
        cmocka_unit_test(a_push_without_verification_is_sent_again_and_given_up),
        cmocka_unit_test(the_switch_waits_for_pushes_until_its_deadline_only),
        cmocka_unit_test(a_stale_member_gets_the_current_key_when_it_asks),
        cmocka_unit_test(a_stale_member_is_pushed_the_next_key_again),
        cmocka_unit_test(a_verification_that_comes_after_the_last_try_still_confirms),
        cmocka_unit_test(a_verification_counts_only_from_its_place_with_its_number_and_its_mac),
        cmocka_unit_test(an_authentic_error_message_makes_the_next_sending_a_fresh_one),
        cmocka_unit_test(a_flood_of_error_messages_is_not_looked_into),
        cmocka_unit_test(only_a_key_that_is_to_be_had_can_be_pulled),
        cmocka_unit_test(a_pull_during_a_rekey_is_answered_with_the_next_key),
        cmocka_unit_test(a_key_after_the_next_is_handed_out_behind_a_shut_gate_whatever_the_policy),
        cmocka_unit_test(a_member_is_asked_to_pull_until_it_makes_contact),
        cmocka_unit_test(a_solicitation_of_all_is_spread),
        cmocka_unit_test(a_muk_about_to_expire_brings_a_solicitation_and_an_expired_one_the_end),
        cmocka_unit_test(a_new_muk_gets_a_push_of_its_own),
        cmocka_unit_test(the_bar_of_an_expelled_user_survives_a_crash_until_he_is_admitted),
        cmocka_unit_test(the_focus_that_lets_an_expelled_user_in_lifts_his_bar),
        cmocka_unit_test(a_list_of_bars_that_is_full_lets_nobody_new_in),
        cmocka_unit_test(a_channel_without_a_session_takes_no_sip_and_needs_push),
        cmocka_unit_test(a_registration_needs_a_channel_an_address_and_a_muk),
        cmocka_unit_test(deregistration_is_leaving_for_one_who_is_only_registered),
        cmocka_unit_test(a_registration_from_a_new_address_moves_the_pushes_there),
        cmocka_unit_test(a_request_that_changes_nothing_is_not_written),
        cmocka_unit_test(after_a_restart_the_registered_are_pushed_a_fresh_key),
        cmocka_unit_test(a_member_with_both_ways_is_rekeyed_by_the_one_that_is_wanted),
        cmocka_unit_test(by_both_ways_goes_one_message_and_the_first_confirmation_wins),
        cmocka_unit_test(one_who_is_registered_gets_his_lines_when_he_joins),
        cmocka_unit_test(the_registered_outlive_the_session),
        cmocka_unit_test(an_expelled_member_with_both_ways_is_given_nothing_by_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
