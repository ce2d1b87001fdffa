/* What the files of the shell share. Private to pf/io. */
#ifndef PF_IO_SHELL_PRIVATE_H
#define PF_IO_SHELL_PRIVATE_H

#include "base/table.h"
#include "pf/io/content.h"
#include "pf/io/crew.h"
#include "pf/io/enabler_multicast.h"
#include "pf/io/keyman_http.h"
#include "pf/io/log.h"
#include "pf/io/mcx_people.h"
#include "pf/io/now.h"
#include "pf/io/push.h"
#include "pf/io/shell.h"
#include "pf/io/shell_pem.h"
#include "pf/io/sip.h"
#include "pf/io/store.h"
#include "pf/io/ub_http.h"
#include "pf/io/wake.h"
#include "pf/io/zn.h"

#define SHELL_KEY_MAX (sizeof(((bcast_channel *)0)->id) + POC_URI_MAX)

typedef struct shell_mcx shell_mcx;

/** A channel as it is on air; identity and addresses do not change while it exists. */
typedef struct shell_channel {
    bcast_channel air;
    char group[POC_URI_MAX]; /* canonical; "": no PoC session */
    const config_mbms *mbms; /* of the configuration that runs; NULL: not a service now */
    wire_keyman_service service;
    const config_musik *musik;     /* the same of a channel under a MuSiK; NULL: it has an MSK, or is closed */
    struct mcx_bulletin *bulletin; /* what is announced of its bearer; NULL: nothing */
    poc_table users;               /* those of mbms->users or musik->users, by themselves */
    uint16_t key_group;
    config_kind kind;  /* as the engine has it: a reload cannot change it */
    int musik_service; /* the same of its MuSiK */
    content *content;  /* NULL: the PoC session is the feed */
    char *feed;        /* what the configuration said of it */
    bool is_kept;      /* during a reload */
    bool is_closed;    /* no longer configured; its sessions go on by unicast */
} shell_channel;

/** A client's session on a channel, by "channel user". */
typedef struct shell_member {
    char key[SHELL_KEY_MAX];
    sip_session *session;
} shell_member;

struct shell {
    su_root_t *root;
    config *boot;    /* what the process started with: others borrow from it */
    config *current; /* the last one loaded; may be `boot` */
    poc_secret *store_key;
    gba_bsf *bsf;
    gba_naf *naf;
    zn *zn;
    ub_http *ub;
    store *store;
    relay *relay;
    enabler_multicast *multicast;
    bcast_enabler enabler;
    sip *sip;
    pocpf *pf;
    crew *crew;     /* seals with the loop */
    push *push;     /* NULL: mbms.push_listen is empty */
    shell_mcx *mcx; /* NULL: no mission critical services */
    wire_keyman *keyman;
    keyman_http *keyman_http;             /* NULL: mbms.key_management_listen is empty */
    poc_table channels, groups, services; /* shell_channel, by id, by group, by user service ID */
    poc_table members;                    /* shell_member */
    wake *timer;                          /* the engine's deadline */
    wake *sweeper;                        /* forgets expired users */
    wake *drain_bound;
    bool is_pumping;
    unsigned pumped; /* effects since the clock was looked at */
    bool has_more;   /* effects that the last pump left */
    uint64_t writes_begun, writes_ended;
    shell_durable_fn *durable; /* of the operator's door */
    void *durable_user;
    bool write_failed; /* a PERSIST that could not even be begun: told from the loop */
    bool is_draining, sip_drained;
    event_ring *events;
    int64_t started_ms;
    shell_change_fn *told; /* during a reload */
    void *told_user;
    void (*drained)(void *user);
    void *drained_user;
};

/* shell.c */
/** Carries out what the engine wants until it wants nothing more, and sets the timer. */
void shell_pump(shell *s);
/** Lets those go on who wait for so many changes to be durable; with `ok` false a write failed. */
void shell_durable(const shell *s, uint64_t through, bool ok);
/** "WHAT: WHERE: the system's word" in `why`; POC_E_IO. */
poc_err shell_fail_system(char why[CONFIG_WHY_MAX], const char *what, const char *where);
/** Ends the drain when nothing is left to wait for. */
void shell_drain_look(shell *s);
void shell_log_settings(const config *c);

/* shell_reload.c */
/** Logs and tells how a service, by its group of options, took the certificate that was read again. */
void shell_tls_told(const shell *s, const char *group, poc_err err, bool has_changed);

/* shell_effects.c */
void shell_carry_out(shell *s, const pocpf_effect *e);

/* shell_events.c */
extern const sip_events shell_sip_events;
/** Ends a session that is up, and the membership that it is of. */
void shell_session_end(shell *s, sip_session *session);
void shell_feed(void *user, const char *channel, bcast_flow flow, poc_span packet);
void shell_enabler_event(void *user, const char *channel_id, bcast_event event, const char *why);
void shell_mtk_made(void *user, const char *channel_id, poc_msk_id msk_id, uint32_t mtks);
void shell_persisted(void *user, bool ok, const char *why);

/* shell_content.c */
/** sip_events.content; `user` is the shell. */
poc_err shell_content(void *user, const char *who, bool from_client, poc_span content_type, poc_span body,
                      wire_mcx_carried *out);

/* shell_mbms.c */
/** The push sockets and the key management service. */
poc_err shell_mbms_make(shell *s, char why[CONFIG_WHY_MAX]);
void shell_mbms_free(shell *s);
void shell_push(shell *s, const pocpf_effect *e);
/** Where a client with this session can be pushed to; 0 octets when that is not known. */
size_t shell_push_address(const shell *s, const sip_session *session, uint8_t out[PUSH_ADDRESS_MAX]);

/** A service over HTTP does not listen, and errno says why: with EPROTO it is the certificate in the file `certificate`, or its
 *  key. `listen` and `tls` name the options. POC_E_IO. */
poc_err shell_fail_listen(char why[CONFIG_WHY_MAX], const char *listen, const char *tls, const char *certificate);

/** Takes another certificate, unless it is the one that it has. */
void shell_mbms_reload(const shell *s, const shell_pem *tls);

/** What a reload takes of the files that the configuration names: read, and checked, before anything changes. */
typedef struct shell_files {
    mcx_people *people;          /* NULL: no mission critical services */
    shell_pem mbms_tls, kms_tls; /* empty: without TLS */
} shell_files;

/* shell_mcx.c: without the group `mcx` all of them do nothing */
poc_err shell_mcx_make(shell *s, char why[CONFIG_WHY_MAX]);
/** Users of before a restart are back in the engine. */
void shell_mcx_restored(shell *s);
/** Nothing comes in any more, and nobody waits. */
void shell_mcx_stop(shell *s);
void shell_mcx_free(shell *s);
/** Takes over who is authorised, out of `files`, and another certificate of the KMS. */
void shell_mcx_reload(shell *s, shell_files *files);
/** A session is up or was restored: its floor control is guarded when its user has a CSK. False: it cannot be, so the session
 *  has to end, since its floor control must not pass in clear (MCX-6). */
bool shell_mcx_guard(shell *s, sip_session *session);
/** His CSKs are wiped: what floor control keeps of them too. */
void shell_mcx_logged_off(shell *s, const char *user);
/** True: the channel is under a MuSiK; then `mc_id` gets what mcx.users says of one who has brought no CSK for it, or "". */
bool shell_mcx_knows(const shell *s, const char *id, const char *impu, char mc_id[WIRE_MCX_TEXT_MAX + 1]);
/** The same for all sessions of a user; those that cannot be guarded are ended. */
void shell_mcx_guard_user(shell *s, const char *user);

/* shell_mcx_sip.c */
void shell_mcx_request(void *user, sip_mcx_transaction *t, const wire_mcx_request *request);
void shell_mcx_sent(void *user, const char *subject, uint64_t number, int status);
void shell_mcx_durable(const shell *s, uint64_t through, bool ok);
/** A CSK is durable, or it could not be made so. */
void shell_mcx_bound(shell *s, const pocpf_effect *e);
/** Sends a key to its user. */
void shell_mcx_download(shell *s, const pocpf_effect *e);

/* shell_mcx_bearer.c */
/** Takes channels under a MuSiK as `c` says; borrows from `c`, in place of what it borrowed before. */
poc_err shell_mcx_load(shell *s, const config *c);

/* shell_services.c */
/** Makes `users` those of a channel, in place of the former ones; borrows from it. */
poc_err shell_users_list(shell_channel *ch, const config_texts *users);
/** Makes user services of the channels of `c` that are open, in place of the former ones; borrows from `c`. */
poc_err shell_services_load(shell *s, const config *c);
void shell_services_free(shell *s);
/** The callbacks of wire_keyman. */
const wire_keyman_service *shell_service_of(void *user, const char *service_id);
bool shell_service_lists(void *user, const char *channel, const char *impu);
/** Opens the content source of a channel, if it has one. */
poc_err shell_content_open(shell *s, shell_channel *ch, const config_channel *c);
void shell_content_close(shell_channel *ch);
/** True when the channel has the content source that `c` says. */
bool shell_content_same(const shell_channel *ch, const config_channel *c);

/* shell_members.c */
shell_member *shell_member_of(const shell *s, const char *channel, const char *user);
/** POC_E_STATE: this user has a session on this channel already. */
poc_err shell_member_put(shell *s, const char *channel, const char *user, sip_session *session);
/** Forgets the entry, not the session. */
void shell_member_remove(shell *s, shell_member *m);
/** Forgets all entries: their sessions are about to end. */
void shell_members_forget(shell *s);
void shell_members_free(shell *s);

/* shell_admin.c */
/** Tells who asked for a reload what it did. `reason` may be NULL. */
void shell_told(const shell *s, const char *what, const char *subject, const char *reason);

/* shell_channels.c */
shell_channel *shell_channel_of(const shell *s, const char *id);
/** It is of the kind, and of the service, that `c` wants it to be. */
bool shell_channel_is(const shell_channel *ch, const config_channel *c);
/** Adds all channels of a configuration to a fresh engine. */
poc_err shell_channels_add(shell *s, const config *c, char why[CONFIG_WHY_MAX]);
/** Adds, changes and stops what differs between the channels that are and those of `c`. */
void shell_channels_reload(shell *s, const config *c);
/** Stops all; the engine forgets their members. */
void shell_channels_stop(shell *s);
void shell_channels_free(shell *s);

#endif
