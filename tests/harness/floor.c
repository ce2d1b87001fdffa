#include "tests/harness/floor.h"

#include "base/text.h"
#include "bcast/bcast.h"
#include "mcx/mcx.h"

#define RTCP_APP         204u
#define VERSION          0x80u
#define FLOOR_TAKEN      2u
#define GRANTED_PARTY    4u /* field ids of 8.2.3 */
#define PERMISSION       5u
#define MESSAGE_SEQUENCE 8u
#define PARTY            "sip:talker@mcx.poc.example"

static void pad(poc_wr *out, size_t start)
{
    while ((out->len - start) % 4 != 0)
        poc_wr_u8(out, 0);
}

static void number_put(poc_wr *out, uint8_t id, uint16_t value)
{
    poc_wr_u8(out, id);
    poc_wr_u8(out, sizeof(value));
    poc_wr_u16(out, value);
}

void floor_taken_put(poc_wr *out, uint32_t ssrc, uint16_t number)
{
    const size_t start = out->len;
    const poc_span party = poc_span_str(PARTY);
    const size_t body = 8 + (2 + party.n + 3) / 4 * 4 + 4 + 4;
    poc_wr_u8(out, VERSION | FLOOR_TAKEN);
    poc_wr_u8(out, RTCP_APP);
    poc_wr_u16(out, (uint16_t)(body / 4));
    poc_wr_u32(out, ssrc);
    poc_wr_put(out, "MCPT", 4);
    poc_wr_u8(out, GRANTED_PARTY);
    poc_wr_u8(out, (uint8_t)party.n);
    poc_wr_put(out, party.p, party.n);
    pad(out, start);
    number_put(out, PERMISSION, 1);
    number_put(out, MESSAGE_SEQUENCE, number);
}

void floor_look(bcast_flow flow, poc_span datagram, uint8_t number, world_seen *seen)
{
    mcx_srtcp_view view;
    bcast_rtp rtp;
    seen->channel = number;
    seen->client = -1;
    if (flow == BCAST_FLOW_RTP) {
        seen->what = bcast_rtp_parse(&rtp, datagram) == POC_OK ? WORLD_ON_AIR : WORLD_CLEAR_ON_AIR;
        return;
    }
    seen->what = WORLD_FLOOR_ON_AIR;
    if (mcx_srtcp_look(&view, datagram) != POC_OK || view.key_id >> 28 != MCX_MUSIK) {
        seen->what = WORLD_CLEAR_ON_AIR;
        return;
    }
    seen->mki.msk_id = view.key_id;
    seen->ssrc = view.ssrc ^ view.key_id;
    seen->seq = (uint16_t)view.index;
}
