/* What protects a channel on air, seen the same way whether its key is an MSK (STKMs, SRTP, SRTCP) or a MuSiK (SRTCP). Private to
 * pf/io. */
#ifndef PF_IO_PROTECTION_H
#define PF_IO_PROTECTION_H

#include "pf/wire/air.h"

typedef struct protection protection;

typedef struct protection_settings {
    bcast_protector_settings msk; /* key_domain is the channel's */
    wire_mcx_air_settings musik;
} protection_settings;

/** For keys of the kind of `key`, which is not kept. Errors as of bcast_protector_new and wire_mcx_air_new. */
poc_err protection_new(protection **out, const protection_settings *settings, const bcast_channel *channel,
                       const bcast_msk *key, bcast_carrier carrier, const poc_rng *rng);
/** Keys wiped. NULL is fine. */
void protection_free(protection *p);
/** The first key, or the next one. POC_E_INPUT: of the other kind. */
poc_err protection_set_key(protection *p, int64_t now_ms, const bcast_msk *key);
void protection_gate(protection *p, int64_t now_ms, bool hold);
void protection_announce(protection *p, int64_t now_ms);
poc_err protection_send(protection *p, int64_t now_ms, bcast_flow flow, poc_span packet);
/** What is still to be said before the channel goes off air. */
void protection_end(protection *p, int64_t now_ms);
void protection_tick(protection *p, int64_t now_ms);
int64_t protection_deadline(const protection *p);
/** How many MTKs were made under which MSK; always 0 under a MuSiK. */
uint32_t protection_mtks(const protection *p, poc_msk_id *msk_id);

#endif
