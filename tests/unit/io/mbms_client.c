#include "tests/unit/io/mbms_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"

enum { PATIENCE_MS = 60000 };

static const struct {
    const char *impi, *uri, *k, *opc;
} subscribers[] = {
    { "alice@home1.example", "sip:alice@home1.example", "a11ce0a11ce0a11ce0a11ce0a11ce001",
      "0c0a11ce0c0a11ce0c0a11ce0c0a11ce" },
    { "bob@home2.example", "sip:bob@home2.example", "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b002",
      "0c0b0b0b0c0b0b0b0c0b0b0b0c0b0b0b" },
    { "carol@home1.example", "sip:carol@home1.example", "ca401ca401ca401ca401ca401ca40103",
      "0cca401a0cca401a0cca401a0cca401a" },
};

static struct sockaddr_storage address(const char *host, uint16_t port)
{
    struct sockaddr_storage a;
    assert_int_equal(poc_addr_parse(&a, poc_span_str(host), port), POC_OK);
    return a;
}

static int bound(int type, const char *host, uint16_t port)
{
    const int on = 1;
    struct sockaddr_storage at = address(host, port);
    int fd = socket(at.ss_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, poc_addr_len((struct sockaddr *)&at)), 0);
    return fd;
}

void mbms_client_make(mbms_client *c, unsigned subscriber, const char *host, uint16_t push_port, const char *naf_fqdn)
{
    static const uint8_t amf[2] = { 0x80, 0 };
    uint8_t k[16], opc[16];
    *c = (mbms_client){
        .host = host, .impi = subscribers[subscriber].impi, .uri = subscribers[subscriber].uri, .naf_fqdn = naf_fqdn
    };
    assert_int_equal(poc_hex_get_exact(k, 16, poc_span_str(subscribers[subscriber].k)), POC_OK);
    assert_int_equal(poc_hex_get_exact(opc, 16, poc_span_str(subscribers[subscriber].opc)), POC_OK);
    assert_int_equal(gba_usim_init(&c->usim, k, opc, 32, amf), POC_OK);
    c->udp = bound(SOCK_DGRAM, host, push_port);
}

static void drop_keys(mbms_client *c)
{
    gba_bootstrap_done(&c->boot);
    gba_mbms_keys_done(&c->keys);
    c->boot = (gba_bootstrap){ 0 };
    c->keys = (gba_mbms_keys){ 0 };
}

void mbms_client_done(mbms_client *c)
{
    drop_keys(c);
    gba_usim_done(&c->usim);
    (void)close(c->udp);
}

/* ---- HTTP ---- */

int mbms_exchange(mbms_client *c, const char *host, uint16_t port, const char *request)
{
    struct sockaddr_storage to = address(host, port);
    int fd = bound(SOCK_STREAM, c->host, 0), status = 0;
    size_t n = 0, sent = 0, len = strlen(request);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, poc_addr_len((struct sockaddr *)&to)), 0);
    while (sent < len) {
        ssize_t done = send(fd, request + sent, len - sent, MSG_NOSIGNAL);
        if (done <= 0)
            break; /* answered and closed before all of it was read */
        sent += (size_t)done;
    }
    while (n < sizeof(c->answer) - 1) {
        ssize_t got = recv(fd, c->answer + n, sizeof(c->answer) - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    c->answer[n] = '\0';
    (void)close(fd);
    return sscanf(c->answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

poc_span mbms_header(const mbms_client *c, const char *name)
{
    char line[128];
    (void)snprintf(line, sizeof(line), "\r\n%s: ", name);
    const char *at = strcasestr(c->answer, line);
    if (at == NULL)
        return poc_span_str("");
    at += strlen(line);
    return poc_span_of(at, strcspn(at, "\r\n"));
}

bool mbms_says(const mbms_client *c, const char *words)
{
    return strstr(c->answer, words) != NULL;
}

static poc_span body_of(const mbms_client *c)
{
    const char *at = strstr(c->answer, "\r\n\r\n");
    return poc_span_str(at == NULL ? "" : at + 4);
}

int mbms_post_as(mbms_client *c, const char *host, uint16_t port, const char *target, const char *type,
                 const char *body, const char *authorization)
{
    size_t room = strlen(body) + 8192;
    char *request = (char *)malloc(room);
    assert_non_null(request);
    (void)snprintf(request, room,
                   "POST %s HTTP/1.1\r\nHost: pf\r\nConnection: close\r\nContent-Type: %s\r\n%s%s%sContent-Length: "
                   "%zu\r\n\r\n%s",
                   target, type, authorization[0] == '\0' ? "" : "Authorization: ", authorization,
                   authorization[0] == '\0' ? "" : "\r\n", strlen(body), body);
    int status = mbms_exchange(c, host, port, request);
    free(request);
    return status;
}

static void keep_challenge(mbms_client *c)
{
    poc_span challenge = mbms_header(c, "WWW-Authenticate");
    if (challenge.n == 0)
        return;
    (void)snprintf(c->challenge, sizeof(c->challenge), "%.*s", (int)challenge.n, (const char *)challenge.p);
    c->nc = 0;
}

void mbms_get_challenge(mbms_client *c, const char *host, uint16_t port)
{
    assert_int_equal(mbms_post_as(c, host, port, "/keymanagement?requesttype=register", "application/mbms-register+xml",
                                  "<mbmsSecurityRegister/>", ""),
                     401);
    keep_challenge(c);
}

int mbms_post_again(mbms_client *c, const char *host, uint16_t port, const char *target, const char *type,
                    const char *body)
{
    gba_ua_client ua = { c->boot.btid, c->keys.mrk, c->nc };
    poc_wr wr = poc_wr_into(c->authorization, sizeof(c->authorization));
    assert_int_equal(gba_ua_authorize(&ua, poc_span_str(c->challenge), poc_span_str(c->naf_fqdn), poc_span_str("POST"),
                                      poc_span_str(target), poc_span_str(body), &poc_rng_system, &wr),
                     POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    c->nc = ua.nc;
    int status = mbms_post_as(c, host, port, target, type, body, c->authorization);
    if (status == 200)
        assert_int_equal(
            gba_ua_check_answer(&ua, poc_span_str(c->authorization), mbms_header(c, "Authentication-Info"), body_of(c)),
            POC_OK);
    return status;
}

int mbms_post(mbms_client *c, const char *host, uint16_t port, const char *target, const char *type, const char *body)
{
    if (c->challenge[0] == '\0')
        mbms_get_challenge(c, host, port);
    int status = mbms_post_again(c, host, port, target, type, body);
    if (status != 401 || !mbms_says(c, "stale=true"))
        return status;
    keep_challenge(c);
    return mbms_post_again(c, host, port, target, type, body);
}

int mbms_register(mbms_client *c, const char *host, uint16_t port, const char *requesttype, const char *service)
{
    char target[128], type[128], body[512];
    const char *root = strcmp(requesttype, "register") == 0 ? "mbmsSecurityRegister" : "mbmsSecurityDeregister";
    (void)snprintf(target, sizeof(target), "/keymanagement?requesttype=%s", requesttype);
    (void)snprintf(type, sizeof(type), "application/mbms-%s+xml", requesttype);
    (void)snprintf(body, sizeof(body), "<%s><serviceID>%s</serviceID></%s>", root, service, root);
    return mbms_post(c, host, port, target, type, body);
}

int mbms_request_msk(mbms_client *c, const char *host, uint16_t port, uint32_t msk_id)
{
    static const uint8_t domain[3] = { 0x00, 0xf1, 0x10 };
    char body[512];
    uint8_t id[4] = { (uint8_t)(msk_id >> 24), (uint8_t)(msk_id >> 16), (uint8_t)(msk_id >> 8), (uint8_t)msk_id };
    poc_wr wr = poc_wr_into(body, sizeof(body));
    poc_wr_fmt(&wr, "<mskRequest><MSK><keyDomainID>");
    poc_base64_put(&wr, poc_span_of(domain, sizeof(domain)));
    poc_wr_fmt(&wr, "</keyDomainID><MSKID>");
    poc_base64_put(&wr, poc_span_of(id, sizeof(id)));
    poc_wr_fmt(&wr, "</MSKID></MSK></mskRequest>");
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    return mbms_post(c, host, port, "/keymanagement?requesttype=msk-request", "application/mbms-msk+xml", body);
}

/* ---- Ub ---- */

static gba_ub_next bootstrap_step(mbms_client *c, gba_ub_client *ub, const char *host, uint16_t port)
{
    char header[GBA_HEADER_MAX], request[GBA_HEADER_MAX + 128];
    gba_ub_next next = GBA_UB_AGAIN;
    poc_wr wr = poc_wr_into(header, sizeof(header));
    assert_int_equal(gba_ub_client_request(ub, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    (void)snprintf(request, sizeof(request),
                   "GET / HTTP/1.1\r\nHost: bsf\r\nConnection: close\r\nAuthorization: %s\r\n\r\n", header);
    int status = mbms_exchange(c, host, port, request);
    assert_int_equal(gba_ub_client_answer(ub, status, mbms_header(c, "WWW-Authenticate"),
                                          mbms_header(c, "Authentication-Info"), body_of(c), &next, &c->boot),
                     POC_OK);
    return next;
}

void mbms_client_bootstrap(mbms_client *c, const char *host, uint16_t ub_port)
{
    gba_ub_client *ub;
    gba_naf_id naf;
    poc_secret *ks_naf;
    drop_keys(c);
    c->challenge[0] = '\0';
    assert_int_equal(
        gba_ub_client_new(&ub, poc_span_str(c->impi), poc_span_str(c->naf_fqdn), &c->usim, &poc_rng_system), POC_OK);
    assert_int_equal(bootstrap_step(c, ub, host, ub_port), GBA_UB_AGAIN);
    assert_int_equal(bootstrap_step(c, ub, host, ub_port), GBA_UB_DONE);
    gba_ub_client_free(ub);
    assert_int_equal(gba_naf_id_make(&naf, poc_span_str(c->naf_fqdn), gba_ua_id_mbms), POC_OK);
    assert_int_equal(
        gba_ks_naf(&ks_naf, GBA_KS_NAF, c->boot.ks, c->boot.rand, poc_span_str(c->impi), poc_span_of(naf.b, naf.n)),
        POC_OK);
    assert_int_equal(gba_mbms_keys_make(&c->keys, ks_naf, NULL), POC_OK);
    poc_secret_free(ks_naf);
}

/* ---- MIKEY ---- */

void mbms_hear(mbms_client *c)
{
    struct pollfd wait = { .fd = c->udp, .events = POLLIN };
    socklen_t n = sizeof(c->from);
    mikey_msg msg;
    mikey_msk opened;
    if (poll(&wait, 1, PATIENCE_MS) != 1)
        fail_msg("no MSK message for %s", c->impi);
    ssize_t got = recvfrom(c->udp, c->datagram, sizeof(c->datagram), 0, (struct sockaddr *)&c->from, &n);
    assert_true(got > 0);
    c->datagram_len = (size_t)got;
    assert_int_equal(mikey_decode(&msg, poc_span_of(c->datagram, c->datagram_len), NULL), POC_OK);
    assert_true(poc_span_eq_str(msg.idr.data, c->boot.btid));
    assert_int_equal(mikey_msk_open(&opened, &msg, c->keys.muk, NULL), POC_OK);
    c->msk_id = opened.msk_id;
    c->counter = opened.counter;
    c->wants_verification = msg.wants_verification;
    c->has_key = opened.msk != NULL;
    if (c->has_key)
        memcpy(c->msk, poc_secret_bytes(opened.msk), POC_MSK_LEN);
    mikey_msk_done(&opened);
}

void mbms_confirm(mbms_client *c, bool flip)
{
    uint8_t out[MIKEY_MESSAGE_MAX];
    mikey_msg msg;
    poc_wr wr = poc_wr_into(out, sizeof(out));
    assert_int_equal(mikey_decode(&msg, poc_span_of(c->datagram, c->datagram_len), NULL), POC_OK);
    assert_int_equal(mikey_verification_seal(&wr, &msg, c->keys.muk), POC_OK);
    assert_int_equal(poc_wr_done(&wr), POC_OK);
    if (flip)
        out[wr.len - 1] ^= 1;
    assert_int_equal(
        sendto(c->udp, out, wr.len, 0, (struct sockaddr *)&c->from, poc_addr_len((struct sockaddr *)&c->from)), wr.len);
}

void mbms_hear_until(mbms_client *c, uint32_t msk_id)
{
    do {
        mbms_hear(c);
        if (c->wants_verification)
            mbms_confirm(c, false);
    } while (c->msk_id != msk_id);
}

bool mbms_silent(const mbms_client *c)
{
    struct pollfd wait = { .fd = c->udp, .events = POLLIN };
    return poll(&wait, 1, 0) == 0;
}
