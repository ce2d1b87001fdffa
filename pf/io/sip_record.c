/* A session as a record of at most 2,048 octets: both dialogs, addresses and formats. No key is in it. */
#include <stdlib.h>
#include <string.h>

#include "pf/io/sip_private.h"

#define RECORD_VERSION 1u
#define RECORD_MAX     2048u
#define CSEQ_LEAP      100000u /* more requests than a leg sends between two records */

enum { FLAG_CAPABLE = 1, FLAG_CHANNEL = 2, FLAG_BEARER_OFF = 4, FLAG_SAME_FORMATS = 8 };
enum { LEG_WE_CALLED = 1, LEG_UPDATE = 2, LEG_CHANNEL_LINES = 4, LEG_WE_REFRESH = 8, LEG_IP6 = 16 };

/* ---- writing ---- */

static void text_put(poc_wr *wr, const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;
    poc_wr_u16(wr, (uint16_t)n);
    poc_wr_put(wr, text, n <= UINT16_MAX ? n : 0);
}

static void address_put(poc_wr *wr, const struct sockaddr_in6 *a)
{
    if (a->sin6_family == AF_INET6) {
        poc_wr_u8(wr, 6);
        poc_wr_put(wr, &a->sin6_addr, 16);
    } else if (a->sin6_family == AF_INET) {
        poc_wr_u8(wr, 4);
        poc_wr_put(wr, &((const struct sockaddr_in *)a)->sin_addr, 4);
    } else {
        poc_wr_u8(wr, 0);
        return;
    }
    poc_wr_u16(wr, poc_addr_port((const struct sockaddr *)a));
}

static void formats_put(poc_wr *wr, const wire_unicast *u)
{
    text_put(wr, u->audio_proto);
    text_put(wr, u->audio_formats);
    text_put(wr, u->audio_lines);
    text_put(wr, u->floor_lines);
}

static bool same_formats(const wire_unicast *a, const wire_unicast *b)
{
    return strcmp(a->audio_proto, b->audio_proto) == 0 && strcmp(a->audio_formats, b->audio_formats) == 0 &&
           strcmp(a->audio_lines, b->audio_lines) == 0 && strcmp(a->floor_lines, b->floor_lines) == 0;
}

static void route_put(poc_wr *wr, const nta_leg_t *nta)
{
    const sip_route_t *route = NULL;
    const sip_contact_t *target = NULL;
    su_home_t home[1] = { SU_HOME_INIT(home) };
    nta_leg_get_route((nta_leg_t *)nta, &route, &target);
    text_put(wr, target != NULL ? url_as_string(home, target->m_url) : "");
    char *all = NULL;
    for (const sip_route_t *r = route; r != NULL; r = r->r_next)
        all = su_sprintf(home, "%s%s%s", all != NULL ? all : "", all != NULL ? "," : "",
                         sip_header_as_string(home, (sip_header_t const *)r));
    text_put(wr, all);
    su_home_deinit(home);
}

static void leg_put(poc_wr *wr, const sip_leg *leg)
{
    bool ip6 = strstr(leg->contact, "@[") != NULL || strstr(leg->contact, ":[") != NULL;
    const char *transport = strstr(leg->contact, "transport=");
    poc_wr_u8(wr, (uint8_t)((leg->we_called ? LEG_WE_CALLED : 0) | (leg->allow_update ? LEG_UPDATE : 0) |
                            (leg->has_channel_lines ? LEG_CHANNEL_LINES : 0) | (leg->we_refresh ? LEG_WE_REFRESH : 0) |
                            (ip6 ? LEG_IP6 : 0)));
    poc_wr_u8(wr, (uint8_t)(transport == NULL                        ? SIP_UDP
                            : strncmp(transport + 10, "tcp", 3) == 0 ? SIP_TCP
                            : strncmp(transport + 10, "tls", 3) == 0 ? SIP_TLS
                                                                     : SIP_UDP));
    text_put(wr, leg->call_id);
    text_put(wr, leg->local);
    text_put(wr, leg->remote);
    text_put(wr, nta_leg_get_tag(leg->nta));
    text_put(wr, nta_leg_get_rtag(leg->nta));
    poc_wr_u32(wr, nta_leg_get_seq(leg->nta));
    poc_wr_u32(wr, nta_leg_get_rseq(leg->nta));
    route_put(wr, leg->nta);
    poc_wr_u32(wr, leg->expires_s);
    poc_wr_u64(wr, leg->sdp_session);
    poc_wr_u64(wr, leg->sdp_version);
    address_put(wr, &leg->peer->audio);
    address_put(wr, &leg->peer->floor);
    poc_wr_u8(wr, (uint8_t)leg->peer->direction);
}

poc_err sip_session_save(const sip_session *s, poc_wr *out)
{
    size_t before = out->len;
    wire_unicast client, cf;
    if (s->phase != SIP_UP)
        return POC_E_STATE;
    sip_peer_tell(&client, s->client.peer);
    sip_peer_tell(&cf, s->cf.peer);
    bool same = same_formats(&client, &cf);
    poc_wr_u8(out, RECORD_VERSION);
    poc_wr_u8(out, (uint8_t)((s->capable ? FLAG_CAPABLE : 0) | (s->has_channel ? FLAG_CHANNEL : 0) |
                             (s->bearer_off ? FLAG_BEARER_OFF : 0) | (same ? FLAG_SAME_FORMATS : 0)));
    text_put(out, s->user);
    text_put(out, s->group);
    text_put(out, s->has_channel ? s->channel.id : "");
    for (int side = 0; side < RELAY_SIDES; side++)
        for (int kind = 0; kind < RELAY_KINDS; kind++)
            poc_wr_u16(out, poc_addr_port(relay_session_local(s->media, (relay_side)side, (relay_kind)kind)));
    leg_put(out, &s->client);
    leg_put(out, &s->cf);
    formats_put(out, &cf);
    if (!same)
        formats_put(out, &client);
    POC_TRY(poc_wr_done(out));
    return out->len - before <= RECORD_MAX ? POC_OK : POC_E_LIMIT;
}

/* ---- reading ---- */

static poc_err text_get(poc_rd *rd, char *out, size_t cap)
{
    uint16_t n;
    POC_TRY(poc_rd_u16(rd, &n));
    if (n >= cap)
        return poc_rd_fail(rd, "text too long");
    POC_TRY(poc_rd_copy(rd, out, n));
    out[n] = '\0';
    return memchr(out, '\0', n) == NULL ? POC_OK : poc_rd_fail(rd, "NUL in a text");
}

static poc_err text_get_new(poc_rd *rd, char **out)
{
    char text[RECORD_MAX];
    POC_TRY(text_get(rd, text, sizeof(text)));
    *out = strdup(text);
    return *out != NULL ? POC_OK : POC_E_NOMEM;
}

static poc_err address_get(poc_rd *rd, struct sockaddr_storage *out)
{
    uint8_t family;
    uint16_t port;
    memset(out, 0, sizeof(*out));
    POC_TRY(poc_rd_u8(rd, &family));
    if (family == 0)
        return POC_OK;
    if (family == 6) {
        out->ss_family = AF_INET6;
        POC_TRY(poc_rd_copy(rd, &((struct sockaddr_in6 *)out)->sin6_addr, 16));
    } else if (family == 4) {
        out->ss_family = AF_INET;
        POC_TRY(poc_rd_copy(rd, &((struct sockaddr_in *)out)->sin_addr, 4));
    } else {
        return poc_rd_fail(rd, "unknown address family");
    }
    POC_TRY(poc_rd_u16(rd, &port));
    poc_addr_set_port((struct sockaddr *)out, port);
    return POC_OK;
}

static poc_err formats_get(poc_rd *rd, wire_unicast *u)
{
    POC_TRY(text_get(rd, u->audio_proto, sizeof(u->audio_proto)));
    POC_TRY(text_get(rd, u->audio_formats, sizeof(u->audio_formats)));
    POC_TRY(text_get(rd, u->audio_lines, sizeof(u->audio_lines)));
    return text_get(rd, u->floor_lines, sizeof(u->floor_lines));
}

static poc_err leg_route_set(sip_leg *leg, const char *target, const char *route)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    sip_contact_t *contact = sip_contact_make(home, target);
    sip_record_route_t *set = route[0] != '\0' ? sip_record_route_make(home, route) : NULL;
    poc_err err = contact == NULL || (route[0] != '\0' && set == NULL) ? POC_E_INPUT : POC_OK;
    if (err == POC_OK)
        err = sip_route_by_request(leg->nta, set, contact);
    su_home_deinit(home);
    return err;
}

static poc_err leg_dialog_get(poc_rd *rd, sip_leg *leg)
{
    char tag[RECORD_MAX], remote_tag[RECORD_MAX], target[RECORD_MAX], route[RECORD_MAX];
    uint32_t cseq, remote_cseq;
    POC_TRY(text_get_new(rd, &leg->call_id));
    POC_TRY(text_get_new(rd, &leg->local));
    POC_TRY(text_get_new(rd, &leg->remote));
    POC_TRY(text_get(rd, tag, sizeof(tag)));
    POC_TRY(text_get(rd, remote_tag, sizeof(remote_tag)));
    POC_TRY(poc_rd_u32(rd, &cseq));
    POC_TRY(poc_rd_u32(rd, &remote_cseq));
    POC_TRY(text_get(rd, target, sizeof(target)));
    POC_TRY(text_get(rd, route, sizeof(route)));
    if (leg->call_id[0] == '\0' || tag[0] == '\0' || target[0] == '\0')
        return poc_rd_fail(rd, "dialog is not complete");
    if (cseq >= INT32_MAX - CSEQ_LEAP)
        return poc_rd_fail(rd, "CSeq is used up");
    POC_TRY(sip_leg_make(leg, cseq + CSEQ_LEAP, remote_cseq));
    if (nta_leg_tag(leg->nta, tag) == NULL || (remote_tag[0] != '\0' && nta_leg_rtag(leg->nta, remote_tag) == NULL))
        return POC_E_NOMEM;
    return leg_route_set(leg, target, route);
}

static poc_err leg_get(poc_rd *rd, sip_leg *leg, wire_unicast *peer)
{
    uint8_t flags, transport, direction;
    POC_TRY(poc_rd_u8(rd, &flags));
    POC_TRY(poc_rd_u8(rd, &transport));
    if (transport >= SIP_TRANSPORTS)
        return poc_rd_fail(rd, "unknown transport");
    leg->we_called = flags & LEG_WE_CALLED;
    leg->allow_update = flags & LEG_UPDATE;
    leg->has_channel_lines = flags & LEG_CHANNEL_LINES;
    leg->we_refresh = flags & LEG_WE_REFRESH;
    leg->contact = sip_contact_of(leg->session->sip, transport, flags & LEG_IP6);
    POC_TRY(leg_dialog_get(rd, leg));
    POC_TRY(poc_rd_u32(rd, &leg->expires_s));
    if (leg->expires_s > SIP_MAX_SE_S)
        return poc_rd_fail(rd, "session interval out of bounds");
    POC_TRY(poc_rd_u64(rd, &leg->sdp_session));
    POC_TRY(poc_rd_u64(rd, &leg->sdp_version));
    POC_TRY(address_get(rd, &peer->audio));
    POC_TRY(address_get(rd, &peer->floor));
    POC_TRY(poc_rd_u8(rd, &direction));
    if (direction > POC_SDP_INACTIVE)
        return poc_rd_fail(rd, "unknown direction");
    peer->direction = (poc_sdp_direction)direction;
    return POC_OK;
}

static poc_err media_get(poc_rd *rd, sip_session *s)
{
    uint16_t port[RELAY_SIDES][RELAY_KINDS];
    for (int side = 0; side < RELAY_SIDES; side++)
        for (int kind = 0; kind < RELAY_KINDS; kind++)
            POC_TRY(poc_rd_u16(rd, &port[side][kind]));
    return relay_session_at(&s->media, s->sip->relay, port);
}

static void formats_copy(wire_unicast *to, const wire_unicast *from)
{
    memcpy(to->audio_proto, from->audio_proto, sizeof(to->audio_proto));
    memcpy(to->audio_formats, from->audio_formats, sizeof(to->audio_formats));
    memcpy(to->audio_lines, from->audio_lines, sizeof(to->audio_lines));
    memcpy(to->floor_lines, from->floor_lines, sizeof(to->floor_lines));
}

static poc_err session_get(poc_rd *rd, sip_session *s)
{
    uint8_t version, flags;
    wire_unicast client, cf;
    memset(&client, 0, sizeof(client));
    memset(&cf, 0, sizeof(cf));
    POC_TRY(poc_rd_u8(rd, &version));
    if (version != RECORD_VERSION)
        return poc_rd_fail(rd, "unknown version");
    POC_TRY(poc_rd_u8(rd, &flags));
    s->capable = flags & FLAG_CAPABLE;
    s->has_channel = flags & FLAG_CHANNEL;
    s->bearer_off = flags & FLAG_BEARER_OFF;
    POC_TRY(text_get(rd, s->user, sizeof(s->user)));
    POC_TRY(text_get(rd, s->group, sizeof(s->group)));
    POC_TRY(text_get(rd, s->channel.id, sizeof(s->channel.id)));
    POC_TRY(media_get(rd, s));
    POC_TRY(leg_get(rd, &s->client, &client));
    POC_TRY(leg_get(rd, &s->cf, &cf));
    POC_TRY(formats_get(rd, &cf));
    if (flags & FLAG_SAME_FORMATS)
        formats_copy(&client, &cf);
    else
        POC_TRY(formats_get(rd, &client));
    POC_TRY(sip_peer_keep(&s->client.peer, &client));
    POC_TRY(sip_peer_keep(&s->cf.peer, &cf));
    return poc_rd_end(rd);
}

poc_err sip_session_restore(sip *s, poc_span record, sip_session **out)
{
    poc_rd rd = poc_rd_over(record, NULL);
    sip_session *n;
    *out = NULL;
    if (s->counts.sessions >= s->sessions_max)
        return POC_E_LIMIT;
    POC_TRY(sip_session_make(&n, s));
    poc_err err = session_get(&rd, n);
    if (err != POC_OK) {
        sip_session_free(n);
        return err;
    }
    sip_session_link(n);
    n->phase = SIP_UP;
    sip_session_media(n, &n->client);
    sip_session_media(n, &n->cf);
    if (n->has_channel)
        relay_session_channel(n->media, n->channel.id);
    sip_leg_touch(&n->client);
    sip_leg_touch(&n->cf);
    *out = n;
    return POC_OK;
}
