#include "tests/unit/io/mcx_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "mcx/mcx.h"

#define ROOT "/keymanagement/identity/v1"

int64_t mcx_client_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void mcx_client_make(mcx_client *c, const char *name, const char *server, const char *kms_uri)
{
    const pocue_mcx_server servers[] = { { server, kms_uri } };
    *c = (mcx_client){ .ue = NULL };
    (void)snprintf(c->mc_id, sizeof(c->mc_id), "sip:%s@mcptt.example", name);
    (void)snprintf(c->impu, sizeof(c->impu), "sip:%s@home1.example", name);
    (void)snprintf(c->token, sizeof(c->token), "pass of %s", name);
    pocue_settings s = { .impu = c->impu,
                         .impi = "user@home1.example",
                         .bsf_fqdn = "pf.example",
                         .naf_fqdn = "pf.example",
                         .multicast_capable = true,
                         .msks_per_group = 2 };
    const mcx_algorithm both[] = { mcx_aes128_gcm, mcx_aes256_gcm };
    const pocue_mcx_settings mcx = { .mc_id = c->mc_id,
                                     .service = MCX_MCPTT,
                                     .servers = servers,
                                     .server_count = 1,
                                     .client_id = "urn:uuid:1",
                                     .algorithms = both,
                                     .algorithm_count = POC_COUNT(both) };
    assert_int_equal(pocue_new(&c->ue, &s, &poc_rng_system), POC_OK);
    assert_int_equal(pocue_mcx_start(c->ue, &mcx), POC_OK);
}

void mcx_client_done(mcx_client *c)
{
    pocue_free(c->ue);
    c->ue = NULL;
}

void mcx_client_token_digest(const mcx_client *c, char out[65])
{
    uint8_t digest[POC_SHA256_LEN];
    poc_wr wr = poc_wr_into(out, 65);
    assert_int_equal(poc_sha256(digest, poc_span_str(c->token)), POC_OK);
    poc_hex_put(&wr, poc_span_of(digest, sizeof(digest)));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

/* ---- provisioning ---- */

/** One request on a connection of its own; the body of a 200. */
static poc_span post(mcx_client *c, uint16_t port, const char *path, poc_span body, char answer[65536])
{
    static char request[8192];
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    size_t n = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int len = snprintf(request, sizeof(request),
                       "POST %s HTTP/1.1\r\nHost: kms\r\nAuthorization: Bearer %s\r\nContent-Type: application/xml\r\n"
                       "Connection: close\r\nContent-Length: %zu\r\n\r\n%.*s",
                       path, c->token, body.n, (int)body.n, (const char *)body.p);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    for (ssize_t got; n < 65535 && (got = recv(fd, answer + n, 65535 - n, 0)) > 0;)
        n += (size_t)got;
    answer[n] = '\0';
    (void)close(fd);
    const char *end = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0 || end == NULL)
        fail_msg("the KMS answers: %s", answer);
    return poc_span_of((const uint8_t *)end + 4, n - (size_t)(end + 4 - answer));
}

static void ask_kms(mcx_client *c, uint16_t port, const char *kms_uri, const char *path)
{
    static char answer[65536];
    static mcx_kms_response response;
    char body[4096], url[MCX_KMS_URL_MAX];
    const char *why = NULL;
    poc_wr wr = poc_wr_into(body, sizeof(body));
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    const mcx_kms_answer asked = { .user_uri = poc_span_str(c->mc_id),
                                   .kms_uri = poc_span_str(kms_uri),
                                   .request_url = poc_span_str(url),
                                   .now_s = mcx_client_now_ms() / 1000 };
    assert_int_equal(mcx_kms_request_put(&wr, &asked), POC_OK);
    const poc_span xml = post(c, port, path, poc_span_of((const uint8_t *)body, wr.len), answer);
    if (mcx_kms_response_read(&response, xml, &why) != POC_OK)
        fail_msg("%s: %s", why, answer);
    assert_int_equal(pocue_mcx_provision(c->ue, &response), POC_OK);
    mcx_kms_response_done(&response);
}

void mcx_client_provision(mcx_client *c, uint16_t kms_port, const char *kms_uri)
{
    char path[MCX_KMS_URL_MAX];
    poc_wr wr = poc_wr_into(path, sizeof(path));
    mcx_kms_key_path_put(&wr, ROOT, poc_span_str(c->mc_id),
                         ((uint64_t)mcx_client_now_ms() / 1000 + MCX_NTP_MINUS_UNIX) << 32);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    ask_kms(c, kms_port, kms_uri, ROOT "/init");
    ask_kms(c, kms_port, kms_uri, path);
    assert_true(pocue_mcx_is_provisioned(c->ue, mcx_client_now_ms()));
}

/* ---- the server ---- */

void mcx_client_upload(mcx_client *c, int64_t when_ms)
{
    pocue_mcx_upload upload = { .access_token = c->token };
    poc_wr wr = poc_wr_into(c->body, sizeof(c->body));
    assert_int_equal(pocue_mcx_make_upload(c->ue, when_ms, &upload, &wr), POC_OK);
    c->body_len = wr.len;
    c->csk_id = upload.csk_id;
    memcpy(c->content_type, upload.content_type, sizeof(c->content_type));
}

int mcx_client_message(mcx_client *c, const char *content_type, const char *body, size_t n)
{
    pocue_reply reply;
    const char *why = NULL;
    (void)pocue_mcx_message(c->ue, mcx_client_now_ms(), poc_span_str(content_type),
                            poc_span_of((const uint8_t *)body, n), &reply, &why);
    if (reply.status != 200)
        print_error("%s does not take a message: %s\n", c->impu, why != NULL ? why : "");
    return reply.status;
}

uint32_t mcx_client_musik(const mcx_client *c)
{
    return pocue_mcx_musik(c->ue, mcx_client_now_ms(), "");
}
