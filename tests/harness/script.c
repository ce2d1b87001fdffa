#include "tests/harness/script.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/script_inside.h"

play *script_play_of(lua_State *lua)
{
    return *(play **)lua_getextraspace(lua);
}

int64_t script_now_us(const play *p)
{
    return p->run->world->ops->now_us(p->run->world);
}

/* A world that refuses an operation ends the script: a scenario that does not happen shows nothing. */
int script_demand(lua_State *lua, poc_err err, const char *what)
{
    if (err != POC_OK)
        return luaL_error(lua, "%s: the world refuses (%s)", what, poc_err_name(err));
    return 0;
}

void script_note(play *p, world_what what, int client, int status)
{
    world_seen seen = { .what = what, .at_us = script_now_us(p), .client = client, .status = status };
    record_see(p->run->rec, &seen);
}

/* ---- arguments ---- */

int script_client_arg(lua_State *lua, int arg)
{
    return *(const int *)luaL_checkudata(lua, arg, SCRIPT_CLIENT);
}

int script_channel_arg(lua_State *lua, int arg)
{
    const char *id = luaL_checkstring(lua, arg);
    int channel = record_channel_by_id(script_play_of(lua)->run->rec, id);
    return channel >= 0 ? channel : luaL_error(lua, "no channel \"%s\"", id);
}

/* A name becomes part of SIP URIs, of the configuration and of file names, and nothing is to be cut off it. */
const char *script_name_arg(lua_State *lua, int arg)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const char *name = luaL_checkstring(lua, arg);
    size_t n = strlen(name);
    luaL_argcheck(lua, n > 0 && n < WORLD_NAME_MAX && strspn(name, allowed) == n, arg,
                  "a name has 1 to 31 letters, digits, - and _");
    return name;
}

/* A misspelt option would change what a scenario shows without anybody noticing. */
static void only_options(lua_State *lua, int arg, const char *const *names)
{
    lua_pushnil(lua);
    while (lua_next(lua, arg) != 0) {
        lua_pop(lua, 1);
        const char *name = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "?";
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], name) != 0)
            i++;
        if (names[i] == NULL)
            luaL_error(lua, "no option \"%s\" here", name);
    }
}

void script_options_arg(lua_State *lua, int arg, const char *const *names)
{
    if (lua_isnoneornil(lua, arg)) {
        lua_settop(lua, arg - 1);
        lua_newtable(lua);
    }
    luaL_checktype(lua, arg, LUA_TTABLE);
    only_options(lua, arg, names);
}

double script_number_option(lua_State *lua, int arg, const char *name, double otherwise)
{
    double v = otherwise;
    if (lua_getfield(lua, arg, name) != LUA_TNIL) {
        v = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : -1;
        if (!(v >= 0 && v <= UINT32_MAX))
            luaL_error(lua, "option \"%s\" wants a number from 0 to 4294967295", name);
    }
    lua_pop(lua, 1);
    return v;
}

bool script_flag_option(lua_State *lua, int arg, const char *name, bool otherwise)
{
    lua_getfield(lua, arg, name);
    bool v = lua_isnil(lua, -1) ? otherwise : lua_toboolean(lua, -1);
    lua_pop(lua, 1);
    return v;
}

void script_word_option(lua_State *lua, int arg, const char *name, const char *otherwise, char *out, size_t cap)
{
    lua_getfield(lua, arg, name);
    snprintf(out, cap, "%s", lua_isnil(lua, -1) ? otherwise : luaL_checkstring(lua, -1));
    lua_pop(lua, 1);
}

/* ---- the calls ---- */

const script_call *script_call_at(size_t at)
{
    static const script_call *const lists[] = { script_time_calls, script_stage_calls, script_client_calls,
                                                script_mcx_calls, script_expect_calls };
    for (size_t l = 0; l < POC_COUNT(lists); l++)
        for (const script_call *c = lists[l]; c->fn != NULL; c++)
            if (at-- == 0)
                return c;
    return NULL;
}

/* Where the calls of a scope live: globals, methods of a client, or a table of that name. */
static void push_scope(lua_State *lua, const char *scope)
{
    if (scope[0] == '\0') {
        lua_pushglobaltable(lua);
    } else if (strcmp(scope, "client") == 0) {
        luaL_getmetatable(lua, SCRIPT_CLIENT);
        lua_getfield(lua, -1, "__index");
        lua_remove(lua, -2);
    } else if (lua_getglobal(lua, scope) == LUA_TNIL) {
        lua_pop(lua, 1);
        lua_newtable(lua);
        lua_pushvalue(lua, -1);
        lua_setglobal(lua, scope);
    }
}

static void open_calls(lua_State *lua)
{
    luaL_newmetatable(lua, SCRIPT_CLIENT);
    lua_newtable(lua);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 1);
    const script_call *call;
    for (size_t i = 0; (call = script_call_at(i)) != NULL; i++) {
        push_scope(lua, call->scope);
        lua_pushcfunction(lua, call->fn);
        lua_setfield(lua, -2, call->name);
        lua_pop(lua, 1);
    }
}

/* ---- door ---- */

poc_err script_speech_load(script_speech *out, const char *path)
{
    *out = (script_speech){ 0 };
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return POC_E_IO;
    size_t cap = 4u << 20;
    out->pcmu = malloc(cap);
    if (out->pcmu != NULL)
        out->n = fread(out->pcmu, 1, cap, f);
    fclose(f);
    if (out->n >= SCRIPT_FRAME_LEN)
        return POC_OK;
    script_speech_done(out);
    return POC_E_IO;
}

void script_speech_done(script_speech *speech)
{
    free(speech->pcmu);
    *speech = (script_speech){ 0 };
}

static script_end play_it(const script_run *run, const char *path, const char *text, const char *name, char *message,
                          size_t cap)
{
    play p = { .run = run, .dice = run->rec->seed * UINT64_C(0x9E3779B97F4A7C15) + 1 };
    p.lua = luaL_newstate();
    if (p.lua == NULL) {
        snprintf(message, cap, "out of memory");
        return SCRIPT_WORLD_ERROR;
    }
    *(play **)lua_getextraspace(p.lua) = &p;
    luaL_openlibs(p.lua);
    open_calls(p.lua);
    int err = text != NULL ? luaL_loadbufferx(p.lua, text, strlen(text), name, "t") : luaL_loadfilex(p.lua, path, "t");
    if (err == LUA_OK)
        err = lua_pcall(p.lua, 0, 0, 0);
    if (err != LUA_OK)
        snprintf(message, cap, "%s", lua_tostring(p.lua, -1) != NULL ? lua_tostring(p.lua, -1) : "error");
    lua_close(p.lua);
    for (size_t c = 0; c < POC_COUNT(p.talkers); c++)
        script_stop_talking(&p.talkers[c]);
    return err == LUA_OK ? SCRIPT_PLAYED : SCRIPT_ERROR;
}

script_end script_play(const script_run *run, const char *path, char *message, size_t cap)
{
    return play_it(run, path, NULL, NULL, message, cap);
}

script_end script_play_text(const script_run *run, const char *text, const char *name, char *message, size_t cap)
{
    return play_it(run, NULL, text, name, message, cap);
}
