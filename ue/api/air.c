#include "ue/api/inside.h"

static void key_missed_tell(pocue *ue, int64_t now_ms, poc_msk_id id)
{
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_KEY_MISSED, .at_ms = now_ms, .msk_id = id });
}

void ue_key_message_tell(pocue *ue, int64_t now_ms, const ue_key_message *m)
{
    if (poc_msk_number(m->msk.msk_id) == 0)
        key_missed_tell(ue, now_ms, m->msk.msk_id);
    else if (!m->duplicate && bcast_receiver_has_msk(ue_ring_receiver(ue->ring), m->msk.msk_id))
        ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_KEY, .at_ms = now_ms, .msk_id = m->msk.msk_id });
}

/* ---- media and floor ---- */

static void rtp_take(pocue *ue, int64_t now_ms, poc_span packet, const poc_mki *mki)
{
    bcast_rtp rtp;
    if (bcast_rtp_parse(&rtp, packet) != POC_OK || !ue_heard_first(&ue->heard, rtp.ssrc, rtp.seq))
        return;
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_PLAY,
                                                .at_ms = now_ms,
                                                .by_multicast = mki != NULL,
                                                .mki = mki != NULL ? *mki : (poc_mki){ 0 },
                                                .ssrc = rtp.ssrc,
                                                .timestamp = rtp.timestamp,
                                                .seq = rtp.seq,
                                                .payload_type = rtp.payload_type,
                                                .payload = rtp.payload });
}

static void floor_take(pocue *ue, int64_t now_ms, poc_span packet, const poc_mki *mki)
{
    bcast_mbcp message;
    if (bcast_mbcp_parse(&message, packet) != POC_OK)
        return;
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_FLOOR,
                                                .at_ms = now_ms,
                                                .by_multicast = mki != NULL,
                                                .mki = mki != NULL ? *mki : (poc_mki){ 0 },
                                                .payload = packet });
}

void pocue_unicast(pocue *ue, int64_t now_ms, bcast_flow flow, poc_span datagram)
{
    ue->now_ms = now_ms;
    if (flow == BCAST_FLOW_RTP)
        rtp_take(ue, now_ms, datagram, NULL);
    else if (flow == BCAST_FLOW_FLOOR)
        floor_take(ue, now_ms, datagram, NULL);
}

/* The header of SRTP is in clear. */
static poc_err header_read(pocue_event *e, poc_span datagram)
{
    poc_rd rd = poc_rd_over(datagram, NULL);
    uint16_t first;
    POC_TRY(poc_rd_u16(&rd, &first));
    POC_TRY(poc_rd_u16(&rd, &e->seq));
    POC_TRY(poc_rd_u32(&rd, &e->timestamp));
    return poc_rd_u32(&rd, &e->ssrc);
}

/* A second copy of what was played is no loss. */
static void unreadable_tell(pocue *ue, int64_t now_ms, poc_err why, poc_mki mki, poc_span datagram)
{
    pocue_event e = { .type = POCUE_UNREADABLE, .at_ms = now_ms, .by_multicast = true, .mki = mki };
    bool has_header = header_read(&e, datagram) == POC_OK;
    if (why == POC_E_AUTH && has_header && ue_heard_already(&ue->heard, e.ssrc, e.seq))
        return;
    ue_events_push(&ue->events, &e);
}

static void protected_take(pocue *ue, int64_t now_ms, bcast_flow flow, poc_span datagram)
{
    uint8_t clear[BCAST_PACKET_MAX];
    size_t n = 0;
    poc_mki mki = { 0 };
    poc_err err = bcast_receiver_open(ue_ring_receiver(ue->ring), flow, datagram, clear, &n, &mki);
    if (err == POC_OK && flow == BCAST_FLOW_RTP)
        rtp_take(ue, now_ms, poc_span_of(clear, n), &mki);
    if (err == POC_OK && flow == BCAST_FLOW_FLOOR)
        floor_take(ue, now_ms, poc_span_of(clear, n), &mki);
    if (err == POC_E_STATE && ue_ring_missed(ue->ring, mki.msk_id))
        key_missed_tell(ue, now_ms, mki.msk_id);
    if (err != POC_OK && flow == BCAST_FLOW_RTP)
        unreadable_tell(ue, now_ms, err, mki, datagram);
}

static void stkm_take(pocue *ue, int64_t now_ms, poc_span datagram)
{
    poc_mki mki = { 0 };
    switch (bcast_receiver_stkm(ue_ring_receiver(ue->ring), datagram, &mki)) {
    case BCAST_STKM_NEW:
        ue_events_push(&ue->events,
                       &(pocue_event){ .type = POCUE_MTK, .at_ms = now_ms, .msk_id = mki.msk_id, .mki = mki });
        return;
    case BCAST_STKM_UNKNOWN_MSK:
        if (ue_ring_missed(ue->ring, mki.msk_id))
            key_missed_tell(ue, now_ms, mki.msk_id);
        return;
    case BCAST_STKM_DUPLICATE:
    case BCAST_STKM_REFUSED:
        return;
    }
}

void pocue_multicast(pocue *ue, int64_t now_ms, bcast_flow flow, poc_span datagram)
{
    ue->now_ms = now_ms;
    if (!ue->joined || ue->ring == NULL || datagram.n > BCAST_PACKET_MAX)
        return;
    if (flow == BCAST_FLOW_STKM)
        stkm_take(ue, now_ms, datagram);
    else
        protected_take(ue, now_ms, flow, datagram);
}

/* ---- push ---- */

static poc_err push_install(pocue *ue, int64_t now_ms, const ue_key_message *m)
{
    bool carries_key = poc_msk_number(m->msk.msk_id) != 0;
    if (carries_key && ue->ring == NULL)
        return POC_E_STATE;
    if (m->duplicate)
        return POC_OK;
    if (carries_key)
        POC_TRY(ue_ring_add(ue->ring, m));
    ue_muks_accept(ue->muks, m, 1);
    ue_key_message_tell(ue, now_ms, m);
    return POC_OK;
}

static poc_err push_answer(pocue *ue, int64_t now_ms, const ue_key_message *m, uint8_t *reply, size_t *reply_len)
{
    POC_TRY(push_install(ue, now_ms, m));
    if (!m->msg.wants_verification || poc_msk_number(m->msk.msk_id) == 0)
        return POC_OK;
    poc_wr wr = poc_wr_into(reply, MIKEY_MESSAGE_MAX);
    POC_TRY(mikey_verification_seal(&wr, &m->msg, m->muk));
    POC_TRY(poc_wr_done(&wr));
    *reply_len = wr.len;
    return POC_OK;
}

poc_err pocue_push(pocue *ue, int64_t now_ms, poc_span datagram, uint8_t *reply, size_t *reply_len)
{
    ue_key_message m;
    *reply_len = 0;
    POC_TRY(ue_muks_open(ue->muks, now_ms, datagram, &m, NULL));
    poc_err err = push_answer(ue, now_ms, &m, reply, reply_len);
    ue_key_message_done(&m);
    return err;
}
