#include "pf/io/mcx_floor.h"

#include <stdlib.h>
#include <string.h>

/** Whose session it is. */
typedef struct guarded {
    wire_mcx_floor *floor;
    char user[];
} guarded;

static poc_err guard_open(void *ctx, int64_t now_ms, poc_wr *out, poc_span packet)
{
    const guarded *g = (const guarded *)ctx;
    return wire_mcx_floor_open(g->floor, now_ms, g->user, out, packet);
}

static poc_err guard_seal(void *ctx, int64_t now_ms, poc_wr *out, poc_span packet)
{
    const guarded *g = (const guarded *)ctx;
    return wire_mcx_floor_seal(g->floor, now_ms, g->user, out, packet);
}

static const relay_guard guard = { .open = guard_open, .seal = guard_seal, .done = free };

poc_err mcx_floor_guard(wire_mcx_floor *floor, relay_session *session, const char *user, bool is_registered)
{
    const size_t n = strlen(user) + 1;
    if (!is_registered && !wire_mcx_floor_has(floor, user))
        return POC_E_STATE;
    guarded *g = (guarded *)calloc(1, sizeof(*g) + n);
    if (g == NULL)
        return POC_E_NOMEM;
    g->floor = floor;
    memcpy(g->user, user, n);
    relay_session_guard(session, &guard, g);
    return POC_OK;
}
