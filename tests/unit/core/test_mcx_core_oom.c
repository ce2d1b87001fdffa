/* Mission critical services with memory that fails at every allocation in turn: a call says so and can be made again, with the
 * very message that it was made with; what is made while effects are handed out is tried again later. */
#include <stdio.h>
#include <string.h>

#include "tests/support/oom.h"
#include "tests/unit/core/mcx_office.h"

#define CHANNEL "region"
#define CSK(n)  (0x20000000u + (n))

enum { USERS = 2, PATIENCE = 60 };

static const uint8_t naf_id[] = "pf.poc.example\x01\x00\x00\x00\x01";
static const char *const impus[USERS] = { ALICE_IMPU, BOB_IMPU };
static const char *const mc_ids[USERS] = { ALICE_ID, BOB_ID };

/* Made once, while memory lasts. */
typedef struct mail {
    mcx_town *town;
    pocpf_mcx_kms *kms;
    uint8_t octets[USERS][MIKEY_MESSAGE_MAX];
    size_t len[USERS];
} mail;

typedef struct story {
    const mail *mail;
    pocpf *pf;
    test_rng chance;
    poc_rng rng;
    int64_t now_ms;
    bool failed; /* an allocation did */
    uint32_t air_id;
    unsigned revoked;
} story;

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
    for (pocpf_effect fx; pocpf_poll(st->pf, &fx);) {
        if (fx.type == POCPF_DO_PERSIST)
            CALL(st, pocpf_persisted(st->pf, st->now_ms, true));
        if (fx.type == POCPF_DO_ENABLER_START || fx.type == POCPF_DO_ENABLER_UPDATE)
            st->air_id = fx.u.enabler.msk_id;
        if (fx.type == POCPF_DO_ENABLER_START)
            CALL(st, pocpf_enabler_changed(st->pf, st->now_ms, CHANNEL, POCPF_ENABLER_STARTED));
        if (fx.type == POCPF_DO_ENABLER_STOP)
            CALL(st, pocpf_enabler_changed(st->pf, st->now_ms, CHANNEL, POCPF_ENABLER_STOPPED));
        if (fx.type != POCPF_DO_DOWNLOAD)
            continue;
        char user[64];
        (void)snprintf(user, sizeof(user), "%s", fx.user);
        const uint64_t number = fx.u.download.number;
        st->revoked += fx.u.download.revokes;
        CALL(st, pocpf_download_answered(st->pf, st->now_ms, user, number, true));
    }
    return POC_OK;
}

static bool is_keyed(const story *st, const char *impu)
{
    pocpf_member_status m = { .size = sizeof(m) };
    pocpf_channel_status ch = { .size = sizeof(ch) };
    const bool is_in = pocpf_member_look(st->pf, CHANNEL, impu, &m) == POCPF_OK &&
                       pocpf_channel_look(st->pf, CHANNEL, &ch) == POCPF_OK;
    return is_in && strcmp(m.state, "keyed") == 0 && m.msk_id == ch.msk_id && strcmp(ch.state, "active") == 0;
}

/* What failed meanwhile is tried again by itself. */
static poc_err wait_for(story *st, const char *impu)
{
    POC_TRY(carry_out(st));
    for (int i = 0; i < PATIENCE && !is_keyed(st, impu); i++) {
        const int64_t next_ms = pocpf_deadline_ms(st->pf);
        st->now_ms = next_ms == INT64_MAX || next_ms < st->now_ms ? st->now_ms + 1 : next_ms;
        pocpf_tick(st->pf, st->now_ms);
        POC_TRY(carry_out(st));
    }
    return is_keyed(st, impu) ? POC_OK : POC_E_BUG;
}

static pocpf_err prove(void *ctx, uint32_t csk_id, const pocpf_secret *csk, const char *sender,
                       char mc_id[POCPF_MC_ID_MAX])
{
    (void)csk_id, (void)csk, (void)sender;
    (void)snprintf(mc_id, POCPF_MC_ID_MAX, "%s", (const char *)ctx);
    return POCPF_OK;
}

static poc_err bring(story *st, size_t i)
{
    const pocpf_csk_upload upload = { .size = sizeof(upload),
                                      .impu = impus[i],
                                      .i_message = st->mail->octets[i],
                                      .len = st->mail->len[i],
                                      .prove = prove,
                                      .prove_ctx = (void *)(uintptr_t)mc_ids[i] };
    pocpf_csk_result result = { .size = sizeof(result) };
    CALL(st, pocpf_csk_uploaded(st->pf, st->now_ms, &upload, &result));
    CALL(st, pocpf_mcx_joined(st->pf, st->now_ms, CHANNEL, impus[i]));
    return wait_for(st, impus[i]);
}

static poc_err tell(story *st)
{
    const pocpf_channel channel = {
        .size = sizeof(channel), .id = CHANNEL, .kind = POCPF_KIND_MUSIK, .musik = { .text = "North" }
    };
    const pocpf_mcx_identity own = { sizeof(own), st->mail->town->server, true };
    CALL(st, pocpf_channel_add(st->pf, st->now_ms, &channel));
    CALL(st, pocpf_restored(st->pf, st->now_ms));
    CALL(st, pocpf_mcx_identity_add(st->pf, st->now_ms, &own));
    CALL(st, pocpf_mcx_kms_add(st->pf, st->now_ms, st->mail->kms));
    for (size_t i = 0; i < USERS; i++)
        POC_TRY(bring(st, i));
    const uint32_t before = st->air_id;
    CALL(st, pocpf_member_departed(st->pf, st->now_ms, CHANNEL, BOB_IMPU, POCPF_EXPELLED));
    POC_TRY(wait_for(st, ALICE_IMPU));
    if (st->air_id == before || pocpf_mcx_joined(st->pf, st->now_ms, CHANNEL, BOB_IMPU) != POCPF_E_DENIED)
        return POC_E_BUG;
    CALL(st, pocpf_admit(st->pf, st->now_ms, CHANNEL, BOB_IMPU));
    CALL(st, pocpf_expel(st->pf, st->now_ms, CHANNEL, mc_ids[1], NULL));
    CALL(st, pocpf_admit(st->pf, st->now_ms, CHANNEL, mc_ids[1]));
    CALL(st, pocpf_mcx_logged_off(st->pf, st->now_ms, ALICE_IMPU));
    CALL(st, pocpf_mcx_logged_off(st->pf, st->now_ms, BOB_IMPU));
    CALL(st, pocpf_mcx_kms_remove(st->pf, st->now_ms, OTHER_KMS));
    return carry_out(st);
}

static poc_err live(void *ctx)
{
    story st = { .mail = ctx, .now_ms = OFFICE_NOW_MS };
    const uint8_t bytes[32] = { 9 };
    st.rng = test_rng_of(&st.chance, 1);
    pocpf_secret *key = pocpf_secret_new(bytes, sizeof(bytes));
    const pocpf_host host = { .size = sizeof(host), .user = &st, .random = host_random };
    const pocpf_settings set = {
        .size = sizeof(set), .naf_id = naf_id, .naf_id_len = sizeof(naf_id) - 1, .members_max = 10, .store_key = key
    };
    poc_err err = key == NULL ? POC_E_NOMEM : (poc_err)pocpf_new(&st.pf, &host, &set);
    pocpf_secret_free(key);
    if (err == POC_OK)
        err = tell(&st);
    pocpf_free(st.pf);
    return err == POC_OK && st.failed ? POC_E_NOMEM : err;
}

static pocpf_mcx_kms *other_kms(const mcx_town *t)
{
    const pocpf_mcx_certificate c = { .size = sizeof(c),
                                      .kms_uri = OTHER_KMS,
                                      .period_s = t->other_certificate.period_s,
                                      .offset_s = t->other_certificate.offset_s,
                                      .z = mcx_kms_z(t->other_kms).p,
                                      .kpak = mcx_kms_kpak(t->other_kms).p };
    pocpf_mcx_kms *kms;
    assert_int_equal(pocpf_mcx_kms_new(&kms, &c), POCPF_OK);
    return kms;
}

static void a_call_without_memory_changes_nothing_and_can_be_repeated_with_the_same_message(void **state)
{
    mail m = { .town = *state };
    oom_report report;
    office *o = office_new(m.town);
    m.kms = other_kms(m.town);
    m.len[0] = office_seal(o, &m.town->alice, CSK(1), NULL, 0, m.octets[0]);
    m.len[1] = office_seal(o, &m.town->bob, CSK(2), NULL, 0, m.octets[1]);
    const bool is_good = oom_every_allocation(live, &m, &report);
    office_free(o);
    pocpf_mcx_kms_free(m.kms);
    if (!is_good)
        fail_msg("run %zu: %s, %zu secrets left", report.runs, poc_err_name(report.err), report.secrets_left);
    assert_in_range(report.runs, 30, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_without_memory_changes_nothing_and_can_be_repeated_with_the_same_message),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
