/* What an m-line of a description is to us. Private to the room. */
#ifndef PF_WIRE_LINES_H
#define PF_WIRE_LINES_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/sdp.h"
#include "pf/wire/wire.h"

#define WIRE_STKM_FORMAT "vnd.oma.bcast.stkm"

typedef enum wire_line_kind { WIRE_LINE_OTHER, WIRE_LINE_AUDIO, WIRE_LINE_FLOOR, WIRE_LINE_STKM } wire_line_kind;

/** By media type, protocol and format; says nothing about address or port. */
wire_line_kind wire_line_kind_of(const poc_sdp_media *media);
/** Belongs to a multicast channel: STKM, SAVP, or a group address. `kind` is its kind. */
bool wire_line_is_multicast(const poc_sdp_media *media, wire_line_kind kind);
/** What wire_unicast_read makes of a description that is parsed: `text` parsed is `sdp`. */
poc_err wire_unicast_of(wire_unicast *out, const poc_sdp *sdp, poc_span text, poc_fault *fault);

/** v= to t=, and a=bcastversion when asked for. */
void wire_head_put(poc_wr *out, const wire_local *local, bool bcastversion);
/** The two unicast m-lines with what belongs to them. */
void wire_audio_put(poc_wr *out, const wire_local *local, const wire_unicast *formats, poc_sdp_direction direction);
void wire_floor_put(poc_wr *out, unsigned port, const wire_unicast *formats);

#endif
