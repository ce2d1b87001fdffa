/* What the bodies of MCX share: their names, and content that is encrypted. Private to the room. */
#ifndef PF_WIRE_MCX_H
#define PF_WIRE_MCX_H

#include "base/xml.h"
#include "pf/wire/wire.h"

#define MCX_XENC_SPACE "http://www.w3.org/2001/04/xmlenc#"
#define MCX_DSIG_SPACE "http://www.w3.org/2000/09/xmldsig#"

/** What a service writes its names with. */
typedef struct mcx_dialect {
    const char *prefix; /* "mcptt" */
    const char *info_space, *usage_space, *signed_space;
} mcx_dialect;

extern const mcx_dialect mcx_dialects[MCX_SERVICES];

/** Is an element named `name` in `uri` what `pattern` says? '*' at its start stands for the prefix of the service, whose
 *  namespace is then `space`; "e:" and "d:" for the namespaces of encryption and signatures. */
bool mcx_is_named(const char *pattern, const mcx_dialect *dialect, const char *space, poc_span name, poc_span uri);

/** Base64 that may be broken into lines. False: it is none, or more than `cap` octets. */
bool mcx_base64_take(uint8_t *out, size_t cap, size_t *n, poc_span text);
/** The key that a KeyName names (base64 of the four octets of its id); NULL: not in the ring. */
const wire_mcx_keys *mcx_key_named(const wire_mcx_ring *ring, poc_span key_name);
/** base64 of the id of a key. */
void mcx_key_name_put(poc_wr *out, uint32_t key_id);

/** EncryptedData while it is read. */
typedef struct mcx_encrypted {
    bool is_there, has_method;
    size_t key_len; /* that the method wants */
    const wire_mcx_keys *keys;
    uint8_t data[POC_XML_TEXT_MAX]; /* IV || ciphertext || tag */
    size_t len;
} mcx_encrypted;

enum {
    MCX_E_DATA = 64, /* first number of the elements below */
    MCX_E_METHOD,
    MCX_E_KEY_INFO,
    MCX_E_KEY_NAME,
    MCX_E_CIPHER_DATA,
    MCX_E_CIPHER_VALUE
};

/** First member of what a reader is given that has MCX_ENCRYPTED_ROWS under the element that may be encrypted. */
typedef struct mcx_encrypted_reading {
    const wire_mcx_ring *ring;
    mcx_encrypted encrypted;
} mcx_encrypted_reading;

/** For the next EncryptedData. */
void mcx_encrypted_begin(mcx_encrypted_reading *r);
void mcx_open_data(poc_xml *x);
void mcx_open_method(poc_xml *x);
void mcx_close_key_name(poc_xml *x, poc_span text);
void mcx_close_cipher_value(poc_xml *x, poc_span text);

#define MCX_ENCRYPTED_ROWS(parent)                                                           \
    { "e:EncryptedData", parent, MCX_E_DATA, mcx_open_data, NULL },                          \
        { "e:EncryptionMethod", MCX_E_DATA, MCX_E_METHOD, mcx_open_method, NULL },           \
        { "d:KeyInfo", MCX_E_DATA, MCX_E_KEY_INFO, NULL, NULL },                             \
        { "d:KeyName", MCX_E_KEY_INFO, MCX_E_KEY_NAME, NULL, mcx_close_key_name },           \
        { "e:CipherData", MCX_E_DATA, MCX_E_CIPHER_DATA, NULL, NULL },                       \
    {                                                                                        \
        "e:CipherValue", MCX_E_CIPHER_DATA, MCX_E_CIPHER_VALUE, NULL, mcx_close_cipher_value \
    }

/** Decrypts to `out` (room for POC_XML_TEXT_MAX). POC_E_INPUT: not whole; POC_E_AUTH; POC_E_NOMEM. */
poc_err mcx_decrypt(uint8_t *out, size_t *n, const mcx_encrypted *e, const char **why);
/** Writes `content` as EncryptedData. POC_E_IO, POC_E_LIMIT, POC_E_NOMEM. */
poc_err mcx_encrypt_put(poc_wr *out, poc_span content, const wire_mcx_keys *keys, const poc_rng *rng);

/** Writes a multipart body with a boundary from `rng`, and its Content-Type. POC_E_IO, POC_E_LIMIT. */
poc_err mcx_multipart_write(poc_wr *body, char content_type[WIRE_MCX_CONTENT_TYPE_MAX], const poc_part *parts,
                            size_t count, const poc_rng *rng);

#endif
