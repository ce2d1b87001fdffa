/* One request to the daemon: HTTP on its unix socket. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pf/ctl/ctl.h"

enum { ANSWER_MAX = 16 << 20, CONNECT_LIMIT_S = 5, ANSWER_LIMIT_S = 60 };

typedef struct answer {
    char *octets; /* owned */
    size_t n;
} answer;

static size_t take(char *piece, size_t size, size_t n, void *user)
{
    answer *a = (answer *)user;
    n *= size;
    char *more = n > ANSWER_MAX - a->n ? NULL : (char *)realloc(a->octets, a->n + n + 1);
    if (more == NULL)
        return 0;
    memcpy(more + a->n, piece, n);
    a->octets = more;
    a->n += n;
    return n;
}

int ctl_nonsense(void)
{
    ctl_complain("the daemon's answer makes no sense: are pocpfd and pocpfctl of one version?");
    return CTL_PROTOCOL;
}

static int unavailable(const ctl_door *door, CURL *curl, CURLcode code)
{
    long system_error = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &system_error);
    ctl_complain(
        "no pocpfd answers on %s (%s): start it with that admin.socket, or name its socket with -s", door->socket,
        code == CURLE_COULDNT_CONNECT && system_error != 0 ? strerror((int)system_error) : curl_easy_strerror(code));
    return CTL_UNAVAILABLE;
}

static bool set_up(CURL *curl, const ctl_door *door, const char *path, const char *body, answer *a)
{
    char url[1024];
    if (snprintf(url, sizeof(url), "http://pocpfd%s", path) >= (int)sizeof(url))
        return false;
    bool is_set = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, door->socket) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_WRITEDATA, a) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_LIMIT_S) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_LIMIT_S) == CURLE_OK;
    if (is_set && body != NULL)
        is_set = curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body) == CURLE_OK;
    return is_set;
}

static int read_answer(json_t **out, CURL *curl, const answer *a)
{
    long status = 0;
    const char *reason = NULL;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    json_t *object = a->n == 0 ? NULL : json_loadb(a->octets, a->n, JSON_REJECT_DUPLICATES, NULL);
    if (status == 200 && json_is_object(object)) {
        *out = object;
        return CTL_OK;
    }
    char text[320];
    bool is_refusal = status >= 400 && status < 500 && json_unpack(object, "{s:s}", "reason", &reason) == 0;
    if (is_refusal)
        ctl_complain("%s", ctl_cell(text, json_object_get(object, "reason")));
    json_decref(object);
    return is_refusal ? CTL_NO : ctl_nonsense();
}

static int perform(json_t **out, CURL *curl, const ctl_door *door, const char *path, const char *body)
{
    answer a = { NULL, 0 };
    int status = CTL_SOFTWARE;
    if (set_up(curl, door, path, body, &a)) {
        CURLcode code = curl_easy_perform(curl);
        if (code == CURLE_OK)
            status = read_answer(out, curl, &a);
        else if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_WRITE_ERROR)
            status = ctl_nonsense();
        else
            status = unavailable(door, curl, code);
    } else {
        ctl_complain("the request cannot be made: a name is too long");
        status = CTL_USAGE;
    }
    free(a.octets);
    return status;
}

int ctl_request(json_t **out, const ctl_door *door, const char *path, const char *body)
{
    *out = NULL;
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        return ctl_failed(POC_E_NOMEM);
    int status = perform(out, curl, door, path, body);
    curl_easy_cleanup(curl);
    return status;
}
