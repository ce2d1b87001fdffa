/* The relay with an engine behind its guard: floor control of a user who has a CSK, on loopback. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/mcx_floor.h"
#include "pf/io/now.h"
#include "tests/unit/core/mcx_office.h"

#define ALICE_CSK 0x20000a11u

typedef struct party {
    int fd;
    struct sockaddr_storage addr;
} party;

typedef struct bench {
    su_root_t *root;
    relay *relay;
    relay_session *session;
    party party[RELAY_SIDES];
    office *office;
    wire_mcx_floor *floor;
} bench;

static const uint8_t request[] = { 0x80, 204, 0, 3, 0xa1, 0x1c, 0xe0, 1, 'M', 'C', 'P', 'T', 0, 2, 5, 0 };
static const uint8_t granted[] = { 0x81, 204, 0, 3, 0x0c, 0xf0, 0, 1, 'M', 'C', 'P', 'T', 1, 2, 0, 30 };

static void on_feed(void *user, const char *channel, bcast_flow flow, poc_span packet)
{
    (void)user;
    (void)channel;
    (void)flow;
    (void)packet;
}

static void party_open(party *p)
{
    socklen_t n = sizeof(p->addr);
    assert_int_equal(poc_addr_parse(&p->addr, poc_span_str("127.0.0.1"), 0), POC_OK);
    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&p->addr, poc_addr_len((struct sockaddr *)&p->addr)), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&p->addr, &n), 0);
}

static bench *bench_new(void **state)
{
    static const relay_settings settings = {
        .address = "127.0.0.1", .port_min = 43201, .port_max = 43220, .sessions_max = 2, .feed_silence_ms = 400
    };
    bench *b = (bench *)calloc(1, sizeof(*b));
    assert_non_null(b);
    su_init();
    b->root = su_root_create(NULL);
    assert_int_equal(relay_new(&b->relay, b->root, &settings, on_feed, b), POC_OK);
    assert_int_equal(relay_session_new(&b->session, b->relay), POC_OK);
    for (int side = 0; side < RELAY_SIDES; side++) {
        party_open(&b->party[side]);
        relay_session_peer(b->session, (relay_side)side, RELAY_FLOOR, (struct sockaddr *)&b->party[side].addr);
    }
    b->office = office_new((mcx_town *)*state);
    office_boot(b->office);
    assert_int_equal(wire_mcx_floor_new(&b->floor, b->office->pf, 7), POC_OK);
    return b;
}

static void bench_free(bench *b)
{
    relay_free(b->relay);
    wire_mcx_floor_free(b->floor);
    office_free(b->office);
    for (int side = 0; side < RELAY_SIDES; side++)
        (void)close(b->party[side].fd);
    su_root_destroy(b->root);
    su_deinit();
    free(b);
}

static void send_from(bench *b, relay_side side, const void *p, size_t n)
{
    const struct sockaddr *to = relay_session_local(b->session, side, RELAY_FLOOR);
    assert_int_equal(sendto(b->party[side].fd, p, n, 0, to, poc_addr_len(to)), (ssize_t)n);
}

static size_t receive(bench *b, relay_side side, uint8_t out[MCX_SRTCP_MAX])
{
    struct pollfd at = { .fd = b->party[side].fd, .events = POLLIN };
    for (int turn = 0; turn < 1000 && poll(&at, 1, 0) == 0; turn++)
        (void)su_root_step(b->root, 10);
    ssize_t n = recv(at.fd, out, MCX_SRTCP_MAX, 0);
    assert_true(n > 0);
    return (size_t)n;
}

static mcx_srtcp *client_of(const bench *b)
{
    pocpf_csk_status status = { .size = sizeof(status) };
    mcx_srtcp *s;
    assert_int_equal(pocpf_csk_look(b->office->pf, ALICE_IMPU, 0, &status), POCPF_OK);
    const mcx_srtp_context context = { .csb_id = status.csk_id,
                                       .cs_id = status.cs_id,
                                       .rand = poc_span_of(status.rand, status.rand_len) };
    assert_int_equal(mcx_srtcp_new(&s, (const poc_secret *)status.key, &context, &mcx_aes128_gcm), POC_OK);
    return s;
}

/* MCX-6, MCX-12 */
static void a_user_with_a_csk_is_relayed_under_it(void **state)
{
    bench *b = bench_new(state);
    uint8_t octets[MCX_SRTCP_MAX], got[MCX_SRTCP_MAX];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    assert_int_equal(mcx_floor_guard(b->floor, b->session, ALICE_IMPU, false), POC_E_STATE);
    send_from(b, RELAY_CLIENT, request, sizeof(request)); /* he has none yet, and nothing is asked of him */
    assert_int_equal(receive(b, RELAY_CF, got), sizeof(request));
    assert_int_equal(office_bring(b->office, &b->office->town->alice, ALICE_IMPU, ALICE_CSK), POCPF_OK);
    office_run(b->office);
    mcx_srtcp *alice = client_of(b);
    assert_int_equal(mcx_floor_guard(b->floor, b->session, ALICE_IMPU, false), POC_OK);
    assert_int_equal(mcx_floor_guard(b->floor, b->session, ALICE_IMPU, false), POC_OK);
    assert_int_equal(mcx_srtcp_protect(alice, &wr, poc_span_of(request, sizeof(request))), POC_OK);
    send_from(b, RELAY_CLIENT, request, sizeof(request)); /* in clear */
    send_from(b, RELAY_CLIENT, octets, wr.len);
    send_from(b, RELAY_CLIENT, octets, wr.len); /* repeated */
    assert_int_equal(receive(b, RELAY_CF, got), sizeof(request));
    assert_memory_equal(got, request, sizeof(request));
    for (int turn = 0; turn < 1000 && relay_look(b->relay).guard_refused < 2; turn++)
        (void)su_root_step(b->root, 10);
    assert_int_equal(relay_look(b->relay).guard_refused, 2);
    mcx_srtcp_free(alice);
    bench_free(b);
}

/** Both sides send in clear, and neither hears anything. */
static void nothing_passes(bench *b)
{
    uint8_t got[MCX_SRTCP_MAX];
    send_from(b, RELAY_CF, granted, sizeof(granted));
    send_from(b, RELAY_CLIENT, request, sizeof(request));
    for (int turn = 0; turn < 1000; turn++) {
        const relay_counts counts = relay_look(b->relay);
        if (counts.guard_refused + counts.guard_unsealed == 2)
            break;
        (void)su_root_step(b->root, 10);
    }
    assert_int_equal(relay_look(b->relay).guard_refused, 1);
    assert_int_equal(relay_look(b->relay).guard_unsealed, 1);
    assert_int_equal(recv(b->party[RELAY_CLIENT].fd, got, sizeof(got), 0), -1);
    assert_int_equal(recv(b->party[RELAY_CF].fd, got, sizeof(got), 0), -1);
}

/* MCX-6: who loses his CSK in a session does not get floor control in clear. */
static void without_his_csk_nothing_more_passes(void **state)
{
    bench *b = bench_new(state);
    assert_int_equal(office_bring(b->office, &b->office->town->alice, ALICE_IMPU, ALICE_CSK), POCPF_OK);
    office_run(b->office);
    assert_int_equal(mcx_floor_guard(b->floor, b->session, ALICE_IMPU, false), POC_OK);
    assert_int_equal(pocpf_mcx_logged_off(b->office->pf, b->office->now_ms, ALICE_IMPU), POCPF_OK);
    office_run(b->office);
    nothing_passes(b);
    bench_free(b);
}

/* MCX-6: nor does who begins a session when his CSK has run out. */
static void who_is_registered_without_a_csk_in_force_is_guarded(void **state)
{
    bench *b = bench_new(state);
    assert_int_equal(mcx_floor_guard(b->floor, b->session, ALICE_IMPU, true), POC_OK);
    nothing_passes(b);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_with_a_csk_is_relayed_under_it),
        cmocka_unit_test(without_his_csk_nothing_more_passes),
        cmocka_unit_test(who_is_registered_without_a_csk_in_force_is_guarded),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
