#include "pf/io/mcx_ask.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/config_private.h"
#include "pf/io/keyfile.h"
#include "pf/io/now.h"
#include "pf/wire/wire.h"

enum { CONNECT_S = 5, ANSWER_S = 20, TOKENS_MAX = 16 * 1024, STATUS_OK = 200, HEADER_MAX = WIRE_MCX_TOKEN_MAX + 32 };

struct mcx_ask {
    const config *c;
    const atomic_bool *gives_up;
    CURL *easy;
    uint8_t *document; /* in a vault: there are keys in what comes; MCX_KMS_DOCUMENT_MAX octets */
    size_t len;
    bool is_too_large;
    long status;                  /* of the answer */
    char detail[CURL_ERROR_SIZE]; /* of the library: which part of a certificate does not hold, for example */
    char why[CONFIG_WHY_MAX];
};

/* ---- what comes back ---- */

/** The library's buffer is wiped as well: it is not when it is freed. */
static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    mcx_ask *a = (mcx_ask *)user;
    const size_t n = size * count;
    a->is_too_large = n > MCX_KMS_DOCUMENT_MAX - a->len;
    if (!a->is_too_large) {
        memcpy(a->document + a->len, data, n);
        a->len += n;
    }
    poc_wipe(data, n);
    return a->is_too_large ? 0 : n;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    const mcx_ask *a = (const mcx_ask *)user;
    (void)down_total, (void)down, (void)up_total, (void)up;
    return atomic_load(a->gives_up) ? 1 : 0;
}

/* ---- the token ---- */

/** Line `n` of the file, or its only one. */
static poc_span token_line(poc_span text, size_t n)
{
    const poc_span first = poc_trim(poc_split(&text, '\n'));
    poc_span line = first;
    if (poc_trim(text).n == 0)
        return first;
    for (size_t i = 0; i < n; i++)
        line = poc_trim(poc_split(&text, '\n'));
    return line;
}

static poc_err put_token(poc_wr *header, const char *text, size_t n, size_t identity)
{
    const poc_span token = token_line(poc_span_of(text, n), identity);
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] <= 0x20 || token.p[i] >= 0x7f)
            return POC_E_INPUT;
    poc_wr_fmt(header, "Authorization: Bearer ");
    poc_wr_span(header, token);
    return token.n > 0 ? poc_wr_text(header) : POC_E_INPUT;
}

static poc_err token_header(mcx_ask *a, char header[HEADER_MAX], size_t identity)
{
    char text[TOKENS_MAX];
    poc_wr wr = poc_wr_into(header, HEADER_MAX);
    size_t n;
    const char *path = a->c->mcx.kms_token_file;
    if (path[0] == '\0')
        return poc_wr_text(&wr);
    POC_TRY(keyfile_text(text, sizeof(text), &n, path, "mcx.kms_token_file", a->why));
    const poc_err err = put_token(&wr, text, n, identity);
    poc_wipe(text, sizeof(text));
    return err == POC_OK ? POC_OK : config_fail(a->why, path, 0, "mcx.kms_token_file has no token for this identity");
}

static void headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *at = headers; at != NULL; at = at->next)
        poc_wipe(at->data, strlen(at->data));
    curl_slist_free_all(headers);
}

static poc_err headers_make(mcx_ask *a, struct curl_slist **out, size_t identity)
{
    char token[HEADER_MAX];
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/xml"), *longer = list;
    *out = NULL;
    poc_err err = list == NULL ? POC_E_NOMEM : token_header(a, token, identity);
    if (err == POC_OK && token[0] != '\0' && (longer = curl_slist_append(list, token)) == NULL)
        err = POC_E_NOMEM;
    poc_wipe(token, sizeof(token));
    if (err == POC_OK)
        *out = longer;
    else
        headers_free(list);
    return err;
}

/* ---- the question ---- */

static poc_err fail_curl(mcx_ask *a, CURLcode code)
{
    const char *says = a->detail[0] != '\0' ? a->detail : curl_easy_strerror(code);
    (void)snprintf(a->why, sizeof(a->why), "%s", a->is_too_large ? "an answer that is too large" : says);
    return code == CURLE_OUT_OF_MEMORY ? POC_E_NOMEM : POC_E_IO;
}

/** POC_OK: there is an answer, with whatever status. */
static poc_err post(mcx_ask *a, const char *url, poc_span body, struct curl_slist *headers)
{
    a->len = 0;
    a->status = 0;
    a->is_too_large = false;
    a->detail[0] = '\0';
    (void)curl_easy_setopt(a->easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(a->easy, CURLOPT_POSTFIELDSIZE, (long)body.n);
    (void)curl_easy_setopt(a->easy, CURLOPT_POSTFIELDS, (const char *)body.p);
    (void)curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, headers);
    const CURLcode code = curl_easy_perform(a->easy);
    (void)curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, NULL);
    if (code != CURLE_OK)
        return fail_curl(a, code);
    (void)curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &a->status);
    return POC_OK;
}

/** From its slash behind the host. */
static poc_span path_of(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    const char *path = strchr(host, '/');
    return poc_span_str(path == NULL ? "" : path);
}

/** What the document says; `why` may be empty. */
static poc_err read_document(mcx_ask *a, mcx_kms_response *out, const mcx_kms_answer *asked, const char *url)
{
    const char *says = "";
    const mcx_kms_asked question = { asked->user_uri, asked->kms_uri, path_of(url), io_now_ms() / 1000,
                                     MCX_KMS_TIME_SKEW_S };
    poc_err err = mcx_kms_response_read(out, poc_span_of(a->document, a->len), &says);
    if (err == POC_OK && (err = mcx_kms_response_check(out, &question, &says)) != POC_OK) {
        (void)snprintf(a->why, sizeof(a->why), "%s%s%.100s", says, out->error_message[0] == '\0' ? "" : ": ",
                       out->error_message);
        mcx_kms_response_done(out);
        memset(out, 0, sizeof(*out));
    } else if (err != POC_OK) {
        (void)snprintf(a->why, sizeof(a->why), "%s", says);
    }
    return err;
}

/** Whoever answers with another status than 200, be it a KMS or something in front of it, has not given what was asked for; and
 *  the status is what tells its operator why. */
static poc_err fail_status(mcx_ask *a, poc_err err)
{
    char says[128];
    (void)snprintf(says, sizeof(says), "%.120s", err == POC_OK ? "" : a->why);
    (void)snprintf(a->why, sizeof(a->why), "HTTP status %ld%s%s", a->status, says[0] == '\0' ? "" : ": ", says);
    if (err == POC_E_NOMEM)
        return err;
    return a->status == 401 || a->status == 403 ? POC_E_DENIED : POC_E_IO;
}

static poc_err read_answer(mcx_ask *a, mcx_kms_response *out, const mcx_kms_answer *asked, const char *url)
{
    const poc_err err = a->status != STATUS_OK && a->len == 0 ? POC_OK : read_document(a, out, asked, url);
    if (a->status == STATUS_OK)
        return err;
    mcx_kms_response_done(out);
    return fail_status(a, err);
}

static poc_err ask(mcx_ask *a, size_t identity, const char *url, mcx_kms_response *out)
{
    uint8_t body[MCX_KMS_ANSWER_MAX + MCX_KMS_URL_MAX];
    struct curl_slist *headers;
    poc_wr wr = poc_wr_into(body, sizeof(body));
    const mcx_kms_answer question = { poc_span_str(a->c->mcx.identities.item[identity]),
                                      poc_span_str(a->c->mcx.kms_uri), poc_span_str(url), io_now_ms() / 1000 };
    POC_TRY(mcx_kms_request_put(&wr, &question));
    POC_TRY(headers_make(a, &headers, identity));
    poc_err err = post(a, url, poc_span_of(body, wr.len), headers);
    if (err == POC_OK)
        err = read_answer(a, out, &question, url);
    headers_free(headers);
    poc_wipe(a->document, a->len);
    return err;
}

poc_err mcx_ask_kms(mcx_ask *a, size_t identity, const char *path, mcx_kms_response *out, const char **why)
{
    char url[MCX_KMS_URL_MAX];
    memset(out, 0, sizeof(*out));
    a->why[0] = '\0';
    *why = a->why;
    const int n = snprintf(url, sizeof(url), "%s%s", a->c->mcx.kms_url, path);
    return n > 0 && (size_t)n < sizeof(url) ? ask(a, identity, url, out) : POC_E_LIMIT;
}

/* ---- life ---- */

static bool set_up(mcx_ask *a)
{
    const char *ca = a->c->mcx.kms_ca;
    CURL *e = a->easy;
    return curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, a->detail) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOPROXY, "*") == CURLE_OK && /* nobody between us and our keys */
           curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           (ca[0] == '\0' || curl_easy_setopt(e, CURLOPT_CAINFO, ca) == CURLE_OK) &&
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT, (long)ANSWER_S) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK && /* the next question is hours away */
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, a) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_XFERINFODATA, a) == CURLE_OK;
}

poc_err mcx_ask_new(mcx_ask **out, const config *c, const atomic_bool *gives_up)
{
    mcx_ask *a = (mcx_ask *)calloc(1, sizeof(*a));
    *out = NULL;
    if (a == NULL)
        return POC_E_NOMEM;
    a->c = c;
    a->gives_up = gives_up;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        a->easy = curl_easy_init();
    a->document = (uint8_t *)poc_vault_new(MCX_KMS_DOCUMENT_MAX);
    if (a->easy == NULL || a->document == NULL || !set_up(a)) {
        mcx_ask_free(a);
        return POC_E_NOMEM;
    }
    *out = a;
    return POC_OK;
}

void mcx_ask_free(mcx_ask *a)
{
    if (a == NULL)
        return;
    if (a->easy != NULL)
        curl_easy_cleanup(a->easy);
    poc_vault_free(a->document);
    free(a);
}

/* ---- certificates in files ---- */

static poc_err load_one(const char *path, void (*take)(void *user, const mcx_kms_certificate *certificate), void *user,
                        char why[CONFIG_WHY_MAX])
{
    mcx_kms_response response;
    const char *says = "";
    char *text = NULL;
    POC_TRY(config_file_text(&text, path, why));
    poc_err err = mcx_kms_response_read(&response, poc_span_str(text), &says);
    free(text);
    if (err == POC_E_NOMEM)
        return err;
    if (err != POC_OK || response.certificate_count == 0) {
        if (err == POC_OK)
            mcx_kms_response_done(&response);
        return config_fail(why, path, 0, "mcx.neighbours: no certificate of a KMS: %s",
                           err == POC_OK ? "an answer without one" : says);
    }
    for (size_t i = 0; i < response.certificate_count; i++)
        if (!response.certificates[i].is_revoked)
            take(user, &response.certificates[i]);
    mcx_kms_response_done(&response);
    return POC_OK;
}

poc_err mcx_neighbours_load(const config *c, void (*take)(void *user, const mcx_kms_certificate *certificate),
                            void *user, char why[CONFIG_WHY_MAX])
{
    for (size_t i = 0; i < c->mcx.neighbours.count; i++)
        POC_TRY(load_one(c->mcx.neighbours.item[i], take, user, why));
    return POC_OK;
}
