/* A mission critical radio on loopback and all that it talks to: a KMS behind real HTTP, a server behind SIP, and what it reports.
 * Nothing waits for time; the loop runs until what is expected was seen, or the deadline fails the test. */
#ifndef TESTS_UNIT_UE_MCX_BENCH_H
#define TESTS_UNIT_UE_MCX_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tiny_mcx.h"
#include "ue/io/radio.h"

typedef struct bench_seen {
    unsigned count[RADIO_UE + 1], ue[POCUE_MCX_MAPPED + 1];
    unsigned key_before_answer; /* of the last answer: events of keys before it */
    int status[RADIO_UE + 1];
    char text[256], method[16];
    uint32_t key_id;
    bool by_multicast;
} bench_seen;

extern pair w;
extern su_root_t *root;
extern tiny_pf *pf;
extern tiny_mcx *server;
extern tiny_mcx_says *says;
extern tiny_mcx_seen *at;
extern radio *r;            /* Alice's; NULL until it is opened */
extern bool is_vouched_for; /* the next one */
extern bench_seen seen;

/** Around all tests: makes a KMS, which takes long. */
int all_open(void **state);
int all_close(void **state);
/** Around each. */
int begin(void **state);
int begin_near_the_end_of_a_period(void **state);
int end(void **state);

radio_mcx_settings settings_of(void);
void radio_open(const radio_mcx_settings *mcx);
/** Another peer instead of the former. */
void pf_open(const char *transport, bool challenges);
void provision_by_kms(void);
/** By what the KMS has given another radio of Alice's: takes no time. */
void provision(void);
void bootstrap(void);
void bring_up(radio_mcx_way way);
uint32_t csk(void);
size_t held(void);

/** Runs the loop until this counter is there. */
void run_until(const unsigned *counter, unsigned reaches);
/** Until another request of the radio has its answer. */
void run_until_answered(void);
/** Until the radio has answered another one of the server's. */
void run_until_told(void);
void run_until_refused(uint64_t reaches);

#endif
