/* Bodies on their way between a client and the CF: what the shell makes of them goes on, beside the description that is ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/io/sip_world.h"

#define MIXED         "multipart/mixed;boundary=limit"
#define PART(type, b) "--limit\r\nContent-Type: " type "\r\n\r\n" b "\r\n"
#define INFO_TYPE     "application/vnd.3gpp.mcptt-info+xml"

static const world_options over_udp = { .transport = "udp" };

static void join_with(world *w, const char *body)
{
    char authorization[2048];
    client_invite(w, WORLD_ALICE, NULL, body, MIXED);
    assert_true(world_wait_status(w, &w->client));
    assert_int_equal(w->client.status, 401);
    assert_int_equal(w->content_asked, 0); /* of whoever has proved nothing nothing is read */
    client_authorize(w, authorization, body, true);
    client_invite(w, WORLD_ALICE, authorization, body, MIXED);
    assert_true(world_wait_status(w, &w->client));
}

static char *mixed_offer(void)
{
    char *body = NULL;
    assert_true(
        asprintf(&body, PART("application/sdp", "%s") PART(INFO_TYPE, "<sealed/>") "--limit--\r\n", world_offer) > 0);
    return body;
}

static void send_message(world *w)
{
    char authorization[2048];
    client_request(w, SIP_METHOD_MESSAGE, NULL, NULL, "sealed");
    assert_true(world_wait_status(w, &w->client));
    assert_int_equal(w->client.status, 401);
    client_authorize_for(w, authorization, "MESSAGE", WORLD_GROUP, "sealed");
    client_request(w, SIP_METHOD_MESSAGE, authorization, NULL, "sealed");
    assert_true(world_wait_status(w, &w->client));
}

/* ---- requests that are carried ---- */

/* MCX-6, MCX-12 */
static void a_message_goes_on_with_what_is_made_of_its_body(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    w.content_new = "opened";
    w.content_new_type = "text/html";
    send_message(&w);
    assert_int_equal(w.client.status, 200);
    assert_string_equal(w.content_who, WORLD_ALICE);
    assert_true(w.content_from_client);
    assert_string_equal(w.content_type, "text/plain");
    assert_string_equal(w.content_body, "sealed");
    assert_string_equal(w.cf.sdp, "opened");
    world_stop(&w);
}

/* MCX-6 */
static void a_message_whose_body_does_not_open_goes_nowhere(void **state)
{
    (void)state;
    static const struct {
        poc_err err;
        int status;
    } rows[] = { { POC_E_AUTH, 403 }, { POC_E_INPUT, 400 }, { POC_E_LIMIT, 500 }, { POC_E_NOMEM, 500 } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;
        world_start(&w, &over_udp);
        w.content_err = rows[i].err;
        send_message(&w);
        assert_int_equal(w.client.status, rows[i].status);
        assert_string_equal(w.cf.diary, "");
        assert_int_equal(w.refusal_kind, rows[i].err);
        world_stop(&w);
    }
}

static void what_the_cf_says_in_a_dialog_is_made_ready_for_the_client(void **state)
{
    (void)state;
    world w;
    world_start(&w, &over_udp);
    world_join(&w);
    assert_int_equal(w.content_asked, 0); /* a description alone is nothing else */
    w.content_new = "sealed";
    w.content_new_type = "text/plain";
    peer_request(&w.cf, SIP_METHOD_INFO, "clear", "text/plain");
    assert_true(world_wait_status(&w, &w.cf));
    assert_int_equal(w.cf.status, 200);
    assert_false(w.content_from_client);
    assert_string_equal(w.content_who, WORLD_ALICE);
    assert_string_equal(w.content_body, "clear");
    assert_string_equal(w.client.sdp, "sealed");
    world_stop(&w);
}

/* ---- INVITE ---- */

static void what_stands_beside_an_offer_goes_on_beside_ours(void **state)
{
    (void)state;
    world w;
    char *body = mixed_offer();
    world_start(&w, &over_udp);
    join_with(&w, body);
    assert_int_equal(w.client.status, 200);
    assert_true(world_wait(&w, &w.ups, 1));
    assert_int_equal(w.content_asked, 1);
    assert_string_equal(w.content_body, body);
    assert_non_null(strstr(w.cf.sdp, "Content-Type: " INFO_TYPE));
    assert_non_null(strstr(w.cf.sdp, "<sealed/>"));
    assert_non_null(strstr(w.cf.sdp, "o=pf "));
    assert_null(strstr(w.cf.sdp, world_offer));      /* the client's own description is not for the CF */
    assert_memory_equal(w.client.sdp, "v=0\r\n", 5); /* and the answer is one alone */
    world_stop(&w);
    free(body);
}

/* MCX-6, MCX-12 */
static void what_stands_beside_an_offer_goes_on_as_it_was_opened(void **state)
{
    (void)state;
    world w;
    char *body = mixed_offer();
    world_start(&w, &over_udp);
    w.content_new = PART("application/sdp", "v=0") PART(INFO_TYPE, "<opened/>") "--limit--\r\n";
    w.content_new_type = MIXED;
    join_with(&w, body);
    assert_int_equal(w.client.status, 200);
    assert_non_null(strstr(w.cf.sdp, "<opened/>"));
    assert_null(strstr(w.cf.sdp, "<sealed/>"));
    assert_non_null(strstr(w.cf.sdp, "o=pf "));
    world_stop(&w);
    free(body);
}

static void an_invite_whose_parts_do_not_open_calls_nobody(void **state)
{
    (void)state;
    world w;
    char *body = mixed_offer();
    world_start(&w, &over_udp);
    w.content_err = POC_E_AUTH;
    join_with(&w, body);
    assert_int_equal(w.client.status, 403);
    assert_string_equal(w.cf.diary, "");
    assert_int_equal(w.ups, 0);
    world_stop(&w);
    free(body);
}

static void an_invite_with_several_parts_and_no_description_is_no_offer(void **state)
{
    (void)state;
    static const char in_base64[] = "--limit\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n"
                                    "\r\ndj0w\r\n--limit--\r\n",
                      no_offer[] = PART(INFO_TYPE, "<a/>") "--limit--\r\n";
    static const char *const bodies[] = { no_offer, "--limit\r\n", "hello", in_base64 };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        world w;
        world_start(&w, &over_udp);
        client_invite(&w, WORLD_ALICE, NULL, bodies[i], MIXED);
        assert_true(world_wait_status(&w, &w.client));
        assert_int_equal(w.client.status, 415);
        world_stop(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_on_with_what_is_made_of_its_body),
        cmocka_unit_test(a_message_whose_body_does_not_open_goes_nowhere),
        cmocka_unit_test(what_the_cf_says_in_a_dialog_is_made_ready_for_the_client),
        cmocka_unit_test(what_stands_beside_an_offer_goes_on_beside_ours),
        cmocka_unit_test(what_stands_beside_an_offer_goes_on_as_it_was_opened),
        cmocka_unit_test(an_invite_whose_parts_do_not_open_calls_nobody),
        cmocka_unit_test(an_invite_with_several_parts_and_no_description_is_no_offer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
