/* The UE on Ua (TS 24.109 clause 5): answers a NAF's challenge with B-TID and base64(MRK), and checks the NAF's proof. */
#include "gba/private.h"

/* TS 24.109 5.2.4: the part of the realm behind "@" is the host the UE contacted, else a NAF could ask for another's. */
static bool realm_is_of(poc_span realm, poc_span naf_fqdn)
{
    poc_span prefix = poc_split(&realm, '@');
    return (poc_span_eq_str(prefix, "3GPP-bootstrapping") || poc_span_eq_str(prefix, "3GPP-bootstrapping-uicc")) &&
           poc_span_eq(realm, naf_fqdn);
}

static poc_err expect(char out[33], const gba_ua_client *c, const gba_digest *d, poc_span method, poc_span body)
{
    char password[GBA_PASSWORD_LEN];
    poc_err err = gba_password_make(password, c->mrk);
    if (err == POC_OK)
        err = gba_digest_expect(out, d, poc_span_of(password, sizeof(password)), method, body);
    poc_wipe(password, sizeof(password));
    return err;
}

static void authorization_put(poc_wr *wr, const gba_digest *d)
{
    gba_authorization_begin(wr, d);
    gba_param_quoted(wr, "response", d->response);
    poc_wr_fmt(wr, ", algorithm=MD5, qop=");
    poc_wr_span(wr, d->qop);
    poc_wr_fmt(wr, ", nc=");
    poc_wr_span(wr, d->nc);
    gba_param_quoted(wr, "cnonce", d->cnonce);
    if (d->opaque.n > 0)
        gba_param_quoted(wr, "opaque", d->opaque);
}

static poc_err challenge_read(gba_digest *d, poc_span header, poc_span naf_fqdn)
{
    POC_TRY(gba_digest_parse(d, header, true, NULL));
    if (!realm_is_of(d->realm, naf_fqdn) || d->nonce.n == 0)
        return POC_E_INPUT;
    if (d->algorithm.n > 0 && !poc_span_eq_nocase(d->algorithm, "MD5"))
        return POC_E_INPUT;
    bool body_too = gba_qop_offered(d->qop, "auth-int");
    if (!body_too && !gba_qop_offered(d->qop, "auth"))
        return POC_E_INPUT;
    d->qop = poc_span_str(body_too ? "auth-int" : "auth");
    return POC_OK;
}

poc_err gba_ua_authorize(gba_ua_client *c, poc_span www_authenticate, poc_span naf_fqdn, poc_span method, poc_span uri,
                         poc_span body, const poc_rng *rng, poc_wr *out)
{
    gba_digest d;
    char cnonce[GBA_CNONCE_LEN + 1], nc[9], response[33];
    POC_TRY(challenge_read(&d, www_authenticate, naf_fqdn));
    if (!gba_is_quotable(uri))
        return POC_E_INPUT;
    if (c->nc == UINT32_MAX)
        return POC_E_LIMIT;
    POC_TRY(gba_cnonce_make(cnonce, rng));
    poc_wr digits = poc_wr_into(nc, sizeof(nc));
    poc_wr_fmt(&digits, "%08x", (unsigned)(c->nc + 1));
    POC_TRY(poc_wr_text(&digits));
    d.username = poc_span_str(c->btid);
    d.uri = uri;
    d.cnonce = poc_span_str(cnonce);
    d.nc = poc_span_str(nc);
    POC_TRY(expect(response, c, &d, method, body));
    d.response = poc_span_of(response, 32);
    authorization_put(out, &d);
    POC_TRY(poc_wr_done(out));
    c->nc++;
    return POC_OK;
}

poc_err gba_ua_check_answer(const gba_ua_client *c, poc_span authorization, poc_span authentication_info, poc_span body)
{
    gba_digest sent, info;
    char rspauth[33];
    POC_TRY(gba_digest_parse(&sent, authorization, true, NULL));
    if (gba_digest_parse(&info, authentication_info, false, NULL) != POC_OK)
        return POC_E_AUTH;
    POC_TRY(expect(rspauth, c, &sent, poc_span_of(NULL, 0), body));
    return gba_digest_same(info.rspauth, rspauth) ? POC_OK : POC_E_AUTH;
}
