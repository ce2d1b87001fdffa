/* The key management service of TS 33.246 6.3.2 (registration, deregistration, MSK request) as one function from a request
 * to an answer. No answer carries a key: what is granted goes out as MIKEY, by the engine's own effects. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/wire/wire.h"

/* Told to a client that came at a bad time: our own limit is over with the second, an outage may last. */
enum { RETRY_LIMIT_S = 1, RETRY_OUTAGE_S = 5 };

struct wire_keyman {
    wire_keyman_rules rules;
    gba_naf *naf;
    pocpf *pf;
    wire_mbms_body body; /* of the request that is served */
};

/* What is known of the request that is served. */
typedef struct serving {
    wire_keyman *k;
    int64_t now_ms;
    const wire_keyman_request *request;
    gba_request http;
    gba_naf_user who;
    wire_mbms_procedure procedure;
    const char *user; /* canonical identity that he acts under */
    wire_keyman_answer *answer;
} serving;

static int64_t seconds(int64_t ms)
{
    return ms / 1000;
}

/* ---- life ---- */

poc_err wire_keyman_new(wire_keyman **out, const wire_keyman_rules *rules, gba_naf *naf, pocpf *pf)
{
    *out = NULL;
    if (rules->path == NULL || rules->path[0] != '/' || rules->service_of == NULL)
        return POC_E_INPUT;
    wire_keyman *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return POC_E_NOMEM;
    k->rules = *rules;
    k->naf = naf;
    k->pf = pf;
    *out = k;
    return POC_OK;
}

void wire_keyman_free(wire_keyman *k)
{
    free(k);
}

/* ---- answers ---- */

static void answer_clear(wire_keyman_answer *a)
{
    a->status = 0;
    a->retry_after_s = 0;
    a->www_authenticate[0] = a->authentication_info[0] = a->user[0] = '\0';
    a->content_type = NULL;
    a->why = "";
    a->body_len = 0;
}

static void say(wire_keyman_answer *a, int status, const char *why)
{
    a->status = status;
    a->why = why;
}

static void say_later(wire_keyman_answer *a, uint32_t retry_after_s, const char *why)
{
    say(a, 503, why);
    a->retry_after_s = retry_after_s;
    a->content_type = NULL;
    a->body_len = 0;
}

static void say_challenge(wire_keyman *k, int64_t now_ms, bool stale, const char *why, wire_keyman_answer *a)
{
    poc_wr wr = poc_wr_into(a->www_authenticate, sizeof(a->www_authenticate));
    poc_err err = k->rules.accept_qop_auth ? gba_naf_challenge(k->naf, seconds(now_ms), stale, &wr)
                                           : gba_naf_challenge_auth_int(k->naf, seconds(now_ms), stale, &wr);
    if (err == POC_OK && poc_wr_text(&wr) == POC_OK) {
        say(a, 401, why);
        return;
    }
    a->www_authenticate[0] = '\0';
    say_later(a, RETRY_OUTAGE_S, "no challenge could be made");
}

void wire_keyman_fail(wire_keyman *k, int64_t now_ms, poc_err zn_error, wire_keyman_answer *answer)
{
    answer_clear(answer);
    if (zn_error == POC_E_AUTH)
        say_challenge(k, now_ms, false, "the BSF does not know the B-TID", answer);
    else if (zn_error == POC_E_DENIED)
        say(answer, 403, "the BSF does not give this user's key to us");
    else
        say_later(answer, RETRY_OUTAGE_S, "no answer from the BSF");
}

/* ---- the request line and what stands around the body; each check is false when the answer is made ---- */

/*= RFC 7230, 5.3.2: "a server MUST accept the absolute-form in requests". */
static poc_span origin_form(poc_span target)
{
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; i < POC_COUNT(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (target.n <= n || !poc_span_eq_nocase(poc_span_of(target.p, n), schemes[i]))
            continue;
        poc_span rest = poc_span_of(target.p + n, target.n - n);
        const uint8_t *slash = memchr(rest.p, '/', rest.n);
        return slash == NULL ? poc_span_of(NULL, 0) : poc_span_of(slash, (size_t)(rest.p + rest.n - slash));
    }
    return target;
}

static bool procedure_read(serving *s, poc_span query)
{
    unsigned found = 0;
    while (query.n > 0) {
        poc_span value = poc_split(&query, '&');
        if (!poc_span_eq_str(poc_split(&value, '='), "requesttype"))
            continue;
        found++;
        s->procedure = WIRE_MBMS_PROCEDURES;
        for (int p = 0; p < WIRE_MBMS_PROCEDURES; p++)
            if (poc_span_eq_str(value, wire_mbms_requesttype((wire_mbms_procedure)p)))
                s->procedure = (wire_mbms_procedure)p;
    }
    return found == 1 && s->procedure != WIRE_MBMS_PROCEDURES;
}

static bool envelope_is_good(serving *s)
{
    poc_span query = origin_form(s->request->target), type = s->request->content_type;
    poc_span path = poc_split(&query, '?');
    if (!poc_span_eq_str(path, s->k->rules.path))
        say(s->answer, 404, "no such path");
    else if (!poc_span_eq_str(s->request->method, "POST"))
        say(s->answer, 405, "method is not POST");
    else if (!procedure_read(s, query))
        say(s->answer, 400, "unknown requesttype");
    else if (!poc_span_eq_nocase(poc_trim(poc_split(&type, ';')),
                                 wire_mbms_media_type(s->procedure, WIRE_MBMS_REQUEST)))
        say(s->answer, 415, "wrong content type");
    else if (s->request->body.n > WIRE_MBMS_BODY_MAX)
        say(s->answer, 413, "body too large");
    return s->answer->status == 0;
}

/* ---- who asks ---- */

static bool qop_is_accepted(const serving *s)
{
    gba_digest d;
    return s->k->rules.accept_qop_auth || gba_digest_parse(&d, s->http.authorization, true, NULL) != POC_OK ||
           !poc_span_eq_nocase(d.qop, "auth");
}

/* Checked before the digest, which would use up a nonce count for a request that cannot be served. */
static gba_naf_verdict credentials_check(serving *s, const char **why)
{
    *why = "qop auth does not protect the body";
    if (!qop_is_accepted(s))
        return GBA_NAF_WRONG;
    return gba_naf_check(s->k->naf, seconds(s->now_ms), &s->http, &s->who, why);
}

/* MBMS-11: who comes with a MUK that is about to end bootstraps again before he is given anything; leaving needs no MUK. */
static bool is_admissible(serving *s)
{
    const wire_keyman_rules *rules = &s->k->rules;
    poc_span btid = poc_span_str(s->who.btid);
    if (s->procedure != WIRE_MBMS_DEREGISTER &&
        gba_naf_renewal_due(s->k->naf, seconds(s->now_ms), btid, rules->muk_renew_s))
        say_challenge(s->k, s->now_ms, false, "MUK is near its end", s->answer);
    else if (!gba_naf_within_rate(s->k->naf, seconds(s->now_ms), btid, rules->requests_per_btid_s))
        say_later(s->answer, RETRY_LIMIT_S, "too many requests of this B-TID");
    return s->answer->status == 0;
}

/* TS 24.109 5.2: X-3GPP-Intended-Identity is quoted; without it he acts as the first identity that the BSF names. */
static bool user_choose(serving *s)
{
    poc_span wish = poc_trim(s->request->intended_identity);
    if (wish.n >= 2 && wish.p[0] == '"' && wish.p[wish.n - 1] == '"')
        wish = poc_span_of(wish.p + 1, wish.n - 2);
    if (wish.n == 0 && s->who.impu_count > 0)
        wish = poc_span_str(s->who.impus[0]);
    char *user = s->answer->user;
    if (wish.n == 0)
        say(s->answer, 403, "no identity is known of this user");
    else if (poc_uri_canonical(user, wish) != POC_OK)
        say(s->answer, 400, "intended identity is no URI");
    else if (!gba_naf_covers(&s->who, poc_span_str(user), s->k->rules.strict_identities))
        say(s->answer, 403, "intended identity is not the user's");
    if (s->answer->status != 0)
        user[0] = '\0';
    s->user = user;
    return s->answer->status == 0;
}

/* ---- items: what can be refused without asking the engine to change, then what it says ---- */

static bool is_admitted(const serving *s, const wire_keyman_service *service)
{
    const wire_keyman_rules *rules = &s->k->rules;
    pocpf_member_status member = { .size = sizeof(member) };
    switch (service->admit) {
    case WIRE_ADMIT_SESSION:
        return pocpf_member_look(s->k->pf, service->channel, s->user, &member) == POCPF_OK && member.by_sip;
    case WIRE_ADMIT_LISTED:
        return rules->listed != NULL && rules->listed(rules->user, service->channel, s->user);
    case WIRE_ADMIT_AUTHENTICATED:
        return true;
    }
    return false;
}

static int status_of(pocpf_err err)
{
    static const int statuses[] = {
        [POCPF_OK] = 200, [POCPF_E_INPUT] = 403, [POCPF_E_AUTH] = 403, [POCPF_E_DENIED] = 403, [POCPF_E_STATE] = 404
    };
    return (size_t)err < POC_COUNT(statuses) ? statuses[err] : 503;
}

static const wire_keyman_service *service_of(const serving *s, const wire_mbms_item *item)
{
    return s->k->rules.service_of(s->k->rules.user, item->service_id);
}

/* A client that was expelled under one of its names is the same client under the others. Whom the focus has in the session
 * it has let in. */
static bool is_barred(const serving *s, const wire_keyman_service *service)
{
    bool barred = false;
    for (size_t i = 0; i < s->who.impu_count && service->admit != WIRE_ADMIT_SESSION; i++)
        barred |= pocpf_is_barred(s->k->pf, service->channel, s->who.impus[i]);
    return barred;
}

static int judge_registration(const serving *s, const wire_mbms_item *item)
{
    const wire_keyman_service *service = service_of(s, item);
    if (service == NULL)
        return 404;
    return is_admitted(s, service) && !is_barred(s, service) ? 0 : 403;
}

static int judge_deregistration(const serving *s, const wire_mbms_item *item)
{
    return service_of(s, item) == NULL ? 404 : 0;
}

static pocpf_msk_request request_of(const serving *s, const wire_mbms_item *item)
{
    pocpf_msk_request request = { .size = sizeof(request),
                                  .user = s->user,
                                  .msk_id = item->msk_id,
                                  .address = s->request->address_len > 0 ? s->request->address : NULL,
                                  .address_len = s->request->address_len };
    memcpy(request.key_domain, item->key_domain.b, sizeof(request.key_domain));
    return request;
}

/* Of one who is a member of nothing the engine shall not even keep the key. */
static int judge_msk_request(const serving *s, const wire_mbms_item *item)
{
    const pocpf_msk_request request = request_of(s, item);
    pocpf_err err = pocpf_msk_request_check(s->k->pf, &request);
    return err == POCPF_OK ? 0 : status_of(err);
}

static pocpf_err act_registration(const serving *s, const wire_mbms_item *item)
{
    const wire_keyman_service *service = service_of(s, item);
    if (service == NULL)
        return POCPF_E_STATE;
    const pocpf_registration registration = { .size = sizeof(registration),
                                              .channel = service->channel,
                                              .user = s->user,
                                              .address = s->request->address,
                                              .address_len = s->request->address_len };
    return pocpf_registered(s->k->pf, s->now_ms, &registration);
}

static pocpf_err act_deregistration(const serving *s, const wire_mbms_item *item)
{
    const wire_keyman_service *service = service_of(s, item);
    return service == NULL ? POCPF_E_STATE : pocpf_deregistered(s->k->pf, s->now_ms, service->channel, s->user);
}

static pocpf_err act_msk_request(const serving *s, const wire_mbms_item *item)
{
    const pocpf_msk_request request = request_of(s, item);
    return pocpf_msk_requested(s->k->pf, s->now_ms, &request);
}

static const struct {
    /** The status that refuses this item, or 0. */
    int (*judge)(const serving *s, const wire_mbms_item *item);
    pocpf_err (*act)(const serving *s, const wire_mbms_item *item);
    bool needs_muk;
} procedures[WIRE_MBMS_PROCEDURES] = {
    [WIRE_MBMS_REGISTER] = { judge_registration, act_registration, true },
    [WIRE_MBMS_DEREGISTER] = { judge_deregistration, act_deregistration, false },
    [WIRE_MBMS_MSK_REQUEST] = { judge_msk_request, act_msk_request, true },
};

static bool items_are_same(const wire_mbms_item *a, const wire_mbms_item *b)
{
    return strcmp(a->service_id, b->service_id) == 0 && a->msk_id == b->msk_id &&
           poc_key_domain_eq(a->key_domain, b->key_domain);
}

/* An item that is asked for twice is carried out once: one request shall not buy many pushes of one MSK. */
static void items_act(serving *s)
{
    wire_mbms_body *body = &s->k->body;
    for (size_t i = 0; i < body->count; i++) {
        wire_mbms_item *item = &body->items[i];
        for (size_t j = 0; j < i && item->status == 0; j++)
            if (items_are_same(item, &body->items[j]))
                item->status = body->items[j].status;
        if (item->status == 0)
            item->status = status_of(procedures[s->procedure].act(s, item));
    }
}

/* True when an item is left that only the engine can judge. */
static bool items_judge(serving *s)
{
    wire_mbms_body *body = &s->k->body;
    bool open = false;
    for (size_t i = 0; i < body->count; i++) {
        body->items[i].status = procedures[s->procedure].judge(s, &body->items[i]);
        open |= body->items[i].status == 0;
    }
    return open;
}

static pocpf_err user_introduce(const serving *s)
{
    const pocpf_credential credential = { .size = sizeof(credential),
                                          .user = s->user,
                                          .btid = s->who.btid,
                                          .muk = s->who.muk,
                                          .expires_ms = s->who.expires_s * 1000 };
    return pocpf_authenticated(s->k->pf, s->now_ms, &credential);
}

/* ---- the body ---- */

/* The whole request fails only when every item fails for the same reason (TS 33.246 6.3.2.4). */
static int whole_status(const wire_mbms_body *body)
{
    for (size_t i = 1; i < body->count; i++)
        if (body->items[i].status != body->items[0].status)
            return 200;
    return body->items[0].status;
}

static poc_err body_write(const serving *s)
{
    wire_keyman_answer *a = s->answer;
    poc_wr wr = poc_wr_into(a->body, sizeof(a->body));
    POC_TRY(wire_mbms_write(&wr, &s->k->body, s->procedure, WIRE_MBMS_RESPONSE));
    a->body_len = wr.len;
    a->content_type = wire_mbms_media_type(s->procedure, WIRE_MBMS_RESPONSE);
    return POC_OK;
}

/* Escapes make names longer on the way back: the longest answer is tried before anything happens. */
static bool answer_will_fit(const serving *s)
{
    for (size_t i = 0; i < s->k->body.count; i++)
        s->k->body.items[i].status = 503;
    poc_err err = body_write(s);
    s->answer->content_type = NULL;
    s->answer->body_len = 0;
    return err == POC_OK;
}

static bool body_read(serving *s)
{
    const char *why = "";
    poc_err err = wire_mbms_read(&s->k->body, s->procedure, WIRE_MBMS_REQUEST, s->request->body, &why);
    if (err == POC_E_LIMIT)
        say(s->answer, 413, why);
    else if (err == POC_E_NOMEM)
        say_later(s->answer, RETRY_OUTAGE_S, why);
    else if (err != POC_OK)
        say(s->answer, 400, why);
    else if (!answer_will_fit(s))
        say(s->answer, 413, "the answer would be too large");
    return s->answer->status == 0;
}

/* MBMS-5: also a refusal of all items proves that it comes from us. */
static void answer_write(serving *s)
{
    static const char *const reasons[] = { "no item is allowed", "no item is known", "no item can be served now" };
    wire_keyman_answer *a = s->answer;
    poc_wr info = poc_wr_into(a->authentication_info, sizeof(a->authentication_info));
    int status = whole_status(&s->k->body);
    say(a, status, status == 200 ? "" : reasons[status == 403 ? 0 : status == 404 ? 1 : 2]);
    a->retry_after_s = status == 503 ? RETRY_OUTAGE_S : 0;
    poc_err err = body_write(s);
    if (err == POC_OK)
        err = gba_naf_authentication_info(s->k->naf, &s->http, poc_span_of(a->body, a->body_len), &info);
    if (err == POC_OK)
        err = poc_wr_text(&info);
    if (err == POC_OK)
        return;
    a->authentication_info[0] = '\0';
    say_later(a, RETRY_OUTAGE_S, "no answer could be made");
}

static void process(serving *s)
{
    if (!is_admissible(s) || !user_choose(s) || !body_read(s))
        return;
    bool open = items_judge(s);
    if (open && procedures[s->procedure].needs_muk && user_introduce(s) != POCPF_OK) {
        say_later(s->answer, RETRY_OUTAGE_S, "no room for this user's key");
        return;
    }
    if (open)
        items_act(s);
    answer_write(s);
}

wire_keyman_outcome wire_keyman_serve(wire_keyman *k, int64_t now_ms, const wire_keyman_request *request,
                                      wire_keyman_answer *answer)
{
    const char *why;
    serving s = { .k = k,
                  .now_ms = now_ms,
                  .request = request,
                  .http = { .method = request->method,
                            .uri = request->target,
                            .body = request->body,
                            .authorization = request->authorization },
                  .answer = answer };
    answer_clear(answer);
    if (!envelope_is_good(&s))
        return WIRE_KEYMAN_ANSWERED;
    gba_naf_verdict verdict = credentials_check(&s, &why);
    if (verdict == GBA_NAF_ASK_ZN)
        return WIRE_KEYMAN_ASK_ZN;
    if (verdict == GBA_NAF_OK)
        process(&s);
    else
        say_challenge(k, now_ms, verdict == GBA_NAF_STALE, why, answer);
    return WIRE_KEYMAN_ANSWERED;
}
