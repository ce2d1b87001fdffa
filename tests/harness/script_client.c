/* What a script has its clients do, and what it may ask about them. */
#include <stdio.h>
#include <string.h>

#include "tests/harness/script_inside.h"

static int c_bootstrap(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->bootstrap(w, script_client_arg(lua, 1)), "bootstrap");
}

static int c_join(lua_State *lua)
{
    play *p = script_play_of(lua);
    int client = script_client_arg(lua, 1), channel = script_channel_arg(lua, 2);
    script_note(p, WORLD_JOINING, client, channel);
    return script_demand(lua, p->run->world->ops->join(p->run->world, client, luaL_checkstring(lua, 2)), "join");
}

static int c_leave(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->leave(w, script_client_arg(lua, 1)), "leave");
}

static int c_register(lua_State *lua)
{
    play *p = script_play_of(lua);
    int client = script_client_arg(lua, 1), channel = script_channel_arg(lua, 2);
    script_note(p, WORLD_REGISTERING, client, channel);
    return script_demand(lua, p->run->world->ops->enrol(p->run->world, client, luaL_checkstring(lua, 2), true),
                         "register");
}

static int c_deregister(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    int client = script_client_arg(lua, 1);
    script_channel_arg(lua, 2);
    return script_demand(lua, w->ops->enrol(w, client, luaL_checkstring(lua, 2), false), "deregister");
}

static int c_pull(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    int client = script_client_arg(lua, 1);
    script_channel_arg(lua, 2);
    return script_demand(lua, w->ops->pull(w, client, luaL_checkstring(lua, 2)), "pull");
}

static int c_coverage(lua_State *lua)
{
    play *p = script_play_of(lua);
    int client = script_client_arg(lua, 1);
    luaL_checktype(lua, 2, LUA_TBOOLEAN);
    script_note(p, WORLD_COVERED, client, lua_toboolean(lua, 2));
    return script_demand(lua, p->run->world->ops->coverage(p->run->world, client, lua_toboolean(lua, 2)), "coverage");
}

static int c_move(lua_State *lua)
{
    play *p = script_play_of(lua);
    int client = script_client_arg(lua, 1);
    script_note(p, WORLD_MOVED, client, 0);
    return script_demand(lua, p->run->world->ops->move(p->run->world, client), "move");
}

static void load_own(lua_State *lua, talker *t, const char *path)
{
    script_speech own;
    if (script_speech_load(&own, path) != POC_OK)
        luaL_error(lua, "cannot read %s", path);
    t->own = own.pcmu;
    t->pcmu = own.pcmu;
    t->n = own.n;
}

int script_talk(lua_State *lua, int talker_index, int arg)
{
    static const char *const names[] = { "ms", "file", "from_ms", NULL };
    play *p = script_play_of(lua);
    talker *t = &p->talkers[talker_index];
    script_options_arg(lua, arg, names);
    double ms = script_number_option(lua, arg, "ms", -1);
    script_stop_talking(t);
    *t = (talker){ .is_on = true,
                   .is_first = true,
                   .pcmu = p->run->speech->pcmu,
                   .n = p->run->speech->n,
                   .next_us = script_now_us(p),
                   .end_us = INT64_MAX };
    lua_getfield(lua, arg, "file");
    if (!lua_isnil(lua, -1))
        load_own(lua, t, luaL_checkstring(lua, -1));
    t->at = (size_t)script_number_option(lua, arg, "from_ms", 0) * 8 % t->n;
    if (ms >= 0)
        t->end_us = script_now_us(p) + (int64_t)(ms * 1000);
    return 0;
}

static int c_talk(lua_State *lua)
{
    return script_talk(lua, script_client_arg(lua, 1), 2);
}

static int c_talk_stop(lua_State *lua)
{
    script_stop_talking(&script_play_of(lua)->talkers[script_client_arg(lua, 1)]);
    return 0;
}

static int c_floor_request(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->floor(w, script_client_arg(lua, 1), true), "floor_request");
}

static int c_floor_release(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->floor(w, script_client_arg(lua, 1), false), "floor_release");
}

static int c_expel(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->refer_expel(w, script_client_arg(lua, 1), script_client_arg(lua, 2)), "expel");
}

static int c_name(lua_State *lua)
{
    lua_pushstring(lua, script_play_of(lua)->run->rec->clients[script_client_arg(lua, 1)].made.name);
    return 1;
}

/* ---- conditions ---- */

static bool holds_current_key(const record *rec, const record_client *c)
{
    return c->channel >= 0 && record_is_keyed(rec, (int)(c - rec->clients), c->channel);
}

static bool is_in(const record *rec, const record_client *c)
{
    (void)rec;
    return c->in;
}

static bool is_out(const record *rec, const record_client *c)
{
    (void)rec;
    return c->out;
}

static bool is_refused(const record *rec, const record_client *c)
{
    (void)rec;
    return c->refused;
}

static bool is_bootstrapped(const record *rec, const record_client *c)
{
    (void)rec;
    return c->bootstrapped;
}

static bool is_listening(const record *rec, const record_client *c)
{
    (void)rec;
    return c->listening;
}

static bool hears_multicast(const record *rec, const record_client *c)
{
    (void)rec;
    return c->heard && c->heard_by_multicast;
}

static bool hears_unicast(const record *rec, const record_client *c)
{
    (void)rec;
    return c->heard && !c->heard_by_multicast;
}

static bool is_registered(const record *rec, const record_client *c)
{
    (void)rec;
    return c->registered;
}

static bool is_denied(const record *rec, const record_client *c)
{
    (void)rec;
    return c->denied;
}

static bool has_left_service(const record *rec, const record_client *c)
{
    (void)rec;
    return c->left_service;
}

static bool is_provisioned(const record *rec, const record_client *c)
{
    (void)rec;
    return c->provisioned;
}

static bool is_authorised(const record *rec, const record_client *c)
{
    (void)rec;
    return c->authorised;
}

static bool has_aes_128(const record *rec, const record_client *c)
{
    (void)rec;
    return c->algorithm == 16;
}

static bool has_aes_256(const record *rec, const record_client *c)
{
    (void)rec;
    return c->algorithm == 32;
}

static const struct {
    const char *word;
    bool (*holds)(const record *rec, const record_client *c);
} states[] = {
    { "bootstrapped", is_bootstrapped },
    { "in", is_in },
    { "out", is_out },
    { "refused", is_refused },
    { "registered", is_registered },
    { "denied", is_denied },
    { "gone", has_left_service },
    { "listening", is_listening },
    { "keyed", holds_current_key },
    { "by multicast", hears_multicast },
    { "by unicast", hears_unicast },
    { "provisioned", is_provisioned },
    { "authorised", is_authorised },
    { "aes-128-gcm", has_aes_128 },
    { "aes-256-gcm", has_aes_256 },
};

static int judge_state(lua_State *lua)
{
    const record *rec = script_play_of(lua)->run->rec;
    int client = (int)lua_tointeger(lua, lua_upvalueindex(1));
    size_t state = (size_t)lua_tointeger(lua, lua_upvalueindex(2));
    lua_pushboolean(lua, states[state].holds(rec, &rec->clients[client]));
    return 1;
}

static int judge_keyed(lua_State *lua)
{
    const record *rec = script_play_of(lua)->run->rec;
    int client = (int)lua_tointeger(lua, lua_upvalueindex(1));
    lua_pushboolean(lua, record_is_keyed(rec, client, (int)lua_tointeger(lua, lua_upvalueindex(2))));
    return 1;
}

static int judge_hears(lua_State *lua)
{
    const record *rec = script_play_of(lua)->run->rec;
    int client = (int)lua_tointeger(lua, lua_upvalueindex(1));
    lua_pushboolean(lua, rec->clients[client].hears[lua_tointeger(lua, lua_upvalueindex(2))]);
    return 1;
}

static int c_is(lua_State *lua)
{
    int client = script_client_arg(lua, 1);
    const char *word = luaL_checkstring(lua, 2);
    if (!lua_isnoneornil(lua, 3)) {
        bool is_hearing = strcmp(word, "listening") == 0;
        luaL_argcheck(lua, is_hearing || strcmp(word, "keyed") == 0, 3, "neither \"keyed\" nor \"listening\"");
        lua_pushinteger(lua, client);
        lua_pushinteger(lua, script_channel_arg(lua, 3));
        lua_pushcclosure(lua, is_hearing ? judge_hears : judge_keyed, 2);
        return 1;
    }
    for (size_t i = 0; i < POC_COUNT(states); i++) {
        if (strcmp(states[i].word, word) != 0)
            continue;
        lua_pushinteger(lua, client);
        lua_pushinteger(lua, (lua_Integer)i);
        lua_pushcclosure(lua, judge_state, 2);
        return 1;
    }
    return luaL_error(lua, "no state \"%s\"", word);
}

static int c_count(lua_State *lua)
{
    static const char *const words[RECORD_COUNTS] = { "keys",    "bootstrappings", "registrations", "grants",
                                                      "denials", "missed",         "offers",        "csks",
                                                      "floor",   "revocations" };
    const record *rec = script_play_of(lua)->run->rec;
    int client = script_client_arg(lua, 1);
    const char *word = luaL_checkstring(lua, 2);
    for (size_t i = 0; i < RECORD_COUNTS; i++)
        if (strcmp(words[i], word) == 0) {
            lua_pushinteger(lua, rec->clients[client].counts[i]);
            return 1;
        }
    return luaL_error(lua, "no count of \"%s\"", word);
}

const script_call script_client_calls[] = {
    { "client", "bootstrap", c_bootstrap, "client:bootstrap()", "Runs GBA at the BSF." },
    { "client", "join", c_join, "client:join(channel)", "INVITE to the channel's group." },
    { "client", "leave", c_leave, "client:leave()", "BYE." },
    { "client", "register", c_register, "client:register(channel)",
      "Registers over HTTP for the service of the channel: the way in that needs no session." },
    { "client", "deregister", c_deregister, "client:deregister(channel)", "Ends that registration." },
    { "client", "pull", c_pull, "client:pull(channel)", "Requests the current MSK over HTTP." },
    { "client", "coverage", c_coverage, "client:coverage(there)",
      "Goes out of coverage (false): neither the group nor pushes reach it; or comes back (true)." },
    { "client", "move", c_move, "client:move()",
      "Gets another address; what it is registered for it tells the PF from there." },
    { "client", "talk", c_talk, "client:talk{ms=, from_ms=, file=}",
      "Sends speech, 20 ms a packet, while time passes: for so long, or until told to stop." },
    { "client", "talk_stop", c_talk_stop, "client:talk_stop()", "Falls silent." },
    { "client", "floor_request", c_floor_request, "client:floor_request()", "Asks the CF for the floor." },
    { "client", "floor_release", c_floor_release, "client:floor_release()", "Gives the floor back." },
    { "client", "expel", c_expel, "client:expel(other)", "REFER with method=BYE: asks the CF to expel another." },
    { "client", "name", c_name, "client:name()", "Its name." },
    { "client", "is", c_is, "client:is(state, channel)",
      "The condition that it is \"bootstrapped\", \"in\", \"out\", \"refused\", \"registered\", \"denied\", \"gone\" (gave the "
      "service up), \"listening\", \"keyed\" (with the MSK that is on air), \"by multicast\" or \"by unicast\" (as its last "
      "packet came), \"provisioned\", \"authorised\" (its CSK was accepted), \"aes-128-gcm\" or \"aes-256-gcm\" (what it protects "
      "signalling with). Of a channel under a MuSiK \"listening\" and \"keyed\" have to say which." },
    { "client", "count", c_count, "client:count(what)",
      "How often so far: different \"keys\" received, \"bootstrappings\", \"registrations\", \"grants\" and \"denials\" of requests, "
      "\"missed\" MSKs on air, \"offers\" of the PF answered, \"csks\" in force, \"floor\" messages off the air opened, "
      "\"revocations\" of keys held." },
    { 0 },
};
