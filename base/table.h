/* A hash table from a key of octets to a pointer. It owns neither: the key lies inside the thing pointed to. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"

typedef struct poc_table_slot poc_table_slot;

typedef struct poc_table {
    poc_table_slot *slots;
    size_t slot_count; /* a power of two, or 0 before the first entry */
    size_t count;      /* entries */
    size_t used;       /* entries and tombstones */
    uint64_t seed;     /* set by poc_table_init: peers choose the keys, not the places */
} poc_table;

/** An empty table; `seed` should be random so that no peer can aim keys at one place. */
void poc_table_init(poc_table *t, uint64_t seed);
/** Frees the table, not the things in it. */
void poc_table_done(poc_table *t);
/** The thing under `key`, or NULL. */
void *poc_table_get(const poc_table *t, poc_span key);
/** Puts `value` (not NULL) under `key`, which must live as long as the entry. POC_E_STATE when the key is there already,
 *  POC_E_NOMEM; the table is unchanged then. */
poc_err poc_table_put(poc_table *t, poc_span key, void *value);
/** Room for `n` more entries: so many puts of keys that are not there do not fail. POC_E_NOMEM. */
poc_err poc_table_reserve(poc_table *t, size_t n);
/** Takes the entry out and returns its thing, or NULL. */
void *poc_table_remove(poc_table *t, poc_span key);
/** Walks all entries in no order: start with `*at` = 0; NULL at the end. The entry just returned may be removed. */
void *poc_table_next(const poc_table *t, size_t *at);

#endif
