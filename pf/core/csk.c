/* Client-server keys: uploaded by clients (TS 33.180 5.4), bound to who they are, looked up by whoever protects or opens
 * their signalling. The current one and the one before are kept, since messages are under way when a key changes. */
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

/* ---- uploads ---- */

typedef struct upload {
    core_engine *e;
    core_mcx *x;
    const core_csk_upload *in;
    core_csk_result *out;
    core_book *book;   /* that the user has already; NULL: none */
    const char *mc_id; /* who it is, as the service authorisation says */
    char proved[CORE_MC_ID_MAX];
    mikey_msg msg;
    mcx_opened opened;
    mcx_choice choice;
} upload;

static poc_err refuse(upload *u, poc_err err, const char *why)
{
    u->out->why = why;
    return err;
}

/* MCX-21: a key id belongs to one public identity in one service. */
static bool is_taken(void *ctx, uint32_t csb_id, poc_span sender)
{
    const upload *u = ctx;
    const uint8_t id[4] = { (uint8_t)(csb_id >> 24), (uint8_t)(csb_id >> 16), (uint8_t)(csb_id >> 8), (uint8_t)csb_id };
    const core_book *owner = poc_table_get(&u->x->ids, poc_span_of(id, sizeof(id)));
    (void)sender;
    return owner != NULL && owner != u->book;
}

/* The URI in the message, or "". */
static poc_err sender_text(upload *u, char out[CORE_MC_ID_MAX])
{
    const mikey_id *idi = &u->msg.idi;
    out[0] = '\0';
    if (idi->role == MIKEY_ROLE_UID_INITIATOR)
        return POC_OK;
    if (idi->data.n >= CORE_MC_ID_MAX || memchr(idi->data.p, 0, idi->data.n) != NULL)
        return refuse(u, POC_E_DENIED, "IDRi is no service id");
    memcpy(out, idi->data.p, idi->data.n);
    out[idi->data.n] = '\0';
    return POC_OK;
}

static poc_err sender_check(upload *u, const mcx_opened *opened)
{
    const mikey_id *idi = &u->msg.idi;
    const poc_span said = poc_span_str(u->mc_id);
    if (idi->role != MIKEY_ROLE_UID_INITIATOR)
        return poc_span_eq(idi->data, said) ? POC_OK : refuse(u, POC_E_DENIED, "IDRi is not who is authorised");
    const mcx_certificate *kms = identity_certificate(u->e, u->msg.idkmsi.data);
    const mcx_period period = { kms->period_s, kms->offset_s,
                                mcx_period_number(opened->sent_ntp_s, kms->period_s, kms->offset_s) };
    uint8_t uid[MCX_UID_LEN];
    POC_TRY(mcx_uid(uid, said, kms->kms_uri, &period));
    return memcmp(uid, opened->sender_uid, sizeof(uid)) == 0
               ? POC_OK
               : refuse(u, POC_E_DENIED, "UID is not of who is authorised, in this period");
}

/* MCX-21: who it is follows from what may be readable only with the key: hence asked as late as this, and yet before the
 * message counts as seen, so that a thief who sends it first with a token of his own takes nothing away. */
static poc_err prove(void *ctx, const mcx_opened *opened)
{
    upload *u = ctx;
    char sender[CORE_MC_ID_MAX];
    POC_TRY(sender_text(u, sender));
    const poc_err err = u->in->prove(u->in->prove_ctx, opened->csb_id, opened->key, sender, u->proved);
    u->proved[CORE_MC_ID_MAX - 1] = '\0';
    if (err != POC_OK)
        return refuse(u, err, "not authorised for the service");
    if (u->proved[0] == '\0')
        return refuse(u, POC_E_DENIED, "authorised without a service id");
    u->mc_id = u->proved;
    return sender_check(u, opened);
}

static poc_err open_message(upload *u)
{
    const core_engine *e = u->e;
    poc_fault fault = { 0, NULL };
    const mcx_expected expected = { .now_ntp_s = identity_ntp_s(e),
                                    .skew_s = e->set.mcx_skew_s,
                                    .own = u->x->identities,
                                    .own_count = u->x->own_count,
                                    .certificates = u->x->certificates,
                                    .certificate_count = u->x->certificate_count,
                                    .sender = poc_span_str(u->mc_id == NULL ? "" : u->mc_id),
                                    .types = MCX_TYPE_BIT(MCX_CSK),
                                    .strict_signature = e->set.mcx_strict_signature,
                                    .replay = u->x->replay,
                                    .verifier = u->x->verifier,
                                    .is_taken = is_taken,
                                    .admit = u->mc_id == NULL ? prove : NULL,
                                    .ctx = u };
    poc_err err = mcx_i_message_read(&u->msg, u->in->i_message, &fault);
    if (err == POC_OK)
        err = mcx_i_message_open(&u->opened, &u->msg, &expected, &fault);
    return err == POC_OK || u->out->why != NULL ? err : refuse(u, err, fault.reason);
}

static poc_err choose(upload *u)
{
    const mcx_algorithm all[] = { mcx_aes128_gcm, mcx_aes256_gcm, mcx_aes128_cm };
    const core_settings *set = &u->e->set;
    mcx_algorithm allowed[POC_COUNT(all)];
    mcx_algorithm_policy policy = { .allowed = allowed };
    for (size_t i = 0; i < POC_COUNT(all); i++) {
        if ((set->mcx_algorithms & 1u << i) != 0)
            allowed[policy.allowed_count++] = all[i];
        if ((set->mcx_forced & 1u << i) != 0)
            policy.forced = &all[i];
    }
    if (mcx_algorithm_choose(&u->choice, &u->opened.offer, &policy) != POC_OK)
        return refuse(u, POC_E_DENIED, "no algorithm that both sides allow");
    return POC_OK;
}

/* What the client has selected counts until a download has said otherwise (MCX-15). */
static poc_err make_key(upload *u, core_csk **out)
{
    const mcx_opened *o = &u->opened;
    POC_TRY(csk_make(out, o->key, o->csb_id, poc_span_of(o->rand, o->rand_len)));
    (*out)->cs_id = o->cs_id;
    if (u->msg.map_type != MIKEY_MAP_GENERIC_ID || u->msg.cs_count == 0) /* it says none: the one of the service */
        (void)mcx_cs_id_of(&(*out)->cs_id, MCX_CSK, (mcx_service)u->in->service);
    (*out)->algorithm = o->offer.algorithms[0];
    (*out)->sent_s = (int64_t)(o->sent_ntp_s - MCX_NTP_MINUS_UNIX);
    if ((*out)->sent_s > u->e->now_ms / 1000)
        (*out)->sent_s = u->e->now_ms / 1000;
    if (o->has_parameters && o->parameters.expiry_s != 0)
        (*out)->expires_ms = (int64_t)o->parameters.expiry_s * 1000;
    return POC_OK;
}

static poc_err find_book(upload *u, core_book **out)
{
    *out = u->book;
    if (u->book != NULL)
        return POC_OK;
    POC_TRY(book_make(u->e, out, poc_span_str(u->in->impu), u->in->service));
    const poc_err err = book_name(*out, poc_span_str(u->mc_id), u->msg.idkmsi.data);
    if (err != POC_OK) {
        (void)poc_table_remove(&u->x->books, book_label_of(*out));
        book_free(*out);
    }
    return err;
}

/* An id never names another key, and a key that comes again takes the place of what it was, with the age that it has: what
 * is counted from that does not begin anew. */
static poc_err clear_id(upload *u, core_book *b, core_csk *k)
{
    core_csk **const slots[] = { &b->current, &b->previous, &b->next };
    const core_csk *old = book_key(b, k->id);
    if (old != NULL && !poc_secret_eq(old->key, k->key))
        return refuse(u, POC_E_DENIED, "key id is that of another key");
    if (old != NULL && old->sent_s < k->sent_s)
        k->sent_s = old->sent_s;
    for (size_t i = 0; i < POC_COUNT(slots); i++)
        if (*slots[i] != NULL && *slots[i] == old)
            csk_drop(u->x, slots[i]);
    return POC_OK;
}

static void roll(core_mcx *x, core_book *b, core_csk *k)
{
    if (b->current != NULL) {
        csk_drop(x, &b->previous);
        b->previous = b->current;
    }
    b->current = k;
}

/* The record of it goes first; then whoever waits is told; then the key that the server wants instead goes out. */
static void announce(upload *u, core_book *b)
{
    core_engine *e = u->e;
    journal_mark(e, &b->durable);
    fx_persist(e);
    fx_book(e, CORE_DO_CSK_BOUND, b, b->current->id);
    if (b->next != NULL)
        download_begin(e, b);
}

static poc_err take(upload *u, core_book *b, core_csk *k, core_csk *next)
{
    const bool is_other = !poc_span_eq_str(poc_span_str(b->mc_id), u->mc_id);
    POC_TRY(clear_id(u, b, k));
    if (is_other || !poc_span_eq_str(u->msg.idkmsi.data, b->kms_uri))
        POC_TRY(book_name(b, poc_span_str(u->mc_id), u->msg.idkmsi.data));
    POC_TRY(csk_list(u->x, b, k));
    const poc_err err = next == NULL ? POC_OK : csk_list(u->x, b, next);
    if (err != POC_OK) {
        (void)poc_table_remove(&u->x->ids, id_of(k));
        return err;
    }
    download_end(u->e, b);
    csk_drop(u->x, &b->next);
    if (is_other) { /* another user of the same device: what is derived from a key depends on his id */
        csk_drop(u->x, &b->current);
        csk_drop(u->x, &b->previous);
        kind_logged_off(u->e, book_name_of(b), b->service); /* what one belongs to the other need not */
    }
    roll(u->x, b, k);
    b->next = next;
    announce(u, b);
    return POC_OK;
}

static poc_err bind(upload *u)
{
    core_book *b;
    core_csk *k = NULL, *next = NULL;
    POC_TRY(find_book(u, &b));
    poc_err err = make_key(u, &k);
    if (err == POC_OK && u->choice.needs_download)
        err = download_make(u->e, b, &u->choice.algorithm, &next);
    if (err == POC_OK)
        err = take(u, b, k, next);
    if (err == POC_OK)
        return POC_OK;
    csk_free(k);
    csk_free(next);
    if (u->book == NULL) {
        book_strike(u->e, b);
        book_free(b);
    }
    return err;
}

static poc_err check(const core_engine *e, const core_csk_upload *in, core_csk_result *out)
{
    poc_err err = limits_text(in->impu, CORE_NAME_MAX);
    if (err == POC_OK && (in->mc_id != NULL || in->prove == NULL))
        err = limits_text(in->mc_id, CORE_MC_ID_MAX - 1);
    if (err != POC_OK || in->service >= MCX_SERVICES) {
        out->why = "IMPU, service id or service";
        return POC_E_INPUT;
    }
    if (e->mcx != NULL && e->mcx->own_count > 0)
        return POC_OK;
    out->why = "no identity of ours";
    return POC_E_STATE;
}

poc_err core_csk_uploaded(core_engine *e, int64_t now_ms, const core_csk_upload *in, core_csk_result *out)
{
    *out = (core_csk_result){ 0 };
    POC_TRY(check(e, in, out));
    POC_TRY(engine_begin(e, now_ms));
    upload u = { .e = e, .x = e->mcx, .in = in, .out = out, .mc_id = in->mc_id };
    u.book = book_find(e, poc_span_str(in->impu), in->service);
    poc_err err = open_message(&u);
    if (err == POC_OK)
        err = choose(&u);
    if (err == POC_OK)
        err = bind(&u);
    if (err == POC_OK)
        out->csk_id = u.opened.csb_id;
    else if (out->why == NULL)
        out->why = poc_err_name(err);
    mcx_opened_done(&u.opened);
    engine_end(e);
    return err;
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
    for (uint8_t i = 0; i < MCX_SERVICES; i++)
        has_any |= (books[i] = book_find(e, name, i)) != NULL;
    if (!has_any)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    for (size_t i = 0; i < MCX_SERVICES; i++)
        if (books[i] != NULL)
            log_off(e, books[i]);
    engine_end(e);
    return POC_OK;
}

/* ---- looking ---- */

core_book *book_in_force(const core_engine *e, poc_span impu, uint8_t service)
{
    core_book *b = book_find(e, impu, service);
    const bool is_bound = b != NULL && b->current != NULL && (b->current->is_bound || b->previous != NULL);
    return is_bound ? b : NULL;
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

/* What is in force: the one before, as long as the new one is not durable. */
static const core_csk *in_force(const core_engine *e, const core_book *b)
{
    if (is_usable(e, b, b->current))
        return b->current;
    return is_usable(e, b, b->previous) ? b->previous : NULL;
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

static poc_err look_by_user(const core_engine *e, poc_span impu, core_csk_status *out)
{
    for (uint8_t service = 0; service < MCX_SERVICES; service++) {
        const core_book *b = book_find(e, impu, service);
        const core_csk *k = b == NULL ? NULL : in_force(e, b);
        if (k == NULL)
            continue;
        *out = status_of(b, k);
        return POC_OK;
    }
    return POC_E_STATE;
}

poc_err core_csk_look(const core_engine *e, const char *user, uint32_t csk_id, core_csk_status *out)
{
    if (e->mcx == NULL || user == NULL)
        return POC_E_STATE;
    if (csk_id == 0)
        return look_by_user(e, poc_span_str(user), out);
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
