/* Text forms of octets: hex, base64, addresses, URIs, times. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"

/** Lower-case hex of `in` at the end of `wr`. */
void poc_hex_put(poc_wr *wr, poc_span in);
/** Decodes hex of either case, no white space. `*out_len` octets are written to `out` (room for `cap`).
 *  POC_E_INPUT on a foreign character or an odd count, POC_E_LIMIT when it does not fit. */
poc_err poc_hex_get(void *out, size_t cap, size_t *out_len, poc_span text);
/** Exactly `n` octets of hex, else POC_E_INPUT. */
poc_err poc_hex_get_exact(void *out, size_t n, poc_span text);

/** Octets of the base64 text of n octets, without terminator. */
#define POC_BASE64_LEN(n) ((((n) + 2) / 3) * 4)
/** Standard alphabet with padding, one line. Runs in time that does not depend on the octets. */
void poc_base64_put(poc_wr *wr, poc_span in);
/** Strict: standard alphabet, padding, no white space, no stray bits. POC_E_INPUT, POC_E_LIMIT. */
poc_err poc_base64_get(void *out, size_t cap, size_t *out_len, poc_span text);

/** A number in decimal. */
void poc_dec_put(poc_wr *wr, uint64_t v);
/** A decimal number of at most `max`, digits only. */
poc_err poc_u64_get(uint64_t *out, uint64_t max, poc_span text);

/** Splits at the next `sep`: returns what stands before it and moves `rest` behind it (or to the empty end). */
poc_span poc_split(poc_span *rest, char sep);
/** The next line without its end, LF or CR LF; false at the end of the text. */
bool poc_line_next(poc_span *rest, poc_span *line);
/** Without white space (space, tab, CR, LF) at both ends. */
poc_span poc_trim(poc_span text);

#define POC_URI_MAX 256u
/** The form of a SIP URI by which users are told apart: `sip:user@host` with scheme and host in lower case, escapes of
 *  unreserved characters resolved, no parameters, headers or display name; `tel:` URIs without visual separators. Takes
 *  `<uri>` and bare forms. Writes a terminator. POC_E_INPUT, POC_E_LIMIT. */
poc_err poc_uri_canonical(char out[POC_URI_MAX], poc_span uri);

/** Parses a numeric IPv4 or IPv6 address (without port, without brackets). */
poc_err poc_addr_parse(struct sockaddr_storage *out, poc_span host, uint16_t port);
/** "192.0.2.1" or "2001:db8::1", without port. */
void poc_addr_put(poc_wr *wr, const struct sockaddr *addr);
/** Octets that a socket call wants to hear for this family. */
socklen_t poc_addr_len(const struct sockaddr *addr);
uint16_t poc_addr_port(const struct sockaddr *addr);
void poc_addr_set_port(struct sockaddr *addr, uint16_t port);
/** Same family, address and port. */
bool poc_addr_eq(const struct sockaddr *a, const struct sockaddr *b);
/** 224/4 or ff00::/8. */
bool poc_addr_is_multicast(const struct sockaddr *addr);

/** xs:dateTime in UTC, "2030-01-01T00:00:00Z". */
void poc_time_put(poc_wr *wr, int64_t unix_s);
poc_err poc_time_get(int64_t *unix_s, poc_span text);

#endif
