/* What the files of this room share: the things an engine is made of, and who may do what with them. Private. */
#ifndef PF_CORE_MODEL_H
#define PF_CORE_MODEL_H

#include "base/crypto.h"
#include "base/table.h"
#include "mikey/mikey.h"
#include "pf/core/core.h"
#include "pf/core/session/roster.h"

#define CORE_NEVER        INT64_MAX
#define CORE_CLOCK_MAX_MS (INT64_MAX / 4) /* nobody has seen it there */

/* Every bound and every time of this room that is not a setting. */
enum {
    CORE_ID_MAX = 63,
    CORE_NAME_MAX = 255, /* a canonical URI */
    CORE_DIALOG_MAX = 2048,
    CORE_NAF_ID_MAX = 258,
    CORE_UA_ID_LEN = 5,           /* behind the FQDN in a NAF_Id */
    CORE_COUNTER_BLOCK = 256,     /* MIKEY counters reserved by one record */
    CORE_NUMBER_MAX = 65535,      /* Key Number part */
    CORE_MTK_MAX = 65000,         /* MTKs under one MSK before the MTK IDs run out */
    CORE_DEADLINE_MS = 2000,      /* T_rekey */
    CORE_DEADLINE_MAX_MS = 32000, /* Timer B/F */
    CORE_BACKOFF_MS = 1000,
    CORE_BACKOFF_STEPS = 5, /* 1, 2, 4, 8, 16, 32 s */
    CORE_BLIND_MS = 60000,
    CORE_ASK_PAUSE_MS = 1000,
    CORE_ENDPOINTS_MAX = 64, /* of one user */
    CORE_ENABLER_RETRY_MS = 5000,
    CORE_STORE_RETRY_MS = 10000,
    CORE_STOP_WAIT_MS = 5000, /* for an enabler that does not say that it stopped */
    CORE_GRAIN_MS = 100,    /* pushes wake together, so that a hundred thousand are looked through ten times a second */
    CORE_PUSH_AHEAD = 1024, /* pushes of a channel made ready before they are handed out */
    CORE_SOLICITS = 3,
    CORE_SOLICIT_PAUSE_MS = 5000,
    CORE_MUK_LOOK_MS = 1000,
    CORE_ERRORS_PER_S = 10, /* MIKEY error messages name nobody: to find the member costs a look at all */
    CORE_SEAL_SLICE = 64,   /* measured: fewer do not fill the lanes, more leave the cache */
    CORE_SEAL_SPREAD =
        4, /* slices; measured: two cores do so many in the time of one at worst, of more than that in less */
    CORE_SEAL_WIDE =
        1024,             /* messages of a batch that may be spread: 0.3 ms of AVX-512 or 1.7 ms without, on one core */
    CORE_SEAL_ROOM = 576, /* octets of one MSK message: all its parts at their bounds give 560 */
    CORE_RECORD_ROOM = 128 * 1024,
    CORE_CLOCK_SPARE_MS = 1000, /* of the clock that are durable beyond what it shows */
    CORE_LAYOUT_CSK = 2,        /* of the value in the record of a CSK */
    CORE_SEALED_MUK = POC_GCM_NONCE_LEN + POC_MUK_LEN + POC_GCM_TAG_LEN
};

typedef struct core_member core_member;
typedef struct core_channel core_channel;
typedef struct core_user core_user;
typedef struct core_bar core_bar;

/* ---- journal.c: what must survive ---- */

typedef enum record_kind {
    RECORD_KEYGROUP = 'g',
    RECORD_USER = 'u',
    RECORD_MEMBER = 'm',
    RECORD_BARRED = 'b',
    RECORD_BOOK = 'k',
    RECORD_CLOCK = 't'
} record_kind;

/** First member of everything that has a record. A thing marked for writing is written with the next PERSIST as it then
 *  is; one marked as deleted lives until its deletion is durable. */
typedef struct core_durable core_durable;
struct core_durable {
    core_durable *next_dirty;
    uint8_t kind; /* record_kind */
    bool dirty, in_flight, deleted;
};

typedef struct core_journal {
    core_durable *dirty, **dirty_end;
    core_durable *in_flight[CORE_RECORDS_MAX];
    size_t in_flight_count;
    uint64_t marked, kept; /* changes so far; so many of the first of them are durable */
    core_record records[CORE_RECORDS_MAX];
    uint8_t room[CORE_RECORD_ROOM];
} core_journal;

/* ---- clock.c ---- */

typedef struct core_clock {
    core_durable durable;
    int64_t ahead_ms;   /* of the time of the calls */
    int64_t until_ms;   /* what its record says, or will say */
    int64_t written_ms; /* what the last write of it says */
    int64_t kept_ms;    /* what is durable */
} core_clock;

/* ---- keyset.c: MSKs roll through slots ---- */

/** The key number of one (Key Domain, Key Group): the highest ever made, durable before it is used, never given back. */
typedef struct core_keygroup {
    core_durable durable;
    uint8_t name[POC_KEY_DOMAIN_LEN + 2]; /* domain, group */
    uint16_t number;
    core_channel *channel; /* that has taken it; NULL: free */
} core_keygroup;

typedef struct core_msk {
    unsigned refs;
    bool astray; /* somebody who is no member any more may have it */
    poc_msk_id id;
    uint32_t csb_id;
    uint8_t rand[CORE_RAND_LEN];
    uint64_t activation_s, expiry_s; /* of a MuSiK, Unix; 0: at once, never */
    poc_secret *key;
} core_msk;

/** Nothing is ever sealed under an older MSK than `current`, so of `previous` only the id remains. */
typedef struct core_keyset {
    poc_msk_id previous_id;
    core_msk *current; /* what media uses now     */
    core_msk *next;    /* being handed out        */
} core_keyset;

/* ---- credential.c: users and their MUKs ---- */

typedef struct core_muk {
    poc_secret *key;  /* owned; NULL: none */
    uint32_t counter; /* of the last message made */
    uint32_t ceiling; /* the highest that the record allows */
} core_muk;

struct core_user {
    core_durable durable;
    core_member *memberships; /* linked by next_of_user */
    int64_t expires_ms;
    core_muk muk;         /* used for every new message */
    core_muk *before;     /* the one it replaced: a client that returns to it goes on counting. Owned; NULL: none */
    char *btid;           /* owned; NULL: none */
    core_user *same_btid; /* the next one behind the same entry of the table of B-TIDs */
    uint32_t refs;        /* members that name him, inside or not yet forgotten */
    uint16_t muk_no;      /* changes of `muk` */
    uint16_t name_len;
    uint8_t btid_len;
    bool unsaved;
    bool shares_btid; /* others have had it beside him */
    char name[];
};

/* ---- bars.c ---- */

/** Somebody was expelled from a channel: no registration lets him in again. */
struct core_bar {
    core_durable durable;
    bool is_firm; /* by the operator: no session does either */
    core_channel *channel;
    uint32_t refs; /* audit effects that name him */
    uint16_t name_len;
    char name[];
};

/** The bar of a channel that is not configured, as its record says: until the channel is added. */
typedef struct core_orphan core_orphan;
struct core_orphan {
    core_orphan *next;
    bool is_firm;
    uint16_t channel_len, name_len;
    char texts[]; /* channel, name */
};

/* ---- member.c ---- */

typedef enum member_state {
    M_WAIT_KEY,    /* no MUK that works */
    M_WAIT_ROSTER, /* not yet seen in the conference */
    M_READY,       /* wants the key: its turn, the channel or the next try has not come */
    M_OFFERED,
    M_PUSHED,  /* a push is on its way, perhaps beside an offer */
    M_KEYED,   /* confirmed */
    M_STALE,   /* pushed to in vain: waits for the next key, or until the client asks */
    M_UNICAST, /* cannot or will not receive the multicast */
    M_OUT,
    M_COUNT
} member_state;

typedef enum member_event {
    ME_MUK,
    ME_MUK_GONE,
    ME_SEEN,
    ME_OFFER,
    ME_PUSH,
    ME_PULL,  /* the client asks for the key */
    ME_AGAIN, /* no verification in time: the push goes once more */
    ME_VAIN,  /* no verification after the last */
    ME_ACCEPTED,
    ME_DECLINED,
    ME_REFUSED,
    ME_RELEASED,
    ME_TIMEOUT,
    ME_BEARER_OFF,
    ME_BEARER_ON,
    ME_DIALOG,     /* he has come by SIP too */
    ME_NO_ADDRESS, /* he cannot be pushed to any more */
    ME_LEFT,
    ME_EXPELLED,
    ME_SESSION_OVER,
    ME_CLOSE,    /* the channel fell back to unicast */
    ME_WITHDRAW, /* the channel is stopped for good */
    ME_SWITCHED, /* the key it confirmed is on air */
    ME_MISSED,   /* a key it did not confirm is on air */
    ME_COUNT
} member_event;

/* Largest first: there may be a hundred thousand of them. */
struct core_member {
    core_durable durable;
    core_channel *channel;
    core_user *user;
    core_member *next_of_user, *next_push;
    uint8_t *dialog;                               /* owned; NULL when it is empty */
    uint64_t offer;                                /* number of the living offer, 0: none */
    int64_t wake_ms;                               /* OFFERED, PUSHED: gives up or sends again; READY: tries again */
    uint32_t index;                                /* place in channel->members */
    uint32_t refs;                                 /* effects, events and lists that name it */
    poc_msk_id offered_id, given_id, confirmed_id; /* given: handed to the shell, hence possibly held */
    uint32_t first_counter, counter;               /* of the messages of this delivery */
    uint32_t round;
    union {
        uint32_t push_mark;         /* place in the queue from which on it may be handed out */
        poc_msk_id given_before_id; /* of a MuSiK, which is not pushed: the one before given_id */
    };
    uint16_t dialog_len;
    uint16_t muk_no; /* the MUK of this delivery */
    uint8_t address[CORE_ADDRESS_MAX], address_len;
    uint8_t state, offer_kind, tries, ways, sent;
    uint8_t solicits; /* still to be sent */
    bool capable : 1, receives : 1, seen : 1, inside : 1, holds_current : 1, served : 1, refused : 1, emitted : 1;
    bool by_sip : 1, registered : 1, opened : 1, shut : 1, windowed : 1, listed : 1, relisted : 1, renewal_asked : 1;
};

static inline const char *member_name(const core_member *m)
{
    return m->user->name;
}

/* ---- session/ ---- */

typedef enum sub_state { SUB_OFF, SUB_ASKED, SUB_ACTIVE, SUB_WAIT, SUB_GIVEN_UP } sub_state;

typedef struct core_session {
    uint8_t sub; /* sub_state */
    bool as_user, sighted, blind;
    int64_t asked_ms, retry_ms, lost_ms;
    core_roster roster;
} core_session;

/* ---- channel.c ---- */

typedef enum channel_state {
    C_IDLE,
    C_STARTING, /* a key is being handed out, the enabler does not have it */
    C_ACTIVE,   /* the enabler has the key */
    C_PREPARE,  /* the next key is being handed out */
    C_FAILED,   /* off air because security needs it */
    C_RELEASING,
    C_CLOSED, /* stopped for good */
    C_COUNT
} channel_state;

typedef enum channel_event {
    CE_READY,
    CE_CONFIRMED,
    CE_WENT, /* somebody without a key is gone */
    CE_LEFT,
    CE_EXPELLED,
    CE_REKEY,
    CE_BARRIER,
    CE_EMPTY,
    CE_SESSION_OVER,
    CE_STOP,
    CE_STARTED,
    CE_ENABLER_FAILED,
    CE_DOWN,
    CE_UP,
    CE_STOPPED,
    CE_STORE_FAILED,
    CE_NO_KEY,
    CE_RETRY,
    CE_COUNT
} channel_event;

struct core_channel {
    char id[CORE_ID_MAX + 1];
    char group_uri[CORE_NAME_MAX + 1];
    core_policy policy;
    const struct kind_row *kind;
    struct core_scope *scope; /* of a MuSiK; NULL: an MSK */
    core_keygroup *group;
    core_keyset keys;
    poc_table bars; /* of core_bar */
    core_member **members;
    uint32_t count, room;
    uint32_t dialogs;                    /* members that have one */
    uint32_t reachable;                  /* members that are READY, OFFERED, PUSHED, KEYED or STALE */
    uint32_t round;                      /* of handing out one key */
    uint32_t outstanding;                /* members of this round without an answer */
    uint32_t windowed;                   /* offers among them */
    uint32_t cursor;                     /* members before it have had their turn by SIP */
    uint32_t push_cursor;                /* members before it have had their turn by push */
    core_member *push_first, *push_last; /* to be handed out, linked by next_push, held by reference */
    uint32_t push_listed, push_marks;
    uint32_t wake_from; /* members before it have been looked at */
    uint32_t solicits_due, solicit_cursor;
    uint8_t state;
    uint8_t reason; /* of the running rekey, or of the start */
    uint8_t again;  /* reason to rekey once more, after this one */
    bool air_on, held, told;
    bool bar_lost, firm_bar_lost;        /* somebody could not be barred: nobody new is let in */
    int64_t switch_ms, switch_latest_ms; /* barrier at the latest; bound for its renewal */
    int64_t leave_ms, keyed_ms, retry_ms;
    int64_t wake_ms, wake_next_ms; /* of its members; of those that have been looked at */
    int64_t solicit_ms, muk_ms;
    int64_t deadline_ms;
    core_session session;
    bool touched; /* by this call: its offers and its deadline are looked at in the end */
    core_channel *next_touched;
};

/* ---- events and effects ---- */

typedef struct core_event {
    uint8_t type;             /* member_event or channel_event */
    bool for_member, for_all; /* of the channel */
    bool release;             /* tell the shell to end the session */
    bool lines;               /* the client took the multicast lines */
    bool doubts;              /* the client says that it does not hold the key */
    bool is_firm;             /* an expulsion by the operator */
    uint8_t reason;
    poc_msk_id given_id;
    core_channel *channel;
    core_member *member; /* held by reference; NULL where none is concerned */
    const char *detail;
} core_event;

typedef struct core_todo {
    uint8_t type; /* core_effect_type; 0: dropped */
    uint8_t kind, reason;
    uint16_t muk_no;
    core_channel *channel;
    core_member *member; /* held by reference */
    union {
        uint64_t offer;
        bool on; /* SERVE multicast, SUBSCRIBE refresh */
        struct {
            bool hold;
            uint64_t told_in; /* number of the write that it has overtaken; 0: none */
        } gate;
        core_msk *msk;    /* held by reference */
        uint32_t mark;    /* PUSH: as many of the channel's list as are not behind it */
        uint32_t counter; /* PUSH with a member: solicited pull */
        uint32_t audits;  /* AUDIT: as many of `tell` */
        struct {
            struct core_book *book; /* held by reference */
            uint32_t id;
        } csk; /* CSK_BOUND, DOWNLOAD */
        struct {
            uint64_t number;
            poc_msk_id id;
            uint32_t at;
        } revoked; /* DOWNLOAD with a member */
    } u;
} core_todo;

/** One line for the audit log. */
typedef struct core_line {
    union {
        core_channel *channel;
        core_member *member;    /* held by reference */
        core_bar *bar;          /* held by reference */
        struct core_book *book; /* held by reference */
    } who;
    const char *detail;
    poc_msk_id msk_id;
    uint32_t count, total;
    uint8_t what, reason;
    uint8_t of; /* record_kind of `who`; 0: a channel */
} core_line;

/** A ring that grows when asked to. */
typedef struct core_ring {
    void *slots;
    size_t item, cap, head, count;
} core_ring;

/** Messages sealed together: of one key, in one form. */
typedef struct core_batch {
    size_t cap;       /* messages at one time; behind them is room for one more that belongs to no batch */
    size_t count, at; /* those before `at` have been used */
    const core_channel *channel;
    poc_msk_id msk_id;
    bool sdp_ids;
    const core_member **owners; /* NULL: void */
    mikey_msk_job *jobs;
    uint8_t (*room)[CORE_SEAL_ROOM];
} core_batch;

struct core_engine {
    core_settings set;
    uint8_t naf_id[CORE_NAF_ID_MAX];
    int64_t now_ms, deadline_ms, store_retry_ms, swept_ms;
    poc_table channels, users, keygroups;
    poc_table btids; /* of core_user: the first of those that have it */
    core_channel **channel_list;
    core_channel *touched;
    uint32_t channel_count, channel_room;
    uint32_t member_count, dialog_count; /* with those whose deletion is not durable yet */
    uint32_t bar_count;                  /* with the orphans */
    core_orphan *orphans;
    core_ring todo, tell, inbox; /* tell: audit lines, behind all other effects of the same call */
    uint32_t untold;             /* of them, not yet in `todo` */
    core_todo handed;            /* what the last poll gave away */
    core_line handed_line;
    bool waiting, overrun, restoring;
    uint64_t writes;       /* begun */
    uint32_t holds_queued; /* GATE(hold) in `todo` */
    bool hold_waits;       /* one of them may not have overtaken the write under way */
    uint64_t offers, refused;
    core_msk *spare; /* made before a call changes anything */
    core_journal journal;
    int64_t errors_ms; /* the second in which */
    uint32_t errors;   /* so many error messages were looked into */
    core_batch batch;
    struct core_mcx *mcx; /* NULL: nobody needs it */
    core_clock clock;
};

_Static_assert(sizeof(core_member) <= CORE_MEMBER_SIZE, "a member costs more than the door says");
_Static_assert(sizeof(core_user) <= CORE_USER_SIZE, "a user costs more than the door says");
_Static_assert(3 * sizeof(core_todo) + 2 * sizeof(core_line) + 2 * sizeof(core_event) <= CORE_DIALOG_QUEUE_SIZE,
               "queue room per dialog is more than the door says");
_Static_assert(sizeof(core_line) <= CORE_MEMBER_QUEUE_SIZE, "queue room per member is more than the door says");

/* csk.c, download.c: client-server keys of mission critical services, what is known of them elsewhere */
struct core_book;
const char *book_impu(const struct core_book *b);
void book_ref(struct core_book *b);
void book_unref(core_engine *e, struct core_book *b);
void book_free(struct core_book *b);
void book_put_key(poc_wr *wr, const core_durable *d);
poc_err book_put_value(core_engine *e, poc_wr *wr, const core_durable *d);
poc_err book_read(core_engine *e, poc_rd *key, poc_rd *value);
void book_release(core_durable *d);
bool fx_show_bound(core_engine *e, core_todo *t, core_effect *out);
bool fx_show_download(core_engine *e, core_todo *t, core_effect *out);
void download_resume(core_engine *e);
void download_tick(core_engine *e);
/** When the next download is to be tried again. */
int64_t download_deadline(const core_engine *e);
/** There is an identity that was not there before: for those who wait for a CSK, and for a MuSiK. */
void download_identified(core_engine *e);
void kind_identified(core_engine *e);
void mcx_side_free(core_engine *e);

/* clock.c */
void clock_init(core_clock *c);
/** All records have been read. */
void clock_begin(core_engine *e);
/** Now, as what is kept with a key has it. */
int64_t clock_ms(const core_engine *e);
/** Asks for a PERSIST when there is not much left of what is durable. */
void clock_look(core_engine *e);
int64_t clock_deadline(const core_engine *e);
void clock_put(core_engine *e, poc_wr *wr);
/** What was put last is durable. */
void clock_kept(core_engine *e);
poc_err clock_read(core_engine *e, poc_rd *key, poc_rd *value);

/* limits.c */
poc_err limits_apply(core_settings *s);
poc_err limits_policy(core_policy *p);
poc_err limits_text(const char *text, size_t max);

/* ring.c */
void ring_init(core_ring *r, size_t item);
void ring_done(core_ring *r);
poc_err ring_reserve(core_ring *r, size_t more);
/** A slot at the end, zeroed; NULL when there is no room and no memory. */
void *ring_push(core_ring *r);
/** The i-th from the front. */
void *ring_at(const core_ring *r, size_t i);
void ring_pop(core_ring *r);

/* engine.c */
poc_err engine_begin(core_engine *e, int64_t now_ms);
void engine_end(core_engine *e);
/** Runs the consequences so far: for loops over many members that are not table actions. */
void engine_settle(core_engine *e);
/** The engine is to be woken for this channel at that time, or before. */
void engine_wake(core_engine *e, core_channel *ch, int64_t when_ms);
core_channel *engine_channel(const core_engine *e, const char *id);
void engine_touch(core_engine *e, core_channel *ch);
/** Consequences: handled after the table action that asks for them. */
void engine_tell_member(core_engine *e, core_member *m, member_event what);
void engine_tell_channel(core_engine *e, core_channel *ch, const core_event *event);
/** All members whose state has a cell for it. */
void engine_tell_all(core_engine *e, core_channel *ch, member_event what);
/** Counts and reports an event that met an empty cell; POC_E_STATE. */
poc_err engine_refuse(core_engine *e, core_channel *ch, core_member *m, const char *what);

/* effects.c */
/** A slot at the end of the queue; NULL when there is no memory (the channels fail closed at the next call). */
core_todo *fx_put(core_engine *e, core_effect_type type, core_channel *ch, core_member *m);
core_todo *fx_last(const core_engine *e);
void fx_persist(core_engine *e);
void fx_offer(core_engine *e, core_member *m);
void fx_solicit(core_engine *e, core_member *m);
void fx_release(core_engine *e, core_member *m, core_reason reason);
void fx_serve(core_engine *e, core_member *m, bool multicast);
void fx_gate(core_engine *e, core_channel *ch, bool hold);
void fx_enabler(core_engine *e, core_channel *ch, core_effect_type type);
void fx_subscribe(core_engine *e, core_channel *ch, core_member *as, bool refresh);
void fx_unsubscribe(core_engine *e, core_channel *ch);
void fx_restored(core_engine *e, core_member *m);
void fx_book(core_engine *e, core_effect_type type, struct core_book *book, uint32_t key_id);
/** Drops what may not happen because the record before it is not durable. */
void fx_drop_keys(core_engine *e, core_channel *ch);
void fx_forget(core_engine *e, core_todo *t);
/** The write at the head of the queue has failed, or could not even begin. */
void fx_store_failed(core_engine *e);

/* push.c */
void fx_push(core_engine *e, core_member *m);
/** Nobody of the channel will be pushed to any more. */
void fx_empty_pushes(core_engine *e, core_channel *ch);
/** The mark at the head of the queue hands out one after the other; false: it is through. */
bool fx_poll_push(core_engine *e, core_effect *out);

/* lines.c */
void fx_audit_member(core_engine *e, core_member *m, core_audit what, core_reason reason, const char *detail);
typedef struct fx_figures {
    core_reason reason;
    poc_msk_id msk_id;
    uint32_t count, total;
    const char *detail;
} fx_figures;
void fx_audit_book(core_engine *e, struct core_book *book, core_audit what, uint32_t key_id);
void fx_audit_bar(core_engine *e, core_bar *bar, core_audit what, fx_figures figures);
void fx_audit_channel(core_engine *e, core_channel *ch, core_audit what, fx_figures figures);
/** Behind all effects of this call, what the audit log says of it. */
void fx_append_audits(core_engine *e);
bool fx_poll_line(core_engine *e, core_effect *out);
void fx_forget_line(core_engine *e, core_line *l);

/* seal.c */
/** Room for a batch, once and for all: 44 KB, or 700 KB when the host can spread work. */
poc_err seal_init(core_engine *e);
void seal_done(core_engine *e);
const core_msk *seal_key(const core_channel *ch, poc_msk_id id);
/** What this member is being given can still be made. */
bool seal_can(const core_member *m);
/** This member's message, if it was sealed; one look each. */
const mikey_msk_job *seal_find(core_engine *e, const core_member *m);
/** A batch that begins with this member's message. */
void seal_begin(core_engine *e, const core_member *m);
/** False: no more of this batch. */
bool seal_add(core_engine *e, const core_member *m);
void seal_run(core_engine *e);
/** A solicited pull for this member, alone. */
const mikey_msk_job *seal_solicit(core_engine *e, const core_member *m, uint32_t counter);
/** What was sealed for him must not be used any more: he goes, or his MUK does. */
void seal_forget_member(core_engine *e, const core_member *m);
void seal_forget_user(core_engine *e, const core_user *u);

/* members.c */
/** `dialog` NULL: he has none. */
poc_err member_new(core_engine *e, core_channel *ch, core_member **out, poc_span name, const poc_span *dialog);
/** POC_E_NOMEM; he has no dialog then. */
poc_err member_set_dialog(core_engine *e, core_member *m, poc_span dialog);
void member_set_address(core_member *m, poc_span address);
core_member *member_find(const core_engine *e, const core_channel *ch, poc_span name);
void member_take_out(core_engine *e, core_member *m);
void member_free(core_engine *e, core_member *m);
void member_unref(core_engine *e, core_member *m);
poc_span member_dialog(const core_member *m);
poc_span member_address(const core_member *m);
const char *member_state_name(const core_member *m);
const char *member_event_name(member_event event);
/** Steps all members of a channel that have a cell for it. */
void member_walk(core_engine *e, core_channel *ch, member_event what);

/* member.c */
/** Tells the shell how he hears the channel, if that changes and if he has a session. */
void member_serve(core_engine *e, core_member *m, bool multicast);
void member_wake_at(core_engine *e, core_member *m, int64_t when_ms);
poc_err member_step(core_engine *e, core_member *m, const core_event *event);
poc_err member_do(core_engine *e, core_member *m, member_event what);
bool member_cell(member_state state, member_event event);

/* channel.c */
poc_err channel_step(core_engine *e, core_channel *ch, const core_event *event);
poc_err channel_do(core_engine *e, core_channel *ch, channel_event what);
bool channel_cell(channel_state state, channel_event event);
const char *channel_state_name(const core_channel *ch);
int64_t channel_deadline(const core_channel *ch);
void channel_tick(core_engine *e, core_channel *ch);

/* rekey.c */
/** The key that members are to have in the end; and the one that this member is given next: who comes while a MuSiK is being
 *  rotated is given the one on air first, unless somebody was expelled or it is his coming that changes the key. */
const core_msk *rekey_target(const core_channel *ch);
const core_msk *rekey_target_of(const core_member *m);
bool rekey_hands_out(const core_channel *ch);
void rekey_round(core_channel *ch);
/** Counts the member in or out of what the barrier, and of what the window waits for. */
void rekey_count(core_member *m, bool outstanding, bool windowed);
/** He has a session, and its multicast lines are not open though they could be. */
bool rekey_lacks_lines(const core_member *m);
/** By which ways this member is given the key. */
uint32_t rekey_ways(const core_member *m);
/** Offers as many as the window allows, and pushes; true when it did anything. */
bool rekey_pump(core_engine *e, core_channel *ch);
/** Pause after so many sendings of a push. */
int64_t rekey_push_pause_ms(const core_engine *e, unsigned sent);
void rekey_wake(core_engine *e, core_channel *ch);
int64_t rekey_backoff_ms(unsigned tries);

/* kind.c: what differs between a channel under an MSK and one under a MuSiK */
typedef struct kind_row {
    core_kind kind;
    bool has_session;           /* conference state, dialogs that can be ended */
    const char *without, *lost; /* why a member gets no key, why he gets none any more */
    bool (*reaches)(const core_engine *e, const core_member *m);
    /** Gives a new key its id and its times. */
    poc_err (*name)(core_engine *e, core_channel *ch, core_msk *key);
    bool (*can_seal)(const core_member *m);
    bool (*show)(core_engine *e, core_todo *t, core_effect *out); /* an offer */
} kind_row;
poc_err kind_check(core_channel_conf *c);
/** Before the channel is in any list. */
poc_err kind_set(core_channel *ch, const core_channel_conf *c);
/** What it is for from now on, when it comes back after it was stopped. POC_E_NOMEM: as before. */
poc_err kind_renew(core_channel *ch, const core_channel_conf *c);
void kind_free(core_channel *ch);
/** There is who signs what is given: until there is, members wait for their turn. */
bool kind_may_give(const core_engine *e, const core_channel *ch);
/** Everybody has the next key, and it may be used already. */
bool kind_may_switch(const core_engine *e, const core_channel *ch);
uint8_t kind_cs_id(const core_channel *ch);
/** It is worth while to wait until some more can be offered the key, and so are sealed together. */
bool kind_gathers(const core_engine *e, const core_channel *ch);

/* revoke.c: MuSiKs that somebody has who was expelled */
/** At those who were given it, when the channel hands out no key. Best effort. */
void revoke_begin(core_engine *e, core_channel *ch, core_msk *key);
void revoke_forget(core_engine *e, core_channel *ch);
/** The key with this id is being revoked. */
bool revoke_names(const core_channel *ch, poc_msk_id id);
void revoke_pump(core_engine *e, core_channel *ch);
int64_t revoke_deadline(const core_channel *ch);
bool fx_show_offer(core_engine *e, core_todo *t, core_effect *out);
/** The client has brought a fresh key: what it had from us before may be lost. */
void kind_uploaded(core_engine *e, poc_span user, uint8_t service);
/** He leaves all MuSiKs of the service, and of the other one when the key of this one was for both. */
void kind_logged_off(core_engine *e, poc_span user, uint8_t service);
/** Who is expelled from a MuSiK is so under every public identity with the same service id; `name` is one of them, or that. */
void kind_expel_aliases(core_engine *e, core_channel *ch, poc_span name, const core_event *event);
/** Before he is: POC_E_NOMEM, and nothing has changed. */
poc_err kind_bar(core_engine *e, core_channel *ch, poc_span name, bool is_firm);
/** The bar of somebody's service id, by the public identity that he has a key under; NULL: none. */
core_bar *kind_bar_get(const core_engine *e, const core_channel *ch, poc_span name);
/** A bar was lifted: who waited behind it goes on. */
void kind_admitted(core_engine *e, core_channel *ch);
/** POC_E_STATE: no such download is under way. */
poc_err kind_answered(core_engine *e, poc_span user, uint64_t number, bool ok);

/* policy.c */
typedef enum policy_verdict { POLICY_NOTHING, POLICY_NOW, POLICY_LATER } policy_verdict;
policy_verdict policy_on_left(const core_channel *ch);
bool policy_holds(const core_channel *ch);
uint32_t policy_deadline_ms(const core_channel *ch);
/** When the current MSK is too old; `why` gets the reason. */
int64_t policy_age_due_ms(const core_channel *ch, core_reason *why);
bool policy_mtk_due(const core_channel *ch, uint32_t mtks);

/* keyset.c */
/** The keygroup of this name, which is made when there is none. POC_E_NOMEM. */
poc_err keyset_group(core_engine *e, const uint8_t name[POC_KEY_DOMAIN_LEN + 2], core_keygroup **out);
poc_err keyset_make(core_engine *e, core_msk **out);
core_msk *keyset_ref(core_msk *k);
void keyset_unref(core_msk *k);
/** Takes the spare (or makes one) as the next key number of the channel. POC_E_LIMIT: numbers are used up. */
poc_err keyset_next(core_engine *e, core_channel *ch, core_msk **slot);
void keyset_roll(core_keyset *ks);
/** A member goes who keeps what he was given, `given` last. */
void keyset_let_stray(core_keyset *ks, poc_msk_id given);
/** The newest key that may be held by one who was given `given` last, 0 for none: by this client under another name too, or
 *  before it left and came back. */
poc_msk_id keyset_held(const core_keyset *ks, poc_msk_id given);
void keyset_wipe(core_keyset *ks);

/* credential.c */
poc_err credential_user(core_engine *e, core_user **out, poc_span name);
poc_err credential_set(core_engine *e, core_user *u, const core_credential *c);
void credential_link(core_user *u, core_member *m);
void credential_unlink(core_engine *e, core_member *m);
bool credential_works(const core_user *u, int64_t now_ms);
/** The next counter of the MUK; asks for a PERSIST when a new block is begun. */
uint32_t credential_count(core_engine *e, core_user *u);
void credential_free(core_user *u);
/** The next one behind `after` (NULL: the first) who has the same MUK: another identity of the same subscriber. */
core_user *credential_alias(const core_engine *e, const core_user *u, const core_user *after);
poc_err credential_label(core_engine *e, core_user *u, poc_span btid);
poc_err credential_seal(core_engine *e, uint8_t out[CORE_SEALED_MUK], const core_muk *muk, const core_user *u);
poc_err credential_open(core_engine *e, core_muk *muk, const uint8_t sealed[CORE_SEALED_MUK], const core_user *u);
/** He made contact: nobody needs to ask him any more. */
void credential_contact(core_user *u);

/* expel.c */
/** An expulsion that is not the operator's; `release`: the shell is told to end the session. */
poc_err expel_user(core_engine *e, int64_t now_ms, const char *channel, const char *user, bool release);
/** Somebody who is no member: bars him, and locks him out should a key have gone astray. */
void expel_absent(core_engine *e, core_channel *ch, poc_span name, bool is_firm);

/* bars.c */
void bars_put(core_engine *e, core_channel *ch, poc_span name, bool is_firm);
/** Room for the bar of somebody, so that bars_put cannot fail; without memory nothing has changed (POC_E_NOMEM). A list
 *  that is full is no error. */
poc_err bars_reserve(core_engine *e, core_channel *ch, poc_span name);
poc_err bars_restore(core_engine *e, core_channel *ch, poc_span name, bool is_firm);
core_bar *bars_get(const core_channel *ch, poc_span name);
/** No session lets him in. */
bool bars_hold(const core_channel *ch, poc_span name);
void bars_lift(core_engine *e, core_bar *bar);
/** A list of bars that is full, or that lacks somebody, lets nobody new in. */
bool bars_complete(const core_engine *e, const core_channel *ch);
void bars_free(core_engine *e, core_channel *ch);
/** A record of a channel that is not there. */
poc_err bars_keep(core_engine *e, poc_span channel, poc_span name, bool is_firm);
/** A new channel takes what was kept for it. POC_E_NOMEM: it has none, and all is kept as before. */
poc_err bars_adopt(core_engine *e, core_channel *ch);
void bars_orphans_free(core_engine *e);
void bars_unref(core_engine *e, core_bar *bar);

/* solicit.c */
void solicit_member(core_engine *e, core_member *m);
/** Sends as many as are due. */
void solicit_tick(core_engine *e, core_channel *ch);
/** His MUK will need a look in time. */
void solicit_watch(core_engine *e, core_member *m);
/** Asks those whose MUK is about to expire to come; who can only be pushed to and has none any more is lost. */
void solicit_look(core_engine *e, core_channel *ch);

/* journal.c */
void journal_init(core_journal *j);
void journal_mark(core_engine *e, core_durable *d);
void journal_delete(core_engine *e, core_durable *d);
/** Fills the next PERSIST; 0 records when nothing is to be written. POC_E_*: the next record cannot be made. */
poc_err journal_collect(core_engine *e, size_t *count);
/** The next record could not be made: those whom it concerns are told. */
void journal_stuck(core_engine *e);
void journal_kept(core_engine *e);
/** The write failed: everything is to be written again, and the channels concerned are told. */
void journal_lost(core_engine *e);
void journal_release(core_engine *e, core_durable *d);

/* session/subscription.c */
void session_init(core_session *s, uint64_t seed);
void session_done(core_session *s);
void session_open(core_engine *e, core_channel *ch);
void session_close(core_engine *e, core_channel *ch);
poc_err session_changed(core_engine *e, core_channel *ch, core_subscription what, bool fresh, uint32_t retry_ms);
poc_err session_document(core_engine *e, core_channel *ch, const core_conference *doc);
void session_tick(core_engine *e, core_channel *ch);
/** May this user be given a first key? */
bool session_sees(const core_channel *ch, const core_member *m);
/** His departure is known from his own dialog. */
void session_account(core_channel *ch, const core_member *m, roster_class how);

#endif
