/* The Miller loop over a fixed point, its lines worked out once: only the point looked at is then left to put in. */
#include <pthread.h>
#include <string.h>

#include "base/secret.h"
#include "mcx/sakke_curve.h"

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

/* ---- the schedule ---- */

static sakke_schedule schedule;
static pthread_once_t schedule_made = PTHREAD_ONCE_INIT;

/* Non-adjacent form from the bottom: an odd rest gives the digit that leaves a multiple of four. q - 1 = 3 mod 4 nowhere
 * overflows, as q has 1022 bits. */
static void schedule_make(void)
{
    fp rest = sakke_q.m;
    int8_t digits[SAKKE_STEPS_MAX];
    size_t n = 0;
    rest.w[0] -= 1;
    for (; fp_zero(&rest) == 0; n++) {
        digits[n] = (int8_t)((rest.w[0] & 1) == 0 ? 0 : (rest.w[0] & 2) == 0 ? 1 : -1);
        fp digit = { { (uint64_t)(digits[n] != 0) } };
        if (digits[n] < 0)
            fp_add(&rest, &rest, &digit, &sakke_p);
        else
            fp_sub(&rest, &rest, &digit, &sakke_p);
        for (size_t i = 0; i < FP_WORDS; i++)
            rest.w[i] = rest.w[i] >> 1 | (i + 1 < FP_WORDS ? rest.w[i + 1] << 63 : 0);
    }
    schedule.steps = n - 1; /* the first digit is 1 and taken by starting from the point itself */
    for (size_t i = 0; i < schedule.steps; i++)
        schedule.add[i] = digits[schedule.steps - 1 - i];
}

const sakke_schedule *sakke_miller_schedule(void)
{
    pthread_once(&schedule_made, schedule_make);
    return &schedule;
}

/* ---- the walk: every point that the loop passes, in Jacobian coordinates ---- */

typedef struct jacobian {
    fp x, y, z;
} jacobian;

static void jacobian_double(jacobian *out, const jacobian *p)
{
    fp delta, gamma, beta, alpha, t, z;
    mul(&delta, &p->z, &p->z);
    mul(&gamma, &p->y, &p->y);
    mul(&beta, &p->x, &gamma);
    sub(&t, &p->x, &delta);
    add(&alpha, &p->x, &delta);
    mul(&alpha, &alpha, &t);
    add(&t, &alpha, &alpha);
    add(&alpha, &alpha, &t);
    mul(&z, &p->y, &p->z);
    add(&out->z, &z, &z);
    add(&beta, &beta, &beta);
    add(&beta, &beta, &beta); /* 4 beta */
    mul(&out->x, &alpha, &alpha);
    sub(&out->x, &out->x, &beta);
    sub(&out->x, &out->x, &beta);
    sub(&t, &beta, &out->x);
    mul(&t, &t, &alpha);
    add(&gamma, &gamma, &gamma);
    mul(&gamma, &gamma, &gamma); /* 4 gamma^2 */
    sub(&t, &t, &gamma);
    sub(&out->y, &t, &gamma);
}

static void jacobian_add(jacobian *out, const jacobian *p, const sakke_affine *q)
{
    fp zz, h, r, hh, hhh, v, t;
    mul(&zz, &p->z, &p->z);
    mul(&h, &q->x, &zz);
    sub(&h, &h, &p->x);
    mul(&r, &zz, &p->z);
    mul(&r, &r, &q->y);
    sub(&r, &r, &p->y);
    mul(&hh, &h, &h);
    mul(&hhh, &hh, &h);
    mul(&v, &p->x, &hh);
    mul(&t, &p->y, &hhh);
    mul(&out->z, &p->z, &h);
    mul(&out->x, &r, &r);
    sub(&out->x, &out->x, &hhh);
    sub(&out->x, &out->x, &v);
    sub(&out->x, &out->x, &v);
    sub(&v, &v, &out->x);
    mul(&out->y, &r, &v);
    sub(&out->y, &out->y, &t);
}

/* For each step: the point before it, and twice that. */
enum { PASSED = 2 * SAKKE_STEPS_MAX };
typedef struct walk {
    jacobian at[PASSED];
    sakke_affine place[PASSED];
    fp inverse[PASSED], scratch[PASSED];
    jacobian end;
    sakke_affine point, opposite;
} walk;

static void walk_pass(walk *w)
{
    const sakke_schedule *s = sakke_miller_schedule();
    jacobian c = { w->point.x, w->point.y, sakke_p.one };
    for (size_t i = 0; i < s->steps; i++) {
        w->at[2 * i] = c;
        jacobian_double(&c, &c);
        w->at[2 * i + 1] = c;
        if (s->add[i] != 0)
            jacobian_add(&c, &c, s->add[i] > 0 ? &w->point : &w->opposite);
    }
    w->end = c;
    poc_wipe(&c, sizeof(c));
}

/* (q - 1)C = -C, which of all orders that divide 4q only q allows. (Infinity is met on the way only by orders 2 and 4, and
 * stays: its z of 0 is refused.) */
static bool walk_ends_opposite(const walk *w)
{
    fp zz, zzz, x, y;
    mul(&zz, &w->end.z, &w->end.z);
    mul(&zzz, &zz, &w->end.z);
    mul(&x, &w->opposite.x, &zz);
    mul(&y, &w->opposite.y, &zzz);
    return (fp_same(&x, &w->end.x) & fp_same(&y, &w->end.y) & ~fp_zero(&w->end.z)) != 0;
}

static poc_err walk_new(walk **out, const sakke_affine *point)
{
    static const fp zero;
    walk *w = poc_vault_new(sizeof(*w));
    *out = w;
    if (w == NULL)
        return POC_E_NOMEM;
    w->point = w->opposite = *point;
    sub(&w->opposite.y, &zero, &point->y);
    walk_pass(w);
    if (walk_ends_opposite(w))
        return POC_OK;
    poc_vault_free(w);
    *out = NULL;
    return POC_E_INPUT;
}

poc_err sakke_point_check(const sakke_affine *point)
{
    walk *w;
    POC_TRY(walk_new(&w, point));
    poc_vault_free(w);
    return POC_OK;
}

/* ---- the lines ---- */

static void walk_places(walk *w, size_t passed)
{
    fp zz;
    for (size_t i = 0; i < passed; i++)
        w->inverse[i] = w->at[i].z;
    fp_inv_all(w->inverse, w->scratch, passed, &sakke_p);
    for (size_t i = 0; i < passed; i++) {
        mul(&zz, &w->inverse[i], &w->inverse[i]);
        mul(&w->place[i].x, &w->at[i].x, &zz);
        mul(&zz, &zz, &w->inverse[i]);
        mul(&w->place[i].y, &w->at[i].y, &zz);
    }
    poc_wipe(&zz, sizeof(zz));
}

/* 1/(2y) of the point before each step; 1/(x2 - x) towards what is added after it. */
static void walk_denominators(walk *w, const sakke_schedule *s)
{
    for (size_t i = 0; i < s->steps; i++) {
        add(&w->inverse[2 * i], &w->place[2 * i].y, &w->place[2 * i].y);
        if (s->add[i] != 0)
            sub(&w->inverse[2 * i + 1], &w->place[2 * i + 1].x, &w->point.x);
        else
            w->inverse[2 * i + 1] = sakke_p.one;
    }
    fp_inv_all(w->inverse, w->scratch, 2 * s->steps, &sakke_p);
}

/* y - yC = slope (x - xC), 3(x^2 - 1)/(2y) being the slope, at (-x, iy). */
static void tangent(sakke_line *out, const sakke_affine *c, const fp *inverse)
{
    fp t, slope;
    mul(&t, &c->x, &c->x);
    sub(&t, &t, &sakke_p.one);
    add(&slope, &t, &t);
    add(&slope, &slope, &t);
    mul(&slope, &slope, inverse);
    mul(&t, &slope, &c->x);
    sub(&out->constant, &t, &c->y);
    out->slope = slope;
    out->height = sakke_p.one;
    poc_wipe(&t, sizeof(t));
    poc_wipe(&slope, sizeof(slope));
}

/* The tangent at C times the line through 2C = (x2, y2) and the point added, over the vertical through 2C, is a parabola:
 *     x^2 + (x2 + l m) x + (x2^2 - 3 - (m - l) y2 - l m x2) - (l + m) y
 * with slopes l and m; taken at (-x, iy). (After Eisentraeger, Lauter and Montgomery.) */
static void parabola(sakke_line *line, const sakke_affine *c2, const sakke_affine *added, const fp *inverse)
{
    static const fp zero;
    fp m, both, t;
    sub(&m, &c2->y, &added->y);
    mul(&m, &m, inverse);
    mul(&both, &line->slope, &m);
    add(&t, &line->slope, &m);
    sub(&line->height, &zero, &t);
    sub(&m, &m, &line->slope);
    mul(&m, &m, &c2->y);
    sub(&t, &c2->x, &both);
    mul(&t, &t, &c2->x); /* x2^2 - l m x2 */
    sub(&t, &t, &m);
    for (size_t i = 0; i < 3; i++)
        sub(&t, &t, &sakke_p.one);
    line->constant = t;
    add(&t, &c2->x, &both);
    sub(&line->slope, &zero, &t);
    poc_wipe(&m, sizeof(m));
    poc_wipe(&both, sizeof(both));
    poc_wipe(&t, sizeof(t));
}

size_t sakke_lines_size(const sakke_kernel *kernel)
{
    return 3 * kernel->const_size * sakke_miller_schedule()->steps;
}

poc_err sakke_lines_of(uint8_t *lines, const sakke_kernel *kernel, const sakke_affine *point)
{
    const sakke_schedule *s = sakke_miller_schedule();
    sakke_line line;
    walk *w;
    POC_TRY(walk_new(&w, point));
    walk_places(w, 2 * s->steps);
    walk_denominators(w, s);
    for (size_t i = 0; i < s->steps; i++, lines += 3 * kernel->const_size) {
        tangent(&line, &w->place[2 * i], &w->inverse[2 * i]);
        if (s->add[i] != 0)
            parabola(&line, &w->place[2 * i + 1], s->add[i] > 0 ? &w->point : &w->opposite, &w->inverse[2 * i + 1]);
        kernel->pack_const(lines, &line.slope);
        kernel->pack_const(lines + kernel->const_size, &line.constant);
        kernel->pack_const(lines + 2 * kernel->const_size, &line.height);
    }
    poc_wipe(&line, sizeof(line));
    poc_vault_free(w);
    return POC_OK;
}
