/* I_MESSAGEs: every one of the vectors in both directions, many at once, and the bodies they travel in. */
#include "tests/unit/mcx/mcx_taken.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mcx/eccsi.h"

static mcx_world own, field;

/* ---- the vectors ---- */

static void assert_opened(const mcx_opened *o, const json_t *entry)
{
    const vec_bytes key = vec_hex(entry, "key"), rand = vec_hex(entry, "rand");
    assert_true(o->signature_valid);
    assert_int_equal(poc_secret_len(o->key), key.n);
    assert_memory_equal(poc_secret_bytes(o->key), key.b, key.n);
    assert_int_equal(o->key_id, mcx_number(entry, "key_id"));
    assert_int_equal(o->type, o->key_id >> 28);
    assert_int_equal(o->rand_len, rand.n);
    assert_memory_equal(o->rand, rand.b, rand.n);
    if (vec_has(entry, "cs_id"))
        assert_int_equal(o->cs_id, json_integer_value(json_object_get(entry, "cs_id")));
    assert_int_equal(o->has_parameters, vec_has(entry, "key_parameters") || o->type == MCX_GMK);
}

static void assert_all_open(const mcx_world *w, size_t want)
{
    size_t i;
    json_t *entry;
    json_array_foreach(w->messages, i, entry)
    {
        taken *t = take(w, vec_text(entry, "name"));
        mcx_opened o;
        assert_int_equal(mcx_i_message_open(&o, &t->msg, &t->expected, NULL), POC_OK);
        assert_opened(&o, entry);
        assert_ptr_equal(o.own, t->expected.own);
        assert_false(o.signature_is_short);
        mcx_opened_done(&o);
    }
    assert_int_equal(i, want);
}

/* MCX-5, MCX-11, MCX-22 */
static void every_upload_and_download_of_the_vectors_opens(void **state)
{
    (void)state;
    assert_all_open(&own, 5);
}

/* GMK, CSK and PCK of an independent implementation, with hidden identities, one of them in an obsolete form. */
static void every_message_of_the_field_opens(void **state)
{
    (void)state;
    assert_all_open(&field, 4);
}

/* A nonce is never given through the door: that the signature holds is checked, and that the published nonce over the octets
 * that were sealed gives the published one. */
static void assert_sealed_as(const mcx_seal_job *job, const taken *t)
{
    const vec_bytes nonce = vec_hex(t->entry, "eccsi_nonce_j");
    taken again = *t;
    assert_int_equal(job->len, t->octets.n);
    assert_int_equal(mcx_i_message_read(&again.msg, poc_span_of(job->out, job->len), NULL), POC_OK);
    assert_opens(&again);
    const size_t covered = job->len - MIKEY_SIGNATURE_LEN;
    poc_p256_scalar j;
    poc_p256_scalar_from(&j, nonce.b);
    assert_int_equal(
        eccsi_sign_with(job->out + covered, sender_of(&own, t)->signer, poc_span_of(job->out, covered), &j), POC_OK);
    assert_memory_equal(job->out, t->octets.b, job->len);
}

/* MCX-17, MCX-19, MCX-22, MCX-25, MCX-26 */
static void every_message_of_ours_is_sealed_octet_by_octet(void **state)
{
    size_t i;
    json_t *entry;
    (void)state;
    json_array_foreach(own.messages, i, entry)
    {
        taken *t = take(&own, vec_text(entry, "name"));
        uint8_t out[MIKEY_MESSAGE_MAX], chance[512] = { 0 };
        mcx_seal_params params;
        mcx_key_parameters parameters;
        const bool extended = vec_has(entry, "ge_iv");
        mcx_script script = { chance, sizeof(chance) };
        const poc_rng rng = mcx_script_rng(&script);
        poc_secret *key = mcx_secret(entry, "key");
        if (extended)
            params_of(&params, &parameters, &own, t);
        else
            params = (mcx_seal_params){ .sender = sender_of(&own, t),
                                        .key_id = mcx_number(entry, "key_id"),
                                        .ntp = UINT64_C(0xed4e0000) << 32,
                                        .ntp_s = 0xed4e0000 };
        const vec_bytes rand = vec_hex(entry, "rand");
        memcpy(params.rand, rand.b, sizeof(params.rand));
        if (extended) {
            const vec_bytes iv = vec_hex(entry, "ge_iv");
            memcpy(chance, iv.b, iv.n);
        }
        mcx_seal_job job = { .uri = mcx_text(entry, "receiver"), .kms = &own.kms, .out = out, .cap = sizeof(out) };
        assert_int_equal(mcx_i_message_seal(&params, key, &rng, &job, 1), POC_OK);
        assert_sealed_as(&job, t);
        poc_secret_free(key);
    }
    assert_int_equal(i, 5);
}

/* Nobody but its sender can sign it again; but what is encapsulated follows from key and receiver. */
static void the_encapsulated_key_of_every_message_of_the_field_comes_out_octet_by_octet(void **state)
{
    size_t i;
    json_t *entry;
    (void)state;
    json_array_foreach(field.messages, i, entry)
    {
        const taken *t = take(&field, vec_text(entry, "name"));
        const mcx_identity *receiver = mcx_world_party(&field, mcx_text(entry, "receiver"));
        uint8_t sed[MCX_SED_MAX];
        mcx_sakke_job job = { .id = poc_span_of(receiver->uid, MCX_UID_LEN), .sed = sed, .cap = sizeof(sed) };
        poc_secret *key = mcx_secret(entry, "key");
        assert_int_equal(mcx_sakke_encapsulate(field.sakke, key, &job, 1), POC_OK);
        assert_int_equal(job.err, POC_OK);
        assert_true(poc_span_eq(poc_span_of(sed, job.len), t->msg.sed));
        poc_secret_free(key);
    }
    assert_int_equal(i, 4);
}

/* ---- sealing for many ---- */

typedef struct batch {
    mcx_seal_params params;
    mcx_key_parameters parameters;
    mcx_seal_job jobs[40];
    uint8_t out[40][MIKEY_MESSAGE_MAX];
    poc_secret *key;
} batch;

static batch *batch_of(size_t key_len, size_t n)
{
    static batch b;
    static const uint8_t octets[32] = { 1, 2, 3 };
    const poc_span names[] = { poc_span_str("sip:alice@mcptt.example.org"), poc_span_str("sip:bob@mcptt.example.org") };
    b.parameters = (mcx_key_parameters){ .type = MCX_MUSIK, .text = poc_span_str("west") };
    b.params = (mcx_seal_params){ .sender = mcx_world_party(&own, poc_span_str("mcx.example.org")),
                                  .key_id = 0x60000007,
                                  .rand = { 9 },
                                  .ntp = UINT64_C(0xed4e0000) << 32,
                                  .ntp_s = 0xed4e0000,
                                  .cs_id = 7,
                                  .algorithms = key_len == 16 ? &mcx_aes128_gcm : &mcx_aes256_gcm,
                                  .algorithm_count = 1,
                                  .parameters = &b.parameters };
    for (size_t i = 0; i < n; i++)
        b.jobs[i] = (mcx_seal_job){
            .uri = names[i % 2], .kms = &own.kms, .out = b.out[i], .cap = MIKEY_MESSAGE_MAX, .err = POC_E_BUG
        };
    assert_int_equal(poc_secret_from(&b.key, octets, key_len), POC_OK);
    return &b;
}

static poc_err open_sealed(mcx_opened *o, const batch *b, size_t i, const mcx_identity *receiver)
{
    const mcx_expected expected = { .now_ntp_s = b->params.ntp_s,
                                    .skew_s = 1,
                                    .own = receiver,
                                    .own_count = 1,
                                    .certificates = &own.kms,
                                    .certificate_count = 1,
                                    .sender = b->params.sender->uri,
                                    .types = MCX_TYPE_BIT(MCX_MUSIK),
                                    .accepts_revoked = true,
                                    .verifier = own.verifier };
    mikey_msg msg;
    assert_int_equal(mcx_i_message_read(&msg, poc_span_of(b->jobs[i].out, b->jobs[i].len), NULL), POC_OK);
    return mcx_i_message_open(o, &msg, &expected, NULL);
}

/* MCX-23 */
static void a_musik_is_sealed_for_each_of_many_and_for_nobody_else(void **state)
{
    enum { N = 35 };
    const mcx_identity *alice = mcx_world_party(&own, poc_span_str("sip:alice@mcptt.example.org"));
    batch *b = batch_of(16, N);
    mcx_opened o;
    (void)state;
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, N), POC_OK);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(b->jobs[i].err, POC_OK);
    assert_int_equal(open_sealed(&o, b, N - 1, alice), POC_OK);
    assert_true(poc_secret_eq(o.key, b->key));
    assert_int_equal(o.key_id, 0x60000007);
    assert_memory_equal(o.rand, b->params.rand, sizeof(b->params.rand));
    assert_int_equal(o.parameters.group_count, 0);
    mcx_opened_done(&o);
    assert_int_equal(open_sealed(&o, b, 1, alice), POC_E_DENIED);
    poc_secret_free(b->key);
}

static void one_recipient_without_room_does_not_keep_the_others_from_theirs(void **state)
{
    batch *b = batch_of(16, 3);
    (void)state;
    b->jobs[1].cap = 500;
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, 3), POC_E_LIMIT);
    assert_int_equal(b->jobs[0].err, POC_OK);
    assert_int_equal(b->jobs[1].err, POC_E_LIMIT);
    assert_int_equal(b->jobs[1].len, 0);
    assert_int_equal(b->jobs[2].err, POC_OK);
    mcx_opened o;
    assert_int_equal(open_sealed(&o, b, 2, mcx_world_party(&own, b->jobs[2].uri)), POC_OK);
    mcx_opened_done(&o);
    poc_secret_free(b->key);
}

static void a_key_of_256_bits_travels_with_its_parameters(void **state)
{
    batch *b = batch_of(32, 1);
    mcx_opened o;
    (void)state;
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, 1), POC_OK);
    assert_int_equal(open_sealed(&o, b, 0, mcx_world_party(&own, b->jobs[0].uri)), POC_OK);
    assert_true(poc_secret_eq(o.key, b->key));
    assert_int_equal(o.offer.algorithms[0].key_len, 32);
    assert_true(poc_span_eq_str(o.parameters.text, "west"));
    mcx_opened_done(&o);
    poc_secret_free(b->key);
}

static void the_sender_can_recover_a_key_it_sent_to_itself(void **state)
{
    batch *b = batch_of(16, 1);
    mikey_msg msg;
    mcx_open_job job = { .ssv = NULL };
    (void)state;
    b->params.to_self = true;
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, 1), POC_OK);
    assert_int_equal(mcx_i_message_read(&msg, poc_span_of(b->jobs[0].out, b->jobs[0].len), NULL), POC_OK);
    assert_int_equal(mikey_sakke_read(&job.sed, msg.sakke_to_self, NULL), POC_OK);
    assert_int_equal(mcx_receiver_open(b->params.sender->receiver, &job, 1), POC_OK);
    assert_int_equal(job.err, POC_OK);
    assert_true(poc_secret_eq(job.ssv, b->key));
    poc_secret_free(job.ssv);
    poc_secret_free(b->key);
}

static void a_revocation_reaches_a_receiver_of_downloads(void **state)
{
    batch *b = batch_of(16, 1);
    mcx_opened o;
    (void)state;
    b->parameters.is_revoked = true;
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, 1), POC_OK);
    assert_int_equal(open_sealed(&o, b, 0, mcx_world_party(&own, b->jobs[0].uri)), POC_OK);
    assert_true(o.parameters.is_revoked);
    mcx_opened_done(&o);
    poc_secret_free(b->key);
}

static void what_cannot_be_sealed_is_refused_for_everybody(void **state)
{
    batch *b = batch_of(16, 2);
    const mcx_seal_params good = b->params;
    (void)state;
    b->params.key_id = 0x00000007; /* a GMK: diversified by its GMS */
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, 2), POC_E_INPUT);
    assert_int_equal(b->jobs[1].err, POC_E_INPUT);
    b->params = good;
    b->params.key_id = 0x70000007;
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, 2), POC_E_INPUT);
    b->params = good;
    b->params.key_id = 0x20000007; /* with the parameters of a MuSiK */
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, 2), POC_E_BUG);
    b->params = good;
    b->params.ntp += UINT64_C(2592000) << 32; /* the signer's key is of the period before */
    b->params.ntp_s += 2592000;
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &poc_rng_system, b->jobs, 2), POC_E_STATE);
    b->params = good;
    const poc_rng no_chance = mcx_script_rng(&(mcx_script){ NULL, 0 });
    assert_int_equal(mcx_i_message_seal(&b->params, b->key, &no_chance, b->jobs, 2), POC_E_IO);
    assert_int_equal(b->jobs[0].len, 0);
    poc_secret_free(b->key);
}

/* ---- bodies ---- */

static void a_body_is_taken_as_octets_or_base64_and_never_trimmed(void **state)
{
    const taken *t = take(&own, "csk_upload_minimal");
    vec_bytes octets = t->octets;
    uint8_t out[MIKEY_MESSAGE_MAX];
    char text[4096];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    size_t n;
    (void)state;
    octets.b[octets.n - 1] = '\n'; /* what a signature may end with */
    poc_base64_put(&wr, vec_span(&octets));
    assert_int_equal(mcx_body_octets(out, sizeof(out), &n, vec_span(&octets), false), POC_OK);
    assert_int_equal(n, octets.n);
    assert_memory_equal(out, octets.b, n);
    for (int says = 0; says < 2; says++) {
        n = 0;
        assert_int_equal(mcx_body_octets(out, sizeof(out), &n, poc_span_of(text, wr.len), says != 0), POC_OK);
        assert_int_equal(n, octets.n);
        assert_memory_equal(out, octets.b, n);
    }
    assert_int_equal(mcx_body_octets(out, sizeof(out), &n, vec_span(&octets), true), POC_E_INPUT);
    assert_int_equal(mcx_body_octets(out, 100, &n, vec_span(&octets), false), POC_E_LIMIT);
    assert_int_equal(mcx_body_octets(out, 100, &n, poc_span_of(text, wr.len), false), POC_E_LIMIT);
}

static void a_base64_body_cut_anywhere_is_refused(void **state)
{
    const taken *t = take(&own, "csk_upload_minimal");
    char text[4096];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    (void)state;
    poc_base64_put(&wr, vec_span(&t->octets));
    for (size_t n = 0; n < wr.len; n++) {
        uint8_t out[MIKEY_MESSAGE_MAX];
        size_t len = 0;
        mikey_msg msg;
        const poc_err err = mcx_body_octets(out, sizeof(out), &len, poc_span_of(text, n), true);
        assert_true(err == POC_E_INPUT || mcx_i_message_read(&msg, poc_span_of(out, len), NULL) == POC_E_INPUT);
    }
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
        cmocka_unit_test(every_upload_and_download_of_the_vectors_opens),
        cmocka_unit_test(every_message_of_the_field_opens),
        cmocka_unit_test(every_message_of_ours_is_sealed_octet_by_octet),
        cmocka_unit_test(the_encapsulated_key_of_every_message_of_the_field_comes_out_octet_by_octet),
        cmocka_unit_test(a_musik_is_sealed_for_each_of_many_and_for_nobody_else),
        cmocka_unit_test(one_recipient_without_room_does_not_keep_the_others_from_theirs),
        cmocka_unit_test(a_key_of_256_bits_travels_with_its_parameters),
        cmocka_unit_test(the_sender_can_recover_a_key_it_sent_to_itself),
        cmocka_unit_test(a_revocation_reaches_a_receiver_of_downloads),
        cmocka_unit_test(what_cannot_be_sealed_is_refused_for_everybody),
        cmocka_unit_test(a_body_is_taken_as_octets_or_base64_and_never_trimmed),
        cmocka_unit_test(a_base64_body_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
