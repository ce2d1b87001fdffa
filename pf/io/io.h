/* The door of pf/io: a daemon that does what a configuration file says. */
#ifndef PF_IO_IO_H
#define PF_IO_IO_H

#include <stdio.h>

#include "base/err.h"

#define IO_WHY_MAX 1024u

/** Reads and checks a configuration with the code that loads it, and the subscriber file it names; changes nothing. `why`
 *  gets "FILE:LINE: ..." on error. */
poc_err io_check(const char *config_path, char why[IO_WHY_MAX]);

typedef struct io_daemon io_daemon;

/** Builds everything and binds every socket. POC_E_INPUT: the configuration is wrong; others: it cannot be carried out here
 *  and now. `why` tells. */
poc_err io_daemon_new(io_daemon **out, const char *config_path, char why[IO_WHY_MAX]);
/** Serves until SIGTERM or SIGINT, reloads on SIGHUP. Returns after an orderly end. */
void io_daemon_run(io_daemon *d);
/** NULL is fine. */
void io_daemon_free(io_daemon *d);

/** docs/options.md. */
void io_print_options(FILE *out);

#endif
