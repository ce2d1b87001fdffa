/* The shell around the engine: what happens outside becomes a call of pocpf.h, what the engine wants done is done, in its
 * order. Private to pf/io. */
#ifndef PF_IO_SHELL_H
#define PF_IO_SHELL_H

#include <sofia-sip/su_wait.h>

#include "pf/io/config.h"
#include "pf/io/content.h"
#include "pf/io/events.h"
#include "pf/io/keyman_http.h"
#include "pf/io/mcx_keeper.h"
#include "pf/io/mcx_kms_http.h"
#include "pf/io/push.h"
#include "pf/io/relay.h"
#include "pf/io/sip.h"
#include "pf/io/store.h"

typedef struct shell shell;

/** Builds everything that `c` says; takes `c` over, also on error. `why` tells what cannot be done. */
poc_err shell_new(shell **out, su_root_t *root, config *c, char why[CONFIG_WHY_MAX]);
/** Ends at once: off air, no BYE; members come back with the next start. NULL is fine. */
void shell_free(shell *s);
/** One thing that a reload did or left: "channel_added", "reload_needs_restart" ...; `subject` is a channel id or an option. */
typedef void shell_change_fn(void *user, const char *what, const char *subject, const char *reason);
/** Reads what a reload would take of the files that `c` names: POC_E_INPUT, and `why` tells what is wrong with them. */
poc_err shell_check(const config *c, char why[CONFIG_WHY_MAX]);
/** Takes over what may change while it runs: channels, the log, who is authorised for mission critical services, certificates. Takes `c`
 *  over, also on error: then nothing has changed, and `why` tells. What changes and what needs a restart is logged, and told to
 *  `told` unless it is NULL. */
poc_err shell_reload(shell *s, config *c, shell_change_fn *told, void *user, char why[CONFIG_WHY_MAX]);
/** Ends channels and sessions; `done` is called once, at the latest after limits.drain_s. With drain_s = 0 nothing is ended:
 *  the next start takes the sessions up again. */
void shell_drain(shell *s, void (*done)(void *user), void *user);

/* ---- for an operator (shell_admin.c) ---- */

/** What clients of mission critical services did, and what was done for them. */
typedef struct shell_mcx_counts {
    uint64_t requests, done, refused, uploads;      /* of clients; uploads are those whose key was good */
    uint64_t downloads, downloaded, not_downloaded; /* keys sent, and what became of them */
    uint64_t announcements;
} shell_mcx_counts;

typedef struct shell_mcx_status {
    bool is_on;
    size_t users;
    shell_mcx_counts counts;
    mcx_keeper_counts keeper;
    mcx_kms_http_counts kms;
} shell_mcx_status;
void shell_mcx_look(const shell *s, shell_mcx_status *out);

/** Who is registered for mission critical services, and the CSK that he has in force. */
typedef struct shell_mcx_user {
    const char *user, *impu, *mc_id; /* borrowed until the next call */
    uint32_t services;               /* WIRE_MCX_SERVICE_BIT */
    uint32_t csk_id;                 /* 0: none */
    const char *algorithm;           /* as in mcx.algorithms; NULL: none */
    int64_t expires_ms;              /* of the registration */
} shell_mcx_user;
/** Walks them in no order: start with `*at` = 0; false at the end. */
bool shell_mcx_user_next(const shell *s, size_t *at, shell_mcx_user *out);
/** Logs off a `user` of shell_mcx_user. POC_E_STATE: he is not registered. */
poc_err shell_mcx_log_off(shell *s, const char *user);

typedef struct shell_status {
    int64_t up_ms; /* since it was built */
    size_t channels;
    sip_counts sip;
    relay_counts relay;
    store_counts store;
    push_counts push;
    keyman_http_counts keyman;
    content_counts content;
    shell_mcx_status mcx;
} shell_status;
void shell_look(const shell *s, shell_status *out);

typedef struct shell_channel_status {
    const char *id, *group, *service; /* borrowed; group "": none, service NULL: none */
    bool is_musik;                    /* under a MuSiK */
    pocpf_channel_status engine;
} shell_channel_status;

/** What a service announcement says of a channel (TS 33.246 6.3.2.2.1). */
typedef struct shell_service {
    const char *service, *path; /* borrowed */
    poc_key_domain key_domain;
    uint16_t key_group;
    uint32_t max_back_off_s, push_port;
    bool is_tls;
} shell_service;
/** False: no such channel, or nobody can register for it. */
bool shell_service_look(const shell *s, const char *id, shell_service *out);
/** Walks the channels in the order of the configuration: start with `*at` = 0; false at the end. */
bool shell_channel_next(const shell *s, size_t *at, shell_channel_status *out);
/** False: no such channel. */
bool shell_channel_look(const shell *s, const char *id, shell_channel_status *out);
/** Walks the members of a channel as pocpf_member_next does. */
bool shell_member_next(const shell *s, const char *id, size_t *at, pocpf_member_status *out);
/** Somebody as the operator names him: a canonical URI, and octet by octet as he wrote it, which is how MC service ids are
 *  compared. */
typedef struct shell_subject {
    const char *user, *said;
} shell_subject;

/** Expels somebody, a member or not, and carries out what follows. On a channel under a MuSiK he is named by his IMPU or by
 *  his MC service id. */
poc_err shell_expel(shell *s, const char *id, const shell_subject *who, pocpf_expulsion *done);
/** Makes a new MSK, and carries out what follows. POC_E_STATE: the channel is not active. */
poc_err shell_rekey(shell *s, const char *id);
/** Asks a member, or with NULL all that can be pushed to, to request the MSK. POC_E_STATE: no such member, or none to push
 *  to. */
poc_err shell_solicit(shell *s, const char *id, const char *user);
/** Lets one who was expelled in again. POC_E_STATE: he is not barred. */
poc_err shell_admit(shell *s, const char *id, const shell_subject *who);
/** How many changes have to be durable before what was ordered until now may be called done; 0: it may. */
uint64_t shell_due(const shell *s);
/** So many changes are durable, or with `ok` false they could not be made so. */
typedef void shell_durable_fn(void *user, uint64_t through, bool ok);
/** One listener; NULL: none. */
void shell_listen_durable(shell *s, shell_durable_fn *durable, void *user);
/** The audit events; borrowed. */
event_ring *shell_events(const shell *s);

#endif
