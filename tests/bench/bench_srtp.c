/* pocbench srtp: what protecting a voice packet costs, beside libsrtp alone and beside the bare arithmetic in OpenSSL; and
 * what a change of the MTK costs at the moment of the change. */
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bcast/bcast.h"
#include "tests/bench/bench.h"

enum { PAYLOAD = 160, HEADER = 12, PACKET = HEADER + PAYLOAD, ROOM = PACKET + SRTP_MAX_TRAILER_LEN };
enum { CHANNELS = 1024, BATCH = 4096, SWITCHES = 301 };

/* Whatever fails here fails on a healthy machine never: there is nothing to measure then. */
static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "pocbench: %s failed\n", what);
    exit(EXIT_FAILURE);
}

/* ---- a packet whose sequence goes on ---- */

static void put_packet(uint8_t *buf, uint16_t seq)
{
    bcast_rtp rtp = { .payload_type = 98, .seq = seq, .timestamp = 160u * seq, .ssrc = 0x11223344 };
    static const uint8_t voice[PAYLOAD];
    rtp.payload = poc_span_of(voice, sizeof(voice));
    poc_wr wr = poc_wr_into(buf, PACKET);
    bcast_rtp_put(&wr, &rtp);
}

static void set_seq(uint8_t *packet, uint16_t seq)
{
    packet[2] = (uint8_t)(seq >> 8);
    packet[3] = (uint8_t)seq;
}

/* ---- libsrtp alone ---- */

typedef struct peer {
    srtp_t *sessions;
    size_t count;
    uint16_t seq;
    uint8_t packet[PACKET];
} peer;

static void peer_init(peer *p, size_t count)
{
    uint8_t key[SRTP_AES_ICM_128_KEY_LEN_WSALT] = { 7 };
    srtp_policy_t policy = { 0 };
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    policy.ssrc.type = ssrc_any_outbound;
    policy.key = key;
    policy.window_size = 128;
    *p = (peer){ .count = count };
    put_packet(p->packet, 0);
    p->sessions = calloc(count, sizeof(*p->sessions));
    need(p->sessions != NULL, "memory");
    for (size_t i = 0; i < count; i++)
        need(srtp_create(&p->sessions[i], &policy) == srtp_err_status_ok, "srtp_create");
}

static void peer_done(peer *p)
{
    for (size_t i = 0; i < p->count; i++)
        srtp_dealloc(p->sessions[i]);
    free(p->sessions);
}

/* One packet on every session in turn; the copy is needed, as libsrtp works in place. */
static size_t peer_turn(void *ctx)
{
    peer *p = ctx;
    _Alignas(uint32_t) uint8_t buf[ROOM];
    for (size_t i = 0; i < BATCH; i++) {
        int n = PACKET;
        if (i % p->count == 0)
            set_seq(p->packet, ++p->seq);
        memcpy(buf, p->packet, PACKET);
        need(srtp_protect(p->sessions[i % p->count], buf, &n) == srtp_err_status_ok, "srtp_protect");
    }
    return BATCH;
}

/* ---- the protector ---- */

typedef struct ours {
    bcast_protector **protectors;
    size_t count;
    uint16_t seq;
    uint64_t sent;
    uint8_t packet[PACKET];
} ours;

static void swallow(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n)
{
    ours *o = ctx;
    (void)datagram, (void)n;
    o->sent += flow == BCAST_FLOW_RTP;
}

static bcast_msk test_msk(uint16_t number)
{
    bcast_msk msk = { .id = poc_msk_id_of(0x1001, number), .seq_high = UINT16_MAX, .rand_len = 16 };
    need(poc_secret_random(&msk.key, POC_MSK_LEN, &poc_rng_system) == POC_OK, "secret");
    return msk;
}

static void ours_init(ours *o, size_t count)
{
    *o = (ours){ .count = count };
    put_packet(o->packet, 0);
    o->protectors = calloc(count, sizeof(*o->protectors));
    need(o->protectors != NULL, "memory");
    for (size_t i = 0; i < count; i++) {
        bcast_msk msk = test_msk(1);
        need(bcast_protector_new(&o->protectors[i], &bcast_protector_defaults, (bcast_carrier){ swallow, o },
                                 &poc_rng_system) == POC_OK,
             "protector");
        need(bcast_protector_set_msk(o->protectors[i], 0, &msk) == POC_OK, "set_msk");
        poc_secret_free(msk.key);
    }
}

static void ours_done(ours *o)
{
    for (size_t i = 0; i < o->count; i++)
        bcast_protector_free(o->protectors[i]);
    free(o->protectors);
}

static void ours_send(ours *o, size_t packets)
{
    poc_span packet = poc_span_of(o->packet, PACKET);
    for (size_t i = 0; i < packets; i++) {
        if (i % o->count == 0)
            set_seq(o->packet, ++o->seq);
        need(bcast_protector_send(o->protectors[i % o->count], 0, BCAST_FLOW_RTP, packet) == POC_OK, "send");
    }
}

static size_t ours_turn(void *ctx)
{
    ours_send(ctx, BATCH);
    return BATCH;
}

/* ---- the floor: the same arithmetic without a library around it ---- */

typedef struct arithmetic {
    EVP_CIPHER_CTX *cipher;
    EVP_MAC *mac;
    EVP_MAC_CTX *hmac;
    uint16_t seq;
    uint8_t packet[PACKET];
} arithmetic;

static void arithmetic_init(arithmetic *a)
{
    static const uint8_t key[20] = { 7 };
    char digest[] = "SHA1";
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end() };
    *a = (arithmetic){ 0 };
    put_packet(a->packet, 0);
    a->cipher = EVP_CIPHER_CTX_new();
    a->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    a->hmac = EVP_MAC_CTX_new(a->mac);
    need(EVP_EncryptInit_ex2(a->cipher, EVP_aes_128_ctr(), key, key, NULL) == 1, "AES");
    need(EVP_MAC_init(a->hmac, key, sizeof(key), params) == 1, "HMAC");
}

static void arithmetic_done(arithmetic *a)
{
    EVP_CIPHER_CTX_free(a->cipher);
    EVP_MAC_CTX_free(a->hmac);
    EVP_MAC_free(a->mac);
}

static size_t arithmetic_turn(void *ctx)
{
    arithmetic *a = ctx;
    uint8_t buf[ROOM], iv[16] = { 0 }, tag[20];
    static const uint8_t roc[4];
    size_t tag_len;
    int n;
    for (size_t i = 0; i < BATCH; i++) {
        set_seq(a->packet, ++a->seq);
        memcpy(buf, a->packet, HEADER);
        memcpy(iv + 12, a->packet + 2, 2);
        bool ok = EVP_EncryptInit_ex2(a->cipher, NULL, NULL, iv, NULL) == 1 &&
                  EVP_EncryptUpdate(a->cipher, buf + HEADER, &n, a->packet + HEADER, PAYLOAD) == 1 &&
                  EVP_MAC_init(a->hmac, NULL, 0, NULL) == 1 && EVP_MAC_update(a->hmac, buf, PACKET) == 1 &&
                  EVP_MAC_update(a->hmac, roc, sizeof(roc)) == 1 &&
                  EVP_MAC_final(a->hmac, tag, &tag_len, sizeof(tag)) == 1;
        need(ok, "arithmetic");
        memcpy(buf + PACKET, tag, 10);
    }
    return BATCH;
}

/* ---- the switch ---- */

typedef struct switches {
    double prepared_ns[SWITCHES], at_once_ns[SWITCHES], msk_ns[SWITCHES];
} switches;

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_roll(bcast_protector *p)
{
    double start_ns = now_ns();
    need(bcast_protector_roll_mtk(p, 0, true) == POC_OK, "a new MTK");
    return now_ns() - start_ns;
}

static double time_msk(bcast_protector *p, uint16_t number)
{
    bcast_msk msk = test_msk(number);
    double start_ns = now_ns();
    need(bcast_protector_set_msk(p, 0, &msk) == POC_OK, "a new MSK");
    double spent_ns = now_ns() - start_ns;
    poc_secret_free(msk.key);
    return spent_ns;
}

/* Each with packets in between, so that the context going away has been at work. */
static void switch_all(switches *s)
{
    ours o;
    ours_init(&o, 1);
    for (size_t i = 0; i < SWITCHES; i++) {
        bcast_protector *p = o.protectors[0];
        ours_send(&o, 16);
        need(bcast_protector_roll_mtk(p, 0, false) == POC_OK, "a planned MTK");
        s->prepared_ns[i] = time_roll(p);
        ours_send(&o, 16);
        s->at_once_ns[i] = time_roll(p);
        ours_send(&o, 16);
        s->msk_ns[i] = time_msk(p, (uint16_t)(2 + i));
    }
    ours_done(&o);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ns(double *values_ns, size_t n)
{
    qsort(values_ns, n, sizeof(*values_ns), by_value);
    return values_ns[n / 2];
}

static bench_figure median(const char *name, double *values_ns)
{
    return (bench_figure){ name, 1e9 / median_ns(values_ns, SWITCHES), SWITCHES };
}

/* ---- the report ---- */

static const char unit[] = "packets/s/core";

/* Debian builds libsrtp2 on NSS, which makes the distance to the floor: a figure without its back-end says little. */
static const char *back_end(void)
{
    return dlsym(RTLD_DEFAULT, "NSS_InitContext") != NULL ? "NSS" : "not NSS";
}

static bench_figure measure_peer(const bench *b, const char *name, size_t count)
{
    peer p;
    peer_init(&p, count);
    bench_figure figure = bench_measure(b, name, peer_turn, &p);
    peer_done(&p);
    return figure;
}

/* Batch by batch in turn: both see the same weather, so that their ratio can be trusted to a few per cent. */
static void measure_both(const bench *b, bench_figure *peers, bench_figure *own)
{
    enum { BATCHES_MAX = 4096 };
    static double peer_ns[BATCHES_MAX], own_ns[BATCHES_MAX];
    peer p;
    ours o;
    size_t n = 0;
    peer_init(&p, 1);
    ours_init(&o, 1);
    for (double spent_ns = 0; n < BATCHES_MAX && (n < 9 || spent_ns < 2e9 * b->seconds); n++) {
        double start_ns = now_ns();
        peer_turn(&p);
        double middle_ns = now_ns();
        ours_turn(&o);
        peer_ns[n] = (middle_ns - start_ns) / BATCH;
        own_ns[n] = (now_ns() - middle_ns) / BATCH;
        spent_ns += (peer_ns[n] + own_ns[n]) * BATCH;
    }
    peer_done(&p);
    ours_done(&o);
    peers->per_s = 1e9 / median_ns(peer_ns, n);
    own->per_s = 1e9 / median_ns(own_ns, n);
    peers->n = own->n = n * BATCH;
}

static bench_figure measure_ours(const bench *b, const char *name, size_t count)
{
    ours o;
    ours_init(&o, count);
    bench_figure figure = bench_measure(b, name, ours_turn, &o);
    ours_done(&o);
    return figure;
}

static bool report_packets(const bench *b, const bench_figure *floor)
{
    char alone[80], in_turn[80];
    snprintf(alone, sizeof(alone), "%s (%s) alone", srtp_get_version_string(), back_end());
    snprintf(in_turn, sizeof(in_turn), "the same, %d sessions in turn", CHANNELS);
    bench_figure peer_one = { .name = alone }, ours_one = { .name = "protector" };
    measure_both(b, &peer_one, &ours_one);
    const bench_figure peer_many = measure_peer(b, in_turn, CHANNELS);
    const bench_figure ours_many = measure_ours(b, "protector, 1024 channels in turn", CHANNELS);
    return bench_print(b, &peer_one, unit, floor) && bench_print(b, &ours_one, unit, &peer_one) &&
           bench_print(b, &peer_many, unit, NULL) && bench_print(b, &ours_many, unit, &peer_many);
}

static bool report_switches(const bench *b)
{
    static switches s;
    switch_all(&s);
    const bench_figure at_once = median("MTK change, unprepared", s.at_once_ns);
    const bench_figure prepared = median("MTK change, prepared", s.prepared_ns);
    const bench_figure msk = median("MSK change with its MTK", s.msk_ns);
    return bench_print(b, &at_once, "changes/s/core", NULL) && bench_print(b, &prepared, "changes/s/core", &at_once) &&
           bench_print(b, &msk, "changes/s/core", &at_once);
}

int bench_srtp(const bench *b)
{
    arithmetic a;
    (void)srtp_init(); /* the protector's room does it as well: whoever is second is told so, and no harm is done */
    arithmetic_init(&a);
    const bench_figure floor = bench_measure(b, "evp aes-ctr and hmac-sha1", arithmetic_turn, &a);
    arithmetic_done(&a);
    bool good = bench_print(b, &floor, unit, NULL) && report_packets(b, &floor) && report_switches(b);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
