/* pocbench sip, and pocbench rekey --delivery sip: joining and rekeying over SIP with all that the daemon does for it, beside a
 * plain server on Sofia's transaction layer. A crowd of members, and the CF, are a thread on the other core; what is told per
 * core is the CPU time of everything else. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "tests/bench/bench.h"
#include "tests/bench/crowd.h"
#include "tests/bench/sip_crowd.h"
#include "tests/bench/sip_nta.h"
#include "tests/bench/sip_pf.h"

enum { ROUNDS = 5, STEP_MS = 10, PATIENCE_S = 40, LINGER_S = 33 /* of transactions on UDP */ };

typedef struct stage {
    size_t members;
    su_root_t *root;
    sip_crowd *crowd;
    sip_nta *nta;
    sip_pf *pf;
    double pf_octets; /* of the heap, before anybody joined */
    size_t answers;   /* of the crowd when the PF's work is done, at the least */
} stage;

typedef struct effort {
    double cpu_s, elapsed_s;
} effort;

/* ---- clocks ---- */

/* Of this process but for the crowd. */
static double server_cpu_s(const stage *s)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9 - sip_crowd_cpu_s(s->crowd);
}

static double heap_used(void)
{
    const struct mallinfo2 m = mallinfo2();
    return (double)m.uordblks + (double)m.hblkhd;
}

/* Runs the loop until it is done; false when that does not come. */
static bool run_until(const stage *s, bool (*is_done)(const stage *s), effort *out)
{
    const double start_s = crowd_now_s(), cpu_s = server_cpu_s(s);
    while (!is_done(s)) {
        (void)su_root_step(s->root, STEP_MS);
        if (crowd_now_s() - start_s > PATIENCE_S)
            return false;
    }
    *out = (effort){ server_cpu_s(s) - cpu_s, crowd_now_s() - start_s };
    return true;
}

/* ---- the work ---- */

static bool nta_is_done(const stage *s)
{
    return sip_nta_updated(s->nta) == s->members;
}

/* The engine counts its members to answer that: it is not asked before it can be so. */
static bool pf_is_done(const stage *s)
{
    return sip_crowd_look(s->crowd).answers >= s->answers && sip_pf_is_settled(s->pf);
}

static bool nta_join(stage *s, effort *out)
{
    sip_crowd_join(s->crowd, sip_nta_port(s->nta));
    return run_until(s, nta_is_done, out);
}

static bool pf_join(stage *s, effort *out)
{
    s->answers = sip_crowd_look(s->crowd).answers + s->members;
    sip_crowd_join(s->crowd, sip_pf_port(s->pf));
    return run_until(s, pf_is_done, out);
}

static bool nta_storm(stage *s, effort *out)
{
    sip_nta_update(s->nta);
    return run_until(s, nta_is_done, out);
}

/* With it the decision, the sealing, the records and the switch. */
static bool pf_storm(stage *s, effort *out)
{
    s->answers = sip_crowd_look(s->crowd).answers + s->members;
    return sip_pf_rekey(s->pf) && run_until(s, pf_is_done, out);
}

static bool stage_make(stage *s, const bench *b)
{
    s->members = b->members;
    (void)su_init();
    s->root = su_root_create(NULL);
    if (s->root == NULL)
        return false;
    su_root_threading(s->root, 0);
    s->crowd = sip_crowd_new(b->members);
    s->nta = sip_nta_new(s->root, b->members);
    if (s->crowd == NULL || s->nta == NULL)
        return false;
    const double before = heap_used();
    s->pf = sip_pf_new(s->root, s->crowd);
    s->pf_octets = heap_used() - before;
    return s->pf != NULL;
}

static void stage_free(stage *s)
{
    sip_nta_free(s->nta);
    sip_pf_free(s->pf);
    sip_crowd_free(s->crowd);
    if (s->root != NULL)
        su_root_destroy(s->root);
    su_deinit();
}

static int by_cpu(const void *a, const void *b)
{
    const double x = ((const effort *)a)->cpu_s, y = ((const effort *)b)->cpu_s;
    return (x > y) - (x < y);
}

typedef struct way {
    const char *name;
    bool (*run)(stage *s, effort *out);
    effort rounds[ROUNDS], median;
} way;

/* The ways take turns, so that what else the machine does meets all of them. */
static bool measure(stage *s, way *ways, size_t n)
{
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            if (!ways[i].run(s, &ways[i].rounds[round])) {
                fprintf(stderr, "pocbench: %s could not be measured\n", ways[i].name);
                return false;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        qsort(ways[i].rounds, ROUNDS, sizeof(ways[i].rounds[0]), by_cpu);
        ways[i].median = ways[i].rounds[ROUNDS / 2];
    }
    return true;
}

/* ---- pocbench sip ---- */

static bench_figure per_core(const stage *s, const char *name, const effort *e)
{
    return (bench_figure){ name, (double)s->members / e->cpu_s, s->members };
}

static bool report_joins(const bench *b, stage *s)
{
    effort floor_effort, join_effort;
    if (!nta_join(s, &floor_effort) || !pf_join(s, &join_effort)) {
        const sip_crowd_counts c = sip_crowd_look(s->crowd);
        fprintf(stderr, "pocbench: of %zu members %zu came in; %zu answers were refusals\n", s->members, c.joined,
                c.refused);
        return false;
    }
    const bench_figure floor_joins = per_core(s, "floor nta, INVITE and UPDATE", &floor_effort);
    const bench_figure joins = per_core(s, "join: digest, CF leg, MSK", &join_effort);
    return bench_print(b, &floor_joins, "joins/s/core", NULL) && bench_print(b, &joins, "joins/s/core", &floor_joins);
}

static bool report_storm(const bench *b, stage *s)
{
    way ways[] = { { .name = "floor nta, UPDATE to all", .run = nta_storm },
                   { .name = "rekey of all", .run = pf_storm } };
    if (!measure(s, ways, POC_COUNT(ways)))
        return false;
    const bench_figure floor_updates = per_core(s, ways[0].name, &ways[0].median);
    const bench_figure updates = per_core(s, ways[1].name, &ways[1].median);
    return bench_print(b, &floor_updates, "members/s/core", NULL) &&
           bench_print(b, &updates, "members/s/core", &floor_updates);
}

/* What is given back at the end, when no transaction lingers. Ends the stage's servers. */
static void report_memory(const bench *b, stage *s)
{
    const double start_s = crowd_now_s(), n = (double)s->members;
    if (b->seconds < 1) {
        bench_absent(b, "join, memory", "it takes more time than --seconds gives");
        return;
    }
    while (crowd_now_s() - start_s < LINGER_S)
        (void)su_root_step(s->root, STEP_MS);
    const double all = heap_used();
    sip_nta_free(s->nta);
    s->nta = NULL;
    const double without_nta = heap_used();
    sip_pf_free(s->pf);
    s->pf = NULL;
    const bench_value dialog = { "floor nta, memory", "octets/dialog", (all - without_nta) / n, s->members };
    const bench_value member = { "join, memory", "octets/member", (without_nta - heap_used() - s->pf_octets) / n,
                                 s->members };
    if (dialog.value <= 0 || member.value <= 0) {
        bench_absent(b, member.name, "the heap of this build does not say what is in it");
        return;
    }
    bench_say(b, &dialog, NULL);
    bench_say(b, &member, &dialog);
}

static int run_on_stage(const bench *b, bool (*run)(const bench *b, stage *s))
{
    stage s = { .members = 0 };
    bool good = stage_make(&s, b);
    if (!good)
        fputs("pocbench: the members, or servers that take them, could not be made\n", stderr);
    good = good && run(b, &s);
    stage_free(&s);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool sip_run(const bench *b, stage *s)
{
    if (!report_joins(b, s) || !report_storm(b, s))
        return false;
    report_memory(b, s);
    return true;
}

int bench_sip(const bench *b)
{
    return run_on_stage(b, sip_run);
}

/* ---- pocbench rekey --delivery sip ---- */

static void say(const bench *b, const stage *s, const way *w, const way *floor_way)
{
    char time_name[64], cpu_name[64];
    (void)snprintf(time_name, sizeof(time_name), "%s, last confirmation", w->name);
    (void)snprintf(cpu_name, sizeof(cpu_name), "%s, CPU", w->name);
    const double to_us = 1e6 / (double)s->members;
    const bench_value floor_time = { "floor", "ms", 1e3 * floor_way->median.elapsed_s, s->members };
    const bench_value floor_cpu = { "floor", "us/member", to_us * floor_way->median.cpu_s, s->members };
    const bench_value elapsed = { time_name, "ms", 1e3 * w->median.elapsed_s, s->members };
    const bench_value cpu = { cpu_name, "us/member", to_us * w->median.cpu_s, s->members };
    bench_say(b, &elapsed, w == floor_way ? NULL : &floor_time);
    bench_say(b, &cpu, w == floor_way ? NULL : &floor_cpu);
}

static bool rekey_run(const bench *b, stage *s)
{
    way ways[] = { { .name = "floor nta", .run = nta_storm }, { .name = "rekey sip", .run = pf_storm } };
    effort joining;
    if (!nta_join(s, &joining) || !pf_join(s, &joining)) {
        fputs("pocbench: not everybody came in\n", stderr);
        return false;
    }
    const size_t before = sip_crowd_look(s->crowd).opened;
    if (!measure(s, ways, POC_COUNT(ways)))
        return false;
    for (size_t i = 0; i < POC_COUNT(ways); i++)
        say(b, s, &ways[i], &ways[0]);
    const bench_value opened = { "rekey sip, keys opened", "keys", (double)(sip_crowd_look(s->crowd).opened - before),
                                 ROUNDS * s->members };
    bench_say(b, &opened, NULL);
    return true;
}

int bench_rekey_sip(const bench *b)
{
    return run_on_stage(b, rekey_run);
}
