/* The shell around the engine: what happens outside becomes a call of pocpf.h, what the engine wants done is done, in its
 * order. Private to pf/io. */
#ifndef PF_IO_SHELL_H
#define PF_IO_SHELL_H

#include <sofia-sip/su_wait.h>

#include "pf/io/config.h"

typedef struct shell shell;

/** Builds everything that `c` says; takes `c` over, also on error. `why` tells what cannot be done. */
poc_err shell_new(shell **out, su_root_t *root, config *c, char why[CONFIG_WHY_MAX]);
/** Ends at once: off air, no BYE; members come back with the next start. NULL is fine. */
void shell_free(shell *s);
/** Takes over what may change while it runs: channels and the log. Takes `c` over. What needs a restart is logged. */
void shell_reload(shell *s, config *c);
/** Ends channels and sessions; `done` is called once, at the latest after limits.drain_s. With drain_s = 0 nothing is ended:
 *  the next start takes the sessions up again. */
void shell_drain(shell *s, void (*done)(void *user), void *user);

#endif
