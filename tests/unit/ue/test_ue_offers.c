/* Offers of the PF as digest "PoC" 5 writes them, and everything that may be wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/sdp.h"
#include "base/text.h"
#include "pair.h"

static pair w;
static size_t secrets_before;

static int begin(void **state)
{
    (void)state;
    secrets_before = poc_secret_live_count();
    pair_open(&w, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pair_close(&w);
    return poc_secret_live_count() == secrets_before ? 0 : -1;
}

static void assert_holds(poc_msk_id id)
{
    poc_msk_id ids[4];
    assert_int_equal(pocue_msks(w.ue, ids, 4), 1);
    assert_int_equal(ids[0], id);
}

static void assert_refused(const char *offer, const char *warning)
{
    char answer[PAIR_OFFER_MAX];
    pocue_reply reply = pair_give(&w, offer, answer);
    assert_int_equal(reply.status, 488);
    assert_non_null(reply.warning);
    assert_true(strncmp(reply.warning, warning, strlen(warning)) == 0);
    assert_string_equal(answer, "");
}

static const poc_sdp_media *line(const poc_sdp *sdp, size_t i)
{
    assert_true(i < sdp->media_count);
    return &sdp->media[i];
}

/* POC-2 */
static void test_without_bootstrapping_no_multicast_offer_is_accepted(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    pair_offer(&w, offer, 2, false);
    pocue_settings s = { .impu = "sip:alice@home1.example",
                         .impi = "alice@home1.example",
                         .bsf_fqdn = "bsf.home1.example",
                         .naf_fqdn = "pf1.poc.example.org",
                         .multicast_capable = true };
    memcpy(s.ua_id, gba_ua_id_mbms, sizeof(s.ua_id));
    pocue *fresh = w.ue, *bootstrapped = w.ue;
    assert_int_equal(pocue_new(&fresh, &s, &w.rng), POC_OK);
    w.ue = fresh;
    assert_null(pocue_btid(fresh, w.now_ms));
    assert_refused(offer, "399 gba-bootstrap");
    assert_int_equal(pocue_msks(fresh, NULL, 0), 0);
    pocue_free(fresh);
    w.ue = bootstrapped;
}

/* POC-3, POC-4: the MSK opens only under the MUK that both sides derived from the same bootstrapping. */
static void test_the_msk_of_the_offer_is_opened_with_the_muk_from_gba(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    pair_offer(&w, offer, 2, false);
    pocue_reply reply = pair_give(&w, offer, answer);
    assert_int_equal(reply.status, 200);
    assert_null(reply.warning);
    assert_holds(poc_msk_id_of(PAIR_GROUP, 1));
    assert_true(pair_event(&w, POCUE_JOIN_GROUP, &e));
    assert_int_equal(e.channel.port[BCAST_FLOW_RTP], 5004);
    assert_int_equal(e.channel.port[BCAST_FLOW_FLOOR], 5006);
    assert_int_equal(e.channel.port[BCAST_FLOW_STKM], 5008);
    assert_int_equal(e.channel.ttl, 16);
    assert_int_equal(e.channel.source.ss_family, AF_INET);
    assert_true(pair_event(&w, POCUE_KEY, &e));
    assert_int_equal(e.msk_id, poc_msk_id_of(PAIR_GROUP, 1));
    struct sockaddr_storage audio = pocue_peer_audio(w.ue);
    assert_int_equal(poc_addr_port((struct sockaddr *)&audio), 30000);
}

/* POC-7 */
static void test_the_answer_repeats_group_port_and_direction_of_the_multicast_lines(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    poc_sdp sent, got;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_int_equal(poc_sdp_parse(&sent, poc_span_str(offer), NULL), POC_OK);
    assert_int_equal(poc_sdp_parse(&got, poc_span_str(answer), NULL), POC_OK);
    assert_int_equal(got.media_count, 5);
    assert_int_equal(line(&got, 0)->port, 45200);
    assert_int_equal(line(&got, 1)->port, 45300);
    for (size_t i = 2; i < 5; i++) {
        assert_int_equal(line(&got, i)->port, line(&sent, i)->port);
        assert_true(poc_span_eq(line(&got, i)->proto, line(&sent, i)->proto));
        assert_true(poc_span_eq(line(&got, i)->formats, line(&sent, i)->formats));
        assert_true(poc_span_eq(line(&got, i)->conn.address, line(&sent, i)->conn.address));
        assert_int_equal(line(&got, i)->conn.ttl, 16);
        assert_int_equal(poc_sdp_direction_of(&got, line(&got, i)), POC_SDP_RECVONLY);
    }
    assert_null(strstr(answer, "key-mgmt"));
}

static void test_an_ipv6_group_is_joined_and_answered(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    pair_offer(&w, offer, 2, true);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_non_null(strstr(answer, "m=audio 5004 RTP/SAVP 97\r\nc=IN IP6 ff3e::8000:7\r\n"));
    assert_true(pair_event(&w, POCUE_JOIN_GROUP, &e));
    assert_int_equal(e.channel.group.ss_family, AF_INET6);
    assert_int_equal(e.channel.source.ss_family, AF_INET6);
}

/* POC-4 */
static void test_a_message_under_another_muk_is_answered_488_and_installs_nothing(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    poc_secret *right = w.pf.muk;
    pocue_event e;
    assert_int_equal(poc_secret_random(&w.pf.muk, POC_MUK_LEN, &w.rng), POC_OK);
    pair_offer(&w, offer, 2, false);
    assert_refused(offer, "399 gba-bootstrap");
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
    assert_false(pocue_poll(w.ue, &e));
    poc_secret_free(w.pf.muk);
    w.pf.muk = right;
}

static void test_a_verification_is_in_the_answer_when_the_message_wants_one(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t n;
    poc_sdp sdp;
    poc_span value;
    mikey_msg v;
    w.params.wants_verification = true;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_int_equal(poc_sdp_parse(&sdp, poc_span_str(answer), NULL), POC_OK);
    assert_true(poc_sdp_attr(line(&sdp, 4)->lines, "key-mgmt", &value));
    assert_true(poc_span_eq_str(poc_split(&value, ' '), "mikey"));
    assert_int_equal(poc_base64_get(octets, sizeof(octets), &n, value), POC_OK);
    assert_int_equal(mikey_decode(&v, poc_span_of(octets, n), NULL), POC_OK);
    mikey_expected expected = { .counter = w.counter,
                                .rand = poc_span_of(w.params.rand, MIKEY_RAND_LEN),
                                .idi = w.params.idi,
                                .idr = poc_span_str(w.btid) };
    assert_int_equal(mikey_verification_check(&v, &expected, w.pf.muk), POC_OK);
}

static void test_the_same_offer_again_gives_the_same_answer_and_no_events(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], first[PAIR_OFFER_MAX], second[PAIR_OFFER_MAX];
    pocue_event e;
    w.params.wants_verification = true;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, first).status, 200);
    pair_events_clear(&w);
    assert_int_equal(pair_give(&w, offer, second).status, 200);
    assert_string_equal(first, second);
    assert_false(pocue_poll(w.ue, &e));
}

/* A request retried after 401 or 491 carries the same message in a new description. */
static void test_the_same_message_in_a_newer_description_is_answered_and_not_installed_again(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    w.params.wants_verification = true;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_events_clear(&w);
    pair_replace(offer, "o=pf 5001 2", "o=pf 5001 3", 1);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_non_null(strstr(answer, "a=key-mgmt:mikey "));
    assert_false(pocue_poll(w.ue, &e));
}

static void test_a_rekey_offer_brings_the_next_msk_and_the_group_stays(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    poc_msk_id ids[4];
    pocue_event e;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_events_clear(&w);
    pair_new_msk(&w, 2);
    pair_offer(&w, offer, 3, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_int_equal(pocue_msks(w.ue, ids, 4), 2);
    assert_int_equal(ids[0], poc_msk_id_of(PAIR_GROUP, 2));
    assert_true(pocue_poll(w.ue, &e));
    assert_int_equal(e.type, POCUE_KEY);
    assert_false(pocue_poll(w.ue, &e));
}

static void test_a_replayed_offer_with_an_older_counter_is_refused(void **state)
{
    (void)state;
    char old[PAIR_OFFER_MAX], offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pair_offer(&w, old, 2, false);
    pair_offer(&w, offer, 3, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_refused(old, "399 key-mgmt is a replay");
    assert_holds(poc_msk_id_of(PAIR_GROUP, 1));
}

/* RFC 4567: on failure the old keys stay. */
static void test_an_offer_that_fails_leaves_keys_and_group_as_they_were(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_events_clear(&w);
    pair_new_msk(&w, 2);
    pair_offer(&w, offer, 3, false);
    char good[PAIR_OFFER_MAX];
    memcpy(good, offer, sizeof(good));
    pair_replace(offer, "232.10.0.7", "232.10.0.8", 3);
    assert_refused(offer, "306");
    assert_holds(poc_msk_id_of(PAIR_GROUP, 1));
    assert_false(pocue_poll(w.ue, &e));
    assert_int_equal(pair_give(&w, good, answer).status, 200);
}

static void test_of_several_messages_every_one_must_open(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pair_offer(&w, offer, 2, false);
    char *attribute = strdup(strstr(offer, "a=key-mgmt"));
    char *lines = malloc(PAIR_OFFER_MAX);
    assert_non_null(attribute);
    assert_non_null(lines);
    poc_wr wr = poc_wr_into(lines, PAIR_OFFER_MAX);
    poc_wr_fmt(&wr, "a=stkmstream:1\r\n%s", attribute);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    pair_replace(offer, "a=stkmstream:1\r\n", lines, 1);
    char spoilt[PAIR_OFFER_MAX];
    memcpy(spoilt, offer, sizeof(spoilt));
    strstr(spoilt, "a=key-mgmt:mikey AQAV")[150] ^= 1;
    assert_refused(spoilt, "3");
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_holds(poc_msk_id_of(PAIR_GROUP, 1));
    free(attribute);
    free(lines);
}

static void test_a_message_at_session_level_is_accepted_and_verified_there(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    poc_sdp sdp;
    poc_span value;
    w.params.wants_verification = true;
    pair_offer(&w, offer, 2, false);
    char *attribute = strdup(strstr(offer, "a=key-mgmt"));
    char *lines = malloc(PAIR_OFFER_MAX);
    assert_non_null(attribute);
    assert_non_null(lines);
    pair_replace(offer, attribute, "", 1);
    poc_wr wr = poc_wr_into(lines, PAIR_OFFER_MAX);
    poc_wr_fmt(&wr, "a=bcastversion:1.0\r\n%s", attribute);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    pair_replace(offer, "a=bcastversion:1.0\r\n", lines, 1);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_int_equal(poc_sdp_parse(&sdp, poc_span_str(answer), NULL), POC_OK);
    assert_true(poc_sdp_attr(sdp.lines, "key-mgmt", &value));
    assert_false(poc_sdp_attr(line(&sdp, 4)->lines, "key-mgmt", &value));
    free(attribute);
    free(lines);
}

/* One fault each; the same offer without it is accepted in the tests above. */
static const struct {
    const char *from, *to;
    unsigned nth;
    const char *warning;
} malformed[] = {
    { "v=0", "v=1", 1, "399 malformed" },
    { "a=recvonly", "a=sendrecv", 1, "399" },
    { "a=recvonly", "a=sendonly", 2, "399" },
    { "a=recvonly", "a=inactive", 3, "399" },
    { "c=IN IP4 232.10.0.7/16", "c=IN IP4 232.10.0.8/16", 1, "306" },
    { "IN IP4 232.10.0.7", "IN IP4 232.10.0.8", 2, "306" },
    { "c=IN IP4 232.10.0.7/16", "c=IN IP4 232.10.0.7", 1, "399" },
    { "c=IN IP4 232.10.0.7/16", "c=IN IP4 232.10.0.7/16/2", 1, "399" },
    { "c=IN IP4 232.10.0.7/16", "c=IN IP4 192.0.2.9", 1, "399" },
    { "c=IN IP4 232.10.0.7/16", "c=IN IP4 192.0.2.9", 3, "399" },
    { "192.0.2.50", "192.0.2.51", 1, "399" },
    { "192.0.2.50", "192.0.2.50 192.0.2.51", 2, "306" },
    { "a=source-filter: incl", "a=source-filter: excl", 3, "306" },
    { "a=source-filter: incl IN IP4 232.10.0.7 192.0.2.50\r\n", "", 3, "399" },
    { "m=data 5008", "m=data 5006", 1, "399" },
    { "m=data 5008", "m=data 0", 1, "399" },
    { "m=audio 5004", "m=audio 0", 1, "399" },
    { "vnd.oma.bcast.stkm\r\nc=", "vnd.example\r\nc=", 1, "399" },
    { "m=application 5006 udp TBCP", "m=audio 5006 RTP/SAVP 97", 1, "399" },
    { "RTP/SAVP", "RTP/AVP", 1, "399" },
    { "streamid=1", "streamid=0", 1, "306" },
    { "streamid=1", "streamid=2", 1, "399" },
    { "oma-bcast-gba-mbms", "oma-bcast-drm-pki", 1, "306" },
    { "a=fmtp:vnd.oma.bcast.stkm", "a=fmtp:other", 1, "306" },
    { "a=stkmstream:1\r\n", "", 1, "399" },
    { "a=stkmstream:1", "a=stkmstream:2", 2, "399" },
    { "key-mgmt:mikey ", "key-mgmt:keyp1 ", 1, "306" },
    { "key-mgmt:mikey ", "key-mgmt:MIKEY ", 1, "306" },
    { "key-mgmt:mikey AQ", "key-mgmt:mikey !!", 1, "306" },
    { "key-mgmt:mikey AQ", "key-mgmt:mikey A Q", 1, "306" },
    { "key-mgmt:mikey AQ", "key-mgmt:mikey AA", 1, "306" },
    { "key-mgmt:mikey ", "key-mgmt:mikey", 1, "306" },
    { "a=key-mgmt:mikey ", "a=key-mgmt:mikey \r\na=key-mgmt:mikey ", 1, "306" },
    { "a=key-mgmt:mikey ", "a=key-mgmt:keyp1 AAAA\r\na=key-mgmt:mikey ", 1, "399 key-mgmt authenticates other" },
    { "a=key-mgmt:", "a=no-key:", 1, "399 multicast channel without key-mgmt" },
};

static void test_each_malformed_variant_is_refused_with_its_warning(void **state)
{
    (void)state;
    for (size_t i = 0; i < POC_COUNT(malformed); i++) {
        char offer[PAIR_OFFER_MAX];
        pocue_event e;
        pair_offer(&w, offer, 2, false);
        pair_replace(offer, malformed[i].from, malformed[i].to, malformed[i].nth);
        assert_refused(offer, malformed[i].warning);
        assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
        assert_false(pocue_poll(w.ue, &e));
    }
}

static void require_ids(pocue_settings *s)
{
    s->require_sdp_ids = true;
}

static void test_a_message_without_sdp_ids_is_refused_only_where_they_are_required(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    w.params.sdp_ids = false;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_close(&w);
    pair_open(&w, require_ids);
    w.params.sdp_ids = false;
    pair_offer(&w, offer, 2, false);
    assert_refused(offer, "399 key-mgmt without SDP IDs");
}

static void make_incapable(pocue_settings *s)
{
    s->multicast_capable = false;
}

static void test_a_client_that_cannot_do_multicast_says_so_and_takes_no_keys(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    poc_sdp sdp;
    pair_close(&w);
    pair_open(&w, make_incapable);
    poc_wr wr = poc_wr_into(offer, sizeof(offer));
    assert_int_equal(pocue_offer_write(w.ue, &w.local, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_null(strstr(offer, "bcastversion"));
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_int_equal(poc_sdp_parse(&sdp, poc_span_str(answer), NULL), POC_OK);
    for (size_t i = 2; i < 5; i++)
        assert_int_equal(line(&sdp, i)->port, 0);
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
}

static void withdraw(char offer[PAIR_OFFER_MAX])
{
    pair_replace(offer, "m=audio 5004", "m=audio 0", 1);
    pair_replace(offer, "m=application 5006", "m=application 0", 1);
    pair_replace(offer, "m=data 5008", "m=data 0", 1);
    pair_replace(offer, "o=pf 5001 2", "o=pf 5001 9", 1);
    *strstr(offer, "a=key-mgmt") = '\0';
}

/* Digest example E. */
static void test_a_withdrawn_channel_is_left_and_its_keys_are_forgotten(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pocue_event e;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_events_clear(&w);
    withdraw(offer);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_non_null(strstr(answer, "m=audio 0 RTP/SAVP 97\r\nc=IN IP4 232.10.0.7/16\r\n"));
    assert_non_null(strstr(answer, "m=data 0 UDP vnd.oma.bcast.stkm\r\n"));
    assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
    assert_true(pocue_poll(w.ue, &e));
    assert_int_equal(e.type, POCUE_LEAVE_GROUP);
}

static void test_old_and_new_muk_live_together_until_the_new_one_was_used(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    poc_secret *old_muk = poc_secret_ref(w.pf.muk);
    char old_btid[sizeof(w.btid)];
    memcpy(old_btid, w.btid, sizeof(old_btid));
    uint32_t old_counter = w.counter;
    char late_old[PAIR_OFFER_MAX];
    pair_offer(&w, offer, 3, false);
    pair_offer(&w, late_old, 5, false);
    pair_bootstrap(&w);
    assert_string_not_equal(old_btid, w.btid);
    assert_false(poc_secret_eq(old_muk, w.pf.muk));
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_offer(&w, offer, 4, false);
    assert_int_equal(w.counter, 1);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    assert_refused(late_old, "399 gba-bootstrap");
    assert_true(old_counter > 0);
    poc_secret_free(old_muk);
}

static void test_a_muk_that_has_expired_opens_nothing(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX];
    pair_offer(&w, offer, 2, false);
    w.now_ms += INT64_C(86400) * 1000 + 1000;
    assert_null(pocue_btid(w.ue, w.now_ms));
    assert_refused(offer, "399 gba-bootstrap");
}

static void test_an_offer_cut_off_anywhere_never_crashes_and_installs_nothing_by_half(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX];
    pair_offer(&w, offer, 2, false);
    size_t n = strlen(offer);
    for (size_t i = 0; i + 2 < n; i++) {
        char *cut = malloc(i + 1);
        assert_non_null(cut);
        memcpy(cut, offer, i);
        cut[i] = '\0';
        pocue_reply reply = pair_give(&w, cut, answer);
        assert_true(reply.status == 200 || reply.status == 488);
        assert_int_equal(pocue_msks(w.ue, NULL, 0), 0);
        free(cut);
    }
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
}

static void test_the_bearer_is_given_up_and_taken_back_by_own_offers(void **state)
{
    (void)state;
    char offer[PAIR_OFFER_MAX], answer[PAIR_OFFER_MAX], own[PAIR_OFFER_MAX];
    pocue_event e;
    pair_offer(&w, offer, 2, false);
    assert_int_equal(pair_give(&w, offer, answer).status, 200);
    pair_events_clear(&w);
    poc_wr wr = poc_wr_into(own, sizeof(own));
    assert_int_equal(pocue_bearer_write(w.ue, &w.local, false, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_non_null(strstr(own, "m=audio 0 RTP/SAVP 97"));
    char agreed[PAIR_OFFER_MAX];
    memcpy(agreed, offer, sizeof(agreed));
    withdraw(agreed);
    assert_int_equal(pocue_answer_read(w.ue, poc_span_str(agreed)), POC_OK);
    assert_true(pair_event(&w, POCUE_LEAVE_GROUP, &e));
    wr = poc_wr_into(own, sizeof(own));
    assert_int_equal(pocue_bearer_write(w.ue, &w.local, true, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_non_null(strstr(own, "m=audio 5004 RTP/SAVP 97"));
    assert_null(strstr(own, "key-mgmt"));
    *strstr(offer, "a=key-mgmt") = '\0';
    assert_int_equal(pocue_answer_read(w.ue, poc_span_str(offer)), POC_OK);
    assert_true(pair_event(&w, POCUE_JOIN_GROUP, &e));
}

static void test_the_answer_to_the_invite_tells_where_to_send(void **state)
{
    (void)state;
    static const char pf_answer[] = "v=0\r\no=pf 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
                                    "m=audio 30000 RTP/AVP 0\r\nm=application 30002 udp TBCP\r\n";
    char own[PAIR_OFFER_MAX];
    poc_wr wr = poc_wr_into(own, sizeof(own));
    assert_int_equal(pocue_answer_read(w.ue, poc_span_str(pf_answer)), POC_E_INPUT);
    assert_int_equal(pocue_offer_write(w.ue, &w.local, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_non_null(strstr(own, "a=bcastversion:1.0\r\n"));
    assert_int_equal(pocue_answer_read(w.ue, poc_span_str(pf_answer)), POC_OK);
    struct sockaddr_storage audio = pocue_peer_audio(w.ue), floor = pocue_peer_floor(w.ue);
    assert_int_equal(poc_addr_port((struct sockaddr *)&audio), 30000);
    assert_int_equal(poc_addr_port((struct sockaddr *)&floor), 30002);
    assert_int_equal(pocue_answer_read(w.ue, poc_span_str("v=0\r\n")), POC_E_INPUT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_without_bootstrapping_no_multicast_offer_is_accepted),
        T(test_the_msk_of_the_offer_is_opened_with_the_muk_from_gba),
        T(test_the_answer_repeats_group_port_and_direction_of_the_multicast_lines),
        T(test_an_ipv6_group_is_joined_and_answered),
        T(test_a_message_under_another_muk_is_answered_488_and_installs_nothing),
        T(test_a_verification_is_in_the_answer_when_the_message_wants_one),
        T(test_the_same_offer_again_gives_the_same_answer_and_no_events),
        T(test_the_same_message_in_a_newer_description_is_answered_and_not_installed_again),
        T(test_a_rekey_offer_brings_the_next_msk_and_the_group_stays),
        T(test_a_replayed_offer_with_an_older_counter_is_refused),
        T(test_an_offer_that_fails_leaves_keys_and_group_as_they_were),
        T(test_of_several_messages_every_one_must_open),
        T(test_a_message_at_session_level_is_accepted_and_verified_there),
        T(test_each_malformed_variant_is_refused_with_its_warning),
        T(test_a_message_without_sdp_ids_is_refused_only_where_they_are_required),
        T(test_a_client_that_cannot_do_multicast_says_so_and_takes_no_keys),
        T(test_a_withdrawn_channel_is_left_and_its_keys_are_forgotten),
        T(test_old_and_new_muk_live_together_until_the_new_one_was_used),
        T(test_a_muk_that_has_expired_opens_nothing),
        T(test_an_offer_cut_off_anywhere_never_crashes_and_installs_nothing_by_half),
        T(test_the_bearer_is_given_up_and_taken_back_by_own_offers),
        T(test_the_answer_to_the_invite_tells_where_to_send),
    };
    return cmocka_run_group_tests_name("ue offers", tests, NULL, NULL);
}
