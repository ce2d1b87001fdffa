/* Who is authorised for mission critical services: the file of users with its errors, and access tokens of both kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/mcx_people.h"
#include "tests/unit/io/mcx_tokens.h"

#define NOW_S  INT64_C(1900000000)
#define DIGEST "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90" /* of "alice" */
#define OTHER  "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9" /* of "bob" */

static const char users[] =
    "users = (\n"
    "  { id = \"sip:alice@mc.example\"; impus = [ \"sip:Alice@IMS.example\", \"tel:+1234\" ]; token_sha256 = \"" DIGEST
    "\"; },\n"
    "  { id = \"sip:alice-video@mc.example\"; impus = [ \"sip:Alice@IMS.example\" ]; services = [ \"mcvideo\" ]; token_sha256 = \"" DIGEST
    "\"; },\n"
    "  { id = \"sip:bob@mc.example\"; impus = [ \"sip:bob@ims.example\" ]; needs_token = false; },\n"
    "  { id = \"sip:carol@mc.example\"; services = [ \"mcptt\", \"mcvideo\" ]; token_sha256 = \"" OTHER "\"; }\n"
    ");\n";

static char folder[] = "/tmp/pocpf-people-XXXXXX";

static void file_write(char path[256], const char *name, const char *text)
{
    (void)snprintf(path, 256, "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

typedef struct rules {
    const char *users, *key, *issuer, *audience; /* texts; NULL: none */
    const char *scope[2];
} rules;

static poc_err people_of(mcx_people **out, const rules *r, char why[CONFIG_WHY_MAX])
{
    static char nothing[] = "";
    char users_path[256] = "", key_path[256] = "", *scopes[2];
    config c = { 0 };
    if (r->users != NULL)
        file_write(users_path, "users.cfg", r->users);
    if (r->key != NULL)
        file_write(key_path, "key.pem", r->key);
    c.mcx.users = users_path;
    c.mcx.token_key = key_path;
    c.mcx.token_issuer = r->issuer == NULL ? nothing : (char *)(uintptr_t)r->issuer;
    c.mcx.token_audience = r->audience == NULL ? nothing : (char *)(uintptr_t)r->audience;
    while (c.mcx.token_scopes.count < POC_COUNT(scopes) && r->scope[c.mcx.token_scopes.count] != NULL) {
        scopes[c.mcx.token_scopes.count] = (char *)(uintptr_t)r->scope[c.mcx.token_scopes.count];
        c.mcx.token_scopes.count++;
    }
    c.mcx.token_scopes.item = scopes;
    why[0] = '\0';
    return mcx_people_new(out, &c, why);
}

static mcx_people *good(const rules *r)
{
    mcx_people *people;
    char why[CONFIG_WHY_MAX];
    if (people_of(&people, r, why) != POC_OK)
        fail_msg("%s", why);
    return people;
}

static mcx_people *of_file(void)
{
    const rules r = { .users = users };
    return good(&r);
}

static void expect(const mcx_people *people, const char *impu, mcx_service service, const char *token, const char *id)
{
    char mc_id[WIRE_MCX_TEXT_MAX + 1] = "x";
    const char *why = NULL;
    const poc_err err = mcx_people_authorise(people, impu, service, token, NOW_S, mc_id, &why);
    if (err != POC_OK)
        fail_msg("%s: %s", poc_err_name(err), why);
    assert_string_equal(mc_id, id);
    assert_string_equal(why, "");
}

static void refuse(const mcx_people *people, const char *impu, mcx_service service, const char *token, poc_err err,
                   const char *says)
{
    char mc_id[WIRE_MCX_TEXT_MAX + 1] = "x";
    const char *why = NULL;
    assert_int_equal(mcx_people_authorise(people, impu, service, token, NOW_S, mc_id, &why), err);
    if (strstr(why, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, says);
    assert_string_equal(mc_id, "");
}

/* MCX-20, MCX-21: who is behind a key is who the authorisation says. */
static void a_token_stands_for_the_user_whose_digest_is_in_the_file(void **state)
{
    (void)state;
    mcx_people *p = of_file();
    assert_int_equal(mcx_people_count(p), 4);
    expect(p, "sip:Alice@ims.example", MCX_MCPTT, "alice", "sip:alice@mc.example");
    expect(p, "tel:+1234", MCX_MCPTT, "alice", "sip:alice@mc.example");
    expect(p, NULL, MCX_MCPTT, "alice", "sip:alice@mc.example"); /* at the KMS nobody says who he is to SIP */
    expect(p, "sip:whoever@x", MCX_MCPTT, "bob", "sip:carol@mc.example");
    refuse(p, "sip:Alice@ims.example", MCX_MCPTT, "alicf", POC_E_AUTH, "an access token of nobody");
    refuse(p, "sip:Alice@ims.example", MCX_MCPTT, DIGEST, POC_E_AUTH, "an access token of nobody");
    mcx_people_free(p);
}

static void one_token_stands_for_one_id_in_each_service(void **state)
{
    (void)state;
    mcx_people *p = of_file();
    expect(p, "sip:Alice@ims.example", MCX_MCVIDEO, "alice", "sip:alice-video@mc.example");
    expect(p, "sip:x@y", MCX_MCVIDEO, "bob", "sip:carol@mc.example");
    mcx_people_free(p);
}

static void the_token_of_another_impu_is_denied(void **state)
{
    (void)state;
    mcx_people *p = of_file();
    refuse(p, "sip:bob@ims.example", MCX_MCPTT, "alice", POC_E_DENIED, "another IMPU");
    refuse(p, "sip:alice@ims.example", MCX_MCPTT, "alice", POC_E_DENIED, "another IMPU"); /* user parts have a case */
    mcx_people_free(p);
}

static void without_a_token_only_who_needs_none_is_let_in(void **state)
{
    (void)state;
    mcx_people *p = of_file();
    expect(p, "sip:bob@ims.example", MCX_MCPTT, "", "sip:bob@mc.example");
    refuse(p, "sip:bob@ims.example", MCX_MCVIDEO, "", POC_E_AUTH, "no access token");
    refuse(p, "sip:Alice@ims.example", MCX_MCPTT, "", POC_E_AUTH, "no access token");
    refuse(p, "sip:whoever@x", MCX_MCPTT, "", POC_E_AUTH, "no access token");
    refuse(p, NULL, MCX_MCPTT, "", POC_E_AUTH, "no access token");
    mcx_people_free(p);
}

static void who_might_be_behind_an_impu_is_known_and_proves_nothing(void **state)
{
    (void)state;
    char mc_id[WIRE_MCX_TEXT_MAX + 1];
    mcx_people *p = of_file();
    assert_true(mcx_people_known(p, "sip:Alice@ims.example", MCX_MCVIDEO, mc_id));
    assert_string_equal(mc_id, "sip:alice-video@mc.example");
    assert_false(mcx_people_known(p, "sip:nobody@ims.example", MCX_MCPTT, mc_id));
    mcx_people_free(p);
}

/* Who has registered once comes again without a token. */
static void who_is_in_the_file_no_more_may_not_stay(void **state)
{
    (void)state;
    mcx_people *p = of_file();
    assert_true(mcx_people_stays(p, "sip:Alice@ims.example", MCX_MCPTT, "sip:alice@mc.example"));
    assert_false(mcx_people_stays(p, "sip:Alice@ims.example", MCX_MCVIDEO, "sip:alice@mc.example"));
    assert_false(mcx_people_stays(p, "sip:bob@ims.example", MCX_MCPTT, "sip:alice@mc.example"));
    assert_false(mcx_people_stays(p, "sip:Alice@ims.example", MCX_MCPTT, "sip:dave@mc.example"));
    assert_true(mcx_people_stays(p, "sip:whoever@x", MCX_MCVIDEO, "sip:carol@mc.example"));
    mcx_people_free(p);
    p = good(&(rules){ .key = RSA_KEY });
    assert_true(mcx_people_stays(p, "sip:whoever@x", MCX_MCVIDEO, "sip:whoever@mc.example"));
    mcx_people_free(p);
    p = good(&(rules){ .key = NULL });
    assert_false(mcx_people_stays(p, "sip:whoever@x", MCX_MCPTT, "sip:whoever@mc.example"));
    mcx_people_free(p);
}

static void a_signed_token_says_who_it_is_in_each_service(void **state)
{
    (void)state;
    static const char *const keys[] = { RSA_KEY, P256_KEY }, *const tokens[] = { TOKEN_RS256, TOKEN_ES256 };
    for (size_t i = 0; i < POC_COUNT(keys); i++) {
        const rules r = { .key = keys[i], .issuer = "https://idm.example", .audience = "mcx.example" };
        mcx_people *p = good(&r);
        expect(p, "sip:whoever@ims.example", MCX_MCPTT, tokens[i], "sip:alice@mc.example");
        expect(p, NULL, MCX_MCVIDEO, tokens[i], "sip:alice-video@mc.example");
        refuse(p, NULL, MCX_MCPTT, tokens[1 - i], POC_E_AUTH, "signature does not hold");
        mcx_people_free(p);
    }
}

typedef struct bad_token {
    const char *token, *says;
    poc_err err;
} bad_token;

static void a_token_that_does_not_hold_in_all_its_parts_is_refused(void **state)
{
    (void)state;
    static const bad_token bad[] = {
        { TOKEN_OVER, "is over", POC_E_AUTH },
        { TOKEN_NO_EXP, "is over, or does not say when", POC_E_AUTH },
        { TOKEN_EARLY, "a time to come", POC_E_AUTH },
        { TOKEN_OTHER_ISS, "another issuer", POC_E_AUTH },
        { TOKEN_OTHER_AUD, "for somebody else", POC_E_AUTH },
        { TOKEN_NO_ID, "without an id", POC_E_DENIED },
        { TOKEN_NONE, "", POC_E_AUTH },
        /* The public key as the secret of an HMAC: whoever knows the key could make it. */
        { TOKEN_HS256, "not signed with RS256 or ES256", POC_E_AUTH },
        { "a.b.c", "signature does not hold", POC_E_AUTH },
        { "..", "signature does not hold", POC_E_AUTH },
        { "a.b", "an access token of nobody", POC_E_AUTH },
    };
    const rules r = { .key = P256_KEY, .issuer = "https://idm.example", .audience = "mcx.example" };
    mcx_people *p = good(&r);
    expect(p, NULL, MCX_MCPTT, TOKEN_AUD_TEXT, "sip:alice@mc.example");
    for (size_t i = 0; i < POC_COUNT(bad); i++)
        refuse(p, NULL, MCX_MCPTT, bad[i].token, bad[i].err, bad[i].says);
    mcx_people_free(p);
}

/* TS 33.180 B.2: an ID token says who somebody is as well, and is seen by more. */
static void a_token_of_another_scope_is_refused(void **state)
{
    (void)state;
    rules r = { .key = FRESH_KEY, .scope = { "3gpp:mc:video_service", "3gpp:mc:ptt_service" } };
    mcx_people *p = good(&r);
    expect(p, NULL, MCX_MCPTT, TOKEN_SCOPE, "sip:alice@mc.example");
    expect(p, NULL, MCX_MCPTT, TOKEN_SCOPE_TEXT, "sip:alice@mc.example");
    refuse(p, NULL, MCX_MCPTT, TOKEN_FRESH, POC_E_AUTH, "without the scope of this service");
    mcx_people_free(p);
    r = (rules){ .key = FRESH_KEY, .scope = { "3gpp:mc:ptt_servic" } };
    p = good(&r);
    refuse(p, NULL, MCX_MCPTT, TOKEN_SCOPE, POC_E_AUTH, "without the scope of this service");
    refuse(p, NULL, MCX_MCPTT, TOKEN_SCOPE_TEXT, POC_E_AUTH, "without the scope of this service");
    mcx_people_free(p);
}

/* What two readers may read differently, or what a reader has to know of, is not let in though its signature holds. */
static void a_signed_token_that_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const bad_token bad[] = {
        { TOKEN_TWICE_ID, "a name twice", POC_E_AUTH },  { TOKEN_TWICE_EXP, "a name twice", POC_E_AUTH },
        { TOKEN_TWICE_ALG, "a name twice", POC_E_AUTH }, { TOKEN_BEHIND, "not JSON", POC_E_AUTH },
        { TOKEN_CRIT, "an extension", POC_E_AUTH },      { TOKEN_ID_SPACE, "without an id", POC_E_DENIED },
    };
    const rules r = { .key = FRESH_KEY };
    mcx_people *p = good(&r);
    expect(p, NULL, MCX_MCPTT, TOKEN_FRESH, "sip:alice@mc.example");
    for (size_t i = 0; i < POC_COUNT(bad); i++)
        refuse(p, NULL, MCX_MCPTT, bad[i].token, bad[i].err, bad[i].says);
    mcx_people_free(p);
}

static void any_octet_of_a_signed_token_changes_everything(void **state)
{
    (void)state;
    char token[] = TOKEN_ES256, mc_id[WIRE_MCX_TEXT_MAX + 1];
    const rules r = { .key = P256_KEY };
    mcx_people *p = good(&r);
    for (size_t i = 0; i + 1 < sizeof(token) - 1; i++) { /* the last letter has bits that mean nothing */
        const char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(mcx_people_authorise(p, NULL, MCX_MCPTT, token, NOW_S, mc_id, NULL), POC_OK);
        token[i] = was;
    }
    mcx_people_free(p);
}

static void a_file_of_users_bounds_what_signed_tokens_may(void **state)
{
    (void)state;
    const rules r = { .users = users, .key = P256_KEY };
    mcx_people *p = good(&r);
    expect(p, "sip:Alice@ims.example", MCX_MCPTT, TOKEN_ES256, "sip:alice@mc.example");
    refuse(p, "sip:bob@ims.example", MCX_MCPTT, TOKEN_ES256, POC_E_DENIED, "another IMPU");
    refuse(p, "sip:Alice@ims.example", MCX_MCPTT, TOKEN_MALLORY, POC_E_DENIED, "not in mcx.users");
    expect(p, "sip:Alice@ims.example", MCX_MCPTT, "alice", "sip:alice@mc.example"); /* both kinds */
    mcx_people_free(p);
}

enum { MANY = 30000, LINE_LEN = 256 };

/* As many as a region may have. */
static void a_file_with_very_many_users_is_read(void **state)
{
    (void)state;
    char *text = (char *)malloc((size_t)MANY * LINE_LEN);
    assert_non_null(text);
    size_t n = (size_t)snprintf(text, LINE_LEN, "users = (\n");
    for (unsigned i = 0; i < MANY; i++)
        n += (size_t)snprintf(text + n, LINE_LEN,
                              "%s{ id = \"sip:user%u@mcptt.example.org\"; impus = [ \"sip:user%u@ims.example.org\" ]; "
                              "token_sha256 = \"%064x\"; }\n",
                              i == 0 ? "" : ",", i, i, i);
    (void)snprintf(text + n, LINE_LEN, ");\n");
    const rules r = { .users = text };
    mcx_people *p = good(&r);
    assert_int_equal(mcx_people_count(p), MANY);
    assert_true(mcx_people_stays(p, "sip:user29999@ims.example.org", MCX_MCPTT, "sip:user29999@mcptt.example.org"));
    mcx_people_free(p);
    free(text);
}

typedef struct bad_file {
    const char *text;
    int line;
    const char *says;
} bad_file;

static void every_bad_file_of_users_is_refused_with_its_line(void **state)
{
    (void)state;
    static const bad_file bad[] = {
        { "", 1, "a list \"users\" is missing" },
        { "users = 3;", 1, "a list \"users\" is missing" },
        { "users = ( 3 );", 1, "users must be a list of groups" },
        { "users = (\n{ id = \"a b\"; } );", 2, "without spaces" },
        { "users = (\n{ } );", 2, "users.id must be" },
        { "users = (\n{ id = \"a\";\ntoken = \"secret\"; } );", 3, "users.token is not known" },
        { "users = ( { id = \"a\"; impus = [ \"bob\" ]; } );", 1, "element 1 is not a SIP URI" },
        { "users = ( { id = \"a\"; impus = [ ]; } );", 1, "users.impus must be a list of 1 to 8" },
        { "users = ( { id = \"a\"; services = [ \"mcdata\" ]; } );", 1, "takes \"mcptt\" and \"mcvideo\"" },
        { "users = ( { id = \"a\"; services = [ ]; } );", 1, "users.services is empty" },
        { "users = ( { id = \"a\";\ntoken_sha256 = \"secret\"; } );", 2, "must be 64 hex digits" },
        { "users = ( { id = \"a\"; needs_token = 1; } );", 1, "must be true or false" },
        { "users = ( { id = \"a\"; needs_token = false; } );", 1, "impus as the only proof" },
        { "users = ( { id = \"a\"; },\n{ id = \"a\"; } );", 2, "stands in the list already" },
        { "users = (", 1, "syntax error" },
    };
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        mcx_people *p = (mcx_people *)1;
        char why[CONFIG_WHY_MAX], place[300];
        const rules r = { .users = bad[i].text };
        (void)snprintf(place, sizeof(place), "%s/users.cfg:%d: ", folder, bad[i].line);
        assert_int_equal(people_of(&p, &r, why), POC_E_INPUT);
        assert_null(p);
        if (strncmp(why, place, strlen(place)) != 0 || strstr(why, bad[i].says) == NULL)
            fail_msg("case %zu: wanted \"%s...%s\", got \"%s\"", i, place, bad[i].says, why);
        assert_null(strstr(why, "secret"));
    }
}

static void a_key_that_checks_no_signature_is_refused(void **state)
{
    (void)state;
    static const char *const keys[] = { "", "secret", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" };
    for (size_t i = 0; i < POC_COUNT(keys); i++) {
        mcx_people *p;
        char why[CONFIG_WHY_MAX];
        const rules r = { .key = keys[i] };
        assert_int_equal(people_of(&p, &r, why), POC_E_INPUT);
        assert_non_null(strstr(why, "key.pem: mcx.token_key must be a public key in PEM"));
    }
}

/* It is asked before anything dear is done for him. */
static void nobody_might_be_behind_an_impu_when_everybody_has_others(void **state)
{
    static const char named[] =
        "users = ( { id = \"sip:alice@mc.example\"; impus = [ \"sip:Alice@IMS.example\", \"tel:+1234\" ]; } );";
    (void)state;
    POC_OWNED(mcx_people, of_some, mcx_people_free);
    POC_OWNED(mcx_people, of_any, mcx_people_free);
    POC_OWNED(mcx_people, signed_ones, mcx_people_free);
    POC_OWNED(mcx_people, none, mcx_people_free);
    of_some = good(&(rules){ .users = named, .key = RSA_KEY });
    assert_true(mcx_people_may_be(of_some, "sip:Alice@ims.example"));
    assert_true(mcx_people_may_be(of_some, "tel:+1234"));
    assert_false(mcx_people_may_be(of_some, "sip:bob@ims.example"));
    of_any = of_file(); /* carol has any */
    assert_true(mcx_people_may_be(of_any, "sip:dave@ims.example"));
    signed_ones = good(&(rules){ .key = RSA_KEY });
    assert_true(mcx_people_may_be(signed_ones, "sip:dave@ims.example"));
    none = good(&(rules){ .users = NULL });
    assert_false(mcx_people_may_be(none, "sip:alice@ims.example"));
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char path[256];
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/users.cfg", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/key.pem", folder);
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_stands_for_the_user_whose_digest_is_in_the_file),
        cmocka_unit_test(one_token_stands_for_one_id_in_each_service),
        cmocka_unit_test(the_token_of_another_impu_is_denied),
        cmocka_unit_test(without_a_token_only_who_needs_none_is_let_in),
        cmocka_unit_test(who_might_be_behind_an_impu_is_known_and_proves_nothing),
        cmocka_unit_test(nobody_might_be_behind_an_impu_when_everybody_has_others),
        cmocka_unit_test(who_is_in_the_file_no_more_may_not_stay),
        cmocka_unit_test(a_signed_token_says_who_it_is_in_each_service),
        cmocka_unit_test(a_token_that_does_not_hold_in_all_its_parts_is_refused),
        cmocka_unit_test(a_token_of_another_scope_is_refused),
        cmocka_unit_test(a_signed_token_that_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(any_octet_of_a_signed_token_changes_everything),
        cmocka_unit_test(a_file_with_very_many_users_is_read),
        cmocka_unit_test(a_file_of_users_bounds_what_signed_tokens_may),
        cmocka_unit_test(every_bad_file_of_users_is_refused_with_its_line),
        cmocka_unit_test(a_key_that_checks_no_signature_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
