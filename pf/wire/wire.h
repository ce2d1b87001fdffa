/* What the PF writes and reads as text: session descriptions (RFC 8866, 3264, 4567, 4570, 5159) and conference-info
 * documents (RFC 4575). Pure: text and plain values, no sockets; the daemon and the simulated world use the same. */
#ifndef PF_WIRE_WIRE_H
#define PF_WIRE_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/sdp.h"
#include "bcast/enabler.h"
#include "pocpf/pocpf.h"

#define WIRE_LINES_MAX 2048u /* octets of the lines of one m-line that are passed on */

/** A client's or the CF's unicast description: one audio and at most one floor line are used, others are refused. */
typedef struct wire_unicast {
    struct sockaddr_storage audio, floor; /* where the peer receives; family 0: absent or port 0 */
    char audio_proto[32];                 /* "RTP/AVP" */
    char audio_formats[64];               /* "97 0" */
    char audio_lines[WIRE_LINES_MAX];     /* rtpmap, fmtp, ptime, maxptime and b= lines, passed on; CRLF ends */
    char floor_lines[512];                /* fmtp:TBCP ... */
    poc_sdp_direction direction;
    bool multicast_capable; /* a=bcastversion */
    bool multicast_refused; /* the multicast lines are there with port 0 (client lost or gave up the bearer) */
    bool plain_order;   /* the audio line is the first m-line, the floor line the second, and no unicast line follows:
                               only then the five m-lines of wire_offer_write continue this description (RFC 3264, 8) */
    size_t media_count; /* m-lines of the description */
} wire_unicast;

/** Reads an offer or answer. POC_E_INPUT: malformed; POC_E_DENIED: no usable audio line (488). */
poc_err wire_unicast_read(wire_unicast *out, poc_span sdp, poc_fault *fault);

/** The PF's side of one leg: what it says about itself. */
typedef struct wire_local {
    const struct sockaddr *audio, *floor; /* the PF's own receiving addresses towards this peer */
    uint64_t session_id;
    uint64_t version; /* o= version: one more for every changed description */
} wire_local;

/** A plain unicast description: `peer`'s formats with the PF's addresses (the other leg's offer or answer). */
poc_err wire_unicast_write(poc_wr *out, const wire_local *local, const wire_unicast *formats, bool bcastversion);

/** The answer to `offer` (a client's or the CF's own): its m-lines in its order. The first audio and the first floor line get
 *  the PF's addresses and `formats` (the other leg's description), lines of `channel` (may be NULL) are accepted as they
 *  stand when group and port are right, everything else gets port 0. POC_E_INPUT: `offer` is malformed. */
poc_err wire_answer_write(poc_wr *out, const wire_local *local, poc_span offer, const wire_unicast *formats,
                          const bcast_channel *channel);

/** The offer with five m-lines: unicast audio and floor, then multicast audio (RTP/SAVP), floor and STKM. `mikey` goes as
 *  a=key-mgmt on the STKM line. With `mikey` empty the three multicast lines have port 0 (WITHDRAW). */
poc_err wire_offer_write(poc_wr *out, const wire_local *local, const wire_unicast *formats,
                         const bcast_channel *channel, poc_span mikey);

/** Checks the answer to wire_offer_write: same group, ports and directions. `verification` receives the decoded MIKEY
 *  message (n 0 when absent) and points into `room`. `why` gets a constant text unless ACCEPTED. */
pocpf_answer wire_answer_check(poc_span sdp, const bcast_channel *channel, uint8_t *room, size_t cap,
                               poc_span *verification, const char **why);

typedef struct wire_conference wire_conference;

/** Parses application/conference-info+xml (no DTD, no entities, at most 1 MiB, depth 16; any prefix; foreign elements
 *  ignored). POC_E_INPUT with a reason, POC_E_LIMIT, POC_E_NOMEM. */
poc_err wire_conference_read(wire_conference **out, poc_span xml, const char **why);
/** Borrowed from `c`. */
const pocpf_conference *wire_conference_document(const wire_conference *c);
void wire_conference_free(wire_conference *c);
POC_DEFINE_OWNED(wire_conference, wire_conference_free)

/* ---- bodies of several parts (RFC 2045, 2046), as SIP carries them ---- */

#define WIRE_PARTS_MAX 16u

/** One part; the spans point into what was read. */
typedef struct wire_part {
    poc_span type; /* "application/mikey": without parameters, as it stood */
    poc_span id;   /* Content-ID with its angle brackets; empty: none */
    bool is_base64;
    poc_span body; /* octet by octet; the line end before a delimiter belongs to the delimiter */
} wire_part;

typedef struct wire_parts {
    wire_part part[WIRE_PARTS_MAX];
    size_t count;
} wire_parts;

/** Takes a body apart by the value of its Content-Type; a body that is not multipart is the only part. Parts are not taken
 *  apart again. POC_E_INPUT: malformed, an unknown Content-Transfer-Encoding, or no closing delimiter; POC_E_LIMIT: more
 *  than WIRE_PARTS_MAX. `fault` (may be NULL) tells. */
poc_err wire_parts_read(wire_parts *out, poc_span content_type, poc_span body, poc_fault *fault);
/** The first part of this type (lower case), NULL: none. */
const wire_part *wire_part_of(const wire_parts *parts, const char *type);
/** Writes multipart/mixed: every part with `Content-Transfer-Encoding: binary`. `boundary` must not occur in any part:
 *  POC_E_INPUT when it does. */
poc_err wire_parts_write(poc_wr *out, const char *boundary, const wire_part *parts, size_t count);

#endif
