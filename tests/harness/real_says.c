/* What the stand-in CF, the radios and the listener on the group report, as observations. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "mikey/mikey.h"
#include "tests/harness/floor.h"
#include "tests/harness/real.h"
#include "tests/harness/ue_seen.h"

#define MTK_TAIL (POC_MKI_LEN + 10u) /* MKI, then the tag of HMAC-SHA1-80 */

/* ---- what the CF says ---- */

static int client_by_impu(const real *r, const char *impu)
{
    for (size_t i = 0; i < r->client_count; i++)
        if (strcmp(r->clients[i].impu, impu) == 0)
            return (int)i;
    return -1;
}

void real_on_cf(void *user, cf_what what, const char *impu)
{
    real *r = user;
    if (what == CF_EXPELLED)
        real_saw(r, (world_seen){ .what = WORLD_EXPELLED, .client = client_by_impu(r, impu) });
    else if (what == CF_OVER)
        real_saw(r, (world_seen){ .what = WORLD_SESSION_OVER, .client = -1 });
}

const char *real_where(void *user, const char *impu)
{
    const real *r = user;
    const int client = client_by_impu(r, impu);
    return client >= 0 && r->clients[client].radio != NULL ? radio_contact(r->clients[client].radio) : NULL;
}

/* ---- what the radios say ---- */

/* A join that was asked for meanwhile: also without a GBA context, since what the PF makes of it is the story. */
static void bootstrapping_over(real_client *c, radio *phone)
{
    const char *group_uri = c->joins_next;
    c->is_bootstrapping = false;
    c->joins_next = NULL;
    if (group_uri != NULL)
        (void)radio_join(phone, group_uri);
    real_mcx_bootstrapped(c);
}

void real_on_radio(void *user, radio *from, const radio_report *report)
{
    static const world_what whats[] = {
        [RADIO_BOOTSTRAPPED] = WORLD_BOOTSTRAPPED,
        [RADIO_BOOTSTRAP_FAILED] = WORLD_REFUSED,
        [RADIO_IN] = WORLD_IN,
        [RADIO_REFUSED] = WORLD_REFUSED,
        [RADIO_OUT] = WORLD_OUT,
        [RADIO_BYED] = WORLD_BYED,
        [RADIO_OFFERED] = WORLD_OFFERED,
    };
    real_client *c = user;
    if (report->what == RADIO_UE) {
        world_seen told = ue_seen(c->index, report->event);
        real_mcx_see(c->owner, report->event, &told);
        real_saw(c->owner, told);
        return;
    }
    if (report->what >= RADIO_MCX_PROVISIONED) {
        real_mcx_report(c, report);
        return;
    }
    if (report->what == RADIO_IN)
        c->is_in = true;
    else if (report->what == RADIO_OUT || report->what == RADIO_BYED)
        c->is_in = false;
    world_seen seen = { .what = whats[report->what], .client = c->index, .status = report->status };
    if (report->text != NULL)
        snprintf(seen.text, sizeof(seen.text), "%s", report->text);
    real_saw(c->owner, seen);
    if (report->what == RADIO_BOOTSTRAPPED || report->what == RADIO_BOOTSTRAP_FAILED)
        bootstrapping_over(c, from);
}

/* ---- what the listener hears ---- */

/* Media in clear, or a floor packet whose name can be read: POC-1 is broken. */
static bool is_in_clear(const real *r, bcast_flow flow, poc_span datagram)
{
    if (flow == BCAST_FLOW_FLOOR)
        return datagram.n >= 12 && memcmp(datagram.p + 8, "PoC1", 4) == 0;
    for (size_t i = 0; i < REAL_SENT_KEPT && i < r->sent_count; i++)
        if (datagram.n >= 12 + WORLD_PAYLOAD_MAX && memcmp(datagram.p + 12, r->sent[i], WORLD_PAYLOAD_MAX) == 0)
            return true;
    return false;
}

/* Which keys a datagram on the group belongs to: an STKM says so in clear, a protected packet by its MKI. */
static poc_mki mki_of(bcast_flow flow, poc_span datagram)
{
    mikey_msg stkm;
    if (flow == BCAST_FLOW_STKM && mikey_decode(&stkm, datagram, NULL) == POC_OK)
        return (poc_mki){ stkm.msk_id, stkm.mtk_id };
    if (flow != BCAST_FLOW_STKM && datagram.n > MTK_TAIL)
        return poc_mki_read(datagram.p + datagram.n - MTK_TAIL);
    return (poc_mki){ 0 };
}

static void on_air(real_listener *l, bcast_flow flow, poc_span datagram)
{
    static const world_what whats[BCAST_FLOW_COUNT] = {
        [BCAST_FLOW_RTP] = WORLD_ON_AIR, [BCAST_FLOW_FLOOR] = WORLD_FLOOR_ON_AIR, [BCAST_FLOW_STKM] = WORLD_STKM_ON_AIR
    };
    world_seen seen = { .what = whats[flow], .client = -1, .mki = mki_of(flow, datagram) };
    bcast_rtp rtp;
    forge_hear(&l->ears[flow], datagram);
    if (flow != BCAST_FLOW_STKM && is_in_clear(l->owner, flow, datagram))
        seen.what = WORLD_CLEAR_ON_AIR;
    if (flow == BCAST_FLOW_RTP && bcast_rtp_parse(&rtp, datagram) == POC_OK) {
        seen.ssrc = rtp.ssrc;
        seen.seq = rtp.seq;
        seen.timestamp = rtp.timestamp;
    }
    real_saw(l->owner, seen);
}

static void on_air_under_musik(real_listener *l, bcast_flow flow, poc_span datagram)
{
    world_seen seen = { .client = -1 };
    forge_hear(&l->ears[flow], datagram);
    if (flow == BCAST_FLOW_STKM) /* there are none */
        return;
    floor_look(flow, datagram, l->musik_number, &seen);
    real_saw(l->owner, seen);
}

void real_on_group(void *user, udp *from, const struct sockaddr *peer, poc_span datagram)
{
    real_listener *l = user;
    if (l->owner->attacker != NULL && poc_addr_port(peer) == udp_port(l->owner->attacker))
        return; /* not the PF's */
    for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        if (l->flows[flow] == from)
            (l->musik_number != 0 ? on_air_under_musik : on_air)(l, flow, datagram);
}
