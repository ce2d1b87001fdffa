/* What mission critical clients and others may send to a pocpfd and must not get through with, and what its operator sees of
 * it all. The arguments are pocpfd and pocpfctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/mime.h"
#include "base/text.h"
#include "tests/unit/io/mcx_bench.h"

#define FAILED "136 authentication of the MIKEY-SAKKE I_MESSAGE failed"

/* ---- bad input ---- */

/** The I_MESSAGE in the upload, to be spoilt. */
static uint8_t *i_message_of(mcx_client *c, size_t *n)
{
    poc_parts parts;
    assert_int_equal(poc_parts_read(&parts, poc_span_str(c->content_type), poc_span_of(c->body, c->body_len), NULL),
                     POC_OK);
    const poc_part *key = poc_part_of(&parts, "application/mikey");
    assert_non_null(key);
    *n = key->body.n;
    return c->body + (key->body.p - c->body);
}

static void spoil_version(mcx_client *c)
{
    size_t n;
    i_message_of(c, &n)[0] = 9;
}

static void spoil_purpose(mcx_client *c)
{
    size_t n;
    i_message_of(c, &n)[4] ^= 0xF0; /* CSB ID: of no kind that there is */
}

static void spoil_middle(mcx_client *c)
{
    size_t n;
    uint8_t *m = i_message_of(c, &n);
    m[n / 2] ^= 1; /* in the SAKKE payload: a point off the curve */
}

static void spoil_signature(mcx_client *c)
{
    size_t n;
    uint8_t *m = i_message_of(c, &n);
    m[n - 100] ^= 1;
}

static void spoil_boundary(mcx_client *c)
{
    c->body_len -= 8; /* no closing delimiter */
}

static void spoil_token(mcx_client *c)
{
    (void)snprintf(c->token, sizeof(c->token), "pass of somebody");
    pocue_mcx_uploaded(c->ue, mcx_client_now_ms(), false);
    mcx_client_upload(c, mcx_client_now_ms());
    (void)snprintf(c->token, sizeof(c->token), "pass of alice");
}

static void spoil_time(mcx_client *c)
{
    pocue_mcx_uploaded(c->ue, mcx_client_now_ms(), false);
    mcx_client_upload(c, mcx_client_now_ms() - 400 * 1000);
}

static void spoil_sender(mcx_client *c)
{
    (void)snprintf(c->impu, sizeof(c->impu), "sip:bob@home1.example");
}

static const struct {
    const char *what;
    void (*spoil)(mcx_client *c);
    int status;
    bool is_key; /* the Warning says that the key does not hold */
} spoils[] = {
    { "version", spoil_version, 403, true },    { "purpose", spoil_purpose, 403, true },
    { "point", spoil_middle, 403, true },       { "signature", spoil_signature, 403, true },
    { "boundary", spoil_boundary, 400, false }, { "token", spoil_token, 403, false },
    { "time", spoil_time, 403, true },          { "another's IMPU", spoil_sender, 403, false },
};

/* MCX-17, MCX-19, MCX-20, MCX-21, MCX-28: the protocol's own error, a counter, and no change of state. */
static void what_does_not_hold_is_refused_and_nothing_is_stored(void **state)
{
    mcx_bench *b = *state;
    const int64_t refused = daemon_counter(&b->pf, "mcx", "refused");
    mcx_bench_provision(b, &b->alice);
    for (size_t i = 0; i < POC_COUNT(spoils); i++) {
        mcx_client_upload(&b->alice, mcx_client_now_ms());
        spoils[i].spoil(&b->alice);
        const int status = mcx_bench_ask_with_his(b, &b->alice, "PUBLISH", MCX_SETTINGS);
        const bool is_key = strstr(phone_header(&b->core, "Warning"), FAILED) != NULL;
        if (status != spoils[i].status || is_key != spoils[i].is_key)
            fail_msg("%s: %s", spoils[i].what, b->core.heard);
        pocue_mcx_uploaded(b->alice.ue, mcx_client_now_ms(), false);
        (void)snprintf(b->alice.impu, sizeof(b->alice.impu), MCX_ALICE);
    }
    mcx_bench_assert_empty(b);
    assert_int_equal(daemon_counter(&b->pf, "mcx", "refused"), refused + (int64_t)POC_COUNT(spoils));
    daemon_stop(&b->pf);
    assert_non_null(strstr(b->pf.words, "mcx_refused"));
    assert_null(strstr(b->pf.words, "pass of")); /* not in the log either */
}

/* A REGISTER goes through: whose key does not hold is registered in the core, and not authorised here. */
static void a_register_with_a_key_that_does_not_hold_authorises_nobody(void **state)
{
    mcx_bench *b = *state;
    mcx_bench_provision(b, &b->alice);
    mcx_client_upload(&b->alice, mcx_client_now_ms());
    spoil_signature(&b->alice);
    assert_int_equal(mcx_bench_ask_with_his(b, &b->alice, "REGISTER", ""), 200);
    assert_non_null(strstr(phone_header(&b->core, "Warning"), FAILED));
    mcx_bench_assert_empty(b);
}

/* MCX-19: it was meant for another server. */
static void a_key_for_another_server_is_refused(void **state)
{
    mcx_bench *b = *state;
    mcx_client stray;
    mcx_client_make(&stray, "alice", "sip:other@pf.example", MCX_KMS);
    mcx_bench_provision(b, &stray);
    mcx_client_upload(&stray, mcx_client_now_ms());
    assert_int_equal(mcx_bench_ask_with_his(b, &stray, "PUBLISH", MCX_SETTINGS), 403);
    phone_assert_says(&b->core, FAILED);
    mcx_bench_assert_empty(b);
    mcx_client_done(&stray);
}

static void a_repeated_upload_is_refused_and_the_first_one_stays(void **state)
{
    mcx_bench *b = *state;
    char csk[32];
    mcx_bench_provision(b, &b->alice);
    mcx_bench_upload(b, &b->alice);
    mcx_bench_hear_all(b, &b->alice);
    assert_int_equal(mcx_bench_ask_with_his(b, &b->alice, "PUBLISH", MCX_SETTINGS), 403);
    phone_assert_says(&b->core, FAILED);
    (void)snprintf(csk, sizeof(csk), "\"csk_id\":\"%08x\"", (unsigned)b->alice.csk_id);
    assert_true(daemon_asks(&b->pf, "/mcx/users", NULL));
    assert_non_null(strstr(b->pf.admin, csk));
}

/* As often as it takes, since seconds may begin meanwhile. */
static void who_asks_more_often_than_he_may_is_told_to_come_again(void **state)
{
    mcx_bench *b = *state;
    mcx_client carol = { .ue = NULL, .impu = "sip:carol@home1.example" };
    int status = 200;
    while (status == 200)
        status = mcx_bench_ask(b, &carol, "REGISTER", "", NULL, 0);
    assert_int_equal(status, 503);
    phone_assert_header(&b->core, "Retry-After", "5");
    phone_assert_says(&b->core, "a user asks for more than his share");
    mcx_bench_assert_empty(b);
}

/* ---- the operator ---- */

static void run_tool(mcx_bench *b, const char *words, char *out, size_t cap)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "'%s' -s '%s' %s 2>&1", mcx_bench_tool(), b->pf.socket, words);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    out[fread(out, 1, cap - 1, f)] = '\0';
    if (pclose(f) != 0)
        fail_msg("%s: %s", words, out);
}

static void the_operator_sees_users_and_logs_them_off(void **state)
{
    mcx_bench *b = *state;
    char out[8192], csk[32];
    mcx_bench_come(b, &b->alice);
    (void)snprintf(csk, sizeof(csk), "%08x", (unsigned)b->alice.csk_id);
    run_tool(b, "mcx users", out, sizeof(out));
    assert_non_null(strstr(out, "USER"));
    assert_non_null(strstr(out, MCX_ALICE));
    assert_non_null(strstr(out, csk));
    run_tool(b, "--json mcx users", out, sizeof(out));
    assert_memory_equal(out, "{\"users\":[{\"user\":\"" MCX_ALICE "\"",
                        strlen("{\"users\":[{\"user\":\"" MCX_ALICE "\""));
    run_tool(b, "status", out, sizeof(out));
    assert_non_null(strstr(out, "uploads"));
    run_tool(b, "members north", out, sizeof(out));
    assert_non_null(strstr(out, MCX_ALICE));
    run_tool(b, "mcx log-off " MCX_ALICE, out, sizeof(out));
    assert_string_equal(out, MCX_ALICE " is logged off\n");
    mcx_bench_assert_empty(b);
    assert_false(daemon_asks(&b->pf, "/mcx/log-off", "{\"user\":\"" MCX_ALICE "\"}"));
    assert_non_null(strstr(b->pf.admin, "is not registered"));
}

/* ---- bad days ---- */

static void path_in(const mcx_bench *b, char path[160], const char *name)
{
    (void)snprintf(path, 160, "%s/%s", b->pf.folder, name);
}

static void rename_in(const mcx_bench *b, const char *from, const char *to)
{
    char old[160], new[160];
    path_in(b, old, from);
    path_in(b, new, to);
    assert_int_equal(rename(old, new), 0);
}

static void write_in(const mcx_bench *b, const char *name, const char *text)
{
    char path[160];
    path_in(b, path, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void reload_is_refused(mcx_bench *b, const char *says)
{
    assert_false(daemon_asks(&b->pf, "/reload", ""));
    if (strstr(b->pf.admin, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", b->pf.admin, says);
}

/* Whatever is wrong with one of the files: all stays as it was, for who is here and for who comes. */
static void a_reload_with_a_broken_file_changes_nothing(void **state)
{
    mcx_bench *b = *state;
    char path[160];
    mcx_bench_come(b, &b->alice);
    rename_in(b, "users.cfg", "users.good");
    reload_is_refused(b, "users.cfg: cannot be read");
    write_in(b, "users.cfg", "users = ( { id = \"sip:alice@mcptt.example\"; token = 1; } );\n");
    reload_is_refused(b, "users.cfg:1: users.token is not known");
    rename_in(b, "users.good", "users.cfg");
    path_in(b, path, "kms/kms.secret");
    assert_int_equal(chmod(path, 0644), 0);
    reload_is_refused(b, "mcx.kms_secrets must be a file that only its owner can read");
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(daemon_asks(&b->pf, "/mcx/users", NULL));
    assert_non_null(strstr(b->pf.admin, MCX_ALICE));
    mcx_bench_come(b, &b->bob);
    assert_int_equal(mcx_bench_ask(b, &b->alice, "REGISTER", "Expires: 3600\r\n", NULL, 0), 200);
    phone_assert_header(&b->core, "Warning", "");
    assert_true(daemon_asks(&b->pf, "/reload", ""));
}

static void files_may_grow(const mcx_bench *b, bool may)
{
    struct rlimit limit;
    assert_int_equal(prlimit(b->pf.pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = may ? limit.rlim_max : 0;
    assert_int_equal(prlimit(b->pf.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* MCX-19: what cannot be made durable is acknowledged to nobody; and when there is room again it is as if nothing had been. */
static void a_full_disk_takes_no_csk_and_loses_none(void **state)
{
    mcx_bench *b = *state;
    mcx_bench_come(b, &b->alice);
    mcx_bench_provision(b, &b->bob);
    files_may_grow(b, false);
    mcx_client_upload(&b->bob, mcx_client_now_ms());
    assert_int_equal(mcx_bench_ask_with_his(b, &b->bob, "REGISTER", "Expires: 3600\r\n"), 503);
    assert_true(phone_header(&b->core, "Retry-After")[0] != '\0');
    pocue_mcx_uploaded(b->bob.ue, mcx_client_now_ms(), false);
    assert_true(daemon_counter(&b->pf, "store", "failures") > 0);
    assert_int_equal(daemon_counter(&b->pf, "mcx", "users"), 1);
    files_may_grow(b, true);
    mcx_bench_come(b, &b->bob);
    assert_int_equal(daemon_counter(&b->pf, "mcx", "users"), 2);
    mcx_bench_crash(b);
    assert_int_equal(daemon_counter(&b->pf, "mcx", "users"), 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_does_not_hold_is_refused_and_nothing_is_stored, mcx_bench_again),
        cmocka_unit_test_setup(a_register_with_a_key_that_does_not_hold_authorises_nobody, mcx_bench_again),
        cmocka_unit_test_setup(a_key_for_another_server_is_refused, mcx_bench_again),
        cmocka_unit_test_setup(a_repeated_upload_is_refused_and_the_first_one_stays, mcx_bench_again),
        cmocka_unit_test_setup(who_asks_more_often_than_he_may_is_told_to_come_again, mcx_bench_again),
        cmocka_unit_test_setup(the_operator_sees_users_and_logs_them_off, mcx_bench_again),
        cmocka_unit_test_setup(a_reload_with_a_broken_file_changes_nothing, mcx_bench_again),
        cmocka_unit_test_setup(a_full_disk_takes_no_csk_and_loses_none, mcx_bench_again),
    };
    if (!mcx_bench_programs(argc, argv))
        return 64;
    return cmocka_run_group_tests(tests, mcx_bench_open, mcx_bench_close);
}
