#include "tests/unit/core/mcx_office.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t naf_id[] = "pf.poc.example\x01\x00\x00\x00\x01";

/* ---- the town ---- */

static poc_secret *padded(const json_t *object, const char *name, size_t len)
{
    const vec_bytes v = vec_hex(object, name);
    poc_secret *s;
    assert_true(v.n <= len);
    assert_int_equal(poc_secret_new(&s, len), POC_OK);
    memcpy(poc_secret_edit(s) + len - v.n, v.b, v.n);
    return s;
}

static void person_name(mcx_person *p, const char *uri, const mcx_certificate *c)
{
    const uint64_t ntp_s = OFFICE_NOW_MS / 1000 + MCX_NTP_MINUS_UNIX;
    (void)snprintf(p->uri, sizeof(p->uri), "%s", uri);
    p->identity = (mcx_identity){ .uri = poc_span_str(p->uri),
                                  .kms = c,
                                  .period_number = mcx_period_number(ntp_s, c->period_s, c->offset_s) };
    assert_int_equal(mcx_identity_init(&p->identity), POC_OK);
}

static void person_equip(mcx_person *p, mcx_sakke *sakke, const mcx_user_keys *keys)
{
    const poc_span uid = poc_span_of(p->identity.uid, MCX_UID_LEN);
    assert_int_equal(mcx_signer_new(&p->signer, p->identity.kms->kpak, uid, keys->ssk, keys->pvt), POC_OK);
    if (sakke != NULL)
        assert_int_equal(mcx_receiver_new(&p->receiver, uid, sakke, keys->rsk), POC_OK);
    p->identity.signer = p->signer;
    p->identity.receiver = p->receiver;
}

static void person_make(mcx_person *p, const char *uri, const mcx_certificate *c, const mcx_kms *kms, mcx_sakke *sakke)
{
    mcx_user_keys keys;
    person_name(p, uri, c);
    assert_int_equal(mcx_kms_issue(&keys, kms, poc_span_of(p->identity.uid, MCX_UID_LEN), &poc_rng_system), POC_OK);
    person_equip(p, sakke, &keys);
    mcx_user_keys_done(&keys);
}

static mcx_user_keys keys_of(const json_t *entry)
{
    mcx_user_keys keys = { .rsk = mcx_secret(entry, "RSK"), .ssk = mcx_secret(entry, "SSK") };
    const vec_bytes pvt = vec_hex(entry, "PVT");
    memcpy(keys.pvt, pvt.b, MCX_POINT_LEN);
    return keys;
}

static void server_make(mcx_town *t, const mcx_user_keys *keys)
{
    const pocpf_mcx_material m = { .size = sizeof(m),
                                   .uri = MDSI,
                                   .kms_uri = "kms.example.org",
                                   .period_s = 2592000,
                                   .period_number = 1536,
                                   .z = mcx_kms_z(t->kms).p,
                                   .kpak = mcx_kms_kpak(t->kms).p,
                                   .pvt = keys->pvt,
                                   .rsk = keys->rsk,
                                   .ssk = keys->ssk };
    assert_int_equal(pocpf_mcx_keys_new(&t->server, &m), POCPF_OK);
}

/* A KMS whose only user here is a guest. */
static void elsewhere_make(mcx_town *t)
{
    poc_secret *z, *ksak;
    assert_int_equal(mcx_kms_secrets(&z, &ksak, &poc_rng_system), POC_OK);
    assert_int_equal(mcx_kms_new(&t->other_kms, z, ksak), POC_OK);
    poc_secret_free(z);
    poc_secret_free(ksak);
    assert_int_equal(mcx_sakke_new(&t->other_sakke, mcx_kms_z(t->other_kms).p), POC_OK);
    t->other_certificate = (mcx_certificate){ .kms_uri = poc_span_str(OTHER_KMS),
                                              .period_s = 604800,
                                              .offset_s = 1000,
                                              .sakke = t->other_sakke,
                                              .kpak = mcx_kms_kpak(t->other_kms).p };
    person_make(&t->guest, GUEST_ID, &t->other_certificate, t->other_kms, t->other_sakke);
}

int town_open(void **state)
{
    mcx_town *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    *state = t;
    t->vectors = vec_load(POC_VECTORS "/mikey-sakke.json");
    const json_t *own = json_object_get(t->vectors, "ts33180_own"), *people = json_object_get(own, "identities");
    poc_secret *z = padded(json_object_get(own, "kms"), "z", MCX_SAKKE_Z_LEN);
    poc_secret *ksak = padded(json_object_get(own, "kms"), "KSAK", MCX_SCALAR_LEN);
    assert_int_equal(mcx_kms_new(&t->kms, z, ksak), POC_OK);
    poc_secret_free(z);
    poc_secret_free(ksak);
    assert_int_equal(mcx_sakke_new(&t->sakke, mcx_kms_z(t->kms).p), POC_OK);
    t->certificate = (mcx_certificate){ .kms_uri = poc_span_str("kms.example.org"),
                                        .period_s = 2592000,
                                        .sakke = t->sakke,
                                        .kpak = mcx_kms_kpak(t->kms).p };
    mcx_user_keys keys = keys_of(json_object_get(people, "client"));
    person_name(&t->alice, ALICE_ID, &t->certificate);
    person_equip(&t->alice, t->sakke, &keys);
    mcx_user_keys_done(&keys);
    keys = keys_of(json_object_get(people, "server"));
    person_name(&t->server_person, MDSI, &t->certificate);
    person_equip(&t->server_person, NULL, &keys);
    server_make(t, &keys);
    mcx_user_keys_done(&keys);
    person_make(&t->bob, BOB_ID, &t->certificate, t->kms, t->sakke);
    elsewhere_make(t);
    return 0;
}

static void person_free(mcx_person *p)
{
    mcx_receiver_free(p->receiver);
    mcx_signer_free(p->signer);
}

int town_close(void **state)
{
    mcx_town *t = *state;
    person_free(&t->alice);
    person_free(&t->bob);
    person_free(&t->server_person);
    person_free(&t->guest);
    mcx_sakke_free(t->other_sakke);
    mcx_kms_free(t->other_kms);
    pocpf_mcx_keys_free(t->server);
    mcx_sakke_free(t->sakke);
    mcx_kms_free(t->kms);
    json_decref(t->vectors);
    free(t);
    return 0;
}

/* ---- the engine ---- */

typedef struct slice_of {
    void (*work)(void *ctx, size_t slice);
    void *ctx;
    size_t slice;
} slice_of;

static void *run_slice(void *arg)
{
    const slice_of *s = arg;
    s->work(s->ctx, s->slice);
    return NULL;
}

void office_spread(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices)
{
    office *o = user;
    pthread_t threads[64];
    slice_of all[64];
    assert_true(slices <= 64);
    for (size_t i = 0; i < slices; i++) {
        all[i] = (slice_of){ work, ctx, i };
        assert_int_equal(pthread_create(&threads[i], NULL, run_slice, &all[i]), 0);
    }
    for (size_t i = 0; i < slices; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    o->spreads++;
    o->slices += slices;
}

typedef struct kept {
    uint8_t key[512], value[2048];
    size_t key_len, value_len;
} kept;

static int host_random(void *user, uint8_t *out, size_t n)
{
    office *o = user;
    return o->rng.fill(o->rng.ctx, out, n) == POC_OK ? 0 : -1;
}

office *office_new(mcx_town *town)
{
    const uint8_t store_key[32] = { 7 };
    office *o = calloc(1, sizeof(*o));
    assert_non_null(o);
    o->town = town;
    o->now_ms = OFFICE_NOW_MS;
    o->rng = test_rng_of(&o->chance, 5);
    o->host = (pocpf_host){ .size = sizeof(o->host), .user = o, .random = host_random };
    o->set = (pocpf_settings){ .size = sizeof(o->set),
                               .naf_id = naf_id,
                               .naf_id_len = sizeof(naf_id) - 1,
                               .members_max = 100,
                               .store_key = pocpf_secret_new(store_key, sizeof(store_key)) };
    poc_table_init(&o->store, 5);
    assert_int_equal(mcx_verifier_new(&o->verifier, 4), POC_OK);
    return o;
}

static const uint8_t clock_name[] = { 't' };

static bool is_clock(const pocpf_record *r)
{
    return r->key_len == sizeof(clock_name) && r->key[0] == clock_name[0];
}

static void start(office *o)
{
    assert_int_equal(pocpf_new(&o->pf, &o->host, &o->set), POCPF_OK);
    if (o->channel != NULL)
        assert_int_equal(pocpf_channel_add(o->pf, o->now_ms, o->channel), POCPF_OK);
    size_t at = 0;
    for (kept *k; (k = poc_table_next(&o->store, &at)) != NULL;)
        assert_int_equal(pocpf_restore(o->pf, k->key, k->key_len, k->value, k->value_len), POCPF_OK);
    if (o->clock_len > 0)
        assert_int_equal(pocpf_restore(o->pf, clock_name, sizeof(clock_name), o->clock, o->clock_len), POCPF_OK);
    assert_int_equal(pocpf_restored(o->pf, o->now_ms), POCPF_OK);
    if (!o->is_nobody)
        office_identify(o);
}

void office_identify(office *o)
{
    const pocpf_mcx_identity own = { sizeof(own), o->town->server, true };
    assert_int_equal(pocpf_mcx_identity_add(o->pf, o->now_ms, &own), POCPF_OK);
}

void office_boot(office *o)
{
    start(o);
}

void office_crash(office *o)
{
    pocpf_free(o->pf);
    start(o);
}

void office_free(office *o)
{
    size_t at = 0;
    pocpf_free(o->pf);
    for (kept *k; (k = poc_table_next(&o->store, &at)) != NULL;)
        free(k);
    poc_table_done(&o->store);
    mcx_verifier_free(o->verifier);
    pocpf_secret_free((pocpf_secret *)(uintptr_t)o->set.store_key);
    free(o);
}

static void keep_clock(office *o, const pocpf_record *r)
{
    assert_true(r->value != NULL && r->value_len <= sizeof(o->clock));
    memcpy(o->clock, r->value, r->value_len);
    o->clock_len = r->value_len;
}

static void keep(office *o, const pocpf_record *r)
{
    if (is_clock(r)) {
        keep_clock(o, r);
        return;
    }
    kept *k = poc_table_remove(&o->store, poc_span_of(r->key, r->key_len));
    free(k);
    if (r->value == NULL)
        return;
    k = calloc(1, sizeof(*k));
    assert_true(k != NULL && r->key_len <= sizeof(k->key) && r->value_len <= sizeof(k->value));
    memcpy(k->key, r->key, r->key_len);
    memcpy(k->value, r->value, r->value_len);
    k->key_len = r->key_len;
    k->value_len = r->value_len;
    assert_int_equal(poc_table_put(&o->store, poc_span_of(k->key, k->key_len), k), POC_OK);
}

static void say(office *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(office *o, const char *fmt, ...)
{
    const size_t at = strlen(o->text);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(o->text + at, sizeof(o->text) - at, fmt, args);
    va_end(args);
}

static void do_persist(office *o, const pocpf_effect *fx)
{
    const bool is_of_clock = fx->u.persist.count == 1 && is_clock(&fx->u.persist.records[0]);
    if (!is_of_clock)
        say(o, "PERSIST ");
    o->writes += !is_of_clock;
    if (o->store_holds)
        return;
    for (size_t i = 0; i < fx->u.persist.count && !o->store_fails; i++)
        keep(o, &fx->u.persist.records[i]);
    assert_int_equal(pocpf_persisted(o->pf, o->now_ms, !o->store_fails), POCPF_OK);
}

static void do_download(office *o, const pocpf_effect *fx)
{
    office_download *d = fx->u.download.revokes ? &o->revocation : &o->download;
    *d = (office_download){ .number = fx->u.download.number, .key_id = fx->u.download.key_id };
    (void)snprintf(d->user, sizeof(d->user), "%s", fx->user);
    (void)snprintf(d->mc_id, sizeof(d->mc_id), "%s", fx->u.download.mc_id);
    assert_true(fx->u.download.len <= sizeof(d->octets));
    memcpy(d->octets, fx->u.download.i_message, fx->u.download.len);
    d->len = fx->u.download.len;
    o->downloads += !fx->u.download.revokes;
    o->revocations += fx->u.download.revokes;
    if (d->key_id >> 28 == MCX_CSK)
        say(o, "DOWNLOAD ");
    else
        say(o, "%s:%.3s ", fx->u.download.revokes ? "REVOKE" : "DOWNLOAD", d->user + 4);
    if (fx->u.download.revokes ? !o->keeps_revoked : o->answers)
        assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, d->user, d->number, true), POCPF_OK);
}

/* MCX-31: nothing goes on air without a key that clients have. */
static void do_enabler(office *o, const pocpf_effect *fx)
{
    assert_int_equal(fx->u.enabler.kind, POCPF_KIND_MUSIK);
    assert_int_equal(fx->u.enabler.msk_id >> 28, MCX_MUSIK);
    assert_int_equal(fx->u.enabler.csb_id, fx->u.enabler.msk_id);
    assert_int_equal(fx->u.enabler.cs_id, 7);
    o->air_id = fx->u.enabler.msk_id;
    memcpy(o->air_key, poc_secret_bytes(fx->u.enabler.msk), sizeof(o->air_key));
    memcpy(o->air_rand, fx->u.enabler.rand, sizeof(o->air_rand));
    const bool is_start = fx->type == POCPF_DO_ENABLER_START;
    say(o, is_start ? "START " : "UPDATE ");
    if (is_start)
        assert_int_equal(pocpf_enabler_changed(o->pf, o->now_ms, fx->channel, POCPF_ENABLER_STARTED), POCPF_OK);
}

static void do_stop(office *o, const pocpf_effect *fx)
{
    o->air_id = 0;
    say(o, "STOP ");
    assert_int_equal(pocpf_enabler_changed(o->pf, o->now_ms, fx->channel, POCPF_ENABLER_STOPPED), POCPF_OK);
}

void office_run(office *o)
{
    for (pocpf_effect fx; pocpf_poll(o->pf, &fx);) {
        if (fx.type == POCPF_DO_PERSIST)
            do_persist(o, &fx);
        else if (fx.type == POCPF_DO_CSK_BOUND)
            say(o, "%s:%08x ", fx.u.bound.ok ? "BOUND" : "LOST", fx.u.bound.csk_id);
        else if (fx.type == POCPF_DO_DOWNLOAD)
            do_download(o, &fx);
        else if (fx.type == POCPF_DO_ENABLER_START || fx.type == POCPF_DO_ENABLER_UPDATE)
            do_enabler(o, &fx);
        else if (fx.type == POCPF_DO_ENABLER_STOP)
            do_stop(o, &fx);
        else if (fx.type == POCPF_DO_GATE)
            say(o, fx.u.gate.hold ? "HOLD " : "GO ");
        else if (fx.type == POCPF_DO_SERVE)
            say(o, "%s:%.3s ", fx.u.serve.multicast ? "MULTICAST" : "UNICAST", fx.user + 4);
        else if (fx.type == POCPF_DO_AUDIT && fx.u.audit.what == POCPF_AUDIT_KEY_REVOKED)
            o->told = fx.u.audit.count, o->to_tell = fx.u.audit.total;
        else if (fx.type == POCPF_DO_AUDIT && o->channel == NULL)
            say(o, "%s ", pocpf_audit_name(fx.u.audit.what));
        else if (fx.type != POCPF_DO_AUDIT)
            fail_msg("unexpected effect %d", fx.type);
    }
}

void office_expect(office *o, const char *text)
{
    assert_string_equal(o->text, text);
    o->text[0] = '\0';
}

/* ---- clients ---- */

/* What is sealed now, of `person`; the rest of `params` is the caller's. */
static size_t seal(office *o, const mcx_person *person, mcx_seal_params params, uint8_t out[MIKEY_MESSAGE_MAX])
{
    const uint64_t ntp_s = (uint64_t)o->now_ms / 1000 + MCX_NTP_MINUS_UNIX;
    params.sender = &person->identity;
    params.ntp = ntp_s << 32 | (test_rng_next(&o->chance) & 0xff);
    params.ntp_s = ntp_s;
    params.cs_id = o->service == MCX_MCPTT ? 6 : 8;
    mcx_seal_job job = {
        .uri = poc_span_str(MDSI), .kms = &o->town->certificate, .out = out, .cap = MIKEY_MESSAGE_MAX
    };
    poc_secret *key;
    assert_int_equal(o->rng.fill(o->rng.ctx, params.rand, sizeof(params.rand)), POC_OK);
    assert_int_equal(poc_secret_random(&key, 16, &o->rng), POC_OK);
    assert_int_equal(mcx_i_message_seal(&params, key, &o->rng, &job, 1), POC_OK);
    poc_secret_free(key);
    return job.len;
}

size_t office_seal(office *o, const mcx_person *person, uint32_t id, const mcx_algorithm *algorithms, size_t n,
                   uint8_t out[MIKEY_MESSAGE_MAX])
{
    const mcx_seal_params params = { .key_id = id, .algorithms = algorithms, .algorithm_count = n };
    return seal(o, person, params, out);
}

pocpf_err office_upload(office *o, const char *impu, const char *mc_id, const uint8_t *octets, size_t len,
                        const char **why)
{
    const pocpf_csk_upload upload = {
        .size = sizeof(upload), .impu = impu, .mc_id = mc_id, .service = o->service, .i_message = octets, .len = len
    };
    pocpf_csk_result result = { .size = sizeof(result) };
    const pocpf_err err = pocpf_csk_uploaded(o->pf, o->now_ms, &upload, &result);
    assert_int_equal(err == POCPF_OK, result.why == NULL);
    if (why != NULL)
        *why = result.why;
    return err;
}

pocpf_err office_bring(office *o, const mcx_person *person, const char *impu, uint32_t id)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    o->now_ms += 1000;
    const size_t n = office_seal(o, person, id, NULL, 0, octets);
    return office_upload(o, impu, person->uri, octets, n, NULL);
}

pocpf_err office_bring_timed(office *o, uint32_t id, uint64_t activation_s, uint64_t expiry_s)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    const mcx_key_parameters times = { .type = MCX_CSK, .activation_s = activation_s, .expiry_s = expiry_s };
    const mcx_seal_params params = { .key_id = id, .parameters = &times };
    const size_t n = seal(o, &o->town->alice, params, octets);
    return office_upload(o, ALICE_IMPU, ALICE_ID, octets, n, NULL);
}

poc_err office_open(office *o, const mcx_person *person, mcx_opened *out)
{
    return office_read(o, person, &o->download, out);
}

poc_err office_read(office *o, const mcx_person *person, const office_download *d, mcx_opened *out)
{
    mikey_msg msg;
    const mcx_expected expected = { .now_ntp_s = (uint64_t)o->now_ms / 1000 + MCX_NTP_MINUS_UNIX,
                                    .skew_s = 300,
                                    .own = &person->identity,
                                    .own_count = 1,
                                    .certificates = &o->town->certificate,
                                    .certificate_count = 1,
                                    .sender = poc_span_str(MDSI),
                                    .types = MCX_TYPE_BIT(MCX_CSK) | MCX_TYPE_BIT(MCX_MUSIK),
                                    .accepts_revoked = d == &o->revocation,
                                    .verifier = o->verifier };
    *out = (mcx_opened){ .key = NULL };
    const poc_err err = mcx_i_message_read(&msg, poc_span_of(d->octets, d->len), NULL);
    return err == POC_OK ? mcx_i_message_open(out, &msg, &expected, NULL) : err;
}
