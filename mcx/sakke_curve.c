#include "mcx/sakke_curve.h"

#include <stdlib.h>

static void mul(fp *out, const fp *a, const fp *b)
{
    fp_mul(out, a, b, &sakke_p);
}

static void add(fp *out, const fp *a, const fp *b)
{
    fp_add(out, a, b, &sakke_p);
}

static void sub(fp *out, const fp *a, const fp *b)
{
    fp_sub(out, a, b, &sakke_p);
}

/* ---- octets and digits ---- */

static bool on_curve(const sakke_affine *a)
{
    fp right, left, three;
    add(&three, &sakke_p.one, &sakke_p.one);
    add(&three, &three, &sakke_p.one);
    mul(&right, &a->x, &a->x);
    sub(&right, &right, &three);
    mul(&right, &right, &a->x);
    mul(&left, &a->y, &a->y);
    return fp_same(&left, &right) != 0;
}

poc_err sakke_point_read(sakke_affine *out, const uint8_t octets[1 + 2 * FP_LEN])
{
    fp x, y;
    if (octets[0] != 4)
        return POC_E_INPUT;
    fp_read(&x, octets + 1);
    fp_read(&y, octets + 1 + FP_LEN);
    if ((fp_below(&x, &sakke_p.m) & fp_below(&y, &sakke_p.m)) == 0)
        return POC_E_INPUT;
    fp_enter(&out->x, &x, &sakke_p);
    fp_enter(&out->y, &y, &sakke_p);
    return on_curve(out) ? POC_OK : POC_E_INPUT;
}

void sakke_point_write(uint8_t octets[1 + 2 * FP_LEN], const fp *x, const fp *y)
{
    octets[0] = 4;
    fp_write(octets + 1, x);
    fp_write(octets + 1 + FP_LEN, y);
}

void sakke_digits_of(sakke_digits *out, const fp *scalar)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < SAKKE_ROWS; i++) {
        const size_t at = i * SAKKE_WINDOW, word = at / 64, shift = at % 64;
        uint64_t bits = scalar->w[word] >> shift;
        if (shift > 64 - SAKKE_WINDOW && word + 1 < FP_WORDS)
            bits |= scalar->w[word + 1] << (64 - shift);
        const uint64_t digit = (bits & (2 * SAKKE_ENTRIES - 1)) + carry;
        carry = (SAKKE_ENTRIES - digit) >> 63; /* above 32: the digit less 64, and one more in the next */
        out->d[i] = (int8_t)((int64_t)digit - (int64_t)(carry * 2 * SAKKE_ENTRIES));
    }
}

/* ---- tables: the curve as -X^2 + Y^2 = 1 + X^2 Y^2 in extended coordinates ---- */

typedef struct edwards {
    fp x, y, z, t;
} edwards;

/* X = omega x / (sigma y), Y = (x - sigma) / (x + sigma), over one denominator. */
static void edwards_of(edwards *out, const sakke_affine *a)
{
    fp sum, difference, x, y;
    add(&sum, &a->x, &sakke_sigma);
    sub(&difference, &a->x, &sakke_sigma);
    mul(&x, &a->x, &sakke_omega);
    mul(&y, &a->y, &sakke_sigma);
    mul(&out->x, &x, &sum);
    mul(&out->y, &difference, &y);
    mul(&out->z, &sum, &y);
    mul(&out->t, &x, &difference);
}

static void edwards_add(edwards *out, const edwards *p, const edwards *q)
{
    fp a, b, c, d, e, f;
    sub(&a, &p->y, &p->x);
    sub(&b, &q->y, &q->x);
    mul(&a, &a, &b);
    add(&b, &p->y, &p->x);
    add(&c, &q->y, &q->x);
    mul(&b, &b, &c);
    mul(&c, &p->t, &q->t);
    add(&c, &c, &c);
    mul(&d, &p->z, &q->z);
    add(&d, &d, &d);
    sub(&e, &b, &a);
    add(&b, &b, &a);
    sub(&f, &d, &c);
    add(&d, &d, &c);
    mul(&out->x, &e, &f);
    mul(&out->y, &d, &b);
    mul(&out->t, &e, &b);
    mul(&out->z, &f, &d);
}

static void affine_of(sakke_affine *out, const edwards *e)
{
    fp plus, minus, inverse;
    add(&plus, &e->z, &e->y);
    sub(&minus, &e->z, &e->y);
    mul(&minus, &minus, &e->x);
    fp_inv(&inverse, &minus, &sakke_p);
    mul(&plus, &plus, &inverse);
    mul(&out->x, &plus, &e->x);
    mul(&out->x, &out->x, &sakke_sigma);
    mul(&out->y, &plus, &e->z);
    mul(&out->y, &out->y, &sakke_omega);
}

void sakke_recipient_point(sakke_affine *out, const fp *b, const sakke_affine *z)
{
    const sakke_affine generator = { sakke_px, sakke_py };
    edwards p, at_z, sum = { .y = sakke_p.one, .z = sakke_p.one };
    edwards_of(&p, &generator);
    edwards_of(&at_z, z);
    for (size_t bit = (size_t)FP_WORDS * 64; bit-- > 0;) {
        edwards_add(&sum, &sum, &sum);
        if ((b->w[bit / 64] >> (bit % 64) & 1) != 0)
            edwards_add(&sum, &sum, &p);
    }
    edwards_add(&sum, &sum, &at_z);
    affine_of(out, &sum);
}

/* Rows are made projective, a chunk of them at a time, and brought to denominator 1 with one inversion for the chunk. */
enum { CHUNK_ROWS = 21, CHUNK = CHUNK_ROWS * SAKKE_ENTRIES };
_Static_assert(SAKKE_ROWS % CHUNK_ROWS == 0, "whole chunks");

typedef struct chunk {
    edwards entry[CHUNK];
    fp inverse[CHUNK], scratch[CHUNK];
    fp packed[3][SAKKE_ENTRIES];
} chunk;

static poc_err table_new(sakke_table *out, chunk **work, const sakke_kernel *kernel, size_t elements)
{
    const size_t size = SAKKE_ROWS * elements * kernel->row_size;
    out->rows = aligned_alloc(64, (size + 63) / 64 * 64);
    *work = malloc(sizeof(**work));
    if (out->rows != NULL && *work != NULL)
        return POC_OK;
    sakke_table_done(out);
    free(*work);
    *work = NULL;
    return POC_E_NOMEM;
}

void sakke_table_done(sakke_table *t)
{
    free(t->rows);
    t->rows = NULL;
}

/* Multiples 1..64 of `base` into a row; `base` becomes its 128th multiple. */
static void point_row(edwards row[SAKKE_ENTRIES], edwards *base)
{
    row[0] = *base;
    for (size_t i = 1; i < SAKKE_ENTRIES; i++)
        edwards_add(&row[i], &row[i - 1], base);
    edwards_add(base, &row[SAKKE_ENTRIES - 1], &row[SAKKE_ENTRIES - 1]);
}

static void point_row_pack(uint8_t *out, const sakke_kernel *kernel, chunk *work, size_t first)
{
    for (size_t i = 0; i < SAKKE_ENTRIES; i++) {
        const edwards *e = &work->entry[first + i];
        const fp *inverse = &work->inverse[first + i];
        fp x, y, xy;
        mul(&x, &e->x, inverse);
        mul(&y, &e->y, inverse);
        mul(&xy, &e->t, inverse);
        sub(&work->packed[0][i], &y, &x);
        add(&work->packed[1][i], &y, &x);
        add(&work->packed[2][i], &xy, &xy);
    }
    for (size_t k = 0; k < 3; k++)
        kernel->pack_row(out + k * kernel->row_size, work->packed[k]);
}

poc_err sakke_table_of_point(sakke_table *out, const sakke_kernel *kernel, const sakke_affine *point)
{
    chunk *work;
    edwards base;
    POC_TRY(table_new(out, &work, kernel, 3));
    edwards_of(&base, point);
    for (size_t row = 0; row < SAKKE_ROWS; row += CHUNK_ROWS) {
        for (size_t i = 0; i < CHUNK_ROWS; i++)
            point_row(work->entry + i * SAKKE_ENTRIES, &base);
        for (size_t i = 0; i < CHUNK; i++)
            work->inverse[i] = work->entry[i].z;
        fp_inv_all(work->inverse, work->scratch, CHUNK, &sakke_p);
        for (size_t i = 0; i < CHUNK_ROWS; i++)
            point_row_pack(out->rows + 3 * (row + i) * kernel->row_size, kernel, work, i * SAKKE_ENTRIES);
    }
    free(work);
    return POC_OK;
}

/* ---- the table of g: 1 + i g and its powers as b/a, in edwards.x (a) and edwards.y (b) ---- */

static void torus_mul(edwards *out, const edwards *p, const edwards *q)
{
    fp aa, bb, ab, ba;
    mul(&aa, &p->x, &q->x);
    mul(&bb, &p->y, &q->y);
    mul(&ab, &p->x, &q->y);
    mul(&ba, &p->y, &q->x);
    sub(&out->x, &aa, &bb);
    add(&out->y, &ab, &ba);
}

static void torus_row(edwards row[SAKKE_ENTRIES], edwards *base)
{
    row[0] = *base;
    for (size_t i = 1; i < SAKKE_ENTRIES; i++)
        torus_mul(&row[i], &row[i - 1], base);
    torus_mul(base, &row[SAKKE_ENTRIES - 1], &row[SAKKE_ENTRIES - 1]);
}

poc_err sakke_table_of_g(sakke_table *out, const sakke_kernel *kernel)
{
    chunk *work;
    edwards base = { .x = sakke_p.one, .y = sakke_g };
    POC_TRY(table_new(out, &work, kernel, 1));
    for (size_t row = 0; row < SAKKE_ROWS; row += CHUNK_ROWS) {
        for (size_t i = 0; i < CHUNK_ROWS; i++)
            torus_row(work->entry + i * SAKKE_ENTRIES, &base);
        for (size_t i = 0; i < CHUNK; i++)
            work->inverse[i] = work->entry[i].x;
        fp_inv_all(work->inverse, work->scratch, CHUNK, &sakke_p);
        for (size_t i = 0; i < CHUNK; i++)
            mul(&work->inverse[i], &work->inverse[i], &work->entry[i].y);
        for (size_t i = 0; i < CHUNK_ROWS; i++)
            kernel->pack_row(out->rows + (row + i) * kernel->row_size, work->inverse + i * SAKKE_ENTRIES);
    }
    free(work);
    return POC_OK;
}
