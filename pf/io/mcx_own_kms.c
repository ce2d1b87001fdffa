/* The embedded KMS: what its master secrets make. */
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "pf/io/config_private.h"
#include "pf/io/keyfile.h"
#include "pf/io/mcx_kms_http.h"

enum { MASTER_MAX = 2048, PERIODS_AHEAD = 1 };

struct mcx_own_kms {
    mcx_kms_master master;
    mcx_kms *kms;
    char *root;
    mcx_kms_service service;
};

/** Another number with other keys or periods; never 0. */
static poc_err number_certificates(uint32_t *out, const mcx_own_kms *own)
{
    uint8_t digest[POC_SHA256_LEN], periods[16];
    poc_wr wr = poc_wr_into(periods, sizeof(periods));
    poc_wr_u64(&wr, own->master.period_s);
    poc_wr_u64(&wr, own->master.offset_s);
    const poc_span parts[] = { mcx_kms_z(own->kms), mcx_kms_kpak(own->kms), poc_span_of(periods, sizeof(periods)) };
    POC_TRY(poc_sha256_parts(digest, parts, POC_COUNT(parts)));
    poc_rd rd = poc_rd_over(poc_span_of(digest, sizeof(digest)), NULL);
    POC_TRY(poc_rd_u32(&rd, out));
    *out = (*out & 0x7fffffffu) | 1u;
    return POC_OK;
}

static poc_err read_master(mcx_own_kms *own, const char *path, char why[CONFIG_WHY_MAX])
{
    char text[MASTER_MAX];
    size_t n;
    poc_err err = keyfile_text(text, sizeof(text), &n, path, "mcx.kms_secrets", why);
    if (err == POC_OK)
        err = mcx_kms_master_read(&own->master, poc_span_of(text, n));
    if (err == POC_OK)
        err = mcx_kms_new(&own->kms, own->master.z, own->master.ksak);
    poc_wipe(text, sizeof(text));
    if (err == POC_E_INPUT && why[0] == '\0')
        return config_fail(why, path, 0, "mcx.kms_secrets are not those of a KMS as pocpfctl mcx kms-init writes them");
    return err;
}

static poc_err make(mcx_own_kms *own, const config *c, char why[CONFIG_WHY_MAX])
{
    const char *named = c->mcx.kms_uri;
    POC_TRY(read_master(own, c->mcx.kms_secrets, why));
    if (named[0] != '\0' && strcmp(named, own->master.kms_uri) != 0)
        return config_fail(why, c->mcx.kms_secrets, 0, "this KMS is called \"%s\", and mcx.kms_uri says \"%s\"",
                           own->master.kms_uri, named);
    if ((own->root = strdup(c->mcx.kms_path)) == NULL)
        return POC_E_NOMEM;
    own->service = (mcx_kms_service){ .kms = own->kms,
                                      .kms_uri = poc_span_str(own->master.kms_uri),
                                      .period_s = own->master.period_s,
                                      .offset_s = own->master.offset_s,
                                      .root = own->root,
                                      .skew_s = MCX_KMS_TIME_SKEW_S,
                                      .periods_ahead = PERIODS_AHEAD,
                                      .rng = &poc_rng_system };
    return number_certificates(&own->service.cache_number, own);
}

poc_err mcx_own_kms_new(mcx_own_kms **out, const config *c, char why[CONFIG_WHY_MAX])
{
    POC_OWNED(mcx_own_kms, own, mcx_own_kms_free);
    *out = NULL;
    why[0] = '\0';
    if ((own = (mcx_own_kms *)calloc(1, sizeof(*own))) == NULL)
        return POC_E_NOMEM;
    POC_TRY(make(own, c, why)); // NOLINT(clang-analyzer-unix.Malloc): POC_OWNED frees it
    *out = (mcx_own_kms *)POC_RELEASE(own);
    return POC_OK;
}

void mcx_own_kms_free(mcx_own_kms *kms)
{
    if (kms == NULL)
        return;
    mcx_kms_free(kms->kms);
    mcx_kms_master_done(&kms->master);
    free(kms->root);
    free(kms);
}

const mcx_kms_service *mcx_own_kms_service(const mcx_own_kms *kms)
{
    return &kms->service;
}
