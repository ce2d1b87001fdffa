/* Mission critical services in the real world: what the radios do over SIP and HTTP, and floor control of a content source. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/harness/floor.h"
#include "tests/harness/real.h"

enum { SECRETS_MAX = 2048 };

uint8_t real_musik_number(const real *r, const char *channel_id)
{
    const deployment_channel *channel = real_channel_of(r, channel_id);
    return channel != NULL && channel->is_musik ? (uint8_t)(channel - r->deployment.channels + 1) : 0;
}

/* ---- a radio as such a user ---- */

static size_t algorithms_of(const world_mcx *made, mcx_algorithm out[2])
{
    size_t n = 0;
    for (size_t i = 0; i < 2 && made->algorithms[i] != 0; i++)
        out[n++] = made->algorithms[i] == mcx_aes256_gcm.key_len ? mcx_aes256_gcm : mcx_aes128_gcm;
    return n;
}

poc_err real_mcx_start(real_client *c)
{
    const deployment *d = &c->owner->deployment;
    const world_mcx *made = &c->settings.mcx;
    char mc_id[WORLD_NAME_MAX + 64], token[WORLD_NAME_MAX + 16], client_id[64];
    mcx_algorithm algorithms[2];
    const pocue_mcx_server server = { d->psi, d->kms_uri };
    if (!made->is_user)
        return POC_OK;
    deployment_mc_id(mc_id, c->settings.name);
    deployment_token(token, made->token_of[0] != '\0' ? made->token_of : c->settings.name);
    snprintf(client_id, sizeof(client_id), "urn:uuid:%s", c->settings.name);
    const radio_mcx_settings settings = { .user = { .mc_id = mc_id,
                                                    .service = made->is_video ? MCX_MCVIDEO : MCX_MCPTT,
                                                    .servers = &server,
                                                    .server_count = 1,
                                                    .client_id = client_id,
                                                    .csk_name = c->settings.name,
                                                    .algorithms = algorithms,
                                                    .algorithm_count = algorithms_of(made, algorithms),
                                                    .hides_identities = made->hides_identity },
                                          .psi = d->psi,
                                          .access_token = token,
                                          .kms_url = d->kms_url[0] != '\0' ? d->kms_url : NULL };
    return radio_mcx_start(c->radio, &settings);
}

/* ---- keys from the KMS ---- */

static poc_err master_read(mcx_kms_master *out, const char *path)
{
    char text[SECRETS_MAX];
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return POC_E_IO;
    const size_t n = fread(text, 1, sizeof(text), f);
    (void)fclose(f);
    const poc_err err = mcx_kms_master_read(out, poc_span_of(text, n));
    poc_wipe(text, sizeof(text));
    return err;
}

static poc_err issue(real_client *c, const mcx_kms_master *master, const mcx_kms *kms)
{
    const uint64_t ntp_s = (uint64_t)radio_now_ms() / 1000 + MCX_NTP_MINUS_UNIX;
    const mcx_period period = { master->period_s, master->offset_s,
                                mcx_period_number(ntp_s, master->period_s, master->offset_s) };
    char mc_id[WORLD_NAME_MAX + 64];
    uint8_t uid[MCX_UID_LEN];
    mcx_user_keys keys = { 0 };
    pocue *ue = radio_ue(c->radio);
    deployment_mc_id(mc_id, c->settings.name);
    POC_TRY(pocue_mcx_kms_add(ue, &(pocue_mcx_kms){ .uri = master->kms_uri,
                                                    .period_s = master->period_s,
                                                    .offset_s = master->offset_s,
                                                    .z = mcx_kms_z(kms).p,
                                                    .kpak = mcx_kms_kpak(kms).p }));
    POC_TRY(mcx_uid(uid, poc_span_str(mc_id), poc_span_str(master->kms_uri), &period));
    POC_TRY(mcx_kms_issue(&keys, kms, poc_span_of(uid, sizeof(uid)), &poc_rng_system));
    const poc_err err = pocue_mcx_keys_add(ue, &(pocue_mcx_keys){ .kms_uri = master->kms_uri,
                                                                  .period_number = period.number,
                                                                  .rsk = keys.rsk,
                                                                  .ssk = keys.ssk,
                                                                  .pvt = keys.pvt });
    mcx_user_keys_done(&keys);
    return err;
}

/* Whoever will show somebody else's token to the PF has shown the KMS his own: the radio has only one. */
static poc_err provision_quietly(real_client *c)
{
    mcx_kms_master master = { .z = NULL };
    mcx_kms *kms = NULL;
    POC_TRY(master_read(&master, c->owner->deployment.kms_secrets_path));
    poc_err err = mcx_kms_new(&kms, master.z, master.ksak);
    if (err == POC_OK)
        err = issue(c, &master, kms);
    mcx_kms_free(kms);
    mcx_kms_master_done(&master);
    if (err == POC_OK)
        real_saw(c->owner, (world_seen){ .what = WORLD_PROVISIONED, .client = c->index });
    return err;
}

poc_err real_provision(world *w, int client)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(real_radio_of(r, client, &phone));
    if (r->clients[client].settings.mcx.token_of[0] != '\0')
        return provision_quietly(&r->clients[client]);
    return radio_mcx_provision(phone);
}

/* ---- service authorisation ---- */

static poc_err upload(real_client *c)
{
    static const radio_mcx_way ways[] = { [WORLD_BY_REGISTER] = RADIO_MCX_BY_REGISTER,
                                          [WORLD_BY_PUBLISH] = RADIO_MCX_BY_PUBLISH,
                                          [WORLD_BY_THIRD_PARTY] = RADIO_MCX_BY_THIRD_PARTY };
    c->has_logged_off = false;
    return radio_mcx_upload(c->radio, ways[c->way]);
}

poc_err real_upload(world *w, int client, world_way way)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(real_radio_of(r, client, &phone));
    real_client *c = &r->clients[client];
    c->way = way;
    if (!c->is_bootstrapping)
        return upload(c);
    if (!pocue_mcx_is_provisioned(radio_ue(phone), radio_now_ms()))
        return POC_E_STATE;
    c->uploads_next = true;
    return POC_OK;
}

void real_mcx_bootstrapped(real_client *c)
{
    if (c->uploads_next)
        (void)upload(c);
    c->uploads_next = false;
}

poc_err real_log_off(world *w, int client)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(real_radio_of(r, client, &phone));
    POC_TRY(radio_mcx_log_off(phone));
    r->clients[client].has_logged_off = true;
    real_saw(r, (world_seen){ .what = WORLD_LOGGED_OFF, .client = client });
    return POC_OK;
}

poc_err real_listens(world *w, int client, const char *channel_id, bool is_listening)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(real_radio_of(r, client, &phone));
    const deployment_channel *channel = real_channel_of(r, channel_id);
    if (channel == NULL || !channel->air.has_tmgi)
        return POC_E_STATE;
    POC_TRY(radio_mcx_report(phone, channel->air.tmgi, is_listening));
    real_saw(r, (world_seen){ .what = WORLD_LISTENS,
                              .client = client,
                              .status = is_listening,
                              .channel = real_musik_number(r, channel_id) });
    return POC_OK;
}

/* ---- what comes of it ---- */

static bool is_authorisation(const radio_report *report)
{
    return report->method != NULL &&
           (strcmp(report->method, "REGISTER") == 0 || strcmp(report->method, "PUBLISH") == 0);
}

/* What can still come about the radio tries again by itself. */
static bool is_final(int status)
{
    return status >= 400 && status < 500 && status != 401 && status != 408;
}

void real_mcx_report(real_client *c, const radio_report *report)
{
    world_seen seen = { .what = WORLD_NOTE, .client = c->index, .status = report->status };
    const char *text = report->text != NULL ? report->text : "";
    if (report->what == RADIO_MCX_PROVISIONED)
        seen.what = WORLD_PROVISIONED;
    else if (report->what == RADIO_MCX_ANSWERED && is_authorisation(report) && is_final(report->status))
        seen.what = WORLD_DENIED;
    else if (report->what == RADIO_MCX_ANSWERED && is_authorisation(report) && report->status < 300 &&
             !c->has_logged_off)
        seen.what = WORLD_AUTHORISED;
    if (seen.what == WORLD_NOTE)
        snprintf(seen.text, sizeof(seen.text), "%s: %d %s", report->method != NULL ? report->method : "KMS",
                 report->status, text);
    real_saw(c->owner, seen);
}

static uint8_t number_by_group(const real *r, const bcast_channel *bearer)
{
    struct sockaddr_storage group = bearer->group;
    poc_addr_set_port((struct sockaddr *)&group, 0);
    for (size_t i = 0; i < r->deployment.channel_count; i++)
        if (poc_addr_eq((const struct sockaddr *)&r->deployment.channels[i].air.group, (struct sockaddr *)&group))
            return real_musik_number(r, r->deployment.channels[i].air.id);
    return 0;
}

/* A MuSiK is named as its channel. */
void real_mcx_see(const real *r, const pocue_event *e, world_seen *seen)
{
    if (e->type == POCUE_MCX_KEY && e->key_id >> 28 == MCX_MUSIK)
        for (size_t i = 0; i < r->deployment.channel_count; i++)
            if (poc_span_eq_str(e->payload, r->deployment.channels[i].air.id))
                seen->channel = real_musik_number(r, r->deployment.channels[i].air.id);
    if ((e->type == POCUE_JOIN_GROUP || e->type == POCUE_LEAVE_GROUP) && e->is_mcx)
        seen->channel = number_by_group(r, &e->channel);
}

/* ---- the content source ---- */

poc_err real_feed_floor(world *w, const char *channel_id)
{
    real *r = (real *)w;
    uint8_t buf[FLOOR_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    POC_TRY(real_come_up(r));
    const deployment_channel *channel = real_channel_of(r, channel_id);
    if (channel == NULL || channel->floor_feed.ss_family == 0)
        return POC_E_STATE;
    floor_taken_put(&wr, 0xF1000000u + real_musik_number(r, channel_id), r->floor_messages++);
    POC_TRY(poc_wr_done(&wr));
    return real_feed_send(r, &channel->floor_feed, poc_span_of(buf, wr.len));
}
