#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ue/io/inside.h"

enum { POLL_MS = 5, TIMEOUT_S = 10 };

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- what comes back ---- */

static void header_keep(poc_span line, const char *name, char out[GBA_HEADER_MAX])
{
    size_t n = strlen(name);
    if (line.n <= n || strncasecmp((const char *)line.p, name, n) != 0)
        return;
    poc_span value = poc_trim(poc_span_of(line.p + n, line.n - n));
    if (value.n >= GBA_HEADER_MAX)
        return;
    memcpy(out, value.p, value.n);
    out[value.n] = '\0';
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    ub *u = user;
    poc_span span = poc_span_of(line, size * count);
    header_keep(span, "WWW-Authenticate:", u->www_authenticate);
    header_keep(span, "Authentication-Info:", u->authentication_info);
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    ub *u = user;
    size_t n = size * count;
    if (n > sizeof(u->body) - u->body_len)
        return 0;
    memcpy(u->body + u->body_len, data, n);
    u->body_len += n;
    return n;
}

/* ---- the request ---- */

static poc_err header_add(ub *u, const char *line)
{
    struct curl_slist *longer = curl_slist_append(u->headers, line);
    if (longer == NULL)
        return POC_E_NOMEM;
    u->headers = longer;
    return POC_OK;
}

static poc_err headers_make(radio *r)
{
    char line[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(line, sizeof(line));
    curl_slist_free_all(r->ub.headers);
    r->ub.headers = NULL;
    poc_wr_fmt(&wr, "Authorization: ");
    POC_TRY(pocue_ub_request(r->ue, &wr));
    POC_TRY(poc_wr_text(&wr));
    POC_TRY(header_add(&r->ub, line));
    wr = poc_wr_into(line, sizeof(line));
    poc_wr_fmt(&wr, "Host: %s", r->bsf_fqdn);
    POC_TRY(poc_wr_text(&wr));
    return header_add(&r->ub, line);
}

static void on_poll(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg);

static poc_err request_send(radio *r)
{
    ub *u = &r->ub;
    u->www_authenticate[0] = u->authentication_info[0] = '\0';
    u->body_len = 0;
    POC_TRY(headers_make(r));
    curl_easy_setopt(u->easy, CURLOPT_HTTPHEADER, u->headers);
    if (curl_multi_add_handle(u->multi, u->easy) != CURLM_OK)
        return POC_E_IO;
    u->is_running = true;
    return POC_OK;
}

static void ub_end(radio *r, radio_event what, int status, const char *text)
{
    r->ub.is_running = false;
    su_timer_reset(r->ub.timer);
    radio_tell(r, what, status, text);
}

static void answer_take(radio *r, CURLcode result)
{
    ub *u = &r->ub;
    long status = 0;
    bool again = false;
    curl_multi_remove_handle(u->multi, u->easy);
    if (result != CURLE_OK) {
        ub_end(r, RADIO_BOOTSTRAP_FAILED, 0, curl_easy_strerror(result));
        return;
    }
    curl_easy_getinfo(u->easy, CURLINFO_RESPONSE_CODE, &status);
    poc_err err = pocue_ub_answer(r->ue, radio_now_ms(), (int)status, poc_span_str(u->www_authenticate),
                                  poc_span_str(u->authentication_info), poc_span_of(u->body, u->body_len), &again);
    if (err == POC_OK && again)
        err = request_send(r);
    if (err != POC_OK)
        ub_end(r, RADIO_BOOTSTRAP_FAILED, (int)status, poc_err_name(err));
    else if (!again)
        ub_end(r, RADIO_BOOTSTRAPPED, (int)status, NULL);
}

static void on_poll(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    radio *r = arg;
    int running, left;
    (void)magic;
    (void)timer;
    curl_multi_perform(r->ub.multi, &running);
    CURLMsg *message = curl_multi_info_read(r->ub.multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE)
        answer_take(r, message->data.result);
}

poc_err radio_bootstrap(radio *r)
{
    if (r->ub.is_running)
        return POC_E_STATE;
    POC_TRY(request_send(r));
    return su_timer_run(r->ub.timer, on_poll, r) < 0 ? POC_E_IO : POC_OK;
}

/* ---- life ---- */

/* The BSF is reached directly: a proxy of the environment is not part of the GBA. */
static void options_set(ub *u)
{
    curl_easy_setopt(u->easy, CURLOPT_URL, u->url);
    curl_easy_setopt(u->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(u->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(u->easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(u->easy, CURLOPT_USERAGENT, "PoC-client/OMA2.1 3gpp-gba");
    curl_easy_setopt(u->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(u->easy, CURLOPT_HEADERDATA, u);
    curl_easy_setopt(u->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(u->easy, CURLOPT_WRITEDATA, u);
}

poc_err radio_ub_open(radio *r, const char *bsf_url)
{
    ub *u = &r->ub;
    pthread_once(&curl_once, curl_start);
    if (bsf_url == NULL || strlen(bsf_url) >= sizeof(u->url))
        return POC_E_INPUT;
    memcpy(u->url, bsf_url, strlen(bsf_url) + 1);
    u->multi = curl_multi_init();
    u->easy = curl_easy_init();
    u->timer = su_timer_create(su_root_task(r->root), POLL_MS);
    if (u->multi == NULL || u->easy == NULL || u->timer == NULL)
        return POC_E_NOMEM;
    options_set(u);
    return POC_OK;
}

void radio_ub_close(radio *r)
{
    ub *u = &r->ub;
    if (u->is_running)
        curl_multi_remove_handle(u->multi, u->easy);
    if (u->timer != NULL)
        su_timer_destroy(u->timer);
    curl_easy_cleanup(u->easy);
    if (u->multi != NULL)
        curl_multi_cleanup(u->multi);
    curl_slist_free_all(u->headers);
}
