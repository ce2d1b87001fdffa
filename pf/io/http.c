#include "pf/io/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/log.h"
#include "pf/io/now.h"
#include "pf/io/wake.h"

enum { BACKLOG = 128 };

struct http {
    su_root_t *root;
    struct MHD_Daemon *daemon;
    int wait_index;
    bool has_resumed; /* the next turn is due at once, whatever MHD says */
    wake *timeout;
};

/* ---- in the loop ---- */

static void turn(void *user)
{
    http *h = (http *)user;
    MHD_UNSIGNED_LONG_LONG wait_ms;
    h->has_resumed = false;
    (void)MHD_run(h->daemon);
    if (h->has_resumed)
        wake_soon(h->timeout);
    else if (MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES)
        wake_at(h->timeout, io_now_ms() + (int64_t)wait_ms);
    else
        wake_at(h->timeout, INT64_MAX);
}

static int on_ready(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    (void)magic;
    (void)wait;
    turn(arg);
    return 0;
}

static poc_err watch(http *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    su_wait_t wait = SU_WAIT_INIT;
    if (info == NULL || su_wait_create(&wait, info->epoll_fd, SU_WAIT_IN) != 0)
        return POC_E_IO;
    h->wait_index = su_root_register(h->root, &wait, on_ready, h, 0);
    return h->wait_index > 0 ? wake_new(&h->timeout, h->root, turn, h) : POC_E_IO;
}

/* ---- the socket is ours: so its error has a name ---- */

int http_listen(const struct sockaddr *addr, socklen_t addr_len)
{
    const int on = 1;
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, addr, addr_len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

enum { OPTIONS_MAX = 10 };

typedef struct option_list {
    struct MHD_OptionItem item[OPTIONS_MAX];
    size_t n;
} option_list;

static void put(option_list *l, enum MHD_OPTION option, intptr_t value, void *pointer)
{
    l->item[l->n++] = (struct MHD_OptionItem){ option, value, pointer };
}

static void put_text(option_list *l, enum MHD_OPTION option, const char *text)
{
    put(l, option, 0, (void *)(uintptr_t)text);
}

/* Keys are in what is said: neither what RFC 8996 has taken out of use, nor what the certificate's key could open later. */
static const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA";

static poc_err start(http *h, int fd, const http_settings *s)
{
    bool is_tls = s->tls_certificate != NULL;
    unsigned flags =
        MHD_USE_EPOLL | (s->may_suspend ? MHD_ALLOW_SUSPEND_RESUME : 0) | (is_tls ? (unsigned)MHD_USE_TLS : 0);
    option_list l = { .n = 0 };
    put(&l, MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)s->on_completed, s->user);
    if (s->on_target != NULL)
        put(&l, MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)s->on_target, s->user);
    if (is_tls) {
        put_text(&l, MHD_OPTION_HTTPS_MEM_CERT, s->tls_certificate);
        put_text(&l, MHD_OPTION_HTTPS_MEM_KEY, s->tls_key);
        put_text(&l, MHD_OPTION_HTTPS_PRIORITIES, tls_priorities);
    }
    put(&l, MHD_OPTION_END, 0, NULL);
    h->daemon =
        MHD_start_daemon(flags, 0, s->on_connect, s->user, s->on_request, s->user, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                         (unsigned)s->connections_per_source, MHD_OPTION_CONNECTION_MEMORY_LIMIT, s->connection_octets,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)s->idle_s, MHD_OPTION_ARRAY, l.item, MHD_OPTION_END);
    if (h->daemon != NULL)
        return watch(h);
    (void)close(fd);
    errno = is_tls ? EPROTO : ENOMEM;
    return POC_E_IO;
}

poc_err http_new(http **out, su_root_t *root, int listen_fd, const http_settings *settings)
{
    http *h = (http *)calloc(1, sizeof(*h));
    *out = NULL;
    if (h == NULL) {
        (void)close(listen_fd);
        return POC_E_NOMEM;
    }
    *h = (http){ .root = root, .wait_index = -1 };
    poc_err err = start(h, listen_fd, settings);
    if (err != POC_OK) {
        int why = errno;
        http_free(h);
        errno = why;
        return err;
    }
    *out = h;
    return POC_OK;
}

poc_err http_new_at(http **out, su_root_t *root, const struct sockaddr *addr, uint16_t *port,
                    const http_settings *settings)
{
    struct sockaddr_storage at = { 0 };
    socklen_t n = sizeof(at);
    const int fd = http_listen(addr, poc_addr_len(addr));
    *out = NULL;
    if (fd < 0)
        return POC_E_IO;
    if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
        *port = poc_addr_port((struct sockaddr *)&at);
    return http_new(out, root, fd, settings);
}

/** Our own descriptor of the socket that it listens on; -1: none is left. */
static int listen_fd_of(const http *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    return info == NULL ? -1 : fcntl(info->listen_fd, F_DUPFD_CLOEXEC, 0);
}

poc_err http_succeed(http **out, http *h, const http_settings *settings)
{
    const int fd = listen_fd_of(h);
    *out = NULL;
    return fd < 0 ? POC_E_IO : http_new(out, h->root, fd, settings);
}

void http_retire(http *h)
{
    const int fd = MHD_quiesce_daemon(h->daemon);
    if (fd >= 0)
        (void)close(fd);
}

bool http_is_idle(const http *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info == NULL || info->num_connections == 0;
}

void http_resume(http *h, struct MHD_Connection *c)
{
    h->has_resumed = true;
    MHD_resume_connection(c);
    wake_soon(h->timeout);
}

void http_free(http *h)
{
    if (h == NULL)
        return;
    if (h->wait_index > 0)
        (void)su_root_deregister(h->root, h->wait_index);
    wake_free(h->timeout);
    if (h->daemon != NULL && h->has_resumed)
        (void)MHD_run(h->daemon);
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    free(h);
}

/* ---- requests ---- */

const struct sockaddr *http_client(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info == NULL ? NULL : info->client_addr;
}

poc_span http_header_of(struct MHD_Connection *c, const char *name)
{
    const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
    return poc_span_str(value == NULL ? "" : value);
}

bool http_announces_more(struct MHD_Connection *c, size_t max)
{
    const poc_span length = http_header_of(c, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t n = 0;
    return length.n > 0 && poc_u64_get(&n, max, length) != POC_OK;
}

/* ---- answers ---- */

void http_log_refusal(struct MHD_Connection *c, const char *event, int status, const char *why)
{
    char from[64], kind[16];
    const struct sockaddr *client = http_client(c);
    poc_wr wr = poc_wr_into(from, sizeof(from));
    if (client != NULL)
        poc_addr_put(&wr, client);
    (void)snprintf(kind, sizeof(kind), "%d", status);
    log_refusal(event, kind, poc_wr_text(&wr) == POC_OK ? from : "", why);
}

enum MHD_Result http_answer(struct MHD_Connection *c, unsigned status, poc_span body, const http_header *headers,
                            size_t count)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        body.n, (void *)(uintptr_t)(body.n > 0 ? (const char *)body.p : ""), MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = r == NULL ? MHD_NO : MHD_YES;
    for (size_t i = 0; result == MHD_YES && i < count; i++)
        if (headers[i].value[0] != '\0')
            result = MHD_add_response_header(r, headers[i].name, headers[i].value);
    if (result == MHD_YES)
        result = MHD_queue_response(c, status, r);
    if (r != NULL)
        MHD_destroy_response(r);
    return result;
}
