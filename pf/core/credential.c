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
    poc_secret_free(u->before.key);
    free(u);
}

/* Users without membership whose MUK is expired, or never came, make room for others. */
static void sweep(core_engine *e)
{
    size_t at = 0;
    for (core_user *u; (u = poc_table_next(&e->users, &at)) != NULL;) {
        if (u->memberships != NULL || credential_works(u, e->now_ms))
            continue;
        (void)poc_table_remove(&e->users, name_of(u));
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

poc_err credential_seal(core_engine *e, core_muk *muk, const core_user *u)
{
    uint8_t sealed[CORE_SEALED_MUK];
    POC_TRY(e->set.rng.fill(e->set.rng.ctx, sealed, POC_GCM_NONCE_LEN));
    POC_TRY(poc_gcm_seal(sealed + POC_GCM_NONCE_LEN, poc_secret_span(e->set.store_key), sealed, name_of(u),
                         poc_secret_span(muk->key)));
    memcpy(muk->sealed, sealed, sizeof(sealed));
    return POC_OK;
}

poc_err credential_open(core_engine *e, core_muk *muk, const core_user *u)
{
    POC_OWNED(poc_secret, key, poc_secret_free);
    POC_TRY(poc_secret_new(&key, POC_MUK_LEN));
    poc_span sealed = poc_span_of(muk->sealed + POC_GCM_NONCE_LEN, CORE_SEALED_MUK - POC_GCM_NONCE_LEN);
    POC_TRY(poc_gcm_open(poc_secret_edit(key), poc_secret_span(e->set.store_key), muk->sealed, name_of(u), sealed));
    muk->key = POC_RELEASE(key);
    return POC_OK;
}

/* ---- which MUK ---- */

static void label(core_engine *e, core_user *u, const core_credential *c)
{
    u->btid_len = (uint8_t)strlen(c->btid);
    memcpy(u->btid, c->btid, u->btid_len + 1u);
    u->expires_ms = c->expires_ms;
    u->unsaved = true;
    if (u->memberships != NULL)
        journal_mark(e, &u->durable);
}

/* The same MUK at every INVITE is one MUK: its counter goes on. So it does when a client returns to the one before. */
poc_err credential_set(core_engine *e, core_user *u, const core_credential *c)
{
    bool is_same = u->muk.key != NULL && poc_secret_eq(u->muk.key, c->muk);
    bool is_before = u->before.key != NULL && poc_secret_eq(u->before.key, c->muk);
    if (is_same || is_before) {
        core_muk keep = u->muk;
        u->muk = is_same ? u->muk : u->before;
        u->before = is_same ? u->before : keep;
        label(e, u, c);
        return POC_OK;
    }
    core_muk fresh = { .key = c->muk };
    POC_TRY(credential_seal(e, &fresh, u));
    fresh.key = poc_secret_ref(c->muk);
    poc_secret_free(u->before.key);
    u->before = u->muk;
    u->muk = fresh;
    label(e, u, c);
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
    if (m->user == NULL)
        return;
    core_member **at = &m->user->memberships;
    while (*at != m)
        at = &(*at)->next_of_user;
    *at = m->next_of_user;
    m->user = NULL;
}

bool credential_works(const core_user *u, int64_t now_ms)
{
    return u->muk.key != NULL && u->expires_ms > now_ms && u->muk.counter < UINT32_MAX - CORE_COUNTER_BLOCK;
}

uint32_t credential_count(core_engine *e, core_user *u)
{
    if (u->muk.counter == u->muk.ceiling) {
        u->muk.ceiling += CORE_COUNTER_BLOCK;
        u->unsaved = true;
    }
    if (u->unsaved) {
        journal_mark(e, &u->durable);
        fx_persist(e);
    }
    return ++u->muk.counter;
}
