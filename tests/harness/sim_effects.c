/* Carrying out what the engine says, one effect after the other, each taking a little time: a crash may come between any
 * two of them, and what stands behind a PERSIST waits until the records are durable. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tests/harness/sim.h"

#define SDP_MAX       8192u
#define EFFECT_US     20   /* what it takes to do one thing */
#define WRITE_MIN_US  300  /* one durable write ... */
#define WRITE_MORE_US 2200 /* ... takes up to so much longer */
#define ENABLER_US    500
#define RETRY_MIN_US  100000
#define RETRY_MORE_US 200000

/* ---- time ---- */

int64_t sim_pf_deadline_us(const sim *s)
{
    if (s->pf.engine == NULL)
        return INT64_MAX;
    int64_t at_ms = pocpf_deadline_ms(s->pf.engine);
    for (int c = 0; c < s->channel_count; c++) {
        const bcast_protector *p = s->pf.channels[c].protector;
        int64_t due_ms = p != NULL ? bcast_protector_deadline(p) : INT64_MAX;
        at_ms = due_ms < at_ms ? due_ms : at_ms;
    }
    int64_t mcx_ms = sim_mcx_deadline_ms(s);
    at_ms = mcx_ms < at_ms ? mcx_ms : at_ms;
    return at_ms == INT64_MAX ? INT64_MAX : (at_ms - SIM_START_MS) * 1000;
}

void sim_pf_tick(sim *s)
{
    for (int c = 0; c < s->channel_count; c++) {
        if (s->pf.channels[c].protector != NULL)
            bcast_protector_tick(s->pf.channels[c].protector, sim_now_ms(s));
        sim_pf_mtks(s, c);
    }
    sim_mcx_tick(s);
    pocpf_tick(s->pf.engine, sim_now_ms(s));
    sim_pf_work(s);
}

/* ---- the enabler: the house's own protector on the simulated air ---- */

static void on_air(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n)
{
    const sim_carrier *c = ctx;
    sim_air_send(c->s, c->channel, flow, poc_span_of(datagram, n));
}

void sim_pf_mtks(sim *s, int channel)
{
    sim_pf_channel *pc = &s->pf.channels[channel];
    if (pc->protector == NULL)
        return;
    bcast_protector_stats stats = bcast_protector_look(pc->protector);
    if (stats.mtks == pc->mtks || stats.mtks == 0)
        return;
    pc->mtks = stats.mtks;
    pocpf_mtk_made(s->pf.engine, sim_now_ms(s), s->channels[channel].id, stats.mki.msk_id, stats.mtks);
    sim_pf_work(s);
}

static uint64_t news_of(const sim *s, int channel, pocpf_enabler what)
{
    return s->pf.life << 32 | (uint64_t)channel << 8 | (uint64_t)what;
}

static void enabler_says(sim *s, void *ctx, uint64_t news)
{
    (void)ctx;
    if (s->pf.engine == NULL || news >> 32 != s->pf.life)
        return;
    const char *id = s->channels[news >> 8 & 0xFF].id;
    pocpf_enabler_changed(s->pf.engine, sim_now_ms(s), id, (pocpf_enabler)(news & 0xFF));
    sim_pf_work(s);
}

static poc_err give_msk(sim *s, int channel, const pocpf_effect *e)
{
    sim_pf_channel *pc = &s->pf.channels[channel];
    if (!s->channels[channel].enabler_works)
        return POC_E_IO;
    bcast_msk msk = { .cs_id = e->u.enabler.kind == POCPF_KIND_MUSIK ? e->u.enabler.cs_id : 0,
                      .id = e->u.enabler.msk_id,
                      .seq_low = e->u.enabler.seq_low,
                      .seq_high = e->u.enabler.seq_high,
                      .csb_id = e->u.enabler.csb_id,
                      .rand_len = sizeof(e->u.enabler.rand) };
    memcpy(msk.key_domain.b, e->u.enabler.key_domain, sizeof(msk.key_domain.b));
    memcpy(msk.rand, e->u.enabler.rand, sizeof(e->u.enabler.rand));
    msk.key = poc_secret_ref((poc_secret *)(uintptr_t)e->u.enabler.msk);
    if (msk.cs_id != 0) {
        poc_err given = sim_mcx_give_musik(s, channel, &msk);
        poc_secret_free(msk.key);
        return given;
    }
    poc_err err = POC_OK;
    if (pc->protector == NULL) {
        bcast_protector_settings settings = bcast_protector_defaults;
        settings.key_domain = msk.key_domain;
        if (s->channels[channel].mtk_packets > 0)
            settings.mtk_packets_max = s->channels[channel].mtk_packets;
        pc->carrier = (sim_carrier){ s, channel };
        err = bcast_protector_new(&pc->protector, &settings, (bcast_carrier){ on_air, &pc->carrier }, &s->rng);
    }
    pc->mtks = 0;
    if (err == POC_OK)
        err = bcast_protector_set_msk(pc->protector, sim_now_ms(s), &msk);
    poc_secret_free(msk.key);
    return err;
}

static void do_start(sim *s, int channel, const pocpf_effect *e)
{
    poc_err err = give_msk(s, channel, e);
    pocpf_enabler what = err == POC_OK ? POCPF_ENABLER_STARTED : POCPF_ENABLER_FAILED;
    sim_after(s, ENABLER_US, enabler_says, NULL, news_of(s, channel, what));
}

static void do_update(sim *s, int channel, const pocpf_effect *e)
{
    if (give_msk(s, channel, e) != POC_OK)
        sim_after(s, ENABLER_US, enabler_says, NULL, news_of(s, channel, POCPF_ENABLER_FAILED));
}

static void do_stop(sim *s, int channel, const pocpf_effect *e)
{
    (void)e;
    bcast_protector_free(s->pf.channels[channel].protector);
    s->pf.channels[channel].protector = NULL;
    if (s->pf.channels[channel].air != NULL)
        wire_mcx_air_unmap(s->pf.channels[channel].air, sim_now_ms(s));
    wire_mcx_air_free(s->pf.channels[channel].air);
    s->pf.channels[channel].air = NULL;
    sim_after(s, ENABLER_US, enabler_says, NULL, news_of(s, channel, POCPF_ENABLER_STOPPED));
}

static void do_gate(sim *s, int channel, const pocpf_effect *e)
{
    if (s->pf.channels[channel].protector != NULL)
        bcast_protector_gate(s->pf.channels[channel].protector, sim_now_ms(s), e->u.gate.hold);
    if (s->pf.channels[channel].air != NULL)
        wire_mcx_air_gate(s->pf.channels[channel].air, sim_now_ms(s), e->u.gate.hold);
}

/* ---- durable records ---- */

static void written(sim *s, void *ctx, uint64_t life)
{
    (void)ctx;
    if (s->pf.engine == NULL || life != s->pf.life)
        return;
    if (s->disk_is_full)
        sim_store_drop(&s->store);
    else
        sim_store_commit(&s->store);
    pocpf_persisted(s->pf.engine, sim_now_ms(s), !s->disk_is_full);
    sim_pf_work(s);
}

static void do_persist(sim *s, int channel, const pocpf_effect *e)
{
    (void)channel;
    if (sim_store_begin(&s->store, e->u.persist.records, e->u.persist.count) != POC_OK) {
        s->broken = true;
        return;
    }
    int64_t took_us = WRITE_MIN_US + (int64_t)test_rng_below(&s->chance, WRITE_MORE_US);
    sim_after(s, took_us, written, NULL, s->pf.life);
}

/* ---- offers ---- */

static void answered(sim *s, int client, uint64_t number, pocpf_answer answer, poc_span verification)
{
    const sim_session *session = &s->pf.sessions[client];
    pocpf_offer_answered(s->pf.engine, sim_now_ms(s), s->channels[session->channel].id, session->user, number, answer,
                         verification.p, verification.n);
    sim_pf_work(s);
}

static pocpf_answer meaning(const sim *s, const sim_txn *t, uint8_t *room, size_t cap, poc_span *verification)
{
    const char *why = NULL;
    if (t->status == 481)
        return POCPF_ANSWER_GONE;
    if (t->status == 408 || t->status == 491 || t->status == 500)
        return POCPF_ANSWER_TIMEOUT;
    if (t->status >= 300)
        return POCPF_ANSWER_REFUSED;
    return wire_answer_check(poc_span_of(t->answer, t->answer_len), &s->pf.channels[t->request.channel].on_wire, NULL,
                             room, cap, verification, &why);
}

static void offer_again(sim *s, void *ctx, uint64_t client)
{
    (void)ctx;
    if (s->pf.engine != NULL)
        sim_pf_offer_next(s, (int)client);
}

/* 491 and 500 are tried again while the offer's time lasts, unless a newer one waits. */
static bool try_again(sim *s, int client, const sim_txn *t, uint64_t number)
{
    sim_session *session = &s->pf.sessions[client];
    if ((t->status != 491 && t->status != 500) || session->next_number != number)
        return false;
    int64_t wait_us = RETRY_MIN_US + (int64_t)test_rng_below(&s->chance, RETRY_MORE_US);
    if (s->now_us + wait_us >= session->next_deadline_us)
        return false;
    session->waiting = true;
    sim_after(s, wait_us, offer_again, NULL, (uint64_t)client);
    return true;
}

static void offer_done(sim *s, sim_txn *t, void *ctx, uint64_t number)
{
    (void)ctx;
    int client = t->to;
    sim_session *session = &s->pf.sessions[client];
    if (!session->used || session->call != t->request.call)
        return;
    session->offering = false;
    uint8_t room[MIKEY_MESSAGE_MAX];
    poc_span verification = { 0 };
    if (!try_again(s, client, t, number)) {
        pocpf_answer answer = meaning(s, t, room, sizeof(room), &verification);
        answered(s, client, number, answer, verification);
    }
    if (session->waiting && session->next_number != number)
        sim_pf_offer_next(s, client);
}

static poc_err write_offer(sim *s, int client, poc_wr *wr)
{
    sim_session *session = &s->pf.sessions[client];
    struct sockaddr_storage audio, floor;
    POC_TRY(poc_addr_parse(&audio, poc_span_str("192.0.2.10"), (uint16_t)(30000 + 4 * client)));
    POC_TRY(poc_addr_parse(&floor, poc_span_str("192.0.2.10"), (uint16_t)(30002 + 4 * client)));
    wire_local local = { (const struct sockaddr *)&audio, (const struct sockaddr *)&floor, (uint64_t)client + 5001,
                         ++session->sdp_version };
    bool withdraws = session->next_kind == POCPF_OFFER_WITHDRAW;
    return wire_offer_write(wr, &local, &session->unicast, &s->pf.channels[session->channel].on_wire,
                            poc_span_of(session->next_mikey, withdraws ? 0 : session->next_mikey_len));
}

void sim_pf_offer_next(sim *s, int client)
{
    sim_session *session = &s->pf.sessions[client];
    if (!session->used || !session->waiting || session->offering)
        return;
    session->waiting = false;
    char sdp[SDP_MAX];
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    int64_t left_us = session->next_deadline_us - s->now_us;
    if (left_us <= 0 || write_offer(s, client, &wr) != POC_OK) {
        answered(s, client, session->next_number, POCPF_ANSWER_TIMEOUT, poc_span_of(NULL, 0));
        return;
    }
    session->offering = true;
    sim_request r = { .method = s->clients[client].made.update_allowed ? SIM_UPDATE : SIM_INVITE,
                      .in_dialog = true,
                      .client = client,
                      .channel = session->channel,
                      .call = session->call,
                      .subject = -1,
                      .body = poc_span_of(sdp, wr.len) };
    sim_sip_send(s, SIM_PF, client, &r, left_us, offer_done, NULL, session->next_number);
}

static void do_offer(sim *s, int channel, const pocpf_effect *e)
{
    int client = sim_pf_client_of(s, e->user, channel);
    if (client < 0 || e->u.offer.mikey_len > MIKEY_MESSAGE_MAX)
        return;
    sim_session *session = &s->pf.sessions[client];
    session->waiting = true;
    session->next_number = e->u.offer.number;
    session->next_kind = e->u.offer.kind;
    session->next_mikey_len = e->u.offer.mikey_len;
    if (e->u.offer.mikey_len > 0)
        memcpy(session->next_mikey, e->u.offer.mikey, e->u.offer.mikey_len);
    session->next_deadline_us = s->now_us + (int64_t)e->u.offer.timeout_ms * 1000;
    sim_pf_offer_next(s, client);
}

/* ---- the rest ---- */

static void do_push(sim *s, int channel, const pocpf_effect *e)
{
    (void)channel;
    sim_push_send(s, e->u.push.address, e->u.push.address_len, poc_span_of(e->u.push.mikey, e->u.push.mikey_len));
}

static void do_release(sim *s, int channel, const pocpf_effect *e)
{
    int client = sim_pf_client_of(s, e->user, channel);
    if (client >= 0)
        sim_pf_release(s, client);
}

static void do_serve(sim *s, int channel, const pocpf_effect *e)
{
    int client = sim_pf_client_of(s, e->user, channel);
    if (client >= 0)
        s->pf.sessions[client].multicast = e->u.serve.multicast;
    if (e->u.serve.multicast && s->pf.channels[channel].protector != NULL)
        bcast_protector_announce(s->pf.channels[channel].protector, sim_now_ms(s));
    if (e->u.serve.multicast && s->pf.channels[channel].air != NULL)
        wire_mcx_air_announce(s->pf.channels[channel].air, sim_now_ms(s));
}

static void do_subscribe(sim *s, int channel, const pocpf_effect *e)
{
    sim_pf_subscribe(s, channel, e->u.subscribe.refresh);
}

static void do_unsubscribe(sim *s, int channel, const pocpf_effect *e)
{
    (void)e;
    sim_pf_unsubscribe(s, channel);
}

static void do_restored(sim *s, int channel, const pocpf_effect *e)
{
    sim_pf_dialog_read(s, e->user, channel, poc_span_of(e->u.restored.dialog, e->u.restored.dialog_len));
}

static void do_bound(sim *s, int channel, const pocpf_effect *e)
{
    (void)channel;
    if (s->pf.desk != NULL)
        sim_mcx_bound(s, e);
}

static void do_download(sim *s, int channel, const pocpf_effect *e)
{
    (void)channel;
    sim_mcx_download(s, e);
}

static void do_audit(sim *s, int channel, const pocpf_effect *e)
{
    (void)channel;
    const char *reason = e->u.audit.reason != POCPF_REASON_NONE ? pocpf_reason_name(e->u.audit.reason) : "";
    char msk[24] = "";
    if (e->u.audit.msk_id != 0)
        snprintf(msk, sizeof(msk), " msk=%08x", e->u.audit.msk_id);
    sim_note(s, e->user != NULL ? sim_client_by_user(s, e->user) : -1, "pf: %s %s%s %s",
             pocpf_audit_name(e->u.audit.what), reason, msk, e->u.audit.detail != NULL ? e->u.audit.detail : "");
}

typedef void do_fn(sim *s, int channel, const pocpf_effect *e);

static do_fn *const doing[] = {
    [POCPF_DO_PERSIST] = do_persist,
    [POCPF_DO_OFFER] = do_offer,
    [POCPF_DO_PUSH] = do_push,
    [POCPF_DO_RELEASE] = do_release,
    [POCPF_DO_SERVE] = do_serve,
    [POCPF_DO_GATE] = do_gate,
    [POCPF_DO_ENABLER_START] = do_start,
    [POCPF_DO_ENABLER_UPDATE] = do_update,
    [POCPF_DO_ENABLER_STOP] = do_stop,
    [POCPF_DO_SUBSCRIBE] = do_subscribe,
    [POCPF_DO_UNSUBSCRIBE] = do_unsubscribe,
    [POCPF_DO_RESTORED] = do_restored,
    [POCPF_DO_AUDIT] = do_audit,
    [POCPF_DO_CSK_BOUND] = do_bound,
    [POCPF_DO_DOWNLOAD] = do_download,
};

static void take_next(sim *s, void *ctx, uint64_t life)
{
    (void)ctx;
    if (s->pf.engine == NULL || life != s->pf.life)
        return;
    s->pf.working = false;
    pocpf_effect e;
    if (!pocpf_poll(s->pf.engine, &e))
        return;
    int channel = e.channel != NULL ? sim_channel_by_id(s, e.channel) : -1;
    doing[e.type](s, channel, &e);
    sim_pf_work(s);
}

void sim_pf_work(sim *s)
{
    if (s->pf.working || s->pf.engine == NULL)
        return;
    s->pf.working = true;
    sim_after(s, EFFECT_US, take_next, NULL, s->pf.life);
}

/* ---- what a session needs after a restart ---- */

poc_err sim_pf_dialog_write(const sim *s, int client, poc_wr *out)
{
    const sim_session *session = &s->pf.sessions[client];
    poc_wr_u8(out, (uint8_t)client);
    poc_wr_u32(out, session->call);
    poc_wr_u8(out, session->capable);
    poc_wr_put(out, session->sdp, strlen(session->sdp));
    return poc_wr_done(out);
}

poc_err sim_pf_dialog_read(sim *s, const char *user, int channel, poc_span dialog)
{
    poc_rd rd = poc_rd_over(dialog, NULL);
    uint8_t client, capable;
    uint32_t call;
    poc_span sdp;
    POC_TRY(poc_rd_u8(&rd, &client));
    POC_TRY(poc_rd_u32(&rd, &call));
    POC_TRY(poc_rd_u8(&rd, &capable));
    POC_TRY(poc_rd_span(&rd, &sdp, rd.left));
    if (client >= s->client_count || strlen(user) >= POC_URI_MAX || sdp.n >= sizeof(s->pf.sessions[0].sdp))
        return POC_E_INPUT;
    sim_session *session = &s->pf.sessions[client];
    *session = (sim_session){ .used = true,
                              .up = true,
                              .call = call,
                              .capable = capable != 0,
                              .channel = channel,
                              .sdp_version = (uint64_t)sim_now_ms(s) };
    memcpy(session->user, user, strlen(user));
    memcpy(session->sdp, sdp.p, sdp.n);
    return wire_unicast_read(&session->unicast, sdp, NULL);
}
