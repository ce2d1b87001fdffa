/* The conference-info documents (RFC 4575) that the stand-in focus sends. */
#ifndef TESTS_HARNESS_CF_ROSTER_H
#define TESTS_HARNESS_CF_ROSTER_H

#include <stdint.h>

#include "base/bytes.h"

typedef struct cf_row {
    const char *user;
    const char *status; /* "connected", "disconnected" */
    const char *method; /* disconnection-method, or NULL */
    const char *by;     /* or NULL */
} cf_row;

/** `state` is "full", "partial" or "deleted". Writes a terminator; overflow sticks in `wr`. */
void cf_roster_write(poc_wr *wr, const char *entity, const char *state, uint32_t version, const cf_row *rows, size_t n,
                     size_t user_count);

#endif
