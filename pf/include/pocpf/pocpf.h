/* libpocpf: the key management of a Participating PoC Function as a library that computes. Tell it what happened, ask it
 * what to do. It opens no socket, reads no clock and draws no randomness of its own; one engine belongs to one thread.
 *
 *     pocpf_member_joined(pf, now_ms, &join);            what happened
 *     while (pocpf_poll(pf, &effect))                     what to do, in this order
 *         carry_out(&effect);
 *     timer_at(pocpf_deadline_ms(pf));                    when to call pocpf_tick
 *
 * Conventions. Times are milliseconds since 1970 by a clock that never runs backwards. Texts are UTF-8 with terminator;
 * users and groups are canonical SIP URIs ("sip:bob@home2.example"). Everything passed in is borrowed for the call;
 * everything in an effect is borrowed until the next call on the same engine. Structs begin with their own size so that
 * they can grow: set it with sizeof. A call that returns an error has changed nothing, unless it says otherwise. Effects
 * may be pending after any call. */
#ifndef POCPF_POCPF_H
#define POCPF_POCPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POCPF_VERSION_MAJOR 0
#define POCPF_VERSION_MINOR 1

/** Kinds of errors; the same numbers as poc_err inside. */
typedef enum pocpf_err {
    POCPF_OK = 0,
    POCPF_E_INPUT,  /* malformed                          */
    POCPF_E_AUTH,   /* MAC or freshness does not hold     */
    POCPF_E_DENIED, /* authentic, but not allowed         */
    POCPF_E_STATE,  /* not now                            */
    POCPF_E_LIMIT,  /* a configured bound was met         */
    POCPF_E_NOMEM,
    POCPF_E_IO,
    POCPF_E_BUG
} pocpf_err;

const char *pocpf_err_name(pocpf_err err);

typedef struct pocpf pocpf;

/* ---- secrets ---- */

/** A key in locked memory, wiped when the last owner lets go. */
typedef struct poc_secret pocpf_secret;

/** Copies 1..320 octets; wipe your own copy. NULL when out of memory. */
pocpf_secret *pocpf_secret_new(const void *bytes, size_t len);
void pocpf_secret_free(pocpf_secret *s);
/** The octets, for the BCAST enabler of a vendor who needs them; they are wiped with the secret. */
const uint8_t *pocpf_secret_bytes(const pocpf_secret *s, size_t *len);

/* ---- making an engine ---- */

typedef struct pocpf_host {
    size_t size;
    void *user;
    /** Fills `n` octets from a cryptographic generator; 0 on success. */
    int (*random)(void *user, uint8_t *out, size_t n);
    /** Optional. Calls work(ctx, 0) to work(ctx, slices - 1), in any order and from as many threads as the host likes, and
     *  returns when all of them have returned. The engine seals MSK messages and downloads of MuSiKs through it when many are
     *  to be sent; the MSK messages are the same, octet for octet, and the downloads say the same. The call comes from
     *  inside pocpf_poll; `work` reads keys, waits for nothing, allocates nothing but scratch space and may not be called
     *  later. NULL: the engine's own thread does it all. Costs 700 KB for each engine in place of 44 KB, and 130 KB in
     *  place of 17 KB with mission critical services. */
    void (*spread)(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices);
} pocpf_host;

typedef struct pocpf_settings {
    size_t size;
    const uint8_t *naf_id; /* FQDN || Ua security protocol identifier: IDi of every MSK message */
    size_t naf_id_len;
    const pocpf_secret *store_key; /* 32 octets: seals MUKs and CSKs in journal records; kept by reference */
    uint32_t members_max;          /* over all channels; 0: 100,000 */
    uint32_t channels_max;         /* 0: 1,000 */
    uint32_t offer_window;         /* offers outstanding per channel during a rekey; 0: 100 */
    uint32_t roster_max;           /* endpoints kept per conference; 0: 100,000 */
    bool require_verification;     /* V flag on: a member is confirmed only by a valid MIKEY verification message */
    bool accept_ts64;              /* also accept verification MACs over the counter padded to 64 bits */
    bool idi_fqdn;                 /* IDi is the bare FQDN as NAI, not the NAF_Id as URI */
    bool sdp_ids;                  /* put the SDP IDs extension into MSK messages of offers (RFC 4567 7) */
    uint32_t push_tries;           /* sendings of one MSK by push before the member counts as stale; 0: 5; at most 16 */
    uint32_t push_first_ms;        /* pause after the first sending, doubled from then on; 0: 1,000 */
    uint32_t push_cap_ms;          /* the longest pause; 0: 8,000 */
    uint32_t solicit_per_s;        /* members of a channel asked in one second to pull; 0: 100; at most 10,000 */
    uint32_t mcx_skew_s;           /* how far the time of an uploaded key may be from now; 0: 300; at most 3,600 */
    uint32_t mcx_algorithms;       /* POCPF_AES... that clients may use; 0: both with GCM */
    uint32_t mcx_forced;           /* the one that every client shall use; 0: whichever allowed one it likes best */
    bool mcx_strict_signature;     /* refuse what old senders signed without the header of the signature */
    uint32_t muk_renew_s; /* a member with a push address is asked to pull so long before its MUK expires; 0: 300 */
} pocpf_settings;

enum { POCPF_AES128_GCM = 1u, POCPF_AES256_GCM = 2u, POCPF_AES128_CM = 4u };

/** POCPF_E_INPUT: a setting is out of range; POCPF_E_NOMEM. `*out` is NULL on error. */
pocpf_err pocpf_new(pocpf **out, const pocpf_host *host, const pocpf_settings *settings);
/** Wipes all keys. NULL is fine. Nothing is emitted: a daemon that stops politely calls pocpf_channel_stop first. */
void pocpf_free(pocpf *pf);

/* ---- channels ---- */

typedef enum pocpf_on_leave { POCPF_LEAVE_NEVER, POCPF_LEAVE_ALWAYS, POCPF_LEAVE_BATCH } pocpf_on_leave;
typedef enum pocpf_gate { POCPF_GATE_HOLD, POCPF_GATE_CONTINUE } pocpf_gate;
/** What happens to a member that refuses an offer (488): it goes on by unicast, or its session is ended (RFC 4567). */
typedef enum pocpf_on_refusal { POCPF_REFUSAL_UNICAST, POCPF_REFUSAL_RELEASE } pocpf_on_refusal;
enum { POCPF_BY_SIP = 1u, POCPF_BY_PUSH = 2u };

/** When the MSK changes. An expulsion always rekeys (POC-10): there is no field for it. */
typedef struct pocpf_rekey_policy {
    pocpf_on_leave on_leave;
    uint32_t leave_batch_ms; /* BATCH: one rekey for all who left within this time */
    bool on_join;
    uint32_t interval_s;  /* 0: never by age */
    uint32_t max_mtk;     /* a rekey after so many MTKs under one MSK; 0: only before the MTK IDs run out */
    uint32_t deadline_ms; /* T_rekey: switch at the latest so long after the trigger; 0: 2,000; at most 32,000 */
    pocpf_gate gate;      /* on expulsion; for everything else media always continues */
    pocpf_on_refusal on_refusal;
    uint32_t delivery; /* of a rekey: POCPF_BY_SIP, POCPF_BY_PUSH or both, where the member has that way, else the way
                          that it has; 0: POCPF_BY_SIP. The first MSK of a client with a dialog always goes by SIP, since
                          its lines have to be negotiated; a pull is always answered by push */
} pocpf_rekey_policy;

/** What protects a channel: an MSK of MBMS (TS 33.246), or a MuSiK of mission critical services (TS 33.180), which is drawn at
 *  random, has members that brought a CSK, and reaches them by key download. All else is the same. */
typedef enum pocpf_kind { POCPF_KIND_MSK, POCPF_KIND_MUSIK } pocpf_kind;

/** What a MuSiK is for, as its members are told. */
typedef struct pocpf_musik {
    const char *const *groups; /* URIs of the groups that it is for */
    size_t group_count;        /* at most 16; 0: the default one, or one of a region */
    const char *text;          /* name or region; NULL: none */
    uint8_t service;           /* 0: MCPTT, 1: MCVideo */
    uint32_t lifetime_s; /* clients may use it so long; longer than rekey.interval_s; 0: until another one comes */
    bool
        without_revocation; /* one that an expulsion has replaced is not revoked at those who stay: it is only not used */
} pocpf_musik;

typedef struct pocpf_channel {
    size_t size;
    const char *id; /* at most 63 octets */
    const char
        *group_uri; /* the PoC session or group. NULL or "": a pure MBMS user service, without session and roster:
                              its members come by pocpf_registered, and its delivery must contain POCPF_BY_PUSH */
    uint8_t key_domain[3];
    uint16_t key_group;       /* one per channel */
    pocpf_rekey_policy rekey; /* delivery, on_refusal and max_mtk are without meaning for a MuSiK */
    pocpf_kind kind;          /* a MuSiK has no group_uri, key domain or key group */
    pocpf_musik musik; /* fixed until the channel is stopped and added again; what is added to it is added here */
} pocpf_channel;

/** A new channel, idle until the first member. POCPF_E_STATE: id or key group are taken; POCPF_E_LIMIT. */
pocpf_err pocpf_channel_add(pocpf *pf, int64_t now_ms, const pocpf_channel *channel);
/** New policy for a channel; identity and key group must be the same. A running rekey keeps its plan. */
pocpf_err pocpf_channel_change(pocpf *pf, int64_t now_ms, const pocpf_channel *channel);
/** Ends the channel: off air, keys wiped, members to unicast (WITHDRAW offers). Its members stay until they depart;
 *  pocpf_channel_add under the same id takes it, and them, up again (with another key group when the old one is used up). */
pocpf_err pocpf_channel_stop(pocpf *pf, int64_t now_ms, const char *channel);

/* ---- what happened: users and members ---- */

/** Octets of a push address at most. It is opaque here: the shell packs an IP address and a port into it. */
#define POCPF_ADDRESS_MAX 20u

/** A user was authenticated with GBA: this MUK is used for every following MSK message (digest 4.1). */
typedef struct pocpf_credential {
    size_t size;
    const char *user;
    const char *btid;        /* IDr */
    const pocpf_secret *muk; /* 32 octets; kept by reference */
    int64_t expires_ms;
} pocpf_credential;

pocpf_err pocpf_authenticated(pocpf *pf, int64_t now_ms, const pocpf_credential *credential);

/** A client's unicast PoC session is up. It becomes a member as soon as the roster is known, if it can be one. */
typedef struct pocpf_join {
    size_t size;
    const char *channel;
    const char *user;
    bool multicast_capable; /* a=bcastversion in its SDP */
    const void *dialog; /* opaque: what the shell needs to reach this client after a restart, stored with the member */
    size_t dialog_len;  /* at most 2,048 */
    const void
        *push_address; /* where MSKs can be pushed to, when that is known from the dialog; stored with the member */
    size_t push_address_len; /* at most POCPF_ADDRESS_MAX; 0: not known */
} pocpf_join;

/** POCPF_OK also when the client stays on unicast (an AUDIT effect says why). A member that was only registered gets its
 *  dialog by this. Lifts the bar of one who was expelled, but not by pocpf_expel: the CF has let him in again. POCPF_E_STATE:
 *  this user is in already, or the channel has no PoC session; POCPF_E_DENIED: he was expelled by pocpf_expel and not admitted
 *  again; POCPF_E_LIMIT: too many members, or so many were expelled by pocpf_expel that nobody new can be let in. */
pocpf_err pocpf_member_joined(pocpf *pf, int64_t now_ms, const pocpf_join *join);
/** Whether it is worth while to begin a session for this user: POCPF_E_DENIED and POCPF_E_LIMIT (of those who were expelled) as
 *  above, POCPF_E_STATE: no such channel, else POCPF_OK. Changes nothing. */
pocpf_err pocpf_join_check(const pocpf *pf, const char *channel, const char *user);

typedef enum pocpf_departure {
    POCPF_LEFT,    /* BYE from the client                                                               */
    POCPF_REMOVED, /* BYE from the CF for this client: expelled, unless the session turns out to be over */
    POCPF_LOST,    /* dialog dead (481, 408, session timer): counts as left                              */
    POCPF_EXPELLED /* by the operator or by policy: the shell is told to end the session (RELEASE)      */
} pocpf_departure;

/** Ends the membership with all its ways. Who is expelled (REMOVED, EXPELLED) is barred from registering until he joins by
 *  SIP or pocpf_admit lifts the bar; so is whoever is only registered, with the same MUK: it is the same client. With EXPELLED
 *  he need not be a member, see pocpf_expel. POCPF_E_STATE: no such channel, or no such member (nothing to do). */
pocpf_err pocpf_member_departed(pocpf *pf, int64_t now_ms, const char *channel, const char *user, pocpf_departure how);

/** What an expulsion has done. */
typedef struct pocpf_expulsion {
    size_t size;
    bool was_member;
    bool barred; /* false: so many are barred that there was no room; then nobody new is let in */
    bool
        rekeyed; /* the key that he may have is being replaced, by this or by an expulsion before it. False: there is no key, or
                     he is no member, and no member who left has kept a key that is in use */
} pocpf_expulsion;

/** An operator expels somebody, whether he is a member or not: a radio may be stolen after it left, with the key in it. As
 *  POCPF_EXPELLED, and only pocpf_admit lifts the bar, no session does. On a channel under a MuSiK `user` is an IMPU or an MC
 *  service id. `done` may be NULL. POCPF_E_STATE: no such channel; POCPF_E_NOMEM: as any other error, nothing has changed. */
pocpf_err pocpf_expel(pocpf *pf, int64_t now_ms, const char *channel, const char *user, pocpf_expulsion *done);
/** The client turned its multicast lines off or on again by its own offer (lost or regained the bearer). */
pocpf_err pocpf_member_bearer(pocpf *pf, int64_t now_ms, const char *channel, const char *user, bool receives);
/** An operator wants a new MSK. POCPF_E_STATE when the channel is not active. */
pocpf_err pocpf_rekey(pocpf *pf, int64_t now_ms, const char *channel);

/* ---- what happened: the MBMS user service (TS 33.246 6.3.2, by HTTP over Ua, and MIKEY over UDP) ---- */

/** A user registered (again, or from a new address) for the service of a channel. The shell has authenticated him and told
 *  so with pocpf_authenticated before. */
typedef struct pocpf_registration {
    size_t size;
    const char *channel;
    const char *user;
    const void *address; /* opaque push address */
    size_t address_len;  /* 1..POCPF_ADDRESS_MAX */
} pocpf_registration;

/** Makes the user a member, without dialog and without being seen in any roster, or gives a member by SIP a push address.
 *  Either way the current MSK is pushed to him, as soon as there is one and unless he waits for the roster. POCPF_E_STATE:
 *  no such channel; POCPF_E_AUTH: no MUK of his works; POCPF_E_DENIED: he was expelled and not admitted again;
 *  POCPF_E_LIMIT: too many members, or so many are barred that nobody new can be let in. */
pocpf_err pocpf_registered(pocpf *pf, int64_t now_ms, const pocpf_registration *registration);
/** Without a dialog he leaves with this, else only his push address goes. POCPF_E_STATE: he is not registered. */
pocpf_err pocpf_deregistered(pocpf *pf, int64_t now_ms, const char *channel, const char *user);

/** One MSK that a client asks for (MBMS-1, MBMS-3). */
typedef struct pocpf_msk_request {
    size_t size;
    const char *user;
    uint8_t key_domain[3];
    uint32_t msk_id;     /* key number 0: the current MSK */
    const void *address; /* where to push it from now on; NULL: where he was reached before */
    size_t address_len;
} pocpf_msk_request;

/** POCPF_OK: a PUSH follows, of the MSK that is being handed out if there is one, else of the current MSK. POCPF_E_DENIED:
 *  no member; POCPF_E_STATE: unknown key group, an MSK that is not to be had, no address to push to, or a member whom the
 *  roster does not show. */
pocpf_err pocpf_msk_requested(pocpf *pf, int64_t now_ms, const pocpf_msk_request *request);
/** Whether it is worth while to authenticate who asks: POCPF_E_DENIED and POCPF_E_STATE (unknown key group) as above, else
 *  POCPF_OK. Changes nothing. */
pocpf_err pocpf_msk_request_check(const pocpf *pf, const pocpf_msk_request *request);

/** A datagram that came in on the socket which MSKs are pushed from. */
typedef struct pocpf_datagram {
    const void *address; /* of its source, in the form of the push address */
    size_t address_len;
    const uint8_t *octets;
    size_t len;
    pocpf_err verdict; /* set */
} pocpf_datagram;

/** MIKEY verification messages, found by B-TID, matched by source address and counter, and MIKEY error messages. Returns
 *  how many datagrams confirmed something. Verdicts: OK confirmed, DENIED an authentic error message (the next sending will
 *  be a fresh one), INPUT malformed, STATE nothing outstanding fits, AUTH the MAC does not hold, LIMIT more error messages
 *  than are looked into, NOMEM nothing was looked at. Only OK and DENIED have changed anything. */
size_t pocpf_push_heard(pocpf *pf, int64_t now_ms, pocpf_datagram *datagrams, size_t n);
/** Solicited pull (MBMS-10): asks one member, or with `user` NULL all that have a push address, to request the current MSK,
 *  spread by solicit_per_s, up to three times until they make contact. POCPF_E_STATE: no such channel or member, or he has
 *  no push address. */
pocpf_err pocpf_solicit(pocpf *pf, int64_t now_ms, const char *channel, const char *user);
/** Lifts the bar of one who was expelled. POCPF_E_STATE: he is not barred. */
pocpf_err pocpf_admit(pocpf *pf, int64_t now_ms, const char *channel, const char *user);
/** True: he was expelled from this channel and not let in again. A shell that knows of several names of one client asks for
 *  each of them before it registers him under one. */
bool pocpf_is_barred(const pocpf *pf, const char *channel, const char *user);

/* ---- what happened: answers ---- */

typedef enum pocpf_answer {
    POCPF_ANSWER_ACCEPTED, /* 2xx, multicast lines as offered; `verification` as received, or empty               */
    POCPF_ANSWER_UNICAST,  /* 2xx, multicast lines refused (port 0)                                               */
    POCPF_ANSWER_WRONG,    /* 2xx with another group, port or direction: counts as a refusal                      */
    POCPF_ANSWER_REFUSED,  /* 488 or another final refusal of the offer                                           */
    POCPF_ANSWER_TIMEOUT,  /* no final answer in time, or glare that outlasted its retries                        */
    POCPF_ANSWER_GONE      /* 481, 408: dialog dead                                                               */
} pocpf_answer;

/** The end of an OFFER effect. `offer` is the effect's number; late or repeated answers are ignored (POCPF_E_STATE).
 *  A verification message that does not hold counts as a refusal. */
pocpf_err pocpf_offer_answered(pocpf *pf, int64_t now_ms, const char *channel, const char *user, uint64_t offer,
                               pocpf_answer answer, const uint8_t *verification, size_t verification_len);

/* ---- what happened: mission critical services (TS 33.180) ---- */

/** What a KMS gave one of our identities for one key period, with tables made from it. Immutable; any number of engines
 *  may use it. */
typedef struct pocpf_mcx_keys pocpf_mcx_keys;

typedef struct pocpf_mcx_material {
    size_t size;
    const char *uri;     /* the identity as clients name it: MDSI or public service identity, octet by octet */
    const char *kms_uri; /* KmsUri of the certificate */
    uint64_t period_s, offset_s, period_number; /* UserKeyPeriod, UserKeyOffset, KeyPeriodNo */
    const uint8_t *z;                           /* PubEncKey, 257 octets */
    const uint8_t *kpak;                        /* PubAuthKey, 65 octets */
    const uint8_t *pvt;                         /* UserPubTokenPVT, 65 octets */
    const pocpf_secret *rsk;                    /* UserDecryptKey, 257 octets; not kept */
    const pocpf_secret *ssk;                    /* UserSigningKeySSK, 32 octets; kept by reference */
    const pocpf_mcx_keys *like;                 /* NULL, or others of the same KMS whose tables are shared */
} pocpf_mcx_material;

/** Takes about a tenth of a second: call it on a thread of its own, before the period begins. POCPF_E_INPUT: a length, a
 *  point off its curve, `like` of another KMS; POCPF_E_AUTH: not the keys of that identity in that period;
 *  POCPF_E_NOMEM. `*out` is NULL on error. */
pocpf_err pocpf_mcx_keys_new(pocpf_mcx_keys **out, const pocpf_mcx_material *material);
/** One owner less; NULL is fine. Thread-safe. */
void pocpf_mcx_keys_free(pocpf_mcx_keys *keys);

typedef struct pocpf_mcx_identity {
    size_t size;
    pocpf_mcx_keys *keys; /* kept by reference */
    bool signs;           /* downloads are signed by it */
} pocpf_mcx_identity;

/** From now on messages for this identity in its period are opened. Up to 16 may stand; the same identity and period take
 *  the place of the former, and periods that are past are let go. POCPF_E_LIMIT: too many; POCPF_E_NOMEM, POCPF_E_IO. */
pocpf_err pocpf_mcx_identity_add(pocpf *pf, int64_t now_ms, const pocpf_mcx_identity *identity);

/** The certificate of a KMS that is not ours, with tables made from it, for users who were provisioned elsewhere. Immutable;
 *  any number of engines may use it. */
typedef struct pocpf_mcx_kms pocpf_mcx_kms;

typedef struct pocpf_mcx_certificate {
    size_t size;
    const char *kms_uri;         /* KmsUri */
    uint64_t period_s, offset_s; /* UserKeyPeriod, UserKeyOffset */
    const uint8_t *z;            /* PubEncKey, 257 octets */
    const uint8_t *kpak;         /* PubAuthKey, 65 octets */
} pocpf_mcx_certificate;

/** Takes up to a twentieth of a second: call it on a thread of its own. POCPF_E_INPUT: a length, a period, a point off its
 *  curve; POCPF_E_NOMEM. `*out` is NULL on error. */
pocpf_err pocpf_mcx_kms_new(pocpf_mcx_kms **out, const pocpf_mcx_certificate *certificate);
/** One owner less; NULL is fine. Thread-safe. */
void pocpf_mcx_kms_free(pocpf_mcx_kms *kms);
/** From now on users of this KMS may upload, to an identity of ours under whichever KMS they encrypt to, and are sent keys;
 *  kept by reference. Up to 16 may stand; the same URI takes the place of the former. Where an identity of ours has the same
 *  URI, its certificate counts. POCPF_E_LIMIT: too many; POCPF_E_NOMEM, POCPF_E_IO. */
pocpf_err pocpf_mcx_kms_add(pocpf *pf, int64_t now_ms, pocpf_mcx_kms *kms);
/** It was revoked: nothing is accepted from its users or sent to them any more. POCPF_E_STATE: it does not stand. */
pocpf_err pocpf_mcx_kms_remove(pocpf *pf, int64_t now_ms, const char *kms_uri);

/** Octets of a mission critical service id at most, with its terminator. */
#define POCPF_MC_ID_MAX 256u

/** A client-server key (CSK) came from a client. */
typedef struct pocpf_csk_upload {
    size_t size;
    const char *impu; /* of the SIP registration */
    const char
        *mc_id; /* of the service authorisation: the key must come from this one, octet by octet. NULL: `prove` says */
    uint8_t service; /* 0: MCPTT, 1: MCVideo */
    const uint8_t *i_message;
    size_t len;
    /** With `mc_id` NULL: asked once, when the message has opened and before anything is kept: who does the service
     *  authorisation say it is? The access token beside the key may be encrypted with that very key. `sender` is the URI in
     *  the message, "" when it is hidden. Writes the service id, which has to be the sender's. What it returns other than
     *  POCPF_OK is how the upload ends. `csk` is borrowed for the call; the engine must not be called from inside. */
    pocpf_err (*prove)(void *ctx, uint32_t csk_id, const pocpf_secret *csk, const char *sender,
                       char mc_id[POCPF_MC_ID_MAX]);
    void *prove_ctx;
} pocpf_csk_upload;

typedef struct pocpf_csk_result {
    size_t size;
    uint32_t csk_id;
    const char *why; /* constant text: why not; NULL when OK */
} pocpf_csk_result;

/** Checks the message in the order of digest "MIKEY-SAKKE" 3.10 and binds IMPU, service id and CSK, for each service by
 *  itself; the CSK before stays good for what is under way, unless the service id is another one: then the former user of
 *  the IMPU has left all MuSiKs of the service. A CSK_BOUND effect follows: answer the client only then. Where the server
 *  wants another algorithm than the one that the client has selected, a DOWNLOAD of a fresh CSK follows too; until it is
 *  answered the uploaded one is in force. POCPF_E_INPUT: malformed; POCPF_E_AUTH: time, replay, signature, or a key that does not open;
 *  POCPF_E_DENIED: not for us, not from that user, not a CSK, an id that is another key's, no common algorithm;
 *  POCPF_E_STATE: no identity of ours; POCPF_E_LIMIT: too many users; or what `prove` returned. Nothing is stored then. */
pocpf_err pocpf_csk_uploaded(pocpf *pf, int64_t now_ms, const pocpf_csk_upload *upload, pocpf_csk_result *result);
/** An authorised user belongs to the group or region of a MuSiK from now on: he is sent it as soon as he has brought a CSK,
 *  and again whenever he brings another; for the service of the channel, or, where he has brought none for that, for the
 *  other one. He goes with pocpf_member_departed; who was expelled stays out until pocpf_admit, under whichever IMPU he
 *  brings a CSK of the same service id. POCPF_E_STATE: no such channel of a MuSiK, or he is in already; POCPF_E_DENIED:
 *  expelled; POCPF_E_LIMIT. */
pocpf_err pocpf_mcx_joined(pocpf *pf, int64_t now_ms, const char *channel, const char *impu);
/** The user is gone from all services: he leaves all MuSiKs, his CSKs are wiped, and their records go. POCPF_E_STATE: there
 *  is none. */
pocpf_err pocpf_mcx_logged_off(pocpf *pf, int64_t now_ms, const char *impu);
/** The same for one service: 0: MCPTT, 1: MCVideo. */
pocpf_err pocpf_mcx_service_left(pocpf *pf, int64_t now_ms, const char *impu, uint8_t service);
/** The end of a DOWNLOAD effect. `ok`: a 2xx came. Else it is tried again, later and later: a MuSiK as long as it is in use,
 *  a CSK until it is given up and the client uploads again, a revocation until it is let be. POCPF_E_STATE: late or
 *  repeated. */
pocpf_err pocpf_download_answered(pocpf *pf, int64_t now_ms, const char *user, uint64_t number, bool ok);

typedef struct pocpf_csk_status {
    size_t size;
    const char *impu, *mc_id;
    uint32_t csk_id;
    uint8_t cs_id;                            /* with the id and `rand`, what SRTCP keys are derived with */
    uint8_t encr, key_len, salt_len, tag_len; /* of the algorithm in force, in the numbers of an SP payload */
    bool is_current;
    const uint8_t *rand;
    size_t rand_len;
    const pocpf_secret *key;
    int64_t
        sent_s; /* Unix time of the message that brought the key, and never later than it was taken, on pocpf_clock */
    uint8_t service;
} pocpf_csk_status;

/** The CSK of `user` (IMPU, or with an id also service id): with `csk_id` 0 the current one, of MCPTT if there is one for it,
 *  else the current or previous one of that id. Borrowed until the next call. POCPF_E_STATE: none that is durable, in force and not expired. */
pocpf_err pocpf_csk_look(const pocpf *pf, const char *user, uint32_t csk_id, pocpf_csk_status *out);
/** The current one that was brought for this service. */
pocpf_err pocpf_csk_of(const pocpf *pf, const char *impu, uint8_t service, pocpf_csk_status *out);
/** Walks the CSKs in force, one for each user and service, in no order: start with `*at` = 0; false at the end. No other call in between
 *  that may bring or take one. */
bool pocpf_csk_next(const pocpf *pf, size_t *at, pocpf_csk_status *out);

/** A clock for whoever counts something under a CSK that must not be counted again, as the index of SRTCP: in ms, it goes at the pace
 *  of `now_ms`, stands at it or ahead of it, and never goes back, not over a restart either, though the wall clock may have been
 *  set back meanwhile. What it shows, and the second behind that, is durable. POCPF_E_STATE: that is not so yet, or no CSK is
 *  kept: nothing may be counted now. */
pocpf_err pocpf_clock(const pocpf *pf, int64_t now_ms, int64_t *clock_ms);

/* ---- what happened: conference state (RFC 4575) ---- */

typedef enum pocpf_conf_state { POCPF_CONF_FULL, POCPF_CONF_PARTIAL, POCPF_CONF_DELETED } pocpf_conf_state;
typedef enum pocpf_conf_status {
    POCPF_CONF_STATUS_ABSENT,
    POCPF_CONF_PENDING,
    POCPF_CONF_DIALING_OUT,
    POCPF_CONF_DIALING_IN,
    POCPF_CONF_ALERTING,
    POCPF_CONF_ON_HOLD,
    POCPF_CONF_CONNECTED,
    POCPF_CONF_MUTED,
    POCPF_CONF_DISCONNECTING,
    POCPF_CONF_DISCONNECTED
} pocpf_conf_status;
typedef enum pocpf_conf_method {
    POCPF_CONF_METHOD_ABSENT,
    POCPF_CONF_DEPARTED,
    POCPF_CONF_BOOTED,
    POCPF_CONF_FAILED,
    POCPF_CONF_BUSY
} pocpf_conf_method;

typedef struct pocpf_conf_endpoint {
    const char *entity; /* key, compared octet by octet */
    pocpf_conf_state state;
    pocpf_conf_status status;
    pocpf_conf_method disconnection_method;
    const char *disconnected_by; /* NULL when absent */
} pocpf_conf_endpoint;

typedef struct pocpf_conf_user {
    const char *entity;
    pocpf_conf_state state;
    const pocpf_conf_endpoint *endpoints;
    size_t endpoint_count;
} pocpf_conf_user;

/** One conference-info document as it stood: `state` defaults are resolved (absent = full), nothing is merged yet. */
typedef struct pocpf_conference {
    size_t size;
    pocpf_conf_state state;
    uint32_t version;
    bool has_users;
    pocpf_conf_state users_state;
    const pocpf_conf_user *users;
    size_t user_count_listed;
    bool has_user_count;
    uint32_t user_count; /* <user-count> */
} pocpf_conference;

/** Merges the document (RFC 4575 4.6) and classifies who went (digest "PoC" 3.4). POCPF_E_LIMIT: it is larger than
 *  roster_max; nothing is merged, and the channel is blind until a document fits. */
pocpf_err pocpf_conference_info(pocpf *pf, int64_t now_ms, const char *channel, const pocpf_conference *document);

typedef enum pocpf_subscription {
    POCPF_SUB_ACTIVE,      /* 2xx or NOTIFY active; a new dialog starts a new version scope: say `fresh`             */
    POCPF_SUB_REFUSED,     /* 403, or terminated;reason=rejected: tried once more for a served user, then blind      */
    POCPF_SUB_UNSUPPORTED, /* 489: blind mode                                                                        */
    POCPF_SUB_ENDED,       /* terminated: noresource = session over                                                  */
    POCPF_SUB_RETRY        /* timeout, deactivated, probation, giveup, 481, transport failure: again after `retry_ms` */
} pocpf_subscription;

pocpf_err pocpf_subscription_changed(pocpf *pf, int64_t now_ms, const char *channel, pocpf_subscription what,
                                     bool fresh, uint32_t retry_ms);

/* ---- what happened: enabler, store, time ---- */

typedef enum pocpf_enabler {
    POCPF_ENABLER_STARTED,
    POCPF_ENABLER_FAILED, /* to start or to take the MSK: fail closed, unicast goes on, tried again later */
    POCPF_ENABLER_DOWN,   /* bearer lost: as failed, until up                                             */
    POCPF_ENABLER_UP,
    POCPF_ENABLER_STOPPED
} pocpf_enabler;

pocpf_err pocpf_enabler_changed(pocpf *pf, int64_t now_ms, const char *channel, pocpf_enabler what);
/** The enabler made its `mtks`-th MTK under this MSK (for max_mtk). */
pocpf_err pocpf_mtk_made(pocpf *pf, int64_t now_ms, const char *channel, uint32_t msk_id, uint32_t mtks);
/** The PERSIST effect handed out last is durable (`ok`), or could not be written: then what stood behind it is dropped
 *  where it needs the record, and the channels concerned fail closed until a later write succeeds. */
pocpf_err pocpf_persisted(pocpf *pf, int64_t now_ms, bool ok);
/** Does what is due. */
void pocpf_tick(pocpf *pf, int64_t now_ms);
/** When pocpf_tick wants to be called; INT64_MAX for never. */
int64_t pocpf_deadline_ms(const pocpf *pf);

/** Before anything else, after the channels were added: one stored record, in any order. The bars of a channel that is not
 *  there wait for it. POCPF_E_INPUT: not ours; POCPF_E_AUTH: sealed under another store key; POCPF_E_STATE: a member of a
 *  channel that is not there any more, forget the record. */
pocpf_err pocpf_restore(pocpf *pf, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len);
/** All records are in: members come back as RESTORED effects, and their channels continue under a fresh MSK. */
pocpf_err pocpf_restored(pocpf *pf, int64_t now_ms);

/* ---- what to do ---- */

typedef enum pocpf_effect_type {
    POCPF_DO_PERSIST = 1,
    POCPF_DO_OFFER,
    POCPF_DO_RELEASE,
    POCPF_DO_SERVE,
    POCPF_DO_GATE,
    POCPF_DO_ENABLER_START,
    POCPF_DO_ENABLER_UPDATE,
    POCPF_DO_ENABLER_STOP,
    POCPF_DO_SUBSCRIBE,
    POCPF_DO_UNSUBSCRIBE,
    POCPF_DO_RESTORED,
    POCPF_DO_AUDIT,
    POCPF_DO_PUSH,
    POCPF_DO_CSK_BOUND,
    POCPF_DO_DOWNLOAD
} pocpf_effect_type;

/** One record of the journal: a small key-value store. `value` NULL: delete. Secrets in it are sealed. */
typedef struct pocpf_record {
    const uint8_t *key;
    size_t key_len;
    const uint8_t *value;
    size_t value_len;
} pocpf_record;

typedef enum pocpf_offer_kind {
    POCPF_OFFER_OPEN,    /* first MSK for this member                                      */
    POCPF_OFFER_REKEY,   /* next MSK                                                       */
    POCPF_OFFER_WITHDRAW /* multicast lines with port 0; no key                            */
} pocpf_offer_kind;

/** Why the MSK changes, and why a member went. The text forms stand in pocpf_reason_name. */
typedef enum pocpf_reason {
    POCPF_REASON_NONE,
    POCPF_REASON_EXPEL,
    POCPF_REASON_LEAVE,
    POCPF_REASON_JOIN,
    POCPF_REASON_INTERVAL,
    POCPF_REASON_MAX_MTK,
    POCPF_REASON_OPERATOR,
    POCPF_REASON_BLIND,   /* timer of blind mode                */
    POCPF_REASON_RESTART, /* fresh MSK after a restart          */
    POCPF_REASON_RECOVERY /* fresh MSK after the enabler failed */
} pocpf_reason;
const char *pocpf_reason_name(pocpf_reason reason);

/** What the audit log says; ids and results, never keys. Names and texts stand in one table: pocpf_audit_name. */
typedef enum pocpf_audit {
    POCPF_AUDIT_MEMBER_IN = 1,    /* offered its first MSK                              */
    POCPF_AUDIT_MEMBER_CONFIRMED, /* holds the MSK                                      */
    POCPF_AUDIT_MEMBER_UNICAST,   /* stays on or goes back to unicast; detail says why  */
    POCPF_AUDIT_MEMBER_LEFT,
    POCPF_AUDIT_MEMBER_EXPELLED,
    POCPF_AUDIT_REKEY_STARTED,  /* reason, msk_id (next), count = members to reach    */
    POCPF_AUDIT_REKEY_SWITCHED, /* reason, msk_id, count = confirmed, total = members */
    POCPF_AUDIT_REKEY_CANCELLED,
    POCPF_AUDIT_CHANNEL_STARTED,
    POCPF_AUDIT_CHANNEL_STOPPED,
    POCPF_AUDIT_CHANNEL_FAILED, /* fail closed; detail says why                       */
    POCPF_AUDIT_BLIND,          /* the roster cannot be seen                          */
    POCPF_AUDIT_SIGHTED,
    POCPF_AUDIT_REFUSED, /* an event that the tables do not permit             */
    POCPF_AUDIT_STORE_FAILED,
    POCPF_AUDIT_MEMBER_REGISTERED,
    POCPF_AUDIT_MEMBER_DEREGISTERED,
    POCPF_AUDIT_MEMBER_STALE,     /* pushed to in vain: the client will have to pull      */
    POCPF_AUDIT_MEMBER_PULLED,    /* asked for the MSK                                    */
    POCPF_AUDIT_MEMBER_SOLICITED, /* was asked to pull; detail says why                   */
    POCPF_AUDIT_MEMBER_ADMITTED,  /* may register again                                   */
    POCPF_AUDIT_CSK_BOUND,        /* msk_id: the CSK-ID                                  */
    POCPF_AUDIT_CSK_CHANGED,      /* the client has taken the CSK that it was sent       */
    POCPF_AUDIT_CSK_LOGGED_OFF,
    POCPF_AUDIT_KEY_REVOKED, /* msk_id, count = members who answered, total = those who were given it */
    POCPF_AUDIT_COUNT
} pocpf_audit;
const char *pocpf_audit_name(pocpf_audit audit);

typedef struct pocpf_effect {
    pocpf_effect_type type;
    const char *channel; /* NULL where none is concerned */
    const char *user;    /* NULL where none is concerned */
    union {
        /** Make all records durable in one write, in their order, then call pocpf_persisted. Until then no effect behind it
         *  happens, with one exception: GATE(hold) overtakes, since it makes nothing less safe and an expelled client must
         *  not hear on for as long as the disk takes. So go on calling pocpf_poll after every event while a write is under
         *  way. Copy the records: they are borrowed like all else. */
        struct {
            const pocpf_record *records;
            size_t count;
        } persist;
        /** Offer the multicast lines with this MIKEY message (key-mgmt of the STKM line); answer with
         *  pocpf_offer_answered. `timeout_ms` from now. An older offer to the same member is void. */
        struct {
            uint64_t number;
            pocpf_offer_kind kind;
            uint32_t msk_id;
            const uint8_t *mikey; /* empty for WITHDRAW */
            size_t mikey_len;
            uint32_t timeout_ms;
        } offer;
        /** Send this MIKEY message by UDP to this push address. The engine sends again by itself, as long as it hears no
         *  verification with pocpf_push_heard: a datagram that could not be sent is a lost one. */
        struct {
            uint32_t msk_id; /* key number 0: a solicited pull, no key */
            const uint8_t *mikey;
            size_t mikey_len;
            const void *address;
            size_t address_len;
            bool again; /* not the first sending */
        } push;
        /** The CSK that this user (IMPU) uploaded is durable and in force: accept the upload. Not `ok`: it could not be kept
         *  and is not used; refuse it, the client will come again. */
        struct {
            uint32_t csk_id;
            bool ok;
        } bound;
        /** Send this key to this user (IMPU); answer with pocpf_download_answered. `timeout_ms` from now. */
        struct {
            uint64_t number;
            const char *mc_id;
            uint32_t key_id;
            const uint8_t *i_message;
            size_t len;
            uint32_t timeout_ms;
            uint8_t service; /* 0: MCPTT, 1: MCVideo */
            bool revokes;    /* it says that the key is of no use any more */
        } download;
        /** End this client's session (BYE to client and CF). */
        struct {
            pocpf_reason reason;
        } release;
        /** From now on this member hears the channel by multicast only, or gets the unicast copy. */
        struct {
            bool multicast;
        } serve;
        /** Hold back (or let go) media and floor packets on the channel. A hold that has overtaken a write is given once more
         *  in its turn; it may come while nothing is on air. Neither does harm. Letting go never overtakes. */
        struct {
            bool hold;
        } gate;
        /** Give the enabler its MSK: with start when the channel goes on air (POC-13), with update at every change (POC-18).
         *  The enabler makes a fresh MTK each time. */
        struct {
            uint8_t key_domain[3];
            uint32_t msk_id;
            uint16_t seq_low, seq_high;
            uint32_t csb_id;
            uint8_t rand[16];
            const pocpf_secret *msk;
            pocpf_kind kind; /* MUSIK: msk and msk_id are the MuSiK and its id (the MKI), csb_id is the same */
            uint8_t cs_id;   /* of a MuSiK: what SRTCP keys are derived with */
        } enabler;
        /** Subscribe to the conference state of the group at the CF. `as_user` NULL: as the PF itself, else on behalf of that
         *  user. `refresh`: the subscription stands, ask for a full document. */
        struct {
            const char *group_uri;
            const char *as_user;
            bool refresh;
        } subscribe;
        /** A member from before the restart that has a dialog, as it was given with the join. Followed by its offer. */
        struct {
            const void *dialog;
            size_t dialog_len;
        } restored;
        struct {
            pocpf_audit what;
            pocpf_reason reason;
            uint32_t msk_id; /* 0: none */
            uint32_t count, total;
            const char *detail; /* constant text, or NULL */
        } audit;
    } u;
} pocpf_effect;

/** The next thing to do: true and `*out`, or false when there is nothing (or all there is waits for a PERSIST). */
bool pocpf_poll(pocpf *pf, pocpf_effect *out);

/* ---- looking ---- */

typedef struct pocpf_channel_status {
    size_t size;
    const char *state;    /* "idle", "starting", "active", "rekeying", "failed" ... */
    uint32_t msk_id;      /* current, 0: none */
    uint32_t next_msk_id; /* during a rekey */
    uint32_t members, confirmed, unicast;
    bool blind, held;
} pocpf_channel_status;

pocpf_err pocpf_channel_look(const pocpf *pf, const char *channel, pocpf_channel_status *out);

typedef struct pocpf_member_status {
    size_t size;
    const char *user;
    const char *state;    /* "waiting", "offered", "pushed", "keyed", "stale", "unicast" ... */
    uint32_t msk_id;      /* confirmed last, 0: none */
    bool by_sip, by_push; /* the ways that lead to him: a dialog, a push address */
    const void *address;  /* borrowed until the next call */
    size_t address_len;
} pocpf_member_status;

/** How many changes of what must survive there have been, and so many of the first of them are durable. What an event changed
 *  is durable when as many changes are as there were right after it. */
uint64_t pocpf_changes(const pocpf *pf);
uint64_t pocpf_changes_durable(const pocpf *pf);

/** Walks the members of a channel: start with `*at` = 0; false at the end. */
bool pocpf_member_next(const pocpf *pf, const char *channel, size_t *at, pocpf_member_status *out);
/** One member. POCPF_E_STATE: he is none. */
pocpf_err pocpf_member_look(const pocpf *pf, const char *channel, const char *user, pocpf_member_status *out);

#ifdef __cplusplus
}
#endif
#endif
