/* The content source of a channel that has no PoC session: clear RTP and floor packets come in by UDP and go to the protector.
 * Only listed sources are taken. Private to pf/io. */
#ifndef PF_IO_CONTENT_H
#define PF_IO_CONTENT_H

#include <sofia-sip/su_wait.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "pf/io/relay.h"

typedef struct content content;

#define CONTENT_SOURCES_MAX 16u

typedef struct content_settings {
    const char *channel;                                 /* its id, copied */
    struct sockaddr_storage listen[RELAY_KINDS];         /* audio, floor; family 0: none */
    struct sockaddr_storage source[CONTENT_SOURCES_MAX]; /* port 0: any */
    size_t source_count;
} content_settings;

/** `feed` gets every packet of a listed source, from the loop. POC_E_IO: an address cannot be bound, errno tells. */
poc_err content_new(content **out, su_root_t *root, const content_settings *settings, relay_feed_fn *feed, void *user);
/** NULL is fine. */
void content_free(content *c);

typedef struct content_counts {
    uint64_t packets, foreign_dropped;
} content_counts;
content_counts content_look(const content *c);
/** Where it listens, for a port 0; 0: it does not. */
uint16_t content_port(const content *c, relay_kind kind);

#endif
