/* A pocpfd with its own KMS for tests of mission critical services: users alice and bob, a MuSiK for everybody (north) and one of a
 * region (south), and the core of a network between them, which is one socket of the test. */
#ifndef TESTS_UNIT_IO_MCX_BENCH_H
#define TESTS_UNIT_IO_MCX_BENCH_H

#include "tests/unit/io/daemon_bench.h"
#include "tests/unit/io/mcx_client.h"
#include "tests/unit/io/sip_phone.h"

#define MCX_PSI      "sip:mcptt@pf.example"
#define MCX_KMS      "kms.example"
#define MCX_ALICE    "sip:alice@home1.example"
#define MCX_SETTINGS "Event: poc-settings\r\n"
#define MCX_TMGI     "00000100f110"

enum { MCX_AIR_PORT = 45204, MCX_AIR_FLOOR_PORT = MCX_AIR_PORT + 2 };

typedef struct mcx_bench {
    daemon_bench pf;
    phone core;
    mcx_client alice, bob;
    char options[512], more[4096];
    const char *channels; /* elements of that list, of the next reload; NULL: none */
    char group[2][20];    /* of north and south */
    int air, source;      /* hears the floor of north; feeds it */
} mcx_bench;

/** Takes the arguments of a test: pocpfd and pocpfctl. False: they are not there. */
bool mcx_bench_programs(int argc, char **argv);
/** The path of the second one. */
const char *mcx_bench_tool(void);
/** Fixtures of cmocka: one daemon for all tests of a program, since its keys take a while, and mcx_bench_refresh before each. */
int mcx_bench_open(void **state);
int mcx_bench_close(void **state);
int mcx_bench_again(void **state);

/** `options` are more of the group mcx. Waits until the daemon has its keys. */
mcx_bench *mcx_bench_new(const char *options);
void mcx_bench_free(mcx_bench *b);
/** As after mcx_bench_new: nobody is registered or expelled, nothing is under way; what the KMS gave the users stays. */
void mcx_bench_refresh(mcx_bench *b);
/** The element north of mcx.musik, with more options; until the next call. */
const char *mcx_bench_north(const mcx_bench *b, const char *more);
/** A reload with other MuSiKs, elements of mcx.musik; NULL: those of the start. */
void mcx_bench_reload(mcx_bench *b, const char *musiks);
/** kill -9, and another one on what is left. */
void mcx_bench_crash(mcx_bench *b);
/** Waits until the daemon has its keys. */
void mcx_bench_ready(mcx_bench *b);

/** Keys from the KMS, once. */
void mcx_bench_provision(const mcx_bench *b, mcx_client *c);
/** A request of this user by the core; the status. */
int mcx_bench_ask(mcx_bench *b, mcx_client *c, const char *method, const char *headers, const void *body, size_t n);
/** The same with the body that stands in him. */
int mcx_bench_ask_with_his(mcx_bench *b, mcx_client *c, const char *method, const char *headers);
/** REGISTER with a fresh CSK, which is accepted. */
void mcx_bench_upload(mcx_bench *b, mcx_client *c);
/** Takes one request of the server and answers it as its user does: with 200. */
void mcx_bench_take(mcx_bench *b);
/** Until he holds the MuSiK of north and knows the bearer of south: the server has nothing more to say to him. */
void mcx_bench_hear_all(mcx_bench *b, const mcx_client *c);
/** Provisions, uploads, hears all. */
void mcx_bench_come(mcx_bench *b, mcx_client *c);
/** Nobody is registered, and nobody is in north. */
void mcx_bench_assert_empty(mcx_bench *b);

#endif
