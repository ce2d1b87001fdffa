/* Control packets under a CSK or MuSiK: libsrtp2 opens what is protected here and the reverse, and what is refused. */
#include <srtp2/srtp.h>
#include <string.h>

#include "tests/unit/mcx/mcx_vectors.h"

#define KEY_ID 0x62345678u

static const uint8_t rand16[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
/* An APP packet of floor control: subtype 1, SSRC, name MCPT, eight octets. */
static const uint8_t floor_taken[20] = { 0x81, 0xcc, 0, 4,   0xca, 0xfe, 0xba, 0xbe, 'M', 'C',
                                         'P',  'T',  1, 'a', 2,    'b',  3,    'c',  4,   'd' };

static mcx_srtp_context context_of(uint32_t key_id, uint8_t cs_id)
{
    return (mcx_srtp_context){ .csb_id = key_id, .cs_id = cs_id, .rand = poc_span_of(rand16, sizeof(rand16)) };
}

static poc_secret *key_of(size_t len)
{
    uint8_t octets[32];
    poc_secret *key;
    memset(octets, 0x5a, sizeof(octets));
    assert_int_equal(poc_secret_from(&key, octets, len), POC_OK);
    return key;
}

static mcx_srtcp *side_new(uint32_t key_id, const mcx_algorithm *a)
{
    const mcx_srtp_context context = context_of(key_id, 7);
    poc_secret *key = key_of(a->key_len);
    mcx_srtcp *s;
    assert_int_equal(mcx_srtcp_new(&s, key, &context, a), POC_OK);
    poc_secret_free(key);
    return s;
}

typedef struct packet {
    uint8_t b[MCX_SRTCP_MAX];
    size_t n;
} packet;

static poc_span span_of(const packet *p)
{
    return poc_span_of(p->b, p->n);
}

static packet from(uint32_t ssrc)
{
    packet p = { .n = sizeof(floor_taken) };
    memcpy(p.b, floor_taken, sizeof(floor_taken));
    poc_wr wr = poc_wr_into(p.b + 4, 4);
    poc_wr_u32(&wr, ssrc);
    return p;
}

static packet protect(mcx_srtcp *s, packet clear)
{
    packet p;
    poc_wr wr = poc_wr_into(p.b, sizeof(p.b));
    assert_int_equal(mcx_srtcp_protect(s, &wr, span_of(&clear)), POC_OK);
    p.n = wr.len;
    return p;
}

static poc_err unprotect(mcx_srtcp *s, const packet *p)
{
    packet out;
    return mcx_srtcp_unprotect(s, out.b, &out.n, span_of(p));
}

/* ---- the witness ---- */

typedef struct witness {
    srtp_t session;
    uint8_t key[44], mki[4];
} witness;

static void witness_open(witness *w, const mcx_algorithm *a, bool sends)
{
    const mcx_srtp_context context = context_of(KEY_ID, 7);
    poc_secret *key = key_of(a->key_len), *master;
    srtp_master_key_t keys = { w->key, w->mki, sizeof(w->mki) }, *list[] = { &keys };
    srtp_policy_t policy = { 0 };
    poc_wr mki = poc_wr_into(w->mki, sizeof(w->mki));
    poc_wr_u32(&mki, KEY_ID);
    assert_int_equal(mcx_srtp_master(&master, key, &context, a->key_len), POC_OK);
    memcpy(w->key, poc_secret_bytes(master), poc_secret_len(master));
    if (a->key_len == 16) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    } else {
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
    }
    policy.ssrc.type = sends ? ssrc_any_outbound : ssrc_any_inbound;
    policy.keys = list;
    policy.num_master_keys = 1;
    policy.window_size = 128;
    assert_int_equal(srtp_create(&w->session, &policy), srtp_err_status_ok);
    poc_secret_free(key);
    poc_secret_free(master);
}

static void assert_witness_opens(const mcx_algorithm *a)
{
    mcx_srtcp *s = side_new(KEY_ID, a);
    witness w;
    witness_open(&w, a, false);
    for (int i = 0; i < 3; i++) {
        packet p = protect(s, from(0xcafebabe));
        int n = (int)p.n;
        assert_int_equal(p.n, sizeof(floor_taken) + MCX_SRTCP_OVERHEAD);
        assert_int_equal(srtp_unprotect_rtcp_mki(w.session, p.b, &n, 1), srtp_err_status_ok);
        assert_int_equal(n, sizeof(floor_taken));
        assert_memory_equal(p.b, floor_taken, sizeof(floor_taken));
    }
    assert_int_equal(srtp_dealloc(w.session), srtp_err_status_ok);
    mcx_srtcp_free(s);
}

static void assert_witness_is_opened(const mcx_algorithm *a)
{
    mcx_srtcp *s = side_new(KEY_ID, a);
    witness w;
    witness_open(&w, a, true);
    for (int i = 0; i < 3; i++) {
        packet p = from(0xcafebabe), out;
        mcx_srtcp_view view;
        int n = (int)p.n;
        assert_int_equal(srtp_protect_rtcp_mki(w.session, p.b, &n, 1, 0), srtp_err_status_ok);
        p.n = (size_t)n;
        assert_int_equal(mcx_srtcp_look(&view, span_of(&p)), POC_OK);
        assert_int_equal(view.key_id, KEY_ID);
        assert_int_equal(view.ssrc, 0xcafebabe);
        assert_int_equal(mcx_srtcp_unprotect(s, out.b, &out.n, span_of(&p)), POC_OK);
        assert_int_equal(out.n, sizeof(floor_taken));
        assert_memory_equal(out.b, floor_taken, sizeof(floor_taken));
    }
    assert_int_equal(srtp_dealloc(w.session), srtp_err_status_ok);
    mcx_srtcp_free(s);
}

/* MCX-12 */
static void libsrtp_opens_what_is_protected_here(void **state)
{
    (void)state;
    assert_witness_opens(&mcx_aes128_gcm);
    assert_witness_opens(&mcx_aes256_gcm);
}

static void what_libsrtp_protects_is_opened_here(void **state)
{
    (void)state;
    assert_witness_is_opened(&mcx_aes128_gcm);
    assert_witness_is_opened(&mcx_aes256_gcm);
}

/* ---- the frame ---- */

/* MCX-6, MCX-7 */
static void clear_packets_are_refused(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm);
    packet p = from(1);
    assert_int_equal(unprotect(s, &p), POC_E_AUTH);
    /* Three packets in a row, the last word of which could be a MKI with an index in front. */
    packet compound = { .n = 60 };
    for (size_t i = 0; i < 3; i++)
        memcpy(compound.b + 20 * i, p.b, 20);
    poc_wr wr = poc_wr_into(compound.b + 52, 8);
    poc_wr_u32(&wr, 0x80000000);
    poc_wr_u32(&wr, KEY_ID);
    assert_int_equal(unprotect(s, &compound), POC_E_AUTH);
    mcx_srtcp_free(s);
}

static void a_packet_authenticated_but_not_encrypted_is_refused(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm), *r = side_new(KEY_ID, &mcx_aes128_gcm);
    packet p = protect(s, from(1));
    p.b[p.n - 8] &= 0x7f;
    assert_int_equal(unprotect(r, &p), POC_E_AUTH);
    mcx_srtcp_free(s);
    mcx_srtcp_free(r);
}

static void every_octet_of_a_packet_is_protected(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm), *r = side_new(KEY_ID, &mcx_aes128_gcm);
    const packet good = protect(s, from(1));
    for (size_t i = 0; i < good.n; i++) {
        packet p = good;
        p.b[i] ^= 1;
        assert_int_not_equal(unprotect(r, &p), POC_OK);
    }
    for (size_t n = 0; n < good.n; n++) {
        packet p = good;
        p.n = n;
        assert_int_not_equal(unprotect(r, &p), POC_OK);
    }
    assert_int_equal(unprotect(r, &good), POC_OK);
    mcx_srtcp_free(s);
    mcx_srtcp_free(r);
}

/* MCX-8 */
static void the_packet_of_one_key_does_not_open_under_another(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm), *other = side_new(KEY_ID + 1, &mcx_aes128_gcm);
    packet p = protect(s, from(1));
    assert_int_equal(unprotect(other, &p), POC_E_INPUT);
    p.b[p.n - 1]++; /* as if it were the other's */
    assert_int_equal(unprotect(other, &p), POC_E_AUTH);
    mcx_srtcp_free(s);
    mcx_srtcp_free(other);
}

/* ---- index and window ---- */

static void a_repeated_packet_is_refused_and_a_late_one_is_not(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm), *r = side_new(KEY_ID, &mcx_aes128_gcm);
    packet all[200];
    for (size_t i = 0; i < 200; i++)
        all[i] = protect(s, from(1));
    assert_int_equal(unprotect(r, &all[0]), POC_OK);
    assert_int_equal(unprotect(r, &all[0]), POC_E_AUTH);
    assert_int_equal(unprotect(r, &all[70]), POC_OK);
    assert_int_equal(unprotect(r, &all[0]), POC_E_AUTH);
    assert_int_equal(unprotect(r, &all[199]), POC_OK);
    assert_int_equal(unprotect(r, &all[70]), POC_E_AUTH);
    assert_int_equal(unprotect(r, &all[71]), POC_E_AUTH); /* fell out of the window */
    assert_int_equal(unprotect(r, &all[72]), POC_OK);
    assert_int_equal(unprotect(r, &all[72]), POC_E_AUTH);
    for (size_t i = 73; i < 199; i++)
        assert_int_equal(unprotect(r, &all[i]), POC_OK);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(unprotect(r, &all[i]), POC_E_AUTH);
    mcx_srtcp_free(s);
    mcx_srtcp_free(r);
}

static void the_index_counts_for_each_ssrc(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm);
    mcx_srtcp_view view;
    (void)protect(s, from(1));
    packet p = protect(s, from(1)), q = protect(s, from(2));
    assert_int_equal(mcx_srtcp_look(&view, span_of(&p)), POC_OK);
    assert_int_equal(view.index, 1);
    assert_int_equal(mcx_srtcp_look(&view, span_of(&q)), POC_OK);
    assert_int_equal(view.index, 0);
    assert_int_equal(mcx_srtcp_next_index(s, 1), 2);
    mcx_srtcp_free(s);
}

static void who_goes_on_with_a_key_repeats_no_index(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm);
    mcx_srtcp_view view;
    assert_int_equal(mcx_srtcp_start(s, 1, 1000), POC_OK);
    assert_int_equal(mcx_srtcp_start(s, 1, 7), POC_OK);
    packet p = protect(s, from(1));
    assert_int_equal(mcx_srtcp_look(&view, span_of(&p)), POC_OK);
    assert_int_equal(view.index, 1000);
    assert_int_equal(mcx_srtcp_start(s, 1, MCX_SRTCP_INDEX_MAX), POC_OK);
    (void)protect(s, from(1));
    packet clear = from(1);
    poc_wr wr = poc_wr_into(p.b, sizeof(p.b));
    assert_int_equal(mcx_srtcp_protect(s, &wr, span_of(&clear)), POC_E_LIMIT);
    assert_int_equal(mcx_srtcp_start(s, 1, MCX_SRTCP_INDEX_MAX + 1u), POC_E_LIMIT);
    mcx_srtcp_free(s);
}

/* Both sides have the same session keys: one SSRC on both would make the same IV twice. */
static void an_ssrc_belongs_to_one_side(void **state)
{
    (void)state;
    mcx_srtcp *server = side_new(KEY_ID, &mcx_aes128_gcm), *client = side_new(KEY_ID, &mcx_aes128_gcm);
    packet p = protect(server, from(1)), clear = from(1), out;
    poc_wr wr = poc_wr_into(out.b, sizeof(out.b));
    assert_int_equal(unprotect(server, &p), POC_E_AUTH); /* sent back to where it came from */
    assert_int_equal(unprotect(client, &p), POC_OK);
    assert_int_equal(mcx_srtcp_protect(client, &wr, span_of(&clear)), POC_E_STATE);
    assert_int_equal(wr.len, 0);
    assert_int_equal(mcx_srtcp_start(client, 1, 5), POC_E_STATE);
    mcx_srtcp_free(server);
    mcx_srtcp_free(client);
}

static void there_are_bounds(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm), *r = side_new(KEY_ID, &mcx_aes128_gcm);
    packet p, big = { .n = MCX_SRTCP_MAX - MCX_SRTCP_OVERHEAD + 4 }, fits = { .n = MCX_SRTCP_MAX - MCX_SRTCP_OVERHEAD };
    for (uint32_t ssrc = 0; ssrc < MCX_SRTCP_SSRC_MAX; ssrc++) {
        p = protect(s, from(ssrc));
        assert_int_equal(unprotect(r, &p), POC_OK);
    }
    packet clear = from(MCX_SRTCP_SSRC_MAX);
    poc_wr wr = poc_wr_into(p.b, sizeof(p.b));
    assert_int_equal(mcx_srtcp_protect(s, &wr, span_of(&clear)), POC_E_LIMIT);
    mcx_srtcp *third = side_new(KEY_ID, &mcx_aes128_gcm);
    p = protect(third, clear);
    assert_int_equal(unprotect(r, &p), POC_E_LIMIT);
    memset(big.b, 0, sizeof(big.b));
    memcpy(big.b, (uint8_t[]){ 0x80, 0xcc, (uint8_t)((big.n / 4 - 1) >> 8), (uint8_t)(big.n / 4 - 1) }, 4);
    fits = (packet){ .n = fits.n };
    memcpy(fits.b, (uint8_t[]){ 0x80, 0xcc, (uint8_t)((fits.n / 4 - 1) >> 8), (uint8_t)(fits.n / 4 - 1) }, 4);
    wr = poc_wr_into(p.b, sizeof(p.b));
    assert_int_equal(mcx_srtcp_protect(third, &wr, span_of(&big)), POC_E_LIMIT);
    assert_int_equal(mcx_srtcp_protect(third, &wr, span_of(&fits)), POC_OK);
    assert_int_equal(wr.len, MCX_SRTCP_MAX);
    wr = poc_wr_into(p.b, 43);
    assert_int_equal(mcx_srtcp_protect(third, &wr, span_of(&clear)), POC_E_LIMIT);
    mcx_srtcp_free(s);
    mcx_srtcp_free(r);
    mcx_srtcp_free(third);
}

static void no_other_algorithm_is_taken(void **state)
{
    (void)state;
    const mcx_algorithm bad[] = {
        mcx_aes128_cm, { 6, 24, 12, 16 }, { 6, 16, 14, 16 }, { 6, 16, 12, 8 }, { 0, 16, 12, 16 }
    };
    const mcx_srtp_context context = context_of(KEY_ID, 6);
    poc_secret *key = key_of(16);
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        mcx_srtcp *s;
        assert_int_equal(mcx_srtcp_new(&s, key, &context, &bad[i]), POC_E_INPUT);
        assert_null(s);
    }
    poc_secret_free(key);
}

static void what_is_no_whole_rtcp_packet_is_not_protected(void **state)
{
    (void)state;
    mcx_srtcp *s = side_new(KEY_ID, &mcx_aes128_gcm);
    uint8_t out[MCX_SRTCP_MAX];
    packet rtp = from(1), cut = from(1), tiny = from(1);
    rtp.b[1] = 0x60;
    cut.n -= 4;
    tiny.n = 4;
    const packet *bad[] = { &rtp, &cut, &tiny };
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        poc_wr wr = poc_wr_into(out, sizeof(out));
        assert_int_equal(mcx_srtcp_protect(s, &wr, span_of(bad[i])), POC_E_INPUT);
        assert_int_equal(wr.len, 0);
    }
    mcx_srtcp_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libsrtp_opens_what_is_protected_here),
        cmocka_unit_test(what_libsrtp_protects_is_opened_here),
        cmocka_unit_test(clear_packets_are_refused),
        cmocka_unit_test(a_packet_authenticated_but_not_encrypted_is_refused),
        cmocka_unit_test(every_octet_of_a_packet_is_protected),
        cmocka_unit_test(the_packet_of_one_key_does_not_open_under_another),
        cmocka_unit_test(a_repeated_packet_is_refused_and_a_late_one_is_not),
        cmocka_unit_test(the_index_counts_for_each_ssrc),
        cmocka_unit_test(who_goes_on_with_a_key_repeats_no_index),
        cmocka_unit_test(an_ssrc_belongs_to_one_side),
        cmocka_unit_test(there_are_bounds),
        cmocka_unit_test(no_other_algorithm_is_taken),
        cmocka_unit_test(what_is_no_whole_rtcp_packet_is_not_protected),
    };
    if (srtp_init() != srtp_err_status_ok)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
