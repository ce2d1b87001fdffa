/* A radio as a client of the key management service on real sockets of loopback: POSTs over real HTTP from its own address, keys
 * by real UDP. Nothing waits for time; the loop runs until what is expected was seen, or the deadline fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sofia-sip/su.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "clerk_http.h"
#include "support/ports.h"
#include "tiny_pf.h"
#include "ue/io/radio.h"

enum { STEP_MS = 20, DEADLINE_MS = 60000 };

static const char fire[] = "sip:fire@home1.example";
static const char home[] = "127.0.1.7", away[] = "127.0.1.8";

static pair w;
static clerk c;
static clerk_http *server;
static su_root_t *root;
static tiny_pf *pf;
static radio *r;
static uint16_t push_port;
static int pusher; /* the PF's socket for pushes */
static unsigned seen[POCUE_SERVICE_LEFT + 1], bootstrapped;

static void on_report(void *user, radio *of, const radio_report *report)
{
    (void)user, (void)of;
    bootstrapped += report->what == RADIO_BOOTSTRAPPED;
    if (report->what == RADIO_BOOTSTRAPPED)
        pair_learn(&w, pocue_btid(radio_ue(r), radio_now_ms()));
    if (report->what == RADIO_UE)
        seen[report->event->type]++;
}

static void run_until(const unsigned *counter, unsigned reaches)
{
    int64_t deadline_ms = radio_now_ms() + DEADLINE_MS;
    while (*counter < reaches && radio_now_ms() < deadline_ms)
        su_root_step(root, STEP_MS);
    assert_true(*counter >= reaches);
}

static int socket_at(const char *address)
{
    struct sockaddr_storage at;
    assert_int_equal(poc_addr_parse(&at, poc_span_str(address), 0), POC_OK);
    int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, poc_addr_len((struct sockaddr *)&at)), 0);
    return fd;
}

/* A radio at `address`, which knows the service. */
static void open_at(const char *address, const char *at_home)
{
    static bcast_channel channel;
    radio_settings settings = { .name = "alice",
                                .address = address,
                                .pf_uri = tiny_pf_uri(pf),
                                .bsf_url = tiny_pf_bsf_url(pf),
                                .keyman_url = clerk_http_url(server),
                                .push_port = push_port,
                                .interface = at_home,
                                .update_allowed = true,
                                .answer_offers = true };
    channel = (bcast_channel){ .ttl = 1, .port = { 5004, 5006, 5008 } };
    assert_int_equal(poc_addr_parse(&channel.group, poc_span_str("232.10.0.7"), 0), POC_OK);
    assert_int_equal(poc_addr_parse(&channel.source, poc_span_str("127.0.0.1"), 0), POC_OK);
    const pocue_service service = {
        .service_id = fire, .key_domain = { { 0x00, 0xf1, 0x10 } }, .key_group = PAIR_GROUP, .channel = &channel
    };
    pair_settings(&settings.ue);
    assert_int_equal(radio_new(&r, root, &settings, on_report, NULL), POC_OK);
    assert_int_equal(pocue_service_add(radio_ue(r), &service), POC_OK);
    w.params.wants_verification = true;
}

static void world_open(bool ip6)
{
    memset(seen, 0, sizeof(seen));
    bootstrapped = 0;
    pair_open(&w, NULL);
    w.now_ms = radio_now_ms();
    clerk_open(&c, &w);
    server = clerk_http_new(&c, ip6);
    pf = tiny_pf_new(root, &w, ip6 ? "::1" : "127.0.0.1", "tcp");
    pusher = socket_at(ip6 ? "::1" : "127.0.0.1");
    assert_true(test_free_ports(&push_port, 1));
    r = NULL;
}

static void world_close(void)
{
    radio_free(r);
    close(pusher);
    tiny_pf_free(pf);
    clerk_http_free(server);
    clerk_close(&c);
    pair_close(&w);
}

static int begin(void **state)
{
    (void)state;
    su_init();
    root = su_root_create(NULL);
    assert_non_null(root);
    su_root_threading(root, 0);
    world_open(false);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close();
    su_root_destroy(root);
    su_deinit();
    return 0;
}

static void push_to(const char *address)
{
    uint8_t message[MIKEY_MESSAGE_MAX];
    struct sockaddr_storage to;
    size_t n = pair_seal(&w, message);
    assert_int_equal(poc_addr_parse(&to, poc_span_str(address), push_port), POC_OK);
    assert_int_equal(sendto(pusher, message, n, 0, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), n);
}

/* The verification of the last push came, from this address and the push port. */
static void assert_verified_from(const char *address)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    struct sockaddr_storage from, expected;
    socklen_t from_len = sizeof(from);
    ssize_t n = -1;
    for (int64_t deadline_ms = radio_now_ms() + DEADLINE_MS; n < 0 && radio_now_ms() < deadline_ms;) {
        su_root_step(root, STEP_MS);
        n = recvfrom(pusher, octets, sizeof(octets), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
    }
    assert_true(n > 0);
    assert_int_equal(poc_addr_parse(&expected, poc_span_str(address), push_port), POC_OK);
    assert_true(poc_addr_eq((struct sockaddr *)&from, (struct sockaddr *)&expected));
    mikey_msg v;
    assert_int_equal(mikey_decode(&v, poc_span_of(octets, (size_t)n), NULL), POC_OK);
    const mikey_expected of = { .counter = w.counter,
                                .rand = poc_span_of(w.params.rand, MIKEY_RAND_LEN),
                                .idi = w.params.idi,
                                .idr = poc_span_str(w.btid) };
    assert_int_equal(mikey_verification_check(&v, &of, w.pf.muk), POC_OK);
}

/* MBMS-5, MBMS-7, MBMS-8 */
static void test_a_radio_registers_from_its_own_address_and_takes_keys_there(void **state)
{
    (void)state;
    open_at(home, "127.0.0.1");
    assert_int_equal(radio_register(r, fire), POC_OK); /* bootstraps by itself */
    run_until(&seen[POCUE_REGISTERED], 1);
    assert_int_equal(bootstrapped, 1);
    assert_string_equal(clerk_http_from(server), home);
    assert_string_equal(clerk_http_identity(server), "\"sip:alice@home1.example\"");
    assert_non_null(strstr(clerk_http_user_agent(server), "3gpp-gba"));
    push_to(home);
    assert_verified_from(home);
    assert_int_equal(seen[POCUE_KEY], 1);
    assert_int_equal(seen[POCUE_JOIN_GROUP], 1);
    pair_on_air(&w);
    pair_talk(&w, 1);
    tiny_pf_transmit(pf);
    run_until(&seen[POCUE_MTK], 1);
    run_until(&seen[POCUE_PLAY], 1);
    assert_int_equal(radio_deregister(r, fire), POC_OK);
    run_until(&seen[POCUE_DEREGISTERED], 1);
    assert_int_equal(seen[POCUE_LEAVE_GROUP], 1);
}

static void test_a_radio_that_moved_registers_from_there_and_is_pushed_to_there(void **state)
{
    (void)state;
    open_at(home, "127.0.0.1");
    assert_int_equal(radio_register(r, fire), POC_OK);
    run_until(&seen[POCUE_REGISTERED], 1);
    assert_int_equal(radio_move(r, "192.0.2.1"), POC_E_IO); /* nobody's here: nothing has changed */
    push_to(home);
    assert_verified_from(home);
    assert_int_equal(radio_move(r, away), POC_OK);
    run_until(&seen[POCUE_REGISTERED], 2);
    assert_string_equal(clerk_http_from(server), away);
    pair_new_msk(&w, 2);
    w.params.wants_verification = true;
    push_to(home); /* heard by nobody any more */
    push_to(away);
    assert_verified_from(away);
    assert_int_equal(seen[POCUE_KEY], 2);
}

/* MBMS-1: what was missed out of coverage is pulled when it is noticed. */
static void test_a_radio_out_of_coverage_hears_nothing_and_pulls_what_it_missed_afterwards(void **state)
{
    (void)state;
    open_at(home, "127.0.0.1");
    assert_int_equal(radio_register(r, fire), POC_OK);
    run_until(&seen[POCUE_REGISTERED], 1);
    push_to(home);
    assert_verified_from(home);
    radio_deaf(r, true);
    pair_new_msk(&w, 2);
    w.params.wants_verification = true;
    push_to(home);
    for (int steps = 0; steps < 10; steps++)
        su_root_step(root, 1);
    assert_int_equal(seen[POCUE_KEY], 1);
    radio_deaf(r, false);
    pair_on_air(&w);
    tiny_pf_transmit(pf);
    run_until(&seen[POCUE_KEY_MISSED], 1);
    run_until(&seen[POCUE_GRANTED], 1);
    push_to(home);
    assert_verified_from(home);
    assert_int_equal(seen[POCUE_KEY], 2);
}

/* MBMS-10, MBMS-11, MBMS-12 */
static void test_solicited_and_refused_a_radio_bootstraps_again_and_gets_its_msk_under_the_new_muk(void **state)
{
    (void)state;
    open_at(home, "127.0.0.1");
    assert_int_equal(radio_register(r, fire), POC_OK);
    run_until(&seen[POCUE_REGISTERED], 1);
    c.wants_new_bootstrap = true;
    w.params.msk_id = poc_msk_id_of(PAIR_GROUP, 0);
    push_to(home);
    run_until(&seen[POCUE_GRANTED], 1);
    assert_int_equal(bootstrapped, 2);
    assert_string_equal(c.btid, w.btid);
    w.params.msk_id = poc_msk_id_of(PAIR_GROUP, 1);
    push_to(home);
    assert_verified_from(home);
    assert_int_equal(seen[POCUE_KEY], 1);
}

/* Keys need no multicast route of IPv6, which few machines have on loopback. */
static void test_keys_come_over_ipv6_as_well(void **state)
{
    (void)state;
    world_close();
    world_open(true);
    open_at("::1", "::1");
    assert_int_equal(radio_register(r, fire), POC_OK);
    run_until(&seen[POCUE_REGISTERED], 1);
    assert_string_equal(clerk_http_from(server), "::1");
    push_to("::1");
    assert_verified_from("::1");
    assert_int_equal(radio_pull(r, fire), POC_OK);
    run_until(&seen[POCUE_GRANTED], 1);
}

/* MBMS-2: in a PoC session, leaving the service is leaving the session. */
static void test_a_radio_that_is_refused_the_msk_of_its_session_says_bye(void **state)
{
    (void)state;
    static char offer[PAIR_OFFER_MAX];
    open_at(home, "127.0.0.1");
    assert_int_equal(radio_bootstrap(r), POC_OK);
    run_until(&bootstrapped, 1);
    assert_int_equal(radio_join(r, "sip:dispatch@home1.example"), POC_OK);
    run_until(&tiny_pf_look(pf)->acked, 1);
    w.params.seq_high = 1;
    pair_offer(&w, offer, 2, false);
    pair_replace(offer, "192.0.2.50", "127.0.0.1", 0);
    tiny_pf_offer(pf, offer, true);
    run_until(&tiny_pf_look(pf)->answer_status, 1);
    assert_int_equal(tiny_pf_look(pf)->answer_status, 200);
    c.item_status = 403;
    pair_on_air(&w);
    assert_int_equal(bcast_protector_roll_mtk(w.protector, w.now_ms, true), POC_OK);
    tiny_pf_transmit(pf);
    run_until(&seen[POCUE_SERVICE_LEFT], 1);
    run_until(&tiny_pf_look(pf)->byed, 1);
    assert_int_equal(seen[POCUE_LEAVE_GROUP], 1);
}

static void test_a_radio_can_end_with_a_request_under_way(void **state)
{
    (void)state;
    open_at(home, "127.0.0.1");
    assert_int_equal(radio_bootstrap(r), POC_OK);
    run_until(&bootstrapped, 1);
    assert_int_equal(radio_register(r, "urn:unknown"), POC_E_STATE);
    assert_int_equal(radio_register(r, fire), POC_OK);
    su_root_step(root, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_radio_registers_from_its_own_address_and_takes_keys_there),
        T(test_a_radio_that_moved_registers_from_there_and_is_pushed_to_there),
        T(test_a_radio_out_of_coverage_hears_nothing_and_pulls_what_it_missed_afterwards),
        T(test_solicited_and_refused_a_radio_bootstraps_again_and_gets_its_msk_under_the_new_muk),
        T(test_keys_come_over_ipv6_as_well),
        T(test_a_radio_that_is_refused_the_msk_of_its_session_says_bye),
        T(test_a_radio_can_end_with_a_request_under_way),
    };
    return cmocka_run_group_tests_name("radio and push", tests, NULL, NULL);
}
