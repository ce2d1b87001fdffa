/* The content source of a channel without a PoC session: clear RTP that goes straight to the PF. */
#include "tests/harness/sim.h"

static void at_pf(sim *s, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_pf_downlink(s, ctx, -1);
}

poc_err sim_feed(sim *s, int channel, poc_span pcmu, bool first)
{
    uint8_t buf[FEED_PACKET_MAX];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    world_seen seen;
    POC_TRY(feed_next(&s->feeds[channel], channel, pcmu, first, &wr, &seen));
    sim_see(s, &seen);
    sim_packet *p = sim_packet_new(s, BCAST_FLOW_RTP, channel, -1, poc_span_of(wr.buf, wr.len));
    if (p == NULL)
        return POC_E_NOMEM;
    sim_after_packet(s, sim_net_steady_us(s), at_pf, p, 0);
    return POC_OK;
}
