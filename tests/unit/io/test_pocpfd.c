/* The program pocpfd as its operator meets it: exit codes, what it says, reload and stop. Its argument is the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/support/ports.h"

static const char *program;

typedef struct bench {
    char folder[64], config[96];
    uint16_t port[3];
    pid_t pid;
    int out; /* what it says */
    char said[65536];
    size_t said_len;
} bench;

/* ---- running it ---- */

static void start(bench *b, const char *const *args)
{
    int fds[2];
    char *argv[8] = { (char *)(uintptr_t)program };
    for (size_t i = 0; args[i] != NULL; i++)
        argv[i + 1] = (char *)(uintptr_t)args[i];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    b->said_len = 0;
    b->said[0] = '\0';
    b->pid = fork();
    if (b->pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)dup2(fds[1], STDERR_FILENO);
        (void)execv(program, argv);
        _exit(127);
    }
    (void)close(fds[1]);
    b->out = fds[0];
}

/** Reads on; false at the end. */
static bool hear(bench *b)
{
    ssize_t n = read(b->out, b->said + b->said_len, sizeof(b->said) - 1 - b->said_len);
    if (n <= 0)
        return false;
    b->said_len += (size_t)n;
    b->said[b->said_len] = '\0';
    return true;
}

static void hear_until(bench *b, const char *what)
{
    while (strstr(b->said, what) == NULL)
        if (!hear(b))
            fail_msg("it ended without saying \"%s\": %s", what, b->said);
}

/** Reads to the end; the exit status. */
static int finish(bench *b)
{
    int status;
    while (hear(b)) {
    }
    (void)close(b->out);
    assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run(bench *b, const char *one, const char *two, const char *three)
{
    const char *const args[] = { one, two, three, NULL };
    start(b, args);
    return finish(b);
}

/* ---- a place to run in ---- */

static void write_config(bench *b, const char *more)
{
    FILE *f = fopen(b->config, "we");
    assert_non_null(f);
    (void)fprintf(
        f,
        "sip = { listen = [ \"udp:127.0.0.1:%u\", \"tcp:127.0.0.1:%u\" ]; domain = \"pf.example\"; next_hop = "
        "\"sip:127.0.0.1:%u\"; };\n"
        "gba = { naf_fqdn = \"pf.example\"; ub_listen = \"127.0.0.1:%u\"; subscribers = \"" POC_SOURCE_DIR
        "/config/demo-subscribers.cfg\"; };\n"
        "media = { address = \"127.0.0.1\"; port_min = 46000; port_max = 46998; };\n"
        "store = { path = \"state/store.db\"; key_file = \"state/store.key\"; };\n%s\n",
        b->port[0], b->port[0], b->port[1], b->port[2], more);
    (void)fclose(f);
}

static int set_up(void **state)
{
    bench *b = (bench *)calloc(1, sizeof(*b));
    (void)strcpy(b->folder, "/tmp/pocpf-daemon-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    (void)snprintf(b->config, sizeof(b->config), "%s/pocpfd.cfg", b->folder);
    assert_true(test_free_ports(b->port, 3));
    write_config(b, "");
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = (bench *)*state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", b->folder);
    assert_int_equal(system(command), 0);
    free(b);
    return 0;
}

static void start_daemon(bench *b)
{
    const char *const args[] = { "-c", b->config, NULL };
    start(b, args);
    hear_until(b, " ready ");
}

/* ---- tests ---- */

static void wrong_arguments_exit_64(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(run(b, NULL, NULL, NULL), 64);
    assert_non_null(strstr(b->said, "usage: pocpfd -c FILE"));
    assert_int_equal(run(b, "-x", NULL, NULL), 64);
    assert_int_equal(run(b, "-t", NULL, NULL), 64);
    assert_int_equal(run(b, "-c", b->config, "more"), 64);
}

static void version_and_help_exit_0(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(run(b, "-V", NULL, NULL), 0);
    assert_string_equal(b->said, "pocpfd " POC_VERSION "\n");
    assert_int_equal(run(b, "--help", NULL, NULL), 0);
}

static void a_good_file_passes_the_check_and_leaves_no_trace(void **state)
{
    bench *b = (bench *)*state;
    struct stat st;
    char folder[96];
    assert_int_equal(run(b, "-t", "-c", b->config), 0);
    assert_string_equal(b->said, "");
    (void)snprintf(folder, sizeof(folder), "%s/state", b->folder);
    assert_int_equal(stat(folder, &st), -1);
}

static void the_commented_default_passes_the_check_as_it_is(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(run(b, "-t", "-c", POC_SOURCE_DIR "/config/pocpfd.cfg"), 0);
    assert_int_equal(run(b, "-t", "-c", POC_SOURCE_DIR "/config/demo.cfg"), 0);
}

/* POC-10: refused by -t with file, line and reason. */
static void a_bad_file_exits_78_with_file_line_and_reason(void **state)
{
    bench *b = (bench *)*state;
    char place[192];
    write_config(
        b, "channels = ( { id = \"a\"; group = \"sip:g@x\"; address = \"239.1.1.1\"; port = 4000; key_domain_id = "
           "\"00f110\"; key_group = 1;\nrekey = { on_expel = false; }; } );");
    (void)snprintf(place, sizeof(place), "%s:6: channels.rekey.on_expel: an expulsion always rekeys", b->config);
    assert_int_equal(run(b, "-t", "-c", b->config), 78);
    assert_memory_equal(b->said, place, strlen(place));
    assert_int_equal(run(b, "-c", b->config, NULL), 78);
    assert_memory_equal(b->said, place, strlen(place));
    assert_int_equal(run(b, "-t", "-c", "/nowhere.cfg"), 78);
}

static void a_subscriber_file_is_checked_too(void **state)
{
    bench *b = (bench *)*state;
    char text[4096];
    FILE *f = fopen(b->config, "re");
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    char *at = strstr(text, POC_SOURCE_DIR);
    memcpy(at, "/none", 5);
    f = fopen(b->config, "we");
    (void)fwrite(text, 1, n, f);
    (void)fclose(f);
    assert_int_equal(run(b, "-t", "-c", b->config), 78);
    assert_non_null(strstr(b->said, "gba.subscribers cannot be read"));
}

#define DEMO  POC_SOURCE_DIR "/config/demo-subscribers.cfg"
#define USERS POC_SOURCE_DIR "/config/mcx-users.cfg"
#define MCX   "mcx = { psi = \"sip:mcptt@mcx.example\"; kms_url = \"https://127.0.0.1:1/v1\"; kms_uri = \"kms.example\"; "

/** A certificate with its key, another key, and the first one under a password. */
static void make_keys(const bench *b)
{
    char command[512];
    (void)snprintf(
        command, sizeof(command),
        "cd '%s' && for n in a b; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
        "$n.key -out $n.pem -days 2 -subj /CN=pf.example; done 2>/dev/null && "
        "openssl ec -in a.key -aes128 -passout pass:secret -out sealed.key 2>/dev/null",
        b->folder);
    assert_int_equal(system(command), 0);
}

static void a_certificate_passes_with_its_own_key(void **state)
{
    bench *b = (bench *)*state;
    make_keys(b);
    write_config(b, "mbms = { tls_certificate = \"a.pem\"; tls_key = \"a.key\"; };");
    assert_int_equal(run(b, "-t", "-c", b->config), 0);
    write_config(b, MCX "users = \"" USERS "\"; kms_ca = \"a.pem\"; };");
    assert_int_equal(run(b, "-t", "-c", b->config), 0);
}

static void what_this_machine_has_not_fails_the_check_too(void **state)
{
    static const struct {
        const char *more, *says;
    } rows[] = {
        { "bcast = { interface = \"nosuchif0\"; };",
          "bcast.interface = \"nosuchif0\": there is no such network interface" },
        { "mbms = { tls_certificate = \"none.pem\"; tls_key = \"none.pem\"; };", "none.pem: cannot be read" },
        { "mbms = { tls_certificate = \"pocpfd.cfg\"; tls_key = \"pocpfd.cfg\"; };",
          "pocpfd.cfg: mbms.tls_certificate and mbms.tls_key: no PEM certificate" },
        { "mbms = { tls_certificate = \"a.pem\"; tls_key = \"b.key\"; };",
          "a.pem: mbms.tls_certificate and mbms.tls_key: no PEM certificate and the private key of it" },
        { "mbms = { tls_certificate = \"a.pem\"; tls_key = \"sealed.key\"; };",
          "no PEM certificate and the private key" },
        { MCX "users = \"none.cfg\"; };", "none.cfg: cannot be read" },
        { MCX "users = \"" DEMO "\"; };", "demo-subscribers.cfg:1: a list \"users\" is missing" },
        { MCX "token_key = \"pocpfd.cfg\"; };", "pocpfd.cfg: mcx.token_key must be a public key in PEM" },
        { MCX "users = \"" USERS "\"; kms_ca = \"pocpfd.cfg\"; };", "pocpfd.cfg: mcx.kms_ca: no PEM certificates" },
        { MCX "users = \"" USERS "\"; kms_ca = \"b.key\"; };", "b.key: mcx.kms_ca: no PEM certificates" },
        { MCX "users = \"" USERS "\"; neighbours = [ \"pocpfd.cfg\" ]; };",
          "pocpfd.cfg: mcx.neighbours: no certificate of a KMS" },
        { "mcx = { psi = \"sip:mcptt@mcx.example\"; kms = \"embedded\"; kms_secrets = \"pocpfd.cfg\"; users = \"" USERS
          "\"; };",
          "pocpfd.cfg: mcx.kms_secrets must be a file that only its owner can read" },
    };
    bench *b = (bench *)*state;
    make_keys(b);
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        write_config(b, rows[i].more);
        assert_int_equal(run(b, "-t", "-c", b->config), 78);
        if (strstr(b->said, rows[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", b->said, rows[i].says);
        assert_int_equal(run(b, "-c", b->config, NULL), 78);
    }
}

static rlim_t core_limit(pid_t pid)
{
    struct rlimit limit;
    assert_int_equal(prlimit(pid, RLIMIT_CORE, NULL, &limit), 0);
    return limit.rlim_max;
}

/* Keys of subscribers and the secrets of a KMS are read by -t as well. */
static void a_check_leaves_no_core_dump_either(void **state)
{
    bench *b = (bench *)*state;
    const char *const args[] = { "-t", "-c", b->config, NULL };
    assert_int_equal(unlink(b->config), 0);
    assert_int_equal(mkfifo(b->config, 0600), 0);
    if (core_limit(0) == 0)
        skip();
    start(b, args); /* and waits for somebody to write what it is to check */
    for (int tries = 0; core_limit(b->pid) != 0; tries++) {
        assert_true(tries < 6000);
        (void)poll(NULL, 0, 10);
    }
    const int fd = open(b->config, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(finish(b), 78);
}

static void it_serves_until_sigterm_and_exits_0(void **state)
{
    bench *b = (bench *)*state;
    start_daemon(b);
    assert_int_equal(kill(b->pid, SIGTERM), 0);
    assert_int_equal(finish(b), 0);
    assert_non_null(strstr(b->said, " stopped "));
}

static void a_taken_address_is_told_and_exits_1(void **state)
{
    bench *b = (bench *)*state;
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(b->port[2]) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(run(b, "-c", b->config, NULL), 1);
    assert_non_null(strstr(b->said, "gba.ub_listen: 127.0.0.1"));
    (void)close(fd);
}

#define CHANNEL(id, group, deadline)                                                  \
    "{ id = \"" id "\"; group = \"sip:" id "@x.example\"; address = \"239.1.1." group \
    "\"; port = 4000; key_domain_id = "                                               \
    "\"00f110\"; key_group = " group "; rekey = { deadline_ms = " deadline "; }; }"

static void sighup_takes_a_good_file_and_leaves_all_as_it_was_for_a_bad_one(void **state)
{
    bench *b = (bench *)*state;
    write_config(b, "channels = ( " CHANNEL("one", "1", "500") ", " CHANNEL("two", "2", "500") " );");
    start_daemon(b);
    write_config(b, "channels = ( " CHANNEL("one", "1", "700") ", " CHANNEL("three", "3", "500") " );");
    assert_int_equal(kill(b->pid, SIGHUP), 0);
    hear_until(b, " reloaded ");
    assert_non_null(strstr(b->said, "channel_removed channel=two"));
    assert_non_null(strstr(b->said, "channel_added channel=three"));
    assert_non_null(strstr(b->said, "channel_changed channel=one"));
    assert_null(strstr(b->said, "channel_removed channel=one"));
    b->said_len = 0;
    write_config(b, "channels = ( " CHANNEL("one", "1", "7") " );");
    assert_int_equal(kill(b->pid, SIGHUP), 0);
    hear_until(b, "reload_refused");
    assert_non_null(strstr(b->said, "channels.rekey.deadline_ms = 7 is out of bounds"));
    assert_null(strstr(b->said, "channel_removed channel=three"));
    b->said_len = 0;
    write_config(b, "channels = ( " CHANNEL("two", "2", "500") " ); limits = { members_max = 5; };");
    assert_int_equal(kill(b->pid, SIGHUP), 0);
    hear_until(b, " reloaded ");
    assert_non_null(strstr(b->said, "reload_needs_restart group=limits option=members_max"));
    assert_non_null(strstr(b->said, "channel_added channel=two")); /* back again */
    assert_int_equal(kill(b->pid, SIGINT), 0);
    assert_int_equal(finish(b), 0);
}

#define MBMS(push) \
    "mbms = { key_management_listen = [ \"127.0.0.1:0\" ]; push_listen = [ \"127.0.0.1:0\" ]; " push " };\n"
#define TUNNEL(source)                                                                                                  \
    "channels = ( { id = \"tunnel\"; address = \"239.1.1.7\"; port = 4000; key_domain_id = \"00f110\"; key_group = 7; " \
    "rekey = { delivery = [ \"push\" ]; }; mbms = { admit = \"authenticated\"; }; "                                     \
    "feed = { listen = \"udp:127.0.0.1:0\"; source = [ \"" source "\" ]; }; } );"

static void reload(bench *b, const char *more)
{
    write_config(b, more);
    b->said_len = 0;
    b->said[0] = '\0';
    assert_int_equal(kill(b->pid, SIGHUP), 0);
    hear_until(b, " reloaded ");
}

/* A reload opens no push socket, and moves no feed: it says so, each time, and leaves the rest as it was. */
static void what_only_a_restart_can_do_is_named_by_every_reload(void **state)
{
    bench *b = (bench *)*state;
    start_daemon(b);
    reload(b, MBMS("") TUNNEL("127.0.0.5"));
    assert_non_null(strstr(b->said, "reload_needs_restart group=mbms option=push_listen"));
    assert_non_null(
        strstr(b->said, "channel_not_added channel=tunnel reason=\"delivery by push needs mbms.push_listen"));
    assert_int_equal(kill(b->pid, SIGTERM), 0);
    assert_int_equal(finish(b), 0);
    start_daemon(b);
    for (int i = 0; i < 2; i++) {
        reload(b, MBMS("push_tries = 3;") TUNNEL("127.0.0.6"));
        assert_non_null(strstr(b->said, "reload_needs_restart group=mbms option=push_tries"));
        assert_non_null(strstr(b->said, "reload_needs_restart channel=tunnel"));
    }
    reload(b, MBMS("") TUNNEL("127.0.0.5"));
    assert_null(strstr(b->said, "reload_needs_restart"));
    assert_int_equal(kill(b->pid, SIGTERM), 0);
    assert_int_equal(finish(b), 0);
}

static void write_https(bench *b, const char *certificate, const char *key)
{
    char more[256];
    (void)snprintf(more, sizeof(more), MBMS("tls_certificate = \"%s.pem\"; tls_key = \"%s.key\";"), certificate, key);
    write_config(b, more);
}

static void sighup_and_hear(bench *b, const char *what)
{
    b->said_len = 0;
    b->said[0] = '\0';
    assert_int_equal(kill(b->pid, SIGHUP), 0);
    hear_until(b, what);
}

/* A certificate may change while it runs, also that in the same file; one that does not fit its key changes nothing. */
static void sighup_takes_another_certificate(void **state)
{
    bench *b = (bench *)*state;
    char command[256];
    make_keys(b);
    write_https(b, "a", "a");
    start_daemon(b);
    sighup_and_hear(b, " reloaded ");
    assert_null(strstr(b->said, "tls_renewed"));
    write_https(b, "b", "b");
    sighup_and_hear(b, " reloaded ");
    assert_non_null(strstr(b->said, "tls_renewed group=mbms"));
    assert_null(strstr(b->said, "needs_restart"));
    write_https(b, "b", "a");
    sighup_and_hear(b, "reload_refused");
    assert_non_null(strstr(b->said, "no PEM certificate and the private key of it"));
    write_https(b, "b", "b");
    (void)snprintf(command, sizeof(command), "cd '%s' && cp a.pem b.pem && cp a.key b.key", b->folder);
    assert_int_equal(system(command), 0);
    sighup_and_hear(b, " reloaded ");
    assert_non_null(strstr(b->said, "tls_renewed group=mbms"));
    write_config(b, MBMS(""));
    sighup_and_hear(b, " reloaded ");
    assert_non_null(strstr(b->said, "reload_needs_restart group=mbms option=tls_certificate"));
    assert_int_equal(kill(b->pid, SIGTERM), 0);
    assert_int_equal(finish(b), 0);
}

static void a_second_daemon_on_the_same_store_is_refused(void **state)
{
    bench *b = (bench *)*state;
    bench second = *b;
    start_daemon(b);
    assert_int_equal(run(&second, "-c", b->config, NULL), 1);
    assert_non_null(strstr(second.said, "another pocpfd may be using it"));
    assert_int_equal(kill(b->pid, SIGTERM), 0);
    assert_int_equal(finish(b), 0);
}

static void a_key_file_that_others_can_read_is_refused_until_it_is_closed_to_them(void **state)
{
    bench *b = (bench *)*state;
    char key[128];
    start_daemon(b);
    assert_int_equal(kill(b->pid, SIGKILL), 0);
    while (hear(b)) {
    }
    (void)close(b->out);
    assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
    (void)snprintf(key, sizeof(key), "%s/state/store.key", b->folder);
    assert_int_equal(chmod(key, 0644), 0);
    assert_int_equal(run(b, "-c", b->config, NULL), 78);
    assert_non_null(strstr(b->said, "chmod 600"));
    assert_int_equal(chmod(key, 0600), 0);
    start_daemon(b);
    assert_int_equal(kill(b->pid, SIGTERM), 0);
    assert_int_equal(finish(b), 0);
}

int main(int argc, char **argv)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(wrong_arguments_exit_64),
        WITH_BENCH(version_and_help_exit_0),
        WITH_BENCH(a_good_file_passes_the_check_and_leaves_no_trace),
        WITH_BENCH(the_commented_default_passes_the_check_as_it_is),
        WITH_BENCH(a_bad_file_exits_78_with_file_line_and_reason),
        WITH_BENCH(a_subscriber_file_is_checked_too),
        WITH_BENCH(a_certificate_passes_with_its_own_key),
        WITH_BENCH(what_this_machine_has_not_fails_the_check_too),
        WITH_BENCH(a_check_leaves_no_core_dump_either),
        WITH_BENCH(it_serves_until_sigterm_and_exits_0),
        WITH_BENCH(a_taken_address_is_told_and_exits_1),
        WITH_BENCH(sighup_takes_a_good_file_and_leaves_all_as_it_was_for_a_bad_one),
        WITH_BENCH(what_only_a_restart_can_do_is_named_by_every_reload),
        WITH_BENCH(sighup_takes_another_certificate),
        WITH_BENCH(a_second_daemon_on_the_same_store_is_refused),
        WITH_BENCH(a_key_file_that_others_can_read_is_refused_until_it_is_closed_to_them),
    };
    if (argc != 2)
        return 64;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
