/* Media Burst Control messages: one RTCP APP packet per message (digest "PoC", section 4).
 *
 *  |V=2|P| subtype |  PT=APP=204   |  length (32-bit words - 1)    |
 *  |                        SSRC of sender                         |
 *  |                      name = "PoC1"                            |
 *  |         subtype dependent data, padded to 32 bits             | */
#include <string.h>

#include "bcast/bcast.h"
#include "bcast/rtcp.h"

enum { VERSION = 2, PADDING_BIT = 0x20, SUBTYPE_MASK = 0x1f, PT_APP = 204, PT_FIRST = 192, PT_LAST = 223 };
enum { SDES_CNAME = 1, SDES_NAME = 2, TLV_STOP_S = 101 };
enum { SUBTYPE_COUNT = 32 };

static const uint8_t mbcp_name[4] = { 'P', 'o', 'C', '1' };

/* The header all RTCP packets share; `body` is what its length covers behind the SSRC. */
static poc_err read_header(poc_rd *rd, uint8_t *first, uint8_t *type, uint32_t *ssrc, poc_rd *body)
{
    uint16_t words;
    POC_TRY(poc_rd_u8(rd, first));
    if (*first >> 6 != VERSION)
        return poc_rd_fail(rd, "RTCP version is not 2");
    POC_TRY(poc_rd_u8(rd, type));
    POC_TRY(poc_rd_u16(rd, &words));
    POC_TRY(poc_rd_take(rd, body, 4u * (size_t)words));
    return poc_rd_u32(body, ssrc);
}

poc_err bcast_rtcp_check(uint32_t *ssrc, poc_span packet)
{
    poc_rd rd = poc_rd_over(packet, NULL), body;
    *ssrc = 0;
    for (bool is_first = true; is_first || rd.left > 0; is_first = false) {
        uint8_t first, type = 0;
        uint32_t sender = 0;
        POC_TRY(read_header(&rd, &first, &type, &sender, &body));
        if (type < PT_FIRST || type > PT_LAST)
            return poc_rd_fail(&rd, "not an RTCP packet type");
        if (is_first)
            *ssrc = sender;
    }
    return POC_OK;
}

/* ---- reading ---- */

/* Everything up to the end must be the filling to a 32-bit border. */
static poc_err read_filling(poc_rd *rd)
{
    uint8_t octet;
    if (rd->left > 3)
        return poc_rd_fail(rd, "more than filling behind the data");
    while (rd->left > 0) {
        POC_TRY(poc_rd_u8(rd, &octet));
        if (octet != 0)
            return poc_rd_fail(rd, "filling is not zero");
    }
    return POC_OK;
}

/* `stop_s` takes the stop-talking time where the message has one; NULL elsewhere. */
static poc_err read_tlvs(poc_rd *rd, uint16_t *stop_s)
{
    while (rd->left > 0 && rd->p[0] != 0) {
        uint8_t id, len;
        poc_rd value;
        POC_TRY(poc_rd_u8(rd, &id));
        POC_TRY(poc_rd_u8(rd, &len));
        POC_TRY(poc_rd_take(rd, &value, len));
        if (id != TLV_STOP_S || stop_s == NULL)
            continue; /* fenced by its own length, and nothing we act on */
        POC_TRY(poc_rd_u16(&value, stop_s));
        POC_TRY(poc_rd_end(&value));
    }
    return read_filling(rd);
}

static poc_err read_item(poc_rd *rd, uint8_t wanted, poc_span *text)
{
    uint8_t type, len;
    POC_TRY(poc_rd_u8(rd, &type));
    if (type != wanted)
        return poc_rd_fail(rd, "not the SDES item that belongs here");
    POC_TRY(poc_rd_u8(rd, &len));
    return poc_rd_span(rd, text, len);
}

static poc_err read_taken(poc_rd *rd, bcast_mbcp *out)
{
    poc_span name;
    poc_rd filling;
    POC_TRY(poc_rd_u32(rd, &out->talker_ssrc));
    POC_TRY(read_item(rd, SDES_CNAME, &out->talker));
    if (rd->left > 0 && rd->p[0] == SDES_NAME)
        POC_TRY(read_item(rd, SDES_NAME, &name));
    POC_TRY(poc_rd_take(rd, &filling, (4 - poc_rd_offset(rd) % 4) % 4));
    POC_TRY(read_filling(&filling));
    return read_tlvs(rd, NULL);
}

static poc_err read_deny(poc_rd *rd, bcast_mbcp *out)
{
    uint8_t reason, len;
    poc_span text;
    POC_TRY(poc_rd_u8(rd, &reason));
    out->reason = reason;
    POC_TRY(poc_rd_u8(rd, &len));
    POC_TRY(poc_rd_span(rd, &text, len));
    return read_filling(rd);
}

static poc_err read_revoke(poc_rd *rd, bcast_mbcp *out)
{
    uint16_t retry_after_s;
    POC_TRY(poc_rd_u16(rd, &out->reason));
    POC_TRY(poc_rd_u16(rd, &retry_after_s)); /* filling unless the reason is 2 */
    return poc_rd_end(rd);
}

static poc_err read_granted(poc_rd *rd, bcast_mbcp *out)
{
    return read_tlvs(rd, &out->stop_s);
}

static poc_err read_request(poc_rd *rd, bcast_mbcp *out)
{
    (void)out;
    return read_tlvs(rd, NULL);
}

static poc_err read_nothing(poc_rd *rd, bcast_mbcp *out)
{
    (void)out;
    return poc_rd_end(rd);
}

/* Subtypes without a row carry nothing that bcast_mbcp holds: their data stays unread. */
static poc_err (*const readers[SUBTYPE_COUNT])(poc_rd *, bcast_mbcp *) = {
    [BCAST_MBCP_REQUEST] = read_request, [BCAST_MBCP_GRANTED] = read_granted, [BCAST_MBCP_TAKEN] = read_taken,
    [BCAST_MBCP_DENY] = read_deny,       [BCAST_MBCP_IDLE] = read_nothing,    [BCAST_MBCP_REVOKE] = read_revoke,
    [BCAST_MBCP_TAKEN_ACK] = read_taken,
};

/* RTCP padding (P bit): the last octet counts it, in whole words. */
static poc_err cut_padding(poc_rd *body)
{
    uint8_t padding = body->left > 0 ? body->p[body->left - 1] : 0;
    if (padding == 0 || padding % 4 != 0 || padding > body->left)
        return poc_rd_fail(body, "RTCP padding does not fit");
    body->left -= padding;
    return POC_OK;
}

poc_err bcast_mbcp_parse(bcast_mbcp *out, poc_span packet)
{
    poc_rd rd = poc_rd_over(packet, NULL), body;
    poc_span name;
    uint8_t first = 0, type = 0;
    *out = (bcast_mbcp){ 0 };
    POC_TRY(read_header(&rd, &first, &type, &out->ssrc, &body));
    POC_TRY(poc_rd_end(&rd));
    if (type != PT_APP)
        return poc_rd_fail(&rd, "not an RTCP APP packet");
    POC_TRY(poc_rd_span(&body, &name, sizeof(mbcp_name)));
    if (!poc_span_eq(name, poc_span_of(mbcp_name, sizeof(mbcp_name))))
        return poc_rd_fail(&rd, "APP name is not PoC1");
    if (first & PADDING_BIT)
        POC_TRY(cut_padding(&body));
    out->type = first & SUBTYPE_MASK;
    return readers[out->type] == NULL ? POC_OK : readers[out->type](&body, out);
}

/* ---- writing ---- */

static void put_granted(poc_wr *wr, const bcast_mbcp *msg)
{
    poc_wr_u8(wr, TLV_STOP_S);
    poc_wr_u8(wr, 2);
    poc_wr_u16(wr, msg->stop_s);
}

static void put_taken(poc_wr *wr, const bcast_mbcp *msg)
{
    if (msg->talker.n > UINT8_MAX) {
        wr->overflow = true;
        return;
    }
    poc_wr_u32(wr, msg->talker_ssrc);
    poc_wr_u8(wr, SDES_CNAME);
    poc_wr_u8(wr, (uint8_t)msg->talker.n);
    poc_wr_span(wr, msg->talker);
}

static void put_deny(poc_wr *wr, const bcast_mbcp *msg)
{
    poc_wr_u8(wr, (uint8_t)msg->reason);
    poc_wr_u8(wr, 0); /* no text */
}

static void put_revoke(poc_wr *wr, const bcast_mbcp *msg)
{
    poc_wr_u16(wr, msg->reason);
    poc_wr_u16(wr, 0);
}

static void put_release(poc_wr *wr, const bcast_mbcp *msg)
{
    (void)msg;
    poc_wr_u16(wr, 0);
    poc_wr_u16(wr, 0x8000); /* ignore the sequence number */
}

static void put_ack(poc_wr *wr, const bcast_mbcp *msg)
{
    poc_wr_u16(wr, (uint16_t)(BCAST_MBCP_TAKEN << 11 | (msg->reason & 0x7ff)));
}

static void put_queue_response(poc_wr *wr, const bcast_mbcp *msg)
{
    (void)msg;
    poc_wr_u8(wr, 0);
    poc_wr_u16(wr, UINT16_MAX); /* position not available */
}

static void put_connect(poc_wr *wr, const bcast_mbcp *msg)
{
    (void)msg;
    poc_wr_u32(wr, 0); /* no identities, no session type, no flags */
}

/* Subtypes without a row are sent without data. */
static void (*const writers[SUBTYPE_COUNT])(poc_wr *, const bcast_mbcp *) = {
    [BCAST_MBCP_GRANTED] = put_granted,
    [BCAST_MBCP_TAKEN] = put_taken,
    [BCAST_MBCP_DENY] = put_deny,
    [BCAST_MBCP_RELEASE] = put_release,
    [BCAST_MBCP_REVOKE] = put_revoke,
    [BCAST_MBCP_ACK] = put_ack,
    [BCAST_MBCP_QUEUE_RESPONSE] = put_queue_response,
    [BCAST_MBCP_CONNECT] = put_connect,
    [BCAST_MBCP_TAKEN_ACK] = put_taken,
};

void bcast_mbcp_put(poc_wr *wr, const bcast_mbcp *msg)
{
    uint8_t data[4 + 2 + UINT8_MAX + 3];
    poc_wr body = poc_wr_into(data, sizeof(data));
    uint8_t subtype = msg->type & SUBTYPE_MASK;
    if (writers[subtype] != NULL)
        writers[subtype](&body, msg);
    while (body.len % 4 != 0)
        poc_wr_u8(&body, 0);
    if (poc_wr_done(&body) != POC_OK) {
        wr->overflow = true;
        return;
    }
    poc_wr_u8(wr, (uint8_t)(VERSION << 6 | subtype));
    poc_wr_u8(wr, PT_APP);
    poc_wr_u16(wr, (uint16_t)(2 + body.len / 4));
    poc_wr_u32(wr, msg->ssrc);
    poc_wr_put(wr, mbcp_name, sizeof(mbcp_name));
    poc_wr_put(wr, data, body.len);
}

bool bcast_mbcp_is_for_all(uint8_t type)
{
    return type == BCAST_MBCP_TAKEN || type == BCAST_MBCP_IDLE;
}
