/* REFER, INFO, MESSAGE and their kin are nothing to us: they are carried to the other side, and the answer back. */
#include <stdlib.h>

#include <sofia-sip/sip_extra.h>

#include "pf/io/sip_private.h"

bool sip_is_carried(sip_t const *m, bool in_dialog)
{
    static const struct {
        sip_method_t method;
        bool in_dialog, outside;
    } rows[] = {
        { sip_method_info, true, false },   { sip_method_message, true, true },   { sip_method_refer, true, true },
        { sip_method_options, true, true }, { sip_method_subscribe, true, true }, { sip_method_notify, true, false },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        if (rows[i].method == m->sip_request->rq_method)
            return in_dialog ? rows[i].in_dialog : rows[i].outside;
    return false;
}

/* The headers that mean something to the other side; absent ones are NULL, which Sofia passes over. */
#define CARRIED_HEADERS(m, content)                                                                             \
    SIPTAG_EVENT((m)->sip_event), SIPTAG_REFER_TO((m)->sip_refer_to), SIPTAG_REFERRED_BY((m)->sip_referred_by), \
        SIPTAG_SUBSCRIPTION_STATE((m)->sip_subscription_state), SIPTAG_EXPIRES((m)->sip_expires),               \
        SIPTAG_ACCEPT((m)->sip_accept), SIPTAG_ACCEPT_CONTACT((m)->sip_accept_contact),                         \
        SIPTAG_REQUIRE((m)->sip_require), SIPTAG_CONTENT_DISPOSITION((m)->sip_content_disposition),             \
        SIPTAG_REFER_SUB(sip_refer_sub(m)), SIPTAG_CONTENT_TYPE((content).type), SIPTAG_PAYLOAD((content).payload)

static sip_carried *carried_new(sip_inbound *in)
{
    sip_carried *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->sip = in->sip;
    c->session = in->leg != NULL ? in->leg->session : NULL;
    c->irq = in->irq;
    in->irq = NULL;
    nta_incoming_bind(c->irq, NULL, NULL);
    c->next = c->sip->carried;
    if (c->next != NULL)
        c->next->prev = c;
    c->sip->carried = c;
    return c;
}

static void carried_free(sip_carried *c)
{
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        c->sip->carried = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    if (c->orq != NULL)
        nta_outgoing_destroy(c->orq);
    if (c->irq != NULL)
        nta_incoming_destroy(c->irq);
    free(c);
}

void sip_carry_forget(sip *s, const sip_session *session)
{
    for (sip_carried *c = s->carried, *next; c != NULL; c = next) {
        next = c->next;
        if (c->session != session)
            continue;
        nta_incoming_treply(c->irq, SIP_481_NO_TRANSACTION, TAG_END());
        carried_free(c);
    }
}

void sip_carry_free_all(sip *s)
{
    while (s->carried != NULL)
        carried_free(s->carried); // NOLINT(clang-analyzer-unix.Malloc): who has no prev is the first
}

static int carried_answered(void *magic, nta_outgoing_t *orq, sip_t const *m)
{
    sip_carried *c = magic;
    int status = nta_outgoing_status(orq);
    sip_content content = { NULL, NULL };
    bool outside = c->session == NULL;
    if (status < 200)
        return 0;
    if (m != NULL)
        content = (sip_content){ m->sip_content_type, m->sip_payload };
    if (m == NULL || m->sip_status == NULL)
        nta_incoming_treply(c->irq, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
    else
        nta_incoming_treply(c->irq, status == 401 || status == 407 ? 500 : status,
                            status == 401 || status == 407 ? sip_500_Internal_server_error : m->sip_status->st_phrase,
                            TAG_IF(outside, SIPTAG_TO(m->sip_to)), TAG_IF(outside, SIPTAG_CONTACT(m->sip_contact)),
                            TAG_IF(outside, SIPTAG_RECORD_ROUTE(m->sip_record_route)), SIPTAG_ALLOW(m->sip_allow),
                            SIPTAG_UNSUPPORTED(m->sip_unsupported), SIPTAG_WARNING(m->sip_warning),
                            SIPTAG_RETRY_AFTER(m->sip_retry_after), CARRIED_HEADERS(m, content), TAG_END());
    carried_free(c);
    return 0;
}

static void carried_failed(sip_carried *c)
{
    nta_incoming_t *irq = c->irq;
    c->irq = NULL;
    sip_refused(c->sip, POC_E_IO, NULL, "request cannot be carried to the other side");
    sip_refuse(c->sip, irq, SIP_500_INTERNAL_SERVER_ERROR, "request cannot be carried on");
    carried_free(c);
}

void sip_carry_in_dialog(sip_inbound *in)
{
    sip_leg *other = sip_leg_other(in->leg);
    sip_t const *m = in->m;
    sip_content content;
    if (!sip_content_settle(&content, in, in->leg->session->user, sip_leg_side(in->leg) == RELAY_CLIENT))
        return;
    sip_carried *c = carried_new(in);
    if (c != NULL) {
        c->orq = nta_outgoing_tcreate(other->nta, carried_answered, c, NULL, m->sip_request->rq_method,
                                      m->sip_request->rq_method_name, NULL, SIPTAG_CONTACT_STR(other->contact),
                                      SIPTAG_USER_AGENT_STR(SIP_USER_AGENT), CARRIED_HEADERS(m, content), TAG_END());
        if (c->orq == NULL)
            carried_failed(c);
    }
    sip_inbound_free(in);
}

/* Outside dialogs the PF is a proxy in all but name: From, To, Call-ID and Contact stay, so that a dialog the request
 * opens (SUBSCRIBE) finds its way without us. */
static nta_outgoing_t *send_on(sip_carried *c, sip_t const *m, sip_content content, const char *asserted,
                               const url_t *route)
{
    sip *s = c->sip;
    msg_t *msg = nta_msg_create(s->agent, 0);
    sip_t *out = sip_object(msg);
    if (out == NULL)
        return NULL;
    sip_request_t *rq = sip_request_create(msg_home(msg), m->sip_request->rq_method, m->sip_request->rq_method_name,
                                           (const url_string_t *)m->sip_request->rq_url, NULL);
    sip_max_forwards_t hops = { .mf_common = { { 0 } } };
    sip_max_forwards_init(&hops);
    hops.mf_count = m->sip_max_forwards != NULL ? m->sip_max_forwards->mf_count - 1 : 70;
    if (rq == NULL || msg_header_insert(msg, (msg_pub_t *)out, (msg_header_t *)rq) < 0 ||
        sip_add_tl(msg, out, SIPTAG_FROM(m->sip_from), SIPTAG_TO(m->sip_to), SIPTAG_CALL_ID(m->sip_call_id),
                   SIPTAG_CSEQ(m->sip_cseq), SIPTAG_CONTACT(m->sip_contact), SIPTAG_MAX_FORWARDS(&hops),
                   TAG_IF(asserted != NULL, SIPTAG_HEADER_STR(asserted)), CARRIED_HEADERS(m, content), TAG_END()) < 0) {
        msg_destroy(msg);
        return NULL;
    }
    return nta_outgoing_mcreate(s->agent, carried_answered, c, (const url_string_t *)route, msg, TAG_END());
}

static void carry_outside(sip_inbound *in, sip_content content, const char *asserted, const url_t *route)
{
    sip_carried *c = carried_new(in);
    if (c != NULL) {
        c->orq = send_on(c, in->m, content, asserted, route);
        if (c->orq == NULL)
            carried_failed(c);
    }
    sip_inbound_free(in);
}

void sip_carry_from_client(sip_inbound *in)
{
    char asserted[POC_URI_MAX + 32];
    poc_wr wr = poc_wr_into(asserted, sizeof(asserted));
    sip_content content;
    poc_wr_fmt(&wr, "P-Asserted-Identity: <%s>", in->user);
    (void)poc_wr_text(&wr);
    if (sip_content_settle(&content, in, in->user, true))
        carry_outside(in, content, asserted, in->sip->next_hop);
}

void sip_carry_from_core(sip_inbound *in)
{
    char user[POC_URI_MAX];
    sip_content content = { in->m->sip_content_type, in->m->sip_payload };
    const bool is_known = sip_url_canonical(user, in->m->sip_to->a_url) == POC_OK;
    if (!is_known || sip_content_settle(&content, in, user, false))
        carry_outside(in, content, NULL, NULL);
}
