/* The media relay: per client session four UDP sockets (audio and floor, towards the client and towards the CF). Uplink
 * passes untouched. Downlink: one leg of a channel is the feed of the multicast, copies on other legs are dropped; members
 * without multicast get their unicast copy. Private to pf/io. */
#ifndef PF_IO_RELAY_H
#define PF_IO_RELAY_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"
#include "bcast/enabler.h"

typedef struct relay relay;
typedef struct relay_session relay_session;

typedef enum relay_side { RELAY_CLIENT, RELAY_CF, RELAY_SIDES } relay_side;
typedef enum relay_kind { RELAY_AUDIO, RELAY_FLOOR, RELAY_KINDS } relay_kind;

typedef struct relay_settings {
    const char *address;         /* own media address, IPv4 or IPv6 */
    uint16_t port_min, port_max; /* even ports are used */
    uint32_t sessions_max;
    uint32_t feed_silence_ms; /* another leg becomes the feed after so much silence */
} relay_settings;

/** One clear downlink packet of a channel's feed, for everybody (POC-1 protection is the enabler's). Floor packets that concern
 *  one client only never come here. It must not call the relay. */
typedef void relay_feed_fn(void *user, const char *channel, bcast_flow flow, poc_span packet);

poc_err relay_new(relay **out, su_root_t *root, const relay_settings *settings, relay_feed_fn *feed, void *user);
void relay_free(relay *r);

/** Binds four sockets. POC_E_LIMIT: no port or no room left. */
poc_err relay_session_new(relay_session **out, relay *r);
/** The same with given local ports (after a restart). POC_E_IO when one is taken. */
poc_err relay_session_at(relay_session **out, relay *r, uint16_t const port[RELAY_SIDES][RELAY_KINDS]);
void relay_session_free(relay_session *s);
/** Own address of one socket. */
const struct sockaddr *relay_session_local(const relay_session *s, relay_side side, relay_kind kind);
/** Where that side receives; family 0 mutes it. Packets from other addresses are dropped and counted. */
void relay_session_peer(relay_session *s, relay_side side, relay_kind kind, const struct sockaddr *peer);
/** Makes the CF leg a candidate feed of `channel` (NULL: none). */
void relay_session_channel(relay_session *s, const char *channel);

/** What stands between the floor socket towards the client and everybody else (MCX-6). Both append what goes on to `out`, which has
 *  room for BCAST_PACKET_MAX octets; on an error the packet is dropped and counted. They must not call the relay. */
typedef struct relay_guard {
    /** A packet from the client. */
    poc_err (*open)(void *ctx, int64_t now_ms, poc_wr *out, poc_span packet);
    /** A clear packet for him alone. What goes to the feed is not sealed: its protection is the enabler's. */
    poc_err (*seal)(void *ctx, int64_t now_ms, poc_wr *out, poc_span packet);
    /** The guard is taken away, or the session ends. */
    void (*done)(void *ctx);
} relay_guard;
/** From now on floor packets of the client side pass `guard` or not at all; NULL: no guard (the default). `guard` outlives the
 *  session; `ctx` is given to it, and given up by its `done`. */
void relay_session_guard(relay_session *s, const relay_guard *guard, void *ctx);
/** True: the client hears the channel by multicast, no unicast copy of what is for everybody. Default false. */
void relay_session_serve(relay_session *s, bool multicast);

typedef struct relay_counts {
    uint64_t uplink, downlink_unicast, feed, copies_dropped, foreign_dropped;
    uint64_t guard_refused;  /* from clients: not protected, not by them, or repeated */
    uint64_t guard_unsealed; /* for clients: could not be protected */
    uint32_t sessions;
} relay_counts;
relay_counts relay_look(const relay *r);

#endif
