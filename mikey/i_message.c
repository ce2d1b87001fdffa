/* The octets of an I_MESSAGE (RFC 6509, TS 33.180 Annex E); its SED and its signature are the caller's. */
#include <string.h>

#include "mikey/payloads.h"

static bool is_writable(const mikey_i_message *m)
{
    return m->cs_count <= MIKEY_CS_MAX && m->rand.n >= MIKEY_RAND_LEN && m->rand.n <= MIKEY_RAND_MAX &&
           (m->sed_len == MIKEY_SED_LEN || m->sed_len == MIKEY_SED_LEN_256);
}

static void hdr_put(poc_wr *out, const mikey_i_message *m)
{
    mikey_msg hdr = {
        .data_type = MIKEY_I_MESSAGE,
        .prf = MIKEY_PRF_SHA256,
        .csb_id = m->csb_id,
        .map_type = m->cs_count == 0 ? MIKEY_MAP_EMPTY : MIKEY_MAP_GENERIC_ID,
        .cs_count = (uint8_t)m->cs_count,
    };
    if (m->cs_count > 0)
        memcpy(hdr.generic, m->map, m->cs_count * sizeof(*m->map));
    mikey_hdr_encode(out, &hdr, MIKEY_T);
}

static void t_put(poc_wr *out, uint64_t ntp)
{
    uint8_t ts[MIKEY_TS64_LEN];
    poc_wr wr = poc_wr_into(ts, sizeof(ts));
    poc_wr_u64(&wr, ntp);
    mikey_t_encode(out, MIKEY_RAND, MIKEY_TS_NTP_UTC, poc_span_of(ts, sizeof(ts)));
}

static void extensions_put(poc_wr *out, const mikey_i_message *m)
{
    if (m->sakke_to_self.n > 0)
        mikey_ext_encode(out, m->key_parameters.n > 0 ? MIKEY_EXT : MIKEY_SIGN, MIKEY_EXT_SAKKE_TO_SELF,
                         m->sakke_to_self);
    if (m->key_parameters.n > 0)
        mikey_ext_encode(out, MIKEY_SIGN, MIKEY_EXT_KEY_PARAMETERS, m->key_parameters);
}

poc_err mikey_i_message_write(poc_wr *out, const mikey_i_message *m, uint8_t **sed, uint8_t **signature)
{
    if (!is_writable(m))
        return POC_E_BUG;
    hdr_put(out, m);
    t_put(out, m->ntp);
    mikey_rand_encode(out, MIKEY_IDR, m->rand);
    mikey_idr_encode(out, MIKEY_IDR, &m->idi);
    mikey_idr_encode(out, MIKEY_IDR, &m->idr);
    mikey_idr_encode(out, MIKEY_IDR, &m->idkmsi);
    mikey_idr_encode(out, m->policy_count > 0 ? MIKEY_SP : MIKEY_SAKKE, &m->idkmsr);
    for (size_t i = 0; i < m->policy_count; i++)
        mikey_sp_encode(out, i + 1 < m->policy_count ? MIKEY_SP : MIKEY_SAKKE, &m->policies[i]);
    const bool extended = m->sakke_to_self.n > 0 || m->key_parameters.n > 0;
    *sed = mikey_sakke_encode(out, extended ? MIKEY_EXT : MIKEY_SIGN, m->sed_len);
    extensions_put(out, m);
    *signature = mikey_sign_encode(out);
    return poc_wr_done(out);
}
