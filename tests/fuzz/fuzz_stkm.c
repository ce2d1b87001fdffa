/* What the STKM port of a channel may be sent: any octets, to a receiver that holds the MSK of the vectors. */
#include <stdlib.h>
#include <string.h>

#include "bcast/bcast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* MSK, RAND and CSB ID of the vector "mtk-stream": its seed is accepted, and mutations start from there. */
static bcast_receiver *receiver_of_the_vectors(void)
{
    static const uint8_t key[POC_MSK_LEN] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                              0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
    bcast_msk msk = { .key_domain = { { 0x00, 0xf1, 0x10 } }, .id = 0x10010001, .seq_high = 100, .rand_len = 16 };
    bcast_receiver *r;
    for (uint8_t i = 0; i < 16; i++)
        msk.rand[i] = (uint8_t)(0xa0 + i);
    if (poc_secret_from(&msk.key, key, sizeof(key)) != POC_OK || bcast_receiver_new(&r, msk.key_domain) != POC_OK ||
        bcast_receiver_add_msk(r, &msk) != POC_OK)
        abort();
    poc_secret_free(msk.key);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bcast_receiver *r = receiver_of_the_vectors();
    poc_mki mki, again;
    bcast_stkm_result first = bcast_receiver_stkm(r, poc_span_of(data, n), &mki);
    bcast_stkm_result second = bcast_receiver_stkm(r, poc_span_of(data, n), &again);
    /* The same datagram is never news twice, and what is refused once stays refused. */
    if (second != (first == BCAST_STKM_NEW ? BCAST_STKM_DUPLICATE : first) || !poc_mki_eq(mki, again))
        abort();
    bcast_receiver_free(r);
    return 0;
}
