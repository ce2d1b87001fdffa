/* Sealing in batches: messages of one key are made for many members at once, shortly before they are handed out. Sealing
 * is a pure function of the MUK and the counter, so a message that is needed again is made again, octet for octet.
 *
 * A host that can spread work gets batches of several slices. Its threads then read MUKs and the MSK while the engine's
 * own thread waits for them inside seal_run: nobody changes or frees a secret meanwhile, and reading one takes no lock. */
#include <stdlib.h>

#include "pf/core/model.h"

poc_err seal_init(core_engine *e)
{
    core_batch *b = &e->batch;
    b->cap = e->set.spread == NULL ? CORE_SEAL_SLICE : CORE_SEAL_WIDE;
    b->owners = calloc(b->cap + 1, sizeof(*b->owners));
    b->jobs = calloc(b->cap + 1, sizeof(*b->jobs));
    b->room = calloc(b->cap + 1, sizeof(*b->room));
    return b->owners == NULL || b->jobs == NULL || b->room == NULL ? POC_E_NOMEM : POC_OK;
}

void seal_done(core_engine *e)
{
    free(e->batch.owners);
    free(e->batch.jobs);
    free(e->batch.room);
}

const core_msk *seal_key(const core_channel *ch, poc_msk_id id)
{
    if (ch->keys.next != NULL && ch->keys.next->id == id)
        return ch->keys.next;
    return ch->keys.current != NULL && ch->keys.current->id == id ? ch->keys.current : NULL;
}

/* A counter belongs to the MUK that it was drawn from. */
bool seal_can(const core_member *m)
{
    return m->state != M_OUT && m->channel->kind->can_seal(m) && seal_key(m->channel, m->offered_id) != NULL;
}

static mikey_msk_params params_of(const core_engine *e, const core_channel *ch)
{
    mikey_msk_params p = { .seq_low = 0,
                           .seq_high = UINT16_MAX,
                           .key_type = MIKEY_TGK,
                           .idi_type = e->set.idi_fqdn ? MIKEY_ID_NAI : MIKEY_ID_URI,
                           .idi = e->set.naf_id,
                           .idr_type = MIKEY_ID_NAI };
    for (size_t i = 0; i < POC_KEY_DOMAIN_LEN; i++)
        p.key_domain.b[i] = ch->group->name[i];
    return p;
}

/*= RFC 4567, 7: the SDP IDs extension belongs into messages inside SDP. One that goes both ways is one message. */
static bool wants_sdp_ids(const core_engine *e, const core_member *m)
{
    return e->set.sdp_ids && (m->ways & CORE_BY_SIP) != 0;
}

void seal_forget_member(core_engine *e, const core_member *m)
{
    core_batch *b = &e->batch;
    for (size_t i = b->at; i < b->count; i++)
        if (b->owners[i] == m)
            b->owners[i] = NULL;
}

void seal_forget_user(core_engine *e, const core_user *u)
{
    core_batch *b = &e->batch;
    for (size_t i = b->at; i < b->count; i++)
        if (b->owners[i] != NULL && b->owners[i]->user == u)
            b->owners[i] = NULL;
}

static bool is_alike(const core_engine *e, const core_member *m)
{
    const core_batch *b = &e->batch;
    return b->channel == m->channel && b->msk_id == m->offered_id && b->sdp_ids == wants_sdp_ids(e, m);
}

const mikey_msk_job *seal_find(core_engine *e, const core_member *m)
{
    core_batch *b = &e->batch;
    if (b->count == 0 || !is_alike(e, m))
        return NULL;
    for (size_t i = b->at; i < b->count; i++)
        if (b->owners[i] == m && b->jobs[i].counter == m->counter) {
            b->at = i + 1;
            return &b->jobs[i];
        }
    return NULL;
}

static mikey_msk_job *job_at(core_batch *b, size_t i, const core_member *m, uint32_t counter)
{
    b->jobs[i] = (mikey_msk_job){ .muk = m->user->muk.key,
                                  .idr = poc_span_of(m->user->btid, m->user->btid_len),
                                  .counter = counter,
                                  .out = b->room[i],
                                  .cap = CORE_SEAL_ROOM };
    return &b->jobs[i];
}

static void put(core_batch *b, const core_member *m)
{
    b->owners[b->count] = m;
    (void)job_at(b, b->count++, m, m->counter);
}

void seal_begin(core_engine *e, const core_member *m)
{
    core_batch *b = &e->batch;
    b->count = b->at = 0;
    b->channel = m->channel;
    b->msk_id = m->offered_id;
    b->sdp_ids = wants_sdp_ids(e, m);
    put(b, m);
}

bool seal_add(core_engine *e, const core_member *m)
{
    if (e->batch.count == e->batch.cap || !is_alike(e, m))
        return false;
    put(&e->batch, m);
    return true;
}

/* What all slices read, and the jobs, of which each slice writes its own. */
typedef struct seal_work {
    const mikey_msk_params *params;
    const poc_secret *msk;
    mikey_msk_job *jobs;
    size_t count;
} seal_work;

static void seal_slice(void *ctx, size_t slice)
{
    const seal_work *w = ctx;
    size_t first = slice * CORE_SEAL_SLICE, left = w->count - first;
    size_t n = left < CORE_SEAL_SLICE ? left : CORE_SEAL_SLICE;
    (void)mikey_msk_seal(w->params, w->msk, w->jobs + first, n); /* each job says for itself */
}

void seal_run(core_engine *e)
{
    core_batch *b = &e->batch;
    const core_msk *key = seal_key(b->channel, b->msk_id);
    mikey_msk_params params = params_of(e, b->channel);
    params.msk_id = key->id;
    params.csb_id = key->csb_id;
    params.wants_verification = e->set.require_verification;
    params.sdp_ids = b->sdp_ids;
    for (size_t i = 0; i < CORE_RAND_LEN; i++)
        params.rand[i] = key->rand[i];
    seal_work work = { &params, key->key, b->jobs, b->count };
    size_t slices = (b->count + CORE_SEAL_SLICE - 1) / CORE_SEAL_SLICE;
    if (slices >= CORE_SEAL_SPREAD && e->set.spread != NULL)
        e->set.spread(e->set.spread_user, seal_slice, &work, slices);
    else
        for (size_t i = 0; i < slices; i++)
            seal_slice(&work, i);
}

/* Key number 0, no key, nothing to verify. It has a place of its own behind the batch. */
const mikey_msk_job *seal_solicit(core_engine *e, const core_member *m, uint32_t counter)
{
    const core_keygroup *g = m->channel->group;
    mikey_msk_params params = params_of(e, m->channel);
    params.msk_id = poc_msk_id_of((uint16_t)(g->name[3] << 8 | g->name[4]), 0);
    mikey_msk_job *job = job_at(&e->batch, e->batch.cap, m, counter);
    job->err = e->set.rng.fill(e->set.rng.ctx, params.rand, sizeof(params.rand));
    if (job->err == POC_OK)
        (void)mikey_msk_seal(&params, NULL, job, 1);
    return job;
}
