/* A MuSiK with ten thousand members: what they come to, what it costs in writes, and sealing on several threads. Their keys
 * are brought in as records of a store, for ten thousand uploads would take longer than all the rest. */
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "tests/unit/core/mcx_office.h"

#define CHANNEL "nation"

enum { CROWD = 10000, FEW = 200, RECORD_ROOM = 512 };

static const pocpf_channel channel = { .size = sizeof(channel),
                                       .id = CHANNEL,
                                       .kind = POCPF_KIND_MUSIK,
                                       .musik = { .text = "Nation", .without_revocation = true },
                                       .rekey = { .deadline_ms = 32000 } };

/* ---- members ---- */

static void impu_of(char out[64], unsigned i)
{
    (void)snprintf(out, 64, "sip:user%05u@ims.example", i);
}

static void restore(office *o, const poc_wr *key, const poc_wr *value)
{
    assert_int_equal(pocpf_restore(o->pf, key->buf, key->len, value->buf, value->len), POCPF_OK);
}

static void put_text(poc_wr *wr, const char *text)
{
    poc_wr_u16(wr, (uint16_t)strlen(text));
    poc_wr_span(wr, poc_span_str(text));
}

/* As csk_record.c has it: a current key, none before it and none to come. */
static void restore_csk(office *o, unsigned i)
{
    static const uint8_t csk[16] = { 3 };
    const uint8_t algorithm[4] = { 6, 16, 12, 16 };
    uint8_t k[RECORD_ROOM], v[RECORD_ROOM], nonce[POC_GCM_NONCE_LEN] = { 1 };
    char impu[64], mc_id[64];
    poc_wr key = poc_wr_into(k, sizeof(k)), value = poc_wr_into(v, sizeof(v));
    impu_of(impu, i);
    (void)snprintf(mc_id, sizeof(mc_id), "sip:user%05u@mcptt.example.org", i);
    poc_wr_u8(&key, 'k');
    poc_wr_put(&key, impu, strlen(impu) + 1);
    poc_wr_u8(&key, 0);
    poc_wr_u8(&value, 1);
    put_text(&value, mc_id);
    put_text(&value, "kms.example.org");
    poc_wr_u64(&value, 0);
    poc_wr_u8(&value, 1);
    poc_wr_u32(&value, 0x20000000u + i);
    poc_wr_u8(&value, 6);
    poc_wr_put(&value, algorithm, sizeof(algorithm));
    poc_wr_u64(&value, INT64_MAX);
    poc_wr_u64(&value, OFFICE_NOW_MS / 1000);
    poc_wr_u8(&value, 16);
    poc_wr_put(&value, csk, sizeof(csk));
    poc_wr_u8(&value, sizeof(nonce) + sizeof(csk) + POC_GCM_TAG_LEN);
    poc_wr_put(&value, nonce, sizeof(nonce));
    uint8_t *sealed = poc_wr_room(&value, sizeof(csk) + POC_GCM_TAG_LEN);
    assert_int_equal(poc_gcm_seal(sealed, poc_secret_span(o->set.store_key), nonce, poc_span_of(k + 1, key.len - 1),
                                  poc_span_of(csk, sizeof(csk))),
                     POC_OK);
    poc_wr_u16(&value, 0);
    restore(o, &key, &value);
}

static void restore_member(office *o, unsigned i)
{
    enum { CAPABLE_RECEIVES_BY_SIP = 7 };
    uint8_t k[RECORD_ROOM], v[RECORD_ROOM];
    char impu[64];
    poc_wr key = poc_wr_into(k, sizeof(k)), value = poc_wr_into(v, sizeof(v));
    impu_of(impu, i);
    poc_wr_u8(&key, 'm');
    poc_wr_put(&key, CHANNEL, sizeof(CHANNEL));
    poc_wr_put(&key, impu, strlen(impu));
    poc_wr_u8(&value, 2);
    poc_wr_u8(&value, CAPABLE_RECEIVES_BY_SIP);
    poc_wr_u8(&value, 0);
    restore(o, &key, &value);
}

static office *open_crowd(void **state, const pocpf_channel *c, unsigned n, bool spreads)
{
    office *o = office_new(*state);
    o->set.members_max = CROWD + 100;
    o->answers = true;
    o->host.spread = spreads ? office_spread : NULL;
    assert_int_equal(pocpf_new(&o->pf, &o->host, &o->set), POCPF_OK);
    assert_int_equal(pocpf_channel_add(o->pf, o->now_ms, c), POCPF_OK);
    o->channel = c;
    for (unsigned i = 0; i < n; i++) {
        restore_csk(o, i);
        restore_member(o, i);
    }
    assert_int_equal(pocpf_restored(o->pf, o->now_ms), POCPF_OK);
    office_identify(o);
    return o;
}

static pocpf_channel_status status_of(const office *o)
{
    pocpf_channel_status s = { .size = sizeof(s) };
    assert_int_equal(pocpf_channel_look(o->pf, CHANNEL, &s), POCPF_OK);
    return s;
}

/* ---- tests ---- */

/* MCX-22, MCX-31: the expulsion comes while the first key is still being handed out, to a window of a hundred at a time. */
static void ten_thousand_members_are_given_the_key_after_an_expulsion_with_one_write(void **state)
{
    char impu[64];
    office *o = open_crowd(state, &channel, CROWD, false);
    o->answers = false;
    office_run(o);
    assert_int_equal(o->downloads, 100);
    assert_string_equal(status_of(o).state, "starting");
    assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, o->download.user, o->download.number, true), POCPF_OK);
    office_run(o);
    assert_string_equal(status_of(o).state, "active");
    const uint32_t before = o->air_id;
    const unsigned already = o->downloads;
    impu_of(impu, 77);
    o->answers = true;
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, impu, POCPF_EXPELLED), POCPF_OK);
    office_run(o);
    const pocpf_channel_status s = status_of(o);
    assert_string_equal(s.state, "active");
    assert_int_not_equal(o->air_id, before);
    assert_int_equal(s.msk_id, o->air_id);
    assert_int_equal(s.members, CROWD - 1);
    assert_int_equal(s.confirmed, CROWD - 1);
    assert_false(s.held);
    assert_int_equal(o->downloads, already + CROWD - 1);
    assert_int_equal(o->writes, 1);
    assert_int_equal(pocpf_mcx_joined(o->pf, o->now_ms, CHANNEL, impu), POCPF_E_DENIED);
    office_free(o);
}

/* MCX-23: whichever thread has sealed it, it is signed by the server, for its user. */
static void downloads_are_sealed_on_several_threads_and_each_is_signed_for_its_user(void **state)
{
    office *o = open_crowd(state, &channel, FEW, true);
    mcx_expected expected = { .any_time = true,
                              .certificates = &o->town->certificate,
                              .certificate_count = 1,
                              .sender = poc_span_str(MDSI),
                              .verifier = o->verifier };
    o->answers = false;
    unsigned seen = 0;
    for (pocpf_effect fx; pocpf_poll(o->pf, &fx);) {
        mikey_msg msg;
        if (fx.type == POCPF_DO_PERSIST)
            assert_int_equal(pocpf_persisted(o->pf, o->now_ms, true), POCPF_OK);
        if (fx.type != POCPF_DO_DOWNLOAD)
            continue;
        const poc_span octets = poc_span_of(fx.u.download.i_message, fx.u.download.len);
        assert_int_equal(mcx_i_message_read(&msg, octets, NULL), POC_OK);
        assert_int_equal(mcx_i_message_verify(&msg, &expected, NULL), POC_OK);
        assert_true(poc_span_eq_str(msg.idr.data, fx.u.download.mc_id));
        seen++;
    }
    assert_int_equal(seen, 100); /* the window */
    assert_true(o->spreads > 0 && o->slices > 2 * o->spreads);
    office_free(o);
}

/* MCX-22: to as many at a time as keys are handed out to. */
static void a_revocation_goes_to_all_in_windows_and_says_how_many_it_has_reached(void **state)
{
    char impu[64];
    pocpf_channel loud = channel;
    loud.musik.without_revocation = false;
    office *o = open_crowd(state, &loud, FEW, true);
    office_run(o);
    assert_int_equal(status_of(o).confirmed, FEW);
    o->keeps_revoked = true;
    impu_of(impu, 7);
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, impu, POCPF_EXPELLED), POCPF_OK);
    office_run(o);
    assert_int_equal(status_of(o).confirmed, FEW - 1);
    assert_int_equal(o->revocations, 100);
    o->keeps_revoked = false; /* of these hundred nobody answers, until they are asked again */
    while (o->to_tell == 0 && pocpf_deadline_ms(o->pf) != INT64_MAX) {
        o->now_ms = pocpf_deadline_ms(o->pf) > o->now_ms ? pocpf_deadline_ms(o->pf) : o->now_ms;
        pocpf_tick(o->pf, o->now_ms);
        office_run(o);
    }
    assert_int_equal(o->to_tell, FEW - 1);
    assert_int_equal(o->told, FEW - 1);
    assert_int_equal(o->revocations, FEW - 1 + 100);
    assert_int_equal(status_of(o).confirmed, FEW - 1);
    office_free(o);
}

/* Every third does not answer at first: nobody's turn is lost or comes twice for it. */
static void who_does_not_answer_a_revocation_keeps_nobody_else_from_it(void **state)
{
    enum { SILENT = 3, TRIES = 3 };
    char impu[64];
    unsigned asked[FEW] = { 0 }, i;
    pocpf_channel loud = channel;
    loud.musik.without_revocation = false;
    office *o = open_crowd(state, &loud, FEW, false);
    office_run(o);
    impu_of(impu, 1);
    assert_int_equal(pocpf_member_departed(o->pf, o->now_ms, CHANNEL, impu, POCPF_EXPELLED), POCPF_OK);
    while (o->to_tell == 0) {
        for (pocpf_effect fx; pocpf_poll(o->pf, &fx);) {
            if (fx.type == POCPF_DO_PERSIST)
                assert_int_equal(pocpf_persisted(o->pf, o->now_ms, true), POCPF_OK);
            if (fx.type == POCPF_DO_AUDIT && fx.u.audit.what == POCPF_AUDIT_KEY_REVOKED)
                o->told = fx.u.audit.count, o->to_tell = fx.u.audit.total;
            if (fx.type != POCPF_DO_DOWNLOAD)
                continue;
            assert_int_equal(sscanf(fx.user, "sip:user%05u@", &i), 1);
            asked[i] += fx.u.download.revokes;
            if (!fx.u.download.revokes || i % SILENT != 0 || asked[i] == TRIES)
                assert_int_equal(pocpf_download_answered(o->pf, o->now_ms, fx.user, fx.u.download.number, true),
                                 POCPF_OK);
        }
        if (o->to_tell == 0) {
            assert_true(pocpf_deadline_ms(o->pf) != INT64_MAX);
            o->now_ms = pocpf_deadline_ms(o->pf);
            pocpf_tick(o->pf, o->now_ms);
        }
    }
    assert_int_equal(o->told, FEW - 1);
    assert_int_equal(o->to_tell, FEW - 1);
    for (i = 0; i < FEW; i++)
        assert_int_equal(asked[i], i == 1 ? 0 : i % SILENT == 0 ? TRIES : 1);
    office_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_members_are_given_the_key_after_an_expulsion_with_one_write),
        cmocka_unit_test(a_revocation_goes_to_all_in_windows_and_says_how_many_it_has_reached),
        cmocka_unit_test(who_does_not_answer_a_revocation_keeps_nobody_else_from_it),
        cmocka_unit_test(downloads_are_sealed_on_several_threads_and_each_is_signed_for_its_user),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
