/* What HTTP clients and attackers do to the key management service costs others nothing: under a load of thousands of requests
 * every SIP request is answered, and a flood of posts or of false confirmations does not keep a client from its MSK. The
 * amounts are bounded, and nothing leaves the loopback. Arguments: pocpfd, pocpfctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/interop/service.h"
#include "tests/unit/io/mbms_client.h"

enum { PUSH_PORT = 2269, WORKERS = 3, REQUESTS = 400, FLOOD = 2000, PATIENCE_MS = 60000 };

static const char *daemon_program, *ctl_program;

typedef struct stage {
    service service;
    mbms_client client;
} stage;

static struct sockaddr_storage address(const char *host, uint16_t port)
{
    struct sockaddr_storage a;
    assert_int_equal(poc_addr_parse(&a, poc_span_str(host), port), POC_OK);
    return a;
}

static int socket_from(int type, const char *host)
{
    const struct sockaddr_storage at = address(host, 0);
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(struct sockaddr_in)), 0);
    return fd;
}

static int connected(int type, const char *host, uint16_t port)
{
    const struct sockaddr_storage to = address(SERVICE_HOST, port);
    const int fd = socket_from(type, host);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(struct sockaddr_in)), 0);
    return fd;
}

static stage *stage_make(const char *limits)
{
    stage *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    service_make(&s->service, daemon_program, ctl_program, limits, "");
    service_start(&s->service);
    mbms_client_make(&s->client, 0, service_client_host(0), PUSH_PORT, SERVICE_NAF);
    mbms_client_bootstrap(&s->client, SERVICE_HOST, s->service.ub);
    return s;
}

static int set_up_unbounded(void **state)
{
    *state = stage_make("requests_per_source_s = 0; requests_per_btid_s = 0;");
    return 0;
}

static int set_up_bounded(void **state)
{
    *state = stage_make("requests_per_source_s = 20; connections_per_source = 8;");
    return 0;
}

static int tear_down(void **state)
{
    stage *s = *state;
    mbms_client_done(&s->client);
    service_done(&s->service);
    free(s);
    return 0;
}

/* ---- the load: a thread for each worker, one connection for all its requests ---- */

typedef struct connection {
    int fd;
    char text[16384]; /* the last answer, with headers */
    size_t n;
} connection;

static size_t body_octets(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length: ");
    return at == NULL ? 0 : (size_t)strtoul(at + strlen("\r\nContent-Length: "), NULL, 10);
}

/* The status, 0 when the connection ended. */
static int answer_read(connection *c)
{
    int status = 0;
    c->n = 0;
    for (;;) {
        const ssize_t got = recv(c->fd, c->text + c->n, sizeof(c->text) - 1 - c->n, 0);
        if (got <= 0)
            return 0;
        c->n += (size_t)got;
        c->text[c->n] = '\0';
        const char *end = strstr(c->text, "\r\n\r\n");
        if (end != NULL && c->n >= (size_t)(end + 4 - c->text) + body_octets(c->text))
            return sscanf(c->text, "HTTP/1.1 %d", &status) == 1 ? status : 0;
    }
}

static const char target[] = "/keymanagement?requesttype=msk-request";
static const char body[] = "<mskRequest><MSK><keyDomainID>APEQ</keyDomainID><MSKID>EAEAAA==</MSKID></MSK></mskRequest>";

static int post(connection *c, const char *authorization)
{
    char request[4096];
    const int n = snprintf(request, sizeof(request),
                           "POST %s HTTP/1.1\r\nHost: pf\r\nContent-Type: application/mbms-msk+xml\r\n%s%s%s"
                           "Content-Length: %zu\r\n\r\n%s",
                           target, authorization[0] == '\0' ? "" : "Authorization: ", authorization,
                           authorization[0] == '\0' ? "" : "\r\n", strlen(body), body);
    if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        return 0;
    return answer_read(c);
}

static bool challenge_of(const connection *c, char out[GBA_HEADER_MAX])
{
    static const char name[] = "\r\nWWW-Authenticate: ";
    const char *at = strcasestr(c->text, name);
    if (at == NULL)
        return false;
    at += sizeof(name) - 1;
    (void)snprintf(out, GBA_HEADER_MAX, "%.*s", (int)strcspn(at, "\r\n"), at);
    return true;
}

typedef struct worker {
    pthread_t thread;
    const stage *stage;
    connection connection;
    atomic_bool has_ended;
    bool good; /* answered as it should be, to the end */
} worker;

static bool ask(worker *w, gba_ua_client *ua, const char *challenge)
{
    char authorization[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(authorization, sizeof(authorization));
    return gba_ua_authorize(ua, poc_span_str(challenge), poc_span_str(SERVICE_NAF), poc_span_str("POST"),
                            poc_span_str(target), poc_span_str(body), &poc_rng_system, &wr) == POC_OK &&
           poc_wr_text(&wr) == POC_OK && post(&w->connection, authorization) == 200;
}

/* Every second request is authentic and answered 200, every other is without credentials and challenged. */
static void *load(void *arg)
{
    worker *w = arg;
    gba_ua_client ua = { w->stage->client.boot.btid, w->stage->client.keys.mrk, 0 };
    char challenge[GBA_HEADER_MAX];
    w->good = post(&w->connection, "") == 401 && challenge_of(&w->connection, challenge);
    for (size_t i = 0; w->good && i < REQUESTS; i++)
        w->good = ask(w, &ua, challenge) && post(&w->connection, "") == 401;
    atomic_store(&w->has_ended, true);
    return NULL;
}

/* ---- SIP beside it ---- */

static void options_are_answered(int fd, unsigned number)
{
    char text[4096], call_id[32];
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    (void)snprintf(call_id, sizeof(call_id), "Call-ID: load%u\r\n", number);
    const int n = snprintf(text, sizeof(text),
                           "OPTIONS sip:pf.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKload%u\r\n"
                           "Max-Forwards: 70\r\nFrom: <sip:probe@pf.example>;tag=1\r\nTo: <sip:pf.example>\r\n%s"
                           "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                           number, call_id);
    assert_int_equal(send(fd, text, (size_t)n, 0), n);
    if (poll(&wait, 1, PATIENCE_MS) != 1)
        fail_msg("OPTIONS %u is not answered", number);
    const ssize_t got = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(got > 0);
    text[got] = '\0';
    assert_memory_equal(text, "SIP/2.0 200 ", 12);
    assert_non_null(strstr(text, call_id));
}

static bool all_have_ended(worker *workers)
{
    for (size_t i = 0; i < WORKERS; i++)
        if (!atomic_load(&workers[i].has_ended))
            return false;
    return true;
}

/* MBMS-3, MBMS-4 */
static void every_sip_request_is_answered_while_thousands_ask_for_keys(void **state)
{
    static worker workers[WORKERS];
    stage *s = *state;
    unsigned asked = 0;
    const int fd = connected(SOCK_DGRAM, service_client_host(1), s->service.sip);
    assert_int_equal(mbms_register(&s->client, SERVICE_HOST, s->service.http, "register", SERVICE_ID), 200);
    mbms_hear_until(&s->client, 0x10010001);
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = (worker){ .stage = s };
        workers[i].connection.fd = connected(SOCK_STREAM, service_client_host(0), s->service.http);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, load, &workers[i]), 0);
    }
    do {
        options_are_answered(fd, ++asked);
    } while (!all_have_ended(workers));
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        (void)close(workers[i].connection.fd);
        assert_true(workers[i].good);
    }
    print_message("%d requests, and %u OPTIONS beside them\n", 2 * WORKERS * REQUESTS, asked);
    assert_int_equal(service_ctl(&s->service, "rekey tunnel"), 0);
    mbms_hear_until(&s->client, 0x10010002);
    (void)close(fd);
}

/* ---- floods ---- */

/* MBMS-4: a bound for each source. */
static void a_flood_of_posts_is_bounded_and_keeps_nobody_else_from_his_key(void **state)
{
    stage *s = *state;
    connection flood = { .fd = connected(SOCK_STREAM, service_client_host(2), s->service.http) };
    size_t challenged = 0, limited = 0;
    for (size_t i = 0; i < FLOOD; i++) {
        const int status = post(&flood, "");
        challenged += status == 401;
        limited += status == 503;
        if (status == 0) { /* thrown out: comes again */
            (void)close(flood.fd);
            flood.fd = connected(SOCK_STREAM, service_client_host(2), s->service.http);
        }
        if (i == FLOOD / 2)
            assert_int_equal(mbms_register(&s->client, SERVICE_HOST, s->service.http, "register", SERVICE_ID), 200);
    }
    mbms_hear_until(&s->client, 0x10010001);
    assert_true(challenged > 0);
    assert_true(limited > challenged);
    (void)close(flood.fd);
}

/* MBMS-7, MBMS-9: false confirmations, from elsewhere and with the client's B-TID and counter in them. */
static void a_flood_of_false_confirmations_keeps_nobody_from_confirming(void **state)
{
    stage *s = *state;
    uint8_t answer[MIKEY_MESSAGE_MAX];
    mikey_msg msg;
    const int fd = connected(SOCK_DGRAM, service_client_host(2), s->service.push);
    assert_int_equal(mbms_register(&s->client, SERVICE_HOST, s->service.http, "register", SERVICE_ID), 200);
    mbms_hear(&s->client);
    poc_wr wr = poc_wr_into(answer, sizeof(answer));
    assert_int_equal(mikey_decode(&msg, poc_span_of(s->client.datagram, s->client.datagram_len), NULL), POC_OK);
    assert_int_equal(mikey_verification_seal(&wr, &msg, s->client.keys.muk), POC_OK);
    answer[wr.len - 1] ^= 1;
    for (size_t i = 0; i < FLOOD; i++)
        (void)send(fd, answer, i % 2 == 0 ? wr.len : wr.len / 2, 0);
    assert_int_equal(service_ctl(&s->service, "--json channels"), 0);
    assert_non_null(strstr(s->service.out, "\"confirmed\":0"));
    mbms_confirm(&s->client, false);
    do { /* the confirmation stands behind the flood in the daemon's queue */
        assert_int_equal(service_ctl(&s->service, "--json channels"), 0);
    } while (strstr(s->service.out, "\"confirmed\":1") == NULL);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_sip_request_is_answered_while_thousands_ask_for_keys, set_up_unbounded,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_flood_of_posts_is_bounded_and_keeps_nobody_else_from_his_key, set_up_bounded,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_flood_of_false_confirmations_keeps_nobody_from_confirming, set_up_bounded,
                                        tear_down),
    };
    if (argc != 3)
        return 64;
    daemon_program = argv[1];
    ctl_program = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
