/* A MuSiK from the server to a client, and what is derived from it, with each allocation failing in turn. The keys of the two are
 * made before: there everything was in order. */
#include "tests/support/oom.h"
#include "tests/unit/mcx/mcx_world.h"

#include <string.h>

typedef struct work {
    mcx_world world;
    const mcx_identity *server, *client;
    poc_secret *musik;
} work;

static poc_err seal(const work *w, mcx_seal_job *job)
{
    const mcx_key_parameters parameters = { .type = MCX_MUSIK, .text = poc_span_str("north") };
    const mcx_seal_params params = { .sender = w->server,
                                     .key_id = 0x60000001,
                                     .ntp = UINT64_C(0xed4e0000) << 32,
                                     .ntp_s = 0xed4e0000,
                                     .cs_id = 7,
                                     .algorithms = &mcx_aes128_gcm,
                                     .algorithm_count = 1,
                                     .parameters = &parameters };
    return mcx_i_message_seal(&params, w->musik, &poc_rng_system, job, 1);
}

static poc_err derive(const mcx_opened *o)
{
    POC_OWNED(poc_secret, confidentiality, poc_secret_free);
    POC_OWNED(poc_secret, integrity, poc_secret_free);
    POC_OWNED(poc_secret, master, poc_secret_free);
    const mcx_srtp_context context = { o->csb_id, o->cs_id, poc_span_of(o->rand, o->rand_len) };
    POC_TRY(mcx_srtp_master(&master, o->key, &context, 16));
    return mcx_xml_keys(&confidentiality, &integrity, o->key, o->key_id, poc_span_str("sip:a@example.org"));
}

static poc_err open_and_derive(const work *w, const mcx_seal_job *job)
{
    POC_OWNED(mcx_replay, replay, mcx_replay_free);
    mikey_msg msg;
    mcx_opened opened;
    POC_TRY(mcx_replay_new(&replay, 4, 4, 1));
    const mcx_expected expected = { .now_ntp_s = 0xed4e0000,
                                    .skew_s = 300,
                                    .own = w->client,
                                    .own_count = 1,
                                    .certificates = &w->world.kms,
                                    .certificate_count = 1,
                                    .sender = w->server->uri,
                                    .types = MCX_TYPE_BIT(MCX_MUSIK),
                                    .replay = replay,
                                    .verifier = w->world.verifier };
    POC_TRY(mcx_i_message_read(&msg, poc_span_of(job->out, job->len), NULL));
    const poc_err opening = mcx_i_message_open(&opened, &msg, &expected, NULL);
    if (opening != POC_OK)
        return opening == POC_E_NOMEM && mcx_replay_count(replay) == 0 ? POC_E_NOMEM : POC_E_BUG;
    const poc_err err = poc_secret_eq(opened.key, w->musik) ? derive(&opened) : POC_E_BUG;
    mcx_opened_done(&opened);
    return err;
}

static poc_err download(void *ctx)
{
    const work *w = ctx;
    uint8_t out[MIKEY_MESSAGE_MAX];
    mcx_seal_job job = { .uri = w->client->uri, .kms = &w->world.kms, .out = out, .cap = sizeof(out) };
    POC_TRY(seal(w, &job));
    return open_and_derive(w, &job);
}

static void a_download_survives_any_failing_allocation(void **state)
{
    static work w;
    static const uint8_t key[16] = { 5 };
    oom_report report;
    mcx_world_open(&w.world, *state, "ts33180_own");
    w.server = mcx_world_party(&w.world, poc_span_str("mcx.example.org"));
    w.client = mcx_world_party(&w.world, poc_span_str("sip:alice@mcptt.example.org"));
    assert_int_equal(poc_secret_from(&w.musik, key, sizeof(key)), POC_OK);
    assert_int_equal(download(&w), POC_OK); /* what is made once and kept is made here */
    const bool survived = oom_every_allocation(download, &w, &report);
    print_message("%zu allocations failed in turn\n", report.runs - 1);
    assert_true(survived);
    assert_true(report.runs > 4);
    poc_secret_free(w.musik);
    mcx_world_close(&w.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_download_survives_any_failing_allocation) };
    return cmocka_run_group_tests(tests, mcx_vectors_open, mcx_vectors_close);
}
