#include <stdlib.h>
#include <string.h>

#include "ue/core/core.h"

#define KEPT 2u /* of one scope: the key in force and the one before */

typedef struct entry {
    mcx_opened opened; /* its key NULL: revoked */
    mcx_algorithm algorithm;
    bool is_proposed;
    uint8_t digest[POC_SHA256_LEN]; /* of the last message about it; zeros for a CSK of one's own */
    mcx_srtcp *srtcp;               /* NULL until it is used */
} entry;

/* Oldest first. */
struct ue_mcx_ring {
    entry *entries[UE_MCX_RING_MAX];
    size_t count;
    uint32_t skew_s;
    bool keeps_all;
    entry *spare; /* so that what was accepted always finds its place */
};

static void entry_free(entry *e)
{
    if (e == NULL)
        return;
    mcx_opened_done(&e->opened);
    mcx_srtcp_free(e->srtcp);
    free(e);
}

poc_err ue_mcx_ring_new(ue_mcx_ring **out, uint32_t skew_s, bool keeps_all)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return POC_E_NOMEM;
    (*out)->skew_s = skew_s;
    (*out)->keeps_all = keeps_all;
    return POC_OK;
}

void ue_mcx_ring_clear(ue_mcx_ring *r)
{
    for (size_t i = 0; i < r->count; i++)
        entry_free(r->entries[i]);
    r->count = 0;
}

void ue_mcx_ring_free(ue_mcx_ring *r)
{
    if (r == NULL)
        return;
    ue_mcx_ring_clear(r);
    free(r->spare);
    free(r);
}

static entry *entry_find(const ue_mcx_ring *r, uint32_t id)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->entries[i]->opened.key_id == id)
            return r->entries[i];
    }
    return NULL;
}

static void entry_remove(ue_mcx_ring *r, size_t at)
{
    entry_free(r->entries[at]);
    r->count--;
    memmove(&r->entries[at], &r->entries[at + 1], (r->count - at) * sizeof(entry *));
}

static bool is_revoked(const entry *e)
{
    return e->opened.key == NULL;
}

/* ---- times ---- */

static bool is_over(const entry *e, uint64_t now_s)
{
    return e->opened.parameters.expiry_s != 0 && e->opened.parameters.expiry_s <= now_s;
}

static bool is_active(const entry *e, uint64_t now_s)
{
    return !is_revoked(e) && e->opened.parameters.activation_s <= now_s && !is_over(e, now_s);
}

static bool is_readable(const ue_mcx_ring *r, const entry *e, uint64_t now_s)
{
    return !is_revoked(e) &&
           (r->keeps_all || (e->opened.parameters.activation_s <= now_s + r->skew_s && !is_over(e, now_s)));
}

/* ---- scopes ---- */

static bool has_group(const entry *e, poc_span group)
{
    const mcx_key_parameters *p = &e->opened.parameters;
    for (size_t i = 0; i < p->group_count; i++) {
        if (poc_span_eq(p->groups[i], group))
            return true;
    }
    return false;
}

/* One of them takes the place of the other in time: all CSKs are for one user, a MuSiK is for its groups or its region. */
static bool is_same_scope(const entry *a, const entry *b)
{
    const mcx_key_parameters *p = &a->opened.parameters, *q = &b->opened.parameters;
    if (a->opened.type != b->opened.type)
        return false;
    if (a->opened.type == MCX_CSK)
        return true;
    if (p->group_count != q->group_count || !poc_span_eq(p->text, q->text))
        return false;
    for (size_t i = 0; i < p->group_count; i++) {
        if (!has_group(b, p->groups[i]))
            return false;
    }
    return true;
}

static bool is_superseded(const ue_mcx_ring *r, size_t at, uint64_t now_s)
{
    size_t later = 0;
    for (size_t i = at + 1; i < r->count; i++) {
        const entry *e = r->entries[i];
        if (is_active(e, now_s) && !e->is_proposed && is_same_scope(e, r->entries[at]))
            later++;
    }
    return later >= KEPT;
}

void ue_mcx_ring_tick(ue_mcx_ring *r, uint64_t now_s)
{
    if (r->keeps_all)
        return;
    for (size_t i = r->count; i > 0; i--) {
        const entry *e = r->entries[i - 1];
        const bool is_done = is_revoked(e) ? false : is_over(e, now_s) || is_superseded(r, i - 1, now_s);
        if (is_done)
            entry_remove(r, i - 1);
    }
}

static void sooner(uint64_t *at_s, uint64_t now_s, uint64_t other_s)
{
    if (other_s > now_s && other_s < *at_s)
        *at_s = other_s;
}

uint64_t ue_mcx_ring_deadline_s(const ue_mcx_ring *r, uint64_t now_s)
{
    uint64_t at_s = UINT64_MAX;
    for (size_t i = 0; i < r->count; i++) {
        const mcx_key_parameters *p = &r->entries[i]->opened.parameters;
        if (is_revoked(r->entries[i]))
            continue;
        sooner(&at_s, now_s, p->activation_s);
        sooner(&at_s, now_s, p->expiry_s);
    }
    return at_s;
}

/* ---- keys coming in ---- */

poc_err ue_mcx_ring_reserve(ue_mcx_ring *r)
{
    if (r->spare == NULL)
        r->spare = calloc(1, sizeof(entry));
    return r->spare == NULL ? POC_E_NOMEM : POC_OK;
}

/* Room for one more: when all places are taken, the mark that is left of the key revoked first goes. */
static poc_err room_make(ue_mcx_ring *r)
{
    POC_TRY(ue_mcx_ring_reserve(r));
    for (size_t i = 0; i < r->count && r->count == UE_MCX_RING_MAX; i++) {
        if (is_revoked(r->entries[i]))
            entry_remove(r, i);
    }
    return r->count < UE_MCX_RING_MAX ? POC_OK : POC_E_LIMIT;
}

static entry *entry_add(ue_mcx_ring *r, mcx_opened *opened, const mcx_algorithm *algorithm)
{
    entry *e = r->spare;
    r->spare = NULL;
    *e = (entry){ .opened = *opened, .algorithm = *algorithm };
    *opened = (mcx_opened){ .key = NULL };
    r->entries[r->count++] = e;
    return e;
}

poc_err ue_mcx_ring_propose(ue_mcx_ring *r, mcx_opened *opened, const mcx_algorithm *algorithm)
{
    POC_TRY(room_make(r));
    (void)ue_mcx_ring_settle(r, false); /* a former proposal */
    entry_add(r, opened, algorithm)->is_proposed = true;
    return POC_OK;
}

bool ue_mcx_ring_settle(ue_mcx_ring *r, bool is_accepted)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!r->entries[i]->is_proposed)
            continue;
        r->entries[i]->is_proposed = false;
        if (!is_accepted)
            entry_remove(r, i);
        return true;
    }
    return false;
}

static const char *misfit(const entry *e, const mcx_opened *o)
{
    if (is_revoked(e))
        return "a key that was revoked does not come back";
    if (!poc_secret_eq(e->opened.key, o->key))
        return "the id is that of another key";
    if (!o->parameters.is_revoked &&
        (!mcx_algorithm_eq(&e->algorithm, &o->offer.algorithms[0]) || e->opened.cs_id != o->cs_id ||
         e->opened.rand_len != o->rand_len || memcmp(e->opened.rand, o->rand, o->rand_len) != 0))
        return "a key that is held is to be used in another way";
    return NULL;
}

/* Only the id is left, so that the key cannot come back. */
static void revoke(entry *e)
{
    const uint32_t id = e->opened.key_id;
    const mcx_key_type type = e->opened.type;
    mcx_opened_done(&e->opened);
    mcx_srtcp_free(e->srtcp);
    e->srtcp = NULL;
    e->is_proposed = false;
    e->opened.key_id = e->opened.csb_id = id;
    e->opened.type = type;
}

static bool is_parameters_eq(const entry *e, const mcx_opened *o)
{
    const entry other = { .opened = *o };
    return e->opened.parameters.activation_s == o->parameters.activation_s &&
           e->opened.parameters.expiry_s == o->parameters.expiry_s &&
           poc_span_eq(e->opened.parameters.text, o->parameters.text) && is_same_scope(e, &other);
}

/* The key and what works under it stay, with their indexes; all else is as the message says. */
static ue_mcx_change renew(entry *e, mcx_opened *opened)
{
    const bool is_same = is_parameters_eq(e, opened);
    mcx_opened_done(&e->opened);
    e->opened = *opened;
    *opened = (mcx_opened){ .key = NULL };
    return is_same ? UE_MCX_SAME : UE_MCX_CHANGED;
}

poc_err ue_mcx_ring_take(ue_mcx_ring *r, mcx_opened *opened, const uint8_t digest[POC_SHA256_LEN],
                         ue_mcx_change *change, const char **why)
{
    entry *e = entry_find(r, opened->key_id);
    *change = UE_MCX_SAME;
    *why = e == NULL ? NULL : misfit(e, opened);
    if (*why != NULL)
        return POC_E_DENIED;
    if (opened->parameters.is_revoked && (e == NULL || r->keeps_all)) {
        mcx_opened_done(opened);
        return POC_OK;
    }
    if (e == NULL) {
        *why = "no room for another key";
        POC_TRY(room_make(r));
        e = entry_add(r, opened, &opened->offer.algorithms[0]);
        *change = UE_MCX_NEW;
    } else if (opened->parameters.is_revoked) {
        revoke(e);
        mcx_opened_done(opened);
        *change = UE_MCX_REVOKED;
    } else {
        *change = renew(e, opened);
    }
    memcpy(e->digest, digest, sizeof(e->digest));
    return POC_OK;
}

bool ue_mcx_ring_knows(const ue_mcx_ring *r, const uint8_t digest[POC_SHA256_LEN])
{
    for (size_t i = 0; i < r->count; i++) {
        if (memcmp(r->entries[i]->digest, digest, POC_SHA256_LEN) == 0)
            return true;
    }
    return false;
}

/* ---- what is there ---- */

uint32_t ue_mcx_ring_csk(const ue_mcx_ring *r, uint64_t now_s)
{
    for (size_t i = r->count; i > 0; i--) {
        const entry *e = r->entries[i - 1];
        if (e->opened.type == MCX_CSK && !e->is_proposed && is_active(e, now_s))
            return e->opened.key_id;
    }
    return 0;
}

uint32_t ue_mcx_ring_musik(const ue_mcx_ring *r, uint64_t now_s, poc_span group)
{
    uint32_t general = 0;
    for (size_t i = r->count; i > 0; i--) {
        const entry *e = r->entries[i - 1];
        if (e->opened.type != MCX_MUSIK || !is_active(e, now_s))
            continue;
        if (has_group(e, group))
            return e->opened.key_id;
        if (general == 0 && e->opened.parameters.group_count == 0)
            general = e->opened.key_id;
    }
    return general;
}

bool ue_mcx_ring_hears(const ue_mcx_ring *r, uint64_t now_s)
{
    bool hears = false;
    for (size_t i = 0; i < r->count; i++)
        hears = hears || (r->entries[i]->opened.type == MCX_MUSIK && is_readable(r, r->entries[i], now_s));
    return hears;
}

bool ue_mcx_ring_is_taken(const ue_mcx_ring *r, uint32_t id)
{
    return entry_find(r, id) != NULL;
}

bool ue_mcx_ring_at(const ue_mcx_ring *r, size_t nth, ue_mcx_key *out)
{
    if (nth >= r->count)
        return false;
    const entry *e = r->entries[nth];
    const mcx_key_parameters *p = &e->opened.parameters;
    *out = (ue_mcx_key){ .id = e->opened.key_id,
                         .type = e->opened.type,
                         .algorithm = e->algorithm,
                         .activation_s = p->activation_s,
                         .expiry_s = p->expiry_s,
                         .is_proposed = e->is_proposed,
                         .is_revoked = is_revoked(e),
                         .name = p->text,
                         .groups = p->groups,
                         .group_count = p->group_count };
    return true;
}

const poc_secret *ue_mcx_ring_key(const ue_mcx_ring *r, uint32_t id)
{
    const entry *e = entry_find(r, id);
    return e == NULL ? NULL : e->opened.key;
}

/* ---- control packets ---- */

static poc_err srtcp_make(entry *e)
{
    const mcx_srtp_context context = { .csb_id = e->opened.csb_id,
                                       .cs_id = e->opened.cs_id,
                                       .rand = poc_span_of(e->opened.rand, e->opened.rand_len) };
    return e->srtcp != NULL ? POC_OK : mcx_srtcp_new(&e->srtcp, e->opened.key, &context, &e->algorithm);
}

poc_err ue_mcx_ring_protect(ue_mcx_ring *r, uint64_t now_s, uint32_t id, poc_wr *out, poc_span clear)
{
    entry *e = entry_find(r, id);
    if (e == NULL || e->is_proposed || !is_active(e, now_s))
        return POC_E_STATE;
    POC_TRY(srtcp_make(e));
    return mcx_srtcp_protect(e->srtcp, out, clear);
}

poc_err ue_mcx_ring_unprotect(ue_mcx_ring *r, uint64_t now_s, mcx_key_type type, uint8_t *out, size_t *n,
                              poc_span packet, uint32_t *key_id)
{
    mcx_srtcp_view view;
    mcx_key_type said;
    POC_TRY(mcx_srtcp_look(&view, packet));
    *key_id = view.key_id;
    POC_TRY(mcx_key_type_of(&said, view.key_id));
    if (said != type)
        return POC_E_DENIED;
    entry *e = entry_find(r, view.key_id);
    if (e == NULL || !is_readable(r, e, now_s))
        return POC_E_STATE;
    POC_TRY(srtcp_make(e));
    return mcx_srtcp_unprotect(e->srtcp, out, n, packet);
}
