#include "pf/io/mcx_token.h"

#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <string.h>

#include "base/text.h"

enum { LEEWAY_S = 30 /* between the clock of the issuer and ours, for nbf */ };
enum part { PART_HEADER, PART_CLAIMS };

static const char *const id_claims[MCX_SERVICES] = { [MCX_MCPTT] = "mcptt_id", [MCX_MCVIDEO] = "mcvideo_id" };

bool mcx_token_is_jwt(const char *token)
{
    const char *first = strchr(token, '.');
    const char *second = first == NULL ? NULL : strchr(first + 1, '.');
    return second != NULL && strchr(second + 1, '.') == NULL;
}

static bool text_is(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/** RFC 7519 4.1.3: a text, or a list of them. */
static bool is_for(const json_t *audience, const char *wanted)
{
    const json_t *item;
    size_t i;
    if (wanted == NULL || text_is(audience, wanted))
        return true;
    json_array_foreach(audience, i, item) if (text_is(item, wanted)) return true;
    return false;
}

static bool has_word(poc_span words, poc_span word)
{
    while (words.n > 0)
        if (poc_span_eq(poc_split(&words, ' '), word))
            return true;
    return false;
}

/** RFC 6749 3.3: words with spaces between them; some servers write a list of them. */
static bool is_in_scope(const json_t *scope, poc_span word)
{
    const json_t *item;
    size_t i;
    if (json_is_string(scope))
        return has_word(poc_span_str(json_string_value(scope)), word);
    json_array_foreach(scope, i,
                       item) if (json_is_string(item) && poc_span_eq_str(word, json_string_value(item))) return true;
    return false;
}

/** An ID token has the same issuer and the same ids: what tells it from an access token is its scope (TS 33.180 B.2). */
static bool is_for_service(const json_t *scope, const char *wanted)
{
    poc_span words = poc_span_str(wanted == NULL ? "" : wanted);
    while (words.n > 0) {
        const poc_span word = poc_split(&words, ' ');
        if (word.n > 0 && is_in_scope(scope, word))
            return true;
    }
    return wanted == NULL;
}

static poc_err fail(poc_err err, const char **why, const char *says)
{
    *why = says;
    return err;
}

/** RFC 7519 2: NumericDate may have a fraction. */
static poc_err check_times(const json_t *claims, int64_t now_s, const char **why)
{
    const json_t *expires = json_object_get(claims, "exp"), *begins = json_object_get(claims, "nbf");
    if (!json_is_number(expires) || json_number_value(expires) <= (double)now_s)
        return fail(POC_E_AUTH, why, "an access token that is over, or does not say when");
    if (begins != NULL && (!json_is_number(begins) || json_number_value(begins) > (double)(now_s + LEEWAY_S)))
        return fail(POC_E_AUTH, why, "an access token of a time to come");
    return POC_OK;
}

static poc_err check_claims(const json_t *claims, const mcx_token_rules *rules, int64_t now_s, const char **why)
{
    POC_TRY(check_times(claims, now_s, why));
    if (rules->issuer != NULL && !text_is(json_object_get(claims, "iss"), rules->issuer))
        return fail(POC_E_AUTH, why, "an access token of another issuer");
    if (!is_for(json_object_get(claims, "aud"), rules->audience))
        return fail(POC_E_AUTH, why, "an access token for somebody else");
    if (!is_for_service(json_object_get(claims, "scope"), rules->scopes))
        return fail(POC_E_AUTH, why, "a token without the scope of this service");
    return POC_OK;
}

/** As in mcx.users: it is hashed into keys, and stands in XML and in the log. */
static bool is_id(const char *id)
{
    for (const char *c = id; *c != '\0'; c++)
        if (*c <= 0x20 || *c >= 0x7f)
            return false;
    return id[0] != '\0' && strlen(id) <= WIRE_MCX_TEXT_MAX;
}

static poc_err take_id(char mc_id[WIRE_MCX_TEXT_MAX + 1], const json_t *claims, mcx_service service, const char **why)
{
    const char *id = json_string_value(json_object_get(claims, id_claims[service]));
    if (id == NULL || !is_id(id))
        return fail(POC_E_DENIED, why, "an access token without an id for this service");
    memcpy(mc_id, id, strlen(id) + 1);
    return POC_OK;
}

/** Base64 without padding and with two other letters (RFC 7515 2). */
static poc_err base64url_get(uint8_t *out, size_t cap, size_t *n, poc_span text)
{
    char padded[POC_BASE64_LEN(WIRE_MCX_TOKEN_MAX)];
    poc_wr wr = poc_wr_into(padded, sizeof(padded));
    for (size_t i = 0; i < text.n; i++)
        poc_wr_u8(&wr, text.p[i] == '-' ? '+' : text.p[i] == '_' ? '/' : text.p[i]);
    while (wr.len % 4 != 0 && !wr.overflow)
        poc_wr_u8(&wr, '=');
    POC_TRY(poc_wr_done(&wr));
    return poc_base64_get(out, cap, n, poc_span_of(padded, wr.len));
}

/** What was signed, read once more: of two members of one name the library takes the last, and it stops at a zero octet. Others
 *  read that otherwise (RFC 7519 4), so it is refused. */
static poc_err part_read(json_t **out, const char *token, enum part which, const char **why)
{
    uint8_t octets[WIRE_MCX_TOKEN_MAX];
    size_t n = 0;
    json_error_t error;
    poc_span rest = poc_span_str(token), part = poc_split(&rest, '.');
    if (which == PART_CLAIMS)
        part = poc_split(&rest, '.');
    if (base64url_get(octets, sizeof(octets), &n, part) != POC_OK)
        return fail(POC_E_AUTH, why, "an access token that is not base64url");
    *out = json_loadb((const char *)octets, n, JSON_REJECT_DUPLICATES, &error);
    if (*out != NULL)
        return POC_OK;
    return json_error_code(&error) == json_error_out_of_memory
               ? POC_E_NOMEM
               : fail(POC_E_AUTH, why, "an access token that is not JSON, or has a name twice");
}

static poc_err take_claims(char mc_id[WIRE_MCX_TEXT_MAX + 1], const char *token, const mcx_token_rules *rules,
                           mcx_service service, int64_t now_s, const char **why)
{
    json_t *claims;
    POC_TRY(part_read(&claims, token, PART_CLAIMS, why));
    poc_err err = check_claims(claims, rules, now_s, why);
    if (err == POC_OK)
        err = take_id(mc_id, claims, service, why);
    json_decref(claims);
    return err;
}

/*= RFC 7515, 4.1.11: "If any of the listed extension Header Parameters are not understood and supported by the recipient, then the
 *  JWS is invalid." */
static poc_err check_header(const char *token, const char **why)
{
    json_t *header;
    POC_TRY(part_read(&header, token, PART_HEADER, why));
    const bool demands = json_object_get(header, "crit") != NULL;
    json_decref(header);
    return demands ? fail(POC_E_AUTH, why, "an access token with an extension that has to be understood") : POC_OK;
}

/** The library takes a PEM text for the secret of an HMAC when the token says so; such a token anybody can make. */
static bool is_signed_by_issuer(jwt_t *jwt)
{
    const jwt_alg_t alg = jwt_get_alg(jwt);
    return alg == JWT_ALG_RS256 || alg == JWT_ALG_ES256;
}

static poc_err check_signature(const char *token, const char *key, const char **why)
{
    jwt_t *jwt = NULL;
    const int wrong = jwt_decode(&jwt, token, (const unsigned char *)key, (int)strlen(key));
    if (wrong != 0)
        return wrong == ENOMEM ? POC_E_NOMEM : fail(POC_E_AUTH, why, "an access token whose signature does not hold");
    const bool is_signed = is_signed_by_issuer(jwt);
    jwt_free(jwt);
    return is_signed ? POC_OK : fail(POC_E_AUTH, why, "an access token that is not signed with RS256 or ES256");
}

poc_err mcx_token_open(char mc_id[WIRE_MCX_TEXT_MAX + 1], const mcx_token_rules *rules, mcx_service service,
                       const char *token, int64_t now_s, const char **why)
{
    POC_TRY(check_signature(token, rules->key, why));
    POC_TRY(check_header(token, why));
    return take_claims(mc_id, token, rules, service, now_s, why);
}
