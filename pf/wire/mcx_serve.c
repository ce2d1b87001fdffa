/* REGISTER, PUBLISH and MESSAGE of mission critical clients, each as one function from a request to an answer (TS 24.379 7.3,
 * 14.2.3). A key is answered for when the engine says that it is durable. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/wire/mcx_desk.h"

enum { RETRY_OUTAGE_S = 5, ACCOUNTS_OF_IMPU = MCX_SERVICES, WAITING_MAX = 4 };

/* An I_MESSAGE is by far the most that a request costs us: so keys are counted, and a request without one as if it had one. */
#define TOO_MUCH (&(mcx_refusal){ 503, NULL, "a user asks for more than his share" })

typedef struct serving {
    wire_mcx_desk *d;
    int64_t now_ms;
    const wire_mcx_request *request;
    poc_span content_type, body; /* of the REGISTER inside, where there is one */
    bool has_expires, is_too_much;
    uint32_t expires_s; /* wished, then granted */
    mcx_parts parts;
    wire_mcx_answer *answer;
} serving;

/* ---- answers ---- */

static const char *phrase_of(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = { { 200, "OK" },
                    { 400, "Bad Request" },
                    { 403, "Forbidden" },
                    { 423, "Interval Too Brief" },
                    { 503, "Service Unavailable" } };
    size_t i = 0;
    while (i + 1 < POC_COUNT(phrases) && phrases[i].status != status)
        i++;
    return phrases[i].phrase;
}

static wire_mcx_outcome say(serving *s, int status, const char *why)
{
    wire_mcx_answer *a = s->answer;
    a->status = status;
    a->phrase = phrase_of(status);
    a->why = why;
    a->expires_s = status == 200 && s->request->method != WIRE_MCX_MESSAGE ? s->expires_s : 0;
    a->retry_after_s = status == 503 ? RETRY_OUTAGE_S : 0;
    return WIRE_MCX_ANSWERED;
}

static wire_mcx_outcome say_done(serving *s)
{
    s->answer->is_authorised = true;
    return say(s, 200, "");
}

/* A REGISTER goes through in any case (digest 7.1): refused, he is just not authorised, as a Warning tells. What we could not
 * do he shall try again, unless it is the core that asks, which would take the registration of the client back. */
static wire_mcx_outcome say_refused(serving *s, const mcx_refusal *refusal)
{
    const bool is_register = s->request->method == WIRE_MCX_REGISTER;
    const bool goes_through = is_register && (refusal->status != 503 || s->request->by_core);
    s->answer->warning = refusal->warning;
    if (goes_through && refusal->warning == NULL)
        s->answer->warning = MCX_WARNING_SERVICE;
    return say(s, goes_through ? 200 : refusal->status, refusal->why);
}

static wire_mcx_outcome say_malformed(serving *s, poc_err err, const char *why)
{
    const mcx_refusal refusal = { err == POC_E_INPUT ? 400 : 503, NULL, why };
    return say_refused(s, &refusal);
}

static mcx_refusal refusal_of(poc_err err, const char *why)
{
    if (err == POC_E_INPUT || err == POC_E_AUTH || err == POC_E_DENIED)
        return (mcx_refusal){ 403, MCX_WARNING_I_MESSAGE, why };
    return (mcx_refusal){ 503, NULL, why };
}

/* ---- what it may cost ---- */

static bool affords(const serving *s, uint32_t cost)
{
    const wire_mcx_rules *rules = &s->d->rules;
    return rules->affords == NULL || rules->affords(rules->user, s->request->impu, cost, s->now_ms / 1000);
}

static bool is_somebody(const serving *s)
{
    const wire_mcx_rules *rules = &s->d->rules;
    return rules->is_somebody == NULL || rules->is_somebody(rules->user, s->request->impu);
}

/* ---- the REGISTER inside a REGISTER ---- */

/* The response to it may stand beside it (TS 29.228, IncludeRegisterResponse). */
static const poc_part *inner_find(const poc_parts *parts)
{
    static const char response[] = "SIP/2.0 ";
    for (size_t i = 0; i < parts->count; i++) {
        const poc_part *p = &parts->part[i];
        if (poc_span_eq_nocase(p->type, "message/sip") &&
            !(p->body.n >= sizeof(response) - 1 && memcmp(p->body.p, response, sizeof(response) - 1) == 0))
            return p;
    }
    return NULL;
}

/* MCX-21: the REGISTER inside is that of the IMPU which the core vouches for. */
static poc_err inner_take(serving *s, poc_span octets, const char **why)
{
    wire_register inner;
    poc_fault fault = { 0, NULL };
    char to[POC_URI_MAX];
    if (wire_register_read(&inner, octets, &fault) != POC_OK) {
        *why = fault.reason;
        return POC_E_INPUT;
    }
    *why = "a REGISTER of another public identity";
    if (poc_uri_canonical(to, inner.to) != POC_OK || strcmp(to, s->request->impu) != 0)
        return POC_E_INPUT;
    s->content_type = inner.content_type.p == NULL ? poc_span_str("") : inner.content_type;
    s->body = inner.body;
    if (!s->has_expires && inner.has_expires)
        s->expires_s = inner.expires_s;
    s->has_expires |= inner.has_expires;
    return POC_OK;
}

static poc_err unwrap(serving *s, const char **why)
{
    poc_parts parts;
    poc_fault fault = { 0, NULL };
    if (!s->request->by_core || s->body.n == 0)
        return POC_OK;
    if (poc_parts_read(&parts, s->content_type, s->body, &fault) != POC_OK) {
        *why = fault.reason;
        return POC_E_INPUT;
    }
    const poc_part *inner = inner_find(&parts);
    return inner == NULL ? POC_OK : inner_take(s, inner->body, why);
}

/* ---- for how long ---- */

static bool expires_settle(serving *s)
{
    const wire_mcx_rules *rules = &s->d->rules;
    if (!s->has_expires)
        s->expires_s = rules->expires_s;
    if (s->request->by_core || s->expires_s == 0)
        return true;
    if (s->expires_s > rules->expires_s)
        s->expires_s = rules->expires_s;
    if (s->expires_s >= rules->expires_min_s)
        return true;
    s->answer->min_expires_s = rules->expires_min_s;
    (void)say(s, 423, "wants to be registered for too short a time");
    return false;
}

/* ---- log-off ---- */

static size_t accounts_of(const serving *s, mcx_account *out[ACCOUNTS_OF_IMPU])
{
    size_t n = 0;
    while (n < ACCOUNTS_OF_IMPU && (out[n] = mcx_account_at(s->d, s->request->impu, n)) != NULL)
        n++;
    return n;
}

/* From the services that it names by their documents; from all when it names none. Also from those for which a key of before
 * still waits for the disk. */
static wire_mcx_outcome log_off(serving *s, bool is_readable)
{
    const uint32_t services = is_readable && s->parts.services != 0 ? s->parts.services : MCX_ALL_SERVICES;
    for (mcx_service v = MCX_MCPTT; v < MCX_SERVICES; v++) {
        mcx_account *a = mcx_account_find(s->d, s->request->impu, v);
        if (a != NULL && (mcx_account_claims(s->d, a) & services) != 0 &&
            mcx_account_leave(s->d, s->now_ms, a, services) != POC_OK)
            return say_refused(s, &(mcx_refusal){ 503, NULL, "out of memory" });
    }
    return say(s, 200, "");
}

/* RFC 3903, 4: there is no Contact in a PUBLISH. It does not take the one of the REGISTER away. */
static const char *where_of(const serving *s, const mcx_account *a)
{
    const char *said = s->request->where;
    return s->request->method == WIRE_MCX_PUBLISH && said[0] == '\0' && a->services != 0 ? a->where : said;
}

/* ---- a key ---- */

static void enqueue(serving *s, mcx_pending *pending, mcx_ticket *ticket, uint32_t csk_id, mcx_proof *proof)
{
    pending->ticket = ticket;
    pending->csk_id = csk_id;
    pending->services = proof->services;
    pending->expires_s = s->expires_s;
    pending->mc_id = proof->texts;
    pending->where = proof->where_kept;
    pending->account->waiting++;
    ticket->keys++;
    if (s->answer->csk_id == 0)
        s->answer->csk_id = csk_id;
    *s->d->last = pending;
    s->d->last = &pending->next;
}

static poc_err offer(serving *s, size_t i, mcx_account *a, mcx_proof *proof, uint32_t *csk_id)
{
    const poc_span octets = s->parts.keys[i];
    const pocpf_csk_upload upload = { .size = sizeof(upload),
                                      .impu = a->impu,
                                      .service = (uint8_t)proof->service,
                                      .i_message = octets.p,
                                      .len = octets.n,
                                      .prove = mcx_prove,
                                      .prove_ctx = proof };
    pocpf_csk_result result = { .size = sizeof(result) };
    proof->changes_user = false;
    proof->refusal = (mcx_refusal){ 0, NULL, NULL };
    const poc_err err = (poc_err)pocpf_csk_uploaded(s->d->pf, s->now_ms, &upload, &result);
    if (err != POC_OK && proof->refusal.status == 0)
        proof->refusal = refusal_of(err, result.why);
    *csk_id = result.csk_id;
    return err;
}

/* Somebody else at the same device: he must not be sent, nor be able to read, what was the other's. So that one is logged off
 * first, and the message, which the engine does not count as seen, is offered again. */
static poc_err change_user(serving *s, size_t i, mcx_account *a, mcx_proof *proof, uint32_t *csk_id)
{
    if (!affords(s, 1)) {
        proof->refusal = *TOO_MUCH;
        return POC_E_LIMIT;
    }
    a->waiting++; /* it stays in place */
    poc_err err = mcx_account_leave(s->d, s->now_ms, a, MCX_ALL_SERVICES);
    if (err == POC_OK) {
        proof->registered = "";
        proof->where = s->request->where;
        err = offer(s, i, a, proof, csk_id);
    } else {
        proof->refusal = refusal_of(err, "out of memory");
    }
    a->waiting--;
    return err;
}

static poc_err upload(serving *s, size_t i, mcx_ticket *ticket, uint32_t *claimed, mcx_refusal *refusal)
{
    mcx_proof proof = { .d = s->d,
                        .now_s = s->now_ms / 1000,
                        .impu = s->request->impu,
                        .parts = &s->parts,
                        .service = mcx_key_service(&s->parts, i),
                        .claimed = *claimed };
    mcx_pending *pending = calloc(1, sizeof(*pending));
    uint32_t csk_id = 0;
    *refusal = (mcx_refusal){ 503, NULL, "out of memory, or too many users, or keys of this one that wait" };
    const poc_err room =
        pending == NULL ? POC_E_NOMEM : mcx_account_take(s->d, &pending->account, s->request->impu, proof.service);
    if (room != POC_OK ||
        pending->account->waiting == WAITING_MAX) { /* one client shall not queue up for a slow disk */
        free(pending);
        return POC_E_LIMIT;
    }
    mcx_account *a = pending->account;
    proof.registered = a->services == 0 ? "" : a->mc_id;
    proof.where = where_of(s, a);
    poc_err err = offer(s, i, a, &proof, &csk_id);
    if (err != POC_OK && proof.changes_user)
        err = change_user(s, i, a, &proof, &csk_id);
    *refusal = proof.refusal;
    if (err == POC_OK) {
        *claimed |= proof.services;
        enqueue(s, pending, ticket, csk_id, &proof);
        return POC_OK;
    }
    free(proof.texts);
    free(pending);
    mcx_account_drop(s->d, a);
    return err;
}

/* Each key stands for itself. */
static void uploads(serving *s, mcx_ticket *ticket, mcx_refusal *first)
{
    uint32_t claimed = 0;
    mcx_refusal refusal;
    for (mcx_service service = MCX_MCPTT; service < MCX_SERVICES; service++) {
        for (size_t i = 0; i < s->parts.key_count; i++) {
            if (mcx_key_service(&s->parts, i) != service)
                continue;
            if (upload(s, i, ticket, &claimed, &refusal) != POC_OK && first->status == 0)
                *first = refusal;
        }
    }
}

/* With one key taken and one refused he is registered and told why not for both; but what failed by our fault he shall bring
 * again. */
static wire_mcx_outcome bring(serving *s)
{
    mcx_refusal first = { 0, NULL, "" };
    if (s->request->method == WIRE_MCX_PUBLISH && s->parts.key_count > 1)
        return say(s, 400, "more than one key in a PUBLISH");
    if (!is_somebody(s))
        return say_refused(s, &(mcx_refusal){ 403, MCX_WARNING_SERVICE, "an IMPU of nobody who might be authorised" });
    if (s->parts.key_count > 1 && !affords(s, (uint32_t)s->parts.key_count - 1))
        return say_refused(s, TOO_MUCH);
    mcx_ticket *ticket = calloc(1, sizeof(*ticket));
    if (ticket == NULL)
        return say_refused(s, &(mcx_refusal){ 503, NULL, "out of memory" });
    uploads(s, ticket, &first);
    if (ticket->keys == 0) {
        free(ticket);
        return say_refused(s, &first);
    }
    if (first.status == 0)
        (void)say_done(s);
    else
        (void)say_refused(s, &first);
    s->answer->is_authorised = true;
    s->answer->number = ++s->d->number;
    ticket->by_core = s->request->by_core;
    ticket->answer = *s->answer;
    return WIRE_MCX_WAITS;
}

/* ---- no key ---- */

/* The documents that are for this account: of its services, and of those that are nobody's yet if it is the first. */
static uint32_t documents_for(const serving *s, const mcx_account *a, bool is_first)
{
    uint32_t services = 0;
    for (mcx_service v = MCX_MCPTT; v < MCX_SERVICES; v++) {
        const mcx_account *owner = mcx_account_of(s->d, s->request->impu, v);
        if (s->parts.info[v] != NULL && (owner == a || (owner == NULL && is_first)))
            services |= WIRE_MCX_SERVICE_BIT(v);
    }
    return services;
}

static poc_err renew(serving *s, mcx_account *a, uint32_t services)
{
    const char *where;
    char *mc_id = mcx_texts(a->mc_id, where_of(s, a), &where);
    if (mc_id == NULL)
        return POC_E_NOMEM;
    mcx_account_register(s->d, s->now_ms, a, services, s->expires_s, mc_id, where);
    return POC_OK;
}

static uint32_t services_gone(const serving *s, const mcx_account *a)
{
    const wire_mcx_rules *rules = &s->d->rules;
    uint32_t gone = 0;
    for (mcx_service v = MCX_MCPTT; rules->stays != NULL && v < MCX_SERVICES; v++)
        if ((a->services & WIRE_MCX_SERVICE_BIT(v)) != 0 && !rules->stays(rules->user, a->impu, v, a->mc_id))
            gone |= WIRE_MCX_SERVICE_BIT(v);
    return gone;
}

/* Who was taken out of the list of users must not stay registered for ever by coming again without a token. */
static poc_err turn_out(serving *s)
{
    mcx_account *accounts[ACCOUNTS_OF_IMPU];
    const size_t n = accounts_of(s, accounts);
    for (size_t i = 0; i < n; i++) {
        const uint32_t gone = services_gone(s, accounts[i]);
        if (gone != 0)
            POC_TRY(mcx_account_leave(s->d, s->now_ms, accounts[i], gone));
    }
    return POC_OK;
}

/* All is proved before anything is renewed. */
static wire_mcx_outcome refresh(serving *s)
{
    mcx_account *accounts[ACCOUNTS_OF_IMPU];
    if (turn_out(s) != POC_OK)
        return say_refused(s, &(mcx_refusal){ 503, NULL, "out of memory" });
    uint32_t proved[ACCOUNTS_OF_IMPU] = { 0 };
    const bool names_services = s->request->method == WIRE_MCX_PUBLISH && s->parts.services != 0;
    const size_t n = accounts_of(s, accounts);
    if (n == 0) {
        s->answer->warning = MCX_WARNING_SERVICE; /* who believes to have brought one brings another */
        return say(s, 200, "no CSK yet");
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t documents = documents_for(s, accounts[i], i == 0);
        mcx_proof proof = {
            .d = s->d, .now_s = s->now_ms / 1000, .impu = s->request->impu, .parts = &s->parts, .claimed = ~documents
        };
        if (names_services && documents == 0)
            accounts[i] = NULL;
        else if (mcx_prove_again(&proof, accounts[i]) != POC_OK)
            return say_refused(s, &proof.refusal);
        proved[i] = proof.services;
    }
    for (size_t i = 0; i < n; i++)
        if (accounts[i] != NULL && renew(s, accounts[i], proved[i]) != POC_OK)
            return say_refused(s, &(mcx_refusal){ 503, NULL, "out of memory" });
    return say_done(s);
}

static wire_mcx_outcome registration(serving *s)
{
    const char *why = "";
    poc_err err = unwrap(s, &why);
    if (!expires_settle(s))
        return WIRE_MCX_ANSWERED;
    if (s->is_too_much && s->expires_s > 0)
        return say_refused(s, TOO_MUCH);
    if (err == POC_OK)
        err = mcx_parts_take(&s->parts, s->d, s->content_type, s->body, &why);
    if (s->expires_s == 0)
        return log_off(s, err == POC_OK);
    if (err != POC_OK)
        return say_malformed(s, err, why);
    return s->parts.key_count > 0 ? bring(s) : refresh(s);
}

/* ---- what a client listens to ---- */

static bool is_named(const wire_mbms_listening *l, const wire_mcx_channel *c)
{
    for (size_t i = 0; c->has_tmgi && i < l->tmgi_count; i++)
        if (memcmp(l->tmgi[i], c->tmgi, WIRE_MCX_TMGI_LEN) == 0)
            return true;
    return false;
}

/* POC_E_DENIED: he may not be in that region. */
static poc_err region_take(serving *s, const mcx_account *a, const wire_mcx_channel *c, bool is_listening)
{
    pocpf *pf = s->d->pf;
    if (is_listening && !mcx_account_may(s->d, a, c))
        return POC_E_DENIED;
    const poc_err err = (poc_err)(is_listening ? pocpf_mcx_joined(pf, s->now_ms, c->id, a->impu)
                                               : pocpf_member_departed(pf, s->now_ms, c->id, a->impu, POCPF_LEFT));
    return err == POC_E_STATE ? POC_OK : err; /* he says it once more, or the channel has stopped */
}

static wire_mcx_outcome regions_take(serving *s, const mcx_account *a, mcx_service service,
                                     const wire_mbms_listening *l)
{
    const wire_mcx_desk *d = s->d;
    size_t named = 0, denied = 0;
    for (size_t i = 0; i < d->channel_count; i++) {
        const wire_mcx_channel *c = &d->channels[i]->is;
        if (c->service != service || !is_named(l, c))
            continue;
        const poc_err err = region_take(s, a, c, l->is_listening);
        if (err != POC_OK && err != POC_E_DENIED)
            return say(s, 503, "out of memory, or too many members");
        named++;
        denied += err == POC_E_DENIED;
    }
    s->answer->is_authorised = named > denied;
    return say(s, 200, denied > 0 ? "listens to a bearer that is not for him" : named > 0 ? "" : "unknown bearer");
}

static wire_mcx_outcome report_of(serving *s, mcx_service service)
{
    wire_mbms_listening listening;
    const char *why = "";
    mcx_account *a = mcx_account_of(s->d, s->request->impu, service);
    mcx_proof proof = { .d = s->d, .parts = &s->parts };
    const poc_err err = wire_mbms_listening_read(&listening, service, s->parts.usage[service]->body, &why);
    if (err != POC_OK)
        return say(s, err == POC_E_NOMEM ? 503 : 400, why);
    if (a == NULL)
        return say_refused(s, &(mcx_refusal){ 403, MCX_WARNING_SERVICE, "a report of who is not authorised" });
    if (mcx_prove_report(&proof, a, service) != POC_OK)
        return say_refused(s, &proof.refusal);
    return regions_take(s, a, service, &listening);
}

static wire_mcx_outcome report(serving *s)
{
    const char *why = "";
    const poc_err err = mcx_parts_take(&s->parts, s->d, s->content_type, s->body, &why);
    if (err != POC_OK)
        return say_malformed(s, err, why);
    for (mcx_service v = MCX_MCPTT; v < MCX_SERVICES; v++)
        if (s->parts.usage[v] != NULL)
            return report_of(s, v);
    return say(s, 400, "no report in it");
}

/* ---- the door ---- */

wire_mcx_outcome wire_mcx_desk_serve(wire_mcx_desk *d, int64_t now_ms, const wire_mcx_request *request,
                                     wire_mcx_answer *answer)
{
    serving s = { .d = d,
                  .now_ms = now_ms,
                  .request = request,
                  .content_type = request->content_type,
                  .body = request->body,
                  .has_expires = request->has_expires,
                  .expires_s = request->expires_s,
                  .answer = answer };
    poc_wr impu = poc_wr_into(answer->impu, sizeof(answer->impu));
    *answer = (wire_mcx_answer){ .why = "" };
    poc_wr_fmt(&impu, "%s", request->impu);
    if (poc_wr_text(&impu) != POC_OK || strlen(request->where) >= WIRE_MCX_WHERE_MAX) {
        answer->impu[0] = '\0';
        return say(&s, 400, "an IMPU or a contact that is too long");
    }
    s.is_too_much = !affords(&s, 1);
    if (s.is_too_much && !request->by_core)
        return say_refused(&s, TOO_MUCH);
    return request->method == WIRE_MCX_MESSAGE ? report(&s) : registration(&s);
}
