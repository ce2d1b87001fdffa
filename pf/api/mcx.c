/* The part of the public door that is about mission critical services. */
#include <string.h>

#include "pf/api/pocpf_of.h"

pocpf_err pocpf_mcx_keys_new(pocpf_mcx_keys **out, const pocpf_mcx_material *m)
{
    core_mcx_keys *keys = NULL;
    *out = NULL;
    if (m->size < sizeof(*m) || m->uri == NULL || m->kms_uri == NULL)
        return POCPF_E_INPUT;
    const core_mcx_material material = { .uri = poc_span_str(m->uri),
                                         .kms_uri = poc_span_str(m->kms_uri),
                                         .period_s = m->period_s,
                                         .offset_s = m->offset_s,
                                         .period_number = m->period_number,
                                         .z = m->z,
                                         .kpak = m->kpak,
                                         .pvt = m->pvt,
                                         .rsk = m->rsk,
                                         .ssk = owner_of(m->ssk),
                                         .like = (const core_mcx_keys *)m->like };
    const poc_err err = core_mcx_keys_new(&keys, &material);
    *out = (pocpf_mcx_keys *)keys;
    return (pocpf_err)err;
}

void pocpf_mcx_keys_free(pocpf_mcx_keys *keys)
{
    core_mcx_keys_free((core_mcx_keys *)keys);
}

pocpf_err pocpf_mcx_identity_add(pocpf *pf, int64_t now_ms, const pocpf_mcx_identity *i)
{
    if (i->size < sizeof(*i) || i->keys == NULL)
        return POCPF_E_INPUT;
    return (pocpf_err)core_mcx_identity(pf->core, now_ms, (core_mcx_keys *)i->keys, i->signs);
}

pocpf_err pocpf_mcx_kms_new(pocpf_mcx_kms **out, const pocpf_mcx_certificate *c)
{
    core_mcx_kms *kms = NULL;
    *out = NULL;
    if (c->size < sizeof(*c) || c->kms_uri == NULL)
        return POCPF_E_INPUT;
    const core_mcx_certificate certificate = { poc_span_str(c->kms_uri), c->period_s, c->offset_s, c->z, c->kpak };
    const poc_err err = core_mcx_kms_new(&kms, &certificate);
    *out = (pocpf_mcx_kms *)kms;
    return (pocpf_err)err;
}

void pocpf_mcx_kms_free(pocpf_mcx_kms *kms)
{
    core_mcx_kms_free((core_mcx_kms *)kms);
}

pocpf_err pocpf_mcx_kms_add(pocpf *pf, int64_t now_ms, pocpf_mcx_kms *kms)
{
    return (pocpf_err)core_mcx_kms_add(pf->core, now_ms, (core_mcx_kms *)kms);
}

pocpf_err pocpf_mcx_kms_remove(pocpf *pf, int64_t now_ms, const char *kms_uri)
{
    return (pocpf_err)core_mcx_kms_remove(pf->core, now_ms, kms_uri);
}

/* The two doors name their types differently, hence this step in between. */
typedef struct prover {
    pocpf_err (*ask)(void *ctx, uint32_t csk_id, const pocpf_secret *csk, const char *sender,
                     char mc_id[POCPF_MC_ID_MAX]);
    void *ctx;
} prover;

static poc_err prove(void *ctx, uint32_t csk_id, const poc_secret *csk, const char *sender, char mc_id[CORE_MC_ID_MAX])
{
    const prover *p = ctx;
    return (poc_err)p->ask(p->ctx, csk_id, csk, sender, mc_id);
}

pocpf_err pocpf_csk_uploaded(pocpf *pf, int64_t now_ms, const pocpf_csk_upload *u, pocpf_csk_result *result)
{
    core_csk_result r;
    if (u->size < offsetof(pocpf_csk_upload, prove) || result->size < sizeof(*result) || u->i_message == NULL)
        return POCPF_E_INPUT;
    prover p = { NULL, NULL };
    if (u->size >= sizeof(*u)) /* else of a caller who does not know it yet */
        p = (prover){ u->prove, u->prove_ctx };
    const core_csk_upload upload = { .impu = u->impu,
                                     .mc_id = u->mc_id,
                                     .service = u->service,
                                     .i_message = poc_span_of(u->i_message, u->len),
                                     .prove = p.ask == NULL ? NULL : prove,
                                     .prove_ctx = &p };
    const poc_err err = core_csk_uploaded(pf->core, now_ms, &upload, &r);
    result->csk_id = r.csk_id;
    result->why = r.why;
    return (pocpf_err)err;
}

pocpf_err pocpf_mcx_joined(pocpf *pf, int64_t now_ms, const char *channel, const char *impu)
{
    return (pocpf_err)core_mcx_joined(pf->core, now_ms, channel, impu);
}

pocpf_err pocpf_mcx_logged_off(pocpf *pf, int64_t now_ms, const char *impu)
{
    return (pocpf_err)core_mcx_logged_off(pf->core, now_ms, impu);
}

pocpf_err pocpf_mcx_service_left(pocpf *pf, int64_t now_ms, const char *impu, uint8_t service)
{
    return (pocpf_err)core_mcx_service_left(pf->core, now_ms, impu, service);
}

pocpf_err pocpf_download_answered(pocpf *pf, int64_t now_ms, const char *user, uint64_t number, bool ok)
{
    return (pocpf_err)core_download_answered(pf->core, now_ms, user, number, ok);
}

static void put_status(pocpf_csk_status *out, const core_csk_status *s)
{
    const pocpf_csk_status all = { .size = out->size,
                                   .impu = s->impu,
                                   .mc_id = s->mc_id,
                                   .csk_id = s->csk_id,
                                   .cs_id = s->cs_id,
                                   .encr = s->encr,
                                   .key_len = s->key_len,
                                   .salt_len = s->salt_len,
                                   .tag_len = s->tag_len,
                                   .is_current = s->is_current,
                                   .rand = s->rand.p,
                                   .rand_len = s->rand.n,
                                   .key = s->key,
                                   .sent_s = s->sent_s,
                                   .service = s->service };
    memcpy(out, &all, out->size < sizeof(all) ? out->size : sizeof(all));
}

pocpf_err pocpf_csk_look(const pocpf *pf, const char *user, uint32_t csk_id, pocpf_csk_status *out)
{
    core_csk_status s;
    if (out->size < offsetof(pocpf_csk_status, sent_s))
        return POCPF_E_INPUT;
    const poc_err err = core_csk_look(pf->core, user, csk_id, &s);
    if (err == POC_OK)
        put_status(out, &s);
    return (pocpf_err)err;
}

pocpf_err pocpf_csk_of(const pocpf *pf, const char *impu, uint8_t service, pocpf_csk_status *out)
{
    core_csk_status s;
    if (out->size < offsetof(pocpf_csk_status, sent_s))
        return POCPF_E_INPUT;
    const poc_err err = core_csk_of(pf->core, impu, service, &s);
    if (err == POC_OK)
        put_status(out, &s);
    return (pocpf_err)err;
}

bool pocpf_csk_next(const pocpf *pf, size_t *at, pocpf_csk_status *out)
{
    core_csk_status s;
    if (out->size < offsetof(pocpf_csk_status, sent_s) || !core_csk_next(pf->core, at, &s))
        return false;
    put_status(out, &s);
    return true;
}

pocpf_err pocpf_clock(const pocpf *pf, int64_t now_ms, int64_t *clock_ms)
{
    return (pocpf_err)core_clock_look(pf->core, now_ms, clock_ms);
}
