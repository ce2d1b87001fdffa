/* pocbench rekey --delivery push: a new MSK for everybody, from the decision to the last confirmation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/bench/bench.h"
#include "tests/bench/rekey.h"

enum { ROUNDS = 5 };

typedef struct way {
    const char *name;
    bool (*run)(rekey_times *out, const crowd *c);
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
static bool measure(way *ways, size_t n, const crowd *c)
{
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            if (!ways[i].run(&ways[i].rounds[round], c)) {
                fprintf(stderr, "pocbench: %s could not be measured\n", ways[i].name);
                return false;
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        way_sum_up(&ways[i]);
    return true;
}

static void report(const bench *b, const way *w, const way *floor)
{
    char name[64];
    const size_t n = b->members;
    const bench_value floor_out = { "floor, last datagram", "ms", 1e3 * floor->median.last_out_s, n };
    const bench_value floor_rate = { "floor, messages", "messages/s", (double)n / floor->median.last_out_s, n };
    const bench_value everybody = { "members", "members", (double)n, n };
    (void)snprintf(name, sizeof(name), "%s, last datagram", w->name);
    bench_say(b, &(bench_value){ name, "ms", 1e3 * w->median.last_out_s, n }, &floor_out);
    (void)snprintf(name, sizeof(name), "%s, last confirmation", w->name);
    bench_say(b, &(bench_value){ name, "ms", 1e3 * w->median.last_confirmed_s, n }, &floor_out);
    (void)snprintf(name, sizeof(name), "%s, messages", w->name);
    bench_say(b, &(bench_value){ name, "messages/s", (double)n / w->median.last_out_s, n }, &floor_rate);
    (void)snprintf(name, sizeof(name), "%s, confirmed at once", w->name);
    bench_say(b, &(bench_value){ name, "members", (double)w->median.confirmed, n }, &everybody);
}

static bool run_all(const bench *b, const crowd *c)
{
    way ways[] = {
        { .name = "floor", .run = rekey_floor },
        { .name = "naive", .run = rekey_naive },
    };
    if (!measure(ways, POC_COUNT(ways), c))
        return false;
    for (size_t i = 0; i < POC_COUNT(ways); i++)
        report(b, &ways[i], &ways[0]);
    return true;
}

int bench_rekey(const bench *b)
{
    if (b->delivery != NULL && strcmp(b->delivery, "push") != 0) {
        fputs("pocbench: rekey is measured with --delivery push\n", stderr);
        return EXIT_FAILURE;
    }
    crowd *c = crowd_new(b->members);
    if (c == NULL) {
        fputs("pocbench: members and their listener could not be made\n", stderr);
        return EXIT_FAILURE;
    }
    const bool good = run_all(b, c);
    crowd_free(c);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
