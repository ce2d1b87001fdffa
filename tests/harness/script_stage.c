/* What a script puts on stage, and what it has the CF, the PF and the network do. */
#include <stdio.h>
#include <string.h>

#include "tests/harness/script_inside.h"
#include "tests/harness/spoil.h"

static uint32_t count_option(lua_State *lua, int arg, const char *name, uint32_t otherwise)
{
    return (uint32_t)script_number_option(lua, arg, name, otherwise);
}

void script_choice_option(lua_State *lua, int arg, const char *name, const char *const *words, char *out, size_t cap)
{
    script_word_option(lua, arg, name, words[0], out, cap);
    size_t i = 0;
    while (words[i] != NULL && strcmp(words[i], out) != 0)
        i++;
    if (words[i] == NULL)
        luaL_error(lua, "option \"%s\" cannot be \"%s\"", name, out);
}

/* ---- the stage ---- */

static int l_scenario(lua_State *lua)
{
    record *rec = script_play_of(lua)->run->rec;
    snprintf(rec->title, sizeof(rec->title), "%s", luaL_checkstring(lua, 1));
    return 0;
}

static int l_pf(lua_State *lua)
{
    static const char *const names[] = { "muk_lifetime_s",
                                         "muk_renew_s",
                                         "push_tries",
                                         "push_first_ms",
                                         "push_cap_ms",
                                         "solicit_per_s",
                                         "trusts_core",
                                         "pushes_to_peer",
                                         "algorithms",
                                         "forced_algorithm",
                                         "mcx_expires_s",
                                         "by_notify",
                                         NULL };
    world *w = script_play_of(lua)->run->world;
    script_options_arg(lua, 2, names);
    world_pf pf = { .muk_lifetime_s = count_option(lua, 2, "muk_lifetime_s", 0),
                    .muk_renew_s = count_option(lua, 2, "muk_renew_s", 0),
                    .push_tries = count_option(lua, 2, "push_tries", 0),
                    .push_first_ms = count_option(lua, 2, "push_first_ms", 0),
                    .push_cap_ms = count_option(lua, 2, "push_cap_ms", 0),
                    .solicit_per_s = count_option(lua, 2, "solicit_per_s", 0),
                    .trusts_core = script_flag_option(lua, 2, "trusts_core", false),
                    .pushes_to_peer = script_flag_option(lua, 2, "pushes_to_peer", false) };
    script_mcx_pf_options(lua, 2, &pf);
    return script_demand(lua, w->ops->configure(w, &pf), "configure");
}

/* group = false: there is none. */
static void group_option(lua_State *lua, int arg, const char *id, world_channel *c)
{
    char group[128];
    if (lua_getfield(lua, arg, "group") != LUA_TBOOLEAN || lua_toboolean(lua, -1)) {
        snprintf(group, sizeof(group), "sip:%.*s@poc.example", (int)WORLD_NAME_MAX, id);
        script_word_option(lua, arg, "group", group, c->group_uri, sizeof(c->group_uri));
    }
    lua_pop(lua, 1);
}

void script_users_option(lua_State *lua, int arg, world_channel *c)
{
    lua_Integer n = lua_getfield(lua, arg, "users") == LUA_TTABLE ? luaL_len(lua, -1) : 0;
    if (n > (lua_Integer)WORLD_USERS_MAX)
        luaL_error(lua, "too many users");
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(lua, -1, i + 1);
        snprintf(c->users[i], sizeof(c->users[i]), "%s", luaL_checkstring(lua, -1));
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
}

/* Without a session there is nobody to offer anything to, and nobody who is in: keys are pushed, and GBA decides. */
static void mbms_options(lua_State *lua, int arg, world_channel *c)
{
    static const char *const by_sip[] = { "sip", "push", "both", NULL }, *const by_push[] = { "push", NULL };
    static const char *const with_group[] = { "session", "listed", "authenticated", NULL };
    static const char *const alone[] = { "authenticated", "listed", NULL };
    bool has_group = c->group_uri[0] != '\0';
    script_choice_option(lua, arg, "delivery", has_group ? by_sip : by_push, c->delivery, sizeof(c->delivery));
    script_choice_option(lua, arg, "admit", has_group ? with_group : alone, c->admit, sizeof(c->admit));
    script_users_option(lua, arg, c);
    c->wait_time_s = count_option(lua, arg, "wait_time_s", 0);
    c->max_back_off_s = count_option(lua, arg, "max_back_off_s", 1);
}

int script_channel_make(lua_State *lua, const world_channel *c)
{
    const script_run *run = script_play_of(lua)->run;
    if (run->rec->channel_count == RECORD_CHANNELS_MAX)
        return luaL_error(lua, "too many channels");
    script_demand(lua, run->world->ops->channel(run->world, c), "channel");
    run->rec->channels[run->rec->channel_count++] = (record_channel){ .made = *c, .last_air_us = -1 };
    return 0;
}

static int l_channel(lua_State *lua)
{
    static const char *const names[] = { "group",          "on_leave", "leave_batch_ms", "on_join",     "interval_s",
                                         "max_mtk",        "gate",     "on_refusal",     "deadline_ms", "enabler_works",
                                         "mtk_packets",    "delivery", "admit",          "users",       "wait_time_s",
                                         "max_back_off_s", NULL };
    const char *id = script_name_arg(lua, 1);
    script_options_arg(lua, 2, names);
    world_channel c = { .leave_batch_ms = count_option(lua, 2, "leave_batch_ms", 5000),
                        .on_join = script_flag_option(lua, 2, "on_join", false),
                        .interval_s = count_option(lua, 2, "interval_s", 0),
                        .max_mtk = count_option(lua, 2, "max_mtk", 0),
                        .deadline_ms = count_option(lua, 2, "deadline_ms", 2000),
                        .enabler_works = script_flag_option(lua, 2, "enabler_works", true),
                        .mtk_packets = count_option(lua, 2, "mtk_packets", 0) };
    snprintf(c.id, sizeof(c.id), "%s", id);
    group_option(lua, 2, id, &c);
    script_word_option(lua, 2, "on_leave", "never", c.on_leave, sizeof(c.on_leave));
    script_word_option(lua, 2, "gate", "hold", c.gate, sizeof(c.gate));
    script_word_option(lua, 2, "on_refusal", "unicast", c.on_refusal, sizeof(c.on_refusal));
    mbms_options(lua, 2, &c);
    return script_channel_make(lua, &c);
}

static int l_client(lua_State *lua)
{
    static const char *const names[] = { "multicast",    "bootstraps", "update_allowed", "answers_offers",
                                         "refuses_keys", "keeps_keys", "answers",        "mcx",
                                         "service",      "algorithms", "hides_identity", "token_of",
                                         "neighbour",    NULL };
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
    script_mcx_client_options(lua, 2, &c);
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
    static const char *const names[] = { "loss",         "air_loss", "reorder",   "push_loss",
                                         "push_reorder", "delay_ms", "jitter_ms", NULL };
    world *w = script_play_of(lua)->run->world;
    script_options_arg(lua, 1, names);
    world_net net = { .loss = script_number_option(lua, 1, "loss", 0),
                      .air_loss = script_number_option(lua, 1, "air_loss", 0),
                      .reorder = script_number_option(lua, 1, "reorder", 0),
                      .push_loss = script_number_option(lua, 1, "push_loss", 0),
                      .push_reorder = script_number_option(lua, 1, "push_reorder", 0),
                      .delay_ms = count_option(lua, 1, "delay_ms", 5),
                      .jitter_ms = count_option(lua, 1, "jitter_ms", 2) };
    poc_err err = w->ops->net(w, &net);
    return err == POC_E_STATE ? 0 : script_demand(lua, err, "net"); /* a real network is as it is */
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
    script_note(p, WORLD_REKEY_ASKED, -1, script_channel_arg(lua, 2));
    return script_demand(lua, p->run->world->ops->operate(p->run->world, luaL_checkstring(lua, 2), -1), "rekey");
}

static int p_solicit(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    script_channel_arg(lua, 2);
    int client = lua_isnoneornil(lua, 3) ? -1 : script_client_arg(lua, 3);
    return script_demand(lua, w->ops->solicit(w, luaL_checkstring(lua, 2), client), "solicit");
}

static int p_admit(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    script_channel_arg(lua, 2);
    return script_demand(lua, w->ops->admit(w, luaL_checkstring(lua, 2), script_client_arg(lua, 3)), "admit");
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

static int s_play(lua_State *lua)
{
    return script_talk(lua, (int)WORLD_CLIENTS_MAX + script_channel_arg(lua, 2), 3);
}

static int s_stop(lua_State *lua)
{
    script_stop_talking(&script_play_of(lua)->talkers[(int)WORLD_CLIENTS_MAX + script_channel_arg(lua, 2)]);
    return 0;
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
    { "", "net", l_net, "net{loss=, air_loss=, reorder=, push_loss=, push_reorder=, delay_ms=, jitter_ms=}",
      "Sets how the simulated network behaves from now on; a real one stays as it is." },
    { "pf", "configure", l_pf, "pf:configure{option=, ...}",
      "How the PF is to be run where a channel does not say; before everything else." },
    { "cf", "expel", f_expel, "cf:expel(client)", "The Controlling Function expels a client." },
    { "cf", "end_session", f_end_session, "cf:end_session(channel)", "The Controlling Function ends the session." },
    { "source", "play", s_play, "source:play(channel, {ms=, from_ms=, file=})",
      "The content source of a channel without a PoC session sends, as a talker does." },
    { "source", "stop", s_stop, "source:stop(channel)", "It falls silent." },
    { "attacker", "strike", a_strike, "attacker:strike(channel)",
      "Somebody without a key sends a salvo of noise, altered copies and replays to the group and, in false names, to the "
      "push ports of the PF and of clients, and RTP to the PF's media ports." },
    { "pf", "expel", p_expel, "pf:expel(channel, client)", "The operator of the PF expels a client." },
    { "pf", "rekey", p_rekey, "pf:rekey(channel)", "The operator of the PF orders a new MSK." },
    { "pf", "solicit", p_solicit, "pf:solicit(channel, client)",
      "The operator of the PF has a client, or without one all of them, asked to pull." },
    { "pf", "admit", p_admit, "pf:admit(channel, client)",
      "The operator of the PF lets somebody who was expelled in again." },
    { "pf", "crash", p_crash, "pf:crash()", "kill -9 at the PF." },
    { "pf", "restart", p_restart, "pf:restart()", "Starts the PF again on what it had stored." },
    { "pf", "disk", p_disk, "pf:disk(has_room)",
      "The disk of the PF's store is full (false), or has room again (true)." },
    { 0 },
};
