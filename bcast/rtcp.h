/* Private to the room: just enough of RTCP to know a floor packet when one comes in. */
#ifndef BCAST_RTCP_H
#define BCAST_RTCP_H

#include "base/bytes.h"
#include "base/err.h"

/** Checks that `packet` is one or more whole RTCP packets (RFC 3550 6.1: version, type range, lengths that add up) and
 *  gives the SSRC of the first. */
poc_err bcast_rtcp_check(uint32_t *ssrc, poc_span packet);

#endif
