#include "pf/io/ub_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/log.h"
#include "pf/io/now.h"
#include "pf/io/wake.h"

enum {
    CONNECTION_OCTETS = 8192, /* request line, headers and answer of one connection */
    CONNECTION_IDLE_S = 10    /* a bootstrap is two requests at once; slow ones are not worth a connection */
};

struct ub_http {
    su_root_t *root;
    gba_bsf *bsf;
    struct MHD_Daemon *daemon;
    int wait_index;
    uint16_t port;
    wake *timeout;
};

/* ---- answers ---- */

typedef struct header {
    const char *name, *value; /* an empty value is not sent */
} header;

static enum MHD_Result answer(struct MHD_Connection *c, int status, poc_span body, const header *headers, size_t n)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        body.n, (void *)(uintptr_t)(body.n > 0 ? (const char *)body.p : ""), MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = r == NULL ? MHD_NO : MHD_YES;
    for (size_t i = 0; result == MHD_YES && i < n; i++)
        if (headers[i].value[0] != '\0')
            result = MHD_add_response_header(r, headers[i].name, headers[i].value);
    if (result == MHD_YES)
        result = MHD_queue_response(c, (unsigned)status, r);
    if (r != NULL)
        MHD_destroy_response(r);
    return result;
}

static const char *peer_of(struct MHD_Connection *c, char text[64])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    poc_wr wr = poc_wr_into(text, 64);
    if (info != NULL && info->client_addr != NULL)
        poc_addr_put(&wr, info->client_addr);
    return poc_wr_text(&wr) == POC_OK ? text : "";
}

static enum MHD_Result bootstrap(ub_http *u, struct MHD_Connection *c, const char *uri)
{
    const char *authorization = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    gba_http_answer *out = (gba_http_answer *)calloc(1, sizeof(*out));
    char peer[64];
    if (out == NULL)
        return MHD_NO;
    poc_err err = gba_bsf_ub(u->bsf, io_now_ms() / 1000, poc_span_str("GET"), poc_span_str(uri),
                             poc_span_str(authorization == NULL ? "" : authorization), out);
    if (err != POC_OK)
        log_refusal("ub_refused", poc_err_name(err), peer_of(c, peer), "bootstrapping request refused");
    const header headers[] = {
        { MHD_HTTP_HEADER_WWW_AUTHENTICATE, out->www_authenticate },
        { MHD_HTTP_HEADER_AUTHENTICATION_INFO, out->authentication_info },
        { MHD_HTTP_HEADER_CONTENT_TYPE, out->body_len > 0 ? "application/vnd.3gpp.bsf+xml" : "" },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
    };
    enum MHD_Result result = answer(c, out->status, poc_span_of(out->body, out->body_len), headers, POC_COUNT(headers));
    free(out); /* a B-TID and digests, nothing from which a key follows */
    return result;
}

/** Called with the headers, then perhaps with pieces of a body that nobody wants, then at its end. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *body, size_t *body_len, void **state)
{
    static const header allow[] = { { MHD_HTTP_HEADER_ALLOW, "GET" } };
    static char seen;
    (void)version;
    (void)body;
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    if (*body_len > 0) {
        *body_len = 0;
        return MHD_YES;
    }
    if (strcmp(url, "/") != 0)
        return answer(c, MHD_HTTP_NOT_FOUND, poc_span_str(""), NULL, 0);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, poc_span_str(""), allow, POC_COUNT(allow));
    return bootstrap((ub_http *)arg, c, url);
}

/* ---- in the loop ---- */

static void turn(void *user)
{
    ub_http *u = (ub_http *)user;
    MHD_UNSIGNED_LONG_LONG wait_ms;
    (void)MHD_run(u->daemon);
    if (MHD_get_timeout(u->daemon, &wait_ms) == MHD_YES)
        wake_at(u->timeout, io_now_ms() + (int64_t)wait_ms);
    else
        wake_at(u->timeout, INT64_MAX);
}

static int on_ready(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    (void)magic;
    (void)wait;
    turn(arg);
    return 0;
}

static poc_err watch(ub_http *u)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(u->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    su_wait_t wait = SU_WAIT_INIT;
    if (info == NULL || su_wait_create(&wait, info->epoll_fd, SU_WAIT_IN) != 0)
        return POC_E_IO;
    u->wait_index = su_root_register(u->root, &wait, on_ready, u, 0);
    return u->wait_index > 0 ? wake_new(&u->timeout, u->root, turn, u) : POC_E_IO;
}

/* ---- the socket is ours: so its error has a name ---- */

static int listen_on(const struct sockaddr *addr)
{
    const int on = 1;
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, addr, poc_addr_len(addr)) == 0 && listen(fd, 128) == 0)
        return fd;
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

static poc_err start(ub_http *u, const ub_http_settings *s)
{
    int fd = listen_on((const struct sockaddr *)&s->listen);
    struct sockaddr_storage at = { 0 };
    socklen_t n = sizeof(at);
    if (fd < 0)
        return POC_E_IO;
    if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
        u->port = poc_addr_port((struct sockaddr *)&at);
    u->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, u, MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->connections_max,
                                 MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)s->connections_per_source,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_OCTETS,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_IDLE_S, MHD_OPTION_END);
    if (u->daemon == NULL) {
        (void)close(fd);
        errno = ENOMEM;
        return POC_E_IO;
    }
    return watch(u);
}

poc_err ub_http_new(ub_http **out, su_root_t *root, const ub_http_settings *settings, gba_bsf *bsf)
{
    ub_http *u = (ub_http *)calloc(1, sizeof(*u));
    *out = NULL;
    if (u == NULL)
        return POC_E_NOMEM;
    *u = (ub_http){ .root = root, .bsf = bsf, .wait_index = -1 };
    poc_err err = start(u, settings);
    if (err != POC_OK) {
        int why = errno;
        ub_http_free(u);
        errno = why;
        return err;
    }
    *out = u;
    return POC_OK;
}

void ub_http_free(ub_http *u)
{
    if (u == NULL)
        return;
    if (u->wait_index > 0)
        (void)su_root_deregister(u->root, u->wait_index);
    wake_free(u->timeout);
    if (u->daemon != NULL)
        MHD_stop_daemon(u->daemon);
    free(u);
}

uint16_t ub_http_port(const ub_http *u)
{
    return u->port;
}
