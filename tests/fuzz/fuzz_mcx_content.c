/* Documents between a client and the core, from anybody: what is sealed opens to the same again, and what somebody without the key
 * calls encrypted does not open. */
#include <stdlib.h>
#include <string.h>

#include "pf/wire/mcx_content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static wire_mcx_keys keys_make(void)
{
    static const uint8_t octets[16] = { 7 };
    poc_secret *c, *i;
    if (poc_secret_from(&c, octets, sizeof(octets)) != POC_OK || poc_secret_from(&i, octets, sizeof(octets)) != POC_OK)
        abort();
    return (wire_mcx_keys){ 0x20000001, c, i };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t sealed[4 * WIRE_MCX_BODY_MAX], opened[4 * WIRE_MCX_BODY_MAX];
    poc_wr out = poc_wr_into(sealed, sizeof(sealed)), back = poc_wr_into(opened, sizeof(opened));
    const poc_span xml = poc_span_of(data, size);
    const wire_mcx_keys keys = keys_make();
    const wire_mcx_ring ring = { &keys, 1 };
    bool has_changed = false;
    const char *why;
    if (mcx_content_open(&out, xml, &ring, &has_changed, &why) == POC_OK && has_changed)
        abort();
    out = poc_wr_into(sealed, sizeof(sealed));
    if (mcx_content_seal(&out, xml, &keys, &poc_rng_system, &has_changed, &why) == POC_OK &&
        mcx_content_open(&back, poc_span_of(sealed, out.len), &ring, &has_changed, &why) == POC_OK &&
        !poc_span_eq(poc_span_of(opened, back.len), xml))
        abort();
    poc_secret_free((poc_secret *)(uintptr_t)keys.confidentiality);
    poc_secret_free((poc_secret *)(uintptr_t)keys.integrity);
    return 0;
}
