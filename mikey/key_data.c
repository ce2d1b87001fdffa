/* Key data sub-payload, RFC 3830 6.13, chained inside the decrypted part of KEMAC:
 *  next(1) type(high nibble) KV(low nibble) key len(2) key [salt len(2) salt] [KV data]
 *  KV 1, SPI/MKI: len(1) SPI. KV 2, interval: VF len(1) VF VT len(1) VT. */
#include "mikey/payloads.h"

static bool has_salt(uint8_t type)
{
    return type == MIKEY_TGK_SALT || type == MIKEY_TEK_SALT;
}

/* A field with a length of its own that may not be empty. */
static poc_err field8(poc_rd *rd, poc_span *out)
{
    uint8_t len;
    POC_TRY(poc_rd_u8(rd, &len));
    return len == 0 ? poc_rd_fail(rd, "empty field in key data") : poc_rd_span(rd, out, len);
}

static poc_err field16(poc_rd *rd, poc_span *out)
{
    uint16_t len;
    POC_TRY(poc_rd_u16(rd, &len));
    return len == 0 ? poc_rd_fail(rd, "empty key in key data") : poc_rd_span(rd, out, len);
}

static poc_err kv_decode(mikey_key_data *key, poc_rd *rd)
{
    switch (key->kv) {
    case MIKEY_KV_NULL:
        return POC_OK;
    case MIKEY_KV_SPI:
        return field8(rd, &key->spi);
    case MIKEY_KV_INTERVAL:
        POC_TRY(field8(rd, &key->valid_from));
        return field8(rd, &key->valid_to);
    default:
        return poc_rd_fail(rd, "key validity not supported");
    }
}

static poc_err key_decode(mikey_key_data *key, uint8_t *next, poc_rd *rd)
{
    uint8_t type_kv;
    POC_TRY(poc_rd_u8(rd, next));
    if (*next != MIKEY_LAST && *next != MIKEY_KEY_DATA)
        return poc_rd_fail(rd, "not key data in key data");
    POC_TRY(poc_rd_u8(rd, &type_kv));
    *key = (mikey_key_data){ .type = type_kv >> 4, .kv = type_kv & 0x0f };
    if (key->type > MIKEY_TEK_SALT)
        return poc_rd_fail(rd, "key type not supported");
    POC_TRY(field16(rd, &key->key));
    if (has_salt(key->type))
        POC_TRY(field16(rd, &key->salt));
    return kv_decode(key, rd);
}

poc_err mikey_key_data_decode(mikey_key_data *out, size_t *count, poc_span plain, poc_fault *fault)
{
    poc_rd rd = poc_rd_over(plain, fault);
    uint8_t next = MIKEY_KEY_DATA;
    for (*count = 0; next == MIKEY_KEY_DATA; ++*count) {
        if (*count == MIKEY_KEYS_MAX)
            return poc_rd_fail(&rd, "too many keys");
        POC_TRY(key_decode(&out[*count], &next, &rd));
    }
    return poc_rd_end(&rd);
}

poc_err mikey_key_data_single(mikey_key_data *out, const mikey_msg *msg, const uint8_t *plain, poc_fault *fault)
{
    const size_t at = (size_t)(msg->encr_data.p - msg->raw.p);
    mikey_key_data keys[MIKEY_KEYS_MAX] = { 0 };
    poc_fault inner = { 0, NULL };
    size_t count;
    if (mikey_key_data_decode(keys, &count, poc_span_of(plain, msg->encr_data.n), &inner) != POC_OK)
        return mikey_refuse(fault, at + inner.offset, inner.reason);
    if (count != 1 || keys[0].key.n != POC_MSK_LEN)
        return mikey_refuse(fault, at, "not one key of 16 octets");
    *out = keys[0];
    return POC_OK;
}

void mikey_key_data_encode(poc_wr *wr, const mikey_key_data *key)
{
    poc_wr_u8(wr, MIKEY_LAST);
    poc_wr_u8(wr, (uint8_t)(key->type << 4 | key->kv));
    poc_wr_u16(wr, (uint16_t)key->key.n);
    poc_wr_span(wr, key->key);
    if (has_salt(key->type)) {
        poc_wr_u16(wr, (uint16_t)key->salt.n);
        poc_wr_span(wr, key->salt);
    }
    if (key->kv == MIKEY_KV_INTERVAL) {
        poc_wr_u8(wr, (uint8_t)key->valid_from.n);
        poc_wr_span(wr, key->valid_from);
        poc_wr_u8(wr, (uint8_t)key->valid_to.n);
        poc_wr_span(wr, key->valid_to);
    }
}
