/* Content of elements encrypted with AES-GCM (TS 33.180 9.3, XML Encryption 1.1): IV of 96 bits || ciphertext || tag. */
#include <stddef.h>
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "pf/wire/mcx.h"

static const struct {
    size_t key_len;
    const char *algorithm;
} methods[] = {
    { 16, "http://www.w3.org/2009/xmlenc11#aes128-gcm" },
    { 32, "http://www.w3.org/2009/xmlenc11#aes256-gcm" },
};

static size_t mcx_method_key_len(poc_span algorithm)
{
    for (size_t i = 0; i < POC_COUNT(methods); i++)
        if (poc_span_eq_str(algorithm, methods[i].algorithm))
            return methods[i].key_len;
    return 0;
}

static const char *method_of(const poc_secret *key)
{
    for (size_t i = 0; i < POC_COUNT(methods); i++)
        if (methods[i].key_len == poc_secret_len(key))
            return methods[i].algorithm;
    return NULL;
}

static const poc_span nothing = { (const uint8_t *)"", 0 };

poc_err mcx_decrypt(uint8_t *out, size_t *n, const mcx_encrypted *e, const char **why)
{
    *why = "EncryptedData without all its parts";
    if (!e->has_method || e->len < POC_GCM_NONCE_LEN + POC_GCM_TAG_LEN)
        return POC_E_INPUT;
    *why = "encrypted with a key that is not known";
    if (e->keys == NULL || poc_secret_len(e->keys->confidentiality) != e->key_len)
        return POC_E_AUTH;
    *why = "not encrypted with the key it names";
    const poc_span sealed = poc_span_of(e->data + POC_GCM_NONCE_LEN, e->len - POC_GCM_NONCE_LEN);
    POC_TRY(poc_gcm_open_iv(out, poc_secret_span(e->keys->confidentiality), poc_span_of(e->data, POC_GCM_NONCE_LEN),
                            nothing, sealed));
    *n = sealed.n - POC_GCM_TAG_LEN;
    *why = "";
    return POC_OK;
}

poc_err mcx_encrypt_put(poc_wr *out, poc_span content, const wire_mcx_keys *keys, const poc_rng *rng)
{
    uint8_t data[POC_XML_TEXT_MAX];
    const size_t len = POC_GCM_NONCE_LEN + content.n + POC_GCM_TAG_LEN;
    const char *method = method_of(keys->confidentiality);
    if (method == NULL || POC_BASE64_LEN(len) > POC_XML_TEXT_MAX)
        return POC_E_LIMIT;
    POC_TRY(rng->fill(rng->ctx, data, POC_GCM_NONCE_LEN));
    POC_TRY(poc_gcm_seal_iv(data + POC_GCM_NONCE_LEN, poc_secret_span(keys->confidentiality),
                            poc_span_of(data, POC_GCM_NONCE_LEN), nothing, content));
    poc_wr_fmt(out,
               "<EncryptedData xmlns=\"" MCX_XENC_SPACE "\" Type=\"" MCX_XENC_SPACE "Content\">"
               "<EncryptionMethod Algorithm=\"%s\"/><KeyInfo xmlns=\"" MCX_DSIG_SPACE "\"><KeyName>",
               method);
    mcx_key_name_put(out, keys->key_id);
    poc_wr_fmt(out, "</KeyName></KeyInfo><CipherData><CipherValue>");
    poc_base64_put(out, poc_span_of(data, len));
    poc_wr_fmt(out, "</CipherValue></CipherData></EncryptedData>");
    return poc_wr_done(out);
}

/* ---- EncryptedData while it is read ---- */

void mcx_encrypted_begin(mcx_encrypted_reading *r)
{
    memset(&r->encrypted, 0, offsetof(mcx_encrypted, data));
    r->encrypted.len = 0;
}

void mcx_open_data(poc_xml *x)
{
    mcx_encrypted_reading *r = poc_xml_user(x);
    if (r->encrypted.is_there)
        poc_xml_stop(x, POC_E_INPUT, "EncryptedData twice");
    r->encrypted.is_there = true;
}

void mcx_open_method(poc_xml *x)
{
    mcx_encrypted_reading *r = poc_xml_user(x);
    poc_span algorithm;
    r->encrypted.has_method = true;
    r->encrypted.key_len = poc_xml_attribute(x, "Algorithm", &algorithm) ? mcx_method_key_len(algorithm) : 0;
    if (r->encrypted.key_len == 0)
        poc_xml_stop(x, POC_E_INPUT, "encrypted with another algorithm than AES-GCM");
}

void mcx_close_key_name(poc_xml *x, poc_span text)
{
    mcx_encrypted_reading *r = poc_xml_user(x);
    r->encrypted.keys = mcx_key_named(r->ring, text);
}

void mcx_close_cipher_value(poc_xml *x, poc_span text)
{
    mcx_encrypted_reading *r = poc_xml_user(x);
    mcx_encrypted *e = &r->encrypted;
    if (e->len > 0 || !mcx_base64_take(e->data, sizeof(e->data), &e->len, text))
        poc_xml_stop(x, POC_E_INPUT, "CipherValue is not base64, or stands twice");
}
