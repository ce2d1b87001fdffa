/* The keeper of the server's keys: issued inside, asked of a KMS over HTTP, in time for the next period, and through all that
 * can be wrong with a KMS. An engine takes what comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/config_private.h"
#include "pf/io/http.h"
#include "pf/io/log.h"
#include "pf/io/mcx_keeper.h"
#include "pf/io/now.h"
#include "tests/support/ports.h"
#include "tests/unit/io/mcx_kms_bench.h"

enum { SHORT_PERIOD_S = 8 };

/** How a KMS between ours and the keeper spoils answers. */
typedef struct spoiler {
    const char *name;
    int64_t late_s;         /* its clock */
    const char *find, *put; /* in the document; NULL: nothing */
    const char *only;       /* in answers to targets with this in them; NULL: in all */
    const char *instead;    /* of the document */
    const char *root;       /* of its resources */
    int status;             /* 0: as it is */
    size_t large;           /* octets instead of a document */
} spoiler;

typedef struct stage {
    kms_bench b;
    pocpf *pf;
    mcx_keeper *keeper;
    char url[128];
    unsigned keys, signing, kms, revoked;
    pocpf_err verdict; /* the first of the engine that was not OK */
    char revoked_uri[128];
    /* a KMS in between */
    http *http;
    uint16_t port;
    spoiler spoil;
    const mcx_kms_service *service;
    mcx_kms_service short_lived;
    char cache[8192]; /* what /certcache answers; "": as ours does */
    char body[8192], target[2048], document[16384];
    size_t body_len;
    unsigned asked;
    int tells; /* in a process of its own: the keys that it gives out go here, turned over; 0: nowhere */
} stage;

/* ---- the engine ---- */

static int engine_random(void *user, uint8_t *out, size_t n)
{
    (void)user;
    return poc_rng_system.fill(poc_rng_system.ctx, out, n) == POC_OK ? 0 : -1;
}

static void make_engine(stage *s)
{
    const pocpf_host host = { .size = sizeof(host), .random = engine_random };
    poc_secret *store_key;
    assert_int_equal(poc_secret_random(&store_key, 32, &poc_rng_system), POC_OK);
    const pocpf_settings settings = { .size = sizeof(settings),
                                      .naf_id = (const uint8_t *)"pf.example\1\0\0\0\1",
                                      .naf_id_len = 15,
                                      .store_key = store_key };
    assert_int_equal(pocpf_new(&s->pf, &host, &settings), POCPF_OK);
    poc_secret_free(store_key);
}

static void note(stage *s, pocpf_err err)
{
    if (s->verdict == POCPF_OK)
        s->verdict = err;
}

static void on_keys(void *user, pocpf_mcx_keys *keys, bool signs)
{
    stage *s = (stage *)user;
    const pocpf_mcx_identity identity = { .size = sizeof(identity), .keys = keys, .signs = signs };
    note(s, pocpf_mcx_identity_add(s->pf, io_now_ms(), &identity));
    s->keys++;
    s->signing += signs;
}

static void on_kms(void *user, pocpf_mcx_kms *kms)
{
    stage *s = (stage *)user;
    note(s, pocpf_mcx_kms_add(s->pf, io_now_ms(), kms));
    s->kms++;
}

static void on_revoked(void *user, const char *kms_uri)
{
    stage *s = (stage *)user;
    note(s, pocpf_mcx_kms_remove(s->pf, io_now_ms(), kms_uri));
    (void)snprintf(s->revoked_uri, sizeof(s->revoked_uri), "%s", kms_uri);
    s->revoked++;
}

/* ---- a KMS in between ---- */

static void spoil_text(stage *s, size_t *n)
{
    const spoiler *how = &s->spoil;
    char *at = how->find == NULL ? NULL : memmem(s->document, *n, how->find, strlen(how->find));
    if (at != NULL) {
        const size_t before = (size_t)(at - s->document), was = strlen(how->find), is = strlen(how->put);
        assert_true(*n + is < sizeof(s->document));
        memmove(at + is, at + was, *n - before - was);
        memcpy(at, how->put, is);
        *n = *n - was + is;
    }
    if (how->instead != NULL)
        *n = (size_t)snprintf(s->document, sizeof(s->document), "%s", how->instead);
}

enum { KEY_LEN = 2 * MCX_SCALAR_LEN, KEY_PART = 16 };

/** The signing key of an answer as it stands in it, every octet turned over: so it can be told without being there. */
static void tell_key(const stage *s, size_t n)
{
    static const char before[] = "<UserSigningKeySSK xsi:type=\"KeyContentType\">";
    const char *at = memmem(s->document, n, before, strlen(before));
    uint8_t turned[KEY_LEN];
    if (s->tells == 0 || at == NULL)
        return;
    for (size_t i = 0; i < sizeof(turned); i++)
        turned[i] = (uint8_t)~at[strlen(before) + i];
    assert_int_equal(write(s->tells, turned, sizeof(turned)), sizeof(turned));
}

static enum MHD_Result answer(stage *s, struct MHD_Connection *c)
{
    poc_wr wr = poc_wr_into(s->document, sizeof(s->document));
    mcx_kms_served served;
    mcx_kms_request asked;
    const char *why;
    const bool applies = s->spoil.only == NULL || strstr(s->target, s->spoil.only) != NULL;
    const poc_span body = poc_span_of(s->body, s->body_len);
    s->asked++;
    assert_int_equal(mcx_kms_request_read(&asked, body, &why), POC_OK);
    if (s->cache[0] != '\0' && strstr(s->target, "/certcache") != NULL) {
        char time[64];
        poc_wr clock = poc_wr_into(time, sizeof(time));
        poc_time_put(&clock, io_now_ms() / 1000);
        assert_int_equal(poc_wr_text(&clock), POC_OK);
        poc_wr_fmt(&wr, s->cache, time, asked.request_url); // NOLINT: the test's own format
        return http_answer(c, 200, poc_span_of(s->document, wr.len), NULL, 0);
    }
    assert_int_equal(mcx_kms_serve(&wr, &served, s->service, poc_span_str(asked.user_uri), poc_span_str(s->target),
                                   body, io_now_ms() / 1000 + (applies ? s->spoil.late_s : 0)),
                     POC_OK);
    size_t n = wr.len;
    tell_key(s, n);
    if (applies)
        spoil_text(s, &n);
    if (applies && s->spoil.large > 0) {
        char *large = (char *)calloc(1, s->spoil.large);
        const enum MHD_Result result = http_answer(c, 200, poc_span_of(large, s->spoil.large), NULL, 0);
        free(large);
        return result;
    }
    return http_answer(c, (unsigned)(applies && s->spoil.status != 0 ? s->spoil.status : served.status),
                       poc_span_of(s->document, n), NULL, 0);
}

static void *on_target(void *user, const char *target, struct MHD_Connection *c)
{
    stage *s = (stage *)user;
    (void)c;
    (void)snprintf(s->target, sizeof(s->target), "%s", target);
    s->body_len = 0;
    return s;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *piece, size_t *piece_len, void **state)
{
    static bool begun; /* one request at a time */
    stage *s = (stage *)user;
    (void)url, (void)version, (void)state;
    assert_string_equal(method, "POST");
    if (s->body_len == 0 && *piece_len == 0 && !begun) {
        begun = true;
        return MHD_YES;
    }
    if (*piece_len == 0) {
        begun = false;
        return answer(s, c);
    }
    assert_true(s->body_len + *piece_len < sizeof(s->body));
    memcpy(s->body + s->body_len, piece, *piece_len);
    s->body_len += *piece_len;
    *piece_len = 0;
    return MHD_YES;
}

static void listen_between(stage *s, const spoiler *how)
{
    const http_settings settings = { .connections_max = 8,
                                     .connections_per_source = 8,
                                     .connection_octets = 32768,
                                     .idle_s = 10,
                                     .on_target = on_target,
                                     .on_request = on_request,
                                     .user = s };
    struct sockaddr_storage at;
    socklen_t n = sizeof(at);
    s->spoil = how == NULL ? (spoiler){ 0 } : *how;
    if (s->service == NULL)
        s->service = mcx_own_kms_service(s->b.own);
    s->short_lived = *s->service;
    s->short_lived.skew_s = 100000; /* whatever its clock shows */
    if (s->spoil.root != NULL)
        s->short_lived.root = s->spoil.root;
    s->service = &s->short_lived;
    assert_int_equal(poc_addr_parse(&at, poc_span_str("127.0.0.1"), 0), POC_OK);
    const int fd = http_listen((const struct sockaddr *)&at, poc_addr_len((const struct sockaddr *)&at));
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    s->port = poc_addr_port((const struct sockaddr *)&at);
    assert_int_equal(http_new(&s->http, s->b.root, fd, &settings), POC_OK);
}

/** The configuration of a client of the KMS at this port. */
static void be_client(stage *s, uint16_t port)
{
    s->b.c.mcx.kms = CONFIG_KMS_CLIENT;
    (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u" KMS_ROOT, port);
    s->b.c.mcx.kms_url = s->url;
    s->b.c.mcx.kms_token_file = s->b.token_file;
}

/* ---- the keeper ---- */

static void keeper_begins(stage *s, const mcx_kms_service *own)
{
    static const mcx_keeper_events events = { .keys = on_keys, .kms = on_kms, .revoked = on_revoked };
    char why[CONFIG_WHY_MAX] = "";
    if (mcx_keeper_new(&s->keeper, s->b.root, &s->b.c, own, &events, s, why) != POC_OK)
        fail_msg("%s", why);
}

static void until(stage *s, const unsigned *count, unsigned wanted)
{
    while (*count < wanted)
        kms_bench_turn(&s->b);
}

static void until_failures(stage *s, uint64_t wanted)
{
    while (mcx_keeper_look(s->keeper).failures < wanted)
        kms_bench_turn(&s->b);
}

static int set_up(void **state)
{
    stage *s = (stage *)calloc(1, sizeof(*s));
    assert_non_null(s);
    kms_bench_make(&s->b);
    kms_bench_file(&s->b, "token", "server\n", 0600);
    make_engine(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    stage *s = (stage *)*state;
    mcx_keeper_free(s->keeper);
    http_free(s->http);
    pocpf_free(s->pf);
    kms_bench_done(&s->b);
    free(s);
    return 0;
}

/* ---- tests ---- */

/* MCX-24, MCX-29: no key of any other domain is waited for. */
static void the_kms_inside_gives_every_identity_its_keys(void **state)
{
    stage *s = (stage *)*state;
    keeper_begins(s, mcx_own_kms_service(s->b.own));
    until(s, &s->keys, 2);
    assert_int_equal(s->verdict, POCPF_OK);
    assert_int_equal(s->signing, 1);
    const mcx_keeper_counts counts = mcx_keeper_look(s->keeper);
    assert_true(counts.signs);
    assert_true(counts.ready_until_s > io_now_ms() / 1000);
    assert_int_equal(counts.failures, 0);
}

/** A KMS inside whose present period ends so soon. */
static void begin_before_the_end(stage *s, uint64_t period_s, uint64_t left_s)
{
    const uint64_t now = (uint64_t)(io_now_ms() / 1000) + MCX_NTP_MINUS_UNIX;
    s->short_lived = *mcx_own_kms_service(s->b.own);
    s->short_lived.period_s = period_s;
    s->short_lived.offset_s = (now + left_s) % period_s;
    keeper_begins(s, &s->short_lived);
}

/* MCX-24: time-limited material. */
static void the_keys_of_the_next_period_are_there_before_it_begins(void **state)
{
    stage *s = (stage *)*state;
    const int64_t now_s = io_now_ms() / 1000;
    begin_before_the_end(s, 3600, 600);
    until(s, &s->keys, 4);
    assert_int_equal(s->verdict, POCPF_OK);
    assert_int_equal(s->signing, 2);
    assert_true(mcx_keeper_look(s->keeper).ready_until_s >= now_s + 600 + 3600);
}

static void the_keys_of_the_next_period_are_not_asked_for_too_early(void **state)
{
    stage *s = (stage *)*state;
    begin_before_the_end(s, 36000, 7200);
    until(s, &s->keys, 2);
    for (int i = 0; i < 20; i++)
        kms_bench_turn(&s->b);
    assert_int_equal(mcx_keeper_look(s->keeper).requests, 2);
}

static void period_follows_period(void **state)
{
    stage *s = (stage *)*state;
    begin_before_the_end(s, SHORT_PERIOD_S, SHORT_PERIOD_S);
    until(s, &s->keys, 6);
    assert_int_equal(s->verdict, POCPF_OK);
    assert_int_equal(mcx_keeper_look(s->keeper).failures, 0);
}

/* MCX-24 */
static void a_kms_is_asked_over_http_for_each_identity(void **state)
{
    stage *s = (stage *)*state;
    kms_bench_listen(&s->b, 0, NULL, NULL);
    be_client(s, mcx_kms_http_port(s->b.http, 0));
    keeper_begins(s, NULL);
    until(s, &s->keys, 2);
    assert_int_equal(s->verdict, POCPF_OK);
    assert_int_equal(s->signing, 1);
    while (mcx_keeper_look(s->keeper).requests < 4) /* certificate, two sets of keys, other KMSs */
        kms_bench_turn(&s->b);
    assert_int_equal(mcx_keeper_look(s->keeper).failures, 0);
    assert_int_equal(s->kms, 0); /* its own certificate is not that of another */
}

static void a_kms_that_is_dead_at_the_start_is_found_when_it_is_back(void **state)
{
    stage *s = (stage *)*state;
    uint16_t port;
    assert_true(test_free_ports(&port, 1));
    be_client(s, port);
    keeper_begins(s, NULL);
    until_failures(s, 1);
    assert_false(mcx_keeper_look(s->keeper).signs);
    assert_int_equal(s->keys, 0);
    kms_bench_listen(&s->b, port, NULL, NULL);
    until(s, &s->keys, 2);
    assert_int_equal(s->verdict, POCPF_OK);
    assert_true(mcx_keeper_look(s->keeper).signs);
}

/** A certificate NAME.pem of this address with its key NAME.key, which ends in so many days. */
static void make_certificate(const stage *s, const char *name, const char *address, int days)
{
    char command[768];
    (void)snprintf(
        command, sizeof(command),
        "cd '%s' && echo subjectAltName=IP:%s > san && openssl req -newkey ec -pkeyopt "
        "ec_paramgen_curve:P-256 -nodes -keyout %s.key -out csr -subj /CN=kms 2>/dev/null && openssl x509 -req "
        "-in csr -signkey %s.key -days %d -extfile san -out %s.pem 2>/dev/null",
        s->b.folder, address, name, name, days, name);
    assert_int_equal(system(command), 0);
}

static char *read_pem(const stage *s, const char *name, const char *kind)
{
    char path[256], why[CONFIG_WHY_MAX], *text = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s.%s", s->b.folder, name, kind);
    assert_int_equal(config_file_text(&text, path, why), POC_OK);
    return text;
}

/** The KMS with this certificate, for a client that trusts in that one. */
static void begin_over_tls(stage *s, const char *its, const char *trusted)
{
    static char ca[256];
    char *certificate = read_pem(s, its, "pem"), *key = read_pem(s, its, "key");
    mcx_kms_http_free(s->b.http);
    s->b.http = NULL;
    kms_bench_listen(&s->b, 0, certificate, key);
    free(certificate);
    free(key);
    be_client(s, mcx_kms_http_port(s->b.http, 0));
    (void)snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%u" KMS_ROOT, mcx_kms_http_port(s->b.http, 0));
    (void)snprintf(ca, sizeof(ca), "%s/%s.pem", s->b.folder, trusted);
    s->b.c.mcx.kms_ca = ca;
    keeper_begins(s, NULL);
}

/* MCX-24: keys of the server are in its answers, and the token in the question. */
static void a_kms_that_nobody_vouches_for_is_told_nothing(void **state)
{
    static const struct {
        const char *its, *trusted, *says;
    } rows[] = { { "good", "other", "certificate" },
                 { "elsewhere", "elsewhere", "subject name" },
                 { "over", "over", "expired" } };
    stage *s = (stage *)*state;
    int pipe_fd[2];
    char said[4096];
    assert_int_equal(pipe(pipe_fd), 0);
    make_certificate(s, "good", "127.0.0.1", 2);
    make_certificate(s, "other", "127.0.0.1", 2);
    make_certificate(s, "elsewhere", "127.0.0.9", 2);
    make_certificate(s, "over", "127.0.0.1", -1);
    s->b.c.mcx.identities.count = 1;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        log_to(pipe_fd[1]);
        begin_over_tls(s, rows[i].its, rows[i].trusted);
        until_failures(s, 1);
        const ssize_t n = read(pipe_fd[0], said, sizeof(said) - 1); /* the line is written before it is counted */
        log_to(2);
        said[n > 0 ? n : 0] = '\0';
        if (strstr(said, rows[i].says) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].its, said, rows[i].says);
        assert_int_equal(mcx_kms_http_look(s->b.http).requests, 0);
        mcx_keeper_free(s->keeper);
        s->keeper = NULL;
    }
    (void)close(pipe_fd[0]);
    (void)close(pipe_fd[1]);
    begin_over_tls(s, "good", "good");
    until(s, &s->keys, 1);
    assert_int_equal(s->verdict, POCPF_OK);
}

static void a_wrong_token_brings_nothing_until_the_file_has_the_right_one(void **state)
{
    stage *s = (stage *)*state;
    kms_bench_file(&s->b, "token", "alice\n", 0600); /* somebody else's */
    kms_bench_listen(&s->b, 0, NULL, NULL);
    be_client(s, mcx_kms_http_port(s->b.http, 0));
    keeper_begins(s, NULL);
    until_failures(s, 1);
    kms_bench_file(&s->b, "token", "nobody\n", 0600);
    until_failures(s, 2);
    assert_int_equal(s->keys, 0);
    kms_bench_file(&s->b, "token", "server\nserver\n", 0600); /* a line for each identity */
    until(s, &s->keys, 2);
    assert_int_equal(s->verdict, POCPF_OK);
}

static void a_token_file_that_others_can_read_is_not_used(void **state)
{
    stage *s = (stage *)*state;
    kms_bench_file(&s->b, "token", "server\n", 0644);
    kms_bench_listen(&s->b, 0, NULL, NULL);
    be_client(s, mcx_kms_http_port(s->b.http, 0));
    keeper_begins(s, NULL);
    until_failures(s, 1);
    assert_int_equal(mcx_kms_http_look(s->b.http).requests, 0);
    assert_int_equal(s->keys, 0);
}

/* A KMS whose answers are not what they should be: nothing of them is taken, and when it mends its ways all is well. */
static void spoiled_answers_are_refused(void **state, const spoiler *how, const char *says)
{
    stage *s = (stage *)*state;
    int pipe_fd[2];
    char said[4096];
    assert_int_equal(pipe(pipe_fd), 0);
    s->b.c.mcx.identities.count = 1;
    listen_between(s, how);
    be_client(s, s->port);
    log_to(pipe_fd[1]);
    keeper_begins(s, NULL);
    until_failures(s, 1);
    const ssize_t n = read(pipe_fd[0], said, sizeof(said) - 1); /* the line is written before it is counted as done */
    log_to(2);
    said[n > 0 ? n : 0] = '\0';
    if (strstr(said, "mcx_keys_missing") == NULL || strstr(said, says) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", how->name, said, says);
    assert_int_equal(s->keys, 0);
    s->spoil = (spoiler){ 0 };
    s->short_lived.root = KMS_ROOT;
    until(s, &s->keys, 1);
    assert_int_equal(s->verdict, POCPF_OK);
    (void)close(pipe_fd[0]);
    (void)close(pipe_fd[1]);
}

#define SPOILED(test, says, ...)                                   \
    static void test(void **state)                                 \
    {                                                              \
        static const spoiler how = { .name = #test, __VA_ARGS__ }; \
        spoiled_answers_are_refused(state, &how, says);            \
    }

SPOILED(an_answer_of_another_time_is_refused, "time", .late_s = -3600)
SPOILED(an_answer_about_another_user_is_refused, "user", .only = "/keyprov", .find = "<UserUri>" KMS_PSI,
        .put = "<UserUri>sip:mallory@mcx.example.org")
SPOILED(keys_of_another_user_are_refused, "keys", .only = "/keyprov",
        .find = "<UserUri>" KMS_PSI "</UserUri>\n<UserID>",
        .put = "<UserUri>sip:mallory@mcx.example.org</UserUri>\n<UserID>")
SPOILED(an_answer_of_another_kms_is_refused, "KMS", .find = "<KmsUri>" KMS_URI, .put = "<KmsUri>kms.evil.example")
SPOILED(garbage_is_refused, "", .instead = "<KmsResponse><", )
SPOILED(an_empty_answer_is_refused, "HTTP status 500", .instead = "", .status = 500)
/* Of a proxy before the KMS, for example. */
SPOILED(a_page_instead_of_an_answer_is_told_by_its_status, "HTTP status 401", .instead = "<html>Log in</html>",
        .status = 401)
SPOILED(keys_with_the_status_of_a_failure_are_refused, "HTTP status 500", .only = "/keyprov", .status = 500)
SPOILED(an_answer_that_is_too_large_is_refused, "too large", .large = 100000)
SPOILED(another_answer_than_that_to_the_question_is_refused, "", .only = "/keyprov", .find = "KmsKeyProv",
        .put = "KmsOther")
SPOILED(an_unhappy_kms_is_heard, "no such resource", .root = "/elsewhere")

/* ---- other KMSs ---- */

static const char cache_form[] =
    "<KmsResponse xmlns=\"urn:3gpp:ns:mcsecKMSInterface:1.0\" Version=\"1.0.0\"><UserUri>" KMS_PSI
    "</UserUri><KmsUri>" KMS_URI
    "</KmsUri><Time>%%s</Time><ClientReqUrl>%%s</ClientReqUrl><KmsMessage><KmsCertCache Version=\"1.0.0\" CacheNum=\"%u\">"
    "<KmsCertificate Version=\"1.1.0\" Role=\"External\"><KmsUri>kms.neighbour.example</KmsUri><Revoked>%s</Revoked><UserIdFormat>2</UserIdFormat>"
    "<UserKeyPeriod>%u</UserKeyPeriod><UserKeyOffset>0</UserKeyOffset><PubEncKey>%s</PubEncKey><PubAuthKey>%s</PubAuthKey></KmsCertificate>"
    "</KmsCertCache></KmsMessage></KmsResponse>";

static void write_cache(stage *s, const mcx_kms *kms, unsigned number, const char *revoked, unsigned period_s)
{
    char z[2 * MCX_SAKKE_POINT_LEN + 1], kpak[2 * MCX_POINT_LEN + 1];
    poc_wr wr = poc_wr_into(z, sizeof(z));
    poc_hex_put(&wr, mcx_kms_z(kms));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    wr = poc_wr_into(kpak, sizeof(kpak));
    poc_hex_put(&wr, mcx_kms_kpak(kms));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    const int n = snprintf(s->cache, sizeof(s->cache), cache_form, number, revoked, period_s, z, kpak);
    assert_true(n > 0 && (size_t)n < sizeof(s->cache));
}

static mcx_kms *another_kms(void)
{
    poc_secret *z, *ksak;
    mcx_kms *kms;
    assert_int_equal(mcx_kms_secrets(&z, &ksak, &poc_rng_system), POC_OK);
    assert_int_equal(mcx_kms_new(&kms, z, ksak), POC_OK);
    poc_secret_free(z);
    poc_secret_free(ksak);
    return kms;
}

static void certificates_of_other_kmss_come_change_and_go(void **state)
{
    stage *s = (stage *)*state;
    mcx_kms *other = another_kms();
    mcx_kms_service quick = *mcx_own_kms_service(s->b.own);
    quick.period_s = 10; /* so the cache is looked at every second */
    s->service = &quick;
    write_cache(s, other, 7, "false", 60);
    listen_between(s, NULL);
    be_client(s, s->port);
    keeper_begins(s, NULL);
    until(s, &s->kms, 1);
    assert_int_equal(s->verdict, POCPF_OK);
    write_cache(s, other, 8, "false", 120);
    until(s, &s->kms, 2);
    assert_non_null(strstr(s->target, "/certcache/7")); /* the keeper says what it has */
    write_cache(s, other, 9, "true", 120);
    until(s, &s->revoked, 1);
    assert_string_equal(s->revoked_uri, "kms.neighbour.example");
    assert_int_equal(s->kms, 2);
    assert_int_equal(s->verdict, POCPF_OK);
    mcx_kms_free(other);
}

static void write_neighbour(const stage *s)
{
    char text[MCX_KMS_ANSWER_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    mcx_kms *other = another_kms();
    const mcx_kms_answer answer = { poc_span_str("kms.neighbour.example"), poc_span_str("kms.neighbour.example"),
                                    poc_span_str(KMS_ROOT "/init"), 0 };
    assert_int_equal(mcx_kms_init_put(&wr, &answer, other, 60, 0), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    kms_bench_file(&s->b, "kms-init.xml", text, 0644);
    mcx_kms_free(other);
}

/* MCX-16: what servers know of each other is set by hand. */
static void the_certificate_of_a_neighbour_comes_from_a_file(void **state)
{
    stage *s = (stage *)*state;
    char path[256], *paths[] = { path, NULL };
    (void)snprintf(path, sizeof(path), "%s/kms-init.xml", s->b.folder);
    s->b.c.mcx.neighbours = (config_texts){ paths, 1 };
    write_neighbour(s);
    keeper_begins(s, mcx_own_kms_service(s->b.own));
    until(s, &s->kms, 1);
    assert_int_equal(s->verdict, POCPF_OK);
}

static void a_keeper_ends_while_a_kms_keeps_silent(void **state)
{
    stage *s = (stage *)*state;
    struct sockaddr_storage at;
    socklen_t n = sizeof(at);
    assert_int_equal(poc_addr_parse(&at, poc_span_str("127.0.0.1"), 0), POC_OK);
    const int fd = http_listen((const struct sockaddr *)&at, poc_addr_len((const struct sockaddr *)&at));
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    be_client(s, poc_addr_port((const struct sockaddr *)&at));
    keeper_begins(s, NULL);
    for (int accepted = -1; accepted < 0; kms_bench_turn(&s->b))
        if ((accepted = accept(fd, NULL, NULL)) >= 0) {
            mcx_keeper_free(s->keeper);
            s->keeper = NULL;
            (void)close(accepted);
        }
    (void)close(fd);
    assert_int_equal(s->keys, 0);
}

/* ---- what is left behind ---- */

/** A KMS, as a process of its own: tells its port and then the keys that it gives out. */
static int be_kms(int tells)
{
    static stage s;
    char command[128];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    kms_bench_make(&s.b);
    listen_between(&s, NULL);
    s.tells = tells;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", s.b.folder);
    if (write(tells, &s.port, sizeof(s.port)) != (ssize_t)sizeof(s.port) || system(command) != 0)
        return 1;
    for (;;)
        kms_bench_turn(&s.b);
}

static pid_t kms_process(int *says)
{
    int ends[2];
    char number[16];
    assert_int_equal(pipe(ends), 0);
    (void)snprintf(number, sizeof(number), "%d", ends[1]);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execl("/proc/self/exe", "test_mcx_keeper", number, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    *says = ends[0];
    return pid;
}

static unsigned part_seen(const uint8_t *window, size_t n, const uint8_t *turned)
{
    unsigned seen = 0;
    const uint8_t *at = window, *end = window + n;
    while ((size_t)(end - at) >= KEY_PART && (at = memchr(at, (uint8_t)~turned[0], (size_t)(end - at))) != NULL) {
        size_t same = 0;
        while (same < KEY_PART && at + same < end && (at[same] ^ turned[same]) == 0xff)
            same++;
        seen += same == KEY_PART;
        at++;
    }
    return seen;
}

/** How often a part of the key stands in what can be written of this process's memory. */
static unsigned key_seen(const uint8_t turned[KEY_LEN])
{
    static uint8_t window[1 << 20];
    unsigned long from, to;
    char line[512], mode[8];
    unsigned seen = 0;
    FILE *maps = fopen("/proc/self/maps", "re"), *mem = fopen("/proc/self/mem", "re");
    assert_true(maps != NULL && mem != NULL);
    (void)setvbuf(mem, NULL, _IONBF, 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' || to - from > 1ul << 32)
            continue;
        for (unsigned long at = from; at + KEY_PART <= to; at += sizeof(window) - KEY_PART) {
            const size_t n = to - at < sizeof(window) ? to - at : sizeof(window);
            const bool is_window = at < (unsigned long)window + sizeof(window) && at + n > (unsigned long)window;
            if (is_window || fseek(mem, (long)at, SEEK_SET) != 0 || fread(window, 1, n, mem) != n)
                continue;
            for (size_t part = 0; part < KEY_LEN; part += KEY_PART)
                seen += part_seen(window, n, turned + part);
        }
    }
    (void)fclose(maps);
    (void)fclose(mem);
    return seen;
}

static void nothing_of_a_key_is_left_in_memory_as_the_kms_wrote_it(void **state)
{
    stage *s = (stage *)*state;
    int says;
    uint16_t port;
    uint8_t turned[KEY_LEN];
    char control[KEY_LEN];
    const pid_t kms = kms_process(&says);
    assert_int_equal(read(says, &port, sizeof(port)), sizeof(port));
    s->b.c.mcx.identities.count = 1;
    be_client(s, port);
    keeper_begins(s, NULL);
    until(s, &s->keys, 1);
    assert_int_equal(read(says, turned, sizeof(turned)), sizeof(turned));
    assert_int_equal(key_seen(turned), 0);
    for (size_t i = 0; i < KEY_LEN; i++)
        control[i] = (char)~turned[i];
    assert_true(key_seen(turned) >= KEY_LEN / KEY_PART); /* it would have been seen */
    poc_wipe(control, sizeof(control));
    (void)close(says);
    assert_int_equal(kill(kms, SIGKILL), 0);
    assert_int_equal(waitpid(kms, NULL, 0), kms);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return be_kms(atoi(argv[1]));
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(the_kms_inside_gives_every_identity_its_keys),
        TEST(the_keys_of_the_next_period_are_there_before_it_begins),
        TEST(the_keys_of_the_next_period_are_not_asked_for_too_early),
        TEST(period_follows_period),
        TEST(a_kms_is_asked_over_http_for_each_identity),
        TEST(a_kms_that_is_dead_at_the_start_is_found_when_it_is_back),
        TEST(a_kms_that_nobody_vouches_for_is_told_nothing),
        TEST(a_wrong_token_brings_nothing_until_the_file_has_the_right_one),
        TEST(a_token_file_that_others_can_read_is_not_used),
        TEST(an_answer_of_another_time_is_refused),
        TEST(an_answer_about_another_user_is_refused),
        TEST(keys_of_another_user_are_refused),
        TEST(an_answer_of_another_kms_is_refused),
        TEST(garbage_is_refused),
        TEST(an_empty_answer_is_refused),
        TEST(a_page_instead_of_an_answer_is_told_by_its_status),
        TEST(keys_with_the_status_of_a_failure_are_refused),
        TEST(an_answer_that_is_too_large_is_refused),
        TEST(another_answer_than_that_to_the_question_is_refused),
        TEST(an_unhappy_kms_is_heard),
        TEST(certificates_of_other_kmss_come_change_and_go),
        TEST(the_certificate_of_a_neighbour_comes_from_a_file),
        TEST(nothing_of_a_key_is_left_in_memory_as_the_kms_wrote_it),
        TEST(a_keeper_ends_while_a_kms_keeps_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
