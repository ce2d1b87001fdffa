/* What a pocue is made of. Private to ue/api. */
#ifndef UE_API_INSIDE_H
#define UE_API_INSIDE_H

#include "ue/api/pocue.h"
#include "ue/core/core.h"

#define EVENTS_MAX 256u
/* One exchange leaves a group, joins one and tells of each key; one more for the end of the session. */
#define EVENTS_SPARE (UE_KEY_MESSAGES_MAX + 3u)
/* One answer of the key management service: an item is told of, its service left, and with it a group. */
#define EVENTS_ANSWER (3u * UE_KEYMAN_ITEMS_MAX + 1u)
/* One key by push: the group is joined, the key told of. */
#define EVENTS_PUSH 2u
/* One key download: a key, or its revocation, and the algorithm. */
#define EVENTS_MCX     2u
#define NONCE_MAX      256u
#define RECEPTIONS_MAX (POCUE_SERVICES_MAX + 1u)

typedef struct event_node event_node;

typedef struct events {
    event_node *first, *last;
    event_node *given; /* what the last poll handed out: its payload lives until the next */
    event_node *spare; /* for events that must not be lost for lack of memory; without payload */
    size_t count, spare_count;
    uint64_t lost;
} events;

/* One protected channel: its keys, and whether its group is listened to. The PoC session and a service that mean the same
 * channel share one. */
typedef struct reception {
    ue_ring *ring;    /* NULL: free place */
    bool has_channel; /* `channel` is known */
    bool joined;      /* listening to its group */
    bcast_channel channel;
    ue_heard heard; /* the session's is that of the client, which counts unicast too */
} reception;

typedef enum membership { SERVICE_OUT, SERVICE_ENTERING, SERVICE_IN, SERVICE_LEAVING } membership;

/* Something to ask the key management service for. */
typedef struct errand {
    bool wanted;  /* and not sent since */
    bool is_sent; /* an answer is to come */
    int64_t due_ms;
    unsigned tries; /* that came to nothing */
} errand;

typedef struct service {
    char id[POC_URI_MAX], path[POCUE_PATH_MAX];
    poc_key_domain key_domain;
    uint16_t key_group;
    int64_t wait_ms, max_back_off_ms;
    bool has_channel; /* announced */
    bcast_channel channel;
    membership state;
    errand entry; /* to register, or when SERVICE_LEAVING to deregister */
    errand pull;
    poc_msk_id pull_id;
    poc_msk_id awaited_id; /* was granted: to come by push */
    int64_t awaited_until_ms;
    poc_msk_id refused_id; /* not to be asked for again */
    int64_t refused_until_ms;
    reception *reception; /* NULL: none yet */
} service;

/* The request under way. */
typedef struct http_call {
    bool is_under_way;
    ue_keyman_kind kind;
    service *who[UE_KEYMAN_ITEMS_MAX];
    ue_keyman_item items[UE_KEYMAN_ITEMS_MAX];
    size_t count;
    char authorization[GBA_HEADER_MAX]; /* as sent; empty: without */
} http_call;

typedef struct http_client {
    http_call call;
    char challenge[GBA_HEADER_MAX]; /* the last one of the service; empty: none */
    uint32_t nc;                    /* for its nonce */
    unsigned challenges;            /* in a row, without another answer */
    bool must_bootstrap;            /* credentials were refused */
    bool has_bootstrapped;          /* since, without another answer */
    int64_t bootstrap_told_ms;      /* -1: not told */
    int64_t retry_after_ms;         /* as the answer at hand asks for; 0: it does not */
} http_client;

typedef struct mcx_client mcx_client;

struct pocue {
    poc_rng rng;
    char impu[POC_URI_MAX], impi[GBA_IMPI_MAX + 1], bsf_fqdn[GBA_FQDN_MAX + 1], naf_fqdn[GBA_FQDN_MAX + 1];
    gba_naf_id naf_id;
    bool multicast_capable, require_sdp_ids, keep_keys;
    size_t msks_per_group;

    gba_usim usim;
    gba_ub_client *ub; /* while bootstrapping */
    char btid[POC_BTID_MAX + 1];
    int64_t expires_ms;
    poc_secret *mrk;
    char nonce[NONCE_MAX]; /* that `nc` counts for */
    uint32_t nc;
    ue_muks *muks;

    reception receptions[RECEPTIONS_MAX];
    reception *session; /* of the PoC session's channel; NULL: none */
    ue_heard heard;     /* in the PoC session */
    service services[POCUE_SERVICES_MAX];
    size_t service_count;
    http_client http;
    mcx_client *mcx; /* NULL: not started */

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
/** Before anything is decided: from here on `n` events that its owner must act upon find memory. POC_E_NOMEM. */
poc_err ue_events_reserve(events *e, size_t n);
void ue_events_done(events *e);

/* ---- reception.c ---- */

/** A place of its own for `ring`, which is taken over. There is always one: the session and every service use one at most. */
reception *ue_reception_new(pocue *ue, ue_ring *ring);
/** The one of this channel, or NULL. */
reception *ue_reception_of_channel(pocue *ue, const bcast_channel *channel);
/** Whether the session alone uses its reception. */
bool ue_reception_is_session_only(const pocue *ue);
/** After the session or a service has let go of it: when nobody uses it any more, the group is left and the keys are wiped. */
void ue_reception_release(pocue *ue, int64_t now_ms, reception *r);
/** Joins or changes to `channel`, and tells by events. */
void ue_reception_join(pocue *ue, int64_t now_ms, reception *r, const bcast_channel *channel);
void ue_reception_leave(pocue *ue, int64_t now_ms, reception *r);
ue_heard *ue_reception_heard(pocue *ue, reception *r);
void ue_session_let_go(pocue *ue, int64_t now_ms);

/* ---- service.c ---- */

/** The service that this key belongs to and that has use for it, or NULL. */
service *ue_service_of_key(pocue *ue, poc_key_domain key_domain, poc_msk_id id);
/** Where its keys are, or NULL. */
reception *ue_service_reception(pocue *ue, const service *s);
/** Makes one when there is none. */
poc_err ue_service_reception_make(pocue *ue, service *s, reception **out);
/** An MSK was installed: it is not asked for any more. */
void ue_service_keyed(service *s, poc_msk_id id);
/** An MSK is wanted that was heard of on air: asked for after the back-off. */
void ue_service_missed(pocue *ue, int64_t now_ms, const reception *r, poc_msk_id id);
/** The PF wants to be asked (key number 0, or MSK ID 0: every service of the domain). */
void ue_service_solicited(pocue *ue, int64_t now_ms, poc_key_domain key_domain, poc_msk_id id);
/** What the PF says of an item of a request. */
void ue_service_answered(pocue *ue, int64_t now_ms, service *s, ue_keyman_kind kind, const ue_keyman_item *item);
/** It came to nothing this time, for want of an answer or of service (`item->status`, 0 for none): tried again later. */
void ue_service_failed(pocue *ue, int64_t now_ms, service *s, ue_keyman_kind kind, const ue_keyman_item *item);
/** It is to be sent again now. */
void ue_service_again(service *s, ue_keyman_kind kind, const ue_keyman_item *item);
/** What was granted should have come by now. */
void ue_services_tick(pocue *ue, int64_t now_ms);
/** There is something to ask for by a request of this kind. */
bool ue_service_is_due(const service *s, int64_t now_ms, ue_keyman_kind kind);
/** The errand that requests of this kind are for. */
errand *ue_service_errand(service *s, ue_keyman_kind kind);

/* ---- http.c ---- */

/** There are new keys from the BSF. */
void ue_http_bootstrapped(pocue *ue);

/* ---- mcx.c ---- */

void ue_mcx_free(mcx_client *m);
void ue_mcx_tick(pocue *ue, int64_t now_ms);
/** INT64_MAX: never. */
int64_t ue_mcx_deadline_ms(const pocue *ue);

/** After an accepted message: KEY. */
void ue_key_message_tell(pocue *ue, int64_t now_ms, const reception *r, const ue_key_message *m);

#endif
