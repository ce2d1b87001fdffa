/* What others may hold open of our SIP listeners over TCP. Sofia takes every connection that comes, runs no idle time for one on
 * which nothing was ever said, and lets nobody walk through all of them. So they are looked at from outside, as descriptors: the
 * kernel knows how long nothing has moved on each. What has to go is shut down, and to Sofia that is the end of a stream as when
 * the peer ends it. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sofia-sip/tport.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pf/io/now.h"
#include "pf/io/sip_private.h"

enum {
    TURN_MS = 250,
    TURN_DESCRIPTORS = 1024, /* looked at in one turn: less than a millisecond */
    RESERVE_MAX = 1024,      /* descriptors that SIP over TCP leaves to all else, at most; */
    RESERVE_PART = 8,        /* one of so many where there are few */
    SOURCE_PART = 4          /* a source has at most one of so many descriptors */
};

typedef struct connection {
    int fd;
    uint32_t idle_ms;
    struct sockaddr_storage peer;
} connection;

struct sip_tcp {
    sip *sip;
    wake *next;
    DIR *descriptors; /* /proc/self/fd, kept open: there may be no descriptor left to open it with */
    uint64_t idle_ms; /* 0: for ever */
    uint32_t per_source;
    bool is_stalled;
    connection *seen; /* in this round, of peers that are not trusted */
    size_t seen_count, seen_cap;
};

static const struct sockaddr *generic(const struct sockaddr_storage *addr)
{
    return (const struct sockaddr *)addr;
}

/* ---- listeners ---- */

static tport_t *first_listener(const sip_tcp *t)
{
    return tport_primaries(nta_agent_tports(t->sip->agent));
}

static bool listens_over_tcp(const sip_tcp *t)
{
    for (const tport_t *p = first_listener(t); p != NULL; p = tport_next(p))
        if (tport_is_tcp(p))
            return true;
    return false;
}

static bool is_any(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr == htonl(INADDR_ANY);
    return addr->sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr);
}

/** A connection that was accepted has the address of its listener. */
static bool is_accepted_at(const sip_tcp *t, const struct sockaddr_storage *local)
{
    for (const tport_t *p = first_listener(t); p != NULL; p = tport_next(p)) {
        const struct sockaddr *at = tport_is_tcp(p) ? tport_get_address(p)->ai_addr : NULL;
        if (at == NULL || poc_addr_port(at) != poc_addr_port(generic(local)))
            continue;
        if (is_any(at) || poc_addr_eq(at, generic(local)))
            return true;
    }
    return false;
}

/* ---- one connection ---- */

/** An IPv4 peer as such, also at a listener for both families. */
static void unmap(struct sockaddr_storage *peer)
{
    struct sockaddr_in6 six;
    memcpy(&six, peer, sizeof(six));
    if (peer->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
        return;
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = six.sin6_port };
    memcpy(&four.sin_addr, six.sin6_addr.s6_addr + 12, 4);
    memset(peer, 0, sizeof(*peer));
    memcpy(peer, &four, sizeof(four));
}

static bool is_trusted(const sip *s, const struct sockaddr_storage *peer)
{
    struct sockaddr_storage from = *peer;
    poc_addr_set_port((struct sockaddr *)&from, 0);
    for (size_t i = 0; i < s->trusted_count; i++) {
        /* Of the core's connections only the address is known beforehand. */
        struct sockaddr_storage trusted = s->trusted[i];
        poc_addr_set_port((struct sockaddr *)&trusted, 0);
        if (poc_addr_eq(generic(&from), generic(&trusted)))
            return true;
    }
    return false;
}

/** False: this descriptor is something else, or its connection is ending already. */
static bool connection_of(const sip_tcp *t, connection *out, int fd)
{
    struct sockaddr_storage local;
    struct tcp_info info;
    socklen_t local_len = sizeof(local), peer_len = sizeof(out->peer), info_len = sizeof(info);
    memset(&info, 0, sizeof(info));
    if (getsockname(fd, (struct sockaddr *)&local, &local_len) != 0 || !is_accepted_at(t, &local) ||
        getpeername(fd, (struct sockaddr *)&out->peer, &peer_len) != 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) != 0)
        return false;
    unmap(&out->peer);
    out->fd = fd;
    out->idle_ms =
        info.tcpi_last_data_recv < info.tcpi_last_data_sent ? info.tcpi_last_data_recv : info.tcpi_last_data_sent;
    return info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT;
}

static bool keep_in_mind(sip_tcp *t, const connection *c)
{
    if (t->seen_count == t->seen_cap) {
        size_t cap = t->seen_cap != 0 ? t->seen_cap * 2 : 64;
        connection *more = realloc(t->seen, cap * sizeof(*more));
        if (more == NULL)
            return false;
        t->seen = more;
        t->seen_cap = cap;
    }
    t->seen[t->seen_count++] = *c;
    return true;
}

static void look_at(sip_tcp *t, int fd)
{
    connection c;
    if (!connection_of(t, &c, fd) || is_trusted(t->sip, &c.peer))
        return;
    if (t->idle_ms != 0 && c.idle_ms >= t->idle_ms)
        (void)shutdown(fd, SHUT_RDWR);
    else
        (void)keep_in_mind(t, &c); /* who is not counted is let be */
}

/* ---- what one source has ---- */

static int order_of_hosts(const connection *a, const connection *b)
{
    poc_span x = sources_host(generic(&a->peer)), y = sources_host(generic(&b->peer));
    if (x.n != y.n)
        return x.n < y.n ? -1 : 1;
    return memcmp(x.p, y.p, x.n);
}

/** By host; of each host the one that has been silent longest comes first. */
static int order(const void *a, const void *b)
{
    const connection *x = a, *y = b;
    int hosts = order_of_hosts(x, y);
    if (hosts != 0)
        return hosts;
    return x->idle_ms == y->idle_ms ? 0 : x->idle_ms > y->idle_ms ? -1 : 1;
}

static int descriptors_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        return INT_MAX;
    return (int)limit.rlim_cur;
}

static size_t per_source_max(const sip_tcp *t)
{
    size_t part = (size_t)descriptors_max() / SOURCE_PART;
    return part < t->per_source ? part : t->per_source;
}

/** The round has lasted several turns: the descriptor may be another's by now. */
static void end_connection(sip_tcp *t, const connection *seen)
{
    connection now;
    if (!connection_of(t, &now, seen->fd) || !poc_addr_eq(generic(&now.peer), generic(&seen->peer)))
        return;
    sip_refused(t->sip, POC_E_LIMIT, NULL, "a source has more SIP connections than it may");
    (void)shutdown(now.fd, SHUT_RDWR);
}

static void bound_sources(sip_tcp *t)
{
    const size_t most = per_source_max(t);
    if (t->per_source == 0 || t->seen_count <= most)
        return;
    qsort(t->seen, t->seen_count, sizeof(*t->seen), order);
    for (size_t i = 0, end = 0; i < t->seen_count; i = end) {
        while (end < t->seen_count && order_of_hosts(&t->seen[i], &t->seen[end]) == 0)
            end++;
        for (size_t at = i; at + most < end; at++)
            end_connection(t, &t->seen[at]);
    }
}

/* ---- the reserve ---- */

/** The lowest free descriptor is nearly the highest there may be. */
static bool is_short_of_descriptors(const sip_tcp *t)
{
    const int most = descriptors_max(), part = most / RESERVE_PART;
    const int lowest = fcntl(dirfd(t->descriptors), F_DUPFD_CLOEXEC, 0);
    if (lowest < 0)
        return true;
    (void)close(lowest);
    return lowest >= most - (part < RESERVE_MAX ? part : RESERVE_MAX);
}

/* Sessions need descriptors, and so does the store. While there are few, connections wait with the kernel; with none left, Sofia
 * would be told of them again and again and could not take them. */
static void mind_the_reserve(sip_tcp *t)
{
    const bool is_short = is_short_of_descriptors(t);
    if (is_short == t->is_stalled)
        return;
    t->is_stalled = is_short;
    for (tport_t *p = first_listener(t); p != NULL; p = tport_next(p))
        if (tport_is_tcp(p))
            (void)(is_short ? tport_stall(p) : tport_continue(p));
    if (is_short)
        sip_refused(t->sip, POC_E_LIMIT, NULL, "descriptors run short: SIP connections have to wait");
}

/* ---- turns ---- */

/** False: that was the last one. */
static bool look_at_next(sip_tcp *t)
{
    const struct dirent *entry = readdir(t->descriptors);
    if (entry == NULL)
        return false;
    if (entry->d_name[0] != '.')
        look_at(t, (int)strtol(entry->d_name, NULL, 10));
    return true;
}

static void turn(void *user)
{
    sip_tcp *t = user;
    mind_the_reserve(t);
    bool has_more = true;
    for (int i = 0; i < TURN_DESCRIPTORS && has_more; i++)
        has_more = look_at_next(t);
    if (!has_more) {
        bound_sources(t);
        t->seen_count = 0;
        rewinddir(t->descriptors);
    }
    wake_at(t->next, io_now_ms() + TURN_MS);
}

/* ---- life ---- */

POC_DEFINE_OWNED(sip_tcp, sip_tcp_free)

poc_err sip_tcp_new(sip_tcp **out, sip *s, const sip_settings *settings)
{
    POC_OWNED(sip_tcp, t, sip_tcp_free);
    *out = NULL;
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return POC_E_NOMEM;
    t->sip = s;
    t->idle_ms = UINT64_C(1000) * settings->tcp_idle_s;
    t->per_source = settings->connections_per_source;
    if (!listens_over_tcp(t))
        return POC_OK;
    t->descriptors = opendir("/proc/self/fd");
    if (t->descriptors == NULL)
        return POC_E_IO;
    POC_TRY(wake_new(&t->next, s->root, turn, t));
    wake_at(t->next, io_now_ms() + TURN_MS);
    *out = POC_RELEASE(t);
    return POC_OK;
}

void sip_tcp_free(sip_tcp *t)
{
    if (t == NULL)
        return;
    wake_free(t->next);
    if (t->descriptors != NULL)
        (void)closedir(t->descriptors);
    free(t->seen);
    free(t);
}
