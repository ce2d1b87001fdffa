/* The KMSs of the simulated world, and the keys that they gave everybody: made once in a process, since tables for SAKKE take
 * long, and shared by all runs. They follow from names and periods alone, so that a run follows from its script and its seed. */
#ifndef TESTS_HARNESS_WALLET_H
#define TESTS_HARNESS_WALLET_H

#include "pocpf/pocpf.h"
#include "ue/api/pocue.h"

#define WALLET_PERIOD_S UINT64_C(2592000)

typedef enum wallet_kms { WALLET_OWN, WALLET_NEIGHBOUR, WALLET_KMSS } wallet_kms;

/** "kms.poc.example" and the KMS of another domain. */
const char *wallet_kms_uri(wallet_kms which);
/** Keys of an identity of the PF's under its own KMS; borrowed. */
poc_err wallet_server(pocpf_mcx_keys **out, const char *uri, int64_t now_ms);
/** The neighbour's certificate, for an engine; borrowed. */
poc_err wallet_neighbour(pocpf_mcx_kms **out);
/** Gives a client who has started with this id what its KMS has for it. */
poc_err wallet_provision(pocue *ue, const char *mc_id, wallet_kms which, int64_t now_ms);
/** Forgets everything: at the end of the process. */
void wallet_done(void);

#endif
