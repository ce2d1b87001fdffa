/* An HTTP service for clients before it knows what is asked of it: where it listens, with or without TLS, what one source can
 * cause, and requests that are taken in whole. Private to pf/io. */
#ifndef PF_IO_HTTP_FRONT_H
#define PF_IO_HTTP_FRONT_H

#include <stdbool.h>
#include <stddef.h>

#include "pf/io/http.h"

#define HTTP_LISTEN_MAX 8u
#define HTTP_TARGET_MAX 2047u
#define HTTP_BODY_MAX   16384u /* octets */

typedef struct http_front http_front;

typedef struct http_front_settings {
    struct sockaddr_storage listen[HTTP_LISTEN_MAX];
    size_t listen_count;
    const char *tls_certificate, *tls_key;            /* PEM texts, borrowed for the call; NULL: no TLS */
    uint32_t connections_max, connections_per_source; /* of each address */
    uint32_t requests_per_source_s;                   /* more get 503, many more not even a connection; 0: no bound */
} http_front_settings;

/** A request; the first member of what a service keeps of it, the rest of which begins all 0. */
typedef struct http_request {
    void *owner; /* the `owner` of http_front_new */
    http_front *front;
    http *http;
    struct MHD_Connection *connection;
    char target[HTTP_TARGET_MAX + 1]; /* as it stands on the request line */
    bool has_begun, is_target_cut, is_body_too_large;
    uint8_t *body; /* NULL until a piece comes; HTTP_BODY_MAX octets */
    size_t body_len;
} http_request;

/** What is particular to one service. */
typedef struct http_service {
    size_t request_size; /* of what begins with an http_request */
    size_t target_max;   /* octets, at most HTTP_TARGET_MAX */
    bool may_suspend;    /* requests may wait: MHD_suspend_connection, http_request_resume */
    /** Answers what the service need not see, with 413, 414 or 503. */
    enum MHD_Result (*refuse)(const http_request *r, int status, const char *why);
    /** The whole request is here; called again when it waited and goes on. */
    enum MHD_Result (*finish)(http_request *r, const char *method);
    /** It was answered, or its connection is lost; may be NULL. */
    void (*gone)(http_request *r);
} http_service;

/** `service` is borrowed until http_front_free. POC_E_IO: an address cannot be bound, errno tells; EPROTO: TLS cannot be had
 *  with this certificate and key. */
poc_err http_front_new(http_front **out, su_root_t *root, const http_front_settings *settings,
                       const http_service *service, void *owner);
/** Has connections begin with another certificate from now on; those that are there go on. Nothing happens, and `has_changed` is
 *  false, without TLS, or when it is the certificate that it has. On error all stays as it was. */
poc_err http_front_renew(http_front *f, const char *tls_certificate, const char *tls_key, bool *has_changed);
/** Closes every connection; who waits has to be resumed before, and is finished. NULL is fine. */
void http_front_free(http_front *f);
/** Where the `n`-th address listens, for one with port 0. */
uint16_t http_front_port(const http_front *f, size_t n);
/** Empty when there is none. Borrowed. */
poc_span http_request_body(const http_request *r);
/** One that waited goes on, from the loop. */
void http_request_resume(const http_request *r);

typedef struct http_front_counts {
    uint64_t requests;
    uint64_t limited; /* of them: refused, since their source was over its bound */
    uint64_t dropped; /* connections that were not accepted, for the same reason */
} http_front_counts;
http_front_counts http_front_look(const http_front *f);

#endif
