/* pocpfctl as its users have it: the built program, its exit status, and what it prints. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/ctl/runner.h"

static json_t *messages(void **state)
{
    return json_object_get(*state, "mikey_messages");
}

/* The options that open a vector, if it can be opened. */
static const char *opening(const json_t *entry, char out[1024])
{
    const json_t *in = json_object_get(entry, "inputs");
    if (in == NULL)
        return "";
    if (vec_has(in, "MTK"))
        snprintf(out, 1024, "--msk %s --rand %s --csb-id %s", vec_text(in, "MSK"), vec_text(entry, "mikey_rand"),
                 vec_text(entry, "csb_id"));
    else
        snprintf(out, 1024, "--muk %s", vec_text(in, "MUK"));
    return out;
}

static void assert_payloads(const outcome *o, const json_t *entry)
{
    const json_t *want = json_object_get(entry, "payloads"), *got = json_object_get(o->json, "payloads");
    size_t i;
    json_t *p;
    assert_int_equal(json_array_size(got), json_array_size(want));
    json_array_foreach(want, i, p)
    {
        const json_t *g = json_array_get(got, i);
        const char *name = vec_text(p, "name"), *type = vec_text(g, "type");
        assert_memory_equal(name, type, strlen(type));
        if (strcmp(type, "ID") == 0)
            assert_string_equal(vec_text(g, "role"), name);
        if (strcmp(type, "KEMAC") == 0) {
            assert_string_equal(vec_text(g, "encr_data"), vec_text(entry, "encr_data"));
            assert_string_equal(vec_text(g, "mac"), vec_text(entry, "mac"));
        }
    }
}

static void every_vector_is_printed_with_its_fields(void **state)
{
    size_t i;
    json_t *entry;
    assert_int_equal(json_array_size(messages(state)), 15);
    json_array_foreach(messages(state), i, entry)
    {
        const vec_bytes octets = vec_hex(entry, "message");
        const json_t *in = json_object_get(entry, "inputs");
        outcome *o = ctl(vec_span(&octets), "mikey decode");
        assert_int_equal(o->status, 0);
        assert_string_equal(o->err, "");
        assert_int_equal(json_integer_value(json_object_get(o->json, "data_type")), octets.b[1]);
        assert_int_equal(json_is_true(json_object_get(o->json, "v")), octets.b[3] >> 7);
        assert_int_equal(json_integer_value(json_object_get(o->json, "prf")), 0);
        assert_null(json_object_get(o->json, "mac_valid"));
        assert_null(json_object_get(o->json, "keys"));
        assert_payloads(o, entry);
        if (in == NULL)
            continue;
        assert_string_equal(member(o, "csb_id"), vec_text(entry, "csb_id"));
        assert_string_equal(member(o, "key_domain_id"), vec_text(in, "key_domain_id"));
        assert_string_equal(member(o, "msk_id"), vec_text(in, "msk_id"));
        assert_int_equal(json_integer_value(json_object_get(o->json, "counter")),
                         json_integer_value(json_object_get(in, "ts_counter")));
        if (vec_has(in, "MTK")) {
            assert_string_equal(member(o, "mtk_id"), vec_text(in, "mtk_id"));
            assert_true(json_is_null(json_object_get(o->json, "rand")));
        } else {
            assert_true(json_is_null(json_object_get(o->json, "mtk_id")));
            assert_string_equal(member(o, "rand"), vec_text(entry, "mikey_rand"));
            assert_string_equal(member(o, "idi"), vec_text(in, "idi"));
            assert_string_equal(member(o, "idr"), vec_text(in, "idr"));
        }
    }
}

static void assert_key(const json_t *key, const json_t *in)
{
    if (vec_has(in, "MTK")) {
        const bool salted = vec_text(in, "salt")[0] != '\0';
        assert_string_equal(vec_text(key, "type"), salted ? "TEK+SALT" : "TEK");
        assert_string_equal(vec_text(key, "key"), vec_text(in, "MTK"));
        if (salted)
            assert_string_equal(vec_text(key, "salt"), vec_text(in, "salt"));
        else
            assert_true(json_is_null(json_object_get(key, "salt")));
        return;
    }
    assert_string_equal(vec_text(key, "type"), "TGK");
    assert_string_equal(vec_text(key, "key"), vec_text(in, "MSK"));
    assert_int_equal(json_integer_value(json_object_get(key, "seq_low")), strtol(vec_text(in, "SEQl"), NULL, 16));
    assert_int_equal(json_integer_value(json_object_get(key, "seq_high")), strtol(vec_text(in, "SEQu"), NULL, 16));
}

static void right_key_opens_every_vector_that_carries_one(void **state)
{
    size_t i, opened = 0;
    json_t *entry;
    json_array_foreach(messages(state), i, entry)
    {
        char options[1024], words[1200];
        const vec_bytes octets = vec_hex(entry, "message");
        const json_t *in = json_object_get(entry, "inputs");
        if (in == NULL)
            continue;
        snprintf(words, sizeof(words), "mikey decode %s -", opening(entry, options));
        outcome *o = ctl(vec_span(&octets), words);
        const json_t *keys = json_object_get(o->json, "keys");
        const bool pull = strcmp(vec_text(entry, "id"), "solicited-pull") == 0;
        assert_int_equal(o->status, 0);
        assert_true(json_is_true(json_object_get(o->json, "mac_valid")));
        assert_int_equal(json_array_size(keys), pull ? 0 : 1);
        if (!pull)
            assert_key(json_array_get(keys, 0), in);
        opened++;
    }
    assert_int_equal(opened, 11);
}

static void wrong_key_is_told_and_gives_no_keys(void **state)
{
    static const char *const words[] = {
        "mikey decode --muk 0000000000000000000000000000000000000000000000000000000000000000",
        "mikey decode --msk 00000000000000000000000000000000 --rand a0a1a2a3a4a5a6a7a8a9aaabacadaeaf --csb-id 00000000",
    };
    static const char *const ids[] = { "msk-stream", "mtk-stream" };
    for (size_t i = 0; i < POC_COUNT(ids); i++) {
        const vec_bytes octets = vec_hex(vec_by_id(messages(state), ids[i]), "message");
        outcome *o = ctl(vec_span(&octets), words[i]);
        assert_int_equal(o->status, 1);
        assert_true(json_is_false(json_object_get(o->json, "mac_valid")));
        assert_null(json_object_get(o->json, "keys"));
        assert_string_equal(member(o, "msk_id"), "10010001");
    }
}

static void answers_are_checked_with_what_they_do_not_carry(void **state)
{
    static const char *const ids[] = { "msk-empty-map-verification", "msk-stream-verification", "error-invalid-sp" };
    const json_t *in = json_object_get(vec_by_id(messages(state), "msk-empty-map"), "inputs");
    for (size_t i = 0; i < POC_COUNT(ids); i++) {
        char words[1024];
        const vec_bytes octets = vec_hex(vec_by_id(messages(state), ids[i]), "message");
        snprintf(words, sizeof(words), "mikey decode --muk %s --rand a0a1a2a3a4a5a6a7a8a9aaabacadaeaf --idi %s",
                 vec_text(in, "MUK"), vec_text(in, "idi"));
        outcome *o = ctl(vec_span(&octets), words);
        assert_int_equal(o->status, 0);
        assert_true(json_is_true(json_object_get(o->json, "mac_valid")));
        snprintf(words, sizeof(words), "mikey decode --muk %s --rand 00000000000000000000000000000000 --idi 00",
                 vec_text(in, "MUK"));
        o = ctl(vec_span(&octets), words);
        assert_int_equal(o->status, 1);
        snprintf(words, sizeof(words), "mikey decode --muk %s", vec_text(in, "MUK"));
        o = ctl(vec_span(&octets), words);
        assert_int_equal(o->status, 64);
        assert_non_null(strstr(o->err, "--rand is missing"));
    }
}

static void raw_hex_and_base64_are_told_apart(void **state)
{
    const json_t *entry = vec_by_id(messages(state), "msk-sdp");
    const vec_bytes octets = vec_hex(entry, "message");
    const char *base64 = strchr(vec_text(entry, "sdp_attribute_text"), ' ') + 1;
    char wrapped[1024] = " \n";
    const char *hex = vec_text(entry, "message");
    for (size_t at = 0; at < strlen(hex); at += 64)
        sprintf(wrapped + strlen(wrapped), "%.64s\r\n", hex + at);
    char *want = strdup(ctl(vec_span(&octets), "mikey decode")->out);
    assert_string_equal(ctl(poc_span_str(wrapped), "mikey decode")->out, want);
    assert_string_equal(ctl(poc_span_str(base64), "mikey decode")->out, want);
    assert_string_equal(ctl(nothing, "mikey decode tests/fuzz/corpus/mikey/msk-sdp")->out, want);
    free(want);
}

static void malformed_input_is_told_with_offset_and_reason(void **state)
{
    const vec_bytes octets = vec_hex(vec_by_id(messages(state), "msk-empty-map"), "message");
    static const struct {
        const char *input, *line;
    } cases[] = {
        { "0200", "pocpfctl: offset 1: version is not 1\n" },
        { "01", "pocpfctl: offset 1: length exceeds what is left\n" },
        { "0", "pocpfctl: offset 0: text is neither hex nor base64\n" },
        { "", "pocpfctl: offset 0: length exceeds what is left\n" },
        { "AQ=A", "pocpfctl: offset 0: text is neither hex nor base64\n" },
        { "hello, world", "pocpfctl: offset 1: version is not 1\n" },
    };
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        outcome *o = ctl(poc_span_str(cases[i].input), "mikey decode");
        assert_int_equal(o->status, 65);
        assert_string_equal(o->err, cases[i].line);
        assert_string_equal(o->out, "");
    }
    outcome *o = ctl(poc_span_of(octets.b, octets.n - 1), "mikey decode");
    assert_int_equal(o->status, 65);
    assert_string_equal(o->err, "pocpfctl: offset 174: length exceeds what is left\n");
}

static void authentic_but_malformed_key_data_is_malformed_input(void **state)
{
    const vec_bytes octets = vec_hex(vec_by_id(json_object_get(*state, "negative"), "neg-kv-overrun"), "message");
    char words[256];
    snprintf(words, sizeof(words), "mikey decode --muk %s", vec_text(vec_by_id(messages(state), "msk-rekey"), "psk"));
    outcome *o = ctl(vec_span(&octets), words);
    assert_int_equal(o->status, 65);
    assert_non_null(strstr(o->err, "length exceeds what is left"));
    assert_string_equal(o->out, "");
}

static void mistakes_on_the_command_line_are_usage_errors(void **state)
{
    static const struct {
        const char *words, *part;
    } cases[] = {
        { "", "no command" },
        { "statsu", "unknown command 'statsu'" },
        { "mikey", "unknown command 'mikey'" },
        { "mikey encode", "unknown command 'mikey encode'" },
        { "mikey decode --mik 00", "--mik" },
        { "mikey decode a b", "'b'" },
        { "mikey decode --muk", "--muk wants a value" },
        { "mikey decode --muk 00 --muk 00", "--muk stands there twice" },
        { "mikey decode --muk 00 tests/fuzz/corpus/mikey/msk-sdp", "--muk wants 32 octets in hex" },
        { "mikey decode --muk xy tests/fuzz/corpus/mikey/msk-sdp", "--muk wants 32 octets in hex" },
        { "mikey decode --msk 00112233445566778899aabbccddeeff tests/fuzz/corpus/mikey/msk-sdp", "--muk is missing" },
        { "gba derive --ks 00", "--ks wants 32 octets in hex" },
        { "gba milenage --k 00000000000000000000000000000000", "--opc is missing" },
        { "gba milenage --op 00 --opc 00", "not both" },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        outcome *o = ctl(nothing, cases[i].words);
        assert_int_equal(o->status, 64);
        assert_non_null(strstr(o->err, cases[i].part));
        assert_string_equal(o->out, "");
        assert_ptr_equal(strchr(o->err, '\n'), o->err + strlen(o->err) - 1);
    }
    assert_int_equal(ctl(nothing, "mikey decode /nonexistent")->status, 66);
}

static void every_command_has_help(void **state)
{
    static const char *const words[] = { "--help",
                                         "mikey --help",
                                         "mikey decode --help",
                                         "gba derive --help",
                                         "gba milenage --help",
                                         "gba milenage --k 00 --help",
                                         "--json mikey decode --help" };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(words); i++) {
        outcome *o = ctl(nothing, words[i]);
        assert_int_equal(o->status, 0);
        assert_non_null(strstr(o->out, "Usage: pocpfctl"));
        assert_string_equal(o->err, "");
    }
}

/* POC-3 */
static void gba_derive_equals_the_vectors(void **state)
{
    const json_t *list = json_object_get(*state, "gba");
    const json_t *run = vec_by_id(list, "gba-1"), *u = vec_by_id(list, "mbms-keys-gba-u");
    const json_t *me = vec_by_id(list, "mbms-keys-gba-me"), *other = vec_by_id(list, "gba-3-http-digest-ua");
    char base[1024], words[1100];
    snprintf(base, sizeof(base), "gba derive --ks %s --rand %s --impi %s --naf-fqdn pf1.poc.example.org",
             vec_text(run, "Ks"), vec_text(run, "RAND"), vec_text(run, "impi_text"));
    outcome *o = ctl(nothing, base);
    assert_int_equal(o->status, 0);
    assert_string_equal(member(o, "naf_id"), vec_text(run, "naf_id"));
    assert_string_equal(member(o, "ks_naf"), vec_text(run, "Ks_NAF"));
    assert_string_equal(member(o, "ks_int_naf"), vec_text(run, "Ks_int_NAF"));
    assert_string_equal(member(o, "muk"), vec_text(me, "MUK"));
    assert_string_equal(member(o, "mrk"), vec_text(me, "MRK"));
    snprintf(words, sizeof(words), "%s --gba-u", base);
    o = ctl(nothing, words);
    assert_string_equal(member(o, "muk"), vec_text(u, "MUK"));
    assert_string_equal(member(o, "mrk"), vec_text(u, "MRK"));
    snprintf(words, sizeof(words), "%s --ua-id 0100000002", base);
    o = ctl(nothing, words);
    assert_string_equal(member(o, "naf_id"), vec_text(other, "naf_id"));
    assert_string_equal(member(o, "ks_naf"), vec_text(other, "Ks_NAF"));
}

static void gba_milenage_equals_the_published_sets(void **state)
{
    static const char *const names[][2] = { { "opc", "OPc" },    { "mac_a", "f1" },  { "mac_s", "f1star" },
                                            { "res", "f2_RES" }, { "ck", "f3_CK" },  { "ik", "f4_IK" },
                                            { "ak", "f5_AK" },   { "autn", "AUTN" }, { "ak_star", "f5star" } };
    size_t i;
    json_t *set;
    json_array_foreach(json_object_get(*state, "milenage"), i, set)
    {
        char words[2][512];
        snprintf(words[0], sizeof(words[0]), "gba milenage --k %s --op %s --rand %s --sqn %s --amf %s",
                 vec_text(set, "K"), vec_text(set, "OP"), vec_text(set, "RAND"), vec_text(set, "SQN"),
                 vec_text(set, "AMF"));
        snprintf(words[1], sizeof(words[1]), "gba milenage --k %s --opc %s --rand %s --sqn %s --amf %s",
                 vec_text(set, "K"), vec_text(set, "OPc"), vec_text(set, "RAND"), vec_text(set, "SQN"),
                 vec_text(set, "AMF"));
        for (size_t w = 0; w < 2; w++) {
            outcome *o = ctl(nothing, words[w]);
            assert_int_equal(o->status, 0);
            for (size_t k = 0; k < POC_COUNT(names); k++)
                assert_string_equal(member(o, names[k][0]), vec_text(set, names[k][1]));
        }
    }
}

static int vectors_open(void **state)
{
    *state = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    return 0;
}

static int vectors_close(void **state)
{
    ctl_forget();
    json_decref(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_is_printed_with_its_fields),
        cmocka_unit_test(right_key_opens_every_vector_that_carries_one),
        cmocka_unit_test(wrong_key_is_told_and_gives_no_keys),
        cmocka_unit_test(answers_are_checked_with_what_they_do_not_carry),
        cmocka_unit_test(raw_hex_and_base64_are_told_apart),
        cmocka_unit_test(malformed_input_is_told_with_offset_and_reason),
        cmocka_unit_test(authentic_but_malformed_key_data_is_malformed_input),
        cmocka_unit_test(mistakes_on_the_command_line_are_usage_errors),
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(gba_derive_equals_the_vectors),
        cmocka_unit_test(gba_milenage_equals_the_published_sets),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
