/* One dialog: its tags and routes, our requests in it, its session timer. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pf/io/sip_private.h"

sip_leg *sip_leg_other(const sip_leg *leg)
{
    return leg == &leg->session->client ? &leg->session->cf : &leg->session->client;
}

relay_side sip_leg_side(const sip_leg *leg)
{
    return leg == &leg->session->client ? RELAY_CLIENT : RELAY_CF;
}

wire_local sip_leg_local(const sip_leg *leg)
{
    const relay_session *media = leg->session->media;
    relay_side side = sip_leg_side(leg);
    return (wire_local){
        .audio = relay_session_local(media, side, RELAY_AUDIO),
        .floor = relay_session_local(media, side, RELAY_FLOOR),
        .session_id = leg->sdp_session,
        .version = leg->sdp_version,
    };
}

int sip_transport_of(const char *name)
{
    static const char *const names[SIP_TRANSPORTS] = { "udp", "tcp", "tls" };
    for (int i = 0; name != NULL && i < SIP_TRANSPORTS; i++)
        if (strcasecmp(name, names[i]) == 0)
            return i;
    return SIP_UDP;
}

/* The listener of that transport and family, else any of that family, else any at all. */
const char *sip_contact_of(const sip *s, int transport, bool ip6)
{
    if (s->contacts[transport][ip6] != NULL)
        return s->contacts[transport][ip6];
    for (int family = 0; family < 2; family++)
        for (int t = 0; t < SIP_TRANSPORTS; t++)
            if (s->contacts[t][family == 0 ? ip6 : !ip6] != NULL)
                return s->contacts[t][family == 0 ? ip6 : !ip6];
    return "<sip:invalid>";
}

static void leg_begin(sip_leg *leg)
{
    leg->sdp_session = (uint64_t)sip_now_s();
    leg->sdp_version = 1;
}

/* CSeq numbers start at a clock that runs faster than a leg sends: what follows a restart lies above what went before. */
static void cseq_text(char out[16], uint32_t at_least)
{
    uint32_t clock = (uint32_t)(sip_now_s() - 1577836800) & 0x3FFFFFFF;
    poc_wr wr = poc_wr_into(out, 16);
    poc_wr_fmt(&wr, "%u", clock > at_least ? clock : at_least);
    (void)poc_wr_text(&wr);
}

static poc_err text_keep(char **at, const char *text)
{
    free(*at);
    *at = text != NULL ? strdup(text) : NULL;
    return *at != NULL ? POC_OK : POC_E_NOMEM;
}

static poc_err url_keep(char **at, const url_t *url)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    poc_err err = text_keep(at, url_as_string(home, url));
    su_home_deinit(home);
    return err;
}

static poc_err call_id_make(sip_leg *leg)
{
    uint8_t random[16];
    char text[2 * sizeof(random) + 1];
    su_randmem(random, sizeof(random));
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_hex_put(&wr, poc_span_of(random, sizeof(random)));
    POC_TRY(poc_wr_text(&wr));
    return text_keep(&leg->call_id, text);
}

poc_err sip_leg_make(sip_leg *leg, uint32_t cseq_at_least, uint32_t remote_cseq)
{
    char cseq[16], local[SIP_URL_MAX], remote[SIP_URL_MAX];
    poc_wr wr = poc_wr_into(local, sizeof(local));
    poc_wr_fmt(&wr, "<%s>", leg->local);
    POC_TRY(poc_wr_text(&wr));
    wr = poc_wr_into(remote, sizeof(remote));
    poc_wr_fmt(&wr, "<%s>", leg->remote);
    POC_TRY(poc_wr_text(&wr));
    cseq_text(cseq, cseq_at_least);
    leg->nta = nta_leg_tcreate(leg->session->sip->agent, sip_leg_request, leg, SIPTAG_CALL_ID_STR(leg->call_id),
                               SIPTAG_FROM_STR(local), SIPTAG_TO_STR(remote), SIPTAG_CSEQ_STR(cseq),
                               NTATAG_REMOTE_CSEQ(remote_cseq), TAG_END());
    return leg->nta != NULL ? POC_OK : POC_E_INPUT;
}

poc_err sip_leg_accept(sip_leg *leg, nta_incoming_t *irq, sip_t const *m, bool ip6)
{
    leg_begin(leg);
    POC_TRY(text_keep(&leg->call_id, m->sip_call_id->i_id));
    POC_TRY(url_keep(&leg->local, m->sip_to->a_url));
    POC_TRY(url_keep(&leg->remote, m->sip_from->a_url));
    POC_TRY(sip_leg_make(leg, 1, m->sip_cseq->cs_seq));
    if (nta_leg_tag(leg->nta, NULL) == NULL)
        return POC_E_NOMEM;
    if (m->sip_from->a_tag != NULL)
        nta_leg_rtag(leg->nta, m->sip_from->a_tag);
    nta_incoming_tag(irq, nta_leg_get_tag(leg->nta));
    POC_TRY(sip_route_by_request(leg->nta, m->sip_record_route, m->sip_contact));
    leg->contact = sip_contact_of(leg->session->sip, sip_transport_of(sip_via_transport(m->sip_via)), ip6);
    leg->allow_update = sip_is_allowed(m->sip_allow, SIP_METHOD_UPDATE);
    return POC_OK;
}

static int url_transport(const url_t *url)
{
    char name[8];
    if (url->url_params != NULL && url_param(url->url_params, "transport", name, sizeof(name)) > 0)
        return sip_transport_of(name);
    return SIP_UDP;
}

poc_err sip_leg_call(sip_leg *leg, const char *local, const char *remote, const url_t *towards)
{
    leg_begin(leg);
    leg->we_called = true;
    POC_TRY(call_id_make(leg));
    POC_TRY(text_keep(&leg->local, local));
    POC_TRY(text_keep(&leg->remote, remote));
    POC_TRY(sip_leg_make(leg, 1, 0));
    if (nta_leg_tag(leg->nta, NULL) == NULL)
        return POC_E_NOMEM;
    leg->contact = sip_contact_of(leg->session->sip, url_transport(towards),
                                  towards->url_host != NULL && towards->url_host[0] == '[');
    return POC_OK;
}

void sip_leg_confirm(sip_leg *leg, sip_t const *m)
{
    if (m->sip_to != NULL && m->sip_to->a_tag != NULL)
        nta_leg_rtag(leg->nta, m->sip_to->a_tag);
    sip_route_by_answer(leg->nta, m, true);
    leg->allow_update = sip_is_allowed(m->sip_allow, SIP_METHOD_UPDATE);
}

void sip_leg_ack(sip_leg *leg, sip_t const *m)
{
    nta_outgoing_t *ack =
        nta_outgoing_tcreate(leg->nta, NULL, NULL, NULL, SIP_METHOD_ACK, NULL, SIPTAG_CSEQ(m->sip_cseq), TAG_END());
    nta_outgoing_destroy(ack);
}

/* ---- ending ---- */

static int bye_answered(void *magic, nta_outgoing_t *orq, sip_t const *m)
{
    sip *s = magic;
    (void)m;
    if (nta_outgoing_status(orq) < 200)
        return 0;
    nta_outgoing_destroy(orq);
    s->byes_open--;
    sip_drain_look(s);
    return 0;
}

void sip_leg_bye(sip_leg *leg, const char *reason)
{
    sip *s = leg->session->sip;
    if (leg->nta == NULL || leg->gone)
        return;
    leg->gone = true;
    nta_outgoing_t *bye = nta_outgoing_tcreate(leg->nta, bye_answered, s, NULL, SIP_METHOD_BYE, NULL,
                                               SIPTAG_USER_AGENT_STR(SIP_USER_AGENT),
                                               TAG_IF(reason != NULL, SIPTAG_REASON_STR(reason)), TAG_END());
    if (bye != NULL)
        s->byes_open++;
}

void sip_leg_hush(sip_leg *leg)
{
    if (leg->our_request != NULL)
        nta_outgoing_destroy(leg->our_request);
    if (leg->server_invite != NULL)
        nta_incoming_destroy(leg->server_invite);
    sip_timer_stop(&leg->expiry);
    leg->our_request = NULL;
    leg->server_invite = NULL;
}

void sip_leg_drop(sip_leg *leg)
{
    sip_leg_hush(leg);
    sip_timer_done(&leg->expiry);
    if (leg->nta != NULL)
        nta_leg_destroy(leg->nta);
    free(leg->call_id);
    free(leg->local);
    free(leg->remote);
    free(leg->peer);
    leg->call_id = leg->local = leg->remote = NULL;
    leg->peer = NULL;
    leg->nta = NULL;
}

/* ---- session timer (RFC 4028) ---- */

/* UPDATE says nothing of media. A CF without it gets a re-INVITE that says the same again; a client without it has to refresh
 * itself, since what it would be told again may carry a key. */
static bool can_refresh(const sip_leg *leg)
{
    return leg->allow_update || leg == &leg->session->cf;
}

static int refresh_answered(void *magic, nta_outgoing_t *orq, sip_t const *m)
{
    sip_leg *leg = magic;
    int status = nta_outgoing_status(orq);
    if (status < 200)
        return 0;
    if (status < 300 && m != NULL && nta_outgoing_method(orq) == sip_method_invite)
        sip_leg_ack(leg, m);
    nta_outgoing_destroy(orq);
    leg->our_request = NULL;
    if (status == 481 || status == 408) {
        leg->gone = true;
        sip_session_end(leg->session, POCPF_LOST, false);
        return 0;
    }
    sip_leg_touch(leg);
    if (status == 491 || status == 500 || status == 503)
        sip_timer_at(&leg->expiry, sip_now_ms() + 2100 + sip_random(1900));
    sip_offer_resume(leg->session);
    return 0;
}

static void refresh(sip_leg *leg)
{
    char expires[48], text[SIP_SDP_MAX];
    bool update = leg->allow_update;
    wire_unicast other;
    wire_local local = sip_leg_local(leg);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    sip_peer_tell(&other, sip_leg_other(leg)->peer);
    if (wire_unicast_write(&wr, &local, &other, false) != POC_OK || poc_wr_text(&wr) != POC_OK)
        return;
    wr = poc_wr_into(expires, sizeof(expires));
    poc_wr_fmt(&wr, "%u;refresher=uac", leg->expires_s);
    (void)poc_wr_text(&wr);
    leg->our_request = nta_outgoing_tcreate(
        leg->nta, refresh_answered, leg, NULL, update ? sip_method_update : sip_method_invite,
        update ? "UPDATE" : "INVITE", NULL, SIPTAG_CONTACT_STR(leg->contact), SIPTAG_SUPPORTED_STR("timer"),
        SIPTAG_ALLOW_STR(SIP_ALLOW), SIPTAG_SESSION_EXPIRES_STR(expires), SIPTAG_USER_AGENT_STR(SIP_USER_AGENT),
        TAG_IF(!update, SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE)), TAG_IF(!update, SIPTAG_PAYLOAD_STR(text)), TAG_END());
}

/*= RFC 4028, 10: the refresher sends at half the interval, the other side gives up min(32 s, a third) before the end. */
void sip_leg_touch(sip_leg *leg)
{
    uint32_t margin_s = leg->expires_s / 3 < 32 ? leg->expires_s / 3 : 32;
    uint32_t due_s = leg->we_refresh ? leg->expires_s / 2 : leg->expires_s - margin_s;
    if (leg->expires_s == 0)
        return;
    sip_timer_at(&leg->expiry, sip_now_ms() + (int64_t)due_s * 1000);
}

void sip_leg_expiry_due(void *arg)
{
    sip_leg *leg = arg;
    if (!leg->we_refresh) {
        sip_session_end(leg->session, POCPF_LOST, false);
        return;
    }
    /* An offer in flight refreshes too. */
    if (leg->our_request == NULL && leg->server_invite == NULL)
        refresh(leg);
    sip_leg_touch(leg);
}

/* A 2xx without Session-Expires ends what was agreed before. */
static void timer_stop(sip_leg *leg)
{
    leg->expires_s = 0;
    leg->we_refresh = false;
    sip_timer_stop(&leg->expiry);
}

void sip_leg_timer(sip_leg *leg, sip_t const *m)
{
    const sip_session_expires_t *x = m->sip_session_expires;
    timer_stop(leg);
    if (x == NULL || x->x_delta < leg->session->sip->session_min_s)
        return;
    const char *refresher = x->x_refresher != NULL ? x->x_refresher : "uac";
    bool uac_refreshes = strcasecmp(refresher, "uac") == 0;
    leg->we_refresh = uac_refreshes;
    if (leg->we_refresh && !can_refresh(leg))
        return;
    leg->expires_s = x->x_delta > SIP_MAX_SE_S ? SIP_MAX_SE_S : (uint32_t)x->x_delta;
    sip_leg_touch(leg);
}

bool sip_timer_too_short(const sip *s, sip_t const *m)
{
    return m->sip_session_expires != NULL && m->sip_session_expires->x_delta < s->session_min_s;
}

bool sip_leg_timer_answer(sip_leg *leg, sip_t const *m, char text[64])
{
    const sip_session_expires_t *x = m->sip_session_expires;
    uint32_t ours_s = leg->session->sip->session_expires_s;
    unsigned long delta_s = x != NULL ? x->x_delta : ours_s;
    timer_stop(leg);
    if (delta_s < leg->session->sip->session_min_s || !sip_has_feature(m->sip_supported, "timer"))
        return false;
    if (delta_s > SIP_MAX_SE_S)
        delta_s = SIP_MAX_SE_S;
    leg->we_refresh = x != NULL && x->x_refresher != NULL && strcasecmp(x->x_refresher, "uas") == 0 && can_refresh(leg);
    leg->expires_s = (uint32_t)delta_s;
    poc_wr wr = poc_wr_into(text, 64);
    poc_wr_fmt(&wr, "%u;refresher=%s", leg->expires_s, leg->we_refresh ? "uas" : "uac");
    sip_leg_touch(leg);
    return poc_wr_text(&wr) == POC_OK;
}
