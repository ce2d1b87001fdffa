/* What a radio is made of. Private to ue/io. */
#ifndef UE_IO_INSIDE_H
#define UE_IO_INSIDE_H

struct radio;
#define NTA_AGENT_MAGIC_T    struct radio
#define NTA_LEG_MAGIC_T      struct radio
#define NTA_OUTGOING_MAGIC_T struct radio
#define NTA_INCOMING_MAGIC_T struct radio

#include <curl/curl.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>

#include "base/sdp.h"
#include "base/text.h"
#include "bcast/bcast.h"
#include "gba/gba.h"
#include "ue/io/radio.h"

#define RADIO_SDP_MAX  POC_SDP_MAX
#define RADIO_TEXT_MAX 512u

enum { PORT_AUDIO, PORT_FLOOR, PORT_PUSH, PORT_COUNT };

/* A socket that the event loop watches. */
typedef struct port {
    radio *radio;
    int fd;         /* -1: closed */
    int wait_index; /* 0: not registered */
    bcast_flow flow;
    void (*take)(struct port *p, poc_span datagram, const struct sockaddr *from);
} port;

/* A group that is listened to. */
typedef struct group {
    bool is_open;
    bool is_mcx; /* of a bearer of mission critical services */
    bcast_channel channel;
    port port[BCAST_FLOW_COUNT];
} group;

#define GROUPS_MAX (POCUE_SERVICES_MAX + 1u + POCUE_MCX_BEARERS_MAX)

/* One HTTP request at a time, and what came of it. */
typedef struct http {
    radio *radio;
    void (*done)(radio *r, int status, const char *error); /* status 0: no answer, for that reason */
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    su_timer_t *timer; /* polls while it runs */
    char www_authenticate[GBA_HEADER_MAX], authentication_info[GBA_HEADER_MAX], content_type[GBA_HEADER_MAX],
        retry_after[GBA_HEADER_MAX];
    uint8_t body[POCUE_HTTP_BODY_MAX];
    size_t body_len;
    bool is_running;
} http;

typedef enum dialog_state { DIALOG_NONE, DIALOG_CALLING, DIALOG_UP, DIALOG_LEAVING } dialog_state;

/* A request that may be challenged once. */
typedef struct radio_request {
    nta_outgoing_t *orq;
    bool was_challenged;
} radio_request;

struct radio {
    pocue *ue;
    su_root_t *root;
    radio_report_fn *report;
    void *user;
    bool is_pumping;
    bool update_allowed, answer_offers, refuse_keys, keep_keys, is_vouched_for;
    void (*tamper)(const void *ctx, bool is_answer, char *sdp); /* NULL: nothing is tampered with */
    const void *tamper_ctx;
    char name[64], impu[POC_URI_MAX], bsf_fqdn[GBA_FQDN_MAX + 1], pf_uri[RADIO_TEXT_MAX];
    struct sockaddr_storage address, interface; /* interface: family 0 when the routing table decides */

    port port[PORT_COUNT];
    group groups[GROUPS_MAX];
    bool is_deaf;
    pocue_local local;
    uint32_t ssrc, rtp_timestamp;
    uint16_t rtp_seq;

    http ub;
    char bsf_url[RADIO_TEXT_MAX];

    http keyman;
    char keyman_url[RADIO_TEXT_MAX]; /* empty: none */
    char keyman_from[80];            /* own address, as libcurl wants it */
    su_timer_t *keyman_timer;        /* runs out when libpocue wants to be called */
    pocue_http request;
    uint16_t push_port;

    nta_agent_t *agent;
    nta_leg_t *stray; /* requests outside of dialogs */
    nta_leg_t *leg, *expel_leg;
    dialog_state dialog;
    radio_request invite, bye, expel;
    char contact_uri[RADIO_TEXT_MAX], contact[2 * RADIO_TEXT_MAX], preferred[RADIO_TEXT_MAX], group[POC_URI_MAX],
        refer_to[RADIO_TEXT_MAX];
    char sdp[RADIO_SDP_MAX];

    struct mcx *mcx; /* NULL: not started */
};

/** Hands what libpocue has to tell to sockets and owner. */
void radio_pump(radio *r);
void radio_tell(radio *r, radio_event what, int status, const char *text);

/* ports.c */
poc_err radio_ports_open(radio *r);
void radio_ports_close(radio *r);
/** Listens for pushed keys at `address` instead of where it did. POC_E_IO: it goes on there. */
poc_err radio_push_open(radio *r, const struct sockaddr_storage *address);

/* groups.c */
/** Listens to all flows of a group; a line on stderr when that cannot be. */
void radio_group_open(radio *r, const bcast_channel *channel, bool is_mcx);
void radio_group_close(radio *r, const bcast_channel *channel, bool is_mcx);
void radio_groups_close(radio *r);

/* ports.c, for groups.c */
int radio_socket_bound(const struct sockaddr *to, bool shared);
poc_err radio_port_watch(port *p);
/* Takes everything there is; what that reports may close the port. */
void radio_port_drain(port *p);
void radio_port_close(port *p);

/* http.c */
poc_err radio_http_open(radio *r, http *h, void (*done)(radio *r, int status, const char *error));
void radio_http_close(http *h);
/** Forgets the request before. */
void radio_http_begin(http *h);
#define HTTP_VALUE_MAX 4096u
/** A header of the next request, of at most HTTP_VALUE_MAX octets. POC_E_LIMIT, POC_E_NOMEM. */
poc_err radio_http_header(http *h, const char *name, const char *value);
/** GET, or with a body POST (copied). Its end is `done`. */
poc_err radio_http_send(http *h, const char *url, poc_span body);

/* ub.c */
poc_err radio_ub_open(radio *r, const char *bsf_url);
void radio_ub_close(radio *r);

/* keyman.c */
poc_err radio_keyman_open(radio *r, const radio_settings *settings);
void radio_keyman_close(radio *r);
/** Sends what is due; radio_pump does it after everything that happened. */
void radio_keyman_run(radio *r);
/** Sees to it that radio_pump runs at libpocue's deadline. */
void radio_keyman_wait(radio *r);

/* sip.c: the agent, and what every request has */
poc_err radio_sip_open(radio *r);
void radio_sip_close(radio *r);
const char *radio_allow(const radio *r);
/** Makes the Authorization for the request of `orq`, once. False: not to be answered. */
bool radio_challenge_answer(radio *r, radio_request *request, sip_t const *challenge, poc_span body,
                            char authorization[GBA_HEADER_MAX]);
void radio_request_end(radio_request *request);

extern const char radio_user_agent[];

/* mcx.c: mission critical services */
void radio_mcx_close(radio *r);
/** Does what is due; radio_pump does it after everything that happened. */
void radio_mcx_run(radio *r);
/** Sees to it that radio_pump runs when something is due. */
void radio_mcx_wait(radio *r);
/** A CSK has come, or was revoked. */
void radio_mcx_hear(radio *r, const pocue_event *event);
/** The end of a bootstrapping run. */
void radio_mcx_bootstrapped(radio *r, bool has_succeeded);
/** Answers a MESSAGE or NOTIFY outside of dialogs; false: it is no business of theirs. */
bool radio_mcx_request(radio *r, nta_incoming_t *irq, sip_t const *sip);

/* dialog.c: requests of the PF within the session */
/** "399 text" becomes `399 host "text"`. POC_E_LIMIT. */
poc_err radio_warning_write(const radio *r, char out[RADIO_TEXT_MAX], const char *warning);
int radio_dialog_request(radio *r, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *sip);
void radio_dialog_end(radio *r);

#endif
