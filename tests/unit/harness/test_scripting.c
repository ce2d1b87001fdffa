/* docs/scripting.md says what a script may call: it is held to the table of calls, and each of its examples is played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/measure.h"
#include "tests/harness/script.h"

static char *document;
static script_speech speech;

static int read_document(void **state)
{
    (void)state;
    FILE *f = fopen(POC_SOURCE_DIR "/docs/scripting.md", "rb");
    document = calloc(1, 1u << 18);
    if (f == NULL || document == NULL)
        return -1;
    size_t n = fread(document, 1, (1u << 18) - 1, f);
    fclose(f);
    return n > 0 && script_speech_load(&speech, POCSIM_SPEECH) == POC_OK ? 0 : -1;
}

static int forget_document(void **state)
{
    (void)state;
    free(document);
    script_speech_done(&speech);
    return 0;
}

static void every_call_of_the_table_stands_in_the_document(void **state)
{
    (void)state;
    const script_call *call;
    for (size_t i = 0; (call = script_call_at(i)) != NULL; i++) {
        char row[512];
        snprintf(row, sizeof(row), "| `%s` | %s |", call->usage, call->sentence);
        if (strstr(document, row) == NULL)
            fail_msg("missing in docs/scripting.md: %s", row);
    }
}

static void the_document_names_no_call_that_is_not_there(void **state)
{
    (void)state;
    size_t rows = 0, calls = 0;
    for (const char *at = document; (at = strstr(at, "\n| `")) != NULL; at++)
        rows++;
    while (script_call_at(calls) != NULL)
        calls++;
    assert_int_equal(rows, calls);
}

/* Plays one text in a fresh simulated world; the verdict of its own expectations is returned. */
static bool play(const char *text, char *message, size_t cap)
{
    record rec;
    expect e;
    measure m;
    world *w = NULL;
    record_init(&rec, "simulated", 1);
    expect_init(&e);
    world_settings settings = { .seed = 1, .seen = record_see, .user = &rec };
    assert_int_equal(world_simulated(&w, &settings), POC_OK);
    script_run run = { w, &rec, &e, &speech };
    bool is_met = script_play_text(&run, text, "=example", message, cap) == SCRIPT_PLAYED;
    if (is_met) {
        assert_int_equal(measure_run(&m, &rec), POC_OK);
        expect_judge(&e, &rec, &m);
        is_met = expect_all_met(&e);
        for (size_t i = 0; i < e.count; i++)
            if (!e.rows[i].ok)
                snprintf(message, cap, "%s: %s", e.rows[i].what, e.rows[i].note);
        measure_done(&m);
    }
    w->ops->free(w);
    expect_done(&e);
    record_done(&rec);
    return is_met;
}

static void every_example_of_the_document_runs_and_its_expectations_are_met(void **state)
{
    (void)state;
    size_t examples = 0;
    char *at = document;
    while ((at = strstr(at, "\n```lua\n")) != NULL) {
        char *begin = at + strlen("\n```lua\n"), *end = strstr(begin, "\n```");
        assert_non_null(end);
        char *text = strndup(begin, (size_t)(end - begin));
        char message[320] = "";
        if (!play(text, message, sizeof(message)))
            fail_msg("example %zu: %s\n%s", examples + 1, message, text);
        free(text);
        examples++;
        at = end;
    }
    assert_true(examples >= 8);
}

static void a_wrong_option_is_an_error_that_names_its_line(void **state)
{
    (void)state;
    char message[320] = "";
    assert_false(play("channel('dispatch')\nchannel('other', { on_leaf = 'never' })\n", message, sizeof(message)));
    assert_non_null(strstr(message, "2: no option \"on_leaf\""));
}

static void a_name_that_is_no_part_of_a_path_is_the_only_one(void **state)
{
    static const char *const texts[] = { "client('../evil')", "client('a/b')",  "client('')",
                                         "client('a.b')",     "channel('a b')", "client(('x'):rep(32))" };
    (void)state;
    char message[320];
    for (size_t i = 0; i < POC_COUNT(texts); i++) {
        assert_false(play(texts[i], message, sizeof(message)));
        assert_non_null(strstr(message, "a name has 1 to 31 letters"));
    }
    assert_true(play("channel('x-1') client(('x'):rep(31))", message, sizeof(message)));
}

static void a_number_that_no_scenario_means_is_refused(void **state)
{
    static const char *const texts[] = { "wait(1e18)",
                                         "wait(-1)",
                                         "wait(0/0)",
                                         "wait_for(function() end, 1e18)",
                                         "channel('d', { deadline_ms = -1 })",
                                         "channel('d', { deadline_ms = 1e10 })",
                                         "channel('d', { deadline_ms = 'soon' })",
                                         "net { loss = 0/0 }" };
    (void)state;
    char message[320];
    for (size_t i = 0; i < POC_COUNT(texts); i++)
        assert_false(play(texts[i], message, sizeof(message)));
}

static void an_operation_that_the_world_refuses_ends_the_script(void **state)
{
    (void)state;
    char message[320] = "";
    assert_false(play("channel('dispatch')\nlocal a = client('a')\na:leave()\n", message, sizeof(message)));
    assert_non_null(strstr(message, "3: leave: the world refuses (state)"));
}

static void a_condition_that_does_not_come_is_an_unmet_expectation(void **state)
{
    (void)state;
    char message[320] = "";
    const char *text = "channel('dispatch')\nlocal a = client('a')\nwait_for(a:is('in'), 100, 'a in')\n";
    assert_false(play(text, message, sizeof(message)));
    assert_non_null(strstr(message, "waited 100 ms for a in"));
}

static void an_option_that_names_no_known_word_is_refused(void **state)
{
    static const char *const texts[] = { "channel('d', { delivery = 'pigeon' })",
                                         "channel('d', { admit = 'everybody' })",
                                         "channel('d', { group = false, delivery = 'sip' })",
                                         "channel('d', { group = false, admit = 'session' })" };
    (void)state;
    char message[320];
    for (size_t i = 0; i < POC_COUNT(texts); i++) {
        assert_false(play(texts[i], message, sizeof(message)));
        assert_non_null(strstr(message, "cannot be"));
    }
}

static void the_pf_is_configured_before_anybody_knows_it(void **state)
{
    (void)state;
    char message[320];
    assert_true(play("pf:configure { push_tries = 2 } channel('d')", message, sizeof(message)));
    assert_false(play("channel('d') pf:configure { push_tries = 2 }", message, sizeof(message)));
}

/* Both hold the MSK; who is not named has what it should not have, and who is named and gone does not have what it should. */
static void an_msk_in_wrong_hands_is_an_unmet_expectation_that_names_them(void **state)
{
    static const char begin[] = "channel('d', { group = false }) local a, b = client('alice'), client('bob')\n"
                                "for _, c in ipairs { a, b } do c:bootstrap() c:register('d') end\n"
                                "wait_for(all(a:is('keyed'), b:is('keyed')), 5000, 'both keyed')\n";
    (void)state;
    char message[320] = "", text[1024];
    snprintf(text, sizeof(text), "%sexpect.holders('d', a, b)", begin);
    assert_true(play(text, message, sizeof(message)));
    snprintf(text, sizeof(text), "%sexpect.holders('d', a)", begin);
    assert_false(play(text, message, sizeof(message)));
    assert_non_null(strstr(message, "bob was given it too"));
    snprintf(text, sizeof(text), "%sb:coverage(false) pf:rekey('d') wait(4000) expect.holders('d', a, b)", begin);
    assert_false(play(text, message, sizeof(message)));
    assert_non_null(strstr(message, "bob does not hold it"));
}

/* The same seed is the same run, to the last observation. */
static uint64_t fingerprint(uint64_t seed)
{
    static const char text[] =
        "channel('dispatch', { admit = 'authenticated' })\nnet{loss=0.2, push_loss=0.2, push_reorder=0.2, jitter_ms=10, reorder=0.1}\n"
        "local a, b, c = client('a'), client('b'), client('c')\n"
        "for _, x in ipairs{a, b} do x:bootstrap() x:join('dispatch') end\n"
        "c:bootstrap() c:register('dispatch') wait(5000) a:talk{ms=1000} wait(1500) cf:expel(b) wait(3000)\n";
    record rec;
    expect e;
    char message[320];
    world *w = NULL;
    uint64_t sum = 14695981039346656037u;
    record_init(&rec, "simulated", seed);
    expect_init(&e);
    world_settings settings = { .seed = seed, .seen = record_see, .user = &rec };
    assert_int_equal(world_simulated(&w, &settings), POC_OK);
    script_run run = { w, &rec, &e, &speech };
    assert_int_equal(script_play_text(&run, text, "=twice", message, sizeof(message)), SCRIPT_PLAYED);
    for (size_t i = 0; i < rec.seen_count; i++)
        sum = (sum ^ (uint64_t)rec.seen[i].at_us ^ (uint64_t)rec.seen[i].what << 48) * 1099511628211u;
    w->ops->free(w);
    expect_done(&e);
    record_done(&rec);
    return sum;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    assert_true(fingerprint(7) == fingerprint(7));
    assert_true(fingerprint(7) != fingerprint(8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_the_table_stands_in_the_document),
        cmocka_unit_test(the_document_names_no_call_that_is_not_there),
        cmocka_unit_test(every_example_of_the_document_runs_and_its_expectations_are_met),
        cmocka_unit_test(a_wrong_option_is_an_error_that_names_its_line),
        cmocka_unit_test(a_name_that_is_no_part_of_a_path_is_the_only_one),
        cmocka_unit_test(a_number_that_no_scenario_means_is_refused),
        cmocka_unit_test(an_operation_that_the_world_refuses_ends_the_script),
        cmocka_unit_test(a_condition_that_does_not_come_is_an_unmet_expectation),
        cmocka_unit_test(an_option_that_names_no_known_word_is_refused),
        cmocka_unit_test(the_pf_is_configured_before_anybody_knows_it),
        cmocka_unit_test(an_msk_in_wrong_hands_is_an_unmet_expectation_that_names_them),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
    };
    return cmocka_run_group_tests(tests, read_document, forget_document);
}
