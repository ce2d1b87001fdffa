#include <stdlib.h>
#include <string.h>

#include "ue/core/core.h"

enum { MISSED_MAX = 8 };

struct ue_ring {
    poc_key_domain domain;
    bcast_receiver *receiver;
    poc_msk_id ids[UE_RING_MAX]; /* newest first; deleted ones are asked away at the receiver */
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

static void id_to_front(ue_ring *r, poc_msk_id id)
{
    size_t at = 0;
    while (at < r->count && r->ids[at] != id)
        at++;
    if (at == r->count && r->count < UE_RING_MAX)
        r->count++;
    if (at == UE_RING_MAX)
        at--;
    memmove(r->ids + 1, r->ids, at * sizeof(r->ids[0]));
    r->ids[0] = id;
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
        id_to_front(r, msk.id);
    return POC_OK;
}

size_t ue_ring_ids(const ue_ring *r, poc_msk_id *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (!bcast_receiver_has_msk(r->receiver, r->ids[i]))
            continue;
        if (n < cap)
            out[n] = r->ids[i];
        n++;
    }
    return n;
}

static bool is_newer(uint16_t a, uint16_t b)
{
    return a != b && (uint16_t)(a - b) < 0x8000u;
}

/* MKIs on air are readable before they are authentic: foreign groups and past key numbers are nobody's reason to ask the
 * PF for keys. */
static bool is_worth_asking(const ue_ring *r, poc_msk_id id)
{
    bool knows_group = false;
    for (size_t i = 0; i < r->count; i++) {
        if (poc_msk_group(r->ids[i]) != poc_msk_group(id))
            continue;
        knows_group = true;
        if (!is_newer(poc_msk_number(id), poc_msk_number(r->ids[i])))
            return false;
    }
    return knows_group || r->count == 0;
}

bool ue_ring_missed(ue_ring *r, poc_msk_id id)
{
    if (bcast_receiver_has_msk(r->receiver, id) || !is_worth_asking(r, id))
        return false;
    for (size_t i = 0; i < MISSED_MAX && i < r->missed_count; i++)
        if (r->missed[i] == id)
            return false;
    r->missed[r->missed_count++ % MISSED_MAX] = id;
    return true;
}
