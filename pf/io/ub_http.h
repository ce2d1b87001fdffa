/* The embedded BSF's door for bootstrapping: Ub over HTTP (TS 24.109 4), served from the loop. Private to pf/io. */
#ifndef PF_IO_UB_HTTP_H
#define PF_IO_UB_HTTP_H

#include <sofia-sip/su_wait.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gba/gba.h"

typedef struct ub_http ub_http;

typedef struct ub_http_settings {
    struct sockaddr_storage listen;
    uint32_t connections_max, connections_per_source;
} ub_http_settings;

/** POC_E_IO: the address cannot be bound, with the system's word in errno. `bsf` is borrowed. */
poc_err ub_http_new(ub_http **out, su_root_t *root, const ub_http_settings *settings, gba_bsf *bsf);
void ub_http_free(ub_http *u);
/** Where it listens, for a `listen` with port 0. */
uint16_t ub_http_port(const ub_http *u);

#endif
