/* The key management service over HTTP: POSTs what libpocue wants to ask, from the radio's own address, and turns its timers
 * into one of the event loop. */
#include <string.h>

#include "ue/io/inside.h"

enum { WAIT_MAX_MS = 3600 * 1000 };

static bool is_on(const radio *r)
{
    return r->keyman_url[0] != '\0';
}

/* ---- requests ---- */

static poc_err request_send(radio *r)
{
    const pocue_http *q = &r->request;
    char url[RADIO_TEXT_MAX + sizeof(q->target)];
    poc_wr wr = poc_wr_into(url, sizeof(url));
    poc_wr_fmt(&wr, "%s%s", r->keyman_url, q->target);
    POC_TRY(poc_wr_text(&wr));
    radio_http_begin(&r->keyman);
    POC_TRY(radio_http_header(&r->keyman, "Content-Type", q->content_type));
    POC_TRY(radio_http_header(&r->keyman, "X-3GPP-Intended-Identity", q->intended_identity));
    if (q->authorization[0] != '\0')
        POC_TRY(radio_http_header(&r->keyman, "Authorization", q->authorization));
    POC_TRY(radio_http_header(&r->keyman, "Expect", "")); /* the body is small: no waiting for 100 Continue */
    curl_easy_setopt(r->keyman.easy, CURLOPT_INTERFACE, r->keyman_from);
    return radio_http_send(&r->keyman, url, poc_span_of(q->body, q->body_len));
}

static void answer_give(radio *r, int status)
{
    const http *k = &r->keyman;
    uint64_t retry_after_s; /* the other form, a date, is passed over */
    if (poc_u64_get(&retry_after_s, UINT32_MAX, poc_span_str(k->retry_after)) == POC_OK)
        pocue_http_retry_after(r->ue, (uint32_t)retry_after_s);
    /* What an answer that does not hold leads to is libpocue's: it asks again. */
    (void)pocue_http_answer(r->ue, radio_now_ms(), status, poc_span_str(k->www_authenticate),
                            poc_span_str(k->authentication_info), poc_span_str(k->content_type),
                            poc_span_of(k->body, k->body_len));
}

void radio_keyman_run(radio *r)
{
    if (!is_on(r))
        return;
    pocue_tick(r->ue, radio_now_ms());
    if (!r->keyman.is_running && pocue_http_next(r->ue, radio_now_ms(), &r->request) && request_send(r) != POC_OK)
        answer_give(r, 0);
}

static void on_done(radio *r, int status, const char *error)
{
    (void)error; /* the next try, or POCUE_DENIED with status 0, says it */
    answer_give(r, status);
    radio_pump(r);
}

/* ---- time ---- */

static void on_time(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    (void)magic;
    (void)timer;
    radio_pump(arg);
}

void radio_keyman_wait(radio *r)
{
    int64_t at_ms = pocue_deadline_ms(r->ue);
    if (!is_on(r) || at_ms == INT64_MAX)
        return;
    int64_t wait_ms = at_ms - radio_now_ms();
    if (wait_ms < 1)
        wait_ms = 1;
    if (wait_ms > WAIT_MAX_MS)
        wait_ms = WAIT_MAX_MS;
    (void)su_timer_set_interval(r->keyman_timer, on_time, r, (su_duration_t)wait_ms);
}

/* ---- what the owner asks for ---- */

static poc_err entry(radio *r, const char *service_id, bool in)
{
    if (!is_on(r))
        return POC_E_STATE;
    POC_TRY(pocue_register(r->ue, radio_now_ms(), service_id, in));
    radio_pump(r);
    return POC_OK;
}

poc_err radio_register(radio *r, const char *service_id)
{
    return entry(r, service_id, true);
}

poc_err radio_deregister(radio *r, const char *service_id)
{
    return entry(r, service_id, false);
}

poc_err radio_pull(radio *r, const char *service_id)
{
    if (!is_on(r))
        return POC_E_STATE;
    POC_TRY(pocue_request_msk(r->ue, radio_now_ms(), service_id, 0));
    radio_pump(r);
    return POC_OK;
}

static poc_err from_set(radio *r, const struct sockaddr_storage *address)
{
    poc_wr wr = poc_wr_into(r->keyman_from, sizeof(r->keyman_from));
    poc_wr_fmt(&wr, "host!");
    poc_addr_put(&wr, (const struct sockaddr *)address);
    return poc_wr_text(&wr);
}

poc_err radio_move(radio *r, const char *address)
{
    struct sockaddr_storage to;
    POC_TRY(poc_addr_parse(&to, poc_span_str(address), 0));
    POC_TRY(radio_push_open(r, &to));
    POC_TRY(from_set(r, &to));
    pocue_moved(r->ue, radio_now_ms());
    radio_pump(r);
    return POC_OK;
}

void radio_deaf(radio *r, bool deaf)
{
    r->is_deaf = deaf;
}

/* ---- life ---- */

poc_err radio_keyman_open(radio *r, const radio_settings *s)
{
    if (s->keyman_url == NULL)
        return POC_OK;
    if (strlen(s->keyman_url) >= sizeof(r->keyman_url))
        return POC_E_INPUT;
    memcpy(r->keyman_url, s->keyman_url, strlen(s->keyman_url) + 1);
    POC_TRY(from_set(r, &r->address));
    POC_TRY(radio_http_open(r, &r->keyman, on_done));
    if (s->keyman_ca != NULL && curl_easy_setopt(r->keyman.easy, CURLOPT_CAINFO, s->keyman_ca) != CURLE_OK)
        return POC_E_INPUT;
    r->keyman_timer = su_timer_create(su_root_task(r->root), 1);
    return r->keyman_timer == NULL ? POC_E_NOMEM : POC_OK;
}

void radio_keyman_close(radio *r)
{
    if (r->keyman_timer != NULL)
        su_timer_destroy(r->keyman_timer);
    radio_http_close(&r->keyman);
}
