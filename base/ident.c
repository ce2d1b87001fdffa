#include "base/ident.h"

#include <string.h>

bool poc_key_domain_eq(poc_key_domain a, poc_key_domain b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

void poc_mki_write(uint8_t out[POC_MKI_LEN], poc_mki mki)
{
    poc_wr wr = poc_wr_into(out, POC_MKI_LEN);
    poc_wr_u32(&wr, mki.msk_id);
    poc_wr_u16(&wr, mki.mtk_id);
}

poc_mki poc_mki_read(const uint8_t in[POC_MKI_LEN])
{
    return (poc_mki){ (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3],
                      (uint16_t)(in[4] << 8 | in[5]) };
}
