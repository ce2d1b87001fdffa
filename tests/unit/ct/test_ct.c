/* Secrets do not steer: keys are undefined to Valgrind here, which then reports every branch and every address that
 * depends on one. What is public is said where it becomes so: the verdict of a comparison, the layout of a key data
 * payload once its MAC holds, and what is sent. Run under Valgrind; without it, this shows results only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <valgrind/memcheck.h>

#include "base/crypto.h"
#include "base/text.h"
#include "gba/private.h"
#include "mikey/mikey.h"

#define RAND_OCTETS "0123456789abcdef"
#define NAF         "pf1.poc.example.org"
#define BTID        "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.example.org"

static void publish(const void *p, size_t n)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

static poc_secret *unknown_key(size_t n, uint8_t fill)
{
    poc_secret *s;
    uint8_t octets[POC_SECRET_MAX];
    memset(octets, fill, sizeof(octets));
    assert_int_equal(poc_secret_from(&s, octets, n), POC_OK);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(poc_secret_edit(s), n);
    return s;
}

/* ---- where something becomes public ---- */

bool __real_poc_equal_ct(const void *a, const void *b, size_t n);
bool __wrap_poc_equal_ct(const void *a, const void *b, size_t n);
bool __wrap_poc_equal_ct(const void *a, const void *b, size_t n)
{
    bool same = __real_poc_equal_ct(a, b, n);
    publish(&same, sizeof(same));
    return same;
}

bool __real_poc_secret_eq(const poc_secret *a, const poc_secret *b);
bool __wrap_poc_secret_eq(const poc_secret *a, const poc_secret *b);
bool __wrap_poc_secret_eq(const poc_secret *a, const poc_secret *b)
{
    bool same = __real_poc_secret_eq(a, b);
    publish(&same, sizeof(same));
    return same;
}

/* Only MIKEY comes through here, sealing (what comes out is sent) or opening: a key data payload is four octets that
 * say what follows, the key, and its validity. The key stays undefined. The IV is made with a salt, and OpenSSL looks
 * whether the last 32 bits of its counter will overflow: that much it tells. */
enum { KEY_AT = 4, KEY_END = KEY_AT + POC_MSK_LEN };
poc_err __real_poc_aes128_ctr(uint8_t *out, const uint8_t key[16], const uint8_t iv[16], poc_span in);
poc_err __wrap_poc_aes128_ctr(uint8_t *out, const uint8_t key[16], const uint8_t iv[16], poc_span in);
poc_err __wrap_poc_aes128_ctr(uint8_t *out, const uint8_t key[16], const uint8_t iv[16], poc_span in)
{
    assert_true(in.n > KEY_END);
    publish(iv, POC_AES_LEN);
    poc_err err = __real_poc_aes128_ctr(out, key, iv, in);
    publish(out, KEY_AT);
    publish(out + KEY_END, in.n - KEY_END);
    return err;
}

/* ---- MIKEY ---- */

typedef struct exchange {
    poc_secret *muk, *msk;
    uint8_t sealed[MIKEY_MESSAGE_MAX];
    size_t len;
} exchange;

static const mikey_msk_params params = {
    .msk_id = 0x10010001,
    .csb_id = 7,
    .rand = RAND_OCTETS,
    .seq_high = 100,
    .wants_verification = true,
    .key_type = MIKEY_TGK,
    .idi_type = MIKEY_ID_NAI,
    .idi = { (const uint8_t *)NAF, sizeof(NAF) - 1 },
    .idr_type = MIKEY_ID_NAI,
};

static void exchange_begin(exchange *x)
{
    *x = (exchange){ .muk = unknown_key(POC_MUK_LEN, 0x47), .msk = unknown_key(POC_MSK_LEN, 0x11) };
    mikey_msk_job job = {
        .muk = x->muk, .idr = poc_span_str(BTID), .counter = 1, .out = x->sealed, .cap = sizeof(x->sealed)
    };
    assert_int_equal(mikey_msk_seal(&params, x->msk, &job, 1), POC_OK);
    x->len = job.len;
    publish(x->sealed, x->len);
}

static void exchange_end(exchange *x)
{
    poc_secret_free(x->muk);
    poc_secret_free(x->msk);
    assert_int_equal(poc_secret_live_count(), 0);
}

static void msk_message_is_sealed_and_opened_without_a_look_at_the_keys(void **state)
{
    (void)state;
    exchange x;
    mikey_msg msg;
    mikey_msk opened;
    exchange_begin(&x);
    assert_int_equal(mikey_decode(&msg, poc_span_of(x.sealed, x.len), NULL), POC_OK);
    assert_int_equal(mikey_msk_open(&opened, &msg, x.muk, NULL), POC_OK);
    assert_true(poc_secret_eq(opened.msk, x.msk));
    mikey_msk_done(&opened);
    exchange_end(&x);
}

static void wrong_mac_is_refused_without_a_look_at_it(void **state)
{
    (void)state;
    exchange x;
    mikey_msg msg;
    mikey_msk opened;
    exchange_begin(&x);
    x.sealed[x.len - 1] ^= 1;
    assert_int_equal(mikey_decode(&msg, poc_span_of(x.sealed, x.len), NULL), POC_OK);
    assert_int_equal(mikey_msk_open(&opened, &msg, x.muk, NULL), POC_E_AUTH);
    exchange_end(&x);
}

static void verification_is_made_and_checked_without_a_look_at_the_muk(void **state)
{
    (void)state;
    exchange x;
    mikey_msg msg, answer;
    uint8_t octets[MIKEY_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    exchange_begin(&x);
    assert_int_equal(mikey_decode(&msg, poc_span_of(x.sealed, x.len), NULL), POC_OK);
    assert_int_equal(mikey_verification_seal(&wr, &msg, x.muk), POC_OK);
    publish(octets, wr.len);
    assert_int_equal(mikey_decode(&answer, poc_span_of(octets, wr.len), NULL), POC_OK);
    const mikey_expected expected = {
        .csb_id = 7, .counter = 1, .rand = msg.rand, .idi = msg.idi.data, .idr = msg.idr.data
    };
    assert_int_equal(mikey_verification_check(&answer, &expected, x.muk), POC_OK);
    exchange_end(&x);
}

static void mtk_message_is_sealed_without_a_look_at_the_keys(void **state)
{
    (void)state;
    poc_secret *msk = unknown_key(POC_MSK_LEN, 0x11), *mtk = unknown_key(POC_MTK_LEN + POC_MTK_SALT_LEN, 0x22);
    uint8_t octets[MIKEY_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    const mikey_mtk_params mtk_params = { .mki = { 0x10010001, 1 },
                                          .counter = 1,
                                          .context = { 7, poc_span_of(RAND_OCTETS, MIKEY_RAND_LEN) } };
    assert_int_equal(mikey_mtk_seal(&wr, &mtk_params, msk, mtk), POC_OK);
    poc_secret_free(msk);
    poc_secret_free(mtk);
}

/* ---- digest and text ---- */

static void password_is_written_without_a_look_at_the_mrk(void **state)
{
    (void)state;
    char password[GBA_PASSWORD_LEN];
    poc_secret *mrk = unknown_key(32, 0x33);
    assert_int_equal(gba_password_make(password, mrk), POC_OK);
    publish(password, sizeof(password));
    assert_memory_equal(password, "MzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM=", sizeof(password));
    poc_secret_free(mrk);
}

static void digest_is_computed_and_compared_without_a_look_at_the_password(void **state)
{
    (void)state;
    char password[GBA_PASSWORD_LEN], response[33], given[33];
    poc_secret *mrk = unknown_key(32, 0x33);
    assert_int_equal(gba_password_make(password, mrk), POC_OK);
    const gba_digest_input in = {
        .username = poc_span_str(BTID),
        .realm = poc_span_str("3GPP-bootstrapping@" NAF),
        .password = poc_span_of(password, sizeof(password)),
        .method = poc_span_str("POST"),
        .uri = poc_span_str("/keymanagement"),
        .nonce = poc_span_str("abc"),
        .nc = poc_span_str("00000001"),
        .cnonce = poc_span_str("0a4f113b"),
        .qop = poc_span_str("auth-int"),
    };
    assert_int_equal(gba_digest_response(response, &in), POC_OK);
    memcpy(given, response, sizeof(given));
    publish(given, sizeof(given));
    assert_true(gba_digest_same(poc_span_of(given, 32), response));
    given[31] ^= 1;
    assert_false(gba_digest_same(poc_span_of(given, 32), response));
    poc_secret_free(mrk);
}

static void secrets_are_compared_without_a_look_at_either(void **state)
{
    (void)state;
    poc_secret *a = unknown_key(32, 1), *b = unknown_key(32, 1), *c = unknown_key(32, 2);
    assert_true(poc_secret_eq(a, b));
    assert_false(poc_secret_eq(a, c));
    poc_secret_free(a);
    poc_secret_free(b);
    poc_secret_free(c);
}

/* What this program must not let pass, for the test of the test: an address made with a key. */
static int steer(void)
{
    poc_secret *key = unknown_key(16, 0x55);
    const uint8_t digit = (uint8_t) "0123456789abcdef"[poc_secret_bytes(key)[3] & 15];
    publish(&digit, sizeof(digit));
    poc_secret_free(key);
    return digit == '5' ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(msk_message_is_sealed_and_opened_without_a_look_at_the_keys),
        cmocka_unit_test(wrong_mac_is_refused_without_a_look_at_it),
        cmocka_unit_test(verification_is_made_and_checked_without_a_look_at_the_muk),
        cmocka_unit_test(mtk_message_is_sealed_without_a_look_at_the_keys),
        cmocka_unit_test(password_is_written_without_a_look_at_the_mrk),
        cmocka_unit_test(digest_is_computed_and_compared_without_a_look_at_the_password),
        cmocka_unit_test(secrets_are_compared_without_a_look_at_either),
    };
    if (argc > 1 && strcmp(argv[1], "--steer") == 0)
        return steer();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
