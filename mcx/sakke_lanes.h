/* The algorithms of a kernel, written once over its field: a .c file that includes this has defined
 *
 *   fe                          an element in each of LANES lanes
 *   GROUPS                      how often LANES messages stay in the cache beside a row
 *   FE_TARGET                   attributes of a function that works on them
 *   fe_mul, fe_add              out, a, b
 *   fe_sub                      of a subtrahend that is a product, or the sum of at most four
 *   fe_sub_wide                 of one that comes from fe_sub
 *   fe_load, fe_store           from and to one number for each lane, not in Montgomery form, `stride` octets apart
 *   fe_const                    what pack_const made, in all lanes
 *   fe_one, fe_none, fe_sigma, fe_omega   1, 0 and the constants of the curve
 *   fe_inv                      1/a
 *   fe_digit, fe_digit_load     one digit of each lane, `stride` octets apart
 *   fe_row                      out, row, digit, none: the entry |digit| in each lane, or `none` where that is 0
 *   fe_swap_if_negative, fe_negate_if_negative
 *
 * A sum of products may be multiplied, and so may a difference of such sums; a product is always small. */

typedef struct sakke_point {
    fe x, y, z, t; /* extended coordinates: X = x/z, Y = y/z, t = xy/z */
} sakke_point;

typedef struct torus {
    fe a, b; /* a + ib up to a factor of F_p */
} torus;

FE_TARGET static inline const uint8_t *table_row(const sakke_table *t, size_t row)
{
    return t->rows + row * FE_ROW_SIZE;
}

/* Asks for `n` octets before they are needed; they are the same whatever the digits. */
static inline void prefetch(const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i += 64)
        __builtin_prefetch(at + i);
}

/* 8.4 of "Twisted Edwards curves revisited" with a = -1, d = 1, for an entry (Y - X, Y + X, 2XY). */
FE_TARGET static void point_add(sakke_point *p, const uint8_t *entry, const fe_digit *digit)
{
    fe minus, plus, twice_xy, a, b, c, d, e;
    fe_row(&minus, entry, digit, &fe_one);
    fe_row(&plus, entry + FE_ROW_SIZE, digit, &fe_one);
    fe_row(&twice_xy, entry + 2 * FE_ROW_SIZE, digit, &fe_none);
    fe_swap_if_negative(&minus, &plus, digit);
    fe_negate_if_negative(&twice_xy, digit);
    fe_sub(&a, &p->y, &p->x);
    fe_mul(&a, &a, &minus);
    fe_add(&b, &p->y, &p->x);
    fe_mul(&b, &b, &plus);
    fe_mul(&c, &p->t, &twice_xy);
    fe_add(&d, &p->z, &p->z);
    fe_sub(&e, &b, &a);
    fe_add(&b, &b, &a);
    fe_sub(&a, &d, &c);
    fe_add(&d, &d, &c);
    fe_mul(&p->x, &e, &a);
    fe_mul(&p->y, &d, &b);
    fe_mul(&p->t, &e, &b);
    fe_mul(&p->z, &a, &d);
    /* nothing of the entries may stay behind that the digits could be read from */
    fe_wipe(&minus), fe_wipe(&plus), fe_wipe(&twice_xy);
}

FE_TARGET static void point_zero(sakke_point *p)
{
    p->x = p->t = fe_none;
    p->y = p->z = fe_one;
}

/* A row is read for all groups before the next: it comes from memory once. */
FE_TARGET static void point_add_multiples(sakke_point *p, size_t groups, const sakke_table *t, const int8_t *digits,
                                          size_t stride)
{
    for (size_t row = 0; row < SAKKE_ROWS; row++) {
        prefetch(table_row(t, 3 * row + 3), row + 1 < SAKKE_ROWS ? 3 * FE_ROW_SIZE : 0);
        for (size_t i = 0; i < groups; i++) {
            fe_digit digit;
            fe_digit_load(&digit, digits + i * LANES * stride + row, stride);
            point_add(&p[i], table_row(t, 3 * row), &digit);
        }
    }
}

FE_TARGET static void torus_mul_entry(torus *v, const uint8_t *entry, const fe_digit *digit)
{
    fe t, at, bt;
    fe_row(&t, entry, digit, &fe_none);
    fe_negate_if_negative(&t, digit);
    fe_mul(&at, &v->a, &t);
    fe_mul(&bt, &v->b, &t);
    fe_sub(&v->a, &v->a, &bt);
    fe_add(&v->b, &v->b, &at);
    fe_wipe(&t);
}

/* v (1 + it) for each digit. What is added up here are at most SAKKE_ROWS differences: still small enough to multiply. */
FE_TARGET static void torus_powers(torus *v, size_t groups, const sakke_table *g, const int8_t *digits, size_t stride)
{
    for (size_t i = 0; i < groups; i++) {
        v[i].a = fe_one;
        v[i].b = fe_none;
    }
    for (size_t row = 0; row < SAKKE_ROWS; row++) {
        prefetch(table_row(g, row + 1), row + 1 < SAKKE_ROWS ? FE_ROW_SIZE : 0);
        for (size_t i = 0; i < groups; i++) {
            fe_digit digit;
            fe_digit_load(&digit, digits + i * LANES * stride + row, stride);
            torus_mul_entry(&v[i], table_row(g, row), &digit);
        }
    }
}

/* values[i] becomes 1/values[i]: one inversion for all, and three products each. None is ever 0: in sealing that takes a
 * scalar of 0; in pairing a line that is 0 at (-x, iy), but all zeros of the lines are multiples of the key over F_p. */
FE_TARGET static void invert_all(fe *values, size_t n)
{
    fe before[GROUPS], inverse = values[0];
    for (size_t i = 1; i < n; i++) {
        before[i] = inverse;
        fe_mul(&inverse, &inverse, &values[i]);
    }
    fe_inv(&inverse, &inverse);
    for (size_t i = n; i-- > 1;) {
        const fe value = values[i];
        fe_mul(&values[i], &inverse, &before[i]);
        fe_mul(&inverse, &inverse, &value);
    }
    values[0] = inverse;
    poc_wipe(before, n * sizeof(before[0]));
}

/* ---- sealing ---- */

/* A point and an element as fractions with one denominator, `below`. */
typedef struct sealed_group {
    fe x, y, w;
} sealed_group;

FE_TARGET static void seal_fractions(sealed_group *out, fe *below, const sakke_point *r, const torus *v)
{
    fe plus, minus;
    fe_add(&plus, &r->z, &r->y);
    fe_sub(&minus, &r->z, &r->y);
    fe_mul(&minus, &minus, &r->x); /* x = sigma plus r.x / minus,  y = omega plus r.z / minus */
    fe_mul(&plus, &plus, &v->a);
    fe_mul(&out->x, &plus, &r->x);
    fe_mul(&out->x, &out->x, &fe_sigma);
    fe_mul(&out->y, &plus, &r->z);
    fe_mul(&out->y, &out->y, &fe_omega);
    fe_mul(&out->w, &v->b, &minus);
    fe_mul(below, &v->a, &minus);
}

/* Of the next part, when `n` jobs are left. */
FE_TARGET static size_t groups_of(size_t n)
{
    const size_t groups = (n + LANES - 1) / LANES;
    return groups < GROUPS ? groups : GROUPS;
}

FE_TARGET static void seal_store(sakke_seal_job *jobs, sealed_group *group, const fe *inverse)
{
    fe_mul(&group->x, &group->x, inverse);
    fe_mul(&group->y, &group->y, inverse);
    fe_mul(&group->w, &group->w, inverse);
    fe_store(&jobs->x, sizeof(*jobs), &group->x);
    fe_store(&jobs->y, sizeof(*jobs), &group->y);
    fe_store(&jobs->w, sizeof(*jobs), &group->w);
}

/* Everything that sealing has on the way. */
typedef struct sealing {
    sakke_point r[GROUPS];
    torus v[GROUPS];
    sealed_group sealed[GROUPS];
    fe below[GROUPS];
} sealing;

FE_TARGET static void seal_all(sealing *s, sakke_seal_job *jobs, size_t groups, const sakke_table *p,
                               const sakke_table *z, const sakke_table *g)
{
    for (size_t i = 0; i < groups; i++)
        point_zero(&s->r[i]);
    point_add_multiples(s->r, groups, p, jobs->at_p.d, sizeof(*jobs));
    point_add_multiples(s->r, groups, z, jobs->at_z.d, sizeof(*jobs));
    torus_powers(s->v, groups, g, jobs->at_z.d, sizeof(*jobs));
    for (size_t i = 0; i < groups; i++)
        seal_fractions(&s->sealed[i], &s->below[i], &s->r[i], &s->v[i]);
    invert_all(s->below, groups);
    for (size_t i = 0; i < groups; i++)
        seal_store(jobs + i * LANES, &s->sealed[i], &s->below[i]);
}

/* ---- pairing ---- */

FE_TARGET static void torus_square(torus *v)
{
    fe sum, difference;
    fe_add(&sum, &v->a, &v->b);
    fe_sub_wide(&difference, &v->a, &v->b);
    fe_mul(&v->b, &v->a, &v->b);
    fe_add(&v->b, &v->b, &v->b);
    fe_mul(&v->a, &sum, &difference);
}

/* Karatsuba: three products. */
FE_TARGET static void torus_mul(torus *v, const fe *a, const fe *b)
{
    fe aa, bb, sum, sums;
    fe_mul(&aa, &v->a, a);
    fe_mul(&bb, &v->b, b);
    fe_add(&sum, &v->a, &v->b);
    fe_add(&sums, a, b);
    fe_mul(&sum, &sum, &sums);
    fe_sub(&v->a, &aa, &bb);
    fe_add(&aa, &aa, &bb);
    fe_sub(&v->b, &sum, &aa);
}

FE_TARGET static void pair_group(torus *v, const sakke_pair_job *jobs, const uint8_t *lines)
{
    const sakke_schedule *schedule = sakke_miller_schedule();
    fe x, y, xx, line, factor, height;
    fe_load(&x, &jobs->x, sizeof(*jobs));
    fe_load(&y, &jobs->y, sizeof(*jobs));
    fe_mul(&xx, &x, &x);
    v->a = fe_one;
    v->b = fe_none;
    for (size_t step = 0; step < schedule->steps; step++, lines += 3 * FE_CONST_SIZE) {
        torus_square(v);
        fe_const(&factor, lines);
        fe_mul(&line, &x, &factor);
        fe_const(&factor, lines + FE_CONST_SIZE);
        fe_add(&line, &line, &factor);
        if (schedule->add[step] == 0) {
            torus_mul(v, &line, &y);
            continue;
        }
        fe_add(&line, &line, &xx);
        fe_const(&height, lines + 2 * FE_CONST_SIZE);
        fe_mul(&height, &height, &y);
        torus_mul(v, &line, &height);
    }
    torus_square(v); /* v^((p + 1) / q) */
    torus_square(v);
    fe_wipe(&line), fe_wipe(&factor), fe_wipe(&height);
}

FE_TARGET static void pair_full(sakke_pair_job *jobs, size_t groups, const uint8_t *lines)
{
    torus values[GROUPS];
    fe below[GROUPS];
    for (size_t i = 0; i < groups; i++) {
        pair_group(&values[i], jobs + i * LANES, lines);
        below[i] = values[i].a;
    }
    invert_all(below, groups);
    for (size_t i = 0; i < groups; i++) {
        fe_mul(&values[i].b, &values[i].b, &below[i]);
        fe_store(&jobs[i * LANES].w, sizeof(*jobs), &values[i].b);
    }
    poc_wipe(values, groups * sizeof(values[0]));
    poc_wipe(below, groups * sizeof(below[0]));
}

/* ---- the test of a multiple ---- */

/* Without a division: x (Z - Y) = sigma (Z + Y) and y (Z - Y) X = omega (Z + Y) Z. Never of the neutral point, whose Z - Y is
 * 0 while Z + Y is not. */
FE_TARGET static void test_group(sakke_test_job *jobs, const sakke_point *r)
{
    fe x, y, plus, minus, right;
    fp left_over[2][LANES];
    fe_load(&x, &jobs->x, sizeof(*jobs));
    fe_load(&y, &jobs->y, sizeof(*jobs));
    fe_add(&plus, &r->z, &r->y);
    fe_sub(&minus, &r->z, &r->y);
    fe_mul(&x, &x, &minus);
    fe_mul(&right, &plus, &fe_sigma);
    fe_sub(&x, &x, &right);
    fe_store(left_over[0], sizeof(fp), &x);
    fe_mul(&minus, &minus, &r->x);
    fe_mul(&y, &y, &minus);
    fe_mul(&plus, &plus, &r->z);
    fe_mul(&right, &plus, &fe_omega);
    fe_sub(&y, &y, &right);
    fe_store(left_over[1], sizeof(fp), &y);
    for (size_t lane = 0; lane < LANES; lane++)
        jobs[lane].same = fp_zero(&left_over[0][lane]) & fp_zero(&left_over[1][lane]);
    poc_wipe(left_over, sizeof(left_over));
}

FE_TARGET static void test_all(sakke_point *r, sakke_test_job *jobs, size_t groups, const sakke_table *point)
{
    for (size_t i = 0; i < groups; i++)
        point_zero(&r[i]);
    point_add_multiples(r, groups, point, jobs->digits.d, sizeof(*jobs));
    for (size_t i = 0; i < groups; i++)
        test_group(jobs + i * LANES, &r[i]);
}

/* ---- any number of jobs ---- */

/* Lanes that the last group lacks repeat its last job; the caller's array has room for them. */
#define PAD(jobs, n)                              \
    do {                                          \
        for (size_t i = (n); i % LANES != 0; i++) \
            (jobs)[i] = (jobs)[(n)-1];            \
    } while (0)

FE_TARGET static void kernel_seal(sakke_seal_job *jobs, size_t n, const sakke_table *p, const sakke_table *z,
                                  const sakke_table *g)
{
    sealing s;
    PAD(jobs, n);
    for (size_t from = 0; from < n; from += GROUPS * LANES)
        seal_all(&s, jobs + from, groups_of(n - from), p, z, g);
    poc_wipe(&s, sizeof(s));
}

FE_TARGET static void kernel_pair(sakke_pair_job *jobs, size_t n, const uint8_t *lines)
{
    PAD(jobs, n);
    for (size_t from = 0; from < n; from += GROUPS * LANES)
        pair_full(jobs + from, groups_of(n - from), lines);
}

FE_TARGET static void kernel_test(sakke_test_job *jobs, size_t n, const sakke_table *point)
{
    sakke_point r[GROUPS];
    PAD(jobs, n);
    for (size_t from = 0; from < n; from += GROUPS * LANES)
        test_all(r, jobs + from, groups_of(n - from), point);
    poc_wipe(r, sizeof(r));
}
