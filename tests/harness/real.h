/* The real world, inside: radios, a stand-in CF and a listener on the group, all on sockets of this machine, around a PF
 * that is our daemon or anybody's. Private to real*.c. */
#ifndef TESTS_HARNESS_REAL_H
#define TESTS_HARNESS_REAL_H

#include <sofia-sip/su.h>

#include "tests/harness/cf.h"
#include "tests/harness/child.h"
#include "tests/harness/deployment.h"
#include "tests/harness/feed.h"
#include "tests/harness/forge.h"
#include "tests/harness/udp.h"
#include "tests/harness/world.h"
#include "ue/io/radio.h"

#define REAL_SENT_KEPT 64u

typedef struct real real;

typedef struct real_client {
    real *owner;
    int index;
    world_client settings;
    char impu[128];
    radio *radio;
    bool is_bootstrapping, is_in;
    uint32_t knows;         /* a bit for each channel whose service was announced to it */
    unsigned moves;         /* how often it got another address */
    const char *joins_next; /* group to join when bootstrapping is over; NULL: none */
    bool uploads_next;      /* the same: brings a CSK by `way` */
    world_way way;
    bool has_logged_off;
} real_client;

/* The impartial listener: it has no key and sees only what anybody in the cell sees. */
typedef struct real_listener {
    real *owner;
    uint8_t musik_number; /* of its channel, when that is under a MuSiK; else 0 */
    udp *flows[BCAST_FLOW_COUNT];
    forge_ear ears[BCAST_FLOW_COUNT]; /* of the attacker */
} real_listener;

struct real {
    world base;
    world_settings settings;
    char report_dir[DEPLOYMENT_PATH_MAX], program_dir[DEPLOYMENT_PATH_MAX], pf_uri[128], pf_config[DEPLOYMENT_PATH_MAX];
    su_root_t *root;
    int64_t start_us;
    bool is_up;
    world_pf pf;
    world_channel channels[DEPLOYMENT_CHANNELS_MAX];
    size_t channel_count;
    deployment deployment;
    child *daemon;
    cf *cf;
    real_listener listeners[DEPLOYMENT_CHANNELS_MAX];
    udp *source; /* of content; NULL until it is used */
    feed feeds[DEPLOYMENT_CHANNELS_MAX];
    uint16_t floor_messages;  /* of content sources */
    udp *attacker, *stranger; /* in the cell, with the PF's own address; elsewhere */
    test_rng chance;
    real_client clients[WORLD_CLIENTS_MAX];
    size_t client_count;
    uint8_t sent[REAL_SENT_KEPT]
                [WORLD_PAYLOAD_MAX]; /* the last payloads of talkers: none may be seen in clear on air */
    size_t sent_count;
};

/* ---- putting it up: real.c ---- */

void real_free(world *w);
poc_err real_run(world *w, int64_t until_us, bool (*stop)(void *user), void *user);
int64_t real_now_us(const world *w);
void real_saw(real *r, world_seen seen);
/** Writes or reads the configuration and starts who is part of it, once. */
poc_err real_come_up(real *r);
poc_err real_daemon_up(real *r);
/** The radio of a client, made when it is first used: by then the deployment is known. */
poc_err real_radio_of(real *r, int client, radio **out);
/** The channel with this id in the deployment, NULL: none. */
const deployment_channel *real_channel_of(const real *r, const char *channel_id);

/** An address of its own for each radio, so that all can have the same push port; another one after each move. */
void real_address(const real *r, int client, char out[64]);

/* ---- what the others say: real_says.c ---- */

/** A cf_event_fn; `user` is the world. */
void real_on_cf(void *user, cf_what what, const char *impu);
/** A cf_where_fn. */
const char *real_where(void *user, const char *impu);
/** A radio_report_fn; `user` is the client. */
void real_on_radio(void *user, radio *from, const radio_report *report);
/** A udp_datagram_fn; `user` is the listener. */
void real_on_group(void *user, udp *from, const struct sockaddr *peer, poc_span datagram);

/* ---- operations ---- */

/** What a script can have done: real_ops.c. */
extern const world_ops real_ops;
/** world_ops.strike: real_strike.c. */
poc_err real_strike(world *w, const char *channel_id);
/** Those of MBMS: real_mbms.c. */
poc_err real_enrol(world *w, int client, const char *channel_id, bool in);
poc_err real_pull(world *w, int client, const char *channel_id);
poc_err real_coverage(world *w, int client, bool is_covered);
poc_err real_move(world *w, int client);
poc_err real_feed(world *w, const char *channel_id, const uint8_t *pcmu, size_t n, bool first);
/** A packet of a content source to where the PF takes it. */
poc_err real_feed_send(real *r, const struct sockaddr_storage *to, poc_span packet);

/* ---- mission critical services: real_mcx.c ---- */

poc_err real_provision(world *w, int client);
poc_err real_upload(world *w, int client, world_way way);
poc_err real_log_off(world *w, int client);
poc_err real_listens(world *w, int client, const char *channel_id, bool is_listening);
poc_err real_feed_floor(world *w, const char *channel_id);
/** Tells a radio that has just been made what it needs to know. */
poc_err real_mcx_start(real_client *c);
/** Number of a channel under a MuSiK in observations, from 1; 0 for any other. */
uint8_t real_musik_number(const real *r, const char *channel_id);
/** What libpocue has to say of keys and bearers: completes the observation. */
void real_mcx_see(const real *r, const pocue_event *e, world_seen *seen);
/** The radio's own reports of these services. */
void real_mcx_report(real_client *c, const radio_report *report);
/** Bootstrapping is over: what waited for it. */
void real_mcx_bootstrapped(real_client *c);

#endif
