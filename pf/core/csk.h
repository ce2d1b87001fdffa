/* What the files on mission critical services share: identities of ours, the book of client-server keys, downloads.
 * Private. */
#ifndef PF_CORE_CSK_H
#define PF_CORE_CSK_H

#include <stdatomic.h>

#include "mcx/mcx.h"
#include "pf/core/model.h"

enum {
    CORE_OWN_MAX = 16,          /* identities, times the periods for which there are keys */
    CORE_FOREIGN_MAX = 16,      /* KMSs of others */
    CORE_SIGNERS_CACHED = 4096, /* senders whose verification is cheaper the second time */
    CORE_REPLAYS_OF_SENDER = 4, /* of one time: a clock may count seconds, and there may be a key for each service */
    CORE_DOWNLOAD_MS = 32000,   /* Timer F of the MESSAGE that carries it */
    CORE_LANES = 8,             /* messages that are sealed at the price of little more than one */
    CORE_DOWNLOAD_TRIES = 8,    /* then it waits until the client is heard of again */
    CORE_ID_DRAWS = 16,         /* of 28 bits, before chance is not believed any more */
    CORE_CSK_ROOM = 32 + POC_GCM_NONCE_LEN + POC_GCM_TAG_LEN /* octets of a sealed one */
};

typedef struct core_mcx core_mcx;

/* ---- identity.c ---- */

struct core_mcx_keys {
    atomic_uint owners;
    mcx_sakke *sakke;
    mcx_receiver *receiver;
    mcx_signer *signer;
    mcx_certificate kms;
    mcx_identity identity;
    uint8_t kpak[MCX_POINT_LEN];
    size_t uri_len;
    char texts[]; /* URI, then that of the KMS */
};

struct core_mcx_kms {
    atomic_uint owners;
    mcx_sakke *sakke;
    mcx_certificate certificate;
    uint8_t kpak[MCX_POINT_LEN];
    char uri[];
};

typedef struct core_own {
    core_mcx_keys *keys;
    bool signs;
} core_own;

/* ---- csk.c ---- */

typedef struct core_csk {
    poc_secret *key;
    uint32_t id;
    uint8_t id_octets[4]; /* key of the table */
    uint8_t cs_id, rand_len;
    bool is_bound; /* its record is durable */
    mcx_algorithm algorithm;
    int64_t expires_ms;
    int64_t sent_s; /* of the message that brought it, and never later than it was taken, on our clock (clock.c) */
    uint8_t rand[];
} core_csk;

/** The client-server keys of one public identity in one service (TS 33.180 5.4: IMPU, service id and key are bound). */
typedef struct core_book core_book;
struct core_book {
    core_durable durable;
    uint32_t refs;    /* effects that name it */
    bool inside;      /* not logged off */
    bool waits;       /* in the list of those whose download is not answered */
    bool is_restored; /* nobody remembers any more which messages came at the time of his last upload */
    uint8_t service, tries;
    core_csk *current, *previous;
    core_csk *next;    /* made here: in force when its download has been answered */
    uint64_t download; /* number of the living one; 0: none */
    int64_t wake_ms;
    uint64_t last_ntp;                     /* of what was last sent to him */
    uint64_t uploaded_ntp_s;               /* of the last that he has sent */
    core_book *next_waiting, **at_waiting; /* what points to it */
    char *mc_id, *kms_uri;                 /* in one block, which mc_id owns */
    uint16_t impu_len;
    char impu[]; /* then its terminator and the service: the key of the table */
};

/* ---- kind.c, parcel.c, revoke.c ---- */

/** What a MuSiK is for. */
typedef struct core_revocation core_revocation;
typedef struct core_scope {
    core_keygroup group; /* without numbers: ids are drawn */
    uint8_t service, cs_id;
    bool without_revocation;
    uint32_t lifetime_s;
    core_revocation *revocations; /* the oldest first */
    mcx_key_parameters parameters;
    char texts[]; /* that its spans point to */
} core_scope;

typedef struct core_parcel {
    const core_member *owner;
    uint64_t number;
    uint8_t room[MIKEY_MESSAGE_MAX];
} core_parcel;

/** Downloads of one MuSiK, or revocations of one, that are sealed together: few, since each of them costs up to a
 *  millisecond of everybody's time. */
typedef struct core_parcels {
    size_t cap, count, at; /* those before `at` have been used */
    const core_channel *channel;
    poc_msk_id id;
    bool revokes;
    uint64_t ntp;
    const mcx_identity *signer;
    core_parcel *items;
    mcx_seal_job *jobs;
} core_parcels;

/** What an engine needs for mission critical services; made with the first identity or record. */
struct core_mcx {
    core_own own[CORE_OWN_MAX];
    size_t own_count;
    mcx_identity identities[CORE_OWN_MAX]; /* the same, in a row */
    core_mcx_kms *foreign[CORE_FOREIGN_MAX];
    size_t foreign_count;
    mcx_certificate certificates[CORE_OWN_MAX + CORE_FOREIGN_MAX]; /* ours, then theirs */
    size_t certificate_count;
    mcx_replay *replay;
    mcx_verifier *verifier;
    poc_table books;    /* by IMPU and service */
    poc_table ids;      /* of core_book, by the id of a key in it */
    core_book *waiting; /* downloads without an answer */
    uint8_t room[MIKEY_MESSAGE_MAX];
    core_parcels parcels;
};

/* identity.c */
/** The one that may sign now and whose KMS is `kms_uri` if there is such a one; NULL: none. */
const mcx_identity *identity_signer(const core_engine *e, poc_span kms_uri);
const mcx_certificate *identity_certificate(const core_engine *e, poc_span kms_uri);
poc_err mcx_side(core_engine *e, core_mcx **out);
void identity_free(core_mcx *x);
/** Seconds since 1900; and with the fraction, as a message has it. */
uint64_t identity_ntp_s(const core_engine *e);
uint64_t identity_ntp(const core_engine *e);

/* csk.c */
static inline poc_span book_name_of(const core_book *b)
{
    return poc_span_of(b->impu, b->impu_len);
}
/** What it is found under, and sealed under at rest. */
static inline poc_span book_label_of(const core_book *b)
{
    return poc_span_of(b->impu, b->impu_len + 2u);
}
/** NULL: the user has brought no key for this service. */
core_book *book_find(const core_engine *e, poc_span impu, uint8_t service);
/** Wipes its keys and takes it out of the tables; its record is the caller's business. */
void book_strike(core_engine *e, core_book *b);
poc_err book_make(core_engine *e, core_book **out, poc_span impu, uint8_t service);
poc_err book_name(core_book *b, poc_span mc_id, poc_span kms_uri);
/** Finds the current key when `id` is 0. */
core_csk *book_key(const core_book *b, uint32_t id);
/** Keeps `key` by reference. */
poc_err csk_make(core_csk **out, poc_secret *key, uint32_t id, poc_span rand);
void csk_free(core_csk *k);
poc_err csk_list(core_mcx *x, core_book *b, core_csk *k);
/** Takes it out of the table of ids and frees it; `slot` is then NULL. */
void csk_drop(core_mcx *x, core_csk **slot);

/** That of the service; of one who has brought none for it, and so uses one key for all, that one. NULL: none. */
core_book *book_for(const core_engine *e, poc_span impu, uint8_t service);
/** The book of a user whose key is in force; NULL: none. */
core_book *book_in_force(const core_engine *e, poc_span impu, uint8_t service);

/* kind.c */
/** Of a member of a MuSiK, with a key in force; NULL: none. */
core_book *kind_book(const core_engine *e, const core_member *m);
void kind_fill_download(const core_engine *e, core_effect *out, const core_member *m, const mcx_seal_job *job);

/* parcel.c */
poc_err parcels_init(core_parcels *p, bool is_spread);
void parcels_done(core_parcels *p);
/** What was sealed ahead must not be used any more. */
void parcels_forget(core_parcels *p);
/** The message that gives this member `key`, or takes it back, in the download of this number. NULL: he cannot be sent any. */
const mcx_seal_job *parcel_of(core_engine *e, const core_member *m, uint64_t number, const core_msk *key, bool revokes);

/* revoke.c */
/** This todo is a revocation that is still to be sent. */
bool revoke_is_due(const core_todo *t);
bool fx_show_revocation(core_engine *e, core_todo *t, core_effect *out);
/** False: not one of his. */
bool revoke_answered(core_engine *e, core_member *m, uint64_t number, bool ok);

/* download.c */
/** Makes the key by which another algorithm comes into force, in the place of the one that is being uploaded. */
poc_err download_make(core_engine *e, core_book *b, uint32_t uploaded_id, const mcx_algorithm *algorithm,
                      core_csk **out);
void download_begin(core_engine *e, core_book *b);
void download_end(core_engine *e, core_book *b);

#endif
