/* MSKs: made from fresh randomness with an id that never repeats, rolled in one place, wiped when the last one who must
 * hand them on has done so. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

poc_err keyset_group(core_engine *e, const uint8_t name[POC_KEY_DOMAIN_LEN + 2], core_keygroup **out)
{
    *out = poc_table_get(&e->keygroups, poc_span_of(name, POC_KEY_DOMAIN_LEN + 2));
    if (*out != NULL)
        return POC_OK;
    core_keygroup *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return POC_E_NOMEM;
    g->durable.kind = RECORD_KEYGROUP;
    memcpy(g->name, name, sizeof(g->name));
    poc_err err = poc_table_put(&e->keygroups, poc_span_of(g->name, sizeof(g->name)), g);
    if (err != POC_OK)
        free(g);
    *out = err == POC_OK ? g : NULL;
    return err;
}

poc_err keyset_make(core_engine *e, core_msk **out)
{
    core_msk *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return POC_E_NOMEM;
    k->refs = 1;
    poc_err err = poc_secret_random(&k->key, POC_MSK_LEN, &e->set.rng);
    /*= RFC 3830, 8.1: one RAND and one CSB ID per group key, the same for every member, since MTK messages carry
     *  neither. */
    if (err == POC_OK)
        err = e->set.rng.fill(e->set.rng.ctx, k->rand, sizeof(k->rand));
    if (err != POC_OK) {
        keyset_unref(k);
        return err;
    }
    *out = k;
    return POC_OK;
}

core_msk *keyset_ref(core_msk *k)
{
    if (k != NULL)
        k->refs++;
    return k;
}

void keyset_unref(core_msk *k)
{
    if (k == NULL || --k->refs > 0)
        return;
    poc_secret_free(k->key);
    free(k);
}

poc_err keyset_next(core_engine *e, core_channel *ch, core_msk **slot)
{
    if (e->spare == NULL)
        POC_TRY(keyset_make(e, &e->spare));
    POC_TRY(ch->kind->name(e, ch, e->spare));
    keyset_unref(*slot);
    *slot = e->spare;
    e->spare = NULL;
    return POC_OK;
}

void keyset_roll(core_keyset *ks)
{
    ks->previous_id = ks->current == NULL ? 0 : ks->current->id;
    keyset_unref(ks->current);
    ks->current = ks->next;
    ks->next = NULL;
}

/* Which of the keys that were thrown away meanwhile he had besides is not known: he counts as having had the current one. */
void keyset_let_stray(core_keyset *ks, poc_msk_id given)
{
    if (given != 0 && ks->current != NULL)
        ks->current->astray = true;
    if (ks->next != NULL && given == ks->next->id)
        ks->next->astray = true;
}

static bool may_hold(const core_msk *k, poc_msk_id given)
{
    return k != NULL && (k->astray || k->id == given);
}

poc_msk_id keyset_held(const core_keyset *ks, poc_msk_id given)
{
    if (may_hold(ks->next, given))
        return ks->next->id;
    return may_hold(ks->current, given) ? ks->current->id : given;
}

void keyset_wipe(core_keyset *ks)
{
    keyset_unref(ks->current);
    keyset_unref(ks->next);
    *ks = (core_keyset){ 0 };
}
