/* MIKEY over UDP (TS 33.246 6.3.2.3): MSK messages out, verification messages in. One socket for each family; datagrams go and
 * come in batches of one system call, and nothing is allocated for them. Private to pf/io; pocbench measures with it. */
#ifndef PF_IO_PUSH_H
#define PF_IO_PUSH_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"

#define PUSH_ADDRESS_MAX 20u   /* octets of a packed address */
#define PUSH_OCTETS_MAX  1500u /* of one datagram */
#define PUSH_BATCH       64u   /* datagrams of one system call */
#define PUSH_SOCKETS_MAX 2u    /* IPv4 and IPv6 */

/** IP address and port as the opaque octets that the engine keeps with a member; an IPv4 address mapped into IPv6 counts as
 *  IPv4, so that an address has one form only. POC_E_INPUT: another family, port 0, or nothing one could send to. */
poc_err push_address_pack(uint8_t out[PUSH_ADDRESS_MAX], size_t *len, const struct sockaddr *addr);
/** The reverse. POC_E_INPUT: not what push_address_pack makes. */
poc_err push_address_unpack(struct sockaddr_storage *out, const void *address, size_t len);

typedef struct push push;

/** A datagram that came in. `address` is packed. */
typedef struct push_datagram {
    const uint8_t *address;
    size_t address_len;
    poc_span octets;
    bool is_refused; /* set by the listener: counts against the bound of its source */
} push_datagram;

typedef struct push_events {
    /** At most PUSH_BATCH datagrams, borrowed for the call. It may call push_send, not push_free. */
    void (*heard)(void *user, push_datagram *datagrams, size_t n);
    /** There is room again after push_send found none. May be NULL. */
    void (*writable)(void *user);
} push_events;

typedef struct push_settings {
    struct sockaddr_storage listen[PUSH_SOCKETS_MAX]; /* of different families; port 0: any */
    size_t listen_count;
    uint32_t buffer_octets;        /* of each socket and direction; 0: 64 MiB, or as much as the system lets */
    uint32_t refused_per_source_s; /* then a source is not listened to for the rest of the second; 0: no bound */
} push_settings;

/** POC_E_IO: an address cannot be bound, errno tells; POC_E_INPUT: two of one family. With `root` NULL nothing is called by
 *  itself: the caller waits for the sockets (push_fd) and calls push_hear. */
poc_err push_new(push **out, su_root_t *root, const push_settings *settings, const push_events *events, void *user);
/** What was not sent yet is dropped. NULL is fine. */
void push_free(push *p);

/** Copies a datagram into the batch of its family, and sends the batch when it is full. POC_E_STATE: no room, wait for
 *  `writable`; POC_E_INPUT: no such address; POC_E_IO: no socket of this family; POC_E_LIMIT: too long. */
poc_err push_send(push *p, const void *address, size_t address_len, poc_span octets);
/** Sends what is gathered. False: a socket takes no more now. */
bool push_flush(push *p);
/** True: push_send may have no room, for one family or the other. */
bool push_is_full(const push *p);

/** Reads one batch from each socket and hands it on. Returns the number of datagrams read, 0 when there was none. */
size_t push_hear(push *p);
/** The descriptor of a family's socket, or -1; for a loop of one's own. */
int push_fd(const push *p, sa_family_t family);
/** Where it listens, for a port 0; 0: no socket of this family. */
uint16_t push_port(const push *p, sa_family_t family);

typedef struct push_counts {
    uint64_t sent, send_errors; /* errors: the datagram is lost, as it may be on the way */
    uint64_t system_calls;      /* for sending */
    uint64_t blocked;           /* times a socket took no more */
    uint64_t heard, refused;    /* refused: by the listener, or too long */
    uint64_t ignored;           /* from sources over their bound */
} push_counts;
push_counts push_look(const push *p);

#endif
