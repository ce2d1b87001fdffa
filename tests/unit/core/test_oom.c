/* Memory that fails at every allocation in turn: the call says so, nothing has changed, and the same call made again
 * leads to the same end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pocpf/pocpf.h"
#include "tests/support/oom.h"
#include "tests/support/rng.h"

enum { USERS = 3 };

typedef struct story {
    test_rng chance;
    poc_rng rng;
    pocpf *pf;
    bool failed; /* an allocation did */
    uint64_t offers[USERS];
    unsigned offered, pushed, updates, expelled;
    uint32_t version;
} story;

static const uint8_t naf_id[] = "pf.poc.example\x01\x00\x00\x00\x01";
static const char *const names[USERS] = { "sip:a@x.example", "sip:b@x.example", "sip:c@x.example" };

static int host_random(void *user, uint8_t *out, size_t n)
{
    story *st = user;
    return st->rng.fill(st->rng.ctx, out, n) == POC_OK ? 0 : -1;
}

/* Once more after a failure: only possible when the failure left everything as it was. */
#define CALL(st, call)                    \
    do {                                  \
        pocpf_err call_err_ = (call);     \
        if (call_err_ == POCPF_E_NOMEM) { \
            (st)->failed = true;          \
            call_err_ = (call);           \
        }                                 \
        if (call_err_ != POCPF_OK)        \
            return (poc_err)call_err_;    \
    } while (0)

static poc_err carry_out(story *st)
{
    pocpf_effect fx;
    while (pocpf_poll(st->pf, &fx)) {
        if (fx.type == POCPF_DO_PERSIST)
            CALL(st, pocpf_persisted(st->pf, 1000, true));
        if (fx.type == POCPF_DO_ENABLER_START)
            CALL(st, pocpf_enabler_changed(st->pf, 1000, "c", POCPF_ENABLER_STARTED));
        st->pushed += fx.type == POCPF_DO_PUSH;
        st->updates += fx.type == POCPF_DO_ENABLER_UPDATE;
        st->expelled += fx.type == POCPF_DO_AUDIT && fx.u.audit.what == POCPF_AUDIT_MEMBER_EXPELLED;
        for (size_t i = 0; fx.type == POCPF_DO_OFFER && i < USERS; i++)
            if (strcmp(fx.user, names[i]) == 0)
                st->offers[i] = fx.u.offer.number, st->offered++;
    }
    return POC_OK;
}

static poc_err answer_all(story *st)
{
    for (size_t i = 0; i < USERS; i++) {
        uint64_t number = st->offers[i];
        st->offers[i] = 0;
        if (number != 0)
            CALL(st, pocpf_offer_answered(st->pf, 1000, "c", names[i], number, POCPF_ANSWER_ACCEPTED, NULL, 0));
    }
    return carry_out(st);
}

static poc_err join_one(story *st, const char *name, const pocpf_secret *muk)
{
    pocpf_credential credential = { sizeof(credential), name, "b@bsf.example", muk, 1000000 };
    pocpf_join join = { sizeof(join), "c", name, true, "dialog", 6, NULL, 0 };
    CALL(st, pocpf_authenticated(st->pf, 1000, &credential));
    CALL(st, pocpf_member_joined(st->pf, 1000, &join));
    return carry_out(st);
}

static poc_err see_all(story *st)
{
    pocpf_conf_endpoint eps[USERS] = { { 0 } };
    pocpf_conf_user users[USERS] = { { 0 } };
    for (size_t i = 0; i < USERS; i++) {
        eps[i] = (pocpf_conf_endpoint){ .entity = names[i], .status = POCPF_CONF_CONNECTED };
        users[i] = (pocpf_conf_user){ .entity = names[i], .endpoints = &eps[i], .endpoint_count = 1 };
    }
    pocpf_conference doc = {
        .size = sizeof(doc), .version = ++st->version, .has_users = true, .users = users, .user_count_listed = USERS
    };
    CALL(st, pocpf_subscription_changed(st->pf, 1000, "c", POCPF_SUB_ACTIVE, true, 0));
    CALL(st, pocpf_conference_info(st->pf, 1000, "c", &doc));
    return carry_out(st);
}

/* By push, with a MUK of his own and another later; then he asks, is asked, and goes. */
static poc_err register_one(story *st, const char *name, pocpf_secret *muks[2])
{
    pocpf_registration registration = { sizeof(registration), "c", name, "there", 5 };
    for (size_t i = 0; i < 2; i++) {
        pocpf_credential credential = { sizeof(credential), name, i == 0 ? "d@bsf" : "e@bsf", muks[i], 1000000 };
        CALL(st, pocpf_authenticated(st->pf, 1000, &credential));
        CALL(st, pocpf_registered(st->pf, 1000, &registration));
        POC_TRY(carry_out(st));
    }
    pocpf_msk_request request = { .size = sizeof(request), .user = name, .msk_id = 0x00010000 };
    CALL(st, pocpf_msk_requested(st->pf, 1000, &request));
    CALL(st, pocpf_solicit(st->pf, 1000, "c", name));
    pocpf_tick(st->pf, 1000);
    return carry_out(st);
}

static poc_err bar_one(story *st, const char *name)
{
    CALL(st, pocpf_member_departed(st->pf, 1000, "c", name, POCPF_EXPELLED));
    POC_TRY(carry_out(st));
    POC_TRY(answer_all(st));
    CALL(st, pocpf_admit(st->pf, 1000, "c", name));
    return carry_out(st);
}

/* He left with the key: a call that failed half-way must not have forgotten that when it is made again. */
static poc_err lock_out_leaver(story *st, const char *name)
{
    const unsigned updates = st->updates;
    pocpf_expulsion done = { .size = sizeof(done) };
    CALL(st, pocpf_member_departed(st->pf, 1000, "c", name, POCPF_LEFT));
    CALL(st, pocpf_expel(st->pf, 1000, "c", name, &done));
    POC_TRY(carry_out(st));
    POC_TRY(answer_all(st));
    return done.barred && done.rekeyed && !done.was_member && st->updates == updates + 1 ? POC_OK : POC_E_BUG;
}

/* Bars of a channel that comes later, by a reload. */
static poc_err wait_for_channel(story *st)
{
    static const uint8_t bars[2][9] = { "bl\0sip:x", "bl\0sip:y" }, values[2] = { 1, 2 };
    const pocpf_channel conf = { .size = sizeof(conf), .id = "l", .group_uri = "sip:l@cf", .key_group = 2 };
    for (size_t i = 0; i < 2; i++)
        CALL(st, pocpf_restore(st->pf, bars[i], 8, &values[i], 1));
    CALL(st, pocpf_restored(st->pf, 1000));
    CALL(st, pocpf_channel_add(st->pf, 1000, &conf));
    const bool is_barred = pocpf_is_barred(st->pf, "l", "sip:x") && pocpf_is_barred(st->pf, "l", "sip:y");
    return is_barred && pocpf_join_check(st->pf, "l", "sip:x") == POCPF_OK ? POC_OK : POC_E_BUG;
}

static poc_err tell(story *st, pocpf_secret *muk, pocpf_secret *other)
{
    pocpf_channel conf = { .size = sizeof(conf), .id = "c", .group_uri = "sip:g@cf", .key_group = 1 };
    CALL(st, pocpf_channel_add(st->pf, 1000, &conf));
    POC_TRY(wait_for_channel(st));
    for (size_t i = 0; i < USERS; i++)
        POC_TRY(join_one(st, names[i], muk));
    POC_TRY(see_all(st));
    POC_TRY(answer_all(st));
    CALL(st, pocpf_member_departed(st->pf, 1000, "c", names[1], POCPF_EXPELLED));
    POC_TRY(carry_out(st));
    POC_TRY(answer_all(st));
    pocpf_secret *muks[2] = { muk, other };
    POC_TRY(register_one(st, "sip:d@x.example", muks));
    POC_TRY(bar_one(st, "sip:d@x.example"));
    bool told_all = st->offered == 7 && st->pushed >= 3 && st->updates == 2 && st->expelled == 2;
    return told_all ? lock_out_leaver(st, names[0]) : POC_E_BUG;
}

static poc_err begin(story *st)
{
    uint8_t bytes[32] = { 9 };
    pocpf_host host = { .size = sizeof(host), .user = st, .random = host_random };
    pocpf_secret *key = pocpf_secret_new(bytes, sizeof(bytes));
    pocpf_settings set = { .size = sizeof(set), .naf_id = naf_id, .naf_id_len = sizeof(naf_id) - 1, .store_key = key };
    pocpf_err err = key == NULL ? POCPF_E_NOMEM : pocpf_new(&st->pf, &host, &set);
    pocpf_secret_free(key);
    return (poc_err)err;
}

static poc_err live(void *ctx)
{
    story st = { 0 };
    uint8_t bytes[32] = { 5 };
    (void)ctx;
    st.rng = test_rng_of(&st.chance, 1);
    POC_TRY(begin(&st));
    pocpf_secret *muk = pocpf_secret_new(bytes, sizeof(bytes));
    bytes[0]++;
    pocpf_secret *other = pocpf_secret_new(bytes, sizeof(bytes));
    poc_err err = muk == NULL || other == NULL ? POC_E_NOMEM : tell(&st, muk, other);
    pocpf_secret_free(muk);
    pocpf_secret_free(other);
    pocpf_free(st.pf);
    return err == POC_OK && st.failed ? POC_E_NOMEM : err;
}

static void a_call_without_memory_changes_nothing_and_can_be_repeated(void **state)
{
    (void)state;
    oom_report report;
    if (!oom_every_allocation(live, NULL, &report))
        fail_msg("run %zu: %s, %zu secrets left", report.runs, poc_err_name(report.err), report.secrets_left);
    assert_in_range(report.runs, 30, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_without_memory_changes_nothing_and_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
