/* What the id of a key says (TS 33.180 Annex G, E.1.3). */
#include "mcx/mcx.h"

#define TAG_SHIFT 28
#define ID_MASK   0x0fffffffu
#define NO_CS     0xffu

static const struct {
    const char *name;
    uint8_t cs_id[MCX_SERVICES];
} types[MCX_KEY_TYPES] = {
    [MCX_GMK] = { "GMK", { 4, 5 } },           [MCX_PCK] = { "PCK", { 0, 2 } },
    [MCX_CSK] = { "CSK", { 6, 8 } },           [MCX_SPK] = { "SPK", { NO_CS, NO_CS } },
    [MCX_MKFC] = { "MKFC", { NO_CS, NO_CS } }, [MCX_MSCCK] = { "MSCCK", { NO_CS, NO_CS } },
    [MCX_MUSIK] = { "MuSiK", { 7, 9 } },
};

poc_err mcx_key_type_of(mcx_key_type *out, uint32_t key_id)
{
    const uint32_t tag = key_id >> TAG_SHIFT;
    if (tag >= MCX_KEY_TYPES)
        return POC_E_INPUT;
    *out = (mcx_key_type)tag;
    return POC_OK;
}

const char *mcx_key_type_name(unsigned type)
{
    return type < MCX_KEY_TYPES ? types[type].name : "unknown";
}

poc_err mcx_key_id_random(uint32_t *out, mcx_key_type type, const poc_rng *rng)
{
    uint32_t id;
    POC_TRY(rng->fill(rng->ctx, &id, sizeof(id)));
    *out = (uint32_t)type << TAG_SHIFT | (id & ID_MASK);
    return POC_OK;
}

poc_err mcx_cs_id_of(uint8_t *out, mcx_key_type type, mcx_service service)
{
    if (types[type].cs_id[service] == NO_CS)
        return POC_E_INPUT;
    *out = types[type].cs_id[service];
    return POC_OK;
}
