#include "tests/harness/feed.h"

#include "bcast/bcast.h"

poc_err feed_next(feed *f, int channel, poc_span pcmu, bool first, poc_wr *packet, world_seen *seen)
{
    bcast_rtp rtp = { .payload_type = 0,
                      .marker = first,
                      .seq = f->seq++,
                      .timestamp = f->timestamp,
                      .ssrc = 0xC0A7E000u + (uint32_t)channel,
                      .payload = pcmu };
    f->timestamp += (uint32_t)pcmu.n;
    bcast_rtp_put(packet, &rtp);
    *seen = (world_seen){ .what = WORLD_SENT,
                          .client = -1,
                          .status = channel,
                          .ssrc = rtp.ssrc,
                          .seq = rtp.seq,
                          .timestamp = rtp.timestamp };
    return poc_wr_done(packet);
}
