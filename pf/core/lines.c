/* The lines of the audit log: kept beside the queue, smaller than its slots; a mark in the queue hands them out, behind all
 * other effects of the same call. */
#include "pf/core/model.h"

static core_line *audit(core_engine *e, core_audit what, fx_figures f)
{
    core_line *l = ring_push(&e->tell);
    if (l == NULL) {
        e->overrun = true;
        return NULL;
    }
    e->untold++;
    *l = (core_line){ .what = (uint8_t)what,
                      .reason = (uint8_t)f.reason,
                      .msk_id = f.msk_id,
                      .count = f.count,
                      .total = f.total,
                      .detail = f.detail };
    return l;
}

void fx_audit_channel(core_engine *e, core_channel *ch, core_audit what, fx_figures figures)
{
    core_line *l = audit(e, what, figures);
    if (l != NULL)
        l->who.channel = ch;
}

void fx_audit_member(core_engine *e, core_member *m, core_audit what, core_reason reason, const char *detail)
{
    bool has_key = what == CORE_AUDIT_MEMBER_IN || what == CORE_AUDIT_MEMBER_CONFIRMED ||
                   what == CORE_AUDIT_MEMBER_STALE || what == CORE_AUDIT_MEMBER_PULLED;
    core_line *l =
        audit(e, what, (fx_figures){ .reason = reason, .msk_id = has_key ? m->offered_id : 0, .detail = detail });
    if (l == NULL)
        return;
    l->of = RECORD_MEMBER;
    l->who.member = m;
    m->refs++;
}

void fx_audit_bar(core_engine *e, core_bar *bar, core_audit what, fx_figures figures)
{
    core_line *l = audit(e, what, figures);
    if (l == NULL)
        return;
    l->of = RECORD_BARRED;
    l->who.bar = bar;
    bar->refs++;
}

void fx_audit_book(core_engine *e, struct core_book *book, core_audit what, uint32_t key_id)
{
    core_line *l = audit(e, what, (fx_figures){ .msk_id = key_id });
    if (l == NULL)
        return;
    l->of = RECORD_BOOK;
    l->who.book = book;
    book_ref(book);
}

void fx_append_audits(core_engine *e)
{
    if (e->untold == 0)
        return;
    core_todo *t = fx_last(e);
    if (t == NULL || t->type != CORE_DO_AUDIT)
        t = fx_put(e, CORE_DO_AUDIT, NULL, NULL);
    if (t == NULL)
        return;
    t->u.audits += e->untold;
    e->untold = 0;
}

void fx_forget_line(core_engine *e, core_line *l)
{
    core_line old = *l;
    *l = (core_line){ 0 };
    if (old.of == RECORD_MEMBER)
        member_unref(e, old.who.member);
    if (old.of == RECORD_BARRED)
        bars_unref(e, old.who.bar);
    if (old.of == RECORD_BOOK)
        book_unref(e, old.who.book);
}

static void name_line(const core_line *l, core_effect *out)
{
    const core_channel *ch = NULL;
    if (l->of == RECORD_MEMBER) {
        ch = l->who.member->channel;
        out->user = member_name(l->who.member);
    } else if (l->of == RECORD_BARRED) {
        ch = l->who.bar->channel;
        out->user = l->who.bar->name;
    } else if (l->of == RECORD_BOOK) {
        out->user = book_impu(l->who.book);
    } else {
        ch = l->who.channel;
    }
    out->channel = ch == NULL ? NULL : ch->id;
}

bool fx_poll_line(core_engine *e, core_effect *out)
{
    core_todo *t = ring_at(&e->todo, 0);
    core_line *l = ring_at(&e->tell, 0);
    *out = (core_effect){ .type = CORE_DO_AUDIT };
    name_line(l, out);
    out->u.audit.what = (core_audit)l->what;
    out->u.audit.reason = (core_reason)l->reason;
    out->u.audit.msk_id = l->msk_id;
    out->u.audit.count = l->count;
    out->u.audit.total = l->total;
    out->u.audit.detail = l->detail;
    e->handed_line = *l;
    ring_pop(&e->tell);
    if (--t->u.audits == 0)
        ring_pop(&e->todo);
    return true;
}
