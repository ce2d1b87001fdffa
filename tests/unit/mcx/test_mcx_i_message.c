/* I_MESSAGEs: every one of the vectors in both directions, many at once, and every refusal of the receiver's checklist. */
#include "tests/unit/mcx/mcx_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mcx/eccsi.h"

static mcx_world own, field;

typedef struct taken {
    const json_t *entry;
    vec_bytes octets;
    mikey_msg msg;
    mcx_expected expected;
} taken;

/* A message of the vectors and what its receiver expects. */
static taken *take(const mcx_world *w, const char *name)
{
    static taken t;
    size_t i;
    json_t *entry;
    t.entry = NULL;
    json_array_foreach(w->messages, i, entry)
    {
        if (strcmp(vec_text(entry, "name"), name) == 0)
            t.entry = entry;
    }
    assert_non_null(t.entry);
    t.octets = mcx_octets(t.entry);
    assert_int_equal(mcx_i_message_read(&t.msg, vec_span(&t.octets), NULL), POC_OK);
    t.expected = mcx_world_expects(w, t.entry, &t.msg);
    return &t;
}

static const mcx_identity *sender_of(const mcx_world *w, const taken *t)
{
    return mcx_world_party(w, mcx_text(t->entry, "sender"));
}

/* After a change to the octets: signed anew by `who` (NULL: not), and read again. */
static void change(taken *t, const mcx_identity *who)
{
    if (who != NULL)
        mcx_world_resign(who, &t->octets);
    assert_int_equal(mcx_i_message_read(&t->msg, vec_span(&t->octets), NULL), POC_OK);
}

static void assert_opens(const taken *t)
{
    mcx_opened o;
    poc_fault fault;
    const poc_err err = mcx_i_message_open(&o, &t->msg, &t->expected, &fault);
    if (err != POC_OK)
        print_error("%s: %s at %zu\n", poc_err_name(err), fault.reason, fault.offset);
    assert_int_equal(err, POC_OK);
    mcx_opened_done(&o);
}

/* Refused with this kind and reason, and nothing of it is left. */
static void assert_refused(const taken *t, poc_err want, const char *reason)
{
    const size_t secrets = poc_secret_live_count();
    const size_t remembered = t->expected.replay == NULL ? 0 : mcx_replay_count(t->expected.replay);
    mcx_opened o;
    poc_fault fault;
    assert_int_equal(mcx_i_message_open(&o, &t->msg, &t->expected, &fault), want);
    if (fault.reason == NULL || strcmp(fault.reason, reason) != 0)
        print_error("refused because: %s\n", fault.reason == NULL ? "-" : fault.reason);
    assert_string_equal(fault.reason, reason);
    assert_true(fault.offset < t->msg.raw.n);
    assert_null(o.key);
    assert_null(o.plain);
    assert_int_equal(poc_secret_live_count(), secrets);
    if (t->expected.replay != NULL)
        assert_int_equal(mcx_replay_count(t->expected.replay), remembered);
}

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

static void params_of(mcx_seal_params *p, mcx_key_parameters *parameters, const taken *t)
{
    const json_t *e = t->entry;
    const vec_bytes rand = vec_hex(e, "rand"), plain = vec_hex(e, "key_parameters");
    static vec_bytes kept;
    const uint32_t key_id = mcx_number(e, "key_id");
    poc_rd ts = poc_rd_over(t->msg.ts, NULL);
    kept = plain;
    *p = (mcx_seal_params){ .sender = sender_of(&own, t),
                            .key_id = key_id,
                            .cs_id = (uint8_t)json_integer_value(json_object_get(e, "cs_id")),
                            .algorithms = &mcx_aes128_gcm,
                            .algorithm_count = t->msg.cs_count,
                            .parameters = parameters,
                            .hides_identities = t->msg.idi.role == MIKEY_ROLE_UID_INITIATOR };
    memcpy(p->rand, rand.b, sizeof(p->rand));
    assert_int_equal(poc_rd_u64(&ts, &p->ntp), POC_OK);
    p->ntp_s = p->ntp >> 32;
    assert_int_equal(mcx_key_parameters_read(parameters, vec_span(&kept), (mcx_key_type)(key_id >> 28), false, NULL),
                     POC_OK);
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
            params_of(&params, &parameters, t);
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

/* ---- refusals, in the order of the checklist ---- */

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
    params_of(&params, &parameters, t);
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
        cmocka_unit_test(a_body_is_taken_as_octets_or_base64_and_never_trimmed),
        cmocka_unit_test(a_base64_body_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
