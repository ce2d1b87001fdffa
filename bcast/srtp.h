/* Private to the room: one MTK at work. A thin wrapper around a libsrtp2 session with AES_CM_128_HMAC_SHA1_80 for SRTP and
 * SRTCP (digest "GBA", 4.10). The MKI is written and found here: libsrtp never sees it, as the tag does not cover it
 * (RFC 3711 3.1). Nothing else includes libsrtp's headers. */
#ifndef BCAST_SRTP_H
#define BCAST_SRTP_H

#include "bcast/bcast.h"

#define BCAST_SRTP_TAG_LEN   10u
#define BCAST_SRTP_ROOM      (BCAST_PACKET_MAX + 144u) /* libsrtp may write its largest trailer behind a packet */
#define BCAST_SRTP_CLEAR_MAX (BCAST_PACKET_MAX - BCAST_OVERHEAD_MAX)
#define BCAST_SRTP_SSRC_MAX  64u /* senders under one MTK: bounds libsrtp's list of streams */

typedef struct bcast_srtp bcast_srtp;
typedef enum bcast_srtp_side { BCAST_SRTP_SENDS, BCAST_SRTP_RECEIVES } bcast_srtp_side;

/** `mtk` is MTK || salt (30 octets), or an MTK alone (16; the salt is then zero). libsrtp keeps session keys of its own
 *  inside and wipes them when freed; `mtk` is not needed afterwards. About 29 kB and 20 us on Debian's build (NSS). */
poc_err bcast_srtp_new(bcast_srtp **out, bcast_srtp_side side, const poc_secret *mtk, poc_mki mki);
void bcast_srtp_free(bcast_srtp *s);
POC_DEFINE_OWNED(bcast_srtp, bcast_srtp_free)
poc_mki bcast_srtp_mki(const bcast_srtp *s);

/** Protects in place: `*n` octets (at most BCAST_SRTP_CLEAR_MAX) at `buf`, which has BCAST_SRTP_ROOM octets and is
 *  aligned for uint32_t. Nothing may be sent of `buf` after an error. */
poc_err bcast_srtp_protect(bcast_srtp *s, bcast_flow flow, uint8_t *buf, size_t *n);
/** The reverse. POC_E_AUTH: tag, replay, or SRTCP in clear; POC_E_LIMIT: one SSRC too many; POC_E_INPUT. */
poc_err bcast_srtp_unprotect(bcast_srtp *s, bcast_flow flow, uint8_t *buf, size_t *n);
/** Reads the MKI from its place in a protected packet. POC_E_INPUT when that has no packet's shape or size. */
poc_err bcast_srtp_find_mki(poc_mki *out, bcast_flow flow, poc_span datagram);

#endif
