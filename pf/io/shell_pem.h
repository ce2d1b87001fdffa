/* What HTTP services speak TLS with, from the files that the configuration names. Private to pf/io. */
#ifndef PF_IO_SHELL_PEM_H
#define PF_IO_SHELL_PEM_H

#include "pf/io/config.h"

/** A certificate, others that vouch for it behind it, and its private key, as texts (PEM); NULL: without TLS. The key is wiped as
 *  soon as the library has its own copy. */
typedef struct shell_pem {
    char *certificate, *key;
} shell_pem;

/** Those of key management (mbms.tls_certificate), of the KMS inside (mcx.kms_tls_certificate). POC_E_INPUT: a file cannot be
 *  read, or they are not a certificate and the private key of it, and `why` tells; POC_E_NOMEM. On error, too, call
 *  shell_pem_done. */
poc_err shell_pem_of_mbms(shell_pem *p, const config *c, char why[CONFIG_WHY_MAX]);
poc_err shell_pem_of_kms(shell_pem *p, const config *c, char why[CONFIG_WHY_MAX]);
void shell_pem_done(shell_pem *p);

/** Those that vouch for the KMS of the operator (mcx.kms_ca): has the file certificates? */
poc_err shell_pem_check_ca(const char *path, char why[CONFIG_WHY_MAX]);

#endif
