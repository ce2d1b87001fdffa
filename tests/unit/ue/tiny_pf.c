struct tiny_pf;
#define NTA_AGENT_MAGIC_T    struct tiny_pf
#define NTA_LEG_MAGIC_T      struct tiny_pf
#define NTA_OUTGOING_MAGIC_T struct tiny_pf
#define NTA_INCOMING_MAGIC_T struct tiny_pf

#include "tiny_pf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <microhttpd.h>
#include <netinet/in.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_extra.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

struct tiny_pf {
    pair *pair;
    struct MHD_Daemon *bsf;
    gba_naf *naf;
    nta_agent_t *agent;
    nta_leg_t *stray, *leg;
    nta_incoming_t *invite;
    nta_outgoing_t *offer, *bye;
    char address[64], transport[8], uri[128], bsf_url[128], contact[160];
    bool is_ip6;
    tiny_pf_seen seen;
    int air;
    uint16_t floor_port;
    tiny_pf_serve_fn *serve; /* NULL: nothing else */
    void *serve_user;
    bool challenges_others;
};

static const char answer_sdp[] = "v=0\r\no=pf 5001 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                                 "a=bcastversion:1.0\r\nm=audio 9 RTP/AVP 0\r\nm=application %u udp TBCP\r\n";

/* ---- BSF ---- */

static enum MHD_Result on_get(void *user, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state)
{
    pair *p = user;
    static gba_http_answer answer;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    const char *authorization = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
    (void)gba_bsf_ub(p->bsf, p->now_ms / 1000, poc_span_str(method), poc_span_str(url),
                     poc_span_str(authorization == NULL ? "" : authorization), &answer);
    struct MHD_Response *r = MHD_create_response_from_buffer(answer.body_len, answer.body, MHD_RESPMEM_MUST_COPY);
    if (answer.www_authenticate[0] != '\0')
        MHD_add_response_header(r, "WWW-Authenticate", answer.www_authenticate);
    if (answer.authentication_info[0] != '\0')
        MHD_add_response_header(r, "Authentication-Info", answer.authentication_info);
    enum MHD_Result result = MHD_queue_response(c, (unsigned)answer.status, r);
    MHD_destroy_response(r);
    return result;
}

static void bsf_start(tiny_pf *pf)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    pf->bsf = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_get, pf->pair, MHD_OPTION_SOCK_ADDR,
                               &at, MHD_OPTION_END);
    assert_non_null(pf->bsf);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(pf->bsf, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(pf->bsf_url, sizeof(pf->bsf_url), "http://127.0.0.1:%u/", info->port);
}

/* ---- SIP ---- */

static void copy_header(char *out, size_t cap, const void *header)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    const char *text = header == NULL ? NULL : sip_header_as_string(home, (sip_header_t const *)header);
    snprintf(out, cap, "%s", text == NULL ? "" : text);
    su_home_deinit(home);
}

static gba_naf_verdict check(tiny_pf *pf, sip_t const *sip, poc_span body)
{
    char authorization[GBA_HEADER_MAX];
    su_home_t home[1] = { SU_HOME_INIT(home) };
    gba_naf_user user;
    const char *why;
    copy_header(authorization, sizeof(authorization), sip->sip_authorization);
    gba_request request = { .method = poc_span_str(sip->sip_request->rq_method_name),
                            .uri = poc_span_str(url_as_string(home, sip->sip_request->rq_url)),
                            .body = body,
                            .authorization = poc_span_str(authorization) };
    gba_naf_verdict verdict = gba_naf_check(pf->naf, pf->pair->now_ms / 1000, &request, &user, &why);
    if (verdict == GBA_NAF_ASK_ZN) {
        gba_zn_answer zn;
        poc_span btid = gba_naf_btid(&request);
        assert_int_equal(gba_bsf_zn(pf->pair->bsf, pf->pair->now_ms / 1000, btid, gba_naf_naf_id(pf->naf), &zn),
                         POC_OK);
        assert_int_equal(gba_naf_learn(pf->naf, pf->pair->now_ms / 1000, btid, &zn), POC_OK);
        gba_zn_answer_done(&zn);
        verdict = gba_naf_check(pf->naf, pf->pair->now_ms / 1000, &request, &user, &why);
    }
    if (verdict == GBA_NAF_OK)
        pair_learn(pf->pair, user.btid);
    su_home_deinit(home);
    return verdict;
}

static int on_request(tiny_pf *pf, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *sip);

static int on_ack(tiny_pf *pf, nta_incoming_t *irq, sip_t const *sip)
{
    pf->seen.acked += sip != NULL && sip->sip_request->rq_method == sip_method_ack;
    nta_incoming_destroy(irq);
    pf->invite = NULL;
    return 0;
}

static int challenge(tiny_pf *pf, nta_incoming_t *irq)
{
    char header[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(header, sizeof(header));
    assert_int_equal(gba_naf_challenge(pf->naf, pf->pair->now_ms / 1000, false, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    pf->seen.challenged++;
    nta_incoming_treply(irq, SIP_401_UNAUTHORIZED, SIPTAG_WWW_AUTHENTICATE_STR(header), TAG_END());
    nta_incoming_destroy(irq);
    return 0;
}

static int on_invite(tiny_pf *pf, nta_incoming_t *irq, sip_t const *sip)
{
    char answer[sizeof(answer_sdp) + 8];
    pf->seen.authorized++;
    copy_header(pf->seen.allow, sizeof(pf->seen.allow), sip->sip_allow);
    copy_header(pf->seen.user_agent, sizeof(pf->seen.user_agent), sip->sip_user_agent);
    copy_header(pf->seen.accept_contact, sizeof(pf->seen.accept_contact), sip->sip_accept_contact);
    for (sip_unknown_t const *u = sip->sip_unknown; u != NULL; u = u->un_next)
        if (strcmp(u->un_name, "P-Preferred-Identity") == 0)
            snprintf(pf->seen.preferred_identity, sizeof(pf->seen.preferred_identity), "%s", u->un_value);
    pf->leg = nta_leg_tcreate(pf->agent, on_request, pf, SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(sip->sip_to),
                              SIPTAG_TO(sip->sip_from), TAG_END());
    nta_leg_tag(pf->leg, nta_incoming_tag(irq, NULL));
    nta_leg_server_route(pf->leg, sip->sip_record_route, sip->sip_contact);
    snprintf(pf->seen.offer, sizeof(pf->seen.offer), "%.*s", (int)sip->sip_payload->pl_len, sip->sip_payload->pl_data);
    snprintf(answer, sizeof(answer), answer_sdp, (unsigned)pf->floor_port);
    pf->invite = irq;
    nta_incoming_bind(irq, on_ack, pf);
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT_STR(pf->contact), SIPTAG_CONTENT_TYPE_STR("application/sdp"),
                        SIPTAG_PAYLOAD_STR(answer), TAG_END());
    return 0;
}

static int other(tiny_pf *pf, nta_incoming_t *irq, sip_t const *sip, poc_span body)
{
    const bool is_ack = sip->sip_request->rq_method == sip_method_ack;
    if (pf->serve == NULL || is_ack)
        return 0;
    if (pf->challenges_others && check(pf, sip, body) != GBA_NAF_OK)
        return challenge(pf, irq);
    return pf->serve(pf->serve_user, irq, sip) ? 0 : 405;
}

static int on_request(tiny_pf *pf, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *sip)
{
    poc_span body = sip->sip_payload == NULL ? poc_span_of("", 0)
                                             : poc_span_of(sip->sip_payload->pl_data, sip->sip_payload->pl_len);
    (void)leg;
    switch (sip->sip_request->rq_method) {
    case sip_method_invite:
        return check(pf, sip, body) == GBA_NAF_OK ? on_invite(pf, irq, sip) : challenge(pf, irq);
    case sip_method_refer:
        if (check(pf, sip, body) != GBA_NAF_OK)
            return challenge(pf, irq);
        copy_header(pf->seen.refer_to, sizeof(pf->seen.refer_to), sip->sip_refer_to);
        pf->seen.referred++;
        return 202;
    case sip_method_bye:
        pf->seen.byed++;
        return 200;
    default:
        return other(pf, irq, sip, body);
    }
}

static int on_answer(tiny_pf *pf, nta_outgoing_t *orq, sip_t const *sip)
{
    int status = nta_outgoing_status(orq);
    if (status < 200)
        return 0;
    pf->seen.answer_status = (unsigned)status;
    copy_header(pf->seen.warning, sizeof(pf->seen.warning), sip->sip_warning);
    snprintf(pf->seen.answer, sizeof(pf->seen.answer), "%.*s",
             sip->sip_payload == NULL ? 0 : (int)sip->sip_payload->pl_len,
             sip->sip_payload == NULL ? "" : sip->sip_payload->pl_data);
    if (nta_outgoing_method(orq) == sip_method_invite && status < 300)
        nta_outgoing_destroy(nta_outgoing_tcreate(pf->leg, NULL, NULL, NULL, SIP_METHOD_ACK, NULL, TAG_END()));
    return 0;
}

void tiny_pf_offer(tiny_pf *pf, const char *sdp, bool by_update)
{
    if (pf->offer != NULL)
        nta_outgoing_destroy(pf->offer);
    pf->seen.answer_status = 0;
    pf->offer = by_update
                    ? nta_outgoing_tcreate(pf->leg, on_answer, pf, NULL, SIP_METHOD_UPDATE, NULL,
                                           SIPTAG_CONTACT_STR(pf->contact), SIPTAG_CONTENT_TYPE_STR("application/sdp"),
                                           SIPTAG_PAYLOAD_STR(sdp), TAG_END())
                    : nta_outgoing_tcreate(pf->leg, on_answer, pf, NULL, SIP_METHOD_INVITE, NULL,
                                           SIPTAG_CONTACT_STR(pf->contact), SIPTAG_CONTENT_TYPE_STR("application/sdp"),
                                           SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    assert_non_null(pf->offer);
}

/* Without a callback the stack would let go of the transaction by itself. */
static int on_byed(tiny_pf *pf, nta_outgoing_t *orq, sip_t const *sip)
{
    (void)pf;
    (void)orq;
    (void)sip;
    return 0;
}

void tiny_pf_bye(tiny_pf *pf)
{
    pf->bye = nta_outgoing_tcreate(pf->leg, on_byed, pf, NULL, SIP_METHOD_BYE, NULL, TAG_END());
    assert_non_null(pf->bye);
}

/* ---- life ---- */

static void naf_start(tiny_pf *pf)
{
    gba_naf_settings s = { .fqdn = poc_span_str("pf1.poc.example.org"), .nonce_lifetime_s = 60, .users_max = 8 };
    memcpy(s.ua_id, gba_ua_id_mbms, sizeof(s.ua_id));
    assert_int_equal(gba_naf_new(&pf->naf, &s, &pf->pair->rng), POC_OK);
}

static void agent_start(tiny_pf *pf, su_root_t *root)
{
    char bind_uri[128];
    const char *open = pf->is_ip6 ? "[" : "", *shut = pf->is_ip6 ? "]" : "";
    const bool is_both = strcmp(pf->transport, "both") == 0;
    snprintf(bind_uri, sizeof(bind_uri), "sip:%s%s%s:*%s%s", open, pf->address, shut,
             is_both ? "" : ";transport=", is_both ? "" : pf->transport);
    for (int tries = 0; pf->agent == NULL && tries < 8; tries++) /* a port may be somebody else's in TCP */
        pf->agent = nta_agent_create(root, URL_STRING_MAKE(bind_uri), NULL, NULL, NTATAG_UA(1), TAG_END());
    assert_non_null(pf->agent);
    pf->stray = nta_leg_tcreate(pf->agent, on_request, pf, NTATAG_NO_DIALOG(1), TAG_END());
    snprintf(pf->uri, sizeof(pf->uri), "sip:%s%s%s:%s;transport=%s", open, pf->address, shut,
             nta_agent_contact(pf->agent)->m_url->url_port, is_both ? "udp" : pf->transport);
    snprintf(pf->contact, sizeof(pf->contact), "<%s>;isfocus", pf->uri);
}

static void air_open(tiny_pf *pf)
{
    struct sockaddr_storage from;
    unsigned loopback = 1;
    assert_int_equal(poc_addr_parse(&from, poc_span_str(pf->address), 0), POC_OK);
    pf->air = socket(from.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(pf->air >= 0);
    assert_int_equal(bind(pf->air, (struct sockaddr *)&from, poc_addr_len((struct sockaddr *)&from)), 0);
    if (pf->is_ip6)
        assert_int_equal(setsockopt(pf->air, IPPROTO_IPV6, IPV6_MULTICAST_IF, &loopback, sizeof(loopback)), 0);
    else
        assert_int_equal(setsockopt(pf->air, IPPROTO_IP, IP_MULTICAST_IF, &((struct sockaddr_in *)&from)->sin_addr,
                                    sizeof(struct in_addr)),
                         0);
}

tiny_pf *tiny_pf_new(su_root_t *root, pair *p, const char *address, const char *transport)
{
    tiny_pf *pf = calloc(1, sizeof(*pf));
    assert_non_null(pf);
    pf->pair = p;
    pf->floor_port = 9;
    pf->is_ip6 = strchr(address, ':') != NULL;
    snprintf(pf->address, sizeof(pf->address), "%s", address);
    snprintf(pf->transport, sizeof(pf->transport), "%s", transport);
    air_open(pf);
    bsf_start(pf);
    naf_start(pf);
    agent_start(pf, root);
    return pf;
}

void tiny_pf_free(tiny_pf *pf)
{
    MHD_stop_daemon(pf->bsf);
    if (pf->offer != NULL)
        nta_outgoing_destroy(pf->offer);
    if (pf->bye != NULL)
        nta_outgoing_destroy(pf->bye);
    if (pf->leg != NULL)
        nta_leg_destroy(pf->leg);
    nta_leg_destroy(pf->stray);
    nta_agent_destroy(pf->agent);
    gba_naf_free(pf->naf);
    close(pf->air);
    free(pf);
}

const char *tiny_pf_uri(const tiny_pf *pf)
{
    return pf->uri;
}

const char *tiny_pf_bsf_url(const tiny_pf *pf)
{
    return pf->bsf_url;
}

void tiny_pf_others(tiny_pf *pf, bool challenges, tiny_pf_serve_fn *serve, void *user)
{
    pf->challenges_others = challenges;
    pf->serve = serve;
    pf->serve_user = user;
}

nta_agent_t *tiny_pf_agent(tiny_pf *pf)
{
    return pf->agent;
}

void tiny_pf_floor(tiny_pf *pf, uint16_t port)
{
    pf->floor_port = port;
}

tiny_pf_seen *tiny_pf_look(tiny_pf *pf)
{
    return &pf->seen;
}

void tiny_pf_transmit(tiny_pf *pf)
{
    static const uint16_t ports[BCAST_FLOW_COUNT] = { 5004, 5006, 5008 };
    pair *p = pf->pair;
    for (size_t i = 0; i < p->air_count; i++) {
        struct sockaddr_storage to;
        assert_int_equal(
            poc_addr_parse(&to, poc_span_str(pf->is_ip6 ? "ff3e::8000:7" : "232.10.0.7"), ports[p->air[i].flow]),
            POC_OK);
        assert_int_equal(
            sendto(pf->air, p->air[i].b, p->air[i].n, 0, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)),
            p->air[i].n);
    }
    p->air_count = 0;
}
