/* How often each source did something within the running second: what bounds the work that one peer can cause. Bounded
 * memory, nothing to sweep. Private to pf/io. */
#ifndef PF_IO_SOURCES_H
#define PF_IO_SOURCES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"

typedef struct sources sources;

poc_err sources_new(sources **out);
/** NULL is fine. */
void sources_free(sources *s);

/** What identifies a host: its IPv4 address, also when mapped into IPv6; of IPv6 the network, since a host has its pick of the
 *  rest. Points into `addr`; empty for another family. */
poc_span sources_host(const struct sockaddr *addr);
/** One more of `who`: returns how many that makes within this second. */
uint32_t sources_add(sources *s, poc_span who, int64_t now_s);
/** The same of whoever sends from `from`: may it, at most so many times within a second? 0: without bound, not counted; a source
 *  that is not known (NULL) may. */
bool sources_may(sources *s, const struct sockaddr *from, uint32_t at_most, int64_t now_s);
/** As sources_add without counting. */
uint32_t sources_look(const sources *s, poc_span who, int64_t now_s);

#endif
