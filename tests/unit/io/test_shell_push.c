/* The shell with thousands of members by push: nobody else in the loop waits for them, and their answers, which come all at
 * once, are all heard. Time is real, but nothing is asserted about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "mikey/mikey.h"
#include "pf/io/shell_private.h"

enum { MEMBERS = 2000, BUFFER_OCTETS = 8 * 1024 * 1024 };

typedef struct stage {
    char folder[64];
    su_root_t *root;
    shell *shell;
    int fd; /* of all members */
    uint8_t address[PUSH_ADDRESS_MAX];
    size_t address_len;
    poc_secret *muk[MEMBERS];
    size_t got; /* MSK messages since the last look */
    bool answers;
    uint64_t sent_when_others_were_served;
} stage;

static int set_up(void **state)
{
    static const char text[] =
        "sip = { listen = [ \"udp:127.0.0.1:0\" ]; domain = \"pf.example\"; next_hop = \"sip:127.0.0.1:9\"; };\n"
        "gba = { naf_fqdn = \"pf.example\"; ub_listen = \"127.0.0.1:0\"; subscribers = \"" POC_SOURCE_DIR
        "/config/demo-subscribers.cfg\"; };\n"
        "media = { address = \"127.0.0.1\"; port_min = 47000; port_max = 47098; };\n"
        "store = { path = \"store.db\"; key_file = \"store.key\"; };\nlog = { same_reason_per_s = 1; };\n"
        "mbms = { key_management_listen = [ \"127.0.0.1:0\" ]; push_listen = [ \"127.0.0.1:0\" ]; };\n"
        "channels = ( { id = \"fire\"; address = \"239.1.1.9\"; port = 4000; key_domain_id = \"00f110\"; key_group = 1; "
        "rekey = { delivery = [ \"push\" ]; deadline_ms = 32000; }; mbms = { admit = \"authenticated\"; }; } );\n";
    stage *s = (stage *)calloc(1, sizeof(*s));
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    char name[96], why[CONFIG_WHY_MAX];
    config *c;
    const int octets = BUFFER_OCTETS;
    (void)strcpy(s->folder, "/tmp/pocpf-shell-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(name, sizeof(name), "%s/pocpfd.cfg", s->folder);
    if (config_parse(&c, text, name, why) != POC_OK)
        fail_msg("%s", why);
    log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
    su_init();
    s->root = su_root_create(NULL);
    if (shell_new(&s->shell, s->root, c, why) != POC_OK)
        fail_msg("%s", why);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(push_address_pack(s->address, &s->address_len, (struct sockaddr *)&at), POC_OK);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    stage *s = (stage *)*state;
    char command[128];
    shell_free(s->shell);
    su_root_destroy(s->root);
    su_deinit();
    (void)close(s->fd);
    for (size_t i = 0; i < MEMBERS; i++)
        poc_secret_free(s->muk[i]);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", s->folder);
    assert_int_equal(system(command), 0);
    free(s);
    return 0;
}

/* ---- the members ---- */

static void register_one(stage *s, unsigned i)
{
    char user[64], btid[64];
    uint8_t muk[POC_MUK_LEN] = { (uint8_t)i, (uint8_t)(i >> 8), 1 };
    (void)snprintf(user, sizeof(user), "sip:m%u@x.example", i);
    (void)snprintf(btid, sizeof(btid), "m%u@pf.example", i);
    assert_int_equal(poc_secret_from(&s->muk[i], muk, sizeof(muk)), POC_OK);
    pocpf_credential who = {
        .size = sizeof(who), .user = user, .btid = btid, .muk = s->muk[i], .expires_ms = io_now_ms() + 86400000
    };
    pocpf_registration registration = { .size = sizeof(registration),
                                        .channel = "fire",
                                        .user = user,
                                        .address = s->address,
                                        .address_len = s->address_len };
    assert_int_equal(pocpf_authenticated(s->shell->pf, io_now_ms(), &who), POCPF_OK);
    assert_int_equal(pocpf_registered(s->shell->pf, io_now_ms(), &registration), POCPF_OK);
    shell_pump(s->shell);
}

static void answer(const stage *s, const mikey_msg *msg, const struct sockaddr_in *to)
{
    uint8_t out[MIKEY_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    unsigned long i = strtoul((const char *)msg->idr.data.p + 1, NULL, 10); /* "m17@pf.example" */
    assert_true(i < MEMBERS);
    assert_int_equal(mikey_verification_seal(&wr, msg, s->muk[i]), POC_OK);
    assert_int_equal(sendto(s->fd, out, wr.len, 0, (const struct sockaddr *)to, sizeof(*to)), wr.len);
}

/** What lies in the members' socket is counted, and confirmed when they answer. */
static void members_hear(stage *s)
{
    uint8_t datagram[MIKEY_MESSAGE_MAX];
    struct sockaddr_in from;
    socklen_t n = sizeof(from);
    ssize_t got;
    while ((got = recvfrom(s->fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&from, &n)) > 0) {
        mikey_msg msg;
        assert_int_equal(mikey_decode(&msg, poc_span_of(datagram, (size_t)got), NULL), POC_OK);
        s->got++;
        if (s->answers)
            answer(s, &msg, &from);
    }
}

static void turn(stage *s)
{
    (void)su_root_step(s->root, 10);
    members_hear(s);
}

static uint32_t confirmed(const stage *s)
{
    shell_channel_status c;
    assert_true(shell_channel_look(s->shell, "fire", &c));
    return c.engine.confirmed;
}

static void all_join(stage *s)
{
    s->answers = true;
    for (unsigned i = 0; i < MEMBERS; i++) {
        register_one(s, i);
        if (i % 64 == 0)
            turn(s);
    }
    while (confirmed(s) < MEMBERS)
        turn(s);
}

/* ---- tests ---- */

static void on_served(void *user)
{
    stage *s = (stage *)user;
    s->sent_when_others_were_served = push_look(s->shell->push).sent;
}

static void a_rekey_of_thousands_lets_others_in_the_loop_have_their_turn(void **state)
{
    stage *s = (stage *)*state;
    wake *other;
    all_join(s);
    s->answers = false;
    uint64_t before = push_look(s->shell->push).sent;
    assert_int_equal(wake_new(&other, s->root, on_served, s), POC_OK);
    assert_int_equal(shell_rekey(s->shell, "fire"), POC_OK);
    while (push_look(s->shell->push).sent == before)
        turn(s); /* until the order is on the disk */
    wake_soon(other);
    while (push_look(s->shell->push).sent < before + MEMBERS)
        turn(s);
    assert_true(s->sent_when_others_were_served > 0);
    assert_true(s->sent_when_others_were_served < before + MEMBERS);
    wake_free(other);
}

static void answers_that_come_all_at_once_are_all_heard(void **state)
{
    stage *s = (stage *)*state;
    shell_channel_status c;
    all_join(s);
    push_counts before = push_look(s->shell->push);
    assert_int_equal(shell_rekey(s->shell, "fire"), POC_OK);
    do {
        turn(s);
        assert_true(shell_channel_look(s->shell, "fire", &c));
    } while (c.engine.msk_id != 0x00010002 || c.engine.confirmed < MEMBERS);
    push_counts after = push_look(s->shell->push);
    assert_true(after.heard - before.heard >= MEMBERS);
    assert_int_equal(after.ignored, 0);
    assert_true(after.system_calls - before.system_calls < MEMBERS / 8); /* in batches */
}

int main(void)
{
#define WITH_STAGE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_STAGE(a_rekey_of_thousands_lets_others_in_the_loop_have_their_turn),
        WITH_STAGE(answers_that_come_all_at_once_are_all_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
