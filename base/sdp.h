/* Reading session descriptions (RFC 8866) into a bounded plain struct of spans. What the lines mean is decided above. */
#ifndef BASE_SDP_H
#define BASE_SDP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define POC_SDP_MEDIA_MAX 16u
#define POC_SDP_MAX       16384u /* octets of one description */

typedef enum poc_sdp_direction {
    POC_SDP_SENDRECV,
    POC_SDP_SENDONLY,
    POC_SDP_RECVONLY,
    POC_SDP_INACTIVE
} poc_sdp_direction;

/** A c= line: address without suffix; `ttl` -1 when absent; `count` 1 when absent. */
typedef struct poc_sdp_conn {
    bool present;
    bool is_ip6;
    poc_span address;
    int ttl;
    unsigned count;
} poc_sdp_conn;

typedef struct poc_sdp_media {
    poc_span type; /* "audio" */
    uint16_t port;
    poc_span proto;    /* "RTP/SAVP" */
    poc_span formats;  /* "97 0" as written */
    poc_sdp_conn conn; /* its own, else the session's */
    poc_span lines;    /* everything between this m= line and the next */
} poc_sdp_media;

typedef struct poc_sdp {
    poc_span user, session_id, session_version, origin_address;
    poc_sdp_conn conn;
    poc_span lines; /* everything before the first m= line */
    poc_sdp_media media[POC_SDP_MEDIA_MAX];
    size_t media_count;
} poc_sdp;

/** Spans point into `text`. LF or CRLF. POC_E_INPUT with `fault` (may be NULL) filled, POC_E_LIMIT. */
poc_err poc_sdp_parse(poc_sdp *out, poc_span text, poc_fault *fault);
/** The next `a=name` or `a=name:value` in `*lines`, which moves behind it; `value` is empty without a colon. */
bool poc_sdp_attr_next(poc_span *lines, const char *name, poc_span *value);
/** The first one. */
bool poc_sdp_attr(poc_span lines, const char *name, poc_span *value);
/** The media-level direction, else the session-level one, else sendrecv. */
poc_sdp_direction poc_sdp_direction_of(const poc_sdp *sdp, const poc_sdp_media *media);
/** "sendrecv", "sendonly", ... */
const char *poc_sdp_direction_name(poc_sdp_direction direction);

#endif
