#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ue/io/inside.h"

enum { RECEIVE_BUFFER = 1 << 20, DATAGRAM_MAX = 2048, EVEN_PORT_TRIES = 64 };

static void port_close(port *p)
{
    if (p->wait_index > 0)
        su_root_deregister(p->radio->root, p->wait_index);
    if (p->fd >= 0)
        close(p->fd);
    p->wait_index = 0;
    p->fd = -1;
}

/* Everything there is, per wake-up; a report may close the port under the loop. */
static int port_read(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    port *p = arg;
    radio *r = p->radio;
    uint8_t datagram[DATAGRAM_MAX];
    (void)magic;
    (void)wait;
    while (p->fd >= 0) {
        ssize_t n = recv(p->fd, datagram, sizeof(datagram), MSG_DONTWAIT);
        if (n < 0 && errno != EINTR)
            break;
        if (n <= 0)
            continue;
        poc_span span = poc_span_of(datagram, (size_t)n);
        if (p->is_group)
            pocue_multicast(r->ue, radio_now_ms(), p->flow, span);
        else
            pocue_unicast(r->ue, radio_now_ms(), p->flow, span);
        radio_pump(r);
    }
    return 0;
}

static poc_err port_watch(port *p)
{
    su_wait_t wait[1] = { SU_WAIT_INIT };
    if (su_wait_create(wait, p->fd, SU_WAIT_IN) < 0)
        return POC_E_IO;
    int index = su_root_register(p->radio->root, wait, port_read, p, 0);
    if (index <= 0)
        return POC_E_IO;
    p->wait_index = index;
    return POC_OK;
}

static int socket_bound(const struct sockaddr *to, bool shared)
{
    int on = 1, size = RECEIVE_BUFFER;
    int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
        bind(fd, to, poc_addr_len(to)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* RTP wants an even port; the kernel chooses, the odd ones are handed back. */
static poc_err unicast_open(radio *r, port *p, bcast_flow flow, struct sockaddr_storage *bound)
{
    for (int tries = 0; tries < EVEN_PORT_TRIES; tries++) {
        socklen_t len = sizeof(*bound);
        int fd = socket_bound((struct sockaddr *)&r->address, false);
        if (fd < 0)
            break;
        if (getsockname(fd, (struct sockaddr *)bound, &len) == 0 && poc_addr_port((struct sockaddr *)bound) % 2 == 0) {
            p->fd = fd;
            p->flow = flow;
            return port_watch(p);
        }
        close(fd);
    }
    fprintf(stderr, "%s: no unicast port: %s\n", r->name, strerror(errno));
    return POC_E_IO;
}

poc_err radio_ports_open(radio *r)
{
    POC_TRY(unicast_open(r, &r->port[PORT_AUDIO], BCAST_FLOW_RTP, &r->local.audio));
    return unicast_open(r, &r->port[PORT_FLOOR], BCAST_FLOW_FLOOR, &r->local.floor);
}

void radio_ports_close(radio *r)
{
    for (size_t i = 0; i < PORT_COUNT; i++)
        port_close(&r->port[i]);
}

/* ---- the group ---- */

static bool is_at(const struct sockaddr *a, const struct sockaddr_storage *b)
{
    struct sockaddr_storage plain = { .ss_family = AF_UNSPEC };
    if (a == NULL || a->sa_family != b->ss_family)
        return false;
    memcpy(&plain, a, poc_addr_len(a));
    poc_addr_set_port((struct sockaddr *)&plain, 0);
    return poc_addr_eq((struct sockaddr *)&plain, (const struct sockaddr *)b);
}

/* The index of the interface that has this address; 0 lets the routing table decide. */
static unsigned interface_index(const radio *r)
{
    struct ifaddrs *all = NULL;
    unsigned index = 0;
    if (r->interface.ss_family == AF_UNSPEC || getifaddrs(&all) < 0)
        return 0;
    for (struct ifaddrs *i = all; i != NULL && index == 0; i = i->ifa_next)
        if (is_at(i->ifa_addr, &r->interface))
            index = if_nametoindex(i->ifa_name);
    freeifaddrs(all);
    return index;
}

static int membership_add(int fd, const bcast_channel *c, unsigned interface)
{
    int level = c->group.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    if (c->source.ss_family == AF_UNSPEC) {
        struct group_req any = { .gr_interface = interface, .gr_group = c->group };
        return setsockopt(fd, level, MCAST_JOIN_GROUP, &any, sizeof(any));
    }
    struct group_source_req one = { .gsr_interface = interface, .gsr_group = c->group, .gsr_source = c->source };
    return setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &one, sizeof(one));
}

/* Only what this socket joined itself: the default lets in any group that any process on the machine has joined, and
 * with it any source. */
static int own_memberships_only(int fd, sa_family_t family)
{
    int off = 0;
    return family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off))
                              : setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off));
}

static poc_err flow_open(radio *r, const bcast_channel *c, bcast_flow flow)
{
    port *p = &r->port[PORT_GROUP + flow];
    struct sockaddr_storage to = c->group;
    poc_addr_set_port((struct sockaddr *)&to, c->port[flow]);
    p->fd = socket_bound((struct sockaddr *)&to, true);
    p->flow = flow;
    p->is_group = true;
    if (p->fd < 0 || own_memberships_only(p->fd, c->group.ss_family) < 0 ||
        membership_add(p->fd, c, interface_index(r)) < 0)
        return POC_E_IO;
    return port_watch(p);
}

void radio_group_open(radio *r, const bcast_channel *channel)
{
    radio_group_close(r);
    for (bcast_flow f = 0; f < BCAST_FLOW_COUNT; f++)
        if (flow_open(r, channel, f) != POC_OK) {
            fprintf(stderr, "%s: cannot join the group on port %u: %s\n", r->name, channel->port[f], strerror(errno));
            radio_group_close(r);
            return;
        }
}

void radio_group_close(radio *r)
{
    for (size_t f = 0; f < BCAST_FLOW_COUNT; f++)
        port_close(&r->port[PORT_GROUP + f]);
}
