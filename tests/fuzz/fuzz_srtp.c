/* What the media and floor ports see, in both directions: octets off the air to a receiver with an MTK, and clear octets
 * from a talker to a protector. The first octet chooses the flow. */
#include <stdlib.h>
#include <string.h>

#include "bcast/bcast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct loop {
    bcast_protector *protector;
    bcast_receiver *receiver;
    poc_span clear; /* what was handed in last */
    uint64_t opened;
} loop;

static poc_err fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0x42, n);
    return POC_OK;
}

/* Whatever the protector sends, the receiver opens, and it is what was handed in. */
static void hear(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n)
{
    loop *l = ctx;
    uint8_t out[BCAST_PACKET_MAX];
    size_t out_n;
    poc_mki mki;
    if (flow == BCAST_FLOW_STKM) {
        if (bcast_receiver_stkm(l->receiver, poc_span_of(datagram, n), &mki) == BCAST_STKM_REFUSED)
            abort();
        return;
    }
    if (bcast_receiver_open(l->receiver, flow, poc_span_of(datagram, n), out, &out_n, &mki) != POC_OK)
        abort();
    if (!poc_span_eq(poc_span_of(out, out_n), l->clear))
        abort();
    l->opened++;
}

static void parse(poc_span packet)
{
    bcast_rtp rtp;
    bcast_mbcp message, again;
    uint8_t buf[BCAST_PACKET_MAX];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    (void)bcast_rtp_parse(&rtp, packet);
    if (bcast_mbcp_parse(&message, packet) != POC_OK)
        return;
    bcast_mbcp_put(&wr, &message);
    if (poc_wr_done(&wr) != POC_OK || bcast_mbcp_parse(&again, poc_span_of(buf, wr.len)) != POC_OK)
        abort();
    if (again.type != message.type || again.talker_ssrc != message.talker_ssrc || again.reason != message.reason ||
        again.stop_s != message.stop_s || !poc_span_eq(again.talker, message.talker))
        abort();
}

/* A protector and a receiver cost two libsrtp sessions, some hundred times what an input costs: they serve 256 of them. */
static void renew(loop *l)
{
    static const uint8_t key[POC_MSK_LEN] = { 1 };
    const poc_rng rng = { fill, NULL };
    bcast_msk msk = { .id = 0x10010001, .seq_high = UINT16_MAX, .rand_len = 16 };
    bcast_protector_free(l->protector);
    bcast_receiver_free(l->receiver);
    if (poc_secret_from(&msk.key, key, sizeof(key)) != POC_OK ||
        bcast_receiver_new(&l->receiver, msk.key_domain) != POC_OK ||
        bcast_receiver_add_msk(l->receiver, &msk) != POC_OK ||
        bcast_protector_new(&l->protector, &bcast_protector_defaults, (bcast_carrier){ hear, l }, &rng) != POC_OK ||
        bcast_protector_set_msk(l->protector, 0, &msk) != POC_OK)
        abort();
    poc_secret_free(msk.key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static loop l;
    static uint8_t inputs;
    uint8_t out[BCAST_PACKET_MAX];
    size_t out_n;
    poc_mki mki;
    if (n == 0)
        return 0;
    if (inputs++ == 0)
        renew(&l);
    bcast_flow flow = data[0] & 1 ? BCAST_FLOW_FLOOR : BCAST_FLOW_RTP;
    l.clear = poc_span_of(data + 1, n - 1);
    parse(l.clear);
    (void)bcast_receiver_open(l.receiver, flow, l.clear, out, &out_n, &mki);

    uint64_t handled = l.opened + bcast_protector_look(l.protector).dropped_packets;
    bool is_sent = bcast_protector_send(l.protector, 0, flow, l.clear) == POC_OK;
    if (l.opened + bcast_protector_look(l.protector).dropped_packets != handled + is_sent)
        abort();
    return 0;
}
