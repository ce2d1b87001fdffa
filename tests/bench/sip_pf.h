/* The daemon without its process: everything that pocpfd builds from a configuration, on the caller's loop, with one channel;
 * and members of a crowd bootstrapped at its BSF. */
#ifndef TESTS_BENCH_SIP_PF_H
#define TESTS_BENCH_SIP_PF_H

#include <sofia-sip/su_wait.h>

#include "tests/bench/sip_crowd.h"

typedef struct sip_pf sip_pf;

/** NULL, after a line on stderr. Its files are in a folder of its own, removed at the end. */
sip_pf *sip_pf_new(su_root_t *root, sip_crowd *c);
void sip_pf_free(sip_pf *p);
uint16_t sip_pf_port(const sip_pf *p);
/** Everybody is in and holds the MSK, and nothing is under way. */
bool sip_pf_is_settled(const sip_pf *p);
/** Decides for a new MSK. */
bool sip_pf_rekey(sip_pf *p);

#endif
