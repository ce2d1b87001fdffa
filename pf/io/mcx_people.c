#include "pf/io/mcx_people.h"

#include <errno.h>
#include <libconfig.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/table.h"
#include "base/text.h"
#include "pf/io/config_private.h"
#include "pf/io/mcx_token.h"

enum { PEOPLE_MAX = 100000, IMPUS_MAX = 8 };

#define EVERY_SERVICE ((1u << MCX_SERVICES) - 1)

typedef struct person person;

/** One of the IMPUs of a person; several people may share it, for different services. */
typedef struct name {
    char uri[POC_URI_MAX];
    person *who;
    struct name *next; /* with the same IMPU */
} name;

struct person {
    char id[POC_URI_MAX];
    uint32_t services; /* bits */
    bool needs_token, has_token;
    uint8_t token[POC_SHA256_LEN]; /* of the token, its digest */
    person *same_token;
    size_t name_count; /* 0: whichever IMPU */
    name names[];
};

struct mcx_people {
    bool is_listed;   /* there is a file: who is not in it is nobody */
    bool is_anywhere; /* somebody in it may have any IMPU */
    poc_table by_id, by_token, by_impu;
    char *token_key; /* PEM; NULL: no JWTs */
    char *issuer, *audience, *scopes;
};

typedef struct reader {
    mcx_people *people;
    const char *file;
    char *why;
} reader;

#define FAIL(r, s, ...) config_fail((r)->why, (r)->file, (int)config_setting_source_line(s), __VA_ARGS__)

/* ---- the file ---- */

static const char *const names[] = { "id", "impus", "services", "token_sha256", "needs_token" };
static const config_element element = { "users", names, POC_COUNT(names),
                                        "id, impus, services, token_sha256, needs_token" };
static const char *const service_names[MCX_SERVICES] = { [MCX_MCPTT] = "mcptt", [MCX_MCVIDEO] = "mcvideo" };

static poc_err take_id(reader *r, const config_setting_t *s, person *p)
{
    const char *text = NULL;
    if (config_setting_lookup_string(s, "id", &text) != CONFIG_TRUE || text[0] == '\0' || strlen(text) >= sizeof(p->id))
        return FAIL(r, s, "users.id must be a mission critical service id of 1 to %zu octets", sizeof(p->id) - 1);
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= 0x20 || *c >= 0x7f)
            return FAIL(r, s, "users.id must be printable ASCII without spaces");
    memcpy(p->id, text, strlen(text) + 1);
    return POC_OK;
}

static poc_err take_impus(reader *r, const config_setting_t *s, person *p)
{
    const config_setting_t *list = config_setting_get_member(s, "impus");
    for (size_t i = 0; i < p->name_count; i++) {
        const char *text = config_setting_get_string_elem(list, (int)i);
        if (text == NULL || poc_uri_canonical(p->names[i].uri, poc_span_str(text)) != POC_OK)
            return FAIL(r, list, "users.impus: element %zu is not a SIP URI", i + 1);
        p->names[i].who = p;
    }
    return POC_OK;
}

static poc_err take_services(reader *r, const config_setting_t *s, person *p)
{
    const config_setting_t *list = config_setting_get_member(s, "services");
    p->services = list == NULL ? 1u << MCX_MCPTT : 0;
    for (int i = 0; list != NULL && i < config_setting_length(list); i++) {
        const char *text = config_setting_get_string_elem(list, i);
        uint32_t bit = 0;
        for (size_t k = 0; text != NULL && k < MCX_SERVICES; k++)
            bit |= strcmp(text, service_names[k]) == 0 ? 1u << k : 0;
        if (bit == 0)
            return FAIL(r, list, "users.services takes \"mcptt\" and \"mcvideo\"");
        p->services |= bit;
    }
    return p->services != 0 ? POC_OK : FAIL(r, s, "users.services is empty");
}

static poc_err take_token(reader *r, const config_setting_t *s, person *p)
{
    const config_setting_t *token = config_setting_get_member(s, "token_sha256");
    const config_setting_t *needs = config_setting_get_member(s, "needs_token");
    if (needs != NULL && config_setting_type(needs) != CONFIG_TYPE_BOOL)
        return FAIL(r, needs, "users.needs_token must be true or false");
    p->needs_token = needs == NULL || config_setting_get_bool(needs) != 0;
    if (!p->needs_token && p->name_count == 0)
        return FAIL(r, needs, "users.needs_token = false leaves impus as the only proof: they are missing");
    if (token == NULL)
        return POC_OK;
    const char *text = config_setting_get_string(token);
    p->has_token = true;
    if (text == NULL || poc_hex_get_exact(p->token, sizeof(p->token), poc_span_str(text)) != POC_OK)
        return FAIL(r, token, "users.token_sha256 must be 64 hex digits in quotes: printf %%s TOKEN | sha256sum");
    return POC_OK;
}

/* ---- the tables ---- */

static poc_err add_impu(mcx_people *people, name *n)
{
    const poc_span uri = poc_span_str(n->uri);
    name *first = (name *)poc_table_get(&people->by_impu, uri);
    if (first == NULL)
        return poc_table_put(&people->by_impu, uri, n);
    n->next = first->next;
    first->next = n;
    return POC_OK;
}

static poc_err add_token(mcx_people *people, person *p)
{
    const poc_span digest = poc_span_of(p->token, sizeof(p->token));
    person *first = p->has_token ? (person *)poc_table_get(&people->by_token, digest) : NULL;
    if (!p->has_token)
        return POC_OK;
    if (first == NULL)
        return poc_table_put(&people->by_token, digest, p);
    p->same_token = first->same_token;
    first->same_token = p;
    return POC_OK;
}

/** Takes `p` over, also on error. */
static poc_err add(reader *r, const config_setting_t *s, person *p)
{
    mcx_people *people = r->people;
    poc_err err = poc_table_put(&people->by_id, poc_span_str(p->id), p);
    if (err != POC_OK)
        free(p);
    if (err == POC_E_STATE)
        return FAIL(r, s, "this users.id stands in the list already");
    POC_TRY(err);
    people->is_anywhere |= p->name_count == 0;
    POC_TRY(add_token(people, p));
    for (size_t i = 0; i < p->name_count; i++)
        POC_TRY(add_impu(people, &p->names[i]));
    return POC_OK;
}

static poc_err take_fields(reader *r, const config_setting_t *s, person *p)
{
    POC_TRY(take_id(r, s, p));
    POC_TRY(take_impus(r, s, p));
    POC_TRY(take_services(r, s, p));
    return take_token(r, s, p);
}

static poc_err take_one(reader *r, const config_setting_t *s)
{
    if (config_setting_type(s) != CONFIG_TYPE_GROUP)
        return FAIL(r, s, "users must be a list of groups: ( { id = ...; }, ... )");
    POC_TRY(config_refuse_unknown(r->why, r->file, s, &element));
    const config_setting_t *impus = config_setting_get_member(s, "impus");
    const size_t n = impus == NULL ? 0 : (size_t)config_setting_length(impus);
    if (n > IMPUS_MAX || (impus != NULL && n == 0))
        return FAIL(r, impus, "users.impus must be a list of 1 to %d SIP URIs", IMPUS_MAX);
    person *p = (person *)calloc(1, sizeof(*p) + n * sizeof(p->names[0]));
    if (p == NULL)
        return POC_E_NOMEM;
    p->name_count = n;
    poc_err err = take_fields(r, s, p);
    if (err == POC_OK)
        return add(r, s, p);
    free(p);
    return err;
}

static poc_err take_all(reader *r, const config_t *lib)
{
    const config_setting_t *list = config_lookup(lib, "users");
    if (list == NULL || config_setting_type(list) != CONFIG_TYPE_LIST)
        return config_fail(r->why, r->file, 1, "a list \"users\" is missing");
    if (config_setting_length(list) > PEOPLE_MAX)
        return FAIL(r, list, "more than %d users", PEOPLE_MAX);
    for (int i = 0; i < config_setting_length(list); i++)
        POC_TRY(take_one(r, config_setting_get_elem(list, (unsigned)i)));
    return POC_OK;
}

static poc_err load_users(mcx_people *people, const char *path, char why[CONFIG_WHY_MAX])
{
    reader r = { people, path, why };
    char *text = NULL;
    config_t lib;
    if (path[0] == '\0')
        return POC_OK;
    POC_TRY(config_file_text(&text, path, why));
    config_init(&lib);
    poc_err err = config_read_string(&lib, text) == CONFIG_TRUE
                      ? take_all(&r, &lib)
                      : config_fail(why, path, config_error_line(&lib), "%s", config_error_text(&lib));
    config_destroy(&lib);
    free(text); /* digests of tokens: nothing that opens anything */
    people->is_listed = true;
    return err;
}

/* ---- life ---- */

static char *text_or_null(const char *text)
{
    return text[0] == '\0' ? NULL : strdup(text);
}

/** With spaces between them, as in a token; NULL: no memory. */
static char *joined(const config_texts *texts)
{
    size_t n = 1, at = 0;
    for (size_t i = 0; i < texts->count; i++)
        n += strlen(texts->item[i]) + 1;
    char *out = (char *)calloc(1, n);
    for (size_t i = 0; out != NULL && i < texts->count; i++) {
        const size_t len = strlen(texts->item[i]);
        memcpy(out + at, texts->item[i], len);
        at += len;
        out[at++] = ' ';
    }
    return out;
}

static poc_err load_token_rules(mcx_people *people, const config *c, char why[CONFIG_WHY_MAX])
{
    people->issuer = text_or_null(c->mcx.token_issuer);
    people->audience = text_or_null(c->mcx.token_audience);
    if ((people->issuer == NULL && c->mcx.token_issuer[0] != '\0') ||
        (people->audience == NULL && c->mcx.token_audience[0] != '\0'))
        return POC_E_NOMEM;
    if (c->mcx.token_scopes.count > 0 && (people->scopes = joined(&c->mcx.token_scopes)) == NULL)
        return POC_E_NOMEM;
    if (c->mcx.token_key[0] == '\0')
        return POC_OK;
    POC_TRY(config_file_text(&people->token_key, c->mcx.token_key, why));
    return poc_pem_is_public_key(people->token_key)
               ? POC_OK
               : config_fail(why, c->mcx.token_key, 0,
                             "mcx.token_key must be a public key in PEM: RSA of 2,048 bits or more, or P-256");
}

static poc_err load(mcx_people *people, const config *c, char why[CONFIG_WHY_MAX])
{
    uint64_t seeds[3];
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, seeds, sizeof(seeds)));
    poc_table_init(&people->by_id, seeds[0]);
    poc_table_init(&people->by_token, seeds[1]);
    poc_table_init(&people->by_impu, seeds[2]);
    POC_TRY(load_users(people, c->mcx.users, why));
    return load_token_rules(people, c, why);
}

poc_err mcx_people_new(mcx_people **out, const config *c, char why[CONFIG_WHY_MAX])
{
    POC_OWNED(mcx_people, people, mcx_people_free);
    *out = NULL;
    if ((people = (mcx_people *)calloc(1, sizeof(*people))) == NULL)
        return POC_E_NOMEM;
    POC_TRY(load(people, c, why)); // NOLINT(clang-analyzer-unix.Malloc): POC_OWNED frees it
    *out = (mcx_people *)POC_RELEASE(people);
    return POC_OK;
}

void mcx_people_free(mcx_people *people)
{
    if (people == NULL)
        return;
    person *p;
    for (size_t at = 0; (p = (person *)poc_table_next(&people->by_id, &at)) != NULL;)
        free(p);
    poc_table_done(&people->by_id);
    poc_table_done(&people->by_token);
    poc_table_done(&people->by_impu);
    free(people->token_key);
    free(people->issuer);
    free(people->audience);
    free(people->scopes);
    free(people);
}

size_t mcx_people_count(const mcx_people *people)
{
    return people->by_id.count;
}

/* ---- asking ---- */

static bool serves(const person *p, mcx_service service)
{
    return (p->services >> service & 1u) != 0;
}

static bool is_called(const person *p, const char *impu)
{
    if (impu == NULL || p->name_count == 0)
        return true;
    for (size_t i = 0; i < p->name_count; i++)
        if (strcmp(p->names[i].uri, impu) == 0)
            return true;
    return false;
}

static poc_err let_in(const person *p, const char *impu, mcx_service service, char mc_id[WIRE_MCX_TEXT_MAX + 1],
                      const char **why)
{
    if (!serves(p, service)) {
        *why = "a service that mcx.users does not let this user use";
        return POC_E_DENIED;
    }
    if (!is_called(p, impu)) {
        *why = "a token of somebody whom mcx.users gives another IMPU";
        return POC_E_DENIED;
    }
    memcpy(mc_id, p->id, strlen(p->id) + 1);
    return POC_OK;
}

/** Whom an IMPU alone may stand for. */
static const person *person_of_impu(const mcx_people *people, const char *impu, mcx_service service, bool without_token)
{
    const name *n = impu == NULL ? NULL : (const name *)poc_table_get(&people->by_impu, poc_span_str(impu));
    while (n != NULL && (!serves(n->who, service) || (without_token && n->who->needs_token)))
        n = n->next;
    return n == NULL ? NULL : n->who;
}

static poc_err without_token(const mcx_people *people, const char *impu, mcx_service service,
                             char mc_id[WIRE_MCX_TEXT_MAX + 1], const char **why)
{
    const person *p = person_of_impu(people, impu, service, true);
    *why = "no access token";
    return p == NULL ? POC_E_AUTH : let_in(p, impu, service, mc_id, why);
}

static poc_err by_digest(const mcx_people *people, const char *impu, mcx_service service, const char *token,
                         char mc_id[WIRE_MCX_TEXT_MAX + 1], const char **why)
{
    uint8_t digest[POC_SHA256_LEN];
    POC_TRY(poc_sha256(digest, poc_span_str(token)));
    const person *first = (const person *)poc_table_get(&people->by_token, poc_span_of(digest, sizeof(digest)));
    const person *p = first;
    *why = "an access token of nobody";
    while (p != NULL && !serves(p, service))
        p = p->same_token;
    if (first == NULL)
        return POC_E_AUTH;
    return let_in(p == NULL ? first : p, impu, service, mc_id, why);
}

static poc_err by_claims(const mcx_people *people, const char *impu, mcx_service service, const char *token,
                         int64_t now_s, char mc_id[WIRE_MCX_TEXT_MAX + 1], const char **why)
{
    const mcx_token_rules rules = { people->token_key, people->issuer, people->audience, people->scopes };
    POC_TRY(mcx_token_open(mc_id, &rules, service, token, now_s, why));
    if (!people->is_listed)
        return POC_OK;
    const person *p = (const person *)poc_table_get(&people->by_id, poc_span_str(mc_id));
    *why = "an access token of somebody who is not in mcx.users";
    return p == NULL ? POC_E_DENIED : let_in(p, impu, service, mc_id, why);
}

poc_err mcx_people_authorise(const mcx_people *people, const char *impu, mcx_service service, const char *token,
                             int64_t now_s, char mc_id[WIRE_MCX_TEXT_MAX + 1], const char **why)
{
    const char *unheard = "";
    const char **says = why != NULL ? why : &unheard;
    poc_err err;
    *says = "";
    if (token[0] == '\0')
        err = without_token(people, impu, service, mc_id, says);
    else if (people->token_key != NULL && mcx_token_is_jwt(token))
        err = by_claims(people, impu, service, token, now_s, mc_id, says);
    else
        err = by_digest(people, impu, service, token, mc_id, says);
    if (err == POC_OK)
        *says = "";
    else
        mc_id[0] = '\0';
    return err;
}

bool mcx_people_may_be(const mcx_people *people, const char *impu)
{
    if (!people->is_listed)
        return people->token_key != NULL;
    return people->is_anywhere || poc_table_get(&people->by_impu, poc_span_str(impu)) != NULL;
}

bool mcx_people_known(const mcx_people *people, const char *impu, mcx_service service,
                      char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    const person *p = person_of_impu(people, impu, service, false);
    if (p != NULL)
        memcpy(mc_id, p->id, strlen(p->id) + 1);
    return p != NULL;
}

bool mcx_people_stays(const mcx_people *people, const char *impu, mcx_service service, const char *mc_id)
{
    const person *p = (const person *)poc_table_get(&people->by_id, poc_span_str(mc_id));
    if (!people->is_listed)
        return people->token_key != NULL; /* the token was all that spoke for him */
    return p != NULL && serves(p, service) && is_called(p, impu);
}
