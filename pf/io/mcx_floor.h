/* Guards the floor sockets of users who have a CSK. Private to pf/io. */
#ifndef PF_IO_MCX_FLOOR_H
#define PF_IO_MCX_FLOOR_H

#include "pf/io/relay.h"
#include "pf/wire/air.h"

/** When this user (as the engine calls him: mostly the IMPU) has a CSK, or `is_registered` with one that may have expired since, puts
 *  the guard before his floor socket: until the session ends floor packets pass under his CSKs or not at all, also when the CSK is
 *  gone. To be called when a session is up or restored, and for all sessions of a user whose CSK was bound; again is fine. `floor`
 *  outlives the session. POC_E_STATE: neither, nothing has changed; POC_E_NOMEM: end the session. */
poc_err mcx_floor_guard(wire_mcx_floor *floor, relay_session *session, const char *user, bool is_registered);

#endif
