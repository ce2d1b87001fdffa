/* The life of the real world: what it is made of is put up when it is first needed, and taken down in order. */
#include "tests/harness/real.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "tests/harness/spoil.h"

enum { READY_LIMIT_MS = 60000, STOP_LIMIT_MS = 60000, LEAVE_LIMIT_MS = 2000, STEP_MS = 20 };

static int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t real_now_us(const world *w)
{
    return clock_us() - ((const real *)w)->start_us;
}

void real_saw(real *r, world_seen seen)
{
    seen.at_us = real_now_us(&r->base);
    r->settings.seen(r->settings.user, &seen);
}

static void note(real *r, const char *text)
{
    world_seen seen = { .what = WORLD_NOTE, .client = -1 };
    snprintf(seen.text, sizeof(seen.text), "%s", text);
    real_saw(r, seen);
}

/* ---- putting it up ---- */

static poc_err until(real *r, int limit_ms, bool (*done)(const real *r))
{
    int64_t limit_us = clock_us() + (int64_t)limit_ms * 1000;
    while (!done(r) && clock_us() < limit_us)
        su_root_step(r->root, STEP_MS);
    return done(r) ? POC_OK : POC_E_IO;
}

static bool daemon_has_settled(const real *r)
{
    return child_is_ready(r->daemon) || child_has_ended(r->daemon);
}

static bool daemon_has_ended(const real *r)
{
    return child_has_ended(r->daemon);
}

poc_err real_daemon_up(real *r)
{
    char program[2 * DEPLOYMENT_PATH_MAX], log[2 * DEPLOYMENT_PATH_MAX];
    snprintf(program, sizeof(program), "%s/pocpfd", r->program_dir);
    snprintf(log, sizeof(log), "%s/pocpfd.log", r->report_dir);
    POC_TRY(child_start(&r->daemon, r->root, program, r->deployment.config_path, log));
    POC_TRY(until(r, READY_LIMIT_MS, daemon_has_settled));
    if (child_is_ready(r->daemon))
        return POC_OK;
    fprintf(stderr, "pocsim: pocpfd did not get ready; its words are in %s\n", log);
    return POC_E_IO;
}

static poc_err listener_up(real_listener *l, real *r, const bcast_channel *air)
{
    const struct sockaddr *source = (const struct sockaddr *)&air->source;
    char interface[64];
    poc_wr wr = poc_wr_into(interface, sizeof(interface));
    if (source->sa_family != 0)
        poc_addr_put(&wr, source);
    POC_TRY(poc_wr_text(&wr));
    l->owner = r;
    l->musik_number = real_musik_number(r, air->id);
    for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        POC_TRY(udp_open_group(&l->flows[flow], r->root, (const struct sockaddr *)&air->group, air->port[flow], source,
                               wr.len > 0 ? interface : NULL, real_on_group, l));
    return POC_OK;
}

static poc_err write_config(real *r)
{
    const world_client *clients[WORLD_CLIENTS_MAX];
    for (size_t i = 0; i < r->client_count; i++)
        clients[i] = &r->clients[i].settings;
    const deployment_cast cast = { .pf = &r->pf,
                                   .channels = r->channels,
                                   .channel_count = r->channel_count,
                                   .clients = clients,
                                   .client_count = r->client_count };
    return deployment_write(r->pf_config, r->report_dir, &cast);
}

/* In the order of the script, since observations number channels so; those of somebody's own configuration stay as they stand. */
static void put_in_order(real *r)
{
    deployment_channel *channels = r->deployment.channels;
    for (size_t i = 0; i < r->channel_count && i < r->deployment.channel_count; i++)
        for (size_t k = i + 1; k < r->deployment.channel_count; k++)
            if (strcmp(channels[k].air.id, r->channels[i].id) == 0) {
                const deployment_channel other = channels[i];
                channels[i] = channels[k];
                channels[k] = other;
            }
}

poc_err real_come_up(real *r)
{
    char why[160] = "";
    if (r->is_up)
        return POC_OK;
    if (r->pf_config[0] == '\0')
        POC_TRY(write_config(r));
    poc_err err = deployment_read(&r->deployment, r->pf_config, why);
    if (err != POC_OK) {
        fprintf(stderr, "pocsim: %s: %s\n", r->pf_config, why);
        return err;
    }
    put_in_order(r);
    if (r->pf_uri[0] != '\0')
        snprintf(r->deployment.pf_uri, sizeof(r->deployment.pf_uri), "%s", r->pf_uri);
    if (r->settings.bsf_url != NULL)
        snprintf(r->deployment.bsf_url, sizeof(r->deployment.bsf_url), "%s", r->settings.bsf_url);
    err = cf_new(&r->cf, r->root, r->deployment.cf_host, r->deployment.cf_port, real_on_cf, r);
    if (err != POC_OK) {
        fprintf(stderr, "pocsim: the stand-in CF cannot listen on %s port %u\n", r->deployment.cf_host,
                r->deployment.cf_port);
        return err;
    }
    cf_carry(r->cf, real_where);
    for (size_t i = 0; i < r->deployment.channel_count; i++)
        (void)listener_up(&r->listeners[i], r,
                          &r->deployment.channels[i].air); /* a channel without a bearer has no air */
    if (r->pf_uri[0] == '\0')
        POC_TRY(real_daemon_up(r));
    r->is_up = true;
    return POC_OK;
}

const deployment_channel *real_channel_of(const real *r, const char *channel_id)
{
    for (size_t i = 0; i < r->deployment.channel_count; i++)
        if (strcmp(r->deployment.channels[i].air.id, channel_id) == 0)
            return &r->deployment.channels[i];
    return NULL;
}

/* ---- radios ---- */

static void tamper(const void *ctx, bool is_answer, char *sdp)
{
    spoil_sdp(ctx, is_answer, sdp);
}

static radio_settings radio_settings_of(const real_client *c, const deployment_subscriber *s, const char *address)
{
    const deployment *d = &c->owner->deployment;
    radio_settings settings = {
        .ue = { .impu = c->impu,
                .impi = s->impi,
                .sqn = s->sqn,
                .bsf_fqdn = d->bsf_fqdn,
                .naf_fqdn = d->naf_fqdn,
                .multicast_capable = c->settings.multicast_capable,
                .msks_per_group = c->settings.keeps_keys ? 64 : 2,
                .keep_keys = c->settings.keeps_keys && c->settings.mcx.is_user },
        .name = c->settings.name,
        .address = address,
        .pf_uri = d->pf_uri,
        .bsf_url = d->bsf_url,
        .keyman_url = d->keyman_url[0] != '\0' ? d->keyman_url : NULL,
        .push_port = d->keyman_url[0] != '\0' ? d->push_port : 0,
        .interface = d->cf_host,
        .is_vouched_for = c->owner->pf.trusts_core,
        .update_allowed = c->settings.update_allowed,
        .answer_offers = c->settings.answers_offers,
        .refuse_keys = c->settings.refuses_keys,
        .keep_keys = c->settings.keeps_keys,
        .tamper = c->settings.answers[0] != '\0' ? tamper : NULL,
        .tamper_ctx = c->settings.answers,
    };
    memcpy(settings.ue.k, s->k, sizeof(s->k));
    memcpy(settings.ue.opc, s->opc, sizeof(s->opc));
    memcpy(settings.ue.amf, s->amf, sizeof(s->amf));
    memcpy(settings.ue.ua_id, d->ua_id, sizeof(d->ua_id));
    return settings;
}

/* A radio is made when it is first used: by then the deployment is known. */
poc_err real_radio_of(real *r, int client, radio **out)
{
    if (client < 0 || (size_t)client >= r->client_count)
        return POC_E_INPUT;
    POC_TRY(real_come_up(r));
    real_client *c = &r->clients[client];
    if (c->radio == NULL) {
        deployment_subscriber subscriber;
        poc_err err = deployment_find(&r->deployment, c->settings.name, &subscriber);
        if (err != POC_OK) {
            fprintf(stderr, "pocsim: no subscriber \"%s\" in %s\n", c->settings.name, r->deployment.subscribers_path);
            return err;
        }
        snprintf(c->impu, sizeof(c->impu), "%s", subscriber.impu);
        char address[64];
        real_address(r, client, address);
        radio_settings settings = radio_settings_of(c, &subscriber, address);
        err = radio_new(&c->radio, r->root, &settings, real_on_radio, c);
        poc_wipe(&settings, sizeof(settings));
        poc_wipe(&subscriber, sizeof(subscriber));
        POC_TRY(err);
        POC_TRY(real_mcx_start(c));
    }
    *out = c->radio;
    return POC_OK;
}

poc_err real_run(world *w, int64_t until_us, bool (*stop)(void *user), void *user)
{
    real *r = (real *)w;
    POC_TRY(real_come_up(r));
    for (;;) {
        int64_t left_us = until_us - real_now_us(w);
        if ((stop != NULL && stop(user)) || left_us <= 0)
            return POC_OK;
        if (r->daemon != NULL && child_has_ended(r->daemon)) {
            note(r, "pocpfd ended by itself");
            return POC_E_IO;
        }
        su_root_step(r->root, left_us < STEP_MS * 1000 ? left_us / 1000 : STEP_MS);
    }
}

static void unseen(void *user, const world_seen *seen)
{
    (void)user, (void)seen;
}

static bool all_are_out(const real *r)
{
    for (size_t i = 0; i < r->client_count; i++)
        if (r->clients[i].is_in)
            return false;
    return true;
}

/* With somebody else's PF: it should not have to find out from dead sockets that the play is over. */
static void radios_down(real *r)
{
    for (size_t i = 0; i < r->client_count; i++)
        if (r->clients[i].is_in)
            (void)radio_leave(r->clients[i].radio);
    (void)until(r, LEAVE_LIMIT_MS, all_are_out);
}

/* An orderly end: the daemon says BYE to everybody, and there is still somebody to answer. */
static void daemon_down(real *r)
{
    if (r->daemon == NULL)
        return;
    child_terminate(r->daemon);
    (void)until(r, STOP_LIMIT_MS, daemon_has_ended);
    if (child_free(r->daemon) != 0)
        fprintf(stderr, "pocsim: pocpfd did not end in order; its words are in %s/pocpfd.log\n", r->report_dir);
}

void real_free(world *w)
{
    real *r = (real *)w;
    r->settings.seen = unseen;
    daemon_down(r);
    radios_down(r);
    for (size_t i = 0; i < r->client_count; i++)
        radio_free(r->clients[i].radio);
    for (size_t i = 0; i < DEPLOYMENT_CHANNELS_MAX; i++)
        for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
            udp_close(r->listeners[i].flows[flow]);
    udp_close(r->source);
    udp_close(r->attacker);
    udp_close(r->stranger);
    cf_free(r->cf);
    su_root_destroy(r->root);
    su_deinit();
    free(r);
}

static void copy(char *to, size_t cap, const char *from)
{
    snprintf(to, cap, "%s", from != NULL ? from : "");
}

poc_err world_real(world **out, const world_settings *settings)
{
    real *r = calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL)
        return POC_E_NOMEM;
    signal(SIGPIPE, SIG_IGN);
    r->base.ops = &real_ops;
    r->settings = *settings;
    copy(r->report_dir, sizeof(r->report_dir), settings->report_dir);
    copy(r->program_dir, sizeof(r->program_dir), settings->program_dir);
    copy(r->pf_uri, sizeof(r->pf_uri), settings->pf_uri);
    copy(r->pf_config, sizeof(r->pf_config), settings->pf_config);
    r->start_us = clock_us();
    if (su_init() != 0 || (r->root = su_root_create(NULL)) == NULL) {
        free(r);
        return POC_E_IO;
    }
    (void)su_root_threading(r->root, 0); /* nua's stack runs in this thread: one clock for all observations */
    *out = &r->base;
    return POC_OK;
}
