/* The SIP shell in the less travelled ways: a core that vouches, session timers, requests carried through, offers and
 * answers that cross, connections that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/io/now.h"
#include "tests/unit/io/sip_world.h"
/* after it: looks inside */
#include "pf/io/sip_private.h"

static const world_options over_udp = { .transport = "udp" }, over_tcp = { .transport = "tcp" };
static const world_options registered = { .transport = "udp", .auth = SIP_AUTH_REGISTERED };

static const poc_span mikey = { (const uint8_t *)"a MIKEY message", 15 };

static void offer(world *w, uint64_t number, uint32_t timeout_ms)
{
    assert_int_equal(sip_offer(w->session, number, POCPF_OFFER_OPEN, mikey, timeout_ms), POC_OK);
}

/* ---- the core vouches ---- */

/* POC-5, POC-21 */
static void vouched_user_without_gba_context_comes_up_on_unicast_and_the_log_says_why(void **state)
{
    (void)state;
    world w;
    world_start(&w, &registered);
    core_invite(&w, WORLD_ALICE, "P-Asserted-Identity: <" WORLD_ALICE ">");
    assert_true(world_wait_status(&w, &w.core));
    assert_int_equal(w.core.status, 200);
    assert_true(world_wait(&w, &w.ups, 1));
    assert_string_equal(sip_session_user(w.session), WORLD_ALICE);
    assert_string_equal(w.cf.asserted, "<" WORLD_ALICE ">");
    assert_int_equal(w.authenticated, 0);
    assert_int_equal(w.refusals, 1);
    assert_int_equal(w.refusal_kind, POC_E_AUTH);
    assert_string_equal(w.refusal, "stays on unicast: no bootstrapped user (GBA) has this identity");
    world_stop(&w);
}

static void vouched_user_of_a_group_without_a_channel_is_no_news(void **state)
{
    (void)state;
    world w;
    world_start(&w, &registered);
    w.no_channel = true;
    core_invite(&w, WORLD_ALICE, "P-Asserted-Identity: <" WORLD_ALICE ">");
    assert_true(world_wait(&w, &w.ups, 1));
    assert_null(sip_session_channel(w.session));
    assert_int_equal(w.refusals, 0);
    world_stop(&w);
}

/* POC-5 */
static void vouched_user_with_gba_context_is_authenticated(void **state)
{
    (void)state;
    gba_zn_answer answer = { .expires_s = io_now_ms() / 1000 + 3600, .impu_count = 1 };
    world w;
    world_start(&w, &registered);
    answer.me_key = poc_secret_ref(w.ks_naf);
    (void)snprintf(answer.impi, sizeof(answer.impi), "alice@home1.example");
    (void)snprintf(answer.impus[0], sizeof(answer.impus[0]), WORLD_ALICE);
    assert_int_equal(gba_naf_learn(w.naf, io_now_ms() / 1000, poc_span_str(WORLD_BTID), &answer), POC_OK);
    gba_zn_answer_done(&answer);
    core_invite(&w, WORLD_ALICE, "P-Asserted-Identity: <" WORLD_ALICE ">");
    assert_true(world_wait(&w, &w.ups, 1));
    assert_int_equal(w.authenticated, 1);
    assert_int_equal(w.refusals, 0);
    world_stop(&w);
}

static void core_that_asserts_nobody_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = { NULL, "P-Asserted-Identity: <mailto:alice@home1.example>",
                                           "P-Asserted-Identity: ,,," };
    world w;
    world_start(&w, &registered);
    for (size_t i = 0; i < POC_COUNT(headers); i++) {
        core_invite(&w, WORLD_ALICE, headers[i]);
        assert_true(world_wait_status(&w, &w.core));
        assert_int_equal(w.core.status, 403);
        assert_string_equal(w.refusal, "the core asserts no identity");
    }
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

/* ---- session timers ---- */

static const world_options timed = { .transport = "udp", .session_expires_s = 2, .session_min_s = 1 };

static void join_with(world *w, const char *client_expires, const char *cf_expires)
{
    w->client.session_expires = client_expires;
    w->cf.session_expires = cf_expires;
    world_join(w);
}

static void leg_of_the_cf_is_refreshed_at_half_its_interval(void **state)
{
    (void)state;
    world w;
    world_start(&w, &timed);
    join_with(&w, NULL, "2;refresher=uac");
    assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK UPDATE UPDATE "));
    assert_string_equal(w.cf.expires, "2;refresher=uac");
    assert_int_equal(w.downs, 0);
    world_stop(&w);
}

static void cf_without_update_is_refreshed_by_a_reinvite_with_the_same_description(void **state)
{
    (void)state;
    char first[8192];
    world w;
    world_start(&w, &timed);
    w.cf.allow_update = false;
    join_with(&w, NULL, "2;refresher=uac");
    (void)snprintf(first, sizeof(first), "%s", w.cf.sdp);
    w.cf.sdp[0] = '\0';
    assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK INVITE ACK "));
    assert_string_equal(w.cf.sdp, first);
    assert_int_equal(w.downs, 0);
    world_stop(&w);
}

static void client_that_asks_for_it_is_refreshed(void **state)
{
    (void)state;
    world w;
    world_start(&w, &timed);
    join_with(&w, "2;refresher=uas", NULL);
    assert_string_equal(w.client.expires, "2;refresher=uas");
    assert_true(world_wait_diary(&w, &w.client, "UPDATE UPDATE "));
    assert_int_equal(w.downs, 0);
    world_stop(&w);
}

/* Both legs: the peer promised to refresh and does not. */
static void leg_that_nobody_refreshes_ends_the_session_as_lost(void **state)
{
    (void)state;
    static const struct {
        const char *client, *cf;
    } rows[] = { { "2;refresher=uac", NULL }, { NULL, "2;refresher=uas" } };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        world w;
        world_start(&w, &timed);
        join_with(&w, rows[i].client, rows[i].cf);
        assert_true(world_wait(&w, &w.downs, 1));
        assert_int_equal(w.departure, POCPF_LOST);
        assert_true(world_wait_diary(&w, &w.client, "BYE "));
        assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK BYE "));
        world_stop(&w);
    }
}

static void update_of_the_client_keeps_the_session_alive(void **state)
{
    (void)state;
    world w;
    world_start(&w, &timed);
    join_with(&w, "4;refresher=uac", NULL);
    int64_t joined_ms = io_now_ms();
    for (int i = 0; i < 2; i++) {
        while (io_now_ms() < joined_ms + (i + 1) * 2000)
            su_root_step(w.root, 20);
        peer_request_with(&w.client, SIP_METHOD_UPDATE, "Supported: timer\r\nSession-Expires: 4;refresher=uac\r\n",
                          NULL, NULL);
        assert_true(world_wait_status(&w, &w.client));
        assert_int_equal(w.client.status, 200);
    }
    assert_int_equal(w.downs, 0);
    world_stop(&w);
}

/* ---- carried requests ---- */

/* POC-10, POC-14: a chair expels through the PF; what happens is the CF's business. */
static void requests_of_a_client_outside_dialogs_reach_the_cf_with_its_proven_name(void **state)
{
    (void)state;
    static const struct {
        sip_method_t method;
        const char *name, *header, *body;
        int status;
    } rows[] = {
        { SIP_METHOD_REFER, "Refer-To: <sip:bob@home2.example;method=BYE>\r\nReferred-By: <" WORLD_ALICE ">\r\n", "",
          202 },
        { SIP_METHOD_REFER, "Refer-To: <cid:1>\r\nRequire: multiple-refer\r\n", "<list/>", 202 },
        { SIP_METHOD_MESSAGE, NULL, "good morning", 200 },
        { SIP_METHOD_OPTIONS, NULL, "", 200 },
        { SIP_METHOD_SUBSCRIBE, "Event: conference\r\nExpires: 60\r\n", "", 200 },
    };
    world w;
    char authorization[2048];
    world_start(&w, &over_udp);
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        const char *body = rows[i].body[0] != '\0' ? rows[i].body : NULL;
        w.cf.diary[0] = '\0';
        client_request(&w, rows[i].method, rows[i].name, NULL, rows[i].header, body);
        assert_true(world_wait_status(&w, &w.client));
        assert_int_equal(w.client.status, 401);
        assert_string_equal(w.cf.diary, "");
        client_authorize_for(&w, authorization, rows[i].name, WORLD_GROUP, rows[i].body);
        client_request(&w, rows[i].method, rows[i].name, authorization, rows[i].header, body);
        assert_true(world_wait_status(&w, &w.client));
        assert_int_equal(w.client.status, rows[i].status);
        assert_string_equal(w.cf.asserted, "<" WORLD_ALICE ">");
        assert_true(strncmp(w.cf.diary, rows[i].name, strlen(rows[i].name)) == 0);
        if (body != NULL)
            assert_string_equal(w.cf.sdp, body);
        if (i == 0)
            assert_non_null(strstr(w.cf.refer_to, "<sip:bob@home2.example;method=BYE>"));
    }
    world_stop(&w);
}

static void info_of_the_client_is_proven_anew_and_reaches_the_cf(void **state)
{
    (void)state;
    world w;
    char authorization[2048], header[2200], uri[64];
    world_start(&w, &over_udp);
    world_join(&w);
    peer_request(&w.client, SIP_METHOD_INFO, "hello", "text/plain");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 401);
    assert_string_equal(w.cf.diary, "INVITE ACK ");
    (void)snprintf(uri, sizeof(uri), "sip:127.0.0.1:%u;transport=udp", world_port());
    client_authorize_for(&w, authorization, "INFO", uri, "hello");
    (void)snprintf(header, sizeof(header), "Authorization: %s\r\n", authorization);
    peer_request_with(&w.client, SIP_METHOD_INFO, header, "hello", "text/plain");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 200);
    assert_string_equal(w.cf.diary, "INVITE ACK INFO ");
    assert_string_equal(w.cf.sdp, "hello");
    world_stop(&w);
}

/* ---- offers and answers that cross ---- */

#define MOVED(who, audio)                                                             \
    "v=0\r\no=" who " 1 2 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n" \
    "m=audio " audio " RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\nm=application 45302 udp TBCP\r\n"

static void assert_media(const sip_leg *leg, const char *address, uint16_t port)
{
    struct sockaddr_storage expected;
    assert_int_equal(poc_addr_parse(&expected, poc_span_str(address), port), POC_OK);
    assert_true(poc_addr_eq((const struct sockaddr *)&leg->peer->audio, (const struct sockaddr *)&expected));
}

static void reinvite_and_update_of_the_cf_move_its_media(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    peer_request(&w.cf, SIP_METHOD_UPDATE, MOVED("cf", "41000"), "application/sdp");
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 200);
    assert_media(&w.session->cf, "127.0.0.9", 41000);
    peer_request(&w.cf, SIP_METHOD_INVITE, MOVED("cf", "41002"), "application/sdp");
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 200);
    assert_media(&w.session->cf, "127.0.0.9", 41002);
    assert_media(&w.session->client, "127.0.0.1", 45200);
    peer_request(&w.cf, SIP_METHOD_INVITE, "v=0\r\nnonsense", "application/sdp");
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 400);
    assert_media(&w.session->cf, "127.0.0.9", 41002);
    world_stop(&w);
}

/* RFC 3264: the 2xx to an empty re-INVITE is an offer, the ACK answers it. */
static void empty_reinvite_gets_an_offer_and_its_ack_moves_the_media(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    w.client.ack_sdp = MOVED("alice", "45400");
    peer_request(&w.client, SIP_METHOD_INVITE, NULL, NULL);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 200);
    assert_non_null(strstr(w.client.sdp, "m=audio "));
    world_settle(&w);
    assert_media(&w.session->client, "127.0.0.9", 45400);
    w.client.ack_sdp = NULL;
    peer_request(&w.client, SIP_METHOD_INVITE, NULL, NULL);
    assert_true(world_wait(&w, &w.refusals, 1));
    assert_string_equal(w.refusal, "ACK does not answer our offer");
    assert_media(&w.session->client, "127.0.0.9", 45400);
    world_stop(&w);
}

/* What the PF would offer to a member carries a key message that the client has seen already. */
static void empty_reinvite_of_a_member_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    offer(&w, 1, 5000);
    assert_true(world_wait(&w, &w.answers, 1));
    peer_request(&w.client, SIP_METHOD_INVITE, NULL, NULL);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 488);
    assert_int_equal(w.downs, 0);
    offer(&w, 2, 5000);
    assert_true(world_wait(&w, &w.answers, 2));
    assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
    world_stop(&w);
}

static void offer_that_meets_ours_gets_491(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    w.client.reply = REPLY_SILENCE;
    offer(&w, 1, 5000);
    assert_true(world_wait_diary(&w, &w.client, "UPDATE "));
    peer_request(&w.client, SIP_METHOD_UPDATE, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 491);
    peer_request(&w.client, SIP_METHOD_INVITE, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 491);
    world_stop(&w);
}

static void offer_before_the_ack_of_the_last_gets_500_with_retry_after(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    w.client.heard[0] = '\0';
    w.client.no_ack = true;
    peer_request(&w.client, SIP_METHOD_INVITE, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    peer_request(&w.client, SIP_METHOD_UPDATE, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_string_equal(w.client.heard, "INVITE:200 UPDATE:500 ");
    world_stop(&w);
}

/* POC-22 */
static void server_error_with_retry_after_is_retried_and_not_without_a_pause(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    w.client.reply = REPLY_500_ONCE;
    int64_t begun_ms = io_now_ms();
    offer(&w, 1, 5000);
    assert_true(world_wait(&w, &w.answers, 1));
    assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
    assert_string_equal(w.client.diary, "UPDATE UPDATE ");
    assert_true(io_now_ms() - begun_ms >= 200);
    world_stop(&w);
}

/* ---- races and losses ---- */

/* Challenge and authorized INVITE; nobody has answered yet. */
static void invite_authorized(world *w)
{
    char authorization[2048];
    client_invite(w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(w, &w->client));
    client_authorize(w, authorization, world_offer, true);
    client_invite(w, WORLD_ALICE, authorization, world_offer, "application/sdp");
}

static void what_the_cf_wants_of_us_is_not_asked_of_the_client(void **state)
{
    (void)state;
    static const int wants[] = { 401, 407, 422 };
    for (size_t i = 0; i < POC_COUNT(wants); i++) {
        world w;
        world_start(&w, &over_udp);
        w.cf.answer_busy = true;
        w.cf.busy_status = wants[i];
        invite_authorized(&w);
        assert_true(world_wait_status(&w, &w.client));
        assert_int_equal(w.client.status, 500);
        assert_int_equal(w.refusals, wants[i] == 422);
        world_settle(&w);
        assert_int_equal(sip_look(w.sip).sessions, 0);
        world_stop(&w);
    }
}

static void cancel_that_crosses_the_200_of_the_cf_leaves_no_session(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    w.cf.hold_invite = w.cf.cross_cancel = true;
    invite_authorized(&w);
    assert_true(world_wait_diary(&w, &w.cf, "INVITE "));
    for (int64_t end = io_now_ms() + 8000; w.client.provisional != 180 && io_now_ms() < end;)
        su_root_step(w.root, 20);
    assert_int_equal(nta_outgoing_cancel(w.client.request), 0);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 487);
    assert_true(world_wait_diary(&w, &w.cf, "INVITE CANCEL ACK BYE "));
    assert_int_equal(w.ups, 0);
    world_settle(&w);
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

static void cancel_while_the_bsf_thinks_calls_nobody(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    w.zn_hold = true;
    invite_authorized(&w);
    assert_true(world_wait(&w, &w.zn_asked, 1));
    assert_int_equal(nta_outgoing_tcancel(w.client.request, NULL, NULL, NTATAG_CANCEL_2543(1), TAG_END()) == NULL, 0);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 487);
    world_settle(&w);
    assert_string_equal(w.cf.diary, "");
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

static void on_drained(void *user)
{
    ((world *)user)->drained = true;
}

static void invite_that_waited_for_the_bsf_does_not_come_in_while_draining(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    w.zn_hold = true;
    invite_authorized(&w);
    assert_true(world_wait(&w, &w.zn_asked, 1));
    sip_drain(w.sip, on_drained, &w);
    world_zn_answer(&w);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 503);
    for (int64_t end = io_now_ms() + 8000; !w.drained && io_now_ms() < end;)
        su_root_step(w.root, 20);
    assert_true(w.drained);
    assert_string_equal(w.cf.diary, "");
    world_stop(&w);
}

static void client_that_never_acknowledges_is_released_on_both_sides(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    nta_agent_set_params(w.sip->agent, NTATAG_SIP_T1(20), NTATAG_SIP_T1X64(300), TAG_END());
    w.client.no_ack = true;
    invite_authorized(&w);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 200);
    assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK BYE "));
    assert_true(world_wait_diary(&w, &w.client, "BYE "));
    assert_string_equal(w.refusal, "the caller never acknowledged");
    assert_int_equal(w.ups, 0);
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

/* POC-21: an unreachable client has refused nothing. */
static void client_whose_connection_broke_has_not_refused_and_may_still_be_removed(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_tcp);
    world_join(&w);
    client_dies(&w);
    offer(&w, 1, 3000);
    assert_true(world_wait(&w, &w.answers, 1));
    assert_int_equal(w.answer, POCPF_ANSWER_TIMEOUT);
    assert_string_equal(w.answer_why, "client cannot be reached");
    assert_int_equal(w.downs, 0);
    peer_request(&w.cf, SIP_METHOD_BYE, NULL, NULL);
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 200);
    assert_int_equal(w.downs, 1);
    world_settle(&w);
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

/* ---- what asks for TLS ---- */

static void contact_asks_for_tls(peer *p)
{
    assert_memory_equal(p->url, "sip:", 4);
    snprintf(p->contact, sizeof(p->contact), "<sips:%s>", p->url + 4);
}

/* RFC 3261 26.2.2. The client listens at that address, on TCP. */
static void client_whose_contact_comes_to_ask_for_tls_is_sent_nothing_in_clear(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_tcp);
    world_join(&w);
    contact_asks_for_tls(&w.client);
    peer_request(&w.client, SIP_METHOD_UPDATE, NULL, NULL);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 200);
    offer(&w, 1, 3000);
    assert_true(world_wait(&w, &w.answers, 1));
    assert_int_equal(w.answer, POCPF_ANSWER_TIMEOUT);
    assert_string_equal(w.answer_why, "client cannot be reached");
    world_settle(&w);
    assert_string_equal(w.client.diary, "");
    world_stop(&w);
}

static void cf_that_answers_with_a_contact_for_tls_gets_no_session(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_tcp);
    contact_asks_for_tls(&w.cf);
    invite_authorized(&w);
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 500);
    assert_string_equal(w.refusal, "2xx to INVITE asks for TLS, which is not spoken here");
    world_settle(&w);
    assert_string_equal(w.cf.diary, "INVITE ");
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

/* The route, not the Contact, says where the next request goes. */
static void client_behind_a_proxy_may_have_a_contact_for_tls(void **state)
{
    (void)state;
    world w;
    char route[256];
    world_start(&w, &registered);
    snprintf(route, sizeof(route), "P-Asserted-Identity: <" WORLD_ALICE ">\r\nRecord-Route: <%s;lr>", w.core.url);
    contact_asks_for_tls(&w.core);
    core_invite(&w, WORLD_ALICE, route);
    assert_true(world_wait_status(&w, &w.core));
    assert_int_equal(w.core.status, 200);
    world_stop(&w);
}

/* ---- subscription and records ---- */

/* RFC 6665: later requests of a subscription go where its Contact says. */
static void refresh_and_end_of_a_subscription_stay_in_its_dialog(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    assert_int_equal(sip_subscribe(w.sip, "dispatch", WORLD_GROUP, NULL, false), POC_OK);
    assert_true(world_wait(&w, &w.subscriptions, 1));
    assert_int_equal(sip_subscribe(w.sip, "dispatch", WORLD_GROUP, NULL, true), POC_OK);
    assert_true(world_wait_diary(&w, &w.cf, "SUBSCRIBE SUBSCRIBE "));
    world_settle(&w);
    sip_unsubscribe(w.sip, "dispatch");
    assert_true(world_wait_diary(&w, &w.cf, "SUBSCRIBE SUBSCRIBE SUBSCRIBE "));
    world_settle(&w);
    assert_int_equal(w.subscriptions, 1);
    world_stop(&w);
}

static void record_with_long_tags_is_restored_and_one_beyond_2048_octets_is_not_made(void **state)
{
    (void)state;
    static const size_t lengths[] = { 500, 2000 };
    for (size_t i = 0; i < POC_COUNT(lengths); i++) {
        char tag[2001] = { 0 };
        uint8_t record[4096];
        world w;
        memset(tag, 'x', lengths[i]);
        world_start(&w, &over_tcp);
        w.client.tag = tag;
        world_join(&w);
        poc_wr wr = poc_wr_into(record, sizeof(record));
        assert_int_equal(sip_session_save(w.session, &wr), i == 0 ? POC_OK : POC_E_LIMIT);
        if (i == 0) {
            world_restart_sip(&w, &over_tcp);
            assert_int_equal(sip_session_restore(w.sip, poc_span_of(record, wr.len), &w.session), POC_OK);
            offer(&w, 1, 5000);
            assert_true(world_wait(&w, &w.answers, 1));
            assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
        }
        world_stop(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vouched_user_without_gba_context_comes_up_on_unicast_and_the_log_says_why),
        cmocka_unit_test(vouched_user_of_a_group_without_a_channel_is_no_news),
        cmocka_unit_test(vouched_user_with_gba_context_is_authenticated),
        cmocka_unit_test(core_that_asserts_nobody_is_refused),
        cmocka_unit_test(leg_of_the_cf_is_refreshed_at_half_its_interval),
        cmocka_unit_test(cf_without_update_is_refreshed_by_a_reinvite_with_the_same_description),
        cmocka_unit_test(client_that_asks_for_it_is_refreshed),
        cmocka_unit_test(leg_that_nobody_refreshes_ends_the_session_as_lost),
        cmocka_unit_test(update_of_the_client_keeps_the_session_alive),
        cmocka_unit_test(requests_of_a_client_outside_dialogs_reach_the_cf_with_its_proven_name),
        cmocka_unit_test(info_of_the_client_is_proven_anew_and_reaches_the_cf),
        cmocka_unit_test(reinvite_and_update_of_the_cf_move_its_media),
        cmocka_unit_test(empty_reinvite_gets_an_offer_and_its_ack_moves_the_media),
        cmocka_unit_test(empty_reinvite_of_a_member_is_refused_and_changes_nothing),
        cmocka_unit_test(offer_that_meets_ours_gets_491),
        cmocka_unit_test(offer_before_the_ack_of_the_last_gets_500_with_retry_after),
        cmocka_unit_test(server_error_with_retry_after_is_retried_and_not_without_a_pause),
        cmocka_unit_test(what_the_cf_wants_of_us_is_not_asked_of_the_client),
        cmocka_unit_test(cancel_that_crosses_the_200_of_the_cf_leaves_no_session),
        cmocka_unit_test(cancel_while_the_bsf_thinks_calls_nobody),
        cmocka_unit_test(invite_that_waited_for_the_bsf_does_not_come_in_while_draining),
        cmocka_unit_test(client_that_never_acknowledges_is_released_on_both_sides),
        cmocka_unit_test(client_whose_connection_broke_has_not_refused_and_may_still_be_removed),
        cmocka_unit_test(client_whose_contact_comes_to_ask_for_tls_is_sent_nothing_in_clear),
        cmocka_unit_test(cf_that_answers_with_a_contact_for_tls_gets_no_session),
        cmocka_unit_test(client_behind_a_proxy_may_have_a_contact_for_tls),
        cmocka_unit_test(refresh_and_end_of_a_subscription_stay_in_its_dialog),
        cmocka_unit_test(record_with_long_tags_is_restored_and_one_beyond_2048_octets_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
