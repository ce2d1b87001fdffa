/* Mission critical services on stage: channels under a MuSiK, and what users of such services do. */
#include <stdio.h>
#include <string.h>

#include "tests/harness/script_inside.h"

/* ---- options ---- */

static const struct {
    const char *name;
    uint8_t key_len;
} algorithms[] = { { "aes-128-gcm", 16 }, { "aes-256-gcm", 32 } };

static uint8_t algorithm_arg(lua_State *lua, int arg)
{
    const char *name = luaL_checkstring(lua, arg);
    for (size_t i = 0; i < POC_COUNT(algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return algorithms[i].key_len;
    return (uint8_t)luaL_error(lua, "no algorithm \"%s\"", name);
}

/* A list of up to `cap` of them; returns how many there are. */
static size_t algorithms_option(lua_State *lua, int arg, const char *name, uint8_t *out, size_t cap)
{
    const lua_Integer n = lua_getfield(lua, arg, name) == LUA_TTABLE ? luaL_len(lua, -1) : 0;
    if (n > (lua_Integer)cap)
        luaL_error(lua, "too many algorithms");
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(lua, -1, i + 1);
        out[i] = algorithm_arg(lua, -1);
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    return (size_t)n;
}

void script_mcx_pf_options(lua_State *lua, int arg, world_pf *pf)
{
    uint8_t allowed[2], forced[1];
    size_t n = algorithms_option(lua, arg, "algorithms", allowed, POC_COUNT(allowed));
    for (size_t i = 0; i < n; i++)
        pf->mcx_algorithms |= allowed[i];
    if (algorithms_option(lua, arg, "forced_algorithm", forced, POC_COUNT(forced)) > 0)
        pf->mcx_forced = forced[0];
    pf->mcx_expires_s = (uint32_t)script_number_option(lua, arg, "mcx_expires_s", 0);
    pf->mcx_by_notify = script_flag_option(lua, arg, "by_notify", false);
}

static bool is_video(lua_State *lua, int arg)
{
    static const char *const services[] = { "mcptt", "mcvideo", NULL };
    char service[8];
    script_choice_option(lua, arg, "service", services, service, sizeof(service));
    return strcmp(service, "mcvideo") == 0;
}

void script_mcx_client_options(lua_State *lua, int arg, world_client *c)
{
    c->mcx.is_user = script_flag_option(lua, arg, "mcx", false);
    c->mcx.is_video = is_video(lua, arg);
    c->mcx.hides_identity = script_flag_option(lua, arg, "hides_identity", false);
    c->mcx.is_neighbours = script_flag_option(lua, arg, "neighbour", false);
    script_word_option(lua, arg, "token_of", "", c->mcx.token_of, sizeof(c->mcx.token_of));
    algorithms_option(lua, arg, "algorithms", c->mcx.algorithms, POC_COUNT(c->mcx.algorithms));
}

/* ---- the stage ---- */

/* One of its own name when nothing is said; an empty list makes the MuSiK the default one, which no group has to itself. */
static void groups_option(lua_State *lua, int arg, const char *id, world_musik *m)
{
    const int type = lua_getfield(lua, arg, "groups");
    const lua_Integer n = type == LUA_TTABLE ? luaL_len(lua, -1) : 0;
    if (n > (lua_Integer)WORLD_GROUPS_MAX)
        luaL_error(lua, "too many groups");
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(lua, -1, i + 1);
        snprintf(m->groups[i], sizeof(m->groups[i]), "%s", luaL_checkstring(lua, -1));
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    if (type == LUA_TNIL && !m->is_region)
        snprintf(m->groups[0], sizeof(m->groups[0]), "sip:%.*s@groups.poc.example", (int)WORLD_NAME_MAX, id);
}

static int l_musik(lua_State *lua)
{
    static const char *const names[] = { "groups",     "region", "service",     "lifetime_s",    "revokes",
                                         "admit",      "users",  "on_leave",    "on_join",       "leave_batch_ms",
                                         "interval_s", "gate",   "deadline_ms", "enabler_works", NULL };
    static const char *const admits[] = { "authorised", "listed", NULL };
    static const char *const leaves[] = { "never", "always", "batch", NULL }, *const gates[] = { "hold", "continue",
                                                                                                 NULL };
    world_channel c = { .max_back_off_s = 1 };
    snprintf(c.id, sizeof(c.id), "%s", script_name_arg(lua, 1));
    script_options_arg(lua, 2, names);
    c.leave_batch_ms = (uint32_t)script_number_option(lua, 2, "leave_batch_ms", 5000);
    c.on_join = script_flag_option(lua, 2, "on_join", false);
    c.interval_s = (uint32_t)script_number_option(lua, 2, "interval_s", 0);
    c.deadline_ms = (uint32_t)script_number_option(lua, 2, "deadline_ms", 2000);
    c.enabler_works = script_flag_option(lua, 2, "enabler_works", true);
    script_choice_option(lua, 2, "on_leave", leaves, c.on_leave, sizeof(c.on_leave));
    script_choice_option(lua, 2, "gate", gates, c.gate, sizeof(c.gate));
    script_choice_option(lua, 2, "admit", admits, c.admit, sizeof(c.admit));
    script_users_option(lua, 2, &c);
    c.musik = (world_musik){ .is_one = true,
                             .is_video = is_video(lua, 2),
                             .is_region = script_flag_option(lua, 2, "region", false),
                             .revokes = script_flag_option(lua, 2, "revokes", true),
                             .lifetime_s = (uint32_t)script_number_option(lua, 2, "lifetime_s", 0) };
    groups_option(lua, 2, c.id, &c.musik);
    return script_channel_make(lua, &c);
}

static int s_floor(lua_State *lua)
{
    const script_run *run = script_play_of(lua)->run;
    world *w = run->world;
    if (!run->rec->channels[script_channel_arg(lua, 2)].made.musik.is_one)
        return luaL_error(lua, "floor: the channel is not under a MuSiK");
    return script_demand(lua, w->ops->feed_floor(w, luaL_checkstring(lua, 2)), "floor");
}

/* ---- what clients do ---- */

static int c_provision(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->provision(w, script_client_arg(lua, 1)), "provision");
}

static int c_upload(lua_State *lua)
{
    static const char *const ways[] = { "register", "publish", "third-party", NULL };
    play *p = script_play_of(lua);
    const int client = script_client_arg(lua, 1), way = luaL_checkoption(lua, 2, ways[0], ways);
    script_note(p, WORLD_UPLOADING, client, way);
    return script_demand(lua, p->run->world->ops->upload(p->run->world, client, (world_way)way), "upload");
}

static int c_log_off(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    return script_demand(lua, w->ops->log_off(w, script_client_arg(lua, 1)), "log_off");
}

static int c_listens(lua_State *lua)
{
    world *w = script_play_of(lua)->run->world;
    const int client = script_client_arg(lua, 1);
    script_channel_arg(lua, 2);
    luaL_checktype(lua, 3, LUA_TBOOLEAN);
    return script_demand(lua, w->ops->listens(w, client, luaL_checkstring(lua, 2), lua_toboolean(lua, 3)), "listens");
}

const script_call script_mcx_calls[] = {
    { "", "musik", l_musik, "musik(id, options)",
      "Makes a channel under a MuSiK: of groups, of a region, or for everybody who is authorised." },
    { "source", "floor", s_floor, "source:floor(channel)",
      "The content source of a channel under a MuSiK sends one floor message to everybody." },
    { "client", "provision", c_provision, "client:provision()", "Fetches certificates and its keys from the KMS." },
    { "client", "upload", c_upload, "client:upload(way)",
      "Brings a fresh CSK, by \"register\" (which is meant without a word), \"publish\" or \"third-party\", and keeps its "
      "authorisation up from then on." },
    { "client", "log_off", c_log_off, "client:log_off()", "Says goodbye and forgets CSKs and MuSiKs." },
    { "client", "listens", c_listens, "client:listens(channel, there)",
      "Reports that it hears the bearer of a channel under a MuSiK, or with false that it does not any more." },
    { 0 },
};
