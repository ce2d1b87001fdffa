/* Clients and a Controlling Function as bare text on two sockets: one thread on the other core calls for all members, answers
 * digests, acknowledges, opens the MSK in every offer and confirms it, and accepts what comes to the CF. It is made to cost
 * little, so that the server it talks to is what is measured. */
#ifndef TESTS_BENCH_SIP_CROWD_H
#define TESTS_BENCH_SIP_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

/* What both sides have to agree on. */
#define SIP_CROWD_DOMAIN  "pf1.poc.example.org"
#define SIP_CROWD_GROUP   "sip:bench@cf.home1.example"
#define SIP_CROWD_ADDRESS "239.195.1.7"
#define SIP_CROWD_PORT    10004
#define SIP_CROWD_USER    "user%07zu@home.example" /* of member i, as IMPI and behind "sip:" */

typedef struct sip_crowd sip_crowd;

/** Starts the listener. NULL when it cannot. The caller is bound to the first core. */
sip_crowd *sip_crowd_new(size_t members);
/** Stops the listener. NULL is fine. */
void sip_crowd_free(sip_crowd *c);
size_t sip_crowd_size(const sip_crowd *c);
/** Where its CF listens, at 127.0.0.2. */
uint16_t sip_crowd_cf_port(const sip_crowd *c);

/** What member `i` holds after bootstrapping; takes references. Before anybody is called. */
bool sip_crowd_bootstrapped(sip_crowd *c, size_t i, const char *btid, poc_secret *mrk, poc_secret *muk);
/** From now on all members call the server at 127.0.0.1, a window of them at a time. Dialogs of before stay and are answered. */
void sip_crowd_join(sip_crowd *c, uint16_t server_port);

typedef struct sip_crowd_counts {
    size_t joined;  /* of those called last: first offers answered */
    size_t answers; /* offers answered, in all */
    size_t opened;  /* of these: with a key that opened and was confirmed */
    size_t refused; /* final answers that nothing could be made of */
} sip_crowd_counts;
sip_crowd_counts sip_crowd_look(const sip_crowd *c);
/** CPU seconds that its thread has used. */
double sip_crowd_cpu_s(const sip_crowd *c);

#endif
