/* The operator's door of a running pocpfd, opened by a foreign client: the curl program. The argument is pocpfd. */
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
#include <jansson.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pf/io/admin_private.h"
#include "pf/io/events.h"
#include "tests/support/ports.h"

static const char *program;

typedef struct bench {
    char folder[64], config[96], socket[96];
    uint16_t port[3];
    pid_t pid;
    int said; /* what it says */
    json_t *json;
    char headers[4096];
} bench;

/* ---- the daemon ---- */

#define CHANNEL(id, number, deadline)                                                                      \
    "{ id = \"" id "\"; group = \"sip:" id "@x.example\"; address = \"239.1.1." number "\"; port = 4000; " \
    "key_domain_id = \"00f110\"; key_group = " number "; rekey = { deadline_ms = " deadline "; }; }"

static void write_config(const bench *b, const char *more)
{
    FILE *f = fopen(b->config, "we");
    assert_non_null(f);
    (void)fprintf(
        f,
        "sip = { listen = [ \"udp:127.0.0.1:%u\" ]; domain = \"pf.example\"; next_hop = \"sip:127.0.0.1:%u\"; };\n"
        "gba = { naf_fqdn = \"pf.example\"; ub_listen = \"127.0.0.1:%u\"; subscribers = \"" POC_SOURCE_DIR
        "/config/demo-subscribers.cfg\"; };\n"
        "media = { address = \"127.0.0.1\"; port_min = 46000; port_max = 46998; };\n"
        "store = { path = \"store.db\"; key_file = \"store.key\"; };\n"
        "admin = { socket = \"run/admin.sock\"; };\n%s\n",
        b->port[0], b->port[1], b->port[2], more);
    (void)fclose(f);
}

/** True when it got ready; else it has ended and `words` tells why. */
static bool start(bench *b, char words[2048])
{
    int fds[2];
    size_t n = 0;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    b->pid = fork();
    if (b->pid == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        (void)execl(program, program, "-c", b->config, (char *)NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    b->said = fds[0];
    words[0] = '\0';
    while (strstr(words, " ready ") == NULL) {
        ssize_t got = read(b->said, words + n, 2047 - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
        words[n] = '\0';
    }
    return true;
}

static int stop(bench *b)
{
    int status = 0;
    char drop[512];
    (void)kill(b->pid, SIGTERM);
    while (read(b->said, drop, sizeof(drop)) > 0) {
    }
    (void)close(b->said);
    assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
    b->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int set_up(void **state)
{
    bench *b = (bench *)calloc(1, sizeof(*b));
    char words[2048];
    (void)strcpy(b->folder, "/tmp/pocpf-admin-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    (void)snprintf(b->config, sizeof(b->config), "%s/pocpfd.cfg", b->folder);
    (void)snprintf(b->socket, sizeof(b->socket), "%s/run/admin.sock", b->folder);
    assert_true(test_free_ports(b->port, 3));
    write_config(b, "channels = ( " CHANNEL("dispatch", "1", "500") ", " CHANNEL("fire", "2", "500") " );");
    if (!start(b, words))
        fail_msg("%s", words);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = (bench *)*state;
    char command[128];
    if (b->pid != 0)
        assert_int_equal(stop(b), 0);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", b->folder);
    assert_int_equal(system(command), 0);
    json_decref(b->json);
    free(b);
    return 0;
}

/* ---- curl ---- */

/** The status of an answer; its body is in b->json. `more` goes to curl through a shell. */
static int fetch(bench *b, const char *path, const char *more)
{
    char command[512], answer[65536];
    int status = 0;
    (void)snprintf(command, sizeof(command),
                   "curl -sSi --max-time 20 --noproxy '*' --unix-socket '%s' %s 'http://pocpfd%s'", b->socket, more,
                   path);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    size_t n = fread(answer, 1, sizeof(answer) - 1, f);
    answer[n] = '\0';
    assert_int_equal(pclose(f), 0);
    char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    if (strncmp(answer, "HTTP/1.1 100", 12) == 0) {
        memmove(answer, body + 4, strlen(body + 4) + 1);
        body = strstr(answer, "\r\n\r\n");
        assert_non_null(body);
    }
    assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &status), 1);
    json_decref(b->json);
    b->json = json_loads(body + 4, 0, NULL);
    assert_non_null(b->json);
    *body = '\0';
    (void)snprintf(b->headers, sizeof(b->headers), "%.4000s", answer);
    return status;
}

static const char *text(const bench *b, const char *key)
{
    const char *value = json_string_value(json_object_get(b->json, key));
    return value == NULL ? "" : value;
}

static void refuses(bench *b, const char *path, const char *more, int status, const char *kind, const char *reason)
{
    assert_int_equal(fetch(b, path, more), status);
    assert_string_equal(text(b, "error"), kind);
    if (strstr(text(b, "reason"), reason) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text(b, "reason"), reason);
}

static int connect_raw(const bench *b)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", b->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void say(int fd, const char *words)
{
    assert_int_equal(send(fd, words, strlen(words), MSG_NOSIGNAL), strlen(words));
}

/* ---- routes ---- */

static void status_says_version_time_and_counters(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(fetch(b, "/v1/status", ""), 200);
    assert_string_equal(text(b, "version"), POC_VERSION);
    assert_true(json_is_integer(json_object_get(b->json, "uptime_s")));
    assert_int_equal(json_integer_value(json_object_get(b->json, "channels")), 2);
    assert_int_equal(json_integer_value(json_object_get(b->json, "sessions")), 0);
    static const char *const groups[] = { "sip", "relay", "store", "refused" };
    for (size_t i = 0; i < POC_COUNT(groups); i++)
        assert_true(json_is_object(json_object_get(b->json, groups[i])));
    assert_non_null(strstr(b->headers, "application/json"));
    assert_non_null(strstr(b->headers, "no-store"));
}

static void refusals_are_counted_by_their_reason(void **state)
{
    bench *b = (bench *)*state;
    json_int_t times;
    refuses(b, "/v1/channels/fire/rekey", "-X POST", 409, "state", "channel \"fire\" is idle");
    refuses(b, "/v1/channels/fire/rekey", "-X POST", 409, "state", "channel \"fire\" is idle");
    assert_int_equal(fetch(b, "/v1/status", ""), 200);
    assert_int_equal(json_unpack(b->json, "{s:{s:I}}", "refused", "rekey", &times), 0);
    assert_int_equal(times, 2);
}

static void channels_are_listed_and_looked_at(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(fetch(b, "/v1/channels", ""), 200);
    json_t *list = json_object_get(b->json, "channels");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "id")), "fire");
    assert_int_equal(fetch(b, "/v1/channels/dispatch", ""), 200);
    assert_string_equal(text(b, "group"), "sip:dispatch@x.example");
    assert_string_equal(text(b, "state"), "idle");
    assert_true(json_is_null(json_object_get(b->json, "msk_id")));
    assert_true(json_is_false(json_object_get(b->json, "held")));
    assert_int_equal(fetch(b, "/v1/channels/dispatch/members?at=0", ""), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "members")), 0);
}

static void an_unknown_channel_or_user_is_named_in_the_refusal(void **state)
{
    bench *b = (bench *)*state;
    refuses(b, "/v1/channels/none", "", 404, "not_found", "no channel \"none\"");
    refuses(b, "/v1/channels/none/members", "", 404, "not_found", "no channel \"none\"");
    refuses(b, "/v1/channels/none/rekey", "-X POST", 404, "not_found", "no channel \"none\"");
    refuses(b, "/v1/channels/none/expel", "-d '{\"user\":\"sip:bob@x.example\"}'", 404, "not_found",
            "no channel \"none\"");
    refuses(b, "/v1/channels/fire/admit", "-d '{\"user\":\"sip:bob@X.example\"}'", 404, "not_found",
            "sip:bob@x.example is not barred from channel \"fire\"");
}

/* POC-10: a radio may be stolen before its owner comes, or after he left. */
static void who_is_no_member_is_expelled_all_the_same(void **state)
{
    bench *b = (bench *)*state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fetch(b, "/v1/channels/fire/expel", "-d '{\"user\":\"sip:bob@X.example\"}'"), 200);
        assert_string_equal(text(b, "user"), "sip:bob@x.example");
        assert_string_equal(text(b, "state"), "idle");
        assert_true(json_is_false(json_object_get(b->json, "was_member")));
        assert_true(json_is_true(json_object_get(b->json, "barred")));
        assert_true(json_is_false(json_object_get(b->json, "rekeyed")));
    }
    assert_int_equal(fetch(b, "/v1/channels/fire/admit", "-d '{\"user\":\"sip:bob@x.example\"}'"), 200);
    assert_int_equal(fetch(b, "/v1/channels/fire/admit", "-d '{\"user\":\"sip:bob@x.example\"}'"), 404);
}

static void other_paths_and_methods_are_not_served(void **state)
{
    bench *b = (bench *)*state;
    refuses(b, "/", "", 404, "not_found", "no such route");
    refuses(b, "/v1/channels/", "", 404, "not_found", "no such route");
    refuses(b, "/v1/channels/fire/keys", "", 404, "not_found", "no such route");
    refuses(b, "/v1/status", "-X DELETE", 405, "method", "another method");
    assert_non_null(strstr(b->headers, "Allow: GET"));
    refuses(b, "/v1/channels/fire/expel", "", 405, "method", "another method");
    assert_non_null(strstr(b->headers, "Allow: POST"));
}

static void a_body_that_is_not_what_the_route_wants_is_refused(void **state)
{
    static const struct {
        const char *body, *reason;
    } rows[] = {
        { "{\"user\":", "not JSON" },
        { "[]", "not a JSON object" },
        { "{}", "\"user\" is missing" },
        { "", "\"user\" is missing" },
        { "{\"user\":7}", "\"user\" is not a text" },
        { "{\"user\":\"sip:a@b\",\"user\":\"sip:a@b\"}", "not JSON" },
        { "{\"user\":\"sip:a@b\",\"rekey\":false}", "unknown field \"rekey\"" },
        { "{\"user\":\"bob\"}", "not a SIP URI" },
    };
    bench *b = (bench *)*state;
    char more[128];
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        (void)snprintf(more, sizeof(more), "-d '%s'", rows[i].body);
        refuses(b, "/v1/channels/fire/expel", more, 400, "input", rows[i].reason);
    }
    refuses(b, "/v1/reload", "-d '{\"force\":true}'", 400, "input", "unknown field \"force\"");
    refuses(b, "/v1/status", "-X GET -d '{\"a\":1}'", 400, "input", "unknown field \"a\"");
    refuses(b, "/v1/status?verbose=1", "", 400, "input", "unknown argument");
    refuses(b, "/v1/events?after=-1", "", 400, "input", "not a number");
    refuses(b, "/v1/events?after", "", 400, "input", "not a number");
}

static void a_body_over_16_kib_is_refused_announced_or_not(void **state)
{
    bench *b = (bench *)*state;
    char file[96], more[192];
    (void)snprintf(file, sizeof(file), "%s/large", b->folder);
    FILE *f = fopen(file, "we");
    for (int i = 0; i < 16385; i++)
        (void)fputc(' ', f);
    (void)fclose(f);
    (void)snprintf(more, sizeof(more), "--data-binary '@%s'", file);
    refuses(b, "/v1/reload", more, 413, "limit", "16384");
    (void)snprintf(more, sizeof(more), "-H 'Transfer-Encoding: chunked' --data-binary '@%s'", file);
    refuses(b, "/v1/reload", more, 413, "limit", "16384");
}

/* ---- reload ---- */

static void reload_answers_with_what_changed(void **state)
{
    static const char *const wanted[][2] = {
        { "option_changed", "log.format" }, { "reload_needs_restart", "limits.members_max" },
        { "channel_changed", "dispatch" },  { "channel_removed", "fire" },
        { "channel_added", "rail" },
    };
    bench *b = (bench *)*state;
    assert_int_equal(fetch(b, "/v1/reload", "-X POST"), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "changes")), 0);
    write_config(b, "channels = ( " CHANNEL("dispatch", "1", "700") ", " CHANNEL(
                        "rail", "3", "500") " );\n"
                                            "limits = { members_max = 5; }; log = { format = \"json\"; };");
    assert_int_equal(fetch(b, "/v1/reload", "-X POST"), 200);
    json_t *changes = json_object_get(b->json, "changes");
    assert_int_equal(json_array_size(changes), POC_COUNT(wanted));
    for (size_t i = 0; i < POC_COUNT(wanted); i++) {
        const json_t *row = json_array_get(changes, i);
        assert_string_equal(json_string_value(json_object_get(row, "change")), wanted[i][0]);
        assert_string_equal(json_string_value(json_object_get(row, "subject")), wanted[i][1]);
    }
    assert_int_equal(fetch(b, "/v1/channels/fire", ""), 404);
    assert_int_equal(fetch(b, "/v1/channels/rail", ""), 200);
}

/* POC-17: a channel that is not configured for a while, over a restart too, has not forgotten whom it keeps out. */
static void bars_of_a_channel_outlive_its_absence(void **state)
{
    static const char both[] = "channels = ( " CHANNEL("dispatch", "1", "500") ", " CHANNEL("fire", "2", "500") " );";
    static const char one[] = "channels = ( " CHANNEL("dispatch", "1", "500") " );";
    bench *b = (bench *)*state;
    char words[2048];
    for (int with_restart = 0; with_restart < 2; with_restart++) {
        assert_int_equal(fetch(b, "/v1/channels/fire/expel", "-d '{\"user\":\"sip:bob@x.example\"}'"), 200);
        write_config(b, one);
        assert_int_equal(fetch(b, "/v1/reload", "-X POST"), 200);
        assert_int_equal(fetch(b, "/v1/channels/fire", ""), 404);
        if (with_restart) {
            assert_int_equal(stop(b), 0);
            if (!start(b, words))
                fail_msg("%s", words);
        }
        write_config(b, both);
        assert_int_equal(fetch(b, "/v1/reload", "-X POST"), 200);
        assert_int_equal(fetch(b, "/v1/channels/fire/admit", "-d '{\"user\":\"sip:bob@x.example\"}'"), 200);
        assert_int_equal(fetch(b, "/v1/channels/fire/admit", "-d '{\"user\":\"sip:bob@x.example\"}'"), 404);
    }
}

/* POC-10: no configuration that switches it off gets in. */
static void a_bad_configuration_is_told_with_file_and_line_and_changes_nothing(void **state)
{
    bench *b = (bench *)*state;
    char place[192];
    write_config(b, "channels = (\n" CHANNEL("fire", "2", "7") " );");
    (void)snprintf(place, sizeof(place), "%s:7: channels.rekey.deadline_ms = 7 is out of bounds", b->config);
    refuses(b, "/v1/reload", "-X POST", 409, "input", place);
    write_config(
        b, "channels = ( { id = \"a\"; group = \"sip:g@x\"; address = \"239.1.1.1\"; port = 4000; key_domain_id = "
           "\"00f110\"; key_group = 1; rekey = { on_expel = false; }; } );");
    refuses(b, "/v1/reload", "-X POST", 409, "input", "an expulsion always rekeys");
    assert_int_equal(fetch(b, "/v1/channels/dispatch", ""), 200);
}

/* ---- waiting ---- */

static void events_are_waited_for_no_longer_than_asked(void **state)
{
    bench *b = (bench *)*state;
    assert_int_equal(fetch(b, "/v1/events?after=0&wait_s=1", ""), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "events")), 0);
    assert_int_equal(json_integer_value(json_object_get(b->json, "last")), 0);
}

static void a_client_that_is_slow_does_not_hold_up_others(void **state)
{
    bench *b = (bench *)*state;
    int headers = connect_raw(b), body = connect_raw(b), reader = connect_raw(b);
    say(headers, "GET /v1/sta");
    say(body, "POST /v1/channels/fire/expel HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n{\"us");
    say(reader, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"); /* and reads nothing */
    assert_int_equal(fetch(b, "/v1/status", ""), 200);
    (void)close(headers);
    (void)close(body);
    (void)close(reader);
    assert_int_equal(fetch(b, "/v1/status", ""), 200);
}

static void those_who_wait_are_bounded_and_end_with_the_daemon(void **state)
{
    enum { WAITERS = 16 };
    bench *b = (bench *)*state;
    int fd[WAITERS], status = 0;
    char word[13] = "";
    for (int i = 0; i < WAITERS; i++) {
        fd[i] = connect_raw(b);
        say(fd[i], "GET /v1/events?wait_s=30 HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (int tries = 0; tries < 10 && status != 429; tries++) /* the first ones may still be on their way */
        status = fetch(b, "/v1/events?wait_s=1", "");
    assert_int_equal(status, 429);
    assert_string_equal(text(b, "error"), "limit");
    assert_int_equal(fetch(b, "/v1/status", ""), 200);
    assert_int_equal(stop(b), 0);
    assert_int_equal(recv(fd[0], word, 12, MSG_WAITALL), 12);
    assert_string_equal(word, "HTTP/1.1 200");
    for (int i = 0; i < WAITERS; i++)
        (void)close(fd[i]);
}

/* ---- the socket ---- */

static void only_the_daemons_user_can_open_the_socket(void **state)
{
    bench *b = (bench *)*state;
    struct stat st;
    assert_int_equal(stat(b->socket, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stop(b), 0);
    assert_int_equal(stat(b->socket, &st), -1); /* it cleans up */
}

static void a_socket_left_over_by_a_crash_is_replaced(void **state)
{
    bench *b = (bench *)*state;
    char words[2048];
    (void)kill(b->pid, SIGKILL);
    (void)close(b->said);
    assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
    assert_true(start(b, words));
    assert_int_equal(fetch(b, "/v1/status", ""), 200);
}

static void a_socket_on_which_somebody_answers_and_a_plain_file_are_left_alone(void **state)
{
    bench *b = (bench *)*state;
    char words[2048];
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", b->socket);
    assert_int_equal(stop(b), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_false(start(b, words));
    assert_non_null(strstr(words, "admin.socket"));
    assert_non_null(strstr(words, "in use"));
    assert_int_equal(stop(b), 1);
    (void)close(fd);
    assert_int_equal(unlink(b->socket), 0);
    FILE *f = fopen(b->socket, "we");
    (void)fclose(f);
    assert_false(start(b, words));
    assert_non_null(strstr(words, "exists"));
    assert_int_equal(stop(b), 1);
}

/* ---- pieces without a daemon ---- */

static void every_route_is_in_the_manual(void **state)
{
    (void)state;
    char manual[65536], wanted[128];
    FILE *f = fopen(POC_SOURCE_DIR "/docs/admin.md", "re");
    assert_non_null(f);
    manual[fread(manual, 1, sizeof(manual) - 1, f)] = '\0';
    (void)fclose(f);
    for (size_t i = 0; i < admin_route_count; i++) {
        (void)snprintf(wanted, sizeof(wanted), "`%s %s`", admin_routes[i].method, admin_routes[i].pattern);
        if (strstr(manual, wanted) == NULL)
            fail_msg("docs/admin.md does not show %s", wanted);
    }
}

static void a_path_fits_whole_or_not_at_all(void **state)
{
    char id[ADMIN_SEGMENT_MAX], longest[160] = "/v1/channels/";
    (void)state;
    assert_true(admin_path_fits("/v1/channels/(id)/members", "/v1/channels/a/members", id));
    assert_string_equal(id, "a");
    assert_false(admin_path_fits("/v1/channels/(id)/members", "/v1/channels//members", id));
    assert_false(admin_path_fits("/v1/channels/(id)", "/v1/channels/a/members", id));
    assert_false(admin_path_fits("/v1/channels/(id)", "/v1/channels/a/", id));
    assert_false(admin_path_fits("/v1/channels/(id)/members", "/v1/channels/a", id));
    assert_false(admin_path_fits("/v1/channels", "", id));
    memset(longest + 13, 'x', 63);
    assert_true(admin_path_fits("/v1/channels/(id)", longest, id));
    longest[13 + 63] = 'x';
    assert_false(admin_path_fits("/v1/channels/(id)", longest, id));
}

static void put(event_ring *ring, const char *channel)
{
    pocpf_effect e = { .type = POCPF_DO_AUDIT, .channel = channel, .u.audit.what = POCPF_AUDIT_BLIND };
    events_put(ring, 1000, &e);
}

static void the_ring_keeps_the_last_events_and_says_what_it_lost(void **state)
{
    event_ring *ring;
    (void)state;
    assert_int_equal(events_new(&ring, 3), POC_OK);
    assert_null(events_next(ring, 0));
    assert_int_equal(events_missed(ring, 0), 0);
    for (int i = 0; i < 5; i++)
        put(ring, i == 2 ? "third" : NULL);
    assert_int_equal(events_last(ring), 5);
    assert_int_equal(events_missed(ring, 0), 2);
    assert_int_equal(events_missed(ring, 2), 0);
    assert_int_equal(events_next(ring, 0)->seq, 3);
    assert_string_equal(events_next(ring, 0)->channel, "third");
    assert_int_equal(events_next(ring, 4)->seq, 5);
    assert_null(events_next(ring, 5));
    assert_null(events_next(ring, UINT64_MAX));
    events_free(ring);
}

int main(int argc, char **argv)
{
#define WITH_DAEMON(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_DAEMON(status_says_version_time_and_counters),
        WITH_DAEMON(refusals_are_counted_by_their_reason),
        WITH_DAEMON(channels_are_listed_and_looked_at),
        WITH_DAEMON(an_unknown_channel_or_user_is_named_in_the_refusal),
        WITH_DAEMON(who_is_no_member_is_expelled_all_the_same),
        WITH_DAEMON(other_paths_and_methods_are_not_served),
        WITH_DAEMON(a_body_that_is_not_what_the_route_wants_is_refused),
        WITH_DAEMON(a_body_over_16_kib_is_refused_announced_or_not),
        WITH_DAEMON(reload_answers_with_what_changed),
        WITH_DAEMON(bars_of_a_channel_outlive_its_absence),
        WITH_DAEMON(a_bad_configuration_is_told_with_file_and_line_and_changes_nothing),
        WITH_DAEMON(events_are_waited_for_no_longer_than_asked),
        WITH_DAEMON(a_client_that_is_slow_does_not_hold_up_others),
        WITH_DAEMON(those_who_wait_are_bounded_and_end_with_the_daemon),
        WITH_DAEMON(only_the_daemons_user_can_open_the_socket),
        WITH_DAEMON(a_socket_left_over_by_a_crash_is_replaced),
        WITH_DAEMON(a_socket_on_which_somebody_answers_and_a_plain_file_are_left_alone),
        cmocka_unit_test(every_route_is_in_the_manual),
        cmocka_unit_test(a_path_fits_whole_or_not_at_all),
        cmocka_unit_test(the_ring_keeps_the_last_events_and_says_what_it_lost),
    };
    if (argc != 2)
        return 64;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
