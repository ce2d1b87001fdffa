/* What must hold for every message, not only for those of the vectors. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "tests/support/rng.h"
#include "tests/unit/mikey/allocations.h"
#include "tests/unit/mikey/fixture.h"

static poc_err open_octets(poc_span octets, const poc_secret *muk, mikey_msk *opened)
{
    mikey_msg msg;
    *opened = (mikey_msk){ .msk = NULL };
    POC_TRY(mikey_decode(&msg, octets, NULL));
    return mikey_msk_open(opened, &msg, muk, NULL);
}

/* POC-4 */
static void every_flipped_bit_of_an_msk_message_is_refused(void **state)
{
    static const char *const ids[] = { "msk-stream", "msk-empty-map", "msk-sdp", "solicited-pull" };
    for (size_t k = 0; k < POC_COUNT(ids); k++) {
        msk_vector v;
        msk_vector_init(&v, *state, ids[k]);
        for (size_t bit = 0; bit < v.message.n * 8; bit++) {
            mikey_msk opened;
            v.message.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(open_octets(vec_span(&v.message), v.muk, &opened), POC_OK);
            assert_null(opened.msk);
            v.message.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        msk_vector_done(&v);
    }
}

static void truncation_at_every_length_is_malformed(void **state)
{
    const json_t *list = json_object_get(*state, "mikey_messages");
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        const vec_bytes octets = vec_hex(entry, "message");
        for (size_t n = 0; n < octets.n; n++) {
            uint8_t *exact = malloc(n + 1); /* so that reading past the end is seen */
            mikey_msg msg;
            poc_fault fault;
            memcpy(exact + 1, octets.b, n);
            assert_int_equal(mikey_decode(&msg, poc_span_of(exact + 1, n), &fault), POC_E_INPUT);
            assert_non_null(fault.reason);
            assert_true(fault.offset <= n);
            free(exact);
        }
    }
}

/* POC-4: what a client answers with 488 to; the message is for another key than its own. */
static void wrong_muk_is_an_authentication_failure_without_output(void **state)
{
    msk_vector v, other;
    mikey_msk opened;
    size_t live;
    msk_vector_init(&v, *state, "msk-empty-map");
    msk_vector_init(&other, *state, "msk-empty-map-gba-u");
    live = poc_secret_live_count();
    assert_int_equal(open_octets(vec_span(&v.message), other.muk, &opened), POC_E_AUTH);
    assert_null(opened.msk);
    assert_int_equal(opened.msk_id, 0);
    assert_int_equal(opened.counter, 0);
    assert_int_equal(poc_secret_live_count(), live);
    msk_vector_done(&v);
    msk_vector_done(&other);
}

static poc_secret *secret_random(test_rng *r, size_t n)
{
    poc_rng rng = { test_rng_of(r, test_rng_next(r)).fill, r };
    poc_secret *s;
    assert_int_equal(poc_secret_random(&s, n, &rng), POC_OK);
    return s;
}

static void params_random(mikey_msk_params *p, test_rng *r, const uint8_t *text)
{
    *p = (mikey_msk_params){
        .msk_id = (uint32_t)test_rng_next(r) | 1,
        .csb_id = (uint32_t)test_rng_next(r),
        .seq_low = (uint16_t)test_rng_next(r),
        .seq_high = (uint16_t)test_rng_next(r),
        .wants_verification = test_rng_below(r, 2) != 0,
        .sdp_ids = test_rng_below(r, 2) != 0,
        .key_type = test_rng_below(r, 2) != 0 ? MIKEY_TGK : MIKEY_TEK,
        .idi_type = (uint8_t)test_rng_below(r, 2),
        .idi = poc_span_of(text, test_rng_below(r, 250)),
        .idr_type = MIKEY_ID_NAI,
        .srtp_id_map = test_rng_below(r, 2) != 0,
        .ssrc = (uint32_t)test_rng_next(r),
        .roc = (uint32_t)test_rng_next(r),
    };
    for (size_t i = 0; i < MIKEY_RAND_LEN; i++)
        p->rand[i] = (uint8_t)test_rng_next(r);
    for (size_t i = 0; i < POC_KEY_DOMAIN_LEN; i++)
        p->key_domain.b[i] = (uint8_t)test_rng_next(r);
}

static void assert_msk_comes_back(const mikey_msk_params *p, const poc_secret *msk, const mikey_msk_job *job)
{
    mikey_msg msg;
    mikey_msk opened;
    assert_int_equal(mikey_decode(&msg, poc_span_of(job->out, job->len), NULL), POC_OK);
    assert_int_equal(mikey_msk_open(&opened, &msg, job->muk, NULL), POC_OK);
    assert_true(poc_secret_eq(opened.msk, msk));
    assert_true(poc_key_domain_eq(opened.key_domain, p->key_domain));
    assert_int_equal(opened.msk_id, p->msk_id);
    assert_int_equal(opened.seq_low, p->seq_low);
    assert_int_equal(opened.seq_high, p->seq_high);
    assert_int_equal(opened.key_type, p->key_type);
    assert_int_equal(opened.counter, job->counter);
    assert_int_equal(msg.csb_id, p->csb_id);
    assert_int_equal(msg.wants_verification, p->wants_verification);
    assert_int_equal(msg.idi.type, p->idi_type);
    assert_true(poc_span_eq(msg.idi.data, p->idi));
    assert_true(poc_span_eq(msg.idr.data, job->idr));
    assert_int_equal(msg.cs_count, p->srtp_id_map ? 1 : 0);
    assert_int_equal(msg.cs[0].ssrc, p->srtp_id_map ? p->ssrc : 0);
    assert_int_equal(msg.cs[0].roc, p->srtp_id_map ? p->roc : 0);
    mikey_msk_done(&opened);
}

/* POC-6 */
static void whatever_is_sealed_for_a_member_opens_for_that_member_only(void **state)
{
    enum { MEMBERS = 4, ROUNDS = 40 };
    static const uint8_t text[250] = { 'x', '@', 0, 0xff, 'y' };
    uint8_t out[MEMBERS][MIKEY_MESSAGE_MAX];
    test_rng r = { 488 };
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        mikey_msk_params p;
        mikey_msk_job jobs[MEMBERS];
        poc_secret *muks[MEMBERS], *msk = secret_random(&r, POC_MSK_LEN);
        params_random(&p, &r, text);
        for (size_t i = 0; i < MEMBERS; i++) {
            muks[i] = secret_random(&r, POC_MUK_LEN);
            jobs[i] = (mikey_msk_job){ .muk = muks[i],
                                       .idr = poc_span_of(text, test_rng_below(&r, 160)),
                                       .counter = (uint32_t)test_rng_next(&r),
                                       .out = out[i],
                                       .cap = sizeof(out[i]) };
        }
        assert_int_equal(mikey_msk_seal(&p, msk, jobs, MEMBERS), POC_OK);
        for (size_t i = 0; i < MEMBERS; i++) {
            mikey_msk opened;
            assert_msk_comes_back(&p, msk, &jobs[i]);
            assert_null(memmem(out[i], jobs[i].len, poc_secret_bytes(msk), POC_MSK_LEN));
            assert_int_equal(open_octets(poc_span_of(out[i], jobs[i].len), muks[(i + 1) % MEMBERS], &opened),
                             POC_E_AUTH);
        }
        for (size_t i = 0; i < MEMBERS; i++)
            poc_secret_free(muks[i]);
        poc_secret_free(msk);
    }
}

static void one_member_without_room_does_not_cost_the_others_their_message(void **state)
{
    uint8_t a[MIKEY_MESSAGE_MAX], b[MIKEY_MESSAGE_MAX], c[MIKEY_MESSAGE_MAX];
    msk_vector v;
    msk_vector_init(&v, *state, "msk-empty-map");
    const mikey_msk_job good = {
        .muk = v.muk, .idr = vec_span(&v.idr), .counter = v.counter, .out = a, .cap = sizeof(a)
    };
    mikey_msk_job jobs[3] = { good, good, good };
    jobs[1].out = b;
    jobs[1].cap = v.message.n - 1;
    jobs[2].out = c;
    assert_int_equal(mikey_msk_seal(&v.params, v.msk, jobs, 3), POC_E_LIMIT);
    assert_int_equal(jobs[0].err, POC_OK);
    assert_int_equal(jobs[1].err, POC_E_LIMIT);
    assert_int_equal(jobs[1].len, 0);
    assert_int_equal(jobs[2].err, POC_OK);
    assert_int_equal(jobs[2].len, v.message.n);
    assert_memory_equal(c, v.message.b, v.message.n);
    jobs[0].muk = v.msk; /* 16 octets are no MUK */
    assert_int_equal(mikey_msk_seal(&v.params, v.msk, jobs, 1), POC_E_BUG);
    assert_int_equal(mikey_msk_seal(&v.params, v.muk, jobs, 1), POC_E_BUG); /* nor 32 an MSK */
    assert_int_equal(jobs[0].err, POC_E_BUG);
    msk_vector_done(&v);
}

typedef struct slice {
    const msk_vector *v;
    mikey_msk_job *jobs;
    size_t n;
} slice;

static void *seal_slice(void *at)
{
    const slice *s = at;
    return mikey_msk_seal(&s->v->params, s->v->msk, s->jobs, s->n) == POC_OK ? at : NULL;
}

static void slices_sealed_on_two_threads_equal_those_of_one(void **state)
{
    enum { MEMBERS = 200, ROOM = 256 };
    static uint8_t out[2][MEMBERS][ROOM];
    mikey_msk_job jobs[2][MEMBERS];
    msk_vector v;
    pthread_t other;
    void *done;
    msk_vector_init(&v, *state, "msk-empty-map");
    for (size_t way = 0; way < 2; way++) {
        for (size_t i = 0; i < MEMBERS; i++)
            jobs[way][i] = (mikey_msk_job){
                .muk = v.muk, .idr = vec_span(&v.idr), .counter = (uint32_t)i, .out = out[way][i], .cap = ROOM
            };
    }
    slice whole = { &v, jobs[0], MEMBERS }, low = { &v, jobs[1], MEMBERS / 2 };
    slice high = { &v, jobs[1] + MEMBERS / 2, MEMBERS / 2 };
    assert_non_null(seal_slice(&whole));
    assert_int_equal(pthread_create(&other, NULL, seal_slice, &high), 0);
    assert_non_null(seal_slice(&low));
    assert_int_equal(pthread_join(other, &done), 0);
    assert_non_null(done);
    for (size_t i = 0; i < MEMBERS; i++) {
        assert_int_equal(jobs[1][i].len, jobs[0][i].len);
        assert_memory_equal(out[1][i], out[0][i], jobs[0][i].len);
    }
    msk_vector_done(&v);
}

/* A message that opens, with its key data replaced by `plain` and a MAC that holds. */
static size_t forge(const msk_vector *v, const uint8_t *plain, size_t n, uint8_t *out)
{
    static const uint8_t use[3][4] = { { 0x15, 0x05, 0x33, 0xe1 },
                                       { 0x2d, 0x22, 0xac, 0x75 },
                                       { 0x29, 0xb8, 0x89, 0x16 } };
    uint8_t key[3][20], iv[16] = { 0 };
    for (size_t i = 0; i < 3; i++) {
        uint8_t label[25] = { 0 };
        memcpy(label, use[i], 4);
        label[4] = 0xff;
        memcpy(label + 9, v->params.rand, 16);
        assert_int_equal(mikey_prf(key[i], 20, poc_secret_span(v->muk), poc_span_of(label, sizeof(label))), POC_OK);
    }
    const size_t head = v->message.n - 20 - 1 - 26; /* up to the encrypted octets */
    memcpy(iv, key[2], 14);
    iv[13] ^= (uint8_t)v->counter;
    memcpy(out, v->message.b, head);
    out[head - 2] = (uint8_t)(n >> 8);
    out[head - 1] = (uint8_t)n;
    assert_int_equal(poc_aes128_ctr(out + head, key[0], iv, poc_span_of(plain, n)), POC_OK);
    out[head + n] = 1;
    assert_int_equal(poc_hmac_sha1(out + head + n + 1, poc_span_of(key[1], 20), poc_span_of(out, head + n + 1)),
                     POC_OK);
    return head + n + 1 + 20;
}

#define KEY16 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16

static void authentic_key_data_is_still_parsed_strictly(void **state)
{
    static const struct {
        const char *reason; /* NULL: it is good */
        uint8_t n, octets[64];
    } cases[] = {
        { NULL, 26, { 0, 0x02, 0, 16, KEY16, 2, 0, 0, 2, 0, 100 } },
        { NULL, 26, { 0, 0x22, 0, 16, KEY16, 2, 0, 0, 2, 0, 100 } },
        { "octets left over", 27, { 0, 0x02, 0, 16, KEY16, 2, 0, 0, 2, 0, 100, 0 } },
        { "length exceeds what is left", 0, { 0 } },
        { "not key data in key data", 26, { 1, 0x02, 0, 16, KEY16, 2, 0, 0, 2, 0, 100 } },
        { "key type not supported", 26, { 0, 0x42, 0, 16, KEY16, 2, 0, 0, 2, 0, 100 } },
        { "key validity not supported", 26, { 0, 0x03, 0, 16, KEY16, 2, 0, 0, 2, 0, 100 } },
        { "empty key in key data", 10, { 0, 0x02, 0, 0, 2, 0, 0, 2, 0, 100 } },
        { "empty field in key data", 22, { 0, 0x02, 0, 16, KEY16, 0, 0 } },
        { "MSK without an interval of MTK IDs", 20, { 0, 0x00, 0, 16, KEY16 } },
        { "MSK without an interval of MTK IDs", 22, { 0, 0x01, 0, 16, KEY16, 1, 7 } },
        { "MSK without an interval of MTK IDs", 25, { 0, 0x02, 0, 16, KEY16, 1, 0, 2, 0, 100 } },
        { "MSK with a salt", 29, { 0, 0x12, 0, 16, KEY16, 0, 1, 9, 2, 0, 0, 2, 0, 100 } },
        { "not one key of 16 octets", 25, { 0,  0x02, 0,  15, 1,  2,  3, 4, 5, 6, 7, 8,  9,
                                            10, 11,   12, 13, 14, 15, 2, 0, 0, 2, 0, 100 } },
        { "not one key of 16 octets", 12, { 20, 0x00, 0, 1, 7, 0, 0x00, 0, 3, 7, 7, 7 } },
        { "too many keys", 25, { 20, 0, 0, 1, 7, 20, 0, 0, 1, 7, 20, 0, 0, 1, 7, 20, 0, 0, 1, 7, 0, 0, 0, 1, 7 } },
    };
    msk_vector v;
    msk_vector_init(&v, *state, "msk-empty-map");
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        uint8_t out[512];
        mikey_msg msg;
        mikey_msk opened;
        poc_fault fault = { 0, NULL };
        const size_t n = forge(&v, cases[i].octets, cases[i].n, out);
        assert_int_equal(mikey_decode(&msg, poc_span_of(out, n), NULL), POC_OK);
        assert_int_equal(mikey_msk_open(&opened, &msg, v.muk, &fault), cases[i].reason == NULL ? POC_OK : POC_E_INPUT);
        if (cases[i].reason != NULL) {
            assert_string_equal(fault.reason, cases[i].reason);
            assert_null(opened.msk);
            assert_in_range(fault.offset, v.message.n - 47, n);
        }
        mikey_msk_done(&opened);
    }
    msk_vector_done(&v);
}

static void malformed_messages_are_refused_with_a_reason(void **state)
{
#define HDR(data_type, next) 1, data_type, next, 0, 0, 0, 0, 0, 0, 1
#define T_(next)             next, 2, 0, 0, 0, 1
#define MAC20                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    static const struct {
        const char *reason;
        uint8_t n, octets[96];
    } cases[] = {
        { "data type not supported", 10, { HDR(2, 0) } },
        { "no T payload", 10, { HDR(0, 0) } },
        { "no KEMAC payload", 16, { HDR(0, 5), T_(0) } },
        { "no V payload", 16, { HDR(1, 5), T_(0) } },
        { "no ERR payload", 16, { HDR(6, 5), T_(0) } },
        { "unknown payload", 16, { HDR(0, 5), T_(3) } },
        { "payload repeated", 22, { HDR(0, 5), T_(5), T_(0) } },
        { "payload does not belong in this data type", 16, { HDR(1, 5), T_(1) } },
        { "TS type not supported", 16, { HDR(0, 5), 0, 4, 0, 0, 0, 0 } },
        { "RAND shorter than 16 octets", 33, { HDR(0, 5), T_(11), 0, 15 } },
        { "ID type not supported", 20, { HDR(0, 5), T_(6), 0, 3, 0, 0 } },
        { "too many ID payloads", 24, { HDR(1, 5), T_(6), 6, 0, 0, 0, 0, 0, 0, 0 } },
        { "security policy with an empty map", 21, { HDR(0, 5), T_(10), 0, 0, 0, 0, 0 } },
        { "crypto sessions in an empty map", 10, { 1, 0, 0, 0, 0, 0, 0, 0, 1, 1 } },
        { "CS ID map type not supported", 10, { 1, 0, 0, 0, 0, 0, 0, 0, 0, 2 } },
        { "too many crypto sessions", 10, { 1, 0, 0, 0, 0, 0, 0, 0, 17, 0 } },
        { "SP parameter not supported", 24, { 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, T_(10), 0, 0, 0, 0, 3, 21, 1, 0 } },
        { "SP protocol is not SRTP", 21, { 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, T_(10), 0, 0, 1, 0, 0 } },
        { "length exceeds what is left", 23, { 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, T_(10), 0, 0, 0, 0, 2, 0, 1 } },
        { "encryption algorithm not supported", 41, { HDR(0, 5), T_(1), 0, 2, 0, 0, 1, MAC20 } },
        { "encryption algorithm not supported", 42, { HDR(0, 5), T_(1), 0, 0, 0, 1, 9, 1, MAC20 } },
        { "MAC algorithm not supported", 41, { HDR(0, 5), T_(1), 0, 1, 0, 0, 0, MAC20 } },
        { "payload behind the MAC", 41, { HDR(0, 5), T_(1), 5, 1, 0, 0, 1, MAC20 } },
        { "MAC algorithm not supported", 38, { HDR(1, 5), T_(9), 0, 0, MAC20 } },
        { "Key Domain ID twice", 24, { HDR(0, 21), 5, 3, 0, 10, 0, 3, 1, 2, 3, 0, 3, 1, 2, 3 } },
        { "Key ID extension twice", 27, { HDR(0, 21), 21, 3, 0, 5, 0, 3, 1, 2, 3, 5, 3, 0, 4, 2, 2, 0, 1 } },
        { "Key ID extension without content", 14, { HDR(0, 21), 5, 3, 0, 0 } },
        { "Key ID type not known", 17, { HDR(0, 21), 5, 3, 0, 3, 3, 1, 0 } },
        { "octets left over", 20, { HDR(0, 21), 5, 3, 0, 6, 0, 4, 1, 2, 3, 4 } },
        { "SDP IDs extension twice", 18, { HDR(0, 21), 21, 1, 0, 0, 5, 1, 0, 0 } },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        mikey_msg msg;
        poc_fault fault;
        assert_int_equal(mikey_decode(&msg, poc_span_of(cases[i].octets, cases[i].n), &fault), POC_E_INPUT);
        if (strcmp(fault.reason, cases[i].reason) != 0)
            print_error("case %zu\n", i);
        assert_string_equal(fault.reason, cases[i].reason);
    }
}

static void unknown_extensions_are_skipped_and_bounds_are_kept(void **state)
{
    uint8_t octets[MIKEY_MESSAGE_MAX + 1] = { 1, 0, MIKEY_EXT };
    mikey_msg msg;
    poc_fault fault;
    (void)state;
    assert_int_equal(mikey_decode(&msg, poc_span_of(octets, sizeof(octets)), &fault), POC_E_INPUT);
    assert_string_equal(fault.reason, "longer than 2048 octets");
    octets[9] = MIKEY_MAP_EMPTY;
    for (size_t count = 14; count <= 16; count++) {
        static const uint8_t end[] = { 1, 2, 0, 0, 0, 7, 0, 0, 0, 0, 1 };
        poc_wr wr = poc_wr_into(octets + 10, sizeof(octets) - 10);
        for (size_t i = 0; i < count; i++) {
            const uint8_t ext[] = { i + 1 < count ? MIKEY_EXT : MIKEY_T, 9, 0, 1, 0xaa };
            poc_wr_put(&wr, ext, sizeof(ext));
        }
        poc_wr_put(&wr, end, sizeof(end));
        (void)poc_wr_room(&wr, 20);
        const poc_err err = mikey_decode(&msg, poc_span_of(octets, 10 + wr.len), &fault);
        assert_int_equal(err, count <= 14 ? POC_OK : POC_E_INPUT);
        if (count > 14)
            assert_string_equal(fault.reason, "too many payloads");
    }
}

static void sealing_decoding_and_checking_allocate_nothing(void **state)
{
    uint8_t out[MIKEY_MESSAGE_MAX], ack[MIKEY_MESSAGE_MAX];
    msk_vector v;
    msk_vector_init(&v, *state, "msk-stream");
    (void)seal_one(&v, out); /* OpenSSL makes the contexts of this thread once */
    const size_t before = allocations_made();
    for (size_t round = 0; round < 3; round++) {
        mikey_msg msg, answer;
        poc_wr wr = poc_wr_into(ack, sizeof(ack));
        const size_t n = seal_one(&v, out);
        assert_int_equal(mikey_decode(&msg, poc_span_of(out, n), NULL), POC_OK);
        assert_int_equal(mikey_verification_seal(&wr, &msg, v.muk), POC_OK);
        assert_int_equal(mikey_decode(&answer, poc_span_of(ack, wr.len), NULL), POC_OK);
        const mikey_expected expected = { v.params.csb_id, v.counter, msg.rand, msg.idi.data, msg.idr.data, false };
        assert_int_equal(mikey_verification_check(&answer, &expected, v.muk), POC_OK);
    }
    assert_int_equal(allocations_made(), before);
    msk_vector_done(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_of_an_msk_message_is_refused),
        cmocka_unit_test(truncation_at_every_length_is_malformed),
        cmocka_unit_test(wrong_muk_is_an_authentication_failure_without_output),
        cmocka_unit_test(whatever_is_sealed_for_a_member_opens_for_that_member_only),
        cmocka_unit_test(one_member_without_room_does_not_cost_the_others_their_message),
        cmocka_unit_test(slices_sealed_on_two_threads_equal_those_of_one),
        cmocka_unit_test(authentic_key_data_is_still_parsed_strictly),
        cmocka_unit_test(malformed_messages_are_refused_with_a_reason),
        cmocka_unit_test(unknown_extensions_are_skipped_and_bounds_are_kept),
        cmocka_unit_test(sealing_decoding_and_checking_allocate_nothing),
    };
    if (!allocations_watch())
        return 1;
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
