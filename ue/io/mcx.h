/* A radio of a mission critical user. Private to ue/io. */
#ifndef UE_IO_MCX_H
#define UE_IO_MCX_H

#include "ue/io/inside.h"

#define MCX_TOKEN_MAX HTTP_VALUE_MAX
#define MCX_BODY_MAX  12288u /* octets of a body that is sent */

typedef enum mcx_deed { MCX_NOTHING, MCX_UPLOADS, MCX_REFRESHES, MCX_LOGS_OFF } mcx_deed;

/* Service authorisation: one request at a time. */
typedef struct mcx_entry {
    radio_mcx_way way;
    bool has_way;          /* one was asked for, and not to log off since */
    bool is_registered;    /* the last answer was 2xx */
    bool wants_upload;     /* as soon as there are keys, and not before `retry_at_ms` */
    mcx_deed deed;         /* whose answer is awaited */
    radio_request request; /* of that */
    int64_t answer_by_ms;
    nta_leg_t *leg;              /* one Call-ID for all requests of one way */
    char target[RADIO_TEXT_MAX]; /* where the server sent us to; empty: where the radio's requests go */
    char etag[128];              /* of what was published; empty: nothing */
    char content_type[96];
    uint8_t body[MCX_BODY_MAX]; /* of the upload: an access token may stand in it */
    size_t body_len;
    bool awaits_bootstrap;         /* before the request goes out again */
    bool has_bootstrapped;         /* for this deed */
    unsigned redirects, too_brief; /* answers of that kind in a row */
    unsigned failures;             /* in a row */
    uint32_t expires_s;            /* asked for */
    int64_t retry_at_ms, refresh_at_ms, expires_at_ms;
    int64_t renew_at_ms; /* when its CSK will expire soon */
    int64_t uploaded_ms; /* tried last */
} mcx_entry;

typedef enum mcx_kms_step { MCX_KMS_IDLE, MCX_KMS_ROOT, MCX_KMS_OTHERS, MCX_KMS_OWN_KEYS } mcx_kms_step;

/* Keys from the KMS. */
typedef struct mcx_supply {
    http http;
    mcx_kms_step step;
    char url[RADIO_TEXT_MAX]; /* empty: the owner provisions */
    char uri[RADIO_TEXT_MAX];
    char path[MCX_KMS_URL_MAX + 1]; /* asked for last */
    mcx_kms_certificate root;       /* of the user's KMS, once its keys have come */
    bool has_others;                /* all certificates that are needed are there */
    int64_t from_ms;                /* keys wanted are those of the period of this time */
    int64_t ask_at_ms;              /* INT64_MAX: not by itself */
    unsigned failures;
    bool is_barred; /* the token is not good */
} mcx_supply;

/* A MESSAGE of ours, waiting for its answer. */
typedef struct mcx_report {
    radio_request request; /* orq NULL: free place */
    nta_leg_t *leg;
    int64_t answer_by_ms;
    uint8_t body[4096];
    size_t body_len;
    char content_type[96];
} mcx_report;

struct mcx {
    radio *radio;
    mcx_service service;
    char mc_id[RADIO_TEXT_MAX], psi[RADIO_TEXT_MAX], psi_canonical[POC_URI_MAX], client_id[RADIO_TEXT_MAX];
    char other_kms[POCUE_MCX_SERVERS_MAX][RADIO_TEXT_MAX]; /* those of servers that are not the user's own */
    size_t other_kms_count;
    char token[MCX_TOKEN_MAX + 1]; /* empty: none */
    uint32_t expires_s;
    int64_t answer_ms;
    char domain[RADIO_TEXT_MAX], contact[2 * RADIO_TEXT_MAX], route[RADIO_TEXT_MAX], service_says[RADIO_TEXT_MAX];
    struct sockaddr_storage proxy; /* family 0: known by name only */
    su_timer_t *timer;
    mcx_entry entry;
    mcx_supply supply;
    mcx_report reports[RADIO_MCX_REPORTS_MAX];
};

/* mcx.c */
/** Up to a half more: so that all whom a server has lost do not come back at the same moment. */
int64_t mcx_spread_ms(int64_t wait_ms);

/* mcx_entry.c: service authorisation */
void mcx_entry_run(struct mcx *m, int64_t now_ms);
int64_t mcx_entry_deadline_ms(const struct mcx *m);
void mcx_entry_close(struct mcx *m);

/* mcx_sip.c: requests, both ways */
/** Who this radio is in SIP. */
poc_err mcx_texts_make(struct mcx *m);
typedef struct mcx_sending {
    sip_method_t method;
    const char *method_name, *request_uri;
    nta_leg_t *leg;
    const char *route;         /* NULL: where the radio's requests go */
    const char *contact;       /* NULL: none */
    const char *expires;       /* NULL: not said */
    const char *if_match;      /* NULL or empty: none */
    const char *event;         /* NULL: none */
    bool says_who;             /* with the user's identity */
    const char *authorization; /* NULL: none */
    const char *content_type;  /* NULL: no body */
    poc_span body;
} mcx_sending;
poc_err mcx_send(struct mcx *m, radio_request *request, nta_response_f *answered, const mcx_sending *s);
/** A leg from `from`, NULL: the radio's user. */
nta_leg_t *mcx_leg_make(struct mcx *m, const char *from, const char *to);
/** Of the package of the settings. */
const char *mcx_event_name(void);
void mcx_tell(struct mcx *m, radio_event what, const char *method, int status, const char *text);
/** The text of a Warning of the answer, else its phrase, in `room`. */
const char *mcx_reason(sip_t const *sip, int status, char *room, size_t cap);

/* mcx_third.c: the S-CSCF of a core */
/** The user's REGISTER as it would stand in the body of a third-party REGISTER. POC_E_LIMIT. */
poc_err mcx_inner_register_put(poc_wr *out, const struct mcx *m, uint32_t expires_s, const char *content_type,
                               poc_span body);

/* mcx_report.c: which bearers are heard */
void mcx_reports_run(struct mcx *m, int64_t now_ms);
int64_t mcx_reports_deadline_ms(const struct mcx *m);
void mcx_reports_close(struct mcx *m);

/* mcx_kms.c: provisioning */
poc_err mcx_supply_open(struct mcx *m, const radio_mcx_settings *s);
void mcx_supply_run(struct mcx *m, int64_t now_ms);
/** There is another token: whoever was not let in asks again. */
void mcx_supply_let_in(struct mcx *m);
int64_t mcx_supply_deadline_ms(const struct mcx *m);
void mcx_supply_close(struct mcx *m);

#endif
