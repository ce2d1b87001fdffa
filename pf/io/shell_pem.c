#include "pf/io/shell_pem.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "pf/io/config_private.h"

static poc_err load(shell_pem *p, const char *certificate, const char *key, const char *options,
                    char why[CONFIG_WHY_MAX])
{
    *p = (shell_pem){ NULL, NULL };
    if (certificate[0] == '\0')
        return POC_OK;
    POC_TRY(config_file_text(&p->certificate, certificate, why));
    POC_TRY(config_file_text(&p->key, key, why));
    return poc_pem_is_pair(p->certificate, p->key)
               ? POC_OK
               : config_fail(why, certificate, 0, "%s: no PEM certificate and the private key of it", options);
}

poc_err shell_pem_of_mbms(shell_pem *p, const config *c, char why[CONFIG_WHY_MAX])
{
    return load(p, c->mbms.tls_certificate, c->mbms.tls_key, "mbms.tls_certificate and mbms.tls_key", why);
}

poc_err shell_pem_of_kms(shell_pem *p, const config *c, char why[CONFIG_WHY_MAX])
{
    return load(p, c->mcx.kms_tls_certificate, c->mcx.kms_tls_key, "mcx.kms_tls_certificate and mcx.kms_tls_key", why);
}

void shell_pem_done(shell_pem *p)
{
    if (p->key != NULL)
        poc_wipe(p->key, strlen(p->key));
    free(p->key);
    free(p->certificate);
    *p = (shell_pem){ NULL, NULL };
}

poc_err shell_pem_check_ca(const char *path, char why[CONFIG_WHY_MAX])
{
    char *text = NULL;
    if (path[0] == '\0')
        return POC_OK;
    POC_TRY(config_file_text(&text, path, why));
    const bool has_some = poc_pem_has_certificates(text);
    free(text);
    return has_some ? POC_OK : config_fail(why, path, 0, "mcx.kms_ca: no PEM certificates");
}
