/* The key that seals secrets at rest: a file of 64 hex digits that only its owner can read. Private to pf/io. */
#ifndef PF_IO_KEYFILE_H
#define PF_IO_KEYFILE_H

#include "base/err.h"
#include "base/secret.h"
#include "pf/io/config.h"

/** Reads the key (32 octets), or makes the file with a fresh one when it does not exist. `why` tells what went wrong. */
poc_err keyfile_open(poc_secret **out, const char *path, const poc_rng *rng, char why[CONFIG_WHY_MAX]);
/** Reads a text file that only its owner can read: `*n` octets, no terminator, which the caller wipes. `option` is what named
 *  the file, for `why`. POC_E_LIMIT: longer than `cap`. */
poc_err keyfile_text(char *text, size_t cap, size_t *n, const char *path, const char *option, char why[CONFIG_WHY_MAX]);
/** Makes the folders above the file `path` with mode 0700 where they are missing. POC_E_IO with errno set. */
poc_err keyfile_make_folders(const char *path);

#endif
