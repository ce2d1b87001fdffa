#include <stdlib.h>
#include <string.h>

#include "ue/core/core.h"

enum { MISSED_MAX = 8 };

typedef struct ring_row {
    poc_msk_id id;
    uint16_t seq_high;
    bool outrun; /* MTK IDs beyond seq_high are on air */
} ring_row;

struct ue_ring {
    poc_key_domain domain;
    bool has_group;
    uint16_t group; /* the only one that is expected */
    bcast_receiver *receiver;
    ring_row rows[UE_RING_MAX]; /* newest first; deleted ones are asked away at the receiver */
    size_t count;
    poc_msk_id missed[MISSED_MAX]; /* reported already, a ring */
    size_t missed_count;
};

poc_err ue_ring_new(ue_ring **out, poc_key_domain domain, size_t msks_per_group)
{
    POC_OWNED(ue_ring, r, ue_ring_free);
    *out = NULL;
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return POC_E_NOMEM;
    r->domain = domain;
    POC_TRY(bcast_receiver_new(&r->receiver, domain));
    bcast_receiver_keep(r->receiver, msks_per_group);
    *out = POC_RELEASE(r);
    return POC_OK;
}

void ue_ring_free(ue_ring *r)
{
    if (r == NULL)
        return;
    bcast_receiver_free(r->receiver);
    free(r);
}

bool ue_ring_serves(const ue_ring *r, poc_key_domain domain)
{
    return poc_key_domain_eq(r->domain, domain);
}

bcast_receiver *ue_ring_receiver(ue_ring *r)
{
    return r->receiver;
}

void ue_ring_expect(ue_ring *r, uint16_t key_group)
{
    r->has_group = true;
    r->group = key_group;
}

/* r->count: there is none. */
static size_t row_find(const ue_ring *r, poc_msk_id id)
{
    size_t at = 0;
    while (at < r->count && r->rows[at].id != id)
        at++;
    return at;
}

static void row_to_front(ue_ring *r, ring_row row)
{
    size_t at = row_find(r, row.id);
    if (at == r->count && r->count < UE_RING_MAX)
        r->count++;
    if (at == UE_RING_MAX)
        at--;
    memmove(r->rows + 1, r->rows, at * sizeof(r->rows[0]));
    r->rows[0] = row;
}

poc_err ue_ring_add(ue_ring *r, const ue_key_message *m)
{
    if (!ue_ring_serves(r, m->msk.key_domain))
        return POC_E_DENIED;
    bcast_msk msk = { .key_domain = m->msk.key_domain,
                      .id = m->msk.msk_id,
                      .seq_low = m->msk.seq_low,
                      .seq_high = m->msk.seq_high,
                      .csb_id = m->msk.csb_id,
                      .rand_len = (uint8_t)m->msg.rand.n,
                      .key = m->msk.msk };
    memcpy(msk.rand, m->msg.rand.p, m->msg.rand.n);
    POC_TRY(bcast_receiver_add_msk(r->receiver, &msk));
    if (bcast_receiver_has_msk(r->receiver, msk.id))
        row_to_front(r, (ring_row){ .id = msk.id, .seq_high = msk.seq_high });
    return POC_OK;
}

static bool is_held(const ue_ring *r, const ring_row *row)
{
    return bcast_receiver_has_msk(r->receiver, row->id);
}

size_t ue_ring_ids(const ue_ring *r, poc_msk_id *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (!is_held(r, &r->rows[i]))
            continue;
        if (n < cap)
            out[n] = r->rows[i].id;
        n++;
    }
    return n;
}

bool ue_ring_has_valid(const ue_ring *r, uint16_t key_group)
{
    for (size_t i = 0; i < r->count; i++)
        if (poc_msk_group(r->rows[i].id) == key_group && !r->rows[i].outrun && is_held(r, &r->rows[i]))
            return true;
    return false;
}

bool ue_ring_is_of(const ue_ring *r, uint16_t key_group)
{
    bool knows_any = r->has_group;
    if (r->has_group && r->group == key_group)
        return true;
    for (size_t i = 0; i < r->count; i++) {
        if (poc_msk_group(r->rows[i].id) == key_group)
            return true;
        knows_any = true;
    }
    return !knows_any;
}

/* MKIs on air are readable before they are authentic: foreign groups and past key numbers are nobody's reason to ask the
 * PF for keys. */
bool ue_ring_wants(const ue_ring *r, poc_mki mki)
{
    const size_t known = row_find(r, mki.msk_id);
    if (known < r->count && is_held(r, &r->rows[known]))
        return mki.mtk_id > r->rows[known].seq_high;
    if (poc_msk_number(mki.msk_id) == 0 || !ue_ring_is_of(r, poc_msk_group(mki.msk_id)))
        return false;
    for (size_t i = 0; i < r->count; i++)
        if (poc_msk_group(r->rows[i].id) == poc_msk_group(mki.msk_id) &&
            !ue_key_number_after(poc_msk_number(mki.msk_id), poc_msk_number(r->rows[i].id)))
            return false;
    return true;
}

static bool is_first_time(ue_ring *r, poc_msk_id id)
{
    for (size_t i = 0; i < MISSED_MAX && i < r->missed_count; i++)
        if (r->missed[i] == id)
            return false;
    r->missed[r->missed_count++ % MISSED_MAX] = id;
    return true;
}

bool ue_ring_missed(ue_ring *r, poc_mki mki)
{
    const size_t known = row_find(r, mki.msk_id);
    if (!ue_ring_wants(r, mki))
        return false;
    if (known == r->count)
        return is_first_time(r, mki.msk_id);
    bool first = !r->rows[known].outrun;
    r->rows[known].outrun = true;
    return first;
}
