#define NUA_MAGIC_T  struct cf
#define NUA_HMAGIC_T struct cf_handle

#include "tests/harness/cf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sofia-sip/nua.h>
#include <sofia-sip/nua_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/tport_tag.h>

#include "base/sdp.h"
#include "base/text.h"
#include "bcast/bcast.h"
#include "tests/harness/cf_roster.h"
#include "tests/harness/udp.h"

enum { LEGS_MAX = 64, SUBSCRIBERS_MAX = 8, CONFERENCES_MAX = 8, CARRIED_MAX = 64, BODY_MAX = 16384 };

/* What hangs on a nua handle: a participant's leg, or a subscription. */
typedef enum handle_kind { HANDLE_LEG, HANDLE_SUBSCRIBER } handle_kind;

typedef struct cf_handle {
    handle_kind kind;
    cf *owner;
    nua_handle_t *nh; /* NULL: this place is free */
    size_t conference;
    char user[POC_URI_MAX]; /* HANDLE_LEG */
    bool is_in;
    udp *audio, *floor;
    struct sockaddr_storage peer_audio, peer_floor;
} cf_handle;

typedef struct conference {
    char entity[POC_URI_MAX]; /* "": free */
    uint32_t version;
    cf_handle *talker; /* who has the floor */
} conference;

/* A MESSAGE on its way: as it came, and as it goes on. */
typedef struct carried {
    nua_handle_t *in, *out; /* NULL: this place is free */
    nua_saved_event_t request[1];
} carried;

struct cf {
    su_root_t *root;
    nua_t *nua;
    char host[64];
    uint16_t port;
    cf_event_fn *on_event;
    void *user_data;
    conference conferences[CONFERENCES_MAX];
    cf_handle legs[LEGS_MAX], subscribers[SUBSCRIBERS_MAX];
    cf_where_fn *where; /* NULL: carries nothing */
    carried carried[CARRIED_MAX];
    bool is_shut_down;
};

static void tell(const cf *c, cf_what what, const char *user)
{
    c->on_event(c->user_data, what, user);
}

/* ---- roster ---- */

static void notify(cf *c, size_t conf, const char *state, const cf_row *rows, size_t n)
{
    conference *at = &c->conferences[conf];
    bool is_over = strcmp(state, "deleted") == 0;
    char body[BODY_MAX];
    size_t in = 0;
    poc_wr wr = poc_wr_into(body, sizeof(body));
    for (size_t i = 0; i < LEGS_MAX; i++)
        in += c->legs[i].nh != NULL && c->legs[i].is_in && c->legs[i].conference == conf;
    cf_roster_write(&wr, at->entity, state, at->version, rows, n, in);
    for (size_t i = 0; i < SUBSCRIBERS_MAX; i++) {
        if (c->subscribers[i].nh == NULL || c->subscribers[i].conference != conf)
            continue;
        nua_notify(c->subscribers[i].nh, NUTAG_SUBSTATE(is_over ? nua_substate_terminated : nua_substate_active),
                   TAG_IF(is_over, SIPTAG_SUBSCRIPTION_STATE_STR("terminated;reason=noresource")),
                   SIPTAG_EVENT_STR("conference"), SIPTAG_CONTENT_TYPE_STR("application/conference-info+xml"),
                   SIPTAG_PAYLOAD_STR(body), TAG_END());
    }
}

static void notify_change(const cf_handle *leg, const char *status, const char *method, const char *by)
{
    const cf_row row = { leg->user, status, method, by };
    leg->owner->conferences[leg->conference].version++;
    notify(leg->owner, leg->conference, "partial", &row, 1);
}

static void notify_full(cf *c, size_t conf)
{
    cf_row rows[LEGS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < LEGS_MAX; i++)
        if (c->legs[i].nh != NULL && c->legs[i].is_in && c->legs[i].conference == conf)
            rows[n++] = (cf_row){ c->legs[i].user, "connected", NULL, NULL };
    c->conferences[conf].version++;
    notify(c, conf, "full", rows, n);
}

/* ---- media and floor ---- */

static void to_others(const cf_handle *from, bool floor, poc_span packet)
{
    cf *c = from->owner;
    for (size_t i = 0; i < LEGS_MAX; i++) {
        const cf_handle *to = &c->legs[i];
        if (to->nh == NULL || !to->is_in || to == from || to->conference != from->conference)
            continue;
        if (floor)
            udp_send(to->floor, (const struct sockaddr *)&to->peer_floor, packet);
        else
            udp_send(to->audio, (const struct sockaddr *)&to->peer_audio, packet);
    }
}

static void on_audio(void *user, udp *from, const struct sockaddr *peer, poc_span packet)
{
    (void)from, (void)peer;
    to_others(user, false, packet);
}

static void floor_send(const cf_handle *leg, const bcast_mbcp *msg, bool to_all)
{
    uint8_t buf[512];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    bcast_mbcp_put(&wr, msg);
    if (poc_wr_done(&wr) != POC_OK)
        return;
    if (to_all)
        to_others(leg, true, poc_span_of(buf, wr.len));
    else
        udp_send(leg->floor, (const struct sockaddr *)&leg->peer_floor, poc_span_of(buf, wr.len));
}

enum { CF_SSRC = 0x0CF00CF0 };

static void floor_idle(const cf_handle *leg)
{
    const bcast_mbcp idle = { .type = BCAST_MBCP_IDLE, .ssrc = CF_SSRC };
    leg->owner->conferences[leg->conference].talker = NULL;
    floor_send(leg, &idle, true);
    floor_send(leg, &idle, false);
}

static void on_floor(void *user, udp *from, const struct sockaddr *peer, poc_span packet)
{
    cf_handle *leg = user;
    conference *conf = &leg->owner->conferences[leg->conference];
    bcast_mbcp msg;
    (void)from, (void)peer;
    if (bcast_mbcp_parse(&msg, packet) != POC_OK)
        return;
    if (msg.type == BCAST_MBCP_RELEASE && conf->talker == leg)
        floor_idle(leg);
    if (msg.type != BCAST_MBCP_REQUEST)
        return;
    if (conf->talker != NULL && conf->talker != leg) {
        floor_send(leg, &(bcast_mbcp){ .type = BCAST_MBCP_DENY, .ssrc = CF_SSRC, .reason = 1 }, false);
        return;
    }
    conf->talker = leg;
    floor_send(leg, &(bcast_mbcp){ .type = BCAST_MBCP_GRANTED, .ssrc = CF_SSRC }, false);
    floor_send(
        leg,
        &(bcast_mbcp){
            .type = BCAST_MBCP_TAKEN, .ssrc = CF_SSRC, .talker_ssrc = msg.ssrc, .talker = poc_span_str(leg->user) },
        true);
}

/* ---- legs ---- */

static void handle_free(cf_handle *h)
{
    if (h->nh != NULL)
        nua_handle_destroy(h->nh);
    udp_close(h->audio);
    udp_close(h->floor);
    *h = (cf_handle){ 0 };
}

static void leg_ends(cf_handle *leg)
{
    leg->is_in = false;
    if (leg->owner->conferences[leg->conference].talker == leg)
        floor_idle(leg);
}

static cf_handle *handle_new(cf *c, cf_handle *list, size_t n, handle_kind kind, nua_handle_t *nh, size_t conf)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].nh != NULL)
            continue;
        list[i] = (cf_handle){ .kind = kind, .owner = c, .nh = nua_handle_ref(nh), .conference = conf };
        nua_handle_bind(nh, &list[i]);
        return &list[i];
    }
    return NULL;
}

static size_t conference_of(cf *c, sip_t const *sip)
{
    char entity[POC_URI_MAX];
    const url_t *uri = sip->sip_request->rq_url;
    char text[POC_URI_MAX];
    size_t free_place = CONFERENCES_MAX;
    if (url_e(text, sizeof(text), uri) >= (issize_t)sizeof(text) ||
        poc_uri_canonical(entity, poc_span_str(text)) != POC_OK)
        return CONFERENCES_MAX;
    for (size_t i = 0; i < CONFERENCES_MAX; i++) {
        if (strcmp(c->conferences[i].entity, entity) == 0)
            return i;
        if (c->conferences[i].entity[0] == '\0' && free_place == CONFERENCES_MAX)
            free_place = i;
    }
    if (free_place < CONFERENCES_MAX)
        snprintf(c->conferences[free_place].entity, sizeof(c->conferences[free_place].entity), "%s", entity);
    return free_place;
}

static bool peer_of(struct sockaddr_storage *out, const poc_sdp_media *m)
{
    *out = (struct sockaddr_storage){ 0 };
    return m->port == 0 || poc_addr_parse(out, m->conn.address, m->port) == POC_OK;
}

/* Where the PF wants media of this leg; false when its description cannot be used. */
static bool peers_read(cf_handle *leg, sip_t const *sip)
{
    poc_sdp sdp;
    if (sip->sip_payload == NULL ||
        poc_sdp_parse(&sdp, poc_span_of(sip->sip_payload->pl_data, sip->sip_payload->pl_len), NULL) != POC_OK)
        return false;
    bool has_audio = false;
    for (size_t i = 0; i < sdp.media_count; i++) {
        const poc_sdp_media *m = &sdp.media[i];
        if (poc_span_eq_str(m->type, "audio") && !has_audio)
            has_audio = peer_of(&leg->peer_audio, m);
        else if (poc_span_eq_str(m->type, "application"))
            (void)peer_of(&leg->peer_floor, m);
    }
    return has_audio;
}

static void answer_write(char *out, size_t cap, const cf_handle *leg)
{
    const char *family = strchr(leg->owner->host, ':') != NULL ? "IP6" : "IP4";
    snprintf(
        out, cap,
        "v=0\r\no=cf 1 1 IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=audio %u RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=ptime:20\r\na=sendrecv\r\nm=application %u udp TBCP\r\na=fmtp:TBCP queuing=0;tb_priority=1;timestamp=0\r\n",
        family, leg->owner->host, family, leg->owner->host, udp_port(leg->audio), udp_port(leg->floor));
}

static void user_of(char out[POC_URI_MAX], sip_t const *sip)
{
    const char *uri = NULL;
    sip_unknown_t const *header = sip->sip_unknown;
    for (; header != NULL; header = header->un_next)
        if (strcasecmp(header->un_name, "P-Asserted-Identity") == 0)
            uri = header->un_value;
    if (uri == NULL || poc_uri_canonical(out, poc_span_str(uri)) != POC_OK)
        snprintf(out, POC_URI_MAX, "sip:%s@%s", sip->sip_from->a_url->url_user, sip->sip_from->a_url->url_host);
}

static void on_invite(cf *c, nua_handle_t *nh, cf_handle *leg, sip_t const *sip)
{
    char sdp[1024], contact[128];
    if (leg == NULL) {
        size_t conf = conference_of(c, sip);
        leg = conf < CONFERENCES_MAX ? handle_new(c, c->legs, LEGS_MAX, HANDLE_LEG, nh, conf) : NULL;
        if (leg == NULL) {
            nua_respond(nh, SIP_503_SERVICE_UNAVAILABLE, TAG_END());
            return;
        }
        user_of(leg->user, sip);
        if (udp_open(&leg->audio, c->root, c->host, 0, on_audio, leg) != POC_OK ||
            udp_open(&leg->floor, c->root, c->host, 0, on_floor, leg) != POC_OK) {
            nua_respond(nh, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
            return;
        }
    }
    if (!peers_read(leg, sip)) {
        nua_respond(nh, SIP_488_NOT_ACCEPTABLE, TAG_END());
        return;
    }
    answer_write(sdp, sizeof(sdp), leg);
    snprintf(contact, sizeof(contact),
             strchr(c->host, ':') != NULL ? "<sip:focus@[%s]:%u>;isfocus" : "<sip:focus@%s:%u>;isfocus", c->host,
             c->port);
    nua_respond(nh, SIP_200_OK, SIPTAG_CONTACT_STR(contact), SIPTAG_CONTENT_TYPE_STR("application/sdp"),
                SIPTAG_PAYLOAD_STR(sdp), TAG_END());
}

static void on_subscribe(cf *c, nua_handle_t *nh, cf_handle *subscriber, sip_t const *sip)
{
    if (sip->sip_event == NULL || strcmp(sip->sip_event->o_type, "conference") != 0) {
        nua_respond(nh, SIP_489_BAD_EVENT, TAG_END());
        return;
    }
    size_t conf = subscriber != NULL ? subscriber->conference : conference_of(c, sip);
    if (subscriber == NULL && conf < CONFERENCES_MAX)
        subscriber = handle_new(c, c->subscribers, SUBSCRIBERS_MAX, HANDLE_SUBSCRIBER, nh, conf);
    if (subscriber == NULL) {
        nua_respond(nh, SIP_503_SERVICE_UNAVAILABLE, TAG_END());
        return;
    }
    nua_respond(nh, SIP_202_ACCEPTED, SIPTAG_EXPIRES_STR("3600"), TAG_END());
    notify_full(c, conf);
}

/* REFER with Refer-To: <user;method=BYE>: one participant asks for another to be expelled. */
static void on_refer(cf *c, nua_handle_t *nh, sip_t const *sip)
{
    char subject[POC_URI_MAX], by[POC_URI_MAX];
    user_of(by, sip);
    subject[0] = '\0';
    if (sip->sip_refer_to != NULL)
        snprintf(subject, sizeof(subject), "sip:%s@%s", sip->sip_refer_to->r_url->url_user,
                 sip->sip_refer_to->r_url->url_host);
    /* Nobody wants to hear of the progress (RFC 4488), so the handle of this REFER ends here. */
    nua_respond(nh, SIP_202_ACCEPTED, NUTAG_WITH_THIS(c->nua), SIPTAG_HEADER_STR("Refer-Sub: false"), TAG_END());
    nua_handle_destroy(nh);
    (void)cf_expel(c, subject, by);
}

/* ---- MESSAGEs to users ---- */

static carried *carried_of(cf *c, const nua_handle_t *out)
{
    for (size_t i = 0; i < CARRIED_MAX; i++)
        if (c->carried[i].out == out)
            return &c->carried[i];
    return NULL;
}

static const char *where_to(const cf *c, sip_t const *sip)
{
    char written[POC_URI_MAX], user[POC_URI_MAX];
    snprintf(written, sizeof(written), "sip:%s@%s", sip->sip_to->a_url->url_user, sip->sip_to->a_url->url_host);
    if (c->where == NULL || poc_uri_canonical(user, poc_span_str(written)) != POC_OK)
        return NULL;
    return c->where(c->user_data, user);
}

/* With who asserts to be sending it, and of which service it is. */
static void asserted_of(sip_t const *sip, char identity[256], char service[256])
{
    identity[0] = service[0] = '\0';
    for (sip_unknown_t const *h = sip->sip_unknown; h != NULL; h = h->un_next) {
        if (strcasecmp(h->un_name, "P-Asserted-Identity") == 0)
            snprintf(identity, 256, "P-Asserted-Identity: %s", h->un_value);
        if (strcasecmp(h->un_name, "P-Asserted-Service") == 0)
            snprintf(service, 256, "P-Asserted-Service: %s", h->un_value);
    }
}

static void on_message(cf *c, nua_handle_t *nh, sip_t const *sip)
{
    const char *to = where_to(c, sip);
    carried *m = to != NULL ? carried_of(c, NULL) : NULL;
    char identity[256], service[256];
    if (m == NULL) {
        nua_respond(nh, SIP_404_NOT_FOUND, NUTAG_WITH_THIS(c->nua), TAG_END());
        nua_handle_destroy(nh);
        return;
    }
    asserted_of(sip, identity, service);
    nua_save_event(c->nua, m->request);
    m->in = nh;
    m->out = nua_handle(c->nua, NULL, NUTAG_URL(to), SIPTAG_FROM(sip->sip_from), SIPTAG_TO(sip->sip_to), TAG_END());
    nua_message(m->out, SIPTAG_CONTENT_TYPE(sip->sip_content_type), SIPTAG_PAYLOAD(sip->sip_payload),
                TAG_IF(identity[0] != '\0', SIPTAG_HEADER_STR(identity)),
                TAG_IF(service[0] != '\0', SIPTAG_HEADER_STR(service)), TAG_END());
}

static void carried_free(carried *m)
{
    if (m->out == NULL)
        return;
    nua_destroy_event(m->request);
    nua_handle_destroy(m->in);
    nua_handle_destroy(m->out);
    *m = (carried){ NULL, NULL, { NULL } };
}

static void on_carried(cf *c, const nua_handle_t *out, int status)
{
    carried *m = carried_of(c, out);
    if (m == NULL || status < 200)
        return;
    nua_respond(m->in, status, sip_status_phrase(status), NUTAG_WITH_SAVED(m->request), TAG_END());
    carried_free(m);
}

static void on_state(cf *c, cf_handle *leg, tagi_t tags[])
{
    int state = nua_callstate_init;
    tl_gets(tags, NUTAG_CALLSTATE_REF(state), TAG_END());
    if (leg == NULL || leg->kind != HANDLE_LEG)
        return;
    if (state == nua_callstate_ready && !leg->is_in) {
        leg->is_in = true;
        notify_change(leg, "connected", NULL, NULL);
        tell(c, CF_IN, leg->user);
    }
    if (state == nua_callstate_terminated)
        handle_free(leg);
}

static void on_event(nua_event_t event, int status, char const *phrase, nua_t *nua, cf *c, nua_handle_t *nh,
                     cf_handle *h, sip_t const *sip, tagi_t tags[])
{
    (void)phrase, (void)nua;
    switch (event) {
    case nua_i_invite:
        on_invite(c, nh, h, sip);
        break;
    case nua_i_bye:
        if (h != NULL && h->is_in) {
            leg_ends(h);
            notify_change(h, "disconnected", "departed", NULL);
            tell(c, CF_LEFT, h->user);
        }
        break;
    case nua_i_subscribe:
        on_subscribe(c, nh, h, sip);
        break;
    case nua_i_refer:
        on_refer(c, nh, sip);
        break;
    case nua_i_message:
        on_message(c, nh, sip);
        break;
    case nua_r_message:
        on_carried(c, nh, status);
        break;
    case nua_i_state:
        on_state(c, h, tags);
        break;
    case nua_r_shutdown:
        c->is_shut_down = status >= 200;
        break;
    default:
        break;
    }
}

/* ---- door ---- */

poc_err cf_new(cf **out, su_root_t *root, const char *host, uint16_t port, cf_event_fn *on_event_fn, void *user_data)
{
    char url[128];
    cf *c = calloc(1, sizeof(*c));
    *out = NULL;
    if (c == NULL)
        return POC_E_NOMEM;
    c->root = root;
    c->port = port;
    c->on_event = on_event_fn;
    c->user_data = user_data;
    snprintf(c->host, sizeof(c->host), "%s", host);
    snprintf(url, sizeof(url), strchr(host, ':') != NULL ? "sip:[%s]:%u" : "sip:%s:%u", host, port);
    c->nua =
        nua_create(root, on_event, c, NUTAG_URL(url), NUTAG_MEDIA_ENABLE(0), NUTAG_AUTOANSWER(0), NUTAG_AUTOALERT(0),
                   NUTAG_ALLOW("INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, SUBSCRIBE, NOTIFY, REFER, MESSAGE"),
                   NUTAG_ALLOW_EVENTS("conference"), NUTAG_APPL_METHOD("SUBSCRIBE"), NUTAG_APPL_METHOD("REFER"),
                   NUTAG_APPL_METHOD("MESSAGE"), SIPTAG_USER_AGENT_STR("PoC-serv/OMA2.1 stand-in-cf"), TAG_END());
    if (c->nua == NULL) {
        free(c);
        return POC_E_IO;
    }
    *out = c;
    return POC_OK;
}

void cf_carry(cf *c, cf_where_fn *where)
{
    c->where = where;
}

void cf_free(cf *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < LEGS_MAX; i++)
        handle_free(&c->legs[i]);
    for (size_t i = 0; i < SUBSCRIBERS_MAX; i++)
        handle_free(&c->subscribers[i]);
    for (size_t i = 0; i < CARRIED_MAX; i++)
        carried_free(&c->carried[i]);
    nua_shutdown(c->nua);
    for (int i = 0; i < 200 && !c->is_shut_down; i++)
        su_root_step(c->root, 10);
    nua_destroy(c->nua);
    free(c);
}

poc_err cf_expel(cf *c, const char *user, const char *by)
{
    for (size_t i = 0; i < LEGS_MAX; i++) {
        cf_handle *leg = &c->legs[i];
        if (leg->nh == NULL || !leg->is_in || strcmp(leg->user, user) != 0)
            continue;
        tell(c, CF_EXPELLED, leg->user);
        leg_ends(leg);
        nua_bye(leg->nh, TAG_END());
        notify_change(leg, "disconnected", "booted", by);
        return POC_OK;
    }
    return POC_E_STATE;
}

poc_err cf_end(cf *c, const char *group_uri)
{
    for (size_t conf = 0; conf < CONFERENCES_MAX; conf++) {
        if (strcmp(c->conferences[conf].entity, group_uri) != 0)
            continue;
        for (size_t i = 0; i < LEGS_MAX; i++) {
            if (c->legs[i].nh == NULL || !c->legs[i].is_in || c->legs[i].conference != conf)
                continue;
            c->legs[i].is_in = false;
            nua_bye(c->legs[i].nh, TAG_END());
        }
        c->conferences[conf].version++;
        notify(c, conf, "deleted", NULL, 0);
        c->conferences[conf].talker = NULL;
        tell(c, CF_OVER, NULL);
        return POC_OK;
    }
    return POC_E_STATE;
}
