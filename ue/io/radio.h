/* A radio: one libpocue with its own sockets, on a Sofia event loop. It speaks SIP (nua), HTTP to the BSF, the key management
 * service and the KMS (libcurl), RTP and floor control, and listens to the multicast groups that it is told of. Several radios live in one process without sharing anything. */
#ifndef UE_IO_RADIO_H
#define UE_IO_RADIO_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ue/api/pocue.h"

typedef struct radio radio;

typedef struct radio_settings {
    pocue_settings ue;
    const char *name;       /* for logs */
    const char *address;    /* own IPv4 or IPv6 address: SIP, RTP, floor */
    const char *pf_uri;     /* outbound proxy: "sip:127.0.0.1:5060;transport=tcp" */
    const char *bsf_url;    /* "http://127.0.0.1:8080/" */
    const char *keyman_url; /* key management service of the PF, "http://127.0.0.1:8081" without a path; NULL: none */
    const char *keyman_ca;  /* file of the certificates trusted for an https one; NULL: the system's */
    uint16_t push_port;     /* where keys are pushed to at `address` (MIKEY_UDP_PORT, 2269); 0: nowhere */
    const char *interface;  /* address of the interface that joins the group; NULL: the routing table decides */
    bool is_vouched_for;    /* stands behind a core that asserts who it is: says P-Asserted-Identity */
    bool update_allowed;    /* say UPDATE in Allow; else the PF has to re-INVITE */
    bool answer_offers;     /* false: a radio that never answers the PF's offers (for tests) */
    bool refuse_keys;       /* answers every key offer with 488 */
    bool keep_keys;         /* goes on listening after BYE with every key it ever had */
    /** For tests, or NULL: edits a description in place and in its length, an offer of the PF before it is read or the
     *  answer before it is sent. */
    void (*tamper)(const void *ctx, bool is_answer, char *sdp);
    const void *tamper_ctx;
} radio_settings;

typedef enum radio_event {
    RADIO_BOOTSTRAPPED,
    RADIO_BOOTSTRAP_FAILED,
    RADIO_IN,                /* session up: final 2xx, ACK sent */
    RADIO_REFUSED,           /* INVITE got `status` */
    RADIO_OUT,               /* BYE sent and answered */
    RADIO_BYED,              /* BYE received */
    RADIO_OFFERED,           /* an offer of the PF was answered with `status` */
    RADIO_MCX_PROVISIONED,   /* has the keys of another period from the KMS */
    RADIO_MCX_UNPROVISIONED, /* they could not be had: `status` of HTTP, 0 for no answer; `text` says why */
    RADIO_MCX_ANSWERED, /* the server's final answer to `method`, or 408 when none came; `text`: its Warning, or phrase */
    RADIO_MCX_TOLD,     /* the server's `method` (MESSAGE, NOTIFY) was answered with `status`; `text`: why not 200 */
    RADIO_UE            /* `event` of libpocue */
} radio_event;

typedef struct radio_report {
    radio_event what;
    int64_t at_ms; /* unix, by CLOCK_REALTIME at start plus CLOCK_MONOTONIC */
    int status;
    const char *text;         /* reason phrase or cause, may be NULL */
    const char *method;       /* RADIO_MCX_ANSWERED, RADIO_MCX_TOLD: "REGISTER", "PUBLISH", "MESSAGE", "NOTIFY" */
    const pocue_event *event; /* RADIO_UE */
} radio_report;

typedef void radio_report_fn(void *user, radio *r, const radio_report *report);

/** Binds its sockets. POC_E_IO with a line on stderr when an address cannot be had. */
poc_err radio_new(radio **out, su_root_t *root, const radio_settings *settings, radio_report_fn *report, void *user);
/** Ends everything at once; a dialog that is up is not BYEd. NULL is fine. */
void radio_free(radio *r);
POC_DEFINE_OWNED(radio, radio_free)

/** Bootstraps at the BSF; the end is RADIO_BOOTSTRAPPED or RADIO_BOOTSTRAP_FAILED. */
poc_err radio_bootstrap(radio *r);
/** INVITE to the group; answers the PF's GBA challenge. The end is RADIO_IN or RADIO_REFUSED. */
poc_err radio_join(radio *r, const char *group_uri);
/** BYE. */
poc_err radio_leave(radio *r);
/** One RTP packet to the PF (20 ms of PCMU, 160 octets); own SSRC, sequence and timestamp. */
poc_err radio_talk(radio *r, const uint8_t *pcmu, size_t n, bool first);
/** Floor request or release. */
poc_err radio_floor(radio *r, uint8_t mbcp_type);
/** REFER to the session identity with method=BYE: this participant asks the CF to expel `user`. */
poc_err radio_expel(radio *r, const char *user);
/** Registers with a service that its pocue knows (pocue_service_add), again to refresh; or ends that. Needs a keyman_url; the
 *  end is told by an event of libpocue. Bootstraps when that is needed. POC_E_STATE. */
poc_err radio_register(radio *r, const char *service_id);
poc_err radio_deregister(radio *r, const char *service_id);
/** Requests the current MSK of a service, without back-off. POC_E_STATE. */
poc_err radio_pull(radio *r, const char *service_id);
/** From now on keys are pushed to, and requested from, this address; registers again wherever it is registered. SIP and
 *  media of a session stay where they are. POC_E_IO: it cannot be had, nothing has changed. */
poc_err radio_move(radio *r, const char *address);
/** Out of coverage: hears neither the group nor pushes until it is back. */
void radio_deaf(radio *r, bool deaf);

/* ---- mission critical services: service authorisation, keys, bearers (TS 24.379 7, 14; TS 33.180 5; digest "MCX signalling
 * key management and MIKEY-SAKKE" 4 to 7) ----
 *
 * radio_mcx_start, then keys from the KMS (radio_mcx_provision, or pocue_mcx_provision by the owner), then radio_mcx_upload. From
 * then on the radio keeps itself authorised: it refreshes at half of the time that was granted, fetches the keys of the next
 * period before that begins, and brings a new CSK when its own was revoked or will expire. What it holds is told by RADIO_UE
 * (POCUE_MCX_KEY, POCUE_MCX_REVOKED, POCUE_MCX_ALGORITHM). Bearers that the server announces are listened to while there is a
 * MuSiK. Floor control, both ways, is under a CSK from radio_mcx_start on: radio_floor is POC_E_STATE without one. */

typedef struct radio_mcx_settings {
    pocue_mcx_settings user;
    const char *psi; /* SIP URI of the server: where PUBLISH and MESSAGE go, and who asserts to be sending keys */
    const char *access_token; /* proves the user to the KMS and to the server; NULL: none */
    const char *kms_url;      /* "https://kms.example:8443" without a path; NULL: the owner provisions */
    const char *kms_uri;      /* name of the user's KMS; NULL: that of user.servers[0] */
    const char *kms_ca;       /* file of the certificates trusted for an https one; NULL: the system's */
    uint32_t expires_s;       /* how long to be registered for; 0: an hour */
    uint32_t answer_ms;       /* how long answers of the server are waited for; 0: 32 seconds */
} radio_mcx_settings;

/** How service authorisation is asked for. */
typedef enum radio_mcx_way {
    RADIO_MCX_BY_REGISTER,
    RADIO_MCX_BY_PUBLISH,
    RADIO_MCX_BY_THIRD_PARTY /* as the S-CSCF of a core does it after a REGISTER: its own REGISTER with the user's in the body */
} radio_mcx_way;

/** Once. Copies what it needs. Errors of pocue_mcx_start; POC_E_INPUT, POC_E_LIMIT: a text. */
poc_err radio_mcx_start(radio *r, const radio_mcx_settings *settings);
/** From now on this token proves the user; NULL: none. A KMS that did not let the former one in is asked again. POC_E_STATE: not started; POC_E_LIMIT: more than 4,096 octets. */
poc_err radio_mcx_renew_token(radio *r, const char *access_token);
/** Asks the KMS for its certificates and for the user's keys of this period; again on its own for those of the next. The end is
 *  RADIO_MCX_PROVISIONED or RADIO_MCX_UNPROVISIONED; it tries again by itself, but for a token that is not good. POC_E_STATE: not started, no
 *  kms_url, or asking already. */
poc_err radio_mcx_provision(radio *r);
/** Brings a fresh CSK. The end is RADIO_MCX_ANSWERED; when the CSK was taken, POCUE_MCX_KEY came before it: a 2xx with a Warning
 *  says that it was not. Bootstraps when that is needed. Where no answer, or 5xx, came, it tries again with another one, later and later. POC_E_STATE: not
 *  started, not provisioned, or a request is under way; errors of pocue_mcx_make_upload. */
poc_err radio_mcx_upload(radio *r, radio_mcx_way way);
/** Has the registration refreshed now. POC_E_STATE: there is none, or a request is under way. */
poc_err radio_mcx_refresh(radio *r);
/** Forgets CSKs, MuSiKs and bearers at once, and says goodbye by the way of the last upload; the end of that is
 *  RADIO_MCX_ANSWERED. POC_E_STATE: not started, or there is nobody to say it to. */
poc_err radio_mcx_log_off(radio *r);
/** Reports that it hears a bearer, or hears it no more; the end is RADIO_MCX_ANSWERED. POC_E_STATE: not started; POC_E_LIMIT:
 *  RADIO_MCX_REPORTS_MAX are under way. */
#define RADIO_MCX_REPORTS_MAX 8u
poc_err radio_mcx_report(radio *r, const uint8_t tmgi[POCUE_MCX_TMGI_LEN], bool is_listening);
/** Whether the server has granted authorisation, and it has not lapsed since. */
bool radio_mcx_is_registered(const radio *r);

uint32_t radio_ssrc(const radio *r);
const char *radio_name(const radio *r);
/** SIP URI at which requests reach it. */
const char *radio_contact(const radio *r);
pocue *radio_ue(radio *r);
/** The clock radios report in. */
int64_t radio_now_ms(void);

#endif
