/* pocbench sakke: what MIKEY-SAKKE's arithmetic costs, portable and in lanes, beside OpenSSL's P-256 and its 1024-bit
 * Montgomery product, measured in the same run. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcx/sakke.h"
#include "tests/bench/bench.h"

enum { BATCH = 64, PRODUCTS = 2000, SIGNATURES = 64 };

static const uint8_t message[400] = { 1 };
static const char identity[] = "0123456789abcdef0123456789abcdef";

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "pocbench: %s failed\n", what);
    exit(EXIT_FAILURE);
}

static poc_span id(void)
{
    return poc_span_of(identity, sizeof(identity) - 1);
}

/* ---- yardsticks ---- */

typedef struct montgomery {
    BN_CTX *ctx;
    BN_MONT_CTX *mont;
    BIGNUM *p, *a, *b;
} montgomery;

static size_t montgomery_turn(void *ctx)
{
    montgomery *m = ctx;
    for (size_t i = 0; i < PRODUCTS; i++)
        need(BN_mod_mul_montgomery(m->a, m->a, m->b, m->mont, m->ctx) == 1, "BN_mod_mul_montgomery");
    return PRODUCTS;
}

static bench_figure measure_montgomery(const bench *b)
{
    uint8_t octets[FP_LEN];
    montgomery m = { .ctx = BN_CTX_new(), .mont = BN_MONT_CTX_new(), .a = BN_new(), .b = BN_new() };
    fp_write(octets, &sakke_p.m);
    m.p = BN_bin2bn(octets, sizeof(octets), NULL);
    need(m.p != NULL && BN_MONT_CTX_set(m.mont, m.p, m.ctx) == 1 && BN_rand_range(m.a, m.p) == 1 &&
             BN_rand_range(m.b, m.p) == 1,
         "BN");
    const bench_figure figure = bench_measure(b, "openssl montgomery product, 1024 bits", montgomery_turn, &m);
    BN_free(m.p);
    BN_free(m.a);
    BN_free(m.b);
    BN_MONT_CTX_free(m.mont);
    BN_CTX_free(m.ctx);
    return figure;
}

typedef struct ecdsa {
    EVP_PKEY *key;
    EVP_PKEY_CTX *sign, *verify;
    uint8_t signature[80];
    size_t len;
} ecdsa;

static const uint8_t digest[32] = { 7 };

static size_t ecdsa_sign_turn(void *ctx)
{
    ecdsa *e = ctx;
    for (size_t i = 0; i < SIGNATURES; i++) {
        e->len = sizeof(e->signature);
        need(EVP_PKEY_sign(e->sign, e->signature, &e->len, digest, sizeof(digest)) == 1, "EVP_PKEY_sign");
    }
    return SIGNATURES;
}

static size_t ecdsa_verify_turn(void *ctx)
{
    ecdsa *e = ctx;
    for (size_t i = 0; i < SIGNATURES; i++)
        need(EVP_PKEY_verify(e->verify, e->signature, e->len, digest, sizeof(digest)) == 1, "EVP_PKEY_verify");
    return SIGNATURES;
}

static void measure_ecdsa(const bench *b, bench_figure *sign, bench_figure *verify)
{
    ecdsa e = { .key = EVP_EC_gen("P-256") };
    need(e.key != NULL, "EVP_EC_gen");
    e.sign = EVP_PKEY_CTX_new(e.key, NULL);
    e.verify = EVP_PKEY_CTX_new(e.key, NULL);
    need(EVP_PKEY_sign_init(e.sign) == 1 && EVP_PKEY_verify_init(e.verify) == 1, "EVP_PKEY");
    *sign = bench_measure(b, "openssl p-256 sign", ecdsa_sign_turn, &e);
    *verify = bench_measure(b, "openssl p-256 verify", ecdsa_verify_turn, &e);
    EVP_PKEY_CTX_free(e.sign);
    EVP_PKEY_CTX_free(e.verify);
    EVP_PKEY_free(e.key);
}

/* ---- what all of ours need: a KMS and the keys of one user ---- */

typedef struct world {
    poc_secret *z, *ksak, *ssv;
    mcx_kms *kms;
    mcx_user_keys keys;
} world;

static void world_init(world *w)
{
    need(mcx_kms_secrets(&w->z, &w->ksak, &poc_rng_system) == POC_OK, "secrets");
    need(mcx_kms_new(&w->kms, w->z, w->ksak) == POC_OK, "KMS");
    need(mcx_kms_issue(&w->keys, w->kms, id(), &poc_rng_system) == POC_OK, "keys");
    need(poc_secret_random(&w->ssv, 16, &poc_rng_system) == POC_OK, "random");
}

static void world_done(world *w)
{
    mcx_user_keys_done(&w->keys);
    mcx_kms_free(w->kms);
    poc_secret_free(w->z);
    poc_secret_free(w->ksak);
    poc_secret_free(w->ssv);
}

/* ---- SAKKE ---- */

typedef struct sakke {
    const world *world;
    mcx_sakke *kms;
    mcx_receiver *receiver;
    size_t batch;
    uint8_t sed[BATCH][MCX_SED_MAX];
    size_t len;
} sakke;

static size_t seal_turn(void *ctx)
{
    sakke *s = ctx;
    mcx_sakke_job jobs[BATCH];
    for (size_t i = 0; i < s->batch; i++)
        jobs[i] = (mcx_sakke_job){ .id = id(), .sed = s->sed[i], .cap = MCX_SED_MAX };
    need(mcx_sakke_encapsulate(s->kms, s->world->ssv, jobs, s->batch) == POC_OK, "encapsulate");
    s->len = jobs[0].len;
    return s->batch;
}

static size_t open_turn(void *ctx)
{
    sakke *s = ctx;
    mcx_open_job jobs[BATCH];
    for (size_t i = 0; i < s->batch; i++)
        jobs[i] = (mcx_open_job){ .sed = poc_span_of(s->sed[i], s->len) };
    need(mcx_receiver_open(s->receiver, jobs, s->batch) == POC_OK, "open");
    for (size_t i = 0; i < s->batch; i++) {
        need(jobs[i].err == POC_OK, "open");
        poc_secret_free(jobs[i].ssv);
    }
    return s->batch;
}

/* Field products of one message without inversion and hashes, if OpenSSL did them: two sums over 147 rows at 7 each and a
 * power at 2 each; a Miller loop of 1,021 steps at 6 (340 of them at 7) and the test, one sum. */
enum { SEAL_PRODUCTS = SAKKE_ROWS * (2 * 7 + 2), OPEN_PRODUCTS = 1021 * 6 + 340 + SAKKE_ROWS * 7 };

static bench_figure in_products(const bench_figure *product, const char *name, double products)
{
    return (bench_figure){ name, product->per_s / products, product->n };
}

typedef struct sakke_names {
    const char *seal, *open, *seal_one, *open_one, *prepare;
} sakke_names;

static size_t prepare_turn(void *ctx)
{
    sakke *s = ctx;
    mcx_sakke *kms;
    need(mcx_sakke_new_with(&kms, s->kms->common->kernel, mcx_kms_z(s->world->kms).p) == POC_OK, "tables");
    mcx_sakke_free(kms);
    return 1;
}

static bool report_sakke(const bench *b, const world *w, const sakke_kernel *kernel, const sakke_names *names,
                         const bench_figure *product)
{
    static sakke s;
    s = (sakke){ .world = w, .batch = BATCH };
    need(mcx_sakke_new_with(&s.kms, kernel, mcx_kms_z(w->kms).p) == POC_OK, "tables");
    need(mcx_receiver_new(&s.receiver, id(), s.kms, w->keys.rsk) == POC_OK, "receiver");
    const bench_figure seal = bench_measure(b, names->seal, seal_turn, &s);
    const bench_figure open = bench_measure(b, names->open, open_turn, &s);
    s.batch = 1;
    const bench_figure seal_one = bench_measure(b, names->seal_one, seal_turn, &s);
    const bench_figure open_one = bench_measure(b, names->open_one, open_turn, &s);
    const bench_figure prepare = bench_measure(b, names->prepare, prepare_turn, &s);
    mcx_receiver_free(s.receiver);
    mcx_sakke_free(s.kms);
    const bench_figure sealed = in_products(product, "its products in openssl", SEAL_PRODUCTS),
                       opened = in_products(product, "its products in openssl", OPEN_PRODUCTS);
    return bench_print(b, &seal, "messages/s/core", &sealed) && bench_print(b, &open, "messages/s/core", &opened) &&
           bench_print(b, &seal_one, "messages/s/core", &sealed) &&
           bench_print(b, &open_one, "messages/s/core", &opened) && bench_print(b, &prepare, "keys/s/core", NULL);
}

/* ---- ECCSI ---- */

typedef struct eccsi {
    const world *world;
    mcx_signer *signer;
    mcx_verifier *verifier;
    uint8_t signature[MCX_SIGNATURE_LEN];
} eccsi;

static size_t sign_turn(void *ctx)
{
    eccsi *e = ctx;
    for (size_t i = 0; i < SIGNATURES; i++)
        need(mcx_sign(e->signature, e->signer, poc_span_of(message, sizeof(message)), &poc_rng_system) == POC_OK,
             "sign");
    return SIGNATURES;
}

static size_t verify_turn(void *ctx)
{
    eccsi *e = ctx;
    for (size_t i = 0; i < SIGNATURES; i++)
        need(mcx_verify(e->verifier, mcx_kms_kpak(e->world->kms).p, id(), poc_span_of(message, sizeof(message)),
                        poc_span_of(e->signature, sizeof(e->signature))) == POC_OK,
             "verify");
    return SIGNATURES;
}

static bench_figure measure_verify(const bench *b, eccsi *e, const char *name, size_t cached)
{
    need(mcx_verifier_new(&e->verifier, cached) == POC_OK, "verifier");
    const bench_figure figure = bench_measure(b, name, verify_turn, e);
    mcx_verifier_free(e->verifier);
    return figure;
}

static bool report_eccsi(const bench *b, const world *w)
{
    bench_figure ecdsa_sign, ecdsa_verify;
    eccsi e = { .world = w };
    measure_ecdsa(b, &ecdsa_sign, &ecdsa_verify);
    need(mcx_signer_new(&e.signer, mcx_kms_kpak(w->kms).p, id(), w->keys.ssk, w->keys.pvt) == POC_OK, "signer");
    const bench_figure sign = bench_measure(b, "eccsi sign", sign_turn, &e);
    const bench_figure known = measure_verify(b, &e, "eccsi verify, known sender", 16);
    const bench_figure unknown = measure_verify(b, &e, "eccsi verify, unknown sender", 0);
    mcx_signer_free(e.signer);
    return bench_print(b, &ecdsa_sign, "signatures/s/core", NULL) &&
           bench_print(b, &ecdsa_verify, "signatures/s/core", NULL) &&
           bench_print(b, &sign, "signatures/s/core", &ecdsa_sign) &&
           bench_print(b, &known, "signatures/s/core", &ecdsa_verify) &&
           bench_print(b, &unknown, "signatures/s/core", &ecdsa_verify);
}

/* ---- a MuSiK download to all members, from the key to the octets ---- */

enum { DOWNLOAD_MAX = 1024, URI_MAX = 48 };

typedef struct download {
    mcx_certificate certificate;
    mcx_identity server;
    mcx_seal_params params;
    mcx_key_parameters parameters;
    const poc_secret *key;
    size_t members;
    mcx_seal_job *jobs;
    char (*uris)[URI_MAX];
    uint8_t (*out)[DOWNLOAD_MAX];
} download;

static size_t download_turn(void *ctx)
{
    download *d = ctx;
    need(mcx_i_message_seal(&d->params, d->key, &poc_rng_system, d->jobs, d->members) == POC_OK, "sealing a download");
    return d->members;
}

/* The server is an identity of the same KMS, in the period of the message. */
static void download_server(download *d, const world *w, const mcx_sakke *kms, mcx_user_keys *keys, mcx_signer **signer)
{
    enum { PERIOD_S = 2592000 };
    d->certificate = (mcx_certificate){
        .kms_uri = poc_span_str("kms.example.org"), .period_s = PERIOD_S, .sakke = kms, .kpak = mcx_kms_kpak(w->kms).p
    };
    d->params.ntp_s = UINT64_C(3981312000);
    d->server = (mcx_identity){ .uri = poc_span_str("mcx.example.org"),
                                .kms = &d->certificate,
                                .period_number = mcx_period_number(d->params.ntp_s, PERIOD_S, 0) };
    need(mcx_identity_init(&d->server) == POC_OK, "identity");
    const poc_span uid = poc_span_of(d->server.uid, MCX_UID_LEN);
    need(mcx_kms_issue(keys, w->kms, uid, &poc_rng_system) == POC_OK, "keys");
    need(mcx_signer_new(signer, d->certificate.kpak, uid, keys->ssk, keys->pvt) == POC_OK, "signer");
    d->server.signer = *signer;
}

static void download_jobs(download *d, size_t members)
{
    d->members = members;
    d->jobs = calloc(members, sizeof(*d->jobs));
    d->uris = calloc(members, sizeof(*d->uris));
    d->out = calloc(members, sizeof(*d->out));
    need(d->jobs != NULL && d->uris != NULL && d->out != NULL, "memory");
    for (size_t i = 0; i < members; i++) {
        (void)snprintf(d->uris[i], URI_MAX, "sip:user%zu@mcptt.example.org", i);
        d->jobs[i] = (mcx_seal_job){
            .uri = poc_span_str(d->uris[i]), .kms = &d->certificate, .out = d->out[i], .cap = DOWNLOAD_MAX
        };
    }
}

static bool report_download(const bench *b, const world *w)
{
    download d = { .parameters = { .type = MCX_MUSIK }, .key = w->ssv };
    mcx_user_keys keys;
    mcx_signer *signer;
    mcx_sakke *kms;
    need(mcx_sakke_new(&kms, mcx_kms_z(w->kms).p) == POC_OK, "tables");
    d.params.sender = &d.server;
    d.params.parameters = &d.parameters;
    download_server(&d, w, kms, &keys, &signer);
    d.params.ntp = d.params.ntp_s << 32;
    need(mcx_cs_id_of(&d.params.cs_id, MCX_MUSIK, MCX_MCPTT) == POC_OK &&
             mcx_key_id_random(&d.params.key_id, MCX_MUSIK, &poc_rng_system) == POC_OK,
         "a key id");
    download_jobs(&d, b->members);
    const bench_figure figure = bench_measure(b, "musik download, sealed and signed", download_turn, &d);
    free(d.jobs);
    free(d.uris);
    free(d.out);
    mcx_signer_free(signer);
    mcx_user_keys_done(&keys);
    mcx_sakke_free(kms);
    return bench_print(b, &figure, "messages/s/core", NULL);
}

int bench_sakke(const bench *b)
{
    static const sakke_names portable = { "sakke encapsulate, portable", "sakke decapsulate, portable",
                                          "sakke encapsulate one, portable", "sakke decapsulate one, portable",
                                          "sakke tables of a KMS, portable" };
    static const sakke_names ifma = { "sakke encapsulate, avx-512 ifma", "sakke decapsulate, avx-512 ifma",
                                      "sakke encapsulate one, avx-512 ifma", "sakke decapsulate one, avx-512 ifma",
                                      "sakke tables of a KMS, avx-512 ifma" };
    const bench_figure product = measure_montgomery(b);
    world w;
    world_init(&w);
    bool good = bench_print(b, &product, "products/s/core", NULL) &&
                report_sakke(b, &w, &sakke_kernel_portable, &portable, &product);
    if (sakke_kernel_ifma() != NULL)
        good = good && report_sakke(b, &w, sakke_kernel_ifma(), &ifma, &product);
    else
        bench_absent(b, ifma.seal, "the processor has no AVX-512 IFMA");
    good = good && report_eccsi(b, &w) && report_download(b, &w);
    world_done(&w);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
