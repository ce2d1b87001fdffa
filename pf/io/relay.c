#include "pf/io/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/table.h"
#include "base/text.h"
#include "bcast/bcast.h"
#include "pf/io/feed.h"
#include "pf/io/log.h"
#include "pf/io/now.h"

enum {
    BATCH = 16,         /* packets read from a socket at a time */
    READY_MAX = 64,     /* sockets looked at per wake-up of the loop */
    CHANNEL_ID_MAX = 64 /* as in bcast_channel */
};

/** What the sessions of one channel share. */
typedef struct relay_channel {
    char id[CHANNEL_ID_MAX];
    uint32_t sessions;
    feed feed;
} relay_channel;

typedef struct relay_port {
    relay_session *session;
    relay_side side;
    relay_kind kind;
    int fd;
    struct sockaddr_in6 local, peer; /* of either family, in as few octets as one takes; peer family 0: none */
} relay_port;

struct relay_session {
    relay *relay;
    relay_session *next, **at; /* the relay's list */
    relay_port port[RELAY_SIDES][RELAY_KINDS];
    relay_channel *channel; /* NULL: plain unicast */
    bool multicast;
    const relay_guard *guard; /* NULL: floor packets of the client are in clear */
    void *guard_ctx;
};

/** One batch of packets, with room for each. */
typedef struct relay_batch {
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_storage from[BATCH];
    uint8_t octets[BATCH][BCAST_PACKET_MAX];
    uint8_t passed[BATCH][BCAST_PACKET_MAX]; /* what a guard made of them */
} relay_batch;

struct relay {
    su_root_t *root;
    relay_settings settings;
    struct sockaddr_storage address;
    relay_feed_fn *feed;
    void *user;
    int epoll_fd, wait_index;
    relay_session *sessions;
    poc_table channels;
    bool *taken; /* one for each even port from port_min */
    size_t port_count, port_next;
    relay_counts counts;
    relay_batch in;
    struct mmsghdr out[BATCH];
};

/* ---- channels ---- */

static relay_channel *channel_take(relay *r, const char *id)
{
    relay_channel *c = (relay_channel *)poc_table_get(&r->channels, poc_span_str(id));
    if (c == NULL) {
        if (strlen(id) >= CHANNEL_ID_MAX || (c = (relay_channel *)calloc(1, sizeof(*c))) == NULL)
            return NULL;
        memcpy(c->id, id, strlen(id));
        feed_init(&c->feed, r->settings.feed_silence_ms);
        if (poc_table_put(&r->channels, poc_span_str(c->id), c) != POC_OK) {
            free(c);
            return NULL;
        }
    }
    c->sessions++;
    return c;
}

static void channel_leave(relay *r, relay_session *s)
{
    relay_channel *c = s->channel;
    if (c == NULL)
        return;
    s->channel = NULL;
    feed_forget_leg(&c->feed, s);
    if (--c->sessions > 0)
        return;
    (void)poc_table_remove(&r->channels, poc_span_str(c->id));
    free(c);
}

/* ---- packets ---- */

static bool is_for_all(const relay_port *port, poc_span packet, bcast_mbcp *msg)
{
    if (port->kind == RELAY_AUDIO)
        return true;
    return bcast_mbcp_parse(msg, packet) == POC_OK && bcast_mbcp_is_for_all(msg->type);
}

static bool feed_takes(relay_channel *c, const relay_port *port, int64_t now_ms, poc_span packet, const bcast_mbcp *msg)
{
    bcast_rtp rtp;
    if (port->kind == RELAY_FLOOR)
        return feed_takes_floor(&c->feed, now_ms, msg, packet);
    return bcast_rtp_parse(&rtp, packet) == POC_OK &&
           feed_takes_audio(&c->feed, port->session, now_ms, rtp.ssrc, rtp.seq);
}

/** A packet from the CF. True when this client gets a copy of his own. */
static bool take_downlink(relay *r, const relay_port *port, int64_t now_ms, poc_span packet)
{
    relay_session *s = port->session;
    bcast_mbcp msg;
    if (s->channel == NULL || !is_for_all(port, packet, &msg))
        return true;
    if (feed_takes(s->channel, port, now_ms, packet, &msg)) {
        r->counts.feed++;
        r->feed(r->user, s->channel->id, port->kind == RELAY_AUDIO ? BCAST_FLOW_RTP : BCAST_FLOW_FLOOR, packet);
    } else {
        r->counts.copies_dropped++;
    }
    return !s->multicast;
}

static bool from_peer(const relay_port *port, const struct msghdr *h)
{
    return (h->msg_flags & MSG_TRUNC) == 0 && port->peer.sin6_family != 0 &&
           poc_addr_eq((const struct sockaddr *)h->msg_name, (const struct sockaddr *)&port->peer);
}

static void refuse_foreign(relay *r, const struct mmsghdr *in)
{
    char from[64];
    poc_wr wr = poc_wr_into(from, sizeof(from));
    poc_addr_put(&wr, (const struct sockaddr *)in->msg_hdr.msg_name);
    r->counts.foreign_dropped++;
    log_refusal("packet_refused", "denied", poc_wr_text(&wr) == POC_OK ? from : "",
                "media from an address that is no peer of this session");
}

/* ---- the guard ---- */

static void refuse_unprotected(relay *r, const relay_port *port, poc_err err)
{
    char from[64];
    poc_wr wr = poc_wr_into(from, sizeof(from));
    if (port->side == RELAY_CF) {
        r->counts.guard_unsealed++;
        return;
    }
    poc_addr_put(&wr, (const struct sockaddr *)&port->peer);
    r->counts.guard_refused++;
    log_refusal("packet_refused", poc_err_name(err), poc_wr_text(&wr) == POC_OK ? from : "",
                "floor control that is not protected by its user");
}

/** Puts what the guard makes of packet `i` in its place. False: it does not pass. */
static bool guard_passes(relay *r, const relay_port *port, int64_t now_ms, unsigned i)
{
    const relay_session *s = port->session;
    if (s->guard == NULL || port->kind != RELAY_FLOOR)
        return true;
    poc_wr out = poc_wr_into(r->in.passed[i], BCAST_PACKET_MAX);
    poc_span packet = poc_span_of(r->in.octets[i], r->in.msg[i].msg_len);
    poc_err err = port->side == RELAY_CLIENT ? s->guard->open(s->guard_ctx, now_ms, &out, packet)
                                             : s->guard->seal(s->guard_ctx, now_ms, &out, packet);
    if (err != POC_OK) {
        refuse_unprotected(r, port, err);
        return false;
    }
    r->in.iov[i] = (struct iovec){ r->in.passed[i], out.len };
    return true;
}

/* ---- on their way ---- */

/** Sends packets of a batch to the peer of `to`; what does not go at once is lost, as in any network. */
static void forward(relay *r, relay_port *to, unsigned count)
{
    uint64_t *counter = to->side == RELAY_CF ? &r->counts.uplink : &r->counts.downlink_unicast;
    for (unsigned i = 0; i < count; i++) {
        r->out[i].msg_hdr.msg_name = &to->peer;
        r->out[i].msg_hdr.msg_namelen = poc_addr_len((struct sockaddr *)&to->peer);
    }
    for (unsigned sent = 0; sent < count;) {
        int n = sendmmsg(to->fd, r->out + sent, count - sent, MSG_DONTWAIT);
        *counter += n > 0 ? (uint64_t)n : 0;
        sent += n > 0 ? (unsigned)n : 1; /* a packet that cannot be sent does not stop the others */
    }
}

static void relay_packets(relay *r, relay_port *port, unsigned count)
{
    int64_t now_ms = io_now_ms();
    relay_port *to = &port->session->port[port->side == RELAY_CLIENT ? RELAY_CF : RELAY_CLIENT][port->kind];
    unsigned forwarded = 0;
    for (unsigned i = 0; i < count; i++) {
        struct mmsghdr *in = &r->in.msg[i];
        if (!from_peer(port, &in->msg_hdr)) {
            refuse_foreign(r, in);
            continue;
        }
        poc_span packet = poc_span_of(r->in.octets[i], in->msg_len);
        if (port->side == RELAY_CF && !take_downlink(r, port, now_ms, packet))
            continue;
        r->in.iov[i].iov_len = in->msg_len;
        if (!guard_passes(r, port, now_ms, i))
            continue;
        r->out[forwarded++].msg_hdr = (struct msghdr){ .msg_iov = &r->in.iov[i], .msg_iovlen = 1 };
    }
    if (to->peer.sin6_family != 0 && forwarded > 0)
        forward(r, to, forwarded);
}

static void read_port(relay *r, relay_port *port)
{
    for (unsigned i = 0; i < BATCH; i++) {
        r->in.iov[i] = (struct iovec){ r->in.octets[i], BCAST_PACKET_MAX };
        r->in.msg[i].msg_hdr = (struct msghdr){
            .msg_name = &r->in.from[i], .msg_namelen = sizeof(r->in.from[i]), .msg_iov = &r->in.iov[i], .msg_iovlen = 1
        };
    }
    int n = recvmmsg(port->fd, r->in.msg, BATCH, MSG_DONTWAIT, NULL);
    if (n > 0) /* an error is an ICMP answer to a packet we sent: nobody listens there now */
        relay_packets(r, port, (unsigned)n);
}

/** One batch per socket, so that none starves the others; epoll is level-triggered and comes back. */
static int on_ready(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    relay *r = (relay *)arg;
    struct epoll_event ready[READY_MAX];
    (void)magic;
    (void)wait;
    int n = epoll_wait(r->epoll_fd, ready, READY_MAX, 0);
    for (int i = 0; i < n; i++)
        read_port(r, (relay_port *)ready[i].data.ptr);
    return 0;
}

/* ---- sockets ---- */

static poc_err port_open(relay *r, relay_port *port, uint16_t number)
{
    const struct sockaddr *local = (const struct sockaddr *)&port->local;
    memcpy(&port->local, &r->address, sizeof(port->local));
    poc_addr_set_port((struct sockaddr *)&port->local, number);
    int fd = socket(port->local.sin6_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = port };
    if (fd < 0)
        return POC_E_IO;
    if (bind(fd, local, poc_addr_len(local)) != 0 || epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        int why = errno;
        (void)close(fd);
        return why == EADDRINUSE ? POC_E_STATE : POC_E_IO;
    }
    port->fd = fd;
    if (number >= r->settings.port_min && number <= r->settings.port_max && number % 2 == 0)
        r->taken[(number - r->settings.port_min) / 2] = true;
    return POC_OK;
}

/** Round the range, so that a port rests as long as possible before another session gets it. */
static poc_err port_open_any(relay *r, relay_port *port)
{
    for (size_t tried = 0; tried < r->port_count; tried++) {
        size_t at = r->port_next++ % r->port_count;
        if (r->taken[at])
            continue;
        poc_err err = port_open(r, port, (uint16_t)(r->settings.port_min + 2 * at));
        if (err != POC_E_STATE)
            return err;
    }
    return POC_E_LIMIT;
}

static void port_close(relay *r, relay_port *port)
{
    if (port->fd < 0)
        return;
    uint16_t number = poc_addr_port((struct sockaddr *)&port->local);
    (void)close(port->fd); /* leaves the epoll set */
    if (number >= r->settings.port_min && number <= r->settings.port_max && number % 2 == 0)
        r->taken[(number - r->settings.port_min) / 2] = false;
}

/* ---- sessions ---- */

static relay_session *session_make(relay *r)
{
    relay_session *s = (relay_session *)calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->relay = r;
    s->next = r->sessions;
    s->at = &r->sessions;
    if (s->next != NULL)
        s->next->at = &s->next;
    r->sessions = s;
    r->counts.sessions++;
    for (int side = 0; side < RELAY_SIDES; side++)
        for (int kind = 0; kind < RELAY_KINDS; kind++)
            s->port[side][kind] =
                (relay_port){ .session = s, .side = (relay_side)side, .kind = (relay_kind)kind, .fd = -1 };
    return s;
}

static poc_err open_all(relay_session *s, const uint16_t (*number)[RELAY_KINDS])
{
    for (int side = 0; side < RELAY_SIDES; side++)
        for (int kind = 0; kind < RELAY_KINDS; kind++) {
            relay_port *port = &s->port[side][kind];
            poc_err err =
                number == NULL ? port_open_any(s->relay, port) : port_open(s->relay, port, number[side][kind]);
            if (err != POC_OK)
                return number == NULL ? err : POC_E_IO;
        }
    return POC_OK;
}

static poc_err session_open(relay_session **out, relay *r, const uint16_t (*number)[RELAY_KINDS])
{
    *out = NULL;
    if (r->counts.sessions >= r->settings.sessions_max)
        return POC_E_LIMIT;
    relay_session *s = session_make(r);
    if (s == NULL)
        return POC_E_NOMEM;
    poc_err err = open_all(s, number);
    if (err != POC_OK) {
        relay_session_free(s);
        return err;
    }
    *out = s;
    return POC_OK;
}

poc_err relay_session_new(relay_session **out, relay *r)
{
    return session_open(out, r, NULL);
}

poc_err relay_session_at(relay_session **out, relay *r, uint16_t const port[RELAY_SIDES][RELAY_KINDS])
{
    return session_open(out, r, port);
}

void relay_session_free(relay_session *s)
{
    if (s == NULL)
        return;
    relay *r = s->relay;
    relay_session_guard(s, NULL, NULL);
    channel_leave(r, s);
    for (int side = 0; side < RELAY_SIDES; side++)
        for (int kind = 0; kind < RELAY_KINDS; kind++)
            port_close(r, &s->port[side][kind]);
    *s->at = s->next;
    if (s->next != NULL)
        s->next->at = s->at;
    r->counts.sessions--;
    free(s);
}

const struct sockaddr *relay_session_local(const relay_session *s, relay_side side, relay_kind kind)
{
    return (const struct sockaddr *)&s->port[side][kind].local;
}

void relay_session_peer(relay_session *s, relay_side side, relay_kind kind, const struct sockaddr *peer)
{
    struct sockaddr_in6 *at = &s->port[side][kind].peer;
    memset(at, 0, sizeof(*at));
    if (peer != NULL && peer->sa_family == s->relay->address.ss_family)
        memcpy(at, peer, poc_addr_len(peer));
}

void relay_session_channel(relay_session *s, const char *channel)
{
    if (s->channel != NULL && channel != NULL && strcmp(s->channel->id, channel) == 0)
        return;
    channel_leave(s->relay, s);
    if (channel != NULL)
        s->channel = channel_take(s->relay, channel); /* out of memory: this leg is no candidate, unicast goes on */
}

void relay_session_serve(relay_session *s, bool multicast)
{
    s->multicast = multicast;
}

void relay_session_guard(relay_session *s, const relay_guard *guard, void *ctx)
{
    if (s->guard != NULL)
        s->guard->done(s->guard_ctx);
    s->guard = guard;
    s->guard_ctx = ctx;
}

/* ---- the relay ---- */

static poc_err watch(relay *r)
{
    su_wait_t wait = SU_WAIT_INIT;
    if ((r->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 || su_wait_create(&wait, r->epoll_fd, SU_WAIT_IN) != 0)
        return POC_E_IO;
    r->wait_index = su_root_register(r->root, &wait, on_ready, r, 0);
    return r->wait_index > 0 ? POC_OK : POC_E_IO;
}

static poc_err set_up(relay *r, const relay_settings *settings)
{
    uint64_t seed;
    r->settings = *settings;
    r->settings.address = NULL; /* borrowed by the caller; parsed here */
    r->settings.port_min = (uint16_t)((settings->port_min + 1u) & ~1u);
    if (r->settings.port_min > settings->port_max)
        return POC_E_INPUT;
    r->port_count = (size_t)(settings->port_max - r->settings.port_min) / 2 + 1;
    POC_TRY(poc_addr_parse(&r->address, poc_span_str(settings->address), 0));
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, &seed, sizeof(seed)));
    poc_table_init(&r->channels, seed);
    if ((r->taken = (bool *)calloc(r->port_count, sizeof(bool))) == NULL)
        return POC_E_NOMEM;
    return watch(r);
}

poc_err relay_new(relay **out, su_root_t *root, const relay_settings *settings, relay_feed_fn *on_feed, void *user)
{
    relay *r = (relay *)calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL)
        return POC_E_NOMEM;
    r->root = root;
    r->feed = on_feed;
    r->user = user;
    r->epoll_fd = r->wait_index = -1;
    poc_err err = set_up(r, settings);
    if (err != POC_OK) {
        relay_free(r);
        return err;
    }
    *out = r;
    return POC_OK;
}

void relay_free(relay *r)
{
    if (r == NULL)
        return;
    while (r->sessions != NULL)
        relay_session_free(r->sessions);
    poc_table_done(&r->channels);
    if (r->wait_index > 0)
        (void)su_root_deregister(r->root, r->wait_index);
    if (r->epoll_fd >= 0)
        (void)close(r->epoll_fd);
    free(r->taken);
    free(r);
}

relay_counts relay_look(const relay *r)
{
    return r->counts;
}
