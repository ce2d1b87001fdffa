/* What a script expects. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/script_inside.h"

/* ---- expectations ---- */

static int64_t since_us(lua_State *lua, int arg)
{
    return (int64_t)(luaL_optnumber(lua, arg, 0) * 1000);
}

static int later_client(lua_State *lua, expect_kind kind, const char *option, double otherwise)
{
    const char *const names[] = { option, NULL };
    const script_run *run = script_play_of(lua)->run;
    int client = script_client_arg(lua, 1);
    int64_t limit;
    if (lua_isnumber(lua, 2)) {
        limit = (int64_t)lua_tonumber(lua, 2);
    } else {
        script_options_arg(lua, 2, names);
        limit = (int64_t)script_number_option(lua, 2, option, otherwise);
    }
    expect_later(run->exp, run->rec, kind, client, limit, 0, 0);
    return 0;
}

static int e_exposure(lua_State *lua)
{
    return later_client(lua, EXPECT_EXPOSURE, "max_ms", 200);
}

static int e_gap(lua_State *lua)
{
    return later_client(lua, EXPECT_GAP, "max", 0);
}

static int e_played_after_switch(lua_State *lua)
{
    return later_client(lua, EXPECT_AFTER_SWITCH, "max", 0);
}

static int e_played(lua_State *lua)
{
    static const char *const names[] = { "min", "max", NULL };
    const script_run *run = script_play_of(lua)->run;
    int client = script_client_arg(lua, 1);
    script_options_arg(lua, 2, names);
    double max = script_number_option(lua, 2, "max", -1);
    expect_later(run->exp, run->rec, EXPECT_PLAYED, client, (int64_t)script_number_option(lua, 2, "min", 1), 0, 0);
    if (max >= 0)
        expect_later(run->exp, run->rec, EXPECT_NOT_PLAYED, client, (int64_t)max, 0, 0);
    return 0;
}

static int e_heard_nothing(lua_State *lua)
{
    return later_client(lua, EXPECT_NOT_PLAYED, "max", 0);
}

static int e_first_audio(lua_State *lua)
{
    static const char *const names[] = { "max_ms", "by", NULL };
    const script_run *run = script_play_of(lua)->run;
    int client = script_client_arg(lua, 1);
    char by[16];
    script_options_arg(lua, 2, names);
    script_word_option(lua, 2, "by", "multicast", by, sizeof(by));
    expect_kind kind = strcmp(by, "any") == 0 ? EXPECT_FIRST_ANY : EXPECT_FIRST_AUDIO;
    expect_later(run->exp, run->rec, kind, client, (int64_t)script_number_option(lua, 2, "max_ms", 1500), 0, 0);
    return 0;
}

static int e_no_rekey(lua_State *lua)
{
    const script_run *run = script_play_of(lua)->run;
    expect_later(run->exp, run->rec, EXPECT_NO_REKEY, script_channel_arg(lua, 1), 0, since_us(lua, 2),
                 script_now_us(script_play_of(lua)));
    return 0;
}

static int e_rekeys(lua_State *lua)
{
    const script_run *run = script_play_of(lua)->run;
    int channel = script_channel_arg(lua, 1);
    expect_later(run->exp, run->rec, EXPECT_REKEYS, channel, luaL_checkinteger(lua, 2), since_us(lua, 3),
                 script_now_us(script_play_of(lua)));
    return 0;
}

static int e_confirmed(lua_State *lua)
{
    const script_run *run = script_play_of(lua)->run;
    int channel = script_channel_arg(lua, 1);
    expect_later(run->exp, run->rec, EXPECT_CONFIRMED, channel, luaL_checkinteger(lua, 2), 0,
                 script_now_us(script_play_of(lua)));
    return 0;
}

static int now_client(lua_State *lua, bool by_multicast)
{
    const script_run *run = script_play_of(lua)->run;
    const record_client *c = &run->rec->clients[script_client_arg(lua, 1)];
    char what[96];
    snprintf(what, sizeof(what), "%s hears by %s at %.0f ms", c->made.name, by_multicast ? "multicast" : "unicast",
             (double)script_now_us(script_play_of(lua)) / 1000.0);
    expect_now(run->exp, what, c->heard && c->heard_by_multicast == by_multicast,
               c->heard ? "hears the other way" : "heard nothing so far");
    return 0;
}

static int e_by_unicast(lua_State *lua)
{
    return now_client(lua, false);
}

static int e_by_multicast(lua_State *lua)
{
    return now_client(lua, true);
}

static int e_on_air(lua_State *lua)
{
    const script_run *run = script_play_of(lua)->run;
    const record_channel *c = &run->rec->channels[script_channel_arg(lua, 1)];
    bool wanted = lua_isnoneornil(lua, 2) || lua_toboolean(lua, 2);
    int64_t from_us = since_us(lua, 3);
    char what[128];
    snprintf(what, sizeof(what), "%s on air in %s since %" PRId64 " ms", wanted ? "something" : "nothing", c->made.id,
             from_us / 1000);
    expect_now(run->exp, what, (c->last_air_us >= 0 && c->last_air_us >= from_us) == wanted,
               wanted ? "the air was silent" : "there was something");
    return 0;
}

static int e_refused(lua_State *lua)
{
    const script_run *run = script_play_of(lua)->run;
    const record_client *c = &run->rec->clients[script_client_arg(lua, 1)];
    int status = (int)luaL_checkinteger(lua, 2);
    char what[96];
    snprintf(what, sizeof(what), "%s is refused with %d", c->made.name, status);
    expect_now(run->exp, what, c->refused && c->refused_status == status, "was not");
    return 0;
}

static int e_holders(lua_State *lua)
{
    const script_run *run = script_play_of(lua)->run;
    int channel = script_channel_arg(lua, 1), n = lua_gettop(lua);
    const record_channel *on = &run->rec->channels[channel];
    uint64_t wanted = 0;
    for (int i = 2; i <= n; i++)
        wanted |= UINT64_C(1) << script_client_arg(lua, i);
    const char *how = "nothing was on air";
    int who = on->msk_id != 0 ? measure_wrong_holder(run->rec, channel, wanted, &how) : -1;
    char what[96], note[96];
    snprintf(what, sizeof(what), "%d clients and nobody else hold MSK %08x of %s", n - 1, on->msk_id, on->made.id);
    snprintf(note, sizeof(note), "%s %s", who >= 0 ? run->rec->clients[who].made.name : on->made.id, how);
    expect_now(run->exp, what, on->msk_id != 0 && who < 0, note);
    return 0;
}

static int e_denied(lua_State *lua)
{
    const script_run *run = script_play_of(lua)->run;
    const record_client *c = &run->rec->clients[script_client_arg(lua, 1)];
    int status = (int)luaL_checkinteger(lua, 2);
    char what[96], note[48];
    snprintf(what, sizeof(what), "%s is denied with %d", c->made.name, status);
    snprintf(note, sizeof(note), "with %d", c->denied_status);
    expect_now(run->exp, what, c->denied && c->denied_status == status, c->denied ? note : "was not");
    return 0;
}

static int e_that(lua_State *lua)
{
    char where[64], what[160];
    bool holds;
    const char *text = luaL_checkstring(lua, 2);
    if (lua_isfunction(lua, 1)) {
        lua_pushvalue(lua, 1);
        lua_call(lua, 0, 1);
        holds = lua_toboolean(lua, -1);
    } else {
        holds = lua_toboolean(lua, 1);
    }
    script_where(lua, where, sizeof(where));
    snprintf(what, sizeof(what), "%s%s", where, text);
    expect_now(script_play_of(lua)->run->exp, what, holds, "it does not hold");
    return 0;
}

const script_call script_expect_calls[] = {
    { "expect", "exposure", e_exposure, "expect.exposure(client, {max_ms=})",
      "From the expulsion to the last packet that the expelled one can open." },
    { "expect", "gap", e_gap, "expect.gap(client, {max=})",
      "Media packets that this client could not open because of a rekey." },
    { "expect", "played_after_switch", e_played_after_switch, "expect.played_after_switch(client, max)",
      "Packets that the expelled one opens after the switch; something must have been on air." },
    { "expect", "first_audio", e_first_audio, "expect.first_audio(client, {max_ms=, by=})",
      "From its join to the first packet played, by = \"multicast\" or \"any\"." },
    { "expect", "played", e_played, "expect.played(client, {min=, max=})",
      "Plays at least, or at most, so many packets." },
    { "expect", "heard_nothing", e_heard_nothing, "expect.heard_nothing(client)", "Plays no packet at all." },
    { "expect", "no_rekey", e_no_rekey, "expect.no_rekey(channel, since_ms)",
      "No new MSK has been given to anybody or used since then." },
    { "expect", "rekeys", e_rekeys, "expect.rekeys(channel, n, since_ms)",
      "Exactly so many switches to another MSK since then, so far." },
    { "expect", "confirmed", e_confirmed, "expect.confirmed(channel, n)",
      "Exactly so many members held the new MSK when the last switch so far came." },
    { "expect", "by_unicast", e_by_unicast, "expect.by_unicast(client)", "Its last packet came by unicast." },
    { "expect", "by_multicast", e_by_multicast, "expect.by_multicast(client)", "Its last packet came by multicast." },
    { "expect", "on_air", e_on_air, "expect.on_air(channel, wanted, since_ms)",
      "Something, or with false nothing, has been on the group since then." },
    { "expect", "refused", e_refused, "expect.refused(client, status)", "Its join got this final answer." },
    { "expect", "denied", e_denied, "expect.denied(client, status)",
      "Its last registration or MSK request was denied with this status." },
    { "expect", "holders", e_holders, "expect.holders(channel, client, ...)",
      "These clients hold the MSK that is on air, and nobody else was ever given it." },
    { "expect", "that", e_that, "expect.that(condition, text)", "Holds now; condition is a value or a function." },
    { 0 },
};
