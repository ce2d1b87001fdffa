/* The store of the simulated PF: what is durable survives a crash, a write under way does not. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/sim.h"

static bool room(sim_record **list, size_t *cap, size_t count)
{
    if (count < *cap)
        return true;
    size_t more = (count + 16) * 2;
    sim_record *grown = realloc(*list, more * sizeof(*grown));
    if (grown == NULL)
        return false;
    *list = grown;
    *cap = more;
    return true;
}

static poc_err copy(sim_record *to, const pocpf_record *from)
{
    if (from->key_len > sizeof(to->key))
        return POC_E_LIMIT;
    memcpy(to->key, from->key, from->key_len);
    to->key_len = from->key_len;
    to->value = NULL;
    to->value_len = from->value_len;
    if (from->value == NULL)
        return POC_OK;
    to->value = malloc(from->value_len + 1);
    if (to->value == NULL)
        return POC_E_NOMEM;
    memcpy(to->value, from->value, from->value_len);
    return POC_OK;
}

poc_err sim_store_begin(sim_store *store, const pocpf_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!room(&store->writing, &store->writing_cap, store->writing_count) ||
            !room(&store->durable, &store->durable_cap, store->durable_count + count))
            return POC_E_NOMEM;
        POC_TRY(copy(&store->writing[store->writing_count], &records[i]));
        store->writing_count++;
    }
    return POC_OK;
}

static size_t find(const sim_store *store, const sim_record *r)
{
    size_t i = 0;
    while (i < store->durable_count &&
           (store->durable[i].key_len != r->key_len || memcmp(store->durable[i].key, r->key, r->key_len) != 0))
        i++;
    return i;
}

static void apply(sim_store *store, sim_record *r)
{
    size_t at = find(store, r);
    if (at < store->durable_count)
        free(store->durable[at].value);
    if (r->value != NULL) {
        store->durable_count += at == store->durable_count;
        store->durable[at] = *r;
    } else if (at < store->durable_count) {
        store->durable[at] = store->durable[--store->durable_count];
    }
    r->value = NULL;
}

void sim_store_commit(sim_store *store)
{
    for (size_t i = 0; i < store->writing_count; i++)
        apply(store, &store->writing[i]);
    store->writing_count = 0;
}

void sim_store_drop(sim_store *store)
{
    for (size_t i = 0; i < store->writing_count; i++)
        free(store->writing[i].value);
    store->writing_count = 0;
}

void sim_store_free(sim_store *store)
{
    sim_store_drop(store);
    for (size_t i = 0; i < store->durable_count; i++)
        free(store->durable[i].value);
    free(store->durable);
    free(store->writing);
}
