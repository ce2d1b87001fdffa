/* SIP on Sofia's transaction layer (nta): the B2BUA between a client and the CF, GBA challenges, the PF's own offers,
 * conference subscriptions, and the requests of mission critical services. Private to pf/io; Sofia types stop at sip.c and its neighbours. One sip belongs to one su_root. */
#ifndef PF_IO_SIP_H
#define PF_IO_SIP_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bcast/enabler.h"
#include "gba/gba.h"
#include "pf/io/relay.h"
#include "pf/io/zn.h"
#include "pf/wire/air.h"
#include "pf/wire/wire.h"
#include "pocpf/pocpf.h"

typedef struct sip sip;
typedef struct sip_session sip_session; /* one client's PoC session: a leg to the client and a leg to the CF */
typedef struct sip_mcx_transaction sip_mcx_transaction; /* a request of mission critical services without an answer */

/** DIGEST: trusted peers are the CF's side, everybody else a client that is challenged. REGISTERED: only trusted peers are
 *  heard; a first INVITE whose Contact says `isfocus` comes from the CF, any other from the client its P-Asserted-Identity
 *  names. */
typedef enum sip_auth { SIP_AUTH_DIGEST, SIP_AUTH_REGISTERED } sip_auth;

typedef struct sip_settings {
    const char *const *listen; /* "udp:127.0.0.1:5060", "tcp:[::1]:5060" ...; "tls:" is refused: docs/sip-tls.md */
    size_t listen_count;
    const char *domain;               /* own host name in From, Contact, Server */
    const char *next_hop;             /* SIP URI of the CF or the core towards it */
    const char *const *trusted_peers; /* addresses whose requests need no digest (CF, core) */
    size_t trusted_count;
    sip_auth auth;
    uint32_t session_expires_s; /* RFC 4028; 0: off */
    uint32_t session_min_s;     /* the shortest interval that is taken; 0: the 90 s of RFC 4028 */
    uint32_t sessions_max;
    uint32_t requests_per_source_s; /* unauthenticated requests per second from one address; 0: no limit */
    /* Of TCP connections that others make; those of trusted peers' addresses are let be. */
    uint32_t tcp_idle_s; /* without an octet in either direction, then closed; 0: never */
    uint32_t
        connections_per_source; /* more, or more than a quarter of all descriptors, and the longest idle go; 0: no bound */
    bool strict_identities;     /* a B-TID without identities covers nobody */
    const char *mcx_identity; /* our public service identity (SIP URI); NULL: no mission critical services, REGISTER and
                                 PUBLISH are 405 */
    uint32_t mcx_users_max;   /* publications that are kept; 0: 100,000 */
    uint32_t mcx_sent_max;    /* requests of ours to clients that have not ended; 0: 40,000 */
} sip_settings;

/** How the shell hears of things. Never called from inside a sip_* call. */
typedef struct sip_events {
    /** The multicast channel of a group (canonical URI), or NULL: then the session is plain unicast PoC. */
    const bcast_channel *(*channel_of)(void *user, const char *group_uri);
    /** This user shall have no session of this channel. May be NULL: nobody is kept out. */
    bool (*is_shut_out)(void *user, const char *channel, const char *impu);
    /** A user passed GBA authentication (also on every later challenge). */
    void (*authenticated)(void *user, const char *impu, const gba_naf_user *who);
    /** Both legs are confirmed, unicast flows. */
    void (*session_up)(void *user, sip_session *s);
    /** The session ended; `s` is freed when this returns. */
    void (*session_down)(void *user, sip_session *s, pocpf_departure how);
    /** The client's own re-offer turned its multicast lines off or on. */
    void (*bearer)(void *user, sip_session *s, bool receives);
    /** The end of sip_offer. */
    void (*answered)(void *user, sip_session *s, uint64_t number, pocpf_answer answer, poc_span verification,
                     const char *why);
    /** A NOTIFY body. */
    void (*conference)(void *user, const char *channel, const pocpf_conference *document);
    void (*subscription)(void *user, const char *channel, pocpf_subscription what, bool fresh, uint32_t retry_ms);
    /** Something worth a line in the log and a counter: kind, who (may be NULL), constant reason. Rate-limited by the shell. */
    void (*refused)(void *user, poc_err kind, const char *who, const char *reason);
    /** The body of a request that is carried between the client `who` and the core: what of it goes on, by `out`. POC_OK, or why the
     *  request does not go on. May be NULL: all bodies go on as they are. */
    poc_err (*content)(void *user, const char *who, bool from_client, poc_span content_type, poc_span body,
                       wire_mcx_carried *out);
    /** A REGISTER, or a PUBLISH or MESSAGE to our identity, from who is authenticated: sip_mcx_answer exactly once, now or
     *  later. May be NULL without an identity. */
    void (*mcx)(void *user, sip_mcx_transaction *t, const wire_mcx_request *request);
    /** The end of sip_mcx_send: the final status, 408 when none came in time, 503 when the request did not get away. */
    void (*mcx_sent)(void *user, const char *subject, uint64_t number, int status);
} sip_events;

/** POC_E_IO: an address cannot be bound; POC_E_INPUT: an entry of `listen`, `next_hop` or `trusted_peers` is malformed. `naf`, `zn` and `relay` are borrowed. */
poc_err sip_new(sip **out, su_root_t *root, const sip_settings *settings, gba_naf *naf, zn *zn, relay *relay,
                const sip_events *events, void *user);
/** Ends at once: no BYE. */
void sip_free(sip *s);
/** Begins to drain: new INVITEs get 503, BYE on every leg; `done` is called when the last transaction ended. Sessions that it
 *  ends are not reported by session_down and are gone when it returns. */
void sip_drain(sip *s, void (*done)(void *user), void *user);

const char *sip_session_user(const sip_session *s);    /* canonical SIP URI */
const char *sip_session_channel(const sip_session *s); /* NULL: plain unicast */
bool sip_session_capable(const sip_session *s);        /* a=bcastversion */
relay_session *sip_session_relay(sip_session *s);
/** Calls for every session of this user; `each` may end it. */
void sip_sessions_of(sip *s, const char *user, void (*each)(void *ctx, sip_session *session), void *ctx);
/** The address in the client's Contact, without port; false when it is none (a host name). */
bool sip_session_contact(const sip_session *s, struct sockaddr_storage *out);

/** Offers the multicast lines to the client: UPDATE when it allows it, else re-INVITE; 491 and 500 with Retry-After are
 *  retried within `timeout_ms`. The end is events.answered. A newer offer to the same session replaces one that still waits. */
poc_err sip_offer(sip_session *s, uint64_t number, pocpf_offer_kind kind, poc_span mikey, uint32_t timeout_ms);
/** BYE to the client and to the CF; session_down is not called for it. */
void sip_release(sip_session *s, pocpf_reason reason);

/** Subscribes (or refreshes) the conference state of a group for a channel; news by events. */
poc_err sip_subscribe(sip *s, const char *channel, const char *group_uri, const char *as_user, bool refresh);
void sip_unsubscribe(sip *s, const char *channel);

/** Ends a transaction. May be called from inside events.mcx. */
void sip_mcx_answer(sip_mcx_transaction *t, const wire_mcx_answer *answer);

/** A request of ours to a client of mission critical services, outside dialogs (TS 24.379, digest 7.2). */
typedef struct sip_mcx_message {
    const char *impu;    /* canonical */
    const char *where;   /* Contact to send it to; "": to the IMPU, by next_hop */
    const char *subject; /* told back by events.mcx_sent, as is the number */
    uint64_t number;
    uint64_t topic; /* a younger one to the same subject of the same topic takes the place of those before it */
    mcx_service service;
    bool by_notify; /* NOTIFY of the settings instead of MESSAGE */
    const char *content_type;
    poc_span body;
    uint32_t timeout_ms;
} sip_mcx_message;

/** Sends it; over TCP when it is larger than a datagram should be, unless the address says transport=udp; not at all when it asks for TLS. Who challenges or redirects has not answered with 2xx, and
 *  that is all. Nothing more is heard of those that it takes the place of; `replaced` (may be NULL) tells whether there were any.
 *  POC_E_STATE: no identity, or draining; POC_E_INPUT: `where` is no SIP URI; POC_E_LIMIT: too many have not ended, of this
 *  subject (a 160th part of all, a 1,280th once half of all are taken) or of all; POC_E_IO, POC_E_NOMEM. Then nothing follows. */
poc_err sip_mcx_send(sip *s, const sip_mcx_message *message, bool *replaced);

/** What sip_session_restore needs after a restart, at most 2,048 octets. */
poc_err sip_session_save(const sip_session *s, poc_wr *out);
/** Rebuilds both legs from a record. POC_E_INPUT, POC_E_IO when its relay ports are taken. */
poc_err sip_session_restore(sip *s, poc_span record, sip_session **out);

typedef struct sip_counts {
    uint64_t requests, refused, challenged, offers, sessions_made;
    uint32_t sessions;
} sip_counts;
sip_counts sip_look(const sip *s);

#endif
