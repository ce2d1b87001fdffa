/* Key downloads (TS 33.180 5.8): a key that the server made goes to the client, encrypted to its user and signed by the
 * server, and is in force when the client has answered. */
#include "pf/core/csk.h"

#include <string.h>

/* ---- the key ---- */

static poc_err draw_id(core_engine *e, uint32_t uploaded_id, uint32_t *out)
{
    for (int i = 0; i < CORE_ID_DRAWS; i++) {
        POC_TRY(mcx_key_id_random(out, MCX_CSK, &e->set.rng));
        const uint8_t id[4] = { (uint8_t)(*out >> 24), (uint8_t)(*out >> 16), (uint8_t)(*out >> 8), (uint8_t)*out };
        if (*out != uploaded_id && poc_table_get(&e->mcx->ids, poc_span_of(id, sizeof(id))) == NULL)
            return POC_OK;
    }
    return POC_E_IO;
}

poc_err download_make(core_engine *e, core_book *b, uint32_t uploaded_id, const mcx_algorithm *algorithm,
                      core_csk **out)
{
    POC_OWNED(poc_secret, key, poc_secret_free);
    uint8_t rand[MIKEY_RAND_LEN];
    uint32_t id;
    POC_TRY(draw_id(e, uploaded_id, &id));
    POC_TRY(e->set.rng.fill(e->set.rng.ctx, rand, sizeof(rand)));
    POC_TRY(poc_secret_random(&key, algorithm->key_len, &e->set.rng));
    POC_TRY(csk_make(out, key, id, poc_span_of(rand, sizeof(rand))));
    (*out)->algorithm = *algorithm;
    (*out)->sent_s = clock_ms(e) / 1000;
    return mcx_cs_id_of(&(*out)->cs_id, MCX_CSK, (mcx_service)b->service);
}

/* ---- its way ---- */

/* Together with others: each waking looks through all who wait. */
static void wake_at(core_engine *e, core_book *b, int64_t when_ms)
{
    when_ms += CORE_GRAIN_MS - 1;
    b->wake_ms = when_ms - when_ms % CORE_GRAIN_MS;
    if (b->wake_ms < e->deadline_ms)
        e->deadline_ms = b->wake_ms;
}

void download_begin(core_engine *e, core_book *b)
{
    core_mcx *x = e->mcx;
    if (!b->waits) {
        b->next_waiting = x->waiting;
        b->at_waiting = &x->waiting;
        if (x->waiting != NULL)
            x->waiting->at_waiting = &b->next_waiting;
        x->waiting = b;
        b->waits = true;
    }
    b->tries = 0;
    b->download = ++e->offers;
    b->wake_ms = CORE_NEVER;
    fx_book(e, CORE_DO_DOWNLOAD, b, b->next->id);
}

void download_end(core_engine *e, core_book *b)
{
    (void)e;
    b->download = 0;
    b->wake_ms = CORE_NEVER;
    if (!b->waits)
        return;
    *b->at_waiting = b->next_waiting;
    if (b->next_waiting != NULL)
        b->next_waiting->at_waiting = b->at_waiting;
    b->waits = false;
}

/* Nobody answers any more: when the client is heard of again, its upload begins anew. */
static void fail(core_engine *e, core_book *b)
{
    b->download = 0;
    if (b->tries >= CORE_DOWNLOAD_TRIES)
        b->wake_ms = CORE_NEVER;
    else
        wake_at(e, b, e->now_ms + rekey_backoff_ms(b->tries++));
}

/* Nobody signs now: that is no try. */
static void postpone(core_engine *e, core_book *b)
{
    b->download = 0;
    wake_at(e, b, e->now_ms + rekey_backoff_ms(CORE_BACKOFF_STEPS));
}

void download_identified(core_engine *e)
{
    for (core_book *b = e->mcx->waiting; b != NULL; b = b->next_waiting)
        if (b->download == 0 && b->wake_ms != CORE_NEVER)
            wake_at(e, b, e->now_ms);
}

static void answered(core_engine *e, core_book *b)
{
    core_mcx *x = e->mcx;
    download_end(e, b);
    csk_drop(x, &b->previous);
    b->previous = b->current;
    b->current = b->next;
    b->next = NULL;
    b->current->is_bound = true;
    journal_mark(e, &b->durable);
    fx_persist(e);
    fx_audit_book(e, b, CORE_AUDIT_CSK_CHANGED, b->current->id);
}

static core_book *find(const core_engine *e, poc_span impu, uint64_t number)
{
    for (size_t service = 0; service < MCX_SERVICES; service++) {
        core_book *b = book_find(e, impu, (uint8_t)service);
        if (b != NULL && b->download == number)
            return b;
    }
    return NULL;
}

poc_err core_download_answered(core_engine *e, int64_t now_ms, const char *user, uint64_t number, bool ok)
{
    if (user == NULL || number == 0)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    core_book *b = find(e, poc_span_str(user), number);
    poc_err err = POC_OK;
    if (b == NULL)
        err = kind_answered(e, poc_span_str(user), number, ok);
    else if (ok)
        answered(e, b);
    else
        fail(e, b);
    engine_end(e);
    return err;
}

/* ---- time ---- */

int64_t download_deadline(const core_engine *e)
{
    int64_t first = CORE_NEVER;
    for (const core_book *b = e->mcx == NULL ? NULL : e->mcx->waiting; b != NULL; b = b->next_waiting)
        if (b->wake_ms < first)
            first = b->wake_ms;
    return first;
}

static void retry(core_engine *e, core_book *b)
{
    if (b->download != 0) { /* the shell forgot it */
        fail(e, b);
        return;
    }
    b->wake_ms = CORE_NEVER;
    b->download = ++e->offers;
    fx_book(e, CORE_DO_DOWNLOAD, b, b->next->id);
}

void download_tick(core_engine *e)
{
    for (core_book *b = e->mcx == NULL ? NULL : e->mcx->waiting; b != NULL; b = b->next_waiting)
        if (b->wake_ms <= e->now_ms)
            retry(e, b);
}

void download_resume(core_engine *e)
{
    size_t at = 0;
    if (e->mcx == NULL)
        return;
    for (core_book *b; (b = poc_table_next(&e->mcx->books, &at)) != NULL;)
        if (b->next != NULL)
            download_begin(e, b);
}

/* ---- sealing ---- */

static poc_err seal(core_engine *e, core_book *b, mcx_seal_job *job)
{
    const core_csk *k = b->next;
    const poc_span kms_uri = poc_span_str(b->kms_uri);
    const mcx_key_parameters parameters = { .type = MCX_CSK };
    mcx_seal_params params = { .sender = identity_signer(e, kms_uri),
                               .key_id = k->id,
                               .ntp = identity_ntp(e),
                               .ntp_s = identity_ntp_s(e),
                               .cs_id = k->cs_id,
                               .algorithms = &k->algorithm,
                               .algorithm_count = 1,
                               .parameters = &parameters };
    *job = (mcx_seal_job){ .uri = poc_span_str(b->mc_id),
                           .kms = identity_certificate(e, kms_uri),
                           .out = e->mcx->room,
                           .cap = sizeof(e->mcx->room) };
    if (params.sender == NULL || job->kms == NULL)
        return POC_E_STATE;
    memcpy(params.rand, k->rand, sizeof(params.rand));
    b->last_ntp = params.ntp;
    return mcx_i_message_seal(&params, k->key, &e->set.rng, job, 1);
}

bool fx_show_download(core_engine *e, core_todo *t, core_effect *out)
{
    core_book *b = t->u.csk.book;
    mcx_seal_job job;
    if (t->member != NULL)
        return fx_show_revocation(e, t, out);
    const bool is_kept = !b->durable.dirty && !b->durable.in_flight; /* else the client would know more than we do */
    if (!b->inside || b->next == NULL || b->next->id != t->u.csk.id || b->download == 0)
        return false;
    if (identity_signer(e, poc_span_str(b->kms_uri)) == NULL) {
        postpone(e, b);
        return false;
    }
    if (!is_kept || seal(e, b, &job) != POC_OK) {
        fail(e, b);
        return false;
    }
    wake_at(e, b, e->now_ms + CORE_DOWNLOAD_MS + CORE_BACKOFF_MS);
    out->user = b->impu;
    out->u.download.number = b->download;
    out->u.download.mc_id = b->mc_id;
    out->u.download.key_id = b->next->id;
    out->u.download.i_message = poc_span_of(job.out, job.len);
    out->u.download.timeout_ms = CORE_DOWNLOAD_MS;
    out->u.download.service = b->service;
    return true;
}
