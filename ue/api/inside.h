/* What a pocue is made of. Private to ue/api. */
#ifndef UE_API_INSIDE_H
#define UE_API_INSIDE_H

#include "ue/api/pocue.h"
#include "ue/core/core.h"

#define EVENTS_MAX 256u
/* One exchange leaves a group, joins one and tells of each key; one more for the end of the session. */
#define EVENTS_SPARE (UE_KEY_MESSAGES_MAX + 3u)
#define NONCE_MAX    256u

typedef struct event_node event_node;

typedef struct events {
    event_node *first, *last;
    event_node *given; /* what the last poll handed out: its payload lives until the next */
    event_node *spare; /* for events that must not be lost for lack of memory; without payload */
    size_t count, spare_count;
    uint64_t lost;
} events;

struct pocue {
    poc_rng rng;
    char impu[POC_URI_MAX], impi[GBA_IMPI_MAX + 1], bsf_fqdn[GBA_FQDN_MAX + 1], naf_fqdn[GBA_FQDN_MAX + 1];
    gba_naf_id naf_id;
    bool multicast_capable, require_sdp_ids;
    size_t msks_per_group;

    gba_usim usim;
    gba_ub_client *ub; /* while bootstrapping */
    char btid[POC_BTID_MAX + 1];
    int64_t expires_ms;
    poc_secret *mrk;
    char nonce[NONCE_MAX]; /* that `nc` counts for */
    uint32_t nc;
    ue_muks *muks;

    ue_ring *ring; /* NULL: no channel keys */
    bool joined;   /* listening to the group of `channel` */
    bcast_channel channel;
    ue_heard heard;

    uint64_t sdp_id, sdp_version;
    size_t sdp_lines; /* m-lines of the exchange that is going on; 0: none */
    struct sockaddr_storage peer_audio, peer_floor;
    char *offer, *answer; /* the PF's offer accepted last and what was answered */
    size_t offer_len, answer_len;

    int64_t now_ms; /* of the last call that told the time */
    events events;
};

/** Appends; `payload` is copied. When it does not fit the oldest goes, and is counted. */
void ue_events_push(events *e, const pocue_event *event);
/** Before anything is decided: from here on JOIN_GROUP, LEAVE_GROUP and KEY of one exchange, and LEAVE_GROUP of the
 *  session's end, find memory. POC_E_NOMEM. */
poc_err ue_events_reserve(events *e);
void ue_events_done(events *e);

/** Joins or changes to `channel`; without one (NULL) leaves. Tells by events. */
void ue_channel_join(pocue *ue, int64_t now_ms, const bcast_channel *channel);
void ue_channel_leave(pocue *ue, int64_t now_ms);
void ue_channel_keys_drop(pocue *ue);
/** After an accepted message: KEY or KEY_MISSED. */
void ue_key_message_tell(pocue *ue, int64_t now_ms, const ue_key_message *m);

#endif
