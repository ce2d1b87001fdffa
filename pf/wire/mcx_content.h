/* MCX documents whose protection ends here. Private to the room. */
#ifndef PF_WIRE_MCX_CONTENT_H
#define PF_WIRE_MCX_CONTENT_H

#include "pf/wire/mcx.h"

/** Writes a document of UTF-8 again (no DTD, no entities, at most WIRE_MCX_BODY_MAX octets), with what was encrypted under a key of
 *  the ring in clear. POC_E_INPUT: malformed; POC_E_AUTH: encrypted under another key, or not with it; POC_E_LIMIT, POC_E_NOMEM. `why`
 *  gets a constant text. */
poc_err mcx_content_open(poc_wr *out, poc_span xml, const wire_mcx_ring *ring, bool *has_changed, const char **why);
/** The reverse: every element of type Normal is encrypted. POC_E_IO: `rng`. */
poc_err mcx_content_seal(poc_wr *out, poc_span xml, const wire_mcx_keys *keys, const poc_rng *rng, bool *has_changed,
                         const char **why);

#endif
