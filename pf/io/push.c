#include "pf/io/push.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/log.h"
#include "pf/io/now.h"
#include "pf/io/sources.h"
#include "pf/io/wake.h"

enum {
    BUFFER_OCTETS =
        64 * 1024 * 1024, /* 170,000 answers that come while the loop does something else; taken as they come */
    HEAR_BATCHES = 4,     /* per turn of the loop: about a millisecond */
    STALL_MS = 50         /* a socket that takes nothing for so long stands still: others must not wait for it */
};

/* ---- addresses ---- */

/*      0        1        2      4
 *      +--------+--------+------+-----------------+
 *      | 4 or 6 | scope  | port | 4 or 16 octets  |
 *      +--------+--------+------+-----------------+
 * The scope is the interface of an IPv6 link-local address, else 0. */
enum { IP4_LEN = 8, IP6_LEN = 20 };

static poc_err pack_ip4(uint8_t out[PUSH_ADDRESS_MAX], size_t *len, const uint8_t ip[4], uint16_t port)
{
    static const uint8_t nobody[4] = { 0 };
    if (port == 0 || memcmp(ip, nobody, sizeof(nobody)) == 0 || ip[0] >= 224)
        return POC_E_INPUT;
    poc_wr wr = poc_wr_into(out, PUSH_ADDRESS_MAX);
    poc_wr_u8(&wr, 4);
    poc_wr_u8(&wr, 0);
    poc_wr_u16(&wr, port);
    poc_wr_put(&wr, ip, 4);
    *len = wr.len;
    return poc_wr_done(&wr);
}

poc_err push_address_pack(uint8_t out[PUSH_ADDRESS_MAX], size_t *len, const struct sockaddr *addr)
{
    uint16_t port = poc_addr_port(addr);
    if (addr->sa_family == AF_INET)
        return pack_ip4(out, len, (const uint8_t *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr, port);
    if (addr->sa_family != AF_INET6)
        return POC_E_INPUT;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)addr;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return pack_ip4(out, len, six->sin6_addr.s6_addr + 12, port);
    if (port == 0 || IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr) || IN6_IS_ADDR_MULTICAST(&six->sin6_addr))
        return POC_E_INPUT;
    bool has_scope = IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
    if (has_scope && six->sin6_scope_id > UINT8_MAX)
        return POC_E_INPUT;
    poc_wr wr = poc_wr_into(out, PUSH_ADDRESS_MAX);
    poc_wr_u8(&wr, 6);
    poc_wr_u8(&wr, has_scope ? (uint8_t)six->sin6_scope_id : 0);
    poc_wr_u16(&wr, port);
    poc_wr_put(&wr, six->sin6_addr.s6_addr, 16);
    *len = wr.len;
    return poc_wr_done(&wr);
}

poc_err push_address_unpack(struct sockaddr_storage *out, const void *address, size_t len)
{
    const uint8_t *at = (const uint8_t *)address;
    bool is_ip4 = len == IP4_LEN && at[0] == 4, is_ip6 = len == IP6_LEN && at[0] == 6;
    if (!is_ip4 && !is_ip6)
        return POC_E_INPUT;
    uint16_t port = (uint16_t)(at[2] << 8 | at[3]);
    *out = (struct sockaddr_storage){ 0 };
    if (is_ip4) {
        struct sockaddr_in *four = (struct sockaddr_in *)out;
        *four = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
        memcpy(&four->sin_addr, at + 4, 4);
        return POC_OK;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    *six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = at[1] };
    memcpy(&six->sin6_addr, at + 4, 16);
    return POC_OK;
}

/* ---- a socket ---- */

/** Datagrams of one direction with room for each; the headers point into it once and for all. */
typedef struct batch {
    struct mmsghdr msg[PUSH_BATCH];
    struct iovec iov[PUSH_BATCH];
    struct sockaddr_storage peer[PUSH_BATCH];
    uint8_t octets[PUSH_BATCH][PUSH_OCTETS_MAX];
} batch;

typedef struct push_socket {
    push *push;
    int fd, wait_index;
    sa_family_t family;
    uint16_t port;
    bool is_blocked; /* the system takes no more: wait_index waits for it */
    bool is_stalled; /* for too long: until it takes something again, what it does not take at once is lost */
    wake *stall;
    unsigned first, count; /* of `out`: what is to be sent */
    batch out;
} push_socket;

struct push {
    su_root_t *root;
    push_events events;
    void *user;
    uint32_t refused_per_source_s;
    sources *refusals;
    push_counts counts;
    push_socket *sockets[PUSH_SOCKETS_MAX];
    size_t socket_count;
    batch in;
};

static void batch_init(batch *b)
{
    for (size_t i = 0; i < PUSH_BATCH; i++) {
        b->iov[i] = (struct iovec){ b->octets[i], PUSH_OCTETS_MAX };
        b->msg[i].msg_hdr = (struct msghdr){
            .msg_name = &b->peer[i], .msg_namelen = sizeof(b->peer[i]), .msg_iov = &b->iov[i], .msg_iovlen = 1
        };
    }
}

static push_socket *socket_of(const push *p, sa_family_t family)
{
    for (size_t i = 0; i < p->socket_count; i++)
        if (p->sockets[i]->family == family)
            return p->sockets[i];
    return NULL;
}

/* ---- sending ---- */

static void wait_until_writable(push_socket *k, bool wait)
{
    if (k->is_blocked == wait)
        return;
    k->is_blocked = wait;
    if (k->push->root == NULL)
        return;
    (void)su_root_eventmask(k->push->root, k->wait_index, k->fd, SU_WAIT_IN | (wait ? SU_WAIT_OUT : 0));
    wake_at(k->stall, wait ? io_now_ms() + STALL_MS : INT64_MAX);
}

static bool is_full_up(int why)
{
    return why == EAGAIN || why == EWOULDBLOCK || why == ENOBUFS;
}

/** As a network that is down loses it; the engine sends again. */
static bool drop_batch(push_socket *k)
{
    k->push->counts.send_errors += k->count;
    k->first = k->count = 0;
    return true;
}

/** Sends what is gathered. A datagram that cannot go anywhere is dropped: it does not stop the others. */
static bool socket_flush(push_socket *k)
{
    push_counts *counts = &k->push->counts;
    while (k->count > 0) {
        int n = sendmmsg(k->fd, k->out.msg + k->first, k->count, MSG_DONTWAIT);
        counts->system_calls++;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && is_full_up(errno)) {
            counts->blocked++;
            if (k->is_stalled)
                return drop_batch(k);
            wait_until_writable(k, true);
            return false;
        }
        k->is_stalled = false;
        unsigned done = n > 0 ? (unsigned)n : 1;
        *(n > 0 ? &counts->sent : &counts->send_errors) += done;
        k->first += done;
        k->count -= done;
    }
    k->first = 0;
    wait_until_writable(k, false);
    return true;
}

poc_err push_send(push *p, const void *address, size_t address_len, poc_span octets)
{
    struct sockaddr_storage to;
    POC_TRY(push_address_unpack(&to, address, address_len));
    push_socket *k = socket_of(p, to.ss_family);
    if (k == NULL)
        return POC_E_IO;
    if (octets.n > PUSH_OCTETS_MAX)
        return POC_E_LIMIT;
    if (k->first + k->count == PUSH_BATCH && !socket_flush(k))
        return POC_E_STATE;
    unsigned at = k->first + k->count++;
    k->out.peer[at] = to;
    k->out.msg[at].msg_hdr.msg_namelen = poc_addr_len((const struct sockaddr *)&to);
    memcpy(k->out.octets[at], octets.p, octets.n);
    k->out.iov[at].iov_len = octets.n;
    if (k->first + k->count == PUSH_BATCH && !k->is_blocked)
        (void)socket_flush(k);
    return POC_OK;
}

bool push_flush(push *p)
{
    bool all = true;
    for (size_t i = 0; i < p->socket_count; i++)
        all = socket_flush(p->sockets[i]) && all;
    return all;
}

bool push_is_full(const push *p)
{
    for (size_t i = 0; i < p->socket_count; i++)
        if (p->sockets[i]->first + p->sockets[i]->count == PUSH_BATCH)
            return true;
    return false;
}

static void tell_writable(const push *p)
{
    if (p->events.writable != NULL)
        p->events.writable(p->user);
}

static void on_stall(void *user)
{
    push_socket *k = (push_socket *)user;
    if (!k->is_blocked)
        return;
    k->is_stalled = true;
    (void)socket_flush(k);
    wait_until_writable(k, false);
    if (k->is_stalled)
        log_refusal("push_stalled", "io", "", "the network takes no datagrams: pushed messages are lost");
    tell_writable(k->push);
}

/* ---- hearing ---- */

static int64_t now_s(void)
{
    return io_now_ms() / 1000;
}

/** Whoever sends much that is refused is not listened to for the rest of the second. By address and port: nobody is made to
 *  suffer for his neighbour behind one address. Answers that hold are not counted, however many there are. */
static bool is_over_bound(push *p, poc_span from)
{
    if (p->refused_per_source_s == 0 || sources_look(p->refusals, from, now_s()) < p->refused_per_source_s)
        return false;
    p->counts.ignored++;
    return true;
}

static void count_refusal(push *p, poc_span from, const struct sockaddr *addr)
{
    char text[64];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    p->counts.refused++;
    (void)sources_add(p->refusals, from, now_s());
    poc_addr_put(&wr, addr);
    log_refusal("push_refused", "input", poc_wr_text(&wr) == POC_OK ? text : "",
                "a datagram confirms nothing that was pushed");
}

typedef struct intake {
    push_datagram datagram[PUSH_BATCH];
    uint8_t address[PUSH_BATCH][PUSH_ADDRESS_MAX];
    unsigned place[PUSH_BATCH]; /* in the batch */
    size_t n;
} intake;

static void take_in(push *p, intake *in, unsigned place)
{
    const struct msghdr *h = &p->in.msg[place].msg_hdr;
    size_t at = in->n, len;
    if (push_address_pack(in->address[at], &len, (const struct sockaddr *)h->msg_name) != POC_OK ||
        is_over_bound(p, poc_span_of(in->address[at], len)))
        return;
    if ((h->msg_flags & MSG_TRUNC) != 0) {
        count_refusal(p, poc_span_of(in->address[at], len), (const struct sockaddr *)h->msg_name);
        return;
    }
    in->datagram[at] = (push_datagram){ .address = in->address[at],
                                        .address_len = len,
                                        .octets = poc_span_of(p->in.octets[place], p->in.msg[place].msg_len) };
    in->place[in->n++] = place;
}

static size_t socket_hear(push_socket *k)
{
    push *p = k->push;
    intake in;
    in.n = 0;
    for (size_t i = 0; i < PUSH_BATCH; i++) {
        p->in.msg[i].msg_hdr.msg_namelen = sizeof(p->in.peer[i]);
        p->in.msg[i].msg_hdr.msg_flags = 0;
    }
    int n = recvmmsg(k->fd, p->in.msg, PUSH_BATCH, MSG_DONTWAIT, NULL);
    if (n <= 0)
        return 0; /* an error is an ICMP answer to something sent: nobody listens there now */
    p->counts.heard += (unsigned)n;
    for (unsigned i = 0; i < (unsigned)n; i++)
        take_in(p, &in, i);
    if (in.n > 0)
        p->events.heard(p->user, in.datagram, in.n);
    for (size_t i = 0; i < in.n; i++)
        if (in.datagram[i].is_refused)
            count_refusal(p, poc_span_of(in.address[i], in.datagram[i].address_len),
                          (const struct sockaddr *)&p->in.peer[in.place[i]]);
    return (size_t)n;
}

size_t push_hear(push *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->socket_count; i++)
        n += socket_hear(p->sockets[i]);
    return n;
}

/* ---- life ---- */

/** Past the system's bound where the process may, else up to it. */
static void widen(int fd, int forced, int asked, uint32_t octets)
{
    const int want = (int)octets;
    if (setsockopt(fd, SOL_SOCKET, forced, &want, sizeof(want)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, asked, &want, sizeof(want));
}

/** A datagram that may be taken apart needs a number that does not come again for two minutes (RFC 6864, 4.3): 16 bits do not
 *  have so many, and looking for one is a tenth of the cost of sending. An MSK message has two or three hundred octets. */
static void forbid_fragments(int fd)
{
    const int whole = IP_PMTUDISC_DO;
    (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof(whole));
}

static poc_err socket_bind(push_socket *k, const struct sockaddr *addr, uint32_t octets)
{
    const int on = 1;
    struct sockaddr_storage at = { 0 };
    socklen_t n = sizeof(at);
    k->fd = socket(addr->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->fd < 0)
        return POC_E_IO;
    if (addr->sa_family == AF_INET6)
        (void)setsockopt(k->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)); /* IPv4 has its own */
    else
        forbid_fragments(k->fd);
    widen(k->fd, SO_SNDBUFFORCE, SO_SNDBUF, octets);
    widen(k->fd, SO_RCVBUFFORCE, SO_RCVBUF, octets);
    if (bind(k->fd, addr, poc_addr_len(addr)) != 0 || getsockname(k->fd, (struct sockaddr *)&at, &n) != 0)
        return POC_E_IO;
    k->port = poc_addr_port((const struct sockaddr *)&at);
    return POC_OK;
}

static int on_ready(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    push_socket *k = (push_socket *)arg;
    (void)magic;
    if ((wait->revents & SU_WAIT_OUT) != 0 && k->is_blocked && socket_flush(k))
        tell_writable(k->push);
    for (int i = 0; i < HEAR_BATCHES && socket_hear(k) == PUSH_BATCH; i++)
        ;
    return 0;
}

static poc_err socket_watch(push_socket *k, su_root_t *root)
{
    su_wait_t wait = SU_WAIT_INIT;
    if (su_wait_create(&wait, k->fd, SU_WAIT_IN) != 0)
        return POC_E_IO;
    k->wait_index = su_root_register(root, &wait, on_ready, k, 0);
    return k->wait_index > 0 ? wake_new(&k->stall, root, on_stall, k) : POC_E_IO;
}

static void socket_free(push_socket *k)
{
    if (k->wait_index > 0)
        (void)su_root_deregister(k->push->root, k->wait_index);
    wake_free(k->stall);
    if (k->fd >= 0)
        (void)close(k->fd);
    free(k);
}

static poc_err socket_add(push *p, const struct sockaddr *addr, uint32_t octets)
{
    if (p->socket_count == PUSH_SOCKETS_MAX || socket_of(p, addr->sa_family) != NULL)
        return POC_E_INPUT;
    push_socket *k = (push_socket *)calloc(1, sizeof(*k));
    if (k == NULL)
        return POC_E_NOMEM;
    p->sockets[p->socket_count++] = k;
    k->push = p;
    k->family = addr->sa_family;
    k->fd = k->wait_index = -1;
    batch_init(&k->out);
    POC_TRY(socket_bind(k, addr, octets == 0 ? BUFFER_OCTETS : octets));
    return p->root == NULL ? POC_OK : socket_watch(k, p->root);
}

static poc_err set_up(push *p, const push_settings *settings)
{
    POC_TRY(sources_new(&p->refusals));
    p->refused_per_source_s = settings->refused_per_source_s;
    batch_init(&p->in);
    for (size_t i = 0; i < settings->listen_count; i++)
        POC_TRY(socket_add(p, (const struct sockaddr *)&settings->listen[i], settings->buffer_octets));
    return POC_OK;
}

poc_err push_new(push **out, su_root_t *root, const push_settings *settings, const push_events *events, void *user)
{
    push *p = (push *)calloc(1, sizeof(*p));
    *out = NULL;
    if (p == NULL)
        return POC_E_NOMEM;
    p->root = root;
    p->events = *events;
    p->user = user;
    poc_err err = set_up(p, settings);
    if (err != POC_OK) {
        int why = errno;
        push_free(p);
        errno = why;
        return err;
    }
    *out = p;
    return POC_OK;
}

void push_free(push *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->socket_count; i++)
        socket_free(p->sockets[i]);
    sources_free(p->refusals);
    free(p);
}

int push_fd(const push *p, sa_family_t family)
{
    const push_socket *k = socket_of(p, family);
    return k == NULL ? -1 : k->fd;
}

uint16_t push_port(const push *p, sa_family_t family)
{
    const push_socket *k = socket_of(p, family);
    return k == NULL ? 0 : k->port;
}

push_counts push_look(const push *p)
{
    return p->counts;
}
