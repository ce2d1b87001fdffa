/* Who this server is to clients of mission critical services: identities with the keys that a KMS gave them for a period,
 * and the certificates of these KMSs and of those of other users. */
#include <stdlib.h>
#include <string.h>

#include "base/p256.h"
#include "pf/core/csk.h"

/* ---- keys, made on any thread ---- */

static poc_err material_check(const core_mcx_material *m)
{
    const bool fits = m->uri.n > 0 && m->uri.n <= MCX_URI_MAX && m->kms_uri.n > 0 && m->kms_uri.n <= MCX_URI_MAX;
    if (!fits || m->z == NULL || m->kpak == NULL || m->pvt == NULL || m->rsk == NULL || m->ssk == NULL ||
        m->period_s == 0 || m->offset_s >= m->period_s)
        return POC_E_INPUT;
    const core_mcx_keys *like = m->like;
    return like == NULL || poc_span_eq(like->kms.kms_uri, m->kms_uri) ? POC_OK : POC_E_INPUT;
}

static poc_err make_tables(core_mcx_keys *k, const core_mcx_material *m)
{
    const poc_span uid = poc_span_of(k->identity.uid, MCX_UID_LEN);
    if (m->like != NULL)
        k->sakke = mcx_sakke_ref(m->like->sakke);
    else
        POC_TRY(mcx_sakke_new(&k->sakke, m->z));
    POC_TRY(mcx_receiver_new(&k->receiver, uid, k->sakke, m->rsk));
    return mcx_signer_new(&k->signer, k->kpak, uid, m->ssk, m->pvt);
}

poc_err core_mcx_keys_new(core_mcx_keys **out, const core_mcx_material *m)
{
    *out = NULL;
    POC_TRY(material_check(m));
    core_mcx_keys *k = calloc(1, sizeof(*k) + m->uri.n + m->kms_uri.n);
    if (k == NULL)
        return POC_E_NOMEM;
    atomic_init(&k->owners, 1);
    memcpy(k->texts, m->uri.p, m->uri.n);
    memcpy(k->texts + m->uri.n, m->kms_uri.p, m->kms_uri.n);
    memcpy(k->kpak, m->kpak, sizeof(k->kpak));
    k->kms = (mcx_certificate){ .kms_uri = poc_span_of(k->texts + m->uri.n, m->kms_uri.n),
                                .period_s = m->period_s,
                                .offset_s = m->offset_s,
                                .kpak = k->kpak };
    k->identity =
        (mcx_identity){ .uri = poc_span_of(k->texts, m->uri.n), .kms = &k->kms, .period_number = m->period_number };
    poc_err err = mcx_identity_init(&k->identity);
    if (err == POC_OK)
        err = make_tables(k, m);
    if (err != POC_OK) {
        core_mcx_keys_free(k);
        return err;
    }
    k->kms.sakke = k->sakke;
    k->identity.receiver = k->receiver;
    k->identity.signer = k->signer;
    *out = k;
    return POC_OK;
}

core_mcx_keys *core_mcx_keys_ref(core_mcx_keys *keys)
{
    atomic_fetch_add(&keys->owners, 1);
    return keys;
}

void core_mcx_keys_free(core_mcx_keys *k)
{
    if (k == NULL || atomic_fetch_sub(&k->owners, 1) != 1)
        return;
    mcx_receiver_free(k->receiver);
    mcx_signer_free(k->signer);
    mcx_sakke_free(k->sakke);
    free(k);
}

/* ---- certificates of others, made on any thread ---- */

/* Whatever is multiplied with it is checked to be on the curve first. */
static poc_err point_check(const uint8_t kpak[MCX_POINT_LEN])
{
    const uint8_t octets[POC_P256_SCALAR_LEN] = { [POC_P256_SCALAR_LEN - 1] = 1 };
    uint8_t point[MCX_POINT_LEN];
    poc_p256_scalar one;
    poc_p256_scalar_from(&one, octets);
    return poc_p256_multiply_both(point, &one, &one, kpak);
}

poc_err core_mcx_kms_new(core_mcx_kms **out, const core_mcx_certificate *c)
{
    *out = NULL;
    if (c->kms_uri.n == 0 || c->kms_uri.n > MCX_URI_MAX || c->z == NULL || c->kpak == NULL || c->period_s == 0 ||
        c->offset_s >= c->period_s)
        return POC_E_INPUT;
    POC_TRY(point_check(c->kpak));
    core_mcx_kms *k = calloc(1, sizeof(*k) + c->kms_uri.n);
    if (k == NULL)
        return POC_E_NOMEM;
    atomic_init(&k->owners, 1);
    memcpy(k->uri, c->kms_uri.p, c->kms_uri.n);
    memcpy(k->kpak, c->kpak, sizeof(k->kpak));
    const poc_err err = mcx_sakke_new(&k->sakke, c->z);
    if (err != POC_OK) {
        core_mcx_kms_free(k);
        return err;
    }
    k->certificate = (mcx_certificate){ .kms_uri = poc_span_of(k->uri, c->kms_uri.n),
                                        .period_s = c->period_s,
                                        .offset_s = c->offset_s,
                                        .sakke = k->sakke,
                                        .kpak = k->kpak };
    *out = k;
    return POC_OK;
}

void core_mcx_kms_free(core_mcx_kms *k)
{
    if (k == NULL || atomic_fetch_sub(&k->owners, 1) != 1)
        return;
    mcx_sakke_free(k->sakke);
    free(k);
}

/* ---- those of an engine ---- */

void identity_free(core_mcx *x)
{
    for (size_t i = 0; i < x->own_count; i++)
        core_mcx_keys_free(x->own[i].keys);
    for (size_t i = 0; i < x->foreign_count; i++)
        core_mcx_kms_free(x->foreign[i]);
    mcx_replay_free(x->replay);
    mcx_verifier_free(x->verifier);
    parcels_done(&x->parcels);
}

poc_err mcx_side(core_engine *e, core_mcx **out)
{
    uint64_t seeds[3];
    *out = e->mcx;
    if (e->mcx != NULL)
        return POC_OK;
    POC_TRY(e->set.rng.fill(e->set.rng.ctx, seeds, sizeof(seeds)));
    core_mcx *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return POC_E_NOMEM;
    poc_table_init(&x->books, seeds[0]);
    poc_table_init(&x->ids, seeds[1]);
    /* Everybody may upload twice within the time for which messages are remembered, and then take places of his own again. */
    poc_err err = mcx_replay_new(&x->replay, 2 * (size_t)e->set.members_max, CORE_REPLAYS_OF_SENDER, seeds[2]);
    if (err == POC_OK)
        err = mcx_verifier_new(&x->verifier, CORE_SIGNERS_CACHED);
    if (err == POC_OK)
        err = parcels_init(&x->parcels, e->set.spread != NULL);
    if (err != POC_OK) {
        identity_free(x);
        free(x);
        return err;
    }
    *out = e->mcx = x;
    return POC_OK;
}

uint64_t identity_ntp_s(const core_engine *e)
{
    return (uint64_t)(e->now_ms < 0 ? 0 : e->now_ms) / 1000 + MCX_NTP_MINUS_UNIX;
}

uint64_t identity_ntp(const core_engine *e)
{
    return identity_ntp_s(e) << 32 | (uint64_t)(e->now_ms % 1000) * UINT32_MAX / 1000;
}

static size_t place_of(const core_mcx *x, poc_span kms_uri)
{
    size_t at = 0;
    while (at < x->certificate_count && !poc_span_eq(x->certificates[at].kms_uri, kms_uri))
        at++;
    return at;
}

/* The arrays that messages are held against follow from the lists. Nobody else's certificate takes the place of ours. */
static void lay_out(core_mcx *x)
{
    x->certificate_count = 0;
    parcels_forget(&x->parcels); /* sealed with what was laid out before */
    for (size_t i = 0; i < x->own_count; i++) {
        const core_mcx_keys *k = x->own[i].keys;
        const size_t at = place_of(x, k->kms.kms_uri);
        x->identities[i] = k->identity;
        x->certificates[at] = k->kms; /* the latest one counts */
        x->certificate_count += at == x->certificate_count;
    }
    for (size_t i = 0; i < x->foreign_count; i++) {
        const mcx_certificate *c = &x->foreign[i]->certificate;
        if (place_of(x, c->kms_uri) == x->certificate_count)
            x->certificates[x->certificate_count++] = *c;
    }
}

static void strike(core_mcx *x, size_t i)
{
    core_mcx_keys_free(x->own[i].keys);
    memmove(&x->own[i], &x->own[i + 1], (x->own_count - i - 1) * sizeof(x->own[0]));
    x->own_count--;
}

static bool is_same(const core_mcx_keys *a, const core_mcx_keys *b)
{
    return a->identity.period_number == b->identity.period_number && poc_span_eq(a->identity.uri, b->identity.uri) &&
           poc_span_eq(a->kms.kms_uri, b->kms.kms_uri);
}

/* No message of that time is accepted any more. */
static bool is_past(const core_engine *e, const core_mcx_keys *k)
{
    const mcx_period next = { k->kms.period_s, k->kms.offset_s, k->identity.period_number + 1 };
    return mcx_period_start(&next) + e->set.mcx_skew_s < identity_ntp_s(e);
}

poc_err core_mcx_identity(core_engine *e, int64_t now_ms, core_mcx_keys *keys, bool signs)
{
    core_mcx *x;
    POC_TRY(engine_begin(e, now_ms));
    POC_TRY(mcx_side(e, &x));
    for (size_t i = x->own_count; i-- > 0;)
        if (is_same(x->own[i].keys, keys) || is_past(e, x->own[i].keys))
            strike(x, i);
    const bool has_room = x->own_count < CORE_OWN_MAX;
    if (has_room)
        x->own[x->own_count++] = (core_own){ core_mcx_keys_ref(keys), signs };
    lay_out(x);
    download_identified(e);
    kind_identified(e);
    engine_end(e);
    return has_room ? POC_OK : POC_E_LIMIT;
}

static core_mcx_kms **find_foreign(core_mcx *x, poc_span kms_uri)
{
    for (size_t i = 0; i < x->foreign_count; i++)
        if (poc_span_eq(x->foreign[i]->certificate.kms_uri, kms_uri))
            return &x->foreign[i];
    return NULL;
}

static poc_err put_foreign(core_mcx *x, core_mcx_kms *kms)
{
    core_mcx_kms **slot = find_foreign(x, kms->certificate.kms_uri);
    if (slot == NULL && x->foreign_count == CORE_FOREIGN_MAX)
        return POC_E_LIMIT;
    atomic_fetch_add(&kms->owners, 1);
    if (slot == NULL)
        slot = &x->foreign[x->foreign_count++];
    else
        core_mcx_kms_free(*slot);
    *slot = kms;
    lay_out(x);
    return POC_OK;
}

poc_err core_mcx_kms_add(core_engine *e, int64_t now_ms, core_mcx_kms *kms)
{
    core_mcx *x;
    if (kms == NULL)
        return POC_E_INPUT;
    POC_TRY(engine_begin(e, now_ms));
    POC_TRY(mcx_side(e, &x));
    const poc_err err = put_foreign(x, kms);
    engine_end(e);
    return err;
}

poc_err core_mcx_kms_remove(core_engine *e, int64_t now_ms, const char *kms_uri)
{
    core_mcx *x = e->mcx;
    core_mcx_kms **slot = x == NULL || kms_uri == NULL ? NULL : find_foreign(x, poc_span_str(kms_uri));
    if (slot == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    core_mcx_kms_free(*slot);
    *slot = x->foreign[--x->foreign_count];
    lay_out(x);
    engine_end(e);
    return POC_OK;
}

const mcx_certificate *identity_certificate(const core_engine *e, poc_span kms_uri)
{
    const core_mcx *x = e->mcx;
    const size_t at = x == NULL ? 0 : place_of(x, kms_uri);
    return x == NULL || at == x->certificate_count ? NULL : &x->certificates[at];
}

const mcx_identity *identity_signer(const core_engine *e, poc_span kms_uri)
{
    const core_mcx *x = e->mcx;
    const mcx_identity *found = NULL;
    for (size_t i = 0; x != NULL && i < x->own_count; i++) {
        const mcx_identity *own = &x->identities[i];
        const uint64_t number = mcx_period_number(identity_ntp_s(e), own->kms->period_s, own->kms->offset_s);
        if (!x->own[i].signs || own->period_number != number)
            continue;
        if (poc_span_eq(own->kms->kms_uri, kms_uri))
            return own;
        found = own;
    }
    return found;
}
