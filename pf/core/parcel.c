/* MuSiKs on their way: messages for several members are sealed together, shortly before they are handed out, in slices that
 * fill the lanes of the processor and that a host may spread over its threads. Each slice has its chance drawn for it
 * before, so that what comes out is the same, however it was spread, and the host's chance is asked by one thread only. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/csk.h"

enum {
    SPREAD = 8,           /* slices that are made at one time when there are threads for them */
    IV_LEN = 16,          /* of the key parameters */
    NONCE_CHANCE_LEN = 32 /* of a signature */
};

/* A poc_rng over octets that were drawn before. */
typedef struct pool {
    size_t at;
    uint8_t octets[IV_LEN + CORE_LANES * NONCE_CHANCE_LEN];
} pool;

typedef struct run {
    const mcx_seal_params *params;
    const poc_secret *key;
    mcx_seal_job *jobs;
    size_t count;
    pool pools[SPREAD];
} run;

poc_err parcels_init(core_parcels *p, bool is_spread)
{
    p->cap = is_spread ? CORE_LANES * SPREAD : CORE_LANES;
    p->items = calloc(p->cap, sizeof(*p->items));
    p->jobs = calloc(p->cap, sizeof(*p->jobs));
    return p->items == NULL || p->jobs == NULL ? POC_E_NOMEM : POC_OK;
}

void parcels_done(core_parcels *p)
{
    free(p->items);
    free(p->jobs);
}

void parcels_forget(core_parcels *p)
{
    p->count = p->at = 0;
}

static poc_err pool_fill(void *ctx, void *out, size_t n)
{
    pool *p = ctx;
    if (n > sizeof(p->octets) - p->at)
        return POC_E_IO; /* one nonce in 2^255 is drawn again: that message is made another time */
    memcpy(out, p->octets + p->at, n);
    p->at += n;
    return POC_OK;
}

static void seal_slice(void *ctx, size_t slice)
{
    run *r = ctx;
    const poc_rng rng = { pool_fill, &r->pools[slice] };
    const size_t first = slice * CORE_LANES, left = r->count - first;
    (void)mcx_i_message_seal(r->params, r->key, &rng, r->jobs + first, left < CORE_LANES ? left : CORE_LANES);
}

static void seal_all(core_engine *e, run *r)
{
    const size_t slices = (r->count + CORE_LANES - 1) / CORE_LANES;
    for (size_t i = 0; i < r->count; i++)
        r->jobs[i].err = POC_E_IO;
    for (size_t i = 0; i < slices; i++) {
        r->pools[i].at = 0;
        if (e->set.rng.fill(e->set.rng.ctx, r->pools[i].octets, sizeof(r->pools[i].octets)) != POC_OK)
            return;
    }
    if (slices > 1 && e->set.spread != NULL)
        e->set.spread(e->set.spread_user, seal_slice, r, slices);
    else
        for (size_t i = 0; i < slices; i++)
            seal_slice(r, i);
}

static void seal(core_engine *e, const core_msk *key)
{
    core_parcels *p = &e->mcx->parcels;
    const core_scope *scope = p->channel->scope;
    mcx_key_parameters parameters = scope->parameters;
    parameters.activation_s = key->activation_s;
    parameters.expiry_s = key->expiry_s;
    parameters.is_revoked = p->revokes;
    mcx_seal_params params = { .sender = p->signer,
                               .key_id = key->id,
                               .ntp = p->ntp,
                               .ntp_s = identity_ntp_s(e),
                               .cs_id = scope->cs_id,
                               .algorithms = &mcx_aes128_gcm,
                               .algorithm_count = 1,
                               .parameters = &parameters };
    memcpy(params.rand, key->rand, sizeof(params.rand));
    run r = { .params = &params, .key = key->key, .jobs = p->jobs, .count = p->count };
    seal_all(e, &r);
    poc_wipe(r.pools, sizeof(r.pools));
}

/* ---- who goes together ---- */

static core_parcel *find(core_parcels *p, const core_member *m, uint64_t number)
{
    for (; p->at < p->count; p->at++)
        if (p->items[p->at].owner == m && p->items[p->at].number == number)
            return &p->items[p->at];
    return NULL;
}

/* False: it is full, or he needs another signature. Who cannot be sent anything is passed over. */
static bool add(core_engine *e, const core_member *m, uint64_t number)
{
    core_parcels *p = &e->mcx->parcels;
    const core_book *b = kind_book(e, m);
    const mcx_certificate *kms = b == NULL ? NULL : identity_certificate(e, poc_span_str(b->kms_uri));
    if (kms == NULL)
        return true;
    const mcx_identity *signer = identity_signer(e, kms->kms_uri);
    if (p->count == p->cap || signer == NULL || (p->count > 0 && signer != p->signer))
        return false;
    core_parcel *item = &p->items[p->count];
    p->signer = signer;
    item->owner = m;
    item->number = number;
    p->jobs[p->count++] =
        (mcx_seal_job){ .uri = poc_span_str(b->mc_id), .kms = kms, .out = item->room, .cap = sizeof(item->room) };
    return true;
}

typedef struct mail {
    poc_msk_id id; /* 0: no MuSiK, or void */
    bool revokes;
    uint64_t number;
} mail;

static mail mail_of(const core_todo *t)
{
    const core_member *m = t->member;
    if (m == NULL || t->channel->scope == NULL)
        return (mail){ 0 };
    if (t->type == CORE_DO_DOWNLOAD && revoke_is_due(t))
        return (mail){ t->u.revoked.id, true, t->u.revoked.number };
    if (t->type == CORE_DO_OFFER && m->offer == t->u.offer && seal_can(m))
        return (mail){ m->offered_id, false, t->u.offer };
    return (mail){ 0 };
}

/* Up to the next that is about another key: what is sealed beyond it would have to be sealed again. */
static void gather(core_engine *e, const core_member *m, uint64_t number)
{
    core_parcels *p = &e->mcx->parcels;
    bool goes_on = add(e, m, number);
    for (size_t i = 1; goes_on && i < e->todo.count && i < 4 * p->cap; i++) {
        const core_todo *t = ring_at(&e->todo, i);
        const mail next = mail_of(t);
        if (next.id == 0)
            continue;
        const bool is_alike = t->channel == p->channel && next.id == p->id && next.revokes == p->revokes;
        goes_on = is_alike && add(e, t->member, next.number);
    }
}

/* What was sealed ahead has the time of then. When something younger has gone to the user meanwhile, it is made again: his
 * messages leave in the order of their times. */
const mcx_seal_job *parcel_of(core_engine *e, const core_member *m, uint64_t number, const core_msk *key, bool revokes)
{
    core_parcels *p = &e->mcx->parcels;
    core_book *b = kind_book(e, m);
    if (b == NULL)
        return NULL;
    core_parcel *item =
        p->channel == m->channel && p->id == key->id && p->revokes == revokes ? find(p, m, number) : NULL;
    if (item == NULL || p->ntp < b->last_ntp) {
        *p = (core_parcels){ .cap = p->cap, .items = p->items, .jobs = p->jobs };
        p->channel = m->channel;
        p->id = key->id;
        p->revokes = revokes;
        p->ntp = identity_ntp(e);
        gather(e, m, number);
        if (p->count > 0)
            seal(e, key);
        item = find(p, m, number);
    }
    if (item == NULL)
        return NULL;
    b->last_ntp = p->ntp;
    return &p->jobs[p->at++];
}
