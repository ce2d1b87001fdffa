/* MIKEY datagrams on loopback: what is pushed arrives, what is answered is heard, and a flood costs nobody else anything.
 * Waits for datagrams, never for time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/push.h"
#include "pf/io/sources.h"

/* ---- a network that can be full ---- */

static unsigned full_calls;  /* the next calls find no room */
static unsigned unreachable; /* the next calls fail for their first datagram */

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    if (full_calls > 0) {
        full_calls--;
        errno = EAGAIN;
        return -1;
    }
    if (unreachable > 0) {
        unreachable--;
        errno = ENETUNREACH;
        return -1;
    }
    return __real_sendmmsg(fd, messages, n, flags);
}

/* ---- the world: one push, and the last thing it heard ---- */

typedef struct world {
    su_root_t *root;
    push *push;
    size_t heard, writable;
    bool refuse;
    uint8_t address[PUSH_ADDRESS_MAX];
    size_t address_len;
    uint8_t octets[PUSH_OCTETS_MAX];
    size_t len;
} world;

static void on_heard(void *user, push_datagram *datagrams, size_t n)
{
    world *w = (world *)user;
    w->heard += n;
    for (size_t i = 0; i < n; i++)
        datagrams[i].is_refused = w->refuse;
    memcpy(w->address, datagrams[n - 1].address, datagrams[n - 1].address_len);
    w->address_len = datagrams[n - 1].address_len;
    memcpy(w->octets, datagrams[n - 1].octets.p, datagrams[n - 1].octets.n);
    w->len = datagrams[n - 1].octets.n;
}

static void on_writable(void *user)
{
    ((world *)user)->writable++;
}

static const push_events events = { .heard = on_heard, .writable = on_writable };

static struct sockaddr_storage address(const char *host, uint16_t port)
{
    struct sockaddr_storage a;
    assert_int_equal(poc_addr_parse(&a, poc_span_str(host), port), POC_OK);
    return a;
}

static void world_make(world *w, bool looped, uint32_t refused_per_source_s)
{
    push_settings settings = { .listen = { address("127.0.0.1", 0), address("::1", 0) },
                               .listen_count = 2,
                               .refused_per_source_s = refused_per_source_s };
    *w = (world){ 0 };
    full_calls = unreachable = 0;
    if (looped)
        assert_non_null(w->root = su_root_create(NULL));
    assert_int_equal(push_new(&w->push, w->root, &settings, &events, w), POC_OK);
}

static void world_end(world *w)
{
    push_free(w->push);
    if (w->root != NULL)
        su_root_destroy(w->root);
}

/** A client: a socket of its own and its packed address. */
typedef struct client {
    int fd;
    uint8_t address[PUSH_ADDRESS_MAX];
    size_t address_len;
} client;

static client client_make(const char *host)
{
    const int octets = 4 * 1024 * 1024;
    struct sockaddr_storage at = address(host, 0);
    socklen_t n = sizeof(at);
    client c = { .fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
    assert_true(c.fd >= 0);
    (void)setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    assert_int_equal(bind(c.fd, (struct sockaddr *)&at, poc_addr_len((struct sockaddr *)&at)), 0);
    assert_int_equal(getsockname(c.fd, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(push_address_pack(c.address, &c.address_len, (struct sockaddr *)&at), POC_OK);
    return c;
}

static void client_gets(const client *c, const char *text)
{
    char got[PUSH_OCTETS_MAX + 1] = "";
    struct pollfd wait = { .fd = c->fd, .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 10000), 1);
    ssize_t n = recv(c->fd, got, sizeof(got) - 1, 0);
    assert_int_equal((size_t)n, strlen(text));
    assert_string_equal(got, text);
}

static void client_says(const client *c, const world *w, const void *octets, size_t n)
{
    struct sockaddr_storage to;
    assert_int_equal(push_address_unpack(&to, c->address, c->address_len), POC_OK);
    poc_addr_set_port((struct sockaddr *)&to, push_port(w->push, to.ss_family)); /* the same host */
    assert_int_equal(sendto(c->fd, octets, n, 0, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), n);
}

static void hear_one(const world *w)
{
    struct pollfd wait[2] = { { .fd = push_fd(w->push, AF_INET), .events = POLLIN },
                              { .fd = push_fd(w->push, AF_INET6), .events = POLLIN } };
    assert_true(poll(wait, 2, 10000) > 0);
    assert_int_equal(push_hear(w->push), 1);
}

static poc_err say(const world *w, const client *c, const char *text)
{
    return push_send(w->push, c->address, c->address_len, poc_span_str(text));
}

/* ---- addresses ---- */

static void an_address_comes_back_as_it_was_packed(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        uint16_t port;
        size_t len;
    } rows[] = { { "192.0.2.7", 2269, 8 }, { "2001:db8::7", 2269, 20 }, { "127.0.0.1", 65535, 8 }, { "::1", 1, 20 } };
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        struct sockaddr_storage in = address(rows[i].host, rows[i].port), out;
        uint8_t packed[PUSH_ADDRESS_MAX];
        size_t len = 0;
        assert_int_equal(push_address_pack(packed, &len, (struct sockaddr *)&in), POC_OK);
        assert_int_equal(len, rows[i].len);
        assert_int_equal(push_address_unpack(&out, packed, len), POC_OK);
        assert_true(poc_addr_eq((struct sockaddr *)&in, (struct sockaddr *)&out));
    }
}

static void an_address_mapped_into_ip6_is_the_ip4_one(void **state)
{
    (void)state;
    struct sockaddr_storage mapped = address("::ffff:192.0.2.7", 2269), plain = address("192.0.2.7", 2269);
    uint8_t a[PUSH_ADDRESS_MAX], b[PUSH_ADDRESS_MAX];
    size_t a_len, b_len;
    assert_int_equal(push_address_pack(a, &a_len, (struct sockaddr *)&mapped), POC_OK);
    assert_int_equal(push_address_pack(b, &b_len, (struct sockaddr *)&plain), POC_OK);
    assert_int_equal(a_len, b_len);
    assert_memory_equal(a, b, a_len);
}

static void nobody_is_pushed_to_a_group_or_to_nowhere(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "0.0.0.0", "239.1.2.3", "255.255.255.255", "::", "ff02::1", "::ffff:224.0.0.1"
    };
    uint8_t packed[PUSH_ADDRESS_MAX];
    size_t len;
    for (size_t i = 0; i < POC_COUNT(hosts); i++) {
        struct sockaddr_storage a = address(hosts[i], 2269);
        assert_int_equal(push_address_pack(packed, &len, (struct sockaddr *)&a), POC_E_INPUT);
    }
    struct sockaddr_storage no_port = address("192.0.2.7", 0);
    assert_int_equal(push_address_pack(packed, &len, (struct sockaddr *)&no_port), POC_E_INPUT);
}

static void what_was_not_packed_is_no_address(void **state)
{
    (void)state;
    static const uint8_t octets[PUSH_ADDRESS_MAX] = { 4, 0, 8, 0xDD, 192, 0, 2, 7 };
    struct sockaddr_storage out;
    for (size_t len = 0; len <= sizeof(octets); len++)
        assert_int_equal(push_address_unpack(&out, octets, len), len == 8 ? POC_OK : POC_E_INPUT);
}

/* ---- pushing ---- */

/* MBMS-8 */
static void datagrams_reach_both_families_as_they_were_given(void **state)
{
    (void)state;
    world w;
    world_make(&w, false, 0);
    client four = client_make("127.0.0.1"), six = client_make("::1");
    assert_int_equal(say(&w, &four, "to four"), POC_OK);
    assert_int_equal(say(&w, &six, "to six"), POC_OK);
    assert_true(push_flush(w.push));
    client_gets(&four, "to four");
    client_gets(&six, "to six");
    (void)close(four.fd);
    (void)close(six.fd);
    world_end(&w);
}

static void a_batch_takes_one_system_call(void **state)
{
    (void)state;
    world w;
    world_make(&w, false, 0);
    client c = client_make("127.0.0.1");
    for (unsigned i = 0; i < 3 * PUSH_BATCH; i++)
        assert_int_equal(say(&w, &c, "MSK"), POC_OK);
    push_counts counts = push_look(w.push);
    assert_int_equal(counts.sent, 3 * PUSH_BATCH);
    assert_int_equal(counts.system_calls, 3);
    for (unsigned i = 0; i < 3 * PUSH_BATCH; i++)
        client_gets(&c, "MSK");
    (void)close(c.fd);
    world_end(&w);
}

static void a_full_network_makes_the_sender_wait_and_loses_nothing(void **state)
{
    (void)state;
    world w;
    world_make(&w, true, 0);
    client c = client_make("127.0.0.1");
    full_calls = 2;
    for (unsigned i = 0; i < PUSH_BATCH; i++)
        assert_int_equal(say(&w, &c, "MSK"), POC_OK);
    assert_true(push_is_full(w.push));
    assert_int_equal(say(&w, &c, "one too many"), POC_E_STATE);
    while (w.writable == 0)
        (void)su_root_step(w.root, 1000);
    assert_false(push_is_full(w.push));
    assert_int_equal(push_look(w.push).sent, PUSH_BATCH);
    assert_int_equal(push_look(w.push).blocked, 2);
    assert_int_equal(push_look(w.push).send_errors, 0);
    for (unsigned i = 0; i < PUSH_BATCH; i++)
        client_gets(&c, "MSK");
    (void)close(c.fd);
    world_end(&w);
}

static void a_network_that_stays_full_loses_datagrams_and_holds_nobody_up(void **state)
{
    (void)state;
    world w;
    world_make(&w, true, 0);
    client c = client_make("127.0.0.1");
    full_calls = UINT32_MAX;
    for (unsigned i = 0; i < PUSH_BATCH; i++)
        assert_int_equal(say(&w, &c, "MSK"), POC_OK);
    while (w.writable == 0)
        (void)su_root_step(w.root, 1000);
    assert_int_equal(push_look(w.push).send_errors, PUSH_BATCH);
    for (unsigned i = 0; i < 2 * PUSH_BATCH; i++) /* from now on nobody waits */
        assert_int_equal(say(&w, &c, "MSK"), POC_OK);
    assert_int_equal(push_look(w.push).send_errors, 3 * PUSH_BATCH);
    full_calls = 0;
    assert_int_equal(say(&w, &c, "later"), POC_OK);
    assert_true(push_flush(w.push));
    client_gets(&c, "later");
    full_calls = 1; /* it has recovered: now it is waited for again */
    assert_int_equal(say(&w, &c, "patient"), POC_OK);
    assert_false(push_flush(w.push));
    assert_true(push_flush(w.push));
    client_gets(&c, "patient");
    (void)close(c.fd);
    world_end(&w);
}

static void one_that_cannot_be_reached_does_not_stop_the_others(void **state)
{
    (void)state;
    world w;
    world_make(&w, false, 0);
    client c = client_make("127.0.0.1");
    unreachable = 1;
    assert_int_equal(say(&w, &c, "first"), POC_OK);
    assert_int_equal(say(&w, &c, "second"), POC_OK);
    assert_true(push_flush(w.push));
    client_gets(&c, "second");
    assert_int_equal(push_look(w.push).send_errors, 1);
    (void)close(c.fd);
    world_end(&w);
}

static void what_cannot_be_sent_is_refused_at_once(void **state)
{
    (void)state;
    static const uint8_t long_one[PUSH_OCTETS_MAX + 1];
    push_settings settings = { .listen = { address("127.0.0.1", 0) }, .listen_count = 1 };
    world w = { 0 };
    assert_int_equal(push_new(&w.push, NULL, &settings, &events, &w), POC_OK);
    client four = client_make("127.0.0.1"), six = client_make("::1");
    assert_int_equal(push_send(w.push, four.address, four.address_len, poc_span_of(long_one, sizeof(long_one))),
                     POC_E_LIMIT);
    assert_int_equal(say(&w, &six, "no socket for it"), POC_E_IO);
    assert_int_equal(push_send(w.push, "?", 1, poc_span_str("")), POC_E_INPUT);
    assert_true(push_flush(w.push));
    assert_int_equal(push_look(w.push).sent, 0);
    (void)close(four.fd);
    (void)close(six.fd);
    world_end(&w);
}

static void two_sockets_of_one_family_are_refused(void **state)
{
    (void)state;
    push_settings settings = { .listen = { address("127.0.0.1", 0), address("127.0.0.2", 0) }, .listen_count = 2 };
    push *p;
    assert_int_equal(push_new(&p, NULL, &settings, &events, NULL), POC_E_INPUT);
    assert_null(p);
}

static void a_port_that_is_taken_is_named_by_errno(void **state)
{
    (void)state;
    world w;
    world_make(&w, false, 0);
    push_settings settings = { .listen = { address("127.0.0.1", push_port(w.push, AF_INET)) }, .listen_count = 1 };
    push *p;
    assert_int_equal(push_new(&p, NULL, &settings, &events, NULL), POC_E_IO);
    assert_int_equal(errno, EADDRINUSE);
    world_end(&w);
}

/* ---- hearing ---- */

/* MBMS-7 */
static void an_answer_is_heard_with_the_address_it_was_pushed_to(void **state)
{
    (void)state;
    static const char *const hosts[] = { "127.0.0.1", "::1" };
    for (size_t i = 0; i < POC_COUNT(hosts); i++) {
        world w;
        world_make(&w, true, 0);
        client c = client_make(hosts[i]);
        client_says(&c, &w, "verified", 8);
        while (w.heard == 0)
            (void)su_root_step(w.root, 1000);
        assert_int_equal(w.address_len, c.address_len);
        assert_memory_equal(w.address, c.address, c.address_len);
        assert_int_equal(w.len, 8);
        assert_memory_equal(w.octets, "verified", 8);
        (void)close(c.fd);
        world_end(&w);
    }
}

static void answers_that_hold_are_not_bounded(void **state)
{
    (void)state;
    world w;
    world_make(&w, false, 5);
    client c = client_make("127.0.0.1");
    for (int i = 0; i < 500; i++)
        client_says(&c, &w, "verified", 8);
    while (w.heard < 500)
        (void)push_hear(w.push);
    assert_int_equal(push_look(w.push).ignored, 0);
    (void)close(c.fd);
    world_end(&w);
}

static void a_source_of_garbage_is_ignored_and_its_neighbour_heard(void **state)
{
    (void)state;
    world w;
    world_make(&w, false, 5);
    client flood = client_make("127.0.0.1"), neighbour = client_make("127.0.0.1");
    w.refuse = true;
    for (int i = 0; i < 100; i++) {
        client_says(&flood, &w, "garbage", 7);
        hear_one(&w);
    }
    push_counts counts = push_look(w.push);
    assert_int_equal(counts.heard, 100);
    assert_int_equal(counts.refused + counts.ignored, 100);
    assert_true(counts.ignored >= 80); /* at most three seconds are touched */
    w.refuse = false;
    size_t before = w.heard;
    client_says(&neighbour, &w, "verified", 8);
    hear_one(&w);
    assert_int_equal(w.heard, before + 1);
    (void)close(flood.fd);
    (void)close(neighbour.fd);
    world_end(&w);
}

static void a_datagram_that_is_cut_is_not_handed_on(void **state)
{
    (void)state;
    static const uint8_t long_one[PUSH_OCTETS_MAX + 1];
    world w;
    world_make(&w, false, 0);
    client c = client_make("127.0.0.1");
    client_says(&c, &w, long_one, sizeof(long_one));
    hear_one(&w);
    assert_int_equal(w.heard, 0);
    assert_int_equal(push_look(w.push).refused, 1);
    client_says(&c, &w, long_one, sizeof(long_one) - 1);
    hear_one(&w);
    assert_int_equal(w.heard, 1);
    (void)close(c.fd);
    world_end(&w);
}

/* ---- sources ---- */

static void a_source_is_counted_by_itself_and_by_the_second(void **state)
{
    (void)state;
    sources *s;
    struct sockaddr_storage a = address("192.0.2.1", 1), b = address("192.0.2.2", 1),
                            mapped = address("::ffff:192.0.2.1", 9);
    poc_span one = sources_host((struct sockaddr *)&a), other = sources_host((struct sockaddr *)&b);
    assert_int_equal(sources_new(&s), POC_OK);
    for (uint32_t i = 1; i <= 10; i++)
        assert_int_equal(sources_add(s, one, 100), i);
    assert_int_equal(sources_look(s, other, 100), 0);
    assert_int_equal(sources_add(s, other, 100), 1);
    assert_int_equal(sources_add(s, sources_host((struct sockaddr *)&mapped), 100), 11);
    assert_int_equal(sources_look(s, one, 101), 0);
    assert_int_equal(sources_add(s, one, 101), 1);
    sources_free(s);
}

static void hosts_of_one_ip6_network_are_one_source(void **state)
{
    (void)state;
    struct sockaddr_storage a = address("2001:db8:1:2::1", 1), b = address("2001:db8:1:2:ffff::9", 1),
                            c = address("2001:db8:1:3::1", 1);
    assert_true(poc_span_eq(sources_host((struct sockaddr *)&a), sources_host((struct sockaddr *)&b)));
    assert_false(poc_span_eq(sources_host((struct sockaddr *)&a), sources_host((struct sockaddr *)&c)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_comes_back_as_it_was_packed),
        cmocka_unit_test(an_address_mapped_into_ip6_is_the_ip4_one),
        cmocka_unit_test(nobody_is_pushed_to_a_group_or_to_nowhere),
        cmocka_unit_test(what_was_not_packed_is_no_address),
        cmocka_unit_test(datagrams_reach_both_families_as_they_were_given),
        cmocka_unit_test(a_batch_takes_one_system_call),
        cmocka_unit_test(a_full_network_makes_the_sender_wait_and_loses_nothing),
        cmocka_unit_test(a_network_that_stays_full_loses_datagrams_and_holds_nobody_up),
        cmocka_unit_test(one_that_cannot_be_reached_does_not_stop_the_others),
        cmocka_unit_test(what_cannot_be_sent_is_refused_at_once),
        cmocka_unit_test(two_sockets_of_one_family_are_refused),
        cmocka_unit_test(a_port_that_is_taken_is_named_by_errno),
        cmocka_unit_test(an_answer_is_heard_with_the_address_it_was_pushed_to),
        cmocka_unit_test(answers_that_hold_are_not_bounded),
        cmocka_unit_test(a_source_of_garbage_is_ignored_and_its_neighbour_heard),
        cmocka_unit_test(a_datagram_that_is_cut_is_not_handed_on),
        cmocka_unit_test(a_source_is_counted_by_itself_and_by_the_second),
        cmocka_unit_test(hosts_of_one_ip6_network_are_one_source),
    };
    su_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    su_deinit();
    return failed;
}
