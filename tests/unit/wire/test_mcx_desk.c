/* The service authorisation desk: what brings a CSK, who is authorised by it, which MuSiKs he is to have, and for how long. */
#include <stdio.h>
#include <string.h>

#include "base/mime.h"
#include "tests/unit/wire/bureau.h"

#define ALICE_VIDEO ALICE_IMPU ";mcvideo"

static wire_mcx_user look(const bureau *b, const char *user)
{
    wire_mcx_user u;
    if (!wire_mcx_desk_look(b->d, user, &u))
        fail_msg("%s is not registered", user);
    return u;
}

static uint32_t csk_of(const bureau *b, const char *user)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    return pocpf_csk_look(b->pf, user, 0, &csk) == POCPF_OK ? csk.csk_id : 0;
}

static bureau_key *seal_later(bureau *b, const mcx_person *who, uint32_t id, const bureau_oddity *odd)
{
    b->o->now_ms += 1000;
    return bureau_seal(b, who, id, odd);
}

static void expect_answer(const bureau *b, int status, bool is_authorised, const char *warning)
{
    if (b->answer.status != status || b->answer.is_authorised != is_authorised)
        fail_msg("%d, %s authorised: %s", b->answer.status, b->answer.is_authorised ? "" : "not", b->answer.why);
    assert_int_equal(b->answer.warning == NULL, warning == NULL);
    if (warning != NULL)
        assert_memory_equal(b->answer.warning, warning, strlen(warning));
}

/* Alice is registered for MCPTT under this key, and has the MuSiKs of her channels. */
static bureau *open_with_alice(void **state)
{
    bureau *b = bureau_open(state);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    expect_answer(b, 200, true, NULL);
    b->did[0] = '\0';
    b->answers = 0;
    return b;
}

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
    expect_answer(b, 200, true, NULL);
    assert_int_equal(b->answer.csk_id, CSK(1));
    assert_int_equal(b->answer.expires_s, BUREAU_EXPIRES_S);
    assert_string_equal(b->answer.impu, ALICE_IMPU);
    const wire_mcx_user u = look(b, ALICE_IMPU);
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
        k = seal_later(b, &b->o->town->alice, CSK(i + 1), NULL);
        bureau_begin(b);
        bureau_put_key(b, k);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
        bureau_put_signatures(b, MCX_MCPTT, k);
        for (size_t j = 0; j < 3; j++)
            parts[j] = b->parts[orders[i][j]];
        memcpy(b->parts, parts, sizeof(parts));
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        expect_answer(b, 200, true, NULL);
        assert_int_equal(csk_of(b, ALICE_IMPU), CSK(i + 1));
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
        k = seal_later(b, &b->o->town->alice, CSK(i + 1), NULL);
        bureau_begin(b);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, NULL);
        bureau_put(b, "application/poc-settings+xml", poc_span_str(settings[i]), false);
        bureau_put(b, "Application/MIKEY", poc_span_of(k->octets, k->len), false);
        bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, 120);
        expect_answer(b, 200, true, NULL);
        assert_int_equal(b->answer.expires_s, 120);
        assert_int_equal(csk_of(b, ALICE_IMPU), CSK(i + 1));
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
        k = seal_later(b, &b->o->town->alice, CSK(i + 1), NULL);
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
        expect_answer(b, 200, true, NULL);
        assert_int_equal(b->answer.expires_s, 600000); /* the core's times are its own */
        assert_string_equal(look(b, ALICE_IMPU).where, "");
        assert_int_equal(csk_of(b, ALICE_IMPU), CSK(i + 1));
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
        k = seal_later(b, &b->o->town->alice, CSK(i + 1), NULL);
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
        expect_answer(b, 200, true, NULL);
        assert_int_equal(csk_of(b, ALICE_IMPU), CSK(i + 1));
    }
    b->trusts_sip = false;
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->alice, CSK(9), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    expect_answer(b, 403, false, "101 ");
    assert_int_equal(csk_of(b, ALICE_IMPU), CSK(3));
    bureau_close(b);
}

/* MCX-17: with hidden identities only who is known to be behind the IMPU can have encrypted the token. */
static void a_hidden_client_with_an_encrypted_token_is_found_by_its_impu(void **state)
{
    bureau *b = bureau_open(state);
    for (uint32_t i = 1; i <= 2; i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        k = seal_later(b, &b->o->town->alice, CSK(i), &(bureau_oddity){ .hides = true, .cs_id = 6 });
        bureau_begin(b);
        bureau_put_key(b, k);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, i == 1 ? k : NULL);
        bureau_put_signatures(b, MCX_MCPTT, k);
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        expect_answer(b, 200, true, NULL);
        assert_int_equal(csk_of(b, ALICE_IMPU), CSK(i));
    }
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->bob, CSK(3), &(bureau_oddity){ .hides = true });
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, k);
    bureau_send(b, WIRE_MCX_PUBLISH, BOB_IMPU, -1);
    expect_answer(b, 403, false, "101 ");
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
        k = seal_later(b, &b->o->town->bob, CSK(i + 1), NULL);
        bureau_begin(b);
        bureau_put_key(b, k);
        bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, NULL);
        bureau_send(b, WIRE_MCX_PUBLISH, BOB_IMPU, -1);
        expect_answer(b, i == 0 ? 200 : 403, i == 0, i == 0 ? NULL : "101 ");
        assert_int_equal(csk_of(b, BOB_IMPU), CSK(1));
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
    expect_answer(b, 503, false, NULL);
    assert_true(b->answer.retry_after_s > 0);
    bureau_expect_nothing(b, ALICE_IMPU);
    b->store_fails = false;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    expect_answer(b, 200, true, NULL);
    b->store_fails = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(3), ALICE_TOKEN);
    expect_answer(b, 503, false, NULL);
    assert_int_equal(csk_of(b, ALICE_IMPU), CSK(2));
    bureau_expect_in(b, ALICE_IMPU, "all list");
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->bob, CSK(4), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, k);
    bureau_wrap(b, BOB_IMPU);
    assert_int_equal(bureau_serve(b, WIRE_MCX_REGISTER, BOB_IMPU, 600), WIRE_MCX_WAITS);
    bureau_run(b);
    expect_answer(b, 200, false, NULL);
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
    bureau *b = open_with_alice(state);
    bureau_register(b, &b->o->town->bob, ALICE_IMPU, CSK(2), BOB_TOKEN);
    expect_answer(b, 200, true, NULL);
    assert_string_equal(look(b, ALICE_IMPU).mc_id, BOB_ID);
    bureau_expect_in(b, ALICE_IMPU, "all");
    bureau_expect(b, "BOUND:20000002 alice@ims.example:all ");
    pocpf_csk_status csk = { .size = sizeof(csk) };
    assert_int_equal(pocpf_csk_look(b->pf, ALICE_IMPU, CSK(1), &csk), POCPF_E_STATE);
    bureau_close(b);
}

/* The same, while the token and the message do not say the same: the first one stays. */
static void who_is_refused_takes_nobodys_place(void **state)
{
    bureau *b = open_with_alice(state);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), BOB_TOKEN);
    expect_answer(b, 200, false, "101 ");
    assert_string_equal(look(b, ALICE_IMPU).mc_id, ALICE_ID);
    assert_int_equal(csk_of(b, ALICE_IMPU), CSK(1));
    bureau_expect_in(b, ALICE_IMPU, "all list");
    bureau_expect(b, "");
    bureau_close(b);
}

/* ---- services ---- */

static void mcvideo_is_a_service_of_its_own(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->alice, CSK(1), &(bureau_oddity){ .cs_id = 8 });
    bureau_begin(b);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_put_signatures(b, MCX_MCVIDEO, k);
    bureau_put_key(b, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    expect_answer(b, 200, true, NULL);
    const wire_mcx_user u = look(b, ALICE_IMPU);
    assert_true(u.service == MCX_MCVIDEO && u.services == WIRE_MCX_SERVICE_BIT(MCX_MCVIDEO));
    bureau_expect_in(b, ALICE_IMPU, "video");
    bureau_close(b);
}

/* TS 24.379 7: one REGISTER, the documents of two services, one key. */
static void one_key_may_be_for_both_services(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_key(b, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    expect_answer(b, 200, true, NULL);
    assert_int_equal(look(b, ALICE_IMPU).services, 3);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    bureau_begin(b);
    bureau_put_info(b, MCX_MCVIDEO, "", NULL);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, 0);
    expect_answer(b, 200, false, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all list");
    assert_int_equal(csk_of(b, ALICE_IMPU), CSK(1));
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
        mcptt = seal_later(b, &b->o->town->alice, CSK(2 * i + 1), &(bureau_oddity){ .cs_id = 6 });
        video = seal_later(b, &b->o->town->bob, CSK(2 * i + 2), &(bureau_oddity){ .cs_id = 8 });
        put_two_keys(b, mcptt, video, i == 0);
        b->answers = 0;
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        expect_answer(b, 200, true, NULL);
        assert_int_equal(b->answers, 1);
        assert_int_equal(csk_of(b, ALICE_IMPU), CSK(2 * i + 1));
        assert_int_equal(csk_of(b, ALICE_VIDEO), CSK(2 * i + 2));
        assert_string_equal(look(b, ALICE_IMPU).mc_id, ALICE_ID);
        assert_string_equal(look(b, ALICE_VIDEO).mc_id, BOB_ID);
        assert_string_equal(look(b, ALICE_VIDEO).impu, ALICE_IMPU);
        bureau_expect_in(b, ALICE_IMPU, "all list");
        bureau_expect_in(b, ALICE_VIDEO, "video");
    }
    assert_null(strstr(b->did, "WRONG"));
    bureau_begin(b);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_expect_nothing(b, ALICE_VIDEO);
    bureau_close(b);
}

/* Who brings a key for the second service later has it beside the first; the latest key for a service is the one that counts. */
static void a_key_for_the_second_service_leaves_the_first_alone(void **state)
{
    bureau *b = open_with_alice(state);
    POC_OWNED(bureau_key, video, bureau_key_free);
    POC_OWNED(bureau_key, both, bureau_key_free);
    video = seal_later(b, &b->o->town->alice, CSK(2), NULL);
    bureau_begin(b);
    bureau_put_key(b, video);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, video);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_in(b, ALICE_IMPU, "all list");
    bureau_expect_in(b, ALICE_VIDEO, "video");
    both = seal_later(b, &b->o->town->alice, CSK(3), NULL);
    bureau_begin(b);
    bureau_put_key(b, both);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, both);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, both);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    bureau_expect_nothing(b, ALICE_VIDEO);
    bureau_close(b);
}

static void one_service_that_says_no_does_not_take_the_other_away(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, "no token of anybody", k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "video");
    bureau_close(b);
}

/* ---- for how long ---- */

static void refresh(bureau *b, wire_mcx_method method, const char *impu, int64_t expires_s)
{
    bureau_begin(b);
    bureau_send(b, method, impu, expires_s);
}

static void a_refresh_without_a_key_is_for_who_has_brought_one(void **state)
{
    bureau *b = open_with_alice(state);
    refresh(b, WIRE_MCX_REGISTER, BOB_IMPU, -1);
    expect_answer(b, 200, false, NULL);
    bureau_expect_nothing(b, BOB_IMPU);
    bureau_pass(b, BUREAU_EXPIRES_S - 1);
    b->where = "sip:alice@198.51.100.9:5070";
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    expect_answer(b, 200, true, NULL);
    bureau_pass(b, BUREAU_EXPIRES_S - 1);
    assert_string_equal(look(b, ALICE_IMPU).where, b->where);
    bureau_expect(b, "");
    bureau_pass(b, 1);
    bureau_expect_nothing(b, ALICE_IMPU);
    refresh(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    expect_answer(b, 200, false, NULL);
    bureau_close(b);
}

/* What a refresh brings beside nothing is held against the key of before. */
static void a_refresh_with_documents_proves_them_under_the_key_in_force(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    POC_OWNED(bureau_key, other, bureau_key_free);
    k = seal_later(b, &b->o->town->alice, CSK(1), NULL);
    other = seal_later(b, &b->o->town->alice, CSK(2), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_put_signatures(b, MCX_MCPTT, k);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, other);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    expect_answer(b, 403, false, "101 ");
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, BOB_TOKEN, k);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    expect_answer(b, 403, false, "101 ");
    assert_string_equal(b->answer.why, "somebody else's token");
    bureau_begin(b);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_signatures(b, MCX_MCPTT, other);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    expect_answer(b, 200, false, "101 ");
    assert_string_equal(look(b, ALICE_IMPU).mc_id, ALICE_ID);
    bureau_close(b);
}

/* What was signed under the key of before is under way when the key changes. */
static void the_key_before_is_good_for_what_is_under_way(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, first, bureau_key_free);
    POC_OWNED(bureau_key, second, bureau_key_free);
    bureau_key *const keys[] = { first = seal_later(b, &b->o->town->alice, CSK(1), NULL),
                                 second = seal_later(b, &b->o->town->alice, CSK(2), NULL) };
    for (size_t i = 0; i < 2; i++) {
        bureau_begin(b);
        bureau_put_key(b, keys[i]);
        bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, keys[i]);
        bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
        bureau_begin(b);
        bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
        bureau_put_signatures(b, MCX_MCPTT, first);
        bureau_send(b, WIRE_MCX_MESSAGE, ALICE_IMPU, -1);
        expect_answer(b, 200, true, NULL);
    }
    bureau_close(b);
}

static void a_wish_for_a_long_life_is_cut_and_for_a_short_one_refused(void **state)
{
    bureau *b = open_with_alice(state);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, 100000);
    expect_answer(b, 200, true, NULL);
    assert_int_equal(b->answer.expires_s, BUREAU_EXPIRES_S);
    refresh(b, WIRE_MCX_PUBLISH, ALICE_IMPU, 59);
    expect_answer(b, 423, false, NULL);
    assert_int_equal(b->answer.min_expires_s, 60);
    assert_string_equal(b->answer.phrase, "Interval Too Brief");
    assert_int_equal(look(b, ALICE_IMPU).expires_ms, b->o->now_ms + BUREAU_EXPIRES_S * 1000);
    bureau_close(b);
}

/* MCX-21: with log-off the binding and the key are gone. */
static void who_logs_off_has_no_key_and_no_musik_any_more(void **state)
{
    bureau *b = open_with_alice(state);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    expect_answer(b, 200, false, NULL);
    assert_int_equal(b->answer.expires_s, 0);
    bureau_expect_nothing(b, ALICE_IMPU);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, 0);
    expect_answer(b, 200, false, NULL);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    assert_int_equal(wire_mcx_desk_log_off(b->d, b->o->now_ms, ALICE_IMPU), POC_OK);
    bureau_run(b);
    bureau_expect_nothing(b, ALICE_IMPU);
    assert_int_equal(wire_mcx_desk_log_off(b->d, b->o->now_ms, ALICE_IMPU), POC_E_STATE);
    bureau_close(b);
}

static void the_desk_names_the_time_at_which_the_next_one_is_gone(void **state)
{
    bureau *b = bureau_open(state);
    assert_true(wire_mcx_desk_deadline_ms(b->d) == INT64_MAX);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    bureau_pass(b, 100);
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(2), BOB_TOKEN);
    const int64_t first_ms = look(b, ALICE_IMPU).expires_ms, second_ms = look(b, BOB_IMPU).expires_ms;
    assert_true(wire_mcx_desk_deadline_ms(b->d) == first_ms);
    wire_mcx_desk_tick(b->d, first_ms - 1);
    (void)look(b, ALICE_IMPU);
    bureau_pass(b, (first_ms - b->o->now_ms) / 1000);
    bureau_expect_nothing(b, ALICE_IMPU);
    (void)look(b, BOB_IMPU);
    assert_true(wire_mcx_desk_deadline_ms(b->d) == second_ms);
    bureau_close(b);
}

/* ---- regions ---- */

static void report(bureau *b, const char *impu, bool listening, const char *tmgi)
{
    bureau_begin(b);
    bureau_put_report(b, MCX_MCPTT, listening, tmgi);
    bureau_send(b, WIRE_MCX_MESSAGE, impu, -1);
}

/* MCX-8: the MuSiK of a region goes to who says he hears its bearer, and may. */
static void who_listens_to_a_bearer_has_the_musik_of_its_region(void **state)
{
    bureau *b = open_with_alice(state);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all list north");
    bureau_expect(b, "alice@ims.example:north ");
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    expect_answer(b, 200, true, NULL);
    bureau_expect(b, "");
    report(b, ALICE_IMPU, false, NORTH_TMGI);
    expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "all list");
    report(b, ALICE_IMPU, true, "\x01\x01\x01\x01\x01\x01");
    expect_answer(b, 200, false, NULL);
    assert_string_equal(b->answer.why, "unknown bearer");
    bureau_close(b);
}

static void a_report_of_who_may_not_brings_no_musik(void **state)
{
    bureau *b = bureau_open(state);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    expect_answer(b, 403, false, "101 ");
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(1), BOB_TOKEN);
    report(b, BOB_IMPU, true, NORTH_TMGI);
    expect_answer(b, 200, false, NULL);
    bureau_expect_in(b, BOB_IMPU, "all");
    bureau_begin(b);
    bureau_put_report(b, MCX_MCVIDEO, true, NORTH_TMGI);
    bureau_send(b, WIRE_MCX_MESSAGE, BOB_IMPU, -1);
    expect_answer(b, 403, false, "101 "); /* not for this service */
    bureau_close(b);
}

/* MCX-6, MCX-12 */
static void a_report_may_be_signed_and_has_to_be_where_nothing_in_clear_is_taken(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    POC_OWNED(bureau_key, other, bureau_key_free);
    wire_mcx_desk_free(b->d);
    b->rules.refuses_clear = true;
    assert_int_equal(wire_mcx_desk_new(&b->d, &b->rules, b->pf), POC_OK);
    bureau_redefine(b, "north", true);
    k = seal_later(b, &b->o->town->alice, CSK(1), NULL);
    other = seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    expect_answer(b, 403, false, "101 ");
    bureau_begin(b);
    bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
    bureau_put_signatures(b, MCX_MCPTT, other);
    bureau_send(b, WIRE_MCX_MESSAGE, ALICE_IMPU, -1);
    expect_answer(b, 403, false, "101 ");
    assert_string_equal(b->answer.why, "the signature does not hold");
    bureau_begin(b);
    bureau_put(b, "text/plain", poc_span_str("what is signed in its place"), false);
    bureau_put_signatures(b, MCX_MCPTT, k);
    bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
    bureau_send(b, WIRE_MCX_MESSAGE, ALICE_IMPU, -1);
    expect_answer(b, 403, false, "101 ");
    bureau_expect_in(b, ALICE_IMPU, "");
    bureau_begin(b);
    bureau_put_report(b, MCX_MCPTT, true, NORTH_TMGI);
    bureau_put_signatures(b, MCX_MCPTT, k);
    bureau_send(b, WIRE_MCX_MESSAGE, ALICE_IMPU, -1);
    expect_answer(b, 200, true, NULL);
    bureau_expect_in(b, ALICE_IMPU, "north");
    bureau_close(b);
}

/* ---- channels that change ---- */

static void a_reload_moves_who_may_and_who_may_not(void **state)
{
    bureau *b = open_with_alice(state);
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(2), BOB_TOKEN);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    bureau_redefine(b, "all", false);
    bureau_expect_in(b, BOB_IMPU, "");
    bureau_redefine(b, "list", true);
    bureau_expect_in(b, BOB_IMPU, "list");
    b->listed = BOB_ID;
    bureau_redefine(b, "all", false);
    bureau_redefine(b, "north", false);
    bureau_expect_in(b, ALICE_IMPU, "list");
    bureau_expect_in(b, BOB_IMPU, "all list"); /* a region is joined by report alone */
    wire_mcx_desk_channel_remove(b->d, b->o->now_ms, "list");
    bureau_expect_in(b, BOB_IMPU, "all");
    bureau_close(b);
}

/* Expelled is expelled: under the other name of the same IMPU too, and after another key. */
static void who_was_expelled_does_not_come_back_by_registering(void **state)
{
    bureau *b = open_with_alice(state);
    assert_int_equal(pocpf_member_departed(b->pf, b->o->now_ms, "all", ALICE_IMPU, POCPF_EXPELLED), POCPF_OK);
    bureau_run(b);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    bureau_expect_in(b, ALICE_IMPU, "list");
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->alice, CSK(3), &(bureau_oddity){ .cs_id = 8 });
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    assert_int_equal(look(b, ALICE_VIDEO).services, 3);
    bureau_expect_in(b, ALICE_VIDEO, "list video");
    assert_int_equal(pocpf_admit(b->pf, b->o->now_ms, "all", ALICE_IMPU), POCPF_OK);
    refresh(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_expect_in(b, ALICE_VIDEO, "all list video");
    bureau_close(b);
}

/* MCX-21 */
static void after_a_restart_who_has_a_key_is_registered_until_he_should_have_come_again(void **state)
{
    bureau *b = open_with_alice(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->bob, CSK(2), &(bureau_oddity){ .cs_id = 8 });
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCVIDEO, BOB_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    report(b, ALICE_IMPU, true, NORTH_TMGI);
    bureau_crash(b);
    const wire_mcx_user u = look(b, ALICE_IMPU), v = look(b, ALICE_VIDEO);
    assert_string_equal(u.mc_id, ALICE_ID);
    assert_string_equal(u.where, "");
    assert_string_equal(v.impu, ALICE_IMPU);
    assert_int_equal(v.services, WIRE_MCX_SERVICE_BIT(MCX_MCVIDEO));
    assert_int_equal(csk_of(b, ALICE_IMPU), CSK(1));
    bureau_expect_in(b, ALICE_IMPU, "all list north");
    bureau_expect_in(b, ALICE_VIDEO, "video");
    size_t at = 0, n = 0;
    for (wire_mcx_user each; wire_mcx_desk_next(b->d, &at, &each);)
        n++;
    assert_int_equal(n, 2);
    bureau_pass(b, BUREAU_EXPIRES_S);
    bureau_expect_nothing(b, ALICE_IMPU);
    bureau_expect_nothing(b, ALICE_VIDEO);
    bureau_close(b);
}

/* A user of two services with one key is in the channels of both after a restart. */
static void after_a_restart_nobody_has_left_a_channel(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, k, bureau_key_free);
    k = seal_later(b, &b->o->town->alice, CSK(1), NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
    bureau_put_info(b, MCX_MCVIDEO, ALICE_TOKEN, k);
    bureau_send(b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    bureau_crash(b);
    assert_int_equal(look(b, ALICE_IMPU).services, 3);
    bureau_expect_in(b, ALICE_IMPU, "all list video");
    b->listed = NULL;
    bureau_crash(b);
    bureau_expect_in(b, ALICE_IMPU, "all video");
    bureau_close(b);
}

/* ---- what is sent ---- */

static const poc_part *part_of(poc_parts *parts, const char *content_type, const poc_wr *body, const char *type)
{
    assert_int_equal(poc_parts_read(parts, poc_span_str(content_type), poc_span_of(body->buf, body->len), NULL),
                     POC_OK);
    return poc_part_of(parts, type);
}

/* MCX-26 */
static void a_download_names_its_user_and_carries_the_message_octet_by_octet(void **state)
{
    static const uint8_t message[] = { 1, 26, 5, '\r', '\n', 0, ' ', '\r', '\n' };
    char type[WIRE_MCX_CONTENT_TYPE_MAX];
    uint8_t room[4096];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    poc_parts parts;
    static wire_mcx_info info;
    const char *why;
    (void)state;
    assert_int_equal(
        wire_mcx_download_write(&wr, type, MCX_MCPTT, ALICE_ID, poc_span_of(message, sizeof(message)), &poc_rng_system),
        POC_OK);
    const poc_part *p = part_of(&parts, type, &wr, "application/mikey");
    assert_int_equal(parts.count, 2);
    assert_int_equal(p->body.n, sizeof(message));
    assert_memory_equal(p->body.p, message, sizeof(message));
    p = poc_part_of(&parts, "application/vnd.3gpp.mcptt-info+xml");
    assert_int_equal(wire_mcx_info_read(&info, MCX_MCPTT, p->body, &(wire_mcx_ring){ NULL, 0 }, &why), POC_OK);
    assert_string_equal(info.request_uri, ALICE_ID);
    poc_wr none = poc_wr_into(room, 20);
    assert_int_equal(wire_mcx_download_write(&none, type, MCX_MCPTT, ALICE_ID, poc_span_of(message, sizeof(message)),
                                             &poc_rng_system),
                     POC_E_LIMIT);
}

/* MCX-4 */
static void an_announcement_has_the_bearer_and_its_description_and_never_a_key(void **state)
{
    static const char sdp[] = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=application 5004 udp MCPTT\r\n";
    static const char *const keys[] = { "a=key-mgmt:mikey AQEFAA==", "A=Crypto:1 AES_CM_128 inline:x", "k=clear:x" };
    wire_mbms_announcement bearer = { .areas = { 7 }, .area_count = 1, .general_purpose_line = 1 };
    char type[WIRE_MCX_CONTENT_TYPE_MAX], text[512];
    uint8_t room[8192];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    poc_parts parts;
    (void)state;
    memcpy(bearer.tmgi, NORTH_TMGI, sizeof(bearer.tmgi));
    assert_int_equal(
        wire_mcx_announcement_write(&wr, type, MCX_MCPTT, ALICE_ID, &bearer, poc_span_str(sdp), &poc_rng_system),
        POC_OK);
    assert_true(poc_span_eq_str(part_of(&parts, type, &wr, "application/sdp")->body, sdp));
    assert_int_equal(parts.count, 3);
    assert_non_null(poc_part_of(&parts, "application/vnd.3gpp.mcptt-mbms-usage-info+xml"));
    wr = poc_wr_into(room, sizeof(room));
    assert_int_equal(
        wire_mcx_announcement_write(&wr, type, MCX_MCVIDEO, NULL, &bearer, poc_span_str(""), &poc_rng_system), POC_OK);
    (void)part_of(&parts, type, &wr, "application/vnd.3gpp.mcvideo-mbms-usage-info+xml");
    assert_int_equal(parts.count, 1);
    for (size_t i = 0; i < POC_COUNT(keys); i++) {
        (void)snprintf(text, sizeof(text), "%s%s\r\n", sdp, keys[i]);
        wr = poc_wr_into(room, sizeof(room));
        assert_int_equal(
            wire_mcx_announcement_write(&wr, type, MCX_MCPTT, NULL, &bearer, poc_span_str(text), &poc_rng_system),
            POC_E_INPUT);
        assert_int_equal(wr.len, 0);
    }
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
        cmocka_unit_test(mcvideo_is_a_service_of_its_own),
        cmocka_unit_test(one_key_may_be_for_both_services),
        cmocka_unit_test(each_service_may_have_a_key_and_a_user_of_its_own_at_one_impu),
        cmocka_unit_test(a_key_for_the_second_service_leaves_the_first_alone),
        cmocka_unit_test(one_service_that_says_no_does_not_take_the_other_away),
        cmocka_unit_test(a_refresh_without_a_key_is_for_who_has_brought_one),
        cmocka_unit_test(a_refresh_with_documents_proves_them_under_the_key_in_force),
        cmocka_unit_test(the_key_before_is_good_for_what_is_under_way),
        cmocka_unit_test(a_wish_for_a_long_life_is_cut_and_for_a_short_one_refused),
        cmocka_unit_test(who_logs_off_has_no_key_and_no_musik_any_more),
        cmocka_unit_test(the_desk_names_the_time_at_which_the_next_one_is_gone),
        cmocka_unit_test(who_listens_to_a_bearer_has_the_musik_of_its_region),
        cmocka_unit_test(a_report_of_who_may_not_brings_no_musik),
        cmocka_unit_test(a_report_may_be_signed_and_has_to_be_where_nothing_in_clear_is_taken),
        cmocka_unit_test(a_reload_moves_who_may_and_who_may_not),
        cmocka_unit_test(who_was_expelled_does_not_come_back_by_registering),
        cmocka_unit_test(after_a_restart_who_has_a_key_is_registered_until_he_should_have_come_again),
        cmocka_unit_test(after_a_restart_nobody_has_left_a_channel),
        cmocka_unit_test(a_download_names_its_user_and_carries_the_message_octet_by_octet),
        cmocka_unit_test(an_announcement_has_the_bearer_and_its_description_and_never_a_key),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
