#include "tests/harness/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

struct udp {
    su_root_t *root;
    su_wait_t wait[1];
    int fd, wait_index;
    udp_datagram_fn *on_datagram;
    void *user;
};

enum { SOCKET_BUFFER = 4 << 20 };

/* Reads until the socket is empty: one wake-up may stand for many datagrams. */
static int on_readable(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    udp *u = (udp *)arg;
    uint8_t buf[2048];
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);
    ssize_t n;
    (void)magic, (void)wait;
    while ((n = recvfrom(u->fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&peer, &peer_len)) >= 0) {
        u->on_datagram(u->user, u, (const struct sockaddr *)&peer, poc_span_of(buf, (size_t)n));
        peer_len = sizeof(peer);
    }
    return 0;
}

static poc_err watch(udp *u)
{
    int size = SOCKET_BUFFER;
    (void)setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (su_wait_create(u->wait, u->fd, SU_WAIT_IN) != 0)
        return POC_E_IO;
    u->wait_index = su_root_register(u->root, u->wait, on_readable, (su_wakeup_arg_t *)u, 0);
    return u->wait_index < 0 ? POC_E_IO : POC_OK;
}

static poc_err make(udp **out, su_root_t *root, const struct sockaddr *bind_to, udp_datagram_fn *on_datagram,
                    void *user)
{
    int one = 1;
    udp *u = calloc(1, sizeof(*u));
    *out = NULL;
    if (u == NULL)
        return POC_E_NOMEM;
    *u = (udp){ .root = root, .wait_index = -1, .on_datagram = on_datagram, .user = user };
    u->fd = socket(bind_to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (u->fd < 0 ||
        (poc_addr_is_multicast(bind_to) && setsockopt(u->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0) ||
        bind(u->fd, bind_to, poc_addr_len(bind_to)) != 0) {
        udp_close(u);
        return POC_E_IO;
    }
    poc_err err = watch(u);
    if (err != POC_OK) {
        udp_close(u);
        return err;
    }
    *out = u;
    return POC_OK;
}

poc_err udp_open(udp **out, su_root_t *root, const char *host, uint16_t port, udp_datagram_fn *on_datagram, void *user)
{
    struct sockaddr_storage addr;
    *out = NULL;
    POC_TRY(poc_addr_parse(&addr, poc_span_str(host), port));
    return make(out, root, (const struct sockaddr *)&addr, on_datagram, user);
}

/* The protocol-independent calls of RFC 3678 want an interface index; on IPv4 an address of the interface does. */
static poc_err join_ip4(int fd, const struct sockaddr *group, const struct sockaddr *source, const char *on)
{
    struct in_addr interface = { INADDR_ANY };
    struct sockaddr_storage on_addr;
    if (on != NULL) {
        POC_TRY(poc_addr_parse(&on_addr, poc_span_str(on), 0));
        interface = ((const struct sockaddr_in *)&on_addr)->sin_addr;
    }
    struct ip_mreq any = { ((const struct sockaddr_in *)group)->sin_addr, interface };
    if (source == NULL || source->sa_family == 0)
        return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &any, sizeof(any)) == 0 ? POC_OK : POC_E_IO;
    struct ip_mreq_source one = { any.imr_multiaddr, interface, ((const struct sockaddr_in *)source)->sin_addr };
    return setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &one, sizeof(one)) == 0 ? POC_OK : POC_E_IO;
}

static poc_err join_ip6(int fd, const struct sockaddr *group)
{
    struct ipv6_mreq any = { ((const struct sockaddr_in6 *)group)->sin6_addr, 0 };
    return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &any, sizeof(any)) == 0 ? POC_OK : POC_E_IO;
}

poc_err udp_open_group(udp **out, su_root_t *root, const struct sockaddr *group, uint16_t port,
                       const struct sockaddr *source, const char *on, udp_datagram_fn *on_datagram, void *user)
{
    struct sockaddr_storage addr;
    memcpy(&addr, group, poc_addr_len(group));
    poc_addr_set_port((struct sockaddr *)&addr, port);
    POC_TRY(make(out, root, (const struct sockaddr *)&addr, on_datagram, user));
    poc_err err = group->sa_family == AF_INET ? join_ip4((*out)->fd, group, source, on) : join_ip6((*out)->fd, group);
    if (err != POC_OK) {
        udp_close(*out);
        *out = NULL;
    }
    return err;
}

void udp_close(udp *u)
{
    if (u == NULL)
        return;
    if (u->wait_index >= 0) /* the loop's copy and ours are one descriptor */
        su_root_deregister(u->root, u->wait_index);
    if (u->fd >= 0)
        close(u->fd);
    free(u);
}

poc_err udp_send_on(udp *u, const char *interface)
{
    struct sockaddr_storage on;
    POC_TRY(poc_addr_parse(&on, poc_span_str(interface), 0));
    const struct in_addr *address = &((const struct sockaddr_in *)(const void *)&on)->sin_addr;
    return setsockopt(u->fd, IPPROTO_IP, IP_MULTICAST_IF, address, sizeof(*address)) == 0 ? POC_OK : POC_E_IO;
}

void udp_send(udp *u, const struct sockaddr *to, poc_span datagram)
{
    if (to->sa_family != 0)
        (void)sendto(u->fd, datagram.p, datagram.n, MSG_DONTWAIT, to, poc_addr_len(to));
}

uint16_t udp_port(const udp *u)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    return getsockname(u->fd, (struct sockaddr *)&addr, &len) == 0 ? poc_addr_port((const struct sockaddr *)&addr) : 0;
}
