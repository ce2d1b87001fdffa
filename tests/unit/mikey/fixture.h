/* The MIKEY messages of tests/vectors/gba-mbms-mikey.json as inputs of the room's door. */
#ifndef TESTS_UNIT_MIKEY_FIXTURE_H
#define TESTS_UNIT_MIKEY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mikey/mikey.h"
#include "tests/support/vectors.h"

#define MSK_VECTORS 9u /* the first nine of mikey_messages are MSK messages */

typedef struct msk_vector {
    vec_bytes message, idi, idr;
    mikey_msk_params params;
    poc_secret *muk, *msk;
    uint32_t counter;
} msk_vector;

extern const char *const msk_vector_ids[MSK_VECTORS];

/** A cmocka group set-up and tear-down: `*state` is the whole file. */
int vectors_open(void **state);
int vectors_close(void **state);

/** The message entry whose id is `id`. */
const json_t *message_entry(const json_t *vectors, const char *id);
vec_bytes message_octets(const json_t *vectors, const char *id);

/** `v` must not move: its params point into it. */
void msk_vector_init(msk_vector *v, const json_t *vectors, const char *id);
void msk_vector_done(msk_vector *v);

/** Seals for one member into `out`, MIKEY_MESSAGE_MAX octets; returns the length. */
size_t seal_one(const msk_vector *v, uint8_t *out);

poc_secret *secret_member(const json_t *object, const char *name);

#endif
