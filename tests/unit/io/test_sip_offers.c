/* The SIP shell on loopback: how the PF's own offers go out and end, in sessions of before a restart too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sdp.h"
#include "base/text.h"
#include "tests/unit/io/sip_world.h"

static const world_options over_udp = { .transport = "udp" };
static const world_options without_update = { .transport = "udp", .client_without_update = true };

/* ---- the PF's own offers ---- */

/* POC-7: the offer that opens the channel carries exactly one key-mgmt, on the STKM line. */
static void opening_offer_goes_by_update_with_one_key_mgmt(void **state)
{
    (void)state;
    world w;
    poc_sdp sdp;
    poc_span value;
    world_start(&w, &over_udp);
    world_join(&w);
    pf_offer(&w, 17, POCPF_OFFER_OPEN, 5000);
    assert_true(world_wait(&w, &w.answers, 1));
    assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
    assert_int_equal(w.answer_number, 17);
    assert_string_equal(w.client.diary, "UPDATE ");
    assert_int_equal(poc_sdp_parse(&sdp, poc_span_str(w.client.sdp), NULL), POC_OK);
    assert_int_equal(sdp.media_count, 5);
    assert_false(poc_sdp_attr(sdp.lines, "key-mgmt", &value));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(poc_sdp_attr(sdp.media[i].lines, "key-mgmt", &value), i == 4);
    assert_true(poc_span_eq_str(value, "mikey YSBNSUtFWSBtZXNzYWdl"));
    assert_true(poc_span_eq_str(sdp.session_version, "2"));
    world_stop(&w);
}

/* POC-22: a rekey is a new offer with the next version. */
static void client_without_update_gets_a_reinvite(void **state)
{
    (void)state;
    world w;
    world_start(&w, &without_update);
    world_join(&w);
    pf_offer(&w, 1, POCPF_OFFER_OPEN, 5000);
    assert_true(world_wait(&w, &w.answers, 1));
    assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
    assert_true(world_wait_diary(&w, &w.client, "INVITE ACK "));
    pf_offer(&w, 2, POCPF_OFFER_REKEY, 5000);
    assert_true(world_wait(&w, &w.answers, 2));
    assert_int_equal(w.answer_number, 2);
    assert_true(world_wait_diary(&w, &w.client, "INVITE ACK INVITE ACK "));
    assert_non_null(strstr(w.client.sdp, " 3 IN IP4 127.0.0.1\r\n"));
    world_stop(&w);
}

/* POC-21, POC-22: how each kind of answer ends an offer; the unicast session goes on. */
static void every_answer_has_its_meaning(void **state)
{
    (void)state;
    static const struct {
        reply_kind reply;
        pocpf_answer answer;
        const char *why;
    } rows[] = {
        { REPLY_UNICAST, POCPF_ANSWER_UNICAST, "client refused the multicast lines" },
        { REPLY_WRONG_PORT, POCPF_ANSWER_WRONG, "answer has another port" },
        { REPLY_488_306, POCPF_ANSWER_REFUSED, "client cannot use the key (488, Warning 306)" },
        { REPLY_488, POCPF_ANSWER_REFUSED, "client does not accept the offer (488)" },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        world w;
        world_start(&w, &over_udp);
        world_join(&w);
        w.client.reply = rows[i].reply;
        pf_offer(&w, 5, POCPF_OFFER_OPEN, 5000);
        assert_true(world_wait(&w, &w.answers, 1));
        assert_int_equal(w.answer, rows[i].answer);
        assert_string_equal(w.answer_why, rows[i].why);
        world_settle(&w);
        assert_int_equal(w.downs, 0);
        world_stop(&w);
    }
}

static void glare_is_retried_within_the_time_given(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    w.client.reply = REPLY_491_ONCE;
    pf_offer(&w, 9, POCPF_OFFER_OPEN, 6000);
    assert_true(world_wait(&w, &w.answers, 1));
    assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
    assert_string_equal(w.client.diary, "UPDATE UPDATE ");
    world_stop(&w);
}

static void silent_client_times_out_and_a_newer_offer_waits_for_the_older(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    w.client.reply = REPLY_SILENCE;
    pf_offer(&w, 1, POCPF_OFFER_OPEN, 100);
    assert_true(world_wait(&w, &w.answers, 1));
    assert_int_equal(w.answer, POCPF_ANSWER_TIMEOUT);
    assert_int_equal(w.answer_number, 1);
    /* RFC 3264: no second offer while the first is unanswered. */
    w.client.reply = REPLY_ACCEPT;
    pf_offer(&w, 2, POCPF_OFFER_OPEN, 5000);
    world_settle(&w);
    assert_string_equal(w.client.diary, "UPDATE ");
    nta_incoming_treply(w.client.ringing, SIP_488_NOT_ACCEPTABLE, TAG_END());
    nta_incoming_destroy(w.client.ringing);
    w.client.ringing = NULL;
    assert_true(world_wait(&w, &w.answers, 2));
    assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
    assert_int_equal(w.answer_number, 2);
    world_stop(&w);
}

static void client_that_forgot_the_dialog_is_gone(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    w.client.reply = REPLY_481;
    pf_offer(&w, 3, POCPF_OFFER_OPEN, 5000);
    assert_true(world_wait(&w, &w.downs, 1));
    assert_int_equal(w.answers, 1);
    assert_int_equal(w.answer, POCPF_ANSWER_GONE);
    assert_int_equal(w.departure, POCPF_LOST);
    assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK BYE "));
    world_stop(&w);
}

static void withdrawn_channel_leaves_the_lines_with_port_0(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    pf_offer(&w, 1, POCPF_OFFER_OPEN, 5000);
    assert_true(world_wait(&w, &w.answers, 1));
    w.client.reply = REPLY_UNICAST;
    pf_offer(&w, 2, POCPF_OFFER_WITHDRAW, 5000);
    assert_true(world_wait(&w, &w.answers, 2));
    assert_int_equal(w.answer, POCPF_ANSWER_UNICAST);
    assert_non_null(strstr(w.client.sdp, "m=data 0 UDP vnd.oma.bcast.stkm\r\n"));
    assert_null(strstr(w.client.sdp, "key-mgmt"));
    world_stop(&w);
}

/* POC-21 */
static void client_turns_its_bearer_off_and_on(void **state)
{
    (void)state;
    static const char unicast[] = "v=0\r\no=alice 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                                  "m=audio 45200 RTP/AVP 97\r\nm=application 45300 udp TBCP\r\n";
    char off[1024], on[1024];
    world w;
    snprintf(off, sizeof(off),
             "%sm=audio 0 RTP/SAVP 97\r\nc=IN IP4 232.10.0.7/16\r\nm=application 0 udp TBCP\r\n"
             "c=IN IP4 232.10.0.7/16\r\nm=data 0 UDP vnd.oma.bcast.stkm\r\nc=IN IP4 232.10.0.7/16\r\n",
             unicast);
    snprintf(on, sizeof(on),
             "%sm=audio 5004 RTP/SAVP 97\r\nc=IN IP4 232.10.0.7/16\r\na=recvonly\r\nm=application 5006 udp TBCP\r\n"
             "c=IN IP4 232.10.0.7/16\r\na=recvonly\r\nm=data 5008 UDP vnd.oma.bcast.stkm\r\nc=IN IP4 232.10.0.7/16\r\n"
             "a=recvonly\r\n",
             unicast);
    world_start(&w, &over_udp);
    world_join(&w);
    pf_offer(&w, 1, POCPF_OFFER_OPEN, 5000);
    assert_true(world_wait(&w, &w.answers, 1));
    peer_request(&w.client, SIP_METHOD_UPDATE, off, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 200);
    assert_int_equal(w.bearers, 1);
    assert_false(w.bearer);
    assert_non_null(strstr(w.client.sdp, "m=data 0 UDP"));
    peer_request(&w.client, SIP_METHOD_INVITE, on, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    assert_int_equal(w.client.status, 200);
    assert_int_equal(w.bearers, 2);
    assert_true(w.bearer);
    assert_non_null(strstr(w.client.sdp, "m=audio 5004 RTP/SAVP 97"));
    assert_null(strstr(w.client.sdp, "key-mgmt"));
    world_stop(&w);
}

/* ---- restart ---- */

/* POC-22: after a restart the member gets its offer in the dialog it knows. */
static void restored_session_offers_in_the_old_dialog(void **state)
{
    (void)state;
    uint8_t record[2048];
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    pf_offer(&w, 1, POCPF_OFFER_OPEN, 5000);
    assert_true(world_wait(&w, &w.answers, 1));
    uint32_t cseq_before = w.client.cseq;
    poc_wr wr = poc_wr_into(record, sizeof(record));
    assert_int_equal(sip_session_save(w.session, &wr), POC_OK);
    world_restart_sip(&w, &over_udp);
    w.inside_call = true;
    assert_int_equal(sip_session_restore(w.sip, poc_span_of(record, wr.len), &w.session), POC_OK);
    w.inside_call = false;
    assert_string_equal(sip_session_user(w.session), WORLD_ALICE);
    assert_string_equal(sip_session_channel(w.session), "dispatch");
    pf_offer(&w, 2, POCPF_OFFER_REKEY, 5000);
    assert_true(world_wait(&w, &w.answers, 2));
    assert_int_equal(w.answer, POCPF_ANSWER_ACCEPTED);
    assert_true(w.client.cseq > cseq_before);
    assert_non_null(strstr(w.client.sdp, " 3 IN IP4 127.0.0.1\r\n"));
    peer_request(&w.cf, SIP_METHOD_BYE, NULL, NULL);
    assert_true(world_wait(&w, &w.downs, 1));
    assert_int_equal(w.departure, POCPF_REMOVED);
    assert_true(world_wait_diary(&w, &w.client, "UPDATE UPDATE BYE "));
    world_stop(&w);
}

static void cut_records_are_refused(void **state)
{
    (void)state;
    uint8_t record[2048];
    world w;
    sip_session *s;
    world_start(&w, &over_udp);
    world_join(&w);
    poc_wr wr = poc_wr_into(record, sizeof(record));
    assert_int_equal(sip_session_save(w.session, &wr), POC_OK);
    world_restart_sip(&w, &over_udp);
    for (size_t n = 0; n < wr.len; n += 7)
        assert_int_not_equal(sip_session_restore(w.sip, poc_span_of(record, n), &s), POC_OK);
    record[0] ^= 1;
    assert_int_equal(sip_session_restore(w.sip, poc_span_of(record, wr.len), &s), POC_E_INPUT);
    assert_int_equal(sip_look(w.sip).sessions, 0);
    world_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_offer_goes_by_update_with_one_key_mgmt),
        cmocka_unit_test(client_without_update_gets_a_reinvite),
        cmocka_unit_test(every_answer_has_its_meaning),
        cmocka_unit_test(glare_is_retried_within_the_time_given),
        cmocka_unit_test(silent_client_times_out_and_a_newer_offer_waits_for_the_older),
        cmocka_unit_test(client_that_forgot_the_dialog_is_gone),
        cmocka_unit_test(withdrawn_channel_leaves_the_lines_with_port_0),
        cmocka_unit_test(client_turns_its_bearer_off_and_on),
        cmocka_unit_test(restored_session_offers_in_the_old_dialog),
        cmocka_unit_test(cut_records_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
