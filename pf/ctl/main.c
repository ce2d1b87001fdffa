/* pocpfctl: the operator's tool. What it can do is the table below; everything else is refused. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "pf/ctl/ctl.h"

#define NAME_WIDTH 15 /* of group and name in the list of commands */

static const ctl_command *const commands[] = { &ctl_mikey_decode, &ctl_gba_derive, &ctl_gba_milenage, &ctl_kms_init,
                                               &ctl_kms_keys };

void ctl_complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("pocpfctl: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static void help(const char *group)
{
    puts("Usage: pocpfctl [-s SOCKET] [--json] COMMAND [ARGUMENT]...");
    if (group == NULL) {
        puts("\nCommands for a running pocpfd:");
        for (size_t i = 0; i < ctl_order_count; i++)
            printf("  %-11s %-*s %s\n", ctl_orders[i].name, NAME_WIDTH - 1, ctl_orders[i].synopsis, ctl_orders[i].what);
    }
    puts("\nCommands that work without a running daemon, for debugging a peer:");
    for (size_t i = 0; i < POC_COUNT(commands); i++) {
        const ctl_command *c = commands[i];
        if (group == NULL || strcmp(group, c->group) == 0)
            printf("  %s %-*s %s\n", c->group, NAME_WIDTH + 11 - (int)strlen(c->group), c->name, c->what);
    }
    puts(
        "\n  -s SOCKET       where pocpfd listens (its option admin.socket); " CTL_SOCKET "\n"
        "  --json          prints what the daemon says, events one a line; the tools print JSON always\n"
        "  COMMAND --help  says more about one of the tools\n"
        "  --version       prints the version\n\n"
        "Exit status: 0 good, 1 the daemon refuses or a key does not fit, 64 usage, 65 malformed input, 66 unreadable input,\n"
        "69 no daemon, 73 a file cannot be made, 76 no sense in its answer.");
}

static void command_help(const ctl_command *c)
{
    printf("Usage: pocpfctl %s %s %s\n\n%s\n\n", c->group, c->name, c->synopsis, c->what);
    for (size_t i = 0; i < c->option_count; i++) {
        const ctl_option *o = &c->options[i];
        printf("  %-15s %-5s %s\n", o->name, o->value == NULL ? "" : o->value, o->what);
    }
    if (c->more != NULL)
        printf("\n%s\n", c->more);
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static int command_run(const ctl_command *c, int argc, char **argv)
{
    ctl_args args;
    for (int i = 0; i < argc; i++) {
        if (is_help(argv[i])) {
            command_help(c);
            return CTL_OK;
        }
    }
    int status = ctl_options_parse(&args, c, argc, argv);
    return status != CTL_OK ? status : c->run(&args);
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < POC_COUNT(commands); i++) {
        if (strcmp(commands[i]->group, word) == 0)
            return true;
    }
    return false;
}

static int order_run(const ctl_order *o, const ctl_door *door, int argc, char **argv)
{
    if (argc >= o->argc_min && argc <= o->argc_max)
        return o->run(door, argc, argv);
    ctl_complain("usage: pocpfctl %s%s%s", o->name, o->synopsis[0] == '\0' ? "" : " ", o->synopsis);
    return CTL_USAGE;
}

/** How many words the name of an order takes from the command line; 0: it is another one. */
static int order_words(const ctl_order *o, int argc, char **argv)
{
    const size_t n = strlen(argv[0]);
    if (strncmp(o->name, argv[0], n) != 0)
        return 0;
    if (o->name[n] == '\0')
        return 1;
    return o->name[n] == ' ' && argc > 1 && strcmp(o->name + n + 1, argv[1]) == 0 ? 2 : 0;
}

static int dispatch(const ctl_door *door, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < ctl_order_count; i++) {
        const int words = order_words(&ctl_orders[i], argc, argv);
        if (words > 0)
            return order_run(&ctl_orders[i], door, argc - words, argv + words);
    }
    if (is_group(argv[0]) && is_help(name)) {
        help(argv[0]);
        return CTL_OK;
    }
    for (size_t i = 0; i < POC_COUNT(commands); i++) {
        if (strcmp(commands[i]->group, argv[0]) == 0 && strcmp(commands[i]->name, name) == 0)
            return command_run(commands[i], argc - 2, argv + 2);
    }
    ctl_complain("unknown command '%s%s%s'; pocpfctl --help lists the commands", argv[0],
                 is_group(argv[0]) && argc > 1 ? " " : "", is_group(argv[0]) ? name : "");
    return CTL_USAGE;
}

/** What stands before the command: the index of the command, or -1 after a complaint. */
static int door_parse(ctl_door *door, int argc, char **argv)
{
    *door = (ctl_door){ .socket = CTL_SOCKET };
    int i = 1;
    for (; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            door->is_json = true;
        } else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
            door->socket = argv[++i];
        } else {
            break;
        }
    }
    if (i < argc && strcmp(argv[i], "-s") != 0)
        return i;
    ctl_complain(i < argc ? "-s wants the path of a socket" : "no command; pocpfctl --help lists the commands");
    return -1;
}

/** The keys that the tools are given, and those that they make, shall not come to rest in a core dump. */
static bool guard_process(void)
{
    const struct rlimit none = { 0, 0 };
    if (setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
        return true;
    ctl_complain("core dumps cannot be switched off");
    return false;
}

int main(int argc, char **argv)
{
    ctl_door door;
    if (!guard_process())
        return CTL_SOFTWARE;
    int first = door_parse(&door, argc, argv);
    if (first < 0)
        return CTL_USAGE;
    if (is_help(argv[first])) {
        help(NULL);
        return CTL_OK;
    }
    if (strcmp(argv[first], "--version") == 0 || strcmp(argv[first], "-V") == 0) {
        puts("pocpfctl " POC_VERSION);
        return CTL_OK;
    }
    return dispatch(&door, argc - first, argv + first);
}
