/* The SIP shell between a client and a CF, all three on loopback in one su_root. The shell's callbacks and what the peers
 * hear are written down; tests wait for what they expect. */
#ifndef TESTS_UNIT_IO_SIP_WORLD_H
#define TESTS_UNIT_IO_SIP_WORLD_H

#define NTA_AGENT_MAGIC_T    void
#define NTA_LEG_MAGIC_T      void
#define NTA_INCOMING_MAGIC_T void
#define NTA_OUTGOING_MAGIC_T void
#define SU_TIMER_ARG_T       void /* the fake Zn's */

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_wait.h>

#include "pf/io/relay.h"
#include "pf/io/sip.h"
#include "pf/io/zn.h"
#include "tests/support/rng.h"

#define WORLD_FQDN  "pf.home1.example"
#define WORLD_GROUP "sip:dispatch@cf.home1.example"
#define WORLD_ALICE "sip:alice@home1.example"
#define WORLD_BTID  "YWJjZGVmZ2hpamtsbW5vcA==@bsf.home1.example"

typedef enum reply_kind {
    REPLY_ACCEPT,
    REPLY_UNICAST,
    REPLY_WRONG_PORT,
    REPLY_488_306,
    REPLY_488,
    REPLY_491_ONCE,
    REPLY_500_ONCE, /* Retry-After: 0 */
    REPLY_481,
    REPLY_SILENCE
} reply_kind;

/** A user agent of the test: one dialog, and a diary of what it heard, e.g. "INVITE ACK BYE ". */
typedef struct peer {
    struct world *world;
    const char *name;
    nta_agent_t *agent;
    nta_leg_t *door, *leg;
    nta_outgoing_t *request; /* the INVITE or other request under way */
    nta_incoming_t *ringing; /* an INVITE without final answer */
    char url[128], contact[160];
    char diary[512];
    int status; /* final status of the last request, 0 while there is none */
    int provisional;
    char challenge[2048], warning[256];
    char sdp[8192];     /* body of the last request or 2xx with a description */
    char asserted[256]; /* P-Asserted-Identity of the last request */
    char accept_contact[128];
    char refer_to[128];
    char heard[256]; /* final answers in their order: "INVITE:200 UPDATE:500 " */
    uint32_t cseq;
    reply_kind reply;
    bool hold_invite; /* ring, do not answer */
    bool answer_busy; /* 486, or: */
    int busy_status;
    bool allow_update;
    bool cross_cancel; /* answer a held INVITE with 200 when its CANCEL comes */
    bool no_ack;       /* never acknowledge a 2xx */
    const char *ack_sdp;
    const char *session_expires; /* RFC 4028: in INVITEs and their 2xx; NULL: without */
    const char *tag;             /* of the INVITE's dialog; NULL: any */
    char expires[64];            /* Session-Expires of the last request or 2xx */
} peer;

typedef struct world {
    su_root_t *root;
    test_rng chance;
    poc_rng rng;
    gba_naf *naf;
    poc_secret *ks_naf, *mrk;
    relay *relay;
    sip *sip;
    struct zn zn; /* first asked, then answered by a timer */
    su_timer_t *zn_timer;
    zn_done_fn *zn_done;
    void *zn_user;
    poc_err zn_err;
    uint32_t zn_asked;
    bool zn_hold;          /* answer by world_zn_answer only */
    peer client, cf, core; /* the core stands at the CF's address, and only calls */
    bcast_channel channel;
    bool no_channel;

    /* what the shell heard */
    uint32_t authenticated, ups, downs, bearers, answers, conferences, subscriptions, refusals;
    sip_session *session;
    pocpf_departure departure;
    bool bearer;
    uint64_t answer_number;
    pocpf_answer answer;
    char answer_why[128];
    size_t verification_len;
    pocpf_subscription subscription;
    bool subscription_fresh;
    uint32_t retry_ms;
    pocpf_conf_state conf_state;
    size_t conf_users;
    char refusal[128];
    poc_err refusal_kind;
    bool drained;
    /* content of what is carried */
    uint32_t content_asked;
    bool content_from_client;
    char content_who[POC_URI_MAX], content_type[256], content_body[8192];
    poc_err content_err;
    const char *content_new, *content_new_type; /* what goes on; NULL: what came */
    /* mission critical services */
    uint32_t mcx_asked, mcx_ended;
    bool mcx_hold; /* keep the transaction in `mcx_open`, else answer with `mcx_answer` */
    struct sip_mcx_transaction *mcx_open;
    wire_mcx_answer mcx_answer;
    wire_mcx_request mcx_request; /* the last one; what its pointers are to lies below */
    char mcx_impu[POC_URI_MAX], mcx_where[512], mcx_type[256];
    uint8_t mcx_body[16384];
    char mcx_sent_subject[POC_URI_MAX];
    uint64_t mcx_sent_number;
    int mcx_sent_status;

    bool inside_call; /* set around sip_* calls: no callback may come then */
    bool callback_inside;
} world;

typedef struct world_options {
    const char *transport; /* "udp" or "tcp" */
    sip_auth auth;
    bool strict;
    bool client_without_update;
    uint32_t sessions_max; /* 0: ten */
    uint32_t requests_per_source_s;
    uint32_t session_expires_s, session_min_s;
    uint32_t tcp_idle_s, connections_per_source;
    const char *mcx_identity;
    uint32_t mcx_users_max, mcx_sent_max;
    bool udp_only; /* the PF listens to no TCP */
} world_options;

void world_start(world *w, const world_options *options);
void world_stop(world *w);
/** Where the PF listens, UDP and TCP. */
uint16_t world_port(void);
/** Runs the loop until `*count` reaches `goal`; false after five seconds. */
bool world_wait(world *w, const uint32_t *count, uint32_t goal);
bool world_wait_status(world *w, const peer *p);
bool world_wait_diary(world *w, const peer *p, const char *text);
/** Runs for some rounds of the loop, for things that must not happen. */
void world_settle(world *w);

extern const char world_offer[], world_answer[];

/** The client's INVITE; `authorization` may be NULL. */
void client_invite(world *w, const char *from, const char *authorization, const char *body, const char *type);
/** The Authorization for the challenge the client got. */
void client_authorize(world *w, char out[2048], const char *body, bool right);
/** Challenge, INVITE with digest, 200, ACK, session_up. */
void world_join(world *w);
/** Offers something to the client of the session, as the shell does; what is not withdrawn brings a key message. */
void pf_offer(world *w, uint64_t number, pocpf_offer_kind kind, uint32_t timeout_ms);
/** A request in the peer's dialog. */
void peer_request(peer *p, sip_method_t method, const char *name, const char *body, const char *type);
void peer_notify(peer *p, const char *state, const char *body);
void cf_invite(world *w);
/** A request of the client outside dialogs, to the group; `header` are further header lines. */
void client_request(world *w, sip_method_t method, const char *name, const char *authorization, const char *header,
                    const char *body);
/** As client_authorize, for this method and Request-URI. */
void client_authorize_for(world *w, char out[2048], const char *method, const char *uri, const char *body);
/** As peer_request, with further header lines. */
void peer_request_with(peer *p, sip_method_t method, const char *name, const char *header, const char *body,
                       const char *type);
void world_zn_answer(world *w);
/** Its sockets are closed, nobody is told. */
void client_dies(world *w);
/** A first INVITE of the core with these further header lines (may be NULL), as if it came from `from`. */
void core_invite(world *w, const char *from, const char *header);
/** Restarts the SIP shell: same listeners, nothing remembered. */
void world_restart_sip(world *w, const world_options *options);

#endif
