/* Control packets from anybody: as they came they cannot be authentic; as a clear packet to be protected, what comes out opens
 * again to the same octets, once. */
#include <stdlib.h>
#include <string.h>

#include "mcx/mcx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static mcx_srtcp *side_new(void)
{
    static const uint8_t octets[16] = { 7 }, rand[MIKEY_RAND_LEN] = { 9 };
    const mcx_srtp_context context = { .csb_id = 0x20000001, .cs_id = 6, .rand = poc_span_of(rand, sizeof(rand)) };
    poc_secret *key;
    mcx_srtcp *s;
    if (poc_secret_from(&key, octets, sizeof(octets)) != POC_OK ||
        mcx_srtcp_new(&s, key, &context, &mcx_aes128_gcm) != POC_OK)
        abort();
    poc_secret_free(key);
    return s;
}

static void foreign_try(mcx_srtcp *s, const uint8_t *data, size_t size)
{
    uint8_t copy[MCX_SRTCP_MAX], out[MCX_SRTCP_MAX];
    size_t n;
    if (size > sizeof(copy))
        return;
    memcpy(copy, data, size);
    if (mcx_srtcp_unprotect(s, out, &n, poc_span_of(copy, size)) == POC_OK)
        abort();
    /* The same with the MKI of the key, so that its tag is looked at. */
    if (size < 4)
        return;
    poc_wr mki = poc_wr_into(copy + size - 4, 4);
    poc_wr_u32(&mki, 0x20000001);
    if (mcx_srtcp_unprotect(s, out, &n, poc_span_of(copy, size)) == POC_OK)
        abort();
}

static void own_try(mcx_srtcp *from, mcx_srtcp *to, poc_span clear)
{
    uint8_t sealed[MCX_SRTCP_MAX], out[MCX_SRTCP_MAX];
    poc_wr wr = poc_wr_into(sealed, sizeof(sealed));
    size_t n;
    if (mcx_srtcp_protect(from, &wr, clear) != POC_OK)
        return;
    const poc_span packet = poc_span_of(sealed, wr.len);
    if (mcx_srtcp_unprotect(to, out, &n, packet) != POC_OK || !poc_span_eq(poc_span_of(out, n), clear) ||
        mcx_srtcp_unprotect(to, out, &n, packet) != POC_E_AUTH)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mcx_srtcp *a = side_new(), *b = side_new();
    foreign_try(b, data, size);
    own_try(a, b, poc_span_of(data, size));
    mcx_srtcp_free(a);
    mcx_srtcp_free(b);
    return 0;
}
