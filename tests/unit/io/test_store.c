/* The store: what was reported durable is there, whatever happened to the process; what could not be written is reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sofia-sip/su_wait.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pf/io/keyfile.h"
#include "pf/io/store.h"

typedef struct bench {
    char folder[64], path[96];
    su_root_t *root;
    store *store;
    int reports;
    bool ok;
} bench;

static void on_done(void *user, bool ok, const char *why)
{
    bench *b = (bench *)user;
    b->reports++;
    b->ok = ok;
    assert_true(ok == (why == NULL));
}

static poc_err open_store(bench *b)
{
    char why[CONFIG_WHY_MAX] = "";
    poc_err err = store_open(&b->store, b->root, b->path, on_done, b, why);
    assert_true(err == POC_OK || strstr(why, b->path) == why);
    return err;
}

static int set_up(void **state)
{
    bench *b = (bench *)calloc(1, sizeof(*b));
    (void)strcpy(b->folder, "/tmp/pocpf-store-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    (void)snprintf(b->path, sizeof(b->path), "%s/sub/store.db", b->folder);
    su_init();
    b->root = su_root_create(NULL);
    assert_non_null(b->root);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = (bench *)*state;
    char command[160];
    store_free(b->store);
    su_root_destroy(b->root);
    su_deinit();
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", b->folder);
    assert_int_equal(system(command), 0);
    free(b);
    return 0;
}

static pocpf_record record_of(const char *key, const char *value)
{
    return (pocpf_record){ (const uint8_t *)key, strlen(key), (const uint8_t *)value,
                           value == NULL ? 0 : strlen(value) };
}

/** Writes and waits for the report. */
static bool write_all(bench *b, const pocpf_record *records, size_t n)
{
    int before = b->reports;
    assert_int_equal(store_write(b->store, records, n), POC_OK);
    assert_true(store_busy(b->store));
    while (b->reports == before)
        (void)su_root_step(b->root, 1000);
    assert_false(store_busy(b->store));
    return b->ok;
}

typedef struct found {
    size_t count;
    char text[4096];
} found;

static poc_err on_record(void *user, poc_span key, poc_span value)
{
    found *f = (found *)user;
    size_t at = strlen(f->text);
    f->count++;
    (void)snprintf(f->text + at, sizeof(f->text) - at, "%.*s=%.*s;", (int)key.n, (const char *)key.p, (int)value.n,
                   (const char *)value.p);
    return POC_OK;
}

static found load(bench *b)
{
    found f = { 0 };
    assert_int_equal(store_load(b->store, on_record, &f), POC_OK);
    return f;
}

static void reopen(bench *b)
{
    store_free(b->store);
    b->store = NULL;
    assert_int_equal(open_store(b), POC_OK);
}

static void records_are_replaced_and_deleted_in_the_order_of_the_batch(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(open_store(b), POC_OK);
    pocpf_record first[] = { record_of("a", "1"), record_of("b", "2"), record_of("c", "") };
    assert_true(write_all(b, first, 3));
    pocpf_record second[] = { record_of("a", "3"), record_of("b", NULL), record_of("d", "4"), record_of("d", NULL),
                              record_of("nobody", NULL) };
    assert_true(write_all(b, second, 5));
    reopen(b);
    assert_string_equal(load(b).text, "a=3;c=;");
}

static poc_err on_every_other_record(void *user, poc_span key, poc_span value)
{
    found *f = (found *)user;
    (void)on_record(f, key, value);
    return f->count % 2 == 0 ? POC_E_STATE : POC_OK;
}

/* A member of a channel that was taken out of the configuration must not keep the daemon from starting. */
static void a_record_that_nobody_needs_any_more_is_forgotten_and_the_rest_is_read(void **state)
{
    bench *b = (bench *)*state;
    found f = { 0 };
    assert_int_equal(open_store(b), POC_OK);
    pocpf_record records[] = { record_of("a", "1"), record_of("b", "2"), record_of("c", "3"), record_of("d", "4") };
    assert_true(write_all(b, records, 4));
    reopen(b);
    assert_int_equal(store_load(b->store, on_every_other_record, &f), POC_OK);
    assert_string_equal(f.text, "a=1;b=2;c=3;d=4;");
    assert_true(write_all(b, records, 1));
    reopen(b);
    assert_string_equal(load(b).text, "a=1;c=3;");
}

static void only_its_owner_can_read_the_file(void **state)
{
    bench *b = (bench *)*state;
    struct stat st;
    mode_t before = umask(0);
    assert_int_equal(open_store(b), POC_OK);
    umask(before);
    pocpf_record one = record_of("a", "1");
    assert_true(write_all(b, &one, 1));
    assert_int_equal(stat(b->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char wal[128];
    (void)snprintf(wal, sizeof(wal), "%s-wal", b->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_second_batch_is_refused_while_one_is_on_its_way(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(open_store(b), POC_OK);
    pocpf_record one = record_of("a", "1");
    assert_int_equal(store_write(b->store, &one, 1), POC_OK);
    assert_int_equal(store_write(b->store, &one, 1), POC_E_STATE);
    while (b->reports == 0)
        (void)su_root_step(b->root, 1000);
    assert_true(b->ok);
}

static void a_second_daemon_cannot_open_the_store(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(open_store(b), POC_OK);
    store *second;
    char why[CONFIG_WHY_MAX];
    assert_int_equal(store_open(&second, b->root, b->path, on_done, b, why), POC_E_IO);
    assert_non_null(strstr(why, "another pocpfd may be using it"));
    assert_null(second);
}

static void a_full_disk_is_reported_and_nothing_of_the_batch_stays(void **state)
{
    bench *b = (bench *)*state;
    struct rlimit unlimited, tight = { 0 };
    uint8_t big[65536] = { 1 };
    assert_int_equal(open_store(b), POC_OK);
    pocpf_record one = record_of("a", "1");
    assert_true(write_all(b, &one, 1));
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    tight = (struct rlimit){ .rlim_cur = 40960, .rlim_max = unlimited.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    pocpf_record two[] = { record_of("b", "2"), { (const uint8_t *)"c", 1, big, sizeof(big) } };
    assert_false(write_all(b, two, 2));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_true(write_all(b, two, 1)); /* room again: the store goes on */
    reopen(b);
    assert_string_equal(load(b).text, "a=1;b=2;");
}

static void put_octets(const char *path, off_t at, const char *octets)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, octets, strlen(octets), at), (ssize_t)strlen(octets));
    (void)close(fd);
}

static void a_damaged_or_foreign_file_is_refused(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(open_store(b), POC_OK);
    store_free(b->store);
    b->store = NULL;
    put_octets(b->path, 60, "\x7f\x7f\x7f\x7f"); /* user_version */
    assert_int_equal(open_store(b), POC_E_IO);
    put_octets(b->path, 0, "this is no database ");
    assert_int_equal(open_store(b), POC_E_IO);
    assert_null(b->store);
}

/* ---- kill -9 ---- */

/** The child: numbered batches of two records for ever; each number goes to the pipe once its batch is durable. */
static void write_until_killed(bench *b, int report_fd)
{
    if (open_store(b) != POC_OK)
        _exit(1);
    for (uint32_t i = 1;; i++) {
        char n[16], key[24], other[24];
        (void)snprintf(n, sizeof(n), "%u", i);
        (void)snprintf(key, sizeof(key), "k%u", i % 50);
        (void)snprintf(other, sizeof(other), "z%u", i % 50);
        pocpf_record two[] = { record_of(key, n), record_of(other, n) };
        if (!write_all(b, two, 2) || write(report_fd, &i, sizeof(i)) != (ssize_t)sizeof(i))
            _exit(1);
    }
}

static poc_err check_pair(void *user, poc_span key, poc_span value)
{
    uint32_t *latest = (uint32_t *)user, n = (uint32_t)strtoul((const char *)value.p, NULL, 10);
    uint32_t slot = (uint32_t)strtoul((const char *)key.p + 1, NULL, 10);
    latest[(key.p[0] == 'k' ? 0 : 50) + slot] = n;
    return POC_OK;
}

/* Contract, section 8: what was acknowledged is durable. */
static void kill_9_loses_nothing_that_was_reported_durable(void **state)
{
    bench *b = (bench *)*state;
    for (int round = 0; round < 3; round++) {
        int fds[2];
        uint32_t durable = 0, latest[100] = { 0 };
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(b, fds[1]);
        (void)close(fds[1]);
        while (durable < 60u + (uint32_t)round)
            assert_int_equal(read(fds[0], &durable, sizeof(durable)), (ssize_t)sizeof(durable));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        for (uint32_t more; read(fds[0], &more, sizeof(more)) == (ssize_t)sizeof(more);)
            durable = more;
        (void)close(fds[0]);
        assert_int_equal(open_store(b), POC_OK);
        assert_int_equal(store_load(b->store, check_pair, latest), POC_OK);
        for (uint32_t i = 0; i < 50; i++)
            assert_int_equal(latest[i], latest[50 + i]); /* both records of a batch or none */
        for (uint32_t n = durable; n > durable - 50; n--)
            assert_true(latest[n % 50] >= n);
        store_free(b->store);
        b->store = NULL;
        (void)remove(b->path);
    }
}

/* ---- the key beside it ---- */

static void the_key_file_is_made_once_and_read_afterwards(void **state)
{
    bench *b = (bench *)*state;
    char path[128], why[CONFIG_WHY_MAX];
    struct stat st;
    poc_secret *first, *second;
    (void)snprintf(path, sizeof(path), "%s/keys/store.key", b->folder);
    assert_int_equal(keyfile_open(&first, path, &poc_rng_system, why), POC_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(keyfile_open(&second, path, &poc_rng_system, why), POC_OK);
    assert_true(poc_secret_eq(first, second));
    poc_secret_free(first);
    poc_secret_free(second);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(keyfile_open(&first, path, &poc_rng_system, why), POC_E_INPUT);
    assert_non_null(strstr(why, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 63), 0);
    assert_int_equal(keyfile_open(&first, path, &poc_rng_system, why), POC_E_INPUT);
    assert_non_null(strstr(why, "64 hex digits"));
    assert_null(first);
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(records_are_replaced_and_deleted_in_the_order_of_the_batch),
        WITH_BENCH(a_record_that_nobody_needs_any_more_is_forgotten_and_the_rest_is_read),
        WITH_BENCH(only_its_owner_can_read_the_file),
        WITH_BENCH(a_second_batch_is_refused_while_one_is_on_its_way),
        WITH_BENCH(a_second_daemon_cannot_open_the_store),
        WITH_BENCH(a_full_disk_is_reported_and_nothing_of_the_batch_stays),
        WITH_BENCH(a_damaged_or_foreign_file_is_refused),
        WITH_BENCH(kill_9_loses_nothing_that_was_reported_durable),
        WITH_BENCH(the_key_file_is_made_once_and_read_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
