#include "pf/io/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/config_private.h"

#define KEY_LEN  32u
#define TEXT_LEN (2 * KEY_LEN + 1) /* with the line end */

poc_err keyfile_make_folders(const char *path)
{
    char *copy = strdup(path);
    poc_err err = copy == NULL ? POC_E_NOMEM : POC_OK;
    for (char *p = copy; err == POC_OK && (p = strchr(p + 1, '/')) != NULL; *p = '/') {
        *p = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            err = POC_E_IO;
    }
    free(copy);
    return err;
}

static poc_err fail_errno(char why[CONFIG_WHY_MAX], const char *path, const char *what)
{
    (void)config_fail(why, path, 0, "%s: %s", what, strerror(errno));
    return POC_E_IO;
}

static poc_err sync_folder(const char *path)
{
    char *folder = config_beside(path, ".");
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    poc_err err = fd >= 0 && fsync(fd) == 0 ? POC_OK : POC_E_IO;
    if (fd >= 0)
        (void)close(fd);
    free(folder);
    return err;
}

/** Durable before it is used: what is sealed under a key that a crash takes away is lost. */
static poc_err write_key(const char *path, const poc_secret *key, char why[CONFIG_WHY_MAX])
{
    char text[TEXT_LEN];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(why, path, "store.key_file cannot be made");
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_hex_put(&wr, poc_secret_span(key));
    poc_wr_u8(&wr, '\n');
    bool written = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0;
    poc_wipe(text, sizeof(text));
    if (!written || close(fd) != 0 || sync_folder(path) != POC_OK) {
        poc_err err = fail_errno(why, path, "store.key_file cannot be written");
        (void)unlink(path); /* half a key is worse than none */
        return err;
    }
    return POC_OK;
}

static poc_err parse_key(poc_secret **out, const char text[TEXT_LEN], size_t n)
{
    uint8_t key[KEY_LEN];
    poc_err err = poc_hex_get_exact(key, sizeof(key), poc_trim(poc_span_of(text, n)));
    if (err == POC_OK)
        err = poc_secret_from(out, key, sizeof(key));
    poc_wipe(key, sizeof(key));
    return err;
}

static poc_err read_key(poc_secret **out, int fd, const char *path, char why[CONFIG_WHY_MAX])
{
    struct stat st;
    char text[TEXT_LEN + 1]; /* one more, to notice a longer file */
    if (fstat(fd, &st) != 0)
        return fail_errno(why, path, "store.key_file cannot be read");
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
        return config_fail(why, path, 0, "store.key_file must be a file that only its owner can read: chmod 600");
    ssize_t n = read(fd, text, sizeof(text));
    if (n < 0)
        return fail_errno(why, path, "store.key_file cannot be read");
    poc_err err = (size_t)n > TEXT_LEN ? POC_E_INPUT : parse_key(out, text, (size_t)n);
    poc_wipe(text, sizeof(text));
    return err == POC_E_INPUT ? config_fail(why, path, 0, "store.key_file must hold 64 hex digits") : err;
}

poc_err keyfile_open(poc_secret **out, const char *path, const poc_rng *rng, char why[CONFIG_WHY_MAX])
{
    POC_OWNED(poc_secret, fresh, poc_secret_free);
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        poc_err err = read_key(out, fd, path, why);
        (void)close(fd);
        return err;
    }
    if (errno != ENOENT)
        return fail_errno(why, path, "store.key_file cannot be opened");
    if (keyfile_make_folders(path) != POC_OK)
        return fail_errno(why, path, "the folder of store.key_file cannot be made");
    POC_TRY(poc_secret_random(&fresh, KEY_LEN, rng));
    POC_TRY(write_key(path, fresh, why));
    *out = (poc_secret *)POC_RELEASE(fresh);
    return POC_OK;
}

static poc_err read_text(char *text, size_t cap, size_t *n, int fd, const char *path, const char *option,
                         char why[CONFIG_WHY_MAX])
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
        return config_fail(why, path, 0, "%s must be a file that only its owner can read: chmod 600", option);
    if (st.st_size > (off_t)cap) {
        (void)config_fail(why, path, 0, "%s is longer than %zu octets", option, cap);
        return POC_E_LIMIT;
    }
    const ssize_t got = read(fd, text, cap);
    *n = got < 0 ? 0 : (size_t)got;
    return got < 0 ? config_fail(why, path, 0, "%s cannot be read: %s", option, strerror(errno)) : POC_OK;
}

poc_err keyfile_text(char *text, size_t cap, size_t *n, const char *path, const char *option, char why[CONFIG_WHY_MAX])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *n = 0;
    if (fd < 0)
        return config_fail(why, path, 0, "%s cannot be read: %s", option, strerror(errno));
    const poc_err err = read_text(text, cap, n, fd, path, option, why);
    (void)close(fd);
    return err;
}
