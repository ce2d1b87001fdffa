/* What the files of the service authorisation desk share. Private to the room. */
#ifndef PF_WIRE_MCX_DESK_H
#define PF_WIRE_MCX_DESK_H

#include "base/table.h"
#include "pf/wire/wire.h"

/** A client-server key in the engine, or one that is about to be, and who is registered with it. An IMPU has one for each
 *  service, or one for all. */
typedef struct mcx_account {
    mcx_service service; /* of its key */
    uint32_t services;   /* that it is registered for; 0: not yet */
    unsigned waiting;    /* keys that are not durable yet */
    int64_t expires_ms;
    uint32_t csk_id, previous_csk_id; /* as far as was heard of them */
    char *mc_id;                      /* "" before it is registered; owns the block in which `where` lies */
    const char *where;
    size_t label_len; /* of what it is found by: the IMPU, its terminator, and the service */
    char impu[];
} mcx_account;

typedef struct mcx_desk_channel {
    char id[64];
    wire_mcx_channel is; /* its id is the one above */
} mcx_desk_channel;

/** A request whose keys are not all durable. */
typedef struct mcx_ticket {
    unsigned keys;
    bool by_core;
    bool has_kept; /* one of its keys is in use */
    wire_mcx_answer answer;
} mcx_ticket;

#define MCX_ALL_SERVICES UINT32_MAX

/** A key that is not durable, and what becomes of its account when it is. */
typedef struct mcx_pending {
    struct mcx_pending *next;
    mcx_account *account;
    mcx_ticket *ticket;
    uint32_t csk_id, expires_s;
    uint32_t services; /* it will be registered for; 0: a log-off has overtaken it */
    char *mc_id;       /* as in the account */
    const char *where;
} mcx_pending;

struct wire_mcx_desk {
    wire_mcx_rules rules;
    pocpf *pf;
    poc_table accounts; /* by name */
    mcx_desk_channel **channels;
    size_t channel_count;
    mcx_pending *first, **last;                          /* in the order in which the engine will speak of them */
    uint64_t number;                                     /* of the request that waited last */
    int64_t next_ms;                                     /* nobody's registration ends before */
    uint8_t i_messages[MCX_SERVICES][MIKEY_MESSAGE_MAX]; /* of the request that is served */
    wire_mcx_info info;                                  /* wiped after each use */
};

/* ---- mcx_desk.c: who is registered ---- */

/** The one for a key of this service. NULL: none. */
mcx_account *mcx_account_find(const wire_mcx_desk *d, const char *impu, mcx_service service);
/** Registered for the service with whatever key; NULL: nobody. */
mcx_account *mcx_account_of(const wire_mcx_desk *d, const char *impu, mcx_service service);
/** The `i`-th registered one of an IMPU; NULL: there are no more. */
mcx_account *mcx_account_at(const wire_mcx_desk *d, const char *impu, size_t i);
/** What it is registered for, or will be when its keys are durable. */
uint32_t mcx_account_claims(const wire_mcx_desk *d, const mcx_account *a);
/** As mcx_account_find; made when there is none. POC_E_LIMIT, POC_E_NOMEM. */
poc_err mcx_account_take(wire_mcx_desk *d, mcx_account **out, const char *impu, mcx_service service);
/** Lets one go that is not registered and waits for nothing. */
void mcx_account_drop(wire_mcx_desk *d, mcx_account *a);
/** Registers it, or registers it anew: for these services, and no other account of the IMPU for them. Takes `mc_id`. */
void mcx_account_register(wire_mcx_desk *d, int64_t now_ms, mcx_account *a, uint32_t services, uint32_t expires_s,
                          char *mc_id, const char *where);
/** The key of this id is the current one: the one of before is still good for what is under way. */
void mcx_account_keys(mcx_account *a, uint32_t csk_id);
/** Takes services from it, and from what it waits for: the later request wins. With the last one it is logged off, and is gone
 *  if it waits for nothing. On error (POC_E_NOMEM) nothing has changed. */
poc_err mcx_account_leave(wire_mcx_desk *d, int64_t now_ms, mcx_account *a, uint32_t services);
/** Joins and leaves channels until its membership is what it may be; regions are joined by reports alone. */
void mcx_account_sync(wire_mcx_desk *d, int64_t now_ms, mcx_account *a);
bool mcx_account_may(const wire_mcx_desk *d, const mcx_account *a, const wire_mcx_channel *c);
/** Both texts in one block, that of the first; NULL: no memory. */
char *mcx_texts(const char *mc_id, const char *where, const char **where_out);

/* ---- mcx_authorise.c: what comes beside a key, or without one ---- */

/** The parts of a REGISTER or PUBLISH that are ours. */
typedef struct mcx_parts {
    poc_parts all;
    const poc_part *info[MCX_SERVICES], *signatures[MCX_SERVICES], *usage[MCX_SERVICES];
    poc_span keys[MCX_SERVICES]; /* I_MESSAGEs as octets, in the desk's rooms */
    size_t key_count;
    uint32_t services; /* with an info document */
} mcx_parts;

/** Why a request is refused, by its peer's fault (4xx) or ours (5xx). */
typedef struct mcx_refusal {
    int status; /* 0: not refused */
    const char *warning, *why;
} mcx_refusal;

/* TS 24.379 4.4.2 (the second as digest 7.1 gives it) */
#define MCX_WARNING_SERVICE   "101 service authorisation failed"
#define MCX_WARNING_I_MESSAGE "136 authentication of the MIKEY-SAKKE I_MESSAGE failed"

/** What is known while a request is judged. */
typedef struct mcx_proof {
    wire_mcx_desk *d;
    int64_t now_s;
    const char *impu;
    const mcx_parts *parts;
    mcx_service service;               /* of a key that comes without any document */
    uint32_t claimed;                  /* services that keys before it in the same body have proved */
    const char *where;                 /* to be kept with the MC service id */
    const char *registered;            /* MC service id of who has the account now; "": nobody */
    uint32_t services;                 /* set: proved */
    char mc_id[WIRE_MCX_TEXT_MAX + 1]; /* set */
    char *texts;                       /* set: both in a block that the caller owns */
    const char *where_kept;
    bool changes_user; /* set: all holds, but somebody else is registered, who has to be logged off first */
    mcx_refusal refusal;
} mcx_proof;

/** Takes a body apart. POC_E_INPUT: malformed, too large or too much; POC_E_NOMEM. `why` gets a constant
 *  text. */
poc_err mcx_parts_take(mcx_parts *out, wire_mcx_desk *d, poc_span content_type, poc_span body, const char **why);
/** To which service the key number `i` of a body belongs, by what the message says, or by the documents beside it. */
mcx_service mcx_key_service(const mcx_parts *parts, size_t i);
/** As `prove` of pocpf_csk_upload; `ctx` is an mcx_proof. */
pocpf_err mcx_prove(void *ctx, uint32_t csk_id, const pocpf_secret *csk, const char *sender,
                    char mc_id[POCPF_MC_ID_MAX]);
/** The documents of a request without key, from who is registered as `a`: services that he has proved to be authorised for.
 *  On error there is a refusal. */
poc_err mcx_prove_again(mcx_proof *p, mcx_account *a);
/** What was reported is as it was signed, where it is signed. On error there is a refusal. */
poc_err mcx_prove_report(mcx_proof *p, mcx_account *a, mcx_service service);

#endif
