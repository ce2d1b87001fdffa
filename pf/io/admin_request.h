/* A request to the operator's door before anybody acts on it: which route, and does its body have the fields the route
 * wants. Octets in, plain values out. Private to pf/io. */
#ifndef PF_IO_ADMIN_REQUEST_H
#define PF_IO_ADMIN_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

#define ADMIN_BODY_MAX    16384u
#define ADMIN_SEGMENT_MAX 64u
#define ADMIN_NUMBERS_MAX 2u
#define ADMIN_WHY_MAX     128u

struct admin_call;

/** A row of the table of routes. */
typedef struct admin_route {
    const char *method;
    const char *pattern;                    /* "/v1/channels/(id)": parentheses stand for one segment */
    const char *numbers[ADMIN_NUMBERS_MAX]; /* arguments behind "?", all optional decimal numbers */
    const char *field;                      /* the one text that the JSON body must have; NULL: no body, or {} */
    bool may_lack_it;                       /* the field: then no body, or {} */
    struct json_t *(*handle)(struct admin_call *call);
} admin_route;

/** True when `path` has the form of `pattern`; what stands for the parentheses is in `segment`. */
bool admin_path_fits(const char *pattern, const char *path, char segment[ADMIN_SEGMENT_MAX]);
/** Reads a body: a JSON object with the text `field` and nothing else; with `field` NULL, or when it may be lacking, also
 *  nothing or an empty object.
 *  `*out` is owned by the caller, NULL for no body. POC_E_INPUT: `why` tells. */
poc_err admin_body_read(json_t **out, poc_span body, const char *field, bool may_lack_it, char why[ADMIN_WHY_MAX]);

#endif
