/* pocpfctl with the keys of mission critical services: I_MESSAGEs looked into, and a KMS in a folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/unit/ctl/runner.h"

static const json_t *member_of(const json_t *list, const char *name, const char *value)
{
    const char *key;
    json_t *entry;
    size_t i;
    if (json_is_object(list)) {
        json_object_foreach((json_t *)(uintptr_t)list, key, entry)
        {
            if (strcmp(vec_text(entry, name), value) == 0)
                return entry;
        }
        return NULL;
    }
    json_array_foreach(list, i, entry)
    {
        if (strcmp(vec_text(entry, name), value) == 0)
            return entry;
    }
    return NULL;
}

static vec_bytes octets_of(const json_t *message)
{
    vec_bytes v;
    if (vec_has(message, "message"))
        return vec_hex(message, "message");
    assert_int_equal(poc_base64_get(v.b, sizeof(v.b), &v.n, poc_span_str(vec_text(message, "message_base64"))), POC_OK);
    return v;
}

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* The options that open `message`; `rsk_of` names whose RSK. */
static const char *words_for(const json_t *family, const char *rsk_of)
{
    static char words[4096];
    const json_t *kms = json_object_get(family, "kms");
    const json_t *who = member_of(json_object_get(family, "identities"), "uri", rsk_of);
    assert_non_null(who);
    snprintf(words, sizeof(words),
             "mikey decode --sakke-rsk %s --sakke-z %s --eccsi-kpak %s --kms-uri %s --period %d --period-length %d "
             "--period-offset %d",
             vec_text(who, "RSK"), vec_text(kms, "PubEncKey"), vec_text(kms, "PubAuthKey"), vec_text(kms, "kms_uri"),
             (int)(vec_has(who, "key_period_no") ? number(who, "key_period_no") : number(kms, "key_period_no")),
             (int)number(kms, "user_key_period"), (int)number(kms, "user_key_offset"));
    return words;
}

static void assert_opened(const outcome *o, const json_t *message)
{
    const json_t *key = json_array_get(json_object_get(o->json, "keys"), 0);
    char want[65];
    const vec_bytes k = vec_hex(message, "key"), rand = vec_hex(message, "rand");
    poc_wr wr = poc_wr_into(want, sizeof(want));
    poc_hex_put(&wr, vec_span(&k));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_int_equal(o->status, 0);
    assert_string_equal(o->err, "");
    assert_true(json_is_true(json_object_get(o->json, "signature_valid")));
    assert_string_equal(vec_text(key, "key"), want);
    wr.len = 0;
    poc_hex_put(&wr, vec_span(&rand));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(member(o, "rand"), want);
    assert_int_equal(json_is_object(json_object_get(o->json, "key_parameters")),
                     vec_has(message, "key_parameters") || strcmp(vec_text(key, "type"), "GMK") == 0);
}

/* MCX-22, MCX-23 */
static void every_i_message_of_the_vectors_is_checked_and_opened(void **state)
{
    static const char *const names[] = { "ts33180_own", "field_messages" };
    size_t i, opened = 0;
    json_t *message;
    for (size_t f = 0; f < POC_COUNT(names); f++) {
        const json_t *family = json_object_get(*state, names[f]);
        json_array_foreach(json_object_get(family, "messages"), i, message)
        {
            const vec_bytes octets = octets_of(message);
            assert_opened(ctl(vec_span(&octets), words_for(family, vec_text(message, "receiver"))), message);
            opened++;
        }
    }
    assert_int_equal(opened, 9);
}

static const json_t *own(void **state, const char *name)
{
    return member_of(json_object_get(json_object_get(*state, "ts33180_own"), "messages"), "name", name);
}

static void without_keys_an_i_message_shows_what_stands_in_it(void **state)
{
    const vec_bytes octets = octets_of(own(state, "musik_download_group"));
    const outcome *o = ctl(vec_span(&octets), "mikey decode");
    const json_t *payloads = json_object_get(o->json, "payloads");
    static const char *const types[] = { "HDR", "T", "RAND", "IDR", "IDR", "IDR", "IDR", "SP", "SAKKE", "EXT", "SIGN" };
    assert_int_equal(o->status, 0);
    assert_int_equal(number(o->json, "data_type"), 26);
    assert_int_equal(number(o->json, "prf"), 1);
    assert_string_equal(member(o, "csb_id"), "6abcdef0");
    assert_string_equal(member(o, "timestamp"), "ed4e000000000000");
    assert_string_equal(member(o, "timestamp_utc"), "2026-03-01T00:00:00Z");
    assert_string_equal(member(o, "idkmsi"), "6b6d732e6578616d706c652e6f7267");
    assert_string_equal(member(o, "idkmsr"), "6b6d732e6578616d706c652e6f7267");
    assert_null(json_object_get(o->json, "signature_valid"));
    assert_null(json_object_get(o->json, "keys"));
    assert_int_equal(json_array_size(payloads), POC_COUNT(types));
    for (size_t i = 0; i < POC_COUNT(types); i++)
        assert_string_equal(vec_text(json_array_get(payloads, i), "type"), types[i]);
    assert_string_equal(vec_text(json_array_get(payloads, 3), "text"), "mcx.example.org");
    const json_t *map = json_object_get(json_array_get(payloads, 0), "map");
    assert_string_equal(vec_text(json_array_get(map, 0), "spi"), "6abcdef0");
}

static void key_parameters_are_printed_in_their_parts(void **state)
{
    const json_t *message = own(state, "musik_download_group");
    const vec_bytes octets = octets_of(message);
    const outcome *o =
        ctl(vec_span(&octets), words_for(json_object_get(*state, "ts33180_own"), vec_text(message, "receiver")));
    const json_t *p = json_object_get(o->json, "key_parameters");
    assert_string_equal(vec_text(p, "key_type"), "MuSiK");
    assert_string_equal(vec_text(p, "text"), "fire ground");
    assert_true(json_is_false(json_object_get(p, "revoked")));
    assert_int_equal(number(p, "activation"), 1772323200);
    assert_int_equal(number(p, "expiry"), 1772409600);
    assert_string_equal(json_string_value(json_array_get(json_object_get(p, "groups"), 0)),
                        "sip:group1@mcptt.example.org");
}

static void the_signature_alone_can_be_checked(void **state)
{
    const json_t *kms = json_object_get(json_object_get(*state, "ts33180_own"), "kms");
    vec_bytes octets = octets_of(own(state, "csk_upload_minimal"));
    char words[512];
    snprintf(words, sizeof(words), "mikey decode --eccsi-kpak %s", vec_text(kms, "PubAuthKey"));
    const outcome *o = ctl(vec_span(&octets), words);
    assert_int_equal(o->status, 0);
    assert_true(json_is_true(json_object_get(o->json, "signature_valid")));
    assert_null(json_object_get(o->json, "keys"));
    octets.b[octets.n - MIKEY_SIGNATURE_LEN + 40] ^= 1;
    o = ctl(vec_span(&octets), words);
    assert_int_equal(o->status, 1);
    assert_true(json_is_false(json_object_get(o->json, "signature_valid")));
    assert_non_null(strstr(o->err, "signature does not hold"));
}

static void a_wrong_period_or_rsk_is_told_and_gives_no_keys(void **state)
{
    const json_t *family = json_object_get(*state, "ts33180_own");
    const vec_bytes octets = octets_of(own(state, "csk_upload_minimal"));
    const outcome *o = ctl(vec_span(&octets), words_for(family, "sip:alice@mcptt.example.org"));
    assert_int_equal(o->status, 1);
    assert_true(json_is_true(json_object_get(o->json, "signature_valid")));
    assert_null(json_object_get(o->json, "keys"));
    assert_non_null(strstr(o->err, "--sakke-rsk is not a key of IDRr"));
    char words[4096];
    snprintf(words, sizeof(words), "%s", words_for(family, "mcx.example.org"));
    char *period = strstr(words, "--period 1536");
    assert_non_null(period);
    memcpy(period, "--period 1535", 13);
    o = ctl(vec_span(&octets), words);
    assert_int_equal(o->status, 1);
    assert_true(json_is_false(json_object_get(o->json, "signature_valid")));
    assert_null(json_object_get(o->json, "keys"));
}

static void malformed_i_messages_and_options_are_told(void **state)
{
    const vec_bytes octets = octets_of(own(state, "csk_upload_minimal"));
    const outcome *o = ctl(poc_span_of(octets.b, octets.n - 1), "mikey decode");
    assert_int_equal(o->status, 65);
    assert_string_equal(o->err, "pocpfctl: offset 410: length exceeds what is left\n");
    o = ctl(vec_span(&octets), "mikey decode --sakke-rsk 00");
    assert_int_equal(o->status, 64);
    assert_string_equal(o->err, "pocpfctl: --eccsi-kpak is missing\n");
    o = ctl(vec_span(&octets), "mikey decode --eccsi-kpak 0400");
    assert_int_equal(o->status, 64);
    assert_string_equal(o->err, "pocpfctl: --eccsi-kpak wants 65 octets in hex\n");
    o = ctl(vec_span(&octets), "mikey decode --muk 00");
    assert_int_equal(o->status, 64);
}

/* ---- a KMS in a folder ---- */

static char folder[64], path[512];

static const char *in_folder(const char *words)
{
    static char all[1024];
    snprintf(all, sizeof(all), "%s %s/kms", words, folder);
    return all;
}

static mode_t mode_of(const char *file)
{
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    return st.st_mode & 0777;
}

static void file_read(char *out, size_t cap, const char *file)
{
    FILE *f = fopen(file, "rb");
    assert_non_null(f);
    const size_t n = fread(out, 1, cap - 1, f);
    out[n] = '\0';
    (void)fclose(f);
}

/* What stands between <NAME...> and </NAME>. */
static const char *element(const char *xml, const char *name)
{
    static char value[1024];
    char open[64];
    snprintf(open, sizeof(open), "<%s", name);
    const char *at = strstr(xml, open);
    assert_non_null(at);
    at = strchr(at, '>') + 1;
    const size_t n = strcspn(at, "<");
    assert_true(n < sizeof(value));
    memcpy(value, at, n);
    value[n] = '\0';
    return value;
}

/* MCX-20 */
static void a_kms_gives_a_user_keys_that_only_the_owner_can_read(void **state)
{
    char xml[8192];
    (void)state;
    outcome *o = ctl(nothing, in_folder("mcx kms-init --kms-uri kms.test.example --period-length 86400"));
    assert_string_equal(o->err, "");
    assert_int_equal(o->status, 0);
    file_read(xml, sizeof(xml), member(o, "file"));
    assert_string_equal(element(xml, "KmsUri"), "kms.test.example");
    assert_string_equal(element(xml, "UserKeyPeriod"), "86400");
    assert_string_equal(element(xml, "UserIdFormat"), "2");
    assert_string_equal(element(xml, "PubEncKey"), member(o, "pub_enc_key"));
    assert_string_equal(element(xml, "PubAuthKey"), member(o, "pub_auth_key"));
    snprintf(path, sizeof(path), "%s/kms/kms.secret", folder);
    assert_int_equal(mode_of(path), 0600);

    o = ctl(nothing, in_folder("mcx kms-keys --user sip:a&b@test.example --period 40000"));
    assert_string_equal(o->err, "");
    assert_int_equal(o->status, 0);
    assert_int_equal(mode_of(member(o, "file")), 0600);
    file_read(xml, sizeof(xml), member(o, "file"));
    assert_non_null(strstr(xml, "<UserUri>sip:a&amp;b@test.example</UserUri>"));
    assert_string_equal(element(xml, "KeyPeriodNo"), "40000");
    assert_int_equal(strlen(element(xml, "UserDecryptKey")), 514);
    assert_int_equal(strlen(element(xml, "UserSigningKeySSK")), 64);
    assert_null(strstr(o->out, element(xml, "UserSigningKeySSK")));
    assert_null(strstr(o->out, element(xml, "UserDecryptKey")));
}

static void a_kms_that_is_there_is_not_overwritten(void **state)
{
    char before[2048], after[2048];
    (void)state;
    snprintf(path, sizeof(path), "%s/kms/kms.secret", folder);
    file_read(before, sizeof(before), path);
    const outcome *o = ctl(nothing, in_folder("mcx kms-init --kms-uri kms.test.example"));
    assert_int_equal(o->status, 73);
    file_read(after, sizeof(after), path);
    assert_string_equal(before, after);
}

static void secrets_that_others_can_read_are_refused(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "%s/kms/kms.secret", folder);
    assert_int_equal(chmod(path, 0640), 0);
    const outcome *o = ctl(nothing, in_folder("mcx kms-keys --user sip:c@test.example"));
    assert_int_equal(o->status, 66);
    assert_non_null(strstr(o->err, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(ctl(nothing, in_folder("mcx kms-keys --user sip:c@test.example"))->status, 0);
}

static void mistakes_with_a_kms_are_usage_errors(void **state)
{
    static const struct {
        const char *words, *part;
        int status;
    } cases[] = {
        { "mcx kms-init /nonexistent", "--kms-uri is missing", 64 },
        { "mcx kms-init --kms-uri k", "the folder is missing", 64 },
        { "mcx kms-init --kms-uri k --period-length 5 /nonexistent", "--period-length wants at least 60", 64 },
        { "mcx kms-init --kms-uri k --period-length 60 --period-offset 60 /x", "--period-length wants", 64 },
        { "mcx kms-init --kms-uri k --period-length x /x", "--period-length wants a decimal number", 64 },
        { "mcx kms-keys /nonexistent", "--user is missing", 64 },
        { "mcx kms-keys --user u", "the folder is missing", 64 },
        { "mcx kms-keys --user u /nonexistent", "/nonexistent/kms.secret: No such file", 66 },
        { "mcx kms-init --kms-uri k /proc/none", "/proc/none", 73 },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        const outcome *o = ctl(nothing, cases[i].words);
        assert_int_equal(o->status, cases[i].status);
        assert_non_null(strstr(o->err, cases[i].part));
        assert_string_equal(o->out, "");
    }
}

static void a_damaged_secret_file_is_malformed_input(void **state)
{
    char text[2048];
    (void)state;
    snprintf(path, sizeof(path), "%s/kms/kms.secret", folder);
    file_read(text, sizeof(text), path);
    for (size_t n = 0; n + 1 < strlen(text); n += 37) {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, n, f), n);
        (void)fclose(f);
        const outcome *o = ctl(nothing, in_folder("mcx kms-keys --user sip:d@test.example"));
        assert_int_equal(o->status, 65);
    }
}

static rlim_t core_limit(pid_t pid)
{
    struct rlimit limit;
    assert_int_equal(prlimit(pid, RLIMIT_CORE, NULL, &limit), 0);
    return limit.rlim_max;
}

/* The tools hold keys: what they are given, and what they make. */
static void a_tool_leaves_no_core_dump(void **state)
{
    int ends[2], status;
    (void)state;
    if (core_limit(0) == 0)
        skip();
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (dup2(ends[0], 0) < 0 || close(ends[1]) != 0)
            _exit(99);
        execl(POCPFCTL, POCPFCTL, "mikey", "decode", (char *)NULL);
        _exit(99);
    }
    for (int tries = 0; core_limit(pid) != 0; tries++) {
        assert_true(tries < 6000);
        (void)poll(NULL, 0, 10);
    }
    (void)close(ends[0]);
    (void)close(ends[1]); /* it has waited for a message */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 65);
}

static int setup(void **state)
{
    strcpy(folder, "/tmp/test_ctl_mcx.XXXXXX");
    assert_non_null(mkdtemp(folder));
    *state = vec_load(POC_VECTORS "/mikey-sakke.json");
    return 0;
}

static int teardown(void **state)
{
    char words[128];
    snprintf(words, sizeof(words), "rm -r '%s'", folder);
    ctl_forget();
    json_decref(*state);
    return system(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_i_message_of_the_vectors_is_checked_and_opened),
        cmocka_unit_test(without_keys_an_i_message_shows_what_stands_in_it),
        cmocka_unit_test(key_parameters_are_printed_in_their_parts),
        cmocka_unit_test(the_signature_alone_can_be_checked),
        cmocka_unit_test(a_wrong_period_or_rsk_is_told_and_gives_no_keys),
        cmocka_unit_test(malformed_i_messages_and_options_are_told),
        cmocka_unit_test(a_kms_gives_a_user_keys_that_only_the_owner_can_read),
        cmocka_unit_test(a_kms_that_is_there_is_not_overwritten),
        cmocka_unit_test(secrets_that_others_can_read_are_refused),
        cmocka_unit_test(mistakes_with_a_kms_are_usage_errors),
        cmocka_unit_test(a_damaged_secret_file_is_malformed_input),
        cmocka_unit_test(a_tool_leaves_no_core_dump),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
