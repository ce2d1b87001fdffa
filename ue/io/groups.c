/* Groups that a radio listens to: one socket for each flow of a channel. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "ue/core/core.h"
#include "ue/io/inside.h"

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

/* The STKM that a packet needs was sent before it, and is there when the packet is, in a socket that may not have had its
 * turn. */
static void group_take(port *p, poc_span datagram, const struct sockaddr *from)
{
    (void)from;
    if (p->flow != BCAST_FLOW_STKM)
        radio_port_drain(p - p->flow + BCAST_FLOW_STKM);
    if (p->fd >= 0 && !p->radio->is_deaf)
        pocue_multicast(p->radio->ue, radio_now_ms(), p->flow, datagram);
}

static void bearer_take(port *p, poc_span datagram, const struct sockaddr *from)
{
    (void)from;
    if (p->radio->is_deaf)
        return;
    if (p->flow == BCAST_FLOW_RTP)
        (void)pocue_mcx_media(p->radio->ue, radio_now_ms(), datagram);
    else
        (void)pocue_mcx_control(p->radio->ue, radio_now_ms(), true, datagram); /* what does not open is counted there */
}

static poc_err flow_open(radio *r, group *g, bcast_flow flow)
{
    port *p = &g->port[flow];
    struct sockaddr_storage to = g->channel.group;
    if (g->channel.port[flow] == 0)
        return POC_OK;
    poc_addr_set_port((struct sockaddr *)&to, g->channel.port[flow]);
    *p = (port){ .radio = r,
                 .fd = radio_socket_bound((struct sockaddr *)&to, true),
                 .flow = flow,
                 .take = g->is_mcx ? bearer_take : group_take };
    if (p->fd < 0 || own_memberships_only(p->fd, to.ss_family) < 0 ||
        membership_add(p->fd, &g->channel, interface_index(r)) < 0)
        return POC_E_IO;
    return radio_port_watch(p);
}

static void group_end(group *g)
{
    if (!g->is_open)
        return;
    for (bcast_flow f = 0; f < BCAST_FLOW_COUNT; f++)
        radio_port_close(&g->port[f]);
    g->is_open = false;
}

static group *place_find(radio *r)
{
    for (size_t i = 0; i < GROUPS_MAX; i++)
        if (!r->groups[i].is_open)
            return &r->groups[i];
    return NULL;
}

void radio_group_open(radio *r, const bcast_channel *channel, bool is_mcx)
{
    group *g = place_find(r);
    if (g == NULL)
        return;
    g->is_open = true;
    g->is_mcx = is_mcx;
    g->channel = *channel;
    for (bcast_flow f = 0; f < BCAST_FLOW_COUNT; f++)
        g->port[f] = (port){ .fd = -1 };
    for (bcast_flow f = 0; f < BCAST_FLOW_COUNT; f++)
        if (flow_open(r, g, f) != POC_OK) {
            fprintf(stderr, "%s: cannot join the group on port %u: %s\n", r->name, channel->port[f], strerror(errno));
            group_end(g);
            return;
        }
}

void radio_group_close(radio *r, const bcast_channel *channel, bool is_mcx)
{
    for (size_t i = 0; i < GROUPS_MAX; i++)
        if (r->groups[i].is_open && r->groups[i].is_mcx == is_mcx && ue_channel_eq(&r->groups[i].channel, channel)) {
            group_end(&r->groups[i]);
            return;
        }
}

void radio_groups_close(radio *r)
{
    for (size_t i = 0; i < GROUPS_MAX; i++)
        group_end(&r->groups[i]);
}
