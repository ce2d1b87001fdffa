/* The RTP fixed header (RFC 3550 5.1) and the lengths that hang on it.
 *
 *  |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *  |                           timestamp                           |
 *  |                             SSRC                              |
 *  |                  CC CSRCs of 4 octets, then                   |
 *  |    X: profile (2), length in words (2), that many words       |
 *  |         payload; P: its last octet counts the padding         | */
#include "bcast/bcast.h"

enum { VERSION = 2, PADDING_BIT = 0x20, EXTENSION_BIT = 0x10, CSRC_COUNT_MASK = 0x0f, MARKER_BIT = 0x80 };

static poc_err read_fixed(poc_rd *rd, bcast_rtp *out, uint8_t *first)
{
    uint8_t second;
    POC_TRY(poc_rd_u8(rd, first));
    if (*first >> 6 != VERSION)
        return poc_rd_fail(rd, "RTP version is not 2");
    POC_TRY(poc_rd_u8(rd, &second));
    out->marker = (second & MARKER_BIT) != 0;
    out->payload_type = second & 0x7f;
    POC_TRY(poc_rd_u16(rd, &out->seq));
    POC_TRY(poc_rd_u32(rd, &out->timestamp));
    return poc_rd_u32(rd, &out->ssrc);
}

static poc_err pass_extension(poc_rd *rd)
{
    poc_span words;
    uint16_t profile, count;
    POC_TRY(poc_rd_u16(rd, &profile));
    POC_TRY(poc_rd_u16(rd, &count));
    return poc_rd_span(rd, &words, 4u * (size_t)count);
}

poc_err bcast_rtp_parse(bcast_rtp *out, poc_span packet)
{
    poc_rd rd = poc_rd_over(packet, NULL);
    poc_span csrcs;
    uint8_t first, padding = 0;
    *out = (bcast_rtp){ 0 };
    POC_TRY(read_fixed(&rd, out, &first));
    POC_TRY(poc_rd_span(&rd, &csrcs, 4u * (size_t)(first & CSRC_COUNT_MASK)));
    if (first & EXTENSION_BIT)
        POC_TRY(pass_extension(&rd));
    if (first & PADDING_BIT) {
        padding = rd.left > 0 ? rd.p[rd.left - 1] : 0;
        if (padding == 0 || padding > rd.left)
            return poc_rd_fail(&rd, "RTP padding does not fit");
    }
    return poc_rd_span(&rd, &out->payload, rd.left - padding);
}

void bcast_rtp_put(poc_wr *wr, const bcast_rtp *rtp)
{
    poc_wr_u8(wr, VERSION << 6);
    poc_wr_u8(wr, (uint8_t)((rtp->marker ? MARKER_BIT : 0) | (rtp->payload_type & 0x7f)));
    poc_wr_u16(wr, rtp->seq);
    poc_wr_u32(wr, rtp->timestamp);
    poc_wr_u32(wr, rtp->ssrc);
    poc_wr_span(wr, rtp->payload);
}
