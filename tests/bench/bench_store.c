/* pocbench store: how fast records become durable, one alone and as many as a rekey gives, beside the same octets appended
 * to a file and synced, and beside SQLite used as plainly as can be. By the clock on the wall: the disk is what is waited for. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "pf/io/store.h"
#include "tests/bench/bench.h"

/* The record of a user, as the engine writes it for each member when counters move on, and what it gives at once of them. */
enum { KEY_LEN = 32, VALUE_LEN = 176, BATCH_OCTETS = 128 * 1024, BATCH = BATCH_OCTETS / (KEY_LEN + VALUE_LEN) };

typedef struct disk {
    char folder[256], path[320];
    pocpf_record records[BATCH];
    uint8_t octets[BATCH][KEY_LEN + VALUE_LEN];
    size_t members, next; /* whose record is written next */
    size_t at_once;       /* records of one write */
    int fd;
    sqlite3 *db;
    sqlite3_stmt *put;
    su_root_t *root;
    store *store;
    bool is_done, is_good;
} disk;

/* Records of the next members; values that have not been there before. */
static size_t records_make(disk *d, size_t n)
{
    for (size_t i = 0; i < n; i++, d->next++) {
        uint8_t *at = d->octets[i];
        memset(at, 'x', KEY_LEN + VALUE_LEN);
        (void)snprintf((char *)at, KEY_LEN, "usip:user%07u@home.example", (unsigned)(d->next % d->members));
        memcpy(at + KEY_LEN, &d->next, sizeof(d->next));
        d->records[i] = (pocpf_record){ at, KEY_LEN, at + KEY_LEN, VALUE_LEN };
    }
    return n;
}

/* Everything that one turn writes: a record alone, or all members in batches. `write` makes one batch durable. */
static size_t turn(disk *d, bool (*write_batch)(disk *d, size_t n))
{
    const size_t all = d->at_once == 1 ? 1 : d->members;
    for (size_t done = 0; done < all;) {
        const size_t n = records_make(d, all - done < d->at_once ? all - done : d->at_once);
        if (!write_batch(d, n))
            return 0;
        done += n;
    }
    return all;
}

/* ---- the file ---- */

static bool file_write(disk *d, size_t n)
{
    const size_t octets = n * (KEY_LEN + VALUE_LEN);
    return write(d->fd, d->octets, octets) == (ssize_t)octets && fdatasync(d->fd) == 0;
}

static size_t file_turn(void *ctx)
{
    return turn(ctx, file_write);
}

static bool file_open(disk *d)
{
    d->fd = open(d->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return d->fd >= 0;
}

static void file_close(disk *d)
{
    if (d->fd >= 0)
        (void)close(d->fd);
    d->fd = -1;
}

/* ---- SQLite ---- */

static bool sqlite_write(disk *d, size_t n)
{
    bool good = sqlite3_exec(d->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK;
    for (size_t i = 0; i < n && good; i++) {
        good = sqlite3_bind_blob(d->put, 1, d->records[i].key, KEY_LEN, SQLITE_STATIC) == SQLITE_OK &&
               sqlite3_bind_blob(d->put, 2, d->records[i].value, VALUE_LEN, SQLITE_STATIC) == SQLITE_OK &&
               sqlite3_step(d->put) == SQLITE_DONE && sqlite3_reset(d->put) == SQLITE_OK;
    }
    return good && sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

static size_t sqlite_turn(void *ctx)
{
    return turn(ctx, sqlite_write);
}

static bool sqlite_open(disk *d)
{
    return sqlite3_open(d->path, &d->db) == SQLITE_OK &&
           sqlite3_exec(d->db,
                        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                        "CREATE TABLE record (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID",
                        NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(d->db, "INSERT OR REPLACE INTO record VALUES (?, ?)", -1, &d->put, NULL) == SQLITE_OK;
}

static void sqlite_close(disk *d)
{
    (void)sqlite3_finalize(d->put);
    (void)sqlite3_close(d->db);
    d->put = NULL;
    d->db = NULL;
}

/* ---- the store of the daemon ---- */

static void on_durable(void *user, bool ok, const char *why)
{
    disk *d = user;
    if (!ok)
        fprintf(stderr, "pocbench: the store says %s\n", why);
    d->is_done = true;
    d->is_good = ok;
}

static bool store_write_all(disk *d, size_t n)
{
    d->is_done = false;
    if (store_write(d->store, d->records, n) != POC_OK)
        return false;
    while (!d->is_done)
        (void)su_root_step(d->root, 1000);
    return d->is_good;
}

static size_t store_turn(void *ctx)
{
    return turn(ctx, store_write_all);
}

static bool store_begin(disk *d)
{
    char why[CONFIG_WHY_MAX] = "";
    d->root = su_root_create(NULL);
    if (d->root != NULL && store_open(&d->store, d->root, d->path, on_durable, d, why) == POC_OK)
        return true;
    fprintf(stderr, "pocbench: %s\n", why);
    return false;
}

static void store_end(disk *d)
{
    store_free(d->store);
    if (d->root != NULL)
        su_root_destroy(d->root);
    d->store = NULL;
    d->root = NULL;
}

/* ---- the figures ---- */

typedef struct way {
    const char *alone, *rekey, *file;
    bool (*open)(disk *d);
    bench_op turn;
    void (*close)(disk *d);
} way;

static bench_figure measure(const bench *b, disk *d, const way *w, const char *name, size_t at_once)
{
    d->at_once = at_once;
    return bench_measure_elapsed(b, name, w->turn, d);
}

/* `alone` and `rekey`: of the way before, and then of this one. */
static bool report(const bench *b, disk *d, const way *w, bench_figure *alone, bench_figure *rekey)
{
    const bench_figure alone_before = *alone, rekey_before = *rekey;
    (void)snprintf(d->path, sizeof(d->path), "%s/%s", d->folder, w->file);
    d->next = 0;
    const bool good = w->open(d);
    if (good) {
        *alone = measure(b, d, w, w->alone, 1);
        *rekey = measure(b, d, w, w->rekey, BATCH);
    } else
        fprintf(stderr, "pocbench: %s cannot be opened\n", d->path);
    w->close(d);
    return good && bench_print(b, alone, "writes/s", alone_before.name != NULL ? &alone_before : NULL) &&
           bench_print(b, rekey, "records/s", rekey_before.name != NULL ? &rekey_before : NULL);
}

static bool report_all(const bench *b, disk *d)
{
    static const way ways[] = {
        { "floor, fdatasync of one", "floor, fdatasync of a rekey", "file", file_open, file_turn, file_close },
        { "sqlite, one record", "sqlite, a rekey", "plain.db", sqlite_open, sqlite_turn, sqlite_close },
        { "store, one record", "store, a rekey", "store.db", store_begin, store_turn, store_end },
    };
    bench_figure alone = { .name = NULL }, rekey = { .name = NULL };
    for (size_t i = 0; i < POC_COUNT(ways); i++) {
        if (!report(b, d, &ways[i], &alone, &rekey))
            return false;
    }
    return true;
}

static void folder_remove(const disk *d)
{
    static const char *const files[] = { "file",     "plain.db",     "plain.db-wal", "plain.db-shm",
                                         "store.db", "store.db-wal", "store.db-shm" };
    char path[sizeof(d->path)];
    for (size_t i = 0; i < POC_COUNT(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", d->folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(d->folder);
}

int bench_store(const bench *b)
{
    const char *where = getenv("TMPDIR");
    disk *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return EXIT_FAILURE;
    d->members = b->members;
    d->fd = -1;
    (void)snprintf(d->folder, sizeof(d->folder), "%s/pocbench-XXXXXX", where != NULL ? where : "/tmp");
    bool good = mkdtemp(d->folder) != NULL;
    if (good) {
        (void)su_init();
        good = report_all(b, d);
        su_deinit();
        folder_remove(d);
    } else
        fprintf(stderr, "pocbench: no folder can be made in %s\n", where != NULL ? where : "/tmp");
    free(d);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
