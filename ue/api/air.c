#include "ue/api/inside.h"

static void key_missed_tell(pocue *ue, int64_t now_ms, poc_msk_id id)
{
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_KEY_MISSED, .at_ms = now_ms, .msk_id = id });
}

void ue_key_message_tell(pocue *ue, int64_t now_ms, const reception *r, const ue_key_message *m)
{
    const poc_msk_id id = m->msk.msk_id;
    service *s = ue_service_of_key(ue, m->msk.key_domain, id);
    if (m->duplicate || !bcast_receiver_has_msk(ue_ring_receiver(r->ring), id))
        return;
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_KEY, .at_ms = now_ms, .msk_id = id });
    if (s != NULL)
        ue_service_keyed(s, id);
}

/* ---- media and floor ---- */

static void rtp_take(pocue *ue, int64_t now_ms, ue_heard *heard, poc_span packet, const poc_mki *mki)
{
    bcast_rtp rtp;
    if (bcast_rtp_parse(&rtp, packet) != POC_OK || !ue_heard_first(heard, rtp.ssrc, rtp.seq))
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
        rtp_take(ue, now_ms, &ue->heard, datagram, NULL);
    else if (flow == BCAST_FLOW_FLOOR && ue->mcx != NULL)
        (void)pocue_mcx_control(ue, now_ms, false, datagram); /* what does not open is counted there */
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
static void unreadable_tell(pocue *ue, int64_t now_ms, reception *r, poc_err why, poc_mki mki, poc_span datagram)
{
    pocue_event e = { .type = POCUE_UNREADABLE, .at_ms = now_ms, .by_multicast = true, .mki = mki };
    bool has_header = header_read(&e, datagram) == POC_OK;
    if (why == POC_E_AUTH && has_header && ue_heard_already(ue_reception_heard(ue, r), e.ssrc, e.seq))
        return;
    ue_events_push(&ue->events, &e);
}

/* Told once for each MSK; asked for as long as it is wanted. */
static void missed_note(pocue *ue, int64_t now_ms, reception *r, poc_mki mki)
{
    if (!ue_ring_wants(r->ring, mki))
        return;
    if (ue_ring_missed(r->ring, mki))
        key_missed_tell(ue, now_ms, mki.msk_id);
    ue_service_missed(ue, now_ms, r, mki.msk_id);
}

typedef struct opened {
    poc_err err;
    reception *by; /* what `err` is about */
    poc_mki mki;
    uint8_t clear[BCAST_PACKET_MAX];
    size_t n;
} opened;

/* The MKI does not say which channel it is of: the one that has this key, else one that keys of its group belong to. */
static void packet_open(pocue *ue, bcast_flow flow, poc_span datagram, opened *out)
{
    *out = (opened){ .err = POC_E_STATE };
    for (size_t i = 0; i < RECEPTIONS_MAX; i++) {
        reception *r = &ue->receptions[i];
        poc_mki mki;
        if (!r->joined)
            continue;
        poc_err err = bcast_receiver_open(ue_ring_receiver(r->ring), flow, datagram, out->clear, &out->n, &mki);
        bool is_its_own = err != POC_E_STATE || ue_ring_is_of(r->ring, poc_msk_group(mki.msk_id));
        if (out->by == NULL || is_its_own) {
            out->by = r;
            out->err = err;
            out->mki = mki;
        }
        if (err == POC_OK)
            return;
    }
}

static void protected_take(pocue *ue, int64_t now_ms, bcast_flow flow, poc_span datagram)
{
    opened o;
    packet_open(ue, flow, datagram, &o);
    if (o.by == NULL)
        return;
    if (o.err == POC_OK && flow == BCAST_FLOW_RTP)
        rtp_take(ue, now_ms, ue_reception_heard(ue, o.by), poc_span_of(o.clear, o.n), &o.mki);
    if (o.err == POC_OK && flow == BCAST_FLOW_FLOOR)
        floor_take(ue, now_ms, poc_span_of(o.clear, o.n), &o.mki);
    if (o.err == POC_E_STATE)
        missed_note(ue, now_ms, o.by, o.mki);
    if (o.err != POC_OK && flow == BCAST_FLOW_RTP)
        unreadable_tell(ue, now_ms, o.by, o.err, o.mki, datagram);
}

/* An MTK message names key domain and MSK; a ring that serves neither refuses it without a trace. */
static void stkm_take(pocue *ue, int64_t now_ms, poc_span datagram, bool by_air)
{
    for (size_t i = 0; i < RECEPTIONS_MAX; i++) {
        reception *r = &ue->receptions[i];
        poc_mki mki = { 0 };
        if (r->ring == NULL || (by_air && !r->joined))
            continue;
        switch (bcast_receiver_stkm(ue_ring_receiver(r->ring), datagram, &mki)) {
        case BCAST_STKM_NEW:
            ue_events_push(&ue->events,
                           &(pocue_event){ .type = POCUE_MTK, .at_ms = now_ms, .msk_id = mki.msk_id, .mki = mki });
            return;
        case BCAST_STKM_DUPLICATE:
            return;
        case BCAST_STKM_UNKNOWN_MSK:
        case BCAST_STKM_REFUSED:
            missed_note(ue, now_ms, r, mki);
        }
    }
}

void pocue_multicast(pocue *ue, int64_t now_ms, bcast_flow flow, poc_span datagram)
{
    ue->now_ms = now_ms;
    if (datagram.n > BCAST_PACKET_MAX)
        return;
    if (flow == BCAST_FLOW_STKM)
        stkm_take(ue, now_ms, datagram, true);
    else
        protected_take(ue, now_ms, flow, datagram);
}

/* ---- push ---- */

/* Where the keys of an opened message belong, or NULL. `*s` is the service they are of, or NULL. */
static reception *push_reception(pocue *ue, const ue_key_message *m, service **s)
{
    *s = ue_service_of_key(ue, m->msk.key_domain, m->msk.msk_id);
    if (*s != NULL)
        return ue_service_reception(ue, *s);
    return ue->session != NULL && ue_ring_serves(ue->session->ring, m->msk.key_domain) ? ue->session : NULL;
}

static poc_err push_install(pocue *ue, int64_t now_ms, const ue_key_message *m)
{
    service *s;
    reception *r = push_reception(ue, m, &s);
    if (r == NULL && (s == NULL || m->duplicate))
        return POC_E_STATE;
    if (m->duplicate)
        return POC_OK;
    POC_TRY(ue_events_reserve(&ue->events, EVENTS_PUSH));
    if (s != NULL)
        POC_TRY(ue_service_reception_make(ue, s, &r));
    POC_TRY(ue_ring_add(r->ring, m));
    ue_muks_accept(ue->muks, m, 1);
    if (s != NULL && r->has_channel)
        ue_reception_join(ue, now_ms, r, &r->channel);
    ue_key_message_tell(ue, now_ms, r, m);
    return POC_OK;
}

static void solicited(pocue *ue, int64_t now_ms, const ue_key_message *m)
{
    if (m->duplicate)
        return;
    ue_muks_accept(ue->muks, m, 1);
    key_missed_tell(ue, now_ms, m->msk.msk_id);
    ue_service_solicited(ue, now_ms, m->msk.key_domain, m->msk.msk_id);
}

static poc_err push_take(pocue *ue, int64_t now_ms, const ue_key_message *m, uint8_t *reply, size_t *reply_len)
{
    if (poc_msk_number(m->msk.msk_id) == 0) {
        solicited(ue, now_ms, m);
        return POC_OK;
    }
    POC_TRY(push_install(ue, now_ms, m));
    if (!m->msg.wants_verification)
        return POC_OK;
    poc_wr wr = poc_wr_into(reply, MIKEY_MESSAGE_MAX);
    POC_TRY(mikey_verification_seal(&wr, &m->msg, m->muk));
    POC_TRY(poc_wr_done(&wr));
    *reply_len = wr.len;
    return POC_OK;
}

static bool is_mtk_message(poc_span datagram)
{
    mikey_msg msg;
    return mikey_decode(&msg, datagram, NULL) == POC_OK && msg.data_type == MIKEY_PSK && msg.has_mtk_id;
}

/*= CR to TS 33.246, 6.3.3: "The MTK is delivered to the UE as in 6.3.2.1 but the MIKEY ACK is not used." */
poc_err pocue_push(pocue *ue, int64_t now_ms, poc_span datagram, uint8_t *reply, size_t *reply_len)
{
    ue_key_message m;
    *reply_len = 0;
    ue->now_ms = now_ms;
    if (is_mtk_message(datagram)) {
        stkm_take(ue, now_ms, datagram, false);
        return POC_OK;
    }
    POC_TRY(ue_muks_open(ue->muks, now_ms, datagram, &m, NULL));
    poc_err err = push_take(ue, now_ms, &m, reply, reply_len);
    ue_key_message_done(&m);
    return err;
}
