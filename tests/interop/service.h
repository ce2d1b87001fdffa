/* A pocpfd that runs an MBMS user service without any SIP session, as a process on loopback, for witnesses and attackers to
 * talk to. Asserts instead of returning errors. */
#ifndef TESTS_INTEROP_SERVICE_H
#define TESTS_INTEROP_SERVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define SERVICE_ID   "urn:pocpf:tunnel"
#define SERVICE_NAF  "pf.example"
#define SERVICE_HOST "127.0.0.1"

/** Loopback address of client `n` (below SERVICE_CLIENTS), of this process alone: several runs on one machine do not meet. */
#define SERVICE_CLIENTS 4u
const char *service_client_host(unsigned n);

typedef struct service {
    const char *daemon, *ctl; /* programs */
    char folder[64], config[96];
    uint16_t sip, ub, http, push; /* ports on SERVICE_HOST */
    pid_t pid;
    FILE *says;
    pthread_t listener; /* takes what it says, into `folder`/log */
    pthread_mutex_t lock;
    pthread_cond_t heard;
    bool is_ready, has_ended;
    char out[65536]; /* of pocpfctl */
} service;

/** Writes a configuration; `mbms` and `more` are added to its group mbms and to its end. Clients are pushed to at port
 *  2269. */
void service_make(service *s, const char *daemon, const char *ctl, const char *mbms, const char *more);
/** Starts it and waits until it is ready. */
void service_start(service *s);
/** Ends it with this signal and waits for its end. */
void service_end(service *s, int sig);
/** Ends it if need be, and removes all it wrote. */
void service_done(service *s);
/** Runs pocpfctl with these words; its exit status. What it says is in s->out. */
int service_ctl(service *s, const char *words);

#endif
