/* A radio of a mission critical user: its settings, and its timer. */
#include <stdlib.h>
#include <string.h>

#include "ue/io/mcx.h"

enum { EXPIRES_DEFAULT_S = 3600, ANSWER_DEFAULT_MS = 32000, WAIT_MAX_MS = 3600 * 1000 };

/* ---- settings ---- */

static poc_err text_copy(char *out, size_t cap, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return POC_E_INPUT;
    if (strlen(text) >= cap)
        return POC_E_LIMIT;
    memcpy(out, text, strlen(text) + 1);
    return POC_OK;
}

static poc_err token_take(struct mcx *m, const char *token)
{
    if (token == NULL)
        token = "";
    if (strlen(token) >= sizeof(m->token))
        return POC_E_LIMIT;
    poc_wipe(m->token, sizeof(m->token));
    memcpy(m->token, token, strlen(token) + 1);
    return POC_OK;
}

static poc_err settings_take(struct mcx *m, const radio_mcx_settings *s)
{
    m->service = s->user.service;
    m->expires_s = m->entry.expires_s = s->expires_s == 0 ? EXPIRES_DEFAULT_S : s->expires_s;
    m->answer_ms = s->answer_ms == 0 ? ANSWER_DEFAULT_MS : s->answer_ms;
    POC_TRY(text_copy(m->mc_id, sizeof(m->mc_id), s->user.mc_id));
    POC_TRY(text_copy(m->psi, sizeof(m->psi), s->psi));
    POC_TRY(poc_uri_canonical(m->psi_canonical, poc_span_str(m->psi)));
    if (s->user.client_id != NULL)
        POC_TRY(text_copy(m->client_id, sizeof(m->client_id), s->user.client_id));
    return token_take(m, s->access_token);
}

static void mcx_free(struct mcx *m)
{
    if (m == NULL)
        return;
    mcx_entry_close(m);
    mcx_reports_close(m);
    mcx_supply_close(m);
    if (m->timer != NULL)
        su_timer_destroy(m->timer);
    poc_wipe(m->token, sizeof(m->token));
    free(m);
}

static poc_err parts_open(struct mcx *m, const radio_mcx_settings *s)
{
    m->timer = su_timer_create(su_root_task(m->radio->root), 1);
    if (m->timer == NULL)
        return POC_E_NOMEM;
    POC_TRY(settings_take(m, s));
    POC_TRY(mcx_texts_make(m));
    POC_TRY(mcx_supply_open(m, s));
    return pocue_mcx_start(m->radio->ue, &s->user);
}

poc_err radio_mcx_start(radio *r, const radio_mcx_settings *settings)
{
    if (r->mcx != NULL)
        return POC_E_STATE;
    struct mcx *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return POC_E_NOMEM;
    m->radio = r;
    m->entry.refresh_at_ms = m->entry.expires_at_ms = m->entry.renew_at_ms = INT64_MAX;
    const poc_err err = parts_open(m, settings);
    if (err == POC_OK)
        r->mcx = m;
    else
        mcx_free(m);
    return err;
}

void radio_mcx_close(radio *r)
{
    mcx_free(r->mcx);
    r->mcx = NULL;
}

poc_err radio_mcx_renew_token(radio *r, const char *access_token)
{
    if (r->mcx == NULL)
        return POC_E_STATE;
    POC_TRY(token_take(r->mcx, access_token));
    mcx_supply_let_in(r->mcx);
    radio_pump(r);
    return POC_OK;
}

/* ---- time ---- */

void radio_mcx_run(radio *r)
{
    const int64_t now_ms = radio_now_ms();
    if (r->mcx == NULL)
        return;
    pocue_tick(r->ue, now_ms);
    mcx_supply_run(r->mcx, now_ms);
    mcx_entry_run(r->mcx, now_ms);
    mcx_reports_run(r->mcx, now_ms);
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

int64_t mcx_spread_ms(int64_t wait_ms)
{
    uint32_t chance = 0;
    (void)poc_rng_system.fill(poc_rng_system.ctx, &chance, sizeof(chance)); /* without it all wait the same */
    return wait_ms + chance % (wait_ms / 2 + 1);
}

static void on_time(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    (void)magic;
    (void)timer;
    radio_pump(arg);
}

void radio_mcx_wait(radio *r)
{
    const struct mcx *m = r->mcx;
    if (m == NULL)
        return;
    int64_t at_ms = sooner(pocue_deadline_ms(r->ue), mcx_entry_deadline_ms(m));
    at_ms = sooner(at_ms, sooner(mcx_supply_deadline_ms(m), mcx_reports_deadline_ms(m)));
    if (at_ms == INT64_MAX)
        return;
    int64_t wait_ms = sooner(at_ms - radio_now_ms(), WAIT_MAX_MS);
    (void)su_timer_set_interval(m->timer, on_time, r, (su_duration_t)(wait_ms < 1 ? 1 : wait_ms));
}

void mcx_tell(struct mcx *m, radio_event what, const char *method, int status, const char *text)
{
    radio *r = m->radio;
    r->report(
        r->user, r,
        &(radio_report){ .what = what, .at_ms = radio_now_ms(), .status = status, .text = text, .method = method });
}
