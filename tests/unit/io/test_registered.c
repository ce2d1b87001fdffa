/* gba.sip_auth = "registered" from end to end: a trusted core vouches for a client on SIP, the client proves itself over HTTP,
 * and only then it is offered the multicast lines. One UDP socket of the test is core, client and Controlling Function. The
 * argument is pocpfd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/io/daemon_bench.h"
#include "tests/unit/io/mbms_client.h"

#define GROUP "sip:dispatch@poc.example"
#define ALICE "sip:alice@home1.example"
#define CHANNEL                                                                                          \
    "{ id = \"dispatch\"; group = \"" GROUP "\"; address = \"239.1.1.1\"; port = 4000; key_domain_id = " \
    "\"00f110\"; key_group = 0x1001; rekey = { delivery = [ \"sip\", \"push\" ]; }; }"
#define LINES(audio, floor)                                                                      \
    "m=audio " audio " RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\na=sendrecv\r\nm=application " floor \
    " udp TBCP\r\na=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n"
#define HEAD   "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
#define OFFER  HEAD "a=bcastversion:1.0\r\n" LINES("45200", "45300")
#define ANSWER HEAD LINES("40000", "40002")

static const char *program;

typedef struct stage {
    daemon_bench pf;
    mbms_client alice;
    int fd;
    char in[65536];             /* the message that came in last */
    struct sockaddr_in from_pf; /* where it came from */
    bool is_up, was_offered;    /* the client's INVITE was answered; key-mgmt came in an offer */
} stage;

static void say(const stage *s, const char *text)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(s->pf.port[DAEMON_SIP_PORT]),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(sendto(s->fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)), strlen(text));
}

/** A header line of the message that came in, with its end. */
static void header(const stage *s, const char *name, char out[1024])
{
    char start[64];
    (void)snprintf(start, sizeof(start), "\r\n%s:", name);
    const char *at = strstr(s->in, start);
    out[0] = '\0';
    if (at != NULL)
        (void)snprintf(out, 1024, "%.*s\r\n", (int)strcspn(at + 2, "\r\n"), at + 2);
}

static void answer(const stage *s, const char *status, const char *body)
{
    char via[1024], from[1024], to[1024], call[1024], cseq[1024], text[8192];
    header(s, "Via", via);
    header(s, "From", from);
    header(s, "To", to);
    header(s, "Call-ID", call);
    header(s, "CSeq", cseq);
    if (strstr(to, ";tag=") == NULL && strlen(to) > 2)
        (void)strcpy(to + strlen(to) - 2, ";tag=cf\r\n");
    (void)snprintf(text, sizeof(text),
                   "SIP/2.0 %s\r\n%s%s%s%s%sContact: <sip:cf@127.0.0.1:%u>;isfocus\r\n%sContent-Length: %zu\r\n\r\n%s",
                   status, via, from, to, call, cseq, s->pf.port[DAEMON_CF_PORT],
                   body[0] == '\0' ? "" : "Content-Type: application/sdp\r\n", strlen(body), body);
    say(s, text);
}

static void invite(const stage *s)
{
    char text[4096];
    (void)snprintf(text, sizeof(text),
                   "INVITE " GROUP " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK-invite\r\n"
                   "From: <" ALICE ">;tag=alice\r\nTo: <" GROUP ">\r\nCall-ID: registered\r\nCSeq: 1 INVITE\r\n"
                   "Max-Forwards: 70\r\nP-Asserted-Identity: <" ALICE ">\r\nContact: <sip:alice@127.0.0.1:%u>\r\n"
                   "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nContent-Type: application/sdp\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   s->pf.port[DAEMON_CF_PORT], s->pf.port[DAEMON_CF_PORT], strlen(OFFER), OFFER);
    say(s, text);
}

static void acknowledge(const stage *s)
{
    char to[1024], text[2048];
    header(s, "To", to);
    (void)snprintf(
        text, sizeof(text),
        "ACK sip:127.0.0.1:%u SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK-ack\r\nFrom: <" ALICE
        ">;tag=alice\r\n%sCall-ID: registered\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        s->pf.port[DAEMON_SIP_PORT], s->pf.port[DAEMON_CF_PORT], to);
    say(s, text);
}

static bool starts(const stage *s, const char *text)
{
    return strncmp(s->in, text, strlen(text)) == 0;
}

/** Takes one message and does what core, client and CF do with it. */
static void take_one(stage *s)
{
    struct pollfd wait = { .fd = s->fd, .events = POLLIN };
    socklen_t n = sizeof(s->from_pf);
    if (poll(&wait, 1, 10000) != 1)
        fail_msg("pocpfd says nothing more; last was: %s", s->in);
    ssize_t got = recvfrom(s->fd, s->in, sizeof(s->in) - 1, 0, (struct sockaddr *)&s->from_pf, &n);
    assert_true(got >= 0);
    s->in[got] = '\0';
    bool is_to_client = strstr(s->in, "Call-ID: registered") != NULL;
    if (is_to_client && starts(s, "SIP/2.0 200") && strstr(s->in, " INVITE\r\n") != NULL) {
        acknowledge(s);
        s->is_up = true;
    } else if (is_to_client && starts(s, "UPDATE ")) {
        s->was_offered = strstr(s->in, "a=key-mgmt:mikey ") != NULL;
        answer(s, "488 Not Acceptable Here", "");
    } else if (starts(s, "INVITE ")) {
        answer(s, "200 OK", ANSWER);
    } else if (starts(s, "SUBSCRIBE ")) {
        answer(s, "489 Bad Event", "");
    } else if (starts(s, "BYE ")) {
        answer(s, "200 OK", "");
    }
}

static int stage_make(void **state, const char *mbms)
{
    char trusted[64];
    stage *s = (stage *)calloc(1, sizeof(*s));
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    daemon_prepare(&s->pf, program);
    (void)snprintf(trusted, sizeof(trusted), "trusted_peers = [ \"127.0.0.1:%u\" ];", s->pf.port[DAEMON_CF_PORT]);
    daemon_configure(&s->pf, trusted, "sip_auth = \"registered\";", mbms, CHANNEL);
    at.sin_port = htons(s->pf.port[DAEMON_CF_PORT]);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    daemon_start(&s->pf);
    mbms_client_make(&s->alice, 0, "127.0.0.21", s->pf.port[DAEMON_PUSH_PORT], "pf.example");
    mbms_client_bootstrap(&s->alice, "127.0.0.1", s->pf.port[DAEMON_UB_PORT]);
    *state = s;
    return 0;
}

static int set_up(void **state)
{
    return stage_make(state, "");
}

static int set_up_by_contact(void **state)
{
    return stage_make(state, "push_address = \"sip-contact\";");
}

static int tear_down(void **state)
{
    stage *s = (stage *)*state;
    daemon_remove(&s->pf);
    mbms_client_done(&s->alice);
    (void)close(s->fd);
    free(s);
    return 0;
}

/* MBMS-4, POC-21: no key before the client has proved itself, and no second session for it. */
static void a_client_that_the_core_vouches_for_is_offered_its_key_once_it_registers(void **state)
{
    stage *s = (stage *)*state;
    invite(s);
    while (!s->is_up)
        take_one(s);
    daemon_comes_to_say(&s->pf, "/channels/dispatch/members", "\"user\":\"" ALICE "\"");
    assert_non_null(strstr(s->pf.admin, "\"ways\":[\"sip\"],\"push_address\":null"));
    assert_true(daemon_asks(&s->pf, "/status", NULL));
    assert_non_null(strstr(s->pf.admin, "stays on unicast: no bootstrapped user (GBA) has this identity"));
    assert_false(s->was_offered);
    assert_int_equal(mbms_register(&s->alice, "127.0.0.1", s->pf.port[DAEMON_HTTP_PORT], "register", GROUP), 200);
    assert_true(mbms_says(&s->alice, "200 OK"));
    while (!s->was_offered)
        take_one(s);
    daemon_comes_to_say(&s->pf, "/channels/dispatch/members",
                        "\"ways\":[\"sip\",\"push\"],\"push_address\":\"127.0.0.21:");
}

/* MBMS-8: the address in a Contact is enough to be pushed to. */
static void with_sip_contact_a_member_has_a_push_address_before_it_registers(void **state)
{
    stage *s = (stage *)*state;
    char wanted[96];
    invite(s);
    while (!s->is_up)
        take_one(s);
    (void)snprintf(wanted, sizeof(wanted), "\"ways\":[\"sip\",\"push\"],\"push_address\":\"127.0.0.1:%u\"",
                   s->pf.port[DAEMON_PUSH_PORT]);
    daemon_comes_to_say(&s->pf, "/channels/dispatch/members", wanted);
}

/* POC-17: the session is what admits to the service of its group. */
static void who_is_not_in_the_session_cannot_register_for_it(void **state)
{
    stage *s = (stage *)*state;
    (void)mbms_register(&s->alice, "127.0.0.1", s->pf.port[DAEMON_HTTP_PORT], "register", GROUP);
    assert_true(mbms_says(&s->alice, "403 Forbidden"));
    assert_true(daemon_asks(&s->pf, "/channels/dispatch/members", NULL));
    assert_non_null(strstr(s->pf.admin, "\"members\":[]"));
}

int main(int argc, char **argv)
{
#define WITH_STAGE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_STAGE(a_client_that_the_core_vouches_for_is_offered_its_key_once_it_registers),
        cmocka_unit_test_setup_teardown(with_sip_contact_a_member_has_a_push_address_before_it_registers,
                                        set_up_by_contact, tear_down),
        WITH_STAGE(who_is_not_in_the_session_cannot_register_for_it),
    };
    if (argc != 2)
        return 64;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
