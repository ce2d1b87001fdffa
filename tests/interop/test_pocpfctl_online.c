/* pocpfctl with a running pocpfd that has real members: three radios on sockets. Arguments: pocpfctl, and the folder of
 * pocpfd. The tests are one story and run in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/world.h"

enum { CLIENTS = 3, LIMIT_US = 20000000, STEP_US = 100000 };

static const char *ctl_program, *daemon_dir;

static struct stage {
    world *world;
    char folder[64], out[65536];
    int client[CLIENTS];
    uint32_t msk[CLIENTS]; /* held */
} stage;

/* ---- the radios ---- */

static void on_seen(void *user, const world_seen *seen)
{
    (void)user;
    if (seen->what == WORLD_KEY && seen->client >= 0 && seen->client < CLIENTS)
        stage.msk[seen->client] = seen->mki.msk_id;
}

static void play_on(void)
{
    const world_ops *ops = stage.world->ops;
    assert_int_equal(ops->run(stage.world, ops->now_us(stage.world) + STEP_US, NULL, NULL), POC_OK);
}

/* ---- pocpfctl ---- */

/** Runs it with these words; its exit status. What it says is in stage.out. */
static int ctl_at(const char *socket, const char *words)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "'%s' -s '%s' %s 2>&1", ctl_program, socket, words);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    stage.out[fread(stage.out, 1, sizeof(stage.out) - 1, f)] = '\0';
    int status = pclose(f);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int ctl(const char *words)
{
    char socket[96];
    (void)snprintf(socket, sizeof(socket), "%s/admin.sock", stage.folder);
    return ctl_at(socket, words);
}

static void says(const char *words)
{
    if (strstr(stage.out, words) == NULL)
        fail_msg("it does not say \"%s\": %s", words, stage.out);
}

/** Plays on until the command says so. */
static void comes_to_say(const char *command, const char *words)
{
    const world_ops *ops = stage.world->ops;
    int64_t limit_us = ops->now_us(stage.world) + LIMIT_US;
    do {
        if (ops->now_us(stage.world) > limit_us)
            fail_msg("%s never says \"%s\": %s", command, words, stage.out);
        play_on();
        assert_int_equal(ctl(command), 0);
    } while (strstr(stage.out, words) == NULL);
}

static int set_up(void **state)
{
    static const char *const names[CLIENTS] = { "alice", "bob", "carol" };
    const world_channel channel = { .id = "dispatch",
                                    .group_uri = "sip:dispatch@poc.example.org",
                                    .on_leave = "never",
                                    .deadline_ms = 2000,
                                    .gate = "hold",
                                    .on_refusal = "unicast",
                                    .delivery = "sip",
                                    .admit = "session",
                                    .enabler_works = true };
    (void)state;
    (void)strcpy(stage.folder, "/tmp/pocpf-online-XXXXXX");
    assert_non_null(mkdtemp(stage.folder));
    world_settings settings = { .seen = on_seen, .report_dir = stage.folder, .program_dir = daemon_dir };
    assert_int_equal(world_real(&stage.world, &settings), POC_OK);
    const world_ops *ops = stage.world->ops;
    assert_int_equal(ops->channel(stage.world, &channel), POC_OK);
    for (int i = 0; i < CLIENTS; i++) {
        world_client c = {
            .multicast_capable = true, .bootstraps = true, .update_allowed = true, .answers_offers = true
        };
        (void)snprintf(c.name, sizeof(c.name), "%s", names[i]);
        assert_int_equal(ops->client(stage.world, &c, &stage.client[i]), POC_OK);
        assert_int_equal(ops->bootstrap(stage.world, stage.client[i]), POC_OK);
        assert_int_equal(ops->join(stage.world, stage.client[i], channel.id), POC_OK);
    }
    comes_to_say("--json channels", "\"members\":3,\"confirmed\":3");
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    stage.world->ops->free(stage.world);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", stage.folder);
    return system(command);
}

/* ---- the story ---- */

static void status_channels_and_members_show_what_runs(void **state)
{
    (void)state;
    assert_int_equal(ctl("status"), 0);
    says("pocpfd " POC_VERSION ", up ");
    says("channels 1, sessions 3");
    assert_int_equal(ctl("channels"), 0);
    says("CHANNEL   STATE   MSK       NEXT  MEMBERS  CONFIRMED  UNICAST  BLIND  HELD  GROUP\n"
         "dispatch  active  10010001  -     3        3          0        no     no    sip:dispatch@poc.example.org\n");
    assert_int_equal(ctl("members dispatch"), 0);
    says("sip:bob@");
    says("keyed  10010001  sip   -\n");
    says("USER  ");
    says("  STATE  MSK       WAYS  PUSH\n");
}

static void what_is_unknown_exits_1_and_is_named(void **state)
{
    (void)state;
    assert_int_equal(ctl("members fire"), 1);
    says("pocpfctl: there is no channel \"fire\"");
    assert_int_equal(ctl("rekey fire"), 1);
    says("pocpfctl: there is no channel \"fire\"");
    assert_int_equal(ctl("expel dispatch mallory"), 1);
    says("pocpfctl: mallory is no member of channel \"dispatch\"");
    assert_int_equal(ctl("expel fire sip:mallory@x.example"), 1);
    says("pocpfctl: there is no channel \"fire\"");
}

/* POC-10: who is not there is kept out, and as nobody has left no key can be his. */
static void who_is_no_member_is_barred_by_his_uri(void **state)
{
    (void)state;
    assert_int_equal(ctl("expel dispatch sip:mallory@x.example"), 0);
    assert_string_equal(stage.out, "sip:mallory@x.example is no member, and barred from dispatch: "
                                   "no rekey, no key that is in use can be his\n");
    assert_int_equal(ctl("--json expel dispatch sip:mallory@x.example"), 0);
    says("\"user\":\"sip:mallory@x.example\",\"state\":\"active\",\"msk_id\":\"10010001\",\"next_msk_id\":null,"
         "\"was_member\":false,\"barred\":true,\"rekeyed\":false}");
    assert_int_equal(ctl("admit dispatch sip:mallory@x.example"), 0);
}

/* POC-10, POC-16: an order of the operator is an expulsion like any other. */
static void expel_rekeys_everybody_else_and_the_events_show_it(void **state)
{
    (void)state;
    assert_int_equal(ctl("expel dispatch bob"), 0);
    assert_string_equal(stage.out, "bob expelled from dispatch: rekey started, MSK 10010002\n");
    comes_to_say("--json events",
                 "\"event\":\"rekey_switched\",\"channel\":\"dispatch\",\"user\":null,\"reason\":\"expel\","
                 "\"msk_id\":\"10010002\",\"count\":2,\"total\":2");
    says("\"event\":\"member_expelled\",\"channel\":\"dispatch\",\"user\":\"sip:bob@");
    assert_int_equal(stage.msk[0], 0x10010002);
    assert_int_equal(stage.msk[1], 0x10010001);
    assert_int_equal(stage.msk[2], 0x10010002);
    assert_int_equal(ctl("expel dispatch bob"), 1);
    assert_int_equal(ctl("events"), 0);
    says("rekey_switched    dispatch  reason=expel  msk_id=10010002  2 of 2\n");
}

static void who_was_expelled_is_admitted_by_his_uri(void **state)
{
    (void)state;
    char uri[128], command[192];
    assert_int_equal(ctl("--json events"), 0);
    const char *at = strstr(stage.out, "\"user\":\"sip:bob@");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"user\":\"%127[^\"]", uri), 1);
    (void)snprintf(command, sizeof(command), "admit dispatch '%s'", uri);
    assert_int_equal(ctl(command), 0);
    says("may register for dispatch again\n");
    assert_int_equal(ctl(command), 1);
    says("is not barred from channel \"dispatch\"");
    assert_int_equal(ctl("admit dispatch bob"), 64);
    says("admit takes a SIP URI");
}

/* MBMS-10: who has no push address cannot be asked. */
static void solicit_asks_those_who_can_be_pushed_to(void **state)
{
    (void)state;
    assert_int_equal(ctl("solicit dispatch"), 0);
    assert_string_equal(stage.out, "asked to request the MSK of dispatch: all who can be pushed to\n");
    assert_int_equal(ctl("solicit dispatch alice"), 1);
    says("is no member of channel \"dispatch\" who can be pushed to");
    assert_int_equal(ctl("solicit fire"), 1);
    assert_int_equal(ctl("service fire"), 1);
    says("there is no channel \"fire\"");
}

static void follow_prints_an_event_when_it_comes(void **state)
{
    (void)state;
    char command[512], line[1024];
    /* The shell says its process id, then gives way to pocpfctl, which would go on for ever. */
    (void)snprintf(command, sizeof(command), "echo $$; exec '%s' -s '%s/admin.sock' --json events --follow",
                   ctl_program, stage.folder);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    pid_t pid = (pid_t)strtol(line, NULL, 10);
    assert_true(pid > 1);
    while (fgets(line, sizeof(line), f) != NULL && strstr(line, "\"event\":\"rekey_switched\"") == NULL) {
    } /* what was before; from here on it waits */
    assert_int_equal(ctl("rekey dispatch"), 0);
    assert_string_equal(stage.out, "order taken for dispatch: rekey started, MSK 10010003\n");
    assert_non_null(fgets(line, sizeof(line), f));
    assert_non_null(strstr(line, "\"event\":\"rekey_started\""));
    assert_non_null(strstr(line, "\"reason\":\"operator\",\"msk_id\":\"10010003\""));
    comes_to_say("channels", "active  10010003");
    assert_int_equal(kill(pid, SIGTERM), 0);
    (void)pclose(f);
}

static void reload_says_that_nothing_changed(void **state)
{
    (void)state;
    assert_int_equal(ctl("reload"), 0);
    assert_string_equal(stage.out, "reloaded: nothing changed\n");
}

static void wrong_usage_exits_64(void **state)
{
    (void)state;
    assert_int_equal(ctl("expel dispatch"), 64);
    says("usage: pocpfctl expel CHANNEL USER");
    assert_int_equal(ctl("status now"), 64);
    assert_int_equal(ctl("events --again"), 64);
    assert_int_equal(ctl_at("", ""), 64);
}

static void no_daemon_exits_69_and_says_what_to_do(void **state)
{
    (void)state;
    assert_int_equal(ctl_at("/nowhere/pocpfd.sock", "status"), 69);
    says("no pocpfd answers on /nowhere/pocpfd.sock");
    says("name its socket with -s");
}

static void answer_once(int fd, const char *words)
{
    char request[1024];
    int from = accept(fd, NULL, NULL);
    (void)!read(from, request, sizeof(request));
    (void)!write(from, words, strlen(words));
    _exit(0);
}

static void nonsense_exits_76(void **state)
{
    static const char *const answers[] = { "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                                           "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" };
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    (void)state;
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/other.sock", stage.folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        pid_t pid = fork();
        if (pid == 0)
            answer_once(fd, answers[i]);
        assert_int_equal(ctl_at(at.sun_path, "status"), 76);
        says("makes no sense");
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    (void)close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_channels_and_members_show_what_runs),
        cmocka_unit_test(what_is_unknown_exits_1_and_is_named),
        cmocka_unit_test(who_is_no_member_is_barred_by_his_uri),
        cmocka_unit_test(expel_rekeys_everybody_else_and_the_events_show_it),
        cmocka_unit_test(follow_prints_an_event_when_it_comes),
        cmocka_unit_test(who_was_expelled_is_admitted_by_his_uri),
        cmocka_unit_test(solicit_asks_those_who_can_be_pushed_to),
        cmocka_unit_test(reload_says_that_nothing_changed),
        cmocka_unit_test(wrong_usage_exits_64),
        cmocka_unit_test(no_daemon_exits_69_and_says_what_to_do),
        cmocka_unit_test(nonsense_exits_76),
    };
    if (argc != 3)
        return 64;
    ctl_program = argv[1];
    daemon_dir = argv[2];
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
