/* A radio on real sockets of loopback: real HTTP, SIP over TCP, a real multicast group. Nothing waits for time; the loop
 * runs until what is expected was reported, or the deadline fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sofia-sip/su.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tiny_pf.h"
#include "ue/io/radio.h"

enum { STEP_MS = 20, DEADLINE_MS = 60000 };

static const char group[] = "sip:dispatch@home1.example";

typedef struct seen {
    unsigned count[RADIO_UE + 1];
    unsigned ue[POCUE_SERVICE_LEFT + 1];
    int status[RADIO_UE + 1];
} seen;

static pair w;
static su_root_t *root;
static tiny_pf *pf;
static radio *first, *second;
static seen first_seen, second_seen;

static void on_report(void *user, radio *r, const radio_report *report)
{
    seen *s = user;
    (void)r;
    s->count[report->what]++;
    s->status[report->what] = report->status;
    if (report->what == RADIO_UE)
        s->ue[report->event->type]++;
}

static void run_until(const unsigned *counter, unsigned reaches)
{
    int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (*counter < reaches && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_true(*counter >= reaches);
}

static void run_until_answered(void)
{
    run_until(&tiny_pf_look(pf)->answer_status, 1);
}

static radio *radio_open(seen *s, void (*change)(radio_settings *settings))
{
    radio *r;
    radio_settings settings = { .name = "alice",
                                .address = "127.0.0.1",
                                .pf_uri = tiny_pf_uri(pf),
                                .bsf_url = tiny_pf_bsf_url(pf),
                                .interface = "127.0.0.1",
                                .update_allowed = true,
                                .answer_offers = true };
    pair_settings(&settings.ue);
    if (change != NULL)
        change(&settings);
    memset(s, 0, sizeof(*s));
    assert_int_equal(radio_new(&r, root, &settings, on_report, s), POC_OK);
    return r;
}

static int begin(void **state)
{
    (void)state;
    su_init();
    pair_open(&w, NULL);
    w.now_ms = radio_now_ms();
    root = su_root_create(NULL);
    assert_non_null(root);
    su_root_threading(root, 0);
    pf = tiny_pf_new(root, &w, "127.0.0.1", "tcp");
    first = second = NULL;
    return 0;
}

static int end(void **state)
{
    (void)state;
    radio_free(first);
    radio_free(second);
    tiny_pf_free(pf);
    su_root_destroy(root);
    pair_close(&w);
    su_deinit();
    return 0;
}

static void bring_in(radio *r, seen *s)
{
    assert_int_equal(radio_bootstrap(r), POC_OK);
    run_until(&s->count[RADIO_BOOTSTRAPPED], 1);
    assert_int_equal(radio_join(r, group), POC_OK);
    run_until(&s->count[RADIO_IN], 1);
    run_until(&tiny_pf_look(pf)->acked, 1);
}

static void offer_of_loopback(char offer[PAIR_OFFER_MAX], unsigned version)
{
    pair_offer(&w, offer, version, false);
    pair_replace(offer, "192.0.2.50", "127.0.0.1", 0);
}

/* POC-2 */
static void test_a_radio_bootstraps_and_joins_by_answering_the_gba_challenge(void **state)
{
    (void)state;
    first = radio_open(&first_seen, NULL);
    bring_in(first, &first_seen);
    const tiny_pf_seen *at_pf = tiny_pf_look(pf);
    assert_int_equal(at_pf->challenged, 1);
    assert_int_equal(at_pf->authorized, 1);
    assert_int_equal(first_seen.status[RADIO_IN], 200);
    assert_string_equal(at_pf->preferred_identity, "<sip:alice@home1.example>");
    assert_string_equal(at_pf->accept_contact, "*;+g.poc.talkburst;require;explicit");
    assert_non_null(strstr(at_pf->allow, "UPDATE"));
    assert_true(strncmp(at_pf->user_agent, "PoC-client/OMA2.1", 17) == 0);
}

static void test_without_bootstrapping_the_challenge_is_a_refusal(void **state)
{
    (void)state;
    first = radio_open(&first_seen, NULL);
    assert_int_equal(radio_join(first, group), POC_OK);
    run_until(&first_seen.count[RADIO_REFUSED], 1);
    assert_int_equal(first_seen.status[RADIO_REFUSED], 401);
}

static void no_bsf(radio_settings *s)
{
    s->bsf_url = "http://127.0.0.1:1/";
}

static void test_a_silent_bsf_ends_the_bootstrapping_with_a_report(void **state)
{
    (void)state;
    first = radio_open(&first_seen, no_bsf);
    assert_int_equal(radio_bootstrap(first), POC_OK);
    assert_int_equal(radio_bootstrap(first), POC_E_STATE);
    run_until(&first_seen.count[RADIO_BOOTSTRAP_FAILED], 1);
}

/* POC-7, POC-15 */
static void test_an_update_opens_the_channel_and_the_group_is_heard(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    first = radio_open(&first_seen, NULL);
    bring_in(first, &first_seen);
    offer_of_loopback(offer, 2);
    tiny_pf_offer(pf, offer, true);
    run_until_answered();
    assert_int_equal(tiny_pf_look(pf)->answer_status, 200);
    assert_non_null(strstr(tiny_pf_look(pf)->answer, "m=audio 5004 RTP/SAVP 97"));
    assert_int_equal(first_seen.status[RADIO_OFFERED], 200);
    assert_int_equal(first_seen.ue[POCUE_JOIN_GROUP], 1);
    pair_on_air(&w);
    tiny_pf_transmit(pf);
    run_until(&first_seen.ue[POCUE_MTK], 1);
    for (uint16_t seq = 1; seq <= 10; seq++)
        pair_talk(&w, seq);
    tiny_pf_transmit(pf);
    run_until(&first_seen.ue[POCUE_PLAY], 10);
    tiny_pf_bye(pf);
    run_until(&first_seen.count[RADIO_BYED], 1);
    assert_int_equal(first_seen.ue[POCUE_LEAVE_GROUP], 1);
    assert_int_equal(pocue_msks(radio_ue(first), NULL, 0), 0);
}

/* Who was busy for a while finds speech before an STKM, the STKM and speech behind it, each kind in a socket of its own. */
static void test_speech_that_waits_with_the_stkm_of_its_mtk_is_heard(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    first = radio_open(&first_seen, NULL);
    bring_in(first, &first_seen);
    offer_of_loopback(offer, 2);
    tiny_pf_offer(pf, offer, true);
    run_until_answered();
    pair_on_air(&w);
    pair_talk(&w, 1);
    assert_int_equal(w.air_count, 2);
    w.air[w.air_count++] = w.air[1];
    const pair_datagram stkm = w.air[0];
    w.air[0] = w.air[1];
    w.air[1] = stkm;
    tiny_pf_transmit(pf);
    run_until(&first_seen.ue[POCUE_PLAY], 1);
    assert_int_equal(first_seen.ue[POCUE_UNREADABLE], 0);
}

static void keep(radio_settings *s)
{
    s->keep_keys = true;
}

/* POC-17 */
static void test_a_radio_that_keeps_its_keys_goes_on_listening_after_bye(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    first = radio_open(&first_seen, keep);
    bring_in(first, &first_seen);
    offer_of_loopback(offer, 2);
    tiny_pf_offer(pf, offer, true);
    run_until_answered();
    tiny_pf_bye(pf);
    run_until(&first_seen.count[RADIO_BYED], 1);
    pair_on_air(&w);
    tiny_pf_transmit(pf);
    run_until(&first_seen.ue[POCUE_MTK], 1);
    pair_talk(&w, 1);
    tiny_pf_transmit(pf);
    run_until(&first_seen.ue[POCUE_PLAY], 1);
    pair_new_msk(&w, 2);
    pair_on_air(&w);
    pair_talk(&w, 2);
    tiny_pf_transmit(pf);
    run_until(&first_seen.ue[POCUE_UNREADABLE], 1);
    assert_int_equal(first_seen.ue[POCUE_PLAY], 1);
}

static void no_update(radio_settings *s)
{
    s->update_allowed = false;
}

static void test_a_radio_without_update_is_offered_by_reinvite(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    first = radio_open(&first_seen, no_update);
    bring_in(first, &first_seen);
    assert_null(strstr(tiny_pf_look(pf)->allow, "UPDATE"));
    offer_of_loopback(offer, 2);
    tiny_pf_offer(pf, offer, true);
    run_until_answered();
    assert_int_equal(tiny_pf_look(pf)->answer_status, 405);
    tiny_pf_offer(pf, offer, false);
    run_until_answered();
    assert_int_equal(tiny_pf_look(pf)->answer_status, 200);
    assert_int_equal(first_seen.ue[POCUE_KEY], 1);
}

static void refuse(radio_settings *s)
{
    s->refuse_keys = true;
}

/* POC-4: a refusal names itself in a Warning, and the session goes on. */
static void test_a_refused_key_is_answered_488_with_a_warning(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    first = radio_open(&first_seen, refuse);
    bring_in(first, &first_seen);
    offer_of_loopback(offer, 2);
    tiny_pf_offer(pf, offer, true);
    run_until_answered();
    assert_int_equal(tiny_pf_look(pf)->answer_status, 488);
    assert_string_equal(tiny_pf_look(pf)->warning, "399 127.0.0.1 \"refuses keys\"");
    assert_int_equal(first_seen.status[RADIO_OFFERED], 488);
    assert_int_equal(pocue_msks(radio_ue(first), NULL, 0), 0);
    assert_int_equal(radio_leave(first), POC_OK);
    run_until(&first_seen.count[RADIO_OUT], 1);
    assert_int_equal(tiny_pf_look(pf)->byed, 1);
}

static void test_an_expulsion_is_asked_for_by_refer_with_method_bye(void **state)
{
    (void)state;
    first = radio_open(&first_seen, NULL);
    assert_int_equal(radio_expel(first, "sip:bob@home2.example"), POC_E_STATE);
    bring_in(first, &first_seen);
    assert_int_equal(radio_expel(first, "sip:bob@home2.example"), POC_OK);
    run_until(&tiny_pf_look(pf)->referred, 1);
    assert_string_equal(tiny_pf_look(pf)->refer_to, "<sip:bob@home2.example;method=BYE>");
}

/* Both sockets of one process hear every datagram of the group. */
static void test_two_radios_in_one_process_hear_the_same_group(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    radio **radios[] = { &first, &second };
    seen *seens[] = { &first_seen, &second_seen };
    for (size_t i = 0; i < 2; i++) {
        *radios[i] = radio_open(seens[i], NULL);
        tiny_pf_look(pf)->acked = 0;
        bring_in(*radios[i], seens[i]);
        offer_of_loopback(offer, 2);
        tiny_pf_offer(pf, offer, true);
        run_until_answered();
        assert_int_equal(tiny_pf_look(pf)->answer_status, 200);
    }
    assert_int_not_equal(radio_ssrc(first), radio_ssrc(second));
    pair_on_air(&w);
    tiny_pf_transmit(pf);
    run_until(&first_seen.ue[POCUE_MTK], 1);
    run_until(&second_seen.ue[POCUE_MTK], 1);
    pair_talk(&w, 1);
    tiny_pf_transmit(pf);
    run_until(&first_seen.ue[POCUE_PLAY], 1);
    run_until(&second_seen.ue[POCUE_PLAY], 1);
}

static void pf_change(const char *address, const char *transport)
{
    tiny_pf_free(pf);
    pf = tiny_pf_new(root, &w, address, transport);
}

static void test_sip_over_udp_does_as_well(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    pf_change("127.0.0.1", "udp");
    first = radio_open(&first_seen, no_update);
    bring_in(first, &first_seen);
    offer_of_loopback(offer, 2);
    tiny_pf_offer(pf, offer, false);
    run_until_answered();
    assert_int_equal(tiny_pf_look(pf)->answer_status, 200);
    assert_int_equal(radio_leave(first), POC_OK);
    assert_int_equal(radio_leave(first), POC_E_STATE);
    run_until(&first_seen.count[RADIO_OUT], 1);
    assert_int_equal(radio_join(first, group), POC_OK);
    run_until(&first_seen.count[RADIO_IN], 2);
}

static void at_ip6(radio_settings *s)
{
    s->address = s->interface = "::1";
}

/* Nothing is sent: few machines route IPv6 multicast over loopback. */
static void test_sip_over_ipv6_does_as_well(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    pf_change("::1", "tcp");
    first = radio_open(&first_seen, at_ip6);
    bring_in(first, &first_seen);
    pair_offer(&w, offer, 2, true);
    pair_replace(offer, "2001:db8::50", "::1", 0);
    tiny_pf_offer(pf, offer, true);
    run_until_answered();
    assert_int_equal(tiny_pf_look(pf)->answer_status, 200);
    assert_int_equal(first_seen.ue[POCUE_JOIN_GROUP], 1);
}

static void silent(radio_settings *s)
{
    s->answer_offers = false;
}

/* Under the sanitizers this is a test of what is left behind. */
static void test_a_radio_can_end_in_the_middle_of_everything(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    first = radio_open(&first_seen, NULL);
    assert_int_equal(radio_bootstrap(first), POC_OK);
    su_root_step(root, 0);
    radio_free(first);
    first = radio_open(&first_seen, NULL);
    assert_int_equal(radio_join(first, group), POC_OK);
    assert_int_equal(radio_join(first, group), POC_E_STATE);
    su_root_step(root, 0);
    radio_free(first);
    first = radio_open(&first_seen, silent);
    bring_in(first, &first_seen);
    offer_of_loopback(offer, 2);
    tiny_pf_offer(pf, offer, true);
    for (int steps = 0; steps < 10; steps++)
        su_root_step(root, 1);
    assert_int_equal(tiny_pf_look(pf)->answer_status, 0);
    assert_int_equal(first_seen.count[RADIO_OFFERED], 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_radio_bootstraps_and_joins_by_answering_the_gba_challenge),
        T(test_without_bootstrapping_the_challenge_is_a_refusal),
        T(test_a_silent_bsf_ends_the_bootstrapping_with_a_report),
        T(test_an_update_opens_the_channel_and_the_group_is_heard),
        T(test_speech_that_waits_with_the_stkm_of_its_mtk_is_heard),
        T(test_a_radio_that_keeps_its_keys_goes_on_listening_after_bye),
        T(test_a_radio_without_update_is_offered_by_reinvite),
        T(test_a_refused_key_is_answered_488_with_a_warning),
        T(test_an_expulsion_is_asked_for_by_refer_with_method_bye),
        T(test_sip_over_udp_does_as_well),
        T(test_sip_over_ipv6_does_as_well),
        T(test_a_radio_can_end_in_the_middle_of_everything),
        T(test_two_radios_in_one_process_hear_the_same_group),
    };
    return cmocka_run_group_tests_name("radio", tests, NULL, NULL);
}
