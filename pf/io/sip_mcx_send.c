/* Requests of ours to clients of mission critical services, outside dialogs: keys and announcements (digest "MIKEY-SAKKE" 7.2,
 * 7.3). */
#include "pf/io/sip_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sofia-sip/tport_tag.h>

enum {
    /* What part one user may take, so that there is room for others whatever he does: enough for forty MuSiKs, whose sendings to
     * where he is no more have not ended when he comes again from elsewhere. */
    SHARE = 160,         /* 250 of 40,000 */
    SHARE_SCARCE = 1280, /* 31, once half of all is taken */
    LINGER_MS = 60000,   /* of a transaction for which nobody waits any more: longer than any lasts */
    DATAGRAM_MAX = 65535,
    CALL_ID_OCTETS = 16,
    TAG_OCTETS = 8
};

/* ---- requests under way ---- */

static sip_mcx_recipient *recipient_of(const sip_mcx *mcx, const char *subject)
{
    return poc_table_get(&mcx->recipients, poc_span_str(subject));
}

static sip_mcx_recipient *recipient_new(sip_mcx *mcx, const char *subject)
{
    const size_t n = strlen(subject) + 1;
    sip_mcx_recipient *to = calloc(1, sizeof(*to) + n);
    if (to == NULL)
        return NULL;
    memcpy(to->subject, subject, n);
    if (poc_table_put(&mcx->recipients, poc_span_str(to->subject), to) == POC_OK)
        return to;
    free(to);
    return NULL;
}

static void recipient_drop(sip_mcx *mcx, sip_mcx_recipient *to)
{
    if (to->count > 0)
        return;
    (void)poc_table_remove(&mcx->recipients, poc_span_str(to->subject));
    free(to);
}

static void sent_free(sip_mcx_sent *x)
{
    sip_mcx *mcx = x->sip->mcx;
    sip_mcx_recipient *to = x->to;
    if (x->prev != NULL)
        x->prev->next = x->next;
    else
        to->first = x->next;
    if (x->next != NULL)
        x->next->prev = x->prev;
    to->count--;
    mcx->sent_count--;
    recipient_drop(mcx, to);
    sip_timer_done(&x->timer);
    if (x->orq != NULL)
        nta_outgoing_destroy(x->orq);
    free(x);
}

void sip_mcx_sent_free_all(sip *s)
{
    size_t at = 0;
    for (sip_mcx_recipient *to; (to = poc_table_next(&s->mcx->recipients, &at)) != NULL;)
        for (uint32_t left = to->count; left > 0; left--)
            sent_free(to->first); /* the last one takes `to` with it */
    poc_table_done(&s->mcx->recipients);
}

/** What became of it, to who waits for that. */
static void sent_tell(sip_mcx_sent *x, int status, void (*then)(sip_mcx_sent *x))
{
    char subject[WIRE_MCX_USER_MAX];
    const sip *s = x->sip;
    const uint64_t number = x->number;
    const bool is_awaited = x->is_awaited;
    (void)snprintf(subject, sizeof(subject), "%s", x->to->subject);
    then(x);
    if (is_awaited)
        s->events->mcx_sent(s->user, subject, number, status);
}

/** Its transaction ends when it is answered, or by timer F: there is no way to end it before that. Until then it has its place. */
static void sent_let_go(sip_mcx_sent *x)
{
    x->is_awaited = false;
    sip_timer_at(&x->timer, sip_now_ms() + LINGER_MS);
}

static int sent_answered(void *magic, nta_outgoing_t *orq, sip_t const *m)
{
    const int status = nta_outgoing_status(orq);
    (void)m;
    if (status >= 200)
        sent_tell(magic, status, sent_free);
    return 0;
}

static void sent_due(void *arg)
{
    sip_mcx_sent *x = arg;
    sent_tell(x, 408, x->is_awaited ? sent_let_go : sent_free);
}

static sip_mcx_sent *sent_new(sip *s, sip_mcx_recipient *to, const sip_mcx_message *q)
{
    sip_mcx_sent *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return NULL;
    *x = (sip_mcx_sent){
        .to = to, .sip = s, .number = q->number, .topic = q->topic, .is_awaited = true, .next = to->first
    };
    if (sip_timer_make(&x->timer, s, sent_due, x) != POC_OK) {
        free(x);
        return NULL;
    }
    if (x->next != NULL)
        x->next->prev = x;
    to->first = x;
    to->count++;
    s->mcx->sent_count++;
    return x;
}

static bool has_room(const sip_mcx *mcx, const sip_mcx_recipient *to)
{
    const uint32_t share = mcx->sent_max / (mcx->sent_count < mcx->sent_max / 2 ? SHARE : SHARE_SCARCE);
    return mcx->sent_count < mcx->sent_max && (to == NULL || to->count < (share > 0 ? share : 1));
}

/** Of what is sent to one user about one thing the youngest is awaited alone. */
static bool let_go_before(const sip_mcx_sent *youngest)
{
    bool did = false;
    for (sip_mcx_sent *x = youngest->next; x != NULL; x = x->next) {
        if (!x->is_awaited || x->topic != youngest->topic)
            continue;
        sent_let_go(x);
        did = true;
    }
    return did;
}

/* ---- what they look like ---- */

/** How a service is called in SIP. */
static const struct {
    const char *asserted, *tag, *icsi;
} services[MCX_SERVICES] = {
    [MCX_MCPTT] = { "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt", "*;+g.3gpp.mcptt;require;explicit",
                    "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt\";require;explicit" },
    [MCX_MCVIDEO] = { "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mcvideo",
                      "*;+g.3gpp.mcvideo;require;explicit",
                      "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mcvideo\";require;explicit" },
};

static const char *random_text(su_home_t *home, size_t octets)
{
    uint8_t random[CALL_ID_OCTETS];
    char text[2 * sizeof(random) + 1];
    su_randmem(random, octets);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_hex_put(&wr, poc_span_of(random, octets));
    return poc_wr_text(&wr) == POC_OK ? su_strdup(home, text) : NULL;
}

static bool is_sip_url(const url_t *url)
{
    return url != NULL && (url->url_type == url_sip || url->url_type == url_sips) && url->url_host != NULL &&
           url->url_headers == NULL;
}

static bool put_request_line(msg_t *msg, const sip_mcx_message *q, const url_t *to)
{
    sip_request_t *rq = q->by_notify
                            ? sip_request_create(msg_home(msg), SIP_METHOD_NOTIFY, (const url_string_t *)to, NULL)
                            : sip_request_create(msg_home(msg), SIP_METHOD_MESSAGE, (const url_string_t *)to, NULL);
    return rq != NULL && msg_header_insert(msg, (msg_pub_t *)sip_object(msg), (msg_header_t *)rq) >= 0;
}

/* INFERRED: no text says what carries a key in a NOTIFY. Its event package is the one by which clients publish their settings,
 * and nobody has subscribed to it. */
static bool put_headers(const sip *s, msg_t *msg, const sip_mcx_message *q)
{
    su_home_t *home = msg_home(msg);
    sip_t *out = sip_object(msg);
    const char *from_tag = random_text(home, TAG_OCTETS), *call_id = random_text(home, CALL_ID_OCTETS);
    const char *identity = s->mcx->identity, *method = q->by_notify ? "NOTIFY" : "MESSAGE";
    const char *from = su_sprintf(home, "<%s>;tag=%s", identity, from_tag != NULL ? from_tag : "");
    const char *to = su_sprintf(home, "<%s>", q->impu), *cseq = su_sprintf(home, "1 %s", method);
    const char *asserted = su_sprintf(home, "P-Asserted-Identity: <%s>", identity);
    sip_payload_t *payload = sip_payload_create(home, q->body.p, (isize_t)q->body.n);
    if (from_tag == NULL || call_id == NULL || from == NULL || to == NULL || cseq == NULL || asserted == NULL ||
        payload == NULL)
        return false;
    return sip_add_tl(msg, out, SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to), SIPTAG_CALL_ID_STR(call_id),
                      SIPTAG_CSEQ_STR(cseq), SIPTAG_MAX_FORWARDS_STR("70"), SIPTAG_USER_AGENT_STR(SIP_USER_AGENT),
                      SIPTAG_HEADER_STR(asserted), SIPTAG_HEADER_STR(services[q->service].asserted),
                      SIPTAG_ACCEPT_CONTACT_STR(services[q->service].tag),
                      SIPTAG_ACCEPT_CONTACT_STR(services[q->service].icsi),
                      TAG_IF(q->by_notify, SIPTAG_EVENT_STR("poc-settings")),
                      TAG_IF(q->by_notify, SIPTAG_SUBSCRIPTION_STATE_STR("active")),
                      TAG_IF(q->by_notify, SIPTAG_CONTACT_STR(sip_contact_of(s, SIP_UDP, false))),
                      SIPTAG_CONTENT_TYPE_STR(q->content_type), SIPTAG_PAYLOAD(payload), TAG_END()) >= 0;
}

static bool wants_udp(const url_t *next)
{
    char transport[8] = "";
    return url_param(next->url_params, "transport", transport, sizeof(transport)) > 0 &&
           strcasecmp(transport, "udp") == 0;
}

/*= RFC 3261, 18.1.1: a request within 200 octets of the path MTU "MUST be sent using [...] TCP": nta does it for every
 *  request larger than 1,300 octets, and goes back to UDP when nobody listens there. Where the next one has said that he
 *  takes UDP, that is not tried: it would cost seconds when his network drops the attempt, and a rekey does not wait. */
static poc_err sent_begin(sip *s, sip_mcx_sent *x, const sip_mcx_message *q)
{
    const bool is_direct = q->where[0] != '\0';
    msg_t *msg = nta_msg_create(s->agent, 0);
    if (msg == NULL)
        return POC_E_NOMEM;
    url_t *to = url_make(msg_home(msg), is_direct ? q->where : q->impu);
    poc_err err = is_sip_url(to) ? POC_OK : POC_E_INPUT;
    if (err == POC_OK)
        sip_url_secure(to);
    if (err == POC_OK && (!put_request_line(msg, q, to) || !put_headers(s, msg, q)))
        err = POC_E_NOMEM;
    if (err == POC_OK) {
        x->orq =
            nta_outgoing_mcreate(s->agent, sent_answered, x, is_direct ? NULL : (const url_string_t *)s->next_hop, msg,
                                 TAG_IF(wants_udp(is_direct ? to : s->next_hop), TPTAG_MTU(DATAGRAM_MAX)), TAG_END());
        err = x->orq != NULL ? POC_OK : POC_E_IO;
    }
    if (err != POC_OK)
        msg_destroy(msg);
    return err;
}

poc_err sip_mcx_send(sip *s, const sip_mcx_message *q, bool *replaced)
{
    sip_mcx *mcx = s->mcx;
    if (replaced != NULL)
        *replaced = false;
    if (mcx == NULL || s->draining)
        return POC_E_STATE;
    sip_mcx_recipient *to = recipient_of(mcx, q->subject);
    if (!has_room(mcx, to))
        return POC_E_LIMIT;
    if (to == NULL && (to = recipient_new(mcx, q->subject)) == NULL)
        return POC_E_NOMEM;
    sip_mcx_sent *x = sent_new(s, to, q);
    if (x == NULL) {
        recipient_drop(mcx, to);
        return POC_E_NOMEM;
    }
    const poc_err err = sent_begin(s, x, q);
    if (err != POC_OK) {
        sent_free(x);
        return err;
    }
    sip_timer_at(&x->timer, sip_now_ms() + q->timeout_ms);
    const bool did = let_go_before(x);
    if (replaced != NULL)
        *replaced = did;
    return POC_OK;
}
