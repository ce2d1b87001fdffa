/* Sealing in batches: messages of one key are made for many members at once, shortly before they are handed out. Sealing
 * is a pure function of the MUK and the counter, so a message that is needed again is made again, octet for octet. */
#include "pf/core/model.h"

const core_msk *seal_key(const core_channel *ch, poc_msk_id id)
{
    if (ch->keys.next != NULL && ch->keys.next->id == id)
        return ch->keys.next;
    return ch->keys.current != NULL && ch->keys.current->id == id ? ch->keys.current : NULL;
}

/* A counter belongs to the MUK that it was drawn from. */
bool seal_can(const core_member *m)
{
    return m->state != M_OUT && m->muk_no == m->user->muk_no && seal_key(m->channel, m->offered_id) != NULL;
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

void seal_forget(core_engine *e)
{
    e->batch.count = e->batch.at = 0;
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

static void put(core_engine *e, const core_member *m, uint32_t counter)
{
    core_batch *b = &e->batch;
    b->owners[b->count] = m;
    b->jobs[b->count] = (mikey_msk_job){ .muk = m->user->muk.key,
                                         .idr = poc_span_of(m->user->btid, m->user->btid_len),
                                         .counter = counter,
                                         .out = b->room[b->count],
                                         .cap = CORE_SEAL_ROOM };
    b->count++;
}

void seal_begin(core_engine *e, const core_member *m)
{
    core_batch *b = &e->batch;
    b->count = b->at = 0;
    b->channel = m->channel;
    b->msk_id = m->offered_id;
    b->sdp_ids = wants_sdp_ids(e, m);
    put(e, m, m->counter);
}

bool seal_add(core_engine *e, const core_member *m)
{
    if (e->batch.count == CORE_SEAL_BATCH || !is_alike(e, m))
        return false;
    put(e, m, m->counter);
    return true;
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
    (void)mikey_msk_seal(&params, key->key, b->jobs, b->count); /* each job says for itself */
}

/* Key number 0, no key, nothing to verify. */
const mikey_msk_job *seal_solicit(core_engine *e, const core_member *m, uint32_t counter)
{
    const core_keygroup *g = m->channel->group;
    mikey_msk_params params = params_of(e, m->channel);
    params.msk_id = poc_msk_id_of((uint16_t)(g->name[3] << 8 | g->name[4]), 0);
    seal_forget(e);
    put(e, m, counter);
    mikey_msk_job *job = &e->batch.jobs[0];
    job->err = e->set.rng.fill(e->set.rng.ctx, params.rand, sizeof(params.rand));
    if (job->err == POC_OK)
        (void)mikey_msk_seal(&params, NULL, job, 1);
    seal_forget(e);
    return job;
}
