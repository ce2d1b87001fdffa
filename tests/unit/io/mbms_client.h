/* The client side of MBMS key management for tests of the daemon: bootstraps over Ub, posts over HTTP with the GBA digest, and
 * takes and confirms MSK messages over UDP. Blocking sockets of its own address; asserts instead of returning errors. */
#ifndef TESTS_UNIT_IO_MBMS_CLIENT_H
#define TESTS_UNIT_IO_MBMS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "gba/gba.h"
#include "mikey/mikey.h"

#define MBMS_ANSWER_MAX 65536u

typedef struct mbms_client {
    const char *host; /* its own address */
    const char *impi, *uri;
    const char *naf_fqdn;
    gba_usim usim;
    gba_bootstrap boot;
    gba_mbms_keys keys;
    int udp; /* bound to `host` and the push port */
    char challenge[GBA_HEADER_MAX];
    char authorization[GBA_HEADER_MAX]; /* of the last request */
    uint32_t nc;
    char answer[MBMS_ANSWER_MAX]; /* the last one, with headers */
    uint8_t datagram[MIKEY_MESSAGE_MAX];
    size_t datagram_len;
    struct sockaddr_storage from; /* of the datagram */
    uint32_t msk_id;              /* of the last MSK message opened */
    uint32_t counter;
    bool has_key, wants_verification;
    uint8_t msk[POC_MSK_LEN];
} mbms_client;

/** `subscriber` counts those of config/demo-subscribers.cfg from 0. */
void mbms_client_make(mbms_client *c, unsigned subscriber, const char *host, uint16_t push_port, const char *naf_fqdn);
void mbms_client_done(mbms_client *c);
/** GET / twice: a new B-TID, MUK and MRK. */
void mbms_client_bootstrap(mbms_client *c, const char *host, uint16_t ub_port);

/** One request and its answer as they stand; the status, 0 when the connection was closed without one. */
int mbms_exchange(mbms_client *c, const char *host, uint16_t port, const char *request);
/** A POST with `authorization` ("" for none). */
int mbms_post_as(mbms_client *c, const char *host, uint16_t port, const char *target, const char *type,
                 const char *body, const char *authorization);
/** Gets a challenge by a request without credentials. */
void mbms_get_challenge(mbms_client *c, const char *host, uint16_t port);
/** A POST with credentials for the challenge that is there. */
int mbms_post_again(mbms_client *c, const char *host, uint16_t port, const char *target, const char *type,
                    const char *body);
/** A POST that is challenged first when no challenge is there yet, or it is stale; checks Authentication-Info of a 200. */
int mbms_post(mbms_client *c, const char *host, uint16_t port, const char *target, const char *type, const char *body);
/** Registration ("register"), or "deregister", for one service. */
int mbms_register(mbms_client *c, const char *host, uint16_t port, const char *requesttype, const char *service);
/** MSK request for a key group with key number 0, or with another number. */
int mbms_request_msk(mbms_client *c, const char *host, uint16_t port, uint32_t msk_id);
/** A header of the last answer, or empty. */
poc_span mbms_header(const mbms_client *c, const char *name);
/** True when the last answer has these words. */
bool mbms_says(const mbms_client *c, const char *words);

/** Waits for an MSK message and opens it; fails the test when none comes in ten seconds. */
void mbms_hear(mbms_client *c);
/** Sends the verification message of what was heard last, `flip` its last octet for a wrong MAC. */
void mbms_confirm(mbms_client *c, bool flip);
/** Waits for messages, confirming each, until one of this id has come. */
void mbms_hear_until(mbms_client *c, uint32_t msk_id);
/** True when nothing lies in the socket. */
bool mbms_silent(const mbms_client *c);

#endif
