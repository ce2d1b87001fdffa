/* The NAF on Ua (TS 24.109 clause 5, TS 33.222, RFC 2617): challenges that cost no memory, and their answers. */
#include "gba/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

/* nonce = base64(time of issue (8) || random (8) || HMAC-SHA-256 of these, cut to 16). */
enum { NONCE_MAC_LEN = 16, NONCE_SIGNED_LEN = 16, NONCE_LEN = NONCE_SIGNED_LEN + NONCE_MAC_LEN, CNONCE_MAX = 256 };
#define NONCE_TEXT_LEN POC_BASE64_LEN((size_t)NONCE_LEN)

typedef enum nonce_age { NONCE_FRESH, NONCE_OLD, NONCE_FOREIGN } nonce_age;

/* ---- life ---- */

poc_err gba_naf_new(gba_naf **out, const gba_naf_settings *settings, const poc_rng *rng)
{
    uint64_t seed;
    POC_OWNED(gba_naf, n, gba_naf_free);
    *out = NULL;
    if (settings->users_max == 0 || settings->nonce_lifetime_s <= 0)
        return POC_E_INPUT;
    POC_TRY(rng->fill(rng->ctx, &seed, sizeof(seed)));
    n = calloc(1, sizeof(*n));
    if (n == NULL)
        return POC_E_NOMEM;
    naf_book_init(&n->book, settings->users_max, seed);
    n->rng = *rng;
    n->uicc_keys = settings->uicc_keys;
    n->nonce_lifetime_s = settings->nonce_lifetime_s;
    POC_TRY(gba_naf_id_make(&n->id, settings->fqdn, settings->ua_id));
    poc_wr wr = poc_wr_into(n->realm, sizeof(n->realm));
    poc_wr_fmt(&wr, "3GPP-bootstrapping%s@", n->uicc_keys ? "-uicc" : "");
    poc_wr_span(&wr, settings->fqdn);
    POC_TRY(poc_wr_text(&wr));
    POC_TRY(gba_cnonce_make(n->opaque, rng));
    POC_TRY(poc_secret_random(&n->nonce_key, 32, rng));
    *out = POC_RELEASE(n);
    return POC_OK;
}

void gba_naf_free(gba_naf *n)
{
    if (n == NULL)
        return;
    naf_book_done(&n->book);
    poc_secret_free(n->nonce_key);
    free(n);
}

poc_span gba_naf_naf_id(const gba_naf *n)
{
    return poc_span_of(n->id.b, n->id.n);
}

/* ---- nonces ---- */

static poc_err nonce_sign(const gba_naf *n, uint8_t mac[NONCE_MAC_LEN], const uint8_t octets[NONCE_SIGNED_LEN])
{
    uint8_t full[POC_SHA256_LEN];
    POC_TRY(poc_hmac_sha256(full, poc_secret_span(n->nonce_key), poc_span_of(octets, NONCE_SIGNED_LEN)));
    memcpy(mac, full, NONCE_MAC_LEN);
    poc_wipe(full, sizeof(full));
    return POC_OK;
}

static poc_err nonce_make(const gba_naf *n, int64_t now_s, char text[NONCE_TEXT_LEN])
{
    uint8_t octets[NONCE_LEN];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    poc_wr_u64(&wr, (uint64_t)now_s);
    POC_TRY(n->rng.fill(n->rng.ctx, octets + 8, 8));
    POC_TRY(nonce_sign(n, octets + NONCE_SIGNED_LEN, octets));
    poc_wr base64 = poc_wr_into(text, NONCE_TEXT_LEN);
    poc_base64_put(&base64, poc_span_of(octets, sizeof(octets)));
    return poc_wr_done(&base64);
}

static bool nonce_is_old(const gba_naf *n, int64_t now_s, int64_t issued_s)
{
    return issued_s > now_s || now_s - issued_s > n->nonce_lifetime_s;
}

static nonce_age nonce_read(const gba_naf *n, int64_t now_s, poc_span text, naf_nonce *nonce)
{
    uint8_t octets[NONCE_LEN], mac[NONCE_MAC_LEN];
    uint64_t issued;
    size_t len;
    if (poc_base64_get(octets, sizeof(octets), &len, text) != POC_OK || len != NONCE_LEN)
        return NONCE_FOREIGN;
    if (nonce_sign(n, mac, octets) != POC_OK || !poc_equal_ct(mac, octets + NONCE_SIGNED_LEN, NONCE_MAC_LEN))
        return NONCE_FOREIGN;
    poc_rd rd = poc_rd_over(poc_span_of(octets, NONCE_SIGNED_LEN), NULL);
    if (poc_rd_u64(&rd, &issued) != POC_OK || poc_rd_copy(&rd, nonce->random, sizeof(nonce->random)) != POC_OK)
        return NONCE_FOREIGN;
    nonce->issued_s = (int64_t)issued;
    return nonce_is_old(n, now_s, nonce->issued_s) ? NONCE_OLD : NONCE_FRESH;
}

static poc_err challenge(gba_naf *n, int64_t now_s, bool stale, const char *qop, poc_wr *out)
{
    char nonce[NONCE_TEXT_LEN];
    POC_TRY(nonce_make(n, now_s, nonce));
    poc_wr_fmt(out, "Digest ");
    gba_param_quoted(out, "realm", poc_span_str(n->realm));
    gba_param_quoted(out, "nonce", poc_span_of(nonce, sizeof(nonce)));
    poc_wr_fmt(out, ", algorithm=MD5");
    gba_param_quoted(out, "qop", poc_span_str(qop));
    gba_param_quoted(out, "opaque", poc_span_str(n->opaque));
    poc_wr_fmt(out, ", stale=%s", stale ? "true" : "false");
    return poc_wr_done(out);
}

poc_err gba_naf_challenge(gba_naf *n, int64_t now_s, bool stale, poc_wr *out)
{
    return challenge(n, now_s, stale, "auth-int,auth", out);
}

poc_err gba_naf_challenge_auth_int(gba_naf *n, int64_t now_s, bool stale, poc_wr *out)
{
    return challenge(n, now_s, stale, "auth-int", out);
}

/* ---- nonce counts ---- */

static bool nonce_eq(const naf_nonce *a, const naf_nonce *b)
{
    return a->issued_s == b->issued_s && memcmp(a->random, b->random, sizeof(a->random)) == 0;
}

/* The place for one more nonce of this user. The oldest one gives way, and no nonce of its time is taken again: its
 * count is gone, so it could be replayed. */
static size_t spent_place(naf_user *u)
{
    size_t oldest = 0;
    if (u->spent_count < GBA_NONCES_PER_USER)
        return u->spent_count++;
    for (size_t i = 1; i < u->spent_count; i++)
        if (u->spent[i].nonce.issued_s < u->spent[oldest].nonce.issued_s)
            oldest = i;
    if (u->nonce_floor_s < u->spent[oldest].nonce.issued_s)
        u->nonce_floor_s = u->spent[oldest].nonce.issued_s;
    return oldest;
}

static gba_naf_verdict say(const char **why, gba_naf_verdict verdict, const char *text)
{
    *why = text;
    return verdict;
}

static gba_naf_verdict nonce_spend(naf_user *u, const naf_nonce *nonce, uint32_t nc, const char **why)
{
    for (size_t i = 0; i < u->spent_count; i++) {
        if (!nonce_eq(&u->spent[i].nonce, nonce))
            continue;
        if (nc <= u->spent[i].nc)
            return say(why, GBA_NAF_WRONG, "nonce count replayed");
        u->spent[i].nc = nc;
        return say(why, GBA_NAF_OK, "");
    }
    if (nonce->issued_s <= u->nonce_floor_s)
        return say(why, GBA_NAF_STALE, "nonce no longer counted");
    size_t at = spent_place(u);
    u->spent[at].nonce = *nonce;
    u->spent[at].nc = nc;
    return say(why, GBA_NAF_OK, "");
}

/* ---- checking ---- */

static poc_err response_check(const naf_user *u, const gba_digest *d, const gba_request *request)
{
    char password[GBA_PASSWORD_LEN], expected[33];
    poc_err err = gba_password_make(password, u->keys.mrk);
    if (err == POC_OK)
        err = gba_digest_expect(expected, d, poc_span_of(password, sizeof(password)), request->method, request->body);
    poc_wipe(password, sizeof(password));
    if (err == POC_OK && !gba_digest_same(d->response, expected))
        err = POC_E_AUTH;
    poc_wipe(expected, sizeof(expected));
    return err;
}

/* What makes an answer wrong before any key is looked at; NULL when nothing does. */
static const char *form_flaw(const gba_naf *n, const gba_digest *d, const gba_request *request, uint32_t *nc)
{
    uint8_t octets[4];
    if (!poc_span_eq_str(d->realm, n->realm))
        return "foreign realm";
    if (!poc_span_eq(d->uri, request->uri))
        return "digest uri is not the request uri";
    if (d->algorithm.n > 0 && !poc_span_eq_nocase(d->algorithm, "MD5"))
        return "algorithm is not MD5";
    if (!poc_span_eq_nocase(d->qop, "auth-int") && !poc_span_eq_nocase(d->qop, "auth"))
        return "qop is neither auth-int nor auth";
    if (d->cnonce.n == 0 || d->cnonce.n > CNONCE_MAX)
        return "no usable cnonce";
    if (poc_hex_get_exact(octets, sizeof(octets), d->nc) != POC_OK)
        return "nonce count is not eight hex digits";
    *nc = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 | octets[3];
    return *nc == 0 ? "nonce count is zero" : NULL;
}

static gba_naf_user user_view(const naf_user *u)
{
    return (gba_naf_user){ .btid = u->btid,
                           .impi = u->impi,
                           .impus = (const char(*)[POC_URI_MAX])u->impus,
                           .impu_count = u->impu_count,
                           .expires_s = u->expires_s,
                           .muk = u->keys.muk,
                           .mrk = u->keys.mrk };
}

/* An answer to a nonce that is not (or no longer) ours gets stale=true and not a refusal: after our restart a client
 * then only asks again, and need not bootstrap again (RFC 2617 3.2.1). Zn is asked for fresh nonces only. */
static gba_naf_verdict answer_check(gba_naf *n, int64_t now_s, const gba_digest *d, const gba_request *request,
                                    uint32_t nc, naf_user **user, const char **why)
{
    naf_nonce nonce;
    nonce_age age = nonce_read(n, now_s, d->nonce, &nonce);
    const char *age_text = age == NONCE_OLD ? "nonce is too old" : "nonce is not ours";
    *user = naf_book_find(&n->book, d->username);
    if (*user == NULL && age != NONCE_FRESH)
        return say(why, GBA_NAF_STALE, age_text);
    if (*user == NULL)
        return say(why, GBA_NAF_ASK_ZN, "B-TID is not known here");
    if ((*user)->expires_s <= now_s)
        return say(why, GBA_NAF_CHALLENGE, "bootstrapping has expired");
    poc_err err = response_check(*user, d, request);
    if (err == POC_E_AUTH)
        return say(why, GBA_NAF_WRONG, "digest does not hold");
    if (err != POC_OK)
        return say(why, GBA_NAF_CHALLENGE, poc_err_name(err));
    if (age != NONCE_FRESH)
        return say(why, GBA_NAF_STALE, age_text);
    return nonce_spend(*user, &nonce, nc, why);
}

gba_naf_verdict gba_naf_check(gba_naf *n, int64_t now_s, const gba_request *request, gba_naf_user *user,
                              const char **why)
{
    gba_digest d;
    uint32_t nc = 0;
    naf_user *u;
    *user = (gba_naf_user){ 0 };
    if (request->authorization.n == 0)
        return say(why, GBA_NAF_CHALLENGE, "no credentials");
    if (gba_digest_parse(&d, request->authorization, true, NULL) != POC_OK)
        return say(why, GBA_NAF_CHALLENGE, "malformed Authorization");
    if (d.username.n == 0 || d.nonce.n == 0 || d.response.n == 0)
        return say(why, GBA_NAF_CHALLENGE, "not an answer to a challenge");
    const char *flaw = form_flaw(n, &d, request, &nc);
    if (flaw != NULL)
        return say(why, GBA_NAF_WRONG, flaw);
    gba_naf_verdict verdict = answer_check(n, now_s, &d, request, nc, &u, why);
    if (verdict == GBA_NAF_OK)
        *user = user_view(u);
    return verdict;
}

poc_span gba_naf_btid(const gba_request *request)
{
    gba_digest d;
    if (gba_digest_parse(&d, request->authorization, true, NULL) != POC_OK || d.username.n > POC_BTID_MAX)
        return poc_span_of(NULL, 0);
    return d.username;
}

poc_err gba_naf_learn(gba_naf *n, int64_t now_s, poc_span btid, const gba_zn_answer *answer)
{
    return naf_book_learn(&n->book, now_s, btid, answer, n->uicc_keys);
}

bool gba_naf_renewal_due(gba_naf *n, int64_t now_s, poc_span btid, int64_t margin_s)
{
    naf_user *u = naf_book_find(&n->book, btid);
    if (u == NULL || u->is_renewal || u->expires_s - now_s >= margin_s)
        return false;
    u->renewal_asked = true;
    return true;
}

bool gba_naf_within_rate(gba_naf *n, int64_t now_s, poc_span btid, uint32_t per_s)
{
    naf_user *u = naf_book_find(&n->book, btid);
    if (u == NULL || per_s == 0)
        return true;
    if (u->asked_s != now_s) {
        u->asked_s = now_s;
        u->asked = 0;
    }
    if (u->asked >= per_s)
        return false;
    u->asked++;
    return true;
}

bool gba_naf_by_identity(gba_naf *n, int64_t now_s, poc_span uri, gba_naf_user *user)
{
    const naf_user *u = naf_book_newest(&n->book, now_s, uri);
    *user = (gba_naf_user){ 0 };
    if (u != NULL)
        *user = user_view(u);
    return u != NULL;
}

bool gba_naf_covers(const gba_naf_user *user, poc_span uri, bool strict)
{
    for (size_t i = 0; i < user->impu_count; i++)
        if (poc_span_eq_str(uri, user->impus[i]))
            return true;
    return user->impu_count == 0 && !strict;
}

poc_err gba_naf_authentication_info(gba_naf *n, const gba_request *request, poc_span answer_body, poc_wr *out)
{
    gba_digest d;
    char password[GBA_PASSWORD_LEN], rspauth[33];
    POC_TRY(gba_digest_parse(&d, request->authorization, true, NULL));
    const naf_user *u = naf_book_find(&n->book, d.username);
    if (u == NULL)
        return POC_E_STATE;
    poc_err err = gba_password_make(password, u->keys.mrk);
    if (err == POC_OK)
        err =
            gba_digest_expect(rspauth, &d, poc_span_of(password, sizeof(password)), poc_span_of(NULL, 0), answer_body);
    poc_wipe(password, sizeof(password));
    return err == POC_OK ? gba_authentication_info_put(out, &d, rspauth) : err;
}

void gba_naf_sweep(gba_naf *n, int64_t now_s)
{
    naf_book_sweep(&n->book, now_s);
}
