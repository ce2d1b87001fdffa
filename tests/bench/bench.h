/* pocbench: every figure stands beside a yardstick that was measured in the same run, on the same core. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

typedef struct bench {
    double seconds; /* CPU time for each figure */
    size_t members;
    const char *delivery; /* "sip", "push" or NULL */
    bool json;
} bench;

typedef struct bench_figure {
    const char *name;
    double per_s; /* median of the slices; 0: could not be measured */
    size_t n;     /* things done in all slices */
} bench_figure;

/** Does some work on `ctx` and returns how many things it did; 0 when it failed. */
typedef size_t (*bench_op)(void *ctx);

/** Repeats `op` for b->seconds of this thread's CPU time, in five slices. */
bench_figure bench_measure(const bench *b, const char *name, bench_op op, void *ctx);
/** The same by the clock on the wall, for work that several threads do. */
bench_figure bench_measure_elapsed(const bench *b, const char *name, bench_op op, void *ctx);
/** Prints one figure; `unit` is what one thing is ("messages/s/core"), `against` may be NULL. Returns false when either
 *  could not be measured. */
bool bench_print(const bench *b, const bench_figure *figure, const char *unit, const bench_figure *against);
/** A value that is no rate. */
typedef struct bench_value {
    const char *name, *unit;
    double value;
    size_t n; /* of what it was measured on */
} bench_value;
/** Prints it; `against` may be NULL. */
void bench_say(const bench *b, const bench_value *v, const bench_value *against);
/** Says that a yardstick is not installed, or that this machine cannot do what `name` is. */
void bench_absent(const bench *b, const char *name, const char *why);

/** Binds this thread to the first, second ... of the processors it may use; where there are not so many, to nothing. */
void bench_core_take(size_t which);

/* One per row of the table in main.c: an exit status. */
int bench_mikey(const bench *b);
int bench_srtp(const bench *b);
int bench_sakke(const bench *b);
int bench_rekey(const bench *b);
int bench_rekey_sip(const bench *b); /* the row of rekey, --delivery sip */
int bench_sip(const bench *b);
int bench_store(const bench *b);

#endif
