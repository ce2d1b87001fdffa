/* Records of what must survive: a key-value store of key groups, users and members, each written as it is when its turn
 * comes. All integers big-endian; the first octet of a value is the version of its layout.
 *
 *   'g' domain(3) group(2)     -> 1, key number(2)
 *   'u' user                   -> 1, expires_ms(8), 2 x [ has(1), ceiling(4), sealed MUK(60) ], B-TID
 *   'm' channel 00 user        -> 2, flags(1), length(1), push address, dialog; or 1, flags(1), dialog
 *   'b' channel 00 user        -> 1; he was expelled; or 2, by the operator
 *   'k' IMPU 00 service        -> 1, client-server keys (csk_record.c)
 *   't'                        -> 1, time that the clock has not reached, in ms (8) (clock.c)
 *
 * A sealed MUK is nonce(12), ciphertext(32) and tag(16) of AES-256-GCM under the store key, with the user as associated
 * data. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/model.h"

enum { LAYOUT = 1, LAYOUT_MEMBER = 2, LAYOUT_FIRM_BAR = 2 };
enum { FLAG_CAPABLE = 1, FLAG_RECEIVES = 2, FLAG_BY_SIP = 4, FLAG_REGISTERED = 8 };

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
    e->journal.marked++;
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
    if (d->kind == RECORD_BARRED) {
        if (((core_bar *)(void *)d)->refs == 0)
            free(d);
        return;
    }
    if (d->kind == RECORD_BOOK) {
        book_release(d);
        return;
    }
    core_member *m = (core_member *)(void *)d;
    if (m->refs == 0)
        member_free(e, m);
}

/* ---- writing ---- */

static void put_name(poc_wr *wr, const core_channel *ch, const char *user, size_t len)
{
    poc_wr_put(wr, ch->id, strlen(ch->id) + 1);
    poc_wr_put(wr, user, len);
}

static void put_key(poc_wr *wr, const core_durable *d)
{
    poc_wr_u8(wr, d->kind);
    if (d->kind == RECORD_KEYGROUP) {
        const core_keygroup *g = (const core_keygroup *)(const void *)d;
        poc_wr_put(wr, g->name, sizeof(g->name));
    } else if (d->kind == RECORD_USER) {
        const core_user *u = (const core_user *)(const void *)d;
        poc_wr_put(wr, u->name, u->name_len);
    } else if (d->kind == RECORD_BARRED) {
        const core_bar *b = (const core_bar *)(const void *)d;
        put_name(wr, b->channel, b->name, b->name_len);
    } else if (d->kind == RECORD_BOOK) {
        book_put_key(wr, d);
    } else if (d->kind == RECORD_MEMBER) {
        const core_member *m = (const core_member *)(const void *)d;
        put_name(wr, m->channel, member_name(m), m->user->name_len);
    }
}

/* Sealed afresh each time: nobody has to keep it until then. */
static poc_err put_muk(core_engine *e, poc_wr *wr, const core_user *u, const core_muk *muk)
{
    uint8_t sealed[CORE_SEALED_MUK] = { 0 };
    bool has = muk != NULL && muk->key != NULL;
    if (has)
        POC_TRY(credential_seal(e, sealed, muk, u));
    poc_wr_u8(wr, has);
    poc_wr_u32(wr, has ? muk->ceiling : 0);
    poc_wr_put(wr, sealed, sizeof(sealed));
    return POC_OK;
}

static poc_err put_user(core_engine *e, poc_wr *wr, const core_user *u)
{
    poc_wr_u8(wr, LAYOUT);
    poc_wr_u64(wr, (uint64_t)u->expires_ms);
    POC_TRY(put_muk(e, wr, u, &u->muk));
    POC_TRY(put_muk(e, wr, u, u->before));
    poc_wr_put(wr, u->btid, u->btid_len);
    return POC_OK;
}

static void put_member(poc_wr *wr, const core_member *m)
{
    poc_wr_u8(wr, LAYOUT_MEMBER);
    poc_wr_u8(wr, (uint8_t)((m->capable ? FLAG_CAPABLE : 0) | (m->receives ? FLAG_RECEIVES : 0) |
                            (m->by_sip ? FLAG_BY_SIP : 0) | (m->registered ? FLAG_REGISTERED : 0)));
    poc_wr_u8(wr, m->address_len);
    poc_wr_put(wr, m->address, m->address_len);
    poc_wr_span(wr, member_dialog(m));
}

static poc_err put_value(core_engine *e, poc_wr *wr, const core_durable *d)
{
    if (d->kind == RECORD_USER)
        return put_user(e, wr, (const core_user *)(const void *)d);
    if (d->kind == RECORD_MEMBER) {
        put_member(wr, (const core_member *)(const void *)d);
        return POC_OK;
    }
    if (d->kind == RECORD_BARRED) {
        poc_wr_u8(wr, ((const core_bar *)(const void *)d)->is_firm ? LAYOUT_FIRM_BAR : LAYOUT);
        return POC_OK;
    }
    if (d->kind == RECORD_BOOK) {
        poc_wr_u8(wr, CORE_LAYOUT_CSK);
        return book_put_value(e, wr, d);
    }
    poc_wr_u8(wr, LAYOUT);
    if (d->kind == RECORD_CLOCK)
        clock_put(e, wr);
    if (d->kind == RECORD_KEYGROUP)
        poc_wr_u16(wr, ((const core_keygroup *)(const void *)d)->number);
    return POC_OK;
}

/* POC_E_LIMIT: it does not fit into this write. */
static poc_err put_record(core_engine *e, poc_wr *wr, const core_durable *d, core_record *r)
{
    const core_journal *j = &e->journal;
    size_t at = wr->len, split;
    put_key(wr, d);
    split = wr->len;
    if (!d->deleted)
        POC_TRY(put_value(e, wr, d));
    POC_TRY(poc_wr_done(wr));
    r->key = poc_span_of(j->room + at, split - at);
    r->value = d->deleted ? (poc_span){ NULL, 0 } : poc_span_of(j->room + split, wr->len - split);
    return POC_OK;
}

/* The bar of an expelled member, when it is not durable yet: NULL when there is none. */
static const core_durable *bar_of(const core_durable *d)
{
    if (d->kind != RECORD_MEMBER || !d->deleted)
        return NULL;
    const core_member *m = (const core_member *)(const void *)d;
    const core_bar *bar = bars_get(m->channel, poc_span_of(member_name(m), m->user->name_len));
    return bar != NULL && bar->durable.dirty ? &bar->durable : NULL;
}

/* One more of the dirty, and with a member who was expelled his bar, though its turn is later: were he out in one write
 * and barred in the next, a crash in between would let him in again. */
static poc_err collect_one(core_engine *e, poc_wr *wr, size_t *count)
{
    core_journal *j = &e->journal;
    const core_durable *parts[2] = { j->dirty, bar_of(j->dirty) };
    size_t n = parts[1] == NULL ? 1 : 2;
    if (*count + n > CORE_RECORDS_MAX)
        return POC_E_LIMIT;
    for (size_t i = 0; i < n; i++)
        POC_TRY(put_record(e, wr, parts[i], &j->records[*count + i]));
    *count += n;
    return POC_OK;
}

poc_err journal_collect(core_engine *e, size_t *count)
{
    core_journal *j = &e->journal;
    poc_wr wr = poc_wr_into(j->room, sizeof(j->room));
    poc_err err = POC_OK;
    size_t n = 0;
    *count = 0;
    while (j->dirty != NULL && (err = collect_one(e, &wr, count)) == POC_OK) {
        core_durable *d = j->dirty;
        j->dirty = d->next_dirty;
        d->dirty = false;
        d->in_flight = true;
        j->in_flight[n++] = d;
        if (d->kind == RECORD_USER)
            ((core_user *)(void *)d)->unsaved = false;
    }
    if (j->dirty == NULL)
        j->dirty_end = &j->dirty;
    j->in_flight_count = n;
    return n > 0 ? POC_OK : err; /* what stopped it comes again when it is the first */
}

void journal_kept(core_engine *e)
{
    core_journal *j = &e->journal;
    size_t n = j->in_flight_count;
    j->in_flight_count = 0;
    j->kept += n;
    for (size_t i = 0; i < n; i++) {
        j->in_flight[i]->in_flight = false;
        if (j->in_flight[i]->kind == RECORD_CLOCK)
            clock_kept(e);
        journal_release(e, j->in_flight[i]);
    }
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
    } else if (d->kind == RECORD_BARRED) {
        concern(e, ((const core_bar *)(const void *)d)->channel);
    } else if (d->kind == RECORD_USER) {
        for (core_member *m = ((const core_user *)(const void *)d)->memberships; m != NULL; m = m->next_of_user)
            concern(e, m->channel);
    }
}

/* Back to the front, in the old order: a deletion must stay before the record of one who came back under the name. */
static void put_back(core_journal *j, core_durable *d)
{
    if (d->dirty) { /* it has changed since: that will be kept instead */
        j->kept++;
        return;
    }
    d->dirty = true;
    d->next_dirty = j->dirty;
    if (j->dirty == NULL)
        j->dirty_end = &d->next_dirty;
    j->dirty = d;
}

void journal_lost(core_engine *e)
{
    core_journal *j = &e->journal;
    for (size_t i = j->in_flight_count; i > 0; i--) {
        core_durable *d = j->in_flight[i - 1];
        d->in_flight = false;
        concern_all_of(e, d);
        put_back(j, d);
    }
    j->in_flight_count = 0;
    for (uint32_t i = 0; i < e->channel_count; i++)
        e->channel_list[i]->told = false;
}

uint64_t core_changes(const core_engine *e)
{
    return e->journal.marked;
}

uint64_t core_changes_durable(const core_engine *e)
{
    return e->journal.kept;
}

void journal_stuck(core_engine *e)
{
    concern_all_of(e, e->journal.dirty);
    for (uint32_t i = 0; i < e->channel_count; i++)
        e->channel_list[i]->told = false;
}

/* ---- reading ---- */

static poc_err read_keygroup(core_engine *e, poc_rd *key, poc_rd *value)
{
    uint8_t name[POC_KEY_DOMAIN_LEN + 2];
    core_keygroup *g;
    uint16_t number;
    POC_TRY(poc_rd_copy(key, name, sizeof(name)));
    POC_TRY(poc_rd_end(key));
    POC_TRY(poc_rd_u16(value, &number));
    POC_TRY(poc_rd_end(value));
    POC_TRY(keyset_group(e, name, &g));
    g->number = number > g->number ? number : g->number;
    return POC_OK;
}

/* Counting goes on behind the block that the record allowed: nobody knows how much of it was used. */
static poc_err read_muk(core_engine *e, core_muk *muk, const core_user *u, poc_rd *rd)
{
    uint8_t sealed[CORE_SEALED_MUK], has;
    POC_TRY(poc_rd_u8(rd, &has));
    POC_TRY(poc_rd_u32(rd, &muk->ceiling));
    POC_TRY(poc_rd_copy(rd, sealed, sizeof(sealed)));
    muk->counter = muk->ceiling;
    return has ? credential_open(e, muk, sealed, u) : POC_OK;
}

static poc_err keep_before(core_user *u, const core_muk *before)
{
    if (before->key == NULL)
        return POC_OK;
    u->before = calloc(1, sizeof(*u->before));
    if (u->before == NULL)
        return POC_E_NOMEM;
    *u->before = *before;
    return POC_OK;
}

static poc_err fill_user(core_engine *e, core_user *u, poc_rd *rd)
{
    uint64_t expires;
    core_muk before = { 0 };
    POC_TRY(poc_rd_u64(rd, &expires));
    POC_TRY(read_muk(e, &u->muk, u, rd));
    POC_TRY(read_muk(e, &before, u, rd));
    poc_err err = keep_before(u, &before);
    if (err != POC_OK) {
        poc_secret_free(before.key);
        return err;
    }
    if (rd->left > POC_BTID_MAX)
        return POC_E_INPUT;
    u->expires_ms = (int64_t)expires;
    return credential_label(e, u, poc_span_of(rd->p, rd->left));
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
    if (u->before != NULL)
        poc_secret_free(u->before->key);
    free(u->before);
    u->before = NULL;
    u->muk = (core_muk){ 0 };
    return err;
}

/* The key of a record that belongs to a user in a channel. POC_E_STATE: there is no such channel any more. */
static poc_err read_name(core_engine *e, poc_rd *key, core_channel **ch, poc_span *name)
{
    const uint8_t *end = memchr(key->p, 0, key->left);
    poc_span id;
    if (end == NULL)
        return POC_E_INPUT;
    POC_TRY(poc_rd_span(key, &id, (size_t)(end - key->p) + 1));
    if (key->left == 0 || key->left > CORE_NAME_MAX)
        return POC_E_INPUT;
    *ch = engine_channel(e, (const char *)id.p);
    *name = poc_span_of(key->p, key->left);
    return *ch == NULL ? POC_E_STATE : POC_OK;
}

static poc_err read_barred(core_engine *e, poc_rd *key, poc_rd *value, uint8_t layout)
{
    core_channel *ch;
    poc_span name;
    const char *id = (const char *)key->p;
    POC_TRY(poc_rd_end(value));
    const poc_err err = read_name(e, key, &ch, &name);
    const bool is_firm = layout == LAYOUT_FIRM_BAR;
    if (err == POC_E_STATE)
        return bars_keep(e, poc_span_str(id), name, is_firm);
    return err != POC_OK ? err : bars_restore(e, ch, name, is_firm);
}

typedef struct member_record {
    uint8_t flags, address_len;
    poc_span address, dialog;
} member_record;

static poc_err read_ways(member_record *r, poc_rd *value, uint8_t layout)
{
    POC_TRY(poc_rd_u8(value, &r->flags));
    if (layout == LAYOUT) {
        r->flags = (r->flags & (FLAG_CAPABLE | FLAG_RECEIVES)) | FLAG_BY_SIP;
    } else {
        POC_TRY(poc_rd_u8(value, &r->address_len));
        if (r->address_len > CORE_ADDRESS_MAX)
            return POC_E_INPUT;
        POC_TRY(poc_rd_span(value, &r->address, r->address_len));
    }
    bool by_sip = (r->flags & FLAG_BY_SIP) != 0;
    r->dialog = poc_span_of(value->p, value->left);
    if (value->left > CORE_DIALOG_MAX || (!by_sip && (value->left > 0 || r->address_len == 0)))
        return POC_E_INPUT;
    return POC_OK;
}

static poc_err read_member(core_engine *e, poc_rd *key, poc_rd *value, uint8_t layout)
{
    member_record r = { 0 };
    core_channel *ch;
    poc_span name;
    POC_TRY(read_ways(&r, value, layout));
    POC_TRY(read_name(e, key, &ch, &name));
    bool by_sip = (r.flags & FLAG_BY_SIP) != 0;
    if (member_find(e, ch, name) != NULL || (by_sip && ch->kind->has_session && ch->group_uri[0] == '\0'))
        return POC_E_STATE;
    if (e->member_count >= e->set.members_max)
        return POC_E_LIMIT;
    core_member *m;
    POC_TRY(member_new(e, ch, &m, name, by_sip ? &r.dialog : NULL));
    member_set_address(m, r.address);
    m->capable = (r.flags & FLAG_CAPABLE) != 0;
    m->receives = (r.flags & FLAG_RECEIVES) != 0;
    m->registered = (r.flags & FLAG_REGISTERED) != 0;
    bool by_lines = m->capable && m->receives;
    m->state = by_lines || (m->registered && (!by_sip || !m->capable)) ? M_WAIT_KEY : M_UNICAST;
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
    bool is_known = layout == LAYOUT || (layout == LAYOUT_MEMBER && kind == RECORD_MEMBER) ||
                    (layout == LAYOUT_FIRM_BAR && kind == RECORD_BARRED) ||
                    (layout == CORE_LAYOUT_CSK && kind == RECORD_BOOK);
    if (!is_known)
        return POC_E_INPUT;
    switch (kind) {
    case RECORD_KEYGROUP:
        return read_keygroup(e, &key, &value);
    case RECORD_USER:
        return read_user(e, &key, &value);
    case RECORD_MEMBER:
        return read_member(e, &key, &value, layout);
    case RECORD_BARRED:
        return read_barred(e, &key, &value, layout);
    case RECORD_BOOK:
        return book_read(e, &key, &value);
    case RECORD_CLOCK:
        return clock_read(e, &key, &value);
    default:
        return POC_E_INPUT;
    }
}
