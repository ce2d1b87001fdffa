/* A daemon under test: started with its standard error in a file and on our event loop, killed or stopped on demand. */
#ifndef TESTS_HARNESS_CHILD_H
#define TESTS_HARNESS_CHILD_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>

#include "base/err.h"

typedef struct child child;

/** Runs PROGRAM -c CONFIG; what it says on standard error is appended to `log_path`. */
poc_err child_start(child **out, su_root_t *root, const char *program, const char *config, const char *log_path);
/** It has said that all its sockets are bound. */
bool child_is_ready(const child *c);
/** It has ended. */
bool child_has_ended(const child *c);
/** No file of it may grow any more, as on a full disk; or all may again. */
poc_err child_disk(child *c, bool has_room);
/** SIGTERM: it may end in order. */
void child_terminate(child *c);
/** kill -9 unless it has ended; frees. Returns the exit status, or -1 when a signal ended it. NULL is fine. */
int child_free(child *c);

#endif
