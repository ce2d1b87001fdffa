/* The service authorisation desk: what is looked at before anything dear is done. A message whose
 * signature does not hold shows it: whoever has looked at that says so. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/wire/bureau.h"

/** Alice's next key with her token, whose signature is spoilt. */
static void put_spoilt(bureau *b, bureau_key *k)
{
    k->octets[k->len - 1] ^= 1;
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, ALICE_TOKEN, k);
}

/* After a restart, when nothing else tells that it is old. */
static void a_message_older_than_the_last_of_its_user_is_not_opened(void **state)
{
    bureau *b = bureau_open(state);
    POC_OWNED(bureau_key, older, bureau_key_free);
    POC_OWNED(bureau_key, younger, bureau_key_free);
    older = bureau_seal(b, &b->o->town->alice, CSK(1), NULL);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(2), ALICE_TOKEN);
    bureau_crash(b);
    younger = bureau_seal_later(b, &b->o->town->alice, CSK(3), NULL);
    put_spoilt(b, older);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    bureau_expect_answer(b, 403, false, "136 ");
    assert_string_equal(b->answer.why, "older than the last upload of its user");
    put_spoilt(b, younger);
    bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
    assert_string_equal(b->answer.why, "signature does not hold");
    assert_int_equal(bureau_csk(b, ALICE_IMPU, MCX_MCPTT), CSK(2));
    bureau_close(b);
}

static void put_back_in_time(bureau_key *k, int64_t s)
{
    mikey_msg msg;
    uint32_t sent_s;
    assert_int_equal(mcx_i_message_read(&msg, poc_span_of(k->octets, k->len), NULL), POC_OK);
    poc_rd rd = poc_rd_over(msg.ts, NULL);
    assert_int_equal(poc_rd_u32(&rd, &sent_s), POC_OK);
    poc_wr wr = poc_wr_into(k->octets + (msg.ts.p - k->octets), 4);
    poc_wr_u32(&wr, sent_s - (uint32_t)s);
}

/* Digest 3.10, in its order: for whom, when, whether it came before, which key; the signature last of what needs no key. */
static void the_signature_is_looked_at_when_nothing_cheaper_refuses_the_message(void **state)
{
    static const struct {
        const char *server;
        int64_t behind_s;
        uint32_t id;
        const char *why;
    } cases[] = {
        { "mcx.elsewhere.example", 0, CSK(2), "IDRr with IDRkmsr is no identity of ours" },
        { MDSI, 86400 * 40, CSK(2), "no key of ours for the period of its time" },
        { MDSI, -301, CSK(2), "time is too far from now" },
        { MDSI, 3, CSK(2), "older than the last message of its sender" },
        { MDSI, 0, CSK(3), "key id is that of another user's key" },
        { MDSI, 0, CSK(2), "signature does not hold" },
    };
    bureau *b = bureau_open_with_alice(state);
    bureau_register(b, &b->o->town->bob, BOB_IMPU, CSK(3), BOB_TOKEN);
    b->o->now_ms += 1000;
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        POC_OWNED(bureau_key, k, bureau_key_free);
        k = bureau_seal(b, &b->o->town->alice, cases[i].id, &(bureau_oddity){ .server = cases[i].server });
        put_back_in_time(k, cases[i].behind_s);
        put_spoilt(b, k);
        bureau_send(b, WIRE_MCX_PUBLISH, ALICE_IMPU, -1);
        bureau_expect_answer(b, 403, false, "136 ");
        assert_string_equal(b->answer.why, cases[i].why);
    }
    bureau_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_older_than_the_last_of_its_user_is_not_opened),
        cmocka_unit_test(the_signature_is_looked_at_when_nothing_cheaper_refuses_the_message),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
