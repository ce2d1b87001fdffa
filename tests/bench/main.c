/* pocbench WHAT: what can be measured is the table below. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/bench/bench.h"

enum { EXIT_USAGE = 64 };

static const struct {
    const char *name, *what;
    int (*run)(const bench *b);
} table[] = {
    { "mikey", "sealing, opening and confirming MSK messages", bench_mikey },
    { "rekey", "bringing a new MSK to all members", bench_rekey },
    { "srtp", "protecting voice packets", bench_srtp },
    { "sakke", "sealing, opening, signing and verifying for MCX", bench_sakke },
    { "sip", "joining and rekeying over SIP", bench_sip },
    { "store", "making records durable", bench_store },
};

static int usage(FILE *to, int status)
{
    fputs("Usage: pocbench WHAT [--members N] [--delivery sip|push] [--seconds S] [--json]\n\nWHAT is one of\n", to);
    for (size_t i = 0; i < POC_COUNT(table); i++)
        fprintf(to, "  %-8s %s\n", table[i].name, table[i].what);
    fputs("\n  --members N    members of a channel (1000)\n"
          "  --delivery D   how keys travel, where that matters (push)\n"
          "  --seconds S    CPU time spent on each figure (1)\n"
          "  --json         one JSON object per line\n",
          to);
    return status;
}

static bool number(double *out, const char *text, double min, double max)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= min && *out <= max;
}

static bool option(bench *b, const char *name, const char *value)
{
    double n;
    if (strcmp(name, "--members") == 0 && number(&n, value, 1, 1e6)) {
        b->members = (size_t)n;
        return true;
    }
    if (strcmp(name, "--seconds") == 0)
        return number(&b->seconds, value, 0.001, 3600);
    if (strcmp(name, "--delivery") == 0 && (strcmp(value, "sip") == 0 || strcmp(value, "push") == 0)) {
        b->delivery = value;
        return true;
    }
    return false;
}

static bool options(bench *b, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            b->json = true;
            continue;
        }
        if (i + 1 == argc || !option(b, argv[i], argv[i + 1])) {
            fprintf(stderr,
                    "pocbench: cannot use '%s%s%s': options are --members 1..1000000, --delivery sip|push, "
                    "--seconds 0.001..3600 and --json\n",
                    argv[i], i + 1 < argc ? " " : "", i + 1 < argc ? argv[i + 1] : "");
            return false;
        }
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    bench b = { .seconds = 1, .members = 1000 };
    if (argc < 2)
        return usage(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return usage(stdout, EXIT_SUCCESS);
    for (size_t i = 0; i < POC_COUNT(table); i++) {
        if (strcmp(table[i].name, argv[1]) == 0)
            return options(&b, argc - 2, argv + 2) ? table[i].run(&b) : EXIT_USAGE;
    }
    fprintf(stderr, "pocbench: cannot measure '%s'; pocbench --help lists what it can\n", argv[1]);
    return EXIT_USAGE;
}
