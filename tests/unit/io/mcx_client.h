/* A mission critical user for tests of the daemon: libpocue with keys from the daemon's own KMS over HTTP. Asserts instead of
 * returning errors. */
#ifndef TESTS_UNIT_IO_MCX_CLIENT_H
#define TESTS_UNIT_IO_MCX_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ue/api/pocue.h"

#define MCX_CLIENT_BODY_MAX 8192u

typedef struct mcx_client {
    pocue *ue;
    char mc_id[64], impu[64], token[64];
    uint8_t body[MCX_CLIENT_BODY_MAX]; /* of the last upload or report */
    size_t body_len;
    char content_type[96];
    uint32_t csk_id; /* of the last upload */
} mcx_client;

int64_t mcx_client_now_ms(void);
/** "sip:NAME@mcptt.example" to the service, "sip:NAME@home1.example" to SIP, with the token "pass of NAME"; CSKs are for
 *  `server` of the KMS `kms_uri`. */
void mcx_client_make(mcx_client *c, const char *name, const char *server, const char *kms_uri);
void mcx_client_done(mcx_client *c);
/** The KMS's certificate, and keys of this period. */
void mcx_client_provision(mcx_client *c, uint16_t kms_port, const char *kms_uri);
/** A fresh CSK, sent at `when_ms`; its body stands in the client. */
void mcx_client_upload(mcx_client *c, int64_t when_ms);
/** What to answer to a MESSAGE of the server: the status. */
int mcx_client_message(mcx_client *c, const char *content_type, const char *body, size_t n);
/** Holds a MuSiK that is in force; its id, or 0. */
uint32_t mcx_client_musik(const mcx_client *c);
/** SHA-256 of its token in hex, as mcx.users wants it. */
void mcx_client_token_digest(const mcx_client *c, char out[65]);

#endif
