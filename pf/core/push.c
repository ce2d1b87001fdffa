/* Pushes have no slot of their own in the queue: members that are to be pushed to are linked in a list of their channel,
 * and the queue holds a mark that hands out as many of them as were in the list when the next thing was put behind it. */
#include "pf/core/model.h"

/* ---- the list ---- */

/* The number of the mark that hands out what comes now; 0: there is no memory for one. */
static uint32_t open_mark(core_engine *e, core_channel *ch)
{
    const core_todo *t = fx_last(e);
    if (t != NULL && t->type == CORE_DO_PUSH && t->member == NULL && t->channel == ch)
        return t->u.mark;
    core_todo *mark = fx_put(e, CORE_DO_PUSH, ch, NULL);
    if (mark == NULL)
        return 0;
    ch->push_marks += ch->push_marks == UINT32_MAX ? 2 : 1;
    return mark->u.mark = ch->push_marks;
}

static void append(core_channel *ch, core_member *m)
{
    m->next_push = NULL;
    if (ch->push_first == NULL)
        ch->push_first = m;
    else
        ch->push_last->next_push = m;
    ch->push_last = m;
}

static core_member *take_first(core_channel *ch)
{
    core_member *m = ch->push_first;
    ch->push_first = m->next_push;
    m->next_push = NULL;
    return m;
}

/* Who is in the list already stays at his place, but his turn is only that of the newer mark: what he is to be given now
 * may need a record that stands before it. */
void fx_push(core_engine *e, core_member *m)
{
    core_channel *ch = m->channel;
    uint32_t mark = open_mark(e, ch);
    if (mark == 0)
        return;
    m->relisted = m->listed && m->push_mark != mark;
    m->push_mark = mark;
    if (m->listed)
        return;
    m->listed = true;
    m->refs++;
    ch->push_listed++;
    append(ch, m);
}

void fx_empty_pushes(core_engine *e, core_channel *ch)
{
    while (ch->push_first != NULL) {
        core_member *m = take_first(ch);
        m->listed = m->relisted = false;
        ch->push_listed--;
        member_unref(e, m);
    }
}

/* ---- handing out ---- */

static bool is_due_push(const core_member *m)
{
    return m->state == M_PUSHED && seal_can(m);
}

/* This member's, and those behind him in the list. */
static const mikey_msk_job *sealed_push(core_engine *e, const core_member *m, const core_member *behind)
{
    const mikey_msk_job *job = seal_find(e, m);
    if (job != NULL)
        return job;
    seal_begin(e, m);
    for (; behind != NULL; behind = behind->next_push)
        if (is_due_push(behind) && !seal_add(e, behind))
            break;
    seal_run(e);
    return seal_find(e, m);
}

/* One whose turn has become that of a later mark goes to the end of the list. */
static core_member *next_of_mark(core_channel *ch, uint32_t mark)
{
    while (ch->push_first != NULL && ch->push_first->relisted) {
        core_member *m = take_first(ch);
        m->relisted = false;
        append(ch, m);
    }
    if (ch->push_first == NULL || poc_serial_after(ch->push_first->push_mark, mark))
        return NULL;
    ch->push_listed--;
    return take_first(ch);
}

/* It counts as sent even when it could not be made: then it is one of those that got lost. */
static bool show_push(core_engine *e, core_member *m, const core_member *behind, core_effect *out)
{
    if (!is_due_push(m))
        return false;
    const mikey_msk_job *job = sealed_push(e, m, behind);
    m->sent++;
    int64_t again_ms = e->now_ms + rekey_push_pause_ms(e, m->sent) + CORE_GRAIN_MS - 1;
    member_wake_at(e, m, again_ms - again_ms % CORE_GRAIN_MS);
    if (job->err != POC_OK)
        return false;
    *out = (core_effect){ .type = CORE_DO_PUSH, .channel = m->channel->id, .user = member_name(m) };
    out->u.push.msk_id = m->given_id = m->offered_id;
    out->u.push.mikey = poc_span_of(job->out, job->len);
    out->u.push.address = member_address(m);
    out->u.push.again = m->sent > 1;
    if (!e->set.require_verification && m->ways == CORE_BY_PUSH)
        engine_tell_member(e, m, ME_ACCEPTED); /* MBMS-7: nobody will answer */
    return true;
}

/* The mark at the head of the queue hands out one after the other. */
bool fx_poll_push(core_engine *e, core_effect *out)
{
    core_todo mark = *(core_todo *)ring_at(&e->todo, 0);
    core_channel *ch = mark.channel;
    for (core_member *m; (m = next_of_mark(ch, mark.u.mark)) != NULL;) {
        m->listed = false;
        bool is_due = show_push(e, m, ch->push_first, out);
        if (is_due) {
            e->handed = (core_todo){ .type = CORE_DO_PUSH, .member = m };
            return true;
        }
        member_unref(e, m);
    }
    ring_pop(&e->todo);
    if (ch->push_cursor < ch->count)
        engine_touch(e, ch); /* there may be more to prepare */
    return false;
}
