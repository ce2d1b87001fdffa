#include "tests/unit/io/sip_phone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

enum { PATIENCE_ROUNDS = 6000, QUIET_ROUNDS = 20, ROUND_MS = 10 };

/* ---- sockets ---- */

static struct sockaddr_in at(const char *host, uint16_t port)
{
    struct sockaddr_storage out;
    struct sockaddr_in in;
    assert_int_equal(poc_addr_parse(&out, poc_span_str(host), port), POC_OK);
    memcpy(&in, &out, sizeof(in));
    return in;
}

void phone_open(phone *p, const char *host, uint16_t port)
{
    struct sockaddr_in here = at(host, port);
    socklen_t len = sizeof(here);
    *p = (phone){ .host = host, .listener = -1, .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
    assert_int_equal(bind(p->fd, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&here, &len), 0);
    p->port = ntohs(here.sin_port);
}

void phone_close(phone *p)
{
    (void)close(p->fd);
    if (p->listener >= 0)
        (void)close(p->listener);
}

void phone_listen(phone *p)
{
    struct sockaddr_in here = at(p->host, p->port);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(listen(p->listener, 4), 0);
}

static void turn(phone *p)
{
    struct pollfd wait = { .fd = p->fd, .events = POLLIN };
    if (p->turn != NULL)
        p->turn(p->ctx);
    else
        (void)poll(&wait, 1, ROUND_MS);
}

static bool is_whole(const phone *p)
{
    size_t n = 0;
    const char *end = strstr(p->heard, "\r\n\r\n");
    if (end == NULL)
        return false;
    n = strtoul(phone_header(p, "Content-Length"), NULL, 10);
    return p->heard_len >= (size_t)(end + 4 - p->heard) + n;
}

/** A whole request over a connection of its own. */
static bool take_tcp(phone *p)
{
    int fd = p->listener < 0 ? -1 : accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return false;
    p->heard_len = 0;
    p->heard[0] = '\0';
    for (int i = 0; i < PATIENCE_ROUNDS && !is_whole(p); i++) {
        ssize_t n = recv(fd, p->heard + p->heard_len, sizeof(p->heard) - 1 - p->heard_len, 0);
        p->heard_len += n > 0 ? (size_t)n : 0;
        p->heard[p->heard_len] = '\0';
        turn(p);
    }
    p->by_tcp = true;
    (void)close(fd);
    return true;
}

bool phone_takes(phone *p)
{
    ssize_t n = recv(p->fd, p->heard, sizeof(p->heard) - 1, MSG_DONTWAIT);
    if (n < 0)
        return take_tcp(p);
    p->by_tcp = false;
    p->heard_len = (size_t)n;
    p->heard[n] = '\0';
    return true;
}

const char *phone_hear(phone *p)
{
    for (int i = 0; i < PATIENCE_ROUNDS; i++) {
        if (phone_takes(p))
            return p->heard;
        turn(p);
    }
    fail_msg("nothing came; the last was: %s", p->heard);
    return "";
}

void phone_forget(phone *p)
{
    while (phone_takes(p)) {
    }
}

void phone_hears_nothing(phone *p)
{
    for (int i = 0; i < QUIET_ROUNDS; i++) {
        turn(p);
        if (phone_takes(p))
            fail_msg("something came: %s", p->heard);
    }
}

/* ---- what was heard ---- */

int phone_status(const phone *p)
{
    return strncmp(p->heard, "SIP/2.0 ", 8) == 0 ? atoi(p->heard + 8) : 0;
}

const char *phone_header(const phone *p, const char *name)
{
    static char value[4096];
    char start[64];
    (void)snprintf(start, sizeof(start), "\r\n%s: ", name);
    const char *end = strstr(p->heard, "\r\n\r\n"), *line = strstr(p->heard, start);
    value[0] = '\0';
    if (line == NULL || end == NULL || line > end)
        return value;
    line += strlen(start);
    (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r\n"), line);
    return value;
}

const char *phone_body(const phone *p, size_t *n)
{
    const char *end = strstr(p->heard, "\r\n\r\n");
    assert_non_null(end);
    *n = p->heard_len - (size_t)(end + 4 - p->heard);
    return end + 4;
}

void phone_assert_header(const phone *p, const char *name, const char *value)
{
    assert_string_equal(phone_header(p, name), value);
}

void phone_assert_says(const phone *p, const char *text)
{
    if (strstr(p->heard, text) == NULL)
        fail_msg("\"%s\" does not stand in: %s", text, p->heard);
}

/* ---- what is said ---- */

static const char *field(const char *given, const char *usual)
{
    return given != NULL ? given : usual;
}

static char said[PHONE_TEXT_MAX];
static size_t said_len;

void phone_repeat(phone *p)
{
    struct sockaddr_in pf = at("127.0.0.1", p->pf_port);
    assert_int_equal(sendto(p->fd, said, said_len, 0, (struct sockaddr *)&pf, sizeof(pf)), said_len);
}

void phone_say(phone *p, const phone_request *q)
{
    char contact[160];
    const char *body = q->body != NULL ? (const char *)q->body : "", *from = field(q->from, p->from);
    const size_t n = q->body_len > 0 ? q->body_len : strlen(body);
    (void)snprintf(contact, sizeof(contact), "Contact: <sip:alice@%s:%u>\r\n", p->host, p->port);
    p->requests++;
    int len = snprintf(
        said, sizeof(said),
        "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bK-%u-%u;rport\r\nMax-Forwards: 70\r\n"
        "From: <%s>;tag=a\r\nTo: <%s>\r\nCall-ID: %u-%u\r\nCSeq: %u %s\r\n%s%s%s%s%sContent-Length: %zu\r\n\r\n",
        q->method, field(q->uri, p->to), p->host, p->port, p->port, p->requests, from, field(q->to, p->from), p->port,
        p->requests, p->requests, q->method, field(q->contact, contact), field(q->more, ""),
        q->type != NULL ? "Content-Type: " : "", field(q->type, ""), q->type != NULL ? "\r\n" : "", n);
    assert_in_range(len, 1, (int)(sizeof(said) - n));
    memcpy(said + len, body, n);
    said_len = (size_t)len + n;
    phone_repeat(p);
}

int phone_ask(phone *p, const phone_request *q)
{
    phone_say(p, q);
    (void)phone_hear(p);
    return phone_status(p);
}

static void keep(char *out, size_t cap, const phone *p, const char *name)
{
    (void)snprintf(out, cap, "%s", phone_header(p, name));
}

static void answer(phone *p, const char *status, const char *more, const char *body)
{
    char via[512], from[512], to[512], call_id[256], cseq[64], text[8192];
    struct sockaddr_in pf = at("127.0.0.1", p->pf_port);
    keep(via, sizeof(via), p, "Via");
    keep(from, sizeof(from), p, "From");
    keep(to, sizeof(to), p, "To");
    keep(call_id, sizeof(call_id), p, "Call-ID");
    keep(cseq, sizeof(cseq), p, "CSeq");
    int n = snprintf(text, sizeof(text),
                     "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s"
                     "Content-Length: %zu\r\n\r\n%s",
                     status, via, from, to, strstr(to, ";tag=") == NULL ? ";tag=t" : "", call_id, cseq, more,
                     strlen(body), body);
    assert_int_equal(sendto(p->fd, text, (size_t)n, 0, (struct sockaddr *)&pf, sizeof(pf)), n);
}

void phone_reply(phone *p, const char *status)
{
    answer(p, status, "", "");
}

void phone_accept(phone *p, const char *sdp)
{
    char more[160];
    (void)snprintf(more, sizeof(more), "Contact: <sip:cf@%s:%u>;isfocus\r\nContent-Type: application/sdp\r\n", p->host,
                   p->port);
    answer(p, "200 OK", more, sdp);
}

void phone_acknowledge(phone *p)
{
    char from[512], to[512], call_id[256], text[2048];
    struct sockaddr_in pf = at("127.0.0.1", p->pf_port);
    keep(from, sizeof(from), p, "From");
    keep(to, sizeof(to), p, "To");
    keep(call_id, sizeof(call_id), p, "Call-ID");
    int n = snprintf(text, sizeof(text),
                     "ACK sip:127.0.0.1:%u SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bK-ack-%u\r\nMax-Forwards: "
                     "70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %lu ACK\r\nContent-Length: 0\r\n\r\n",
                     p->pf_port, p->host, p->port, p->requests, from, to, call_id,
                     strtoul(phone_header(p, "CSeq"), NULL, 10));
    assert_int_equal(sendto(p->fd, text, (size_t)n, 0, (struct sockaddr *)&pf, sizeof(pf)), n);
}
