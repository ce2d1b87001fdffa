/* Whatever happens to a mission critical user, in whatever order: keys come, come again, change, expire and are revoked, bearers
 * are announced and end, the user logs off. It never listens without a MuSiK, nothing opens under a key that is over, and when
 * the world is kind again it hears its bearer. The same with memory that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pair.h"
#include "pf/wire/air.h"
#include "pf/wire/wire.h"
#include "tests/support/oom.h"
#include "tests/unit/mcx/mcx_world.h"
#include "ue/core/core.h"

#define ALICE  "sip:alice@mcptt.example.org"
#define SERVER "mcx.example.org"
#define KMS    "kms.example.org"
#define BEGIN  INT64_C(1772323200000) /* of period 1536 */

enum { RUNS = 10, STEPS = 80, KEYS = 12, BEARERS = 10, SKEW_S = 300 };

/* A key as the server knows it. */
typedef struct key {
    uint32_t id;
    uint8_t seed;
    uint64_t activation_s, expiry_s;
    bool is_sent, is_revoked, is_forgotten; /* forgotten: the client has logged off since */
    mcx_srtcp *side;
} key;

static json_t *vectors;
static mcx_world world;
static test_rng chance, dice;
static poc_rng rng;
static pocue *like, *ue;
static int64_t now_ms;
static uint64_t now_run;
static key keys[KEYS];
static bool joined[BEARERS];
static char content_type[96];
static uint8_t body[8192];
static size_t body_len;

static const pocue_mcx_server servers[] = { { SERVER, KMS } };

static uint32_t below(uint32_t n)
{
    return (uint32_t)test_rng_below(&dice, n);
}

static uint64_t now_s(void)
{
    return (uint64_t)now_ms / 1000;
}

/* ---- the client ---- */

static pocue *client_new(void)
{
    pocue_settings s;
    pocue *client;
    const pocue_mcx_settings mcx = {
        .mc_id = ALICE, .servers = servers, .server_count = 1, .client_id = "urn:uuid:1", .skew_s = SKEW_S
    };
    pair_settings(&s);
    assert_int_equal(pocue_new(&client, &s, &rng), POC_OK);
    assert_int_equal(pocue_mcx_start(client, &mcx), POC_OK);
    return client;
}

static void client_provision(pocue *client)
{
    const json_t *e = json_object_get(json_object_get(json_object_get(vectors, "ts33180_own"), "identities"), "client");
    poc_secret *rsk = mcx_secret(e, "RSK"), *ssk = mcx_secret(e, "SSK");
    const vec_bytes pvt = vec_hex(e, "PVT");
    const pocue_mcx_kms kms = { .uri = KMS, .period_s = 2592000, .z = world.z.b, .kpak = world.kpak.b };
    assert_int_equal(pocue_mcx_kms_add(client, &kms), POC_OK);
    assert_int_equal(pocue_mcx_keys_add(client, &(pocue_mcx_keys){ KMS, 1536, rsk, ssk, pvt.b }), POC_OK);
    poc_secret_free(rsk);
    poc_secret_free(ssk);
}

static int all_open(void **state)
{
    (void)state;
    vectors = vec_load(POC_VECTORS "/mikey-sakke.json");
    mcx_world_open(&world, vectors, "ts33180_own");
    rng = test_rng_of(&chance, 1536);
    like = client_new();
    client_provision(like);
    return 0;
}

static int all_close(void **state)
{
    (void)state;
    pocue_free(like);
    mcx_world_close(&world);
    json_decref(vectors);
    return poc_secret_live_count() == 0 ? 0 : 1;
}

static void run_begin(uint64_t seed)
{
    now_run = seed;
    dice.state = seed * UINT64_C(0x9E3779B97F4A7C15);
    now_ms = BEGIN + 1000;
    memset(keys, 0, sizeof(keys));
    memset(joined, 0, sizeof(joined));
    ue = client_new();
    assert_int_equal(pocue_mcx_provision_like(ue, like), POC_OK);
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i] = (key){ .id = (i % 3 == 0 ? 0x20000000u : 0x60000000u) | (i + 1), .seed = (uint8_t)(i + 1) };
}

static void run_end(void)
{
    for (size_t i = 0; i < KEYS; i++)
        mcx_srtcp_free(keys[i].side);
    pocue_free(ue);
}

/* ---- the server ---- */

static poc_secret *secret_of(const key *k)
{
    uint8_t octets[16];
    poc_secret *secret;
    memset(octets, k->seed, sizeof(octets));
    assert_int_equal(poc_secret_from(&secret, octets, sizeof(octets)), POC_OK);
    return secret;
}

static mcx_srtcp *side_of(key *k)
{
    uint8_t rand[MIKEY_RAND_LEN];
    mcx_srtp_context c = { .csb_id = k->id, .rand = poc_span_of(rand, sizeof(rand)) };
    if (k->side != NULL)
        return k->side;
    memset(rand, k->seed, sizeof(rand));
    poc_secret *secret = secret_of(k);
    assert_int_equal(mcx_cs_id_of(&c.cs_id, (mcx_key_type)(k->id >> 28), MCX_MCPTT), POC_OK);
    assert_int_equal(mcx_srtcp_new(&k->side, secret, &c, &mcx_aes128_gcm), POC_OK);
    poc_secret_free(secret);
    return k->side;
}

/* The next download of a key, a second after the one before. */
static void download_make(const key *k)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    now_ms += 1000;
    const uint64_t ntp_s = now_s() + MCX_NTP_MINUS_UNIX;
    const mcx_key_parameters parameters = { .type = (mcx_key_type)(k->id >> 28),
                                            .is_revoked = k->is_revoked,
                                            .activation_s = k->activation_s,
                                            .expiry_s = k->expiry_s };
    mcx_seal_params p = { .sender = mcx_world_party(&world, poc_span_str(SERVER)),
                          .key_id = k->id,
                          .ntp = ntp_s << 32,
                          .ntp_s = ntp_s,
                          .parameters = &parameters };
    mcx_seal_job job = { .uri = poc_span_str(ALICE), .kms = &world.kms, .out = octets, .cap = sizeof(octets) };
    poc_secret *secret = secret_of(k);
    memset(p.rand, k->seed, sizeof(p.rand));
    assert_int_equal(mcx_cs_id_of(&p.cs_id, parameters.type, MCX_MCPTT), POC_OK);
    assert_int_equal(mcx_i_message_seal(&p, secret, &rng, &job, 1), POC_OK);
    poc_secret_free(secret);
    assert_int_equal(wire_mcx_download_write(&wr, content_type, MCX_MCPTT, ALICE, poc_span_of(octets, job.len), &rng),
                     POC_OK);
    body_len = wr.len;
}

static pocue_reply body_give(void)
{
    pocue_reply reply;
    (void)pocue_mcx_message(ue, now_ms, poc_span_str(content_type), poc_span_of(body, body_len), &reply, NULL);
    return reply;
}

static void announcement_make(uint32_t bearer, bool is_over, uint16_t port)
{
    char sdp[WIRE_MCX_SDP_MAX];
    bcast_channel channel = { .ttl = 1, .port = { port, (uint16_t)(port + 2), 0 } };
    poc_wr text = poc_wr_into(sdp, sizeof(sdp)), wr = poc_wr_into(body, sizeof(body));
    const wire_mbms_announcement a = { .tmgi = { (uint8_t)bearer },
                                       .areas = { 7 },
                                       .area_count = is_over ? 0 : 1,
                                       .general_purpose_line = WIRE_MCX_SDP_LINE };
    assert_int_equal(poc_addr_parse(&channel.group, poc_span_str("232.10.0.9"), 0), POC_OK);
    assert_int_equal(wire_mcx_sdp_write(&text, MCX_MCPTT, &channel), POC_OK);
    assert_int_equal(
        wire_mcx_announcement_write(&wr, content_type, MCX_MCPTT, ALICE, &a, poc_span_of(sdp, text.len), &rng), POC_OK);
    body_len = wr.len;
}

/* ---- what is told ---- */

static void events_follow(void)
{
    pocue_event e;
    while (pocue_poll(ue, &e)) {
        uint8_t bearer;
        if (e.type != POCUE_JOIN_GROUP && e.type != POCUE_LEAVE_GROUP)
            continue;
        assert_true(e.is_mcx);
        assert_int_equal(poc_hex_get_exact(&bearer, 1, poc_span_of(e.channel.id, 2)), POC_OK);
        if (joined[bearer] == (e.type == POCUE_JOIN_GROUP))
            fail_msg("run %llu: bearer %u is joined or left twice", (unsigned long long)now_run, bearer);
        joined[bearer] = e.type == POCUE_JOIN_GROUP;
    }
}

static bool holds_musik(void)
{
    uint32_t ids[UE_MCX_RING_MAX];
    const size_t n = pocue_mcx_held(ue, ids, POC_COUNT(ids));
    bool holds = false;
    assert_true(n <= UE_MCX_RING_MAX);
    for (size_t i = 0; i < n; i++)
        holds = holds || ids[i] >> 28 == MCX_MUSIK;
    return holds;
}

static void assert_sound(void)
{
    pocue_mcx_bearer bearers[POCUE_MCX_BEARERS_MAX];
    const size_t n = pocue_mcx_bearers(ue, bearers, POCUE_MCX_BEARERS_MAX);
    const bool holds = holds_musik();
    const uint32_t csk = pocue_mcx_csk(ue, now_ms);
    size_t count = 0;
    assert_true(n <= POCUE_MCX_BEARERS_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(bearers[i].is_listened, joined[bearers[i].tmgi[0]]);
        assert_true(holds || !bearers[i].is_listened); /* MCX-31 */
    }
    for (size_t i = 0; i < BEARERS; i++)
        count += joined[i];
    assert_true(count <= n);
    assert_true(csk == 0 || csk >> 28 == MCX_CSK);
    assert_true(pocue_deadline_ms(ue) > now_ms);
    assert_int_equal(pocue_events_lost(ue), 0);
}

/* ---- what may happen ---- */

static key *any_key(void)
{
    return &keys[below(KEYS)];
}

static void brings_a_csk(void)
{
    uint8_t upload_body[4096];
    pocue_mcx_upload upload = { .access_token = "token" };
    poc_wr wr = poc_wr_into(upload_body, sizeof(upload_body));
    const poc_err err = pocue_mcx_make_upload(ue, now_ms, &upload, &wr);
    assert_true(err == POC_OK || err == POC_E_LIMIT);
    if (err != POC_OK || below(4) == 0) /* no answer */
        return;
    const bool is_accepted = below(3) > 0;
    pocue_mcx_uploaded(ue, now_ms, is_accepted);
    if (is_accepted)
        assert_int_equal(pocue_mcx_csk(ue, now_ms), upload.csk_id);
}

static void is_sent_a_key(void)
{
    key *k = any_key();
    if (!k->is_revoked && below(2) == 0)
        k->expiry_s = below(3) == 0 ? 0 : now_s() + 2 + below(200);
    if (!k->is_sent && below(3) == 0)
        k->activation_s = now_s() + below(600);
    download_make(k);
    const int status = body_give().status;
    assert_true(status == 200 || status == 403);
    if (status != 200)
        return;
    k->is_sent = true;
    k->is_forgotten = false;
    if (below(2) == 0)
        assert_int_equal(body_give().status, 200); /* its answer was lost */
}

static void is_sent_what_is_altered(void)
{
    download_make(any_key());
    body[body_len - 80] ^= 1; /* in the signature */
    const int status = body_give().status;
    assert_true(status == 403 || status == 488); /* or there it is no point of the curve */
}

static void a_key_is_revoked(void)
{
    key *k = any_key();
    if (!k->is_sent)
        return;
    k->is_revoked = true;
    download_make(k);
    (void)body_give();
}

static void logs_off(void)
{
    pocue_mcx_log_off(ue);
    for (size_t i = 0; i < KEYS; i++)
        keys[i].is_forgotten = true;
    events_follow();
    assert_int_equal(pocue_mcx_held(ue, NULL, 0), 0);
    assert_int_equal(pocue_mcx_bearers(ue, NULL, 0), 0);
}

static bool may_open(const key *k, bool by_multicast)
{
    return k->is_sent && !k->is_revoked && !k->is_forgotten && (k->id >> 28 == MCX_MUSIK) == by_multicast &&
           (k->expiry_s == 0 || k->expiry_s > now_s()) && k->activation_s <= now_s() + SKEW_S;
}

static void hears(void)
{
    static const uint8_t clear[12] = { 0x85, 0xcc, 0, 2, 0, 0, 0, 9, 'P', 'o', 'C', '1' };
    uint8_t packet[64];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    key *k = any_key();
    const bool by_multicast = below(2) == 0;
    assert_int_equal(mcx_srtcp_protect(side_of(k), &wr, poc_span_of(clear, sizeof(clear))), POC_OK);
    const poc_err err = pocue_mcx_control(ue, now_ms, by_multicast, poc_span_of(packet, wr.len));
    if (err == POC_OK && !may_open(k, by_multicast))
        fail_msg("run %llu: heard under key %08x", (unsigned long long)now_run, k->id);
    if (err == POC_OK)
        assert_int_equal(pocue_mcx_control(ue, now_ms, by_multicast, poc_span_of(packet, wr.len)), POC_E_AUTH);
    assert_int_equal(pocue_mcx_control(ue, now_ms, by_multicast, poc_span_of(clear, sizeof(clear))), POC_E_AUTH);
}

static void says(void)
{
    static const uint8_t clear[12] = { 0x80, 0xcc, 0, 2, 0, 0, 0, 1, 'P', 'o', 'C', '1' };
    uint8_t packet[64];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    const bool has_csk = pocue_mcx_csk(ue, now_ms) != 0;
    const poc_err err = pocue_mcx_protect(ue, now_ms, &wr, poc_span_of(clear, sizeof(clear)));
    assert_int_equal(err == POC_OK, has_csk);
    assert_null(memmem(packet, wr.len, "PoC1", 4));
}

static void is_told_of_a_bearer(void)
{
    announcement_make(below(BEARERS), below(3) == 0, (uint16_t)(6000 + 10 * below(2)));
    const int status = body_give().status;
    assert_true(status == 200 || status == 500); /* too many bearers */
}

static void is_told_nonsense(void)
{
    announcement_make(below(BEARERS), false, 6000);
    memset(body + below((uint32_t)body_len - 40), 'k', 40);
    (void)body_give();
}

static void waits(void)
{
    const int64_t until_ms = now_ms + (int64_t)below(100000);
    for (int calls = 0; pocue_deadline_ms(ue) <= until_ms; calls++) {
        assert_true(calls < 1000); /* a deadline that never passes */
        now_ms = pocue_deadline_ms(ue);
        pocue_tick(ue, now_ms);
        events_follow();
        assert_sound();
    }
    now_ms = until_ms;
    pocue_tick(ue, now_ms);
}

static void (*const happenings[])(void) = {
    brings_a_csk, is_sent_a_key, is_sent_a_key, is_sent_what_is_altered, a_key_is_revoked,
    hears,        hears,         says,          is_told_of_a_bearer,     is_told_nonsense,
    waits,        waits
};

static void assert_hears_again(void)
{
    const key fresh = { .id = 0x60000fffu, .seed = 99 };
    pocue_mcx_log_off(ue);
    events_follow();
    download_make(&fresh);
    assert_int_equal(body_give().status, 200);
    announcement_make(0, false, 6000);
    assert_int_equal(body_give().status, 200);
    events_follow();
    assert_true(joined[0]);
    assert_int_equal(pocue_mcx_musik(ue, now_ms, ""), fresh.id);
}

static void whatever_happens_it_listens_under_keys_in_force_and_under_no_others(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        run_begin(seed);
        for (int i = 0; i < STEPS; i++) {
            if (below(40) == 0)
                logs_off();
            else
                happenings[below(POC_COUNT(happenings))]();
            pocue_tick(ue, now_ms);
            events_follow();
            assert_sound();
        }
        assert_hears_again();
        run_end();
    }
}

/* ---- memory ---- */

/* Joining and leaving are told at once from what was set aside, and when that is used up, a moment later. */
static void a_bearer_is_joined_and_left_however_often_memory_fails(void **state)
{
    (void)state;
    const key musik = { .id = 0x60000001u, .seed = 1 };
    size_t late = 0;
    run_begin(1);
    download_make(&musik);
    assert_int_equal(body_give().status, 200);
    for (int is_over = 0; is_over < 2; is_over++) {
        for (uint32_t i = 0; i < POCUE_MCX_BEARERS_MAX; i++) {
            announcement_make(i, is_over != 0, 6000);
            oom_arm(1);
            assert_int_equal(body_give().status, 200);
            assert_true(oom_disarm());
            events_follow();
            late += joined[i] == is_over;
        }
        pocue_tick(ue, now_ms);
        events_follow();
        for (uint32_t i = 0; i < POCUE_MCX_BEARERS_MAX; i++)
            assert_int_equal(joined[i], is_over == 0);
    }
    assert_true(late > 0);
    assert_int_equal(pocue_mcx_bearers(ue, NULL, 0), 0);
    run_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_it_listens_under_keys_in_force_and_under_no_others),
        cmocka_unit_test(a_bearer_is_joined_and_left_however_often_memory_fails),
    };
    return cmocka_run_group_tests(tests, all_open, all_close);
}
