/* The receiving side: MTK messages by the vectors and by the rules of digest "GBA" 4.9, and what opens under them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mikey/mikey.h"
#include "tests/support/rng.h"
#include "tests/support/vectors.h"
#include "tests/unit/bcast/air.h"

typedef struct fixture {
    json_t *root;
    bcast_msk msk; /* of the vectors */
    bcast_receiver *receiver;
    size_t secrets_before;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    f.secrets_before = poc_secret_live_count();
    f.root = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    const json_t *entry = vec_by_id(json_object_get(f.root, "mikey_messages"), "mtk-stream");
    vec_bytes key = vec_hex(json_object_get(entry, "inputs"), "MSK"), rand = vec_hex(entry, "mikey_rand");
    f.msk = (bcast_msk){ .key_domain = { { 0x00, 0xf1, 0x10 } }, .id = AIR_MSK_ID, .seq_high = 0x64 };
    f.msk.rand_len = (uint8_t)rand.n;
    memcpy(f.msk.rand, rand.b, rand.n);
    assert_int_equal(poc_secret_from(&f.msk.key, key.b, key.n), POC_OK);
    f.receiver = air_receiver(&f.msk);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    bcast_receiver_free(f->receiver);
    poc_secret_free(f->msk.key);
    json_decref(f->root);
    return poc_secret_live_count() == f->secrets_before ? 0 : -1;
}

static vec_bytes message_of(const fixture *f, const char *list, const char *id)
{
    return vec_hex(vec_by_id(json_object_get(f->root, list), id), "message");
}

static bcast_stkm_result hear(const fixture *f, const vec_bytes *stkm, poc_mki *mki)
{
    return bcast_receiver_stkm(f->receiver, vec_span(stkm), mki);
}

/* An STKM of our own making under `msk`; the MTK is `fill` thirty times. */
static vec_bytes stkm_of(const bcast_msk *msk, uint16_t mtk_id, uint32_t counter, uint8_t fill)
{
    vec_bytes made;
    uint8_t key[POC_MTK_LEN + POC_MTK_SALT_LEN];
    poc_secret *mtk;
    memset(key, fill, sizeof(key));
    assert_int_equal(poc_secret_from(&mtk, key, sizeof(key)), POC_OK);
    mikey_mtk_params params = { msk->key_domain, { msk->id, mtk_id }, counter, { msk->csb_id, { 0 } } };
    params.context.rand = poc_span_of(msk->rand, msk->rand_len);
    poc_wr wr = poc_wr_into(made.b, sizeof(made.b));
    assert_int_equal(mikey_mtk_seal(&wr, &params, msk->key, mtk), POC_OK);
    made.n = wr.len;
    poc_secret_free(mtk);
    return made;
}

static poc_err open_vector(const fixture *f, uint8_t *out, size_t *n)
{
    poc_mki mki;
    vec_bytes packet = vec_hex(vec_by_id(json_object_get(f->root, "srtp"), "srtp-packet"), "packet");
    return bcast_receiver_open(f->receiver, BCAST_FLOW_RTP, vec_span(&packet), out, n, &mki);
}

/* POC-15 */
static void the_vectors_stkm_makes_the_vectors_packet_readable(void **state)
{
    fixture *f = *state;
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    vec_bytes stkm = message_of(f, "mikey_messages", "mtk-stream");
    assert_int_equal(open_vector(f, out, &n), POC_E_STATE);
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_NEW);
    assert_int_equal(mki.msk_id, AIR_MSK_ID);
    assert_int_equal(mki.mtk_id, 1);
    assert_int_equal(open_vector(f, out, &n), POC_OK);
    vec_bytes payload = vec_hex(vec_by_id(json_object_get(f->root, "srtp"), "srtp-packet"), "payload");
    assert_int_equal(n, 12 + payload.n);
    assert_memory_equal(out + 12, payload.b, payload.n);
    assert_int_equal(open_vector(f, out, &n), POC_E_AUTH); /* a replay */
    assert_int_equal(n, 0);
}

static void an_mtk_without_salt_follows_one_with_salt(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    vec_bytes first = message_of(f, "mikey_messages", "mtk-stream");
    vec_bytes second = message_of(f, "mikey_messages", "mtk-download");
    assert_int_equal(hear(f, &first, &mki), BCAST_STKM_NEW);
    assert_int_equal(hear(f, &second, &mki), BCAST_STKM_NEW);
    assert_int_equal(mki.mtk_id, 2);
    assert_int_equal(hear(f, &first, &mki), BCAST_STKM_DUPLICATE);
    assert_int_equal(hear(f, &second, &mki), BCAST_STKM_DUPLICATE);
}

static void an_mtk_id_outside_the_interval_is_refused(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    vec_bytes first = message_of(f, "mikey_messages", "mtk-stream");
    vec_bytes above = message_of(f, "negative", "neg-mtk-above-sequ");
    vec_bytes below = message_of(f, "negative", "neg-mtk-not-above-seql");
    assert_int_equal(hear(f, &first, &mki), BCAST_STKM_NEW);
    assert_int_equal(hear(f, &above, &mki), BCAST_STKM_REFUSED);
    assert_int_equal(hear(f, &below, &mki), BCAST_STKM_REFUSED);

    f->msk.seq_high = 0x65; /* a new interval for a known MSK makes the difference */
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &f->msk), POC_OK);
    assert_int_equal(hear(f, &below, &mki), BCAST_STKM_REFUSED);
    assert_int_equal(hear(f, &above, &mki), BCAST_STKM_NEW);
}

static void a_counter_that_does_not_rise_is_refused(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    vec_bytes first = stkm_of(&f->msk, 1, 5, 1), equal = stkm_of(&f->msk, 2, 5, 2), older = stkm_of(&f->msk, 2, 4, 2);
    vec_bytes half_way = stkm_of(&f->msk, 2, 5 + 0x80000000u, 2), later = stkm_of(&f->msk, 2, 6, 2);
    assert_int_equal(hear(f, &first, &mki), BCAST_STKM_NEW);
    assert_int_equal(hear(f, &equal, &mki), BCAST_STKM_REFUSED);
    assert_int_equal(hear(f, &older, &mki), BCAST_STKM_REFUSED);
    assert_int_equal(hear(f, &half_way, &mki), BCAST_STKM_REFUSED);
    assert_int_equal(hear(f, &later, &mki), BCAST_STKM_NEW);
}

static void a_refused_stkm_changes_nothing(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    vec_bytes good = stkm_of(&f->msk, 1, 1, 1), forged = stkm_of(&f->msk, 50, 9, 1);
    forged.b[forged.n - 1] ^= 1;
    assert_int_equal(hear(f, &forged, &mki), BCAST_STKM_REFUSED);
    assert_int_equal(hear(f, &good, &mki), BCAST_STKM_NEW);
}

static void an_stkm_of_an_unknown_msk_says_which(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    bcast_msk other = air_msk(0x10010002, 2);
    vec_bytes stkm = stkm_of(&other, 1, 1, 1);
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_UNKNOWN_MSK);
    assert_int_equal(mki.msk_id, 0x10010002);
    poc_secret_free(other.key);
}

static void other_messages_are_not_taken_for_an_stkm(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    static const char *const ids[] = { "msk-stream", "msk-empty-map", "msk-stream-verification", "error-invalid-sp" };
    for (size_t i = 0; i < POC_COUNT(ids); i++) {
        vec_bytes message = message_of(f, "mikey_messages", ids[i]);
        assert_int_equal(hear(f, &message, &mki), BCAST_STKM_REFUSED);
    }
}

static void no_cut_and_no_flipped_bit_of_an_stkm_is_accepted(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    vec_bytes stkm = stkm_of(&f->msk, 1, 1, 1);
    for (size_t n = 0; n < stkm.n; n++)
        assert_int_equal(bcast_receiver_stkm(f->receiver, poc_span_of(stkm.b, n), &mki), BCAST_STKM_REFUSED);
    for (size_t bit = 0; bit < 8 * stkm.n; bit++) {
        vec_bytes altered = stkm;
        altered.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bcast_stkm_result result = hear(f, &altered, &mki);
        assert_true(result == BCAST_STKM_REFUSED || result == BCAST_STKM_UNKNOWN_MSK);
    }
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_NEW);
}

static void what_is_no_protected_packet_is_refused(void **state)
{
    fixture *f = *state;
    static const uint8_t long_packet[BCAST_PACKET_MAX + 1] = { 0x80 };
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    const struct {
        bcast_flow flow;
        size_t n;
        poc_err expected;
    } rows[] = {
        { BCAST_FLOW_RTP, 0, POC_E_INPUT },
        { BCAST_FLOW_RTP, 27, POC_E_INPUT },
        { BCAST_FLOW_RTP, 28, POC_E_STATE }, /* long enough to name an MKI, which nobody knows */
        { BCAST_FLOW_RTP, BCAST_PACKET_MAX, POC_E_STATE },
        { BCAST_FLOW_RTP, BCAST_PACKET_MAX + 1, POC_E_INPUT },
        { BCAST_FLOW_FLOOR, 27, POC_E_INPUT },
        { BCAST_FLOW_FLOOR, 28, POC_E_STATE },
        { BCAST_FLOW_STKM, 100, POC_E_INPUT },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        poc_span packet = poc_span_of(long_packet, rows[i].n);
        assert_int_equal(bcast_receiver_open(f->receiver, rows[i].flow, packet, out, &n, &mki), rows[i].expected);
    }
}

/* ---- which keys are kept ---- */

static void a_third_msk_of_a_group_pushes_out_the_oldest(void **state)
{
    fixture *f = *state;
    bcast_msk second = air_msk(0x10010002, 2), third = air_msk(0x10010003, 3), foreign = air_msk(0x20010001, 4);
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &foreign), POC_OK);
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &second), POC_OK);
    assert_true(bcast_receiver_has_msk(f->receiver, AIR_MSK_ID));
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &third), POC_OK);
    assert_false(bcast_receiver_has_msk(f->receiver, AIR_MSK_ID));
    assert_true(bcast_receiver_has_msk(f->receiver, 0x10010002));
    assert_true(bcast_receiver_has_msk(f->receiver, 0x10010003));
    assert_true(bcast_receiver_has_msk(f->receiver, 0x20010001)); /* other group */
    poc_secret_free(second.key);
    poc_secret_free(third.key);
    poc_secret_free(foreign.key);
}

static void groups_without_end_meet_a_bound(void **state)
{
    fixture *f = *state;
    bcast_msk msk = air_msk(1, 2);
    poc_err err = POC_OK;
    for (uint16_t group = 0x2000; group < 0x2020; group++) {
        msk.id = poc_msk_id_of(group, 1);
        err = bcast_receiver_add_msk(f->receiver, &msk);
    }
    assert_int_equal(err, POC_E_LIMIT);
    assert_true(bcast_receiver_has_msk(f->receiver, AIR_MSK_ID));
    poc_secret_free(msk.key);
}

static void an_msk_with_seql_above_sequ_is_deleted_with_its_mtks(void **state)
{
    fixture *f = *state;
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    vec_bytes stkm = message_of(f, "mikey_messages", "mtk-stream");
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_NEW);
    f->msk.seq_low = 2;
    f->msk.seq_high = 1;
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &f->msk), POC_OK);
    assert_false(bcast_receiver_has_msk(f->receiver, AIR_MSK_ID));
    assert_int_equal(open_vector(f, out, &n), POC_E_STATE);
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_UNKNOWN_MSK);
}

static void a_redelivered_msk_does_not_lower_seql(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    vec_bytes first = stkm_of(&f->msk, 7, 1, 1), lower = stkm_of(&f->msk, 6, 2, 2), next = stkm_of(&f->msk, 8, 3, 3);
    assert_int_equal(hear(f, &first, &mki), BCAST_STKM_NEW);
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &f->msk), POC_OK);
    assert_int_equal(hear(f, &lower, &mki), BCAST_STKM_REFUSED);
    assert_int_equal(hear(f, &next, &mki), BCAST_STKM_NEW);
}

static void another_key_under_a_known_id_starts_afresh(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    bcast_msk other = air_msk(AIR_MSK_ID, 9);
    vec_bytes old = stkm_of(&f->msk, 7, 7, 1), fresh = stkm_of(&other, 1, 1, 2);
    assert_int_equal(hear(f, &old, &mki), BCAST_STKM_NEW);
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &other), POC_OK);
    assert_int_equal(hear(f, &old, &mki), BCAST_STKM_REFUSED);
    assert_int_equal(hear(f, &fresh, &mki), BCAST_STKM_NEW);
    poc_secret_free(other.key);
}

static void the_four_newest_mtks_are_kept(void **state)
{
    fixture *f = *state;
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    vec_bytes stkm = message_of(f, "mikey_messages", "mtk-stream");
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_NEW);
    for (uint16_t id = 2; id <= 4; id++) {
        stkm = stkm_of(&f->msk, id, id, (uint8_t)id);
        assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_NEW);
    }
    assert_int_equal(open_vector(f, out, &n), POC_OK);
    stkm = stkm_of(&f->msk, 5, 5, 5);
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_NEW);
    assert_int_equal(open_vector(f, out, &n), POC_E_STATE);
}

static void keys_that_cannot_be_used_are_refused(void **state)
{
    fixture *f = *state;
    bcast_msk msk = air_msk(0x10010002, 1);
    msk.key_domain.b[0] ^= 1;
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &msk), POC_E_INPUT);
    msk.key_domain.b[0] ^= 1;
    msk.id = poc_msk_id_of(0x1001, 0); /* "the current one": no key */
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &msk), POC_E_INPUT);
    poc_secret_free(msk.key);
    msk = air_msk(0x10010002, 1);
    poc_secret_free(msk.key);
    assert_int_equal(poc_secret_new(&msk.key, 15), POC_OK);
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &msk), POC_E_INPUT);
    poc_secret_free(msk.key);
}

static void a_cleared_receiver_knows_nothing(void **state)
{
    fixture *f = *state;
    uint8_t out[BCAST_PACKET_MAX];
    size_t n;
    poc_mki mki;
    vec_bytes stkm = message_of(f, "mikey_messages", "mtk-stream");
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_NEW);
    bcast_receiver_clear(f->receiver);
    assert_int_equal(open_vector(f, out, &n), POC_E_STATE);
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_UNKNOWN_MSK);
    assert_int_equal(bcast_receiver_add_msk(f->receiver, &f->msk), POC_OK);
    assert_int_equal(hear(f, &stkm, &mki), BCAST_STKM_NEW);
}

#define RECEIVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECEIVER_TEST(the_vectors_stkm_makes_the_vectors_packet_readable),
        RECEIVER_TEST(an_mtk_without_salt_follows_one_with_salt),
        RECEIVER_TEST(an_mtk_id_outside_the_interval_is_refused),
        RECEIVER_TEST(a_counter_that_does_not_rise_is_refused),
        RECEIVER_TEST(a_refused_stkm_changes_nothing),
        RECEIVER_TEST(an_stkm_of_an_unknown_msk_says_which),
        RECEIVER_TEST(other_messages_are_not_taken_for_an_stkm),
        RECEIVER_TEST(no_cut_and_no_flipped_bit_of_an_stkm_is_accepted),
        RECEIVER_TEST(what_is_no_protected_packet_is_refused),
        RECEIVER_TEST(a_third_msk_of_a_group_pushes_out_the_oldest),
        RECEIVER_TEST(groups_without_end_meet_a_bound),
        RECEIVER_TEST(an_msk_with_seql_above_sequ_is_deleted_with_its_mtks),
        RECEIVER_TEST(a_redelivered_msk_does_not_lower_seql),
        RECEIVER_TEST(another_key_under_a_known_id_starts_afresh),
        RECEIVER_TEST(the_four_newest_mtks_are_kept),
        RECEIVER_TEST(keys_that_cannot_be_used_are_refused),
        RECEIVER_TEST(a_cleared_receiver_knows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
