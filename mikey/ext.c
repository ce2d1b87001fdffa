/* General Extension, RFC 3830 6.15: next(1) type(1) len(2) data. Of these, and of these only, an unknown type is skipped:
 * its length is known.
 *  Key ID information, RFC 4563: { id type(1) id len(1) id }*; 0 Key Domain ID, 1 MSK ID, 2 MTK ID.
 *  SDP IDs, RFC 4567 section 7: the list of key management protocols in the order of the SDP.
 *  SAKKE-to-self and key parameters, TS 33.180 E.5 and E.6: opaque here. */
#include <string.h>

#include "mikey/payloads.h"

enum { ID_KEY_DOMAIN, ID_MSK, ID_MTK };

static poc_err key_id_put(mikey_msg *msg, uint8_t id_type, poc_rd *id)
{
    switch (id_type) {
    case ID_KEY_DOMAIN:
        if (msg->has_key_domain)
            return poc_rd_fail(id, "Key Domain ID twice");
        msg->has_key_domain = true;
        return poc_rd_copy(id, msg->key_domain.b, sizeof(msg->key_domain.b));
    case ID_MSK:
        if (msg->has_msk_id)
            return poc_rd_fail(id, "MSK ID twice");
        msg->has_msk_id = true;
        return poc_rd_u32(id, &msg->msk_id);
    case ID_MTK:
        if (msg->has_mtk_id)
            return poc_rd_fail(id, "MTK ID twice");
        msg->has_mtk_id = true;
        return poc_rd_u16(id, &msg->mtk_id);
    default:
        return poc_rd_fail(id, "Key ID type not known");
    }
}

static poc_err key_id_decode(mikey_msg *msg, poc_rd *data)
{
    if (msg->has_key_domain || msg->has_msk_id || msg->has_mtk_id)
        return poc_rd_fail(data, "Key ID extension twice");
    if (data->left == 0)
        return poc_rd_fail(data, "Key ID extension without content");
    while (data->left > 0) {
        uint8_t id_type, len;
        poc_rd id;
        POC_TRY(poc_rd_u8(data, &id_type));
        POC_TRY(poc_rd_u8(data, &len));
        POC_TRY(poc_rd_take(data, &id, len));
        POC_TRY(key_id_put(msg, id_type, &id));
        POC_TRY(poc_rd_end(&id));
    }
    return POC_OK;
}

static poc_err sdp_ids_decode(mikey_msg *msg, poc_rd *data)
{
    if (msg->has_sdp_ids)
        return poc_rd_fail(data, "SDP IDs extension twice");
    msg->has_sdp_ids = true;
    return poc_rd_span(data, &msg->sdp_ids, data->left);
}

static poc_err opaque_take(poc_span *to, poc_rd *data)
{
    if (to->n > 0)
        return poc_rd_fail(data, "extension twice");
    if (data->left == 0)
        return poc_rd_fail(data, "extension without content");
    return poc_rd_span(data, to, data->left);
}

poc_err mikey_ext_read(mikey_ext *out, poc_rd *rd)
{
    uint16_t len;
    POC_TRY(poc_rd_u8(rd, &out->type));
    POC_TRY(poc_rd_u16(rd, &len));
    return poc_rd_span(rd, &out->data, len);
}

poc_err mikey_ext_decode(mikey_msg *msg, poc_rd *rd)
{
    mikey_ext ext;
    POC_TRY(mikey_ext_read(&ext, rd));
    poc_rd data = { ext.data.p, ext.data.n, rd->origin, rd->fault };
    if (ext.type == MIKEY_EXT_KEY_ID)
        return key_id_decode(msg, &data);
    if (ext.type == MIKEY_EXT_SDP_IDS)
        return sdp_ids_decode(msg, &data);
    if (msg->data_type == MIKEY_I_MESSAGE && ext.type == MIKEY_EXT_SAKKE_TO_SELF)
        return opaque_take(&msg->sakke_to_self, &data);
    if (msg->data_type == MIKEY_I_MESSAGE && ext.type == MIKEY_EXT_KEY_PARAMETERS)
        return opaque_take(&msg->key_parameters, &data);
    return POC_OK;
}

static size_t ext_open(poc_wr *wr, uint8_t next, uint8_t ext_type)
{
    poc_wr_u8(wr, next);
    poc_wr_u8(wr, ext_type);
    return poc_wr_len16_open(wr);
}

void mikey_ext_encode_key_id(poc_wr *wr, uint8_t next, poc_key_domain domain, poc_msk_id msk_id, const uint16_t *mtk_id)
{
    size_t len = ext_open(wr, next, MIKEY_EXT_KEY_ID);
    poc_wr_u8(wr, ID_KEY_DOMAIN);
    poc_wr_u8(wr, POC_KEY_DOMAIN_LEN);
    poc_wr_put(wr, domain.b, sizeof(domain.b));
    poc_wr_u8(wr, ID_MSK);
    poc_wr_u8(wr, POC_MSK_ID_LEN);
    poc_wr_u32(wr, msk_id);
    if (mtk_id != NULL) {
        poc_wr_u8(wr, ID_MTK);
        poc_wr_u8(wr, POC_MTK_ID_LEN);
        poc_wr_u16(wr, *mtk_id);
    }
    poc_wr_len16_close(wr, len);
}

void mikey_ext_encode_sdp_ids(poc_wr *wr, uint8_t next)
{
    size_t len = ext_open(wr, next, MIKEY_EXT_SDP_IDS);
    poc_wr_span(wr, poc_span_str(MIKEY_SDP_PROTOCOL));
    poc_wr_len16_close(wr, len);
}

void mikey_ext_encode(poc_wr *wr, uint8_t next, uint8_t ext_type, poc_span data)
{
    size_t len = ext_open(wr, next, ext_type);
    poc_wr_span(wr, data);
    poc_wr_len16_close(wr, len);
}
