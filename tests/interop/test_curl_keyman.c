/* curl, with a digest that is not ours, as a client of the key management service: it registers and asks for MSKs with
 * --digest, B-TID and MRK being user and password, and each 200 is followed by an MSK message that opens. Arguments: pocpfd,
 * pocpfctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/interop/service.h"
#include "tests/unit/io/mbms_client.h"

enum { PUSH_PORT = 2269 };

static const char *daemon_program, *ctl_program;

typedef struct stage {
    service service;
    mbms_client client; /* bootstraps, and takes what is pushed */
    char said[65536];   /* by curl: body and status */
} stage;

static int set_up(void **state)
{
    stage *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    service_make(&s->service, daemon_program, ctl_program, "", "");
    service_start(&s->service);
    mbms_client_make(&s->client, 0, service_client_host(0), PUSH_PORT, SERVICE_NAF);
    mbms_client_bootstrap(&s->client, SERVICE_HOST, s->service.ub);
    *state = s;
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

/* ---- curl ---- */

/* curl takes user and password from a file: command lines are seen by everybody on the machine. */
static void credentials_write(const stage *s, char path[128], bool right)
{
    uint8_t mrk[32];
    char text[256];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    memcpy(mrk, poc_secret_bytes(s->client.keys.mrk), sizeof(mrk));
    mrk[31] ^= right ? 0 : 1;
    poc_wr_fmt(&wr, "user = \"%s:", s->client.boot.btid);
    poc_base64_put(&wr, poc_span_of(mrk, sizeof(mrk)));
    poc_wr_fmt(&wr, "\"\n");
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    (void)snprintf(path, 128, "%s/curlrc", s->service.folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), 0600), 0);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* The final status. Body and all headers are in s->said. */
static int curl(stage *s, const char *requesttype, const char *type, const char *body, bool right)
{
    char command[2048], path[128];
    credentials_write(s, path, right);
    (void)snprintf(command, sizeof(command),
                   "curl --silent --show-error --digest -K '%s' --interface %s --max-time 60 -i "
                   "-H 'Content-Type: application/mbms-%s+xml' --data-binary '%s' -w '\\nstatus %%{http_code}\\n' "
                   "'http://%s:%u/keymanagement?requesttype=%s' 2>&1",
                   path, service_client_host(0), type, body, SERVICE_HOST, s->service.http, requesttype);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    s->said[fread(s->said, 1, sizeof(s->said) - 1, f)] = '\0';
    (void)pclose(f);
    const char *status = strstr(s->said, "\nstatus ");
    if (status == NULL)
        fail_msg("curl is not here or does not work: %s", s->said);
    return atoi(status + strlen("\nstatus "));
}

static void says(const stage *s, const char *words)
{
    if (strstr(s->said, words) == NULL)
        fail_msg("the answer has no \"%s\": %s", words, s->said);
}

static int curl_registers(stage *s, bool right)
{
    return curl(s, "register", "register",
                "<mbmsSecurityRegister><serviceID>" SERVICE_ID "</serviceID></mbmsSecurityRegister>", right);
}

/* ---- tests ---- */

/* MBMS-4, MBMS-5, MBMS-6, MBMS-7 */
static void curl_registers_with_its_own_digest_and_the_msk_follows(void **state)
{
    stage *s = *state;
    assert_int_equal(curl_registers(s, true), 200);
    says(s, "HTTP/1.1 401");
    says(s, "Authentication-Info");
    says(s, "200 OK");
    mbms_hear(&s->client);
    assert_int_equal(s->client.msk_id, 0x10010001);
    assert_true(s->client.wants_verification);
    mbms_confirm(&s->client, false);
    assert_int_equal(service_ctl(&s->service, "members tunnel"), 0);
    assert_non_null(strstr(s->service.out, "sip:alice@home1.example"));
}

/* MBMS-3, MBMS-6 */
static void curl_asks_for_the_current_msk_and_is_pushed_it_again(void **state)
{
    stage *s = *state;
    uint8_t first[POC_MSK_LEN];
    assert_int_equal(curl_registers(s, true), 200);
    mbms_hear_until(&s->client, 0x10010001);
    memcpy(first, s->client.msk, sizeof(first));
    const uint32_t counter = s->client.counter;
    assert_int_equal(curl(s, "msk-request", "msk",
                          "<mskRequest><MSK><keyDomainID>APEQ</keyDomainID><MSKID>EAEAAA==</MSKID></MSK></mskRequest>",
                          true),
                     200);
    says(s, "200 OK");
    do {
        mbms_hear(&s->client); /* the first may have been sent twice */
    } while (s->client.counter == counter);
    assert_int_equal(s->client.msk_id, 0x10010001);
    assert_memory_equal(s->client.msk, first, sizeof(first));
    assert_true(s->client.counter > counter);
}

/* MBMS-4: no key for who does not know the MRK. */
static void a_wrong_password_is_challenged_again_and_changes_nothing(void **state)
{
    stage *s = *state;
    assert_int_equal(curl_registers(s, false), 401);
    assert_int_equal(service_ctl(&s->service, "members tunnel"), 0);
    assert_null(strstr(s->service.out, "sip:"));
    assert_true(mbms_silent(&s->client));
}

/* MBMS-3 */
static void curl_is_told_what_is_wrong_with_its_request(void **state)
{
    stage *s = *state;
    assert_int_equal(curl(s, "register", "register", "<mbmsSecurityRegister><serviceID>", true), 400);
    assert_int_equal(curl(s, "register", "nonsense", "<a/>", true), 415);
    assert_int_equal(curl(s, "nonsense", "register", "<a/>", true), 400);
    assert_true(mbms_silent(&s->client));
}

static void curl_deregisters_and_is_pushed_nothing_more(void **state)
{
    stage *s = *state;
    assert_int_equal(curl_registers(s, true), 200);
    mbms_hear_until(&s->client, 0x10010001);
    assert_int_equal(curl(s, "deregister", "deregister",
                          "<mbmsSecurityDeregister><serviceID>" SERVICE_ID "</serviceID></mbmsSecurityDeregister>",
                          true),
                     200);
    assert_int_equal(service_ctl(&s->service, "members tunnel"), 0);
    assert_null(strstr(s->service.out, "sip:alice"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(curl_registers_with_its_own_digest_and_the_msk_follows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(curl_asks_for_the_current_msk_and_is_pushed_it_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_password_is_challenged_again_and_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(curl_is_told_what_is_wrong_with_its_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(curl_deregisters_and_is_pushed_nothing_more, set_up, tear_down),
    };
    if (argc != 3)
        return 64;
    daemon_program = argv[1];
    ctl_program = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
