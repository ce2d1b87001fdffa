/* A Controlling PoC Function for the real world: conference focus on Sofia nua, roster with RFC 4575 notifications, media
 * copies to every leg but the talker's, and floor arbitration. It accepts whoever the PF brings, and carries what the PF sends to
 * users without knowing their contact, as the core behind it would. */
#ifndef TESTS_HARNESS_CF_H
#define TESTS_HARNESS_CF_H

#include <sofia-sip/su_wait.h>
#include <stdint.h>

#include "base/err.h"

typedef struct cf cf;

typedef enum cf_what { CF_IN, CF_LEFT, CF_EXPELLED, CF_OVER } cf_what;
/** `user` is the canonical URI, NULL for CF_OVER. */
typedef void cf_event_fn(void *user_data, cf_what what, const char *user);

/** Where a registered user can be reached, as a SIP URI; NULL: nobody knows. Borrowed until the next call. */
typedef const char *cf_where_fn(void *user_data, const char *user);

/** Listens on udp and tcp. POC_E_IO when the port is taken. */
poc_err cf_new(cf **out, su_root_t *root, const char *host, uint16_t port, cf_event_fn *on_event, void *user_data);
/** It is the core of the network too: carries MESSAGEs of the PF to users. */
void cf_carry(cf *c, cf_where_fn *where);
void cf_free(cf *c);
/** BYE to the participant and NOTIFY booted to the subscribers. POC_E_STATE: not in. */
poc_err cf_expel(cf *c, const char *user, const char *by);
/** BYE to everybody, NOTIFY deleted. */
poc_err cf_end(cf *c, const char *group_uri);

#endif
