/* The ground floor: fences of readers, strict text forms, secrets that wipe themselves, descriptions, the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/hmac.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/ident.h"
#include "base/sdp.h"
#include "base/secret.h"
#include "base/table.h"
#include "base/text.h"

static void inner_length_cannot_escape(void **state)
{
    (void)state;
    const uint8_t wire[] = { 0x00, 0x02, 0xAA, 0xBB, 0xCC };
    poc_fault fault;
    poc_rd rd = poc_rd_over(poc_span_of(wire, sizeof(wire)), &fault), sub;
    uint16_t len;
    uint32_t word;
    assert_int_equal(poc_rd_u16(&rd, &len), POC_OK);
    assert_int_equal(poc_rd_take(&rd, &sub, len), POC_OK);
    assert_int_equal(poc_rd_u32(&sub, &word), POC_E_INPUT);
    assert_int_equal(fault.offset, 2);
    assert_int_equal(poc_rd_end(&rd), POC_E_INPUT);
    assert_int_equal(poc_rd_take(&rd, &sub, 2), POC_E_INPUT);
}

static void writer_overflow_sticks(void **state)
{
    (void)state;
    uint8_t buf[4];
    poc_wr wr = poc_wr_into(buf, sizeof(buf));
    size_t at = poc_wr_len16_open(&wr);
    poc_wr_u16(&wr, 0xBEEF);
    poc_wr_len16_close(&wr, at);
    assert_int_equal(poc_wr_done(&wr), POC_OK);
    assert_memory_equal(buf, "\x00\x02\xBE\xEF", 4);
    poc_wr_u8(&wr, 1);
    assert_int_equal(poc_wr_done(&wr), POC_E_LIMIT);
    assert_int_equal(wr.len, 4);
}

static void base64_is_strict_and_returns_what_went_in(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= 255; n++) {
        uint8_t in[256], out[256];
        char text[400];
        size_t len;
        for (unsigned i = 0; i < n; i++)
            in[i] = (uint8_t)(i * 7 + n);
        poc_wr wr = poc_wr_into(text, sizeof(text));
        poc_base64_put(&wr, poc_span_of(in, n));
        assert_int_equal(wr.len, POC_BASE64_LEN(n));
        assert_int_equal(poc_base64_get(out, sizeof(out), &len, poc_span_of(text, wr.len)), POC_OK);
        assert_int_equal(len, n);
        assert_memory_equal(in, out, n);
    }
    const char *const bad[] = {
        "A", "AA", "AAA", "A===", "AB==", "AAB=", "AA =", "AA-_", "AAAA\n", "=AAA", "AA==AAAA"
    };
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        uint8_t out[16];
        size_t len;
        assert_int_equal(poc_base64_get(out, sizeof(out), &len, poc_span_str(bad[i])), POC_E_INPUT);
    }
}

static void base64_of_published_texts_is_as_published(void **state)
{
    /* RFC 4648, 10; then every character of the alphabet, in its order. */
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } rows[] = {
        { "", 0, "" },
        { "f", 1, "Zg==" },
        { "fo", 2, "Zm8=" },
        { "foobar", 6, "Zm9vYmFy" },
        { "\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96\x9b\x71\xd7\x9f"
          "\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf\xbf",
          48, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" },
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        char text[80];
        poc_wr wr = poc_wr_into(text, sizeof(text));
        poc_base64_put(&wr, poc_span_of(rows[i].in, rows[i].n));
        assert_int_equal(poc_wr_text(&wr), POC_OK);
        assert_string_equal(text, rows[i].out);
    }
}

static void numbers_and_addresses_are_written_as_people_write_them(void **state)
{
    static const struct {
        uint64_t number;
        const char *text;
    } numbers[] = { { 0, "0" }, { 9, "9" }, { 10, "10" }, { 65535, "65535" }, { UINT64_MAX, "18446744073709551615" } };
    static const char *const addresses[] = { "0.0.0.0",       "9.10.99.100", "255.255.255.255", "192.0.2.1", "::",
                                             "2001:db8::1:0", "::1" };
    char text[64];
    (void)state;
    for (size_t i = 0; i < POC_COUNT(numbers); i++) {
        poc_wr wr = poc_wr_into(text, sizeof(text));
        poc_dec_put(&wr, numbers[i].number);
        assert_int_equal(poc_wr_text(&wr), POC_OK);
        assert_string_equal(text, numbers[i].text);
    }
    for (size_t i = 0; i < POC_COUNT(addresses); i++) {
        struct sockaddr_storage addr;
        poc_wr wr = poc_wr_into(text, sizeof(text));
        assert_int_equal(poc_addr_parse(&addr, poc_span_str(addresses[i]), 5060), POC_OK);
        poc_addr_put(&wr, (const struct sockaddr *)&addr);
        assert_int_equal(poc_wr_text(&wr), POC_OK);
        assert_string_equal(text, addresses[i]);
    }
}

static void hex_refuses_odd_and_foreign_characters(void **state)
{
    (void)state;
    uint8_t out[4];
    size_t len;
    assert_int_equal(poc_hex_get(out, 4, &len, poc_span_str("00fFA5")), POC_OK);
    assert_memory_equal(out, "\x00\xFF\xA5", 3);
    assert_int_equal(poc_hex_get(out, 4, &len, poc_span_str("0")), POC_E_INPUT);
    assert_int_equal(poc_hex_get(out, 4, &len, poc_span_str("0g")), POC_E_INPUT);
    assert_int_equal(poc_hex_get(out, 4, &len, poc_span_str("0011223344")), POC_E_LIMIT);
}

static void one_user_has_one_canonical_uri(void **state)
{
    (void)state;
    const char *const same[] = { "sip:Bob@Home2.example", "<sip:Bob@home2.example;transport=tcp>",
                                 "\"Bob\" <SIP:Bob@HOME2.EXAMPLE>;tag=1", "sip:%42ob@home2.example?x=y" };
    char uri[POC_URI_MAX];
    for (size_t i = 0; i < POC_COUNT(same); i++) {
        assert_int_equal(poc_uri_canonical(uri, poc_span_str(same[i])), POC_OK);
        assert_string_equal(uri, "sip:Bob@home2.example");
    }
    assert_int_equal(poc_uri_canonical(uri, poc_span_str("tel:+49-30-1234;phone-context=x")), POC_OK);
    assert_string_equal(uri, "tel:+49301234");
    const char *const bad[] = { "", "bob", "http://x", "sip:", "sip:@x", "<sip:bob@x", "sip:a%4@x", "sip:a@b c" };
    for (size_t i = 0; i < POC_COUNT(bad); i++)
        assert_int_equal(poc_uri_canonical(uri, poc_span_str(bad[i])), POC_E_INPUT);
}

static void secret_is_wiped_when_the_last_owner_goes(void **state)
{
    (void)state;
    static const uint8_t zero[POC_SECRET_MAX];
    size_t live = poc_secret_live_count();
    poc_secret *s;
    assert_int_equal(poc_secret_from(&s, "0123456789abcdef", 16), POC_OK);
    const uint8_t *at = poc_secret_bytes(s);
    poc_secret_ref(s);
    poc_secret_free(s);
    assert_memory_equal(at, "0123456789abcdef", 16);
    poc_secret_free(s);
    assert_memory_equal(at, zero, 16); /* slots are never unmapped: reading a free one is safe */
    assert_int_equal(poc_secret_live_count(), live);
    assert_int_equal(poc_secret_new(&s, POC_SECRET_MAX + 1), POC_E_LIMIT);
    assert_null(s);
}

static void primitives_match_published_values(void **state)
{
    (void)state;
    uint8_t out[48], want[48];
    assert_int_equal(
        poc_hmac_sha1(
            out, poc_span_of("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", 20),
            poc_span_str("Hi There")),
        POC_OK);
    assert_int_equal(poc_hex_get_exact(want, 20, poc_span_str("b617318655057264e28bc0b6fb378c8ef146be00")), POC_OK);
    assert_memory_equal(out, want, 20);
    /* HMAC-SHA-1 with the empty key, after another key has been used: OpenSSL must not keep the previous one. */
    assert_int_equal(poc_hmac_sha1(out, poc_span_of(NULL, 0), poc_span_of(NULL, 0)), POC_OK);
    assert_int_equal(poc_hex_get_exact(want, 20, poc_span_str("fbdb1d1b18aa6c08324b7d64b71fb76370690e1d")), POC_OK);
    assert_memory_equal(out, want, 20);
    /* RFC 3394 4.1 */
    uint8_t kek[16], key[16];
    assert_int_equal(poc_hex_get_exact(kek, 16, poc_span_str("000102030405060708090A0B0C0D0E0F")), POC_OK);
    assert_int_equal(poc_hex_get_exact(key, 16, poc_span_str("00112233445566778899AABBCCDDEEFF")), POC_OK);
    assert_int_equal(poc_key_wrap(out, poc_span_of(kek, 16), poc_span_of(key, 16)), POC_OK);
    assert_int_equal(poc_hex_get_exact(want, 24, poc_span_str("1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5")),
                     POC_OK);
    assert_memory_equal(out, want, 24);
    out[3] ^= 1;
    assert_int_equal(poc_key_unwrap(want, poc_span_of(kek, 16), poc_span_of(out, 24)), POC_E_AUTH);
}

static void keyed_hmac_sha1_equals_openssl_at_every_length(void **state)
{
    (void)state;
    uint8_t data[200], out[POC_SHA1_LEN], want[POC_SHA1_LEN];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + 1);
    for (size_t key_len = 0; key_len <= 130; key_len += 13) {
        poc_hmac_sha1_key state_of_key;
        poc_hmac_sha1_rekey(&state_of_key, poc_span_of(data, key_len));
        for (size_t n = 0; n <= sizeof(data); n++) {
            const size_t cut = n / 3;
            const poc_span parts[] = { poc_span_of(data, cut), poc_span_of(data + cut, n - cut) };
            poc_hmac_sha1_keyed(out, &state_of_key, parts, POC_COUNT(parts));
            assert_non_null(HMAC(EVP_sha1(), data, (int)key_len, data, n, want, NULL));
            assert_memory_equal(out, want, sizeof(want));
        }
    }
}

static void sealed_record_opens_only_unaltered(void **state)
{
    (void)state;
    uint8_t key[32] = { 1 }, nonce[12] = { 2 }, sealed[21], plain[5];
    poc_span aad = poc_span_str("channel");
    assert_int_equal(poc_gcm_seal(sealed, poc_span_of(key, 32), nonce, aad, poc_span_of("hello", 5)), POC_OK);
    assert_int_equal(poc_gcm_open(plain, poc_span_of(key, 32), nonce, aad, poc_span_of(sealed, 21)), POC_OK);
    assert_memory_equal(plain, "hello", 5);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(poc_gcm_open(plain, poc_span_of(key, 32), nonce, aad, poc_span_of(sealed, 21)), POC_E_AUTH);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(poc_gcm_open(plain, poc_span_of(key, 32), nonce, poc_span_str("other"), poc_span_of(sealed, 21)),
                     POC_E_AUTH);
}

static void serial_numbers_wrap(void **state)
{
    (void)state;
    assert_true(poc_serial_after(2, 1));
    assert_false(poc_serial_after(1, 1));
    assert_true(poc_serial_after(0, 0xFFFFFFFF));
    assert_false(poc_serial_after(0xFFFFFFFF, 0));
}

static void mki_is_msk_id_then_mtk_id(void **state)
{
    (void)state;
    uint8_t out[POC_MKI_LEN];
    poc_mki mki = { poc_msk_id_of(0x1001, 1), 1 };
    poc_mki_write(out, mki);
    assert_memory_equal(out, "\x10\x01\x00\x01\x00\x01", 6);
    assert_true(poc_mki_eq(poc_mki_read(out), mki));
}

static const char offer[] =
    "v=0\r\no=pf 5001 2 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\na=bcastversion:1.0\r\n"
    "m=audio 30000 RTP/AVP 97 0\r\na=sendrecv\r\n"
    "m=data 5008 UDP vnd.oma.bcast.stkm\r\nc=IN IP4 232.10.0.7/16\r\na=recvonly\r\n"
    "a=key-mgmt:mikey AQ==\r\n"
    "m=audio 5004 RTP/SAVP 97\r\nc=IN IP6 ff3e::8000:7\r\n";

static void description_is_read_section_by_section(void **state)
{
    (void)state;
    poc_sdp sdp;
    poc_span value;
    assert_int_equal(poc_sdp_parse(&sdp, poc_span_str(offer), NULL), POC_OK);
    assert_int_equal(sdp.media_count, 3);
    assert_true(poc_span_eq_str(sdp.session_version, "2"));
    assert_true(poc_sdp_attr(sdp.lines, "bcastversion", &value));
    assert_true(poc_span_eq_str(value, "1.0"));
    assert_int_equal(sdp.media[0].conn.ttl, -1);
    assert_true(poc_span_eq_str(sdp.media[0].formats, "97 0"));
    assert_int_equal(sdp.media[1].conn.ttl, 16);
    assert_int_equal(poc_sdp_direction_of(&sdp, &sdp.media[1]), POC_SDP_RECVONLY);
    assert_true(poc_sdp_attr(sdp.media[1].lines, "key-mgmt", &value));
    assert_true(poc_span_eq_str(value, "mikey AQ=="));
    assert_false(poc_sdp_attr(sdp.media[2].lines, "key-mgmt", &value));
    assert_true(sdp.media[2].conn.is_ip6);
}

static void cut_description_never_reads_outside(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(offer); n++) {
        poc_sdp sdp;
        poc_fault fault;
        (void)poc_sdp_parse(&sdp, poc_span_of(offer, n), &fault);
        assert_true(sdp.media_count <= POC_SDP_MEDIA_MAX);
    }
}

static void time_goes_both_ways(void **state)
{
    (void)state;
    char text[32];
    int64_t t;
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_time_put(&wr, 1893456000);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(text, "2030-01-01T00:00:00Z");
    assert_int_equal(poc_time_get(&t, poc_span_str(text)), POC_OK);
    assert_int_equal(t, 1893456000);
    assert_int_equal(poc_time_get(&t, poc_span_str("2030-13-01T00:00:00Z")), POC_E_INPUT);
    assert_int_equal(poc_time_get(&t, poc_span_str("2030-01-01T00:00:00")), POC_E_INPUT);
}

static void table_finds_what_was_put_and_not_removed(void **state)
{
    (void)state;
    enum { N = 5000 };
    static char keys[N][8];
    poc_table t;
    poc_table_init(&t, 42);
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%d", i);
        assert_int_equal(poc_table_put(&t, poc_span_str(keys[i]), keys[i]), POC_OK);
    }
    assert_int_equal(poc_table_put(&t, poc_span_str("k7"), keys[0]), POC_E_STATE);
    for (int i = 0; i < N; i += 2)
        assert_ptr_equal(poc_table_remove(&t, poc_span_str(keys[i])), keys[i]);
    for (int i = 0; i < N; i++)
        assert_ptr_equal(poc_table_get(&t, poc_span_str(keys[i])), i % 2 ? keys[i] : NULL);
    size_t at = 0, seen = 0;
    while (poc_table_next(&t, &at) != NULL)
        seen++;
    assert_int_equal(seen, N / 2);
    poc_table_done(&t);
}

/* What has no room otherwise, with keys that were removed among those that fill it. */
static void table_that_has_reserved_room_takes_so_many_without_growing(void **state)
{
    (void)state;
    enum { N = 300, MORE = 100 };
    static char keys[N + MORE][8];
    poc_table t;
    poc_table_init(&t, 42);
    for (size_t i = 0; i < N + MORE; i++)
        snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(poc_table_put(&t, poc_span_str(keys[i]), keys[i]), POC_OK);
    for (size_t i = 0; i < N; i += 3)
        assert_ptr_equal(poc_table_remove(&t, poc_span_str(keys[i])), keys[i]);
    assert_int_equal(poc_table_reserve(&t, MORE), POC_OK);
    const poc_table_slot *const slots = t.slots;
    for (size_t i = N; i < N + MORE; i++)
        assert_int_equal(poc_table_put(&t, poc_span_str(keys[i]), keys[i]), POC_OK);
    assert_ptr_equal(t.slots, slots);
    for (size_t i = 0; i < N + MORE; i++)
        assert_ptr_equal(poc_table_get(&t, poc_span_str(keys[i])), i < N && i % 3 == 0 ? NULL : keys[i]);
    poc_table_done(&t);
}

/* Entries come and go for ever in a table that stays as large as it is. */
static void table_of_constant_size_neither_grows_nor_loses_anything(void **state)
{
    (void)state;
    enum { KEYS = 2000, LIVE = 890, CHANGES = 40000 }; /* nearly seven eighths of 1,024 */
    static char keys[KEYS][8];
    poc_table t;
    poc_table_init(&t, 7);
    for (size_t i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
    for (size_t i = 0; i < LIVE; i++)
        assert_int_equal(poc_table_put(&t, poc_span_str(keys[i]), keys[i]), POC_OK);
    for (size_t i = 0; i < CHANGES; i++) {
        char *out = keys[i % KEYS], *in = keys[(i + LIVE) % KEYS];
        assert_ptr_equal(poc_table_remove(&t, poc_span_str(out)), out);
        assert_null(poc_table_get(&t, poc_span_str(out)));
        assert_int_equal(poc_table_put(&t, poc_span_str(in), in), POC_OK);
        assert_ptr_equal(poc_table_get(&t, poc_span_str(keys[(i + 1) % KEYS])), keys[(i + 1) % KEYS]);
        assert_true(t.slot_count <= 2048);
    }
    for (size_t i = 0; i < LIVE; i++)
        assert_non_null(poc_table_get(&t, poc_span_str(keys[(CHANGES + i) % KEYS])));
    assert_int_equal(t.count, LIVE);
    poc_table_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inner_length_cannot_escape),
        cmocka_unit_test(writer_overflow_sticks),
        cmocka_unit_test(base64_is_strict_and_returns_what_went_in),
        cmocka_unit_test(base64_of_published_texts_is_as_published),
        cmocka_unit_test(numbers_and_addresses_are_written_as_people_write_them),
        cmocka_unit_test(hex_refuses_odd_and_foreign_characters),
        cmocka_unit_test(one_user_has_one_canonical_uri),
        cmocka_unit_test(secret_is_wiped_when_the_last_owner_goes),
        cmocka_unit_test(primitives_match_published_values),
        cmocka_unit_test(keyed_hmac_sha1_equals_openssl_at_every_length),
        cmocka_unit_test(sealed_record_opens_only_unaltered),
        cmocka_unit_test(serial_numbers_wrap),
        cmocka_unit_test(mki_is_msk_id_then_mtk_id),
        cmocka_unit_test(description_is_read_section_by_section),
        cmocka_unit_test(cut_description_never_reads_outside),
        cmocka_unit_test(time_goes_both_ways),
        cmocka_unit_test(table_finds_what_was_put_and_not_removed),
        cmocka_unit_test(table_that_has_reserved_room_takes_so_many_without_growing),
        cmocka_unit_test(table_of_constant_size_neither_grows_nor_loses_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
