/* Bodies of several parts (RFC 2045, 2046), as SIP carries them. */
#ifndef BASE_MIME_H
#define BASE_MIME_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

#define POC_PARTS_MAX 16u

/** One part; the spans point into what was read. */
typedef struct poc_part {
    poc_span type; /* "application/mikey": without parameters, as it stood */
    poc_span id;   /* Content-ID with its angle brackets; empty: none */
    bool is_base64;
    poc_span body; /* octet by octet; the line end before a delimiter belongs to the delimiter */
} poc_part;

typedef struct poc_parts {
    poc_part part[POC_PARTS_MAX];
    size_t count;
} poc_parts;

/** Takes a body apart by the value of its Content-Type; a body that is not multipart is the only part. Parts are not taken
 *  apart again. POC_E_INPUT: malformed, an unknown Content-Transfer-Encoding, or no closing delimiter; POC_E_LIMIT: more
 *  than POC_PARTS_MAX. `fault` (may be NULL) tells. */
poc_err poc_parts_read(poc_parts *out, poc_span content_type, poc_span body, poc_fault *fault);
/** The first part of this type (lower case), NULL: none. */
const poc_part *poc_part_of(const poc_parts *parts, const char *type);
/** Writes multipart/mixed: every part with `Content-Transfer-Encoding: binary`. `boundary` must not occur in any part:
 *  POC_E_INPUT when it does. */
poc_err poc_parts_write(poc_wr *out, const char *boundary, const poc_part *parts, size_t count);

#endif
