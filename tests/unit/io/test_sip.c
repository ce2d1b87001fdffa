/* The SIP shell on loopback: who is let in, what both sides hear, and how sessions end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/io/sip_text.h"
#include "tests/unit/io/sip_world.h"

static const world_options over_udp = { .transport = "udp" }, over_tcp = { .transport = "tcp" };

static void listen_entries_become_urls_or_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *url; /* NULL: refused */
    } rows[] = {
        { "udp:127.0.0.1:5060", "sip:127.0.0.1:5060;transport=udp" },
        { "tcp:[::1]:5060", "sip:[::1]:5060;transport=tcp" },
        { "tls:pf.example:5061", "sips:pf.example:5061;transport=tls" },
        { "sctp:127.0.0.1:5060", NULL },
        { "udp:127.0.0.1", NULL },
        { "udp:127.0.0.1:70000", NULL },
        { "udp::5060", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        char url[SIP_URL_MAX];
        assert_int_equal(sip_text_listen_url(url, rows[i].entry), rows[i].url != NULL ? POC_OK : POC_E_INPUT);
        if (rows[i].url != NULL)
            assert_string_equal(url, rows[i].url);
    }
}

static void tls_without_certificates_does_not_start(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    static const char *const listen[] = { "tls:127.0.0.1:0" };
    const sip_settings settings = {
        .listen = listen, .listen_count = 1, .domain = WORLD_FQDN, .next_hop = "sip:cf.example", .sessions_max = 1
    };
    const sip_events none = { 0 };
    sip *s;
    assert_int_equal(sip_new(&s, w.root, &settings, w.naf, &w.zn, w.relay, &none, NULL), POC_E_IO);
    world_stop(&w);
}

/* ---- who is let in ---- */

static void unknown_client_is_challenged_for_the_bootstrapping_realm(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 401);
    assert_non_null(strstr(w.client.challenge, "realm=\"3GPP-bootstrapping@" WORLD_FQDN "\""));
    assert_int_equal(sip_look(w.sip).challenged, 1);
    assert_int_equal(sip_look(w.sip).sessions, 0);
    assert_string_equal(w.cf.diary, "");
    world_stop(&w);
}

static void joins(const world_options *options)
{
    world w;
    world_start(&w, options);
    world_join(&w);
    assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK "));
    assert_int_equal(w.zn_asked, 1);
    assert_int_equal(w.authenticated, 1);
    assert_string_equal(w.cf.asserted, "<" WORLD_ALICE ">");
    assert_string_equal(w.cf.accept_contact, "*;+g.poc.talkburst;require;explicit");
    assert_int_equal(w.client.provisional, 180);
    assert_string_equal(sip_session_user(w.session), WORLD_ALICE);
    assert_string_equal(sip_session_channel(w.session), "dispatch");
    assert_true(sip_session_capable(w.session));
    /* Each side is told the PF's own addresses towards it. */
    wire_unicast to_cf, to_client;
    const relay_session *media = sip_session_relay(w.session);
    assert_int_equal(wire_unicast_read(&to_cf, poc_span_str(w.cf.sdp), NULL), POC_OK);
    assert_int_equal(wire_unicast_read(&to_client, poc_span_str(w.client.sdp), NULL), POC_OK);
    assert_true(poc_addr_eq((struct sockaddr *)&to_cf.audio, relay_session_local(media, RELAY_CF, RELAY_AUDIO)));
    assert_true(poc_addr_eq((struct sockaddr *)&to_cf.floor, relay_session_local(media, RELAY_CF, RELAY_FLOOR)));
    assert_true(
        poc_addr_eq((struct sockaddr *)&to_client.audio, relay_session_local(media, RELAY_CLIENT, RELAY_AUDIO)));
    /* POC-7: nothing of the channel before the PF's own offer. */
    assert_null(strstr(w.client.sdp, "key-mgmt"));
    world_stop(&w);
}

/* What MSKs are pushed to with mbms.push_address = "sip-contact": also over a TCP connection, whose port says nothing. */
static void address_in_the_contact_of_a_client_is_known(void **state)
{
    (void)state;
    const world_options *const both[] = { &over_udp, &over_tcp };
    for (size_t i = 0; i < POC_COUNT(both); i++) {
        world w;
        struct sockaddr_storage contact, loopback;
        world_start(&w, both[i]);
        world_join(&w);
        assert_int_equal(poc_addr_parse(&loopback, poc_span_str("127.0.0.1"), 0), POC_OK);
        assert_true(sip_session_contact(w.session, &contact));
        assert_true(poc_addr_eq((struct sockaddr *)&contact, (struct sockaddr *)&loopback));
        world_stop(&w);
    }
}

static void bootstrapped_client_joins_over_udp(void **state)
{
    (void)state;
    joins(&over_udp);
}

static void bootstrapped_client_joins_over_tcp(void **state)
{
    (void)state;
    joins(&over_tcp);
}

static void wrong_digest_is_challenged_again_and_counted(void **state)
{
    (void)state;
    world w;
    char authorization[2048];
    world_start(&w, &over_udp);
    client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    client_authorize(&w, authorization, world_offer, false);
    client_invite(&w, WORLD_ALICE, authorization, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 401);
    assert_int_equal(w.authenticated, 0);
    assert_int_equal(w.refusals, 1);
    assert_int_equal(w.refusal_kind, POC_E_AUTH);
    assert_string_equal(w.cf.diary, "");
    world_stop(&w);
}

static void identity_of_somebody_else_is_forbidden(void **state)
{
    (void)state;
    world w;
    char authorization[2048];
    world_start(&w, &over_udp);
    client_invite(&w, "sip:bob@home1.example", NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    client_authorize(&w, authorization, world_offer, true);
    client_invite(&w, "sip:bob@home1.example", authorization, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 403);
    assert_non_null(strstr(w.client.warning, "identity does not belong to the B-TID"));
    assert_int_equal(w.refusal_kind, POC_E_DENIED);
    assert_string_equal(w.cf.diary, "");
    world_stop(&w);
}

static void bsf_that_knows_or_says_nothing_lets_nobody_in(void **state)
{
    (void)state;
    static const struct {
        poc_err err;
        int status;
    } rows[] = { { POC_E_AUTH, 401 }, { POC_E_DENIED, 403 }, { POC_E_IO, 503 } };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        world w;
        char authorization[2048];
        world_start(&w, &over_udp);
        w.zn_err = rows[i].err;
        client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
        assert_true(world_wait_status(&w, &w.client));
        client_authorize(&w, authorization, world_offer, true);
        client_invite(&w, WORLD_ALICE, authorization, world_offer, "application/sdp");
        assert_true(world_wait_status(&w, &w.client));
        assert_int_equal(w.client.status, rows[i].status);
        assert_string_equal(w.cf.diary, "");
        world_stop(&w);
    }
}

static void unusable_invites_get_the_protocols_own_error(void **state)
{
    (void)state;
    static const struct {
        const char *body, *type;
        int status;
    } rows[] = {
        { NULL, NULL, 488 },
        { "hello", "text/plain", 415 },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        world w;
        world_start(&w, &over_udp);
        client_invite(&w, WORLD_ALICE, NULL, rows[i].body, rows[i].type);
        assert_true(world_wait_status(&w, &w.client));
        assert_int_equal(w.client.status, rows[i].status);
        assert_int_equal(w.refusals, 1);
        world_stop(&w);
    }
}

static void offer_without_usable_audio_is_not_acceptable(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int status;
    } rows[] = {
        { "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 4000 RTP/AVP 96\r\n", 488 },
        { "v=0\r\nthis is not a description\r\n", 400 },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        world w;
        char authorization[2048];
        world_start(&w, &over_udp);
        client_invite(&w, WORLD_ALICE, NULL, rows[i].body, "application/sdp");
        assert_true(world_wait_status(&w, &w.client));
        client_authorize(&w, authorization, rows[i].body, true);
        client_invite(&w, WORLD_ALICE, authorization, rows[i].body, "application/sdp");
        assert_true(world_wait_status(&w, &w.client));
        assert_int_equal(w.client.status, rows[i].status);
        assert_string_equal(w.cf.diary, "");
        assert_int_equal(sip_look(w.sip).sessions, 0);
        world_stop(&w);
    }
}

/* Sends one datagram to the PF and returns the status of its answer, 0 for silence. */
static int status_of(world *w, const char *request)
{
    char answer[4096] = "";
    struct sockaddr_storage to;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), status = 0;
    assert_int_equal(poc_addr_parse(&to, poc_span_str("127.0.0.1"), world_port()), POC_OK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), 0);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    for (int i = 0; i < 20 && recv(fd, answer, sizeof(answer) - 1, 0) <= 0; i++)
        su_root_step(w->root, 10);
    close(fd);
    (void)sscanf(answer, "SIP/2.0 %d", &status);
    return status;
}

#define FIRST(method, uri) method " " uri " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK%d\r\n"
#define REST(method)                                                                                    \
    "From: <" WORLD_ALICE ">;tag=a\r\nTo: <" WORLD_GROUP ">\r\nCall-ID: %d@x\r\nCSeq: 1 " method "\r\n" \
    "Contact: <sip:alice@127.0.0.1:9>\r\n"

static void what_does_not_pass_the_door_gets_its_own_status(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        { FIRST("REGISTER", WORLD_GROUP) REST("REGISTER") "\r\n", 405 },
        { FIRST("DANCE", WORLD_GROUP) REST("DANCE") "\r\n", 501 },
        { FIRST("INVITE", WORLD_GROUP) REST("INVITE") "Max-Forwards: 0\r\n\r\n", 483 },
        { FIRST("INVITE", WORLD_GROUP) REST("INVITE") "Require: dancing\r\n\r\n", 420 },
        { FIRST("INVITE", WORLD_GROUP) REST("INVITE") "Session-Expires: 10\r\nContent-Type: application/sdp\r\n"
                                                      "Content-Length: 3\r\n\r\nv=0",
          422 },
        { FIRST("INVITE", "tel:+123") REST("INVITE") "\r\n", 416 },
        { FIRST("INVITE", "sips:dispatch@cf.home1.example") REST("INVITE") "\r\n", 416 },
        { FIRST("MESSAGE", "sips:dispatch@cf.home1.example") REST("MESSAGE") "\r\n", 416 },
        { FIRST("INVITE", WORLD_GROUP) "From: <" WORLD_ALICE ">;tag=a\r\nTo: <" WORLD_GROUP
                                       ">\r\nCall-ID: %d@x\r\nCSeq: 1 INVITE\r\n"
                                       "Contact: <sips:alice@127.0.0.1:9>\r\n\r\n",
          400 },
        { FIRST("INVITE", WORLD_GROUP "?Route=evil") REST("INVITE") "\r\n", 400 },
        { FIRST("BYE", WORLD_GROUP) REST("BYE") "\r\n", 405 },
        { FIRST("INVITE", WORLD_GROUP) "From: <<<\r\nTo: ;;\r\nCall-ID: %d@x\r\nCSeq: one INVITE\r\n\r\n", 400 },
        { "\xFF\xFE no SIP at all %d %d\r\n\r\n", 0 },
        { FIRST("OPTIONS", "sip:" WORLD_FQDN) REST("OPTIONS") "\r\n", 200 },
    };
    world w;
    world_start(&w, &over_udp);
    for (int i = 0; i < (int)POC_COUNT(rows); i++) {
        char request[2048], number[8];
        snprintf(number, sizeof(number), "%d", i);
        size_t n = 0;
        for (const char *p = rows[i].request; *p != '\0' && n < sizeof(request) - 8; p++)
            if (p[0] == '%' && p[1] == 'd') {
                n += (size_t)snprintf(request + n, sizeof(request) - n, "%s", number);
                p++;
            } else {
                request[n++] = *p;
            }
        request[n] = '\0';
        int status = status_of(&w, request);
        if (status != rows[i].status)
            print_error("row %d: %d\n", i, status);
        assert_int_equal(status, rows[i].status);
    }
    assert_int_equal(sip_look(w.sip).sessions, 0);
    assert_string_equal(w.cf.diary, "");
    world_stop(&w);
}

static void client_that_asks_too_often_is_told_to_wait(void **state)
{
    (void)state;
    static const world_options few = { .transport = "udp", .requests_per_source_s = 1 };
    world w;
    world_start(&w, &few);
    /* A second may end in between: of three requests at least one is the second of its second. */
    int refused = 0;
    for (int i = 0; i < 3; i++) {
        client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
        assert_true(world_wait_status(&w, &w.client));
        refused += w.client.status == 503;
    }
    assert_true(refused >= 1);
    assert_int_equal(w.refusal_kind, POC_E_LIMIT);
    world_stop(&w);
}

static void full_house_answers_503(void **state)
{
    (void)state;
    static const world_options one = { .transport = "udp", .sessions_max = 1 };
    world w;
    world_start(&w, &one);
    world_join(&w);
    cf_invite(&w);
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 503);
    assert_int_equal(w.refusal_kind, POC_E_LIMIT);
    assert_int_equal(sip_look(w.sip).sessions, 1);
    world_stop(&w);
}

static void registered_mode_takes_requests_of_the_core_only(void **state)
{
    (void)state;
    static const world_options registered = { .transport = "udp", .auth = SIP_AUTH_REGISTERED };
    world w;
    world_start(&w, &registered);
    client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 403);
    assert_string_equal(w.refusal, "not from the trusted core");
    world_stop(&w);
}

static void refusal_of_the_cf_reaches_the_client_as_it_is(void **state)
{
    (void)state;
    world w;
    char authorization[2048];
    world_start(&w, &over_udp);
    w.cf.answer_busy = true;
    client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    client_authorize(&w, authorization, world_offer, true);
    client_invite(&w, WORLD_ALICE, authorization, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 486);
    assert_int_equal(w.ups, 0);
    world_settle(&w);
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

static void cancelled_invite_is_cancelled_at_the_cf(void **state)
{
    (void)state;
    world w;
    char authorization[2048];
    world_start(&w, &over_udp);
    w.cf.hold_invite = true;
    client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    client_authorize(&w, authorization, world_offer, true);
    client_invite(&w, WORLD_ALICE, authorization, world_offer, "application/sdp");
    for (int i = 0; i < 100 && w.client.provisional != 180; i++)
        su_root_step(w.root, 20);
    assert_int_equal(w.client.provisional, 180);
    assert_int_equal(nta_outgoing_cancel(w.client.request), 0);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 487);
    assert_true(world_wait_diary(&w, &w.cf, "INVITE CANCEL ACK "));
    world_settle(&w);
    assert_int_equal(sip_look(w.sip).sessions, 0);
    assert_int_equal(w.ups, 0);
    world_stop(&w);
}

static void cf_calls_a_client_that_was_seen_before(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    cf_invite(&w);
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 200);
    assert_true(world_wait(&w, &w.ups, 1));
    assert_string_equal(sip_session_user(w.session), WORLD_ALICE);
    assert_string_equal(sip_session_channel(w.session), "dispatch");
    assert_true(sip_session_capable(w.session));
    assert_true(world_wait_diary(&w, &w.client, "INVITE ACK "));
    pf_offer(&w, 1, POCPF_OFFER_OPEN, 5000);
    assert_true(world_wait(&w, &w.answers, 1));
    assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
    world_stop(&w);
}

/* ---- ends ---- */

static void bye_of_the_client_means_left(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_tcp);
    world_join(&w);
    peer_request(&w.client, SIP_METHOD_BYE, NULL, NULL);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 200);
    assert_int_equal(w.downs, 1);
    assert_int_equal(w.departure, POCPF_LEFT);
    assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK BYE "));
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

static void bye_of_the_cf_means_removed(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    peer_request(&w.cf, SIP_METHOD_BYE, NULL, NULL);
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.downs, 1);
    assert_int_equal(w.departure, POCPF_REMOVED);
    assert_true(world_wait_diary(&w, &w.client, "BYE "));
    world_stop(&w);
}

static void released_session_says_bye_to_both_and_nothing_to_the_shell(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    w.inside_call = true;
    sip_release(w.session, POCPF_REASON_EXPEL);
    w.inside_call = false;
    assert_true(world_wait_diary(&w, &w.client, "BYE "));
    assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK BYE "));
    assert_int_equal(w.downs, 0);
    world_stop(&w);
}

static void on_drained(void *user)
{
    ((world *)user)->drained = true;
}

static void draining_ends_every_session_and_takes_no_new_one(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    sip_drain(w.sip, on_drained, &w);
    assert_false(w.drained);
    assert_true(world_wait_diary(&w, &w.client, "BYE "));
    for (int i = 0; i < 100 && !w.drained; i++)
        su_root_step(w.root, 20);
    assert_true(w.drained);
    world_stop(&w);
}

static void messages_of_the_cf_are_carried_to_the_client(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    peer_request(&w.cf, SIP_METHOD_INFO, "hello", "text/plain");
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 200);
    assert_string_equal(w.client.diary, "INFO ");
    assert_string_equal(w.client.sdp, "hello");
    world_stop(&w);
}

/* ---- conference state ---- */

#define NS "urn:ietf:params:xml:ns:conference-info"

/* POC-14: the PF sees who is in, by subscription. */
static void notifications_reach_the_shell_and_garbage_does_not(void **state)
{
    (void)state;
    static const char full[] = "<conference-info xmlns=\"" NS "\" entity=\"g\" version=\"1\"><users>"
                               "<user entity=\"a\"/><user entity=\"b\"/></users></conference-info>";
    static const char partial[] = "<conference-info xmlns=\"" NS "\" entity=\"g\" version=\"2\" state=\"partial\">"
                                  "<users state=\"partial\"><user entity=\"b\" state=\"deleted\"/></users>"
                                  "</conference-info>";
    world w;
    world_start(&w, &over_udp);
    w.inside_call = true;
    assert_int_equal(sip_subscribe(w.sip, "dispatch", WORLD_GROUP, NULL, false), POC_OK);
    w.inside_call = false;
    assert_true(world_wait(&w, &w.subscriptions, 1));
    assert_int_equal(w.subscription, POCPF_SUB_ACTIVE);
    assert_true(w.subscription_fresh);
    assert_string_equal(w.cf.asserted, "<sip:" WORLD_FQDN ">");
    peer_notify(&w.cf, "active;expires=3600", full);
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 200);
    assert_int_equal(w.conf_state, POCPF_CONF_FULL);
    assert_int_equal(w.conf_users, 2);
    peer_notify(&w.cf, "active", partial);
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.conf_state, POCPF_CONF_PARTIAL);
    assert_int_equal(w.conferences, 2);
    peer_notify(&w.cf, "active", "<!DOCTYPE x><conference-info/>");
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 400);
    assert_int_equal(w.conferences, 2);
    assert_string_equal(w.refusal, "DOCTYPE is not allowed");
    peer_notify(&w.cf, "terminated;reason=noresource", NULL);
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.subscription, POCPF_SUB_ENDED);
    world_settle(&w);
    peer_notify(&w.cf, "active", full);
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 481);
    assert_int_equal(w.conferences, 2);
    world_stop(&w);
}

static void ends_of_a_subscription_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        pocpf_subscription what;
        uint32_t retry_ms;
    } rows[] = {
        { "terminated;reason=deactivated", POCPF_SUB_RETRY, 0 },
        { "terminated;reason=timeout", POCPF_SUB_RETRY, 0 },
        { "terminated;reason=probation;retry-after=7", POCPF_SUB_RETRY, 7000 },
        { "terminated;reason=giveup", POCPF_SUB_RETRY, 5000 },
        { "terminated;reason=rejected", POCPF_SUB_REFUSED, 0 },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        world w;
        world_start(&w, &over_udp);
        assert_int_equal(sip_subscribe(w.sip, "dispatch", WORLD_GROUP, WORLD_ALICE, false), POC_OK);
        assert_true(world_wait(&w, &w.subscriptions, 1));
        assert_string_equal(w.cf.asserted, "<" WORLD_ALICE ">");
        peer_notify(&w.cf, rows[i].state, NULL);
        assert_true(world_wait(&w, &w.subscriptions, 2));
        assert_int_equal(w.subscription, rows[i].what);
        assert_int_equal(w.retry_ms, rows[i].retry_ms);
        world_stop(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen_entries_become_urls_or_are_refused),
        cmocka_unit_test(tls_without_certificates_does_not_start),
        cmocka_unit_test(unknown_client_is_challenged_for_the_bootstrapping_realm),
        cmocka_unit_test(address_in_the_contact_of_a_client_is_known),
        cmocka_unit_test(bootstrapped_client_joins_over_udp),
        cmocka_unit_test(bootstrapped_client_joins_over_tcp),
        cmocka_unit_test(wrong_digest_is_challenged_again_and_counted),
        cmocka_unit_test(identity_of_somebody_else_is_forbidden),
        cmocka_unit_test(bsf_that_knows_or_says_nothing_lets_nobody_in),
        cmocka_unit_test(unusable_invites_get_the_protocols_own_error),
        cmocka_unit_test(offer_without_usable_audio_is_not_acceptable),
        cmocka_unit_test(what_does_not_pass_the_door_gets_its_own_status),
        cmocka_unit_test(client_that_asks_too_often_is_told_to_wait),
        cmocka_unit_test(full_house_answers_503),
        cmocka_unit_test(registered_mode_takes_requests_of_the_core_only),
        cmocka_unit_test(refusal_of_the_cf_reaches_the_client_as_it_is),
        cmocka_unit_test(cancelled_invite_is_cancelled_at_the_cf),
        cmocka_unit_test(cf_calls_a_client_that_was_seen_before),
        cmocka_unit_test(bye_of_the_client_means_left),
        cmocka_unit_test(bye_of_the_cf_means_removed),
        cmocka_unit_test(released_session_says_bye_to_both_and_nothing_to_the_shell),
        cmocka_unit_test(draining_ends_every_session_and_takes_no_new_one),
        cmocka_unit_test(messages_of_the_cf_are_carried_to_the_client),
        cmocka_unit_test(notifications_reach_the_shell_and_garbage_does_not),
        cmocka_unit_test(ends_of_a_subscription_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
