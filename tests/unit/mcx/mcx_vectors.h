/* tests/vectors/mikey-sakke.json as inputs of the room's door. */
#ifndef TESTS_UNIT_MCX_MCX_VECTORS_H
#define TESTS_UNIT_MCX_MCX_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mcx/mcx.h"
#include "tests/support/vectors.h"

/** A cmocka group set-up and tear-down: `*state` is the whole file. */
int mcx_vectors_open(void **state);
int mcx_vectors_close(void **state);

/** The list of messages of "ts33180_own" or "field_messages", and one of them by its name. */
const json_t *mcx_messages(const json_t *vectors, const char *family);
const json_t *mcx_message(const json_t *vectors, const char *family, const char *name);
/** The octets of either family. */
vec_bytes mcx_octets(const json_t *message);
/** A member of 4 octets in hex. */
uint32_t mcx_number(const json_t *object, const char *name);
poc_secret *mcx_secret(const json_t *object, const char *name);
static inline poc_span mcx_text(const json_t *object, const char *name)
{
    return poc_span_str(vec_text(object, name));
}

/** Chance that is known: what was queued comes out, and nothing else. */
typedef struct mcx_script {
    const uint8_t *octets;
    size_t left;
} mcx_script;
poc_rng mcx_script_rng(mcx_script *script);

#endif
