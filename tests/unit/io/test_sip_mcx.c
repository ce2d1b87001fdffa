/* Mission critical services at the SIP shell, on raw sockets: who may register whom, what a PUBLISH has to say, what answers
 * say, and what the requests look like that carry keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "tests/unit/io/sip_phone.h"
#include "tests/unit/io/sip_world.h"
/* after it: looks inside */
#include "pf/io/sip_private.h"

#define PSI      "sip:mcptt@pf.home1.example"
#define CORE     "127.0.0.2" /* trusted by the world's settings */
#define STRANGER "127.0.0.3"
#define CSCF     "sip:scscf.home1.example"
#define SETTINGS "Event: poc-settings\r\n"

typedef struct stage {
    world world;
    phone alice, core, stranger;
} stage;

/** The same with credentials for the challenge that it gets first. */
static int ask_proved(stage *s, const phone_request *q)
{
    char more[4096], authorization[2048];
    phone *p = &s->alice;
    world *w = &s->world;
    phone_request again = *q;
    const char *body = q->body != NULL ? q->body : "";
    assert_int_equal(phone_ask(p, q), 401);
    gba_ua_client ua = { .btid = WORLD_BTID, .mrk = w->mrk };
    poc_wr wr = poc_wr_into(authorization, sizeof(authorization));
    assert_int_equal(gba_ua_authorize(&ua, poc_span_str(phone_header(p, "WWW-Authenticate")), poc_span_str(WORLD_FQDN),
                                      poc_span_str(q->method), poc_span_str(q->uri != NULL ? q->uri : PSI),
                                      poc_span_of((const uint8_t *)body, q->body_len > 0 ? q->body_len : strlen(body)),
                                      &w->rng, &wr),
                     POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    (void)snprintf(more, sizeof(more), "%sAuthorization: %s\r\n", q->more != NULL ? q->more : "", authorization);
    again.more = more;
    return phone_ask(p, &again);
}

/* ---- stages ---- */

static void on_turn(void *ctx)
{
    su_root_step(((world *)ctx)->root, 10);
}

static void phone_begin(stage *s, phone *p, const char *host)
{
    phone_open(p, host, 0);
    p->pf_port = world_port();
    p->turn = on_turn;
    p->ctx = &s->world;
    p->from = WORLD_ALICE;
    p->to = PSI;
}

static void stage_make(void **state, const world_options *options)
{
    stage *s = calloc(1, sizeof(*s));
    world_start(&s->world, options);
    phone_begin(s, &s->alice, "127.0.0.1");
    phone_begin(s, &s->core, CORE);
    phone_begin(s, &s->stranger, STRANGER);
    s->world.mcx_answer = (wire_mcx_answer){ .status = 200, .phrase = "OK", .expires_s = 600, .why = "" };
    *state = s;
}

static int set_up(void **state)
{
    stage_make(state, &(world_options){ .transport = "udp", .mcx_identity = PSI });
    return 0;
}

static int set_up_registered(void **state)
{
    stage_make(state, &(world_options){ .transport = "udp", .auth = SIP_AUTH_REGISTERED, .mcx_identity = PSI });
    return 0;
}

/* One user may take 8 of these, and one when 640 are taken. */
static int set_up_narrow(void **state)
{
    stage_make(state, &(world_options){ .transport = "udp", .mcx_identity = PSI, .mcx_sent_max = 1280 });
    return 0;
}

static int set_up_without(void **state)
{
    stage_make(state, &(world_options){ .transport = "udp" });
    return 0;
}

static int set_up_udp_only(void **state)
{
    stage_make(state, &(world_options){ .transport = "udp", .mcx_identity = PSI, .udp_only = true });
    return 0;
}

static int tear_down(void **state)
{
    stage *s = *state;
    world_stop(&s->world);
    phone_close(&s->alice);
    phone_close(&s->core);
    phone_close(&s->stranger);
    free(s);
    return 0;
}

/* ---- without the group mcx ---- */

static void without_an_identity_register_and_publish_are_not_allowed(void **state)
{
    stage *s = *state;
    assert_int_equal(phone_ask(&s->alice, &(phone_request){ .method = "REGISTER" }), 405);
    assert_null(strstr(phone_header(&s->alice, "Allow"), "REGISTER"));
    assert_int_equal(phone_ask(&s->alice, &(phone_request){ .method = "PUBLISH", .more = SETTINGS }), 405);
    assert_int_equal(s->world.mcx_asked, 0);
    assert_int_equal(sip_mcx_send(s->world.sip, &(sip_mcx_message){ .impu = WORLD_ALICE }, NULL), POC_E_STATE);
}

/* ---- REGISTER ---- */

/* MCX-11, MCX-17: the sender has proved himself before anything of the key is looked at. */
static void a_register_is_heard_once_its_sender_has_proved_himself(void **state)
{
    stage *s = *state;
    static const char body[] = "\x01\x1a\x05\x00 any octets \r\n\x00\x20";
    char contact[128], where[96];
    const phone_request q = { .method = "REGISTER",
                              .more = "Expires: 7200\r\n",
                              .type = "application/mikey",
                              .body = body,
                              .body_len = sizeof(body) - 1 };
    assert_int_equal(ask_proved(s, &q), 200);
    assert_int_equal(s->world.mcx_asked, 1);
    const wire_mcx_request *r = &s->world.mcx_request;
    assert_int_equal(r->method, WIRE_MCX_REGISTER);
    assert_false(r->by_core);
    assert_string_equal(r->impu, WORLD_ALICE);
    assert_true(poc_span_eq_str(r->content_type, "application/mikey"));
    assert_int_equal(r->body.n, sizeof(body) - 1);
    assert_memory_equal(r->body.p, body, sizeof(body) - 1);
    assert_true(r->has_expires);
    assert_int_equal(r->expires_s, 7200);
    (void)snprintf(where, sizeof(where), "sip:alice@127.0.0.1:%u", s->alice.port);
    assert_string_equal(r->where, where);
    (void)snprintf(contact, sizeof(contact), "<%s>;expires=600", where);
    phone_assert_header(&s->alice, "Contact", contact);
    phone_assert_header(&s->alice, "Expires", "600");
    phone_assert_header(&s->alice, "Service-Route", "");
    assert_int_equal(s->world.authenticated, 1);
}

/* A key costs a signature and a pairing: whoever sends a thousand of them without being anybody gets a thousand challenges. */
static void of_who_proves_nothing_no_body_is_looked_at(void **state)
{
    static const char *const methods[] = { "REGISTER", "PUBLISH", "MESSAGE" };
    static const char *const claims[] = {
        SETTINGS,
        SETTINGS "P-Asserted-Identity: <" WORLD_ALICE ">\r\n",
        SETTINGS "Authorization: Digest username=\"" WORLD_BTID "\", realm=\"3GPP-bootstrapping@" WORLD_FQDN
                 "\", nonce=\"bm9uY2U=\", uri=\"" PSI "\", response=\"0123456789abcdef0123456789abcdef\"\r\n",
    };
    stage *s = *state;
    for (size_t i = 0; i < POC_COUNT(methods) * POC_COUNT(claims); i++) {
        const phone_request q = { .method = methods[i % POC_COUNT(methods)],
                                  .more = claims[i / POC_COUNT(methods)],
                                  .type = "application/mikey",
                                  .body = "any octets" };
        assert_int_equal(phone_ask(&s->stranger, &q), 401);
    }
    assert_int_equal(s->world.mcx_asked, 0);
}

static void the_time_in_a_contact_counts_more_than_the_header(void **state)
{
    stage *s = *state;
    s->world.mcx_answer.expires_s = 0;
    assert_int_equal(ask_proved(s, &(phone_request){ .method = "REGISTER",
                                                     .contact = "Contact: <sip:a@127.0.0.1>;expires=0\r\n",
                                                     .more = "Expires: 60\r\n" }),
                     200);
    assert_true(s->world.mcx_request.has_expires);
    assert_int_equal(s->world.mcx_request.expires_s, 0);
    phone_assert_header(&s->alice, "Contact", "");
    assert_int_equal(
        ask_proved(s, &(phone_request){ .method = "REGISTER", .contact = "Contact: *\r\n", .more = "Expires: 0\r\n" }),
        200);
    assert_string_equal(s->world.mcx_request.where, "");
    assert_int_equal(ask_proved(s, &(phone_request){ .method = "REGISTER", .contact = "Contact: *\r\n" }), 400);
}

/* MCX-21: nobody registers under another's name. */
static void a_register_for_somebody_else_is_refused(void **state)
{
    stage *s = *state;
    assert_int_equal(phone_ask(&s->alice, &(phone_request){ .method = "REGISTER", .to = "sip:bob@home1.example" }),
                     403);
    assert_int_equal(ask_proved(s, &(phone_request){ .method = "REGISTER",
                                                     .from = "sip:bob@home1.example",
                                                     .to = "sip:bob@home1.example" }),
                     403);
    assert_int_equal(ask_proved(s, &(phone_request){ .method = "REGISTER",
                                                     .from = "sip:bob@home1.example",
                                                     .to = "sip:bob@home1.example",
                                                     .more = "P-Preferred-Identity: <" WORLD_ALICE ">\r\n" }),
                     403);
    assert_string_equal(s->world.refusal, "REGISTER is not for the identity of its sender");
    assert_int_equal(s->world.mcx_asked, 0);
}

/* TS 24.229 5.4.1.7 */
static void a_third_party_register_is_about_its_to_and_comes_from_the_core_alone(void **state)
{
    stage *s = *state;
    const phone_request q = { .method = "REGISTER",
                              .from = CSCF,
                              .more = "Expires: 600\r\n",
                              .type = "message/sip",
                              .body = "REGISTER sip:home1.example SIP/2.0\r\n\r\n" };
    assert_int_equal(phone_ask(&s->stranger, &q), 403);
    assert_int_equal(s->world.mcx_asked, 0);
    assert_string_equal(s->world.refusal, "third-party REGISTER is not from the trusted core");
    assert_int_equal(phone_ask(&s->core, &q), 200);
    assert_int_equal(s->world.mcx_asked, 1);
    assert_true(s->world.mcx_request.by_core);
    assert_string_equal(s->world.mcx_request.impu, WORLD_ALICE);
    assert_string_equal(s->world.mcx_request.where, "");
    assert_true(poc_span_eq_str(s->world.mcx_request.content_type, "message/sip"));
}

static void a_registered_core_says_who_it_is(void **state)
{
    stage *s = *state;
    assert_int_equal(phone_ask(&s->core, &(phone_request){ .method = "REGISTER" }), 403);
    assert_int_equal(phone_ask(&s->core, &(phone_request){ .method = "REGISTER",
                                                           .more = "P-Asserted-Identity: <" WORLD_ALICE ">\r\n" }),
                     200);
    assert_string_equal(s->world.mcx_request.impu, WORLD_ALICE);
    assert_false(s->world.mcx_request.by_core);
    assert_int_equal(
        phone_ask(&s->core, &(phone_request){ .method = "PUBLISH",
                                              .more = SETTINGS "P-Asserted-Identity: <" WORLD_ALICE ">\r\n",
                                              .to = PSI,
                                              .type = "application/mikey",
                                              .body = "x" }),
        200);
    assert_int_equal(phone_ask(&s->stranger, &(phone_request){ .method = "REGISTER",
                                                               .more = "P-Asserted-Identity: <" WORLD_ALICE ">\r\n" }),
                     403);
    assert_int_equal(s->world.mcx_asked, 2);
}

static void who_is_behind_a_proxy_is_reached_by_the_core(void **state)
{
    stage *s = *state;
    assert_int_equal(phone_ask(&s->core, &(phone_request){ .method = "REGISTER",
                                                           .more = "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK-ue\r\n"
                                                                   "P-Asserted-Identity: <" WORLD_ALICE ">\r\n" }),
                     200);
    assert_string_equal(s->world.mcx_request.where, "");
}

/* ---- PUBLISH (RFC 3903) ---- */

#define PUBLISHES(more_headers, text)                                                                            \
    &(phone_request)                                                                                             \
    {                                                                                                            \
        .method = "PUBLISH", .to = PSI, .more = SETTINGS more_headers, .type = "application/mikey", .body = text \
    }

static void what_is_published_has_a_tag_that_changes_with_every_answer(void **state)
{
    stage *s = *state;
    char first[64], second[64], more[256];
    assert_int_equal(ask_proved(s, PUBLISHES("Expires: 900\r\n", "x")), 200);
    assert_int_equal(s->world.mcx_request.method, WIRE_MCX_PUBLISH);
    assert_int_equal(s->world.mcx_request.expires_s, 900);
    phone_assert_header(&s->alice, "Expires", "600");
    (void)snprintf(first, sizeof(first), "%s", phone_header(&s->alice, "SIP-ETag"));
    assert_int_equal(strlen(first), 16);
    (void)snprintf(more, sizeof(more), SETTINGS "SIP-If-Match: %s\r\n", first);
    const phone_request refresh = { .method = "PUBLISH", .to = PSI, .more = more };
    assert_int_equal(ask_proved(s, &refresh), 200);
    assert_int_equal(s->world.mcx_request.body.n, 0);
    (void)snprintf(second, sizeof(second), "%s", phone_header(&s->alice, "SIP-ETag"));
    assert_string_not_equal(first, second);
    assert_int_equal(ask_proved(s, &refresh), 412);
    assert_int_equal(s->world.mcx_asked, 2);
    (void)snprintf(more, sizeof(more), SETTINGS "SIP-If-Match: %s\r\nExpires: 0\r\n", second);
    s->world.mcx_answer.expires_s = 0;
    assert_int_equal(ask_proved(s, &refresh), 200);
    phone_assert_header(&s->alice, "SIP-ETag", "");
    assert_int_equal(ask_proved(s, &refresh), 412);
    assert_int_equal(s->world.mcx_asked, 3);
}

static void a_publish_says_what_it_is_about(void **state)
{
    stage *s = *state;
    assert_int_equal(
        phone_ask(&s->alice, &(phone_request){ .method = "PUBLISH", .more = "Event: presence\r\n", .body = "x" }), 489);
    phone_assert_header(&s->alice, "Allow-Events", "poc-settings");
    assert_int_equal(phone_ask(&s->alice, &(phone_request){ .method = "PUBLISH", .body = "x" }), 489);
    assert_int_equal(ask_proved(s, &(phone_request){ .method = "PUBLISH", .to = PSI, .more = SETTINGS }), 400);
    assert_int_equal(
        phone_ask(&s->alice,
                  &(phone_request){ .method = "PUBLISH", .uri = "sip:other@home1.example", .more = SETTINGS }),
        405);
    assert_int_equal(phone_ask(&s->alice, PUBLISHES("Content-Encoding: gzip\r\n", "x")), 415);
    phone_assert_header(&s->alice, "Accept-Encoding", "identity");
    assert_int_equal(s->world.mcx_asked, 0);
}

static void one_who_publishes_again_and_again_takes_no_room_from_others(void **state)
{
    stage *s = *state;
    char first[64], more[256];
    assert_int_equal(ask_proved(s, PUBLISHES("", "x")), 200);
    (void)snprintf(first, sizeof(first), "%s", phone_header(&s->alice, "SIP-ETag"));
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask_proved(s, PUBLISHES("", "x")), 200);
    assert_int_equal(s->world.sip->mcx->publishers.count, 1);
    (void)snprintf(more, sizeof(more), SETTINGS "SIP-If-Match: %s\r\n", first);
    assert_int_equal(ask_proved(s, &(phone_request){ .method = "PUBLISH", .to = PSI, .more = more }), 412);
}

/* ---- MESSAGE and OPTIONS ---- */

static void a_message_to_our_identity_is_ours_and_any_other_goes_on(void **state)
{
    stage *s = *state;
    assert_int_equal(
        ask_proved(s, &(phone_request){ .method = "MESSAGE", .to = PSI, .type = "text/plain", .body = "x" }), 200);
    assert_int_equal(s->world.mcx_request.method, WIRE_MCX_MESSAGE);
    phone_assert_header(&s->alice, "SIP-ETag", "");
    phone_assert_header(&s->alice, "Expires", "");
    assert_string_equal(s->world.cf.diary, "");
    assert_int_equal(
        ask_proved(s,
                   &(phone_request){
                       .method = "MESSAGE", .uri = WORLD_GROUP, .to = WORLD_GROUP, .type = "text/plain", .body = "x" }),
        200);
    assert_true(world_wait_diary(&s->world, &s->world.cf, "MESSAGE "));
    assert_int_equal(s->world.mcx_asked, 1);
}

static void options_tell_what_is_allowed(void **state)
{
    stage *s = *state;
    assert_int_equal(phone_ask(&s->alice, &(phone_request){ .method = "OPTIONS", .to = PSI }), 200);
    assert_non_null(strstr(phone_header(&s->alice, "Allow"), "REGISTER, PUBLISH"));
}

/* ---- answers ---- */

/* MCX-17: what a client is told of a key that does not hold. */
static void a_refusal_has_its_warning(void **state)
{
    stage *s = *state;
    s->world.mcx_answer = (wire_mcx_answer){ .status = 403,
                                             .phrase = "Forbidden",
                                             .warning = "136 authentication of the MIKEY-SAKKE I_MESSAGE failed",
                                             .why = "signature" };
    assert_int_equal(ask_proved(s, PUBLISHES("", "x")), 403);
    phone_assert_header(&s->alice, "Warning",
                        "399 " WORLD_FQDN " \"136 authentication of the MIKEY-SAKKE I_MESSAGE failed\"");
    phone_assert_header(&s->alice, "SIP-ETag", "");
    s->world.mcx_answer =
        (wire_mcx_answer){ .status = 423, .phrase = "Interval Too Brief", .min_expires_s = 60, .why = "x" };
    assert_int_equal(ask_proved(s, PUBLISHES("Expires: 1\r\n", "x")), 423);
    phone_assert_header(&s->alice, "Min-Expires", "60");
    s->world.mcx_answer =
        (wire_mcx_answer){ .status = 503, .phrase = "Service Unavailable", .retry_after_s = 7, .why = "" };
    assert_int_equal(ask_proved(s, PUBLISHES("", "x")), 503);
    phone_assert_header(&s->alice, "Retry-After", "7");
}

/* The answer may wait for the store, and a repeated request meanwhile is not another one. */
static void an_answer_may_come_later(void **state)
{
    stage *s = *state;
    s->world.mcx_hold = true;
    const phone_request q = { .method = "REGISTER", .from = CSCF };
    phone_say(&s->core, &q);
    phone_repeat(&s->core);
    phone_hears_nothing(&s->core);
    assert_int_equal(s->world.mcx_asked, 1);
    sip_mcx_answer(s->world.mcx_open, &s->world.mcx_answer);
    (void)phone_hear(&s->core);
    assert_int_equal(phone_status(&s->core), 200);
}

static void who_still_waits_when_it_ends_is_told_to_come_again(void **state)
{
    stage *s = *state;
    s->world.mcx_hold = true;
    phone_say(&s->core, &(phone_request){ .method = "REGISTER", .from = CSCF });
    assert_true(world_wait(&s->world, &s->world.mcx_asked, 1));
    sip_free(s->world.sip);
    s->world.sip = NULL;
    (void)phone_hear(&s->core);
    assert_int_equal(phone_status(&s->core), 503);
}

/* ---- requests of ours ---- */

static poc_err send_as(stage *s, const sip_mcx_message *message, bool *replaced)
{
    world *w = &s->world;
    w->inside_call = true;
    const poc_err err = sip_mcx_send(w->sip, message, replaced);
    w->inside_call = false;
    return err;
}

static poc_err send_key(stage *s, const char *where, const char *body, bool by_notify, uint32_t timeout_ms)
{
    const sip_mcx_message message = { .impu = WORLD_ALICE,
                                      .where = where,
                                      .subject = "alice's",
                                      .number = 42,
                                      .service = MCX_MCPTT,
                                      .by_notify = by_notify,
                                      .content_type = "multipart/mixed;boundary=b",
                                      .body = poc_span_str(body),
                                      .timeout_ms = timeout_ms };
    return send_as(s, &message, NULL);
}

static const char *contact_of(const phone *p)
{
    static char contact[96];
    (void)snprintf(contact, sizeof(contact), "sip:alice@%s:%u", p->host, p->port);
    return contact;
}

/* MCX-1, MCX-26: the headers of digest 7.2. */
static void a_key_goes_out_as_a_message_from_our_identity(void **state)
{
    stage *s = *state;
    assert_int_equal(send_key(s, contact_of(&s->alice), "--b\r\nkey\r\n--b--\r\n", false, 5000), POC_OK);
    (void)phone_hear(&s->alice);
    char start[128];
    (void)snprintf(start, sizeof(start), "MESSAGE %s SIP/2.0\r\n", contact_of(&s->alice));
    assert_memory_equal(s->alice.heard, start, strlen(start));
    assert_memory_equal(phone_header(&s->alice, "From"), "<" PSI ">;tag=", strlen("<" PSI ">;tag="));
    phone_assert_header(&s->alice, "To", "<" WORLD_ALICE ">");
    phone_assert_header(&s->alice, "P-Asserted-Identity", "<" PSI ">");
    phone_assert_header(&s->alice, "P-Asserted-Service", "urn:urn-7:3gpp-service.ims.icsi.mcptt");
    phone_assert_says(&s->alice, "*;+g.3gpp.mcptt;require;explicit");
    phone_assert_says(&s->alice, "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt\";require;explicit");
    phone_assert_header(&s->alice, "Content-Type", "multipart/mixed;boundary=b");
    phone_assert_header(&s->alice, "Contact", "");
    phone_assert_says(&s->alice, "\r\n\r\n--b\r\nkey\r\n--b--\r\n");
    phone_reply(&s->alice, "200 OK");
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 1));
    assert_string_equal(s->world.mcx_sent_subject, "alice's");
    assert_int_equal(s->world.mcx_sent_number, 42);
    assert_int_equal(s->world.mcx_sent_status, 200);
}

static void without_a_contact_it_goes_to_the_user_by_the_next_hop(void **state)
{
    stage *s = *state;
    assert_int_equal(send_key(s, "", "--b--\r\n", false, 5000), POC_OK);
    assert_true(world_wait_diary(&s->world, &s->world.cf, "MESSAGE "));
    assert_string_equal(s->world.cf.asserted, "<" PSI ">");
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 1));
    assert_int_equal(s->world.mcx_sent_status, 200);
}

/* MCX-1: the liaison statement says NOTIFY. */
static void it_may_be_a_notify(void **state)
{
    stage *s = *state;
    assert_int_equal(send_key(s, contact_of(&s->alice), "--b--\r\n", true, 5000), POC_OK);
    (void)phone_hear(&s->alice);
    assert_memory_equal(s->alice.heard, "NOTIFY ", 7);
    phone_assert_header(&s->alice, "Event", "poc-settings");
    phone_assert_header(&s->alice, "Subscription-State", "active");
    assert_string_not_equal(phone_header(&s->alice, "Contact"), "");
    phone_reply(&s->alice, "200 OK");
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 1));
}

/** A body of 1.5 kB, as one with a key is. */
static const char *large_body(void)
{
    static char body[1600];
    memset(body, 'k', sizeof(body) - 1);
    memcpy(body + sizeof(body) - 7, "--b--\r\n", 7);
    body[sizeof(body) - 1] = '\0';
    memcpy(body + sizeof(body) - 1 - 7, "--b--\r\n", 7);
    return body;
}

/* RFC 3261 18.1.1 */
static void what_is_larger_than_a_datagram_should_be_goes_over_tcp(void **state)
{
    stage *s = *state;
    phone_listen(&s->alice);
    assert_int_equal(send_key(s, contact_of(&s->alice), large_body(), false, 5000), POC_OK);
    (void)phone_hear(&s->alice);
    assert_true(s->alice.by_tcp);
    assert_memory_equal(s->alice.heard, "MESSAGE ", 8);
    phone_assert_says(&s->alice, "Via: SIP/2.0/TCP");
    phone_assert_says(&s->alice, large_body());
}

static void who_has_no_tcp_gets_it_by_udp(void **state)
{
    stage *s = *state;
    assert_int_equal(send_key(s, contact_of(&s->alice), large_body(), false, 5000), POC_OK);
    (void)phone_hear(&s->alice);
    assert_false(s->alice.by_tcp);
    phone_assert_says(&s->alice, large_body());
    phone_reply(&s->alice, "200 OK");
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 1));
    assert_int_equal(s->world.mcx_sent_status, 200);
}

static void who_has_said_udp_gets_it_by_udp(void **state)
{
    stage *s = *state;
    char where[128];
    phone_listen(&s->alice);
    (void)snprintf(where, sizeof(where), "%s;transport=udp", contact_of(&s->alice));
    assert_int_equal(send_key(s, where, large_body(), false, 5000), POC_OK);
    (void)phone_hear(&s->alice);
    assert_false(s->alice.by_tcp);
    phone_assert_says(&s->alice, large_body());
    phone_reply(&s->alice, "200 OK");
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 1));
    assert_int_equal(s->world.mcx_sent_status, 200);
}

static void where_we_listen_to_no_tcp_it_goes_by_udp_too(void **state)
{
    phone_listen(&((stage *)*state)->alice);
    who_has_no_tcp_gets_it_by_udp(state);
}

/* RFC 3261 26.2.2. The phone would take it by UDP and by TCP. */
static void what_asks_for_tls_is_never_sent_in_clear(void **state)
{
    static const char *const forms[] = {
        "sips:alice@%s:%u",
        "sips:alice@%s:%u;transport=tcp",
        "sips:alice@%s:%u;transport=udp",
        "sip:alice@%s:%u;transport=tls",
    };
    stage *s = *state;
    phone_listen(&s->alice);
    for (size_t i = 0; i < POC_COUNT(forms); i++) {
        char where[128];
        (void)snprintf(where, sizeof(where), forms[i], s->alice.host, s->alice.port);
        assert_int_equal(send_key(s, where, large_body(), false, 5000), POC_OK);
        assert_true(world_wait(&s->world, &s->world.mcx_ended, (uint32_t)i + 1));
        assert_true(s->world.mcx_sent_status >= 400);
        phone_hears_nothing(&s->alice);
    }
}

static void whoever_challenges_or_redirects_has_not_taken_the_key(void **state)
{
    static const char *const answers[] = { "302 Moved Temporarily", "401 Unauthorized",
                                           "407 Proxy Authentication Required", "488 Not Acceptable Here",
                                           "500 Server Internal Error" };
    stage *s = *state;
    for (uint32_t i = 0; i < POC_COUNT(answers); i++) {
        assert_int_equal(send_key(s, contact_of(&s->alice), "--b--\r\n", false, 5000), POC_OK);
        (void)phone_hear(&s->alice);
        phone_reply(&s->alice, answers[i]);
        assert_true(world_wait(&s->world, &s->world.mcx_ended, i + 1));
        assert_int_equal(s->world.mcx_sent_status, atoi(answers[i]));
    }
    phone_hears_nothing(&s->alice);
}

/** Until so many requests of ours have not ended. */
static void wait_sent(stage *s, uint32_t goal)
{
    const int64_t until_ms = sip_now_ms() + 60000;
    while (s->world.sip->mcx->sent_count != goal && sip_now_ms() < until_ms)
        su_root_step(s->world.root, 10);
    assert_int_equal(s->world.sip->mcx->sent_count, goal);
}

static void who_says_nothing_is_given_up_in_time(void **state)
{
    stage *s = *state;
    assert_int_equal(send_key(s, contact_of(&s->alice), "--b--\r\n", false, 50), POC_OK);
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 1));
    assert_int_equal(s->world.mcx_sent_status, 408);
    assert_int_equal(s->world.sip->mcx->sent_count, 1); /* its transaction goes on, and has its place */
    (void)phone_hear(&s->alice);
    phone_reply(&s->alice, "200 OK"); /* too late */
    wait_sent(s, 0);
    assert_int_equal(s->world.mcx_ended, 1);
}

/* ---- shares ---- */

static poc_err send_about(stage *s, const char *subject, uint64_t topic, uint64_t number, bool *replaced)
{
    char body[64];
    (void)snprintf(body, sizeof(body), "number %llu of %s", (unsigned long long)number, subject);
    return send_as(s,
                   &(sip_mcx_message){ .impu = WORLD_ALICE,
                                       .where = contact_of(&s->alice),
                                       .subject = subject,
                                       .number = number,
                                       .topic = topic,
                                       .service = MCX_MCPTT,
                                       .content_type = "text/plain",
                                       .body = poc_span_str(body),
                                       .timeout_ms = 600000 },
                   replaced);
}

/** Until that very request comes, for the first time or again, and answers it. */
static void take_body(stage *s, const char *body)
{
    size_t n;
    do
        (void)phone_hear(&s->alice);
    while (strcmp(phone_body(&s->alice, &n), body) != 0);
    phone_reply(&s->alice, "200 OK");
}

static void a_younger_key_takes_the_place_of_an_older_one_about_the_same(void **state)
{
    stage *s = *state;
    bool replaced = true;
    assert_int_equal(send_about(s, "alice", 7, 1, &replaced), POC_OK);
    assert_false(replaced);
    assert_int_equal(send_about(s, "alice", 8, 2, &replaced), POC_OK);
    assert_int_equal(send_about(s, "bob", 7, 3, &replaced), POC_OK);
    assert_false(replaced);
    assert_int_equal(send_about(s, "alice", 7, 4, &replaced), POC_OK);
    assert_true(replaced);
    take_body(s, "number 1 of alice");
    wait_sent(s, 3);
    assert_int_equal(s->world.mcx_ended, 0); /* nobody waits for that one */
    take_body(s, "number 2 of alice");
    take_body(s, "number 3 of bob");
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 2));
    take_body(s, "number 4 of alice");
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 3));
    assert_int_equal(s->world.mcx_sent_number, 4);
    assert_int_equal(s->world.sip->mcx->recipients.count, 0);
}

/* Whatever one client does, there is room for the keys of others. */
static void one_who_does_not_answer_has_no_more_than_his_share(void **state)
{
    stage *s = *state;
    for (uint64_t i = 1; i <= 8; i++)
        assert_int_equal(send_about(s, "mallory", i, i, NULL), POC_OK);
    assert_int_equal(send_about(s, "mallory", 9, 9, NULL), POC_E_LIMIT);
    assert_int_equal(send_about(s, "mallory", 1, 10, NULL), POC_E_LIMIT); /* what it would take the place of goes on */
    assert_int_equal(send_about(s, "alice", 1, 11, NULL), POC_OK);
    take_body(s, "number 1 of mallory");
    assert_true(world_wait(&s->world, &s->world.mcx_ended, 1));
    assert_int_equal(send_about(s, "mallory", 9, 12, NULL), POC_OK);
}

static void when_half_is_taken_shares_are_small_and_there_is_an_end(void **state)
{
    stage *s = *state;
    char who[32];
    for (unsigned i = 0; i < 80 * 8; i++) {
        (void)snprintf(who, sizeof(who), "mallory%u", i / 8);
        assert_int_equal(send_about(s, who, i, i, NULL), POC_OK);
    }
    assert_int_equal(send_about(s, "mallory0", 1000, 1000, NULL), POC_E_LIMIT);
    for (unsigned i = 0; i < 640; i++) {
        (void)snprintf(who, sizeof(who), "user%u", i);
        assert_int_equal(send_about(s, who, 1, 1, NULL), POC_OK);
        assert_int_equal(send_about(s, who, 2, 2, NULL), POC_E_LIMIT);
    }
    assert_int_equal(send_about(s, "alice", 1, 1, NULL), POC_E_LIMIT);
    assert_int_equal(s->world.sip->mcx->sent_count, 1280);
}

static void nobody_is_sent_anything_at_what_is_no_address(void **state)
{
    static const char *const bad[] = { "tel:+123", "sip:", "http://127.0.0.1/", "sip:a@127.0.0.1?Subject=x" };
    stage *s = *state;
    for (size_t i = 0; i < POC_COUNT(bad); i++)
        assert_int_equal(send_key(s, bad[i], "x", false, 50), POC_E_INPUT);
    assert_int_equal(s->world.sip->mcx->sent_count, 0);
    world_settle(&s->world);
    assert_int_equal(s->world.mcx_ended, 0);
}

static void on_drained(void *user)
{
    ((world *)user)->drained = true;
}

static void who_is_shutting_down_takes_and_sends_no_keys(void **state)
{
    stage *s = *state;
    sip_drain(s->world.sip, on_drained, &s->world);
    assert_int_equal(phone_ask(&s->core, &(phone_request){ .method = "REGISTER", .from = CSCF }), 503);
    assert_int_equal(send_key(s, "", "x", false, 50), POC_E_STATE);
}

int main(void)
{
#define AT(f)         cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define REGISTERED(f) cmocka_unit_test_setup_teardown(f, set_up_registered, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_an_identity_register_and_publish_are_not_allowed, set_up_without,
                                        tear_down),
        AT(a_register_is_heard_once_its_sender_has_proved_himself),
        AT(of_who_proves_nothing_no_body_is_looked_at),
        AT(the_time_in_a_contact_counts_more_than_the_header),
        AT(a_register_for_somebody_else_is_refused),
        AT(a_third_party_register_is_about_its_to_and_comes_from_the_core_alone),
        REGISTERED(a_registered_core_says_who_it_is),
        REGISTERED(who_is_behind_a_proxy_is_reached_by_the_core),
        AT(what_is_published_has_a_tag_that_changes_with_every_answer),
        AT(a_publish_says_what_it_is_about),
        AT(one_who_publishes_again_and_again_takes_no_room_from_others),
        AT(a_message_to_our_identity_is_ours_and_any_other_goes_on),
        AT(options_tell_what_is_allowed),
        AT(a_refusal_has_its_warning),
        AT(an_answer_may_come_later),
        AT(who_still_waits_when_it_ends_is_told_to_come_again),
        AT(a_key_goes_out_as_a_message_from_our_identity),
        AT(without_a_contact_it_goes_to_the_user_by_the_next_hop),
        AT(it_may_be_a_notify),
        AT(what_is_larger_than_a_datagram_should_be_goes_over_tcp),
        AT(who_has_no_tcp_gets_it_by_udp),
        AT(who_has_said_udp_gets_it_by_udp),
        cmocka_unit_test_setup_teardown(where_we_listen_to_no_tcp_it_goes_by_udp_too, set_up_udp_only, tear_down),
        AT(what_asks_for_tls_is_never_sent_in_clear),
        AT(whoever_challenges_or_redirects_has_not_taken_the_key),
        AT(who_says_nothing_is_given_up_in_time),
        AT(a_younger_key_takes_the_place_of_an_older_one_about_the_same),
        cmocka_unit_test_setup_teardown(one_who_does_not_answer_has_no_more_than_his_share, set_up_narrow, tear_down),
        cmocka_unit_test_setup_teardown(when_half_is_taken_shares_are_small_and_there_is_an_end, set_up_narrow,
                                        tear_down),
        AT(nobody_is_sent_anything_at_what_is_no_address),
        AT(who_is_shutting_down_takes_and_sends_no_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
