/* A reload: what is new is read whole beside what runs, and then takes its place. */
#include <stdio.h>
#include <string.h>

#include "pf/io/config_private.h"
#include "pf/io/options.h"
#include "pf/io/shell_private.h"

/* ---- what a reload takes, and what not ---- */

static void tell_option(const shell *s, const option *o, log_level level, const char *what)
{
    char name[96];
    (void)snprintf(name, sizeof(name), "%s.%s", o->group, o->name);
    log_event(level, what, LOG_TEXT("group", o->group), LOG_TEXT("option", o->name));
    shell_told(s, what, name, NULL);
}

typedef struct option_name {
    const char *group, *name;
} option_name;

static bool is_among(const option_name *names, size_t n, const option *o)
{
    size_t i = 0;
    while (i < n && (strcmp(o->group, names[i].group) != 0 || strcmp(o->name, names[i].name) != 0))
        i++;
    return i < n;
}

/** TLS is there from the start or not at all; with which certificate may change. */
static bool goes_on_with_tls(const option *o, const config *before, const config *after)
{
    static const option_name names[] = {
        { "mbms", "tls_certificate" }, { "mbms", "tls_key" }, { "mcx", "kms_tls_certificate" }, { "mcx", "kms_tls_key" }
    };
    if (!is_among(names, POC_COUNT(names), o))
        return false;
    const char *was = *(char *const *)((const char *)before + o->offset);
    const char *is = *(char *const *)((const char *)after + o->offset);
    return was[0] != '\0' && is[0] != '\0';
}

/** What a reload takes over; the rest is only read at the start. */
static bool is_taken_by_reload(const shell *s, const option *o, const config *after)
{
    static const option_name names[] = { { "mcx", "users" },
                                         { "mcx", "token_key" },
                                         { "mcx", "token_issuer" },
                                         { "mcx", "token_audience" },
                                         { "mcx", "token_scopes" } };
    return strcmp(o->group, "log") == 0 || is_among(names, POC_COUNT(names), o) || goes_on_with_tls(o, s->boot, after);
}

/** The log changes now, and who is authorised for mission critical services; what is only read at the start is named, as long as it differs from then. */
static void tell_options(const shell *s, const config *after)
{
    for (size_t i = 0; i < option_count; i++) {
        const option *o = &options[i];
        if (option_is_of_channel(o))
            continue;
        const bool is_taken = is_taken_by_reload(s, o, after);
        if (is_taken && !config_same(o, s->current, after))
            tell_option(s, o, LOG_LEVEL_INFO, "option_changed");
        else if (!is_taken && !config_same(o, s->boot, after))
            tell_option(s, o, LOG_LEVEL_WARNING, "reload_needs_restart");
    }
}

/* ---- files ---- */

static void files_done(shell_files *f)
{
    mcx_people_free(f->people);
    shell_pem_done(&f->mbms_tls);
    shell_pem_done(&f->kms_tls);
}

static poc_err files_read(shell_files *f, const config *c, char why[CONFIG_WHY_MAX])
{
    *f = (shell_files){ .people = NULL };
    POC_TRY(shell_pem_of_mbms(&f->mbms_tls, c, why));
    if (c->mcx.psi[0] == '\0')
        return POC_OK;
    POC_TRY(shell_pem_of_kms(&f->kms_tls, c, why));
    return mcx_people_new(&f->people, c, why);
}

poc_err shell_check(const config *c, char why[CONFIG_WHY_MAX])
{
    shell_files files;
    const poc_err err = files_read(&files, c, why);
    files_done(&files);
    return err;
}

/* ---- the reload ---- */

void shell_tls_told(const shell *s, const char *group, poc_err err, bool has_changed)
{
    if (err != POC_OK) {
        log_event(LOG_LEVEL_ERROR, "tls_not_renewed", LOG_TEXT("group", group), LOG_TEXT("reason", poc_err_name(err)));
        shell_told(s, "tls_not_renewed", group, poc_err_name(err));
    } else if (has_changed) {
        log_event(LOG_LEVEL_INFO, "tls_renewed", LOG_TEXT("group", group));
        shell_told(s, "tls_renewed", group, NULL);
    }
}

poc_err shell_reload(shell *s, config *c, shell_change_fn *told, void *user, char why[CONFIG_WHY_MAX])
{
    shell_files files;
    const poc_err err = files_read(&files, c, why);
    if (err != POC_OK) {
        files_done(&files);
        config_free(c);
        return err;
    }
    s->told = told;
    s->told_user = user;
    shell_log_settings(c);
    tell_options(s, c);
    shell_mbms_reload(s, &files.mbms_tls);
    shell_mcx_reload(s, &files);
    files_done(&files);
    shell_channels_reload(s, c);
    s->told = NULL;
    if (s->current != s->boot)
        config_free(s->current);
    s->current = c;
    log_event(LOG_LEVEL_INFO, "reloaded", LOG_NUMBER("channels", c->channel_count));
    return POC_OK;
}
