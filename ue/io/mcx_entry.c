/* Service authorisation with a CSK: REGISTER, PUBLISH, or a REGISTER of the S-CSCF (TS 24.379 7; digest "MCX signalling key
 * management" 4.2, 7.1). One request is under way at a time. What is refused for good is not tried again before the owner asks;
 * what only did not come about is, with a fresh CSK, since a message that the server has seen would be a replay. */
#include <stdio.h>
#include <string.h>

#include "ue/io/mcx.h"

enum {
    TRIES_OF_A_KIND = 2, /* redirections, and intervals that are too brief, in a row */
    BACK_OFF_MS = 500,
    BACK_OFF_DOUBLINGS = 7, /* up to 64 s */
    BACK_OFF_MAX_S = 3600,  /* that a Retry-After may ask for */
    UPLOAD_GAP_MS = 1000,   /* between uploads that come by themselves */
    RENEW_AHEAD_MS = 120000 /* before the CSK expires, or a quarter of its life */
};

/* What is published beside the CSK: nothing special (RFC 4354). */
static const char settings_document[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
    "<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\"><entity id=\"radio\"><am-settings>"
    "<answer-mode>automatic</answer-mode></am-settings></entity></poc-settings>\r\n";

static int on_answer(radio *r, nta_outgoing_t *orq, sip_t const *sip);

/* ---- sending ---- */

static bool publishes(const mcx_entry *e)
{
    return e->way == RADIO_MCX_BY_PUBLISH;
}

static const char *method_of(const mcx_entry *e)
{
    return publishes(e) ? "PUBLISH" : "REGISTER";
}

static poc_span body_of(const mcx_entry *e)
{
    return poc_span_of(e->body, e->body_len);
}

static uint32_t expires_of(const mcx_entry *e)
{
    return e->deed == MCX_LOGS_OFF ? 0 : e->expires_s;
}

static void core_name(const struct mcx *m, char out[RADIO_TEXT_MAX])
{
    snprintf(out, RADIO_TEXT_MAX, "sip:scscf.%.*s", RADIO_TEXT_MAX - 16, m->domain + strlen("sip:"));
}

static poc_err plain_send(struct mcx *m, const char *expires, const char *authorization)
{
    mcx_entry *e = &m->entry;
    const bool is_publish = publishes(e);
    const mcx_sending s = { .method = is_publish ? sip_method_publish : sip_method_register,
                            .method_name = method_of(e),
                            .request_uri = is_publish ? m->psi : m->domain,
                            .leg = e->leg,
                            .route = e->target,
                            .contact = m->contact,
                            .expires = expires,
                            .if_match = is_publish ? e->etag : NULL,
                            .event = is_publish ? mcx_event_name() : NULL,
                            .says_who = true,
                            .authorization = authorization,
                            .content_type = e->body_len > 0 ? e->content_type : NULL,
                            .body = body_of(e) };
    return mcx_send(m, &e->request, on_answer, &s);
}

static poc_err third_send(struct mcx *m, const char *expires)
{
    mcx_entry *e = &m->entry;
    uint8_t inner[MCX_BODY_MAX + 2048];
    char contact[RADIO_TEXT_MAX + 2];
    poc_wr wr = poc_wr_into(inner, sizeof(inner));
    snprintf(contact, sizeof(contact), "<%s>", m->radio->contact_uri);
    e->request.was_challenged = true; /* a core has no credentials to answer with */
    poc_err err = mcx_inner_register_put(&wr, m, expires_of(e), e->content_type, body_of(e));
    const mcx_sending s = { .method = sip_method_register,
                            .method_name = "REGISTER",
                            .request_uri = m->psi,
                            .leg = e->leg,
                            .contact = contact,
                            .expires = expires,
                            .content_type = "message/sip",
                            .body = poc_span_of(inner, wr.len) };
    if (err == POC_OK)
        err = mcx_send(m, &e->request, on_answer, &s);
    poc_wipe(inner, sizeof(inner));
    return err;
}

static poc_err entry_send(struct mcx *m, const char *authorization)
{
    char expires[16];
    mcx_entry *e = &m->entry;
    snprintf(expires, sizeof(expires), "%u", (unsigned)expires_of(e));
    e->answer_by_ms = radio_now_ms() + m->answer_ms;
    return e->way == RADIO_MCX_BY_THIRD_PARTY ? third_send(m, expires) : plain_send(m, expires, authorization);
}

/* Nothing is under way any more. */
static void entry_rest(mcx_entry *e)
{
    radio_request_end(&e->request);
    poc_wipe(e->body, e->body_len);
    e->body_len = 0;
    e->awaits_bootstrap = e->has_bootstrapped = false;
    e->deed = MCX_NOTHING;
}

static void leg_close(mcx_entry *e)
{
    if (e->leg != NULL)
        nta_leg_destroy(e->leg);
    e->leg = NULL;
}

static poc_err leg_open(struct mcx *m)
{
    mcx_entry *e = &m->entry;
    char core[RADIO_TEXT_MAX];
    core_name(m, core);
    if (e->leg == NULL)
        e->leg =
            mcx_leg_make(m, e->way == RADIO_MCX_BY_THIRD_PARTY ? core : NULL, publishes(e) ? m->psi : m->radio->impu);
    return e->leg == NULL ? POC_E_NOMEM : POC_OK;
}

/* ---- deeds ---- */

static poc_err upload_make(struct mcx *m, int64_t now_ms)
{
    mcx_entry *e = &m->entry;
    pocue_mcx_upload upload = { .access_token = m->token[0] == '\0' ? NULL : m->token };
    poc_wr body = poc_wr_into(e->body, sizeof(e->body));
    if (publishes(e))
        upload.settings = poc_span_str(settings_document);
    POC_TRY(leg_open(m));
    POC_TRY(pocue_mcx_make_upload(m->radio->ue, now_ms, &upload, &body));
    memcpy(e->content_type, upload.content_type, sizeof(e->content_type));
    e->body_len = body.len;
    return POC_OK;
}

static poc_err upload(struct mcx *m, int64_t now_ms)
{
    mcx_entry *e = &m->entry;
    e->redirects = e->too_brief = 0;
    e->uploaded_ms = now_ms;
    POC_TRY(upload_make(m, now_ms));
    e->deed = MCX_UPLOADS;
    const poc_err err = entry_send(m, NULL);
    if (err == POC_OK)
        return POC_OK;
    entry_rest(e);
    pocue_mcx_uploaded(m->radio->ue, now_ms, false);
    return err;
}

static poc_err bare_send(struct mcx *m, mcx_deed deed)
{
    mcx_entry *e = &m->entry;
    e->redirects = e->too_brief = 0;
    e->deed = deed;
    const poc_err err = entry_send(m, NULL);
    if (err != POC_OK)
        entry_rest(e);
    return err;
}

/* ---- what the answer leads to ---- */

static int64_t later_ms(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

static int64_t back_off_ms(const mcx_entry *e, sip_t const *sip)
{
    const unsigned doublings = e->failures < BACK_OFF_DOUBLINGS ? e->failures : BACK_OFF_DOUBLINGS;
    int64_t asked_s = sip == NULL || sip->sip_retry_after == NULL ? 0 : (int64_t)sip->sip_retry_after->af_delta;
    if (asked_s > BACK_OFF_MAX_S)
        asked_s = BACK_OFF_MAX_S;
    return mcx_spread_ms(later_ms((int64_t)BACK_OFF_MS << doublings, asked_s * 1000));
}

static bool is_ours(const struct mcx *m, url_t const *url)
{
    char uri[RADIO_TEXT_MAX];
    const char *ours = m->radio->contact_uri;
    const int n = snprintf(uri, sizeof(uri), "sip:%s:%s", url->url_host == NULL ? "" : url->url_host,
                           url->url_port == NULL ? "5060" : url->url_port);
    return n > 0 && (size_t)n < sizeof(uri) && strncmp(ours, uri, (size_t)n) == 0 &&
           (ours[n] == ';' || ours[n] == '\0');
}

/* The time granted for our contact, else for the whole, else what was asked for. */
static uint32_t granted_s(const struct mcx *m, sip_t const *sip)
{
    uint64_t s;
    for (sip_contact_t const *c = sip->sip_contact; c != NULL; c = c->m_next) {
        if (c->m_expires != NULL && is_ours(m, c->m_url) &&
            poc_u64_get(&s, UINT32_MAX, poc_span_str(c->m_expires)) == POC_OK)
            return (uint32_t)s;
    }
    return sip->sip_expires == NULL ? m->entry.expires_s : (uint32_t)sip->sip_expires->ex_delta;
}

static void etag_keep(mcx_entry *e, sip_t const *sip)
{
    const char *etag = sip->sip_etag == NULL ? NULL : sip->sip_etag->g_string;
    e->etag[0] = '\0';
    if (etag != NULL && strlen(etag) < sizeof(e->etag))
        memcpy(e->etag, etag, strlen(etag) + 1);
}

static void entry_granted(struct mcx *m, int64_t now_ms, sip_t const *sip)
{
    mcx_entry *e = &m->entry;
    const int64_t life_ms = (int64_t)granted_s(m, sip) * 1000;
    e->failures = 0;
    e->is_registered = life_ms > 0;
    e->expires_at_ms = now_ms + life_ms;
    e->refresh_at_ms = now_ms + life_ms / 2;
    if (publishes(e))
        etag_keep(e, sip);
}

static void entry_lost(mcx_entry *e)
{
    e->is_registered = e->wants_upload = false;
    e->refresh_at_ms = e->expires_at_ms = e->renew_at_ms = INT64_MAX;
    e->etag[0] = e->target[0] = '\0';
}

/* Not now, but perhaps a moment later. */
static bool is_passing(int status)
{
    return status == 408 || status == 480 || (status >= 500 && status < 600 && status != 501 && status != 505);
}

static void entry_again(mcx_entry *e, mcx_deed deed, int64_t now_ms, sip_t const *sip)
{
    e->retry_at_ms = e->refresh_at_ms = now_ms + back_off_ms(e, sip);
    e->failures++;
    e->target[0] = '\0';
    if (deed == MCX_UPLOADS)
        e->wants_upload = true;
}

/* The server does not know any more what was published (412, RFC 3903), or has no CSK of this user. */
static bool is_forgotten(mcx_deed deed, int status)
{
    return deed == MCX_REFRESHES && (status == 412 || status < 300);
}

static void entry_follow(struct mcx *m, mcx_deed deed, int status, bool accepted, sip_t const *sip)
{
    mcx_entry *e = &m->entry;
    const int64_t now_ms = radio_now_ms();
    if (accepted && deed != MCX_LOGS_OFF) {
        entry_granted(m, now_ms, sip);
        return;
    }
    if (deed != MCX_LOGS_OFF && is_passing(status)) {
        entry_again(e, deed, now_ms, sip);
        return;
    }
    entry_lost(e);
    if (is_forgotten(deed, status))
        entry_again(e, MCX_UPLOADS, now_ms, sip);
}

/* A REGISTER is answered with 2xx in any case; that it was no authorisation stands in a Warning. */
static bool is_accepted(int status, sip_t const *sip)
{
    return status < 300 && (sip == NULL || sip->sip_warning == NULL);
}

static void entry_settle(struct mcx *m, int status, sip_t const *sip)
{
    mcx_entry *e = &m->entry;
    char room[RADIO_TEXT_MAX];
    const char *reason = mcx_reason(sip, status, room, sizeof(room));
    const char *method = method_of(e);
    const mcx_deed deed = e->deed;
    const bool accepted = is_accepted(status, sip);
    if (deed == MCX_UPLOADS)
        pocue_mcx_uploaded(m->radio->ue, radio_now_ms(), accepted);
    entry_follow(m, deed, status, accepted, sip);
    entry_rest(e);
    radio_pump(m->radio); /* the key is told of before the answer that made it one */
    mcx_tell(m, RADIO_MCX_ANSWERED, method, status, reason);
}

/* ---- answers that are not the end ---- */

static bool resend(struct mcx *m, const char *authorization)
{
    if (authorization == NULL)
        radio_request_end(&m->entry.request);
    return entry_send(m, authorization) == POC_OK;
}

static bool interval_answer(struct mcx *m, sip_t const *sip)
{
    mcx_entry *e = &m->entry;
    const uint64_t wanted_s = sip->sip_min_expires == NULL ? 0 : sip->sip_min_expires->me_delta;
    if (wanted_s <= e->expires_s || e->too_brief++ >= TRIES_OF_A_KIND)
        return false;
    e->expires_s = (uint32_t)wanted_s;
    return resend(m, NULL);
}

/* Another server, to which requests go until it fails. */
static bool redirect_answer(struct mcx *m, sip_t const *sip)
{
    mcx_entry *e = &m->entry;
    url_t const *to = sip->sip_contact == NULL ? NULL : sip->sip_contact->m_url;
    if (to == NULL || (to->url_type != url_sip && to->url_type != url_sips) || e->redirects++ >= TRIES_OF_A_KIND)
        return false;
    const isize_t n = url_e(e->target, sizeof(e->target), to);
    if (n <= 0 || (size_t)n >= sizeof(e->target)) {
        e->target[0] = '\0';
        return false;
    }
    return resend(m, NULL);
}

static bool etag_answer(struct mcx *m)
{
    mcx_entry *e = &m->entry;
    if (e->etag[0] == '\0' || e->deed == MCX_REFRESHES)
        return false;
    e->etag[0] = '\0';
    return resend(m, NULL);
}

/* No credentials, or none that are good any more: once in a row. */
static bool bootstrap_answer(struct mcx *m)
{
    mcx_entry *e = &m->entry;
    if (e->way == RADIO_MCX_BY_THIRD_PARTY || m->radio->is_vouched_for || e->has_bootstrapped ||
        (!m->radio->ub.is_running && radio_bootstrap(m->radio) != POC_OK))
        return false;
    radio_request_end(&e->request);
    e->awaits_bootstrap = true;
    e->answer_by_ms = radio_now_ms() + m->answer_ms;
    return true;
}

static bool challenge_answer(struct mcx *m, sip_t const *sip)
{
    char authorization[GBA_HEADER_MAX];
    mcx_entry *e = &m->entry;
    if (radio_challenge_answer(m->radio, &e->request, sip, body_of(e), authorization))
        return resend(m, authorization);
    return bootstrap_answer(m);
}

static bool answer_again(struct mcx *m, int status, sip_t const *sip)
{
    mcx_entry *e = &m->entry;
    if (sip == NULL)
        return false;
    if (status == 401)
        return challenge_answer(m, sip);
    if (status == 423 && e->deed != MCX_LOGS_OFF)
        return interval_answer(m, sip);
    if (status == 301 || status == 302 || status == 305)
        return e->way != RADIO_MCX_BY_THIRD_PARTY && redirect_answer(m, sip);
    return status == 412 && etag_answer(m);
}

static int on_answer(radio *r, nta_outgoing_t *orq, sip_t const *sip)
{
    struct mcx *m = r->mcx;
    const int status = nta_outgoing_status(orq);
    if (status < 200 || m->entry.request.orq != orq)
        return 0;
    if (!answer_again(m, status, sip))
        entry_settle(m, status, sip);
    return 0;
}

void radio_mcx_bootstrapped(radio *r, bool has_succeeded)
{
    if (r->mcx == NULL || !r->mcx->entry.awaits_bootstrap)
        return;
    r->mcx->entry.awaits_bootstrap = false;
    r->mcx->entry.has_bootstrapped = true;
    if (!has_succeeded || !resend(r->mcx, NULL))
        entry_settle(r->mcx, 401, NULL);
}

/* ---- what the owner asks for ---- */

poc_err radio_mcx_upload(radio *r, radio_mcx_way way)
{
    struct mcx *m = r->mcx;
    if (m == NULL || m->entry.deed != MCX_NOTHING || !pocue_mcx_is_provisioned(r->ue, radio_now_ms()))
        return POC_E_STATE;
    if (m->entry.way != way) {
        leg_close(&m->entry);
        entry_lost(&m->entry);
    }
    m->entry.way = way;
    m->entry.failures = 0;
    POC_TRY(upload(m, radio_now_ms()));
    m->entry.has_way = true;
    m->entry.wants_upload = false;
    radio_pump(r);
    return POC_OK;
}

poc_err radio_mcx_refresh(radio *r)
{
    struct mcx *m = r->mcx;
    if (m == NULL || m->entry.deed != MCX_NOTHING || !m->entry.is_registered)
        return POC_E_STATE;
    POC_TRY(bare_send(m, MCX_REFRESHES));
    radio_pump(r);
    return POC_OK;
}

poc_err radio_mcx_log_off(radio *r)
{
    struct mcx *m = r->mcx;
    if (m == NULL)
        return POC_E_STATE;
    mcx_entry *e = &m->entry;
    entry_rest(e);
    pocue_mcx_log_off(r->ue);
    const bool was_known = e->has_way;
    e->has_way = e->is_registered = e->wants_upload = false;
    const poc_err err = was_known ? bare_send(m, MCX_LOGS_OFF) : POC_E_STATE;
    radio_pump(r);
    return err;
}

bool radio_mcx_is_registered(const radio *r)
{
    return r->mcx != NULL && r->mcx->entry.is_registered && radio_now_ms() < r->mcx->entry.expires_at_ms;
}

/* ---- what comes by itself ---- */

void radio_mcx_hear(radio *r, const pocue_event *event)
{
    if (r->mcx == NULL || !r->mcx->entry.has_way || event->key_id >> 28 != MCX_CSK)
        return;
    mcx_entry *e = &r->mcx->entry;
    if (event->type == POCUE_MCX_REVOKED) {
        e->wants_upload = true;
        e->retry_at_ms = later_ms(event->at_ms, e->uploaded_ms + UPLOAD_GAP_MS);
    }
    if (event->type != POCUE_MCX_KEY)
        return;
    e->renew_at_ms = INT64_MAX;
    if (event->expiry_s == 0 || event->expiry_s > INT64_MAX / 1000)
        return;
    const int64_t expiry_ms = (int64_t)event->expiry_s * 1000, left_ms = later_ms(expiry_ms - event->at_ms, 0);
    const int64_t ahead_ms = left_ms / 4 < RENEW_AHEAD_MS ? left_ms / 4 : RENEW_AHEAD_MS;
    e->renew_at_ms = later_ms(expiry_ms - ahead_ms, e->uploaded_ms + UPLOAD_GAP_MS);
}

static void lapse(mcx_entry *e, int64_t now_ms)
{
    const bool has_lapsed = e->is_registered && now_ms >= e->expires_at_ms;
    if (has_lapsed)
        e->is_registered = false;
    if (has_lapsed || now_ms >= e->renew_at_ms) {
        e->wants_upload = true;
        e->retry_at_ms = later_ms(e->retry_at_ms, now_ms);
        e->renew_at_ms = INT64_MAX;
    }
}

static void next_send(struct mcx *m, int64_t now_ms)
{
    mcx_entry *e = &m->entry;
    poc_err err = POC_OK;
    mcx_deed deed = MCX_REFRESHES;
    if (e->wants_upload) {
        if (now_ms < e->retry_at_ms || !pocue_mcx_is_provisioned(m->radio->ue, now_ms))
            return;
        deed = MCX_UPLOADS;
        e->wants_upload = false;
        err = upload(m, now_ms);
    } else if (e->is_registered && now_ms >= e->refresh_at_ms) {
        err = bare_send(m, MCX_REFRESHES);
    }
    if (err != POC_OK)
        entry_again(e, deed, now_ms, NULL);
}

void mcx_entry_run(struct mcx *m, int64_t now_ms)
{
    mcx_entry *e = &m->entry;
    if (e->deed != MCX_NOTHING && now_ms >= e->answer_by_ms)
        entry_settle(m, 408, NULL);
    if (e->deed != MCX_NOTHING || !e->has_way)
        return;
    lapse(e, now_ms);
    next_send(m, now_ms);
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

int64_t mcx_entry_deadline_ms(const struct mcx *m)
{
    const mcx_entry *e = &m->entry;
    if (e->deed != MCX_NOTHING)
        return e->answer_by_ms;
    if (!e->has_way)
        return INT64_MAX;
    int64_t at_ms = e->renew_at_ms;
    if (e->is_registered)
        at_ms = sooner(at_ms, sooner(e->refresh_at_ms, e->expires_at_ms));
    if (e->wants_upload) /* keys that are missing wake it up by themselves */
        at_ms = pocue_mcx_is_provisioned(m->radio->ue, radio_now_ms()) ? sooner(at_ms, e->retry_at_ms) : INT64_MAX;
    return at_ms;
}

void mcx_entry_close(struct mcx *m)
{
    entry_rest(&m->entry);
    leg_close(&m->entry);
}
