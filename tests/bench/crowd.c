#include "tests/bench/crowd.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/ident.h"
#include "tests/bench/bench.h"
#include "tests/bench/crowd_answer.h"

enum {
    BATCH = 64,
    BTID_MAX = 80,
    FIRST_ADDRESS = 0x7f010001, /* 127.1.0.1 */
    SOCKETS_MAX = 16,
    MEMBERS_PER_SOCKET = 8192, /* in reality everybody has a receive buffer: no loss that members would not have */
    BUFFER_OCTETS = 4 * 1024 * 1024, /* as much as the system lets everybody have */
    IDLE_MS = 20
};

typedef struct letters {
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_in peer[BATCH];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
    uint8_t octets[BATCH][CROWD_OCTETS_MAX];
} letters;

struct crowd {
    size_t members;
    poc_secret **muks;
    char (*btids)[BTID_MAX];
    int fds[SOCKETS_MAX];
    size_t fd_count;
    uint16_t ports[SOCKETS_MAX];
    pthread_t thread;
    bool is_running;
    atomic_bool stop;
    atomic_size_t answered, refused;
    letters in, out;
};

double crowd_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- members ---- */

static bool members_make(crowd *c)
{
    c->muks = calloc(c->members, sizeof(*c->muks));
    c->btids = calloc(c->members, sizeof(*c->btids));
    if (c->muks == NULL || c->btids == NULL)
        return false;
    for (size_t i = 0; i < c->members; i++) {
        if (poc_secret_random(&c->muks[i], POC_MUK_LEN, &poc_rng_system) != POC_OK)
            return false;
        (void)snprintf(c->btids[i], BTID_MAX, "I1U8vpY3qJ0hi%07zuke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org", i);
    }
    return true;
}

size_t crowd_size(const crowd *c)
{
    return c->members;
}

poc_secret *crowd_muk(const crowd *c, size_t i)
{
    return c->muks[i];
}

poc_span crowd_btid(const crowd *c, size_t i)
{
    return poc_span_str(c->btids[i]);
}

struct sockaddr_in crowd_address(const crowd *c, size_t i)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(c->ports[i % c->fd_count]),
                                 .sin_addr = { htonl((uint32_t)(FIRST_ADDRESS + i)) } };
}

/* ---- the listener ---- */

static void letters_init(letters *l)
{
    for (size_t i = 0; i < BATCH; i++) {
        l->iov[i] = (struct iovec){ l->octets[i], CROWD_OCTETS_MAX };
        l->msg[i].msg_hdr = (struct msghdr){ .msg_name = &l->peer[i],
                                             .msg_namelen = sizeof(l->peer[i]),
                                             .msg_iov = &l->iov[i],
                                             .msg_iovlen = 1,
                                             .msg_control = l->control[i],
                                             .msg_controllen = sizeof(l->control[i]) };
    }
}

/* The member a datagram was sent to, or one that is none. */
static size_t member_of(struct msghdr *h)
{
    const struct cmsghdr *m = CMSG_FIRSTHDR(h);
    struct in_pktinfo info;
    if (m == NULL || m->cmsg_level != IPPROTO_IP || m->cmsg_type != IP_PKTINFO)
        return SIZE_MAX;
    memcpy(&info, CMSG_DATA(m), sizeof(info));
    return (size_t)ntohl(info.ipi_addr.s_addr) - FIRST_ADDRESS;
}

/* Hands out what came, answers it, and makes the answers the first letters to be sent. */
static size_t answer_all(crowd *c, size_t n)
{
    crowd_letter mail[BATCH];
    size_t answers = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t member = member_of(&c->in.msg[i].msg_hdr);
        mail[i] = (crowd_letter){ .in = poc_span_of(c->in.octets[i], c->in.msg[i].msg_len),
                                  .muk = member < c->members ? c->muks[member] : NULL,
                                  .out = c->out.octets[i] };
    }
    crowd_answer(mail, n);
    for (size_t i = 0; i < n; i++) {
        if (mail[i].out_len == 0)
            continue;
        c->out.iov[answers] = (struct iovec){ mail[i].out, mail[i].out_len };
        c->out.peer[answers] = c->in.peer[i];
        memcpy(c->out.control[answers++], c->in.control[i], sizeof(c->in.control[i])); /* from where it came to */
    }
    return answers;
}

static void send_all(int fd, struct mmsghdr *msg, size_t n)
{
    while (n > 0) {
        const int sent = sendmmsg(fd, msg, (unsigned)n, 0);
        if (sent <= 0)
            return;
        msg += sent;
        n -= (size_t)sent;
    }
}

static size_t socket_serve(crowd *c, int fd)
{
    for (size_t i = 0; i < BATCH; i++) {
        c->in.msg[i].msg_hdr.msg_namelen = sizeof(c->in.peer[i]);
        c->in.msg[i].msg_hdr.msg_controllen = sizeof(c->in.control[i]);
    }
    const int n = recvmmsg(fd, c->in.msg, BATCH, MSG_DONTWAIT, NULL);
    if (n <= 0)
        return 0;
    const size_t answers = answer_all(c, (size_t)n);
    send_all(fd, c->out.msg, answers);
    atomic_fetch_add(&c->answered, answers);
    atomic_fetch_add(&c->refused, (size_t)n - answers);
    return (size_t)n;
}

static void *listen_on(void *arg)
{
    crowd *c = arg;
    struct pollfd fds[SOCKETS_MAX];
    for (size_t i = 0; i < c->fd_count; i++)
        fds[i] = (struct pollfd){ .fd = c->fds[i], .events = POLLIN };
    bench_core_take(1);
    while (!atomic_load(&c->stop)) {
        size_t heard = 0;
        for (size_t i = 0; i < c->fd_count; i++)
            heard += socket_serve(c, c->fds[i]);
        if (heard == 0)
            (void)poll(fds, c->fd_count, IDLE_MS);
    }
    return NULL;
}

static bool socket_add(crowd *c)
{
    const int on = 1, octets = BUFFER_OCTETS;
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t n = sizeof(at);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    c->fds[c->fd_count++] = fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
    if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || getsockname(fd, (struct sockaddr *)&at, &n) != 0)
        return false;
    c->ports[c->fd_count - 1] = ntohs(at.sin_port);
    return true;
}

static bool listener_start(crowd *c)
{
    const size_t wanted = 1 + c->members / MEMBERS_PER_SOCKET;
    letters_init(&c->in);
    letters_init(&c->out);
    while (c->fd_count < wanted && c->fd_count < SOCKETS_MAX) {
        if (!socket_add(c))
            return false;
    }
    c->is_running = pthread_create(&c->thread, NULL, listen_on, c) == 0;
    if (c->is_running)
        bench_core_take(0);
    return c->is_running;
}

crowd *crowd_new(size_t members)
{
    crowd *c = members > CROWD_MAX ? NULL : calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->members = members;
    if (!members_make(c) || !listener_start(c)) {
        crowd_free(c);
        return NULL;
    }
    return c;
}

void crowd_free(crowd *c)
{
    if (c == NULL)
        return;
    atomic_store(&c->stop, true);
    if (c->is_running)
        (void)pthread_join(c->thread, NULL);
    for (size_t i = 0; i < c->fd_count; i++)
        (void)close(c->fds[i]);
    for (size_t i = 0; c->muks != NULL && i < c->members; i++)
        poc_secret_free(c->muks[i]);
    free(c->muks);
    free(c->btids);
    free(c);
}

crowd_counts crowd_look(const crowd *c)
{
    return (crowd_counts){ atomic_load(&c->answered), atomic_load(&c->refused) };
}
