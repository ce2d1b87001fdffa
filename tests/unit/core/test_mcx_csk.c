/* Client-server keys at the engine: uploads, what refuses them, what survives, other algorithms, downloads. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/core/mcx_office.h"

#define CSK(n) (0x20000000u + (n))

static bool look(const office *o, const char *user, uint32_t id, pocpf_csk_status *out)
{
    *out = (pocpf_csk_status){ .size = sizeof(*out) };
    return pocpf_csk_look(o->pf, user, id, out) == POCPF_OK;
}

static office *open_office(void **state)
{
    office *o = office_new(*state);
    office_boot(o);
    return o;
}

/* MCX-5, MCX-11, MCX-17, MCX-19, MCX-21, MCX-28 */
static void uploads_as_the_vectors_have_them_are_bound_once_they_are_durable(void **state)
{
    static const char *const names[] = { "csk_upload_minimal", "csk_upload_hidden_full" };
    office *o = open_office(state);
    for (size_t i = 0; i < POC_COUNT(names); i++) {
        const json_t *m = mcx_message(o->town->vectors, "ts33180_own", names[i]);
        const vec_bytes octets = mcx_octets(m), key = vec_hex(m, "key"), rand = vec_hex(m, "rand");
        const uint32_t id = mcx_number(m, "key_id");
        pocpf_csk_status s;
        o->store_holds = true;
        assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets.b, octets.n, NULL), POCPF_OK);
        office_run(o);
        office_expect(o, "PERSIST ");
        assert_false(look(o, ALICE_IMPU, id, &s));
        assert_int_equal(pocpf_persisted(o->pf, o->now_ms, true), POCPF_OK);
        o->store_holds = false;
        office_run(o);
        assert_non_null(strstr(o->text, i == 0 ? "BOUND:2a5b6c7d csk_bound " : "BOUND:21234567 csk_bound "));
        o->text[0] = '\0';
        assert_true(look(o, ALICE_IMPU, 0, &s));
        assert_int_equal(s.csk_id, id);
        assert_string_equal(s.mc_id, ALICE_ID);
        assert_memory_equal(poc_secret_bytes(s.key), key.b, 16);
        assert_memory_equal(s.rand, rand.b, 16);
        assert_int_equal(s.cs_id, 6);
        assert_true(s.encr == 6 && s.key_len == 16 && s.tag_len == 16);
    }
    office_free(o);
}

/* MCX-21 */
static void the_previous_key_stays_good_and_both_are_found_by_id_and_user(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s;
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(i)), POCPF_OK);
        office_run(o);
    }
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(3) && s.is_current);
    assert_true(look(o, ALICE_ID, CSK(2), &s) && !s.is_current);
    assert_false(look(o, ALICE_IMPU, CSK(1), &s));
    assert_false(look(o, BOB_IMPU, CSK(3), &s));
    office_free(o);
}

/* MCX-21 */
static void a_key_id_of_another_user_and_another_key_under_ones_own_id_are_refused(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s;
    uint8_t before[16];
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    office_run(o);
    assert_true(look(o, ALICE_IMPU, CSK(1), &s));
    memcpy(before, poc_secret_bytes(s.key), sizeof(before));
    o->text[0] = '\0';
    assert_int_equal(office_bring(o, &o->town->bob, BOB_IMPU, CSK(1)), POCPF_E_DENIED);
    assert_int_equal(office_bring(o, &o->town->alice, "sip:thief@ims.example", CSK(1)), POCPF_E_DENIED);
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_E_DENIED);
    office_run(o);
    office_expect(o, "");
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(1));
    assert_memory_equal(poc_secret_bytes(s.key), before, sizeof(before));
    assert_false(look(o, BOB_IMPU, 0, &s));
    office_free(o);
}

typedef struct wrong_row {
    const char *why; /* what is wrong */
    uint32_t id;
    const char *mc_id;
    int64_t late_ms;
    size_t flip; /* octets from the end of what is altered; 0: none */
    pocpf_err err;
} wrong_row;

/* MCX-19, MCX-28 */
static void a_wrong_upload_is_refused_with_a_reason_and_nothing_is_stored(void **state)
{
    static const wrong_row rows[] = {
        { "another user", CSK(1), BOB_ID, 0, 0, POCPF_E_DENIED },
        { "type not a CSK", 0x60000001, ALICE_ID, 0, 0, POCPF_E_DENIED },
        { "stale", CSK(1), ALICE_ID, 301000, 0, POCPF_E_AUTH },
        { "from the future", CSK(1), ALICE_ID, -301000, 0, POCPF_E_AUTH },
        { "altered signature", CSK(1), ALICE_ID, 0, 80, POCPF_E_AUTH },
        { "altered key", CSK(1), ALICE_ID, 0, 140, POCPF_E_AUTH },
    };
    office *o = open_office(state);
    const int64_t now_ms = OFFICE_NOW_MS + 3600000; /* well inside the period */
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        uint8_t octets[MIKEY_MESSAGE_MAX];
        const char *why;
        o->now_ms = now_ms - rows[i].late_ms;
        const size_t n = office_seal(o, &o->town->alice, rows[i].id, NULL, 0, octets);
        o->now_ms = now_ms;
        if (rows[i].flip > 0)
            octets[n - rows[i].flip] ^= 1;
        const pocpf_err err = office_upload(o, ALICE_IMPU, rows[i].mc_id, octets, n, &why);
        if (err != rows[i].err || why == NULL)
            fail_msg("%s: %s", rows[i].why, pocpf_err_name(err));
    }
    office_run(o);
    office_expect(o, "");
    office_free(o);
}

/* MCX-16, MCX-28, MCX-30: no other key has a way into the server: not one of media, which it cannot decrypt for that, nor one
 * between servers, which people set. */
static void only_a_csk_comes_by_upload(void **state)
{
    enum { KEY_ID_AT = 4, OWN_TAG = 2, ASSIGNED = 7 };
    office *o = open_office(state);
    for (uint8_t tag = 0; tag < 16; tag++) {
        vec_bytes octets = mcx_octets(mcx_message(o->town->vectors, "ts33180_own", "csk_upload_minimal"));
        octets.b[KEY_ID_AT] = (uint8_t)(tag << 4 | (octets.b[KEY_ID_AT] & 15));
        const pocpf_err err = office_upload(o, ALICE_IMPU, ALICE_ID, octets.b, octets.n, NULL);
        assert_int_equal(err, tag == OWN_TAG ? POCPF_OK : tag < ASSIGNED ? POCPF_E_DENIED : POCPF_E_INPUT);
    }
    office_run(o);
    office_expect(o, "PERSIST BOUND:2a5b6c7d csk_bound ");
    assert_int_equal(o->store.count, 1);
    office_free(o);
}

/* MCX-19, MCX-24: the receiver has to be an identity that the KMS has provisioned us with. */
static void a_message_for_another_server_and_any_before_there_is_an_identity_are_refused(void **state)
{
    office *o = office_new(*state);
    const json_t *m = mcx_message(o->town->vectors, "ts33180_own", "csk_upload_minimal");
    vec_bytes octets = mcx_octets(m);
    const char *why;
    assert_int_equal(pocpf_new(&o->pf, &o->host, &o->set), POCPF_OK);
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets.b, octets.n, &why), POCPF_E_STATE);
    assert_string_equal(why, "no identity of ours");
    pocpf_free(o->pf);
    office_boot(o);
    uint8_t *idr = memmem(octets.b, octets.n, MDSI, strlen(MDSI));
    assert_non_null(idr);
    idr[0] ^= 1;
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets.b, octets.n, &why), POCPF_E_DENIED);
    office_free(o);
}

/* MCX-24: who is no server of the KMS's has no keys that fit, in this period or any other. */
static void keys_of_another_identity_or_period_make_no_server(void **state)
{
    mcx_town *t = *state;
    const json_t *own = json_object_get(t->vectors, "ts33180_own");
    const json_t *server = json_object_get(json_object_get(own, "identities"), "server");
    const vec_bytes pvt = vec_hex(server, "PVT");
    poc_secret *rsk = mcx_secret(server, "RSK"), *ssk = mcx_secret(server, "SSK");
    pocpf_mcx_material m = { .size = sizeof(m),
                             .uri = "mcx.elsewhere.example",
                             .kms_uri = "kms.example.org",
                             .period_s = 2592000,
                             .period_number = 1536,
                             .z = mcx_kms_z(t->kms).p,
                             .kpak = mcx_kms_kpak(t->kms).p,
                             .pvt = pvt.b,
                             .rsk = rsk,
                             .ssk = ssk,
                             .like = t->server };
    pocpf_mcx_keys *keys;
    assert_int_equal(pocpf_mcx_keys_new(&keys, &m), POCPF_E_AUTH);
    assert_null(keys);
    m.uri = MDSI;
    m.period_number = 1537;
    assert_int_equal(pocpf_mcx_keys_new(&keys, &m), POCPF_E_AUTH);
    m.period_number = 1536;
    assert_int_equal(pocpf_mcx_keys_new(&keys, &m), POCPF_OK);
    pocpf_mcx_keys_free(keys);
    poc_secret_free(rsk);
    poc_secret_free(ssk);
}

/* MCX-5 */
static void a_repeated_message_is_refused(void **state)
{
    office *o = open_office(state);
    const vec_bytes octets = mcx_octets(mcx_message(o->town->vectors, "ts33180_own", "csk_upload_minimal"));
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets.b, octets.n, NULL), POCPF_OK);
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets.b, octets.n, NULL), POCPF_E_AUTH);
    office_free(o);
}

/* MCX-5: also one that only the engine before the restart has seen. */
static void no_upload_takes_a_user_back_to_an_older_key_after_a_restart(void **state)
{
    office *o = open_office(state);
    uint8_t first[MIKEY_MESSAGE_MAX], second[MIKEY_MESSAGE_MAX];
    pocpf_csk_status s;
    const size_t n = office_seal(o, &o->town->alice, CSK(1), NULL, 0, first);
    o->now_ms += 2000;
    const size_t m = office_seal(o, &o->town->alice, CSK(2), NULL, 0, second);
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, first, n, NULL), POCPF_OK);
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, second, m, NULL), POCPF_OK);
    office_run(o);
    office_crash(o);
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, first, n, NULL), POCPF_E_AUTH);
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, second, m, NULL), POCPF_E_AUTH);
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(2));
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(3)), POCPF_OK);
    office_free(o);
}

static void a_key_that_was_replaced_does_not_come_back_when_the_next_one_runs_out(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    office_run(o);
    o->now_ms += 1000;
    assert_int_equal(office_bring_timed(o, CSK(2), 0, (uint64_t)o->now_ms / 1000 + 60), POCPF_OK);
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(1)); /* until the next one is durable */
    office_run(o);
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(2));
    o->now_ms += 60000;
    pocpf_tick(o->pf, o->now_ms);
    assert_false(look(o, ALICE_IMPU, 0, &s));
    assert_false(look(o, ALICE_IMPU, CSK(2), &s));
    assert_true(look(o, ALICE_IMPU, CSK(1), &s)); /* what is under way under it is still read */
    office_free(o);
}

/* A client's clock may be ahead of ours; but what it will not use before tomorrow is not used today. */
static void a_key_that_is_not_active_yet_is_refused(void **state)
{
    office *o = open_office(state);
    const uint64_t now_s = (uint64_t)o->now_ms / 1000;
    assert_int_equal(office_bring_timed(o, CSK(1), now_s + 86400, 0), POCPF_E_DENIED);
    assert_int_equal(office_bring_timed(o, CSK(1), now_s + 301, 0), POCPF_E_DENIED);
    office_run(o);
    office_expect(o, "");
    assert_int_equal(office_bring_timed(o, CSK(2), now_s + 300, now_s + 400), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST BOUND:20000002 csk_bound ");
    office_free(o);
}

/* Whoever uploads as often as he can, with the latest time that passes, takes nobody's place in what is remembered. */
static void one_who_uploads_without_end_keeps_nobody_else_out(void **state)
{
    office *o = office_new(*state);
    uint8_t octets[MIKEY_MESSAGE_MAX];
    o->set.members_max = 2;
    office_boot(o);
    for (uint32_t i = 1; i <= 12; i++) {
        o->now_ms += 201000;
        const size_t n = office_seal(o, &o->town->alice, CSK(i), NULL, 0, octets);
        o->now_ms -= 200000;
        assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets, n, NULL), POCPF_OK);
        office_run(o);
        assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets, n, NULL), POCPF_E_AUTH);
    }
    assert_int_equal(office_bring(o, &o->town->bob, BOB_IMPU, CSK(100)), POCPF_OK);
    office_free(o);
}

/* MCX-5: two keys are kept, and a time to the second; the message of the third was heard in that second as well. */
static void no_upload_of_the_second_of_the_last_one_is_taken_after_a_restart(void **state)
{
    office *o = open_office(state);
    uint8_t octets[3][MIKEY_MESSAGE_MAX];
    size_t n[3];
    pocpf_csk_status s;
    for (uint32_t i = 0; i < 3; i++) {
        n[i] = office_seal(o, &o->town->alice, CSK(i), NULL, 0, octets[i]);
        assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets[i], n[i], NULL), POCPF_OK);
    }
    office_run(o);
    office_crash(o);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets[i], n[i], NULL), POCPF_E_AUTH);
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(2));
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(3)), POCPF_OK);
    n[0] = office_seal(o, &o->town->alice, CSK(4), NULL, 0, octets[0]); /* in the same second, after the restart */
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets[0], n[0], NULL), POCPF_OK);
    office_free(o);
}

static void an_upload_that_cannot_be_kept_is_lost_and_the_key_before_goes_on(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s;
    o->store_fails = true;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST LOST:20000001 ");
    assert_false(look(o, ALICE_IMPU, 0, &s));
    o->store_fails = false;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(2)), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST BOUND:20000002 csk_bound ");
    o->store_fails = true;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(3)), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST LOST:20000003 ");
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(2));
    office_free(o);
}

static void keys_come_back_after_a_restart_and_lie_sealed_in_between(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s;
    uint8_t before[16];
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(2)), POCPF_OK);
    office_run(o);
    assert_true(look(o, ALICE_IMPU, 0, &s));
    memcpy(before, poc_secret_bytes(s.key), sizeof(before));
    assert_int_equal(o->store.count, 1);
    size_t at = 0;
    assert_null(memmem(poc_table_next(&o->store, &at), 2048, before, sizeof(before)));
    office_crash(o);
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(2));
    assert_memory_equal(poc_secret_bytes(s.key), before, sizeof(before));
    assert_true(look(o, ALICE_ID, CSK(1), &s));
    office_free(o);
}

/* Whose it is, for what and since when is sealed with it. */
static void a_record_with_any_bit_altered_brings_no_key_back(void **state)
{
    office *o = open_office(state);
    uint8_t key[512], value[2048];
    size_t key_len = 0, value_len = 0;
    pocpf *pf;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    office_run(o);
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(2)), POCPF_OK);
    for (pocpf_effect fx; pocpf_poll(o->pf, &fx);) {
        if (fx.type != POCPF_DO_PERSIST)
            continue;
        const pocpf_record *r = &fx.u.persist.records[0];
        key_len = r->key_len;
        value_len = r->value_len;
        memcpy(key, r->key, key_len);
        memcpy(value, r->value, value_len);
        assert_int_equal(pocpf_persisted(o->pf, o->now_ms, true), POCPF_OK);
    }
    for (size_t i = 0; i <= value_len; i++) {
        const uint8_t bit = (uint8_t)(1u << i % 8);
        value[i] ^= i < value_len ? bit : 0;
        assert_int_equal(pocpf_new(&pf, &o->host, &o->set), POCPF_OK);
        const bool is_back = pocpf_restore(pf, key, key_len, value, value_len) == POCPF_OK;
        if (is_back != (i == value_len))
            fail_msg("octet %zu of %zu", i, value_len);
        pocpf_free(pf);
        value[i] ^= i < value_len ? bit : 0;
    }
    office_free(o);
}

static void logging_off_wipes_the_keys_and_their_record(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    office_run(o);
    assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, ALICE_IMPU), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST BOUND:20000001 csk_bound PERSIST csk_logged_off ");
    assert_false(look(o, ALICE_IMPU, 0, &s));
    assert_false(look(o, ALICE_ID, CSK(1), &s));
    assert_int_equal(o->store.count, 0);
    assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, ALICE_IMPU), POCPF_E_STATE);
    assert_int_equal(office_bring(o, &o->town->bob, BOB_IMPU, CSK(1)), POCPF_OK);
    office_free(o);
}

/* ---- who it is follows from the key ---- */

/* The service authorisation, as the bearer asks it. */
typedef struct authority {
    const char *says; /* NULL: nobody */
    unsigned asked;
    uint32_t csk_id;
    char sender[POCPF_MC_ID_MAX];
    uint8_t key[16];
} authority;

static pocpf_err prove(void *ctx, uint32_t csk_id, const pocpf_secret *csk, const char *sender,
                       char mc_id[POCPF_MC_ID_MAX])
{
    authority *a = ctx;
    a->asked++;
    a->csk_id = csk_id;
    memcpy(a->key, poc_secret_bytes(csk), sizeof(a->key));
    (void)snprintf(a->sender, sizeof(a->sender), "%s", sender);
    if (a->says == NULL)
        return POCPF_E_AUTH;
    (void)snprintf(mc_id, POCPF_MC_ID_MAX, "%s", a->says);
    return POCPF_OK;
}

static pocpf_err upload_proved(office *o, const vec_bytes *octets, authority *a)
{
    const pocpf_csk_upload upload = { .size = sizeof(upload),
                                      .impu = ALICE_IMPU,
                                      .i_message = octets->b,
                                      .len = octets->n,
                                      .prove = prove,
                                      .prove_ctx = a };
    pocpf_csk_result result = { .size = sizeof(result) };
    const pocpf_err err = pocpf_csk_uploaded(o->pf, o->now_ms, &upload, &result);
    assert_int_equal(err == POCPF_OK, result.why == NULL);
    return err;
}

/* MCX-17, MCX-19, MCX-21: hidden or not, the key has to come from whom the authorisation names; who sends it first with
 * another's authorisation has not used it up. */
static void who_the_authorisation_names_is_asked_with_the_key_and_has_to_be_the_sender(void **state)
{
    static const char *const names[] = { "csk_upload_minimal", "csk_upload_hidden_full" };
    office *o = open_office(state);
    for (size_t i = 0; i < POC_COUNT(names); i++) {
        const json_t *m = mcx_message(o->town->vectors, "ts33180_own", names[i]);
        const vec_bytes octets = mcx_octets(m), key = vec_hex(m, "key");
        authority nobody = { .says = NULL }, other = { .says = BOB_ID }, right = { .says = ALICE_ID };
        authority empty = { .says = "" };
        pocpf_csk_status s;
        assert_int_equal(upload_proved(o, &octets, &nobody), POCPF_E_AUTH);
        assert_int_equal(upload_proved(o, &octets, &other), POCPF_E_DENIED);
        assert_int_equal(upload_proved(o, &octets, &empty), POCPF_E_DENIED);
        office_run(o);
        office_expect(o, "");
        assert_int_equal(upload_proved(o, &octets, &right), POCPF_OK);
        assert_int_equal(right.asked, 1);
        assert_int_equal(right.csk_id, mcx_number(m, "key_id"));
        assert_memory_equal(right.key, key.b, 16);
        assert_string_equal(right.sender, i == 0 ? ALICE_ID : "");
        office_run(o);
        o->text[0] = '\0';
        assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == right.csk_id);
        assert_string_equal(s.mc_id, ALICE_ID);
        assert_int_equal(upload_proved(o, &octets, &right), POCPF_E_AUTH);
        assert_int_equal(right.asked, 1);
    }
    office_free(o);
}

/* A caller from before `prove` has to name the user himself, and gets a status of the size that he knows. */
static void structs_of_an_older_caller_are_taken_as_they_are(void **state)
{
    office *o = open_office(state);
    const vec_bytes octets = mcx_octets(mcx_message(o->town->vectors, "ts33180_own", "csk_upload_minimal"));
    pocpf_csk_upload upload = { .size = offsetof(pocpf_csk_upload, prove),
                                .impu = ALICE_IMPU,
                                .i_message = octets.b,
                                .len = octets.n,
                                .prove = prove };
    pocpf_csk_result result = { .size = sizeof(result) };
    pocpf_csk_status s = { .size = offsetof(pocpf_csk_status, sent_s), .sent_s = 77 };
    assert_int_equal(pocpf_csk_uploaded(o->pf, o->now_ms, &upload, &result), POCPF_E_INPUT);
    upload.mc_id = ALICE_ID;
    assert_int_equal(pocpf_csk_uploaded(o->pf, o->now_ms, &upload, &result), POCPF_OK);
    office_run(o);
    assert_int_equal(pocpf_csk_look(o->pf, ALICE_IMPU, 0, &s), POCPF_OK);
    assert_int_equal(s.csk_id, result.csk_id);
    assert_int_equal(s.sent_s, 77);
    office_free(o);
}

static void keys_in_force_are_walked_once_each_with_the_time_that_they_have(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s = { .size = sizeof(s) };
    size_t at = 0, n = 0;
    assert_false(pocpf_csk_next(o->pf, &at, &s));
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(2)), POCPF_OK);
    office_run(o);
    assert_int_equal(office_bring(o, &o->town->bob, BOB_IMPU, CSK(3)), POCPF_OK);
    o->store_holds = true; /* not durable: not in force */
    office_run(o);
    office_crash(o);
    o->now_ms += 5000;
    for (at = 0; pocpf_csk_next(o->pf, &at, &s); n++) {
        assert_string_equal(s.impu, ALICE_IMPU);
        assert_int_equal(s.csk_id, CSK(2));
        assert_int_equal(s.service, 0);
        assert_int_equal(s.sent_s, OFFICE_NOW_MS / 1000 + 2);
    }
    assert_int_equal(n, 1);
    office_free(o);
}

/* MCX-21 */
static void two_services_of_one_device_have_keys_of_their_own(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    o->service = 1;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_E_DENIED);
    assert_int_equal(office_bring(o, &o->town->bob, ALICE_IMPU, CSK(2)), POCPF_OK);
    office_run(o);
    office_crash(o);
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(1) && s.service == 0 && s.cs_id == 6);
    assert_string_equal(s.mc_id, ALICE_ID);
    assert_true(look(o, ALICE_IMPU, CSK(2), &s) && s.service == 1 && s.cs_id == 8);
    assert_string_equal(s.mc_id, BOB_ID);
    assert_int_equal(o->store.count, 2);
    assert_int_equal(pocpf_csk_of(o->pf, ALICE_IMPU, 1, &s), POCPF_OK);
    assert_int_equal(s.csk_id, CSK(2));
    assert_int_equal(pocpf_mcx_logged_off(o->pf, o->now_ms, ALICE_IMPU), POCPF_OK);
    office_run(o);
    assert_int_equal(o->store.count, 0);
    assert_false(look(o, ALICE_IMPU, 0, &s));
    office_free(o);
}

static void who_leaves_one_service_keeps_the_key_of_the_other(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s = { .size = sizeof(s) };
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(1)), POCPF_OK);
    o->service = 1;
    assert_int_equal(office_bring(o, &o->town->alice, ALICE_IMPU, CSK(2)), POCPF_OK);
    office_run(o);
    assert_int_equal(pocpf_mcx_service_left(o->pf, o->now_ms, ALICE_IMPU, 0), POCPF_OK);
    office_run(o);
    assert_int_equal(pocpf_csk_of(o->pf, ALICE_IMPU, 0, &s), POCPF_E_STATE);
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(2));
    assert_int_equal(o->store.count, 1);
    assert_int_equal(pocpf_mcx_service_left(o->pf, o->now_ms, ALICE_IMPU, 0), POCPF_E_STATE);
    assert_int_equal(pocpf_mcx_service_left(o->pf, o->now_ms, BOB_IMPU, 1), POCPF_E_STATE);
    office_free(o);
}

/* What is counted from the age of a key, indices of SRTCP above all, must not begin anew, nor before it was taken. */
static void a_key_that_comes_again_keeps_its_age_and_none_is_younger_than_now(void **state)
{
    office *o = open_office(state);
    pocpf_csk_status s;
    uint8_t octets[MIKEY_MESSAGE_MAX];
    const int64_t first_ms = o->now_ms;
    for (int i = 0; i < 2; i++) {
        o->chance = (test_rng){ 9 };
        o->now_ms += 10000;
        const size_t n = office_seal(o, &o->town->alice, CSK(1), NULL, 0, octets);
        assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets, n, NULL), POCPF_OK);
        office_run(o);
    }
    assert_true(look(o, ALICE_IMPU, CSK(1), &s));
    assert_int_equal(s.sent_s, first_ms / 1000 + 10);
    o->now_ms += 100000;
    const size_t n = office_seal(o, &o->town->alice, CSK(2), NULL, 0, octets);
    o->now_ms -= 50000;
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets, n, NULL), POCPF_OK);
    office_run(o);
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(2));
    assert_int_equal(s.sent_s, o->now_ms / 1000);
    office_free(o);
}

/* ---- other algorithms ---- */

static pocpf_err bring_with(office *o, const mcx_algorithm *algorithms, size_t n)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    const size_t len = office_seal(o, &o->town->alice, CSK(1), algorithms, n, octets);
    return office_upload(o, ALICE_IMPU, ALICE_ID, octets, len, NULL);
}

/* MCX-14: an upload that lists nothing means the default, and the first one that the server allows is taken. */
static void the_first_algorithm_of_the_list_is_taken_when_the_server_allows_it(void **state)
{
    const mcx_algorithm list[] = { mcx_aes256_gcm, mcx_aes128_gcm };
    office *o = open_office(state);
    pocpf_csk_status s;
    assert_int_equal(bring_with(o, list, 2), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST BOUND:20000001 csk_bound ");
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.encr == 6 && s.key_len == 32);
    office_free(o);
}

/* MCX-14 */
static void a_client_without_any_algorithm_that_the_server_allows_is_refused(void **state)
{
    office *o = office_new(*state);
    o->set.mcx_algorithms = POCPF_AES256_GCM;
    office_boot(o);
    assert_int_equal(bring_with(o, NULL, 0), POCPF_E_DENIED);
    assert_int_equal(bring_with(o, &mcx_aes128_cm, 1), POCPF_E_DENIED);
    office_free(o);
}

/* The client supports both and has selected AES-128; the server wants AES-256. */
static office *office_that_forces(void **state)
{
    const mcx_algorithm list[] = { mcx_aes128_gcm, mcx_aes256_gcm };
    office *o = office_new(*state);
    o->set.mcx_forced = POCPF_AES256_GCM;
    office_boot(o);
    assert_int_equal(bring_with(o, list, 2), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST BOUND:20000001 DOWNLOAD csk_bound ");
    return o;
}

/* MCX-1, MCX-15, MCX-22, MCX-23, MCX-25, MCX-26, MCX-27, MCX-28 */
static void another_algorithm_comes_by_download_and_into_force_when_it_is_answered(void **state)
{
    office *o = office_that_forces(state);
    pocpf_csk_status s;
    mcx_opened opened;
    assert_string_equal(o->download.user, ALICE_IMPU);
    assert_string_equal(o->download.mc_id, ALICE_ID);
    assert_int_equal(o->download.key_id >> 28, MCX_CSK);
    assert_int_equal(office_open(o, &o->town->alice, &opened), POC_OK);
    assert_int_equal(opened.offer.count, 1);
    assert_true(mcx_algorithm_eq(&opened.offer.algorithms[0], &mcx_aes256_gcm));
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == CSK(1) && s.key_len == 16);
    assert_false(look(o, ALICE_IMPU, o->download.key_id, &s));
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, o->download.number, true), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST csk_changed ");
    assert_true(look(o, ALICE_IMPU, 0, &s) && s.csk_id == o->download.key_id && s.key_len == 32);
    assert_int_equal(poc_secret_len(s.key), 32);
    assert_memory_equal(poc_secret_bytes(s.key), poc_secret_bytes(opened.key), 32);
    assert_memory_equal(s.rand, opened.rand, 16);
    assert_true(look(o, ALICE_IMPU, CSK(1), &s));
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, o->download.number, true), POCPF_E_STATE);
    mcx_opened_done(&opened);
    office_free(o);
}

/* Chance that gives a key id the number 1 first. */
typedef struct number_one {
    poc_rng beyond;
    bool is_given;
} number_one;

static poc_err one_first(void *ctx, void *out, size_t n)
{
    static const uint32_t one = 1;
    number_one *c = ctx;
    if (c->is_given || n != sizeof(one))
        return c->beyond.fill(c->beyond.ctx, out, n);
    c->is_given = true;
    memcpy(out, &one, sizeof(one));
    return POC_OK;
}

/* MCX-28: two keys of one id would both be lost to their client. */
static void the_key_that_is_made_instead_of_an_uploaded_one_never_has_its_id(void **state)
{
    const mcx_algorithm list[] = { mcx_aes128_gcm, mcx_aes256_gcm };
    office *o = office_new(*state);
    uint8_t octets[MIKEY_MESSAGE_MAX];
    o->set.mcx_forced = POCPF_AES256_GCM;
    office_boot(o);
    const size_t n = office_seal(o, &o->town->alice, CSK(1), list, POC_COUNT(list), octets);
    number_one chance = { .beyond = o->rng };
    o->rng = (poc_rng){ one_first, &chance };
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets, n, NULL), POCPF_OK);
    office_run(o);
    assert_true(chance.is_given);
    assert_int_equal(o->download.key_id >> 28, MCX_CSK);
    assert_int_not_equal(o->download.key_id, CSK(1));
    office_free(o);
}

/* MCX-23 */
static void a_download_opens_for_nobody_else_and_not_when_it_was_altered(void **state)
{
    office *o = office_that_forces(state);
    mcx_opened opened;
    assert_int_equal(office_open(o, &o->town->bob, &opened), POC_E_DENIED);
    o->download.octets[o->download.len - 100] ^= 1;
    assert_int_equal(office_open(o, &o->town->alice, &opened), POC_E_AUTH);
    office_free(o);
}

static void a_download_without_answer_is_tried_again_later_and_later_with_the_same_key(void **state)
{
    office *o = office_that_forces(state);
    const uint32_t id = o->download.key_id;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, o->download.number, false), POCPF_OK);
        office_run(o);
        assert_int_equal(pocpf_deadline_ms(o->pf), o->now_ms + (1000 << i));
        o->now_ms = pocpf_deadline_ms(o->pf);
        pocpf_tick(o->pf, o->now_ms);
        office_run(o);
        office_expect(o, "DOWNLOAD ");
        assert_int_equal(o->download.key_id, id);
    }
    office_free(o);
}

static void a_download_waits_for_an_identity_that_signs_as_long_as_it_takes(void **state)
{
    office *o = office_that_forces(state);
    const uint32_t id = o->download.key_id;
    o->is_nobody = true;
    office_crash(o);
    for (int i = 0; i < 40; i++) {
        office_run(o);
        o->now_ms = pocpf_deadline_ms(o->pf);
        pocpf_tick(o->pf, o->now_ms);
    }
    office_expect(o, "");
    office_identify(o);
    pocpf_tick(o->pf, o->now_ms);
    office_run(o);
    office_expect(o, "DOWNLOAD ");
    assert_int_equal(o->download.key_id, id);
    office_free(o);
}

static void a_download_goes_on_after_a_restart_and_ends_with_the_next_upload(void **state)
{
    office *o = office_that_forces(state);
    const uint32_t id = o->download.key_id;
    office_crash(o);
    office_run(o);
    office_expect(o, "DOWNLOAD ");
    assert_int_equal(o->download.key_id, id);
    const uint64_t number = o->download.number;
    uint8_t octets[MIKEY_MESSAGE_MAX];
    o->now_ms += 1000;
    const size_t n = office_seal(o, &o->town->alice, CSK(2), &mcx_aes256_gcm, 1, octets);
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets, n, NULL), POCPF_OK);
    office_run(o);
    office_expect(o, "PERSIST BOUND:20000002 csk_bound ");
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, ALICE_IMPU, number, true), POCPF_E_STATE);
    pocpf_tick(o->pf, o->now_ms);
    assert_true(pocpf_deadline_ms(o->pf) > o->now_ms + 60000); /* no download is waited for */
    office_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uploads_as_the_vectors_have_them_are_bound_once_they_are_durable),
        cmocka_unit_test(the_previous_key_stays_good_and_both_are_found_by_id_and_user),
        cmocka_unit_test(a_key_id_of_another_user_and_another_key_under_ones_own_id_are_refused),
        cmocka_unit_test(a_wrong_upload_is_refused_with_a_reason_and_nothing_is_stored),
        cmocka_unit_test(only_a_csk_comes_by_upload),
        cmocka_unit_test(a_message_for_another_server_and_any_before_there_is_an_identity_are_refused),
        cmocka_unit_test(keys_of_another_identity_or_period_make_no_server),
        cmocka_unit_test(a_repeated_message_is_refused),
        cmocka_unit_test(no_upload_takes_a_user_back_to_an_older_key_after_a_restart),
        cmocka_unit_test(a_key_that_was_replaced_does_not_come_back_when_the_next_one_runs_out),
        cmocka_unit_test(a_key_that_is_not_active_yet_is_refused),
        cmocka_unit_test(one_who_uploads_without_end_keeps_nobody_else_out),
        cmocka_unit_test(no_upload_of_the_second_of_the_last_one_is_taken_after_a_restart),
        cmocka_unit_test(an_upload_that_cannot_be_kept_is_lost_and_the_key_before_goes_on),
        cmocka_unit_test(keys_come_back_after_a_restart_and_lie_sealed_in_between),
        cmocka_unit_test(a_record_with_any_bit_altered_brings_no_key_back),
        cmocka_unit_test(logging_off_wipes_the_keys_and_their_record),
        cmocka_unit_test(who_the_authorisation_names_is_asked_with_the_key_and_has_to_be_the_sender),
        cmocka_unit_test(structs_of_an_older_caller_are_taken_as_they_are),
        cmocka_unit_test(keys_in_force_are_walked_once_each_with_the_time_that_they_have),
        cmocka_unit_test(two_services_of_one_device_have_keys_of_their_own),
        cmocka_unit_test(who_leaves_one_service_keeps_the_key_of_the_other),
        cmocka_unit_test(a_key_that_comes_again_keeps_its_age_and_none_is_younger_than_now),
        cmocka_unit_test(the_first_algorithm_of_the_list_is_taken_when_the_server_allows_it),
        cmocka_unit_test(a_client_without_any_algorithm_that_the_server_allows_is_refused),
        cmocka_unit_test(another_algorithm_comes_by_download_and_into_force_when_it_is_answered),
        cmocka_unit_test(the_key_that_is_made_instead_of_an_uploaded_one_never_has_its_id),
        cmocka_unit_test(a_download_opens_for_nobody_else_and_not_when_it_was_altered),
        cmocka_unit_test(a_download_without_answer_is_tried_again_later_and_later_with_the_same_key),
        cmocka_unit_test(a_download_waits_for_an_identity_that_signs_as_long_as_it_takes),
        cmocka_unit_test(a_download_goes_on_after_a_restart_and_ends_with_the_next_upload),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
