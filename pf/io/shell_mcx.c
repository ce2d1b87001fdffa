/* Mission critical services: the desk where clients are authorised, the server's own keys, the KMS inside, and floor control
 * under client-server keys. What only the group `mcx` of the configuration brings to life. */
#include "pf/io/shell_mcx.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/config_private.h"

/* ---- the desk ---- */

static poc_err on_authorise(void *user, const char *impu, mcx_service service, const char *token, int64_t now_s,
                            char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    shell_mcx *x = (shell_mcx *)user;
    const poc_err err = mcx_people_authorise(x->people, impu, service, token, now_s, mc_id, &x->not_authorised);
    if (err == POC_OK)
        x->not_authorised = NULL;
    return err;
}

static bool on_affords(void *user, const char *impu, uint32_t cost, int64_t now_s)
{
    const shell_mcx *x = (const shell_mcx *)user;
    const uint32_t at_most = x->shell->boot->mcx.requests_per_user_s;
    uint32_t count = 0;
    for (uint32_t i = 0; at_most > 0 && i < cost; i++)
        count = sources_add(x->costs, poc_span_str(impu), now_s);
    return count <= at_most;
}

static bool on_is_somebody(void *user, const char *impu)
{
    return mcx_people_may_be(((const shell_mcx *)user)->people, impu);
}

static bool on_known(void *user, const char *impu, mcx_service service, char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    return mcx_people_known(((const shell_mcx *)user)->people, impu, service, mc_id);
}

static bool on_stays(void *user, const char *impu, mcx_service service, const char *mc_id)
{
    return mcx_people_stays(((const shell_mcx *)user)->people, impu, service, mc_id);
}

static bool on_listed(void *user, const char *channel, const char *mc_id)
{
    const shell_channel *ch = shell_channel_of(((const shell_mcx *)user)->shell, channel);
    return ch != NULL && poc_table_get(&ch->users, poc_span_str(mc_id)) != NULL;
}

static poc_err make_desk(shell_mcx *x, const config *c)
{
    wire_mcx_rules rules = { .users_max = c->limits.members_max,
                             .expires_s = c->mcx.expires_s,
                             .expires_min_s = c->mcx.expires_min_s,
                             .refuses_clear = c->mcx.refuse_clear,
                             .affords = on_affords,
                             .is_somebody = on_is_somebody,
                             .authorise = on_authorise,
                             .known = on_known,
                             .stays = on_stays,
                             .listed = on_listed,
                             .user = x };
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, &rules.seed, sizeof(rules.seed)));
    return wire_mcx_desk_new(&x->desk, &rules, x->shell->pf);
}

static poc_err make_floor(shell_mcx *x)
{
    uint64_t seed;
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, &seed, sizeof(seed)));
    return wire_mcx_floor_new(&x->floor, x->shell->pf, seed);
}

void shell_mcx_timer_set(shell_mcx *x)
{
    const int64_t desk_ms = wire_mcx_desk_deadline_ms(x->desk), notices_ms = mcx_notices_deadline_ms(x->notices);
    wake_at(x->timer, desk_ms < notices_ms ? desk_ms : notices_ms);
}

static void on_timer(void *user)
{
    shell_mcx *x = (shell_mcx *)user;
    wire_mcx_desk_tick(x->desk, io_now_ms());
    mcx_notices_pump(x->notices, io_now_ms());
    shell_mcx_timer_set(x);
    shell_pump(x->shell);
}

bool shell_mcx_knows(const shell *s, const char *id, const char *impu, char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    const shell_channel *ch = shell_channel_of(s, id);
    pocpf_csk_status csk = { .size = sizeof(csk) };
    mc_id[0] = '\0';
    if (s->mcx == NULL || ch == NULL || ch->kind != CONFIG_MUSIK)
        return false;
    if (pocpf_csk_of(s->pf, impu, (uint8_t)ch->musik_service, &csk) != POCPF_OK)
        (void)on_known(s->mcx, impu, (mcx_service)ch->musik_service, mc_id);
    return true;
}

/* ---- our own keys ---- */

static void on_keys(void *user, pocpf_mcx_keys *keys, bool signs)
{
    const shell_mcx *x = (const shell_mcx *)user;
    const pocpf_mcx_identity identity = { .size = sizeof(identity), .keys = keys, .signs = signs };
    const pocpf_err err = pocpf_mcx_identity_add(x->shell->pf, io_now_ms(), &identity);
    log_event(err == POCPF_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
              err == POCPF_OK ? "mcx_keys_taken" : "mcx_keys_refused",
              LOG_TEXT("reason", err == POCPF_OK ? NULL : pocpf_err_name(err)), LOG_NUMBER("signs", signs));
    shell_pump(x->shell);
}

static void on_kms(void *user, pocpf_mcx_kms *kms)
{
    const shell_mcx *x = (const shell_mcx *)user;
    const pocpf_err err = pocpf_mcx_kms_add(x->shell->pf, io_now_ms(), kms);
    if (err != POCPF_OK)
        log_event(LOG_LEVEL_ERROR, "mcx_kms_refused", LOG_TEXT("reason", pocpf_err_name(err)));
    shell_pump(x->shell);
}

static void on_revoked(void *user, const char *kms_uri)
{
    const shell_mcx *x = (const shell_mcx *)user;
    const pocpf_err err = pocpf_mcx_kms_remove(x->shell->pf, io_now_ms(), kms_uri);
    if (err == POCPF_OK)
        log_event(LOG_LEVEL_WARNING, "mcx_kms_revoked", LOG_TEXT("kms", kms_uri));
    shell_pump(x->shell);
}

static poc_err make_keeper(shell_mcx *x, const config *c, char why[CONFIG_WHY_MAX])
{
    static const mcx_keeper_events events = { .keys = on_keys, .kms = on_kms, .revoked = on_revoked };
    if (c->mcx.kms == CONFIG_KMS_EMBEDDED)
        POC_TRY(mcx_own_kms_new(&x->own, c, why));
    const mcx_kms_service *own = x->own != NULL ? mcx_own_kms_service(x->own) : NULL;
    return mcx_keeper_new(&x->keeper, x->shell->root, c, own, &events, x, why);
}

/* ---- the KMS inside ---- */

static poc_err listen_kms(shell_mcx *x, const config *c, const shell_pem *p, char why[CONFIG_WHY_MAX])
{
    const config_texts *listen = &c->mcx.kms_listen;
    http_front_settings settings = { .listen_count = listen->count,
                                     .tls_certificate = p->certificate,
                                     .tls_key = p->key,
                                     .connections_max = c->mcx.kms_connections_max,
                                     .connections_per_source = c->mcx.kms_connections_per_source,
                                     .requests_per_source_s = c->mcx.kms_requests_per_source_s };
    for (size_t i = 0; i < listen->count; i++)
        POC_TRY(config_address(&settings.listen[i], listen->item[i]));
    const poc_err err =
        mcx_kms_http_new(&x->kms_http, x->shell->root, &settings, mcx_own_kms_service(x->own), &x->people);
    return err == POC_E_IO ? shell_fail_listen(why, "mcx.kms_listen", "mcx.kms_tls_certificate and mcx.kms_tls_key",
                                               c->mcx.kms_tls_certificate)
                           : err;
}

static poc_err make_kms_http(shell_mcx *x, const config *c, char why[CONFIG_WHY_MAX])
{
    shell_pem p = { NULL, NULL };
    if (x->own == NULL || c->mcx.kms_listen.count == 0)
        return POC_OK;
    poc_err err = shell_pem_of_kms(&p, c, why);
    if (err == POC_OK)
        err = listen_kms(x, c, &p, why);
    shell_pem_done(&p);
    return err;
}

/* ---- life ---- */

static poc_err set_up(shell_mcx *x, char why[CONFIG_WHY_MAX])
{
    shell *s = x->shell;
    const config *c = s->boot;
    POC_TRY(wake_new(&x->timer, s->root, on_timer, x));
    POC_TRY(shell_mcx_notices_make(x));
    POC_TRY(sources_new(&x->costs));
    POC_TRY(mcx_people_new(&x->people, c, why));
    POC_TRY(make_desk(x, c));
    POC_TRY(make_floor(x));
    POC_TRY(shell_mcx_load(s, c));
    POC_TRY(make_keeper(x, c, why));
    return make_kms_http(x, c, why);
}

poc_err shell_mcx_make(shell *s, char why[CONFIG_WHY_MAX])
{
    if (s->boot->mcx.psi[0] == '\0')
        return POC_OK;
    s->mcx = (shell_mcx *)calloc(1, sizeof(*s->mcx));
    if (s->mcx == NULL)
        return POC_E_NOMEM;
    s->mcx->shell = s;
    return set_up(s->mcx, why);
}

void shell_mcx_restored(shell *s)
{
    if (s->mcx == NULL)
        return;
    const poc_err err = wire_mcx_desk_restored(s->mcx->desk, io_now_ms());
    if (err != POC_OK)
        log_event(LOG_LEVEL_ERROR, "mcx_users_not_restored", LOG_TEXT("reason", poc_err_name(err)));
    shell_mcx_announce_all(s->mcx);
    shell_mcx_timer_set(s->mcx);
}

void shell_mcx_stop(shell *s)
{
    shell_mcx *x = s->mcx;
    if (x == NULL)
        return;
    mcx_kms_http_free(x->kms_http);
    mcx_keeper_free(x->keeper);
    shell_mcx_waiting_free(x);
    x->kms_http = NULL;
    x->keeper = NULL;
}

void shell_mcx_free(shell *s)
{
    shell_mcx *x = s->mcx;
    if (x == NULL)
        return;
    s->mcx = NULL;
    mcx_own_kms_free(x->own);
    wire_mcx_floor_free(x->floor);
    wire_mcx_desk_free(x->desk);
    mcx_notices_free(x->notices);
    sources_free(x->costs);
    mcx_people_free(x->people);
    wake_free(x->timer);
    free(x);
}

static void renew_kms(const shell_mcx *x, const shell_pem *tls)
{
    bool has_changed = false;
    if (x->kms_http == NULL || tls->certificate == NULL)
        return;
    const poc_err err = mcx_kms_http_renew(x->kms_http, tls->certificate, tls->key, &has_changed);
    shell_tls_told(x->shell, "mcx", err, has_changed);
}

/** Without people in the configuration those of before stay until the restart that ends the services. */
void shell_mcx_reload(shell *s, shell_files *files)
{
    if (s->mcx == NULL || files->people == NULL)
        return;
    mcx_people *former = s->mcx->people;
    s->mcx->people = files->people;
    files->people = former;
    renew_kms(s->mcx, &files->kms_tls);
}

/* ---- floor control ---- */

bool shell_mcx_guard(shell *s, sip_session *session)
{
    const char *user = sip_session_user(session);
    wire_mcx_user who = { .services = 0 };
    if (s->mcx == NULL)
        return true;
    (void)wire_mcx_desk_look(s->mcx->desk, user, &who);
    return mcx_floor_guard(s->mcx->floor, sip_session_relay(session), user, who.services != 0) != POC_E_NOMEM;
}

static void guard_or_end(void *user, sip_session *session)
{
    shell *s = (shell *)user;
    if (!shell_mcx_guard(s, session))
        shell_session_end(s, session);
}

void shell_mcx_guard_user(shell *s, const char *user)
{
    sip_sessions_of(s->sip, user, guard_or_end, s);
}

void shell_mcx_logged_off(shell *s, const char *user)
{
    if (s->mcx != NULL)
        wire_mcx_floor_forget(s->mcx->floor, user);
}

/* ---- for an operator ---- */

void shell_mcx_look(const shell *s, shell_mcx_status *out)
{
    const shell_mcx *x = s->mcx;
    size_t at = 0;
    wire_mcx_user ignored;
    *out = (shell_mcx_status){ .is_on = x != NULL };
    if (x == NULL)
        return;
    out->counts = x->counts;
    out->keeper = mcx_keeper_look(x->keeper);
    if (x->kms_http != NULL)
        out->kms = mcx_kms_http_look(x->kms_http);
    while (wire_mcx_desk_next(x->desk, &at, &ignored))
        out->users++;
}

/** The one of the three that an operator can have configured. */
static const char *algorithm_of(const pocpf_csk_status *csk)
{
    static const struct {
        const mcx_algorithm *algorithm;
        const char *name; /* as in mcx.algorithms */
    } names[] = { { &mcx_aes128_gcm, "aes-128-gcm" },
                  { &mcx_aes256_gcm, "aes-256-gcm" },
                  { &mcx_aes128_cm, "aes-128-cm" } };
    const mcx_algorithm a = { csk->encr, csk->key_len, csk->salt_len, csk->tag_len };
    for (size_t i = 0; i < POC_COUNT(names); i++)
        if (mcx_algorithm_eq(&a, names[i].algorithm))
            return names[i].name;
    return NULL;
}

bool shell_mcx_user_next(const shell *s, size_t *at, shell_mcx_user *out)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    wire_mcx_user user;
    if (s->mcx == NULL || !wire_mcx_desk_next(s->mcx->desk, at, &user))
        return false;
    *out = (shell_mcx_user){ .user = user.impu,
                             .impu = user.impu,
                             .mc_id = user.mc_id,
                             .services = user.services,
                             .expires_ms = user.expires_ms };
    if (pocpf_csk_of(s->pf, user.impu, (uint8_t)user.service, &csk) == POCPF_OK) {
        out->csk_id = csk.csk_id;
        out->algorithm = algorithm_of(&csk);
    }
    return true;
}

poc_err shell_mcx_log_off(shell *s, const char *user)
{
    if (s->mcx == NULL)
        return POC_E_STATE;
    const poc_err err = wire_mcx_desk_log_off(s->mcx->desk, io_now_ms(), user);
    if (err == POC_OK)
        log_event(LOG_LEVEL_INFO, "operator_logs_off", LOG_TEXT("user", user));
    shell_mcx_timer_set(s->mcx);
    shell_pump(s);
    return err;
}
