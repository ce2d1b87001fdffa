/* pocpfctl with a running daemon: what it holds, and what the operator orders. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/ctl/ctl.h"

enum { PATH_MAX_OCTETS = 512, USER_MAX = 256 };

/* ---- pieces ---- */

/** "/v1/channels/CHANNEL" and what follows; false when the name is too long. */
static bool channel_path(char out[PATH_MAX_OCTETS], const char *channel, const char *rest)
{
    char *name = curl_easy_escape(NULL, channel, 0);
    int n = name == NULL ? -1 : snprintf(out, PATH_MAX_OCTETS, "/v1/channels/%s%s", name, rest);
    curl_free(name);
    if (n > 0 && n < PATH_MAX_OCTETS)
        return true;
    ctl_complain("no channel can have this name");
    return false;
}

static int print_line(json_t *value)
{
    bool is_out = json_dumpf(value, stdout, JSON_COMPACT) == 0 && puts("") != EOF && fflush(stdout) == 0;
    if (!is_out)
        ctl_complain("cannot write the result");
    return is_out ? CTL_OK : CTL_SOFTWARE;
}

/** Asks, then prints as it came, or by `print`. */
static int ask(const ctl_door *door, const char *path, const char *body, int (*print)(const json_t *o, void *user),
               void *user)
{
    json_t *o;
    int status = ctl_request(&o, door, path, body);
    if (status == CTL_OK)
        status = door->is_json ? print_line(o) : print(o, user);
    json_decref(o);
    return status;
}

/* ---- status ---- */

static void print_counts(const json_t *o, const char *title, const char *key)
{
    char cell[320];
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(o, key), name, value)
    {
        (void)printf("%-14s %-18s %s\n", title, name, ctl_cell(cell, value));
    }
}

static void print_refusals(json_t *refused)
{
    char cell[320];
    const char *reason;
    json_t *count;
    json_object_foreach(refused, reason, count)
    {
        json_t *text = json_string(reason);
        (void)printf("%-14s %" JSON_INTEGER_FORMAT " times: %s\n", "refused", json_integer_value(count),
                     ctl_cell(cell, text));
        json_decref(text);
    }
}

static int print_status(const json_t *o, void *user)
{
    static const char *const groups[] = { "sip", "relay", "store", "push", "key_management", "content", "mcx" };
    const char *version;
    json_int_t up_s, channels, sessions;
    char cell[320];
    (void)user;
    if (json_unpack((json_t *)(uintptr_t)o, "{s:s,s:I,s:I,s:I,s:o,s:o,s:o,s:o}", "version", &version, "uptime_s", &up_s,
                    "channels", &channels, "sessions", &sessions, "sip", &(json_t *){ NULL }, "relay",
                    &(json_t *){ NULL }, "store", &(json_t *){ NULL }, "refused", &(json_t *){ NULL }) != 0)
        return ctl_nonsense();
    (void)printf("pocpfd %s, up %" JSON_INTEGER_FORMAT " s: channels %" JSON_INTEGER_FORMAT
                 ", sessions %" JSON_INTEGER_FORMAT "\n",
                 ctl_cell(cell, json_object_get(o, "version")), up_s, channels, sessions);
    for (size_t i = 0; i < POC_COUNT(groups); i++)
        print_counts(o, groups[i], groups[i]);
    print_refusals(json_object_get(o, "refused"));
    return CTL_OK;
}

static int run_status(const ctl_door *door, int argc, char **argv)
{
    (void)argc, (void)argv;
    return ask(door, "/v1/status", NULL, print_status, NULL);
}

/* ---- channels and members ---- */

static int print_channels(const json_t *o, void *user)
{
    static const ctl_column columns[] = {
        { "CHANNEL", "id" },      { "STATE", "state" },         { "MSK", "msk_id" },      { "NEXT", "next_msk_id" },
        { "MEMBERS", "members" }, { "CONFIRMED", "confirmed" }, { "UNICAST", "unicast" }, { "BLIND", "blind" },
        { "HELD", "held" },       { "GROUP", "group" },
    };
    (void)user;
    return ctl_table_print(json_object_get(o, "channels"), columns, POC_COUNT(columns));
}

static int run_channels(const ctl_door *door, int argc, char **argv)
{
    (void)argc, (void)argv;
    return ask(door, "/v1/channels", NULL, print_channels, NULL);
}

static int print_service(const json_t *o, void *user)
{
    char cell[320];
    const char *name;
    json_t *value;
    (void)user;
    json_object_foreach((json_t *)(uintptr_t)o, name, value)
    {
        (void)printf("%-14s %s\n", name, ctl_cell(cell, value));
    }
    return json_object_size(o) > 0 ? CTL_OK : ctl_nonsense();
}

static int run_service(const ctl_door *door, int argc, char **argv)
{
    char path[PATH_MAX_OCTETS];
    (void)argc;
    return channel_path(path, argv[0], "/service") ? ask(door, path, NULL, print_service, NULL) : CTL_USAGE;
}

/** The whole list of a route that gives it page by page, owned by the caller. */
static int pages_of(json_t **out, const ctl_door *door, const char *route, const char *key)
{
    json_t *all = json_array(), *page, *list, *next = NULL;
    json_int_t at = 0;
    int status;
    do {
        char path[PATH_MAX_OCTETS + 64];
        (void)snprintf(path, sizeof(path), "%s?at=%" JSON_INTEGER_FORMAT, route, at);
        status = ctl_request(&page, door, path, NULL);
        if (status != CTL_OK)
            break;
        if (json_unpack(page, "{s:o,s:o}", key, &list, "next", &next) != 0 || json_array_extend(all, list) != 0 ||
            (json_is_integer(next) && json_integer_value(next) <= at))
            status = ctl_nonsense();
        at = json_integer_value(next);
        json_decref(page);
    } while (status == CTL_OK && at > 0);
    if (status == CTL_OK)
        *out = all;
    else
        json_decref(all);
    return status;
}

static int members_of(json_t **out, const ctl_door *door, const char *channel)
{
    char path[PATH_MAX_OCTETS];
    return channel_path(path, channel, "/members") ? pages_of(out, door, path, "members") : CTL_USAGE;
}

/** Prints a whole list and lets go of it. */
static int print_list(json_t *all, const ctl_door *door, const char *key, const ctl_column *columns, size_t count)
{
    if (!door->is_json) {
        int status = ctl_table_print(all, columns, count);
        json_decref(all);
        return status;
    }
    json_t *o = json_pack("{s:o}", key, all);
    int status = print_line(o);
    json_decref(o);
    return status;
}

static int run_members(const ctl_door *door, int argc, char **argv)
{
    static const ctl_column columns[] = {
        { "USER", "user" }, { "STATE", "state" }, { "MSK", "msk_id" }, { "WAYS", "ways" }, { "PUSH", "push_address" }
    };
    json_t *all = NULL;
    (void)argc;
    int status = members_of(&all, door, argv[0]);
    return status == CTL_OK ? print_list(all, door, "members", columns, POC_COUNT(columns)) : status;
}

/* ---- mission critical services ---- */

static int run_mcx_users(const ctl_door *door, int argc, char **argv)
{
    static const ctl_column columns[] = { { "USER", "user" },  { "MC-ID", "mc_id" },         { "SERVICES", "services" },
                                          { "CSK", "csk_id" }, { "ALGORITHM", "algorithm" }, { "UNTIL", "expires" } };
    json_t *all = NULL;
    (void)argc, (void)argv;
    int status = pages_of(&all, door, "/v1/mcx/users", "users");
    return status == CTL_OK ? print_list(all, door, "users", columns, POC_COUNT(columns)) : status;
}

/* ---- orders ---- */

static const char *text_of(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/** What became of the channel, behind what was done. */
static int print_outcome(const json_t *o, const char *done, const char *channel)
{
    const char *state = text_of(o, "state"), *msk = text_of(o, "msk_id"), *next = text_of(o, "next_msk_id");
    if (state == NULL)
        return ctl_nonsense();
    if (next != NULL)
        (void)printf("%s %s: rekey started, MSK %s\n", done, channel, next);
    else if (msk != NULL)
        (void)printf("%s %s: the channel is %s with MSK %s\n", done, channel, state, msk);
    else
        (void)printf("%s %s: the channel is %s\n", done, channel, state);
    return CTL_OK;
}

/** An answer without these is one of a pocpfd that expels members only. */
static int print_expelled(const json_t *o, void *user)
{
    char *const *words = (char *const *)user; /* CHANNEL USER */
    char done[USER_MAX + 64];
    const bool was_member = !json_is_false(json_object_get(o, "was_member"));
    const bool is_barred = !json_is_false(json_object_get(o, "barred"));
    if (!is_barred)
        ctl_complain("there is no room for another bar: nobody new is let in");
    (void)snprintf(done, sizeof(done), "%.*s %s", (int)USER_MAX, words[1],
                   was_member  ? "expelled from"
                   : is_barred ? "is no member, and barred from"
                               : "is no member of");
    if (was_member || json_is_true(json_object_get(o, "rekeyed")))
        return print_outcome(o, done, words[0]);
    (void)printf("%s %s: no rekey, no key that is in use can be his\n", done, words[0]);
    return CTL_OK;
}

/** The SIP URI of the one member whose user part is `name`. */
static int find_member(char out[USER_MAX], const ctl_door *door, const char *channel, const char *name)
{
    json_t *all = NULL, *member;
    size_t i, found = 0, n = strlen(name);
    int status = members_of(&all, door, channel);
    if (status != CTL_OK)
        return status;
    json_array_foreach(all, i, member)
    {
        const char *user = text_of(member, "user");
        if (user == NULL || strncmp(user, "sip:", 4) != 0 || strncmp(user + 4, name, n) != 0 || user[4 + n] != '@')
            continue;
        found++;
        (void)snprintf(out, USER_MAX, "%s", user);
    }
    json_decref(all);
    if (found == 1)
        return CTL_OK;
    ctl_complain(found == 0 ? "%s is no member of channel \"%s\": give the SIP URI"
                            : "more than one %s in channel \"%s\": give the SIP URI",
                 name, channel);
    return CTL_NO;
}

static int user_of(char out[USER_MAX], const ctl_door *door, const char *channel, const char *word)
{
    if (strchr(word, ':') == NULL && strchr(word, '@') == NULL)
        return find_member(out, door, channel, word);
    int n = snprintf(out, USER_MAX, "%s%s", strchr(word, ':') == NULL ? "sip:" : "", word);
    if (n < (int)USER_MAX)
        return CTL_OK;
    ctl_complain("no user can have this name");
    return CTL_USAGE;
}

static int post(const ctl_door *door, const char *path, const char *user, int (*print)(const json_t *o, void *words),
                char **argv)
{
    json_t *o = user == NULL ? json_object() : json_pack("{s:s}", "user", user);
    char *body = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (body == NULL) {
        ctl_complain("the name is not UTF-8");
        return CTL_USAGE;
    }
    int status = ask(door, path, body, print, argv);
    free(body);
    return status;
}

/** Posts an order about a user, or about all of a channel when `user` is NULL. */
static int order(const ctl_door *door, const char *rest, const char *user, int (*print)(const json_t *o, void *words),
                 char **argv)
{
    char path[PATH_MAX_OCTETS];
    return channel_path(path, argv[0], rest) ? post(door, path, user, print, argv) : CTL_USAGE;
}

static int print_logged_off(const json_t *o, void *user)
{
    (void)o;
    (void)printf("%s is logged off\n", ((char *const *)user)[0]);
    return CTL_OK;
}

static int run_mcx_log_off(const ctl_door *door, int argc, char **argv)
{
    (void)argc;
    return post(door, "/v1/mcx/log-off", argv[0], print_logged_off, argv);
}

static int run_expel(const ctl_door *door, int argc, char **argv)
{
    char user[USER_MAX];
    (void)argc;
    int status = user_of(user, door, argv[0], argv[1]);
    return status == CTL_OK ? order(door, "/expel", user, print_expelled, argv) : status;
}

static int print_admitted(const json_t *o, void *user)
{
    char *const *words = (char *const *)user;
    (void)o;
    (void)printf("%s may register for %s again\n", words[1], words[0]);
    return CTL_OK;
}

/** Who was expelled is no member, so there is no short name to be found. */
static int run_admit(const ctl_door *door, int argc, char **argv)
{
    char user[USER_MAX];
    (void)argc;
    if (strchr(argv[1], '@') == NULL) {
        ctl_complain("admit takes a SIP URI: \"%s\" is none", argv[1]);
        return CTL_USAGE;
    }
    int status = user_of(user, door, argv[0], argv[1]);
    return status == CTL_OK ? order(door, "/admit", user, print_admitted, argv) : status;
}

static int print_solicited(const json_t *o, void *user)
{
    char *const *words = (char *const *)user;
    const char *who = text_of(o, "user");
    (void)printf("asked to request the MSK of %s: %s\n", words[0], who == NULL ? "all who can be pushed to" : who);
    return CTL_OK;
}

static int run_solicit(const ctl_door *door, int argc, char **argv)
{
    char user[USER_MAX];
    if (argc == 1)
        return order(door, "/solicit", NULL, print_solicited, argv);
    int status = user_of(user, door, argv[0], argv[1]);
    return status == CTL_OK ? order(door, "/solicit", user, print_solicited, argv) : status;
}

static int print_rekeyed(const json_t *o, void *user)
{
    return print_outcome(o, "order taken for", (const char *)user);
}

static int run_rekey(const ctl_door *door, int argc, char **argv)
{
    char path[PATH_MAX_OCTETS];
    (void)argc;
    return channel_path(path, argv[0], "/rekey") ? ask(door, path, "", print_rekeyed, argv[0]) : CTL_USAGE;
}

static int print_reloaded(const json_t *o, void *user)
{
    static const ctl_column columns[] = { { "CHANGE", "change" }, { "SUBJECT", "subject" }, { "REASON", "reason" } };
    const json_t *changes = json_object_get(o, "changes");
    (void)user;
    if (!json_is_array(changes))
        return ctl_nonsense();
    if (json_array_size(changes) > 0)
        return ctl_table_print(changes, columns, POC_COUNT(columns));
    (void)puts("reloaded: nothing changed");
    return CTL_OK;
}

static int run_reload(const ctl_door *door, int argc, char **argv)
{
    (void)argc, (void)argv;
    return ask(door, "/v1/reload", "", print_reloaded, NULL);
}

/* ---- events ---- */

static void print_event(const json_t *e)
{
    static const char *const extras[] = { "reason", "msk_id", "detail" };
    char cell[320];
    json_int_t count = json_integer_value(json_object_get(e, "count"));
    json_int_t total = json_integer_value(json_object_get(e, "total"));
    (void)printf("%s  ", ctl_cell(cell, json_object_get(e, "time")));
    (void)printf("%-16s  ", ctl_cell(cell, json_object_get(e, "event")));
    (void)printf("%s", ctl_cell(cell, json_object_get(e, "channel")));
    if (text_of(e, "user") != NULL)
        (void)printf("  %s", ctl_cell(cell, json_object_get(e, "user")));
    for (size_t i = 0; i < POC_COUNT(extras); i++)
        if (text_of(e, extras[i]) != NULL)
            (void)printf("  %s=%s", extras[i], ctl_cell(cell, json_object_get(e, extras[i])));
    if (total > 0)
        (void)printf("  %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT, count, total);
    (void)puts("");
}

static int print_events(const ctl_door *door, const json_t *o, json_int_t *after, bool *is_all)
{
    json_t *list, *e;
    json_int_t missed;
    size_t i;
    if (json_unpack((json_t *)(uintptr_t)o, "{s:o,s:I,s:I}", "events", &list, "last", after, "missed", &missed) != 0 ||
        !json_is_array(list))
        return ctl_nonsense();
    *is_all = json_array_size(list) == 0;
    if (missed > 0 && !door->is_json)
        ctl_complain("%" JSON_INTEGER_FORMAT " events are kept no longer", missed);
    int status = CTL_OK;
    json_array_foreach(list, i, e)
    {
        if (door->is_json)
            status = print_line(e);
        else
            print_event(e);
    }
    if (fflush(stdout) != 0)
        status = CTL_SOFTWARE;
    return status;
}

static int run_events(const ctl_door *door, int argc, char **argv)
{
    bool follows = argc == 1, is_all = false;
    json_int_t after = 0;
    int status = CTL_OK;
    if (follows && strcmp(argv[0], "--follow") != 0) {
        ctl_complain("events: do not know what to do with '%s'", argv[0]);
        return CTL_USAGE;
    }
    while (status == CTL_OK && (follows || !is_all)) {
        char path[PATH_MAX_OCTETS];
        json_t *o;
        (void)snprintf(path, sizeof(path), "/v1/events?after=%" JSON_INTEGER_FORMAT "%s", after,
                       follows ? "&wait_s=30" : "");
        status = ctl_request(&o, door, path, NULL);
        if (status == CTL_OK)
            status = print_events(door, o, &after, &is_all);
        json_decref(o);
    }
    return status;
}

const ctl_order ctl_orders[] = {
    { "status", "", "What the daemon holds and counts.", 0, 0, run_status },
    { "channels", "", "The channels, their MSK and their members in numbers.", 0, 0, run_channels },
    { "members", "CHANNEL", "Who is in a channel.", 1, 1, run_members },
    { "service", "CHANNEL", "What a service announcement has to say of a channel.", 1, 1, run_service },
    { "expel", "CHANNEL USER", "Ends the session of a member and rekeys; bars who is none.", 2, 2, run_expel },
    { "admit", "CHANNEL USER", "Lets one who was expelled in again.", 2, 2, run_admit },
    { "solicit", "CHANNEL [USER]", "Asks members to request the MSK.", 1, 2, run_solicit },
    { "rekey", "CHANNEL", "Makes a new MSK.", 1, 1, run_rekey },
    { "mcx users", "", "Who is registered for mission critical services.", 0, 0, run_mcx_users },
    { "mcx log-off", "USER", "Ends a registration and forgets its key.", 1, 1, run_mcx_log_off },
    { "reload", "", "Reads the configuration again, as SIGHUP does.", 0, 0, run_reload },
    { "events", "[--follow]", "What happened lately; with --follow also what happens.", 0, 1, run_events },
};
const size_t ctl_order_count = POC_COUNT(ctl_orders);
