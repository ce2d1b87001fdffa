#include "pf/io/io.h"

#include <errno.h>
#include <signal.h>
#include <sofia-sip/su_log.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "pf/io/admin.h"
#include "pf/io/config_private.h"
#include "pf/io/log.h"
#include "pf/io/mcx_ask.h"
#include "pf/io/mcx_kms_http.h"
#include "pf/io/options.h"
#include "pf/io/shell.h"
#include "pf/io/shell_pem.h"
#include "pf/io/subscribers.h"

_Static_assert(IO_WHY_MAX == CONFIG_WHY_MAX, "the door shows the same text");

struct io_daemon {
    char *config_path;
    su_root_t *root;
    shell *shell;
    admin *admin; /* NULL: none configured */
    int signal_fd, wait_index;
    sigset_t signals;
};

/* ---- checking ---- */

static poc_err check_subscribers(const config *c, char why[IO_WHY_MAX])
{
    POC_OWNED(gba_bsf, bsf, gba_bsf_free);
    POC_TRY(gba_bsf_new(&bsf, poc_span_str(c->gba.naf_fqdn), c->gba.key_lifetime_s, &poc_rng_system));
    return subscribers_load(bsf, c->gba.subscribers, why);
}

static void take_nothing(void *user, const mcx_kms_certificate *certificate)
{
    (void)user, (void)certificate;
}

/** The KMS inside, certificates of others. */
static poc_err check_mcx(const config *c, char why[IO_WHY_MAX])
{
    POC_OWNED(mcx_own_kms, own, mcx_own_kms_free);
    if (c->mcx.psi[0] == '\0')
        return POC_OK;
    if (c->mcx.kms == CONFIG_KMS_EMBEDDED)
        POC_TRY(mcx_own_kms_new(&own, c, why));
    POC_TRY(mcx_neighbours_load(c, take_nothing, NULL, why));
    return shell_pem_check_ca(c->mcx.kms_ca, why);
}

/** What io_check and every load share; what shell_check looks at a reload reads as it takes it. */
static poc_err load(config **out, const char *path, char why[IO_WHY_MAX])
{
    POC_OWNED(config, c, config_free);
    POC_TRY(config_load(&c, path, why));
    POC_TRY(check_subscribers(c, why));
    POC_TRY(check_mcx(c, why));
    *out = (config *)POC_RELEASE(c);
    return POC_OK;
}

poc_err io_check(const char *config_path, char why[IO_WHY_MAX])
{
    POC_OWNED(config, c, config_free);
    POC_TRY(load(&c, config_path, why));
    return shell_check(c, why);
}

void io_print_options(FILE *out)
{
    options_print(out);
}

/* ---- signals ---- */

static poc_err reload(void *user, shell_change_fn *told, void *told_user, char why[IO_WHY_MAX])
{
    io_daemon *d = (io_daemon *)user;
    config *c = NULL;
    poc_err err = load(&c, d->config_path, why);
    if (err == POC_OK)
        err = shell_reload(d->shell, c, told, told_user, why);
    if (err != POC_OK)
        log_event(LOG_LEVEL_ERROR, "reload_refused", LOG_TEXT("kind", poc_err_name(err)), LOG_TEXT("reason", why));
    return err;
}

static void on_drained(void *user)
{
    io_daemon *d = (io_daemon *)user;
    su_root_break(d->root);
}

static int on_signal(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    io_daemon *d = (io_daemon *)arg;
    struct signalfd_siginfo info;
    char why[IO_WHY_MAX] = "";
    (void)magic;
    (void)wait;
    if (read(d->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return 0;
    if (info.ssi_signo == SIGHUP) {
        (void)reload(d, NULL, NULL, why);
        return 0;
    }
    log_event(LOG_LEVEL_INFO, "stopping", LOG_TEXT("signal", sigabbrev_np((int)info.ssi_signo)));
    shell_drain(d->shell, on_drained, d);
    return 0;
}

/** What Sofia-SIP has to say goes into our log, bounded like what peers cause: most of it is about peers. */
static void on_sofia_log(void *stream, char const *fmt, va_list args)
{
    char text[256];
    (void)stream;
    int n = vsnprintf(text, sizeof(text), fmt, args);
    if (n <= 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    log_refusal("sip_stack", "io", text + strspn(text, " \t"), "message of the SIP stack");
}

static poc_err watch_signals(io_daemon *d)
{
    su_wait_t wait = SU_WAIT_INIT;
    (void)sigemptyset(&d->signals);
    (void)sigaddset(&d->signals, SIGHUP);
    (void)sigaddset(&d->signals, SIGTERM);
    (void)sigaddset(&d->signals, SIGINT);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a full quota is an error of the store, not the end */
    if (sigprocmask(SIG_BLOCK, &d->signals, NULL) != 0)
        return POC_E_IO;
    d->signal_fd = signalfd(-1, &d->signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (d->signal_fd < 0 || su_wait_create(&wait, d->signal_fd, SU_WAIT_IN) != 0)
        return POC_E_IO;
    d->wait_index = su_root_register(d->root, &wait, on_signal, d, 0);
    return d->wait_index > 0 ? POC_OK : POC_E_IO;
}

/* ---- the daemon ---- */

static poc_err set_up(io_daemon *d, const char *config_path, char why[IO_WHY_MAX])
{
    POC_OWNED(config, c, config_free);
    if ((d->config_path = strdup(config_path)) == NULL || (d->root = su_root_create(NULL)) == NULL)
        return POC_E_NOMEM;
    (void)su_root_threading(d->root, 0);
    su_log_redirect(NULL, on_sofia_log, NULL);
    POC_TRY(watch_signals(d)); /* first: the threads that follow inherit the mask */
    POC_TRY(load(&c, config_path, why));
    POC_TRY(shell_check(c, why));
    const char *door = c->admin.socket; /* the shell keeps what it started with */
    POC_TRY(shell_new(&d->shell, d->root, (config *)POC_RELEASE(c), why));
    return door[0] == '\0' ? POC_OK : admin_new(&d->admin, d->root, d->shell, door, reload, d, why);
}

poc_err io_daemon_new(io_daemon **out, const char *config_path, char why[IO_WHY_MAX])
{
    io_daemon *d = (io_daemon *)calloc(1, sizeof(*d));
    *out = NULL;
    why[0] = '\0';
    if (d == NULL || su_init() != 0) {
        free(d);
        return POC_E_NOMEM;
    }
    d->signal_fd = d->wait_index = -1;
    poc_err err = set_up(d, config_path, why);
    if (err != POC_OK) {
        io_daemon_free(d);
        return err;
    }
    log_event(LOG_LEVEL_INFO, "ready", LOG_TEXT("version", POC_VERSION), LOG_TEXT("config", config_path),
              LOG_NUMBER("pid", getpid()));
    *out = d;
    return POC_OK;
}

void io_daemon_run(io_daemon *d)
{
    su_root_run(d->root);
    log_event(LOG_LEVEL_INFO, "stopped", LOG_NUMBER("pid", getpid()));
}

void io_daemon_free(io_daemon *d)
{
    if (d == NULL)
        return;
    admin_free(d->admin);
    shell_free(d->shell);
    if (d->wait_index > 0)
        (void)su_root_deregister(d->root, d->wait_index);
    if (d->signal_fd >= 0)
        (void)close(d->signal_fd);
    if (d->root != NULL)
        su_root_destroy(d->root);
    free(d->config_path);
    free(d);
    su_deinit();
}
