/* A running pocpfd for tests: its folder, its configuration, what it says, and the operator's door. */
#ifndef TESTS_UNIT_IO_DAEMON_BENCH_H
#define TESTS_UNIT_IO_DAEMON_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DAEMON_SIP_PORT, DAEMON_CF_PORT, DAEMON_UB_PORT, DAEMON_HTTP_PORT, DAEMON_PUSH_PORT, DAEMON_PORTS };

typedef struct daemon_bench {
    const char *program;
    const char *more; /* further groups of the configuration; NULL: none */
    char folder[64], config[96], socket[96];
    uint16_t port[DAEMON_PORTS];
    pid_t pid; /* 0: not running */
    int said;
    char words[65536]; /* what it says */
    size_t words_len;
    char admin[65536]; /* the last answer of the operator's door */
} daemon_bench;

/** A folder and free ports. */
void daemon_prepare(daemon_bench *b, const char *program);
/** Ends it well if it runs, and removes the folder. */
void daemon_remove(daemon_bench *b);
/** Writes its configuration: HTTP on 127.0.0.1 and ::1, pushes to DAEMON_PUSH_PORT; what is added to the groups sip, gba and
 *  mbms, and the elements of the list of channels. */
void daemon_configure(const daemon_bench *b, const char *sip, const char *gba, const char *mbms, const char *channels);
/** Starts it and waits until it is ready. */
void daemon_start(daemon_bench *b);
/** Configures and starts it; with other ports when somebody has taken one of them meanwhile. */
void daemon_open(daemon_bench *b, const char *sip, const char *gba, const char *mbms, const char *channels);
void daemon_crash(daemon_bench *b);
/** SIGTERM; fails the test unless it exits with 0. */
void daemon_stop(daemon_bench *b);

/** Asks the operator's door, path behind /v1; true when the answer was 200. `body` NULL: GET. */
bool daemon_asks(daemon_bench *b, const char *path, const char *body);
/** Asks until the answer has these words. */
void daemon_comes_to_say(daemon_bench *b, const char *path, const char *words);
/** A counter of /v1/status. */
int64_t daemon_counter(daemon_bench *b, const char *group, const char *name);

#endif
