/* What the SIP files share. Sofia's types stop here. A callback from Sofia may end a session; its memory is given back by
 * the reaper, so that nothing vanishes under a caller. Private to pf/io/sip*.c. */
#ifndef PF_IO_SIP_PRIVATE_H
#define PF_IO_SIP_PRIVATE_H

#define NTA_AGENT_MAGIC_T    void
#define NTA_LEG_MAGIC_T      void
#define NTA_INCOMING_MAGIC_T void
#define NTA_OUTGOING_MAGIC_T void

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_alloc.h>
#include <sofia-sip/su_uniqueid.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/url.h>

#include <netinet/in.h>
#include <stdio.h>

#include "base/table.h"
#include "base/text.h"
#include "pf/io/sip.h"
#include "pf/io/sip_text.h"
#include "pf/io/sources.h"
#include "pf/io/wake.h"

#define SIP_SDP_TYPE        "application/sdp"
#define SIP_SDP_MAX         8192u
#define SIP_ALLOW           "INVITE, ACK, CANCEL, BYE, UPDATE, INFO, MESSAGE, REFER, OPTIONS, SUBSCRIBE, NOTIFY"
#define SIP_ALLOW_MCX       SIP_ALLOW ", REGISTER, PUBLISH"
#define SIP_ACCEPT_CONTACT  "*;+g.poc.talkburst;require;explicit"
#define SIP_USER_AGENT      "PoC-serv/OMA2.1 pocpf/" POC_VERSION
#define SIP_OFFER_WINDOW    100u  /* unanswered offers at a time: a storm without a window costs retransmissions */
#define SIP_PENDING_MAX     1024u /* requests that wait for Zn */
#define SIP_REQUEST_MAX     65536u
#define SIP_RELAYED_HEADERS 1024u
#define SIP_MIN_SE_S        90u
#define SIP_MAX_SE_S        86400u

typedef void sip_timer_fn(void *arg);

/** A time that may be set anew as often as one likes; part of what it belongs to. All zero: not made. */
typedef struct sip_timer {
    sip *sip;
    sip_timer_fn *fn;
    void *arg;
    int64_t at_ms;
    size_t place; /* in the heap, from 1; 0: not set */
} sip_timer;

/** A wire_unicast in as few octets as its texts need. */
typedef struct sip_peer {
    struct sockaddr_in6 audio, floor; /* of either family; family 0: none */
    poc_sdp_direction direction;
    bool multicast_capable, multicast_refused, plain_order;
    size_t media_count;
    char texts[]; /* audio_proto, audio_formats, audio_lines, floor_lines, each with its terminator */
} sip_peer;

typedef struct sip_leg {
    sip_session *session;
    nta_leg_t *nta;
    nta_incoming_t *server_invite;  /* of the peer, not yet acknowledged */
    nta_outgoing_t *our_request;    /* the first INVITE, an offer, or a refresh: one at a time */
    sip_timer expiry;               /* RFC 4028; set when negotiated */
    const char *contact;            /* our own; one of sip.contacts */
    char *call_id, *local, *remote; /* what nta does not tell again and a record needs */
    uint32_t expires_s;
    bool we_refresh;
    bool we_called; /* the Call-ID is ours */
    bool allow_update;
    bool has_channel_lines; /* five m-lines are negotiated */
    bool offered;           /* our 2xx to an empty re-INVITE was an offer: the ACK answers */
    bool gone;              /* the peer has ended it: no BYE */
    uint64_t sdp_session, sdp_version;
    sip_peer *peer; /* what the peer said last; NULL: nothing yet, which is over when the session is up */
} sip_leg;

typedef enum sip_phase { SIP_SETTING_UP, SIP_ANSWERED, SIP_UP, SIP_ENDED } sip_phase;

typedef struct sip_offering {
    uint64_t number;
    pocpf_offer_kind kind;
    uint8_t *mikey; /* sealed, not secret */
    size_t mikey_len;
    int64_t deadline_ms, retry_ms; /* retry_ms 0: none is due */
    bool waiting;                  /* given by the shell, not answered */
    bool in_flight;                /* the leg's request carries this one */
    uint64_t flight_number;        /* whose answer the request in flight is; the older one when a newer waits */
    bool flight_counts;            /* somebody still waits for it */
} sip_offering;

struct sip_session {
    sip *sip;
    sip_session *next, *prev;
    sip_session *offer_next; /* in the line for the window */
    bool in_line, window_held;
    sip_leg client, cf;
    sip_leg *caller, *callee;
    sip_phase phase;
    bool capable, cancelled;
    bool bearer_off; /* the client has turned the multicast lines off */
    bool has_channel;
    bcast_channel channel; /* as it was offered last */
    char user[POC_URI_MAX], group[POC_URI_MAX];
    relay_session *media;
    sip_timer timer; /* of the offer */
    sip_offering offer;
};

typedef struct sip_subscription {
    struct sip_subscription *next;
    sip *sip;
    char channel[64];
    char group[POC_URI_MAX], as_user[POC_URI_MAX];
    nta_leg_t *nta;
    nta_outgoing_t *request;
    sip_timer timer;
    bool fresh;   /* nothing was reported of this dialog yet */
    bool closing; /* unsubscribed */
    bool dead;    /* waits for the reaper */
} sip_subscription;

/** A request that passes the door: it may have to wait for Zn before it goes on. */
typedef struct sip_inbound sip_inbound;
typedef void sip_inbound_fn(sip_inbound *in);
struct sip_inbound {
    sip_inbound *next, *prev;
    sip *sip;
    nta_incoming_t *irq;
    msg_t *msg; /* keeps `m` */
    sip_t const *m;
    sip_leg *leg; /* in-dialog requests; NULL at the door */
    bool asked, waiting;
    char user[POC_URI_MAX]; /* who it is, once authenticated */
    sip_inbound_fn *go;
};

/** What is wrong with a request; .status 0: nothing. */
typedef struct sip_refusal {
    int status;
    const char *phrase;
    poc_err kind;
    const char *reason;
} sip_refusal;

/** A request carried to the other side (REFER, INFO, MESSAGE ...). */
typedef struct sip_carried {
    struct sip_carried *next, *prev;
    sip *sip;
    sip_session *session; /* NULL outside dialogs */
    nta_incoming_t *irq;
    nta_outgoing_t *orq;
} sip_carried;

/** A request of mission critical services that has no answer yet. */
struct sip_mcx_transaction {
    sip_mcx_transaction *next, *prev;
    sip *sip;
    nta_incoming_t *irq;
    msg_t *msg; /* keeps `m` */
    sip_t const *m;
    char impu[POC_URI_MAX];
};

/** A request of ours to a client of mission critical services. */
typedef struct sip_mcx_sent {
    struct sip_mcx_sent *next, *prev; /* to the same user; the youngest is the first */
    struct sip_mcx_recipient *to;
    sip *sip;
    nta_outgoing_t *orq;
    sip_timer timer;
    uint64_t number, topic;
    bool is_awaited; /* else its transaction is all that is left of it */
} sip_mcx_sent;

/** Who is being sent something. */
typedef struct sip_mcx_recipient {
    sip_mcx_sent *first;
    uint32_t count;
    char subject[];
} sip_mcx_recipient;

/** What mission critical services add to a sip. */
typedef struct sip_mcx {
    char identity[POC_URI_MAX]; /* canonical */
    sip_mcx_transaction *waiting;
    uint32_t waiting_count;
    poc_table recipients; /* by subject */
    uint32_t sent_count, sent_max;
    poc_table publishers; /* by IMPU */
    uint32_t publishers_max;
} sip_mcx;

enum { SIP_UDP, SIP_TCP, SIP_TLS, SIP_TRANSPORTS };

typedef struct sip_tcp sip_tcp;

struct sip {
    su_root_t *root;
    su_home_t home[1];
    nta_agent_t *agent;
    nta_leg_t *door;
    char *contacts[SIP_TRANSPORTS][2]; /* [..][1]: IPv6 */
    char *domain;
    url_t *next_hop;
    struct sockaddr_storage *trusted;
    size_t trusted_count;
    sip_auth auth;
    uint32_t session_expires_s, session_min_s, sessions_max, requests_per_source_s;
    bool strict_identities;
    gba_naf *naf;
    zn *zn;
    relay *relay;
    const sip_events *events;
    void *user;
    sip_session *sessions, *dead;
    sip_session *offers_first, *offers_last;
    uint32_t offers_open;
    sip_subscription *subscriptions;
    sip_inbound *inbounds;
    uint32_t inbounds_waiting;
    sip_carried *carried;
    sip_mcx *mcx; /* NULL: no mission critical services */
    sources *sources;
    sip_tcp *tcp; /* NULL: not listening over TCP */
    wake *clock, *reaper, *pump;
    sip_timer **times; /* a heap: the earliest first */
    size_t times_set, times_made, times_cap;
    uint32_t byes_open;
    bool draining;
    void (*drained)(void *user); /* until it was called */
    void *drained_user;
    sip_counts counts;
};

/* ---- sip.c ---- */
int64_t sip_now_ms(void);
int64_t sip_now_s(void);
void sip_refused(sip *s, poc_err kind, const char *who, const char *reason);
void sip_reap_soon(sip *s);
/** Final refusal with Warning 399; ends the transaction. */
void sip_refuse(sip *s, nta_incoming_t *irq, int status, const char *phrase, const char *reason);
/** True: `Require` names what we do not support, and the request got its 420. */
bool sip_extension_refused(sip *s, nta_incoming_t *irq, sip_t const *m);
void sip_drain_look(sip *s);
uint32_t sip_random(uint32_t below);

/* ---- sip_tcp.c ---- */
/** Once the agent listens: bounds the connections that others make to it. NULL when it listens to no TCP. POC_E_IO, POC_E_NOMEM. */
poc_err sip_tcp_new(sip_tcp **out, sip *s, const sip_settings *settings);
/** Before the agent goes. NULL is fine. */
void sip_tcp_free(sip_tcp *t);

/* ---- sip_auth.c ---- */
bool sip_is_trusted(const sip *s, msg_t *msg);
/** Takes the request in; `go` runs when it is authenticated, at once or later. Never more than once. */
void sip_auth_begin(sip *s, sip_leg *leg, nta_incoming_t *irq, sip_inbound_fn *go);
/** The same for mission critical services, where who it is has to be known whoever vouches for it: a third-party REGISTER is
 *  taken from trusted peers alone and is about its To; a trusted peer asserts who sends any other request, or its sender
 *  proves it. */
void sip_auth_begin_mcx(sip *s, nta_incoming_t *irq, sip_inbound_fn *go);
/** RFC 3261 10.2: From is not To. */
bool sip_is_third_party(sip_t const *m);
/** Ends the stay of a request; its transaction goes with whoever took `irq`, or is destroyed. */
void sip_inbound_free(sip_inbound *in);
/** The same for one that is refused: counted, told to the shell, and answered as sip_refuse does. */
void sip_inbound_refuse(sip_inbound *in, int status, const char *phrase, poc_err kind, const char *reason);
/** Drops requests of a session that ends. */
void sip_auth_forget(sip *s, const sip_session *session);

/* ---- sip_leg.c ---- */
nta_request_f sip_leg_request; /* in sip_dialog.c: what arrives in a dialog */
poc_err sip_leg_accept(sip_leg *leg, nta_incoming_t *irq, sip_t const *m, bool ip6);
poc_err sip_leg_call(sip_leg *leg, const char *local, const char *remote, const url_t *towards);
/** The dialog of a record: tags, numbers, route and target are given by the caller afterwards. */
poc_err sip_leg_make(sip_leg *leg, uint32_t cseq_at_least, uint32_t remote_cseq);
/** Takes the tags, route and abilities of a 2xx to our first INVITE. */
void sip_leg_confirm(sip_leg *leg, sip_t const *m);
void sip_leg_ack(sip_leg *leg, sip_t const *m);
void sip_leg_bye(sip_leg *leg, const char *reason);
/** No more transactions and timers; safe inside the callback of one of them. */
void sip_leg_hush(sip_leg *leg);
/** The same, and the dialog is forgotten. */
void sip_leg_drop(sip_leg *leg);
/** Session timer as agreed in the 2xx to our request. */
void sip_leg_timer(sip_leg *leg, sip_t const *m);
/** RFC 4028: below our minimum. */
bool sip_timer_too_short(const sip *s, sip_t const *m);
void sip_leg_touch(sip_leg *leg);
sip_timer_fn sip_leg_expiry_due;
/** Agrees on a session timer with the request `m` and writes the Session-Expires of its 2xx; false: none. */
bool sip_leg_timer_answer(sip_leg *leg, sip_t const *m, char text[64]);
const char *sip_contact_of(const sip *s, int transport, bool ip6);
int sip_transport_of(const char *name);
wire_local sip_leg_local(const sip_leg *leg);
sip_leg *sip_leg_other(const sip_leg *leg);
relay_side sip_leg_side(const sip_leg *leg);

/* ---- sip_session.c ---- */
/** A first INVITE whose sender is known. */
void sip_session_invite(sip_inbound *in);
void sip_session_invite_from_core(sip_inbound *in);
/** Ends: BYE to the legs that are not gone; session_down when it was up, unless `quiet`. */
void sip_session_end(sip_session *s, pocpf_departure how, bool quiet);
void sip_session_bury(sip_session *s);
void sip_session_free(sip_session *s);
void sip_session_media(sip_session *s, const sip_leg *leg);
/** An empty session outside the list; sip_session_free ends it. */
poc_err sip_session_make(sip_session **out, sip *sip);
void sip_session_link(sip_session *s);

/* ---- sip_content.c ---- */
/** What is carried on; lives as long as the request. */
typedef struct sip_content {
    sip_content_type_t const *type;
    sip_payload_t const *payload;
} sip_content;

/** Asks the shell about the body of a request from or to the client `who`. False: it cannot be carried on, the request was
 *  refused and has ended its stay. */
bool sip_content_settle(sip_content *out, sip_inbound *in, const char *who, bool from_client);
/** `content` with the description `sdp` in the place of the one it has; where there is none, that description alone. In `home`.
 *  POC_E_INPUT, POC_E_LIMIT, POC_E_NOMEM, POC_E_IO. */
poc_err sip_content_describe(sip_content *out, su_home_t *home, sip_content content, poc_span sdp);

/* ---- sip_carry.c ---- */
/** A method that is handed on to the other side, inside or outside a dialog. */
bool sip_is_carried(sip_t const *m, bool in_dialog);
void sip_carry_in_dialog(sip_inbound *in);
void sip_carry_from_client(sip_inbound *in);
void sip_carry_from_core(sip_inbound *in);
void sip_carry_forget(sip *s, const sip_session *session);
void sip_carry_free_all(sip *s);

/* ---- sip_mcx.c ---- */
/** Without an identity there are none. POC_E_INPUT: it is no SIP URI. */
poc_err sip_mcx_make(sip *s, const sip_settings *settings);
/** Requests of both directions end without another word. */
void sip_mcx_done(sip *s);
/** Is this our public service identity? */
bool sip_mcx_is_named(const sip *s, const url_t *url);
/** A request outside dialogs that is for mission critical services. */
bool sip_mcx_is_ours(const sip *s, sip_t const *m);
void sip_mcx_request(sip *s, nta_incoming_t *irq, sip_t const *m);

/* ---- sip_mcx_send.c ---- */
void sip_mcx_sent_free_all(sip *s);

/* ---- sip_publish.c: RFC 3903 ---- */
#define SIP_ETAG_SIZE 17u
/** Does If-Match name what this user has published, and is it still valid? */
bool sip_publish_is_known(const sip *s, const char *impu, const char *if_match);
/** A new tag for what was published, in place of `if_match` (NULL: it is the first). */
void sip_publish_put(sip *s, const char *impu, const char *if_match, uint32_t expires_s, char etag[SIP_ETAG_SIZE]);
void sip_publish_remove(sip *s, const char *impu, const char *if_match);
void sip_publish_free_all(sip *s);

/* ---- sip_route.c ---- */
/** A request to this URL goes by TLS or not at all, if it is a sips: URI. */
void sip_url_secure(url_t *url);
/** Who gives this Contact and no route is to be reached by TLS alone, which is not spoken here. */
bool sip_wants_tls(sip_record_route_t const *set, sip_contact_t const *contact);
/** Takes route and target of a dialog from a request of the peer; `set` NULL: the route stays. POC_E_NOMEM. */
poc_err sip_route_by_request(nta_leg_t *nta, sip_record_route_t const *set, sip_contact_t const *contact);
/** The same from a 2xx to our request. */
void sip_route_by_answer(nta_leg_t *nta, sip_t const *m, bool makes_dialog);

/* ---- sip_offer.c ---- */
void sip_offer_pump_soon(sip *s);
void sip_offer_forget(sip_session *s);
/** Sends the offer that waits, if any, now that the leg is free. */
void sip_offer_resume(sip_session *s);
wake_fn sip_offer_pump;
sip_timer_fn sip_offer_due;

/* ---- sip_peer.c ---- */
/** Keeps it in the place of what `*at` was. POC_E_NOMEM: `*at` is as before. */
poc_err sip_peer_keep(sip_peer **at, const wire_unicast *said);
void sip_peer_tell(wire_unicast *out, const sip_peer *p);

/* ---- sip_subscribe.c ---- */
void sip_subscription_free_all(sip *s);
void sip_subscription_reap(sip *s);

/* ---- sip_timer.c ---- */
/** `fn` may set or stop any timer. POC_E_NOMEM. */
poc_err sip_timer_make(sip_timer *t, sip *s, sip_timer_fn *fn, void *arg);
/** Before its memory goes. One that was never made is fine. */
void sip_timer_done(sip_timer *t);
/** By sip_now_ms; replaces an earlier time. */
void sip_timer_at(sip_timer *t, int64_t at_ms);
void sip_timer_stop(sip_timer *t);
wake_fn sip_timers_due;

/* ---- sip_text.c ---- */
bool sip_body_is_sdp(sip_t const *m);
poc_span sip_body(sip_t const *m);
/** The session description in the body, alone or as one of several parts; n 0: there is none. */
poc_span sip_description(sip_t const *m);
/** Canonical. POC_E_INPUT, POC_E_LIMIT, POC_E_NOMEM. */
poc_err sip_url_canonical(char out[POC_URI_MAX], const url_t *url);
const char *sip_unknown_value(sip_t const *m, const char *name);
bool sip_source_address(struct sockaddr_storage *out, msg_t *msg);

#endif
