/* The simulated world, inside: one clock, one queue of events, one seeded generator, and the nodes that talk through them:
 * the clients (libpocue), the PF (libpocpf with the shell that the daemon has, made of memory), the CF, and the air. */
#ifndef TESTS_HARNESS_SIM_H
#define TESTS_HARNESS_SIM_H

#include "bcast/bcast.h"
#include "gba/gba.h"
#include "mikey/mikey.h"
#include "pf/wire/air.h"
#include "pf/wire/wire.h"
#include "pocpf/pocpf.h"
#include "tests/harness/feed.h"
#include "tests/harness/forge.h"
#include "tests/harness/wallet.h"
#include "tests/harness/world.h"
#include "tests/support/rng.h"
#include "ue/api/pocue.h"

#define SIM_CHANNELS_MAX 16
#define SIM_START_MS     INT64_C(1893456000000) /* 2030-01-01: the clock of every run begins here */
#define SIM_T1_US        500000                 /* RFC 3261: retransmission begins after T1 ... */
#define SIM_T2_US        4000000                /* ... doubles up to T2 ... */
#define SIM_GIVE_UP_US   32000000               /* ... and ends after 64 T1 */
#define SIM_REALM_FQDN   "pf.poc.example"
#define SIM_BSF_FQDN     "bsf.poc.example"
#define SIM_DOMAIN       "poc.example"
#define SIM_PSI          "sip:mcx@pf.poc.example" /* of the PF as a server of mission critical services */
#define SIM_MC_DOMAIN    "mcx.poc.example"

#define SIM_DATAGRAM_MAX MIKEY_MESSAGE_MAX /* the largest that goes over this network */
#define SIM_ADDRESS_LEN  6u                /* IPv4 address and port of a client's push socket */

typedef struct sim sim;

/* ---- events: sim_queue.c ---- */

typedef void sim_event_fn(sim *s, void *ctx, uint64_t arg);

typedef struct sim_packet sim_packet;

typedef struct sim_event {
    int64_t at_us;
    uint64_t order; /* events of one moment keep the order in which they were made */
    sim_event_fn *fn;
    void *ctx;
    uint64_t arg;
    sim_packet *packet; /* what `ctx` is one owner of, NULL: nothing */
} sim_event;

typedef struct sim_queue {
    sim_event *heap;
    size_t count, cap;
    uint64_t made;
} sim_queue;

/** Runs `fn(s, ctx, arg)` `delay_us` from now. Out of memory ends the run (sim.broken). */
void sim_after(sim *s, int64_t delay_us, sim_event_fn *fn, void *ctx, uint64_t arg);
/** The same with a packet, of which the event is an owner: `fn` lets it go. */
void sim_after_packet(sim *s, int64_t delay_us, sim_event_fn *fn, sim_packet *p, uint64_t arg);
bool sim_queue_pop(sim_queue *q, sim_event *out);
void sim_queue_free(sim_queue *q);

/* ---- the network: sim_net.c ---- */

/** A datagram under way to several listeners. */
struct sim_packet {
    uint32_t refs;
    bcast_flow flow;
    int channel;
    int client; /* talker, or the only addressee; -1: none */
    size_t n;
    uint8_t b[SIM_DATAGRAM_MAX];
};

sim_packet *sim_packet_new(sim *s, bcast_flow flow, int channel, int client, poc_span bytes);
void sim_packet_unref(sim_packet *p);
/** Decides by chance. */
bool sim_net_happens(sim *s, double chance);
/** False: lost. Else how long it takes. */
bool sim_net_fate(sim *s, double loss, int64_t *delay_us);
/** Delay of unicast media: constant, so that packets keep their order. */
int64_t sim_net_steady_us(const sim *s);
/** Puts a protected datagram on the group: the listener sees it, each client that listens may. */
void sim_air_send(sim *s, int channel, bcast_flow flow, poc_span datagram);
/** One salvo of forged datagrams, which the listener knows as such. */
void sim_air_strike(sim *s, int channel);

/* ---- SIP transactions: sim_sip.c ---- */

enum { SIM_PF = -1, SIM_CF = -2 }; /* nodes; a client is its index */

typedef enum sim_method {
    SIM_INVITE,
    SIM_UPDATE,
    SIM_BYE,
    SIM_REFER,
    SIM_SUBSCRIBE,
    SIM_NOTIFY,
    SIM_REGISTER, /* these, and a NOTIFY to a client, are of mission critical services */
    SIM_PUBLISH,
    SIM_MESSAGE,
    SIM_METHODS
} sim_method;

typedef struct sim_request {
    sim_method method;
    bool in_dialog; /* INVITE: a re-INVITE */
    int client;     /* whose session; -1 for SUBSCRIBE and NOTIFY */
    int channel;
    uint32_t call;             /* Call-ID: tells one session or subscription from a later one */
    int subject;               /* REFER: who is to go; NOTIFY: who is reported as booted, -1 */
    bool ends;                 /* SUBSCRIBE with Expires: 0; NOTIFY with Subscription-State: terminated */
    const char *authorization; /* text or NULL */
    char content_type[96];
    uint32_t expires_s; /* REGISTER and PUBLISH; 0: logs off */
    bool by_core;       /* REGISTER: a third-party one */
    poc_span body;
} sim_request;

typedef struct sim_txn sim_txn;
/** The final answer, 408 when none came; `t` is good for this call. */
typedef void sim_done_fn(sim *s, sim_txn *t, void *ctx, uint64_t arg);

/** Both ends of one transaction: each knows only what was delivered to it. */
struct sim_txn {
    int from, to;
    sim_request request; /* texts owned */
    char *authorization;
    uint8_t *body;
    int status; /* of the answer, 0: none yet */
    char *challenge;
    uint8_t *answer;
    size_t answer_len;
    uint32_t expires_s; /* of the answer to REGISTER and PUBLISH */
    bool heard, done, acknowledged;
    int64_t interval_us, give_up_us, answer_interval_us, answer_until_us;
    sim_done_fn *on_done;
    void *ctx;
    uint64_t arg;
    sim_txn *next;
};

/** Sends a request until it is answered or `timeout_us` has passed. */
void sim_sip_send(sim *s, int from, int to, const sim_request *request, int64_t timeout_us, sim_done_fn *done,
                  void *ctx, uint64_t arg);
/** The server's final answer. `challenge` (WWW-Authenticate) may be NULL. */
void sim_sip_answer(sim *s, sim_txn *t, int status, const char *challenge, poc_span body);
/** What the PF had under way is gone; what others sent to it goes on being sent. */
void sim_sip_crash(sim *s);
void sim_sip_free(sim *s);

/* ---- MIKEY over UDP: sim_push.c ---- */

/** The address that a client has now. */
void sim_push_address(const sim *s, int client, uint8_t out[SIM_ADDRESS_LEN]);
/** From the PF to whoever has the address when it gets there. */
void sim_push_send(sim *s, const void *address, size_t address_len, poc_span datagram);
/** From a client to the PF. */
void sim_push_answer(sim *s, int client, poc_span datagram);
enum { SIM_PUSH_DOWN, SIM_PUSH_UP, SIM_PUSH_WAYS };
/** One salvo of forged datagrams to every client and to the PF, in each other's name. */
void sim_push_strike(sim *s);

/* ---- HTTP of the key management: sim_http.c ---- */

typedef struct sim_http sim_http;

/** Sends what the client has to ask, when nothing of it is under way, and sees to it that it is called when it wants to be. */
void sim_http_next(sim *s, int client);
void sim_http_free(sim_http *h);

/* ---- clients: sim_ue.c, sim_ue_mbms.c ---- */

/** What a client of mission critical services has under way. */
typedef struct sim_ue_mcx {
    bool is_uploading, is_authorised;
    world_way way;
    pocue_mcx_upload upload;
    uint8_t *body; /* of the upload that has no answer yet; owned */
    size_t body_len;
    uint32_t tries;
    uint32_t number;       /* counts uploads and refreshes: what was planned for an earlier one does not happen */
    uint32_t hearing_ssrc; /* packet that is being opened */
    uint16_t hearing_seq;
} sim_ue_mcx;

typedef struct sim_client {
    world_client made;
    sim_ue_mcx mcx;
    pocue *ue;
    pocue_local local;
    char impu[POC_URI_MAX], impi[80];
    int channel;   /* of the present or last session, -1 */
    uint32_t call; /* counts its sessions */
    bool in, joining;
    bool listens[SIM_CHANNELS_MAX];
    bool tried_auth;
    bool is_away;            /* out of coverage */
    uint8_t moves;           /* how often it got another address */
    uint32_t knows;          /* a bit for each channel whose service was announced to it */
    sim_http *http;          /* owned, NULL: never used */
    int64_t alarm_us;        /* an event that ticks it is in the queue for then; 0: none */
    int64_t last_arrival_us; /* of a datagram off the air */
    uint32_t ssrc, timestamp;
    uint16_t seq;
} sim_client;

poc_err sim_ue_add(sim *s, const world_client *made, int *index);
poc_err sim_ue_bootstrap(sim *s, int client);
poc_err sim_ue_join(sim *s, int client, const char *channel_id);
poc_err sim_ue_leave(sim *s, int client);
poc_err sim_ue_talk(sim *s, int client, const uint8_t *pcmu, size_t n, bool first);
poc_err sim_ue_floor(sim *s, int client, bool request);
poc_err sim_ue_refer(sim *s, int client, int subject);
void sim_ue_request(sim *s, sim_txn *t);
void sim_ue_unicast(sim *s, int client, const sim_packet *p);
void sim_ue_multicast(sim *s, int client, const sim_packet *p);
/** Takes what libpocue has to say. Call it after every call of libpocue. */
void sim_ue_poll(sim *s, int client);
poc_err sim_ue_enrol(sim *s, int client, int channel, bool in);
poc_err sim_ue_pull(sim *s, int client, int channel);
void sim_ue_coverage(sim *s, int client, bool is_covered);
void sim_ue_move(sim *s, int client);
void sim_ue_push(sim *s, int client, const sim_packet *p);
/** Sees to it that the client is called when it wants to be. */
void sim_ue_alarm(sim *s, int client);

/* ---- clients as users of mission critical services: sim_ue_mcx.c ---- */

poc_err sim_ue_mcx_start(sim *s, int client);
poc_err sim_ue_provision(sim *s, int client);
poc_err sim_ue_upload(sim *s, int client, world_way way);
poc_err sim_ue_log_off(sim *s, int client);
poc_err sim_ue_listens(sim *s, int client, int channel, bool is_listening);
/** A MESSAGE or NOTIFY that came to it. */
void sim_ue_mcx_request(sim *s, sim_txn *t);
/** A datagram of a channel under a MuSiK, off the air. */
void sim_ue_mcx_air(sim *s, int client, const sim_packet *p);
/** What libpocue has to say of keys: completes the observation. */
void sim_ue_mcx_see(sim *s, int client, const pocue_event *e, world_seen *seen);

/* ---- the CF: sim_cf.c ---- */

typedef struct sim_cf_leg {
    bool in;
    uint32_t call;
} sim_cf_leg;

typedef struct sim_cf_session {
    sim_cf_leg legs[WORLD_CLIENTS_MAX];
    bool over;
    bool subscribed;
    uint32_t subscription; /* call of the SUBSCRIBE */
    uint32_t version;
    int talker; /* who has the floor, -1 */
} sim_cf_session;

void sim_cf_request(sim *s, sim_txn *t);
poc_err sim_cf_expel(sim *s, int client);
poc_err sim_cf_end(sim *s, int channel);
/** Uplink media or floor packet, relayed by the PF. */
void sim_cf_media(sim *s, sim_packet *p);

/* ---- the PF: sim_pf.c, sim_effects.c ---- */

typedef struct sim_session {
    bool used, up, multicast, capable;
    bool guarded;  /* its floor control is under a CSK, or not at all */
    uint32_t call; /* of the client's leg and of the CF leg */
    int channel;
    char user[POC_URI_MAX];
    char sdp[2000]; /* the client's offer: what a description is made of, stored with the member */
    wire_unicast unicast;
    uint64_t sdp_version;
    bool offering; /* an offer is out, unanswered */
    bool waiting;  /* the next offer waits for that answer, or for its turn after 491 */
    uint64_t offer_number, next_number;
    pocpf_offer_kind next_kind;
    uint8_t next_mikey[MIKEY_MESSAGE_MAX];
    size_t next_mikey_len;
    int64_t next_deadline_us;
} sim_session;

/** Where the protector of a channel puts its datagrams. */
typedef struct sim_carrier {
    sim *s;
    int channel;
} sim_carrier;

typedef struct sim_pf_channel {
    bcast_protector *protector;
    wire_mcx_air *air; /* the same for a channel under a MuSiK */
    const char *groups[WORLD_GROUPS_MAX];
    sim_carrier carrier;
    bcast_channel on_wire;
    uint32_t mtks;
    wire_keyman_service service;
    bool wants_subscription, subscribed;
    uint32_t subscription;
} sim_pf_channel;

typedef struct sim_record {
    uint8_t key[256];
    size_t key_len;
    uint8_t *value; /* owned; NULL: deleted */
    size_t value_len;
} sim_record;

typedef struct sim_store {
    sim_record *durable, *writing;
    size_t durable_count, durable_cap, writing_count, writing_cap;
} sim_store;

typedef struct sim_pf {
    pocpf *engine; /* NULL: crashed */
    gba_naf *naf;
    wire_keyman *keyman; /* borrows both */
    uint64_t life;       /* counts starts: what an earlier life had planned does not happen */
    bool working;        /* an event that takes the next effect is in the queue */
    uint32_t calls;
    wire_mcx_desk *desk; /* NULL: no mission critical services */
    wire_mcx_floor *floor;
    sim_txn *waiting[WORLD_CLIENTS_MAX]; /* requests whose answer the desk will tell ... */
    uint64_t numbers[WORLD_CLIENTS_MAX]; /* ... under this number; 0: none */
    sim_session sessions[WORLD_CLIENTS_MAX];
    sim_pf_channel channels[SIM_CHANNELS_MAX];
} sim_pf;

poc_err sim_pf_start(sim *s);
void sim_pf_stop(sim *s);
poc_err sim_pf_channel_add(sim *s, int channel);
void sim_pf_request(sim *s, sim_txn *t);
/** The client acknowledged the 200 to its INVITE. */
void sim_pf_acknowledged(sim *s, sim_txn *t);
/** Uplink from a client, and downlink from the CF to `to` (-1: everybody but p->client). */
void sim_pf_uplink(sim *s, sim_packet *p);
void sim_pf_downlink(sim *s, sim_packet *p, int to);
int64_t sim_pf_deadline_us(const sim *s);
void sim_pf_tick(sim *s);
/** The first news of an expulsion starts the clock of exposure. */
void sim_pf_learns_of_expulsion(sim *s, int client);
/** Sends BYE on both legs of a session and forgets it. */
void sim_pf_release(sim *s, int client);
void sim_pf_subscribe(sim *s, int channel, bool refresh);
void sim_pf_unsubscribe(sim *s, int channel);
/** Sends the offer that waits, if its turn has come. */
void sim_pf_offer_next(sim *s, int client);
poc_err sim_pf_dialog_write(const sim *s, int client, poc_wr *out);
poc_err sim_pf_dialog_read(sim *s, const char *user, int channel, poc_span dialog);
int sim_pf_client_of(const sim *s, const char *user, int channel);
/** Sees to it that the engine's effects are carried out. Call it after every call of the engine. */
void sim_pf_work(sim *s);
void sim_pf_mtks(sim *s, int channel);

/* ---- its key management service: sim_keyman.c ---- */

poc_err sim_keyman_make(sim *s);
/** Who may register, from the word of a script. */
wire_keyman_admit sim_keyman_admit(const char *word);
/** One request to the key management service; `address` is where it came from. */
void sim_keyman_request(sim *s, const uint8_t address[SIM_ADDRESS_LEN], const pocue_http *request,
                        wire_keyman_answer *answer);
/** Datagrams on the push socket. */
void sim_keyman_heard(sim *s, const uint8_t address[SIM_ADDRESS_LEN], poc_span datagram);
/** Name of the service that a channel is announced as. */
const char *sim_keyman_service_id(const sim *s, int channel, char out[160]);

/* ---- its mission critical services: sim_mcx.c, sim_mcx_air.c ---- */

/** From now on the PF has them. */
poc_err sim_mcx_begin(sim *s);
/** Makes desk and keys for an engine that has just been made (before the store is read), or that has read it. */
poc_err sim_mcx_make(sim *s);
poc_err sim_mcx_restored(sim *s);
void sim_mcx_stop(sim *s);
poc_err sim_mcx_channel(sim *s, int channel);
void sim_mcx_request(sim *s, sim_txn *t);
void sim_mcx_bound(sim *s, const pocpf_effect *e);
void sim_mcx_download(sim *s, const pocpf_effect *e);
int64_t sim_mcx_deadline_ms(const sim *s);
void sim_mcx_tick(sim *s);

/** Number of a channel under a MuSiK in observations, 0 for any other. */
uint8_t sim_mcx_number(const sim *s, int channel);
/** The enabler of a channel under a MuSiK. */
poc_err sim_mcx_give_musik(sim *s, int channel, const bcast_msk *musik);
/** A stranger's look at a datagram of such a channel. */
void sim_mcx_look(const sim_packet *p, world_seen *seen);
poc_err sim_mcx_feed_floor(sim *s, int channel);
/** Floor control of a session: with what protects it taken off or put on; NULL: not let through. The packet is given away. */
sim_packet *sim_mcx_floor_open(sim *s, sim_packet *p);
sim_packet *sim_mcx_floor_seal(sim *s, int client, sim_packet *p);

/* ---- its store: sim_store.c ---- */

/** Copies the records; POC_E_NOMEM. */
poc_err sim_store_begin(sim_store *store, const pocpf_record *records, size_t count);
void sim_store_commit(sim_store *store);
/** The write under way is lost. */
void sim_store_drop(sim_store *store);
void sim_store_free(sim_store *store);

/* ---- the content source of a channel without a session: sim_feed.c ---- */

/** One packet of it: sim_feed.c. */
poc_err sim_feed(sim *s, int channel, poc_span pcmu, bool first);

/* ---- the world ---- */

struct sim {
    world base;
    world_seen_fn *seen;
    void *user;
    uint64_t news; /* observations made so far */
    bool broken;   /* out of memory */
    int64_t now_us;
    sim_queue queue;
    test_rng chance; /* decides what the network does */
    test_rng key_chance;
    poc_rng rng; /* makes keys */
    world_net net;
    world_pf options;
    feed feeds[SIM_CHANNELS_MAX];
    sim_txn *txns;
    gba_bsf *bsf;
    poc_secret *store_key;
    sim_store store;
    bool disk_is_full;
    bool has_mcx;
    uint16_t floor_messages;                            /* of content sources */
    forge_ear ears[SIM_CHANNELS_MAX][BCAST_FLOW_COUNT]; /* of an attacker in the cell */
    forge_ear push_ears[SIM_PUSH_WAYS];
    sim_pf pf;
    sim_client clients[WORLD_CLIENTS_MAX];
    int client_count;
    world_channel channels[SIM_CHANNELS_MAX];
    sim_cf_session cf[SIM_CHANNELS_MAX];
    int channel_count;
    bool expelling[WORLD_CLIENTS_MAX]; /* expelled, and the PF has not heard of it */
};

int64_t sim_now_ms(const sim *s);
void sim_see(sim *s, world_seen *seen);
/** An observation without details; `client` -1: nobody's. */
void sim_tell(sim *s, world_what what, int client, int status);
void sim_note(sim *s, int client, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int sim_channel_by_id(const sim *s, const char *id);
int sim_client_by_user(const sim *s, const char *user);

#endif
