/* A channel under a MuSiK on air: control packets leave under it, media as it came, and the groups are mapped to the bearer so
 * often that whoever comes late does not wait long. */
#include "pf/wire/air.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bcast/hold.h"

enum { ANNOUNCE_MIN_MS = 100 /* between two mappings that somebody asked for */ };

const wire_mcx_air_settings wire_mcx_air_defaults = {
    .map_active_ms = 500,
    .map_idle_ms = 5000,
    .active_ms = 30000,
    .hold_packets_max = 512,
};

struct wire_mcx_air {
    wire_mcx_air_settings settings;
    bcast_carrier carrier;
    mcx_srtcp *musik; /* NULL: nothing leaves */
    poc_secret *key;  /* of it, to know it again */
    mcx_mcmc bearer;  /* what all mappings have in common; its SSRC is ours */
    uint16_t media_port;
    bool is_mapped;
    bool is_asked;     /* for a mapping before the next one is due */
    int64_t map_ms;    /* when the last one went */
    int64_t packet_ms; /* when the last packet came */
    bool holding;
    bcast_hold hold;
    wire_mcx_air_stats stats;
    poc_span groups[MCX_GROUPS_MAX]; /* in `texts` */
    size_t group_count;
    char texts[];
};

/* ---- life ---- */

static size_t texts_len(const bcast_channel *channel)
{
    size_t n = 0;
    for (size_t i = 0; i < channel->group_count; i++)
        n += strlen(channel->groups[i]);
    return n;
}

static poc_err groups_copy(wire_mcx_air *a, const bcast_channel *channel)
{
    char *at = a->texts;
    for (size_t i = 0; i < channel->group_count; i++) {
        const size_t n = strlen(channel->groups[i]);
        if (n == 0 || n > MCX_GROUP_MAX)
            return POC_E_INPUT;
        a->groups[i] = poc_span_of(memcpy(at, channel->groups[i], n), n);
        at += n;
    }
    a->group_count = channel->group_count;
    return POC_OK;
}

static void address_copy(mcx_mcmc *out, const struct sockaddr_storage *group)
{
    if (group->ss_family == AF_INET6) {
        memcpy(out->address, &((const struct sockaddr_in6 *)group)->sin6_addr, 16);
        out->address_len = 16;
    } else {
        memcpy(out->address, &((const struct sockaddr_in *)group)->sin_addr, 4);
        out->address_len = 4;
    }
}

static poc_err bearer_make(mcx_mcmc *out, const bcast_channel *channel, const poc_rng *rng)
{
    *out = (mcx_mcmc){ .has_tmgi = channel->has_tmgi,
                       .floor_line = WIRE_MCX_SDP_LINE,
                       .floor_port = channel->port[BCAST_FLOW_FLOOR] };
    memcpy(out->tmgi, channel->tmgi, sizeof(out->tmgi));
    address_copy(out, &channel->group);
    return rng->fill(rng->ctx, &out->ssrc, sizeof(out->ssrc));
}

POC_DEFINE_OWNED(wire_mcx_air, wire_mcx_air_free)

poc_err wire_mcx_air_new(wire_mcx_air **out, const wire_mcx_air_settings *settings, const bcast_channel *channel,
                         bcast_carrier carrier, const poc_rng *rng)
{
    POC_OWNED(wire_mcx_air, a, wire_mcx_air_free);
    *out = NULL;
    if (settings->map_active_ms == 0 || settings->map_idle_ms == 0 || channel->group_count > MCX_GROUPS_MAX)
        return POC_E_INPUT;
    a = calloc(1, sizeof(*a) + texts_len(channel));
    if (a == NULL)
        return POC_E_NOMEM;
    a->settings = *settings;
    a->carrier = carrier;
    POC_TRY(groups_copy(a, channel)); // NOLINT(clang-analyzer-unix.Malloc): POC_OWNED frees it
    POC_TRY(bearer_make(&a->bearer, channel, rng));
    a->media_port = channel->port[BCAST_FLOW_RTP];
    POC_TRY(bcast_hold_init(&a->hold, settings->hold_packets_max));
    *out = POC_RELEASE(a);
    return POC_OK;
}

void wire_mcx_air_free(wire_mcx_air *a)
{
    if (a == NULL)
        return;
    mcx_srtcp_free(a->musik);
    poc_secret_free(a->key);
    bcast_hold_done(&a->hold);
    free(a);
}

/* ---- control packets ---- */

static poc_err control_send(wire_mcx_air *a, poc_span clear)
{
    uint8_t octets[MCX_SRTCP_MAX];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    POC_TRY(mcx_srtcp_protect(a->musik, &wr, clear));
    a->carrier.send(a->carrier.ctx, BCAST_FLOW_FLOOR, octets, wr.len);
    return POC_OK;
}

/* Which service it is the key tells: of the one, the media is speech, of the other a picture. */
static void bearer_fill(mcx_mcmc *bearer, uint8_t cs_id, uint16_t media_port)
{
    uint8_t of_video;
    const bool is_video = mcx_cs_id_of(&of_video, MCX_MUSIK, MCX_MCVIDEO) == POC_OK && cs_id == of_video;
    bearer->service = is_video ? MCX_MCVIDEO : MCX_MCPTT;
    *(is_video ? &bearer->video_line : &bearer->audio_line) = WIRE_MCX_SDP_MEDIA;
    *(is_video ? &bearer->video_port : &bearer->audio_port) = media_port;
}

/* What cannot be sent now is sent with the next repetition. */
static void mcmc_send(wire_mcx_air *a, mcx_mcmc_type type)
{
    for (size_t i = 0; i < a->group_count; i++) {
        uint8_t octets[MCX_MCMC_MAX];
        poc_wr wr = poc_wr_into(octets, sizeof(octets));
        mcx_mcmc msg = a->bearer;
        msg.type = type;
        msg.group = a->groups[i];
        if (mcx_mcmc_write(&wr, &msg) == POC_OK && control_send(a, poc_span_of(octets, wr.len)) == POC_OK)
            a->stats.map_messages++;
    }
}

static void map(wire_mcx_air *a, int64_t now_ms)
{
    a->map_ms = now_ms;
    a->is_asked = false;
    a->is_mapped = true;
    mcmc_send(a, MCX_MCMC_MAP);
}

static bool is_mapping(const wire_mcx_air *a)
{
    return a->musik != NULL && a->group_count > 0 && !a->holding;
}

int64_t wire_mcx_air_deadline(const wire_mcx_air *a)
{
    if (!is_mapping(a))
        return INT64_MAX;
    if (a->is_asked)
        return a->map_ms + ANNOUNCE_MIN_MS;
    const int64_t when_active_ms = a->map_ms + a->settings.map_active_ms;
    const bool still_active = when_active_ms <= a->packet_ms + a->settings.active_ms;
    return still_active ? when_active_ms : a->map_ms + a->settings.map_idle_ms;
}

void wire_mcx_air_tick(wire_mcx_air *a, int64_t now_ms)
{
    if (now_ms >= wire_mcx_air_deadline(a))
        map(a, now_ms);
}

void wire_mcx_air_announce(wire_mcx_air *a, int64_t now_ms)
{
    if (!is_mapping(a))
        return;
    a->is_asked = true; /* one for all who ask meanwhile */
    wire_mcx_air_tick(a, now_ms);
}

void wire_mcx_air_unmap(wire_mcx_air *a, int64_t now_ms)
{
    (void)now_ms;
    if (!is_mapping(a) || !a->is_mapped)
        return;
    a->is_mapped = false;
    mcmc_send(a, MCX_MCMC_UNMAP);
}

/* ---- packets ---- */

enum { RTP_MIN = 12, RTCP_FIRST = 192, RTCP_LAST = 223 };

static bool is_control(poc_span packet)
{
    return packet.p[1] >= RTCP_FIRST && packet.p[1] <= RTCP_LAST;
}

static poc_err check_floor(poc_span packet)
{
    if (!is_control(packet))
        return POC_E_INPUT;
    return packet.n <= MCX_SRTCP_MAX - MCX_SRTCP_OVERHEAD ? POC_OK : POC_E_LIMIT;
}

/* Protected from end to end, so its header is all there is to see. What has the type of a control packet would be one in clear
 * (RFC 5761, 4). */
static poc_err check_media(poc_span packet)
{
    if (packet.n < RTP_MIN || is_control(packet))
        return POC_E_INPUT;
    return packet.n <= BCAST_PACKET_MAX ? POC_OK : POC_E_LIMIT;
}

static poc_err check(bcast_flow flow, poc_span packet)
{
    if (packet.n < MCX_SRTCP_CLEAR_MIN || packet.p[0] >> 6 != 2)
        return POC_E_INPUT;
    if (flow == BCAST_FLOW_FLOOR)
        return check_floor(packet);
    return flow == BCAST_FLOW_RTP ? check_media(packet) : POC_E_INPUT;
}

static poc_err put_on_air(wire_mcx_air *a, bcast_flow flow, poc_span packet)
{
    if (flow == BCAST_FLOW_FLOOR) {
        POC_TRY(control_send(a, packet));
        a->stats.floor_packets++;
        return POC_OK;
    }
    a->carrier.send(a->carrier.ctx, flow, packet.p, packet.n);
    a->stats.rtp_packets++;
    return POC_OK;
}

poc_err wire_mcx_air_send(wire_mcx_air *a, int64_t now_ms, bcast_flow flow, poc_span packet)
{
    if (a->musik == NULL)
        return POC_E_STATE;
    POC_TRY(check(flow, packet));
    a->packet_ms = now_ms;
    wire_mcx_air_tick(a, now_ms);
    if (!a->holding)
        return put_on_air(a, flow, packet);
    a->stats.held_packets++;
    a->stats.dropped_packets += bcast_hold_put(&a->hold, flow, packet);
    return POC_OK;
}

static void let_go(wire_mcx_air *a)
{
    bcast_held *held;
    a->holding = false;
    while ((held = bcast_hold_take(&a->hold)) != NULL) {
        if (put_on_air(a, held->flow, poc_span_of(held->packet, held->n)) != POC_OK)
            a->stats.dropped_packets++;
        free(held);
    }
}

void wire_mcx_air_gate(wire_mcx_air *a, int64_t now_ms, bool hold)
{
    if (hold) {
        a->holding = true;
        return;
    }
    if (a->holding)
        let_go(a);
    wire_mcx_air_tick(a, now_ms);
}

/* ---- keys ---- */

/* The same key again would begin with the same indices: keystream used twice. */
static bool is_same(const wire_mcx_air *a, const bcast_msk *musik)
{
    return a->musik != NULL && (mcx_srtcp_key_id(a->musik) == musik->id || poc_secret_eq(a->key, musik->key));
}

static poc_err musik_open(mcx_srtcp **out, const bcast_msk *musik)
{
    const mcx_srtp_context context = { .csb_id = musik->id,
                                       .cs_id = musik->cs_id,
                                       .rand = poc_span_of(musik->rand, musik->rand_len) };
    mcx_key_type type;
    POC_TRY(mcx_key_type_of(&type, musik->id));
    if (type != MCX_MUSIK || musik->cs_id == 0)
        return POC_E_INPUT;
    return mcx_srtcp_new(out, musik->key, &context,
                         poc_secret_len(musik->key) == 16 ? &mcx_aes128_gcm : &mcx_aes256_gcm);
}

poc_err wire_mcx_air_set_musik(wire_mcx_air *a, int64_t now_ms, const bcast_msk *musik)
{
    mcx_srtcp *next;
    if (is_same(a, musik))
        return POC_E_STATE;
    POC_TRY(musik_open(&next, musik));
    mcx_srtcp_free(a->musik);
    poc_secret_free(a->key);
    a->musik = next;
    a->key = poc_secret_ref(musik->key);
    a->holding = false;
    bearer_fill(&a->bearer, musik->cs_id, a->media_port);
    map(a, now_ms);
    let_go(a);
    return POC_OK;
}

wire_mcx_air_stats wire_mcx_air_look(const wire_mcx_air *a)
{
    wire_mcx_air_stats stats = a->stats;
    stats.musik_id = a->musik == NULL ? 0 : mcx_srtcp_key_id(a->musik);
    return stats;
}
