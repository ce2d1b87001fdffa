/* Mission critical radios against pocpfd: real HTTP to its KMS and its BSF, real SIP, a real multicast group. The arguments are
 * pocpfd and pocpfctl. Nothing waits for time; the loop runs until what is expected was seen, or the deadline fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sofia-sip/su.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "gba/gba.h"
#include "tests/unit/io/daemon_bench.h"
#include "ue/io/radio.h"

enum { STEP_MS = 20, DEADLINE_MS = 60000, AIR_PORT = 45304 };

#define PSI  "sip:mcptt@pf.example"
#define KMS  "kms.example"
#define BOB  "127.0.1.9" /* behind a core, which vouches for him */
#define TMGI "00000100f110"

typedef struct user {
    const char *name, *impi, *impu, *k, *opc, *token;
    char mc_id[64];
    radio *radio;
    unsigned count[RADIO_UE + 1], ue[POCUE_MCX_MAPPED + 1];
    int status;
    char text[256];
    uint32_t key_id;
} user;

static const char *program, *tool;
static daemon_bench pf;
static char more[4096], group[2][20];
static su_root_t *root;
static int source; /* feeds the floor of south */
static user alice, bob;

/* ---- the daemon ---- */

static void users_write(void)
{
    char path[128];
    const user *const all[] = { &alice, &bob };
    snprintf(path, sizeof(path), "%s/users.cfg", pf.folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f, "users = (");
    for (size_t i = 0; i < POC_COUNT(all); i++) {
        uint8_t digest[POC_SHA256_LEN];
        char hex[2 * sizeof(digest) + 1];
        poc_wr wr = poc_wr_into(hex, sizeof(hex));
        assert_int_equal(poc_sha256(digest, poc_span_str(all[i]->token)), POC_OK);
        poc_hex_put(&wr, poc_span_of(digest, sizeof(digest)));
        assert_int_equal(poc_wr_text(&wr), POC_OK);
        fprintf(f, "%s\n{ id = \"%s\"; impus = [ \"%s\" ]; token_sha256 = \"%s\"; }", i > 0 ? "," : "", all[i]->mc_id,
                all[i]->impu, hex);
    }
    fprintf(f, " );\n");
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}

static void daemon_begin(void)
{
    char command[512];
    daemon_prepare(&pf, program);
    snprintf(command, sizeof(command), "'%s' mcx kms-init --kms-uri " KMS " '%s/kms' > /dev/null", tool, pf.folder);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a program of ours
    users_write();
    for (unsigned i = 0; i < 2; i++) /* of this process: others may test on the same machine */
        snprintf(group[i], sizeof(group[i]), "232.%u.%u.%u", 194 + i, (unsigned)getpid() >> 8 & 255u,
                 (unsigned)getpid() & 255u);
    snprintf(
        more, sizeof(more),
        "mcx = { psi = \"" PSI "\"; kms = \"embedded\"; kms_secrets = \"kms/kms.secret\"; kms_listen = [ "
        "\"127.0.0.1:%u\" ]; users = \"users.cfg\"; requests_per_user_s = 0; "
        "musik = ( { id = \"north\"; address = \"%s\"; port = %d; source "
        "= \"127.0.0.1\"; }, { id = \"south\"; address = \"%s\"; port = %d; source = \"127.0.0.1\"; tmgi = \"" TMGI
        "\"; areas = [ \"0001\" ]; feed = { listen = \"udp:127.0.0.1:0\"; floor_listen = \"udp:127.0.0.1:%u\"; source "
        "= [ \"127.0.0.5\" ]; }; } ); };",
        pf.port[DAEMON_PUSH_PORT], group[0], AIR_PORT, group[1], AIR_PORT, pf.port[DAEMON_HTTP_PORT]);
    pf.more = more;
    daemon_configure(&pf, "trusted_peers = [ \"" BOB "\" ];", "sip_auth = \"digest\";", "", "");
    daemon_start(&pf);
    daemon_comes_to_say(&pf, "/status", "\"keys_until\":\"");
}

/* ---- radios ---- */

static void on_report(void *context, radio *of, const radio_report *report)
{
    user *u = context;
    (void)of;
    u->count[report->what]++;
    if (report->what == RADIO_MCX_ANSWERED)
        u->status = report->status;
    if (report->text != NULL && report->what != RADIO_MCX_TOLD)
        snprintf(u->text, sizeof(u->text), "%s", report->text);
    if (report->what == RADIO_MCX_TOLD && report->status != 200)
        fail_msg("%s of the server: %s", report->method, report->text);
    if (report->what != RADIO_UE)
        return;
    u->ue[report->event->type]++;
    u->key_id = report->event->key_id;
}

static void run_until(const unsigned *counter, unsigned reaches)
{
    const int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (*counter < reaches && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_true(*counter >= reaches);
}

static void expect_answer(user *u, int status)
{
    run_until(&u->count[RADIO_MCX_ANSWERED], u->count[RADIO_MCX_ANSWERED] + 1);
    if (u->status != status)
        fail_msg("%s was answered %d, %s", u->name, u->status, u->text);
}

static void user_open(user *u, const char *address)
{
    char uri[64], ub[64], kms[64];
    const pocue_mcx_server servers[] = { { PSI, KMS } };
    radio_settings s = { .name = u->name,
                         .address = address,
                         .pf_uri = uri,
                         .bsf_url = ub,
                         .interface = "127.0.0.1",
                         .is_vouched_for = u == &bob,
                         .update_allowed = true,
                         .answer_offers = true,
                         .ue = { .impu = u->impu,
                                 .impi = u->impi,
                                 .amf = { 0x80, 0 },
                                 .sqn = 0x20,
                                 .bsf_fqdn = "pf.example",
                                 .naf_fqdn = "pf.example",
                                 .multicast_capable = true,
                                 .msks_per_group = 2 } };
    const radio_mcx_settings mcx = {
        .user = { .mc_id = u->mc_id, .servers = servers, .server_count = 1, .client_id = "urn:uuid:1" },
        .psi = PSI,
        .access_token = u->token,
        .kms_url = kms
    };
    snprintf(uri, sizeof(uri), "sip:127.0.0.1:%u;transport=udp", pf.port[DAEMON_SIP_PORT]);
    snprintf(ub, sizeof(ub), "http://127.0.0.1:%u/", pf.port[DAEMON_UB_PORT]);
    snprintf(kms, sizeof(kms), "http://127.0.0.1:%u", pf.port[DAEMON_PUSH_PORT]);
    memcpy(s.ue.ua_id, gba_ua_id_mbms, sizeof(s.ue.ua_id));
    assert_int_equal(poc_hex_get_exact(s.ue.k, sizeof(s.ue.k), poc_span_str(u->k)), POC_OK);
    assert_int_equal(poc_hex_get_exact(s.ue.opc, sizeof(s.ue.opc), poc_span_str(u->opc)), POC_OK);
    assert_int_equal(radio_new(&u->radio, root, &s, on_report, u), POC_OK);
    assert_int_equal(radio_mcx_start(u->radio, &mcx), POC_OK);
    if (u == &alice) {
        assert_int_equal(radio_bootstrap(u->radio), POC_OK);
        run_until(&u->count[RADIO_BOOTSTRAPPED], 1);
    }
    assert_int_equal(radio_mcx_provision(u->radio), POC_OK);
    run_until(&u->count[RADIO_MCX_PROVISIONED], 1);
}

static int all_open(void **state)
{
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000005) };
    (void)state;
    su_init();
    root = su_root_create(NULL);
    assert_non_null(root);
    su_root_threading(root, 0);
    alice = (user){ .name = "alice",
                    .impi = "alice@home1.example",
                    .impu = "sip:alice@home1.example",
                    .k = "a11ce0a11ce0a11ce0a11ce0a11ce001",
                    .opc = "0c0a11ce0c0a11ce0c0a11ce0c0a11ce",
                    .token = "pass of alice",
                    .mc_id = "sip:alice@mcptt.example" };
    bob = (user){ .name = "bob",
                  .impi = "bob@home2.example",
                  .impu = "sip:bob@home2.example",
                  .k = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b002",
                  .opc = "0c0b0b0b0c0b0b0b0c0b0b0b0c0b0b0b",
                  .token = "pass of bob",
                  .mc_id = "sip:bob@mcptt.example" };
    source = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(source, (struct sockaddr *)&from, sizeof(from)), 0);
    daemon_begin();
    user_open(&alice, "127.0.1.7");
    user_open(&bob, BOB);
    return 0;
}

static int all_close(void **state)
{
    (void)state;
    radio_free(alice.radio);
    radio_free(bob.radio);
    su_root_destroy(root);
    su_deinit();
    daemon_remove(&pf);
    close(source);
    return poc_secret_live_count() == 0 ? 0 : 1;
}

static void forget(user *u)
{
    if (radio_mcx_log_off(u->radio) == POC_OK)
        expect_answer(u, 200);
    memset(u->ue, 0, sizeof(u->ue));
}

/* Nobody is registered any more. */
static int each_close(void **state)
{
    (void)state;
    forget(&alice);
    forget(&bob);
    daemon_comes_to_say(&pf, "/channels/north/members", "\"members\":[]");
    return daemon_counter(&pf, "mcx", "users") == 0 ? 0 : 1;
}

static void comes(user *u, radio_mcx_way way)
{
    assert_int_equal(radio_mcx_upload(u->radio, way), POC_OK);
    expect_answer(u, 200);
    assert_int_not_equal(pocue_mcx_csk(radio_ue(u->radio), radio_now_ms()), 0);
}

static uint32_t musik_of(const user *u)
{
    return pocue_mcx_musik(radio_ue(u->radio), radio_now_ms(), "");
}

static void has_musik(user *u)
{
    const int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (musik_of(u) == 0 && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_int_not_equal(musik_of(u), 0);
}

static void knows_bearer(const user *u, size_t is_listened)
{
    pocue_mcx_bearer bearers[POCUE_MCX_BEARERS_MAX];
    const int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    size_t listened = 0;
    do {
        const size_t n = pocue_mcx_bearers(radio_ue(u->radio), bearers, POC_COUNT(bearers));
        listened = 0;
        for (size_t i = 0; i < n; i++)
            listened += bearers[i].is_listened;
        su_root_step(root, STEP_MS);
    } while (listened < is_listened && radio_now_ms() < deadline_ms);
    assert_true(listened >= is_listened);
}

/* ---- tests ---- */

/* MCX-1, MCX-5, MCX-11, MCX-20, MCX-22 */
static void a_register_with_digest_brings_a_csk_and_a_musik_comes_back(void **state)
{
    (void)state;
    comes(&alice, RADIO_MCX_BY_REGISTER);
    has_musik(&alice);
    assert_int_equal(daemon_counter(&pf, "mcx", "users"), 1);
    assert_int_equal(radio_mcx_refresh(alice.radio), POC_OK);
    expect_answer(&alice, 200);
    assert_true(radio_mcx_is_registered(alice.radio));
}

static void a_publish_with_digest_brings_a_csk_and_is_refreshed_by_its_etag(void **state)
{
    (void)state;
    const int64_t uploads = daemon_counter(&pf, "mcx", "uploads");
    comes(&alice, RADIO_MCX_BY_PUBLISH);
    has_musik(&alice);
    assert_int_equal(radio_mcx_refresh(alice.radio), POC_OK);
    expect_answer(&alice, 200);
    assert_true(radio_mcx_is_registered(alice.radio));
    assert_int_equal(daemon_counter(&pf, "mcx", "uploads"), uploads + 1);
}

static void a_core_brings_the_csk_of_a_user_whom_it_vouches_for(void **state)
{
    (void)state;
    comes(&bob, RADIO_MCX_BY_REGISTER);
    has_musik(&bob);
    forget(&bob);
    comes(&bob, RADIO_MCX_BY_THIRD_PARTY);
    assert_int_equal(daemon_counter(&pf, "mcx", "users"), 1);
}

/* MCX-21: the token is not that of this user. */
static void another_users_token_is_no_authorisation(void **state)
{
    (void)state;
    assert_int_equal(radio_mcx_renew_token(alice.radio, bob.token), POC_OK);
    assert_int_equal(radio_mcx_upload(alice.radio, RADIO_MCX_BY_PUBLISH), POC_OK);
    expect_answer(&alice, 403);
    assert_int_equal(pocue_mcx_held(radio_ue(alice.radio), NULL, 0), 0);
    assert_int_equal(radio_mcx_upload(alice.radio, RADIO_MCX_BY_REGISTER), POC_OK);
    expect_answer(&alice, 200);
    assert_int_equal(pocue_mcx_held(radio_ue(alice.radio), NULL, 0), 0);
    assert_false(radio_mcx_is_registered(alice.radio));
    assert_int_equal(radio_mcx_renew_token(alice.radio, alice.token), POC_OK);
}

static void holds(const user *u, size_t keys)
{
    const int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (pocue_mcx_held(radio_ue(u->radio), NULL, 0) < keys && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_int_equal(pocue_mcx_held(radio_ue(u->radio), NULL, 0), keys);
}

/* MCX-7, MCX-8, MCX-13: whoever reports to hear a bearer is sent the MuSiK of its region, and opens under that what is sent there. */
static void who_hears_a_bearer_is_sent_its_musik_and_opens_its_floor_control(void **state)
{
    (void)state;
    static const uint8_t idle[12] = { 0x85, 0xcc, 0, 2, 0, 0, 0, 9, 'M', 'C', 'P', 'T' };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(pf.port[DAEMON_HTTP_PORT]),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    uint8_t tmgi[POCUE_MCX_TMGI_LEN];
    assert_int_equal(poc_hex_get_exact(tmgi, sizeof(tmgi), poc_span_str(TMGI)), POC_OK);
    comes(&alice, RADIO_MCX_BY_REGISTER);
    has_musik(&alice);
    knows_bearer(&alice, 1);
    assert_int_equal(radio_mcx_report(alice.radio, tmgi, true), POC_OK);
    expect_answer(&alice, 200);
    holds(&alice, 3); /* CSK, north, south */
    daemon_comes_to_say(&pf, "/channels/south", "\"state\":\"active\"");
    assert_int_equal(sendto(source, idle, sizeof(idle), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(idle));
    run_until(&alice.ue[POCUE_FLOOR], 1);
    assert_int_equal(alice.key_id >> 28, MCX_MUSIK);
    assert_int_equal(radio_mcx_report(alice.radio, tmgi, false), POC_OK);
    expect_answer(&alice, 200);
    daemon_comes_to_say(&pf, "/channels/south/members", "\"members\":[]");
}

/* POC-10 for MuSiKs */
static void when_somebody_is_expelled_the_other_one_is_sent_another_musik(void **state)
{
    (void)state;
    comes(&alice, RADIO_MCX_BY_REGISTER);
    comes(&bob, RADIO_MCX_BY_REGISTER);
    has_musik(&alice);
    has_musik(&bob);
    const uint32_t before = musik_of(&alice);
    assert_true(daemon_asks(&pf, "/channels/north/expel", "{\"user\":\"sip:bob@home2.example\"}"));
    const int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (musik_of(&alice) == before && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_int_not_equal(musik_of(&alice), before);
    assert_int_equal(musik_of(&bob), before);
    assert_true(daemon_asks(&pf, "/channels/north/admit", "{\"user\":\"sip:bob@home2.example\"}"));
}

static void after_a_crash_of_the_daemon_the_csk_is_still_good(void **state)
{
    (void)state;
    comes(&alice, RADIO_MCX_BY_REGISTER);
    has_musik(&alice);
    const uint32_t csk = pocue_mcx_csk(radio_ue(alice.radio), radio_now_ms());
    daemon_crash(&pf);
    daemon_start(&pf);
    daemon_comes_to_say(&pf, "/status", "\"keys_until\":\"");
    assert_int_equal(radio_mcx_refresh(alice.radio), POC_OK);
    expect_answer(&alice, 200);
    assert_true(radio_mcx_is_registered(alice.radio));
    assert_int_equal(pocue_mcx_csk(radio_ue(alice.radio), radio_now_ms()), csk);
    assert_int_equal(daemon_counter(&pf, "mcx", "users"), 1);
}

#define T(f) cmocka_unit_test_teardown(f, each_close)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(a_register_with_digest_brings_a_csk_and_a_musik_comes_back),
        T(a_publish_with_digest_brings_a_csk_and_is_refreshed_by_its_etag),
        T(a_core_brings_the_csk_of_a_user_whom_it_vouches_for),
        T(another_users_token_is_no_authorisation),
        T(who_hears_a_bearer_is_sent_its_musik_and_opens_its_floor_control),
        T(when_somebody_is_expelled_the_other_one_is_sent_another_musik),
        T(after_a_crash_of_the_daemon_the_csk_is_still_good),
    };
    if (argc != 3)
        return 64;
    program = argv[1];
    tool = argv[2];
    return cmocka_run_group_tests(tests, all_open, all_close);
}
