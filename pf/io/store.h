/* The journal on disk: a key-value table in SQLite that one thread of its own writes. A batch is one transaction, durable
 * when it is reported. Private to pf/io. */
#ifndef PF_IO_STORE_H
#define PF_IO_STORE_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pf/io/config.h"
#include "pocpf/pocpf.h"

typedef struct store store;

/** The end of store_write, from the loop of the su_root. `ok`: the batch is durable. Else nothing of it is, and `why` is a
 *  short text for the log. */
typedef void store_done_fn(void *user, bool ok, const char *why);
/** One record of store_load: POC_E_STATE forgets it for good, any other error ends the walk. */
typedef poc_err store_record_fn(void *user, poc_span key, poc_span value);

/** Opens or makes the file (mode 0600) and locks it against a second daemon. POC_E_IO: cannot be opened, locked, damaged or
 *  of a foreign version; `why` says which and what to do. */
poc_err store_open(store **out, su_root_t *root, const char *path, store_done_fn *done, void *user,
                   char why[CONFIG_WHY_MAX]);
/** Hands out every record. Only before the first store_write. */
poc_err store_load(store *s, store_record_fn *record, void *user);
/** Copies the batch and lets the store's thread write it. POC_E_STATE: one is on its way; POC_E_NOMEM. */
poc_err store_write(store *s, const pocpf_record *records, size_t count);
/** A batch is on its way. */
bool store_busy(const store *s);
typedef struct store_counts {
    uint64_t batches, records; /* durable */
    uint64_t failures;         /* batches that could not be written */
} store_counts;
store_counts store_look(const store *s);
/** Waits for the batch on its way, without reporting it; NULL is fine. */
void store_free(store *s);

#endif
