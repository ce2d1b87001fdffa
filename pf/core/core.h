/* The engine of a Participating PoC Function, without sockets, files, clock or chance of its own: it is told what
 * happened and answers with effects, in the order in which they must be carried out. Meanings, units, lifetimes and
 * errors are those of the public door (pf/include/pocpf/pocpf.h), which pf/api puts in front of this one; only what
 * differs is said here. One engine belongs to one thread.
 *
 * Cost of a member who is only pushed to: CORE_MEMBER_SIZE and CORE_USER_SIZE octets of structs, his URI and his B-TID
 * once, two slots of poc_table, a place in his channel, and CORE_MEMBER_QUEUE_SIZE octets of queue room kept ready so that
 * no event can fail half-way: 450 to 550 octets in all with names of thirty octets, and the key in its poc_secret. A
 * session adds CORE_DIALOG_QUEUE_SIZE octets of queue room and the dialog. A rekey by push allocates nothing. */
#ifndef PF_CORE_CORE_H
#define PF_CORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/secret.h"

#define CORE_MEMBER_SIZE       144u
#define CORE_USER_SIZE         88u
#define CORE_MEMBER_QUEUE_SIZE 32u
#define CORE_DIALOG_QUEUE_SIZE 272u

typedef struct core_engine core_engine;

/* ---- settings ---- */

typedef enum core_on_leave { CORE_LEAVE_NEVER, CORE_LEAVE_ALWAYS, CORE_LEAVE_BATCH, CORE_LEAVE_COUNT } core_on_leave;
typedef enum core_gate { CORE_GATE_HOLD, CORE_GATE_CONTINUE, CORE_GATE_COUNT } core_gate;
typedef enum core_on_refusal { CORE_REFUSAL_UNICAST, CORE_REFUSAL_RELEASE, CORE_REFUSAL_COUNT } core_on_refusal;
enum { CORE_BY_SIP = 1u, CORE_BY_PUSH = 2u };

typedef struct core_policy {
    core_on_leave on_leave;
    uint32_t leave_batch_ms;
    bool on_join;
    uint32_t interval_s;
    uint32_t max_mtk;
    uint32_t deadline_ms;
    core_gate gate;
    core_on_refusal on_refusal;
    uint32_t delivery;
} core_policy;

/** Calls work(ctx, 0) to work(ctx, slices - 1) in any order, from any threads, and returns when all have returned. */
typedef void core_spread(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices);

typedef struct core_settings {
    poc_rng rng;
    core_spread *spread; /* NULL: all is done by the caller */
    void *spread_user;
    poc_span naf_id; /* copied */
    poc_secret *store_key;
    uint32_t members_max, channels_max, offer_window, roster_max; /* 0: the default, here and below */
    uint32_t push_tries, push_first_ms, push_cap_ms, solicit_per_s, muk_renew_s;
    bool require_verification, accept_ts64, idi_fqdn, sdp_ids;
    uint32_t mcx_skew_s;
    uint32_t mcx_algorithms; /* CORE_AES... that clients may use */
    uint32_t mcx_forced;     /* the one that all shall use; 0: none */
    bool mcx_strict_signature;
} core_settings;

enum { CORE_AES128_GCM = 1u, CORE_AES256_GCM = 2u, CORE_AES128_CM = 4u, CORE_AES_ALL = 7u };

typedef enum core_kind { CORE_KIND_MSK, CORE_KIND_MUSIK, CORE_KIND_COUNT } core_kind;

typedef struct core_musik {
    const char *const *groups;
    size_t group_count;
    const char *text; /* NULL: "" */
    uint8_t service;
    uint32_t lifetime_s;
    bool without_revocation;
} core_musik;

typedef struct core_channel_conf {
    const char *id;
    const char *group_uri; /* NULL or "": none */
    poc_key_domain key_domain;
    uint16_t key_group;
    core_policy rekey;
    core_kind kind;
    core_musik musik; /* of CORE_KIND_MUSIK */
} core_channel_conf;

poc_err core_new(core_engine **out, const core_settings *settings);
void core_free(core_engine *e);
POC_DEFINE_OWNED(core_engine, core_free)

/* ---- what happened ---- */

poc_err core_channel_add(core_engine *e, int64_t now_ms, const core_channel_conf *conf);
poc_err core_channel_change(core_engine *e, int64_t now_ms, const core_channel_conf *conf);
poc_err core_channel_stop(core_engine *e, int64_t now_ms, const char *channel);

typedef struct core_credential {
    const char *user;
    const char *btid;
    poc_secret *muk;
    int64_t expires_ms;
} core_credential;
poc_err core_authenticated(core_engine *e, int64_t now_ms, const core_credential *credential);

typedef struct core_join {
    const char *channel;
    const char *user;
    bool multicast_capable;
    poc_span dialog, address;
} core_join;
poc_err core_member_joined(core_engine *e, int64_t now_ms, const core_join *join);

typedef enum core_departure { CORE_LEFT, CORE_REMOVED, CORE_LOST, CORE_EXPELLED, CORE_DEPARTURE_COUNT } core_departure;
poc_err core_member_departed(core_engine *e, int64_t now_ms, const char *channel, const char *user, core_departure how);
typedef struct core_expulsion {
    bool was_member, barred, rekeyed;
} core_expulsion;
poc_err core_expel(core_engine *e, int64_t now_ms, const char *channel, const char *user, core_expulsion *done);
poc_err core_join_check(const core_engine *e, const char *channel, const char *user);
poc_err core_member_bearer(core_engine *e, int64_t now_ms, const char *channel, const char *user, bool receives);
poc_err core_rekey(core_engine *e, int64_t now_ms, const char *channel);

#define CORE_ADDRESS_MAX 20u

typedef struct core_registration {
    const char *channel;
    const char *user;
    poc_span address;
} core_registration;
poc_err core_registered(core_engine *e, int64_t now_ms, const core_registration *registration);
poc_err core_deregistered(core_engine *e, int64_t now_ms, const char *channel, const char *user);

typedef struct core_msk_request {
    const char *user;
    poc_key_domain key_domain;
    poc_msk_id msk_id;
    poc_span address; /* empty: the one he has */
} core_msk_request;
poc_err core_msk_requested(core_engine *e, int64_t now_ms, const core_msk_request *request);
poc_err core_msk_request_check(const core_engine *e, const core_msk_request *request);

#define CORE_HEARD_BATCH 64u /* datagrams that are verified together */

typedef struct core_datagram {
    poc_span address, octets;
    poc_err verdict; /* set */
} core_datagram;
/** Returns how many confirmed something. */
size_t core_push_heard(core_engine *e, int64_t now_ms, core_datagram *datagrams, size_t n);

poc_err core_solicit(core_engine *e, int64_t now_ms, const char *channel, const char *user);
poc_err core_admit(core_engine *e, int64_t now_ms, const char *channel, const char *user);
uint64_t core_changes(const core_engine *e);
uint64_t core_changes_durable(const core_engine *e);
bool core_is_barred(const core_engine *e, const char *channel, const char *user);

typedef enum core_answer {
    CORE_ANSWER_ACCEPTED,
    CORE_ANSWER_UNICAST,
    CORE_ANSWER_WRONG,
    CORE_ANSWER_REFUSED,
    CORE_ANSWER_TIMEOUT,
    CORE_ANSWER_GONE,
    CORE_ANSWER_COUNT
} core_answer;
poc_err core_offer_answered(core_engine *e, int64_t now_ms, const char *channel, const char *user, uint64_t offer,
                            core_answer answer, poc_span verification);

/* ---- what happened: mission critical services (TS 33.180) ---- */

typedef struct core_mcx_keys core_mcx_keys;

typedef struct core_mcx_material {
    poc_span uri, kms_uri;
    uint64_t period_s, offset_s, period_number;
    const uint8_t *z, *kpak, *pvt; /* MCX_SAKKE_POINT_LEN, MCX_POINT_LEN, MCX_POINT_LEN */
    const poc_secret *rsk;
    poc_secret *ssk;
    const core_mcx_keys *like;
} core_mcx_material;

/** On any thread. */
poc_err core_mcx_keys_new(core_mcx_keys **out, const core_mcx_material *material);
core_mcx_keys *core_mcx_keys_ref(core_mcx_keys *keys);
void core_mcx_keys_free(core_mcx_keys *keys);
poc_err core_mcx_identity(core_engine *e, int64_t now_ms, core_mcx_keys *keys, bool signs);

typedef struct core_mcx_kms core_mcx_kms;

typedef struct core_mcx_certificate {
    poc_span kms_uri;
    uint64_t period_s, offset_s;
    const uint8_t *z, *kpak;
} core_mcx_certificate;

/** On any thread. */
poc_err core_mcx_kms_new(core_mcx_kms **out, const core_mcx_certificate *certificate);
void core_mcx_kms_free(core_mcx_kms *kms);
poc_err core_mcx_kms_add(core_engine *e, int64_t now_ms, core_mcx_kms *kms);
poc_err core_mcx_kms_remove(core_engine *e, int64_t now_ms, const char *kms_uri);

#define CORE_MC_ID_MAX 256u /* with the terminator */

/** `sender` is "" when it is hidden. Writes the service id. */
typedef poc_err core_prove(void *ctx, uint32_t csk_id, const poc_secret *csk, const char *sender,
                           char mc_id[CORE_MC_ID_MAX]);

typedef struct core_csk_upload {
    const char *impu, *mc_id; /* mc_id NULL: `prove` says */
    uint8_t service;
    poc_span i_message;
    core_prove *prove;
    void *prove_ctx;
} core_csk_upload;

typedef struct core_csk_result {
    uint32_t csk_id;
    const char *why;
} core_csk_result;

poc_err core_csk_uploaded(core_engine *e, int64_t now_ms, const core_csk_upload *upload, core_csk_result *result);
poc_err core_mcx_joined(core_engine *e, int64_t now_ms, const char *channel, const char *impu);
poc_err core_mcx_logged_off(core_engine *e, int64_t now_ms, const char *impu);
poc_err core_mcx_service_left(core_engine *e, int64_t now_ms, const char *impu, uint8_t service);
poc_err core_download_answered(core_engine *e, int64_t now_ms, const char *user, uint64_t number, bool ok);

typedef struct core_csk_status {
    const char *impu, *mc_id;
    uint32_t csk_id;
    uint8_t cs_id;
    uint8_t encr, key_len, salt_len, tag_len; /* of the algorithm, as in an SP payload */
    bool is_current;
    poc_span rand;
    const poc_secret *key;
    int64_t sent_s;
    uint8_t service;
} core_csk_status;
poc_err core_csk_look(const core_engine *e, const char *user, uint32_t csk_id, core_csk_status *out);
poc_err core_csk_of(const core_engine *e, const char *impu, uint8_t service, core_csk_status *out);
bool core_csk_next(const core_engine *e, size_t *at, core_csk_status *out);

poc_err core_clock_look(const core_engine *e, int64_t now_ms, int64_t *clock_ms);

typedef enum core_conf_state { CORE_CONF_FULL, CORE_CONF_PARTIAL, CORE_CONF_DELETED } core_conf_state;
typedef enum core_conf_status {
    CORE_STATUS_ABSENT,
    CORE_STATUS_PENDING,
    CORE_STATUS_DIALING_OUT,
    CORE_STATUS_DIALING_IN,
    CORE_STATUS_ALERTING,
    CORE_STATUS_ON_HOLD,
    CORE_STATUS_CONNECTED,
    CORE_STATUS_MUTED,
    CORE_STATUS_DISCONNECTING,
    CORE_STATUS_DISCONNECTED
} core_conf_status;
typedef enum core_conf_method {
    CORE_METHOD_ABSENT,
    CORE_METHOD_DEPARTED,
    CORE_METHOD_BOOTED,
    CORE_METHOD_FAILED,
    CORE_METHOD_BUSY
} core_conf_method;

typedef struct core_conf_endpoint {
    poc_span entity;
    core_conf_state state;
    core_conf_status status;
    core_conf_method method;
    poc_span by; /* p NULL: absent */
} core_conf_endpoint;

typedef struct core_conf_user {
    poc_span entity;
    core_conf_state state;
    const void *endpoints; /* read with endpoint_at */
    size_t endpoint_count;
} core_conf_user;

/** A document is read where it lies: the two functions turn row `i` of the caller's arrays into ours. */
typedef struct core_conference {
    core_conf_state state;
    uint32_t version;
    bool has_users;
    core_conf_state users_state;
    const void *users; /* read with user_at */
    size_t users_listed;
    bool has_user_count;
    uint32_t user_count;
    void (*user_at)(const void *users, size_t i, core_conf_user *out);
    void (*endpoint_at)(const void *endpoints, size_t i, core_conf_endpoint *out);
} core_conference;

/** POC_E_LIMIT: more endpoints than roster_max; the channel is blind from then on. */
poc_err core_conference_info(core_engine *e, int64_t now_ms, const char *channel, const core_conference *document);

typedef enum core_subscription {
    CORE_SUB_ACTIVE,
    CORE_SUB_REFUSED,
    CORE_SUB_UNSUPPORTED,
    CORE_SUB_ENDED,
    CORE_SUB_RETRY,
    CORE_SUB_COUNT
} core_subscription;
poc_err core_subscription_changed(core_engine *e, int64_t now_ms, const char *channel, core_subscription what,
                                  bool fresh, uint32_t retry_ms);

typedef enum core_enabler {
    CORE_ENABLER_STARTED,
    CORE_ENABLER_FAILED,
    CORE_ENABLER_DOWN,
    CORE_ENABLER_UP,
    CORE_ENABLER_STOPPED,
    CORE_ENABLER_COUNT
} core_enabler;
poc_err core_enabler_changed(core_engine *e, int64_t now_ms, const char *channel, core_enabler what);
poc_err core_mtk_made(core_engine *e, int64_t now_ms, const char *channel, poc_msk_id msk_id, uint32_t mtks);
poc_err core_persisted(core_engine *e, int64_t now_ms, bool ok);
void core_tick(core_engine *e, int64_t now_ms);
int64_t core_deadline_ms(const core_engine *e);

/** POC_E_STATE: a member of a channel that is not there any more: forget the record. */
poc_err core_restore(core_engine *e, poc_span key, poc_span value);
poc_err core_restored(core_engine *e, int64_t now_ms);

/* ---- what to do ---- */

typedef enum core_effect_type {
    CORE_DO_PERSIST = 1,
    CORE_DO_OFFER,
    CORE_DO_RELEASE,
    CORE_DO_SERVE,
    CORE_DO_GATE,
    CORE_DO_ENABLER_START,
    CORE_DO_ENABLER_UPDATE,
    CORE_DO_ENABLER_STOP,
    CORE_DO_SUBSCRIBE,
    CORE_DO_UNSUBSCRIBE,
    CORE_DO_RESTORED,
    CORE_DO_AUDIT,
    CORE_DO_PUSH,
    CORE_DO_CSK_BOUND,
    CORE_DO_DOWNLOAD
} core_effect_type;

typedef enum core_offer_kind { CORE_OFFER_OPEN, CORE_OFFER_REKEY, CORE_OFFER_WITHDRAW } core_offer_kind;

typedef enum core_reason {
    CORE_REASON_NONE,
    CORE_REASON_EXPEL,
    CORE_REASON_LEAVE,
    CORE_REASON_JOIN,
    CORE_REASON_INTERVAL,
    CORE_REASON_MAX_MTK,
    CORE_REASON_OPERATOR,
    CORE_REASON_BLIND,
    CORE_REASON_RESTART,
    CORE_REASON_RECOVERY,
    CORE_REASON_COUNT
} core_reason;
const char *core_reason_name(core_reason reason);

typedef enum core_audit {
    CORE_AUDIT_MEMBER_IN = 1,
    CORE_AUDIT_MEMBER_CONFIRMED,
    CORE_AUDIT_MEMBER_UNICAST,
    CORE_AUDIT_MEMBER_LEFT,
    CORE_AUDIT_MEMBER_EXPELLED,
    CORE_AUDIT_REKEY_STARTED,
    CORE_AUDIT_REKEY_SWITCHED,
    CORE_AUDIT_REKEY_CANCELLED,
    CORE_AUDIT_CHANNEL_STARTED,
    CORE_AUDIT_CHANNEL_STOPPED,
    CORE_AUDIT_CHANNEL_FAILED,
    CORE_AUDIT_BLIND,
    CORE_AUDIT_SIGHTED,
    CORE_AUDIT_REFUSED,
    CORE_AUDIT_STORE_FAILED,
    CORE_AUDIT_MEMBER_REGISTERED,
    CORE_AUDIT_MEMBER_DEREGISTERED,
    CORE_AUDIT_MEMBER_STALE,
    CORE_AUDIT_MEMBER_PULLED,
    CORE_AUDIT_MEMBER_SOLICITED,
    CORE_AUDIT_MEMBER_ADMITTED,
    CORE_AUDIT_CSK_BOUND,
    CORE_AUDIT_CSK_CHANGED,
    CORE_AUDIT_CSK_LOGGED_OFF,
    CORE_AUDIT_KEY_REVOKED,
    CORE_AUDIT_COUNT
} core_audit;
const char *core_audit_name(core_audit audit);

/** `value.p` NULL: delete. To be applied in the order of the array. */
typedef struct core_record {
    poc_span key, value;
} core_record;

#define CORE_RECORDS_MAX 256u /* of one PERSIST */
#define CORE_RAND_LEN    16u

typedef struct core_effect {
    core_effect_type type;
    const char *channel;
    const char *user;
    union {
        struct {
            const core_record *records;
            size_t count; /* at most CORE_RECORDS_MAX */
        } persist;
        struct {
            uint64_t number;
            core_offer_kind kind;
            poc_msk_id msk_id;
            poc_span mikey;
            uint32_t timeout_ms;
        } offer;
        struct {
            poc_msk_id msk_id;
            poc_span mikey, address;
            bool again;
        } push;
        struct {
            uint32_t csk_id;
            bool ok;
        } bound;
        struct {
            uint64_t number;
            const char *mc_id;
            uint32_t key_id;
            poc_span i_message;
            uint32_t timeout_ms;
            uint8_t service;
            bool revokes;
        } download;
        core_reason release;
        bool multicast; /* SERVE */
        bool hold;      /* GATE */
        struct {
            poc_key_domain key_domain;
            poc_msk_id msk_id;
            uint16_t seq_low, seq_high;
            uint32_t csb_id;
            const uint8_t *rand; /* CORE_RAND_LEN */
            const poc_secret *msk;
            core_kind kind;
            uint8_t cs_id; /* of a MuSiK */
        } enabler;
        struct {
            const char *group_uri;
            const char *as_user;
            bool refresh;
        } subscribe;
        poc_span dialog; /* RESTORED */
        struct {
            core_audit what;
            core_reason reason;
            poc_msk_id msk_id;
            uint32_t count, total;
            const char *detail;
        } audit;
    } u;
} core_effect;

bool core_poll(core_engine *e, core_effect *out);

/* ---- looking ---- */

typedef struct core_channel_status {
    const char *state;
    poc_msk_id msk_id, next_msk_id;
    uint32_t members, confirmed, unicast;
    bool blind, held;
} core_channel_status;
poc_err core_channel_look(const core_engine *e, const char *channel, core_channel_status *out);

typedef struct core_member_status {
    const char *user;
    const char *state;
    poc_msk_id msk_id;
    bool by_sip;
    poc_span address; /* empty: none */
} core_member_status;
bool core_member_next(const core_engine *e, const char *channel, size_t *at, core_member_status *out);
poc_err core_member_look(const core_engine *e, const char *channel, const char *user, core_member_status *out);

/** Events that met an empty cell of a state table since the engine was made. */
uint64_t core_refused_count(const core_engine *e);

#endif
