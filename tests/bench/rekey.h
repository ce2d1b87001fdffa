/* The ways of `pocbench rekey` to bring one new MSK to a crowd, each timed in the same way. */
#ifndef TESTS_BENCH_REKEY_H
#define TESTS_BENCH_REKEY_H

#include "tests/bench/crowd.h"

typedef struct rekey_times {
    double last_out_s;       /* from the decision to the last datagram's system call */
    double last_confirmed_s; /* to the last answer that was read, and verified where the way verifies */
    size_t confirmed;        /* answers that came without anything being sent again */
} rekey_times;

/** Datagrams made before the clock starts, sent in batches to the same listener; answers are read and not looked at: what
 *  the system costs whoever has no work of his own. False when nothing could be measured. */
bool rekey_floor(rekey_times *out, const crowd *c);
/** Each message with OpenSSL's EVP interface as one would first write it, and a system call for each. */
bool rekey_naive(rekey_times *out, const crowd *c);

#endif
