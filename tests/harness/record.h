/* What was seen in one run of a scenario, in order, and what follows from it for the moment: who is in, who holds which
 * key. Filled by a world through record_see; read by conditions, measures, expectations and reports. */
#ifndef TESTS_HARNESS_RECORD_H
#define TESTS_HARNESS_RECORD_H

#include "tests/harness/world.h"

#define RECORD_CHANNELS_MAX 16u
#define RECORD_MUSIKS_MAX   1024u

/** What of a client is counted, in the words of a script. */
typedef enum record_count {
    RECORD_KEYS,
    RECORD_BOOTSTRAPPINGS,
    RECORD_REGISTRATIONS,
    RECORD_GRANTS,
    RECORD_DENIALS,
    RECORD_MISSED,
    RECORD_OFFERS,
    RECORD_CSKS,
    RECORD_FLOOR,
    RECORD_REVOCATIONS,
    RECORD_COUNTS
} record_count;

typedef struct record_client {
    world_client made;
    int channel; /* joined last, -1: none */
    bool bootstrapped, in, out, refused, listening, opened_mtk;
    bool registered, denied, left_service;
    bool provisioned, authorised;
    int algorithm;                   /* key length in octets of what protects its signalling, 0: nothing */
    bool hears[RECORD_CHANNELS_MAX]; /* listens to the group of a channel under a MuSiK */
    /* The MuSiKs of each channel under one that were received last, and before that, since one comes ahead of its time; 0: none. */
    uint32_t musik_id[RECORD_CHANNELS_MAX][2];
    int denied_status;
    bool heard, heard_by_multicast; /* the last packet played */
    poc_msk_id msk_id;              /* MSK received last, 0: none */
    poc_mki mtk;                    /* MTK opened last */
    int refused_status;
    uint32_t counts[RECORD_COUNTS];
} record_client;

typedef struct record_channel {
    world_channel made;
    uint16_t key_group;  /* 0: no key of it was seen yet */
    poc_msk_id msk_id;   /* on air last, 0: none */
    int64_t last_air_us; /* last datagram on the group, -1: none */
} record_channel;

/** The ids of MuSiKs are random: in the order in which they were seen first. */
typedef struct record_musik {
    uint32_t id;
    int channel;
} record_musik;

typedef struct record record;

/** Hears of everything at once, for the timeline. */
typedef void record_tap_fn(void *user, const record *rec, const world_seen *seen);

struct record {
    char title[128];
    const char *world; /* constant text */
    uint64_t seed;
    record_client clients[WORLD_CLIENTS_MAX];
    size_t client_count;
    record_channel channels[RECORD_CHANNELS_MAX];
    size_t channel_count;
    record_musik musiks[RECORD_MUSIKS_MAX];
    size_t musik_count;
    world_seen *seen; /* owned */
    size_t seen_count, seen_cap;
    int64_t end_us;
    bool overflow; /* out of memory: something is missing */
    record_tap_fn *tap;
    void *tap_user;
};

void record_init(record *rec, const char *world_name, uint64_t seed);
void record_done(record *rec);
/** A world_seen_fn: `user` is the record. */
void record_see(void *user, const world_seen *seen);
/** Index of a channel or client by name, -1 when there is none. */
int record_channel_by_id(const record *rec, const char *id);
int record_client_by_name(const record *rec, const char *name);
/** The channel that an MSK ID belongs to, -1 when unknown. */
int record_channel_of(const record *rec, poc_msk_id id);
/** True when the client was ever given this MSK. */
bool record_was_given(const record *rec, int client, poc_msk_id id);
/** True for a datagram seen on the group. */
bool record_is_on_air(world_what what);
/** True when `a` is a later MSK than `b` of the same Key Group, or a later MuSiK of the same channel. */
bool record_msk_after(const record *rec, poc_msk_id a, poc_msk_id b);
/** True when the client holds the MSK that is on air in the channel now. */
bool record_is_keyed(const record *rec, int client, int channel);

#endif
