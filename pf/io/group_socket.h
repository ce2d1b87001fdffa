/* The UDP socket from which one channel is sent to its multicast group. Private to pf/io. */
#ifndef PF_IO_GROUP_SOCKET_H
#define PF_IO_GROUP_SOCKET_H

#include "bcast/enabler.h"

/** `interface` is a name, "" for that of the source address or the route. POC_E_IO: errno tells. */
poc_err group_socket_open(int *out, const bcast_channel *channel, const char *interface);
/** Sends at once or not at all. Returns 0 or an errno. */
int group_socket_send(int fd, const bcast_channel *channel, bcast_flow flow, poc_span datagram);

#endif
