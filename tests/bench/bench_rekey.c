/* pocbench rekey --delivery push (sip: bench_sip.c): a new MSK for everybody, from the decision to the last confirmation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/bench/bench.h"
#include "tests/bench/rekey.h"

enum { ROUNDS = 5 };

typedef struct way {
    const char *name;
    bool (*run)(rekey_times *out, const rekey_stage *s);
    rekey_times rounds[ROUNDS], median;
} way;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof(values[0]), by_value);
    return values[ROUNDS / 2];
}

static void way_sum_up(way *w)
{
    double out[ROUNDS], confirmed[ROUNDS];
    w->median.confirmed = SIZE_MAX;
    for (size_t i = 0; i < ROUNDS; i++) {
        out[i] = w->rounds[i].last_out_s;
        confirmed[i] = w->rounds[i].last_confirmed_s;
        if (w->rounds[i].confirmed < w->median.confirmed)
            w->median.confirmed = w->rounds[i].confirmed; /* of losses the worst round tells */
    }
    w->median.last_out_s = median(out);
    w->median.last_confirmed_s = median(confirmed);
}

/* The ways take turns, so that what else the machine does meets all of them. */
static bool measure(way *ways, size_t n, const rekey_stage *s)
{
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            if (!ways[i].run(&ways[i].rounds[round], s)) {
                fprintf(stderr, "pocbench: %s could not be measured\n", ways[i].name);
                return false;
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        way_sum_up(&ways[i]);
    return true;
}

static void say(const bench *b, const way *w, const char *what, bench_value v, const bench_value *against)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s, %s", w->name, what);
    v.name = name;
    bench_say(b, &v, against);
}

static void report(const bench *b, const way *w, const way *floor)
{
    const size_t n = b->members;
    const rekey_times *t = &w->median, *f = &floor->median;
    const bench_value out = { "floor, last datagram", "ms", 1e3 * f->last_out_s, n };
    const bench_value confirmed = { "floor, last confirmation", "ms", 1e3 * f->last_confirmed_s, n };
    const bench_value rate = { "floor, messages", "messages/s", (double)n / f->last_out_s, n };
    const bench_value everybody = { "members", "members", (double)n, n };
    say(b, w, "last datagram", (bench_value){ .unit = "ms", .value = 1e3 * t->last_out_s, .n = n }, &out);
    say(b, w, "last confirmation", (bench_value){ .unit = "ms", .value = 1e3 * t->last_confirmed_s, .n = n }, &out);
    if (w != floor)
        say(b, w, "last confirmation", (bench_value){ .unit = "ms", .value = 1e3 * t->last_confirmed_s, .n = n },
            &confirmed);
    say(b, w, "messages", (bench_value){ .unit = "messages/s", .value = (double)n / t->last_out_s, .n = n }, &rate);
    say(b, w, "confirmed at once", (bench_value){ .unit = "members", .value = (double)t->confirmed, .n = n },
        &everybody);
}

static void report_memory(const bench *b, double octets)
{
    const bench_value memory = { "rekey push, memory", "octets/member", octets, b->members };
    if (octets > 0)
        bench_say(b, &memory, NULL);
    else
        bench_absent(b, memory.name, "the heap of this build does not say what is in it");
}

static bool run_all(const bench *b, const rekey_stage *s)
{
    way ways[] = {
        { .name = "floor", .run = rekey_floor },
        { .name = "naive", .run = rekey_naive },
        { .name = "rekey push", .run = rekey_by_engine },
        { .name = "rekey push, one core", .run = rekey_by_engine_alone },
    };
    if (!measure(ways, POC_COUNT(ways), s))
        return false;
    for (size_t i = 0; i < POC_COUNT(ways); i++)
        report(b, &ways[i], &ways[0]);
    report_memory(b, rekey_engine_octets(s->engine));
    return true;
}

int bench_rekey(const bench *b)
{
    rekey_stage s = { NULL, NULL };
    if (b->delivery != NULL && strcmp(b->delivery, "sip") == 0)
        return bench_rekey_sip(b);
    s.crowd = crowd_new(b->members);
    s.engine = s.crowd == NULL ? NULL : rekey_engine_new(s.crowd);
    if (s.engine == NULL)
        fputs("pocbench: the members, or an engine that has them, could not be made\n", stderr);
    const bool good = s.engine != NULL && run_all(b, &s);
    rekey_engine_free(s.engine);
    crowd_free(s.crowd);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
