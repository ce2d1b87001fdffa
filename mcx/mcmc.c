/* MapGroupToBearer and UnmapGroupToBearer (TS 24.380 8.4), an RTCP APP packet each:
 *
 *   |V=2|0| subtype | PT=204 |  length  |        SSRC        |  name "MCMC"  | fields ...
 *   field: id (1) || length (1) || value || zeros up to a multiple of four octets
 *     MBMS subchannel  0  audio m-line (4 bits), floor m-line (4), IP version (4: 0 is IPv4, 1 is IPv6), 4 spare bits,
 *                         floor port (4 octets; not there when the floor m-line is 0), audio port (4 octets), address
 *     TMGI             1  6 octets
 *     group            3  URI
 *
 * INFERRED from implementations in the field, since the clause was not at hand: names, ids and the subchannel are as those of a
 * client and of two dissectors, which agree; the first release said "MCCP" for the name, and 2 for the group. */
#include <string.h>

#include "mcx/mcx.h"

enum { VERSION = 2, PT_APP = 204, SUBTYPE_MASK = 0x1f, PADDING_BIT = 0x20, NAME_LEN = 4, HEADER_LEN = 12 };
enum { F_SUBCHANNEL = 0, F_TMGI = 1, F_GROUP_FIRST_RELEASE = 2, F_GROUP = 3, F_COUNT };
enum { IP4 = 0, IP6 = 1, IP4_LEN = 4, IP6_LEN = 16, LINE_MAX_NUMBER = 15 };

static const char name_now[] = "MCMC", name_first_release[] = "MCCP";

/* ---- writing ---- */

/* The length of a value is known before it is written: `n` octets must follow. */
static void field_open(poc_wr *out, uint8_t id, size_t n)
{
    poc_wr_u8(out, id);
    poc_wr_u8(out, (uint8_t)n);
}

static void field_fill(poc_wr *out, size_t n)
{
    for (size_t at = 2 + n; at % 4 != 0; at++)
        poc_wr_u8(out, 0);
}

static void group_put(poc_wr *out, const mcx_mcmc *msg)
{
    field_open(out, F_GROUP, msg->group.n);
    poc_wr_span(out, msg->group);
    field_fill(out, msg->group.n);
}

static void tmgi_put(poc_wr *out, const mcx_mcmc *msg)
{
    if (!msg->has_tmgi)
        return;
    field_open(out, F_TMGI, MCX_TMGI_LEN);
    poc_wr_put(out, msg->tmgi, MCX_TMGI_LEN);
    field_fill(out, MCX_TMGI_LEN);
}

static void subchannel_put(poc_wr *out, const mcx_mcmc *msg)
{
    const size_t n = 2u + (msg->floor_line > 0 ? 4u : 0) + 4u + msg->address_len;
    field_open(out, F_SUBCHANNEL, n);
    poc_wr_u8(out, (uint8_t)(msg->audio_line << 4 | msg->floor_line));
    poc_wr_u8(out, (uint8_t)((msg->address_len == IP4_LEN ? IP4 : IP6) << 4));
    if (msg->floor_line > 0)
        poc_wr_u32(out, msg->floor_port);
    poc_wr_u32(out, msg->audio_port);
    poc_wr_put(out, msg->address, msg->address_len);
    field_fill(out, n);
}

static bool may_write(const mcx_mcmc *msg)
{
    if (msg->group.n == 0 || msg->group.n > MCX_GROUP_MAX)
        return false;
    if (msg->type == MCX_MCMC_UNMAP)
        return true;
    return msg->type == MCX_MCMC_MAP && (msg->address_len == IP4_LEN || msg->address_len == IP6_LEN) &&
           msg->audio_line <= LINE_MAX_NUMBER && msg->floor_line <= LINE_MAX_NUMBER;
}

poc_err mcx_mcmc_write(poc_wr *out, const mcx_mcmc *msg)
{
    uint8_t fields[MCX_MCMC_MAX];
    poc_wr body = poc_wr_into(fields, sizeof(fields));
    if (!may_write(msg))
        return POC_E_INPUT;
    group_put(&body, msg);
    if (msg->type == MCX_MCMC_MAP) {
        tmgi_put(&body, msg);
        subchannel_put(&body, msg);
    }
    POC_TRY(poc_wr_done(&body));
    poc_wr_u8(out, (uint8_t)(VERSION << 6 | msg->type));
    poc_wr_u8(out, PT_APP);
    poc_wr_u16(out, (uint16_t)((HEADER_LEN + body.len) / 4 - 1));
    poc_wr_u32(out, msg->ssrc);
    poc_wr_put(out, name_now, NAME_LEN);
    poc_wr_put(out, fields, body.len);
    return poc_wr_done(out);
}

/* ---- reading ---- */

bool mcx_mcmc_is(poc_span packet)
{
    if (packet.n < HEADER_LEN || packet.p[0] >> 6 != VERSION || packet.p[1] != PT_APP)
        return false;
    const poc_span name = poc_span_of(packet.p + HEADER_LEN - NAME_LEN, NAME_LEN);
    return poc_span_eq_str(name, name_now) || poc_span_eq_str(name, name_first_release);
}

static poc_err read_port(uint16_t *out, poc_rd *rd)
{
    uint32_t port;
    POC_TRY(poc_rd_u32(rd, &port));
    if (port > UINT16_MAX)
        return poc_rd_fail(rd, "not a port");
    *out = (uint16_t)port;
    return POC_OK;
}

static poc_err read_subchannel(poc_rd *value, mcx_mcmc *out)
{
    uint8_t lines, version;
    POC_TRY(poc_rd_u8(value, &lines));
    POC_TRY(poc_rd_u8(value, &version));
    if (version >> 4 != IP4 && version >> 4 != IP6)
        return poc_rd_fail(value, "unknown version of IP");
    out->audio_line = lines >> 4;
    out->floor_line = lines & LINE_MAX_NUMBER;
    out->address_len = version >> 4 == IP4 ? IP4_LEN : IP6_LEN;
    if (out->floor_line > 0)
        POC_TRY(read_port(&out->floor_port, value));
    POC_TRY(read_port(&out->audio_port, value));
    return poc_rd_copy(value, out->address, out->address_len);
}

static poc_err read_tmgi(poc_rd *value, mcx_mcmc *out)
{
    out->has_tmgi = true;
    return poc_rd_copy(value, out->tmgi, MCX_TMGI_LEN);
}

static poc_err read_group(poc_rd *value, mcx_mcmc *out)
{
    if (value->left == 0)
        return poc_rd_fail(value, "group without a name");
    return poc_rd_span(value, &out->group, value->left);
}

static poc_err (*const readers[F_COUNT])(poc_rd *, mcx_mcmc *) = {
    [F_SUBCHANNEL] = read_subchannel, [F_TMGI] = read_tmgi, [F_GROUP_FIRST_RELEASE] = read_group, [F_GROUP] = read_group
};

/* What the field says, by one bit; both ids of the group are the same field. */
static unsigned bit_of(uint8_t id)
{
    return 1u << (id == F_GROUP_FIRST_RELEASE ? F_GROUP : id);
}

static poc_err read_filling(poc_rd *rd, size_t n)
{
    uint8_t octet = 0;
    for (size_t at = 2 + n; at % 4 != 0 && rd->left > 0; at++) {
        POC_TRY(poc_rd_u8(rd, &octet));
        if (octet != 0)
            return poc_rd_fail(rd, "filling is not zero");
    }
    return POC_OK;
}

static poc_err read_field(poc_rd *rd, mcx_mcmc *out, unsigned *has)
{
    uint8_t id, n;
    poc_rd value;
    POC_TRY(poc_rd_u8(rd, &id));
    POC_TRY(poc_rd_u8(rd, &n));
    POC_TRY(poc_rd_take(rd, &value, n));
    POC_TRY(read_filling(rd, n));
    if (id >= F_COUNT)
        return POC_OK; /* of a later release: fenced by its own length, and nothing we act on */
    if ((*has & bit_of(id)) != 0)
        return poc_rd_fail(rd, "field twice");
    *has |= bit_of(id);
    POC_TRY(readers[id](&value, out));
    return poc_rd_end(&value);
}

static poc_err read_header(poc_rd *rd, mcx_mcmc *out, poc_span packet)
{
    uint8_t first, type;
    uint16_t words;
    poc_span name;
    if (!mcx_mcmc_is(packet))
        return poc_rd_fail(rd, "not an APP packet named MCMC");
    POC_TRY(poc_rd_u8(rd, &first));
    POC_TRY(poc_rd_u8(rd, &type));
    POC_TRY(poc_rd_u16(rd, &words));
    POC_TRY(poc_rd_u32(rd, &out->ssrc));
    POC_TRY(poc_rd_span(rd, &name, NAME_LEN));
    if (4u * (words + 1u) != packet.n || (first & PADDING_BIT) != 0)
        return poc_rd_fail(rd, "not one whole packet without padding");
    if ((first & SUBTYPE_MASK) > MCX_MCMC_UNMAP)
        return poc_rd_fail(rd, "unknown subtype");
    out->type = (mcx_mcmc_type)(first & SUBTYPE_MASK);
    return POC_OK;
}

poc_err mcx_mcmc_read(mcx_mcmc *out, poc_span packet, poc_fault *fault)
{
    poc_rd rd = poc_rd_over(packet, fault);
    unsigned has = 0;
    *out = (mcx_mcmc){ 0 };
    POC_TRY(read_header(&rd, out, packet));
    while (rd.left > 0)
        POC_TRY(read_field(&rd, out, &has));
    const unsigned needed = out->type == MCX_MCMC_MAP ? bit_of(F_GROUP) | bit_of(F_SUBCHANNEL) : bit_of(F_GROUP);
    return (has & needed) == needed ? POC_OK : poc_rd_fail(&rd, "without what it has to say");
}
