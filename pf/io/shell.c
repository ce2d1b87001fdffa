#include "pf/io/shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pf/io/config_private.h"
#include "pf/io/keyfile.h"
#include "pf/io/shell_private.h"
#include "pf/io/subscribers.h"
#include "pf/io/zn_embedded.h"

enum {
    SWEEP_MS = 60000,
    PUMP_NS = 1000000, /* of pushing at a time: then whoever else waits in the loop is served */
    PUMP_LOOKS = 32    /* effects between two looks at the clock */
};

/* ---- the pump ---- */

static int64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/** A rekey by push is thousands of effects in a row. */
static bool has_pumped_enough(shell *s, int64_t until_ns)
{
    if (s->pumped < PUMP_LOOKS)
        return false;
    s->pumped = 0;
    return clock_ns() >= until_ns;
}

static bool is_push_full(const shell *s)
{
    return s->push != NULL && push_is_full(s->push);
}

/** Only behind a PUSH or an AUDIT it stops before the end: nothing else comes in such numbers. The rest follows in its order. */
static bool carry_out_all(shell *s)
{
    int64_t until_ns = clock_ns() + PUMP_NS;
    pocpf_effect e;
    while (!is_push_full(s) && !has_pumped_enough(s, until_ns)) {
        if (!pocpf_poll(s->pf, &e))
            return true;
        s->pumped += e.type == POCPF_DO_PUSH || e.type == POCPF_DO_AUDIT;
        shell_carry_out(s, &e);
    }
    return false;
}

/** Nothing waits to be written, and nothing will be until something happens. */
static bool is_at_rest(const shell *s)
{
    return !s->has_more && s->writes_ended == s->writes_begun;
}

void shell_listen_durable(shell *s, shell_durable_fn *durable, void *user)
{
    s->durable = durable;
    s->durable_user = user;
}

void shell_durable(const shell *s, uint64_t through, bool ok)
{
    keyman_http_durable(s->keyman_http, through, ok);
    shell_mcx_durable(s, through, ok);
    if (s->durable != NULL)
        s->durable(s->durable_user, through, ok);
}

uint64_t shell_due(const shell *s)
{
    uint64_t changes = pocpf_changes(s->pf);
    return is_at_rest(s) || pocpf_changes_durable(s->pf) >= changes ? 0 : changes;
}

void shell_pump(shell *s)
{
    if (s->is_pumping)
        return; /* an effect told the engine something: the loop goes on with it */
    s->is_pumping = true;
    bool is_all = carry_out_all(s);
    s->is_pumping = false;
    s->has_more = !is_all;
    if (is_at_rest(s))
        shell_durable(s, UINT64_MAX, true); /* nothing more to be written */
    if (s->push != NULL)
        (void)push_flush(s->push);
    if (!is_all && !is_push_full(s))
        wake_soon(s->timer);
    else if (!s->write_failed)
        wake_at(s->timer, pocpf_deadline_ms(s->pf)); /* a full network: the push tells when it goes on */
}

static void on_timer(void *user)
{
    shell *s = (shell *)user;
    if (s->write_failed) {
        s->write_failed = false;
        shell_persisted(s, false, "out of memory");
    }
    pocpf_tick(s->pf, io_now_ms());
    shell_pump(s);
}

static void on_sweep(void *user)
{
    shell *s = (shell *)user;
    gba_naf_sweep(s->naf, io_now_ms() / 1000);
    wake_at(s->sweeper, io_now_ms() + SWEEP_MS);
}

/* ---- building: GBA ---- */

poc_err shell_fail_system(char why[CONFIG_WHY_MAX], const char *what, const char *where)
{
    (void)config_fail(why, what, 0, "%s: %s", where, strerror(errno));
    return POC_E_IO;
}

static poc_span bsf_name(const config *c)
{
    return poc_span_str(c->gba.bsf_fqdn[0] != '\0' ? c->gba.bsf_fqdn : c->gba.naf_fqdn);
}

static poc_err make_bsf(gba_bsf **out, const config *c, char why[CONFIG_WHY_MAX])
{
    POC_OWNED(gba_bsf, bsf, gba_bsf_free);
    POC_TRY(gba_bsf_new(&bsf, bsf_name(c), c->gba.key_lifetime_s, &poc_rng_system));
    POC_TRY(subscribers_load(bsf, c->gba.subscribers, why));
    *out = (gba_bsf *)POC_RELEASE(bsf);
    return POC_OK;
}

static poc_err make_gba(shell *s, char why[CONFIG_WHY_MAX])
{
    const config *c = s->boot;
    gba_naf_settings naf = { .fqdn = poc_span_str(c->gba.naf_fqdn),
                             .uicc_keys = c->gba.uicc_keys,
                             .nonce_lifetime_s = c->gba.nonce_lifetime_s,
                             .users_max = c->limits.users_max };
    memcpy(naf.ua_id, c->gba.ua_security_protocol_id, sizeof(naf.ua_id));
    POC_TRY(gba_naf_new(&s->naf, &naf, &poc_rng_system));
    POC_TRY(make_bsf(&s->bsf, c, why));
    return zn_embedded_new(&s->zn, s->root, s->bsf);
}

static poc_err make_ub(shell *s, char why[CONFIG_WHY_MAX])
{
    const config *c = s->boot;
    ub_http_settings settings = { .connections_max = c->limits.ub_connections_max,
                                  .connections_per_source = c->limits.ub_connections_per_source };
    POC_TRY(config_address(&settings.listen, c->gba.ub_listen));
    poc_err err = ub_http_new(&s->ub, s->root, &settings, s->bsf);
    return err == POC_E_IO ? shell_fail_system(why, "gba.ub_listen", c->gba.ub_listen) : err;
}

/* ---- building: engine and store ---- */

static int engine_random(void *user, uint8_t *out, size_t n)
{
    (void)user;
    return poc_rng_system.fill(poc_rng_system.ctx, out, n) == POC_OK ? 0 : -1;
}

static poc_err engine_new(shell *s)
{
    const config *c = s->boot;
    poc_span naf_id = gba_naf_naf_id(s->naf);
    pocpf_host host = { .size = sizeof(host), .user = s->crew, .random = engine_random };
    if (crew_size(s->crew) > 1)
        host.spread = crew_spread;
    pocpf_settings settings = { .size = sizeof(settings),
                                .naf_id = naf_id.p,
                                .naf_id_len = naf_id.n,
                                .store_key = s->store_key,
                                .members_max = c->limits.members_max,
                                .channels_max = c->limits.channels_max,
                                .offer_window = c->limits.offer_window,
                                .roster_max = c->limits.roster_max,
                                .require_verification = c->mikey.require_verification,
                                .accept_ts64 = c->mikey.accept_ts64,
                                .idi_fqdn = c->mikey.idi_fqdn,
                                .sdp_ids = c->mikey.sdp_ids,
                                .push_tries = c->mbms.push_tries,
                                .push_first_ms = c->mbms.retransmission_ms,
                                .push_cap_ms = c->mbms.retransmission_cap_ms,
                                .solicit_per_s = c->mbms.solicit_per_s,
                                .mcx_skew_s = c->mcx.skew_s,
                                .mcx_algorithms = c->mcx.algorithms,
                                .mcx_forced = c->mcx.forced_algorithm > 0 ? 1u << (c->mcx.forced_algorithm - 1) : 0u,
                                .mcx_strict_signature = c->mcx.strict_signature,
                                .muk_renew_s = c->mbms.muk_renew_s };
    return (poc_err)pocpf_new(&s->pf, &host, &settings);
}

static poc_err on_record(void *user, poc_span key, poc_span value)
{
    const shell *s = (const shell *)user;
    return (poc_err)pocpf_restore(s->pf, key.p, key.n, value.p, value.n);
}

static poc_err restore(shell *s, char why[CONFIG_WHY_MAX])
{
    poc_err err = store_load(s->store, on_record, s);
    if (err == POC_E_AUTH)
        (void)config_fail(why, s->boot->store.path, 0,
                          "store.path is sealed under another key: bring back store.key_file, or move the store away");
    else if (err != POC_OK)
        (void)config_fail(why, s->boot->store.path, 0, "store.path cannot be read back (%s): move it away",
                          poc_err_name(err));
    return err;
}

static poc_err make_store(shell *s, char why[CONFIG_WHY_MAX])
{
    POC_TRY(keyfile_open(&s->store_key, s->boot->store.key_file, &poc_rng_system, why));
    return store_open(&s->store, s->root, s->boot->store.path, shell_persisted, s, why);
}

static poc_err make_crew(shell *s, char why[CONFIG_WHY_MAX])
{
    poc_err err = crew_new(&s->crew, s->boot->limits.seal_threads);
    return err == POC_E_IO ? config_fail(why, "pocpfd", 0, "limits.seal_threads: the system gives no more threads")
                           : err;
}

static poc_err make_engine(shell *s, char why[CONFIG_WHY_MAX])
{
    POC_TRY(make_crew(s, why));
    POC_TRY(engine_new(s));
    POC_TRY(shell_channels_add(s, s->boot, why));
    return restore(s, why);
}

/* ---- building: sockets ---- */

static poc_err make_relay(shell *s, char why[CONFIG_WHY_MAX])
{
    const config *c = s->boot;
    relay_settings settings = { .address = c->media.address,
                                .port_min = (uint16_t)c->media.port_min,
                                .port_max = (uint16_t)c->media.port_max,
                                .sessions_max = c->limits.sessions_max,
                                .feed_silence_ms = c->media.feed_silence_ms };
    relay_session *probe = NULL;
    POC_TRY(relay_new(&s->relay, s->root, &settings, shell_feed, s));
    if (relay_session_new(&probe, s->relay) != POC_OK)
        return shell_fail_system(why, "media.address", c->media.address); /* found now, not with the first call */
    relay_session_free(probe);
    return POC_OK;
}

static poc_err make_enabler(shell *s, char why[CONFIG_WHY_MAX])
{
    (void)why;
    const config *c = s->boot;
    enabler_multicast_settings settings = { .protector = bcast_protector_defaults, .interface = c->bcast.interface };
    bcast_protector_settings *p = &settings.protector;
    p->stkm_active_ms = c->bcast.stkm_active_ms;
    p->stkm_idle_ms = c->bcast.stkm_idle_ms;
    p->stkm_burst = c->bcast.stkm_burst;
    p->stkm_burst_ms = c->bcast.stkm_burst_ms;
    p->stkm_lead_ms = c->bcast.stkm_lead_ms;
    if (c->bcast.mtk_packets_max != 0)
        p->mtk_packets_max = c->bcast.mtk_packets_max;
    if (c->bcast.hold_packets_max != 0)
        p->hold_packets_max = c->bcast.hold_packets_max;
    POC_TRY(enabler_multicast_new(&s->multicast, s->root, &settings, &poc_rng_system, shell_enabler_event,
                                  shell_mtk_made, s));
    s->enabler = enabler_multicast_adapter(s->multicast);
    return POC_OK;
}

static poc_err make_feeds(shell *s, char why[CONFIG_WHY_MAX])
{
    const config *c = s->boot;
    for (size_t i = 0; i < c->channel_count; i++) {
        const config_channel *ch = &c->channels[i];
        poc_err err = shell_content_open(s, shell_channel_of(s, ch->id), ch);
        if (err == POC_E_IO)
            return shell_fail_system(why, "channels.feed.listen", ch->feed.listen);
        POC_TRY(err);
    }
    return POC_OK;
}

static poc_err make_sip(shell *s, char why[CONFIG_WHY_MAX])
{
    const config *c = s->boot;
    sip_settings settings = { .listen = (const char *const *)c->sip.listen.item,
                              .listen_count = c->sip.listen.count,
                              .domain = c->sip.domain,
                              .next_hop = c->sip.next_hop,
                              .trusted_peers = (const char *const *)c->sip.trusted_peers.item,
                              .trusted_count = c->sip.trusted_peers.count,
                              .auth = c->gba.sip_auth == CONFIG_AUTH_DIGEST ? SIP_AUTH_DIGEST : SIP_AUTH_REGISTERED,
                              .session_expires_s = c->sip.session_expires_s,
                              .sessions_max = c->limits.sessions_max,
                              .requests_per_source_s = c->limits.requests_per_source_s,
                              .tcp_idle_s = c->sip.tcp_idle_s,
                              .connections_per_source = c->limits.sip_connections_per_source,
                              .strict_identities = c->sip.strict_identities,
                              .mcx_identity = c->mcx.psi[0] != '\0' ? c->mcx.psi : NULL,
                              .mcx_users_max = c->limits.members_max };
    poc_err err = sip_new(&s->sip, s->root, &settings, s->naf, s->zn, s->relay, &shell_sip_events, s);
    return err == POC_E_IO ? shell_fail_system(why, "sip.listen", "an address cannot be bound") : err;
}

/* ---- life ---- */

static poc_err make_tables(shell *s, char why[CONFIG_WHY_MAX])
{
    uint64_t seeds[4];
    (void)why;
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, seeds, sizeof(seeds)));
    poc_table_init(&s->channels, seeds[0]);
    poc_table_init(&s->groups, seeds[1]);
    poc_table_init(&s->members, seeds[2]);
    poc_table_init(&s->services, seeds[3]);
    POC_TRY(events_new(&s->events, s->boot->admin.events_kept));
    POC_TRY(wake_new(&s->timer, s->root, on_timer, s));
    return wake_new(&s->sweeper, s->root, on_sweep, s);
}

/** In this order: the journal is replayed before any socket is bound, and clients come last. */
static const struct {
    const char *name;
    poc_err (*make)(shell *s, char why[CONFIG_WHY_MAX]);
} steps[] = {
    { "tables", make_tables },   { "gba", make_gba },         { "store", make_store }, { "engine", make_engine },
    { "media", make_relay },     { "enabler", make_enabler }, { "feeds", make_feeds }, { "sip", make_sip },
    { "mbms", shell_mbms_make }, { "mcx", shell_mcx_make },   { "ub", make_ub },
};

static poc_err set_up(shell *s, char why[CONFIG_WHY_MAX])
{
    for (size_t i = 0; i < POC_COUNT(steps); i++) {
        poc_err err = steps[i].make(s, why);
        if (err != POC_OK && why[0] == '\0')
            (void)config_fail(why, "pocpfd", 0, "cannot start: %s: %s", steps[i].name, poc_err_name(err));
        POC_TRY(err);
    }
    return POC_OK;
}

void shell_log_settings(const config *c)
{
    log_configure(c->log.format == CONFIG_LOG_JSON, c->log.same_reason_per_s);
}

poc_err shell_new(shell **out, su_root_t *root, config *c, char why[CONFIG_WHY_MAX])
{
    shell *s = (shell *)calloc(1, sizeof(*s));
    *out = NULL;
    why[0] = '\0';
    if (s == NULL) {
        config_free(c);
        return POC_E_NOMEM;
    }
    s->root = root;
    s->started_ms = io_now_ms();
    s->boot = s->current = c;
    shell_log_settings(c);
    poc_err err = set_up(s, why);
    if (err != POC_OK) {
        shell_free(s);
        return err;
    }
    wake_at(s->sweeper, io_now_ms() + SWEEP_MS);
    (void)pocpf_restored(s->pf, io_now_ms());
    shell_mcx_restored(s);
    shell_pump(s);
    *out = s;
    return POC_OK;
}

void shell_free(shell *s)
{
    if (s == NULL)
        return;
    ub_http_free(s->ub);
    shell_mbms_free(s);
    shell_mcx_stop(s);
    sip_free(s->sip);
    enabler_multicast_free(s->multicast);
    relay_free(s->relay);
    store_free(s->store);
    shell_mcx_free(s);
    pocpf_free(s->pf);
    crew_free(s->crew);
    if (s->zn != NULL)
        s->zn->ops->free(s->zn);
    gba_naf_free(s->naf);
    gba_bsf_free(s->bsf);
    poc_secret_free(s->store_key);
    shell_members_free(s);
    shell_services_free(s);
    shell_channels_free(s);
    events_free(s->events);
    wake_free(s->timer);
    wake_free(s->sweeper);
    wake_free(s->drain_bound);
    if (s->current != s->boot)
        config_free(s->current);
    config_free(s->boot);
    free(s);
}

/* ---- drain ---- */

static void finish(shell *s)
{
    void (*done)(void *user) = s->drained;
    s->drained = NULL;
    if (done != NULL)
        done(s->drained_user);
}

void shell_drain_look(shell *s)
{
    if (s->is_draining && s->sip_drained && !store_busy(s->store))
        finish(s);
}

static void on_sip_drained(void *user)
{
    shell *s = (shell *)user;
    s->sip_drained = true;
    shell_drain_look(s);
}

static void on_drain_bound(void *user)
{
    shell *s = (shell *)user;
    log_event(LOG_LEVEL_WARNING, "drain_cut_short", LOG_NUMBER("after_s", s->boot->limits.drain_s));
    finish(s);
}

void shell_drain(shell *s, void (*done)(void *user), void *user)
{
    uint32_t bound_s = s->boot->limits.drain_s;
    if (s->is_draining)
        return;
    s->drained = done;
    s->drained_user = user;
    if (bound_s == 0 || wake_new(&s->drain_bound, s->root, on_drain_bound, s) != POC_OK) {
        finish(s);
        return;
    }
    s->is_draining = true;
    wake_at(s->drain_bound, io_now_ms() + (int64_t)bound_s * 1000);
    shell_channels_stop(s);
    shell_members_forget(s); /* a session that a drain ends is not reported */
    sip_drain(s->sip, on_sip_drained, s);
}
