/* What the files of the configuration share. Private to pf/io. */
#ifndef PF_IO_CONFIG_PRIVATE_H
#define PF_IO_CONFIG_PRIVATE_H

#include <libconfig.h>

#include "pf/io/config.h"

/** Writes "NAME:LINE: text" to `why` and returns POC_E_INPUT; without a line when it is 0. */
poc_err config_fail(char why[CONFIG_WHY_MAX], const char *name, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** What may stand in an element of a list that has a file of its own. */
typedef struct config_element {
    const char *list; /* "users" */
    const char *const *names;
    size_t count;
    const char *use; /* the names, for people */
} config_element;

/** POC_E_INPUT: something else stands in it; `why` tells, `file` is its name. */
poc_err config_refuse_unknown(char why[CONFIG_WHY_MAX], const char *file, const config_setting_t *s,
                              const config_element *element);

/** A configuration that is being checked. */
typedef struct config_checker {
    config *c;
    const char *name; /* of the file */
    char *why;
} config_checker;

/** The group mcx, a MuSiK, and two of them beside each other; fill in what the file leaves open. */
poc_err config_check_mcx(config_checker *k);
poc_err config_check_musik(config_checker *k, config_channel *ch);
poc_err config_check_musik_against(config_checker *k, const config_channel *ch, const config_channel *other);

/** Replaces a text that the file left open. POC_E_NOMEM. */
poc_err config_fill_in(char **field, const char *text);

/** What no single row can check: options that must fit each other. Fills config_channel.air. */
poc_err config_check(config *c, const char *name, char why[CONFIG_WHY_MAX]);

/** A whole text file, with terminator, owned by the caller. POC_E_INPUT: `why` tells. */
poc_err config_file_text(char **out, const char *path, char why[CONFIG_WHY_MAX]);

/** `path`, or when relative the same counted from the folder of the file `name`; owned by the caller, NULL: no memory. */
char *config_beside(const char *name, const char *path);

#endif
