#include "base/table.h"

#include <stdlib.h>
#include <string.h>

/* Small, since a table may have a hundred thousand members in it: a key of four gigabytes is none. */
struct poc_table_slot {
    uint32_t hash, key_len;
    const uint8_t *key;
    void *value; /* NULL: never used; &tombstone: removed */
};

static char tombstone;
enum { SLOTS_MIN = 16 };

/* A seeded multiply-and-fold: enough to keep peers from aiming, cheap for keys of thirty octets. */
static uint32_t hash_of(uint64_t seed, poc_span key)
{
    uint64_t h = seed ^ (key.n * UINT64_C(0x9E3779B97F4A7C15));
    for (size_t i = 0; i < key.n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, key.p + i, key.n - i < 8 ? key.n - i : 8);
        __uint128_t product = (__uint128_t)(h ^ word) * UINT64_C(0xD6E8FEB86659FD93);
        h = (uint64_t)product ^ (uint64_t)(product >> 64) ^ seed;
    }
    return (uint32_t)(h ^ h >> 32);
}

void poc_table_init(poc_table *t, uint64_t seed)
{
    *t = (poc_table){ .seed = seed };
}

void poc_table_done(poc_table *t)
{
    free(t->slots);
    *t = (poc_table){ .seed = t->seed };
}

static bool is_live(const poc_table_slot *slot)
{
    return slot->value != NULL && slot->value != &tombstone;
}

static poc_table_slot *find(const poc_table *t, uint32_t hash, poc_span key)
{
    if (t->slot_count == 0)
        return NULL;
    for (size_t i = hash & (t->slot_count - 1);; i = (i + 1) & (t->slot_count - 1)) {
        poc_table_slot *slot = &t->slots[i];
        if (slot->value == NULL)
            return NULL;
        if (is_live(slot) && slot->hash == hash && poc_span_eq(poc_span_of(slot->key, slot->key_len), key))
            return slot;
    }
}

static void place(poc_table_slot *slots, size_t slot_count, poc_table_slot entry)
{
    size_t i = entry.hash & (slot_count - 1);
    while (slots[i].value != NULL)
        i = (i + 1) & (slot_count - 1);
    slots[i] = entry;
}

/* Full at seven eighths, made anew at three quarters or less: between two rebuildings a table that stays as large as it is
 * takes an eighth of its slots in changes. */
static bool is_full_with(const poc_table *t, size_t more)
{
    return 8 * (t->used + more) > 7 * t->slot_count;
}

static poc_err rebuild(poc_table *t, size_t more)
{
    size_t slot_count = SLOTS_MIN;
    while (3 * slot_count < 4 * (t->count + more))
        slot_count *= 2;
    poc_table_slot *slots = calloc(slot_count, sizeof(*slots));
    if (slots == NULL)
        return POC_E_NOMEM;
    for (size_t i = 0; i < t->slot_count; i++)
        if (is_live(&t->slots[i]))
            place(slots, slot_count, t->slots[i]);
    free(t->slots);
    t->slots = slots;
    t->slot_count = slot_count;
    t->used = t->count;
    return POC_OK;
}

void *poc_table_get(const poc_table *t, poc_span key)
{
    poc_table_slot *slot = find(t, hash_of(t->seed, key), key);
    return slot == NULL ? NULL : slot->value;
}

poc_err poc_table_reserve(poc_table *t, size_t n)
{
    return is_full_with(t, n) ? rebuild(t, n) : POC_OK;
}

poc_err poc_table_put(poc_table *t, poc_span key, void *value)
{
    uint32_t hash = hash_of(t->seed, key);
    if (key.n > UINT32_MAX)
        return POC_E_LIMIT;
    if (find(t, hash, key) != NULL)
        return POC_E_STATE;
    POC_TRY(poc_table_reserve(t, 1));
    place(t->slots, t->slot_count, (poc_table_slot){ hash, (uint32_t)key.n, key.p, value });
    t->count++;
    t->used++;
    return POC_OK;
}

void *poc_table_remove(poc_table *t, poc_span key)
{
    poc_table_slot *slot = find(t, hash_of(t->seed, key), key);
    if (slot == NULL)
        return NULL;
    void *value = slot->value;
    *slot = (poc_table_slot){ .value = &tombstone };
    t->count--;
    return value;
}

void *poc_table_next(const poc_table *t, size_t *at)
{
    while (*at < t->slot_count) {
        poc_table_slot *slot = &t->slots[(*at)++];
        if (is_live(slot))
            return slot->value;
    }
    return NULL;
}
