/* The events of the door: what comes in is checked, brought before the right table, and its consequences are run. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

/* Every event, after engine_begin and what it does. The last effect is let go only now: its texts may be arguments. */
static poc_err ended(core_engine *e, poc_err err)
{
    engine_end(e);
    fx_forget(e, &e->handed);
    return err;
}

static core_member *find(const core_engine *e, const core_channel *ch, const char *user)
{
    return ch == NULL || user == NULL ? NULL : member_find(e, ch, poc_span_str(user));
}

static bool has_session(const core_channel *ch)
{
    return ch->group_uri[0] != '\0' && ch->kind->has_session;
}

/* ---- channels ---- */

static void group_name(uint8_t out[POC_KEY_DOMAIN_LEN + 2], const core_channel_conf *c)
{
    memcpy(out, c->key_domain.b, POC_KEY_DOMAIN_LEN);
    out[3] = (uint8_t)(c->key_group >> 8);
    out[4] = (uint8_t)c->key_group;
}

static poc_err keygroup_of(core_engine *e, const core_channel_conf *c, core_keygroup **out)
{
    uint8_t name[POC_KEY_DOMAIN_LEN + 2];
    *out = NULL;
    if (c->kind != CORE_KIND_MSK)
        return POC_OK; /* it has no key numbers */
    group_name(name, c);
    return keyset_group(e, name, out);
}

static poc_err check_conf(core_channel_conf *c)
{
    POC_TRY(limits_text(c->id, CORE_ID_MAX));
    if (c->group_uri == NULL)
        c->group_uri = "";
    if (strnlen(c->group_uri, CORE_NAME_MAX + 1) > CORE_NAME_MAX)
        return POC_E_INPUT;
    POC_TRY(limits_policy(&c->rekey));
    if (c->kind != CORE_KIND_MSK)
        return kind_check(c);
    bool can_reach = c->group_uri[0] != '\0' || (c->rekey.delivery & CORE_BY_PUSH) != 0;
    return can_reach ? POC_OK : POC_E_INPUT;
}

static void describe(core_channel *ch, const core_channel_conf *c)
{
    memcpy(ch->group_uri, c->group_uri, strlen(c->group_uri) + 1);
    ch->policy = c->rekey;
}

static poc_err list_channel(core_engine *e, core_channel *ch)
{
    if (e->channel_count == e->channel_room) {
        uint32_t room = e->channel_room == 0 ? 8 : e->channel_room * 2;
        core_channel **more = realloc(e->channel_list, room * sizeof(core_channel *));
        if (more == NULL)
            return POC_E_NOMEM;
        e->channel_list = more;
        e->channel_room = room;
    }
    POC_TRY(poc_table_put(&e->channels, poc_span_str(ch->id), ch));
    const poc_err err = bars_adopt(e, ch);
    if (err == POC_OK)
        e->channel_list[e->channel_count++] = ch;
    else
        (void)poc_table_remove(&e->channels, poc_span_str(ch->id));
    return err;
}

static poc_err new_channel(core_engine *e, const core_channel_conf *c, core_keygroup *g)
{
    uint64_t seeds[2];
    if (e->channel_count >= e->set.channels_max)
        return POC_E_LIMIT;
    POC_TRY(e->set.rng.fill(e->set.rng.ctx, seeds, sizeof(seeds)));
    core_channel *ch = calloc(1, sizeof(*ch));
    if (ch == NULL)
        return POC_E_NOMEM;
    memcpy(ch->id, c->id, strlen(c->id) + 1);
    describe(ch, c);
    ch->group = g;
    const poc_err set = kind_set(ch, c);
    if (set != POC_OK) {
        free(ch);
        return set;
    }
    ch->round = 1; /* members begin with 0: not counted */
    ch->leave_ms = ch->switch_ms = ch->wake_ms = ch->retry_ms = ch->deadline_ms = CORE_NEVER;
    ch->wake_next_ms = ch->solicit_ms = ch->muk_ms = CORE_NEVER;
    poc_table_init(&ch->bars, seeds[0]);
    session_init(&ch->session, seeds[1]);
    poc_err err = list_channel(e, ch);
    if (err != POC_OK) {
        kind_free(ch);
        free(ch);
        return err;
    }
    ch->group->channel = ch;
    return POC_OK;
}

/* A channel that was stopped comes back under its id; who is still in its session may have its key again. */
static poc_err revive(core_engine *e, core_channel *ch, const core_channel_conf *c, core_keygroup *g)
{
    POC_TRY(kind_renew(ch, c));
    if (g != NULL) {
        ch->group->channel = NULL;
        ch->group = g;
        g->channel = ch;
    }
    describe(ch, c);
    engine_touch(e, ch);
    ch->state = C_IDLE;
    ch->reason = CORE_REASON_NONE;
    if (ch->dialogs > 0 && has_session(ch))
        session_open(e, ch);
    for (uint32_t i = 0; i < ch->count; i++) {
        core_member *m = ch->members[i];
        if (m->state == M_UNICAST && m->capable && (m->receives || !m->by_sip))
            engine_tell_member(e, m, ME_BEARER_ON);
    }
    return POC_OK;
}

poc_err core_channel_add(core_engine *e, int64_t now_ms, const core_channel_conf *conf)
{
    core_channel_conf c = *conf;
    core_keygroup *g;
    POC_TRY(check_conf(&c));
    POC_TRY(engine_begin(e, now_ms));
    POC_TRY(keygroup_of(e, &c, &g));
    core_channel *old = engine_channel(e, c.id);
    if (old != NULL && old->kind->kind != c.kind)
        return POC_E_STATE;
    bool is_free = g == NULL     ? old == NULL || old->state == C_CLOSED
                   : old == NULL ? g->channel == NULL
                                 : old->state == C_CLOSED && (g->channel == NULL || g == old->group) &&
                                       (old->dialogs == 0 || c.group_uri[0] != '\0');
    if (!is_free)
        return POC_E_STATE;
    return ended(e, old == NULL ? new_channel(e, &c, g) : revive(e, old, &c, g));
}

poc_err core_channel_change(core_engine *e, int64_t now_ms, const core_channel_conf *conf)
{
    core_channel_conf c = *conf;
    uint8_t name[POC_KEY_DOMAIN_LEN + 2];
    POC_TRY(check_conf(&c));
    core_channel *ch = engine_channel(e, c.id);
    group_name(name, &c);
    if (ch == NULL || ch->state == C_CLOSED || ch->kind->kind != c.kind ||
        (c.kind == CORE_KIND_MSK && memcmp(name, ch->group->name, sizeof(name)) != 0) ||
        has_session(ch) != (c.group_uri[0] != '\0'))
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    describe(ch, &c);
    engine_touch(e, ch);
    return ended(e, POC_OK);
}

poc_err core_channel_stop(core_engine *e, int64_t now_ms, const char *channel)
{
    core_channel *ch = engine_channel(e, channel);
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    return ended(e, channel_do(e, ch, CE_STOP));
}

/* ---- users and members ---- */

poc_err core_authenticated(core_engine *e, int64_t now_ms, const core_credential *c)
{
    core_user *u;
    POC_TRY(limits_text(c->user, CORE_NAME_MAX));
    POC_TRY(limits_text(c->btid, POC_BTID_MAX));
    if (c->muk == NULL || poc_secret_len(c->muk) != POC_MUK_LEN)
        return POC_E_INPUT;
    POC_TRY(engine_begin(e, now_ms));
    POC_TRY(credential_user(e, &u, poc_span_str(c->user)));
    POC_TRY(credential_set(e, u, c));
    credential_contact(u);
    for (core_member *m = u->memberships; m != NULL; m = m->next_of_user) {
        m->renewal_asked = false;
        solicit_watch(e, m);
        if (m->channel->kind->kind == CORE_KIND_MSK && credential_works(u, e->now_ms))
            engine_tell_member(e, m, ME_MUK);
    }
    if (u->memberships != NULL)
        fx_persist(e);
    return ended(e, POC_OK);
}

static void settle_in(core_engine *e, core_member *m)
{
    engine_touch(e, m->channel);
    journal_mark(e, &m->durable);
    if (m->user->unsaved)
        journal_mark(e, &m->user->durable);
    fx_persist(e);
    if (m->channel->state != C_CLOSED)
        session_open(e, m->channel);
    m->seen = roster_has(&m->channel->session.roster, member_name(m));
    solicit_watch(e, m);
    if (m->state == M_UNICAST)
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_UNICAST, CORE_REASON_NONE, "the client cannot receive multicast");
    else if (credential_works(m->user, e->now_ms))
        engine_tell_member(e, m, ME_MUK);
    else
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_UNICAST, CORE_REASON_NONE, "no MUK: bootstrap first");
}

/* The CF has let him in: so do we, unless it was not for the CF to decide. */
static poc_err check_bar(const core_channel *ch, const char *user)
{
    if (bars_hold(ch, poc_span_str(user)))
        return POC_E_DENIED;
    return ch->firm_bar_lost ? POC_E_LIMIT : POC_OK;
}

poc_err core_join_check(const core_engine *e, const char *channel, const char *user)
{
    const core_channel *ch = engine_channel(e, channel);
    if (ch == NULL || user == NULL)
        return POC_E_STATE;
    return find(e, ch, user) != NULL ? POC_OK : check_bar(ch, user);
}

static void lift_bar(core_engine *e, core_channel *ch, const char *user)
{
    core_bar *bar = bars_get(ch, poc_span_str(user));
    if (bar != NULL)
        bars_lift(e, bar);
}

/* One who was registered only has come by SIP as well; his lines are still to be opened. */
static poc_err add_dialog(core_engine *e, core_member *m, const core_join *join)
{
    POC_TRY(member_set_dialog(e, m, join->dialog));
    m->capable = join->multicast_capable;
    if (!m->registered)
        member_set_address(m, join->address);
    journal_mark(e, &m->durable);
    fx_persist(e);
    if (m->channel->state != C_CLOSED)
        session_open(e, m->channel);
    return m->capable ? member_do(e, m, ME_DIALOG) : POC_OK;
}

static poc_err join_anew(core_engine *e, core_channel *ch, const core_join *join)
{
    core_member *m;
    POC_TRY(member_new(e, ch, &m, poc_span_str(join->user), &join->dialog));
    lift_bar(e, ch, join->user);
    member_set_address(m, join->address);
    m->capable = join->multicast_capable;
    m->state = m->capable && ch->state != C_CLOSED ? M_WAIT_KEY : M_UNICAST;
    settle_in(e, m);
    return POC_OK;
}

poc_err core_member_joined(core_engine *e, int64_t now_ms, const core_join *join)
{
    POC_TRY(limits_text(join->user, CORE_NAME_MAX));
    if (join->dialog.n > CORE_DIALOG_MAX || join->address.n > CORE_ADDRESS_MAX)
        return POC_E_INPUT;
    core_channel *ch = engine_channel(e, join->channel);
    core_member *m = find(e, ch, join->user);
    if (ch == NULL || !has_session(ch) || (m != NULL && m->by_sip))
        return POC_E_STATE;
    POC_TRY(core_join_check(e, join->channel, join->user));
    if (m == NULL && e->member_count >= e->set.members_max)
        return POC_E_LIMIT;
    POC_TRY(engine_begin(e, now_ms));
    return ended(e, m != NULL ? add_dialog(e, m, join) : join_anew(e, ch, join));
}

poc_err core_member_departed(core_engine *e, int64_t now_ms, const char *channel, const char *user, core_departure how)
{
    core_member *m = find(e, engine_channel(e, channel), user);
    if ((unsigned)how >= CORE_DEPARTURE_COUNT)
        return POC_E_INPUT;
    if (how == CORE_EXPELLED || (how == CORE_REMOVED && m != NULL))
        return expel_user(e, now_ms, channel, user, how == CORE_EXPELLED);
    if (m == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    return ended(e, member_do(e, m, ME_LEFT));
}

poc_err core_member_bearer(core_engine *e, int64_t now_ms, const char *channel, const char *user, bool receives)
{
    core_member *m = find(e, engine_channel(e, channel), user);
    if (m == NULL || !m->by_sip || !m->capable || m->channel->state == C_CLOSED)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    bool is_news = m->state == M_UNICAST || m->receives != receives;
    if (!is_news)
        return ended(e, engine_refuse(e, m->channel, m, receives ? "bearer_on" : "bearer_off"));
    return ended(e, member_do(e, m, receives ? ME_BEARER_ON : ME_BEARER_OFF));
}

poc_err core_rekey(core_engine *e, int64_t now_ms, const char *channel)
{
    core_channel *ch = engine_channel(e, channel);
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    return ended(e, channel_step(e, ch, &(core_event){ .type = CE_REKEY, .reason = CORE_REASON_OPERATOR }));
}

/* ---- answers ---- */

/* The MUK may have been renewed while the offer was out; and there may have been more than one message. */
static bool verified(const core_engine *e, const core_member *m, const core_msk *key, poc_span message)
{
    mikey_msg msg;
    if (message.n == 0)
        return !e->set.require_verification;
    if (mikey_decode(&msg, message, NULL) != POC_OK || msg.counter - m->first_counter > m->counter - m->first_counter)
        return false;
    mikey_expected expected = { .csb_id = key->csb_id,
                                .counter = msg.counter,
                                .rand = poc_span_of(key->rand, sizeof(key->rand)),
                                .idi = e->set.naf_id,
                                .idr = poc_span_of(m->user->btid, m->user->btid_len),
                                .accept_ts64 = e->set.accept_ts64 };
    const poc_secret *muks[2] = { m->user->muk.key, m->user->before == NULL ? NULL : m->user->before->key };
    for (size_t i = 0; i < 2; i++)
        if (muks[i] != NULL && mikey_verification_check(&msg, &expected, muks[i]) == POC_OK)
            return true;
    return false;
}

static const struct {
    member_event event;
    const char *detail;
} answer_rows[CORE_ANSWER_COUNT] = {
    [CORE_ANSWER_ACCEPTED] = { ME_ACCEPTED, NULL },
    [CORE_ANSWER_UNICAST] = { ME_DECLINED, NULL },
    [CORE_ANSWER_WRONG] = { ME_REFUSED, "the answer does not fit the offer" },
    [CORE_ANSWER_REFUSED] = { ME_REFUSED, "the client refused the offer" },
    [CORE_ANSWER_TIMEOUT] = { ME_TIMEOUT, NULL },
    [CORE_ANSWER_GONE] = { ME_LEFT, NULL },
};

static poc_err answer(core_engine *e, core_member *m, core_answer a, poc_span verification)
{
    const core_msk *key = seal_key(m->channel, m->offered_id);
    core_event event = { .type = (uint8_t)answer_rows[a].event,
                         .for_member = true,
                         .lines = a == CORE_ANSWER_ACCEPTED,
                         .detail = answer_rows[a].detail };
    if (key == NULL && a != CORE_ANSWER_GONE)
        return POC_E_STATE; /* that key will never be used */
    if (a == CORE_ANSWER_ACCEPTED && !verified(e, m, key, verification)) {
        event.type = ME_REFUSED;
        event.detail = "the verification message does not hold";
    }
    if (event.type == ME_REFUSED && m->channel->policy.on_refusal == CORE_REFUSAL_RELEASE) {
        event.type = ME_RELEASED;
        event.release = true;
    }
    return member_step(e, m, &event);
}

poc_err core_offer_answered(core_engine *e, int64_t now_ms, const char *channel, const char *user, uint64_t offer,
                            core_answer a, poc_span verification)
{
    core_member *m = find(e, engine_channel(e, channel), user);
    if ((unsigned)a >= CORE_ANSWER_COUNT)
        return POC_E_INPUT;
    if (m == NULL || offer == 0 || m->offer != offer || !m->emitted)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    if (m->offer_kind != CORE_OFFER_WITHDRAW)
        return ended(e, answer(e, m, a, verification));
    m->offer = 0;
    return ended(e, a == CORE_ANSWER_GONE ? member_do(e, m, ME_LEFT) : POC_OK);
}

/* ---- conference, enabler, store ---- */

poc_err core_conference_info(core_engine *e, int64_t now_ms, const char *channel, const core_conference *document)
{
    core_channel *ch = engine_channel(e, channel);
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    return ended(e, session_document(e, ch, document));
}

poc_err core_subscription_changed(core_engine *e, int64_t now_ms, const char *channel, core_subscription what,
                                  bool fresh, uint32_t retry_ms)
{
    core_channel *ch = engine_channel(e, channel);
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    return ended(e, session_changed(e, ch, what, fresh, retry_ms));
}

poc_err core_enabler_changed(core_engine *e, int64_t now_ms, const char *channel, core_enabler what)
{
    static const channel_event events[CORE_ENABLER_COUNT] = {
        [CORE_ENABLER_STARTED] = CE_STARTED, [CORE_ENABLER_FAILED] = CE_ENABLER_FAILED, [CORE_ENABLER_DOWN] = CE_DOWN,
        [CORE_ENABLER_UP] = CE_UP,           [CORE_ENABLER_STOPPED] = CE_STOPPED,
    };
    core_channel *ch = engine_channel(e, channel);
    if ((unsigned)what >= CORE_ENABLER_COUNT)
        return POC_E_INPUT;
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    return ended(e, channel_do(e, ch, events[what]));
}

poc_err core_mtk_made(core_engine *e, int64_t now_ms, const char *channel, poc_msk_id msk_id, uint32_t mtks)
{
    core_channel *ch = engine_channel(e, channel);
    if (ch == NULL)
        return POC_E_STATE;
    bool is_current = ch->keys.current != NULL && ch->keys.current->id == msk_id;
    if (!is_current || ch->state != C_ACTIVE || !policy_mtk_due(ch, mtks))
        return POC_OK;
    POC_TRY(engine_begin(e, now_ms));
    return ended(e, channel_step(e, ch, &(core_event){ .type = CE_REKEY, .reason = CORE_REASON_MAX_MTK }));
}

poc_err core_persisted(core_engine *e, int64_t now_ms, bool ok)
{
    if (!e->waiting)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    e->waiting = false;
    if (ok) {
        journal_kept(e);
        return ended(e, POC_OK);
    }
    journal_lost(e);
    fx_store_failed(e);
    return ended(e, POC_OK);
}

static void resume(core_engine *e, core_channel *ch)
{
    engine_touch(e, ch);
    ch->reason = ch->count > 0 ? CORE_REASON_RESTART : CORE_REASON_NONE;
    for (uint32_t i = 0; i < ch->count; i++)
        if (ch->members[i]->by_sip && ch->kind->has_session)
            fx_restored(e, ch->members[i]);
    for (uint32_t i = 0; i < ch->count; i++) {
        core_member *m = ch->members[i];
        solicit_watch(e, m);
        if (m->state == M_WAIT_KEY && ch->kind->reaches(e, m))
            (void)member_do(e, m, ME_MUK);
        engine_settle(e);
    }
    if (ch->dialogs > 0 && has_session(ch))
        session_open(e, ch);
}

poc_err core_restored(core_engine *e, int64_t now_ms)
{
    if (!e->restoring)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    e->restoring = false;
    for (uint32_t i = 0; i < e->channel_count; i++)
        resume(e, e->channel_list[i]);
    download_resume(e);
    clock_begin(e);
    return ended(e, POC_OK);
}

/* ---- looking ---- */

poc_err core_channel_look(const core_engine *e, const char *channel, core_channel_status *out)
{
    const core_channel *ch = engine_channel(e, channel);
    if (ch == NULL)
        return POC_E_STATE;
    *out = (core_channel_status){ .state = channel_state_name(ch),
                                  .msk_id = ch->keys.current == NULL ? 0 : ch->keys.current->id,
                                  .next_msk_id = ch->keys.next == NULL ? 0 : ch->keys.next->id,
                                  .members = ch->count,
                                  .blind = ch->session.blind,
                                  .held = ch->held };
    for (uint32_t i = 0; i < ch->count; i++) {
        out->confirmed += ch->members[i]->holds_current;
        out->unicast += ch->members[i]->by_sip && !ch->members[i]->served;
    }
    return POC_OK;
}

static core_member_status describe_member(const core_member *m)
{
    return (core_member_status){ .user = member_name(m),
                                 .state = member_state_name(m),
                                 .msk_id = m->confirmed_id,
                                 .by_sip = m->by_sip,
                                 .address = member_address(m) };
}

bool core_member_next(const core_engine *e, const char *channel, size_t *at, core_member_status *out)
{
    const core_channel *ch = engine_channel(e, channel);
    if (ch == NULL || *at >= ch->count)
        return false;
    *out = describe_member(ch->members[(*at)++]);
    return true;
}

poc_err core_member_look(const core_engine *e, const char *channel, const char *user, core_member_status *out)
{
    const core_member *m = find(e, engine_channel(e, channel), user);
    if (m == NULL)
        return POC_E_STATE;
    *out = describe_member(m);
    return POC_OK;
}
