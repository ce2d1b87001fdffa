/* pocpfd is killed in the middle of a rekey by push, again and again, at another moment each time. Whoever was told 200 is a
 * member all the same and gets the next MSK; no counter stands in two different messages to the same client, and no MSK ID
 * for two keys. Arguments: pocpfd, pocpfctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/interop/service.h"
#include "tests/unit/io/mbms_client.h"

enum { PUSH_PORT = 2269, CLIENTS = 3, LETTERS_MAX = 1024 };

static const char *daemon_program, *ctl_program;

/* What came to a client, as it stood on the wire. */
typedef struct letter {
    uint32_t counter, msk_id;
    uint8_t msk[POC_MSK_LEN];
    uint8_t octets[512];
    size_t n;
} letter;

typedef struct stage {
    service service;
    mbms_client client[CLIENTS];
    letter letters[CLIENTS][LETTERS_MAX];
    size_t letter_count[CLIENTS];
} stage;

static void client_register(stage *s, unsigned who)
{
    mbms_client_bootstrap(&s->client[who], SERVICE_HOST, s->service.ub);
    assert_int_equal(mbms_register(&s->client[who], SERVICE_HOST, s->service.http, "register", SERVICE_ID), 200);
}

static int set_up(void **state)
{
    stage *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    service_make(&s->service, daemon_program, ctl_program, "retransmission_ms = 200; requests_per_btid_s = 0;", "");
    service_start(&s->service);
    for (unsigned i = 0; i < CLIENTS; i++)
        mbms_client_make(&s->client[i], i, service_client_host(i), PUSH_PORT, SERVICE_NAF);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    stage *s = *state;
    for (unsigned i = 0; i < CLIENTS; i++)
        mbms_client_done(&s->client[i]);
    service_done(&s->service);
    free(s);
    return 0;
}

/* Hears the next message to a client and holds it against all that came before. */
static void hear(stage *s, unsigned who)
{
    mbms_client *c = &s->client[who];
    mbms_hear(c);
    assert_true(c->has_key);
    assert_true(c->datagram_len <= sizeof(s->letters[who][0].octets));
    for (size_t i = 0; i < s->letter_count[who]; i++) {
        const letter *old = &s->letters[who][i];
        const bool is_same = old->n == c->datagram_len && memcmp(old->octets, c->datagram, old->n) == 0;
        if (!is_same && old->counter == c->counter)
            fail_msg("client %u: counter %u twice", who, c->counter);
        if (old->msk_id == c->msk_id)
            assert_memory_equal(old->msk, c->msk, sizeof(old->msk));
    }
    assert_true(s->letter_count[who] < LETTERS_MAX);
    letter *l = &s->letters[who][s->letter_count[who]++];
    *l = (letter){ .counter = c->counter, .msk_id = c->msk_id, .n = c->datagram_len };
    memcpy(l->msk, c->msk, sizeof(l->msk));
    memcpy(l->octets, c->datagram, c->datagram_len);
}

static uint32_t hear_newer(stage *s, unsigned who, uint32_t than)
{
    do {
        hear(s, who);
        mbms_confirm(&s->client[who], false);
    } while (s->client[who].msk_id <= than);
    return s->client[who].msk_id;
}

/* Reads on, without waiting, what the dead daemon has sent. */
static void hear_the_rest(stage *s, unsigned who)
{
    while (!mbms_silent(&s->client[who]))
        hear(s, who);
}

static void everybody_gets_a_newer_msk(stage *s, uint32_t *msk_id)
{
    uint32_t newest = *msk_id;
    for (unsigned i = 0; i < CLIENTS; i++) {
        const uint32_t id = hear_newer(s, i, *msk_id);
        newest = id > newest ? id : newest;
    }
    *msk_id = newest;
}

/* MBMS-8, MBMS-9 */
static void members_survive_and_no_counter_comes_twice_wherever_a_rekey_is_killed(void **state)
{
    stage *s = *state;
    uint32_t msk_id = 0;
    for (unsigned i = 0; i < CLIENTS; i++)
        client_register(s, i);
    everybody_gets_a_newer_msk(s, &msk_id);
    for (unsigned round = 0; round < 8; round++) {
        assert_int_equal(service_ctl(&s->service, "rekey tunnel"), 0);
        for (unsigned i = 0; i < round / 2 && i < CLIENTS; i++) { /* so many have heard it when the daemon dies ... */
            hear(s, i);
            if (round % 2 == 1)
                mbms_confirm(&s->client[i], false); /* ... and confirmed it, or not */
        }
        service_end(&s->service, SIGKILL);
        for (unsigned i = 0; i < CLIENTS; i++) {
            hear_the_rest(s, i);
            msk_id = s->client[i].msk_id > msk_id ? s->client[i].msk_id : msk_id;
        }
        service_start(&s->service);
        everybody_gets_a_newer_msk(s, &msk_id);
    }
    assert_int_equal(service_ctl(&s->service, "members tunnel"), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_non_null(strstr(s->service.out, s->client[i].uri));
}

/* Told 200, then the daemon dies before anything else happens: he is a member all the same, whoever came before or after. */
static void whoever_was_told_200_is_a_member_whenever_the_daemon_dies(void **state)
{
    stage *s = *state;
    uint32_t msk_id = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_register(s, i);
        service_end(&s->service, SIGKILL);
        for (unsigned j = 0; j <= i; j++) {
            hear_the_rest(s, j);
            msk_id = s->client[j].msk_id > msk_id ? s->client[j].msk_id : msk_id;
        }
        service_start(&s->service);
        for (unsigned j = 0; j <= i; j++)
            (void)hear_newer(s, j, msk_id);
        msk_id = s->client[0].msk_id;
    }
    assert_int_equal(service_ctl(&s->service, "members tunnel"), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_non_null(strstr(s->service.out, s->client[i].uri));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_survive_and_no_counter_comes_twice_wherever_a_rekey_is_killed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(whoever_was_told_200_is_a_member_whenever_the_daemon_dies, set_up, tear_down),
    };
    if (argc != 3)
        return 64;
    daemon_program = argv[1];
    ctl_program = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
