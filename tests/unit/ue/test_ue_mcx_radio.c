/* How a mission critical radio comes by its keys from the KMS, and is authorised by the server. */
#include <string.h>

#include "mcx_bench.h"

#define MUSIK 0x60000000u

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
    static const char *const why[TINY_KMS_LIES] = {
        [TINY_KMS_BROKEN] = "the KMS refuses",
        [TINY_KMS_CUT] = "not well-formed XML",
        [TINY_KMS_OTHER_USER] = "the answer to another user",
        [TINY_KMS_OTHER_PERIOD] = "keys that are not valid in their period",
        [TINY_KMS_OTHER_KMS] = "the answer of another KMS",
        [TINY_KMS_OTHER_KEYS] = "keys that do not hold under the certificate",
        [TINY_KMS_OLD] = "an answer of another time",
        [TINY_KMS_OTHER_KIND] = "no keys",
        [TINY_KMS_OVER] = "keys that are not valid in their period",
    };
    const radio_mcx_settings mcx = settings_of();
    for (tiny_kms_lie lie = TINY_KMS_BROKEN; lie < TINY_KMS_LIES; lie++) {
        memset(&seen, 0, sizeof(seen));
        says->lie = lie;
        radio_open(&mcx);
        assert_int_equal(radio_mcx_provision(r), POC_OK);
        run_until(&seen.count[RADIO_MCX_UNPROVISIONED], 1);
        assert_string_equal(seen.text, why[lie]);
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

/* MCX-24: a server with a KMS of its own is no server of ours before our KMS has said what that one's certificate is. */
static void a_server_of_another_kms_needs_its_certificate_from_ours(void **state)
{
    (void)state;
    static const pocue_mcx_server elsewhere[] = { { TINY_MCX_SERVER, TINY_MCX_OTHER } };
    radio_mcx_settings mcx = settings_of();
    mcx.user.servers = elsewhere;
    mcx.kms_uri = TINY_MCX_KMS;
    radio_open(&mcx);
    assert_int_equal(radio_mcx_provision(r), POC_OK);
    run_until(&seen.count[RADIO_MCX_UNPROVISIONED], 1);
    assert_string_equal(seen.text, "no certificate of a server's KMS");
    assert_false(pocue_mcx_is_provisioned(radio_ue(r), radio_now_ms()));
    says->knows_other = true;
    run_until(&seen.count[RADIO_MCX_PROVISIONED], 1); /* by itself */
    assert_true(pocue_mcx_is_provisioned(radio_ue(r), radio_now_ms()));
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
    bootstrap();
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

static void a_radio_without_good_credentials_bootstraps_by_itself(void **state)
{
    (void)state;
    pf_open("tcp", true);
    provision();
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_int_equal(seen.count[RADIO_MCX_ANSWERED], 1);
    assert_int_equal(seen.count[RADIO_BOOTSTRAPPED], 1);
    assert_int_equal(at->uploads, 1);
    assert_int_equal(csk(), at->csk_id);
}

static void a_challenge_that_nothing_helps_against_is_a_refusal(void **state)
{
    (void)state;
    provision();
    says->status = 401; /* and nothing to answer to */
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 401);
    assert_int_equal(seen.count[RADIO_BOOTSTRAPPED], 1);
    assert_int_equal(at->registers, 2);
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
    bootstrap();
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
    mcx.answer_ms = 500;
    radio_open(&mcx);
    provision();
    says->is_silent = true;
    assert_int_equal(radio_mcx_upload(r, RADIO_MCX_BY_REGISTER), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 408);
    const uint32_t lost = at->csk_id;
    assert_int_equal(held(), 0);
    says->is_silent = false;
    while (seen.status[RADIO_MCX_ANSWERED] != 200) /* a machine under load loses more than one */
        run_until_answered();
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

static void a_server_that_has_forgotten_the_user_is_brought_another_csk(void **state)
{
    (void)state;
    bring_up(RADIO_MCX_BY_REGISTER);
    const uint32_t first = csk();
    says->warning = "101 service authorisation failed";
    assert_int_equal(radio_mcx_refresh(r), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_false(radio_mcx_is_registered(r));
    says->warning = NULL;
    run_until_answered();
    assert_true(radio_mcx_is_registered(r));
    assert_int_equal(at->uploads, 2);
    assert_int_not_equal(at->csk_id, first);
    assert_int_equal(csk(), at->csk_id);
}

static void who_stands_behind_a_core_says_who_he_is_by_its_word(void **state)
{
    (void)state;
    const radio_mcx_settings mcx = settings_of();
    is_vouched_for = true;
    radio_open(&mcx);
    is_vouched_for = false;
    bring_up(RADIO_MCX_BY_REGISTER);
    assert_string_equal(at->service, "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt");
    assert_string_equal(at->identity, "P-Asserted-Identity: <sip:alice@home1.example>");
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
    assert_string_equal(at->via, "SIP/2.0/UDP");
}

/* RFC 3261 18.1.1 */
static void what_is_too_large_for_a_datagram_goes_by_tcp_where_there_is_tcp(void **state)
{
    (void)state;
    const tiny_mcx_key musik = { .id = MUSIK + 1, .seed = 1 };
    pf_open("both", false);
    bring_up(RADIO_MCX_BY_REGISTER);
    if (strstr(at->contact, ";transport=udp") != NULL)
        skip(); /* in TCP the radio's port is somebody else's */
    assert_string_equal(at->via, "SIP/2.0/TCP");
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(at->told_status, 200);
    assert_int_equal(radio_mcx_refresh(r), POC_OK); /* without a key it is small */
    run_until_answered();
    assert_string_equal(at->via, "SIP/2.0/UDP");
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_radio_cannot_upload_before_the_kms_has_provisioned_it),
        cmocka_unit_test_setup_teardown(keys_of_the_next_period_come_before_it_begins, begin_near_the_end_of_a_period,
                                        end),
        T(a_kms_that_answers_wrong_things_provisions_nobody_until_it_answers_right),
        T(a_server_of_another_kms_needs_its_certificate_from_ours),
        T(a_token_that_is_not_good_is_not_shown_again),
        T(a_register_that_answers_the_challenge_brings_a_csk_and_the_token),
        T(a_radio_without_good_credentials_bootstraps_by_itself),
        T(a_challenge_that_nothing_helps_against_is_a_refusal),
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
        T(a_server_that_has_forgotten_the_user_is_brought_another_csk),
        T(who_stands_behind_a_core_says_who_he_is_by_its_word),
        T(who_logs_off_says_so_and_has_forgotten_all_keys),
        T(a_log_off_with_an_upload_under_way_forgets_that_too),
        T(what_is_too_large_for_a_datagram_goes_by_udp_where_there_is_no_tcp),
        T(what_is_too_large_for_a_datagram_goes_by_tcp_where_there_is_tcp),
    };
    return cmocka_run_group_tests(tests, all_open, all_close);
}
