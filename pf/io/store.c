#include "pf/io/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pf/io/config_private.h"
#include "pf/io/keyfile.h"

#define SCHEMA_VERSION 1
#define APPLICATION_ID 0x706F6370 /* "pocp" */

/** A batch in one block: the records, then their octets. */
typedef struct batch {
    size_t count;
    pocpf_record records[];
} batch;

struct store {
    sqlite3 *db;
    sqlite3_stmt *put, *erase;
    su_root_t *root;
    store_done_fn *done;
    void *user;
    int event_fd, wait_index;
    bool busy; /* between store_write and the report; the loop's own, as are the counts */
    size_t records_on_the_way;
    store_counts counts;
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    batch *waiting;
    bool ending, ok;
    char why[128];
};

/* ---- the file ---- */

static poc_err fail_db(store *s, const char *path, int rc, char why[CONFIG_WHY_MAX])
{
    const char *advice = rc == SQLITE_BUSY ? "; another pocpfd may be using it" : "";
    const char *text = s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    (void)config_fail(why, path, 0, "store.path: %s%s", text, advice);
    return POC_E_IO;
}

static int exec(store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

/** A pragma that answers with one number. */
static int pragma_number(store *s, const char *sql, int *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *out = sqlite3_column_int(stmt, 0);
        rc = SQLITE_OK;
    }
    int end = sqlite3_finalize(stmt);
    return rc != SQLITE_OK ? rc : end;
}

/** The mode is set before SQLite writes a first octet; its journal files inherit it. */
static poc_err make_private(const char *path, char why[CONFIG_WHY_MAX])
{
    int fd = keyfile_make_folders(path) == POC_OK ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (fd < 0 || fchmod(fd, 0600) != 0) {
        (void)config_fail(why, path, 0, "store.path cannot be opened: %s", strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return POC_E_IO;
    }
    return close(fd) == 0 ? POC_OK : POC_E_IO;
}

static poc_err check_version(store *s, const char *path, char why[CONFIG_WHY_MAX])
{
    int application = 0, version = 0;
    int rc = pragma_number(s, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = pragma_number(s, "PRAGMA user_version", &version);
    if (rc != SQLITE_OK)
        return fail_db(s, path, rc, why);
    if ((application != 0 || version != 0) && (application != APPLICATION_ID || version != SCHEMA_VERSION)) {
        (void)config_fail(why, path, 0, "store.path is not a store of this version of pocpfd (version %d, not %d)",
                          version, SCHEMA_VERSION);
        return POC_E_IO;
    }
    return POC_OK;
}

static int prepare_schema(store *s)
{
    char sql[256];
    (void)snprintf(sql, sizeof(sql),
                   "BEGIN IMMEDIATE;"
                   "CREATE TABLE IF NOT EXISTS record (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
                   "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                   APPLICATION_ID, SCHEMA_VERSION);
    int rc = exec(s, sql);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO record VALUES (?, ?)", -1, &s->put, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, "DELETE FROM record WHERE key = ?", -1, &s->erase, NULL);
    return rc;
}

static poc_err open_db(store *s, const char *path, char why[CONFIG_WHY_MAX])
{
    static const char manners[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                                  "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY";
    POC_TRY(make_private(path, why));
    int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = exec(s, manners);
    if (rc != SQLITE_OK)
        return fail_db(s, path, rc, why);
    POC_TRY(check_version(s, path, why));
    if ((rc = prepare_schema(s)) != SQLITE_OK)
        return fail_db(s, path, rc, why);
    return POC_OK;
}

/** SQLITE_OK and "ok", or damage. */
static poc_err check_damage(store *s, const char *path, char why[CONFIG_WHY_MAX])
{
    sqlite3_stmt *stmt = NULL;
    bool sound = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
                 sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0) != NULL &&
                 strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    (void)sqlite3_finalize(stmt);
    if (sound)
        return POC_OK;
    (void)config_fail(why, path, 0, "store.path is damaged: move it away, members will join anew");
    return POC_E_IO;
}

static int forget_record(store *s, poc_span key)
{
    int rc = sqlite3_bind_blob64(s->erase, 1, key.p, key.n, SQLITE_TRANSIENT);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s->erase);
    (void)sqlite3_reset(s->erase);
    (void)sqlite3_clear_bindings(s->erase);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

poc_err store_load(store *s, store_record_fn *record, void *user)
{
    sqlite3_stmt *stmt = NULL;
    poc_err err = POC_OK;
    int rc = sqlite3_prepare_v2(s->db, "SELECT key, value FROM record", -1, &stmt, NULL);
    while (rc == SQLITE_OK && err == POC_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        poc_span key = poc_span_of(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        poc_span value = poc_span_of(sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
        err = record(user, key, value);
        rc = err == POC_E_STATE ? forget_record(s, key) : SQLITE_OK;
        err = err == POC_E_STATE ? POC_OK : err;
    }
    (void)sqlite3_finalize(stmt);
    POC_TRY(err);
    return rc == SQLITE_DONE ? POC_OK : POC_E_IO;
}

/* ---- the store's own thread ---- */

static int write_record(store *s, const pocpf_record *r)
{
    sqlite3_stmt *stmt = r->value != NULL ? s->put : s->erase;
    int rc = sqlite3_bind_blob64(stmt, 1, r->key, r->key_len, SQLITE_STATIC);
    if (rc == SQLITE_OK && r->value != NULL)
        rc = sqlite3_bind_blob64(stmt, 2, r->value, r->value_len, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/** All or nothing. The text of an error is taken before the rollback overwrites it. */
static bool write_batch(store *s, const batch *b, char *why, size_t why_cap)
{
    int rc = exec(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; rc == SQLITE_OK && i < b->count; i++)
        rc = write_record(s, &b->records[i]);
    if (rc == SQLITE_OK)
        rc = exec(s, "COMMIT");
    if (rc == SQLITE_OK)
        return true;
    (void)snprintf(why, why_cap, "%s", sqlite3_errmsg(s->db));
    if (sqlite3_get_autocommit(s->db) == 0)
        (void)exec(s, "ROLLBACK");
    return false;
}

static void *run(void *arg)
{
    store *s = (store *)arg;
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->waiting == NULL && !s->ending)
            (void)pthread_cond_wait(&s->changed, &s->lock);
        if (s->waiting == NULL)
            break;
        batch *b = s->waiting;
        char why[sizeof(s->why)] = "";
        (void)pthread_mutex_unlock(&s->lock);
        bool ok = write_batch(s, b, why, sizeof(why));
        (void)pthread_mutex_lock(&s->lock);
        free(b);
        s->waiting = NULL;
        s->ok = ok;
        memcpy(s->why, why, sizeof(why));
        (void)!write(s->event_fd, &one, sizeof(one)); /* an eventfd at 0 always takes a 1 */
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int on_event(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    store *s = (store *)arg;
    uint64_t count;
    (void)magic;
    (void)wait;
    if (read(s->event_fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
        return 0;
    char why[sizeof(s->why)];
    (void)pthread_mutex_lock(&s->lock);
    bool ok = s->ok;
    memcpy(why, s->why, sizeof(why));
    (void)pthread_mutex_unlock(&s->lock);
    s->busy = false;
    s->counts.batches += ok;
    s->counts.failures += !ok;
    s->counts.records += ok ? s->records_on_the_way : 0;
    s->done(s->user, ok, ok ? NULL : why);
    return 0;
}

/* ---- the loop's side ---- */

static poc_err watch(store *s)
{
    su_wait_t wait = SU_WAIT_INIT;
    if ((s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
        su_wait_create(&wait, s->event_fd, SU_WAIT_IN) != 0)
        return POC_E_IO;
    s->wait_index = su_root_register(s->root, &wait, on_event, s, 0);
    return s->wait_index > 0 ? POC_OK : POC_E_IO;
}

poc_err store_open(store **out, su_root_t *root, const char *path, store_done_fn *done, void *user,
                   char why[CONFIG_WHY_MAX])
{
    store *s = (store *)calloc(1, sizeof(*s));
    *out = NULL;
    if (s == NULL)
        return POC_E_NOMEM;
    s->root = root;
    s->done = done;
    s->user = user;
    s->event_fd = s->wait_index = -1;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    poc_err err = open_db(s, path, why);
    if (err == POC_OK)
        err = check_damage(s, path, why);
    if (err == POC_OK)
        err = watch(s);
    if (err == POC_OK && pthread_create(&s->thread, NULL, run, s) != 0)
        err = POC_E_NOMEM;
    s->has_thread = err == POC_OK;
    if (err != POC_OK) {
        store_free(s);
        return err;
    }
    *out = s;
    return POC_OK;
}

static size_t octets_of(const pocpf_record *records, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += records[i].key_len + records[i].value_len + 1; /* an empty value is not NULL */
    return n;
}

static batch *batch_copy(const pocpf_record *records, size_t count)
{
    batch *b = (batch *)malloc(sizeof(batch) + count * sizeof(pocpf_record) + octets_of(records, count));
    if (b == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)&b->records[count];
    b->count = count;
    for (size_t i = 0; i < count; i++) {
        const pocpf_record *from = &records[i];
        b->records[i] =
            (pocpf_record){ at, from->key_len, from->value == NULL ? NULL : at + from->key_len, from->value_len };
        memcpy(at, from->key, from->key_len);
        if (from->value != NULL && from->value_len > 0)
            memcpy(at + from->key_len, from->value, from->value_len);
        at += from->key_len + from->value_len + 1;
    }
    return b;
}

poc_err store_write(store *s, const pocpf_record *records, size_t count)
{
    if (s->busy)
        return POC_E_STATE;
    batch *b = batch_copy(records, count);
    if (b == NULL)
        return POC_E_NOMEM;
    s->busy = true;
    s->records_on_the_way = count;
    (void)pthread_mutex_lock(&s->lock);
    s->waiting = b;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    return POC_OK;
}

bool store_busy(const store *s)
{
    return s->busy;
}

store_counts store_look(const store *s)
{
    return s->counts;
}

void store_free(store *s)
{
    if (s == NULL)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->ending = true;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    if (s->has_thread)
        (void)pthread_join(s->thread, NULL);
    if (s->wait_index > 0)
        (void)su_root_deregister(s->root, s->wait_index);
    if (s->event_fd >= 0)
        (void)close(s->event_fd);
    (void)sqlite3_finalize(s->put);
    (void)sqlite3_finalize(s->erase);
    (void)sqlite3_close(s->db);
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
