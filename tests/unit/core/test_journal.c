/* Records: what comes back is what was kept; what is not ours, or was sealed under another key, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/core/shell.h"

static shell *pair(void)
{
    shell *s = shell_new(9);
    shell_boot(s);
    shell_join(s, ALICE);
    shell_join(s, BOB);
    return s;
}

/* An engine that is still restoring. */
static pocpf *fresh(shell *s, const pocpf_settings *set)
{
    pocpf *pf;
    assert_int_equal(pocpf_new(&pf, &s->host, set), POCPF_OK);
    return pf;
}

static const shell_record *first(shell *s, uint8_t kind)
{
    size_t at = 0;
    for (const shell_record *r; (r = poc_table_next(&s->store, &at)) != NULL;)
        if (r->key[0] == kind)
            return r;
    fail_msg("no record of kind %c", kind);
    return NULL;
}

static pocpf_err put(pocpf *pf, const shell_record *r)
{
    return pocpf_restore(pf, r->key, r->key_len, r->value, r->value_len);
}

static void a_muk_sealed_under_another_store_key_is_refused(void **state)
{
    (void)state;
    shell *s = pair();
    uint8_t other[32] = { 8 };
    pocpf_settings set = s->set;
    pocpf_secret *key = pocpf_secret_new(other, sizeof(other));
    set.store_key = key;
    pocpf *pf = fresh(s, &set);
    assert_int_equal(put(pf, first(s, 'u')), POCPF_E_AUTH);
    pocpf_free(pf);
    pocpf_secret_free(key);
    shell_free(s);
}

static void a_muk_of_one_user_does_not_open_for_another(void **state)
{
    (void)state;
    shell *s = pair();
    pocpf *pf = fresh(s, &s->set);
    shell_record r = *first(s, 'u');
    r.key[r.key_len - 1] ^= 1;
    assert_int_equal(put(pf, &r), POCPF_E_AUTH);
    pocpf_free(pf);
    shell_free(s);
}

static void a_cut_record_is_refused_at_every_length(void **state)
{
    (void)state;
    shell *s = pair();
    pocpf *pf = fresh(s, &s->set);
    const uint8_t kinds[] = { 'g', 'u', 'm' };
    for (size_t k = 0; k < 2; k++) {
        shell_record r = *first(s, kinds[k]);
        size_t least = kinds[k] == 'g' ? r.value_len : 139; /* behind the MUKs every length is a B-TID */
        for (r.value_len = 0; r.value_len < least; r.value_len++)
            assert_int_equal(put(pf, &r), POCPF_E_INPUT);
    }
    shell_record r = *first(s, 'm');
    r.value_len = 1;
    assert_int_equal(put(pf, &r), POCPF_E_INPUT);
    r = *first(s, 'g');
    r.value[0] = 2; /* a layout of the future */
    assert_int_equal(put(pf, &r), POCPF_E_INPUT);
    r.key[0] = 'x';
    assert_int_equal(put(pf, &r), POCPF_E_INPUT);
    pocpf_free(pf);
    shell_free(s);
}

static void a_member_of_a_channel_that_is_gone_is_to_be_forgotten(void **state)
{
    (void)state;
    shell *s = pair();
    pocpf *pf = fresh(s, &s->set);
    assert_int_equal(put(pf, first(s, 'm')), POCPF_E_STATE);
    assert_int_equal(pocpf_restored(pf, s->now_ms), POCPF_OK);
    assert_int_equal(put(pf, first(s, 'g')), POCPF_E_STATE); /* too late */
    pocpf_free(pf);
    shell_free(s);
}

/* A group that is configured again after a reload goes on counting. */
static void the_number_of_a_key_group_survives_its_channel(void **state)
{
    (void)state;
    shell *s = pair();
    pocpf *pf = fresh(s, &s->set);
    assert_int_equal(put(pf, first(s, 'g')), POCPF_OK);
    assert_int_equal(pocpf_restored(pf, s->now_ms), POCPF_OK);
    pocpf_free(s->pf);
    s->pf = pf;
    s->version = s->air_id = 0;
    s->clients[0]->inside = s->clients[1]->inside = false;
    s->clients[0]->last_offer = 0;
    assert_int_equal(pocpf_channel_add(pf, s->now_ms, &s->conf), POCPF_OK);
    shell_join(s, ALICE);
    assert_int_equal(s->air_id, SHELL_ID(2));
    shell_free(s);
}

/* Digest "GBA" 4.4: two devices of one user take turns; each MUK has its own counter, over a crash too. */
static void two_muks_that_take_turns_count_each_for_itself(void **state)
{
    (void)state;
    shell *s = pair();
    client *alice = shell_client(s, ALICE);
    uint8_t other[32] = { 3 };
    pocpf_secret *muks[2] = { alice->muk, pocpf_secret_new(other, sizeof(other)) };
    char btids[2][64] = { "", "other@bsf.example" };
    memcpy(btids[0], alice->btid, sizeof(btids[0]));
    uint32_t counters[2] = { alice->counter, 0 };
    for (unsigned turn = 1; turn < 12; turn++) {
        unsigned i = turn % 2;
        if (turn == 6) {
            shell_crash(s);
            shell_full(s);
        }
        alice->muk = muks[i];
        alice->counter = counters[i];
        memcpy(alice->btid, btids[i], sizeof(btids[i]));
        pocpf_credential c = { sizeof(c), ALICE, alice->btid, alice->muk, s->now_ms + 86400000 };
        assert_int_equal(pocpf_authenticated(s->pf, s->now_ms, &c), POCPF_OK);
        shell_run(s);
        assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
        shell_run(s);
        assert_true(alice->counter > counters[i]);
        counters[i] = alice->counter;
    }
    pocpf_secret_free(alice->muk == muks[0] ? muks[1] : muks[0]);
    shell_free(s);
}

/* The reserved block is renewed before it is used up. */
static void a_thousand_rekeys_never_repeat_a_counter(void **state)
{
    (void)state;
    shell *s = pair();
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(pocpf_rekey(s->pf, s->now_ms, SHELL_CHANNEL), POCPF_OK);
        shell_run(s);
        if (i % 100 == 99) {
            shell_crash(s);
            shell_full(s);
            shell_run(s);
        }
        shell_forget(s);
    }
    assert_true(shell_client(s, ALICE)->counter > 1000);
    shell_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_muk_sealed_under_another_store_key_is_refused),
        cmocka_unit_test(a_muk_of_one_user_does_not_open_for_another),
        cmocka_unit_test(a_cut_record_is_refused_at_every_length),
        cmocka_unit_test(a_member_of_a_channel_that_is_gone_is_to_be_forgotten),
        cmocka_unit_test(the_number_of_a_key_group_survives_its_channel),
        cmocka_unit_test(two_muks_that_take_turns_count_each_for_itself),
        cmocka_unit_test(a_thousand_rekeys_never_repeat_a_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
