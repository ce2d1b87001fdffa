/* SAKKE: the published values, the field against OpenSSL's, both kernels against each other, and what is refused. */
#include <openssl/bn.h>
#include <string.h>

#include "mcx/sakke.h"
#include "tests/support/rng.h"
#include "tests/unit/mcx/mcx_vectors.h"

static const sakke_kernel *kernels[2];
static size_t kernel_count;

static poc_rng seeded(uint64_t seed)
{
    static test_rng r;
    return test_rng_of(&r, seed);
}

/* ---- the field ---- */

static BIGNUM *number_of(const fp *a)
{
    uint8_t octets[FP_LEN];
    fp_write(octets, a);
    return BN_bin2bn(octets, sizeof(octets), NULL);
}

static void assert_number(const BIGNUM *want, const fp *have)
{
    BIGNUM *n = number_of(have);
    assert_int_equal(BN_cmp(want, n), 0);
    BN_free(n);
}

/* Any number below R, now and then one at the edges. */
static void draw(fp *out, const poc_rng *rng, const fp_mod *mod, size_t round)
{
    assert_int_equal(rng->fill(rng->ctx, out, sizeof(*out)), POC_OK);
    if (round % 16 == 1)
        memset(out, 0, sizeof(*out));
    if (round % 16 == 2) {
        *out = mod->m;
        out->w[0] -= 1;
    }
    if (round % 16 == 3) {
        memset(out, 0, sizeof(*out));
        out->w[round / 16 % FP_WORDS] = UINT64_MAX;
    }
    static const fp zero;
    fp_add(out, out, &zero, mod); /* below the modulus for p; q leaves more than one copy */
    if (fp_below(out, &mod->m) == 0) {
        fp_enter(out, out, mod);
        fp_leave(out, out, mod);
    }
}

static void field_matches(const fp_mod *mod, uint64_t seed)
{
    const poc_rng rng = seeded(seed);
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *m = number_of(&mod->m), *r = BN_new(), *want = BN_new();
    assert_int_equal(BN_lshift(r, BN_value_one(), 1024), 1);
    assert_non_null(BN_mod_inverse(r, r, m, ctx));
    for (size_t round = 0; round < 400; round++) {
        fp a, b, have;
        draw(&a, &rng, mod, round);
        draw(&b, &rng, mod, round / 3);
        BIGNUM *x = number_of(&a), *y = number_of(&b);
        fp_mul(&have, &a, &b, mod);
        assert_int_equal(BN_mod_mul(want, x, y, m, ctx) & BN_mod_mul(want, want, r, m, ctx), 1);
        assert_number(want, &have);
        fp_mul_sum(&have, &a, &b, &a, &b, mod);
        assert_int_equal(BN_mod_add(want, want, want, m, ctx), 1);
        assert_number(want, &have);
        fp_mul_sum(&have, &a, &b, &b, &b, mod);
        assert_int_equal(
            BN_mod_add(want, x, y, m, ctx) & BN_mod_mul(want, want, y, m, ctx) & BN_mod_mul(want, want, r, m, ctx), 1);
        assert_number(want, &have);
        fp_add(&have, &a, &b, mod);
        assert_int_equal(BN_mod_add(want, x, y, m, ctx), 1);
        assert_number(want, &have);
        fp_sub(&have, &a, &b, mod);
        assert_int_equal(BN_mod_sub(want, x, y, m, ctx), 1);
        assert_number(want, &have);
        if (round % 40 == 0 && fp_zero(&a) == 0) {
            fp_enter(&have, &a, mod);
            fp_inv(&have, &have, mod);
            fp_leave(&have, &have, mod);
            assert_non_null(BN_mod_inverse(want, x, m, ctx));
            assert_number(want, &have);
        }
        BN_free(x);
        BN_free(y);
    }
    BN_free(m);
    BN_free(r);
    BN_free(want);
    BN_CTX_free(ctx);
}

static void field_computes_what_openssl_computes(void **state)
{
    (void)state;
    field_matches(&sakke_p, 1024);
    field_matches(&sakke_q, 1022);
}

static void constants_are_the_published_ones(void **state)
{
    const json_t *set = json_object_get(*state, "sakke_parameter_set_1");
    const struct {
        const char *name;
        const fp *value;
        bool is_plain;
    } rows[] = { { "p", &sakke_p.m, true },
                 { "q", &sakke_q.m, true },
                 { "Px", &sakke_px, false },
                 { "Py", &sakke_py, false },
                 { "g", &sakke_g, false } };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        const vec_bytes want = vec_hex(set, rows[i].name);
        uint8_t octets[FP_LEN];
        fp value = *rows[i].value;
        if (!rows[i].is_plain)
            fp_leave(&value, &value, &sakke_p);
        fp_write(octets, &value);
        assert_int_equal(want.n, FP_LEN);
        assert_memory_equal(octets, want.b, FP_LEN);
    }
}

static void edwards_constants_meet_their_definitions(void **state)
{
    (void)state;
    static const fp zero;
    fp square, sum = zero;
    fp_mul(&square, &sakke_sigma, &sakke_sigma, &sakke_p);
    for (size_t i = 0; i < 3; i++)
        fp_add(&sum, &sum, &sakke_p.one, &sakke_p);
    fp_add(&sum, &sum, &square, &sakke_p); /* sigma^2 + 3 */
    assert_true(fp_zero(&sum) != 0);
    fp_mul(&square, &square, &sakke_sigma, &sakke_p);
    fp_add(&square, &square, &square, &sakke_p);
    fp_mul(&sum, &sakke_omega, &sakke_omega, &sakke_p);
    fp_add(&sum, &sum, &square, &sakke_p); /* omega^2 + 2 sigma^3 */
    assert_true(fp_zero(&sum) != 0);
}

static void digits_add_up_to_their_scalar(void **state)
{
    (void)state;
    const poc_rng rng = seeded(6);
    for (size_t round = 0; round < 64; round++) {
        fp scalar, sum = { { 0 } }, part;
        sakke_digits digits;
        draw(&scalar, &rng, &sakke_q, round);
        sakke_digits_of(&digits, &scalar);
        for (size_t row = SAKKE_ROWS; row-- > 0;) {
            for (size_t i = 0; i < SAKKE_WINDOW; i++)
                fp_add(&sum, &sum, &sum, &sakke_q);
            const int d = digits.d[row];
            assert_in_range(d + 63, 0, 127);
            part = (fp){ { (uint64_t)(d < 0 ? -d : d) } };
            if (d < 0)
                fp_sub(&sum, &sum, &part, &sakke_q);
            else
                fp_add(&sum, &sum, &part, &sakke_q);
        }
        assert_true(fp_same(&sum, &scalar) != 0);
    }
}

/* ---- RFC 6508 Appendix A and the room's own KMS, for each kernel ---- */

typedef struct party {
    mcx_sakke *kms;
    mcx_receiver *receiver;
    vec_bytes id, ssv, sed;
} party;

static void point_of(uint8_t out[MCX_SAKKE_POINT_LEN], const json_t *object, const char *x, const char *y)
{
    const vec_bytes bx = vec_hex(object, x), by = vec_hex(object, y);
    assert_int_equal(bx.n, FP_LEN);
    assert_int_equal(by.n, FP_LEN);
    out[0] = 4;
    memcpy(out + 1, bx.b, FP_LEN);
    memcpy(out + 1 + FP_LEN, by.b, FP_LEN);
}

static void party_make(party *a, const json_t *rfc, const sakke_kernel *kernel)
{
    uint8_t z[MCX_SAKKE_POINT_LEN], rsk_octets[MCX_SAKKE_POINT_LEN];
    poc_secret *rsk;
    point_of(z, rfc, "Zx", "Zy");
    point_of(rsk_octets, rfc, "RSKx", "RSKy");
    a->id = vec_hex(rfc, "identifier");
    a->ssv = vec_hex(rfc, "SSV");
    a->sed = vec_hex(rfc, "encapsulated_data");
    assert_int_equal(mcx_sakke_new_with(&a->kms, kernel, z), POC_OK);
    assert_int_equal(poc_secret_from(&rsk, rsk_octets, sizeof(rsk_octets)), POC_OK);
    assert_int_equal(mcx_receiver_new(&a->receiver, vec_span(&a->id), a->kms, rsk), POC_OK);
    poc_secret_free(rsk);
}

/* Made once for each kernel: tables take their time. */
static party parties[2];

static void party_begin(party *a, void **state, const sakke_kernel *kernel)
{
    party *made = &parties[kernel != &sakke_kernel_portable];
    if (made->kms == NULL)
        party_make(made, json_object_get(*state, "rfc6508"), kernel);
    *a = *made;
}

static void party_end(party *a)
{
    (void)a;
    assert_int_equal(poc_secret_live_count(), 0);
}

static int parties_done(void **state)
{
    for (size_t i = 0; i < POC_COUNT(parties); i++) {
        mcx_receiver_free(parties[i].receiver);
        mcx_sakke_free(parties[i].kms);
    }
    return mcx_vectors_close(state);
}

static void rfc_6508_encapsulated_data_comes_out(void **state)
{
    for (size_t i = 0; i < kernel_count; i++) {
        party a;
        uint8_t sed[MCX_SED_MAX];
        poc_secret *ssv = mcx_secret(json_object_get(*state, "rfc6508"), "SSV");
        party_begin(&a, state, kernels[i]);
        mcx_sakke_job job = { .id = vec_span(&a.id), .sed = sed, .cap = sizeof(sed) };
        assert_int_equal(mcx_sakke_encapsulate(a.kms, ssv, &job, 1), POC_OK);
        assert_int_equal(job.err, POC_OK);
        assert_int_equal(job.len, a.sed.n);
        assert_memory_equal(sed, a.sed.b, a.sed.n);
        poc_secret_free(ssv);
        party_end(&a);
    }
}

static poc_err open_one(const party *a, poc_span sed)
{
    mcx_open_job job = { .sed = sed };
    assert_int_equal(mcx_receiver_open(a->receiver, &job, 1), POC_OK);
    assert_true((job.err == POC_OK) == (job.ssv != NULL));
    if (job.err == POC_OK)
        assert_memory_equal(poc_secret_bytes(job.ssv), a->ssv.b, a->ssv.n);
    poc_secret_free(job.ssv);
    return job.err;
}

static void rfc_6508_encapsulated_data_opens(void **state)
{
    for (size_t i = 0; i < kernel_count; i++) {
        party a;
        party_begin(&a, state, kernels[i]);
        assert_int_equal(open_one(&a, vec_span(&a.sed)), POC_OK);
        party_end(&a);
    }
}

/* ---- kernels against each other ---- */

enum { MANY = 70 }; /* more than a batch */

typedef struct crowd {
    uint8_t ids[MANY][32], sed[MANY][MCX_SED_MAX];
    mcx_sakke_job jobs[MANY];
} crowd;

static void crowd_seal(crowd *c, const mcx_sakke *kms, const poc_secret *ssv, size_t n)
{
    const poc_rng rng = seeded(33180);
    memset(c->sed, 0, sizeof(c->sed));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rng.fill(rng.ctx, c->ids[i], sizeof(c->ids[i])), POC_OK);
        c->jobs[i] =
            (mcx_sakke_job){ .id = poc_span_of(c->ids[i], sizeof(c->ids[i])), .sed = c->sed[i], .cap = MCX_SED_MAX };
    }
    assert_int_equal(mcx_sakke_encapsulate(kms, ssv, c->jobs, n), POC_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(c->jobs[i].err, POC_OK);
}

static void kernels_make_the_same_octets_of_any_number_of_jobs(void **state)
{
    static crowd one, other;
    party a, b;
    const poc_rng rng = seeded(9);
    if (kernel_count < 2)
        skip();
    party_begin(&a, state, kernels[0]);
    party_begin(&b, state, kernels[1]);
    static const size_t counts[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, MANY };
    for (size_t i = 0; i < POC_COUNT(counts); i++) {
        poc_secret *ssv;
        assert_int_equal(poc_secret_random(&ssv, i % 2 == 0 ? 16 : 32, &rng), POC_OK);
        crowd_seal(&one, a.kms, ssv, counts[i]);
        crowd_seal(&other, b.kms, ssv, counts[i]);
        assert_memory_equal(one.sed, other.sed, sizeof(one.sed));
        poc_secret_free(ssv);
    }
    party_end(&a);
    party_end(&b);
}

static void a_job_alone_gives_what_it_gives_among_others(void **state)
{
    static crowd many, alone;
    const poc_rng rng = seeded(17);
    for (size_t k = 0; k < kernel_count; k++) {
        party a;
        poc_secret *ssv;
        party_begin(&a, state, kernels[k]);
        assert_int_equal(poc_secret_random(&ssv, 16, &rng), POC_OK);
        crowd_seal(&many, a.kms, ssv, MANY);
        crowd_seal(&alone, a.kms, ssv, 1); /* the same identities and places */
        for (size_t i = 0; i < MANY; i++) {
            alone.jobs[0] = many.jobs[i];
            alone.jobs[0].sed = alone.sed[i];
            assert_int_equal(mcx_sakke_encapsulate(a.kms, ssv, alone.jobs, 1), POC_OK);
        }
        assert_memory_equal(alone.sed, many.sed, sizeof(many.sed));
        poc_secret_free(ssv);
        party_end(&a);
    }
}

static void any_key_opens_alone_and_among_others(void **state)
{
    enum { SOME = 16 };
    const poc_rng rng = seeded(18);
    for (size_t k = 0; k < kernel_count; k++) {
        party a;
        uint8_t sed[SOME][MCX_SED_MAX];
        mcx_open_job jobs[SOME], alone;
        poc_secret *ssv[SOME];
        party_begin(&a, state, kernels[k]);
        for (size_t i = 0; i < SOME; i++) {
            mcx_sakke_job seal = { .id = vec_span(&a.id), .sed = sed[i], .cap = MCX_SED_MAX };
            assert_int_equal(poc_secret_random(&ssv[i], 32, &rng), POC_OK);
            assert_int_equal(mcx_sakke_encapsulate(a.kms, ssv[i], &seal, 1), POC_OK);
            jobs[i] = (mcx_open_job){ .sed = poc_span_of(sed[i], seal.len) };
        }
        assert_int_equal(mcx_receiver_open(a.receiver, jobs, SOME), POC_OK);
        for (size_t i = 0; i < SOME; i++) {
            alone = jobs[i];
            assert_int_equal(mcx_receiver_open(a.receiver, &alone, 1), POC_OK);
            assert_int_equal(jobs[i].err | alone.err, POC_OK);
            assert_true(poc_secret_eq(jobs[i].ssv, ssv[i]) && poc_secret_eq(alone.ssv, ssv[i]));
            poc_secret_free(jobs[i].ssv);
            poc_secret_free(alone.ssv);
            poc_secret_free(ssv[i]);
        }
        party_end(&a);
    }
}

static void a_batch_opens_what_is_good_and_refuses_the_rest_job_by_job(void **state)
{
    for (size_t k = 0; k < kernel_count; k++) {
        party a;
        static mcx_open_job jobs[MANY];
        vec_bytes bad, cut;
        party_begin(&a, state, kernels[k]);
        bad = cut = a.sed;
        bad.b[bad.n - 1] ^= 1;
        cut.n--;
        for (size_t i = 0; i < MANY; i++)
            jobs[i] = (mcx_open_job){ .sed = vec_span(i % 3 == 0 ? &a.sed : i % 3 == 1 ? &bad : &cut) };
        assert_int_equal(mcx_receiver_open(a.receiver, jobs, MANY), POC_OK);
        for (size_t i = 0; i < MANY; i++) {
            assert_int_equal(jobs[i].err, i % 3 == 0 ? POC_OK : i % 3 == 1 ? POC_E_AUTH : POC_E_INPUT);
            assert_true((i % 3 == 0) == (jobs[i].ssv != NULL));
            poc_secret_free(jobs[i].ssv);
        }
        party_end(&a);
    }
}

/* ---- what is refused ---- */

static void wrong_test_of_any_kind_opens_nothing(void **state)
{
    party a;
    party_begin(&a, state, sakke_kernel_best());
    vec_bytes sed = a.sed;
    sed.b[sed.n - 1] ^= 1;
    assert_int_equal(open_one(&a, vec_span(&sed)), POC_E_AUTH);
    sed = a.sed;
    point_of(sed.b, json_object_get(*state, "rfc6508"), "Zx", "Zy"); /* a good point, but not R */
    assert_int_equal(open_one(&a, vec_span(&sed)), POC_E_AUTH);
    party_end(&a);
}

/* (0, 0) is of order 2; x = sigma makes one of order 4 (y^2 = 2 sigma^3, or its negative). */
static void points_of_small_order_are_refused(void **state)
{
    party a;
    mcx_sakke *kms;
    uint8_t z[MCX_SAKKE_POINT_LEN] = { 4 };
    party_begin(&a, state, sakke_kernel_best());
    vec_bytes sed = a.sed;
    memset(sed.b + 1, 0, 2 * FP_LEN);
    assert_int_equal(open_one(&a, vec_span(&sed)), POC_E_AUTH);
    assert_int_equal(mcx_sakke_new(&kms, z), POC_E_INPUT);
    assert_null(kms);
    /* omega^2 = -2 sigma^3: (-sigma)^3 - 3 (-sigma) = -2 sigma^3 makes (-sigma, omega) a point of order 4. */
    static const fp zero;
    fp x, y;
    fp_sub(&x, &zero, &sakke_sigma, &sakke_p);
    fp_leave(&x, &x, &sakke_p);
    fp_leave(&y, &sakke_omega, &sakke_p);
    sakke_point_write(z, &x, &y);
    assert_int_equal(mcx_sakke_new(&kms, z), POC_E_INPUT);
    memcpy(sed.b, z, sizeof(z));
    assert_int_equal(open_one(&a, vec_span(&sed)), POC_E_AUTH);
    party_end(&a);
}

static void points_off_the_curve_or_written_otherwise_are_malformed(void **state)
{
    party a;
    party_begin(&a, state, sakke_kernel_best());
    for (size_t i = 0; i < MCX_SAKKE_POINT_LEN; i += 16) {
        vec_bytes sed = a.sed;
        sed.b[i] ^= 1;
        assert_int_equal(open_one(&a, vec_span(&sed)), POC_E_INPUT);
    }
    for (size_t n = 0; n <= a.sed.n + 16; n++) {
        const poc_err err = n == a.sed.n ? POC_OK : n == MCX_SED_LEN(32) ? POC_E_AUTH : POC_E_INPUT;
        if (n % 16 == 1 || n % 16 == 0)
            assert_int_equal(open_one(&a, poc_span_of(a.sed.b, n)), err);
    }
    party_end(&a);
}

/* x + p is the same number, which fits only when x is small: here x = 0. */
static void coordinates_of_p_or_more_are_malformed(void **state)
{
    party a;
    party_begin(&a, state, sakke_kernel_best());
    vec_bytes sed = a.sed;
    memset(sed.b + 1, 0, 2 * FP_LEN);
    fp_write(sed.b + 1, &sakke_p.m);
    assert_int_equal(open_one(&a, vec_span(&sed)), POC_E_INPUT);
    memset(sed.b + 1, 0xff, 2 * FP_LEN);
    assert_int_equal(open_one(&a, vec_span(&sed)), POC_E_INPUT);
    party_end(&a);
}

static void key_of_somebody_else_makes_no_receiver(void **state)
{
    party a;
    mcx_receiver *r;
    poc_secret *rsk;
    uint8_t octets[MCX_SAKKE_POINT_LEN];
    party_begin(&a, state, sakke_kernel_best());
    point_of(octets, json_object_get(*state, "rfc6508"), "RSKx", "RSKy");
    assert_int_equal(poc_secret_from(&rsk, octets, sizeof(octets)), POC_OK);
    a.id.b[0] ^= 1;
    assert_int_equal(mcx_receiver_new(&r, vec_span(&a.id), a.kms, rsk), POC_E_AUTH);
    a.id.b[0] ^= 1;
    assert_int_equal(mcx_receiver_new(&r, poc_span_of(a.id.b, 0), a.kms, rsk), POC_E_LIMIT);
    poc_secret_edit(rsk)[200] ^= 1;
    assert_int_equal(mcx_receiver_new(&r, vec_span(&a.id), a.kms, rsk), POC_E_INPUT);
    assert_null(r);
    poc_secret_free(rsk);
    party_end(&a);
}

static void a_job_that_cannot_be_done_does_not_hold_up_others(void **state)
{
    party a;
    uint8_t sed[3][MCX_SED_MAX], long_id[MCX_ID_MAX + 1] = { 0 };
    poc_secret *ssv = mcx_secret(json_object_get(*state, "rfc6508"), "SSV"), *odd;
    party_begin(&a, state, sakke_kernel_best());
    mcx_sakke_job jobs[] = { { .id = vec_span(&a.id), .sed = sed[0], .cap = MCX_SED_LEN(16) - 1 },
                             { .id = poc_span_of(long_id, sizeof(long_id)), .sed = sed[1], .cap = MCX_SED_MAX },
                             { .id = vec_span(&a.id), .sed = sed[2], .cap = MCX_SED_LEN(16) } };
    assert_int_equal(mcx_sakke_encapsulate(a.kms, ssv, jobs, 3), POC_OK);
    assert_int_equal(jobs[0].err, POC_E_LIMIT);
    assert_int_equal(jobs[1].err, POC_E_LIMIT);
    assert_int_equal(jobs[2].err, POC_OK);
    assert_memory_equal(sed[2], a.sed.b, a.sed.n);
    assert_int_equal(poc_secret_new(&odd, 24), POC_OK);
    assert_int_equal(mcx_sakke_encapsulate(a.kms, odd, jobs, 3), POC_E_LIMIT);
    poc_secret_free(odd);
    poc_secret_free(ssv);
    party_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(field_computes_what_openssl_computes),
        cmocka_unit_test(constants_are_the_published_ones),
        cmocka_unit_test(edwards_constants_meet_their_definitions),
        cmocka_unit_test(digits_add_up_to_their_scalar),
        cmocka_unit_test(rfc_6508_encapsulated_data_comes_out),
        cmocka_unit_test(rfc_6508_encapsulated_data_opens),
        cmocka_unit_test(kernels_make_the_same_octets_of_any_number_of_jobs),
        cmocka_unit_test(a_job_alone_gives_what_it_gives_among_others),
        cmocka_unit_test(any_key_opens_alone_and_among_others),
        cmocka_unit_test(a_batch_opens_what_is_good_and_refuses_the_rest_job_by_job),
        cmocka_unit_test(wrong_test_of_any_kind_opens_nothing),
        cmocka_unit_test(points_of_small_order_are_refused),
        cmocka_unit_test(points_off_the_curve_or_written_otherwise_are_malformed),
        cmocka_unit_test(coordinates_of_p_or_more_are_malformed),
        cmocka_unit_test(key_of_somebody_else_makes_no_receiver),
        cmocka_unit_test(a_job_that_cannot_be_done_does_not_hold_up_others),
    };
    kernels[kernel_count++] = &sakke_kernel_portable;
    if (sakke_kernel_ifma() != NULL)
        kernels[kernel_count++] = sakke_kernel_ifma();
    return cmocka_run_group_tests(tests, mcx_vectors_open, parties_done);
}
