/* What the keeper's thread does: the certificate of the KMS, keys for each identity in the present period and in time for the
 * next, and the certificates of other KMSs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/log.h"
#include "pf/io/mcx_keeper_private.h"
#include "pf/io/now.h"

enum {
    LEAD_MIN_S = 3600,          /* so long before a period its keys are asked for, at least ... */
    LEAD_PART = 10,             /* ... or such a part of the period, but never more than half of it */
    CACHE_MAX_S = 21600,        /* other KMSs' certificates are looked at so often, at least */
    RETRY_FIRST_MS = 1000,      /* doubled each time */
    RETRY_MAX_MS = 60000,       /* without keys */
    RETRY_CALM_MAX_MS = 3600000 /* while there are keys */
};

/* ---- times ---- */

static uint64_t ntp_now(void)
{
    return (uint64_t)(io_now_ms() / 1000) + MCX_NTP_MINUS_UNIX;
}

static uint64_t present(const mcx_keeper *k)
{
    return mcx_period_number(ntp_now(), k->kms.period_s, k->kms.offset_s);
}

/** Unix time at which a period begins. */
static int64_t start_ms(const mcx_keeper *k, uint64_t number)
{
    const mcx_period period = { k->kms.period_s, k->kms.offset_s, number };
    return ((int64_t)mcx_period_start(&period) - (int64_t)MCX_NTP_MINUS_UNIX) * 1000;
}

static uint64_t chance(uint64_t below)
{
    uint64_t drawn;
    if (below == 0 || poc_rng_system.fill(poc_rng_system.ctx, &drawn, sizeof(drawn)) != POC_OK)
        return 0;
    return drawn % below; /* spreads work: nothing depends on its being even */
}

/** How long before period `number` its keys are asked for: not by all servers of a KMS at once. */
static int64_t lead_ms(mcx_keeper *k, uint64_t number)
{
    const uint64_t period_ms = k->kms.period_s * 1000, least_ms = (uint64_t)LEAD_MIN_S * 1000;
    uint64_t lead = period_ms / LEAD_PART;
    if (k->lead_number == number)
        return k->lead_ms;
    if (lead < least_ms)
        lead = least_ms < period_ms / 2 ? least_ms : period_ms / 2;
    k->lead_number = number;
    k->lead_ms = (int64_t)(lead - chance(lead / 4));
    return k->lead_ms;
}

static int64_t due_ms(mcx_keeper *k, uint64_t number)
{
    return start_ms(k, number) - lead_ms(k, number);
}

static int64_t bounded(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v < most ? v : most;
}

/** Later and later. With keys, which then are those of the next period that are missing, there is time, but several more tries
 *  before it begins: a KMS may give them out late. */
static int64_t retry_ms(mcx_keeper *k, bool has_keys)
{
    const unsigned doubled = k->failures_in_a_row < 16 ? k->failures_in_a_row : 16;
    int64_t most = RETRY_MAX_MS;
    if (has_keys)
        most = bounded((start_ms(k, present(k) + 1) - io_now_ms()) / 4, RETRY_FIRST_MS, RETRY_CALM_MAX_MS);
    k->failures_in_a_row++;
    const int64_t wait = bounded((int64_t)RETRY_FIRST_MS << doubled, RETRY_FIRST_MS, most);
    return wait - (int64_t)chance((uint64_t)wait / 4);
}

/* ---- keeping count ---- */

static void count(mcx_keeper *k, unsigned requests, unsigned failures)
{
    (void)pthread_mutex_lock(&k->lock);
    k->counts.requests += requests;
    k->counts.failures += failures;
    (void)pthread_mutex_unlock(&k->lock);
}

static void count_readiness(mcx_keeper *k)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < k->c->mcx.identities.count; i++)
        least = k->numbers[i] < least ? k->numbers[i] : least;
    const bool ready = k->has_kms && least != 0 && least >= present(k);
    const int64_t until_s = ready ? start_ms(k, least + 1) / 1000 : 0;
    (void)pthread_mutex_lock(&k->lock);
    k->counts.ready_until_s = until_s;
    k->counts.signs = k->has_kms && k->numbers[0] != 0 && k->numbers[0] >= present(k);
    (void)pthread_mutex_unlock(&k->lock);
}

static void fail(mcx_keeper *k, size_t identity, poc_err err, const char *what, const char *why)
{
    if (atomic_load(&k->is_ending))
        return;
    log_event(LOG_LEVEL_WARNING, "mcx_keys_missing", LOG_TEXT("identity", k->c->mcx.identities.item[identity]),
              LOG_TEXT("wanted", what), LOG_TEXT("kind", poc_err_name(err)), LOG_TEXT("reason", why));
    count(k, 0, 1);
}

/** Asks, and counts and logs when it was in vain. */
static poc_err ask(mcx_keeper *k, size_t identity, const char *path, mcx_kms_kind kind, const char *what,
                   mcx_kms_response *out)
{
    const char *why = "";
    poc_err err = mcx_ask_kms(k->ask, identity, path, out, &why);
    if (err == POC_OK && out->kind != kind) {
        mcx_kms_response_done(out);
        err = POC_E_INPUT;
        why = "an answer to another question";
    }
    count(k, 1, 0);
    if (err != POC_OK)
        fail(k, identity, err, what, why);
    return err;
}

/* ---- the KMS ---- */

static void know(known_kms *out, const mcx_kms_certificate *c)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->uri, c->kms_uri, sizeof(out->uri));
    out->period_s = c->period_s;
    out->offset_s = c->offset_s;
    memcpy(out->z, c->z, sizeof(out->z));
    memcpy(out->kpak, c->kpak, sizeof(out->kpak));
}

static bool is_same(const known_kms *a, const known_kms *b)
{
    return strcmp(a->uri, b->uri) == 0 && a->period_s == b->period_s && a->offset_s == b->offset_s &&
           memcmp(a->z, b->z, sizeof(a->z)) == 0 && memcmp(a->kpak, b->kpak, sizeof(a->kpak)) == 0;
}

/** A KMS that has changed its keys or periods has changed everybody's. */
static void take_kms(mcx_keeper *k, const known_kms *found)
{
    if (k->has_kms && is_same(&k->kms, found))
        return;
    if (k->has_kms)
        log_event(LOG_LEVEL_WARNING, "mcx_kms_changed", LOG_TEXT("kms", found->uri));
    keeper_forget_keys(k);
    memset(k->numbers, 0, sizeof(k->numbers));
    k->kms = *found;
    k->has_kms = true;
}

static void know_own(mcx_keeper *k)
{
    const mcx_kms_service *own = k->own;
    known_kms found = { .period_s = own->period_s, .offset_s = own->offset_s };
    (void)snprintf(found.uri, sizeof(found.uri), "%.*s", (int)own->kms_uri.n, (const char *)own->kms_uri.p);
    memcpy(found.z, mcx_kms_z(own->kms).p, sizeof(found.z));
    memcpy(found.kpak, mcx_kms_kpak(own->kms).p, sizeof(found.kpak));
    take_kms(k, &found);
}

/** ValidFrom and ValidTo, where they are said. */
static bool is_valid_now(const mcx_kms_certificate *c)
{
    const int64_t now_s = io_now_ms() / 1000;
    return c->valid_from_s <= now_s && (c->valid_to_s == 0 || c->valid_to_s > now_s);
}

static poc_err check_root(mcx_keeper *k, const mcx_kms_certificate *c)
{
    const char *why = NULL;
    if (strcmp(c->kms_uri, k->c->mcx.kms_uri) != 0)
        why = "a certificate of another KMS";
    else if (c->is_revoked)
        why = "the certificate of the KMS is revoked";
    else if (!is_valid_now(c))
        why = "a certificate that is not valid now";
    if (why != NULL)
        fail(k, 0, POC_E_DENIED, "certificate", why);
    return why == NULL ? POC_OK : POC_E_DENIED;
}

static poc_err ask_root(mcx_keeper *k)
{
    mcx_kms_response r;
    known_kms found;
    POC_TRY(ask(k, 0, "/init", MCX_KMS_INIT, "certificate", &r));
    const poc_err err = check_root(k, &r.certificates[0]);
    know(&found, &r.certificates[0]);
    mcx_kms_response_done(&r);
    POC_TRY(err);
    take_kms(k, &found);
    k->asked_number = present(k);
    return POC_OK;
}

/** Its certificate is looked at once in each period. */
static poc_err find_kms(mcx_keeper *k)
{
    if (k->own != NULL) {
        know_own(k);
        return POC_OK;
    }
    return k->has_kms && k->asked_number == present(k) ? POC_OK : ask_root(k);
}

/* ---- keys ---- */

static poc_err keep_keys(mcx_keeper *k, size_t identity, uint64_t number, const mcx_user_keys *keys)
{
    const pocpf_mcx_material material = { .size = sizeof(material),
                                          .uri = k->c->mcx.identities.item[identity],
                                          .kms_uri = k->kms.uri,
                                          .period_s = k->kms.period_s,
                                          .offset_s = k->kms.offset_s,
                                          .period_number = number,
                                          .z = k->kms.z,
                                          .kpak = k->kms.kpak,
                                          .pvt = keys->pvt,
                                          .rsk = keys->rsk,
                                          .ssk = keys->ssk,
                                          .like = k->like };
    kept *item = (kept *)calloc(1, sizeof(*item));
    if (item == NULL)
        return POC_E_NOMEM;
    const pocpf_err err = pocpf_mcx_keys_new(&item->keys, &material);
    if (err != POCPF_OK) {
        free(item);
        return (poc_err)err;
    }
    item->identity = identity;
    item->number = number;
    item->signs = identity == 0;
    k->like = item->keys;
    k->numbers[identity] = number;
    count_readiness(k); /* before the loop hears of it */
    keeper_tell(k, item);
    return POC_OK;
}

static poc_err issue(mcx_keeper *k, size_t identity, uint64_t number)
{
    uint8_t uid[MCX_UID_LEN];
    mcx_user_keys keys;
    const mcx_period period = { k->kms.period_s, k->kms.offset_s, number };
    poc_err err = mcx_uid(uid, poc_span_str(k->c->mcx.identities.item[identity]), k->own->kms_uri, &period);
    if (err == POC_OK &&
        (err = mcx_kms_issue(&keys, k->own->kms, poc_span_of(uid, sizeof(uid)), k->own->rng)) == POC_OK) {
        err = keep_keys(k, identity, number, &keys);
        mcx_user_keys_done(&keys);
    }
    count(k, 1, 0);
    if (err != POC_OK)
        fail(k, identity, err, "keys", "the embedded KMS could not issue them");
    return err;
}

/** The set of the period that was asked for, and that fits the certificate. */
static const mcx_kms_key_set *pick(const mcx_keeper *k, const mcx_kms_response *r, size_t identity, uint64_t number,
                                   const char **why)
{
    mcx_kms_certificate certificate = { .period_s = k->kms.period_s, .offset_s = k->kms.offset_s };
    memcpy(certificate.kms_uri, k->kms.uri, sizeof(certificate.kms_uri));
    *why = "an answer without the keys that were asked for";
    for (size_t i = 0; i < r->set_count; i++) {
        const mcx_kms_key_set *set = &r->sets[i];
        if (set->period_number == number && strcmp(set->user_uri, k->c->mcx.identities.item[identity]) == 0)
            return mcx_kms_key_set_check(set, &certificate, why) == POC_OK ? set : NULL;
    }
    return NULL;
}

static poc_err ask_keys(mcx_keeper *k, size_t identity, uint64_t number)
{
    char path[MCX_KMS_URL_MAX];
    mcx_kms_response r;
    const char *why = "";
    const mcx_period period = { k->kms.period_s, k->kms.offset_s, number };
    const uint64_t seconds = number == present(k) ? 0 : mcx_period_start(&period);
    poc_wr wr = poc_wr_into(path, sizeof(path));
    /* The present period needs no time: so it is asked of any KMS. */
    mcx_kms_key_path_put(&wr, "", poc_span_str(k->c->mcx.identities.item[identity]), seconds << 32);
    POC_TRY(poc_wr_text(&wr));
    POC_TRY(ask(k, identity, path, MCX_KMS_KEYS, "keys", &r));
    const mcx_kms_key_set *set = pick(k, &r, identity, number, &why);
    const poc_err err = set == NULL ? POC_E_AUTH : keep_keys(k, identity, number, &set->keys);
    if (err != POC_OK)
        fail(k, identity, err, "keys", set == NULL ? why : "keys that are not those of this identity");
    mcx_kms_response_done(&r);
    return err;
}

static poc_err fetch(mcx_keeper *k, size_t identity, uint64_t number)
{
    POC_TRY(k->own != NULL ? issue(k, identity, number) : ask_keys(k, identity, number));
    log_event(LOG_LEVEL_INFO, "mcx_keys", LOG_TEXT("identity", k->c->mcx.identities.item[identity]),
              LOG_TEXT("kms", k->kms.uri), LOG_NUMBER("period", number));
    return POC_OK;
}

/** The present period's keys come first, for all; then those of the next, when it is time. */
static poc_err fetch_due(mcx_keeper *k)
{
    poc_err first = POC_OK;
    const uint64_t now = present(k);
    const uint64_t wanted = io_now_ms() >= due_ms(k, now + 1) ? now + 1 : now;
    for (uint64_t number = now; number <= wanted; number++)
        for (size_t i = 0; i < k->c->mcx.identities.count && !atomic_load(&k->is_ending); i++) {
            const poc_err err = k->numbers[i] >= number ? POC_OK : fetch(k, i, number);
            first = first == POC_OK ? err : first;
        }
    return first;
}

/* ---- other KMSs ---- */

static known_kms *other_of(mcx_keeper *k, const char *uri)
{
    for (size_t i = 0; i < k->other_count; i++)
        if (strcmp(k->others[i].uri, uri) == 0)
            return &k->others[i];
    return NULL;
}

static poc_err tell_kms(mcx_keeper *k, const known_kms *kms)
{
    const pocpf_mcx_certificate certificate = { .size = sizeof(certificate),
                                                .kms_uri = kms->uri,
                                                .period_s = kms->period_s,
                                                .offset_s = kms->offset_s,
                                                .z = kms->z,
                                                .kpak = kms->kpak };
    kept *item = (kept *)calloc(1, sizeof(*item));
    const pocpf_err err = item == NULL ? POCPF_E_NOMEM : pocpf_mcx_kms_new(&item->kms, &certificate);
    if (err != POCPF_OK) {
        free(item);
        return (poc_err)err;
    }
    keeper_tell(k, item);
    return POC_OK;
}

static void take_other(void *user, const mcx_kms_certificate *c)
{
    mcx_keeper *k = (mcx_keeper *)user;
    known_kms found, *known = other_of(k, c->kms_uri);
    know(&found, c);
    if (known != NULL && is_same(known, &found))
        return;
    poc_err err = known == NULL && k->other_count == KEEPER_KMS_MAX ? POC_E_LIMIT : POC_OK;
    if (err == POC_OK)
        err = is_valid_now(c) ? tell_kms(k, &found) : POC_E_DENIED;
    if (err != POC_OK) {
        log_event(LOG_LEVEL_WARNING, "mcx_kms_not_added", LOG_TEXT("kms", c->kms_uri),
                  LOG_TEXT("reason", poc_err_name(err)));
        return;
    }
    *(known != NULL ? known : &k->others[k->other_count++]) = found;
    log_event(LOG_LEVEL_INFO, "mcx_kms_added", LOG_TEXT("kms", c->kms_uri));
}

static void drop_other(mcx_keeper *k, const char *uri)
{
    known_kms *known = other_of(k, uri);
    kept *item = known == NULL ? NULL : (kept *)calloc(1, sizeof(*item));
    if (item == NULL || (item->revoked = strdup(uri)) == NULL) {
        free(item);
        return;
    }
    *known = k->others[--k->other_count];
    keeper_tell(k, item);
}

static void take_cache(mcx_keeper *k, const mcx_kms_response *r)
{
    for (size_t i = 0; i < r->certificate_count; i++) {
        const mcx_kms_certificate *c = &r->certificates[i];
        if (strcmp(c->kms_uri, k->kms.uri) == 0)
            continue;
        if (c->is_revoked)
            drop_other(k, c->kms_uri);
        else
            take_other(k, c);
    }
}

/** A KMS need not have this resource: what it says is logged, and nothing waits for it. */
static void ask_cache(mcx_keeper *k)
{
    char path[64] = "/certcache";
    mcx_kms_response r;
    uint64_t every_s = k->kms.period_s / LEAD_PART;
    every_s = every_s == 0 ? 1 : every_s < CACHE_MAX_S ? every_s : CACHE_MAX_S;
    k->cache_due_ms = io_now_ms() + (int64_t)every_s * 1000;
    if (k->cache_number != 0)
        (void)snprintf(path, sizeof(path), "/certcache/%llu", (unsigned long long)k->cache_number);
    if (ask(k, 0, path, MCX_KMS_CACHE, "certificates of other KMSs", &r) != POC_OK)
        return;
    take_cache(k, &r);
    k->cache_number = r.cache_number;
    mcx_kms_response_done(&r);
}

static void load_neighbours(mcx_keeper *k)
{
    char why[CONFIG_WHY_MAX] = "";
    k->has_neighbours = true;
    if (mcx_neighbours_load(k->c, take_other, k, why) != POC_OK)
        log_event(LOG_LEVEL_WARNING, "mcx_kms_not_added", LOG_TEXT("reason", why));
}

/* ---- a turn ---- */

static poc_err gather(mcx_keeper *k)
{
    POC_TRY(find_kms(k));
    POC_TRY(fetch_due(k));
    if (!k->has_neighbours)
        load_neighbours(k);
    if (k->own == NULL && io_now_ms() >= k->cache_due_ms)
        ask_cache(k);
    return POC_OK;
}

/** When nothing fails: as the next period's keys are due, as it begins, or for the certificates. */
static int64_t next_turn_ms(mcx_keeper *k)
{
    const uint64_t now = present(k);
    int64_t at_ms = due_ms(k, now + 1);
    if (at_ms <= io_now_ms())
        at_ms = start_ms(k, now + 1); /* they are here */
    return k->own == NULL && k->cache_due_ms < at_ms ? k->cache_due_ms : at_ms;
}

int64_t keeper_turn(mcx_keeper *k)
{
    const poc_err err = gather(k);
    count_readiness(k);
    if (err == POC_OK) {
        k->failures_in_a_row = 0;
        return next_turn_ms(k);
    }
    return io_now_ms() + retry_ms(k, k->counts.signs);
}
