#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/bench/bench.h"

#define SLICES 5

static double now_s(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bench_figure measure(clockid_t clock, const bench *b, const char *name, bench_op op, void *ctx)
{
    bench_figure figure = { .name = name };
    double rates[SLICES];
    if (op(ctx) == 0) /* also warms up */
        return figure;
    for (size_t slice = 0; slice < SLICES; slice++) {
        const double start = now_s(clock);
        double spent;
        size_t done = 0;
        do {
            done += op(ctx);
            spent = now_s(clock) - start;
        } while (spent < b->seconds / SLICES);
        rates[slice] = (double)done / spent;
        figure.n += done;
    }
    qsort(rates, SLICES, sizeof(rates[0]), by_value);
    figure.per_s = rates[SLICES / 2];
    return figure;
}

/* CPU time of this thread: other work on the machine does not count. */
bench_figure bench_measure(const bench *b, const char *name, bench_op op, void *ctx)
{
    return measure(CLOCK_THREAD_CPUTIME_ID, b, name, op, ctx);
}

bench_figure bench_measure_elapsed(const bench *b, const char *name, bench_op op, void *ctx)
{
    return measure(CLOCK_MONOTONIC, b, name, op, ctx);
}

static void print_json(const bench_figure *f, const char *unit, const bench_figure *against)
{
    printf("{\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.0f, \"n\": %zu, \"ns\": %.1f", f->name, unit, f->per_s,
           f->n, 1e9 / f->per_s);
    if (against != NULL)
        printf(", \"against\": {\"name\": \"%s\", \"value\": %.0f, \"n\": %zu}, \"ratio\": %.3f", against->name,
               against->per_s, against->n, f->per_s / against->per_s);
    puts("}");
}

bool bench_print(const bench *b, const bench_figure *figure, const char *unit, const bench_figure *against)
{
    if (figure->per_s <= 0 || (against != NULL && against->per_s <= 0)) {
        fprintf(stderr, "pocbench: %s could not be measured\n", figure->per_s <= 0 ? figure->name : against->name);
        return false;
    }
    if (b->json) {
        print_json(figure, unit, against);
        return true;
    }
    printf("%-36s %12.0f %-16s %9.0f ns", figure->name, figure->per_s, unit, 1e9 / figure->per_s);
    if (against != NULL)
        printf("   %6.2f x %s", figure->per_s / against->per_s, against->name);
    puts("");
    return true;
}

void bench_say(const bench *b, const bench_value *v, const bench_value *against)
{
    if (b->json) {
        printf("{\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.3f, \"n\": %zu", v->name, v->unit, v->value, v->n);
        if (against != NULL)
            printf(", \"against\": {\"name\": \"%s\", \"value\": %.3f, \"n\": %zu}, \"ratio\": %.3f", against->name,
                   against->value, against->n, v->value / against->value);
        puts("}");
        return;
    }
    printf("%-36s %12.2f %-16s", v->name, v->value, v->unit);
    if (against != NULL)
        printf(" %6.2f x %s", v->value / against->value, against->name);
    puts("");
}

void bench_absent(const bench *b, const char *name, const char *why)
{
    if (b->json)
        printf("{\"name\": \"%s\", \"absent\": \"%s\"}\n", name, why);
    else
        printf("%-36s not measured: %s\n", name, why);
}

void bench_core_take(size_t which)
{
    cpu_set_t all, one;
    size_t seen = 0;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        return;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && seen++ == which)
            CPU_SET(cpu, &one);
    }
    (void)sched_setaffinity(0, sizeof(one), &one); /* fails where there is one core only */
}
