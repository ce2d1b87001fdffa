/* The sending side. Of MTKs there are at most two: the current one, which protects, and the next one, announced to the
 * members but not used yet. Every change goes through switch_to_next: STKM first, then the first packet under it. */
#include <stdlib.h>
#include <string.h>

#include "bcast/bcast.h"
#include "bcast/hold.h"
#include "bcast/mtk.h"
#include "bcast/rtcp.h"
#include "bcast/sources.h"

enum {
    ACTIVE_WINDOW_MS = 5000, /* after the last packet a channel counts as idle */
    FORESEEN_PACKETS = 256,  /* a change that so few packets will force is announced now: 5 s of speech */
    FORESEEN_MAX_MS = 10000, /* and made at the latest then: a late joiner should not wait long between two MTKs */
};

const bcast_protector_settings bcast_protector_defaults = {
    .stkm_active_ms = 1000,
    .stkm_idle_ms = 5000,
    .stkm_burst = 3,
    .stkm_burst_ms = 20,
    .stkm_lead_ms = 1000,
    .mtk_packets_max = 32768,
    .hold_packets_max = 512,
};

struct bcast_protector {
    bcast_protector_settings settings;
    bcast_carrier carrier;
    poc_rng rng;
    bcast_service service;
    bcast_mtk current, next;
    int64_t next_use_ms; /* when `next` becomes current at the latest */
    uint32_t packets;    /* under `current` */
    bcast_sources sources;
    bool holding;
    bcast_hold hold;
    int64_t packet_ms; /* when the last packet came */
    int64_t stkm_ms;   /* when the last STKM went */
    uint32_t burst_left;
    bcast_protector_stats stats;
};

static bool has_msk(const bcast_protector *p)
{
    return p->service.msk != NULL;
}

static bool has_next(const bcast_protector *p)
{
    return p->next.srtp != NULL;
}

poc_err bcast_protector_new(bcast_protector **out, const bcast_protector_settings *settings, bcast_carrier carrier,
                            const poc_rng *rng)
{
    *out = NULL;
    if (settings->mtk_packets_max == 0 || settings->stkm_active_ms == 0 || settings->stkm_idle_ms == 0)
        return POC_E_INPUT;
    POC_OWNED(bcast_protector, p, bcast_protector_free);
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return POC_E_NOMEM;
    p->settings = *settings;
    p->carrier = carrier;
    p->rng = *rng;
    POC_TRY(bcast_hold_init(&p->hold, settings->hold_packets_max));
    *out = POC_RELEASE(p);
    return POC_OK;
}

void bcast_protector_free(bcast_protector *p)
{
    if (p == NULL)
        return;
    bcast_mtk_done(&p->current);
    bcast_mtk_done(&p->next);
    bcast_service_end(&p->service);
    bcast_hold_done(&p->hold);
    free(p);
}

/* ---- STKMs ---- */

static void send_stkm(bcast_protector *p, int64_t now_ms, const bcast_mtk *mtk)
{
    p->stkm_ms = now_ms;
    p->stats.stkm_messages++;
    p->carrier.send(p->carrier.ctx, BCAST_FLOW_STKM, mtk->stkm, mtk->stkm_len);
}

static const bcast_mtk *newest(const bcast_protector *p)
{
    return has_next(p) ? &p->next : &p->current;
}

static void announce(bcast_protector *p, int64_t now_ms)
{
    send_stkm(p, now_ms, newest(p));
    p->burst_left = p->settings.stkm_burst > 0 ? p->settings.stkm_burst - 1 : 0;
}

static int64_t stkm_due_ms(const bcast_protector *p)
{
    if (p->burst_left > 0)
        return p->stkm_ms + p->settings.stkm_burst_ms;
    int64_t when_active_ms = p->stkm_ms + p->settings.stkm_active_ms;
    bool still_active = when_active_ms <= p->packet_ms + ACTIVE_WINDOW_MS;
    return still_active ? when_active_ms : p->stkm_ms + p->settings.stkm_idle_ms;
}

/* The current one first: who has taken the next one does not accept a lower MTK ID any more. */
static void send_all_stkms(bcast_protector *p, int64_t now_ms)
{
    send_stkm(p, now_ms, &p->current);
    if (has_next(p))
        send_stkm(p, now_ms, &p->next);
}

static void repeat_stkm(bcast_protector *p, int64_t now_ms)
{
    if (now_ms < stkm_due_ms(p))
        return;
    if (p->burst_left > 0)
        p->burst_left--;
    send_all_stkms(p, now_ms);
}

void bcast_protector_announce(bcast_protector *p, int64_t now_ms)
{
    if (!has_msk(p))
        return;
    if (now_ms >= p->stkm_ms + p->settings.stkm_burst_ms)
        send_all_stkms(p, now_ms);
    else if (p->burst_left == 0)
        p->burst_left = 1; /* soon enough, and for all who ask meanwhile */
}

/* ---- MTKs ---- */

static poc_err prepare_next(bcast_protector *p)
{
    POC_TRY(bcast_mtk_make(&p->next, &p->service, &p->rng));
    p->stats.mtks++;
    return POC_OK;
}

static poc_err plan_next(bcast_protector *p, int64_t now_ms, int64_t use_ms)
{
    if (has_next(p)) {
        p->next_use_ms = use_ms < p->next_use_ms ? use_ms : p->next_use_ms;
        return POC_OK;
    }
    POC_TRY(prepare_next(p));
    p->next_use_ms = use_ms;
    announce(p, now_ms);
    return POC_OK;
}

static void switch_to_next(bcast_protector *p, int64_t now_ms)
{
    bcast_mtk_done(&p->current);
    p->current = p->next;
    p->next = (bcast_mtk){ 0 };
    p->packets = 0;
    bcast_sources_next_mtk(&p->sources);
    announce(p, now_ms);
}

static poc_err roll_at_once(bcast_protector *p, int64_t now_ms)
{
    if (!has_next(p))
        POC_TRY(prepare_next(p));
    switch_to_next(p, now_ms);
    return POC_OK;
}

poc_err bcast_protector_roll_mtk(bcast_protector *p, int64_t now_ms, bool now)
{
    if (!has_msk(p))
        return POC_E_STATE;
    return now ? roll_at_once(p, now_ms) : plan_next(p, now_ms, now_ms + p->settings.stkm_lead_ms);
}

/* After a packet: will the next few force a new MTK? Then the members should have it before. That this may fail is no
 * error yet: the packet that cannot do without will say so. */
static void foresee(bcast_protector *p, int64_t now_ms, uint32_t before_wrap)
{
    uint32_t under_mtk = p->settings.mtk_packets_max - p->packets;
    uint32_t left = before_wrap < under_mtk ? before_wrap : under_mtk;
    uint32_t half_life = p->settings.mtk_packets_max / 2;
    uint32_t margin = half_life < FORESEEN_PACKETS ? half_life : FORESEEN_PACKETS;
    if (left <= margin && !has_next(p))
        (void)plan_next(p, now_ms, now_ms + FORESEEN_MAX_MS);
}

/* ---- packets ---- */

/* What has to be known of a clear packet. */
typedef struct ticket {
    bcast_flow flow;
    uint32_t ssrc;
    uint16_t seq; /* RTP */
} ticket;

static poc_err identify(ticket *out, bcast_flow flow, poc_span packet)
{
    bcast_rtp rtp;
    *out = (ticket){ .flow = flow };
    if (packet.n > BCAST_SRTP_CLEAR_MAX)
        return POC_E_INPUT;
    if (flow == BCAST_FLOW_FLOOR)
        return bcast_rtcp_check(&out->ssrc, packet);
    if (flow != BCAST_FLOW_RTP)
        return POC_E_INPUT;
    POC_TRY(bcast_rtp_parse(&rtp, packet));
    out->ssrc = rtp.ssrc;
    out->seq = rtp.seq;
    return POC_OK;
}

static bcast_verdict judge(bcast_protector *p, const ticket *t)
{
    bcast_verdict verdict = t->flow == BCAST_FLOW_RTP ? bcast_sources_judge_rtp(&p->sources, t->ssrc, t->seq)
                                                      : bcast_sources_judge_floor(&p->sources, t->ssrc);
    bool is_worn = p->packets >= p->settings.mtk_packets_max;
    return verdict == BCAST_VERDICT_SEND && is_worn ? BCAST_VERDICT_ROLL : verdict;
}

static uint32_t note(bcast_protector *p, const ticket *t)
{
    p->packets++;
    if (t->flow == BCAST_FLOW_FLOOR) {
        p->stats.floor_packets++;
        bcast_sources_note_floor(&p->sources, t->ssrc);
        return UINT32_MAX;
    }
    p->stats.rtp_packets++;
    bcast_sources_note_rtp(&p->sources, t->ssrc, t->seq);
    return bcast_sources_before_wrap(t->seq);
}

static poc_err put_on_air(bcast_protector *p, int64_t now_ms, const ticket *t, poc_span packet)
{
    _Alignas(uint32_t) uint8_t buf[BCAST_SRTP_ROOM];
    size_t n = packet.n;
    bcast_verdict verdict = judge(p, t);
    if (verdict == BCAST_VERDICT_DROP) {
        p->stats.dropped_packets++;
        return POC_OK;
    }
    if (verdict == BCAST_VERDICT_ROLL)
        POC_TRY(roll_at_once(p, now_ms));
    memcpy(buf, packet.p, n);
    POC_TRY(bcast_srtp_protect(p->current.srtp, t->flow, buf, &n));
    uint32_t before_wrap = note(p, t);
    p->carrier.send(p->carrier.ctx, t->flow, buf, n);
    foresee(p, now_ms, before_wrap);
    return POC_OK;
}

poc_err bcast_protector_send(bcast_protector *p, int64_t now_ms, bcast_flow flow, poc_span packet)
{
    ticket t;
    if (!has_msk(p))
        return POC_E_STATE;
    POC_TRY(identify(&t, flow, packet));
    p->packet_ms = now_ms;
    bcast_protector_tick(p, now_ms);
    if (!p->holding)
        return put_on_air(p, now_ms, &t, packet);
    p->stats.held_packets++;
    p->stats.dropped_packets += bcast_hold_put(&p->hold, flow, packet);
    return POC_OK;
}

static void let_go(bcast_protector *p, int64_t now_ms)
{
    bcast_held *held;
    p->holding = false;
    while ((held = bcast_hold_take(&p->hold)) != NULL) {
        poc_span packet = poc_span_of(held->packet, held->n);
        ticket t;
        if (identify(&t, held->flow, packet) != POC_OK || put_on_air(p, now_ms, &t, packet) != POC_OK)
            p->stats.dropped_packets++;
        free(held);
    }
}

void bcast_protector_gate(bcast_protector *p, int64_t now_ms, bool hold)
{
    if (hold)
        p->holding = true;
    else if (p->holding)
        let_go(p, now_ms);
}

/* ---- MSKs ---- */

/* The same MSK again would mean the same MTK IDs and, worse, other STKMs under the same counters: keystream used twice. */
static bool is_same_msk(const bcast_protector *p, const bcast_msk *msk)
{
    return has_msk(p) && (p->service.msk_id == msk->id || poc_secret_eq(p->service.msk, msk->key));
}

static void take_over(bcast_protector *p, int64_t now_ms, const bcast_service *service, const bcast_mtk *mtk)
{
    if (!has_msk(p))
        p->packet_ms = now_ms - ACTIVE_WINDOW_MS;
    bcast_service_end(&p->service);
    bcast_mtk_done(&p->next);
    p->service = *service;
    p->next = *mtk;
    p->stats.mtks = 1;
}

poc_err bcast_protector_set_msk(bcast_protector *p, int64_t now_ms, const bcast_msk *msk)
{
    bcast_service service;
    bcast_mtk mtk;
    if (!poc_key_domain_eq(msk->key_domain, p->settings.key_domain))
        return POC_E_INPUT;
    POC_TRY(bcast_service_begin(&service, msk));
    poc_err err = is_same_msk(p, msk) ? POC_E_STATE : bcast_mtk_make(&mtk, &service, &p->rng);
    if (err != POC_OK) {
        bcast_service_end(&service);
        return err;
    }
    take_over(p, now_ms, &service, &mtk);
    switch_to_next(p, now_ms);
    let_go(p, now_ms);
    return POC_OK;
}

/* ---- time ---- */

void bcast_protector_tick(bcast_protector *p, int64_t now_ms)
{
    if (!has_msk(p))
        return;
    if (has_next(p) && now_ms >= p->next_use_ms)
        switch_to_next(p, now_ms);
    repeat_stkm(p, now_ms);
}

int64_t bcast_protector_deadline(const bcast_protector *p)
{
    if (!has_msk(p))
        return INT64_MAX;
    int64_t due_ms = stkm_due_ms(p);
    return has_next(p) && p->next_use_ms < due_ms ? p->next_use_ms : due_ms;
}

bcast_protector_stats bcast_protector_look(const bcast_protector *p)
{
    bcast_protector_stats stats = p->stats;
    stats.mki = p->current.mki;
    return stats;
}
