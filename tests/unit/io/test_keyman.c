/* A pocpfd without any SIP: clients register over HTTP, get their MSKs by UDP, and are expelled by the operator. The argument is
 * pocpfd. Waits for messages and events, never for time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "base/text.h"
#include "tests/unit/io/daemon_bench.h"
#include "tests/unit/io/mbms_client.h"

#define PF      "127.0.0.1"
#define SERVICE "urn:pocpf:fire"
#define GROUP   0x10010000u /* key group 0x1001, number 0: the current MSK */

#define FIRE                                                                                                  \
    "{ id = \"fire\"; address = \"239.1.1.1\"; port = 4000; key_domain_id = \"00f110\"; key_group = 0x1001; " \
    "rekey = { delivery = [ \"push\" ]; deadline_ms = 2000; }; "
#define ANYBODY "mbms = { admit = \"authenticated\"; }; "

static const char *program;

typedef struct bench {
    daemon_bench pf;
    mbms_client alice, bob;
} bench;

/* ---- a place with two clients ---- */

static void make(bench *b, const char *mbms, const char *channels)
{
    const uint16_t *port = b->pf.port;
    daemon_open(&b->pf, "", "", mbms, channels);
    mbms_client_make(&b->alice, 0, "127.0.0.21", port[DAEMON_PUSH_PORT], "pf.example");
    mbms_client_make(&b->bob, 1, "127.0.0.22", port[DAEMON_PUSH_PORT], "pf.example");
    mbms_client_bootstrap(&b->alice, PF, port[DAEMON_UB_PORT]);
    mbms_client_bootstrap(&b->bob, PF, port[DAEMON_UB_PORT]);
}

static int folder(void **state)
{
    bench *b = (bench *)calloc(1, sizeof(*b));
    daemon_prepare(&b->pf, program);
    *state = b;
    return 0;
}

static int set_up(void **state)
{
    (void)folder(state);
    make((bench *)*state, "requests_per_source_s = 0;", FIRE ANYBODY "}");
    return 0;
}

static int tear_down(void **state)
{
    bench *b = (bench *)*state;
    daemon_remove(&b->pf);
    mbms_client_done(&b->alice);
    mbms_client_done(&b->bob);
    free(b);
    return 0;
}

static int comes(bench *b, mbms_client *c)
{
    return mbms_register(c, PF, b->pf.port[DAEMON_HTTP_PORT], "register", SERVICE);
}

/** Registered, and holds the current MSK. */
static void joins(bench *b, mbms_client *c)
{
    char keyed[128];
    assert_int_equal(comes(b, c), 200);
    mbms_hear(c);
    mbms_confirm(c, false);
    (void)snprintf(keyed, sizeof(keyed), "{\"user\":\"%s\",\"state\":\"keyed\"", c->uri);
    daemon_comes_to_say(&b->pf, "/channels/fire/members", keyed);
}

/* ---- the flows ---- */

/* MBMS-4, MBMS-5, MBMS-6, MBMS-7 */
static void a_registration_is_challenged_granted_and_followed_by_the_msk(void **state)
{
    bench *b = (bench *)*state;
    char wanted[192];
    joins(b, &b->alice);
    assert_true(mbms_says(&b->alice, "200 OK"));
    assert_true(mbms_says(&b->alice, "application/mbms-register-response+xml"));
    assert_int_equal(b->alice.msk_id, GROUP + 1);
    assert_true(b->alice.has_key);
    (void)snprintf(wanted, sizeof(wanted),
                   "\"msk_id\":\"10010001\",\"ways\":[\"push\"],\"push_address\":\"127.0.0.21:%u\"",
                   b->pf.port[DAEMON_PUSH_PORT]);
    daemon_comes_to_say(&b->pf, "/channels/fire/members", wanted);
    daemon_comes_to_say(&b->pf, "/channels/fire", "\"group\":null,\"service\":\"" SERVICE "\",\"state\":\"active\"");
    daemon_comes_to_say(&b->pf, "/events", "\"event\":\"member_registered\"");
}

/* MBMS-1, MBMS-3 */
static void an_msk_request_for_number_0_brings_the_current_msk_again(void **state)
{
    bench *b = (bench *)*state;
    joins(b, &b->alice);
    uint32_t before = b->alice.counter;
    assert_int_equal(mbms_request_msk(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], GROUP), 200);
    assert_true(mbms_says(&b->alice, "application/mbms-msk-response+xml"));
    mbms_hear(&b->alice);
    assert_int_equal(b->alice.msk_id, GROUP + 1);
    assert_true(b->alice.counter > before);
}

static void an_msk_request_of_a_stranger_is_denied(void **state)
{
    bench *b = (bench *)*state;
    joins(b, &b->alice);
    int status = mbms_request_msk(&b->bob, PF, b->pf.port[DAEMON_HTTP_PORT], GROUP);
    assert_true(status == 403 || mbms_says(&b->bob, "403 Forbidden"));
    assert_true(mbms_silent(&b->bob));
}

static void a_client_on_ip6_is_pushed_to_on_ip6(void **state)
{
    bench *b = (bench *)*state;
    mbms_client carol;
    mbms_client_make(&carol, 2, "::1", b->pf.port[DAEMON_PUSH_PORT], "pf.example");
    carol.host = "127.0.0.23"; /* the BSF has only an IPv4 address */
    mbms_client_bootstrap(&carol, PF, b->pf.port[DAEMON_UB_PORT]);
    carol.host = "::1";
    assert_int_equal(mbms_register(&carol, "::1", b->pf.port[DAEMON_HTTP_PORT], "register", SERVICE), 200);
    mbms_hear_until(&carol, GROUP + 1);
    assert_int_equal(carol.from.ss_family, AF_INET6);
    daemon_comes_to_say(&b->pf, "/channels/fire/members", "\"push_address\":\"[::1]:");
    mbms_client_done(&carol);
}

/* MBMS-8, POC-10, POC-16: without SIP the operator is who expels. */
static void who_is_expelled_gets_no_new_msk_and_cannot_come_back_until_admitted(void **state)
{
    bench *b = (bench *)*state;
    static const char bob[] = "{\"user\":\"sip:bob@home2.example\"}";
    joins(b, &b->alice);
    joins(b, &b->bob);
    assert_true(daemon_asks(&b->pf, "/channels/fire/expel", bob));
    mbms_hear_until(&b->alice, GROUP + 2);
    daemon_comes_to_say(&b->pf, "/channels/fire", "\"state\":\"active\",\"msk_id\":\"10010002\"");
    assert_true(mbms_silent(&b->bob));
    (void)comes(b, &b->bob);
    assert_true(mbms_says(&b->bob, "403 Forbidden"));
    int status = mbms_request_msk(&b->bob, PF, b->pf.port[DAEMON_HTTP_PORT], GROUP);
    assert_true(status == 403 || mbms_says(&b->bob, "403 Forbidden"));
    assert_true(mbms_silent(&b->bob));
    assert_true(daemon_asks(&b->pf, "/channels/fire/admit", bob));
    assert_false(daemon_asks(&b->pf, "/channels/fire/admit", bob));
    joins(b, &b->bob);
    assert_int_equal(b->bob.msk_id, GROUP + 2);
}

/* MBMS-9 */
static void a_push_that_nobody_confirms_comes_again(void **state)
{
    bench *b = (bench *)*state;
    uint8_t first[MIKEY_MESSAGE_MAX];
    assert_int_equal(comes(b, &b->alice), 200);
    mbms_hear(&b->alice);
    size_t n = b->alice.datagram_len;
    memcpy(first, b->alice.datagram, n);
    mbms_hear(&b->alice);
    assert_int_equal(b->alice.datagram_len, n);
    assert_memory_equal(b->alice.datagram, first, n);
    mbms_hear_until(&b->alice, GROUP + 1);
    daemon_comes_to_say(&b->pf, "/channels/fire/members", "\"state\":\"keyed\"");
}

/* MBMS-10 */
static void solicit_asks_a_member_to_pull_and_he_gets_the_key(void **state)
{
    bench *b = (bench *)*state;
    joins(b, &b->alice);
    assert_false(daemon_asks(&b->pf, "/channels/fire/solicit", "{\"user\":\"sip:bob@home2.example\"}"));
    assert_true(daemon_asks(&b->pf, "/channels/fire/solicit", "{}"));
    mbms_hear(&b->alice);
    assert_int_equal(b->alice.msk_id & 0xFFFFu, 0);
    assert_false(b->alice.has_key);
    assert_int_equal(mbms_request_msk(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], GROUP), 200);
    mbms_hear_until(&b->alice, GROUP + 1);
}

static void who_deregisters_is_no_member_and_hears_no_more(void **state)
{
    bench *b = (bench *)*state;
    joins(b, &b->alice);
    joins(b, &b->bob);
    assert_int_equal(mbms_register(&b->bob, PF, b->pf.port[DAEMON_HTTP_PORT], "deregister", SERVICE), 200);
    assert_true(mbms_says(&b->bob, "200 OK"));
    assert_true(daemon_asks(&b->pf, "/channels/fire/rekey", "{}"));
    mbms_hear_until(&b->alice, GROUP + 2);
    assert_true(mbms_silent(&b->bob));
    daemon_comes_to_say(&b->pf, "/channels/fire", "\"members\":1,");
}

/* ---- a foreign client ---- */

static int curl(bench *b, const char *requesttype, const char *type, const char *body, char answer[8192])
{
    char command[2048], mrk[64];
    int status = 0;
    poc_wr wr = poc_wr_into(mrk, sizeof(mrk));
    poc_base64_put(&wr, poc_secret_span(b->alice.keys.mrk));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    (void)snprintf(
        command, sizeof(command),
        "curl -sS --max-time 20 --noproxy '*' --interface 127.0.0.21 --digest -u '%s:%s' -H 'Content-Type: %s' "
        "--data '%s' -w '\\nstatus %%{http_code}' 'http://" PF ":%u/keymanagement?requesttype=%s'",
        b->alice.boot.btid, mrk, type, body, b->pf.port[DAEMON_HTTP_PORT], requesttype);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    answer[fread(answer, 1, 8191, f)] = '\0';
    (void)pclose(f);
    const char *at = strstr(answer, "\nstatus ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\nstatus %d", &status), 1);
    return status;
}

/* MBMS-3, MBMS-4: curl knows nothing of us. */
static void curl_registers_and_requests_an_msk(void **state)
{
    bench *b = (bench *)*state;
    char answer[8192];
    assert_int_equal(curl(b, "register", "application/mbms-register+xml",
                          "<mbmsSecurityRegister><serviceID>" SERVICE "</serviceID></mbmsSecurityRegister>", answer),
                     200);
    assert_non_null(strstr(answer, "200 OK"));
    mbms_hear_until(&b->alice, GROUP + 1);
    assert_int_equal(curl(b, "msk-request", "application/mbms-msk+xml",
                          "<mskRequest><MSK><keyDomainID>APEQ</keyDomainID><MSKID>EAEAAA==</MSKID></MSK></mskRequest>",
                          answer),
                     200);
    assert_non_null(strstr(answer, "200 OK"));
    mbms_hear_until(&b->alice, GROUP + 1);
}

/* ---- bad input ---- */

#define REGISTER "/keymanagement?requesttype=register"
#define TYPE     "application/mbms-register+xml"
#define BODY     "<mbmsSecurityRegister><serviceID>" SERVICE "</serviceID></mbmsSecurityRegister>"

static const struct {
    const char *target, *type, *body;
    int status, or_status;
    const char *item; /* in a body with a status for each item */
} bad_requests[] = {
    { REGISTER, "text/xml", BODY, 415, 415, NULL },
    { REGISTER, TYPE, "<mbmsSecurityRegister><serviceID>", 400, 400, NULL },
    { REGISTER, TYPE, "", 400, 400, NULL },
    { REGISTER, TYPE,
      "<!DOCTYPE a [<!ENTITY b \"c\">]><mbmsSecurityRegister><serviceID>&b;</serviceID></mbmsSecurityRegister>", 400,
      400, NULL },
    { "/keymanagement?requesttype=shout", TYPE, BODY, 400, 400, NULL },
    { "/keymanagement", TYPE, BODY, 400, 400, NULL },
    { "/elsewhere?requesttype=register", TYPE, BODY, 404, 404, NULL },
    { REGISTER, TYPE, "<mbmsSecurityRegister><serviceID>urn:other</serviceID></mbmsSecurityRegister>", 404, 200,
      "404 Not Found" },
    { "/keymanagement?requesttype=msk-request", "application/mbms-msk+xml",
      "<mskRequest><MSK><keyDomainID>AAAA</keyDomainID><MSKID>EAEAAA==</MSKID></MSK></mskRequest>", 404, 200,
      "404 Not Found" },
};

static void nothing_came_of_it(bench *b)
{
    assert_true(daemon_asks(&b->pf, "/channels/fire/members", NULL));
    assert_non_null(strstr(b->pf.admin, "\"members\":[]"));
    assert_true(mbms_silent(&b->alice));
}

static void bad_requests_get_their_status_and_change_nothing(void **state)
{
    bench *b = (bench *)*state;
    for (size_t i = 0; i < POC_COUNT(bad_requests); i++) {
        int status = mbms_post(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], bad_requests[i].target,
                               bad_requests[i].type, bad_requests[i].body);
        if (status != bad_requests[i].status &&
            !(status == bad_requests[i].or_status && mbms_says(&b->alice, bad_requests[i].item)))
            fail_msg("request %zu: %d: %s", i, status, b->alice.answer);
        nothing_came_of_it(b);
    }
}

static void too_large_a_body_is_refused_whether_announced_or_not(void **state)
{
    bench *b = (bench *)*state;
    static char request[20000];
    int n = snprintf(request, sizeof(request),
                     "POST " REGISTER " HTTP/1.1\r\nHost: pf\r\nConnection: close\r\nContent-Type: " TYPE
                     "\r\nContent-Length: 16385\r\n\r\n");
    memset(request + n, ' ', 16385);
    request[n + 16385] = '\0';
    assert_int_equal(mbms_exchange(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], request), 413);
    n = snprintf(request, sizeof(request),
                 "POST " REGISTER " HTTP/1.1\r\nHost: pf\r\nConnection: close\r\nContent-Type: " TYPE
                 "\r\nTransfer-Encoding: chunked\r\n\r\n4001\r\n");
    memset(request + n, ' ', 16385);
    (void)strcpy(request + n + 16385, "\r\n0\r\n\r\n");
    assert_int_equal(mbms_exchange(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], request), 413);
    nothing_came_of_it(b);
}

static void another_method_is_named_in_allow(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(mbms_exchange(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT],
                                   "GET " REGISTER " HTTP/1.1\r\nHost: pf\r\nConnection: close\r\n\r\n"),
                     405);
    assert_true(poc_span_eq_str(mbms_header(&b->alice, "Allow"), "POST"));
}

static void a_replayed_a_flipped_and_a_foreign_digest_are_challenged_again(void **state)
{
    bench *b = (bench *)*state;
    char again[GBA_HEADER_MAX];
    joins(b, &b->alice);
    int64_t sent = daemon_counter(&b->pf, "push", "sent");
    (void)strcpy(again, b->alice.authorization);
    assert_int_equal(mbms_post_as(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], REGISTER, TYPE, BODY, again), 401);
    char *response = strstr(again, "response=\"");
    assert_non_null(response);
    response[10] = response[10] == '0' ? '1' : '0';
    assert_int_equal(mbms_post_as(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], REGISTER, TYPE, BODY, again), 401);
    assert_int_equal(mbms_post_as(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], REGISTER, TYPE, BODY, "Basic YTpi"),
                     401);
    assert_int_equal(mbms_post_as(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], REGISTER, TYPE, BODY,
                                  "Digest username=\"nobody@pf.example\", realm=\"3GPP-bootstrapping@pf.example\", "
                                  "nonce=\"\", uri=\"" REGISTER "\", response=\"\""),
                     401);
    assert_int_equal(daemon_counter(&b->pf, "push", "sent"), sent);
}

/* ---- floods ---- */

static void a_source_over_its_bound_gets_503_and_its_neighbour_is_served(void **state)
{
    bench *b = (bench *)*state;
    int limited = 0, dropped = 0;
    make(b, "requests_per_source_s = 5;", FIRE ANYBODY "}");
    for (int i = 0; i < 200; i++) {
        int status = mbms_post_as(&b->bob, PF, b->pf.port[DAEMON_HTTP_PORT], REGISTER, TYPE, BODY, "");
        assert_true(status == 401 || status == 503 || status == 0);
        dropped += status == 0;
        limited += status == 503;
        if (status == 503)
            assert_true(mbms_header(&b->bob, "Retry-After").n > 0);
    }
    assert_true(limited > 0);
    assert_true(dropped > 0); /* far over it: not even a connection */
    joins(b, &b->alice);
    assert_int_equal(daemon_counter(&b->pf, "key_management", "limited"), limited);
    assert_int_equal(daemon_counter(&b->pf, "key_management", "dropped"), dropped);
}

static void datagrams_that_confirm_nothing_are_counted_and_change_nothing(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(comes(b, &b->alice), 200);
    mbms_hear(&b->alice);
    mbms_confirm(&b->alice, true);
    for (int i = 0; i < 200; i++)
        assert_int_equal(sendto(b->bob.udp, "garbage", 7, 0, (struct sockaddr *)&b->alice.from,
                                poc_addr_len((struct sockaddr *)&b->alice.from)),
                         7);
    while (daemon_counter(&b->pf, "push", "heard") < 201) {
    }
    assert_true(daemon_counter(&b->pf, "push", "ignored") > 0);
    assert_true(daemon_asks(&b->pf, "/channels/fire/members", NULL));
    assert_null(strstr(b->pf.admin, "\"state\":\"keyed\""));
    mbms_hear_until(&b->alice, GROUP + 1); /* who answers is heard all the same */
    daemon_comes_to_say(&b->pf, "/channels/fire/members", "\"state\":\"keyed\"");
}

/* ---- restart, reload ---- */

static void members_by_push_survive_a_crash_and_get_a_fresh_msk_unasked(void **state)
{
    bench *b = (bench *)*state;
    joins(b, &b->alice);
    joins(b, &b->bob);
    daemon_crash(&b->pf);
    daemon_start(&b->pf);
    mbms_hear_until(&b->alice, GROUP + 2);
    mbms_hear_until(&b->bob, GROUP + 2);
    daemon_comes_to_say(&b->pf, "/channels/fire",
                        "\"msk_id\":\"10010002\",\"next_msk_id\":null,\"members\":2,\"confirmed\":2");
}

/* POC-10: 200 to an operator is a promise, too. */
static void who_was_said_to_be_expelled_stays_out_whenever_the_daemon_dies(void **state)
{
    bench *b = (bench *)*state;
    static const char bob[] = "{\"user\":\"sip:bob@home2.example\"}";
    joins(b, &b->alice);
    joins(b, &b->bob);
    bool was_expelled = daemon_asks(&b->pf, "/channels/fire/expel", bob);
    daemon_crash(&b->pf);
    assert_true(was_expelled);
    daemon_start(&b->pf);
    assert_true(daemon_asks(&b->pf, "/channels/fire/members", NULL));
    assert_null(strstr(b->pf.admin, "sip:bob@home2.example"));
    bool was_admitted = daemon_asks(&b->pf, "/channels/fire/admit", bob);
    daemon_crash(&b->pf);
    assert_true(was_admitted);
    daemon_start(&b->pf);
    assert_false(daemon_asks(&b->pf, "/channels/fire/admit", bob));
}

static void a_reload_changes_who_may_register(void **state)
{
    bench *b = (bench *)*state;
    make(b, "requests_per_source_s = 0;", FIRE "mbms = { users = [ \"sip:bob@home2.example\" ]; }; }");
    (void)comes(b, &b->alice);
    assert_true(mbms_says(&b->alice, "403 Forbidden"));
    joins(b, &b->bob);
    daemon_configure(&b->pf, "", "", "requests_per_source_s = 0;",
                     FIRE "mbms = { users = [ \"sip:alice@home1.example\" ]; }; }");
    assert_true(daemon_asks(&b->pf, "/reload", "{}"));
    assert_non_null(strstr(b->pf.admin, "\"change\":\"channel_changed\",\"subject\":\"fire\""));
    joins(b, &b->alice);
    daemon_configure(&b->pf, "", "", "requests_per_source_s = 0;",
                     FIRE ANYBODY "}, { id = \"rail\"; address = \"239.1.1.2\"; port = 4000; "
                                  "key_domain_id = \"00f110\"; key_group = 2; rekey = { delivery = "
                                  "[ \"push\" ]; }; mbms = { service = \"" SERVICE "2\"; admit = "
                                  "\"authenticated\"; }; }");
    assert_true(daemon_asks(&b->pf, "/reload", "{}"));
    assert_int_equal(mbms_register(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], "register", SERVICE "2"), 200);
    mbms_hear_until(&b->alice, 0x00020001);
}

/* ---- TLS ---- */

static void with_a_certificate_the_service_speaks_https(void **state)
{
    bench *b = (bench *)*state;
    char command[512];
    (void)snprintf(command, sizeof(command),
                   "cd '%s' && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj "
                   "/CN=pf.example -addext subjectAltName=IP:127.0.0.1 2>/dev/null",
                   b->pf.folder);
    assert_int_equal(system(command), 0);
    make(b, "tls_certificate = \"cert.pem\"; tls_key = \"key.pem\";", FIRE ANYBODY "}");
    (void)snprintf(command, sizeof(command),
                   "curl -sS -o /dev/null --max-time 20 --noproxy '*' --cacert '%s/cert.pem' -H 'Content-Type: " TYPE
                   "' -d x -w '%%{http_code}' "
                   "'https://127.0.0.1:%u" REGISTER "' | grep -qx 401",
                   b->pf.folder, b->pf.port[DAEMON_HTTP_PORT]);
    assert_int_equal(system(command), 0);
    assert_int_equal(mbms_post_as(&b->alice, PF, b->pf.port[DAEMON_HTTP_PORT], REGISTER, TYPE, BODY, ""),
                     0); /* in clear */
    daemon_comes_to_say(&b->pf, "/channels/fire/service", "\"tls\":true");
}

int main(int argc, char **argv)
{
#define WITH_FIRE(f)   cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define WITH_FOLDER(f) cmocka_unit_test_setup_teardown(f, folder, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FIRE(a_registration_is_challenged_granted_and_followed_by_the_msk),
        WITH_FIRE(an_msk_request_for_number_0_brings_the_current_msk_again),
        WITH_FIRE(an_msk_request_of_a_stranger_is_denied),
        WITH_FIRE(a_client_on_ip6_is_pushed_to_on_ip6),
        WITH_FIRE(who_is_expelled_gets_no_new_msk_and_cannot_come_back_until_admitted),
        WITH_FIRE(a_push_that_nobody_confirms_comes_again),
        WITH_FIRE(solicit_asks_a_member_to_pull_and_he_gets_the_key),
        WITH_FIRE(who_deregisters_is_no_member_and_hears_no_more),
        WITH_FIRE(curl_registers_and_requests_an_msk),
        WITH_FIRE(bad_requests_get_their_status_and_change_nothing),
        WITH_FIRE(too_large_a_body_is_refused_whether_announced_or_not),
        WITH_FIRE(another_method_is_named_in_allow),
        WITH_FIRE(a_replayed_a_flipped_and_a_foreign_digest_are_challenged_again),
        WITH_FOLDER(a_source_over_its_bound_gets_503_and_its_neighbour_is_served),
        WITH_FIRE(datagrams_that_confirm_nothing_are_counted_and_change_nothing),
        WITH_FIRE(members_by_push_survive_a_crash_and_get_a_fresh_msk_unasked),
        WITH_FIRE(who_was_said_to_be_expelled_stays_out_whenever_the_daemon_dies),
        WITH_FOLDER(a_reload_changes_who_may_register),
        WITH_FOLDER(with_a_certificate_the_service_speaks_https),
    };
    if (argc != 2)
        return 64;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
