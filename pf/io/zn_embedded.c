#include "pf/io/zn_embedded.h"

#include <stdlib.h>

#include "pf/io/now.h"
#include "pf/io/wake.h"

/** An answer on its way to its asker: like an outer BSF, this one answers from the loop. */
typedef struct zn_pending {
    struct zn_pending *next;
    zn_done_fn *done;
    void *user;
    poc_err err;
    gba_zn_answer answer;
} zn_pending;

typedef struct zn_embedded {
    zn zn; /* first: the interface points here */
    gba_bsf *bsf;
    wake *later;
    zn_pending *first, **last;
} zn_embedded;

static void pending_free(zn_pending *p)
{
    gba_zn_answer_done(&p->answer);
    free(p);
}

static zn_pending *take_first(zn_embedded *z)
{
    zn_pending *p = z->first;
    if (p == NULL)
        return NULL;
    z->first = p->next;
    if (z->first == NULL)
        z->last = &z->first;
    return p;
}

/** Answers one at a time: an asker may ask again or cancel another while he is told. */
static void answer_all(void *user)
{
    zn_embedded *z = (zn_embedded *)user;
    zn_pending *p;
    while ((p = take_first(z)) != NULL) {
        p->done(p->user, p->err, p->err == POC_OK ? &p->answer : NULL);
        pending_free(p);
    }
}

static poc_err ask(zn *base, poc_span btid, poc_span naf_id, zn_done_fn *done, void *user)
{
    zn_embedded *z = (zn_embedded *)base;
    zn_pending *p = (zn_pending *)calloc(1, sizeof(*p));
    if (p == NULL)
        return POC_E_NOMEM;
    p->done = done;
    p->user = user;
    p->err = gba_bsf_zn(z->bsf, io_now_ms() / 1000, btid, naf_id, &p->answer);
    *z->last = p;
    z->last = &p->next;
    wake_soon(z->later);
    return POC_OK;
}

static void cancel(zn *base, void *user)
{
    zn_embedded *z = (zn_embedded *)base;
    zn_pending **at = &z->first;
    while (*at != NULL) {
        zn_pending *p = *at;
        if (p->user != user) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        pending_free(p);
    }
    z->last = at;
}

static void release(zn *base)
{
    zn_embedded *z = (zn_embedded *)base;
    zn_pending *p;
    while ((p = take_first(z)) != NULL)
        pending_free(p);
    wake_free(z->later);
    free(z);
}

static const zn_ops embedded_ops = { .ask = ask, .cancel = cancel, .free = release };

poc_err zn_embedded_new(zn **out, su_root_t *root, gba_bsf *bsf)
{
    zn_embedded *z = (zn_embedded *)calloc(1, sizeof(*z));
    *out = NULL;
    if (z == NULL)
        return POC_E_NOMEM;
    z->zn.ops = &embedded_ops;
    z->bsf = bsf;
    z->last = &z->first;
    poc_err err = wake_new(&z->later, root, answer_all, z);
    if (err != POC_OK) {
        release(&z->zn);
        return err;
    }
    *out = &z->zn;
    return POC_OK;
}
