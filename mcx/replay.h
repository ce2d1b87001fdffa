/* The replay cache as the opening of messages uses it; private to this room. */
#ifndef MCX_REPLAY_H
#define MCX_REPLAY_H

#include "mcx/mcx.h"

/** What tells one message from another. */
typedef struct mcx_replay_key {
    const uint8_t *sender; /* UID */
    uint32_t csb_id;
    uint64_t ntp; /* seconds modulo 2^40 || the upper 24 bits of the fraction: ordered across 2036 */
    poc_span rand;
} mcx_replay_key;

/** POC_E_AUTH with the reason: repeated, or older than it may be. Changes nothing. */
poc_err mcx_replay_check(const mcx_replay *r, const mcx_replay_key *key, const char **why);
/** Remembers an accepted message until `until_s`, as long as it would pass for fresh. Nothing is remembered on error. */
poc_err mcx_replay_remember(mcx_replay *r, const mcx_replay_key *key, uint64_t now_s, uint64_t until_s);

#endif
