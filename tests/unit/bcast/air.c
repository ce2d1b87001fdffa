#include "tests/unit/bcast/air.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char plain_voice[] = "this is the plain voice of alice";
static const poc_key_domain test_domain = { { 0x00, 0xf1, 0x10 } };

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "air: %s\n", what);
    abort();
}

static void record(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n)
{
    air *a = ctx;
    if (a->count == a->cap) {
        a->cap = a->cap == 0 ? 64 : 2 * a->cap;
        a->at = realloc(a->at, a->cap * sizeof(*a->at));
        need(a->at != NULL, "out of memory");
    }
    need(n <= BCAST_PACKET_MAX, "a datagram is too long");
    air_datagram *d = &a->at[a->count++];
    d->flow = flow;
    d->n = n;
    memcpy(d->b, datagram, n);
}

bcast_carrier air_carrier(air *a)
{
    return (bcast_carrier){ record, a };
}

void air_done(air *a)
{
    free(a->at);
    *a = (air){ 0 };
}

size_t air_count(const air *a, bcast_flow flow)
{
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++)
        n += a->at[i].flow == flow;
    return n;
}

const air_datagram *air_nth(const air *a, bcast_flow flow, size_t i)
{
    for (size_t at = 0; at < a->count; at++) {
        if (a->at[at].flow == flow && i-- == 0)
            return &a->at[at];
    }
    return NULL;
}

bool air_holds(const air *a, poc_span octets)
{
    for (size_t i = 0; i < a->count; i++) {
        if (memmem(a->at[i].b, a->at[i].n, octets.p, octets.n) != NULL)
            return true;
    }
    return false;
}

static void hear_stkm(bcast_receiver *r, poc_span datagram, air_heard *heard)
{
    poc_mki mki;
    bcast_stkm_result result = bcast_receiver_stkm(r, datagram, &mki);
    heard->stkm_new += result == BCAST_STKM_NEW;
    heard->stkm_duplicate += result == BCAST_STKM_DUPLICATE;
    heard->stkm_unknown += result == BCAST_STKM_UNKNOWN_MSK;
    heard->stkm_refused += result == BCAST_STKM_REFUSED;
}

static void hear_packet(bcast_receiver *r, const air_datagram *d, air_heard *heard)
{
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    bcast_rtp rtp;
    bcast_mbcp message;
    if (bcast_receiver_open(r, d->flow, poc_span_of(d->b, d->n), out, &n, &mki) != POC_OK) {
        heard->unopened++;
        return;
    }
    if (d->flow == BCAST_FLOW_FLOOR) {
        need(bcast_mbcp_parse(&message, poc_span_of(out, n)) == POC_OK, "a floor packet came out broken");
        heard->floor++;
        return;
    }
    need(bcast_rtp_parse(&rtp, poc_span_of(out, n)) == POC_OK, "an RTP packet came out broken");
    need(memcmp(rtp.payload.p, plain_voice, sizeof(plain_voice)) == 0, "a payload came out broken");
    heard->last_seq = rtp.seq;
    if (heard->rtp++ == 0)
        heard->first_seq = rtp.seq;
}

air_heard air_play(const air *a, size_t from, bcast_receiver *r)
{
    air_heard heard = { 0 };
    for (size_t i = from; i < a->count; i++) {
        const air_datagram *d = &a->at[i];
        if (d->flow == BCAST_FLOW_STKM)
            hear_stkm(r, poc_span_of(d->b, d->n), &heard);
        else
            hear_packet(r, d, &heard);
    }
    return heard;
}

bcast_msk air_msk(poc_msk_id id, uint8_t fill)
{
    bcast_msk msk = { .key_domain = test_domain, .id = id, .seq_high = UINT16_MAX, .csb_id = 7, .rand_len = 16 };
    uint8_t key[POC_MSK_LEN];
    memset(key, fill, sizeof(key));
    memset(msk.rand, fill ^ 0xff, msk.rand_len);
    need(poc_secret_from(&msk.key, key, sizeof(key)) == POC_OK, "no secret");
    return msk;
}

air_packet air_rtp(uint32_t ssrc, uint16_t seq)
{
    air_packet packet = { 0 };
    uint8_t payload[AIR_PAYLOAD_LEN] = { 0 };
    memcpy(payload, plain_voice, sizeof(plain_voice));
    payload[AIR_PAYLOAD_LEN - 1] = (uint8_t)seq;
    bcast_rtp rtp = { .payload_type = 98, .seq = seq, .timestamp = 160u * seq, .ssrc = ssrc };
    rtp.payload = poc_span_of(payload, sizeof(payload));
    poc_wr wr = poc_wr_into(packet.b, sizeof(packet.b));
    bcast_rtp_put(&wr, &rtp);
    packet.n = wr.len;
    return packet;
}

air_packet air_floor(uint8_t type)
{
    air_packet packet = { 0 };
    bcast_mbcp message = { .type = type, .ssrc = AIR_FLOOR_SSRC, .talker_ssrc = AIR_SSRC };
    message.talker = poc_span_str("sip:alice@example.com");
    poc_wr wr = poc_wr_into(packet.b, sizeof(packet.b));
    bcast_mbcp_put(&wr, &message);
    packet.n = wr.len;
    return packet;
}

poc_span air_plain_voice(void)
{
    return poc_span_of(plain_voice, sizeof(plain_voice) - 1);
}

bcast_protector *air_protector(air *a, const bcast_protector_settings *settings, const poc_rng *rng)
{
    bcast_protector_settings with_domain = *settings;
    bcast_protector *p;
    with_domain.key_domain = test_domain;
    need(bcast_protector_new(&p, &with_domain, air_carrier(a), rng) == POC_OK, "no protector");
    return p;
}

bcast_receiver *air_receiver(const bcast_msk *msk)
{
    bcast_receiver *r;
    need(bcast_receiver_new(&r, test_domain) == POC_OK, "no receiver");
    need(bcast_receiver_add_msk(r, msk) == POC_OK, "MSK not taken");
    return r;
}

int64_t air_talk(bcast_protector *p, int64_t now_ms, uint32_t ssrc, uint16_t seq, size_t count)
{
    for (size_t i = 0; i < count; i++, now_ms += 20) {
        air_packet packet = air_rtp(ssrc, (uint16_t)(seq + i));
        air_wait(p, now_ms);
        need(bcast_protector_send(p, now_ms, BCAST_FLOW_RTP, air_span(&packet)) == POC_OK, "a packet was not sent");
    }
    return now_ms;
}

void air_wait(bcast_protector *p, int64_t until_ms)
{
    for (int64_t due = bcast_protector_deadline(p); due <= until_ms; due = bcast_protector_deadline(p))
        bcast_protector_tick(p, due);
}
