/* How a script lets time pass, and who talks meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/script_inside.h"

/* ---- running the world ---- */

static bool condition_holds(play *p)
{
    lua_pushvalue(p->lua, p->condition);
    if (lua_pcall(p->lua, 0, 1, 0) != LUA_OK) {
        p->condition_failed = true;
        return true;
    }
    p->came = lua_toboolean(p->lua, -1);
    lua_pop(p->lua, 1);
    return p->came;
}

static bool stop_now(void *user)
{
    play *p = user;
    return p->came || p->condition_failed || condition_holds(p);
}

static int64_t next_talk_us(const play *p)
{
    int64_t at_us = INT64_MAX;
    for (size_t c = 0; c < POC_COUNT(p->talkers); c++)
        if (p->talkers[c].is_on && p->talkers[c].next_us < at_us)
            at_us = p->talkers[c].next_us;
    return at_us;
}

void script_stop_talking(talker *t)
{
    free(t->own);
    *t = (talker){ 0 };
}

static poc_err send(play *p, size_t at, const uint8_t *frame, bool first)
{
    world *w = p->run->world;
    if (at < WORLD_CLIENTS_MAX)
        return w->ops->talk(w, (int)at, frame, SCRIPT_FRAME_LEN, first);
    const char *channel_id = p->run->rec->channels[at - WORLD_CLIENTS_MAX].made.id;
    return w->ops->feed(w, channel_id, frame, SCRIPT_FRAME_LEN, first);
}

/* A client whose session is over just falls silent: being cut off in mid-sentence is part of the story. */
static void say_frame(play *p, size_t at, talker *t)
{
    uint8_t frame[SCRIPT_FRAME_LEN];
    for (size_t i = 0; i < SCRIPT_FRAME_LEN; i++)
        frame[i] = t->pcmu[(t->at + i) % t->n];
    t->at = (t->at + SCRIPT_FRAME_LEN) % t->n;
    t->next_us += SCRIPT_FRAME_US;
    if (t->next_us > t->end_us || send(p, at, frame, t->is_first) != POC_OK) {
        script_stop_talking(t);
        return;
    }
    t->is_first = false;
}

static void talk_due(play *p)
{
    for (size_t c = 0; c < POC_COUNT(p->talkers); c++)
        while (p->talkers[c].is_on && p->talkers[c].next_us <= script_now_us(p))
            say_frame(p, c, &p->talkers[c]);
}

static poc_err run_until(play *p, int64_t until_us)
{
    world *w = p->run->world;
    bool waits = p->condition != 0;
    while (!p->came && !p->condition_failed && script_now_us(p) < until_us) {
        talk_due(p);
        int64_t talk_us = next_talk_us(p);
        int64_t to_us = talk_us < until_us ? talk_us : until_us;
        POC_TRY(w->ops->run(w, to_us, waits ? stop_now : NULL, p));
        if (waits && !p->came && !p->condition_failed)
            condition_holds(p);
    }
    return POC_OK;
}

/* Milliseconds from now; a year is more than any scenario lasts. */
static double duration_arg(lua_State *lua, int arg)
{
    double ms = luaL_checknumber(lua, arg);
    luaL_argcheck(lua, ms >= 0, arg, "time does not run backwards");
    luaL_argcheck(lua, ms <= 365.0 * 86400 * 1000, arg, "longer than a year");
    return ms;
}

static int l_wait(lua_State *lua)
{
    play *p = script_play_of(lua);
    double ms = duration_arg(lua, 1);
    p->condition = 0;
    p->came = p->condition_failed = false;
    return script_demand(lua, run_until(p, script_now_us(p) + (int64_t)(ms * 1000)), "wait");
}

void script_where(lua_State *lua, char *out, size_t cap)
{
    luaL_where(lua, 1);
    const char *where = lua_tostring(lua, -1);
    const char *slash = strrchr(where, '/');
    snprintf(out, cap, "%s", slash != NULL ? slash + 1 : where);
    lua_pop(lua, 1);
}

static int l_wait_for(lua_State *lua)
{
    play *p = script_play_of(lua);
    luaL_checktype(lua, 1, LUA_TFUNCTION);
    double ms = duration_arg(lua, 2) * (double)p->run->exp->patience;
    const char *text = luaL_optstring(lua, 3, "a condition");
    char where[64], what[160];
    script_where(lua, where, sizeof(where));
    p->condition = 1;
    p->came = p->condition_failed = false;
    if (!condition_holds(p))
        script_demand(lua, run_until(p, script_now_us(p) + (int64_t)(ms * 1000)), "wait_for");
    p->condition = 0;
    if (p->condition_failed)
        return lua_error(lua);
    if (!p->came) {
        snprintf(what, sizeof(what), "%swaited %.0f ms for %s", where, ms, text);
        expect_now(p->run->exp, what, false, "it did not come");
    }
    lua_pushboolean(lua, p->came);
    return 1;
}

static int l_now(lua_State *lua)
{
    lua_pushnumber(lua, (double)script_now_us(script_play_of(lua)) / 1000.0);
    return 1;
}

static int l_chance(lua_State *lua)
{
    play *p = script_play_of(lua);
    double from = luaL_checknumber(lua, 1), to = luaL_checknumber(lua, 2);
    p->dice = p->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    lua_pushnumber(lua, from + (to - from) * (double)(p->dice >> 33) / (double)(UINT64_C(1) << 31));
    return 1;
}

static int judge_all(lua_State *lua)
{
    int n = (int)lua_tointeger(lua, lua_upvalueindex(1));
    bool holds = true;
    for (int i = 2; holds && i <= n + 1; i++) {
        lua_pushvalue(lua, lua_upvalueindex(i));
        lua_call(lua, 0, 1);
        holds = lua_toboolean(lua, -1);
        lua_pop(lua, 1);
    }
    lua_pushboolean(lua, holds);
    return 1;
}

static int l_all(lua_State *lua)
{
    int n = lua_gettop(lua);
    for (int i = 1; i <= n; i++)
        luaL_checktype(lua, i, LUA_TFUNCTION);
    luaL_argcheck(lua, n < 200, n, "too many conditions");
    lua_pushinteger(lua, n);
    lua_insert(lua, 1);
    lua_pushcclosure(lua, judge_all, n + 1);
    return 1;
}

const script_call script_time_calls[] = {
    { "", "wait", l_wait, "wait(ms)", "Lets time pass; who talks goes on talking." },
    { "", "wait_for", l_wait_for, "wait_for(condition, timeout_ms, text)",
      "Lets time pass until the condition holds and says whether it came; a timeout is an unmet expectation." },
    { "", "all", l_all, "all(condition, ...)", "The condition that all of these hold." },
    { "", "now", l_now, "now()", "Milliseconds since the scenario began." },
    { "", "chance", l_chance, "chance(from, to)", "A number between the two that follows from the seed." },
    { 0 },
};
