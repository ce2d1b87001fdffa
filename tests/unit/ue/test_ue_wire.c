/* The PF's descriptions read by the client, and the client's by the PF. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/text.h"
#include "pair.h"
#include "pf/wire/wire.h"
#include "ue/core/core.h"

static pair w;
static wire_unicast of_client;
static struct sockaddr_storage pf_audio, pf_floor;
static bcast_channel channel;

static wire_local pf_local(uint64_t version)
{
    return (wire_local){ .audio = (struct sockaddr *)&pf_audio,
                         .floor = (struct sockaddr *)&pf_floor,
                         .session_id = 5001,
                         .version = version };
}

static void channel_at(const char *group, const char *source)
{
    channel = (bcast_channel){ .id = "dispatch", .ttl = 16, .port = { 5004, 5006, 5008 } };
    assert_int_equal(poc_addr_parse(&channel.group, poc_span_str(group), 0), POC_OK);
    if (source != NULL)
        assert_int_equal(poc_addr_parse(&channel.source, poc_span_str(source), 0), POC_OK);
}

static int begin(void **state)
{
    (void)state;
    char text[PAIR_OFFER_MAX];
    pair_open(&w, NULL);
    assert_int_equal(poc_addr_parse(&pf_audio, poc_span_str("192.0.2.10"), 30000), POC_OK);
    assert_int_equal(poc_addr_parse(&pf_floor, poc_span_str("192.0.2.10"), 30002), POC_OK);
    channel_at("232.10.0.7", "192.0.2.50");
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_int_equal(pocue_offer_write(w.ue, &w.local, &wr), POC_OK);
    assert_int_equal(wire_unicast_read(&of_client, poc_span_of(text, wr.len), NULL), POC_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pair_close(&w);
    return 0;
}

static void offer_write(char out[PAIR_OFFER_MAX], uint64_t version, bool withdraw)
{
    uint8_t message[MIKEY_MESSAGE_MAX];
    size_t n = withdraw ? 0 : pair_seal(&w, message);
    wire_local local = pf_local(version);
    poc_wr wr = poc_wr_into(out, PAIR_OFFER_MAX);
    assert_int_equal(wire_offer_write(&wr, &local, &of_client, &channel, poc_span_of(message, n)), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static pocpf_answer check(const char *answer, uint8_t *room, poc_span *verification)
{
    const char *why;
    return wire_answer_check(poc_span_str(answer), &channel, NULL, room, MIKEY_MESSAGE_MAX, verification, &why);
}

static void assert_opens_the_channel(void)
{
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    uint8_t room[MIKEY_MESSAGE_MAX];
    poc_span verification;
    pocue_event e;
    w.params.wants_verification = true;
    offer_write(offer, 2, false);
    pocue_reply reply = pair_give(&w, offer, answer);
    assert_null(reply.warning);
    assert_int_equal(reply.status, 200);
    assert_int_equal(check(answer, room, &verification), POCPF_ANSWER_ACCEPTED);
    mikey_msg v;
    assert_int_equal(mikey_decode(&v, verification, NULL), POC_OK);
    mikey_expected expected = { .counter = w.counter,
                                .rand = poc_span_of(w.params.rand, MIKEY_RAND_LEN),
                                .idi = w.params.idi,
                                .idr = poc_span_str(w.btid) };
    assert_int_equal(mikey_verification_check(&v, &expected, w.pf.muk), POC_OK);
    assert_true(pair_event(&w, POCUE_JOIN_GROUP, &e));
    assert_true(poc_addr_eq((struct sockaddr *)&e.channel.group, (struct sockaddr *)&channel.group));
}

static void test_the_client_reads_the_capability_the_pf_looks_for(void **state)
{
    (void)state;
    assert_true(of_client.multicast_capable);
    assert_int_equal(of_client.media_count, 2);
    assert_int_equal(poc_addr_port((struct sockaddr *)&of_client.audio), 45200);
}

/* POC-7 */
static void test_the_offer_of_the_pf_is_accepted_and_its_answer_too(void **state)
{
    (void)state;
    assert_opens_the_channel();
}

static void test_so_it_is_with_ipv6_and_without_a_source(void **state)
{
    (void)state;
    channel_at("ff3e::8000:7", "2001:db8::50");
    channel.ttl = 0;
    assert_opens_the_channel();
    pair_close(&w);
    begin(NULL);
    channel_at("239.10.0.7", NULL);
    assert_opens_the_channel();
}

static void test_a_withdrawal_is_understood_by_both(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    uint8_t room[MIKEY_MESSAGE_MAX];
    poc_span verification;
    assert_opens_the_channel();
    offer_write(offer, 3, true);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_int_equal(check(answer, room, &verification), POCPF_ANSWER_UNICAST);
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
}

static void own_offer(bool receives, wire_unicast *at_pf, char answer[PAIR_OFFER_MAX])
{
    char offer[PAIR_OFFER_MAX];
    poc_wr wr = poc_wr_into(offer, sizeof(offer));
    wire_local local = pf_local(4);
    assert_int_equal(pocue_bearer_write(w.ue, &w.local, receives, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_int_equal(wire_unicast_read(at_pf, poc_span_str(offer), NULL), POC_OK);
    wr = poc_wr_into(answer, PAIR_OFFER_MAX);
    assert_int_equal(wire_answer_write(&wr, &local, poc_span_str(offer), &of_client, &channel), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static void test_a_bearer_given_up_and_taken_back_is_understood_by_both(void **state)
{
    (void)state;
    char answer[PAIR_OFFER_MAX];
    wire_unicast at_pf;
    pocue_event e;
    assert_opens_the_channel();
    own_offer(false, &at_pf, answer);
    assert_true(at_pf.multicast_refused);
    assert_int_equal(pocue_answer_read(w.ue, poc_span_str(answer)), POC_OK);
    assert_true(pair_event(&w, POCUE_LEAVE_GROUP, &e));
    own_offer(true, &at_pf, answer);
    assert_false(at_pf.multicast_refused);
    assert_int_equal(pocue_answer_read(w.ue, poc_span_str(answer)), POC_OK);
    assert_true(pair_event(&w, POCUE_JOIN_GROUP, &e));
    pair_replace(answer, "232.10.0.7", "232.10.0.9", 2);
    assert_int_equal(pocue_answer_read(w.ue, poc_span_str(answer)), POC_E_INPUT);
}

/* ---- the key management service ---- */

static const ue_keyman_item asked[] = {
    { .service_id = "sip:fire@home1.example", .key_domain = { { 0x00, 0xf1, 0x10 } }, .msk_id = 0x10010000 },
    { .service_id = "urn:a&b", .key_domain = { { 0x00, 0xf1, 0x10 } }, .msk_id = 0x10020007 },
};
static const wire_mbms_procedure procedure_of[UE_KEYMAN_KINDS] = { [UE_KEYMAN_REGISTER] = WIRE_MBMS_REGISTER,
                                                                   [UE_KEYMAN_DEREGISTER] = WIRE_MBMS_DEREGISTER,
                                                                   [UE_KEYMAN_MSK] = WIRE_MBMS_MSK_REQUEST };

/* What the PF read of the request of this kind. */
static void request_carry(ue_keyman_kind kind, wire_mbms_body *at_pf)
{
    char text[PAIR_OFFER_MAX], target[128];
    const char *why;
    poc_wr wr = poc_wr_into(text, sizeof(text)), target_wr = poc_wr_into(target, sizeof(target));
    ue_keyman_request_put(&wr, kind, asked, POC_COUNT(asked));
    ue_keyman_target_put(&target_wr, kind, "/keymanagement");
    assert_int_equal(poc_wr_text(&target_wr), POC_OK);
    assert_string_equal(strchr(target, '=') + 1, wire_mbms_requesttype(procedure_of[kind]));
    assert_string_equal(ue_keyman_content_type(kind), wire_mbms_media_type(procedure_of[kind], WIRE_MBMS_REQUEST));
    assert_int_equal(wire_mbms_read(at_pf, procedure_of[kind], WIRE_MBMS_REQUEST, poc_span_of(text, wr.len), &why),
                     POC_OK);
    assert_int_equal(at_pf->count, POC_COUNT(asked));
}

static void answer_carry(ue_keyman_kind kind, const wire_mbms_body *at_pf, ue_keyman_item *items)
{
    char text[PAIR_OFFER_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    const char *type = wire_mbms_media_type(procedure_of[kind], WIRE_MBMS_RESPONSE);
    assert_int_equal(wire_mbms_write(&wr, at_pf, procedure_of[kind], WIRE_MBMS_RESPONSE), POC_OK);
    assert_int_equal(
        ue_keyman_answer_read(items, POC_COUNT(asked), kind, poc_span_str(type), poc_span_of(text, wr.len)), POC_OK);
}

/* MBMS-3, MBMS-5 */
static void test_requests_and_their_item_statuses_are_understood_by_both(void **state)
{
    (void)state;
    for (ue_keyman_kind kind = 0; kind < UE_KEYMAN_KINDS; kind++) {
        static wire_mbms_body at_pf;
        ue_keyman_item items[POC_COUNT(asked)];
        memcpy(items, asked, sizeof(items));
        request_carry(kind, &at_pf);
        for (size_t i = 0; i < POC_COUNT(asked); i++)
            if (kind == UE_KEYMAN_MSK)
                assert_int_equal(at_pf.items[i].msk_id, asked[i].msk_id);
            else
                assert_string_equal(at_pf.items[i].service_id, asked[i].service_id);
        at_pf.items[0].status = 403;
        at_pf.items[1].status = 200;
        answer_carry(kind, &at_pf, items);
        assert_int_equal(items[0].status, 403);
        assert_int_equal(items[1].status, 200);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_the_client_reads_the_capability_the_pf_looks_for),
        T(test_the_offer_of_the_pf_is_accepted_and_its_answer_too),
        T(test_so_it_is_with_ipv6_and_without_a_source),
        T(test_a_withdrawal_is_understood_by_both),
        T(test_a_bearer_given_up_and_taken_back_is_understood_by_both),
        T(test_requests_and_their_item_statuses_are_understood_by_both),
    };
    return cmocka_run_group_tests_name("ue and pf over text", tests, NULL, NULL);
}
