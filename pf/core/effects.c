/* The queue of what is to be done, and the way out of it. A PERSIST in the queue is only a mark: what is written is what
 * is not durable when its turn comes, so that one write serves all that happened meanwhile. Key messages are sealed in
 * batches when their turn comes, so that none is made for an offer that has become void. */
#include "pf/core/model.h"

core_todo *fx_put(core_engine *e, core_effect_type type, core_channel *ch, core_member *m)
{
    core_todo *t = ring_push(&e->todo);
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
    core_todo *t = fx_put(e, type, ch, m);
    if (t != NULL)
        t->u.on = on;
    return t;
}

core_todo *fx_last(const core_engine *e)
{
    return e->todo.count == 0 ? NULL : ring_at(&e->todo, e->todo.count - 1);
}

void fx_persist(core_engine *e)
{
    /* The mark whose write is under way is taken away should the write fail: what comes now needs its own. */
    bool is_busy = e->waiting && e->todo.count == 1;
    if (!is_busy && fx_last(e) != NULL && fx_last(e)->type == CORE_DO_PERSIST)
        return;
    (void)fx_put(e, CORE_DO_PERSIST, NULL, NULL);
}

void fx_offer(core_engine *e, core_member *m)
{
    core_todo *t = fx_put(e, CORE_DO_OFFER, m->channel, m);
    if (t == NULL)
        return;
    t->kind = m->offer_kind;
    t->u.offer = m->offer;
}

void fx_solicit(core_engine *e, core_member *m)
{
    uint32_t counter = credential_count(e, m->user);
    core_todo *t = fx_put(e, CORE_DO_PUSH, m->channel, m);
    if (t == NULL)
        return;
    t->muk_no = m->user->muk_no;
    t->u.counter = counter;
}

void fx_release(core_engine *e, core_member *m, core_reason reason)
{
    core_todo *t = fx_put(e, CORE_DO_RELEASE, m->channel, m);
    if (t != NULL)
        t->reason = (uint8_t)reason;
}

void fx_serve(core_engine *e, core_member *m, bool multicast)
{
    (void)push_flag(e, CORE_DO_SERVE, m->channel, m, multicast);
}

void fx_gate(core_engine *e, core_channel *ch, bool hold)
{
    core_todo *t = fx_put(e, CORE_DO_GATE, ch, NULL);
    if (t == NULL)
        return;
    t->u.gate.hold = hold;
    e->holds_queued += hold;
    e->hold_waits |= hold;
}

void fx_enabler(core_engine *e, core_channel *ch, core_effect_type type)
{
    core_todo *t = fx_put(e, type, ch, NULL);
    if (t != NULL && type != CORE_DO_ENABLER_STOP)
        t->u.msk = keyset_ref(ch->keys.current);
}

void fx_subscribe(core_engine *e, core_channel *ch, core_member *as, bool refresh)
{
    (void)push_flag(e, CORE_DO_SUBSCRIBE, ch, as, refresh);
}

void fx_unsubscribe(core_engine *e, core_channel *ch)
{
    (void)fx_put(e, CORE_DO_UNSUBSCRIBE, ch, NULL);
}

void fx_restored(core_engine *e, core_member *m)
{
    (void)fx_put(e, CORE_DO_RESTORED, m->channel, m);
}

void fx_book(core_engine *e, core_effect_type type, struct core_book *book, uint32_t key_id)
{
    core_todo *t = fx_put(e, type, NULL, NULL);
    if (t == NULL)
        return;
    t->u.csk.book = book;
    t->u.csk.id = key_id;
    book_ref(book);
}

/* ---- taken back ---- */

void fx_forget(core_engine *e, core_todo *t)
{
    if (t->type == CORE_DO_ENABLER_START || t->type == CORE_DO_ENABLER_UPDATE)
        keyset_unref(t->u.msk);
    const bool is_of_book = (t->type == CORE_DO_CSK_BOUND || t->type == CORE_DO_DOWNLOAD) && t->member == NULL;
    struct core_book *book = is_of_book ? t->u.csk.book : NULL;
    core_member *m = t->member;
    *t = (core_todo){ 0 };
    member_unref(e, m);
    if (book != NULL)
        book_unref(e, book);
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

static bool is_void(const core_todo *t)
{
    const core_member *m = t->member;
    if (m->state == M_OUT || m->offer != t->u.offer)
        return true;
    return t->kind != CORE_OFFER_WITHDRAW && !seal_can(m);
}

/* The offers that stand in the queue from its head on, as many as belong to the same key. */
static const mikey_msk_job *sealed_offer(core_engine *e, const core_member *m)
{
    const mikey_msk_job *job = seal_find(e, m);
    if (job != NULL)
        return job;
    seal_begin(e, m);
    for (size_t i = 1; i < e->todo.count && i < (size_t)4 * CORE_SEAL_SLICE; i++) {
        const core_todo *t = ring_at(&e->todo, i);
        if (t->type == CORE_DO_OFFER && t->kind != CORE_OFFER_WITHDRAW && !is_void(t) && !seal_add(e, t->member))
            break;
    }
    seal_run(e);
    return seal_find(e, m);
}

/* ---- the way out ---- */

typedef bool show_fn(core_engine *e, core_todo *t, core_effect *out); /* false: nothing to do after all */

static uint32_t time_left(const core_engine *e, const core_member *m)
{
    const core_channel *ch = m->channel;
    int64_t until_ms = m->wake_ms;
    if (m->state == M_PUSHED) /* then that is the time to push again */
        until_ms = ch->state == C_PREPARE ? ch->switch_ms : e->now_ms + policy_deadline_ms(ch);
    int64_t left_ms = until_ms - e->now_ms;
    return left_ms < 1 ? 1 : left_ms > CORE_DEADLINE_MAX_MS ? CORE_DEADLINE_MAX_MS : (uint32_t)left_ms;
}

bool fx_show_offer(core_engine *e, core_todo *t, core_effect *out)
{
    core_member *m = t->member;
    out->u.offer.number = t->u.offer;
    out->u.offer.kind = (core_offer_kind)t->kind;
    out->u.offer.timeout_ms = policy_deadline_ms(t->channel);
    out->u.offer.mikey = poc_span_of(e->batch.room, 0);
    m->emitted = true;
    if (t->kind == CORE_OFFER_WITHDRAW)
        return true;
    const mikey_msk_job *job = sealed_offer(e, m);
    if (job->err != POC_OK) {
        m->emitted = false;
        engine_tell_member(e, m, ME_TIMEOUT);
        return false;
    }
    m->opened = true;
    out->u.offer.msk_id = m->given_id = m->offered_id;
    out->u.offer.mikey = poc_span_of(job->out, job->len);
    out->u.offer.timeout_ms = time_left(e, m);
    return true;
}

static bool show_offer(core_engine *e, core_todo *t, core_effect *out)
{
    return !is_void(t) && t->channel->kind->show(e, t, out);
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
    out->u.enabler.kind = t->channel->kind->kind;
    out->u.enabler.cs_id = kind_cs_id(t->channel);
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
    out->u.subscribe.as_user = t->member == NULL ? NULL : member_name(t->member);
    out->u.subscribe.refresh = t->u.on;
    return true;
}

static bool show_restored(core_engine *e, core_todo *t, core_effect *out)
{
    (void)e;
    out->u.dialog = member_dialog(t->member);
    return true;
}

static bool show_solicit(core_engine *e, core_todo *t, core_effect *out)
{
    core_member *m = t->member;
    core_user *u = m->user;
    bool is_kept = !u->durable.dirty && !u->durable.in_flight; /* else the record of its counter may not be */
    if (m->state == M_OUT || m->address_len == 0 || t->muk_no != u->muk_no || !is_kept)
        return false;
    const mikey_msk_job *job = seal_solicit(e, m, t->u.counter);
    out->u.push.msk_id = poc_msk_id_of((uint16_t)(t->channel->group->name[3] << 8 | t->channel->group->name[4]), 0);
    out->u.push.mikey = poc_span_of(job->out, job->len);
    out->u.push.address = member_address(m);
    out->u.push.again = m->solicits < CORE_SOLICITS - 1;
    return job->err == POC_OK;
}

static show_fn *const show[] = {
    [CORE_DO_OFFER] = show_offer,          [CORE_DO_RELEASE] = show_release,
    [CORE_DO_SERVE] = show_serve,          [CORE_DO_GATE] = show_gate,
    [CORE_DO_ENABLER_START] = show_key,    [CORE_DO_ENABLER_UPDATE] = show_key,
    [CORE_DO_ENABLER_STOP] = show_plain,   [CORE_DO_SUBSCRIBE] = show_subscribe,
    [CORE_DO_UNSUBSCRIBE] = show_plain,    [CORE_DO_RESTORED] = show_restored,
    [CORE_DO_PUSH] = show_solicit,         [CORE_DO_CSK_BOUND] = fx_show_bound,
    [CORE_DO_DOWNLOAD] = fx_show_download,
};

/* ---- the head of the queue ---- */

void fx_store_failed(core_engine *e)
{
    if (e->todo.count > 0 && ((core_todo *)ring_at(&e->todo, 0))->type == CORE_DO_PERSIST)
        ring_pop(&e->todo); /* the mark of the write that failed */
    e->store_retry_ms = e->now_ms + CORE_STORE_RETRY_MS;
    if (e->store_retry_ms < e->deadline_ms)
        e->deadline_ms = e->store_retry_ms;
}

/* A mark stays at the head until all that was not durable has been written, in several writes if it is much. */
static bool poll_persist(core_engine *e, core_effect *out)
{
    size_t n;
    if (journal_collect(e, &n) != POC_OK) {
        journal_stuck(e);
        fx_store_failed(e);
        return false;
    }
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
                          .user = t.member == NULL ? NULL : member_name(t.member) };
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

static bool poll_head(core_engine *e, core_effect *out)
{
    const core_todo *head = ring_at(&e->todo, 0);
    if (head->type == CORE_DO_PERSIST)
        return poll_persist(e, out);
    if (head->type == CORE_DO_PUSH && head->member == NULL)
        return fx_poll_push(e, out);
    if (head->type == CORE_DO_AUDIT)
        return fx_poll_line(e, out);
    return poll_next(e, out);
}

bool core_poll(core_engine *e, core_effect *out)
{
    fx_forget(e, &e->handed);
    fx_forget_line(e, &e->handed_line);
    if (e->waiting)
        return poll_hold(e, out);
    while (e->todo.count > 0) {
        bool got = poll_head(e, out);
        if (e->inbox.count > 0 || e->touched != NULL)
            engine_end(e);
        if (got)
            return true;
    }
    return false;
}
