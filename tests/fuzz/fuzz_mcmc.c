/* MapGroupToBearer from anybody: what can be read is written again to something that reads the same. */
#include <stdlib.h>
#include <string.h>

#include "mcx/mcx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const mcx_mcmc *a, const mcx_mcmc *b)
{
    if (a->service != b->service || a->type != b->type || a->ssrc != b->ssrc || !poc_span_eq(a->group, b->group))
        return false;
    if (a->type == MCX_MCMC_UNMAP)
        return true;
    return a->has_tmgi == b->has_tmgi && memcmp(a->tmgi, b->tmgi, MCX_TMGI_LEN) == 0 &&
           a->audio_line == b->audio_line && a->floor_line == b->floor_line && a->video_line == b->video_line &&
           a->fec_line == b->fec_line && a->video_port == b->video_port && a->fec_port == b->fec_port &&
           a->audio_port == b->audio_port && a->floor_port == b->floor_port && a->address_len == b->address_len &&
           memcmp(a->address, b->address, a->address_len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t octets[MCX_MCMC_MAX];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    mcx_mcmc msg, again;
    poc_fault fault;
    if (mcx_mcmc_read(&msg, poc_span_of(data, size), &fault) != POC_OK)
        return 0;
    if (mcx_mcmc_write(&wr, &msg) != POC_OK || mcx_mcmc_read(&again, poc_span_of(octets, wr.len), &fault) != POC_OK ||
        !is_same(&msg, &again))
        abort();
    return 0;
}
