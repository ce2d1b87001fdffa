/* The members of a channel as a PF meets them on the wire: each has a MUK, a B-TID and an address of its own on the
 * loopback. One thread on the other core stands for all of them: it opens every MSK message that comes (MAC, decryption,
 * parsing), and answers it with a verification message from the address it came to. */
#ifndef TESTS_BENCH_CROWD_H
#define TESTS_BENCH_CROWD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/secret.h"

#define CROWD_MAX 1000000u

typedef struct crowd crowd;

/** Makes the members and starts the listener. NULL when it cannot. The caller is bound to the first core. */
crowd *crowd_new(size_t members);
/** Stops the listener. NULL is fine. */
void crowd_free(crowd *c);

size_t crowd_size(const crowd *c);
/* Of member `i`; borrowed. */
poc_secret *crowd_muk(const crowd *c, size_t i);
poc_span crowd_btid(const crowd *c, size_t i);
struct sockaddr_in crowd_address(const crowd *c, size_t i);

typedef struct crowd_counts {
    size_t answered; /* messages opened and acknowledged */
    size_t refused;  /* datagrams that no member could open */
} crowd_counts;
/** What happened since it started. */
crowd_counts crowd_look(const crowd *c);

/** Seconds by a clock that runs evenly. */
double crowd_now_s(void);

#endif
