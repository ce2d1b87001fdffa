#include "pf/io/group_socket.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/text.h"

static poc_err set_option(int fd, int level, int name, const void *value, size_t n)
{
    return setsockopt(fd, level, name, value, (socklen_t)n) == 0 ? POC_OK : POC_E_IO;
}

static poc_err interface_index(const char *name, int *out)
{
    *out = name[0] == '\0' ? 0 : (int)if_nametoindex(name);
    return name[0] != '\0' && *out == 0 ? POC_E_IO : POC_OK;
}

static poc_err aim_ip4(int fd, const bcast_channel *ch, const char *interface)
{
    const struct sockaddr_in *source = (const struct sockaddr_in *)&ch->source;
    struct ip_mreqn via = { 0 };
    uint8_t loop = 1;
    POC_TRY(interface_index(interface, &via.imr_ifindex));
    if (ch->source.ss_family == AF_INET)
        via.imr_address = source->sin_addr;
    POC_TRY(set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ch->ttl, sizeof(ch->ttl)));
    POC_TRY(set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof(loop)));
    return set_option(fd, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via));
}

/** The interface that has this address; 0: let the route choose. */
static int interface_with(const struct sockaddr *addr)
{
    struct ifaddrs *all, *i;
    int index = 0;
    if (getifaddrs(&all) != 0)
        return 0;
    for (i = all; i != NULL && index == 0; i = i->ifa_next)
        if (i->ifa_addr != NULL && i->ifa_addr->sa_family == addr->sa_family && poc_addr_eq(i->ifa_addr, addr))
            index = (int)if_nametoindex(i->ifa_name);
    freeifaddrs(all);
    return index;
}

static poc_err aim_ip6(int fd, const bcast_channel *ch, const char *interface)
{
    int index, hops = ch->ttl, loop = 1;
    POC_TRY(interface_index(interface, &index));
    if (index == 0 && ch->source.ss_family == AF_INET6)
        index = interface_with((const struct sockaddr *)&ch->source);
    POC_TRY(set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)));
    POC_TRY(set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &loop, sizeof(loop)));
    return set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index));
}

static poc_err socket_prepare(int fd, const bcast_channel *ch, const char *interface)
{
    const struct sockaddr *source = (const struct sockaddr *)&ch->source;
    POC_TRY(ch->group.ss_family == AF_INET ? aim_ip4(fd, ch, interface) : aim_ip6(fd, ch, interface));
    if (ch->source.ss_family == 0)
        return POC_OK;
    return bind(fd, source, poc_addr_len(source)) == 0 ? POC_OK : POC_E_IO;
}

poc_err group_socket_open(int *out, const bcast_channel *channel, const char *interface)
{
    int fd = socket(channel->group.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *out = -1;
    if (fd < 0)
        return POC_E_IO;
    if (socket_prepare(fd, channel, interface) != POC_OK) {
        const int why = errno;
        (void)close(fd);
        errno = why;
        return POC_E_IO;
    }
    *out = fd;
    return POC_OK;
}

int group_socket_send(int fd, const bcast_channel *channel, bcast_flow flow, poc_span datagram)
{
    struct sockaddr_storage to = channel->group;
    const struct sockaddr *addr = (const struct sockaddr *)&to;
    poc_addr_set_port((struct sockaddr *)&to, channel->port[flow]);
    const ssize_t sent = sendto(fd, datagram.p, datagram.n, MSG_DONTWAIT, addr, poc_addr_len(addr));
    if (sent < 0)
        return errno;
    return (size_t)sent == datagram.n ? 0 : EMSGSIZE;
}
