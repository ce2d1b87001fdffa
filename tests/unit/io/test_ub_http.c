/* Ub over HTTP with a foreign client: the curl program fetches, the UE's side of gba computes the headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/now.h"
#include "pf/io/ub_http.h"
#include "pf/io/zn_embedded.h"

#define IMPI "alice@home1.example"
#define BSF  "bsf.home1.example"

extern char **environ;

static const uint8_t key[16] = { 1, 2, 3 }, opc[16] = { 4, 5, 6 }, amf[2] = { 0x80, 0 };

typedef struct bench {
    su_root_t *root;
    gba_bsf *bsf;
    ub_http *ub;
    gba_usim usim;
    gba_ub_client *client;
    char answer[16384]; /* of the last fetch, with headers */
} bench;

static int set_up(void **state)
{
    bench *b = (bench *)calloc(1, sizeof(*b));
    gba_subscriber s = {
        .impi = poc_span_str(IMPI), .sqn = 32, .impus = { poc_span_str("sip:alice@home1.example") }, .impu_count = 1
    };
    memcpy(s.k, key, 16);
    memcpy(s.opc, opc, 16);
    memcpy(s.amf, amf, 2);
    su_init();
    b->root = su_root_create(NULL);
    assert_int_equal(gba_bsf_new(&b->bsf, poc_span_str(BSF), 3600, &poc_rng_system), POC_OK);
    assert_int_equal(gba_bsf_add(b->bsf, &s), POC_OK);
    ub_http_settings settings = { .connections_max = 4, .connections_per_source = 3 };
    assert_int_equal(poc_addr_parse(&settings.listen, poc_span_str("127.0.0.1"), 0), POC_OK);
    assert_int_equal(ub_http_new(&b->ub, b->root, &settings, b->bsf), POC_OK);
    assert_int_equal(gba_usim_init(&b->usim, key, opc, 32, amf), POC_OK);
    assert_int_equal(gba_ub_client_new(&b->client, poc_span_str(IMPI), poc_span_str(BSF), &b->usim, &poc_rng_system),
                     POC_OK);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = (bench *)*state;
    gba_ub_client_free(b->client);
    gba_usim_done(&b->usim);
    ub_http_free(b->ub);
    gba_bsf_free(b->bsf);
    su_root_destroy(b->root);
    su_deinit();
    free(b);
    return 0;
}

/** Turns the loop until the other end closes; the status code of what it wrote, 0 for nothing. */
static int read_answer(bench *b, int fd)
{
    size_t n = 0;
    memset(b->answer, 0, sizeof(b->answer));
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    for (;;) {
        ssize_t got = read(fd, b->answer + n, sizeof(b->answer) - 1 - n);
        if (got == 0)
            break;
        if (got > 0)
            n += (size_t)got;
        else
            (void)su_root_step(b->root, 5);
    }
    (void)close(fd);
    const char *space = strchr(b->answer, ' ');
    return space == NULL ? 0 : atoi(space + 1);
}

/** Runs curl with up to three more arguments. */
static int fetch(bench *b, const char *path, const char *one, const char *two, const char *three)
{
    char url[128];
    int fds[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", ub_http_port(b->ub), path);
    char *argv[] = { (char *)"curl",
                     (char *)"-sSi",
                     (char *)"--noproxy",
                     (char *)"*",
                     (char *)"--max-time",
                     (char *)"20",
                     url,
                     (char *)(uintptr_t)one,
                     (char *)(uintptr_t)two,
                     (char *)(uintptr_t)three,
                     NULL };
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    assert_int_equal(posix_spawnp(&pid, "curl", &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fds[1]);
    int status = read_answer(b, fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return status;
}

/** A header of the last answer, or the empty span. */
static poc_span header_of(const bench *b, const char *name)
{
    const char *at = strcasestr(b->answer, name);
    if (at == NULL)
        return poc_span_str("");
    at += strlen(name);
    return poc_trim(poc_span_of(at, strcspn(at, "\r\n")));
}

static poc_span body_of(const bench *b)
{
    const char *at = strstr(b->answer, "\r\n\r\n");
    return poc_span_str(at == NULL ? "" : at + 4);
}

static gba_ub_next exchange(bench *b, int wanted, gba_bootstrap *out)
{
    char header[GBA_HEADER_MAX + 32] = "Authorization: ";
    gba_ub_next next;
    poc_wr wr = poc_wr_into(header + 15, GBA_HEADER_MAX);
    assert_int_equal(gba_ub_client_request(b->client, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    int status = fetch(b, "/", "-H", header, NULL);
    assert_int_equal(status, wanted);
    assert_int_equal(gba_ub_client_answer(b->client, status, header_of(b, "WWW-Authenticate: "),
                                          header_of(b, "Authentication-Info: "), body_of(b), &next, out),
                     POC_OK);
    return next;
}

/* POC-2, POC-5: the whole bootstrap over HTTP, and both ends hold the same key. */
static void a_foreign_client_bootstraps(void **state)
{
    bench *b = (bench *)*state;
    gba_bootstrap got = { 0 };
    gba_zn_answer answer;
    poc_secret *own;
    gba_naf_id naf;
    assert_int_equal(exchange(b, 401, &got), GBA_UB_AGAIN);
    assert_int_equal(exchange(b, 200, &got), GBA_UB_DONE);
    assert_true(poc_span_eq_str(header_of(b, "Content-Type: "), "application/vnd.3gpp.bsf+xml"));
    assert_int_equal(gba_naf_id_make(&naf, poc_span_str("pf.example"), gba_ua_id_mbms), POC_OK);
    poc_span naf_id = poc_span_of(naf.b, naf.n);
    assert_int_equal(gba_bsf_zn(b->bsf, io_now_ms() / 1000, poc_span_str(got.btid), naf_id, &answer), POC_OK);
    assert_int_equal(gba_ks_naf(&own, GBA_KS_NAF, got.ks, got.rand, poc_span_str(IMPI), naf_id), POC_OK);
    assert_true(poc_secret_eq(answer.me_key, own));
    poc_secret_free(own);
    gba_zn_answer_done(&answer);
    gba_bootstrap_done(&got);
}

static void other_paths_and_methods_are_not_served(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(fetch(b, "/other", NULL, NULL, NULL), 404);
    assert_int_equal(fetch(b, "/", "-X", "DELETE", NULL), 405);
    assert_true(poc_span_eq_str(header_of(b, "Allow: "), "GET"));
    assert_int_equal(fetch(b, "/", "--data", "x=1", NULL), 405);
}

static void a_body_is_read_past(void **state)
{
    bench *b = (bench *)*state;
    gba_bootstrap got = { 0 };
    int without = fetch(b, "/", NULL, NULL, NULL);
    assert_int_equal(fetch(b, "/", "-XGET", "--data", "a body that nobody wants"), without);
    assert_int_equal(exchange(b, 401, &got), GBA_UB_AGAIN);
}

static void garbage_is_answered_without_a_key_and_without_an_end(void **state)
{
    bench *b = (bench *)*state;
    gba_bootstrap got = { 0 };
    assert_int_not_equal(fetch(b, "/", "-H", "Authorization: Digest username=\"", NULL), 200);
    assert_int_not_equal(fetch(b, "/", "-H", "Authorization: Basic YTpi", NULL), 200);
    assert_int_not_equal(fetch(b, "/", "-H",
                               "Authorization: Digest username=\"mallory@home1.example\", realm=\"" BSF
                               "\", nonce=\"\", uri=\"/\", response=\"\"",
                               NULL),
                         200);
    assert_int_equal(exchange(b, 401, &got), GBA_UB_AGAIN);
}

static int connect_raw(bench *b)
{
    struct sockaddr_storage to;
    assert_int_equal(poc_addr_parse(&to, poc_span_str("127.0.0.1"), ub_http_port(b->ub)), POC_OK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), 0);
    return fd;
}

static void headers_are_bounded(void **state)
{
    bench *b = (bench *)*state;
    static char request[65536];
    int n = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    memset(request + n, 'a', sizeof(request) - (size_t)n);
    int fd = connect_raw(b);
    assert_true(send(fd, request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
    for (int i = 0; i < 50; i++)
        (void)su_root_step(b->root, 1);
    char word[13] = "";
    (void)recv(fd, word, 12, MSG_DONTWAIT);
    assert_true(word[0] == '\0' || strstr(word, " 431") != NULL || strstr(word, " 413") != NULL ||
                strstr(word, " 414") != NULL);
    (void)close(fd);
    gba_bootstrap got = { 0 };
    assert_int_equal(exchange(b, 401, &got), GBA_UB_AGAIN);
}

static void idle_connections_of_one_source_are_bounded(void **state)
{
    bench *b = (bench *)*state;
    int fd[4];
    for (int i = 0; i < 4; i++) {
        fd[i] = connect_raw(b);
        for (int turn = 0; turn < 5; turn++)
            (void)su_root_step(b->root, 1);
    }
    char octet;
    assert_int_equal(read_answer(b, fd[3]), 0);                 /* the fourth is closed without an answer */
    assert_int_equal(recv(fd[0], &octet, 1, MSG_DONTWAIT), -1); /* the first is still open */
    for (int i = 0; i < 3; i++)
        (void)close(fd[i]);
    gba_bootstrap got = { 0 };
    assert_int_equal(exchange(b, 401, &got), GBA_UB_AGAIN);
}

/* ---- Zn inside the process ---- */

typedef struct asked {
    int answers;
    poc_err err;
    bool has_answer;
} asked;

static void on_zn(void *user, poc_err err, const gba_zn_answer *answer)
{
    asked *a = (asked *)user;
    a->answers++;
    a->err = err;
    a->has_answer = answer != NULL && answer->me_key != NULL;
}

static void zn_answers_from_the_loop_and_not_to_who_is_gone(void **state)
{
    bench *b = (bench *)*state;
    gba_bootstrap got = { 0 };
    asked first = { 0 }, gone = { 0 }, stranger = { 0 };
    size_t before = poc_secret_live_count();
    zn *z;
    assert_int_equal(exchange(b, 401, &got), GBA_UB_AGAIN);
    assert_int_equal(exchange(b, 200, &got), GBA_UB_DONE);
    assert_int_equal(zn_embedded_new(&z, b->root, b->bsf), POC_OK);
    poc_span naf = poc_span_str("pf.example\x01"), btid = poc_span_str(got.btid);
    assert_int_equal(z->ops->ask(z, btid, naf, on_zn, &first), POC_OK);
    assert_int_equal(z->ops->ask(z, btid, naf, on_zn, &gone), POC_OK);
    assert_int_equal(z->ops->ask(z, poc_span_str("nobody@" BSF), naf, on_zn, &stranger), POC_OK);
    assert_int_equal(first.answers, 0);
    z->ops->cancel(z, &gone);
    while (stranger.answers == 0)
        (void)su_root_step(b->root, 100);
    assert_int_equal(first.answers, 1);
    assert_int_equal(first.err, POC_OK);
    assert_true(first.has_answer);
    assert_int_equal(gone.answers, 0);
    assert_int_equal(stranger.err, POC_E_AUTH);
    assert_false(stranger.has_answer);
    assert_int_equal(z->ops->ask(z, btid, naf, on_zn, &gone), POC_OK);
    z->ops->free(z); /* with an answer on its way */
    gba_bootstrap_done(&got);
    assert_true(poc_secret_live_count() <= before + 1); /* what the BSF keeps for this B-TID */
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(a_foreign_client_bootstraps),
        WITH_BENCH(other_paths_and_methods_are_not_served),
        WITH_BENCH(a_body_is_read_past),
        WITH_BENCH(garbage_is_answered_without_a_key_and_without_an_end),
        WITH_BENCH(headers_are_bounded),
        WITH_BENCH(idle_connections_of_one_source_are_bounded),
        WITH_BENCH(zn_answers_from_the_loop_and_not_to_who_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
