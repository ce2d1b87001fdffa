/* The key management service while Zn thinks: requests wait, and every end of the waiting has its answer. Zn is the test's own,
 * and answers when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/keyman_http.h"
#include "pf/io/now.h"

#define BTID   "YWJj@bsf.example"
#define TARGET "/keymanagement?requesttype=register"
#define BODY   "<mbmsSecurityRegister><serviceID>urn:fire</serviceID></mbmsSecurityRegister>"

enum { WAITING_MAX = 4 };

typedef struct asked {
    zn_done_fn *done;
    void *user;
} asked;

typedef struct bench {
    zn zn; /* first: the interface points here */
    asked asked[WAITING_MAX];
    size_t asked_count, cancelled;
    su_root_t *root;
    gba_naf *naf;
    pocpf *pf;
    wire_keyman *keyman;
    keyman_http *http;
    poc_secret *ks_naf;
    gba_mbms_keys keys;
    unsigned served;
    uint64_t due; /* the write that answers wait for */
    char request[8192], answer[65536];
} bench;

/* ---- what the service needs ---- */

static poc_err zn_ask(zn *z, poc_span btid, poc_span naf_id, zn_done_fn *done, void *user)
{
    bench *b = (bench *)z;
    assert_true(poc_span_eq_str(btid, BTID));
    assert_true(naf_id.n > 5);
    assert_true(b->asked_count < WAITING_MAX);
    b->asked[b->asked_count++] = (asked){ done, user };
    return POC_OK;
}

static void zn_cancel(zn *z, void *user)
{
    bench *b = (bench *)z;
    for (size_t i = 0; i < b->asked_count; i++)
        if (b->asked[i].user == user)
            b->asked[i] = b->asked[--b->asked_count];
    b->cancelled++;
}

static void zn_free(zn *z)
{
    (void)z;
}

static const zn_ops ops = { .ask = zn_ask, .cancel = zn_cancel, .free = zn_free };

static void zn_says(bench *b, poc_err err)
{
    gba_zn_answer found = { .me_key = b->ks_naf,
                            .expires_s = io_now_ms() / 1000 + 86400,
                            .impi = "alice@home1.example",
                            .impus = { "sip:alice@home1.example" },
                            .impu_count = 1 };
    assert_true(b->asked_count > 0);
    asked first = b->asked[0];
    memmove(b->asked, b->asked + 1, --b->asked_count * sizeof(asked));
    first.done(first.user, err, err == POC_OK ? &found : NULL);
}

static int engine_random(void *user, uint8_t *out, size_t n)
{
    (void)user;
    return poc_rng_system.fill(poc_rng_system.ctx, out, n) == POC_OK ? 0 : -1;
}

static void make_engine(bench *b)
{
    const pocpf_host host = { .size = sizeof(host), .random = engine_random };
    poc_span naf_id = gba_naf_naf_id(b->naf);
    poc_secret *store_key;
    assert_int_equal(poc_secret_random(&store_key, 32, &poc_rng_system), POC_OK);
    const pocpf_settings settings = {
        .size = sizeof(settings), .naf_id = naf_id.p, .naf_id_len = naf_id.n, .store_key = store_key
    };
    const pocpf_channel fire = { .size = sizeof(fire),
                                 .id = "fire",
                                 .key_domain = { 0x00, 0xF1, 0x10 },
                                 .key_group = 1,
                                 .rekey = { .delivery = POCPF_BY_PUSH } };
    assert_int_equal(pocpf_new(&b->pf, &host, &settings), POCPF_OK);
    assert_int_equal(pocpf_channel_add(b->pf, io_now_ms(), &fire), POCPF_OK);
    poc_secret_free(store_key);
}

static const wire_keyman_service *service_of(void *user, const char *service_id)
{
    static const wire_keyman_service fire = { "fire", WIRE_ADMIT_AUTHENTICATED };
    (void)user;
    return strcmp(service_id, "urn:fire") == 0 ? &fire : NULL;
}

static uint64_t on_served(void *user)
{
    bench *b = (bench *)user;
    b->served++;
    return b->due;
}

static int set_up(void **state)
{
    bench *b = (bench *)calloc(1, sizeof(*b));
    gba_naf_settings naf = { .fqdn = poc_span_str("pf.example"), .nonce_lifetime_s = 300, .users_max = 100 };
    const wire_keyman_rules rules = { .path = "/keymanagement", .service_of = service_of, .muk_renew_s = 300 };
    keyman_http_settings settings = { .front = { .listen_count = 1, .connections_max = 8, .connections_per_source = 8 },
                                      .push_port = 2269 };
    su_init();
    b->zn.ops = &ops;
    b->root = su_root_create(NULL);
    memcpy(naf.ua_id, gba_ua_id_mbms, sizeof(naf.ua_id));
    assert_int_equal(gba_naf_new(&b->naf, &naf, &poc_rng_system), POC_OK);
    assert_int_equal(poc_secret_random(&b->ks_naf, 32, &poc_rng_system), POC_OK);
    assert_int_equal(gba_mbms_keys_make(&b->keys, b->ks_naf, NULL), POC_OK);
    make_engine(b);
    assert_int_equal(wire_keyman_new(&b->keyman, &rules, b->naf, b->pf), POC_OK);
    assert_int_equal(poc_addr_parse(&settings.front.listen[0], poc_span_str("127.0.0.1"), 0), POC_OK);
    assert_int_equal(keyman_http_new(&b->http, b->root, &settings, b->keyman, b->naf, &b->zn, on_served, b), POC_OK);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = (bench *)*state;
    keyman_http_free(b->http);
    wire_keyman_free(b->keyman);
    pocpf_free(b->pf);
    gba_naf_free(b->naf);
    gba_mbms_keys_done(&b->keys);
    poc_secret_free(b->ks_naf);
    su_root_destroy(b->root);
    su_deinit();
    free(b);
    return 0;
}

/* ---- the client ---- */

static void turn(bench *b)
{
    (void)su_root_step(b->root, 5);
}

/** A registration with credentials, sent on a connection of its own. */
static int ask(bench *b)
{
    char challenge[GBA_HEADER_MAX], authorization[GBA_HEADER_MAX];
    gba_ua_client ua = { BTID, b->keys.mrk, 0 };
    poc_wr wr = poc_wr_into(challenge, sizeof(challenge));
    assert_int_equal(gba_naf_challenge(b->naf, io_now_ms() / 1000, false, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    wr = poc_wr_into(authorization, sizeof(authorization));
    assert_int_equal(gba_ua_authorize(&ua, poc_span_str(challenge), poc_span_str("pf.example"), poc_span_str("POST"),
                                      poc_span_str(TARGET), poc_span_str(BODY), &poc_rng_system, &wr),
                     POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    int n = snprintf(b->request, sizeof(b->request),
                     "POST " TARGET " HTTP/1.1\r\nHost: pf\r\nConnection: close\r\nContent-Type: "
                     "application/mbms-register+xml\r\nAuthorization: %s\r\nContent-Length: %zu\r\n\r\n%s",
                     authorization, strlen(BODY), BODY);
    struct sockaddr_storage to;
    assert_int_equal(poc_addr_parse(&to, poc_span_str("127.0.0.1"), keyman_http_port(b->http, 0)), POC_OK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), 0);
    assert_int_equal(send(fd, b->request, (size_t)n, 0), n);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static int ask_until_zn_is_asked(bench *b)
{
    size_t before = b->asked_count;
    int fd = ask(b);
    while (b->asked_count == before)
        turn(b);
    return fd;
}

/** Reads to the end; the status. `loops`: the service is still there and has to be given its turns. */
static int answered(bench *b, int fd, bool loops)
{
    size_t n = 0;
    int status = 0;
    for (;;) {
        ssize_t got = read(fd, b->answer + n, sizeof(b->answer) - 1 - n);
        if (got == 0)
            break;
        if (got > 0)
            n += (size_t)got;
        else if (loops)
            turn(b);
        else
            break;
    }
    b->answer[n] = '\0';
    (void)close(fd);
    return sscanf(b->answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

/* ---- tests ---- */

static void a_request_waits_for_zn_and_is_served_then(void **state)
{
    bench *b = (bench *)*state;
    int fd = ask_until_zn_is_asked(b);
    char octet;
    for (int i = 0; i < 5; i++)
        turn(b);
    assert_int_equal(read(fd, &octet, 1), -1);
    assert_int_equal(b->served, 0);
    zn_says(b, POC_OK);
    assert_int_equal(answered(b, fd, true), 200);
    assert_non_null(strstr(b->answer, "200 OK"));
    assert_int_equal(b->served, 1);
    fd = ask(b); /* known from now on */
    assert_int_equal(answered(b, fd, true), 200);
    assert_int_equal(keyman_http_look(b->http).asked_zn, 1);
}

/* MBMS-11: a B-TID that Zn does not know any more means a new bootstrapping. */
static void what_zn_says_is_what_the_client_is_told(void **state)
{
    static const struct {
        poc_err err;
        int status;
        const char *says;
    } rows[] = { { POC_E_AUTH, 401, "WWW-Authenticate: " },
                 { POC_E_DENIED, 403, "" },
                 { POC_E_IO, 503, "Retry-After: " } };
    bench *b = (bench *)*state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        int fd = ask_until_zn_is_asked(b);
        zn_says(b, rows[i].err);
        assert_int_equal(answered(b, fd, true), rows[i].status);
        assert_non_null(strcasestr(b->answer, rows[i].says));
    }
    pocpf_member_status nobody = { .size = sizeof(nobody) };
    size_t at = 0;
    assert_false(pocpf_member_next(b->pf, "fire", &at, &nobody));
}

static void others_are_served_while_one_waits(void **state)
{
    bench *b = (bench *)*state;
    int first = ask_until_zn_is_asked(b), second = ask_until_zn_is_asked(b);
    zn_says(b, POC_E_IO);
    assert_int_equal(answered(b, first, true), 503);
    zn_says(b, POC_OK);
    assert_int_equal(answered(b, second, true), 200);
}

static void who_hangs_up_while_waiting_does_no_harm(void **state)
{
    bench *b = (bench *)*state;
    int fd = ask_until_zn_is_asked(b);
    (void)close(fd);
    for (int i = 0; i < 5; i++)
        turn(b);
    zn_says(b, POC_OK);
    assert_int_equal(answered(b, ask(b), true), 200);
}

/* Serves a first request, so that Zn need not be asked again; answers wait for write 7 from then on. */
static void answers_wait_for_the_store(bench *b)
{
    int fd = ask_until_zn_is_asked(b);
    zn_says(b, POC_OK);
    assert_int_equal(answered(b, fd, true), 200);
    b->due = 7;
}

static int ask_until_served(bench *b)
{
    unsigned before = b->served;
    int fd = ask(b);
    while (b->served == before)
        turn(b);
    return fd;
}

/* MBMS-5: a 200 is a promise, and a promise is durable. */
static void no_answer_goes_out_before_what_it_says_is_durable(void **state)
{
    bench *b = (bench *)*state;
    char octet;
    answers_wait_for_the_store(b);
    int first = ask_until_served(b), second = ask_until_served(b);
    keyman_http_durable(b->http, 6, true);
    for (int i = 0; i < 5; i++)
        turn(b);
    assert_int_equal(read(first, &octet, 1), -1);
    keyman_http_durable(b->http, 7, true);
    assert_int_equal(answered(b, first, true), 200);
    assert_int_equal(answered(b, second, true), 200);
}

static void what_could_not_be_made_durable_is_not_promised(void **state)
{
    bench *b = (bench *)*state;
    answers_wait_for_the_store(b);
    int fd = ask_until_served(b);
    keyman_http_durable(b->http, 7, false);
    assert_int_equal(answered(b, fd, true), 503);
}

static void who_hangs_up_while_the_store_writes_does_no_harm(void **state)
{
    bench *b = (bench *)*state;
    answers_wait_for_the_store(b);
    int fd = ask_until_served(b);
    (void)close(fd);
    for (int i = 0; i < 5; i++)
        turn(b);
    keyman_http_durable(b->http, 7, true);
    b->due = 0;
    assert_int_equal(answered(b, ask(b), true), 200);
}

static void the_end_of_the_service_answers_who_waits_for_the_store(void **state)
{
    bench *b = (bench *)*state;
    answers_wait_for_the_store(b);
    int fd = ask_until_served(b);
    keyman_http_free(b->http);
    b->http = NULL;
    assert_int_equal(answered(b, fd, false), 503);
}

static void the_end_of_the_service_answers_who_waits(void **state)
{
    bench *b = (bench *)*state;
    int fd = ask_until_zn_is_asked(b);
    keyman_http_free(b->http);
    b->http = NULL;
    assert_int_equal(b->cancelled, 1);
    assert_int_equal(b->asked_count, 0);
    assert_int_equal(answered(b, fd, false), 503);
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(a_request_waits_for_zn_and_is_served_then),
        WITH_BENCH(what_zn_says_is_what_the_client_is_told),
        WITH_BENCH(others_are_served_while_one_waits),
        WITH_BENCH(who_hangs_up_while_waiting_does_no_harm),
        WITH_BENCH(no_answer_goes_out_before_what_it_says_is_durable),
        WITH_BENCH(what_could_not_be_made_durable_is_not_promised),
        WITH_BENCH(who_hangs_up_while_the_store_writes_does_no_harm),
        WITH_BENCH(the_end_of_the_service_answers_who_waits_for_the_store),
        WITH_BENCH(the_end_of_the_service_answers_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
