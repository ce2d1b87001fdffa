/* The embedded KMS: its master secrets from a file, and the HTTP service that gives users their keys (TS 33.180 Annex D) when
 * their access token says who they are. Private to pf/io. */
#ifndef PF_IO_MCX_KMS_HTTP_H
#define PF_IO_MCX_KMS_HTTP_H

#include <sofia-sip/su_wait.h>
#include <stdint.h>

#include "base/err.h"
#include "mcx/mcx.h"
#include "pf/io/config.h"
#include "pf/io/http_front.h"
#include "pf/io/mcx_people.h"

/** The KMS of mcx.kms_secrets. */
typedef struct mcx_own_kms mcx_own_kms;

/** Reads the secrets, which nobody but their owner may be able to read. POC_E_INPUT, POC_E_IO: `why` tells, and never a
 *  secret; POC_E_NOMEM. */
poc_err mcx_own_kms_new(mcx_own_kms **out, const config *c, char why[CONFIG_WHY_MAX]);
/** NULL is fine. */
void mcx_own_kms_free(mcx_own_kms *kms);
POC_DEFINE_OWNED(mcx_own_kms, mcx_own_kms_free)
/** As mcx_kms_serve wants it; lives as long as `kms`, may be used by several threads. */
const mcx_kms_service *mcx_own_kms_service(const mcx_own_kms *kms);

typedef struct mcx_kms_http mcx_kms_http;

/** `service` is borrowed until mcx_kms_http_free; `people` points to where the people stand who are asked, which a reload may
 *  replace. POC_E_IO: an address cannot be bound, errno tells; EPROTO: no certificate with its key. */
poc_err mcx_kms_http_new(mcx_kms_http **out, su_root_t *root, const http_front_settings *settings,
                         const mcx_kms_service *service, mcx_people *const *people);
/** As http_front_renew. */
poc_err mcx_kms_http_renew(mcx_kms_http *h, const char *tls_certificate, const char *tls_key, bool *has_changed);
/** NULL is fine. */
void mcx_kms_http_free(mcx_kms_http *h);
/** Where the `n`-th address listens, for one with port 0. */
uint16_t mcx_kms_http_port(const mcx_kms_http *h, size_t n);

typedef struct mcx_kms_http_counts {
    uint64_t requests, served, refused, limited;
} mcx_kms_http_counts;
mcx_kms_http_counts mcx_kms_http_look(const mcx_kms_http *h);

#endif
