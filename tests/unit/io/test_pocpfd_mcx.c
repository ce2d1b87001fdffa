/* Mission critical services from end to end: a pocpfd with its own KMS, and users who are given their keys by it, bring it a CSK
 * over SIP, are sent MuSiKs, and open what goes on air under them. The arguments are pocpfd and pocpfctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/unit/io/mcx_bench.h"

static const uint8_t south_tmgi[POCUE_MCX_TMGI_LEN] = { 0, 0, 1, 0, 0xf1, 0x10 };
static int open_notifying(void **state)
{
    *state = mcx_bench_new("download = \"notify\"; algorithms = [ \"aes-128-gcm\", \"aes-256-gcm\" ]; "
                           "forced_algorithm = \"aes-256-gcm\";");
    return 0;
}

/* ---- the floor of north ---- */

static const uint8_t floor_idle[12] = { 0x85, 0xcc, 0, 2, 0, 0, 0, 9, 'M', 'C', 'P', 'T' };

static void floor_changes(mcx_bench *b)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(b->pf.port[DAEMON_HTTP_PORT]),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(sendto(b->source, floor_idle, sizeof(floor_idle), 0, (struct sockaddr *)&to, sizeof(to)),
                     sizeof(floor_idle));
}

/** The floor packet off the air, as this user opens it: the first one that is no mapping. */
static uint32_t hear_floor(mcx_bench *b, const mcx_client *c)
{
    for (;;) {
        uint8_t in[2048];
        pocue_event e;
        struct pollfd wait = { .fd = b->air, .events = POLLIN };
        if (poll(&wait, 1, 10000) != 1)
            fail_msg("nothing on air");
        ssize_t n = recv(b->air, in, sizeof(in), 0);
        assert_true(n > 0);
        assert_null(memmem(in, (size_t)n, floor_idle, sizeof(floor_idle))); /* MCX-7: never in clear */
        if (pocue_mcx_control(c->ue, mcx_client_now_ms(), true, poc_span_of(in, (size_t)n)) != POC_OK)
            return 0;
        while (pocue_poll(c->ue, &e))
            if (e.type == POCUE_FLOOR && e.payload.n == sizeof(floor_idle) &&
                memcmp(e.payload.p, floor_idle, e.payload.n) == 0)
                return e.key_id;
    }
}

/* ---- tests ---- */

/* MCX-1, MCX-11, MCX-13, MCX-22: key up, key down, and floor control that only its holder opens. */
static void who_brings_a_csk_is_sent_the_musik_and_opens_the_floor_of_the_group(void **state)
{
    mcx_bench *b = *state;
    const int64_t uploads = daemon_counter(&b->pf, "mcx", "uploads");
    mcx_bench_provision(b, &b->alice);
    mcx_bench_upload(b, &b->alice);
    phone_assert_header(&b->core, "Expires", "3600");
    phone_assert_header(&b->core, "Warning", "");
    while (mcx_client_musik(&b->alice) == 0)
        mcx_bench_take(b);
    daemon_comes_to_say(&b->pf, "/channels/north/members", "\"user\":\"" MCX_ALICE "\",\"state\":\"keyed\"");
    daemon_comes_to_say(&b->pf, "/channels/north", "\"state\":\"active\"");
    floor_changes(b);
    assert_int_equal(hear_floor(b, &b->alice), mcx_client_musik(&b->alice));
    assert_true(daemon_asks(&b->pf, "/mcx/users", NULL));
    char csk[64];
    (void)snprintf(csk, sizeof(csk), "\"csk_id\":\"%08x\",\"algorithm\":\"aes-128-gcm\"", (unsigned)b->alice.csk_id);
    assert_non_null(strstr(b->pf.admin, csk));
    assert_non_null(strstr(b->pf.admin, "\"impu\":\"" MCX_ALICE "\",\"mc_id\":\"sip:alice@mcptt.example\""));
    assert_int_equal(daemon_counter(&b->pf, "mcx", "users"), 1);
    assert_int_equal(daemon_counter(&b->pf, "mcx", "uploads"), uploads + 1);
}

/* MCX-4, MCX-8: the announcement has no key, and who says that he listens gets that of the region. */
static void who_listens_to_a_bearer_is_sent_the_musik_of_its_region(void **state)
{
    mcx_bench *b = *state;
    pocue_mcx_bearer bearer;
    mcx_bench_provision(b, &b->alice);
    mcx_bench_upload(b, &b->alice);
    mcx_bench_hear_all(b, &b->alice);
    assert_int_equal(pocue_mcx_bearers(b->alice.ue, &bearer, 1), 1);
    assert_memory_equal(bearer.tmgi, south_tmgi, sizeof(south_tmgi));
    assert_int_equal(bearer.area_count, 2);
    assert_int_equal(bearer.areas[1], 0x00ff);
    assert_true(bearer.has_channel);
    assert_true(daemon_asks(&b->pf, "/channels/south/members", NULL));
    assert_non_null(strstr(b->pf.admin, "\"members\":[]"));
    poc_wr wr = poc_wr_into(b->alice.body, sizeof(b->alice.body));
    assert_int_equal(pocue_mcx_listening_write(b->alice.ue, south_tmgi, true, b->alice.content_type, &wr), POC_OK);
    b->alice.body_len = wr.len;
    assert_int_equal(mcx_bench_ask_with_his(b, &b->alice, "MESSAGE", ""), 200);
    mcx_bench_take(b);
    daemon_comes_to_say(&b->pf, "/channels/south/members", "\"user\":\"" MCX_ALICE "\",\"state\":\"keyed\"");
    wr = poc_wr_into(b->alice.body, sizeof(b->alice.body));
    assert_int_equal(pocue_mcx_listening_write(b->alice.ue, south_tmgi, false, b->alice.content_type, &wr), POC_OK);
    b->alice.body_len = wr.len;
    assert_int_equal(mcx_bench_ask_with_his(b, &b->alice, "MESSAGE", ""), 200);
    daemon_comes_to_say(&b->pf, "/channels/south/members", "\"members\":[]");
}

/* An announcement that is not taken is repeated, and not only with the next CSK. */
static void a_bearer_is_announced_again_to_who_did_not_take_it(void **state)
{
    mcx_bench *b = *state;
    pocue_mcx_bearer bearer;
    mcx_bench_provision(b, &b->alice);
    mcx_bench_upload(b, &b->alice);
    for (bool is_refused = false; !is_refused;) {
        (void)phone_hear(&b->core);
        is_refused = strstr(b->core.heard, "application/mikey") == NULL;
        phone_reply(&b->core, is_refused ? "500 Server Internal Error" : "200 OK");
    }
    while (pocue_mcx_bearers(b->alice.ue, &bearer, 1) == 0)
        mcx_bench_take(b);
}

/* POC-10 for MuSiKs: the operator expels, everybody else has the next key, and the one who is gone opens nothing more. */
static void who_is_expelled_opens_nothing_more(void **state)
{
    mcx_bench *b = *state;
    mcx_bench_come(b, &b->alice);
    mcx_bench_come(b, &b->bob);
    daemon_comes_to_say(&b->pf, "/channels/north", "\"state\":\"active\"");
    daemon_comes_to_say(&b->pf, "/channels/north", "\"confirmed\":2");
    const uint32_t before = mcx_client_musik(&b->bob);
    assert_int_equal(mcx_client_musik(&b->alice), before);
    assert_true(daemon_asks(&b->pf, "/channels/north/expel", "{\"user\":\"sip:bob@home1.example\"}"));
    for (uint32_t held[8];;) {
        mcx_bench_take(b);
        size_t n = pocue_mcx_held(b->alice.ue, held, POC_COUNT(held));
        size_t musiks = 0;
        for (size_t i = 0; i < n; i++)
            musiks += held[i] >> 28 == 6 && held[i] != before;
        if (musiks > 0)
            break;
    }
    daemon_comes_to_say(&b->pf, "/channels/north", "\"state\":\"active\",\"msk_id\":\"6");
    floor_changes(b);
    assert_int_equal(hear_floor(b, &b->bob), 0);
    assert_true(daemon_asks(&b->pf, "/channels/north/members", NULL));
    assert_null(strstr(b->pf.admin, "bob"));
    assert_true(daemon_asks(&b->pf, "/channels/north/rekey", ""));
}

/* POC-10 for MuSiKs: without a CSK the IMPU does not tell the service id, but mcx.users does; it is compared octet by octet. */
static void who_is_not_registered_is_expelled_by_his_service_id_too(void **state)
{
    mcx_bench *b = *state;
    assert_true(daemon_asks(&b->pf, "/channels/north/expel", "{\"user\":\"sip:bob@HOME1.example\"}"));
    assert_non_null(strstr(b->pf.admin, "\"was_member\":false,\"barred\":true,\"rekeyed\":false"));
    assert_true(daemon_asks(&b->pf, "/channels/north/admit", "{\"user\":\"sip:bob@mcptt.example\"}"));
    assert_false(daemon_asks(&b->pf, "/channels/north/admit", "{\"user\":\"sip:bob@mcptt.example\"}"));
    assert_true(daemon_asks(&b->pf, "/channels/north/admit", "{\"user\":\"sip:bob@home1.example\"}"));
    assert_true(daemon_asks(&b->pf, "/channels/north/expel", "{\"user\":\"sip:Carol@MCPTT.example\"}"));
    daemon_comes_to_say(&b->pf, "/events", "\"user\":\"sip:Carol@MCPTT.example\",\"reason\":\"expel\"");
    assert_true(daemon_asks(&b->pf, "/channels/north/admit", "{\"user\":\"sip:Carol@MCPTT.example\"}"));
}

/* MCX-11: by PUBLISH too, with what RFC 3903 asks; a refresh brings no key and keeps the registration. */
static void a_publish_brings_a_csk_too(void **state)
{
    mcx_bench *b = *state;
    const int64_t uploads = daemon_counter(&b->pf, "mcx", "uploads");
    char refresh[128];
    mcx_bench_provision(b, &b->alice);
    mcx_client_upload(&b->alice, mcx_client_now_ms());
    assert_int_equal(mcx_bench_ask_with_his(b, &b->alice, "PUBLISH", MCX_SETTINGS "Expires: 600\r\n"), 200);
    phone_assert_header(&b->core, "Expires", "600");
    (void)snprintf(refresh, sizeof(refresh), MCX_SETTINGS "SIP-If-Match: %s\r\n", phone_header(&b->core, "SIP-ETag"));
    pocue_mcx_uploaded(b->alice.ue, mcx_client_now_ms(), true);
    mcx_bench_hear_all(b, &b->alice);
    assert_int_equal(mcx_bench_ask(b, &b->alice, "PUBLISH", refresh, NULL, 0), 200);
    assert_int_equal(daemon_counter(&b->pf, "mcx", "uploads"), uploads + 1);
    assert_int_equal(daemon_counter(&b->pf, "mcx", "users"), 1);
}

/* TS 24.229 5.4.1.7: the core tells, with the client's own REGISTER in its body; keys go back through the core. */
static void a_third_party_register_brings_a_csk_too(void **state)
{
    static char inner[16384];
    mcx_bench *b = *state;
    mcx_client *c = &b->alice;
    mcx_bench_provision(b, c);
    mcx_client_upload(c, mcx_client_now_ms());
    int n =
        snprintf(inner, sizeof(inner),
                 "REGISTER sip:home1.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.2.3;branch=z9hG4bK1\r\nFrom: <" MCX_ALICE
                 ">;tag=1\r\nTo: <" MCX_ALICE ">\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\nContact: "
                 "<sip:alice@10.1.2.3>\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                 c->content_type, c->body_len);
    memcpy(inner + n, c->body, c->body_len);
    const phone_request q = { .method = "REGISTER",
                              .uri = MCX_PSI,
                              .from = "sip:scscf.home1.example",
                              .to = MCX_ALICE,
                              .contact = "Contact: <sip:scscf.home1.example>\r\n",
                              .more = "Expires: 600\r\n",
                              .type = "message/sip",
                              .body = inner,
                              .body_len = (size_t)n + c->body_len };
    assert_int_equal(phone_ask(&b->core, &q), 200);
    pocue_mcx_uploaded(c->ue, mcx_client_now_ms(), true);
    mcx_bench_take(b);
    assert_memory_equal(b->core.heard, "MESSAGE " MCX_ALICE " SIP/2.0", strlen("MESSAGE " MCX_ALICE " SIP/2.0"));
    while (mcx_client_musik(c) == 0)
        mcx_bench_take(b);
}

/* MCX-1: NOTIFY, as the liaison statement says; MCX-15, MCX-27: the server's choice of algorithm, in force by a download. */
static void keys_may_come_by_notify_and_with_another_algorithm(void **state)
{
    mcx_bench *b = *state;
    mcx_bench_provision(b, &b->alice);
    mcx_bench_upload(b, &b->alice);
    while (mcx_client_musik(&b->alice) == 0 || pocue_mcx_csk(b->alice.ue, mcx_client_now_ms()) == b->alice.csk_id) {
        mcx_bench_take(b);
        if (strstr(b->core.heard, "application/mikey") != NULL)
            assert_memory_equal(b->core.heard, "NOTIFY ", 7);
    }
    daemon_comes_to_say(&b->pf, "/mcx/users", "\"algorithm\":\"aes-256-gcm\"");
}

/* A reload takes MuSiKs, and who may have them: who may not any more leaves, who may is in. */
static void a_reload_takes_musiks_and_who_may_have_them(void **state)
{
    mcx_bench *b = *state;
    pocue_mcx_bearer bearer;
    mcx_bench_come(b, &b->alice);
    daemon_comes_to_say(&b->pf, "/channels/north/members", "\"state\":\"keyed\"");
    mcx_bench_reload(b, mcx_bench_north(b, "admit = \"listed\"; users = [ \"sip:bob@mcptt.example\" ];"));
    assert_non_null(strstr(b->pf.admin, "\"change\":\"channel_changed\",\"subject\":\"north\""));
    assert_non_null(strstr(b->pf.admin, "\"change\":\"channel_removed\",\"subject\":\"south\""));
    daemon_comes_to_say(&b->pf, "/channels/north/members", "\"members\":[]");
    while (pocue_mcx_bearers(b->alice.ue, &bearer, 1) > 0) /* told that it is no more */
        mcx_bench_take(b);
    mcx_bench_reload(b, NULL);
    assert_non_null(strstr(b->pf.admin, "\"change\":\"channel_added\",\"subject\":\"south\""));
    daemon_comes_to_say(&b->pf, "/channels/north/members", "\"user\":\"" MCX_ALICE "\"");
    while (pocue_mcx_bearers(b->alice.ue, &bearer, 1) == 0)
        mcx_bench_take(b);
    mcx_bench_reload(b, mcx_bench_north(b, "text = \"other\";"));
    assert_non_null(strstr(b->pf.admin, "\"change\":\"reload_needs_restart\",\"subject\":\"north\""));
    mcx_bench_reload(b, NULL);
}

#define EAST "{ id = \"east\"; address = \"239.1.2.3\"; port = 45300; source = \"127.0.0.1\"; }"

/** Takes what comes until she knows so many bearers and holds another MuSiK than `before`. */
static void take_until(mcx_bench *b, size_t bearers, uint32_t before)
{
    pocue_mcx_bearer bearer;
    while (pocue_mcx_bearers(b->alice.ue, &bearer, 1) != bearers || mcx_client_musik(&b->alice) == before)
        mcx_bench_take(b);
}

/* What a MuSiK is of does not change while it is there; and nobody is in it then, who might not be of what it is. */
static void a_musik_that_is_configured_as_something_else_has_nobody_in_it(void **state)
{
    mcx_bench *b = *state;
    const char *needs_restart = "\"change\":\"reload_needs_restart\",\"subject\":\"north\"";
    mcx_bench_come(b, &b->alice);
    daemon_comes_to_say(&b->pf, "/channels/north/members", "\"state\":\"keyed\"");
    for (int i = 0; i < 2; i++) {
        mcx_bench_reload(b, mcx_bench_north(b, "service = \"mcvideo\";"));
        assert_non_null(strstr(b->pf.admin, needs_restart));
        daemon_comes_to_say(&b->pf, "/channels/north/members", "\"members\":[]");
    }
    take_until(b, 0, 0);
    uint32_t before = mcx_client_musik(&b->alice);
    mcx_bench_reload(b, NULL);
    take_until(b, 1, before);
    before = mcx_client_musik(&b->alice);
    b->channels = "{ id = \"north\"; group = \"sip:north@poc.example\"; address = \"239.1.2.4\"; port = 45304; "
                  "key_domain_id = \"00f110\"; key_group = 0x1001; }";
    mcx_bench_reload(b, EAST);
    b->channels = NULL;
    assert_non_null(strstr(b->pf.admin, needs_restart));
    take_until(b, 0, before);
    mcx_bench_upload(b, &b->alice);
    daemon_comes_to_say(&b->pf, "/channels/north/members", "\"members\":[]");
    daemon_comes_to_say(&b->pf, "/channels/east/members", "\"user\":\"" MCX_ALICE "\"");
    mcx_bench_reload(b, NULL);
    daemon_comes_to_say(&b->pf, "/channels/north/members", "\"user\":\"" MCX_ALICE "\"");
}

/* ---- a session ---- */

#define GROUP "sip:fire@poc.example"
#define SESSION                                                                                             \
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 45300 RTP/AVP 97\r\n" \
    "a=rtpmap:97 AMR/8000\r\na=sendrecv\r\nm=application %u udp TBCP\r\n"                                   \
    "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n"

/** A socket of its own, and a description of who receives floor control there. */
static int floor_open(char sdp[512])
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    (void)snprintf(sdp, 512, SESSION, ntohs(at.sin_port));
    return fd;
}

/** Alice calls the group through the core, which is the Controlling Function too; where she sends her floor control. */
static struct sockaddr_in call(mcx_bench *b, const char *offer, const char *answer)
{
    const char more[] = "P-Asserted-Identity: <" MCX_ALICE ">\r\n";
    bool is_up = false;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    phone_say(
        &b->core,
        &(phone_request){
            .method = "INVITE", .uri = GROUP, .to = GROUP, .more = more, .type = "application/sdp", .body = offer });
    while (!is_up) {
        (void)phone_hear(&b->core);
        if (strncmp(b->core.heard, "INVITE ", 7) == 0)
            phone_accept(&b->core, answer);
        is_up = phone_status(&b->core) == 200 && strstr(phone_header(&b->core, "From"), "tag=a") != NULL;
    }
    const char *line = strstr(b->core.heard, "m=application ");
    assert_non_null(line);
    to.sin_port = htons((uint16_t)strtoul(line + strlen("m=application "), NULL, 10));
    phone_acknowledge(&b->core);
    daemon_comes_to_say(&b->pf, "/status", "\"sessions\":1");
    return to;
}

/* MCX-6, MCX-12: in the session of a user with a CSK floor control passes under it, and in clear not at all. */
static void floor_control_of_who_has_a_csk_passes_under_it_alone(void **state)
{
    static const uint8_t request[12] = { 0x80, 0xcc, 0, 2, 0, 0, 0, 1, 'P', 'o', 'C', '1' };
    mcx_bench *b = *state;
    uint8_t packet[256], in[256];
    char offer[512], answer[512];
    const int alice = floor_open(offer), cf = floor_open(answer);
    struct pollfd wait = { .fd = cf, .events = POLLIN };
    mcx_bench_come(b, &b->alice);
    const struct sockaddr_in to = call(b, offer, answer);
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    assert_int_equal(pocue_mcx_protect(b->alice.ue, mcx_client_now_ms(), &wr, poc_span_of(request, sizeof(request))),
                     POC_OK);
    assert_int_equal(sendto(alice, request, sizeof(request), 0, (const struct sockaddr *)&to, sizeof(to)),
                     sizeof(request));
    while (daemon_counter(&b->pf, "relay", "guard_refused") == 0) {
    }
    assert_int_equal(sendto(alice, packet, wr.len, 0, (const struct sockaddr *)&to, sizeof(to)), wr.len);
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(recv(cf, in, sizeof(in), 0), sizeof(request)); /* the first thing that came through */
    assert_memory_equal(in, request, sizeof(request));
    assert_int_equal(daemon_counter(&b->pf, "relay", "guard_refused"), 1);
    (void)close(alice);
    (void)close(cf);
}

/* ---- what stays ---- */

/* What was acknowledged to anybody is durable: a CSK, and a log-off. */
static void an_acknowledged_csk_outlives_a_crash_and_so_does_a_log_off(void **state)
{
    mcx_bench *b = *state;
    char csk[32];
    mcx_bench_provision(b, &b->alice);
    mcx_bench_upload(b, &b->alice);
    mcx_bench_crash(b);
    (void)snprintf(csk, sizeof(csk), "\"csk_id\":\"%08x\"", (unsigned)b->alice.csk_id);
    assert_true(daemon_asks(&b->pf, "/mcx/users", NULL));
    assert_non_null(strstr(b->pf.admin, csk));
    while (mcx_client_musik(&b->alice) == 0)
        mcx_bench_take(b);
    phone_forget(&b->core);
    assert_int_equal(mcx_bench_ask(b, &b->alice, "REGISTER", "Expires: 0\r\n", NULL, 0), 200);
    phone_assert_header(&b->core, "Contact", "");
    mcx_bench_crash(b);
    assert_int_equal(daemon_counter(&b->pf, "mcx", "users"), 0);
}

/* Between upload and answer: whatever became of the one, the next one counts. */
static void an_upload_that_a_crash_cut_off_is_made_again(void **state)
{
    mcx_bench *b = *state;
    char headers[128], csk[32];
    mcx_bench_provision(b, &b->alice);
    for (int i = 0; i < 2; i++) {
        mcx_client_upload(&b->alice, mcx_client_now_ms());
        (void)snprintf(headers, sizeof(headers), "P-Asserted-Identity: <" MCX_ALICE ">\r\n");
        phone_say(&b->core, &(phone_request){ .method = "REGISTER",
                                              .more = headers,
                                              .to = MCX_ALICE,
                                              .type = b->alice.content_type,
                                              .body = b->alice.body,
                                              .body_len = b->alice.body_len });
        if (i == 1) /* the other time it may have got far */
            (void)daemon_asks(&b->pf, "/status", NULL);
        mcx_bench_crash(b);
        pocue_mcx_uploaded(b->alice.ue, mcx_client_now_ms(), false);
    }
    phone_forget(&b->core);
    mcx_bench_upload(b, &b->alice);
    (void)snprintf(csk, sizeof(csk), "\"csk_id\":\"%08x\"", (unsigned)b->alice.csk_id);
    assert_true(daemon_asks(&b->pf, "/mcx/users", NULL));
    assert_non_null(strstr(b->pf.admin, csk));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_brings_a_csk_is_sent_the_musik_and_opens_the_floor_of_the_group, mcx_bench_again),
        cmocka_unit_test_setup(who_listens_to_a_bearer_is_sent_the_musik_of_its_region, mcx_bench_again),
        cmocka_unit_test_setup(a_bearer_is_announced_again_to_who_did_not_take_it, mcx_bench_again),
        cmocka_unit_test_setup(who_is_expelled_opens_nothing_more, mcx_bench_again),
        cmocka_unit_test_setup(who_is_not_registered_is_expelled_by_his_service_id_too, mcx_bench_again),
        cmocka_unit_test_setup(a_publish_brings_a_csk_too, mcx_bench_again),
        cmocka_unit_test_setup(a_third_party_register_brings_a_csk_too, mcx_bench_again),
        cmocka_unit_test_setup_teardown(keys_may_come_by_notify_and_with_another_algorithm, open_notifying,
                                        mcx_bench_close),
        cmocka_unit_test_setup(a_reload_takes_musiks_and_who_may_have_them, mcx_bench_again),
        cmocka_unit_test_setup(a_musik_that_is_configured_as_something_else_has_nobody_in_it, mcx_bench_again),
        cmocka_unit_test_setup(floor_control_of_who_has_a_csk_passes_under_it_alone, mcx_bench_again),
        cmocka_unit_test_setup(an_acknowledged_csk_outlives_a_crash_and_so_does_a_log_off, mcx_bench_again),
        cmocka_unit_test_setup(an_upload_that_a_crash_cut_off_is_made_again, mcx_bench_again),
    };
    if (!mcx_bench_programs(argc, argv))
        return 64;
    return cmocka_run_group_tests(tests, mcx_bench_open, mcx_bench_close);
}
