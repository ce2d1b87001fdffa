#include "clerk_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

typedef struct upload {
    char octets[4096];
    size_t n;
} upload;

struct clerk_http {
    clerk *clerk;
    struct MHD_Daemon *server;
    char url[64], from[64], user_agent[64], identity[128], target[256];
};

static void header_copy(struct MHD_Connection *c, const char *name, char *out, size_t cap)
{
    const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
    snprintf(out, cap, "%s", value == NULL ? "" : value);
}

/* The target as it stood on the request line: the digest is over that. */
static void *on_uri(void *user, const char *uri, struct MHD_Connection *c)
{
    clerk_http *h = user;
    (void)c;
    snprintf(h->target, sizeof(h->target), "%s", uri);
    return NULL;
}

static void request_note(clerk_http *h, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    poc_wr wr = poc_wr_into(h->from, sizeof(h->from));
    poc_addr_put(&wr, info->client_addr);
    (void)poc_wr_text(&wr);
    header_copy(c, "User-Agent", h->user_agent, sizeof(h->user_agent));
    header_copy(c, "X-3GPP-Intended-Identity", h->identity, sizeof(h->identity));
}

static enum MHD_Result answer_send(struct MHD_Connection *c, const clerk_answer *a)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(a->body), (void *)(uintptr_t)a->body, MHD_RESPMEM_MUST_COPY);
    if (a->www_authenticate[0] != '\0')
        MHD_add_response_header(r, "WWW-Authenticate", a->www_authenticate);
    if (a->authentication_info[0] != '\0')
        MHD_add_response_header(r, "Authentication-Info", a->authentication_info);
    if (a->content_type[0] != '\0')
        MHD_add_response_header(r, "Content-Type", a->content_type);
    enum MHD_Result result = MHD_queue_response(c, (unsigned)a->status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result on_post(void *user, struct MHD_Connection *c, const char *url, const char *method,
                               const char *version, const char *data, size_t *data_size, void **state)
{
    static clerk_answer a;
    clerk_http *h = user;
    upload *u = *state;
    char authorization[GBA_HEADER_MAX];
    (void)url, (void)method, (void)version;
    if (u == NULL) {
        *state = calloc(1, sizeof(*u));
        return *state == NULL ? MHD_NO : MHD_YES;
    }
    if (*data_size > 0) {
        if (*data_size > sizeof(u->octets) - u->n)
            return MHD_NO;
        memcpy(u->octets + u->n, data, *data_size);
        u->n += *data_size;
        *data_size = 0;
        return MHD_YES;
    }
    request_note(h, c);
    header_copy(c, "Authorization", authorization, sizeof(authorization));
    clerk_serve(h->clerk, h->target, authorization, poc_span_of(u->octets, u->n), &a);
    return answer_send(c, &a);
}

static void on_end(void *user, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
    (void)user, (void)c, (void)code;
    free(*state);
}

clerk_http *clerk_http_new(clerk *c, bool ip6)
{
    struct sockaddr_storage at;
    clerk_http *h = calloc(1, sizeof(*h));
    assert_non_null(h);
    h->clerk = c;
    assert_int_equal(poc_addr_parse(&at, poc_span_str(ip6 ? "::1" : "127.0.0.1"), 0), POC_OK);
    h->server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | (ip6 ? MHD_USE_IPv6 : 0u), 0, NULL, NULL, on_post, h,
                                 MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_URI_LOG_CALLBACK, on_uri, h,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
    assert_non_null(h->server);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->server, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(h->url, sizeof(h->url), "http://%s:%u", ip6 ? "[::1]" : "127.0.0.1", info->port);
    return h;
}

void clerk_http_free(clerk_http *h)
{
    MHD_stop_daemon(h->server);
    free(h);
}

const char *clerk_http_url(const clerk_http *h)
{
    return h->url;
}

const char *clerk_http_from(const clerk_http *h)
{
    return h->from;
}

const char *clerk_http_user_agent(const clerk_http *h)
{
    return h->user_agent;
}

const char *clerk_http_identity(const clerk_http *h)
{
    return h->identity;
}
