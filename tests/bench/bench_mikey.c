/* pocbench mikey: one MSK for many members, from secret to datagram; and back, as clients open and a PF confirms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "mikey/seal.h"
#include "pf/io/crew.h"
#include "tests/bench/bench.h"
#include "tests/bench/peers_mikey.h"

#define SLOT  512u /* octets kept for one message of about 190 */
#define SLICE 64u  /* messages that one thread seals at a time, as in the engine */

static const char unit[] = "messages/s/core";
static const char idi[] = "pf1.poc.example.org\x01\x00\x00\x00\x01";
static const char idr[] = "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org";

typedef struct trial {
    size_t members;
    mikey_msk_params params;
    poc_secret *msk, **muks;
    mikey_msk_job *jobs;
    uint8_t *sealed, *answers; /* SLOT octets for each member */
    size_t *answer_lens;
    uint8_t plain[26]; /* key data, for the yardstick */
    evp_mikey *evp[2]; /* fetched per message, prefetched */
    evp_mikey *now;
    mikey_seal_path path;
    crew *crew; /* of as many as seal now */
    uint8_t scratch[SLOT];
} trial;

static bool answers_make(trial *b)
{
    for (size_t i = 0; i < b->members; i++) {
        mikey_msg msg;
        poc_wr wr = poc_wr_into(b->answers + i * SLOT, SLOT);
        if (mikey_decode(&msg, poc_span_of(b->jobs[i].out, b->jobs[i].len), NULL) != POC_OK ||
            mikey_verification_seal(&wr, &msg, b->muks[i]) != POC_OK)
            return false;
        b->answer_lens[i] = wr.len;
    }
    return true;
}

static bool members_make(trial *b)
{
    for (size_t i = 0; i < b->members; i++) {
        if (poc_secret_random(&b->muks[i], POC_MUK_LEN, &poc_rng_system) != POC_OK)
            return false;
        b->jobs[i] = (mikey_msk_job){ .muk = b->muks[i],
                                      .idr = poc_span_of(idr, sizeof(idr) - 1),
                                      .counter = (uint32_t)i + 1,
                                      .out = b->sealed + i * SLOT,
                                      .cap = SLOT };
    }
    return true;
}

static bool trial_make(trial *b, size_t members)
{
    b->members = members;
    b->params = (mikey_msk_params){ .key_domain = { { 0x00, 0xf1, 0x10 } },
                                    .msk_id = 0x10010001,
                                    .rand = { 0xa0, 0xa1, 0xa2 },
                                    .seq_high = 0xffff,
                                    .wants_verification = true,
                                    .idi_type = MIKEY_ID_URI,
                                    .idi = poc_span_of(idi, sizeof(idi) - 1),
                                    .idr_type = MIKEY_ID_NAI };
    const mikey_context context = { 0, poc_span_of(b->params.rand, MIKEY_RAND_LEN) };
    b->muks = calloc(members, sizeof(poc_secret *));
    b->jobs = calloc(members, sizeof(*b->jobs));
    b->sealed = malloc(members * SLOT);
    b->answers = malloc(members * SLOT);
    b->answer_lens = calloc(members, sizeof(*b->answer_lens));
    b->evp[0] = evp_mikey_new(false, context);
    b->evp[1] = evp_mikey_new(true, context);
    if (b->muks == NULL || b->jobs == NULL || b->sealed == NULL || b->answers == NULL || b->answer_lens == NULL ||
        b->evp[0] == NULL || b->evp[1] == NULL || poc_secret_random(&b->msk, POC_MSK_LEN, &poc_rng_system) != POC_OK ||
        !members_make(b))
        return false;
    poc_wr wr = poc_wr_into(b->plain, sizeof(b->plain));
    poc_wr_u32(&wr, 0x00020010);
    poc_wr_span(&wr, poc_secret_span(b->msk));
    poc_wr_put(&wr, "\x02\x00\x00\x02\xff\xff", 6);
    return mikey_msk_seal(&b->params, b->msk, b->jobs, members) == POC_OK && answers_make(b);
}

static size_t seal_all(void *ctx)
{
    trial *b = ctx;
    return mikey_msk_seal(&b->params, b->msk, b->jobs, b->members) == POC_OK ? b->members : 0;
}

static void seal_slice(void *ctx, size_t slice)
{
    trial *b = ctx;
    const size_t first = slice * SLICE, left = b->members - first;
    (void)mikey_msk_seal(&b->params, b->msk, b->jobs + first, left < SLICE ? left : SLICE);
}

static size_t seal_spread(void *ctx)
{
    trial *b = ctx;
    crew_spread(b->crew, seal_slice, b, (b->members + SLICE - 1) / SLICE);
    return b->members;
}

static size_t seal_by_path(void *ctx)
{
    trial *b = ctx;
    return mikey_msk_seal_by(b->path, &b->params, b->msk, b->jobs, b->members) == POC_OK ? b->members : 0;
}

static size_t evp_seal_all(void *ctx)
{
    trial *b = ctx;
    for (size_t i = 0; i < b->members; i++) {
        const mikey_msk_job *job = &b->jobs[i];
        memcpy(b->scratch, job->out, job->len);
        memset(b->scratch + job->len - 47, 0, 47);
        if (!evp_mikey_seal(b->now, b->scratch, job->len, poc_secret_span(b->muks[i]), job->counter,
                            poc_span_of(b->plain, sizeof(b->plain))))
            return 0;
        if (memcmp(b->scratch, job->out, job->len) != 0) /* the yardstick does the same work, or it is none */
            return 0;
    }
    return b->members;
}

static size_t gst_build_all(void *ctx)
{
    trial *b = ctx;
    for (size_t i = 0; i < b->members; i++) {
        if (gst_mikey_build(b->params.rand, b->jobs[i].counter, poc_secret_bytes(b->msk)) == 0)
            return 0;
    }
    return b->members;
}

static size_t open_all(void *ctx)
{
    trial *b = ctx;
    for (size_t i = 0; i < b->members; i++) {
        mikey_msg msg;
        mikey_msk opened;
        if (mikey_decode(&msg, poc_span_of(b->jobs[i].out, b->jobs[i].len), NULL) != POC_OK ||
            mikey_msk_open(&opened, &msg, b->muks[i], NULL) != POC_OK)
            return 0;
        mikey_msk_done(&opened);
    }
    return b->members;
}

static size_t verify_all(void *ctx)
{
    trial *b = ctx;
    for (size_t i = 0; i < b->members; i++) {
        mikey_msg msg;
        const mikey_expected expected = { .counter = b->jobs[i].counter,
                                          .rand = poc_span_of(b->params.rand, MIKEY_RAND_LEN),
                                          .idi = b->params.idi,
                                          .idr = b->jobs[i].idr };
        if (mikey_decode(&msg, poc_span_of(b->answers + i * SLOT, b->answer_lens[i]), NULL) != POC_OK ||
            mikey_verification_check(&msg, &expected, b->muks[i]) != POC_OK)
            return 0;
    }
    return b->members;
}

/* As a PF does with what one system call brought. */
static size_t verify_many(void *ctx)
{
    enum { BATCH = 64 };
    trial *b = ctx;
    size_t good = 0;
    for (size_t first = 0; first < b->members; first += BATCH) {
        mikey_msg msgs[BATCH];
        mikey_verification_job jobs[BATCH];
        const size_t n = b->members - first < BATCH ? b->members - first : BATCH;
        for (size_t i = 0; i < n; i++) {
            const size_t at = first + i;
            if (mikey_decode(&msgs[i], poc_span_of(b->answers + at * SLOT, b->answer_lens[at]), NULL) != POC_OK)
                return 0;
            jobs[i] = (mikey_verification_job){ .verification = &msgs[i],
                                                .muk = b->muks[at],
                                                .expected = { .counter = b->jobs[at].counter,
                                                              .rand = poc_span_of(b->params.rand, MIKEY_RAND_LEN),
                                                              .idi = b->params.idi,
                                                              .idr = b->jobs[at].idr } };
        }
        good += mikey_verification_check_many(jobs, n);
    }
    return good == b->members ? good : 0;
}

static size_t evp_verify_all(void *ctx)
{
    trial *b = ctx;
    for (size_t i = 0; i < b->members; i++) {
        const uint8_t *answer = b->answers + i * SLOT;
        const size_t n = b->answer_lens[i] - POC_SHA1_LEN;
        uint8_t mac[POC_SHA1_LEN];
        poc_wr wr = poc_wr_into(b->scratch, sizeof(b->scratch));
        poc_wr_put(&wr, answer, n);
        poc_wr_span(&wr, b->params.idi);
        poc_wr_span(&wr, b->jobs[i].idr);
        poc_wr_u32(&wr, b->jobs[i].counter);
        if (!evp_mikey_verify(b->evp[1], mac, poc_secret_span(b->muks[i]), poc_span_of(b->scratch, wr.len)) ||
            !poc_equal_ct(mac, answer + n, sizeof(mac)))
            return 0;
    }
    return b->members;
}

/* One octet short: everything is read before that shows. */
static size_t refuse_all(void *ctx)
{
    trial *b = ctx;
    for (size_t i = 0; i < b->members; i++) {
        mikey_msg msg;
        if (mikey_decode(&msg, poc_span_of(b->jobs[i].out, b->jobs[i].len - 1), NULL) != POC_E_INPUT)
            return 0;
    }
    return b->members;
}

/* Every path by name, beside each yardstick of sealing. */
static bool report_paths(const bench *b, trial *t, const bench_figure *const yardsticks[], size_t n)
{
    bool good = true;
    for (t->path = MIKEY_SEAL_PORTABLE; t->path < MIKEY_SEAL_PATHS; t->path++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "mikey seal, %s", mikey_seal_path_name(t->path));
        if (!mikey_seal_path_is_here(t->path)) {
            bench_absent(b, name, "this processor has not the instructions");
            continue;
        }
        const bench_figure seal = bench_measure(b, name, seal_by_path, t);
        for (size_t i = 0; i < n; i++)
            good = good && bench_print(b, &seal, unit, yardsticks[i]);
    }
    return good;
}

/* By the clock on the wall, one processor against all. */
static bool report_crew(const bench *b, trial *t)
{
    static const struct {
        const char *name;
        uint32_t threads;
    } crews[] = { { "mikey seal, one core by the clock", 1 }, { "mikey seal, all cores by the clock", 0 } };
    bench_figure figures[POC_COUNT(crews)];
    for (size_t i = 0; i < POC_COUNT(crews); i++) {
        if (crew_new(&t->crew, crews[i].threads) != POC_OK)
            return false;
        figures[i] = bench_measure_elapsed(b, crews[i].name, seal_spread, t);
        crew_free(t->crew);
    }
    return bench_print(b, &figures[1], "messages/s", &figures[0]);
}

static bool report_all(const bench *b, trial *t)
{
    t->now = t->evp[0];
    const bench_figure fetched = bench_measure(b, "evp seal, fetched per message", evp_seal_all, t);
    t->now = t->evp[1];
    const bench_figure prefetched = bench_measure(b, "evp seal, prefetched", evp_seal_all, t);
    const bench_figure evp_verify = bench_measure(b, "evp verify, prefetched", evp_verify_all, t);
    const bench_figure seal = bench_measure(b, "mikey seal", seal_all, t);
    const bench_figure open = bench_measure(b, "mikey open", open_all, t);
    const bench_figure verify = bench_measure(b, "mikey verify", verify_all, t);
    const bench_figure many = bench_measure(b, "mikey verify, 64 at once", verify_many, t);
    const bench_figure refuse = bench_measure(b, "mikey refuse malformed", refuse_all, t);
    const bench_figure *yardsticks[] = { &prefetched, &fetched, NULL };
    size_t count = 2;
    bench_figure gst = { .name = "gstmikey build, unprotected" };
    if (gst_mikey_available()) {
        gst = bench_measure(b, gst.name, gst_build_all, t);
        yardsticks[count++] = &gst;
    } else {
        bench_absent(b, gst.name, "libgstreamer-plugins-base1.0-dev was not there at build time");
    }
    bool good = true;
    for (size_t i = 0; i < count; i++)
        good = good && bench_print(b, &seal, unit, yardsticks[i]);
    good = good && report_paths(b, t, yardsticks, count) && report_crew(b, t);
    good = good && (count == 2 || bench_print(b, &gst, unit, NULL));
    return good && bench_print(b, &open, unit, &prefetched) && bench_print(b, &verify, unit, &evp_verify) &&
           bench_print(b, &many, unit, &verify) && bench_print(b, &refuse, unit, NULL) &&
           bench_print(b, &fetched, unit, NULL) && bench_print(b, &prefetched, unit, NULL) &&
           bench_print(b, &evp_verify, unit, NULL);
}

int bench_mikey(const bench *b)
{
    trial t = { .members = 0 };
    const bool good = trial_make(&t, b->members) && report_all(b, &t);
    if (!good)
        fprintf(stderr, "pocbench: mikey failed\n");
    for (size_t i = 0; t.muks != NULL && i < t.members; i++)
        poc_secret_free(t.muks[i]);
    poc_secret_free(t.msk);
    for (size_t i = 0; i < 2; i++) {
        if (t.evp[i] != NULL)
            evp_mikey_free(t.evp[i]);
    }
    free(t.muks);
    free(t.jobs);
    free(t.sealed);
    free(t.answers);
    free(t.answer_lens);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
