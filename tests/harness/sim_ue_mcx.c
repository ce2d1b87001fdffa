/* The clients of the simulated world as users of mission critical services: libpocue, and around it what a phone does with SIP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/harness/sim.h"

#define BODY_MAX       8192u
#define AGAIN_US       2000000 /* before what got no answer is tried again ... */
#define AGAIN_MAX_US   16000000
#define REPORT_TRIES   5u
#define EXPIRES_WISH_S 3600u

/* Nothing special (RFC 4354). */
static const char settings_document[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
                                        "<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\"/>\r\n";

/* ---- making ---- */

static void mc_id_of(const sim_client *c, char out[WORLD_NAME_MAX + 64])
{
    snprintf(out, WORLD_NAME_MAX + 64, "sip:%s@%s", c->made.name, SIM_MC_DOMAIN);
}

static size_t algorithms_of(const world_mcx *made, mcx_algorithm out[2])
{
    size_t n = 0;
    for (size_t i = 0; i < 2 && made->algorithms[i] != 0; i++)
        out[n++] = made->algorithms[i] == mcx_aes256_gcm.key_len ? mcx_aes256_gcm : mcx_aes128_gcm;
    return n;
}

poc_err sim_ue_mcx_start(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    char mc_id[WORLD_NAME_MAX + 64], client_id[64];
    mcx_algorithm algorithms[2];
    const pocue_mcx_server server = { SIM_PSI, wallet_kms_uri(WALLET_OWN) };
    mc_id_of(c, mc_id);
    snprintf(client_id, sizeof(client_id), "urn:uuid:%s", c->made.name);
    const pocue_mcx_settings settings = { .mc_id = mc_id,
                                          .service = c->made.mcx.is_video ? MCX_MCVIDEO : MCX_MCPTT,
                                          .servers = &server,
                                          .server_count = 1,
                                          .client_id = client_id,
                                          .csk_name = c->made.name,
                                          .algorithm_count = algorithms_of(&c->made.mcx, algorithms),
                                          .algorithms = algorithms,
                                          .hides_identities = c->made.mcx.hides_identity };
    return pocue_mcx_start(c->ue, &settings);
}

/* HTTP is not what these scenarios are about. */
poc_err sim_ue_provision(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    char mc_id[WORLD_NAME_MAX + 64];
    if (!c->made.mcx.is_user)
        return POC_E_STATE;
    mc_id_of(c, mc_id);
    const wallet_kms which = c->made.mcx.is_neighbours ? WALLET_NEIGHBOUR : WALLET_OWN;
    POC_TRY(wallet_provision(c->ue, mc_id, which, sim_now_ms(s)));
    sim_tell(s, WORLD_PROVISIONED, client, 0);
    return POC_OK;
}

/* ---- service authorisation ---- */

static void register_again(sim *s, void *ctx, uint64_t what);

static uint64_t errand(const sim_client *c, int client)
{
    return (uint64_t)c->mcx.number << 32 | (uint64_t)client;
}

static void later(sim *s, int client)
{
    sim_ue_mcx *m = &s->clients[client].mcx;
    int64_t wait_us = (int64_t)AGAIN_US << (m->tries < 3 ? m->tries : 3);
    m->tries++;
    sim_after(s, wait_us < AGAIN_MAX_US ? wait_us : AGAIN_MAX_US, register_again, NULL,
              errand(&s->clients[client], client));
}

static void refused(sim *s, int client, int status)
{
    s->clients[client].mcx.is_authorised = false;
    sim_tell(s, WORLD_DENIED, client, status);
}

/* From half of the granted time on it is refreshed. */
static void granted(sim *s, int client, uint32_t expires_s)
{
    sim_client *c = &s->clients[client];
    c->mcx.tries = 0;
    c->mcx.is_authorised = true;
    if (expires_s > 0)
        sim_after(s, (int64_t)expires_s * 500000, register_again, NULL, errand(c, client));
}

static void registered(sim *s, sim_txn *t, void *ctx, uint64_t number)
{
    (void)ctx;
    sim_client *c = &s->clients[t->from];
    sim_ue_mcx *m = &c->mcx;
    if (m->number != number)
        return;
    const bool was_upload = m->is_uploading, is_lost = t->status == 408 || t->status >= 500;
    m->is_uploading = false;
    if (was_upload) {
        pocue_mcx_uploaded(c->ue, sim_now_ms(s), t->status < 300);
        if (t->status < 300)
            sim_tell(s, WORLD_AUTHORISED, t->from, t->status);
        sim_ue_poll(s, t->from);
    }
    if (t->status < 300) {
        granted(s, t->from, t->expires_s);
    } else if (is_lost) {
        m->is_authorised = m->is_authorised && !was_upload;
        later(s, t->from);
    } else {
        refused(s, t->from, t->status);
    }
}

/* As the S-CSCF does it: its own REGISTER around the user's. */
static void wrap(const sim_client *c, sim_request *r, poc_wr *out)
{
    poc_wr_fmt(out,
               "REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP ue.invalid;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
               "From: <%s>;tag=1\r\nTo: <%s>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: <%s>\r\nExpires: %u\r\n",
               SIM_DOMAIN, c->impu, c->impu, c->impu, (unsigned)r->expires_s);
    if (r->body.n > 0)
        poc_wr_fmt(out, "Content-Type: %s\r\n", r->content_type);
    poc_wr_fmt(out, "Content-Length: %zu\r\n\r\n", r->body.n);
    poc_wr_span(out, r->body);
    r->by_core = true;
    r->body = poc_span_of(out->buf, out->len);
    snprintf(r->content_type, sizeof(r->content_type), "message/sip");
}

static void send_it(sim *s, int client, uint32_t expires_s, const char *content_type, poc_span body)
{
    sim_client *c = &s->clients[client];
    uint8_t wrapped[BODY_MAX + 1024];
    poc_wr wr = poc_wr_into(wrapped, sizeof(wrapped));
    sim_request r = { .method = c->mcx.way == WORLD_BY_PUBLISH ? SIM_PUBLISH : SIM_REGISTER,
                      .client = client,
                      .channel = -1,
                      .subject = -1,
                      .expires_s = expires_s,
                      .body = body };
    snprintf(r.content_type, sizeof(r.content_type), "%s", content_type);
    if (c->mcx.way == WORLD_BY_THIRD_PARTY)
        wrap(c, &r, &wr);
    c->mcx.number++;
    sim_sip_send(s, client, SIM_PF, &r, SIM_GIVE_UP_US, registered, NULL, c->mcx.number);
}

poc_err sim_ue_upload(sim *s, int client, world_way way)
{
    sim_client *c = &s->clients[client];
    uint8_t body[BODY_MAX];
    char token[WORLD_NAME_MAX + 16];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    const char *of = c->made.mcx.token_of[0] != '\0' ? c->made.mcx.token_of : c->made.name;
    snprintf(token, sizeof(token), "token-of-%s", of);
    pocue_mcx_upload upload = { .access_token = token };
    if (way == WORLD_BY_PUBLISH)
        upload.settings = poc_span_str(settings_document);
    POC_TRY(pocue_mcx_make_upload(c->ue, sim_now_ms(s), &upload, &wr));
    c->mcx.way = way;
    c->mcx.is_uploading = true;
    send_it(s, client, EXPIRES_WISH_S, upload.content_type, poc_span_of(body, wr.len));
    return POC_OK;
}

/* A fresh CSK where none was accepted: a message that the server has seen would be a replay. */
static void register_again(sim *s, void *ctx, uint64_t what)
{
    (void)ctx;
    const int client = (int)(what & UINT32_MAX);
    sim_client *c = &s->clients[client];
    if (c->mcx.number != what >> 32)
        return;
    if (c->mcx.is_authorised)
        send_it(s, client, EXPIRES_WISH_S, "", poc_span_of(NULL, 0));
    else
        (void)sim_ue_upload(s, client, c->mcx.way);
}

poc_err sim_ue_log_off(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    if (!c->made.mcx.is_user)
        return POC_E_STATE;
    c->mcx.is_uploading = c->mcx.is_authorised = false;
    send_it(s, client, 0, "", poc_span_of(NULL, 0));
    c->mcx.number++; /* whatever is answered */
    pocue_mcx_log_off(c->ue);
    sim_ue_poll(s, client);
    sim_tell(s, WORLD_LOGGED_OFF, client, 0);
    return POC_OK;
}

/* ---- listening reports ---- */

static poc_err report(sim *s, int client, int channel, bool is_listening, unsigned tries);

static void report_again(sim *s, void *ctx, uint64_t what)
{
    (void)ctx;
    (void)report(s, (int)(what & 0xFFFF), (int)(what >> 16 & 0xFF), (what >> 24 & 1) != 0, (unsigned)(what >> 32));
}

static void reported(sim *s, sim_txn *t, void *ctx, uint64_t what)
{
    (void)ctx;
    const bool is_listening = (what >> 24 & 1) != 0;
    if (t->status < 300 || what >> 32 >= REPORT_TRIES)
        sim_note(s, t->from, "reported that it %s: %d", is_listening ? "listens" : "listens no more", t->status);
    else
        sim_after(s, AGAIN_US, report_again, NULL, what + (UINT64_C(1) << 32));
}

static poc_err report(sim *s, int client, int channel, bool is_listening, unsigned tries)
{
    uint8_t body[BODY_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    sim_request r = { .method = SIM_MESSAGE, .client = client, .channel = channel, .subject = -1 };
    POC_TRY(pocue_mcx_listening_write(s->clients[client].ue, s->pf.channels[channel].on_wire.tmgi, is_listening,
                                      r.content_type, &wr));
    r.body = poc_span_of(body, wr.len);
    const uint64_t what =
        (uint64_t)tries << 32 | (uint64_t)is_listening << 24 | (uint64_t)channel << 16 | (uint64_t)client;
    sim_sip_send(s, client, SIM_PF, &r, SIM_GIVE_UP_US, reported, NULL, what);
    return POC_OK;
}

poc_err sim_ue_listens(sim *s, int client, int channel, bool is_listening)
{
    world_seen seen = {
        .what = WORLD_LISTENS, .client = client, .status = is_listening, .channel = sim_mcx_number(s, channel)
    };
    if (!s->channels[channel].musik.is_one || !s->clients[client].made.mcx.is_user)
        return POC_E_STATE;
    POC_TRY(report(s, client, channel, is_listening, 0));
    sim_see(s, &seen);
    return POC_OK;
}

/* ---- what the PF sends ---- */

void sim_ue_mcx_request(sim *s, sim_txn *t)
{
    const int client = t->to;
    pocue_reply reply = { .status = 403 };
    const char *why = NULL;
    if (s->clients[client].made.mcx.is_user)
        (void)pocue_mcx_message(s->clients[client].ue, sim_now_ms(s), poc_span_str(t->request.content_type),
                                t->request.body, &reply, &why);
    if (reply.status != 200)
        sim_note(s, client, "answers %d: %s", reply.status, why != NULL ? why : "no reason");
    sim_ue_poll(s, client);
    sim_sip_answer(s, t, reply.status, NULL, poc_span_of(NULL, 0));
}

/* An RTP packet is not the business of client and server; a control packet opens, or it does not. */
void sim_ue_mcx_air(sim *s, int client, const sim_packet *p)
{
    sim_client *c = &s->clients[client];
    const poc_span datagram = poc_span_of(p->b, p->n);
    world_seen seen = { .client = client };
    if (p->flow == BCAST_FLOW_RTP) {
        (void)pocue_mcx_media(c->ue, sim_now_ms(s), datagram);
        sim_ue_poll(s, client);
        return;
    }
    sim_mcx_look(p, &seen);
    c->mcx.hearing_ssrc = seen.ssrc;
    c->mcx.hearing_seq = seen.seq;
    const poc_err err = pocue_mcx_control(c->ue, sim_now_ms(s), true, datagram);
    seen.what = WORLD_UNREADABLE;
    seen.client = client;
    if (err == POC_E_STATE && seen.mki.msk_id != 0)
        sim_see(s, &seen);
    sim_ue_poll(s, client);
}

static uint8_t number_by_name(const sim *s, poc_span name)
{
    for (int c = 0; c < s->channel_count; c++)
        if (s->channels[c].musik.is_one && poc_span_eq_str(name, s->channels[c].id))
            return (uint8_t)(c + 1);
    return 0;
}

static uint8_t number_by_group(const sim *s, const bcast_channel *bearer)
{
    struct sockaddr_storage group = bearer->group;
    poc_addr_set_port((struct sockaddr *)&group, 0);
    for (int c = 0; c < s->channel_count; c++)
        if (poc_addr_eq((const struct sockaddr *)&s->pf.channels[c].on_wire.group, (struct sockaddr *)&group))
            return sim_mcx_number(s, c);
    return 0;
}

void sim_ue_mcx_see(sim *s, int client, const pocue_event *e, world_seen *seen)
{
    const sim_ue_mcx *m = &s->clients[client].mcx;
    if (e->type == POCUE_MCX_KEY && e->key_id >> 28 == MCX_MUSIK)
        seen->channel = number_by_name(s, e->payload);
    if ((e->type == POCUE_JOIN_GROUP || e->type == POCUE_LEAVE_GROUP) && e->is_mcx)
        seen->channel = number_by_group(s, &e->channel);
    if ((e->type == POCUE_FLOOR || e->type == POCUE_MCX_MAPPED) && e->by_multicast) {
        seen->ssrc = m->hearing_ssrc;
        seen->seq = m->hearing_seq;
    }
}
