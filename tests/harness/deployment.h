/* The PF deployment that the real world plays against, described by a pocpfd configuration: read from a file, or written
 * from the channels of a script with ports that are free on this machine. */
#ifndef TESTS_HARNESS_DEPLOYMENT_H
#define TESTS_HARNESS_DEPLOYMENT_H

#include <libconfig.h>
#include <stdio.h>

#include "base/err.h"
#include "bcast/enabler.h"
#include "tests/harness/world.h"
#include "ue/api/pocue.h"

#define DEPLOYMENT_CHANNELS_MAX 8u
#define DEPLOYMENT_PATH_MAX     512u

typedef struct deployment_channel {
    bcast_channel air;
    uint16_t key_group;
    char group_uri[128];  /* "": there is no PoC session */
    char service_id[256]; /* of the MBMS user service */
    bool admits_sessions; /* who registers has to be in the PoC session: there he learns where the channel is sent */
    struct sockaddr_storage feed;       /* where its content source sends to; family 0: it has none */
    bool is_musik;                      /* it is under a MuSiK; its air says which TMGI */
    struct sockaddr_storage floor_feed; /* where clear floor control for it is sent to */
} deployment_channel;

typedef struct deployment {
    char config_path[DEPLOYMENT_PATH_MAX];
    char pf_uri[128]; /* where clients send SIP */
    char bsf_url[128];
    char bsf_fqdn[128], naf_fqdn[128];
    uint8_t ua_id[5];
    char cf_host[64]; /* where the PF expects the CF: sip.next_hop */
    uint16_t cf_port;
    char subscribers_path[DEPLOYMENT_PATH_MAX];
    char media_host[64]; /* where the PF receives RTP; "" when the configuration does not say */
    uint16_t media_port_min, media_port_max;
    char admin_path[DEPLOYMENT_PATH_MAX]; /* the operator's socket; "" for none */
    char keyman_url[128];                 /* of the key management service, without path; "" for none */
    char keyman_path[128];
    struct sockaddr_storage push_listen; /* where keys are confirmed; family 0: nowhere */
    uint16_t push_port;                  /* of every client */
    deployment_channel channels[DEPLOYMENT_CHANNELS_MAX];
    size_t channel_count;
    char psi[128]; /* of mission critical services; "": none */
    char kms_url[128], kms_uri[128];
    char kms_secrets_path[DEPLOYMENT_PATH_MAX];
} deployment;

/** Reads what clients and CF have to know from a pocpfd configuration. `why` gets a line on error. */
poc_err deployment_read(deployment *out, const char *config_path, char why[160]);
/** Who and what a script has put on stage. */
typedef struct deployment_cast {
    const world_pf *pf;
    const world_channel *channels;
    size_t channel_count;
    const world_client *const *clients;
    size_t client_count;
} deployment_cast;

/** Writes DIR/pocpfd.cfg, and what it names, for a daemon on loopback that runs these channels; deployment_read takes it from
 *  there. */
poc_err deployment_write(char config_path[DEPLOYMENT_PATH_MAX], const char *dir, const deployment_cast *cast);

/* ---- mission critical services: deployment_mcx.c ---- */

/** Writes the group `mcx` to the configuration, and beside it the secrets of a KMS and the file of users. */
poc_err deployment_mcx_write(FILE *f, const char *dir, const deployment_cast *cast, uint16_t kms_port);
/** Reads what clients have to know of it; appends its channels. */
poc_err deployment_mcx_read(deployment *d, const config_t *cfg);
/** What is common to the rekey policies of both kinds of channels: "on_leave = ...;" and so on. */
void deployment_rekey_write(FILE *f, const world_channel *c);
/** A group and a port of its own for every process and channel: "address = ...; port = ...;". */
void deployment_air_write(FILE *f, const world_channel *c, size_t number);
/** What both kinds of channels have in common; `out->is_musik` is set before. */
poc_err deployment_channel_read(deployment_channel *out, const config_setting_t *channel);
/** "ADDRESS:PORT". */
poc_err deployment_socket(struct sockaddr_storage *out, const char *text);
/** A path that counts from the folder of the configuration. */
void deployment_path(char *out, size_t cap, const char *config_path, const char *path);

/** The mission critical service id of a client, and the access token that stands for it. */
void deployment_mc_id(char out[WORLD_NAME_MAX + 64], const char *name);
void deployment_token(char out[WORLD_NAME_MAX + 16], const char *name);

/** Addresses on loopback of this process alone, for one radio each: n = 0 ... 199. */
void deployment_loopback(char out[64], unsigned n);

/** One line of the subscriber file: the one whose first IMPU has user part `name`. */
typedef struct deployment_subscriber {
    char impi[128], impu[128];
    uint8_t k[16], opc[16], amf[2];
    uint64_t sqn;
} deployment_subscriber; /* wiped by the caller */

/** POC_E_STATE: nobody has this name. */
poc_err deployment_find(const deployment *d, const char *name, deployment_subscriber *out);

#endif
