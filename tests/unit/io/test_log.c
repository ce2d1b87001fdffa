/* The log: one line an event, whatever a peer writes into a field, and no more lines than configured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/log.h"
#include "pf/io/now.h"

typedef struct bench {
    int fd, in;
    char text[65536];
} bench;

static bench b;

static int set_up(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    b.fd = fds[0];
    b.in = fds[1];
    log_to(fds[1]);
    log_configure(false, 5);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_to(STDERR_FILENO);
    (void)close(b.fd);
    (void)close(b.in);
    return 0;
}

static const char *said(void)
{
    ssize_t n = read(b.fd, b.text, sizeof(b.text) - 1);
    b.text[n > 0 ? n : 0] = '\0';
    return b.text;
}

static size_t lines_of(const char *text)
{
    size_t n = 0;
    while ((text = strchr(text, '\n')) != NULL) {
        text++;
        n++;
    }
    return n;
}

static void fields_stand_in_their_order_and_empty_ones_are_left_out(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "member_in", LOG_TEXT("user", "sip:bob@home2.example"), LOG_TEXT("reason", NULL),
              LOG_ID("msk_id", 0x10010001), LOG_ID("next", 0), LOG_NUMBER("count", 3));
    assert_non_null(strstr(said(), "Z info member_in user=sip:bob@home2.example msk_id=10010001 count=3\n"));
}

static void a_line_begins_with_the_time_to_the_millisecond(void **state)
{
    char text[] = "2030-01-01T00:00:00Z";
    int64_t second = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        const int64_t before_ms = io_now_ms();
        log_event(LOG_LEVEL_INFO, "ready", LOG_NUMBER("first", 1));
        const int64_t after_ms = io_now_ms();
        const char *line = said();
        memcpy(text, line, sizeof(text) - 2);
        assert_int_equal(poc_time_get(&second, poc_span_str(text)), POC_OK);
        assert_int_equal(line[19], '.');
        assert_string_equal(line + 23, "Z info ready first=1\n");
        const int64_t said_ms = second * 1000 + (line[20] - '0') * 100 + (line[21] - '0') * 10 + (line[22] - '0');
        assert_true(said_ms >= before_ms && said_ms <= after_ms);
        while (i == 1 && io_now_ms() / 1000 == second) { /* the third line is of another second */
        }
    }
}

static void numbers_and_ids_are_written_in_full(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "ready", LOG_NUMBER("least", INT64_MIN), LOG_NUMBER("none", 0), LOG_ID("id", 0x0a));
    assert_non_null(strstr(said(), " least=-9223372036854775808 none=0 id=0000000a\n"));
    log_configure(true, 5);
    log_event(LOG_LEVEL_INFO, "ready", LOG_NUMBER("most", INT64_MAX), LOG_ID("id", 0xfedcba98));
    assert_non_null(strstr(said(), ",\"most\":9223372036854775807,\"id\":\"fedcba98\"}\n"));
}

static void a_peer_cannot_write_a_line_of_his_own(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_WARNING, "refused", LOG_TEXT("who", "x\n2030-01-01 info member_in user=\"mallory\"\x01\xff"));
    const char *text = said();
    assert_int_equal(lines_of(text), 1);
    assert_non_null(strstr(text, "who=\"x\\u000a2030-01-01 info member_in user=\\\"mallory\\\"\\u0001\\u00ff\"\n"));
}

static void json_is_one_object_a_line(void **state)
{
    (void)state;
    log_configure(true, 5);
    log_event(LOG_LEVEL_ERROR, "store_failed", LOG_TEXT("reason", "a \"quote\" and a \\"), LOG_NUMBER("count", -1));
    const char *text = said();
    assert_memory_equal(text, "{\"time\":\"20", 11);
    assert_non_null(strstr(
        text,
        "\"level\":\"error\",\"event\":\"store_failed\",\"reason\":\"a \\\"quote\\\" and a \\\\\",\"count\":-1}\n"));
}

static void a_field_that_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    static char big[4096];
    memset(big, 'a', sizeof(big) - 1);
    log_configure(true, 5);
    log_event(LOG_LEVEL_INFO, "ready", LOG_NUMBER("first", 1), LOG_TEXT("big", big));
    const char *text = said();
    assert_non_null(strstr(text, "\"first\":1}\n"));
    assert_null(strstr(text, "aaa"));
}

static void refusals_for_one_reason_are_bounded_and_counted(void **state)
{
    (void)state;
    int64_t second, lines = 0;
    do { /* within one second of the clock that the bound uses */
        (void)said();
        second = io_now_ms() / 1000;
        for (int i = 0; i < 50; i++)
            log_refusal("refused", "auth", "192.0.2.1", "digest wrong");
        log_refusal("refused", "input", "192.0.2.1", "another reason");
        lines = (int64_t)lines_of(said());
    } while (io_now_ms() / 1000 != second || lines == 0 || strstr(b.text, "another reason") == NULL);
    assert_true(lines <= 6);
    while (io_now_ms() / 1000 == second) {
    }
    log_refusal("refused", "auth", "192.0.2.1", "digest wrong");
    assert_non_null(strstr(said(), "reason=\"digest wrong\" left_out="));
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(fields_stand_in_their_order_and_empty_ones_are_left_out),
        WITH_BENCH(a_line_begins_with_the_time_to_the_millisecond),
        WITH_BENCH(numbers_and_ids_are_written_in_full),
        WITH_BENCH(a_peer_cannot_write_a_line_of_his_own),
        WITH_BENCH(json_is_one_object_a_line),
        WITH_BENCH(a_field_that_does_not_fit_is_left_out_whole),
        WITH_BENCH(refusals_for_one_reason_are_bounded_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
