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

enum { PORT_AUDIO, PORT_FLOOR, PORT_GROUP, PORT_COUNT = PORT_GROUP + BCAST_FLOW_COUNT };

/* A socket that the event loop watches. */
typedef struct port {
    radio *radio;
    int fd;         /* -1: closed */
    int wait_index; /* 0: not registered */
    bcast_flow flow;
    bool is_group;
} port;

/* A GET to the BSF, repeated as long as libpocue says so. */
typedef struct ub {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    su_timer_t *timer;
    char url[RADIO_TEXT_MAX];
    char www_authenticate[GBA_HEADER_MAX], authentication_info[GBA_HEADER_MAX];
    uint8_t body[GBA_BODY_MAX];
    size_t body_len;
    bool is_running;
} ub;

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
    bool update_allowed, answer_offers, refuse_keys, keep_keys;
    void (*tamper)(const void *ctx, bool is_answer, char *sdp); /* NULL: nothing is tampered with */
    const void *tamper_ctx;
    char name[64], impu[POC_URI_MAX], bsf_fqdn[GBA_FQDN_MAX + 1], pf_uri[RADIO_TEXT_MAX];
    struct sockaddr_storage address, interface; /* interface: family 0 when the routing table decides */

    port port[PORT_COUNT];
    pocue_local local;
    uint32_t ssrc, rtp_timestamp;
    uint16_t rtp_seq;

    ub ub;

    nta_agent_t *agent;
    nta_leg_t *stray; /* requests outside of dialogs */
    nta_leg_t *leg, *expel_leg;
    dialog_state dialog;
    radio_request invite, bye, expel;
    char contact[RADIO_TEXT_MAX], preferred[RADIO_TEXT_MAX], group[POC_URI_MAX], refer_to[RADIO_TEXT_MAX];
    char sdp[RADIO_SDP_MAX];
};

/** Hands what libpocue has to tell to sockets and owner. */
void radio_pump(radio *r);
void radio_tell(radio *r, radio_event what, int status, const char *text);

/* ports.c */
poc_err radio_ports_open(radio *r);
void radio_ports_close(radio *r);
/** Listens to all flows of a group; a line on stderr when that cannot be. */
void radio_group_open(radio *r, const bcast_channel *channel);
void radio_group_close(radio *r);

/* ub.c */
poc_err radio_ub_open(radio *r, const char *bsf_url);
void radio_ub_close(radio *r);

/* sip.c: the agent, and what every request has */
poc_err radio_sip_open(radio *r);
void radio_sip_close(radio *r);
const char *radio_allow(const radio *r);
/** Makes the Authorization for the request of `orq`, once. False: not to be answered. */
bool radio_challenge_answer(radio *r, radio_request *request, sip_t const *challenge, poc_span body,
                            char authorization[GBA_HEADER_MAX]);
void radio_request_end(radio_request *request);

/* dialog.c: requests of the PF within the session */
int radio_dialog_request(radio *r, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *sip);
void radio_dialog_end(radio *r);

#endif
