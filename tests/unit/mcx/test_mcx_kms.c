/* Documents of a KMS: what ours answers and a client reads, what either refuses. */
#include "tests/unit/mcx/mcx_vectors.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ROOT  "/keymanagement/identity/v1"
#define ALICE "sip:alice@mcptt.example.org"
#define KMS   "kms.example.org"
#define NOW_S 1772323200 /* the first second of period 1536 */

typedef struct bench {
    json_t *vectors;
    poc_secret *z, *ksak;
    mcx_kms *kms;
    mcx_kms_service service;
    char asked[2048], answered[8192]; /* the documents of the last request */
    size_t asked_len, answered_len;
    char keys[8192]; /* what the user is answered to /keyprov: made once, it takes long */
    size_t keys_len;
    mcx_kms_served served;
    mcx_kms_response read;
    const char *why;
} bench;

static int set_up(void **state)
{
    static bench b;
    memset(&b, 0, sizeof(b));
    b.vectors = vec_load(POC_VECTORS "/mikey-sakke.json");
    const json_t *kms = json_object_get(json_object_get(b.vectors, "ts33180_own"), "kms");
    b.z = mcx_secret(kms, "z");
    b.ksak = mcx_secret(kms, "KSAK");
    assert_int_equal(mcx_kms_new(&b.kms, b.z, b.ksak), POC_OK);
    b.service = (mcx_kms_service){ .kms = b.kms,
                                   .kms_uri = poc_span_str(KMS),
                                   .period_s = 2592000,
                                   .root = ROOT,
                                   .cache_number = 7,
                                   .skew_s = MCX_KMS_TIME_SKEW_S,
                                   .periods_ahead = 1,
                                   .rng = &poc_rng_system };
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;
    mcx_kms_response_done(&b->read);
    mcx_kms_free(b->kms);
    poc_secret_free(b->z);
    poc_secret_free(b->ksak);
    json_decref(b->vectors);
    assert_int_equal(poc_secret_live_count(), 0);
    return 0;
}

/* What `user` (as its token proves) is answered to `target` when it asks as `claims` at `then_s`. */
static int ask(bench *b, const char *user, const char *claims, const char *target, int64_t then_s)
{
    char url[1024];
    poc_wr body = poc_wr_into(b->asked, sizeof(b->asked)), out = poc_wr_into(b->answered, sizeof(b->answered));
    assert_true(snprintf(url, sizeof(url), "https://" KMS "%s", target) < (int)sizeof(url));
    const mcx_kms_answer head = { poc_span_str(claims), poc_span_str(KMS), poc_span_str(url), then_s };
    assert_int_equal(mcx_kms_request_put(&body, &head), POC_OK);
    assert_int_equal(mcx_kms_serve(&out, &b->served, &b->service, poc_span_str(user), poc_span_str(target),
                                   poc_span_of(b->asked, body.len), NOW_S),
                     POC_OK);
    b->asked_len = body.len;
    b->answered_len = out.len;
    mcx_kms_response_done(&b->read);
    if (out.len > 0)
        assert_int_equal(mcx_kms_response_read(&b->read, poc_span_of(b->answered, out.len), &b->why), POC_OK);
    return b->served.status;
}

static int ask_as_alice(bench *b, const char *target)
{
    return ask(b, ALICE, ALICE, target, NOW_S);
}

/* The user's keys of this period are the last answer. */
static void ask_for_keys(bench *b)
{
    if (b->keys_len == 0) {
        assert_int_equal(ask_as_alice(b, ROOT "/keyprov"), 200);
        memcpy(b->keys, b->answered, b->answered_len);
        b->keys_len = b->answered_len;
    }
    memcpy(b->answered, b->keys, b->keys_len);
    b->answered_len = b->keys_len;
    mcx_kms_response_done(&b->read);
    assert_int_equal(mcx_kms_response_read(&b->read, poc_span_of(b->answered, b->answered_len), &b->why), POC_OK);
}

static poc_err check(bench *b, const char *path)
{
    const mcx_kms_asked asked = { poc_span_str(ALICE), poc_span_str(KMS), poc_span_str(path), NOW_S,
                                  MCX_KMS_TIME_SKEW_S };
    return mcx_kms_response_check(&b->read, &asked, &b->why);
}

/* ---- a user is provisioned ---- */

/* MCX-20, MCX-24 */
static void a_user_is_provisioned_for_a_period_with_keys_that_hold_under_the_root_certificate(void **state)
{
    bench *b = *state;
    POC_OWNED(mcx_sakke, sakke, mcx_sakke_free);
    POC_OWNED(mcx_receiver, receiver, mcx_receiver_free);
    POC_OWNED(mcx_signer, signer, mcx_signer_free);
    assert_int_equal(ask_as_alice(b, ROOT "/init"), 200);
    assert_int_equal(check(b, ROOT "/init"), POC_OK);
    assert_int_equal(b->read.kind, MCX_KMS_INIT);
    const mcx_kms_certificate certificate = b->read.certificates[0];
    assert_string_equal(certificate.kms_uri, KMS);
    assert_int_equal(certificate.period_s, 2592000);
    assert_true(poc_span_eq(mcx_kms_kpak(b->kms), poc_span_of(certificate.kpak, sizeof(certificate.kpak))));

    ask_for_keys(b);
    assert_int_equal(check(b, ROOT "/keyprov"), POC_OK);
    assert_int_equal(b->read.kind, MCX_KMS_KEYS);
    assert_int_equal(b->read.set_count, 1);
    const mcx_kms_key_set *set = &b->read.sets[0];
    assert_int_equal(mcx_kms_key_set_check(set, &certificate, &b->why), POC_OK);
    assert_int_equal(set->period_number, 1536);
    assert_int_equal(set->valid_from_s, NOW_S);
    assert_int_equal(set->valid_to_s, NOW_S + 2592000);
    const poc_span uid = poc_span_of(set->uid, sizeof(set->uid));
    assert_int_equal(mcx_sakke_new(&sakke, certificate.z), POC_OK);
    assert_int_equal(mcx_receiver_new(&receiver, uid, sakke, set->keys.rsk), POC_OK);
    assert_int_equal(mcx_signer_new(&signer, certificate.kpak, uid, set->keys.ssk, set->keys.pvt), POC_OK);
}

static void the_rsk_of_the_vectors_is_given_out_again(void **state)
{
    bench *b = *state;
    const json_t *client =
        json_object_get(json_object_get(json_object_get(b->vectors, "ts33180_own"), "identities"), "client");
    const vec_bytes rsk = vec_hex(client, "RSK"), uid = vec_hex(client, "uid");
    ask_for_keys(b);
    assert_memory_equal(b->read.sets[0].uid, uid.b, MCX_UID_LEN);
    assert_memory_equal(poc_secret_bytes(b->read.sets[0].keys.rsk), rsk.b, MCX_SAKKE_POINT_LEN);
}

static void keys_of_a_named_period_are_given_out_one_ahead_and_no_further(void **state)
{
    static const struct {
        int64_t ahead_s;
        int status;
        uint64_t number;
    } rows[] = {
        { 0, 200, 1536 }, { 2592000, 200, 1537 }, { 2 * 2592000, 403, 0 }, { -1, 200, 1535 }, { -2592001, 403, 0 }
    };
    bench *b = *state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        char path[512];
        poc_wr wr = poc_wr_into(path, sizeof(path));
        const uint64_t ntp_s = (uint64_t)(NOW_S + rows[i].ahead_s) + MCX_NTP_MINUS_UNIX;
        mcx_kms_key_path_put(&wr, ROOT, poc_span_str(ALICE), ntp_s << 32);
        assert_int_equal(poc_wr_text(&wr), POC_OK);
        assert_int_equal(ask_as_alice(b, path), rows[i].status);
        if (rows[i].status == 200)
            assert_int_equal(b->read.sets[0].period_number, rows[i].number);
        else
            assert_int_equal(b->read.kind, MCX_KMS_ERROR);
    }
    assert_int_equal(ask_as_alice(b, ROOT "/keyprov/sip%3Aalice%40mcptt.example.org/ED4E"), 404);
}

static void certificates_are_given_out_unless_the_client_holds_them_already(void **state)
{
    bench *b = *state;
    assert_int_equal(ask_as_alice(b, ROOT "/certcache"), 200);
    assert_int_equal(b->read.kind, MCX_KMS_CACHE);
    assert_int_equal(b->read.certificate_count, 1);
    assert_int_equal(b->read.cache_number, 7);
    assert_int_equal(ask_as_alice(b, ROOT "/certcache/6"), 200);
    assert_int_equal(b->read.certificate_count, 1);
    assert_int_equal(ask_as_alice(b, ROOT "/certcache/7"), 200);
    assert_int_equal(b->read.certificate_count, 0);
    assert_int_equal(ask_as_alice(b, ROOT "/cert/kms%2Eexample.org"), 200);
    assert_int_equal(b->read.certificate_count, 1);
}

static void what_a_kms_does_not_have_or_does_not_give_is_refused_with_an_error(void **state)
{
    static const struct {
        const char *user, *claims, *target;
        int64_t then_s;
        int status;
    } rows[] = {
        { ALICE, ALICE, ROOT "/nothing", NOW_S, 404 },
        { ALICE, ALICE, "/elsewhere/init", NOW_S, 404 },
        { ALICE, ALICE, ROOT "/init/more", NOW_S, 404 },
        { ALICE, ALICE, ROOT "/certcache/seven", NOW_S, 404 },
        { ALICE, ALICE, ROOT "/cert/kms.example.net", NOW_S, 404 },
        { ALICE, ALICE, ROOT "/cert/%zz", NOW_S, 404 },
        { ALICE, ALICE, ROOT "/keyprov/sip%3Abob%40mcptt.example.org", NOW_S, 403 },
        { ALICE, "sip:bob@mcptt.example.org", ROOT "/keyprov", NOW_S, 403 },
        { "sip:mallory@mcptt.example.org", ALICE, ROOT "/keyprov", NOW_S, 403 },
        { ALICE, ALICE, ROOT "/init", NOW_S + 31, 403 },
        { ALICE, ALICE, ROOT "/init", NOW_S - 31, 403 },
    };
    bench *b = *state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        assert_int_equal(ask(b, rows[i].user, rows[i].claims, rows[i].target, rows[i].then_s), rows[i].status);
        assert_int_equal(b->read.kind, MCX_KMS_ERROR);
        assert_int_equal(b->read.error_code, rows[i].status);
        assert_string_equal(b->read.error_message, b->served.why);
        assert_int_equal(b->read.set_count, 0);
    }
}

static void a_body_that_is_no_request_gets_400_and_no_document(void **state)
{
    static const char *const bodies[] = {
        "", "<KmsRequest xmlns=\"urn:3gpp:ns:mcsecKMSInterface:1.0\"/>",
        "<KmsRequest><UserUri>a</UserUri></KmsRequest>",
        "<KmsRequest xmlns=\"urn:3gpp:ns:mcsecKMSInterface:1.0\"><UserUri>a</UserUri><UserUri>a</UserUri></KmsRequest>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><KmsRequest xmlns=\"urn:3gpp:ns:mcsecKMSInterface:1.0\"/>"
    };
    bench *b = *state;
    for (size_t i = 0; i < POC_COUNT(bodies); i++) {
        poc_wr out = poc_wr_into(b->answered, sizeof(b->answered));
        assert_int_equal(mcx_kms_serve(&out, &b->served, &b->service, poc_span_str(ALICE), poc_span_str(ROOT "/init"),
                                       poc_span_str(bodies[i]), NOW_S),
                         POC_OK);
        assert_int_equal(b->served.status, 400);
        assert_true(b->served.why[0] != '\0');
        assert_int_equal(out.len, 0);
    }
}

/* ---- an answer is checked ---- */

static void an_answer_to_something_else_is_not_taken(void **state)
{
    bench *b = *state;
    assert_int_equal(ask_as_alice(b, ROOT "/init"), 200);
    const mcx_kms_asked good = { poc_span_str(ALICE), poc_span_str(KMS), poc_span_str(ROOT "/init"), NOW_S, 30 };
    assert_int_equal(mcx_kms_response_check(&b->read, &good, &b->why), POC_OK);
    mcx_kms_asked a = good;
    a.user_uri = poc_span_str("sip:bob@mcptt.example.org");
    assert_int_equal(mcx_kms_response_check(&b->read, &a, &b->why), POC_E_AUTH);
    a = good;
    a.kms_uri = poc_span_str("kms.example.net");
    assert_int_equal(mcx_kms_response_check(&b->read, &a, &b->why), POC_E_AUTH);
    a = good;
    a.path = poc_span_str(ROOT "/keyprov");
    assert_int_equal(mcx_kms_response_check(&b->read, &a, &b->why), POC_E_AUTH);
    a = good;
    a.now_s += 31;
    assert_int_equal(mcx_kms_response_check(&b->read, &a, &b->why), POC_E_AUTH);
    a.now_s -= 62;
    assert_int_equal(mcx_kms_response_check(&b->read, &a, &b->why), POC_E_AUTH);
    assert_int_equal(ask_as_alice(b, ROOT "/nothing"), 404);
    assert_int_equal(check(b, ROOT "/nothing"), POC_E_DENIED);
}

static void keys_of_another_user_period_or_kms_are_not_taken(void **state)
{
    bench *b = *state;
    assert_int_equal(ask_as_alice(b, ROOT "/init"), 200);
    mcx_kms_certificate certificate = b->read.certificates[0];
    ask_for_keys(b);
    mcx_kms_key_set *set = &b->read.sets[0];
    set->period_number++;
    assert_int_equal(mcx_kms_key_set_check(set, &certificate, &b->why), POC_E_AUTH);
    set->period_number--;
    set->user_uri[4] = 'A';
    assert_int_equal(mcx_kms_key_set_check(set, &certificate, &b->why), POC_E_AUTH);
    set->user_uri[4] = 'a';
    certificate.kms_uri[0] = 'K';
    assert_int_equal(mcx_kms_key_set_check(set, &certificate, &b->why), POC_E_AUTH);
    certificate.kms_uri[0] = 'k';
    assert_int_equal(mcx_kms_key_set_check(set, &certificate, &b->why), POC_OK);
    certificate.is_revoked = true;
    assert_int_equal(mcx_kms_key_set_check(set, &certificate, &b->why), POC_E_DENIED);
}

/* ---- a document is read ---- */

/* The last answer with `from` (which is there) replaced by `to`. */
static poc_err read_with(bench *b, const char *from, const char *to)
{
    static char text[32768];
    char *at;
    b->answered[b->answered_len] = '\0';
    at = strstr(b->answered, from);
    assert_non_null(at);
    const size_t before = (size_t)(at - b->answered);
    assert_true(snprintf(text, sizeof(text), "%.*s%s%s", (int)before, b->answered, to, at + strlen(from)) <
                (int)sizeof(text));
    mcx_kms_response_done(&b->read);
    return mcx_kms_response_read(&b->read, poc_span_str(text), &b->why);
}

static void dates_are_read_in_every_form_of_xsd(void **state)
{
    static const struct {
        const char *text;
        int64_t unix_s;
    } rows[] = {
        { "2026-03-01T00:00:00", NOW_S },
        { "2026-03-01T00:00:00.125Z", NOW_S },
        { "2026-03-01T01:30:00+01:30", NOW_S },
        { "2026-02-28T16:00:00.5-08:00", NOW_S },
        { "2026-03-01", -1 },
        { "2026-03-01T00:00:00+1:00", -1 },
        { "2026-03-01T00:00:00+15:00", -1 },
        { "2026-03-01T00:00:00.x", -1 },
        { "yesterday", -1 },
    };
    bench *b = *state;
    assert_int_equal(ask_as_alice(b, ROOT "/init"), 200);
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        const poc_err err = read_with(b, "2026-03-01T00:00:00Z", rows[i].text);
        assert_int_equal(err, rows[i].unix_s < 0 ? POC_E_INPUT : POC_OK);
        if (err == POC_OK)
            assert_int_equal(b->read.time_s, rows[i].unix_s);
    }
}

static void a_user_id_is_read_in_base64_and_in_hex_of_both_cases(void **state)
{
    static const char upper[] = "FBEFB88E9A7943144DCB18D16ED526AEE3A7D7B814331ED5ECF0E3A00D4E4ED9";
    static const char lower[] = "fbefb88e9a7943144dcb18d16ed526aee3a7d7b814331ed5ecf0e3a00d4e4ed9";
    bench *b = *state;
    char own[64];
    poc_wr wr = poc_wr_into(own, sizeof(own));
    uint8_t uid[MCX_UID_LEN];
    assert_int_equal(poc_hex_get_exact(uid, sizeof(uid), poc_span_str(upper)), POC_OK);
    poc_base64_put(&wr, poc_span_of(uid, sizeof(uid)));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    ask_for_keys(b);
    assert_memory_equal(b->read.sets[0].uid, uid, sizeof(uid));
    assert_int_equal(read_with(b, own, upper), POC_OK);
    assert_memory_equal(b->read.sets[0].uid, uid, sizeof(uid));
    assert_int_equal(read_with(b, own, lower), POC_OK);
    assert_memory_equal(b->read.sets[0].uid, uid, sizeof(uid));
    assert_int_equal(read_with(b, own, "AAAA"), POC_E_INPUT);
}

static void keys_are_read_in_hex_of_both_cases(void **state)
{
    bench *b = *state;
    ask_for_keys(b);
    uint8_t rsk[MCX_SAKKE_POINT_LEN];
    memcpy(rsk, poc_secret_bytes(b->read.sets[0].keys.rsk), sizeof(rsk));
    b->answered[b->answered_len] = '\0';
    char *at = strstr(b->answered, "KeyContentType\">") + strlen("KeyContentType\">");
    for (; *at != '<'; at++)
        *at = (char)(*at >= 'a' ? *at - 'a' + 'A' : *at);
    assert_int_equal(read_with(b, KMS, KMS), POC_OK);
    assert_memory_equal(poc_secret_bytes(b->read.sets[0].keys.rsk), rsk, sizeof(rsk));
}

static void a_key_set_that_is_not_whole_leaves_no_key(void **state)
{
    static const struct {
        const char *from, *to;
        poc_err err;
    } rows[] = {
        { "<UserDecryptKey xsi:type=\"KeyContentType\">04", "<UserDecryptKey>", POC_E_INPUT },
        { "<UserDecryptKey xsi:type=\"KeyContentType\">", "<UserDecryptKey>zz", POC_E_INPUT },
        { "<UserSigningKeySSK xsi:type=\"KeyContentType\">", "<UserSigningKeySSK>00", POC_E_INPUT },
        { "</KmsKeySet>", "", POC_E_INPUT },
        { "<KeyPeriodNo>1536</KeyPeriodNo>", "", POC_E_INPUT },
        { "<KeyPeriodNo>1536</KeyPeriodNo>", "<KeyPeriodNo>-1</KeyPeriodNo>", POC_E_INPUT },
        { "<KeyPeriodNo>1536</KeyPeriodNo>", "<KeyPeriodNo>1536</KeyPeriodNo><KeyPeriodNo>1536</KeyPeriodNo>",
          POC_E_INPUT },
        { "</KmsKeyProv>", "<KmsKeySet/></KmsKeyProv>", POC_E_INPUT },
        { "</KmsMessage>", "<KmsInit/></KmsMessage>", POC_E_INPUT },
        { "</KmsMessage>", "</KmsMessage><KmsError><ErrorCode>1</ErrorCode></KmsError>", POC_E_INPUT },
        { "urn:3gpp:ns:mcsecKMSInterface:1.0", "urn:other", POC_E_INPUT },
        { "Version=\"1.1.0\">", "Version=\"1.1.0\"><x:a xmlns:x=\"urn:x\">1<x:b/></x:a>", POC_OK },
    };
    bench *b = *state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        ask_for_keys(b);
        assert_int_equal(read_with(b, rows[i].from, rows[i].to), rows[i].err);
        assert_int_equal(b->why[0] == '\0', rows[i].err == POC_OK);
        if (rows[i].err != POC_OK)
            assert_int_equal(b->read.set_count, 0);
    }
}

static void more_key_sets_or_certificates_than_there_is_room_for_are_refused(void **state)
{
    static const struct {
        const char *name;
        size_t max;
    } rows[] = { { "KmsKeySet", MCX_KMS_SETS_MAX }, { "KmsCertificate", MCX_KMS_CERTIFICATES_MAX } };
    bench *b = *state;
    for (size_t i = 0; i < 2 * POC_COUNT(rows); i++) {
        static char more[16384];
        char open[32], close[32];
        const char *name = rows[i / 2].name;
        const size_t times = rows[i / 2].max - 1 + i % 2;
        if (i / 2 == 0)
            ask_for_keys(b);
        else
            assert_int_equal(ask_as_alice(b, ROOT "/certcache"), 200);
        b->answered[b->answered_len] = '\0';
        (void)snprintf(open, sizeof(open), "<%s ", name);
        (void)snprintf(close, sizeof(close), "</%s>", name);
        const char *from = strstr(b->answered, open), *to = strstr(b->answered, close) + strlen(close);
        poc_wr wr = poc_wr_into(more, sizeof(more));
        poc_wr_fmt(&wr, "%s", close);
        for (size_t k = 0; k < times; k++)
            poc_wr_put(&wr, from, (size_t)(to - from));
        assert_int_equal(poc_wr_text(&wr), POC_OK);
        assert_int_equal(read_with(b, close, more), i % 2 == 0 ? POC_OK : POC_E_LIMIT);
    }
}

static void a_certificate_that_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        { "<UserIdFormat>2</UserIdFormat>", "<UserIdFormat>1</UserIdFormat>" },
        { "<ParameterSet>1</ParameterSet>", "<ParameterSet>2</ParameterSet>" },
        { "<UserKeyPeriod>2592000</UserKeyPeriod>", "<UserKeyPeriod>0</UserKeyPeriod>" },
        { "<UserKeyOffset>0</UserKeyOffset>", "<UserKeyOffset>2592000</UserKeyOffset>" },
        { "<PubEncKey>04", "<PubEncKey>" },
        { "Role=\"Root\"", "Role=\"Other\"" },
        { "Role=\"Root\"", "Role=\"External\"" },
        { "Role=\"Root\"", "" },
        { "Role=\"Root\"", "Role=\"Root\" IsSecurityGateway=\"maybe\"" },
    };
    bench *b = *state;
    assert_int_equal(ask_as_alice(b, ROOT "/init"), 200);
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        assert_int_equal(read_with(b, rows[i].from, rows[i].to), POC_E_INPUT);
    assert_int_equal(read_with(b, "Role=\"Root\"", "Role=\"Root\" IsSecurityGateway=\"true\""), POC_OK);
    assert_true(b->read.certificates[0].is_security_gateway);
}

static void a_signed_certificate_is_read_as_its_certificate(void **state)
{
    bench *b = *state;
    char *open;
    assert_int_equal(ask_as_alice(b, ROOT "/certcache"), 200);
    b->answered[b->answered_len] = '\0';
    open = strstr(b->answered, "<KmsCertificate ");
    assert_non_null(open);
    memmove(open + strlen("<SignedKmsCertificate>"), open, strlen(open) + 1);
    memcpy(open, "<SignedKmsCertificate>", strlen("<SignedKmsCertificate>"));
    b->answered_len += strlen("<SignedKmsCertificate>");
    assert_int_equal(
        read_with(b, "</KmsCertificate>",
                  "</KmsCertificate><Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignatureValue>"
                  "AA==</SignatureValue></Signature></SignedKmsCertificate>"),
        POC_OK);
    assert_int_equal(b->read.certificate_count, 1);
    assert_string_equal(b->read.certificates[0].kms_uri, KMS);
}

static void a_request_is_read_as_it_was_written(void **state)
{
    bench *b = *state;
    static mcx_kms_request r;
    assert_int_equal(ask(b, ALICE, "sip:a&b<c>@example.org", ROOT "/init", NOW_S), 403);
    assert_int_equal(mcx_kms_request_read(&r, poc_span_of(b->asked, b->asked_len), &b->why), POC_OK);
    assert_string_equal(r.user_uri, "sip:a&b<c>@example.org");
    assert_string_equal(r.kms_uri, KMS);
    assert_string_equal(r.request_url, "https://" KMS ROOT "/init");
    assert_string_equal(r.client_id, "");
    assert_int_equal(r.time_s, NOW_S);
}

/* ---- the secrets of a KMS as text ---- */

static void master_secrets_are_read_as_they_were_written(void **state)
{
    const bench *b = *state;
    char text[1024];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    mcx_kms_master master = { .kms_uri = KMS, .period_s = 3600, .offset_s = 1800, .z = b->z, .ksak = b->ksak }, read;
    assert_int_equal(mcx_kms_master_put(&wr, &master), POC_OK);
    assert_int_equal(mcx_kms_master_read(&read, poc_span_of(text, wr.len)), POC_OK);
    assert_string_equal(read.kms_uri, KMS);
    assert_int_equal(read.period_s, 3600);
    assert_int_equal(read.offset_s, 1800);
    assert_true(poc_secret_eq(read.z, b->z));
    assert_true(poc_secret_eq(read.ksak, b->ksak));
    mcx_kms_master_done(&read);
    for (size_t n = 0; n + 1 < wr.len; n++) /* the last octet is a line end, without which it is the same text */
        assert_int_equal(mcx_kms_master_read(&read, poc_span_of(text, n)), POC_E_INPUT);
    wr = poc_wr_into(text, wr.len - 1);
    assert_int_equal(mcx_kms_master_put(&wr, &master), POC_E_LIMIT);
}

static void a_text_that_is_no_master_secret_leaves_nothing(void **state)
{
    static const char *const lines[] = {
        "period_s 3600\n", "kms_uri b\n",
        "kms_uri \n",      "kms_uri a b\n",
        "period_s 59\n",   "period_s -1\n",
        "offset_s 3600\n", "offset_s x\n",
        "z 00\n",          "ksak \n",
        "colour blue\n",   "\n",
        "period_s\n",      "period_s 99999999999\n",
    };
    const bench *b = *state;
    char text[2048], line[128];
    const mcx_kms_master master = { .kms_uri = KMS, .period_s = 3600, .offset_s = 1800, .z = b->z, .ksak = b->ksak };
    for (size_t i = 0; i < POC_COUNT(lines); i++) {
        mcx_kms_master read;
        poc_wr wr = poc_wr_into(text, sizeof(text));
        assert_int_equal(mcx_kms_master_put(&wr, &master), POC_OK);
        (void)snprintf(line, sizeof(line), "%s", lines[i]);
        poc_wr_put(&wr, line, strlen(line)); /* once too much, or not a line of ours at all */
        const size_t live = poc_secret_live_count();
        assert_int_equal(mcx_kms_master_read(&read, poc_span_of(text, wr.len)), POC_E_INPUT);
        assert_null(read.z);
        assert_null(read.ksak);
        assert_int_equal(poc_secret_live_count(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_provisioned_for_a_period_with_keys_that_hold_under_the_root_certificate),
        cmocka_unit_test(the_rsk_of_the_vectors_is_given_out_again),
        cmocka_unit_test(keys_of_a_named_period_are_given_out_one_ahead_and_no_further),
        cmocka_unit_test(certificates_are_given_out_unless_the_client_holds_them_already),
        cmocka_unit_test(what_a_kms_does_not_have_or_does_not_give_is_refused_with_an_error),
        cmocka_unit_test(a_body_that_is_no_request_gets_400_and_no_document),
        cmocka_unit_test(an_answer_to_something_else_is_not_taken),
        cmocka_unit_test(keys_of_another_user_period_or_kms_are_not_taken),
        cmocka_unit_test(dates_are_read_in_every_form_of_xsd),
        cmocka_unit_test(a_user_id_is_read_in_base64_and_in_hex_of_both_cases),
        cmocka_unit_test(keys_are_read_in_hex_of_both_cases),
        cmocka_unit_test(a_key_set_that_is_not_whole_leaves_no_key),
        cmocka_unit_test(more_key_sets_or_certificates_than_there_is_room_for_are_refused),
        cmocka_unit_test(a_certificate_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_signed_certificate_is_read_as_its_certificate),
        cmocka_unit_test(master_secrets_are_read_as_they_were_written),
        cmocka_unit_test(a_text_that_is_no_master_secret_leaves_nothing),
        cmocka_unit_test(a_request_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
