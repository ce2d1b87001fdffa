/* The clients of the simulated world: libpocue, and around it what a phone does with SIP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/harness/sim.h"
#include "tests/harness/spoil.h"
#include "tests/harness/ue_seen.h"

#define SDP_MAX 4096u

static bool is_client(const sim *s, int client)
{
    return client >= 0 && client < s->client_count;
}

/* ---- making and bootstrapping ---- */

static void subscribe_at_operator(const sim_client *c, int index, gba_subscriber *sub)
{
    memset(sub, 0, sizeof(*sub));
    sub->impi = poc_span_str(c->impi);
    memset(sub->k, 0x40 + index, sizeof(sub->k));
    memset(sub->opc, 0xA0, sizeof(sub->opc));
    sub->amf[0] = 0x80;
    sub->sqn = 32;
    sub->impus[0] = poc_span_str(c->impu);
    sub->impu_count = 1;
}

static pocue_settings settings_of(const sim_client *c, const gba_subscriber *sub)
{
    pocue_settings ue = { .impu = c->impu,
                          .impi = c->impi,
                          .sqn = sub->sqn,
                          .bsf_fqdn = SIM_BSF_FQDN,
                          .naf_fqdn = SIM_REALM_FQDN,
                          .multicast_capable = c->made.multicast_capable,
                          .msks_per_group = c->made.keeps_keys ? 64 : 2,
                          .keep_keys = c->made.keeps_keys && c->made.mcx.is_user };
    memcpy(ue.k, sub->k, sizeof(ue.k));
    memcpy(ue.opc, sub->opc, sizeof(ue.opc));
    memcpy(ue.amf, sub->amf, sizeof(ue.amf));
    memcpy(ue.ua_id, gba_ua_id_mbms, sizeof(ue.ua_id));
    return ue;
}

poc_err sim_ue_add(sim *s, const world_client *made, int *index)
{
    if (s->client_count == (int)WORLD_CLIENTS_MAX)
        return POC_E_LIMIT;
    int at = s->client_count;
    sim_client *c = &s->clients[at];
    *c = (sim_client){ .made = *made, .channel = -1, .ssrc = 0x5EED0000u + (uint32_t)at };
    snprintf(c->impu, sizeof(c->impu), "sip:%s@%s", made->name, SIM_DOMAIN);
    snprintf(c->impi, sizeof(c->impi), "%s@%s", made->name, SIM_DOMAIN);
    char address[32];
    snprintf(address, sizeof(address), "198.51.100.%d", at + 10);
    POC_TRY(poc_addr_parse(&c->local.audio, poc_span_str(address), 45200));
    POC_TRY(poc_addr_parse(&c->local.floor, poc_span_str(address), 45202));
    gba_subscriber sub;
    subscribe_at_operator(c, at, &sub);
    POC_TRY(gba_bsf_add(s->bsf, &sub));
    pocue_settings settings = settings_of(c, &sub);
    POC_TRY(pocue_new(&c->ue, &settings, &s->rng));
    s->client_count++;
    *index = at;
    if (!made->mcx.is_user)
        return POC_OK;
    POC_TRY(sim_ue_mcx_start(s, at));
    return sim_mcx_begin(s);
}

/* The whole exchange of Ub in one moment: HTTP is not what these scenarios are about. */
poc_err sim_ue_bootstrap(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    if (!c->made.bootstraps)
        return POC_OK;
    bool again = true;
    while (again) {
        char header[GBA_HEADER_MAX];
        gba_http_answer answer;
        poc_wr wr = poc_wr_into(header, sizeof(header));
        POC_TRY(pocue_ub_request(c->ue, &wr));
        gba_bsf_ub(s->bsf, sim_now_ms(s) / 1000, poc_span_str("GET"), poc_span_str("/"), poc_span_of(header, wr.len),
                   &answer);
        POC_TRY(pocue_ub_answer(c->ue, sim_now_ms(s), answer.status, poc_span_str(answer.www_authenticate),
                                poc_span_str(answer.authentication_info), poc_span_of(answer.body, answer.body_len),
                                &again));
    }
    sim_tell(s, WORLD_BOOTSTRAPPED, client, 200);
    return POC_OK;
}

/* ---- what libpocue has to say ---- */

/* A group is known by its address: a client learns no name of a channel from SDP. */
static void follow_group(sim *s, int client, const pocue_event *e)
{
    sim_client *c = &s->clients[client];
    struct sockaddr_storage group = e->channel.group;
    poc_addr_set_port((struct sockaddr *)&group, 0);
    for (int channel = 0; channel < s->channel_count; channel++)
        if (poc_addr_eq((const struct sockaddr *)&s->pf.channels[channel].on_wire.group, (struct sockaddr *)&group))
            c->listens[channel] = e->type == POCUE_JOIN_GROUP || c->made.keeps_keys;
}

void sim_ue_poll(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    bool is_to_bootstrap = false;
    pocue_event e;
    while (pocue_poll(c->ue, &e)) {
        if (e.type == POCUE_JOIN_GROUP || e.type == POCUE_LEAVE_GROUP)
            follow_group(s, client, &e);
        is_to_bootstrap = is_to_bootstrap || e.type == POCUE_BOOTSTRAP_NEEDED;
        world_seen seen = ue_seen(client, &e);
        sim_ue_mcx_see(s, client, &e, &seen);
        sim_see(s, &seen);
    }
    if (is_to_bootstrap)
        (void)sim_ue_bootstrap(s, client);
    sim_http_next(s, client);
    if (c->made.mcx.is_user)
        sim_ue_alarm(s, client);
}

void sim_ue_unicast(sim *s, int client, const sim_packet *p)
{
    if (!s->clients[client].in)
        return;
    pocue_unicast(s->clients[client].ue, sim_now_ms(s), p->flow, poc_span_of(p->b, p->n));
    sim_ue_poll(s, client);
}

void sim_ue_multicast(sim *s, int client, const sim_packet *p)
{
    if (s->channels[p->channel].musik.is_one) {
        sim_ue_mcx_air(s, client, p);
        return;
    }
    pocue_multicast(s->clients[client].ue, sim_now_ms(s), p->flow, poc_span_of(p->b, p->n));
    sim_ue_poll(s, client);
}

/* ---- joining and leaving ---- */

static void invite(sim *s, int client, const char *authorization, poc_span sdp);

static void refused(sim *s, int client, int status)
{
    s->clients[client].joining = false;
    sim_tell(s, WORLD_REFUSED, client, status);
}

static void challenged(sim *s, int client, const sim_txn *t)
{
    sim_client *c = &s->clients[client];
    char value[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(value, sizeof(value));
    poc_span challenge = poc_span_str(t->challenge != NULL ? t->challenge : "");
    const char *uri = s->channels[c->channel].group_uri;
    if (c->tried_auth ||
        pocue_authorize(c->ue, challenge, poc_span_str("INVITE"), poc_span_str(uri), t->request.body, &wr) != POC_OK ||
        poc_wr_text(&wr) != POC_OK) {
        refused(s, client, t->status);
        return;
    }
    c->tried_auth = true;
    invite(s, client, value, t->request.body); /* the digest covers the body */
}

static void invite_done(sim *s, sim_txn *t, void *ctx, uint64_t call)
{
    (void)ctx;
    int client = t->from;
    sim_client *c = &s->clients[client];
    if (c->call != call || !c->joining)
        return;
    if (t->status == 401) {
        challenged(s, client, t);
        return;
    }
    if (t->status >= 300 || pocue_answer_read(c->ue, poc_span_of(t->answer, t->answer_len)) != POC_OK) {
        refused(s, client, t->status);
        return;
    }
    c->joining = false;
    c->in = true;
    sim_tell(s, WORLD_IN, client, t->status);
}

static void invite(sim *s, int client, const char *authorization, poc_span sdp)
{
    sim_client *c = &s->clients[client];
    sim_request r = { .method = SIM_INVITE,
                      .client = client,
                      .channel = c->channel,
                      .call = c->call,
                      .subject = -1,
                      .authorization = authorization,
                      .body = sdp };
    sim_sip_send(s, client, SIM_PF, &r, SIM_GIVE_UP_US, invite_done, NULL, c->call);
}

poc_err sim_ue_join(sim *s, int client, const char *channel_id)
{
    sim_client *c = &s->clients[client];
    int channel = sim_channel_by_id(s, channel_id);
    if (channel < 0)
        return POC_E_INPUT;
    if (c->in || c->joining || s->channels[channel].group_uri[0] == '\0' || s->channels[channel].musik.is_one)
        return POC_E_STATE;
    c->channel = channel;
    c->call++;
    c->joining = true;
    c->tried_auth = false;
    char sdp[SDP_MAX];
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    POC_TRY(pocue_offer_write(c->ue, &c->local, &wr));
    invite(s, client, NULL, poc_span_of(sdp, wr.len));
    return POC_OK;
}

static void end_session(sim *s, int client, world_what what)
{
    sim_client *c = &s->clients[client];
    c->in = false;
    pocue_session_over(c->ue, sim_now_ms(s), c->made.keeps_keys);
    sim_tell(s, what, client, 200);
    sim_ue_poll(s, client);
}

static void bye_done(sim *s, sim_txn *t, void *ctx, uint64_t call)
{
    (void)ctx;
    if (s->clients[t->from].call == call && s->clients[t->from].in)
        end_session(s, t->from, WORLD_OUT);
}

poc_err sim_ue_leave(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    if (!c->in)
        return POC_E_STATE;
    sim_request r = { .method = SIM_BYE, .client = client, .channel = c->channel, .call = c->call, .subject = -1 };
    sim_sip_send(s, client, SIM_PF, &r, SIM_GIVE_UP_US, bye_done, NULL, c->call);
    return POC_OK;
}

poc_err sim_ue_refer(sim *s, int client, int subject)
{
    sim_client *c = &s->clients[client];
    if (!c->in || !is_client(s, subject))
        return POC_E_STATE;
    sim_request r = {
        .method = SIM_REFER, .client = client, .channel = c->channel, .call = c->call, .subject = subject
    };
    sim_sip_send(s, client, SIM_PF, &r, SIM_GIVE_UP_US, NULL, NULL, 0);
    return POC_OK;
}

/* ---- requests from the PF ---- */

static bool carries_key(poc_span offer)
{
    return offer.n > 0 && memmem(offer.p, offer.n, "a=key-mgmt:", 11) != NULL;
}

/* With what this client does wrong, on the way in and on the way out. */
static void answer_write(sim *s, sim_client *c, poc_span body, poc_wr *wr, pocue_reply *reply)
{
    char offer[SDP_MAX] = "";
    if (body.n >= sizeof(offer))
        return;
    if (body.n > 0)
        memcpy(offer, body.p, body.n);
    spoil_sdp(c->made.answers, false, offer);
    pocue_offer_read(c->ue, sim_now_ms(s), &c->local, poc_span_of(offer, body.n), wr, reply);
    if (poc_wr_text(wr) == POC_OK)
        spoil_sdp(c->made.answers, true, (char *)wr->buf);
}

static void hear_offer(sim *s, int client, sim_txn *t)
{
    sim_client *c = &s->clients[client];
    if (!c->made.answers_offers)
        return;
    char sdp[SDP_MAX];
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    pocue_reply reply = { .status = 488 };
    bool refuses = c->made.refuses_keys && carries_key(t->request.body);
    if (!refuses)
        answer_write(s, c, t->request.body, &wr, &reply);
    sim_ue_poll(s, client);
    sim_tell(s, WORLD_OFFERED, client, reply.status);
    sim_sip_answer(s, t, reply.status, NULL, poc_span_of(sdp, reply.status == 200 ? wr.len : 0));
}

void sim_ue_request(sim *s, sim_txn *t)
{
    int client = t->to;
    sim_client *c = &s->clients[client];
    if (t->request.method == SIM_MESSAGE || t->request.method == SIM_NOTIFY) {
        sim_ue_mcx_request(s, t);
        return;
    }
    if (t->request.call != c->call || !c->in) {
        /* Before its own 2xx has come, a client cannot be offered anything: the PF tries again. */
        sim_sip_answer(s, t, t->request.call == c->call && c->joining ? 491 : 481, NULL, poc_span_of(NULL, 0));
        return;
    }
    if (t->request.method != SIM_BYE) {
        hear_offer(s, client, t);
        return;
    }
    sim_sip_answer(s, t, 200, NULL, poc_span_of(NULL, 0));
    end_session(s, client, WORLD_BYED);
}

/* ---- talking ---- */

static void uplink(sim *s, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_pf_uplink(s, ctx);
}

static poc_err send_up(sim *s, int client, bcast_flow flow, const poc_wr *wr)
{
    POC_TRY(poc_wr_done(wr));
    sim_packet *p = sim_packet_new(s, flow, s->clients[client].channel, client, poc_span_of(wr->buf, wr->len));
    if (p == NULL)
        return POC_E_NOMEM;
    sim_after_packet(s, sim_net_steady_us(s), uplink, p, 0);
    return POC_OK;
}

poc_err sim_ue_talk(sim *s, int client, const uint8_t *pcmu, size_t n, bool first)
{
    sim_client *c = &s->clients[client];
    uint8_t buf[WORLD_PAYLOAD_MAX + 12];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    if (!c->in)
        return POC_E_STATE;
    bcast_rtp rtp = { .payload_type = 0,
                      .marker = first,
                      .seq = c->seq++,
                      .timestamp = c->timestamp,
                      .ssrc = c->ssrc,
                      .payload = poc_span_of(pcmu, n) };
    c->timestamp += (uint32_t)n;
    bcast_rtp_put(&wr, &rtp);
    world_seen seen = {
        .what = WORLD_SENT, .client = client, .ssrc = rtp.ssrc, .seq = rtp.seq, .timestamp = rtp.timestamp
    };
    sim_see(s, &seen);
    return send_up(s, client, BCAST_FLOW_RTP, &wr);
}

poc_err sim_ue_floor(sim *s, int client, bool request)
{
    sim_client *c = &s->clients[client];
    uint8_t buf[64], sealed[64 + MCX_SRTCP_OVERHEAD];
    poc_wr wr = poc_wr_into(buf, sizeof(buf)), guarded = poc_wr_into(sealed, sizeof(sealed));
    if (!c->in)
        return POC_E_STATE;
    bcast_mbcp msg = { .type = request ? BCAST_MBCP_REQUEST : BCAST_MBCP_RELEASE, .ssrc = c->ssrc };
    bcast_mbcp_put(&wr, &msg);
    if (!c->made.mcx.is_user)
        return send_up(s, client, BCAST_FLOW_FLOOR, &wr);
    POC_TRY(pocue_mcx_protect(c->ue, sim_now_ms(s), &guarded, poc_span_of(buf, wr.len)));
    return send_up(s, client, BCAST_FLOW_FLOOR, &guarded);
}
