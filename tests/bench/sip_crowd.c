#include "tests/bench/sip_crowd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "gba/gba.h"
#include "tests/bench/bench.h"
#include "tests/bench/crowd_answer.h"

enum {
    BATCH = 32,
    TEXT_MAX = 4096,
    OUT_MAX = 4 * BATCH,
    WINDOW = 24, /* joins under way: more of them only fill buffers */
    IDLE_MS = 20,
    BUFFER_OCTETS = 4 * 1024 * 1024
};
enum { CLIENTS, CF, SOCKETS };

typedef enum stage { IDLE, CALLED, UP, KEYED } stage;

typedef struct member {
    char *btid;
    poc_secret *mrk, *muk;
    stage stage;
} member;

typedef struct outgoing {
    struct sockaddr_in to;
    size_t len;
    char text[TEXT_MAX];
} outgoing;

struct sip_crowd {
    size_t member_count;
    member *members;
    int fds[SOCKETS];
    uint16_t ports[SOCKETS];
    pthread_t thread;
    bool is_running;
    atomic_bool stop;
    atomic_uint round; /* counts sip_crowd_join; the thread follows in `calling` */
    atomic_uint server_port;
    unsigned calling;
    size_t next, open;
    atomic_size_t joined, answers, opened, refused;
    struct sockaddr_in from[BATCH];
    char in[BATCH][TEXT_MAX];
    outgoing out[OUT_MAX];
    size_t out_count;
};

/* ---- text ---- */

#define UNICAST_LINES                                                                   \
    "m=audio 45200 RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\na=ptime:160\r\na=sendrecv\r\n" \
    "m=application 45300 udp TBCP\r\na=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n"
#define HEAD     "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
#define ON_GROUP "c=IN IP4 " SIP_CROWD_ADDRESS "/1\r\na=recvonly\r\n"

static const char client_offer[] = HEAD "a=bcastversion:1.0\r\n" UNICAST_LINES;
static const char cf_answer[] = HEAD UNICAST_LINES;

/* Value of the first header of that name. */
static poc_span header_of(poc_span message, const char *name)
{
    const char *at = (const char *)message.p, *end = at + message.n;
    const size_t n = strlen(name);
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at < end && *at != '\r') {
        if ((size_t)(end - at) <= n || strncasecmp(at, name, n) != 0 || at[n] != ':')
            continue;
        const char *value = at + n + 1, *stop = memchr(value, '\r', (size_t)(end - value));
        while (value < end && *value == ' ')
            value++;
        return stop == NULL || stop < value ? (poc_span){ 0 } : poc_span_of(value, (size_t)(stop - value));
    }
    return (poc_span){ 0 };
}

static bool starts_with(poc_span text, const char *with)
{
    return text.n >= strlen(with) && memcmp(text.p, with, strlen(with)) == 0;
}

static bool contains(poc_span text, const char *what)
{
    return memmem(text.p, text.n, what, strlen(what)) != NULL;
}

/* Which member a dialog is of, and by which round of calls. */
static bool dialog_of(const sip_crowd *c, poc_span message, unsigned *round, size_t *i)
{
    char text[64];
    const poc_span id = header_of(message, "Call-ID");
    (void)snprintf(text, sizeof(text), "%.*s", (int)id.n, (const char *)id.p);
    return sscanf(text, "%u-%zu@", round, i) == 2 && *i < c->member_count;
}

/* ---- sending ---- */

/* Begins a text; text_end sends it with the others. */
static poc_wr text_begin(sip_crowd *c)
{
    return poc_wr_into(c->out[c->out_count].text, TEXT_MAX);
}

static void text_end(sip_crowd *c, const poc_wr *wr, const struct sockaddr_in *to)
{
    outgoing *o = &c->out[c->out_count];
    if (poc_wr_done(wr) != POC_OK)
        return;
    o->to = *to;
    o->len = wr->len;
    c->out_count++;
}

static void body_put(poc_wr *wr, poc_span body)
{
    if (body.n > 0)
        poc_wr_fmt(wr, "Content-Type: application/sdp\r\n");
    poc_wr_fmt(wr, "Content-Length: %zu\r\n\r\n", body.n);
    poc_wr_span(wr, body);
}

static void out_flush(sip_crowd *c, int fd)
{
    struct mmsghdr msg[OUT_MAX];
    struct iovec iov[OUT_MAX];
    for (size_t i = 0; i < c->out_count; i++) {
        outgoing *o = &c->out[i];
        iov[i] = (struct iovec){ o->text, o->len };
        msg[i] = (struct mmsghdr){
            .msg_hdr = { .msg_name = &o->to, .msg_namelen = sizeof(o->to), .msg_iov = &iov[i], .msg_iovlen = 1 }
        };
    }
    for (size_t sent = 0; sent < c->out_count;) {
        const int n = sendmmsg(fd, msg + sent, (unsigned)(c->out_count - sent), 0);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    c->out_count = 0;
}

/* Whatever a request is answered with; `tag` when the request has none in To. */
static void reply(sip_crowd *c, size_t socket_at, poc_span request, const struct sockaddr_in *to, const char *status,
                  poc_span body)
{
    poc_wr wr = text_begin(c);
    const poc_span to_value = header_of(request, "To");
    static const char *const kept[] = { "Via", "From", "Call-ID", "CSeq" };
    poc_wr_fmt(&wr, "SIP/2.0 %s\r\n", status);
    for (size_t i = 0; i < POC_COUNT(kept); i++) {
        const poc_span value = header_of(request, kept[i]);
        poc_wr_fmt(&wr, "%s: %.*s\r\n", kept[i], (int)value.n, (const char *)value.p);
    }
    poc_wr_fmt(&wr, "To: %.*s%s\r\n", (int)to_value.n, (const char *)to_value.p,
               contains(to_value, "tag=") ? "" : ";tag=cf");
    poc_wr_fmt(&wr, "Contact: <sip:%s:%u>\r\nAllow: INVITE, ACK, CANCEL, BYE, UPDATE\r\n",
               socket_at == CF ? "cf@127.0.0.2" : "u@127.0.0.1", c->ports[socket_at]);
    body_put(&wr, body);
    text_end(c, &wr, to);
}

/* ---- calling ---- */

static struct sockaddr_in server_of(const sip_crowd *c)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)atomic_load(&c->server_port)),
                                 .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

/* Request line and what all requests of member `i` have. */
static void request_begin(sip_crowd *c, poc_wr *wr, size_t i, const char *method, poc_span uri, unsigned cseq,
                          const char *branch, poc_span to)
{
    poc_wr_fmt(wr, "%s %.*s SIP/2.0\r\n", method, (int)uri.n, (const char *)uri.p);
    poc_wr_fmt(wr, "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%s-%u-%zu-%u\r\nMax-Forwards: 70\r\n",
               c->ports[CLIENTS], branch, c->calling, i, cseq);
    poc_wr_fmt(wr, "From: <sip:" SIP_CROWD_USER ">;tag=%u-%zu\r\nTo: %.*s\r\n", i, c->calling, i, (int)to.n,
               (const char *)to.p);
    poc_wr_fmt(wr, "Call-ID: %u-%zu@crowd\r\nCSeq: %u %s\r\n", c->calling, i, cseq, method);
}

static void invite(sip_crowd *c, size_t i, unsigned cseq, const char *authorization)
{
    const struct sockaddr_in server = server_of(c);
    poc_wr wr = text_begin(c);
    request_begin(c, &wr, i, "INVITE", poc_span_str(SIP_CROWD_GROUP), cseq, "i", poc_span_str("<" SIP_CROWD_GROUP ">"));
    poc_wr_fmt(&wr,
               "Contact: <sip:u%zu@127.0.0.1:%u>\r\nAccept-Contact: *;+g.poc.talkburst;require;explicit\r\n"
               "Allow: INVITE, ACK, CANCEL, BYE, UPDATE\r\n",
               i, c->ports[CLIENTS]);
    if (authorization != NULL)
        poc_wr_fmt(&wr, "Authorization: %s\r\n", authorization);
    body_put(&wr, poc_span_str(client_offer));
    text_end(c, &wr, &server);
}

static void acknowledge(sip_crowd *c, size_t i, poc_span answer, poc_span uri, unsigned cseq, const char *branch)
{
    const struct sockaddr_in server = server_of(c);
    poc_wr wr = text_begin(c);
    request_begin(c, &wr, i, "ACK", uri, cseq, branch, header_of(answer, "To"));
    body_put(&wr, (poc_span){ 0 });
    text_end(c, &wr, &server);
}

/* As many as the window takes. */
static void call_more(sip_crowd *c)
{
    const unsigned round = atomic_load(&c->round);
    if (round != c->calling) {
        c->calling = round;
        c->next = c->open = 0;
        for (size_t i = 0; i < c->member_count; i++)
            c->members[i].stage = IDLE;
    }
    while (round > 0 && c->open < WINDOW && c->next < c->member_count && c->out_count < OUT_MAX) {
        c->members[c->next].stage = CALLED;
        c->open++;
        invite(c, c->next++, 1, NULL);
    }
}

static void on_challenge(sip_crowd *c, size_t i, poc_span answer)
{
    char authorization[2048];
    const member *m = &c->members[i];
    gba_ua_client ua = { .btid = m->btid, .mrk = m->mrk };
    poc_wr wr = poc_wr_into(authorization, sizeof(authorization));
    acknowledge(c, i, answer, poc_span_str(SIP_CROWD_GROUP), 1, "i");
    if (m->btid != NULL &&
        gba_ua_authorize(&ua, header_of(answer, "WWW-Authenticate"), poc_span_str(SIP_CROWD_DOMAIN),
                         poc_span_str("INVITE"), poc_span_str(SIP_CROWD_GROUP), poc_span_str(client_offer),
                         &poc_rng_system, &wr) == POC_OK &&
        poc_wr_text(&wr) == POC_OK)
        invite(c, i, 2, authorization);
    else
        atomic_fetch_add(&c->refused, 1);
}

/* The URI between the brackets. */
static poc_span uri_of(poc_span contact)
{
    const uint8_t *from = memchr(contact.p, '<', contact.n);
    const uint8_t *to = from == NULL ? NULL : memchr(from, '>', contact.n - (size_t)(from - contact.p));
    return to == NULL ? contact : poc_span_of(from + 1, (size_t)(to - from - 1));
}

static void on_answer(sip_crowd *c, poc_span answer)
{
    unsigned round, cseq = 1;
    size_t i;
    if (!contains(header_of(answer, "CSeq"), "INVITE") || !dialog_of(c, answer, &round, &i) || round != c->calling)
        return;
    if (starts_with(header_of(answer, "CSeq"), "2"))
        cseq = 2;
    if (starts_with(answer, "SIP/2.0 1"))
        return;
    if (starts_with(answer, "SIP/2.0 401") && cseq == 1) {
        on_challenge(c, i, answer);
    } else if (starts_with(answer, "SIP/2.0 200")) {
        acknowledge(c, i, answer, uri_of(header_of(answer, "Contact")), cseq, "a");
        if (c->members[i].stage == CALLED)
            c->members[i].stage = UP;
    } else {
        acknowledge(c, i, answer, poc_span_str(SIP_CROWD_GROUP), cseq, "i");
        atomic_fetch_add(&c->refused, 1);
    }
}

/* ---- offers ---- */

typedef struct offers {
    size_t count;
    size_t at[BATCH];
    crowd_letter letters[BATCH];
    uint8_t mikey[BATCH][CROWD_OCTETS_MAX], confirmed[BATCH][CROWD_OCTETS_MAX];
} offers;

static void offer_take(sip_crowd *c, offers *o, size_t at, poc_span request)
{
    static const char attribute[] = "a=key-mgmt:mikey ";
    const uint8_t *found = memmem(request.p, request.n, attribute, sizeof(attribute) - 1);
    const uint8_t *value = found == NULL ? NULL : found + sizeof(attribute) - 1;
    const uint8_t *end = value == NULL ? NULL : memchr(value, '\r', request.n - (size_t)(value - request.p));
    crowd_letter *l = &o->letters[o->count];
    unsigned round;
    size_t i, n = 0;
    *l = (crowd_letter){ .out = o->confirmed[o->count] };
    if (end != NULL && dialog_of(c, request, &round, &i) &&
        poc_base64_get(o->mikey[o->count], CROWD_OCTETS_MAX, &n, poc_span_of(value, (size_t)(end - value))) == POC_OK)
        l->muk = c->members[i].muk;
    l->in = poc_span_of(o->mikey[o->count], n);
    o->at[o->count++] = at;
}

/* The client's answer to an offer of the PF: five lines, and that the key has come. */
static poc_span offer_answer(char room[TEXT_MAX], poc_span confirmation)
{
    poc_wr wr = poc_wr_into(room, TEXT_MAX);
    poc_wr_fmt(&wr,
               HEAD UNICAST_LINES "m=audio %d RTP/SAVP 97\r\n" ON_GROUP "m=application %d udp TBCP\r\n" ON_GROUP
                                  "m=data %d UDP vnd.oma.bcast.stkm\r\n" ON_GROUP,
               SIP_CROWD_PORT, SIP_CROWD_PORT + 2, SIP_CROWD_PORT + 4);
    if (confirmation.n > 0) {
        poc_wr_fmt(&wr, "a=key-mgmt:mikey ");
        poc_base64_put(&wr, confirmation);
        poc_wr_fmt(&wr, "\r\n");
    }
    return poc_span_of(room, wr.len);
}

static void offers_answer(sip_crowd *c, offers *o, const poc_span *requests)
{
    char room[TEXT_MAX];
    unsigned round;
    size_t i;
    crowd_answer(o->letters, o->count);
    for (size_t k = 0; k < o->count; k++) {
        const poc_span request = requests[o->at[k]];
        const crowd_letter *l = &o->letters[k];
        reply(c, CLIENTS, request, &c->from[o->at[k]], "200 OK", offer_answer(room, poc_span_of(l->out, l->out_len)));
        atomic_fetch_add(&c->answers, 1);
        atomic_fetch_add(&c->opened, l->out_len > 0);
        if (!dialog_of(c, request, &round, &i) || round != c->calling || c->members[i].stage == KEYED)
            continue;
        c->members[i].stage = KEYED;
        c->open--;
        atomic_fetch_add(&c->joined, 1);
    }
}

/* ---- the listener ---- */

static void client_hears(sip_crowd *c, const poc_span *messages, size_t n)
{
    static _Thread_local offers o;
    o.count = 0;
    for (size_t i = 0; i < n; i++) {
        if (starts_with(messages[i], "SIP/2.0"))
            on_answer(c, messages[i]);
        else if (starts_with(messages[i], "UPDATE"))
            offer_take(c, &o, i, messages[i]);
        else if (!starts_with(messages[i], "ACK"))
            reply(c, CLIENTS, messages[i], &c->from[i], "200 OK", (poc_span){ 0 });
    }
    offers_answer(c, &o, messages);
}

/* Its conference state is nobody's: who asks for it goes on without. */
static void cf_hears(sip_crowd *c, const poc_span *messages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (starts_with(messages[i], "INVITE"))
            reply(c, CF, messages[i], &c->from[i], "200 OK", poc_span_str(cf_answer));
        else if (starts_with(messages[i], "SUBSCRIBE"))
            reply(c, CF, messages[i], &c->from[i], "489 Bad Event", (poc_span){ 0 });
        else if (!starts_with(messages[i], "ACK") && !starts_with(messages[i], "SIP/2.0"))
            reply(c, CF, messages[i], &c->from[i], "200 OK", (poc_span){ 0 });
    }
}

static size_t socket_serve(sip_crowd *c, size_t which)
{
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];
    poc_span messages[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){ c->in[i], TEXT_MAX };
        msg[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &c->from[i],
                                                .msg_namelen = sizeof(c->from[i]),
                                                .msg_iov = &iov[i],
                                                .msg_iovlen = 1 } };
    }
    const int n = recvmmsg(c->fds[which], msg, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        messages[i] = poc_span_of(c->in[i], msg[i].msg_len);
    if (n > 0 && which == CLIENTS)
        client_hears(c, messages, (size_t)n);
    else if (n > 0)
        cf_hears(c, messages, (size_t)n);
    if (which == CLIENTS)
        call_more(c);
    out_flush(c, c->fds[which]);
    return n > 0 ? (size_t)n : 0;
}

static void *listen_on(void *arg)
{
    sip_crowd *c = arg;
    struct pollfd fds[SOCKETS];
    for (size_t i = 0; i < SOCKETS; i++)
        fds[i] = (struct pollfd){ .fd = c->fds[i], .events = POLLIN };
    bench_core_take(1);
    while (!atomic_load(&c->stop)) {
        const size_t heard = socket_serve(c, CLIENTS) + socket_serve(c, CF);
        if (heard == 0)
            (void)poll(fds, SOCKETS, IDLE_MS);
    }
    return NULL;
}

/* ---- the door ---- */

static bool socket_make(sip_crowd *c, size_t which)
{
    const int octets = BUFFER_OCTETS;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK + (uint32_t)which) } };
    socklen_t n = sizeof(at);
    c->fds[which] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (c->fds[which] < 0)
        return false;
    (void)setsockopt(c->fds[which], SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    if (bind(c->fds[which], (const struct sockaddr *)&at, sizeof(at)) != 0 ||
        getsockname(c->fds[which], (struct sockaddr *)&at, &n) != 0)
        return false;
    c->ports[which] = ntohs(at.sin_port);
    return true;
}

sip_crowd *sip_crowd_new(size_t members)
{
    sip_crowd *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->fds[CLIENTS] = c->fds[CF] = -1;
    c->member_count = members;
    c->members = calloc(members, sizeof(*c->members));
    if (c->members != NULL && socket_make(c, CLIENTS) && socket_make(c, CF))
        c->is_running = pthread_create(&c->thread, NULL, listen_on, c) == 0;
    if (!c->is_running) {
        sip_crowd_free(c);
        return NULL;
    }
    bench_core_take(0);
    return c;
}

void sip_crowd_free(sip_crowd *c)
{
    if (c == NULL)
        return;
    atomic_store(&c->stop, true);
    if (c->is_running)
        (void)pthread_join(c->thread, NULL);
    for (size_t i = 0; i < SOCKETS; i++) {
        if (c->fds[i] >= 0)
            (void)close(c->fds[i]);
    }
    for (size_t i = 0; c->members != NULL && i < c->member_count; i++) {
        free(c->members[i].btid);
        poc_secret_free(c->members[i].mrk);
        poc_secret_free(c->members[i].muk);
    }
    free(c->members);
    free(c);
}

size_t sip_crowd_size(const sip_crowd *c)
{
    return c->member_count;
}

uint16_t sip_crowd_cf_port(const sip_crowd *c)
{
    return c->ports[CF];
}

bool sip_crowd_bootstrapped(sip_crowd *c, size_t i, const char *btid, poc_secret *mrk, poc_secret *muk)
{
    member *m = &c->members[i];
    m->btid = strdup(btid);
    m->mrk = poc_secret_ref(mrk);
    m->muk = poc_secret_ref(muk);
    return m->btid != NULL;
}

void sip_crowd_join(sip_crowd *c, uint16_t server_port)
{
    atomic_store(&c->joined, 0);
    atomic_store(&c->server_port, server_port);
    atomic_fetch_add(&c->round, 1);
}

sip_crowd_counts sip_crowd_look(const sip_crowd *c)
{
    return (sip_crowd_counts){ .joined = atomic_load(&c->joined),
                               .answers = atomic_load(&c->answers),
                               .opened = atomic_load(&c->opened),
                               .refused = atomic_load(&c->refused) };
}

double sip_crowd_cpu_s(const sip_crowd *c)
{
    clockid_t clock;
    struct timespec t = { 0 };
    if (pthread_getcpuclockid(c->thread, &clock) == 0)
        (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
