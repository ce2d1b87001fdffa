/* The Controlling Function: the conference focus. It holds the legs, knows who is in, gives the floor, expels, and tells
 * its subscriber by conference-info documents (RFC 4575) in real XML. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tests/harness/sim.h"

#define XML_MAX 24576u

typedef enum gone_how { STILL_IN, DEPARTED, BOOTED } gone_how;

/* ---- conference state ---- */

static void put_user(poc_wr *wr, const sim_client *c, gone_how how, bool partial)
{
    poc_wr_fmt(wr, "<user entity=\"%s\"%s><endpoint entity=\"%s;ep=1\" state=\"full\"><status>%s</status>", c->impu,
               partial ? " state=\"partial\"" : " state=\"full\"", c->impu,
               how == STILL_IN ? "connected" : "disconnected");
    if (how != STILL_IN)
        poc_wr_fmt(wr, "<disconnection-method>%s</disconnection-method>", how == BOOTED ? "booted" : "departed");
    poc_wr_fmt(wr, "</endpoint></user>");
}

static int count_in(const sim *s, const sim_cf_session *cf)
{
    int n = 0;
    for (int c = 0; c < s->client_count; c++)
        n += cf->legs[c].in;
    return n;
}

static void put_head(sim *s, poc_wr *wr, int channel, const char *state)
{
    sim_cf_session *cf = &s->cf[channel];
    poc_wr_fmt(wr,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<conference-info "
               "xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"%s\" state=\"%s\" version=\"%u\">",
               s->channels[channel].group_uri, state, ++cf->version);
}

static void put_count(const sim *s, poc_wr *wr, int channel)
{
    poc_wr_fmt(wr, "<conference-state><user-count>%d</user-count></conference-state>", count_in(s, &s->cf[channel]));
}

/* A subscriber that is gone is not notified any more. */
static void notify_done(sim *s, sim_txn *t, void *ctx, uint64_t subscription)
{
    (void)ctx;
    sim_cf_session *cf = &s->cf[t->request.channel];
    if (t->status >= 400 && cf->subscription == subscription)
        cf->subscribed = false;
}

static void notify(sim *s, int channel, const poc_wr *wr, int booted, bool ends)
{
    sim_cf_session *cf = &s->cf[channel];
    sim_request r = { .method = SIM_NOTIFY,
                      .client = -1,
                      .channel = channel,
                      .call = cf->subscription,
                      .subject = booted,
                      .ends = ends,
                      .body = poc_span_of(wr->buf, wr->len) };
    sim_sip_send(s, SIM_CF, SIM_PF, &r, SIM_GIVE_UP_US, notify_done, NULL, cf->subscription);
}

static void notify_full(sim *s, int channel)
{
    char xml[XML_MAX];
    poc_wr wr = poc_wr_into(xml, sizeof(xml));
    put_head(s, &wr, channel, "full");
    poc_wr_fmt(&wr, "<conference-description><subject>%s</subject></conference-description>", s->channels[channel].id);
    put_count(s, &wr, channel);
    poc_wr_fmt(&wr, "<users>");
    for (int c = 0; c < s->client_count; c++)
        if (s->cf[channel].legs[c].in)
            put_user(&wr, &s->clients[c], STILL_IN, false);
    poc_wr_fmt(&wr, "</users></conference-info>\n");
    notify(s, channel, &wr, -1, false);
}

static void notify_change(sim *s, int channel, int client, gone_how how)
{
    if (!s->cf[channel].subscribed)
        return;
    char xml[2048];
    poc_wr wr = poc_wr_into(xml, sizeof(xml));
    put_head(s, &wr, channel, "partial");
    put_count(s, &wr, channel);
    poc_wr_fmt(&wr, "<users state=\"partial\">");
    put_user(&wr, &s->clients[client], how, true);
    poc_wr_fmt(&wr, "</users></conference-info>\n");
    notify(s, channel, &wr, how == BOOTED ? client : -1, false);
}

static void notify_over(sim *s, int channel)
{
    char xml[1024];
    poc_wr wr = poc_wr_into(xml, sizeof(xml));
    put_head(s, &wr, channel, "deleted");
    poc_wr_fmt(&wr, "</conference-info>\n");
    if (s->cf[channel].subscribed)
        notify(s, channel, &wr, -1, true);
    s->cf[channel].subscribed = false;
}

/* ---- legs ---- */

static void hear_invite(sim *s, sim_txn *t)
{
    const sim_request *r = &t->request;
    sim_cf_session *cf = &s->cf[r->channel];
    char sdp[1024];
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    poc_wr_fmt(&wr, "v=0\r\no=cf %d 1 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n", r->client + 1);
    poc_wr_fmt(&wr, "m=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n",
               20000 + 4 * r->client);
    poc_wr_fmt(&wr, "m=application %d udp TBCP\r\na=fmtp:TBCP queuing=0;tb_priority=1;timestamp=0\r\n",
               20002 + 4 * r->client);
    cf->over = false;
    cf->legs[r->client] = (sim_cf_leg){ .in = true, .call = r->call };
    sim_sip_answer(s, t, 200, NULL, poc_span_of(sdp, wr.len));
    notify_change(s, r->channel, r->client, STILL_IN);
}

static void hear_bye(sim *s, sim_txn *t)
{
    const sim_request *r = &t->request;
    sim_cf_leg *leg = &s->cf[r->channel].legs[r->client];
    sim_sip_answer(s, t, leg->call == r->call ? 200 : 481, NULL, poc_span_of(NULL, 0));
    if (!leg->in || leg->call != r->call)
        return;
    leg->in = false;
    if (s->cf[r->channel].talker == r->client)
        s->cf[r->channel].talker = -1;
    notify_change(s, r->channel, r->client, DEPARTED);
}

static void hear_subscribe(sim *s, sim_txn *t)
{
    const sim_request *r = &t->request;
    sim_cf_session *cf = &s->cf[r->channel];
    sim_sip_answer(s, t, cf->over && !r->ends ? 404 : 200, NULL, poc_span_of(NULL, 0));
    if (r->ends) {
        cf->subscribed = cf->subscribed && cf->subscription != r->call;
        return;
    }
    if (cf->over)
        return;
    if (!cf->subscribed || cf->subscription != r->call)
        cf->version = 0; /* a new subscription has its own versions */
    cf->subscribed = true;
    cf->subscription = r->call;
    notify_full(s, r->channel);
}

static void hear_refer(sim *s, sim_txn *t)
{
    bool is_in = s->cf[t->request.channel].legs[t->request.subject].in;
    sim_sip_answer(s, t, is_in ? 202 : 404, NULL, poc_span_of(NULL, 0));
    if (is_in)
        sim_cf_expel(s, t->request.subject);
}

void sim_cf_request(sim *s, sim_txn *t)
{
    switch (t->request.method) {
    case SIM_INVITE:
        hear_invite(s, t);
        break;
    case SIM_BYE:
        hear_bye(s, t);
        break;
    case SIM_SUBSCRIBE:
        hear_subscribe(s, t);
        break;
    case SIM_REFER:
        hear_refer(s, t);
        break;
    default:
        sim_sip_answer(s, t, 405, NULL, poc_span_of(NULL, 0));
        break;
    }
}

static void send_bye(sim *s, int channel, int client)
{
    sim_request r = {
        .method = SIM_BYE, .client = client, .channel = channel, .call = s->cf[channel].legs[client].call, .subject = -1
    };
    sim_sip_send(s, SIM_CF, SIM_PF, &r, SIM_GIVE_UP_US, NULL, NULL, 0);
}

poc_err sim_cf_expel(sim *s, int client)
{
    int channel = s->clients[client].channel;
    if (channel < 0 || !s->cf[channel].legs[client].in)
        return POC_E_STATE;
    s->cf[channel].legs[client].in = false;
    s->expelling[client] = true;
    send_bye(s, channel, client);
    notify_change(s, channel, client, BOOTED);
    return POC_OK;
}

poc_err sim_cf_end(sim *s, int channel)
{
    sim_cf_session *cf = &s->cf[channel];
    sim_tell(s, WORLD_SESSION_OVER, -1, channel);
    cf->over = true;
    cf->talker = -1;
    for (int c = 0; c < s->client_count; c++) {
        if (!cf->legs[c].in)
            continue;
        cf->legs[c].in = false;
        send_bye(s, channel, c);
    }
    notify_over(s, channel);
    return POC_OK;
}

/* ---- floor and media ---- */

static void downlink(sim *s, void *ctx, uint64_t to)
{
    sim_pf_downlink(s, ctx, (int)(int64_t)to);
}

static void send_down(sim *s, sim_packet *p, int to)
{
    if (p != NULL)
        sim_after_packet(s, sim_net_steady_us(s), downlink, p, (uint64_t)(int64_t)to);
}

static void say(sim *s, int channel, const bcast_mbcp *msg, int except, int to)
{
    uint8_t buf[POC_URI_MAX + 64];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    bcast_mbcp_put(&wr, msg);
    if (poc_wr_done(&wr) == POC_OK)
        send_down(s, sim_packet_new(s, BCAST_FLOW_FLOOR, channel, except, poc_span_of(buf, wr.len)), to);
}

static void arbitrate(sim *s, int channel, int client, uint8_t type)
{
    sim_cf_session *cf = &s->cf[channel];
    const uint32_t own_ssrc = 0xCF000000u + (uint32_t)channel;
    if (type == BCAST_MBCP_RELEASE && cf->talker == client) {
        cf->talker = -1;
        say(s, channel, &(bcast_mbcp){ .type = BCAST_MBCP_IDLE, .ssrc = own_ssrc }, -1, -1);
    }
    if (type != BCAST_MBCP_REQUEST)
        return;
    if (cf->talker >= 0 && cf->talker != client) {
        say(s, channel, &(bcast_mbcp){ .type = BCAST_MBCP_DENY, .ssrc = own_ssrc, .reason = 1 }, -1, client);
        return;
    }
    cf->talker = client;
    say(s, channel, &(bcast_mbcp){ .type = BCAST_MBCP_GRANTED, .ssrc = own_ssrc, .stop_s = 30 }, -1, client);
    say(s, channel,
        &(bcast_mbcp){ .type = BCAST_MBCP_TAKEN,
                       .ssrc = own_ssrc,
                       .talker_ssrc = s->clients[client].ssrc,
                       .talker = poc_span_str(s->clients[client].impu) },
        client, -1);
}

void sim_cf_media(sim *s, sim_packet *p)
{
    bcast_mbcp msg;
    if (!s->cf[p->channel].legs[p->client].in) {
        sim_packet_unref(p);
        return;
    }
    if (p->flow == BCAST_FLOW_RTP) {
        send_down(s, p, -1);
        return;
    }
    if (bcast_mbcp_parse(&msg, poc_span_of(p->b, p->n)) == POC_OK)
        arbitrate(s, p->channel, p->client, msg.type);
    sim_packet_unref(p);
}
