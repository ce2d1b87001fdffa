/* What tells a client about a bearer: any octets as the body of a MESSAGE (the first line is its Content-Type, '+' before it: of
 * MCVideo). */
#include <stdlib.h>
#include <string.h>

#include "ue/api/pocue.h"
#include "ue/core/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1772323200000)

static void bearer_check(const ue_mcx_bearer *b)
{
    const bcast_channel *c = &b->channel;
    if (b->area_count > UE_MCX_AREAS_MAX || strlen(c->id) != 2 * UE_MCX_TMGI_LEN)
        abort();
    if (!b->has_channel)
        return;
    if (!poc_addr_is_multicast((const struct sockaddr *)&c->group) || c->port[BCAST_FLOW_FLOOR] == 0 ||
        c->port[BCAST_FLOW_FLOOR] == c->port[BCAST_FLOW_RTP] || c->port[BCAST_FLOW_STKM] != 0)
        abort();
}

static pocue *client(void)
{
    static const pocue_mcx_server server = { "mcx.example.org", "kms.example.org" };
    const pocue_settings settings = { .impu = "sip:alice@home1.example",
                                      .impi = "alice@home1.example",
                                      .bsf_fqdn = "bsf.example",
                                      .naf_fqdn = "pf.example" };
    const pocue_mcx_settings mcx = { .mc_id = "sip:alice@mcptt.example.org", .servers = &server, .server_count = 1 };
    pocue *ue;
    if (pocue_new(&ue, &settings, &poc_rng_system) != POC_OK || pocue_mcx_start(ue, &mcx) != POC_OK)
        abort();
    return ue;
}

/* Without a MuSiK nothing is listened to, whatever is announced (MCX-31). */
static void client_check(poc_span type, poc_span body)
{
    static pocue *ue;
    pocue_reply reply;
    pocue_mcx_bearer bearers[POCUE_MCX_BEARERS_MAX];
    pocue_event e;
    if (ue == NULL)
        ue = client();
    const poc_err err = pocue_mcx_message(ue, NOW_MS, type, body, &reply, NULL);
    if ((err == POC_OK) != (reply.status == 200) || pocue_poll(ue, &e) ||
        pocue_mcx_bearers(ue, bearers, POCUE_MCX_BEARERS_MAX) > POCUE_MCX_BEARERS_MAX)
        abort();
    pocue_mcx_log_off(ue);
    if (pocue_mcx_bearers(ue, NULL, 0) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ue_mcx_bearer bearer;
    const char *why = NULL;
    poc_span body = poc_span_of(data, size), type = poc_split(&body, '\n');
    mcx_service service = MCX_MCPTT;
    if (type.n > 0 && type.p[0] == '+') {
        service = MCX_MCVIDEO;
        type = poc_span_of(type.p + 1, type.n - 1);
    }
    if (ue_mcx_announcement_read(&bearer, service, type, body, &why) == POC_OK)
        bearer_check(&bearer);
    else if (why == NULL)
        abort();
    client_check(type, body);
    return 0;
}
