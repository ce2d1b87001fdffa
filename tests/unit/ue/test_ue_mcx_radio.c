/* A mission critical radio on real sockets of loopback: a KMS behind real HTTP, a server behind SIP over TCP, a real multicast
 * group. Nothing waits for time; the loop runs until what is expected was seen, or the deadline fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sofia-sip/su.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "pf/wire/air.h"
#include "tiny_mcx.h"
#include "ue/io/radio.h"

enum { STEP_MS = 20, DEADLINE_MS = 10000, MONTH_S = 20 * 24 * 3600 };

#define MUSIK 0x60000000u
#define CSK   0x20000000u

static const char group[] = "sip:dispatch@home1.example";
static const uint8_t tmgi[WIRE_MCX_TMGI_LEN] = { 0, 0, 7, 0x62, 0xf2, 0x10 };

static pair w;
static su_root_t *root;
static tiny_pf *pf;
static tiny_mcx *server, *lasting; /* the latter for all tests that have no periods of their own */
static pocue *like;                /* provisioned by it */
static tiny_mcx_says *says;
static tiny_mcx_seen *at;
static radio *r;
static struct seen {
    unsigned count[RADIO_UE + 1], ue[POCUE_MCX_MAPPED + 1], events;
    unsigned key_before_answer; /* of the last answer: events of keys before it */
    int status[RADIO_UE + 1];
    char text[256], method[16];
    uint32_t key_id;
    bool by_multicast;
} seen;

static void on_report(void *user, radio *of, const radio_report *report)
{
    (void)user, (void)of;
    seen.count[report->what]++;
    seen.status[report->what] = report->status;
    if (report->what == RADIO_MCX_ANSWERED)
        seen.key_before_answer = seen.ue[POCUE_MCX_KEY];
    if (report->what != RADIO_UE) {
        snprintf(seen.text, sizeof(seen.text), "%s", report->text == NULL ? "" : report->text);
        snprintf(seen.method, sizeof(seen.method), "%s", report->method == NULL ? "" : report->method);
        return;
    }
    seen.ue[report->event->type]++;
    if (report->event->key_id != 0)
        seen.key_id = report->event->key_id;
    seen.by_multicast = report->event->by_multicast;
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
    run_until(&seen.count[RADIO_MCX_ANSWERED], seen.count[RADIO_MCX_ANSWERED] + 1);
}

static void run_until_told(void)
{
    run_until(&at->told, at->told + 1);
}

/* ---- world ---- */

static const pocue_mcx_server servers[] = { { TINY_MCX_SERVER, TINY_MCX_KMS } };

static radio_mcx_settings settings_of(void)
{
    return (radio_mcx_settings){
        .user = { .mc_id = TINY_MCX_ALICE, .servers = servers, .server_count = 1, .client_id = "urn:uuid:1" },
        .psi = TINY_MCX_PSI,
        .access_token = TINY_MCX_TOKEN,
        .kms_url = tiny_mcx_kms_url(server)
    };
}

static void radio_open(const radio_mcx_settings *mcx)
{
    radio_settings settings = { .name = "alice",
                                .address = "127.0.0.1",
                                .pf_uri = tiny_pf_uri(pf),
                                .bsf_url = tiny_pf_bsf_url(pf),
                                .interface = "127.0.0.1",
                                .update_allowed = true,
                                .answer_offers = true };
    pair_settings(&settings.ue);
    assert_int_equal(radio_new(&r, root, &settings, on_report, NULL), POC_OK);
    assert_int_equal(radio_mcx_start(r, mcx), POC_OK);
}

static void pf_open(const char *transport, bool challenges)
{
    if (pf != NULL)
        tiny_pf_free(pf);
    pf = tiny_pf_new(root, &w, "127.0.0.1", transport);
    tiny_mcx_behind(server, pf, challenges);
}

static int world_open(void)
{
    su_init();
    memset(&seen, 0, sizeof(seen));
    pair_open(&w, NULL);
    w.now_ms = radio_now_ms();
    root = su_root_create(NULL);
    assert_non_null(root);
    su_root_threading(root, 0);
    says = tiny_mcx_say(server);
    at = tiny_mcx_look(server);
    pf = NULL;
    r = NULL;
    pf_open("tcp", false);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    server = lasting;
    return world_open();
}

static int begin_near_the_end_of_a_period(void **state)
{
    (void)state;
    server = tiny_mcx_new(radio_now_ms(), 1800);
    return world_open();
}

static int end(void **state)
{
    (void)state;
    radio_free(r);
    tiny_mcx_forget(server);
    tiny_pf_free(pf);
    if (server != lasting)
        tiny_mcx_free(server);
    su_root_destroy(root);
    pair_close(&w);
    su_deinit();
    return 0;
}

static void provision_by_kms(void)
{
    const radio_mcx_settings mcx = settings_of();
    if (r == NULL)
        radio_open(&mcx);
    assert_int_equal(radio_mcx_provision(r), POC_OK);
    run_until(&seen.count[RADIO_MCX_PROVISIONED], 1);
}

/* By what a KMS has given another radio of Alice's. */
static void provision(void)
{
    const radio_mcx_settings mcx = settings_of();
    if (r == NULL)
        radio_open(&mcx);
    assert_int_equal(pocue_mcx_provision_like(radio_ue(r), like), POC_OK);
}

static int all_open(void **state)
{
    pocue_settings settings;
    const pocue_mcx_settings mcx = { .mc_id = TINY_MCX_ALICE, .servers = servers, .server_count = 1 };
    lasting = tiny_mcx_new(radio_now_ms(), MONTH_S);
    assert_int_equal(begin(state), 0);
    provision_by_kms();
    pair_settings(&settings);
    assert_int_equal(pocue_new(&like, &settings, &poc_rng_system), POC_OK);
    assert_int_equal(pocue_mcx_start(like, &mcx), POC_OK);
    assert_int_equal(pocue_mcx_provision_like(like, radio_ue(r)), POC_OK);
    return end(state);
}

static int all_close(void **state)
{
    (void)state;
    pocue_free(like);
    tiny_mcx_free(lasting);
    return poc_secret_live_count() == 0 ? 0 : 1;
}

static void bring_up(radio_mcx_way way)
{
    provision();
    assert_int_equal(radio_mcx_upload(r, way), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_true(radio_mcx_is_registered(r));
}

static uint32_t csk(void)
{
    return pocue_mcx_csk(radio_ue(r), radio_now_ms());
}

static size_t held(void)
{
    return pocue_mcx_held(radio_ue(r), NULL, 0);
}

/* ---- provisioning ---- */

/* MCX-20, MCX-24 */
static void a_radio_cannot_upload_before_the_kms_has_provisioned_it(void **state)
{
    (void)state;
    const radio_mcx_settings mcx = settings_of();
    radio_open(&mcx);
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_E_STATE);
    assert_int_equal(radio_mcx_provision(r), POC_OK);
    assert_int_equal(radio_mcx_provision(r), POC_E_STATE); /* under way */
    run_until(&seen.count[RADIO_MCX_PROVISIONED], 1);
    assert_true(pocue_mcx_is_provisioned(radio_ue(r), radio_now_ms()));
    assert_int_equal(at->keys_served, 1);
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    assert_int_equal(radio_mcx_start(r, &mcx), POC_E_STATE);
}

static void keys_of_the_next_period_come_before_it_begins(void **state)
{
    (void)state;
    provision_by_kms();
    run_until(&seen.count[RADIO_MCX_PROVISIONED], 2);
    assert_int_equal(at->keys_served, 2);
    assert_true(pocue_mcx_is_provisioned(radio_ue(r), radio_now_ms()));
    assert_true(pocue_mcx_is_provisioned(radio_ue(r), radio_now_ms() + INT64_C(3600000)));
}

/* MCX-24: what a KMS answers wrong gives nobody keys, and is asked for again. */
static void a_kms_that_answers_wrong_things_provisions_nobody_until_it_answers_right(void **state)
{
    (void)state;
    const radio_mcx_settings mcx = settings_of();
    for (tiny_kms_lie lie = TINY_KMS_BROKEN; lie < TINY_KMS_LIES; lie++) {
        memset(&seen, 0, sizeof(seen));
        says->lie = lie;
        radio_open(&mcx);
        assert_int_equal(radio_mcx_provision(r), POC_OK);
        run_until(&seen.count[RADIO_MCX_UNPROVISIONED], 1);
        assert_true(seen.text[0] != '\0');
        assert_false(pocue_mcx_is_provisioned(radio_ue(r), radio_now_ms()));
        assert_int_equal(seen.count[RADIO_MCX_PROVISIONED], 0);
        assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_E_STATE);
        says->lie = TINY_KMS_HONEST;
        if (lie == TINY_KMS_CUT)
            run_until(&seen.count[RADIO_MCX_PROVISIONED], 1); /* by itself */
        radio_free(r);
        r = NULL;
    }
}

static void a_token_that_is_not_good_is_not_shown_again(void **state)
{
    (void)state;
    const radio_mcx_settings mcx = settings_of();
    says->token = "another";
    radio_open(&mcx);
    assert_int_equal(radio_mcx_provision(r), POC_OK);
    run_until(&seen.count[RADIO_MCX_UNPROVISIONED], 1);
    assert_int_equal(seen.status[RADIO_MCX_UNPROVISIONED], 401);
    assert_int_equal(radio_mcx_renew_token(r, "another"), POC_OK);
    assert_int_equal(radio_mcx_provision(r), POC_OK);
    run_until(&seen.count[RADIO_MCX_PROVISIONED], 1);
    assert_int_equal(seen.count[RADIO_MCX_UNPROVISIONED], 1);
}

/* ---- service authorisation ---- */

/* MCX-5, MCX-11, MCX-17, MCX-19 */
static void a_register_that_answers_the_challenge_brings_a_csk_and_the_token(void **state)
{
    (void)state;
    pf_open("tcp", true);
    provision();
    assert_int_equal(radio_bootstrap(r), POC_OK);
    run_until(&seen.count[RADIO_BOOTSTRAPPED], 1);
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_E_STATE); /* under way */
    run_until_answered();
    assert_int_equal(tiny_pf_look(pf)->challenged, 1);
    assert_int_equal(at->registers, 1);
    assert_int_equal(at->uploads, 1);
    assert_int_equal(csk(), at->csk_id);
    assert_int_equal(seen.key_before_answer, 1);
    assert_string_equal(seen.method, "REGISTER");
    assert_string_equal(at->token, TINY_MCX_TOKEN); /* encrypted under the CSK beside it */
    assert_string_equal(at->target, "sip:home1.example");
    assert_string_equal(at->service, "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt");
    assert_non_null(
        strstr(at->contact, "+g.3gpp.mcptt;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt\""));
    assert_int_equal(at->expires_s, 3600);
    assert_int_equal(seen.ue[POCUE_MCX_ALGORITHM], 1);
}

static void without_bootstrapping_the_challenge_of_an_upload_is_a_refusal(void **state)
{
    (void)state;
    pf_open("tcp", true);
    provision();
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 401);
    assert_int_equal(held(), 0);
}

/* MCX-11 */
static void a_publish_brings_a_csk_with_settings_and_is_refreshed_by_its_etag(void **state)
{
    (void)state;
    bring_up(RADIO_MCX_BY_PUBLISH);
    assert_int_equal(csk(), at->csk_id);
    assert_string_equal(at->target, TINY_MCX_PSI);
    assert_string_equal(at->event, "poc-settings");
    assert_non_null(strstr(at->settings, "<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\">"));
    assert_string_equal(at->if_match, "");
    assert_int_equal(radio_mcx_refresh(r), POC_OK);
    run_until_answered();
    assert_string_equal(at->if_match, "etag1");
    assert_int_equal(at->body_len, 0);
    assert_int_equal(at->uploads, 1);
    assert_int_equal(csk(), at->csk_id);
    says->status = 412; /* the server has forgotten what was published */
    assert_int_equal(radio_mcx_refresh(r), POC_OK);
    run_until_answered();
    says->status = 200;
    run_until(&at->uploads, 2);
    run_until_answered();
    assert_string_equal(at->if_match, "");
    assert_int_equal(csk(), at->csk_id);
}

static void a_core_registers_the_user_with_his_own_request_in_the_body(void **state)
{
    (void)state;
    bring_up(RADIO_MCX_BY_THIRD_PARTY);
    assert_int_equal(at->thirds, 1);
    assert_int_equal(csk(), at->csk_id);
    assert_string_equal(at->target, TINY_MCX_PSI);
    assert_non_null(strstr(at->inner_contact, "+g.3gpp.mcptt"));
    assert_int_equal(radio_mcx_log_off(r), POC_OK);
    run_until_answered();
    assert_int_equal(at->thirds, 2);
    assert_int_equal(at->expires_s, 0);
}

static void an_interval_that_is_too_brief_is_asked_for_again_as_the_server_wants(void **state)
{
    (void)state;
    radio_mcx_settings mcx = settings_of();
    mcx.expires_s = 60;
    radio_open(&mcx);
    says->status = 423;
    says->min_expires_s = 600;
    provision();
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until(&at->registers, 1);
    assert_int_equal(at->expires_s, 60);
    says->status = 200;
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_int_equal(at->registers, 2);
    assert_int_equal(at->expires_s, 600);
    assert_int_equal(csk(), at->csk_id);
}

static void a_server_that_never_finds_the_interval_long_enough_has_refused(void **state)
{
    (void)state;
    provision();
    says->status = 423;
    says->min_expires_s = 600; /* shorter than the hour that was asked for */
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 423);
    assert_int_equal(at->registers, 1);
    assert_int_equal(held(), 0);
}

static void a_redirection_is_followed_for_as_long_as_that_server_answers(void **state)
{
    (void)state;
    tiny_pf *other = tiny_pf_new(root, &w, "127.0.0.1", "tcp");
    tiny_mcx_behind(server, other, true); /* by its challenges it is known */
    tiny_mcx_behind(server, pf, false);
    provision();
    assert_int_equal(radio_bootstrap(r), POC_OK);
    run_until(&seen.count[RADIO_BOOTSTRAPPED], 1);
    says->status = 302;
    says->contact = tiny_pf_uri(other);
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until(&tiny_pf_look(other)->challenged, 1);
    says->status = 200;
    says->contact = NULL;
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_int_equal(csk(), at->csk_id);
    assert_int_equal(radio_mcx_refresh(r), POC_OK);
    run_until_answered();
    assert_int_equal(tiny_pf_look(other)->challenged, 2); /* there again */
    says->status = 500;
    assert_int_equal(radio_mcx_refresh(r), POC_OK);
    run_until_answered();
    const unsigned registers = at->registers;
    says->status = 200;
    run_until_answered();
    assert_int_equal(tiny_pf_look(other)->challenged, 3); /* at home, where nobody challenges */
    assert_int_equal(at->registers, registers + 1);
    radio_free(r);
    r = NULL;
    tiny_pf_free(other);
}

/* MCX-21: what was not bound is not held. */
static void a_csk_that_is_refused_is_forgotten_and_not_brought_again(void **state)
{
    (void)state;
    provision();
    says->status = 403;
    says->warning = "136 authentication of the MIKEY-SAKKE I_MESSAGE failed";
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_PUBLISH), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 403);
    assert_string_equal(seen.text, says->warning);
    assert_int_equal(seen.key_before_answer, 0);
    assert_int_equal(held(), 0);
    assert_false(radio_mcx_is_registered(r));
    assert_int_equal(at->publishes, 1);
    assert_int_equal(radio_mcx_refresh(r), POC_E_STATE);
}

/* MCX-21: a REGISTER is answered with 200 in any case. */
static void a_200_with_a_warning_is_no_authorisation(void **state)
{
    (void)state;
    provision();
    says->warning = "101 service authorisation failed";
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_string_equal(seen.text, says->warning);
    assert_int_equal(held(), 0);
    assert_false(radio_mcx_is_registered(r));
}

static void after_a_lost_answer_another_csk_is_brought(void **state)
{
    (void)state;
    radio_mcx_settings mcx = settings_of();
    mcx.answer_ms = 100;
    radio_open(&mcx);
    provision();
    says->is_silent = true;
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 408);
    const uint32_t lost = at->csk_id;
    assert_int_equal(held(), 0);
    says->is_silent = false;
    run_until(&at->uploads, 2);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_int_not_equal(at->csk_id, lost);
    assert_int_equal(csk(), at->csk_id);
    assert_int_equal(held(), 1);
}

static void a_server_out_of_service_is_asked_again(void **state)
{
    (void)state;
    provision();
    says->status = 503;
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 503);
    assert_int_equal(held(), 0);
    says->status = 200;
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_int_equal(csk(), at->csk_id);
}

static void a_registration_is_refreshed_without_a_key_at_half_its_time(void **state)
{
    (void)state;
    says->for_the_contact = true; /* the header says two hours, the contact one second */
    says->expires_s = 1;
    bring_up(RADIO_MCX_BY_REGISTER);
    run_until(&at->registers, 3);
    run_until_answered();
    assert_int_equal(at->uploads, 1);
    assert_int_equal(at->body_len, 0);
    assert_int_equal(csk(), at->csk_id);
    says->status = 403;
    run_until_answered();
    assert_false(radio_mcx_is_registered(r));
}

static void who_logs_off_says_so_and_has_forgotten_all_keys(void **state)
{
    (void)state;
    const tiny_mcx_key musik = { .id = MUSIK + 1, .seed = 1 };
    bring_up(RADIO_MCX_BY_REGISTER);
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(held(), 2);
    assert_int_equal(radio_mcx_log_off(r), POC_OK);
    assert_int_equal(held(), 0); /* before the answer */
    run_until_answered();
    assert_int_equal(at->registers, 2);
    assert_int_equal(at->expires_s, 0);
    assert_int_equal(at->body_len, 0);
    assert_false(radio_mcx_is_registered(r));
    assert_int_equal(radio_mcx_log_off(r), POC_E_STATE);
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK); /* and comes back */
    run_until_answered();
    assert_int_equal(csk(), at->csk_id);
}

static void a_log_off_with_an_upload_under_way_forgets_that_too(void **state)
{
    (void)state;
    provision();
    says->is_silent = true;
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until(&at->uploads, 1);
    says->is_silent = false;
    assert_int_equal(radio_mcx_log_off(r), POC_OK);
    run_until_answered();
    assert_int_equal(at->expires_s, 0);
    assert_int_equal(held(), 0);
    assert_int_equal(seen.ue[POCUE_MCX_KEY], 0);
}

static void what_is_too_large_for_a_datagram_goes_by_udp_where_there_is_no_tcp(void **state)
{
    (void)state;
    pf_open("udp", false);
    bring_up(RADIO_MCX_BY_REGISTER);
    assert_int_equal(csk(), at->csk_id);
    assert_null(strstr(at->contact, "transport="));
}

/* ---- keys ---- */

/* MCX-1, MCX-22, MCX-23, MCX-28 */
static void a_musik_comes_by_message_or_notify_and_is_answered_with_200(void **state)
{
    (void)state;
    bring_up(RADIO_MCX_BY_REGISTER);
    for (uint32_t i = 0; i < 2; i++) {
        const tiny_mcx_key musik = { .id = MUSIK + i, .seed = (uint8_t)(1 + i) };
        tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .by_notify = i == 1 });
        run_until_told();
        assert_int_equal(at->told_status, 200);
        run_until(&seen.count[RADIO_MCX_TOLD], i + 1);
        assert_string_equal(seen.method, i == 1 ? "NOTIFY" : "MESSAGE");
        assert_int_equal(seen.key_id, musik.id);
        assert_int_equal(pocue_mcx_musik(radio_ue(r), radio_now_ms(), group), musik.id);
    }
}

/* MCX-23, MCX-24 */
static void a_key_that_is_altered_or_from_a_stranger_is_refused_with_a_warning(void **state)
{
    (void)state;
    const tiny_mcx_key musik = { .id = MUSIK + 1, .seed = 1 }, unassigned = { .id = MUSIK + 2, .seed = 1 };
    bring_up(RADIO_MCX_BY_REGISTER);
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .alters = true });
    run_until_told();
    assert_int_equal(at->told_status, 403);
    assert_string_equal(at->told_warning, "399 127.0.0.1 \"136 authentication of the MIKEY-SAKKE I_MESSAGE failed\"");
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .asserts = "sip:mallory@home1.example" });
    run_until_told();
    assert_int_equal(at->told_status, 403);
    tiny_mcx_send_key(server, &unassigned, &(tiny_mcx_way){ .service = "urn:urn-7:3gpp-service.ims.icsi.mcvideo" });
    run_until_told();
    assert_int_equal(at->told_status, 403);
    tiny_mcx_send_body(server, "multipart/mixed;boundary=x", poc_span_str("--x\r\nno end"),
                       &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(at->told_status, 488);
    run_until(&seen.count[RADIO_MCX_TOLD], 4);
    assert_int_equal(held(), 1); /* the CSK */
}

/* MCX-22: a CSK that is taken back is followed by another one of the client's. */
static void a_revoked_csk_is_followed_by_a_fresh_one(void **state)
{
    (void)state;
    const tiny_mcx_key other = { .id = CSK + 5, .seed = 5 }, revoked = { .id = CSK + 5, .seed = 5, .is_revoked = true };
    bring_up(RADIO_MCX_BY_REGISTER);
    const uint32_t first = csk();
    tiny_mcx_send_key(server, &other, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(csk(), other.id);
    tiny_mcx_send_key(server, &revoked, &(tiny_mcx_way){ .by_notify = false });
    run_until(&seen.ue[POCUE_MCX_REVOKED], 1);
    run_until(&at->uploads, 2);
    run_until_answered();
    assert_int_not_equal(at->csk_id, first);
    assert_int_equal(csk(), at->csk_id);
}

static void a_csk_that_will_expire_is_followed_by_a_fresh_one_before(void **state)
{
    (void)state;
    bring_up(RADIO_MCX_BY_REGISTER);
    const tiny_mcx_key brief = { .id = CSK + 6, .seed = 6, .expiry_s = (uint64_t)radio_now_ms() / 1000 + 2 };
    tiny_mcx_send_key(server, &brief, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(csk(), brief.id);
    run_until(&at->uploads, 2);
    run_until_answered();
    assert_int_equal(csk(), at->csk_id);
}

/* ---- floor control of a session ---- */

static const uint8_t floor_idle[12] = { 0x85, 0xcc, 0, 2, 0, 0, 0, 9, 'P', 'o', 'C', '1' };

static size_t protect_span(mcx_srtcp *s, poc_span clear, uint8_t out[256])
{
    poc_wr wr = poc_wr_into(out, 256);
    assert_int_equal(mcx_srtcp_protect(s, &wr, clear), POC_OK);
    return wr.len;
}

static size_t protect(mcx_srtcp *s, const uint8_t clear[12], uint8_t out[256])
{
    return protect_span(s, poc_span_of(clear, 12), out);
}

static int udp_open(uint16_t *port)
{
    struct sockaddr_storage here;
    socklen_t len = sizeof(here);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(poc_addr_parse(&here, poc_span_str("127.0.0.1"), 0), POC_OK);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    *port = poc_addr_port((struct sockaddr *)&here);
    return fd;
}

static void udp_send(int fd, const char *host, uint16_t port, const void *octets, size_t n)
{
    struct sockaddr_storage to;
    assert_int_equal(poc_addr_parse(&to, poc_span_str(host), port), POC_OK);
    assert_int_equal(sendto(fd, octets, n, 0, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), n);
}

static void run_until_refused(uint64_t reaches)
{
    const int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (pocue_mcx_refused(radio_ue(r)) < reaches && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_int_equal(pocue_mcx_refused(radio_ue(r)), reaches);
}

/* MCX-6, MCX-12 */
static void floor_control_of_a_session_is_under_the_csk_both_ways_and_never_in_clear(void **state)
{
    (void)state;
    uint8_t packet[256], got[128], clear[128];
    uint16_t here;
    unsigned there;
    size_t n;
    const int fd = udp_open(&here);
    tiny_pf_floor(pf, here);
    provision();
    assert_int_equal(radio_bootstrap(r), POC_OK);
    run_until(&seen.count[RADIO_BOOTSTRAPPED], 1);
    assert_int_equal(radio_join(r, group), POC_OK);
    run_until(&seen.count[RADIO_IN], 1);
    const char *line = strstr(tiny_pf_look(pf)->offer, "m=application ");
    assert_int_equal(sscanf(line, "m=application %u", &there), 1);
    assert_int_equal(radio_floor(r, BCAST_MBCP_REQUEST), POC_E_STATE); /* no CSK yet, and in clear never */
    udp_send(fd, "127.0.0.1", (uint16_t)there, floor_idle, sizeof(floor_idle));
    run_until_refused(1);
    bring_up(RADIO_MCX_BY_REGISTER);
    mcx_srtcp *side = tiny_mcx_side(server, NULL);
    n = protect(side, floor_idle, packet);
    udp_send(fd, "127.0.0.1", (uint16_t)there, packet, n);
    run_until(&seen.ue[POCUE_FLOOR], 1);
    assert_int_equal(seen.key_id, csk());
    udp_send(fd, "127.0.0.1", (uint16_t)there, packet, n); /* again */
    udp_send(fd, "127.0.0.1", (uint16_t)there, floor_idle, sizeof(floor_idle));
    run_until_refused(3);
    assert_int_equal(seen.ue[POCUE_FLOOR], 1);
    assert_int_equal(radio_floor(r, BCAST_MBCP_REQUEST), POC_OK);
    const ssize_t came = recv(fd, got, sizeof(got), 0);
    assert_true(came > 0);
    assert_null(memmem(got, (size_t)came, "PoC1", 4));
    assert_int_equal(mcx_srtcp_unprotect(side, clear, &n, poc_span_of(got, (size_t)came)), POC_OK);
    assert_memory_equal(clear + 8, "PoC1", 4);
    mcx_srtcp_free(side);
    close(fd);
}

/* ---- bearers ---- */

/* UnmapGroupToBearer, or the reverse. */
static size_t mapping(mcx_srtcp *s, mcx_mcmc_type type, uint8_t out[256])
{
    uint8_t clear[MCX_MCMC_MAX];
    poc_wr wr = poc_wr_into(clear, sizeof(clear));
    mcx_mcmc msg = { .type = type,
                     .ssrc = 9,
                     .group = poc_span_str(group),
                     .has_tmgi = true,
                     .audio_line = 2,
                     .floor_line = 1,
                     .audio_port = 6004,
                     .floor_port = 6006,
                     .address_len = 4,
                     .address = { 232, 10, 0, 9 } };
    memcpy(msg.tmgi, tmgi, sizeof(msg.tmgi));
    assert_int_equal(mcx_mcmc_write(&wr, &msg), POC_OK);
    return protect_span(s, poc_span_of(clear, wr.len), out);
}

static void announce(const char *sdp, size_t areas)
{
    uint8_t body[4096];
    char content_type[WIRE_MCX_CONTENT_TYPE_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    wire_mbms_announcement a = {
        .qci = 65, .areas = { 7 }, .area_count = areas, .general_purpose_line = WIRE_MCX_SDP_LINE
    };
    memcpy(a.tmgi, tmgi, sizeof(a.tmgi));
    assert_int_equal(wire_mcx_announcement_write(&wr, content_type, MCX_MCPTT, TINY_MCX_ALICE, &a, poc_span_str(sdp),
                                                 &poc_rng_system),
                     POC_OK);
    tiny_mcx_send_body(server, content_type, poc_span_of(body, wr.len), &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
}

static const char *description(void)
{
    static char sdp[WIRE_MCX_SDP_MAX];
    bcast_channel channel = { .ttl = 1, .port = { 6004, 6006, 0 } };
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    assert_int_equal(poc_addr_parse(&channel.group, poc_span_str("232.10.0.9"), 0), POC_OK);
    assert_int_equal(poc_addr_parse(&channel.source, poc_span_str("127.0.0.1"), 0), POC_OK);
    assert_int_equal(wire_mcx_sdp_write(&wr, MCX_MCPTT, &channel), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    return sdp;
}

static int air_open(void)
{
    uint16_t port;
    unsigned char loop = 1;
    const int fd = udp_open(&port);
    const struct in_addr here = { htonl(INADDR_LOOPBACK) };
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &here, sizeof(here)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof(loop)), 0);
    return fd;
}

static void talk(int fd, uint16_t seq)
{
    uint8_t packet[64];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    bcast_rtp_put(&wr, &(bcast_rtp){ .seq = seq, .ssrc = 77, .payload = poc_span_str("sealed end to end") });
    udp_send(fd, "232.10.0.9", 6004, packet, wr.len);
}

/* MCX-7, MCX-13, MCX-30, MCX-31 */
static void a_bearer_is_listened_to_while_there_is_a_musik_and_its_control_is_under_that(void **state)
{
    (void)state;
    uint8_t packet[256];
    pocue_mcx_mapping heard;
    const tiny_mcx_key musik = { .id = MUSIK + 1, .seed = 1 }, revoked = { MUSIK + 1, 1, 0, true };
    const tiny_mcx_key other = { .id = MUSIK + 2, .seed = 2 };
    pocue_mcx_bearer bearer;
    const int fd = air_open();
    bring_up(RADIO_MCX_BY_REGISTER);
    announce(description(), 1);
    assert_int_equal(at->told_status, 200);
    assert_int_equal(seen.ue[POCUE_JOIN_GROUP], 0); /* no MuSiK: not to be listened to */
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(seen.ue[POCUE_JOIN_GROUP], 1);
    assert_int_equal(pocue_mcx_bearers(radio_ue(r), &bearer, 1), 1);
    assert_true(bearer.is_listened);
    assert_int_equal(bearer.qci, 65);
    assert_int_equal(bearer.areas[0], 7);
    assert_int_equal(bearer.channel.port[BCAST_FLOW_FLOOR], 6006);
    mcx_srtcp *side = tiny_mcx_side(server, &musik), *foreign = tiny_mcx_side(server, &other);
    udp_send(fd, "232.10.0.9", 6006, packet, protect(side, floor_idle, packet));
    run_until(&seen.ue[POCUE_FLOOR], 1);
    assert_true(seen.by_multicast);
    assert_int_equal(seen.key_id, musik.id);
    udp_send(fd, "232.10.0.9", 6006, packet, mapping(side, MCX_MCMC_MAP, packet));
    run_until(&seen.ue[POCUE_MCX_MAPPED], 1);
    assert_true(pocue_mcx_mapping_of(radio_ue(r), group, &heard));
    assert_int_equal(poc_addr_port((struct sockaddr *)&heard.audio), 6004);
    assert_int_equal(poc_addr_port((struct sockaddr *)&heard.floor), 6006);
    assert_memory_equal(heard.tmgi, tmgi, sizeof(tmgi));
    udp_send(fd, "232.10.0.9", 6006, packet, mapping(side, MCX_MCMC_UNMAP, packet));
    run_until(&seen.ue[POCUE_MCX_MAPPED], 2);
    assert_false(pocue_mcx_mapping_of(radio_ue(r), group, &heard));
    talk(fd, 1);
    run_until(&seen.ue[POCUE_PLAY], 1);
    udp_send(fd, "232.10.0.9", 6006, floor_idle, sizeof(floor_idle));
    udp_send(fd, "232.10.0.9", 6006, packet, protect(foreign, floor_idle, packet));
    run_until_refused(2);
    tiny_mcx_send_key(server, &revoked, &(tiny_mcx_way){ .by_notify = false });
    run_until(&seen.ue[POCUE_LEAVE_GROUP], 1);
    assert_int_equal(seen.ue[POCUE_FLOOR], 1);
    mcx_srtcp_free(side);
    mcx_srtcp_free(foreign);
    close(fd);
}

/* MCX-4 */
static void an_announcement_with_a_key_in_it_is_refused_and_one_without_areas_ends_the_bearer(void **state)
{
    (void)state;
    char spoilt[WIRE_MCX_SDP_MAX + 64];
    const tiny_mcx_key musik = { .id = MUSIK + 1, .seed = 1 };
    bring_up(RADIO_MCX_BY_REGISTER);
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    snprintf(spoilt, sizeof(spoilt), "%sa=key-mgmt:mikey ARoF\r\n", description());
    const char body[] =
        "<?xml version=\"1.0\"?><mcptt-mbms-usage-info xmlns=\"urn:3gpp:ns:mcpttMbmsUsage:1.0\"><announcement>"
        "<TMGI>00000762f210</TMGI><mbms-service-areas><mbms-service-area-id>0007</mbms-service-area-id>"
        "</mbms-service-areas></announcement></mcptt-mbms-usage-info>";
    char multipart[2048];
    snprintf(multipart, sizeof(multipart),
             "--b\r\nContent-Type: application/vnd.3gpp.mcptt-mbms-usage-info+xml\r\n\r\n%s\r\n--b\r\n"
             "Content-Type: application/sdp\r\n\r\n%s\r\n--b--\r\n",
             body, spoilt);
    tiny_mcx_send_body(server, "multipart/mixed;boundary=b", poc_span_str(multipart),
                       &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(at->told_status, 488);
    assert_int_equal(pocue_mcx_bearers(radio_ue(r), NULL, 0), 0);
    announce(description(), 1);
    assert_int_equal(seen.ue[POCUE_JOIN_GROUP], 1);
    announce("", 0);
    assert_int_equal(at->told_status, 200);
    run_until(&seen.ue[POCUE_LEAVE_GROUP], 1);
    assert_int_equal(pocue_mcx_bearers(radio_ue(r), NULL, 0), 0);
}

/* MCX-12: signed, once there is a CSK. */
static void a_radio_reports_which_bearers_it_hears(void **state)
{
    (void)state;
    pf_open("tcp", true);
    provision();
    assert_int_equal(radio_bootstrap(r), POC_OK);
    run_until(&seen.count[RADIO_BOOTSTRAPPED], 1);
    for (unsigned i = 0; i < 2; i++) {
        if (i == 1)
            bring_up(RADIO_MCX_BY_REGISTER);
        assert_int_equal(radio_mcx_report(r, tmgi, i == 0), POC_OK);
        run_until_answered();
        assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
        assert_string_equal(seen.method, "MESSAGE");
        assert_int_equal(at->messages, i + 1);
        assert_int_equal(at->is_listening, i == 0);
        assert_int_equal(at->is_signed, i == 1);
        assert_memory_equal(at->tmgi, tmgi, sizeof(tmgi));
    }
    says->is_silent = true;
    for (unsigned i = 0; i < RADIO_MCX_REPORTS_MAX; i++)
        assert_int_equal(radio_mcx_report(r, tmgi, true), POC_OK);
    assert_int_equal(radio_mcx_report(r, tmgi, true), POC_E_LIMIT);
}

static void who_is_no_mission_critical_user_knows_no_messages(void **state)
{
    (void)state;
    radio_settings settings = {
        .name = "bob", .address = "127.0.0.1", .pf_uri = tiny_pf_uri(pf), .bsf_url = tiny_pf_bsf_url(pf)
    };
    const radio_mcx_settings mcx = settings_of();
    radio_mcx_settings bad = mcx;
    radio *bob;
    pair_settings(&settings.ue);
    assert_int_equal(radio_new(&bob, root, &settings, on_report, NULL), POC_OK);
    assert_int_equal(radio_mcx_provision(bob), POC_E_STATE);
    assert_int_equal(radio_mcx_upload(bob, RADIO_MCX_BY_REGISTER), POC_E_STATE);
    assert_int_equal(radio_mcx_log_off(bob), POC_E_STATE);
    assert_int_equal(radio_mcx_report(bob, tmgi, true), POC_E_STATE);
    bad.psi = "nowhere";
    assert_int_equal(radio_mcx_start(bob, &bad), POC_E_INPUT);
    bad = mcx;
    bad.user.server_count = 0;
    assert_int_equal(radio_mcx_start(bob, &bad), POC_E_INPUT);
    assert_int_equal(radio_mcx_start(bob, &mcx), POC_OK);
    radio_free(bob);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_radio_cannot_upload_before_the_kms_has_provisioned_it),
        cmocka_unit_test_setup_teardown(keys_of_the_next_period_come_before_it_begins, begin_near_the_end_of_a_period,
                                        end),
        T(a_kms_that_answers_wrong_things_provisions_nobody_until_it_answers_right),
        T(a_token_that_is_not_good_is_not_shown_again),
        T(a_register_that_answers_the_challenge_brings_a_csk_and_the_token),
        T(without_bootstrapping_the_challenge_of_an_upload_is_a_refusal),
        T(a_publish_brings_a_csk_with_settings_and_is_refreshed_by_its_etag),
        T(a_core_registers_the_user_with_his_own_request_in_the_body),
        T(an_interval_that_is_too_brief_is_asked_for_again_as_the_server_wants),
        T(a_server_that_never_finds_the_interval_long_enough_has_refused),
        T(a_redirection_is_followed_for_as_long_as_that_server_answers),
        T(a_csk_that_is_refused_is_forgotten_and_not_brought_again),
        T(a_200_with_a_warning_is_no_authorisation),
        T(after_a_lost_answer_another_csk_is_brought),
        T(a_server_out_of_service_is_asked_again),
        T(a_registration_is_refreshed_without_a_key_at_half_its_time),
        T(who_logs_off_says_so_and_has_forgotten_all_keys),
        T(a_log_off_with_an_upload_under_way_forgets_that_too),
        T(what_is_too_large_for_a_datagram_goes_by_udp_where_there_is_no_tcp),
        T(a_musik_comes_by_message_or_notify_and_is_answered_with_200),
        T(a_key_that_is_altered_or_from_a_stranger_is_refused_with_a_warning),
        T(a_revoked_csk_is_followed_by_a_fresh_one),
        T(a_csk_that_will_expire_is_followed_by_a_fresh_one_before),
        T(floor_control_of_a_session_is_under_the_csk_both_ways_and_never_in_clear),
        T(a_bearer_is_listened_to_while_there_is_a_musik_and_its_control_is_under_that),
        T(an_announcement_with_a_key_in_it_is_refused_and_one_without_areas_ends_the_bearer),
        T(a_radio_reports_which_bearers_it_hears),
        T(who_is_no_mission_critical_user_knows_no_messages),
    };
    return cmocka_run_group_tests(tests, all_open, all_close);
}
