/* A world that a scenario plays in: PoC clients, one PF, one Controlling Function and the air between them. Two worlds
 * have this shape: `simulated` (everything in one process on a hand-turned clock) and `real` (sockets, our daemon or
 * anybody's PF). The script and the report know only this header. Operations return at once; what comes of them arrives
 * as observations while the world runs. */
#ifndef TESTS_HARNESS_WORLD_H
#define TESTS_HARNESS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ident.h"

#define WORLD_NAME_MAX    32u
#define WORLD_CLIENTS_MAX 64u
#define WORLD_PAYLOAD_MAX 160u /* octets of PCMU in one packet of 20 ms */
#define WORLD_USERS_MAX   16u
#define WORLD_GROUPS_MAX  4u

/** How the PF is to be run where a channel does not say; 0: as it likes. */
typedef struct world_pf {
    uint32_t muk_lifetime_s; /* of what a bootstrapping at the BSF gives */
    uint32_t muk_renew_s;    /* a MUK that lives shorter than this has to be renewed */
    uint32_t push_tries, push_first_ms, push_cap_ms, solicit_per_s;
    bool trusts_core;    /* gba.sip_auth = "registered": MUKs come with HTTP registrations only */
    bool pushes_to_peer; /* mbms.push_address = "sip-contact": a session tells where to push to */
    uint8_t mcx_algorithms,
        mcx_forced;         /* key lengths in octets that clients may use (16 | 32), and the one they shall */
    uint32_t mcx_expires_s; /* longest life of a service authorisation */
    bool mcx_by_notify;     /* mcx.download = "notify" */
} world_pf;

/** What a channel under a MuSiK is for. */
typedef struct world_musik {
    bool is_one; /* else the channel is under an MSK, and the rest means nothing */
    bool is_video;
    bool is_region; /* who says that he listens to its bearer is in it; else everybody who is admitted */
    bool revokes;   /* the MuSiK before an expulsion is taken back from those who stay */
    uint32_t lifetime_s;
    char groups[WORLD_GROUPS_MAX][128]; /* "": no more */
} world_musik;

/** How a channel is to be run; the real world writes it into the configuration of the daemon it starts. */
typedef struct world_channel {
    char id[WORLD_NAME_MAX];
    char group_uri[128]; /* "": a pure MBMS user service, without a PoC session */
    char on_leave[8];    /* "never", "always", "batch" */
    uint32_t leave_batch_ms;
    bool on_join;
    uint32_t interval_s, max_mtk, deadline_ms;
    char gate[10];        /* "hold", "continue" */
    char on_refusal[10];  /* "unicast", "release" */
    bool enabler_works;   /* false: nothing can be put on air (fail closed) */
    uint32_t mtk_packets; /* a new MTK after so many packets; 0: as the enabler likes */
    char delivery[6];     /* of rekeys: "sip", "push", "both" */
    char admit[16];       /* who may register: "session", "listed", "authenticated"; or be given the
                                                    MuSiK: "authorised", "listed" */
    char users[WORLD_USERS_MAX][WORLD_NAME_MAX]; /* "listed": these clients, by name */
    uint32_t wait_time_s, max_back_off_s;        /* back-off that the announcement asks clients for */
    world_musik musik;
} world_channel;

/** A client as a user of mission critical services. */
typedef struct world_mcx {
    bool is_user;
    bool is_video;
    uint8_t algorithms[2]; /* key lengths in octets: 16, 32, the selected one first; 0: no (more); none: says nothing */
    bool hides_identity;
    bool is_neighbours;            /* has its keys from the KMS of another domain */
    char token_of[WORLD_NAME_MAX]; /* whose access token it shows; "": its own */
} world_mcx;

typedef struct world_client {
    char name[WORLD_NAME_MAX];
    bool multicast_capable; /* says a=bcastversion */
    bool bootstraps;        /* false: has no GBA context */
    bool update_allowed;
    bool answers_offers; /* false: never answers the PF's offers */
    bool refuses_keys;   /* answers key offers with 488 */
    bool keeps_keys;     /* goes on listening with every key it ever had */
    char answers[20];    /* "" honestly, or a word of spoil.h */
    world_mcx mcx;
} world_client;

/** The network of the simulated world; the real world refuses it (POC_E_STATE). Unicast media is never lost, HTTP waits for
 *  TCP to repeat. */
typedef struct world_net {
    double loss;                    /* 0..1: SIP messages */
    double air_loss;                /* 0..1: datagrams on the group, for each listener */
    double reorder;                 /* 0..1: chance that a SIP message is delayed by another delay_ms */
    double push_loss, push_reorder; /* the same for MIKEY over UDP, both directions */
    uint32_t delay_ms, jitter_ms;
} world_net;

typedef enum world_what {
    WORLD_BOOTSTRAPPED = 1,
    WORLD_IN,       /* session up (unicast)                                        */
    WORLD_REFUSED,  /* join got `status`                                           */
    WORLD_OUT,      /* left by its own BYE                                         */
    WORLD_BYED,     /* got a BYE                                                   */
    WORLD_OFFERED,  /* answered an offer of the PF with `status`                   */
    WORLD_ON_GROUP, /* listens to the group now                                    */
    WORLD_OFF_GROUP,
    WORLD_KEY,        /* holds MSK mki.msk_id                                        */
    WORLD_KEY_MISSED, /* unknown MSK mki.msk_id on air                               */
    WORLD_MTK,        /* opened MTK mki                                              */
    WORLD_ON_AIR,     /* the listener saw a media packet on the group: ssrc, seq, mki; no client */
    WORLD_FLOOR_ON_AIR,
    WORLD_STKM_ON_AIR,
    WORLD_CLEAR_ON_AIR, /* a datagram on the group that is not protected (POC-1): always a failure */
    WORLD_PLAYED,       /* a client decrypted or received a media packet: ssrc, seq, payload */
    WORLD_UNREADABLE,   /* a media packet on air that this client could not open       */
    WORLD_FLOOR,        /* a client understood a floor message: status = MBCP type     */
    WORLD_SENT, /* a talker sent a media packet: ssrc, seq; no client: the content source of channel number `status` */
    WORLD_EXPELLED, /* the CF or an operator expelled `client`: the clock of exposure starts */
    WORLD_SESSION_OVER,
    WORLD_PF_CRASHED,
    WORLD_PF_BACK,
    WORLD_REGISTERED, /* over HTTP, for the service of its channel                   */
    WORLD_DEREGISTERED,
    WORLD_GRANTED,          /* the MSK that it asked for (mki.msk_id) will be pushed       */
    WORLD_DENIED,           /* it will not, or (no mki) the registration failed: `status`  */
    WORLD_BOOTSTRAP_NEEDED, /* the PF wants another bootstrapping first (MBMS-11)          */
    WORLD_SERVICE_LEFT,     /* a client gave the service up: no MSK to be had (MBMS-2)     */
    WORLD_COVERED,          /* came into coverage (`status` 1), or went out of it (0)      */
    WORLD_MOVED,            /* has another address now                                     */
    WORLD_JOINING,     /* written by the script, not by a world: `client` was told to join channel number `status` */
    WORLD_REGISTERING, /* the same: `client` was told to register for the service of channel number `status` */
    WORLD_UPLOADING,   /* the same: `client` was told to bring a CSK in the way `status` */
    WORLD_REKEY_ASKED, /* the same: the operator was told to rekey channel number `status` */
    WORLD_PROVISIONED, /* has keys from the KMS                                       */
    WORLD_AUTHORISED,  /* its CSK was accepted: 2xx                                   */
    WORLD_LOGGED_OFF,  /* forgot CSKs and MuSiKs                                      */
    WORLD_LISTENS,     /* told the PF that it hears the bearer of `channel` (`status` 1), or not (0) */
    WORLD_CSK,         /* holds CSK mki.msk_id                                        */
    WORLD_ALGORITHM,   /* protects what goes to the PF with AES-GCM and keys of `status` octets */
    WORLD_REVOKED,     /* is not to use key mki.msk_id any more                       */
    WORLD_MAPPED,      /* opened a MapGroupToBearer off the air, under MuSiK mki.msk_id */
    WORLD_NOTE         /* text only                                                   */
} world_what;

/** One thing that was seen, from outside the PF. */
typedef struct world_seen {
    world_what what;
    int64_t at_us; /* since the start of the scenario */
    int client;    /* index, or -1 */
    int status;
    bool by_multicast; /* PLAYED, FLOOR */
    uint8_t channel;   /* number of a channel under a MuSiK, from 1: its key ids are random; 0: the MSK ID tells */
    poc_mki mki;
    uint32_t ssrc, timestamp;
    uint16_t seq;
    uint8_t payload[WORLD_PAYLOAD_MAX];
    uint16_t payload_len;
    char text[96];
} world_seen;

/** How a client asks for service authorisation. */
typedef enum world_way { WORLD_BY_REGISTER, WORLD_BY_PUBLISH, WORLD_BY_THIRD_PARTY } world_way;

typedef void world_seen_fn(void *user, const world_seen *seen);

typedef struct world world;

typedef struct world_ops {
    const char *name; /* "simulated", "real" */
    void (*free)(world *w);
    /** Before anything else. POC_E_STATE: too late, or it is not our PF. */
    poc_err (*configure)(world *w, const world_pf *pf);
    /** Before the first client joins. */
    poc_err (*channel)(world *w, const world_channel *channel);
    /** Makes a client; returns its index (0..) in `*index`. */
    poc_err (*client)(world *w, const world_client *client, int *index);
    poc_err (*bootstrap)(world *w, int client);
    poc_err (*join)(world *w, int client, const char *channel_id);
    poc_err (*leave)(world *w, int client);
    /** One packet of 20 ms from the client to the PF. */
    poc_err (*talk)(world *w, int client, const uint8_t *pcmu, size_t n, bool first);
    /** The client asks for the floor (true) or gives it back; the CF answers, and tells everybody. */
    poc_err (*floor)(world *w, int client, bool request);
    /** The client registers for the service of a channel over HTTP, or deregisters. */
    poc_err (*enrol)(world *w, int client, const char *channel_id, bool in);
    /** The client requests the current MSK of a channel's service. */
    poc_err (*pull)(world *w, int client, const char *channel_id);
    /** Out of coverage a client hears neither the group nor pushes. */
    poc_err (*coverage)(world *w, int client, bool is_covered);
    /** The client gets another address; what it is registered for it tells the PF from there. */
    poc_err (*move)(world *w, int client);
    /** One packet of 20 ms from the content source of a channel without a PoC session. */
    poc_err (*feed)(world *w, const char *channel_id, const uint8_t *pcmu, size_t n, bool first);
    /** A user of mission critical services fetches its keys from the KMS; brings a CSK; says goodbye. */
    poc_err (*provision)(world *w, int client);
    poc_err (*upload)(world *w, int client, world_way way);
    poc_err (*log_off)(world *w, int client);
    /** It reports that it hears the bearer of a channel under a MuSiK, or does not. */
    poc_err (*listens)(world *w, int client, const char *channel_id, bool is_listening);
    /** The content source of a channel under a MuSiK sends one floor message to everybody. */
    poc_err (*feed_floor)(world *w, const char *channel_id);
    /** The client asks the CF by REFER to expel another. */
    poc_err (*refer_expel)(world *w, int client, int subject);
    /** The CF expels a client: BYE and NOTIFY booted. */
    poc_err (*cf_expel)(world *w, int client);
    /** The CF ends the session of a channel. */
    poc_err (*cf_end)(world *w, const char *channel_id);
    /** The operator at the PF: expel (client >= 0) or rekey (client -1). POC_E_STATE where the PF has no such door. */
    poc_err (*operate)(world *w, const char *channel_id, int client);
    /** The operator has a client (-1: all of them) asked to pull. */
    poc_err (*solicit)(world *w, const char *channel_id, int client);
    /** The operator lets somebody who was expelled in again. */
    poc_err (*admit)(world *w, const char *channel_id, int client);
    poc_err (*net)(world *w, const world_net *net);
    /** Somebody in the cell sends one salvo of forged datagrams to the group of a channel, and to the PF's media ports where
     *  there are such. */
    poc_err (*strike)(world *w, const char *channel_id);
    /** The disk of the PF's store is full, or has room again. POC_E_STATE where it cannot be reached. */
    poc_err (*disk)(world *w, bool has_room);
    /** kill -9 at the PF, and its restart. */
    poc_err (*crash)(world *w);
    poc_err (*restart)(world *w);
    /** Runs until the given time since start has come, or `stop` says so after an observation (may be NULL). */
    poc_err (*run)(world *w, int64_t until_us, bool (*stop)(void *user), void *user);
    int64_t (*now_us)(const world *w);
} world_ops;

struct world {
    const world_ops *ops;
};

typedef struct world_settings {
    uint64_t seed;
    world_seen_fn *seen;
    void *user;
    const char *pf_uri; /* real: somebody's PF; NULL: start our own pocpfd */
    const char
        *pf_config;      /* real, without pf_uri: configuration file to use as it is; NULL: written from the channels */
    const char *bsf_url; /* real, with pf_uri */
    const char *report_dir;  /* where the real world keeps the daemon's files */
    const char *program_dir; /* where pocpfd lies */
} world_settings;

poc_err world_simulated(world **out, const world_settings *settings);
poc_err world_real(world **out, const world_settings *settings);

#endif
