/* The key management service (digest 2.5, 4.7): what it grants, and everything that it refuses without a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire/desk.h"

#define REGISTER_FIRE    "<mbmsSecurityRegister><serviceID>" DESK_FIRE "</serviceID></mbmsSecurityRegister>"
#define DEREGISTER_FIRE  "<mbmsSecurityDeregister><serviceID>" DESK_FIRE "</serviceID></mbmsSecurityDeregister>"
#define MSK(id)          "<MSK><keyDomainID>APEQ</keyDomainID><MSKID>" id "</MSKID></MSK>"
#define REQUEST_CURRENT  "<mskRequest>" MSK("EAEAAA==") "</mskRequest>"
#define ITEM(id, status) "<serviceID>" id "</serviceID><ResponseCode>" status "</ResponseCode>"

static desk d;

static int setup(void **state)
{
    (void)state;
    return desk_new(&d) == POC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    desk_done(&d);
    return poc_secret_live_count() == 0 ? 0 : -1; /* nothing was left behind */
}

static void ask(desk_user *u, const char *target, const char *body)
{
    assert_int_equal(desk_ask(&d, u, target, desk_type(target), body), POC_OK);
}

static void proof_holds(const desk_user *u)
{
    assert_int_equal(gba_ua_check_answer(&u->client, poc_span_str(d.authorization),
                                         poc_span_str(d.answer.authentication_info),
                                         poc_span_of(d.answer.body, d.answer.body_len)),
                     POC_OK);
}

static void says(int status, const char *why)
{
    assert_string_equal(d.answer.why, why);
    assert_int_equal(d.answer.status, status);
    assert_true((d.answer.www_authenticate[0] != '\0') == (status == 401));
    assert_true((d.answer.retry_after_s > 0) == (status == 503));
}

static bool body_has(const char *part)
{
    return memmem(d.answer.body, d.answer.body_len, part, strlen(part)) != NULL;
}

/* What `does` does must leave the engine as it was, with nothing to do. */
static void leaves_no_trace(void (*does)(void))
{
    char before[4096], after[4096];
    pocpf_effect e;
    assert_int_equal(desk_run(&d), POC_OK);
    desk_look(&d, before, sizeof(before));
    does();
    assert_false(pocpf_poll(d.pf, &e));
    desk_look(&d, after, sizeof(after));
    assert_string_equal(before, after);
}

static void registered(desk_user *u)
{
    ask(u, DESK_REGISTER, REGISTER_FIRE);
    says(200, "");
    assert_int_equal(desk_run(&d), POC_OK);
}

/* ---- what is granted ---- */

/* POST, 401, POST with Authorization, 200 with Authentication-Info, then the MSK. MBMS-4, MBMS-5, MBMS-6 */
static void registration_is_challenged_answered_and_followed_by_the_msk(void **state)
{
    (void)state;
    d.authorization[0] = '\0';
    assert_int_equal(desk_serve(&d, "POST", DESK_REGISTER, desk_type(DESK_REGISTER), REGISTER_FIRE),
                     WIRE_KEYMAN_ANSWERED);
    says(401, "no credentials");
    assert_non_null(strstr(d.answer.www_authenticate, "realm=\"3GPP-bootstrapping@" DESK_FQDN "\""));
    assert_non_null(strstr(d.answer.www_authenticate, "qop=\"auth-int\""));
    assert_non_null(strstr(d.answer.www_authenticate, "opaque=\""));
    assert_non_null(strstr(d.answer.www_authenticate, "stale=false"));
    assert_int_equal(d.answer.body_len, 0);
    assert_int_equal(d.pushes, 0);

    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(200, "");
    assert_string_equal(d.answer.content_type, "application/mbms-register-response+xml");
    assert_string_equal(d.answer.user, DESK_ALICE);
    assert_true(body_has(ITEM(DESK_FIRE, "200 OK")));
    proof_holds(&d.alice);
    assert_int_equal(desk_run(&d), POC_OK);
    assert_int_equal(d.pushes, 1);
    assert_int_equal(d.pushed_msk, DESK_FIRE_MSK);
    assert_string_equal(d.pushed_to, d.address);
}

/* Key number 0 is the current MSK. MBMS-1, MBMS-3, MBMS-6 */
static void msk_request_for_key_number_zero_brings_the_current_msk(void **state)
{
    (void)state;
    registered(&d.alice);
    ask(&d.alice, DESK_MSK, REQUEST_CURRENT);
    says(200, "");
    assert_string_equal(d.answer.content_type, "application/mbms-msk-response+xml");
    assert_true(body_has(MSK("EAEAAA==") "<ResponseCode>200 OK</ResponseCode>"));
    proof_holds(&d.alice);
    assert_int_equal(desk_run(&d), POC_OK);
    assert_int_equal(d.pushes, 2);
    assert_int_equal(d.pushed_msk, DESK_FIRE_MSK);
}

/* Unknown key domain, key group and key number. MBMS-3 */
static void each_msk_of_a_request_gets_its_own_status(void **state)
{
    (void)state;
    registered(&d.alice);
    ask(&d.alice, DESK_MSK,
        "<mskRequest>" MSK("EAEAAQ==") MSK("EAEACQ==")
            MSK("EAkAAA==") "<MSK><keyDomainID>AAAA</keyDomainID><MSKID>EAEAAA==</MSKID></MSK></mskRequest>");
    says(200, "");
    assert_true(body_has(MSK("EAEAAQ==") "<ResponseCode>200 OK"));
    assert_true(body_has(MSK("EAEACQ==") "<ResponseCode>404 Not Found"));
    assert_true(body_has(MSK("EAkAAA==") "<ResponseCode>404 Not Found"));
    assert_true(body_has("<keyDomainID>AAAA</keyDomainID><MSKID>EAEAAA==</MSKID></MSK><ResponseCode>404 Not Found"));
    proof_holds(&d.alice);
}

static void each_service_of_a_registration_gets_its_own_status(void **state)
{
    (void)state;
    ask(&d.bob, DESK_REGISTER,
        "<mbmsSecurityRegister><serviceID>" DESK_FIRE "</serviceID><serviceID>" DESK_LIST "</serviceID><serviceID>"
        "sip:none@cf.example</serviceID></mbmsSecurityRegister>");
    says(200, "");
    assert_true(body_has(ITEM(DESK_FIRE, "200 OK")));
    assert_true(body_has(ITEM(DESK_LIST, "403 Forbidden")));
    assert_true(body_has(ITEM("sip:none@cf.example", "404 Not Found")));
    assert_int_equal(desk_run(&d), POC_OK);
    assert_int_equal(d.pushes, 1);
}

static void an_item_asked_for_twice_is_carried_out_once(void **state)
{
    (void)state;
    registered(&d.alice);
    ask(&d.alice, DESK_MSK, "<mskRequest>" MSK("EAEAAA==") MSK("EAEAAA==") MSK("EAEAAA==") "</mskRequest>");
    says(200, "");
    assert_int_equal(desk_run(&d), POC_OK);
    assert_int_equal(d.pushes, 2);
}

static void who_deregisters_is_no_member_any_more(void **state)
{
    (void)state;
    pocpf_member_status m = { .size = sizeof(m) };
    registered(&d.alice);
    ask(&d.alice, DESK_DEREGISTER, DEREGISTER_FIRE);
    says(200, "");
    assert_true(body_has(ITEM(DESK_FIRE, "200 OK")));
    assert_int_equal(desk_run(&d), POC_OK);
    assert_int_equal(pocpf_member_look(d.pf, "fire", DESK_ALICE, &m), POCPF_E_STATE);
    ask(&d.alice, DESK_DEREGISTER, DEREGISTER_FIRE);
    says(404, "no item is known");
    ask(&d.alice, DESK_MSK, REQUEST_CURRENT);
    says(403, "no item is allowed");
    proof_holds(&d.alice); /* MBMS-5: the reject cause is there, and proven */
    assert_true(body_has("403 Forbidden"));
}

static void a_new_source_address_is_where_the_next_msk_goes(void **state)
{
    (void)state;
    registered(&d.alice);
    d.address = "2001:db8::7";
    registered(&d.alice);
    assert_string_equal(d.pushed_to, "2001:db8::7");
}

/* ---- who may ---- */

static void only_the_listed_register_for_a_listed_service(void **state)
{
    (void)state;
    static const char body[] = "<Register><serviceID>" DESK_LIST "</serviceID></Register>";
    ask(&d.bob, DESK_REGISTER, body);
    says(403, "no item is allowed");
    ask(&d.alice, DESK_REGISTER, body);
    says(200, "");
}

static void only_who_is_in_the_session_registers_for_its_service(void **state)
{
    (void)state;
    static const char body[] = "<Register><serviceID>" DESK_DISPATCH "</serviceID></Register>";
    ask(&d.alice, DESK_REGISTER, body);
    says(403, "no item is allowed");
    const pocpf_join join = { .size = sizeof(join),
                              .channel = "dispatch",
                              .user = DESK_ALICE,
                              .multicast_capable = true,
                              .dialog = "dialog",
                              .dialog_len = 6 };
    assert_int_equal(pocpf_member_joined(d.pf, d.now_ms, &join), POCPF_OK);
    assert_int_equal(desk_run(&d), POC_OK);
    ask(&d.alice, DESK_REGISTER, body);
    says(200, "");
    ask(&d.bob, DESK_REGISTER, body);
    says(403, "no item is allowed");
}

static void who_was_expelled_cannot_register_until_admitted(void **state)
{
    (void)state;
    registered(&d.bob);
    registered(&d.alice);
    assert_int_equal(pocpf_member_departed(d.pf, d.now_ms, "fire", DESK_ALICE, POCPF_EXPELLED), POCPF_OK);
    assert_int_equal(desk_run(&d), POC_OK);
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(403, "no item is allowed");
    ask(&d.alice, DESK_MSK, REQUEST_CURRENT);
    says(403, "no item is allowed");
    assert_int_equal(pocpf_admit(d.pf, d.now_ms, "fire", DESK_ALICE), POCPF_OK);
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(200, "");
}

/* MBMS-8 */
static void who_was_expelled_under_one_name_cannot_register_under_another(void **state)
{
    (void)state;
    registered(&d.bob);
    registered(&d.alice);
    assert_int_equal(pocpf_member_departed(d.pf, d.now_ms, "fire", DESK_ALICE, POCPF_EXPELLED), POCPF_OK);
    assert_int_equal(desk_run(&d), POC_OK);
    d.intended = "\"" DESK_ALICE_2 "\"";
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(403, "no item is allowed");
    assert_int_equal(pocpf_admit(d.pf, d.now_ms, "fire", DESK_ALICE), POCPF_OK);
    d.intended = NULL;
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(200, "");
}

/* The engine has room for the users of its members, and for nobody else. */
static void an_msk_request_of_no_member_takes_no_room(void **state)
{
    (void)state;
    registered(&d.alice);
    ask(&d.bob, DESK_MSK, REQUEST_CURRENT);
    says(403, "no item is allowed");
    d.intended = "\"" DESK_ALICE_2 "\"";
    registered(&d.alice);
}

static void a_user_acts_as_the_identity_he_intends(void **state)
{
    (void)state;
    d.intended = "\"" DESK_ALICE_2 "\"";
    registered(&d.alice);
    assert_string_equal(d.answer.user, DESK_ALICE_2);
    d.intended = "SIP:Dispatcher@EXAMPLE.org";
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(403, "intended identity is not the user's"); /* user parts differ by case */
    d.intended = "<sip:dispatcher@EXAMPLE.org;transport=tcp>";
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(200, "");
}

static void foreign_identity(void)
{
    d.intended = "\"" DESK_ALICE "\"";
    ask(&d.bob, DESK_REGISTER, REGISTER_FIRE);
    says(403, "intended identity is not the user's");
    assert_string_equal(d.answer.user, "");
    d.intended = "\"no uri\"";
    ask(&d.bob, DESK_REGISTER, REGISTER_FIRE);
    says(400, "intended identity is no URI");
}

static void nobody_acts_as_somebody_else(void **state)
{
    (void)state;
    leaves_no_trace(foreign_identity);
}

/* ---- renewal ---- */

static void come_with_an_old_muk(void)
{
    ask(&d.alice, DESK_MSK, REQUEST_CURRENT);
    says(401, "MUK is near its end");
    assert_non_null(strstr(d.answer.www_authenticate, "stale=false"));
    assert_string_equal(d.answer.authentication_info, "");
}

/* 401 is the bootstrapping renegotiation; with the new B-TID all goes on. MBMS-11, MBMS-12 */
static void a_muk_near_its_end_is_renewed_before_anything_is_given(void **state)
{
    (void)state;
    registered(&d.alice);
    d.now_ms += (DESK_KEY_LIFE_S - DESK_RENEW_S + 1) * INT64_C(1000);
    pocpf_tick(d.pf, d.now_ms);
    leaves_no_trace(come_with_an_old_muk);
    assert_int_equal(desk_learn(&d, &d.alice, "AgECAwQFBgcICQoLDA0ODw==@bsf.example.org", 3, DESK_KEY_LIFE_S), POC_OK);
    unsigned before = d.pushes;
    ask(&d.alice, DESK_MSK, REQUEST_CURRENT);
    says(200, "");
    assert_int_equal(desk_run(&d), POC_OK);
    assert_int_equal(d.pushes, before + 1);
}

static void a_bsf_that_gives_short_lives_does_not_lock_its_users_out(void **state)
{
    (void)state;
    assert_int_equal(desk_learn(&d, &d.alice, "AgECAwQFBgcICQoLDA0ODw==@bsf.example.org", 3, 100), POC_OK);
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(401, "MUK is near its end");
    assert_int_equal(desk_learn(&d, &d.alice, "AwECAwQFBgcICQoLDA0ODw==@bsf.example.org", 4, 100), POC_OK);
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(200, "");
}

static void leaving_needs_no_fresh_muk(void **state)
{
    (void)state;
    registered(&d.alice);
    d.now_ms += (DESK_KEY_LIFE_S - 1) * INT64_C(1000);
    ask(&d.alice, DESK_DEREGISTER, DEREGISTER_FIRE);
    says(200, "");
}

static void come_with_a_dead_muk(void)
{
    ask(&d.alice, DESK_MSK, REQUEST_CURRENT);
    says(401, "bootstrapping has expired");
}

/* MBMS-11 */
static void an_expired_bootstrapping_is_renegotiated(void **state)
{
    (void)state;
    d.now_ms += DESK_KEY_LIFE_S * INT64_C(1000);
    leaves_no_trace(come_with_a_dead_muk);
}

/* ---- bad input: everything is refused without a trace ---- */

/* As `u` with everything right but `target`, `type` and `body`. */
static void refused(const char *target, const char *type, const char *body, int status, const char *why)
{
    assert_int_equal(desk_ask(&d, &d.alice, target, type, body), POC_OK);
    says(status, why);
    d.now_ms += 1000; /* the limit per B-TID is another test */
}

static void bad_envelopes(void)
{
    static char large[WIRE_MBMS_BODY_MAX + 2];
    const char *type = desk_type(DESK_REGISTER);
    refused(DESK_REGISTER, "application/xml", REGISTER_FIRE, 415, "wrong content type");
    refused(DESK_REGISTER, "application/mbms-msk+xml", REGISTER_FIRE, 415, "wrong content type");
    refused(DESK_REGISTER, NULL, REGISTER_FIRE, 415, "wrong content type");
    refused("/keymanagement?requesttype=unregister", type, REGISTER_FIRE, 400, "unknown requesttype");
    refused("/keymanagement?requesttype=", type, REGISTER_FIRE, 400, "unknown requesttype");
    refused("/keymanagement", type, REGISTER_FIRE, 400, "unknown requesttype");
    refused(DESK_REGISTER "&requesttype=deregister", type, REGISTER_FIRE, 400, "unknown requesttype");
    refused("/keymanagement/?requesttype=register", type, REGISTER_FIRE, 404, "no such path");
    refused("/", type, REGISTER_FIRE, 404, "no such path");
    memset(large, ' ', sizeof(large) - 1);
    memcpy(large, REGISTER_FIRE, strlen(REGISTER_FIRE));
    refused(DESK_REGISTER, type, large, 413, "body too large");
    assert_int_equal(desk_serve(&d, "GET", DESK_REGISTER, type, ""), WIRE_KEYMAN_ANSWERED);
    says(405, "method is not POST");
}

static void wrong_content_type_size_and_request_type_leave_no_trace(void **state)
{
    (void)state;
    leaves_no_trace(bad_envelopes);
}

static void bad_bodies(void)
{
    const char *type = desk_type(DESK_REGISTER);
    refused(DESK_REGISTER, type, "", 400, "empty document");
    refused(DESK_REGISTER, type, "<mbmsSecurityRegister>", 400, "not well-formed XML");
    refused(DESK_REGISTER, type, "<mbmsSecurityRegister/>", 400, "no item");
    refused(DESK_REGISTER, type, DEREGISTER_FIRE, 400, "not the document of this procedure");
    refused(DESK_REGISTER, type, "<!DOCTYPE a [<!ENTITY b \"c\">]>" REGISTER_FIRE, 400, "DOCTYPE is not allowed");
    refused(DESK_REGISTER, type, "<Register><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></Register>", 413,
            "nested too deep");
    refused(DESK_MSK, desk_type(DESK_MSK), "<mskRequest>" MSK("AAAA") "</mskRequest>", 400,
            "MSKID is not base64 of 4 octets");
}

static void malformed_xml_and_dtd_leave_no_trace(void **state)
{
    (void)state;
    leaves_no_trace(bad_bodies);
}

static void foreign_services_and_domains(void)
{
    refused(DESK_REGISTER, desk_type(DESK_REGISTER), "<Register><serviceID>sip:none@cf.example</serviceID></Register>",
            404, "no item is known");
    proof_holds(&d.alice);
    refused(DESK_REGISTER, desk_type(DESK_REGISTER), "<Register><serviceID>" DESK_DISPATCH "</serviceID></Register>",
            403, "no item is allowed");
    proof_holds(&d.alice);
    refused(DESK_MSK, desk_type(DESK_MSK),
            "<mskRequest><MSK><keyDomainID>AAAA</keyDomainID><MSKID>EAEAAA==</MSKID></MSK></mskRequest>", 404,
            "no item is known");
    refused(DESK_MSK, desk_type(DESK_MSK), REQUEST_CURRENT, 403, "no item is allowed"); /* no member */
    refused(DESK_DEREGISTER, desk_type(DESK_DEREGISTER), DEREGISTER_FIRE, 404, "no item is known");
}

static void unknown_domain_and_foreign_service_leave_no_trace(void **state)
{
    (void)state;
    leaves_no_trace(foreign_services_and_domains);
}

static void serve_register(void)
{
    assert_int_equal(desk_serve(&d, "POST", DESK_REGISTER, desk_type(DESK_REGISTER), REGISTER_FIRE),
                     WIRE_KEYMAN_ANSWERED);
}

static void prepare(void)
{
    assert_int_equal(desk_challenge(&d), POC_OK);
    assert_int_equal(desk_authorize(&d, &d.alice, DESK_REGISTER, REGISTER_FIRE), POC_OK);
}

static void come_with_an_old_nonce(void)
{
    prepare();
    d.now_ms += (DESK_NONCE_LIFE_S + 1) * INT64_C(1000);
    serve_register();
    says(401, "nonce is too old");
    assert_non_null(strstr(d.answer.www_authenticate, "stale=true"));
}

static void a_stale_nonce_leaves_no_trace(void **state)
{
    (void)state;
    leaves_no_trace(come_with_an_old_nonce);
    strcpy(d.challenge, d.answer.www_authenticate); /* the answer's own nonce is good at once */
    assert_int_equal(desk_authorize(&d, &d.alice, DESK_REGISTER, REGISTER_FIRE), POC_OK);
    serve_register();
    says(200, "");
}

static void replay(void)
{
    serve_register();
    says(401, "nonce count replayed");
    assert_non_null(strstr(d.answer.www_authenticate, "stale=false"));
}

static void a_replayed_nonce_count_leaves_no_trace(void **state)
{
    (void)state;
    prepare();
    serve_register();
    says(200, "");
    leaves_no_trace(replay);
}

static void wrong_digests(void)
{
    prepare();
    char *digits = strstr(d.authorization, "response=\"") + 10;
    digits[0] ^= 1;
    serve_register();
    says(401, "digest does not hold");
    digits[0] ^= 1;
    (void)desk_serve(&d, "POST", DESK_REGISTER, desk_type(DESK_REGISTER), REGISTER_FIRE " ");
    says(401, "digest does not hold");
    (void)desk_serve(&d, "POST", DESK_REGISTER "&x=1", desk_type(DESK_REGISTER), REGISTER_FIRE);
    says(401, "digest uri is not the request uri");
    strcpy(d.authorization, "Basic YWxpY2U6c2VjcmV0");
    serve_register();
    says(401, "malformed Authorization");
}

/* MBMS-4 */
static void a_wrong_digest_is_challenged_again_and_brings_no_key(void **state)
{
    (void)state;
    leaves_no_trace(wrong_digests);
    assert_int_equal(d.pushes, 0);
}

static void come_with_qop_auth(void)
{
    serve_register();
    says(401, "qop auth does not protect the body");
}

/* curl --digest can only do auth: it is offered, and taken, when the operator says so */
static void qop_auth_is_offered_and_taken_only_by_configuration(void **state)
{
    (void)state;
    d.rules.accept_qop_auth = true;
    wire_keyman_free(d.k);
    assert_int_equal(wire_keyman_new(&d.k, &d.rules, d.naf, d.pf), POC_OK);
    assert_int_equal(desk_challenge(&d), POC_OK);
    char *both = strstr(d.challenge, "qop=\"auth-int,auth\"");
    assert_non_null(both);
    memcpy(both, "qop=\"auth\"         ", 19); /* a client that knows only auth */
    assert_int_equal(desk_authorize(&d, &d.alice, DESK_REGISTER, REGISTER_FIRE), POC_OK);
    wire_keyman_free(d.k);
    d.rules.accept_qop_auth = false;
    assert_int_equal(wire_keyman_new(&d.k, &d.rules, d.naf, d.pf), POC_OK);
    leaves_no_trace(come_with_qop_auth);
    d.rules.accept_qop_auth = true;
    wire_keyman_free(d.k);
    assert_int_equal(wire_keyman_new(&d.k, &d.rules, d.naf, d.pf), POC_OK);
    serve_register(); /* the refusal did not use up the nonce count */
    says(200, "");
    proof_holds(&d.alice);
}

static void one_request_too_many(void)
{
    ask(&d.alice, DESK_REGISTER, REGISTER_FIRE);
    says(503, "too many requests of this B-TID");
}

static void a_flood_of_one_user_is_limited_and_costs_others_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < DESK_RATE; i++)
        registered(&d.alice);
    leaves_no_trace(one_request_too_many);
    registered(&d.bob);
    d.now_ms += 1000;
    registered(&d.alice);
}

static void forged_requests_do_not_use_up_a_users_share(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * DESK_RATE; i++) {
        prepare();
        strstr(d.authorization, "response=\"")[10] ^= 1;
        serve_register();
        says(401, "digest does not hold");
    }
    registered(&d.alice);
}

static void an_answer_that_would_not_fit_is_refused_before_anything_happens(void **state)
{
    (void)state;
    static char body[WIRE_MBMS_BODY_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    poc_wr_fmt(&wr, "<Register><serviceID>" DESK_FIRE "</serviceID>");
    for (int i = 0; i < 31; i++) { /* CDATA needs no escape, the answer's text does */
        poc_wr_fmt(&wr, "<serviceID><![CDATA[");
        for (int j = 0; j < 200; j++)
            poc_wr_u8(&wr, '&');
        poc_wr_fmt(&wr, "]]></serviceID>");
    }
    poc_wr_fmt(&wr, "</Register>");
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    ask(&d.alice, DESK_REGISTER, body);
    says(413, "the answer would be too large");
    assert_int_equal(d.answer.body_len, 0);
    pocpf_effect e;
    assert_false(pocpf_poll(d.pf, &e));
}

/* ---- Zn ---- */

static void an_unknown_btid_asks_zn_and_zn_may_say_no(void **state)
{
    (void)state;
    desk_user carol = { .impi = "carol@ims.example.org", .btid = "x@bsf.example.org" };
    carol.client = (gba_ua_client){ .btid = carol.btid, .mrk = d.alice.keys.mrk };
    assert_int_equal(desk_ask(&d, &carol, DESK_REGISTER, desk_type(DESK_REGISTER), REGISTER_FIRE), POC_E_STATE);
    wire_keyman_fail(d.k, d.now_ms, POC_E_AUTH, &d.answer);
    says(401, "the BSF does not know the B-TID");
    wire_keyman_fail(d.k, d.now_ms, POC_E_DENIED, &d.answer);
    says(403, "the BSF does not give this user's key to us");
    wire_keyman_fail(d.k, d.now_ms, POC_E_IO, &d.answer);
    says(503, "no answer from the BSF");
    /* a foreign nonce does not make us ask */
    char *nonce = strstr(d.authorization, "nonce=\"");
    nonce[7] = nonce[7] == 'A' ? 'B' : 'A';
    serve_register();
    says(401, "nonce is not ours");
    assert_non_null(strstr(d.answer.www_authenticate, "stale=true"));
}

static void the_request_line_may_hold_a_whole_uri(void **state)
{
    (void)state;
    ask(&d.alice, "http://" DESK_FQDN "/keymanagement?x=1&requesttype=register", REGISTER_FIRE);
    says(200, "");
    ask(&d.alice, "http://" DESK_FQDN, REGISTER_FIRE);
    says(404, "no such path");
}

static void a_service_needs_a_path_and_services(void **state)
{
    (void)state;
    wire_keyman *k;
    wire_keyman_rules rules = d.rules;
    rules.path = "keymanagement";
    assert_int_equal(wire_keyman_new(&k, &rules, d.naf, d.pf), POC_E_INPUT);
    rules = d.rules;
    rules.service_of = NULL;
    assert_int_equal(wire_keyman_new(&k, &rules, d.naf, d.pf), POC_E_INPUT);
    assert_null(k);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(registration_is_challenged_answered_and_followed_by_the_msk),
        CASE(msk_request_for_key_number_zero_brings_the_current_msk),
        CASE(each_msk_of_a_request_gets_its_own_status),
        CASE(each_service_of_a_registration_gets_its_own_status),
        CASE(an_item_asked_for_twice_is_carried_out_once),
        CASE(who_deregisters_is_no_member_any_more),
        CASE(a_new_source_address_is_where_the_next_msk_goes),
        CASE(only_the_listed_register_for_a_listed_service),
        CASE(only_who_is_in_the_session_registers_for_its_service),
        CASE(who_was_expelled_cannot_register_until_admitted),
        CASE(who_was_expelled_under_one_name_cannot_register_under_another),
        CASE(an_msk_request_of_no_member_takes_no_room),
        CASE(a_user_acts_as_the_identity_he_intends),
        CASE(nobody_acts_as_somebody_else),
        CASE(a_muk_near_its_end_is_renewed_before_anything_is_given),
        CASE(a_bsf_that_gives_short_lives_does_not_lock_its_users_out),
        CASE(leaving_needs_no_fresh_muk),
        CASE(an_expired_bootstrapping_is_renegotiated),
        CASE(wrong_content_type_size_and_request_type_leave_no_trace),
        CASE(malformed_xml_and_dtd_leave_no_trace),
        CASE(unknown_domain_and_foreign_service_leave_no_trace),
        CASE(a_stale_nonce_leaves_no_trace),
        CASE(a_replayed_nonce_count_leaves_no_trace),
        CASE(a_wrong_digest_is_challenged_again_and_brings_no_key),
        CASE(qop_auth_is_offered_and_taken_only_by_configuration),
        CASE(a_flood_of_one_user_is_limited_and_costs_others_nothing),
        CASE(forged_requests_do_not_use_up_a_users_share),
        CASE(an_answer_that_would_not_fit_is_refused_before_anything_happens),
        CASE(an_unknown_btid_asks_zn_and_zn_may_say_no),
        CASE(the_request_line_may_hold_a_whole_uri),
        CASE(a_service_needs_a_path_and_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
