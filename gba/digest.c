#include "gba/private.h"

#include "base/crypto.h"

/* Longest text that is hashed in one piece: a header's worth of parameters and a password. */
enum { HEADER_IN_MAX = 4096, HASHED_MAX = 2 * HEADER_IN_MAX };

/* ---- reading ---- */

static const struct {
    const char *name;
    size_t at;
} parameters[] = {
    { "username", offsetof(gba_digest, username) },
    { "realm", offsetof(gba_digest, realm) },
    { "nonce", offsetof(gba_digest, nonce) },
    { "uri", offsetof(gba_digest, uri) },
    { "response", offsetof(gba_digest, response) },
    { "cnonce", offsetof(gba_digest, cnonce) },
    { "nc", offsetof(gba_digest, nc) },
    { "qop", offsetof(gba_digest, qop) },
    { "opaque", offsetof(gba_digest, opaque) },
    { "algorithm", offsetof(gba_digest, algorithm) },
    { "auts", offsetof(gba_digest, auts) },
    { "stale", offsetof(gba_digest, stale) },
    { "rspauth", offsetof(gba_digest, rspauth) },
    { "nextnonce", offsetof(gba_digest, nextnonce) },
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* tchar of RFC 7230 3.2.6. */
static bool is_token(uint8_t c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    for (size_t i = 0; i < sizeof(marks) - 1; i++)
        if (c == (uint8_t)marks[i])
            return true;
    return false;
}

static void skip_blanks(poc_rd *rd)
{
    while (rd->left > 0 && is_blank(rd->p[0])) {
        rd->p++;
        rd->left--;
    }
}

static poc_span take_token(poc_rd *rd)
{
    poc_span token = { rd->p, 0 };
    while (token.n < rd->left && is_token(token.p[token.n]))
        token.n++;
    rd->p += token.n;
    rd->left -= token.n;
    return token;
}

/* Between quotes, without the escapes that RFC 2616 allows: nothing that digest carries needs them, and the hash is over
 * the octets as they stand. */
static poc_err take_quoted(poc_rd *rd, poc_span *out)
{
    *out = poc_span_of(rd->p, 0);
    while (out->n < rd->left && rd->p[out->n] != '"')
        out->n++;
    if (out->n == rd->left)
        return poc_rd_fail(rd, "unterminated quotes");
    if (!gba_is_quotable(*out))
        return poc_rd_fail(rd, "escape or control character in quotes");
    rd->p += out->n + 1;
    rd->left -= out->n + 1;
    return POC_OK;
}

static poc_err take_value(poc_rd *rd, poc_span *out)
{
    uint8_t first;
    if (rd->left > 0 && rd->p[0] == '"') {
        POC_TRY(poc_rd_u8(rd, &first));
        return take_quoted(rd, out);
    }
    *out = take_token(rd);
    return out->n > 0 ? POC_OK : poc_rd_fail(rd, "parameter without value");
}

static poc_err take_parameter(gba_digest *d, poc_rd *rd)
{
    poc_span value, name = take_token(rd);
    uint8_t equals = 0;
    if (name.n == 0)
        return poc_rd_fail(rd, "parameter name expected");
    skip_blanks(rd);
    POC_TRY(poc_rd_u8(rd, &equals));
    if (equals != '=')
        return poc_rd_fail(rd, "no = behind parameter name");
    skip_blanks(rd);
    POC_TRY(take_value(rd, &value));
    for (size_t i = 0; i < POC_COUNT(parameters); i++) {
        poc_span *place = (poc_span *)((char *)d + parameters[i].at);
        if (!poc_span_eq_nocase(name, parameters[i].name))
            continue;
        if (place->p != NULL)
            return poc_rd_fail(rd, "repeated parameter");
        *place = value;
        break;
    }
    return POC_OK;
}

/* A list after RFC 7230 7: elements may be empty. */
static poc_err take_list(gba_digest *d, poc_rd *rd)
{
    for (;;) {
        uint8_t comma = 0;
        skip_blanks(rd);
        if (rd->left > 0 && rd->p[0] != ',')
            POC_TRY(take_parameter(d, rd));
        skip_blanks(rd);
        if (rd->left == 0)
            return POC_OK;
        POC_TRY(poc_rd_u8(rd, &comma));
        if (comma != ',')
            return poc_rd_fail(rd, "no comma between parameters");
    }
}

poc_err gba_digest_parse(gba_digest *out, poc_span header, bool scheme, poc_fault *fault)
{
    poc_rd rd = poc_rd_over(header, fault);
    *out = (gba_digest){ 0 };
    if (header.n > HEADER_IN_MAX)
        return poc_rd_fail(&rd, "header too long");
    if (header.n == 0)
        return scheme ? poc_rd_fail(&rd, "empty header") : POC_OK;
    skip_blanks(&rd);
    if (scheme && !poc_span_eq_nocase(take_token(&rd), "Digest"))
        return poc_rd_fail(&rd, "scheme is not Digest");
    if (scheme && (rd.left == 0 || !is_blank(rd.p[0])))
        return poc_rd_fail(&rd, "nothing behind the scheme");
    return take_list(out, &rd);
}

bool gba_qop_offered(poc_span list, const char *wanted)
{
    while (list.n > 0)
        if (poc_span_eq_nocase(poc_trim(poc_split(&list, ',')), wanted))
            return true;
    return false;
}

/* ---- arithmetic ---- */

/* hex(MD5(parts joined by colons)). */
static poc_err md5_joined(char out[33], const poc_span *parts, size_t n)
{
    uint8_t text[HASHED_MAX], sum[POC_MD5_LEN] = { 0 };
    poc_wr wr = poc_wr_into(text, sizeof(text)), hex = poc_wr_into(out, 33);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            poc_wr_u8(&wr, ':');
        poc_wr_span(&wr, parts[i]);
    }
    poc_err err = poc_wr_done(&wr);
    if (err == POC_OK)
        err = poc_md5(sum, poc_span_of(text, wr.len));
    poc_hex_put(&hex, poc_span_of(sum, sizeof(sum)));
    poc_wipe(text, wr.len);
    poc_wipe(sum, sizeof(sum));
    return err == POC_OK ? poc_wr_text(&hex) : err;
}

/* RFC 2617 3.2.2.3: with auth-int the body's hash is part of A2. */
static poc_err ha2_make(char out[33], const gba_digest_input *in)
{
    char body_hash[33];
    POC_TRY(md5_joined(out, (poc_span[]){ in->method, in->uri }, 2));
    if (poc_span_eq_nocase(in->qop, "auth"))
        return POC_OK;
    if (!poc_span_eq_nocase(in->qop, "auth-int"))
        return POC_E_INPUT;
    uint8_t sum[POC_MD5_LEN];
    POC_TRY(poc_md5(sum, in->body));
    poc_wr hex = poc_wr_into(body_hash, sizeof(body_hash));
    poc_hex_put(&hex, poc_span_of(sum, sizeof(sum)));
    return md5_joined(out, (poc_span[]){ in->method, in->uri, poc_span_of(body_hash, 32) }, 3);
}

poc_err gba_digest_response(char out[33], const gba_digest_input *in)
{
    char ha1[33], ha2[33];
    POC_TRY(ha2_make(ha2, in));
    poc_err err = md5_joined(ha1, (poc_span[]){ in->username, in->realm, in->password }, 3);
    if (err == POC_OK)
        err = md5_joined(
            out, (poc_span[]){ poc_span_of(ha1, 32), in->nonce, in->nc, in->cnonce, in->qop, poc_span_of(ha2, 32) }, 6);
    poc_wipe(ha1, sizeof(ha1));
    return err;
}

poc_err gba_digest_expect(char out[33], const gba_digest *d, poc_span password, poc_span method, poc_span body)
{
    const gba_digest_input in = { .username = d->username,
                                  .realm = d->realm,
                                  .password = password,
                                  .method = method,
                                  .uri = d->uri,
                                  .nonce = d->nonce,
                                  .nc = d->nc,
                                  .cnonce = d->cnonce,
                                  .qop = d->qop,
                                  .body = body };
    return gba_digest_response(out, &in);
}

bool gba_digest_same(poc_span given, const char expected[33])
{
    return given.n == 32 && poc_equal_ct(given.p, expected, 32);
}

poc_err gba_password_make(char out[GBA_PASSWORD_LEN], const poc_secret *mrk)
{
    poc_wr wr = poc_wr_into(out, GBA_PASSWORD_LEN);
    if (poc_secret_len(mrk) != 32)
        return POC_E_INPUT;
    poc_base64_put(&wr, poc_secret_span(mrk));
    return poc_wr_done(&wr);
}

/* ---- writing ---- */

poc_err gba_cnonce_make(char out[GBA_CNONCE_LEN + 1], const poc_rng *rng)
{
    uint8_t octets[GBA_CNONCE_LEN / 2];
    poc_wr wr = poc_wr_into(out, GBA_CNONCE_LEN + 1);
    POC_TRY(rng->fill(rng->ctx, octets, sizeof(octets)));
    poc_hex_put(&wr, poc_span_of(octets, sizeof(octets)));
    return poc_wr_text(&wr);
}

void gba_param_quoted(poc_wr *wr, const char *name, poc_span value)
{
    bool first = wr->len == 0 || wr->buf[wr->len - 1] == ' ';
    poc_wr_fmt(wr, "%s%s=\"", first ? "" : ", ", name);
    poc_wr_span(wr, value);
    poc_wr_u8(wr, '"');
}

void gba_authorization_begin(poc_wr *wr, const gba_digest *d)
{
    poc_wr_fmt(wr, "Digest ");
    gba_param_quoted(wr, "username", d->username);
    gba_param_quoted(wr, "realm", d->realm);
    gba_param_quoted(wr, "nonce", d->nonce);
    gba_param_quoted(wr, "uri", d->uri);
}

poc_err gba_authentication_info_put(poc_wr *wr, const gba_digest *d, const char rspauth[33])
{
    gba_param_quoted(wr, "rspauth", poc_span_of(rspauth, 32));
    gba_param_quoted(wr, "cnonce", d->cnonce);
    poc_wr_fmt(wr, ", nc=");
    poc_wr_span(wr, d->nc);
    poc_wr_fmt(wr, ", qop=");
    poc_wr_span(wr, d->qop);
    return poc_wr_done(wr);
}
