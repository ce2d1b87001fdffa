/* The operator of the PF: orders through the admin socket of a pocpfd. */
#ifndef TESTS_HARNESS_OPERATOR_H
#define TESTS_HARNESS_OPERATOR_H

#include "base/err.h"

/** Expels `user` (a SIP URI) from the channel, or with NULL orders a new MSK. Returns when the daemon has answered.
 *  POC_E_IO: nobody answers on `socket_path`; POC_E_STATE: the daemon refuses. */
poc_err operator_order(const char *socket_path, const char *channel_id, const char *user);

#endif
