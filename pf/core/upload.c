/* The upload of a client-server key: checked, opened, proved to be its user's, and only then kept. An upload that cannot be kept
 * leaves nothing behind, so that the same message may come again. */
#include <string.h>

#include "pf/core/csk.h"

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

/* What was seen before a restart is not remembered; how old the last one was is, to the second: of that second all count as seen. */
static bool is_older(const core_book *b, uint32_t csb_id, uint64_t sent_ntp_s)
{
    if (b == NULL || sent_ntp_s > b->uploaded_ntp_s)
        return false;
    return sent_ntp_s < b->uploaded_ntp_s || b->is_restored || book_key(b, csb_id) != NULL;
}

static const char is_older_why[] = "older than the last upload of its user";

/* Without opening anything, if it says to be from who has the book. Somebody else at his device is not bound by his clock. */
static bool is_stale(void *ctx, uint32_t csb_id, uint64_t sent_ntp_s)
{
    upload *u = ctx;
    const mikey_id *idi = &u->msg.idi;
    if (!is_older(u->book, csb_id, sent_ntp_s) || idi->role == MIKEY_ROLE_UID_INITIATOR ||
        !poc_span_eq_str(idi->data, u->book->mc_id))
        return false;
    u->out->why = is_older_why;
    return true;
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

/* MCX-21: who it is follows from what may be readable only with the key: hence asked as late as this. */
static poc_err prove(upload *u, const mcx_opened *opened)
{
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

static poc_err age_check(upload *u, const mcx_opened *opened)
{
    return is_older(u->book, opened->csb_id, opened->sent_ntp_s) ? refuse(u, POC_E_AUTH, is_older_why) : POC_OK;
}

/* An id never names another key. */
static poc_err id_check(upload *u, const mcx_opened *opened)
{
    const core_csk *old = u->book == NULL ? NULL : book_key(u->book, opened->csb_id);
    const bool is_free = old == NULL || poc_secret_eq(old->key, opened->key);
    return is_free ? POC_OK : refuse(u, POC_E_DENIED, "key id is that of another key");
}

/* It is used as soon as it is durable; until then a client that says so would not know it. */
static poc_err activation_check(upload *u, const mcx_opened *opened)
{
    const uint64_t latest_s = identity_ntp_s(u->e) - MCX_NTP_MINUS_UNIX + u->e->set.mcx_skew_s;
    const bool is_active = !opened->has_parameters || opened->parameters.activation_s <= latest_s;
    return is_active ? POC_OK : refuse(u, POC_E_DENIED, "key is not active yet");
}

static poc_err choose(upload *u, const mcx_opened *opened)
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
    if (mcx_algorithm_choose(&u->choice, &opened->offer, &policy) != POC_OK)
        return refuse(u, POC_E_DENIED, "no algorithm that both sides allow");
    return POC_OK;
}

/* Before the message counts as seen: a thief who sends it first, with a token of his own, takes nothing away. What does not
 * depend on who it is comes before that is asked, for whoever answers may make room for him. */
static poc_err admit(void *ctx, const mcx_opened *opened)
{
    upload *u = ctx;
    POC_TRY(activation_check(u, opened));
    POC_TRY(choose(u, opened));
    if (u->mc_id == NULL)
        POC_TRY(prove(u, opened));
    POC_TRY(age_check(u, opened));
    return id_check(u, opened);
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
                                    .is_stale = is_stale,
                                    .admit = admit,
                                    .ctx = u };
    poc_err err = mcx_i_message_read(&u->msg, u->in->i_message, &fault);
    if (err == POC_OK)
        err = mcx_i_message_open(&u->opened, &u->msg, &expected, &fault);
    return err == POC_OK || u->out->why != NULL ? err : refuse(u, err, fault.reason);
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
    (*out)->sent_s += u->e->clock.ahead_ms / 1000;
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

/* A key that comes again takes the place of what it was, with the age that it has: what is counted from that does not begin
 * anew. */
static void clear_id(core_mcx *x, core_book *b, core_csk *k)
{
    core_csk **const slots[] = { &b->current, &b->previous, &b->next };
    const core_csk *old = book_key(b, k->id);
    if (old == NULL)
        return;
    if (old->sent_s < k->sent_s)
        k->sent_s = old->sent_s;
    for (size_t i = 0; i < POC_COUNT(slots); i++)
        if (*slots[i] == old)
            csk_drop(x, slots[i]);
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
    clock_look(e);
    fx_persist(e);
    fx_book(e, CORE_DO_CSK_BOUND, b, b->current->id);
    if (b->next != NULL)
        download_begin(e, b);
}

/* Another user of the same device: what is derived from a key depends on his id, and what one belongs to the other need not. */
static void turn_over(core_engine *e, core_book *b)
{
    csk_drop(e->mcx, &b->current);
    csk_drop(e->mcx, &b->previous);
    kind_logged_off(e, book_name_of(b), b->service);
}

/* All that can fail first. */
static poc_err take(upload *u, core_book *b, core_csk *k, core_csk *next)
{
    const bool is_other = !poc_span_eq_str(poc_span_str(b->mc_id), u->mc_id);
    POC_TRY(poc_table_reserve(&u->x->ids, 2));
    if (is_other || !poc_span_eq_str(u->msg.idkmsi.data, b->kms_uri))
        POC_TRY(book_name(b, poc_span_str(u->mc_id), u->msg.idkmsi.data));
    download_end(u->e, b);
    clear_id(u->x, b, k);
    csk_drop(u->x, &b->next);
    if (is_other)
        turn_over(u->e, b);
    (void)csk_list(u->x, b, k);
    if (next != NULL)
        (void)csk_list(u->x, b, next);
    roll(u->x, b, k);
    b->next = next;
    b->uploaded_ntp_s = u->opened.sent_ntp_s;
    b->is_restored = false;
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
        err = download_make(u->e, b, k->id, &u->choice.algorithm, &next);
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
    if (err == POC_OK) {
        err = bind(&u);
        if (err != POC_OK)
            mcx_replay_forget_last(u.x->replay);
    }
    if (err == POC_OK)
        out->csk_id = u.opened.csb_id;
    else if (out->why == NULL)
        out->why = poc_err_name(err);
    mcx_opened_done(&u.opened);
    engine_end(e);
    return err;
}
