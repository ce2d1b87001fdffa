#include "tests/interop/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/ports.h"

enum { PORTS = 5 };

const char *service_client_host(unsigned n)
{
    static char hosts[SERVICE_CLIENTS][16];
    const unsigned pid = (unsigned)getpid();
    (void)snprintf(hosts[n], sizeof(hosts[n]), "127.%u.%u.%u", 64 + (pid >> 14) % 64, pid >> 6 & 255,
                   (pid & 63) << 2 | n);
    return hosts[n];
}

void service_make(service *s, const char *daemon, const char *ctl, const char *mbms, const char *more)
{
    uint16_t port[PORTS];
    *s = (service){ .daemon = daemon, .ctl = ctl };
    (void)strcpy(s->folder, "/tmp/pocpf-service-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    assert_true(test_free_ports(port, PORTS));
    s->sip = port[0];
    s->ub = port[2];
    s->http = port[3];
    s->push = port[4];
    (void)snprintf(s->config, sizeof(s->config), "%s/pocpfd.cfg", s->folder);
    FILE *f = fopen(s->config, "we");
    assert_non_null(f);
    (void)fprintf(
        f,
        "sip = { listen = [ \"udp:127.0.0.1:%u\" ]; domain = \"pf.example\"; next_hop = \"sip:127.0.0.1:%u\"; };\n"
        "gba = { naf_fqdn = \"" SERVICE_NAF "\"; ub_listen = \"127.0.0.1:%u\"; subscribers = \"" POC_SOURCE_DIR
        "/config/demo-subscribers.cfg\"; };\n"
        "mbms = { key_management_listen = [ \"127.0.0.1:%u\" ]; push_listen = [ \"127.0.0.1:%u\" ]; %s };\n"
        "media = { address = \"127.0.0.1\"; port_min = 47000; port_max = 47098; };\n"
        "store = { path = \"store.db\"; key_file = \"store.key\"; };\n"
        "admin = { socket = \"admin.sock\"; };\n"
        "channels = ( { id = \"tunnel\"; address = \"232.10.9.1\"; source = \"127.0.0.1\"; port = 25004; floor_port = 25006; "
        "stkm_port = 25008; ttl = 1; key_domain_id = \"00f110\"; key_group = 0x1001; "
        "rekey = { deadline_ms = 2000; delivery = [ \"push\" ]; }; mbms = { admit = \"authenticated\"; }; } );\n%s\n",
        s->sip, port[1], s->ub, s->http, s->push, mbms, more);
    assert_int_equal(fclose(f), 0);
}

/* ---- the process ---- */

static void *listen_to(void *arg)
{
    service *s = arg;
    char line[4096], path[96];
    (void)snprintf(path, sizeof(path), "%s/log", s->folder);
    FILE *log = fopen(path, "ae");
    while (fgets(line, sizeof(line), s->says) != NULL) {
        if (log != NULL)
            (void)fputs(line, log);
        pthread_mutex_lock(&s->lock);
        s->is_ready = s->is_ready || strstr(line, " ready ") != NULL;
        pthread_cond_broadcast(&s->heard);
        pthread_mutex_unlock(&s->lock);
    }
    if (log != NULL)
        (void)fclose(log);
    pthread_mutex_lock(&s->lock);
    s->has_ended = true;
    pthread_cond_broadcast(&s->heard);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void log_show(const service *s)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "tail -n 20 '%s/log' >&2", s->folder);
    (void)!system(command);
}

void service_start(service *s)
{
    int ends[2];
    char *const argv[] = { (char *)(uintptr_t)s->daemon, (char *)(uintptr_t) "-c", s->config, NULL };
    assert_int_equal(pipe(ends), 0);
    s->is_ready = s->has_ended = false;
    s->pid = fork();
    if (s->pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execv(s->daemon, argv);
        _exit(127);
    }
    assert_true(s->pid > 0);
    (void)close(ends[1]);
    s->says = fdopen(ends[0], "r");
    assert_non_null(s->says);
    assert_int_equal(pthread_mutex_init(&s->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&s->heard, NULL), 0);
    assert_int_equal(pthread_create(&s->listener, NULL, listen_to, s), 0);
    pthread_mutex_lock(&s->lock);
    while (!s->is_ready && !s->has_ended)
        (void)pthread_cond_wait(&s->heard, &s->lock);
    const bool is_ready = s->is_ready;
    pthread_mutex_unlock(&s->lock);
    if (!is_ready) {
        log_show(s);
        fail_msg("%s does not start", s->daemon);
    }
}

void service_end(service *s, int sig)
{
    int status;
    if (s->pid <= 0)
        return;
    (void)kill(s->pid, sig);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(pthread_join(s->listener, NULL), 0);
    (void)fclose(s->says);
    (void)pthread_mutex_destroy(&s->lock);
    (void)pthread_cond_destroy(&s->heard);
    s->pid = 0;
    if (sig == SIGTERM)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void service_done(service *s)
{
    char command[128];
    service_end(s, SIGKILL);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", s->folder);
    assert_int_equal(system(command), 0);
}

int service_ctl(service *s, const char *words)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "'%s' -s '%s/admin.sock' %s 2>&1", s->ctl, s->folder, words);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    s->out[fread(s->out, 1, sizeof(s->out) - 1, f)] = '\0';
    int status = pclose(f);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
