/* A radio: one libpocue with its own sockets, on a Sofia event loop. It speaks SIP (nua), HTTP to the BSF and the key management service (libcurl), RTP
 * and floor control, and listens to the multicast group. Several radios live in one process without sharing anything. */
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
    RADIO_IN,      /* session up: final 2xx, ACK sent */
    RADIO_REFUSED, /* INVITE got `status` */
    RADIO_OUT,     /* BYE sent and answered */
    RADIO_BYED,    /* BYE received */
    RADIO_OFFERED, /* an offer of the PF was answered with `status` */
    RADIO_UE       /* `event` of libpocue */
} radio_event;

typedef struct radio_report {
    radio_event what;
    int64_t at_ms; /* unix, by CLOCK_REALTIME at start plus CLOCK_MONOTONIC */
    int status;
    const char *text;         /* reason phrase or cause, may be NULL */
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
uint32_t radio_ssrc(const radio *r);
const char *radio_name(const radio *r);
pocue *radio_ue(radio *r);
/** The clock radios report in. */
int64_t radio_now_ms(void);

#endif
