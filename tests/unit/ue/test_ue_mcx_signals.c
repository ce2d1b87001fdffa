/* What a mission critical radio is sent: keys, announcements of bearers, and control under these keys, by unicast and off the air. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "mcx_bench.h"
#include "pf/wire/air.h"

#define MUSIK 0x60000000u
#define CSK   0x20000000u

static const char group[] = "sip:dispatch@home1.example";
static const uint8_t tmgi[WIRE_MCX_TMGI_LEN] = { 0, 0, 7, 0x62, 0xf2, 0x10 };

/* ---- keys ---- */

/* MCX-1, MCX-22, MCX-23, MCX-28 */
static void a_musik_comes_by_message_or_notify_and_is_answered_with_200(void **state)
{
    (void)state;
    bring_up(RADIO_MCX_BY_REGISTER);
    for (uint32_t i = 0; i < 2; i++) {
        const tiny_mcx_key musik = { .id = MUSIK + i, .seed = (uint8_t)(1 + i) };
        tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .by_notify = i == 1 });
        run_until_told();
        assert_int_equal(at->told_status, 200);
        run_until(&seen.count[RADIO_MCX_TOLD], i + 1);
        assert_string_equal(seen.method, i == 1 ? "NOTIFY" : "MESSAGE");
        assert_int_equal(seen.key_id, musik.id);
        assert_int_equal(pocue_mcx_musik(radio_ue(r), radio_now_ms(), group), musik.id);
    }
}

/* MCX-23, MCX-24 */
static void a_key_that_is_altered_or_from_a_stranger_is_refused_with_a_warning(void **state)
{
    (void)state;
    const tiny_mcx_key musik = { .id = MUSIK + 1, .seed = 1 }, unassigned = { .id = MUSIK + 2, .seed = 1 };
    bring_up(RADIO_MCX_BY_REGISTER);
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .alters = true });
    run_until_told();
    assert_int_equal(at->told_status, 403);
    assert_string_equal(at->told_warning, "399 127.0.0.1 \"136 authentication of the MIKEY-SAKKE I_MESSAGE failed\"");
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .asserts = "sip:mallory@home1.example" });
    run_until_told();
    assert_int_equal(at->told_status, 403);
    tiny_mcx_send_key(server, &unassigned, &(tiny_mcx_way){ .service = "urn:urn-7:3gpp-service.ims.icsi.mcvideo" });
    run_until_told();
    assert_int_equal(at->told_status, 403);
    tiny_mcx_send_body(server, "multipart/mixed;boundary=x", poc_span_str("--x\r\nno end"),
                       &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(at->told_status, 488);
    run_until(&seen.count[RADIO_MCX_TOLD], 4);
    assert_int_equal(held(), 1); /* the CSK */
}

/* MCX-22: a CSK that is taken back is followed by another one of the client's. */
static void a_revoked_csk_is_followed_by_a_fresh_one(void **state)
{
    (void)state;
    const tiny_mcx_key other = { .id = CSK + 5, .seed = 5 }, revoked = { .id = CSK + 5, .seed = 5, .is_revoked = true };
    bring_up(RADIO_MCX_BY_REGISTER);
    const uint32_t first = csk();
    tiny_mcx_send_key(server, &other, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(csk(), other.id);
    tiny_mcx_send_key(server, &revoked, &(tiny_mcx_way){ .by_notify = false });
    run_until(&seen.ue[POCUE_MCX_REVOKED], 1);
    run_until(&at->uploads, 2);
    run_until_answered();
    assert_int_not_equal(at->csk_id, first);
    assert_int_equal(csk(), at->csk_id);
}

static void a_csk_that_will_expire_is_followed_by_a_fresh_one_before(void **state)
{
    (void)state;
    bring_up(RADIO_MCX_BY_REGISTER);
    const tiny_mcx_key brief = { .id = CSK + 6, .seed = 6, .expiry_s = (uint64_t)radio_now_ms() / 1000 + 2 };
    tiny_mcx_send_key(server, &brief, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(csk(), brief.id);
    run_until(&at->uploads, 2);
    run_until_answered();
    assert_int_equal(csk(), at->csk_id);
}

/* ---- floor control of a session ---- */

static const uint8_t floor_idle[12] = { 0x85, 0xcc, 0, 2, 0, 0, 0, 9, 'P', 'o', 'C', '1' };

static size_t protect_span(mcx_srtcp *s, poc_span clear, uint8_t out[256])
{
    poc_wr wr = poc_wr_into(out, 256);
    assert_int_equal(mcx_srtcp_protect(s, &wr, clear), POC_OK);
    return wr.len;
}

static size_t protect(mcx_srtcp *s, const uint8_t clear[12], uint8_t out[256])
{
    return protect_span(s, poc_span_of(clear, 12), out);
}

static int udp_open(uint16_t *port)
{
    struct sockaddr_storage here;
    socklen_t len = sizeof(here);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(poc_addr_parse(&here, poc_span_str("127.0.0.1"), 0), POC_OK);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    *port = poc_addr_port((struct sockaddr *)&here);
    return fd;
}

static void udp_send(int fd, const char *host, uint16_t port, const void *octets, size_t n)
{
    struct sockaddr_storage to;
    assert_int_equal(poc_addr_parse(&to, poc_span_str(host), port), POC_OK);
    assert_int_equal(sendto(fd, octets, n, 0, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), n);
}

/* MCX-6, MCX-12 */
static void floor_control_of_a_session_is_under_the_csk_both_ways_and_never_in_clear(void **state)
{
    (void)state;
    uint8_t packet[256], got[128], clear[128];
    uint16_t here;
    unsigned there;
    size_t n;
    const int fd = udp_open(&here);
    tiny_pf_floor(pf, here);
    provision();
    bootstrap();
    assert_int_equal(radio_join(r, group), POC_OK);
    run_until(&seen.count[RADIO_IN], 1);
    const char *line = strstr(tiny_pf_look(pf)->offer, "m=application ");
    assert_int_equal(sscanf(line, "m=application %u", &there), 1);
    assert_int_equal(radio_floor(r, BCAST_MBCP_REQUEST), POC_E_STATE); /* no CSK yet, and in clear never */
    udp_send(fd, "127.0.0.1", (uint16_t)there, floor_idle, sizeof(floor_idle));
    run_until_refused(1);
    bring_up(RADIO_MCX_BY_REGISTER);
    mcx_srtcp *side = tiny_mcx_side(server, NULL);
    n = protect(side, floor_idle, packet);
    udp_send(fd, "127.0.0.1", (uint16_t)there, packet, n);
    run_until(&seen.ue[POCUE_FLOOR], 1);
    assert_int_equal(seen.key_id, csk());
    udp_send(fd, "127.0.0.1", (uint16_t)there, packet, n); /* again */
    udp_send(fd, "127.0.0.1", (uint16_t)there, floor_idle, sizeof(floor_idle));
    run_until_refused(3);
    assert_int_equal(seen.ue[POCUE_FLOOR], 1);
    assert_int_equal(radio_floor(r, BCAST_MBCP_REQUEST), POC_OK);
    const ssize_t came = recv(fd, got, sizeof(got), 0);
    assert_true(came > 0);
    assert_null(memmem(got, (size_t)came, "PoC1", 4));
    assert_int_equal(mcx_srtcp_unprotect(side, clear, &n, poc_span_of(got, (size_t)came)), POC_OK);
    assert_memory_equal(clear + 8, "PoC1", 4);
    mcx_srtcp_free(side);
    close(fd);
}

/* ---- bearers ---- */

/* UnmapGroupToBearer, or the reverse. */
static size_t mapping(mcx_srtcp *s, mcx_mcmc_type type, uint8_t out[256])
{
    uint8_t clear[MCX_MCMC_MAX];
    poc_wr wr = poc_wr_into(clear, sizeof(clear));
    mcx_mcmc msg = { .type = type,
                     .ssrc = 9,
                     .group = poc_span_str(group),
                     .has_tmgi = true,
                     .audio_line = 2,
                     .floor_line = 1,
                     .audio_port = 6004,
                     .floor_port = 6006,
                     .address_len = 4,
                     .address = { 232, 10, 0, 9 } };
    memcpy(msg.tmgi, tmgi, sizeof(msg.tmgi));
    assert_int_equal(mcx_mcmc_write(&wr, &msg), POC_OK);
    return protect_span(s, poc_span_of(clear, wr.len), out);
}

static void announce(const char *sdp, size_t areas)
{
    uint8_t body[4096];
    char content_type[WIRE_MCX_CONTENT_TYPE_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    wire_mbms_announcement a = {
        .qci = 65, .areas = { 7 }, .area_count = areas, .general_purpose_line = WIRE_MCX_SDP_LINE
    };
    memcpy(a.tmgi, tmgi, sizeof(a.tmgi));
    assert_int_equal(wire_mcx_announcement_write(&wr, content_type, MCX_MCPTT, TINY_MCX_ALICE, &a, poc_span_str(sdp),
                                                 &poc_rng_system),
                     POC_OK);
    tiny_mcx_send_body(server, content_type, poc_span_of(body, wr.len), &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
}

static const char *description(void)
{
    static char sdp[WIRE_MCX_SDP_MAX];
    bcast_channel channel = { .ttl = 1, .port = { 6004, 6006, 0 } };
    poc_wr wr = poc_wr_into(sdp, sizeof(sdp));
    assert_int_equal(poc_addr_parse(&channel.group, poc_span_str("232.10.0.9"), 0), POC_OK);
    assert_int_equal(poc_addr_parse(&channel.source, poc_span_str("127.0.0.1"), 0), POC_OK);
    assert_int_equal(wire_mcx_sdp_write(&wr, MCX_MCPTT, &channel), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    return sdp;
}

static int air_open(void)
{
    uint16_t port;
    unsigned char loop = 1;
    const int fd = udp_open(&port);
    const struct in_addr here = { htonl(INADDR_LOOPBACK) };
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &here, sizeof(here)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof(loop)), 0);
    return fd;
}

static void talk(int fd, uint16_t seq)
{
    uint8_t packet[64];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    bcast_rtp_put(&wr, &(bcast_rtp){ .seq = seq, .ssrc = 77, .payload = poc_span_str("sealed end to end") });
    udp_send(fd, "232.10.0.9", 6004, packet, wr.len);
}

/* MCX-7, MCX-13, MCX-30, MCX-31 */
static void a_bearer_is_listened_to_while_there_is_a_musik_and_its_control_is_under_that(void **state)
{
    (void)state;
    uint8_t packet[256];
    pocue_mcx_mapping heard;
    const tiny_mcx_key musik = { .id = MUSIK + 1, .seed = 1 }, revoked = { MUSIK + 1, 1, 0, true };
    const tiny_mcx_key other = { .id = MUSIK + 2, .seed = 2 };
    pocue_mcx_bearer bearer;
    const int fd = air_open();
    bring_up(RADIO_MCX_BY_REGISTER);
    announce(description(), 1);
    assert_int_equal(at->told_status, 200);
    assert_int_equal(seen.ue[POCUE_JOIN_GROUP], 0); /* no MuSiK: not to be listened to */
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(seen.ue[POCUE_JOIN_GROUP], 1);
    assert_int_equal(pocue_mcx_bearers(radio_ue(r), &bearer, 1), 1);
    assert_true(bearer.is_listened);
    assert_int_equal(bearer.qci, 65);
    assert_int_equal(bearer.areas[0], 7);
    assert_int_equal(bearer.channel.port[BCAST_FLOW_FLOOR], 6006);
    mcx_srtcp *side = tiny_mcx_side(server, &musik), *foreign = tiny_mcx_side(server, &other);
    udp_send(fd, "232.10.0.9", 6006, packet, protect(side, floor_idle, packet));
    run_until(&seen.ue[POCUE_FLOOR], 1);
    assert_true(seen.by_multicast);
    assert_int_equal(seen.key_id, musik.id);
    udp_send(fd, "232.10.0.9", 6006, packet, mapping(side, MCX_MCMC_MAP, packet));
    run_until(&seen.ue[POCUE_MCX_MAPPED], 1);
    assert_true(pocue_mcx_mapping_of(radio_ue(r), group, &heard));
    assert_int_equal(poc_addr_port((struct sockaddr *)&heard.audio), 6004);
    assert_int_equal(poc_addr_port((struct sockaddr *)&heard.floor), 6006);
    assert_memory_equal(heard.tmgi, tmgi, sizeof(tmgi));
    udp_send(fd, "232.10.0.9", 6006, packet, mapping(side, MCX_MCMC_UNMAP, packet));
    run_until(&seen.ue[POCUE_MCX_MAPPED], 2);
    assert_false(pocue_mcx_mapping_of(radio_ue(r), group, &heard));
    talk(fd, 1);
    run_until(&seen.ue[POCUE_PLAY], 1);
    udp_send(fd, "232.10.0.9", 6006, floor_idle, sizeof(floor_idle));
    udp_send(fd, "232.10.0.9", 6006, packet, protect(foreign, floor_idle, packet));
    run_until_refused(2);
    tiny_mcx_send_key(server, &revoked, &(tiny_mcx_way){ .by_notify = false });
    run_until(&seen.ue[POCUE_LEAVE_GROUP], 1);
    assert_int_equal(seen.ue[POCUE_FLOOR], 1);
    mcx_srtcp_free(side);
    mcx_srtcp_free(foreign);
    close(fd);
}

/* MCX-4 */
static void an_announcement_with_a_key_in_it_is_refused_and_one_without_areas_ends_the_bearer(void **state)
{
    (void)state;
    char spoilt[WIRE_MCX_SDP_MAX + 64];
    const tiny_mcx_key musik = { .id = MUSIK + 1, .seed = 1 };
    bring_up(RADIO_MCX_BY_REGISTER);
    tiny_mcx_send_key(server, &musik, &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    snprintf(spoilt, sizeof(spoilt), "%sa=key-mgmt:mikey ARoF\r\n", description());
    const char body[] =
        "<?xml version=\"1.0\"?><mcptt-mbms-usage-info xmlns=\"urn:3gpp:ns:mcpttMbmsUsage:1.0\"><announcement>"
        "<TMGI>00000762f210</TMGI><mbms-service-areas><mbms-service-area-id>0007</mbms-service-area-id>"
        "</mbms-service-areas></announcement></mcptt-mbms-usage-info>";
    char multipart[2048];
    snprintf(multipart, sizeof(multipart),
             "--b\r\nContent-Type: application/vnd.3gpp.mcptt-mbms-usage-info+xml\r\n\r\n%s\r\n--b\r\n"
             "Content-Type: application/sdp\r\n\r\n%s\r\n--b--\r\n",
             body, spoilt);
    tiny_mcx_send_body(server, "multipart/mixed;boundary=b", poc_span_str(multipart),
                       &(tiny_mcx_way){ .by_notify = false });
    run_until_told();
    assert_int_equal(at->told_status, 488);
    assert_int_equal(pocue_mcx_bearers(radio_ue(r), NULL, 0), 0);
    announce(description(), 1);
    assert_int_equal(seen.ue[POCUE_JOIN_GROUP], 1);
    announce("", 0);
    assert_int_equal(at->told_status, 200);
    run_until(&seen.ue[POCUE_LEAVE_GROUP], 1);
    assert_int_equal(pocue_mcx_bearers(radio_ue(r), NULL, 0), 0);
}

/* MCX-12: signed, once there is a CSK. */
static void a_radio_reports_which_bearers_it_hears(void **state)
{
    (void)state;
    pf_open("tcp", true);
    provision();
    bootstrap();
    for (unsigned i = 0; i < 2; i++) {
        if (i == 1)
            bring_up(RADIO_MCX_BY_REGISTER);
        assert_int_equal(radio_mcx_report(r, tmgi, i == 0), POC_OK);
        run_until_answered();
        assert_int_equal(seen.status[RADIO_MCX_ANSWERED], 200);
        assert_string_equal(seen.method, "MESSAGE");
        assert_int_equal(at->messages, i + 1);
        assert_int_equal(at->is_listening, i == 0);
        assert_int_equal(at->is_signed, i == 1);
        assert_memory_equal(at->tmgi, tmgi, sizeof(tmgi));
    }
    says->is_silent = true;
    for (unsigned i = 0; i < RADIO_MCX_REPORTS_MAX; i++)
        assert_int_equal(radio_mcx_report(r, tmgi, true), POC_OK);
    assert_int_equal(radio_mcx_report(r, tmgi, true), POC_E_LIMIT);
}

static void on_nothing(void *user, radio *of, const radio_report *report)
{
    (void)user, (void)of, (void)report;
}

static void who_is_no_mission_critical_user_knows_no_messages(void **state)
{
    (void)state;
    radio_settings settings = {
        .name = "bob", .address = "127.0.0.1", .pf_uri = tiny_pf_uri(pf), .bsf_url = tiny_pf_bsf_url(pf)
    };
    const radio_mcx_settings mcx = settings_of();
    radio_mcx_settings bad = mcx;
    radio *bob;
    pair_settings(&settings.ue);
    assert_int_equal(radio_new(&bob, root, &settings, on_nothing, NULL), POC_OK);
    assert_int_equal(radio_mcx_provision(bob), POC_E_STATE);
    assert_int_equal(radio_mcx_upload(bob, RADIO_MCX_BY_REGISTER), POC_E_STATE);
    assert_int_equal(radio_mcx_log_off(bob), POC_E_STATE);
    assert_int_equal(radio_mcx_report(bob, tmgi, true), POC_E_STATE);
    bad.psi = "nowhere";
    assert_int_equal(radio_mcx_start(bob, &bad), POC_E_INPUT);
    bad = mcx;
    bad.user.server_count = 0;
    assert_int_equal(radio_mcx_start(bob, &bad), POC_E_INPUT);
    assert_int_equal(radio_mcx_start(bob, &mcx), POC_OK);
    radio_free(bob);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_musik_comes_by_message_or_notify_and_is_answered_with_200),
        T(a_key_that_is_altered_or_from_a_stranger_is_refused_with_a_warning),
        T(a_revoked_csk_is_followed_by_a_fresh_one),
        T(a_csk_that_will_expire_is_followed_by_a_fresh_one_before),
        T(floor_control_of_a_session_is_under_the_csk_both_ways_and_never_in_clear),
        T(a_bearer_is_listened_to_while_there_is_a_musik_and_its_control_is_under_that),
        T(an_announcement_with_a_key_in_it_is_refused_and_one_without_areas_ends_the_bearer),
        T(a_radio_reports_which_bearers_it_hears),
        T(who_is_no_mission_critical_user_knows_no_messages),
    };
    return cmocka_run_group_tests(tests, all_open, all_close);
}
