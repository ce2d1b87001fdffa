/* The content source of a channel: packets of listed sources reach the protector as they are, others nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "pf/io/content.h"

typedef struct world {
    su_root_t *root;
    content *content;
    unsigned fed[BCAST_FLOW_COUNT];
    uint8_t last[BCAST_PACKET_MAX];
    size_t last_len;
} world;

static struct sockaddr_storage address(const char *host, uint16_t port)
{
    struct sockaddr_storage a;
    assert_int_equal(poc_addr_parse(&a, poc_span_str(host), port), POC_OK);
    return a;
}

static void on_packet(void *user, const char *channel, bcast_flow flow, poc_span packet)
{
    world *w = (world *)user;
    assert_string_equal(channel, "tunnel");
    w->fed[flow]++;
    memcpy(w->last, packet.p, packet.n);
    w->last_len = packet.n;
}

static void make(world *w, const struct sockaddr_storage *source, size_t count)
{
    content_settings settings = { .channel = "tunnel",
                                  .listen = { address("127.0.0.1", 0), address("127.0.0.1", 0) },
                                  .source_count = count };
    memcpy(settings.source, source, count * sizeof(*source));
    *w = (world){ .root = su_root_create(NULL) };
    assert_int_equal(content_new(&w->content, w->root, &settings, on_packet, w), POC_OK);
}

static void end(world *w)
{
    content_free(w->content);
    su_root_destroy(w->root);
}

static int source_make(const char *host, uint16_t *port)
{
    struct sockaddr_storage at = address(host, 0);
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, poc_addr_len((struct sockaddr *)&at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    if (port != NULL)
        *port = poc_addr_port((struct sockaddr *)&at);
    return fd;
}

static void say(const world *w, int fd, relay_kind kind, const void *octets, size_t n)
{
    struct sockaddr_storage to = address("127.0.0.1", content_port(w->content, kind));
    assert_int_equal(sendto(fd, octets, n, 0, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), n);
}

/** Turns the loop until so many packets were taken or dropped. */
static void turn(world *w, uint64_t packets)
{
    while (content_look(w->content).packets + content_look(w->content).foreign_dropped < packets)
        (void)su_root_step(w->root, 1000);
}

static void packets_of_a_listed_source_reach_the_protector_unchanged(void **state)
{
    (void)state;
    world w;
    struct sockaddr_storage source = address("127.0.0.5", 0);
    int fd = source_make("127.0.0.5", NULL);
    make(&w, &source, 1);
    say(&w, fd, RELAY_AUDIO, "clear rtp", 9);
    turn(&w, 1);
    assert_int_equal(w.fed[BCAST_FLOW_RTP], 1);
    assert_int_equal(w.last_len, 9);
    assert_memory_equal(w.last, "clear rtp", 9);
    say(&w, fd, RELAY_FLOOR, "floor", 5);
    turn(&w, 2);
    assert_int_equal(w.fed[BCAST_FLOW_FLOOR], 1);
    (void)close(fd);
    end(&w);
}

static void packets_of_others_reach_nobody(void **state)
{
    (void)state;
    world w;
    struct sockaddr_storage source = address("127.0.0.5", 0);
    int fd = source_make("127.0.0.6", NULL);
    make(&w, &source, 1);
    say(&w, fd, RELAY_AUDIO, "clear rtp", 9);
    say(&w, fd, RELAY_FLOOR, "floor", 5);
    turn(&w, 2);
    assert_int_equal(w.fed[BCAST_FLOW_RTP] + w.fed[BCAST_FLOW_FLOOR], 0);
    assert_int_equal(content_look(w.content).foreign_dropped, 2);
    (void)close(fd);
    end(&w);
}

static void a_source_listed_with_its_port_is_that_port_only(void **state)
{
    (void)state;
    world w;
    uint16_t port;
    int listed = source_make("127.0.0.5", &port), other = source_make("127.0.0.5", NULL);
    struct sockaddr_storage source[2] = { address("127.0.0.9", 0), address("127.0.0.5", port) };
    make(&w, source, 2);
    say(&w, other, RELAY_AUDIO, "other", 5);
    say(&w, listed, RELAY_AUDIO, "listed", 6);
    turn(&w, 2);
    assert_int_equal(w.fed[BCAST_FLOW_RTP], 1);
    assert_memory_equal(w.last, "listed", 6);
    (void)close(listed);
    (void)close(other);
    end(&w);
}

static void a_packet_that_is_cut_is_dropped(void **state)
{
    (void)state;
    static const uint8_t long_one[BCAST_PACKET_MAX + 1];
    world w;
    struct sockaddr_storage source = address("127.0.0.5", 0);
    int fd = source_make("127.0.0.5", NULL);
    make(&w, &source, 1);
    say(&w, fd, RELAY_AUDIO, long_one, sizeof(long_one));
    say(&w, fd, RELAY_AUDIO, long_one, sizeof(long_one) - 1);
    turn(&w, 2);
    assert_int_equal(w.fed[BCAST_FLOW_RTP], 1);
    assert_int_equal(w.last_len, BCAST_PACKET_MAX);
    (void)close(fd);
    end(&w);
}

static void a_port_that_is_taken_is_named_by_errno(void **state)
{
    (void)state;
    world w;
    content *second;
    struct sockaddr_storage source = address("127.0.0.5", 0);
    make(&w, &source, 1);
    content_settings settings = { .channel = "tunnel",
                                  .listen = { address("127.0.0.1", content_port(w.content, RELAY_AUDIO)) } };
    assert_int_equal(content_new(&second, w.root, &settings, on_packet, &w), POC_E_IO);
    assert_int_equal(errno, EADDRINUSE);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_a_listed_source_reach_the_protector_unchanged),
        cmocka_unit_test(packets_of_others_reach_nobody),
        cmocka_unit_test(a_source_listed_with_its_port_is_that_port_only),
        cmocka_unit_test(a_packet_that_is_cut_is_dropped),
        cmocka_unit_test(a_port_that_is_taken_is_named_by_errno),
    };
    su_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    su_deinit();
    return failed;
}
