/* Reading tests/vectors/NAME: every helper stops the test program with a message when a name or a hex string is wrong. */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include <jansson.h>

#include "base/bytes.h"

typedef struct vec_bytes {
    uint8_t b[2304];
    size_t n;
} vec_bytes;

/** The whole file, owned by the caller (json_decref). */
json_t *vec_load(const char *path);
/** A text member, borrowed. */
const char *vec_text(const json_t *object, const char *name);
/** A member in hex. */
vec_bytes vec_hex(const json_t *object, const char *name);
/** The element of `list` whose "id" is `id`. */
const json_t *vec_by_id(const json_t *list, const char *id);
bool vec_has(const json_t *object, const char *name);

static inline poc_span vec_span(const vec_bytes *v)
{
    return poc_span_of(v->b, v->n);
}

#endif
