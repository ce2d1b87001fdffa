/* The embedded KMS behind HTTP, with curl as the client: who gets whose keys, and what is refused and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/config_private.h"
#include "pf/io/now.h"
#include "tests/unit/io/mcx_kms_bench.h"

#define ALICE      "sip:alice@mc.example"
#define ALICE_PATH "/keyprov/sip%3Aalice%40mc.example"

static int set_up(void **state)
{
    kms_bench *b = (kms_bench *)malloc(sizeof(*b));
    assert_non_null(b);
    kms_bench_make(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    kms_bench_done((kms_bench *)*state);
    free(*state);
    return 0;
}

static int64_t now_s(void)
{
    return io_now_ms() / 1000;
}

/** POSTs a proper request for `path` below the root; the status. */
static int asks(kms_bench *b, const char *token, const char *user, const char *path, int64_t at_s)
{
    char words[1024], whole[512];
    (void)snprintf(whole, sizeof(whole), KMS_ROOT "%s", path);
    kms_bench_request(b, "request", user, whole, at_s);
    (void)snprintf(words, sizeof(words),
                   "-H 'Authorization: Bearer %s' -H 'Content-Type: application/xml' --data-binary @%s/request "
                   "http://127.0.0.1:%u%s",
                   token, b->folder, mcx_kms_http_port(b->http, 0), whole);
    return kms_bench_curl(b, words);
}

static void reads(const kms_bench *b, mcx_kms_response *out)
{
    const char *why = "";
    if (mcx_kms_response_read(out, kms_bench_body(b), &why) != POC_OK)
        fail_msg("%s: %s", why, b->said);
}

/* MCX-20, MCX-24: who is authorised gets keys for his own identity and for a time. */
static void curl_gets_the_certificate_and_keys_that_fit_it(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    mcx_kms_response init, keys;
    const char *why = "";
    kms_bench_listen(b, 0, NULL, NULL);
    assert_int_equal(asks(b, "alice", ALICE, "/init", now_s()), 200);
    assert_non_null(strstr(b->said, "Content-Type: application/xml"));
    assert_non_null(strstr(b->said, "Cache-Control: no-store"));
    reads(b, &init);
    assert_int_equal(init.kind, MCX_KMS_INIT);
    assert_string_equal(init.certificates[0].kms_uri, KMS_URI);
    assert_int_equal(asks(b, "alice", ALICE, ALICE_PATH, now_s()), 200);
    reads(b, &keys);
    assert_int_equal(keys.set_count, 1);
    assert_string_equal(keys.sets[0].user_uri, ALICE);
    assert_int_equal(mcx_kms_key_set_check(&keys.sets[0], &init.certificates[0], &why), POC_OK);
    mcx_signer *signer = NULL;
    assert_int_equal(mcx_signer_new(&signer, init.certificates[0].kpak, poc_span_of(keys.sets[0].uid, MCX_UID_LEN),
                                    keys.sets[0].keys.ssk, keys.sets[0].keys.pvt),
                     POC_OK);
    mcx_signer_free(signer);
    mcx_kms_response_done(&keys);
    mcx_kms_response_done(&init);
    assert_int_equal(mcx_kms_http_look(b->http).served, 2);
}

static void keys_of_the_next_period_are_given_and_not_of_those_behind_it(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    char path[256];
    mcx_kms_response keys;
    const mcx_kms_service *s = mcx_own_kms_service(b->own);
    mcx_period period = { s->period_s, s->offset_s, 0 };
    kms_bench_listen(b, 0, NULL, NULL);
    period.number = 1 + mcx_period_number((uint64_t)now_s() + MCX_NTP_MINUS_UNIX, s->period_s, s->offset_s);
    for (int ahead = 1; ahead <= 2; ahead++, period.number++) {
        (void)snprintf(path, sizeof(path), "%s/%08lx00000000", ALICE_PATH,
                       (unsigned long)(mcx_period_start(&period) & 0xffffffffu));
        assert_int_equal(asks(b, "alice", ALICE, path, now_s()), ahead == 1 ? 200 : 403);
        if (ahead == 1) {
            reads(b, &keys);
            assert_int_equal(keys.sets[0].period_number, period.number);
            mcx_kms_response_done(&keys);
        }
    }
}

static void one_token_gets_the_keys_of_the_id_that_the_request_names(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    kms_bench_listen(b, 0, NULL, NULL);
    assert_int_equal(asks(b, "bob", "sip:bob@mc.example", "/keyprov", now_s()), 200);
    assert_non_null(strstr(b->said, "<UserUri>sip:bob@mc.example</UserUri>"));
    assert_int_equal(asks(b, "bob", "sip:bob-video@mc.example", "/keyprov", now_s()), 200);
    assert_non_null(strstr(b->said, "<UserUri>sip:bob-video@mc.example</UserUri>"));
    assert_int_equal(asks(b, "bob", ALICE, "/keyprov", now_s()), 403);
}

static void nobody_gets_the_keys_of_another(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    kms_bench_listen(b, 0, NULL, NULL);
    assert_int_equal(asks(b, "bob", "sip:bob@mc.example", ALICE_PATH, now_s()), 403);
    assert_non_null(strstr(b->said, "keys of another user"));
    assert_null(strstr(b->said, "UserDecryptKey"));
}

static void a_request_of_another_time_is_refused(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    kms_bench_listen(b, 0, NULL, NULL);
    assert_int_equal(asks(b, "alice", ALICE, "/keyprov", now_s() - 3600), 403);
    assert_non_null(strstr(b->said, "another time"));
}

static void without_a_token_that_holds_there_is_a_challenge_and_nothing_else(void **state)
{
    static const char *const headers[] = { "", "-H 'Authorization: Bearer mallory'", "-H 'Authorization: Bearer '",
                                           "-H 'Authorization: Basic alice'", "-H 'Authorization: alice'" };
    kms_bench *b = (kms_bench *)*state;
    char words[1024];
    kms_bench_listen(b, 0, NULL, NULL);
    kms_bench_request(b, "request", ALICE, KMS_ROOT "/keyprov", now_s());
    for (size_t i = 0; i < POC_COUNT(headers); i++) {
        (void)snprintf(words, sizeof(words), "%s --data-binary @%s/request http://127.0.0.1:%u" KMS_ROOT "/keyprov",
                       headers[i], b->folder, mcx_kms_http_port(b->http, 0));
        assert_int_equal(kms_bench_curl(b, words), 401);
        assert_non_null(strstr(b->said, "WWW-Authenticate: Bearer"));
        assert_int_equal(kms_bench_body(b).n, 0);
    }
}

typedef struct bad_request {
    const char *words; /* before the URL */
    const char *path;
    int status;
} bad_request;

static void what_is_no_request_is_refused_by_its_kind(void **state)
{
    static const bad_request bad[] = {
        { "", KMS_ROOT "/init", 405 },
        { "-X PUT --data-binary @%s/request", KMS_ROOT "/init", 405 },
        { "--data-binary @%s/garbage", KMS_ROOT "/init", 400 },
        { "-X POST", KMS_ROOT "/init", 400 },
        { "--data-binary @%s/large", KMS_ROOT "/init", 413 },
        { "-H 'Transfer-Encoding: chunked' --data-binary @%s/large", KMS_ROOT "/init", 413 },
        { "--data-binary @%s/request", KMS_ROOT "/nothing", 403 }, /* ClientReqUrl is another one */
        { "--data-binary @%s/request", "/", 403 },
        { "--data-binary @%s/lost", KMS_ROOT "/lost", 404 },
    };
    kms_bench *b = (kms_bench *)*state;
    char large[20001], words[1024], before[512];
    kms_bench_listen(b, 0, NULL, NULL);
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    kms_bench_file(b, "large", large, 0600);
    kms_bench_file(b, "garbage", "<KmsRequest><a", 0600);
    kms_bench_request(b, "request", ALICE, KMS_ROOT "/init", now_s());
    kms_bench_request(b, "lost", ALICE, KMS_ROOT "/lost", now_s());
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        (void)snprintf(before, sizeof(before), bad[i].words, b->folder); // NOLINT: the table's own formats
        (void)snprintf(words, sizeof(words), "-H 'Authorization: Bearer alice' -H 'Expect:' %s http://127.0.0.1:%u%s",
                       before, mcx_kms_http_port(b->http, 0), bad[i].path);
        const int status = kms_bench_curl(b, words);
        if (status != bad[i].status)
            fail_msg("case %zu: %d, not %d: %s", i, status, bad[i].status, b->said);
    }
    assert_int_equal(mcx_kms_http_look(b->http).served, 0);
}

static void a_source_that_asks_too_often_is_told_to_wait(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    char words[2048];
    kms_bench_listen(b, 0, NULL, NULL);
    kms_bench_request(b, "request", ALICE, KMS_ROOT "/init", now_s());
    (void)snprintf(words, sizeof(words),
                   "-H 'Authorization: Bearer alice' --data-binary @%s/request 'http://127.0.0.1:%u" KMS_ROOT
                   "/init?[1-100]'",
                   b->folder, mcx_kms_http_port(b->http, 0));
    (void)kms_bench_curl(b, words);
    assert_true(mcx_kms_http_look(b->http).limited > 0);
    assert_non_null(strstr(b->said, "HTTP/1.1 503"));
    assert_non_null(strstr(b->said, "Retry-After: 1"));
}

/** A certificate of 127.0.0.1 and its key in the folder. */
static void make_certificate(const kms_bench *b)
{
    char command[512];
    (void)snprintf(command, sizeof(command),
                   "cd '%s' && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj "
                   "/CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null",
                   b->folder);
    assert_int_equal(system(command), 0);
}

static void read_certificate(const kms_bench *b, char **certificate, char **key)
{
    char path[256], why[CONFIG_WHY_MAX];
    (void)snprintf(path, sizeof(path), "%s/cert.pem", b->folder);
    assert_int_equal(config_file_text(certificate, path, why), POC_OK);
    (void)snprintf(path, sizeof(path), "%s/key.pem", b->folder);
    assert_int_equal(config_file_text(key, path, why), POC_OK);
}

static void listen_with_tls(kms_bench *b)
{
    char *certificate = NULL, *key = NULL;
    make_certificate(b);
    read_certificate(b, &certificate, &key);
    kms_bench_listen(b, 0, certificate, key);
    free(certificate);
    free(key);
    kms_bench_request(b, "request", ALICE, KMS_ROOT "/init", now_s());
}

/** Words of curl for the certificate of the KMS over TLS. */
static const char *tls_words(const kms_bench *b, const char *more)
{
    static char words[1024];
    (void)snprintf(
        words, sizeof(words),
        "%s --cacert %s/cert.pem -H 'Authorization: Bearer alice' --data-binary @%s/request https://127.0.0.1:%u" KMS_ROOT
        "/init",
        more, b->folder, b->folder, mcx_kms_http_port(b->http, 0));
    return words;
}

static bool renew(const kms_bench *b)
{
    char *certificate = NULL, *key = NULL;
    bool has_changed = false;
    read_certificate(b, &certificate, &key);
    assert_int_equal(mcx_kms_http_renew(b->http, certificate, key, &has_changed), POC_OK);
    free(certificate);
    free(key);
    return has_changed;
}

/** A connection to the KMS, whose TLS nobody begins; when it stands, the loop has taken it. */
static int hold_connection(kms_bench *b)
{
    const uint64_t before = mcx_kms_http_look(b->http).requests;
    struct sockaddr_storage at;
    int fd;
    assert_int_equal(poc_addr_parse(&at, poc_span_str("127.0.0.1"), mcx_kms_http_port(b->http, 0)), POC_OK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, poc_addr_len((struct sockaddr *)&at)), 0);
    assert_int_equal(kms_bench_curl(b, tls_words(b, "")), 200); /* who came later was served */
    assert_true(mcx_kms_http_look(b->http).requests > before);
    return fd;
}

/* Certificates end; a restart for another one would end everything else. */
static void another_certificate_is_taken_while_it_runs(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    listen_with_tls(b);
    const uint16_t port = mcx_kms_http_port(b->http, 0);
    assert_false(renew(b)); /* it is the one that it has */
    for (int i = 0; i < 3; i++) {
        const int fd = hold_connection(b);
        make_certificate(b);
        kms_bench_run_curl(b, tls_words(b, "")); /* it has the former one yet, which the new one does not vouch for */
        assert_null(strstr(b->said, "HTTP/1.1"));
        assert_true(renew(b));
        assert_int_equal(kms_bench_curl(b, tls_words(b, "")), 200);
        assert_int_equal(mcx_kms_http_port(b->http, 0), port);
        (void)close(fd);
    }
}

static void without_tls_no_certificate_is_taken(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    make_certificate(b);
    kms_bench_listen(b, 0, NULL, NULL);
    assert_false(renew(b));
}

static void with_a_certificate_it_speaks_tls_and_nothing_else(void **state)
{
    kms_bench *b = (kms_bench *)*state;
    listen_with_tls(b);
    assert_int_equal(kms_bench_curl(b, tls_words(b, "")), 200);
    assert_non_null(strstr(b->said, "<KmsInit"));
}

/*= RFC 8996, 2: "TLS 1.0 MUST NOT be used." Nor 1.1. Keys are in the answers. */
static void it_speaks_no_tls_that_is_broken(void **state)
{
    static const char *const broken[] = { "--tlsv1.0 --tls-max 1.1 --ciphers 'ALL:@SECLEVEL=0'",
                                          "--tls-max 1.2 --ciphers AES256-GCM-SHA384" /* RSA without secrecy */ };
    kms_bench *b = (kms_bench *)*state;
    listen_with_tls(b);
    for (size_t i = 0; i < POC_COUNT(broken); i++) {
        kms_bench_run_curl(b, tls_words(b, broken[i]));
        if (strstr(b->said, "HTTP/1.1") != NULL)
            fail_msg("%s is taken", broken[i]);
    }
    assert_int_equal(kms_bench_curl(b, tls_words(b, "--tlsv1.2 --tls-max 1.2")), 200);
    assert_int_equal(kms_bench_curl(b, tls_words(b, "--tlsv1.3")), 200);
}

/* ---- the secrets ---- */

static void refuses_secrets(kms_bench *b, const char *says)
{
    mcx_own_kms *own;
    char why[CONFIG_WHY_MAX];
    assert_int_equal(mcx_own_kms_new(&own, &b->c, why), POC_E_INPUT);
    assert_null(own);
    if (strstr(why, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, says);
}

static void secrets_that_others_can_read_or_that_are_none_are_refused(void **state)
{
    static char other[] = "kms.other.example";
    kms_bench *b = (kms_bench *)*state;
    assert_int_equal(chmod(b->secrets, 0640), 0);
    refuses_secrets(b, "kms.secret: mcx.kms_secrets must be a file that only its owner can read");
    assert_int_equal(chmod(b->secrets, 0600), 0);
    b->c.mcx.kms_uri = other;
    refuses_secrets(b, "this KMS is called \"kms.example.org\", and mcx.kms_uri says \"kms.other.example\"");
    kms_bench_file(b, "kms.secret", "kms_uri a\nz 0", 0600);
    refuses_secrets(b, "are not those of a KMS");
    assert_int_equal(unlink(b->secrets), 0);
    refuses_secrets(b, "kms.secret: mcx.kms_secrets cannot be read: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(curl_gets_the_certificate_and_keys_that_fit_it),
        TEST(keys_of_the_next_period_are_given_and_not_of_those_behind_it),
        TEST(one_token_gets_the_keys_of_the_id_that_the_request_names),
        TEST(nobody_gets_the_keys_of_another),
        TEST(a_request_of_another_time_is_refused),
        TEST(without_a_token_that_holds_there_is_a_challenge_and_nothing_else),
        TEST(what_is_no_request_is_refused_by_its_kind),
        TEST(a_source_that_asks_too_often_is_told_to_wait),
        TEST(with_a_certificate_it_speaks_tls_and_nothing_else),
        TEST(it_speaks_no_tls_that_is_broken),
        TEST(another_certificate_is_taken_while_it_runs),
        TEST(without_tls_no_certificate_is_taken),
        TEST(secrets_that_others_can_read_or_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
