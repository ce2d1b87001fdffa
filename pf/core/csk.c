/* Client-server keys, bound to who they are (TS 33.180 5.4), looked up by whoever protects or opens their signalling. The
 * current one and the one before are kept, since messages are under way when a key changes. */
#include "pf/core/csk.h"

#include <stdlib.h>
#include <string.h>

/* ---- books ---- */

const char *book_impu(const core_book *b)
{
    return b->impu;
}

void book_ref(core_book *b)
{
    b->refs++;
}

void book_unref(core_engine *e, core_book *b)
{
    (void)e;
    b->refs--;
    book_release(&b->durable);
}

void book_free(core_book *b)
{
    csk_free(b->current);
    csk_free(b->previous);
    csk_free(b->next);
    free(b->mc_id);
    free(b);
}

/* Nobody names it, and its record is gone. */
void book_release(core_durable *d)
{
    core_book *b = (core_book *)(void *)d;
    if (d->deleted && !d->dirty && !d->in_flight && b->refs == 0)
        book_free(b);
}

core_book *book_find(const core_engine *e, poc_span impu, uint8_t service)
{
    uint8_t label[CORE_NAME_MAX + 2] = { 0 };
    if (e->mcx == NULL || impu.n > CORE_NAME_MAX)
        return NULL;
    memcpy(label, impu.p, impu.n);
    label[impu.n + 1] = service;
    return poc_table_get(&e->mcx->books, poc_span_of(label, impu.n + 2));
}

poc_err book_make(core_engine *e, core_book **out, poc_span impu, uint8_t service)
{
    core_mcx *x = e->mcx;
    *out = NULL;
    if (x->books.count >= e->set.members_max)
        return POC_E_LIMIT;
    core_book *b = calloc(1, sizeof(*b) + impu.n + 2);
    if (b == NULL)
        return POC_E_NOMEM;
    *b = (core_book){ .durable.kind = RECORD_BOOK, .inside = true, .service = service, .wake_ms = CORE_NEVER };
    b->impu_len = (uint16_t)impu.n;
    memcpy(b->impu, impu.p, impu.n);
    b->impu[impu.n + 1] = (char)service;
    const poc_err err = poc_table_put(&x->books, book_label_of(b), b);
    if (err != POC_OK)
        free(b);
    else
        *out = b;
    return err;
}

poc_err book_name(core_book *b, poc_span mc_id, poc_span kms_uri)
{
    char *texts = malloc(mc_id.n + kms_uri.n + 2);
    if (texts == NULL)
        return POC_E_NOMEM;
    memcpy(texts, mc_id.p, mc_id.n);
    texts[mc_id.n] = '\0';
    memcpy(texts + mc_id.n + 1, kms_uri.p, kms_uri.n);
    texts[mc_id.n + 1 + kms_uri.n] = '\0';
    free(b->mc_id);
    b->mc_id = texts;
    b->kms_uri = texts + mc_id.n + 1;
    return POC_OK;
}

void book_strike(core_engine *e, core_book *b)
{
    core_mcx *x = e->mcx;
    b->inside = false;
    download_end(e, b);
    csk_drop(x, &b->current);
    csk_drop(x, &b->previous);
    csk_drop(x, &b->next);
    (void)poc_table_remove(&x->books, book_label_of(b));
}

/* ---- keys ---- */

poc_err csk_make(core_csk **out, poc_secret *key, uint32_t id, poc_span rand)
{
    core_csk *k = calloc(1, sizeof(*k) + rand.n);
    *out = k;
    if (k == NULL)
        return POC_E_NOMEM;
    *k = (core_csk){ .key = poc_secret_ref(key), .id = id, .rand_len = (uint8_t)rand.n, .expires_ms = CORE_NEVER };
    memcpy(k->id_octets, (uint8_t[4]){ (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id }, 4);
    memcpy(k->rand, rand.p, rand.n);
    return POC_OK;
}

void csk_free(core_csk *k)
{
    if (k == NULL)
        return;
    poc_secret_free(k->key);
    free(k);
}

static poc_span id_of(const core_csk *k)
{
    return poc_span_of(k->id_octets, sizeof(k->id_octets));
}

poc_err csk_list(core_mcx *x, core_book *b, core_csk *k)
{
    return poc_table_put(&x->ids, id_of(k), b);
}

void csk_drop(core_mcx *x, core_csk **slot)
{
    if (*slot == NULL)
        return;
    (void)poc_table_remove(&x->ids, id_of(*slot));
    csk_free(*slot);
    *slot = NULL;
}

core_csk *book_key(const core_book *b, uint32_t id)
{
    core_csk *const keys[] = { b->current, b->previous, b->next };
    for (size_t i = 0; i < POC_COUNT(keys); i++)
        if (keys[i] != NULL && (id == 0 || keys[i]->id == id))
            return keys[i];
    return NULL;
}

/* ---- what became of it ---- */

/* What could not be kept is not used, and the client is told to come again. */
static void take_back(core_engine *e, core_book *b, uint32_t id)
{
    core_mcx *x = e->mcx;
    if (b->previous != NULL && b->previous->id == id)
        csk_drop(x, &b->previous);
    if (b->current == NULL || b->current->id != id)
        return;
    csk_drop(x, &b->current);
    csk_drop(x, &b->next);
    download_end(e, b);
    b->current = b->previous;
    b->previous = NULL;
    if (b->current != NULL) {
        journal_mark(e, &b->durable);
        return;
    }
    book_strike(e, b);
    journal_delete(e, &b->durable);
}

bool fx_show_bound(core_engine *e, core_todo *t, core_effect *out)
{
    core_book *b = t->u.csk.book;
    const uint32_t id = t->u.csk.id;
    const core_csk *k = book_key(b, id);
    const bool ok = b->inside && k != NULL && !b->durable.dirty && !b->durable.in_flight;
    const bool is_new = ok && !k->is_bound;
    out->user = b->impu;
    out->u.bound.csk_id = id;
    out->u.bound.ok = ok;
    if (ok)
        book_key(b, id)->is_bound = true;
    else if (b->inside)
        take_back(e, b, id);
    if (is_new)
        kind_uploaded(e, book_name_of(b), b->service);
    if (is_new)
        fx_audit_book(e, b, CORE_AUDIT_CSK_BOUND, id);
    fx_append_audits(e);
    return true;
}

static void log_off(core_engine *e, core_book *b)
{
    fx_audit_book(e, b, CORE_AUDIT_CSK_LOGGED_OFF, b->current == NULL ? 0 : b->current->id);
    book_strike(e, b);
    journal_delete(e, &b->durable);
    fx_persist(e);
    kind_logged_off(e, book_name_of(b), b->service);
}

poc_err core_mcx_logged_off(core_engine *e, int64_t now_ms, const char *impu)
{
    const poc_span name = poc_span_str(impu == NULL ? "" : impu);
    core_book *books[MCX_SERVICES];
    bool has_any = false;
    for (size_t i = 0; i < MCX_SERVICES; i++)
        has_any |= (books[i] = book_find(e, name, (uint8_t)i)) != NULL;
    if (!has_any)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    for (size_t i = 0; i < MCX_SERVICES; i++)
        if (books[i] != NULL)
            log_off(e, books[i]);
    engine_end(e);
    return POC_OK;
}

poc_err core_mcx_service_left(core_engine *e, int64_t now_ms, const char *impu, uint8_t service)
{
    core_book *b = book_find(e, poc_span_str(impu == NULL ? "" : impu), service);
    if (b == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    log_off(e, b);
    engine_end(e);
    return POC_OK;
}

/* ---- looking ---- */

core_book *book_for(const core_engine *e, poc_span impu, uint8_t service)
{
    core_book *b = book_find(e, impu, service);
    for (uint8_t i = 0; b == NULL && i < MCX_SERVICES; i++)
        b = book_find(e, impu, i);
    return b;
}

static const core_book *find(const core_mcx *x, poc_span user, uint32_t csk_id)
{
    const uint8_t id[4] = { (uint8_t)(csk_id >> 24), (uint8_t)(csk_id >> 16), (uint8_t)(csk_id >> 8), (uint8_t)csk_id };
    const core_book *b = poc_table_get(&x->ids, poc_span_of(id, sizeof(id)));
    const bool is_his = b != NULL && (poc_span_eq(book_name_of(b), user) || poc_span_eq_str(user, b->mc_id));
    return is_his ? b : NULL;
}

static bool is_usable(const core_engine *e, const core_book *b, const core_csk *k)
{
    return k != NULL && k->is_bound && k != b->next && k->expires_ms > e->now_ms;
}

/* What is in force: the one before, as long as the new one is not durable. When that one runs out, the one it has replaced does
 * not come back. */
static const core_csk *in_force(const core_engine *e, const core_book *b)
{
    const core_csk *k = b->current != NULL && b->current->is_bound ? b->current : b->previous;
    return is_usable(e, b, k) ? k : NULL;
}

/* A key that is not durable, or has expired, is none: his MuSiKs wait with everything else. */
core_book *book_in_force(const core_engine *e, poc_span impu, uint8_t service)
{
    core_book *b = book_for(e, impu, service);
    return b != NULL && in_force(e, b) != NULL ? b : NULL;
}

static core_csk_status status_of(const core_book *b, const core_csk *k)
{
    return (core_csk_status){ .impu = b->impu,
                              .mc_id = b->mc_id,
                              .csk_id = k->id,
                              .cs_id = k->cs_id,
                              .encr = k->algorithm.encr,
                              .key_len = k->algorithm.key_len,
                              .salt_len = k->algorithm.salt_len,
                              .tag_len = k->algorithm.tag_len,
                              .is_current = k == b->current,
                              .rand = poc_span_of(k->rand, k->rand_len),
                              .key = k->key,
                              .sent_s = k->sent_s,
                              .service = b->service };
}

poc_err core_csk_of(const core_engine *e, const char *impu, uint8_t service, core_csk_status *out)
{
    const core_book *b = impu == NULL ? NULL : book_find(e, poc_span_str(impu), service);
    const core_csk *k = b == NULL ? NULL : in_force(e, b);
    if (k == NULL)
        return POC_E_STATE;
    *out = status_of(b, k);
    return POC_OK;
}

static poc_err look_by_user(const core_engine *e, const char *impu, core_csk_status *out)
{
    for (size_t service = 0; service < MCX_SERVICES; service++)
        if (core_csk_of(e, impu, (uint8_t)service, out) == POC_OK)
            return POC_OK;
    return POC_E_STATE;
}

poc_err core_csk_look(const core_engine *e, const char *user, uint32_t csk_id, core_csk_status *out)
{
    if (e->mcx == NULL || user == NULL)
        return POC_E_STATE;
    if (csk_id == 0)
        return look_by_user(e, user, out);
    const core_book *b = find(e->mcx, poc_span_str(user), csk_id);
    const core_csk *k = b == NULL ? NULL : book_key(b, csk_id);
    if (k == NULL || !is_usable(e, b, k))
        return POC_E_STATE;
    *out = status_of(b, k);
    return POC_OK;
}

bool core_csk_next(const core_engine *e, size_t *at, core_csk_status *out)
{
    const core_book *b;
    while (e->mcx != NULL && (b = poc_table_next(&e->mcx->books, at)) != NULL) {
        const core_csk *k = in_force(e, b);
        if (k == NULL)
            continue;
        *out = status_of(b, k);
        return true;
    }
    return false;
}

/* ---- life ---- */

void mcx_side_free(core_engine *e)
{
    core_mcx *x = e->mcx;
    if (x == NULL)
        return;
    size_t at = 0;
    for (core_book *b; (b = poc_table_next(&x->books, &at)) != NULL;)
        book_free(b);
    poc_table_done(&x->books);
    poc_table_done(&x->ids);
    identity_free(x);
    free(x);
    e->mcx = NULL;
}
