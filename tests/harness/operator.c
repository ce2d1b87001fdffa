#include "tests/harness/operator.h"

#include <curl/curl.h>
#include <stdio.h>

enum { ANSWER_LIMIT_S = 10 };

static size_t drop(char *piece, size_t size, size_t n, void *user)
{
    (void)piece, (void)user;
    return size * n;
}

static poc_err post(CURL *curl, const char *socket_path, const char *url, const char *body)
{
    long status = 0;
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_LIMIT_S);
    if (curl_easy_perform(curl) != CURLE_OK)
        return POC_E_IO;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? POC_OK : POC_E_STATE;
}

poc_err operator_order(const char *socket_path, const char *channel_id, const char *order, const char *user)
{
    char url[256], body[512] = "";
    snprintf(url, sizeof(url), "http://pocpfd/v1/channels/%s/%s", channel_id, order);
    if (user != NULL)
        snprintf(body, sizeof(body), "{\"user\":\"%s\"}", user);
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        return POC_E_NOMEM;
    poc_err err = post(curl, socket_path, url, body);
    curl_easy_cleanup(curl);
    return err;
}
