#include "mcx_bench.h"

#include <sofia-sip/su.h>
#include <stdio.h>
#include <string.h>

enum { STEP_MS = 20, DEADLINE_MS = 60000, MONTH_S = 20 * 24 * 3600 };

pair w;
su_root_t *root;
tiny_pf *pf;
tiny_mcx *server;
tiny_mcx_says *says;
tiny_mcx_seen *at;
radio *r;
bool is_vouched_for;
bench_seen seen;

static tiny_mcx *lasting; /* for all tests that have no periods of their own */
static pocue *like;       /* provisioned by it */

static void on_report(void *user, radio *of, const radio_report *report)
{
    (void)user, (void)of;
    seen.count[report->what]++;
    seen.status[report->what] = report->status;
    if (report->what == RADIO_MCX_ANSWERED)
        seen.key_before_answer = seen.ue[POCUE_MCX_KEY];
    if (report->what != RADIO_UE) {
        snprintf(seen.text, sizeof(seen.text), "%s", report->text == NULL ? "" : report->text);
        snprintf(seen.method, sizeof(seen.method), "%s", report->method == NULL ? "" : report->method);
        return;
    }
    seen.ue[report->event->type]++;
    if (report->event->key_id != 0)
        seen.key_id = report->event->key_id;
    seen.by_multicast = report->event->by_multicast;
}

void run_until(const unsigned *counter, unsigned reaches)
{
    int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (*counter < reaches && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_true(*counter >= reaches);
}

void run_until_answered(void)
{
    run_until(&seen.count[RADIO_MCX_ANSWERED], seen.count[RADIO_MCX_ANSWERED] + 1);
}

void run_until_told(void)
{
    run_until(&at->told, at->told + 1);
}

/* ---- world ---- */

static const pocue_mcx_server servers[] = { { TINY_MCX_SERVER, TINY_MCX_KMS } };

radio_mcx_settings settings_of(void)
{
    return (radio_mcx_settings){
        .user = { .mc_id = TINY_MCX_ALICE, .servers = servers, .server_count = 1, .client_id = "urn:uuid:1" },
        .psi = TINY_MCX_PSI,
        .access_token = TINY_MCX_TOKEN,
        .kms_url = tiny_mcx_kms_url(server)
    };
}

void radio_open(const radio_mcx_settings *mcx)
{
    radio_settings settings = { .name = "alice",
                                .address = "127.0.0.1",
                                .pf_uri = tiny_pf_uri(pf),
                                .bsf_url = tiny_pf_bsf_url(pf),
                                .interface = "127.0.0.1",
                                .is_vouched_for = is_vouched_for,
                                .update_allowed = true,
                                .answer_offers = true };
    pair_settings(&settings.ue);
    assert_int_equal(radio_new(&r, root, &settings, on_report, NULL), POC_OK);
    assert_int_equal(radio_mcx_start(r, mcx), POC_OK);
}

void pf_open(const char *transport, bool challenges)
{
    if (pf != NULL)
        tiny_pf_free(pf);
    pf = tiny_pf_new(root, &w, "127.0.0.1", transport);
    tiny_mcx_behind(server, pf, challenges);
}

static int world_open(void)
{
    su_init();
    memset(&seen, 0, sizeof(seen));
    pair_open(&w, NULL);
    w.now_ms = radio_now_ms();
    root = su_root_create(NULL);
    assert_non_null(root);
    su_root_threading(root, 0);
    says = tiny_mcx_say(server);
    at = tiny_mcx_look(server);
    pf = NULL;
    r = NULL;
    pf_open("tcp", false);
    return 0;
}

int begin(void **state)
{
    (void)state;
    server = lasting;
    return world_open();
}

int begin_near_the_end_of_a_period(void **state)
{
    (void)state;
    server = tiny_mcx_new(radio_now_ms(), 1800);
    return world_open();
}

int end(void **state)
{
    (void)state;
    radio_free(r);
    tiny_mcx_forget(server);
    tiny_pf_free(pf);
    if (server != lasting)
        tiny_mcx_free(server);
    su_root_destroy(root);
    pair_close(&w);
    su_deinit();
    return 0;
}

void provision_by_kms(void)
{
    const radio_mcx_settings mcx = settings_of();
    if (r == NULL)
        radio_open(&mcx);
    assert_int_equal(radio_mcx_provision(r), POC_OK);
    run_until(&seen.count[RADIO_MCX_PROVISIONED], 1);
}

void provision(void)
{
    const radio_mcx_settings mcx = settings_of();
    if (r == NULL)
        radio_open(&mcx);
    assert_int_equal(pocue_mcx_provision_like(radio_ue(r), like), POC_OK);
}

int all_open(void **state)
{
    pocue_settings settings;
    const pocue_mcx_settings mcx = { .mc_id = TINY_MCX_ALICE, .servers = servers, .server_count = 1 };
    lasting = tiny_mcx_new(radio_now_ms(), MONTH_S);
    assert_int_equal(begin(state), 0);
    provision_by_kms();
    pair_settings(&settings);
    assert_int_equal(pocue_new(&like, &settings, &poc_rng_system), POC_OK);
    assert_int_equal(pocue_mcx_start(like, &mcx), POC_OK);
    assert_int_equal(pocue_mcx_provision_like(like, radio_ue(r)), POC_OK);
    return end(state);
}

int all_close(void **state)
{
    (void)state;
    pocue_free(like);
    tiny_mcx_free(lasting);
    return poc_secret_live_count() == 0 ? 0 : 1;
}

void bootstrap(void)
{
    assert_int_equal(radio_bootstrap(r), POC_OK);
    run_until(&seen.count[RADIO_BOOTSTRAPPED], 1);
}

void bring_up(radio_mcx_way way)
{
    provision();
    assert_int_equal(radio_mcx_upload(r, way), POC_OK);
    run_until_answered();
    assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
    assert_true(radio_mcx_is_registered(r));
}

uint32_t csk(void)
{
    return pocue_mcx_csk(radio_ue(r), radio_now_ms());
}

size_t held(void)
{
    return pocue_mcx_held(radio_ue(r), NULL, 0);
}

void run_until_refused(uint64_t reaches)
{
    const int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (pocue_mcx_refused(radio_ue(r)) < reaches && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_int_equal(pocue_mcx_refused(radio_ue(r)), reaches);
}
