/* Keys from the KMS over HTTP (TS 33.180 Annex D; digest "MCX signalling key management" 5): its certificate, those of the
 * servers' KMSs where they are others, then the user's keys of a period; and those of the next before it begins. Making tables
 * of what came holds the event loop up for some hundredths of a second. */
#include <stdio.h>
#include <string.h>

#include "ue/io/mcx.h"

#define ROOT_PATH "/keymanagement/identity/v1"

enum {
    REQUEST_MAX = 4096 + 2 * MCX_KMS_URL_MAX,
    AHEAD_MAX_MS = 3600 * 1000, /* before a period begins its keys are asked for, or a tenth of the period */
    BACK_OFF_MS = 1000,
    BACK_OFF_DOUBLINGS = 10 /* up to 17 minutes */
};

/* ---- asking ---- */

static poc_err path_make(mcx_supply *s, const char *mc_id)
{
    poc_wr wr = poc_wr_into(s->path, sizeof(s->path));
    if (s->step == MCX_KMS_ROOT)
        poc_wr_fmt(&wr, ROOT_PATH "/init");
    else if (s->step == MCX_KMS_OTHERS)
        poc_wr_fmt(&wr, ROOT_PATH "/certcache");
    else
        mcx_kms_key_path_put(&wr, ROOT_PATH, poc_span_str(mc_id),
                             ((uint64_t)s->from_ms / 1000 + MCX_NTP_MINUS_UNIX) << 32);
    return poc_wr_text(&wr);
}

static poc_err headers_set(http *h, const char *token)
{
    char bearer[MCX_TOKEN_MAX + sizeof("Bearer ")];
    POC_TRY(radio_http_header(h, "Content-Type", "application/xml"));
    POC_TRY(radio_http_header(h, "Expect", "")); /* the body is small: no waiting for 100 Continue */
    if (token[0] == '\0')
        return POC_OK;
    snprintf(bearer, sizeof(bearer), "Bearer %s", token);
    const poc_err err = radio_http_header(h, "Authorization", bearer);
    poc_wipe(bearer, sizeof(bearer));
    return err;
}

static poc_err request_send(struct mcx *m)
{
    mcx_supply *s = &m->supply;
    char url[RADIO_TEXT_MAX + sizeof(s->path)], body[REQUEST_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    POC_TRY(path_make(s, m->mc_id));
    snprintf(url, sizeof(url), "%s%s", s->url, s->path);
    POC_TRY(mcx_kms_request_put(&wr, &(mcx_kms_answer){ .user_uri = poc_span_str(m->mc_id),
                                                        .kms_uri = poc_span_str(s->uri),
                                                        .request_url = poc_span_str(url),
                                                        .now_s = radio_now_ms() / 1000 }));
    radio_http_begin(&s->http);
    POC_TRY(headers_set(&s->http, m->token));
    return radio_http_send(&s->http, url, poc_span_of(body, wr.len));
}

/* ---- what came ---- */

static poc_err refuse(const char **why, const char *text)
{
    *why = text;
    return POC_E_AUTH;
}

static bool is_wanted(const struct mcx *m, const char *kms_uri)
{
    for (size_t i = 0; i < m->other_kms_count; i++)
        if (strcmp(m->other_kms[i], kms_uri) == 0)
            return true;
    return false;
}

/* ValidFrom and ValidTo, where they are said. */
static bool is_valid(int64_t from_s, int64_t to_s, int64_t at_ms)
{
    return from_s <= at_ms / 1000 && (to_s == 0 || to_s > at_ms / 1000);
}

static poc_err root_take(struct mcx *m, const mcx_kms_response *a, const char **why)
{
    const mcx_kms_certificate *c = &a->certificates[0];
    if (a->kind != MCX_KMS_INIT || a->certificate_count != 1 || strcmp(c->kms_uri, m->supply.uri) != 0 ||
        c->is_external)
        return refuse(why, "not the root certificate of this KMS");
    if (!is_valid(c->valid_from_s, c->valid_to_s, radio_now_ms()))
        return refuse(why, "a certificate that is not valid now");
    POC_TRY(pocue_mcx_provision(m->radio->ue, a));
    m->supply.root = *c;
    return POC_OK;
}

/* Nobody but the servers' KMSs is to be trusted. */
static poc_err others_take(struct mcx *m, const mcx_kms_response *a, const char **why)
{
    size_t found = 0;
    if (a->kind != MCX_KMS_CACHE)
        return refuse(why, "no certificates");
    for (size_t i = 0; i < a->certificate_count; i++) {
        const mcx_kms_certificate *c = &a->certificates[i];
        if (!is_wanted(m, c->kms_uri))
            continue;
        if (c->is_revoked || !is_valid(c->valid_from_s, c->valid_to_s, radio_now_ms()))
            return refuse(why, "the certificate of a server's KMS is revoked, or not valid now");
        POC_TRY(
            pocue_mcx_kms_add(m->radio->ue, &(pocue_mcx_kms){ c->kms_uri, c->period_s, c->offset_s, c->z, c->kpak }));
        found++;
    }
    return found >= m->other_kms_count ? POC_OK : refuse(why, "no certificate of a server's KMS");
}

static poc_err keys_take(struct mcx *m, const mcx_kms_response *a, const char **why)
{
    if (a->kind != MCX_KMS_KEYS)
        return refuse(why, "no keys");
    for (size_t i = 0; i < a->set_count; i++) {
        const mcx_kms_key_set *set = &a->sets[i];
        if (strcmp(set->user_uri, m->mc_id) != 0)
            return refuse(why, "keys of somebody else");
        if (!is_valid(set->valid_from_s, set->valid_to_s, m->supply.from_ms))
            return refuse(why, "keys that are not valid in their period");
        POC_TRY(mcx_kms_key_set_check(set, &m->supply.root, why));
    }
    const poc_err err = pocue_mcx_provision(m->radio->ue, a);
    if (err != POC_OK) {
        *why = "keys that do not hold under the certificate";
        return err;
    }
    return pocue_mcx_is_provisioned(m->radio->ue, m->supply.from_ms) ? POC_OK : refuse(why, "keys of another period");
}

static poc_err answer_take(struct mcx *m, poc_span body, const char **why)
{
    static poc_err (*const takes[])(struct mcx * m, const mcx_kms_response *a, const char **why) = {
        [MCX_KMS_ROOT] = root_take, [MCX_KMS_OTHERS] = others_take, [MCX_KMS_OWN_KEYS] = keys_take
    };
    mcx_supply *s = &m->supply;
    mcx_kms_response response;
    const mcx_kms_asked asked = { .user_uri = poc_span_str(m->mc_id),
                                  .kms_uri = poc_span_str(s->uri),
                                  .path = poc_span_str(s->path),
                                  .now_s = radio_now_ms() / 1000,
                                  .skew_s = MCX_KMS_TIME_SKEW_S };
    POC_TRY(mcx_kms_response_read(&response, body, why));
    poc_err err = mcx_kms_response_check(&response, &asked, why);
    if (err == POC_OK)
        err = takes[s->step](m, &response, why);
    mcx_kms_response_done(&response);
    return err;
}

/* ---- one step after the other ---- */

static int64_t period_end_ms(const mcx_supply *s)
{
    mcx_period p = { .period_s = s->root.period_s, .offset_s = s->root.offset_s };
    p.number = mcx_period_number((uint64_t)s->from_ms / 1000 + MCX_NTP_MINUS_UNIX, p.period_s, p.offset_s) + 1;
    return (int64_t)(mcx_period_start(&p) - MCX_NTP_MINUS_UNIX) * 1000;
}

static int64_t ahead_ms(const mcx_supply *s)
{
    const uint64_t tenth_s = s->root.period_s / 10;
    return tenth_s < AHEAD_MAX_MS / 1000 ? (int64_t)tenth_s * 1000 : AHEAD_MAX_MS;
}

static void supply_end(struct mcx *m)
{
    mcx_supply *s = &m->supply;
    s->step = MCX_KMS_IDLE;
    s->failures = 0;
    s->has_others = true;
    s->from_ms = period_end_ms(s);
    s->ask_at_ms = s->from_ms - ahead_ms(s);
    mcx_tell(m, RADIO_MCX_PROVISIONED, NULL, 200, NULL);
}

/* Who is not let in needs another token first; all else may pass. */
static void supply_fail(struct mcx *m, int status, const char *why)
{
    mcx_supply *s = &m->supply;
    const unsigned doublings = s->failures < BACK_OFF_DOUBLINGS ? s->failures : BACK_OFF_DOUBLINGS;
    s->is_barred = status == 401 || status == 403;
    s->step = MCX_KMS_IDLE;
    s->failures++;
    s->ask_at_ms = s->is_barred ? INT64_MAX : radio_now_ms() + mcx_spread_ms((int64_t)BACK_OFF_MS << doublings);
    mcx_tell(m, RADIO_MCX_UNPROVISIONED, NULL, status, why);
}

static void step_begin(struct mcx *m, mcx_kms_step step)
{
    m->supply.step = step;
    if (request_send(m) != POC_OK)
        supply_fail(m, 0, "the request could not be made");
}

static void step_next(struct mcx *m)
{
    mcx_supply *s = &m->supply;
    if (s->step == MCX_KMS_ROOT && m->other_kms_count > 0)
        step_begin(m, MCX_KMS_OTHERS);
    else if (s->step != MCX_KMS_OWN_KEYS)
        step_begin(m, MCX_KMS_OWN_KEYS);
    else
        supply_end(m);
}

static void on_done(radio *r, int status, const char *error)
{
    struct mcx *m = r->mcx;
    http *h = &m->supply.http;
    const char *why = error;
    poc_err err = POC_E_IO;
    if (status == 200)
        err = answer_take(m, poc_span_of(h->body, h->body_len), &why);
    else if (error == NULL)
        why = "the KMS refuses";
    poc_wipe(h->body, sizeof(h->body)); /* the user's keys stood in it */
    if (err == POC_OK)
        step_next(m);
    else
        supply_fail(m, status, why != NULL && why[0] != '\0' ? why : poc_err_name(err));
    radio_pump(r);
}

poc_err radio_mcx_provision(radio *r)
{
    struct mcx *m = r->mcx;
    if (m == NULL || m->supply.url[0] == '\0' || m->supply.step != MCX_KMS_IDLE)
        return POC_E_STATE;
    m->supply.from_ms = radio_now_ms();
    m->supply.failures = 0;
    m->supply.is_barred = false;
    step_begin(m, MCX_KMS_ROOT);
    radio_pump(r);
    return POC_OK;
}

/* Keys of a period that has begun without us are asked for as those of now. */
void mcx_supply_run(struct mcx *m, int64_t now_ms)
{
    mcx_supply *s = &m->supply;
    if (s->url[0] == '\0' || s->step != MCX_KMS_IDLE || now_ms < s->ask_at_ms)
        return;
    s->ask_at_ms = INT64_MAX;
    if (s->from_ms < now_ms)
        s->from_ms = now_ms;
    step_begin(m, s->has_others ? MCX_KMS_OWN_KEYS : MCX_KMS_ROOT);
}

void mcx_supply_let_in(struct mcx *m)
{
    if (m->supply.is_barred && m->supply.step == MCX_KMS_IDLE)
        m->supply.ask_at_ms = radio_now_ms();
    m->supply.is_barred = false;
}

int64_t mcx_supply_deadline_ms(const struct mcx *m)
{
    return m->supply.url[0] == '\0' || m->supply.step != MCX_KMS_IDLE ? INT64_MAX : m->supply.ask_at_ms;
}

/* ---- life ---- */

static poc_err text_copy(char out[RADIO_TEXT_MAX], const char *text)
{
    if (strlen(text) >= RADIO_TEXT_MAX)
        return POC_E_LIMIT;
    memcpy(out, text, strlen(text) + 1);
    return POC_OK;
}

static poc_err others_note(struct mcx *m, const pocue_mcx_settings *user)
{
    if (user->server_count > POCUE_MCX_SERVERS_MAX)
        return POC_E_LIMIT;
    for (size_t i = 0; i < user->server_count; i++) {
        const char *uri = user->servers[i].kms_uri;
        if (uri == NULL)
            return POC_E_INPUT;
        if (strcmp(uri, m->supply.uri) != 0 && !is_wanted(m, uri))
            POC_TRY(text_copy(m->other_kms[m->other_kms_count++], uri));
    }
    return POC_OK;
}

poc_err mcx_supply_open(struct mcx *m, const radio_mcx_settings *settings)
{
    mcx_supply *s = &m->supply;
    s->ask_at_ms = INT64_MAX;
    if (settings->kms_url == NULL)
        return POC_OK;
    if (settings->user.server_count == 0 || settings->user.servers[0].kms_uri == NULL)
        return POC_E_INPUT;
    POC_TRY(text_copy(s->url, settings->kms_url));
    POC_TRY(text_copy(s->uri, settings->kms_uri == NULL ? settings->user.servers[0].kms_uri : settings->kms_uri));
    POC_TRY(others_note(m, &settings->user));
    POC_TRY(radio_http_open(m->radio, &s->http, on_done));
    if (settings->kms_ca != NULL && curl_easy_setopt(s->http.easy, CURLOPT_CAINFO, settings->kms_ca) != CURLE_OK)
        return POC_E_INPUT;
    return POC_OK;
}

void mcx_supply_close(struct mcx *m)
{
    radio_http_close(&m->supply.http);
    poc_wipe(m->supply.http.body, sizeof(m->supply.http.body));
}
