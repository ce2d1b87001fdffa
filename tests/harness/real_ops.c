/* What a script can have done in the real world. */
#include <string.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "tests/harness/operator.h"
#include "tests/harness/real.h"

/* ---- the stage ---- */

static poc_err real_configure(world *w, const world_pf *pf)
{
    real *r = (real *)w;
    if (r->is_up || r->pf_uri[0] != '\0' || r->pf_config[0] != '\0')
        return POC_E_STATE;
    r->pf = *pf;
    return POC_OK;
}

static poc_err real_channel(world *w, const world_channel *channel)
{
    real *r = (real *)w;
    if (r->is_up)
        return POC_E_STATE;
    if (r->channel_count == DEPLOYMENT_CHANNELS_MAX)
        return POC_E_LIMIT;
    r->channels[r->channel_count++] = *channel;
    return POC_OK;
}

static poc_err real_client_new(world *w, const world_client *client, int *index)
{
    real *r = (real *)w;
    if (client->mcx.is_neighbours || (client->mcx.is_user && r->is_up))
        return POC_E_STATE;
    if (r->client_count == WORLD_CLIENTS_MAX)
        return POC_E_LIMIT;
    *index = (int)r->client_count++;
    r->clients[*index] = (real_client){ .owner = r, .index = *index, .settings = *client };
    return POC_OK;
}

static poc_err real_bootstrap(world *w, int client)
{
    radio *phone;
    POC_TRY(real_radio_of((real *)w, client, &phone));
    POC_TRY(radio_bootstrap(phone));
    ((real *)w)->clients[client].is_bootstrapping = true;
    return POC_OK;
}

static poc_err real_join(world *w, int client, const char *channel_id)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(real_radio_of(r, client, &phone));
    const deployment_channel *channel = real_channel_of(r, channel_id);
    if (channel == NULL)
        return POC_E_INPUT;
    if (!r->clients[client].is_bootstrapping)
        return radio_join(phone, channel->group_uri);
    r->clients[client].joins_next = channel->group_uri;
    return POC_OK;
}

static poc_err real_leave(world *w, int client)
{
    radio *phone;
    POC_TRY(real_radio_of((real *)w, client, &phone));
    return radio_leave(phone);
}

static poc_err real_talk(world *w, int client, const uint8_t *pcmu, size_t n, bool first)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(real_radio_of(r, client, &phone));
    if (n == WORLD_PAYLOAD_MAX)
        memcpy(r->sent[r->sent_count++ % REAL_SENT_KEPT], pcmu, n);
    POC_TRY(radio_talk(phone, pcmu, n, first));
    real_saw(r, (world_seen){ .what = WORLD_SENT, .client = client, .ssrc = radio_ssrc(phone) });
    return POC_OK;
}

static poc_err real_floor(world *w, int client, bool request)
{
    radio *phone;
    POC_TRY(real_radio_of((real *)w, client, &phone));
    return radio_floor(phone, request ? BCAST_MBCP_REQUEST : BCAST_MBCP_RELEASE);
}

static poc_err real_refer_expel(world *w, int client, int subject)
{
    real *r = (real *)w;
    radio *phone, *other;
    POC_TRY(real_radio_of(r, client, &phone));
    POC_TRY(real_radio_of(r, subject, &other));
    return radio_expel(phone, r->clients[subject].impu);
}

static poc_err real_cf_expel(world *w, int client)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(real_radio_of(r, client, &phone));
    return cf_expel(r->cf, r->clients[client].impu, NULL);
}

static poc_err real_cf_end(world *w, const char *channel_id)
{
    real *r = (real *)w;
    POC_TRY(real_come_up(r));
    const deployment_channel *channel = real_channel_of(r, channel_id);
    return channel != NULL ? cf_end(r->cf, channel->group_uri) : POC_E_INPUT;
}

static poc_err order(real *r, const char *channel_id, const char *what, int client)
{
    radio *phone;
    POC_TRY(real_come_up(r));
    if (r->deployment.admin_path[0] == '\0')
        return POC_E_STATE;
    if (client < 0)
        return operator_order(r->deployment.admin_path, channel_id, what, NULL);
    POC_TRY(real_radio_of(r, client, &phone));
    return operator_order(r->deployment.admin_path, channel_id, what, r->clients[client].impu);
}

static poc_err real_operate(world *w, const char *channel_id, int client)
{
    real *r = (real *)w;
    if (client >= 0)
        real_saw(r,
                 (world_seen){ .what = WORLD_EXPELLED, .client = client, .channel = real_musik_number(r, channel_id) });
    return order(r, channel_id, client < 0 ? "rekey" : "expel", client);
}

static poc_err real_solicit(world *w, const char *channel_id, int client)
{
    return order((real *)w, channel_id, "solicit", client);
}

static poc_err real_admit(world *w, const char *channel_id, int client)
{
    return order((real *)w, channel_id, "admit", client);
}

static poc_err real_net(world *w, const world_net *net)
{
    (void)w, (void)net;
    return POC_E_STATE;
}

/* ---- harm to the daemon ---- */

static poc_err real_disk(world *w, bool has_room)
{
    real *r = (real *)w;
    return r->daemon == NULL ? POC_E_STATE : child_disk(r->daemon, has_room);
}

static poc_err real_crash(world *w)
{
    real *r = (real *)w;
    if (r->daemon == NULL)
        return POC_E_STATE;
    (void)child_free(r->daemon);
    r->daemon = NULL;
    real_saw(r, (world_seen){ .what = WORLD_PF_CRASHED, .client = -1 });
    return POC_OK;
}

static poc_err real_restart(world *w)
{
    real *r = (real *)w;
    if (r->daemon != NULL || r->pf_uri[0] != '\0')
        return POC_E_STATE;
    POC_TRY(real_daemon_up(r));
    real_saw(r, (world_seen){ .what = WORLD_PF_BACK, .client = -1 });
    return POC_OK;
}

const world_ops real_ops = {
    .name = "real",
    .free = real_free,
    .configure = real_configure,
    .channel = real_channel,
    .client = real_client_new,
    .bootstrap = real_bootstrap,
    .join = real_join,
    .leave = real_leave,
    .talk = real_talk,
    .floor = real_floor,
    .enrol = real_enrol,
    .pull = real_pull,
    .coverage = real_coverage,
    .move = real_move,
    .feed = real_feed,
    .provision = real_provision,
    .upload = real_upload,
    .log_off = real_log_off,
    .listens = real_listens,
    .feed_floor = real_feed_floor,
    .refer_expel = real_refer_expel,
    .cf_expel = real_cf_expel,
    .cf_end = real_cf_end,
    .operate = real_operate,
    .solicit = real_solicit,
    .admit = real_admit,
    .net = real_net,
    .strike = real_strike,
    .disk = real_disk,
    .crash = real_crash,
    .restart = real_restart,
    .run = real_run,
    .now_us = real_now_us,
};
