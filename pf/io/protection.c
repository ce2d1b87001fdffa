#include "pf/io/protection.h"

#include <stdlib.h>

struct protection {
    bcast_protector *msk; /* one of both */
    wire_mcx_air *musik;
};

static bool is_musik(const bcast_msk *key)
{
    return key->cs_id != 0;
}

poc_err protection_new(protection **out, const protection_settings *settings, const bcast_channel *channel,
                       const bcast_msk *key, bcast_carrier carrier, const poc_rng *rng)
{
    bcast_protector_settings msk = settings->msk;
    protection *p = (protection *)calloc(1, sizeof(*p));
    *out = NULL;
    if (p == NULL)
        return POC_E_NOMEM;
    msk.key_domain = channel->key_domain;
    poc_err err = is_musik(key) ? wire_mcx_air_new(&p->musik, &settings->musik, channel, carrier, rng)
                                : bcast_protector_new(&p->msk, &msk, carrier, rng);
    if (err != POC_OK) {
        free(p);
        return err;
    }
    *out = p;
    return POC_OK;
}

void protection_free(protection *p)
{
    if (p == NULL)
        return;
    bcast_protector_free(p->msk);
    wire_mcx_air_free(p->musik);
    free(p);
}

poc_err protection_set_key(protection *p, int64_t now_ms, const bcast_msk *key)
{
    if (is_musik(key) != (p->musik != NULL))
        return POC_E_INPUT;
    return p->musik != NULL ? wire_mcx_air_set_musik(p->musik, now_ms, key)
                            : bcast_protector_set_msk(p->msk, now_ms, key);
}

void protection_gate(protection *p, int64_t now_ms, bool hold)
{
    if (p->musik != NULL)
        wire_mcx_air_gate(p->musik, now_ms, hold);
    else
        bcast_protector_gate(p->msk, now_ms, hold);
}

void protection_announce(protection *p, int64_t now_ms)
{
    if (p->musik != NULL)
        wire_mcx_air_announce(p->musik, now_ms);
    else
        bcast_protector_announce(p->msk, now_ms);
}

poc_err protection_send(protection *p, int64_t now_ms, bcast_flow flow, poc_span packet)
{
    return p->musik != NULL ? wire_mcx_air_send(p->musik, now_ms, flow, packet)
                            : bcast_protector_send(p->msk, now_ms, flow, packet);
}

void protection_end(protection *p, int64_t now_ms)
{
    if (p->musik != NULL)
        wire_mcx_air_unmap(p->musik, now_ms);
}

void protection_tick(protection *p, int64_t now_ms)
{
    if (p->musik != NULL)
        wire_mcx_air_tick(p->musik, now_ms);
    else
        bcast_protector_tick(p->msk, now_ms);
}

int64_t protection_deadline(const protection *p)
{
    return p->musik != NULL ? wire_mcx_air_deadline(p->musik) : bcast_protector_deadline(p->msk);
}

uint32_t protection_mtks(const protection *p, poc_msk_id *msk_id)
{
    *msk_id = 0;
    if (p->msk == NULL)
        return 0;
    const bcast_protector_stats stats = bcast_protector_look(p->msk);
    *msk_id = stats.mki.msk_id;
    return stats.mtks;
}
