#include "tests/unit/io/daemon_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/ports.h"

enum { SAYS_WITHIN_S = 60, ASK_AGAIN_MS = 10 };

void daemon_prepare(daemon_bench *b, const char *program)
{
    *b = (daemon_bench){ .program = program, .folder = "/tmp/pocpf-daemon-XXXXXX" };
    assert_non_null(mkdtemp(b->folder));
    (void)snprintf(b->config, sizeof(b->config), "%s/pocpfd.cfg", b->folder);
    (void)snprintf(b->socket, sizeof(b->socket), "%s/admin.sock", b->folder);
    assert_true(test_free_ports(b->port, DAEMON_PORTS));
}

void daemon_remove(daemon_bench *b)
{
    char command[128];
    if (b->pid != 0)
        daemon_stop(b);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", b->folder);
    assert_int_equal(system(command), 0);
}

void daemon_configure(const daemon_bench *b, const char *sip, const char *gba, const char *mbms, const char *channels)
{
    FILE *f = fopen(b->config, "we");
    assert_non_null(f);
    (void)fprintf(
        f,
        "sip = { listen = [ \"udp:127.0.0.1:%u\" ]; domain = \"pf.example\"; next_hop = \"sip:127.0.0.1:%u\"; %s };\n"
        "gba = { naf_fqdn = \"pf.example\"; ub_listen = \"127.0.0.1:%u\"; subscribers = \"" POC_SOURCE_DIR
        "/config/demo-subscribers.cfg\"; %s };\n"
        "media = { address = \"127.0.0.1\"; port_min = 46000; port_max = 46998; };\n"
        "store = { path = \"store.db\"; key_file = \"store.key\"; };\nadmin = { socket = \"admin.sock\"; };\n"
        "limits = { drain_s = 0; };\n"
        "mbms = { key_management_listen = [ \"127.0.0.1:%u\", \"[::1]:%u\" ]; push_listen = [ \"0.0.0.0:0\", "
        "\"[::]:0\" ]; push_port = %u; retransmission_ms = 200; %s };\nchannels = ( %s );\n%s\n",
        b->port[DAEMON_SIP_PORT], b->port[DAEMON_CF_PORT], sip, b->port[DAEMON_UB_PORT], gba, b->port[DAEMON_HTTP_PORT],
        b->port[DAEMON_HTTP_PORT], b->port[DAEMON_PUSH_PORT], mbms, channels, b->more != NULL ? b->more : "");
    (void)fclose(f);
}

/* ---- running ---- */

static bool hear(daemon_bench *b)
{
    if (b->words_len > sizeof(b->words) / 2)
        b->words_len = 0; /* only what is new matters */
    ssize_t n = read(b->said, b->words + b->words_len, sizeof(b->words) - 1 - b->words_len);
    if (n <= 0)
        return false;
    b->words_len += (size_t)n;
    b->words[b->words_len] = '\0';
    return true;
}

/** True when it is ready; else it has ended. */
static bool try_start(daemon_bench *b)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    b->words_len = 0;
    b->words[0] = '\0';
    b->pid = fork();
    if (b->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that failed leaves nobody behind */
        (void)dup2(fds[1], STDERR_FILENO);
        (void)execl(b->program, b->program, "-c", b->config, (char *)NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    b->said = fds[0];
    (void)fcntl(b->said, F_SETPIPE_SZ, 1 << 20); /* it must not wait for us */
    while (strstr(b->words, " ready ") == NULL)
        if (!hear(b))
            return false;
    return true;
}

static int end(daemon_bench *b, int signal_number);

/** Somebody else on this machine took a port between our look and its start. */
static bool lost_a_port(const daemon_bench *b)
{
    return strstr(b->words, "Address already in use") != NULL;
}

void daemon_start(daemon_bench *b)
{
    if (!try_start(b))
        fail_msg("%s", b->words);
}

void daemon_open(daemon_bench *b, const char *sip, const char *gba, const char *mbms, const char *channels)
{
    for (int tries = 0; tries < 5; tries++) {
        daemon_configure(b, sip, gba, mbms, channels);
        if (try_start(b))
            return;
        (void)end(b, SIGTERM);
        if (!lost_a_port(b))
            break;
        assert_true(test_free_ports(b->port, DAEMON_PORTS));
    }
    fail_msg("%s", b->words);
}

static int end(daemon_bench *b, int signal_number)
{
    int status = 0;
    (void)kill(b->pid, signal_number);
    while (hear(b)) {
    }
    (void)close(b->said);
    assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
    b->pid = 0;
    return status;
}

void daemon_crash(daemon_bench *b)
{
    (void)end(b, SIGKILL);
}

void daemon_stop(daemon_bench *b)
{
    int status = end(b, SIGTERM);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("it ended badly: %s", b->words);
}

/* ---- the operator ---- */

bool daemon_asks(daemon_bench *b, const char *path, const char *body)
{
    char command[1024];
    (void)snprintf(
        command, sizeof(command),
        "curl -sS --fail-with-body --max-time 20 --noproxy '*' --unix-socket '%s' %s%s%s 'http://pf/v1%s' 2>&1",
        b->socket, body == NULL ? "" : "-d '", body == NULL ? "" : body, body == NULL ? "" : "'", path);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    b->admin[fread(b->admin, 1, sizeof(b->admin) - 1, f)] = '\0';
    return pclose(f) == 0;
}

void daemon_comes_to_say(daemon_bench *b, const char *path, const char *words)
{
    const time_t until_s = time(NULL) + SAYS_WITHIN_S;
    do {
        assert_true(daemon_asks(b, path, NULL));
        if (strstr(b->admin, words) != NULL)
            return;
        (void)poll(NULL, 0, ASK_AGAIN_MS); /* it needs the processor more than we do */
    } while (time(NULL) < until_s);
    fail_msg("%s never says \"%s\": %s", path, words, b->admin);
}

int64_t daemon_counter(daemon_bench *b, const char *group, const char *name)
{
    assert_true(daemon_asks(b, "/status", NULL));
    json_t *o = json_loads(b->admin, 0, NULL);
    const json_t *value = json_object_get(json_object_get(o, group), name);
    assert_true(json_is_integer(value));
    int64_t n = json_integer_value(value);
    json_decref(o);
    return n;
}
