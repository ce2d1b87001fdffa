/* pocpfctl mcx: a key management service in a folder, for tests and small networks. kms.secret holds its master secrets and can
 * be read by its owner only; what it gives out is written as a KMS would answer (TS 33.180 Annex D). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "mcx/mcx.h"
#include "pf/ctl/ctl.h"

#define PATH_LEN    1024u
#define SECRET_FILE "kms.secret"
#define INIT_FILE   "kms-init.xml"
#define RESOURCE    "/keymanagement/identity/v1"
#define SECRET_MAX  2048u
#define PERIOD_S    2592000u

/* ---- files ---- */

static bool path_of(char out[PATH_LEN], const char *folder, const char *name)
{
    if (snprintf(out, PATH_LEN, "%s/%s", folder, name) < (int)PATH_LEN)
        return true;
    ctl_complain("%s: name too long", folder);
    return false;
}

static int file_failed(const char *path)
{
    ctl_complain("%s: %s", path, strerror(errno));
    return CTL_CANTCREAT;
}

/* Makes a new file; one that is there already is left alone. */
static int file_make(const char *path, mode_t mode, poc_span content)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return file_failed(path);
    const bool written = write(fd, content.p, content.n) == (ssize_t)content.n && fsync(fd) == 0;
    if (close(fd) == 0 && written)
        return CTL_OK;
    const int status = file_failed(path);
    (void)unlink(path);
    return status;
}

static int secret_read(char out[SECRET_MAX], size_t *n, const char *path)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t got = -1;
    if (fd < 0) {
        ctl_complain("%s: %s", path, strerror(errno));
        return CTL_NOINPUT;
    }
    const bool is_private = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) == 0;
    if (is_private)
        got = read(fd, out, SECRET_MAX);
    (void)close(fd);
    if (is_private && got >= 0) {
        *n = (size_t)got;
        return CTL_OK;
    }
    ctl_complain(is_private ? "%s: cannot be read" : "%s must be a file that only its owner can read: chmod 600", path);
    return CTL_NOINPUT;
}

static int kms_load(mcx_kms **kms, mcx_kms_master *f, const char *folder)
{
    char path[PATH_LEN], text[SECRET_MAX];
    size_t n = 0;
    if (!path_of(path, folder, SECRET_FILE))
        return CTL_USAGE;
    int status = secret_read(text, &n, path);
    if (status == CTL_OK &&
        (mcx_kms_master_read(f, poc_span_of(text, n)) != POC_OK || mcx_kms_new(kms, f->z, f->ksak) != POC_OK)) {
        ctl_complain("%s: not the secrets of a KMS as kms-init writes them", path);
        status = CTL_DATA;
    }
    poc_wipe(text, sizeof(text));
    return status;
}

/* ---- kms-init ---- */

enum { INIT_KMS_URI, INIT_PERIOD_LENGTH, INIT_PERIOD_OFFSET };
static const ctl_option init_options[] = {
    [INIT_KMS_URI] = { "--kms-uri", "TEXT", "what the KMS is called, for example kms.example.org" },
    [INIT_PERIOD_LENGTH] = { "--period-length", "N", "seconds that keys of users last; 2592000 when left out" },
    [INIT_PERIOD_OFFSET] = { "--period-offset", "N", "seconds by which periods begin late; 0 when left out" },
};

static bool init_args(mcx_kms_master *f, const ctl_args *args)
{
    const char *uri = args->values[INIT_KMS_URI];
    if (args->file == NULL || uri == NULL) {
        ctl_complain(uri == NULL ? "--kms-uri is missing" : "the folder is missing");
        return false;
    }
    for (const char *c = uri; *c != '\0'; c++) {
        if (*c <= 0x20 || *c >= 0x7f)
            uri = "";
    }
    if (uri[0] == '\0' || strlen(uri) > MCX_URI_MAX) {
        ctl_complain("--kms-uri wants 1 to %u characters without spaces", MCX_URI_MAX);
        return false;
    }
    memcpy(f->kms_uri, uri, strlen(uri) + 1);
    if (!ctl_number(&f->period_s, PERIOD_S, UINT32_MAX, "--period-length", args->values[INIT_PERIOD_LENGTH]) ||
        !ctl_number(&f->offset_s, 0, UINT32_MAX, "--period-offset", args->values[INIT_PERIOD_OFFSET]))
        return false;
    if (f->period_s >= MCX_KMS_PERIOD_MIN_S && f->offset_s < f->period_s)
        return true;
    ctl_complain("--period-length wants at least %u, and more than --period-offset", MCX_KMS_PERIOD_MIN_S);
    return false;
}

static int secret_save(const mcx_kms_master *f, const char *folder)
{
    char path[PATH_LEN], text[SECRET_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return file_failed(folder);
    if (!path_of(path, folder, SECRET_FILE))
        return CTL_USAGE;
    const int status =
        mcx_kms_master_put(&wr, f) == POC_OK ? file_make(path, 0600, poc_span_of(text, wr.len)) : CTL_SOFTWARE;
    poc_wipe(text, sizeof(text));
    return status;
}

static int certificate_save(const mcx_kms_master *f, const mcx_kms *kms, const char *folder)
{
    char path[PATH_LEN], text[MCX_KMS_ANSWER_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    const mcx_kms_answer answer = { poc_span_str(f->kms_uri), poc_span_str(f->kms_uri), poc_span_str(RESOURCE "/init"),
                                    (int64_t)time(NULL) };
    const poc_err err = mcx_kms_init_put(&wr, &answer, kms, f->period_s, f->offset_s);
    if (err != POC_OK)
        return ctl_failed(err);
    if (!path_of(path, folder, INIT_FILE))
        return CTL_USAGE;
    int status = file_make(path, 0644, poc_span_of(text, wr.len));
    if (status != CTL_OK)
        return status;
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:s}", "kms_uri", f->kms_uri, "period_length", (json_int_t)f->period_s,
                  "period_offset", (json_int_t)f->offset_s, "pub_enc_key", ctl_json_hex(true, mcx_kms_z(kms)),
                  "pub_auth_key", ctl_json_hex(true, mcx_kms_kpak(kms)), "file", path);
    return ctl_json_print(o, CTL_OK);
}

static int init_run(const ctl_args *args)
{
    POC_OWNED(mcx_kms, kms, mcx_kms_free);
    mcx_kms_master f = { .z = NULL };
    int status = CTL_USAGE;
    if (init_args(&f, args)) {
        poc_err err = mcx_kms_secrets(&f.z, &f.ksak, &poc_rng_system);
        if (err == POC_OK)
            err = mcx_kms_new(&kms, f.z, f.ksak);
        status = err == POC_OK ? secret_save(&f, args->file) : ctl_failed(err);
        if (status == CTL_OK)
            status = certificate_save(&f, kms, args->file);
    }
    mcx_kms_master_done(&f);
    return status;
}

const ctl_command ctl_kms_init = {
    .group = "mcx",
    .name = "kms-init",
    .synopsis = "--kms-uri TEXT [--period-length N] [--period-offset N] DIR",
    .what = "Makes a key management service for tests.",
    .more = "DIR is made when it is missing. DIR/kms.secret gets the master secrets, readable by its owner only, and\n"
            "DIR/kms-init.xml the certificate as a KMS answers to /init. A KMS that is there already is left alone.",
    .options = init_options,
    .option_count = POC_COUNT(init_options),
    .takes_file = true,
    .run = init_run,
};

/* ---- kms-keys ---- */

enum { KEYS_USER, KEYS_PERIOD };
static const ctl_option keys_options[] = {
    [KEYS_USER] = { "--user", "TEXT", "whose keys: a mission critical service id, or the name of a server" },
    [KEYS_PERIOD] = { "--period", "N", "number of the key period; the present one when left out" },
};

static int keys_save(json_t *o, const mcx_kms_master *f, poc_span user, const mcx_period *period,
                     const mcx_user_keys *keys, const uint8_t uid[MCX_UID_LEN], const char *folder)
{
    char path[PATH_LEN], name[96], text[MCX_KMS_ANSWER_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text)), file = poc_wr_into(name, sizeof(name));
    const mcx_kms_answer answer = { user, poc_span_str(f->kms_uri), poc_span_str(RESOURCE "/keyprov"),
                                    (int64_t)time(NULL) };
    poc_err err = mcx_kms_keys_put(&wr, &answer, user, uid, period, keys);
    poc_wr_fmt(&file, "keys-");
    poc_hex_put(&file, poc_span_of(uid, MCX_UID_LEN));
    poc_wr_fmt(&file, ".xml");
    if (err == POC_OK)
        err = poc_wr_text(&file);
    int status = err == POC_OK ? CTL_OK : ctl_failed(err);
    if (status == CTL_OK)
        status = path_of(path, folder, name) ? file_make(path, 0600, poc_span_of(text, wr.len)) : CTL_USAGE;
    poc_wipe(text, sizeof(text));
    if (status == CTL_OK)
        json_object_set_new(o, "file", json_string(path));
    return status;
}

static int keys_issue(json_t *o, const mcx_kms *kms, const mcx_kms_master *f, const ctl_args *args)
{
    const poc_span user = poc_span_str(args->values[KEYS_USER]);
    mcx_period period = { f->period_s, f->offset_s, 0 };
    mcx_user_keys keys = { .rsk = NULL };
    uint8_t uid[MCX_UID_LEN];
    const uint64_t now = (uint64_t)time(NULL) + MCX_NTP_MINUS_UNIX;
    if (!ctl_number(&period.number, mcx_period_number(now, f->period_s, f->offset_s), UINT32_MAX, "--period",
                    args->values[KEYS_PERIOD]))
        return CTL_USAGE;
    poc_err err = mcx_uid(uid, user, poc_span_str(f->kms_uri), &period);
    if (err == POC_OK)
        err = mcx_kms_issue(&keys, kms, poc_span_of(uid, sizeof(uid)), &poc_rng_system);
    if (err != POC_OK)
        return ctl_failed(err);
    json_object_set_new(o, "user_uri", ctl_json_text(user));
    json_object_set_new(o, "uid", ctl_json_hex(true, poc_span_of(uid, sizeof(uid))));
    json_object_set_new(o, "period", json_integer((json_int_t)period.number));
    json_object_set_new(o, "valid_from", ctl_json_time((int64_t)(mcx_period_start(&period) - MCX_NTP_MINUS_UNIX)));
    const int status = keys_save(o, f, user, &period, &keys, uid, args->file);
    mcx_user_keys_done(&keys);
    return status;
}

static int keys_run(const ctl_args *args)
{
    POC_OWNED(mcx_kms, kms, mcx_kms_free);
    mcx_kms_master f = { .z = NULL };
    if (args->file == NULL || args->values[KEYS_USER] == NULL) {
        ctl_complain(args->file == NULL ? "the folder is missing" : "--user is missing");
        return CTL_USAGE;
    }
    json_t *o = json_object();
    int status = kms_load(&kms, &f, args->file);
    if (status == CTL_OK)
        status = keys_issue(o, kms, &f, args);
    mcx_kms_master_done(&f);
    if (status == CTL_OK)
        return ctl_json_print(o, CTL_OK);
    json_decref(o);
    return status;
}

const ctl_command ctl_kms_keys = {
    .group = "mcx",
    .name = "kms-keys",
    .synopsis = "--user TEXT [--period N] DIR",
    .what = "Makes the keys of a user with the KMS in DIR.",
    .more =
        "DIR/keys-UID.xml gets them as a KMS answers to /keyprov, readable by its owner only. They are not printed.",
    .options = keys_options,
    .option_count = POC_COUNT(keys_options),
    .takes_file = true,
    .run = keys_run,
};
