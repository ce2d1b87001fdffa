/* Opening an I_MESSAGE: the receiver's checklist (digest 3.10) in its order, cheap steps first. */
#include <stdlib.h>
#include <string.h>

#include "mcx/mcx.h"
#include "mcx/replay.h"

#define SIGN_HEAD      2u /* octets of S type and length, which old senders do not sign */
#define GMK_SPI_LEN    8u
#define UNIX_OF(ntp_s) ((ntp_s)-MCX_NTP_MINUS_UNIX)

/* A message on its way through the steps. */
typedef struct opening {
    mcx_opened *out;
    const mikey_msg *msg;
    const mcx_expected *expected;
    poc_fault *fault;
    const mcx_certificate *sender_kms, *own_kms;
    mcx_replay_key replay;
} opening;

static poc_err refuse(const opening *o, poc_err err, const uint8_t *at, const char *reason)
{
    if (o->fault != NULL && o->fault->reason == NULL)
        *o->fault = (poc_fault){ (size_t)(at - o->msg->raw.p), reason };
    return err;
}

static const mcx_certificate *certificate_of(const mcx_expected *e, poc_span kms_uri)
{
    for (size_t i = 0; i < e->certificate_count; i++) {
        if (poc_span_eq(e->certificates[i].kms_uri, kms_uri))
            return &e->certificates[i];
    }
    return NULL;
}

static uint64_t period_of(const opening *o, const mcx_certificate *kms)
{
    const uint64_t *said = o->expected->period_number;
    return said != NULL ? *said : mcx_period_number(o->out->sent_ntp_s, kms->period_s, kms->offset_s);
}

/* ---- 2. for whom ---- */

static bool is_named(const mikey_id *idr, const mcx_identity *own)
{
    return idr->role == MIKEY_ROLE_UID_RESPONDER ? poc_span_eq(idr->data, poc_span_of(own->uid, MCX_UID_LEN))
                                                 : poc_span_eq(idr->data, own->uri);
}

static poc_err own_find(opening *o)
{
    const mikey_id *idr = &o->msg->idr;
    bool is_ours = false;
    for (size_t i = 0; i < o->expected->own_count; i++) {
        const mcx_identity *own = &o->expected->own[i];
        if (!poc_span_eq(own->kms->kms_uri, o->msg->idkmsr.data) || !is_named(idr, own))
            continue;
        is_ours = true;
        if (own->period_number != period_of(o, own->kms) || own->receiver == NULL)
            continue;
        o->out->own = own;
        return POC_OK;
    }
    return is_ours ? refuse(o, POC_E_AUTH, idr->data.p, "no key of ours for the period of its time")
                   : refuse(o, POC_E_DENIED, idr->data.p, "IDRr with IDRkmsr is no identity of ours");
}

/* ---- 3. from whom ---- */

static poc_err sender_uid_make(opening *o, uint8_t uid[MCX_UID_LEN], poc_span uri)
{
    const mcx_certificate *kms = o->sender_kms;
    const mcx_period period = { kms->period_s, kms->offset_s, period_of(o, kms) };
    return mcx_uid(uid, uri, kms->kms_uri, &period);
}

static poc_err sender_check(opening *o)
{
    const mikey_id *idi = &o->msg->idi;
    const poc_span who = o->expected->sender;
    uint8_t *uid = o->out->sender_uid;
    o->sender_kms = certificate_of(o->expected, o->msg->idkmsi.data);
    if (o->sender_kms == NULL)
        return refuse(o, POC_E_DENIED, o->msg->idkmsi.data.p, "KMS of the sender is not known");
    if (idi->role != MIKEY_ROLE_UID_INITIATOR) {
        if (who.n > 0 && !poc_span_eq(who, idi->data))
            return refuse(o, POC_E_DENIED, idi->data.p, "IDRi is not who the bearer says it is");
        return idi->data.n > MCX_URI_MAX ? refuse(o, POC_E_INPUT, idi->data.p, "IDRi is too long")
                                         : sender_uid_make(o, uid, idi->data);
    }
    if (idi->data.n != MCX_UID_LEN)
        return refuse(o, POC_E_INPUT, idi->data.p, "UID is not of 32 octets");
    if (who.n > 0) {
        POC_TRY(sender_uid_make(o, uid, who));
        if (!poc_span_eq(idi->data, poc_span_of(uid, MCX_UID_LEN)))
            return refuse(o, POC_E_DENIED, idi->data.p, "UID is not of who the bearer says it is, in this period");
    }
    memcpy(uid, idi->data.p, MCX_UID_LEN);
    return POC_OK;
}

/* ---- 4. when ---- */

static poc_err time_read(opening *o)
{
    poc_rd rd = poc_rd_over(o->msg->ts, NULL);
    uint32_t seconds, fraction;
    POC_TRY(poc_rd_u32(&rd, &seconds));
    POC_TRY(poc_rd_u32(&rd, &fraction));
    o->out->sent_ntp_s = mcx_ntp_expand(seconds, o->expected->now_ntp_s);
    o->replay = (mcx_replay_key){ .sender = o->out->sender_uid,
                                  .csb_id = o->msg->csb_id,
                                  .ntp = o->out->sent_ntp_s << 24 | fraction >> 8,
                                  .rand = o->msg->rand };
    return POC_OK;
}

static poc_err replay_check(opening *o)
{
    const char *why = NULL;
    if (o->expected->replay == NULL)
        return POC_OK;
    const poc_err err = mcx_replay_check(o->expected->replay, &o->replay, &why);
    return err == POC_E_AUTH ? refuse(o, err, o->msg->ts.p, why) : err;
}

static poc_err time_check(opening *o)
{
    const mcx_expected *e = o->expected;
    const uint64_t sent = o->out->sent_ntp_s, now = e->now_ntp_s;
    const uint64_t apart = sent > now ? sent - now : now - sent;
    if (!e->any_time && apart > e->skew_s)
        return refuse(o, POC_E_AUTH, o->msg->ts.p, "time is too far from now");
    POC_TRY(replay_check(o));
    if (e->is_stale != NULL && e->is_stale(e->ctx, o->msg->csb_id, sent))
        return refuse(o, POC_E_AUTH, o->msg->ts.p, "older than what was taken of its sender");
    return POC_OK;
}

/* ---- 5. which key ---- */

static poc_err key_id_check(opening *o)
{
    const mcx_expected *e = o->expected;
    const uint8_t *at = o->msg->raw.p;
    if (mcx_key_type_of(&o->out->type, o->msg->csb_id) != POC_OK)
        return refuse(o, POC_E_INPUT, at, "purpose tag of the key id is unassigned");
    if ((e->types & MCX_TYPE_BIT(o->out->type)) == 0)
        return refuse(o, POC_E_DENIED, at, "a key of this type does not come this way");
    if (e->is_taken != NULL && e->is_taken(e->ctx, o->msg->csb_id, o->msg->idi.data))
        return refuse(o, POC_E_DENIED, at, "key id is that of another user's key");
    return POC_OK;
}

/* ---- 6. signature ---- */

static poc_err signature_check(opening *o)
{
    const mikey_msg *m = o->msg;
    const poc_span id = poc_span_of(o->out->sender_uid, MCX_UID_LEN);
    const poc_span covered = poc_span_of(m->raw.p, m->raw.n - MIKEY_SIGNATURE_LEN);
    const uint8_t *kpak = o->sender_kms->kpak;
    poc_err err = mcx_verify(o->expected->verifier, kpak, id, covered, m->signature);
    if (err == POC_E_AUTH && !o->expected->strict_signature) {
        err = mcx_verify(o->expected->verifier, kpak, id, poc_span_of(covered.p, covered.n - SIGN_HEAD), m->signature);
        o->out->signature_is_short = err == POC_OK;
    }
    o->out->signature_valid = err == POC_OK;
    return err == POC_OK || err == POC_E_NOMEM ? err : refuse(o, err, m->signature.p, "signature does not hold");
}

/* ---- 7. the key ---- */

static poc_err decapsulate(opening *o)
{
    mcx_open_job job = { .sed = o->msg->sed };
    POC_TRY(mcx_receiver_open(o->out->own->receiver, &job, 1));
    o->out->key = job.ssv;
    return job.err == POC_OK ? POC_OK : refuse(o, job.err, o->msg->sed.p, "encapsulated key does not stand the test");
}

/* The id under which the GMS knows a GMK, from that which this user has for it, and from the map if that says so. */
static poc_err gmk_id_find(opening *o)
{
    const mikey_msg *m = o->msg;
    const bool is_known = o->out->own->uri.n > 0; /* not to who looks at a message with hidden identities */
    if (is_known)
        POC_TRY(mcx_guk_id(&o->out->key_id, m->csb_id, o->out->key, o->out->own->uri));
    for (size_t i = 0; m->map_type == MIKEY_MAP_GENERIC_ID && i < m->cs_count; i++) {
        poc_rd spi = poc_rd_over(m->generic[i].spi, NULL);
        uint32_t said;
        if (spi.left != GMK_SPI_LEN || poc_rd_u32(&spi, &said) != POC_OK)
            continue;
        if (is_known && said != o->out->key_id)
            return refuse(o, POC_E_INPUT, m->generic[i].spi.p, "GMK-ID does not follow from the GUK-ID");
        o->out->key_id = said;
    }
    return POC_OK;
}

/* ---- 8. what comes with it ---- */

static poc_err parameters_check(opening *o)
{
    const mcx_expected *e = o->expected;
    const mcx_key_parameters *p = &o->out->parameters;
    const uint8_t *at = o->msg->key_parameters.p;
    if (p->is_revoked && !e->accepts_revoked)
        return refuse(o, POC_E_DENIED, at, "key is revoked");
    if (!e->any_time && p->expiry_s != 0 && p->expiry_s <= UNIX_OF(e->now_ntp_s))
        return refuse(o, POC_E_DENIED, at, "key has expired");
    if (p->expiry_s != 0 && p->activation_s >= p->expiry_s)
        return refuse(o, POC_E_INPUT, at, "key expires before it is active");
    return POC_OK;
}

static poc_err parameters_open(opening *o)
{
    const poc_span data = o->msg->key_parameters;
    poc_fault inner = { 0, NULL };
    if (data.n == 0)
        return POC_OK;
    o->out->plain = malloc(MCX_PARAMETERS_MAX);
    if (o->out->plain == NULL)
        return POC_E_NOMEM;
    const poc_err err =
        mcx_key_parameters_open(&o->out->parameters, o->out->plain, data, o->out->key, o->msg->csb_id, &inner);
    if (err != POC_OK)
        return refuse(o, err, data.p, inner.reason != NULL ? inner.reason : "key parameters are not under this key");
    o->out->has_parameters = true;
    return parameters_check(o);
}

/* ---- all of it ---- */

/* Of the first crypto session that says one, else what a key of this type has by default. */
static void cs_id_find(mcx_opened *out, const mikey_msg *m)
{
    out->cs_id = 0;
    if (m->map_type == MIKEY_MAP_GENERIC_ID && m->cs_count > 0)
        out->cs_id = m->generic[0].cs_id;
    else
        (void)mcx_cs_id_of(&out->cs_id, out->type, MCX_MCPTT);
}

static poc_err steps(opening *o)
{
    POC_TRY(own_find(o));
    POC_TRY(sender_check(o));
    POC_TRY(time_check(o));
    POC_TRY(key_id_check(o));
    POC_TRY(mcx_offer_read(&o->out->offer, o->msg, o->fault));
    POC_TRY(signature_check(o));
    POC_TRY(decapsulate(o));
    o->out->csb_id = o->out->key_id = o->msg->csb_id;
    if (o->out->type == MCX_GMK)
        POC_TRY(gmk_id_find(o));
    POC_TRY(parameters_open(o));
    if (o->expected->admit != NULL)
        POC_TRY(o->expected->admit(o->expected->ctx, o->out));
    if (o->expected->replay == NULL)
        return POC_OK;
    return mcx_replay_remember(o->expected->replay, &o->replay, o->expected->now_ntp_s,
                               o->out->sent_ntp_s + o->expected->skew_s);
}

static poc_err opening_init(opening *o)
{
    *o->out = (mcx_opened){ .key = NULL };
    if (o->fault != NULL)
        *o->fault = (poc_fault){ 0, NULL };
    if (o->msg->data_type != MIKEY_I_MESSAGE)
        return refuse(o, POC_E_INPUT, o->msg->raw.p, "not an I_MESSAGE");
    return time_read(o);
}

poc_err mcx_i_message_verify(const mikey_msg *msg, const mcx_expected *expected, poc_fault *fault)
{
    mcx_opened out;
    opening o = { .out = &out, .msg = msg, .expected = expected, .fault = fault };
    POC_TRY(opening_init(&o));
    POC_TRY(sender_check(&o));
    return signature_check(&o);
}

poc_err mcx_i_message_open(mcx_opened *out, const mikey_msg *msg, const mcx_expected *expected, poc_fault *fault)
{
    opening o = { .out = out, .msg = msg, .expected = expected, .fault = fault };
    POC_TRY(opening_init(&o));
    const poc_err err = steps(&o);
    if (err != POC_OK) {
        const bool signature_valid = out->signature_valid;
        mcx_opened_done(out);
        out->signature_valid = signature_valid;
        return err;
    }
    cs_id_find(out, msg);
    memcpy(out->rand, msg->rand.p, msg->rand.n);
    out->rand_len = msg->rand.n;
    return POC_OK;
}

void mcx_opened_done(mcx_opened *opened)
{
    poc_secret_free(opened->key);
    free(opened->plain);
    *opened = (mcx_opened){ .key = NULL };
}
