#include "pf/io/content.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "pf/io/log.h"

enum { BATCH = 16, BATCHES = 4 /* per turn of the loop */ };

typedef struct content_socket {
    content *content;
    bcast_flow flow;
    int fd, wait_index;
    uint16_t port;
} content_socket;

/** Packets of one system call, with room for each. */
typedef struct content_batch {
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_storage from[BATCH];
    uint8_t octets[BATCH][BCAST_PACKET_MAX];
} content_batch;

struct content {
    su_root_t *root;
    char channel[sizeof(((bcast_channel *)0)->id)];
    struct sockaddr_storage source[CONTENT_SOURCES_MAX];
    size_t source_count;
    content_socket sockets[RELAY_KINDS];
    relay_feed_fn *feed;
    void *user;
    content_counts counts;
    content_batch in;
};

/* ---- packets ---- */

static bool is_listed(const content *c, const struct sockaddr_storage *from)
{
    for (size_t i = 0; i < c->source_count; i++) {
        struct sockaddr_storage peer = *from;
        if (poc_addr_port((const struct sockaddr *)&c->source[i]) == 0)
            poc_addr_set_port((struct sockaddr *)&peer, 0);
        if (poc_addr_eq((const struct sockaddr *)&c->source[i], (const struct sockaddr *)&peer))
            return true;
    }
    return false;
}

static void refuse(content *c, const struct sockaddr_storage *from, const char *reason)
{
    char text[64];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_addr_put(&wr, (const struct sockaddr *)from);
    c->counts.foreign_dropped++;
    log_refusal("packet_refused", "denied", poc_wr_text(&wr) == POC_OK ? text : "", reason);
}

static void take(const content_socket *k, const struct sockaddr_storage *from, const struct mmsghdr *in)
{
    content *c = k->content;
    if (!is_listed(c, from)) {
        refuse(c, from, "media from an address that is no content source of this channel");
        return;
    }
    if ((in->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        refuse(c, from, "a packet of a content source is too long");
        return;
    }
    c->counts.packets++;
    c->feed(c->user, c->channel, k->flow, poc_span_of(in->msg_hdr.msg_iov->iov_base, in->msg_len));
}

static int read_batch(const content_socket *k)
{
    content_batch *in = &k->content->in;
    for (size_t i = 0; i < BATCH; i++) {
        in->iov[i] = (struct iovec){ in->octets[i], BCAST_PACKET_MAX };
        in->msg[i].msg_hdr = (struct msghdr){
            .msg_name = &in->from[i], .msg_namelen = sizeof(in->from[i]), .msg_iov = &in->iov[i], .msg_iovlen = 1
        };
    }
    int n = recvmmsg(k->fd, in->msg, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        take(k, &in->from[i], &in->msg[i]);
    return n;
}

static int on_ready(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    (void)magic;
    (void)wait;
    for (int i = 0; i < BATCHES && read_batch((const content_socket *)arg) == BATCH; i++)
        ;
    return 0;
}

/* ---- life ---- */

static poc_err socket_open(content_socket *k, su_root_t *root, const struct sockaddr *addr)
{
    struct sockaddr_storage at = { 0 };
    socklen_t n = sizeof(at);
    su_wait_t wait = SU_WAIT_INIT;
    const int on = 1;
    k->fd = socket(addr->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (addr->sa_family == AF_INET6)
        (void)setsockopt(k->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)); /* sources have one form */
    if (k->fd < 0 || bind(k->fd, addr, poc_addr_len(addr)) != 0 || getsockname(k->fd, (struct sockaddr *)&at, &n) != 0)
        return POC_E_IO;
    k->port = poc_addr_port((const struct sockaddr *)&at);
    if (su_wait_create(&wait, k->fd, SU_WAIT_IN) == 0)
        k->wait_index = su_root_register(root, &wait, on_ready, k, 0);
    return k->wait_index > 0 ? POC_OK : POC_E_IO;
}

static poc_err set_up(content *c, const content_settings *s)
{
    static const bcast_flow flows[RELAY_KINDS] = { [RELAY_AUDIO] = BCAST_FLOW_RTP, [RELAY_FLOOR] = BCAST_FLOW_FLOOR };
    for (int kind = 0; kind < RELAY_KINDS; kind++) {
        const struct sockaddr *addr = (const struct sockaddr *)&s->listen[kind];
        c->sockets[kind] = (content_socket){ .content = c, .flow = flows[kind], .fd = -1, .wait_index = -1 };
        if (addr->sa_family != AF_UNSPEC)
            POC_TRY(socket_open(&c->sockets[kind], c->root, addr));
    }
    return POC_OK;
}

poc_err content_new(content **out, su_root_t *root, const content_settings *settings, relay_feed_fn *feed, void *user)
{
    *out = NULL;
    if (settings->source_count > CONTENT_SOURCES_MAX || strlen(settings->channel) >= sizeof((*out)->channel))
        return POC_E_LIMIT;
    content *c = (content *)calloc(1, sizeof(*c));
    if (c == NULL)
        return POC_E_NOMEM;
    c->root = root;
    c->feed = feed;
    c->user = user;
    (void)snprintf(c->channel, sizeof(c->channel), "%s", settings->channel);
    memcpy(c->source, settings->source, sizeof(c->source));
    c->source_count = settings->source_count;
    for (int kind = 0; kind < RELAY_KINDS; kind++)
        c->sockets[kind].fd = c->sockets[kind].wait_index = -1;
    poc_err err = set_up(c, settings);
    if (err != POC_OK) {
        int why = errno;
        content_free(c);
        errno = why;
        return err;
    }
    *out = c;
    return POC_OK;
}

void content_free(content *c)
{
    if (c == NULL)
        return;
    for (int kind = 0; kind < RELAY_KINDS; kind++) {
        if (c->sockets[kind].wait_index > 0)
            (void)su_root_deregister(c->root, c->sockets[kind].wait_index);
        if (c->sockets[kind].fd >= 0)
            (void)close(c->sockets[kind].fd);
    }
    free(c);
}

content_counts content_look(const content *c)
{
    return c->counts;
}

uint16_t content_port(const content *c, relay_kind kind)
{
    return c->sockets[kind].port;
}
