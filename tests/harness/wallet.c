#include "tests/harness/wallet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/support/rng.h"

/* A client that never speaks: the others of its name share what it has. */
typedef struct holder {
    struct holder *next;
    char mc_id[128];
    wallet_kms which;
    uint64_t period;
    pocue *ue;
} holder;

typedef struct wallet {
    test_rng chance;
    poc_rng rng;
    mcx_kms *kms[WALLET_KMSS];
    pocpf_mcx_kms *neighbour;
    pocpf_mcx_keys *server;
    char server_uri[128];
    uint64_t server_period;
    holder *holders;
} wallet;

static wallet purse;

/* Chance anew for each name: what a key is does not depend on who was asked for before. */
static const poc_rng *rng_for(const char *name, uint64_t period)
{
    uint64_t seed = UINT64_C(0xcbf29ce484222325) ^ period;
    for (; *name != '\0'; name++)
        seed = (seed ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    purse.rng = test_rng_of(&purse.chance, seed);
    return &purse.rng;
}

const char *wallet_kms_uri(wallet_kms which)
{
    return which == WALLET_OWN ? "kms.poc.example" : "kms.neighbour.example";
}

static poc_err kms_of(mcx_kms **out, wallet_kms which)
{
    if (purse.kms[which] == NULL) {
        poc_secret *z = NULL, *ksak = NULL;
        poc_err err = mcx_kms_secrets(&z, &ksak, rng_for(wallet_kms_uri(which), 0));
        if (err == POC_OK)
            err = mcx_kms_new(&purse.kms[which], z, ksak);
        poc_secret_free(z);
        poc_secret_free(ksak);
        POC_TRY(err);
    }
    *out = purse.kms[which];
    return POC_OK;
}

static uint64_t period_at(int64_t now_ms)
{
    return mcx_period_number((uint64_t)now_ms / 1000 + MCX_NTP_MINUS_UNIX, WALLET_PERIOD_S, 0);
}

static poc_err issue(mcx_user_keys *out, wallet_kms which, const char *uri, uint64_t period)
{
    const mcx_period p = { WALLET_PERIOD_S, 0, period };
    uint8_t uid[MCX_UID_LEN];
    mcx_kms *kms;
    POC_TRY(kms_of(&kms, which));
    POC_TRY(mcx_uid(uid, poc_span_str(uri), poc_span_str(wallet_kms_uri(which)), &p));
    return mcx_kms_issue(out, kms, poc_span_of(uid, sizeof(uid)), rng_for(uri, period));
}

/* ---- the server ---- */

poc_err wallet_server(pocpf_mcx_keys **out, const char *uri, int64_t now_ms)
{
    const uint64_t period = period_at(now_ms);
    if (purse.server == NULL || purse.server_period != period || strcmp(purse.server_uri, uri) != 0) {
        mcx_user_keys keys = { 0 };
        POC_TRY(issue(&keys, WALLET_OWN, uri, period));
        pocpf_mcx_keys_free(purse.server);
        const pocpf_mcx_material m = { .size = sizeof(m),
                                       .uri = uri,
                                       .kms_uri = wallet_kms_uri(WALLET_OWN),
                                       .period_s = WALLET_PERIOD_S,
                                       .period_number = period,
                                       .z = mcx_kms_z(purse.kms[WALLET_OWN]).p,
                                       .kpak = mcx_kms_kpak(purse.kms[WALLET_OWN]).p,
                                       .pvt = keys.pvt,
                                       .rsk = keys.rsk,
                                       .ssk = keys.ssk };
        poc_err err = (poc_err)pocpf_mcx_keys_new(&purse.server, &m);
        mcx_user_keys_done(&keys);
        POC_TRY(err);
        snprintf(purse.server_uri, sizeof(purse.server_uri), "%s", uri);
        purse.server_period = period;
    }
    *out = purse.server;
    return POC_OK;
}

poc_err wallet_neighbour(pocpf_mcx_kms **out)
{
    mcx_kms *kms;
    POC_TRY(kms_of(&kms, WALLET_NEIGHBOUR));
    const pocpf_mcx_certificate c = { .size = sizeof(c),
                                      .kms_uri = wallet_kms_uri(WALLET_NEIGHBOUR),
                                      .period_s = WALLET_PERIOD_S,
                                      .z = mcx_kms_z(kms).p,
                                      .kpak = mcx_kms_kpak(kms).p };
    if (purse.neighbour == NULL)
        POC_TRY((poc_err)pocpf_mcx_kms_new(&purse.neighbour, &c));
    *out = purse.neighbour;
    return POC_OK;
}

/* ---- clients ---- */

static poc_err certificates_give(pocue *ue, wallet_kms which)
{
    const wallet_kms needed[] = { WALLET_OWN, which };
    for (size_t i = 0; i < POC_COUNT(needed); i++) {
        mcx_kms *kms;
        POC_TRY(kms_of(&kms, needed[i]));
        POC_TRY(pocue_mcx_kms_add(ue, &(pocue_mcx_kms){ .uri = wallet_kms_uri(needed[i]),
                                                        .period_s = WALLET_PERIOD_S,
                                                        .z = mcx_kms_z(kms).p,
                                                        .kpak = mcx_kms_kpak(kms).p }));
    }
    return POC_OK;
}

static poc_err fill(holder *h)
{
    const pocue_settings phone = { .impu = "sip:wallet@poc.example",
                                   .impi = "wallet@poc.example",
                                   .bsf_fqdn = "bsf.poc.example",
                                   .naf_fqdn = "pf.poc.example" };
    const pocue_mcx_server server = { "sip:nobody@poc.example", wallet_kms_uri(WALLET_OWN) };
    const pocue_mcx_settings settings = { .mc_id = h->mc_id, .servers = &server, .server_count = 1 };
    mcx_user_keys keys = { 0 };
    POC_TRY(pocue_new(&h->ue, &phone, rng_for(h->mc_id, h->period)));
    POC_TRY(pocue_mcx_start(h->ue, &settings));
    POC_TRY(certificates_give(h->ue, h->which));
    POC_TRY(issue(&keys, h->which, h->mc_id, h->period));
    poc_err err = pocue_mcx_keys_add(h->ue, &(pocue_mcx_keys){ .kms_uri = wallet_kms_uri(h->which),
                                                               .period_number = h->period,
                                                               .rsk = keys.rsk,
                                                               .ssk = keys.ssk,
                                                               .pvt = keys.pvt });
    mcx_user_keys_done(&keys);
    return err;
}

static void holder_free(holder *h)
{
    pocue_free(h->ue);
    free(h);
}

static poc_err holder_of(holder **out, const char *mc_id, wallet_kms which, uint64_t period)
{
    for (*out = purse.holders; *out != NULL; *out = (*out)->next)
        if ((*out)->which == which && (*out)->period == period && strcmp((*out)->mc_id, mc_id) == 0)
            return POC_OK;
    holder *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return POC_E_NOMEM;
    snprintf(h->mc_id, sizeof(h->mc_id), "%s", mc_id);
    h->which = which;
    h->period = period;
    poc_err err = fill(h);
    if (err != POC_OK) {
        holder_free(h);
        return err;
    }
    h->next = purse.holders;
    purse.holders = *out = h;
    return POC_OK;
}

poc_err wallet_provision(pocue *ue, const char *mc_id, wallet_kms which, int64_t now_ms)
{
    holder *h;
    POC_TRY(holder_of(&h, mc_id, which, period_at(now_ms)));
    return pocue_mcx_provision_like(ue, h->ue);
}

void wallet_done(void)
{
    while (purse.holders != NULL) {
        holder *h = purse.holders;
        purse.holders = h->next;
        holder_free(h);
    }
    pocpf_mcx_keys_free(purse.server);
    pocpf_mcx_kms_free(purse.neighbour);
    for (size_t i = 0; i < POC_COUNT(purse.kms); i++)
        mcx_kms_free(purse.kms[i]);
    purse = (wallet){ 0 };
}
