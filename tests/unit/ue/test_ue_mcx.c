/* The client's half of mission critical signalling with messages: what it uploads is opened as a server does it, and what a
 * server sends, the vectors among it, is opened by the client. A decapsulation takes a second in an instrumented build, so one
 * client goes through all tests, its clock running. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pair.h"
#include "pf/wire/wire.h"
#include "tests/support/oom.h"
#include "tests/unit/mcx/mcx_world.h"
#include "ue/core/core.h"

#define ALICE  "sip:alice@mcptt.example.org"
#define SERVER "mcx.example.org"
#define KMS    "kms.example.org"
#define GROUP  "sip:group1@mcptt.example.org"
#define CSK    0x20000000u
#define MUSIK  0x60000000u

static json_t *vectors;
static mcx_world world;
static test_rng chance;
static poc_rng rng;
static pocue *ue;
static int64_t now_ms = INT64_C(1772323200000);

static const mcx_algorithm both[2] = { { 6, 16, 12, 16 }, { 6, 32, 12, 16 } };
static const pocue_mcx_server servers[] = { { SERVER, KMS } };

static pocue_mcx_settings settings_of(void)
{
    return (pocue_mcx_settings){ .mc_id = ALICE, .servers = servers, .server_count = 1, .client_id = "urn:uuid:1" };
}

static poc_err keys_give(pocue *to, const char *who, uint64_t number)
{
    const json_t *e = json_object_get(json_object_get(json_object_get(vectors, "ts33180_own"), "identities"), who);
    poc_secret *rsk = mcx_secret(e, "RSK"), *ssk = mcx_secret(e, "SSK");
    const vec_bytes pvt = vec_hex(e, "PVT");
    const poc_err err = pocue_mcx_keys_add(
        to, &(pocue_mcx_keys){ .kms_uri = KMS, .period_number = number, .rsk = rsk, .ssk = ssk, .pvt = pvt.b });
    poc_secret_free(rsk);
    poc_secret_free(ssk);
    return err;
}

static pocue_mcx_kms kms_of(void)
{
    return (pocue_mcx_kms){ .uri = KMS, .period_s = 2592000, .z = world.z.b, .kpak = world.kpak.b };
}

static pocue *client_new(const pocue_mcx_settings *mcx)
{
    pocue_settings s;
    pocue *client;
    const pocue_mcx_kms kms = kms_of();
    pair_settings(&s);
    assert_int_equal(pocue_new(&client, &s, &rng), POC_OK);
    assert_int_equal(pocue_mcx_start(client, mcx), POC_OK);
    assert_int_equal(pocue_mcx_kms_add(client, &kms), POC_OK);
    return client;
}

static int all_open(void **state)
{
    (void)state;
    pocue_mcx_settings mcx = settings_of();
    vectors = vec_load(POC_VECTORS "/mikey-sakke.json");
    mcx_world_open(&world, vectors, "ts33180_own");
    rng = test_rng_of(&chance, 33180);
    mcx.algorithms = both;
    mcx.algorithm_count = 2;
    mcx.csk_name = "CSK alice";
    mcx.hides_identities = true;
    ue = client_new(&mcx);
    return keys_give(ue, "client", 1536) == POC_OK ? 0 : 1;
}

static int all_close(void **state)
{
    (void)state;
    pocue_free(ue);
    mcx_world_close(&world);
    json_decref(vectors);
    return poc_secret_live_count() == 0 ? 0 : 1;
}

/* Another second, and nothing left of the test before. */
static int a_second_later(void **state)
{
    (void)state;
    now_ms += 1000;
    pocue_mcx_log_off(ue);
    for (pocue_event e; pocue_poll(ue, &e);)
        ;
    return 0;
}

/* ---- events ---- */

static pocue_event expect_event(pocue_event_type type, uint32_t key_id)
{
    pocue_event e = { .type = 0 };
    assert_true(pocue_poll(ue, &e));
    assert_int_equal(e.type, type);
    assert_int_equal(e.key_id, key_id);
    assert_int_equal(e.at_ms, now_ms);
    return e;
}

static void expect_silence(void)
{
    pocue_event e = { .type = 0 };
    if (pocue_poll(ue, &e))
        fail_msg("event %d", (int)e.type);
}

/* ---- the server's side ---- */

typedef struct download {
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t n;
} download;

typedef struct what {
    uint32_t id;
    const char *to, *from; /* NULL: alice, the server */
    const mcx_algorithm *algorithm;
    mcx_key_parameters parameters;
    uint8_t seed;
    bool hides;
} what;

static poc_secret *secret_of(const what *w)
{
    uint8_t octets[32];
    poc_secret *key;
    memset(octets, w->seed, sizeof(octets));
    assert_int_equal(poc_secret_from(&key, octets, w->algorithm == NULL ? 16 : w->algorithm->key_len), POC_OK);
    return key;
}

static download seal(const what *w)
{
    download d = { .n = 0 };
    const uint64_t ntp_s = (uint64_t)now_ms / 1000 + MCX_NTP_MINUS_UNIX;
    mcx_key_parameters parameters = w->parameters;
    mcx_seal_params p = { .sender = mcx_world_party(&world, poc_span_str(w->from == NULL ? SERVER : w->from)),
                          .key_id = w->id,
                          .ntp = ntp_s << 32,
                          .ntp_s = ntp_s,
                          .algorithms = w->algorithm,
                          .algorithm_count = w->algorithm == NULL ? 0 : 1,
                          .parameters = &parameters,
                          .hides_identities = w->hides };
    mcx_seal_job job = { .uri = poc_span_str(w->to == NULL ? ALICE : w->to), .kms = &world.kms, .out = d.octets };
    poc_secret *key = secret_of(w);
    parameters.type = (mcx_key_type)(w->id >> 28);
    memset(p.rand, w->seed, sizeof(p.rand));
    assert_int_equal(mcx_cs_id_of(&p.cs_id, parameters.type, MCX_MCPTT), POC_OK);
    job.cap = sizeof(d.octets);
    assert_int_equal(mcx_i_message_seal(&p, key, &rng, &job, 1), POC_OK);
    poc_secret_free(key);
    d.n = job.len;
    return d;
}

static poc_err give(const download *d, int want_status, const char *want_why)
{
    const char *why;
    pocue_reply reply;
    const poc_err err =
        pocue_mcx_download(ue, now_ms, poc_span_str("application/mikey"), poc_span_of(d->octets, d->n), &reply, &why);
    assert_int_equal(reply.status, want_status);
    assert_true((err == POC_OK) == (reply.warning == NULL));
    if (want_why == NULL)
        assert_null(why);
    else
        assert_string_equal(why, want_why);
    return err;
}

static void install(const what *w)
{
    const download d = seal(w);
    assert_int_equal(give(&d, 200, NULL), POC_OK);
    (void)expect_event(POCUE_MCX_KEY, w->id);
    now_ms += 1000;
}

/* The server's end of the protection of control packets. */
static mcx_srtcp *server_side(const what *w)
{
    uint8_t rand[MIKEY_RAND_LEN];
    mcx_srtp_context c = { .csb_id = w->id, .rand = poc_span_of(rand, sizeof(rand)) };
    poc_secret *key = secret_of(w);
    mcx_srtcp *s;
    memset(rand, w->seed, sizeof(rand));
    assert_int_equal(mcx_cs_id_of(&c.cs_id, (mcx_key_type)(w->id >> 28), MCX_MCPTT), POC_OK);
    assert_int_equal(mcx_srtcp_new(&s, key, &c, w->algorithm == NULL ? &mcx_aes128_gcm : w->algorithm), POC_OK);
    poc_secret_free(key);
    return s;
}

static const uint8_t floor_idle[12] = { 0x85, 0xcc, 0, 2, 0, 0, 0, 9, 'M', 'C', 'P', 'T' };
static const uint8_t floor_request[12] = { 0x80, 0xcc, 0, 2, 0, 0, 0, 1, 'M', 'C', 'P', 'T' };

static poc_err control_from(mcx_srtcp *s, bool by_multicast)
{
    uint8_t packet[MCX_SRTCP_MAX];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    assert_int_equal(mcx_srtcp_protect(s, &wr, poc_span_of(floor_idle, sizeof(floor_idle))), POC_OK);
    return pocue_mcx_control(ue, now_ms, by_multicast, poc_span_of(packet, wr.len));
}

/* ---- upload ---- */

typedef struct arrived {
    uint8_t octets[MIKEY_MESSAGE_MAX];
    mikey_msg msg;
    mcx_opened opened;
    uint8_t body[8192];
    size_t body_len;
    uint32_t csk_id;
} arrived;

static void upload_open(arrived *a, pocue *from, const char *token)
{
    pocue_mcx_upload upload = { .access_token = token };
    poc_wr wr = poc_wr_into(a->body, sizeof(a->body));
    size_t n;
    assert_int_equal(pocue_mcx_make_upload(from, now_ms, &upload, &wr), POC_OK);
    a->body_len = wr.len;
    a->csk_id = upload.csk_id;
    assert_int_equal(ue_mcx_body_read(a->octets, sizeof(a->octets), &n, poc_span_str(upload.content_type),
                                      poc_span_of(a->body, wr.len)),
                     POC_OK);
    assert_int_equal(mcx_i_message_read(&a->msg, poc_span_of(a->octets, n), NULL), POC_OK);
    const mcx_expected expected = { .now_ntp_s = (uint64_t)now_ms / 1000 + MCX_NTP_MINUS_UNIX,
                                    .skew_s = 10,
                                    .own = mcx_world_party(&world, poc_span_str(SERVER)),
                                    .own_count = 1,
                                    .certificates = &world.kms,
                                    .certificate_count = 1,
                                    .sender = poc_span_str(ALICE),
                                    .types = MCX_TYPE_BIT(MCX_CSK),
                                    .strict_signature = true,
                                    .verifier = world.verifier };
    assert_int_equal(mcx_i_message_open(&a->opened, &a->msg, &expected, NULL), POC_OK);
    assert_int_equal(a->opened.key_id, a->csk_id);
    assert_int_equal(a->csk_id >> 28, MCX_CSK);
}

static mcx_srtcp *side_of(const mcx_opened *o, const mcx_algorithm *algorithm)
{
    const mcx_srtp_context c = { .csb_id = o->key_id, .cs_id = o->cs_id, .rand = poc_span_of(o->rand, o->rand_len) };
    mcx_srtcp *s;
    assert_int_equal(mcx_srtcp_new(&s, o->key, &c, algorithm), POC_OK);
    return s;
}

/* MCX-11, MCX-14, MCX-17: hidden identities, the list of algorithms with the selected one first, a name. */
static void the_server_opens_an_upload_with_hidden_identities_and_a_list(void **state)
{
    (void)state;
    static arrived a;
    upload_open(&a, ue, "token");
    assert_int_equal(a.msg.idi.role, MIKEY_ROLE_UID_INITIATOR);
    assert_int_equal(a.msg.idr.role, MIKEY_ROLE_UID_RESPONDER);
    assert_null(memmem(a.octets, a.msg.raw.n, ALICE, strlen(ALICE)));
    assert_int_equal(a.opened.offer.count, 2);
    assert_true(mcx_algorithm_eq(&a.opened.offer.algorithms[0], &mcx_aes128_gcm));
    assert_true(mcx_algorithm_eq(&a.opened.offer.algorithms[1], &mcx_aes256_gcm));
    assert_int_equal(a.opened.cs_id, 6);
    assert_true(poc_span_eq_str(a.opened.parameters.text, "CSK alice"));
    assert_null(memmem(a.body, a.body_len, ">token<", 7));
    expect_silence();
    pocue_mcx_uploaded(ue, now_ms, false);
    expect_silence();
    assert_int_equal(pocue_mcx_csk(ue, now_ms), 0);
    mcx_opened_done(&a.opened);
    assert_int_equal(pocue_mcx_held(ue, NULL, 0), 0);
}

/* MCX-5, MCX-14, MCX-19, MCX-20, MCX-24: the minimal profile says no algorithm, which means the default; the MC service id and
 * the MDSI stand in clear; and there is none without keys for the period. */
static void the_minimal_upload_names_alice_and_the_mdsi_and_needs_keys_of_the_period(void **state)
{
    (void)state;
    static arrived a;
    uint8_t body[4096];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    pocue_mcx_upload upload = { .access_token = NULL };
    const pocue_mcx_settings mcx = settings_of();
    pocue *other = client_new(&mcx);
    assert_false(pocue_mcx_is_provisioned(other, now_ms));
    assert_int_equal(pocue_mcx_make_upload(other, now_ms, &upload, &wr), POC_E_STATE);
    assert_int_equal(keys_give(other, "client", 1537), POC_E_AUTH);
    assert_int_equal(keys_give(other, "server", 1536), POC_E_AUTH);
    assert_int_equal(keys_give(other, "client", 1536), POC_OK);
    assert_true(pocue_mcx_is_provisioned(other, now_ms));
    upload_open(&a, other, NULL);
    assert_true(poc_span_eq_str(a.msg.idi.data, ALICE));
    assert_true(poc_span_eq_str(a.msg.idr.data, SERVER));
    assert_int_equal(a.msg.map_type, MIKEY_MAP_EMPTY);
    assert_false(a.opened.has_parameters);
    assert_int_equal(a.opened.offer.count, 1);
    assert_true(mcx_algorithm_eq(&a.opened.offer.algorithms[0], &mcx_aes128_gcm));
    mcx_opened_done(&a.opened);
    wr = poc_wr_into(body, 100);
    assert_int_equal(pocue_mcx_make_upload(other, now_ms, &upload, &wr), POC_E_LIMIT);
    assert_int_equal(wr.len, 0);
    assert_int_equal(pocue_mcx_make_upload(other, now_ms + INT64_C(2592000000), &upload, &wr), POC_E_STATE);
    pocue_free(other);
}

/* MCX-6, MCX-12, MCX-15, MCX-27, MCX-31: nothing goes out without a CSK; then under the uploaded one with the selected
 * algorithm; with the forced one only after the download, under its key. */
static void a_forced_algorithm_is_in_force_with_the_download_and_not_before(void **state)
{
    (void)state;
    static arrived a;
    uint8_t packet[MCX_SRTCP_MAX], clear[MCX_SRTCP_MAX];
    const what forced = { .id = CSK + 77, .algorithm = &mcx_aes256_gcm, .seed = 9 };
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    size_t n;
    const poc_span request = poc_span_of(floor_request, sizeof(floor_request));
    upload_open(&a, ue, NULL);
    assert_int_equal(pocue_mcx_protect(ue, now_ms, &wr, request), POC_E_STATE);
    assert_int_equal(wr.len, 0);
    pocue_mcx_uploaded(ue, now_ms, true);
    (void)expect_event(POCUE_MCX_KEY, a.csk_id);
    assert_int_equal(expect_event(POCUE_MCX_ALGORITHM, a.csk_id).algorithm.key_len, 16);
    mcx_srtcp *first = side_of(&a.opened, &mcx_aes128_gcm), *second = server_side(&forced);
    assert_int_equal(pocue_mcx_protect(ue, now_ms, &wr, request), POC_OK);
    assert_int_equal(mcx_srtcp_unprotect(first, clear, &n, poc_span_of(packet, wr.len)), POC_OK);
    assert_memory_equal(clear, floor_request, n);
    install(&forced);
    now_ms -= 1000;
    assert_int_equal(expect_event(POCUE_MCX_ALGORITHM, forced.id).algorithm.key_len, 32);
    wr.len = 0;
    assert_int_equal(pocue_mcx_protect(ue, now_ms, &wr, request), POC_OK);
    assert_int_equal(mcx_srtcp_unprotect(second, clear, &n, poc_span_of(packet, wr.len)), POC_OK);
    assert_int_equal(control_from(first, false), POC_OK); /* on its way before the change */
    (void)expect_event(POCUE_FLOOR, a.csk_id);
    assert_int_equal(control_from(second, false), POC_OK);
    const pocue_event e = expect_event(POCUE_FLOOR, forced.id);
    assert_false(e.by_multicast);
    assert_memory_equal(e.payload.p, floor_idle, sizeof(floor_idle));
    mcx_srtcp_free(first);
    mcx_srtcp_free(second);
    mcx_opened_done(&a.opened);
}

/* MCX-12: what the server's side of the wire makes of the body: the token beside a CSK can be read with that CSK alone. */
static void the_body_of_an_upload_is_what_the_server_reads(void **state)
{
    (void)state;
    static uint8_t body[8192];
    static wire_mcx_info info;
    POC_OWNED(poc_secret, content, poc_secret_free);
    POC_OWNED(poc_secret, signatures, poc_secret_free);
    pocue_mcx_upload upload = { .access_token = "a<b>&c", .settings = poc_span_str("<poc-settings/>") };
    poc_wr wr = poc_wr_into(body, sizeof(body));
    poc_parts parts;
    const char *why;
    assert_int_equal(pocue_mcx_make_upload(ue, now_ms, &upload, &wr), POC_OK);
    assert_int_equal(poc_parts_read(&parts, poc_span_str(upload.content_type), poc_span_of(body, wr.len), NULL),
                     POC_OK);
    assert_int_equal(parts.count, 3);
    const poc_part *mikey = poc_part_of(&parts, "application/mikey");
    assert_non_null(mikey);
    assert_int_equal(mikey->body.p[1], MIKEY_I_MESSAGE);
    const poc_part *text = poc_part_of(&parts, wire_mcx_media_type(WIRE_MCX_INFO, MCX_MCPTT));
    assert_non_null(text);
    assert_int_equal(wire_mcx_info_read(&info, MCX_MCPTT, text->body, &(wire_mcx_ring){ NULL, 0 }, &why), POC_E_AUTH);
    assert_int_equal(pocue_mcx_xml_keys(ue, now_ms, upload.csk_id, &content, &signatures), POC_OK);
    const wire_mcx_keys keys = { upload.csk_id, content, signatures };
    assert_int_equal(wire_mcx_info_read(&info, MCX_MCPTT, text->body, &(wire_mcx_ring){ &keys, 1 }, &why), POC_OK);
    assert_false(info.has_clear);
    assert_string_equal(info.access_token, "a<b>&c");
    assert_string_equal(info.client_id, "urn:uuid:1");
    wire_mcx_info_done(&info);
    assert_non_null(poc_part_of(&parts, "application/poc-settings+xml"));
}

/* ---- what the KMS gives ---- */

static void answer_take(pocue *to, const uint8_t *xml, size_t n, poc_err want)
{
    static mcx_kms_response response;
    const char *why;
    assert_int_equal(mcx_kms_response_read(&response, poc_span_of(xml, n), &why), POC_OK);
    assert_int_equal(pocue_mcx_provision(to, &response), want);
    for (size_t i = 0; i < response.set_count; i++)
        response.sets[i].is_revoked = true;
    if (response.set_count > 0)
        assert_int_equal(pocue_mcx_provision(to, &response), POC_E_DENIED);
    mcx_kms_response_done(&response);
}

/* MCX-20, MCX-24 */
static void a_client_is_provisioned_by_documents_of_the_kms(void **state)
{
    (void)state;
    pocue_settings s;
    pocue *other;
    mcx_kms *kms;
    mcx_user_keys keys;
    uint8_t xml[MCX_KMS_ANSWER_MAX];
    poc_secret *z, *ksak;
    const pocue_mcx_settings mcx = settings_of();
    const mcx_identity *alice = mcx_world_party(&world, poc_span_str(ALICE));
    const mcx_period period = { 2592000, 0, 1536 };
    const mcx_kms_answer answer = { poc_span_str(ALICE), poc_span_str(KMS), poc_span_str("/init"), now_ms / 1000 };
    poc_wr certificate = poc_wr_into(xml, sizeof(xml));
    pair_settings(&s);
    assert_int_equal(pocue_new(&other, &s, &rng), POC_OK);
    assert_int_equal(pocue_mcx_start(other, &mcx), POC_OK);
    assert_int_equal(mcx_kms_secrets(&z, &ksak, &rng), POC_OK);
    assert_int_equal(mcx_kms_new(&kms, z, ksak), POC_OK);
    assert_int_equal(mcx_kms_issue(&keys, kms, poc_span_of(alice->uid, MCX_UID_LEN), &rng), POC_OK);
    assert_int_equal(mcx_kms_init_put(&certificate, &answer, kms, period.period_s, 0), POC_OK);
    answer_take(other, xml, certificate.len, POC_OK);
    assert_false(pocue_mcx_is_provisioned(other, now_ms));
    poc_wr sets = poc_wr_into(xml, sizeof(xml));
    assert_int_equal(mcx_kms_keys_put(&sets, &answer, poc_span_str(ALICE), alice->uid, &period, &keys), POC_OK);
    answer_take(ue, xml, sets.len, POC_E_AUTH); /* keys of another KMS that has the same name */
    answer_take(other, xml, sets.len, POC_OK);
    assert_true(pocue_mcx_is_provisioned(other, now_ms));
    poc_wipe(xml, sizeof(xml));
    mcx_user_keys_done(&keys);
    mcx_kms_free(kms);
    poc_secret_free(z);
    poc_secret_free(ksak);
    pocue_free(other);
}

/* ---- downloads ---- */

static download vector(const char *name)
{
    const vec_bytes octets = mcx_octets(mcx_message(vectors, "ts33180_own", name));
    download d = { .n = octets.n };
    memcpy(d.octets, octets.b, octets.n);
    return d;
}

/* MCX-1, MCX-2, MCX-3, MCX-22, MCX-26: as the vectors have them, sent at 2026-03-01; no GMS and no other key takes part. */
static void a_client_shares_what_the_kms_gave_another_one_of_the_same_user_only(void **state)
{
    (void)state;
    pocue_mcx_settings mcx = settings_of();
    pocue_settings s;
    pocue *twin, *bob;
    pair_settings(&s);
    assert_int_equal(pocue_new(&twin, &s, &rng), POC_OK);
    assert_int_equal(pocue_mcx_provision_like(twin, ue), POC_E_STATE);
    assert_int_equal(pocue_mcx_start(twin, &mcx), POC_OK);
    assert_false(pocue_mcx_is_provisioned(twin, now_ms));
    assert_int_equal(pocue_mcx_provision_like(twin, ue), POC_OK);
    assert_int_equal(pocue_mcx_provision_like(twin, ue), POC_OK);
    assert_true(pocue_mcx_is_provisioned(twin, now_ms));
    mcx.mc_id = "sip:bob@mcptt.example.org";
    assert_int_equal(pocue_new(&bob, &s, &rng), POC_OK);
    assert_int_equal(pocue_mcx_start(bob, &mcx), POC_OK);
    assert_int_equal(pocue_mcx_provision_like(bob, ue), POC_E_DENIED);
    assert_false(pocue_mcx_is_provisioned(bob, now_ms));
    pocue_free(bob);
    pocue_free(twin);
}

static void the_downloads_of_the_vectors_are_installed(void **state)
{
    (void)state;
    const download csk = vector("csk_download"), general = vector("musik_download_default");
    const download group = vector("musik_download_group");
    poc_secret *confidentiality, *integrity;
    const json_t *entry = mcx_message(vectors, "ts33180_own", "csk_download");
    const vec_bytes want_c = vec_hex(entry, "xml_confidentiality_key"), want_i = vec_hex(entry, "xml_integrity_key");
    const int64_t later_ms = now_ms + 3600 * 1000;
    assert_int_equal(give(&csk, 200, NULL), POC_OK);
    pocue_event e = expect_event(POCUE_MCX_KEY, 0x2fedcba9);
    assert_int_equal(e.activation_s, 1772326800);
    assert_int_equal(e.expiry_s, 1772413200);
    assert_int_equal(pocue_mcx_csk(ue, now_ms), 0); /* an hour from now */
    assert_int_equal(pocue_mcx_csk(ue, later_ms), 0x2fedcba9);
    assert_int_equal(pocue_deadline_ms(ue), INT64_C(1772326800000));
    assert_int_equal(give(&general, 200, NULL), POC_OK);
    (void)expect_event(POCUE_MCX_KEY, 0x60000001);
    assert_int_equal(give(&group, 200, NULL), POC_OK);
    (void)expect_event(POCUE_MCX_KEY, 0x6abcdef0);
    assert_int_equal(pocue_mcx_musik(ue, now_ms, GROUP), 0x6abcdef0);
    assert_int_equal(pocue_mcx_musik(ue, now_ms, "sip:other@mcptt.example.org"), 0x60000001);
    /* MCX-12 */
    assert_int_equal(pocue_mcx_xml_keys(ue, now_ms, 0x2fedcba9, &confidentiality, &integrity), POC_OK);
    assert_memory_equal(poc_secret_bytes(confidentiality), want_c.b, want_c.n);
    assert_memory_equal(poc_secret_bytes(integrity), want_i.b, want_i.n);
    poc_secret_free(confidentiality);
    poc_secret_free(integrity);
    assert_int_equal(pocue_mcx_xml_keys(ue, now_ms, 0x60000001, &confidentiality, &integrity), POC_E_STATE);
}

/* MCX-7, MCX-8, MCX-13 */
static void each_musik_opens_its_own_multicast_and_none_opens_clear_packets(void **state)
{
    (void)state;
    const what general = { .id = MUSIK + 1, .seed = 1 };
    const what group = { .id = MUSIK + 2,
                         .seed = 2,
                         .parameters = { .groups = { poc_span_str(GROUP) }, .group_count = 1 } };
    const what foreign = { .id = MUSIK + 1, .seed = 3 }, unknown = { .id = MUSIK + 3, .seed = 1 };
    mcx_srtcp *a = server_side(&general), *b = server_side(&group), *c = server_side(&foreign),
              *d = server_side(&unknown);
    install(&general);
    install(&group);
    assert_int_equal(control_from(a, true), POC_OK);
    assert_true(expect_event(POCUE_FLOOR, general.id).by_multicast);
    assert_int_equal(control_from(b, true), POC_OK);
    (void)expect_event(POCUE_FLOOR, group.id);
    assert_int_equal(control_from(a, false), POC_E_DENIED);
    assert_int_equal(control_from(c, true), POC_E_AUTH);
    assert_int_equal(control_from(d, true), POC_E_STATE);
    assert_int_equal(pocue_mcx_control(ue, now_ms, true, poc_span_of(floor_idle, sizeof(floor_idle))), POC_E_AUTH);
    assert_int_equal(pocue_mcx_control(ue, now_ms, false, poc_span_of(floor_idle, sizeof(floor_idle))), POC_E_AUTH);
    expect_silence();
    mcx_srtcp_free(a);
    mcx_srtcp_free(b);
    mcx_srtcp_free(c);
    mcx_srtcp_free(d);
}

/* MCX-23, MCX-24, MCX-28 */
static void a_download_that_is_not_the_servers_for_alice_changes_nothing(void **state)
{
    (void)state;
    const what good = { .id = MUSIK + 10, .seed = 1 };
    const what from_alice = { .id = MUSIK + 11, .seed = 1, .from = ALICE };
    const what for_another = { .id = MUSIK + 12, .seed = 1, .to = "sip:bob@mcptt.example.org" };
    const what other_kind = { .id = 0x10000001, .seed = 1 }; /* a PCK */
    download d = seal(&good);
    d.octets[40] ^= 1; /* in RAND */
    assert_int_equal(give(&d, 403, "signature does not hold"), POC_E_AUTH);
    d = seal(&good);
    d.octets[4] = 0x90; /* a tag that is unassigned */
    assert_int_equal(give(&d, 488, "purpose tag of the key id is unassigned"), POC_E_INPUT);
    d.n -= 1;
    assert_int_equal(give(&d, 488, "length exceeds what is left"), POC_E_INPUT);
    d = seal(&from_alice);
    assert_int_equal(give(&d, 403, "the sender is no server of ours"), POC_E_DENIED);
    d = seal(&for_another);
    assert_int_equal(give(&d, 403, "IDRr with IDRkmsr is no identity of ours"), POC_E_DENIED);
    d = seal(&other_kind);
    assert_int_equal(give(&d, 403, "a key of this type does not come this way"), POC_E_DENIED);
    d = seal(&good);
    now_ms += 301 * 1000;
    assert_int_equal(give(&d, 403, "time is too far from now"), POC_E_AUTH);
    expect_silence();
    assert_int_equal(pocue_mcx_held(ue, NULL, 0), 0);
}

/* MCX-14, MCX-27: what was not in the list is not taken. */
static void a_download_again_is_answered_and_an_older_or_unfit_one_refused(void **state)
{
    (void)state;
    const mcx_algorithm cm = mcx_aes128_cm;
    const what old = { .id = MUSIK + 20, .seed = 1 }, musik = { .id = MUSIK + 21, .seed = 1 };
    const what unfit = { .id = MUSIK + 22, .seed = 1, .algorithm = &cm };
    const download before = seal(&old);
    now_ms += 1000;
    const download d = seal(&musik);
    assert_int_equal(give(&d, 200, NULL), POC_OK);
    (void)expect_event(POCUE_MCX_KEY, musik.id);
    now_ms += 1000;
    assert_int_equal(give(&d, 200, NULL), POC_OK); /* its answer was lost */
    expect_silence();
    assert_int_equal(give(&before, 403, "older than the last message of its sender"), POC_E_AUTH);
    const download bad = seal(&unfit);
    assert_int_equal(give(&bad, 403, "the algorithm was not offered"), POC_E_DENIED);
    pocue_mcx_log_off(ue);
    assert_int_equal(give(&d, 403, "repeated message"), POC_E_AUTH); /* no way back for what was wiped */
    expect_silence();
    assert_int_equal(pocue_mcx_held(ue, NULL, 0), 0);
}

/* MCX-25 */
static void a_download_with_hidden_identities_is_taken_from_the_server_and_from_nobody_else(void **state)
{
    (void)state;
    const what hidden = { .id = MUSIK + 40, .seed = 1, .hides = true };
    const what from_alice = { .id = MUSIK + 41, .seed = 1, .hides = true, .from = ALICE };
    install(&hidden);
    const download d = seal(&from_alice);
    assert_int_equal(give(&d, 403, "the sender is no server of ours"), POC_E_DENIED);
    expect_silence();
}

static void a_revoked_musik_is_told_and_heard_under_no_more(void **state)
{
    (void)state;
    const what musik = { .id = MUSIK + 30, .seed = 1 };
    const what revoked = { .id = MUSIK + 30, .seed = 1, .parameters = { .is_revoked = true } };
    mcx_srtcp *s = server_side(&musik);
    install(&musik);
    const download d = seal(&revoked);
    assert_int_equal(give(&d, 200, NULL), POC_OK);
    (void)expect_event(POCUE_MCX_REVOKED, musik.id);
    assert_int_equal(control_from(s, true), POC_E_STATE);
    assert_int_equal(pocue_mcx_musik(ue, now_ms, GROUP), 0);
    now_ms += 1000;
    const download again = seal(&musik);
    assert_int_equal(give(&again, 403, "a key that was revoked does not come back"), POC_E_DENIED);
    expect_silence();
    mcx_srtcp_free(s);
}

/* ---- memory ---- */

static void a_download_that_found_no_memory_is_taken_when_it_comes_again(void **state)
{
    (void)state;
    const what musik = { .id = MUSIK + 50, .seed = 1 };
    const size_t secrets = poc_secret_live_count();
    bool has_failed = true;
    for (size_t n = 1; has_failed; n++) {
        pocue_reply reply;
        const download d = seal(&musik);
        oom_arm(n);
        const poc_err err =
            pocue_mcx_download(ue, now_ms, poc_span_str("application/mikey"), poc_span_of(d.octets, d.n), &reply, NULL);
        has_failed = oom_disarm();
        if (err != POC_OK) {
            assert_int_equal(err, POC_E_NOMEM);
            assert_int_equal(reply.status, 500);
            assert_int_equal(pocue_mcx_held(ue, NULL, 0), 0);
            assert_int_equal(poc_secret_live_count(), secrets);
            expect_silence();
            assert_int_equal(give(&d, 200, NULL), POC_OK);
        }
        (void)expect_event(POCUE_MCX_KEY, musik.id);
        pocue_mcx_log_off(ue);
        now_ms += 1000;
    }
}

static void an_upload_that_found_no_memory_leaves_no_key(void **state)
{
    (void)state;
    const size_t secrets = poc_secret_live_count();
    bool has_failed = true;
    for (size_t n = 1; has_failed; n++) {
        uint8_t body[4096];
        poc_wr wr = poc_wr_into(body, sizeof(body));
        pocue_mcx_upload upload = { .access_token = "token" };
        oom_arm(n);
        const poc_err err = pocue_mcx_make_upload(ue, now_ms, &upload, &wr);
        has_failed = oom_disarm();
        assert_int_equal(pocue_mcx_held(ue, NULL, 0), err == POC_OK ? 1 : 0);
        if (err != POC_OK) {
            assert_int_equal(err, POC_E_NOMEM);
            assert_int_equal(wr.len, 0);
            assert_int_equal(poc_secret_live_count(), secrets);
        }
        pocue_mcx_log_off(ue);
    }
}

/* ---- settings ---- */

static void settings_that_make_no_client_are_refused(void **state)
{
    (void)state;
    pocue_settings s;
    pocue *other;
    const mcx_algorithm cm = mcx_aes128_cm;
    const pocue_mcx_kms kms = kms_of();
    uint8_t out[64];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    pocue_mcx_settings bad = settings_of();
    pocue_mcx_upload upload = { .access_token = NULL };
    pocue_reply reply;
    pair_settings(&s);
    assert_int_equal(pocue_new(&other, &s, &rng), POC_OK);
    bad.algorithms = &cm;
    bad.algorithm_count = 1;
    assert_int_equal(pocue_mcx_start(other, &bad), POC_E_INPUT);
    bad = settings_of();
    bad.mc_id = NULL;
    assert_int_equal(pocue_mcx_start(other, &bad), POC_E_INPUT);
    bad = settings_of();
    bad.server_count = 0;
    assert_int_equal(pocue_mcx_start(other, &bad), POC_E_INPUT);
    /* And nothing works before it has started. */
    assert_int_equal(pocue_mcx_kms_add(other, &kms), POC_E_STATE);
    assert_int_equal(pocue_mcx_make_upload(other, now_ms, &upload, &wr), POC_E_STATE);
    assert_int_equal(pocue_mcx_protect(other, now_ms, &wr, poc_span_of(floor_request, 12)), POC_E_STATE);
    assert_int_equal(pocue_mcx_control(other, now_ms, true, poc_span_of(floor_request, 12)), POC_E_STATE);
    assert_int_equal(
        pocue_mcx_download(other, now_ms, poc_span_str("application/mikey"), poc_span_str("x"), &reply, NULL),
        POC_E_STATE);
    assert_int_equal(reply.status, 500);
    pocue_mcx_log_off(other);
    assert_int_equal(pocue_deadline_ms(other), INT64_MAX);
    pocue_free(other);
}

#define LATER(test) cmocka_unit_test_setup(test, a_second_later)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LATER(the_downloads_of_the_vectors_are_installed), /* first: they are of one second */
        LATER(the_server_opens_an_upload_with_hidden_identities_and_a_list),
        LATER(the_minimal_upload_names_alice_and_the_mdsi_and_needs_keys_of_the_period),
        LATER(the_body_of_an_upload_is_what_the_server_reads),
        LATER(a_client_is_provisioned_by_documents_of_the_kms),
        LATER(a_client_shares_what_the_kms_gave_another_one_of_the_same_user_only),
        LATER(a_forced_algorithm_is_in_force_with_the_download_and_not_before),
        LATER(each_musik_opens_its_own_multicast_and_none_opens_clear_packets),
        LATER(a_download_that_is_not_the_servers_for_alice_changes_nothing),
        LATER(a_download_again_is_answered_and_an_older_or_unfit_one_refused),
        LATER(a_download_with_hidden_identities_is_taken_from_the_server_and_from_nobody_else),
        LATER(a_revoked_musik_is_told_and_heard_under_no_more),
        LATER(a_download_that_found_no_memory_is_taken_when_it_comes_again),
        LATER(an_upload_that_found_no_memory_leaves_no_key),
        LATER(settings_that_make_no_client_are_refused),
    };
    return cmocka_run_group_tests(tests, all_open, all_close);
}
