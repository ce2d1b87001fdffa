/* The BSF on Ub and Zn, for deployments (and demonstrations) without one of their own. */
#include "gba/private.h"

#include <stdlib.h>
#include <string.h>

enum {
    SUBSCRIBERS_MAX = 1000000,
    PENDING_MAX = 4,  /* challenges of one subscriber that may be open at once: the oldest gives way */
    CONTEXTS_MAX = 4, /* bootstraps of one subscriber that are kept: the oldest gives way */
    PENDING_LIFETIME_S = 60,
    CNONCE_MAX = 256,
    SWEEP_STEP = 8 /* contexts looked at for expiry with every request */
};

typedef struct subscriber subscriber;

typedef struct context {
    char btid[POC_BTID_MAX + 1];
    uint8_t rand[GBA_RAND_LEN];
    poc_secret *ks; /* owned */
    int64_t expires_s;
    subscriber *of;
} context;

struct subscriber {
    char impi[GBA_IMPI_MAX + 1];
    gba_usim usim;
    char (*impus)[POC_URI_MAX];
    size_t impu_count;
    struct {
        gba_vector vector; /* ks NULL: free */
        int64_t expires_s;
    } pending[PENDING_MAX];
    size_t pending_next;
    context *contexts[CONTEXTS_MAX];
    size_t context_next;
};

struct gba_bsf {
    char fqdn[GBA_FQDN_MAX + 1];
    int64_t key_lifetime_s;
    poc_rng rng;
    char opaque[GBA_CNONCE_LEN + 1];
    poc_table subscribers; /* by IMPI */
    poc_table contexts;    /* by B-TID */
    size_t sweep_at;
};

/* ---- life ---- */

poc_err gba_bsf_new(gba_bsf **out, poc_span fqdn, int64_t key_lifetime_s, const poc_rng *rng)
{
    uint64_t seeds[2];
    POC_OWNED(gba_bsf, b, gba_bsf_free);
    *out = NULL;
    if (!gba_fqdn_is_good(fqdn) || key_lifetime_s <= 0)
        return POC_E_INPUT;
    if (POC_BASE64_LEN(GBA_RAND_LEN) + 1 + fqdn.n > POC_BTID_MAX)
        return POC_E_LIMIT;
    b = calloc(1, sizeof(*b));
    if (b == NULL)
        return POC_E_NOMEM;
    b->rng = *rng;
    b->key_lifetime_s = key_lifetime_s;
    POC_TRY(gba_text_copy(b->fqdn, sizeof(b->fqdn), fqdn));
    POC_TRY(gba_cnonce_make(b->opaque, rng));
    POC_TRY(rng->fill(rng->ctx, seeds, sizeof(seeds)));
    poc_table_init(&b->subscribers, seeds[0]);
    poc_table_init(&b->contexts, seeds[1]);
    *out = POC_RELEASE(b);
    return POC_OK;
}

static void context_free(context *c)
{
    if (c == NULL)
        return;
    poc_secret_free(c->ks);
    free(c);
}
POC_DEFINE_OWNED(context, context_free)

static void subscriber_free(subscriber *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < PENDING_MAX; i++)
        gba_vector_done(&s->pending[i].vector);
    for (size_t i = 0; i < CONTEXTS_MAX; i++)
        context_free(s->contexts[i]);
    gba_usim_done(&s->usim);
    free(s->impus);
    free(s);
}
POC_DEFINE_OWNED(subscriber, subscriber_free)

void gba_bsf_free(gba_bsf *b)
{
    subscriber *s;
    size_t at = 0;
    if (b == NULL)
        return;
    while ((s = poc_table_next(&b->subscribers, &at)) != NULL)
        subscriber_free(s);
    poc_table_done(&b->subscribers);
    poc_table_done(&b->contexts);
    free(b);
}

static poc_err impus_copy(subscriber *s, const gba_subscriber *from)
{
    if (from->impu_count > GBA_IMPUS_MAX)
        return POC_E_LIMIT;
    s->impus = calloc(from->impu_count + 1, sizeof(*s->impus));
    if (s->impus == NULL)
        return POC_E_NOMEM;
    for (; s->impu_count < from->impu_count; s->impu_count++)
        POC_TRY(poc_uri_canonical(s->impus[s->impu_count], from->impus[s->impu_count]));
    return POC_OK;
}

poc_err gba_bsf_add(gba_bsf *b, const gba_subscriber *from)
{
    POC_OWNED(subscriber, s, subscriber_free);
    if (from->impi.n == 0 || !gba_is_quotable(from->impi))
        return POC_E_INPUT;
    if (b->subscribers.count >= SUBSCRIBERS_MAX)
        return POC_E_LIMIT;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return POC_E_NOMEM;
    POC_TRY(gba_text_copy(s->impi, sizeof(s->impi), from->impi));
    POC_TRY(impus_copy(s, from));
    POC_TRY(gba_usim_init(&s->usim, from->k, from->opc, from->sqn, from->amf));
    POC_TRY(poc_table_put(&b->subscribers, poc_span_str(s->impi), s));
    POC_RELEASE(s);
    return POC_OK;
}

/* ---- contexts ---- */

static void context_drop(gba_bsf *b, context *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < CONTEXTS_MAX; i++)
        if (c->of->contexts[i] == c)
            c->of->contexts[i] = NULL;
    poc_table_remove(&b->contexts, poc_span_str(c->btid));
    context_free(c);
}

/* A few at a time, so that keys of users who never return are wiped without a walk over everybody. */
static void sweep_some(gba_bsf *b, int64_t now_s)
{
    for (int i = 0; i < SWEEP_STEP; i++) {
        context *c = poc_table_next(&b->contexts, &b->sweep_at);
        if (c == NULL) {
            b->sweep_at = 0;
            return;
        }
        if (c->expires_s <= now_s)
            context_drop(b, c);
    }
}

static poc_err context_keep(gba_bsf *b, subscriber *s, context *c)
{
    POC_TRY(poc_table_put(&b->contexts, poc_span_str(c->btid), c));
    context_drop(b, s->contexts[s->context_next]);
    s->contexts[s->context_next] = c;
    s->context_next = (s->context_next + 1) % CONTEXTS_MAX;
    return POC_OK;
}

/* ---- Ub ---- */

static poc_err refuse(gba_http_answer *answer, int status, poc_err kind)
{
    answer->status = status;
    return kind;
}

/* RFC 3310 3.2, TS 24.109 4.3. */
static poc_err challenge_put(const gba_bsf *b, const gba_vector *v, gba_http_answer *answer)
{
    uint8_t octets[GBA_RAND_LEN + 16];
    char nonce[POC_BASE64_LEN(sizeof(octets))];
    poc_wr wr = poc_wr_into(answer->www_authenticate, sizeof(answer->www_authenticate));
    poc_wr base64 = poc_wr_into(nonce, sizeof(nonce));
    memcpy(octets, v->rand, GBA_RAND_LEN);
    memcpy(octets + GBA_RAND_LEN, v->autn, 16);
    poc_base64_put(&base64, poc_span_of(octets, sizeof(octets)));
    poc_wr_fmt(&wr, "Digest ");
    gba_param_quoted(&wr, "realm", poc_span_str(b->fqdn));
    gba_param_quoted(&wr, "nonce", poc_span_of(nonce, sizeof(nonce)));
    poc_wr_fmt(&wr, ", algorithm=AKAv1-MD5, qop=\"auth-int\"");
    gba_param_quoted(&wr, "opaque", poc_span_str(b->opaque));
    return poc_wr_text(&wr);
}

static poc_err challenge(gba_bsf *b, subscriber *s, int64_t now_s, gba_http_answer *answer)
{
    uint8_t rand[GBA_RAND_LEN];
    gba_vector v;
    POC_TRY(b->rng.fill(b->rng.ctx, rand, sizeof(rand)));
    POC_TRY(gba_vector_make(&v, &s->usim, rand));
    size_t i = s->pending_next;
    s->pending_next = (i + 1) % PENDING_MAX;
    gba_vector_done(&s->pending[i].vector);
    s->pending[i].vector = v;
    s->pending[i].expires_s = now_s + PENDING_LIFETIME_S;
    poc_wipe(&v, sizeof(v)); /* the slot owns it now */
    POC_TRY(challenge_put(b, &s->pending[i].vector, answer));
    return refuse(answer, 401, POC_OK);
}

/* What was sent as nonce is RAND || AUTN of an open challenge. */
static gba_vector *pending_find(subscriber *s, int64_t now_s, poc_span nonce)
{
    uint8_t octets[GBA_RAND_LEN + 16];
    size_t len;
    if (poc_base64_get(octets, sizeof(octets), &len, nonce) != POC_OK || len != sizeof(octets))
        return NULL;
    for (size_t i = 0; i < PENDING_MAX; i++) {
        gba_vector *v = &s->pending[i].vector;
        if (v->ks != NULL && s->pending[i].expires_s > now_s && memcmp(v->rand, octets, GBA_RAND_LEN) == 0 &&
            memcmp(v->autn, octets + GBA_RAND_LEN, 16) == 0)
            return v;
    }
    return NULL;
}

static bool form_is_good(const gba_bsf *b, const gba_digest *d)
{
    return poc_span_eq_str(d->realm, b->fqdn) && poc_span_eq_str(d->uri, "/") &&
           poc_span_eq_nocase(d->algorithm, "AKAv1-MD5") && poc_span_eq_nocase(d->qop, "auth-int") &&
           poc_span_eq_str(d->nc, "00000001") && d->cnonce.n > 0 && d->cnonce.n <= CNONCE_MAX;
}

static poc_err response_check(const gba_digest *d, poc_span password)
{
    char expected[33];
    POC_TRY(gba_digest_expect(expected, d, password, poc_span_str("GET"), poc_span_of(NULL, 0)));
    return gba_digest_same(d->response, expected) ? POC_OK : POC_E_AUTH;
}

/* RFC 3310 3.4: the UE's counter is ahead of ours or far behind; it proves it with MAC-S. */
static poc_err resynchronised(subscriber *s, const gba_digest *d, const gba_vector *v)
{
    uint8_t auts[14];
    size_t len;
    POC_TRY(response_check(d, poc_span_of(NULL, 0)));
    if (poc_base64_get(auts, sizeof(auts), &len, d->auts) != POC_OK || len != sizeof(auts))
        return POC_E_AUTH;
    return gba_resynchronise(&s->usim, v->rand, auts);
}

static poc_err context_make(context **out, const gba_bsf *b, subscriber *s, int64_t now_s, const gba_vector *v)
{
    context *c = calloc(1, sizeof(*c));
    *out = c;
    if (c == NULL)
        return POC_E_NOMEM;
    poc_wr wr = poc_wr_into(c->btid, sizeof(c->btid));
    poc_base64_put(&wr, poc_span_of(v->rand, GBA_RAND_LEN));
    poc_wr_fmt(&wr, "@%s", b->fqdn);
    memcpy(c->rand, v->rand, GBA_RAND_LEN);
    c->ks = poc_secret_ref(v->ks);
    c->expires_s = now_s + b->key_lifetime_s;
    c->of = s;
    return poc_wr_text(&wr);
}

static poc_err bootstrapped(gba_bsf *b, subscriber *s, int64_t now_s, const gba_digest *d, gba_vector *v,
                            gba_http_answer *answer)
{
    char rspauth[33];
    poc_wr info = poc_wr_into(answer->authentication_info, sizeof(answer->authentication_info));
    poc_wr body = poc_wr_into(answer->body, sizeof(answer->body));
    POC_OWNED(context, c, context_free);
    POC_TRY(context_make(&c, b, s, now_s, v));
    POC_TRY(gba_info_encode(&body, c->btid, c->expires_s));
    POC_TRY(gba_digest_expect(rspauth, d, poc_span_of(v->res, sizeof(v->res)), poc_span_of(NULL, 0),
                              poc_span_of(answer->body, body.len)));
    POC_TRY(gba_authentication_info_put(&info, d, rspauth));
    POC_TRY(poc_wr_text(&info));
    POC_TRY(context_keep(b, s, c));
    POC_RELEASE(c);
    gba_vector_done(v);
    answer->body_len = body.len;
    return refuse(answer, 200, POC_OK);
}

static poc_err answered(gba_bsf *b, subscriber *s, int64_t now_s, const gba_digest *d, gba_http_answer *answer)
{
    gba_vector *v = form_is_good(b, d) ? pending_find(s, now_s, d->nonce) : NULL;
    poc_err err = POC_E_AUTH;
    if (v != NULL && d->auts.n == 0)
        err = response_check(d, poc_span_of(v->res, sizeof(v->res)));
    if (v != NULL && d->auts.n > 0)
        err = resynchronised(s, d, v);
    if (err == POC_OK && d->auts.n == 0)
        return bootstrapped(b, s, now_s, d, v, answer);
    if (err != POC_OK && err != POC_E_AUTH)
        return err;
    if (v != NULL)
        gba_vector_done(v); /* one try per challenge */
    POC_TRY(challenge(b, s, now_s, answer));
    return err;
}

static poc_err serve(gba_bsf *b, int64_t now_s, poc_span method, poc_span uri, poc_span authorization,
                     gba_http_answer *answer)
{
    gba_digest d;
    if (!poc_span_eq_str(method, "GET"))
        return refuse(answer, 405, POC_E_INPUT);
    if (!poc_span_eq_str(uri, "/"))
        return refuse(answer, 404, POC_E_INPUT);
    POC_TRY(gba_digest_parse(&d, authorization, true, NULL));
    if (d.username.n == 0)
        return POC_E_INPUT;
    subscriber *s = poc_table_get(&b->subscribers, d.username);
    if (s == NULL)
        return refuse(answer, 404, POC_E_DENIED);
    if (d.nonce.n == 0 || d.response.n == 0)
        return challenge(b, s, now_s, answer);
    return answered(b, s, now_s, &d, answer);
}

poc_err gba_bsf_ub(gba_bsf *b, int64_t now_s, poc_span method, poc_span uri, poc_span authorization,
                   gba_http_answer *answer)
{
    static const int status_of[POC_E_COUNT] = {
        [POC_E_INPUT] = 400, [POC_E_AUTH] = 401,  [POC_E_DENIED] = 403, [POC_E_STATE] = 500,
        [POC_E_LIMIT] = 503, [POC_E_NOMEM] = 503, [POC_E_IO] = 503,     [POC_E_BUG] = 500,
    };
    *answer = (gba_http_answer){ 0 };
    sweep_some(b, now_s);
    poc_err err = serve(b, now_s, method, uri, authorization, answer);
    if (answer->status == 0) { /* nothing half-written leaves */
        *answer = (gba_http_answer){ 0 };
        answer->status = status_of[err];
    }
    return err;
}

/* ---- Zn ---- */

void gba_zn_answer_done(gba_zn_answer *a)
{
    poc_secret_free(a->me_key);
    poc_secret_free(a->uicc_key);
    *a = (gba_zn_answer){ 0 };
}

static bool naf_id_is_good(poc_span naf_id)
{
    return naf_id.n > GBA_UA_ID_LEN && gba_fqdn_is_good(poc_span_of(naf_id.p, naf_id.n - GBA_UA_ID_LEN));
}

/* The USIMs served here run GBA_ME: there is no key of a UICC to give. */
poc_err gba_bsf_zn(gba_bsf *b, int64_t now_s, poc_span btid, poc_span naf_id, gba_zn_answer *out)
{
    *out = (gba_zn_answer){ 0 };
    if (!naf_id_is_good(naf_id))
        return POC_E_DENIED;
    sweep_some(b, now_s);
    context *c = poc_table_get(&b->contexts, btid);
    if (c == NULL)
        return POC_E_AUTH;
    if (c->expires_s <= now_s) {
        context_drop(b, c);
        return POC_E_AUTH;
    }
    POC_TRY(gba_ks_naf(&out->me_key, GBA_KS_NAF, c->ks, c->rand, poc_span_str(c->of->impi), naf_id));
    out->expires_s = c->expires_s;
    memcpy(out->impi, c->of->impi, sizeof(out->impi));
    out->impu_count = c->of->impu_count;
    memcpy(out->impus, c->of->impus, c->of->impu_count * sizeof(*out->impus));
    return POC_OK;
}
