/* The MSK delivery message of TS 33.246 6.4.5.1: HDR, EXT(Key ID) [, EXT(SDP IDs)], T, RAND, IDi, IDr [, SP], KEMAC. */
#include <string.h>

#include "mikey/lanes.h"
#include "mikey/payloads.h"
#include "mikey/seal.h"

static poc_err head_make(mikey_msk_template *m, const mikey_msk_params *p)
{
    const uint8_t zero[4] = { 0 };
    mikey_msg hdr = {
        .data_type = MIKEY_PSK,
        .wants_verification = p->wants_verification,
        .csb_id = p->csb_id,
        .map_type = p->srtp_id_map ? MIKEY_MAP_SRTP_ID : MIKEY_MAP_EMPTY,
        .cs_count = p->srtp_id_map ? 1 : 0,
        .cs = { { .policy_no = 0, .ssrc = p->ssrc, .roc = p->roc } },
    };
    poc_wr wr = poc_wr_into(m->head, sizeof(m->head));
    mikey_hdr_encode(&wr, &hdr, MIKEY_EXT);
    mikey_ext_encode_key_id(&wr, p->sdp_ids ? MIKEY_EXT : MIKEY_T, p->key_domain, p->msk_id, NULL);
    if (p->sdp_ids)
        mikey_ext_encode_sdp_ids(&wr, MIKEY_T);
    mikey_t_encode(&wr, MIKEY_RAND, MIKEY_TS_COUNTER, poc_span_of(zero, sizeof(zero)));
    m->counter_at = wr.len - sizeof(zero);
    mikey_rand_encode(&wr, MIKEY_ID, poc_span_of(p->rand, sizeof(p->rand)));
    mikey_id_encode(&wr, MIKEY_ID, p->idi_type, p->idi);
    mikey_id_encode(&wr, p->srtp_id_map ? MIKEY_SP : MIKEY_KEMAC, p->idr_type, poc_span_of(NULL, 0));
    m->idr_len_at = wr.len - MIKEY_ID_LEN_LEN;
    m->head_len = wr.len;
    return poc_wr_done(&wr);
}

static poc_err tail_make(mikey_msk_template *m, const mikey_msk_params *p)
{
    poc_wr wr = poc_wr_into(m->tail, sizeof(m->tail));
    if (p->srtp_id_map)
        mikey_sp_encode_default(&wr, MIKEY_KEMAC);
    mikey_kemac_encode(&wr, m->plain_len);
    m->tail_len = wr.len;
    return poc_wr_done(&wr);
}

static poc_err plain_make(mikey_msk_template *m, const mikey_msk_params *p, const poc_secret *msk)
{
    const uint8_t from[MIKEY_SEQ_LEN] = { (uint8_t)(p->seq_low >> 8), (uint8_t)p->seq_low };
    const uint8_t to[MIKEY_SEQ_LEN] = { (uint8_t)(p->seq_high >> 8), (uint8_t)p->seq_high };
    m->plain_len = 0;
    memset(m->plain, 0, sizeof(m->plain));
    if (poc_msk_number(p->msk_id) == 0)
        return POC_OK; /* a solicited pull carries no key */
    if (msk == NULL || poc_secret_len(msk) != POC_MSK_LEN || (p->key_type != MIKEY_TGK && p->key_type != MIKEY_TEK))
        return POC_E_BUG;
    mikey_key_data key = {
        .type = p->key_type,
        .kv = MIKEY_KV_INTERVAL,
        .key = poc_secret_span(msk),
        .valid_from = poc_span_of(from, sizeof(from)),
        .valid_to = poc_span_of(to, sizeof(to)),
    };
    poc_wr wr = poc_wr_into(m->plain, sizeof(m->plain));
    mikey_key_data_encode(&wr, &key);
    m->plain_len = wr.len;
    return poc_wr_done(&wr);
}

static poc_err template_init(mikey_msk_template *m, const mikey_msk_params *p, const poc_secret *msk)
{
    m->csb_id = p->csb_id;
    POC_TRY(mikey_transport_labels(&m->transport, (mikey_context){ p->csb_id, poc_span_of(p->rand, sizeof(p->rand)) }));
    POC_TRY(head_make(m, p));
    POC_TRY(plain_make(m, p, msk));
    return tail_make(m, p);
}

static void template_done(mikey_msk_template *m)
{
    poc_wipe(m->plain, sizeof(m->plain));
    mikey_transport_done(&m->transport);
}

poc_err mikey_msk_lay_out(const mikey_msk_template *m, mikey_msk_job *job)
{
    const size_t cap = job->cap < MIKEY_MESSAGE_MAX ? job->cap : MIKEY_MESSAGE_MAX;
    const size_t shared = m->head_len + m->tail_len + MIKEY_MAC_LEN;
    job->len = 0;
    if (job->muk == NULL || poc_secret_len(job->muk) != POC_MUK_LEN)
        return POC_E_BUG;
    if (shared > cap || job->idr.n > cap - shared)
        return POC_E_LIMIT;
    memcpy(job->out, m->head, m->head_len);
    if (job->idr.n > 0)
        memcpy(job->out + m->head_len, job->idr.p, job->idr.n);
    memcpy(job->out + m->head_len + job->idr.n, m->tail, m->tail_len);
    poc_wr counter = poc_wr_into(job->out + m->counter_at, sizeof(job->counter));
    poc_wr_u32(&counter, job->counter);
    poc_wr idr_len = poc_wr_into(job->out + m->idr_len_at, MIKEY_ID_LEN_LEN);
    poc_wr_u16(&idr_len, (uint16_t)job->idr.n);
    job->len = shared + job->idr.n;
    return POC_OK;
}

/* ---- the paths ---- */

static poc_err seal_one(mikey_msk_template *m, mikey_msk_job *job)
{
    POC_TRY(mikey_msk_lay_out(m, job));
    POC_TRY(mikey_transport_rekey(&m->transport, job->muk));
    poc_err err = mikey_kemac_protect(job->out, job->len, &m->transport, m->csb_id, job->counter,
                                      poc_span_of(m->plain, m->plain_len));
    if (err != POC_OK)
        job->len = 0;
    return err;
}

static void seal_portable(mikey_msk_template *m, mikey_msk_job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        jobs[i].err = seal_one(m, &jobs[i]);
}

static const poc_lanes_kernel *no_kernel(void)
{
    return NULL;
}

static const struct {
    const char *name;
    const poc_lanes_kernel *(*kernel)(void);
} paths[MIKEY_SEAL_PATHS] = {
    [MIKEY_SEAL_PORTABLE] = { "portable", no_kernel },
    [MIKEY_SEAL_SHA_NI] = { "sha-ni", poc_lanes_sha_ni },
    [MIKEY_SEAL_AVX512] = { "avx-512", poc_lanes_avx512 },
};

const char *mikey_seal_path_name(mikey_seal_path path)
{
    return paths[path].name;
}

bool mikey_seal_path_is_here(mikey_seal_path path)
{
    return path == MIKEY_SEAL_PORTABLE || paths[path].kernel() != NULL;
}

static poc_err fail_all(mikey_msk_job *jobs, size_t n, poc_err err)
{
    for (size_t i = 0; i < n; i++) {
        jobs[i].len = 0;
        jobs[i].err = err;
    }
    return err;
}

static poc_err seal_with(const poc_lanes_kernel *kernel, const mikey_msk_params *params, const poc_secret *msk,
                         mikey_msk_job *jobs, size_t n)
{
    mikey_msk_template m;
    poc_err first = template_init(&m, params, msk);
    if (first != POC_OK)
        (void)fail_all(jobs, n, first);
    else if (kernel != NULL)
        mikey_msk_seal_lanes(&m, kernel, jobs, n);
    else
        seal_portable(&m, jobs, n);
    template_done(&m);
    for (size_t i = 0; first == POC_OK && i < n; i++)
        first = jobs[i].err;
    return first;
}

poc_err mikey_msk_seal_by(mikey_seal_path path, const mikey_msk_params *params, const poc_secret *msk,
                          mikey_msk_job *jobs, size_t n)
{
    if (!mikey_seal_path_is_here(path))
        return fail_all(jobs, n, POC_E_BUG);
    return seal_with(paths[path].kernel(), params, msk, jobs, n);
}

poc_err mikey_msk_seal(const mikey_msk_params *params, const poc_secret *msk, mikey_msk_job *jobs, size_t n)
{
    return seal_with(mikey_lanes_best(n), params, msk, jobs, n);
}

/* ---- opening ---- */

/* Everything that must stand in the message besides the key; nothing of it is authentic yet. */
static poc_err shape_check(const mikey_msg *msg, poc_fault *fault)
{
    if (msg->data_type != MIKEY_PSK)
        return mikey_refuse(fault, 1, "not an MSK message: data type");
    if (!msg->has_key_domain || !msg->has_msk_id || msg->has_mtk_id)
        return mikey_refuse(fault, 0, "not an MSK message: Key ID extension");
    if (msg->ts_type != MIKEY_TS_COUNTER)
        return mikey_refuse(fault, 0, "not an MSK message: time stamp is no counter");
    if (msg->rand.n == 0)
        return mikey_refuse(fault, 0, "not an MSK message: no RAND");
    if (!msg->idi.present || !msg->idr.present)
        return mikey_refuse(fault, 0, "not an MSK message: identities");
    return POC_OK;
}

static uint16_t seq_of(poc_span field)
{
    return (uint16_t)(field.p[0] << 8 | field.p[1]);
}

static poc_err key_take(mikey_msk *out, const mikey_msg *msg, const uint8_t *plain, poc_fault *fault)
{
    const size_t at = (size_t)(msg->encr_data.p - msg->raw.p);
    mikey_key_data key;
    POC_TRY(mikey_key_data_single(&key, msg, plain, fault));
    if (key.type != MIKEY_TGK && key.type != MIKEY_TEK)
        return mikey_refuse(fault, at + 1, "MSK with a salt");
    if (key.kv != MIKEY_KV_INTERVAL || key.valid_from.n != MIKEY_SEQ_LEN || key.valid_to.n != MIKEY_SEQ_LEN)
        return mikey_refuse(fault, at + 1, "MSK without an interval of MTK IDs");
    out->key_type = key.type;
    out->seq_low = seq_of(key.valid_from);
    out->seq_high = seq_of(key.valid_to);
    return poc_secret_from(&out->msk, key.key.p, key.key.n);
}

poc_err mikey_msk_open(mikey_msk *out, const mikey_msg *msg, const poc_secret *muk, poc_fault *fault)
{
    uint8_t plain[MIKEY_MESSAGE_MAX];
    poc_err err = POC_OK;
    *out = (mikey_msk){ .msk = NULL };
    POC_TRY(shape_check(msg, fault));
    POC_TRY(mikey_kemac_open(plain, msg, muk, (mikey_context){ msg->csb_id, msg->rand }));
    if (poc_msk_number(msg->msk_id) != 0)
        err = key_take(out, msg, plain, fault);
    poc_wipe(plain, msg->encr_data.n);
    if (err != POC_OK)
        return err;
    out->key_domain = msg->key_domain;
    out->msk_id = msg->msk_id;
    out->csb_id = msg->csb_id;
    out->counter = msg->counter;
    return POC_OK;
}

void mikey_msk_done(mikey_msk *m)
{
    poc_secret_free(m->msk);
    m->msk = NULL;
}
