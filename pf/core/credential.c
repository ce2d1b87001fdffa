/* Users, their MUKs and the MIKEY counters of these. A counter grows with every message under its MUK and never comes
 * back: the record allows a block of numbers ahead, and after a restart counting goes on behind the block. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

static poc_span name_of(const core_user *u)
{
    return poc_span_of(u->name, u->name_len);
}

void credential_free(core_user *u)
{
    poc_secret_free(u->muk.key);
    if (u->before != NULL)
        poc_secret_free(u->before->key);
    free(u->before);
    free(u->btid);
    free(u);
}

/* ---- by B-TID ---- */

static poc_span btid_of(const core_user *u)
{
    return poc_span_of(u->btid, u->btid_len);
}

/* Several users may have one B-TID, namely the public identities of one subscriber: they hang behind one entry. */
static poc_err list(core_engine *e, core_user *u, poc_span btid)
{
    core_user *first = poc_table_get(&e->btids, btid);
    u->same_btid = NULL;
    if (first == NULL)
        return poc_table_put(&e->btids, btid, u);
    u->same_btid = first->same_btid;
    first->same_btid = u;
    first->shares_btid = u->shares_btid = true;
    return POC_OK;
}

/* The identities of one subscriber have one MUK, and his client one counter for it. */
static bool has_muk_of(const core_user *o, const core_user *u)
{
    return o->muk.key != NULL && u->muk.key != NULL && poc_secret_eq(o->muk.key, u->muk.key);
}

static void count_from(core_user *u, uint32_t counter)
{
    u->muk.counter = counter;
    if (counter <= u->muk.ceiling)
        return;
    u->muk.ceiling = counter - 1 + CORE_COUNTER_BLOCK;
    u->unsaved = true;
}

/* Who goes may have been the one who had counted furthest. */
static void hand_on_counter(core_user *first, const core_user *u)
{
    for (core_user *o = first; o != NULL; o = o->same_btid)
        if (o != u && o->muk.counter < u->muk.counter && has_muk_of(o, u))
            count_from(o, u->muk.counter);
}

/* The next one becomes the first. Without memory for that his verifications are not found, until he authenticates again. */
static void strike(core_engine *e, core_user *u)
{
    core_user *first = u->btid == NULL ? NULL : poc_table_get(&e->btids, btid_of(u));
    if (u->shares_btid)
        hand_on_counter(first, u);
    if (first == u) {
        (void)poc_table_remove(&e->btids, btid_of(u));
        if (u->same_btid != NULL)
            (void)poc_table_put(&e->btids, btid_of(u->same_btid), u->same_btid);
    }
    for (; first != NULL && first != u; first = first->same_btid)
        if (first->same_btid == u) {
            first->same_btid = u->same_btid;
            break;
        }
    u->same_btid = NULL;
}

poc_err credential_label(core_engine *e, core_user *u, poc_span btid)
{
    if (poc_span_eq(btid_of(u), btid))
        return POC_OK;
    char *copy = malloc(btid.n + 1);
    if (copy == NULL)
        return POC_E_NOMEM;
    memcpy(copy, btid.p, btid.n);
    copy[btid.n] = '\0';
    core_user old = *u;
    strike(e, u);
    u->btid = copy;
    u->btid_len = (uint8_t)btid.n;
    poc_err err = list(e, u, btid_of(u));
    if (err == POC_OK) {
        free(old.btid);
        return POC_OK;
    }
    free(copy);
    u->btid = old.btid;
    u->btid_len = old.btid_len;
    if (u->btid != NULL)
        (void)list(e, u, btid_of(u)); /* the place that it just left */
    return err;
}

/* Users without membership whose MUK is expired, or never came, make room for others. */
static void sweep(core_engine *e)
{
    size_t at = 0;
    for (core_user *u; (u = poc_table_next(&e->users, &at)) != NULL;) {
        if (u->refs > 0 || credential_works(u, e->now_ms))
            continue;
        (void)poc_table_remove(&e->users, name_of(u));
        strike(e, u);
        journal_delete(e, &u->durable);
    }
}

poc_err credential_user(core_engine *e, core_user **out, poc_span name)
{
    *out = poc_table_get(&e->users, name);
    if (*out != NULL)
        return POC_OK;
    if (e->users.count >= e->set.members_max && e->swept_ms + CORE_BACKOFF_MS <= e->now_ms) {
        sweep(e);
        e->swept_ms = e->now_ms;
    }
    if (e->users.count >= e->set.members_max)
        return POC_E_LIMIT;
    core_user *u = calloc(1, sizeof(*u) + name.n + 1);
    if (u == NULL)
        return POC_E_NOMEM;
    u->durable.kind = RECORD_USER;
    u->name_len = (uint16_t)name.n;
    memcpy(u->name, name.p, name.n);
    poc_err err = poc_table_put(&e->users, name_of(u), u);
    if (err != POC_OK) {
        free(u);
        return err;
    }
    *out = u;
    return POC_OK;
}

/* ---- at rest ---- */

poc_err credential_seal(core_engine *e, uint8_t out[CORE_SEALED_MUK], const core_muk *muk, const core_user *u)
{
    POC_TRY(e->set.rng.fill(e->set.rng.ctx, out, POC_GCM_NONCE_LEN));
    return poc_gcm_seal(out + POC_GCM_NONCE_LEN, poc_secret_span(e->set.store_key), out, name_of(u),
                        poc_secret_span(muk->key));
}

poc_err credential_open(core_engine *e, core_muk *muk, const uint8_t in[CORE_SEALED_MUK], const core_user *u)
{
    POC_OWNED(poc_secret, key, poc_secret_free);
    POC_TRY(poc_secret_new(&key, POC_MUK_LEN));
    poc_span sealed = poc_span_of(in + POC_GCM_NONCE_LEN, CORE_SEALED_MUK - POC_GCM_NONCE_LEN);
    POC_TRY(poc_gcm_open(poc_secret_edit(key), poc_secret_span(e->set.store_key), in, name_of(u), sealed));
    muk->key = POC_RELEASE(key);
    return POC_OK;
}

/* ---- which MUK ---- */

/* What was made or counted for the old one, or under the old B-TID, belongs to it: it is not made again. */
static void part(core_engine *e, core_user *u)
{
    u->muk_no++;
    seal_forget_user(e, u);
}

static void exchange(core_engine *e, core_user *u, core_muk muk)
{
    u->muk = muk;
    part(e, u);
}

static void replace(core_engine *e, core_user *u, poc_secret *key)
{
    if (u->before != NULL) {
        poc_secret_free(u->before->key);
        *u->before = u->muk;
    }
    exchange(e, u, (core_muk){ .key = poc_secret_ref(key) });
}

static void go_back(core_engine *e, core_user *u)
{
    core_muk back = *u->before;
    *u->before = u->muk;
    exchange(e, u, back);
}

static poc_err make_before(core_user *u)
{
    if (u->muk.key == NULL || u->before != NULL)
        return POC_OK;
    u->before = calloc(1, sizeof(*u->before));
    return u->before == NULL ? POC_E_NOMEM : POC_OK;
}

/* The same MUK at every INVITE is one MUK: its counter goes on. So it does when a client returns to the one before. */
poc_err credential_set(core_engine *e, core_user *u, const core_credential *c)
{
    bool is_same = u->muk.key != NULL && poc_secret_eq(u->muk.key, c->muk);
    bool is_before = u->before != NULL && u->before->key != NULL && poc_secret_eq(u->before->key, c->muk);
    const bool is_renamed = !poc_span_eq_str(btid_of(u), c->btid);
    if (is_same && u->expires_ms == c->expires_ms && !is_renamed)
        return POC_OK; /* told with every request of his: nothing to write */
    if (!is_same && !is_before)
        POC_TRY(make_before(u));
    POC_TRY(credential_label(e, u, poc_span_str(c->btid)));
    if (!is_same && is_before)
        go_back(e, u);
    else if (!is_same)
        replace(e, u, c->muk);
    else if (is_renamed)
        part(e, u);
    u->expires_ms = c->expires_ms;
    u->unsaved = true;
    if (u->memberships != NULL)
        journal_mark(e, &u->durable);
    return POC_OK;
}

void credential_link(core_user *u, core_member *m)
{
    m->user = u;
    m->next_of_user = u->memberships;
    u->memberships = m;
}

void credential_unlink(core_engine *e, core_member *m)
{
    (void)e;
    core_member **at = &m->user->memberships;
    while (*at != m)
        at = &(*at)->next_of_user;
    *at = m->next_of_user;
}

void credential_contact(core_user *u)
{
    for (core_member *m = u->memberships; m != NULL; m = m->next_of_user) {
        m->channel->solicits_due -= m->solicits > 0;
        m->solicits = 0;
    }
}

bool credential_works(const core_user *u, int64_t now_ms)
{
    return u->muk.key != NULL && u->expires_ms > now_ms && u->muk.counter < UINT32_MAX - CORE_COUNTER_BLOCK;
}

core_user *credential_alias(const core_engine *e, const core_user *u, const core_user *after)
{
    core_user *o = !u->shares_btid ? NULL : after == NULL ? poc_table_get(&e->btids, btid_of(u)) : after->same_btid;
    while (o != NULL && (o == u || !has_muk_of(o, u)))
        o = o->same_btid;
    return o;
}

/* All of one MUK count on from the highest. Only the record of who is written to has to be durable: after a restart the
 * highest of them is still beyond it. */
static uint32_t next_of_all(const core_engine *e, const core_user *u)
{
    uint32_t next = u->muk.counter + 1;
    for (const core_user *o = NULL; (o = credential_alias(e, u, o)) != NULL;)
        next = o->muk.counter >= next ? o->muk.counter + 1 : next;
    return next;
}

uint32_t credential_count(core_engine *e, core_user *u)
{
    count_from(u, next_of_all(e, u));
    if (u->unsaved) {
        journal_mark(e, &u->durable);
        fx_persist(e);
    }
    return u->muk.counter;
}
