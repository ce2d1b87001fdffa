/* What must not get through the service authorisation desk: refused as digest "MIKEY-SAKKE" 3.10 lists it, and nothing kept. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/wire/bureau.h"

#define W136 "136 authentication of the MIKEY-SAKKE I_MESSAGE failed"
#define W101 "101 service authorisation failed"

enum { AT_CSB_ID = 4 };

static uint64_t changes_before;

static void begin(bureau *b)
{
    changes_before = pocpf_changes(b->pf);
    b->did[0] = '\0';
    b->answers = 0;
}

/* Nothing was kept, nothing is to be done, and whoever was registered still is. */
static void expect_untouched(bureau *b)
{
    pocpf_effect fx;
    assert_int_equal(b->answers, 1);
    assert_false(b->answer.is_authorised);
    assert_false(pocpf_poll(b->pf, &fx) && fx.type != POCPF_DO_AUDIT);
    assert_true(pocpf_changes(b->pf) == changes_before);
    bureau_expect(b, "");
}

/* By both ways: a REGISTER goes through, unauthorised; a PUBLISH says it. */
static void expect_refused_by_both(bureau *b, const char *impu, int status, const char *warning)
{
    static const wire_mcx_method methods[] = { WIRE_MCX_REGISTER, WIRE_MCX_PUBLISH };
    for (size_t i = 0; i < POC_COUNT(methods); i++) {
        begin(b);
        bureau_send(b, methods[i], impu, -1);
        expect_untouched(b);
        const int want = methods[i] == WIRE_MCX_REGISTER ? 200 : status;
        if (b->answer.status != want)
            fail_msg("%d: %s", b->answer.status, b->answer.why);
        assert_true(b->answer.why[0] != '\0');
        const char *expected = warning == NULL && want == 200 ? W101 : warning;
        assert_int_equal(b->answer.warning == NULL, expected == NULL);
        if (expected != NULL)
            assert_string_equal(b->answer.warning, expected);
    }
}

static void put_alice(bureau *b, const bureau_key *k)
{
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
}

/* A message that is as the client sent it, but for this. */
static void expect_i_message_refused(bureau *b, const bureau_oddity *odd, const char *why)
{
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), odd);
    put_alice(b, k);
    expect_refused_by_both(b, ALICE_IMPU, 403, W136);
    if (why != NULL)
        assert_string_equal(b->answer.why, why);
    bureau_expect_nothing(b, ALICE_IMPU);
}

/* ---- the message ---- */

static mikey_msg read_again(const bureau_key *k)
{
    mikey_msg msg;
    assert_int_equal(mcx_i_message_read(&msg, poc_span_of(k->octets, k->len), NULL), POC_OK);
    return msg;
}

static void sign_again(bureau *b, bureau_key *k)
{
    const poc_span covered = poc_span_of(k->octets, k->len - MCX_SIGNATURE_LEN);
    assert_int_equal(mcx_sign(k->octets + covered.n, b->o->town->alice.signer, covered, &b->o->rng), POC_OK);
}

/* MCX-19 */
static void a_message_for_another_server_is_refused(void **state)
{
    bureau *b = bureau_open(state);
    expect_i_message_refused(b, &(bureau_oddity){ .server = "mcx.elsewhere.example" }, NULL);
    expect_i_message_refused(b, &(bureau_oddity){ .server = "mcx.elsewhere.example", .hides = true }, NULL);
    expect_i_message_refused(b, &(bureau_oddity){ .server = ALICE_ID }, NULL);
    bureau_close(b);
}

/* MCX-24: 2026-03-01T00:00:00Z begins period 1536; a second before, other keys were in force, of which there are none. */
static void a_message_of_another_period_or_time_is_refused(void **state)
{
    static const int64_t behind_s[] = { 1, 299, 301, 86400, -301, -86400, INT64_C(2592000), INT64_C(-2592000) };
    bureau *b = bureau_open(state);
    for (size_t i = 0; i < POC_COUNT(behind_s); i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        const uint64_t ntp_s = (uint64_t)(b->o->now_ms / 1000 - behind_s[i]) + MCX_NTP_MINUS_UNIX;
        k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
        mikey_msg msg = read_again(k);
        poc_wr ts = poc_wr_into(k->octets + (msg.ts.p - k->octets), 4);
        poc_wr_u32(&ts, (uint32_t)ntp_s);
        sign_again(b, k);
        put_alice(b, k);
        expect_refused_by_both(b, ALICE_IMPU, 403, W136);
        bureau_expect_nothing(b, ALICE_IMPU);
    }
    bureau_close(b);
}

/* MCX-21: the same octets, from whomever and after whatever, bind nothing again. */
static void a_message_that_was_accepted_is_not_accepted_again(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    assert_true(b->answer.is_authorised);
    expect_refused_by_both(b, ALICE_IMPU, 403, W136);
    assert_string_equal(b->answer.why, "repeated message");
    bureau_begin(b);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    put_alice(b, k);
    expect_refused_by_both(b, ALICE_IMPU, 403, W136);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

/* MCX-23 the other way: one bit anywhere in the signature. */
static void an_altered_signature_is_refused(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    for (size_t i = 1; i <= MCX_SIGNATURE_LEN; i += 8) {
        k->octets[k->len - i] ^= 1;
        put_alice(b, k);
        expect_refused_by_both(b, ALICE_IMPU, 403, W136);
        k->octets[k->len - i] ^= 1;
    }
    bureau_expect_nothing(b, ALICE_IMPU);
    put_alice(b, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    assert_true(b->answer.is_authorised); /* the attempts have used nothing up */
    bureau_close(b);
}

static void off_the_curve(uint8_t *sed)
{
    sed[128] ^= 1;
}
static void infinity(uint8_t *sed)
{
    memset(sed, 0, MCX_SAKKE_POINT_LEN);
}
static void of_order_two(uint8_t *sed) /* (0, 0): 0 = 0^3 - 3 * 0 */
{
    memset(sed + 1, 0, MCX_SAKKE_POINT_LEN - 1);
}
static void over_p(uint8_t *sed)
{
    memset(sed + 1, 0xff, MCX_SAKKE_POINT_LEN - 1);
}
static void compressed(uint8_t *sed)
{
    sed[0] = 2;
}
static void wrong_test(uint8_t *sed)
{
    sed[MCX_SAKKE_POINT_LEN + 3] ^= 0x10;
}

/* Signed by their sender, so that the key itself is what is wrong. */
static void a_key_that_was_not_encapsulated_as_it_has_to_be_is_refused(void **state)
{
    static void (*const spoil[])(uint8_t * sed) = { off_the_curve, infinity,   of_order_two,
                                                    over_p,        compressed, wrong_test };
    bureau *b = bureau_open(state);
    for (size_t i = 0; i < POC_COUNT(spoil); i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
        spoil[i](k->octets + (read_again(k).sed.p - k->octets));
        sign_again(b, k);
        put_alice(b, k);
        expect_refused_by_both(b, ALICE_IMPU, 403, W136);
        bureau_expect_nothing(b, ALICE_IMPU);
    }
    bureau_close(b);
}

/* MCX-28: only CSKs come this way; tags from 7 on mean nothing. */
static void a_key_id_with_any_other_purpose_tag_is_refused(void **state)
{
    bureau *b = bureau_open(state);
    for (unsigned tag = 0; tag < 16; tag++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        if (tag == MCX_CSK)
            continue;
        k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
        k->octets[AT_CSB_ID] = (uint8_t)(tag << 4);
        sign_again(b, k);
        put_alice(b, k);
        expect_refused_by_both(b, ALICE_IMPU, 403, W136);
        bureau_expect_nothing(b, ALICE_IMPU);
    }
    bureau_close(b);
}

/* ---- who ---- */

/* MCX-21: bob's key with bob's token from alice's IMPU is bob at her device; with hers, or hers from his, it is nobody. */
static void a_key_binds_nobody_but_its_sender(void **state)
{
    bureau *b = bureau_open(state);
    for (size_t hides = 0; hides < 2; hides++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        k = bureau_seal(b, &b->o->town->bob, CSK(1), &(bureau_oddity){ .hides = hides == 1 });
        bureau_begin(b);
        bureau_put_key(b, k);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, NULL);
        expect_refused_by_both(b, ALICE_IMPU, 403, hides == 1 ? W136 : W101);
        bureau_expect_nothing(b, ALICE_IMPU);
        b->o->now_ms += 1000;
    }
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    expect_refused_by_both(b, BOB_IMPU, 403, W101);
    bureau_expect_nothing(b, BOB_IMPU);
    bureau_close(b);
}

/* MCX-21 */
static void the_register_inside_must_be_of_the_impu_outside(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    bureau_wrap(b, BOB_IMPU);
    begin(b);
    assert_int_equal(bureau_serve(b, WIRE_MCX_REGISTER, ALICE_IMPU, 600), WIRE_MCX_ANSWERED);
    expect_untouched(b);
    assert_string_equal(b->answer.why, "a REGISTER of another public identity");
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_expect_nothing(b, BOB_IMPU);
    bureau_close(b);
}

/* MCX-21: the id of a key belongs to one user, and to one key. */
static void a_key_id_that_is_taken_is_refused(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, bobs, bureau_key_free);
    POC_OWNED(bureau_key, alices, bureau_key_free);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    assert_true(b->answer.is_authorised);
    b->o->now_ms += 1000;
    bobs = bureau_seal(b, &b->o->town->bob, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, bobs);
    bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, bobs);
    expect_refused_by_both(b, BOB_IMPU, 403, W136);
    bureau_expect_nothing(b, BOB_IMPU);
    alices = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, alices);
    expect_refused_by_both(b, ALICE_IMPU, 403, W136);
    bureau_expect_in(b, ALICE_IMPU, "all list");
    bureau_close(b);
}

static void an_outage_of_ours_is_no_refusal(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    b->outage = POC_E_IO;
    begin(b);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    expect_untouched(b);
    assert_int_equal(b->answer.status, 503);
    assert_null(b->answer.warning);
    assert_true(b->answer.retry_after_s > 0);
    bureau_expect_nothing(b, ALICE_IMPU);
    b->outage = POC_OK;
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    assert_true(b->answer.is_authorised);
    bureau_close(b);
}

static void there_are_no_more_users_than_are_allowed(void **state)
{
    bureau *b = bureau_open(state);
    wire_mcx_desk_free(b->d);
    b->rules.users_max = 1;
    assert_int_equal(wire_mcx_desk_new(&b->d, &b->rules, b->pf), POC_OK);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    assert_true(b->answer.is_authorised);
    begin(b);
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(2), BOB_TOKEN);
    expect_untouched(b);
    assert_int_equal(b->answer.status, 503);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(3), ALICE_TOKEN);
    assert_true(b->answer.is_authorised);
    bureau_close(b);
}

/* While the store is slow. */
static void one_client_does_not_queue_up_without_end(void **state)
{
    bureau *b = bureau_open(state);
    b->store_holds = true;
    for (uint32_t i = 1; i <= 4; i++)
        bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(i), ALICE_TOKEN);
    begin(b);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(5), ALICE_TOKEN);
    expect_untouched(b);
    assert_int_equal(b->answer.status, 503);
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(6), BOB_TOKEN);
    b->store_holds = false;
    assert_int_equal(pocpf_persisted(b->pf, b->o->now_ms, true), POCPF_OK);
    bureau_run(b);
    assert_int_equal(b->answers, 6);
    bureau_close(b);
}

/* ---- bodies ---- */

static void serve_octets(bureau *b, wire_mcx_method method, const char *content_type, poc_span octets)
{
    b->content_type = poc_span_str(content_type);
    b->sent = octets;
    begin(b);
    (void)bureau_serve(b, method, ALICE_IMPU, -1);
    bureau_run(b);
}

static bool has_key(const bureau *b)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    return pocpf_csk_look(b->pf, ALICE_IMPU, 0, &csk) == POCPF_OK;
}

/* Wherever a body of several parts is cut, nothing of it counts: until its closing delimiter is whole. */
static void a_multipart_body_cut_anywhere_brings_nothing(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    char type[64];
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    bureau_put(b, "application/poc-settings+xml", poc_span_str("<poc-settings/>"), false);
    bureau_pack(b);
    const poc_span whole = b->sent;
    (void)snprintf(type, sizeof(type), "%.*s", (int)b->content_type.n, (const char *)b->content_type.p);
    for (size_t n = 1; n < whole.n - 2; n++) {
        serve_octets(b, WIRE_MCX_PUBLISH, type, poc_span_of(whole.p, n));
        expect_untouched(b);
        assert_int_equal(b->answer.status, 400);
    }
    bureau_expect_nothing(b, ALICE_IMPU);
    serve_octets(b, WIRE_MCX_PUBLISH, type, whole);
    assert_true(has_key(b));
    bureau_close(b);
}

/* A message alone, as octets or as base64, one octet after the other; base64 that is cut may be base64 of less. */
static void a_key_cut_at_any_octet_brings_nothing(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    uint8_t text[POC_BASE64_LEN(MIKEY_MESSAGE_MAX)];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    b->trusts_sip = true;
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    poc_base64_put(&wr, poc_span_of(k->octets, k->len));
    for (size_t n = 1; n < k->len; n++) {
        serve_octets(b, WIRE_MCX_PUBLISH, "application/mikey", poc_span_of(k->octets, n));
        expect_untouched(b);
        assert_int_equal(b->answer.status, 403);
    }
    for (size_t n = 1; n < wr.len; n++) {
        serve_octets(b, WIRE_MCX_PUBLISH, "application/mikey", poc_span_of(text, n));
        expect_untouched(b);
        assert_true(b->answer.status == 400 || b->answer.status == 403);
    }
    assert_false(has_key(b));
    serve_octets(b, WIRE_MCX_PUBLISH, "application/mikey", poc_span_of(text, wr.len));
    assert_true(has_key(b));
    bureau_close(b);
}

/* A parameter of one test below: a body that differs from a good one in this. */
static void expect_malformed(bureau *b)
{
    expect_refused_by_both(b, ALICE_IMPU, 400, NULL);
    bureau_expect_nothing(b, ALICE_IMPU);
}

static void a_body_that_contradicts_itself_is_malformed(void **state)
{
    static const char foreign[] = "<other xmlns=\"urn:x\"/>";
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    expect_malformed(b); /* two documents of one service */
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put(b, wire_mcx_media_type(WIRE_MCX_INFO, MCX_MCPTT), poc_span_str(foreign), false);
    expect_malformed(b);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put(b, wire_mcx_media_type(WIRE_MCX_INFO, MCX_MCPTT), poc_span_str(""), false);
    expect_malformed(b);
    put_alice(b, k);
    bureau_put(b, "application/poc-settings+xml", poc_span_str("<poc-settings>"), false);
    expect_malformed(b);
    put_alice(b, k);
    bureau_put(b, "application/poc-settings+xml",
               poc_span_str("<!DOCTYPE x [<!ENTITY y \"z\">]><poc-settings>&y;</poc-settings>"), false);
    expect_malformed(b);
    put_alice(b, k);
    bureau_put(b, "application/mikey", poc_span_str("no message"), true);
    expect_malformed(b);
    put_alice(b, k);
    bureau_put_key(b, k);
    bureau_put_key(b, k);
    expect_malformed(b); /* more keys than services */
    bureau_close(b);
}

/* One more than a PUBLISH can be answered for; in a REGISTER the second is the same message twice. */
static void the_same_key_twice_counts_once_and_not_at_all_in_a_publish(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    bureau_put_key(b, k);
    begin(b);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    expect_untouched(b);
    assert_int_equal(b->answer.status, 400);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    assert_true(b->answer.is_authorised && has_key(b));
    assert_string_equal(b->answer.warning, W136);
    bureau_close(b);
}

/* MCX-12 */
static void signatures_that_do_not_hold_refuse_the_key_beside_them(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    POC_OWNED(bureau_key, other, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    other = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    bureau_put_signatures(b, MCX_MCPTT, other);
    expect_refused_by_both(b, ALICE_IMPU, 403, W101);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put(b, "text/plain", poc_span_str("x"), false);
    bureau_put_signatures(b, MCX_MCPTT, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    expect_refused_by_both(b, ALICE_IMPU, 403, W101);
    assert_string_equal(b->answer.why, "signatures that leave out the document");
    put_alice(b, k);
    bureau_put_signatures(b, MCX_MCPTT, k);
    b->parts[1].body = poc_span_of(b->parts[1].body.p, b->parts[1].body.n - 1); /* its last line end */
    expect_refused_by_both(b, ALICE_IMPU, 403, W101);
    put_alice(b, k);
    bureau_put(b, wire_mcx_media_type(WIRE_MCX_SIGNED, MCX_MCVIDEO), poc_span_str("<mcvideo-signed/>"), false);
    expect_malformed(b); /* signatures of a service that is not there are looked at all the same */
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

static void a_token_encrypted_under_another_key_is_refused(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    POC_OWNED(bureau_key, same_id, bureau_key_free);
    POC_OWNED(bureau_key, other, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    same_id = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    other = bureau_seal(b, &b->o->town->alice, CSK(2), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, same_id);
    expect_refused_by_both(b, ALICE_IMPU, 403, W101);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, other);
    expect_refused_by_both(b, ALICE_IMPU, 403, W101);
    bureau_expect_nothing(b, ALICE_IMPU);
    assert_int_equal(b->asked, 0);
    bureau_close(b);
}

static void a_third_party_register_cut_anywhere_brings_nothing(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    bureau_wrap(b, ALICE_IMPU);
    const poc_span whole = b->sent;
    for (size_t n = 1; n < whole.n; n++) {
        serve_octets(b, WIRE_MCX_REGISTER, "message/sip", poc_span_of(whole.p, n));
        expect_untouched(b);
        assert_int_equal(b->answer.status, 200);
    }
    bureau_expect_nothing(b, ALICE_IMPU);
    serve_octets(b, WIRE_MCX_REGISTER, "message/sip", whole);
    assert_true(has_key(b));
    bureau_close(b);
}

/* Who is no core cannot speak for others: what he wraps is not looked into. */
static void a_client_cannot_wrap_a_register_in_its_own(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    put_alice(b, k);
    bureau_wrap(b, ALICE_IMPU);
    const wire_mcx_request request = {
        .method = WIRE_MCX_REGISTER, .impu = ALICE_IMPU, .content_type = b->content_type, .body = b->sent, .where = ""
    };
    assert_int_equal(wire_mcx_desk_serve(b->d, b->o->now_ms, &request, &b->answer), WIRE_MCX_ANSWERED);
    assert_false(b->answer.is_authorised);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

static void a_message_that_reports_nothing_is_malformed(void **state)
{
    static const char *const bodies[] = { "", "<mcptt-mbms-usage-info xmlns=\"urn:3gpp:ns:mcpttMbmsUsage:1.0\"/>",
                                          "x" };
    bureau *b = bureau_open(state);
    for (size_t i = 0; i < POC_COUNT(bodies); i++) {
        serve_octets(b, WIRE_MCX_MESSAGE, wire_mcx_media_type(WIRE_MCX_MBMS_USAGE, MCX_MCPTT), poc_span_str(bodies[i]));
        expect_untouched(b);
        assert_int_equal(b->answer.status, 400);
    }
    serve_octets(b, WIRE_MCX_MESSAGE, "text/plain", poc_span_str("hello"));
    assert_int_equal(b->answer.status, 400);
    bureau_close(b);
}

static void names_that_are_too_long_are_refused(void **state)
{
    bureau *b = bureau_open(state);
    char impu[POC_URI_MAX + 1] = "", where[WIRE_MCX_WHERE_MAX + 1] = "";
    memset(impu, 'a', POC_URI_MAX);
    memset(where, 'a', WIRE_MCX_WHERE_MAX);
    bureau_begin(b);
    bureau_send(b, WIRE_MCX_REGISTER, impu, -1);
    assert_int_equal(b->answer.status, 400);
    b->where = where;
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    assert_int_equal(b->answer.status, 400);
    bureau_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_for_another_server_is_refused),
        cmocka_unit_test(a_message_of_another_period_or_time_is_refused),
        cmocka_unit_test(a_message_that_was_accepted_is_not_accepted_again),
        cmocka_unit_test(an_altered_signature_is_refused),
        cmocka_unit_test(a_key_that_was_not_encapsulated_as_it_has_to_be_is_refused),
        cmocka_unit_test(a_key_id_with_any_other_purpose_tag_is_refused),
        cmocka_unit_test(a_key_binds_nobody_but_its_sender),
        cmocka_unit_test(the_register_inside_must_be_of_the_impu_outside),
        cmocka_unit_test(a_key_id_that_is_taken_is_refused),
        cmocka_unit_test(an_outage_of_ours_is_no_refusal),
        cmocka_unit_test(there_are_no_more_users_than_are_allowed),
        cmocka_unit_test(one_client_does_not_queue_up_without_end),
        cmocka_unit_test(a_multipart_body_cut_anywhere_brings_nothing),
        cmocka_unit_test(a_key_cut_at_any_octet_brings_nothing),
        cmocka_unit_test(a_body_that_contradicts_itself_is_malformed),
        cmocka_unit_test(the_same_key_twice_counts_once_and_not_at_all_in_a_publish),
        cmocka_unit_test(signatures_that_do_not_hold_refuse_the_key_beside_them),
        cmocka_unit_test(a_token_encrypted_under_another_key_is_refused),
        cmocka_unit_test(a_third_party_register_cut_anywhere_brings_nothing),
        cmocka_unit_test(a_client_cannot_wrap_a_register_in_its_own),
        cmocka_unit_test(a_message_that_reports_nothing_is_malformed),
        cmocka_unit_test(names_that_are_too_long_are_refused),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
