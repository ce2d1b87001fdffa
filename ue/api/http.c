/* Carrying requests to the key management service: choosing what goes into one, credentials, and what an answer as a whole
 * means (TS 24.109 clause 5, TS 33.246 6.2.1.3). */
#include <string.h>

#include "ue/api/inside.h"

enum {
    CHALLENGES_MAX = 6,        /* 401s in a row, before it counts as a refusal */
    RETRY_AFTER_MAX_S = 3600,  /* no server may silence a client for longer */
    BOOTSTRAP_WAIT_MS = 30000, /* for the owner to have bootstrapped */
};

_Static_assert(sizeof(((pocue_http *)0)->authorization) == GBA_HEADER_MAX, "the door has room for any Authorization");
_Static_assert(POCUE_HTTP_BODY_MAX == UE_KEYMAN_BODY_MAX, "what is taken in can be read");

/* ---- the call as a whole ---- */

static void call_each(pocue *ue, int64_t now_ms, int status,
                      void (*then)(pocue *, int64_t, service *, ue_keyman_kind, const ue_keyman_item *))
{
    http_call *c = &ue->http.call;
    for (size_t i = 0; i < c->count; i++) {
        if (status >= 0)
            c->items[i].status = status;
        then(ue, now_ms, c->who[i], c->kind, &c->items[i]);
    }
}

static void call_again(pocue *ue)
{
    http_call *c = &ue->http.call;
    for (size_t i = 0; i < c->count; i++)
        ue_service_again(c->who[i], c->kind, &c->items[i]);
}

static void series_end(http_client *h)
{
    h->challenges = 0;
    h->has_bootstrapped = false;
}

/* ---- the next one ---- */

/* Deregistrations first, MSKs last: who is not registered is not given any. */
static bool call_choose(pocue *ue, int64_t now_ms)
{
    http_call *c = &ue->http.call;
    for (ue_keyman_kind kind = 0; kind < UE_KEYMAN_KINDS; kind++) {
        *c = (http_call){ .kind = kind };
        for (size_t i = 0; i < ue->service_count && c->count < UE_KEYMAN_ITEMS_MAX; i++) {
            service *s = &ue->services[i];
            if (!ue_service_is_due(s, now_ms, kind) || (c->count > 0 && strcmp(s->path, c->who[0]->path) != 0))
                continue;
            c->items[c->count] =
                (ue_keyman_item){ .service_id = s->id, .key_domain = s->key_domain, .msk_id = s->pull_id };
            c->who[c->count++] = s;
        }
        if (c->count > 0)
            return true;
    }
    return false;
}

/* True while there are credentials that have not been refused. */
static bool is_bootstrapped(const pocue *ue, int64_t now_ms)
{
    return pocue_btid(ue, now_ms) != NULL && !ue->http.must_bootstrap;
}

static void bootstrap_ask(pocue *ue, int64_t now_ms)
{
    if (ue->http.bootstrap_told_ms >= 0 || ue_events_reserve(&ue->events, 1) != POC_OK)
        return;
    ue->http.bootstrap_told_ms = now_ms;
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_BOOTSTRAP_NEEDED, .at_ms = now_ms });
}

static poc_err authorize(pocue *ue, const pocue_http *out)
{
    http_client *h = &ue->http;
    poc_wr wr = poc_wr_into(h->call.authorization, sizeof(h->call.authorization));
    if (h->challenge[0] == '\0')
        return POC_OK;
    gba_ua_client client = { .btid = ue->btid, .mrk = ue->mrk, .nc = h->nc };
    POC_TRY(gba_ua_authorize(&client, poc_span_str(h->challenge), poc_span_str(ue->naf_fqdn), poc_span_str("POST"),
                             poc_span_str(out->target), poc_span_of(out->body, out->body_len), &ue->rng, &wr));
    h->nc = client.nc;
    return poc_wr_text(&wr);
}

static poc_err call_write(pocue *ue, pocue_http *out)
{
    const http_call *c = &ue->http.call;
    poc_wr target = poc_wr_into(out->target, sizeof(out->target));
    poc_wr identity = poc_wr_into(out->intended_identity, sizeof(out->intended_identity));
    poc_wr body = poc_wr_into(out->body, sizeof(out->body));
    out->content_type = ue_keyman_content_type(c->kind);
    ue_keyman_target_put(&target, c->kind, c->who[0]->path);
    POC_TRY(poc_wr_text(&target));
    poc_wr_fmt(&identity, "\"%s\"", ue->impu);
    POC_TRY(poc_wr_text(&identity));
    ue_keyman_request_put(&body, c->kind, c->items, c->count);
    POC_TRY(poc_wr_done(&body));
    out->body_len = body.len;
    POC_TRY(authorize(ue, out));
    memcpy(out->authorization, c->authorization, sizeof(out->authorization));
    return POC_OK;
}

static void call_mark_sent(http_call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        errand *e = ue_service_errand(c->who[i], c->kind);
        e->wanted = false;
        e->is_sent = true;
    }
    c->is_under_way = true;
}

bool pocue_http_next(pocue *ue, int64_t now_ms, pocue_http *out)
{
    ue->now_ms = now_ms;
    if (ue->http.call.is_under_way || !call_choose(ue, now_ms))
        return false;
    if (!is_bootstrapped(ue, now_ms)) {
        bootstrap_ask(ue, now_ms);
        return false;
    }
    call_mark_sent(&ue->http.call);
    poc_err err = call_write(ue, out);
    if (err == POC_OK)
        return true;
    ue->http.call.is_under_way = false;
    ue->http.challenge[0] = '\0';
    call_each(ue, now_ms, 0, ue_service_failed);
    return false;
}

/* ---- its answer ---- */

static bool is_same_nonce(const http_client *h, const gba_digest *challenge)
{
    gba_digest former;
    return h->challenge[0] != '\0' && gba_digest_parse(&former, poc_span_str(h->challenge), true, NULL) == POC_OK &&
           poc_span_eq(former.nonce, challenge->nonce);
}

/* nc counts the requests made with one nonce (RFC 2617 3.2.2). */
static void challenge_keep(http_client *h, poc_span text, const gba_digest *challenge)
{
    if (!is_same_nonce(h, challenge))
        h->nc = 0;
    memcpy(h->challenge, text.p, text.n);
    h->challenge[text.n] = '\0';
}

static void refuse(pocue *ue, int64_t now_ms)
{
    ue->http.challenge[0] = '\0';
    series_end(&ue->http);
    call_each(ue, now_ms, 401, ue_service_answered);
}

/* TS 24.109 5.2.4: credentials refused with a new nonce mean that the PF wants a new bootstrapping (MBMS-11). That is asked for
 * once; refused again, there is nothing more that this client could try. */
static void challenged(pocue *ue, int64_t now_ms, poc_span text)
{
    http_client *h = &ue->http;
    gba_digest challenge;
    bool had_credentials = h->call.authorization[0] != '\0';
    if (text.n >= sizeof(h->challenge) || gba_digest_parse(&challenge, text, true, NULL) != POC_OK ||
        ++h->challenges > CHALLENGES_MAX) {
        refuse(ue, now_ms);
        return;
    }
    bool is_refusal = had_credentials && !poc_span_eq_nocase(challenge.stale, "true");
    if (is_refusal && h->has_bootstrapped) {
        refuse(ue, now_ms);
        return;
    }
    h->must_bootstrap = h->must_bootstrap || is_refusal;
    challenge_keep(h, text, &challenge);
    call_again(ue);
}

/* A grant must be proven to come from the PF; what carries a proof must carry a true one. */
static poc_err authenticate(const pocue *ue, int status, poc_span authentication_info, poc_span body)
{
    const http_call *c = &ue->http.call;
    gba_ua_client client = { .btid = ue->btid, .mrk = ue->mrk };
    if (status != 200 && authentication_info.n == 0)
        return POC_OK;
    if (c->authorization[0] == '\0' || ue->mrk == NULL)
        return POC_E_AUTH;
    return gba_ua_check_answer(&client, poc_span_str(c->authorization), authentication_info, body);
}

static bool is_final(int status)
{
    return status >= 400 && status < 500 && status != 408 && status != 429;
}

static poc_err answer_read(pocue *ue, int64_t now_ms, int status, poc_span content_type, poc_span body)
{
    http_call *c = &ue->http.call;
    if (is_final(status)) {
        call_each(ue, now_ms, status, ue_service_answered);
        return POC_OK;
    }
    if (status != 200) {
        call_each(ue, now_ms, status, ue_service_failed);
        return POC_OK;
    }
    POC_TRY(ue_keyman_answer_read(c->items, c->count, c->kind, content_type, body));
    call_each(ue, now_ms, -1, ue_service_answered);
    return POC_OK;
}

static poc_err answer_take(pocue *ue, int64_t now_ms, int status, poc_span authentication_info, poc_span content_type,
                           poc_span body)
{
    POC_TRY(ue_events_reserve(&ue->events, EVENTS_ANSWER));
    POC_TRY(authenticate(ue, status, authentication_info, body));
    series_end(&ue->http);
    return answer_read(ue, now_ms, status, content_type, body);
}

void pocue_http_retry_after(pocue *ue, uint32_t seconds)
{
    ue->http.retry_after_ms = INT64_C(1000) * (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S);
}

poc_err pocue_http_answer(pocue *ue, int64_t now_ms, int status, poc_span www_authenticate,
                          poc_span authentication_info, poc_span content_type, poc_span body)
{
    poc_err err = POC_OK;
    if (!ue->http.call.is_under_way)
        return POC_E_STATE;
    ue->now_ms = now_ms;
    ue->http.call.is_under_way = false;
    if (status == 401 && ue_events_reserve(&ue->events, EVENTS_ANSWER) == POC_OK)
        challenged(ue, now_ms, www_authenticate);
    else
        err = answer_take(ue, now_ms, status, authentication_info, content_type, body);
    if (err != POC_OK)
        call_each(ue, now_ms, 0, ue_service_failed);
    ue->http.retry_after_ms = 0;
    return err;
}

/* ---- bootstrapping and time ---- */

void ue_http_bootstrapped(pocue *ue)
{
    http_client *h = &ue->http;
    h->has_bootstrapped = h->has_bootstrapped || h->must_bootstrap;
    h->must_bootstrap = false;
    h->bootstrap_told_ms = -1;
    h->challenge[0] = '\0';
}

/* The owner has not managed to bootstrap: what waits for it has failed once more. */
static void bootstrap_give_up(pocue *ue, int64_t now_ms)
{
    ue->http.bootstrap_told_ms = -1;
    if (!ue->http.call.is_under_way && call_choose(ue, now_ms)) {
        call_mark_sent(&ue->http.call);
        ue->http.call.is_under_way = false;
        call_each(ue, now_ms, 0, ue_service_failed);
    }
}

void pocue_tick(pocue *ue, int64_t now_ms)
{
    ue->now_ms = now_ms;
    if (ue_events_reserve(&ue->events, EVENTS_ANSWER) != POC_OK)
        return;
    if (ue->http.bootstrap_told_ms >= 0 && now_ms - ue->http.bootstrap_told_ms >= BOOTSTRAP_WAIT_MS)
        bootstrap_give_up(ue, now_ms);
    ue_services_tick(ue, now_ms);
    ue_mcx_tick(ue, now_ms);
}

static void sooner(int64_t *at_ms, bool counts, int64_t other_ms)
{
    if (counts && other_ms < *at_ms)
        *at_ms = other_ms;
}

int64_t pocue_deadline_ms(const pocue *ue)
{
    int64_t at_ms = INT64_MAX;
    bool waits = ue->http.bootstrap_told_ms >= 0;
    bool can_send = !waits && !ue->http.call.is_under_way;
    sooner(&at_ms, waits, ue->http.bootstrap_told_ms + BOOTSTRAP_WAIT_MS);
    for (size_t i = 0; i < ue->service_count; i++) {
        const service *s = &ue->services[i];
        sooner(&at_ms, can_send && s->entry.wanted, s->entry.due_ms);
        sooner(&at_ms, can_send && s->pull.wanted, s->pull.due_ms);
        sooner(&at_ms, s->awaited_until_ms > 0, s->awaited_until_ms);
    }
    sooner(&at_ms, true, ue_mcx_deadline_ms(ue));
    return at_ms;
}
