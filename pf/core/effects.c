/* The queue of what is to be done, and the way out of it. A PERSIST in the queue is only a mark: what is written is what
 * is not durable when its turn comes, so that one write serves all that happened meanwhile. Key messages are sealed in
 * batches when their turn comes, so that none is made for an offer that has become void. */
#include "pf/core/model.h"

static core_todo *push(core_engine *e, core_ring *ring, core_effect_type type, core_channel *ch, core_member *m)
{
    core_todo *t = ring_push(ring);
    if (t == NULL) {
        e->overrun = true; /* the channels fail closed at the next call */
        return NULL;
    }
    *t = (core_todo){ .type = (uint8_t)type, .channel = ch, .member = m };
    if (m != NULL)
        m->refs++;
    return t;
}

static core_todo *push_flag(core_engine *e, core_effect_type type, core_channel *ch, core_member *m, bool on)
{
    core_todo *t = push(e, &e->todo, type, ch, m);
    if (t != NULL)
        t->u.on = on;
    return t;
}

void fx_persist(core_engine *e)
{
    /* The mark whose write is under way is taken away should the write fail: what comes now needs its own. */
    size_t n = e->todo.count, busy = e->waiting ? 1 : 0;
    if (n > busy && ((core_todo *)ring_at(&e->todo, n - 1))->type == CORE_DO_PERSIST)
        return;
    (void)push(e, &e->todo, CORE_DO_PERSIST, NULL, NULL);
}

void fx_offer(core_engine *e, core_member *m)
{
    core_todo *t = push(e, &e->todo, CORE_DO_OFFER, m->channel, m);
    if (t == NULL)
        return;
    t->kind = m->offer_kind;
    t->u.offer = m->offer;
}

void fx_release(core_engine *e, core_member *m, core_reason reason)
{
    core_todo *t = push(e, &e->todo, CORE_DO_RELEASE, m->channel, m);
    if (t != NULL)
        t->reason = (uint8_t)reason;
}

void fx_serve(core_engine *e, core_member *m, bool multicast)
{
    (void)push_flag(e, CORE_DO_SERVE, m->channel, m, multicast);
}

void fx_gate(core_engine *e, core_channel *ch, bool hold)
{
    core_todo *t = push(e, &e->todo, CORE_DO_GATE, ch, NULL);
    if (t == NULL)
        return;
    t->u.gate.hold = hold;
    e->holds_queued += hold;
    e->hold_waits |= hold;
}

void fx_enabler(core_engine *e, core_channel *ch, core_effect_type type)
{
    core_todo *t = push(e, &e->todo, type, ch, NULL);
    if (t != NULL && type != CORE_DO_ENABLER_STOP)
        t->u.msk = keyset_ref(ch->keys.current);
}

void fx_subscribe(core_engine *e, core_channel *ch, core_member *as, bool refresh)
{
    (void)push_flag(e, CORE_DO_SUBSCRIBE, ch, as, refresh);
}

void fx_unsubscribe(core_engine *e, core_channel *ch)
{
    (void)push(e, &e->todo, CORE_DO_UNSUBSCRIBE, ch, NULL);
}

void fx_restored(core_engine *e, core_member *m)
{
    (void)push(e, &e->todo, CORE_DO_RESTORED, m->channel, m);
}

static void audit(core_engine *e, core_channel *ch, core_member *m, core_audit what, fx_figures f)
{
    core_todo *t = push(e, &e->tell, CORE_DO_AUDIT, ch, m);
    if (t == NULL)
        return;
    t->kind = (uint8_t)what;
    t->reason = (uint8_t)f.reason;
    t->u.audit.msk_id = f.msk_id;
    t->u.audit.count = f.count;
    t->u.audit.total = f.total;
    t->u.audit.detail = f.detail;
}

void fx_audit_channel(core_engine *e, core_channel *ch, core_audit what, fx_figures figures)
{
    audit(e, ch, NULL, what, figures);
}

void fx_audit_member(core_engine *e, core_member *m, core_audit what, core_reason reason, const char *detail)
{
    bool has_key = what == CORE_AUDIT_MEMBER_IN || what == CORE_AUDIT_MEMBER_CONFIRMED;
    audit(e, m->channel, m, what,
          (fx_figures){ .reason = reason, .msk_id = has_key ? m->offered_id : 0, .detail = detail });
}

void fx_forget(core_engine *e, core_todo *t)
{
    if (t->type == CORE_DO_ENABLER_START || t->type == CORE_DO_ENABLER_UPDATE)
        keyset_unref(t->u.msk);
    core_member *m = t->member;
    *t = (core_todo){ 0 };
    member_unref(e, m);
}

void fx_drop_keys(core_engine *e, core_channel *ch)
{
    for (size_t i = 0; i < e->todo.count; i++) {
        core_todo *t = ring_at(&e->todo, i);
        bool needs_key = t->type == CORE_DO_ENABLER_START || t->type == CORE_DO_ENABLER_UPDATE ||
                         (t->type == CORE_DO_SERVE && t->u.on);
        if (t->channel == ch && needs_key)
            fx_forget(e, t);
    }
}

/* ---- sealing ---- */

static const core_msk *key_of(const core_channel *ch, poc_msk_id id)
{
    if (ch->keys.next != NULL && ch->keys.next->id == id)
        return ch->keys.next;
    return ch->keys.current != NULL && ch->keys.current->id == id ? ch->keys.current : NULL;
}

static bool is_void(const core_todo *t)
{
    const core_member *m = t->member;
    if (m->state == M_OUT || m->offer != t->u.offer)
        return true;
    return t->kind != CORE_OFFER_WITHDRAW && key_of(m->channel, m->offered_id) == NULL;
}

static mikey_msk_params params_of(const core_engine *e, const core_channel *ch, const core_msk *key)
{
    mikey_msk_params p = { .msk_id = key->id,
                           .csb_id = key->csb_id,
                           .seq_low = 0,
                           .seq_high = UINT16_MAX,
                           .wants_verification = e->set.require_verification,
                           .sdp_ids = e->set.sdp_ids,
                           .key_type = MIKEY_TGK,
                           .idi_type = e->set.idi_fqdn ? MIKEY_ID_NAI : MIKEY_ID_URI,
                           .idi = e->set.naf_id,
                           .idr_type = MIKEY_ID_NAI };
    for (size_t i = 0; i < POC_KEY_DOMAIN_LEN; i++)
        p.key_domain.b[i] = ch->group->name[i];
    for (size_t i = 0; i < CORE_RAND_LEN; i++)
        p.rand[i] = key->rand[i];
    return p;
}

/* The offers that stand in the queue from its head on, as many as belong to the same key. */
static size_t gather(core_engine *e, const core_msk *key)
{
    size_t n = 0;
    for (size_t i = 0; i < e->todo.count && n < CORE_SEAL_BATCH; i++) {
        core_todo *t = ring_at(&e->todo, i);
        if (t->type != CORE_DO_OFFER || t->kind == CORE_OFFER_WITHDRAW || is_void(t))
            continue;
        core_member *m = t->member;
        if (key_of(m->channel, m->offered_id) != key)
            break;
        e->jobs[n] = (mikey_msk_job){ .muk = m->user->muk.key,
                                      .idr = poc_span_of(m->user->btid, m->user->btid_len),
                                      .counter = m->offer_counter,
                                      .out = e->sealed[n],
                                      .cap = CORE_SEAL_ROOM };
        t->slot = (uint8_t)++n;
    }
    return n;
}

static poc_err sealed(core_engine *e, core_todo *t)
{
    if (t->slot == 0) {
        const core_channel *ch = t->channel;
        const core_msk *key = key_of(ch, t->member->offered_id);
        mikey_msk_params params = params_of(e, ch, key);
        size_t n = gather(e, key);
        (void)mikey_msk_seal(&params, key->key, e->jobs, n); /* each job says for itself */
    }
    return e->jobs[t->slot - 1].err;
}

/* ---- the way out ---- */

typedef bool show_fn(core_engine *e, core_todo *t, core_effect *out); /* false: nothing to do after all */

static bool show_offer(core_engine *e, core_todo *t, core_effect *out)
{
    core_member *m = t->member;
    if (is_void(t))
        return false;
    out->u.offer.number = t->u.offer;
    out->u.offer.kind = (core_offer_kind)t->kind;
    out->u.offer.timeout_ms = policy_deadline_ms(t->channel);
    out->u.offer.mikey = poc_span_of(e->sealed, 0);
    m->emitted = true;
    if (t->kind == CORE_OFFER_WITHDRAW)
        return true;
    if (sealed(e, t) != POC_OK) {
        m->emitted = false;
        engine_tell_member(e, m, ME_TIMEOUT);
        return false;
    }
    const mikey_msk_job *job = &e->jobs[t->slot - 1];
    out->u.offer.msk_id = m->given_id = m->offered_id;
    out->u.offer.mikey = poc_span_of(job->out, job->len);
    int64_t left_ms = m->wake_ms - e->now_ms;
    out->u.offer.timeout_ms = left_ms < 1                      ? 1
                              : left_ms > CORE_DEADLINE_MAX_MS ? CORE_DEADLINE_MAX_MS
                                                               : (uint32_t)left_ms;
    return true;
}

static bool show_release(core_engine *e, core_todo *t, core_effect *out)
{
    (void)e;
    out->u.release = (core_reason)t->reason;
    return true;
}

static bool show_serve(core_engine *e, core_todo *t, core_effect *out)
{
    (void)e;
    out->u.multicast = t->u.on;
    return t->member->state != M_OUT;
}

/* A hold that is wanted again may have overtaken this opening, and must not be undone by it. */
static bool show_gate(core_engine *e, core_todo *t, core_effect *out)
{
    out->u.hold = t->u.gate.hold;
    e->holds_queued -= t->u.gate.hold;
    return t->u.gate.hold || !t->channel->held;
}

static bool show_key(core_engine *e, core_todo *t, core_effect *out)
{
    (void)e;
    const core_msk *key = t->u.msk;
    if (key == NULL)
        return false;
    for (size_t i = 0; i < POC_KEY_DOMAIN_LEN; i++)
        out->u.enabler.key_domain.b[i] = t->channel->group->name[i];
    out->u.enabler.msk_id = key->id;
    out->u.enabler.seq_low = 0;
    out->u.enabler.seq_high = UINT16_MAX;
    out->u.enabler.csb_id = key->csb_id;
    out->u.enabler.rand = key->rand;
    out->u.enabler.msk = key->key;
    return true;
}

static bool show_plain(core_engine *e, core_todo *t, core_effect *out)
{
    (void)e, (void)t, (void)out;
    return true;
}

static bool show_subscribe(core_engine *e, core_todo *t, core_effect *out)
{
    (void)e;
    out->user = NULL;
    out->u.subscribe.group_uri = t->channel->group_uri;
    out->u.subscribe.as_user = t->member == NULL ? NULL : t->member->name;
    out->u.subscribe.refresh = t->u.on;
    return true;
}

static bool show_restored(core_engine *e, core_todo *t, core_effect *out)
{
    (void)e;
    out->u.dialog = member_dialog(t->member);
    return true;
}

static bool show_audit(core_engine *e, core_todo *t, core_effect *out)
{
    (void)e;
    out->u.audit.what = (core_audit)t->kind;
    out->u.audit.reason = (core_reason)t->reason;
    out->u.audit.msk_id = t->u.audit.msk_id;
    out->u.audit.count = t->u.audit.count;
    out->u.audit.total = t->u.audit.total;
    out->u.audit.detail = t->u.audit.detail;
    return true;
}

static show_fn *const show[] = {
    [CORE_DO_OFFER] = show_offer,        [CORE_DO_RELEASE] = show_release,     [CORE_DO_SERVE] = show_serve,
    [CORE_DO_GATE] = show_gate,          [CORE_DO_ENABLER_START] = show_key,   [CORE_DO_ENABLER_UPDATE] = show_key,
    [CORE_DO_ENABLER_STOP] = show_plain, [CORE_DO_SUBSCRIBE] = show_subscribe, [CORE_DO_UNSUBSCRIBE] = show_plain,
    [CORE_DO_RESTORED] = show_restored,  [CORE_DO_AUDIT] = show_audit,
};

/* A mark stays at the head until all that was not durable has been written, in several writes if it is much. */
static bool poll_persist(core_engine *e, core_effect *out)
{
    size_t n = journal_collect(e);
    if (n == 0) {
        ring_pop(&e->todo);
        return false;
    }
    e->waiting = true;
    e->writes++;
    e->hold_waits = e->holds_queued > 0;
    *out = (core_effect){ .type = CORE_DO_PERSIST };
    out->u.persist.records = e->journal.records;
    out->u.persist.count = n;
    return true;
}

static bool poll_next(core_engine *e, core_effect *out)
{
    core_todo t = *(core_todo *)ring_at(&e->todo, 0);
    *out = (core_effect){ .type = (core_effect_type)t.type,
                          .channel = t.channel == NULL ? NULL : t.channel->id,
                          .user = t.member == NULL ? NULL : t.member->name };
    bool is_due = t.type != 0 && show[t.type](e, ring_at(&e->todo, 0), out);
    ring_pop(&e->todo);
    if (is_due)
        e->handed = t;
    else
        fx_forget(e, &t);
    return is_due;
}

/* Holding is the one effect that overtakes: to wait for the disk would let the expelled hear that much more. It stays in
 * the queue and is given again in its turn, for an enabler that starts in between does not know of it. */
static bool poll_hold(core_engine *e, core_effect *out)
{
    for (size_t i = 0; e->hold_waits && i < e->todo.count; i++) {
        core_todo *t = ring_at(&e->todo, i);
        if (t->type != CORE_DO_GATE || !t->u.gate.hold || t->u.gate.told_in == e->writes)
            continue;
        t->u.gate.told_in = e->writes;
        *out = (core_effect){ .type = CORE_DO_GATE, .channel = t->channel->id };
        out->u.hold = true;
        return true;
    }
    e->hold_waits = false;
    return false;
}

bool core_poll(core_engine *e, core_effect *out)
{
    fx_forget(e, &e->handed);
    if (e->waiting)
        return poll_hold(e, out);
    while (e->todo.count > 0) {
        const core_todo *head = ring_at(&e->todo, 0);
        bool got = head->type == CORE_DO_PERSIST ? poll_persist(e, out) : poll_next(e, out);
        if (e->inbox.count > 0)
            engine_end(e);
        if (got)
            return true;
    }
    return false;
}
