/* Records of what must survive: a key-value store of key groups, users and members, each written as it is when its turn
 * comes. All integers big-endian; the first octet of a value is the version of its layout.
 *
 *   'g' domain(3) group(2)     -> 1, key number(2)
 *   'u' user                   -> 1, expires_ms(8), 2 x [ has(1), ceiling(4), sealed MUK(60) ], B-TID
 *   'm' channel 00 user        -> 1, flags(1), dialog
 *
 * A sealed MUK is nonce(12), ciphertext(32) and tag(16) of AES-256-GCM under the store key, with the user as associated
 * data. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

enum { LAYOUT = 1, FLAG_CAPABLE = 1, FLAG_RECEIVES = 2 };

void journal_init(core_journal *j)
{
    j->dirty_end = &j->dirty;
}

/* A placeholder for a user who was never authenticated has nothing to keep. */
static bool has_record(const core_durable *d)
{
    return d->kind != RECORD_USER || ((const core_user *)(const void *)d)->muk.key != NULL || d->deleted;
}

void journal_mark(core_engine *e, core_durable *d)
{
    if (d->dirty || !has_record(d))
        return;
    d->dirty = true;
    d->next_dirty = NULL;
    *e->journal.dirty_end = d;
    e->journal.dirty_end = &d->next_dirty;
}

void journal_delete(core_engine *e, core_durable *d)
{
    d->deleted = true;
    journal_mark(e, d);
}

void journal_release(core_engine *e, core_durable *d)
{
    if (!d->deleted || d->dirty || d->in_flight)
        return;
    if (d->kind == RECORD_USER) {
        credential_free((core_user *)(void *)d);
        return;
    }
    core_member *m = (core_member *)(void *)d;
    if (m->refs == 0)
        member_free(e, m);
}

/* ---- writing ---- */

static void put_key(poc_wr *wr, const core_durable *d)
{
    poc_wr_u8(wr, d->kind);
    if (d->kind == RECORD_KEYGROUP) {
        const core_keygroup *g = (const core_keygroup *)(const void *)d;
        poc_wr_put(wr, g->name, sizeof(g->name));
    } else if (d->kind == RECORD_USER) {
        const core_user *u = (const core_user *)(const void *)d;
        poc_wr_put(wr, u->name, u->name_len);
    } else {
        const core_member *m = (const core_member *)(const void *)d;
        poc_wr_put(wr, m->channel->id, strlen(m->channel->id) + 1);
        poc_wr_put(wr, m->name, m->name_len);
    }
}

static void put_muk(poc_wr *wr, const core_muk *muk)
{
    poc_wr_u8(wr, muk->key != NULL);
    poc_wr_u32(wr, muk->ceiling);
    poc_wr_put(wr, muk->sealed, sizeof(muk->sealed));
}

static void put_value(poc_wr *wr, const core_durable *d)
{
    poc_wr_u8(wr, LAYOUT);
    if (d->kind == RECORD_KEYGROUP) {
        poc_wr_u16(wr, ((const core_keygroup *)(const void *)d)->number);
    } else if (d->kind == RECORD_USER) {
        const core_user *u = (const core_user *)(const void *)d;
        poc_wr_u64(wr, (uint64_t)u->expires_ms);
        put_muk(wr, &u->muk);
        put_muk(wr, &u->before);
        poc_wr_put(wr, u->btid, u->btid_len);
    } else {
        const core_member *m = (const core_member *)(const void *)d;
        poc_wr_u8(wr, (uint8_t)((m->capable ? FLAG_CAPABLE : 0) | (m->receives ? FLAG_RECEIVES : 0)));
        poc_wr_span(wr, member_dialog(m));
    }
}

static bool put_record(core_journal *j, poc_wr *wr, const core_durable *d, core_record *r)
{
    size_t at = wr->len, split;
    put_key(wr, d);
    split = wr->len;
    if (!d->deleted)
        put_value(wr, d);
    if (poc_wr_done(wr) != POC_OK)
        return false;
    r->key = poc_span_of(j->room + at, split - at);
    r->value = d->deleted ? (poc_span){ NULL, 0 } : poc_span_of(j->room + split, wr->len - split);
    return true;
}

size_t journal_collect(core_engine *e)
{
    core_journal *j = &e->journal;
    poc_wr wr = poc_wr_into(j->room, sizeof(j->room));
    size_t n = 0;
    while (j->dirty != NULL && n < CORE_RECORDS_MAX && put_record(j, &wr, j->dirty, &j->records[n])) {
        core_durable *d = j->dirty;
        j->dirty = d->next_dirty;
        d->dirty = false;
        d->in_flight = true;
        d->next_in_flight = j->in_flight;
        j->in_flight = d;
        if (d->kind == RECORD_USER)
            ((core_user *)(void *)d)->unsaved = false;
        n++;
    }
    if (j->dirty == NULL)
        j->dirty_end = &j->dirty;
    return n;
}

static core_durable *land(core_journal *j)
{
    core_durable *d = j->in_flight;
    j->in_flight = d->next_in_flight;
    d->in_flight = false;
    return d;
}

void journal_kept(core_engine *e)
{
    while (e->journal.in_flight != NULL)
        journal_release(e, land(&e->journal));
}

/* ---- when it could not be written ---- */

static void concern(core_engine *e, core_channel *ch)
{
    if (!ch->told)
        engine_tell_channel(e, ch, &(core_event){ .type = CE_STORE_FAILED });
    ch->told = true; /* told once */
}

static void concern_group(core_engine *e, const core_keygroup *g)
{
    for (uint32_t i = 0; i < e->channel_count; i++)
        if (e->channel_list[i]->group == g)
            concern(e, e->channel_list[i]);
}

static void concern_all_of(core_engine *e, const core_durable *d)
{
    if (d->kind == RECORD_KEYGROUP) {
        concern_group(e, (const core_keygroup *)(const void *)d);
    } else if (d->kind == RECORD_MEMBER) {
        concern(e, ((const core_member *)(const void *)d)->channel);
    } else {
        for (core_member *m = ((const core_user *)(const void *)d)->memberships; m != NULL; m = m->next_of_user)
            concern(e, m->channel);
    }
}

/* Back to the front, in the old order: a deletion must stay before the record of one who came back under the name. */
static void put_back(core_journal *j, core_durable *d)
{
    if (d->dirty)
        return;
    d->dirty = true;
    d->next_dirty = j->dirty;
    if (j->dirty == NULL)
        j->dirty_end = &d->next_dirty;
    j->dirty = d;
}

void journal_lost(core_engine *e)
{
    while (e->journal.in_flight != NULL) {
        core_durable *d = land(&e->journal);
        concern_all_of(e, d);
        put_back(&e->journal, d);
    }
    for (uint32_t i = 0; i < e->channel_count; i++)
        e->channel_list[i]->told = false;
}

/* ---- reading ---- */

static poc_err read_keygroup(core_engine *e, poc_rd *key, poc_rd *value)
{
    uint8_t name[POC_KEY_DOMAIN_LEN + 2];
    uint16_t number;
    POC_TRY(poc_rd_copy(key, name, sizeof(name)));
    POC_TRY(poc_rd_end(key));
    POC_TRY(poc_rd_u16(value, &number));
    POC_TRY(poc_rd_end(value));
    core_keygroup *g = poc_table_get(&e->keygroups, poc_span_of(name, sizeof(name)));
    if (g != NULL) {
        g->number = number > g->number ? number : g->number;
        return POC_OK;
    }
    g = calloc(1, sizeof(*g));
    if (g == NULL)
        return POC_E_NOMEM;
    g->durable.kind = RECORD_KEYGROUP;
    g->number = number;
    memcpy(g->name, name, sizeof(name));
    poc_err err = poc_table_put(&e->keygroups, poc_span_of(g->name, sizeof(g->name)), g);
    if (err != POC_OK)
        free(g);
    return err;
}

/* Counting goes on behind the block that the record allowed: nobody knows how much of it was used. */
static poc_err read_muk(core_engine *e, core_muk *muk, const core_user *u, poc_rd *rd)
{
    uint8_t has;
    POC_TRY(poc_rd_u8(rd, &has));
    POC_TRY(poc_rd_u32(rd, &muk->ceiling));
    POC_TRY(poc_rd_copy(rd, muk->sealed, sizeof(muk->sealed)));
    muk->counter = muk->ceiling;
    return has ? credential_open(e, muk, u) : POC_OK;
}

static poc_err fill_user(core_engine *e, core_user *u, poc_rd *rd)
{
    uint64_t expires;
    POC_TRY(poc_rd_u64(rd, &expires));
    POC_TRY(read_muk(e, &u->muk, u, rd));
    POC_TRY(read_muk(e, &u->before, u, rd));
    if (rd->left > POC_BTID_MAX)
        return POC_E_INPUT;
    u->expires_ms = (int64_t)expires;
    u->btid_len = (uint8_t)rd->left;
    return poc_rd_copy(rd, u->btid, rd->left);
}

static poc_err read_user(core_engine *e, poc_rd *key, poc_rd *value)
{
    if (key->left == 0 || key->left > CORE_NAME_MAX)
        return POC_E_INPUT;
    poc_span name = poc_span_of(key->p, key->left);
    core_user *u;
    bool is_known = poc_table_get(&e->users, name) != NULL;
    POC_TRY(credential_user(e, &u, name));
    if (is_known && u->muk.key != NULL)
        return POC_E_STATE;
    poc_err err = fill_user(e, u, value);
    if (err == POC_OK)
        return POC_OK;
    poc_secret_free(u->muk.key);
    poc_secret_free(u->before.key);
    u->muk = u->before = (core_muk){ 0 };
    return err;
}

static poc_err read_member(core_engine *e, poc_rd *key, poc_rd *value)
{
    const uint8_t *end = memchr(key->p, 0, key->left);
    uint8_t flags;
    poc_span id;
    if (end == NULL)
        return POC_E_INPUT;
    POC_TRY(poc_rd_span(key, &id, (size_t)(end - key->p) + 1));
    POC_TRY(poc_rd_u8(value, &flags));
    if (key->left == 0 || key->left > CORE_NAME_MAX || value->left > CORE_DIALOG_MAX)
        return POC_E_INPUT;
    core_channel *ch = engine_channel(e, (const char *)id.p);
    poc_span name = poc_span_of(key->p, key->left);
    if (ch == NULL || poc_table_get(&ch->by_name, name) != NULL)
        return POC_E_STATE;
    if (e->member_count >= e->set.members_max)
        return POC_E_LIMIT;
    core_member *m;
    POC_TRY(member_new(e, ch, &m, name, poc_span_of(value->p, value->left)));
    m->capable = (flags & FLAG_CAPABLE) != 0;
    m->receives = (flags & FLAG_RECEIVES) != 0;
    m->state = m->capable && m->receives ? M_WAIT_KEY : M_UNICAST;
    return POC_OK;
}

poc_err core_restore(core_engine *e, poc_span key_span, poc_span value_span)
{
    if (!e->restoring)
        return POC_E_STATE;
    poc_rd key = poc_rd_over(key_span, NULL), value = poc_rd_over(value_span, NULL);
    uint8_t kind, layout;
    POC_TRY(poc_rd_u8(&key, &kind));
    POC_TRY(poc_rd_u8(&value, &layout));
    if (layout != LAYOUT)
        return POC_E_INPUT;
    switch (kind) {
    case RECORD_KEYGROUP:
        return read_keygroup(e, &key, &value);
    case RECORD_USER:
        return read_user(e, &key, &value);
    case RECORD_MEMBER:
        return read_member(e, &key, &value);
    default:
        return POC_E_INPUT;
    }
}
