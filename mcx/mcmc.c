/* MapGroupToBearer and UnmapGroupToBearer (TS 24.380 8.4, TS 24.581 9.3), an RTCP APP packet each:
 *
 *   |V=2|0| subtype | PT=204 |  length  |        SSRC        |  name (4)  | fields ...
 *   field: id (1) || length (1) || value || zeros up to a multiple of four octets
 *
 *   MCPTT, "MCMC":  0  subchannel  audio and floor m-line (4 bits each), IP version (4: 0 is IPv4, 1 is IPv6), 4 spare bits,
 *                                  floor port if there is a floor m-line, audio port, address
 *                   1  TMGI        6 octets
 *                   3  group       URI
 *   MCVideo, "MCV3": 0 subchannel  video and audio m-line, control and FEC m-line, IP version, 28 spare bits, control port if
 *                                  there is such a line, video port, audio and FEC port if there are such lines, address
 *                   1  TMGI, 2  group
 *
 * Ports have four octets. INFERRED from implementations in the field, since the clauses were not at hand: two dissectors and a
 * client agree about MCPTT (its first release said "MCCP", and 2 for the group), one dissector knows MCVideo. */
#include <stddef.h>
#include <string.h>

#include "mcx/mcx.h"

enum { VERSION = 2, PT_APP = 204, SUBTYPE_MASK = 0x1f, PADDING_BIT = 0x20, NAME_LEN = 4, HEADER_LEN = 12 };
enum { F_SUBCHANNEL = 0, F_TMGI = 1, F_GROUP_2 = 2, F_GROUP_3 = 3, F_COUNT };
enum { IP4 = 0, IP6 = 1, IP4_LEN = 4, IP6_LEN = 16, LINE_MAX_NUMBER = 15 };

static const struct {
    const char *name;
    mcx_service service;
} names[] = { { "MCMC", MCX_MCPTT },
              { "MCV3", MCX_MCVIDEO },
              { "MCCP", MCX_MCPTT } }; /* the first MCX_SERVICES are written */

/* ---- ports of a subchannel, in their order ---- */

typedef struct port_row {
    size_t line, port; /* offsets in mcx_mcmc */
    bool always;       /* also without a line */
} port_row;

#define PORT(what, always)                                                       \
    {                                                                            \
        offsetof(mcx_mcmc, what##_line), offsetof(mcx_mcmc, what##_port), always \
    }

static const port_row ports_of_mcptt[] = { PORT(floor, false), PORT(audio, true) };
static const port_row ports_of_mcvideo[] = { PORT(floor, false), PORT(video, true), PORT(audio, false),
                                             PORT(fec, false) };

static const struct {
    const port_row *ports;
    size_t port_count;
    size_t spare; /* octets behind that with the IP version */
    uint8_t group_id;
} dialects[MCX_SERVICES] = {
    [MCX_MCPTT] = { ports_of_mcptt, sizeof(ports_of_mcptt) / sizeof(port_row), 0, F_GROUP_3 },
    [MCX_MCVIDEO] = { ports_of_mcvideo, sizeof(ports_of_mcvideo) / sizeof(port_row), 3, F_GROUP_2 },
};

static bool has_port(const mcx_mcmc *msg, const port_row *row)
{
    return row->always || ((const uint8_t *)msg)[row->line] != 0;
}

static uint16_t port_get(const mcx_mcmc *msg, const port_row *row)
{
    uint16_t port;
    memcpy(&port, (const uint8_t *)msg + row->port, sizeof(port));
    return port;
}

static void port_set(mcx_mcmc *msg, const port_row *row, uint16_t port)
{
    memcpy((uint8_t *)msg + row->port, &port, sizeof(port));
}

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
    field_open(out, dialects[msg->service].group_id, msg->group.n);
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

static void lines_put(poc_wr *out, const mcx_mcmc *msg)
{
    const uint8_t floor = msg->floor_line;
    if (msg->service == MCX_MCPTT) {
        poc_wr_u8(out, (uint8_t)(msg->audio_line << 4 | floor));
        return;
    }
    poc_wr_u8(out, (uint8_t)(msg->video_line << 4 | msg->audio_line));
    poc_wr_u8(out, (uint8_t)(floor << 4 | msg->fec_line));
}

static void subchannel_put(poc_wr *out, const mcx_mcmc *msg)
{
    uint8_t octets[64];
    poc_wr value = poc_wr_into(octets, sizeof(octets));
    lines_put(&value, msg);
    poc_wr_u8(&value, (uint8_t)((msg->address_len == IP4_LEN ? IP4 : IP6) << 4));
    for (size_t i = 0; i < dialects[msg->service].spare; i++)
        poc_wr_u8(&value, 0);
    for (size_t i = 0; i < dialects[msg->service].port_count; i++) {
        const port_row *row = &dialects[msg->service].ports[i];
        if (has_port(msg, row))
            poc_wr_u32(&value, port_get(msg, row));
    }
    poc_wr_put(&value, msg->address, msg->address_len);
    field_open(out, F_SUBCHANNEL, value.len);
    poc_wr_put(out, octets, value.len);
    field_fill(out, value.len);
}

static bool may_write(const mcx_mcmc *msg)
{
    const unsigned highest = (unsigned)msg->audio_line | msg->floor_line | msg->video_line | msg->fec_line;
    if ((unsigned)msg->service >= MCX_SERVICES || msg->group.n == 0 || msg->group.n > MCX_GROUP_MAX)
        return false;
    if (msg->type == MCX_MCMC_UNMAP)
        return true;
    return msg->type == MCX_MCMC_MAP && (msg->address_len == IP4_LEN || msg->address_len == IP6_LEN) &&
           highest <= LINE_MAX_NUMBER;
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
    poc_wr_put(out, names[msg->service].name, NAME_LEN);
    poc_wr_put(out, fields, body.len);
    return poc_wr_done(out);
}

/* ---- reading ---- */

static bool service_named(mcx_service *out, poc_span packet)
{
    if (packet.n < HEADER_LEN || packet.p[0] >> 6 != VERSION || packet.p[1] != PT_APP)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (memcmp(packet.p + HEADER_LEN - NAME_LEN, names[i].name, NAME_LEN) == 0) {
            *out = names[i].service;
            return true;
        }
    return false;
}

bool mcx_mcmc_is(poc_span packet)
{
    mcx_service service;
    return service_named(&service, packet);
}

static poc_err read_port(poc_rd *rd, mcx_mcmc *out, const port_row *row)
{
    uint32_t port;
    POC_TRY(poc_rd_u32(rd, &port));
    if (port > UINT16_MAX)
        return poc_rd_fail(rd, "not a port");
    port_set(out, row, (uint16_t)port);
    return POC_OK;
}

static poc_err read_lines(poc_rd *value, mcx_mcmc *out)
{
    uint8_t first, second;
    POC_TRY(poc_rd_u8(value, &first));
    if (out->service == MCX_MCPTT) {
        out->audio_line = first >> 4;
        out->floor_line = first & LINE_MAX_NUMBER;
        return POC_OK;
    }
    POC_TRY(poc_rd_u8(value, &second));
    out->video_line = first >> 4;
    out->audio_line = first & LINE_MAX_NUMBER;
    out->floor_line = second >> 4;
    out->fec_line = second & LINE_MAX_NUMBER;
    return POC_OK;
}

static poc_err read_subchannel(poc_rd *value, mcx_mcmc *out)
{
    uint8_t version;
    poc_span spare;
    POC_TRY(read_lines(value, out));
    POC_TRY(poc_rd_u8(value, &version));
    POC_TRY(poc_rd_span(value, &spare, dialects[out->service].spare));
    if (version >> 4 != IP4 && version >> 4 != IP6)
        return poc_rd_fail(value, "unknown version of IP");
    out->address_len = version >> 4 == IP4 ? IP4_LEN : IP6_LEN;
    for (size_t i = 0; i < dialects[out->service].port_count; i++) {
        const port_row *row = &dialects[out->service].ports[i];
        if (has_port(out, row))
            POC_TRY(read_port(value, out, row));
    }
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
    [F_SUBCHANNEL] = read_subchannel, [F_TMGI] = read_tmgi, [F_GROUP_2] = read_group, [F_GROUP_3] = read_group
};

/* What the field says, by one bit; both ids of the group are the same field. */
static unsigned bit_of(uint8_t id)
{
    return 1u << (id == F_GROUP_2 ? F_GROUP_3 : id);
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
    if (!service_named(&out->service, packet))
        return poc_rd_fail(rd, "not an APP packet that is named as this protocol");
    POC_TRY(poc_rd_u8(rd, &first));
    POC_TRY(poc_rd_u8(rd, &type));
    POC_TRY(poc_rd_u16(rd, &words));
    POC_TRY(poc_rd_u32(rd, &out->ssrc));
    POC_TRY(poc_rd_span(rd, &name, NAME_LEN));
    if ((size_t)4 * (words + 1u) != packet.n || (first & PADDING_BIT) != 0)
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
    const unsigned needed = out->type == MCX_MCMC_MAP ? bit_of(F_GROUP_3) | bit_of(F_SUBCHANNEL) : bit_of(F_GROUP_3);
    return (has & needed) == needed ? POC_OK : poc_rd_fail(&rd, "without what it has to say");
}
