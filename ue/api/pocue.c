#include <stdlib.h>
#include <string.h>

#include "ue/api/inside.h"

static poc_err text_copy(char *out, size_t cap, const char *text)
{
    if (text == NULL || strlen(text) >= cap)
        return POC_E_INPUT;
    memcpy(out, text, strlen(text) + 1);
    return POC_OK;
}

static poc_err fill(pocue *ue, const pocue_settings *s, const poc_rng *rng)
{
    uint32_t sdp_id;
    ue->rng = *rng;
    ue->multicast_capable = s->multicast_capable;
    ue->require_sdp_ids = s->require_sdp_ids;
    ue->keep_keys = s->keep_keys;
    ue->msks_per_group = s->msks_per_group == 0 ? 2 : s->msks_per_group;
    POC_TRY(text_copy(ue->impu, sizeof(ue->impu), s->impu));
    POC_TRY(text_copy(ue->impi, sizeof(ue->impi), s->impi));
    POC_TRY(text_copy(ue->bsf_fqdn, sizeof(ue->bsf_fqdn), s->bsf_fqdn));
    POC_TRY(text_copy(ue->naf_fqdn, sizeof(ue->naf_fqdn), s->naf_fqdn));
    POC_TRY(gba_naf_id_make(&ue->naf_id, poc_span_str(ue->naf_fqdn), s->ua_id));
    POC_TRY(gba_usim_init(&ue->usim, s->k, s->opc, s->sqn, s->amf));
    POC_TRY(ue_muks_new(&ue->muks));
    POC_TRY(rng->fill(rng->ctx, &sdp_id, sizeof(sdp_id)));
    ue->sdp_id = sdp_id;
    ue->sdp_version = sdp_id;
    ue->http.bootstrap_told_ms = -1;
    return POC_OK;
}

poc_err pocue_new(pocue **out, const pocue_settings *settings, const poc_rng *rng)
{
    POC_OWNED(pocue, ue, pocue_free);
    *out = NULL;
    ue = calloc(1, sizeof(*ue));
    if (ue == NULL)
        return POC_E_NOMEM;
    POC_TRY(fill(ue, settings, rng)); /* NOLINT(clang-analyzer-unix.Malloc): POC_OWNED frees it */
    *out = POC_RELEASE(ue);
    return POC_OK;
}

void pocue_free(pocue *ue)
{
    if (ue == NULL)
        return;
    gba_ub_client_free(ue->ub);
    gba_usim_done(&ue->usim);
    poc_secret_free(ue->mrk);
    ue_muks_free(ue->muks);
    for (size_t i = 0; i < RECEPTIONS_MAX; i++)
        ue_ring_free(ue->receptions[i].ring);
    free(ue->offer);
    free(ue->answer);
    ue_mcx_free(ue->mcx);
    ue_events_done(&ue->events);
    free(ue);
}

size_t pocue_msks(const pocue *ue, poc_msk_id *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < RECEPTIONS_MAX; i++)
        if (ue->receptions[i].ring != NULL)
            n += ue_ring_ids(ue->receptions[i].ring, n < cap ? out + n : NULL, n < cap ? cap - n : 0);
    return n;
}

struct sockaddr_storage pocue_peer_audio(const pocue *ue)
{
    return ue->peer_audio;
}

struct sockaddr_storage pocue_peer_floor(const pocue *ue)
{
    return ue->peer_floor;
}

void pocue_session_over(pocue *ue, int64_t now_ms, bool keep_keys)
{
    free(ue->offer);
    free(ue->answer);
    ue->offer = ue->answer = NULL;
    ue->offer_len = ue->answer_len = ue->sdp_lines = 0;
    ue->peer_audio = ue->peer_floor = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
    if (keep_keys)
        return;
    ue_session_let_go(ue, now_ms);
    memset(&ue->heard, 0, sizeof(ue->heard));
}
