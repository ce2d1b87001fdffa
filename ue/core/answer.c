#include "base/text.h"
#include "ue/core/core.h"

static void address_put(poc_wr *wr, const struct sockaddr *addr)
{
    poc_wr_fmt(wr, "IN %s ", addr->sa_family == AF_INET6 ? "IP6" : "IP4");
    poc_addr_put(wr, addr);
    poc_wr_fmt(wr, "\r\n");
}

static void session_put(poc_wr *wr, const ue_speaker *who)
{
    poc_wr_fmt(wr, "v=0\r\no=- %llu %llu ", (unsigned long long)who->session_id, (unsigned long long)who->version);
    address_put(wr, who->audio);
    poc_wr_fmt(wr, "s=-\r\nc=");
    address_put(wr, who->audio);
    poc_wr_fmt(wr, "t=0 0\r\n%s", who->multicast_capable ? "a=bcastversion:1.0\r\n" : "");
}

poc_err ue_invite_write(poc_wr *wr, const ue_speaker *who)
{
    session_put(wr, who);
    poc_wr_fmt(wr, "m=audio %u RTP/AVP 0\r\n", poc_addr_port(who->audio));
    poc_wr_fmt(wr, "a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n");
    poc_wr_fmt(wr, "m=application %u udp TBCP\r\n", poc_addr_port(who->floor));
    poc_wr_fmt(wr, "a=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n");
    return poc_wr_done(wr);
}

static void line_put(poc_wr *wr, const poc_sdp_media *m, unsigned port)
{
    poc_wr_fmt(wr, "m=%.*s %u ", (int)m->type.n, (const char *)m->type.p, port);
    poc_wr_span(wr, m->proto);
    poc_wr_u8(wr, ' ');
    poc_wr_span(wr, m->formats);
    poc_wr_fmt(wr, "\r\n");
}

static void group_put(poc_wr *wr, const poc_sdp_conn *conn)
{
    if (!conn->present)
        return;
    poc_wr_fmt(wr, "c=IN %s %.*s", conn->is_ip6 ? "IP6" : "IP4", (int)conn->address.n, (const char *)conn->address.p);
    if (conn->ttl >= 0)
        poc_wr_fmt(wr, "/%d", conn->ttl);
    poc_wr_fmt(wr, "\r\n");
}

/* What an answer repeats of the offer, because it agrees with it. */
static void attributes_echo(poc_wr *wr, const poc_sdp_media *m)
{
    static const char *const echoed[] = { "source-filter", "rtpmap", "fmtp", "ptime", "maxptime", "stkmstream" };
    for (size_t i = 0; i < POC_COUNT(echoed); i++) {
        poc_span value, lines = m->lines;
        while (poc_sdp_attr_next(&lines, echoed[i], &value))
            poc_wr_fmt(wr, "a=%s:%.*s\r\n", echoed[i], (int)value.n, (const char *)value.p);
    }
}

static poc_sdp_direction mirrored(poc_sdp_direction d)
{
    if (d == POC_SDP_SENDONLY)
        return POC_SDP_RECVONLY;
    return d == POC_SDP_RECVONLY ? POC_SDP_SENDONLY : d;
}

static void unicast_put(poc_wr *wr, const ue_offer *offer, const poc_sdp_media *m, const struct sockaddr *own)
{
    line_put(wr, m, poc_addr_port(own));
    attributes_echo(wr, m);
    poc_sdp_direction direction = mirrored(poc_sdp_direction_of(&offer->sdp, m));
    poc_wr_fmt(wr, "a=%s\r\n", poc_sdp_direction_name(direction));
}

static void multicast_put(poc_wr *wr, const poc_sdp_media *m, bool on)
{
    line_put(wr, m, on ? m->port : 0);
    group_put(wr, &m->conn);
    if (!on || m->port == 0)
        return;
    attributes_echo(wr, m);
    poc_wr_fmt(wr, "a=recvonly\r\n");
}

/* The verification goes where its message stood. */
static void verification_put(poc_wr *wr, const ue_offer *offer, size_t where, const ue_verification *verification)
{
    for (size_t i = 0; verification != NULL && i < offer->key_mgmt_count; i++) {
        if (offer->key_mgmt[i].where != where || verification[i].len == 0)
            continue;
        poc_wr_fmt(wr, "a=key-mgmt:mikey ");
        poc_base64_put(wr, poc_span_of(verification[i].octets, verification[i].len));
        poc_wr_fmt(wr, "\r\n");
    }
}

poc_err ue_lines_write(poc_wr *wr, const ue_speaker *who, const ue_offer *offer, bool multicast,
                       const ue_verification *verification)
{
    session_put(wr, who);
    verification_put(wr, offer, UE_SESSION_LEVEL, verification);
    for (size_t i = 0; i < offer->sdp.media_count; i++) {
        const poc_sdp_media *m = &offer->sdp.media[i];
        switch (offer->line[i]) {
        case UE_LINE_AUDIO:
            unicast_put(wr, offer, m, who->audio);
            break;
        case UE_LINE_FLOOR:
            unicast_put(wr, offer, m, who->floor);
            break;
        case UE_LINE_MULTICAST:
            multicast_put(wr, m, multicast);
            break;
        case UE_LINE_OTHER:
            line_put(wr, m, 0);
            break;
        }
        verification_put(wr, offer, i, verification);
    }
    return poc_wr_done(wr);
}
