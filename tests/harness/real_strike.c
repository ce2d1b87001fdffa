/* The attacker of the real world. */
#include <string.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "tests/harness/real.h"

static void unheard(void *user, udp *from, const struct sockaddr *peer, poc_span datagram)
{
    (void)user, (void)from, (void)peer, (void)datagram;
}

static poc_err attacker_up(real *r)
{
    if (r->attacker != NULL)
        return POC_OK;
    (void)test_rng_of(&r->chance, r->settings.seed);
    POC_TRY(udp_open(&r->stranger, r->root, "127.0.0.9", 0, unheard, NULL));
    POC_TRY(udp_open(&r->attacker, r->root, r->deployment.cf_host, 0, unheard, NULL));
    return udp_send_on(r->attacker, r->deployment.cf_host);
}

static void strike_group(real *r, size_t channel)
{
    const bcast_channel *air = &r->deployment.channels[channel].air;
    for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        for (unsigned kind = 0; kind < FORGE_KINDS; kind++) {
            uint8_t datagram[BCAST_PACKET_MAX];
            struct sockaddr_storage to = air->group;
            poc_addr_set_port((struct sockaddr *)&to, air->port[flow]);
            size_t n = forge_make(&r->listeners[channel].ears[flow], kind, &r->chance, datagram);
            if (n > 0)
                udp_send(r->attacker, (const struct sockaddr *)&to, poc_span_of(datagram, n));
        }
}

/* A good RTP packet of a talker nobody knows. */
static void strike_media(real *r)
{
    const deployment *d = &r->deployment;
    uint8_t payload[WORLD_PAYLOAD_MAX] = { 0x55 }, packet[WORLD_PAYLOAD_MAX + 12];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    bcast_rtp rtp = { .seq = (uint16_t)test_rng_next(&r->chance),
                      .ssrc = 0xBADBAD00u,
                      .payload = poc_span_of(payload, sizeof(payload)) };
    struct sockaddr_storage to;
    bcast_rtp_put(&wr, &rtp);
    for (unsigned port = d->media_port_min; port != 0 && port <= d->media_port_max; port++)
        if (poc_addr_parse(&to, poc_span_str(d->media_host), (uint16_t)port) == POC_OK)
            udp_send(r->stranger, (const struct sockaddr *)&to, poc_span_of(packet, wr.len));
}

/* Noise where keys are pushed, and where they are confirmed. */
static void strike_push(real *r, const forge_ear *ear)
{
    for (unsigned kind = 0; kind < FORGE_KINDS; kind++) {
        uint8_t datagram[BCAST_PACKET_MAX];
        size_t n = forge_make(ear, kind, &r->chance, datagram);
        if (n == 0)
            continue;
        if (r->deployment.push_listen.ss_family != 0)
            udp_send(r->stranger, (const struct sockaddr *)&r->deployment.push_listen, poc_span_of(datagram, n));
        for (size_t c = 0; c < r->client_count; c++) {
            struct sockaddr_storage to;
            char address[64];
            real_address(r, (int)c, address);
            if (poc_addr_parse(&to, poc_span_str(address), r->deployment.push_port) == POC_OK)
                udp_send(r->stranger, (const struct sockaddr *)&to, poc_span_of(datagram, n));
        }
    }
}

poc_err real_strike(world *w, const char *channel_id)
{
    real *r = (real *)w;
    POC_TRY(real_come_up(r));
    POC_TRY(attacker_up(r));
    for (size_t i = 0; i < r->deployment.channel_count; i++)
        if (strcmp(r->deployment.channels[i].air.id, channel_id) == 0)
            strike_group(r, i);
    strike_push(r, &r->listeners[0].ears[BCAST_FLOW_STKM]);
    strike_media(r);
    return POC_OK;
}
