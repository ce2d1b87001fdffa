/* What the parts of the script engine share. Private to script*.c. */
#ifndef TESTS_HARNESS_SCRIPT_INSIDE_H
#define TESTS_HARNESS_SCRIPT_INSIDE_H

#include <lauxlib.h>
#include <lua.h>

#include "tests/harness/script.h"

#define SCRIPT_FRAME_US  20000
#define SCRIPT_FRAME_LEN WORLD_PAYLOAD_MAX
#define SCRIPT_CLIENT    "pocsim.client" /* metatable of clients */

/* Somebody who talks while the world runs: 20 ms at a time. */
typedef struct talker {
    bool is_on, is_first;
    const uint8_t *pcmu;
    size_t n, at;
    uint8_t *own; /* when it is not the common speech */
    int64_t next_us, end_us;
} talker;

typedef struct play {
    const script_run *run;
    talker talkers[WORLD_CLIENTS_MAX + RECORD_CHANNELS_MAX]; /* clients, then the content sources of channels */
    uint64_t dice;
    lua_State *lua;
    int condition; /* stack index while waiting, 0: none */
    bool came;
    bool condition_failed; /* its error stands on top of the stack */
} play;

/* The calls by file; each list ends with an empty row. */
extern const script_call script_time_calls[], script_stage_calls[], script_client_calls[], script_expect_calls[],
    script_mcx_calls[];

play *script_play_of(lua_State *lua);
int64_t script_now_us(const play *p);
/** A world that refuses an operation ends the script: a scenario that does not happen shows nothing. */
int script_demand(lua_State *lua, poc_err err, const char *what);
/** "demo.lua:12: ", where the script calls from. */
void script_where(lua_State *lua, char *out, size_t cap);
void script_stop_talking(talker *t);
/** Has a talker begin; its options stand at `arg`. Returns the number of results, 0. */
int script_talk(lua_State *lua, int talker_index, int arg);
/** An observation that the script itself makes. */
void script_note(play *p, world_what what, int client, int status);

/* Arguments of calls; each raises a Lua error when it is not what it has to be. */
int script_client_arg(lua_State *lua, int arg);
int script_channel_arg(lua_State *lua, int arg);
/** The name that a new client or channel is given. */
const char *script_name_arg(lua_State *lua, int arg);
void script_options_arg(lua_State *lua, int arg, const char *const *names);
double script_number_option(lua_State *lua, int arg, const char *name, double otherwise);
bool script_flag_option(lua_State *lua, int arg, const char *name, bool otherwise);
void script_word_option(lua_State *lua, int arg, const char *name, const char *otherwise, char *out, size_t cap);
/** A word out of a list; the first is meant when none is given. */
void script_choice_option(lua_State *lua, int arg, const char *name, const char *const *words, char *out, size_t cap);
void script_users_option(lua_State *lua, int arg, world_channel *c);
/** Puts a channel on stage. Returns the number of results, 0. */
int script_channel_make(lua_State *lua, const world_channel *c);
void script_mcx_pf_options(lua_State *lua, int arg, world_pf *pf);
void script_mcx_client_options(lua_State *lua, int arg, world_client *c);

#endif
