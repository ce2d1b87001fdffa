/* A UDP socket on a Sofia event loop, for the parts of the real world that stand in for others. */
#ifndef TESTS_HARNESS_UDP_H
#define TESTS_HARNESS_UDP_H

#include <sofia-sip/su_wait.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"

typedef struct udp udp;

typedef void udp_datagram_fn(void *user, udp *from, const struct sockaddr *peer, poc_span datagram);

/** Binds to `host` (numeric) and `port` (0: any). POC_E_INPUT, POC_E_IO. */
poc_err udp_open(udp **out, su_root_t *root, const char *host, uint16_t port, udp_datagram_fn *on_datagram, void *user);
/** Listens to a multicast group on the interface with address `on` (NULL: any), beside others on this machine. */
poc_err udp_open_group(udp **out, su_root_t *root, const struct sockaddr *group, uint16_t port,
                       const struct sockaddr *source, const char *on, udp_datagram_fn *on_datagram, void *user);
void udp_close(udp *u);
/** Datagrams to groups leave by the interface that has this IPv4 address. */
poc_err udp_send_on(udp *u, const char *interface);
void udp_send(udp *u, const struct sockaddr *to, poc_span datagram);
uint16_t udp_port(const udp *u);

#endif
