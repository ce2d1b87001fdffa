/* HTTP requests of a radio: libcurl, polled by a timer of the event loop while a request runs. */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ue/io/inside.h"

enum { POLL_MS = 5, TIMEOUT_S = 10 };

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

/* Keys and tokens go through libcurl's buffers, which it frees as they are. */
static void wiping_free(void *p)
{
    if (p != NULL)
        poc_wipe(p, malloc_usable_size(p));
    free(p);
}

static void *wiping_realloc(void *old, size_t n)
{
    const size_t had = old == NULL ? 0 : malloc_usable_size(old);
    void *new = malloc(n);
    if (new == NULL)
        return NULL;
    if (old != NULL)
        memcpy(new, old, had < n ? had : n);
    wiping_free(old);
    return new;
}

static void curl_start(void)
{
    (void)curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc);
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
    http *h = user;
    poc_span span = poc_span_of(line, size * count);
    header_keep(span, "WWW-Authenticate:", h->www_authenticate);
    header_keep(span, "Authentication-Info:", h->authentication_info);
    header_keep(span, "Content-Type:", h->content_type);
    header_keep(span, "Retry-After:", h->retry_after);
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    http *h = user;
    size_t n = size * count;
    if (n > sizeof(h->body) - h->body_len)
        return 0;
    memcpy(h->body + h->body_len, data, n);
    h->body_len += n;
    return n;
}

/* ---- the request ---- */

static void request_end(http *h)
{
    if (h->is_running)
        curl_multi_remove_handle(h->multi, h->easy);
    h->is_running = false;
    for (struct curl_slist *i = h->headers; i != NULL; i = i->next)
        poc_wipe(i->data, strlen(i->data)); /* an access token may stand in it */
    curl_slist_free_all(h->headers);
    h->headers = NULL;
}

void radio_http_begin(http *h)
{
    request_end(h);
}

poc_err radio_http_header(http *h, const char *name, const char *value)
{
    char line[HTTP_VALUE_MAX + 64];
    poc_wr wr = poc_wr_into(line, sizeof(line));
    poc_wr_fmt(&wr, "%s: %s", name, value);
    POC_TRY(poc_wr_text(&wr));
    struct curl_slist *longer = curl_slist_append(h->headers, line);
    poc_wipe(line, sizeof(line));
    if (longer == NULL)
        return POC_E_NOMEM;
    h->headers = longer;
    return POC_OK;
}

static void on_poll(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    http *h = arg;
    int running, left;
    long status = 0;
    (void)magic;
    curl_multi_perform(h->multi, &running);
    CURLMsg *message = curl_multi_info_read(h->multi, &left);
    if (message == NULL || message->msg != CURLMSG_DONE)
        return;
    CURLcode result = message->data.result;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    request_end(h);
    su_timer_reset(timer);
    h->done(h->radio, result == CURLE_OK ? (int)status : 0, result == CURLE_OK ? NULL : curl_easy_strerror(result));
}

poc_err radio_http_send(http *h, const char *url, poc_span body)
{
    h->www_authenticate[0] = h->authentication_info[0] = h->content_type[0] = h->retry_after[0] = '\0';
    h->body_len = 0;
    curl_easy_setopt(h->easy, CURLOPT_URL, url);
    if (body.n > 0) {
        curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE, (long)body.n);
        curl_easy_setopt(h->easy, CURLOPT_COPYPOSTFIELDS, (const char *)body.p);
    }
    curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
    if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
        return POC_E_IO;
    h->is_running = true;
    if (su_timer_run(h->timer, on_poll, h) == 0)
        return POC_OK;
    request_end(h);
    return POC_E_IO;
}

/* ---- life ---- */

/* A proxy of the environment is not part of the GBA. */
static void options_set(http *h)
{
    curl_easy_setopt(h->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h->easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "PoC-client/OMA2.1 3gpp-gba");
    curl_easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h->easy, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
}

poc_err radio_http_open(radio *r, http *h, void (*done)(radio *r, int status, const char *error))
{
    pthread_once(&curl_once, curl_start);
    h->radio = r;
    h->done = done;
    h->multi = curl_multi_init();
    h->easy = curl_easy_init();
    h->timer = su_timer_create(su_root_task(r->root), POLL_MS);
    if (h->multi == NULL || h->easy == NULL || h->timer == NULL)
        return POC_E_NOMEM;
    options_set(h);
    return POC_OK;
}

void radio_http_close(http *h)
{
    request_end(h);
    if (h->timer != NULL)
        su_timer_destroy(h->timer);
    curl_easy_cleanup(h->easy);
    if (h->multi != NULL)
        curl_multi_cleanup(h->multi);
}
