#include <string.h>

#include "base/text.h"
#include "pf/wire/lines.h"
#include "pf/wire/wire.h"

/* The three multicast lines of wire_offer_write, behind the two unicast lines. */
static const struct {
    wire_line_kind kind;
    bcast_flow flow;
} channel_lines[] = {
    { WIRE_LINE_AUDIO, BCAST_FLOW_RTP },
    { WIRE_LINE_FLOOR, BCAST_FLOW_FLOOR },
    { WIRE_LINE_STKM, BCAST_FLOW_STKM },
};
#define UNICAST_LINES 2u
#define OFFER_LINES   (UNICAST_LINES + POC_COUNT(channel_lines))

static bool is_group(const poc_sdp_media *media, const bcast_channel *channel)
{
    struct sockaddr_storage addr;
    const struct sockaddr *group = (const struct sockaddr *)&channel->group;
    if (!media->conn.present || poc_addr_parse(&addr, media->conn.address, poc_addr_port(group)) != POC_OK)
        return false;
    if (media->conn.ttl >= 0 && media->conn.ttl != channel->ttl)
        return false;
    return media->conn.count == 1 && poc_addr_eq((const struct sockaddr *)&addr, group);
}

/*= RFC 3264, 6.2: for multicast "the answer ... MUST contain the same address, port and direction as the offer". */
static const char *line_check(const poc_sdp *sdp, size_t which, const bcast_channel *channel)
{
    const poc_sdp_media *media = &sdp->media[UNICAST_LINES + which];
    if (!is_group(media, channel))
        return "answer has another group";
    if (media->port != channel->port[channel_lines[which].flow])
        return "answer has another port";
    if (poc_sdp_direction_of(sdp, media) != POC_SDP_RECVONLY)
        return "answer has another direction";
    return NULL;
}

static const char *verification_read(poc_span lines, uint8_t *room, size_t cap, poc_span *out)
{
    poc_span value, more;
    size_t len;
    if (!poc_sdp_attr_next(&lines, "key-mgmt", &value))
        return NULL;
    if (poc_sdp_attr_next(&lines, "key-mgmt", &more))
        return "answer has more than one key-mgmt";
    if (!poc_span_eq_str(poc_split(&value, ' '), "mikey"))
        return "answer has a key-mgmt other than mikey";
    if (value.n == 0 || poc_base64_get(room, cap, &len, value) != POC_OK)
        return "key-mgmt of the answer is not base64";
    *out = poc_span_of(room, len);
    return NULL;
}

/* Kinds in the right order, and how many of them have port 0. */
static const char *shape_check(const poc_sdp *sdp, size_t *refused)
{
    *refused = 0;
    if (sdp->media_count < OFFER_LINES)
        return "answer lacks m-lines";
    if (sdp->media_count > OFFER_LINES)
        return "answer has too many m-lines";
    for (size_t i = 0; i < POC_COUNT(channel_lines); i++) {
        const poc_sdp_media *media = &sdp->media[UNICAST_LINES + i];
        const wire_line_kind kind = wire_line_kind_of(media);
        if (kind != channel_lines[i].kind || (kind == WIRE_LINE_AUDIO && !wire_line_is_multicast(media, kind)))
            return "answer has other m-lines than the offer";
        *refused += media->port == 0;
    }
    return NULL;
}

pocpf_answer wire_answer_check(poc_span text, const bcast_channel *channel, wire_unicast *peer, uint8_t *room,
                               size_t cap, poc_span *verification, const char **why)
{
    poc_sdp sdp;
    size_t refused;
    *verification = (poc_span){ 0 };
    *why = "answer is not a session description";
    if (peer != NULL)
        peer->media_count = 0;
    if (poc_sdp_parse(&sdp, text, NULL) != POC_OK)
        return POCPF_ANSWER_WRONG;
    if (peer != NULL)
        (void)wire_unicast_of(peer, &sdp, text, NULL);
    if ((*why = shape_check(&sdp, &refused)) != NULL)
        return POCPF_ANSWER_WRONG;
    if (refused == POC_COUNT(channel_lines)) {
        *why = "client refused the multicast lines";
        return POCPF_ANSWER_UNICAST;
    }
    for (size_t i = 0; i < POC_COUNT(channel_lines); i++)
        if ((*why = line_check(&sdp, i, channel)) != NULL)
            return POCPF_ANSWER_WRONG;
    *why = verification_read(sdp.media[OFFER_LINES - 1].lines, room, cap, verification);
    return *why == NULL ? POCPF_ANSWER_ACCEPTED : POCPF_ANSWER_WRONG;
}

static bool is_channel_line(const poc_sdp *sdp, const poc_sdp_media *media, const bcast_channel *channel)
{
    wire_line_kind kind = wire_line_kind_of(media);
    if (channel == NULL || media->port == 0 || !is_group(media, channel) ||
        poc_sdp_direction_of(sdp, media) != POC_SDP_RECVONLY)
        return false;
    for (size_t i = 0; i < POC_COUNT(channel_lines); i++)
        if (channel_lines[i].kind == kind && channel->port[channel_lines[i].flow] == media->port)
            return true;
    return false;
}

/* The m-line as it was offered, with another port. */
static void echo_put(poc_wr *out, const poc_sdp_media *media, unsigned port)
{
    poc_wr_str(out, "m=");
    poc_wr_span(out, media->type);
    poc_wr_u8(out, ' ');
    poc_dec_put(out, port);
    poc_wr_u8(out, ' ');
    poc_wr_span(out, media->proto);
    poc_wr_u8(out, ' ');
    poc_wr_span(out, media->formats);
    poc_wr_str(out, "\r\n");
}

static void channel_line_put(poc_wr *out, const poc_sdp_media *media)
{
    echo_put(out, media, media->port);
    poc_wr_fmt(out, "c=IN %s ", media->conn.is_ip6 ? "IP6" : "IP4");
    poc_wr_span(out, media->conn.address);
    if (media->conn.ttl >= 0)
        poc_wr_fmt(out, "/%d", media->conn.ttl);
    poc_wr_fmt(out, "\r\na=recvonly\r\n");
}

/*= RFC 3264, 6.1: the answer mirrors the direction: what one sends the other receives. */
static poc_sdp_direction direction_answer(poc_sdp_direction offered, poc_sdp_direction other_leg)
{
    static const struct {
        bool sends, receives;
    } is[] = {
        [POC_SDP_SENDRECV] = { true, true },
        [POC_SDP_SENDONLY] = { true, false },
        [POC_SDP_RECVONLY] = { false, true },
        [POC_SDP_INACTIVE] = { false, false },
    };
    bool send = is[offered].receives && is[other_leg].sends, receive = is[offered].sends && is[other_leg].receives;
    if (send)
        return receive ? POC_SDP_SENDRECV : POC_SDP_SENDONLY;
    return receive ? POC_SDP_RECVONLY : POC_SDP_INACTIVE;
}

typedef struct answering {
    const wire_local *local;
    const wire_unicast *formats;
    const bcast_channel *channel;
    const poc_sdp *offer;
    bool audio_done, floor_done;
} answering;

static void audio_answer_put(poc_wr *out, answering *a, const poc_sdp_media *media)
{
    poc_sdp_direction direction = direction_answer(poc_sdp_direction_of(a->offer, media), a->formats->direction);
    wire_audio_put(out, a->local, a->formats, direction);
    a->audio_done = true;
}

static void floor_answer_put(poc_wr *out, answering *a)
{
    wire_floor_put(out, poc_addr_port(a->local->floor), a->formats);
    a->floor_done = true;
}

static void line_answer_put(poc_wr *out, answering *a, const poc_sdp_media *media)
{
    wire_line_kind kind = wire_line_kind_of(media);
    bool multicast = wire_line_is_multicast(media, kind);
    if (multicast && is_channel_line(a->offer, media, a->channel))
        channel_line_put(out, media);
    else if (!multicast && kind == WIRE_LINE_AUDIO && media->port != 0 && !a->audio_done)
        audio_answer_put(out, a, media);
    else if (!multicast && kind == WIRE_LINE_FLOOR && media->port != 0 && !a->floor_done &&
             a->formats->floor.ss_family != 0)
        floor_answer_put(out, a);
    else
        echo_put(out, media, 0);
}

poc_err wire_answer_write(poc_wr *out, const wire_local *local, poc_span offer, const wire_unicast *formats,
                          const bcast_channel *channel)
{
    poc_sdp sdp;
    answering a = { .local = local, .formats = formats, .channel = channel, .offer = &sdp };
    POC_TRY(poc_sdp_parse(&sdp, offer, NULL));
    wire_head_put(out, local, false);
    for (size_t i = 0; i < sdp.media_count; i++)
        line_answer_put(out, &a, &sdp.media[i]);
    return poc_wr_done(out);
}
