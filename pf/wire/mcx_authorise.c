/* Who is behind a key or a request without one: the documents beside it, encrypted and signed under that very key, and what
 * the service authorisation makes of the token in them (TS 33.180 5.4, 9.3; TS 24.379 7.3.2). */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/xml.h"
#include "pf/wire/mcx.h"
#include "pf/wire/mcx_desk.h"

#define MIKEY "application/mikey"

/* ---- parts ---- */

static poc_err malformed(const char **why, const char *reason)
{
    *why = reason;
    return POC_E_INPUT;
}

/* What is too large or too deep is the peer's fault, as what is malformed. */
static poc_err as_input(poc_err err)
{
    return err == POC_E_LIMIT ? POC_E_INPUT : err;
}

static poc_err once(const poc_part **place, const poc_part *part, const char **why)
{
    if (*place != NULL)
        return malformed(why, "a document twice");
    *place = part;
    return POC_OK;
}

static bool is_any(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    (void)x, (void)row, (void)name, (void)uri;
    return true;
}

/* Service settings are passed on to nobody and hold nothing of ours; but a document that is none is no settings. */
static poc_err settings_look(poc_span xml, const char **why)
{
    static const poc_xml_row rows[] = { { "", POC_XML_TOP, 1, NULL, NULL } };
    static const poc_xml_reader reader = { .rows = rows,
                                           .row_count = POC_COUNT(rows),
                                           .is_row = is_any,
                                           .foreign_root = "",
                                           .octets_max = WIRE_MCX_BODY_MAX,
                                           .depth_max = POC_XML_DEPTH_MAX,
                                           .text_max = POC_XML_TEXT_MAX };
    return poc_trim(xml).n == 0 ? POC_OK : as_input(poc_xml_read(&reader, NULL, xml, why));
}

static poc_err key_take(mcx_parts *out, wire_mcx_desk *d, const poc_part *part, const char **why)
{
    size_t n = 0;
    if (out->key_count == MCX_SERVICES)
        return malformed(why, "more keys than services");
    uint8_t *room = d->i_messages[out->key_count];
    if (mcx_body_octets(room, MIKEY_MESSAGE_MAX, &n, part->body, part->is_base64) != POC_OK)
        return malformed(why, "neither octets nor base64 of an I_MESSAGE");
    out->keys[out->key_count++] = poc_span_of(room, n);
    return POC_OK;
}

static bool is_of(const poc_part *part, wire_mcx_body body, mcx_service service)
{
    return poc_span_eq_nocase(part->type, wire_mcx_media_type(body, service));
}

static poc_err part_take(mcx_parts *out, wire_mcx_desk *d, const poc_part *part, const char **why)
{
    if (poc_span_eq_nocase(part->type, MIKEY))
        return key_take(out, d, part, why);
    if (poc_span_eq_nocase(part->type, "application/poc-settings+xml"))
        return settings_look(part->body, why);
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++) {
        const poc_part **place = is_of(part, WIRE_MCX_INFO, s)         ? &out->info[s]
                                 : is_of(part, WIRE_MCX_SIGNED, s)     ? &out->signatures[s]
                                 : is_of(part, WIRE_MCX_MBMS_USAGE, s) ? &out->usage[s]
                                                                       : NULL;
        if (place == NULL)
            continue;
        if (part->is_base64)
            return malformed(why, "a document in base64");
        return once(place, part, why);
    }
    return POC_OK; /* other parts of a REGISTER are for others */
}

poc_err mcx_parts_take(mcx_parts *out, wire_mcx_desk *d, poc_span content_type, poc_span body, const char **why)
{
    poc_fault fault = { 0, NULL };
    memset(out, 0, sizeof(*out));
    if (body.n == 0)
        return POC_OK;
    const poc_err err = poc_parts_read(&out->all, content_type, body, &fault);
    if (err != POC_OK)
        return malformed(why, fault.reason);
    for (size_t i = 0; i < out->all.count; i++)
        POC_TRY(part_take(out, d, &out->all.part[i], why));
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++)
        if (out->info[s] != NULL)
            out->services |= WIRE_MCX_SERVICE_BIT(s);
    return POC_OK;
}

/* ---- of which service a key is ---- */

/* What its CS-ID says (TS 33.180 E.1.3); MCX_SERVICES: nothing. */
static mcx_service service_said(poc_span i_message)
{
    mikey_msg msg;
    uint8_t cs_id;
    if (mcx_i_message_read(&msg, i_message, NULL) != POC_OK || msg.map_type != MIKEY_MAP_GENERIC_ID ||
        msg.cs_count == 0)
        return MCX_SERVICES;
    mcx_service s = MCX_MCPTT;
    while (s < MCX_SERVICES && (mcx_cs_id_of(&cs_id, MCX_CSK, s) != POC_OK || cs_id != msg.generic[0].cs_id))
        s++;
    return s;
}

/* The one whose document is encrypted under the key; that it is so is seen when it is opened. */
static mcx_service service_named(const mcx_parts *parts, poc_span i_message)
{
    char text[POC_BASE64_LEN(4)];
    poc_wr name = poc_wr_into(text, sizeof(text));
    mikey_msg msg;
    if (mcx_i_message_read(&msg, i_message, NULL) != POC_OK)
        return MCX_SERVICES;
    mcx_key_name_put(&name, msg.csb_id);
    mcx_service s = MCX_MCPTT;
    while (s < MCX_SERVICES &&
           (parts->info[s] == NULL || memmem(parts->info[s]->body.p, parts->info[s]->body.n, text, name.len) == NULL))
        s++;
    return s;
}

/* In the order in which keys and documents stand. */
static mcx_service service_counted(const mcx_parts *parts, size_t i)
{
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++)
        if (parts->info[s] != NULL && (parts->key_count == 1 || i-- == 0))
            return s;
    return MCX_MCPTT;
}

mcx_service mcx_key_service(const mcx_parts *parts, size_t i)
{
    mcx_service s = service_said(parts->keys[i]);
    if (s < MCX_SERVICES && (parts->services == 0 || parts->info[s] != NULL))
        return s;
    s = parts->key_count == 1 ? MCX_SERVICES : service_named(parts, parts->keys[i]);
    return s < MCX_SERVICES ? s : service_counted(parts, i);
}

/* ---- refusals ---- */

static poc_err refuse(mcx_proof *p, poc_err err, const char *why)
{
    const bool is_ours = err != POC_E_INPUT && err != POC_E_AUTH && err != POC_E_DENIED;
    p->refusal = (mcx_refusal){ is_ours ? 503 : err == POC_E_INPUT ? 400 : 403, NULL, why };
    if (p->refusal.status == 403)
        p->refusal.warning = MCX_WARNING_SERVICE;
    return err;
}

/* ---- keys of XML ---- */

/* Those of up to two CSKs. */
typedef struct key_ring {
    poc_secret *secrets[2][2];
    wire_mcx_keys keys[2];
    wire_mcx_ring ring;
} key_ring;

static void ring_done(key_ring *r)
{
    for (size_t i = 0; i < POC_COUNT(r->secrets); i++) {
        poc_secret_free(r->secrets[i][0]);
        poc_secret_free(r->secrets[i][1]);
    }
    *r = (key_ring){ .ring = { NULL, 0 } };
}

static poc_err ring_add(key_ring *r, const pocpf_secret *csk, uint32_t csk_id, const char *mc_id)
{
    const size_t i = r->ring.count;
    poc_secret **of = r->secrets[i];
    POC_TRY(mcx_xml_keys(&of[0], &of[1], csk, csk_id, poc_span_str(mc_id)));
    r->keys[i] = (wire_mcx_keys){ csk_id, of[0], of[1] };
    r->ring = (wire_mcx_ring){ r->keys, i + 1 };
    return POC_OK;
}

static poc_err ring_add_of(key_ring *r, const wire_mcx_desk *d, const mcx_account *a, uint32_t id, uint32_t *found)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    const pocpf_err err =
        id == 0 ? pocpf_csk_of(d->pf, a->impu, (uint8_t)a->service, &csk) : pocpf_csk_look(d->pf, a->impu, id, &csk);
    *found = 0;
    if (err != POCPF_OK)
        return POC_OK;
    *found = csk.csk_id;
    return ring_add(r, csk.key, csk.csk_id, a->mc_id);
}

/* The current one, and the one before: what is under way when a key changes is still read. */
static poc_err ring_of(key_ring *r, const wire_mcx_desk *d, mcx_account *a)
{
    uint32_t current, previous;
    *r = (key_ring){ .ring = { NULL, 0 } };
    POC_TRY(ring_add_of(r, d, a, 0, &current));
    mcx_account_keys(a, current);
    return a->previous_csk_id == 0 ? POC_OK : ring_add_of(r, d, a, a->previous_csk_id, &previous);
}

/* ---- one document ---- */

/* Reads the document of a service and asks who that is, if it brings a token or if `asks`. The token lives no longer. */
static poc_err document_read(mcx_proof *p, mcx_service service, const wire_mcx_ring *ring, bool asks,
                             char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    const wire_mcx_rules *rules = &p->d->rules;
    wire_mcx_info *info = &p->d->info;
    const char *why = "";
    poc_err err = as_input(wire_mcx_info_read(info, service, p->parts->info[service]->body, ring, &why));
    mc_id[0] = '\0';
    if (err == POC_OK && info->has_clear && rules->refuses_clear) {
        err = POC_E_AUTH;
        why = "in clear what has to be encrypted";
    }
    if (err == POC_OK && (asks || info->access_token[0] != '\0')) {
        err = rules->authorise(rules->user, p->impu, service, info->access_token, p->now_s, mc_id);
        why = "the service authorisation says no";
    }
    wire_mcx_info_done(info);
    return err == POC_OK ? POC_OK : refuse(p, err, why);
}

static uint32_t bit_of(const poc_parts *parts, const poc_part *part)
{
    return UINT32_C(1) << (part - parts->part);
}

/* `needed` may be NULL: nothing has to be covered. */
static poc_err signatures_check(mcx_proof *p, mcx_service service, const poc_part *needed, const wire_mcx_ring *ring)
{
    const poc_part *signatures = p->parts->signatures[service];
    const char *why = "";
    uint32_t covered;
    if (signatures == NULL)
        return POC_OK;
    const poc_err err =
        as_input(wire_mcx_signed_check(&covered, service, signatures->body, &p->parts->all, ring, &why));
    if (err != POC_OK)
        return refuse(p, err, why);
    if (needed != NULL && (covered & bit_of(&p->parts->all, needed)) == 0)
        return refuse(p, POC_E_AUTH, "signatures that leave out the document");
    return POC_OK;
}

/* ---- beside a key ---- */

/* Whose keys for XML these may be: nobody else's document can be read with them. */
static void candidate_find(const mcx_proof *p, const char *sender, char out[WIRE_MCX_TEXT_MAX + 1])
{
    const wire_mcx_rules *rules = &p->d->rules;
    poc_wr wr = poc_wr_into(out, WIRE_MCX_TEXT_MAX + 1);
    out[0] = '\0';
    if (sender[0] == '\0' && rules->known != NULL && rules->known(rules->user, p->impu, p->service, out))
        return;
    poc_wr_fmt(&wr, "%s", sender[0] != '\0' ? sender : p->registered);
    if (poc_wr_text(&wr) != POC_OK)
        out[0] = '\0';
}

/* The document of one service. POC_E_STATE: it has nothing to do with this key. */
static poc_err service_prove(mcx_proof *p, mcx_service service, const wire_mcx_ring *ring, const char *sender)
{
    char mc_id[WIRE_MCX_TEXT_MAX + 1];
    const bool may_be_anothers = p->parts->key_count > 1;
    const poc_err err = document_read(p, service, ring, true, mc_id);
    if (err == POC_E_AUTH && may_be_anothers)
        return POC_E_STATE;
    POC_TRY(err);
    if (sender[0] != '\0' && strcmp(mc_id, sender) != 0) {
        (void)refuse(p, POC_E_DENIED, "the key is not from who the service authorisation says it is");
        return may_be_anothers ? POC_E_STATE : POC_E_DENIED;
    }
    if (p->services != 0 && strcmp(mc_id, p->mc_id) != 0) {
        (void)refuse(p, POC_E_DENIED, "one key for users of two names");
        return may_be_anothers ? POC_E_STATE : POC_E_DENIED;
    }
    memcpy(p->mc_id, mc_id, sizeof(mc_id));
    p->services |= WIRE_MCX_SERVICE_BIT(service);
    return POC_OK;
}

/* One service that says no does not take the other from him; a document that is malformed, or an outage of ours, does. Where
 * each service has a key of its own, no key is for another's document. */
static poc_err services_prove(mcx_proof *p, const wire_mcx_ring *ring, const char *sender)
{
    const bool is_alone = p->parts->key_count == 1;
    poc_err first = POC_OK;
    for (unsigned i = 0; i < MCX_SERVICES && (is_alone || p->services == 0); i++) {
        const mcx_service s = (mcx_service)((p->service + i) % MCX_SERVICES);
        if (p->parts->info[s] == NULL || (p->claimed & WIRE_MCX_SERVICE_BIT(s)) != 0)
            continue;
        const poc_err err = service_prove(p, s, ring, sender);
        if (err != POC_OK && err != POC_E_STATE && err != POC_E_AUTH && err != POC_E_DENIED)
            return err;
        if (first == POC_OK)
            first = err;
    }
    if (p->services != 0)
        return POC_OK;
    return first == POC_OK        ? refuse(p, POC_E_DENIED, "a key that no document is for")
           : first == POC_E_STATE ? POC_E_DENIED
                                  : first;
}

/* The SIP identity is all that there is. */
static poc_err bare_prove(mcx_proof *p)
{
    const wire_mcx_rules *rules = &p->d->rules;
    const poc_err err = rules->authorise(rules->user, p->impu, p->service, "", p->now_s, p->mc_id);
    if (err != POC_OK)
        return refuse(p, err, "the service authorisation says no without a token");
    p->services = WIRE_MCX_SERVICE_BIT(p->service);
    return POC_OK;
}

/* Of the services that are his; where there is but one key, of all. */
static poc_err all_signatures_check(mcx_proof *p, const wire_mcx_ring *ring)
{
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++)
        if ((p->services & WIRE_MCX_SERVICE_BIT(s)) != 0 || p->parts->key_count == 1)
            POC_TRY(signatures_check(p, s, p->parts->info[s], ring));
    return POC_OK;
}

static poc_err upload_prove(mcx_proof *p, key_ring *r, uint32_t csk_id, const pocpf_secret *csk, const char *sender)
{
    char candidate[WIRE_MCX_TEXT_MAX + 1];
    candidate_find(p, sender, candidate);
    if (candidate[0] != '\0' && ring_add(r, csk, csk_id, candidate) != POC_OK)
        return refuse(p, POC_E_NOMEM, "out of memory");
    POC_TRY(p->parts->services == 0 ? bare_prove(p) : services_prove(p, &r->ring, sender));
    if (strcmp(candidate, p->mc_id) != 0) {
        ring_done(r);
        if (ring_add(r, csk, csk_id, p->mc_id) != POC_OK)
            return refuse(p, POC_E_NOMEM, "out of memory");
    }
    POC_TRY(all_signatures_check(p, &r->ring));
    if (strlen(p->mc_id) >= POCPF_MC_ID_MAX)
        return refuse(p, POC_E_DENIED, "MC service id too long");
    /* Who is about to be refused by the engine for being another one than he says must not take anybody's place. */
    p->changes_user = p->registered[0] != '\0' && strcmp(p->registered, p->mc_id) != 0 &&
                      (sender[0] == '\0' || strcmp(sender, p->mc_id) == 0);
    return p->changes_user ? POC_E_STATE : POC_OK;
}

pocpf_err mcx_prove(void *ctx, uint32_t csk_id, const pocpf_secret *csk, const char *sender,
                    char mc_id[POCPF_MC_ID_MAX])
{
    mcx_proof *p = ctx;
    key_ring r = { .ring = { NULL, 0 } };
    p->refusal = (mcx_refusal){ 0, NULL, NULL };
    p->services = 0;
    p->mc_id[0] = '\0';
    poc_err err = upload_prove(p, &r, csk_id, csk, sender);
    ring_done(&r);
    if (err != POC_OK)
        return (pocpf_err)err;
    free(p->texts);
    p->texts = mcx_texts(p->mc_id, p->where, &p->where_kept);
    if (p->texts == NULL)
        return (pocpf_err)refuse(p, POC_E_NOMEM, "out of memory");
    memcpy(mc_id, p->mc_id, strlen(p->mc_id) + 1);
    p->refusal = (mcx_refusal){ 0, NULL, NULL };
    return POCPF_OK;
}

/* ---- without a key ---- */

/* A document without a token proves nothing more than SIP has. */
static poc_err document_prove(mcx_proof *p, const mcx_account *a, mcx_service service, const wire_mcx_ring *ring)
{
    char mc_id[WIRE_MCX_TEXT_MAX + 1];
    POC_TRY(document_read(p, service, ring, false, mc_id));
    if (mc_id[0] != '\0' && strcmp(mc_id, a->mc_id) != 0)
        return refuse(p, POC_E_DENIED, "somebody else's token");
    if (mc_id[0] != '\0' || (a->services & WIRE_MCX_SERVICE_BIT(service)) != 0)
        p->services |= WIRE_MCX_SERVICE_BIT(service);
    return POC_OK;
}

static poc_err documents_prove(mcx_proof *p, mcx_account *a, const wire_mcx_ring *ring)
{
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++) {
        if ((p->claimed & WIRE_MCX_SERVICE_BIT(s)) != 0)
            continue;
        if (p->parts->info[s] != NULL)
            POC_TRY(document_prove(p, a, s, ring));
        POC_TRY(signatures_check(p, s, p->parts->info[s], ring));
    }
    return POC_OK;
}

poc_err mcx_prove_again(mcx_proof *p, mcx_account *a)
{
    key_ring r;
    p->services = 0;
    poc_err err = ring_of(&r, p->d, a);
    if (err != POC_OK)
        (void)refuse(p, err, "out of memory");
    else if (r.ring.count == 0)
        err = refuse(p, POC_E_DENIED, "the CSK has expired");
    else
        err = documents_prove(p, a, &r.ring);
    ring_done(&r);
    return err;
}

poc_err mcx_prove_report(mcx_proof *p, mcx_account *a, mcx_service service)
{
    key_ring r;
    if (p->parts->signatures[service] == NULL)
        return p->d->rules.refuses_clear ? refuse(p, POC_E_AUTH, "a report without signature") : POC_OK;
    poc_err err = ring_of(&r, p->d, a);
    if (err != POC_OK)
        (void)refuse(p, err, "out of memory");
    else
        err = signatures_check(p, service, p->parts->usage[service], &r.ring);
    ring_done(&r);
    return err;
}
