/* The configuration as plain values. Built beside the running one and checked whole before anybody uses it. Private to
 * pf/io. */
#ifndef PF_IO_CONFIG_H
#define PF_IO_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "bcast/enabler.h"

#define CONFIG_WHY_MAX 1024u /* room for "FILE:LINE: what happened; what to do" */

typedef struct config_texts {
    char **item;
    size_t count;
} config_texts;

enum { CONFIG_AUTH_DIGEST, CONFIG_AUTH_REGISTERED };
enum { CONFIG_ZN_EMBEDDED, CONFIG_ZN_DIAMETER, CONFIG_ZN_NBSP };
enum { CONFIG_CARRIER_MULTICAST, CONFIG_CARRIER_MBSTF, CONFIG_CARRIER_MB2 };
enum { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum { CONFIG_DELIVERY_SIP, CONFIG_DELIVERY_PUSH };
enum { CONFIG_PUSH_HTTP_SRC, CONFIG_PUSH_SIP_CONTACT };
enum { CONFIG_ADMIT_SESSION, CONFIG_ADMIT_LISTED, CONFIG_ADMIT_AUTHENTICATED };
enum { CONFIG_KMS_CLIENT, CONFIG_KMS_EMBEDDED };
enum { CONFIG_MCX_ADMIT_AUTHORISED, CONFIG_MCX_ADMIT_LISTED };
enum { CONFIG_DOWNLOAD_MESSAGE, CONFIG_DOWNLOAD_NOTIFY };
/** As bits: `algorithms`; as a word, one more: `forced_algorithm`, 0 being none. */
enum { CONFIG_AES128_GCM, CONFIG_AES256_GCM, CONFIG_AES128_CM };

#define CONFIG_TMGI_LEN 6u

typedef struct config_rekey {
    int on_leave; /* as pocpf_on_leave */
    uint32_t leave_batch_ms;
    bool on_join;
    uint32_t interval_s, max_mtk, deadline_ms;
    int gate;       /* as pocpf_gate */
    int on_refusal; /* as pocpf_on_refusal */
    uint32_t delivery;
} config_rekey;

/** The channel as a user service. The check fills in what the file leaves open, and makes `users` canonical. */
typedef struct config_mbms {
    char *service;
    int admit;
    config_texts users;
} config_mbms;

typedef struct config_feed {
    char *listen, *floor_listen; /* "" or "udp:ADDRESS:PORT" */
    config_texts source;
} config_feed;

/** What an element of channels or of mcx.musik is protected by. */
typedef enum config_kind { CONFIG_MSK, CONFIG_MUSIK } config_kind;

/** A MuSiK and the bearer that it protects. The check fills in the last three. */
typedef struct config_musik {
    int service;         /* as mcx_service */
    config_texts groups; /* URIs; none: the default MuSiK, or one of a region */
    char *text;
    char *tmgi_text;     /* "": no bearer is announced, so no region */
    config_texts areas;  /* of MBMS service, in hex */
    uint32_t qci;        /* 0: not said */
    int admit;           /* CONFIG_MCX_ADMIT_... */
    config_texts users;  /* MC service ids, octet by octet */
    uint32_t lifetime_s; /* 0: until the next one */
    bool revoke;         /* withdraw the former one from those who stay, after an expulsion */
    bool has_tmgi;
    uint8_t tmgi[CONFIG_TMGI_LEN];
    uint16_t *area_ids; /* one for each of `areas` */
} config_musik;

/** A channel with an MSK, or a MuSiK: what the other kind has and this one has not is empty. */
typedef struct config_channel {
    config_kind kind;
    char *id, *group, *address, *source; /* group "": no PoC session */
    uint32_t port, floor_port, stkm_port, ttl, key_group;
    uint8_t key_domain_id[POC_KEY_DOMAIN_LEN];
    config_rekey rekey; /* of a MuSiK without max_mtk, on_refusal and delivery */
    config_mbms mbms;   /* of a channel with an MSK */
    config_musik musik; /* of a MuSiK */
    config_feed feed;
    bcast_channel air; /* filled by the check: addresses and ports of the three flows */
    int line;
} config_channel;

typedef struct config {
    struct {
        config_texts listen, trusted_peers;
        char *domain, *next_hop, *tls_certificate, *tls_key;
        uint32_t session_expires_s, tcp_idle_s;
        bool strict_identities;
    } sip;
    struct {
        char *naf_fqdn, *bsf_fqdn, *subscribers, *ub_listen;
        uint8_t ua_security_protocol_id[5];
        int sip_auth, zn;
        uint32_t key_lifetime_s, nonce_lifetime_s;
        bool uicc_keys;
    } gba;
    struct {
        bool require_verification, accept_ts64, idi_fqdn, sdp_ids;
    } mikey;
    struct {
        config_texts key_management_listen, push_listen;
        char *path, *tls_certificate, *tls_key;
        uint32_t push_port, push_tries, retransmission_ms, retransmission_cap_ms, solicit_per_s, muk_renew_s,
            back_off_ms;
        uint32_t requests_per_source_s, requests_per_btid_s, refused_per_source_s;
        uint32_t connections_max, connections_per_source;
        int push_address;
        bool qop_auth;
    } mbms;
    struct {
        char *address;
        uint32_t port_min, port_max, feed_silence_ms;
    } media;
    struct {
        int carrier;
        char *interface;
        uint32_t stkm_active_ms, stkm_idle_ms, stkm_burst, stkm_burst_ms, stkm_lead_ms;
        uint32_t mtk_packets_max, hold_packets_max;
    } bcast;
    struct {
        char *path, *key_file;
    } store;
    struct {
        char *psi; /* "": no mission critical services */
        config_texts identities;
        int kms, download;
        char *kms_url, *kms_uri, *kms_token_file, *kms_ca, *kms_secrets;
        config_texts neighbours, kms_listen;
        char *kms_path, *kms_tls_certificate, *kms_tls_key;
        uint32_t kms_requests_per_source_s, kms_connections_max, kms_connections_per_source;
        char *users, *token_key, *token_issuer, *token_audience;
        config_texts token_scopes;
        uint32_t algorithms, skew_s, expires_s, expires_min_s, requests_per_user_s;
        int forced_algorithm;
        bool strict_signature, refuse_clear;
    } mcx;
    struct {
        int format;
        uint32_t same_reason_per_s;
    } log;
    struct {
        char *socket;
        uint32_t events_kept;
    } admin;
    struct {
        uint32_t sessions_max, members_max, channels_max, users_max, roster_max, offer_window;
        uint32_t requests_per_source_s, sip_connections_per_source, ub_connections_max, ub_connections_per_source,
            seal_threads, drain_s;
    } limits;
    config_channel *channels; /* those of the list channels, then those of mcx.musik */
    size_t channel_count;
    void *not_built; /* where rows without an implementation point */
} config;

/** Loads and checks a file. POC_E_INPUT: `why` tells file, line, what is wrong and what to do; POC_E_NOMEM. `*out` is NULL
 *  then. */
poc_err config_load(config **out, const char *path, char why[CONFIG_WHY_MAX]);
/** The same from memory; `name` stands for the file in `why`, and its folder is where relative paths count from. */
poc_err config_parse(config **out, const char *text, const char *name, char why[CONFIG_WHY_MAX]);
void config_free(config *c);
POC_DEFINE_OWNED(config, config_free)

struct option;
/** True when an option outside the channels has the same value in both. */
bool config_same(const struct option *o, const config *a, const config *b);

bool config_same_texts(const config_texts *a, const config_texts *b);

/** Splits "HOST:PORT" or "[HOST]:PORT". POC_E_INPUT. */
poc_err config_address(struct sockaddr_storage *out, const char *text);

#endif
