/* Options that must fit each other. */
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/text.h"
#include "pf/io/config_private.h"

typedef config_checker checker;

#define FAIL(k, line, ...) config_fail((k)->why, (k)->name, line, __VA_ARGS__)

/** The list that the channel stands in. */
static const char *list_of(const config_channel *ch)
{
    return ch->kind == CONFIG_MUSIK ? "mcx.musik" : "channels";
}

static bool is_source_specific(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24) == 232;
    const uint8_t *b = ((const struct sockaddr_in6 *)addr)->sin6_addr.s6_addr;
    return b[0] == 0xFF && (b[1] & 0xF0) == 0x30;
}

static poc_err check_ports(checker *k, config_channel *ch)
{
    if (ch->port % 2 != 0)
        return FAIL(k, ch->line, "%s.port = %u must be even (RTP)", list_of(ch), ch->port);
    if (ch->port > UINT16_MAX - 4u)
        return FAIL(k, ch->line, "%s.port = %u leaves no room for the ports behind it", list_of(ch), ch->port);
    uint32_t floor = ch->floor_port != 0 ? ch->floor_port : ch->port + 2;
    uint32_t stkm = ch->stkm_port != 0 ? ch->stkm_port : ch->port + 4;
    if (ch->kind == CONFIG_MUSIK)
        stkm = 0; /* MuSiKs do not come this way */
    if (floor == ch->port || stkm == ch->port || floor == stkm)
        return FAIL(k, ch->line, "%s.port, floor_port%s of \"%s\" must differ", list_of(ch),
                    ch->kind == CONFIG_MUSIK ? "" : " and stkm_port", ch->id);
    ch->air.port[BCAST_FLOW_RTP] = (uint16_t)ch->port;
    ch->air.port[BCAST_FLOW_FLOOR] = (uint16_t)floor;
    ch->air.port[BCAST_FLOW_STKM] = (uint16_t)stkm;
    return POC_OK;
}

static poc_err check_addresses(checker *k, config_channel *ch)
{
    POC_TRY(poc_addr_parse(&ch->air.group, poc_span_str(ch->address), 0));
    if (!poc_addr_is_multicast((struct sockaddr *)&ch->air.group))
        return FAIL(k, ch->line, "%s.address = \"%s\" is not a multicast address", list_of(ch), ch->address);
    if (ch->source[0] == '\0' && is_source_specific(&ch->air.group))
        return FAIL(k, ch->line, "%s.address = \"%s\" is source-specific: %s.source is missing", list_of(ch),
                    ch->address, list_of(ch));
    if (ch->source[0] == '\0')
        return POC_OK;
    POC_TRY(poc_addr_parse(&ch->air.source, poc_span_str(ch->source), 0));
    if (ch->air.source.ss_family != ch->air.group.ss_family ||
        poc_addr_is_multicast((struct sockaddr *)&ch->air.source))
        return FAIL(k, ch->line, "%s.source = \"%s\" must be a unicast address of the same family as the group",
                    list_of(ch), ch->source);
    return POC_OK;
}

static bool share_a_flow(const bcast_channel *a, const bcast_channel *b)
{
    if (!poc_addr_eq((const struct sockaddr *)&a->group, (const struct sockaddr *)&b->group))
        return false;
    for (int i = 0; i < BCAST_FLOW_COUNT; i++)
        for (int j = 0; j < BCAST_FLOW_COUNT; j++)
            if (a->port[i] != 0 && a->port[i] == b->port[j])
                return true;
    return false;
}

/* ---- channels as user services ---- */

static bool delivers_by(const config_channel *ch, int way)
{
    return (ch->rekey.delivery >> way & 1u) != 0;
}

static poc_err check_ways(checker *k, const config_channel *ch)
{
    bool pushes = delivers_by(ch, CONFIG_DELIVERY_PUSH), has_group = ch->group[0] != '\0';
    bool has_http = k->c->mbms.key_management_listen.count > 0;
    if (!has_group && !pushes)
        return FAIL(k, ch->line,
                    "channels.group of \"%s\" is missing: without one there is no PoC session, and rekey.delivery "
                    "must have \"push\"",
                    ch->id);
    if (pushes && k->c->mbms.push_listen.count == 0)
        return FAIL(k, ch->line, "channel \"%s\" delivers by push: mbms.push_listen is missing", ch->id);
    if (!has_group && !has_http)
        return FAIL(
            k, ch->line,
            "channel \"%s\" has no group, so members come by registration: mbms.key_management_listen is missing",
            ch->id);
    return POC_OK;
}

poc_err config_fill_in(char **field, const char *text)
{
    char *filled = strdup(text);
    if (filled == NULL)
        return POC_E_NOMEM;
    free(*field);
    *field = filled;
    return POC_OK;
}

static poc_err check_service(checker *k, config_channel *ch)
{
    char text[POC_URI_MAX];
    bool has_group = ch->group[0] != '\0';
    if (ch->mbms.admit < 0)
        ch->mbms.admit = has_group ? CONFIG_ADMIT_SESSION : CONFIG_ADMIT_LISTED;
    if (ch->mbms.admit == CONFIG_ADMIT_SESSION && !has_group)
        return FAIL(k, ch->line, "channels.mbms.admit = \"session\" of \"%s\" needs a PoC session: channels.group",
                    ch->id);
    if (ch->mbms.admit == CONFIG_ADMIT_LISTED && ch->mbms.users.count == 0)
        return FAIL(k, ch->line,
                    "channels.mbms.users of \"%s\" is empty: nobody could register; list users, or let admit be "
                    "\"authenticated\"",
                    ch->id);
    for (size_t i = 0; i < ch->mbms.users.count; i++) {
        POC_TRY(poc_uri_canonical(text, poc_span_str(ch->mbms.users.item[i])));
        POC_TRY(config_fill_in(&ch->mbms.users.item[i], text));
    }
    if (ch->mbms.service[0] != '\0')
        return POC_OK;
    (void)snprintf(text, sizeof(text), "urn:pocpf:%s", ch->id);
    if (has_group)
        POC_TRY(poc_uri_canonical(text, poc_span_str(ch->group)));
    return config_fill_in(&ch->mbms.service, text);
}

static poc_err check_feed(checker *k, const config_channel *ch)
{
    const config_feed *f = &ch->feed;
    bool listens = f->listen[0] != '\0', hears_floor = f->floor_listen[0] != '\0';
    if (listens && ch->group[0] != '\0')
        return FAIL(k, ch->line, "channels.feed of \"%s\": the PoC session of channels.group is the feed", ch->id);
    if (!listens && (hears_floor || f->source.count > 0))
        return FAIL(k, ch->line, "%s.feed.listen of \"%s\" is missing", list_of(ch), ch->id);
    if (listens && f->source.count == 0)
        return FAIL(k, ch->line, "%s.feed.source of \"%s\" is empty: nobody's packets would be taken", list_of(ch),
                    ch->id);
    return POC_OK;
}

static bool share_a_group(const config_channel *a, const config_channel *b)
{
    char uri[POC_URI_MAX], other_uri[POC_URI_MAX];
    return a->group[0] != '\0' && b->group[0] != '\0' && poc_uri_canonical(uri, poc_span_str(a->group)) == POC_OK &&
           poc_uri_canonical(other_uri, poc_span_str(b->group)) == POC_OK && strcmp(uri, other_uri) == 0;
}

/* ---- channels together ---- */

static poc_err check_msk_against(checker *k, const config_channel *ch, const config_channel *other)
{
    if (share_a_group(ch, other))
        return FAIL(k, ch->line, "channels.group = \"%s\" has a channel already in line %d", ch->group, other->line);
    if (strcmp(ch->mbms.service, other->mbms.service) == 0)
        return FAIL(k, ch->line, "channels.mbms.service = \"%s\" is that of the channel in line %d", ch->mbms.service,
                    other->line);
    if (ch->key_group == other->key_group)
        return FAIL(k, ch->line, "channels.key_group = %u is taken in line %d; one per channel", ch->key_group,
                    other->line);
    return POC_OK;
}

static poc_err check_against(checker *k, const config_channel *ch, const config_channel *other)
{
    if (strcmp(ch->id, other->id) == 0)
        return FAIL(k, ch->line, "%s.id = \"%s\" stands already in line %d", list_of(ch), ch->id, other->line);
    if (ch->kind == other->kind)
        POC_TRY(ch->kind == CONFIG_MUSIK ? config_check_musik_against(k, ch, other) : check_msk_against(k, ch, other));
    if (share_a_flow(&ch->air, &other->air))
        return FAIL(k, ch->line, "channel \"%s\" shares address and port with the one in line %d", ch->id, other->line);
    return POC_OK;
}

static poc_err check_kind(checker *k, config_channel *ch)
{
    if (ch->kind == CONFIG_MUSIK)
        return config_check_musik(k, ch);
    POC_TRY(check_ways(k, ch));
    return check_service(k, ch);
}

static poc_err check_channel(checker *k, size_t index)
{
    config_channel *ch = &k->c->channels[index];
    POC_TRY(check_ports(k, ch));
    POC_TRY(check_addresses(k, ch));
    POC_TRY(check_kind(k, ch));
    POC_TRY(check_feed(k, ch));
    memcpy(ch->air.id, ch->id, strlen(ch->id) + 1); /* the row bounds it to 63 */
    memcpy(ch->air.key_domain.b, ch->key_domain_id, POC_KEY_DOMAIN_LEN);
    ch->air.ttl = (uint8_t)ch->ttl;
    for (size_t i = 0; i < index; i++)
        POC_TRY(check_against(k, ch, &k->c->channels[i]));
    return POC_OK;
}

/* ---- what is not a channel's ---- */

static poc_err check_sip_and_gba(checker *k)
{
    const config *c = k->c;
    bool embedded = c->gba.zn == CONFIG_ZN_EMBEDDED;
    if (c->sip.session_expires_s != 0 && c->sip.session_expires_s < 90)
        return FAIL(k, 0, "sip.session_expires_s = %u: 0 or at least 90 (RFC 4028)", c->sip.session_expires_s);
    if (c->gba.sip_auth == CONFIG_AUTH_REGISTERED && c->sip.trusted_peers.count == 0)
        return FAIL(k, 0, "gba.sip_auth = \"registered\" hears only sip.trusted_peers, and there are none");
    if (embedded && c->gba.subscribers[0] == '\0')
        return FAIL(k, 0, "gba.subscribers is missing: the embedded BSF (gba.zn) reads it");
    if (embedded && c->gba.ub_listen[0] == '\0')
        return FAIL(k, 0, "gba.ub_listen is missing: the embedded BSF (gba.zn) takes requests there");
    return POC_OK;
}

static poc_err check_push_listen(checker *k)
{
    const config_texts *listen = &k->c->mbms.push_listen;
    struct sockaddr_storage at[2];
    for (size_t i = 0; i < listen->count; i++)
        POC_TRY(config_address(&at[i], listen->item[i]));
    if (listen->count == 2 && at[0].ss_family == at[1].ss_family)
        return FAIL(k, 0, "mbms.push_listen takes one IPv4 and one IPv6 address, not two of one family");
    return POC_OK;
}

static poc_err check_mbms(checker *k)
{
    const config *c = k->c;
    bool serves = c->mbms.key_management_listen.count > 0;
    if ((c->mbms.tls_certificate[0] == '\0') != (c->mbms.tls_key[0] == '\0'))
        return FAIL(k, 0, "mbms.tls_certificate and mbms.tls_key go together: one of them is missing");
    if (serves && c->mbms.push_listen.count == 0)
        return FAIL(k, 0, "mbms.push_listen is missing: MSKs that are requested over HTTP are pushed from there");
    if (c->mbms.push_address == CONFIG_PUSH_SIP_CONTACT && c->mbms.push_listen.count == 0)
        return FAIL(k, 0, "mbms.push_listen is missing: mbms.push_address = \"sip-contact\" pushes from there");
    if (c->mbms.retransmission_cap_ms < c->mbms.retransmission_ms)
        return FAIL(k, 0, "mbms.retransmission_cap_ms = %u is less than mbms.retransmission_ms = %u",
                    c->mbms.retransmission_cap_ms, c->mbms.retransmission_ms);
    return check_push_listen(k);
}

static poc_err check_the_rest(checker *k)
{
    const config *c = k->c;
    const char *interface = c->bcast.interface;
    if (c->media.port_max < c->media.port_min || c->media.port_max - c->media.port_min < 8)
        return FAIL(k, 0, "media.port_min .. port_max must have room for four even ports");
    if (interface[0] != '\0' && if_nametoindex(interface) == 0)
        return FAIL(k, 0, "bcast.interface = \"%s\": there is no such network interface", interface);
    if (c->channel_count > c->limits.channels_max)
        return FAIL(k, 0, "%zu channels are more than limits.channels_max = %u", c->channel_count,
                    c->limits.channels_max);
    if (strlen(c->admin.socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return FAIL(k, 0, "admin.socket: \"%s\" is too long for the address of a unix socket", c->admin.socket);
    return POC_OK;
}

poc_err config_check(config *c, const char *name, char why[CONFIG_WHY_MAX])
{
    checker k = { c, name, why };
    POC_TRY(check_sip_and_gba(&k));
    POC_TRY(check_mbms(&k));
    POC_TRY(config_check_mcx(&k));
    POC_TRY(check_the_rest(&k));
    for (size_t i = 0; i < c->channel_count; i++)
        POC_TRY(check_channel(&k, i));
    return POC_OK;
}
