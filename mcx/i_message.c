/* Reading I_MESSAGEs and sealing them for many (TS 33.180 E.1 to E.5). */
#include "mcx/mcx.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define BATCH \
    64u /* messages between the writing and the signing of which one call encapsulates: a full batch of SAKKE */
#define SP_MAX     32u /* octets of the parameters of one policy */
#define SAKKE_HEAD 5u  /* octets of a SAKKE payload in front of its SED */

poc_err mcx_identity_init(mcx_identity *identity)
{
    const mcx_period period = { identity->kms->period_s, identity->kms->offset_s, identity->period_number };
    return mcx_uid(identity->uid, identity->uri, identity->kms->kms_uri, &period);
}

/* ---- reading ---- */

poc_err mcx_i_message_read(mikey_msg *out, poc_span octets, poc_fault *fault)
{
    mcx_key_type type;
    poc_rd at = poc_rd_over(octets, fault);
    POC_TRY(mikey_decode(out, octets, fault));
    if (out->data_type != MIKEY_I_MESSAGE)
        return poc_rd_fail(&at, "not an I_MESSAGE");
    if (mcx_key_type_of(&type, out->csb_id) != POC_OK)
        return poc_rd_fail(&at, "purpose tag of the key id is unassigned");
    return POC_OK;
}

poc_err mcx_body_octets(uint8_t *out, size_t cap, size_t *n, poc_span body, bool says_base64)
{
    /* A message begins with the version, 1; the base64 of one with ARoF. Octets are never trimmed: the last one of a
     * signature may look like white space. */
    if (says_base64 || (body.n > 0 && body.p[0] == 'A'))
        return poc_base64_get(out, cap, n, poc_trim(body));
    if (body.n > cap)
        return POC_E_LIMIT;
    memcpy(out, body.p, body.n);
    *n = body.n;
    return POC_OK;
}

/* ---- sealing ---- */

/* What all messages have in common, written once. */
typedef struct plan {
    const mcx_seal_params *params;
    const poc_secret *key;
    const poc_rng *rng;
    uint8_t mki[4], policy_numbers[MCX_OFFER_MAX], policy_texts[MCX_OFFER_MAX][SP_MAX];
    mikey_generic_cs map[MCX_OFFER_MAX];
    mikey_policy policies[MCX_OFFER_MAX];
    uint8_t parameters[MCX_SEALED_MAX], self[SAKKE_HEAD + MCX_SED_MAX];
    mikey_i_message message; /* but for IDRr and IDRkmsr */
} plan;

/* A message being sealed. */
typedef struct draft {
    uint8_t uid[MCX_UID_LEN];
    uint8_t *signature;
} draft;

static mikey_id identity_put(poc_span uri, const uint8_t *uid, bool hides, uint8_t role, uint8_t hidden_role)
{
    return hides ? (mikey_id){ true, hidden_role, MIKEY_ID_URI, poc_span_of(uid, MCX_UID_LEN) }
                 : (mikey_id){ true, role, MIKEY_ID_URI, uri };
}

static poc_err params_check(const mcx_seal_params *p, const poc_secret *key)
{
    const mcx_certificate *kms = p->sender->kms;
    const size_t key_len = poc_secret_len(key);
    mcx_key_type type;
    POC_TRY(mcx_key_type_of(&type, p->key_id));
    if (type == MCX_GMK)
        return POC_E_INPUT;
    if ((key_len != 16 && key_len != 32) || p->algorithm_count > MCX_OFFER_MAX || p->sender->signer == NULL ||
        (uint32_t)(p->ntp >> 32) != (uint32_t)p->ntp_s || (p->parameters != NULL && p->parameters->type != type))
        return POC_E_BUG;
    return p->sender->period_number == mcx_period_number(p->ntp_s, kms->period_s, kms->offset_s) ? POC_OK : POC_E_STATE;
}

static poc_err algorithms_plan(plan *pl)
{
    const mcx_seal_params *p = pl->params;
    poc_wr mki = poc_wr_into(pl->mki, sizeof(pl->mki));
    poc_wr_u32(&mki, p->key_id);
    for (size_t i = 0; i < p->algorithm_count; i++) {
        poc_wr text = poc_wr_into(pl->policy_texts[i], SP_MAX);
        mcx_algorithm_put(&text, &p->algorithms[i]);
        POC_TRY(poc_wr_done(&text));
        pl->policy_numbers[i] = (uint8_t)i;
        pl->policies[i] = (mikey_policy){ (uint8_t)i, poc_span_of(text.buf, text.len) };
        pl->map[i] = (mikey_generic_cs){ .cs_id = p->cs_id,
                                         .policies = poc_span_of(&pl->policy_numbers[i], 1),
                                         .spi = poc_span_of(pl->mki, sizeof(pl->mki)) };
    }
    pl->message.map = pl->map;
    pl->message.policies = pl->policies;
    pl->message.cs_count = pl->message.policy_count = p->algorithm_count;
    return POC_OK;
}

static poc_err parameters_plan(plan *pl)
{
    const mcx_seal_params *p = pl->params;
    poc_wr wr = poc_wr_into(pl->parameters, sizeof(pl->parameters));
    if (p->parameters == NULL)
        return POC_OK;
    POC_TRY(mcx_key_parameters_seal(&wr, p->parameters, pl->key, p->key_id, p->ntp_s - MCX_NTP_MINUS_UNIX, pl->rng));
    pl->message.key_parameters = poc_span_of(pl->parameters, wr.len);
    return POC_OK;
}

static poc_err self_plan(plan *pl)
{
    const mcx_identity *sender = pl->params->sender;
    uint8_t sed[MCX_SED_MAX];
    poc_wr wr = poc_wr_into(pl->self, sizeof(pl->self));
    mcx_sakke_job job = { .id = poc_span_of(sender->uid, MCX_UID_LEN), .sed = sed, .cap = sizeof(sed) };
    if (!pl->params->to_self)
        return POC_OK;
    POC_TRY(mcx_sakke_encapsulate(sender->kms->sakke, pl->key, &job, 1));
    POC_TRY(job.err);
    POC_TRY(mikey_sakke_write(&wr, poc_span_of(sed, job.len)));
    pl->message.sakke_to_self = poc_span_of(pl->self, wr.len);
    return POC_OK;
}

static poc_err plan_make(plan *pl)
{
    const mcx_seal_params *p = pl->params;
    POC_TRY(params_check(p, pl->key));
    pl->message = (mikey_i_message){
        .csb_id = p->key_id,
        .ntp = p->ntp,
        .rand = poc_span_of(p->rand, sizeof(p->rand)),
        .idi = identity_put(p->sender->uri, p->sender->uid, p->hides_identities, MIKEY_ROLE_INITIATOR,
                            MIKEY_ROLE_UID_INITIATOR),
        .idkmsi = { true, MIKEY_ROLE_KMS_INITIATOR, MIKEY_ID_URI, p->sender->kms->kms_uri },
        .sed_len = poc_secret_len(pl->key) == 16 ? MIKEY_SED_LEN : MIKEY_SED_LEN_256,
    };
    POC_TRY(algorithms_plan(pl));
    POC_TRY(parameters_plan(pl));
    return self_plan(pl);
}

/* Writes one message but for its SED, which `sakke` is told to put there, and its signature. */
static poc_err draft_write(draft *d, mcx_sakke_job *sakke, const plan *pl, mcx_seal_job *job)
{
    const mcx_certificate *kms = job->kms;
    const uint64_t number = mcx_period_number(pl->params->ntp_s, kms->period_s, kms->offset_s);
    mikey_i_message m = pl->message;
    poc_wr wr = poc_wr_into(job->out, job->cap);
    uint8_t *sed;
    POC_TRY(mcx_uid(d->uid, job->uri, kms->kms_uri, &(mcx_period){ kms->period_s, kms->offset_s, number }));
    m.idr =
        identity_put(job->uri, d->uid, pl->params->hides_identities, MIKEY_ROLE_RESPONDER, MIKEY_ROLE_UID_RESPONDER);
    m.idkmsr = (mikey_id){ true, MIKEY_ROLE_KMS_RESPONDER, MIKEY_ID_URI, kms->kms_uri };
    POC_TRY(mikey_i_message_write(&wr, &m, &sed, &d->signature));
    *sakke = (mcx_sakke_job){ .id = poc_span_of(d->uid, sizeof(d->uid)), .sed = sed, .cap = m.sed_len };
    job->len = wr.len;
    return POC_OK;
}

static poc_err draft_finish(const draft *d, const plan *pl, const mcx_seal_job *job)
{
    return mcx_sign(d->signature, pl->params->sender->signer, poc_span_of(job->out, (size_t)(d->signature - job->out)),
                    pl->rng);
}

/* Up to BATCH jobs, all for users of one KMS. */
static void batch_seal(const plan *pl, mcx_seal_job *jobs, size_t n)
{
    draft drafts[BATCH];
    mcx_sakke_job sakke[BATCH];
    size_t drafted = 0, which[BATCH];
    for (size_t i = 0; i < n; i++) {
        jobs[i].err = draft_write(&drafts[drafted], &sakke[drafted], pl, &jobs[i]);
        if (jobs[i].err == POC_OK)
            which[drafted++] = i;
    }
    const poc_err err = mcx_sakke_encapsulate(jobs[0].kms->sakke, pl->key, sakke, drafted);
    for (size_t i = 0; i < drafted; i++) {
        mcx_seal_job *job = &jobs[which[i]];
        job->err = err == POC_OK ? sakke[i].err : err;
        if (job->err == POC_OK)
            job->err = draft_finish(&drafts[i], pl, job);
    }
    for (size_t i = 0; i < n; i++)
        jobs[i].len = jobs[i].err == POC_OK ? jobs[i].len : 0;
}

static poc_err refuse_all(mcx_seal_job *jobs, size_t n, poc_err err)
{
    for (size_t i = 0; i < n; i++) {
        jobs[i].len = 0;
        jobs[i].err = err;
    }
    return err;
}

poc_err mcx_i_message_seal(const mcx_seal_params *params, const poc_secret *key, const poc_rng *rng, mcx_seal_job *jobs,
                           size_t n)
{
    plan pl = { .params = params, .key = key, .rng = rng };
    poc_err err = plan_make(&pl);
    if (err != POC_OK)
        return refuse_all(jobs, n, err);
    for (size_t first = 0, count; first < n; first += count) {
        for (count = 1; count < BATCH && first + count < n && jobs[first + count].kms == jobs[first].kms; count++)
            ;
        batch_seal(&pl, jobs + first, count);
    }
    for (size_t i = 0; i < n && err == POC_OK; i++)
        err = jobs[i].err;
    return err;
}
