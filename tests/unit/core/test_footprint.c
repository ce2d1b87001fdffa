/* What a hundred thousand members cost who are only pushed to: octets each, and nothing more for a rekey. Measured with the
 * allocator of the C library; under a sanitizer, which has its own, only the messages are counted. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pocpf/pocpf.h"
#include "tests/support/rng.h"

enum { MEMBERS = 20000, OCTETS_EACH = 600, NOW_MS = 1000 };

typedef struct crowd {
    pocpf *pf;
    test_rng chance;
    poc_rng rng;
    pocpf_secret *muk;
    unsigned pushes, persists;
} crowd;

static int host_random(void *user, uint8_t *out, size_t n)
{
    crowd *c = user;
    return c->rng.fill(c->rng.ctx, out, n) == POC_OK ? 0 : -1;
}

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void carry_out(crowd *c)
{
    pocpf_effect fx;
    while (pocpf_poll(c->pf, &fx)) {
        c->pushes += fx.type == POCPF_DO_PUSH;
        c->persists += fx.type == POCPF_DO_PERSIST;
        if (fx.type == POCPF_DO_PERSIST)
            assert_int_equal(pocpf_persisted(c->pf, NOW_MS, true), POCPF_OK);
        if (fx.type == POCPF_DO_ENABLER_START)
            assert_int_equal(pocpf_enabler_changed(c->pf, NOW_MS, "c", POCPF_ENABLER_STARTED), POCPF_OK);
    }
}

static void found(crowd *c)
{
    static const uint8_t naf_id[] = "pf.poc.example\x01\x00\x00\x00\x01";
    uint8_t key[32] = { 1 };
    *c = (crowd){ 0 };
    c->rng = test_rng_of(&c->chance, 1);
    c->muk = pocpf_secret_new(key, sizeof(key));
    pocpf_host host = { .size = sizeof(host), .user = c, .random = host_random };
    pocpf_settings set = {
        .size = sizeof(set), .naf_id = naf_id, .naf_id_len = sizeof(naf_id) - 1, .store_key = c->muk
    };
    pocpf_channel conf = { .size = sizeof(conf), .id = "c", .key_group = 1, .rekey.delivery = POCPF_BY_PUSH };
    assert_int_equal(pocpf_new(&c->pf, &host, &set), POCPF_OK);
    assert_int_equal(pocpf_channel_add(c->pf, NOW_MS, &conf), POCPF_OK);
    assert_int_equal(pocpf_restored(c->pf, NOW_MS), POCPF_OK);
}

static void enrol(crowd *c, unsigned i)
{
    char user[32], btid[48];
    (void)snprintf(user, sizeof(user), "sip:user%06u@example.com", i);
    (void)snprintf(btid, sizeof(btid), "%022u==@bsf.example", i);
    pocpf_credential credential = { sizeof(credential), user, btid, c->muk, 100000000 };
    pocpf_registration registration = { sizeof(registration), "c", user, &i, sizeof(i) };
    assert_int_equal(pocpf_authenticated(c->pf, NOW_MS, &credential), POCPF_OK);
    assert_int_equal(pocpf_registered(c->pf, NOW_MS, &registration), POCPF_OK);
    carry_out(c);
}

/* House 5.7 */
static void a_member_who_is_pushed_to_costs_what_the_door_says_and_a_rekey_nothing(void **state)
{
    (void)state;
    crowd c;
    found(&c);
    size_t before = in_use();
    for (unsigned i = 0; i < MEMBERS; i++)
        enrol(&c, i);
    size_t each = (in_use() - before) / MEMBERS;
    print_message("%zu octets for each of %u members\n", each, (unsigned)MEMBERS);
    assert_true(each <= OCTETS_EACH);
    c.pushes = c.persists = 0;
    before = in_use();
    assert_int_equal(pocpf_rekey(c.pf, NOW_MS, "c"), POCPF_OK);
    carry_out(&c);
    assert_int_equal(c.pushes, MEMBERS);
    assert_int_equal(c.persists, 1);
    assert_in_range(in_use() - before, 0, 1024); /* the new key */
    pocpf_free(c.pf);
    pocpf_secret_free(c.muk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_who_is_pushed_to_costs_what_the_door_says_and_a_rekey_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
