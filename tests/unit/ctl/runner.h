/* Runs the built pocpfctl. */
#ifndef TESTS_UNIT_CTL_RUNNER_H
#define TESTS_UNIT_CTL_RUNNER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mikey/mikey.h"
#include "tests/support/vectors.h"

typedef struct outcome {
    int status;
    char out[65536], err[4096];
    json_t *json; /* of `out`, or NULL */
} outcome;

/** Runs pocpfctl with `words` (split at spaces) and `input` on its standard input. The outcome lives until the next call. */
outcome *ctl(poc_span input, const char *words);
/** Frees the last outcome. */
void ctl_forget(void);
extern const poc_span nothing;
/** A text of the printed object, or NULL. */
const char *member(const outcome *o, const char *name);

#endif
