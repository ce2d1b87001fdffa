/* The service authorisation desk: what brings a CSK, and who is authorised by it for which service. */
#include <string.h>

#include "base/text.h"
#include "tests/unit/wire/bureau.h"

/* ---- a key ---- */

/* MCX-5, MCX-11, MCX-17, MCX-19, MCX-21 */
static void a_register_with_a_key_is_answered_when_it_is_durable_and_his_musiks_follow(void **state)
{
    bureau *b = bureau_open(state);
    b->store_holds = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    assert_int_equal(b->answers, 0);
    assert_true(b->answer.number > 0);
    bureau_expect_in(b, ALICE_IMPU, "");
    b->store_holds = false;
    assert_int_equal(pocpf_persisted(b->pf, b->o->now_ms, true), POCPF_OK);
    bureau_run(b);
    assert_int_equal(b->answers, 1);
    bureau_expect_answer(b, 200, true, NULL);
    assert_int_equal(b->answer.csk_id, CSK(1));
    assert_int_equal(b->answer.expires_s, BUREAU_EXPIRES_S);
    assert_string_equal(b->answer.impu, ALICE_IMPU);
    const wire_mcx_user u = bureau_look(b, ALICE_IMPU, MCX_MCPTT);
    assert_string_equal(u.mc_id, ALICE_ID);
    assert_string_equal(u.where, BUREAU_WHERE);
    assert_int_equal(u.services, WIRE_MCX_SERVICE_BIT(MCX_MCPTT));
    bureau_expect_in(b, ALICE_IMPU, "all list");
    bureau_expect(b, "BOUND:20000001 alice@ims.example:all alice@ims.example:list ");
    bureau_close(b);
}

/* MCX-12: in whatever order the parts stand, the key is found first, and what it encrypts and signs is checked with it. */
static void the_parts_of_a_body_may_stand_in_any_order(void **state)
{
    static const int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    bureau *b = bureau_open(state);
    for (uint32_t i = 0; i < POC_COUNT(orders); i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        poc_part parts[3];
        k = bureau_seal_later(b, &b->o->town->alice, CSK(i + 1), NULL);
        bureau_begin(b);
        bureau_put_key(b, k);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
        bureau_put_signatures(b, MCX_MCPTT, k);
        for (size_t j = 0; j < 3; j++)
            parts[j] = b->parts[orders[i][j]];
        memcpy(b->parts, parts, sizeof(parts));
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        bureau_expect_answer(b, 200, true, NULL);
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(i + 1));
    }
    bureau_close(b);
}

/* MCX-5 */
static void a_publish_with_settings_brings_a_key_too_and_its_settings_may_be_empty(void **state)
{
    static const char *const settings[] = { "", "<poc-settings xmlns=\"urn:oma:xml:poc:poc-settings\"/>" };
    bureau *b = bureau_open(state);
    for (uint32_t i = 0; i < POC_COUNT(settings); i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        k = bureau_seal_later(b, &b->o->town->alice, CSK(i + 1), NULL);
        bureau_begin(b);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, NULL);
        bureau_put(b, "application/poc-settings+xml", poc_span_str(settings[i]), false);
        bureau_put(b, "Application/MIKEY", poc_span_of(k->octets, k->len), false);
        bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, 120);
        bureau_expect_answer(b, 200, true, NULL);
        assert_int_equal(b->answer.expires_s, 120);
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(i + 1));
    }
    bureau_close(b);
}

/* MCX-17: behind an IMS core the REGISTER of the client stands in that of the core, alone or beside the answer to it. */
static void a_third_party_register_brings_what_the_client_registered_with(void **state)
{
    static const char answer[] = "SIP/2.0 200 OK\r\nTo: <" ALICE_IMPU ">\r\nContent-Length: 0\r\n\r\n";
    bureau *b = bureau_open(state);
    for (uint32_t i = 0; i < 2; i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        k = bureau_seal_later(b, &b->o->town->alice, CSK(i + 1), NULL);
        bureau_begin(b);
        bureau_put_key(b, k);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
        bureau_wrap(b, ALICE_IMPU);
        static uint8_t inner[BUREAU_ROOM];
        const poc_span whole = poc_span_of(memcpy(inner, b->sent.p, b->sent.n), b->sent.n);
        if (i == 1) {
            bureau_begin(b);
            bureau_put(b, "message/sip", poc_span_str(answer), false);
            bureau_put(b, "message/sip", whole, false);
            bureau_pack(b);
        }
        const wire_mcx_request request = { .method = WIRE_MCX_REGISTER,
                                           .by_core = true,
                                           .impu = ALICE_IMPU,
                                           .content_type = b->content_type,
                                           .body = b->sent,
                                           .has_expires = true,
                                           .expires_s = 600000,
                                           .where = "" };
        assert_int_equal(wire_mcx_desk_serve(b->d, b->o->now_ms, &request, &b->answer), WIRE_MCX_WAITS);
        bureau_run(b);
        bureau_expect_answer(b, 200, true, NULL);
        assert_int_equal(b->answer.expires_s, 600000); /* the core's times are its own */
        assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).where, "");
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(i + 1));
    }
    bureau_close(b);
}

/* MCX-19: nothing but the message: in octets, or in base64 with and without being told. */
static void a_key_alone_is_taken_where_sip_is_proof_enough(void **state)
{
    bureau *b = bureau_open(state);
    for (uint32_t i = 0; i < 3; i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        uint8_t text[POC_BASE64_LEN(MIKEY_MESSAGE_MAX)];
        poc_wr wr = poc_wr_into(text, sizeof(text));
        b->trusts_sip = true;
        k = bureau_seal_later(b, &b->o->town->alice, CSK(i + 1), NULL);
        poc_base64_put(&wr, poc_span_of(k->octets, k->len));
        bureau_begin(b);
        bureau_put(b, "application/mikey", poc_span_of(text, wr.len), true);
        bureau_pack(b);
        if (i < 2) {
            b->content_type = poc_span_str("application/mikey");
            b->sent = i == 0 ? poc_span_of(k->octets, k->len) : poc_span_of(text, wr.len);
        }
        assert_int_equal(bureau_serve(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1), WIRE_MCX_WAITS);
        bureau_run(b);
        bureau_expect_answer(b, 200, true, NULL);
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(i + 1));
    }
    b->trusts_sip = false;
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(9), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "101 ");
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(3));
    bureau_close(b);
}

/* MCX-17: with hidden identities only who is known to be behind the IMPU can have encrypted the token. */
static void a_hidden_client_with_an_encrypted_token_is_found_by_its_impu(void **state)
{
    bureau *b = bureau_open(state);
    for (uint32_t i = 1; i <= 2; i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        k = bureau_seal_later(b, &b->o->town->alice, CSK(i), &(bureau_oddity){ .hides = true, .cs_id = 6 });
        bureau_begin(b);
        bureau_put_key(b, k);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, i == 1 ? k : NULL);
        bureau_put_signatures(b, MCX_MCPTT, k);
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        bureau_expect_answer(b, 200, true, NULL);
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(i));
    }
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->bob, CSK(3), &(bureau_oddity){ .hides = true });
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, k);
    bureau_send(b, WIRE_MCX_PUBLISH, BOB_IMPU, -1);
    bureau_expect_answer(b, 403, false, "101 ");
    assert_string_equal(b->answer.why, "encrypted with a key that is not known");
    bureau_expect_nothing(b, BOB_IMPU);
    bureau_close(b);
}

/* MCX-6 */
static void where_nothing_in_clear_is_taken_a_token_in_clear_authorises_nobody(void **state)
{
    bureau *b = bureau_open(state);
    for (uint32_t i = 0; i < 2; i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        wire_mcx_desk_free(b->d);
        b->rules.refuses_clear = i == 1;
        assert_int_equal(wire_mcx_desk_new(&b->d, &b->rules, b->pf), POC_OK);
        k = bureau_seal_later(b, &b->o->town->bob, CSK(i + 1), NULL);
        bureau_begin(b);
        bureau_put_key(b, k);
        bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, NULL);
        bureau_send(b, WIRE_MCX_PUBLISH, BOB_IMPU, -1);
        bureau_expect_answer(b, i == 0 ? 200 : 403, i == 0, i == 0 ? NULL : "101 ");
        assert_int_equal(bureau_csk(b, BOB_IMPU, MCX_MCPTT), CSK(1));
    }
    bureau_close(b);
}

/* MCX-21: an upload that could not be kept is answered as an outage of ours, but to the core, which would take it for the
 * client's end. */
static void a_key_that_could_not_be_kept_is_not_used_and_the_one_before_is(void **state)
{
    bureau *b = bureau_open(state);
    b->store_fails = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    bureau_expect_answer(b, 503, false, NULL);
    assert_true(b->answer.retry_after_s > 0);
    bureau_expect_nothing(b, ALICE_IMPU);
    b->store_fails = false;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    bureau_expect_answer(b, 200, true, NULL);
    b->store_fails = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(3), ALICE_TOKEN);
    bureau_expect_answer(b, 503, false, NULL);
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(2));
    bureau_expect_in(b, ALICE_IMPU, "all list");
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->bob, CSK(4), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, k);
    bureau_wrap(b, BOB_IMPU);
    assert_int_equal(bureau_serve(b, WIRE_MCX_REGISTER, BOB_IMPU, 600), WIRE_MCX_WAITS);
    bureau_run(b);
    bureau_expect_answer(b, 200, false, NULL);
    assert_string_equal(b->answer.why, "the key could not be kept");
    bureau_expect_nothing(b, BOB_IMPU);
    bureau_close(b);
}

static void requests_that_wait_are_answered_each_by_its_number(void **state)
{
    bureau *b = bureau_open(state);
    uint64_t numbers[2];
    b->store_holds = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    numbers[0] = b->answer.number;
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(2), BOB_TOKEN);
    numbers[1] = b->answer.number;
    assert_true(numbers[0] != numbers[1] && b->answers == 0);
    wire_mcx_answer answer;
    assert_false(wire_mcx_desk_bound(b->d, b->o->now_ms, ALICE_IMPU, CSK(2), true, &answer));
    assert_true(wire_mcx_desk_bound(b->d, b->o->now_ms, BOB_IMPU, CSK(2), true, &answer));
    assert_int_equal(answer.number, numbers[1]);
    assert_string_equal(answer.impu, BOB_IMPU);
    assert_true(wire_mcx_desk_bound(b->d, b->o->now_ms, ALICE_IMPU, CSK(1), false, &answer));
    assert_int_equal(answer.number, numbers[0]);
    assert_int_equal(answer.status, 503);
    assert_false(wire_mcx_desk_bound(b->d, b->o->now_ms, ALICE_IMPU, CSK(1), true, &answer));
    bureau_close(b);
}

/* MCX-21: he who comes next at the same device is not sent what was the other's, and cannot be. */
static void another_user_at_the_same_impu_takes_the_place_of_the_first(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    bureau_register(b, &b->o->town->bob, ALICE_IMPU, CSK(2), BOB_TOKEN);
    bureau_expect_answer(b, 200, true, NULL);
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).mc_id, BOB_ID);
    bureau_expect_in(b, ALICE_IMPU, "all");
    bureau_expect(b, "BOUND:20000002 alice@ims.example:all ");
    pocpf_csk_status csk = { .size = sizeof(csk) };
    assert_int_equal(pocpf_csk_look(b->pf, ALICE_IMPU, CSK(1), &csk), POCPF_E_STATE);
    bureau_close(b);
}

/* The same, while the token and the message do not say the same: the first one stays. */
static void who_is_refused_takes_nobodys_place(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), BOB_TOKEN);
    bureau_expect_answer(b, 200, false, "101 ");
    assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).mc_id, ALICE_ID);
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(1));
    bureau_expect_in(b, ALICE_IMPU, "all list");
    bureau_expect(b, "");
    bureau_close(b);
}

/* MCX-12, MCX-14, MCX-15, MCX-27: the server wants AES-256. Until the client has taken the key that it is sent, the one it has
 * brought protects its XML; then the other does, and what is under way is still read. */
static void the_key_that_the_server_wants_instead_protects_xml_once_it_is_taken(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, brought, bureau_key_free);
    POC_OWNED(poc_secret, content, poc_secret_free);
    POC_OWNED(poc_secret, signatures, poc_secret_free);
    mcx_opened opened;
    wire_mcx_desk_free(b->d);
    pocpf_free(b->pf);
    b->o->set.mcx_forced = POCPF_AES256_GCM;
    assert_int_equal(bureau_make(b), POC_OK);
    brought = bureau_seal_later(b, &b->o->town->alice, CSK(1), &(bureau_oddity){ .cs_id = 6, .offers_256 = true });
    bureau_begin(b);
    bureau_put_key(b, brought);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, brought);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_expect(b, "BOUND:20000001 alice@ims.example:CSK alice@ims.example:all alice@ims.example:list ");
    assert_int_equal(office_open(b->o, &b->o->town->alice, &opened), POC_OK);
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), opened.key_id);
    assert_int_equal(poc_secret_len(opened.key), 32);
    assert_int_equal(mcx_xml_keys(&content, &signatures, opened.key, opened.key_id, poc_span_str(ALICE_ID)), POC_OK);
    bureau_key sent = { .keys = { opened.key_id, content, signatures } };
    const bureau_key *const keys[] = { brought, &sent };
    for (size_t i = 0; i < POC_COUNT(keys); i++) {
        bureau_begin(b);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, keys[i]);
        bureau_put_signatures(b, MCX_MCPTT, keys[i]);
        bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
        bureau_expect_answer(b, 200, true, NULL);
    }
    mcx_opened_done(&opened);
    bureau_close(b);
}

/* ---- services ---- */

static void mcvideo_is_a_service_of_its_own(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(1), &(bureau_oddity){ .cs_id = 8 });
    bureau_begin(b);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_put_signatures(b, MCX_MCVIDEO, k);
    bureau_put_key(b, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    const wire_mcx_user u = bureau_look(b, ALICE_IMPU, MCX_MCVIDEO);
    assert_true(u.service == MCX_MCVIDEO && u.services == WIRE_MCX_SERVICE_BIT(MCX_MCVIDEO));
    bureau_expect_in(b, ALICE_IMPU, "video");
    bureau_close(b);
}

/* TS 24.379 7: one REGISTER, the documents of two services, one key. */
static void one_key_may_be_for_both_services(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_key(b, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).services, 3);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    bureau_expect(b, "BOUND:20000001 alice@ims.example:all alice@ims.example:list alice@ims.example:video ");
    bureau_begin(b);
    bureau_put_info(b, MCX_MCVIDEO, "", NULL);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, 0);
    bureau_expect_answer(b, 200, false, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all list");
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(1));
    bureau_close(b);
}

/* The same with a key for each, in which alice is another MCVideo user than MCPTT user: bob. */
static void put_two_keys(bureau *b, const bureau_key *mcptt, const bureau_key *video, bool is_encrypted)
{
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, is_encrypted ? mcptt : NULL);
    bureau_put_key(b, video);
    bureau_put_info(b, MCX_MCVIDEO, BOB_TOKEN, is_encrypted ? video : NULL);
    bureau_put_key(b, mcptt);
}

/* MCX-21 */
static void each_service_may_have_a_key_and_a_user_of_its_own_at_one_impu(void **state)
{
    bureau *b = bureau_open(state);
    for (uint32_t i = 0; i < 2; i++) {
        POC_OWNED(bureau_key, mcptt, bureau_key_free);
        POC_OWNED(bureau_key, video, bureau_key_free);
        mcptt = bureau_seal_later(b, &b->o->town->alice, CSK(2 * i + 1), &(bureau_oddity){ .cs_id = 6 });
        video = bureau_seal_later(b, &b->o->town->bob, CSK(2 * i + 2), &(bureau_oddity){ .cs_id = 8 });
        put_two_keys(b, mcptt, video, i == 0);
        b->answers = 0;
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        bureau_expect_answer(b, 200, true, NULL);
        assert_int_equal(b->answers, 1);
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(2 * i + 1));
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCVIDEO), CSK(2 * i + 2));
        assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).mc_id, ALICE_ID);
        assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCVIDEO).mc_id, BOB_ID);
        assert_string_equal(bureau_look(b, ALICE_IMPU, MCX_MCVIDEO).impu, ALICE_IMPU);
        bureau_expect_in(b, ALICE_IMPU, "all list video");
    }
    assert_non_null(strstr(b->did, "alice@ims.example:video"));
    assert_null(strstr(b->did, "WRONG"));
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, "", NULL);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, 0);
    bureau_expect_in(b, ALICE_IMPU, "video");
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), 0);
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCVIDEO), CSK(4));
    bureau_begin(b);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_close(b);
}

/* The same user of both, with nothing but the order in which they stand to tell the keys apart, or what is encrypted. */
static void keys_without_a_name_are_told_apart_by_what_stands_beside_them(void **state)
{
    bureau *b = bureau_open(state);
    for (uint32_t i = 0; i < 2; i++) {
        POC_OWNED(bureau_key, mcptt, bureau_key_free);
        POC_OWNED(bureau_key, video, bureau_key_free);
        mcptt = bureau_seal_later(b, &b->o->town->alice, CSK(2 * i + 1), NULL);
        video = bureau_seal_later(b, &b->o->town->alice, CSK(2 * i + 2), NULL);
        bureau_begin(b);
        bureau_put_key(b, i == 0 ? video : mcptt);
        bureau_put_key(b, i == 0 ? mcptt : video);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, i == 0 ? mcptt : NULL);
        bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, i == 0 ? video : NULL);
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        bureau_expect_answer(b, 200, true, NULL);
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(2 * i + 1));
        assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCVIDEO), CSK(2 * i + 2));
        assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCPTT).services, WIRE_MCX_SERVICE_BIT(MCX_MCPTT));
        assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCVIDEO).services, WIRE_MCX_SERVICE_BIT(MCX_MCVIDEO));
    }
    bureau_close(b);
}

/* Who brings a key for the second service later has it beside the first; the latest key for a service is the one that counts. */
static void a_key_for_the_second_service_leaves_the_first_alone(void **state)
{
    bureau *b = bureau_open_with_alice(state);
    POC_OWNED(bureau_key, video, bureau_key_free);
    POC_OWNED(bureau_key, both, bureau_key_free);
    video = bureau_seal_later(b, &b->o->town->alice, CSK(2), NULL);
    bureau_begin(b);
    bureau_put_key(b, video);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, video);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(1));
    both = bureau_seal_later(b, &b->o->town->alice, CSK(3), NULL);
    bureau_begin(b);
    bureau_put_key(b, both);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, both);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, both);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    assert_int_equal(bureau_look(b, ALICE_IMPU, MCX_MCVIDEO).service, MCX_MCPTT);
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCVIDEO), 0);
    bureau_close(b);
}

static void one_service_that_says_no_does_not_take_the_other_away(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = bureau_seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, "no token of anybody", k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "video");
    bureau_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_register_with_a_key_is_answered_when_it_is_durable_and_his_musiks_follow),
        cmocka_unit_test(the_parts_of_a_body_may_stand_in_any_order),
        cmocka_unit_test(a_publish_with_settings_brings_a_key_too_and_its_settings_may_be_empty),
        cmocka_unit_test(a_third_party_register_brings_what_the_client_registered_with),
        cmocka_unit_test(a_key_alone_is_taken_where_sip_is_proof_enough),
        cmocka_unit_test(a_hidden_client_with_an_encrypted_token_is_found_by_its_impu),
        cmocka_unit_test(where_nothing_in_clear_is_taken_a_token_in_clear_authorises_nobody),
        cmocka_unit_test(a_key_that_could_not_be_kept_is_not_used_and_the_one_before_is),
        cmocka_unit_test(requests_that_wait_are_answered_each_by_its_number),
        cmocka_unit_test(another_user_at_the_same_impu_takes_the_place_of_the_first),
        cmocka_unit_test(who_is_refused_takes_nobodys_place),
        cmocka_unit_test(the_key_that_the_server_wants_instead_protects_xml_once_it_is_taken),
        cmocka_unit_test(mcvideo_is_a_service_of_its_own),
        cmocka_unit_test(one_key_may_be_for_both_services),
        cmocka_unit_test(each_service_may_have_a_key_and_a_user_of_its_own_at_one_impu),
        cmocka_unit_test(keys_without_a_name_are_told_apart_by_what_stands_beside_them),
        cmocka_unit_test(a_key_for_the_second_service_leaves_the_first_alone),
        cmocka_unit_test(one_service_that_says_no_does_not_take_the_other_away),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
