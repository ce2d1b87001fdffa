#include <stdlib.h>
#include <string.h>

#include "ue/core/core.h"

#define REPLAYS_MAX 256u /* downloads within the time that one stays fresh */
#define SENDERS_MAX 8u   /* of whom a verification remembers something */

typedef struct kms_entry {
    char uri[MCX_URI_MAX];
    uint8_t z[MCX_SAKKE_POINT_LEN], kpak[MCX_POINT_LEN];
    mcx_sakke *sakke;
} kms_entry;

/* Beside the identity of the same place, which only borrows. */
typedef struct own_keys {
    mcx_receiver *receiver;
    mcx_signer *signer;
} own_keys;

typedef struct server_entry {
    char uri[MCX_URI_MAX], kms_uri[MCX_URI_MAX];
    size_t uri_len, kms_uri_len;
} server_entry;

struct ue_mcx_user {
    char uri[MCX_URI_MAX];
    size_t uri_len;
    uint32_t skew_s;
    mcx_replay *replay;
    mcx_verifier *verifier;
    kms_entry kms[UE_MCX_KMS_MAX];
    mcx_certificate certificates[UE_MCX_KMS_MAX];
    size_t kms_count;
    own_keys keys[UE_MCX_PERIODS_MAX];
    mcx_identity own[UE_MCX_PERIODS_MAX];
    size_t own_count;
    server_entry servers[UE_MCX_SERVERS_MAX];
    size_t server_count;
};

static uint64_t ntp_of(int64_t now_ms)
{
    return (uint64_t)now_ms / 1000 + MCX_NTP_MINUS_UNIX;
}

poc_err ue_mcx_user_new(ue_mcx_user **out, poc_span uri, uint32_t skew_s, const poc_rng *rng)
{
    POC_OWNED(ue_mcx_user, u, ue_mcx_user_free);
    uint64_t seed;
    *out = NULL;
    if (uri.n == 0 || uri.n > MCX_URI_MAX)
        return POC_E_LIMIT;
    u = calloc(1, sizeof(*u));
    if (u == NULL)
        return POC_E_NOMEM;
    memcpy(u->uri, uri.p, uri.n);
    u->uri_len = uri.n;
    u->skew_s = skew_s;
    POC_TRY(rng->fill(rng->ctx, &seed, sizeof(seed))); // NOLINT(clang-analyzer-unix.Malloc): POC_OWNED frees it
    POC_TRY(mcx_replay_new(&u->replay, REPLAYS_MAX, REPLAYS_MAX, seed));
    POC_TRY(mcx_verifier_new(&u->verifier, SENDERS_MAX));
    *out = POC_RELEASE(u);
    return POC_OK;
}

static void own_keys_done(own_keys *k)
{
    mcx_receiver_free(k->receiver);
    mcx_signer_free(k->signer);
    *k = (own_keys){ NULL, NULL };
}

void ue_mcx_user_free(ue_mcx_user *u)
{
    if (u == NULL)
        return;
    for (size_t i = 0; i < u->own_count; i++)
        own_keys_done(&u->keys[i]);
    for (size_t i = 0; i < u->kms_count; i++)
        mcx_sakke_free(u->kms[i].sakke);
    mcx_verifier_free(u->verifier);
    mcx_replay_free(u->replay);
    free(u);
}

poc_span ue_mcx_user_uri(const ue_mcx_user *u)
{
    return poc_span_of(u->uri, u->uri_len);
}

/* ---- what the KMS gave ---- */

static const mcx_certificate *certificate_of(const ue_mcx_user *u, poc_span uri)
{
    for (size_t i = 0; i < u->kms_count; i++) {
        if (poc_span_eq(u->certificates[i].kms_uri, uri))
            return &u->certificates[i];
    }
    return NULL;
}

static bool says(const ue_mcx_user *u, const mcx_certificate *c, const ue_mcx_kms *kms)
{
    const kms_entry *e = &u->kms[c - u->certificates];
    return c->period_s == kms->period_s && c->offset_s == kms->offset_s && memcmp(e->z, kms->z, sizeof(e->z)) == 0 &&
           memcmp(e->kpak, kms->kpak, sizeof(e->kpak)) == 0;
}

/* With tables that there are already, or with `sakke` NULL by making them. */
static poc_err kms_take(ue_mcx_user *u, const ue_mcx_kms *kms, mcx_sakke *sakke)
{
    const mcx_certificate *known = certificate_of(u, kms->uri);
    if (known != NULL)
        return says(u, known, kms) ? POC_OK : POC_E_STATE;
    if (u->kms_count == UE_MCX_KMS_MAX || kms->uri.n == 0 || kms->uri.n > MCX_URI_MAX)
        return POC_E_LIMIT;
    if (kms->period_s == 0)
        return POC_E_INPUT;
    kms_entry *e = &u->kms[u->kms_count];
    e->sakke = mcx_sakke_ref(sakke);
    if (sakke == NULL)
        POC_TRY(mcx_sakke_new(&e->sakke, kms->z));
    memcpy(e->uri, kms->uri.p, kms->uri.n);
    memcpy(e->z, kms->z, sizeof(e->z));
    memcpy(e->kpak, kms->kpak, sizeof(e->kpak));
    u->certificates[u->kms_count++] = (mcx_certificate){ .kms_uri = poc_span_of(e->uri, kms->uri.n),
                                                         .period_s = kms->period_s,
                                                         .offset_s = kms->offset_s,
                                                         .sakke = e->sakke,
                                                         .kpak = e->kpak };
    return POC_OK;
}

poc_err ue_mcx_user_kms(ue_mcx_user *u, const ue_mcx_kms *kms)
{
    return kms_take(u, kms, NULL);
}

static poc_err own_keys_make(own_keys *out, mcx_identity *own, const ue_mcx_period *p, mcx_sakke *sakke)
{
    const poc_span uid = poc_span_of(own->uid, MCX_UID_LEN);
    *out = (own_keys){ NULL, NULL };
    poc_err err = mcx_signer_new(&out->signer, own->kms->kpak, uid, p->ssk, p->pvt);
    if (err == POC_OK)
        err = mcx_receiver_new(&out->receiver, uid, sakke, p->rsk);
    if (err != POC_OK)
        own_keys_done(out);
    own->receiver = out->receiver;
    own->signer = out->signer;
    return err;
}

/* The one of the same period, a free one, or that of the oldest period. */
static size_t place_for(const ue_mcx_user *u, const mcx_identity *own)
{
    size_t oldest = 0;
    for (size_t i = 0; i < u->own_count; i++) {
        if (u->own[i].kms == own->kms && u->own[i].period_number == own->period_number)
            return i;
        if (mcx_period_start(
                &(mcx_period){ u->own[i].kms->period_s, u->own[i].kms->offset_s, u->own[i].period_number }) <
            mcx_period_start(&(mcx_period){ u->own[oldest].kms->period_s, u->own[oldest].kms->offset_s,
                                            u->own[oldest].period_number }))
            oldest = i;
    }
    return u->own_count < UE_MCX_PERIODS_MAX ? u->own_count : oldest;
}

static void keys_take(ue_mcx_user *u, const mcx_identity *own, own_keys keys)
{
    const size_t at = place_for(u, own);
    if (at == u->own_count)
        u->own_count++;
    own_keys_done(&u->keys[at]);
    u->keys[at] = keys;
    u->own[at] = *own;
}

poc_err ue_mcx_user_period(ue_mcx_user *u, const ue_mcx_period *period)
{
    const mcx_certificate *kms = certificate_of(u, period->kms_uri);
    own_keys keys;
    if (kms == NULL)
        return POC_E_STATE;
    mcx_identity own = { .uri = ue_mcx_user_uri(u), .kms = kms, .period_number = period->number };
    POC_TRY(mcx_identity_init(&own));
    POC_TRY(own_keys_make(&keys, &own, period, u->kms[kms - u->certificates].sakke));
    keys_take(u, &own, keys);
    return POC_OK;
}

poc_err ue_mcx_user_like(ue_mcx_user *u, const ue_mcx_user *other)
{
    if (!poc_span_eq(ue_mcx_user_uri(u), ue_mcx_user_uri(other)))
        return POC_E_DENIED;
    for (size_t i = 0; i < other->kms_count; i++) {
        const mcx_certificate *c = &other->certificates[i];
        const ue_mcx_kms kms = { c->kms_uri, c->period_s, c->offset_s, other->kms[i].z, c->kpak };
        POC_TRY(kms_take(u, &kms, other->kms[i].sakke));
    }
    for (size_t i = 0; i < other->own_count; i++) {
        mcx_identity own = other->own[i];
        own.uri = ue_mcx_user_uri(u);
        own.kms = certificate_of(u, own.kms->kms_uri);
        keys_take(u, &own,
                  (own_keys){ mcx_receiver_ref(other->keys[i].receiver), mcx_signer_ref(other->keys[i].signer) });
    }
    return POC_OK;
}

static const mcx_identity *own_at(const ue_mcx_user *u, uint64_t ntp_s)
{
    for (size_t i = 0; i < u->own_count; i++) {
        const mcx_certificate *kms = u->own[i].kms;
        if (u->own[i].period_number == mcx_period_number(ntp_s, kms->period_s, kms->offset_s))
            return &u->own[i];
    }
    return NULL;
}

bool ue_mcx_user_is_ready(const ue_mcx_user *u, int64_t now_ms)
{
    return own_at(u, ntp_of(now_ms)) != NULL;
}

poc_err ue_mcx_user_server(ue_mcx_user *u, poc_span uri, poc_span kms_uri)
{
    if (u->server_count == UE_MCX_SERVERS_MAX || uri.n == 0 || uri.n > MCX_URI_MAX || kms_uri.n > MCX_URI_MAX)
        return POC_E_LIMIT;
    server_entry *s = &u->servers[u->server_count++];
    memcpy(s->uri, uri.p, uri.n);
    memcpy(s->kms_uri, kms_uri.p, kms_uri.n);
    s->uri_len = uri.n;
    s->kms_uri_len = kms_uri.n;
    return POC_OK;
}

static poc_span server_uri(const server_entry *s)
{
    return poc_span_of(s->uri, s->uri_len);
}

static poc_span server_kms(const server_entry *s)
{
    return poc_span_of(s->kms_uri, s->kms_uri_len);
}

/* ---- upload ---- */

poc_err ue_mcx_upload_seal(const ue_mcx_user *u, int64_t now_ms, const ue_mcx_upload *upload, const poc_rng *rng,
                           uint8_t *out, size_t *n)
{
    const uint64_t ntp_s = ntp_of(now_ms);
    const mcx_key_parameters named = { .type = MCX_CSK, .text = upload->name };
    const mcx_identity *own = own_at(u, ntp_s);
    const mcx_certificate *kms = u->server_count == 0 ? NULL : certificate_of(u, server_kms(&u->servers[0]));
    if (own == NULL || kms == NULL)
        return POC_E_STATE;
    mcx_seal_params params = { .sender = own,
                               .key_id = upload->key_id,
                               .ntp = ntp_s << 32 | ((uint64_t)now_ms % 1000 << 32) / 1000,
                               .ntp_s = ntp_s,
                               .cs_id = upload->cs_id,
                               .algorithms = upload->algorithms,
                               .algorithm_count = upload->algorithm_count,
                               .parameters = upload->name.n > 0 ? &named : NULL,
                               .hides_identities = upload->hides_identities,
                               .to_self = upload->to_self };
    mcx_seal_job job = { .uri = server_uri(&u->servers[0]), .kms = kms, .out = out, .cap = MIKEY_MESSAGE_MAX };
    memcpy(params.rand, upload->rand, MIKEY_RAND_LEN);
    POC_TRY(mcx_i_message_seal(&params, upload->key, rng, &job, 1));
    *n = job.len;
    return POC_OK;
}

/* ---- download ---- */

/* Whether a message says that it is from this server: its URI, or what becomes of it in the period of the message. */
static bool is_from(const ue_mcx_user *u, const server_entry *s, const mikey_msg *msg, uint64_t now_ntp_s)
{
    const mcx_certificate *kms = certificate_of(u, msg->idkmsi.data);
    uint8_t uid[MCX_UID_LEN];
    uint32_t seconds;
    poc_rd ts = poc_rd_over(msg->ts, NULL);
    if (kms == NULL || !poc_span_eq(msg->idkmsi.data, server_kms(s)))
        return false;
    if (msg->idi.role != MIKEY_ROLE_UID_INITIATOR)
        return poc_span_eq(msg->idi.data, server_uri(s));
    if (poc_rd_u32(&ts, &seconds) != POC_OK)
        return false;
    const uint64_t number = mcx_period_number(mcx_ntp_expand(seconds, now_ntp_s), kms->period_s, kms->offset_s);
    return mcx_uid(uid, server_uri(s), kms->kms_uri, &(mcx_period){ kms->period_s, kms->offset_s, number }) == POC_OK &&
           poc_span_eq(msg->idi.data, poc_span_of(uid, sizeof(uid)));
}

static const server_entry *server_of(const ue_mcx_user *u, const mikey_msg *msg, uint64_t now_ntp_s)
{
    for (size_t i = 0; i < u->server_count; i++) {
        if (is_from(u, &u->servers[i], msg, now_ntp_s))
            return &u->servers[i];
    }
    return NULL;
}

poc_err ue_mcx_download_open(ue_mcx_user *u, int64_t now_ms, poc_span octets, mikey_msg *msg, mcx_opened *out,
                             poc_fault *fault)
{
    const uint64_t now_ntp_s = ntp_of(now_ms);
    *out = (mcx_opened){ .key = NULL };
    POC_TRY(mcx_i_message_read(msg, octets, fault));
    const server_entry *server = server_of(u, msg, now_ntp_s);
    if (server == NULL) {
        poc_rd at = poc_rd_over(octets, fault);
        poc_rd_blame(&at, "the sender is no server of ours");
        return POC_E_DENIED;
    }
    const mcx_expected expected = { .now_ntp_s = now_ntp_s,
                                    .skew_s = u->skew_s,
                                    .own = u->own,
                                    .own_count = u->own_count,
                                    .certificates = u->certificates,
                                    .certificate_count = u->kms_count,
                                    .sender = server_uri(server),
                                    .types = MCX_TYPE_BIT(MCX_CSK) | MCX_TYPE_BIT(MCX_MUSIK),
                                    .accepts_revoked = true,
                                    .replay = u->replay,
                                    .verifier = u->verifier };
    return mcx_i_message_open(out, msg, &expected, fault);
}
