#include "tests/unit/io/mcx_kms_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/now.h"

static const char users[] =
    "users = (\n"
    "  { id = \"sip:alice@mc.example\"; impus = [ \"sip:alice@ims.example\" ]; token_sha256 = "
    "\"2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90\"; },\n"
    "  { id = \"sip:bob@mc.example\"; services = [ \"mcptt\" ]; token_sha256 = "
    "\"81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9\"; },\n"
    "  { id = \"sip:bob-video@mc.example\"; services = [ \"mcvideo\" ]; token_sha256 = "
    "\"81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9\"; },\n"
    "  { id = \"" KMS_PSI
    "\"; token_sha256 = \"b3eacd33433b31b5252351032c9b3e7a2e7aa7738d5decdf0dd6c62680853c06\"; },\n"
    "  { id = \"" KMS_MDSI
    "\"; services = [ \"mcvideo\" ]; token_sha256 = \"b3eacd33433b31b5252351032c9b3e7a2e7aa7738d5decdf0dd6c62680853c06\"; "
    "}\n"
    ");\n";

void kms_bench_file(const kms_bench *b, const char *name, const char *text, unsigned mode)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), mode), 0);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void secrets_write(const kms_bench *b)
{
    char text[2048];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    mcx_kms_master master = { .kms_uri = KMS_URI, .period_s = 2592000 };
    assert_int_equal(mcx_kms_secrets(&master.z, &master.ksak, &poc_rng_system), POC_OK);
    assert_int_equal(mcx_kms_master_put(&wr, &master), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    kms_bench_file(b, "kms.secret", text, 0600);
    mcx_kms_master_done(&master);
}

static void config_fill(kms_bench *b)
{
    static char nothing[] = "", uri[] = KMS_URI, path[] = KMS_ROOT;
    b->identities[0] = (char *)(uintptr_t)KMS_PSI;
    b->identities[1] = (char *)(uintptr_t)KMS_MDSI;
    b->c.mcx.psi = b->identities[0];
    b->c.mcx.identities = (config_texts){ b->identities, 2 };
    b->c.mcx.kms = CONFIG_KMS_EMBEDDED;
    b->c.mcx.kms_url = b->c.mcx.kms_token_file = b->c.mcx.kms_ca = nothing;
    b->c.mcx.kms_uri = uri;
    b->c.mcx.kms_path = path;
    b->c.mcx.token_key = b->c.mcx.token_issuer = b->c.mcx.token_audience = nothing;
    b->c.mcx.users = b->users;
    b->c.mcx.kms_secrets = b->secrets;
}

void kms_bench_make(kms_bench *b)
{
    char why[CONFIG_WHY_MAX] = "";
    memset(b, 0, sizeof(*b));
    su_init();
    b->root = su_root_create(NULL);
    assert_non_null(b->root);
    (void)snprintf(b->folder, sizeof(b->folder), "/tmp/pocpf-kms-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    (void)snprintf(b->users, sizeof(b->users), "%s/users.cfg", b->folder);
    (void)snprintf(b->secrets, sizeof(b->secrets), "%s/kms.secret", b->folder);
    (void)snprintf(b->token_file, sizeof(b->token_file), "%s/token", b->folder);
    kms_bench_file(b, "users.cfg", users, 0600);
    secrets_write(b);
    config_fill(b);
    if (mcx_people_new(&b->people, &b->c, why) != POC_OK || mcx_own_kms_new(&b->own, &b->c, why) != POC_OK)
        fail_msg("%s", why);
}

void kms_bench_listen(kms_bench *b, uint16_t port, const char *certificate, const char *key)
{
    http_front_settings settings = { .listen_count = 1,
                                     .tls_certificate = certificate,
                                     .tls_key = key,
                                     .connections_max = 32,
                                     .connections_per_source = 32,
                                     .requests_per_source_s = 20 };
    assert_int_equal(poc_addr_parse(&settings.listen[0], poc_span_str("127.0.0.1"), port), POC_OK);
    assert_int_equal(mcx_kms_http_new(&b->http, b->root, &settings, mcx_own_kms_service(b->own), &b->people), POC_OK);
}

void kms_bench_done(kms_bench *b)
{
    char command[128];
    mcx_kms_http_free(b->http);
    mcx_own_kms_free(b->own);
    mcx_people_free(b->people);
    su_root_destroy(b->root);
    su_deinit();
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", b->folder);
    assert_int_equal(system(command), 0);
}

void kms_bench_turn(kms_bench *b)
{
    (void)su_root_step(b->root, 5);
}

void kms_bench_run_curl(kms_bench *b, const char *words)
{
    char command[4096];
    size_t n = 0;
    (void)snprintf(command, sizeof(command), "curl --silent --show-error --max-time 30 -i %s 2>&1", words);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    assert_int_equal(fcntl(fileno(f), F_SETFL, O_NONBLOCK), 0);
    for (;;) {
        const ssize_t got = read(fileno(f), b->said + n, sizeof(b->said) - 1 - n);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        if (got > 0)
            n += (size_t)got;
        else
            kms_bench_turn(b);
    }
    b->said[n] = '\0';
    (void)pclose(f);
}

int kms_bench_curl(kms_bench *b, const char *words)
{
    int status = 0;
    const char *line = b->said;
    kms_bench_run_curl(b, words);
    if (strncmp(line, "HTTP/1.1 100", 12) == 0 && (line = strstr(line, "\r\n\r\n")) != NULL)
        line += 4;
    if (line == NULL || sscanf(line, "HTTP/1.1 %d", &status) != 1)
        fail_msg("curl is not here or does not work: %s", b->said);
    return status;
}

poc_span kms_bench_body(const kms_bench *b)
{
    const char *body = strstr(b->said, "\r\n\r\n");
    if (body != NULL && strncmp(b->said, "HTTP/1.1 100", 12) == 0)
        body = strstr(body + 4, "\r\n\r\n");
    return poc_span_str(body == NULL ? "" : body + 4);
}

void kms_bench_request(const kms_bench *b, const char *name, const char *user_uri, const char *path, int64_t now_s)
{
    char text[4096], url[512];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", mcx_kms_http_port(b->http, 0), path);
    const mcx_kms_answer asked = { poc_span_str(user_uri), poc_span_str(KMS_URI), poc_span_str(url), now_s };
    assert_int_equal(mcx_kms_request_put(&wr, &asked), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    kms_bench_file(b, name, text, 0600);
}
