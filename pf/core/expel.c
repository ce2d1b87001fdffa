/* Expulsions. Whoever is expelled is barred; whether he is a member does not matter, nor whether he was ever seen. The key
 * changes when he is a member, or when a key in use has gone astray: then he could be the one who has it. Keys are given to
 * members only, so where none has gone astray nobody else has one. */
#include "pf/core/model.h"

/* The client of one who is expelled holds the same key under the other names that it registered. Whom the focus has in the
 * session under another name is the focus's to remove. */
static void expel_aliases(core_engine *e, const core_channel *ch, poc_span name, const core_event *event)
{
    const core_user *u = poc_table_get(&e->users, name);
    for (core_user *o = NULL; u != NULL && (o = credential_alias(e, u, o)) != NULL;) {
        core_member *m = member_find(e, ch, poc_span_of(o->name, o->name_len));
        if (m != NULL && !m->by_sip)
            (void)member_step(e, m, event);
    }
}

void expel_absent(core_engine *e, core_channel *ch, poc_span name, bool is_firm)
{
    const poc_msk_id held = keyset_held(&ch->keys, 0);
    bars_put(e, ch, name, is_firm);
    core_bar *bar = bars_get(ch, name);
    if (bar != NULL)
        fx_audit_bar(e, bar, CORE_AUDIT_MEMBER_EXPELLED,
                     (fx_figures){ .reason = CORE_REASON_EXPEL, .detail = "was no member" });
    engine_tell_channel(
        e, ch,
        &(core_event){ .type = held != 0 ? CE_EXPELLED : CE_WENT, .reason = CORE_REASON_EXPEL, .given_id = held });
}

static poc_err expel(core_engine *e, core_channel *ch, poc_span name, const core_event *event)
{
    /* Before anything changes: without memory now the call can be made again. */
    POC_TRY(bars_reserve(e, ch, name));
    POC_TRY(kind_bar(e, ch, name, event->is_firm));
    core_member *m = member_find(e, ch, name);
    if (m != NULL)
        POC_TRY(member_step(e, m, event));
    expel_aliases(e, ch, name, event);
    kind_expel_aliases(e, ch, name, event);
    if (m == NULL)
        expel_absent(e, ch, name, event->is_firm);
    return POC_OK;
}

static poc_msk_id target_of(const core_channel *ch)
{
    const core_msk *k = rekey_target(ch);
    return k == NULL ? 0 : k->id;
}

/* The texts of what was handed out last may be arguments: they are let go in the end. */
static poc_err run(core_engine *e, core_channel *ch, const char *user, const core_event *event, core_expulsion *done)
{
    const poc_span name = poc_span_str(user);
    const poc_msk_id before = target_of(ch);
    const uint32_t members = ch->count;
    const poc_err err = expel(e, ch, name, event);
    *done = (core_expulsion){ .was_member = ch->count < members, .barred = core_is_barred(e, ch->id, user) };
    engine_end(e);
    fx_forget(e, &e->handed);
    fx_forget_line(e, &e->handed_line);
    const poc_msk_id after = target_of(ch);
    done->rekeyed = after != 0 && (after != before || (ch->state == C_PREPARE && ch->reason == CORE_REASON_EXPEL));
    return err;
}

poc_err expel_user(core_engine *e, int64_t now_ms, const char *channel, const char *user, bool release)
{
    const core_event event = { .type = ME_EXPELLED, .for_member = true, .release = release };
    core_channel *ch = engine_channel(e, channel);
    core_expulsion done;
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(limits_text(user, CORE_NAME_MAX));
    POC_TRY(engine_begin(e, now_ms));
    return run(e, ch, user, &event, &done);
}

poc_err core_expel(core_engine *e, int64_t now_ms, const char *channel, const char *user, core_expulsion *done)
{
    static const core_event event = { .type = ME_EXPELLED, .for_member = true, .release = true, .is_firm = true };
    core_channel *ch = engine_channel(e, channel);
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(limits_text(user, CORE_NAME_MAX));
    POC_TRY(engine_begin(e, now_ms));
    return run(e, ch, user, &event, done);
}
