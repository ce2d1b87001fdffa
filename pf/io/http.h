/* libmicrohttpd in the loop: what every HTTP service of the daemon shares. Private to pf/io. */
#ifndef PF_IO_HTTP_H
#define PF_IO_HTTP_H

#include <microhttpd.h>
#include <sofia-sip/su_wait.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"

typedef struct http http;

typedef struct http_settings {
    uint32_t connections_max, connections_per_source; /* per source: 0 for no bound, or for a unix socket */
    size_t connection_octets;                         /* request line, headers and answer of one connection */
    uint32_t idle_s;                                  /* a connection without progress is closed */
    bool may_suspend;                                 /* requests may wait: MHD_suspend_connection, http_resume */
    const char *tls_certificate, *tls_key;            /* PEM texts, borrowed for the call; NULL: no TLS */
    /** The target as it stands on the request line, before anything is decoded; returns the state that on_request finds. May
     *  be NULL. */
    void *(*on_target)(void *user, const char *target, struct MHD_Connection *c);
    MHD_AcceptPolicyCallback on_connect; /* MHD_NO closes a connection at once; may be NULL */
    MHD_AccessHandlerCallback on_request;
    MHD_RequestCompletedCallback on_completed; /* may be NULL */
    void *user;                                /* of all */
} http_settings;

/** Listens on a bound stream socket, nonblocking; returns it or -1 with errno. */
int http_listen(const struct sockaddr *addr, socklen_t addr_len);

/** Serves `listen_fd` from the loop and owns it, also after an error. POC_E_IO: errno tells; EPROTO: TLS cannot be had with
 *  this certificate and key. */
poc_err http_new(http **out, su_root_t *root, int listen_fd, const http_settings *settings);
/** The same where an address of the internet is all that is known of the socket; `port` is the one it has. */
poc_err http_new_at(http **out, su_root_t *root, const struct sockaddr *addr, uint16_t *port,
                    const http_settings *settings);
/** Makes another one that listens on the same socket. Until http_retire either of them takes a connection. As http_new. */
poc_err http_succeed(http **out, http *h, const http_settings *settings);
/** Takes no more connections; those that it has go on. */
void http_retire(http *h);
/** It has no connection. */
bool http_is_idle(const http *h);
/** Answers those that were just resumed and closes every connection; suspended ones have to be resumed before. NULL is fine. */
void http_free(http *h);

/** A request that waited goes on: on_request is called for it again, from the loop. */
void http_resume(http *h, struct MHD_Connection *c);

typedef struct http_header {
    const char *name, *value; /* an empty value is not sent */
} http_header;

/** Where a client's request comes from; NULL when that is not known. */
const struct sockaddr *http_client(struct MHD_Connection *c);
/** The value of a header, or empty. */
poc_span http_header_of(struct MHD_Connection *c, const char *name);

/** Content-Length says more than `max` octets, or nothing that makes sense. */
bool http_announces_more(struct MHD_Connection *c, size_t max);

/** Logs a request that was refused, or served with something to say about it, with where it came from. */
void http_log_refusal(struct MHD_Connection *c, const char *event, int status, const char *why);

/** Queues an answer; `body` is copied. */
enum MHD_Result http_answer(struct MHD_Connection *c, unsigned status, poc_span body, const http_header *headers,
                            size_t count);

#endif
