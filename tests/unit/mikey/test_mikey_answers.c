/* Checking many verification messages at once says of each what checking it alone says, whatever the machine, whoever
 * stands beside it in the batch, and however many are good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "mikey/lanes.h"
#include "tests/support/rng.h"

enum { MOST = 67, ROOM = 1024, KERNELS = 3 };

typedef struct exchange {
    uint8_t asked[ROOM], answer[ROOM];
    mikey_msg msg;
    poc_secret *muk;
} exchange;

static uint8_t text[320], rands[3][MIKEY_RAND_LEN], long_rand[MIKEY_RAND_MAX];

static poc_secret *secret_random(test_rng *r, size_t n)
{
    poc_rng rng = { test_rng_of(r, test_rng_next(r)).fill, r };
    poc_secret *s;
    assert_int_equal(poc_secret_random(&s, n, &rng), POC_OK);
    return s;
}

/* Somebody answers with a MAC over the counter padded to 64 bits. */
static void answer_pad(exchange *e, const mikey_verification_job *job)
{
    const uint32_t counter = job->expected.counter;
    const uint8_t ts64[8] = {
        0, 0, 0, 0, (uint8_t)(counter >> 24), (uint8_t)(counter >> 16), (uint8_t)(counter >> 8), (uint8_t)counter
    };
    const poc_span parts[] = { poc_span_of(e->answer, e->msg.raw.n - POC_SHA1_LEN), job->expected.idi,
                               job->expected.idr, poc_span_of(ts64, sizeof(ts64)) };
    mikey_transport t;
    assert_int_equal(mikey_transport_init(&t, e->muk, (mikey_context){ job->expected.csb_id, job->expected.rand }),
                     POC_OK);
    mikey_transport_mac(e->answer + parts[0].n, &t, parts, POC_COUNT(parts));
    mikey_transport_done(&t);
}

static void message_make(exchange *e, mikey_verification_job *job, test_rng *r)
{
    mikey_msk_params params = { .msk_id = 0x10010000,
                                .csb_id = (uint32_t)test_rng_below(r, 2),
                                .wants_verification = true,
                                .idi_type = MIKEY_ID_URI,
                                .idi = poc_span_of(text, test_rng_below(r, 8) == 0 ? 300 : 24),
                                .idr_type = MIKEY_ID_NAI };
    mikey_msk_job seal = { .muk = e->muk,
                           .idr = poc_span_of(text, test_rng_below(r, POC_BTID_MAX + 1)),
                           .counter = (uint32_t)test_rng_next(r),
                           .out = e->asked,
                           .cap = ROOM };
    memcpy(params.rand, rands[test_rng_below(r, 8) == 0], MIKEY_RAND_LEN);
    assert_int_equal(mikey_msk_seal(&params, NULL, &seal, 1), POC_OK);
    assert_int_equal(mikey_decode(&e->msg, poc_span_of(e->asked, seal.len), NULL), POC_OK);
    *job = (mikey_verification_job){
        .verification = &e->msg,
        .muk = e->muk,
        .err = POC_E_BUG,
        .expected = { .csb_id = params.csb_id, .counter = seal.counter, .idi = params.idi, .idr = seal.idr },
    };
}

static void answer_make(exchange *e, mikey_verification_job *job)
{
    poc_wr wr = poc_wr_into(e->answer, ROOM);
    job->expected.rand = e->msg.rand; /* in e->asked, which stays */
    assert_int_equal(mikey_verification_seal(&wr, &e->msg, e->muk), POC_OK);
    assert_int_equal(mikey_decode(&e->msg, poc_span_of(e->answer, wr.len), NULL), POC_OK);
}

/* Half of them are as they should be. */
static void exchange_make(exchange *e, mikey_verification_job *job, test_rng *r)
{
    e->muk = secret_random(r, POC_MUK_LEN);
    message_make(e, job, r);
    answer_make(e, job);
    switch (test_rng_below(r, 16)) {
    case 0:
        job->expected.counter++;
        break;
    case 1:
        e->answer[e->msg.raw.n - 1 - test_rng_below(r, POC_SHA1_LEN)] ^= 0x10;
        break;
    case 2:
        job->expected.idi.n--;
        break;
    case 3:
        job->expected.rand = poc_span_of(rands[2], MIKEY_RAND_LEN);
        break;
    case 4:
        job->expected.rand = poc_span_of(long_rand, sizeof(long_rand));
        break;
    case 5:
    case 6:
        job->expected.accept_ts64 = test_rng_below(r, 2) != 0;
        answer_pad(e, job);
        break;
    case 7:
        job->expected.csb_id ^= 1;
        break;
    default:
        break;
    }
}

/* POC-6 */
static void many_answers_at_once_get_the_verdicts_they_get_alone(void **state)
{
    static exchange exchanges[MOST];
    const poc_lanes_kernel *const kernels[KERNELS] = { NULL, poc_lanes_sha_ni(), poc_lanes_avx512() };
    test_rng r = { 3 };
    size_t held = 0, all = 0;
    (void)state;
    for (size_t round = 0; round < 2 * MOST; round++) {
        mikey_verification_job jobs[MOST];
        const size_t n = round % MOST + 1;
        size_t good = 0;
        for (size_t i = 0; i < n; i++) {
            exchange_make(&exchanges[i], &jobs[i], &r);
            good += mikey_verification_check(jobs[i].verification, &jobs[i].expected, jobs[i].muk) == POC_OK;
        }
        for (size_t kernel = 0; kernel <= KERNELS; kernel++) {
            assert_int_equal(kernel < KERNELS ? mikey_verification_check_with(kernels[kernel], jobs, n)
                                              : mikey_verification_check_many(jobs, n),
                             good);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(jobs[i].err,
                                 mikey_verification_check(jobs[i].verification, &jobs[i].expected, jobs[i].muk));
                jobs[i].err = POC_E_BUG;
            }
        }
        for (size_t i = 0; i < n; i++)
            poc_secret_free(exchanges[i].muk);
        held += good;
        all += n;
    }
    assert_true(held > all / 3 && held < all);
}

static void an_answer_without_a_key_to_check_it_with_does_not_hold(void **state)
{
    static exchange exchanges[6];
    mikey_verification_job jobs[6];
    test_rng r = { 8 };
    poc_secret *other = secret_random(&r, 48);
    (void)state;
    for (size_t i = 0; i < POC_COUNT(jobs); i++) {
        exchanges[i].muk = secret_random(&r, POC_MUK_LEN);
        message_make(&exchanges[i], &jobs[i], &r);
        answer_make(&exchanges[i], &jobs[i]);
    }
    jobs[2].muk = NULL;
    jobs[4].muk = other;
    assert_int_equal(mikey_verification_check_many(jobs, POC_COUNT(jobs)), 4);
    assert_int_equal(jobs[2].err, POC_E_BUG);
    assert_int_equal(jobs[4].err, POC_E_BUG);
    assert_int_equal(mikey_verification_check_many(NULL, 0), 0);
    for (size_t i = 0; i < POC_COUNT(jobs); i++)
        poc_secret_free(exchanges[i].muk);
    poc_secret_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_answers_at_once_get_the_verdicts_they_get_alone),
        cmocka_unit_test(an_answer_without_a_key_to_check_it_with_does_not_hold),
    };
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)('a' + i % 26);
    memset(rands[1], 0x11, sizeof(rands[1]));
    memset(rands[2], 0x22, sizeof(rands[2]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
