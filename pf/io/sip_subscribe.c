/* One conference subscription per channel (RFC 4575, 6665): how the PF learns of departures at other PFs. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pf/io/sip_private.h"

#define CONFERENCE_TYPE "application/conference-info+xml"
#define EXPIRES_S       3600u
#define RETRY_MS        5000u /* RFC 6665 leaves it to us where no Retry-After is given */

static sip_subscription *find(const sip *s, const char *channel)
{
    for (sip_subscription *sub = s->subscriptions; sub != NULL; sub = sub->next)
        if (!sub->dead && !sub->closing && strcmp(sub->channel, channel) == 0)
            return sub;
    return NULL;
}

static void subscription_free(sip_subscription *sub)
{
    if (sub->request != NULL)
        nta_outgoing_destroy(sub->request);
    if (sub->nta != NULL)
        nta_leg_destroy(sub->nta);
    sip_timer_done(&sub->timer);
    free(sub);
}

void sip_subscription_free_all(sip *s)
{
    while (s->subscriptions != NULL) {
        sip_subscription *next = s->subscriptions->next;
        subscription_free(s->subscriptions);
        s->subscriptions = next;
    }
}

void sip_subscription_reap(sip *s)
{
    for (sip_subscription **at = &s->subscriptions; *at != NULL;) {
        sip_subscription *sub = *at;
        if (!sub->dead) {
            at = &sub->next;
            continue;
        }
        *at = sub->next;
        subscription_free(sub);
    }
}

static void die(sip_subscription *sub)
{
    sub->dead = true;
    sip_timer_stop(&sub->timer);
    sip_reap_soon(sub->sip);
}

static void report(sip_subscription *sub, pocpf_subscription what, uint32_t retry_ms)
{
    sip *s = sub->sip;
    bool fresh = sub->fresh;
    if (sub->closing)
        return;
    sub->fresh = false;
    s->events->subscription(s->user, sub->channel, what, fresh, retry_ms);
}

/* ---- SUBSCRIBE ---- */

static uint32_t retry_after_ms(sip_t const *m)
{
    if (m == NULL || m->sip_retry_after == NULL || m->sip_retry_after->af_delta > 3600)
        return RETRY_MS;
    return (uint32_t)m->sip_retry_after->af_delta * 1000;
}

static void subscribe_refused(sip_subscription *sub, int status, sip_t const *m)
{
    /* Dead first: the shell may subscribe anew from inside its callback. */
    die(sub);
    switch (status) {
    case 403:
        report(sub, POCPF_SUB_REFUSED, 0);
        return;
    case 489:
        report(sub, POCPF_SUB_UNSUPPORTED, 0);
        return;
    case 481:
        report(sub, POCPF_SUB_RETRY, 0);
        return;
    default:
        report(sub, POCPF_SUB_RETRY, retry_after_ms(m));
        return;
    }
}

static int subscribe_answered(void *magic, nta_outgoing_t *orq, sip_t const *m)
{
    sip_subscription *sub = magic;
    int status = nta_outgoing_status(orq);
    if (status < 200)
        return 0;
    sub->request = NULL;
    if (sub->dead) {
        /* a NOTIFY that ends it was faster */
    } else if (sub->closing) {
        die(sub);
    } else if (status >= 300 || m == NULL) {
        subscribe_refused(sub, status, m);
    } else {
        unsigned long expires_s = m->sip_expires != NULL ? m->sip_expires->ex_delta : EXPIRES_S;
        if (expires_s > EXPIRES_S)
            expires_s = EXPIRES_S;
        if (nta_leg_get_rtag(sub->nta) == NULL && m->sip_to->a_tag != NULL)
            nta_leg_rtag(sub->nta, m->sip_to->a_tag);
        sip_route_by_answer(sub->nta, m, true);
        sip_timer_at(&sub->timer, sip_now_ms() + (int64_t)(expires_s > 2 ? expires_s * 500 : 1000));
        if (sub->fresh)
            report(sub, POCPF_SUB_ACTIVE, 0);
    }
    nta_outgoing_destroy(orq);
    return 0;
}

static poc_err subscribe_send(sip_subscription *sub, const char *expires)
{
    sip *s = sub->sip;
    char asserted[POC_URI_MAX + 32];
    bool in_dialog = nta_leg_get_rtag(sub->nta) != NULL;
    poc_wr wr = poc_wr_into(asserted, sizeof(asserted));
    if (sub->as_user[0] != '\0')
        poc_wr_fmt(&wr, "P-Asserted-Identity: <%s>", sub->as_user);
    else
        poc_wr_fmt(&wr, "P-Asserted-Identity: <sip:%s>", s->domain);
    POC_TRY(poc_wr_text(&wr));
    if (sub->request != NULL)
        return POC_OK; /* one is on its way and brings the full document too */
    sub->request = nta_outgoing_tcreate(
        sub->nta, subscribe_answered, sub, in_dialog ? NULL : (const url_string_t *)s->next_hop, SIP_METHOD_SUBSCRIBE,
        in_dialog ? NULL : (const url_string_t *)sub->group, SIPTAG_EVENT_STR("conference"),
        SIPTAG_ACCEPT_STR(CONFERENCE_TYPE), SIPTAG_EXPIRES_STR(expires), SIPTAG_ACCEPT_CONTACT_STR(SIP_ACCEPT_CONTACT),
        SIPTAG_CONTACT_STR(sip_contact_of(s, SIP_UDP, s->next_hop->url_host[0] == '[')),
        SIPTAG_USER_AGENT_STR(SIP_USER_AGENT), SIPTAG_HEADER_STR(asserted), TAG_END());
    return sub->request != NULL ? POC_OK : POC_E_IO;
}

static void refresh_due(void *arg)
{
    sip_subscription *sub = arg;
    if (subscribe_send(sub, "3600") == POC_OK)
        return;
    die(sub);
    report(sub, POCPF_SUB_RETRY, RETRY_MS);
}

/* ---- NOTIFY ---- */

/* RFC 6665, 4.1.3, and the digest "PoC" 3.5. */
static void terminated(sip_subscription *sub, const sip_subscription_state_t *state)
{
    static const struct {
        const char *reason;
        pocpf_subscription what;
        bool at_once;
    } rows[] = {
        { "noresource", POCPF_SUB_ENDED, true }, { "rejected", POCPF_SUB_REFUSED, true },
        { "timeout", POCPF_SUB_RETRY, true },    { "deactivated", POCPF_SUB_RETRY, true },
        { "probation", POCPF_SUB_RETRY, false }, { "giveup", POCPF_SUB_RETRY, false },
    };
    const char *reason = state->ss_reason != NULL ? state->ss_reason : "";
    pocpf_subscription what = POCPF_SUB_RETRY;
    uint32_t retry_ms = RETRY_MS;
    if (state->ss_retry_after != NULL) {
        unsigned long after_s = strtoul(state->ss_retry_after, NULL, 10);
        retry_ms = (uint32_t)(after_s > 3600 ? 3600 : after_s) * 1000;
    }
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        if (strcasecmp(reason, rows[i].reason) == 0) {
            what = rows[i].what;
            retry_ms = rows[i].at_once ? 0 : retry_ms;
        }
    die(sub);
    report(sub, what, retry_ms);
}

/* 0: the document went to the engine, or there was none; else the status that refuses it. */
static int document_take(sip_subscription *sub, sip_t const *m)
{
    sip *s = sub->sip;
    const char *why = "NOTIFY body is not conference-info";
    POC_OWNED(wire_conference, c, wire_conference_free);
    if (sip_body(m).n == 0)
        return 0;
    if (m->sip_content_type == NULL || m->sip_content_type->c_type == NULL ||
        strcasecmp(m->sip_content_type->c_type, CONFERENCE_TYPE) != 0) {
        sip_refused(s, POC_E_INPUT, sub->group, why);
        return 415;
    }
    poc_err err = wire_conference_read(&c, sip_body(m), &why);
    if (err != POC_OK) {
        sip_refused(s, err, sub->group, why);
        return err == POC_E_NOMEM ? 500 : 400;
    }
    s->events->conference(s->user, sub->channel, wire_conference_document(c));
    return 0;
}

static int notified(void *magic, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *m)
{
    sip_subscription *sub = magic;
    const sip_subscription_state_t *state = m->sip_subscription_state;
    (void)irq;
    sub->sip->counts.requests++;
    if (sub->dead || m->sip_request->rq_method != sip_method_notify)
        return sub->dead ? 481 : 405;
    if (m->sip_event == NULL || strcasecmp(m->sip_event->o_type, "conference") != 0)
        return 489;
    if (m->sip_error != NULL || state == NULL || state->ss_substate == NULL)
        return 400;
    /* It may overtake the 2xx to our SUBSCRIBE: then it makes the dialog. */
    if (nta_leg_get_rtag(leg) == NULL && m->sip_from->a_tag != NULL) {
        nta_leg_rtag(leg, m->sip_from->a_tag);
        (void)sip_route_by_request(leg, m->sip_record_route, m->sip_contact);
    }
    bool ends = strcasecmp(state->ss_substate, "terminated") == 0;
    if (!ends && sub->fresh && strcasecmp(state->ss_substate, "active") == 0)
        report(sub, POCPF_SUB_ACTIVE, 0);
    int refused = sub->closing ? 0 : document_take(sub, m);
    if (ends && !sub->dead)
        terminated(sub, state);
    return refused != 0 ? refused : 200;
}

/* ---- door ---- */

static poc_err subscription_new(sip_subscription **out, sip *s, const char *channel, const char *group,
                                const char *as_user)
{
    char from[POC_URI_MAX + 8], to[POC_URI_MAX + 2];
    sip_subscription *sub = calloc(1, sizeof(*sub));
    if (sub == NULL)
        return POC_E_NOMEM;
    *sub = (sip_subscription){ .sip = s, .fresh = true };
    (void)snprintf(sub->channel, sizeof(sub->channel), "%s", channel);
    (void)snprintf(sub->group, sizeof(sub->group), "%s", group);
    (void)snprintf(sub->as_user, sizeof(sub->as_user), "%s", as_user != NULL ? as_user : "");
    (void)snprintf(from, sizeof(from), as_user != NULL ? "<%s>" : "<sip:%s>", as_user != NULL ? as_user : s->domain);
    (void)snprintf(to, sizeof(to), "<%s>", group);
    if (sip_timer_make(&sub->timer, s, refresh_due, sub) != POC_OK) {
        subscription_free(sub);
        return POC_E_NOMEM;
    }
    sub->nta = nta_leg_tcreate(s->agent, notified, sub, SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to), TAG_END());
    if (sub->nta == NULL || nta_leg_tag(sub->nta, NULL) == NULL) {
        subscription_free(sub);
        return POC_E_NOMEM;
    }
    sub->next = s->subscriptions;
    s->subscriptions = sub;
    *out = sub;
    return POC_OK;
}

poc_err sip_subscribe(sip *s, const char *channel, const char *group_uri, const char *as_user, bool refresh)
{
    sip_subscription *sub = find(s, channel);
    if (refresh && sub != NULL)
        return subscribe_send(sub, "3600");
    if (sub != NULL)
        sip_unsubscribe(s, channel);
    POC_TRY(subscription_new(&sub, s, channel, group_uri, as_user));
    poc_err err = subscribe_send(sub, "3600");
    if (err != POC_OK)
        die(sub);
    return err;
}

void sip_unsubscribe(sip *s, const char *channel)
{
    sip_subscription *sub = find(s, channel);
    if (sub == NULL)
        return;
    sub->closing = true;
    sip_timer_stop(&sub->timer);
    bool stands = nta_leg_get_rtag(sub->nta) != NULL;
    if (sub->request != NULL)
        nta_outgoing_destroy(sub->request);
    sub->request = NULL;
    if (!stands || subscribe_send(sub, "0") != POC_OK)
        die(sub);
}
