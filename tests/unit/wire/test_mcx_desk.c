/* The service authorisation desk: what brings a CSK, who is authorised by it, which MuSiKs he is to have, and for how long. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/wire/bureau.h"

static wire_mcx_user look(const bureau *b, const char *user)
{
    wire_mcx_user u;
    if (!wire_mcx_desk_look(b->d, user, &u))
        fail_msg("%s is not registered", user);
    return u;
}

/* MCX-5, MCX-11, MCX-17, MCX-19, MCX-21 */
static void a_register_with_a_key_is_answered_when_it_is_durable_and_his_musiks_follow(void **state)
{
    bureau *b = bureau_open(state);
    b->store_holds = true;
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    assert_int_equal(b->answers, 0);
    bureau_expect_in(b, ALICE_IMPU, "");
    b->store_holds = false;
    assert_int_equal(pocpf_persisted(b->pf, b->o->now_ms, true), POCPF_OK);
    bureau_run(b);
    assert_int_equal(b->answers, 1);
    assert_int_equal(b->answer.status, 200);
    assert_true(b->answer.is_authorised && b->answer.warning == NULL);
    assert_int_equal(b->answer.csk_id, CSK(1));
    assert_int_equal(b->answer.expires_s, BUREAU_EXPIRES_S);
    assert_string_equal(b->answer.impu, ALICE_IMPU);
    const wire_mcx_user u = look(b, ALICE_IMPU);
    assert_string_equal(u.mc_id, ALICE_ID);
    assert_string_equal(u.where, BUREAU_WHERE);
    bureau_expect_in(b, ALICE_IMPU, "all list");
    bureau_expect(b, "BOUND:20000001 alice@ims.example:all alice@ims.example:list ");
    bureau_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_register_with_a_key_is_answered_when_it_is_durable_and_his_musiks_follow),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
