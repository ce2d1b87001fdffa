#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mikey/mikey.h"
#include "ue/io/inside.h"

enum { RECEIVE_BUFFER = 1 << 20, DATAGRAM_MAX = 2048, EVEN_PORT_TRIES = 64 };

void radio_port_close(port *p)
{
    if (p->wait_index > 0)
        su_root_deregister(p->radio->root, p->wait_index);
    if (p->fd >= 0)
        close(p->fd);
    p->wait_index = 0;
    p->fd = -1;
}

void radio_port_drain(port *p)
{
    radio *r = p->radio;
    uint8_t datagram[DATAGRAM_MAX];
    while (p->fd >= 0) {
        struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
        socklen_t from_len = sizeof(from);
        ssize_t n = recvfrom(p->fd, datagram, sizeof(datagram), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (n < 0 && errno != EINTR)
            break;
        if (n <= 0)
            continue;
        p->take(p, poc_span_of(datagram, (size_t)n), (struct sockaddr *)&from);
        radio_pump(r);
    }
}

static int port_read(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    (void)magic;
    (void)wait;
    radio_port_drain(arg);
    return 0;
}

poc_err radio_port_watch(port *p)
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

int radio_socket_bound(const struct sockaddr *to, bool shared)
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

static void unicast_take(port *p, poc_span datagram, const struct sockaddr *from)
{
    (void)from;
    pocue_unicast(p->radio->ue, radio_now_ms(), p->flow, datagram);
}

/* RTP wants an even port; the kernel chooses, the odd ones are handed back. */
static poc_err unicast_open(radio *r, port *p, bcast_flow flow, struct sockaddr_storage *bound)
{
    for (int tries = 0; tries < EVEN_PORT_TRIES; tries++) {
        socklen_t len = sizeof(*bound);
        int fd = radio_socket_bound((struct sockaddr *)&r->address, false);
        if (fd < 0)
            break;
        if (getsockname(fd, (struct sockaddr *)bound, &len) == 0 && poc_addr_port((struct sockaddr *)bound) % 2 == 0) {
            p->fd = fd;
            p->flow = flow;
            p->take = unicast_take;
            return radio_port_watch(p);
        }
        close(fd);
    }
    fprintf(stderr, "%s: no unicast port: %s\n", r->name, strerror(errno));
    return POC_E_IO;
}

/* ---- keys by push ---- */

/* The answer goes back where the message came from, from where it arrived (digest "GBA", 4.6). */
static void push_take(port *p, poc_span datagram, const struct sockaddr *from)
{
    uint8_t reply[MIKEY_MESSAGE_MAX];
    size_t n;
    if (p->radio->is_deaf || pocue_push(p->radio->ue, radio_now_ms(), datagram, reply, &n) != POC_OK || n == 0)
        return;
    (void)sendto(p->fd, reply, n, MSG_DONTWAIT | MSG_NOSIGNAL, from, poc_addr_len(from));
}

poc_err radio_push_open(radio *r, const struct sockaddr_storage *address)
{
    port *p = &r->port[PORT_PUSH];
    struct sockaddr_storage at = *address;
    if (r->push_port == 0)
        return POC_OK;
    poc_addr_set_port((struct sockaddr *)&at, r->push_port);
    int fd = radio_socket_bound((struct sockaddr *)&at, false);
    if (fd < 0) {
        fprintf(stderr, "%s: cannot bind the push port %u: %s\n", r->name, r->push_port, strerror(errno));
        return POC_E_IO;
    }
    radio_port_close(p);
    p->fd = fd;
    p->take = push_take;
    return radio_port_watch(p);
}

poc_err radio_ports_open(radio *r)
{
    POC_TRY(unicast_open(r, &r->port[PORT_AUDIO], BCAST_FLOW_RTP, &r->local.audio));
    POC_TRY(unicast_open(r, &r->port[PORT_FLOOR], BCAST_FLOW_FLOOR, &r->local.floor));
    return radio_push_open(r, &r->address);
}

void radio_ports_close(radio *r)
{
    for (size_t i = 0; i < PORT_COUNT; i++)
        radio_port_close(&r->port[i]);
}
