#include <string.h>

#include "base/text.h"
#include "ue/core/core.h"

/* Every refusal has its text; the caller hears it as a SIP Warning. */
static poc_err refuse(const char **warning, const char *text)
{
    *warning = text;
    return POC_E_INPUT;
}

/* ---- what kind of line is this ---- */

static const struct {
    const char *type, *proto, *format; /* NULL: any */
} multicast_form[BCAST_FLOW_COUNT] = {
    [BCAST_FLOW_RTP] = { "audio", "RTP/SAVP", NULL },
    [BCAST_FLOW_FLOOR] = { "application", "udp", "TBCP" },
    [BCAST_FLOW_STKM] = { "data", "udp", "vnd.oma.bcast.stkm" },
};

static bool has_form(const poc_sdp_media *m, bcast_flow flow)
{
    const char *format = multicast_form[flow].format;
    return poc_span_eq_nocase(m->type, multicast_form[flow].type) &&
           poc_span_eq_nocase(m->proto, multicast_form[flow].proto) &&
           (format == NULL || poc_span_eq_nocase(m->formats, format));
}

static bool address_of(const poc_sdp_media *m, struct sockaddr_storage *out)
{
    return m->conn.present && poc_addr_parse(out, m->conn.address, m->port) == POC_OK &&
           (out->ss_family == AF_INET6) == m->conn.is_ip6;
}

static bool is_to_group(const poc_sdp_media *m)
{
    struct sockaddr_storage address;
    return address_of(m, &address) && poc_addr_is_multicast((struct sockaddr *)&address);
}

/* A floor line is unicast or multicast by its address; the other two forms exist on the channel only. */
static bool multicast_flow_of(const poc_sdp_media *m, bcast_flow *flow)
{
    for (bcast_flow f = 0; f < BCAST_FLOW_COUNT; f++)
        if (has_form(m, f) && (f != BCAST_FLOW_FLOOR || is_to_group(m))) {
            *flow = f;
            return true;
        }
    return false;
}

/* ---- the multicast lines ---- */

typedef struct lines_seen {
    const poc_sdp_media *media[BCAST_FLOW_COUNT];
    size_t count;
} lines_seen;

static poc_err source_filter(const poc_sdp *sdp, const poc_sdp_media *m, const struct sockaddr *group,
                             struct sockaddr_storage *source)
{
    poc_span value, more;
    *source = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
    if (!poc_sdp_attr(m->lines, "source-filter", &value) && !poc_sdp_attr(sdp->lines, "source-filter", &value))
        return POC_OK;
    value = poc_trim(value);
    if (!poc_span_eq_str(poc_split(&value, ' '), "incl") || !poc_span_eq_str(poc_split(&value, ' '), "IN"))
        return POC_E_INPUT;
    bool is_ip6 = group->sa_family == AF_INET6;
    struct sockaddr_storage to;
    if (!poc_span_eq_str(poc_split(&value, ' '), is_ip6 ? "IP6" : "IP4"))
        return POC_E_INPUT;
    poc_span destination = poc_split(&value, ' ');
    if (!poc_span_eq_str(destination, "*") &&
        (poc_addr_parse(&to, destination, 0) != POC_OK || !poc_addr_eq((struct sockaddr *)&to, group)))
        return POC_E_INPUT;
    more = value;
    POC_TRY(poc_addr_parse(source, poc_split(&more, ' '), 0));
    return more.n == 0 && source->ss_family == group->sa_family ? POC_OK : POC_E_INPUT;
}

static poc_err line_check(const poc_sdp *sdp, const poc_sdp_media *m, struct sockaddr_storage *group,
                          struct sockaddr_storage *source, const char **warning)
{
    if (poc_sdp_direction_of(sdp, m) != POC_SDP_RECVONLY)
        return refuse(warning, "399 multicast line is not recvonly");
    if (!is_to_group(m) || !address_of(m, group))
        return refuse(warning, "399 multicast line without a group address");
    if (m->conn.count != 1)
        return refuse(warning, "399 multicast line with more than one group");
    if (!m->conn.is_ip6 && m->conn.ttl < 0)
        return refuse(warning, "399 IPv4 group without a TTL");
    poc_addr_set_port((struct sockaddr *)group, 0);
    if (source_filter(sdp, m, (struct sockaddr *)group, source) != POC_OK)
        return refuse(warning, "306 source filter not understood");
    return POC_OK;
}

poc_err ue_sdp_group(const poc_sdp *sdp, const poc_sdp_media *m, bcast_channel *out)
{
    memset(out, 0, sizeof(*out));
    if (!is_to_group(m) || !address_of(m, &out->group) || m->conn.count != 1 || (!m->conn.is_ip6 && m->conn.ttl < 0))
        return POC_E_INPUT;
    out->ttl = m->conn.ttl < 0 ? 0 : (uint8_t)m->conn.ttl;
    poc_addr_set_port((struct sockaddr *)&out->group, 0);
    return source_filter(sdp, m, (struct sockaddr *)&out->group, &out->source);
}

/* All flows of a channel share group and source; only the ports differ. */
static poc_err channel_fill(ue_offer *o, const lines_seen *seen, const char **warning)
{
    bcast_channel *c = &o->channel;
    for (bcast_flow f = 0; f < BCAST_FLOW_COUNT; f++) {
        struct sockaddr_storage group, source;
        const poc_sdp_media *m = seen->media[f];
        POC_TRY(line_check(&o->sdp, m, &group, &source, warning));
        if (f == 0) {
            c->group = group;
            c->source = source;
            c->ttl = m->conn.ttl < 0 ? 0 : (uint8_t)m->conn.ttl;
        }
        if (!poc_addr_eq((struct sockaddr *)&group, (struct sockaddr *)&c->group))
            return refuse(warning, "399 multicast lines of different groups");
        if (source.ss_family != c->source.ss_family ||
            (source.ss_family != AF_UNSPEC && !poc_addr_eq((struct sockaddr *)&source, (struct sockaddr *)&c->source)))
            return refuse(warning, "399 multicast lines of different sources");
        c->port[f] = m->port;
    }
    if (c->port[0] == c->port[1] || c->port[0] == c->port[2] || c->port[1] == c->port[2])
        return refuse(warning, "399 multicast lines with the same port");
    return POC_OK;
}

/* The value of `name=` in "streamid=1;kmstype=oma-bcast-gba-mbms". */
static bool parameter(poc_span list, const char *name, poc_span *value)
{
    while (list.n > 0) {
        poc_span item = poc_trim(poc_split(&list, ';'));
        poc_span key = poc_split(&item, '=');
        if (poc_span_eq_str(poc_trim(key), name)) {
            *value = poc_trim(item);
            return true;
        }
    }
    return false;
}

static bool stream_id(poc_span text, uint64_t *id)
{
    return poc_u64_get(id, UINT16_MAX, text) == POC_OK && *id != 0;
}

static bool stkm_parameters(const poc_sdp_media *m, uint64_t *id)
{
    poc_span fmtp, value;
    if (!poc_sdp_attr(m->lines, "fmtp", &fmtp) || !poc_span_eq_nocase(poc_split(&fmtp, ' '), "vnd.oma.bcast.stkm"))
        return false;
    if (parameter(fmtp, "kmstype", &value) && !poc_span_eq_str(value, "oma-bcast-gba-mbms"))
        return false;
    return parameter(fmtp, "streamid", &value) && stream_id(value, id);
}

/* A protected line names the STKM stream that opens it; one that names none would be in clear (RFC 5159, POC-1). */
static poc_err streams_check(const poc_sdp *sdp, const lines_seen *seen, const char **warning)
{
    uint64_t stkm, named;
    poc_span value;
    if (!stkm_parameters(seen->media[BCAST_FLOW_STKM], &stkm))
        return refuse(warning, "306 STKM stream not understood");
    for (bcast_flow f = BCAST_FLOW_RTP; f <= BCAST_FLOW_FLOOR; f++) {
        if (!poc_sdp_attr(seen->media[f]->lines, "stkmstream", &value) &&
            !poc_sdp_attr(sdp->lines, "stkmstream", &value))
            return refuse(warning, "399 multicast line without an STKM stream");
        if (!stream_id(value, &named) || named != stkm)
            return refuse(warning, "399 multicast line names another STKM stream");
    }
    return POC_OK;
}

/* ---- key management attributes (RFC 4567) ---- */

static poc_err key_mgmt_add(ue_offer *o, size_t where, poc_span base64)
{
    if (o->key_mgmt_count == UE_KEY_MESSAGES_MAX)
        return POC_E_LIMIT;
    ue_key_mgmt *k = &o->key_mgmt[o->key_mgmt_count];
    k->where = where;
    POC_TRY(poc_base64_get(k->raw, sizeof(k->raw), &k->raw_len, base64));
    if (k->raw_len == 0)
        return POC_E_INPUT;
    o->key_mgmt_count++;
    return POC_OK;
}

/* One level: any number of protocols, "mikey" exactly once among them, their ids in the order of the description. */
static poc_err key_mgmt_level(ue_offer *o, size_t where, poc_span lines)
{
    char protocols[sizeof(o->key_mgmt[0].protocols)] = "";
    poc_wr ids = poc_wr_into(protocols, sizeof(protocols) - 1);
    size_t before = o->key_mgmt_count, found = 0;
    poc_span value;
    for (; poc_sdp_attr_next(&lines, "key-mgmt", &value); found++) {
        if (value.n > 0 && value.p[0] == ' ')
            value = poc_span_of(value.p + 1, value.n - 1);
        poc_span id = poc_split(&value, ' ');
        poc_wr_fmt(&ids, "%s%.*s", found > 0 ? ";" : "", (int)id.n, (const char *)id.p);
        if (poc_span_eq_str(id, "mikey"))
            POC_TRY(key_mgmt_add(o, where, value));
    }
    if (found == 0)
        return POC_OK;
    POC_TRY(poc_wr_done(&ids));
    if (o->key_mgmt_count != before + 1)
        return POC_E_INPUT;
    memcpy(o->key_mgmt[before].protocols, protocols, sizeof(protocols));
    return POC_OK;
}

static poc_err key_mgmt_collect(ue_offer *o, const char **warning)
{
    poc_err err = key_mgmt_level(o, UE_SESSION_LEVEL, o->sdp.lines);
    for (size_t i = 0; i < o->sdp.media_count && err == POC_OK; i++)
        if (o->sdp.media[i].port != 0)
            err = key_mgmt_level(o, i, o->sdp.media[i].lines);
    return err == POC_OK ? POC_OK : refuse(warning, UE_WARN_NOT_UNDERSTOOD);
}

/* ---- the whole ---- */

static void unicast_take(ue_offer *o, size_t i)
{
    const poc_sdp_media *m = &o->sdp.media[i];
    bool is_floor = has_form(m, BCAST_FLOW_FLOOR);
    bool is_audio = poc_span_eq_nocase(m->type, "audio") && poc_span_eq_nocase(m->proto, "RTP/AVP");
    struct sockaddr_storage *peer = is_floor ? &o->floor : &o->audio;
    struct sockaddr_storage address;
    if ((!is_floor && !is_audio) || peer->ss_family != AF_UNSPEC || m->port == 0)
        return;
    if (!address_of(m, &address) || poc_addr_is_multicast((struct sockaddr *)&address))
        return;
    *peer = address;
    o->line[i] = is_floor ? UE_LINE_FLOOR : UE_LINE_AUDIO;
}

static poc_err lines_sort(ue_offer *o, lines_seen *seen, const char **warning)
{
    for (size_t i = 0; i < o->sdp.media_count; i++) {
        bcast_flow flow;
        const poc_sdp_media *m = &o->sdp.media[i];
        if (!multicast_flow_of(m, &flow)) {
            unicast_take(o, i);
            continue;
        }
        o->line[i] = UE_LINE_MULTICAST;
        if (m->port == 0)
            continue;
        if (seen->media[flow] != NULL)
            return refuse(warning, "399 more than one multicast line of a kind");
        seen->media[flow] = m;
        seen->count++;
    }
    return POC_OK;
}

poc_err ue_offer_parse(ue_offer *out, poc_span text, const char **warning)
{
    lines_seen seen = { .count = 0 };
    memset(out, 0, sizeof(*out));
    if (poc_sdp_parse(&out->sdp, text, NULL) != POC_OK)
        return refuse(warning, "399 malformed description");
    POC_TRY(lines_sort(out, &seen, warning));
    if (seen.count == 0)
        return POC_OK;
    if (seen.count != BCAST_FLOW_COUNT)
        return refuse(warning, "399 a multicast channel needs media, floor and STKM lines");
    POC_TRY(channel_fill(out, &seen, warning));
    POC_TRY(streams_check(&out->sdp, &seen, warning));
    out->multicast = true;
    return key_mgmt_collect(out, warning);
}

/* An answer need not repeat what was agreed in the offer, but may not differ: RFC 3264, 6.2. */
static bool is_line_of(const poc_sdp *sdp, const poc_sdp_media *m, const bcast_channel *channel, bcast_flow flow)
{
    struct sockaddr_storage group;
    if (m->port != channel->port[flow] || !address_of(m, &group) || poc_sdp_direction_of(sdp, m) != POC_SDP_RECVONLY)
        return false;
    poc_addr_set_port((struct sockaddr *)&group, 0);
    return poc_addr_eq((struct sockaddr *)&group, (const struct sockaddr *)&channel->group);
}

poc_err ue_answer_parse(ue_offer *out, poc_span text, const bcast_channel *channel)
{
    lines_seen seen = { .count = 0 };
    const char *ignored;
    memset(out, 0, sizeof(*out));
    POC_TRY(poc_sdp_parse(&out->sdp, text, NULL));
    POC_TRY(lines_sort(out, &seen, &ignored));
    if (seen.count == 0)
        return POC_OK;
    for (bcast_flow f = 0; f < BCAST_FLOW_COUNT; f++)
        if (seen.media[f] == NULL || !is_line_of(&out->sdp, seen.media[f], channel, f))
            return POC_E_INPUT;
    out->multicast = true;
    return POC_OK;
}

bool ue_channel_eq(const bcast_channel *a, const bcast_channel *b)
{
    return poc_addr_eq((const struct sockaddr *)&a->group, (const struct sockaddr *)&b->group) &&
           a->source.ss_family == b->source.ss_family &&
           (a->source.ss_family == AF_UNSPEC ||
            poc_addr_eq((const struct sockaddr *)&a->source, (const struct sockaddr *)&b->source)) &&
           memcmp(a->port, b->port, sizeof(a->port)) == 0;
}
