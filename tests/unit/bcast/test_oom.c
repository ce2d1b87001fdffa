/* Memory that fails: a channel is set up, talks, is held and rekeyed, with every allocation of ours failing once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bcast/bcast.h"
#include "tests/support/oom.h"

enum { DATAGRAMS_MAX = 32 };

/* A carrier that allocates nothing. */
typedef struct band {
    struct {
        bcast_flow flow;
        size_t n;
        uint8_t b[256];
    } at[DATAGRAMS_MAX];
    size_t count;
} band;

static void record(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n)
{
    band *b = ctx;
    assert_true(b->count < DATAGRAMS_MAX && n <= sizeof(b->at[0].b));
    b->at[b->count].flow = flow;
    b->at[b->count].n = n;
    memcpy(b->at[b->count++].b, datagram, n);
}

static poc_err msk_of(bcast_msk *msk, uint16_t number)
{
    *msk = (bcast_msk){ .id = poc_msk_id_of(0x1001, number), .seq_high = UINT16_MAX, .rand_len = 16 };
    return poc_secret_random(&msk->key, POC_MSK_LEN, &poc_rng_system);
}

static poc_err talk(bcast_protector *p, uint16_t seq)
{
    uint8_t packet[12 + 20] = { 0x80, 98, (uint8_t)(seq >> 8), (uint8_t)seq };
    return bcast_protector_send(p, seq, BCAST_FLOW_RTP, poc_span_of(packet, sizeof(packet)));
}

static poc_err send_all(bcast_protector *p, const bcast_msk *first, const bcast_msk *second)
{
    POC_TRY(bcast_protector_set_msk(p, 0, first));
    POC_TRY(talk(p, 1));
    POC_TRY(bcast_protector_roll_mtk(p, 1, true));
    bcast_protector_gate(p, 1, true);
    POC_TRY(talk(p, 2));
    return bcast_protector_set_msk(p, 2, second);
}

static poc_err hear_all(bcast_receiver *r, const band *b, const bcast_msk *first, const bcast_msk *second)
{
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    POC_TRY(bcast_receiver_add_msk(r, first));
    POC_TRY(bcast_receiver_add_msk(r, second));
    for (size_t i = 0; i < b->count; i++) {
        poc_span datagram = poc_span_of(b->at[i].b, b->at[i].n);
        if (b->at[i].flow != BCAST_FLOW_STKM)
            POC_TRY(bcast_receiver_open(r, b->at[i].flow, datagram, out, &n, &mki));
        else if (bcast_receiver_stkm(r, datagram, &mki) == BCAST_STKM_REFUSED)
            return POC_E_NOMEM; /* an STKM that there was no memory for: its repetition would be taken */
    }
    return POC_OK;
}

static poc_err send_and_hear(void *ctx)
{
    POC_OWNED(bcast_protector, p, bcast_protector_free);
    POC_OWNED(bcast_receiver, r, bcast_receiver_free);
    POC_OWNED(poc_secret, first_key, poc_secret_free);
    POC_OWNED(poc_secret, second_key, poc_secret_free);
    bcast_msk first, second;
    band *b = ctx;
    b->count = 0;
    POC_TRY(msk_of(&first, 1));
    first_key = first.key;
    POC_TRY(msk_of(&second, 2));
    second_key = second.key;
    POC_TRY(bcast_protector_new(&p, &bcast_protector_defaults, (bcast_carrier){ record, b }, &poc_rng_system));
    POC_TRY(bcast_receiver_new(&r, first.key_domain));
    POC_TRY(send_all(p, &first, &second));
    return hear_all(r, b, &first, &second);
}

static void a_channel_bears_every_failed_allocation_and_keeps_no_key(void **state)
{
    (void)state;
    static band b;
    oom_report report;
    bool ok = oom_every_allocation(send_and_hear, &b, &report);
    if (!ok)
        fail_msg("run %zu: %s, %zu secrets left", report.runs, poc_err_name(report.err), report.secrets_left);
    assert_true(report.runs > 10);
}

/* An STKM is taken when it comes again, though memory failed the first time: nothing of it was stored. */
static void an_stkm_that_found_no_memory_is_accepted_when_repeated(void **state)
{
    (void)state;
    static band b;
    bcast_msk first, second;
    bcast_protector *p;
    bcast_receiver *r;
    poc_mki mki;
    assert_int_equal(msk_of(&first, 1), POC_OK);
    assert_int_equal(msk_of(&second, 2), POC_OK);
    assert_int_equal(bcast_protector_new(&p, &bcast_protector_defaults, (bcast_carrier){ record, &b }, &poc_rng_system),
                     POC_OK);
    assert_int_equal(bcast_protector_set_msk(p, 0, &first), POC_OK);
    poc_span stkm = poc_span_of(b.at[0].b, b.at[0].n);
    for (size_t n = 1;; n++) {
        assert_int_equal(bcast_receiver_new(&r, first.key_domain), POC_OK);
        assert_int_equal(bcast_receiver_add_msk(r, &first), POC_OK);
        oom_arm(n);
        bcast_stkm_result result = bcast_receiver_stkm(r, stkm, &mki);
        bool has_failed = oom_disarm();
        assert_int_equal(bcast_receiver_stkm(r, stkm, &mki),
                         result == BCAST_STKM_NEW ? BCAST_STKM_DUPLICATE : BCAST_STKM_NEW);
        bcast_receiver_free(r);
        if (!has_failed)
            break;
    }
    bcast_protector_free(p);
    poc_secret_free(first.key);
    poc_secret_free(second.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_bears_every_failed_allocation_and_keeps_no_key),
        cmocka_unit_test(an_stkm_that_found_no_memory_is_accepted_when_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
