/* The master secrets of a KMS of one's own as text, one "name value" a line: what pocpfctl mcx kms-init writes and the
 * embedded KMS of pocpfd reads. */
#include <string.h>

#include "base/text.h"
#include "mcx/mcx.h"

void mcx_kms_master_done(mcx_kms_master *master)
{
    poc_secret_free(master->z);
    poc_secret_free(master->ksak);
    *master = (mcx_kms_master){ .z = NULL };
}

poc_err mcx_kms_master_put(poc_wr *out, const mcx_kms_master *master)
{
    poc_wr_fmt(out, "kms_uri %s\nperiod_s %llu\noffset_s %llu\nz ", master->kms_uri,
               (unsigned long long)master->period_s, (unsigned long long)master->offset_s);
    poc_hex_put(out, poc_secret_span(master->z));
    poc_wr_fmt(out, "\nksak ");
    poc_hex_put(out, poc_secret_span(master->ksak));
    poc_wr_fmt(out, "\n");
    return poc_wr_done(out);
}

static bool uri_take(mcx_kms_master *m, poc_span value)
{
    if (value.n == 0 || value.n > MCX_URI_MAX || m->kms_uri[0] != '\0')
        return false;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] <= 0x20 || value.p[i] >= 0x7f)
            return false;
    memcpy(m->kms_uri, value.p, value.n);
    m->kms_uri[value.n] = '\0';
    return true;
}

static bool secret_take(poc_secret **out, size_t n, poc_span text)
{
    uint8_t octets[MCX_SAKKE_Z_LEN];
    const bool good =
        *out == NULL && poc_hex_get_exact(octets, n, text) == POC_OK && poc_secret_from(out, octets, n) == POC_OK;
    poc_wipe(octets, sizeof(octets));
    return good;
}

static bool line_take(mcx_kms_master *m, poc_span name, poc_span value)
{
    if (poc_span_eq_str(name, "kms_uri"))
        return uri_take(m, value);
    if (poc_span_eq_str(name, "period_s"))
        return m->period_s == 0 && poc_u64_get(&m->period_s, UINT32_MAX, value) == POC_OK;
    if (poc_span_eq_str(name, "offset_s"))
        return m->offset_s == 0 && poc_u64_get(&m->offset_s, UINT32_MAX, value) == POC_OK;
    if (poc_span_eq_str(name, "z"))
        return secret_take(&m->z, MCX_SAKKE_Z_LEN, value);
    return poc_span_eq_str(name, "ksak") && secret_take(&m->ksak, MCX_SCALAR_LEN, value);
}

static bool lines_take(mcx_kms_master *m, poc_span text)
{
    while (text.n > 0) {
        poc_span line = poc_split(&text, '\n');
        const poc_span name = poc_split(&line, ' ');
        if (!line_take(m, name, line))
            return false;
    }
    return m->kms_uri[0] != '\0' && m->period_s >= MCX_KMS_PERIOD_MIN_S && m->offset_s < m->period_s && m->z != NULL &&
           m->ksak != NULL;
}

poc_err mcx_kms_master_read(mcx_kms_master *out, poc_span text)
{
    *out = (mcx_kms_master){ .z = NULL };
    if (lines_take(out, text))
        return POC_OK;
    mcx_kms_master_done(out);
    return POC_E_INPUT;
}
