/* One MTK at work, against the vectors: SRTP and SRTCP octet for octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <srtp2/srtp.h>

#include "base/crypto.h"
#include "bcast/srtp.h"
#include "tests/support/vectors.h"
#include "tests/unit/bcast/air.h"

typedef struct fixture {
    json_t *root;
    const json_t *keys, *packet;
    bcast_srtp *sender, *receiver;
    size_t secrets_before;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    poc_secret *mtk;
    f.secrets_before = poc_secret_live_count();
    f.root = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    f.keys = vec_by_id(json_object_get(f.root, "srtp"), "srtp-from-mtk");
    f.packet = vec_by_id(json_object_get(f.root, "srtp"), "srtp-packet");
    vec_bytes key = vec_hex(f.keys, "master_key"), salt = vec_hex(f.keys, "master_salt"), mki = vec_hex(f.keys, "MKI");
    memcpy(key.b + key.n, salt.b, salt.n);
    assert_int_equal(poc_secret_from(&mtk, key.b, key.n + salt.n), POC_OK);
    assert_int_equal(bcast_srtp_new(&f.sender, BCAST_SRTP_SENDS, mtk, poc_mki_read(mki.b)), POC_OK);
    assert_int_equal(bcast_srtp_new(&f.receiver, BCAST_SRTP_RECEIVES, mtk, poc_mki_read(mki.b)), POC_OK);
    poc_secret_free(mtk);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    bcast_srtp_free(f->sender);
    bcast_srtp_free(f->receiver);
    json_decref(f->root);
    return poc_secret_live_count() == f->secrets_before ? 0 : -1;
}

static size_t clear_packet(const fixture *f, uint8_t *buf)
{
    vec_bytes header = vec_hex(f->packet, "rtp_header"), payload = vec_hex(f->packet, "payload");
    memcpy(buf, header.b, header.n);
    memcpy(buf + header.n, payload.b, payload.n);
    return header.n + payload.n;
}

static void the_packet_of_the_vector_is_made_octet_for_octet(void **state)
{
    fixture *f = *state;
    _Alignas(4) uint8_t buf[BCAST_SRTP_ROOM];
    size_t n = clear_packet(f, buf);
    assert_int_equal(bcast_srtp_protect(f->sender, BCAST_FLOW_RTP, buf, &n), POC_OK);
    vec_bytes expected = vec_hex(f->packet, "packet");
    assert_int_equal(n, expected.n);
    assert_memory_equal(buf, expected.b, n);
}

static void the_packet_of_the_vector_is_opened_once(void **state)
{
    fixture *f = *state;
    _Alignas(4) uint8_t buf[BCAST_SRTP_ROOM], clear[BCAST_SRTP_ROOM];
    vec_bytes packet = vec_hex(f->packet, "packet");
    size_t n = packet.n, clear_n = clear_packet(f, clear);
    memcpy(buf, packet.b, n);
    assert_int_equal(bcast_srtp_unprotect(f->receiver, BCAST_FLOW_RTP, buf, &n), POC_OK);
    assert_int_equal(n, clear_n);
    assert_memory_equal(buf, clear, n);
    memcpy(buf, packet.b, n = packet.n);
    assert_int_equal(bcast_srtp_unprotect(f->receiver, BCAST_FLOW_RTP, buf, &n), POC_E_AUTH);
}

/* RFC 3711 3.4 and 4.1.1 by hand, with the SRTCP session keys of the vector: the index is 1 for the first packet. */
static void a_floor_packet_is_what_the_srtcp_keys_of_the_vector_make(void **state)
{
    fixture *f = *state;
    _Alignas(4) uint8_t buf[BCAST_SRTP_ROOM];
    uint8_t expected[BCAST_PACKET_MAX], iv[16] = { 0 }, tag[POC_SHA1_LEN];
    vec_bytes key = vec_hex(f->keys, "srtcp_encr"), auth = vec_hex(f->keys, "srtcp_auth");
    vec_bytes salt = vec_hex(f->keys, "srtcp_salt"), mki = vec_hex(f->keys, "MKI");
    air_packet taken = air_floor(BCAST_MBCP_TAKEN);

    memcpy(iv, salt.b, salt.n);
    for (size_t i = 0; i < 4; i++)
        iv[4 + i] ^= taken.b[4 + i];
    iv[13] ^= 1;
    memcpy(expected, taken.b, 8);
    assert_int_equal(poc_aes128_ctr(expected + 8, key.b, iv, poc_span_of(taken.b + 8, taken.n - 8)), POC_OK);
    memcpy(expected + taken.n, "\x80\x00\x00\x01", 4);
    assert_int_equal(poc_hmac_sha1(tag, vec_span(&auth), poc_span_of(expected, taken.n + 4)), POC_OK);
    memcpy(expected + taken.n + 4, mki.b, mki.n);
    memcpy(expected + taken.n + 10, tag, 10);

    size_t n = taken.n;
    memcpy(buf, taken.b, n);
    assert_int_equal(bcast_srtp_protect(f->sender, BCAST_FLOW_FLOOR, buf, &n), POC_OK);
    assert_int_equal(n, taken.n + 20);
    assert_memory_equal(buf, expected, n);
    assert_int_equal(bcast_srtp_unprotect(f->receiver, BCAST_FLOW_FLOOR, buf, &n), POC_OK);
    assert_int_equal(n, taken.n);
    assert_memory_equal(buf, taken.b, n);
}

static void media_and_floor_of_one_ssrc_do_not_disturb_each_other(void **state)
{
    fixture *f = *state;
    _Alignas(4) uint8_t buf[BCAST_SRTP_ROOM];
    for (uint16_t seq = 1; seq < 4; seq++) {
        air_packet voice = air_rtp(AIR_FLOOR_SSRC, seq), idle = air_floor(BCAST_MBCP_IDLE);
        size_t n = voice.n;
        memcpy(buf, voice.b, n);
        assert_int_equal(bcast_srtp_protect(f->sender, BCAST_FLOW_RTP, buf, &n), POC_OK);
        assert_int_equal(bcast_srtp_unprotect(f->receiver, BCAST_FLOW_RTP, buf, &n), POC_OK);
        memcpy(buf, idle.b, n = idle.n);
        assert_int_equal(bcast_srtp_protect(f->sender, BCAST_FLOW_FLOOR, buf, &n), POC_OK);
        assert_int_equal(bcast_srtp_unprotect(f->receiver, BCAST_FLOW_FLOOR, buf, &n), POC_OK);
    }
}

static void the_mki_is_read_from_before_the_tag(void **state)
{
    fixture *f = *state;
    poc_mki mki;
    vec_bytes packet = vec_hex(f->packet, "packet");
    assert_int_equal(bcast_srtp_find_mki(&mki, BCAST_FLOW_RTP, vec_span(&packet)), POC_OK);
    assert_int_equal(mki.msk_id, 0x10010001);
    assert_int_equal(mki.mtk_id, 1);
    for (size_t n = 0; n < 12 + 16; n++)
        assert_int_equal(bcast_srtp_find_mki(&mki, BCAST_FLOW_RTP, poc_span_of(packet.b, n)), POC_E_INPUT);
}

static void a_member_cannot_make_us_keep_more_senders_than_64(void **state)
{
    fixture *f = *state;
    _Alignas(4) uint8_t buf[BCAST_SRTP_ROOM];
    for (uint32_t i = 0; i <= BCAST_SRTP_SSRC_MAX; i++) {
        air_packet voice = air_rtp(1000 + i, 1);
        size_t n = voice.n;
        memcpy(buf, voice.b, n);
        assert_int_equal(bcast_srtp_protect(f->sender, BCAST_FLOW_RTP, buf, &n), POC_OK);
        assert_int_equal(bcast_srtp_unprotect(f->receiver, BCAST_FLOW_RTP, buf, &n),
                         i < BCAST_SRTP_SSRC_MAX ? POC_OK : POC_E_LIMIT);
    }
}

static void a_key_of_another_length_is_refused(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 32; len++) {
        POC_OWNED(poc_secret, key, poc_secret_free);
        POC_OWNED(bcast_srtp, s, bcast_srtp_free);
        assert_int_equal(poc_secret_new(&key, len), POC_OK);
        assert_int_equal(bcast_srtp_new(&s, BCAST_SRTP_SENDS, key, (poc_mki){ 1, 1 }),
                         len == 16 || len == 30 ? POC_OK : POC_E_INPUT);
    }
}

/* The room is embedded where libsrtp may run already: this program stands for such a host, the others for the rest. */
static int start_as_a_host_with_srtp_of_its_own(void **state)
{
    (void)state;
    return srtp_init() == srtp_err_status_ok ? 0 : -1;
}

#define SRTP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SRTP_TEST(the_packet_of_the_vector_is_made_octet_for_octet),
        SRTP_TEST(the_packet_of_the_vector_is_opened_once),
        SRTP_TEST(a_floor_packet_is_what_the_srtcp_keys_of_the_vector_make),
        SRTP_TEST(media_and_floor_of_one_ssrc_do_not_disturb_each_other),
        SRTP_TEST(the_mki_is_read_from_before_the_tag),
        SRTP_TEST(a_member_cannot_make_us_keep_more_senders_than_64),
        SRTP_TEST(a_key_of_another_length_is_refused),
    };
    return cmocka_run_group_tests(tests, start_as_a_host_with_srtp_of_its_own, NULL);
}
