/* The UE on Ub (TS 24.109 clause 4, RFC 3310): ask, answer the challenge with RES, take the B-TID. */
#include "gba/private.h"

#include <stdlib.h>
#include <string.h>

enum {
    ECHO_MAX = 256,  /* octets of a nonce or an opaque that is sent back */
    ANSWERS_MAX = 5, /* challenge, resynchronisation, and one refused attempt leave room for no loop */
    AKA_NONCE_MIN = 32
};

typedef enum phase { PHASE_FIRST, PHASE_RES, PHASE_AUTS, PHASE_OVER } phase;

struct gba_ub_client {
    gba_usim *usim; /* borrowed */
    poc_rng rng;
    char impi[GBA_IMPI_MAX + 1];
    char bsf[GBA_FQDN_MAX + 1];
    phase phase;
    unsigned answers;
    char nonce[ECHO_MAX + 1], opaque[ECHO_MAX + 1];
    char cnonce[GBA_CNONCE_LEN + 1];
    gba_vector vector; /* with PHASE_RES */
    uint8_t auts[14];  /* with PHASE_AUTS */
    bool resynchronised;
};

void gba_bootstrap_done(gba_bootstrap *b)
{
    poc_secret_free(b->ks);
    *b = (gba_bootstrap){ 0 };
}

poc_err gba_ub_client_new(gba_ub_client **out, poc_span impi, poc_span bsf_fqdn, gba_usim *usim, const poc_rng *rng)
{
    *out = NULL;
    if (impi.n == 0 || impi.n > GBA_IMPI_MAX || !gba_is_quotable(impi) || !gba_fqdn_is_good(bsf_fqdn))
        return POC_E_INPUT;
    gba_ub_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return POC_E_NOMEM;
    c->usim = usim;
    c->rng = *rng;
    memcpy(c->impi, impi.p, impi.n);
    memcpy(c->bsf, bsf_fqdn.p, bsf_fqdn.n);
    *out = c;
    return POC_OK;
}

void gba_ub_client_free(gba_ub_client *c)
{
    if (c == NULL)
        return;
    gba_vector_done(&c->vector);
    free(c);
}

/* The parameters of the answer, as they are hashed and as they are sent. RFC 3310 3.4: with AUTS the password is empty;
 * 3.3: else it is RES, raw. */
static gba_digest parameters(const gba_ub_client *c)
{
    return (gba_digest){ .username = poc_span_str(c->impi),
                         .realm = poc_span_str(c->bsf),
                         .nonce = poc_span_str(c->nonce),
                         .uri = poc_span_str("/"),
                         .cnonce = poc_span_str(c->cnonce),
                         .nc = poc_span_str("00000001"),
                         .qop = poc_span_str("auth-int"),
                         .opaque = poc_span_str(c->opaque) };
}

static poc_span password(const gba_ub_client *c)
{
    return poc_span_of(c->vector.res, c->phase == PHASE_RES ? sizeof(c->vector.res) : 0);
}

static void auts_put(poc_wr *wr, const uint8_t auts[14])
{
    char text[POC_BASE64_LEN(14)];
    poc_wr base64 = poc_wr_into(text, sizeof(text));
    poc_base64_put(&base64, poc_span_of(auts, 14));
    gba_param_quoted(wr, "auts", poc_span_of(text, sizeof(text)));
}

poc_err gba_ub_client_request(gba_ub_client *c, poc_wr *authorization)
{
    poc_wr *wr = authorization;
    char response[33];
    if (c->phase == PHASE_OVER)
        return POC_E_STATE;
    gba_digest d = parameters(c);
    if (c->phase == PHASE_FIRST) {
        gba_authorization_begin(wr, &d);
        gba_param_quoted(wr, "response", poc_span_of(NULL, 0));
        return poc_wr_done(wr);
    }
    POC_TRY(gba_cnonce_make(c->cnonce, &c->rng));
    d = parameters(c);
    POC_TRY(gba_digest_expect(response, &d, password(c), poc_span_str("GET"), poc_span_of(NULL, 0)));
    gba_authorization_begin(wr, &d);
    gba_param_quoted(wr, "response", poc_span_of(response, 32));
    poc_wr_fmt(wr, ", algorithm=AKAv1-MD5, qop=auth-int, nc=00000001");
    gba_param_quoted(wr, "cnonce", d.cnonce);
    if (d.opaque.n > 0)
        gba_param_quoted(wr, "opaque", d.opaque);
    if (c->phase == PHASE_AUTS)
        auts_put(wr, c->auts);
    return poc_wr_done(wr);
}

/* RFC 3310 3.2: nonce = base64(RAND || AUTN || server data). */
static poc_err challenge_read(gba_ub_client *c, poc_span header, uint8_t rand_autn[AKA_NONCE_MIN])
{
    gba_digest d;
    uint8_t nonce[ECHO_MAX];
    size_t nonce_len;
    POC_TRY(gba_digest_parse(&d, header, true, NULL));
    if (!poc_span_eq_str(d.realm, c->bsf) || !poc_span_eq_nocase(d.algorithm, "AKAv1-MD5") ||
        !gba_qop_offered(d.qop, "auth-int") || d.nonce.n > ECHO_MAX || d.opaque.n > ECHO_MAX)
        return POC_E_INPUT;
    POC_TRY(poc_base64_get(nonce, sizeof(nonce), &nonce_len, d.nonce));
    if (nonce_len < AKA_NONCE_MIN)
        return POC_E_INPUT;
    memcpy(rand_autn, nonce, AKA_NONCE_MIN);
    POC_TRY(gba_text_copy(c->nonce, sizeof(c->nonce), d.nonce));
    return gba_text_copy(c->opaque, sizeof(c->opaque), d.opaque);
}

static poc_err challenged(gba_ub_client *c, poc_span header)
{
    uint8_t rand_autn[AKA_NONCE_MIN];
    POC_TRY(challenge_read(c, header, rand_autn));
    gba_vector_done(&c->vector);
    c->phase = PHASE_FIRST;
    poc_err err = gba_usim_answer(&c->vector, c->usim, rand_autn, rand_autn + GBA_RAND_LEN, c->auts);
    if (err == POC_OK) {
        c->phase = PHASE_RES;
        return POC_OK;
    }
    /* One resynchronisation is repair, a second one is a network that cannot count. */
    if (err != POC_E_STATE || c->resynchronised)
        return err == POC_E_STATE ? POC_E_AUTH : err;
    c->resynchronised = true;
    c->phase = PHASE_AUTS;
    return POC_OK;
}

static poc_err accepted(gba_ub_client *c, poc_span authentication_info, poc_span body, gba_bootstrap *out)
{
    gba_digest info, d = parameters(c);
    char rspauth[33];
    if (c->phase != PHASE_RES)
        return POC_E_INPUT;
    POC_TRY(gba_digest_parse(&info, authentication_info, false, NULL));
    POC_TRY(gba_digest_expect(rspauth, &d, password(c), poc_span_of(NULL, 0), body));
    if (!gba_digest_same(info.rspauth, rspauth))
        return POC_E_AUTH;
    POC_TRY(gba_info_decode(out->btid, &out->expires_s, body));
    memcpy(out->rand, c->vector.rand, sizeof(out->rand));
    out->ks = POC_RELEASE(c->vector.ks);
    gba_vector_done(&c->vector);
    return POC_OK;
}

poc_err gba_ub_client_answer(gba_ub_client *c, int status, poc_span www_authenticate, poc_span authentication_info,
                             poc_span body, gba_ub_next *next, gba_bootstrap *out)
{
    poc_err err = POC_E_DENIED;
    *out = (gba_bootstrap){ 0 };
    *next = GBA_UB_AGAIN;
    if (c->phase == PHASE_OVER)
        return POC_E_STATE;
    if (status == 401 && ++c->answers < ANSWERS_MAX)
        err = challenged(c, www_authenticate);
    if (status == 200) {
        err = accepted(c, authentication_info, body, out);
        *next = GBA_UB_DONE;
    }
    if (err != POC_OK || status == 200)
        c->phase = PHASE_OVER;
    return err;
}
