/* I_MESSAGEs that do not hold: every refusal of the receiver's checklist, in its order. */
#include "tests/unit/mcx/mcx_taken.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static mcx_world own, field;

static void a_message_cut_anywhere_is_malformed(void **state)
{
    const char *const names[] = { "csk_upload_minimal", "csk_upload_hidden_full", "musik_download_group" };
    (void)state;
    for (size_t k = 0; k < POC_COUNT(names); k++) {
        const taken *t = take(&own, names[k]);
        for (size_t n = 0; n < t->octets.n; n++) {
            uint8_t *cut = n == 0 ? NULL : malloc(n); /* of its very size: a look behind the end is an error */
            mikey_msg msg;
            poc_fault fault;
            if (n > 0)
                memcpy(cut, t->octets.b, n);
            assert_int_equal(mcx_i_message_read(&msg, poc_span_of(cut, n), &fault), POC_E_INPUT);
            assert_non_null(fault.reason);
            free(cut);
        }
    }
}

static void octets_behind_the_signature_are_malformed(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    mikey_msg msg;
    (void)state;
    t->octets.b[t->octets.n++] = 0;
    assert_int_equal(mcx_i_message_read(&msg, vec_span(&t->octets), NULL), POC_E_INPUT);
}

/* Where something stands in csk_upload_minimal that must have one value: the octet, and what the reader says of another. */
static void what_has_one_form_only_is_refused_in_any_other(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *reason;
    } rows[] = {
        { 0, 2, "version is not 1" },
        { 1, 0, "PRF function not supported" },
        { 1, 27, "data type not supported" },
        { 3, 0, "PRF function not supported" },
        { 9, 3, "CS ID map type not supported" },
        { 8, 1, "crypto sessions in an empty map" },
        { 11, 1, "TS type of an I_MESSAGE is not NTP-UTC" },
        { 11, 2, "TS type of an I_MESSAGE is not NTP-UTC" },
        { 21, 15, "RAND shorter than 16 octets" },
        { 39, 3, "ID role twice" },
        { 39, 2, "ID role twice" },
        { 39, 5, "ID role not supported" },
        { 40, 3, "ID type not supported" },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        taken *t = take(&own, "csk_upload_minimal");
        mikey_msg msg;
        poc_fault fault;
        t->octets.b[rows[i].at] = rows[i].value;
        assert_int_equal(mcx_i_message_read(&msg, vec_span(&t->octets), &fault), POC_E_INPUT);
        if (strcmp(fault.reason, rows[i].reason) != 0)
            print_error("row %zu: %s\n", i, fault.reason);
        assert_string_equal(fault.reason, rows[i].reason);
    }
}

static void sakke_and_sign_payloads_of_another_kind_are_refused(void **state)
{
    const taken *t = take(&own, "csk_upload_minimal");
    const size_t sakke = (size_t)(t->msg.sed.p - t->octets.b) - 4, sign = t->octets.n - MIKEY_SIGNATURE_LEN - 2;
    const struct {
        size_t at;
        uint8_t value;
        const char *reason;
    } rows[] = {
        { sakke, 2, "SAKKE parameter set not supported" },
        { sakke + 1, 1, "ID scheme is not the hashed identity of 3GPP" },
        { sakke + 3, 0x10, "encapsulated data neither for a 128-bit nor for a 256-bit key" },
        { sign, 0x10, "signature is not one of ECCSI with 129 octets" },
        { sign + 1, 32, "signature is not one of ECCSI with 129 octets" },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        vec_bytes octets = t->octets;
        mikey_msg msg;
        poc_fault fault;
        octets.b[rows[i].at] = rows[i].value;
        assert_int_equal(mcx_i_message_read(&msg, vec_span(&octets), &fault), POC_E_INPUT);
        assert_string_equal(fault.reason, rows[i].reason);
    }
}

/* MCX-28 */
static void a_key_id_with_an_unassigned_purpose_tag_is_refused(void **state)
{
    (void)state;
    for (uint8_t tag = 7; tag < 16; tag++) {
        taken *t = take(&own, "csk_upload_minimal");
        mikey_msg msg;
        t->octets.b[4] = (uint8_t)(tag << 4);
        mcx_world_resign(sender_of(&own, t), &t->octets);
        assert_int_equal(mcx_i_message_read(&msg, vec_span(&t->octets), NULL), POC_E_INPUT);
    }
}

static void old_senders_name_their_kms_with_one_role_twice(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    t->octets.b[t->msg.idkmsi.data.p - t->octets.b - 4] = MIKEY_ROLE_KMS;
    t->octets.b[t->msg.idkmsr.data.p - t->octets.b - 4] = MIKEY_ROLE_KMS;
    change(t, sender_of(&own, t));
    assert_opens(t);
}

/* MCX-19 */
static void a_message_for_another_server_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    t->octets.b[t->msg.idr.data.p - t->octets.b] ^= 1;
    change(t, sender_of(&own, t));
    assert_refused(t, POC_E_DENIED, "IDRr with IDRkmsr is no identity of ours");
    t = take(&own, "csk_upload_hidden_full");
    t->octets.b[t->msg.idr.data.p - t->octets.b] ^= 1;
    change(t, sender_of(&own, t));
    assert_refused(t, POC_E_DENIED, "IDRr with IDRkmsr is no identity of ours");
    t = take(&own, "csk_upload_minimal");
    t->octets.b[t->msg.idkmsr.data.p - t->octets.b] ^= 1;
    change(t, sender_of(&own, t));
    assert_refused(t, POC_E_DENIED, "IDRr with IDRkmsr is no identity of ours");
}

/* MCX-24 */
static void a_message_of_a_period_without_our_key_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    mcx_identity later = *t->expected.own;
    (void)state;
    later.period_number++;
    assert_int_equal(mcx_identity_init(&later), POC_OK);
    t->expected.own = &later;
    assert_refused(t, POC_E_AUTH, "no key of ours for the period of its time");
    mcx_identity both[2] = { later, *mcx_world_party(&own, later.uri) };
    t->expected.own = both;
    t->expected.own_count = 2;
    assert_opens(t);
}

/* MCX-24 */
static void a_sender_whose_key_is_of_another_period_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    mcx_identity later = *t->expected.own;
    uint8_t *ts = t->octets.b + (t->msg.ts.p - t->octets.b);
    (void)state;
    poc_wr wr = poc_wr_into(ts, 4);
    poc_wr_u32(&wr, 0xed4e0000 + 2592000);
    change(t, sender_of(&own, t));
    t->expected.now_ntp_s += 2592000;
    later.period_number++;
    t->expected.own = &later;
    assert_refused(t, POC_E_AUTH, "signature does not hold");
}

static void an_unknown_kms_of_the_sender_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    t->octets.b[t->msg.idkmsi.data.p - t->octets.b] ^= 1;
    change(t, sender_of(&own, t));
    assert_refused(t, POC_E_DENIED, "KMS of the sender is not known");
}

/* MCX-21: a valid signature of one user must not bind a key to another. */
static void the_key_of_another_user_than_the_bearer_says_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    t->expected.sender = poc_span_str("sip:mallory@mcptt.example.org");
    assert_refused(t, POC_E_DENIED, "IDRi is not who the bearer says it is");
    t->expected.sender = poc_span_str("sip:alice@mcptt.example.or");
    assert_refused(t, POC_E_DENIED, "IDRi is not who the bearer says it is");
    t = take(&own, "csk_upload_hidden_full");
    t->expected.sender = poc_span_str("sip:mallory@mcptt.example.org");
    assert_refused(t, POC_E_DENIED, "UID is not of who the bearer says it is, in this period");
}

/* MCX-24: a download signed by somebody who is no server. */
static void a_download_signed_by_another_user_is_refused(void **state)
{
    const mcx_identity *alice = mcx_world_party(&own, poc_span_str("sip:alice@mcptt.example.org"));
    taken *t = take(&own, "musik_download_default");
    (void)state;
    change(t, alice);
    assert_refused(t, POC_E_AUTH, "signature does not hold");
}

static void a_stale_or_early_timestamp_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    const uint64_t sent = t->expected.now_ntp_s;
    (void)state;
    t->expected.now_ntp_s = sent + 300;
    assert_opens(t);
    t->expected.now_ntp_s = sent + 301;
    assert_refused(t, POC_E_AUTH, "time is too far from now");
    t->expected.now_ntp_s = sent - 300;
    assert_opens(t);
    t->expected.now_ntp_s = sent - 301;
    assert_refused(t, POC_E_AUTH, "time is too far from now");
    t->expected.any_time = true;
    t->expected.now_ntp_s = sent + 100000000;
    assert_opens(t);
}

static void a_repeated_message_is_refused_and_so_is_an_older_one(void **state)
{
    POC_OWNED(mcx_replay, replay, mcx_replay_free);
    taken *t = take(&own, "csk_upload_minimal");
    uint8_t *ts = t->octets.b + (t->msg.ts.p - t->octets.b);
    (void)state;
    assert_int_equal(mcx_replay_new(&replay, 4, 4, 1), POC_OK);
    t->expected.replay = replay;
    assert_opens(t);
    assert_refused(t, POC_E_AUTH, "repeated message");
    ts[4] = 1; /* a fraction of a second later */
    change(t, sender_of(&own, t));
    assert_opens(t);
    ts[4] = 0;
    ts[7] = 9;
    t->octets.b[t->msg.rand.p - t->octets.b] ^= 1;
    change(t, sender_of(&own, t));
    assert_refused(t, POC_E_AUTH, "older than the last message of its sender");
    assert_int_equal(mcx_replay_count(replay), 2);
}

static void a_message_that_fails_leaves_no_trace_in_the_replay_cache(void **state)
{
    POC_OWNED(mcx_replay, replay, mcx_replay_free);
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    assert_int_equal(mcx_replay_new(&replay, 4, 4, 1), POC_OK);
    t->expected.replay = replay;
    t->octets.b[t->octets.n - 100] ^= 1;
    change(t, NULL);
    assert_refused(t, POC_E_AUTH, "signature does not hold");
    t->octets.b[t->octets.n - 100] ^= 1;
    change(t, NULL);
    assert_opens(t);
}

static void the_message_remembered_last_may_come_again_when_it_is_forgotten(void **state)
{
    POC_OWNED(mcx_replay, replay, mcx_replay_free);
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    assert_int_equal(mcx_replay_new(&replay, 4, 4, 1), POC_OK);
    mcx_replay_forget_last(replay);
    t->expected.replay = replay;
    assert_opens(t);
    mcx_replay_forget_last(replay);
    assert_int_equal(mcx_replay_count(replay), 0);
    assert_opens(t);
    assert_refused(t, POC_E_AUTH, "repeated message");
}

static poc_err refuse_it(void *ctx, const mcx_opened *opened)
{
    uint32_t *id = ctx;
    *id = opened->key == NULL ? 0 : opened->csb_id;
    return POC_E_LIMIT;
}

static void who_does_not_admit_a_message_has_seen_its_key_and_it_leaves_no_trace(void **state)
{
    POC_OWNED(mcx_replay, replay, mcx_replay_free);
    taken *t = take(&own, "csk_upload_minimal");
    uint32_t id = 0;
    mcx_opened o;
    (void)state;
    assert_int_equal(mcx_replay_new(&replay, 4, 4, 1), POC_OK);
    t->expected.replay = replay;
    t->expected.admit = refuse_it;
    t->expected.ctx = &id;
    assert_int_equal(mcx_i_message_open(&o, &t->msg, &t->expected, NULL), POC_E_LIMIT);
    assert_null(o.key);
    assert_int_equal(id, t->msg.csb_id);
    t->expected.admit = NULL;
    assert_opens(t);
}

static void a_message_that_made_room_for_younger_ones_of_its_sender_is_refused(void **state)
{
    POC_OWNED(mcx_replay, replay, mcx_replay_free);
    taken *t = take(&own, "csk_upload_minimal");
    uint8_t *ts = t->octets.b + (t->msg.ts.p - t->octets.b);
    vec_bytes first;
    (void)state;
    assert_int_equal(mcx_replay_new(&replay, 2, 2, 1), POC_OK);
    t->expected.replay = replay;
    first = t->octets;
    assert_opens(t);
    for (uint8_t i = 1; i <= 3; i++) {
        ts[3] = i;
        change(t, sender_of(&own, t));
        assert_opens(t);
        assert_int_equal(mcx_replay_count(replay), i < 2 ? i + 1u : 2u);
    }
    t->octets = first;
    change(t, NULL);
    assert_refused(t, POC_E_AUTH, "older than the last message of its sender");
    ts[3] = 100;
    change(t, sender_of(&own, t));
    t->expected.now_ntp_s += 400; /* what was remembered cannot come again by now */
    assert_opens(t);
    assert_int_equal(mcx_replay_count(replay), 1);
}

/* MCX-3: a server takes no GMK; and a client no PCK where keys of the server come. */
static void a_key_of_a_type_that_may_not_come_this_way_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    t->expected.types = MCX_TYPE_BIT(MCX_MUSIK);
    assert_refused(t, POC_E_DENIED, "a key of this type does not come this way");
    t = take(&field, "gmk");
    t->expected.types = MCX_TYPE_BIT(MCX_CSK);
    assert_refused(t, POC_E_DENIED, "a key of this type does not come this way");
}

static bool taken_by_bob(void *ctx, uint32_t csb_id, poc_span sender)
{
    *(uint32_t *)ctx = csb_id;
    return poc_span_eq_str(sender, "sip:alice@mcptt.example.org");
}

/* MCX-21 */
static void the_id_of_another_users_key_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    uint32_t asked = 0;
    (void)state;
    t->expected.is_taken = taken_by_bob;
    t->expected.ctx = &asked;
    assert_refused(t, POC_E_DENIED, "key id is that of another user's key");
    assert_int_equal(asked, 0x2a5b6c7d);
}

/* MCX-23 */
static void one_changed_bit_in_any_octet_is_refused(void **state)
{
    const taken *t = take(&own, "musik_download_group");
    (void)state;
    for (size_t i = 0; i < t->octets.n; i++) {
        taken changed = *t;
        mcx_opened o;
        changed.octets.b[i] ^= (uint8_t)(1u << i % 8);
        if (mcx_i_message_read(&changed.msg, vec_span(&changed.octets), NULL) != POC_OK)
            continue;
        assert_int_not_equal(mcx_i_message_open(&o, &changed.msg, &changed.expected, NULL), POC_OK);
        assert_false(o.signature_valid);
        assert_null(o.key);
    }
}

/* The attacker cannot make us decapsulate: with a signature that does not hold the point is not even looked at. */
static void a_bad_signature_is_found_before_a_bad_point(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    t->octets.b[t->msg.sed.p - t->octets.b + 5] ^= 1;
    change(t, NULL);
    assert_refused(t, POC_E_AUTH, "signature does not hold");
}

static void a_signature_without_its_header_is_taken_unless_told_otherwise(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    const size_t covered = t->octets.n - MIKEY_SIGNATURE_LEN;
    mcx_opened o;
    (void)state;
    assert_int_equal(mcx_sign(t->octets.b + covered, sender_of(&own, t)->signer, poc_span_of(t->octets.b, covered - 2),
                              &poc_rng_system),
                     POC_OK);
    change(t, NULL);
    assert_int_equal(mcx_i_message_open(&o, &t->msg, &t->expected, NULL), POC_OK);
    assert_true(o.signature_is_short);
    mcx_opened_done(&o);
    t->expected.strict_signature = true;
    assert_refused(t, POC_E_AUTH, "signature does not hold");
}

/* Points that are none: off the curve, infinity, of small order, not reduced. All of them signed by their sender. */
static void a_point_that_is_none_is_refused(void **state)
{
    const taken *t = take(&own, "csk_upload_minimal");
    const size_t at = (size_t)(t->msg.sed.p - t->octets.b);
    (void)state;
    for (size_t kind = 0; kind < 5; kind++) {
        taken changed = *t;
        uint8_t *sed = changed.octets.b + at;
        mcx_opened o;
        poc_fault fault;
        if (kind == 0)
            sed[128] ^= 1; /* off the curve */
        else if (kind == 1)
            memset(sed, 0, 257); /* infinity */
        else if (kind == 2)
            memset(sed + 1, 0, 256); /* (0, 0), of order 2 */
        else if (kind == 3)
            memset(sed + 1, 0xff, 256); /* over p */
        else
            sed[0] = 2; /* compressed */
        change(&changed, sender_of(&own, t));
        const poc_err err = mcx_i_message_open(&o, &changed.msg, &changed.expected, &fault);
        assert_true(err == POC_E_INPUT || err == POC_E_AUTH);
        assert_string_equal(fault.reason, "encapsulated key does not stand the test");
        assert_true(o.signature_valid);
        assert_null(o.key);
    }
}

static void a_key_that_fails_the_test_step_is_refused(void **state)
{
    taken *t = take(&own, "csk_upload_minimal");
    (void)state;
    t->octets.b[t->msg.sed.p - t->octets.b + 257 + 15] ^= 1; /* in H */
    change(t, sender_of(&own, t));
    assert_refused(t, POC_E_AUTH, "encapsulated key does not stand the test");
}

static void key_parameters_under_another_key_are_refused(void **state)
{
    taken *t = take(&own, "csk_download");
    (void)state;
    t->octets.b[t->msg.key_parameters.p - t->octets.b + 40] ^= 1;
    change(t, sender_of(&own, t));
    assert_refused(t, POC_E_AUTH, "key parameters are not under this key");
    t = take(&own, "csk_download");
    t->octets.b[t->msg.key_parameters.p - t->octets.b + 28] ^= 1; /* DPPK-ID */
    change(t, sender_of(&own, t));
    assert_refused(t, POC_E_INPUT, "DPPK-ID is not the id of the key");
}

/* The message of `t` again, with other key parameters. */
static void seal_with(taken *t, void (*edit)(mcx_key_parameters *p))
{
    mcx_seal_params params;
    mcx_key_parameters parameters;
    poc_secret *key = mcx_secret(t->entry, "key");
    params_of(&params, &parameters, &own, t);
    edit(&parameters);
    mcx_seal_job job = {
        .uri = mcx_text(t->entry, "receiver"), .kms = &own.kms, .out = t->octets.b, .cap = sizeof(t->octets.b)
    };
    assert_int_equal(mcx_i_message_seal(&params, key, &poc_rng_system, &job, 1), POC_OK);
    t->octets.n = job.len;
    change(t, NULL);
    poc_secret_free(key);
}

static void revoke(mcx_key_parameters *p)
{
    p->is_revoked = true;
}
static void let_expire(mcx_key_parameters *p)
{
    p->activation_s = 0;
    p->expiry_s = 1772323200; /* the very second of the message */
}
static void turn_times_around(mcx_key_parameters *p)
{
    p->activation_s = 1782323200;
    p->expiry_s = 1772323300;
}
static void begin_later(mcx_key_parameters *p)
{
    p->activation_s = 1772323300;
    p->expiry_s = 1782323200;
}

static void a_revoked_or_expired_key_is_refused_and_one_for_later_is_not(void **state)
{
    taken *t = take(&own, "csk_download");
    (void)state;
    seal_with(t, revoke);
    assert_refused(t, POC_E_DENIED, "key is revoked");
    seal_with(t = take(&own, "csk_download"), let_expire);
    assert_refused(t, POC_E_DENIED, "key has expired");
    seal_with(t = take(&own, "csk_download"), turn_times_around);
    assert_refused(t, POC_E_INPUT, "key expires before it is active");
    seal_with(t = take(&own, "csk_download"), begin_later);
    assert_opens(t);
}

static void a_guk_id_that_is_not_of_its_gmk_is_refused(void **state)
{
    taken *t = take(&field, "gmk");
    (void)state;
    t->octets.b[t->msg.generic[0].spi.p - t->octets.b + 3] ^= 1;
    change(t, sender_of(&field, t));
    assert_refused(t, POC_E_INPUT, "GMK-ID does not follow from the GUK-ID");
}

static int setup(void **state)
{
    mcx_vectors_open(state);
    mcx_world_open(&own, *state, "ts33180_own");
    mcx_world_open(&field, *state, "field_messages");
    return 0;
}

static int teardown(void **state)
{
    mcx_world_close(&own);
    mcx_world_close(&field);
    assert_int_equal(poc_secret_live_count(), 0);
    return mcx_vectors_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_cut_anywhere_is_malformed),
        cmocka_unit_test(octets_behind_the_signature_are_malformed),
        cmocka_unit_test(what_has_one_form_only_is_refused_in_any_other),
        cmocka_unit_test(sakke_and_sign_payloads_of_another_kind_are_refused),
        cmocka_unit_test(a_key_id_with_an_unassigned_purpose_tag_is_refused),
        cmocka_unit_test(old_senders_name_their_kms_with_one_role_twice),
        cmocka_unit_test(a_message_for_another_server_is_refused),
        cmocka_unit_test(a_message_of_a_period_without_our_key_is_refused),
        cmocka_unit_test(a_sender_whose_key_is_of_another_period_is_refused),
        cmocka_unit_test(an_unknown_kms_of_the_sender_is_refused),
        cmocka_unit_test(the_key_of_another_user_than_the_bearer_says_is_refused),
        cmocka_unit_test(a_download_signed_by_another_user_is_refused),
        cmocka_unit_test(a_stale_or_early_timestamp_is_refused),
        cmocka_unit_test(a_repeated_message_is_refused_and_so_is_an_older_one),
        cmocka_unit_test(a_message_that_fails_leaves_no_trace_in_the_replay_cache),
        cmocka_unit_test(the_message_remembered_last_may_come_again_when_it_is_forgotten),
        cmocka_unit_test(who_does_not_admit_a_message_has_seen_its_key_and_it_leaves_no_trace),
        cmocka_unit_test(a_message_that_made_room_for_younger_ones_of_its_sender_is_refused),
        cmocka_unit_test(a_key_of_a_type_that_may_not_come_this_way_is_refused),
        cmocka_unit_test(the_id_of_another_users_key_is_refused),
        cmocka_unit_test(one_changed_bit_in_any_octet_is_refused),
        cmocka_unit_test(a_bad_signature_is_found_before_a_bad_point),
        cmocka_unit_test(a_signature_without_its_header_is_taken_unless_told_otherwise),
        cmocka_unit_test(a_point_that_is_none_is_refused),
        cmocka_unit_test(a_key_that_fails_the_test_step_is_refused),
        cmocka_unit_test(key_parameters_under_another_key_are_refused),
        cmocka_unit_test(a_revoked_or_expired_key_is_refused_and_one_for_later_is_not),
        cmocka_unit_test(a_guk_id_that_is_not_of_its_gmk_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
