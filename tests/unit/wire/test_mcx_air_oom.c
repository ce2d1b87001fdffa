/* Memory that fails while signalling is protected: nothing leaves in clear, no secret stays behind. */
#include <string.h>

#include "pf/wire/air.h"
#include "tests/support/oom.h"
#include "tests/unit/core/mcx_office.h"

static const uint8_t request[] = { 0x80, 204, 0, 3, 0xa1, 0x1c, 0xe0, 1, 'M', 'C', 'P', 'T', 0, 2, 5, 0 };

static void on_air(void *ctx, bcast_flow flow, const uint8_t *p, size_t n)
{
    (void)ctx;
    assert_int_equal(flow, BCAST_FLOW_FLOOR);
    mcx_srtcp_view view;
    assert_int_equal(mcx_srtcp_look(&view, poc_span_of(p, n)), POC_OK);
    assert_null(memmem(p, n, "MCPT", 4));
}

static poc_err musik_give(wire_mcx_air *a, uint32_t id)
{
    POC_OWNED(poc_secret, key, poc_secret_free);
    bcast_msk musik = { .cs_id = 7, .id = id, .csb_id = id, .rand_len = 16 };
    POC_TRY(poc_secret_random(&key, 16, &poc_rng_system));
    musik.key = key;
    return wire_mcx_air_set_musik(a, 1000000, &musik);
}

static poc_err speak(wire_mcx_air *a)
{
    const poc_span packet = poc_span_of(request, sizeof(request));
    POC_TRY(musik_give(a, 0x60000001));
    POC_TRY(wire_mcx_air_send(a, 1000000, BCAST_FLOW_FLOOR, packet));
    wire_mcx_air_gate(a, 1000000, true);
    POC_TRY(wire_mcx_air_send(a, 1000000, BCAST_FLOW_FLOOR, packet)); /* dropped when it cannot be kept */
    return musik_give(a, 0x60000002);
}

static poc_err be_on_air(void *ctx)
{
    static const char *const groups[] = { "sip:north@mc.example" };
    bcast_channel channel = { .port = { 5000, 5002, 0 }, .groups = groups, .group_count = 1 };
    wire_mcx_air *a;
    (void)ctx;
    POC_TRY(wire_mcx_air_new(&a, &wire_mcx_air_defaults, &channel, (bcast_carrier){ on_air, NULL }, &poc_rng_system));
    const poc_err err = speak(a);
    wire_mcx_air_free(a);
    return err;
}

static void a_channel_is_on_air_under_its_key_or_not_at_all(void **state)
{
    (void)state;
    oom_report report;
    if (!oom_every_allocation(be_on_air, NULL, &report))
        fail_msg("run %zu: %s", report.runs, poc_err_name(report.err));
    assert_true(report.runs > 4);
}

static poc_err client_make(mcx_srtcp **out, const office *o)
{
    pocpf_csk_status status = { .size = sizeof(status) };
    POC_TRY((poc_err)pocpf_csk_look(o->pf, ALICE_IMPU, 0, &status));
    const mcx_srtp_context context = { .csb_id = status.csk_id,
                                       .cs_id = status.cs_id,
                                       .rand = poc_span_of(status.rand, status.rand_len) };
    return mcx_srtcp_new(out, (const poc_secret *)status.key, &context, &mcx_aes128_gcm);
}

static poc_err pass(const office *o, wire_mcx_floor *f)
{
    POC_OWNED(mcx_srtcp, alice, mcx_srtcp_free);
    uint8_t sealed[MCX_SRTCP_MAX], octets[MCX_SRTCP_MAX];
    poc_wr wr = poc_wr_into(sealed, sizeof(sealed)), out = poc_wr_into(octets, sizeof(octets));
    static const uint8_t granted[] = { 0x81, 204, 0, 3, 0x0c, 0xf0, 0, 1, 'M', 'C', 'P', 'T', 1, 2, 0, 30 };
    POC_TRY(client_make(&alice, o));
    POC_TRY(mcx_srtcp_protect(alice, &wr, poc_span_of(request, sizeof(request))));
    POC_TRY(wire_mcx_floor_open(f, o->now_ms + 1000, ALICE_IMPU, &out, poc_span_of(sealed, wr.len)));
    return wire_mcx_floor_seal(f, o->now_ms + 1000, ALICE_IMPU, &out, poc_span_of(granted, sizeof(granted)));
}

static poc_err guard_floor(void *ctx)
{
    const office *o = ctx;
    wire_mcx_floor *f;
    POC_TRY(wire_mcx_floor_new(&f, o->pf, 7));
    const poc_err err = pass(o, f);
    wire_mcx_floor_free(f);
    return err;
}

static void floor_control_passes_under_its_key_or_not_at_all(void **state)
{
    oom_report report;
    office *o = office_new(*state);
    office_boot(o);
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, 0x20000a11), POCPF_OK);
    office_run(o);
    const size_t secrets = poc_secret_live_count();
    if (!oom_every_allocation(guard_floor, o, &report))
        fail_msg("run %zu: %s", report.runs, poc_err_name(report.err));
    assert_true(report.runs > 4);
    assert_int_equal(poc_secret_live_count(), secrets);
    office_free(o);
}

static poc_err carry(void *ctx)
{
    static const char info[] = "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\"><mcptt-Params>"
                               "<mcptt-calling-group-id type=\"Normal\"><mcpttURI>sip:fire@mc</mcpttURI>"
                               "</mcptt-calling-group-id></mcptt-Params></mcpttinfo>";
    static wire_mcx_carried down, up;
    const office *o = ctx;
    const poc_span type = poc_span_str("application/vnd.3gpp.mcptt-info+xml");
    POC_TRY(wire_mcx_carry_down(&down, o->pf, ALICE_IMPU, type, poc_span_str(info), &poc_rng_system));
    assert_null(memmem(down.body, down.len, "sip:fire", 8));
    POC_TRY(wire_mcx_carry_up(&up, o->pf, ALICE_IMPU, type, poc_span_of(down.body, down.len), &poc_rng_system));
    assert_true(poc_span_eq_str(poc_span_of(up.body, up.len), info));
    return POC_OK;
}

static void a_document_is_carried_under_its_key_or_not_at_all(void **state)
{
    oom_report report;
    office *o = office_new(*state);
    office_boot(o);
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, 0x20000a11), POCPF_OK);
    office_run(o);
    if (!oom_every_allocation(carry, o, &report))
        fail_msg("run %zu: %s", report.runs, poc_err_name(report.err));
    assert_true(report.runs > 4);
    office_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_is_on_air_under_its_key_or_not_at_all),
        cmocka_unit_test_setup_teardown(floor_control_passes_under_its_key_or_not_at_all, town_open, town_close),
        cmocka_unit_test_setup_teardown(a_document_is_carried_under_its_key_or_not_at_all, town_open, town_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
