#include "base/text.h"
#include "pf/wire/air.h"
#include "pf/wire/lines.h"
#include "pf/wire/wire.h"

#define AS_DEFAULT_KBPS    13u /* AMR with 160 ms per packet */
#define AS_PROTECTION_KBPS 3u  /* MKI, tag and index on every packet */

/* A rekey writes one of these for every member: the pieces are put one by one, for printf would cost four times as much. */

static void number_put(poc_wr *out, const char *before, uint64_t number, const char *after)
{
    poc_wr_str(out, before);
    poc_dec_put(out, number);
    poc_wr_str(out, after);
}

static void where_put(poc_wr *out, const struct sockaddr *addr)
{
    poc_wr_str(out, addr->sa_family == AF_INET6 ? "IN IP6 " : "IN IP4 ");
    poc_addr_put(out, addr);
}

void wire_head_put(poc_wr *out, const wire_local *local, bool bcastversion)
{
    number_put(out, "v=0\r\no=pf ", local->session_id, " ");
    number_put(out, "", local->version, " ");
    where_put(out, local->audio);
    poc_wr_str(out, "\r\ns=-\r\nc=");
    where_put(out, local->audio);
    poc_wr_str(out, "\r\nt=0 0\r\n");
    if (bcastversion)
        poc_wr_str(out, "a=bcastversion:1.0\r\n");
}

void wire_audio_put(poc_wr *out, const wire_local *local, const wire_unicast *formats, poc_sdp_direction direction)
{
    number_put(out, "m=audio ", poc_addr_port(local->audio), " ");
    poc_wr_str(out, formats->audio_proto);
    poc_wr_u8(out, ' ');
    poc_wr_str(out, formats->audio_formats);
    poc_wr_str(out, "\r\n");
    poc_wr_str(out, formats->audio_lines);
    poc_wr_str(out, "a=");
    poc_wr_str(out, poc_sdp_direction_name(direction));
    poc_wr_str(out, "\r\n");
}

void wire_floor_put(poc_wr *out, unsigned port, const wire_unicast *formats)
{
    number_put(out, "m=application ", port, " udp TBCP\r\n");
    poc_wr_str(out, formats->floor_lines);
}

poc_err wire_unicast_write(poc_wr *out, const wire_local *local, const wire_unicast *formats, bool bcastversion)
{
    wire_head_put(out, local, bcastversion);
    wire_audio_put(out, local, formats, formats->direction);
    if (formats->floor.ss_family != 0)
        wire_floor_put(out, poc_addr_port(local->floor), formats);
    return poc_wr_done(out);
}

/* RFC 8866, 5.7: the TTL belongs to IPv4 multicast; IPv6 has none. */
static void group_put(poc_wr *out, const bcast_channel *channel)
{
    poc_wr_str(out, "c=");
    where_put(out, (const struct sockaddr *)&channel->group);
    if (channel->group.ss_family == AF_INET)
        number_put(out, "/", channel->ttl, "");
    poc_wr_str(out, "\r\n");
}

static void source_put(poc_wr *out, const bcast_channel *channel)
{
    if (channel->source.ss_family == 0)
        return;
    poc_wr_str(out, "a=source-filter: incl ");
    where_put(out, (const struct sockaddr *)&channel->group);
    poc_wr_u8(out, ' ');
    poc_addr_put(out, (const struct sockaddr *)&channel->source);
    poc_wr_str(out, "\r\n");
}

static unsigned bandwidth_kbps(poc_span lines)
{
    poc_span line;
    uint64_t kbps = AS_DEFAULT_KBPS;
    while (poc_line_next(&lines, &line))
        if (poc_span_eq_str(poc_split(&line, ':'), "b=AS"))
            if (poc_u64_get(&kbps, 1000000, line) != POC_OK)
                kbps = AS_DEFAULT_KBPS;
    return (unsigned)kbps + AS_PROTECTION_KBPS;
}

static void attributes_put(poc_wr *out, poc_span lines)
{
    poc_span line;
    while (poc_line_next(&lines, &line)) {
        if (line.n == 0 || line.p[0] != 'a')
            continue;
        poc_wr_span(out, line);
        poc_wr_str(out, "\r\n");
    }
}

static void multicast_audio_put(poc_wr *out, const wire_unicast *formats, const bcast_channel *channel)
{
    poc_span lines = poc_span_str(formats->audio_lines);
    number_put(out, "m=audio ", channel->port[BCAST_FLOW_RTP], " RTP/SAVP ");
    poc_wr_str(out, formats->audio_formats);
    poc_wr_str(out, "\r\n");
    group_put(out, channel);
    number_put(out, "b=AS:", bandwidth_kbps(lines), "\r\nb=RR:0\r\n");
    source_put(out, channel);
    attributes_put(out, lines);
    poc_wr_str(out, "a=recvonly\r\na=stkmstream:1\r\n");
}

static void multicast_floor_put(poc_wr *out, const bcast_channel *channel)
{
    number_put(out, "m=application ", channel->port[BCAST_FLOW_FLOOR], " udp TBCP\r\n");
    group_put(out, channel);
    source_put(out, channel);
    poc_wr_str(out, "a=recvonly\r\na=stkmstream:1\r\n");
}

static void stkm_put(poc_wr *out, const bcast_channel *channel, poc_span mikey)
{
    number_put(out, "m=data ", channel->port[BCAST_FLOW_STKM], " UDP " WIRE_STKM_FORMAT "\r\n");
    group_put(out, channel);
    source_put(out, channel);
    poc_wr_str(out, "a=fmtp:" WIRE_STKM_FORMAT " streamid=1;kmstype=oma-bcast-gba-mbms\r\na=recvonly\r\n"
                    "a=key-mgmt:mikey ");
    poc_base64_put(out, mikey);
    poc_wr_str(out, "\r\n");
}

/* m-lines never disappear: a channel that is withdrawn keeps its three slots with port 0 (RFC 3264, 8.2). */
static void withdrawn_put(poc_wr *out, const wire_unicast *formats, const bcast_channel *channel)
{
    poc_wr_str(out, "m=audio 0 RTP/SAVP ");
    poc_wr_str(out, formats->audio_formats);
    poc_wr_str(out, "\r\n");
    group_put(out, channel);
    poc_wr_str(out, "m=application 0 udp TBCP\r\n");
    group_put(out, channel);
    poc_wr_str(out, "m=data 0 UDP " WIRE_STKM_FORMAT "\r\n");
    group_put(out, channel);
}

poc_err wire_offer_write(poc_wr *out, const wire_local *local, const wire_unicast *formats,
                         const bcast_channel *channel, poc_span mikey)
{
    wire_head_put(out, local, true);
    wire_audio_put(out, local, formats, formats->direction);
    wire_floor_put(out, formats->floor.ss_family != 0 ? poc_addr_port(local->floor) : 0, formats);
    if (mikey.n == 0) {
        withdrawn_put(out, formats, channel);
        return poc_wr_done(out);
    }
    multicast_audio_put(out, formats, channel);
    multicast_floor_put(out, channel);
    stkm_put(out, channel, mikey);
    return poc_wr_done(out);
}

/* INFERRED: how TS 24.379 14.2.2 describes a bearer was not at hand in full. The general purpose subchannel is the line of floor
 * control, where mappings come too; codecs are those that every client has. */
poc_err wire_mcx_sdp_write(poc_wr *out, mcx_service service, const bcast_channel *channel)
{
    static const struct {
        const char *control, *media, *codec;
    } rows[MCX_SERVICES] = {
        [MCX_MCPTT] = { "MCPTT", "audio", "AMR-WB/16000" },
        [MCX_MCVIDEO] = { "MCVideo", "video", "H264/90000" },
    };
    const bool has_source = channel->source.ss_family != 0;
    poc_wr_fmt(out, "v=0\r\no=- 1 1 ");
    where_put(out, (const struct sockaddr *)(has_source ? &channel->source : &channel->group));
    poc_wr_fmt(out, "\r\ns=-\r\n");
    group_put(out, channel);
    poc_wr_fmt(out, "t=0 0\r\n");
    source_put(out, channel);
    poc_wr_fmt(out, "m=application %u udp %s\r\na=recvonly\r\n", channel->port[BCAST_FLOW_FLOOR],
               rows[service].control);
    poc_wr_fmt(out, "m=%s %u RTP/AVP 99\r\na=rtpmap:99 %s\r\na=recvonly\r\n", rows[service].media,
               channel->port[BCAST_FLOW_RTP], rows[service].codec);
    return poc_wr_done(out);
}
