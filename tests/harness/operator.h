/* The operator of the PF: orders through the admin socket of a pocpfd. */
#ifndef TESTS_HARNESS_OPERATOR_H
#define TESTS_HARNESS_OPERATOR_H

#include "base/err.h"

/** `order` is the last part of a route below /v1/channels/ID: "expel", "rekey", "solicit", "admit"; `user` (a SIP URI) may be
 *  NULL. Returns when the daemon has answered. POC_E_IO: nobody answers on `socket_path`; POC_E_STATE: the daemon refuses. */
poc_err operator_order(const char *socket_path, const char *channel_id, const char *order, const char *user);

#endif
