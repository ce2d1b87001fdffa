/* A KMS in a loop with its people, for tests: secrets and users in a folder, HTTP on loopback, and curl as the client that we
 * did not write. Asserts instead of returning errors. */
#ifndef TESTS_UNIT_IO_MCX_KMS_BENCH_H
#define TESTS_UNIT_IO_MCX_KMS_BENCH_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stdint.h>

#include "pf/io/config.h"
#include "pf/io/mcx_kms_http.h"
#include "pf/io/mcx_people.h"

#define KMS_URI  "kms.example.org"
#define KMS_ROOT "/keymanagement/identity/v1"
#define KMS_PSI  "sip:mcptt@mcx.example.org"
#define KMS_MDSI "mdsi.mcx.example.org"

typedef struct kms_bench {
    su_root_t *root;
    char folder[64], users[128], secrets[128], token_file[128];
    config c; /* borrows from here; set up by hand */
    char *identities[3];
    mcx_people *people;
    mcx_own_kms *own;
    mcx_kms_http *http;
    char said[65536]; /* by curl: headers and body */
} kms_bench;

/** A folder with kms.secret and users.cfg (tokens "alice", "bob", and "server" for both identities of the server), and what is
 *  made of them. */
void kms_bench_make(kms_bench *b);
void kms_bench_done(kms_bench *b);
/** Starts to listen on 127.0.0.1; port 0: any. `certificate` NULL: without TLS. */
void kms_bench_listen(kms_bench *b, uint16_t port, const char *certificate, const char *key);
void kms_bench_file(const kms_bench *b, const char *name, const char *text, unsigned mode);
/** One turn of the loop. */
void kms_bench_turn(kms_bench *b);
/** Runs curl with these words while the loop turns. */
void kms_bench_run_curl(kms_bench *b, const char *words);
/** The same; the status of the answer, which there has to be. */
int kms_bench_curl(kms_bench *b, const char *words);
/** What curl said behind the headers. */
poc_span kms_bench_body(const kms_bench *b);

/** A KmsRequest in the folder, for curl: --data-binary @FOLDER/NAME. */
void kms_bench_request(const kms_bench *b, const char *name, const char *user_uri, const char *path, int64_t now_s);

#endif
