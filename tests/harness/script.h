/* A scenario: a Lua 5.4 script that plays in a world. What it may call stands in one table (script_call_at), which
 * docs/scripting.md repeats for people and a test compares. */
#ifndef TESTS_HARNESS_SCRIPT_H
#define TESTS_HARNESS_SCRIPT_H

#include <lua.h>

#include "tests/harness/expect.h"
#include "tests/harness/record.h"
#include "tests/harness/world.h"

typedef struct script_call {
    const char *scope; /* "": global, "client", "cf", "pf", "expect" */
    const char *name;
    lua_CFunction fn;
    const char *usage;    /* as a script writes it */
    const char *sentence; /* what it does */
} script_call;

/** The calls, one after the other; NULL behind the last. */
const script_call *script_call_at(size_t at);

/** 8 kHz mu-law speech for those who talk; borrowed by a script. */
typedef struct script_speech {
    uint8_t *pcmu; /* owned */
    size_t n;
} script_speech;

/** The sample that the build made. POC_E_IO: it is not there. */
poc_err script_speech_load(script_speech *out, const char *path);
void script_speech_done(script_speech *speech);

typedef struct script_run {
    world *world;
    record *rec;
    expect *exp;
    const script_speech *speech;
} script_run;

typedef enum script_end { SCRIPT_PLAYED, SCRIPT_ERROR, SCRIPT_WORLD_ERROR } script_end;

/** Plays the file to its end. On an error `message` says where and why. */
script_end script_play(const script_run *run, const char *path, char *message, size_t cap);
/** The same with the text of a script; `name` stands in error messages. */
script_end script_play_text(const script_run *run, const char *text, const char *name, char *message, size_t cap);

#endif
