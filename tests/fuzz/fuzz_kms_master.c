/* Any octets as the secrets of a KMS: what is taken is written and read again the same, and what is refused leaves nothing. */
#include <stdlib.h>
#include <string.h>

#include "mcx/mcx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mcx_kms_master first, again;
    uint8_t text[2048];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (mcx_kms_master_read(&first, poc_span_of(size == 0 ? (const uint8_t *)"" : data, size)) != POC_OK) {
        must(poc_secret_live_count() == 0);
        return 0;
    }
    must(mcx_kms_master_put(&wr, &first) == POC_OK);
    must(mcx_kms_master_read(&again, poc_span_of(text, wr.len)) == POC_OK);
    must(strcmp(first.kms_uri, again.kms_uri) == 0 && first.period_s == again.period_s &&
         first.offset_s == again.offset_s && poc_secret_eq(first.z, again.z) && poc_secret_eq(first.ksak, again.ksak));
    mcx_kms_master_done(&first);
    mcx_kms_master_done(&again);
    must(poc_secret_live_count() == 0);
    return 0;
}
