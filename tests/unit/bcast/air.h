/* The air of a test: a carrier that records every datagram, and helpers that make packets and play records to a receiver. */
#ifndef TESTS_UNIT_BCAST_AIR_H
#define TESTS_UNIT_BCAST_AIR_H

#include "bcast/bcast.h"

#define AIR_PAYLOAD_LEN 160u
#define AIR_SSRC        0x11223344u
#define AIR_FLOOR_SSRC  0x0f100003u
#define AIR_MSK_ID      0x10010001u

typedef struct air_datagram {
    bcast_flow flow;
    size_t n;
    uint8_t b[BCAST_PACKET_MAX];
} air_datagram;

typedef struct air {
    air_datagram *at;
    size_t count, cap;
} air;

bcast_carrier air_carrier(air *a);
void air_done(air *a);
size_t air_count(const air *a, bcast_flow flow);
/** The `i`-th datagram of `flow`, or NULL. */
const air_datagram *air_nth(const air *a, bcast_flow flow, size_t i);
/** Whether any datagram of any flow holds these octets. */
bool air_holds(const air *a, poc_span octets);

/** What a receiver made of a record. */
typedef struct air_heard {
    size_t stkm_new, stkm_duplicate, stkm_unknown, stkm_refused;
    size_t rtp, floor, unopened;
    uint16_t first_seq, last_seq;
} air_heard;

/** Plays all datagrams from the `from`-th on. */
air_heard air_play(const air *a, size_t from, bcast_receiver *r);

/** A test MSK with interval (0, 65535]; its key is `fill` sixteen times. Free `key`. */
bcast_msk air_msk(poc_msk_id id, uint8_t fill);

typedef struct air_packet {
    size_t n;
    uint8_t b[BCAST_PACKET_MAX];
} air_packet;

air_packet air_rtp(uint32_t ssrc, uint16_t seq);
air_packet air_floor(uint8_t type);
/** What every payload of air_rtp begins with. */
poc_span air_plain_voice(void);

static inline poc_span air_span(const air_packet *packet)
{
    return poc_span_of(packet->b, packet->n);
}

/** A protector with the test's key domain; stops the program when it cannot be made. */
bcast_protector *air_protector(air *a, const bcast_protector_settings *settings, const poc_rng *rng);
bcast_receiver *air_receiver(const bcast_msk *msk);
/** Sends `count` RTP packets from `seq` on, 20 ms apart, doing what falls due between them. Returns the time after. */
int64_t air_talk(bcast_protector *p, int64_t now_ms, uint32_t ssrc, uint16_t seq, size_t count);
/** Ticks at every deadline up to and including `until_ms`. */
void air_wait(bcast_protector *p, int64_t until_ms);

#endif
