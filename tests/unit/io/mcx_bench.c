#include "tests/unit/io/mcx_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static const char *program, *tool;

/* ---- setting up ---- */

static void write_users(mcx_bench *b)
{
    char path[128], digest[65];
    const mcx_client *const users[] = { &b->alice, &b->bob };
    (void)snprintf(path, sizeof(path), "%s/users.cfg", b->pf.folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f, "users = (");
    for (size_t i = 0; i < POC_COUNT(users); i++) {
        mcx_client_token_digest(users[i], digest);
        (void)fprintf(f, "%s\n{ id = \"%s\"; impus = [ \"%s\" ]; token_sha256 = \"%s\"; }", i > 0 ? "," : "",
                      users[i]->mc_id, users[i]->impu, digest);
    }
    (void)fprintf(f, " );\n");
    (void)fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}

static void write_mcx(mcx_bench *b, const char *musiks)
{
    char trusted[64];
    (void)snprintf(b->more, sizeof(b->more),
                   "mcx = { psi = \"" MCX_PSI
                   "\"; kms = \"embedded\"; kms_secrets = \"kms/kms.secret\"; kms_listen = [ "
                   "\"127.0.0.1:%u\" ]; users = \"users.cfg\"; %s musik = ( %s ); };",
                   b->pf.port[DAEMON_PUSH_PORT], b->options, musiks);
    b->pf.more = b->more;
    (void)snprintf(trusted, sizeof(trusted), "trusted_peers = [ \"127.0.0.1:%u\" ];", b->pf.port[DAEMON_CF_PORT]);
    daemon_configure(&b->pf, trusted, "sip_auth = \"registered\";", "", b->channels != NULL ? b->channels : "");
}

const char *mcx_bench_north(const mcx_bench *b, const char *more)
{
    static char text[1024];
    (void)snprintf(text, sizeof(text),
                   "{ id = \"north\"; address = \"%s\"; port = %d; source = \"127.0.0.1\"; feed = { listen = "
                   "\"udp:127.0.0.1:0\"; floor_listen = \"udp:127.0.0.1:%u\"; source = [ \"127.0.0.5\" ]; }; %s }",
                   b->group[0], MCX_AIR_PORT, b->pf.port[DAEMON_HTTP_PORT], more);
    return text;
}

static void write_both(mcx_bench *b)
{
    char musiks[2048];
    (void)snprintf(musiks, sizeof(musiks),
                   "%s, { id = \"south\"; address = \"%s\"; port = %d; source = \"127.0.0.1\"; tmgi = \"" MCX_TMGI
                   "\"; areas = [ \"0001\", \"00ff\" ]; }",
                   mcx_bench_north(b, ""), b->group[1], MCX_AIR_PORT);
    write_mcx(b, musiks);
}

void mcx_bench_reload(mcx_bench *b, const char *musiks)
{
    if (musiks != NULL)
        write_mcx(b, musiks);
    else
        write_both(b);
    if (!daemon_asks(&b->pf, "/reload", ""))
        fail_msg("%s", b->pf.admin);
}

static void make_kms(const mcx_bench *b)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "'%s' mcx kms-init --kms-uri " MCX_KMS " '%s/kms' > /dev/null", tool,
                   b->pf.folder);
    assert_int_equal(system(command), 0);
}

static int listen_to(const char *group)
{
    const int on = 1;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(MCX_AIR_FLOOR_PORT) };
    assert_int_equal(inet_pton(AF_INET, group, &at.sin_addr), 1);
    const struct ip_mreqn on_lo = { .imr_multiaddr = at.sin_addr, .imr_ifindex = (int)if_nametoindex("lo") };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &on_lo, sizeof(on_lo)), 0);
    return fd;
}

void mcx_bench_ready(mcx_bench *b)
{
    daemon_comes_to_say(&b->pf, "/status", "\"keys_until\":\"");
}

mcx_bench *mcx_bench_new(const char *options)
{
    mcx_bench *b = calloc(1, sizeof(*b));
    struct sockaddr_in source = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000005) };
    assert_non_null(b);
    daemon_prepare(&b->pf, program);
    mcx_client_make(&b->alice, "alice", MCX_PSI, MCX_KMS);
    mcx_client_make(&b->bob, "bob", MCX_PSI, MCX_KMS);
    for (unsigned i = 0; i < 2; i++) /* of this process: others may test on the same machine */
        (void)snprintf(b->group[i], sizeof(b->group[i]), "239.%u.%u.%u", 194 + i, (unsigned)getpid() >> 8 & 255u,
                       (unsigned)getpid() & 255u);
    b->air = listen_to(b->group[0]);
    b->source = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(b->source, (struct sockaddr *)&source, sizeof(source)), 0);
    make_kms(b);
    write_users(b);
    (void)snprintf(b->options, sizeof(b->options), "%s", options);
    write_both(b);
    phone_open(&b->core, "127.0.0.1", b->pf.port[DAEMON_CF_PORT]);
    b->core.pf_port = b->pf.port[DAEMON_SIP_PORT];
    b->core.from = MCX_ALICE;
    b->core.to = MCX_PSI;
    daemon_start(&b->pf);
    mcx_bench_ready(b);
    return b;
}

void mcx_bench_free(mcx_bench *b)
{
    daemon_remove(&b->pf);
    mcx_client_done(&b->alice);
    mcx_client_done(&b->bob);
    phone_close(&b->core);
    (void)close(b->air);
    (void)close(b->source);
    free(b);
}

void mcx_bench_crash(mcx_bench *b)
{
    daemon_crash(&b->pf);
    daemon_start(&b->pf);
    mcx_bench_ready(b);
}

/** Every download has its answer, whatever it was for. */
static void answer_the_rest(mcx_bench *b)
{
    while (daemon_counter(&b->pf, "mcx", "downloads") !=
           daemon_counter(&b->pf, "mcx", "downloaded") + daemon_counter(&b->pf, "mcx", "not_downloaded")) {
        while (phone_takes(&b->core))
            phone_reply(&b->core, "200 OK");
    }
    phone_forget(&b->core);
}

static void refresh(mcx_bench *b, mcx_client *c, const char *name)
{
    char body[128];
    (void)snprintf(body, sizeof(body), "{\"user\":\"sip:%s@home1.example\"}", name);
    (void)daemon_asks(&b->pf, "/mcx/log-off", body);
    (void)daemon_asks(&b->pf, "/channels/north/admit", body);
    (void)snprintf(c->impu, sizeof(c->impu), "sip:%s@home1.example", name);
    pocue_mcx_log_off(c->ue);
}

void mcx_bench_refresh(mcx_bench *b)
{
    if (b->pf.pid == 0) {
        daemon_start(&b->pf);
        mcx_bench_ready(b);
    }
    refresh(b, &b->alice, "alice");
    refresh(b, &b->bob, "bob");
    answer_the_rest(b);
}

void mcx_bench_assert_empty(mcx_bench *b)
{
    assert_int_equal(daemon_counter(&b->pf, "mcx", "users"), 0);
    assert_true(daemon_asks(&b->pf, "/channels/north/members", NULL));
    assert_non_null(strstr(b->pf.admin, "\"members\":[]"));
}

/* ---- what users do ---- */

void mcx_bench_provision(const mcx_bench *b, mcx_client *c)
{
    if (pocue_mcx_is_provisioned(c->ue, mcx_client_now_ms()))
        return;
    mcx_client_provision(c, b->pf.port[DAEMON_PUSH_PORT], MCX_KMS);
}

int mcx_bench_ask(mcx_bench *b, mcx_client *c, const char *method, const char *headers, const void *body, size_t n)
{
    char more[512], contact[128];
    (void)snprintf(more, sizeof(more), "%sP-Asserted-Identity: <%s>\r\n", headers, c->impu);
    (void)snprintf(contact, sizeof(contact), "Contact: <%.*s@127.0.0.1:%u>\r\n", (int)strcspn(c->impu, "@"), c->impu,
                   b->core.port);
    const phone_request q = { .method = method,
                              .from = c->impu,
                              .to = strcmp(method, "REGISTER") == 0 ? c->impu : MCX_PSI,
                              .contact = strcmp(method, "REGISTER") == 0 ? contact : "",
                              .more = more,
                              .type = n > 0 ? c->content_type : NULL,
                              .body = body,
                              .body_len = n };
    int status = phone_ask(&b->core, &q);
    while (status == 0) { /* a request of the PF came first, and will come again */
        (void)phone_hear(&b->core);
        status = phone_status(&b->core);
    }
    return status;
}

int mcx_bench_ask_with_his(mcx_bench *b, mcx_client *c, const char *method, const char *headers)
{
    return mcx_bench_ask(b, c, method, headers, c->body, c->body_len);
}

static mcx_client *called(mcx_bench *b)
{
    return strstr(phone_header(&b->core, "To"), "bob") != NULL ? &b->bob : &b->alice;
}

void mcx_bench_take(mcx_bench *b)
{
    size_t n;
    char type[256];
    (void)phone_hear(&b->core);
    (void)snprintf(type, sizeof(type), "%s", phone_header(&b->core, "Content-Type"));
    const char *body = phone_body(&b->core, &n);
    assert_int_equal(mcx_client_message(called(b), type, body, n), 200);
    phone_reply(&b->core, "200 OK");
}

void mcx_bench_upload(mcx_bench *b, mcx_client *c)
{
    mcx_client_upload(c, mcx_client_now_ms());
    assert_int_equal(mcx_bench_ask_with_his(b, c, "REGISTER", "Expires: 3600\r\n"), 200);
    pocue_mcx_uploaded(c->ue, mcx_client_now_ms(), true);
}

void mcx_bench_hear_all(mcx_bench *b, const mcx_client *c)
{
    pocue_mcx_bearer bearer;
    while (mcx_client_musik(c) == 0 || pocue_mcx_bearers(c->ue, &bearer, 1) == 0)
        mcx_bench_take(b);
}

void mcx_bench_come(mcx_bench *b, mcx_client *c)
{
    mcx_bench_provision(b, c);
    mcx_bench_upload(b, c);
    mcx_bench_hear_all(b, c);
}

/* ---- fixtures ---- */

bool mcx_bench_programs(int argc, char **argv)
{
    if (argc != 3)
        return false;
    program = argv[1];
    tool = argv[2];
    return true;
}

const char *mcx_bench_tool(void)
{
    return tool;
}

int mcx_bench_open(void **state)
{
    *state = mcx_bench_new("");
    return 0;
}

int mcx_bench_close(void **state)
{
    mcx_bench_free(*state);
    return 0;
}

int mcx_bench_again(void **state)
{
    mcx_bench_refresh(*state);
    return 0;
}
