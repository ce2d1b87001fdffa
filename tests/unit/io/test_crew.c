/* Work that is cut into slices: the crew does each once, and an engine whose host spreads its sealing says and writes the
 * same as one that seals by itself, octet for octet and in the same order. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pf/io/crew.h"
#include "pocpf/pocpf.h"
#include "tests/support/rng.h"

/* ---- the crew ---- */

enum { SLICES = 1000 };

typedef struct sheet {
    unsigned plain[SLICES]; /* written without any lock: each by one */
    atomic_uint done, here;
} sheet;

static void tick(void *ctx, size_t slice)
{
    sheet *s = ctx;
    s->plain[slice]++;
    atomic_fetch_add(&s->done, 1);
}

static void every_slice_is_done_once_when_the_call_returns(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 1, 2, 5 };
    for (size_t i = 0; i < POC_COUNT(sizes); i++) {
        crew *c;
        sheet s = { 0 };
        assert_int_equal(crew_new(&c, sizes[i]), POC_OK);
        assert_int_equal(crew_size(c), sizes[i]);
        for (size_t slices = 0; slices <= SLICES; slices += slices < 8 ? 1 : 124) {
            memset(s.plain, 0, sizeof(s.plain));
            atomic_store(&s.done, 0);
            crew_spread(c, tick, &s, slices);
            assert_int_equal(atomic_load(&s.done), slices);
            for (size_t k = 0; k < SLICES; k++)
                assert_int_equal(s.plain[k], k < slices);
        }
        crew_free(c);
    }
}

/* Slices that end only when as many are at work as there are threads. */
static void meet(void *ctx, size_t slice)
{
    sheet *s = ctx;
    (void)slice;
    atomic_fetch_add(&s->here, 1);
    while (atomic_load(&s->here) < 3)
        sched_yield();
}

static void slices_run_at_the_same_time_on_as_many_threads_as_the_crew_has(void **state)
{
    (void)state;
    crew *c;
    sheet s = { 0 };
    assert_int_equal(crew_new(&c, 3), POC_OK);
    crew_spread(c, meet, &s, 3);
    assert_int_equal(atomic_load(&s.here), 3);
    crew_free(c);
}

static void a_crew_of_nought_has_a_thread_for_each_processor_and_one_too_large_is_refused(void **state)
{
    (void)state;
    crew *c;
    assert_int_equal(crew_new(&c, CREW_MAX + 1), POC_E_LIMIT);
    assert_null(c);
    assert_int_equal(crew_new(&c, 0), POC_OK);
    assert_in_range(crew_size(c), 1, CREW_MAX);
    crew_free(c);
    crew_free(NULL);
}

/* ---- an engine's history ---- */

enum { PUSHED = 1000, BY_SIP = 150, CHANNELS = 2, START_MS = 1000, TOLD_OCTETS = 64 << 20 };

typedef void spread_fn(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices);

typedef struct history {
    pocpf *pf;
    pocpf_secret *store_key;
    test_rng chance;
    poc_rng rng;
    int64_t now_ms;
    poc_wr told; /* all that the engine said, in its order */
    size_t polls, messages;
    crew *crew;
    size_t spreads, widest;
    spread_fn *spread;
} history;

static const char *const channels[CHANNELS] = { "north", "south" };

static void backwards(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices)
{
    (void)user;
    while (slices > 0)
        work(ctx, --slices);
}

static void together(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices)
{
    crew_spread(((history *)user)->crew, work, ctx, slices);
}

static void host_spread(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices)
{
    history *h = user;
    h->spreads++;
    h->widest = slices > h->widest ? slices : h->widest;
    h->spread(user, work, ctx, slices);
}

static int host_random(void *user, uint8_t *out, size_t n)
{
    history *h = user;
    return h->rng.fill(h->rng.ctx, out, n) == POC_OK ? 0 : -1;
}

static void note(history *h, const void *p, size_t n)
{
    poc_wr_u32(&h->told, (uint32_t)n);
    poc_wr_put(&h->told, p, n);
}

static void note_text(history *h, const char *text)
{
    note(h, text, text == NULL ? 0 : strlen(text));
}

static void carry_out(history *h, const pocpf_effect *fx)
{
    poc_wr_u32(&h->told, (uint32_t)fx->type);
    note_text(h, fx->channel);
    note_text(h, fx->user);
    switch (fx->type) {
    case POCPF_DO_PERSIST:
        for (size_t i = 0; i < fx->u.persist.count; i++) {
            note(h, fx->u.persist.records[i].key, fx->u.persist.records[i].key_len);
            note(h, fx->u.persist.records[i].value, fx->u.persist.records[i].value_len);
        }
        assert_int_equal(pocpf_persisted(h->pf, h->now_ms, true), POCPF_OK);
        break;
    case POCPF_DO_PUSH:
        note(h, fx->u.push.mikey, fx->u.push.mikey_len);
        note(h, fx->u.push.address, fx->u.push.address_len);
        h->messages++;
        break;
    case POCPF_DO_OFFER:
        note(h, fx->u.offer.mikey, fx->u.offer.mikey_len);
        h->messages++;
        break;
    case POCPF_DO_ENABLER_START:
        assert_int_equal(pocpf_enabler_changed(h->pf, h->now_ms, fx->channel, POCPF_ENABLER_STARTED), POCPF_OK);
        break;
    default:
        break;
    }
}

static const char *user_of(size_t i)
{
    static char user[40];
    (void)snprintf(user, sizeof(user), "sip:user%05zu@example.com", i);
    return user;
}

/* Each time with another MUK; B-TIDs of all lengths. */
static void authenticate(history *h, size_t i)
{
    char btid[64];
    uint8_t key[32];
    assert_int_equal(host_random(h, key, sizeof(key)), 0);
    (void)snprintf(btid, sizeof(btid), "%0*zu@bsf.example", (int)(22 + i % 19), i);
    pocpf_secret *muk = pocpf_secret_new(key, sizeof(key));
    pocpf_credential credential = { sizeof(credential), user_of(i), btid, muk, 100000000 };
    assert_int_equal(pocpf_authenticated(h->pf, h->now_ms, &credential), POCPF_OK);
    pocpf_secret_free(muk);
}

static void enrol(history *h, size_t i)
{
    uint32_t address = (uint32_t)i;
    const char *channel = channels[i % 3 == 0];
    authenticate(h, i);
    pocpf_registration registration = { sizeof(registration), channel, user_of(i), &address, sizeof(address) };
    assert_int_equal(pocpf_registered(h->pf, h->now_ms, &registration), POCPF_OK);
}

static void join(history *h, size_t i)
{
    authenticate(h, i);
    pocpf_join join = { .size = sizeof(join),
                        .channel = channels[0],
                        .user = user_of(i),
                        .multicast_capable = true,
                        .dialog = "dialog",
                        .dialog_len = 6,
                        .push_address = i % 2 == 0 ? &i : NULL,
                        .push_address_len = i % 2 == 0 ? sizeof(i) : 0 };
    assert_int_equal(pocpf_member_joined(h->pf, h->now_ms, &join), POCPF_OK);
}

/* In the middle of a batch: a MUK that changes, one who goes, one who is asked to pull, one who pulls, one who is thrown out. */
static void disturb(history *h)
{
    switch (h->polls % 211) {
    case 50:
        authenticate(h, h->polls % PUSHED);
        break;
    case 90:
        (void)pocpf_deregistered(h->pf, h->now_ms, channels[0], user_of(h->polls % PUSHED));
        break;
    case 130:
        (void)pocpf_solicit(h->pf, h->now_ms, channels[1], user_of(h->polls % PUSHED));
        break;
    case 170:
        (void)pocpf_msk_requested(h->pf, h->now_ms,
                                  &(pocpf_msk_request){ .size = sizeof(pocpf_msk_request),
                                                        .user = user_of(h->polls % PUSHED),
                                                        .msk_id = 0x10010000 });
        break;
    case 210:
        if (h->polls % 5 == 0)
            (void)pocpf_member_departed(h->pf, h->now_ms, channels[0], user_of(h->polls % PUSHED), POCPF_EXPELLED);
        break;
    default:
        break;
    }
}

static void poll_all(history *h, bool with_disturbance)
{
    pocpf_effect fx;
    while (pocpf_poll(h->pf, &fx)) {
        carry_out(h, &fx);
        h->polls++;
        if (with_disturbance)
            disturb(h);
    }
}

static void found(history *h, spread_fn *spread)
{
    static const uint8_t naf_id[] = "pf.poc.example\x01\x00\x00\x00\x01", key[32] = { 1 };
    *h = (history){ .now_ms = START_MS, .spread = spread };
    h->rng = test_rng_of(&h->chance, 42);
    uint8_t *told = malloc(TOLD_OCTETS);
    assert_non_null(told);
    h->told = poc_wr_into(told, TOLD_OCTETS);
    h->store_key = pocpf_secret_new(key, sizeof(key));
    assert_int_equal(crew_new(&h->crew, 4), POC_OK);
    const pocpf_host host = {
        .size = sizeof(host), .user = h, .random = host_random, .spread = spread == NULL ? NULL : host_spread
    };
    const pocpf_settings set = { .size = sizeof(set),
                                 .naf_id = naf_id,
                                 .naf_id_len = sizeof(naf_id) - 1,
                                 .store_key = h->store_key,
                                 .offer_window = 1000,
                                 .sdp_ids = true,
                                 .require_verification = true };
    assert_int_equal(pocpf_new(&h->pf, &host, &set), POCPF_OK);
    for (uint16_t i = 0; i < CHANNELS; i++) {
        const pocpf_channel conf = { .size = sizeof(conf),
                                     .id = channels[i],
                                     .group_uri = i == 0 ? "sip:north@cf.example" : NULL,
                                     .key_group = (uint16_t)(0x1001 + i),
                                     .rekey = { .delivery = i == 0 ? POCPF_BY_PUSH | POCPF_BY_SIP : POCPF_BY_PUSH } };
        assert_int_equal(pocpf_channel_add(h->pf, h->now_ms, &conf), POCPF_OK);
    }
    assert_int_equal(pocpf_restored(h->pf, h->now_ms), POCPF_OK);
}

static void live(history *h)
{
    for (size_t i = 0; i < PUSHED + BY_SIP; i++) {
        if (i < PUSHED)
            enrol(h, i);
        else
            join(h, i);
        if (i % 400 == 399)
            poll_all(h, false);
    }
    poll_all(h, false);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < CHANNELS; i++)
            (void)pocpf_rekey(h->pf, h->now_ms, channels[i]);
        poll_all(h, true);
        for (int i = 0; i < 4; i++) { /* and all again, for nobody answers */
            h->now_ms += 1000;
            pocpf_tick(h->pf, h->now_ms);
            poll_all(h, true);
        }
    }
}

static void end(history *h)
{
    pocpf_free(h->pf);
    crew_free(h->crew);
    pocpf_secret_free(h->store_key);
    free(h->told.buf);
}

/* House 5.1, 5.3 */
static void an_engine_says_the_same_whoever_seals_for_it_and_in_whatever_order(void **state)
{
    (void)state;
    static spread_fn *const ways[] = { backwards, together };
    history plain;
    found(&plain, NULL);
    live(&plain);
    assert_true(plain.messages > 5 * (PUSHED + BY_SIP));
    for (size_t i = 0; i < POC_COUNT(ways); i++) {
        history h;
        found(&h, ways[i]);
        live(&h);
        assert_true(h.spreads > 10);
        assert_in_range(h.widest, 8, 16);
        assert_int_equal(poc_wr_done(&h.told), POC_OK);
        assert_int_equal(h.told.len, plain.told.len);
        assert_memory_equal(h.told.buf, plain.told.buf, plain.told.len);
        end(&h);
    }
    end(&plain);
}

static void a_host_from_before_there_was_spreading_seals_by_itself(void **state)
{
    (void)state;
    history h;
    found(&h, NULL);
    pocpf *pf;
    const pocpf_settings set = { .size = sizeof(set),
                                 .naf_id = (const uint8_t *)"pf\x01\x00\x00\x00\x01",
                                 .naf_id_len = 7,
                                 .store_key = h.store_key };
    pocpf_host host = {
        .size = offsetof(pocpf_host, spread), .user = &h, .random = host_random, .spread = host_spread
    };
    assert_int_equal(pocpf_new(&pf, &host, &set), POCPF_OK);
    pocpf_free(h.pf);
    h.pf = pf;
    const pocpf_channel conf = {
        .size = sizeof(conf), .id = channels[0], .key_group = 7, .rekey = { .delivery = POCPF_BY_PUSH }
    };
    assert_int_equal(pocpf_channel_add(pf, h.now_ms, &conf), POCPF_OK);
    assert_int_equal(pocpf_restored(pf, h.now_ms), POCPF_OK);
    for (size_t i = 0; i < 300; i++)
        if (i % 3 != 0)
            enrol(&h, i);
    poll_all(&h, false);
    assert_int_equal(h.messages, 200);
    assert_int_equal(h.spreads, 0);
    host.size--;
    assert_int_equal(pocpf_new(&pf, &host, &set), POCPF_E_INPUT);
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slice_is_done_once_when_the_call_returns),
        cmocka_unit_test(slices_run_at_the_same_time_on_as_many_threads_as_the_crew_has),
        cmocka_unit_test(a_crew_of_nought_has_a_thread_for_each_processor_and_one_too_large_is_refused),
        cmocka_unit_test(an_engine_says_the_same_whoever_seals_for_it_and_in_whatever_order),
        cmocka_unit_test(a_host_from_before_there_was_spreading_seals_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
