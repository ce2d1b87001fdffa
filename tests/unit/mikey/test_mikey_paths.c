/* The ways to seal MSK messages in bulk give the same octets, whatever the machine and however the batch is cut. A way
 * that this machine has not is named and left out. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mikey/seal.h"
#include "tests/support/rng.h"
#include "tests/unit/mikey/allocations.h"
#include "tests/unit/mikey/fixture.h"

enum { MOST = 67, ROOM = 640 };

static bool is_here(mikey_seal_path path)
{
    if (!mikey_seal_path_is_here(path))
        print_message("left out: this machine cannot seal by %s\n", mikey_seal_path_name(path));
    return mikey_seal_path_is_here(path);
}

#define FOR_EACH_PATH(path)                                                           \
    for (mikey_seal_path path = MIKEY_SEAL_PORTABLE; path < MIKEY_SEAL_PATHS; path++) \
        if (is_here(path))

/* POC-6 */
static void every_path_gives_the_vectors_octet_for_octet(void **state)
{
    FOR_EACH_PATH(path)
    {
        for (size_t i = 0; i < MSK_VECTORS; i++) {
            uint8_t out[MIKEY_MESSAGE_MAX];
            msk_vector v;
            msk_vector_init(&v, *state, msk_vector_ids[i]);
            mikey_msk_job job = {
                .muk = v.muk, .idr = vec_span(&v.idr), .counter = v.counter, .out = out, .cap = sizeof(out)
            };
            assert_int_equal(mikey_msk_seal_by(path, &v.params, v.msk, &job, 1), POC_OK);
            assert_int_equal(job.err, POC_OK);
            assert_int_equal(job.len, v.message.n);
            assert_memory_equal(out, v.message.b, v.message.n);
            msk_vector_done(&v);
        }
    }
}

typedef struct batch {
    mikey_msk_params params;
    poc_secret *msk, *muks[MOST];
    uint8_t text[320];
    mikey_msk_job jobs[MOST];
    size_t n;
} batch;

static poc_secret *secret_random(test_rng *r, size_t n)
{
    poc_rng rng = { test_rng_of(r, test_rng_next(r)).fill, r };
    poc_secret *s;
    assert_int_equal(poc_secret_random(&s, n, &rng), POC_OK);
    return s;
}

static void params_random(mikey_msk_params *p, test_rng *r, const uint8_t *text)
{
    *p = (mikey_msk_params){
        .msk_id = test_rng_below(r, 8) == 0 ? 0x10010000 : (uint32_t)test_rng_next(r) | 1,
        .csb_id = (uint32_t)test_rng_next(r),
        .seq_low = (uint16_t)test_rng_next(r),
        .seq_high = (uint16_t)test_rng_next(r),
        .wants_verification = test_rng_below(r, 2) != 0,
        .sdp_ids = test_rng_below(r, 2) != 0,
        .key_type = MIKEY_TGK,
        .idi_type = MIKEY_ID_URI,
        .idi = poc_span_of(text, test_rng_below(r, 200)),
        .idr_type = MIKEY_ID_NAI,
        .srtp_id_map = test_rng_below(r, 2) != 0,
        .ssrc = (uint32_t)test_rng_next(r),
        .roc = (uint32_t)test_rng_next(r),
    };
    for (size_t i = 0; i < MIKEY_RAND_LEN; i++)
        p->rand[i] = (uint8_t)test_rng_next(r);
}

/* One in sixteen has no key, one no MUK but another key, one no room. */
static void job_random(mikey_msk_job *job, test_rng *r, const batch *b, size_t i)
{
    const size_t fate = test_rng_below(r, 16);
    *job = (mikey_msk_job){ .muk = fate == 0   ? NULL
                                   : fate == 1 ? b->msk
                                               : b->muks[i],
                            .idr = poc_span_of(b->text, test_rng_below(r, POC_BTID_MAX + 1)),
                            .counter = (uint32_t)test_rng_next(r),
                            .cap = fate == 2 ? test_rng_below(r, 160) : ROOM };
}

static void batch_init(batch *b, test_rng *r, size_t n)
{
    for (size_t i = 0; i < sizeof(b->text); i++)
        b->text[i] = (uint8_t)test_rng_next(r);
    params_random(&b->params, r, b->text);
    b->msk = secret_random(r, POC_MSK_LEN);
    b->n = n;
    for (size_t i = 0; i < n; i++) {
        b->muks[i] = secret_random(r, POC_MUK_LEN);
        job_random(&b->jobs[i], r, b, i);
    }
}

static void batch_done(batch *b)
{
    poc_secret_free(b->msk);
    for (size_t i = 0; i < b->n; i++)
        poc_secret_free(b->muks[i]);
}

typedef poc_err seal_fn(mikey_seal_path path, const mikey_msk_params *params, const poc_secret *msk,
                        mikey_msk_job *jobs, size_t n);

static poc_err seal_by_choice_of_the_house(mikey_seal_path path, const mikey_msk_params *params, const poc_secret *msk,
                                           mikey_msk_job *jobs, size_t n)
{
    (void)path;
    return mikey_msk_seal(params, msk, jobs, n);
}

static void assert_sealed_as(const batch *want, const batch *b, seal_fn *seal, mikey_seal_path path, poc_err first)
{
    uint8_t out[MOST][ROOM + 1];
    mikey_msk_job jobs[MOST];
    memset(out, 0x5a, sizeof(out));
    for (size_t i = 0; i < b->n; i++) {
        jobs[i] = b->jobs[i];
        jobs[i].out = out[i];
    }
    assert_int_equal(seal(path, &b->params, b->msk, jobs, b->n), first);
    for (size_t i = 0; i < b->n; i++) {
        assert_int_equal(jobs[i].err, want->jobs[i].err);
        assert_int_equal(jobs[i].len, want->jobs[i].len);
        assert_memory_equal(out[i], want->jobs[i].out, jobs[i].len);
        for (size_t at = jobs[i].cap; at < sizeof(out[i]); at++)
            assert_int_equal(out[i][at], 0x5a);
    }
}

static size_t good_jobs(const batch *b)
{
    size_t good = 0;
    for (size_t i = 0; i < b->n; i++)
        good += b->jobs[i].err == POC_OK;
    return good;
}

/* POC-6 */
static void all_paths_agree_on_ten_thousand_jobs_of_mixed_lengths_and_fates(void **state)
{
    static uint8_t out[MOST][ROOM];
    test_rng r = { 16 };
    size_t good = 0, all = 0;
    (void)state;
    for (size_t round = 0; all < 10000; round++) {
        batch b, want;
        batch_init(&b, &r, round % MOST + 1);
        want = b;
        for (size_t i = 0; i < want.n; i++)
            want.jobs[i].out = out[i];
        const poc_err first = mikey_msk_seal_by(MIKEY_SEAL_PORTABLE, &want.params, want.msk, want.jobs, want.n);
        for (mikey_seal_path path = MIKEY_SEAL_PORTABLE; path < MIKEY_SEAL_PATHS; path++) {
            if (mikey_seal_path_is_here(path))
                assert_sealed_as(&want, &b, mikey_msk_seal_by, path, first);
        }
        assert_sealed_as(&want, &b, seal_by_choice_of_the_house, MIKEY_SEAL_PORTABLE, first);
        good += good_jobs(&want);
        all += b.n;
        batch_done(&b);
    }
    assert_true(good > all / 2 && good < all);
}

static void a_job_that_fails_keeps_its_error_in_every_path(void **state)
{
    msk_vector v;
    msk_vector_init(&v, *state, "msk-empty-map");
    FOR_EACH_PATH(path)
    {
        uint8_t out[20][ROOM];
        mikey_msk_job jobs[20];
        for (size_t i = 0; i < POC_COUNT(jobs); i++)
            jobs[i] = (mikey_msk_job){
                .muk = v.muk, .idr = vec_span(&v.idr), .counter = v.counter, .out = out[i], .cap = ROOM
            };
        jobs[3].muk = v.msk;
        jobs[17].cap = v.message.n - 1;
        assert_int_equal(mikey_msk_seal_by(path, &v.params, v.msk, jobs, POC_COUNT(jobs)), POC_E_BUG);
        for (size_t i = 0; i < POC_COUNT(jobs); i++) {
            assert_int_equal(jobs[i].err, i == 3 ? POC_E_BUG : i == 17 ? POC_E_LIMIT : POC_OK);
            assert_int_equal(jobs[i].len, i == 3 || i == 17 ? 0 : v.message.n);
            assert_memory_equal(out[i], v.message.b, jobs[i].len);
        }
        assert_int_equal(mikey_msk_seal_by(path, &v.params, v.muk, jobs, 2), POC_E_BUG); /* no MSK for anybody */
        assert_int_equal(jobs[1].err, POC_E_BUG);
        assert_int_equal(jobs[1].len, 0);
        assert_int_equal(mikey_msk_seal_by(path, &v.params, v.msk, NULL, 0), POC_OK);
    }
    msk_vector_done(&v);
}

static void a_path_that_is_not_here_seals_for_nobody(void **state)
{
    msk_vector v;
    uint8_t out[MIKEY_MESSAGE_MAX] = { 0 };
    msk_vector_init(&v, *state, "msk-empty-map");
    for (mikey_seal_path path = MIKEY_SEAL_PORTABLE; path < MIKEY_SEAL_PATHS; path++) {
        mikey_msk_job job = { .muk = v.muk, .idr = vec_span(&v.idr), .out = out, .cap = sizeof(out), .len = 1 };
        const bool here = mikey_seal_path_is_here(path);
        assert_int_equal(mikey_msk_seal_by(path, &v.params, v.msk, &job, 1), here ? POC_OK : POC_E_BUG);
        assert_int_equal(job.len, here ? v.message.n : 0);
    }
    assert_true(mikey_seal_path_is_here(MIKEY_SEAL_PORTABLE));
    msk_vector_done(&v);
}

typedef struct slice {
    mikey_seal_path path;
    const msk_vector *v;
    mikey_msk_job *jobs;
    size_t n;
} slice;

static void *seal_slice(void *at)
{
    const slice *s = at;
    return mikey_msk_seal_by(s->path, &s->v->params, s->v->msk, s->jobs, s->n) == POC_OK ? at : NULL;
}

static void slices_sealed_on_two_threads_equal_those_of_one_in_every_path(void **state)
{
    enum { MEMBERS = 201, LOW = 77 };
    static uint8_t out[2][MEMBERS][256];
    static mikey_msk_job jobs[2][MEMBERS];
    msk_vector v;
    msk_vector_init(&v, *state, "msk-empty-map");
    FOR_EACH_PATH(path)
    {
        pthread_t other;
        void *done;
        memset(out, 0, sizeof(out));
        for (size_t i = 0; i < 2 * MEMBERS; i++)
            jobs[i / MEMBERS][i % MEMBERS] = (mikey_msk_job){ .muk = v.muk,
                                                              .idr = vec_span(&v.idr),
                                                              .counter = (uint32_t)(i % MEMBERS),
                                                              .out = out[i / MEMBERS][i % MEMBERS],
                                                              .cap = sizeof(out[0][0]) };
        slice whole = { path, &v, jobs[0], MEMBERS }, low = { path, &v, jobs[1], LOW };
        slice high = { path, &v, jobs[1] + LOW, MEMBERS - LOW };
        assert_non_null(seal_slice(&whole));
        assert_int_equal(pthread_create(&other, NULL, seal_slice, &high), 0);
        assert_non_null(seal_slice(&low));
        assert_int_equal(pthread_join(other, &done), 0);
        assert_non_null(done);
        assert_memory_equal(out[0], out[1], sizeof(out[0]));
        assert_int_equal(jobs[1][MEMBERS - 1].len, v.message.n);
    }
    msk_vector_done(&v);
}

static void no_path_allocates(void **state)
{
    static uint8_t out[MOST][ROOM];
    test_rng r = { 7 };
    batch b;
    (void)state;
    batch_init(&b, &r, MOST);
    for (size_t i = 0; i < b.n; i++)
        b.jobs[i].out = out[i];
    /* OpenSSL makes the contexts of this thread once. */
    (void)mikey_msk_seal_by(MIKEY_SEAL_PORTABLE, &b.params, b.msk, b.jobs, b.n);
    FOR_EACH_PATH(path)
    {
        const size_t before = allocations_made();
        (void)mikey_msk_seal_by(path, &b.params, b.msk, b.jobs, b.n);
        assert_int_equal(allocations_made(), before);
    }
    batch_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_gives_the_vectors_octet_for_octet),
        cmocka_unit_test(all_paths_agree_on_ten_thousand_jobs_of_mixed_lengths_and_fates),
        cmocka_unit_test(a_job_that_fails_keeps_its_error_in_every_path),
        cmocka_unit_test(a_path_that_is_not_here_seals_for_nobody),
        cmocka_unit_test(slices_sealed_on_two_threads_equal_those_of_one_in_every_path),
        cmocka_unit_test(no_path_allocates),
    };
    if (!allocations_watch())
        return 1;
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
