/* The SIP shell against peers that do not play by the rules, on raw sockets: what comes in cut, changed, too big, too often
 * or twice harms nobody else. Every test ends with an honest client that still gets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <sofia-sip/su_log.h>

#include "base/text.h"
#include "tests/support/rng.h"
#include "tests/unit/io/sip_world.h"
/* after it: looks inside */
#include "pf/io/sip_private.h"

#define CORE     "127.0.0.2" /* trusted by the world's settings: gets past the digest */
#define STRANGER "127.0.0.3"

enum { BIG = 80000, TEXT_MAX = BIG + 4096, MUTATIONS = 1500, FLOOD = 400, CONNECTIONS = 40, PATIENCE_MS = 60000 };

static const world_options over_udp = { .transport = "udp" };

/* ---- raw sockets ---- */

typedef struct raw {
    world *world;
    int fd;
    const char *host;
    uint16_t port;
    char heard[16384];
} raw;

static struct sockaddr_in at(const char *host, uint16_t port)
{
    struct sockaddr_storage out;
    struct sockaddr_in in;
    assert_int_equal(poc_addr_parse(&out, poc_span_str(host), port), POC_OK);
    memcpy(&in, &out, sizeof(in));
    return in;
}

static raw raw_open(world *w, const char *host, int type)
{
    struct sockaddr_in here = at(host, 0), pf = at("127.0.0.1", world_port());
    socklen_t len = sizeof(here);
    raw r = { .world = w, .host = host, .fd = socket(AF_INET, type | SOCK_CLOEXEC, 0) };
    assert_true(r.fd >= 0);
    assert_int_equal(bind(r.fd, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(getsockname(r.fd, (struct sockaddr *)&here, &len), 0);
    r.port = ntohs(here.sin_port);
    assert_int_equal(connect(r.fd, (struct sockaddr *)&pf, sizeof(pf)), 0);
    return r;
}

static void raw_send(raw *r, const void *data, size_t n)
{
    /* A connection that the PF has closed already is an answer, too. */
    (void)send(r->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    su_root_step(r->world->root, 0);
}

/* The next message, or "" when none came for a while. */
static const char *raw_hear(raw *r)
{
    r->heard[0] = '\0';
    for (int i = 0; i < 50; i++) {
        ssize_t n = recv(r->fd, r->heard, sizeof(r->heard) - 1, MSG_DONTWAIT);
        if (n > 0) {
            r->heard[n] = '\0';
            return r->heard;
        }
        su_root_step(r->world->root, 10);
    }
    return r->heard;
}

static void rounds(world *w, int n)
{
    for (int i = 0; i < n; i++)
        su_root_step(w->root, 1);
}

/* ---- messages ---- */

/* An INVITE of the CF for Alice; a field of NULL takes the usual one, "" leaves it out. */
typedef struct invite {
    const char *start, *from, *to, *cseq, *contact, *more, *length;
    const char *body;
} invite;

static const char *field(const char *given, const char *usual)
{
    return given != NULL ? given : usual;
}

static size_t invite_write(char *out, const raw *r, const invite *v)
{
    static uint32_t number;
    char usual_length[64], start[192], contact[128];
    const char *body = field(v->body, world_answer);
    number++;
    (void)snprintf(usual_length, sizeof(usual_length), "Content-Length: %zu\r\n", strlen(body));
    (void)snprintf(start, sizeof(start), "INVITE %s SIP/2.0\r\n", r->world->client.url);
    (void)snprintf(contact, sizeof(contact), "Contact: <sip:cf@%s:%u>\r\n", r->host, r->port);
    int n = snprintf(out, TEXT_MAX,
                     "%sVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKraw%u;rport\r\nMax-Forwards: 70\r\n%s%s"
                     "Call-ID: raw-%u@%s\r\n%s%s%sContent-Type: application/sdp\r\n%s\r\n%s",
                     field(v->start, start), r->host, r->port, number,
                     field(v->from, "From: <" WORLD_GROUP ">;tag=raw\r\n"), field(v->to, "To: <" WORLD_ALICE ">\r\n"),
                     number, r->host, field(v->cseq, "CSeq: 1 INVITE\r\n"), field(v->contact, contact),
                     field(v->more, ""), field(v->length, usual_length), body);
    assert_in_range(n, 1, TEXT_MAX - 1);
    return (size_t)n;
}

/* Nothing stands after it, nobody was up in between, and an honest client joins. */
static void end_with_an_honest_join(world *w)
{
    for (int64_t end = sip_now_ms() + 8000; sip_look(w->sip).sessions > 0 && sip_now_ms() < end;)
        su_root_step(w->root, 20);
    assert_int_equal(sip_look(w->sip).sessions, 0);
    assert_int_equal(w->ups, 0);
    world_join(w);
    world_stop(w);
}

static void start(world *w, const world_options *options)
{
    world_start(w, options);
    nta_agent_set_params(w->sip->agent, NTATAG_SIP_T1(20), NTATAG_SIP_T1X64(300), TAG_END());
    w->client.answer_busy = true; /* whoever reaches Alice has not got through to a session */
}

/* ---- cut and changed ---- */

static void cut_invite_calls_nobody_over_udp(void **state)
{
    (void)state;
    static char text[TEXT_MAX];
    world w;
    start(&w, &over_udp);
    raw core = raw_open(&w, CORE, SOCK_DGRAM), stranger = raw_open(&w, STRANGER, SOCK_DGRAM);
    /* Each one a transaction of its own, or all but the first would count as retransmissions. */
    for (size_t n = 0; n < invite_write(text, &core, &(invite){ 0 }); n++) {
        raw_send(&core, text, n);
        raw_send(&stranger, text, n);
    }
    rounds(&w, 50);
    assert_string_equal(w.client.diary, "");
    assert_int_equal(sip_look(w.sip).sessions, 0);
    raw_send(&core, text, invite_write(text, &core, &(invite){ 0 }));
    assert_true(world_wait_diary(&w, &w.client, "INVITE "));
    (void)close(core.fd);
    (void)close(stranger.fd);
    end_with_an_honest_join(&w);
}

static void cut_invite_calls_nobody_over_tcp(void **state)
{
    (void)state;
    static char text[TEXT_MAX];
    world w;
    start(&w, &over_udp);
    raw core = raw_open(&w, CORE, SOCK_DGRAM);
    size_t whole = invite_write(text, &core, &(invite){ 0 });
    for (size_t n = 1; n < whole; n += n < whole - 64 ? 3 : 1) {
        raw tcp = raw_open(&w, CORE, SOCK_STREAM);
        whole = invite_write(text, &core, &(invite){ 0 });
        raw_send(&tcp, text, n);
        rounds(&w, 2);
        (void)close(tcp.fd);
    }
    rounds(&w, 50);
    (void)close(core.fd);
    assert_string_equal(w.client.diary, "");
    end_with_an_honest_join(&w);
}

static size_t mutate(test_rng *chance, char *text, size_t n)
{
    for (uint64_t i = test_rng_below(chance, 4) + 1; i > 0 && n > 8; i--) {
        size_t where = test_rng_below(chance, n), length = test_rng_below(chance, 8) + 1;
        switch (test_rng_below(chance, 4)) {
        case 0:
            text[where] = (char)test_rng_below(chance, 256);
            break;
        case 1: /* cut out */
            length = length < n - where ? length : n - where;
            memmove(text + where, text + where + length, n - where - length);
            n -= length;
            break;
        case 2: /* say twice */
            length = length < n - where ? length : n - where;
            memmove(text + where + length, text + where, n - where);
            n += length;
            break;
        default:
            text[where] = "\r\n\0 <>;:@,\"%[]"[test_rng_below(chance, 14)];
            break;
        }
    }
    return n;
}

static void changed_invites_leave_no_session(void **state)
{
    (void)state;
    static char text[TEXT_MAX];
    test_rng chance;
    world w;
    start(&w, &over_udp);
    (void)test_rng_of(&chance, 77);
    raw core = raw_open(&w, CORE, SOCK_DGRAM);
    for (int i = 0; i < MUTATIONS; i++) {
        raw tcp = { .fd = -1 };
        size_t n = mutate(&chance, text, invite_write(text, &core, &(invite){ 0 }));
        if (i % 8 == 0) {
            tcp = raw_open(&w, CORE, SOCK_STREAM);
            raw_send(&tcp, text, n);
        } else {
            raw_send(&core, text, n);
        }
        rounds(&w, 1);
        if (tcp.fd >= 0)
            (void)close(tcp.fd);
    }
    (void)close(core.fd);
    end_with_an_honest_join(&w);
}

/* ---- out of bounds ---- */

static char big[BIG + 1];

static const invite odd[] = {
    { .length = "Content-Length: -1\r\n" },
    { .length = "Content-Length: 99999999999999999999\r\n" },
    { .length = "Content-Length: 5000\r\n" },
    { .length = "Content-Length: 3\r\n" },
    { .length = "Content-Length: 10\r\nContent-Length: 20\r\n" },
    { .length = "Content-Length: x\r\n" },
    { .start = "INVITE\r\n" },
    { .start = "INVITE  SIP/2.0\r\n" },
    { .start = "INVITE sip:alice@127.0.0.1:9 SIP/3.0\r\n" },
    { .start = "INVITE sip: SIP/2.0\r\n" },
    { .start = "INVITE sip:@ SIP/2.0\r\n" },
    { .start = "INVITE sip:[::1 SIP/2.0\r\n" },
    { .start = "INVITE sip:a@b:99999 SIP/2.0\r\n" },
    { .start = "INVITE tel:+123 SIP/2.0\r\n" },
    { .start = "INVITE sip:a@127.0.0.1:9?Subject=x%0d%0aBad:%20y SIP/2.0\r\n" },
    { .from = "From: <" WORLD_GROUP ">\r\n" },
    { .from = "From: \"\r\n" },
    { .from = "From: <sip:%0d%0a@x>;tag=1\r\n" },
    { .from = "" },
    { .to = "To: <sip:>\r\n" },
    { .to = "To: *\r\n" },
    { .to = "To: <" WORLD_ALICE ">;tag=nobody\r\n" },
    { .cseq = "CSeq: 99999999999 INVITE\r\n" },
    { .cseq = "CSeq: 1 BYE\r\n" },
    { .cseq = "CSeq: -1 INVITE\r\n" },
    { .contact = "Contact: *\r\n" },
    { .contact = "Contact: <>\r\n" },
    { .contact = "" },
    { .more = "Session-Expires: -1\r\n" },
    { .more = "Session-Expires: 99999999999;refresher=x\r\nSupported: timer\r\n" },
    { .more = "Max-Forwards: -7\r\n" },
    { .more = "Require: a,b,c,d\r\n" },
    { .more = "Record-Route: <sip:;lr>,,<>\r\nRoute: <\r\n" },
    { .more = "P-Asserted-Identity: \"x\r\n" },
    { .more = "Answer-Mode: Auto\r\n\tfolded\r\n" },
    { .more = "Accept-Contact: ;;;=\r\n" },
    { .body = "" },
    { .body = "v=0" },
    { .body = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 99999 RTP/AVP 97\r\n" },
};

static void odd_invites_leave_no_session(void **state)
{
    (void)state;
    static char text[TEXT_MAX];
    static const char *const hosts[] = { CORE, STRANGER };
    world w;
    start(&w, &over_udp);
    for (size_t h = 0; h < POC_COUNT(hosts); h++)
        for (size_t i = 0; i < POC_COUNT(odd); i++) {
            raw udp = raw_open(&w, hosts[h], SOCK_DGRAM), tcp = raw_open(&w, hosts[h], SOCK_STREAM);
            size_t n = invite_write(text, &udp, &odd[i]);
            raw_send(&udp, text, n);
            n = invite_write(text, &udp, &odd[i]);
            raw_send(&tcp, text, n);
            rounds(&w, 3);
            (void)close(udp.fd);
            (void)close(tcp.fd);
        }
    end_with_an_honest_join(&w);
}

static void headers_without_measure_leave_no_session(void **state)
{
    (void)state;
    static char text[TEXT_MAX], header[TEXT_MAX];
    static const size_t sizes[] = { 2000, 30000, 60000, 79000 };
    static const char *const forms[] = { "Subject: %.*s\r\n", "Contact: <sip:%.*s@127.0.0.2:9>\r\n",
                                         "P-Asserted-Identity: <sip:%.*s@x.example>\r\n", "Answer-Mode: %.*s\r\n" };
    world w;
    start(&w, &over_udp);
    memset(big, 'a', BIG);
    for (size_t f = 0; f < POC_COUNT(forms); f++)
        for (size_t i = 0; i < POC_COUNT(sizes); i++) {
            raw udp = raw_open(&w, CORE, SOCK_DGRAM), tcp = raw_open(&w, CORE, SOCK_STREAM);
            const char *cut = strstr(forms[f], "%.*s");
            (void)snprintf(header, sizeof(header), "%.*s%.*s%s", (int)(cut - forms[f]), forms[f], (int)sizes[i], big,
                           cut + 4);
            size_t n = invite_write(text, &udp, &(invite){ .more = header });
            raw_send(&udp, text, n < 65000 ? n : 65000);
            n = invite_write(text, &udp, &(invite){ .more = header });
            raw_send(&tcp, text, n);
            rounds(&w, 10);
            (void)close(udp.fd);
            (void)close(tcp.fd);
        }
    size_t n = 0;
    for (int i = 0; i < 1500; i++)
        n += (size_t)snprintf(header + n, sizeof(header) - n, "Via: SIP/2.0/UDP 10.0.%d.%d;branch=z9\r\n", i / 250,
                              i % 250);
    raw udp = raw_open(&w, CORE, SOCK_DGRAM);
    n = invite_write(text, &udp, &(invite){ .more = header });
    raw_send(&udp, text, n);
    rounds(&w, 10);
    (void)close(udp.fd);
    end_with_an_honest_join(&w);
}

/* ---- strays and floods ---- */

static void strays_and_garbage_are_answered_or_dropped(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "ACK", "CANCEL", "BYE", "UPDATE", "NOTIFY", "PRACK", "INFO", "PUBLISH", "FOO"
    };
    static const uint8_t binary[] = { 0, 1, 2, 0xff, 0xfe, 0, '\r', '\n', '\r', '\n', 0x80, 0 };
    static char text[TEXT_MAX];
    world w;
    start(&w, &over_udp);
    raw core = raw_open(&w, CORE, SOCK_DGRAM);
    for (size_t i = 0; i < POC_COUNT(starts); i++)
        for (int tagged = 0; tagged < 2; tagged++) {
            char line[96], cseq[48];
            (void)snprintf(line, sizeof(line), "%s sip:alice@127.0.0.1:9 SIP/2.0\r\n", starts[i]);
            (void)snprintf(cseq, sizeof(cseq), "CSeq: 1 %s\r\n", starts[i]);
            invite v = { .start = line,
                         .cseq = cseq,
                         .to = tagged ? "To: <" WORLD_ALICE ">;tag=x\r\n" : NULL,
                         .more = "Event: conference\r\nSubscription-State: active\r\n" };
            raw_send(&core, text, invite_write(text, &core, &v));
        }
    raw_send(&core, binary, sizeof(binary));
    raw_send(&core, "\r\n\r\n", 4);
    raw_send(&core, "hello", 5);
    raw tcp = raw_open(&w, STRANGER, SOCK_STREAM);
    for (int i = 0; i < 20; i++)
        raw_send(&tcp, binary, sizeof(binary));
    rounds(&w, 20);
    assert_string_equal(w.client.diary, "");
    assert_int_equal(w.conferences, 0);
    (void)close(tcp.fd);
    (void)close(core.fd);
    end_with_an_honest_join(&w);
}

static void responses_that_nobody_asked_for_change_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = { "SIP/2.0 200 OK", "SIP/2.0 180 Ringing", "SIP/2.0 491 Later", "SIP/2.0 999 x",
                                         "SIP/2.0 -1 x" };
    static char text[2048];
    world w;
    start(&w, &over_udp);
    raw core = raw_open(&w, CORE, SOCK_DGRAM);
    for (int i = 0; i < FLOOD; i++) {
        int n = snprintf(text, sizeof(text),
                         "%s\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\n"
                         "To: <sip:c@d>;tag=2\r\nCall-ID: %d\r\nCSeq: 1 %s\r\nContact: <sip:x@127.0.0.2:%u>\r\n"
                         "Content-Length: 0\r\n\r\n",
                         lines[(size_t)i % POC_COUNT(lines)], world_port(), i, i, i % 3 == 0 ? "INVITE" : "UPDATE",
                         core.port);
        raw_send(&core, text, (size_t)n);
    }
    rounds(&w, 20);
    (void)close(core.fd);
    end_with_an_honest_join(&w);
}

static void flood_of_one_source_does_not_starve_another(void **state)
{
    (void)state;
    static const world_options few = { .transport = "udp", .requests_per_source_s = 5 };
    static char text[TEXT_MAX];
    world w;
    int told_to_wait = 0;
    start(&w, &few);
    raw stranger = raw_open(&w, STRANGER, SOCK_DGRAM);
    for (int i = 0; i < FLOOD; i++)
        raw_send(&stranger, text, invite_write(text, &stranger, &(invite){ 0 }));
    rounds(&w, 50);
    while (recv(stranger.fd, stranger.heard, sizeof(stranger.heard), MSG_DONTWAIT) > 0)
        told_to_wait += strncmp(stranger.heard, "SIP/2.0 503", 11) == 0;
    assert_true(told_to_wait > 0);
    assert_string_equal(w.refusal, "too many unauthenticated requests from one source");
    for (int i = 0; i < 20; i++)
        raw_send(&stranger, text, invite_write(text, &stranger, &(invite){ 0 }));
    (void)close(stranger.fd);
    end_with_an_honest_join(&w);
}

/* ---- connections ---- */

/* The PF has ended it. */
static bool is_closed(const raw *r)
{
    char octet;
    return recv(r->fd, &octet, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static bool is_answered(raw *r)
{
    for (int64_t end = sip_now_ms() + PATIENCE_MS; sip_now_ms() < end; su_root_step(r->world->root, 10))
        if (recv(r->fd, r->heard, sizeof(r->heard) - 1, MSG_DONTWAIT) > 0)
            return strncmp(r->heard, "SIP/2.0 200", 11) == 0;
    return false;
}

static void ask_for_options(raw *r, const char *transport)
{
    static uint32_t number;
    char text[1024];
    number++;
    int n = snprintf(text, sizeof(text),
                     "OPTIONS sip:" WORLD_FQDN " SIP/2.0\r\nVia: SIP/2.0/%s %s:%u;branch=z9hG4bKoptions%u\r\n"
                     "Max-Forwards: 70\r\nFrom: <sip:x@home1.example>;tag=1\r\nTo: <sip:" WORLD_FQDN ">\r\n"
                     "Call-ID: options-%u@%s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                     transport, r->host, r->port, number, number, r->host);
    raw_send(r, text, (size_t)n);
}

static bool is_served(raw *r)
{
    ask_for_options(r, "TCP");
    return is_answered(r);
}

static void close_all(const raw *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)close(r[i].fd);
}

static void silent_connection_is_closed_and_one_with_keep_alives_is_not(void **state)
{
    (void)state;
    static const world_options idle = { .transport = "udp", .tcp_idle_s = 2 };
    static const char cut[] = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 1.2.3.4\r\nContent-Le";
    enum { SILENT, HALF, ALIVE, TRUSTED, ALL };
    int64_t said_ms, longest_ms = 0;
    raw r[ALL];
    world w;
    start(&w, &idle);
    for (size_t i = 0; i < ALL; i++)
        r[i] = raw_open(&w, i == TRUSTED ? CORE : STRANGER, SOCK_STREAM);
    raw_send(&r[HALF], cut, sizeof(cut) - 1);
    const int64_t end = (said_ms = sip_now_ms()) + PATIENCE_MS;
    while (!is_closed(&r[SILENT]) || !is_closed(&r[HALF])) {
        assert_true(sip_now_ms() < end);
        raw_send(&r[ALIVE], "\r\n\r\n", 4);
        rounds(&w, 5);
        const int64_t now_ms = sip_now_ms();
        longest_ms = now_ms - said_ms > longest_ms ? now_ms - said_ms : longest_ms;
        said_ms = now_ms;
    }
    if (longest_ms < 1000) /* else the machine has slept, and the keep-alives with it */
        assert_true(is_served(&r[ALIVE]));
    assert_true(is_served(&r[TRUSTED]));
    while (!is_closed(&r[ALIVE])) {
        assert_true(sip_now_ms() < end + PATIENCE_MS);
        rounds(&w, 5);
    }
    close_all(r, ALL);
    end_with_an_honest_join(&w);
}

static size_t open_ones(const raw *r, size_t n)
{
    size_t open = 0;
    for (size_t i = 0; i < n; i++)
        open += !is_closed(&r[i]);
    return open;
}

static void source_keeps_as_many_connections_as_it_may(void **state)
{
    (void)state;
    static const world_options few = { .transport = "udp", .connections_per_source = CONNECTIONS / 4 };
    raw many[CONNECTIONS], trusted[CONNECTIONS];
    world w;
    start(&w, &few);
    raw other = raw_open(&w, "127.0.0.4", SOCK_STREAM);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        many[i] = raw_open(&w, STRANGER, SOCK_STREAM);
        trusted[i] = raw_open(&w, CORE, SOCK_STREAM);
        rounds(&w, 1);
    }
    for (int64_t end = sip_now_ms() + PATIENCE_MS; open_ones(many, CONNECTIONS) > CONNECTIONS / 4;) {
        assert_true(sip_now_ms() < end);
        rounds(&w, 10);
    }
    assert_string_equal(w.refusal, "a source has more SIP connections than it may");
    rounds(&w, 500);
    assert_int_equal(open_ones(many, CONNECTIONS), CONNECTIONS / 4);
    assert_int_equal(open_ones(trusted, CONNECTIONS), CONNECTIONS);
    assert_true(is_served(&other));
    /* Who comes anew is served; one that is silent goes for it. */
    raw next = raw_open(&w, STRANGER, SOCK_STREAM);
    assert_true(is_served(&next));
    for (int64_t end = sip_now_ms() + PATIENCE_MS; open_ones(many, CONNECTIONS) >= CONNECTIONS / 4;) {
        assert_true(sip_now_ms() < end);
        rounds(&w, 10);
    }
    assert_true(is_served(&next));
    close_all(many, CONNECTIONS);
    close_all(trusted, CONNECTIONS);
    (void)close(next.fd);
    (void)close(other.fd);
    end_with_an_honest_join(&w);
}

static void connections_wait_while_descriptors_are_short(void **state)
{
    (void)state;
    struct rlimit before;
    int held[CONNECTIONS];
    world w;
    start(&w, &over_udp);
    for (size_t i = 0; i < CONNECTIONS; i++)
        assert_true((held[i] = dup(STDERR_FILENO)) >= 0);
    /* All but an eighth are taken. */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = { (rlim_t)held[CONNECTIONS - 1] * 8 / 7, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int64_t end = sip_now_ms() + PATIENCE_MS; strstr(w.refusal, "descriptors run short") == NULL;) {
        assert_true(sip_now_ms() < end);
        rounds(&w, 10);
    }
    const uint32_t told = w.refusals;
    raw waiting = raw_open(&w, STRANGER, SOCK_STREAM), udp = raw_open(&w, STRANGER, SOCK_DGRAM);
    ask_for_options(&waiting, "TCP");
    rounds(&w, 500);
    assert_int_equal(recv(waiting.fd, waiting.heard, 1, MSG_DONTWAIT), -1);
    assert_int_equal(w.refusals, told);
    ask_for_options(&udp, "UDP");
    assert_true(is_answered(&udp));
    for (size_t i = 0; i < CONNECTIONS; i++)
        (void)close(held[i]);
    assert_true(is_answered(&waiting));
    (void)close(waiting.fd);
    (void)close(udp.fd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    end_with_an_honest_join(&w);
}

/* ---- twice ---- */

/* A datagram that comes twice carries the same nonce count: it is the same request, not a replay. */
static void retransmitted_invite_with_credentials_is_one_request(void **state)
{
    (void)state;
    static char text[TEXT_MAX];
    char authorization[2048], header[2200];
    world w;
    start(&w, &over_udp);
    client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    client_authorize(&w, authorization, world_offer, true);
    (void)snprintf(header, sizeof(header), "Authorization: %s\r\n", authorization);
    raw client = raw_open(&w, "127.0.0.1", SOCK_DGRAM);
    invite v = { .start = "INVITE " WORLD_GROUP " SIP/2.0\r\n",
                 .from = "From: <" WORLD_ALICE ">;tag=1\r\n",
                 .to = "To: <" WORLD_GROUP ">\r\n",
                 .more = header,
                 .body = world_offer };
    size_t n = invite_write(text, &client, &v);
    for (int i = 0; i < 5; i++) {
        raw_send(&client, text, n);
        rounds(&w, 5);
    }
    assert_true(world_wait_diary(&w, &w.cf, "INVITE ACK "));
    assert_int_equal(w.refusals, 0);
    assert_int_equal(w.authenticated, 1);
    assert_int_equal(sip_look(w.sip).sessions, 1);
    (void)close(client.fd);
    /* It never acknowledges, and is gone before the honest one comes. */
    end_with_an_honest_join(&w);
}

/* The lines of a request that its answer repeats. */
static void echo_lines(char *out, size_t cap, const char *request)
{
    static const char *const names[] = { "Via:", "From:", "Call-ID:", "CSeq:", "To:" };
    size_t n = 0;
    for (size_t i = 0; i < POC_COUNT(names); i++) {
        char wanted[16];
        (void)snprintf(wanted, sizeof(wanted), "\r\n%s", names[i]);
        const char *line = strstr(request, wanted);
        assert_non_null(line);
        line += 2;
        n += (size_t)snprintf(out + n, cap - n, "%.*s%s\r\n", (int)strcspn(line, "\r"), line,
                              names[i][0] == 'T' ? ";tag=cf" : "");
        assert_true(n < cap);
    }
}

/* RFC 3261, 13.2.2.4: an ACK that was lost is sent again for every 2xx that comes again, and the session stands. */
static void retransmitted_200_of_the_cf_is_acknowledged_again(void **state)
{
    (void)state;
    char authorization[2048], echo[2048], answer[4096];
    world w;
    world_start(&w, &over_udp);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = at(CORE, 0), pf = at("127.0.0.1", world_port());
    socklen_t len = sizeof(here);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&pf, sizeof(pf)), 0);
    raw cf = { .world = &w, .fd = fd, .host = CORE, .port = ntohs(here.sin_port) };
    (void)snprintf(w.cf.url, sizeof(w.cf.url), "sip:cf@" CORE ":%u", cf.port);
    world_restart_sip(&w, &over_udp);
    client_invite(&w, WORLD_ALICE, NULL, world_offer, "application/sdp");
    assert_true(world_wait_status(&w, &w.client));
    client_authorize(&w, authorization, world_offer, true);
    client_invite(&w, WORLD_ALICE, authorization, world_offer, "application/sdp");
    assert_true(strncmp(raw_hear(&cf), "INVITE ", 7) == 0);
    echo_lines(echo, sizeof(echo), cf.heard);
    int n = snprintf(answer, sizeof(answer),
                     "SIP/2.0 200 OK\r\n%sContact: <sip:cf@" CORE ":%u>\r\nContent-Type: application/sdp\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     echo, cf.port, strlen(world_answer), world_answer);
    for (int i = 0; i < 3; i++) {
        raw_send(&cf, answer, (size_t)n);
        assert_true(strncmp(raw_hear(&cf), "ACK ", 4) == 0);
        assert_true(world_wait(&w, &w.ups, 1));
    }
    assert_string_equal(raw_hear(&cf), "");
    assert_int_equal(w.downs, 0);
    assert_int_equal(sip_look(w.sip).sessions, 1);
    (void)close(fd);
    world_stop(&w);
}

static void quiet(void *stream, const char *form, va_list arguments)
{
    (void)stream, (void)form, (void)arguments;
}

int main(void)
{
    su_log_redirect(NULL, quiet, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_invite_calls_nobody_over_udp),
        cmocka_unit_test(cut_invite_calls_nobody_over_tcp),
        cmocka_unit_test(changed_invites_leave_no_session),
        cmocka_unit_test(odd_invites_leave_no_session),
        cmocka_unit_test(headers_without_measure_leave_no_session),
        cmocka_unit_test(strays_and_garbage_are_answered_or_dropped),
        cmocka_unit_test(responses_that_nobody_asked_for_change_nothing),
        cmocka_unit_test(flood_of_one_source_does_not_starve_another),
        cmocka_unit_test(silent_connection_is_closed_and_one_with_keep_alives_is_not),
        cmocka_unit_test(source_keeps_as_many_connections_as_it_may),
        cmocka_unit_test(connections_wait_while_descriptors_are_short),
        cmocka_unit_test(retransmitted_invite_with_credentials_is_one_request),
        cmocka_unit_test(retransmitted_200_of_the_cf_is_acknowledged_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
