/* The key management service over HTTP (TS 33.246 6.2.1.3, 6.3.2): carries requests to wire_keyman and its answers back, waits
 * for Zn, and bounds what one source can cause. Private to pf/io. */
#ifndef PF_IO_KEYMAN_HTTP_H
#define PF_IO_KEYMAN_HTTP_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "gba/gba.h"
#include "pf/io/http_front.h"
#include "pf/io/zn.h"
#include "pf/wire/wire.h"

typedef struct keyman_http keyman_http;

typedef struct keyman_http_settings {
    http_front_settings front;
    uint16_t push_port; /* a client is pushed to at the source of his request and this port */
} keyman_http_settings;

/** A request was served: the engine may want something done. Returns how many changes have to be durable before it is
 *  answered, 0 for none; keyman_http_durable tells when they are. */
typedef uint64_t keyman_served_fn(void *user);

/** POC_E_IO: an address cannot be bound, or (errno EPROTO) certificate and key do not serve. `service`, `naf` and `zn` are
 *  borrowed. */
poc_err keyman_http_new(keyman_http **out, su_root_t *root, const keyman_http_settings *settings, wire_keyman *service,
                        gba_naf *naf, zn *zn, keyman_served_fn *served, void *user);
/** So many changes are durable; answers that waited for them go out, with `ok` false as 503. NULL is fine. */
void keyman_http_durable(keyman_http *k, uint64_t through, bool ok);
/** As http_front_renew. */
poc_err keyman_http_renew(keyman_http *k, const char *tls_certificate, const char *tls_key, bool *has_changed);
/** Answers who still waits with 503. NULL is fine. */
void keyman_http_free(keyman_http *k);
/** Where the n-th address listens, for a port 0. */
uint16_t keyman_http_port(const keyman_http *k, size_t n);

typedef struct keyman_http_counts {
    uint64_t requests;
    uint64_t done;       /* 200 */
    uint64_t challenged; /* 401 */
    uint64_t refused;    /* any other status */
    uint64_t limited;    /* of the refused: their source was over its bound */
    uint64_t dropped;    /* connections that were not accepted, for the same reason */
    uint64_t asked_zn;
} keyman_http_counts;
keyman_http_counts keyman_http_look(const keyman_http *k);

#endif
