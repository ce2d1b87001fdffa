/* The operator's door: HTTP/1.1 and JSON on a unix socket that only the daemon's own user can open. docs/admin.md shows
 * every route. Keys never pass it, only their ids. Private to pf/io. */
#ifndef PF_IO_ADMIN_H
#define PF_IO_ADMIN_H

#include "pf/io/shell.h"

typedef struct admin admin;

/** Reads the configuration again, as SIGHUP does. `told` hears what changes; on error nothing does and `why` tells. */
typedef poc_err admin_reload_fn(void *user, shell_change_fn *told, void *told_user, char why[CONFIG_WHY_MAX]);

/** Listens on `path` (made with mode 0600, folders above it with 0700). A socket that is left over is replaced, unless
 *  somebody answers on it. `s` is borrowed. POC_E_IO: `why` tells. */
poc_err admin_new(admin **out, su_root_t *root, shell *s, const char *path, admin_reload_fn *reload, void *user,
                  char why[CONFIG_WHY_MAX]);
/** Closes connections and removes the socket. NULL is fine. */
void admin_free(admin *a);

#endif
