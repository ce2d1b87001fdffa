#include "tests/unit/mcx/mcx_taken.h"

#include <string.h>

taken *take(const mcx_world *w, const char *name)
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

const mcx_identity *sender_of(const mcx_world *w, const taken *t)
{
    return mcx_world_party(w, mcx_text(t->entry, "sender"));
}

void change(taken *t, const mcx_identity *who)
{
    if (who != NULL)
        mcx_world_resign(who, &t->octets);
    assert_int_equal(mcx_i_message_read(&t->msg, vec_span(&t->octets), NULL), POC_OK);
}

void assert_opens(const taken *t)
{
    mcx_opened o;
    poc_fault fault;
    const poc_err err = mcx_i_message_open(&o, &t->msg, &t->expected, &fault);
    if (err != POC_OK)
        print_error("%s: %s at %zu\n", poc_err_name(err), fault.reason, fault.offset);
    assert_int_equal(err, POC_OK);
    mcx_opened_done(&o);
}

void assert_refused(const taken *t, poc_err want, const char *reason)
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

void params_of(mcx_seal_params *p, mcx_key_parameters *parameters, const mcx_world *w, const taken *t)
{
    const json_t *e = t->entry;
    const vec_bytes rand = vec_hex(e, "rand"), plain = vec_hex(e, "key_parameters");
    static vec_bytes kept;
    const uint32_t key_id = mcx_number(e, "key_id");
    poc_rd ts = poc_rd_over(t->msg.ts, NULL);
    kept = plain;
    *p = (mcx_seal_params){ .sender = sender_of(w, t),
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
