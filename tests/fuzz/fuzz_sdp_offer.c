/* Any octets as an offer of the PF to a client without keys, and as the answer to its own. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ue/api/pocue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static poc_err fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 7, n);
    return POC_OK;
}

static pocue *client(pocue_local *local)
{
    pocue *ue;
    const poc_rng rng = { fill, NULL };
    const pocue_settings s = { .impu = "sip:alice@home1.example",
                               .impi = "alice@home1.example",
                               .bsf_fqdn = "bsf.home1.example",
                               .naf_fqdn = "pf1.poc.example.org",
                               .ua_id = { 1, 0, 0, 0, 1 },
                               .multicast_capable = true };
    (void)poc_addr_parse(&local->audio, poc_span_str("198.51.100.21"), 45200);
    (void)poc_addr_parse(&local->floor, poc_span_str("198.51.100.21"), 45300);
    if (pocue_new(&ue, &s, &rng) != POC_OK)
        abort();
    return ue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[65536], again[65536];
    pocue_local local;
    pocue_reply reply;
    pocue *ue = client(&local);
    poc_span text = poc_span_of(data, size);
    poc_wr wr = poc_wr_into(answer, sizeof(answer));
    if (pocue_offer_read(ue, 1000, &local, text, &wr, &reply) == POC_OK) {
        if (reply.status != 200 && (reply.status != 488 || reply.warning == NULL || wr.len != 0))
            abort();
        if (pocue_msks(ue, NULL, 0) != 0)
            abort();
        poc_wr second = poc_wr_into(again, sizeof(again));
        if (reply.status == 200 && (pocue_offer_read(ue, 1000, &local, text, &second, &reply) != POC_OK ||
                                    wr.len != second.len || memcmp(answer, again, wr.len) != 0))
            abort();
    }
    wr = poc_wr_into(answer, sizeof(answer));
    (void)pocue_offer_write(ue, &local, &wr);
    (void)pocue_answer_read(ue, text);
    pocue_free(ue);
    return 0;
}
