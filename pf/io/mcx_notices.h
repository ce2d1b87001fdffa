/* Who is to be told of which bearers, and when: a client who does not answer an announcement is told again, later and later, and
 * then when he comes the next time. One who does not answer has one place among those under way, whatever he does. No socket
 * and no clock. Private to pf/io. */
#ifndef PF_IO_MCX_NOTICES_H
#define PF_IO_MCX_NOTICES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pf/wire/air.h"
#include "pf/wire/wire.h"

/** What is said of a bearer; many are told the same. */
typedef struct mcx_bulletin {
    size_t refs;
    mcx_service service;
    wire_mbms_announcement bearer; /* without areas: it is no more */
    uint8_t sdp[WIRE_MCX_SDP_MAX];
    size_t sdp_len;
} mcx_bulletin;

/** Of who made it with 1. */
void mcx_bulletin_unref(mcx_bulletin *b);

typedef struct mcx_notices mcx_notices;

typedef struct mcx_notices_rules {
    uint64_t seed;     /* random */
    uint32_t open_max; /* under way at one time */
    /** Sends it: mcx_notices_answered follows. POC_E_STATE: he cannot be told that any more; other errors: not now. */
    poc_err (*send)(void *user, const char *who, const mcx_bulletin *b);
    /** Is he still somebody? Asked about who has not answered for a day. */
    bool (*knows)(void *user, const char *who);
    void *user;
} mcx_notices_rules;

/** Nothing of it is called from inside `send` or `knows`. POC_E_NOMEM. */
poc_err mcx_notices_new(mcx_notices **out, const mcx_notices_rules *rules);
/** NULL is fine. */
void mcx_notices_free(mcx_notices *n);

/** He is to be told, as soon as mcx_notices_pump finds a place, and instead of whatever else was to be said to him of the same
 *  bearer. The bulletin is shared with the caller. POC_E_NOMEM. */
poc_err mcx_notices_put(mcx_notices *n, const char *who, mcx_bulletin *b);
/** Nothing that was still to be announced to him is, but for what is no more. */
void mcx_notices_drop(mcx_notices *n, const char *who);
/** He has just been heard of: what he did not answer he is told now. */
void mcx_notices_comes(mcx_notices *n, const char *who);
/** The end of a `send`, if it was the last one to him. */
void mcx_notices_answered(mcx_notices *n, int64_t now_ms, const char *who, bool ok);
/** Sends what there is a place for and what is due. For after each of the calls above, and at the deadline. */
void mcx_notices_pump(mcx_notices *n, int64_t now_ms);
/** INT64_MAX: never. */
int64_t mcx_notices_deadline_ms(const mcx_notices *n);

/** Who is under way, and who was not told everything. */
uint32_t mcx_notices_open(const mcx_notices *n);
size_t mcx_notices_waiting(const mcx_notices *n);

#endif
