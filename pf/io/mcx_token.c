#include "pf/io/mcx_token.h"

#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <stdlib.h>
#include <string.h>

enum { LEEWAY_S = 30 /* between the clock of the issuer and ours, for nbf */ };

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
    return POC_OK;
}

static poc_err take_id(char mc_id[WIRE_MCX_TEXT_MAX + 1], const json_t *claims, mcx_service service, const char **why)
{
    const char *id = json_string_value(json_object_get(claims, id_claims[service]));
    const size_t n = id == NULL ? 0 : strlen(id);
    if (n == 0 || n > WIRE_MCX_TEXT_MAX)
        return fail(POC_E_DENIED, why, "an access token without an id for this service");
    memcpy(mc_id, id, n + 1);
    return POC_OK;
}

static poc_err take_claims(char mc_id[WIRE_MCX_TEXT_MAX + 1], jwt_t *jwt, const mcx_token_rules *rules,
                           mcx_service service, int64_t now_s, const char **why)
{
    char *text = jwt_get_grants_json(jwt, NULL);
    if (text == NULL)
        return POC_E_NOMEM;
    json_t *claims = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    poc_err err = claims == NULL ? fail(POC_E_AUTH, why, "an access token without claims")
                                 : check_claims(claims, rules, now_s, why);
    if (err == POC_OK)
        err = take_id(mc_id, claims, service, why);
    json_decref(claims);
    free(text);
    return err;
}

poc_err mcx_token_open(char mc_id[WIRE_MCX_TEXT_MAX + 1], const mcx_token_rules *rules, mcx_service service,
                       const char *token, int64_t now_s, const char **why)
{
    jwt_t *jwt = NULL;
    const int wrong = jwt_decode(&jwt, token, (const unsigned char *)rules->key, (int)strlen(rules->key));
    if (wrong != 0)
        return wrong == ENOMEM ? POC_E_NOMEM : fail(POC_E_AUTH, why, "an access token whose signature does not hold");
    /* The library takes a PEM text for the secret of an HMAC when the token says so; such a token anybody can make. */
    const jwt_alg_t alg = jwt_get_alg(jwt);
    poc_err err = alg == JWT_ALG_RS256 || alg == JWT_ALG_ES256
                      ? take_claims(mc_id, jwt, rules, service, now_s, why)
                      : fail(POC_E_AUTH, why, "an access token that is not signed with RS256 or ES256");
    jwt_free(jwt);
    return err;
}
