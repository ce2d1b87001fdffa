/* What happened outside, told to the engine. Every call is followed by a pump: effects come in the order of their causes. */
#include "pf/io/shell_private.h"

enum { DIALOG_MAX = 2048 };

/* ---- SIP ---- */

static const bcast_channel *on_channel_of(void *user, const char *group_uri)
{
    const shell *s = (const shell *)user;
    const shell_channel *ch = (const shell_channel *)poc_table_get(&s->groups, poc_span_str(group_uri));
    return ch == NULL ? NULL : &ch->air;
}

static bool on_is_shut_out(void *user, const char *channel, const char *impu)
{
    return pocpf_join_check(((const shell *)user)->pf, channel, impu) == POCPF_E_DENIED;
}

static void on_authenticated(void *user, const char *impu, const gba_naf_user *who)
{
    shell *s = (shell *)user;
    pocpf_credential credential = { .size = sizeof(credential),
                                    .user = impu,
                                    .btid = who->btid,
                                    .muk = who->muk,
                                    .expires_ms = who->expires_s * 1000 };
    pocpf_err err = pocpf_authenticated(s->pf, io_now_ms(), &credential);
    if (err != POCPF_OK)
        log_refusal("credential_refused", pocpf_err_name(err), impu, "the engine does not take this credential");
    shell_pump(s);
}

/** POCPF_E_DENIED: the operator has expelled him since his INVITE. */
static pocpf_err join(shell *s, sip_session *session)
{
    uint8_t dialog[DIALOG_MAX], address[PUSH_ADDRESS_MAX];
    poc_wr record = poc_wr_into(dialog, sizeof(dialog));
    if (sip_session_save(session, &record) != POC_OK)
        record.len = 0; /* he has to come again after a restart */
    pocpf_join j = { .size = sizeof(j),
                     .channel = sip_session_channel(session),
                     .user = sip_session_user(session),
                     .multicast_capable = sip_session_capable(session),
                     .dialog = dialog,
                     .dialog_len = record.len,
                     .push_address = address,
                     .push_address_len = shell_push_address(s, session, address) };
    pocpf_err err = pocpf_member_joined(s->pf, io_now_ms(), &j);
    if (err != POCPF_OK)
        log_refusal("join_refused", pocpf_err_name(err), j.user,
                    err == POCPF_E_DENIED ? "expelled by the operator"
                                          : "stays on unicast: the engine does not take this member");
    return err;
}

/** The newest session of a user is the one that is a member: he may have lost the older one without a word (a crash, a dead
 *  network). That one goes on by unicast until its timer ends it. */
static poc_err supersede(shell *s, shell_member *m, sip_session *session)
{
    const char *channel = sip_session_channel(session), *who = sip_session_user(session);
    relay_session_serve(sip_session_relay(m->session), false);
    shell_member_remove(s, m);
    (void)pocpf_member_departed(s->pf, io_now_ms(), channel, who, POCPF_LOST);
    shell_pump(s);
    return shell_member_put(s, channel, who, session);
}

static void on_session_up(void *user, sip_session *session)
{
    shell *s = (shell *)user;
    const char *channel = sip_session_channel(session), *who = sip_session_user(session);
    if (s->is_draining)
        return;
    if (!shell_mcx_guard(s, session)) {
        sip_release(session, POCPF_REASON_NONE);
        return;
    }
    if (channel == NULL)
        return;
    shell_member *older = shell_member_of(s, channel, who);
    poc_err err = older == NULL ? shell_member_put(s, channel, who, session) : supersede(s, older, session);
    if (err != POC_OK) {
        log_refusal("join_refused", poc_err_name(err), who, "stays on unicast: no room for another member");
        return;
    }
    relay_session_channel(sip_session_relay(session), channel);
    if (join(s, session) == POCPF_E_DENIED) {
        shell_member_remove(s, shell_member_of(s, channel, who));
        sip_release(session, POCPF_REASON_EXPEL);
    }
    shell_pump(s);
}

/** The member behind a session; NULL for a plain one, or a user's second one. */
static shell_member *member_behind(const shell *s, const sip_session *session)
{
    const char *channel = sip_session_channel(session);
    shell_member *m = channel == NULL ? NULL : shell_member_of(s, channel, sip_session_user(session));
    return m != NULL && m->session == session ? m : NULL;
}

void shell_session_end(shell *s, sip_session *session)
{
    shell_member *m = member_behind(s, session);
    if (m != NULL) {
        shell_member_remove(s, m);
        (void)pocpf_member_departed(s->pf, io_now_ms(), sip_session_channel(session), sip_session_user(session),
                                    POCPF_LOST);
    }
    sip_release(session, POCPF_REASON_NONE);
}

static void on_session_down(void *user, sip_session *session, pocpf_departure how)
{
    shell *s = (shell *)user;
    shell_member *m = member_behind(s, session);
    if (m == NULL)
        return;
    shell_member_remove(s, m);
    (void)pocpf_member_departed(s->pf, io_now_ms(), sip_session_channel(session), sip_session_user(session), how);
    shell_pump(s);
}

static void on_bearer(void *user, sip_session *session, bool receives)
{
    shell *s = (shell *)user;
    if (member_behind(s, session) == NULL)
        return;
    (void)pocpf_member_bearer(s->pf, io_now_ms(), sip_session_channel(session), sip_session_user(session), receives);
    shell_pump(s);
}

static const char *const answer_names[] = {
    [POCPF_ANSWER_ACCEPTED] = "accepted", [POCPF_ANSWER_UNICAST] = "unicast", [POCPF_ANSWER_WRONG] = "wrong",
    [POCPF_ANSWER_REFUSED] = "refused",   [POCPF_ANSWER_TIMEOUT] = "timeout", [POCPF_ANSWER_GONE] = "gone",
};

static void on_answered(void *user, sip_session *session, uint64_t number, pocpf_answer answer, poc_span verification,
                        const char *why)
{
    shell *s = (shell *)user;
    const char *channel = sip_session_channel(session), *who = sip_session_user(session);
    if (answer != POCPF_ANSWER_ACCEPTED)
        log_refusal("offer_not_accepted", answer_names[answer], who, why == NULL ? "" : why);
    (void)pocpf_offer_answered(s->pf, io_now_ms(), channel, who, number, answer, verification.p, verification.n);
    shell_pump(s);
}

static void on_conference(void *user, const char *channel, const pocpf_conference *document)
{
    shell *s = (shell *)user;
    pocpf_err err = pocpf_conference_info(s->pf, io_now_ms(), channel, document);
    if (err != POCPF_OK)
        log_refusal("conference_refused", pocpf_err_name(err), channel,
                    "a conference document does not fit what is known");
    shell_pump(s);
}

static void on_subscription(void *user, const char *channel, pocpf_subscription what, bool fresh, uint32_t retry_ms)
{
    shell *s = (shell *)user;
    (void)pocpf_subscription_changed(s->pf, io_now_ms(), channel, what, fresh, retry_ms);
    shell_pump(s);
}

static void on_refused(void *user, poc_err kind, const char *who, const char *reason)
{
    (void)user;
    log_refusal("refused", poc_err_name(kind), who, reason);
}

const sip_events shell_sip_events = {
    .channel_of = on_channel_of,
    .is_shut_out = on_is_shut_out,
    .authenticated = on_authenticated,
    .session_up = on_session_up,
    .session_down = on_session_down,
    .bearer = on_bearer,
    .answered = on_answered,
    .conference = on_conference,
    .subscription = on_subscription,
    .refused = on_refused,
    .content = shell_content,
    .mcx = shell_mcx_request,
    .mcx_sent = shell_mcx_sent,
};

/* ---- media, enabler, store ---- */

/** The hot path: no engine call. A packet that cannot be protected goes nowhere (fail closed). */
void shell_feed(void *user, const char *channel, bcast_flow flow, poc_span packet)
{
    shell *s = (shell *)user;
    poc_err err = s->enabler.ops->send(s->enabler.ctx, io_now_ms(), channel, flow, packet);
    if (err != POC_OK && err != POC_E_STATE) /* not on air: everybody has his unicast copy */
        log_refusal("packet_not_sent", poc_err_name(err), channel, "the enabler does not take this packet");
}

static const struct {
    pocpf_enabler what;
    log_level level;
    const char *name;
} enabler_news[] = {
    [BCAST_STARTED] = { POCPF_ENABLER_STARTED, LOG_LEVEL_INFO, "enabler_started" },
    [BCAST_FAILED] = { POCPF_ENABLER_FAILED, LOG_LEVEL_ERROR, "enabler_failed" },
    [BCAST_DOWN] = { POCPF_ENABLER_DOWN, LOG_LEVEL_ERROR, "enabler_down" },
    [BCAST_UP] = { POCPF_ENABLER_UP, LOG_LEVEL_INFO, "enabler_up" },
    [BCAST_STOPPED] = { POCPF_ENABLER_STOPPED, LOG_LEVEL_INFO, "enabler_stopped" },
};

void shell_enabler_event(void *user, const char *channel_id, bcast_event event, const char *why)
{
    shell *s = (shell *)user;
    log_event(enabler_news[event].level, enabler_news[event].name, LOG_TEXT("channel", channel_id),
              LOG_TEXT("reason", why[0] == '\0' ? NULL : why));
    (void)pocpf_enabler_changed(s->pf, io_now_ms(), channel_id, enabler_news[event].what);
    shell_pump(s);
}

void shell_mtk_made(void *user, const char *channel_id, poc_msk_id msk_id, uint32_t mtks)
{
    shell *s = (shell *)user;
    (void)pocpf_mtk_made(s->pf, io_now_ms(), channel_id, msk_id, mtks);
    shell_pump(s);
}

void shell_persisted(void *user, bool ok, const char *why)
{
    shell *s = (shell *)user;
    if (!ok)
        log_event(LOG_LEVEL_ERROR, "store_failed", LOG_TEXT("reason", why));
    s->writes_ended++;
    (void)pocpf_persisted(s->pf, io_now_ms(), ok);
    shell_durable(s, ok ? pocpf_changes_durable(s->pf) : UINT64_MAX, ok);
    shell_pump(s);
    shell_drain_look(s);
}
