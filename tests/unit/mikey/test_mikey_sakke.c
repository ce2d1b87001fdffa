/* The octets of I_MESSAGEs, without their cryptography: what was read is written again as it was, and what belongs to one kind
 * of message is refused in the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "mikey/mikey.h"
#include "tests/support/vectors.h"

static vec_bytes octets_of(const json_t *message)
{
    vec_bytes v;
    if (vec_has(message, "message"))
        return vec_hex(message, "message");
    assert_int_equal(poc_base64_get(v.b, sizeof(v.b), &v.n, poc_span_str(vec_text(message, "message_base64"))), POC_OK);
    return v;
}

/* The parameters of a message that was read; `policies` has room for all of them. */
static mikey_i_message again(const mikey_msg *m, mikey_policy policies[MIKEY_PAYLOADS_MAX])
{
    poc_rd ts = poc_rd_over(m->ts, NULL);
    mikey_i_message out = { .csb_id = m->csb_id,
                            .map = m->generic,
                            .cs_count = m->map_type == MIKEY_MAP_GENERIC_ID ? m->cs_count : 0,
                            .rand = m->rand,
                            .idi = m->idi,
                            .idr = m->idr,
                            .idkmsi = m->idkmsi,
                            .idkmsr = m->idkmsr,
                            .policies = policies,
                            .sed_len = m->sed.n,
                            .sakke_to_self = m->sakke_to_self,
                            .key_parameters = m->key_parameters };
    assert_int_equal(poc_rd_u64(&ts, &out.ntp), POC_OK);
    for (size_t i = 0; i < m->payload_count; i++) {
        poc_rd body = poc_rd_over(m->payloads[i].body, NULL);
        mikey_sp sp;
        if (m->payloads[i].type != MIKEY_SP)
            continue;
        assert_int_equal(mikey_sp_read(&sp, &body), POC_OK);
        policies[out.policy_count++] = (mikey_policy){ sp.policy_no, sp.params };
    }
    return out;
}

static size_t rewrite(uint8_t *out, size_t cap, const mikey_msg *m)
{
    mikey_policy policies[MIKEY_PAYLOADS_MAX];
    const mikey_i_message params = again(m, policies);
    poc_wr wr = poc_wr_into(out, cap);
    uint8_t *sed, *signature;
    assert_int_equal(mikey_i_message_write(&wr, &params, &sed, &signature), POC_OK);
    memcpy(sed, m->sed.p, m->sed.n);
    memcpy(signature, m->signature.p, m->signature.n);
    assert_ptr_equal(signature + MIKEY_SIGNATURE_LEN, out + wr.len);
    return wr.len;
}

static void every_message_that_was_read_is_written_as_it_was(void **state)
{
    static const char *const families[] = { "ts33180_own", "field_messages" };
    size_t i, written = 0;
    json_t *entry;
    for (size_t f = 0; f < POC_COUNT(families); f++) {
        json_array_foreach(json_object_get(json_object_get(*state, families[f]), "messages"), i, entry)
        {
            const vec_bytes octets = octets_of(entry);
            uint8_t out[MIKEY_MESSAGE_MAX];
            mikey_msg m;
            assert_int_equal(mikey_decode(&m, vec_span(&octets), NULL), POC_OK);
            if (m.map_type == MIKEY_MAP_SRTP_ID)
                continue; /* the obsolete form is read, never written */
            assert_int_equal(rewrite(out, sizeof(out), &m), octets.n);
            assert_memory_equal(out, octets.b, octets.n);
            written++;
        }
    }
    assert_int_equal(written, 8);
}

static void a_sakke_payload_alone_is_read_as_it_was_written(void **state)
{
    uint8_t sed[MIKEY_SED_LEN_256] = { 4, 9 }, out[MIKEY_SED_LEN_256 + 5];
    poc_span back;
    (void)state;
    for (size_t n = MIKEY_SED_LEN; n <= MIKEY_SED_LEN_256; n += MIKEY_SED_LEN_256 - MIKEY_SED_LEN) {
        poc_wr wr = poc_wr_into(out, sizeof(out));
        assert_int_equal(mikey_sakke_write(&wr, poc_span_of(sed, n)), POC_OK);
        assert_int_equal(mikey_sakke_read(&back, poc_span_of(out, wr.len), NULL), POC_OK);
        assert_true(poc_span_eq(back, poc_span_of(sed, n)));
        assert_int_equal(mikey_sakke_read(&back, poc_span_of(out, wr.len - 1), NULL), POC_E_INPUT);
        out[0] = MIKEY_SIGN;
        assert_int_equal(mikey_sakke_read(&back, poc_span_of(out, wr.len), NULL), POC_E_INPUT);
    }
}

static void what_no_message_can_be_is_not_written(void **state)
{
    const vec_bytes octets =
        octets_of(json_array_get(json_object_get(json_object_get(*state, "ts33180_own"), "messages"), 0));
    mikey_policy policies[MIKEY_PAYLOADS_MAX];
    uint8_t out[MIKEY_MESSAGE_MAX], *sed, *signature;
    mikey_msg m;
    assert_int_equal(mikey_decode(&m, vec_span(&octets), NULL), POC_OK);
    const mikey_i_message good = again(&m, policies);
    for (size_t cap = 0; cap < octets.n; cap++) {
        poc_wr wr = poc_wr_into(out, cap);
        assert_int_equal(mikey_i_message_write(&wr, &good, &sed, &signature), POC_E_LIMIT);
    }
    for (int kind = 0; kind < 3; kind++) {
        mikey_i_message bad = good;
        poc_wr wr = poc_wr_into(out, sizeof(out));
        if (kind == 0)
            bad.rand.n = 15;
        else if (kind == 1)
            bad.sed_len = 272;
        else
            bad.cs_count = MIKEY_CS_MAX + 1;
        assert_int_equal(mikey_i_message_write(&wr, &bad, &sed, &signature), POC_E_BUG);
    }
}

static void payloads_of_one_kind_of_message_are_refused_in_the_other(void **state)
{
    static const struct {
        uint8_t type;
        const char *reason;
    } rows[] = {
        { MIKEY_KEMAC, "payload does not belong in this data type" },
        { MIKEY_V, "payload does not belong in this data type" },
        { MIKEY_ERR, "payload does not belong in this data type" },
        { MIKEY_ID, "payload does not belong in this data type" },
        { 7, "unknown payload" },
        { MIKEY_LAST, "no RAND payload" },
    };
    const vec_bytes octets =
        octets_of(json_array_get(json_object_get(json_object_get(*state, "ts33180_own"), "messages"), 0));
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        vec_bytes changed = octets;
        mikey_msg m;
        poc_fault fault;
        changed.b[10] = rows[i].type; /* next payload of T */
        assert_int_equal(mikey_decode(&m, vec_span(&changed), &fault), POC_E_INPUT);
        assert_string_equal(fault.reason, rows[i].reason);
    }
    const uint8_t psk[] = { 1, 0, MIKEY_IDR, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 'a' };
    const uint8_t map[] = { 1, 0, MIKEY_T, 0, 0, 0, 0, 0, 1, MIKEY_MAP_GENERIC_ID, 6, 0, 0, 0, 0, 0 };
    mikey_msg m;
    poc_fault fault;
    assert_int_equal(mikey_decode(&m, poc_span_of(psk, sizeof(psk)), &fault), POC_E_INPUT);
    assert_string_equal(fault.reason, "payload does not belong in this data type");
    assert_int_equal(mikey_decode(&m, poc_span_of(map, sizeof(map)), &fault), POC_E_INPUT);
    assert_string_equal(fault.reason, "CS ID map type not supported");
}

static int vectors_open(void **state)
{
    *state = vec_load(POC_VECTORS "/mikey-sakke.json");
    return 0;
}

static int vectors_close(void **state)
{
    json_decref(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_that_was_read_is_written_as_it_was),
        cmocka_unit_test(a_sakke_payload_alone_is_read_as_it_was_written),
        cmocka_unit_test(what_no_message_can_be_is_not_written),
        cmocka_unit_test(payloads_of_one_kind_of_message_are_refused_in_the_other),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
