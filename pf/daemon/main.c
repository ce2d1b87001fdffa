/* pocpfd: reads its arguments, takes the precautions of a process that holds keys, and lets pf/io serve. */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "pf/io/io.h"

enum { OPTION_PRINT = 256 };

static const char usage[] = "usage: pocpfd -c FILE [-t]\n"
                            "       pocpfd -V | --help | --print-options\n"
                            "  -c, --config FILE   the configuration (libconfig; see pocpfd.cfg(5))\n"
                            "  -t, --test          check it with the code that loads it, then stop\n"
                            "  -V, --version       print the version\n"
                            "  -h, --help          print this\n"
                            "      --print-options print the table of options as Markdown\n"
                            "Signals: SIGHUP reloads, SIGTERM and SIGINT drain and stop.\n"
                            "Exit: 0 in order, 1 cannot start here and now, 64 usage, 78 configuration.\n";

static const struct option long_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "test", no_argument, NULL, 't' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { "print-options", no_argument, NULL, OPTION_PRINT },
    { 0 },
};

/** Nothing that holds a key may come to rest on a disk or in another process. */
static int guard_process(void)
{
    const struct rlimit none = { 0, 0 };
    (void)umask(077);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the store, not the end of the daemon */
    if (setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
        return 0;
    perror("pocpfd: core dumps cannot be switched off");
    return -1;
}

/** Connections and relay ports are descriptors: as many as the system lets us have. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* refused: with those there are */
}

static int complain(poc_err err, const char *why)
{
    (void)fprintf(stderr, "%s\n", why[0] != '\0' ? why : poc_err_name(err));
    return err == POC_E_INPUT ? EX_CONFIG : EXIT_FAILURE;
}

static int check(const char *path)
{
    char why[IO_WHY_MAX] = "";
    if (guard_process() != 0) /* subscribers' keys and the secrets of a KMS are read for it */
        return EXIT_FAILURE;
    poc_err err = io_check(path, why);
    return err == POC_OK ? EXIT_SUCCESS : complain(err, why);
}

static int serve(const char *path)
{
    char why[IO_WHY_MAX] = "";
    io_daemon *d;
    if (guard_process() != 0)
        return EXIT_FAILURE;
    raise_descriptors();
    poc_err err = io_daemon_new(&d, path, why);
    if (err != POC_OK)
        return complain(err, why);
    io_daemon_run(d);
    io_daemon_free(d);
    return EXIT_SUCCESS;
}

static int misuse(void)
{
    (void)fputs(usage, stderr);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    bool only_check = false;
    int c;
    while ((c = getopt_long(argc, argv, "c:tVh", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            path = optarg;
            break;
        case 't':
            only_check = true;
            break;
        case 'V':
            return puts("pocpfd " POC_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        case 'h':
            return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        case OPTION_PRINT:
            io_print_options(stdout);
            return EXIT_SUCCESS;
        default:
            return misuse();
        }
    }
    if (path == NULL || optind != argc)
        return misuse();
    return only_check ? check(path) : serve(path);
}
