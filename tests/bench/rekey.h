/* The ways of `pocbench rekey` to bring one new MSK to a crowd, each timed in the same way. */
#ifndef TESTS_BENCH_REKEY_H
#define TESTS_BENCH_REKEY_H

#include "tests/bench/crowd.h"

typedef struct rekey_times {
    double last_out_s;       /* from the decision to the last datagram's system call */
    double last_confirmed_s; /* to the last answer that was read, and verified where the way verifies */
    size_t confirmed;        /* answers that came without anything being sent again */
} rekey_times;

typedef struct rekey_engine rekey_engine;

typedef struct rekey_stage {
    crowd *crowd;
    rekey_engine *engine;
} rekey_stage;

/* The ways. False when nothing could be measured. */

/** Datagrams made before the clock starts, sent in batches to the same listener; answers are read and not looked at: what
 *  the system costs whoever has no work of his own. */
bool rekey_floor(rekey_times *out, const rekey_stage *s);
/** Each message with OpenSSL's EVP interface as one would first write it, and a system call for each. */
bool rekey_naive(rekey_times *out, const rekey_stage *s);
/** libpocpf, the push socket and the crew of the daemon: sealed on all cores, sent, verified, and sent again where an answer fails to come. */
bool rekey_by_engine(rekey_times *out, const rekey_stage *s);
/** The same with all sealing in the loop's own thread. */
bool rekey_by_engine_alone(rekey_times *out, const rekey_stage *s);

/** An engine with one channel in which all of the crowd are registered and hold the MSK. NULL when that does not come
 *  about. */
rekey_engine *rekey_engine_new(crowd *c);
void rekey_engine_free(rekey_engine *e);
/** Octets of heap that the engine took for each member, in all. MUKs are not in it: they are the caller's. */
double rekey_engine_octets(const rekey_engine *e);

#endif
