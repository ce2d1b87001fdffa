/* What an expulsion has replaced is revoked at those who stay (TS 33.180 E.6: a status that says so): the one who is gone
 * could still make them believe what he sends under it. Nothing depends on it, so it comes behind everything else: it is sent
 * while no key is being handed out, tried as often as other downloads are, and then let be. Nobody gets a key by it that he
 * was not given before. */
#include <stdlib.h>

#include "pf/core/csk.h"

enum { AT_ONE_TIME = 4 }; /* of a channel: with a fifth the first is let be */

typedef struct revoked_one {
    core_member *member; /* held by reference */
    uint64_t number;     /* of the download under way; 0: none */
    int64_t wake_ms;     /* gives up, or tries again */
    uint8_t tries;
} revoked_one;

/* Those from `first` up to `at` are as many as the window takes, and those who did not answer: whoever is done with leaves his
 * place to the first of them, so that nothing looks through all who were. */
struct core_revocation {
    core_revocation *next;
    core_msk *key;   /* held by reference */
    int64_t wake_ms; /* nobody is due before */
    uint32_t count;
    uint32_t first;     /* all before it are done with */
    uint32_t at;        /* from it on nobody has had his turn */
    uint32_t under_way; /* downloads */
    uint32_t told;
    bool is_blocked; /* somebody is due, and the window was full */
    revoked_one list[];
};

/* ---- life ---- */

static void finish(core_engine *e, core_revocation *r, revoked_one *one)
{
    core_member *m = one->member;
    r->under_way -= one->number != 0;
    *one = r->list[r->first++];
    member_unref(e, m);
}

static void drop(core_engine *e, core_revocation *r)
{
    for (uint32_t i = r->first; i < r->count; i++)
        member_unref(e, r->list[i].member);
    keyset_unref(r->key);
    free(r);
}

void revoke_forget(core_engine *e, core_channel *ch)
{
    while (ch->scope != NULL && ch->scope->revocations != NULL) {
        core_revocation *r = ch->scope->revocations;
        ch->scope->revocations = r->next;
        drop(e, r);
    }
}

static void append(core_engine *e, core_scope *scope, core_revocation *r)
{
    core_revocation **at = &scope->revocations;
    unsigned n = 1;
    for (; *at != NULL; at = &(*at)->next)
        n++;
    *at = r;
    if (n <= AT_ONE_TIME)
        return;
    core_revocation *oldest = scope->revocations;
    scope->revocations = oldest->next;
    drop(e, oldest);
}

static bool had(const core_channel *ch, const core_member *m, const core_msk *key)
{
    const bool is_current = key == ch->keys.current;
    return m->given_id == key->id || m->given_before_id == key->id || (is_current && m->holds_current);
}

void revoke_begin(core_engine *e, core_channel *ch, core_msk *key)
{
    const uint64_t now_s = (uint64_t)e->now_ms / 1000;
    if (ch->scope == NULL || ch->scope->without_revocation || key == NULL || ch->count == 0 ||
        (key->expiry_s != 0 && key->expiry_s <= now_s))
        return;
    core_revocation *r = calloc(1, sizeof(*r) + ch->count * sizeof(r->list[0]));
    if (r == NULL)
        return; /* nothing is sent under the key any more, with or without it */
    r->key = keyset_ref(key);
    r->wake_ms = CORE_NEVER;
    for (uint32_t i = 0; i < ch->count; i++)
        if (had(ch, ch->members[i], key)) {
            ch->members[i]->refs++;
            r->list[r->count++].member = ch->members[i];
        }
    append(e, ch->scope, r);
}

/* ---- one ---- */

static void wake_at(core_revocation *r, revoked_one *one, int64_t when_ms)
{
    one->wake_ms = when_ms;
    if (when_ms < r->wake_ms)
        r->wake_ms = when_ms;
}

static void fail(core_engine *e, core_revocation *r, revoked_one *one)
{
    one->tries++;
    if (one->tries >= CORE_DOWNLOAD_TRIES) {
        finish(e, r, one);
        return;
    }
    r->under_way -= one->number != 0;
    one->number = 0;
    wake_at(r, one, e->now_ms + rekey_backoff_ms(one->tries - 1u));
}

static void send(core_engine *e, core_revocation *r, uint32_t at)
{
    revoked_one *one = &r->list[at];
    core_member *m = one->member;
    if (m->state == M_OUT || !m->channel->kind->reaches(e, m)) {
        finish(e, r, one);
        return;
    }
    core_todo *t = ring_reserve(&e->todo, 1) == POC_OK ? fx_put(e, CORE_DO_DOWNLOAD, m->channel, m) : NULL;
    if (t == NULL) {
        wake_at(r, one, e->now_ms + CORE_BACKOFF_MS);
        return;
    }
    one->number = ++e->offers;
    wake_at(r, one, e->now_ms + CORE_DOWNLOAD_MS + CORE_BACKOFF_MS);
    r->under_way++;
    t->u.revoked.number = one->number;
    t->u.revoked.id = r->key->id;
    t->u.revoked.at = at;
}

static core_revocation *revocation_of(const core_channel *ch, poc_msk_id id)
{
    core_revocation *r = ch->scope->revocations;
    while (r != NULL && r->key->id != id)
        r = r->next;
    return r;
}

bool revoke_names(const core_channel *ch, poc_msk_id id)
{
    return ch->scope != NULL && revocation_of(ch, id) != NULL;
}

/* Of those under way. He is at `guess`, unless he has been moved. */
static revoked_one *one_numbered(core_revocation *r, uint64_t number, uint32_t guess)
{
    if (guess >= r->first && guess < r->at && r->list[guess].number == number)
        return &r->list[guess];
    for (uint32_t i = r->first; i < r->at; i++)
        if (r->list[i].number == number)
            return &r->list[i];
    return NULL;
}

static revoked_one *one_of(const core_todo *t, core_revocation **of)
{
    core_revocation *r = revocation_of(t->channel, t->u.revoked.id);
    *of = r;
    return r == NULL ? NULL : one_numbered(r, t->u.revoked.number, t->u.revoked.at);
}

bool revoke_is_due(const core_todo *t)
{
    core_revocation *r;
    return t->channel->state == C_ACTIVE && one_of(t, &r) != NULL;
}

bool fx_show_revocation(core_engine *e, core_todo *t, core_effect *out)
{
    core_revocation *r;
    revoked_one *one = one_of(t, &r);
    if (one == NULL)
        return false;
    if (t->channel->state != C_ACTIVE) { /* a rekey has begun: it goes first */
        one->number = 0;
        wake_at(r, one, e->now_ms);
        r->under_way--;
        return false;
    }
    const mcx_seal_job *job = parcel_of(e, one->member, one->number, r->key, true);
    if (job == NULL || job->err != POC_OK) {
        fail(e, r, one);
        engine_touch(e, t->channel);
        return false;
    }
    kind_fill_download(e, out, one->member, job);
    out->u.download.number = one->number;
    out->u.download.key_id = r->key->id;
    out->u.download.timeout_ms = CORE_DOWNLOAD_MS;
    out->u.download.revokes = true;
    return true;
}

static bool answer(core_engine *e, core_revocation *r, const core_member *m, uint64_t number, bool ok)
{
    revoked_one *one = number == 0 ? NULL : one_numbered(r, number, r->first);
    if (one == NULL || one->member != m)
        return false;
    r->told += ok;
    if (ok)
        finish(e, r, one);
    else
        fail(e, r, one);
    return true;
}

bool revoke_answered(core_engine *e, core_member *m, uint64_t number, bool ok)
{
    core_channel *ch = m->channel;
    core_revocation *r = ch->scope == NULL ? NULL : ch->scope->revocations;
    while (r != NULL && !answer(e, r, m, number, ok))
        r = r->next;
    if (r != NULL)
        engine_touch(e, ch);
    return r != NULL;
}

/* ---- all ---- */

static bool has_window(const core_engine *e, const core_channel *ch)
{
    uint32_t n = ch->windowed;
    for (const core_revocation *r = ch->scope->revocations; r != NULL; r = r->next)
        n += r->under_way;
    return n < e->set.offer_window;
}

static void try_again(core_engine *e, core_channel *ch, core_revocation *r)
{
    for (uint32_t i = r->first; i < r->at; i++) {
        revoked_one *one = &r->list[i];
        if (one->wake_ms > e->now_ms)
            continue;
        if (one->number != 0) /* the shell forgot it */
            fail(e, r, one);
        else if (has_window(e, ch))
            send(e, r, i);
    }
}

/* Those who are due and wait for the window are woken by the answer that opens it. */
static void find_wake(const core_engine *e, core_revocation *r)
{
    r->wake_ms = CORE_NEVER;
    r->is_blocked = false;
    for (uint32_t i = r->first; i < r->at; i++) {
        if (r->list[i].wake_ms <= e->now_ms)
            r->is_blocked = true;
        else if (r->list[i].wake_ms < r->wake_ms)
            r->wake_ms = r->list[i].wake_ms;
    }
}

static void go_on(core_engine *e, core_channel *ch, core_revocation *r)
{
    const bool is_due = r->wake_ms <= e->now_ms || r->is_blocked;
    if (is_due)
        try_again(e, ch, r);
    while (r->at < r->count && has_window(e, ch))
        send(e, r, r->at++);
    if (is_due)
        find_wake(e, r);
}

/* Until there is who signs, nobody is due: an identity that comes is the next that wakes them. */
static void halt(core_engine *e, core_channel *ch)
{
    for (core_revocation *r = ch->scope->revocations; r != NULL; r = r->next) {
        if (r->wake_ms > e->now_ms)
            continue;
        r->wake_ms = CORE_NEVER;
        r->is_blocked = true;
    }
}

void revoke_pump(core_engine *e, core_channel *ch)
{
    if (ch->scope == NULL || ch->state != C_ACTIVE)
        return;
    if (!kind_may_give(e, ch)) {
        halt(e, ch);
        return;
    }
    for (core_revocation **at = &ch->scope->revocations, *r; (r = *at) != NULL;) {
        go_on(e, ch, r);
        const bool is_over = r->key->expiry_s != 0 && r->key->expiry_s <= (uint64_t)e->now_ms / 1000;
        if (r->first < r->count && !is_over) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        fx_audit_channel(
            e, ch, CORE_AUDIT_KEY_REVOKED,
            (fx_figures){ .reason = CORE_REASON_EXPEL, .msk_id = r->key->id, .count = r->told, .total = r->count });
        drop(e, r);
    }
}

int64_t revoke_deadline(const core_channel *ch)
{
    int64_t first_ms = CORE_NEVER;
    for (const core_revocation *r = ch->scope == NULL ? NULL : ch->scope->revocations; r != NULL; r = r->next)
        if (r->wake_ms < first_ms)
            first_ms = r->wake_ms;
    return first_ms;
}
