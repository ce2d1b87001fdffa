#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "ue/api/mcx_inside.h"

enum { SKEW_DEFAULT_S = 300, ID_DRAWS_MAX = 16, BOUNDARY_RANDOM = 16 };

/* TS 24.379 4.4.2; the number stands in front of the text. */
#define WARNING_NOT_AUTHENTIC "399 136 authentication of the MIKEY-SAKKE I_MESSAGE failed"

/* ---- making one ---- */

static poc_err text_copy(char out[MCX_CLIENT_TEXT_MAX], const char *text)
{
    if (text == NULL)
        return POC_OK;
    if (strlen(text) >= MCX_CLIENT_TEXT_MAX)
        return POC_E_LIMIT;
    memcpy(out, text, strlen(text) + 1);
    return POC_OK;
}

static poc_err algorithms_take(mcx_client *m, const pocue_mcx_settings *s)
{
    if (s->algorithm_count > MCX_OFFER_MAX)
        return POC_E_LIMIT;
    m->says_algorithms = s->algorithm_count > 0;
    m->supported[0] = mcx_aes128_gcm;
    m->supported_count = s->algorithm_count > 0 ? s->algorithm_count : 1;
    for (size_t i = 0; i < s->algorithm_count; i++) {
        const mcx_algorithm *a = &s->algorithms[i];
        if (!mcx_algorithm_eq(a, &mcx_aes128_gcm) && !mcx_algorithm_eq(a, &mcx_aes256_gcm))
            return POC_E_INPUT;
        m->supported[i] = *a;
    }
    return POC_OK;
}

static poc_err settings_take(mcx_client *m, const pocue *ue, const pocue_mcx_settings *s)
{
    const uint32_t skew_s = s->skew_s == 0 ? SKEW_DEFAULT_S : s->skew_s;
    if (s->mc_id == NULL || s->server_count == 0 || s->service >= MCX_SERVICES)
        return POC_E_INPUT;
    m->service = s->service;
    m->hides_identities = s->hides_identities;
    m->to_self = s->to_self;
    m->token_in_clear = s->token_in_clear;
    POC_TRY(text_copy(m->client_id, s->client_id));
    POC_TRY(text_copy(m->csk_name, s->csk_name));
    POC_TRY(algorithms_take(m, s));
    POC_TRY(ue_mcx_user_new(&m->user, poc_span_str(s->mc_id), skew_s, &ue->rng));
    POC_TRY(ue_mcx_ring_new(&m->ring, skew_s, ue->keep_keys));
    for (size_t i = 0; i < s->server_count; i++) {
        if (s->servers[i].uri == NULL || s->servers[i].kms_uri == NULL)
            return POC_E_INPUT;
        POC_TRY(ue_mcx_user_server(m->user, poc_span_str(s->servers[i].uri), poc_span_str(s->servers[i].kms_uri)));
    }
    return POC_OK;
}

poc_err pocue_mcx_start(pocue *ue, const pocue_mcx_settings *settings)
{
    if (ue->mcx != NULL)
        return POC_E_STATE;
    mcx_client *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return POC_E_NOMEM;
    const poc_err err = settings_take(m, ue, settings);
    if (err == POC_OK)
        ue->mcx = m;
    else
        ue_mcx_free(m);
    return err;
}

void ue_mcx_free(mcx_client *m)
{
    if (m == NULL)
        return;
    ue_mcx_user_free(m->user);
    ue_mcx_ring_free(m->ring);
    free(m);
}

poc_err pocue_mcx_kms_add(pocue *ue, const pocue_mcx_kms *kms)
{
    if (ue->mcx == NULL)
        return POC_E_STATE;
    return ue_mcx_user_kms(ue->mcx->user,
                           &(ue_mcx_kms){ poc_span_str(kms->uri), kms->period_s, kms->offset_s, kms->z, kms->kpak });
}

poc_err pocue_mcx_keys_add(pocue *ue, const pocue_mcx_keys *keys)
{
    if (ue->mcx == NULL)
        return POC_E_STATE;
    return ue_mcx_user_period(ue->mcx->user, &(ue_mcx_period){ poc_span_str(keys->kms_uri), keys->period_number,
                                                               keys->rsk, keys->ssk, keys->pvt });
}

static poc_err certificate_take(pocue *ue, const mcx_kms_certificate *c)
{
    if (c->is_revoked)
        return POC_E_DENIED;
    return pocue_mcx_kms_add(ue, &(pocue_mcx_kms){ c->kms_uri, c->period_s, c->offset_s, c->z, c->kpak });
}

static poc_err key_set_take(pocue *ue, const mcx_kms_key_set *s)
{
    if (s->is_revoked)
        return POC_E_DENIED;
    return pocue_mcx_keys_add(ue,
                              &(pocue_mcx_keys){ s->kms_uri, s->period_number, s->keys.rsk, s->keys.ssk, s->keys.pvt });
}

poc_err pocue_mcx_provision(pocue *ue, const mcx_kms_response *response)
{
    for (size_t i = 0; i < response->certificate_count; i++)
        POC_TRY(certificate_take(ue, &response->certificates[i]));
    for (size_t i = 0; i < response->set_count; i++)
        POC_TRY(key_set_take(ue, &response->sets[i]));
    return POC_OK;
}

poc_err pocue_mcx_provision_like(pocue *ue, const pocue *other)
{
    return ue->mcx == NULL || other->mcx == NULL ? POC_E_STATE : ue_mcx_user_like(ue->mcx->user, other->mcx->user);
}

bool pocue_mcx_is_provisioned(const pocue *ue, int64_t now_ms)
{
    return ue->mcx != NULL && ue_mcx_user_is_ready(ue->mcx->user, now_ms);
}

/* ---- time ---- */

static bool key_of(const mcx_client *m, uint32_t id, ue_mcx_key *out)
{
    for (size_t i = 0; ue_mcx_ring_at(m->ring, i, out); i++) {
        if (out->id == id)
            return true;
    }
    return false;
}

static void algorithm_tell(pocue *ue, int64_t now_ms)
{
    mcx_client *m = ue->mcx;
    ue_mcx_key csk;
    if (!key_of(m, ue_mcx_ring_csk(m->ring, mcx_seconds_of(now_ms)), &csk) ||
        (m->has_told && mcx_algorithm_eq(&m->told, &csk.algorithm)))
        return;
    m->has_told = true;
    m->told = csk.algorithm;
    ue_events_push(
        &ue->events,
        &(pocue_event){ .type = POCUE_MCX_ALGORITHM, .at_ms = now_ms, .key_id = csk.id, .algorithm = csk.algorithm });
}

void ue_mcx_move_on(pocue *ue, int64_t now_ms)
{
    ue->now_ms = now_ms;
    ue->mcx->ticked_s = mcx_seconds_of(now_ms);
    ue_mcx_ring_tick(ue->mcx->ring, mcx_seconds_of(now_ms));
    algorithm_tell(ue, now_ms);
    ue_mcx_bearers_follow(ue, now_ms);
}

void ue_mcx_tick(pocue *ue, int64_t now_ms)
{
    if (ue->mcx != NULL)
        ue_mcx_move_on(ue, now_ms);
}

int64_t ue_mcx_deadline_ms(const pocue *ue)
{
    if (ue->mcx == NULL)
        return INT64_MAX;
    const uint64_t at_s = ue_mcx_ring_deadline_s(ue->mcx->ring, ue->mcx->ticked_s);
    return at_s > INT64_MAX / 1000 ? INT64_MAX : (int64_t)(at_s * 1000);
}

/* ---- upload ---- */

static poc_err id_draw(uint32_t *out, const pocue *ue)
{
    for (int i = 0; i < ID_DRAWS_MAX; i++) {
        POC_TRY(mcx_key_id_random(out, MCX_CSK, &ue->rng));
        if (!ue_mcx_ring_is_taken(ue->mcx->ring, *out))
            return POC_OK;
    }
    return POC_E_IO;
}

static poc_err csk_make(mcx_opened *out, const pocue *ue)
{
    const mcx_client *m = ue->mcx;
    *out = (mcx_opened){ .type = MCX_CSK, .rand_len = MIKEY_RAND_LEN };
    POC_TRY(id_draw(&out->key_id, ue));
    out->csb_id = out->key_id;
    POC_TRY(mcx_cs_id_of(&out->cs_id, MCX_CSK, m->service));
    POC_TRY(ue->rng.fill(ue->rng.ctx, out->rand, MIKEY_RAND_LEN));
    return poc_secret_random(&out->key, m->supported[0].key_len, &ue->rng);
}

static poc_err csk_seal(const pocue *ue, int64_t now_ms, const mcx_opened *csk, uint8_t *out, size_t *n)
{
    const mcx_client *m = ue->mcx;
    const ue_mcx_upload upload = { .key = csk->key,
                                   .key_id = csk->key_id,
                                   .cs_id = csk->cs_id,
                                   .rand = csk->rand,
                                   .algorithms = m->supported,
                                   .algorithm_count = m->says_algorithms ? m->supported_count : 0,
                                   .name = poc_span_str(m->csk_name),
                                   .hides_identities = m->hides_identities,
                                   .to_self = m->to_self };
    return ue_mcx_upload_seal(m->user, now_ms, &upload, &ue->rng, out, n);
}

poc_err ue_mcx_boundary_draw(char out[MCX_BOUNDARY_MAX], const pocue *ue)
{
    uint8_t octets[BOUNDARY_RANDOM];
    poc_wr wr = poc_wr_into(out, MCX_BOUNDARY_MAX);
    POC_TRY(ue->rng.fill(ue->rng.ctx, octets, sizeof(octets)));
    poc_wr_fmt(&wr, "mcx-");
    poc_hex_put(&wr, poc_span_of(octets, sizeof(octets)));
    return poc_wr_text(&wr);
}

static poc_err body_put(const pocue *ue, pocue_mcx_upload *upload, const mcx_opened *csk, poc_span i_message,
                        poc_wr *out)
{
    const mcx_client *m = ue->mcx;
    const char *token = upload->access_token;
    char boundary[MCX_BOUNDARY_MAX];
    POC_OWNED(poc_secret, confidentiality, poc_secret_free);
    POC_OWNED(poc_secret, integrity, poc_secret_free);
    poc_wr type = poc_wr_into(upload->content_type, sizeof(upload->content_type));
    POC_TRY(ue_mcx_boundary_draw(boundary, ue));
    poc_wr_fmt(&type, "multipart/mixed;boundary=%s", boundary);
    POC_TRY(poc_wr_text(&type));
    if (!m->token_in_clear)
        POC_TRY(mcx_xml_keys(&confidentiality, &integrity, csk->key, csk->key_id, ue_mcx_user_uri(m->user)));
    const ue_mcx_body body = { .i_message = i_message,
                               .service = m->service,
                               .access_token = poc_span_str(token == NULL ? "" : token),
                               .client_id = poc_span_str(m->client_id),
                               .settings = upload->settings,
                               .boundary = boundary,
                               .xml_key = confidentiality,
                               .xml_key_id = csk->key_id,
                               .rng = &ue->rng };
    return ue_mcx_body_write(out, &body);
}

static poc_err upload_make(pocue *ue, int64_t now_ms, mcx_opened *csk, pocue_mcx_upload *upload, poc_wr *body)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t n = 0;
    POC_TRY(csk_make(csk, ue));
    POC_TRY(csk_seal(ue, now_ms, csk, octets, &n));
    POC_TRY(body_put(ue, upload, csk, poc_span_of(octets, n), body));
    upload->csk_id = csk->key_id;
    return ue_mcx_ring_propose(ue->mcx->ring, csk, &ue->mcx->supported[0]);
}

poc_err pocue_mcx_make_upload(pocue *ue, int64_t now_ms, pocue_mcx_upload *upload, poc_wr *body)
{
    const size_t start = body->len;
    mcx_opened csk = { .key = NULL };
    if (ue->mcx == NULL)
        return POC_E_STATE;
    POC_TRY(ue_events_reserve(&ue->events, EVENTS_MCX)); /* for pocue_mcx_uploaded, which cannot fail */
    ue_mcx_move_on(ue, now_ms);
    const poc_err err = upload_make(ue, now_ms, &csk, upload, body);
    if (err != POC_OK)
        body->len = start;
    mcx_opened_done(&csk);
    return err;
}

static bool proposal_of(const mcx_client *m, ue_mcx_key *out)
{
    for (size_t i = 0; ue_mcx_ring_at(m->ring, i, out); i++) {
        if (out->is_proposed)
            return true;
    }
    return false;
}

void pocue_mcx_uploaded(pocue *ue, int64_t now_ms, bool is_accepted)
{
    ue_mcx_key csk;
    if (ue->mcx == NULL || !proposal_of(ue->mcx, &csk))
        return;
    (void)ue_mcx_ring_settle(ue->mcx->ring, is_accepted);
    if (is_accepted)
        ue_events_push(
            &ue->events,
            &(pocue_event){ .type = POCUE_MCX_KEY, .at_ms = now_ms, .key_id = csk.id, .algorithm = csk.algorithm });
    ue_mcx_move_on(ue, now_ms);
}

/* ---- download ---- */

static bool is_supported(const mcx_client *m, const mcx_algorithm *a)
{
    for (size_t i = 0; i < m->supported_count; i++) {
        if (mcx_algorithm_eq(&m->supported[i], a))
            return true;
    }
    return false;
}

static poc_err key_take(pocue *ue, int64_t now_ms, mcx_opened *opened, const uint8_t digest[POC_SHA256_LEN],
                        const char **why)
{
    mcx_client *m = ue->mcx;
    pocue_event e = { .type = POCUE_MCX_KEY,
                      .at_ms = now_ms,
                      .key_id = opened->key_id,
                      .activation_s = opened->parameters.activation_s,
                      .expiry_s = opened->parameters.expiry_s,
                      .payload = opened->parameters.text,
                      .algorithm = opened->offer.algorithms[0] };
    ue_mcx_change change;
    *why = "the algorithm was not offered";
    if (!opened->parameters.is_revoked && !is_supported(m, &e.algorithm))
        return POC_E_DENIED;
    POC_TRY(ue_mcx_ring_take(m->ring, opened, digest, &change, why));
    if (change == UE_MCX_REVOKED)
        e = (pocue_event){ .type = POCUE_MCX_REVOKED, .at_ms = now_ms, .key_id = e.key_id };
    if (change != UE_MCX_SAME)
        ue_events_push(&ue->events, &e);
    *why = NULL;
    return POC_OK;
}

static poc_err download_take(pocue *ue, int64_t now_ms, poc_span octets, const char **why)
{
    uint8_t digest[POC_SHA256_LEN];
    poc_fault fault = { 0, NULL };
    mcx_opened opened;
    mikey_msg msg;
    POC_TRY(poc_sha256(digest, octets));
    if (ue_mcx_ring_knows(ue->mcx->ring, digest))
        return POC_OK;
    POC_TRY(ue_mcx_ring_reserve(ue->mcx->ring));
    poc_err err = ue_mcx_download_open(ue->mcx->user, now_ms, octets, &msg, &opened, &fault);
    *why = fault.reason;
    if (err == POC_OK)
        err = key_take(ue, now_ms, &opened, digest, why);
    mcx_opened_done(&opened);
    return err;
}

static poc_err body_take(pocue *ue, int64_t now_ms, poc_span content_type, poc_span body, const char **why)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t n = 0;
    POC_TRY(ue_events_reserve(&ue->events, EVENTS_MCX));
    const poc_err err = ue_mcx_body_read(octets, sizeof(octets), &n, content_type, body);
    *why = "no body with an I_MESSAGE";
    if (err != POC_OK)
        return POC_E_INPUT;
    *why = NULL;
    return download_take(ue, now_ms, poc_span_of(octets, n), why);
}

static pocue_reply reply_to(poc_err err)
{
    if (err == POC_OK)
        return (pocue_reply){ 200, NULL };
    if (err == POC_E_INPUT)
        return (pocue_reply){ 488, WARNING_NOT_AUTHENTIC };
    if (err == POC_E_AUTH || err == POC_E_DENIED)
        return (pocue_reply){ 403, WARNING_NOT_AUTHENTIC };
    return (pocue_reply){ 500, NULL };
}

poc_err pocue_mcx_download(pocue *ue, int64_t now_ms, poc_span content_type, poc_span body, pocue_reply *reply,
                           const char **why)
{
    const char *reason = NULL;
    poc_err err = POC_E_STATE;
    if (ue->mcx != NULL) {
        ue_mcx_move_on(ue, now_ms);
        err = body_take(ue, now_ms, content_type, body, &reason);
        ue_mcx_move_on(ue, now_ms);
    }
    *reply = reply_to(err);
    if (why != NULL)
        *why = reason;
    return err;
}

/* ---- control packets ---- */

static poc_err control_open(pocue *ue, int64_t now_ms, bool by_multicast, poc_span datagram)
{
    uint8_t clear[MCX_SRTCP_MAX];
    size_t n = 0;
    uint32_t key_id = 0;
    POC_TRY(ue_mcx_ring_unprotect(ue->mcx->ring, mcx_seconds_of(now_ms), by_multicast ? MCX_MUSIK : MCX_CSK, clear, &n,
                                  datagram, &key_id));
    const poc_span packet = poc_span_of(clear, n);
    const bool maps = by_multicast && mcx_mcmc_is(packet);
    if (maps)
        POC_TRY(ue_mcx_mapping_take(ue->mcx, packet));
    ue_events_push(&ue->events, &(pocue_event){ .type = maps ? POCUE_MCX_MAPPED : POCUE_FLOOR,
                                                .at_ms = now_ms,
                                                .by_multicast = by_multicast,
                                                .key_id = key_id,
                                                .payload = packet });
    return POC_OK;
}

poc_err pocue_mcx_control(pocue *ue, int64_t now_ms, bool by_multicast, poc_span datagram)
{
    if (ue->mcx == NULL)
        return POC_E_STATE;
    ue_mcx_move_on(ue, now_ms);
    const poc_err err = control_open(ue, now_ms, by_multicast, datagram);
    if (err != POC_OK)
        ue->mcx->refused++;
    return err;
}

poc_err pocue_mcx_protect(pocue *ue, int64_t now_ms, poc_wr *out, poc_span clear)
{
    if (ue->mcx == NULL)
        return POC_E_STATE;
    ue_mcx_move_on(ue, now_ms);
    return ue_mcx_ring_protect(ue->mcx->ring, mcx_seconds_of(now_ms), pocue_mcx_csk(ue, now_ms), out, clear);
}

poc_err pocue_mcx_xml_keys(const pocue *ue, int64_t now_ms, uint32_t csk_id, poc_secret **confidentiality,
                           poc_secret **integrity)
{
    const uint32_t id = csk_id != 0 ? csk_id : pocue_mcx_csk(ue, now_ms);
    const poc_secret *key = ue->mcx == NULL || id >> 28 != MCX_CSK ? NULL : ue_mcx_ring_key(ue->mcx->ring, id);
    *confidentiality = *integrity = NULL;
    if (key == NULL)
        return POC_E_STATE;
    return mcx_xml_keys(confidentiality, integrity, key, id, ue_mcx_user_uri(ue->mcx->user));
}

/* ---- what is held ---- */

uint32_t pocue_mcx_csk(const pocue *ue, int64_t now_ms)
{
    return ue->mcx == NULL ? 0 : ue_mcx_ring_csk(ue->mcx->ring, mcx_seconds_of(now_ms));
}

uint32_t pocue_mcx_musik(const pocue *ue, int64_t now_ms, const char *group)
{
    return ue->mcx == NULL ? 0 : ue_mcx_ring_musik(ue->mcx->ring, mcx_seconds_of(now_ms), poc_span_str(group));
}

size_t pocue_mcx_held(const pocue *ue, uint32_t *out, size_t cap)
{
    size_t n = 0;
    ue_mcx_key key;
    for (size_t i = 0; ue->mcx != NULL && ue_mcx_ring_at(ue->mcx->ring, i, &key); i++) {
        if (key.is_revoked)
            continue;
        if (n < cap)
            out[n] = key.id;
        n++;
    }
    return n;
}

void pocue_mcx_log_off(pocue *ue)
{
    if (ue->mcx == NULL)
        return;
    ue_mcx_ring_clear(ue->mcx->ring);
    ue->mcx->has_told = false;
    ue->mcx->mapping_count = 0;
    for (size_t i = 0; i < ue->mcx->bearer_count; i++)
        ue->mcx->bearers[i].said.area_count = 0;
    ue_mcx_bearers_follow(ue, ue->now_ms);
}
