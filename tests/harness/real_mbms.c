/* MBMS in the real world: what the radios do over HTTP and UDP, and the content source of a channel without a session. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tests/harness/real.h"

enum { MOVED_BY = 100 /* above every address that a radio begins with */ };

void real_address(const real *r, int client, char out[64])
{
    if (strcmp(r->deployment.cf_host, "127.0.0.1") != 0)
        snprintf(out, 64, "%s", r->deployment.cf_host);
    else
        deployment_loopback(out, (unsigned)client + (r->clients[client].moves % 2) * MOVED_BY);
}

static size_t index_of(const real *r, const deployment_channel *channel)
{
    return (size_t)(channel - r->deployment.channels);
}

/* The announcement of a service. Where the channel is sent, a client of a PoC session learns there. */
static poc_err announce(real *r, int client, const deployment_channel *channel)
{
    real_client *c = &r->clients[client];
    size_t at = index_of(r, channel);
    if ((c->knows >> at & 1u) != 0)
        return POC_OK;
    pocue_service service = { .service_id = channel->service_id,
                              .key_domain = channel->air.key_domain,
                              .key_group = channel->key_group,
                              .path = r->deployment.keyman_path,
                              .channel = channel->admits_sessions ? NULL : &channel->air };
    if (at < r->channel_count) {
        service.wait_time_s = r->channels[at].wait_time_s;
        service.max_back_off_s = r->channels[at].max_back_off_s;
    }
    POC_TRY(pocue_service_add(radio_ue(c->radio), &service));
    c->knows |= UINT32_C(1) << at;
    return POC_OK;
}

static poc_err ready(real *r, int client, const char *channel_id, radio **phone, const deployment_channel **channel)
{
    POC_TRY(real_radio_of(r, client, phone));
    *channel = real_channel_of(r, channel_id);
    return *channel != NULL ? announce(r, client, *channel) : POC_E_INPUT;
}

poc_err real_enrol(world *w, int client, const char *channel_id, bool in)
{
    radio *phone;
    const deployment_channel *channel;
    POC_TRY(ready((real *)w, client, channel_id, &phone, &channel));
    return in ? radio_register(phone, channel->service_id) : radio_deregister(phone, channel->service_id);
}

poc_err real_pull(world *w, int client, const char *channel_id)
{
    radio *phone;
    const deployment_channel *channel;
    POC_TRY(ready((real *)w, client, channel_id, &phone, &channel));
    return radio_pull(phone, channel->service_id);
}

poc_err real_coverage(world *w, int client, bool is_covered)
{
    radio *phone;
    POC_TRY(real_radio_of((real *)w, client, &phone));
    radio_deaf(phone, !is_covered);
    return POC_OK;
}

poc_err real_move(world *w, int client)
{
    real *r = (real *)w;
    radio *phone;
    char address[64];
    POC_TRY(real_radio_of(r, client, &phone));
    r->clients[client].moves++;
    real_address(r, client, address);
    return radio_move(phone, address);
}

/* ---- the content source ---- */

static void unheard(void *user, udp *from, const struct sockaddr *peer, poc_span datagram)
{
    (void)user, (void)from, (void)peer, (void)datagram;
}

poc_err real_feed_send(real *r, const struct sockaddr_storage *to, poc_span packet)
{
    if (r->source == NULL)
        POC_TRY(udp_open(&r->source, r->root, r->deployment.cf_host, 0, unheard, NULL));
    udp_send(r->source, (const struct sockaddr *)to, packet);
    return POC_OK;
}

poc_err real_feed(world *w, const char *channel_id, const uint8_t *pcmu, size_t n, bool first)
{
    real *r = (real *)w;
    POC_TRY(real_come_up(r));
    const deployment_channel *channel = real_channel_of(r, channel_id);
    if (channel == NULL || channel->feed.ss_family == 0)
        return POC_E_STATE;
    uint8_t buf[FEED_PACKET_MAX];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    world_seen seen;
    size_t at = index_of(r, channel);
    POC_TRY(feed_next(&r->feeds[at], (int)at, poc_span_of(pcmu, n), first, &wr, &seen));
    if (n == WORLD_PAYLOAD_MAX && !channel->is_musik) /* under a MuSiK media goes out as it came */
        memcpy(r->sent[r->sent_count++ % REAL_SENT_KEPT], pcmu, n);
    POC_TRY(real_feed_send(r, &channel->feed, poc_span_of(wr.buf, wr.len)));
    real_saw(r, seen);
    return POC_OK;
}
