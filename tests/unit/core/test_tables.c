/* The state tables, walked whole: what has no cell is refused, counted, reported and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pf/core/model.h"
#include "tests/support/rng.h"

static const uint8_t naf_id[] = "pf.poc.example\x01\x00\x00\x00\x01";

typedef struct bench {
    core_engine *e;
    core_channel *ch;
    core_member *m;
    test_rng chance;
} bench;

static void set_up(bench *b)
{
    uint8_t key[32] = { 1 };
    poc_secret *store_key, *muk;
    assert_int_equal(poc_secret_from(&store_key, key, sizeof(key)), POC_OK);
    assert_int_equal(poc_secret_from(&muk, key, sizeof(key)), POC_OK);
    core_settings set = { .rng = test_rng_of(&b->chance, 1),
                          .naf_id = poc_span_of(naf_id, sizeof(naf_id) - 1),
                          .store_key = store_key };
    assert_int_equal(core_new(&b->e, &set), POC_OK);
    core_channel_conf conf = { .id = "c", .group_uri = "sip:g@cf", .key_group = 1 };
    assert_int_equal(core_channel_add(b->e, 1000, &conf), POC_OK);
    core_credential credential = { "sip:a@x", "a@bsf", muk, 1000000 };
    assert_int_equal(core_authenticated(b->e, 1000, &credential), POC_OK);
    core_join join = { .channel = "c", .user = "sip:a@x", .multicast_capable = true };
    assert_int_equal(core_member_joined(b->e, 1000, &join), POC_OK);
    b->ch = engine_channel(b->e, "c");
    b->m = member_find(b->e, b->ch, poc_span_str("sip:a@x"));
    poc_secret_free(store_key);
    poc_secret_free(muk);
    core_effect effect;
    while (core_poll(b->e, &effect))
        if (effect.type == CORE_DO_PERSIST)
            assert_int_equal(core_persisted(b->e, 1000, true), POC_OK);
}

static void tear_down(bench *b)
{
    core_free(b->e);
}

/* What the effects of one refusal are: one audit line. */
static void expect_refusal(bench *b)
{
    core_effect effect;
    engine_end(b->e);
    assert_true(core_poll(b->e, &effect));
    assert_int_equal(effect.type, CORE_DO_AUDIT);
    assert_int_equal(effect.u.audit.what, CORE_AUDIT_REFUSED);
    assert_non_null(effect.u.audit.detail);
    assert_false(core_poll(b->e, &effect));
}

static void an_empty_cell_of_the_channel_table_refuses(void **state)
{
    (void)state;
    unsigned filled = 0;
    for (unsigned st = 0; st < C_COUNT; st++)
        for (unsigned ev = 0; ev < CE_COUNT; ev++) {
            if (channel_cell((channel_state)st, (channel_event)ev)) {
                filled++;
                continue;
            }
            bench b;
            set_up(&b);
            b.ch->state = (uint8_t)st;
            assert_int_equal(channel_do(b.e, b.ch, (channel_event)ev), POC_E_STATE);
            assert_int_equal(b.ch->state, st);
            assert_int_equal(core_refused_count(b.e), 1);
            expect_refusal(&b);
            tear_down(&b);
        }
    assert_in_range(filled, 60, C_COUNT * CE_COUNT - 1);
}

static void an_empty_cell_of_the_member_table_refuses(void **state)
{
    (void)state;
    unsigned filled = 0;
    for (unsigned st = 0; st < M_COUNT; st++)
        for (unsigned ev = 0; ev < ME_COUNT; ev++) {
            if (member_cell((member_state)st, (member_event)ev)) {
                filled++;
                continue;
            }
            bench b;
            set_up(&b);
            b.m->state = (uint8_t)st;
            assert_int_equal(member_do(b.e, b.m, (member_event)ev), POC_E_STATE);
            assert_int_equal(b.m->state, st);
            assert_int_equal(core_refused_count(b.e), 1);
            b.m->state = M_WAIT_ROSTER;
            expect_refusal(&b);
            tear_down(&b);
        }
    assert_in_range(filled, 50, M_COUNT * ME_COUNT - 1);
}

/* A key in the channel and an offer to the member, so that every action finds what it works on. */
static void furnish(bench *b)
{
    assert_int_equal(keyset_next(b->e, b->ch, &b->ch->keys.current), POC_OK);
    b->m->offered_id = b->ch->keys.current->id;
    b->m->offer = ++b->e->offers;
    member_set_address(b->m, poc_span_str("address"));
}

static void a_filled_cell_of_the_channel_table_does_its_work(void **state)
{
    (void)state;
    for (unsigned st = 0; st < C_COUNT; st++)
        for (unsigned ev = 0; ev < CE_COUNT; ev++) {
            if (!channel_cell((channel_state)st, (channel_event)ev))
                continue;
            bench b;
            set_up(&b);
            furnish(&b);
            if (st == C_PREPARE)
                assert_int_equal(keyset_next(b.e, b.ch, &b.ch->keys.next), POC_OK);
            b.ch->state = (uint8_t)st;
            assert_int_equal(channel_do(b.e, b.ch, (channel_event)ev), POC_OK);
            assert_int_equal(core_refused_count(b.e), 0);
            assert_true(b.ch->state < C_COUNT);
            tear_down(&b);
        }
}

static bool is_reachable(unsigned st)
{
    return st == M_READY || st == M_OFFERED || st == M_PUSHED || st == M_KEYED || st == M_STALE;
}

static void a_filled_cell_of_the_member_table_does_its_work(void **state)
{
    (void)state;
    for (unsigned st = 0; st < M_COUNT; st++)
        for (unsigned ev = 0; ev < ME_COUNT; ev++) {
            if (!member_cell((member_state)st, (member_event)ev))
                continue;
            bench b;
            set_up(&b);
            furnish(&b);
            b.ch->state = C_ACTIVE;
            b.m->state = (uint8_t)st;
            b.ch->reachable = is_reachable(st);
            b.m->ways = CORE_BY_PUSH;
            if (st == M_OFFERED || st == M_PUSHED)
                rekey_count(b.m, true, false);
            assert_int_equal(member_do(b.e, b.m, (member_event)ev), POC_OK);
            assert_int_equal(core_refused_count(b.e), 0);
            assert_int_equal(b.ch->reachable, is_reachable(b.m->state));
            assert_int_equal(b.ch->outstanding, b.m->state == M_OFFERED || b.m->state == M_PUSHED);
            tear_down(&b);
        }
}

/* House 5.1: the write under way fails; what another channel asked for meanwhile still waits for a write of its own. */
static void a_failed_write_does_not_swallow_the_next_one(void **state)
{
    (void)state;
    bench b;
    core_effect effect;
    set_up(&b);
    core_channel_conf conf = { .id = "d", .group_uri = "sip:d@cf", .key_group = 2 };
    core_join join = { .channel = "d", .user = "sip:b@x", .multicast_capable = true };
    assert_int_equal(core_channel_add(b.e, 1000, &conf), POC_OK);
    core_credential again = { "sip:a@x", "a2@bsf", b.m->user->muk.key, 2000000 };
    assert_int_equal(core_authenticated(b.e, 1000, &again), POC_OK); /* a write, and nothing behind it */
    assert_true(core_poll(b.e, &effect));
    assert_int_equal(effect.type, CORE_DO_PERSIST);
    assert_int_equal(core_member_joined(b.e, 1000, &join), POC_OK);
    assert_false(core_poll(b.e, &effect));
    assert_int_equal(core_persisted(b.e, 1000, false), POC_OK);
    size_t records = 0;
    while (core_poll(b.e, &effect)) {
        if (effect.type != CORE_DO_PERSIST)
            continue;
        records += effect.u.persist.count;
        assert_int_equal(core_persisted(b.e, 1000, true), POC_OK);
    }
    assert_int_equal(records, 2); /* the user in c, once more, and the member of d */
    tear_down(&b);
}

static void limits_have_defaults_and_bounds(void **state)
{
    (void)state;
    core_policy p = { 0 };
    assert_int_equal(limits_policy(&p), POC_OK);
    assert_int_equal(p.deadline_ms, 2000);
    assert_int_equal(p.max_mtk, 65000);
    p.deadline_ms = 32001;
    assert_int_equal(limits_policy(&p), POC_E_INPUT);
    p = (core_policy){ .on_leave = CORE_LEAVE_BATCH };
    assert_int_equal(limits_policy(&p), POC_E_INPUT); /* no batch time */
    p = (core_policy){ .delivery = 4 };
    assert_int_equal(limits_policy(&p), POC_E_INPUT);
}

static void a_ring_keeps_its_order_when_it_grows(void **state)
{
    (void)state;
    core_ring r;
    ring_init(&r, sizeof(unsigned));
    unsigned in = 0, out = 0;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 40; i++)
            *(unsigned *)ring_push(&r) = in++;
        for (unsigned i = 0; i < 25; i++, ring_pop(&r))
            assert_int_equal(*(unsigned *)ring_at(&r, 0), out++);
    }
    assert_int_equal(r.count, in - out);
    ring_done(&r);
}

static void backoff_doubles_to_half_a_minute(void **state)
{
    (void)state;
    assert_int_equal(rekey_backoff_ms(0), 1000);
    assert_int_equal(rekey_backoff_ms(3), 8000);
    assert_int_equal(rekey_backoff_ms(5), 32000);
    assert_int_equal(rekey_backoff_ms(200), 32000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_cell_of_the_channel_table_refuses),
        cmocka_unit_test(an_empty_cell_of_the_member_table_refuses),
        cmocka_unit_test(a_filled_cell_of_the_channel_table_does_its_work),
        cmocka_unit_test(a_filled_cell_of_the_member_table_does_its_work),
        cmocka_unit_test(a_failed_write_does_not_swallow_the_next_one),
        cmocka_unit_test(limits_have_defaults_and_bounds),
        cmocka_unit_test(a_ring_keeps_its_order_when_it_grows),
        cmocka_unit_test(backoff_doubles_to_half_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
