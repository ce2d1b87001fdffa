/* CSKs and MuSiKs in the client's ring, without messages: when each is used, and what becomes of it. And the bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "ue/core/core.h"

#define NOW   UINT64_C(1772323200)
#define CSK   0x20000000u
#define MUSIK 0x60000000u

static ue_mcx_ring *ring;

static int ring_open(void **state)
{
    (void)state;
    return ue_mcx_ring_new(&ring, 10, false) == POC_OK ? 0 : 1;
}

static int ring_close(void **state)
{
    (void)state;
    ue_mcx_ring_free(ring);
    return poc_secret_live_count() == 0 ? 0 : 1;
}

/* A key with octets that follow from `seed`. */
static mcx_opened key_of(uint32_t id, uint8_t seed)
{
    mcx_opened o = { .type = (mcx_key_type)(id >> 28), .key_id = id, .csb_id = id, .rand_len = MIKEY_RAND_LEN };
    uint8_t octets[16];
    memset(octets, seed, sizeof(octets));
    assert_int_equal(poc_secret_from(&o.key, octets, sizeof(octets)), POC_OK);
    memset(o.rand, 7, MIKEY_RAND_LEN);
    assert_int_equal(mcx_cs_id_of(&o.cs_id, o.type, MCX_MCPTT), POC_OK);
    o.offer.algorithms[o.offer.count++] = mcx_aes128_gcm;
    o.parameters.type = o.type;
    return o;
}

static poc_err take_as(mcx_opened o, ue_mcx_change want)
{
    static uint8_t digest[POC_SHA256_LEN];
    const char *why;
    ue_mcx_change change;
    const bool is_told = !o.parameters.is_revoked || want == UE_MCX_REVOKED; /* else nothing is to be remembered */
    digest[0]++;
    const poc_err err = ue_mcx_ring_take(ring, &o, digest, &change, &why);
    if (err == POC_OK)
        assert_int_equal(change, want);
    else
        assert_true(why != NULL);
    assert_int_equal(ue_mcx_ring_knows(ring, digest), err == POC_OK && is_told);
    if (err == POC_OK)
        assert_null(o.key);
    mcx_opened_done(&o);
    return err;
}

static void take(mcx_opened o)
{
    assert_int_equal(take_as(o, UE_MCX_NEW), POC_OK);
}

static mcx_opened timed(mcx_opened o, uint64_t activation_s, uint64_t expiry_s)
{
    o.has_parameters = true;
    o.parameters.activation_s = activation_s;
    o.parameters.expiry_s = expiry_s;
    return o;
}

static mcx_opened for_group(mcx_opened o, const char *group)
{
    o.has_parameters = true;
    o.parameters.groups[o.parameters.group_count++] = poc_span_str(group);
    return o;
}

static mcx_opened revoked(mcx_opened o)
{
    o.has_parameters = true;
    o.parameters.is_revoked = true;
    return o;
}

static size_t held(void)
{
    size_t n = 0, count = 0;
    for (ue_mcx_key k; ue_mcx_ring_at(ring, n, &k); n++)
        count += k.is_revoked ? 0 : 1;
    return count;
}

/* A floor message protected by whoever has this key. */
static size_t protected_by(const mcx_opened *o, uint32_t ssrc, uint8_t out[MCX_SRTCP_MAX])
{
    uint8_t clear[12] = { 0x80, 0xcc, 0, 2, 0, 0, 0, 0, 'M', 'C', 'P', 'T' };
    const mcx_srtp_context c = { .csb_id = o->key_id, .cs_id = o->cs_id, .rand = poc_span_of(o->rand, o->rand_len) };
    poc_wr wr = poc_wr_into(out, MCX_SRTCP_MAX), at = poc_wr_into(clear + 4, 4);
    mcx_srtcp *s;
    poc_wr_u32(&at, ssrc);
    assert_int_equal(mcx_srtcp_new(&s, o->key, &c, &mcx_aes128_gcm), POC_OK);
    assert_int_equal(mcx_srtcp_protect(s, &wr, poc_span_of(clear, sizeof(clear))), POC_OK);
    mcx_srtcp_free(s);
    return wr.len;
}

/* Each call from another SSRC, so that nothing is a repetition. */
static poc_err hear(uint32_t id, uint8_t seed, mcx_key_type flow, uint64_t now_s)
{
    static uint32_t ssrc;
    mcx_opened o = key_of(id, seed);
    uint8_t packet[MCX_SRTCP_MAX], clear[MCX_SRTCP_MAX];
    uint32_t key_id;
    size_t n = protected_by(&o, ++ssrc, packet);
    mcx_opened_done(&o);
    return ue_mcx_ring_unprotect(ring, now_s, flow, clear, &n, poc_span_of(packet, n), &key_id);
}

/* ---- times ---- */

static void a_csk_is_sent_under_from_its_activation_to_its_expiry(void **state)
{
    (void)state;
    take(timed(key_of(CSK + 1, 1), NOW + 100, NOW + 200));
    assert_int_equal(ue_mcx_ring_csk(ring, NOW + 99), 0);
    assert_int_equal(ue_mcx_ring_csk(ring, NOW + 100), CSK + 1);
    assert_int_equal(ue_mcx_ring_csk(ring, NOW + 199), CSK + 1);
    assert_int_equal(ue_mcx_ring_csk(ring, NOW + 200), 0);
    assert_int_equal(ue_mcx_ring_deadline_s(ring, NOW), NOW + 100);
    assert_int_equal(ue_mcx_ring_deadline_s(ring, NOW + 100), NOW + 200);
    ue_mcx_ring_tick(ring, NOW + 199);
    assert_int_equal(held(), 1);
    ue_mcx_ring_tick(ring, NOW + 200);
    assert_int_equal(held(), 0);
    assert_int_equal(poc_secret_live_count(), 0);
    assert_true(ue_mcx_ring_deadline_s(ring, NOW + 200) == UINT64_MAX);
}

static void a_key_is_heard_under_a_little_before_its_activation_and_never_after_its_expiry(void **state)
{
    (void)state;
    take(timed(key_of(MUSIK + 1, 1), NOW + 100, NOW + 200));
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW + 89), POC_E_STATE);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW + 90), POC_OK);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW + 199), POC_OK);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW + 200), POC_E_STATE);
}

/* MCX-15: the algorithm belongs to the key, so that a forced one is in force with the downloaded key and not before. */
static void a_csk_with_another_algorithm_is_in_force_from_its_activation(void **state)
{
    (void)state;
    ue_mcx_key k;
    mcx_opened forced = timed(key_of(CSK + 2, 2), NOW + 50, 0);
    forced.offer.algorithms[0] = mcx_aes256_gcm;
    take(key_of(CSK + 1, 1));
    take(forced);
    assert_int_equal(ue_mcx_ring_csk(ring, NOW), CSK + 1);
    assert_int_equal(ue_mcx_ring_csk(ring, NOW + 50), CSK + 2);
    assert_true(ue_mcx_ring_at(ring, 0, &k) && mcx_algorithm_eq(&k.algorithm, &mcx_aes128_gcm));
    assert_true(ue_mcx_ring_at(ring, 1, &k) && mcx_algorithm_eq(&k.algorithm, &mcx_aes256_gcm));
}

static void a_proposed_csk_is_not_sent_under_until_it_is_accepted(void **state)
{
    (void)state;
    uint8_t out[MCX_SRTCP_MAX];
    const uint8_t clear[12] = { 0x80, 0xcc, 0, 2, 0, 0, 0, 1, 'M', 'C', 'P', 'T' };
    mcx_opened a = key_of(CSK + 1, 1), b = key_of(CSK + 2, 2);
    poc_wr wr = poc_wr_into(out, sizeof(out));
    assert_int_equal(ue_mcx_ring_propose(ring, &a, &mcx_aes128_gcm), POC_OK);
    assert_null(a.key);
    assert_int_equal(ue_mcx_ring_csk(ring, NOW), 0);
    assert_int_equal(ue_mcx_ring_protect(ring, NOW, CSK + 1, &wr, poc_span_of(clear, 12)), POC_E_STATE);
    assert_int_equal(hear(CSK + 1, 1, MCX_CSK, NOW), POC_OK);
    assert_int_equal(ue_mcx_ring_propose(ring, &b, &mcx_aes128_gcm), POC_OK);
    assert_false(ue_mcx_ring_is_taken(ring, CSK + 1)); /* one proposal at a time */
    assert_true(ue_mcx_ring_settle(ring, true));
    assert_false(ue_mcx_ring_settle(ring, true));
    assert_int_equal(ue_mcx_ring_csk(ring, NOW), CSK + 2);
    assert_int_equal(ue_mcx_ring_protect(ring, NOW, CSK + 2, &wr, poc_span_of(clear, 12)), POC_OK);
}

static void a_refused_proposal_is_wiped_and_the_former_csk_stays(void **state)
{
    (void)state;
    mcx_opened a = key_of(CSK + 2, 2);
    take(key_of(CSK + 1, 1));
    assert_int_equal(ue_mcx_ring_propose(ring, &a, &mcx_aes128_gcm), POC_OK);
    assert_true(ue_mcx_ring_settle(ring, false));
    assert_int_equal(ue_mcx_ring_csk(ring, NOW), CSK + 1);
    assert_int_equal(held(), 1);
    assert_int_equal(poc_secret_live_count(), 1);
}

/* ---- succession ---- */

static void of_csks_the_one_in_force_stays_with_the_one_before(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 3; i++)
        take(key_of(CSK + i, (uint8_t)i));
    take(timed(key_of(CSK + 4, 4), NOW + 100, 0)); /* to come: succeeds nobody yet */
    ue_mcx_ring_tick(ring, NOW);
    assert_int_equal(held(), 3);
    assert_false(ue_mcx_ring_is_taken(ring, CSK + 1));
    assert_int_equal(hear(CSK + 2, 2, MCX_CSK, NOW), POC_OK);
    ue_mcx_ring_tick(ring, NOW + 100);
    assert_false(ue_mcx_ring_is_taken(ring, CSK + 2));
    assert_int_equal(ue_mcx_ring_csk(ring, NOW + 100), CSK + 4);
}

/* MCX-8: what is succeeded in one scope says nothing about another. */
static void musiks_of_different_groups_or_regions_do_not_succeed_each_other(void **state)
{
    (void)state;
    mcx_opened region = key_of(MUSIK + 9, 9);
    region.parameters.text = poc_span_str("region 17");
    take(region);
    take(for_group(key_of(MUSIK + 8, 8), "sip:police@example.org"));
    for (uint32_t i = 1; i <= 3; i++)
        take(for_group(key_of(MUSIK + i, (uint8_t)i), "sip:fire@example.org"));
    ue_mcx_ring_tick(ring, NOW);
    assert_int_equal(held(), 4);
    assert_false(ue_mcx_ring_is_taken(ring, MUSIK + 1));
    assert_int_equal(ue_mcx_ring_musik(ring, NOW, poc_span_str("sip:fire@example.org")), MUSIK + 3);
    assert_int_equal(ue_mcx_ring_musik(ring, NOW, poc_span_str("sip:police@example.org")), MUSIK + 8);
    assert_int_equal(ue_mcx_ring_musik(ring, NOW, poc_span_str("sip:other@example.org")), MUSIK + 9);
    assert_int_equal(ue_mcx_ring_musik(ring, NOW, poc_span_str("")), MUSIK + 9);
}

/* MCX-9 */
static void one_musik_may_be_for_several_groups(void **state)
{
    (void)state;
    take(for_group(for_group(key_of(MUSIK + 1, 1), "sip:a@x"), "sip:b@x"));
    assert_int_equal(ue_mcx_ring_musik(ring, NOW, poc_span_str("sip:a@x")), MUSIK + 1);
    assert_int_equal(ue_mcx_ring_musik(ring, NOW, poc_span_str("sip:b@x")), MUSIK + 1);
    assert_int_equal(ue_mcx_ring_musik(ring, NOW, poc_span_str("sip:c@x")), 0);
}

static void a_succeeded_musik_is_heard_under_until_it_expires(void **state)
{
    (void)state;
    take(timed(key_of(MUSIK + 1, 1), 0, NOW + 60));
    take(timed(key_of(MUSIK + 2, 2), NOW + 30, 0));
    ue_mcx_ring_tick(ring, NOW + 40);
    assert_int_equal(ue_mcx_ring_musik(ring, NOW + 40, poc_span_str("")), MUSIK + 2);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW + 40), POC_OK);
    assert_int_equal(hear(MUSIK + 2, 2, MCX_MUSIK, NOW + 40), POC_OK);
    ue_mcx_ring_tick(ring, NOW + 60);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW + 60), POC_E_STATE);
}

/* ---- revocation and ids ---- */

static void a_revoked_key_is_wiped_and_does_not_come_back(void **state)
{
    (void)state;
    take(key_of(MUSIK + 1, 1));
    assert_int_equal(take_as(revoked(key_of(MUSIK + 1, 1)), UE_MCX_REVOKED), POC_OK);
    assert_int_equal(poc_secret_live_count(), 0);
    assert_int_equal(held(), 0);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW), POC_E_STATE);
    assert_int_equal(take_as(key_of(MUSIK + 1, 1), UE_MCX_SAME), POC_E_DENIED);
    assert_int_equal(take_as(revoked(key_of(MUSIK + 1, 1)), UE_MCX_SAME), POC_E_DENIED);
    assert_int_equal(poc_secret_live_count(), 0);
}

static void only_who_has_the_key_revokes_it(void **state)
{
    (void)state;
    take(key_of(CSK + 1, 1));
    assert_int_equal(take_as(revoked(key_of(CSK + 1, 2)), UE_MCX_SAME), POC_E_DENIED);
    assert_int_equal(ue_mcx_ring_csk(ring, NOW), CSK + 1);
    assert_int_equal(take_as(revoked(key_of(CSK + 5, 5)), UE_MCX_SAME), POC_OK); /* never held: nothing to do */
    assert_false(ue_mcx_ring_is_taken(ring, CSK + 5));
}

static void the_id_of_a_key_is_not_taken_by_another_one(void **state)
{
    (void)state;
    mcx_opened other_rand = key_of(CSK + 1, 1), other_algorithm = key_of(CSK + 1, 1), other_use = key_of(CSK + 1, 1);
    take(key_of(CSK + 1, 1));
    other_rand.rand[0]++;
    other_algorithm.offer.algorithms[0] = mcx_aes256_gcm;
    other_use.cs_id = 8;
    assert_int_equal(take_as(key_of(CSK + 1, 2), UE_MCX_SAME), POC_E_DENIED);
    assert_int_equal(take_as(other_rand, UE_MCX_SAME), POC_E_DENIED);
    assert_int_equal(take_as(other_algorithm, UE_MCX_SAME), POC_E_DENIED);
    assert_int_equal(take_as(other_use, UE_MCX_SAME), POC_E_DENIED);
    assert_int_equal(hear(CSK + 1, 1, MCX_CSK, NOW), POC_OK);
}

static void new_times_for_a_key_leave_its_replay_window(void **state)
{
    (void)state;
    mcx_opened o = key_of(MUSIK + 1, 1);
    uint8_t packet[MCX_SRTCP_MAX], clear[MCX_SRTCP_MAX];
    uint32_t key_id;
    size_t n = protected_by(&o, 4711, packet), len;
    take(o);
    assert_int_equal(ue_mcx_ring_unprotect(ring, NOW, MCX_MUSIK, clear, &len, poc_span_of(packet, n), &key_id), POC_OK);
    assert_int_equal(take_as(key_of(MUSIK + 1, 1), UE_MCX_SAME), POC_OK);
    assert_int_equal(take_as(timed(key_of(MUSIK + 1, 1), 0, NOW + 10), UE_MCX_CHANGED), POC_OK);
    assert_int_equal(take_as(for_group(timed(key_of(MUSIK + 1, 1), 0, NOW + 10), "sip:a@x"), UE_MCX_CHANGED), POC_OK);
    assert_int_equal(ue_mcx_ring_unprotect(ring, NOW, MCX_MUSIK, clear, &len, poc_span_of(packet, n), &key_id),
                     POC_E_AUTH);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW + 10), POC_E_STATE);
}

static void a_full_ring_refuses_and_marks_of_revoked_keys_give_way(void **state)
{
    (void)state;
    mcx_opened proposal = key_of(CSK + 1, 1);
    for (uint32_t i = 0; i < UE_MCX_RING_MAX; i++)
        take(key_of(MUSIK + i, 1));
    assert_int_equal(take_as(key_of(MUSIK + 99, 1), UE_MCX_NEW), POC_E_LIMIT);
    assert_int_equal(ue_mcx_ring_propose(ring, &proposal, &mcx_aes128_gcm), POC_E_LIMIT);
    assert_non_null(proposal.key);
    mcx_opened_done(&proposal);
    assert_int_equal(take_as(revoked(key_of(MUSIK + 5, 1)), UE_MCX_REVOKED), POC_OK);
    assert_int_equal(take_as(key_of(MUSIK + 99, 1), UE_MCX_NEW), POC_OK);
    assert_int_equal(take_as(key_of(MUSIK + 98, 1), UE_MCX_NEW), POC_E_LIMIT);
}

/* MCX-6, MCX-7, MCX-13 */
static void unicast_is_under_csks_and_multicast_under_musiks_and_neither_in_clear(void **state)
{
    (void)state;
    uint8_t clear[12] = { 0x80, 0xcc, 0, 2, 0, 0, 0, 1, 'M', 'C', 'P', 'T' }, out[MCX_SRTCP_MAX];
    uint32_t key_id;
    size_t n;
    take(key_of(CSK + 1, 1));
    take(key_of(MUSIK + 1, 2));
    assert_int_equal(hear(CSK + 1, 1, MCX_CSK, NOW), POC_OK);
    assert_int_equal(hear(MUSIK + 1, 2, MCX_MUSIK, NOW), POC_OK);
    assert_int_equal(hear(CSK + 1, 1, MCX_MUSIK, NOW), POC_E_DENIED);
    assert_int_equal(hear(MUSIK + 1, 2, MCX_CSK, NOW), POC_E_DENIED);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW), POC_E_AUTH); /* another key under that id */
    assert_int_equal(hear(MUSIK + 2, 2, MCX_MUSIK, NOW), POC_E_STATE);
    for (int multicast = 0; multicast < 2; multicast++)
        assert_int_equal(ue_mcx_ring_unprotect(ring, NOW, multicast != 0 ? MCX_MUSIK : MCX_CSK, out, &n,
                                               poc_span_of(clear, sizeof(clear)), &key_id),
                         POC_E_AUTH);
}

static void an_eavesdropper_keeps_what_it_was_given(void **state)
{
    (void)state;
    ue_mcx_ring *honest = ring;
    assert_int_equal(ue_mcx_ring_new(&ring, 10, true), POC_OK);
    for (uint32_t i = 1; i <= 4; i++)
        take(timed(key_of(MUSIK + i, (uint8_t)i), 0, NOW + 10));
    assert_int_equal(take_as(revoked(key_of(MUSIK + 1, 1)), UE_MCX_SAME), POC_OK);
    ue_mcx_ring_tick(ring, NOW + 10);
    assert_int_equal(held(), 4);
    assert_int_equal(hear(MUSIK + 1, 1, MCX_MUSIK, NOW + 1000), POC_OK);
    ue_mcx_ring_free(ring);
    ring = honest;
}

/* ---- bodies ---- */

static const uint8_t message[] = { 0x01, 0x1a, 0x05, 0x01, 0x2a, 0x5b, 0x6c, 0x7d, 0x00, 0x0d, 0x0a, 0x20 };

static void assert_reads(const char *type, poc_span body)
{
    uint8_t out[64];
    size_t n;
    assert_int_equal(ue_mcx_body_read(out, sizeof(out), &n, poc_span_str(type), body), POC_OK);
    assert_int_equal(n, sizeof(message));
    assert_memory_equal(out, message, n);
}

static poc_err read_of(const char *type, poc_span body)
{
    uint8_t out[64];
    size_t n;
    return ue_mcx_body_read(out, sizeof(out), &n, poc_span_str(type), body);
}

static void a_body_that_was_written_is_read_again_to_its_last_octet(void **state)
{
    (void)state;
    uint8_t body[2048];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    const ue_mcx_body b = { .i_message = poc_span_of(message, sizeof(message)),
                            .access_token = poc_span_str("eyJ<&>"),
                            .client_id = poc_span_str("urn:uuid:1"),
                            .settings = poc_span_str("<poc-settings/>"),
                            .boundary = "uuid" };
    assert_int_equal(ue_mcx_body_write(&wr, &b), POC_E_INPUT); /* the boundary occurs */
    assert_int_equal(wr.len, 0);
    ue_mcx_body good = b;
    good.boundary = "mcx-0011";
    assert_int_equal(ue_mcx_body_write(&wr, &good), POC_OK);
    assert_reads("multipart/mixed;boundary=mcx-0011", poc_span_of(body, wr.len));
    assert_reads("Multipart/Mixed; charset=x; Boundary=\"mcx-0011\"", poc_span_of(body, wr.len));
    assert_non_null(memmem(body, wr.len, "<mcptt-access-token type=\"Normal\"><mcpttString>eyJ&lt;&amp;", 57));
    assert_non_null(memmem(body, wr.len, "application/poc-settings+xml", 28));
    for (size_t n = 0; n + 6 < wr.len; n++)
        (void)read_of("multipart/mixed;boundary=mcx-0011", poc_span_of(body, n));
}

static void a_body_is_also_taken_alone_and_in_base64(void **state)
{
    (void)state;
    uint8_t text[64];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    assert_reads("application/mikey", poc_span_of(message, sizeof(message)));
    poc_base64_put(&wr, poc_span_of(message, sizeof(message)));
    assert_reads("application/mikey", poc_span_of(text, wr.len));
    const char *base64 = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b \r\ncontent-type: application/mikey;x=y\r\n"
                         "Content-Transfer-Encoding: BASE64\r\n\r\nARoFASpbbH0ADQog\r\n--b--";
    assert_reads("multipart/mixed;boundary=b", poc_span_str(base64));
    assert_reads("multipart/mixed;boundary=b", poc_span_str("preamble\r\n--b\r\nContent-Type: application/mikey\r\n"
                                                            "\r\nARoFASpbbH0ADQog\r\n--b--\r\nepilogue"));
}

static void a_broken_body_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
    } bad[] = {
        { "", "x" },
        { "text/plain", "x" },
        { "application/mikey", "" },
        { "application/mikey", "A" },
        { "multipart/mixed", "--b\r\nContent-Type: application/mikey\r\n\r\nx\r\n--b--" },
        { "multipart/mixed;boundary=", "--b\r\nContent-Type: application/mikey\r\n\r\nx\r\n--b--" },
        { "multipart/mixed;boundary=c", "--b\r\nContent-Type: application/mikey\r\n\r\nx\r\n--b--" },
        { "multipart/mixed;boundary=b", "--b\r\nContent-Type: application/mikey\r\n\r\nx\r\n" },
        { "multipart/mixed;boundary=b", "--b\r\nContent-Type: application/mikey\r\nx\r\n--b--" },
        { "multipart/mixed;boundary=b", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--" },
        { "multipart/mixed;boundary=b", "--bb\r\nContent-Type: application/mikey\r\n\r\nx\r\n--b--" },
        { "multipart/mixed;boundary=b", "--b--" },
        { "multipart/mixed;boundary=b", "" },
    };
    for (size_t i = 0; i < POC_COUNT(bad); i++)
        assert_int_not_equal(read_of(bad[i].type, poc_span_str(bad[i].body)), POC_OK);
    uint8_t large[65] = { 1 };
    assert_int_equal(read_of("application/mikey", poc_span_of(large, sizeof(large))), POC_E_LIMIT);
}

#define IN_A_RING(test) cmocka_unit_test_setup_teardown(test, ring_open, ring_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_RING(a_csk_is_sent_under_from_its_activation_to_its_expiry),
        IN_A_RING(a_key_is_heard_under_a_little_before_its_activation_and_never_after_its_expiry),
        IN_A_RING(a_csk_with_another_algorithm_is_in_force_from_its_activation),
        IN_A_RING(a_proposed_csk_is_not_sent_under_until_it_is_accepted),
        IN_A_RING(a_refused_proposal_is_wiped_and_the_former_csk_stays),
        IN_A_RING(of_csks_the_one_in_force_stays_with_the_one_before),
        IN_A_RING(musiks_of_different_groups_or_regions_do_not_succeed_each_other),
        IN_A_RING(one_musik_may_be_for_several_groups),
        IN_A_RING(a_succeeded_musik_is_heard_under_until_it_expires),
        IN_A_RING(a_revoked_key_is_wiped_and_does_not_come_back),
        IN_A_RING(only_who_has_the_key_revokes_it),
        IN_A_RING(the_id_of_a_key_is_not_taken_by_another_one),
        IN_A_RING(new_times_for_a_key_leave_its_replay_window),
        IN_A_RING(a_full_ring_refuses_and_marks_of_revoked_keys_give_way),
        IN_A_RING(unicast_is_under_csks_and_multicast_under_musiks_and_neither_in_clear),
        IN_A_RING(an_eavesdropper_keeps_what_it_was_given),
        cmocka_unit_test(a_body_that_was_written_is_read_again_to_its_last_octet),
        cmocka_unit_test(a_body_is_also_taken_alone_and_in_base64),
        cmocka_unit_test(a_broken_body_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
