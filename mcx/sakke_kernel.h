/* The arithmetic of SAKKE that has to be fast, for several messages in step. A kernel is one way of doing it with what the
 * processor has; kernels differ in speed and in how they store tables, not in results. Private to this room.
 *
 * Time and addresses depend on no digit, coordinate or line: a look-up reads its whole row. */
#ifndef MCX_SAKKE_KERNEL_H
#define MCX_SAKKE_KERNEL_H

#include "mcx/sakke_params.h"

/* A scalar below q in signed digits of SAKKE_WINDOW bits, each -63..64; a table has a row for each digit and in it an entry
 * for each value from 1 on. */
#define SAKKE_WINDOW  7u
#define SAKKE_ENTRIES 64u
#define SAKKE_ROWS    147u
#define SAKKE_BATCH   64u /* jobs of one call at most */

typedef struct sakke_digits {
    int8_t d[SAKKE_ROWS];
} sakke_digits;

/* Rows of SAKKE_ENTRIES field elements as the kernel likes them. Tables of a point have three for each digit (Y - X, Y + X,
 * 2XY of the multiples on the Edwards curve), those of an element of the torus one (b/a). Public. */
typedef struct sakke_table {
    uint8_t *rows;
} sakke_table;

/* The function whose value the Miller loop gathers in one step of its schedule, as a function of the point that is looked
 * at: after doubling  slope x + constant + i y,  after doubling and adding  (x^2 + slope x + constant) + i height y. */
typedef struct sakke_line {
    fp slope, constant, height;
} sakke_line;

typedef struct sakke_seal_job {
    sakke_digits at_p, at_z; /* in: r b and r */
    fp x, y, w;              /* out: R and g^r, not in Montgomery form */
} sakke_seal_job;

typedef struct sakke_pair_job {
    fp x, y; /* in: a point of the curve, not in Montgomery form */
    fp w;    /* out: its pairing with the point that the lines come from */
} sakke_pair_job;

typedef struct sakke_test_job {
    sakke_digits digits; /* in: of the scalar */
    fp x, y;             /* in: what the multiple should be, not in Montgomery form */
    uint64_t same;       /* out: all ones when it is, else 0 */
} sakke_test_job;

typedef struct sakke_kernel {
    const char *name;
    size_t lanes;
    size_t row_size; /* octets of a row of SAKKE_ENTRIES elements */
    void (*pack_row)(uint8_t *out, const fp entries[SAKKE_ENTRIES]);
    size_t const_size; /* octets of a field element that all lanes share */
    void (*pack_const)(uint8_t *out, const fp *value);

    /* Each over 1..SAKKE_BATCH jobs, in an array with room for a multiple of `lanes`. Sealing: [at_p]P + [at_z]Z and g^at_z. */
    void (*seal)(sakke_seal_job *jobs, size_t n, const sakke_table *p, const sakke_table *z, const sakke_table *g);
    void (*pair)(sakke_pair_job *jobs, size_t n, const uint8_t *lines);
    void (*test)(sakke_test_job *jobs, size_t n, const sakke_table *point);
} sakke_kernel;

extern const sakke_kernel sakke_kernel_portable;
/** The fastest that this processor has; the portable one at least. Thread-safe. */
const sakke_kernel *sakke_kernel_best(void);
/** NULL where the processor has no AVX-512 IFMA. */
const sakke_kernel *sakke_kernel_ifma(void);

/** The schedule of the Miller loop, from the top: q - 1 in non-adjacent form without its first digit. */
#define SAKKE_STEPS_MAX 1024u
typedef struct sakke_schedule {
    int8_t add[SAKKE_STEPS_MAX]; /* what is added after doubling: -1, 0, or 1 times the point */
    size_t steps;
} sakke_schedule;
const sakke_schedule *sakke_miller_schedule(void);

#endif
