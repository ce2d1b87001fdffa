/* What follows from identities and keys alone: hashed identities, key ids, key parameters, derived keys, algorithms. */
#include "tests/unit/mcx/mcx_vectors.h"

#include <string.h>

#include "base/crypto.h"
#include "base/text.h"

static uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* ---- identities ---- */

static void every_uid_of_the_vectors_comes_out(void **state)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(*state, "ts33180_uid"), i, c)
    {
        const mcx_period period = { number_of(c, "period"), number_of(c, "offset"), number_of(c, "number") };
        const vec_bytes want = vec_hex(c, "uid");
        uint8_t uid[MCX_UID_LEN];
        assert_int_equal(mcx_uid(uid, mcx_text(c, "uri"), mcx_text(c, "kms_uri"), &period), POC_OK);
        assert_memory_equal(uid, want.b, sizeof(uid));
    }
    assert_int_equal(i, 5);
}

static void a_uid_changes_with_the_period_and_with_each_octet_of_a_uri(void **state)
{
    const mcx_period now = { 2592000, 0, 1536 }, next = { 2592000, 0, 1537 };
    uint8_t a[MCX_UID_LEN], b[MCX_UID_LEN];
    const poc_span kms = poc_span_str("kms.example.org"), alice = poc_span_str("sip:alice@example.org");
    (void)state;
    assert_int_equal(mcx_uid(a, alice, kms, &now), POC_OK);
    assert_int_equal(mcx_uid(b, alice, kms, &next), POC_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(mcx_uid(b, poc_span_str("sip:Alice@example.org"), kms, &now), POC_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(mcx_uid(b, alice, poc_span_str("sip:kms.example.org"), &now), POC_OK);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void an_identity_over_the_limit_has_no_uid(void **state)
{
    static const uint8_t text[MCX_URI_MAX + 1] = { 'x' };
    const mcx_period period = { 2592000, 0, 1536 };
    uint8_t uid[MCX_UID_LEN];
    (void)state;
    assert_int_equal(mcx_uid(uid, poc_span_of(text, MCX_URI_MAX), poc_span_of(text, MCX_URI_MAX), &period), POC_OK);
    assert_int_equal(mcx_uid(uid, poc_span_of(text, sizeof(text)), poc_span_str("k"), &period), POC_E_LIMIT);
    assert_int_equal(mcx_uid(uid, poc_span_str("u"), poc_span_of(text, sizeof(text)), &period), POC_E_LIMIT);
}

static void periods_are_counted_from_1900_and_the_offset(void **state)
{
    const mcx_period period = { 2592000, 100, 1536 };
    (void)state;
    assert_int_equal(mcx_period_number(3981312000, 2592000, 0), 1536);
    assert_int_equal(mcx_period_number(3981311999, 2592000, 0), 1535);
    assert_int_equal(mcx_period_number(mcx_period_start(&period), 2592000, 100), 1536);
    assert_int_equal(mcx_period_number(mcx_period_start(&period) - 1, 2592000, 100), 1535);
    assert_int_equal(mcx_period_number(99, 2592000, 100), 0);
    assert_int_equal(mcx_period_number(99, 0, 0), 0);
}

static void a_timestamp_is_read_right_on_both_sides_of_2036(void **state)
{
    const uint64_t era = UINT64_C(1) << 32;
    (void)state;
    assert_int_equal(mcx_ntp_expand(0xed4e0000, 0xed4e0010), 0xed4e0000);
    assert_int_equal(mcx_ntp_expand(5, era - 5), era + 5);
    assert_int_equal(mcx_ntp_expand(0xfffffff0, era + 5), era - 16);
    assert_int_equal(mcx_ntp_expand(7, era + 5), era + 7);
    assert_int_equal(mcx_ntp_expand(0xfffffff0, 5), 0xfffffff0);
}

/* ---- ids of keys ---- */

/* MCX-28 */
static void the_key_type_is_told_by_the_four_top_bits_and_unassigned_ones_are_refused(void **state)
{
    static const char *const names[] = { "GMK", "PCK", "CSK", "SPK", "MKFC", "MSCCK", "MuSiK" };
    (void)state;
    for (uint32_t tag = 0; tag < 16; tag++) {
        mcx_key_type type = MCX_KEY_TYPES;
        const poc_err err = mcx_key_type_of(&type, tag << 28 | 0x0fffffff);
        assert_int_equal(err, tag < POC_COUNT(names) ? POC_OK : POC_E_INPUT);
        assert_int_equal(type, err == POC_OK ? tag : MCX_KEY_TYPES);
        assert_string_equal(mcx_key_type_name(tag), tag < POC_COUNT(names) ? names[tag] : "unknown");
    }
}

static void a_new_key_id_has_its_tag_and_28_random_bits(void **state)
{
    static const uint8_t ones[8] = { 0xff, 0xff, 0xff, 0xff };
    mcx_script script = { ones, sizeof(ones) };
    const poc_rng rng = mcx_script_rng(&script);
    uint32_t id;
    (void)state;
    assert_int_equal(mcx_key_id_random(&id, MCX_MUSIK, &rng), POC_OK);
    assert_int_equal(id, 0x6fffffff);
    assert_int_equal(mcx_key_id_random(&id, MCX_CSK, &rng), POC_OK);
    assert_int_equal(id, 0x20000000);
    assert_int_equal(mcx_key_id_random(&id, MCX_CSK, &rng), POC_E_IO);
}

static void signalling_keys_have_the_crypto_session_ids_of_their_service(void **state)
{
    static const struct {
        mcx_key_type type;
        uint8_t mcptt, mcvideo;
    } rows[] = { { MCX_GMK, 4, 5 }, { MCX_PCK, 0, 2 }, { MCX_CSK, 6, 8 }, { MCX_MUSIK, 7, 9 } };
    uint8_t cs_id;
    (void)state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        assert_int_equal(mcx_cs_id_of(&cs_id, rows[i].type, MCX_MCPTT), POC_OK);
        assert_int_equal(cs_id, rows[i].mcptt);
        assert_int_equal(mcx_cs_id_of(&cs_id, rows[i].type, MCX_MCVIDEO), POC_OK);
        assert_int_equal(cs_id, rows[i].mcvideo);
    }
    assert_int_equal(mcx_cs_id_of(&cs_id, MCX_SPK, MCX_MCPTT), POC_E_INPUT);
}

static void a_guk_id_and_its_gmk_id_follow_from_each_other(void **state)
{
    const json_t *c = json_array_get(json_object_get(json_object_get(*state, "kdf"), "guk_id"), 0);
    poc_secret *gmk = mcx_secret(c, "gmk");
    uint32_t id;
    assert_int_equal(mcx_guk_id(&id, mcx_number(c, "gmk_id"), gmk, mcx_text(c, "service_id")), POC_OK);
    assert_int_equal(id, mcx_number(c, "guk_id"));
    assert_int_equal(mcx_guk_id(&id, id, gmk, mcx_text(c, "service_id")), POC_OK);
    assert_int_equal(id, mcx_number(c, "gmk_id"));
    poc_secret_free(gmk);
}

/* ---- derived keys ---- */

static void assert_master(const json_t *c, const char *key_id, const char *key, const char *salt)
{
    poc_secret *k = mcx_secret(c, "key"), *master;
    const vec_bytes rand = vec_hex(c, "rand"), want_key = vec_hex(c, key), want_salt = vec_hex(c, salt);
    const mcx_srtp_context context = { mcx_number(c, key_id), (uint8_t)number_of(c, "cs_id"), vec_span(&rand) };
    assert_int_equal(mcx_srtp_master(&master, k, &context, 16), POC_OK);
    assert_int_equal(poc_secret_len(master), 16 + MCX_SRTP_SALT_LEN);
    assert_memory_equal(poc_secret_bytes(master), want_key.b, 16);
    assert_memory_equal(poc_secret_bytes(master) + 16, want_salt.b, MCX_SRTP_SALT_LEN);
    poc_secret_free(master);
    poc_secret_free(k);
}

/* MCX-12, MCX-13 */
static void srtcp_master_keys_of_csk_and_musik_match(void **state)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(json_object_get(*state, "kdf"), "srtp_master"), i, c)
        assert_master(c, "csb_id", "master_key", "master_salt");
    assert_int_equal(i, 4);
    json_array_foreach(mcx_messages(*state, "ts33180_own"), i, c)
        assert_master(c, "key_id", "srtp_master_key", "srtp_master_salt");
    assert_int_equal(i, 5);
}

static void a_master_key_wants_a_rand_of_its_size(void **state)
{
    static const uint8_t rand[MIKEY_RAND_MAX + 1];
    const uint8_t key[16] = { 1 };
    poc_secret *k, *master;
    (void)state;
    assert_int_equal(poc_secret_from(&k, key, sizeof(key)), POC_OK);
    for (size_t n = 0; n <= sizeof(rand); n++) {
        const mcx_srtp_context context = { 0x20000000, 6, poc_span_of(rand, n) };
        const bool good = n >= MIKEY_RAND_LEN && n <= MIKEY_RAND_MAX;
        assert_int_equal(mcx_srtp_master(&master, k, &context, 32), good ? POC_OK : POC_E_LIMIT);
        poc_secret_free(master);
    }
    poc_secret_free(k);
}

/* MCX-12 */
static void xml_keys_of_a_csk_match(void **state)
{
    size_t i, seen = 0;
    json_t *c;
    json_array_foreach(mcx_messages(*state, "ts33180_own"), i, c)
    {
        poc_secret *csk, *confidentiality, *integrity;
        if (!vec_has(c, "xml_integrity_key"))
            continue;
        const vec_bytes want_c = vec_hex(c, "xml_confidentiality_key"), want_i = vec_hex(c, "xml_integrity_key");
        csk = mcx_secret(c, "key");
        assert_int_equal(
            mcx_xml_keys(&confidentiality, &integrity, csk, mcx_number(c, "key_id"), mcx_text(c, "xpk_service_id")),
            POC_OK);
        assert_int_equal(poc_secret_len(confidentiality), want_c.n);
        assert_memory_equal(poc_secret_bytes(confidentiality), want_c.b, want_c.n);
        assert_memory_equal(poc_secret_bytes(integrity), want_i.b, want_i.n);
        poc_secret_free(confidentiality);
        poc_secret_free(integrity);
        poc_secret_free(csk);
        seen++;
    }
    assert_int_equal(seen, 3);
}

/* ---- key parameters ---- */

static vec_bytes extension_of(const json_t *message)
{
    const vec_bytes octets = mcx_octets(message);
    mikey_msg msg;
    vec_bytes out;
    assert_int_equal(mikey_decode(&msg, vec_span(&octets), NULL), POC_OK);
    out.n = msg.key_parameters.n;
    if (out.n > 0)
        memcpy(out.b, msg.key_parameters.p, out.n);
    return out;
}

static void key_parameters_of_every_message_open_to_their_plain_text(void **state)
{
    static const char *const families[] = { "ts33180_own", "field_messages" };
    size_t i, opened = 0;
    json_t *c;
    for (size_t f = 0; f < POC_COUNT(families); f++) {
        json_array_foreach(mcx_messages(*state, families[f]), i, c)
        {
            const vec_bytes data = extension_of(c);
            uint8_t plain[MCX_PARAMETERS_MAX], again[MCX_PARAMETERS_MAX];
            poc_wr wr = poc_wr_into(again, sizeof(again));
            mcx_key_parameters p;
            if (!vec_has(c, "key_parameters"))
                continue;
            const vec_bytes want = vec_hex(c, "key_parameters");
            poc_secret *key = mcx_secret(c, "key");
            const uint32_t csb_id = mcx_number(c, vec_has(c, "guk_id") ? "guk_id" : "key_id");
            assert_int_equal(mcx_key_parameters_open(&p, plain, vec_span(&data), key, csb_id, NULL), POC_OK);
            assert_int_equal(p.type, csb_id >> 28);
            assert_false(p.is_revoked);
            assert_int_equal(mcx_key_parameters_write(&wr, &p), POC_OK);
            assert_int_equal(wr.len, want.n);
            assert_memory_equal(again, want.b, want.n);
            poc_secret_free(key);
            opened++;
        }
    }
    assert_int_equal(opened, 7);
}

static void sealed_key_parameters_are_those_of_the_vectors_octet_by_octet(void **state)
{
    size_t i, sealed = 0;
    json_t *c;
    json_array_foreach(mcx_messages(*state, "ts33180_own"), i, c)
    {
        mcx_key_parameters p;
        uint8_t out[MCX_SEALED_MAX];
        poc_wr wr = poc_wr_into(out, sizeof(out));
        if (!vec_has(c, "ge_iv"))
            continue;
        const vec_bytes iv = vec_hex(c, "ge_iv"), plain = vec_hex(c, "key_parameters"), want = extension_of(c);
        const uint32_t key_id = mcx_number(c, "key_id");
        mcx_script script = { iv.b, iv.n };
        const poc_rng rng = mcx_script_rng(&script);
        poc_secret *key = mcx_secret(c, "key");
        assert_int_equal(mcx_key_parameters_read(&p, vec_span(&plain), (mcx_key_type)(key_id >> 28), false, NULL),
                         POC_OK);
        assert_int_equal(mcx_key_parameters_seal(&wr, &p, key, key_id, number_of(c, "ge_datetime_unix"), &rng), POC_OK);
        assert_int_equal(wr.len, want.n);
        assert_memory_equal(out, want.b, want.n);
        poc_secret_free(key);
        sealed++;
    }
    assert_int_equal(sealed, 4);
}

static void a_group_musik_names_its_group_and_its_times(void **state)
{
    const json_t *c = mcx_message(*state, "ts33180_own", "musik_download_group");
    const vec_bytes plain = vec_hex(c, "key_parameters");
    mcx_key_parameters p;
    assert_int_equal(mcx_key_parameters_read(&p, vec_span(&plain), MCX_MUSIK, false, NULL), POC_OK);
    assert_int_equal(p.group_count, 1);
    assert_true(poc_span_eq_str(p.groups[0], "sip:group1@mcptt.example.org"));
    assert_true(poc_span_eq_str(p.text, "fire ground"));
    assert_true(p.activation_s != 0 && p.activation_s < p.expiry_s);
}

/* The message of an old sender (gmk_legacy_map): 17 octets in clear, key type counted from one. */
static void unencrypted_key_parameters_of_old_senders_are_understood(void **state)
{
    const json_t *c = mcx_message(*state, "field_messages", "gmk_legacy_map");
    const vec_bytes data = extension_of(c);
    uint8_t plain[MCX_PARAMETERS_MAX];
    mcx_key_parameters p;
    poc_secret *key = mcx_secret(c, "key");
    assert_int_equal(data.n, 17);
    assert_int_equal(mcx_key_parameters_open(&p, plain, vec_span(&data), key, 0x048209a7, NULL), POC_OK);
    assert_int_equal(p.type, MCX_GMK);
    assert_false(p.is_revoked);
    assert_int_equal(mcx_key_parameters_open(&p, plain, poc_span_of(data.b, 15), key, 0x048209a7, NULL), POC_OK);
    assert_int_equal(mcx_key_parameters_open(&p, plain, poc_span_of(data.b, 16), key, 0x048209a7, NULL), POC_E_INPUT);
    poc_secret_free(key);
}

static void key_parameters_may_stand_in_an_information_element(void **state)
{
    const uint8_t wrapped[] = { 0x70, 0, 17, MCX_CSK, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    mcx_key_parameters p;
    (void)state;
    assert_int_equal(mcx_key_parameters_read(&p, poc_span_of(wrapped, sizeof(wrapped)), MCX_CSK, false, NULL), POC_OK);
    assert_true(p.is_shared);
    assert_int_equal(mcx_key_parameters_read(&p, poc_span_of(wrapped, 3), MCX_CSK, false, NULL), POC_E_INPUT);
    assert_int_equal(mcx_key_parameters_read(&p, poc_span_of(wrapped, 10), MCX_CSK, false, NULL), POC_E_INPUT);
}

static void a_status_of_zero_is_a_revoked_key(void **state)
{
    const uint8_t plain[17] = { MCX_CSK };
    mcx_key_parameters p;
    (void)state;
    assert_int_equal(mcx_key_parameters_read(&p, poc_span_of(plain, sizeof(plain)), MCX_CSK, false, NULL), POC_OK);
    assert_true(p.is_revoked);
    assert_int_equal(mcx_key_parameters_read(&p, poc_span_of(plain, sizeof(plain)), MCX_MUSIK, false, NULL),
                     POC_E_INPUT);
}

static void sealed_key_parameters_cut_or_changed_anywhere_do_not_open(void **state)
{
    const json_t *c = mcx_message(*state, "ts33180_own", "musik_download_group");
    vec_bytes data = extension_of(c);
    uint8_t plain[MCX_PARAMETERS_MAX];
    mcx_key_parameters p;
    poc_secret *key = mcx_secret(c, "key");
    for (size_t n = 0; n < data.n; n++)
        assert_int_not_equal(mcx_key_parameters_open(&p, plain, poc_span_of(data.b, n), key, 0x6abcdef0, NULL), POC_OK);
    for (size_t bit = 0; bit < 8 * data.n; bit++) {
        if (bit / 8 == 32) /* the IEI, of no meaning */
            continue;
        data.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(mcx_key_parameters_open(&p, plain, vec_span(&data), key, 0x6abcdef0, NULL), POC_OK);
        data.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(mcx_key_parameters_open(&p, plain, vec_span(&data), key, 0x6abcdef0, NULL), POC_OK);
    assert_int_equal(mcx_key_parameters_open(&p, plain, vec_span(&data), key, 0x6abcdef1, NULL), POC_E_INPUT);
    poc_secret_free(key);
}

/* A peer that sends the optional octet in front of the IV, and a key of 256 bits. */
static void the_optional_signalling_algorithm_and_a_long_key_are_understood(void **state)
{
    const uint8_t key_octets[32] = { 7 }, iv[16] = { 9 }, id[4] = { 0x2a, 0, 0, 1 };
    uint8_t data[256], all[32], plain[MCX_PARAMETERS_MAX];
    const uint8_t content[17] = { MCX_CSK, 0, 0, 0, 1 };
    poc_wr wr = poc_wr_into(data, sizeof(data));
    mcx_key_parameters p;
    poc_secret *key;
    (void)state;
    assert_int_equal(poc_secret_from(&key, key_octets, sizeof(key_octets)), POC_OK);
    const uint8_t kdf_input[] = { 0x53, 0x2a, 0, 0, 1, 0, 4 };
    assert_int_equal(poc_hmac_sha256(all, poc_secret_span(key), poc_span_of(kdf_input, sizeof(kdf_input))), POC_OK);
    poc_wr_put(&wr, "\x43\0\0\0\0\0\0\0\0\0\0\2\2", 13);
    poc_wr_put(&wr, iv, sizeof(iv));
    poc_wr_put(&wr, id, sizeof(id));
    const poc_span aad = poc_span_of(data, wr.len);
    assert_int_equal(aad.n, 33);
    poc_wr_put(&wr, "\x78\0\x21", 3);
    assert_int_equal(poc_gcm_seal_iv(poc_wr_room(&wr, 33), poc_span_of(all, 32), poc_span_of(iv, 16), aad,
                                     poc_span_of(content, sizeof(content))),
                     POC_OK);
    assert_int_equal(mcx_key_parameters_open(&p, plain, poc_span_of(data, wr.len), key, 0x2a000001, NULL), POC_OK);
    assert_int_equal(p.type, MCX_CSK);
    poc_secret_free(key);
}

static void groups_are_refused_where_a_key_has_none_and_beyond_the_limit(void **state)
{
    uint8_t out[MCX_PARAMETERS_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    mcx_key_parameters p = { .type = MCX_CSK, .group_count = 1, .groups = { poc_span_str("sip:g@example.org") } };
    (void)state;
    assert_int_equal(mcx_key_parameters_write(&wr, &p), POC_E_BUG);
    p = (mcx_key_parameters){ .type = MCX_MUSIK, .expiry_s = UINT64_C(1) << 40 };
    assert_int_equal(mcx_key_parameters_write(&wr, &p), POC_E_BUG);
    p = (mcx_key_parameters){ .type = MCX_MUSIK, .group_count = MCX_GROUPS_MAX };
    for (size_t i = 0; i < p.group_count; i++)
        p.groups[i] = poc_span_str("sip:g@example.org");
    wr.len = 0;
    assert_int_equal(mcx_key_parameters_write(&wr, &p), POC_OK);
    mcx_key_parameters q;
    assert_int_equal(mcx_key_parameters_read(&q, poc_span_of(out, wr.len), MCX_MUSIK, false, NULL), POC_OK);
    assert_int_equal(q.group_count, MCX_GROUPS_MAX);
    out[19] = MCX_GROUPS_MAX + 1; /* behind type, status, times, empty text and the length of the list */
    assert_int_equal(mcx_key_parameters_read(&q, poc_span_of(out, wr.len), MCX_MUSIK, false, NULL), POC_E_INPUT);
}

/* ---- algorithms ---- */

#define GCM_128       \
    {                 \
        6, 16, 12, 16 \
    }
#define GCM_256       \
    {                 \
        6, 32, 12, 16 \
    }

/* Puts a message with these policies in `octets` and decodes it; `cs` of the map entries point to them in order. */
static mikey_msg message_with(uint8_t *octets, size_t cap, const mcx_algorithm *algorithms, size_t n, size_t cs)
{
    static uint8_t texts[8][32];
    static const uint8_t numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7 }, rand[16];
    mikey_policy policies[8];
    mikey_generic_cs map[8];
    const poc_span uri = poc_span_str("a");
    uint8_t *sed, *signature;
    poc_wr wr = poc_wr_into(octets, cap);
    for (size_t i = 0; i < n; i++) {
        poc_wr params = poc_wr_into(texts[i], sizeof(texts[i]));
        mcx_algorithm_put(&params, &algorithms[i]);
        policies[i] = (mikey_policy){ (uint8_t)i, poc_span_of(texts[i], params.len) };
    }
    for (size_t i = 0; i < cs; i++)
        map[i] = (mikey_generic_cs){ .cs_id = 6, .policies = poc_span_of(&numbers[i], 1) };
    const mikey_i_message m = {
        .csb_id = 0x20000001,
        .map = map,
        .cs_count = cs,
        .rand = poc_span_of(rand, sizeof(rand)),
        .idi = { true, MIKEY_ROLE_INITIATOR, MIKEY_ID_URI, uri },
        .idr = { true, MIKEY_ROLE_RESPONDER, MIKEY_ID_URI, uri },
        .idkmsi = { true, MIKEY_ROLE_KMS_INITIATOR, MIKEY_ID_URI, uri },
        .idkmsr = { true, MIKEY_ROLE_KMS_RESPONDER, MIKEY_ID_URI, uri },
        .policies = policies,
        .policy_count = n,
        .sed_len = MIKEY_SED_LEN,
    };
    mikey_msg msg;
    assert_int_equal(mikey_i_message_write(&wr, &m, &sed, &signature), POC_OK);
    memset(sed, 4, MIKEY_SED_LEN);
    memset(signature, 0, MIKEY_SIGNATURE_LEN);
    assert_int_equal(mikey_decode(&msg, poc_span_of(octets, wr.len), NULL), POC_OK);
    return msg;
}

/* MCX-14 */
static void an_upload_without_a_list_offers_the_default_only(void **state)
{
    const vec_bytes octets = mcx_octets(mcx_message(*state, "ts33180_own", "csk_upload_minimal"));
    mikey_msg msg;
    mcx_offer offer;
    assert_int_equal(mikey_decode(&msg, vec_span(&octets), NULL), POC_OK);
    assert_int_equal(mcx_offer_read(&offer, &msg, NULL), POC_OK);
    assert_int_equal(offer.count, 1);
    assert_true(mcx_algorithm_eq(&offer.algorithms[0], &mcx_aes128_gcm));
}

/* MCX-14 */
static void an_upload_lists_algorithms_in_its_order_of_preference(void **state)
{
    static const mcx_algorithm sent[] = { GCM_256, GCM_128, { 1, 16, 14, 10 } };
    uint8_t octets[MIKEY_MESSAGE_MAX];
    mcx_offer offer;
    (void)state;
    mikey_msg msg = message_with(octets, sizeof(octets), sent, POC_COUNT(sent), POC_COUNT(sent));
    assert_int_equal(mcx_offer_read(&offer, &msg, NULL), POC_OK);
    assert_int_equal(offer.count, POC_COUNT(sent));
    for (size_t i = 0; i < offer.count; i++)
        assert_true(mcx_algorithm_eq(&offer.algorithms[i], &sent[i]));
    assert_true(mcx_algorithm_eq(&offer.algorithms[2], &mcx_aes128_cm));
}

static void policies_of_every_message_of_the_field_are_the_default(void **state)
{
    size_t i;
    json_t *c;
    json_array_foreach(mcx_messages(*state, "field_messages"), i, c)
    {
        const vec_bytes octets = mcx_octets(c);
        mikey_msg msg;
        mcx_offer offer;
        assert_int_equal(mikey_decode(&msg, vec_span(&octets), NULL), POC_OK);
        assert_int_equal(mcx_offer_read(&offer, &msg, NULL), POC_OK);
        assert_int_equal(offer.count, 1);
        assert_true(mcx_algorithm_eq(&offer.algorithms[0], &mcx_aes128_gcm));
    }
    assert_int_equal(i, 4);
}

static void a_map_entry_without_its_policy_means_the_default(void **state)
{
    static const mcx_algorithm sent[] = { GCM_256 };
    uint8_t octets[MIKEY_MESSAGE_MAX];
    mcx_offer offer;
    (void)state;
    mikey_msg msg = message_with(octets, sizeof(octets), sent, 1, 2);
    assert_int_equal(mcx_offer_read(&offer, &msg, NULL), POC_OK);
    assert_int_equal(offer.count, 2);
    assert_true(mcx_algorithm_eq(&offer.algorithms[1], &mcx_aes128_gcm));
}

/* Whatever the order: the tag of HMAC-SHA-1 is none of AES-GCM's. What is not said is as each of both has it by default. */
static void each_algorithm_has_the_length_of_its_own_tag(void **state)
{
    static const mcx_algorithm sent[] = { GCM_128 };
    static const struct {
        const uint8_t params[18];
        const mcx_algorithm *is;
    } rows[] = {
        { { 0, 1, 6, 1, 1, 16, 4, 1, 12, 20, 1, 16, 6, 1, 0, 11, 1, 10 }, &mcx_aes128_gcm },
        { { 0, 1, 6, 1, 1, 32, 11, 1, 10, 20, 1, 16, 6, 1, 0, 4, 1, 12 }, &mcx_aes256_gcm },
        { { 0, 1, 6, 1, 1, 16, 4, 1, 12, 5, 1, 0, 6, 1, 0, 11, 1, 16 }, &mcx_aes128_gcm },
        { { 0, 1, 1, 1, 1, 16, 4, 1, 14, 11, 1, 10, 6, 1, 0, 20, 1, 16 }, &mcx_aes128_cm },
        { { 0, 1, 1, 2, 1, 1, 3, 1, 20, 5, 1, 0, 6, 1, 0, 8, 1, 1 }, &mcx_aes128_cm },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        uint8_t octets[MIKEY_MESSAGE_MAX];
        mcx_offer offer;
        mikey_msg msg = message_with(octets, sizeof(octets), sent, 1, 1);
        uint8_t *at = memmem(octets, sizeof(octets), "\0\1\6\1\1\x10", 6);
        assert_non_null(at);
        memcpy(at, rows[i].params, sizeof(rows[i].params));
        assert_int_equal(mikey_decode(&msg, msg.raw, NULL), POC_OK);
        assert_int_equal(mcx_offer_read(&offer, &msg, NULL), POC_OK);
        assert_int_equal(offer.count, 1);
        assert_true(mcx_algorithm_eq(&offer.algorithms[0], rows[i].is));
    }
}

static void a_parameter_that_is_not_one_octet_is_refused(void **state)
{
    static const mcx_algorithm sent[] = { GCM_128 };
    uint8_t octets[MIKEY_MESSAGE_MAX];
    mcx_offer offer;
    poc_fault fault = { 0, NULL };
    (void)state;
    mikey_msg msg = message_with(octets, sizeof(octets), sent, 1, 1);
    uint8_t *at = memmem(octets, sizeof(octets), "\0\1\6\1\1\x10", 6);
    assert_non_null(at);
    memcpy(at, "\1\0\0\4\6\6", 6); /* key length of no octet, encryption of 4, and so on to the end */
    memset(at + 6, 0, 12);
    assert_int_equal(mikey_decode(&msg, msg.raw, NULL), POC_OK);
    assert_int_equal(mcx_offer_read(&offer, &msg, &fault), POC_E_INPUT);
    assert_non_null(fault.reason);
    assert_true(fault.offset > 0 && fault.offset < msg.raw.n);
}

/* MCX-15, MCX-27: which algorithm, and whether a download has to say so first. */
static void the_server_takes_the_first_it_allows_or_the_one_it_forces(void **state)
{
    static const mcx_algorithm gcm128[] = { GCM_128 }, both[] = { GCM_128, GCM_256 };
    static const mcx_offer only128 = { { GCM_128 }, 1 }, first256 = { { GCM_256, GCM_128 }, 2 },
                           only256 = { { GCM_256 }, 1 };
    const struct {
        const mcx_offer *offer;
        mcx_algorithm_policy policy;
        poc_err err;
        uint8_t key_len;
        bool needs_download;
    } rows[] = {
        { &only128, { gcm128, 1, NULL }, POC_OK, 16, false },
        { &first256, { both, 2, NULL }, POC_OK, 32, false },
        { &first256, { gcm128, 1, NULL }, POC_OK, 16, true },
        { &only256, { gcm128, 1, NULL }, POC_E_DENIED, 0, false },
        { &first256, { both, 2, &mcx_aes128_gcm }, POC_OK, 16, true },
        { &only128, { both, 2, &mcx_aes256_gcm }, POC_E_DENIED, 0, false },
        { &only128, { NULL, 0, NULL }, POC_E_DENIED, 0, false },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        mcx_choice choice;
        assert_int_equal(mcx_algorithm_choose(&choice, rows[i].offer, &rows[i].policy), rows[i].err);
        if (rows[i].err != POC_OK)
            continue;
        assert_int_equal(choice.algorithm.key_len, rows[i].key_len);
        assert_int_equal(choice.needs_download, rows[i].needs_download);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_uid_of_the_vectors_comes_out),
        cmocka_unit_test(a_uid_changes_with_the_period_and_with_each_octet_of_a_uri),
        cmocka_unit_test(an_identity_over_the_limit_has_no_uid),
        cmocka_unit_test(periods_are_counted_from_1900_and_the_offset),
        cmocka_unit_test(a_timestamp_is_read_right_on_both_sides_of_2036),
        cmocka_unit_test(the_key_type_is_told_by_the_four_top_bits_and_unassigned_ones_are_refused),
        cmocka_unit_test(a_new_key_id_has_its_tag_and_28_random_bits),
        cmocka_unit_test(signalling_keys_have_the_crypto_session_ids_of_their_service),
        cmocka_unit_test(a_guk_id_and_its_gmk_id_follow_from_each_other),
        cmocka_unit_test(srtcp_master_keys_of_csk_and_musik_match),
        cmocka_unit_test(a_master_key_wants_a_rand_of_its_size),
        cmocka_unit_test(xml_keys_of_a_csk_match),
        cmocka_unit_test(key_parameters_of_every_message_open_to_their_plain_text),
        cmocka_unit_test(sealed_key_parameters_are_those_of_the_vectors_octet_by_octet),
        cmocka_unit_test(a_group_musik_names_its_group_and_its_times),
        cmocka_unit_test(unencrypted_key_parameters_of_old_senders_are_understood),
        cmocka_unit_test(key_parameters_may_stand_in_an_information_element),
        cmocka_unit_test(a_status_of_zero_is_a_revoked_key),
        cmocka_unit_test(sealed_key_parameters_cut_or_changed_anywhere_do_not_open),
        cmocka_unit_test(the_optional_signalling_algorithm_and_a_long_key_are_understood),
        cmocka_unit_test(groups_are_refused_where_a_key_has_none_and_beyond_the_limit),
        cmocka_unit_test(an_upload_without_a_list_offers_the_default_only),
        cmocka_unit_test(an_upload_lists_algorithms_in_its_order_of_preference),
        cmocka_unit_test(policies_of_every_message_of_the_field_are_the_default),
        cmocka_unit_test(a_map_entry_without_its_policy_means_the_default),
        cmocka_unit_test(each_algorithm_has_the_length_of_its_own_tag),
        cmocka_unit_test(a_parameter_that_is_not_one_octet_is_refused),
        cmocka_unit_test(the_server_takes_the_first_it_allows_or_the_one_it_forces),
    };
    return cmocka_run_group_tests(tests, mcx_vectors_open, mcx_vectors_close);
}
