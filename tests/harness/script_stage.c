/* What a script puts on stage and tells it to do: channels, clients, the CF, the PF and the network. */
#include <stdio.h>
#include <string.h>

#include "tests/harness/script_inside.h"
#include "tests/harness/spoil.h"

static uint32_t count_option(lua_State *lua, int arg, const char *name, uint32_t otherwise)
{
    return (uint32_t)script_number_option(lua, arg, name, otherwise);
}

/* ---- the stage ---- */

static int l_scenario(lua_State *lua)
{
    record *rec = script_play_of(lua)->run->rec;
    snprintf(rec->title, sizeof(rec->title), "%s", luaL_checkstring(lua, 1));
    return 0;
}

static int l_channel(lua_State *lua)
{
    static const char *const names[] = { "group",       "on_leave",      "leave_batch_ms", "on_join",
                                         "interval_s",  "max_mtk",       "gate",           "on_refusal",
                                         "deadline_ms", "enabler_works", "mtk_packets",    NULL };
    const script_run *run = script_play_of(lua)->run;
    const char *id = script_name_arg(lua, 1);
    script_options_arg(lua, 2, names);
    if (run->rec->channel_count == RECORD_CHANNELS_MAX)
        return luaL_error(lua, "too many channels");
    world_channel c = { .leave_batch_ms = count_option(lua, 2, "leave_batch_ms", 5000),
                        .on_join = script_flag_option(lua, 2, "on_join", false),
                        .interval_s = count_option(lua, 2, "interval_s", 0),
                        .max_mtk = count_option(lua, 2, "max_mtk", 0),
                        .deadline_ms = count_option(lua, 2, "deadline_ms", 2000),
                        .enabler_works = script_flag_option(lua, 2, "enabler_works", true),
                        .mtk_packets = count_option(lua, 2, "mtk_packets", 0) };
    char group[128];
    snprintf(c.id, sizeof(c.id), "%s", id);
    snprintf(group, sizeof(group), "sip:%.*s@poc.example", (int)WORLD_NAME_MAX, id);
    script_word_option(lua, 2, "group", group, c.group_uri, sizeof(c.group_uri));
    script_word_option(lua, 2, "on_leave", "never", c.on_leave, sizeof(c.on_leave));
    script_word_option(lua, 2, "gate", "hold", c.gate, sizeof(c.gate));
    script_word_option(lua, 2, "on_refusal", "unicast", c.on_refusal, sizeof(c.on_refusal));
    script_demand(lua, run->world->ops->channel(run->world, &c), "channel");
    run->rec->channels[run->rec->channel_count++] = (record_channel){ .made = c, .last_air_us = -1 };
    return 0;
}

static int l_client(lua_State *lua)
{
    static const char *const names[] = { "multicast",    "bootstraps", "update_allowed", "answers_offers",
                                         "refuses_keys", "keeps_keys", "answers",        NULL };
    const script_run *run = script_play_of(lua)->run;
    world_client c = { 0 };
    snprintf(c.name, sizeof(c.name), "%s", script_name_arg(lua, 1));
    script_options_arg(lua, 2, names);
    c.multicast_capable = script_flag_option(lua, 2, "multicast", true);
    c.bootstraps = script_flag_option(lua, 2, "bootstraps", true);
    c.update_allowed = script_flag_option(lua, 2, "update_allowed", true);
    c.answers_offers = script_flag_option(lua, 2, "answers_offers", true);
    c.refuses_keys = script_flag_option(lua, 2, "refuses_keys", false);
    c.keeps_keys = script_flag_option(lua, 2, "keeps_keys", false);
    script_word_option(lua, 2, "answers", "", c.answers, sizeof(c.answers));
    if (!spoil_knows(c.answers))
        return luaL_error(lua, "no client answers \"%s\"", c.answers);
    int index = 0;
    script_demand(lua, run->world->ops->client(run->world, &c, &index), "client");
    run->rec->clients[index] = (record_client){ .made = c, .channel = -1 };
    run->rec->client_count = (size_t)index + 1;
    *(int *)lua_newuserdatauv(lua, sizeof(int), 0) = index;
    luaL_setmetatable(lua, SCRIPT_CLIENT);
    return 1;
}

static int l_net(lua_State *lua)
{
    static const char *const names[] = { "loss", "air_loss", "reorder", "delay_ms", "jitter_ms", NULL };
    world *w = script_play_of(lua)->run->world;
    script_options_arg(lua, 1, names);
    world_net net = { .loss = script_number_option(lua, 1, "loss", 0),
                      .air_loss = script_number_option(lua, 1, "air_loss", 0),
                      .reorder = script_number_option(lua, 1, "reorder", 0),
                      .delay_ms = count_option(lua, 1, "delay_ms", 5),
                      .jitter_ms = count_option(lua, 1, "jitter_ms", 2) };
    poc_err err = w->ops->net(w, &net);
    return err == POC_E_STATE ? 0 : script_demand(lua, err, "net"); /* a real network is as it is */
}

static void note(play *p, world_what what, int client, int status)
{
    world_seen seen = { .what = what, .at_us = script_now_us(p), .client = client, .status = status };
    record_see(p->run->rec, &seen);
}

/* ---- clients ---- */

static int c_bootstrap(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->bootstrap(w, script_client_arg(lua, 1)), "bootstrap");
}

static int c_join(lua_State *lua)
{
    play *p = script_play_of(lua);
    int client = script_client_arg(lua, 1), channel = script_channel_arg(lua, 2);
    note(p, WORLD_JOINING, client, channel);
    return script_demand(lua, p->run->world->ops->join(p->run->world, client, luaL_checkstring(lua, 2)), "join");
}

static int c_leave(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->leave(w, script_client_arg(lua, 1)), "leave");
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

static int c_talk(lua_State *lua)
{
    static const char *const names[] = { "ms", "file", "from_ms", NULL };
    play *p = script_play_of(lua);
    talker *t = &p->talkers[script_client_arg(lua, 1)];
    script_options_arg(lua, 2, names);
    double ms = script_number_option(lua, 2, "ms", -1);
    script_stop_talking(t);
    *t = (talker){ .is_on = true,
                   .is_first = true,
                   .pcmu = p->run->speech->pcmu,
                   .n = p->run->speech->n,
                   .next_us = script_now_us(p),
                   .end_us = INT64_MAX };
    lua_getfield(lua, 2, "file");
    if (!lua_isnil(lua, -1))
        load_own(lua, t, luaL_checkstring(lua, -1));
    t->at = (size_t)script_number_option(lua, 2, "from_ms", 0) * 8 % t->n;
    if (ms >= 0)
        t->end_us = script_now_us(p) + (int64_t)(ms * 1000);
    return 0;
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
    return c->channel >= 0 && c->msk_id != 0 && c->msk_id == rec->channels[c->channel].msk_id;
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

static const struct {
    const char *word;
    bool (*holds)(const record *rec, const record_client *c);
} states[] = {
    { "bootstrapped", is_bootstrapped },
    { "in", is_in },
    { "out", is_out },
    { "refused", is_refused },
    { "listening", is_listening },
    { "keyed", holds_current_key },
    { "by multicast", hears_multicast },
    { "by unicast", hears_unicast },
};

static int judge_state(lua_State *lua)
{
    const record *rec = script_play_of(lua)->run->rec;
    int client = (int)lua_tointeger(lua, lua_upvalueindex(1));
    size_t state = (size_t)lua_tointeger(lua, lua_upvalueindex(2));
    lua_pushboolean(lua, states[state].holds(rec, &rec->clients[client]));
    return 1;
}

static int c_is(lua_State *lua)
{
    int client = script_client_arg(lua, 1);
    const char *word = luaL_checkstring(lua, 2);
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

/* ---- the CF and the PF ---- */

static int f_expel(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->cf_expel(w, script_client_arg(lua, 2)), "expel");
}

static int f_end_session(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    script_channel_arg(lua, 2);
    return script_demand(lua, w->ops->cf_end(w, luaL_checkstring(lua, 2)), "end_session");
}

static int p_expel(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    script_channel_arg(lua, 2);
    return script_demand(lua, w->ops->operate(w, luaL_checkstring(lua, 2), script_client_arg(lua, 3)), "expel");
}

static int p_rekey(lua_State *lua)
{
    play *p = script_play_of(lua);
    note(p, WORLD_REKEY_ASKED, -1, script_channel_arg(lua, 2));
    return script_demand(lua, p->run->world->ops->operate(p->run->world, luaL_checkstring(lua, 2), -1), "rekey");
}

static int p_crash(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->crash(w), "crash");
}

static int p_restart(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->restart(w), "restart");
}

static int p_disk(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    luaL_checktype(lua, 2, LUA_TBOOLEAN);
    return script_demand(lua, w->ops->disk(w, lua_toboolean(lua, 2)), "disk");
}

static int a_strike(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    script_channel_arg(lua, 2);
    return script_demand(lua, w->ops->strike(w, luaL_checkstring(lua, 2)), "strike");
}

const script_call script_stage_calls[] = {
    { "", "scenario", l_scenario, "scenario(title)", "Names the scenario in reports." },
    { "", "channel", l_channel, "channel(id, options)",
      "Makes a Multicast PoC Channel; options are the rekey policy of the configuration." },
    { "", "client", l_client, "client(name, options)", "Makes a PoC client and returns it." },
    { "", "net", l_net, "net{loss=, air_loss=, reorder=, delay_ms=, jitter_ms=}",
      "Sets how the simulated network behaves from now on; a real one stays as it is." },
    { "client", "bootstrap", c_bootstrap, "client:bootstrap()", "Runs GBA at the BSF." },
    { "client", "join", c_join, "client:join(channel)", "INVITE to the channel's group." },
    { "client", "leave", c_leave, "client:leave()", "BYE." },
    { "client", "talk", c_talk, "client:talk{ms=, from_ms=, file=}",
      "Sends speech, 20 ms a packet, while time passes: for so long, or until told to stop." },
    { "client", "talk_stop", c_talk_stop, "client:talk_stop()", "Falls silent." },
    { "client", "floor_request", c_floor_request, "client:floor_request()", "Asks the CF for the floor." },
    { "client", "floor_release", c_floor_release, "client:floor_release()", "Gives the floor back." },
    { "client", "expel", c_expel, "client:expel(other)", "REFER with method=BYE: asks the CF to expel another." },
    { "client", "name", c_name, "client:name()", "Its name." },
    { "client", "is", c_is, "client:is(state)",
      "The condition that it is \"bootstrapped\", \"in\", \"out\", \"refused\", \"listening\", \"keyed\" (with the MSK "
      "that is on air), \"by multicast\" or \"by unicast\" (as its last packet came)." },
    { "cf", "expel", f_expel, "cf:expel(client)", "The Controlling Function expels a client." },
    { "cf", "end_session", f_end_session, "cf:end_session(channel)", "The Controlling Function ends the session." },
    { "attacker", "strike", a_strike, "attacker:strike(channel)",
      "Somebody without a key sends a salvo of noise, altered copies and replays to the group, and RTP to the PF's media "
      "ports." },
    { "pf", "expel", p_expel, "pf:expel(channel, client)", "The operator of the PF expels a client." },
    { "pf", "rekey", p_rekey, "pf:rekey(channel)", "The operator of the PF orders a new MSK." },
    { "pf", "crash", p_crash, "pf:crash()", "kill -9 at the PF." },
    { "pf", "restart", p_restart, "pf:restart()", "Starts the PF again on what it had stored." },
    { "pf", "disk", p_disk, "pf:disk(has_room)",
      "The disk of the PF's store is full (false), or has room again (true)." },
    { 0 },
};
