/* What the engine wants done. An effect is borrowed until the next call on the engine: whoever has to answer at once copies
 * the names first. */
#include <stdio.h>
#include <string.h>

#include "pf/io/shell_private.h"

enum { SUBSCRIBE_RETRY_MS = 5000 };

/** Channel and user of an effect, to be kept over the next call on the engine. */
typedef struct names {
    char channel[64], user[POC_URI_MAX];
} names;

static names names_of(const pocpf_effect *e)
{
    names n = { { 0 }, { 0 } };
    (void)snprintf(n.channel, sizeof(n.channel), "%s", e->channel == NULL ? "" : e->channel);
    (void)snprintf(n.user, sizeof(n.user), "%s", e->user == NULL ? "" : e->user);
    return n;
}

static void do_persist(shell *s, const pocpf_effect *e)
{
    s->writes_begun++;
    if (store_write(s->store, e->u.persist.records, e->u.persist.count) == POC_OK)
        return;
    s->write_failed = true;
    wake_soon(s->timer);
}

static void do_offer(shell *s, const pocpf_effect *e)
{
    names n = names_of(e);
    uint64_t number = e->u.offer.number;
    shell_member *m = s->is_draining ? NULL : shell_member_of(s, n.channel, n.user);
    poc_err err = m == NULL ? POC_E_STATE
                            : sip_offer(m->session, number, e->u.offer.kind,
                                        poc_span_of(e->u.offer.mikey, e->u.offer.mikey_len), e->u.offer.timeout_ms);
    if (err == POC_OK)
        return;
    pocpf_answer answer = m == NULL ? POCPF_ANSWER_GONE : POCPF_ANSWER_TIMEOUT;
    (void)pocpf_offer_answered(s->pf, io_now_ms(), n.channel, n.user, number, answer, NULL, 0);
}

static void do_release(shell *s, const pocpf_effect *e)
{
    shell_member *m = shell_member_of(s, e->channel, e->user);
    if (m == NULL)
        return;
    sip_session *session = m->session;
    shell_member_remove(s, m);
    sip_release(session, e->u.release.reason);
}

static void do_serve(shell *s, const pocpf_effect *e)
{
    shell_member *m = shell_member_of(s, e->channel, e->user);
    if (m != NULL)
        relay_session_serve(sip_session_relay(m->session), e->u.serve.multicast);
    if (e->u.serve.multicast)
        s->enabler.ops->announce(s->enabler.ctx, io_now_ms(), e->channel);
}

static void do_gate(shell *s, const pocpf_effect *e)
{
    s->enabler.ops->gate(s->enabler.ctx, io_now_ms(), e->channel, e->u.gate.hold);
}

static bcast_msk msk_of(const pocpf_effect *e)
{
    bcast_msk msk = { .cs_id = e->u.enabler.kind == POCPF_KIND_MUSIK ? e->u.enabler.cs_id : 0,
                      .id = e->u.enabler.msk_id,
                      .seq_low = e->u.enabler.seq_low,
                      .seq_high = e->u.enabler.seq_high,
                      .csb_id = e->u.enabler.csb_id,
                      .rand_len = sizeof(e->u.enabler.rand),
                      .key = (poc_secret *)(uintptr_t)e->u.enabler.msk }; /* borrowed; the enabler takes a ref */
    memcpy(msk.key_domain.b, e->u.enabler.key_domain, sizeof(msk.key_domain.b));
    memcpy(msk.rand, e->u.enabler.rand, sizeof(e->u.enabler.rand));
    return msk;
}

static void enabler_refuses(shell *s, const pocpf_effect *e, poc_err err)
{
    names n = names_of(e);
    if (err == POC_OK)
        return;
    log_event(LOG_LEVEL_ERROR, "enabler_refuses", LOG_TEXT("channel", n.channel),
              LOG_TEXT("reason", poc_err_name(err)));
    (void)pocpf_enabler_changed(s->pf, io_now_ms(), n.channel, POCPF_ENABLER_FAILED);
}

/** What receivers of a MuSiK's channel are told on air comes from the configuration that runs. */
static bcast_channel air_of(const shell_channel *ch)
{
    bcast_channel air = ch->air;
    if (ch->musik == NULL)
        return air;
    air.groups = (const char *const *)ch->musik->groups.item;
    air.group_count = ch->musik->groups.count;
    air.has_tmgi = ch->musik->has_tmgi;
    memcpy(air.tmgi, ch->musik->tmgi, sizeof(air.tmgi));
    return air;
}

static void do_enabler_start(shell *s, const pocpf_effect *e)
{
    const shell_channel *ch = shell_channel_of(s, e->channel);
    const bcast_msk msk = msk_of(e);
    poc_err err = POC_E_BUG;
    if (ch != NULL) {
        const bcast_channel air = air_of(ch);
        err = s->enabler.ops->start(s->enabler.ctx, io_now_ms(), &air, &msk);
    }
    enabler_refuses(s, e, err);
}

static void do_enabler_update(shell *s, const pocpf_effect *e)
{
    bcast_msk msk = msk_of(e);
    enabler_refuses(s, e, s->enabler.ops->update_msk(s->enabler.ctx, io_now_ms(), e->channel, &msk));
}

static void do_enabler_stop(shell *s, const pocpf_effect *e)
{
    s->enabler.ops->stop(s->enabler.ctx, io_now_ms(), e->channel);
}

static void do_subscribe(shell *s, const pocpf_effect *e)
{
    names n = names_of(e);
    if (s->is_draining)
        return;
    poc_err err =
        sip_subscribe(s->sip, n.channel, e->u.subscribe.group_uri, e->u.subscribe.as_user, e->u.subscribe.refresh);
    if (err != POC_OK)
        (void)pocpf_subscription_changed(s->pf, io_now_ms(), n.channel, POCPF_SUB_RETRY, false, SUBSCRIBE_RETRY_MS);
}

static void do_unsubscribe(shell *s, const pocpf_effect *e)
{
    sip_unsubscribe(s->sip, e->channel);
}

static void do_restored(shell *s, const pocpf_effect *e)
{
    names n = names_of(e);
    sip_session *session = NULL;
    poc_err err = sip_session_restore(s->sip, poc_span_of(e->u.restored.dialog, e->u.restored.dialog_len), &session);
    if (err == POC_OK && !shell_mcx_guard(s, session))
        err = POC_E_NOMEM;
    if (err == POC_OK)
        err = shell_member_put(s, n.channel, n.user, session);
    if (err != POC_OK && session != NULL)
        sip_release(session, POCPF_REASON_RESTART);
    if (err == POC_OK) {
        relay_session_channel(sip_session_relay(session), n.channel);
        return;
    }
    log_event(LOG_LEVEL_WARNING, "session_not_restored", LOG_TEXT("channel", n.channel), LOG_TEXT("user", n.user),
              LOG_TEXT("reason", poc_err_name(err)));
    (void)pocpf_member_departed(s->pf, io_now_ms(), n.channel, n.user, POCPF_LOST);
}

static bool is_trouble(pocpf_audit what)
{
    return what == POCPF_AUDIT_CHANNEL_FAILED || what == POCPF_AUDIT_STORE_FAILED;
}

/** One line for what happened; refusals are what peers can cause at will. */
static void do_audit(shell *s, const pocpf_effect *e)
{
    const char *what = pocpf_audit_name(e->u.audit.what);
    const char *reason = e->u.audit.reason == POCPF_REASON_NONE ? NULL : pocpf_reason_name(e->u.audit.reason);
    log_level level = is_trouble(e->u.audit.what) ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
    if (e->u.audit.what == POCPF_AUDIT_REFUSED) {
        log_refusal(what, "state", e->user != NULL ? e->user : e->channel,
                    e->u.audit.detail == NULL ? "" : e->u.audit.detail);
        return;
    }
    const log_field fields[] = { LOG_TEXT("channel", e->channel),
                                 LOG_TEXT("user", e->user),
                                 LOG_TEXT("reason", reason),
                                 LOG_ID("msk_id", e->u.audit.msk_id),
                                 LOG_TEXT("detail", e->u.audit.detail),
                                 LOG_NUMBER("count", e->u.audit.count),
                                 LOG_NUMBER("total", e->u.audit.total) };
    size_t without_counts = POC_COUNT(fields) - 2;
    log_fields(level, what, fields, e->u.audit.total > 0 ? POC_COUNT(fields) : without_counts);
    events_put(s->events, io_now_ms(), e);
    if (e->u.audit.what == POCPF_AUDIT_CSK_LOGGED_OFF)
        shell_mcx_logged_off(s, e->user);
}

typedef void effect_fn(shell *s, const pocpf_effect *e);

static effect_fn *const effect_table[] = {
    [POCPF_DO_PERSIST] = do_persist,
    [POCPF_DO_OFFER] = do_offer,
    [POCPF_DO_RELEASE] = do_release,
    [POCPF_DO_SERVE] = do_serve,
    [POCPF_DO_GATE] = do_gate,
    [POCPF_DO_ENABLER_START] = do_enabler_start,
    [POCPF_DO_ENABLER_UPDATE] = do_enabler_update,
    [POCPF_DO_ENABLER_STOP] = do_enabler_stop,
    [POCPF_DO_SUBSCRIBE] = do_subscribe,
    [POCPF_DO_UNSUBSCRIBE] = do_unsubscribe,
    [POCPF_DO_RESTORED] = do_restored,
    [POCPF_DO_AUDIT] = do_audit,
    [POCPF_DO_PUSH] = shell_push,
    [POCPF_DO_CSK_BOUND] = shell_mcx_bound,
    [POCPF_DO_DOWNLOAD] = shell_mcx_download,
};

void shell_carry_out(shell *s, const pocpf_effect *e)
{
    effect_table[e->type](s, e);
}
